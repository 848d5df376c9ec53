"""lib/training/augment.py: what each change keeps and what it changes."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from torch.nn import functional

from lib.errors import UserError
from lib.poses.representation import representation
from lib.poses.rotations import axis_angle_from_6d, axis_angle_to_6d, axis_angle_to_matrix, matrix_from_6d
from lib.poses.skeletons import LAYOUTS, chain
from lib.training.augment import Augment, yaw_matrix
from lib.windows.canonical import Canonical, heading_pairs


def augment(layout="h36m17", kind="3D", one_yaw=False, use_6d=True, errors_stay=False, **options):
    none = {
        "YAW": 0.0,
        "MIRROR": False,
        "SCALE": 0.0,
        "SPEED": 0.0,
        "BONES": 0.0,
        "TILT": 0.0,
        "LIMBS": 0.0,
        "CONVENTION": 0.0,
        "TURNS": 0.0,
    }
    options = SimpleNamespace(**(none | options))
    return Augment(
        options,
        LAYOUTS.get(layout) or chain(17),
        representation(kind, use_6d),
        one_yaw=one_yaw,
        errors_stay=errors_stay,
    )


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def windows(channels=51, views=2, batch=64):
    """Poses around a root at 0, and an error."""
    truth = torch.randn(batch, views, 8, channels, generator=generator())
    return truth + 0.1 * torch.randn(truth.shape, generator=generator(1)), truth


def bones(values, layout):
    joints = values.unflatten(-1, (layout.size, -1))
    first, second = torch.tensor(layout.edges).T
    return (joints[..., first, :] - joints[..., second, :]).norm(dim=-1)


def test_nothing_asked_nothing_changed():
    detected, truth = windows()
    ours, theirs, _ = augment()(detected, truth, generator())
    assert torch.equal(ours, detected) and torch.equal(theirs, truth)
    assert augment().speed(4, generator()) is None


@pytest.mark.parametrize(
    "layout, kind, channels",
    [
        ("h36m17", "3D", 51),
        ("lsp14", "3D", 42),
        ("mpi17", "3D", 51),
        ("jhmdb15", "2D", 30),
        ("smpl24", "smpl", 144),
        ("unknown", "3D", 51),
    ],
)
def test_mirror_twice_is_nothing(layout, kind, channels):
    changer = augment(layout, kind)
    _, truth = windows(channels)
    assert not torch.equal(changer.mirrored(truth), truth)
    assert torch.equal(changer.mirrored(changer.mirrored(truth)), truth)


def test_mirror_by_hand():
    pose = torch.zeros(1, 1, 1, 17, 3)
    pose[..., 13, :] = torch.tensor([0.5, -0.2, 0.1])  # the left wrist
    mirrored = augment().mirrored(pose.flatten(-2)).unflatten(-1, (17, 3))
    torch.testing.assert_close(mirrored[..., 16, :].flatten(), torch.tensor([-0.5, -0.2, 0.1]))
    assert mirrored[..., 13, :].abs().sum() == 0


def test_mirrored_rotations_pose_the_mirrored_body():
    """Joints of a chain of bones along the mirrored rotations are the mirrored joints."""
    layout = LAYOUTS["smpl24"]
    pose = 0.5 * torch.randn(24, 3, generator=generator(), dtype=torch.float64)
    offsets = torch.randn(24, 3, generator=generator(1), dtype=torch.float64)
    mirror = torch.tensor(layout.mirror)
    symmetric = (offsets + offsets[mirror] * torch.tensor([-1.0, 1, 1])) / 2

    def joints(turns):
        found, turned = [torch.zeros(3, dtype=torch.float64)], [turns[0]]
        for joint, parent in enumerate(layout.parents[1:], start=1):
            found.append(found[parent] + turned[parent] @ symmetric[joint])
            turned.append(turned[parent] @ turns[joint])
        return torch.stack(found)

    network = axis_angle_to_6d(pose).flatten()
    mirrored = augment("smpl24", "smpl").mirrored(network[None, None, None])[0, 0, 0]
    expected = joints(axis_angle_to_matrix(pose))[mirror] * torch.tensor([-1.0, 1, 1])
    torch.testing.assert_close(joints(matrix_from_6d(mirrored.unflatten(-1, (24, 6)))), expected)


@pytest.mark.parametrize(
    "options",
    [
        {"MIRROR": True},
        {"YAW": 180.0},
        {"SCALE": 0.2},
        {"BONES": 0.1},
        {"MIRROR": True, "YAW": 90.0, "SCALE": 0.2, "BONES": 0.1},
    ],
)
def test_the_error_is_kept(options):
    detected, truth = windows()
    ours, theirs, _ = augment(**options)(detected, truth, generator())
    assert not torch.equal(theirs, truth)
    errors = [
        (a - b).unflatten(-1, (17, 3)).norm(dim=-1).sort(-1).values for a, b in ((ours, theirs), (detected, truth))
    ]
    torch.testing.assert_close(*errors, atol=1e-5, rtol=1e-5)


def test_mirror_turns_half_of_the_windows_whole():
    detected, truth = windows(batch=400)
    changer = augment(MIRROR=True)
    ours, theirs, _ = changer(detected, truth, generator())
    flipped = (theirs != truth).flatten(1).any(1)
    assert 150 < int(flipped.sum()) < 250
    torch.testing.assert_close(theirs[flipped], changer.mirrored(truth[flipped]))
    torch.testing.assert_close(ours[flipped], changer.mirrored(detected[flipped]))


@pytest.mark.parametrize("layout, channels", [("h36m17", 51), ("lsp14", 42), ("mpi17", 51)])
def test_bones_keep_their_length_within_a_window(layout, channels):
    layout = LAYOUTS[layout]
    _, truth = windows(channels)
    # A body whose bones do not change over frames: the first frame's, turned about x by another angle in each.
    angle = torch.arange(8.0)
    turn = axis_angle_to_matrix(torch.stack((angle, 0 * angle, 0 * angle), -1))
    truth = torch.einsum("wij,bvkj->bvwki", turn, truth[:, :, 0].unflatten(-1, (-1, 3))).flatten(-2)
    _, theirs, _ = augment(layout.name, BONES=0.1, SCALE=0.2)(truth, truth, generator())
    before, after = bones(truth, layout), bones(theirs, layout)
    factor = after / before
    tree = [edge for edge, (a, b) in enumerate(layout.edges) if layout.parents[a] == b or layout.parents[b] == a]
    factor = factor[..., tree]
    torch.testing.assert_close(factor, factor[:, :1, :1].expand_as(factor), atol=1e-4, rtol=1e-4)  # one a window
    assert 0.9 * 0.8 < factor.min() < 0.85 and 1.15 < factor.max() < 1.1 * 1.2
    # The root stays where it is.
    root = layout.root[0]
    torch.testing.assert_close(theirs.unflatten(-1, (-1, 3))[..., root, :], truth.unflatten(-1, (-1, 3))[..., root, :])


def test_left_and_right_bones_share_their_factor():
    layout = LAYOUTS["h36m17"]
    _, truth = windows()
    _, theirs, _ = augment(BONES=0.1)(truth, truth, generator())
    factor = bones(theirs, layout) / bones(truth, layout)
    edges = [frozenset(edge) for edge in layout.edges]
    for edge, (a, b) in enumerate(layout.edges):
        other = edges.index(frozenset((layout.mirror[a], layout.mirror[b])))
        torch.testing.assert_close(factor[..., edge], factor[..., other], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("layout, kind, dims", [("unknown", "3D", 3), ("h36m17", "2D", 2), ("h36m17", "3D", 3)])
def test_scale_alone_is_a_zoom_about_the_root(layout, kind, dims):
    detected, truth = windows(17 * dims)
    ours, theirs, _ = augment(layout, kind, SCALE=0.2)(detected, truth, generator())
    relative = [x.unflatten(-1, (17, dims)) - x.unflatten(-1, (17, dims))[..., :1, :] for x in (theirs, truth)]
    factor = (relative[0] / relative[1])[..., 1:, :].flatten(1)
    torch.testing.assert_close(factor, factor[:, :1].expand_as(factor), atol=1e-3, rtol=1e-3)
    assert 0.8 < factor.min() < 0.85 and 1.15 < factor.max() < 1.2
    torch.testing.assert_close(ours - theirs, detected - truth, atol=1e-5, rtol=1e-5)


def test_bones_of_key_points_are_left_alone():
    detected, truth = windows(34)
    assert torch.equal(augment(kind="2D", BONES=0.1)(detected, truth, generator())[1], truth)


def test_yaw_keeps_heights_and_distances_and_reaches_all_round():
    detected, truth = windows(batch=200)
    _, theirs, _ = augment(YAW=180.0)(detected, truth, generator())
    joints, before = theirs.unflatten(-1, (17, 3)), truth.unflatten(-1, (17, 3))
    torch.testing.assert_close(joints[..., 1], before[..., 1])  # y is down
    torch.testing.assert_close(bones(theirs, LAYOUTS["h36m17"]), bones(truth, LAYOUTS["h36m17"]), atol=1e-5, rtol=1e-5)
    angle = torch.atan2(joints[..., 0], joints[..., 2]) - torch.atan2(before[..., 0], before[..., 2])
    angle = torch.remainder(angle, 2 * math.pi)
    spread = (torch.exp(1j * angle[:, :, 0, 0].flatten())).mean().abs()
    assert spread < 0.15  # uniform directions cancel
    each = torch.polar(torch.ones_like(angle), angle)
    torch.testing.assert_close(each, each[:, :, :1, :1].expand_as(each), atol=1e-3, rtol=1e-3)  # one angle a view


@pytest.mark.parametrize("one_yaw", [True, False])
def test_views_turn_together_when_they_share_a_frame(one_yaw):
    _, truth = windows(views=1)
    truth = truth.expand(-1, 3, -1, -1)
    _, theirs, _ = augment(YAW=180.0, one_yaw=one_yaw)(truth, truth, generator())
    assert torch.allclose(theirs[:, 0], theirs[:, 1]) is one_yaw


def test_errors_stay_as_the_camera_sees_them():
    detected, truth = windows(batch=50)
    ours, theirs, _ = augment(YAW=180.0, errors_stay=True)(detected, truth, generator())
    assert not torch.allclose(theirs, truth)
    torch.testing.assert_close(ours - theirs, detected - truth, atol=1e-5, rtol=0)
    turned, _, _ = augment(YAW=180.0)(detected, truth, generator())
    assert not torch.allclose(turned - theirs, detected - truth, atol=1e-2)


def test_a_mirrored_camera_looks_from_the_other_side():
    detected, truth = windows(batch=50)
    depth = torch.tensor([0.6, 0.0, 0.8]).expand(*truth.shape[:2], 3)
    _, theirs, looks = augment(MIRROR=True)(detected, truth, generator(), depth)
    flipped = (theirs != truth).flatten(1).any(1)
    assert 0 < int(flipped.sum()) < 50
    assert torch.equal(looks[..., 0] < 0, flipped[:, None].expand(looks.shape[:2]))


def test_yaw_of_rotations_turns_the_root_alone():
    pose = 0.5 * torch.randn(16, 1, 8, 24, 3, generator=generator())
    truth = axis_angle_to_6d(pose).flatten(-2)
    _, theirs, _ = augment("smpl24", "smpl", YAW=90.0)(truth, truth, generator())
    torch.testing.assert_close(theirs[..., 6:], truth[..., 6:])
    turned = matrix_from_6d(theirs[..., :6]) @ matrix_from_6d(truth[..., :6]).mT
    axis = axis_angle_from_6d(turned[..., :2].flatten(-2))
    assert axis[..., [0, 2]].abs().max() < 1e-3 and axis[..., 1].abs().max() <= math.pi / 2 + 1e-3


def test_axis_angles_are_left_alone():
    detected, truth = windows(72)
    changer = augment("smpl24", "smpl", use_6d=False, YAW=90.0, MIRROR=True, SCALE=0.2, BONES=0.1)
    ours, theirs, _ = changer(detected, truth, generator())
    assert torch.equal(ours, detected) and torch.equal(theirs, truth)


def test_yaw_matrix_is_scipys():
    angle = torch.tensor([0.3, -2.0])
    np.testing.assert_allclose(
        yaw_matrix(angle), Rotation.from_euler("y", angle.numpy()[:, None]).as_matrix(), atol=1e-6
    )


def test_speeds_are_spread_and_seeded():
    speeds = augment(SPEED=0.2).speed(1000, generator())
    assert 0.8 <= speeds.min() < 0.81 and 1.19 < speeds.max() <= 1.2
    assert torch.equal(speeds, augment(SPEED=0.2).speed(1000, generator()))


def test_everything_is_seeded():
    detected, truth = windows()
    options = dict(MIRROR=True, YAW=90.0, SCALE=0.2, BONES=0.1)
    first, second, other = (augment(**options)(detected, truth, generator(seed))[0] for seed in (0, 0, 1))
    assert torch.equal(first, second) and not torch.equal(first, other)


def test_limbs_come_from_other_windows_as_they_stand_to_the_body():
    """The trunk stays, and an arm has the lengths and the angles to the heading of some window of the batch."""
    detected, truth = windows(batch=40)
    ours, theirs, _ = augment(LIMBS=0.5)(detected, truth, generator())
    torch.testing.assert_close(ours - theirs, detected - truth, atol=1e-5, rtol=0)
    pairs = heading_pairs(LAYOUTS["h36m17"])

    def bodies(x):
        return Canonical("3D", pairs, x).enter(x).unflatten(-1, (17, 3))

    before, after = bodies(truth), bodies(theirs)
    trunk = [0, 1, 4, 7, 8, 9, 10, 11, 14]
    torch.testing.assert_close(after[..., trunk, :], before[..., trunk, :], atol=1e-4, rtol=0)
    arms = [(x[..., [12, 13], :] - x[..., [11, 12], :]).flatten(1) for x in (before, after)]
    off = torch.cdist(arms[1], arms[0], compute_mode="donot_use_mm_for_euclid_dist")
    assert off.min(1).values.max() < 1e-3
    moved = int((off.argmin(1) != torch.arange(40)).sum())
    assert 10 <= moved <= 30


def test_a_convention_moves_the_trunk_alike_in_all_frames():
    detected, truth = windows(batch=200)
    ours, theirs, _ = augment(CONVENTION=0.02)(detected, truth, generator())
    shift = (theirs - truth).unflatten(-1, (17, 3))
    torch.testing.assert_close((ours - detected).unflatten(-1, (17, 3)), shift, atol=1e-5, rtol=0)
    torch.testing.assert_close(shift, shift[:, :, :1].expand_as(shift), atol=1e-5, rtol=0)
    moved = shift[:, 0, 0].std(0).mean(-1)
    trunk = [1, 4, 7, 8, 9, 10, 11, 14]
    assert moved[trunk].min() > 0.017 and moved[trunk].max() < 0.023
    assert moved[[0, 2, 3, 5, 6, 12, 13, 15, 16]].max() < 1e-5


def test_a_convention_turns_each_rotation_alike_in_all_frames():
    def sixes(seed):
        numbers = torch.randn(200, 1, 8, 24, 3, generator=generator(seed))
        return axis_angle_to_6d(numbers).flatten(-2)

    def matrices(values):
        return matrix_from_6d(values.unflatten(-1, (24, 6)))

    detected, truth = sixes(0), sixes(1)
    ours, theirs, _ = augment("smpl24", "smpl", CONVENTION=0.1)(detected, truth, generator())
    turns = matrices(theirs) @ matrices(truth).mT
    torch.testing.assert_close(matrices(ours) @ matrices(detected).mT, turns, atol=1e-4, rtol=0)
    torch.testing.assert_close(turns, turns[:, :, :1].expand_as(turns), atol=1e-4, rtol=0)
    angles = Rotation.from_matrix(turns[:, 0, 0].flatten(0, 1).numpy()).magnitude().reshape(200, 24)
    assert angles[:, 0].max() < 1e-3
    assert np.sqrt((angles[:, 1:] ** 2).mean()) == pytest.approx(0.1 * np.sqrt(3), rel=0.05)
    # The error between the two stays what it was.
    before, after = (matrices(a).mT @ matrices(b) for a, b in ((truth, detected), (theirs, ours)))
    torch.testing.assert_close(before, after, atol=1e-4, rtol=0)


def test_limbs_need_names():
    with pytest.raises(UserError, match="LIMBS"):
        augment("none", LIMBS=0.5)


def test_tilts_are_mostly_small_and_at_most_what_was_asked():
    _, truth = windows(batch=400)
    _, theirs, _ = augment(YAW=1e-3, TILT=90.0)(truth, truth, generator())
    up = torch.tensor([0.0, 1, 0])
    frames = torch.stack([truth.unflatten(-1, (17, 3))[:, 0, 0], theirs.unflatten(-1, (17, 3))[:, 0, 0]])
    turns = [Rotation.align_vectors(b.numpy(), a.numpy())[0] for a, b in zip(*frames)]
    tilt = np.degrees([np.arccos(np.clip(turn.apply(up)[1], -1, 1)) for turn in turns])
    assert tilt.max() <= 90.1 and tilt.max() > 45
    assert 0.4 < (tilt < 0.1).mean() < 0.65 and np.median(tilt[tilt > 0.1]) < 25


def test_limbs_turn_in_half_of_the_windows():
    """Each arm and leg about its shoulder and hip by at most TURNS, alike in all frames and views; no bone changes length."""
    detected, truth = windows(batch=200)
    layout = LAYOUTS["h36m17"]
    ours, theirs, _ = augment(TURNS=40.0, one_yaw=True)(detected, truth, generator())
    torch.testing.assert_close(ours - theirs, detected - truth, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(bones(theirs, layout), bones(truth, layout), atol=1e-4, rtol=1e-4)
    before, after = (x.unflatten(-1, (17, 3)) for x in (truth, theirs))
    trunk = [0, 1, 4, 7, 8, 9, 10, 11, 14]
    torch.testing.assert_close(after[..., trunk, :], before[..., trunk, :], atol=1e-5, rtol=1e-5)
    changed = (after - before).abs().amax((1, 2, 3, 4)) > 1e-3
    assert 70 < changed.sum() < 130
    for outer, inner in ((2, 1), (5, 4), (12, 11), (15, 14)):
        thigh, turned = (functional.normalize(x[..., outer, :] - x[..., inner, :], dim=-1) for x in (before, after))
        assert float((thigh * turned).sum(-1).min()) > math.cos(math.radians(40.0)) - 1e-4
        # Lengths and angles between frames and views stay: one rotation for all.
        torch.testing.assert_close(
            torch.einsum("bvwi,bxyi->bvwxy", turned, turned),
            torch.einsum("bvwi,bxyi->bvwxy", thigh, thigh),
            atol=1e-4,
            rtol=1e-4,
        )
