"""Numbers out of parsed JSON, and as text again; scores that stand beside key points."""

import numpy as np

from ..errors import UserError


def numbers(values, where, dims=1):
    """A list out of a parsed file as float64; null is NaN.

    dims: depth of nesting. Raises UserError for strings, wrong nesting and ragged lists.
    """
    if isinstance(values, list) and not values:
        return np.zeros((0,) * dims)
    try:
        array = np.array(values)
    except ValueError:
        raise UserError(f"{where}: lists of different lengths. Expected the same for every key point") from None
    if array.dtype.kind not in "iuf":
        wrong = next(
            (
                value
                for value in _flattened(values)
                if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float)))
            ),
            None,
        )
        if wrong is not None or array.dtype.kind != "O":
            raise UserError(f"{where}: {repr(wrong)[:40]} is not a number. Write key points as numbers")
    if array.ndim != dims:
        raise UserError(f"{where}: {array.ndim}-fold nested list where {dims} was expected. Check --input_format")
    return array.astype(np.float64)


def short(value):
    """A number as a text file gets it: the nine digits that a float32 needs."""
    return float(f"{value:.9g}")


def _flattened(values):
    if isinstance(values, list):
        for value in values:
            yield from _flattened(value)
    else:
        yield values


# Keys of a list of scores beside a list of key points.
SCORES = (
    "keypoint_scores keypoints_scores keypoints_score keypoint_score kpt_scores scores keypoints_conf keypoint_confidence "
    "keypoint_confidences confidences confidence conf visible visibility visibilities likelihood likelihoods keypoint_visibility"
).split()


def unwrapped(values, depth):
    """Lists without the outer ones of length 1 that some tools leave around one person's points."""
    while isinstance(values, list) and len(values) == 1 and _nesting(values) > depth:
        values = values[0]
    return values


def _nesting(values):
    depth = 0
    while isinstance(values, list) and values:
        values, depth = values[0], depth + 1
    return depth


def swap_points(points, left, right, record=None):
    """Exchange two key points in the rows of `points`, and the scores that stand beside them in a record."""
    _swap(points, left, right)
    for key in SCORES if record is not None else ():
        values = record.get(key)
        values = values.reshape(-1) if isinstance(values, np.ndarray) else unwrapped(values, 1)
        if isinstance(values, (list, np.ndarray)) and len(values) == len(points):
            _swap(values, left, right)


def _swap(rows, left, right):
    if isinstance(rows, np.ndarray):
        rows[[left, right]] = rows[[right, left]]
    else:
        rows[left], rows[right] = rows[right], rows[left]


def scores_beside(record, count, where):
    """Scores [J] of `count` key points that stand beside them in a record under any of `SCORES`, or None.

    Raises UserError where a list of scores has another length.
    """
    for key in SCORES:
        values = record.get(key)
        values = values.tolist() if isinstance(values, np.ndarray) else unwrapped(values, 1)
        if not isinstance(values, list):
            continue  # one score for the person
        if (
            values
            and isinstance(values[0], list)
            and all(isinstance(value, list) and len(value) == 1 for value in values)
        ):
            values = [value[0] for value in values]
        if len(values) != count:
            raise UserError(
                f"{where}: {count} key points but {len(values)} scores under {key!r}. Expected one for each"
            )
        return numbers(values, f"{where}, {key}")
    return None
