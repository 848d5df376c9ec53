"""`synsp pairs collect`: which file is of which clip, and what is said of the pairs that were found."""

import os
import sys
from pathlib import Path

from .. import messages
from ..errors import UserError
from ..messages import counted, logger
from ..pairs import INDEX
from ..poses.kinds import kind_of
from ..poses.skeletons import LAYOUTS
from .inputs import ENDINGS, is_recording

log = logger(__name__)


def add_collect(steps):
    """Add the subcommand `collect` to the subparsers `steps`; its `run` takes the parsed arguments."""
    parse = steps.add_parser("collect", help="make a dataset of the truth and of what an estimator says")
    parse.add_argument("out", metavar="OUT", help="the folder that `render` made")
    parse.add_argument(
        "estimates",
        metavar="ESTIMATES",
        help="folder with a file <clip>.* or <clip>.<tool>.*, or a folder <clip>, for each clip, in any format that refine reads",
    )
    parse.add_argument("--dataset", required=True, metavar="NAME", help="what to call the data: letters and digits")
    parse.add_argument("--estimator", required=True, metavar="NAME", help="what to call the estimator")
    parse.add_argument(
        "--base_dir", default="data/poses", metavar="DIR", help="folder of the datasets; default: data/poses"
    )
    parse.add_argument("--representation", choices=("3D", "2D", "both"), help="default: what all estimates hold")
    parse.add_argument(
        "--truth",
        choices=("estimator", "body"),
        default="estimator",
        help="estimator: the points of the body that its joints follow on average (default); body: the body's own joints",
    )
    parse.add_argument(
        "--test",
        default="",
        metavar="SUBJECTS",
        help="subjects that test, by commas, or a share of the clips; default: as they were rendered, else 0.15",
    )
    parse.add_argument(
        "--fps", type=float, default=30.0, help="frames a second of the dataset; default: 30, which the weights know"
    )
    parse.add_argument("--input_format", metavar="NAME", help="of the estimates; default: told by their contents")
    parse.add_argument("--debug", action="store_true", help="print the traceback of an error too")
    parse.set_defaults(run=collect)


def collect(args):
    """Write the dataset that a command line asks for. Raises UserError for what cannot be used."""
    from tqdm import tqdm

    from ..pairs import collect as making  # torch takes a second to import: flags and folders are refused without it
    from ..pairs import truth

    messages.start()
    if not 1 <= args.fps <= 1000:
        raise UserError(f"--fps is {args.fps:g}; expected 1 to 1000 frames a second")
    clips = truth.clips(args.out)
    paths = find(args.out, Path(args.estimates), clips, args.estimator)
    representations = {None: (), "both": ("3D", "2D")}.get(args.representation, (args.representation,))
    options = making.Options(
        args.dataset,
        args.estimator,
        Path(args.base_dir),
        representations,
        args.truth,
        args.test,
        args.fps,
        args.input_format,
    )

    def progress(items):
        quiet = sys.stderr is None or not sys.stderr.isatty()
        return tqdm(items, desc="reading estimates", unit="clip", delay=2, leave=False, disable=quiet)

    say(making.collect(args.out, paths, options, progress), options, len(paths), len(clips))


def find(out, folder, clips, estimator):
    """{clip: its file, or folder of per-frame files} among the estimates in a folder, which may be that of the clips. Raises UserError where a
    file is of no clip, or several of one."""
    if not folder.is_dir():
        raise UserError(f"{folder}: is not a folder of estimates, one for each clip")
    known, found, strangers = set(clips), {}, []
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        path, clip = Path(entry.path), entry.name.split(".")[0]
        own = path.suffix == ".npz" and os.path.samefile(folder, out)  # the truth itself
        if entry.name.startswith(".") or entry.name == INDEX or own:
            continue
        if path.is_file() and path.suffix.lower() not in ENDINGS:
            continue
        if clip in known:
            found.setdefault(clip, []).append(path)
        else:
            strangers.append(entry.name)
    if strangers and not found:
        raise UserError(
            f"{folder}: nothing is named after a clip; {strangers[0]} is there, and clips are called {clips[0]}. Name files <clip>.json"
        )
    if strangers:
        raise UserError(f"{folder}: {strangers[0]} is of no clip ({len(strangers)} such). Rename or remove it")
    if not found:
        raise UserError(f"{folder}: no estimates. Expected a file {clips[0]}.* for clip {clips[0]}, and so on")
    return {clip: _one(clip, paths, estimator) for clip, paths in found.items()}


def _one(clip, paths, estimator):
    """The file that is meant among those named after a clip: the only one, or that of the estimator's name."""
    if len(paths) > 1:
        named = [path for path in paths if estimator in path.name.split(".")[1:]]
        if len(named) != 1:
            names = ", ".join(path.name for path in paths[:3])
            raise UserError(
                f"{paths[0].parent}: {names} are all of clip {clip}. Keep one, or call it {clip}.{estimator}.*"
            )
        paths = named
    (path,) = paths
    if not path.is_dir() or is_recording(path):
        return path
    inside = [one for one in sorted(path.iterdir()) if one.is_file() and one.suffix.lower() in ENDINGS]
    if len(inside) != 1:
        raise UserError(f"{path}: expected per-frame files or one pose file, found {len(inside)} pose files")
    return inside[0]


def say(made, options, estimates, clips):
    """What was made, in lines, and what to do with it."""
    log.info(
        "estimates for %d of %s; the person was found in %.1f %% of their frames",
        estimates,
        counted(clips, "clip"),
        100 * made.found,
    )
    if made.dropped:
        log.info(
            "left out, found in too few frames in a row: %s, the first is %s",
            counted(len(made.dropped), "clip"),
            made.dropped[0],
        )
    if made.left_out:
        log.info("left out, because their bodies test: %s", counted(made.left_out, "clip"))
    if made.offsets.any():
        lengths = 1000 * (made.offsets**2).sum(axis=1) ** 0.5
        far = sorted(zip(lengths, LAYOUTS["h36m17"].joints), reverse=True)[:4]
        log.info(
            "the truth is where the estimator's joints lie on the body: %s from the body's own (--truth body leaves them out)",
            ", ".join(f"{name} {length:.0f} mm" for length, name in far),
        )
    for representation, splits in made.sets.items():
        for split, count in splits.items():
            mean, aligned = made.errors[representation][split]
            unit = "px" if aligned is None else f"mm ({aligned:.1f} after the best rotation and scale)"
            what = counted(count, "clip")
            log.info("%s_%s %s: %s, mean error %.1f %s", options.name, representation, split, what, mean, unit)
    for warning in made.warnings:
        log.warning("%s", warning)
    place = "" if options.base == Path("data/poses") else f" DATASET.BASE_DIR {options.base}"
    for representation, splits in made.sets.items():
        if "train" in splits and kind_of(representation).in_space:
            log.info(
                "train: synsp train --cfg configs/pairs_3D.yaml --dataset_name %s --estimator %s%s",
                options.dataset,
                options.estimator,
                place,
            )
