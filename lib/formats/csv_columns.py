"""Which columns of a table are joints: <joint>_x, <joint>_y; x1, y1; x_<joint>; DeepLabCut's header of several lines."""

import re
from collections import Counter
from dataclasses import dataclass

from .tracks import joint_name

SCORES = "v visibility vis c conf confidence score likelihood prob probability presence p visible reliability".split()
AXES = ("x", "y", "z")
# Names that are no joints, as words of a column's name.
NO_JOINT = {
    "bbox", "box", "boundingbox", "velocity", "vel", "speed", "acceleration", "accel", "acc", "angle", "angles", "offset",
    "delta", "displacement", "rotation", "rot", "quat", "size", "image", "img", "frame", "screen", "resolution", "scale",
    "camera", "cam", "tile", "crop", "gaze", "euler", "orientation", "momentum", "force", "std", "var", "error",
}  # fmt: skip
_WORD = "|".join((*AXES, *SCORES))
_SUFFIX = re.compile(rf"(.+?)[_.\s:\-|]+({_WORD})", re.I)
_PREFIX = re.compile(rf"({_WORD})[_.\s:\-|]+(.+)", re.I)
_NUMBERED = re.compile(rf"({_WORD})_?(\d+)", re.I)
_NUMBER_FIRST = re.compile(rf"(\d+)_?({_WORD})", re.I)
_COMPACT = re.compile(r"(.*\d)([xyzXYZ])|(.*[a-z])([XYZ])")  # p0x, noseX
# Names that say no more than a number.
_GENERIC = re.compile(r"(joint|kp|kpt|keypoint|key_point|landmark|lm|point|pt|p|j|node)s?[_\s.\-]*(\d+)", re.I)
_CENTRES = ("center", "centre", "centroid", "com", "cog")


@dataclass
class Joint:
    """One joint of a table. columns: {axis or "c": column}; named: whether its name is more than a number."""

    name: str
    columns: dict
    named: bool = True
    person: str = ""


@dataclass
class Columns:
    """joints: of equal axes ("xy" or "xyz"); left: names of columns with coordinates that are no joint's."""

    joints: list
    axes: str
    left: list


def _plain(name):
    """A column's name without its unit: `nose_x (px)`, `nose_x [m]` and `nose_x_mm` are nose_x."""
    name = re.sub(r"\s*[\[(](px|pixels?|m|mm|cm|meters?|metres?)[\])]$", "", name.strip(), flags=re.I)
    return re.sub(r"(?<=[_.\s][xyz])[_\s](px|pixels?|m|mm|cm)$", "", name, flags=re.I)


def of_header(header):
    """The `Columns` of one line of column names; without joints where there are none."""
    found, twice = {}, []
    patterns = ((_SUFFIX, (1, 2)), (_NUMBERED, (2, 1)), (_NUMBER_FIRST, (1, 2)), (_PREFIX, (2, 1)), (_COMPACT, (1, 2)))
    for pattern, order in patterns:
        joints, again, upper = {}, [], {}
        for column, name in enumerate(header):
            match = pattern.fullmatch(_plain(name))
            if match:
                groups = [group for group in match.groups() if group is not None]
                joint, axis = groups[order[0] - 1], groups[order[1] - 1]
                columns = joints.setdefault(joint, {})
                mixed = axis.lower() in AXES and upper.setdefault(joint, axis.isupper()) != axis.isupper()
                if mixed:  # OpenFace: x_0 in px beside X_0 in mm
                    again.append(name.strip())
                else:
                    columns["c" if axis.lower() in SCORES else axis.lower()] = column
        if _complete(joints) > _complete(found):
            found, twice = joints, again
    numbers = {name: _GENERIC.fullmatch(name) for name, columns in found.items() if {"x", "y"} <= columns.keys()}
    if all(numbers.values()) and len({match[2] for match in numbers.values()}) == len(numbers):
        order = sorted(numbers, key=lambda name: int(numbers[name][2]))
        found = {numbers[name][2]: found[name] for name in order}
    columns = of_joints([Joint(name, columns, not name.isdigit()) for name, columns in found.items()], header)
    columns.left += twice
    return columns


def _complete(joints):
    return sum({"x", "y"} <= columns.keys() for columns in joints.values())


def of_joints(joints, header):
    """The `Columns` of candidates: those that have the axes that most have, and no name of something else."""
    sizes = {_plain(name).lower() for name in header}
    candidates = [joint for joint in joints if {"x", "y"} <= joint.columns.keys()]
    usable = [joint for joint in candidates if not _is_no_joint(joint.name, sizes)]
    kinds = Counter("z" in joint.columns for joint in usable)
    axes = "xyz" if kinds[True] > kinds[False] else "xy"
    chosen = [joint for joint in usable if axes == "xy" or "z" in joint.columns]
    used = {column for joint in chosen for axis, column in joint.columns.items() if axis in axes}
    left = [
        header[column]
        for joint in joints
        for axis, column in joint.columns.items()
        if axis in AXES and column not in used
    ]
    return Columns(chosen, axes, left)


def _is_no_joint(name, columns):
    words = set(re.split(r"[_.\s:\-|]+", joint_name(name)))
    lowered = name.lower()
    boxed = any({f"{lowered}{mark}w", f"{lowered}{mark}width"} & columns for mark in "_. ")
    return bool(words & NO_JOINT) or boxed or lowered in _CENTRES


def of_deeplabcut(rows):
    """(`Columns`, number of header lines) of DeepLabCut's table, or None where it is none.

    Its lines are scorer, (individuals,) bodyparts, coords; the first column, or three, are the index.
    """
    names = [row[0].strip().lower() if row else "" for row in rows[:4]]
    if "bodyparts" not in names or "coords" not in names:
        return None
    parts, coords = rows[names.index("bodyparts")], rows[names.index("coords")]
    people = rows[names.index("individuals")] if "individuals" in names else [""] * len(parts)
    if not len(parts) == len(coords) == len(people):
        return None
    joints = {}
    for column in range(1, len(parts)):
        axis = coords[column].strip().lower()
        if axis in AXES or axis in SCORES:
            key = (people[column], parts[column])
            joints.setdefault(key, {})["c" if axis in SCORES else axis] = column
    found = [Joint(part, columns, True, person) for (person, part), columns in joints.items()]
    complete = [joint for joint in found if {"x", "y"} <= joint.columns.keys()]
    axes = "xyz" if complete and all("z" in joint.columns for joint in complete) else "xy"
    return Columns(complete, axes, []), names.index("coords") + 1
