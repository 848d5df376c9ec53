"""CSV tables: one pose per line (<joint>_x, …; x1, y1, …; DeepLabCut's), or one landmark per line.

Every cell that does not change keeps its text. An empty cell, or NaN, is a missing value. Columns that belong to no joint
are carried over, and named where they hold coordinates.
"""

import numpy as np

from ..errors import UserError
from . import csv_columns, csv_headers, csv_rows, sense
from .axes import stretch
from .csv_poses import bare, exchange, long, wide
from .grids import joint_confidence
from .joint_orders import layout_of_poses
from .table import Table, shortest
from .tracks import PoseFile, Track, joint_names, layout_of_names


def sniff(opened):
    if opened.is_folder or opened.suffix not in (".csv", ".tsv"):
        return False
    rows = Table(opened).rows
    known = csv_columns.of_deeplabcut(rows) or csv_columns.of_header(rows[0]).joints or bare(rows[0]) is not None
    return bool(known or csv_headers.of_rows(rows))


def read(opened, image_size=None, fps=None):
    return read_table(Table(opened), image_size, fps)


def read_table(table, image_size=None, fps=None):
    """The `PoseFile` of a table's poses. Raises UserError for one without."""
    rows, notes = table.rows, []
    labelled, block, index = csv_columns.of_deeplabcut(rows), None, None
    if labelled:
        columns, first = labelled
        header = [
            " ".join(filter(None, (row[column].strip() for row in rows[:first]))) for column in range(len(rows[0]))
        ]
        index = min((min(joint.columns.values()) for joint in columns.joints), default=1) - 1
    else:
        header, first = rows[0], 1
        columns = csv_columns.of_header(header)
    plain = None if labelled or len(columns.joints) > 1 else bare(header)
    if not columns.joints and plain is None:
        block = csv_headers.of_rows(rows)
        if block is None:
            raise UserError(
                f"{table.path}: no columns <joint>_x and <joint>_y in the first line. Name the columns so, or write one landmark "
                "per line with columns frame, landmark, x, y"
            )
        columns, header, first = block.columns, block.header, block.first
    table.header = header
    body = table.body(header, first, block and block.last)
    if len(columns.joints) > 1:
        sets, lines = wide(table, header, body, columns, fps, index=index)
    else:
        sets, lines = long(table, header, body, plain or columns.joints[0].columns, fps)
    notes += lines.notes
    if columns.left and plain is None:
        said = ", ".join(columns.left[:4]) + (f" and {len(columns.left) - 4} more" if len(columns.left) > 4 else "")
        notes.append(f"left as they are (no joints; what was derived from the joints no longer fits them): {said}")
    pose_file = _pose_file(table, sets, lines, image_size or _image_size(table, header, body), fps, notes)
    if block is not None:
        pose_file.fps = pose_file.fps or block.rate
        for track in pose_file.tracks:
            track.units = block.units if track.kind == "3D" and block.units else track.units
    return pose_file


def _image_size(table, header, body):
    """(width, height) in px that the table's columns of these names hold throughout; else None."""
    known = csv_rows.lowered(header)
    for names in (("image_width", "image_height"), ("frame_width", "frame_height"), ("width", "height")):
        if set(names) <= set(known):
            cells = {tuple(table.rows[number][known.index(name)].strip() for name in names) for number in body}
            cell = cells.pop()
            if not cells and all(text.isdigit() and int(text) > 1 for text in cell):
                return int(cell[0]), int(cell[1])
    return None


def _pose_file(table, sets, lines, image_size, fps, notes):
    tracks, places = [], []
    for poses in sets:
        values, confidence = _numbers(table, poses)
        people = {str(identity): identity for identity in poses.ids}
        sure = poses.names is not None
        layout = layout_of_names(poses.names) if sure else None
        names = joint_names(poses.names) if sure else None
        if not sure and np.isfinite(values).any():
            first = [position for position, other in enumerate(poses.ids) if str(other) == str(poses.ids[0])]
            dims = values.shape[2] if values.shape[2] == 2 or not _in_image(values[first]) else 2
            layout = layout_of_poses(values[first][None], dims, notes)
        for text, identity in people.items():
            chosen = np.array([position for position, other in enumerate(poses.ids) if str(other) == text])
            chosen = chosen[np.argsort(poses.frames[chosen], kind="stable")]
            score = None if confidence is None else confidence[chosen]
            for part, points, first, kind, units in _pieces(values, chosen):
                factors = None
                if image_size is not None and units == "normalised":
                    units, factors = "px", np.array(image_size, dtype=np.float64)[: points.shape[-1]]
                track = _track(
                    identity, len(people) > 1, part, points, factors, poses.frames[chosen], score, kind, units
                )
                track.recorded = _spread(poses.frames[chosen], poses.rows[chosen] >= 0, False)
                track.layout, track.joint_names = (layout if first == 0 else None), names
                if names is None and track.layout is not None:
                    track = Track(**vars(track))
                if poses.part != "body":
                    track.part, track.name = (
                        (f"{poses.part}" if part == "body" else f"{poses.part}_{part}"),
                        f"{track.name} {poses.part}",
                    )
                if np.isfinite(track.poses).any():
                    tracks.append(track)
                    places.append((poses, chosen, first, factors, points))
    if not tracks:
        raise UserError(f"{table.path}: every value is missing. Nothing can be refined")
    source = {"table": table, "places": places}
    count = int(max(poses.frames.max() for poses in sets)) + 1
    return PoseFile("csv", tracks, count, fps, lines.time, image_size, True, source, notes)


def _numbers(table, poses):
    """Coordinates [N, J, D], NaN where missing, and confidences [N, J] (of a joint without its own: 1) or None."""
    count, joints = poses.rows.shape
    values = np.full((count, joints, poses.columns.shape[1]), np.nan)
    scores = np.full((count, joints), np.nan)
    header = table.header
    for pose, joint in zip(*np.nonzero(poses.rows >= 0)):
        row = poses.rows[pose, joint]
        for axis, column in enumerate(poses.columns[joint]):
            values[pose, joint, axis] = table.number(row, column, header[column])
        if poses.scores[joint] >= 0:
            scores[pose, joint] = table.number(row, poses.scores[joint], header[poses.scores[joint]])
    values[np.isnan(values).any(axis=-1)] = np.nan
    if not (scores > 0).any():  # 0 throughout says nothing of any joint
        return values, None
    confidence = np.where(np.isnan(scores), 1, joint_confidence(scores))
    values[confidence <= 0] = np.nan
    return values, np.where(np.isnan(values).any(axis=-1), 0, confidence)


def _in_image(points):
    """Whether x, y of one person's points [N, J, 3] are shares of an image, and z is apart."""
    if not sense.within_image(points[..., :2]):
        return False
    if sense.looks_like_world(points):
        return False
    return points.shape[1] in sense.IMAGE_SETS or stretch(points[None]) > stretch(points[None, ..., :2])


def _pieces(values, chosen):
    """What a person's coordinates are: [(part, points, first axis, kind, units)].

    3D if the three are metres or the like; x, y of an image, and z apart, if they are places in one.
    """
    points = values[chosen]
    if points.shape[2] == 3:
        depth = sense.finite(values[..., 2])
        if len(depth) and (depth == depth[0]).all():
            return [("body", points[..., :2], 0, "2D", sense.units_2d(values[..., :2]))]
        if not _in_image(points):
            return [("body", points, 0, "3D", "m" if sense.looks_like_world(points) else None)]
    units = sense.units_2d(values[..., :2])
    found = [("body", points[..., :2], 0, "2D", units)]
    return found + ([("depth", points[..., 2:], 2, "2D", units)] if points.shape[2] == 3 else [])


def _spread(frames, values, empty):
    """values [N, …] of rising frames as an array over the first to the last frame."""
    result = np.full((int(frames[-1] - frames[0]) + 1, *values.shape[1:]), empty)
    result[frames - frames[0]] = values
    return result


def _track(identity, several, part, points, factors, frames, confidence, kind, units):
    values = _spread(frames, points if factors is None else points * factors, np.nan)
    present = _spread(frames, np.ones(len(frames), dtype=bool), False)
    score = None if confidence is None else _spread(frames, confidence, 0.0)
    name = f"person {identity}" if several else "person"
    name = name if part == "body" else f"{name} {part}"
    return Track(identity, name, values, score, kind, None, None, units, part, int(frames[0]), present)


def write(pose_file, refined, output_path):
    table = pose_file.source["table"]
    rows, places = [list(row) for row in table.rows], pose_file.source["places"]
    for (poses, chosen, first, factors, points), values, done in zip(
        places, refined, pose_file.repaired or [None] * len(places)
    ):
        inside = poses.frames[chosen] - poses.frames[chosen[0]]
        original = points if factors is None else points * factors
        if done is not None and done.exchanged.any():
            original = exchange(rows, poses, chosen, done, inside, original, write=first == 0)
        new = values[inside]
        changed = np.isfinite(new) & (new != original) & (poses.rows[chosen] >= 0)[..., None]
        new = new if factors is None else new / factors
        for pose, joint, axis in zip(*np.nonzero(changed)):
            rows[poses.rows[chosen[pose], joint]][poses.columns[joint, first + axis]] = shortest(new[pose, joint, axis])
    table.write(rows, output_path)
