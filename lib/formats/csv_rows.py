"""Whose and when the lines of a table are: columns of ids, frames and times; several lines that make one pose."""

import re
from dataclasses import dataclass

import numpy as np

from ..errors import UserError
from . import times
from .axes import median
from .table import is_number
from .tracks import JOINT_NAMES, joint_name

IDENTITIES = (
    "track_id trackid track person_id person player_id player individual_id individual individuals animal_id animal "
    "subject_id subject instance_id object_id obj_id pid id idx name identity"
).split()
FRAMES = (
    "frame frame_id frameid frame_idx frame_index frame_number frame_num frame_no frameno framenumber frame# frames "
    "frame_count image_id image img frame_name"
).split()
TIMES = re.compile(
    r"((elapsed|frame|video|capture|recording|media|clip|relative|rel|unix|system|sys|utc)[_ ]?)?(time|timestamp|t|elapsed|seconds?|secs?|millis|ms)([_ ]*[(\[]?(s|ms|us|µs|ns|sec|msec|usec|seconds|milliseconds)[)\]]?)?",
    re.I,
)
LANDMARKS = (
    "landmark landmark_id landmark_index landmark_idx landmark_name landmark_num joint joint_id joint_name joint_index keypoint "
    "keypoint_id keypoint_name keypoint_index kp kpt bodypart body_part part_name marker marker_name node point point_id "
    "point_name index"
).split()
SETS = ("type", "model", "part", "group", "set", "region", "trajectory", "landmark_type")
# What people call both the id of a person and the number or name of a landmark.
EITHER = ("id", "idx", "name", "identity")
# Points per frame that tables without a frame column have.
COUNTS = (33, 17, 25, 21, 18, 26, 133, 136, 68, 468, 478, 543, 75, 42)
LEAPS = 0.25  # roughness from line to line above which lines are no track of one point


@dataclass
class Lines:
    """ids, frames: one per line of the body; time: seconds of each frame of the file, or None; notes: for the user."""

    ids: list
    frames: np.ndarray
    time: np.ndarray | None
    notes: list


def lowered(header):
    return [re.sub(r"[\s\-]+", "_", name.strip().lower()) for name in header]


def column_of(header, names):
    """The first column that has one of these names, or None."""
    known = lowered(header)
    return next((known.index(name) for name in names if name in known), None)


def landmark_column(table, header, body):
    """(column, notes): the column that says which landmark each line of a table is, or None; what to tell the user.

    It is one that is called so, or one of ids that are names of joints, or that are the numbers from 0 or 1 on, the same in every
    frame (of every person), as many as a known set of key points has.
    """
    column = column_of(header, LANDMARKS)
    if column is not None:
        return column, []
    for name in EITHER:
        column = column_of(header, (name,))
        if column is not None and _are_landmarks(table, header, body, column):
            name = header[column].strip()
            return column, [
                f"each {name} is taken as a landmark of a body, not as a person. If each is a person, call the column person_id"
            ]
    return None, []


def _are_landmarks(table, header, body, column):
    """Whether the ids of a column are landmarks."""
    texts = [table.rows[number][column].strip() for number in body]
    others = [other for other in range(len(header)) if other != column and _tells_poses_apart(header[other])]
    keys = [[table.rows[number][other] for other in others] for number in body] if others else _counted(texts)
    kind = column_of(header, SETS)
    sets = [table.rows[number][kind] if kind is not None else "" for number in body]
    poses = {}  # {(set of landmarks, pose): its ids}
    for group, key, text in zip(sets, keys, texts):
        poses.setdefault((group, str(key)), []).append(text)
    if any(len(set(pose)) < len(pose) for pose in poses.values()):
        return False
    known = {name for names in JOINT_NAMES.values() for name in names}
    if 2 * len({joint_name(text) for text in texts} & known) > len(set(texts)) > 1:
        return True
    found = {(group, frozenset(pose)) for (group, _), pose in poses.items()}
    return len(found) == len(set(sets)) and all(_numbered(ids) for _, ids in found)


def _tells_poses_apart(name):
    return column_of([name], (*FRAMES, *IDENTITIES)) == 0 or bool(TIMES.fullmatch(name.strip()))


def _numbered(ids):
    """Whether ids are the numbers from 0 or 1 on of a known set of key points."""
    if len(ids) not in COUNTS or not all(map(is_number, ids)):
        return False
    numbers = sorted(map(float, ids))
    return numbers[0] in (0, 1) and numbers == [numbers[0] + k for k in range(len(numbers))]


def place(table, header, body, fps=None, per_pose=None, index=None, landmark=None):
    """The `Lines` of a table's body: whose each line is and its frame.

    per_pose: how a line's point is called within its pose [n] (tables of one point per line), which tells whether lines
    of one id and frame are one pose; index: the column of frames where the header does not name it; landmark: the column of
    landmarks, which is none of ids.
    Raises UserError for several lines of one id and frame.
    """
    rows, path = table.rows, table.path
    frame = column_of(header, FRAMES)
    frame = index if frame is None else frame
    time = next((number for number, name in enumerate(header) if TIMES.fullmatch(name.strip())), None)
    if time is not None and not any(is_number(rows[number][time]) for number in body):
        time = None  # a clock's text, such as 00:01:20
    when = frame if frame is not None else time
    if when is not None:
        numbers = frame_numbers(table, header, body, when)
    else:
        numbers = np.arange(len(body)) if per_pose is None else _counted(per_pose)
    points = [""] * len(body) if per_pose is None else per_pose
    ids = [0] * len(body)
    known = [column_of(header, (name,)) for name in IDENTITIES]
    candidates = [column for column in known if column not in (None, landmark)]
    for column in candidates:
        texts = [rows[number][column].strip() for number in body]
        several = len(set(texts)) > 1
        if several and when is None and len(set(texts)) < len(texts):
            raise UserError(
                f"{path}: several ids under {header[column]!r} but no column 'frame' or 'time'. Add one, with the frame "
                "number of each line"
            )
        if several and len(set(texts)) < len(texts) and _distinct(texts, numbers, points):
            ids = texts
            break
        if not several:
            ids = texts if ids[0] == 0 else ids
    if not _distinct(ids, numbers, points):
        raise UserError(
            f"{path}: several lines of one frame ({header[when]!r} repeats) and no column of ids tells them apart. Known id "
            f"columns: {', '.join(IDENTITIES[:9])}, name; rename yours, or leave one line for each person and frame"
        )
    frames, notes = _frames(numbers, header[when] if when is not None else "", when == time is not None)
    clock = None
    if time is not None:
        values = np.full(int(frames.max()) + 1, np.nan)
        for position, number in enumerate(body):
            values[frames[position]] = table.number(number, time, header[time])
        clock, note = times.in_seconds(values, path, header[time].strip(), times.unit_of(header[time]), fps)
        notes += [note] if note else []
    return Lines(ids, frames, clock, notes)


def _distinct(*columns):
    return len(set(zip(*(map(str, column) for column in columns)))) == len(columns[0])


def frame_numbers(table, header, body, column):
    """The number in each cell of a column of frames: of a name such as walk_0012.jpg the last one. Raises UserError without any."""
    texts = [table.rows[number][column].strip() for number in body]
    if all(is_number(text) for text in texts):
        return np.array([table.number(number, column, header[column]) for number in body])
    digits = [re.findall(r"\d+", text) for text in texts]
    if not all(digits):
        bad = next(number for number, found in zip(body, digits) if not found)
        raise UserError(
            f"{table.path}: {table.place(bad)}, {header[column]}: {table.rows[bad][column][:40]!r} is no frame number. Correct it"
        )
    return np.array([float(found[-1]) for found in digits])


def _frames(numbers, name, timed):
    """(frame indices from 0, notes): the numbers themselves where they are whole and not sparse, else their order.

    timed: the numbers are times, of which only the order counts.
    """
    values, order = np.unique(numbers, return_inverse=True)
    whole = numbers - values[0]
    if timed or not np.isfinite(whole).all() or (whole != whole.round()).any() or whole.max() > 20 * len(whole) + 1000:
        return order, []
    step = int(np.gcd.reduce((values - values[0]).astype(np.int64))) or 1
    notes = (
        [f"{name} rises in steps of {step}: the frames are taken as consecutive"]
        if step > 1 and len(values) > 2
        else []
    )
    return whole.astype(np.int64) // step, notes


def _counted(points):
    """Frames of lines without a frame number: one ends where its first point comes again."""
    return np.cumsum([point == points[0] for point in points]) - 1


def _leap(values):
    """The mean step along the first axis of values [n, …, D], as a share of the mean distance from the middle; inf of none."""
    middle = np.array([median(values[..., axis]) for axis in range(values.shape[-1])])
    steps, apart = np.abs(np.diff(values, axis=0)), np.abs(values - middle)
    steps, apart = steps[np.isfinite(steps)], apart[np.isfinite(apart)]
    return float(steps.mean() / apart.mean()) if steps.size and apart.any() else np.inf


def points_per_frame(values, where):
    """How many lines make one pose, of values [n, D] of unnamed points in lines; 1 for a track of one point.

    Raises UserError where lines leap like the points of a body, and no usual number of points divides them into frames.
    """
    rough = _leap(values)
    if not np.isfinite(rough) or rough < LEAPS:
        return 1
    fitting = {}
    for count in COUNTS:
        if len(values) % count == 0 and len(values) > count:
            frames = values.reshape(-1, count, values.shape[1])
            fitting[count] = _leap(frames)
    best = min(fitting, key=fitting.get, default=None)
    if best is not None and fitting[best] < 0.5 * rough:
        return best
    raise UserError(
        f"{where}: one point per line, which leaps from line to line: several landmarks of a body, but no column says which "
        "frame and landmark a line is. Add columns frame and landmark, or one line per frame with columns <joint>_x, <joint>_y"
    )
