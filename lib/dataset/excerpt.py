"""A smaller set of a large one: the middle of each sequence.

    python -m lib.dataset.excerpt DATA/poses/kinect_real_3D data/poses/kinect_sample_3D --train 18000 --test 5000

The sequences are cut so that their lengths are as equal as they may be and add up to what was asked. Values and names stay as they are, so that
made again the files are the same (with the same versions of numpy and zlib).
"""

import argparse
from pathlib import Path

from .. import errors
from ..errors import UserError
from . import storage


def middles(lengths, total):
    """Slices of sequences of these lengths, of `total` frames together (or all that there are)."""
    left, places = total, [None] * len(lengths)
    for done, index in enumerate(sorted(range(len(lengths)), key=lambda index: lengths[index])):  # short ones first
        length = min(lengths[index], round(left / (len(lengths) - done)))
        left -= length
        start = (lengths[index] - length) // 2
        places[index] = slice(start, start + length)
    return places


def excerpt(source, target, frames):
    """Write the excerpt. source, target: folders <dataset>_<estimator>_<rep>; frames: {split: how many}.

    Raises UserError where the source has no such split. Of sequences all arrays of one row a frame are cut.
    """
    source, target = Path(source), Path(target)
    for split, total in frames.items():
        files = sorted(source.glob(f"*/*_{split}.npz"))
        if not files:
            raise UserError(f"{source}: has no {split} split (*/*_{split}.npz)")
        for file in files:
            data = storage.read(file)
            lengths = [len(names) for names in data["imgname"]]
            places = middles(lengths, total)
            cut = {
                key: [
                    part[place] if len(part) == length else part for part, place, length in zip(value, places, lengths)
                ]
                for key, value in data.items()
            }
            storage.write(target / file.parent.name / file.name.replace(source.name, target.name), cut)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", help="a dataset's folder")
    parser.add_argument("target", help="the folder to write")
    parser.add_argument("--train", type=int, default=0, help="frames of the training split (default: none)")
    parser.add_argument("--test", type=int, default=0, help="frames of the test split (default: none)")
    args = parser.parse_args()
    excerpt(
        args.source,
        args.target,
        {split: count for split, count in vars(args).items() if split in ("train", "test") and count},
    )


if __name__ == "__main__":
    errors.run(main)
