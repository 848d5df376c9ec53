"""Text tables: TRC (marker trajectories), and CSV with columns <joint>_x, <joint>_y, (<joint>_z),
(<joint>_v).

Every cell that does not change keeps its text. An empty cell, or NaN, is a missing value.
"""

import csv
import io
import math
import re

import numpy as np

from ..errors import UserError
from ..files import write_text
from .grids import joint_confidence
from .mediapipe import looks_like_world
from .tracks import PoseFile, Track, joint_name, layout_of_names

TRC_UNITS = {"m": "m", "meters": "m", "metres": "m", "mm": "mm"}
SCORES = ("v", "visibility", "vis", "c", "conf", "confidence", "score", "likelihood", "presence")
IDENTITIES = ("track_id", "person_id", "person", "id", "subject")
FRAMES = ("frame", "frame_id", "frame_idx", "frame_index", "frame_number")
TIMES = {"time": 1, "timestamp": 1, "seconds": 1, "t": 1, "time_s": 1, "timestamp_ms": 1e-3, "time_ms": 1e-3}


def cell_number(text, where):
    """A cell as float, NaN if it is empty."""
    text = text.strip()
    if not text:
        return math.nan
    try:
        value = float(text)
    except ValueError:
        raise UserError(f"{where}: {text[:40]!r} is not a number. Correct the cell, or leave it empty") from None
    return value if math.isfinite(value) else math.nan


def sniff_trc(opened):
    return not opened.is_folder and (opened.suffix == ".trc" or opened.head[:12] == b"PathFileType")


def read_trc(opened, image_size=None, fps=None):
    path, lines = opened.path, opened.lines
    if len(lines) < 6:
        raise UserError(f"{path}: only {len(lines)} lines. Expected a TRC file: 5 header lines, then one a frame")
    settings = dict(zip(_cells(lines[1]), _cells(lines[2])))
    markers = [name.strip() for name in _cells(lines[3])[2::3]]
    while markers and not markers[-1]:
        markers.pop()
    if not markers:
        raise UserError(f"{path}: line 4 names no marker. Expected Frame#, Time and one name for every three columns")
    rows = [number for number in range(5, len(lines)) if lines[number].strip()]
    if not rows:
        raise UserError(f"{path}: no frame below the header. Expected one line a frame")
    poses, times = np.full((len(rows), 3 * len(markers)), np.nan), np.full(len(rows), np.nan)
    for frame, row in enumerate(rows):
        cells = _cells(lines[row])
        # Trailing empty cells may have been stripped, further columns may not be there.
        extra = [cell for cell in cells[2 + 3 * len(markers) :] if cell.strip()]
        if len(cells) < 2 or extra:
            raise UserError(
                f"{path}: line {row + 1}: {len(cells)} columns for {len(markers)} markers. "
                f"Expected {2 + 3 * len(markers)}, separated by tabs"
            )
        times[frame] = cell_number(cells[1], f"{path}: line {row + 1}, Time")
        for column, cell in enumerate(cells[2 : 2 + 3 * len(markers)]):
            poses[frame, column] = cell_number(
                cell, f"{path}: line {row + 1}, {markers[column // 3]} {'XYZ'[column % 3]}"
            )
    poses = _without_partial(poses.reshape(len(rows), -1, 3), path)
    rate = _number(settings.get("DataRate")) or _number(settings.get("CameraRate"))
    track = Track(
        0,
        "person",
        poses,
        None,
        "3D",
        layout_of_names(markers),
        tuple(map(joint_name, markers)),
        units=TRC_UNITS.get(settings.get("Units", "").strip().lower()),
    )
    times = times if len(times) > 1 and np.isfinite(times).all() and (np.diff(times) > 0).all() else None
    source = {"lines": lines, "rows": rows, "original": poses.copy()}
    pose_file = PoseFile("trc", [track], len(rows), fps or rate, times, image_size, True, source)
    said = _number(settings.get("NumFrames"))
    if said is not None and said != len(rows):
        pose_file.notes.append(f"warning: the header says {said:g} frames, the file has {len(rows)}: was it cut short?")
    return pose_file


def write_trc(pose_file, refined, output_path):
    source = pose_file.source
    lines = list(source["lines"])
    changed = np.isfinite(refined[0]) & (refined[0] != source["original"])
    for frame in np.flatnonzero(changed.any(axis=(1, 2))):
        row = source["rows"][frame]
        body = lines[row].rstrip("\r\n")
        cells = body.split("\t")
        values, marks = refined[0][frame].ravel(), changed[frame].ravel()
        cells += [""] * (2 + len(values) - len(cells))
        for column in np.flatnonzero(marks):
            cells[2 + column] = repr(float(values[column]))
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


def _without_partial(poses, path):
    """Poses in which a joint is there or not. Raises UserError where nothing is."""
    poses[np.isnan(poses).any(axis=-1)] = np.nan
    if np.isnan(poses).all():
        raise UserError(f"{path}: every value is missing. Nothing can be refined")
    return poses


def _columns(header):
    """{joint: {axis: column}} of the columns that hold key points, in the file's order."""
    joints = {}
    for column, name in enumerate(header):
        match = re.fullmatch(r"(.+?)[_.\s]+([A-Za-z]+)", name.strip())
        if match and match[2].lower() in ("x", "y", "z", *SCORES):
            axis = match[2].lower()
            joints.setdefault(match[1], {})["c" if axis in SCORES else axis] = column
    return {name: axes for name, axes in joints.items() if {"x", "y"} <= axes.keys()}


def _rows(text):
    """(rows, delimiter) of CSV text."""
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)), delimiter


def sniff_csv(opened):
    if opened.is_folder or opened.suffix not in (".csv", ".tsv"):
        return False
    return bool(_columns(_rows(opened.lines[0].lstrip("\ufeff"))[0][0]))


def read_csv(opened, image_size=None, fps=None):
    path, text = opened.path, "".join(opened.lines)
    try:
        rows, delimiter = _rows(text.lstrip("\ufeff"))
    except csv.Error as error:
        raise UserError(f"{path}: not a readable table ({error}). Export it again as CSV") from None
    header = rows[0]
    joints = _columns(header)
    if not joints:
        raise UserError(f"{path}: no columns <joint>_x and <joint>_y in the first line. Name the columns so")
    dims = 3 if all("z" in axes for axes in joints.values()) else 2
    columns = np.array([[axes[axis] for axis in "xyz"[:dims]] for axes in joints.values()])
    scores = [axes.get("c") for axes in joints.values()]
    body = [number for number in range(1, len(rows)) if rows[number]]
    if not body:
        raise UserError(f"{path}: no line below the header. Expected one line a frame")
    for number in body:
        if len(rows[number]) != len(header):
            raise UserError(
                f"{path}: line {number + 1}: {len(rows[number])} columns, the first line has "
                f"{len(header)}. Export the table again"
            )

    def column(index, number):
        return cell_number(rows[number][index], f"{path}: line {number + 1}, {header[index]}")

    poses = np.array([[[column(index, number) for index in joint] for joint in columns] for number in body])
    confidence = None
    if all(score is not None for score in scores):
        confidence = np.array([[column(score, number) for score in scores] for number in body])
        confidence = joint_confidence(confidence)
        poses[confidence <= 0] = np.nan
    poses = _without_partial(poses, path)
    where = _places(header, rows, body, path)
    pieces = _pieces(poses, tuple(joints), image_size)
    tracks, places = [], []
    for identity in dict.fromkeys(where["id"]):
        chosen = [index for index, other in enumerate(where["id"]) if other == identity]
        frames = where["frame"][chosen]
        for piece in pieces:
            track = _csv_track(identity, piece, frames, chosen, confidence, len(set(where["id"])) > 1)
            if np.isfinite(track.poses).any():
                tracks.append(track)
                places.append((chosen, frames - frames[0], piece))
    source = {
        "rows": rows,
        "body": body,
        "columns": columns,
        "delimiter": delimiter,
        "places": places,
        "end": "\r\n" if "\r\n" in text else "\n",
        "mark": text[:1] == "\ufeff",
        "final": text.endswith("\n"),
    }
    frames = int(where["frame"].max()) + 1
    return PoseFile("csv", tracks, frames, fps, where["time"], image_size, True, source)


def _places(header, rows, body, path):
    """The id, frame index and time of each row."""
    lowered = [name.strip().lower() for name in header]
    find = lambda names: next((lowered.index(name) for name in names if name in lowered), None)  # noqa: E731
    identity, frame, time = find(IDENTITIES), find(FRAMES), find(TIMES)
    ids = [rows[number][identity].strip() if identity is not None else 0 for number in body]
    frames = np.arange(len(body))
    if frame is not None:
        numbers = [cell_number(rows[number][frame], f"{path}: line {number + 1}, {header[frame]}") for number in body]
        frames = np.unique(numbers, return_inverse=True)[1]
        whole = np.array(numbers) - np.min(numbers)
        if (whole == whole.round()).all() and whole.max() <= 20 * len(body) + 1000:
            frames = whole.astype(int)
    elif len(set(ids)) > 1:
        raise UserError(f"{path}: several ids under {header[identity]!r} but no column 'frame'. Add one")
    for one in set(ids):
        mine = frames[[index for index, other in enumerate(ids) if other == one]]
        if (np.diff(mine) <= 0).any():
            raise UserError(
                f"{path}: {header[frame]!r} does not rise from line to line. Sort the table by "
                "it, with one line for each person and frame"
            )
    times = None
    if time is not None:
        values = (
            np.array([cell_number(rows[number][time], f"{path}: line {number + 1}, {header[time]}") for number in body])
            * TIMES[lowered[time]]
        )
        known = {int(index): value for index, value in zip(frames, values) if np.isfinite(value)}
        ordered = np.array([known[index] for index in sorted(known)])
        if len(ordered) > 1 and (np.diff(ordered) > 0).all():
            times = np.interp(np.arange(frames.max() + 1), sorted(known), ordered)
    return {"id": ids, "frame": frames, "time": times}


def _pieces(poses, names, image_size):
    """What the coordinates are: [(part, poses, first axis, factors, kind, layout, names, units)].

    3D if the three are metres or the like; x, y of an image, and z apart, if they are places in one.
    """
    layout, names = layout_of_names(names), tuple(map(joint_name, names))
    extent = np.nanmax(np.abs(poses[..., :2]))
    dims = poses.shape[2]
    inside = np.nanmin(poses[..., :2]) > -0.5 and extent <= 1.5 and not looks_like_world(poses)
    if dims == 3 and not inside:
        units = "m" if looks_like_world(poses) else None
        return [("body", poses, 0, None, "3D", layout, names, units)]
    units, factors = "normalised" if extent <= 1.5 else "px", None
    if image_size is not None and units == "normalised":
        units, factors = "px", np.array(image_size, dtype=np.float64)
    pieces = [("body", poses[..., :2], 0, factors, "2D", layout, names, units)]
    if dims == 3:
        factors = None if factors is None else factors[:1]
        pieces.append(("depth", poses[..., 2:], 2, factors, "2D", None, names, units))
    return pieces


def _csv_track(identity, piece, frames, chosen, confidence, several):
    part, poses, _, factors, kind, layout, names, units = piece
    length = int(frames[-1] - frames[0]) + 1
    inside = frames - frames[0]
    values, present = np.full((length, *poses.shape[1:]), np.nan), np.zeros(length, dtype=bool)
    values[inside] = poses[chosen] if factors is None else poses[chosen] * factors
    present[inside] = True
    score = None
    if confidence is not None:
        score = np.zeros((length, poses.shape[1]))
        score[inside] = np.where(np.isnan(poses[chosen]).any(axis=-1), 0, confidence[chosen])
    name = f"person {identity}" if several else "person"
    name = name if part == "body" else f"{name} {part}"
    return Track(identity, name, values, score, kind, layout, names, units, part, int(frames[0]), present)


def write_csv(pose_file, refined, output_path):
    source = pose_file.source
    rows = [list(row) for row in source["rows"]]
    for (chosen, inside, piece), values in zip(source["places"], refined):
        _, poses, first, factors, *_ = piece
        original = poses[chosen] if factors is None else poses[chosen] * factors
        changed = np.isfinite(values[inside]) & (values[inside] != original)
        new = values[inside] if factors is None else values[inside] / factors
        for row, joint, axis in zip(*np.nonzero(changed)):
            cell = source["columns"][joint, first + axis]
            rows[source["body"][chosen[row]]][cell] = repr(float(new[row, joint, axis]))
    text = io.StringIO()
    csv.writer(text, delimiter=source["delimiter"], lineterminator=source["end"]).writerows(rows)
    text = text.getvalue() if source["final"] else text.getvalue().removesuffix(source["end"])
    write_text(output_path, ("\ufeff" if source["mark"] else "") + text)
