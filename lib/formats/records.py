"""Files that hold a list of detections: from records in parsed JSON to tracks, and back into the same places.

A format gives a `walk(tree, path, image_size)` that visits the people of a parsed file in a fixed order.
Reading walks once and remembers which track each record went to; writing parses the kept text again, walks in
the same order and replaces the numbers that changed, so that everything else stays as it was.
"""

import json
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import groupby

import numpy as np

from ..errors import UserError
from ..files import atomic_folder, write_text
from .assign import assign
from .opened import parse
from .tracks import PoseFile, Track

# Longest stretch without any record, in frames, that is kept in a file whose frame numbers are very sparse.
LONGEST_BREAK = 100
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
    put: function of (values [J, D], changed [J, D] bool) that writes the changed values back.
    """

    part: Part
    poses: np.ndarray
    confidence: np.ndarray | None
    put: object


@dataclass
class Person:
    """One detection: its frame (sequence, number), its id (None: unknown), its key-point sets."""

    frame: tuple
    slots: list
    where: str
    id: object = None


@dataclass
class Walk:
    """What a format's walk found: all frames (sequence, number) in file order, and the people in them."""

    frames: list
    people: list
    fps: float | None = None
    timestamps: list | None = None
    image_size: tuple | None = None
    notes: list = field(default_factory=list)


def numbers(values, where, dims=1):
    """A list out of a parsed file as float64; null is NaN.

    dims: depth of nesting. Raises UserError for strings, wrong nesting and ragged lists.
    """
    if isinstance(values, list) and not values:
        return np.zeros((0,) * dims)
    try:
        array = np.array(values)
    except ValueError:
        raise UserError(f"{where}: lists of different lengths. Expected the same for every key point") from None
    if array.dtype.kind not in "iuf":
        wrong = next(
            (
                value
                for value in _flattened(values)
                if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float)))
            ),
            None,
        )
        if wrong is not None or array.dtype.kind != "O":
            raise UserError(f"{where}: {repr(wrong)[:40]} is not a number. Write key points as numbers")
    if array.ndim != dims:
        raise UserError(f"{where}: {array.ndim}-fold nested list where {dims} was expected. Check --input_format")
    return array.astype(np.float64)


def short(value):
    """A number as a text file gets it: the nine digits that a float32 needs."""
    return float(f"{value:.9g}")


def _flattened(values):
    if isinstance(values, list):
        for value in values:
            yield from _flattened(value)
    else:
        yield values


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

    if not rated:
        return slots(np.where((array == 0).all(axis=1, keepdims=True), np.nan, array[:, :-1]), None, part, put)
    return slots(array[:, :-1], array[:, -1], part, put)


def nested_slots(points, confidence, part, where, dims=None):
    """Slots of [[x, y, (z)], …]; confidence: [J] or None; dims: how many leading columns are coordinates."""
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

    return slots(array[:, :dims], confidence, part, put)


def slots(poses, confidence, part, put):
    """Slots of one person's poses [J, D]: one, or one for each part of a whole-body set.

    put(joint, axis, value) writes one number.
    """
    poses = np.where(np.isfinite(poses), poses, np.nan)
    missing = np.isnan(poses).any(axis=1)
    if confidence is not None:
        confidence = np.where(np.isfinite(confidence), confidence, 0)
        missing |= confidence <= 0
    poses[missing] = np.nan
    pieces = WHOLE_BODY.get(len(poses)) if part.name == "body" and part.kind == "2D" else None
    if pieces is None:
        return [Slot(part, poses, confidence, _putter(put, 0))]
    return [
        Slot(
            replace(part, name=name, layout=layout, joint_names=None),
            poses[first:last],
            None if confidence is None else confidence[first:last],
            _putter(put, first),
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

    return Slot(replace(slot.part, units=units), slot.poses * factors, slot.confidence, put)


def set_units(walk, image_size=None):
    """Say what the 2D parts are in: pixels, or normalised to the image if no coordinate leaves [-1.5, 1.5].

    Normalised ones become pixels where the image size (width, height) is given.
    """
    flat = [slot for person in walk.people for slot in person.slots if slot.part.kind == "2D"]
    extent = [np.nanmax(np.abs(slot.poses)) for slot in flat if not np.isnan(slot.poses).all()]
    units = "normalised" if extent and max(extent) <= 1.5 else "px"
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


def first_id(value):
    """A track id out of a file, an int or a text; the first one of nested lists; None for anything else."""
    while isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, (np.number, float)) and abs(value) < 2**53 and int(value) == value:
        value = int(value)
    return value if isinstance(value, (int, str)) and not isinstance(value, bool) else None


def number_frames(labels, path):
    """(sequence, number) of each frame label: an int, or a name such as `clip_000123_keypoints` or `12.jpg`.

    The last digits of a name are the frame's number, what stands before them the sequence. Names without
    digits, and names of which nearly each would be a sequence of its own, are one sequence in the order of
    appearance.
    Raises UserError for labels that are neither.
    """
    result, unnumbered = [], {}
    for label in labels:
        if isinstance(label, bool) or not isinstance(label, (int, float, str, np.integer)):
            raise UserError(f"{path}: {str(label)[:40]!r} stands where a frame's name or number was expected")
        if isinstance(label, (int, np.integer)):
            result.append(("", int(label)))
            continue
        match = re.search(r"(\d+)\D*$", re.sub(r"\.[A-Za-z]\w{0,4}$", "", str(label)))
        if match:
            result.append((str(label)[: match.start()], int(match[1])))
        else:
            result.append(None)
    distinct = {label: entry for label, entry in zip(labels, result)}
    sequences = {entry[0] for entry in distinct.values() if entry is not None}
    if None in distinct.values() or len(sequences) > max(1, len(distinct) // 2):
        for label in labels:
            unnumbered.setdefault(label, len(unnumbered))
        return [("", unnumbered[label]) for label in labels]
    return result


def timeline(values):
    """({frame number: index from 0}, step). Numbers in steps (0, 2, 4) count as consecutive; breaks stay.

    Where the numbers are very sparse (image ids), breaks are shortened to `LONGEST_BREAK` frames.
    """
    ordered = np.unique(np.array(list(values), dtype=object)).tolist()
    steps = [later - earlier for earlier, later in zip(ordered, ordered[1:])]
    unit = int(np.gcd.reduce(np.array(steps, dtype=object))) if steps else 1
    steps = [step // unit for step in steps]
    if sum(steps) > 20 * len(ordered) + 1000:
        steps = [min(step, LONGEST_BREAK) for step in steps]
    index, result = 0, {}
    for number, step in zip(ordered, [0, *steps]):
        index += step
        result[number] = index
    return result, unit


def build(path, walk, fps=None):
    """Tracks of what a walk found.

    Returns (tracks, places, frame_count, tracked, timestamps, notes); places: for each person, in the walk's
    order, {part name: (track, frame of the track)}. Raises UserError where key-point counts change and where
    nobody, or no key point, is in the file.
    """
    notes = list(walk.notes)
    if not walk.people:
        raise UserError(f"{path}: no person in any of the {len(walk.frames)} frames. Nothing can be refined")
    index = {}
    for sequence, entries in groupby(sorted(set(walk.frames)), key=lambda frame: frame[0]):
        times, step = timeline(number for _, number in entries)
        index.update({(sequence, number): time for number, time in times.items()})
        if step > 1 and len(times) > 2:
            notes.append(
                f"frame numbers rise in steps of {step}: the frames are taken as consecutive, and the "
                "frame rate as theirs"
            )
    notes = list(dict.fromkeys(notes))
    if len({sequence for sequence, _ in index}) > 1:
        notes.append("the file holds several recordings (told by the frames' names): each is refined by itself")
    frame_count = max(index.values()) + 1

    parts = {}
    for person in walk.people:
        for slot in person.slots:
            known = parts.setdefault(slot.part.name, (slot.part, slot.poses.shape, person.where))
            if known[1] != slot.poses.shape:
                raise UserError(
                    f"{path}: {person.where}: {slot.part.name} has {slot.poses.shape[0]} key "
                    f"points of {slot.poses.shape[1]} coordinates, but {known[1][0]} of "
                    f"{known[1][1]} at {known[2]}. One file needs one key-point set; split it"
                )
    if not parts:
        raise UserError(f"{path}: {len(walk.people)} people, but no key points. Nothing can be refined")
    owners, tracked = _owners(walk.people, index, parts, round(fps or walk.fps or 30))
    if not tracked:
        notes.append("the file has no person ids: people were followed by pose distance")

    members = {}
    for number, (person, owner) in enumerate(zip(walk.people, owners)):
        for slot in person.slots:
            members.setdefault((owner, slot.part.name), []).append((index[person.frame], number, slot))
    tracks, places = [], [{} for _ in walk.people]
    names, scale = _person_names(owners), _confidence_scale(walk.people)
    for (owner, name), entries in members.items():
        if all(np.isnan(slot.poses).all() for _, _, slot in entries):
            continue
        entries.sort(key=lambda entry: entry[0])
        for time, number, _ in entries:
            places[number][name] = (len(tracks), time - entries[0][0])
        track_name = names[owner] if name == "body" else f"{names[owner]} {name}"
        tracks.append(_track(owner[1], track_name, parts[name][0], entries, scale[name]))
    if not tracks:
        raise UserError(
            f"{path}: every key point of every person is missing (zero confidence or NaN). Nothing can be refined"
        )
    timestamps = None
    if walk.timestamps is not None and len({frame[0] for frame in walk.frames}) == 1:
        timestamps = _timestamps([index[frame] for frame in walk.frames], walk.timestamps, frame_count)
    return tracks, places, frame_count, tracked, timestamps, notes


def _owners(people, index, parts, max_gap):
    """Whose each detection is, one (sequence, id, occurrence) a person; and whether the file has ids."""
    owners, seen = [None] * len(people), Counter()
    untracked = {}
    for number, person in enumerate(people):
        if person.id is None:
            untracked.setdefault(person.frame[0], []).append(number)
            continue
        # An id that stands twice in one frame is two people, however the tool came to it.
        occurrence = seen[person.frame, person.id]
        seen[person.frame, person.id] += 1
        owners[number] = (person.frame[0], person.id, occurrence)
    main = "body" if "body" in parts else next(iter(parts))
    joints, dims = parts[main][1]
    for sequence, group in untracked.items():
        frames = [[] for _ in range(max(index[people[number].frame] for number in group) + 1)]
        for number in group:
            frames[index[people[number].frame]].append(number)
        poses = [
            np.array([_pose(people[number], main, (joints, dims)) for number in frame]).reshape(-1, joints, dims)
            for frame in frames
        ]
        for frame, assigned in zip(frames, assign(poses, max_gap)):
            for number, person in zip(frame, assigned.tolist()):
                owners[number] = (sequence, person, "assigned")
    return owners, not untracked


def _pose(person, part, shape):
    poses = next((slot.poses for slot in person.slots if slot.part.name == part), np.full(shape, np.nan))
    return np.where((poses == 0).all(axis=-1, keepdims=True), np.nan, poses)  # nobody is followed by points at 0, 0


def _confidence_scale(people):
    """{part: what its confidences are divided by}: some tools' scores exceed 1 by far, some by rounding."""
    highest = {slot.part.name: 0 for person in people for slot in person.slots}
    for person in people:
        for slot in person.slots:
            if slot.confidence is not None and slot.confidence.size:
                highest[slot.part.name] = max(highest[slot.part.name], slot.confidence.max())
    return {name: largest if largest > 1.5 else 1 for name, largest in highest.items()}


def _person_names(owners):
    """{owner: a name for the person}, each different."""
    distinct, names = list(dict.fromkeys(owners)), {}
    for owner in distinct:
        sequence, identity, _ = owner
        name = "person" if len(distinct) == 1 else f"person {identity}"
        name = f"{sequence.rstrip('_-./ ')} {name}".strip() if len(distinct) > 1 else name
        copies = sum(taken == name or taken.startswith(f"{name} (") for taken in names.values())
        names[owner] = f"{name} ({copies + 1})" if copies else name
    return names


def _track(identity, name, part, entries, confidence_scale):
    start, length = entries[0][0], entries[-1][0] - entries[0][0] + 1
    shape = entries[0][2].poses.shape
    poses, present = np.full((length, *shape), np.nan), np.zeros(length, dtype=bool)
    rated = any(slot.confidence is not None for _, _, slot in entries)
    confidence = np.zeros((length, shape[0])) if rated else None
    for time, _, slot in entries:
        poses[time - start], present[time - start] = slot.poses, True
        if rated:
            score = 1 if slot.confidence is None else np.clip(slot.confidence / confidence_scale, 0, 1)
            confidence[time - start] = np.where(np.isnan(slot.poses).any(axis=1), 0, score)
    return Track(
        identity,
        name,
        poses,
        confidence,
        part.kind,
        part.layout,
        part.joint_names,
        part.units,
        part.name,
        start,
        present,
    )


def _timestamps(frames, values, frame_count):
    """Timestamps [frame_count] in seconds, interpolated where a frame has none; None if they are unusable."""
    known = {frame: value for frame, value in zip(frames, values) if value is not None and np.isfinite(value)}
    times = np.array([known[frame] for frame in sorted(known)], dtype=np.float64)
    if len(times) < 2 or (np.diff(times) <= 0).any():
        return None
    return np.interp(np.arange(frame_count), sorted(known), times)


def read(format_name, walk_tree, opened, image_size=None, fps=None):
    """A PoseFile from a format's walk."""
    walk = walk_tree(opened.tree, opened.path, image_size)
    tracks, places, frame_count, tracked, timestamps, notes = build(opened.path, walk, fps)
    source = {"path": opened.path, "content": opened.content, "places": places, "image_size": image_size}
    return PoseFile(
        format_name,
        tracks,
        frame_count,
        fps or walk.fps,
        timestamps,
        image_size or walk.image_size,
        tracked,
        source,
        notes,
    )


def write(walk_tree, pose_file, refined, output_path):
    """Write the same JSON with the refined numbers in it: a file, or a folder of files for a folder."""
    source = pose_file.source
    tree = parse(source["content"], source["path"])
    put_back(walk_tree(tree, source["path"], source["image_size"]).people, source["places"], refined)
    if not isinstance(source["content"], dict):
        write_text(output_path, json.dumps(tree))
        return
    with atomic_folder(output_path) as temporary:
        for name, part in tree.items():
            (temporary / name).write_text(json.dumps(part), encoding="utf-8")


def put_back(people, places, refined):
    """Write refined poses into the slots of the people they came from; what did not change is not touched."""
    for person, place in zip(people, places):
        for slot in person.slots:
            if slot.part.name in place:
                track, frame = place[slot.part.name]
                values = refined[track][frame]
                changed = np.isfinite(values) & (values != slot.poses)
                if changed.any():
                    slot.put(values, changed)
