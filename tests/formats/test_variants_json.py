"""JSON as other tools and people's scripts write it: where frames, people, scores, ids, times and names stand."""

import json

import numpy as np
import pytest

from lib.errors import UserError
from lib.formats import registry
from lib.formats.tracks import JOINT_NAMES, joint_name
from tests.formats.test_csv import NAMES
from tests.formats.walker import FRAMES, walk

T = range(FRAMES)
PX, M = np.round(walk(2, 400.0, place=100.0), 3), np.round(walk(3, 1.7), 4)
OTHER = np.round(walk(2, 400.0, place=100.0, seed=1) + [300, 20], 3)
SCORE = np.round(np.random.default_rng(0).uniform(0.3, 0.99, (FRAMES, 17)), 3)
XYC, XYC2 = (np.concatenate([poses, SCORE[..., None]], axis=2) for poses in (PX, OTHER))
WHOLE = np.concatenate([PX, np.repeat(PX[:, :1], 116, axis=1) + np.arange(116)[:, None]], axis=1)
MARKS = np.concatenate([PX, PX[:, :16] + 3], axis=1) / 1000  # 33 shares of an image


def flat(poses, t):
    return poses[t].ravel().tolist()


def person(t, poses=PX):
    x, y = poses[t].T.tolist()
    return {
        "name": "person",
        "class": 0,
        "confidence": 0.9,
        "box": {},
        "keypoints": {"x": x, "y": y, "visible": SCORE[t].tolist()},
    }


def openpose(t):
    return {"version": 1.3, "people": [{"person_id": [-1], "pose_keypoints_2d": flat(XYC, t)}]}


def marks(t, **more):
    points = [
        {"x": x, "y": y, "z": 0.1 * k, "visibility": 0.5 + 0.01 * k} for k, (x, y) in enumerate(MARKS[t].tolist())
    ]
    return {"pose_landmarks": points, **more}


def swapped(t, *values):
    return list(values)[:: 1 if t % 2 else -1]


TREES = {  # name: (tree, [poses of each person], scored)
    "rtmlib": ([{"frame": t, "keypoints": [PX[t].tolist(), OTHER[t].tolist()], "scores": [SCORE[t].tolist()] * 2} for t in T], [PX, OTHER], True),
    "points by frame, scores by frame": ({"keypoints": PX.tolist(), "scores": SCORE.tolist()}, [PX], True),
    "people by frame, scores by frame": ({"keypoints": PX[:, None].tolist(), "scores": SCORE[:, None].tolist()}, [PX], True),
    "xy and conf": ([{"xy": [PX[t].tolist()], "conf": [SCORE[t].tolist()]} for t in T], [PX], True),
    "keypoints of xy and conf": ([{"frame": t, "keypoints": {"xy": [PX[t].tolist()], "conf": [SCORE[t].tolist()]}} for t in T], [PX], True),
    "ids beside": ([{"ids": swapped(t, 4, 7), "keypoints": swapped(t, XYC[t].tolist(), XYC2[t].tolist())} for t in T], [PX, OTHER], True),
    "Detectron2": ([{"pred_boxes": [[1, 2, 3, 4]], "scores": [0.9], "pred_keypoints": [XYC[t].tolist()]} for t in T], [PX], True),
    "COCO results of rows": ([{"image_id": t, "category_id": 1, "keypoints": XYC[t].tolist(), "score": 0.9} for t in T], [PX], True),
    "predictions in two lists": ([{"predictions": [[{"keypoints": PX[t].tolist(), "keypoint_scores": SCORE[t].tolist()}]]} for t in T], [PX], True),
    "lists around": ([[[XYC[t].tolist()]] for t in T], [PX], True),
    "OpenPose under frames": ({"fps": 25, "frames": [openpose(t) for t in T]}, [PX], True),
    "Ultralytics by number": ({str(t): [person(t)] for t in T}, [PX], True),
    "tracks": ([{"id": number, "keypoints": poses.tolist()} for number, poses in ((3, XYC), (8, XYC2))], [PX, OTHER], True),
    "tracks of people": ({"people": [{"track_id": 3, "frames": list(T), "keypoints": XYC.tolist()}, {"track_id": 8, "frames": list(T), "keypoints": XYC2.tolist()}]}, [PX, OTHER], True),
    "joints by name": ([{"people": [{"id": 0, "joints": dict(zip(NAMES, XYC[t].tolist()))}]} for t in T], [PX], True),
    "p for a score": ([{"pose": [{"x": x, "y": y, "p": p} for x, y, p in XYC[t].tolist()]} for t in T], [PX], True),
    "results of people, a line each": ([{"frame": t, "track_id": number, "keypoints": poses[t].tolist()} for t in T for number, poses in ((1, XYC), (2, XYC2))], [PX, OTHER], True),
}  # fmt: skip


def read(tmp_path, tree, name="poses.json"):
    (tmp_path / name).write_text(json.dumps(tree))
    return registry.read(tmp_path / name)


@pytest.mark.parametrize("name", TREES)
def test_trees(tmp_path, name):
    tree, people, scored = TREES[name]
    pose_file = read(tmp_path, tree)
    assert len(pose_file.tracks) == len(people) and pose_file.frame_count == FRAMES
    tracks = sorted(pose_file.tracks, key=lambda track: track.poses[0, 0, 0])
    for track, poses in zip(tracks, people):
        np.testing.assert_allclose(track.poses, poses)
        assert track.layout == "coco17" and (track.confidence is not None) == scored
        np.testing.assert_allclose(track.confidence, SCORE)
    assert pose_file.fps == (25 if "frames" in tree else None)
    registry.write(pose_file, [track.poses for track in pose_file.tracks], tmp_path / "same.json")
    assert json.loads((tmp_path / "same.json").read_text()) == json.loads(json.dumps(tree))
    registry.write(pose_file, [track.poses + 1 for track in pose_file.tracks], tmp_path / "out.json")
    for track, other in zip(pose_file.tracks, registry.read(tmp_path / "out.json").tracks, strict=True):
        np.testing.assert_allclose(other.poses, track.poses + 1)


def test_lines_of_several_people(tmp_path):
    lines = [{"frame": t, "person_id": number, "keypoints": poses[t].tolist()} for t in T for number, poses in ((1, XYC), (2, XYC2))]  # fmt: skip
    (tmp_path / "poses.jsonl").write_text("\n".join(map(json.dumps, lines)))
    one, other = registry.read(tmp_path / "poses.jsonl").tracks
    np.testing.assert_allclose(one.poses, PX)
    np.testing.assert_allclose(other.poses, OTHER)


def test_133_points_are_five_sets(tmp_path):
    pose_file = read(tmp_path, [{"keypoints": WHOLE[t].tolist()} for t in T])
    assert [track.part for track in pose_file.tracks] == ["body", "feet", "face", "left_hand", "right_hand"]
    np.testing.assert_allclose(pose_file.tracks[0].poses, PX)
    moved = [track.poses + number for number, track in enumerate(pose_file.tracks)]
    registry.write(pose_file, moved, tmp_path / "out.json")
    for expected, track in zip(moved, registry.read(tmp_path / "out.json").tracks):
        np.testing.assert_allclose(track.poses, expected)


def test_132_numbers_are_landmarks_with_visibility(tmp_path):
    """MediaPipe's x, y, z, visibility of 33 landmarks in a row were 66 places."""
    rows = [[value for point in marks(t)["pose_landmarks"] for value in point.values()] for t in T]
    track = read(tmp_path, rows).tracks[0]
    assert (track.kind, track.layout, track.units) == ("2D", "mediapipe33", "normalised")
    np.testing.assert_allclose(track.poses, MARKS)
    np.testing.assert_allclose(track.confidence[0], 0.5 + 0.01 * np.arange(33))


STAMPS = {
    "timestamp_us": 40_000, "timeMs": 40, "timestampSec": 0.04, "timestamp_usec": 40_000, "time": 0.04, "timestamp_ns": 40_000_000,
    "frame_time": 0.04, "ts": 40,
}  # fmt: skip


@pytest.mark.parametrize("key", STAMPS)
def test_times(tmp_path, key):
    start = 1_700_000_000_000_000 if key == "timestamp_us" else 0
    pose_file = read(tmp_path, [marks(t, frameIndex=t, **{key: start + STAMPS[key] * t}) for t in T])
    np.testing.assert_allclose(np.diff(pose_file.timestamps), 0.04, rtol=1e-4)


def test_landmarks_by_number_of_the_frame_with_the_videos_facts(tmp_path):
    tree = {"video": {"width": 1000, "height": 500, "fps": 25}, "frames": [marks(t) for t in T]}
    pose_file = read(tmp_path, tree)
    assert pose_file.fps == 25 and pose_file.tracks[0].units == "px"
    np.testing.assert_allclose(pose_file.tracks[0].poses, MARKS * [1000, 500])
    np.testing.assert_allclose(read(tmp_path, {str(t): marks(t) for t in T}).tracks[0].poses, MARKS)


def test_azure_kinect(tmp_path):
    """Its offline processor: names of joints for the whole file, sides behind them, times in microseconds."""
    names = [f"{name.split('_', 1)[1]}_{name.split('_')[0]}".upper() if "_" in name else name.upper() for name in NAMES]
    frames = [{"frame_id": t, "timestamp_usec": 40_000 * t, "num_bodies": 1,
               "bodies": [{"body_id": 1, "joint_positions": (1000 * M[t]).tolist(), "joint_orientations": [[1, 0, 0, 0]] * 17}]} for t in T]  # fmt: skip
    pose_file = read(tmp_path, {"bone_list": [], "joint_names": names, "joint_count": 17, "frames": frames})
    (track,) = pose_file.tracks
    assert (track.id, track.kind, track.joint_names) == (1, "3D", JOINT_NAMES["coco17"])
    np.testing.assert_allclose(track.poses, 1000 * M)
    np.testing.assert_allclose(np.diff(pose_file.timestamps), 0.04, rtol=1e-4)


def test_zed(tmp_path):
    """Bodies by the time of the frame in nanoseconds, with their points in space and in the image."""
    tree = {
        str(1_700_000_000_000_000_000 + 40_000_000 * t): {"is_new": 1, "body_list": [
            {"id": 3, "confidence": 90.0, "keypoint": M[t].tolist(), "keypoint_2d": PX[t].tolist(), "keypoint_confidence": [80.0] * 17}]}
        for t in T
    }  # fmt: skip
    pose_file = read(tmp_path, tree)
    np.testing.assert_allclose(np.diff(pose_file.timestamps), 0.04, rtol=1e-4)
    assert pose_file.frame_count == FRAMES and [track.kind for track in pose_file.tracks] == ["2D", "3D"]
    np.testing.assert_allclose(pose_file.tracks[1].poses, M)


def test_a_point_of_null_is_one_point_missing(tmp_path):
    """It made its whole frame a frame of nobody; filled, it stands in its place."""
    frames = [{"keypoints": XYC[t].tolist()} for t in T]
    frames[5]["keypoints"][9] = None
    pose_file = read(tmp_path, frames)
    (track,) = pose_file.tracks
    assert np.argwhere(np.isnan(track.poses).any(axis=-1)).tolist() == [[5, 9]]
    registry.write(pose_file, [np.where(np.isnan(track.poses), 7.5, track.poses)], tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text())[5]["keypoints"][9] == [7.5, 7.5, None]


def test_images_of_which_none_follows_another_are_refused(tmp_path):
    dice = np.random.default_rng(0)
    images = [
        {
            "image_id": int(number),
            "category_id": 1,
            "keypoints": flat(XYC * [1, 1, 1], int(dice.integers(FRAMES))),
            "score": 0.9,
        }
        for number in np.sort(dice.choice(500_000, 30, replace=False))
    ]
    with pytest.raises(UserError, match="30 unrelated images|unrelated images, not a clip"):
        read(tmp_path, images)


@pytest.mark.parametrize(
    "name", ["SHOULDER_LEFT", "shoulder.L", "Left Shoulder", "LShoulder", "left-shoulder", "shoulder_l"]
)
def test_sides(name):
    assert joint_name(name) == "left_shoulder"


ORDERS = {"h36m17": [0, 12, 14, 16, 11, 13, 15, 0, 0, 0, 0, 5, 7, 9, 6, 8, 10], "coco17": list(range(17))}


@pytest.mark.parametrize("order", ORDERS)
def test_joint_orders_of_points_in_space_are_told(tmp_path, order):
    """Frames under the joints' own key; 17 points are Human3.6M's where the pelvis lies between the hips."""
    poses = M[:, ORDERS[order]].copy()
    if order == "h36m17":
        poses[:, 0], poses[:, 8] = poses[:, [1, 4]].mean(axis=1), poses[:, [11, 14]].mean(axis=1)
        poses[:, 7] = poses[:, [0, 8]].mean(axis=1)
    pose_file = read(tmp_path, {"fps": 50, "joints": poses.tolist()})
    (track,) = pose_file.tracks
    np.testing.assert_allclose(track.poses, poses)
    assert (track.kind, pose_file.fps, track.layout) == ("3D", 50, "h36m17" if order == "h36m17" else None)
    assert any("which is which is not known" in note for note in pose_file.notes) == (order == "coco17")
