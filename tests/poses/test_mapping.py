from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from lib.dataset.storage import read_arrays
from lib.formats.tracks import JOINT_NAMES, joint_names, layout_of_names
from lib.poses import mapping, space
from lib.poses.skeletons import LAYOUTS

ROOT = Path(__file__).parents[2]

H36M = LAYOUTS["h36m17"].joints


@pytest.mark.parametrize("layout", ["mediapipe33", "coco17", "openpose25", "halpe26"])
def test_detectors_give_the_seventeen_joints(layout):
    names = JOINT_NAMES[layout]
    fit = mapping.to_joints(H36M, names)
    poses = np.random.default_rng(0).normal(size=(4, len(names), 3))
    taken = dict(zip(H36M, fit.take(poses).swapaxes(0, 1)))
    at = {name: poses[:, index] for index, name in enumerate(names)}
    hips, shoulders = (at["left_hip"] + at["right_hip"]) / 2, (at["left_shoulder"] + at["right_shoulder"]) / 2
    np.testing.assert_allclose(taken["pelvis"], hips)
    np.testing.assert_allclose(taken["thorax"], shoulders)
    np.testing.assert_allclose(taken["spine"], (hips + shoulders) / 2)
    np.testing.assert_allclose(taken["head"], (at["left_ear"] + at["right_ear"]) / 2)
    for joint in set(H36M) - set(mapping.DERIVED):
        np.testing.assert_array_equal(taken[joint], at[joint])
    # Derived joints are never written back: 13 direct ones are.
    assert len(fit.written) == 13
    assert all(H36M[target] == names[source] for target, source in fit.written)


def test_the_same_order_is_the_identity():
    fit = mapping.to_joints(H36M, H36M)
    np.testing.assert_array_equal(fit.gather, np.eye(17))
    assert fit.written == tuple((joint, joint) for joint in range(17))


@pytest.mark.parametrize("layout", ["coco18", "lsp14", "h36m16", "smpl24", "mpi17"])
def test_what_lacks_a_joint_does_not_fit(layout):
    names = JOINT_NAMES[layout]
    if layout == "coco18":
        names = tuple(name for name in names if name != "right_ear")
    assert mapping.to_joints(H36M, names) is None


def test_a_missing_source_makes_only_what_depends_on_it_missing():
    names = JOINT_NAMES["coco17"]
    fit = mapping.to_joints(H36M, names)
    poses = np.ones((1, 17, 2))
    poses[0, names.index("left_ear")] = np.nan
    poses[0, names.index("left_eye")] = np.nan  # not among the seventeen
    missing = [H36M[joint] for joint in np.flatnonzero(np.isnan(fit.take(poses)[0]).any(axis=-1))]
    assert missing == ["head"]


def test_hands_may_lack():
    names = JOINT_NAMES["smpl22"]
    fit = mapping.to_joints(JOINT_NAMES["smpl24"], names, ("left_hand", "right_hand"), derive=False)
    assert fit.missing == (22, 23) and len(fit.written) == 22
    assert (
        mapping.to_joints(JOINT_NAMES["smpl24"], names[1:], ("left_hand", "right_hand"), derive=False) is None
    )  # no root


def body(frames=5):
    """An upright H36M body [T, 17, 3] in metres, y down."""
    pose = np.zeros((17, 3))
    for name, place in {
        "right_hip": (-0.1, 0),
        "left_hip": (0.1, 0),
        "right_ankle": (-0.1, 0.9),
        "left_ankle": (0.1, 0.9),
        "thorax": (0, -0.5),
        "head": (0, -0.7),
        "nose": (0, -0.6),
        "spine": (0, -0.25),
    }.items():
        pose[H36M.index(name), :2] = place
    return np.tile(pose, (frames, 1, 1)) + np.linspace(0, 1, frames)[:, None, None]


ROTATIONS = {
    "y down": np.eye(3),
    "y up": np.diag([1.0, -1, -1]),
    "z up": np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]),
    "x up": np.array([[0, -1.0, 0], [1, 0, 0], [0, 0, 1]]),
}


@pytest.mark.parametrize(
    "unit, factor", [("m", 1), ("mm", 1000), ("cm", 100), (None, 1), (None, 1000), (None, 100), (None, 7e6)]
)
@pytest.mark.parametrize("up", ROTATIONS)
def test_3d_comes_into_metres_y_down_root_at_zero_and_back(unit, factor, up):
    truth = body()
    raw = truth @ ROTATIONS[up].T * factor
    # Along x people lie rather than stand: that has to be said.
    made, _ = space.space_3d(raw, H36M, unit, up=space.AXES["x"] if up == "x up" else None)
    roots = made.roots(raw)
    inside = made.into(raw, roots)
    centred = truth - truth[:, :1]
    scale = 1.0 if factor != 7e6 else space.BODY / space.extent(truth)
    np.testing.assert_allclose(inside[..., 1], centred[..., 1] * scale, atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(inside, axis=-1), np.linalg.norm(centred, axis=-1) * scale, atol=1e-9)
    assert np.linalg.det(made.turn) == pytest.approx(1)
    np.testing.assert_allclose(made.out(inside, roots), raw, atol=1e-9 * factor)


def test_a_body_unlike_the_training_data_is_said():
    _, notes = space.space_3d(body() * 3, H36M, "m")
    assert any("warning" in note for note in notes)
    _, notes = space.space_3d(body(), H36M, "m")
    assert not notes


def test_2d_goes_by_extent_or_image():
    poses = np.array([[[0.0, 0], [100, 50]]])
    made = space.space_2d(poses)
    np.testing.assert_allclose(made.into(poses, 0), [[[-1, -0.5], [1, 0.5]]])
    made = space.space_2d(poses, "jhmdb", (200, 100))
    np.testing.assert_allclose(made.into(poses, 0), [[[-0.5, -0.5], [0, 0]]])
    made = space.space_2d(poses, "h36m")
    np.testing.assert_allclose(made.into(poses, 0), [[[-1, -1], [-0.8, -0.9]]])


def test_drawn_layout_joins_what_the_names_say():
    layout = mapping.drawn_layout("coco17", JOINT_NAMES["coco17"])
    bones = {frozenset((layout.joints[a], layout.joints[b])) for a, b in layout.edges}
    assert frozenset(("left_knee", "left_ankle")) in bones and frozenset(("left_hip", "right_hip")) in bones
    assert frozenset(("left_knee", "right_ankle")) not in bones


@pytest.mark.parametrize("name", ["coco17", "coco18", "openpose25", "halpe26", "mediapipe33", "kinect25", "panoptic19"])
def test_every_joint_but_the_mouth_hangs_together(name):
    """Heads are joined to bodies, hands to arms."""
    layout = mapping.drawn_layout(name, JOINT_NAMES[name])
    part = list(range(layout.size))
    for a, b in layout.edges:
        part = [part[a] if value == part[b] else value for value in part]
    whole = max(set(part), key=part.count)
    apart = {joint for joint, value in zip(layout.joints, part) if value != whole}
    inner = {f"{side}_eye_{place}" for side in ("left", "right") for place in ("inner", "outer")}
    assert apart <= {"left_mouth", "right_mouth", *inner}


@pytest.mark.parametrize(
    "names, root",
    [
        (("left_hip", "right_hip", "nose"), [0.5, 0.5, 0]),
        (("right_hip", "neck"), None),
        (("left_hip", "neck"), None),
        (("hip", "right_hip", "left_hip"), [1, 0, 0]),
        (("nose",), None),
        (None, None),
    ],
)
def test_one_hip_is_no_root(names, root):
    weights = mapping.root_weights(names)
    assert (weights is None) == (root is None) and (root is None or weights.tolist() == root)


def test_detectors_joints_hang_on_one_pelvis():
    """Every joint of the tree hangs on the pelvis, which lies between the hips; hands and feet stay where they are."""
    names = JOINT_NAMES["mediapipe33"]
    layout, fit = mapping.one_tree(names)
    poses = np.random.default_rng(0).normal(size=(2, 33, 3))
    taken = fit.take(poses)
    assert layout.is_tree and not mapping.drawn_layout("", names).is_tree
    hips = [names.index("left_hip"), names.index("right_hip")]
    np.testing.assert_allclose(taken[:, layout.joints.index("pelvis")], poses[:, hips].mean(axis=1))
    for joint, parent in (
        ("left_index", "left_wrist"),
        ("right_heel", "right_ankle"),
        ("left_foot_index", "left_ankle"),
    ):
        place = layout.joints.index(joint)
        np.testing.assert_array_equal(taken[:, place], poses[:, names.index(joint)])
        assert layout.joints[layout.parents[place]] == parent
    assert mapping.one_tree(("nose", "left_wrist")) is None


def test_metres_go_by_the_name_of_the_unit_then_by_the_body():
    person = body()  # 1.7 m
    assert space.metres(person, H36M, "cm") == 0.01
    for scale, metres in ((1, 1.0), (100, 0.01), (1000, 0.001), (7, None)):
        assert space.metres(scale * person, H36M) == metres
    assert space.metres(100 * person) is None  # without names this may be a mouse in mm


def test_a_kinect_gets_a_nose_where_its_chest_looks():
    """Of a real Kinect's poses, whose data set has made one of the sensor's own joints."""
    joints = LAYOUTS["h36m17"].joints
    names = tuple(name for name in joints if name != "nose")
    arrays = read_arrays(ROOT / "data" / "poses" / "kinect_sample_3D" / "detected" / "kinect_sample_3D_train.npz")
    poses = np.concatenate([poses.reshape(-1, 17, 3) for poses in arrays["joints_3d"]])
    fit = mapping.to_joints(joints, names, in_space=True)
    nose = joints.index("nose")
    assert nose not in dict(fit.written)
    made = fit.take(np.delete(poses, nose, axis=1))
    assert np.linalg.norm(made[:, nose] - poses[:, nose], axis=-1).mean() < 0.012
    np.testing.assert_array_equal(np.delete(made, nose, axis=1), np.delete(poses, nose, axis=1))
    turned = Rotation.from_rotvec([0.4, -2, 1]).apply(np.delete(poses[:50], nose, axis=1).reshape(-1, 3)) * 1000
    again = fit.take(turned.reshape(50, 16, 3))[:, nose]
    np.testing.assert_allclose(again, 1000 * Rotation.from_rotvec([0.4, -2, 1]).apply(made[:50, nose]), atol=1e-2)
    assert mapping.to_joints(joints, names) is None  # in a picture nothing is ahead


def test_a_kinects_own_names_are_its_joints():
    told = (
        "SpineBase SpineMid Neck Head ShoulderLeft ElbowLeft WristLeft HandLeft ShoulderRight ElbowRight WristRight HandRight "
        "HipLeft KneeLeft AnkleLeft FootLeft HipRight KneeRight AnkleRight FootRight SpineShoulder HandTipLeft ThumbLeft "
        "HandTipRight ThumbRight"
    ).split()
    assert joint_names(told) == JOINT_NAMES["kinect25"] and layout_of_names(told) == "kinect25"
    assert mapping.to_joints(LAYOUTS["h36m17"].joints, JOINT_NAMES["kinect25"], in_space=True) is not None
