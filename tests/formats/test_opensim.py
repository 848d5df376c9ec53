"""OpenSim's .mot and .sto: coordinates, markers, forces."""

import numpy as np
import pytest

from lib.errors import UserError
from lib.formats import registry
from tests.formats.test_csv import NAMES
from tests.formats.walker import FRAMES, walk

COORDINATES = ("pelvis_tilt", "pelvis_tx", "pelvis_ty", "hip_flexion_r", "knee_angle_r")


def motion(tmp_path, names=COORDINATES, degrees="yes", values=None, gap="\t", kind="", name="ik.mot"):
    times = 0.02 * np.arange(FRAMES)
    if values is None:
        values = np.stack([20 * np.sin(3 * times + k) for k in range(len(names))], axis=1)
    head = ["Coordinates", "version=1", f"nRows={FRAMES}", f"nColumns={len(names) + 1}", f"inDegrees={degrees}", *([f"DataType={kind}"] if kind else []), "", "endheader"]  # fmt: skip
    cells = values if values.dtype.kind == "U" else np.char.mod("%.8f", values)
    rows = ["      " + gap.join([f"{time:.8f}", *row]) for time, row in zip(times, cells)]
    (tmp_path / name).write_text("\n".join([*head, gap.join(["time", *names]), *rows]) + "\n")
    return tmp_path / name, values


@pytest.mark.parametrize("gap", ["\t", "      ", "\t     "])
def test_coordinates(tmp_path, gap):
    path, values = motion(tmp_path, gap=gap)
    pose_file = registry.read(path)
    angles, places = pose_file.tracks
    assert angles.joint_names == ("pelvis_tilt", "hip_flexion_r", "knee_angle_r") and angles.units == "deg"
    assert places.joint_names == ("pelvis_tx", "pelvis_ty") and places.units == "m"
    np.testing.assert_allclose(angles.poses[..., 0], values[:, [0, 3, 4]], atol=1e-7)
    np.testing.assert_allclose(np.diff(pose_file.timestamps), 0.02)
    registry.write(pose_file, [track.poses + 1 for track in pose_file.tracks], tmp_path / "out.mot")
    back = registry.read(tmp_path / "out.mot")
    for one, other in zip(pose_file.tracks, back.tracks):
        np.testing.assert_allclose(other.poses, one.poses + 1, atol=1e-6)
    before, after = (file.read_text().splitlines() for file in (path, tmp_path / "out.mot"))
    assert before[:8] == after[:8] and len(before) == len(after)
    registry.write(pose_file, [track.poses for track in pose_file.tracks], tmp_path / "same.mot")
    assert (tmp_path / "same.mot").read_bytes() == path.read_bytes()


def test_read_back_by_pandas(tmp_path):
    pandas = pytest.importorskip("pandas")
    path, values = motion(tmp_path)
    pose_file = registry.read(path)
    registry.write(pose_file, [track.poses + 1 for track in pose_file.tracks], tmp_path / "out.mot")
    back = pandas.read_csv(tmp_path / "out.mot", sep=r"\s+", skiprows=7)
    assert list(back) == ["time", *COORDINATES]
    np.testing.assert_allclose(back[list(COORDINATES)], values + 1, atol=1e-7)


@pytest.mark.parametrize("degrees, turn", [("yes", 360.0), ("no", 2 * np.pi)])
def test_angles_that_wrap(tmp_path, degrees, turn):
    """A turn on the spot leaps from half a turn to minus half a turn: no leap where it is refined, the same leap in the file."""
    turning = np.linspace(0.3, 0.9, FRAMES)[:, None] * turn
    wrapped = (turning + turn / 2) % turn - turn / 2
    path, _ = motion(tmp_path, ("pelvis_rotation",), degrees, wrapped)
    pose_file = registry.read(path)
    (track,) = pose_file.tracks
    np.testing.assert_allclose(np.diff(track.poses[:, 0, 0]), np.diff(turning[:, 0]), atol=1e-6)
    registry.write(pose_file, [track.poses + 0.01], tmp_path / "out.mot")
    cells = [line.split() for line in (tmp_path / "out.mot").read_text().splitlines()[-FRAMES:]]
    np.testing.assert_allclose([float(row[1]) for row in cells], wrapped[:, 0] + 0.01, atol=1e-6)


def test_markers_as_vec3(tmp_path):
    poses = walk(3, 1.7)
    cells = np.array([[",".join(f"{value:.6f}" for value in point) for point in pose] for pose in poses])
    path, _ = motion(tmp_path, NAMES, "no", cells, kind="Vec3", name="markers.sto")
    pose_file = registry.read(path)
    (track,) = pose_file.tracks
    assert track.kind == "3D" and track.layout == "coco17"
    np.testing.assert_allclose(track.poses, poses, atol=1e-6)
    registry.write(pose_file, [track.poses + 1], tmp_path / "out.sto")
    np.testing.assert_allclose(registry.read(tmp_path / "out.sto").tracks[0].poses, poses + 1, atol=2e-6)


def test_forces_are_left_or_refused(tmp_path):
    path, values = motion(tmp_path, ("pelvis_tilt", "ground_force_vx", "ground_force_px"))
    pose_file = registry.read(path)
    assert [track.joint_names for track in pose_file.tracks] == [
        ("pelvis_tilt",)
    ] and "left as they are" in pose_file.notes[0]
    path, _ = motion(tmp_path, ("ground_force_vx", "ground_torque_x"))
    with pytest.raises(UserError, match="no coordinates of a body"):
        registry.read(path)


@pytest.mark.parametrize(
    "change, says",
    [
        (lambda text: text.replace("endheader", "end"), "endheader"),
        (lambda text: text.replace("inDegrees=yes", "DataType=Quaternion"), "DataType=quaternion"),
        (lambda text: text.replace("0.04000000", "0.00000000"), "times do not rise"),
        (lambda text: text.rstrip() + "\t7\n", "columns"),
        (lambda text: text.replace("pelvis_tilt", "pelvis tilt"), "columns"),
    ],
)
def test_damaged(tmp_path, change, says):
    path, _ = motion(tmp_path)
    path.write_text(change(path.read_text()))
    with pytest.raises(UserError, match=says) as caught:
        registry.read(path, "opensim")
    assert "ik.mot" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("factor, unit", [(1e3, "ms"), (1e6, "µs")])
def test_times_in_another_unit_are_converted_and_said(tmp_path, factor, unit):
    path, _ = motion(tmp_path)
    lines = path.read_text().splitlines()
    for number in range(len(lines) - FRAMES, len(lines)):
        time, *cells = lines[number].split()
        lines[number] = "\t".join([f"{factor * float(time):.4f}", *cells])
    path.write_text("\n".join(lines) + "\n")
    pose_file = registry.read(path)
    np.testing.assert_allclose(np.diff(pose_file.timestamps), 0.02)
    assert f"taken as {unit}, 50 frames a second" in pose_file.notes[0]
