"""Time of one live step: full-size networks, window 8, 17 joints, one thread, for one person and for ten.

    OMP_NUM_THREADS=1 python -m benchmarks.live            # about half a minute on an idle machine

Prints p50 and p99 of a step in ms, the median of three runs each, from the frame that comes in to the pose that goes out.
The bars (p99 <= 4 ms for one person, <= 12 ms for ten) are meant for an idle machine; the load is printed.

    python -m benchmarks.live --accuracy CHECKPOINT[,CHECKPOINT] --data data/poses/bn_sim_3D

Accuracy against lag on a 3D test split instead: MPJPE and Accel (unpadded) in mm, root-relative, over all frames, of each
checkpoint at lags 0 to W-1 and of One-Euro, as a stream of that lag gives them (`Refiner(lag=L)`).
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from lib.models import checkpoints
from lib.models.residual import ResidualSynSP
from lib.models.smoothnet import SmoothNet
from lib.models.synsp import SynSP
from lib.poses.representation import representation
from lib.poses.skeletons import LAYOUTS
from lib.tracks.refiner import Refiner
from lib.windows.canonical import pairs_of
from lib.windows.recipe import Recipe

BARS = {1: 4.0, 10: 12.0}


def random_checkpoint(folder, network, name, canonical=False):
    """A full-size network of random weights, as a checkpoint of H36M-17 joints in metres."""
    layout = LAYOUTS["h36m17"]
    pairs = pairs_of(layout, representation("3D")) if canonical else ()
    recipe = Recipe(kind="3D", joints=layout.joints, fps=30.0, canonical=canonical, pairs=pairs)
    content = {
        "model": network.described(),
        "state_dict": network.state_dict(),
        "recipe": recipe.as_dict(),
        "data": {
            "layout": {"name": layout.name, "joints": list(layout.joints), "edges": [], "root": [0]},
            "sources": [],
        },
    }
    path = Path(folder) / f"{name}.pth.tar"
    checkpoints.save(path, content)
    return path


def steps(method, checkpoint, people, lag, frames):
    """Seconds of each step of a stream of random walks."""
    poses = np.cumsum(np.random.default_rng(0).normal(0, 0.005, (frames, people, 17, 3)), axis=0)
    poses += np.random.default_rng(1).normal(0, 0.4, (1, people, 17, 3))
    for middle, sides in ((0, (1, 4)), (8, (11, 14))):  # as a body in Human3.6M order has it
        poses[:, :, middle] = poses[:, :, sides].mean(axis=2)
    stream = Refiner(method, checkpoint, fps=30, lag=lag).stream()
    times = []
    for frame in poses:
        begun = time.perf_counter()
        stream.step(frame[0] if people == 1 else frame)
        times.append(time.perf_counter() - begun)
    return np.array(times[30:])


def accuracy(methods, folder):
    """Print MPJPE and Accel of each method at each lag on the test split in `folder`."""
    from lib.dataset import storage

    folder = Path(folder)
    truth, detected = (
        storage.read(next((folder / part).glob("*_test.npz")))["joints_3d"] for part in ("groundtruth", "detected")
    )
    print(f"{folder.name} test, {sum(map(len, truth))} frames\n{'method':<44}{'lag':>4}{'MPJPE':>8}{'Accel':>8}")
    for method in ["none", "oneeuro", *methods]:
        live_lags = range(8) if method in methods else [None]
        for lag in live_lags:
            refine, errors, accels = Refiner(method, fps=30, lag=lag), [], []
            for right, poses in zip(truth, detected):
                frames = min(len(right), len(poses))
                right, poses = (values[:frames].reshape(frames, -1, 3) for values in (right, poses))
                off = refine(poses) - right
                off = off - off[:, :1]
                errors.append(np.linalg.norm(off, axis=-1).mean(axis=1))
                accels.append(np.linalg.norm(np.diff(off, n=2, axis=0), axis=-1).mean(axis=1))
            scores = (1000 * np.concatenate(values).mean() for values in (errors, accels))
            print(
                f"{'input' if method == 'none' else str(method)[-43:]:<44}{'' if lag is None else lag:>4}"
                + "".join(f"{score:>8.2f}" for score in scores)
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=500)
    parser.add_argument("--lag", type=int, default=3)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--accuracy", metavar="CHECKPOINTS", help="a comma list: accuracy against lag instead of time")
    parser.add_argument("--data", default="data/poses/bn_sim_3D", help="folder with groundtruth/ and detected/")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.accuracy:
        return accuracy(args.accuracy.split(","), args.data)
    torch.manual_seed(0)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, one thread, window 8, lag {args.lag}")
    print(f"{'network':<18}{'people':>7}{'p50 ms':>9}{'p99 ms':>9}{'bar':>7}")
    with tempfile.TemporaryDirectory() as folder:
        for name, method, network, canonical in (
            ("SynSP, published", "synsp", SynSP(51), False),
            ("SynSP, ours", "synsp", ResidualSynSP(51, residual_components=2, cue=True), True),
            ("SmoothNet", "smoothnet", SmoothNet(8), False),
        ):
            checkpoint = random_checkpoint(folder, network, name, canonical)
            for people, bar in BARS.items():
                runs = [steps(method, checkpoint, people, args.lag, args.frames) * 1000 for _ in range(args.runs)]
                middle, worst = (np.median([np.percentile(run, share) for run in runs]) for share in (50, 99))
                print(f"{name:<18}{people:>7}{middle:>9.2f}{worst:>9.2f}{bar:>7.1f}")


if __name__ == "__main__":
    main()
