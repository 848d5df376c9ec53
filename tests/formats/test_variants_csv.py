"""Tables as other programs and people write them: names of columns, several lines of header, decimal commas, what stands for nothing."""

import numpy as np
import pytest

from lib.errors import UserError
from lib.formats import registry
from lib.formats.tracks import JOINT_NAMES
from tests.formats.test_csv import NAMES
from tests.formats.walker import FRAMES, walk

T = range(FRAMES)
PX, M = np.round(walk(2, 400.0, place=100.0), 3), np.round(walk(3, 1.7), 4)
SCORE = np.round(np.random.default_rng(0).uniform(0.3, 0.99, (FRAMES, 17, 1)), 3)
XYC = np.concatenate([PX, SCORE], axis=2)


def table(head, rows, gap=","):
    return "\n".join(gap.join(map(str, row)) for row in [head, *rows]) + "\n"


def wide(*forms, poses=PX, before=("frame",), first=lambda t: [t], gap=","):
    head = [*before, *(form.format(n=name, k=k) for k, name in enumerate(NAMES) for form in forms)]
    return table(head, [[*first(t), *poses[t].ravel()] for t in T], gap)


def numbers(poses, first=lambda t: [t]):
    return [[*first(t), *poses[t].ravel()] for t in T]


def blocks(*lines, rows):
    return "\n".join(",".join(map(str, line)) for line in [*lines, *rows]) + "\n"


REPEATED = [name for name in NAMES for _ in "xyz"]
NEXUS = blocks(
    ["Joints"], [100], ["", "", "Anna:LKneeAngles", "", "", "Anna:RKneeAngles", "", ""], ["Frame", "Sub Frame", *"XYZXYZ"], ["", "", *["deg"] * 6],
    *([t + 1, 0, *[20.5] * 6] for t in T), [], ["Trajectories"], [100],
    ["", "", *(cell for name in NAMES for cell in (f"Anna:{name}", "", ""))], ["Frame", "Sub Frame", *"XYZ" * 17], ["", "", *["mm"] * 51],
    rows=numbers(1000 * M, lambda t: [t + 1, 0]),
)  # fmt: skip
MOTIVE = blocks(
    ["Format Version", 1.23, "Take Name", "walk", "Export Frame Rate", "120.000000", "Length Units", "Meters"], [],
    ["", "Type", *["Bone"] * 4, *["Marker"] * 51], ["", "Name", *["Anna:hip"] * 4, *(f"Anna:{name}" for name in REPEATED)],
    ["", "ID", *["1"] * 4, *range(51)], ["", "", *["Rotation"] * 4, *["Position"] * 51], ["Frame", "Time (Seconds)", *"XYZW", *"XYZ" * 17],
    rows=numbers(M, lambda t: [t, f"{t / 120:.6f}", 0.1, 0.2, 0.3, 0.9]),
)  # fmt: skip
LABELLED = blocks(
    ["scorer", "", "", *["me"] * 51], ["bodyparts", "", "", *REPEATED], ["coords", "", "", *["x", "y", "likelihood"] * 17],
    rows=numbers(XYC, lambda t: ["labeled-data", "clip", f"img{t:04d}.png"]),
)  # fmt: skip
FACE = ["frame", " timestamp", *(f" {axis}_{k}" for axis in "xyXYZ" for k in range(17))]
TEXTS = {  # name: (text, poses, rate or None, units)
    "semicolons and decimal commas": (wide("{n}_x", "{n}_y", gap=";").replace(".", ","), PX, None, "px"),
    "nose_x_px": (wide("{n}_x_px", "{n}_y_px"), PX, None, "px"),
    "nose_x_mm": (wide("{n}_x_mm", "{n}_y_mm", "{n}_z_mm", poses=1000 * M), 1000 * M, None, None),
    "joint0_x": (wide("joint{k}_x", "joint{k}_y"), PX, None, "px"),
    "keypoint_0_x": (wide("keypoint_{k}_x", "keypoint_{k}_y", "keypoint_{k}_score", poses=XYC), PX, None, "px"),
    "kpt0 beside a box": (wide("kpt{k}_x", "kpt{k}_y", before=("frame", "bbox_x1", "bbox_y1"), first=lambda t: [t, 7, 9]), PX, None, "px"),
    "p0x": (wide("p{k}x", "p{k}y"), PX, None, "px"),
    "noseX": (wide("{n}X", "{n}Y"), PX, None, "px"),
    "PoseLandmark.NOSE_x": (wide("PoseLandmark.{n}_x", "PoseLandmark.{n}_y").upper(), PX, None, "px"),
    "Anna:nose_x": (wide("Anna:{n}_x", "Anna:{n}_y"), PX, None, "px"),
    "remarks above": ("# made by a tool\n# in px\n" + wide("{n}_x", "{n}_y"), PX, None, "px"),
    "elapsed_ms": (wide("{n}_x", "{n}_y", before=("frame", "elapsed_ms"), first=lambda t: [t, 40 * t]), PX, 25, "px"),
    "frame_time": (wide("{n}_x", "{n}_y", before=("frame", "frame_time"), first=lambda t: [t, t / 25]), PX, 25, "px"),
    "names over axes": (blocks(["", *REPEATED], ["", *["x", "y", "score"] * 17], rows=numbers(XYC)), PX, None, "px"),
    "center_x": (wide("{n}_x", "{n}_y", before=("frame", "center_x", "center_y"), first=lambda t: [t, 7, 9]), PX, None, "px"),
    "Vicon Nexus": (NEXUS, 1000 * M, 100, "mm"),
    "OptiTrack Motive": (MOTIVE, M, 120, "m"),
    "DeepLabCut's labels": (LABELLED, PX, None, "px"),
    "OpenFace": (table(FACE, [[t, t / 30, *PX[t, :, 0], *PX[t, :, 1], *(1000 * M[t]).T.ravel()] for t in T]), PX, 30, "px"),
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_tables(tmp_path, name):
    text, expected, rate, units = TEXTS[name]
    (tmp_path / "poses.csv").write_text(text)
    pose_file = registry.read(tmp_path / "poses.csv")
    (track,) = pose_file.tracks
    np.testing.assert_allclose(track.poses, expected)
    assert (track.layout, track.units, pose_file.frame_count) == ("coco17", units, FRAMES)
    told = pose_file.fps or (None if pose_file.timestamps is None else 1 / np.median(np.diff(pose_file.timestamps)))
    assert told == (rate if rate is None else pytest.approx(rate))
    registry.write(pose_file, [track.poses], tmp_path / "same.csv")
    assert (tmp_path / "same.csv").read_bytes() == (tmp_path / "poses.csv").read_bytes()
    registry.write(pose_file, [track.poses + 1], tmp_path / "out.csv")
    np.testing.assert_allclose(registry.read(tmp_path / "out.csv").tracks[0].poses, expected + 1, rtol=1e-6)
    before, after = text.splitlines(), (tmp_path / "out.csv").read_text().splitlines()
    first = next(number for number, (one, other) in enumerate(zip(before, after)) if one != other)
    assert first == len(before) - FRAMES == len(after) - FRAMES


def test_what_was_left_is_said(tmp_path):
    (tmp_path / "face.csv").write_text(TEXTS["OpenFace"][0])
    assert any("left as they are" in note and "X_0" in note for note in registry.read(tmp_path / "face.csv").notes)


@pytest.mark.parametrize("nothing", ["N/A", "#N/A", "<NA>", "-", "nil", "NULL", "-nan", "9999"])
def test_cells_of_nothing(tmp_path, nothing):
    text = wide("{n}_x", "{n}_y")
    lost = ",".join(map(str, PX[5, 9]))
    assert text.count(lost) == 1
    (tmp_path / "poses.csv").write_text(text.replace(lost, f"{nothing},{nothing}"))
    (track,) = registry.read(tmp_path / "poses.csv").tracks
    assert np.argwhere(np.isnan(track.poses).any(axis=-1)).tolist() == [[5, 9]]


def test_short_names_of_sides(tmp_path):
    text = wide("{n}_x", "{n}_y")
    for side in ("left", "right"):
        for name in (name for name in NAMES if name.startswith(side)):
            text = text.replace(f"{name}_", f"{side[0].upper()}{name.removeprefix(side + '_').title()}_")
    assert "LShoulder_x" in text and "left" not in text
    (tmp_path / "poses.csv").write_text(text)
    assert registry.read(tmp_path / "poses.csv").tracks[0].joint_names == JOINT_NAMES["coco17"]


def test_a_table_of_lists_is_refused(tmp_path):
    """Ultralytics' to_csv has a person's key points as one text; below one header nothing tells the frames."""
    row = f"person,0,0.9,\"{{'x': {PX[0, :, 0].tolist()}, 'y': {PX[0, :, 1].tolist()}}}\""
    (tmp_path / "poses.csv").write_text("name,class,confidence,keypoints\n" + f"{row}\n" * FRAMES)
    with pytest.raises(UserError, match=r"no column 'frame'.*results.to_csv"):
        registry.read(tmp_path / "poses.csv")
    (tmp_path / "other.csv").write_text("frame,points\n" + "".join(f'{t},"[[1, 2], [3, 4]]"\n' for t in T))
    with pytest.raises(UserError, match=r"lists in its cells(.|\n)*results.to_json"):
        registry.read(tmp_path / "other.csv")
