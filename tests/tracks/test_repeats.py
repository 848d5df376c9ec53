"""Frames that repeat the pose before them hold no new measurement."""

import numpy as np
import pytest

from lib.tracks import repeats
from lib.tracks.refiner import Refiner

WHOLE = [slice(0, 30)]


def moving(frames=30, joints=3):
    """Joints that go straight on, [T, J, 3]."""
    return np.arange(frames)[:, None, None] * np.ones((1, joints, 3))


def test_repeats_are_found_and_lie_between_what_is_new():
    poses = moving()
    held = poses[np.arange(30) // 3 * 3]
    found = repeats.find(held, WHOLE, longest=7)
    last = np.arange(30) >= 27  # no new pose follows
    np.testing.assert_array_equal(found, (np.arange(30) % 3 > 0) & ~last)
    out = repeats.bridged(held, found, WHOLE, np.arange(30) / 30)
    np.testing.assert_allclose(out[~last], poses[~last])


def test_who_rests_and_who_is_missing_repeats_nothing():
    poses = moving()
    poses[5:20] = poses[5]
    assert not repeats.find(poses, WHOLE, longest=7).any()
    poses[5:20] = np.nan
    assert not repeats.find(poses, WHOLE, longest=7).any()


def test_a_jump_ends_a_run_and_missing_joints_stay_missing():
    poses = moving()
    poses[11] = poses[10]
    assert not repeats.find(poses, [slice(0, 12), slice(12, 30)], longest=7).any()
    poses[10:12, 1] = np.nan
    found = repeats.find(poses, WHOLE, longest=7)
    assert found.nonzero()[0].tolist() == [11]
    out = repeats.bridged(poses, found, WHOLE, np.arange(30) / 30)
    assert np.isnan(out[10:12, 1]).all() and out[11, 0, 0] == 11


@pytest.mark.parametrize("jitter", [0.0, 0.01])
def test_a_detector_that_runs_in_every_second_frame_is_refined_as_if_its_frames_were_there(jitter):
    """What is held lags behind by half a frame: 13 mm here, beside the jitter."""
    rng, times = np.random.default_rng(0), np.arange(200) / 30
    truth = 0.5 * np.sin(3 * times[:, None, None] + np.arange(12).reshape(4, 3))
    held = (truth + jitter * rng.standard_normal(truth.shape))[np.arange(200) // 2 * 2]
    refine = Refiner("auto", fps=30, kind="3d")
    before, after = (np.linalg.norm(poses - truth, axis=-1).mean() for poses in (held, refine(held)))
    assert after < 0.3 * before
    assert "99 of 200 frames repeat" in " ".join(refine.results[0].notes)
    np.testing.assert_allclose(refine.results[0].said.before, jitter, rtol=0.3, atol=1e-3)
    untouched = Refiner("none")(held)
    np.testing.assert_array_equal(untouched, held)


def test_somebody_who_rests_is_not_drawn_towards_spikes():
    poses = np.random.default_rng(0).normal(0, 0.4, (1, 6, 3)) * np.ones((200, 1, 1))
    wild = poses.copy()
    for frame in range(10, 200, 5):
        wild[frame, frame % 6] += 0.7
    after = Refiner("auto", fps=30, kind="3d")(wild)
    assert np.linalg.norm(after - poses, axis=-1).mean() < 0.001
