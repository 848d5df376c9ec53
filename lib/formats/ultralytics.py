"""Ultralytics: `results.to_json()` of a clip's frames, and the folder of label files that `save_txt=True` writes.

JSON: a list of frames, each a list of {name, class, confidence, box, track_id, keypoints: {x, y, visible}}; a frame may be
the text that `to_json` returns. A label file per frame has a line per person: class, box (x, y, width, height) and x, y,
(score) of each key point as shares of the image, then the box's confidence and the track id where they were saved.
x, y of key points under a score of 0.5 are 0. (`results.keypoints.data` is an array: lib/formats/arrays.py.)
"""

import json

import numpy as np

from ..errors import UserError
from ..files import atomic_folder
from . import json_files
from .json_numbers import numbers, short
from .numbering import first_id, number_frames
from .opened import parse
from .people import build
from .records import Part, Person, Walk, set_units, slots
from .tracks import PoseFile, layout_of_count


def sniff(opened):
    if opened.is_folder or not opened.is_json or not isinstance(opened.tree, list):
        return False
    return any(_is_person(person) for frame in opened.tree[:1000] for person in (_detections(frame) or [])[:1])


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


# ------------------------------------------------------------------------------------------------ label files


def sniff_labels(opened):
    if not opened.is_folder or opened.json_files:
        return False
    return any(
        _is_label(line)
        for file in opened.files(".txt")[:50]
        for line in file.read_text(errors="replace").splitlines()[:1]
    )


def _is_label(line):
    try:
        values = np.array(line.split(), dtype=float)
    except ValueError:
        return False
    return len(values) >= 11 and values[0] == int(values[0]) >= 0 and bool((np.abs(values[1:5]) <= 1.5).all())


def read_labels(opened, image_size=None, fps=None):
    files = {
        file.name: file.read_text(encoding="utf-8", errors="replace").splitlines() for file in opened.files(".txt")
    }
    if not files:
        raise UserError(
            f"{opened.path}: no .txt file in this folder. Expected one per frame, as Ultralytics saves labels"
        )
    walk = _walk_labels(files, opened.path, image_size)
    tracks, places, count, tracked, _, notes = build(opened.path, walk, fps)
    source = {"files": files, "places": places, "path": opened.path, "image_size": image_size}
    return PoseFile("ultralytics_labels", tracks, count, fps, None, image_size, tracked, source, notes)


def _layout_of_line(lines, path):
    """(key points, numbers per key point, numbers after them, whether an id is among these) of lines of equally many numbers."""
    count = lines.shape[1]
    last = lines[:, -1]
    tracked = bool((last == last.round()).all() and (last >= 1).all() and (lines[:, 5:-1] <= 1.5).all())
    fitting = [
        (points, stride, rest, tracked)
        for stride in (3, 2)
        for rest in ((1, 2) if tracked else (0, 1))
        if (count - 5 - rest) % stride == 0 and (points := (count - 5 - rest) // stride) > 1
    ]
    if not fitting:
        raise UserError(f"{path}: lines of {count} numbers. Expected class, box and x, y, (score) of each key point")
    return next((entry for entry in fitting if layout_of_count(entry[0]) or entry[0] in (4, 21, 133)), fitting[0])


def _walk_labels(files, path, image_size):
    names = number_frames([name.removesuffix(".txt") for name in files], path)
    result = Walk(names, [])
    # A person whom the tracker has not confirmed has no id: one number less.
    longest = max((len(line.split()) for lines in files.values() for line in lines), default=0)
    rows = [cells for lines in files.values() for line in lines if len(cells := line.split()) == longest]
    try:
        sample = np.array(rows[:1000], dtype=np.float64).reshape(-1, longest)
    except ValueError:
        raise UserError(f"{path}: not numbers only. Expected what Ultralytics saves with save_txt=True") from None
    points, stride, rest, has_ids = _layout_of_line(sample, path) if longest > 5 else (0, 3, 0, False)
    for (name, lines), frame in zip(files.items(), names):
        for index, line in enumerate(lines):
            cells = line.split()
            if not cells:
                continue
            where = f"{path}: {name}, line {index + 1}"
            missing = longest - len(cells)
            if not 0 <= missing <= rest:
                raise UserError(f"{where}: {len(cells)} numbers, other lines have {longest}. Save the labels again")
            try:
                values = np.array(cells, dtype=np.float64)
            except ValueError:
                raise UserError(
                    f"{where}: not numbers only. Expected what Ultralytics saves with save_txt=True"
                ) from None
            array = values[5 : 5 + points * stride].reshape(points, stride)
            identity = int(values[-1]) if has_ids and not missing else None

            def put(joint, axis, value, cells=cells, lines=lines, index=index):
                cells[5 + joint * stride + axis] = f"{value:.6g}"
                lines[index] = " ".join(cells)

            def swap(left, right, cells=cells, lines=lines, index=index):
                left, right = (slice(5 + joint * stride, 5 + (joint + 1) * stride) for joint in (left, right))
                cells[left], cells[right] = cells[right], cells[left]
                lines[index] = " ".join(cells)

            part = Part("body", layout=layout_of_count(points))
            found = slots(array[:, :2], array[:, 2] if stride == 3 else None, part, put, swap)
            result.people.append(Person(frame, found, where, identity))
    set_units(result, image_size)
    return result


def write_labels(pose_file, refined, output_path):
    source = pose_file.source
    files = {name: list(lines) for name, lines in source["files"].items()}
    people = _walk_labels(files, source["path"], source["image_size"]).people
    json_files.put_back(people, source["places"], refined, pose_file.repaired)
    with atomic_folder(output_path) as temporary:
        for name, lines in files.items():
            (temporary / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
