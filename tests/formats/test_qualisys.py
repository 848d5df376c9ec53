"""Qualisys' TSV exports: with and without frame and time, column names, trajectory types, events; what a lost marker looks like."""

import numpy as np
import pytest

from lib.errors import UserError
from lib.formats import registry
from tests.formats.test_csv import NAMES
from tests.formats.walker import FRAMES, walk

PLACES = np.round(walk(3, 1700.0) + 500, 3)
LOST = {(3, 2), (4, 2), (7, 0)}  # frame, marker


def qualisys(folder, before=0, named=False, types=False, lost="0.000", tab="", more=(), **settings):
    head = {
        "NO_OF_FRAMES": FRAMES, "NO_OF_CAMERAS": 8, "NO_OF_MARKERS": 17, "FREQUENCY": 120, "NO_OF_ANALOG": 0,
        "ANALOG_FREQUENCY": 0, "DESCRIPTION": "--", "TIME_STAMP": "2026-09-15, 10:36:10.123\t6.84514681",
        "DATA_INCLUDED": "3D", **settings,
    }  # fmt: skip
    lines = [f"{name}\t{value}" for name, value in head.items()] + list(more)
    lines.append("\t".join(["MARKER_NAMES", *NAMES]))
    if types:
        lines.append("\t".join(["TRAJECTORY_TYPES", *["Measured"] * 17]))
    if named:
        lines.append("\t".join([*["Frame", "Time"][:before], *(f"{name} {axis}" for name in NAMES for axis in "XYZ")]))
    for frame, pose in enumerate(PLACES):
        cells = [str(frame + 1), f"{frame / 120:.5f}"][:before]
        for marker, point in enumerate(pose):
            cells += [lost] * 3 if (frame, marker) in LOST else [f"{value:.3f}" for value in point]
        lines.append("\t".join(cells) + tab)
    (folder / "walk.tsv").write_text("\r\n".join(lines) + "\r\n", newline="")
    return folder / "walk.tsv"


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"before": 2, "named": True, "types": True},
        {"before": 2},
        {"before": 1, "named": True, "lost": ""},
        {"lost": "NaN", "tab": "\t"},
        {"lost": "NULL", "types": True, "more": ["EVENT\tstart\t1\t0.00000"]},
    ],
    ids=["plain", "all", "frame and time", "empty", "NaN and a tab", "NULL and an event"],
)
def test_qualisys(tmp_path, how):
    pandas = pytest.importorskip("pandas")
    path = qualisys(tmp_path, **how)
    pose_file = registry.read(path)
    (track,) = pose_file.tracks
    assert (pose_file.format, pose_file.fps, track.units, track.kind, track.joint_names) == (
        "qualisys",
        120,
        "mm",
        "3D",
        tuple(NAMES),
    )
    expected = PLACES.copy()
    for frame, marker in LOST:
        expected[frame, marker] = np.nan
    np.testing.assert_array_equal(track.poses, expected)
    filled = np.where(np.isnan(track.poses), 700.0, track.poses + 1)
    registry.write(pose_file, [filled], tmp_path / "out.tsv")
    skip = next(
        number for number, line in enumerate(path.read_text().splitlines()) if line[:1].isdigit() or line[:1] == "-"
    )
    before, after = (
        pandas.read_csv(file, sep="\t", skiprows=skip, header=None) for file in (path, tmp_path / "out.tsv")
    )
    first = how.get("before", 0)
    np.testing.assert_allclose(
        after.iloc[:, first : first + 51].to_numpy(float).reshape(FRAMES, 17, 3), filled, rtol=1e-8
    )
    pandas.testing.assert_frame_equal(before.iloc[:, :first], after.iloc[:, :first])
    assert path.read_text().splitlines()[:skip] == (tmp_path / "out.tsv").read_text().splitlines()[:skip]
    registry.write(pose_file, [track.poses], tmp_path / "same.tsv")
    assert (tmp_path / "same.tsv").read_bytes() == path.read_bytes()


def test_a_cut_file_is_said(tmp_path):
    assert "says 99 frames, the file has 24" in registry.read(qualisys(tmp_path, NO_OF_FRAMES=99)).notes[0]


def test_other_data_are_refused(tmp_path):
    with pytest.raises(UserError, match="holds 6D of 17 markers. .* export 3D data"):
        registry.read(qualisys(tmp_path, DATA_INCLUDED="6D"))
    path = qualisys(tmp_path)
    path.write_text(path.read_text().replace("left_wrist\t", ""))
    with pytest.raises(UserError, match="NO_OF_MARKERS is 17, MARKER_NAMES has 16"):
        registry.read(path)
    path.write_text(path.read_text().replace("NO_OF_MARKERS\t17", "NO_OF_MARKERS\t16"))
    with pytest.raises(UserError, match="51 columns for 16 markers. Expected 48"):
        registry.read(path)
