"""Frame rates: poses at any times on to a network's even clock, and refined ones back to the times they came from."""

import math

import numpy as np
from scipy.interpolate import CubicSpline

# Rates and steps that differ by less than this are the same: 29.97 is 30, and cameras tick a little unevenly.
SAME_RATE = 0.02
# Frames of an even clock for each that is there, and clocks of one rate, at most: work stays linear in the frames.
MOST_FRAMES, MOST_CLOCKS = 20, 50
EVEN = 0.2


def is_even(times):
    """Whether the frames [T] come at one pace."""
    steps = np.diff(times)
    return len(steps) < 2 or bool(np.abs(steps - np.median(steps)).max() <= EVEN * np.median(steps))


def of_frames(track, timestamps, fps, *, told, assumed):
    """(times [T] in seconds of a `Track`'s frames, notes): by the rate that the user told, else by the file's timestamps, else by the
    file's rate `fps`, else by the one that is assumed, which is said. timestamps: [frames of the file] or None."""
    count, times, notes = len(track.poses), None, []
    if timestamps is not None:
        times = np.asarray(timestamps, dtype=np.float64)[track.start : track.start + count]
        whole = len(times) == count and np.isfinite(times).all()
        if not whole or (np.diff(times) <= 0).any():
            notes.append("timestamps do not rise frame by frame: not used")
            times = None
    if told or times is None:
        rate = told or fps
        if not rate:
            notes.append(f"frame rate unknown: {assumed:g} frames per second are assumed (--fps sets it)")
        times = np.arange(count) / (rate or assumed)
    return times, notes


def grids(times, rate):
    """Even clocks of `rate` Hz over times [T], as a list of arrays.

    One where the rate is at most `rate`. Where it is k times as high there are k, each shifted by a k-th of a step, so that
    every frame is used: at 60 Hz the even and the odd frames are two sequences at 30. [] where times are that clock already,
    or so far from it that the poses of one tell nothing of the other's.
    """
    duration = times[-1] - times[0]
    own = (len(times) - 1) / duration if duration > 0 else rate
    if len(times) < 2 or is_even(times) and abs(own / rate - 1) <= SAME_RATE:
        return []
    if own * MOST_FRAMES < rate or own > MOST_CLOCKS * rate:
        return []  # such times are refined frame by frame, as they are
    count = max(1, math.ceil(own / rate - SAME_RATE))
    result = []
    for phase in range(count):
        first = times[0] + phase / (count * rate)
        if first <= times[-1]:
            steps = math.ceil((times[-1] - first) * rate - 1e-6)
            result.append(first + np.arange(steps + 1) / rate)
    return result


def onto(times, values, grid):
    """values [T, C] at the times of `grid`, along straight lines; beyond the ends the last value holds."""
    right = np.clip(np.searchsorted(times, grid, side="right"), 1, len(times) - 1)
    left = right - 1
    share = np.clip((grid - times[left]) / (times[right] - times[left]), 0, 1)[:, None]
    return (1 - share) * values[left] + share * values[right]


def back(clocks, refined, times):
    """The mean at `times` [T] of what the clocks' sequences [N, C] say, along cubic splines: [T, C].

    A clock speaks of the frames from its first on; the first clock starts with the first frame.
    """
    total = np.zeros((len(times), refined[0].shape[1]))
    voices = np.zeros((len(times), 1))
    for grid, values in zip(clocks, refined):
        covered = times >= grid[0] - 1e-9
        if len(grid) < 2:
            total[covered] += values[0]
        else:
            total[covered] += CubicSpline(grid, values, bc_type="not-a-knot" if len(grid) > 3 else "natural")(
                times[covered]
            )
        voices[covered] += 1
    return total / voices
