"""lib/dataset/filling.py: missing numbers between their neighbours."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from lib.dataset.filling import fill_gaps


@pytest.mark.parametrize("key, dims", [("joints_3d", 3), ("joints_2d", 2)])
def test_fill_gaps(key, dims):
    values = np.arange(5.0)[:, None] * np.ones((1, 3 * dims))
    broken = values.copy()
    broken[1:3, 0], broken[0, 1], broken[4, 1] = np.nan, np.inf, np.nan
    broken[:, dims : 2 * dims] = np.nan
    expected = values.copy()
    expected[0, 1], expected[4, 1] = 1, 3  # held at the ends
    # A joint that is never there stands between the others.
    expected[:, dims : 2 * dims] = (expected[:, :dims] + expected[:, 2 * dims :]) / 2
    np.testing.assert_allclose(fill_gaps(broken, key), expected)
    assert fill_gaps(values, key) is values


def test_gaps_of_rotations_are_bridged_as_rotations():
    """Just short of and just beyond half a turn about x: as numbers they are far apart, as rotations near."""
    pose = np.zeros((3, 72), np.float32)
    pose[0, 0], pose[2, 0] = np.pi - 0.1, -np.pi + 0.1
    pose[1, :3] = np.nan
    pose[:, 3:6] = np.nan
    filled = fill_gaps(pose, "pose")
    middle = Rotation.from_rotvec(filled[1, :3])
    assert (middle * Rotation.from_rotvec([np.pi, 0, 0]).inv()).magnitude() < 1e-3
    np.testing.assert_array_equal(filled[:, 3:6], 0)
    np.testing.assert_array_equal(filled[[0, 2], :3], pose[[0, 2], :3])
