"""Files that hold a list of detections: from records in parsed JSON to tracks, and back into the same places.

A format gives a `walk(tree, path, image_size)` that visits the people of a parsed file in a fixed order.
Reading walks once and remembers which track each record went to; writing parses the kept text again, walks in
the same order and replaces the numbers that changed, so that everything else stays as it was.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from ..errors import UserError
from .json_numbers import numbers, short, swap_points

# Whole-body key points, split so that the body can be told from the face: (part, first, last + 1, layout).
WHOLE_BODY = {
    133: (
        ("body", 0, 17, "coco17"),
        ("feet", 17, 23, None),
        ("face", 23, 91, None),
        ("left_hand", 91, 112, None),
        ("right_hand", 112, 133, None),
    ),
    136: (
        ("body", 0, 26, "halpe26"),
        ("face", 26, 94, None),
        ("left_hand", 94, 115, None),
        ("right_hand", 115, 136, None),
    ),
}


@dataclass(frozen=True)
class Part:
    """What a set of key points is; the fields are those of `Track`."""

    name: str
    kind: str = "2D"
    layout: str | None = None
    joint_names: tuple | None = None
    units: str | None = None


@dataclass
class Slot:
    """One set of key points where it stands in a parsed file.

    poses: float64 [J, D], NaN where missing; confidence: [J] as the file has it, or None;
    put: function of (values [J, D], changed [J, D] bool) that writes the changed values back; swap: function of two joints
    that exchanges their numbers (coordinates and scores) in the file, or None where another slot's does.
    """

    part: Part
    poses: np.ndarray
    confidence: np.ndarray | None
    put: object
    swap: object = None


@dataclass
class Person:
    """One detection: its frame (sequence, number), its id (None: unknown), its key-point sets."""

    frame: tuple
    slots: list
    where: str
    id: object = None


@dataclass
class Walk:
    """What a format's walk found: all frames (sequence, number) in file order, and the people in them.

    timestamps: one per frame (or None), under the key `clock`, which suggests their unit (`lib.formats.times`).
    """

    frames: list
    people: list
    fps: float | None = None
    timestamps: list | None = None
    clock: str = "time"
    image_size: tuple | None = None
    notes: list = field(default_factory=list)


def flat_slots(values, stride, part, where, rated=True):
    """Slots of a flat list x, y, (z,) c, x, …; `stride` numbers a key point, the last one its confidence.

    rated: whether the last one means anything; if not, key points at 0, 0 are the missing ones.
    """
    array = numbers(values, where)
    if not len(array):
        return []
    if len(array) % stride:
        raise UserError(
            f"{where}: {len(array)} numbers, which is not a multiple of {stride}. "
            f"Expected {'x, y, z, c' if stride == 4 else 'x, y, c'} for each key point"
        )
    array = array.reshape(-1, stride)

    def put(joint, axis, value):
        values[joint * stride + axis] = short(value)

    def swap(left, right):
        left, right = (slice(joint * stride, (joint + 1) * stride) for joint in (left, right))
        values[left], values[right] = values[right], values[left]

    if not rated:
        return slots(np.where((array == 0).all(axis=1, keepdims=True), np.nan, array[:, :-1]), None, part, put, swap)
    return slots(array[:, :-1], array[:, -1], part, put, swap)


def nested_slots(points, confidence, part, where, dims=None, record=None):
    """Slots of [[x, y, (z)], …]; confidence: [J] or None; dims: how many leading columns are coordinates; record: what holds
    scores that stand beside the points."""
    array = numbers(points, where, 2)
    if not len(array):
        return []
    if confidence is not None and len(confidence) != len(array):
        raise UserError(f"{where}: {len(array)} key points but {len(confidence)} scores. Expected one for each")
    dims = dims or array.shape[1]
    if dims not in (2, 3) or array.shape[1] < dims:
        raise UserError(f"{where}: {array.shape[1]} numbers a key point. Expected x, y or x, y, z")

    def put(joint, axis, value):
        points[joint][axis] = short(value)

    def swap(left, right):
        swap_points(points, left, right, record)

    return slots(array[:, :dims], confidence, part, put, swap)


def slots(poses, confidence, part, put, swap=None):
    """Slots of one person's poses [J, D]: one, or one for each part of a whole-body set.

    put(joint, axis, value) writes one number; swap(left, right) exchanges the numbers of two joints.
    """
    poses = np.where(np.isfinite(poses), poses, np.nan)
    missing = np.isnan(poses).any(axis=1)
    if confidence is not None:
        confidence = np.where(np.isfinite(confidence), confidence, 0)
        missing |= confidence <= 0
    poses[missing] = np.nan
    pieces = WHOLE_BODY.get(len(poses)) if part.name == "body" and part.kind == "2D" else None
    if pieces is None:
        return [Slot(part, poses, confidence, _putter(put, 0), swap)]
    return [
        Slot(
            replace(part, name=name, layout=layout, joint_names=None),
            poses[first:last],
            None if confidence is None else confidence[first:last],
            _putter(put, first),
            swap and (lambda left, right, first=first: swap(first + left, first + right)),
        )
        for name, first, last, layout in pieces
    ]


def _putter(put, first):
    def put_changed(values, changed):
        joints, axes = np.nonzero(changed)
        for joint, axis, value in zip((joints + first).tolist(), axes.tolist(), values[changed].tolist()):
            put(joint, axis, value)

    return put_changed


def scaled(slot, factors, units):
    """The slot with its coordinates multiplied by `factors` [D] on reading and divided by them on writing."""

    def put(values, changed):
        slot.put(values / factors, changed)

    return replace(slot, part=replace(slot.part, units=units), poses=slot.poses * factors, put=put)


def set_units(walk, image_size=None):
    """Say what the 2D parts are in: pixels, or normalised to the image if no coordinate leaves [-1.5, 1.5].

    Normalised ones become pixels where the image size (width, height) is given.
    """
    flat = [slot for person in walk.people for slot in person.slots if slot.part.kind == "2D"]
    found = np.concatenate([np.zeros(0), *(slot.poses.ravel() for slot in flat)])
    found = found[~np.isnan(found)]
    units = "normalised" if len(found) and np.abs(found).max() <= 1.5 else "px"
    if units == "normalised" and image_size is not None:
        factors = np.array(image_size, dtype=np.float64)
        for person in walk.people:
            person.slots = [scaled(slot, factors, "px") if slot.part.kind == "2D" else slot for slot in person.slots]
        return
    parts = {}
    for slot in flat:
        if slot.part not in parts:
            parts[slot.part] = replace(slot.part, units=units)
        slot.part = parts[slot.part]
