"""Ultralytics: `results.to_json()` of a clip's frames.

A list of frames, each a list of {name, class, confidence, box, track_id, keypoints: {x, y, visible}}; a frame may be the text that
`to_json` returns, or stand beside its number (`{"frame": 7, "detections": […]}`); or one list of detections that say their frame. x, y of key points under a score of 0.5 are 0. (`results.keypoints.data` is an array: lib/formats/arrays.py;
label files: ultralytics_labels.py; `to_csv`: ultralytics_csv.py.)
"""

import json

import numpy as np

from ..errors import UserError
from . import json_files
from .json_files import frame_number, frame_numbers, frames_in
from .json_numbers import numbers, short
from .numbering import first_id
from .opened import parse
from .records import Part, Person, Walk, set_units, slots
from .tracks import layout_of_count


def sniff(opened):
    frames = None if opened.is_folder or not opened.is_json else frames_in(opened.tree)
    if not isinstance(frames, list):
        return False
    return any(_is_person(person) for frame in frames[:1000] for person in (_detections(frame) or [])[:1])


def _is_person(person):
    points = person.get("keypoints") if isinstance(person, dict) else None
    return isinstance(points, dict) and isinstance(points.get("x"), list) and isinstance(points.get("y"), list)


def _detections(frame):
    """The detections of one frame, a list, or None; a list of detections has dicts for frames."""
    if isinstance(frame, str):
        try:
            frame = json.loads(frame)
        except ValueError:
            return None
    if isinstance(frame, dict) and not _is_person(frame):
        lists = [value for value in frame.values() if isinstance(value, list)]
        return lists[0] if len(lists) == 1 else [frame]
    return [frame] if isinstance(frame, dict) else frame if isinstance(frame, list) else None


def _by_frame(people, path):
    """(frames, their numbers) of one list of detections. Raises UserError where somebody is in it twice, and no frame is said."""
    if any(frame_number(person) is None for person in people):
        ids = [first_id(person.get("track_id")) for person in people]
        if len(set(ids) - {None}) < sum(identity is not None for identity in ids):
            raise UserError(
                f"{path}: one list of detections, in which a track_id comes again, but no detection says its 'frame'. Write a "
                "list of the frames, each with its results.to_json()"
            )
        return [people], [("", 0)]
    frames = {}
    for person in people:
        frames.setdefault(frame_number(person), []).append(person)
    return list(frames.values()), [("", number) for number in frames]


def walk(tree, path, image_size=None):
    tree = frames_in(tree)
    if not isinstance(tree, list):
        raise UserError(f"{path}: no list of frames. Expected a list with one results.to_json() per frame")
    frames, names = tree, frame_numbers(tree)
    if tree and all(_is_person(person) for person in tree):
        frames, names = _by_frame(tree, path)
    result = Walk(names, [])
    for number, (frame, name) in enumerate(zip(frames, names)):
        if isinstance(frame, str):
            frames[number] = frame = _Text(parse(frame.encode(), f"{path}: frame {number}"))
        if frame is None:
            continue
        if isinstance(frame, dict):
            frame = _detections(frame)
        if not isinstance(frame, list):
            raise UserError(f"{path}: frame {number}: no list of detections. Expected one results.to_json() per frame")
        for index, person in enumerate(frame):
            where = f"{path}: frame {number}, detection {index}"
            if not isinstance(person, dict):
                raise UserError(f"{where}: {str(person)[:40]!r} is no detection. Expected {{name, box, keypoints}}")
            if person.get("keypoints") is None:
                continue  # a thing without key points
            if not _is_person(person):
                raise UserError(f"{where}: no keypoints {{x, y, visible}}. Expected what results.to_json() returns")
            found = slots_of(person["keypoints"], where)
            result.people.append(Person(name, found, where, first_id(person.get("track_id"))))
    set_units(result, image_size)
    return result


class _Text(list):
    """A frame that stands as text in its file."""


def slots_of(points, where):
    """The slots of one detection's {x, y, visible}."""
    x, y = (numbers(points[axis], f"{where}, keypoints {axis}") for axis in "xy")
    score = points.get("visible", points.get("conf"))
    score = None if score is None else numbers(score, f"{where}, keypoints visible")
    if len(x) != len(y) or score is not None and len(score) != len(x):
        raise UserError(
            f"{where}: {len(x)} x, {len(y)} y and {len(score) if score is not None else 'no'} scores. Expected one for each"
        )

    def put(joint, axis, value):
        points["xy"[axis]][joint] = short(value)

    def swap(left, right):
        for values in points.values():
            if isinstance(values, list) and len(values) == len(x):
                values[left], values[right] = values[right], values[left]

    part = Part("body", layout=layout_of_count(len(x)))
    return slots(np.stack([x, y], axis=1), score, part, put, swap) if len(x) else []


def write(pose_file, refined, output_path):
    """As `json_files.write`, with frames that were text as text again."""

    def as_text(tree):
        for number, frame in enumerate(tree):
            if isinstance(frame, _Text):
                tree[number] = json.dumps(frame)

    json_files.write(walk, pose_file, refined, output_path, as_text)
