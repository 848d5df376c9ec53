"""Offsets that were put in are found again, in the image and in space, whatever a tenth of the frames says."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from lib.pairs import offsets

JOINTS, FRAMES, CLIPS = 5, 60, 12
K = np.array([[600.0, 0, 256], [0, 600, 256], [0, 0, 1]])
MIXTURE = np.eye(JOINTS)
MIXTURE[0] = [0, 0.5, 0.5, 0, 0]  # the root is the middle of two others


def made(in_image, rng, wild=0.1):
    """(clips, offsets that were put in)."""
    true = rng.normal(0, 0.03, (JOINTS, 3))
    true[0] = 0
    clips = []
    for _ in range(CLIPS):
        turns = Rotation.from_rotvec(rng.normal(0, 1.2, (FRAMES * JOINTS, 3))).as_matrix().reshape(FRAMES, JOINTS, 3, 3)
        joints = rng.normal(0, 0.4, (FRAMES, JOINTS, 3)) + [0, 0, 3.5]
        joints[:, 0] = joints[:, 1:3].mean(axis=1)
        points = offsets.mixed(offsets.moved(joints, turns, true), MIXTURE)
        if in_image:
            said = offsets.project(points, K) + rng.normal(0, 2, (FRAMES, JOINTS, 2))
        else:
            said = points - points[:, :1] + rng.normal(0, 0.01, points.shape)
        said[: int(wild * FRAMES)] += 50 * rng.normal(0, 1, said[: int(wild * FRAMES)].shape)
        said[-3:] = np.nan
        clips.append(offsets.Seen(joints, turns, K, **{"key_points" if in_image else "poses": said}))
    return clips, true


@pytest.mark.parametrize("in_image", (True, False))
def test_offsets_are_found_again(in_image):
    clips, true = made(in_image, np.random.default_rng(3))
    found = offsets.fit(clips, MIXTURE)
    assert np.linalg.norm(found - true, axis=1).max() < 0.004  # of about 50 mm


def test_a_joint_that_is_the_mean_of_others_has_no_offset_of_its_own():
    clips, _ = made(True, np.random.default_rng(4))
    assert not offsets.fit(clips, MIXTURE)[0].any()
