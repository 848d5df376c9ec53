"""Which joint order unnamed points are in: by their number, and by which joint lies between which others."""

import numpy as np

from .axes import LONGEST
from .tracks import layout_of_count

# Joints that lie in the middle of others, and how far off at most (in body sizes).
MIDDLES = {
    "h36m17": ((0, (1, 4), 0.08), (8, (11, 14), 0.2)),
    "openpose25": ((8, (9, 12), 0.08), (1, (2, 5), 0.15)),
    "kinect25": ((0, (12, 16), 0.12), (20, (4, 8), 0.15)),
    "halpe26": ((19, (11, 12), 0.08), (18, (5, 6), 0.15)),
}
HEAD = 0.25  # body sizes over which the five points of COCO's head (the first ones) spread at most
SIZES = {17: ("h36m17",), 25: ("openpose25", "kinect25"), 26: ("halpe26",)}


def layout_of_poses(poses, dims, notes):
    """The layout of poses [P, T, J, D >= dims] without names, or None; what was found out goes into `notes`.

    Orders of the same number of joints are told apart by their middles: the pelvis lies between the hips. 17 joints in an
    image are COCO's unless they are clearly Human3.6M's.
    """
    count = poses.shape[2]
    points = poses[:, :LONGEST, :, :dims].reshape(-1, count, dims)
    points = np.where(np.abs(points) < np.finfo(np.float32).max, points, np.nan)  # no places beyond
    points = points[np.isfinite(points).any(axis=(1, 2))]
    if count not in SIZES or not len(points):
        return layout_of_count(count, dims)
    size = _size(points)
    fitting = [name for name in SIZES[count] if size > 0 and _fits(points, name, size)]
    if dims == 2 and count == 17:
        spread = np.nanmax(np.linalg.norm(points[:, 1:5] - points[:, :1], axis=-1), axis=1, initial=0)
        return "coco17" if not fitting or np.nanmedian(spread) < HEAD * size else "h36m17"
    if fitting:
        return fitting[0]
    if dims == 3:
        names = " or ".join(
            {"h36m17": "Human3.6M", "openpose25": "OpenPose", "kinect25": "Kinect", "halpe26": "Halpe"}[name]
            for name in SIZES[count]
        )
        notes.append(
            f"{count} joints, but not in the order of {names}: which is which is not known. A CSV whose columns name the joints "
            "says it, in Python refine(poses, layout=...)"
        )
        return None
    return layout_of_count(count, dims)


def _size(points):
    """The median diagonal of the box around the points [N, J, D]."""
    there = np.isfinite(points).all(axis=-1)[..., None]
    low, high = np.where(there, points, np.inf).min(axis=1), np.where(there, points, -np.inf).max(axis=1)
    box = np.linalg.norm(high - low, axis=-1)
    box = box[np.isfinite(box)]
    return float(np.median(box)) if len(box) else 0.0


def _fits(points, name, size):
    for middle, sides, limit in MIDDLES[name]:
        off = np.linalg.norm(points[:, middle] - points[:, list(sides)].mean(axis=1), axis=-1)
        off = off[np.isfinite(off)]
        if len(off) and np.median(off) > limit * size:
            return False
    return True
