"""Files as people's own scripts and other tools write them: each is read rightly, or refused in a line that helps."""

import json
import pickle

import numpy as np
import pytest

from lib.errors import UserError
from lib.formats import registry
from lib.formats.tracks import JOINT_NAMES
from tests.formats.test_csv import NAMES
from tests.formats.walker import FRAMES, walk

T = range(FRAMES)
PX = np.round(walk(2, 400.0, place=100.0), 3)
M, MM = walk(3, 1.7), walk(3, 1700.0)
SCORE = np.round(np.random.default_rng(0).uniform(0.3, 0.99, (FRAMES, 17, 1)), 3)
XYC = np.concatenate([PX, SCORE], axis=2)
OTHER = XYC + [300, 0, 0]


def rows(poses):
    return [pose.tolist() for pose in poses]


def points(t, **more):
    return [{"x": x, "y": y, "score": c, "name": name} | more for (x, y, c), name in zip(XYC[t].tolist(), NAMES)]


def xy(prefix="{n}_x", other="{n}_y"):
    return [text.format(n=name, k=k) for k, name in enumerate(NAMES) for text in (prefix, other)]


def lines(header, body, gap=","):
    return "\n".join(gap.join(map(str, row)) for row in [header, *body]) + "\n"


def flat(poses):
    return [[t, *poses[t].ravel().round(3).tolist()] for t in T]


# name of the file -> (its JSON, format, [part: (kind, joints, named)], people)
JSON = {
    "points by frame": (rows(PX), "json", 1),
    "x, y, score by frame": (rows(XYC), "json", 1),
    "dict by number": ({str(t): XYC[t].tolist() for t in T}, "json", 1),
    "dict by image": ({f"frame_{t:05d}.png": {"keypoints": XYC[t].tolist()} for t in T}, "json", 1),
    "frame and keypoints": ([{"frame": t + 3, "keypoints": XYC[t].tolist()} for t in T], "json", 1),
    "flat keypoints": ([{"frame": t, "pose": XYC[t].ravel().tolist()} for t in T], "json", 1),
    "flat without scores": ([{"frame": t, "keypoints": PX[t].ravel().tolist()} for t in T], "json", 1),
    "scores beside": ([{"kpts": PX[t].tolist(), "conf": SCORE[t, :, 0].tolist()} for t in T], "json", 1),
    "persons": ([{"frame_idx": t, "persons": [{"id": 1, "keypoints": XYC[t].tolist()}, {"id": 2, "keypoints": OTHER[t].tolist()}]} for t in T], "json", 2),
    "people by id": ([{"people": {"7": XYC[t].tolist(), "8": OTHER[t].tolist()}} for t in T], "json", 2),
    "frames with a rate": ({"fps": 25, "frames": [{"people": [{"keypoints": XYC[t].tolist()}]} for t in T]}, "json", 1),
    "tracks by frame": ({"1": {str(t): XYC[t].tolist() for t in T}, "2": {str(t): OTHER[t].tolist() for t in T}}, "json", 2),
    "tracks as lists": ({"anna": rows(XYC), "ben": rows(OTHER)}, "json", 2),
    "named pairs": ([dict(zip(NAMES, PX[t].tolist())) for t in T], "json", 1),
    "named points": ([{point["name"]: {"x": point["x"], "y": point["y"], "score": point["score"]} for point in points(t)} for t in T], "mediapipe", 1),
    "TensorFlow.js": ([[{"score": 0.8, "keypoints": points(t)}] for t in T], "json", 1),
    "PoseNet": ([{"keypoints": [{"part": point["name"], "score": point["score"], "position": {"x": point["x"], "y": point["y"]}} for point in points(t)]} for t in T], "json", 1),
    "OpenPifPaf": ([{"frame": t + 1, "predictions": [{"keypoints": XYC[t].ravel().tolist(), "bbox": [0, 0, 1, 1], "score": 0.9, "id_": 3}]} for t in T], "json", 1),
    "Kinetics skeletons": ({"data": [{"frame_index": t + 1, "skeleton": [{"pose": (PX[t] / 1000).ravel().tolist(), "score": SCORE[t, :, 0].tolist()}]} for t in T], "label": "jump"}, "json", 1),
    "PoseTrack": ({"images": [{"id": 10 + t, "file_name": f"{t:06d}.jpg"} for t in T], "annotations": [{"id": t, "image_id": 10 + t, "track_id": 0, "keypoints": XYC[t].ravel().tolist(), "category_id": 1} for t in T], "categories": [{"id": 1, "keypoints": list(NAMES)}]}, "coco", 1),
}  # fmt: skip
TEXT = {
    "x0,y0.csv": (lines(["frame", *xy("x{k}", "y{k}")], flat(PX)), 2),
    "joint_0_x.csv": (lines(["t", *xy("joint_{k}_x", "joint_{k}_y")], flat(PX)), 2),
    "nose.x.csv": (lines(["time", *[f"{n}.{a}" for n in NAMES for a in "xyz"]], [[row[0] / 30, *row[1:]] for row in flat(M)]), 3),
    "NOSE_X.csv": (lines(["FRAME", *xy("{n}_X", "{n}_Y")], flat(PX)).upper(), 2),
    "semicolons.csv": (lines(["frame", *xy()], flat(PX), ";"), 2),
    "tabs.tsv": (lines(["frame", *xy()], flat(PX), "\t"), 2),
    "x_nose.csv": (lines(["frame", *xy("x_{n}", "y_{n}")], flat(PX)), 2),
    "long.csv": (lines(["frame", "landmark", "x", "y"], [[t, name, *PX[t, k]] for t in T for k, name in enumerate(NAMES)]), 2),
    "long_z.csv": (lines(["Frame", "Joint", "X", "Y", "Z"], [[t, name, *M[t, k].round(4)] for t in T for k, name in enumerate(NAMES)]), 3),
    "freemocap_by_frame.csv": (lines(["frame", "timestamp", "model", "keypoint", "x", "y", "z", "trajectory", "reprojection_error"], [[t, t / 30, "mediapipe.body", name, *MM[t, k].round(3), "3d_xyz", 0.5] for t in T for k, name in enumerate(NAMES)]), 3),
}  # fmt: skip
ARRAYS = {
    "frames, joints": (M, 1),
    "one person between": (M[:, None], 1),
    "frames, people": (np.stack([PX, PX + 300], axis=1), 2),
    "people, frames": (np.stack([PX, PX + 300]), 2),
    "half": (M.astype(np.float16), 1),
    "big endian": (M.astype(">f8"), 1),
    "whole numbers": (PX.astype(int), 1),
    "one frame": (M[:1], 1),
    "flat": (M.reshape(FRAMES, -1), 1),
}
REFUSED = {
    "no_header.csv": lines(PX[0].ravel(), [PX[t].ravel() for t in T]),
    "angles.csv": lines(["Frame", "L5S1 Bending"], [[t, 0.1] for t in T]),
    "lfs.json": "version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 12\n",
    "page.html": "<html>404</html>",
    "walk.bvh": "HIERARCHY\nROOT Hips\n{\n}\n",
    "data.mat": "MATLAB 5.0 MAT-file" + " " * 100,
    "boxes.json": json.dumps([{"frame": t, "boxes": [[0, 0, 1, 1]]} for t in T]),
    "config.json": json.dumps({"model": "yolo", "conf": 0.5}),
    "numbers.json": json.dumps(list(range(100))),
    "mixed.json": json.dumps([{"keypoints": XYC[0].tolist()}, {"keypoints": XYC[1, :9].tolist()}] * 5),
    "text_points.json": json.dumps([{"keypoints": [["a", "b"]] * 17}] * 9),
}


def same_again(path, pose_file, tmp_path):
    """Moved by one, written and read: moved by one."""
    out = tmp_path / f"out{path.suffix}"
    step = 1 if pose_file.tracks[0].units != "normalised" else 0.01
    registry.write(pose_file, [track.poses + step for track in pose_file.tracks], out)
    again = registry.read(out, pose_file.format)
    for track, other in zip(pose_file.tracks, again.tracks, strict=True):
        np.testing.assert_allclose(other.poses, track.poses + step, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", JSON)
def test_json(tmp_path, name):
    tree, kind, people = JSON[name]
    (tmp_path / "poses.json").write_text(json.dumps(tree))
    pose_file = registry.read(tmp_path / "poses.json")
    assert (pose_file.format, len(pose_file.tracks)) == (kind, people)
    scale = 1000 if name.startswith("Kinetics") else 1
    for track, expected in zip(pose_file.tracks, (PX, OTHER[..., :2])):
        assert (track.kind, track.layout) == ("2D", "coco17")
        np.testing.assert_allclose(track.poses, expected / scale)
    scored = pose_file.tracks[0].confidence is not None
    assert scored == (name not in ("points by frame", "flat without scores", "named pairs"))
    if scored:
        np.testing.assert_allclose(pose_file.tracks[0].confidence, SCORE[..., 0])
    assert pose_file.fps == (25 if "rate" in name else None)
    same_again(tmp_path / "poses.json", pose_file, tmp_path)


def test_points_in_space_beside_those_in_the_image(tmp_path):
    """TensorFlow.js' BlazePose: keypoints in px, keypoints3D in metres."""
    names = JOINT_NAMES["mediapipe33"]
    flat, space = np.tile(PX, (1, 2, 1))[:, :33] + np.arange(33)[:, None], np.tile(M, (1, 2, 1))[:, :33] - [0, 1, 0]
    tree = [
        [{"keypoints": [{"x": x, "y": y, "z": 0.1, "score": 0.9, "name": n} for (x, y), n in zip(flat[t].tolist(), names)],
          "keypoints3D": [{"x": x, "y": y, "z": z, "score": 0.9, "name": n} for (x, y, z), n in zip(space[t].tolist(), names)]}]
        for t in T
    ]  # fmt: skip
    (tmp_path / "blaze.json").write_text(json.dumps(tree))
    pose_file = registry.read(tmp_path / "blaze.json")
    image, world = pose_file.tracks
    assert (image.kind, world.kind, world.part) == (
        "2D",
        "3D",
        "body_3d",
    ) and image.layout == world.layout == "mediapipe33"
    np.testing.assert_allclose(world.poses, space)
    np.testing.assert_allclose(image.poses, flat)
    same_again(tmp_path / "blaze.json", pose_file, tmp_path)


@pytest.mark.parametrize("name", TEXT)
def test_tables(tmp_path, name):
    text, dims = TEXT[name]
    (tmp_path / name).write_text(text)
    pose_file = registry.read(tmp_path / name)
    (track,) = pose_file.tracks
    expected = PX if dims == 2 else MM if "freemocap" in name else M
    assert track.kind == f"{dims}D" and pose_file.frame_count == FRAMES
    np.testing.assert_allclose(track.poses, expected, atol=1e-3)
    assert track.layout == "coco17" or "joint_" in name
    same_again(tmp_path / name, pose_file, tmp_path)


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays(tmp_path, name):
    array, people = ARRAYS[name]
    np.save(tmp_path / "poses.npy", array)
    pose_file = registry.read(tmp_path / "poses.npy")
    assert len(pose_file.tracks) == people and pose_file.frame_count == (1 if name == "one frame" else FRAMES)
    expected = PX if people == 2 or "whole" in name else M
    np.testing.assert_allclose(
        pose_file.tracks[0].poses, expected[: pose_file.frame_count], atol=1 if "whole" in name else 2e-3
    )
    same_again(tmp_path / "poses.npy", pose_file, tmp_path)


@pytest.mark.parametrize("name", REFUSED)
def test_refused(tmp_path, name):
    """Two lines at most: what it looks like or what is wrong, and what to do."""
    (tmp_path / name).write_text(REFUSED[name])
    with pytest.raises(UserError, match=name.replace(".", r"\.")) as caught:
        registry.read(tmp_path / name)
    text = str(caught.value)
    assert len(text.splitlines()) <= 2 and len(text) < 700
    assert any(word in text for word in ("what to do", "Correct", "Expected", "split", "Write", "copy", "Check"))


@pytest.mark.parametrize(
    "content",
    [{0: M, 1: M + 1}, {"poses3d": [MM[t][None] for t in T]}],
    ids=["people", "nlf"],
)
def test_pickles_of_other_shapes_are_refused(tmp_path, content):
    (tmp_path / "poses.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(UserError, match=r"poses.pkl.* a pickle: .*array \[") as caught:
        registry.read(tmp_path / "poses.pkl")
    assert "numpy.savez" in str(caught.value)
