"""A live stream for any other program: one JSON object a line in and out, every id a person of its own
(`refine_smoothnet.py - --live`)."""

import json
import math
import sys
from collections import deque

import numpy as np

from ..errors import UserError
from ..formats.tracks import JOINT_NAMES, layout_of_count
from ..messages import logger

log = logger(__name__)

RATE_FRAMES = 10  # by which the frames' own rate is told


def serve(refiner, lines=None, write=None, say=None):
    """Refine standard input: one JSON object a line {"t": seconds, "id": who, "pose": [[x, y, (z), (conf)], …]}.

    Each line comes back `lag` lines of the same id later, with its own t and id and every other field, pose refined;
    what is still to come is written at the end. An object without a pose ({"id": 3, "end": true}) ends that person.
    Raises UserError naming the line.
    """
    if lines is None:
        sys.stdin.reconfigure(encoding="utf-8", errors="replace")
        lines = sys.stdin
    write = write or (lambda text: print(text, flush=True))
    say = say or (lambda text: print(text, file=sys.stderr, flush=True))
    people, told, times = {}, False, []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        record = _record(line, number)
        who = json.dumps(record.get("id"))
        if record.get("pose") is None:
            if who in people:
                for text in people.pop(who).finish():
                    write(text)
            continue
        if who not in people:
            people[who] = _Person(refiner)
        text = people[who].step(record, number)
        if not told:
            say(people[who].stream.describe())
            for note in people[who].stream.notes:
                say(note)
            told, times = True, [who]
        if times and times[0] == who and isinstance(record.get("t"), (int, float)):
            times.append(record["t"])
            if len(times) > RATE_FRAMES:
                _check_rate(times[1:], people[who].stream, say)
                times = []
        if text is not None:
            write(text)
    for person in people.values():
        for text in person.finish():
            write(text)


def _check_rate(times, stream, say):
    """Say so if the frames' own times are not at the rate that the stream goes by."""
    step = float(np.median(np.diff(times)))
    if step > 0 and abs(1 / step / stream.rate - 1) > 0.1:
        say(
            f"warning: frames come at {1 / step:.3g} a second by their t, {stream.rate:g} was taken. Pass --fps {1 / step:.3g}"
        )


def _record(line, number):
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise UserError(
            f"standard input, line {number}: not JSON ({error.msg}). Expected one object a line: "
            '{"t": 0.0, "id": 0, "pose": [[x, y], …]}'
        ) from None
    except RecursionError:
        raise UserError(f"standard input, line {number}: nested too deeply") from None
    if not isinstance(record, dict):
        raise UserError(f"standard input, line {number}: {type(record).__name__}, not an object with a pose")
    return record


class _Person:
    """One id of the standard input."""

    def __init__(self, refiner):
        self.stream, self.refiner, self.waiting = refiner.stream(), refiner, deque()
        self.width = None

    def step(self, record, number):
        where = f"standard input, line {number}"
        pose = record["pose"]
        try:
            values = np.array(
                [[np.nan if value is None else value for value in point] for point in pose], dtype=np.float64
            )
        except (TypeError, ValueError, OverflowError):
            raise UserError(
                f"{where}: pose is no list of points of equal length. Expected [[x, y], …] or [[x, y, z], …]"
            ) from None
        if values.ndim != 2 or values.shape[1] not in (2, 3, 4):
            raise UserError(
                f"{where}: pose has shape {list(values.shape)}. Expected 2 or 3 coordinates, and a confidence at will"
            )
        if self.width is None:
            self.width = _coordinates(values, self.refiner)
        confidence = values[:, self.width] if values.shape[1] > self.width else None
        points = values[:, : self.width].copy()
        if confidence is not None:
            points[~(confidence > 0)] = np.nan
        points[~np.isfinite(points).all(axis=1)] = np.nan
        if self.stream.frame < 0 and self.refiner.joint_names is None and self.refiner.kind != "smpl":
            layout = layout_of_count(len(points), self.width)
            log.debug("%s: %s", where, layout if layout in JOINT_NAMES else "unknown layout")
        try:
            refined = self.stream.step(points)
        except UserError as error:
            raise UserError(f"{where}: {error}") from None
        self.waiting.append(record)
        return None if refined is None else self._text(refined)

    def finish(self):
        return [self._text(pose) for pose in self.stream.flush()]

    def _text(self, refined):
        record = self.waiting.popleft()
        out = dict(record)
        out["pose"] = [
            [_number(value) for value in point] + list(old[self.width :])
            for point, old in zip(refined.tolist(), record["pose"])
        ]
        return json.dumps(out)


def _number(value):
    return value if math.isfinite(value) else None


def _coordinates(values, refiner):
    """How many of a point's numbers are coordinates: a third is a confidence where it lies in [0, 1] and the others do
    not."""
    columns = values.shape[1]
    if columns != 3 or refiner.kind in ("3D", "smpl"):
        return min(columns, 3)
    if refiner.kind == "2D":
        return 2
    last, rest = values[:, 2], values[:, :2]
    last, rest = last[np.isfinite(last)], np.abs(rest[np.isfinite(rest)])
    return 2 if last.size and last.min() >= 0 and last.max() <= 1 and rest.size and rest.max() > 10 else 3
