"""JSON of people's own scripts: frames of people of key points, in whatever lists and keys these stand.

Frames are a list, a dict by name or number, or either under a key such as `frames`; a frame is key points, a person, or people (a
list, or a dict by id); tracks {id: {frame: key points}} are told by having more frames than ids. Key points are rows of numbers,
one flat list, named points, or {x, y, score, name}. A column of scores is told from a coordinate by its numbers (`sense`).
"""

import numpy as np

from ..errors import UserError
from . import mediapipe, sense
from .json_numbers import SCORES, short
from .json_points import is_number, number_of, points_of
from .numbering import first_id, number_frames
from .records import Part, Person, Slot, Walk, set_units
from .tracks import joint_names, layout_of_count, layout_of_names

FRAMES = "frames data results annotations predictions poses keypoints sequence tracks".split()
LABELS = "frame frame_id frame_idx frame_index frame_number frame_num image_id image file_name img".split()
PEOPLE = "people persons instances predictions detections poses skeleton skeletons bodies objects results".split()
POINTS = (
    "keypoints keypoints2d keypoints_2d kpts pose pose_keypoints landmarks joints joint_positions points skeleton positions"
).split()
SPACE = ("keypoints3D", "keypoints3d", "keypoints_3d", "joints3d", "joints_3d", "pose_3d")
IDS = "track_id id person_id id_ body_id obj_id idx player_id".split()


def _person(value):
    """({part: Points}, id) of one person; ({}, None) where it is none."""
    points = points_of(value)
    if points is not None:
        return {"body": points}, None
    if not isinstance(value, dict):
        return {}, None
    found = {}
    for part, keys in (("body", POINTS), ("body_3d", SPACE)):
        points = next((made for key in keys if key in value and (made := points_of(value[key])) is not None), None)
        if points is not None:
            if points.scores is None:
                points.scores = _scores_beside(value, len(points.cells))
            found[part] = points
    return found, next((first_id(value[key]) for key in IDS if key in value), None)


def _scores_beside(person, count):
    for key in (*SCORES, "score"):
        values = person.get(key)
        if isinstance(values, list) and len(values) == count and all(map(is_number, values)):
            return [(values, joint) for joint in range(count)]
    return None


def _people(frame):
    """[({part: Points}, id)] of a frame."""
    found, identity = _person(frame)
    if found:
        return [(found, identity)]
    if isinstance(frame, dict):
        inside = next((frame[key] for key in PEOPLE if isinstance(frame.get(key), (list, dict))), None)
        if inside is None and frame and all(str(key).isdigit() for key in frame):
            inside = frame
        frame = inside
    if isinstance(frame, dict):
        people = [(_person(person)[0], first_id(name)) for name, person in frame.items()]
    else:
        people = [_person(person) for person in frame] if isinstance(frame, list) else []
    return people if people and all(parts for parts, _ in people) else []


def _entries(tree):
    """[(label, frame, id or None)] of a tree, [] where it is none of this kind."""
    for _ in range(2):
        key = next((key for key in FRAMES if isinstance(tree, dict) and isinstance(tree.get(key), (list, dict))), None)
        if key is None or _people(tree):
            break
        tree = tree[key]
    if isinstance(tree, dict) and _are_tracks(tree):
        return [
            (label, frame, first_id(name))
            for name, track in tree.items()
            for label, frame in (track.items() if isinstance(track, dict) else enumerate(track))
        ]
    if isinstance(tree, dict) and len(tree) > 1:
        return [(label, frame, None) for label, frame in tree.items()]
    if isinstance(tree, list) and len(tree) > 1:
        return [(_label(frame, number), frame, None) for number, frame in enumerate(tree)]
    return []


def _are_tracks(tree):
    """Whether these are tracks of key points by frame and not frames of people."""
    tracks = list(tree.values())
    return all(
        isinstance(track, (dict, list))
        and len(track) > max(len(tree), 2)
        and all(points_of(frame) is not None for frame in (track.values() if isinstance(track, dict) else track))
        for track in tracks
    )


def _label(frame, number):
    label = next((frame[key] for key in LABELS if key in frame), number) if isinstance(frame, dict) else number
    return label if isinstance(label, (int, str)) and not isinstance(label, bool) else number


def sniff(opened):
    if not opened.is_json or opened.is_folder:
        return False
    entries = _entries(opened.tree)
    people = [parts for _, frame, _ in entries[:50] for parts, _ in _people(frame)]
    if not people:
        return False
    first = next(iter(people[0].values()))
    plain = first.names is None and len(first.cells) not in sense.IMAGE_SETS and isinstance(first.cells[0][0][1], int)
    return plain or not mediapipe.sniff(opened)


def walk(tree, path, image_size=None):
    entries = _entries(tree)
    labels = number_frames([label for label, *_ in entries], path)
    found = []
    for label, (name, frame, owner) in zip(labels, entries):
        for parts, identity in _people(frame):
            where = f"{path}: frame {name}"
            found.append((label, where, owner if identity is None else identity, {part: (points, points.array(where)) for part, points in parts.items()}))  # fmt: skip
    if not found:
        raise UserError(
            f"{path}: no frame with key points. Expected such as [{{'frame': 0, 'people': [{{'keypoints': [[x, y, score], …]}}]}}, …]"
        )
    meanings = _meanings(found, path)
    people = [
        Person(label, [_slot(part, *pair, meanings[part], where) for part, pair in parts.items()], where, identity)
        for label, where, identity, parts in found
    ]
    result = Walk(list(dict.fromkeys(labels)), people)
    clock, times = mediapipe.times_of([frame for _, frame, _ in entries])
    if times is not None and len(times) == len(result.frames):
        result.clock, result.timestamps = clock, times
    if isinstance(tree, dict) and isinstance(tree.get("fps"), (int, float)) and tree["fps"] > 0:
        result.fps = float(tree["fps"])
    set_units(result, image_size)
    return result


def _meanings(found, path):
    """{part: (coordinates, column of the score or None)}, told from all of the part's numbers."""
    meanings = {}
    for part in dict.fromkeys(part for *_, parts in found for part in parts):
        arrays = [parts[part][1] for *_, parts in found if part in parts]
        if len({array.shape for array in arrays}) > 1:
            shapes = " and ".join(sorted({str(list(array.shape)) for array in arrays})[:2])
            raise UserError(
                f"{path}: key points of different shapes ({shapes}). One file needs one key-point set; split it"
            )
        told = sense.columns(np.array(arrays)[None]) if arrays[0].shape[1] < 5 else None
        if told is None:
            raise UserError(
                f"{path}: what the {arrays[0].shape[1]} numbers of a key point are cannot be told. Write x, y, score or x, y, z"
            )
        meanings[part] = told[:2]
    return meanings


def _slot(part, points, array, meaning, where):
    dims, score = meaning
    cells = (
        points.scores if points.scores is not None else None if score is None else [row[score] for row in points.cells]
    )
    confidence = None if cells is None else np.nan_to_num([number_of(holder[key], where) for holder, key in cells])
    poses = array[:, :dims].copy()
    poses[~np.isfinite(poses).all(axis=1) | (False if confidence is None else confidence <= 0)] = np.nan
    names = None if points.names is None else joint_names(points.names)
    layout = layout_of_count(len(array), dims) if names is None and dims == 2 else layout_of_names(names or ())

    def put(values, changed):
        for joint, axis in zip(*np.nonzero(changed)):
            holder, key = points.cells[joint][axis]
            holder[key] = short(float(values[joint, axis]))

    def swap(left, right):
        for (one, key), (other, name) in [(cells[left], cells[right])] if cells else []:
            one[key], other[name] = other[name], one[key]

    return Slot(Part(part, "2D" if dims == 2 else "3D", layout, names), poses, confidence, put, swap)
