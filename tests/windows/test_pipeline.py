from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter1d

from lib.errors import UserError
from lib.models import checkpoints
from lib.models.attention import Sizes
from lib.models.residual import ResidualSynSP
from lib.models.synsp import SynSP
from lib.windows import sliding_window
from lib.windows.pipeline import padded, refine
from lib.windows.recipe import Recipe

REFERENCE = Path(__file__).parents[1] / "reference"
W = 8


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return SynSP(12, Sizes(16, 16, 2, 2, 8, 8)).eval()


def recording(frames, views=1, seed=0, channels=12):
    return torch.from_numpy(np.random.default_rng(seed).normal(0, 0.3, (views, frames, channels))).float()


def naive(network, values, step, window=W, weights=None, present=None):
    """Window by window through the network, then frame by frame the mean of what covers it. Returns numpy [V, T, C]."""
    views, length, channels = values.shape
    rows = list(range(length)) + [length - 1] * max(0, window - length)
    firsts = list(range(0, max(length - window, 0) + 1, step))
    if firsts[-1] + window < length:
        firsts.append(length - window)
    entries = [[] for _ in rows]
    for first in firsts:
        index = rows[first : first + window]
        mask = None if present is None else present[:, index][None]
        with torch.no_grad():
            out = network(values[:, index][None], mask).final[0].numpy()
        for place in range(window):
            entries[first + place].append((1.0 if weights is None else weights[place], out[:, place]))
    result = values.numpy().copy()
    for frame in range(length):
        if entries[frame]:
            result[:, frame] = sum(w * value for w, value in entries[frame]) / sum(w for w, _ in entries[frame])
    return result


def one(network, values, present=None, batch=2048, **options):
    return next(refine(network, [(values, present)], Recipe(**{"window": W, **options}), batch))


@pytest.mark.parametrize("frames", [1, 2, 7, 8, 9, 30])
@pytest.mark.parametrize("step", [1, 3, 8, 11])
def test_equals_window_by_window_and_frame_by_frame(network, frames, step):
    values = recording(frames)
    refined = one(network, values, step=step)
    assert refined.final.shape == (1, frames, 12) and refined.quality.shape == (1, frames)
    np.testing.assert_allclose(refined.final, naive(network, values, step), atol=1e-5)
    assert torch.isfinite(refined.final).all()
    assert (refined.quality > 0).all() and (refined.quality <= 1).all()


@pytest.mark.parametrize("views", [2, 4])
@pytest.mark.parametrize("frames", [5, 20])
def test_several_views(network, views, frames):
    values = recording(frames, views)
    refined = one(network, values, step=2)
    np.testing.assert_allclose(refined.final, naive(network, values, 2), atol=1e-5)


def test_absent_frames(network):
    values, present = recording(20, 3), torch.ones(3, 20, dtype=torch.bool)
    present[1, 15:] = False
    present[2] = False
    refined = one(network, values, present)
    np.testing.assert_allclose(refined.final, naive(network, values, 1, present=present), atol=1e-5)
    spoilt = values.clone()
    spoilt[2] = 50
    np.testing.assert_allclose(one(network, spoilt, present).final[:2], refined.final[:2], atol=1e-5)
    np.testing.assert_allclose(one(network, values[:2], present[:2]).final, refined.final[:2], atol=1e-4)


@pytest.mark.parametrize("batch", [1, 5, 64, 10_000])
def test_recordings_together_are_as_each_alone(network, batch):
    sizes = [(30, 1), (3, 1), (8, 1), (50, 2), (9, 2), (1, 1), (17, 1), (12, 4)]
    recordings = [(recording(frames, views, seed=k), None) for k, (frames, views) in enumerate(sizes)]
    together = list(refine(network, iter(recordings), Recipe(window=W, step=3), batch))
    assert [tuple(found.final.shape[:2]) for found in together] == [(views, frames) for frames, views in sizes]
    for (values, _), found in zip(recordings, together):
        alone = one(network, values, step=3)
        np.testing.assert_allclose(found.final, alone.final, atol=1e-5)
        np.testing.assert_allclose(found.quality, alone.quality, atol=1e-5)


def test_masked_and_whole_recordings_share_a_batch(network):
    present = torch.ones(2, 20, dtype=torch.bool)
    present[1, :5] = False
    recordings = [(recording(20, 2), None), (recording(20, 2, seed=1), present), (recording(6, 2, seed=2), None)]
    for (values, mask), found in zip(recordings, refine(network, recordings, Recipe(window=W))):
        np.testing.assert_allclose(found.final, one(network, values, mask).final, atol=1e-5)


def test_nothing_to_refine(network):
    assert list(refine(network, [], Recipe(window=W))) == []


def test_a_long_step_leaves_uncovered_frames_as_they_came(network):
    values = recording(40)
    refined = one(network, values, step=12).final  # windows at 0, 12, 24 and 32
    covered = np.zeros(40, bool)
    for first in (0, 12, 24, 32):
        covered[first : first + W] = True
    assert covered.sum() < 40
    assert torch.equal(refined[:, ~covered], values[:, ~covered])
    assert not torch.isclose(refined[:, covered], values[:, covered]).all(-1).any()


def test_whole_recordings_pass_a_gaussian_and_streams_do_not(network):
    values = recording(40)
    plain, smooth = one(network, values).final, one(network, values, smooth=1.5).final
    np.testing.assert_allclose(smooth, gaussian_filter1d(plain.numpy(), 1.5, axis=1, mode="nearest"), atol=1e-6)
    for lag in (0, 3, W - 1):
        assert (one(network, values, lag=lag, smooth=1.5).final == one(network, values, lag=lag).final).all()
    with pytest.raises(UserError, match="EVALUATE.SMOOTH is -1"):
        one(network, values, smooth=-1.0)


def test_triangular_weights(network):
    values = recording(25)
    shares = [1, 2, 3, 4, 4, 3, 2, 1]
    np.testing.assert_allclose(Recipe(window=W, weighting="triangular").place_weights(), shares)
    np.testing.assert_allclose(
        one(network, values, weighting="triangular").final, naive(network, values, 1, weights=shares), atol=1e-5
    )


def test_weights_by_the_networks_confidence(network):
    values = recording(12)
    firsts = sliding_window.starts(12, W, 1)
    with torch.no_grad():
        out = network(torch.stack([values[0, first : first + W] for first in firsts]))
    final, quality = out.final[:, 0].numpy(), out.quality[:, 0].numpy()
    refined = one(network, values, weighting="quality").final[0]
    for frame in range(12):
        entries = [
            (quality[n, frame - first], final[n, frame - first])
            for n, first in enumerate(firsts)
            if 0 <= frame - first < W
        ]
        expected = sum(q * value for q, value in entries) / sum(q for q, _ in entries)
        np.testing.assert_allclose(refined[frame], expected, atol=1e-5)


def test_confidence_is_the_mean_over_windows(network):
    values = recording(9)
    with torch.no_grad():
        quality = network(torch.stack((values[0, :8], values[0, 1:]))).quality[:, 0]
    expected = torch.cat((quality[0, :1], (quality[0, 1:] + quality[1, :7]) / 2, quality[1, 7:]))
    np.testing.assert_allclose(one(network, values).quality[0], expected, atol=1e-6)


@pytest.mark.parametrize("lag", [0, 3, 7])
@pytest.mark.parametrize("frames", [5, 8, 30])
def test_a_lag_leaves_out_windows_that_end_too_late(network, lag, frames):
    """Frame t is the mean of the windows that end by t + lag (the first window, where none does)."""
    values = recording(frames)
    rows = list(range(frames)) + [frames - 1] * max(0, W - frames)
    refined = one(network, values, lag=lag).final[0]
    firsts = range(len(rows) - W + 1)
    with torch.no_grad():
        out = {first: network(values[:, rows[first : first + W]][None]).final[0, 0].numpy() for first in firsts}
    for frame in range(W - 1, frames):
        known = [out[first][frame - first] for first in firsts if first <= frame <= first + W - 1 <= frame + lag]
        np.testing.assert_allclose(refined[frame], np.mean(known, axis=0), atol=1e-5)
    assert refined.shape == (frames, 12) and torch.isfinite(refined).all()


def test_smoothnet_comes_the_same_way():
    smoothnet = checkpoints.load(REFERENCE / "smoothnet_random.pth.tar").network
    values = recording(21, 2)
    np.testing.assert_allclose(one(smoothnet, values, step=3).final, naive(smoothnet, values, 3), atol=1e-5)


@pytest.mark.parametrize("window", [4, 16])
def test_synsp_at_another_window(network, window):
    values = recording(30)
    np.testing.assert_allclose(
        one(network, values, window=window, step=2).final, naive(network, values, 2, window), atol=1e-5
    )


@pytest.mark.parametrize("align", ["frame", "sequence"])
def test_views_that_stand_in_one_frame_are_refined_the_same_whichever_way_they_are_turned(align):
    """Turning one camera turns its result and nothing else."""
    torch.manual_seed(1)
    network = ResidualSynSP(12, Sizes(16, 16, 1, 2, 8, 8), residual_components=2).eval()
    base = recording(20)
    values = base + 0.02 * recording(20, 3, seed=1)
    angle = torch.tensor(0.8)
    turn = torch.tensor([[angle.cos(), 0, angle.sin()], [0, 1, 0], [-angle.sin(), 0, angle.cos()]])
    turned = values.clone()
    turned[1] = (values[1].unflatten(-1, (-1, 3)) @ turn.T).flatten(-2)
    straight = one(network, values, align=align, fuse="median").final
    result = one(network, turned, align=align, fuse="median").final
    expected = straight.clone()
    expected[1] = (straight[1].unflatten(-1, (-1, 3)) @ turn.T).flatten(-2)
    np.testing.assert_allclose(result, expected, atol=1e-4)


def test_numpy_recordings(network):
    values, present = recording(12, 2), np.ones((2, 12), bool)
    present[1, 9:] = False
    np.testing.assert_allclose(
        one(network, values.double().numpy(), present).final,
        one(network, values, torch.from_numpy(present)).final,
        atol=1e-6,
    )


def test_padding_repeats_the_last_frame():
    values = recording(3)
    assert torch.equal(padded(values, 3), values) and torch.equal(padded(values, 2), values)
    longer = padded(values, 6)
    assert torch.equal(longer[:, :3], values) and torch.equal(longer[:, 3:], values[:, 2:].expand(1, 3, 12))


@pytest.mark.parametrize(
    "options, key",
    [
        ({"step": 0}, "SLIDE_WINDOW_STEP_SIZE"),
        ({"weighting": "max"}, "WINDOW_WEIGHTS"),
        ({"align": "both"}, "ALIGN_VIEWS"),
        ({"batch": 0}, "BATCH_SIZE"),
        ({"lag": 8}, "lag"),
        ({"lag": -1}, "lag"),
        ({"lag": 2, "step": 2}, "lag"),
    ],
)
def test_impossible_settings_are_named(network, options, key):
    with pytest.raises(UserError, match=key):
        one(network, recording(10), **options)
