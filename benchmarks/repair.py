"""Repair (lib/tracks/repair.py): how many exchanges and spikes it finds, what it breaks, what a real estimator gains.

    python -m benchmarks.repair                                # on the motion that ships
    python -m benchmarks.repair --base_dir DIR [--json FILE]   # on the sets of DIR as well, as far as they are there

Made exchanges: truth with jitter of 5 mm an axis, one exchange a trial, in clips at least four times as long; frames in
which an exchanged pair lies within 30 mm do not count. Clean: truth with and without jitter. Real: the error of an
estimator's detections before and after, and the clips that are more than 1 % worse.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from lib.dataset import storage
from lib.formats.tracks import Track
from lib.poses.skeletons import LAYOUTS
from lib.tracks.repair import repair

FPS = 30
LAYOUT = LAYOUTS["h36m17"]
LEGS, ARMS = [1, 2, 3, 4, 5, 6], [11, 12, 13, 14, 15, 16]
WHAT = {"arms and legs": LEGS + ARMS, "arms": ARMS, "legs": LEGS}
LENGTHS, TRIALS, JITTER, NEAR = (2, 8, 15, 30), 30, 0.005, 0.03  # frames, 1, m, m
SHIPPED = Path(__file__).resolve().parents[1] / "data" / "poses"
REAL = ("anny_mediapipe_3D", "anny_mediapipe_2D", "kinect_real_3D")


def read(base, name, kind, split):
    """The sequences of one file of a set, [T, 17, D] each; None where it is not there."""
    path = next((base / name / kind).glob(f"*_{split}.npz"), None) if (base / name).is_dir() else None
    if path is None:
        return None
    data = storage.read(path)
    key = next(key for key in ("joints_3d", "joints_2d") if key in data)
    return [np.asarray(each, dtype=float).reshape(len(each), 17, -1) for each in data[key]]


def mended(poses):
    """A `Repaired` for poses [T, 17, D]."""
    track = Track(0, "", poses, None, f"{poses.shape[-1]}D", None, LAYOUT.joints)
    return repair(track, poses, np.arange(len(poses)) / FPS, FPS, [slice(0, len(poses))])


def made(clips, seed=0):
    """{what, length: [hits, frames that count, false frames, other frames]} of made exchanges."""
    rng, found = np.random.default_rng(seed), {}
    mirror = np.array(LAYOUT.mirror)
    for length in LENGTHS:
        long = [clip for clip in clips if len(clip) >= 4 * length]
        for what, joints in WHAT.items() if long else ():
            total = np.zeros(4, dtype=int)
            for _ in range(TRIALS):
                truth = long[rng.integers(len(long))]
                truth = truth + JITTER * rng.standard_normal(truth.shape)
                first = rng.integers(1, len(truth) - length)
                inside = np.arange(first, first + length)
                poses = truth.copy()
                poses[inside[:, None], joints] = truth[inside[:, None], mirror[joints]]
                right = (mended(poses).poses == truth).all(axis=(1, 2))
                apart = np.linalg.norm(truth[:, joints] - truth[:, mirror[joints]], axis=-1).min(axis=1) > NEAR
                count = np.isin(np.arange(len(truth)), inside)
                total += [(right & count & apart).sum(), (count & apart).sum(), (~right & ~count).sum(), (~count).sum()]
            found[f"{what}, {length} frames"] = total.tolist()
    return found


def clean(clips, jitter, seed=0):
    """[frames, frames with an exchange, key points that are spikes] found where there is nothing to find."""
    rng, total = np.random.default_rng(seed), np.zeros(3, dtype=int)
    for clip in clips:
        done = mended(clip + jitter * rng.standard_normal(clip.shape))
        total += [len(clip), done.exchanged.any(axis=1).sum(), done.spikes.sum()]
    return total.tolist()


def real(detected, truth):
    """Mean error before and after (mm of root-relative joints, or px), clips over 1 % worse with how much, counts."""
    errors = []
    for poses, right in zip(detected, truth):
        done = mended(poses)
        scale, root = (1000, slice(0, 1)) if poses.shape[-1] == 3 else (1, slice(0, 0))
        if poses.shape[-1] == 3:
            right = right - right[:, root]
        pair = [values - values[:, root] if poses.shape[-1] == 3 else values for values in (poses, done.poses)]
        before, after = (scale * np.linalg.norm(values - right, axis=-1).sum() for values in pair)
        errors.append([before, after, right.shape[0] * 17, done.exchanged.any(axis=1).sum(), done.spikes.sum()])
    before, after, points, exchanged, spikes = np.array(errors).T
    ratios = after / before
    return {
        "before": before.sum() / points.sum(),
        "after": after.sum() / points.sum(),
        "clips": len(errors),
        "worse": sorted((float(ratio) for ratio in ratios if ratio > 1.01), reverse=True),
        "frames": int(points.sum()) // 17,
        "exchanged": int(exchanged.sum()),
        "spikes": int(spikes.sum()),
    }


def main():
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--base_dir", type=Path, metavar="DIR", help="folder of more sets, in the published layout")
    parse.add_argument("--split", default="test", choices=("train", "test"))
    parse.add_argument("--json", type=Path, metavar="PATH", help="also write the numbers there")
    args = parse.parse_args()
    numbers = {}
    for base, name in [(SHIPPED, "mocap_noise_3D"), (args.base_dir, "bn_sim_3D"), (args.base_dir, "many_noise_3D")]:
        clips = read(base, name, "groundtruth", args.split) if base else None
        if clips:
            numbers[name] = {"made": made(clips), "clean": clean(clips, 0), "jitter": clean(clips, JITTER)}
            print(f"\n{name} {args.split}: {'made exchange':24}{'hits %':>8}{'false %':>9}")
            for what, (hits, count, false, other) in numbers[name]["made"].items():
                print(f"{what:>40}{100 * hits / max(count, 1):9.1f}{100 * false / max(other, 1):9.2f}")
            for what in ("clean", "jitter"):
                frames, wrong, spikes = numbers[name][what]
                print(f"{what:>40}: {frames} frames, {wrong} taken for exchanged, {spikes} key points for spikes")
    for name in REAL if args.base_dir else ():
        detected = read(args.base_dir, name, "detected", args.split)
        if detected:
            found = numbers[name] = real(detected, read(args.base_dir, name, "groundtruth", args.split))
            print(
                f"\n{name} {args.split}: {found['before']:.2f} -> {found['after']:.2f}, {len(found['worse'])} of "
                f"{found['clips']} clips over 1 % worse {[round(each, 2) for each in found['worse'][:5]]}; "
                f"{found['exchanged']} of {found['frames']} frames exchanged, {found['spikes']} spikes"
            )
    if args.json:
        args.json.write_text(json.dumps(numbers, indent=1))


if __name__ == "__main__":
    main()
