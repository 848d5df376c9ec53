"""Ultralytics: the folder of label files that `save_txt=True` writes.

A file per frame has a line per person: class, box (x, y, width, height) and x, y, (score) of each key point as shares of the image,
then the box's confidence and the track id where they were saved.
"""

import numpy as np

from ..errors import UserError
from ..files import atomic_folder
from . import json_files
from .numbering import number_frames
from .people import build
from .records import Part, Person, Walk, set_units, slots
from .tracks import PoseFile, layout_of_count


def sniff(opened):
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


def read(opened, image_size=None, fps=None):
    files = {
        file.name: file.read_text(encoding="utf-8", errors="replace").splitlines() for file in opened.files(".txt")
    }
    if not files:
        raise UserError(
            f"{opened.path}: no .txt file in this folder. Expected one per frame, as Ultralytics saves labels"
        )
    walk = _walk(files, opened.path, image_size)
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


def _walk(files, path, image_size):
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


def write(pose_file, refined, output_path):
    source = pose_file.source
    files = {name: list(lines) for name, lines in source["files"].items()}
    people = _walk(files, source["path"], source["image_size"]).people
    json_files.put_back(people, source["places"], refined, pose_file.repaired)
    with atomic_folder(output_path) as temporary:
        for name, lines in files.items():
            (temporary / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
