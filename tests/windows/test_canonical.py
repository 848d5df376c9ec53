"""One heading or place for every window: invariance, the way back, what the network is told."""

import math

import pytest
import torch

from lib.errors import UserError
from lib.models.attention import Sizes
from lib.models.residual import ResidualSynSP
from lib.poses.representation import representation
from lib.poses.rotations import axis_angle_to_6d
from lib.poses.skeletons import LAYOUTS, chain
from lib.training.augment import yaw_matrix
from lib.windows.canonical import Canonical, pairs_of
from lib.windows.fusing import DEPTH_PRECISION, OUTLIER, fused_views
from lib.windows.recipe import Recipe
from lib.windows.steps import run

H36M = {"kind": "3D", "pairs": pairs_of(LAYOUTS["h36m17"], representation("3D"))}


def poses(batch=5, views=1, frames=8, seed=0):
    return torch.randn(batch, views, frames, 51, generator=torch.Generator().manual_seed(seed))


def turned(values, matrices):
    """Values [B, V, F, J*3] turned by [B, 3, 3]."""
    return torch.einsum("bik,bvfjk->bvfji", matrices, values.unflatten(-1, (-1, 3))).flatten(-2)


def lively(network, seed=1):
    """A network whose last layers are not zero, so that it does something."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter.data, std=0.1, generator=generator)
    return network.eval()


def test_pairs_are_hips_and_shoulders():
    assert H36M["pairs"] == ((4, 1), (11, 14))
    assert (
        pairs_of(LAYOUTS["smpl24"], representation("smpl")) == pairs_of(LAYOUTS["h36m17"], representation("2D")) == ()
    )


def test_left_lies_along_x():
    values = poses()
    entered = Canonical(**H36M, values=values).enter(values).unflatten(-1, (-1, 3))
    side = (entered[..., 4, :] - entered[..., 1, :] + entered[..., 11, :] - entered[..., 14, :]).mean((1, 2))
    torch.testing.assert_close(side[:, 2], torch.zeros(5), atol=1e-5, rtol=0)
    assert (side[:, 0] > 0).all()


@pytest.mark.parametrize("kind, channels", [("3D", 51), ("2D", 34), ("smpl", 144)])
def test_leave_undoes_enter(kind, channels):
    values = torch.randn(4, 2, 8, channels, generator=torch.Generator().manual_seed(0))
    frame = Canonical(**{**H36M, "kind": kind}, values=values)
    assert not torch.allclose(frame.enter(values), values)
    torch.testing.assert_close(frame.leave(frame.enter(values)), values, atol=1e-5, rtol=0)


def test_a_turned_window_is_the_same_window():
    values, matrices = poses(), yaw_matrix(torch.linspace(-3, 3, 5))
    first, second = (Canonical(**H36M, values=x) for x in (values, turned(values, matrices)))
    torch.testing.assert_close(first.enter(values), second.enter(turned(values, matrices)), atol=1e-5, rtol=0)


def test_a_turned_body_model_is_the_same_but_for_the_cue():
    pose = torch.randn(3, 1, 8, 24, 3, generator=torch.Generator().manual_seed(2))
    matrix = yaw_matrix(torch.tensor([1.0]))[0]
    from scipy.spatial.transform import Rotation

    root = Rotation.from_matrix(matrix.numpy()) * Rotation.from_rotvec(pose[..., 0, :].reshape(-1, 3).numpy())
    other = pose.clone()
    other[..., 0, :] = torch.from_numpy(root.as_rotvec()).float().view(pose[..., 0, :].shape)
    first, second = (axis_angle_to_6d(x).flatten(-2) for x in (pose, other))
    given = {"kind": "smpl", "pairs": pairs_of(LAYOUTS["smpl24"], representation("smpl"))}
    torch.testing.assert_close(
        Canonical(**given, values=first).enter(first),
        Canonical(**given, values=second).enter(second),
        atol=1e-4,
        rtol=0,
    )


def test_the_cue_tells_where_the_camera_looks():
    # A person who faces the camera has the left at +x; seen from the side the camera looks along the person's side.
    values = torch.zeros(1, 1, 8, 17, 3)
    values[..., 4, 0], values[..., 1, 0] = 1, -1
    torch.testing.assert_close(Canonical(**H36M, values=values.flatten(-2)).cue[0, 0], torch.tensor([0.0, 0, 1]))
    aside = turned(values.flatten(-2), yaw_matrix(torch.tensor([math.pi / 2])))
    torch.testing.assert_close(
        Canonical(**H36M, values=aside).cue[0, 0].abs(), torch.tensor([1.0, 0, 0]), atol=1e-6, rtol=0
    )
    depth = torch.tensor([0.0, 1, 0]).expand(1, 1, 3)
    torch.testing.assert_close(Canonical(**H36M, values=aside, depth=depth).cue[0, 0], torch.tensor([0.0, 1, 0]))


def test_no_heading_is_no_turn():
    values = torch.zeros(2, 1, 8, 51)
    frame = Canonical(**H36M, values=values)
    assert torch.equal(frame.enter(poses(2)), poses(2))


def test_absent_views_have_no_say_in_a_common_heading():
    values = poses(views=3)
    present = torch.ones(5, 3, 8, dtype=torch.bool)
    present[:, 2] = False
    others = values.clone()
    others[:, 2] = 7.0
    first, second = (Canonical(**H36M, values=x, present=present, as_one=True).enter(values) for x in (values, others))
    assert torch.equal(first, second)


@pytest.mark.parametrize("align", ["none", "sequence"])
def test_the_network_turns_with_its_input(align):
    """Equivariance, where the camera is told to have turned along."""
    fuses = align != "none"
    network = lively(ResidualSynSP(51, Sizes(16, 16, 1, 2, 8, 8), residual_components=2, cue=True, fuses=fuses))
    recipe = Recipe(**H36M, canonical=True, align=align, fuse="depth" if fuses else "none")
    values, matrices = poses(views=2), yaw_matrix(torch.linspace(-3, 3, 5))
    depth = torch.tensor([0.0, 0, 1]).expand(5, 2, 3)
    looks = torch.einsum("bik,bvk->bvi", matrices, depth)
    plain = run(network, recipe, values, None, depth)[0].final
    torch.testing.assert_close(
        run(network, recipe, turned(values, matrices), None, looks)[0].final, turned(plain, matrices), atol=1e-4, rtol=0
    )
    blind = run(network, recipe, turned(values, matrices))[0].final
    assert not torch.allclose(blind, turned(plain, matrices), atol=1e-3)


def test_a_moved_image_is_the_same_but_for_the_cue():
    given = {"kind": "2D", "pairs": pairs_of(chain(17), representation("2D"))}
    values = torch.randn(3, 1, 8, 34, generator=torch.Generator().manual_seed(0))
    first, second = Canonical(**given, values=values), Canonical(**given, values=values + 0.5)
    torch.testing.assert_close(first.enter(values), second.enter(values + 0.5), atol=1e-5, rtol=0)
    torch.testing.assert_close(second.cue - first.cue, torch.tensor([0.5, 0.5, 0]).expand(3, 1, 3), atol=1e-5, rtol=0)


def test_a_scaled_image_is_the_same_with_one_size():
    given = {"kind": "2D", "pairs": (), "one_size": True}
    values = torch.randn(3, 1, 8, 34, generator=torch.Generator().manual_seed(0))
    first, second = Canonical(**given, values=values), Canonical(**given, values=7 * values + 0.5)
    entered = first.enter(values)
    torch.testing.assert_close(entered, second.enter(7 * values + 0.5), atol=1e-5, rtol=0)
    torch.testing.assert_close(entered.square().mean((2, 3)), torch.full((3, 1), 0.5), atol=1e-5, rtol=0)
    torch.testing.assert_close(second.leave(entered), 7 * values + 0.5, atol=1e-4, rtol=0)
    assert not first.cue.any() and not second.cue.any()


def test_absent_frames_have_no_say_in_the_size():
    given = {"kind": "2D", "pairs": (), "one_size": True}
    values = torch.randn(1, 1, 8, 34, generator=torch.Generator().manual_seed(0))
    present = torch.arange(8)[None, None] < 5
    whole = Canonical(**given, values=values[:, :, :5]).size
    torch.testing.assert_close(Canonical(**given, values=values, present=present).size, whole)
    still = torch.ones(1, 1, 8, 34)  # all joints in one place
    frame = Canonical(**given, values=still)
    torch.testing.assert_close(frame.leave(frame.enter(still)), still)


def test_joints_of_which_nothing_is_known_are_refused():
    with pytest.raises(UserError, match="neither hips nor shoulders"):
        pairs_of(chain(17), representation("3D"))
    with pytest.raises(UserError, match="USE_6D_SMPL"):
        pairs_of(LAYOUTS["smpl24"], representation("smpl", use_6d=False))


def test_views_are_fused_as_weighted_least_squares_say():
    """Against solving each joint's 3 x 3 system with torch.linalg."""
    generator = torch.Generator().manual_seed(3)
    values = 0.1 * torch.randn(3, 4, 8, 51, generator=generator)
    depth = torch.nn.functional.normalize(torch.randn(3, 4, 3, generator=generator), dim=-1)
    joints, weight = values.unflatten(-1, (-1, 3)), torch.ones(3, 4, 8, 17)
    precision = torch.eye(3) - (1 - DEPTH_PRECISION) * depth[..., None] * depth[..., None, :]
    for _ in range(3):
        matrix = torch.einsum("bvtj,bvik->btjik", weight, precision)
        fused = torch.linalg.solve(matrix, torch.einsum("bvtj,bvik,bvtjk->btji", weight, precision, joints))
        off = joints - fused[:, None]
        weight = 1 / (1 + torch.einsum("bvtji,bvik,bvtjk->bvtj", off, precision, off) / OUTLIER**2)
    torch.testing.assert_close(fused_views(values, depth)[:, 0].unflatten(-1, (-1, 3)), fused, atol=1e-6, rtol=1e-5)


def test_a_view_that_is_thrown_off_or_absent_hardly_counts():
    right = poses(batch=2) * 0.1
    values = right.repeat(1, 4, 1, 1)
    depth = torch.eye(3)[[0, 2, 0, 2]].expand(2, 4, 3)
    torch.testing.assert_close(fused_views(values, depth), right, atol=1e-6, rtol=0)
    values[:, 1] += 1.0
    assert (fused_views(values, depth) - right).abs().max() < 0.05  # their mean is 0.25 off
    present = torch.ones(2, 4, 8, dtype=torch.bool)
    present[:, 1] = False
    torch.testing.assert_close(fused_views(values, depth, present), right, atol=1e-6, rtol=0)
    present[:, :, 3] = False
    assert fused_views(values, depth, present).isfinite().all()


def test_one_view_alone_is_the_network_for_one():
    one = lively(ResidualSynSP(51, Sizes(16, 16, 1, 2, 8, 8), residual_components=2, cue=True))
    several = ResidualSynSP(51, Sizes(16, 16, 1, 2, 8, 8), residual_components=2, cue=True, fuses=True).eval()
    several.load_state_dict({"proj_d.weight": torch.ones(16, 51), **one.state_dict()})
    recipe = Recipe(**H36M, canonical=True)
    alone = run(several, recipe.but(align="sequence", fuse="depth"), poses())[0].final
    assert torch.equal(run(one, recipe, poses())[0].final, alone)
