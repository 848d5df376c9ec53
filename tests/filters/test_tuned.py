"""Filters that tune themselves: against scipy's spline, dense algebra, closed forms, and what they must leave alone."""

import numpy as np
import pytest
from scipy.interpolate import make_smoothing_spline

from lib.filters import tuned
from lib.filters.penalised import CubicSpline, Whittaker

FILTERS = (tuned.gcv, tuned.whittaker, tuned.self_tuned)
FPS = 30.0


def clock(count, fps=FPS):
    return np.arange(count) / fps


def wave(count=300, sigma=0.1, seed=0, hertz=0.8, joints=2):
    """(clean, noisy) [T, joints, 3]: a sine a channel, of which the period is known."""
    rng = np.random.default_rng(seed)
    phase = rng.uniform(0, 2 * np.pi, (joints, 3))
    clean = np.sin(2 * np.pi * hertz * clock(count)[:, None, None] + phase)
    return clean, clean + sigma * rng.standard_normal(clean.shape)


def dense(smoother, lam, roughness):
    """The matrix that smooths, from W and P as dense matrices."""
    return np.linalg.solve(np.diag(smoother.weights) + lam * roughness, np.diag(smoother.weights))


@pytest.mark.parametrize("order", (2, 3))
def test_whittaker_is_the_dense_solution_and_counts_its_freedom(order):
    rng = np.random.default_rng(1)
    weights = rng.uniform(0.2, 2, 40) * (rng.random(40) > 0.2)
    smoother = Whittaker(clock(40), order, weights)
    values, rows = rng.standard_normal((3, 40)), np.diff(np.eye(40), order, axis=0)
    matrix = dense(smoother, 20.0, rows.T @ rows)
    np.testing.assert_allclose(smoother.fit(values, 20.0), values @ matrix.T, atol=1e-9)
    assert smoother.freedom(20.0) == pytest.approx(np.trace(matrix), abs=1e-4)


@pytest.mark.parametrize("uneven", (False, True))
def test_cubic_spline_is_scipys(uneven):
    rng = np.random.default_rng(2)
    times = np.cumsum(rng.uniform(0.5, 1.5, 60)) / FPS if uneven else clock(60)
    values = rng.standard_normal(60)
    smoother = CubicSpline(times)
    theirs = make_smoothing_spline(smoother.frames, values, lam=7.0)(smoother.frames)
    np.testing.assert_allclose(smoother.fit(values[None], 7.0)[0], theirs, atol=1e-8)


@pytest.mark.parametrize("sigma", (0.05, 0.3))
def test_gcv_chooses_as_scipy_does_on_a_single_channel(sigma):
    _, noisy = wave(200, sigma, joints=1)
    noisy = noisy[:, :, :1]
    theirs = make_smoothing_spline(np.arange(200.0), noisy[:, 0, 0])(np.arange(200.0))
    ours = tuned.gcv(noisy, clock(200))
    assert np.abs(ours.values[:, 0, 0] - theirs).max() < 0.1 * sigma


def test_robust_cross_validation_is_seldom_too_rough():
    """Of 200 noisy points that stay where they are, as Lukas (2006) says; plain cross-validation follows the noise of some."""
    noisy = np.random.default_rng(0).standard_normal((60, 200, 1))
    plain, robust = (tuned.gcv(noisy, clock(60), robust=each) for each in (1.0, 0.6))
    assert np.mean(robust.cutoff > 2) < 0.5 * np.mean(plain.cutoff > 2)
    assert (robust.values**2).mean() < 0.8 * (plain.values**2).mean()


@pytest.mark.parametrize("apply", FILTERS)
@pytest.mark.parametrize("sigma", (0.02, 0.1, 0.5))
def test_the_noise_of_a_sine_is_found_and_mostly_removed(apply, sigma):
    clean, noisy = wave(600, sigma)
    result = apply(noisy, clock(600))
    np.testing.assert_allclose(result.noise, sigma, rtol=0.1)
    assert np.sqrt(((result.values - clean) ** 2).mean()) < 0.5 * sigma
    assert (result.cutoff > 0.8).all() and (result.cutoff < 6).all()


@pytest.mark.parametrize("apply, degree", ((tuned.gcv, 1), (tuned.whittaker, 2), (tuned.self_tuned, 2)))
def test_polynomials_below_the_order_pass_unchanged(apply, degree):
    times = clock(100)
    tracks = (3 * times**degree - times + 2)[:, None, None] * np.ones((1, 2, 3))
    np.testing.assert_allclose(apply(tracks, times).values, tracks, atol=1e-8)


@pytest.mark.parametrize("apply", FILTERS)
def test_what_rests_and_what_is_short_stays(apply):
    resting = np.full((50, 2, 3), 1.5)
    np.testing.assert_allclose(apply(resting, clock(50)).values, resting, atol=1e-9)
    for count in range(5):
        short = np.random.default_rng(0).standard_normal((count, 2, 3))
        assert np.array_equal(apply(short, clock(count)).values, short)
    five = apply(np.random.default_rng(0).standard_normal((5, 2, 3)), clock(5)).values
    assert np.isfinite(five).all()


@pytest.mark.parametrize("apply", FILTERS)
def test_missing_values_stay_missing_and_spoil_nothing(apply):
    clean, noisy = wave(300)
    holed = noisy.copy()
    gone = np.random.default_rng(3).random((300, 2)) < 0.15
    gone[100:120, 0] = True
    holed[gone, 0] = np.nan  # one coordinate is enough
    found = apply(holed, clock(300)).values
    assert np.array_equal(np.isnan(found[..., 1]), gone & np.isnan(holed[..., 0]) & np.isnan(found[..., 1]))
    kept = ~gone
    assert np.isfinite(found[kept]).all()
    assert np.sqrt(((found - clean)[kept] ** 2).mean()) < 0.045
    noisy[:, 1] = np.nan  # a joint never seen
    assert np.isfinite(apply(noisy, clock(300)).values[:, 0]).all()


@pytest.mark.parametrize("apply", FILTERS)
def test_uneven_times_are_times(apply):
    rng = np.random.default_rng(4)
    times = np.cumsum(rng.choice([1, 1, 1, 2], 300)) / FPS
    clean = np.sin(2 * np.pi * 0.8 * times)[:, None, None] * np.ones((1, 1, 3))
    noisy = clean + 0.1 * rng.standard_normal(clean.shape)
    assert np.sqrt(((apply(noisy, times).values - clean) ** 2).mean()) < 0.05


@pytest.mark.parametrize("apply", FILTERS)
def test_the_rate_changes_nothing_but_the_clock(apply):
    _, noisy = wave(200)
    slow, fast = apply(noisy, clock(200, 100)), apply(noisy, clock(200, 200))  # where cut-offs tried go by the rate
    np.testing.assert_allclose(slow.values, fast.values, atol=1e-9)
    np.testing.assert_allclose(2 * slow.cutoff, fast.cutoff, rtol=1e-6)


@pytest.mark.parametrize("make, order", ((CubicSpline, 2), (Whittaker, 3)))
def test_the_cutoff_is_where_half_the_power_passes(make, order):
    times, smoother = clock(900), make(clock(900))
    lam = float(smoother.lam_at(2.0))
    wave = np.cos(2 * np.pi * smoother.cutoff_of(lam) * times)[None]
    passed = smoother.fit(wave, lam)[0, 300:600]
    assert np.abs(passed).max() == pytest.approx(np.sqrt(0.5), abs=0.01)
    assert smoother.cutoff_of(lam) == pytest.approx(2.0, rel=0.02)


def test_joints_of_a_group_share_their_smoothness():
    clean, noisy = wave(300, joints=3)
    noisy[:, 2] = clean[:, 2]
    alone, shared = tuned.gcv(noisy, clock(300)), tuned.gcv(noisy, clock(300), groups=[[0, 1, 2]])
    assert alone.cutoff[2] > 2 * alone.cutoff[0]
    assert shared.cutoff[0] == shared.cutoff[1] == shared.cutoff[2]


def test_a_known_noise_level_chooses_too():
    clean, noisy = wave(300, 0.2)
    right = tuned.whittaker(noisy, clock(300), noise=np.full(2, 0.2))
    assert np.sqrt(((right.values - clean) ** 2).mean()) < 0.08
    less = tuned.whittaker(noisy, clock(300), noise=np.full(2, 0.002))
    assert (less.cutoff > right.cutoff).all()


def test_weights_say_which_samples_count():
    clean, noisy = wave(300, 0.02)
    weights = np.ones((300, 2))
    wild = np.arange(5, 300, 10)
    noisy[wild] += 2.0
    weights[wild] = 1e-4
    found = tuned.whittaker(noisy, clock(300), weights=weights).values
    assert np.abs(found - clean).max() < 0.1


def test_correlated_errors_do_not_pass_for_motion():
    """What a detector smoothed itself has no white floor: cross-validation leaves it all in, the self-tuned choice does not."""
    rng = np.random.default_rng(5)
    clean, _ = wave(600, hertz=0.5)
    kernel = np.exp(-0.5 * (np.arange(-6, 7) / 0.8) ** 2)
    errors = np.apply_along_axis(
        np.convolve, 0, rng.standard_normal((600, 2, 3)), kernel / np.sqrt((kernel**2).sum()), "same"
    )
    noisy = clean + 0.05 * errors
    by_gcv, chosen = (apply(noisy, clock(600)) for apply in (tuned.whittaker, tuned.self_tuned))
    assert (chosen.cutoff < 0.7 * by_gcv.cutoff).all()
    assert (
        np.abs(np.diff(chosen.values - clean, 2, axis=0)).mean()
        < 0.7 * np.abs(np.diff(by_gcv.values - clean, 2, axis=0)).mean()
    )


def test_long_recordings_are_tuned_on_blocks(monkeypatch):
    _, noisy = wave(3000)
    whole = tuned.gcv(noisy, clock(3000))
    monkeypatch.setattr(tuned, "FRAMES", 10_000)
    np.testing.assert_allclose(whole.cutoff, tuned.gcv(noisy, clock(3000)).cutoff, rtol=0.15)
