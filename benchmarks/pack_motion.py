"""Makes lib/pairs/cmu_motion.npz, the motion that ships, from the full file of CMU rotations.

    python benchmarks/pack_motion.py cmu_rotations_train.npz lib/pairs/cmu_motion.npz

Of each clip the first seconds are kept, of a subject with many clips fewer. Rotation vectors are rounded to 1/256 rad (0.2
degrees), stored as differences from frame to frame with time last, which packs best.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from lib import files  # noqa: E402
from lib.dataset import storage  # noqa: E402
from lib.pairs.motion_files import CMU_STEP  # noqa: E402

FULL_STEP = 8192  # of the full file
FRAMES = 8000  # of a subject, about


def main():
    source, target = sys.argv[1:]
    arrays = storage.read_arrays(source)
    subjects = [str(name).split("_")[1] for name in arrays["clip"]]
    turns, roots = [], []
    for subject, rotvec, root in zip(subjects, arrays["rotvec"], arrays["root"]):
        kept = max(FRAMES // subjects.count(subject), 150)
        turns.append(np.round(rotvec[:kept] * (CMU_STEP / FULL_STEP)).astype(np.int16))
        roots.append(np.round((root[:kept] - root[0]) * 1000).astype(np.int16))
    together = np.concatenate(turns)
    steps = np.diff(together, axis=0, prepend=np.zeros_like(together[:1]))
    packed = {
        "clip": arrays["clip"],
        "joints": arrays["joints"],
        "frames": np.array([len(one) for one in turns], np.int32),
        "rotvec": np.ascontiguousarray(steps.transpose(1, 2, 0)),
        "root": np.concatenate(roots),
        "rest": np.stack(arrays["rest"]).astype(np.float32),
        "leg": arrays["leg"],
    }
    files.write_npz(target, packed)
    print(f"{target}: {len(turns)} clips, {len(together)} frames, {Path(target).stat().st_size} bytes")


if __name__ == "__main__":
    main()
