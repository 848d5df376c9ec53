"""NTU RGB+D's .skeleton (Kinect v2): per frame its bodies, per body an id line and 25 joints of 12 numbers.

A joint is x, y, z (metres, the camera's frame, y up), its places in the depth and in the colour image (px), a quaternion, and a
tracking state: 2 seen, 1 inferred, 0 not tracked. The three places are refined; quaternions, hands and leaning are left as they are.
"""

import re

import numpy as np

from ..errors import UserError
from ..files import write_text
from .numbering import first_id
from .table import cell_number, shortest
from .tracks import PoseFile, Track

FPS = 30.0  # the sensor's
BODY, JOINT = 10, 12  # numbers in a body's line and in a joint's
CONFIDENCE = {0: 0.0, 1: 0.5, 2: 1.0}
# (part, kind, first number, its coordinates, units, image size)
PARTS = (
    ("body", "3D", 0, 3, "m", None),
    ("depth_image", "2D", 3, 2, "px", (512, 424)),
    ("colour_image", "2D", 5, 2, "px", (1920, 1080)),
)


def sniff(opened):
    if opened.is_folder or opened.suffix not in (".skeleton", ".txt"):
        return False
    try:
        lines = [line.split() for line in opened.lines[:5000]]
    except UserError:
        return False
    body = next((number for number, cells in enumerate(lines) if len(cells) == BODY), None)
    if body is None or len(lines) < body + 3 or [len(lines[number]) for number in (0, body - 1, body + 1)] != [1, 1, 1]:
        return False
    return len(lines[body + 2]) == JOINT


class _Lines:
    """The lines that hold something, one after another."""

    def __init__(self, lines, path):
        self.rows = [number for number, line in enumerate(lines) if line.strip()]
        self.lines, self.path, self.next = lines, path, 0

    def cells(self, count, what):
        """(row, cells) of the next line. Raises UserError where the file ends or the line has another number of cells."""
        if self.next >= len(self.rows):
            raise UserError(f"{self.path}: it ends where {what} should be. Copy or download it again")
        row = self.rows[self.next]
        cells = self.lines[row].split()
        if len(cells) != count:
            raise UserError(f"{self.path}: line {row + 1}: {len(cells)} numbers. Expected {what} ({count})")
        self.next += 1
        return row, cells

    def whole(self, what):
        """The whole number that is the next line."""
        row, (text,) = self.cells(1, what)
        if not text.isdigit() or int(text) > len(self.lines):
            raise UserError(f"{self.path}: line {row + 1}: {text[:40]!r}. Expected {what}")
        return int(text)


def read(opened, image_size=None, fps=None):
    path = opened.path
    lines = _Lines(opened.lines, path)
    count = lines.whole("the number of frames")
    bodies = {}  # id: [(frame, rows of the joints, numbers [J, 12])]
    for frame in range(count):
        for _ in range(lines.whole(f"the number of bodies of frame {frame}")):
            row, body = lines.cells(BODY, "a body's line")
            rows, numbers = [], []
            for _ in range(lines.whole("the number of joints")):
                row, cells = lines.cells(JOINT, "a joint's line")
                rows.append(row)
                numbers.append([cell_number(cell, f"{path}: line {row + 1}") for cell in cells])
            bodies.setdefault(first_id(body[0]), []).append((frame, rows, np.array(numbers).reshape(-1, JOINT)))
    tracks, places = [], []
    for identity, entries in bodies.items():
        frames, joints = np.array([frame for frame, *_ in entries]), {len(rows) for _, rows, _ in entries}
        if len(joints) > 1 or (np.diff(frames) <= 0).any():
            raise UserError(f"{path}: body {identity} stands twice in one frame, or has other joints later. Correct it")
        for track, first in _tracks(identity, frames, np.array([one for *_, one in entries]), len(bodies) > 1):
            tracks.append(track)
            places.append((first, frames - frames[0], [rows for _, rows, _ in entries]))
    if not tracks:
        raise UserError(f"{path}: no tracked body in any of its {count} frames. Nothing can be refined")
    source = {"lines": opened.lines, "places": places, "originals": [track.poses.copy() for track in tracks]}
    return PoseFile("ntu", tracks, count, fps or FPS, None, image_size, True, source)


def _tracks(identity, frames, numbers, several):
    """Yield (track, its first number in a joint's line) of one body; frames [N], numbers [N, J, 12]."""
    length, inside = int(frames[-1] - frames[0]) + 1, frames - frames[0]
    present = np.zeros(length, dtype=bool)
    present[inside] = True
    states = np.nan_to_num(numbers[..., -1])
    name = f"body {identity}" if several else "person"
    layout = "kinect25" if numbers.shape[1] == 25 else None
    for part, kind, first, dims, units, size in PARTS:
        poses, confidence = np.full((length, numbers.shape[1], dims), np.nan), np.zeros((length, numbers.shape[1]))
        poses[inside] = numbers[..., first : first + dims]
        confidence[inside] = np.select([states == state for state in CONFIDENCE], list(CONFIDENCE.values()), 1.0)
        missing = np.isnan(poses).any(axis=-1) | (confidence <= 0)
        poses[missing], confidence[missing] = np.nan, 0
        if np.isfinite(poses).any():
            label = name if part == "body" else f"{name} {part}"
            yield Track(identity, label, poses, confidence, kind, layout, None, units, part, int(frames[0]), present, size), first  # fmt: skip


def write(pose_file, refined, output_path):
    source = pose_file.source
    lines, repaired = list(source["lines"]), pose_file.repaired or [None] * len(refined)
    for (first, inside, rows), values, original, done in zip(source["places"], refined, source["originals"], repaired):
        original = original if done is None else done.exchange(original)
        places = range(first, first + values.shape[-1])
        for frame, joint_rows in zip(inside, rows):
            for pair in done.swaps(frame) if done is not None else ():
                left, right = (joint_rows[joint] for joint in pair)
                cells = [*places, JOINT - 1] if first == 0 else places  # the tracking state goes with the body's points
                one, other = ({cell: lines[row].split()[cell] for cell in cells} for row in (left, right))
                lines[left], lines[right] = _with(lines[left], other), _with(lines[right], one)
            changed = np.isfinite(values[frame]) & (values[frame] != original[frame])
            for joint in np.flatnonzero(changed.any(axis=-1)):
                new = {places[axis]: shortest(values[frame, joint, axis]) for axis in np.flatnonzero(changed[joint])}
                lines[joint_rows[joint]] = _with(lines[joint_rows[joint]], new)
    write_text(output_path, "".join(lines))


def _with(line, new):
    """A line with the cells {number: text} in it, its spaces as they are."""
    pieces = re.findall(r"\S+|\s+", line)
    cells = [place for place, piece in enumerate(pieces) if not piece.isspace()]
    for number, text in new.items():
        pieces[cells[number]] = text
    return "".join(pieces)
