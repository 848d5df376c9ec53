"""Scoring 60 sequences of 200 frames, PA-MPJPE included, against loops over frames. The network's time is not in it.

    python -m benchmarks.evaluation

Ours is the evaluator itself; the loop takes the same metrics of the same frames one by one, and is spared what else the evaluator
reports (bootstrap intervals, means of each joint and sequence, how much of the motion is kept). One thread.
"""

import numpy as np
import torch

from benchmarks.measuring import Row, best, interleaved, show
from lib import config
from lib.dataset.catalog import Source
from lib.dataset.sequences import Recording, Sequence, Split
from lib.evaluation.evaluator import score_split
from lib.evaluation.methods import InputMethod
from lib.poses.representation import Joints3D
from lib.poses.skeletons import LAYOUTS

SEQUENCES, FRAMES = 60, 200
BAR = 20


def split():
    """Random walks and noisy detections of them, H36M-17, metres."""
    rng = np.random.default_rng(0)
    recordings = []
    for k in range(SEQUENCES):
        truth = (rng.normal(0, 0.3, 51) + rng.normal(0, 0.01, (FRAMES, 51)).cumsum(0)).astype(np.float32)
        detected = truth + rng.normal(0, 0.04, truth.shape).astype(np.float32)
        recordings.append(Recording(f"sequence{k}", [Sequence(f"sequence{k}", detected, truth)]))
    return Split(Source("walk", "noise", "3D"), "test", LAYOUTS["h36m17"], Joints3D(), recordings)


def similarity_error(predicted, truth):
    """MPJPE of one pose [J, 3] after the best similarity transform."""
    p, t = predicted - predicted.mean(0), truth - truth.mean(0)
    u, s, vh = np.linalg.svd(p.T @ t)
    sign = np.ones(3)
    sign[-1] = np.sign(np.linalg.det(u @ vh))
    turned = p @ (u * sign) @ vh * ((s * sign).sum() / (p**2).sum())
    return np.linalg.norm(turned - t, axis=-1).mean()


def loop(pairs):
    """The means over the pooled frames of (detected, truth) [T, J, 3] mm, frame by frame: {metric: mean}."""
    thresholds = np.linspace(0, 150, 31)
    found = {name: [] for name in ("mpjpe", "pampjpe", "accel", "accel_unpadded", "jerk", "pck3d_150", "auc")}
    for predicted, truth in pairs:
        for t in range(len(truth)):
            p, q = predicted[t] - predicted[t, 0], truth[t] - truth[t, 0]
            errors = np.linalg.norm(p - q, axis=-1)
            found["mpjpe"].append(errors.mean())
            found["pampjpe"].append(similarity_error(p, q))
            found["pck3d_150"].append(100 * (errors <= 150).mean())
            found["auc"].append(100 * (errors[:, None] <= thresholds).mean())
            if 0 < t < len(truth) - 1:
                second = [
                    relative(poses, t + 1) - 2 * relative(poses, t) + relative(poses, t - 1)
                    for poses in (predicted, truth)
                ]
                found["accel"].append(np.linalg.norm(second[0] - second[1], axis=-1).mean())
                found["accel_unpadded"].append(found["accel"][-1])
            else:
                found["accel"].append(0.0)
            if t >= 3:
                third = (
                    relative(predicted, t)
                    - 3 * relative(predicted, t - 1)
                    + 3 * relative(predicted, t - 2)
                    - relative(predicted, t - 3)
                )
                found["jerk"].append(np.linalg.norm(third, axis=-1).mean())
    return {name: np.mean(values) for name, values in found.items()}


def relative(poses, t):
    return poses[t] - poses[t, 0]


def rows():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    data, cfg = split(), config.defaults()
    pairs = [[1000 * values.reshape(-1, 17, 3) for values in (view.detected, view.truth)] for view in data.sequences]
    (result, _), expected = score_split(data, [InputMethod()], cfg), loop(pairs)
    for name, value in expected.items():
        assert np.isclose(result["metrics"][f"input_{name}"], value, rtol=1e-4), (name, value)
    slow, ours = interleaved([lambda: loop(pairs), lambda: score_split(data, [InputMethod()], cfg)], rounds=4)
    torch.set_num_threads(threads)
    ratio = best(slow) / best(ours)
    return [
        Row(
            f"evaluation, {SEQUENCES} x {FRAMES} frames, with PA-MPJPE",
            f"{best(slow):.2f} s",
            f"{1e3 * best(ours):.0f} ms",
            ratio,
            f">= {BAR}x",
            ratio >= BAR,
        )
    ]


if __name__ == "__main__":
    show(rows())
