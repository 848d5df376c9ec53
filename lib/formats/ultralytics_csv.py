"""Ultralytics: `results.to_csv()` of a clip's frames, one detection per line, its key points {x, y, visible} as text in one cell.

Each call of `to_csv` writes the header again, so that the texts of all frames one after another tell the frames; of lines that
were put together below one header a column of frames does.
"""

import json

from ..errors import UserError
from . import csv_rows, json_files
from .numbering import first_id
from .people import build
from .records import Person, Walk, set_units
from .table import Table
from .tracks import PoseFile
from .ultralytics import slots_of


def sniff(opened):
    if opened.is_folder or opened.suffix not in (".csv", ".tsv", ".txt"):
        return False
    rows = Table(opened).rows
    column = csv_rows.column_of(rows[0], ("keypoints",)) if rows else None
    return column is not None and any(len(row) > column and _points(row[column]) for row in rows[1:1000])


def _points(cell):
    """The {x, y, visible} of a cell (Python's or JSON's text of it), or None."""
    try:
        points = json.loads(cell.replace("'", '"'))
    except ValueError:
        return None
    lists = isinstance(points, dict) and isinstance(points.get("x"), list) and isinstance(points.get("y"), list)
    return points if lists else None


def read(opened, image_size=None, fps=None):
    table = Table(opened)
    walk = _walk(table, table.rows, image_size)
    tracks, places, count, tracked, _, notes = build(opened.path, walk, fps)
    source = {"table": table, "places": places, "image_size": image_size}
    return PoseFile("ultralytics_csv", tracks, count, fps, None, image_size, tracked, source, notes)


def _walk(table, rows, image_size):
    header, numbers = rows[0], _frames(table)
    column, identity = (csv_rows.column_of(header, (name,)) for name in ("keypoints", "track_id"))
    result = Walk([("", number) for number in dict.fromkeys(numbers.values())], [])
    for line, frame in numbers.items():
        row, where = rows[line], f"{table.path}: {table.place(line)}"
        points = _points(row[column])
        if points is None:
            if row[column].strip():
                raise UserError(f"{where}: {row[column][:40]!r} is no {{'x': […], 'y': […]}}. Write the table again")
            continue  # a thing without key points
        who = row[identity].strip() if identity is not None else ""
        found = slots_of(points, where)
        for slot in found:
            slot.put, slot.swap = _kept(slot.put, points, row, column), _kept(slot.swap, points, row, column)
        result.people.append(Person(("", frame), found, where, first_id(who) if who else None))
    set_units(result, image_size)
    return result


def _kept(change, points, row, column):
    """`change`, after which the cell has the text of the changed points, quoted as it was."""

    def changed(*arguments):
        change(*arguments)
        row[column] = repr(points) if "'" in row[column] else json.dumps(points)

    return changed


def _frames(table):
    """{line: its frame}, without headers and empty lines. Raises UserError where nothing tells the frames."""
    rows = table.rows
    lines = [number for number, row in enumerate(rows) if number and row and row != rows[0]]
    bad = next((line for line in lines if len(rows[line]) != len(rows[0])), None)
    if bad is not None:
        raise UserError(
            f"{table.path}: {table.place(bad)}: {len(rows[bad])} columns, the first line has {len(rows[0])}. Write the table again"
        )
    column = csv_rows.column_of(rows[0], csv_rows.FRAMES)
    if column is not None:
        numbers = csv_rows.frame_numbers(table, rows[0], lines, column)
        bad = next((line for line, number in zip(lines, numbers) if not abs(number) < 2**53), None)
        if bad is not None:
            raise UserError(
                f"{table.path}: {table.place(bad)}: {rows[bad][column][:40]!r} is no frame number. Correct it"
            )
        return {line: int(number) for line, number in zip(lines, numbers)}
    if rows.count(rows[0]) == 1 and len(lines) > 1:
        raise UserError(
            f"{table.path}: no column 'frame' tells which frame each line is of. Add one, or write the text of each frame's "
            "results.to_csv(), with its header, one after another"
        )
    frames, frame = {}, 0
    for line, row in enumerate(rows[1:], 1):
        frame += row == rows[0]
        if line in lines:
            frames[line] = frame
    return frames


def write(pose_file, refined, output_path):
    source = pose_file.source
    rows = [list(row) for row in source["table"].rows]
    people = _walk(source["table"], rows, source["image_size"]).people
    json_files.put_back(people, source["places"], refined, pose_file.repaired)
    source["table"].write(rows, output_path)
