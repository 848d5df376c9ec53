"""TRC marker trajectories: five header lines, then frame, time and x, y, z of each marker, separated by tabs."""

import math

import numpy as np

from ..errors import UserError
from ..files import write_text
from .table import cell_number, shortest
from .tracks import PoseFile, Track, joint_names, layout_of_names

UNITS = {"m": "m", "meters": "m", "metres": "m", "mm": "mm", "millimeters": "mm", "cm": "cm"}


def sniff(opened):
    return not opened.is_folder and (opened.suffix == ".trc" or opened.head[:12] == b"PathFileType")


def read(opened, image_size=None, fps=None):
    path, lines = opened.path, opened.lines
    if len(lines) < 6:
        raise UserError(f"{path}: only {len(lines)} lines. Expected a TRC file: 5 header lines, then one per frame")
    settings = dict(zip(_cells(lines[1]), _cells(lines[2])))
    rows = [number for number in range(5, len(lines)) if lines[number].strip()]
    if not rows:
        raise UserError(f"{path}: no frame below the header. Expected one line per frame")
    markers, stride = _markers(lines, rows, settings, path)
    columns = [2 + stride * marker + axis for marker in range(len(markers)) for axis in range(3)]
    poses, times = np.full((len(rows), 3 * len(markers)), np.nan), np.full(len(rows), np.nan)
    for frame, row in enumerate(rows):
        cells = _cells(lines[row])
        # Trailing empty cells may have been stripped, further columns may not be there.
        extra = [cell for cell in cells[2 + stride * len(markers) :] if cell.strip()]
        if len(cells) < 2 or extra:
            raise UserError(
                f"{path}: line {row + 1}: {len(cells)} columns for {len(markers)} markers. "
                f"Expected {2 + stride * len(markers)}, separated by tabs"
            )
        times[frame] = cell_number(cells[1], f"{path}: line {row + 1}, Time")
        for number, column in enumerate(columns):
            if column < len(cells):
                poses[frame, number] = cell_number(
                    cells[column], f"{path}: line {row + 1}, {markers[number // 3]} {'XYZ'[number % 3]}"
                )
    poses = poses.reshape(len(rows), -1, 3)
    poses[np.isnan(poses).any(axis=-1)] = np.nan
    if np.isnan(poses).all():
        raise UserError(f"{path}: every value is missing. Nothing can be refined")
    rate = _number(settings.get("DataRate")) or _number(settings.get("CameraRate"))
    units = UNITS.get(settings.get("Units", "").strip().lower())
    names = joint_names(markers)
    track = Track(0, "person", poses, None, "3D", layout_of_names(markers), names, units=units)
    times = times if len(times) > 1 and np.isfinite(times).all() and (np.diff(times) > 0).all() else None
    source = {"lines": lines, "rows": rows, "columns": columns, "stride": stride, "original": poses.copy()}
    pose_file = PoseFile("trc", [track], len(rows), fps or rate, times, image_size, True, source)
    if times is not None and not fps:
        _check_times(pose_file, rate)
    said = _number(settings.get("NumFrames"))
    if said is not None and said != len(rows):
        pose_file.notes.append(f"warning: the header says {said:g} frames, the file has {len(rows)}: was it cut short?")
    return pose_file


def _check_times(pose_file, rate):
    """Times that are not those of the header's rate, by a factor of a unit, are not used."""
    step = float(np.median(np.diff(pose_file.timestamps)))
    if rate and not 0.2 < step * rate < 5:
        pose_file.timestamps = None
        pose_file.notes.append(
            f"Time rises by {step:.4g} per frame, DataRate says {rate:g} per second: DataRate is used"
        )


def _markers(lines, rows, settings, path):
    """(marker names, columns per marker: 3, or 4 with a score). Raises UserError where names and columns do not agree."""
    cells = [cell.strip() for cell in _cells(lines[3])[2:]]
    names = [cell for cell in cells if cell]
    if not names:
        raise UserError(f"{path}: line 4 names no marker. Expected Frame#, Time and one name for every three columns")
    said = _number(settings.get("NumMarkers"))
    if said is not None and said != len(names):
        raise UserError(
            f"{path}: line 3 says NumMarkers {said:g}, line 4 has {len(names)} names. Correct the header: one name for each marker"
        )
    widest = max(len(_cells(lines[row].rstrip())) for row in rows) - 2
    stride = next((stride for stride in (3, 4) if widest <= stride * len(names)), 3)
    if stride == 4 and not all(
        cells[4 * number] == name for number, name in enumerate(names) if 4 * number < len(cells)
    ):
        stride = 3
    return names, stride


def write(pose_file, refined, output_path):
    source = pose_file.source
    lines, columns, stride = list(source["lines"]), source["columns"], source["stride"]
    (repaired,) = pose_file.repaired or [None]
    original = source["original"] if repaired is None else repaired.exchange(source["original"])
    changed = np.isfinite(refined[0]) & (refined[0] != original)
    touched = (
        changed.any(axis=(1, 2)) if repaired is None else changed.any(axis=(1, 2)) | repaired.exchanged.any(axis=1)
    )
    for frame in np.flatnonzero(touched):
        row = source["rows"][frame]
        body = lines[row].rstrip("\r\n")
        cells = body.split("\t")
        values, marks = refined[0][frame].ravel(), changed[frame].ravel()
        cells += [""] * (columns[-1] + stride - 2 - len(cells))
        for pair in repaired.swaps(frame) if repaired is not None else ():
            left, right = (slice(2 + stride * joint, 2 + stride * (joint + 1)) for joint in pair)
            cells[left], cells[right] = cells[right], cells[left]
        for number in np.flatnonzero(marks):
            cells[columns[number]] = shortest(values[number])
        lines[row] = "\t".join(cells) + lines[row][len(body) :]
    write_text(output_path, "".join(lines))


def _cells(line):
    return line.rstrip("\r\n").split("\t")


def _number(text):
    try:
        value = float(text)
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) and value > 0 else None
