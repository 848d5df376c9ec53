"""What tests of several rooms share: the shipped motion in every published joint order, and small sets written of it."""

from pathlib import Path

import numpy as np
import pytest
import torch

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "data" / "poses" / "mocap_noise_3D"

# Places in h36m17 of the joints of the other orders, worked out by hand from the joint names of SPEC 2.
ORDERS = {
    "h36m17": list(range(17)),
    "h36m16": [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15, 16],
    "lsp14": [3, 2, 1, 4, 5, 6, 16, 15, 14, 11, 12, 13, 8, 10],
    # The SMPL regressor's order: 1-3 the left leg, 4-6 the right.
    "regressor17": [0, 4, 5, 6, 1, 2, 3, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
    "mpi17": [10, 8, 14, 15, 16, 11, 12, 13, 1, 2, 3, 4, 5, 6, 0, 7, 9],
    # mpi17 by [13,12,11,8,9,10,7,6,5,2,3,4,1,0].
    "aist14": [6, 5, 4, 1, 2, 3, 13, 12, 11, 14, 15, 16, 8, 10],
    "jhmdb15": [8, 7, 9, 14, 11, 1, 4, 15, 12, 2, 5, 16, 13, 3, 6],
}


@pytest.fixture(autouse=True)
def one_thread():
    """Sums in one order, so that runs can be compared to the bit (also with a run in another process)."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def root():
    """The repository's root."""
    return ROOT


@pytest.fixture(scope="session")
def motion():
    """The shipped motion as a list of [T, 17, 3] metres, h36m17, pelvis at 0: 10 training clips, then 5 test clips."""
    clips = []
    for split in ("train", "test"):
        with np.load(SAMPLE / "groundtruth" / f"mocap_gt_3D_{split}.npz", allow_pickle=True) as stored:
            clips += [clip.reshape(len(clip), 17, 3) for clip in stored["joints_3d"]]
    return clips


def objects(values):
    """An object array with one element a sequence, as the published files have."""
    array = np.empty(len(values), dtype=object)
    for index, value in enumerate(values):
        array[index] = value
    return array


def truth_of(clip, representation, order):
    """A clip [T, 17, 3] as {key: array of one sequence}, as the published ground truth has it."""
    frames = len(clip)
    if representation == "3D":
        return {"joints_3d": clip[:, ORDERS[order]].reshape(frames, -1)}
    if representation == "2D":
        points = clip[..., :2] / (clip[..., 2:] + 5) * 1145 + 512
        return {"joints_2d": points[:, ORDERS[order]].reshape(frames, -1).astype(np.float32)}
    # Limbs that swing about the pose of a T, seen from the front: turned by nearly pi about x.
    swing = np.sin(np.arange(frames)[:, None] / 6 + np.arange(72)) * 0.3
    swing[:, :3] = [3.0, 0.1, 0.1]
    swing[:, 66:] = 0
    return {"pose": swing.astype(np.float32), "shape": np.full((frames, 10), 0.1, np.float32)}


@pytest.fixture
def write_set(tmp_path, motion):
    """A function that writes a small set in the published layout and returns DATASET.BASE_DIR.

    write_set(dataset, estimator, representation, order="h36m17", splits=("train", "test"), clips=3, change=None):
    `clips` clips of the sample's motion a split, train from the first ones and test from the last. Detections are
    the truth plus white noise of 30 mm, 5 px or 0.1 rad. change(split, kind, data) may alter `data`
    ({key: list of one array a sequence}) in place before it is written; kind is "groundtruth" or "detected".
    """

    def write(dataset, estimator, representation, order="h36m17", splits=("train", "test"), clips=3, change=None):
        base = tmp_path / "poses"
        folder = base / f"{dataset}_{estimator}_{representation}"
        for split in splits:
            chosen = motion[-clips:] if split == "test" else motion[:clips]
            rng = np.random.default_rng(len(split))
            parts = [truth_of(clip, representation, order) for clip in chosen]
            truth = {key: [part[key] for part in parts] for key in parts[0]}
            truth["imgname"] = [
                np.array([f"{split}{index}.camera1/{frame:06d}" for frame in range(len(clip))])
                for index, clip in enumerate(chosen)
            ]
            noise = {"joints_3d": 0.03, "joints_2d": 5.0, "pose": 0.1}
            detected = {
                key: [
                    value + rng.normal(0, noise[key], value.shape).astype(np.float32) if key in noise else value
                    for value in values
                ]
                for key, values in truth.items()
            }
            if dataset == "jhmdb":
                truth["bbox"] = [np.tile(np.float32([300, 200, 700, 800]), (len(clip), 1)) for clip in chosen]
                truth["imgshape"] = [np.array([1000, 1024, 3]) for _ in chosen]
            if dataset == "aist" and representation == "smpl":
                del truth["shape"]
                truth["trans"] = [np.ones((len(clip), 3), np.float32) for clip in chosen]
                truth["scaling"] = [np.full((len(clip), 1), 90, np.float32) for clip in chosen]
            for kind, name, data in (
                ("groundtruth", f"{dataset}_gt", truth),
                ("detected", f"{dataset}_{estimator}", detected),
            ):
                if change is not None:
                    change(split, kind, data)
                (folder / kind).mkdir(parents=True, exist_ok=True)
                np.savez(
                    folder / kind / f"{name}_{representation}_{split}.npz",
                    **{key: value if isinstance(value, np.ndarray) else objects(value) for key, value in data.items()},
                )
        return base

    return write
