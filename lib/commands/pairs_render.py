"""`synsp pairs render`: the flags, the processes, and what is said while clips are rendered."""

import argparse
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path

from tqdm import tqdm

from .. import files
from ..errors import UserError
from ..messages import counted
from ..pairs import PACKAGES

FPS = (25, 30, 50, 60)


def add_render(steps):
    """Add the subcommand `render` to the subparsers `steps`; its `run` takes the parsed arguments."""
    parse = steps.add_parser(
        "render",
        help="film parametric people whose every joint is known",
        description="Film parametric people in motion: an mp4 a clip, and an .npz of what is true in it. Started again, it goes "
        "on where it was; the same seed gives the same clips.",
    )
    parse.add_argument("out", metavar="OUT", help="the folder for the clips")
    parse.add_argument("--clips", type=_whole(1, 99999), default=300, help="how many videos (default 300)")
    parse.add_argument("--frames", type=_whole(2, 3000), default=60, help="of each clip (default 60)")
    parse.add_argument("--size", type=_whole(64, 2048), default=512, help="side of the picture in px (default 512)")
    parse.add_argument(
        "--fps",
        type=_whole(5, 240),
        nargs="+",
        default=[30],
        help="frames per second; of several each clip has one (default 30)",
    )
    parse.add_argument("--seed", type=_whole(0, 2**31), default=1, help="other seeds give other clips (default 1)")
    parse.add_argument("--jobs", type=_whole(1, 256), default=1, help="processes (default 1)")
    parse.add_argument("--views", type=_whole(1, 16), default=1, help="cameras that film each motion (default 1)")
    parse.add_argument(
        "--split", choices=("train", "test"), default="train", help="whose motion: test keeps two persons apart"
    )
    parse.add_argument(
        "--motion",
        nargs="+",
        metavar="FILE",
        help="BVH, AMC (its .asf beside it), AMASS or SMPL .npz, instead of the CMU motion that comes along",
    )
    parse.add_argument("--backgrounds", metavar="FOLDER", help="pictures without people, instead of scikit-image's")
    parse.add_argument(
        "--resting",
        type=_share,
        default=0.12,
        metavar="SHARE",
        help="of the clips whose people sit, kneel or lie, which motion mostly lacks (0 to 1, default 0.12)",
    )
    parse.add_argument("--run", dest="estimator", choices=("mediapipe",), help="let this estimator answer the clips")
    parse.add_argument(
        "--python",
        metavar="PROGRAM",
        default=sys.executable,
        help="the Python of the estimator's environment (default: this one)",
    )
    parse.set_defaults(run=render)


def _whole(low, high):
    """A type of argument: a whole number within limits."""

    def number(text):
        if not text.isdigit() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {low} to {high}")
        return int(text)

    return number


def _share(text):
    """A type of argument: a number from 0 to 1."""
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no share from 0 to 1")
    return found


def render(args):
    """Run the subcommand. Raises UserError where a package is missing, and for flags that do not fit."""
    lacking = [name for name in PACKAGES if find_spec(name) is None]
    if lacking:
        raise UserError(f"{', '.join(lacking)}: not installed. pip install 'synsp[pairs]'")
    if args.estimator:
        _check_estimator(args.python)
    from ..pairs import clips

    plan = clips.Plan(
        args.out,
        args.clips,
        args.frames,
        args.size // 2 * 2,  # the video's colours have half its resolution
        tuple(args.fps),
        args.seed,
        args.views,
        args.split,
        tuple(args.motion) if args.motion else None,
        args.backgrounds,
        args.resting,
    )
    files.make_folder(plan.out)
    metas = clips.done(plan.out)
    there = {meta["number"] for meta in metas if (meta["seed"], meta["split"]) == (plan.seed, plan.split)}
    wanted = [number for number in range(plan.clips) if number not in there]
    if wanted:
        ready = plan.clips - len(wanted)
        print(f"{plan.out}: {counted(len(wanted), 'clip')} to render, {ready} already there", file=sys.stderr)
        _announce_first_use()
        _prepared(plan)  # what is wrong with its files is said before anything is rendered
    for meta in tqdm(_made(plan, wanted, args.jobs), total=len(wanted), unit="clip", disable=not wanted):
        metas.append(meta)
        clips.save_index(plan.out, metas)
    if args.estimator:
        _estimate(args.python, plan.out)
    print(next_step(plan.out, len(metas), args.estimator), file=sys.stderr)


def next_step(out, clips, estimator=None):
    """What comes after rendering, in one line; estimator: the one that answered already, or None."""
    if estimator:
        how, estimates = "next", out
    else:
        how, estimates = (
            "next, when your estimator has answered them with a file <clip>.* each in a folder ESTIMATES",
            "ESTIMATES",
        )
    name = estimator or "NAME"
    return (
        f"{out}: {counted(clips, 'clip')}. {how}: synsp pairs collect {out} {estimates} --dataset my --estimator {name}"
    )


def _announce_first_use():
    from anny.paths import get_anny_cache_path

    place = get_anny_cache_path()
    if not place.is_dir() or not any(place.iterdir()):
        print(
            f"anny: prepares its bodies, once on this machine: two minutes, and 0.8 GB in {place} (ANNY_CACHE_DIR names another place)",
            file=sys.stderr,
        )


def _made(plan, wanted, jobs):
    """The metas of rendered clips, as they are finished."""
    if jobs == 1 or not wanted:
        yield from map(partial(_make, plan), wanted)
        return
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        yield from pool.map(partial(_make, plan), wanted)


_ready = {}  # of this process: the motions and the pictures of each plan


def _prepared(plan):
    if plan not in _ready:
        import torch

        from ..pairs import clips, scene

        torch.set_num_threads(1)
        _ready[plan] = clips.load_motions(plan), scene.photos(plan.backgrounds)
    return _ready[plan]


def _make(plan, number):
    from ..pairs import clips

    return clips.make(plan, number, *_prepared(plan))


def _check_estimator(python):
    """Raise UserError where the Python of the estimator's environment has no MediaPipe."""
    code = "import mediapipe; mediapipe.solutions.pose"
    try:
        found = subprocess.run([python, "-c", code], capture_output=True).returncode == 0
    except OSError as error:
        raise UserError(
            f"--python {python}: cannot be run ({error.strerror}). Name the Python of MediaPipe's environment"
        ) from None
    if not found:
        raise UserError(
            f"{python}: has no mediapipe with mediapipe.solutions. Make an environment with pip install mediapipe==0.10.14 'numpy<2' "
            "opencv-python-headless, and name its Python with --python"
        )


def _estimate(python, out):
    """Let MediaPipe answer the clips, in the environment of `python`."""
    script = Path(__file__).parents[1] / "pairs" / "mediapipe_clips.py"
    subprocess.run([python, str(script), out], check=True)
