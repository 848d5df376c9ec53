import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from lib.poses import metrics

REFERENCE = Path(__file__).parents[1] / "reference" / "official_numerics.npz"


@pytest.fixture(scope="module")
def official():
    with np.load(REFERENCE) as stored:
        return {name: torch.from_numpy(stored[name]) for name in stored.files}


def poses(frames, joints=17, dims=3, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(frames, joints, dims)))


def similar(truth, scale, rotation, shift):
    return scale * truth @ torch.from_numpy(rotation).T.to(truth) + torch.tensor(shift).to(truth)


# ------------------------------------------------------------------------------- the published numbers


@pytest.mark.parametrize("name", ["mpjpe", "pampjpe", "accel"])
def test_published(official, name):
    predicted, truth = (official[key].unflatten(1, (-1, 3)) for key in ("pred", "gt"))
    ours = {"mpjpe": metrics.mpjpe, "pampjpe": metrics.pa_mpjpe, "accel": metrics.accel}[name](predicted, truth)
    np.testing.assert_allclose(ours, official[name], atol=1e-5)


def test_published_procrustes_of_a_mirrored_pose(official):
    predicted, truth = (official[key].unflatten(1, (-1, 3)) for key in ("pred_mirrored", "gt"))
    np.testing.assert_allclose(metrics.pa_mpjpe(predicted, truth), official["pampjpe_mirrored"], atol=1e-5)


def test_published_procrustes_in_the_plane(official):
    predicted, truth = (official[key].unflatten(1, (-1, 3))[..., :2] for key in ("pred", "gt"))
    np.testing.assert_allclose(metrics.pa_mpjpe(predicted, truth), official["pampjpe_2d"], atol=1e-5)


@pytest.mark.parametrize("fraction", [0.05, 0.1, 0.2])
def test_published_pck(official, fraction):
    height, width = official["pck_imgshape"].tolist()
    pixels = [
        (official[key].unflatten(1, (-1, 2)) + 0.5) * torch.tensor([width, height]) for key in ("pck_pred", "pck_gt")
    ]
    box = official["pck_bbox"].float()
    size = torch.maximum(box[:, 2] - box[:, 0], box[:, 3] - box[:, 1])
    ours = metrics.pck(*pixels, size, fraction).double().mean(0)
    np.testing.assert_allclose(ours, official[f"pck_{fraction}"], atol=1e-5)


# --------------------------------------------------------------------------------- positions


def test_mpjpe_by_hand():
    truth = torch.zeros(2, 2, 3)
    predicted = torch.tensor([[[3.0, 4, 0], [0, 0, 1]], [[0, 0, 0], [2, 0, 0]]])
    assert metrics.mpjpe(predicted, truth).tolist() == [3, 1]
    assert metrics.joint_errors(predicted, truth).tolist() == [[5, 1], [0, 2]]


def test_root_relative_takes_the_mean_of_the_roots_off():
    values = poses(4)
    moved = metrics.root_relative(values, (2, 3))
    np.testing.assert_allclose(moved[:, 2] + moved[:, 3], 0, atol=1e-12)
    np.testing.assert_allclose(moved[:, 5] - moved[:, 9], values[:, 5] - values[:, 9], atol=1e-12)
    assert metrics.root_relative(values, (6,))[:, 6].abs().max() == 0


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("scale", [0.01, 1.0, 300.0])
def test_a_similar_pose_has_no_error_after_alignment(dims, scale):
    truth = poses(20, dims=dims)
    rotation = (
        Rotation.random(20, rng=np.random.default_rng(1)).as_matrix()
        if dims == 3
        else np.stack([[[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]] for a in np.linspace(-3, 3, 20)])
    )
    predicted = torch.stack([similar(pose, scale, turn, [5.0, -2, 1][:dims]) for pose, turn in zip(truth, rotation)])
    assert metrics.mpjpe(predicted, truth).min() > 0.1
    assert metrics.pa_mpjpe(predicted, truth).max() < 1e-9
    np.testing.assert_allclose(metrics.align(predicted, truth), truth, atol=1e-9)


@pytest.mark.parametrize("dims", [2, 3])
def test_a_mirrored_pose_is_not_similar(dims):
    truth = poses(20, dims=dims)
    mirrored = truth * torch.tensor([-1.0, 1, 1][:dims])
    assert metrics.pa_mpjpe(mirrored, truth).min() > 0.1


def test_alignment_against_scipy():
    """The rotation of scipy's align_vectors on centred poses, and the scale that is best with it."""
    predicted, truth = poses(10), poses(10, seed=1)
    for p, t, ours in zip(predicted.numpy(), truth.numpy(), metrics.align(predicted, truth).numpy()):
        p, centre = p - p.mean(0), t.mean(0)
        turned = Rotation.align_vectors(t - centre, p)[0].apply(p)
        scale = (turned * (t - centre)).sum() / (p**2).sum()
        np.testing.assert_allclose(ours, scale * turned + centre, atol=1e-6)


@pytest.mark.parametrize("predicted", [torch.zeros(3, 5, 3), torch.ones(3, 5, 3), torch.arange(5.0).expand(3, 3, 5).mT])
def test_poses_in_a_point_or_on_a_line_align_to_something_finite(predicted):
    truth = poses(3, 5).float()
    error = metrics.pa_mpjpe(predicted, truth)
    assert torch.isfinite(error).all()
    centred = truth - truth.mean(1, keepdim=True)
    assert (error <= centred.norm(dim=-1).mean(-1) * 1.5).all()


def test_alignment_of_the_truth_itself_in_metres_and_millimetres():
    truth = poses(5).float()
    for unit in (1e-3, 1, 1e3):
        assert metrics.pa_mpjpe(truth * unit, truth * unit).max() < 1e-5 * unit


# ------------------------------------------------------------------------------------- motion


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 9])
def test_acceleration_error_and_its_padding(frames):
    t = torch.arange(frames, dtype=torch.float64)[:, None, None]
    truth = poses(1, 4).expand(frames, 4, 3)
    predicted = truth + torch.tensor([1.0, 2, 2]) * t**2 / 2 + 7 * t - 3  # second difference (1, 2, 2), norm 3
    padded, inner = metrics.accel(predicted, truth), metrics.accel_unpadded(predicted, truth)
    assert padded.shape == (frames,) and inner.shape == (max(frames - 2, 0),)
    np.testing.assert_allclose(inner, 3, atol=1e-10)
    np.testing.assert_allclose(padded, [0] * min(frames, 1) + [3] * max(frames - 2, 0) + [0] * (frames > 1), atol=1e-10)


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 10])
def test_jerk_of_a_cubic_is_its_third_derivative(frames):
    t = torch.arange(frames, dtype=torch.float64)[:, None, None]
    values = torch.tensor([2.0, 0, 0]) * t**3 / 6 - t**2 + 5 * t + torch.zeros(1, 3, 1)
    ours = metrics.jerk(values)
    assert ours.shape == (max(frames - 3, 0),)
    np.testing.assert_allclose(ours, 2, atol=1e-9)


def test_a_single_frame_has_position_scores():
    predicted, truth = poses(1), poses(1, seed=1)
    assert metrics.mpjpe(predicted, truth).shape == metrics.pa_mpjpe(predicted, truth).shape == (1,)
    assert metrics.pck3d(predicted, truth).shape == metrics.auc(predicted, truth).shape == (1,)


def test_peak_speed_is_the_quantile_of_each_joints_speed():
    speeds = torch.arange(101.0)  # the 98th percentile is 98
    track = torch.cat((torch.zeros(1), speeds.cumsum(0)))
    values = torch.stack((track, 2 * track), dim=1)[..., None] * torch.tensor([0.6, 0.8, 0])
    np.testing.assert_allclose(metrics.peak_speed(values), [98, 196], rtol=1e-4)
    np.testing.assert_allclose(metrics.peak_speed(values, 1.0), [100, 200], rtol=1e-4)


def test_peak_speed_of_a_resting_body_is_zero():
    assert metrics.peak_speed(torch.ones(5, 3, 3)).tolist() == [0, 0, 0]


def test_rigid_motion_keeps_bone_lengths():
    body = poses(1, 5)[0]
    turns = Rotation.random(30, rng=np.random.default_rng(0)).as_matrix()
    moving = torch.stack([similar(body, 1.0, turn, [k, 0, -k]) for k, turn in enumerate(turns)])
    edges = ((0, 1), (1, 2), (0, 3), (3, 4))
    np.testing.assert_allclose(metrics.bone_length_deviation(moving, edges), 0, atol=1e-12)


def test_bone_length_deviation_by_hand():
    moving = torch.zeros(4, 2, 3)
    moving[:, 1, 0] = torch.tensor([1.0, 3, 1, 3])  # mean 2, deviation 1
    np.testing.assert_allclose(metrics.bone_length_deviation(moving, [[0, 1]]), [1])


# ------------------------------------------------------------------------------------- shares


def test_pck_counts_an_error_on_the_threshold():
    predicted = torch.zeros(1, 3, 2)
    predicted[0, :, 0] = torch.tensor([9.9, 10, 10.1])
    assert metrics.pck(predicted, torch.zeros(1, 3, 2), torch.tensor([100.0]), 0.1).tolist() == [[True, True, False]]


def test_pck3d_by_hand():
    predicted = torch.zeros(1, 4, 3)
    predicted[0, :, 2] = torch.tensor([0.0, 150, 151, 1000])
    assert metrics.pck3d(predicted, torch.zeros(1, 4, 3)).tolist() == [0.5]


def test_auc_of_a_known_error():
    """Thresholds 0, 5, ..., 150: an error of 50 lies within 21 of the 31, one of 0 within all, 200 within none."""
    for error, share in ((0.0, 31), (50.0, 21), (52.0, 20), (150.0, 1), (200.0, 0)):
        predicted = torch.zeros(1, 2, 3)
        predicted[..., 0] = error
        np.testing.assert_allclose(metrics.auc(predicted, torch.zeros(1, 2, 3)), share / 31)


@pytest.mark.parametrize("count, chosen", [(1, 1), (99, 1), (100, 1), (250, 2), (1000, 10)])
def test_worst_frames(count, chosen):
    errors = torch.from_numpy(np.random.default_rng(count).permutation(count)).float()
    worst = metrics.worst_frames(errors)
    assert sorted(errors[worst].tolist()) == list(range(count - chosen, count))
