"""Peak memory of training on a million frames of 17 joints in float32, at batch 256.

    python -m benchmarks.memory [FRAMES]

Writes a set of that size into a temporary folder, trains a few batches with train_smoothnet.py in a process of
its own, validation included, and prints the peak of its resident memory: for stored detections and for those drawn
from the truth.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
BAR_GB = 2.0
FRAMES_A_SEQUENCE = 1000
COMMAND = [
    "train_smoothnet.py",
    "--body_representation",
    "3D",
    "DEVICE",
    "cpu",
    "DEBUG",
    "True",
    "TRAIN.EPOCH",
    "1",
    "TRAIN.BATCH_SIZE",
    "256",
]

STARTER = (
    "import resource, subprocess, sys; code = subprocess.call(sys.argv[1:]); "
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(code)"
)


def write_set(base, dataset, estimator, frames, rng):
    """A 3D set of `frames` frames as the published files are: object arrays, one name a frame."""
    folder = base / f"{dataset}_{estimator}_3D"
    sequences = np.array_split(np.arange(frames), max(1, frames // FRAMES_A_SEQUENCE))
    names = np.empty(len(sequences), dtype=object)
    poses = np.empty(len(sequences), dtype=object)
    for index, part in enumerate(sequences):
        names[index] = np.array([f"S1_Directions_{index:05d}.54138969/{frame:06d}" for frame in range(len(part))])
        poses[index] = rng.standard_normal((len(part), 51), dtype=np.float32) / 5
    for kind, name in (("groundtruth", f"{dataset}_gt"), ("detected", f"{dataset}_{estimator}")):
        (folder / kind).mkdir(parents=True)
        if kind == "groundtruth" or estimator != "noise":
            np.savez(folder / kind / f"{name}_3D_train.npz", imgname=names, joints_3d=poses)


def peak_gb(base, dataset, estimator):
    """Peak resident memory, in GB, of one short training run."""
    command = [
        sys.executable,
        *COMMAND,
        "--dataset_name",
        dataset,
        "--estimator",
        estimator,
        "DATASET.BASE_DIR",
        str(base),
        "OUTPUT_DIR",
        str(base / "results"),
    ]
    # Linux counts a process's peak from before its exec too, so a small process in between starts it.
    done = subprocess.run([sys.executable, "-c", STARTER, *command], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    return int(done.stdout.splitlines()[-1]) / 2**20 * (1 if sys.platform != "darwin" else 1 / 1024)


def measure(frames):
    """{what: GB} for a set of `frames` frames."""
    found = {}
    for what, dataset, estimator in (("stored detections", "large", "sim"), ("drawn detections", "large", "noise")):
        with tempfile.TemporaryDirectory() as folder:
            write_set(Path(folder), dataset, estimator, frames, np.random.default_rng(0))
            found[what] = peak_gb(Path(folder), dataset, estimator)
    return found


def main():
    parse = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parse.add_argument("frames", nargs="?", type=int, default=1_000_000)
    frames = parse.parse_args().frames
    for what, gigabytes in measure(frames).items():
        print(
            f"training on {frames:,} frames of 51 channels, {what}: {gigabytes:.2f} GB resident at its peak "
            f"(bar {BAR_GB:.0f} GB)"
        )


if __name__ == "__main__":
    main()
