"""Qualisys' TSV of marker trajectories: lines of a setting each up to MARKER_NAMES, then a line of x, y, z of each marker per frame.

Frame and time may stand before them, and a line of column names above them. Coordinates are mm; a marker that was not seen is
empty, NaN, NULL, or 0 throughout.
"""

import numpy as np

from ..errors import UserError
from ..files import write_text
from .table import cell_number, is_number, shortest
from .tracks import PoseFile, Track, joint_names, layout_of_names

LAST_SETTINGS = ("TRAJECTORY_TYPES", "EVENT", "HISTORY")  # what may stand between MARKER_NAMES and the frames


def sniff(opened):
    return not opened.is_folder and opened.head.removeprefix(b"\xef\xbb\xbf").startswith(b"NO_OF_FRAMES")


def read(opened, image_size=None, fps=None):
    path = opened.path
    lines = opened.lines
    settings, first = _header(lines)
    names = [name.strip() for name in settings.get("MARKER_NAMES", [])]
    while names and not names[-1]:
        names.pop()  # after a tab at the end of the line
    included = next(iter(settings.get("DATA_INCLUDED", [])), "").strip().upper() or "3D"
    if included != "3D" or not names:
        raise UserError(
            f"{path}: holds {included} of {len(names)} markers. Only trajectories are read: export 3D data as TSV from Qualisys"
        )
    said = next(iter(settings.get("NO_OF_MARKERS", [])), "").strip()
    if said.isdigit() and int(said) != len(names):
        raise UserError(
            f"{path}: NO_OF_MARKERS is {said}, MARKER_NAMES has {len(names)}. Correct the header, or export it again"
        )
    rows = [number for number in range(first, len(lines)) if lines[number].strip()]
    if rows and not any(is_number(cell) for cell in _cells(lines[rows[0]])):
        rows = rows[1:]  # names of the columns
    if not rows:
        raise UserError(f"{path}: no line of a frame below the header. Export it again")
    before = len(_cells(lines[rows[0]])) - 3 * len(names)
    if before == 1 and not _cells(lines[rows[0]])[-1].strip():
        before = 0  # a tab at the end
    if before not in (0, 1, 2):
        raise UserError(
            f"{path}: line {rows[0] + 1}: {len(_cells(lines[rows[0]]))} columns for {len(names)} markers. Expected {3 * len(names)}, "
            "with frame and time before them at will"
        )
    poses = np.array([_numbers(lines[row], before, names, f"{path}: line {row + 1}") for row in rows])
    missing = np.isnan(poses).any(axis=-1) | (poses == 0).all(axis=-1)
    poses[missing] = np.nan
    if missing.all():
        raise UserError(f"{path}: every marker of every frame is missing. Nothing can be refined")
    track = Track(0, "person", poses, None, "3D", layout_of_names(names), joint_names(names), "mm")
    rate = next(iter(settings.get("FREQUENCY", [])), "")
    source = {"lines": lines, "rows": rows, "before": before, "original": poses.copy()}
    pose_file = PoseFile("qualisys", [track], len(rows), fps, None, image_size, True, source)
    if not fps and is_number(rate) and float(rate) > 0:
        pose_file.fps = float(rate)
    said = next(iter(settings.get("NO_OF_FRAMES", [])), "").strip()
    if said.isdigit() and int(said) != len(rows):
        pose_file.notes.append(f"warning: the header says {said} frames, the file has {len(rows)}: was it cut short?")
    return pose_file


def _header(lines):
    """({setting: its cells}, number of the first line below them)."""
    settings, last = {}, 0
    for number, line in enumerate(lines):
        name, *cells = _cells(line.lstrip("\ufeff"))
        if (
            not name
            or is_number(name)
            or name != name.upper()
            or "MARKER_NAMES" in settings
            and name not in LAST_SETTINGS
        ):
            break
        settings[name], last = cells, number + 1
    return settings, last


def _cells(line):
    return line.rstrip("\r\n").split("\t")


def _numbers(line, before, names, where):
    """[markers, 3] of one frame."""
    cells = _cells(line)[before : before + 3 * len(names)]
    if len(cells) < 3 * len(names):
        raise UserError(f"{where}: {len(cells)} coordinates for {len(names)} markers. Export the file again")
    return np.array([cell_number(cell, where) for cell in cells]).reshape(-1, 3)


def write(pose_file, refined, output_path):
    source = pose_file.source
    lines, before = list(source["lines"]), source["before"]
    (repaired,) = pose_file.repaired or [None]
    original = source["original"] if repaired is None else repaired.exchange(source["original"])
    changed = np.isfinite(refined[0]) & (refined[0] != original)
    for frame, row in enumerate(source["rows"]):
        pairs = repaired.swaps(frame) if repaired is not None else []
        if not pairs and not changed[frame].any():
            continue
        body = lines[row].rstrip("\r\n")
        cells = body.split("\t")
        for pair in pairs:
            left, right = (slice(before + 3 * joint, before + 3 * joint + 3) for joint in pair)
            cells[left], cells[right] = cells[right], cells[left]
        for joint, axis in zip(*np.nonzero(changed[frame])):
            cells[before + 3 * joint + axis] = shortest(refined[0][frame, joint, axis])
        lines[row] = "\t".join(cells) + lines[row][len(body) :]
    write_text(output_path, "".join(lines))
