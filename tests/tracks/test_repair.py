"""What repair leaves in a file: coordinates and scores change places, everything else stays with its joint."""

import json
import pickle
from functools import partial

import numpy as np
import pytest

from lib.commands.refine_said import summary
from lib.formats import registry
from lib.formats.tracks import JOINT_NAMES
from lib.poses.skeletons import LAYOUTS
from lib.tracks import closing
from lib.tracks.refiner import Refiner
from lib.tracks.repair import Repaired

from .test_refiner import by_names

NAMES = JOINT_NAMES["openpose25"]
MIRROR = [NAMES.index(name.replace("left", "?").replace("right", "left").replace("?", "right")) for name in NAMES]


def test_scores_are_exchanged_in_the_file(motion, tmp_path):
    clip = 200 * max(motion, key=len)[:60, :, :2].astype(float) + 500
    poses = by_names(clip, NAMES)
    scores = np.tile(np.linspace(0.5, 0.9, 25), (60, 1))
    wrong = slice(30, 36)
    detected, rated = poses.copy(), scores.copy()
    detected[wrong], rated[wrong] = poses[wrong][:, MIRROR], scores[wrong][:, MIRROR]
    folder = tmp_path / "json"
    folder.mkdir()
    for frame, (points, row) in enumerate(zip(detected, rated)):
        values = np.column_stack([points, row]).ravel().tolist()
        person = {"person_id": [-1], "pose_keypoints_2d": values, "face_keypoints_2d": []}
        (folder / f"clip_{frame:012d}_keypoints.json").write_text(json.dumps({"version": 1.3, "people": [person]}))
    pose_file = registry.read(folder, fps=30)
    refiner = Refiner("kalman", fps=30, folder=tmp_path)
    results = refiner.refine_tracks(pose_file.tracks, 30)
    assert any("frames 30-35, repaired" in note for note in results[0].notes)
    pose_file.repaired = [result.repaired for result in results]
    registry.write(pose_file, [result.poses for result in results], tmp_path / "out")
    limbs = [
        index
        for index, name in enumerate(NAMES)
        if name.endswith(("shoulder", "elbow", "wrist", "hip", "knee", "ankle"))
    ]
    for frame in (10, 32):
        text = (tmp_path / "out" / f"clip_{frame:012d}_keypoints.json").read_text()
        values = np.array(json.loads(text)["people"][0]["pose_keypoints_2d"]).reshape(25, 3)
        np.testing.assert_allclose(values[limbs, 2], scores[frame, limbs], atol=1e-9)
        assert np.linalg.norm(values[limbs, :2] - poses[frame, limbs], axis=-1).max() < 5


# --------------------------------------------------------------------------------------- every writer

COCO = JOINT_NAMES["coco17"]
PAIRS = np.array([(COCO.index(name), COCO.index(name.replace("left", "right"))) for name in COCO if "left" in name])
SIDES = np.arange(17)
SIDES[PAIRS[:, 0]], SIDES[PAIRS[:, 1]] = PAIRS[:, 1], PAIRS[:, 0]
FRAMES, WRONG = 12, slice(4, 7)


def rows(poses, scores):
    """[T, J, D + 1]; points without a score above 0 are 0."""
    return np.where(scores[..., None] > 0, np.concatenate([poses, scores[..., None]], axis=-1), 0).tolist()


def as_json(tree):
    return lambda path: path.write_text(json.dumps(tree)) and path


def openpose(poses, scores):
    def put(path):
        path.mkdir()
        for frame, row in enumerate(rows(poses, scores)):
            person = {"person_id": [3], "pose_keypoints_2d": sum(row, [])}
            (path / f"a_{frame:012d}_keypoints.json").write_text(json.dumps({"people": [person]}))
        return path

    return put


def mmpose(poses, scores):
    frames = [
        {"frame_id": t, "instances": [{"keypoints": p.tolist(), "keypoint_scores": s.tolist(), "bbox": [0, 0, 9, 9]}]}
        for t, (p, s) in enumerate(zip(poses, scores))
    ]
    return as_json(frames)


def mmpose0(poses, scores):
    return as_json([[{"keypoints": row, "track_id": 1}] for row in rows(poses, scores)])


def mmpose0_beside(poses, scores):
    people = zip(poses.tolist(), scores.tolist())
    return as_json([[{"keypoints": p, "keypoint_scores": [[one] for one in s], "track_id": 1}] for p, s in people])


def coco(poses, scores):
    return as_json(
        [{"image_id": t, "keypoints": sum(row, []), "score": 0.7} for t, row in enumerate(rows(poses, scores))]
    )


def ultralytics(poses, scores):
    frames = []
    for p, s in zip(poses.tolist(), scores.tolist()):
        x, y = map(list, zip(*p))
        box = {"x1": 0, "y1": 0, "x2": 9, "y2": 9}
        frames.append([{"name": "person", "class": 0, "box": box, "keypoints": {"x": x, "y": y, "visible": s}}])
    return as_json(frames)


def labels(poses, scores):
    def put(path):
        path.mkdir()
        shares = np.where(scores[..., None] > 0, poses / 2000, 0).round(5)
        for frame, row in enumerate(rows(shares, scores)):
            (path / f"clip_{frame}.txt").write_text(" ".join(map(str, [0, 0.5, 0.5, 0.2, 0.4, *sum(row, [])])) + "\n")
        return path

    return put


def mediapipe(poses, scores):
    frames = [[dict(zip(("x", "y", "visibility"), point)) for point in row] for row in rows(poses / 2000, scores)]
    return as_json(frames)


def live(poses, scores):
    lines = [json.dumps({"t": t / 30, "id": 0, "pose": row}) for t, row in enumerate(rows(poses, scores))]
    return lambda path: path.write_text("\n".join(lines) + "\n") and path


def wide_csv(poses, scores):
    header = ",".join(f"{name}_{axis}" for name in COCO for axis in ("x", "y", "score"))
    lines = [",".join(str(number) for point in row for number in point) for row in rows(poses, scores)]
    return lambda path: path.write_text(
        "\n".join(["frame," + header, *(f"{t},{line}" for t, line in enumerate(lines))])
    )


def long_csv(poses, scores):
    lines = ["frame,landmark,x,y,score"]
    lines += [
        f"{t},{name},{','.join(map(str, point))}"
        for t, row in enumerate(rows(poses, scores))
        for name, point in zip(COCO, row)
    ]
    return lambda path: path.write_text("\n".join(lines))


def npy(poses, scores):
    return lambda path: np.save(path, np.array(rows(poses, scores)))


def npz(poses, scores):
    return lambda path: np.savez(path, keypoints=poses, keypoint_scores=scores.astype(np.float32))


def people_npz(poses, scores):
    return lambda path: np.savez(path, keypoints=np.asfortranarray(poses[None]), scores=scores[None, ..., None])


def pkl(poses, scores):
    return lambda path: path.write_bytes(pickle.dumps({"keypoints": poses, "scores": scores, "note": "kept"}))


def sleap(poses, scores):
    h5py = pytest.importorskip("h5py")

    def put(path):
        with h5py.File(path, "w") as file:
            file["tracks"] = poses.transpose(2, 1, 0)[None]
            file["node_names"] = np.array(COCO, dtype="S")
            file["point_scores"] = scores.T[None]

    return put


WRITERS = {
    "openpose": (openpose, "frames"),
    "mmpose": (mmpose, "results.json"),
    "mmpose0": (mmpose0, "results.json"),
    "mmpose0 scores beside": (mmpose0_beside, "results.json"),
    "coco": (coco, "results.json"),
    "ultralytics": (ultralytics, "results.json"),
    "ultralytics labels": (labels, "labels"),
    "mediapipe": (mediapipe, "landmarks.json"),
    "live": (live, "stream.jsonl"),
    "wide csv": (wide_csv, "poses.csv"),
    "long csv": (long_csv, "poses.csv"),
    "npy": (npy, "poses.npy"),
    "npz": (npz, "poses.npz"),
    "npz of people": (people_npz, "poses.npz"),
    "pkl": (pkl, "poses.pkl"),
    "sleap": (sleap, "analysis.h5"),
}


def exchanged(frames=WRONG):
    """A `Repaired` that exchanged all sides in some of `FRAMES` frames."""
    marks = np.zeros((FRAMES, 17), dtype=bool)
    marks[frames, PAIRS.ravel()[:, None]] = True
    return Repaired(None, None, marks, np.zeros_like(marks), PAIRS)


@pytest.mark.parametrize("kind", WRITERS)
def test_every_writer_exchanges_points_with_their_scores(kind, tmp_path):
    """A missing point changes places too: it was the other side that was not seen."""
    make, name = WRITERS[kind]
    rng = np.random.default_rng(2)
    poses = 1000 + rng.uniform(-400, 400, (17, 2)) + 5 * np.arange(FRAMES)[:, None, None] + np.zeros((FRAMES, 17, 2))
    scores = rng.uniform(0.5, 0.9, (FRAMES, 17)).round(4)
    scores[5, COCO.index("left_wrist")] = 0
    poses, scores = poses.round(2), scores
    wrong_poses, wrong_scores = poses.copy(), scores.copy()
    wrong_poses[WRONG], wrong_scores[WRONG] = poses[WRONG][:, SIDES], scores[WRONG][:, SIDES]
    make(wrong_poses, wrong_scores)(tmp_path / name)
    read = partial(registry.read, image_size=(2000, 2000))
    pose_file = read(tmp_path / name)
    (track,) = pose_file.tracks
    pose_file.repaired = [exchanged()]
    registry.write(pose_file, [pose_file.repaired[0].exchange(track.poses)], tmp_path / f"out_{name}")
    (back,) = read(tmp_path / f"out_{name}").tracks
    shown = np.where(scores[..., None] > 0, poses, np.nan)
    np.testing.assert_allclose(back.poses, shown, atol=0.02)
    np.testing.assert_allclose(back.confidence, scores, atol=1e-6)


@pytest.mark.parametrize("kind", ["trc", "c3d"])
def test_markers_that_were_not_seen_change_places_too(kind, tmp_path):
    rng = np.random.default_rng(3)
    poses = (rng.uniform(-400, 400, (17, 3)) + 5 * np.arange(FRAMES)[:, None, None]).round(2)
    missing = np.zeros((FRAMES, 17), dtype=bool)
    missing[5, COCO.index("left_wrist")] = True
    wrong, hidden = poses.copy(), missing.copy()
    wrong[WRONG], hidden[WRONG] = poses[WRONG][:, SIDES], missing[WRONG][:, SIDES]
    if kind == "c3d":
        ezc3d = pytest.importorskip("ezc3d")
        made = ezc3d.c3d()
        made["parameters"]["POINT"]["RATE"]["value"] = [50.0]
        made["parameters"]["POINT"]["UNITS"]["value"] = ["mm"]
        made["parameters"]["POINT"]["LABELS"]["value"] = list(COCO)
        made["data"]["points"] = np.ones((4, 17, FRAMES))
        made["data"]["points"][:3] = np.where(hidden[..., None], np.nan, wrong).transpose(2, 1, 0)
        made.write(str(tmp_path / "in.c3d"))
    else:
        cells = [
            ["" if gone else str(number) for point, gone in zip(row, gap) for number in point]
            for row, gap in zip(wrong, hidden)
        ]
        lines = ["PathFileType\t4\t(X/Y/Z)\tin.trc", "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits"]
        lines += [f"50\t50\t{FRAMES}\t17\tmm", "Frame#\tTime\t" + "\t\t\t".join(COCO), "\t" * 52]
        lines += ["\t".join([str(t), f"{t / 50:.2f}", *row]) for t, row in enumerate(cells)]
        (tmp_path / "in.trc").write_text("\n".join(lines) + "\n")
    pose_file = registry.read(tmp_path / f"in.{kind}")
    (track,) = pose_file.tracks
    pose_file.repaired = [exchanged()]
    refined = pose_file.repaired[0].exchange(track.poses)
    registry.write(pose_file, [refined], tmp_path / f"out.{kind}")
    (back,) = registry.read(tmp_path / f"out.{kind}").tracks
    np.testing.assert_allclose(back.poses, np.where(missing[..., None], np.nan, poses), atol=1e-3)


def landmarks(motion, wrong):
    """MediaPipe's landmarks [T, 33, 4] (shares of the image, depth, visibility) in which the sides are exchanged in `wrong`."""
    names = JOINT_NAMES["mediapipe33"]
    body = by_names(max(motion, key=len)[:60].astype(float), names)
    poses = np.concatenate([body * 0.2 + [0.5, 0.5, 0], np.full((60, 33, 1), 0.9)], axis=-1)
    mirror = [names.index(name.replace("left", "?").replace("right", "left").replace("?", "right")) for name in names]
    detected = poses.copy()
    detected[wrong] = poses[wrong][:, mirror]
    return poses, detected, [names.index(f"left_{part}") for part in ("wrist", "elbow", "hip", "knee", "ankle")]


def test_depths_follow_the_places_of_their_points(motion, tmp_path):
    """Image landmarks: x and y are one track, z is another; a point's z changes places with them, and all is counted once."""
    wrong = slice(30, 36)
    poses, detected, limbs = landmarks(motion, wrong)
    np.save(tmp_path / "landmarks.npy", detected)
    pose_file = registry.read(tmp_path / "landmarks.npy", fps=30)
    places, depths = Refiner("self_tuned", fps=30, folder=tmp_path).refine_tracks(pose_file.tracks, 30)
    assert places.repaired.exchanged[wrong].any(axis=1).all() and closing.mended([places, depths]) == (1, 0)
    assert summary(pose_file, [places, depths])["exchanges repaired"] == 1
    assert not any("repaired" in note for note in depths.notes)
    assert np.abs(depths.poses[wrong][:, limbs, 0] - poses[wrong][:, limbs, 2]).max() < 0.02
    assert np.abs(detected[wrong][:, limbs, 2] - poses[wrong][:, limbs, 2]).max() > 0.05
    pose_file.repaired = [places.repaired, depths.repaired]
    registry.write(pose_file, [places.poses, depths.poses], tmp_path / "out.npy")
    assert np.abs(np.load(tmp_path / "out.npy")[:, limbs] - poses[:, limbs]).max() < 0.02


def test_flat_rows_of_image_landmarks_are_written_back(motion, tmp_path):
    """[T, J * 3], of which x and y are one track and z is another."""
    _, detected, _ = landmarks(motion, slice(0, 0))
    np.save(tmp_path / "flat.npy", detected[..., :3].reshape(60, 99))
    pose_file = registry.read(tmp_path / "flat.npy")
    registry.write(pose_file, [track.poses + 0.01 for track in pose_file.tracks], tmp_path / "out.npy")
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), detected[..., :3].reshape(60, 99) + 0.01)


def test_xarrays_confidence_changes_places(motion):
    xarray = pytest.importorskip("xarray")
    from lib.api import refine

    names = LAYOUTS["h36m17"].joints
    clip, mirror = max(motion, key=len)[:60].astype(float), list(LAYOUTS["h36m17"].mirror)
    scores = np.tile(np.linspace(0.5, 0.9, 17), (60, 1))
    wrong, rated = clip.copy(), scores.copy()
    wrong[30:36], rated[30:36] = clip[30:36][:, mirror], scores[30:36][:, mirror]
    coords = {"time": np.arange(60) / 30, "space": ["x", "y", "z"], "keypoints": list(names)}
    position = xarray.DataArray(wrong.transpose(0, 2, 1), coords, ("time", "space", "keypoints"))
    confidence = xarray.DataArray(rated.T, {"keypoints": list(names), "time": coords["time"]}, ("keypoints", "time"))
    out = refine(xarray.Dataset({"position": position, "confidence": confidence}), method="self_tuned", fps=30)
    assert out["confidence"].dims == ("keypoints", "time")
    np.testing.assert_allclose(out["confidence"].values.T[[10, 32]], scores[[10, 32]])
