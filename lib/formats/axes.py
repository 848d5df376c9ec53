"""Which axis of an array is which: told by what moves smoothly and what keeps its length.

Letters: T frames, P people, J joints, D coordinates (and a score); C, V and M are other tools' D, J and P.
"""

import numpy as np

from ..errors import UserError

OTHER_LETTERS = str.maketrans("CVMN", "DJPP")
LONGEST = 400  # frames by which axes are told
CLEARLY = 0.3  # how much smoother another axis must be to be time in an array without people


def told(array, where, axes=None):
    """The axes of an array of positions as letters, such as TJD, PTJD, TPJD or DTJP.

    axes: the user's own (`--axes`). Raises UserError for shapes that cannot be poses.
    """
    if axes:
        return _checked(axes, array, where)
    if array.ndim == 3:
        return _three(array)
    if array.ndim == 4:
        return _four(array, where)
    raise UserError(
        f"{where}: shape {list(array.shape)}. Expected axes [T, J, D] or [P, T, J, D] (P people, T frames, J joints, "
        "D coordinates); --axes says otherwise, such as --axes TPJD"
    )


def _checked(axes, array, where):
    letters = axes.strip().upper().translate(OTHER_LETTERS)
    if sorted(letters) not in (sorted("TJD"), sorted("PTJD")):
        raise UserError(f"--axes {axes}: expected each of T, J, D (and P) once, such as TPJD")
    if array.ndim != len(letters):
        raise UserError(f"{where}: shape {list(array.shape)}, but --axes {axes} names {len(letters)} axes")
    return letters


def _three(array):
    frames, joints, last = array.shape
    if last > 5 and array.shape[0] in (2, 3) and joints > 5:
        return "DTJ"
    if last <= 5 and joints > frames > 1 and joints > 4:
        values = _values(array)
        if roughness(values, 1) < CLEARLY * roughness(values, 0):
            return "JTD"
    return "TJD"


def _four(array, where):
    """PTJD, TPJD, or ST-GCN's (C, T, V, M), which is DTJP."""
    shape, values = array.shape, _values(array)
    last = shape[3] in (2, 3, 4)
    possible = (["PTJD", "TPJD"] if last else []) + (["DTJP"] if shape[0] in (2, 3) and shape[3] <= 10 else [])
    if not possible:
        raise UserError(
            f"{where}: shape {list(shape)}: no axis of 2 to 4 coordinates comes last. Expected [P, T, J, D] (P people, "
            "T frames, J joints); --axes says otherwise, such as --axes TPJD"
        )
    time = int(roughness(values, 1) <= roughness(values, 0)) if min(shape[:2]) > 1 else int(shape[1] > 1)
    if time == 0 and last:
        return "TPJD"
    if len(possible) == 3 and shape[2] > 2:
        return min(("PTJD", "DTJP"), key=lambda axes: stretch(canonical(array, axes)))
    return possible[0] if possible[0] != "TPJD" else "PTJD"


def canonical(array, axes):
    """A view [P, T, J, D] of an array with these axes."""
    if "P" not in axes:
        array, axes = array[None], "P" + axes
    return array.transpose([axes.index(letter) for letter in "PTJD"])


def shown(axes, array):
    """The axes with their sizes, for the user."""
    names = {"T": "frames", "P": "people", "J": "joints", "D": "coordinates"}
    return ", ".join(f"{size} {names[letter]}" for letter, size in zip(axes, array.shape))


def _values(array):
    """The numbers as float64, cut to `LONGEST` along the two axes that can be long; zeros are no poses."""
    values = array[:LONGEST, :LONGEST].astype(np.float64)
    return np.where((np.abs(values) < np.finfo(np.float32).max) & (values != 0), values, np.nan)


def median(values):
    """The median of the numbers that are there; NaN of none."""
    there = values[np.isfinite(values)]
    return float(np.median(there)) if there.size else np.nan


def roughness(values, axis):
    """The median step along an axis, as a share of the median distance from the middle; inf where there is none."""
    if values.shape[axis] < 2:
        return np.inf
    step, spread = median(np.abs(np.diff(values, axis=axis))), median(np.abs(values - median(values)))
    return step / spread if spread > 0 and np.isfinite(step) else np.inf


def stretch(poses):
    """How little of a body has a constant length in poses [P, T, J, D]: 0 for a rigid one.

    For each joint the variation over time (standard deviation over mean) of its distance to the joint to which it varies
    least; the median over joints and people. inf where nothing can be said.
    """
    found = []
    for person in poses[:8, :LONGEST]:
        person = np.asarray(person[..., :3], dtype=np.float64)
        bad = ~(np.abs(person) < np.finfo(np.float32).max).all(axis=-1) | (person == 0).all(axis=-1)
        joints = np.linspace(0, person.shape[1] - 1, min(person.shape[1], 34)).astype(int)
        person = np.where(bad[..., None], np.nan, person)[:, joints]
        person = person[np.isfinite(person).any(axis=(1, 2))]
        if len(person) < 3:
            continue
        apart = np.linalg.norm(person[:, :, None] - person[:, None], axis=-1)  # [T, J, J]
        mean = apart.mean(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            varies = np.where(mean > 0, apart.std(axis=0) / mean, np.nan)
        known = np.isfinite(varies).any(axis=0)
        if known.any():
            found.append(np.median(np.nanmin(varies[:, known], axis=0)))
    return float(np.median(found)) if found else np.inf
