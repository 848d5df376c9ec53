"""Spikes: single wild key points are found, bursts and fast motion are left alone."""

import numpy as np
import pytest

from lib.tracks import spikes


def standing(count=90, joints=5, seed=0):
    """Poses [T, J, 2] of a body 400 px high that stands still, with jitter of 1 px."""
    rng = np.random.default_rng(seed)
    poses = np.stack([np.full(joints, 200.0), np.linspace(100, 500, joints)], axis=-1)
    return poses + rng.standard_normal((count, joints, 2))


@pytest.mark.parametrize("length", [1, 2, 3])
def test_spikes_are_found(length):
    poses = standing()
    poses[40 : 40 + length, 2, 0] += 300
    poses[60, 4] = 5000
    found = spikes.find(poses, 30)
    wanted = np.zeros_like(found)
    wanted[40 : 40 + length, 2] = wanted[60, 4] = True
    assert np.array_equal(found, wanted)


@pytest.mark.parametrize("length", [5, 12, 40])
def test_bursts_are_no_spikes(length):
    poses = standing()
    poses[40 : 40 + length, 2, 0] += 300
    assert not spikes.find(poses, 30).any()


def test_one_that_comes_to_stay_is_no_spike():
    poses = standing()
    poses[40:, 2, 0] += 300
    assert not spikes.find(poses, 30).any()


@pytest.mark.parametrize("every", [1, 2, 3])
def test_motion_capture_has_none(motion, every):
    assert not any(spikes.find(clip[::every].astype(float), 30 / every).any() for clip in motion)


def test_a_punch_is_no_spike():
    """Out by 0.6 m and back within 0.3 s (a raised cosine: 130 m/s² at its turning point), at several rates."""
    for fps in (25, 30, 60, 120):
        time = np.arange(0, 3, 1 / fps)
        poses = np.zeros((len(time), 3, 3))
        poses[:, 1, 1], poses[:, 2, 1] = 0.8, 1.6
        inside = (time > 1.0) & (time < 1.3)
        poses[inside, 1, 0] = 0.3 * (1 - np.cos(2 * np.pi * (time[inside] - 1.0) / 0.3))
        assert not spikes.find(poses, fps).any()


def test_what_is_wild_all_the_time_is_noise():
    poses = standing()
    poses[2:88:6, 2, 0] += 300
    assert not spikes.find(poses, 30).any()


def test_missing_key_points():
    poses = standing()
    poses[40, 2] = np.nan
    poses[41, 2, 0] += 400
    poses[:, 0] = np.nan
    assert np.argwhere(spikes.find(poses, 30)).tolist() == [[41, 2]]
    for empty in (np.full((9, 3, 2), np.nan), np.zeros((9, 3, 2)), poses[:1], poses[:0]):
        assert not spikes.find(empty, 30).any()
