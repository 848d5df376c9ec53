"""Missing numbers of a sequence, filled from their neighbours in time."""

import numpy as np
import torch

from ..poses import rotations


def fill_gaps(values, key):
    """[T, C] with every run of missing numbers replaced by a line between its neighbours, held at the ends.

    key: what the numbers are. Rotations ("pose", axis-angle) are interpolated in their 6D form. A joint without any
    number is put in the middle of the others, a rotation without any is none.
    """
    missing = ~np.isfinite(values)
    if not missing.any():
        return values
    if key == "pose":
        return _fill_rotations(values, missing)
    filled = values.copy()
    for channel in np.flatnonzero(missing.any(0)):
        _interpolate(filled[:, channel], missing[:, channel])
    never = missing.all(0)
    if never.any():
        dims = 2 if key == "joints_2d" else 3
        joints, never = filled.reshape(len(filled), -1, dims), never.reshape(-1, dims).any(1)
        joints[:, never] = joints[:, ~never].mean(1, keepdims=True) if not never.all() else 0
    return filled


def _fill_rotations(values, missing):
    gone = missing.reshape(len(values), -1, 3).any(2)  # [T, 24]
    filled = np.where(gone[..., None], 0, values.reshape(len(values), -1, 3)).astype(np.float32)
    for joint in np.flatnonzero(gone.any(0) & ~gone.all(0)):
        numbers = rotations.axis_angle_to_6d(torch.from_numpy(filled[:, joint])).numpy()
        for channel in range(6):
            _interpolate(numbers[:, channel], gone[:, joint])
        between = rotations.axis_angle_from_6d(torch.from_numpy(numbers)).numpy()
        filled[gone[:, joint], joint] = between[gone[:, joint]]
    return filled.reshape(len(values), -1)


def _interpolate(track, missing):
    """Fill the missing entries of one track [T] in place; one without any number stays as it is."""
    if not missing.all():
        track[missing] = np.interp(np.flatnonzero(missing), np.flatnonzero(~missing), track[~missing])
