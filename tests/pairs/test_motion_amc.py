"""ASF and AMC files: rotations from rest to the world, by closed forms."""

import numpy as np
import pytest

from lib.errors import UserError
from lib.pairs import motion_amc

# name: (parent, direction, length, axis in degrees, dof)
SKELETON = {
    "lhipjoint": ("root", (1, 0, 0), 2, (0, 0, 0), ""),
    "lfemur": ("lhipjoint", (0.342, -0.940, 0), 8, (0, 0, 20), "rx ry rz"),
    "ltibia": ("lfemur", (0.342, -0.940, 0), 8, (0, 0, 20), "rx"),
    "rhipjoint": ("root", (-1, 0, 0), 2, (0, 0, 0), ""),
    "rfemur": ("rhipjoint", (-0.342, -0.940, 0), 8, (0, 0, -20), "rx ry rz"),
    "rtibia": ("rfemur", (-0.342, -0.940, 0), 8, (0, 0, -20), "rx"),
    "lowerback": ("root", (0, 1, 0), 3, (0, 0, 0), "rx ry rz"),
    "thorax": ("lowerback", (0, 1, 0), 3, (0, 0, 0), "rx ry rz"),
    "lhumerus": ("thorax", (1, 0, 0), 5, (180, 30, 90), "rx ry rz"),
    "lradius": ("lhumerus", (1, 0, 0), 3, (180, 30, 90), "rx"),
    "rhumerus": ("thorax", (-1, 0, 0), 5, (180, -30, -90), "rx ry rz"),
    "rradius": ("rhumerus", (-1, 0, 0), 3, (180, -30, -90), "rx"),
}


def write(folder, frames, unit="deg"):
    """01.asf and 01_05.amc; frames: [{bone: numbers}], what is not named stands at rest. Returns the AMC's path."""
    scale = 1 if unit == "deg" else np.pi / 180
    blocks = [
        f"  begin\n id {place}\n name {name}\n direction {' '.join(map(str, direction))}\n length {length}\n"
        f" axis {' '.join(str(a * scale) for a in axis)} XYZ\n" + (f" dof {dof}\n" if dof else "") + "  end\n"
        for place, (name, (_, direction, length, axis, dof)) in enumerate(SKELETON.items(), 1)
    ]
    parents = {}
    for name, (parent, *_) in SKELETON.items():
        parents.setdefault(parent, []).append(name)
    tree = "".join(f" {parent} {' '.join(children)}\n" for parent, children in parents.items())
    (folder / "01.asf").write_text(
        f"# made here\n:version 1.10\n:name one\n:units\n mass 1.0\n length 0.45\n angle {unit}\n:documentation\n none\n"
        ":root\n order TX TY TZ RX RY RZ\n axis XYZ\n position 0 0 0\n orientation 0 0 0\n"
        f":bonedata\n{''.join(blocks)}:hierarchy\n begin\n{tree} end\n"
    )
    lines = [":FULLY-SPECIFIED", ":DEGREES"]
    for place, frame in enumerate(frames, 1):
        lines.append(str(place))
        lines.append("root " + " ".join(map(str, frame.get("root", (0, 17, 0, 0, 0, 0)))))
        for name, (*_, dof) in SKELETON.items():
            if dof:
                values = frame.get(name, (0,) * len(dof.split()))
                lines.append(f"{name} " + " ".join(str(value * scale) for value in values))
    path = folder / "01_05.amc"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_at_rest_nothing_is_turned(tmp_path):
    turns, directions, roots, leg = motion_amc.read(write(tmp_path, [{}, {}]))
    for bone, turned in turns.items():
        np.testing.assert_allclose(turned, np.tile(np.eye(3), (2, 1, 1)), atol=1e-12, err_msg=bone)
    np.testing.assert_array_equal(directions["LeftLeg"], (0.342, -0.940, 0))
    np.testing.assert_array_equal(roots, [[0, 17, 0]] * 2)
    assert leg == 16


@pytest.mark.parametrize("unit", ["deg", "rad"])
def test_a_knee_bends_about_its_own_axis(tmp_path, unit):
    turns, *_ = motion_amc.read(write(tmp_path, [{"ltibia": (90,)}], unit))
    axis = np.array([np.cos(np.radians(20)), np.sin(np.radians(20)), 0])
    np.testing.assert_allclose(turns["LeftLeg"][0] @ axis, axis, atol=1e-12)
    np.testing.assert_allclose(turns["LeftLeg"][0] @ (0, 0, 1), np.cross(axis, (0, 0, 1)), atol=1e-12)
    np.testing.assert_allclose(turns["LeftUpLeg"][0], np.eye(3), atol=1e-12)


def test_a_person_who_turns_carries_all_bones(tmp_path):
    turns, _, roots, _ = motion_amc.read(write(tmp_path, [{"root": (1, 2, 3, 0, 90, 0), "thorax": (0, 0, 90)}]))
    np.testing.assert_array_equal(roots, [[1, 2, 3]])
    np.testing.assert_allclose(turns["Hips"][0] @ (0, 0, 1), (1, 0, 0), atol=1e-12)  # ahead becomes left
    # In its own axes the thorax takes left up; the hips' turn about the vertical leaves it there.
    np.testing.assert_allclose(turns["LeftArm"][0] @ (1, 0, 0), (0, 1, 0), atol=1e-12)


def test_the_angles_come_in_the_order_x_y_z(tmp_path):
    turns, *_ = motion_amc.read(write(tmp_path, [{"lowerback": (90, 90, 0)}]))
    # About x first: up becomes ahead; then about y: ahead becomes left.
    np.testing.assert_allclose(turns["LowerBack"][0] @ (0, 1, 0), (1, 0, 0), atol=1e-12)


def test_what_does_not_fit_is_refused(tmp_path):
    path = write(tmp_path, [{}])
    text = path.read_text()
    path.write_text(text.replace("ltibia 0", "ltibia 0 0"))
    with pytest.raises(UserError, match="frame 1 has 2 numbers for ltibia, which has 1"):
        motion_amc.read(path)
    path.write_text(":DEGREES\n")
    with pytest.raises(UserError, match="no frame in it"):
        motion_amc.read(path)
    path.write_text(text)
    skeleton = tmp_path / "01.asf"
    whole = skeleton.read_text()
    skeleton.write_text(whole.replace("thorax", "chest"))
    with pytest.raises(UserError, match="no thorax among its bones|numbers for chest"):
        motion_amc.read(path)
    skeleton.write_text(whole.split(":hierarchy")[0])
    with pytest.raises(UserError, match="no :hierarchy"):
        motion_amc.read(path)
    skeleton.unlink()
    with pytest.raises(UserError, match="01.asf, is not beside it"):
        motion_amc.read(path)


@pytest.mark.slow  # Anny takes seconds to load
def test_an_amc_file_moves_the_rig(tmp_path):
    pytest.importorskip("anny")
    from lib.pairs import body, motion_files

    (read,) = motion_files.read(write(tmp_path, [{"ltibia": (90,)}] * 3))
    assert (read.name, read.subject, read.fps) == ("01_05", "01", 120)
    _, joints = body.pose(body.average(), read.rotations, read.roots)
    at = {name: joints[0, place] for place, name in enumerate(body.JOINTS)}
    bent = np.cross((np.cos(np.radians(20)), np.sin(np.radians(20)), 0), SKELETON["lfemur"][1])
    for start, end, expected in (
        ("left_hip", "left_knee", SKELETON["lfemur"][1]),
        ("left_knee", "left_ankle", bent),
        ("right_knee", "right_ankle", SKELETON["rtibia"][1]),
        ("left_shoulder", "left_elbow", (1, 0, 0)),
        ("right_elbow", "right_wrist", (-1, 0, 0)),
        ("pelvis", "thorax", (0, 1, 0)),
    ):
        limb = at[end] - at[start]
        assert limb @ expected / np.linalg.norm(limb) / np.linalg.norm(expected) > np.cos(np.radians(12)), end
