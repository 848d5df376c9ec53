"""Motion from files: joints, cuts and mirrors."""

import re

import numpy as np
import pytest

from lib.errors import UserError
from lib.files import write_npz
from lib.formats import bvh
from lib.poses.skeletons import LAYOUTS

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


def limb(rotations, start, end):
    """Direction [3] of a bone of the average body in the first frame."""
    _, joints = body.pose(body.average(), rotations, np.zeros((len(rotations), 3)))
    bone = joints[0, body.JOINTS.index(end)] - joints[0, body.JOINTS.index(start)]
    return bone / np.linalg.norm(bone)


@pytest.mark.parametrize("turn", [(0, 0, 0), (np.pi, 0, 0), (np.pi / 2, 0, 0)], ids=["y up", "y down", "AMASS: z up"])
def test_smpl_rotations_bend_the_same_limbs(tmp_path, turn):
    poses = np.zeros((40, 24, 3))
    poses[:, 0] = turn
    poses[:, 18, 1] = -np.pi / 2  # the left elbow, about the vertical: the forearm points ahead
    poses[:, 4, 0] = np.pi / 2  # the left knee: the shank points back
    write_npz(
        tmp_path / "walk.npz",
        {"poses": poses.reshape(40, 72), "trans": np.zeros((40, 3)), "betas": np.zeros(10), "mocap_framerate": 120.0},
    )
    (read,) = motion_files.read(tmp_path / "walk.npz")
    assert read.fps == 120
    for start, end, expected in (
        ("left_shoulder", "left_elbow", (1, 0, 0)),
        ("left_elbow", "left_wrist", (0, 0, 1)),
        ("right_elbow", "right_wrist", (-1, 0, 0)),
        ("right_knee", "right_ankle", (-0.05, -1, 0)),
        ("left_knee", "left_ankle", (0.05, 0, -1)),
        ("pelvis", "thorax", (0, 1, 0)),
    ):
        assert limb(read.rotations, start, end) @ expected / np.linalg.norm(expected) > np.cos(np.radians(12)), end


def test_a_bvh_file_of_our_own_gives_back_its_motion(walking, tmp_path):
    layout = LAYOUTS["h36m17"]
    person = body.average()
    _, joints = body.pose(person, walking.rotations, walking.roots * person.leg)
    offsets, rotations, places = bvh.of_joints(joints * motion_files.FLIP, layout)
    bvh.write(tmp_path / "walk.bvh", layout, offsets, rotations, places, 30.0)
    (read,) = motion_files.read(tmp_path / "walk.bvh")
    assert read.fps == pytest.approx(30, rel=1e-4) and read.subject == "walk"
    _, made = body.pose(person, read.rotations, read.roots * person.leg)
    assert angles(joints, made) < 8


MIXAMO = """HIERARCHY
ROOT mixamorig:Hips
{ OFFSET 0 0 0 CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
JOINT mixamorig:Spine { OFFSET 0 20 0 CHANNELS 3 Zrotation Xrotation Yrotation
JOINT mixamorig:Neck { OFFSET 0 35 0 CHANNELS 3 Zrotation Xrotation Yrotation
JOINT mixamorig:Head { OFFSET 0 10 0 CHANNELS 3 Zrotation Xrotation Yrotation End Site { OFFSET 0 20 0 } } }
JOINT mixamorig:LeftShoulder { OFFSET 5 30 0 CHANNELS 3 Zrotation Xrotation Yrotation
JOINT mixamorig:LeftArm { OFFSET 12 0 0 CHANNELS 3 Zrotation Xrotation Yrotation
JOINT mixamorig:LeftForeArm { OFFSET 28 0 0 CHANNELS 3 Zrotation Xrotation Yrotation
JOINT mixamorig:LeftHand { OFFSET 25 0 0 CHANNELS 3 Zrotation Xrotation Yrotation End Site { OFFSET 8 0 0 } } } } }
JOINT mixamorig:RightShoulder { OFFSET -5 30 0 CHANNELS 3 Zrotation Xrotation Yrotation
JOINT mixamorig:RightArm { OFFSET -12 0 0 CHANNELS 3 Zrotation Xrotation Yrotation
JOINT mixamorig:RightForeArm { OFFSET -28 0 0 CHANNELS 3 Zrotation Xrotation Yrotation
JOINT mixamorig:RightHand { OFFSET -25 0 0 CHANNELS 3 Zrotation Xrotation Yrotation End Site { OFFSET -8 0 0 } } } } } }
JOINT mixamorig:LeftUpLeg { OFFSET 9 -5 0 CHANNELS 3 Zrotation Xrotation Yrotation
JOINT mixamorig:LeftLeg { OFFSET 0 -40 0 CHANNELS 3 Zrotation Xrotation Yrotation
JOINT mixamorig:LeftFoot { OFFSET 0 -40 0 CHANNELS 3 Zrotation Xrotation Yrotation End Site { OFFSET 0 -5 12 } } } }
JOINT mixamorig:RightUpLeg { OFFSET -9 -5 0 CHANNELS 3 Zrotation Xrotation Yrotation
JOINT mixamorig:RightLeg { OFFSET 0 -40 0 CHANNELS 3 Zrotation Xrotation Yrotation
JOINT mixamorig:RightFoot { OFFSET 0 -40 0 CHANNELS 3 Zrotation Xrotation Yrotation End Site { OFFSET 0 -5 12 } } } } }
MOTION
Frames: 2
Frame Time: 0.02
"""


def mixamo(tmp_path, **turns):
    """A file of two equal frames with rotations {joint: (z, x, y)} in degrees."""
    names = re.findall(r"(?:ROOT|JOINT) mixamorig:(\w+)", MIXAMO)
    row = [0, 100, 0] + [angle for name in names for angle in turns.get(name, (0, 0, 0))]
    line = " ".join(map(str, row)) + "\n"
    path = tmp_path / "dance.bvh"
    path.write_text(MIXAMO + line + line)
    return path


def test_a_bvh_file_as_animation_programs_write_it(tmp_path):
    (read,) = motion_files.read(mixamo(tmp_path, LeftForeArm=(0, 0, -90), RightLeg=(0, 90, 0)))
    assert read.fps == pytest.approx(50)
    for start, end, expected in (
        ("left_shoulder", "left_elbow", (1, 0, 0)),
        ("left_elbow", "left_wrist", (0, 0, 1)),
        ("right_knee", "right_ankle", (0, 0, -1)),
        ("left_knee", "left_ankle", (0, -1, 0)),
        ("pelvis", "thorax", (0, 1, 0)),
    ):
        assert limb(read.rotations, start, end) @ expected > np.cos(np.radians(12)), end
    nose, head = (
        body.pose(body.average(), read.rotations, np.zeros((2, 3)))[1][0, body.JOINTS.index(one)]
        for one in ("nose", "head")
    )
    assert nose[2] > head[2]  # it looks ahead


def test_a_bvh_file_without_legs_is_refused(tmp_path):
    path = mixamo(tmp_path)
    path.write_text(path.read_text().replace("LeftLeg", "Wheel"))
    with pytest.raises(UserError, match="no left_knee among its joints"):
        motion_files.read(path)
    path.write_text("HIERARCHY\nROOT hips\n{ OFFSET 0 0")
    with pytest.raises(UserError, match="cannot be read as a motion file"):
        motion_files.read(path)
