"""Issue 2: training on 1,000,000 frames of 51 channels at batch 256 in float32 stays under 2 GB resident."""

import pytest

from benchmarks import memory


@pytest.mark.slow
def test_training_on_a_million_frames_stays_under_two_gigabytes():
    found = memory.measure(1_000_000)
    assert max(found.values()) < memory.BAR_GB, found
