"""Rotations of the rig's bones from a person's 17 joints: what turns the body at rest to where its joints are.

Each segment has a bone's direction and a second one across it (hips, shoulders, the axis of a bent knee or elbow); a limb that is
straight turns with the segment above it. Feet follow the shanks and hands the forearms, of which joints say nothing.
T frames, J = 17 joints of h36m17, B bones of the rig.
"""

import numpy as np
from scipy.spatial.transform import Rotation

from . import body

STRAIGHT = 0.3  # sine of a limb's bend at which its own axis counts as much as that of the segment above


def turns(joints):
    """{bone of the rig: [T, 3, 3] from rest to the world} of joints [T, J, 3] m, y up."""
    places = {name: joints[:, place] for place, name in enumerate(body.JOINTS)}
    rest = {name: point[None] for name, point in zip(body.JOINTS, body.average().joints)}
    result = {}

    def put(bone, direction, across, first):
        frames = [_frame(direction(at), across(at), first) for at in (places, rest)]
        result[bone] = frames[0] @ frames[1].swapaxes(1, 2)

    put("Hips", _between("right_hip", "left_hip"), _between("pelvis", "spine"), 0)
    put("Spine1", _between("spine", "thorax"), _between("right_shoulder", "left_shoulder"), 1)
    put("Head", _between("thorax", "head"), _between("thorax", "nose"), 1)
    result["Spine"] = result["Spine1"]
    result["LowerBack"] = _halfway(result["Hips"], result["Spine1"])
    result["Neck"] = result["Neck1"] = _halfway(result["Spine1"], result["Head"])
    for side in ("left", "right"):
        for upper, lower, names, above in (
            ("Arm", "ForeArm", ("shoulder", "elbow", "wrist"), "Spine1"),
            ("UpLeg", "Leg", ("hip", "knee", "ankle"), "Hips"),
        ):
            names = [f"{side}_{name}" for name in names]
            one, two = _limb(*(places[name] for name in names), *(rest[name] for name in names), result[above])
            result[side.capitalize() + upper], result[side.capitalize() + lower] = one, two
        result[f"{side.capitalize()}Shoulder"] = result["Spine1"]
    return result


def _between(start, end):
    return lambda at: at[end] - at[start]


def _unit(vectors):
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def _frame(direction, across, first):
    """Right-handed axes [T, 3, 3] (columns) of which column `first` is a direction [T, 3] and the next one lies towards `across`."""
    one = _unit(direction)
    two = _unit(across - (across * one).sum(-1, keepdims=True) * one)
    three = np.cross(one, two)
    columns = [None, None, None]
    for step, column in enumerate((one, two, three)):
        columns[(first + step) % 3] = column
    return np.stack(columns, axis=-1)


def _limb(root, middle, end, rest_root, rest_middle, rest_end, above):
    """Rotations [T, 3, 3] of a limb's two bones; above: of the segment that it hangs on."""
    upper, lower = _unit(middle - root), _unit(end - middle)
    rest_upper, rest_lower = _unit(rest_middle - rest_root), _unit(rest_end - rest_middle)
    rest_axis = _unit(np.cross(rest_upper, rest_lower))
    carried = above @ rest_axis[0]  # the axis if the limb did not turn about itself
    axis = np.cross(upper, lower) + STRAIGHT * carried
    frames = []
    for now, then in ((upper, rest_upper), (lower, rest_lower)):
        frames.append(_frame(now, axis, 0) @ _frame(then, rest_axis, 0).swapaxes(1, 2))
    return frames


def _halfway(one, other):
    """Rotations [T, 3, 3] in the middle of two."""
    between = Rotation.from_matrix(one.swapaxes(1, 2) @ other).as_rotvec() / 2
    return one @ Rotation.from_rotvec(between).as_matrix()
