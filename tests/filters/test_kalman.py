"""The Kalman filter: against the dense Gaussian solution, at a lag, live, with outliers, and what it says of itself."""

from pathlib import Path

import numpy as np
import pytest

from lib.dataset import storage
from lib.filters import kalman, tuned
from tests.filters.test_tuned import FPS, clock, wave


def dense(values, frames, weights, ratio):
    """(means [T, C], variances [T]) of the places by conditioning one joint Gaussian of all states on all samples."""
    count, size = len(frames), kalman.ORDER
    states = np.zeros((count, count, size, size))
    covariance, through = kalman.PRIOR, []
    for frame in range(count):
        if frame:
            move = kalman.transition(frames[frame] - frames[frame - 1])
            covariance = move @ covariance @ move.T + ratio * kalman.jerk_noise(frames[frame] - frames[frame - 1])
            through = [move @ past for past in through]
        through.append(np.eye(size))
        states[frame, frame] = covariance
        for before in range(frame):
            states[frame, before] = through[before] @ states[before, before]
            states[before, frame] = states[frame, before].T
    places = states[:, :, 0, 0]
    seen = weights > 0
    first = values[seen][0]  # the prior's mean
    gain = np.linalg.solve(places[np.ix_(seen, seen)] + np.diag(1 / weights[seen]), places[seen]).T
    return first + gain @ (values[seen] - first), np.diag(places - gain @ places[seen])


@pytest.mark.parametrize("uneven", (False, True))
def test_smoother_is_the_dense_gaussian_solution(uneven):
    rng = np.random.default_rng(0)
    frames = np.cumsum(rng.uniform(0.5, 1.5, 30)) if uneven else np.arange(30.0)
    weights = np.where(rng.random((30, 1)) < 0.2, 0.0, rng.uniform(0.5, 2, (30, 1)))
    weights[0] = 1.0
    values = rng.standard_normal((30, 1, 2)).cumsum(axis=0)
    means, variances = kalman.places(values, frames, weights, np.array([0.05]))
    expected, spread = dense(values[:, 0], frames, weights[:, 0], 0.05)
    np.testing.assert_allclose(means[:, 0], expected, atol=1e-4)
    np.testing.assert_allclose(variances[:, 0], spread, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("lag", (0, 1, 4))
def test_at_a_lag_it_is_the_smoother_of_the_frames_so_far(lag):
    rng = np.random.default_rng(1)
    values = rng.standard_normal((25, 2, 3)).cumsum(axis=0)
    values[10:12, 1] = np.nan
    live = kalman.LiveKalman(2, 3, FPS, lag, ratio=0.02)
    live._noise = lambda: np.full((1, 2), np.inf)  # a smoother without outliers
    for frame in range(25):
        found = live.step(values[frame])
        if frame < lag:
            assert found is None
            continue
        seen = np.isfinite(values[: frame + 1]).all(axis=-1).astype(float)
        means, _ = kalman.places(np.nan_to_num(values[: frame + 1]), np.arange(frame + 1.0), seen, np.full(2, 0.02))
        np.testing.assert_allclose(found[0], means[frame - lag], atol=1e-5)


@pytest.mark.parametrize("sigma", (0.02, 0.1, 0.5))
def test_noise_of_a_sine_is_found_and_sigma_says_how_wrong_it_is(sigma):
    clean, noisy = wave(600, sigma, joints=4)
    result = kalman.kalman(noisy, clock(600))
    np.testing.assert_allclose(result.noise, sigma, rtol=0.1)
    error = np.sqrt(((result.values - clean) ** 2).mean())
    assert error < 0.5 * sigma
    assert 0.7 < error / result.sigma.mean() < 1.4
    assert result.sigma[0].mean() > 1.3 * result.sigma[300].mean()  # ends are less certain


def test_it_is_the_whittaker_smoother_by_likelihood():
    _, noisy = wave(300, 0.1)
    ours = kalman.kalman(noisy, clock(300), robust=False)
    theirs = tuned.whittaker(noisy, clock(300), by="ml")
    np.testing.assert_allclose(ours.cutoff, theirs.cutoff, rtol=1e-6)
    assert np.abs(ours.values - theirs.values)[10:-10].max() < 0.02


def test_errors_that_last_lower_the_cut_off_of_slow_motion_alone():
    tracks, times = wave(300, 0.1)[1], clock(300)
    whole = kalman.kalman(tracks, times).cutoff
    for robust in (True, False):
        lowered = kalman.kalman(tracks, times, robust=robust, pace=2 * whole.mean()).cutoff
        np.testing.assert_allclose(lowered, whole * np.sqrt(whole / (2 * whole.mean())), rtol=0.01)
    np.testing.assert_allclose(kalman.kalman(tracks, times, pace=0.5 * whole.min()).cutoff, whole, rtol=0.01)


@pytest.mark.parametrize("length", (2, 3))
def test_jumps_of_some_frames_count_little(length):
    """An arm that a detector puts on something else now and then."""
    clean, noisy = wave(300, 0.02)
    wild = noisy.copy()
    for first in (60, 130, 220):
        wild[first : first + length] += 1.0
    robust, plain = (np.abs(kalman.kalman(wild, clock(300), robust=robust).values - clean) for robust in (True, False))
    assert robust.mean() < 0.3 * plain.mean()


def test_an_outlier_hardly_moves_its_neighbours():
    clean, noisy = wave(300, 0.02)
    wild = noisy.copy()
    wild[150] += 1.0
    robust, plain = (kalman.kalman(wild, clock(300), robust=robust).values for robust in (True, False))
    around = np.r_[140:150, 151:160]
    assert np.abs(robust - clean)[around].max() < 0.3 * np.abs(plain - clean)[around].max()


@pytest.mark.parametrize("degree", (0, 1, 2))
def test_a_parabola_passes(degree):
    times = clock(80)
    tracks = ((1 + times) ** degree)[:, None, None] * np.ones((1, 2, 3))
    np.testing.assert_allclose(kalman.kalman(tracks, times).values, tracks, atol=1e-5)


def test_missing_values_short_tracks_and_uneven_times():
    clean, noisy = wave(300)
    gone = np.random.default_rng(2).random((300, 2)) < 0.2
    noisy[gone] = np.nan
    times = np.cumsum(np.random.default_rng(3).uniform(0.9, 1.1, 300)) / FPS
    result = kalman.kalman(noisy, times)
    assert np.array_equal(np.isnan(result.values[..., 0]), gone)
    assert np.sqrt(np.nanmean((result.values - clean) ** 2)) < 0.06
    for count in range(6):
        short = np.random.default_rng(0).standard_normal((count, 2, 3))
        found = kalman.kalman(short, clock(count)).values
        assert np.isfinite(found).all() and (count > 4 or np.array_equal(found, short))


@pytest.mark.parametrize("lag, share", ((0, 0.85), (3, 0.55), (10, 0.5)))
def test_a_stream_learns_how_noisy_it_is(lag, share):
    clean, noisy = wave(600, 0.05, hertz=0.5, joints=4)
    result = kalman.at_lag(noisy, FPS, lag)
    error = np.sqrt(((result.values - clean)[60:] ** 2).mean())
    assert error < share * 0.05
    assert 0.6 < error / result.sigma[60:].mean() < 1.5


def test_a_stream_with_what_comes_late_rests_and_goes():
    live = kalman.LiveKalman(2, 3, FPS, 2)
    values = np.ones((2, 3))
    values[1] = np.nan
    for _ in range(10):
        found = live.step(values)
    assert np.isnan(found[0][1]).all()
    np.testing.assert_allclose(found[0][0], 1.0, atol=1e-9)
    values[1] = 5.0
    for _ in range(4):
        found = live.step(values)
    np.testing.assert_allclose(found[0][1], 5.0, atol=1e-9)
    live.restart(np.array([False, True]))
    values[1] = -3.0
    np.testing.assert_allclose(live.step(values)[0][0], 1.0, atol=1e-9)
    np.testing.assert_allclose(live.late(0)[0][1], -3.0, atol=1e-9)


def test_a_leap_after_rest_is_followed():
    tracks = np.zeros((60, 1, 3))
    tracks[30:] = 100.0
    for result in (kalman.kalman(tracks, clock(60)), kalman.at_lag(tracks, FPS, 3)):
        assert np.isfinite(result.values).all()
        np.testing.assert_allclose(result.values[-5:], 100.0, rtol=0.05)


def test_motion_that_begins_after_rest_is_followed_live():
    """A sine of amplitude 1 after five seconds of rest: its first frames are no outliers to be waited out."""
    motion = np.concatenate([np.zeros(150), np.sin(2 * np.pi * np.arange(45) / 30)])[:, None, None] * np.ones((1, 1, 2))
    noisy = motion + np.random.default_rng(0).normal(0, 0.01, motion.shape)
    off = np.abs(kalman.at_lag(noisy, 30, 3).values - motion)[150:]
    assert off.mean() < 0.01  # than the noise; 0.11 while every outlier was doubted


@pytest.mark.parametrize("lag", (0, 1, 3))
def test_leaps_after_rest_are_no_worse_than_they_come(lag):
    """Acrobatics of the sample, 46 frames with 1 mm of jitter an axis, about their root."""
    data = storage.read(Path(__file__).parents[2] / "data/poses/mocap_noise_3D/groundtruth/mocap_gt_3D_train.npz")
    motion = np.asarray(min(data["joints_3d"], key=lambda clip: abs(len(clip) - 46)), dtype=float).reshape(-1, 17, 3)
    noisy = motion + np.random.default_rng(0).normal(0, 0.001, motion.shape)
    found = kalman.at_lag(noisy, 30, lag).values - motion
    error, before = (np.linalg.norm(off - off[:, :1], axis=-1).mean() for off in (found, noisy - motion))
    assert error < before


def test_one_wild_frame_does_not_roughen_a_stream():
    clean, noisy = wave(300, 0.02, joints=4)
    wild = noisy.copy()
    wild[150] += 1.0
    plain, moved = (np.abs(kalman.at_lag(tracks, FPS, 3).values - clean) for tracks in (noisy, wild))
    assert moved[150].max() < 0.3
    assert moved[151:180].mean() < 1.5 * plain[151:180].mean()


def test_a_stream_that_was_clean_learns_the_jitter_that_comes():
    clean, noisy = wave(600, 0.05, hertz=0.5, joints=4)
    noisy[:200] = clean[:200]
    error = np.sqrt(((kalman.at_lag(noisy, FPS, 3).values - clean)[400:] ** 2).mean())
    assert error < 0.6 * 0.05


def test_errors_that_last_beside_hardly_any_jitter_leave_the_equations_solvable():
    """A pace far above a slow cut-off asked for a smoothness beyond what banded solves hold (LinAlgError)."""
    times = np.arange(392) / 60
    still = np.where(times > 6.4, 1e-4 * (times - 6.4), 0.0)[:, None, None] * np.ones((1, 1, 6))
    done = kalman.kalman(still + 1e-6 * np.random.default_rng(0).standard_normal(still.shape), times, pace=500.0)
    assert np.isfinite(done.values).all()
