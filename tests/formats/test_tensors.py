"""PyTorch's tensors in pickles and object .npy files, and TRAM's, which are such: read without executing anything."""

import pickle

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from lib.errors import UserError
from lib.formats import joblib_file, registry
from tests.formats.test_body_outputs import rotations
from tests.formats.walker import FRAMES, walk


def tram(**changes):
    """What estimate_humans.py saves of a person: tensors on the CPU, a break in its frames."""
    matrices = Rotation.from_rotvec(rotations(24).reshape(-1, 3)).as_matrix().reshape(FRAMES, 24, 3, 3)
    columns = 1.7 * matrices[..., :2].swapaxes(-1, -2)  # 6D as the network gives it: not of unit length
    frames = np.r_[np.arange(4, 14), np.arange(20, 34)]
    content = {
        "pred_cam": torch.ones(FRAMES, 3),
        "pred_pose": torch.from_numpy(columns.reshape(FRAMES, 144)).float(),
        "pred_shape": torch.zeros(FRAMES, 10),
        "pred_rotmat": torch.from_numpy(matrices).float(),
        "pred_trans": torch.arange(3.0 * FRAMES).reshape(FRAMES, 1, 3),
        "frame": torch.from_numpy(frames),
    }
    return content | changes


def saved(folder, content):
    np.save(folder / "hps_track_0.npy", content)
    return folder / "hps_track_0.npy"


def test_tram(tmp_path):
    content = tram()
    pose_file = registry.read(saved(tmp_path, content))
    (track,) = pose_file.tracks
    assert (pose_file.format, track.kind, track.layout, track.start, len(track.poses)) == (
        "tram",
        "smpl",
        "smpl24",
        4,
        30,
    )
    assert np.flatnonzero(~track.present).tolist() == list(range(10, 16)) and np.isnan(track.poses[12]).all()
    np.testing.assert_allclose(track.poses[track.present], rotations(24), atol=1e-5)
    np.testing.assert_allclose(track.translation[track.present], content["pred_trans"][:, 0])
    new = [0.9 * track.poses]
    assert registry.write(pose_file, new, tmp_path / "out.npy", translations=[track.translation + 1]) == []
    out = np.load(tmp_path / "out.npy", allow_pickle=True).item()
    assert list(out) == list(content) and all(type(value) is torch.Tensor for value in out.values())
    for key, value in content.items():
        assert (out[key].dtype, out[key].shape) == (value.dtype, value.shape)
        assert torch.equal(out[key], value) == (key in ("pred_cam", "pred_shape", "frame"))
    turned = Rotation.from_matrix(out["pred_rotmat"].numpy().reshape(-1, 3, 3)).as_rotvec().reshape(FRAMES, 24, 3)
    np.testing.assert_allclose(turned, 0.9 * rotations(24), atol=1e-5)
    np.testing.assert_allclose(out["pred_pose"].reshape(FRAMES, 24, 2, 3), out["pred_rotmat"][..., :2].mT, atol=1e-6)
    np.testing.assert_allclose(out["pred_trans"], content["pred_trans"] + 1)


def test_tram_of_another_6d(tmp_path):
    """Numbers that are not the rotations' would no longer fit: they go, and are named."""
    pose_file = registry.read(saved(tmp_path, tram(pred_pose=torch.ones(FRAMES, 144) + torch.arange(144.0))))
    poses = pose_file.tracks[0].poses
    assert registry.write(pose_file, [0.9 * poses], tmp_path / "out.npy") == ["pred_pose"]
    assert registry.write(pose_file, [poses], tmp_path / "same.npy") == []
    assert np.load(tmp_path / "same.npy", allow_pickle=True).item()["pred_pose"].shape == (FRAMES, 144)


@pytest.mark.parametrize("name", ["poses.npy", "poses.pkl"])
def test_tensors_by_name(tmp_path, name):
    """People's own dumps: a dict with a tensor of positions in it."""
    content = {"keypoints": torch.from_numpy(walk(3, 1.7)), "fps": 50, "note": "a"}
    path = tmp_path / name
    np.save(path, content) if path.suffix == ".npy" else path.write_bytes(pickle.dumps(content))
    pose_file = registry.read(path)
    assert pose_file.format == "pkl"
    np.testing.assert_allclose(pose_file.tracks[0].poses, walk(3, 1.7))
    registry.write(pose_file, [pose_file.tracks[0].poses + 1], tmp_path / f"out_{name}")
    out = np.load(tmp_path / f"out_{name}", allow_pickle=True)
    out = out.item() if path.suffix == ".npy" else out
    assert type(out["keypoints"]) is torch.Tensor and (out["fps"], out["note"]) == (50, "a")
    np.testing.assert_allclose(out["keypoints"], walk(3, 1.7) + 1)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.arange(24.0).reshape(4, 6).T,
        torch.arange(24.0)[5:11],
        torch.arange(3, dtype=torch.int64),
        torch.tensor(2.5),
        torch.zeros(0, 3),
        torch.ones(3, dtype=torch.float16),
        torch.tensor([True, False]),
    ],
    ids=["transposed", "a part of its storage", "whole numbers", "one number", "none", "half", "bool"],
)
def test_every_tensor_is_the_same_again(tmp_path, tensor):
    found = joblib_file.load(pickle.dumps({"a": tensor}), "x")["a"]
    assert isinstance(found, np.ndarray) and found.dtype == tensor.numpy().dtype
    np.testing.assert_array_equal(found, tensor.numpy())
    joblib_file.dump(tmp_path / "out.pkl", {"a": found})
    again = pickle.loads((tmp_path / "out.pkl").read_bytes())["a"]
    assert torch.equal(again, tensor) and again.dtype == tensor.dtype


class Forged:
    """A pickle that calls `function(*args)`."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


STORAGE = torch.arange(6.0).__reduce_ex__(4)[1][0].__reduce__()[1][0]  # the bytes of six numbers


def rebuilt(shape, stride, offset=0, storage=None):
    storage = Forged(torch.storage._load_from_bytes, STORAGE) if storage is None else storage
    return Forged(torch._utils._rebuild_tensor_v2, storage, offset, shape, stride, False, {})


@pytest.mark.parametrize(
    "forged",
    [
        rebuilt((7,), (1,)),
        rebuilt((6,), (1,), 1),
        rebuilt((2, 3), (4, 1)),
        rebuilt((2**30,), (0,)),
        rebuilt((-6,), (1,)),
        rebuilt((6,), (-1,)),
        rebuilt((6.0,), (1,)),
        rebuilt((6,), (1, 1)),
        rebuilt((6,), (1,), storage=[1, 2]),
        rebuilt((6,), (1,), storage=np.array([None] * 6)),
        Forged(torch.storage._load_from_bytes, pickle.dumps(Forged(print, "executed"))),
        Forged(torch.storage._load_from_bytes, pickle.dumps([1.0])),
        Forged(torch.storage._load_from_bytes, "text"),
        Forged(print, "executed"),
        torch.nn.Parameter(torch.ones(2)),
    ],
)
def test_forged_tensors_are_refused(tmp_path, forged, capfd):
    np.save(tmp_path / "hps.npy", {"pred_rotmat": forged})
    with pytest.raises(UserError, match="hps.npy.*(refused|damaged)"):
        registry.read(tmp_path / "hps.npy")
    assert "executed" not in capfd.readouterr().out


def test_an_object_array_of_something_else_is_described(tmp_path):
    np.save(tmp_path / "camera.npy", {"pred_cam_R": torch.eye(3), "img_focal": 1000.0})
    with pytest.raises(UserError, match=r"\.npy of Python objects: .*pred_cam_R.*array \[3, 3\]"):
        registry.read(tmp_path / "camera.npy")
