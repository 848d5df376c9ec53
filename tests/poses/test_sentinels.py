"""Points at exactly 0 or -1 that stand for "not found"."""

import numpy as np
import pytest

from lib.poses.sentinels import absent


def body(frames=20, joints=8, dims=2, place=500.0, size=200.0):
    rng = np.random.default_rng(0)
    rest = rng.uniform(-0.5, 0.5, (1, joints, dims)) * size + place
    return rest + rng.normal(0, 0.01 * size, (frames, joints, dims))


@pytest.mark.parametrize("mark", [0.0, -1.0])
@pytest.mark.parametrize("dims", [2, 3])
def test_a_lost_point_is_absent(mark, dims):
    poses = body(dims=dims)
    poses[5:9, 3] = mark
    expected = np.zeros((20, 8), dtype=bool)
    expected[5:9, 3] = True
    np.testing.assert_array_equal(absent(poses), expected)


def test_a_joint_that_is_never_found_is_absent():
    poses = body()
    poses[:, 2] = 0
    assert absent(poses)[:, 2].all() and absent(poses).sum() == 20


def test_the_root_of_root_relative_poses_stays():
    poses = body(dims=3, place=0.0, size=1.0)
    poses -= poses[:, :1]
    assert not absent(poses).any()


def test_the_wrist_of_a_wrist_relative_hand_stays():
    poses = body(joints=21, dims=3, place=0.12, size=0.2)
    poses[:, 0] = 0
    assert not absent(poses).any()


def test_a_point_that_crosses_zero_stays():
    poses = body(place=0.0, size=100.0)
    poses[:, 4] = np.linspace(-50, 50, 21)[:20, None] * [1, 1]
    poses[10, 4] = 0
    assert not absent(poses).any()


def test_a_frame_without_anybody_is_absent():
    poses = body()
    poses[7] = 0
    assert absent(poses)[7].all() and absent(poses).sum() == 8


def test_one_coordinate_at_zero_is_a_sighting():
    poses = body()
    poses[4, 1, 0] = 0
    assert not absent(poses).any()
