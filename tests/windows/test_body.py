"""lib/windows/body.py: what a network is told of the bones."""

import numpy as np
import pytest
import torch

from lib.models.attention import Sizes
from lib.models.residual import ResidualSynSP
from lib.poses.representation import representation
from lib.poses.skeletons import LAYOUTS
from lib.windows import body
from lib.windows.pipeline import refine
from lib.windows.recipe import Recipe
from lib.windows.steps import run

BONES = ((1, 0), (2, 1), (3, 0))
W = 8


def recording(frames, views=1, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(0, 0.3, (views, frames, 12))).float()


def network():
    torch.manual_seed(0)
    made = ResidualSynSP(12, Sizes(16, 16, 2, 2, 8, 8), residual_components=2, bones=len(BONES)).eval()
    made.proj_b.weight.data.normal_()
    for parameter in made.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    return made


def by_hand(poses):
    """The mean lengths of the bones of poses [T, 12], bone by bone."""
    joints = np.asarray(poses, dtype=float).reshape(len(poses), -1, 3)
    length = np.array([[np.linalg.norm(frame[a] - frame[b]) for a, b in BONES] for frame in joints])
    return length.mean(0)


def test_the_bones_of_a_layout_are_its_joints_and_parents():
    layout = LAYOUTS["h36m17"]
    bones = body.bones_of(layout, representation("3D"))
    assert len(bones) == 16
    assert {(layout.joints[a], layout.joints[b]) for a, b in bones} >= {("left_knee", "left_hip"), ("spine", "pelvis")}
    assert body.bones_of(layout, representation("2D")) == ()


def test_a_bone_of_typical_length_is_read_as_zero():
    assert body.scaled(torch.full((3,), body.TYPICAL)).abs().max() < 1e-6
    assert body.scaled(torch.zeros(3)).isfinite().all()  # joints that coincide are no infinity


def test_a_recording_and_its_frames_so_far_tell_the_same():
    poses = recording(20, views=2)
    whole, running = body.mean_lengths(poses, BONES), body.running_lengths(poses, BONES)
    for view in range(2):
        np.testing.assert_allclose(whole[view], by_hand(poses[view]), atol=1e-5)
        np.testing.assert_allclose(running[view, 4], by_hand(poses[view, :5]), atol=1e-4)
    so_far = body.SoFar(BONES)
    for frame in range(20):
        so_far.add(poses[:, frame].numpy())
        np.testing.assert_allclose(so_far.mean, running[:, frame], atol=1e-4)


def test_frames_that_do_not_count_are_left_out():
    poses, present = recording(20), torch.arange(20)[None] < 12
    np.testing.assert_allclose(body.mean_lengths(poses, BONES, present)[0], by_hand(poses[0, :12]), atol=1e-5)
    np.testing.assert_allclose(body.running_lengths(poses, BONES, present)[0, -1], by_hand(poses[0, :12]), atol=1e-4)


def test_whoever_comes_back_begins_anew():
    poses = recording(20, views=2).numpy()
    so_far = body.SoFar(BONES)
    for frame in range(20):
        so_far.add(poses[:, frame], np.array([frame == 15, False]))
    np.testing.assert_allclose(so_far.mean[0], by_hand(poses[0, 15:]), atol=1e-5)
    np.testing.assert_allclose(so_far.mean[1], by_hand(poses[1]), atol=1e-5)


@pytest.mark.parametrize("frames", [1, 7, 8, 9, 30])
def test_every_window_of_a_recording_is_told_of_all_of_it(frames):
    made, recipe, poses = network(), Recipe(window=W, bones=BONES), recording(frames)
    told = torch.from_numpy(by_hand(poses[0])).float()[None, None]
    rows = list(range(frames)) + [frames - 1] * max(0, W - frames)
    sums, counts = np.zeros((len(rows), 12)), np.zeros((len(rows), 1))
    for first in range(len(rows) - W + 1):
        with torch.no_grad():
            out = run(made, recipe, poses[:, rows[first : first + W]][None], body=told)[0].final[0, 0].numpy()
        sums[first : first + W] += out
        counts[first : first + W] += 1
    refined = next(refine(made, [(poses, None)], recipe)).final[0]
    np.testing.assert_allclose(refined, (sums / counts)[:frames], atol=1e-5)


@pytest.mark.parametrize("lag", [0, 3, 7])
def test_with_a_lag_a_window_knows_of_no_later_frame(lag):
    made, recipe = network(), Recipe(window=W, bones=BONES, lag=lag)
    poses, other = recording(30), recording(30, seed=1)
    changed = torch.cat((poses[:, :20], other[:, 20:]), dim=1)
    one, two = (next(refine(made, [(each, None)], recipe)).final[0] for each in (poses, changed))
    np.testing.assert_allclose(one[: 20 - lag], two[: 20 - lag], atol=1e-6)
    assert (one[20 - lag :] - two[20 - lag :]).abs().max() > 1e-3


def test_recordings_together_are_told_each_of_its_own():
    made, recipe = network(), Recipe(window=W, bones=BONES)
    poses = [recording(frames, seed=frames) for frames in (9, 20, 5)]
    together = [found.final for found in refine(made, [(each, None) for each in poses], recipe)]
    for each, found in zip(poses, together):
        np.testing.assert_allclose(found, next(refine(made, [(each, None)], recipe)).final, atol=1e-5)


def test_segments_are_told_like_whole_windows():
    torch.manual_seed(0)
    made = ResidualSynSP(12, Sizes(16, 16, 2, 2, 8, 8), residual_components=2, bones=3, segments=True).eval()
    made.proj_b.weight.data.normal_()
    poses = recording(W)[None]
    recipe = Recipe(window=W, bones=BONES, segment=4)
    told = [torch.randn(1, 1, 3, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1)]
    with torch.no_grad():
        one, two, again = (run(made, recipe, poses, body=each)[0].precision for each in (*told, told[0]))
    assert one.shape == poses.shape and (one == again).all()
