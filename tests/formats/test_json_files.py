"""JSON as other tools nest it: scores beside points, Ultralytics, ComfyUI, Panoptic, named landmarks, recorded streams."""

import csv
import json

import numpy as np
import pytest

from lib.errors import UserError
from lib.formats import registry
from tests.formats.walker import FRAMES, walk

PX = np.round(walk(2, 400.0, place=100.0), 2)
SCORE = np.round(np.random.default_rng(0).uniform(0.5, 1, (FRAMES, 17)), 3)
SCORE[8:12, 9] = 0


def read(tmp_path, tree, name="poses.json"):
    (tmp_path / name).write_text(tree if isinstance(tree, str) else json.dumps(tree))
    return registry.read(tmp_path / name)


def again(pose_file, tmp_path, name="out.json", shift=1.0):
    registry.write(pose_file, [track.poses + shift for track in pose_file.tracks], tmp_path / name)
    return json.loads((tmp_path / name).read_text()) if name.endswith("json") else (tmp_path / name).read_text()


NESTINGS = {
    "MMPose 1.x in a list": lambda p, s: [
        {"keypoints": p, "keypoint_scores": s, "bbox": [[0, 0, 1, 1]], "bbox_score": 0.9}
    ],
    "MMPose 1.x nested": lambda p, s: [{"keypoints": [p], "keypoint_scores": [s]}],
    "ViTPose (transformers)": lambda p, s: [
        {"keypoints": p, "scores": s, "labels": list(range(17)), "bbox": [0, 0, 1, 1]}
    ],
    "scores of one column": lambda p, s: [{"keypoints": p, "keypoints_scores": [[x] for x in s]}],
    "confidence": lambda p, s: [{"keypoints": p, "confidence": s}],
}


@pytest.mark.parametrize("nesting", NESTINGS)
def test_scores_beside_the_points(tmp_path, nesting):
    if nesting == "MMPose 1.x nested":
        tree = [
            {"frame_id": t, "instances": NESTINGS[nesting](p, s)}
            for t, (p, s) in enumerate(zip(PX.tolist(), SCORE.tolist()))
        ]
    else:
        tree = [NESTINGS[nesting](p, s) for p, s in zip(PX.tolist(), SCORE.tolist())]
    (track,) = read(tmp_path, tree).tracks
    assert np.isnan(track.poses[8:12, 9]).all() and np.isnan(track.poses).sum() == 8
    np.testing.assert_allclose(track.confidence, SCORE)


def test_a_wrong_number_of_scores_is_refused(tmp_path):
    with pytest.raises(UserError, match="17 key points but 16 scores under 'keypoint_scores'"):
        read(tmp_path, [[{"keypoints": p, "keypoint_scores": s[:16]}] for p, s in zip(PX.tolist(), SCORE.tolist())])


def ultralytics(text):
    frames = []
    for pose, score in zip(PX, SCORE):
        people = [
            {"name": "person", "class": 0, "confidence": 0.9, "box": {"x1": 1, "y1": 2, "x2": 3, "y2": 4}, "track_id": who,
             "keypoints": {"x": (pose[:, 0] + 500 * who).tolist(), "y": pose[:, 1].tolist(), "visible": score.tolist()}}
            for who in (1, 2)
        ]  # fmt: skip
        frames.append(json.dumps(people) if text else people)
    return frames


@pytest.mark.parametrize("text", [False, True])
def test_ultralytics_json(tmp_path, text):
    pose_file = read(tmp_path, ultralytics(text))
    assert [track.id for track in pose_file.tracks] == [1, 2] and pose_file.tracked
    np.testing.assert_allclose(pose_file.tracks[1].poses[0], PX[0] + [1000, 0])
    out = again(pose_file, tmp_path)
    frame = json.loads(out[0]) if text else out[0]
    np.testing.assert_allclose(frame[0]["keypoints"]["y"], PX[0, :, 1] + 1)
    assert isinstance(out[0], str) == text and frame[0]["keypoints"]["visible"] == SCORE[0].tolist()


def first_of_two():
    """The first person of `ultralytics`: NaN where the score is 0."""
    return np.where(SCORE[..., None] > 0, PX + [500, 0], np.nan)


@pytest.mark.parametrize("form", ["beside its number", "one list", "texts one after another"])
def test_frames_of_ultralytics(tmp_path, form):
    """Frames 0, 1, 2, … without the third, which nobody is in."""
    frames = {t: frame for t, frame in enumerate(ultralytics(False)) if t != 2}
    if form == "beside its number":
        pose_file = read(tmp_path, [{"frame": t, "detections": frame} for t, frame in frames.items()])
    elif form == "one list":
        pose_file = read(tmp_path, [{"frame": t, **person} for t, frame in frames.items() for person in frame])
    else:
        texts = [json.dumps(frames.get(t, []), indent=2) for t in range(FRAMES)]
        (tmp_path / "poses.json").write_text("\n".join(texts))
        pose_file = registry.read(tmp_path / "poses.json")
    assert [(track.id, len(track.poses)) for track in pose_file.tracks] == [(1, FRAMES), (2, FRAMES)]
    poses = pose_file.tracks[0].poses
    assert np.isnan(poses[2]).all()
    np.testing.assert_allclose(poses[3:], first_of_two()[3:])
    registry.write(pose_file, [track.poses + 1 for track in pose_file.tracks], tmp_path / "out.json")
    np.testing.assert_allclose(registry.read(tmp_path / "out.json").tracks[0].poses[3:], first_of_two()[3:] + 1)


def test_one_list_of_all_frames_without_their_numbers_is_refused(tmp_path):
    """It was taken for one frame of 48 people, and nothing was refined."""
    with pytest.raises(UserError, match="no detection says its 'frame'"):
        read(tmp_path, [person for frame in ultralytics(False) for person in frame])


@pytest.mark.parametrize("form", ["a header a frame", "a column of frames"])
def test_ultralytics_csv(tmp_path, form):
    """Key points as `to_csv` writes them: Python's text of {x, y, visible} in one cell."""
    numbered = form == "a column of frames"
    with open(tmp_path / "poses.csv", "w", newline="") as file:
        lines = csv.writer(file)
        for t, frame in enumerate(ultralytics(False)):
            if t == 0 or not numbered:
                lines.writerow([*frame[0], *(["frame"] if numbered else [])])
            for person in frame:
                cells = [repr(cell) if isinstance(cell, dict) else cell for cell in person.values()]
                lines.writerow([*cells, *([t] if numbered else [])])
    pose_file = registry.read(tmp_path / "poses.csv")
    assert pose_file.format == "ultralytics_csv"
    assert [(track.id, track.layout) for track in pose_file.tracks] == [("1", "coco17"), ("2", "coco17")]
    np.testing.assert_allclose(pose_file.tracks[0].poses, first_of_two())
    np.testing.assert_allclose(pose_file.tracks[0].confidence, SCORE)
    registry.write(pose_file, [track.poses for track in pose_file.tracks], tmp_path / "same.csv")
    assert (tmp_path / "same.csv").read_text() == (tmp_path / "poses.csv").read_text()
    registry.write(pose_file, [track.poses + 1 for track in pose_file.tracks], tmp_path / "out.csv")
    np.testing.assert_allclose(registry.read(tmp_path / "out.csv").tracks[0].poses, first_of_two() + 1)


@pytest.mark.parametrize("people", [False, True])
def test_openpose_beside_frame_numbers(tmp_path, people):
    """{"frame": 2, "data": OpenPose's object, or its people}: numbers that rise in steps, and a gap."""
    flat = [np.column_stack([pose, score]).ravel().tolist() for pose, score in zip(PX, SCORE)]
    frames = {t: [{"pose_keypoints_2d": values}] for t, values in enumerate(flat) if t != 5}
    tree = [{"frame": t, "data": found if people else {"people": found}} for t, found in frames.items()]
    pose_file = read(tmp_path, tree)
    (track,) = pose_file.tracks
    assert pose_file.format == "openpose" and track.poses.shape == (FRAMES, 17, 2) and np.isnan(track.poses[5]).all()
    out = again(pose_file, tmp_path)
    found = out[5]["data"] if people else out[5]["data"]["people"]
    assert out[5]["frame"] == 6 and found[0]["pose_keypoints_2d"][0] == pytest.approx(PX[6, 0, 0] + 1)


@pytest.mark.parametrize("ids", [False, True])
@pytest.mark.parametrize("stride", [2, 3])
def test_ultralytics_labels(tmp_path, ids, stride):
    """Lines as `save_txt` of ultralytics/engine/results.py writes them, %g of shares of the image."""
    (tmp_path / "labels").mkdir()
    share = PX / [1920, 1080]
    for t, pose in enumerate(share):
        points = np.column_stack([pose, SCORE[t]])[:, :stride] if stride == 3 else pose
        line = [0, 0.5, 0.5, 0.2, 0.4, *points.ravel(), *([0.91, 1] if ids else [])]
        (tmp_path / "labels" / f"walk_{t + 1}.txt").write_text(" ".join(f"{value:g}" for value in line) + "\n")
    pose_file = registry.read(tmp_path / "labels")
    (track,) = pose_file.tracks
    assert track.units == "normalised" and track.layout == "coco17" and pose_file.tracked == ids
    np.testing.assert_allclose(track.poses[0], share[0], atol=1e-5)
    registry.write(pose_file, [track.poses + 0.1], tmp_path / "out")
    out = (tmp_path / "out" / "walk_1.txt").read_text().split()
    assert len(out) == 5 + 17 * stride + 2 * ids and float(out[5]) == pytest.approx(share[0, 0, 0] + 0.1, abs=1e-5)


def test_comfyui_pose_keypoints(tmp_path):
    flat = [np.column_stack([pose, score]).ravel().tolist() for pose, score in zip(PX, SCORE)]
    tree = [
        {
            "people": [{"pose_keypoints_2d": values, "face_keypoints_2d": None}],
            "canvas_height": 1080,
            "canvas_width": 1920,
        }
        for values in flat
    ]
    pose_file = read(tmp_path, tree)
    assert pose_file.image_size == (1920, 1080) and pose_file.frame_count == FRAMES
    out = again(pose_file, tmp_path)
    assert out[3]["people"][0]["pose_keypoints_2d"][1] == pytest.approx(PX[3, 0, 1] + 1)


def panoptic(order=slice(None)):
    """joints19 of the walker in cm."""
    body = 170 * walk(3, 1.0)
    mid = lambda *joints: body[:, joints].mean(axis=1)  # noqa: E731
    joints = [mid(5, 6), body[:, 0], mid(11, 12)] + [
        body[:, j] for j in (5, 7, 9, 11, 13, 15, 6, 8, 10, 12, 14, 16, 1, 3, 2, 4)
    ]
    return np.stack(joints, axis=1)[:, order]


@pytest.mark.parametrize("known", [True, False])
def test_panoptic(tmp_path, known):
    (tmp_path / "hdPose3d").mkdir()
    poses = panoptic(slice(None) if known else slice(None, None, -1))
    for t, pose in enumerate(poses):
        score = np.full(19, 0.6)
        score[4] = -1 if 5 <= t < 8 else 0.6
        values = np.column_stack([pose, score]).ravel().tolist()
        tree = {"version": 0.7, "univTime": t / 30, "fpsType": "hd_29_97", "bodies": [{"id": 3, "joints19": values}]}
        (tmp_path / "hdPose3d" / f"body3DScene_{t:08d}.json").write_text(json.dumps(tree))
    pose_file = registry.read(tmp_path / "hdPose3d")
    (track,) = pose_file.tracks
    assert (track.id, track.units, track.layout) == (3, "cm", "panoptic19" if known else None)
    assert np.isnan(track.poses[5:8, 4]).all() and np.isnan(track.poses).sum() == 9
    registry.write(pose_file, [track.poses + 1], tmp_path / "out")
    out = json.loads((tmp_path / "out" / "body3DScene_00000002.json").read_text())
    np.testing.assert_allclose(out["bodies"][0]["joints19"][:3], poses[2, 0] + 1)


@pytest.mark.parametrize("names", ["mediapipe", "numbers", "inside"])
def test_named_landmarks(tmp_path, names):
    from lib.formats.tracks import JOINT_NAMES

    points = np.clip(np.concatenate([walk(3, 0.5, place=0.2), walk(3, 0.5, place=0.2)[:, :16]], axis=1), 0, 1)
    keys = JOINT_NAMES["mediapipe33"] if names != "numbers" else [str(number) for number in range(33)]
    frames = [
        {key: {"x": x, "y": y, "z": z, "visibility": 0.9} for key, (x, y, z) in zip(keys, pose)} for pose in points
    ]
    tree = [{"frame": t, "landmarks": frame} for t, frame in enumerate(frames)] if names == "inside" else frames
    body, depth = read(tmp_path, tree).tracks
    assert body.layout == "mediapipe33" and body.units == "normalised" and depth.part == "depth"
    np.testing.assert_allclose(body.poses, points[..., :2])


@pytest.mark.parametrize("factor, key", [(1000, "timestamp"), (1e6, "timestamp"), (1000, "timestamp_ms"), (1, "time")])
def test_times_in_any_unit(tmp_path, factor, key):
    points = [[{"x": x / 800, "y": y / 800, "z": 0.0, "visibility": 0.9} for x, y in pose] for pose in PX]
    tree = [{key: round(factor * t / 30, 3), "landmarks": frame} for t, frame in enumerate(points)]
    np.testing.assert_allclose(read(tmp_path, tree).timestamps, np.arange(FRAMES) / 30, atol=1e-3)


def test_a_recorded_stream(tmp_path):
    lines = [
        json.dumps({"t": t / 30, "id": who, "pose": np.column_stack([pose + 300 * who, score]).tolist()})
        for t, (pose, score) in enumerate(zip(PX, SCORE))
        for who in (0, 1)
    ]
    pose_file = read(tmp_path, "\n".join([*lines, '{"id": 0, "end": true}']), "stream.jsonl")
    assert [track.id for track in pose_file.tracks] == [0, 1] and pose_file.frame_count == FRAMES
    np.testing.assert_allclose(pose_file.timestamps, np.arange(FRAMES) / 30)
    assert pose_file.tracks[0].kind == "2D" and np.isnan(pose_file.tracks[0].poses[8:12, 9]).all()
    out = again(pose_file, tmp_path, "out.jsonl").splitlines()
    assert json.loads(out[1])["pose"][0][0] == pytest.approx(PX[0, 0, 0] + 301) and out[-1] == '{"id": 0, "end": true}'


def test_hidden_files_are_no_frames(tmp_path):
    for t, (pose, score) in enumerate(zip(PX, SCORE)):
        values = np.column_stack([pose, score]).ravel().tolist()
        (tmp_path / f"clip_{t:012d}_keypoints.json").write_text(json.dumps({"people": [{"pose_keypoints_2d": values}]}))
    (tmp_path / "._clip_000000000000_keypoints.json").write_bytes(b"\x00\x05\x16\x07")
    assert registry.read(tmp_path).frame_count == FRAMES


def test_unrelated_images_are_no_clip(tmp_path):
    rng = np.random.default_rng(0)
    tree = [
        {"image_id": t, "category_id": 1, "keypoints": np.column_stack([PX[0] * rng.uniform(0.3, 1) + rng.uniform(0, 900, 2), SCORE[0]]).ravel().tolist()}
        for t in range(30)
    ]  # fmt: skip
    with pytest.raises(UserError, match="unrelated images, not a clip"):
        read(tmp_path, tree)


@pytest.mark.parametrize(
    "name, content, looks, mend",
    [
        (
            "a.json",
            '{"meta": {"fps": 30}, "data": [[1, 2]]}',
            "JSON: {'meta': {'fps': a number}, 'data': a list of 1",
            "list of frames",
        ),
        ("a.csv", "name,age\nx,3\n", "first line is 'name,age'", "<joint>_x"),
        ("a.mp4", "x", "a video", "estimator"),
        ("a.md", "hello", "text", "CSV, JSON"),
    ],
)
def test_an_unknown_file_gets_two_lines(tmp_path, name, content, looks, mend):
    with pytest.raises(UserError) as caught:
        read(tmp_path, content, name)
    first, second = str(caught.value).splitlines()
    assert looks in first and mend in second and second.startswith("what to do: ")


@pytest.mark.parametrize("where", ["file", "frames"])
def test_shares_of_an_image_of_known_size_are_pixels(tmp_path, where):
    frames = [
        {"pose_landmarks": [{"x": x / 1920, "y": y / 1080, "z": 0.1 * x / 1920, "visibility": 0.9} for x, y in pose]}
        for pose in PX
    ]
    size = {"width": 1920, "height": 1080}
    tree = {"frames": frames, **size} if where == "file" else [{**frame, **size} for frame in frames]
    pose_file = read(tmp_path, tree)
    assert pose_file.image_size == (1920, 1080) and pose_file.tracks[0].units == "px"
    np.testing.assert_allclose(pose_file.tracks[0].poses, PX)
    out = again(pose_file, tmp_path)
    point = (out["frames"] if where == "file" else out)[0]["pose_landmarks"][0]
    assert point["x"] == pytest.approx((PX[0, 0, 0] + 1) / 1920)
