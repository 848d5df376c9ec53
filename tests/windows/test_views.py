"""Several views: rotations from poses, alignment, and what the network makes of a corrupted view."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from lib import config
from lib.dataset import sequences
from lib.dataset.catalog import Source
from lib.models.attention import Sizes
from lib.models.residual import ResidualSynSP
from lib.poses.representation import representation
from lib.poses.skeletons import LAYOUTS
from lib.windows import pipeline, views
from lib.windows.canonical import pairs_of
from lib.windows.fusing import median_of_views, steadied
from lib.windows.pipeline import refine
from lib.windows.recipe import Recipe


def rotations(count, seed=0):
    return torch.from_numpy(Rotation.random(count, rng=np.random.default_rng(seed)).as_matrix()).float()


def seen_by(poses, turns):
    """[F, J, 3] as cameras turned by [V, 3, 3] see it: [1, V, F, J, 3]."""
    return torch.einsum("vik,fjk->vfji", turns, poses)[None]


@pytest.fixture
def poses():
    return torch.randn(8, 17, 3, generator=torch.Generator().manual_seed(1)) * 0.3


def test_exact_views_are_turned_onto_one(poses):
    found = views.common_rotations(seen_by(poses, rotations(4)))
    aligned = torch.einsum("bvik,bvfjk->bvfji", found, seen_by(poses, rotations(4)))
    assert (aligned - aligned[:, :1]).abs().max() < 1e-5
    assert torch.allclose(torch.linalg.det(found), torch.ones(1, 4), atol=1e-5)


def test_a_mirrored_view_still_gets_a_proper_rotation(poses):
    mirrored = poses * torch.tensor([-1.0, 1, 1])
    found = views.common_rotations(torch.stack((poses, mirrored))[None])
    assert torch.allclose(torch.linalg.det(found), torch.ones(1, 2), atol=1e-5)


def test_absent_frames_do_not_count(poses):
    turns = rotations(3)
    seen = seen_by(poses, turns)
    spoiled = seen.clone()
    spoiled[:, 1, 4:] = 9.0
    present = torch.ones(1, 3, 8, dtype=torch.bool)
    present[:, 1, 4:] = False
    assert torch.allclose(views.common_rotations(spoiled, present), views.common_rotations(seen, present), atol=1e-5)


def test_a_view_that_shares_no_frame_stays_as_it_is(poses):
    seen = seen_by(poses, rotations(2))
    present = torch.ones(1, 2, 8, dtype=torch.bool)
    present[:, 1] = False
    assert torch.allclose(views.common_rotations(seen, present)[0, 1], torch.eye(3), atol=1e-6)


def test_align_is_undone(poses):
    values = (seen_by(poses, rotations(4)) + torch.tensor([1.0, 2, 5])).flatten(-2)
    aligned = views.Aligned.of(values, None, (0,))
    entered = aligned.enter(values)
    assert torch.allclose(aligned.leave(entered), values, atol=1e-5)
    assert entered.unflatten(-1, (-1, 3))[..., 0, :].abs().max() < 1e-6


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_median_of_views_is_numpys(count):
    x = torch.randn(3, count, 8, 6, generator=torch.Generator().manual_seed(2))
    expected = np.median(x.numpy(), axis=1, keepdims=True)
    assert np.allclose(median_of_views(x, None).numpy(), expected, atol=1e-6)
    present = torch.ones(3, count, 8, dtype=torch.bool)
    assert np.allclose(median_of_views(x, present).numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("align", ["frame", "sequence"])
def test_exact_views_are_refined_alike(poses, align):
    """An untrained residual network smooths the median, so exact views of one still pose come back exactly."""
    still = poses[:1].expand(20, 17, 3) - poses[:1, :1]
    seen = seen_by(still, rotations(4))[0].flatten(-2)
    network = ResidualSynSP(51, Sizes(16, 16, 1, 1, 8, 8), residual_components=2).eval()
    (refined,) = refine(network, [(seen, None)], Recipe(align=align, fuse="median"))
    assert torch.allclose(refined.final, seen, atol=1e-5)


def test_one_network_takes_any_number_of_views(poses):
    network = ResidualSynSP(51, Sizes(16, 16, 1, 1, 8, 8), residual_components=2).eval()
    for count in (1, 2, 3, 6):
        seen = seen_by(poses.repeat(2, 1, 1), rotations(count))[0].flatten(-2)
        (refined,) = refine(network, [(seen, None)], Recipe(align="frame", fuse="median"))
        assert refined.final.shape == (count, 16, 51) and refined.quality.shape == (count, 16)


@pytest.mark.parametrize("split, recordings", [("train", 10), ("test", 5)])
def test_the_shipped_cameras_are_grouped_and_see_one_body(split, recordings):
    """The four views of each clip of mmocap are one recording, and their truths differ by a rotation alone."""
    cfg = config.defaults()
    cfg.DATASET.BASE_DIR = str(Path(__file__).parents[2] / "data" / "poses")
    found = sequences.load(Source("mmocap", "noise", "3D"), split, cfg).recordings
    assert [len(recording.views) for recording in found] == [4] * recordings
    truth = torch.from_numpy(np.stack([view.truth for view in found[0].views]))[None]
    aligned = views.Aligned.of(truth, None, (0,)).enter(truth)
    assert (aligned - aligned[:, :1]).abs().max() < 1e-4


def test_steadied_takes_what_is_quick_from_the_views_and_what_lasts_from_the_network():
    """And no joint's share of the root's own path changes."""
    frames = torch.arange(200.0)
    slow, quick = torch.sin(frames / 25), torch.sin(frames * 1.2)  # of a period of 157 and of 5 frames
    root = torch.randn(1, 200, 1, 3, generator=torch.Generator().manual_seed(0))
    joints = torch.zeros(1, 200, 2, 3) + root
    refined, fused = joints.clone(), joints.clone()
    refined[:, :, 1] += (slow + quick)[None, :, None]
    fused[:, :, 1] += 5
    out = steadied(*(x.flatten(-2) for x in (refined, fused, joints)), (0,)).unflatten(-1, (2, 3))
    torch.testing.assert_close(out[:, :, 0], joints[:, :, 0], atol=1e-5, rtol=0)
    inner = (out - root)[0, 20:-20, 1, 0]
    torch.testing.assert_close(inner, slow[20:-20], atol=0.08, rtol=0)
    fused = joints.clone()
    fused[:, :, 1] += 5 + 0.1 * slow[None, :, None]
    refined[:, :, 1] = root[:, :, 0] + slow[None, :, None]
    out = steadied(*(x.flatten(-2) for x in (refined, fused, joints)), (0,)).unflatten(-1, (2, 3))
    torch.testing.assert_close((out - root)[0, 20:-20, 1, 0], slow[20:-20], atol=0.01, rtol=0)


@pytest.mark.parametrize("align", ["sequence", "frame"])
def test_views_are_steadied_for_networks_that_fuse_them_alone(align, monkeypatch):
    network = ResidualSynSP(51, Sizes(16, 16, 1, 2, 8, 8), residual_components=2, cue=True, fuses=True).eval()
    pairs = pairs_of(LAYOUTS["h36m17"], representation("3D"))
    recipe = Recipe(kind="3D", canonical=True, pairs=pairs, align=align, fuse="depth")
    poses = 0.3 * torch.randn(2, 1, 51, generator=torch.Generator().manual_seed(0)) + torch.zeros(2, 30, 51)
    poses = poses[:1] + 0.02 * torch.randn(3, 30, 51, generator=torch.Generator().manual_seed(1))
    seen = []
    monkeypatch.setattr(pipeline, "steadied", lambda refined, fused, frames, root: seen.append(fused) or refined)
    list(refine(network, [(poses, None)], recipe))
    assert len(seen) == 1 and seen[0].shape == poses.shape
    spread = [(x.unflatten(-1, (17, 3)) - x.unflatten(-1, (17, 3))[:, :, :1]).std(0).mean() for x in (seen[0], poses)]
    assert spread[0] < 0.5 * spread[1]  # what the views say together, each in its own frame
    list(refine(network, [(poses[:1], None)], recipe))
    list(refine(network, [(poses, None)], recipe.but(lag=7 - 1)))
    assert len(seen) == 1
