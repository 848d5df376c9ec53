"""Frames that repeat the pose before them: of a detector that runs in every second frame, or of a video that shows frames twice.

Such a frame holds no new measurement: what is said at a wrong time. T frames, J joints, D coordinates.
"""

import numpy as np

from ..poses import gaps


def find(poses, parts, longest):
    """bool [T]: the frames of poses [T, J, D] (NaN: missing) that equal the frame before in every number, and that a new pose follows.

    parts: slices of frames that belong together; runs of more than `longest` such frames are somebody who does not move.
    """
    same = np.zeros(len(poses), dtype=bool)
    equal = (poses[1:] == poses[:-1]) | (np.isnan(poses[1:]) & np.isnan(poses[:-1]))
    same[1:] = equal.all(axis=(1, 2)) & gaps.seen(poses[1:]).any(axis=1)
    found = np.zeros_like(same)
    for part in parts:
        for run in gaps.runs(same[part][1:]):
            frames = slice(part.start + 1 + run.start, part.start + 1 + run.stop)
            found[frames] = run.stop - run.start <= longest and frames.stop < part.stop
    return found


def bridged(poses, repeated, parts, times):
    """poses with the `repeated` [T] frames on straight lines between those before and after: what a joint that is missing in one of them
    has stays as it is."""
    out = poses.copy()
    for part in parts:
        line, _ = gaps.fill(np.where(repeated[part, None, None], np.nan, poses[part]), len(poses), times[part])
        put = repeated[part, None] & gaps.seen(line) & gaps.seen(poses[part])
        out[part] = np.where(put[..., None], line, poses[part])
    return out
