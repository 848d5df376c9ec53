"""The poses of a table: one per line, or several lines of one landmark each that make one pose."""

from dataclasses import dataclass

import numpy as np

from . import csv_columns, csv_rows
from .tracks import joint_name


@dataclass
class Poses:
    """The poses of one set of points in a table, N of them.

    rows [N, J] and columns [J, D]: where each number stands (row -1: nowhere); scores: [J] columns, -1 where there is
    none; names: J joint names or None; ids, frames: of each pose; part: which set of points it is.
    """

    rows: np.ndarray
    columns: np.ndarray
    scores: np.ndarray
    names: tuple | None
    ids: list
    frames: np.ndarray
    part: str = "body"


def bare(header):
    """{axis: column} of columns that are called x, y, (z) and no more, or None."""
    known = csv_rows.lowered(header)
    found = {axis: known.index(axis) for axis in "xyz" if axis in known}
    score = csv_rows.column_of(header, csv_columns.SCORES)
    if not {"x", "y"} <= found.keys():
        return None
    return found if score is None else {**found, "c": score}


def wide(table, header, body, columns, fps, index=None):
    lines = csv_rows.place(table, header, body, fps, index=index)
    sets = []
    for person in dict.fromkeys(joint.person for joint in columns.joints):
        joints = [joint for joint in columns.joints if joint.person == person]
        cells = np.array([[joint.columns[axis] for axis in columns.axes] for joint in joints])
        scores = np.array([joint.columns.get("c", -1) for joint in joints])
        names = tuple(joint.name for joint in joints) if any(joint.named for joint in joints) else None
        where = np.repeat(np.array(body)[:, None], len(joints), axis=1)
        ids = [person or identity for identity in lines.ids]
        sets.append(Poses(where, cells, scores, names, ids, lines.frames))
    return sets, lines


def long(table, header, body, axes, fps):
    """Poses of a table with one landmark per line."""
    column, said = csv_rows.landmark_column(table, header, body)
    kind = csv_rows.column_of(header, csv_rows.SETS)
    order = [axes[axis] for axis in "xyz" if axis in axes]
    rows = table.rows
    if column is None:
        values = np.array([[table.number(number, place, header[place]) for place in order] for number in body])
        timed = csv_rows.column_of(header, csv_rows.FRAMES) is not None
        count = 1 if timed else csv_rows.points_per_frame(values, table.path)
        points = [str(position % count) for position in range(len(body))]
        named = False
    else:
        points = [rows[number][column].strip() for number in body]
        named = not all(point.replace(".0", "").isdigit() for point in points)
    groups = [rows[number][kind].strip() if kind is not None else "" for number in body]
    per_pose = [f"{group}/{point}" for group, point in zip(groups, points)]
    lines = csv_rows.place(table, header, body, fps, per_pose, landmark=column)
    if len(set(per_pose)) == 1 < len(set(lines.ids)):
        said = ["each id is taken as a person of one joint. If the ids are landmarks, call their column landmark"]
    lines.notes += said
    sets = []
    for group in dict.fromkeys(groups):
        mine = [position for position, other in enumerate(groups) if other == group]
        labels = list(dict.fromkeys(points[position] for position in mine))
        if not named:
            labels.sort(key=float)
        joint = {label: number for number, label in enumerate(labels)}
        poses, ids, frames = {}, [], []
        for position in mine:
            key = (lines.ids[position], int(lines.frames[position]))
            if key not in poses:
                poses[key] = np.full(len(labels), -1)
                ids.append(key[0])
                frames.append(key[1])
            poses[key][joint[points[position]]] = body[position]
        part = _part_name(group) if len(set(groups)) > 1 else "body"
        sets.append(
            Poses(
                np.array(list(poses.values())),
                np.tile(order, (len(labels), 1)),
                np.full(len(labels), axes.get("c", -1)),
                tuple(labels) if named else None,
                ids,
                np.array(frames),
                part,
            )
        )
    return sets, lines


def _part_name(group):
    name = joint_name(group.rpartition(".")[2])
    return "body" if name in ("pose", "body", "") else name


def exchange(rows, poses, chosen, repaired, inside, points, write):
    """Points [n, J, D] with what was exchanged exchanged; in the rows too, scores with them, where it is to be written."""
    points = points.copy()
    cells = np.concatenate([poses.columns, poses.scores[:, None]], axis=1)
    for place, (pose, frame) in enumerate(zip(chosen, inside)):
        for left, right in repaired.swaps(frame):
            first, second = poses.rows[pose, left], poses.rows[pose, right]
            if first < 0 or second < 0:  # a landmark without a line has no place for the other's numbers
                continue
            points[place, [left, right]] = points[place, [right, left]]
            for here, there in zip(cells[left], cells[right]) if write else ():
                if here >= 0 and there >= 0:
                    rows[first][here], rows[second][there] = rows[second][there], rows[first][here]
    return points
