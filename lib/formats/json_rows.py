"""JSON lists of flat objects, a table whose lines are objects: one landmark of one frame in each, or one pose, as in CSV.

[{"frame": 0, "id": 3, "x": 310.5, "y": 200.1}, …]
"""

import json

from ..errors import UserError
from ..files import write_text
from . import csv_columns, csv_files, csv_poses
from .opened import dump, parse
from .table import Table


class Records(Table):
    """The table of a list of objects: keys of the first are its header; null is an empty cell. Raises UserError for other JSON."""

    def __init__(self, opened):
        if not _holds(opened):
            raise UserError(
                f'{opened.path}: no list of flat objects. Expected [{{"frame": 0, "id": 3, "x": 310.5, "y": 200.1}}, …]'
            )
        self.path, self.content = opened.path, opened.content
        header = list(opened.tree[0])
        self.rows = [header, *([_text(record.get(key)) for key in header] for record in opened.tree)]

    def place(self, row):
        return f"object {row - 1}"

    def write(self, rows, output_path):
        tree = parse(self.content, self.path)
        for record, row, before in zip(tree, rows[1:], self.rows[1:]):
            for key, text, was in zip(rows[0], row, before):
                if text != was:
                    record[key] = json.loads(text) if text else None
        write_text(output_path, dump(tree))


def sniff(opened):
    if not opened.is_json or not _holds(opened):
        return False
    header = list(opened.tree[0])
    return bool(csv_columns.of_header(header).joints or csv_poses.bare(header) is not None)


def read(opened, image_size=None, fps=None):
    pose_file = csv_files.read_table(Records(opened), image_size, fps)
    pose_file.format = "json_rows"
    return pose_file


def _holds(opened):
    """Whether a file holds a list of objects of plain values."""
    if opened.is_folder or opened.suffix == ".jsonl":
        return False
    return isinstance(opened.tree, list) and len(opened.tree) > 1 and all(map(_is_flat, opened.tree))


def _is_flat(record):
    return isinstance(record, dict) and not any(isinstance(value, (dict, list)) for value in record.values())


def _text(value):
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
