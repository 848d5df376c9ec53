"""Numbers that tools write in place of a point they did not find: a whole point at exactly 0, -1, or a row of nines."""

import numpy as np

SENTINELS = (0.0, -1.0, *(sign * nines for nines in (999.0, 9999.0, 99999.0, 999999.0) for sign in (1, -1)))
APART = 0.1  # body sizes off its neighbours from which such a point is no sighting
NEVER = 1.0  # the same for a joint that is at the sentinel in every frame: roots are, and belong there


def absent(poses):
    """Which points of poses [T, J, D] are sentinels and no sightings, bool [T, J].

    A point with all coordinates exactly 0, or all exactly another of `SENTINELS`, is absent where it stands apart: more than `APART` body
    sizes outside the box of the frame's other points, or off the line between the joint's own neighbours in time. A
    joint that is there in every frame (the root of root-relative poses) counts as a sighting near the body.
    """
    result = np.zeros(poses.shape[:2], dtype=bool)
    if poses.shape[-1] < 2 or not poses.size:
        return result
    marks = {value: (poses == value).all(axis=-1) for value in SENTINELS}
    marked = np.logical_or.reduce(list(marks.values()))
    if not marked.any():
        return result
    if poses.shape[1] > 2:  # a body of no extent is none
        result |= np.logical_or.reduce([mark.all(axis=1) for mark in marks.values()])[:, None]
    others = np.where(marked[..., None], np.nan, poses)
    there = np.isfinite(others).all(axis=-1)
    if not there.any():
        return marked
    low = np.where(there[..., None], others, np.inf).min(axis=1)  # [T, D]
    high = np.where(there[..., None], others, -np.inf).max(axis=1)
    boxed = there.sum(axis=1) > 1
    size = float(np.median(np.linalg.norm((high - low)[boxed], axis=-1))) if boxed.any() else 0.0
    for value, mark in marks.items():
        if not mark.any():
            continue
        off = np.full(len(poses), np.inf)
        off[boxed] = np.linalg.norm(np.maximum(np.maximum(low[boxed] - value, value - high[boxed]), 0), axis=-1)
        for joint in np.flatnonzero(mark.any(axis=0)):
            frames, known = mark[:, joint], np.flatnonzero(there[:, joint])
            if not len(known):
                result[:, joint] |= frames & (off > NEVER * size)
                continue
            path = [
                np.interp(np.flatnonzero(frames), known, others[known, joint, axis]) for axis in range(poses.shape[2])
            ]
            away = np.linalg.norm(np.stack(path, axis=-1) - value, axis=-1)
            result[frames, joint] |= (away > APART * size) | (off[frames] > APART * size) & boxed[frames]
    return result
