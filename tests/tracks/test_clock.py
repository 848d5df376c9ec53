import numpy as np
import pytest

from lib.tracks import clock
from lib.tracks.plan import pace


@pytest.mark.parametrize("rate, count", [(30, 0), (29.97, 0), (25, 1), (15, 1), (50, 2), (60, 2), (120, 4)])
def test_a_clock_for_each_phase(rate, count):
    grids = clock.grids(np.arange(100) / rate, 30.0)
    assert len(grids) == count
    for grid in grids:
        np.testing.assert_allclose(np.diff(grid), 1 / 30)


@pytest.mark.parametrize("rate", [15, 25, 50, 60, 100, 144])
def test_a_straight_motion_survives_the_way_there_and_back(rate):
    times = 5.0 + np.arange(90) / rate
    values = np.stack([times, -3 * times + 1], axis=1)
    grids = clock.grids(times, 30.0)
    there = [clock.onto(times, values, grid) for grid in grids]
    # Past the last frame its value holds, so the very end of a phase may bend.
    inner = times < times[-1] - 2.1 / 30
    np.testing.assert_allclose(clock.back(grids, there, times)[inner], values[inner], atol=2e-2)
    np.testing.assert_allclose(clock.back(grids, there, times)[: len(times) // 2], values[: len(times) // 2], atol=1e-6)


def test_sixty_a_second_is_two_sequences_of_every_other_frame():
    times = np.arange(40) / 60
    values = np.random.default_rng(0).normal(size=(40, 3))
    even, odd = (clock.onto(times, values, grid) for grid in clock.grids(times, 30.0))
    np.testing.assert_allclose(even[:20], values[::2], atol=1e-9)
    np.testing.assert_allclose(odd[:20], values[1::2], atol=1e-9)


@pytest.mark.parametrize("rate", (24, 30, 59.94, 120, 240))
def test_times_in_whole_milliseconds_tell_their_rate(rate):
    times = np.round(np.arange(200) / rate, 3)
    assert abs(pace(times) / rate - 1) < 2e-3
    assert abs(pace(np.delete(times, [20, 21, 90])) / rate - 1) < 2e-3  # frames that were dropped


def test_uneven_frames_are_put_on_an_even_clock():
    times = np.array([0, 1, 2, 4, 5, 5.5, 7, 8]) / 30
    assert not clock.is_even(times)
    (grid,) = clock.grids(times, 30.0)
    np.testing.assert_allclose(clock.onto(times, times[:, None], grid)[:, 0], np.minimum(grid, times[-1]), atol=1e-12)
    assert clock.is_even(np.arange(9) / 30 + np.tile([0, 0.002, 0.001], 3))
