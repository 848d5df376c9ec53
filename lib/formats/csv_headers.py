"""Tables with several lines of header: a line of joint names above a line of axes, as pandas, Vicon Nexus and OptiTrack Motive write.

The names stand once per joint, or over each of its columns; other lines (scorer, ID, unit) may stand about. Of a file with several
such blocks (Nexus: devices, joints, model outputs, trajectories) the one with most joints that are places is taken.
"""

from dataclasses import dataclass

from .csv_columns import AXES, SCORES, Columns, Joint
from .table import is_number

LINES_ABOVE = 8  # of a header
UNITS = {
    "mm": "mm",
    "millimeters": "mm",
    "m": "m",
    "meters": "m",
    "metres": "m",
    "cm": "cm",
    "centimeters": "cm",
    "px": "px",
    "pixels": "px",
}
RATES = ("export frame rate", "capture frame rate", "frame rate", "framerate", "frequency", "sampling rate")


@dataclass
class Block:
    """columns: the `Columns`; header: a name per column; first, last: its lines of numbers; rate, units: or None."""

    columns: Columns
    header: list
    first: int
    last: int
    rate: float | None
    units: str | None


def of_rows(rows):
    """The `Block` of a table's rows, or None."""
    found = [block for number, row in enumerate(rows) if _is_axes(row) and (block := _block(rows, number))]
    return max(found, key=lambda block: len(block.columns.joints), default=None)


def _is_axes(row):
    marks = [cell.strip().lower() for cell in row]
    known = sum(mark in AXES or mark in SCORES for mark in marks)
    return marks.count("x") > 1 and marks.count("y") > 1 and known >= sum(map(bool, marks)) - 3


def _block(rows, number):
    axes = [cell.strip().lower() for cell in rows[number]]
    above = [_filled(rows[line], len(axes)) for line in range(max(0, number - LINES_ABOVE), number) if any(rows[line])]
    places = _places(above, axes)
    joints = max((_joints(line, axes, places) for line in above), key=len, default=[])
    first, units = number + 1, None
    if first < len(rows) and not any(is_number(cell) for cell in rows[first]):
        marks = {cell.strip().lower() for cell in rows[first]} - {""}
        if any(mark.startswith(("deg", "rad", "n", "w")) for mark in marks):
            return None  # angles, forces, powers
        units = next((UNITS[mark] for mark in marks if mark in UNITS), None)
        first += 1
    last = next((line for line in range(first, len(rows)) if not any(cell.strip() for cell in rows[line])), len(rows))
    if len(joints) < 2 or first >= last:
        return None
    header = [cell.strip() for cell in rows[number]]
    for joint in joints:
        for axis, column in joint.columns.items():
            header[column] = f"{joint.name} {axis}"
    spatial = all("z" in joint.columns for joint in joints)
    settings = [cell.strip() for line in rows[:number] for cell in line]
    units = units or UNITS.get(_beside(settings, ("length units", "units")).lower())
    return Block(
        Columns(joints, "xyz" if spatial else "xy", []), header, first, last, _rate(settings, rows, number), units
    )


def _filled(row, width):
    """The cells of a line, with what stands to the left of an empty one in it."""
    cells, before = [], ""
    for cell in [*row, *[""] * (width - len(row))][:width]:
        before = cell.strip() or before
        cells.append(before)
    return cells


def _places(above, axes):
    """Which columns are no rotations or errors, where a line says what each is (Motive)."""
    for line in above:
        kinds = [cell.lower() for cell in line]
        if "position" in kinds:
            return [kind == "position" for kind in kinds]
    return [True] * len(axes)


def _joints(line, axes, places):
    """The joints that a line names, [] where it names none: each has x and y once."""
    found = {}
    for column, (name, axis) in enumerate(zip(line, axes)):
        axis = "c" if axis in SCORES else axis
        if places[column] and name and axis in (*AXES, "c"):
            columns = found.setdefault(name, {})
            if axis in columns:
                return []  # a name over several joints
            columns[axis] = column
    joints = [Joint(name, columns) for name, columns in found.items() if {"x", "y"} <= columns.keys()]
    return joints if not any(is_number(joint.name) for joint in joints) else []


def _beside(cells, names):
    """The cell after the first that is called by one of these names; "" of none."""
    for name in names:
        place = next((place for place, cell in enumerate(cells[:-1]) if cell.lower() == name), None)
        if place is not None:
            return cells[place + 1]
    return ""


def _rate(settings, rows, number):
    said = _beside(settings, RATES)
    for line in rows[max(0, number - LINES_ABOVE) : number]:  # Nexus: a line of nothing else, below the block's title
        cells = [cell for cell in line if cell.strip()]
        said = said or (cells[0] if len(cells) == 1 and is_number(cells[0]) else "")
    return float(said) if is_number(said) and float(said) > 0 else None
