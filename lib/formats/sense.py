"""What columns of numbers are: coordinates in space or in an image, scores, units. The contents decide, no name does."""

import numpy as np

from ..poses import sentinels
from .axes import LONGEST, stretch

EXTENT_2D = 1.5  # coordinates normalised to the image do not leave +- this
STRAY = 0.02  # share of the coordinates that may lie outside all the same: points beside the image, broken cells
IMAGE_SETS = (33, 21, 42, 468, 478, 543)  # landmarks of MediaPipe's sets: pose, hand(s), face (with irises), holistic
WORLD_SPREAD = 0.02  # metres that the middle of the hips may lie off the origin
PIXELS = 10  # coordinates beyond this are no shares of an image, nor metres of a body


def finite(values):
    return values[np.isfinite(values)]


def is_score(third, rest):
    """Whether the third of x, y, third ([..., J] and [..., J, 2]) is a score: all of it in [0, 1] and no coordinate.

    Beside pixels it is one; beside small numbers, where it does not bring a body's lengths closer to constant.
    """
    numbers, coordinates = finite(third), finite(rest)
    if not len(numbers) or numbers.min() < 0 or numbers.max() > 1:
        return False
    if len(coordinates) and np.abs(coordinates).max() > PIXELS:
        return True
    return stretch(np.concatenate([rest, third[..., None]], axis=-1)) > stretch(rest)


def looks_like_world(poses):
    """Whether 33 landmarks [N, 33, D] are metres around the hips and not places in an image."""
    if poses.shape[1:] != (33, 3):
        return False
    hips = poses[:, 23:25].mean(axis=1)
    hips = hips[np.isfinite(hips).all(axis=-1)]
    return len(hips) > 0 and bool(np.median(np.linalg.norm(hips, axis=-1)) < WORLD_SPREAD)


def within_image(places):
    """Whether coordinates are shares of an image's width and height."""
    places = finite(places)
    return len(places) > 0 and bool(((places <= -0.5) | (np.abs(places) > EXTENT_2D)).mean() <= STRAY)


def is_image_place(points):
    """Whether x, y of [..., J, 3] are shares of an image and z is apart, as MediaPipe writes its landmarks."""
    if points.shape[-2] not in IMAGE_SETS:
        return False
    if not within_image(points[..., :2]):
        return False
    return not looks_like_world(points.reshape(-1, *points.shape[-2:]))


def columns(poses):
    """What the columns of poses [P, T, J, C] are: (coordinates, column of a score or None, whether z is apart).

    With z apart there are 2 coordinates, and column 2 is a depth without the unit of x, y.
    """
    poses = poses[:, : 5 * LONGEST]
    count = poses.shape[-1]
    if count == 2:
        return 2, None, False
    third = finite(poses[..., 2])
    if not len(third) or (third == third.flat[0]).all():  # says nothing of any point
        return 2, None, False
    apart = is_image_place(poses[..., :3])
    if count == 3:
        if apart:
            return 2, None, True
        return (2, 2, False) if is_score(poses[..., 2], poses[..., :2]) else (3, None, False)
    fourth = finite(poses[..., 3])
    if len(fourth) and (fourth.min() < 0 or fourth.max() > 1):
        return None
    score = 3 if len(fourth) and (fourth > 0).any() else None
    return (2 if apart else 3), score, apart


def units_2d(poses):
    """px or normalised, by the size of the numbers; those that stand for a point that was not found say nothing."""
    places = finite(poses)
    places = places[~np.isin(places, sentinels.SENTINELS[2:])]
    return "px" if len(places) and (np.abs(places) > EXTENT_2D).mean() > STRAY else "normalised"
