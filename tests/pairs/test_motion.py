"""Motion from files: joints, cuts and mirrors."""

import numpy as np
import pytest

from lib.errors import UserError
from lib.files import write_npz

pytest.importorskip("anny")
from lib.pairs import body, motion, motion_files  # noqa: E402

BONES = (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))
pytestmark = pytest.mark.slow  # Anny takes seconds to load, and two minutes on a new machine


def angles(one, other):
    """Degrees between the limbs' bones of two sequences of joints, at most."""
    worst = 0.0
    for side in ("left", "right"):
        for start, end in BONES:
            start, end = (body.JOINTS.index(f"{side}_{name}") for name in (start, end))
            first, second = (
                (joints[:, end] - joints[:, start])
                / np.linalg.norm(joints[:, end] - joints[:, start], axis=-1, keepdims=True)
                for joints in (one, other)
            )
            worst = max(worst, np.degrees(np.arccos(np.clip((first * second).sum(-1), -1, 1))).max())
    return worst


@pytest.fixture(scope="module")
def walking():
    return motion_files.shipped("train")[0]


def test_joints_give_back_the_motion_that_made_them(walking, tmp_path):
    person = body.average()
    _, joints = body.pose(person, walking.rotations, walking.roots * person.leg)
    poses = np.empty(1, object)
    poses[0] = (joints * motion_files.FLIP).reshape(len(joints), -1)
    write_npz(tmp_path / "poses.npz", {"joints_3d": poses})
    (again,) = motion_files.read(tmp_path / "poses.npz")
    _, made = body.pose(person, again.rotations, again.roots * person.leg)
    assert angles(joints, made) < 5
    assert again.licence == motion_files.UNKNOWN
    np.testing.assert_allclose(np.linalg.det(again.rotations), 1)


def test_a_piece_has_the_length_and_speed_that_is_asked_for(walking):
    whole, roots = motion.cut(walking, np.random.default_rng(1), 60, 60)
    half, half_roots = motion.cut(walking, np.random.default_rng(1), 30, 30)
    assert whole.shape[0] == 61 and half.shape[0] == 31
    np.testing.assert_allclose(roots[::2], half_roots, atol=1e-9)
    np.testing.assert_allclose(whole[::2], half, atol=1e-6)
    with pytest.raises(UserError, match="a clip takes 10.00 s"):
        motion.cut(walking, np.random.default_rng(1), 300, 30)


def test_a_mirror_swaps_left_and_right(walking):
    person = body.average()
    plain, mirrored = (
        body.pose(person, *motion.cut(walking, np.random.default_rng(1), 10, 30, mirrored=flag))[1]
        for flag in (False, True)
    )
    swap = [body.JOINTS.index(_other(name)) for name in body.JOINTS]
    np.testing.assert_allclose(mirrored, plain[:, swap] * [-1, 1, 1], atol=5e-3)  # bodies are symmetric to some mm


def _other(name):
    sides = {"left": "right", "right": "left"}
    side, _, rest = name.partition("_")
    return f"{sides[side]}_{rest}" if side in sides else name


def test_other_files_are_refused(tmp_path):
    write_npz(tmp_path / "poses.npz", {"joints_3d": _short()})
    with pytest.raises(UserError, match=r"sequence 0 is \[3, 42\], not 51"):
        motion_files.read(tmp_path / "poses.npz")
    with pytest.raises(UserError, match="no motion that is read here"):
        motion_files.read(tmp_path / "walk.fbx")


def _short():
    poses = np.empty(1, object)
    poses[0] = np.zeros((3, 42))
    return poses
