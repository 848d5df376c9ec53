"""Spikes: single wild key points that leap away and are back at once, as no body moves.

A Hampel test (F. R. Hampel, The influence curve and its role in robust estimation, JASA 69, 1974; R. K. Pearson et al.,
Generalized Hampel filters, EURASIP J. Adv. Signal Process. 2016) on how far a key point lies from the straight line
between the frames before and after: a spike is many robust standard deviations of what the second around has of it.
What a fast limb can do is no spike: its steps grow over several frames, and its acceleration has a limit.

T frames, J joints, D coordinates.
"""

import numpy as np

from ..poses import gaps, space

LONGEST = 3  # frames of a spike; longer excursions are an estimator's error that lasts, not a spike
SPAN = 1.0  # seconds around a frame that its distance from the line is compared with
SIGMAS = 8.0  # robust standard deviations
ACCELERATION = 100.0  # body sizes per second², beyond what limbs do: 160 m/s² where the body is 1.6 m
LEAST = 0.06  # of the body's size: smaller spikes are jitter, which smoothing mends
LEAP = 3.0  # times the steps before and after it that the steps into and out of a spike measure
SHARE = 0.05  # of a key point's frames: one that has more spikes is noisy, and is left as it is


def find(poses, fps, size=None):
    """bool [T, J]: the key points of poses [T, J, D] (NaN: missing) that are spikes of at most `LONGEST` frames.

    fps: frames per second; size: what the body measures, in the unit of the poses (default: `space.extent`). A key point
    is compared with the frames in which it was seen, so that a spike beside a missing one is found too; of the first
    two and the last two frames nothing is said.
    """
    found = np.zeros(poses.shape[:2], dtype=bool)
    size = space.extent(poses) if size is None else size
    if not size > 0:
        return found
    for joint, there in enumerate(gaps.seen(poses).T):
        frames = np.flatnonzero(there)
        wild = _wild(poses[frames, joint], frames / fps, fps, size)
        if wild.sum() <= max(1, SHARE * len(frames)):
            found[frames[wild], joint] = True
    return found


def _wild(points, times, fps, size):
    """bool [N]: which of the points [N, D] of one joint, seen at `times` [N], are spikes."""
    found = np.zeros(len(points), dtype=bool)
    step = np.linalg.norm(np.diff(points, axis=0), axis=-1)
    for length in range(1, LONGEST + 1):
        last = len(step) - length  # steps[i] leads to a candidate's first point, steps[i + length] from its last
        if last < 3:
            break
        leap = np.minimum(step[1 : last - 1], step[1 + length : -1])
        calm = np.maximum(step[: last - 2], step[2 + length :])
        for before in np.flatnonzero((leap > LEAP * calm) & (leap > LEAST * size / 2)) + 1:
            inside = slice(before + 1, before + 1 + length)
            away = _off_line(points, times, before, length)[0]
            # So far off the line is a motion that turns round between its ends.
            turned = (times[inside] - times[before]) * (times[before + 1 + length] - times[inside]) / 2
            if (away <= size * np.maximum(LEAST, ACCELERATION * turned)).any() or leap[before - 1] < away.min() / 2:
                continue
            half = max(LONGEST, int(SPAN * fps / 2))
            near = np.arange(max(0, before - half), min(len(points) - length - 1, before + half + 1))
            around = _off_line(points, times, near, length).min(axis=1)
            middle = np.median(around)
            if away.min() > middle + SIGMAS * 1.4826 * np.median(np.abs(around - middle)):
                found[inside] = True
    return found


def _off_line(points, times, before, length):
    """Distance of the `length` points after each of `before` [M] from the line between their neighbours, [M, length]."""
    before = np.atleast_1d(before)[:, None]
    inside, after = before + 1 + np.arange(length), before + 1 + length
    share = ((times[inside] - times[before]) / (times[after] - times[before]))[..., None]
    return np.linalg.norm(points[inside] - (1 - share) * points[before] - share * points[after], axis=-1)
