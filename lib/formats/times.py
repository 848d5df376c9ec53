"""Times of frames in seconds, whatever unit they are written in: the steps between them tell."""

import re

import numpy as np

from ..errors import UserError
from ..poses.gaps import usual_step

UNITS = {"s": 1.0, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9}
SLOWEST, FASTEST = 1.0, 1000.0  # frames a second that a clip may have
USUAL = (5.0, 500.0)  # and those by which a unit is told where several fit


def in_seconds(values, where, name, unit="s", fps=None):
    """(times [T] in seconds or None, note or None) of times that rise, in a unit that the column's name suggests.

    values: [T], NaN where a frame has none; name: the column's; unit: what it says, which holds where the steps agree;
    fps: the user's own rate, which makes the times needless. Times that do not rise are not used. Raises UserError where
    no unit gives 1 to 1000 frames a second.
    """
    values = np.asarray(values, dtype=np.float64)
    known = np.flatnonzero(np.isfinite(values))
    if fps or len(known) < 2 or (np.diff(values[known]) <= 0).any():
        return None, None
    step = usual_step(np.diff(values[known]) / np.diff(known))
    rates = {name_of: 1 / (step * factor) for name_of, factor in UNITS.items()}
    fitting = [other for other, rate in rates.items() if SLOWEST <= rate <= FASTEST]
    if unit not in fitting:
        fitting.sort(key=lambda other: not USUAL[0] <= rates[other] <= USUAL[1])
        if not fitting:
            raise UserError(
                f"{where}: {name} rises by {step:.4g} per frame, which is no clip's time in s, ms or µs "
                f"({SLOWEST:g} to {FASTEST:g} frames a second). Correct it, or pass --fps"
            )
        unit_told = fitting[0]
    else:
        unit_told = unit
    times = np.interp(np.arange(len(values)), known, values[known]) * UNITS[unit_told]
    note = None
    if unit_told != unit:
        note = f"{name} rises by {step:.4g} per frame: taken as {unit_told}, {rates[unit_told]:.4g} frames a second"
    return times, note


def unit_of(name):
    """The unit that the name of a column or key says: s unless it ends in ms, us or the like."""
    lowered = name.strip().lower().replace("(", "_").replace(")", "")
    for unit, endings in (
        ("ms", ("ms", "msec", "millis", "milliseconds")),
        ("µs", ("us", "µs", "usec", "micros", "microseconds")),
        ("ns", ("_ns", "nsec", "nanoseconds")),
    ):
        if lowered.endswith(endings):
            return unit
    return "s"


CLOCK = re.compile(r"(\w+_)?(time|timestamp|t|ts)(stamp)?_?(s|sec|seconds|ms|msec|millis|us|usec|ns|nsec)?", re.I)


def of_records(records):
    """(key, a time for each record) of dicts that all have a number under a key that says time, or ("", None)."""
    first = next((record for record in records if isinstance(record, dict)), {})
    for key in sorted(filter(CLOCK.fullmatch, map(str, first)), key=len, reverse=True):
        values = [record.get(key) if isinstance(record, dict) else None for record in records]
        if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
            return key, values
    return "", None
