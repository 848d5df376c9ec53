"""What the errors of real pose estimators are like, measured from pairs of detections and ground truth.

    python -m benchmarks.estimator_errors --data ../shared/data            # writes lib/dataset/estimator_errors.json
    python -m benchmarks.estimator_errors --data ../shared/data --check    # real errors beside drawn ones, as a table

The table holds sizes, spectra and correlations of `kinect_real_3D` and of `anny_mediapipe_3D` (MediaPipe on rendered
CMU motion; clips on Bandai-Namco's motion are left out), of their training clips. `lib.dataset.estimator_noise` draws errors like them.
It holds no mean error of any joint: where a sensor puts a joint on average is its convention, which weights for any
sensor must not know.

T frames, J joints (without the root), K = 3 (J - 1) channels of bone directions, S clips.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from scipy.signal import welch

from lib.dataset import estimator_noise, storage
from lib.files import atomic_write
from lib.poses.skeletons import LAYOUTS

SETS = {"kinect": "kinect_real_3D", "mediapipe": "anny_mediapipe_3D"}
LAYOUT = LAYOUTS["h36m17"]
COMPONENTS = 8
# Hz; the spectrum between them is taken to be straight in double logarithm.
FREQUENCIES = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 11.0)
LIMBS = {
    "arm": ("shoulder", "elbow", "wrist"),
    "leg": ("hip", "knee", "ankle"),
}


def pairs(data, name):
    """The training pairs of a set that are free for any use: list of (detected [T, J, 3], truth [T, J, 3], fps), in
    metres from the root."""
    dataset = name.split("_")[0]
    path = Path(data, "poses", name)
    truth = storage.read(path / "groundtruth" / f"{dataset}_gt_3D_train.npz")["joints_3d"]
    detected = storage.read(path / "detected" / f"{name}_train.npz")["joints_3d"]
    named = [Path(data, f"{part}_train.json") for part in (name, name.removesuffix("_3D"))]
    clips = json.loads(next(file for file in named if file.is_file()).read_text(encoding="utf-8"))
    found = []
    for clip, seen, real in zip(clips, detected, truth):
        if not clip["licence"].startswith("CC BY-NC"):
            joints = [poses.reshape(len(poses), LAYOUT.size, 3).astype(np.float64) for poses in (seen, real)]
            found.append((*(poses - poses[:, :1] for poses in joints), clip["fps"]))
    return found


def bones(poses):
    """Poses [T, J, 3] as bone vectors from each joint's parent, [T, J-1, 3]."""
    parents = np.array(LAYOUT.parents)
    return poses[:, 1:] - poses[:, parents[1:]]


def exchanged(detected, truth):
    """(bool [T] a limb pair: frames at which it is nearer to the truth with left and right exchanged, the detections put
    right)."""
    put_right, found = detected.copy(), []
    for parts in LIMBS.values():
        left, right = ([LAYOUT.joints.index(f"{side}_{part}") for part in parts] for side in ("left", "right"))
        asis = np.linalg.norm(detected[:, left + right] - truth[:, left + right], axis=-1).mean(1)
        other = np.linalg.norm(detected[:, right + left] - truth[:, left + right], axis=-1).mean(1)
        swapped = other < 0.6 * asis
        put_right[np.ix_(swapped, left + right)] = detected[np.ix_(swapped, right + left)]
        found.append(swapped)
    return found, put_right


def directions(vectors):
    """(unit vectors, lengths) of bone vectors [T, J-1, 3]."""
    lengths = np.linalg.norm(vectors, axis=-1).clip(1e-6)
    return vectors / lengths[..., None], lengths


def measure(clips):
    """The table's entry of one estimator, from its `pairs`."""
    constant, moving, fixed_length, moving_length, exchanged_frames, frames = [], [], [], [], 0, 0
    for detected, truth, _ in clips:
        flags, detected = exchanged(detected, truth)
        exchanged_frames += sum(int(part.sum()) for part in flags)
        frames += len(truth)
        (seen, seen_length), (real, real_length) = directions(bones(detected)), directions(bones(truth))
        error = (seen - real).reshape(len(truth), -1)
        constant.append(error.mean(0))
        moving.append(error - error.mean(0))
        stretch = np.log(seen_length / real_length)
        fixed_length.append(stretch.mean(0))
        moving_length.append(stretch - stretch.mean(0))
    all_moving = np.concatenate(moving)
    values, vectors = np.linalg.eigh(all_moving.T @ all_moving / len(all_moving))
    loadings = vectors[:, ::-1][:, :COMPONENTS] * np.sqrt(values[::-1][:COMPONENTS])
    rest = np.sqrt((all_moving.var(0) - (loadings**2).sum(1)).clip(0))
    table = {
        "clips": len(clips),
        "frames": frames,
        "joints": list(LAYOUT.joints[1:]),
        "constant": both_sides(np.sqrt((np.array(constant) ** 2).mean(0)).reshape(-1, 3)),
        "loadings": loadings.reshape(-1, 3, COMPONENTS),
        "rest": both_sides(rest.reshape(-1, 3)),
        "constant_length": both_sides(np.sqrt((np.array(fixed_length) ** 2).mean(0))[:, None])[:, 0],
        "moving_length": both_sides(np.median([part.std(0) for part in moving_length], axis=0)[:, None])[:, 0],
        "frequencies": FREQUENCIES,
        "power": spectrum([part @ vectors[:, ::-1][:, :COMPONENTS] for part in moving], clips),
        "power_rest": spectrum([part @ vectors[:, ::-1][:, COMPONENTS:] for part in moving], clips),
        "exchanged": exchanged_frames / frames,
    }
    return {
        key: np.round(value, 4).tolist() if not isinstance(value, (int, list)) else value
        for key, value in table.items()
    }


def both_sides(values):
    """Sizes [J-1, n] with those of left and right joints made one."""
    mirror = np.array(LAYOUT.mirror)[1:] - 1
    return np.sqrt((values**2 + values[mirror] ** 2) / 2)


def spectrum(parts, clips):
    """The power density at FREQUENCIES of channels [T, n] a clip, all together, of sum 1 over the frequencies."""
    total = np.zeros(len(FREQUENCIES))
    for part, (_, _, fps) in zip(parts, clips):
        if len(part) >= 32:
            frequencies, power = welch(part, fps, nperseg=min(len(part), int(4 * fps)), axis=0, detrend="constant")
            power = np.interp(FREQUENCIES, frequencies[1:], power[1:].sum(1), right=0)
            total += len(part) / fps * power / max(part.var(0).sum(), 1e-12)
    return total / total.sum()


def describe(clips):
    """The rows of the check: what README-manybody tells of errors, {name: number}."""
    sums = {"RMS (mm)": [], "constant": [], "moving": [], "step": []}
    shares, correlations, deviations, all_moving = [], [], [], []
    parents = np.array(LAYOUT.parents)
    for detected, truth, _ in clips:
        error = (detected - truth)[:, 1:]
        moving = error - error.mean(0)
        all_moving.append(moving.reshape(len(moving), -1))
        for name, part in zip(sums, (error, error.mean(0)[None], moving, np.diff(error, axis=0))):
            sums[name].append((part**2).sum(-1).mean())
        full = detected - truth
        full = full - full.mean(0)
        for joint in range(1, LAYOUT.size):
            if parents[joint] > 0:
                a, b = full[:, joint].ravel(), full[:, parents[joint]].ravel()
                correlations.append(a @ b / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-9))
        power = np.abs(np.fft.rfft(moving, axis=0)) ** 2
        frequencies = np.fft.rfftfreq(len(moving), 1 / 30)
        shares.append(power[frequencies > 5].sum() / max(power.sum(), 1e-12))
        deviations.append(directions(bones(detected))[1].std(0))
    values = np.linalg.eigvalsh(np.cov(np.concatenate(all_moving).T))[::-1]
    return {
        **{name: 1000 * np.sqrt(np.mean(part)) for name, part in sums.items()},
        "share above 5 Hz (%)": 100 * np.mean(shares),
        "correlation with the parent": np.median(correlations),
        "components for half": int(np.searchsorted(np.cumsum(values) / values.sum(), 0.5)) + 1,
        "bone's deviation (mm)": 1000 * np.median(np.array(deviations)),
    }


def check(data, table):
    """Print `describe` of each estimator's pairs beside errors drawn on the same truth."""
    for name, folder in SETS.items():
        clips = pairs(data, folder)
        truth = np.concatenate([real for _, real, _ in clips]).reshape(-1, 3 * LAYOUT.size)
        lengths = [len(real) for _, real, _ in clips]
        drawn = estimator_noise.draw(
            truth, lengths, LAYOUT, np.random.default_rng(0), sizes=np.ones(len(lengths)), tables={name: table[name]}
        )
        drawn = np.split(drawn.reshape(-1, LAYOUT.size, 3), np.cumsum(lengths)[:-1])
        real, ours = describe(clips), describe([(seen, clip[1], clip[2]) for seen, clip in zip(drawn, clips)])
        print(f"\n| {name} | real | drawn |\n| --- | ---: | ---: |")
        for row, value in real.items():
            print(f"| {row} | {value:.2f} | {ours[row]:.2f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder that holds poses/ and the lists of clips (*.json)")
    parser.add_argument("--check", action="store_true", help="compare drawn errors with the real ones; writes nothing")
    args = parser.parse_args()
    if args.check:
        check(args.data, estimator_noise.tables())
        return
    table = {name: measure(pairs(args.data, folder)) for name, folder in SETS.items()}
    with atomic_write(estimator_noise.TABLES) as temporary:
        Path(temporary).write_text(json.dumps(table) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
