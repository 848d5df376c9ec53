"""Does refining make poses worse on what nothing was tuned on? `auto` on other frame rates, lengths and errors than benchmarks.harm has.

    python -m benchmarks.harm_wider                                              # on the motion that ships
    python -m benchmarks.harm_wider --data ../shared/data/poses --clips 8 --markdown docs/harm.md

Truth of training clips with errors of known kinds. Other rates are splines through its 30 frames a second. MPJPE in mm (2D: px;
rotations: of the joints of a body), of 3D joints in the room, as nothing is subtracted. FILE of --markdown keeps its text but what
stands between <!-- wider:begin --> and <!-- wider:end -->.
"""

import argparse
from functools import partial
from pathlib import Path

import numpy as np
import torch
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter1d
from scipy.signal import lfilter

from benchmarks import harm
from benchmarks.markdown import replace_between
from lib.files import write_text
from lib.tracks.refiner import Refiner

WORSE = 1.02  # times its input, on one clip
WRIST = harm.LAYOUT.joints.index("right_wrist")
RATES, LENGTHS, HELD = (10, 15, 60, 120, 240), (4, 5, 8, 20), (2, 3)
SETS = {"3D": ("mocap_noise_3D", "many_noise_3D"), "2D": ("bn_sim_2D",), "smpl": ("bn_sim_smpl",)}
MILD = {"3D": 2, "2D": 1, "smpl": 0.5}  # jitter in mm, px, degrees


def lasting(shape, seconds, smooth, rng):
    """Errors [T, J, D] of standard deviation 1 that decay as a first-order process, low-passed by a Gaussian of `smooth` frames."""
    keep = np.exp(-1 / (seconds * harm.FPS))
    drawn = np.sqrt(1 - keep**2) * rng.standard_normal(shape)
    drawn[0] /= np.sqrt(1 - keep**2)
    errors = lfilter([1.0], [1.0, -keep], drawn, axis=0)
    return gaussian_filter1d(errors, smooth, axis=0) if smooth else errors


def held(poses, count):
    """Poses of a detector that runs in every `count`-th frame and repeats its last answer."""
    return poses[np.arange(len(poses)) // count * count]


def at_rate(truth, rate):
    """Truth [T, J, D] of 30 frames a second at another rate; its numbers must not leap."""
    times = np.arange(len(truth)) / harm.FPS
    return CubicSpline(times, truth, axis=0)(np.arange(0, times[-1] + 1e-9, 1 / rate))


def cases(kind, size):
    """{name: (frames a second, function (truth, rng) -> (truth, poses))} for one kind of poses and a jitter of `size`."""

    def jittered(truth, rng):
        return harm.jittered(truth, kind, size, rng)

    def at(rate, truth, rng):
        truth = at_rate(truth, rate)
        return truth, jittered(truth, rng)

    unit = harm.UNITS[kind]
    found = {}
    for count in HELD:
        found[f"{size:g} {unit}, each answer held for {count} frames"] = (
            harm.FPS,
            lambda truth, rng, count=count: (truth, held(jittered(truth, rng), count)),
        )
    for count in LENGTHS:
        found[f"{size:g} {unit}, {count} frames"] = (
            harm.FPS,
            lambda truth, rng, count=count: (truth[:count], jittered(truth[:count], rng)),
        )
    if kind == "smpl":  # of rotations: only frames left out, as their numbers leap at pi
        found[f"{size:g} {unit}, 15 Hz"] = 15, lambda truth, rng: (truth[::2], jittered(truth[::2], rng))
        return found
    for rate in RATES:
        found[f"{size:g} {unit}, {rate} Hz"] = rate, partial(at, rate)

    def lost_wrist(truth, rng):
        poses, stays = jittered(truth, rng), slice(len(truth) // 3, 2 * len(truth) // 3)
        poses[stays, WRIST] = poses[stays.start, WRIST]
        return truth, poses

    def dropped(truth, rng):
        poses = jittered(truth, rng)
        poses[rng.random(poses.shape[:2]) < 0.2] = np.nan
        return truth, poses

    found[f"{size:g} {unit}, a wrist that stays behind"] = harm.FPS, lost_wrist
    found[f"{size:g} {unit}, every fifth key point missing"] = harm.FPS, dropped
    for seconds, smooth in ((0.3, 0), (0.3, 2), (2, 2)):
        name = f"{size:g} {unit} beside {10 * size:g} that last {seconds:g} s" + (", smooth" if smooth else "")
        found[name] = (
            harm.FPS,
            lambda truth, rng, seconds=seconds, smooth=smooth: (
                truth,
                jittered(truth, rng) + 10 * size * _scale(kind) * lasting(truth.shape, seconds, smooth, rng),
            ),
        )
    return found


def _scale(kind):
    return 0.001 if kind == "3D" else 1.0


def error(poses, truth, kind):
    """MPJPE over the key points that are there."""
    if kind == "smpl":
        poses, truth = harm.joints(poses, kind), harm.joints(truth, kind)
    off = np.linalg.norm(poses - truth, axis=-1) * (1000 if kind == "3D" else 1)
    return float(np.nanmean(off))


def measured(clips, kind, rate, make):
    """(mean MPJPE before, after, the largest ratio on one clip) of `make`'s poses of truths."""
    layout = {} if kind == "smpl" else {"layout": harm.LAYOUT.name}
    before, after = [], []
    for seed, clip in enumerate(clips):
        truth, poses = make(clip, np.random.default_rng(seed))
        seen = np.where(np.isfinite(poses), Refiner("auto", fps=rate, kind=kind.lower(), **layout)(poses), np.nan)
        before.append(error(poses, truth, kind))
        after.append(error(seen, truth, kind))
    return np.mean(before), np.mean(after), float(np.max(np.divide(after, before)))


def rows(base, count):
    """Yield (set, case, before, after, worst) of every case that the data are there for."""
    for kind, names in SETS.items():
        for name in names:
            clips = harm.read(base, name, "groundtruth", "train", count)
            for case, (rate, make) in cases(kind, MILD[kind]).items() if clips else ():
                yield name, case, *measured(clips, kind, rate, make)


def main():
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--data", type=Path, metavar="DIR", help="folder of more sets, in the published layout")
    parse.add_argument("--clips", type=int, default=4, help="clips a row")
    parse.add_argument("--markdown", type=Path, metavar="FILE", help="also write the table there")
    args = parse.parse_args()
    torch.set_num_threads(1)
    if args.markdown:  # refused before minutes of work
        replace_between(args.markdown.read_text(encoding="utf-8"), "wider", "", args.markdown)
    lines = ["| set | errors | input | `auto` | worst clip |", "| --- | --- | ---: | ---: | ---: |"]
    worse = total = 0
    for name, case, before, after, worst in rows(args.data, args.clips):
        lines.append(f"| {name} | {case} | {before:.2f} | {after:.2f} | {worst:.2f} |")
        print(lines[-1], flush=True)
        worse, total = worse + (worst > WORSE), total + 1
    lines.append(f"\n{total} rows, {worse} with a clip that comes out more than {WORSE - 1:.0%} worse than its input.")
    print(lines[-1])
    if args.markdown:
        text = args.markdown.read_text(encoding="utf-8")
        write_text(args.markdown, replace_between(text, "wider", "\n".join(lines), args.markdown))


if __name__ == "__main__":
    main()
