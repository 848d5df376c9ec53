"""Numbers that need no ground truth."""

import numpy as np
import pytest

from lib.commands.refine_scores import _range


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_range_is_that_of_nanpercentile(missing):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(49, 17, 3))
    values[rng.random(values.shape[:2]) < missing] = np.nan
    values[1:, 0] = np.nan  # one frame
    values[0, 0] = 1
    expected = np.nanpercentile(values, 95, axis=0) - np.nanpercentile(values, 5, axis=0)
    np.testing.assert_allclose(_range(values), expected, rtol=1e-12, atol=1e-12)
