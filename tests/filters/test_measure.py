"""What poses say of their own errors: jitter, bone lengths, and the cut-off of residual analysis."""

import numpy as np
import pytest

from lib.filters import measure
from lib.filters.residual import residual_analysis
from tests.filters.test_tuned import clock, wave


@pytest.mark.parametrize("sigma", (1e-3, 0.02, 0.5))
@pytest.mark.parametrize("hertz", (0.5, 1.5))
def test_jitter_is_told_whatever_the_motion(sigma, hertz):
    clean, noisy = wave(600, sigma, hertz=hertz)
    np.testing.assert_allclose(measure.jitter(noisy, clock(600)), sigma, rtol=0.1)
    assert measure.jitter(clean, clock(600)).max() < 1e-3 * 0.9


def test_jitter_with_gaps_outliers_uneven_times_and_too_little():
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.choice([1, 1, 1, 2], 600)) / 30
    tracks = np.sin(times)[:, None, None] + 0.02 * rng.standard_normal((600, 3, 3))
    tracks[rng.random((600, 3)) < 0.1] = np.nan
    tracks[::40] += 5.0
    tracks[10:, 2] = np.nan
    found = measure.jitter(tracks, times)
    np.testing.assert_allclose(found[:2], 0.02, rtol=0.35)
    assert np.isnan(found[2])
    assert np.isnan(measure.jitter(tracks[:8], times[:8])).all()


def test_bones_wander_by_slow_errors_and_not_by_jitter():
    rng = np.random.default_rng(1)
    times = clock(900)
    body = (
        np.stack([0 * times, 0.4 + 0 * times], axis=1)[..., None] * np.array([0, 1.0, 0]) + np.sin(times)[:, None, None]
    )
    noisy = body + 0.02 * rng.standard_normal(body.shape)
    found = measure.measure(noisy, times, [(0, 1)])
    assert found.wander[0] < 0.004
    np.testing.assert_allclose(found.jitter, 0.02, rtol=0.1)
    noisy[:, 1, 1] += 0.03 * np.sqrt(2) * np.sin(2 * np.pi * 0.2 * times)
    noisy[5, 0] = np.nan
    found = measure.measure(noisy, times, [(0, 1)])
    assert found.wander[0] == pytest.approx(0.03, rel=0.15)
    assert found.missing[0] == pytest.approx(1 / 900) and found.missing[1] == 0


def test_residual_analysis_finds_noise_and_a_cutoff_above_the_motion():
    _, noisy = wave(900, 0.05, hertz=1.0)
    found = residual_analysis(noisy, clock(900))
    np.testing.assert_allclose(found.noise, 0.05, rtol=0.1)
    assert found.body_noise == pytest.approx(0.05, rel=0.05)
    assert 1.5 < found.body_suggestion < 4
    _, quieter = wave(900, 0.005, hertz=1.0)
    assert residual_analysis(quieter, clock(900)).body_suggestion > found.body_suggestion
    assert found.residual.shape == found.line.shape == (len(found.cutoffs), 2)


def test_residual_analysis_bridges_gaps_and_says_nothing_of_little():
    _, noisy = wave(300, 0.05)
    noisy[20:25, 0] = np.nan
    noisy[:, 1] = np.nan
    found = residual_analysis(noisy, clock(300))
    assert np.isfinite(found.suggestion[0]) and np.isnan(found.suggestion[1]) and np.isfinite(found.body_suggestion)
    assert residual_analysis(noisy[:20], clock(20)) is None
    assert residual_analysis(noisy, clock(300, 3.0)) is None


def test_bones_of_another_person_do_not_wander():
    rng, times = np.random.default_rng(0), clock(300)
    poses = np.zeros((300, 2, 3))
    poses[:, 1, 0] = np.where(times < times[150], 0.3, 0.4)
    poses += 0.001 * rng.standard_normal(poses.shape)
    assert measure.measure(poses, times, [(0, 1)]).wander[0] > 0.03
    assert measure.measure(poses, times, [(0, 1)], [slice(0, 150), slice(150, 300)]).wander[0] < 0.001
