"""Ultralytics: `results.to_json()` of a clip's frames.

A list of frames, each a list of {name, class, confidence, box, track_id, keypoints: {x, y, visible}}; a frame may be the text that
`to_json` returns. x, y of key points under a score of 0.5 are 0. (`results.keypoints.data` is an array: lib/formats/arrays.py;
label files: ultralytics_labels.py.)
"""

import json

import numpy as np

from ..errors import UserError
from . import json_files
from .json_files import frames_in
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
    """The detections of one frame, a list, or None; a list of one picture's detections has dicts for frames."""
    if isinstance(frame, str):
        try:
            frame = json.loads(frame)
        except ValueError:
            return None
    return [frame] if isinstance(frame, dict) else frame if isinstance(frame, list) else None


def walk(tree, path, image_size=None):
    tree = frames_in(tree)
    if not isinstance(tree, list):
        raise UserError(f"{path}: no list of frames. Expected a list with one results.to_json() per frame")
    frames = [tree] if tree and all(_is_person(person) for person in tree) else tree
    result = Walk([("", number) for number in range(len(frames))], [])
    for number, frame in enumerate(frames):
        if isinstance(frame, str):
            frames[number] = frame = _Text(parse(frame.encode(), f"{path}: frame {number}"))
        if frame is None:
            continue
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
            result.people.append(
                Person(("", number), _slots(person["keypoints"], where), where, first_id(person.get("track_id")))
            )
    set_units(result, image_size)
    return result


class _Text(list):
    """A frame that stands as text in its file."""


def _slots(points, where):
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
