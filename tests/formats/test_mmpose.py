"""MMPose 0.x results in memory: the same nesting comes back, only the coordinates differ."""

import copy

import numpy as np
import pytest

from lib.errors import UserError
from lib.formats.mmpose import from_nested, to_nested


@pytest.mark.parametrize("as_array", [False, True])
def test_nested_results(nested, as_array):
    results, tracks = nested(as_array)
    before = copy.deepcopy(results)
    pose_file = from_nested(results, fps=25)
    assert pose_file.tracked and pose_file.frame_count == 13 and pose_file.fps == 25
    for track, (identity, start, poses) in zip(sorted(pose_file.tracks, key=lambda track: track.id), tracks):
        assert (track.id, track.start) == (identity, start)
        np.testing.assert_array_equal(track.poses, poses)
    same = to_nested(pose_file, [track.poses for track in pose_file.tracks])
    moved = to_nested(pose_file, [track.poses + 0.5 for track in pose_file.tracks])
    for original, unchanged, shifted in zip(before, same, moved):
        for a, b, c in zip(original, unchanged, shifted):
            assert list(a) == list(b) == list(c) and type(a["keypoints"]) is type(c["keypoints"])
            a, b, c = (np.array(person.pop("keypoints")) for person in (a, b, c))
            np.testing.assert_array_equal(a, b)
            np.testing.assert_allclose(c, a + np.where(a[:, 2:] > 0, [0.5, 0.5, 0], 0), rtol=1e-9)
        assert original == unchanged == shifted
    results[0][0]["keypoints"][0][0] = -1  # what came in and what went out are not tied
    assert moved[0][0]["track_id"] == 0


def test_float32_and_integers():
    results = [
        [{"keypoints": np.full((3, 3), frame + 1, dtype=dtype), "track_id": 0}]
        for frame, dtype in enumerate((np.float32, np.int64, np.float32))
    ]
    pose_file = from_nested(results)
    assert [frame[0]["keypoints"].dtype for frame in to_nested(pose_file, [pose_file.tracks[0].poses])] == [
        np.float32,
        np.int64,
        np.float32,
    ]
    moved = to_nested(pose_file, [pose_file.tracks[0].poses + 0.5])
    assert [frame[0]["keypoints"].dtype for frame in moved] == [np.float32, np.float64, np.float32]
    np.testing.assert_array_equal(moved[1][0]["keypoints"], [[2.5, 2.5, 2]] * 3)


def test_three_dimensions():
    results = [[{"keypoints": np.ones((4, 3)), "track_id": 0}]]
    assert from_nested(results, dims=3).tracks[0].poses.shape == (1, 4, 3)
    assert from_nested(results).tracks[0].poses.shape == (1, 4, 2)
    with pytest.raises(UserError, match="frame 0, person 0, keypoints: 3 columns"):
        from_nested(results, dims=1)


def test_nobody_in_any_frame():
    with pytest.raises(UserError, match="no person in any of the 2 frames"):
        from_nested([[], []])
