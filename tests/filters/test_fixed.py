import math
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from lib import config
from lib.config_values import merge_overrides
from lib.errors import UserError
from lib.filters import fixed, registry

REFERENCE = Path(__file__).parents[1] / "reference" / "official_numerics.npz"


@pytest.fixture
def cfg():
    return config.defaults()


def tracks(frames, seed=0, joints=4, dims=3):
    return np.random.default_rng(seed).normal(size=(frames, joints, dims))


# ------------------------------------------------------------------------------ the published numbers


@pytest.mark.parametrize("name", ["savgol", "oneeuro", "gaus1d"])
def test_published(cfg, name):
    cfg.EVALUATE.TRADITION_GAUS1D.BLOCKWISE = True  # as published
    with np.load(REFERENCE) as stored:
        noisy, expected = stored["pred"].reshape(97, 17, 3), stored[f"filter_{name}"]
    np.testing.assert_allclose(registry.configured(name, cfg)(noisy.astype(np.float64)), expected, atol=1e-5)


def test_published_gaussian_leaves_the_tail_raw_and_ours_does_not(cfg):
    noisy = tracks(97)
    blockwise = fixed.gaus1d(noisy, blockwise=True)
    assert np.array_equal(blockwise[93:], noisy[93:]) and not np.allclose(blockwise[92], noisy[92])
    ours = registry.configured("gaus1d", cfg)(noisy)
    assert np.abs(ours[93:]).max() < 0.6 * np.abs(noisy[93:]).max()


# ---------------------------------------------------------------------------------------- every filter


@pytest.mark.parametrize("name", registry.FILTERS)
@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 8, 15, 30, 31, 32, 70])
def test_a_constant_stays(cfg, name, frames):
    resting = np.full((frames, 3, 2), 0.7) * np.arange(1, 4)[:, None]
    np.testing.assert_allclose(registry.configured(name, cfg)(resting), resting, atol=1e-9)


@pytest.mark.parametrize("name", registry.FILTERS)
@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 9, 33])
def test_short_and_long_tracks(cfg, name, frames):
    noisy = tracks(frames)
    before = noisy.copy()
    filtered = registry.configured(name, cfg)(noisy)
    assert filtered.shape == noisy.shape and np.isfinite(filtered).all()
    assert np.array_equal(noisy, before)
    if frames < 3:
        assert np.array_equal(filtered, noisy)


@pytest.mark.parametrize("name", fixed.FILTERS)
def test_joints_and_coordinates_are_filtered_alone(cfg, name):
    noisy = tracks(40)
    smooth = registry.configured(name, cfg)
    together = smooth(noisy)
    for joint in range(4):
        for dim in range(3):
            alone = smooth(noisy[:, joint, dim].reshape(-1, 1, 1))
            np.testing.assert_allclose(together[:, joint, dim], alone[:, 0, 0], atol=1e-12)


@pytest.mark.parametrize("name", registry.FILTERS)
def test_jitter_shrinks(cfg, name):
    noisy = 0.02 * tracks(300)  # metres
    assert np.diff(registry.configured(name, cfg)(noisy), 2, axis=0).std() < 0.75 * np.diff(noisy, 2, axis=0).std()


# ---------------------------------------------------------------------------------------- one by one


@pytest.mark.parametrize("frames", [3, 4, 5, 20, 31, 90])
def test_savgol_reproduces_a_quadratic_to_its_ends(cfg, frames):
    t = np.arange(frames)[:, None, None] / 10
    parabola = np.array([1.0, -2, 0.5]) * t**2 + 3 * t - 1
    np.testing.assert_allclose(registry.configured("savgol", cfg)(parabola), parabola, atol=1e-9)


def test_savgol_is_a_local_least_squares_fit():
    noisy = tracks(50, joints=1, dims=1)
    ours = fixed.savgol(noisy, 11, 3)[:, 0, 0]
    t = np.arange(-5, 6)
    for middle in range(5, 45):
        assert ours[middle] == pytest.approx(np.polyfit(t, noisy[middle - 5 : middle + 6, 0, 0], 3)[-1], abs=1e-9)
    start = np.polyval(np.polyfit(np.arange(11), noisy[:11, 0, 0], 3), np.arange(5))
    np.testing.assert_allclose(ours[:5], start, atol=1e-9)


@pytest.mark.parametrize("frames, window", [(30, 29), (31, 31), (6, 5), (5, 5)])
def test_savgol_window_shrinks_to_the_largest_odd_number(frames, window):
    noisy = tracks(frames)
    np.testing.assert_allclose(fixed.savgol(noisy, 31), fixed.savgol(noisy, window), atol=1e-12)


def test_gaussian_weights():
    """An impulse comes out as the normalised Gaussian, cut at 4 sigma."""
    impulse = np.zeros((61, 1, 1))
    impulse[30] = 1
    ours = fixed.gaus1d(impulse, sigma=3.0)[:, 0, 0]
    place = np.arange(-12, 13)
    bell = np.exp(-(place**2) / 18)
    np.testing.assert_allclose(ours[18:43], bell / bell.sum(), atol=1e-12)
    assert not ours[:18].any() and not ours[43:].any()


def test_gaussian_reflects_at_the_ends():
    noisy = tracks(20)
    mirrored = np.concatenate([noisy[::-1], noisy, noisy[::-1]])
    np.testing.assert_allclose(fixed.gaus1d(noisy), fixed.gaus1d(mirrored)[20:40], atol=1e-12)


def one_euro_by_the_letter(values, min_cutoff, beta, d_cutoff):
    def share(cutoff):
        return 2 * math.pi * cutoff / (2 * math.pi * cutoff + 1)

    previous, speed, out = values[0], 0.0, [values[0]]
    for value in values[1:]:
        speed = share(d_cutoff) * (value - previous) + (1 - share(d_cutoff)) * speed
        alpha = share(min_cutoff + beta * abs(speed))
        previous = alpha * value + (1 - alpha) * previous
        out.append(previous)
    return out


@pytest.mark.parametrize("parameters", [(0.04, 0.7, 1.0), (1.0, 0.0, 1.0), (0.01, 2.0, 0.5)])
def test_one_euro_recursion(parameters):
    noisy = tracks(40)
    ours = fixed.oneeuro(noisy, *parameters)
    for joint in range(4):
        for dim in range(3):
            expected = one_euro_by_the_letter(noisy[:, joint, dim].tolist(), *parameters)
            np.testing.assert_allclose(ours[:, joint, dim], expected, atol=1e-12)


def test_one_euro_is_causal():
    noisy, changed = tracks(30), tracks(30)
    changed[20:] += 1
    assert np.array_equal(fixed.oneeuro(noisy)[:20], fixed.oneeuro(changed)[:20])


def test_butterworth_keeps_slow_and_removes_fast_waves_without_lag():
    t = np.arange(400)[:, None, None]
    slow, fast = np.sin(2 * np.pi * 0.02 * t), np.sin(2 * np.pi * 0.4 * t)  # 0.04 and 0.8 of the Nyquist rate
    smooth = fixed.butterworth(slow + fast, cutoff=0.4)
    np.testing.assert_allclose(smooth[50:-50], slow[50:-50], atol=0.02)


@pytest.mark.parametrize("order", [1, 2, 4, 5])
def test_butterworth_at_its_cutoff_leaves_half(order):
    """Forwards and backwards: the gain 1/sqrt(2) twice."""
    t = np.arange(1000)[:, None, None]
    wave = np.sin(np.pi * 0.3 * t)
    smooth = fixed.butterworth(wave, cutoff=0.3, order=order)[200:-200]
    np.testing.assert_allclose(np.abs(smooth).max(), 0.5, atol=0.01)


def test_median_removes_an_outlier_entirely(cfg):
    t = np.zeros((40, 2, 3))
    t[20, 1] = 100
    assert not registry.configured("median+gaussian", cfg)(t).any()


def test_median_gaussian_against_scipy():
    noisy = tracks(30)
    expected = np.empty_like(noisy)
    for joint in range(4):
        for dim in range(3):
            middle = ndimage.median_filter(noisy[:, joint, dim], 5, mode="nearest")
            expected[:, joint, dim] = ndimage.gaussian_filter1d(middle, 1.5)
    np.testing.assert_allclose(fixed.median_gaussian(noisy), expected, atol=1e-12)


# ---------------------------------------------------------------------------------- names and config


def test_names():
    assert registry.names("") == []
    assert registry.names("savgol") == ["savgol"]
    assert registry.names("gaus1d, savgol,gaus1d") == ["gaus1d", "savgol"]
    assert registry.names("all") == list(registry.FILTERS)
    assert set(registry.FILTERS) >= {"savgol", "oneeuro", "gaus1d", "butterworth", "median+gaussian"}


@pytest.mark.parametrize("name", ["loess", "savgol,loess", "Savgol "])
def test_unknown_names_are_refused_by_name(name, cfg):
    with pytest.raises(UserError, match="savgol, oneeuro, gaus1d"):
        registry.names(name)
    with pytest.raises(UserError, match="loess"):
        registry.configured("loess", cfg)


@pytest.mark.parametrize(
    "key, value",
    [
        ("TRADITION_SAVGOL.WINDOW_SIZE", 0),
        ("TRADITION_SAVGOL.POLYORDER", -1),
        ("TRADITION_SAVGOL.POLYORDER", 31),
        ("TRADITION_GAUS1D.SIGMA", 0),
        ("TRADITION_GAUS1D.WINDOW_SIZE", 0),
        ("TRADITION_ONEEURO.MIN_CUTOFF", 0),
        ("TRADITION_ONEEURO.BETA", -1),
        ("TRADITION_BUTTERWORTH.CUTOFF", 1),
        ("TRADITION_BUTTERWORTH.ORDER", 0),
        ("TRADITION_MEDIAN_GAUSSIAN.WINDOW_SIZE", 0),
        ("TRADITION_MEDIAN_GAUSSIAN.SIGMA", -1),
    ],
)
def test_impossible_parameters_are_refused_by_section(cfg, key, value):
    part, entry = key.split(".")
    cfg.EVALUATE[part][entry] = value  # past the ranges of the schema
    name = {
        "SAVGOL": "savgol",
        "GAUS1D": "gaus1d",
        "ONEEURO": "oneeuro",
        "BUTTERWORTH": "butterworth",
        "MEDIAN_GAUSSIAN": "median+gaussian",
    }[key.split(".")[0].removeprefix("TRADITION_")]
    with pytest.raises(UserError, match=f"EVALUATE.{key.split('.')[0]}"):
        registry.configured(name, cfg)


def test_parameters_of_the_config_arrive(cfg):
    noisy = tracks(60)
    merge_overrides(
        cfg,
        [
            "EVALUATE.TRADITION_SAVGOL.WINDOW_SIZE",
            "9",
            "EVALUATE.TRADITION_SAVGOL.POLYORDER",
            "3",
            "EVALUATE.TRADITION_ONEEURO.BETA",
            "0.1",
            "EVALUATE.TRADITION_GAUS1D.SIGMA",
            "1",
        ],
    )
    np.testing.assert_allclose(registry.configured("savgol", cfg)(noisy), fixed.savgol(noisy, 9, 3))
    np.testing.assert_allclose(registry.configured("oneeuro", cfg)(noisy), fixed.oneeuro(noisy, 0.04, 0.1))
    np.testing.assert_allclose(registry.configured("gaus1d", cfg)(noisy), fixed.gaus1d(noisy, 1.0))


@pytest.mark.parametrize("name", registry.FILTERS)
def test_what_goes_through_a_room_in_place_leaves_a_straight_path_as_it_is(cfg, name):
    """4 m in 5 s; to 0.1 mm."""
    path = np.linspace(0, 4, 150)[:, None, None] * np.ones((1, 1, 3))
    off = np.abs(registry.at_rate(name, cfg, 30)(path).values - path).max()
    assert (off < 1e-4) == (name in registry.IN_PLACE)
