"""What tests of the evaluation share: its command on the sample, and small sets of their own."""

import json
from pathlib import Path

import numpy as np
import pytest

from lib.command_line import Request
from lib.commands import evaluate as evaluate_command
from lib.dataset import storage

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "tests" / "reference"
SYNSP, SMOOTHNET = REFERENCE / "format_1.pth.tar", REFERENCE / "smoothnet_random.pth.tar"
SHARED = ROOT.parent / "shared"
SAMPLE = [
    "--dataset_name",
    "mocap",
    "--estimator",
    "noise",
    "--body_representation",
    "3D",
    "DEVICE",
    "cpu",
    "DATASET.BASE_DIR",
    str(ROOT / "data" / "poses"),
]
NAMES = ("mpjpe", "pampjpe", "accel", "mpjpe_top1", "accel_top1")


@pytest.fixture
def evaluate(tmp_path):
    """A function (*words of a command line) -> (what metrics.json holds, the run's folder)."""

    def run(*words):
        before = set(tmp_path.glob("results/*"))
        arguments = [*SAMPLE, "OUTPUT_DIR", tmp_path / "results", *words]
        results = evaluate_command.evaluate(Request("eval", list(map(str, arguments))))
        (folder,) = set(tmp_path.glob("results/*")) - before
        assert json.loads((folder / "metrics.json").read_text()) == json.loads(json.dumps(results))
        return results, folder

    return run


def sample(kind):
    """The test sequences of the sample, [T, 17, 3] metres each."""
    base = ROOT / "data" / "poses" / "mocap_noise_3D"
    path = {
        "truth": base / "groundtruth" / "mocap_gt_3D_test.npz",
        "input": base / "detected" / "mocap_noise_3D_test.npz",
    }[kind]
    return [np.asarray(values, np.float64).reshape(len(values), 17, 3) for values in storage.read(path)["joints_3d"]]


def write_set(base, name, pairs, key="joints_3d", split="test", images=None, **more):
    """A data set of (truth, detected) pairs."""
    dataset, estimator, rep = name.split("_")
    images = images or [
        np.array([f"clip{k}/{frame:06d}.jpg" for frame in range(len(t))]) for k, (t, _) in enumerate(pairs)
    ]
    storage.write(
        base / name / "groundtruth" / f"{dataset}_gt_{rep}_{split}.npz",
        {"imgname": images, key: [np.asarray(t, np.float32) for t, _ in pairs], **more},
    )
    storage.write(
        base / name / "detected" / f"{name}_{split}.npz",
        {"imgname": images, key: [np.asarray(d, np.float32) for _, d in pairs]},
    )


def walk(frames, channels=51, seed=0):
    """A truth that moves smoothly, and a noisy detection of it, metres."""
    rng = np.random.default_rng([seed, frames])
    truth = rng.normal(0, 0.3, channels) + 0.1 * np.sin(np.arange(frames)[:, None] / 7 + rng.uniform(0, 6, channels))
    return truth, truth + rng.normal(0, 0.03, truth.shape)
