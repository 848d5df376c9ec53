import numpy as np
import pytest

from lib.poses import gaps


def line(frames=20, joints=3, dims=2):
    return np.arange(frames)[:, None, None] * np.array([1.0, -2.0, 0.5])[None, :joints, None] * np.ones(dims) + 3


def test_short_gaps_of_a_straight_motion_are_filled_exactly_and_long_ones_stay():
    truth = line()
    poses = truth.copy()
    poses[4:7, 0], poses[8:12, 1] = np.nan, np.nan
    filled, mask = gaps.fill(poses, 3)
    np.testing.assert_allclose(filled[:, 0], truth[:, 0], atol=1e-12)
    assert mask.sum() == 3 and mask[4:7, 0].all()
    assert np.isnan(filled[8:12, 1]).all()
    assert np.isnan(poses[4:7, 0]).all()  # the input is left alone


@pytest.mark.parametrize("longest, count", [(0, 0), (2, 0), (3, 3), (100, 3)])
def test_exactly_max_gap_frames_are_filled(longest, count):
    poses = line()
    poses[5:8, 2] = np.nan
    assert gaps.fill(poses, longest)[1].sum() == count


def test_ends_and_never_seen_joints_stay_missing():
    poses = line()
    poses[:2, 0], poses[-2:, 1], poses[:, 2] = np.nan, np.nan, np.nan
    filled, mask = gaps.fill(poses, 50)
    assert mask.sum() == 0
    assert np.isnan(filled).all(axis=-1).sum() == 2 + 2 + 20


def test_one_missing_coordinate_is_a_missing_key_point():
    poses = line()
    poses[5, 0, 1] = np.nan
    filled, mask = gaps.fill(poses, 1)
    assert mask[5, 0] and np.isfinite(filled).all()


def test_uneven_times_place_the_fill_by_time():
    poses = np.array([0.0, np.nan, 10.0])[:, None, None] * np.ones((3, 1, 2))
    filled, _ = gaps.fill(poses, 1, times=[0.0, 0.2, 1.0])
    np.testing.assert_allclose(filled[1], 2.0)


def test_runs_and_gap_lengths():
    assert gaps.runs([1, 1, 0, 1, 0, 0, 1]) == [slice(0, 2), slice(3, 4), slice(6, 7)]
    assert gaps.runs([0, 0]) == []
    poses = line()
    poses[3:5, 0], poses[9, 1], poses[:4, 2] = np.nan, np.nan, np.nan
    assert sorted(gaps.gap_lengths(poses)) == [1, 2]


def test_fuse_leaves_even_confidence_alone_and_mends_a_doubtful_outlier():
    truth = line()
    np.testing.assert_array_equal(gaps.fuse(truth, np.full((20, 3), 0.7)), truth)
    poses, confidence = truth.copy(), np.full((20, 3), 0.8)
    poses[10, 1] += 50
    confidence[10, 1] = 0.08
    fused = gaps.fuse(poses, confidence)
    # A tenth of the confidence keeps a tenth of the outlier: the rest is the neighbours' line, which is the truth.
    np.testing.assert_allclose(fused[10, 1] - truth[10, 1], 5.0, atol=1e-9)
    fused[10, 1] = poses[10, 1]
    np.testing.assert_array_equal(fused, poses)


def test_fuse_leaves_fast_motion_where_it_is():
    """As MediaPipe's visibility sinks where a limb is fast or hidden: of motion that bends, the neighbours' line says nothing."""
    time = np.arange(60) / 30
    poses = 200 * np.stack([np.sin(2 * np.pi * 2 * time), np.cos(2 * np.pi * 2 * time)], axis=-1)[:, None]
    confidence = np.where(np.arange(60) % 4 == 0, 0.6, 0.95)[:, None]
    assert np.abs(gaps.fuse(poses, confidence) - poses).max() < 1  # 22 by the line alone
    poses[20] += 600  # an outlier of low confidence is mended still
    confidence[20] = 0.1
    assert np.linalg.norm(gaps.fuse(poses, confidence)[20] - poses[20]) > 300


def test_fuse_keeps_missing_missing():
    poses, confidence = line(), np.full((20, 3), 0.5)
    poses[7, 0], confidence[7, 0], confidence[8, 0] = np.nan, 0, 0.1
    fused = gaps.fuse(poses, confidence)
    assert np.isnan(fused).sum() == 2 and np.isnan(fused[7, 0]).all()


def walking(frames, start, step, joints=5):
    """A body [T, J, 2] of size 100 that moves by `step` a frame."""
    shape = np.random.default_rng(0).uniform(0, 70, (joints, 2))
    return shape + start + np.arange(frames)[:, None, None] * step


def test_jumps_to_another_person_are_found_with_and_without_a_gap():
    track = np.concatenate([walking(20, 0, 2), walking(20, 300, -2), np.full((3, 5, 2), np.nan), walking(20, 600, 0)])
    track[20, 1] = np.nan
    assert gaps.jumps(track) == [20, 43]
    assert gaps.jumps(track[..., :1]) == [20, 43]


def test_fast_motion_is_no_jump():
    assert gaps.jumps(walking(40, 0, 15)[::6]) == []  # 90 of 100 a frame, evenly
    assert gaps.jumps(np.full((4, 5, 2), np.nan)) == []


def test_an_excursion_that_comes_back_is_an_outlier_unless_it_lasts():
    track = walking(40, 0, 2)
    track[20:23] += 400
    assert gaps.jumps(track, shortest=3) == []
    assert gaps.jumps(track, shortest=2) == [20, 23]
    # What comes after an excursion is judged by what was before it.
    track[23:] += 900
    assert gaps.jumps(track, shortest=3) == [23]


def test_jumps_of_a_stream_are_told_as_they_come():
    rng = np.random.default_rng(0)
    body = rng.uniform(0, 1, (5, 3))
    poses = body + np.arange(60)[:, None, None] * [0.3, 0, 0] + rng.normal(0, 0.01, (60, 5, 3))  # runs: 9 m/s at 30 fps
    poses[40:] += 4
    poses[20:23] = np.nan
    poses[50] = 0  # no body at all
    watch = gaps.JumpsSoFar()
    found = [watch.step(np.stack([frame, body])) for frame in poses]
    assert np.flatnonzero(np.array(found)[:, 0]).tolist() == gaps.jumps(np.delete(poses, 50, axis=0)) == [40]
    assert not np.array(found)[:, 1].any()
