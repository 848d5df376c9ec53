"""JSON of people's own scripts: frames of people of key points, in whatever lists and keys these stand.

Frames are a list, a dict by name or number, or either under a key such as `frames`; a frame is key points, a person, or people (a
list, or a dict by id); tracks {id: {frame: key points}} are told by having more frames than ids. Key points are rows of numbers,
one flat list, named points, or {x, y, score, name}. A column of scores is told from a coordinate by its numbers (`sense`).
"""

import numpy as np

from ..errors import UserError
from . import mediapipe, sense, times
from .joint_orders import layout_of_poses
from .json_meta import rate_of
from .json_numbers import SCORES, short
from .json_people import IDS, POINTS, SPACE, of_frame
from .json_points import number_of, points_of
from .numbering import first_id, number_frames
from .position_arrays import NAMES
from .records import Part, Person, Walk, set_units, slots
from .tracks import joint_names, layout_of_names

FRAMES = "frames data results annotations predictions poses keypoints sequence tracks people persons".split()
FRAMES += [key for key in (*POINTS, *SPACE) if key not in FRAMES]
LABELS = "frame frameIndex frameId frame_id frame_idx frame_index frame_number frame_num image_id image file_name img".split()


def _entries(tree):
    """[(label, frame, id or None)] of a tree, [] where it is none of this kind."""
    for _ in range(2):
        key = next((key for key in FRAMES if isinstance(tree, dict) and isinstance(tree.get(key), (list, dict))), None)
        if key is None or of_frame(tree, together=False):
            break
        beside = [name for name in SCORES if isinstance(tree.get(name), list) and len(tree[name]) == len(tree[key])]
        if beside and isinstance(tree[key], list):  # a list of points by frame, and one of scores
            tree = [{key: points, beside[0]: scores} for points, scores in zip(tree[key], tree[beside[0]])]
            break
        tree = tree[key]
    if isinstance(tree, list) and (tracks := _tracks(tree)):
        return tracks
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


def _tracks(tree):
    """Entries of a list of tracks {id, keypoints by frame}, [] where it is none."""
    found = []
    for number, track in enumerate(tree):
        frames = (
            next((track[key] for key in POINTS if isinstance(track.get(key), list)), [])
            if isinstance(track, dict)
            else []
        )
        if len(frames) <= max(len(tree), 2) or points_of(frames) or not all(points_of(frame) for frame in frames):
            return []
        labels = track.get("frames")
        if not isinstance(labels, list) or len(labels) != len(frames):
            first = track.get("start_frame")
            labels = range(
                first if isinstance(first, int) else 0, len(frames) + (first if isinstance(first, int) else 0)
            )
        identity = next((first_id(track[key]) for key in IDS if key in track), number)
        found += [(label, frame, identity) for label, frame in zip(labels, frames)]
    return found


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


LARGEST = 10**9  # number of a frame


def sniff(opened):
    if not opened.is_json or opened.is_folder:
        return False
    entries = _entries(opened.tree)
    people = [parts for _, frame, _ in entries[:50] for parts, _ in of_frame(frame)]
    if not people:
        return False
    first = next(iter(people[0].values()))
    plain = first.names is None and len(first.cells) not in sense.IMAGE_SETS and isinstance(first.cells[0][0][1], int)
    return plain or not mediapipe.sniff(opened)


def walk(tree, path, image_size=None):
    entries = _entries(tree)
    labels, stamps = [label for label, *_ in entries], None
    if all(str(label).isdigit() and int(label) > LARGEST for label in labels):  # ZED: times for names
        stamps = sorted(set(map(int, labels)))
        labels = [stamps.index(int(label)) for label in labels]
    labels = number_frames(labels, path)
    found = []
    for label, (name, frame, owner) in zip(labels, entries):
        for parts, identity in of_frame(frame):
            where = f"{path}: frame {name}"
            found.append((label, where, owner if identity is None else identity, {part: (points, points.array(where)) for part, points in parts.items()}))  # fmt: skip
    if not found:
        raise UserError(
            f"{path}: no frame with key points. Expected such as [{{'frame': 0, 'people': [{{'keypoints': [[x, y, score], …]}}]}}, …]"
        )
    notes = []
    meanings = _meanings(found, path, _names_of(tree), notes)
    people = [
        Person(
            label,
            [slot for part, pair in parts.items() for slot in _slots(part, *pair, meanings[part], where)],
            where,
            identity,
        )
        for label, where, identity, parts in found
    ]
    result = Walk(list(dict.fromkeys(labels)), people, notes=notes)
    clock, stamped = times.of_records([frame for _, frame, _ in entries])
    if stamps is not None and stamped is None:
        clock, stamped = "timestamp", stamps
    if stamped is not None and len(stamped) == len(result.frames):
        result.clock, result.timestamps = clock, stamped
    result.fps = rate_of(tree)
    set_units(result, image_size)
    return result


def _meanings(found, path, known, notes):
    """{part: (coordinates, column of the score or None, layout or None, joint names or None)}, told from all of the part's numbers.

    known: names of joints that the file has for all people, or None.
    """
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
        names = next(parts[part][0].names for *_, parts in found if part in parts)
        names = known if names is None and known and len(known) == len(arrays[0]) else names
        layout = layout_of_poses(np.array(arrays)[None], told[0], notes) if names is None else layout_of_names(names)
        meanings[part] = *told[:2], layout, None if names is None else joint_names(names)
    return meanings


def _slots(part, points, array, meaning, where):
    dims, score, layout, names = meaning
    cells = (
        points.scores if points.scores is not None else None if score is None else [row[score] for row in points.cells]
    )
    confidence = None if cells is None else np.nan_to_num([number_of(holder[key], where) for holder, key in cells])

    def put(joint, axis, value):
        holder, key = points.cells[joint][axis]
        holder[key] = short(float(value))

    def swap(left, right):
        for one, other in zip(points.cells[left][:dims], points.cells[right][:dims]):
            one[0][one[1]], other[0][other[1]] = other[0][other[1]], one[0][one[1]]
        for (one, key), (other, name) in [(cells[left], cells[right])] if cells else []:
            one[key], other[name] = other[name], one[key]

    kind = Part(part, "2D" if dims == 2 else "3D", layout, names)
    return slots(array[:, :dims].copy(), confidence, kind, put, swap)


def _names_of(tree):
    """The names of the joints that a file says for all of its people, or None."""
    for key in NAMES:
        names = tree.get(key) if isinstance(tree, dict) else None
        if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
            return tuple(names)
    return None
