"""OpenSim's .mot and .sto: joint angles and places over time, or markers as `DataType=Vec3`.

A header up to `endheader`, a line of column names (time first), one line per frame. Angles (degrees or radians, as inDegrees says)
are unwrapped and refined apart from places (m); columns of forces are left as they are, and named.
"""

import re

import numpy as np

from ..errors import UserError
from ..files import write_text
from . import times
from .table import cell_number, shortest
from .tracks import PoseFile, Track, joint_names, layout_of_names

PLACES = re.compile(r".*_t[xyz](/value)?", re.I)
OTHERS = re.compile(r".*(force|torque|moment|power|activation|_[vp][xyz]$|/speed|_u$).*", re.I)


def sniff(opened):
    if opened.is_folder or opened.suffix not in (".mot", ".sto"):
        return False
    try:
        return any(line.strip().lower() == "endheader" for line in opened.lines[:200])
    except UserError:
        return False


def read(opened, image_size=None, fps=None):
    path, lines = opened.path, opened.lines
    end = next((number for number, line in enumerate(lines) if line.strip().lower() == "endheader"), None)
    if end is None or end + 2 >= len(lines):
        raise UserError(
            f"{path}: no endheader, or nothing below it. Expected OpenSim's header, names of columns, lines of frames"
        )
    settings = dict(line.strip().lower().partition("=")[::2] for line in lines[:end] if "=" in line)
    kind = settings.get("datatype", "double").strip()
    if kind not in ("double", "vec3"):
        raise UserError(
            f"{path}: DataType={kind} is not read. Export coordinates (double) or markers (Vec3) from OpenSim"
        )
    names = lines[end + 1].split()
    rows = [number for number in range(end + 2, len(lines)) if lines[number].strip()]
    if len(names) < 2 or not rows:
        raise UserError(f"{path}: {len(names)} columns and {len(rows)} lines of frames. Expected time and coordinates")
    width = 3 if kind == "vec3" else 1
    values = np.array(
        [_numbers(lines[row], names, width, f"{path}: line {row + 1}") for row in rows]
    )  # [T, columns, width]
    seconds = values[:, 0, 0]
    if not np.isfinite(seconds).all() or (np.diff(seconds) <= 0).any():
        raise UserError(f"{path}: its times do not rise. Pass --fps with the rate of the recording, or correct them")
    source = {"lines": lines, "rows": rows, "places": [], "originals": [], "offsets": []}
    clock, note = times.in_seconds(seconds, path, "time", fps=fps)
    notes, tracks = [note] if note else [], []
    for track, columns, offsets in _tracks(values, names, kind, settings, path, notes):
        tracks.append(track)
        source["places"].append(columns)
        source["originals"].append(track.poses.copy())
        source["offsets"].append(offsets)
    return PoseFile("opensim", tracks, len(rows), fps, clock, None, True, source, notes)


def _numbers(line, names, width, where):
    cells = line.split()
    if len(cells) != len(names):
        raise UserError(f"{where}: {len(cells)} columns, the names are {len(names)}. Export the file again")
    found = np.full((len(cells), width), np.nan)
    for number, cell in enumerate(cells):
        parts = cell.split(",")
        if len(parts) != (1 if number == 0 else width):
            raise UserError(f"{where}, {names[number]}: {cell[:40]!r}. Expected {width} numbers separated by commas")
        found[number, : len(parts)] = [cell_number(part, f"{where}, {names[number]}") for part in parts]
    return found


def _tracks(values, names, kind, settings, path, notes):
    """Yield (track, its columns, what was added to unwrap)."""
    if kind == "vec3":
        poses = values[:, 1:].copy()
        poses[~np.isfinite(poses).all(axis=-1)] = np.nan
        joints = joint_names(names[1:])
        units = settings.get("units", "").strip()
        units = units if units in ("m", "mm", "cm") else None
        yield Track(0, "person", poses, None, "3D", layout_of_names(joints), joints, units), range(1, len(names)), 0.0
        return
    known = [number for number in range(1, len(names)) if np.isfinite(values[:, number]).any()]
    others = [number for number in known if OTHERS.fullmatch(names[number])]
    places = [number for number in known if PLACES.fullmatch(names[number]) and number not in others]
    angles = [number for number in known if number not in (*places, *others)]
    if not places and not angles:
        raise UserError(
            f"{path}: columns {', '.join(names[1:4])}, ... are no coordinates of a body. Nothing can be refined"
        )
    if others:
        notes.append(
            f"{len(others)} columns of forces or rates are left as they are: {', '.join(names[n] for n in others[:3])}"
        )
    turn = 360.0 if settings.get("indegrees", "yes").strip() != "no" else 2 * np.pi
    for columns, part, units in ((angles, "angles", "deg" if turn == 360.0 else "rad"), (places, "places", "m")):
        if columns:
            poses = values[:, columns]
            offsets = _unwrapped(poses, turn) - poses if part == "angles" else 0.0
            joints = tuple(names[number] for number in columns)
            yield Track(0, f"person {part}", poses + offsets, None, "2D", None, joints, units, part), columns, offsets


def _unwrapped(values, turn):
    there = np.isfinite(values)
    if not there.all():
        return values  # an unknown angle between two does not say which way it went
    return np.unwrap(values, period=turn, axis=0)


def write(pose_file, refined, output_path):
    source = pose_file.source
    lines = list(source["lines"])
    for columns, values, original, offsets in zip(source["places"], refined, source["originals"], source["offsets"]):
        changed = np.isfinite(values) & (values != original)
        written = values - offsets
        for frame in np.flatnonzero(changed.any(axis=(1, 2))):
            row = source["rows"][frame]
            pieces = re.split(r"(\s+)", lines[row])
            cells = [number for number, piece in enumerate(pieces) if piece.strip()]
            for place in np.flatnonzero(changed[frame].any(axis=-1)):
                cell = cells[columns[place]]
                parts = pieces[cell].split(",")
                for axis in np.flatnonzero(changed[frame, place]):
                    parts[axis] = shortest(written[frame, place, axis])
                pieces[cell] = ",".join(parts)
            lines[row] = "".join(pieces)
    write_text(output_path, "".join(lines))
