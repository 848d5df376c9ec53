"""MediaPipe landmarks as JSON: a list of frames. There is no standard; the usual ways are understood.

A frame is null or [] (nobody), a list of 33 landmarks {x, y, z, visibility} (or [x, y, z, visibility]), a list of such lists
(people), an object {landmark name or number: {x, y, z, visibility}}, or an object whose keys end in `landmarks` and hold any of
these: `pose_landmarks`, `pose_world_landmarks`, `face_landmarks`, … The list may stand under a key of its own.

Landmarks normalised to the image are refined in x, y; their z, which has no unit, as a track of its own
("depth"). World landmarks (metres, the origin between the hips) are 3D.
"""

import numpy as np

from ..errors import UserError
from . import times
from .json_meta import image_size_of, rate_of
from .json_numbers import numbers, short
from .landmark_units import split
from .records import Part, Person, Walk, slots
from .tracks import joint_name, layout_of_count, layout_of_names


def sniff(opened):
    if opened.is_folder or not opened.is_json:
        return False
    return any(_sets(frame) for frame in _frames(opened.tree) or [])


def _frames(tree):
    """The list of frames, wherever it stands; None if there is none."""
    if isinstance(tree, list):
        return tree
    if isinstance(tree, dict):
        lists = (value for value in tree.values() if isinstance(value, list))
        found = next((value for value in lists if any(map(_sets, value))), None)
        frames = list(tree.values())
        by_name = (
            len(frames) > 1 and _named(tree) is None and any(isinstance(one, dict) and _sets(one) for one in frames)
        )
        return frames if found is None and by_name else found
    return None


def _is_landmarks(value):
    """Whether this is one set of landmarks: a list of points, each {x, y, …} or a list of numbers."""
    if not isinstance(value, list) or not value:
        return False
    point = value[0]
    if isinstance(point, dict):
        return "x" in point and "y" in point
    return isinstance(point, list) and 2 <= len(point) <= 5 and not isinstance(point[0], (list, dict))


def _are_people(value):
    """Whether this is a list of people's landmarks, some of them possibly empty."""
    return isinstance(value, list) and bool(value) and all(_is_landmarks(item) or not item for item in value)


def _named(value):
    """Landmarks {name or number: {x, y, …}} as (names, points), or None."""
    if not isinstance(value, dict):
        return None
    found = {name: point for name, point in value.items() if isinstance(point, dict) and "x" in point and "y" in point}
    return (list(found), list(found.values())) if len(found) > 2 else None


def _sets(frame):
    """[(key, [landmarks of each person])] of one frame; empty if it is no frame."""
    if isinstance(frame, dict):
        named = _named(frame)
        if named:
            return [("landmarks", [_Named(*named)])]
        found = []
        for key, value in frame.items():
            if key.lower().endswith(("landmarks", "landmark")):
                if _named(value):
                    value = _Named(*_named(value))
                elif isinstance(value, dict):  # protobuf's {"landmark": [...]}
                    value = value.get("landmark", [])
                if _is_landmarks(value):
                    found.append((key, [value]))
                elif _are_people(value):
                    found.append((key, value))
        return found
    if _is_landmarks(frame):
        return [("landmarks", [frame])]
    return [("landmarks", frame)] if _are_people(frame) else []


class _Named(list):
    """Landmarks with names: those of numbers are in their order."""

    def __init__(self, names, points):
        numbered = all(str(name).isdigit() for name in names)
        order = sorted(range(len(names)), key=lambda place: int(names[place])) if numbered else range(len(names))
        super().__init__(points[place] for place in order)
        self.names = None if numbered else tuple(joint_name(names[place]) for place in order)


def _part_name(key):
    key = key.lower().removesuffix("s").removesuffix("_landmark").removesuffix("landmark")
    world = "world" in key
    key = key.replace("_world", "").replace("world", "").strip("_")
    name = "body" if key in ("", "pose") else key
    if not world:
        return name
    return "world" if name == "body" else f"{name}_world"


def walk(tree, path, image_size=None):
    frames = _frames(tree)
    if frames is None:
        raise UserError(f"{path}: no list of frames. Expected MediaPipe landmarks as a list with one entry a frame")
    labels = _numbers(frames)
    clock, stamps = times.of_records(frames)
    result = Walk([("", label) for label in labels], [], timestamps=stamps, clock=clock, fps=rate_of(tree))
    for number, frame in enumerate(frames):
        if not frame:
            continue
        sets = _sets(frame)
        if not sets and not isinstance(frame, dict):
            raise UserError(
                f"{path}: frame {number}: no landmarks. Expected a list of {{x, y, z, "
                f"visibility}}, or null where nobody was found"
            )
        for index in range(max((len(people) for _, people in sets), default=0)):
            where = f"{path}: frame {number}, person {index}"
            parts = {}
            for key, people in sets:
                if index < len(people) and people[index] and _part_name(key) not in parts:
                    parts[_part_name(key)] = _slot(people[index], _part_name(key), f"{where}, {key}")
            if parts:
                result.people.append(Person(("", labels[number]), list(parts.values()), where))
    result.image_size = image_size_of(tree, frames)
    split(result, image_size or result.image_size)
    return result


def _numbers(frames):
    """The frames' own numbers where each has one and they rise, else 0, 1, 2, …"""
    for key in (
        "frame",
        "frame_id",
        "frame_index",
        "frame_idx",
        "frame_number",
        "frameIndex",
        "frameId",
        "frameNumber",
    ):
        values = [frame.get(key) if isinstance(frame, dict) else None for frame in frames]
        if all(isinstance(value, int) for value in values) and all(a < b for a, b in zip(values, values[1:])):
            return values
    return list(range(len(frames)))


def _slot(points, name, where):
    """The whole coordinates of one set of landmarks; `_split` makes of them what they are."""
    if isinstance(points[0], dict):
        for joint, point in enumerate(points):
            if not isinstance(point, dict) or "x" not in point or "y" not in point:
                raise UserError(f"{where}, landmark {joint}: no x, y. Expected {{x, y, z, visibility}}")
        keys = [key for key in ("x", "y", "z") if key in points[0]]
        scores = ("visibility", "presence", "score", "confidence")
        score = next((key for key in scores if key in points[0]), None)
        array = numbers([[point.get(key) for key in keys] for point in points], where, 2)
        confidence = None
        if score is not None:
            confidence = numbers([point.get(score) for point in points], f"{where}, {score}")

        def put(joint, axis, value):
            points[joint][keys[axis]] = short(value)

        def swap(left, right):
            for key in (*keys, *scores):
                if key in points[left] and key in points[right]:
                    points[left][key], points[right][key] = points[right][key], points[left][key]
    else:
        array = numbers(points, where, 2)
        dims = min(array.shape[1], 3)
        confidence = array[:, 3] if array.shape[1] > 3 else None
        array = array[:, :dims]

        def put(joint, axis, value):
            points[joint][axis] = short(value)

        def swap(left, right):
            points[left][:], points[right][:] = points[right][:], points[left][:]

    layout, names = layout_of_count(len(array)) if len(array) == 33 else None, getattr(points, "names", None)
    if names is not None:
        layout = layout_of_names(names)
    (slot,) = slots(array, None, Part(name, "3D" if array.shape[1] == 3 else "2D", layout, names), put, swap)
    slot.confidence = None if confidence is None else np.where(np.isfinite(confidence), confidence, 0)
    return slot
