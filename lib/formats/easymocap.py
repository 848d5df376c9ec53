"""EasyMocap: folders with one JSON per frame: `keypoints3d`, `annots` (2D), and `smpl` (rotations).

keypoints3d: a list of {"id", "keypoints3d": [[x, y, z, score], …]} in metres, z up, mostly OpenPose's 25 joints.
annots: {"height", "width", "annots": [{"personID", "keypoints": [[x, y, score], …], "handl2d", …}]} in px.
smpl: a list of {"id", "Rh" [1, 3] root rotation, "Th" [1, 3] place, "poses" [1, 72 or 69], "shapes"}; the first three of 72 are 0.
"""

import numpy as np

from ..errors import UserError
from .json_numbers import numbers, short
from .numbering import first_id, number_frames
from .records import Part, Person, Slot, Walk, nested_slots, set_units
from .tracks import layout_of_count

PARTS = {
    "keypoints": "body",
    "handl2d": "left_hand",
    "handr2d": "right_hand",
    "face2d": "face",
    "keypoints3d": "body",
    "handl3d": "left_hand",
    "handr3d": "right_hand",
    "face3d": "face",
}


def sniff(opened):
    return opened.is_json and opened.is_folder and _people(opened.sample) is not None


def _people(frame):
    """The people of one frame's file, a list; None where it is no EasyMocap file."""
    if isinstance(frame, dict) and isinstance(frame.get("annots"), list) and "filename" in frame:
        return frame["annots"]
    if isinstance(frame, dict) and isinstance(frame.get("annots"), list):
        frame = frame["annots"]  # its newer smpl files
    if not isinstance(frame, list):
        return None
    known = all(
        isinstance(person, dict) and ("keypoints3d" in person or {"Rh", "poses"} <= person.keys()) for person in frame
    )
    return frame if known else None


def walk(tree, path, image_size=None):
    if not isinstance(tree, dict):
        raise UserError(f"{path}: expected EasyMocap's folder of one JSON per frame")
    names = number_frames([name.removesuffix(".json") for name in tree], path)
    result = Walk(names, [])
    sizes = {(frame.get("width"), frame.get("height")) for frame in tree.values() if isinstance(frame, dict)}
    size = sizes.pop() if len(sizes) == 1 else (None, None)
    result.image_size = size if all(isinstance(number, int) and number > 0 for number in size) else None
    for (name, frame), number in zip(tree.items(), names):
        people = _people(frame)
        if people is None:
            raise UserError(
                f"{path / name}: no list of people with keypoints3d, or Rh and poses. Keep only EasyMocap's files in it"
            )
        for index, person in enumerate(people):
            where = f"{path}: {name}, person {index}"
            if not isinstance(person, dict):
                raise UserError(f"{where}: {str(person)[:40]!r} is no person")
            slots = _rotations(person, where) if "Rh" in person else _points(person, where)
            result.people.append(Person(number, slots, where, first_id(person.get("id", person.get("personID")))))
    set_units(result, image_size or result.image_size)
    return result


def _points(person, where):
    found = []
    for key, name in PARTS.items():
        points = person.get(key)
        if not isinstance(points, list) or not points:
            continue
        array = numbers(points, f"{where}, {key}", 2)
        dims = 3 if key.endswith("3d") else 2
        if array.shape[1] not in (dims, dims + 1):
            raise UserError(f"{where}, {key}: {array.shape[1]} numbers per point. Expected {dims} and a score")
        layout = layout_of_count(len(array), dims) if name == "body" and len(array) != 17 else None
        part = Part(name, f"{dims}D", layout, units="m" if dims == 3 else None)
        score = array[:, dims] if array.shape[1] > dims else None
        found += nested_slots(points, score, part, f"{where}, {key}", dims)
    return found


def _rotations(person, where):
    """One slot of the root's rotation and SMPL's others, [24, 3]."""
    root, poses = (numbers(person[key], f"{where}, {key}", 2) for key in ("Rh", "poses"))
    width = poses.shape[-1] if poses.shape[0] == 1 else 0
    if root.shape != (1, 3) or width not in (69, 72):
        raise UserError(
            f"{where}: Rh {list(root.shape)} and poses {list(poses.shape)}. Expected [1, 3] and [1, 72] or [1, 69]"
        )
    first = width - 69
    if first and np.any(poses[0, :3] != 0):
        raise UserError(
            f"{where}: the first three of poses are not 0 beside Rh, which EasyMocap's are. Set one of the two to 0"
        )
    values = np.concatenate([root[0], poses[0, first:]]).reshape(24, 3)

    def put(new, changed):
        for joint, axis in zip(*np.nonzero(changed)):
            value = short(new[joint, axis])
            if joint == 0:
                person["Rh"][0][axis] = value
            else:
                person["poses"][0][first + 3 * (joint - 1) + axis] = value

    return [Slot(Part("body", "smpl", "smpl24"), values, None, put)]
