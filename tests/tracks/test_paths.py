"""Cheapest paths, beside all paths written down."""

from itertools import product

import numpy as np
import pytest

from lib.tracks.paths import Costs


def drawn(count, size, rng):
    return Costs(rng.normal(size=(count, size)), *(rng.normal(size=(count - lag, size, size)) for lag in (1, 2)))


def cost(costs, path):
    """What a path costs, term by term."""
    total = sum(costs.frame[t, state] for t, state in enumerate(path))
    total += sum(costs.near[t, path[t], path[t + 1]] for t in range(len(path) - 1))
    return total + sum(costs.far[t, path[t], path[t + 2]] for t in range(len(path) - 2))


@pytest.mark.parametrize("count, size", [(2, 3), (3, 4), (7, 3), (9, 2)])
def test_the_cheapest_of_all_paths(count, size):
    rng = np.random.default_rng(count)
    for _ in range(5):
        costs = drawn(count, size, rng)
        paths = np.array(list(product(range(size), repeat=count)))
        totals = np.array([cost(costs, path) for path in paths])
        np.testing.assert_allclose([costs.of(path) for path in paths[:20]], totals[:20])
        np.testing.assert_array_equal(costs.cheapest(), paths[totals.argmin()])
        for state in range(size):
            through = [totals[paths[:, t] == state].min() for t in range(count)]
            np.testing.assert_allclose(costs.through(state), through)


def test_where_no_path_is_cheaper_than_state_0_that_is_said_only_where_it_holds():
    rng, said = np.random.default_rng(0), 0
    for change in np.linspace(0, 8, 40):
        costs = drawn(6, 3, rng)
        costs.frame[:] = abs(costs.frame)
        costs.frame[:, 0] = 0
        costs.near[:] += change
        for each in (costs.near, costs.far):
            each[:, np.arange(3), np.arange(3)] = 0
        if costs.none_cheaper:
            said += 1
            assert not costs.cheapest().any()
    assert 5 < said < 40
