"""A recorded live stream: the JSON lines of `--live`, {"t": seconds, "id": who, "pose": [[x, y, (z), (score)], …]}."""

import numpy as np

from ..errors import UserError
from . import sense
from .json_numbers import numbers, short, swap_points
from .numbering import first_id
from .opened import Lines
from .records import Part, Person, Walk, set_units, slots
from .tracks import layout_of_count

KEYS = ("pose", "keypoints")
IDS = ("id", "track_id", "person_id", "person", "player_id")
FRAMES = ("frame", "frame_id", "frame_idx", "frame_index")


def sniff(opened):
    if opened.is_folder or not opened.is_json or not isinstance(opened.tree, Lines):
        return False
    return any(isinstance(line, dict) and any(_is_pose(line.get(key)) for key in KEYS) for line in opened.tree[:50])


def _is_pose(value):
    return isinstance(value, list) and bool(value) and isinstance(value[0], list) and 2 <= len(value[0]) <= 4


def walk(tree, path, image_size=None):
    if not isinstance(tree, list) or any(not isinstance(line, dict) for line in tree):
        raise UserError(
            f'{path}: expected JSON lines, one object per line: {{"t": 0.0, "id": 0, "pose": [[x, y], ...]}}'
        )
    counts, labels = {}, []
    tree = [line for line in tree if any(line.get(key) for key in KEYS)]  # without those that end somebody
    timed = bool(tree) and all(isinstance(line.get("t"), (int, float)) for line in tree)
    numbered = next((key for key in FRAMES if tree and all(type(line.get(key)) is int for line in tree)), None)
    for line in tree:
        who = str(_identity(line))
        counts[who] = counts.get(who, -1) + 1
        labels.append(line["t"] if timed else line[numbered] if numbered else counts[who])
    order = {label: number for number, label in enumerate(sorted(set(labels)))}
    frames = [("", order[label]) for label in labels]
    result = Walk(frames, [], timestamps=labels if timed else None, clock="t")
    for number, (line, frame) in enumerate(zip(tree, frames), 1):
        key = next(key for key in KEYS if line.get(key))
        where = f"{path}, line {number}"
        array = numbers(line[key], f"{where}, {key}", 2)
        if array.shape[1] not in (2, 3, 4):
            raise UserError(f"{where}: {array.shape[1]} numbers per point. Expected x, y, (z), (score)")
        result.people.append(Person(frame, [_Raw(array, line[key])], where, first_id(_identity(line, 0))))
    _tell(result)
    set_units(result, image_size)
    return result


def _identity(line, otherwise=None):
    return next((line[key] for key in IDS if key in line), otherwise)


class _Raw:
    """One pose as it stands in the file."""

    def __init__(self, array, points):
        self.array, self.points = array, points

    def slots(self, dims, score):
        part = Part("body", f"{dims}D", layout_of_count(len(self.array), dims))

        def put(joint, axis, value):
            self.points[joint][axis] = short(value)

        def swap(left, right):
            swap_points(self.points, left, right)

        confidence = None if score is None else self.array[:, score]
        return slots(self.array[:, :dims], confidence, part, put, swap)


def _tell(walk):
    """Make slots of the raw poses once all of them say what the columns are."""
    raws = [person.slots[0] for person in walk.people]
    alike = [raw.array for raw in raws if raw.array.shape == raws[0].array.shape] if raws else []
    meaning = sense.columns(np.array(alike)[None]) if alike else (2, None, False)
    dims, score, _ = meaning or (3, 3, False)
    for person, raw in zip(walk.people, raws):
        fits = raw.array.shape[1] > max(dims - 1, score or 0)
        person.slots = raw.slots(dims, score) if fits else raw.slots(min(raw.array.shape[1], 3), None)
