"""Windows become one pose a frame: offline and frame by frame the same at every lag, and as the definition says."""

import numpy as np
import pytest
import torch

from lib.windows.merge import Merge, StreamMerge
from lib.windows.recipe import Recipe

W, CHANNELS = 8, 3
LAGS = range(W)
WEIGHTS = {"mean": np.ones(W), "triangular": np.array([1.0, 2, 3, 4, 4, 3, 2, 1])}


def ended(frames, seed=0):
    """What a network might say of the windows that end at each frame of a recording, [T, W, C]."""
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(frames, W, CHANNELS)))


def offline(recipe, windows):
    """A recording of as many frames as windows, merged as a whole: [T, C]. With no lag only whole windows, of a short one the
    one that is padded at its end."""
    merge, frames = Merge(recipe), len(windows)
    if merge.lag is None:
        windows = windows[W - 1 :] if frames >= W else windows[-1:]
    came = windows.new_zeros(max(frames + merge.lead, W), CHANNELS)
    return merge.carried(merge(windows, came)[:frames])


def live(recipe, windows):
    """The same frame by frame, as lib/tracks/live.py uses it: [T, C]."""
    merge, out, frames = StreamMerge(recipe), [], len(windows)
    for frame, window in enumerate(windows.numpy()):
        if recipe.lag < W - 1 or frame >= W - 1:
            merge.add(window[None], frame)
        if frame >= recipe.lag:
            out.append(merge.at(recipe.lag)[0])
    if not merge.begun:
        merge.add_all(windows[-1:].numpy(), frames)
    out += [merge.at(late)[0] for late in range(min(recipe.lag, frames) - 1, -1, -1)]
    return np.array(out)


def by_definition(recipe, windows):
    """Frame t is the weighted mean of what the windows that end by t + lag say of it. Of those that begin before the
    recording does, only frames that must be out before the first whole window make use, and recordings without one."""
    frames, weights = len(windows), WEIGHTS[recipe.weighting]
    out = np.empty((frames, CHANNELS))
    for frame in range(frames):
        ends = range(frame, min(frame + recipe.lag, frames - 1) + 1)
        if frames >= W and frame + recipe.lag >= W - 1:
            ends = [end for end in ends if end >= W - 1]
        places = [W - 1 - (end - frame) for end in ends]
        values = np.array([windows[end, place].numpy() for end, place in zip(ends, places)])
        out[frame] = np.average(values, axis=0, weights=weights[places])
        if recipe.carry and recipe.lag == 0 and frame:
            out[frame] += recipe.carry * (out[frame - 1] - out[frame])
    return out


@pytest.mark.parametrize("weighting", ["mean", "triangular"])
@pytest.mark.parametrize("frames", [1, 2, 5, W - 1, W, W + 1, 2 * W, 40])
@pytest.mark.parametrize("lag", LAGS)
def test_a_stream_puts_out_what_the_whole_recording_gives(lag, frames, weighting):
    recipe, windows = Recipe(window=W, weighting=weighting).streamed(lag), ended(frames)
    expected = offline(recipe, windows)
    assert expected.shape == (frames, CHANNELS)
    np.testing.assert_allclose(live(recipe, windows), expected, atol=1e-5)


@pytest.mark.parametrize("weighting", ["mean", "triangular"])
@pytest.mark.parametrize("frames", [1, 5, W, 40])
def test_what_is_carried_on_is_the_same_live_and_offline(frames, weighting):
    recipe, windows = Recipe(window=W, weighting=weighting, carry=0.4).streamed(0), ended(frames)
    expected = offline(recipe, windows)
    np.testing.assert_allclose(live(recipe, windows), expected, atol=1e-5)
    if frames > 1:
        assert (expected - offline(recipe.but(carry=0.0), windows)).abs().max() > 0.1


@pytest.mark.parametrize("weighting", ["mean", "triangular"])
@pytest.mark.parametrize("carry", [0.0, 0.4])
@pytest.mark.parametrize("frames", [3, W, 25])
@pytest.mark.parametrize("lag", range(W - 1))
def test_a_lag_is_what_its_definition_says(lag, frames, carry, weighting):
    recipe, windows = Recipe(window=W, weighting=weighting, carry=carry).streamed(lag), ended(frames)
    np.testing.assert_allclose(offline(recipe, windows), by_definition(recipe, windows), atol=1e-5)


@pytest.mark.parametrize("weighting", ["mean", "triangular"])
def test_a_lag_of_the_whole_window_is_none(weighting):
    recipe, windows = Recipe(window=W, weighting=weighting), ended(30)
    assert Merge(recipe.streamed(W - 1)).lead == Merge(recipe).lead == 0 and Merge(recipe.streamed(W - 2)).lead == W - 1
    assert torch.equal(offline(recipe.streamed(W - 1), windows), offline(recipe, windows))


@pytest.mark.parametrize("weighting", ["mean", "triangular"])
@pytest.mark.parametrize("lag", LAGS)
def test_the_midst_of_a_recording_is_merged_as_in_the_whole(lag, weighting):
    """`streamed`, which training is judged by: of R windows the R - L frames that all L + 1 windows know."""
    recipe, windows = Recipe(window=W, weighting=weighting).streamed(lag), ended(40)
    first, count = 20, lag + 4
    midst = Merge(recipe).streamed(windows[first : first + count])
    assert midst.shape == (4, CHANNELS)
    np.testing.assert_allclose(midst, offline(recipe, windows)[first : first + 4], atol=1e-5)


def test_the_midst_of_a_recording_soon_carries_the_same_on():
    """It begins with nothing to carry; by each frame the difference shrinks to the share that is carried."""
    recipe, windows = Recipe(window=W, carry=0.4).streamed(0), ended(40)
    off = Merge(recipe).streamed(windows[20:32]) - offline(recipe, windows)[20:32]
    assert off[0].abs().max() > 0.1
    np.testing.assert_allclose(off, off[:1].numpy() * 0.4 ** np.arange(12)[:, None], atol=1e-5)


def test_nothing_is_carried_but_without_delay():
    poses = ended(1)[0]
    for lag in range(1, W):
        assert torch.equal(Merge(Recipe(carry=0.4).streamed(lag)).carried(poses), poses)
    assert torch.equal(Merge(Recipe(carry=0.4)).carried(poses), poses)
    assert torch.equal(Merge(Recipe().streamed(0)).carried(poses), poses)


def test_nothing_is_carried_on_for_a_person_who_is_new():
    """Of two people, one comes back at frame 10: the newest window alone speaks for that frame."""
    recipe, windows = (
        Recipe(window=W, carry=0.4).streamed(0),
        torch.stack((ended(20), ended(20, seed=1)), dim=1).numpy(),
    )
    merge, out = StreamMerge(recipe), []
    for frame, both in enumerate(windows):
        merge.add(both, frame, np.array([False, frame == 10]))
        out.append(merge.at(0))
    out = np.array(out)
    np.testing.assert_allclose(out[10, 1], windows[10, 1, -1])
    np.testing.assert_allclose(out[11, 1], 0.6 * windows[11, 1, -1] + 0.4 * windows[10, 1, -1])
    np.testing.assert_allclose(out[:, 0], offline(recipe, torch.from_numpy(windows[:, 0])), atol=1e-5)


@pytest.mark.parametrize("lag", [None, *LAGS])
def test_the_cue_is_averaged_over_the_windows_that_count(lag):
    recipe, cue = Recipe(window=W, lag=lag), ended(30)[..., 0].abs()
    merge = Merge(recipe)
    given = cue if merge.lag is not None else cue[W - 1 :]
    expected = offline(recipe, cue[..., None].expand(-1, -1, CHANNELS))[:, 0]
    np.testing.assert_allclose(merge.confidence(given, 30 + merge.lead), expected, atol=1e-6)


def test_several_recordings_views_and_people_are_merged_each_by_itself():
    recipe, first, second = Recipe(window=W).streamed(3), ended(20), ended(20, seed=1)
    merge = Merge(recipe)
    both = merge(torch.stack((first, second)), torch.zeros(2, 20 + merge.lead, CHANNELS))
    np.testing.assert_allclose(both, torch.stack((offline(recipe, first), offline(recipe, second))), atol=1e-6)


@pytest.mark.parametrize("step, frames", [(1, 40), (3, 38), (8, 40)])
def test_the_spread_of_windows_is_the_standard_deviation_of_what_they_add(step, frames):
    """Windows that each add one random number: an unbiased estimate of its size, unknown where a frame is in one window alone."""
    recipe, rng = Recipe(window=W, step=step), np.random.default_rng(0)
    starts = list(range(0, frames - W + 1, step))
    added = rng.normal(0, 0.5, (2000, len(starts), 1, 1))
    windows = torch.from_numpy(np.broadcast_to(added, (2000, len(starts), W, 1)).copy())
    merge = Merge(recipe)
    merged = merge(windows, windows.new_zeros(frames, 1))
    spread = merge.spread(windows, merged).numpy()
    count = np.array([sum(start <= frame < start + W for start in starts) for frame in range(frames)])
    assert np.isnan(spread[:, count == 1]).all() and np.isfinite(spread[:, count > 1]).all()
    np.testing.assert_allclose((spread[:, count > 1] ** 2).mean(axis=0), 0.25, rtol=0.1)


def test_a_stream_says_no_spread():
    merge = Merge(Recipe(window=W, lag=3))
    assert torch.isnan(merge.spread(ended(20)[None], torch.zeros(1, 20, CHANNELS))).all()
