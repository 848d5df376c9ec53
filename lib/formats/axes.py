"""Which axis of an array is which: told by what moves smoothly and what keeps its length.

Letters: T frames, P people, J joints, D coordinates (and a score); C, V and M are other tools' D, J and P.
"""

import warnings

import numpy as np

from ..errors import UserError

OTHER_LETTERS = str.maketrans("CVMN", "DJPP")
LONGEST = 400  # frames by which axes are told
CLEARLY = 0.3  # how much smoother another axis must be to be time in an array without people
MARGIN = 0.1  # how much more sense another order must make for coordinates not to come last
LEAST = 4  # joints of a body


def told(array, where, axes=None):
    """The axes of an array of positions as letters, such as TJD, PTJD, TPJD or DTJP.

    axes: the user's own (`--axes`). Raises UserError for shapes that cannot be poses.
    """
    if axes:
        return _checked(axes, array, where)
    if array.ndim == 3:
        return _three(array, where)
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


def _three(array, where):
    """TJD unless another axis is clearly smoother, or no coordinates come last."""
    dims = [axis for axis in (2, 0, 1) if 2 <= array.shape[axis] <= (5 if axis == 2 else 4)]
    if not dims or array.shape[2] == 1:
        return "TJD"  # refused where the columns are told
    coordinates = dims[0]
    first, second = (axis for axis in range(3) if axis != coordinates)
    values, time = _values(array), first
    smoother = roughness(values, second), roughness(values, first)
    if coordinates == 2:
        if array.shape[1] > max(array.shape[0], 4) and array.shape[0] > 1 and smoother[0] < CLEARLY * smoother[1]:
            time = second
    elif smoother[0] < smoother[1]:
        time = second
    return _letters({coordinates: "D", time: "T", (second if time == first else first): "J"})


def _four(array, where):
    """PTJD, TPJD, ST-GCN's DTJP, SLEAP's PDJT, movement's TDJP, ...: the smoothest axis is time, coordinates are the few numbers
    that make bodies of constant lengths, and differ more from each other than people do."""
    dims = [axis for axis, size in enumerate(array.shape) if 2 <= size <= (5 if axis == 3 else 4)]
    values = _values(array)
    found = []
    for coordinates in sorted(dims, reverse=True):
        rest = [axis for axis in (1, 0, 2, 3) if axis != coordinates]
        long = [axis for axis in rest if array.shape[axis] > LEAST] or rest  # two people may be copies of each other
        time = min(long, key=lambda axis: roughness(values, axis))
        people, joints = sorted((axis for axis in rest if axis != time), key=lambda axis: (array.shape[axis], axis))
        if array.shape[joints] >= LEAST:
            found.append(_letters({coordinates: "D", time: "T", people: "P", joints: "J"}))
    if not found:
        raise UserError(
            f"{where}: shape {list(array.shape)}: no axis of 2 to 4 coordinates beside one of {LEAST} joints. Expected [P, T, J, D] (P people, "
            "T frames, J joints); --axes says otherwise, such as --axes TPJD"
        )
    if len(found) > 1:
        sense = {letters: _sense(array, values, letters) for letters in found}
        least = sense[found[0]] + MARGIN if found[0][3] == "D" else -np.inf
        found = sorted((letters for letters in found if sense[letters] > least), key=lambda one: -sense[one]) or found
    letters = found[0]
    if letters.index("J") > letters.index("P") or array.shape[letters.index("P")] < LEAST:
        return letters
    other = letters.translate(str.maketrans("PJ", "JP"))  # more people than joints
    return other if stretch(canonical(array, other)) < CLEARLY * stretch(canonical(array, letters)) else letters


def _letters(axes):
    """{axis: letter} as text in the order of the axes."""
    return "".join(letter for _, letter in sorted(axes.items()))


def _sense(array, values, axes):
    """How much sense an order of axes makes: people are alike (the correlation of their joints' places about the middle), bodies rigid.

    Upright bodies are alike; the x and y of one body, taken for two people, are not.
    """
    bends = stretch(canonical(array, axes))
    rigid = -np.log(max(bends, 1e-6)) if np.isfinite(bends) else 0.0
    poses = canonical(values, axes)[:2]
    if len(poses) < 2:
        return rigid
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # frames without anybody
        one, other = (person - np.nanmean(person, axis=1, keepdims=True) for person in poses)
    both = np.isfinite(one) & np.isfinite(other)
    one, other = one[both], other[both]
    scale = np.sqrt((one * one).sum() * (other * other).sum())
    return rigid + (float((one * other).sum() / scale) if scale > 0 else 0.0)


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
    """The numbers as float64, cut to `LONGEST` along each axis; zeros are no poses."""
    values = array[(slice(LONGEST),) * array.ndim].astype(np.float64)
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
