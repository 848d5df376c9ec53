"""A live stream for any other program: one JSON object a line in and out, every id a person of its own
(`refine_smoothnet.py - --live`)."""

import json
import math
import sys
from collections import deque

import numpy as np

from ..errors import UserError
from ..formats.json_numbers import short
from ..formats.tracks import JOINT_NAMES, layout_of_count
from ..messages import logger
from ..poses import sentinels
from ..poses.kinds import kind_of

log = logger(__name__)

RATE_FRAMES = 10  # by which the frames' own rate is told


LONGEST_LINE = 2**24  # characters
UNITS = (1, 1e-3, 1e-6, 1e-9)  # of `t`, in seconds


def serve(refiner, lines=None, write=None, say=None, forget=60.0):
    """Refine standard input: one JSON object a line {"t": seconds, "id": who, "pose": [[x, y, (z), (conf)], …]}.

    Each line comes back `lag` lines of the same id later, with its own t and id and every other field, pose refined;
    what is still to come is written at the end. {"id": 3, "end": true} ends that person, and so do `forget` seconds of the
    stream's time without a line of it (0: never). A line that cannot be read is answered in its place by {"error", "id",
    "t"}, and the stream goes on. Raises UserError naming the line where the first one cannot be read.
    """
    lines = _standard_input() if lines is None else lines
    write = write or (lambda text: print(text, flush=True))
    say = say or (lambda text: print(text, file=sys.stderr, flush=True))
    people, clock, told, bad, begun = {}, _Clock(), _Told(say), 0, False
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        record = {}
        try:
            record = _record(line)
            person, text, finished = _taken(record, people, refiner, clock, forget)
        except (UserError, RecursionError) as error:
            reason = f"standard input, line {number}: {error if isinstance(error, UserError) else 'nested too deeply'}"
            if not begun:
                raise UserError(reason) from None
            bad += 1
            write(_answer(reason, record))
            continue
        begun = True
        _write_all(write, finished)
        if person is not None:
            told.of(person, record.get("t"))
        if text is not None:
            write(text)
    _write_all(write, people.values())
    if bad:
        say(f"{bad} {'line was' if bad == 1 else 'lines were'} answered by an error")


def _taken(record, people, refiner, clock, forget):
    """(the person of a record, or None at an end; the line to answer, or None; the people who are done).

    people: {id: person}, who was seen longest ago first; changed by this.
    """
    who = json.dumps(record.get("id"))
    if record.get("end") is True:
        return None, None, [people.pop(who)] if who in people else []
    values = _points(record)
    person = people.pop(who, None) or _Person(refiner)
    people[who] = person
    return person, person.step(record, values), clock.gone(people, person, record.get("t"), forget)


def _write_all(write, people):
    """What is still to come of people who are done."""
    for person in people:
        for text in person.finish():
            write(text)


class _Told:
    """What is said of a stream once: its method, and whether its frames come at another rate than it goes by."""

    def __init__(self, say):
        self.say, self.person, self.times = say, None, []

    def of(self, person, t):
        """A line of `person` at time `t`: the first one's are looked at."""
        if self.person is None:
            self.person = person
            self.say(person.stream.describe())
            for note in person.stream.notes:
                self.say(note)
        if person is self.person and self.times is not None and _is_number(t):
            self.times.append(t)
            if len(self.times) == RATE_FRAMES:
                _check_rate(self.times, person.stream, self.say)
                self.times = None


def _answer(reason, record):
    """The line that answers a bad one, with its id and t where these are plain."""
    plain = {key: value for key in ("id", "t") if isinstance(value := record.get(key), str | int | float)}
    return _json({"error": reason, **plain})


def _json(record):
    """A record as JSON, which knows no NaN and no Infinity: null for those that stood in a line."""
    try:
        return json.dumps(record, allow_nan=False)
    except ValueError:
        return json.dumps(json.loads(json.dumps(record), parse_constant=lambda name: None))


def _standard_input():
    if sys.stdin is None:
        raise UserError("standard input is closed. Pipe the lines in")
    sys.stdin.reconfigure(encoding="utf-8", errors="replace")
    return iter(lambda: sys.stdin.readline(LONGEST_LINE), "")


class _Clock:
    """The stream's time in seconds: by the lines' t, whose unit their steps tell, else by counting frames."""

    def __init__(self):
        self.unit, self.frames, self.in_frame = None, 0, set()

    def gone(self, people, person, t, forget):
        """Take out of `people` those who were not seen for `forget` seconds when `person` has a line at `t`; a list."""
        if person in self.in_frame:
            self.frames, self.in_frame = self.frames + 1, set()
        self.in_frame.add(person)
        if _is_number(t):
            if self.unit is None and person.t is not None:
                self.unit = next((unit for unit in UNITS if 5e-4 <= (t - person.t) * unit <= 2), None)
            person.t = t
            now = None if self.unit is None else t * self.unit
        else:
            now = self.frames / person.stream.rate
        person.seen, gone = now, []
        while forget and now is not None:
            who, first = next(iter(people.items()))
            if first.seen is None:  # seen before the unit was told
                first.seen = now
            if abs(now - first.seen) <= forget:
                break
            gone.append(people.pop(who))
            self.in_frame.discard(first)
        return gone


def _check_rate(times, stream, say):
    """Say so if the frames' own times are not at the rate that the stream goes by."""
    step = float(np.median(np.diff(times)))
    if step > 0 and abs(1 / step / stream.rate - 1) > 0.1:
        say(
            f"warning: frames come at {1 / step:.3g} per second by their t, {stream.rate:g} was taken. Pass --fps {1 / step:.3g}"
        )


def _record(line):
    try:
        record = json.loads(line)
    except ValueError as error:  # not JSON, or a number of more digits than Python reads
        raise UserError(
            f'not JSON ({str(error)[:100]}). Expected one object a line: {{"t": 0.0, "id": 0, "pose": [[x, y], …]}}'
        ) from None
    if not isinstance(record, dict):
        raise UserError(f"{type(record).__name__}, not an object with a pose")
    return record


def _is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def _points(record):
    """The pose of a record as [J, columns], NaN for null. Raises UserError."""
    pose = record.get("pose")
    if not pose:
        keys = ", ".join(map(str, list(record)[:6])) or "none"
        raise UserError(
            f'no pose in it (keys: {keys}). Expected "pose": [[x, y], …]; {{"id": 3, "end": true}} ends somebody'
        )
    if not isinstance(pose, list) or not all(isinstance(point, list) and len(point) == len(pose[0]) for point in pose):
        raise UserError("pose is no list of points of equal length. Expected [[x, y], …] or [[x, y, z], …]")
    if len(pose[0]) not in (2, 3, 4):
        raise UserError(
            f"pose has shape {[len(pose), len(pose[0])]}. Expected 2 or 3 coordinates, and a confidence at will"
        )
    for point in pose:
        for value in point:
            if (
                value is not None
                and not _is_number(value)
                and not (isinstance(value, float) and not math.isfinite(value))
            ):
                raise UserError(f"{repr(value)[:40]} in the pose is not a number, or too large for one")
    return np.array([[np.nan if value is None else value for value in point] for point in pose], dtype=np.float64)


class _Person:
    """One id of the standard input."""

    def __init__(self, refiner):
        self.stream, self.refiner, self.waiting = refiner.stream(), refiner, deque()
        self.width = None
        self.t, self.seen = None, None  # its last time, as in the line, and in seconds

    def step(self, record, values):
        """The line that is due, or None; values [J, columns]: the record's pose. Raises UserError."""
        if self.width is None:
            self.width = _coordinates(values, self.refiner)
        confidence = values[:, self.width] if values.shape[1] > self.width else None
        points = values[:, : self.width].copy()
        points[~np.isfinite(points).all(axis=1) | sentinels.absent(points[None])[0]] = np.nan
        if self.stream.frame < 0 and self.refiner.joint_names is None and not kind_of(self.refiner.kind).rotations:
            layout = layout_of_count(len(points), self.width)
            log.debug("%s", layout if layout in JOINT_NAMES else "unknown layout")
        refined = self.stream.step(points, confidence)
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
        try:
            return _json(out)
        except RecursionError:
            return _answer("nested too deeply", record)


def _number(value):
    return short(value) if math.isfinite(value) else None


def _coordinates(values, refiner):
    """How many of a point's numbers are coordinates: a third is a confidence where it lies in [0, 1] and the others do
    not."""
    columns = values.shape[1]
    if columns != 3 or kind_of(refiner.kind).coordinates == 3:
        return min(columns, 3)
    if kind_of(refiner.kind).in_image:
        return 2
    last, rest = values[:, 2], values[:, :2]
    last, rest = last[np.isfinite(last)], np.abs(rest[np.isfinite(rest)])
    return 2 if last.size and last.min() >= 0 and last.max() <= 1 and rest.size and rest.max() > 10 else 3
