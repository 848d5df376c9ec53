"""Key points in parsed JSON where they stand: rows of numbers, one flat list, named points, or {x, y, score, name}."""

import numpy as np

from ..errors import UserError
from .grids import KNOWN_COUNTS

SCORES_OF_POINTS = "score confidence visibility likelihood conf c p prob probability s v vis presence".split()
LEAST = 3  # points of a person


class Points:
    """Key points where they stand: a holder and key for each number.

    cells: [J] of [(holder, key)] for the coordinates; scores: [J] of (holder, key), or None; names: [J] or None.
    """

    def __init__(self, cells, scores=None, names=None):
        self.cells, self.scores, self.names = cells, scores, names

    def array(self, where):
        """float64 [J, C], null as NaN."""
        return np.array([[number_of(holder[key], where) for holder, key in row] for row in self.cells])


class _Nothing(list):
    """A point that stands as null in its file; it takes its place there once it gets a number."""

    def __init__(self, points, place, width):
        super().__init__([None] * width)
        self.points, self.place = points, place

    def __setitem__(self, axis, value):
        super().__setitem__(axis, value)
        self.points[self.place] = list(self)


def number_of(value, where):
    if value is None:
        return np.nan
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise UserError(f"{where}: {repr(value)[:40]} is not a number. Write key points as numbers")
    return float(value)


def is_number(value):
    return value is None or isinstance(value, (int, float)) and not isinstance(value, bool)


def points_of(value):
    """The `Points` that a value is, or None."""
    if isinstance(value, dict):
        rows = list(value.items())
        if len(rows) < LEAST or any(str(name).lstrip("-").isdigit() for name in value):
            return None
        return _named([name for name, _ in rows], [row for _, row in rows])
    if not isinstance(value, list) or len(value) < LEAST:
        return None
    rows = [row for row in value if row is not None]
    if len(rows) >= LEAST and all(
        isinstance(row, list) and 2 <= len(row) <= 5 and all(map(is_number, row)) for row in rows
    ):
        width = len(rows[0])
        same = all(len(row) == width for row in rows)
        rows = [_Nothing(value, place, width) if row is None else row for place, row in enumerate(value)]
        return Points([[(row, axis) for axis in range(width)] for row in rows]) if same else None
    if all(isinstance(row, dict) for row in value):
        return _named([row.get("name", row.get("part")) for row in value], value)
    if len(value) >= 3 * LEAST and all(map(is_number, value)):
        return _flat(value)
    return None


def _named(names, rows):
    """Points {x, y, …}, or pairs of numbers, with names or without."""
    cells, scores = [], []
    for row in rows:
        if isinstance(row, list) and 2 <= len(row) <= 4 and all(map(is_number, row)):
            cells.append([(row, axis) for axis in range(len(row))])
            scores.append(None)
            continue
        place = row.get("position", row) if isinstance(row, dict) else None
        if not isinstance(place, dict) or not {"x", "y"} <= place.keys():
            return None
        cells.append([(place, key) for key in ("x", "y", "z") if key in place])
        score = next((key for key in SCORES_OF_POINTS if key in row), None)
        scores.append(None if score is None else (row, score))
    if len({len(row) for row in cells}) != 1:
        return None
    known = all(isinstance(name, str) and name for name in names)
    return Points(cells, None if None in scores else scores, names if known else None)


def _flat(values):
    """x, y, c, x, y, c, … where every third number is a score, else x, y, x, y, …"""
    array = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    count = len(values)
    if count % 4 == 0 and count // 4 in KNOWN_COUNTS and not {count / 2, count / 3} & KNOWN_COUNTS:
        fourth = array[3::4][np.isfinite(array[3::4])]
        if len(fourth) and fourth.min() >= 0 and fourth.max() <= 1:  # MediaPipe's x, y, z, visibility
            return Points([[(values, 4 * joint + axis) for axis in range(4)] for joint in range(count // 4)])
    if len(values) % 3 == 0:
        third, rest = array[2::3], np.delete(array, np.s_[2::3])
        scored = np.isfinite(third).any() and (np.nanmin(third) >= 0) and (np.nanmax(third) <= 1)
        if len(values) % 2 or scored and np.nanmax(np.abs(rest), initial=0) > 1:
            return Points([[(values, 3 * joint + axis) for axis in range(3)] for joint in range(len(values) // 3)])
    if len(values) % 2:
        return None
    return Points([[(values, 2 * joint + axis) for axis in range(2)] for joint in range(len(values) // 2)])
