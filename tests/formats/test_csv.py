"""CSV tables as people have them: which columns are joints, whose line it is, one landmark per line, DeepLabCut's."""

import csv
import json

import numpy as np
import pytest

from lib.errors import UserError
from lib.formats import registry
from tests.formats.walker import FRAMES, walk

NAMES = (
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist "
    "left_hip right_hip left_knee right_knee left_ankle right_ankle"
).split()


def table(tmp_path, header, rows, name="pose.csv"):
    lines = [header, *rows] if isinstance(header[0], str) else [*header, *rows]
    with open(tmp_path / name, "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(lines)
    return registry.read(tmp_path / name)


def wide(poses, axes="xy", form="{0}_{1}"):
    """(header, rows) of poses [T, 17, D]."""
    header = [form.format(name, axis) for name in NAMES for axis in axes[: poses.shape[2]]]
    return header, [[f"{value:.4f}" for value in pose.ravel()] for pose in poses]


def beside(header, rows, more):
    """The table with further columns {name: values}."""
    return header + list(more), [row + [str(values[i]) for values in more.values()] for i, row in enumerate(rows)]


def px():
    return np.round(walk(2, 400.0, place=100.0), 4)


@pytest.mark.parametrize("form", ["{0}_{1}", "{0}.{1}", "{1}_{0}", "{0} {1} (px)", "{0}:{1}"])
def test_names_of_columns(tmp_path, form):
    (track,) = table(tmp_path, *wide(px(), form=form)).tracks
    assert track.layout == "coco17"
    np.testing.assert_array_equal(track.poses, px())


@pytest.mark.parametrize("form", ["{1}{0}", "{1}_{0}", "{0}{1}"])
@pytest.mark.parametrize("first", [0, 1])
def test_numbered_columns(tmp_path, form, first):
    header = ["label", *(form.format(joint + first, axis) for joint in range(17) for axis in "xy")]
    pose_file = table(tmp_path, header, [["walk", *row] for row in wide(px())[1]])
    np.testing.assert_array_equal(pose_file.tracks[0].poses, px())
    assert pose_file.tracks[0].layout == "coco17"


def test_boxes_and_velocities_are_no_joints(tmp_path):
    poses = np.round(walk(3, 1.7), 4)
    more = {"bbox_x": [421] * FRAMES, "bbox_y": [90] * FRAMES, "person_x": [1] * FRAMES, "person_y": [1] * FRAMES}
    more |= {"person_w": [5] * FRAMES, "left_wrist_velocity_x": [3.5] * FRAMES, "left_wrist_velocity_y": [2.5] * FRAMES}
    more |= {"hip_centre_x": [0.5] * FRAMES, "hip_centre_y": [0.5] * FRAMES}  # no z, where the joints have one
    pose_file = table(tmp_path, *beside(*wide(poses, "xyz"), more))
    (track,) = pose_file.tracks
    assert track.kind == "3D" and track.poses.shape == (FRAMES, 17, 3)
    assert any("bbox_x" in note and "more" in note for note in pose_file.notes)
    registry.write(pose_file, [track.poses + 0.1], tmp_path / "out.csv")
    out = list(csv.reader(open(tmp_path / "out.csv")))
    assert out[5][-9:] == ["421", "90", "1", "1", "5", "3.5", "2.5", "0.5", "0.5"]


def test_each_joint_has_its_own_score(tmp_path):
    header, rows = wide(px())
    more = {f"{name}_conf": [0.9] * FRAMES for name in NAMES} | {
        "hip_centre_x": [300] * FRAMES,
        "hip_centre_y": [400] * FRAMES,
    }
    more["left_wrist_conf"] = [0 if 8 <= t < 12 else 0.9 for t in range(FRAMES)]
    more["nose_conf"] = ["" if t == 3 else 0.9 for t in range(FRAMES)]  # corrected by hand
    (track,) = table(tmp_path, *beside(header, rows, more)).tracks
    assert np.isnan(track.poses[8:12, 9]).all() and np.isnan(track.poses).sum() == 8
    assert track.confidence[3, 0] == 1 and (track.confidence[:, 17] == 1).all()


@pytest.mark.parametrize("column", ["track", "player", "name", "individual", "animal", "person_id"])
def test_ids(tmp_path, column):
    header, rows = wide(px())
    lines = [[str(frame), who, *row] for who in ("anna", "bert") for frame, row in enumerate(rows)]
    pose_file = table(tmp_path, ["frame", column, *header], lines)
    assert [(track.id, len(track.poses)) for track in pose_file.tracks] == [("anna", FRAMES), ("bert", FRAMES)]
    with pytest.raises(UserError, match=r"'frame' repeats.*Known id columns: track_id"):
        table(tmp_path, ["frame", "who", *header], lines)


def test_lines_in_any_order(tmp_path):
    header, rows = wide(px())
    lines = [[str(frame), *row] for frame, row in enumerate(rows)]
    np.random.default_rng(0).shuffle(lines)
    pose_file = table(tmp_path, ["frame", *header], lines)
    np.testing.assert_array_equal(pose_file.tracks[0].poses, px())
    registry.write(pose_file, [px() + 1], tmp_path / "out.csv")
    np.testing.assert_allclose(registry.read(tmp_path / "out.csv").tracks[0].poses, px() + 1)


def test_times_in_milliseconds_are_no_frame_numbers(tmp_path):
    header, rows = wide(px())
    pose_file = table(tmp_path, ["time", *header], [[str(round(1000 * t / 60)), *row] for t, row in enumerate(rows)])
    assert pose_file.frame_count == FRAMES and pose_file.tracks[0].poses.shape[0] == FRAMES
    assert np.median(np.diff(pose_file.timestamps)) == pytest.approx(1 / 60, rel=0.03)
    assert any("taken as ms, 60.0" in note or "taken as ms, 59.9" in note for note in pose_file.notes), pose_file.notes


def long(poses, names):
    return [[str(t), name, *map(str, point)] for t, pose in enumerate(poses) for name, point in zip(names, pose)]


@pytest.mark.parametrize(
    "header",
    [["frame", "landmark", "x", "y"], ["Frame", "joint_name", "X", "Y"], ["frame", "keypoint", "pos_x", "pos_y"]],
)
@pytest.mark.parametrize("named", [True, False])
def test_one_landmark_per_line(tmp_path, header, named):
    lines = long(px(), NAMES if named else range(17))
    del lines[17 * 5 + 9]  # a wrist without a line
    pose_file = table(tmp_path, header, lines)
    (track,) = pose_file.tracks
    assert track.layout == "coco17" and track.poses.shape == (FRAMES, 17, 2)
    assert np.isnan(track.poses[5, 9]).all() and not track.writable[5, 9] and track.writable.sum() == 17 * FRAMES - 1
    registry.write(pose_file, [np.where(np.isnan(track.poses), 7, track.poses + 1)], tmp_path / "out.csv")
    out = registry.read(tmp_path / "out.csv").tracks[0].poses
    np.testing.assert_allclose(out, track.poses + 1)


def test_several_sets_of_landmarks(tmp_path):
    lines = [
        [str(t), kind, str(i), *map(str, point)]
        for t, pose in enumerate(px())
        for kind in ("pose", "left_hand")
        for i, point in enumerate(pose)
    ]
    tracks = table(tmp_path, ["frame", "type", "landmark_index", "x", "y"], lines).tracks
    assert [track.part for track in tracks] == ["body", "left_hand"]


def test_landmarks_without_frame_numbers(tmp_path):
    lines = [line[2:] for line in long(px(), NAMES)]
    pose_file = table(tmp_path, ["Landmark_X", "Landmark_Y"], lines)
    assert pose_file.tracks[0].poses.shape == (FRAMES, 17, 2)
    with pytest.raises(UserError, match="one point per line, which leaps"):
        table(tmp_path, ["Landmark_X", "Landmark_Y"], lines[:-3])


def said(pose_file, words):
    return sum(words in note for note in pose_file.notes)


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("column", ["id", "ID", "idx"])
def test_ids_that_are_landmarks(tmp_path, column, first):
    """A line for each landmark, called by its number: one body, not 17 people of one joint."""
    pose_file = table(tmp_path, ["frame", column, "x", "y"], long(px(), range(first, 17 + first)))
    (track,) = pose_file.tracks
    assert track.layout == "coco17" and track.poses.shape == (FRAMES, 17, 2)
    assert said(pose_file, f"each {column} is taken as a landmark") == 1
    registry.write(pose_file, [px() + 1], tmp_path / "out.csv")
    np.testing.assert_allclose(registry.read(tmp_path / "out.csv").tracks[0].poses, px() + 1)


def test_the_same_lines_as_json(tmp_path):
    """A flat list of detections was refused."""
    rows = [
        {"frame": t, "id": k, "x": x, "y": y, "flag": True}
        for t, pose in enumerate(px().tolist())
        for k, (x, y) in enumerate(pose)
    ]
    rows[3]["x"] = None
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    pose_file = registry.read(tmp_path / "rows.json")
    (track,) = pose_file.tracks
    assert (pose_file.format, track.layout, track.poses.shape) == ("json_rows", "coco17", (FRAMES, 17, 2))
    assert np.isnan(track.poses[0, 3]).all() and said(pose_file, "each id is taken as a landmark") == 1
    registry.write(pose_file, [px() + 1], tmp_path / "out.json")
    np.testing.assert_allclose(registry.read(tmp_path / "out.json").tracks[0].poses, px() + 1)
    written = json.loads((tmp_path / "out.json").read_text())
    assert [row | {"x": 0, "y": 0} for row in written] == [row | {"x": 0, "y": 0} for row in rows]
    rows[20]["x"] = "soon"
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    with pytest.raises(UserError, match="object 20, x: 'soon' is not a number"):
        registry.read(tmp_path / "rows.json")


def test_names_that_are_landmarks(tmp_path):
    lines = long(px(), NAMES)
    del lines[17 * 5 + 9]
    (track,) = table(tmp_path, ["time", "name", "x", "y"], [[int(t) / 25, *rest] for t, *rest in lines]).tracks
    assert track.layout == "coco17" and track.poses.shape == (FRAMES, 17, 2)


def test_landmarks_of_several_people(tmp_path):
    lines = [[who, *line] for who in ("anna", "bert") for line in long(px(), range(17))]
    tracks = table(tmp_path, ["person_id", "frame", "id", "x", "y"], lines).tracks
    assert [(track.id, track.poses.shape) for track in tracks] == [("anna", (FRAMES, 17, 2)), ("bert", (FRAMES, 17, 2))]


def test_landmarks_without_frames_or_with_kinds(tmp_path):
    lines = long(px(), range(17))
    (track,) = table(tmp_path, ["id", "x", "y"], [line[1:] for line in lines]).tracks
    assert track.poses.shape == (FRAMES, 17, 2)
    hands = np.random.default_rng(0).normal(300, 5, (FRAMES, 21, 2))
    both = [["pose", *line] for line in lines] + [["hand", *line] for line in long(hands, range(21))]
    tracks = table(tmp_path, ["type", "frame", "id", "x", "y"], both).tracks
    assert [track.poses.shape[1] for track in tracks] == [17, 21]


@pytest.mark.parametrize(
    ("column", "ids"),
    [("id", range(5)), ("id", range(100, 117)), ("person_id", range(17)), ("name", "abcdefghijklmnopq")],
)
def test_ids_that_are_people(tmp_path, column, ids):
    """Nobody has five landmarks, or from the hundredth on: people of one joint each, which is said."""
    pose_file = table(tmp_path, ["frame", column, "x", "y"], long(px()[:, : len(ids)], ids))
    assert [track.poses.shape for track in pose_file.tracks] == [(FRAMES, 1, 2)] * len(ids)
    assert said(pose_file, "person of one joint. If the ids are landmarks, call their column landmark") == 1


def test_ids_that_come_and_go_are_people(tmp_path):
    lines = long(px(), range(17))
    pose_file = table(tmp_path, ["frame", "id", "x", "y"], lines[:40] + lines[45:])
    assert len(pose_file.tracks) == 17 and said(pose_file, "person of one joint") == 1


def test_a_single_point_is_a_track(tmp_path):
    path = np.cumsum(np.random.default_rng(0).normal(3, 0.5, (60, 2)), axis=0)
    pose_file = table(tmp_path, ["x", "y"], [list(map(str, point)) for point in path])
    assert pose_file.tracks[0].poses.shape == (60, 1, 2)


@pytest.mark.parametrize("animals", [0, 2])
def test_deeplabcut(tmp_path, animals):
    """The header that DeepLabCut's to_csv writes, with and without its line of individuals."""
    people = [f"mouse{n}" for n in range(animals)] or [""]
    columns = [(who, part, coord) for who in people for part in NAMES for coord in ("x", "y", "likelihood")]
    header = [["scorer"] + ["DLC_resnet50"] * len(columns)]
    header += [["individuals"] + [who for who, _, _ in columns]] if animals else []
    header += [["bodyparts"] + [part for _, part, _ in columns], ["coords"] + [coord for *_, coord in columns]]
    rows = [
        [str(t)]
        + [value for place in range(len(people)) for point in pose + 300 * place for value in (*map(str, point), "0.9")]
        for t, pose in enumerate(px())
    ]
    pose_file = table(tmp_path, header, rows)
    assert [str(track.id) for track in pose_file.tracks] == (people if animals else ["0"])
    for place, track in enumerate(pose_file.tracks):
        np.testing.assert_allclose(track.poses, px() + 300 * place)
    registry.write(pose_file, [track.poses + 1 for track in pose_file.tracks], tmp_path / "out.csv")
    out = list(csv.reader(open(tmp_path / "out.csv")))
    assert out[: len(header)] == header and out[len(header)][3] == "0.9"


def test_written_numbers_are_short(tmp_path):
    pose_file = table(tmp_path, *wide(px()))
    registry.write(pose_file, [px() + 1 / 3], tmp_path / "out.csv")
    assert max(len(cell) for row in list(csv.reader(open(tmp_path / "out.csv")))[1:] for cell in row) <= 10


@pytest.mark.parametrize("missing", [[0], [1], [0, 1]], ids=["first", "last", "every"])
def test_points_whose_steps_are_all_missing(missing):
    """Every second line is empty, so that no step is known, or a column is."""
    from lib.formats.csv_rows import points_per_frame

    values = np.random.default_rng(0).uniform(0, 100, size=(66, 2))
    values[missing[0] :: 2] = np.nan
    values[:, missing[1:]] = np.nan
    assert points_per_frame(values, "file.csv") == 1
