"""Pairs at any frame rate are scored at 30 frames a second."""

import numpy as np
import pytest

from benchmarks import pairs
from lib.dataset import catalog
from lib.dataset.sequences import Recording, Sequence, Split
from lib.errors import UserError
from lib.filters import registry as filters
from lib.poses.representation import representation
from lib.poses.skeletons import LAYOUTS


def split(name, frames, fps):
    """One clip in which every coordinate grows by 1 a second, its detections by 2."""
    seconds = (np.arange(frames) / fps)[:, None] * np.ones(51)
    view = Sequence(name, (2 * seconds).astype(np.float32), seconds.astype(np.float32))
    source = catalog.Source("my", "vibe", "3D")
    return Split(source, "test", LAYOUTS["h36m17"], representation("3D"), [Recording(name, [view])])


@pytest.mark.parametrize("fps, frames, expected", ((60, 61, 31), (25, 26, 31), (30, 31, 31)))
def test_a_steady_motion_is_the_same_at_thirty_frames_a_second(fps, frames, expected):
    (view,) = pairs.at_rate(split("a.camera1/000", frames, fps), {"a": {"fps": fps}}).sequences
    np.testing.assert_allclose(view.truth[:, 0], np.arange(expected) / 30, atol=1e-6)
    np.testing.assert_allclose(view.detected, 2 * view.truth, atol=1e-6)


def test_a_clip_that_the_list_lacks_is_named():
    with pytest.raises(UserError, match="b is not in the list"):
        pairs.at_rate(split("b", 31, 30), {"a": {"fps": 30}})


def test_the_best_filter_is_that_of_least_error_and_jitter():
    rows = {name: {"mpjpe": 10.0, "accel": 3.0} for name in filters.FILTERS}
    rows["kalman"] = {"mpjpe": 10.5, "accel": 1.0}
    assert pairs.best_filter(rows) == "kalman"
