"""Arrays of positions: which person's which column is what, and back into the same places."""

import re

import numpy as np

from ..errors import UserError
from . import axes as axes_
from . import grids, sense
from .grids import View
from .joint_orders import layout_of_poses
from .rotation_sense import other_rotations
from .tracks import Track, joint_name, layout_of_names

SCORES = (
    "scores score confidence confidences conf keypoint_scores keypoints_scores keypoint_score keypoints_score "
    "keypoints_conf kpt_scores kpts_scores likelihood likelihoods visibility visible"
).split()


# A key that names its scores, such as kps_score beside kps.
SCORED = re.compile(r"score|conf|visib|likelihood|prob", re.I)
NAMES = "joint_names keypoint_names keypoints_names node_names bodyparts landmark_names marker_names names".split()


def squeezed(array, last=True):
    """The array without axes of length 1, as far as it has more than three axes (a view); last: the last one too."""
    while array.ndim > 3 and 1 in (shape := array.shape if last else array.shape[:-1]):
        array = array.reshape([size for axis, size in enumerate(array.shape) if axis != shape.index(1)])
    return array


def positions(arrays, key, where, axes, notes, sets, image_size):
    """[(Track, View)] of the people in one array of positions."""
    array = arrays[key]
    if array.dtype.kind not in "iuf":
        raise UserError(f"{where}: holds {array.dtype}, not numbers. Save the poses as a float array [T, J, D]")
    if not array.size:
        return []
    turned = None if axes else other_rotations(array)
    if turned:
        raise UserError(
            f"{where}: shape {list(array.shape)} looks like {turned}, which are not read. Save the rotations as axis-angle [T, J, 3] or "
            "matrices [T, J, 3, 3]"
        )
    order = None
    if array.ndim == 2:
        array, order = grids.unflattened(array, where, points=bool(axes))
    array = squeezed(array)
    order = axes_.told(array, where, axes) if axes or order is None else order
    if order not in ("TJD", "PTJD"):
        notes.append(f"{key or 'array'}: read as {axes_.shown(order, array)} (--axes says otherwise)")
    people = axes_.canonical(array, order)
    meaning = sense.columns(people) if 2 <= people.shape[-1] <= 5 else None
    if meaning is None:
        raise UserError(
            f"{where}: shape {list(arrays[key].shape)}, read as {axes_.shown(order, array)}. Expected 2 or 3 coordinates "
            "and a score in [0, 1] at will; --axes says otherwise"
        )
    dims, rated, apart = meaning
    if "pixelXY" in where:  # freemocap's third is a reprojection error
        dims, rated, apart = 2, None, False
    poses = np.where(np.isfinite(people[..., :dims]), people[..., :dims], np.nan).astype(np.float64)
    beside = _scores(arrays, order, people.shape[:3]) if rated is None else None
    confidence = (
        people[..., rated] if rated is not None else None if beside is None else _score_table(arrays[beside], order)
    )
    confidence = None if confidence is None else grids.joint_confidence(confidence)
    units = sense.units_2d(poses) if dims == 2 else None
    names = _names(arrays, poses.shape[2])
    layout = layout_of_poses(poses, dims, notes) if names is None else layout_of_names(names)
    factors = np.ones(2)
    if units == "normalised" and image_size is not None:
        units, factors = "px", np.array(image_size, dtype=np.float64)
    result = []
    for person, points in enumerate(poses):
        score = None if confidence is None else confidence[person]
        depth = people[person, ..., 2:3].astype(np.float64) if apart else None
        for part, values, first in (("body", points, 0), ("depth", depth, 2)):
            if values is None:
                continue
            name = f"person {person}" if len(poses) > 1 else "person"
            name = " ".join([name, *([key] if sets > 1 else []), *(["depth"] if part == "depth" else [])])
            part = part if sets == 1 else f"{key} {part}".removesuffix(" body")
            scale = factors[: values.shape[-1]] if dims == 2 else 1.0
            values = values * scale
            track = _track(person, name, values, score, f"{dims}D", layout if first == 0 else None, units, part)
            track.joint_names = names if names is not None and first == 0 else track.joint_names
            result.append((track, View(key, order, person, first, scale, beside)))
    return result


def _scores(arrays, order, shape):
    """The name of an array of confidences [P, T, J], or None."""
    for name in (*SCORES, *(name for name in arrays if SCORED.search(name))):
        if name in arrays and arrays[name].dtype.kind in "iuf":
            table = _score_table(arrays[name], order)
            if table is not None and table.shape == shape:
                return name
    return None


def _names(arrays, count):
    """The names of `count` joints that an array of texts holds, or None."""
    for key in NAMES:
        names = arrays[key].tolist() if key in arrays and arrays[key].dtype.kind in "USO" else []
        if isinstance(names, list) and len(names) == count and all(isinstance(name, str | bytes) for name in names):
            return tuple(
                joint_name(name.decode("utf-8", "replace") if isinstance(name, bytes) else name) for name in names
            )
    return None


def _score_table(array, order):
    """An array of scores as [P, T, J] (a view), or None where it has other axes than the poses."""
    if array.shape[-1:] == (1,) and array.ndim == len(order):
        array = array[..., 0]
    array = squeezed(array[..., None], last=False)
    return axes_.canonical(array, order)[..., 0] if array.ndim == len(order) and order.endswith("D") else None


def _track(person, name, poses, confidence, kind, layout, units, part):
    missing = np.isnan(poses).any(axis=-1)
    if confidence is not None:
        missing |= ~(confidence > 0)
        confidence = np.where(missing, 0, confidence)
    poses = np.where(missing[..., None], np.nan, poses)
    return Track(person, name, poses, confidence, kind, layout, units=units, part=part)


def put_positions(array, view, refined, original):
    changed = np.isfinite(refined) & (refined != original)
    if not changed.any():
        return array
    new = array.astype(np.float64) if array.dtype.kind in "iu" else array.copy(order="K")
    target = _points(new, view, refined.shape)[..., view.first : view.first + refined.shape[-1]]
    target[changed] = (refined / view.factors)[changed]
    return new


def exchange(arrays, view, repaired, swapped):
    """Exchange the points (all their columns) and scores of a track as `repaired` says, in copies within `arrays`.

    swapped: set of (array, person) that have been; two sets of points may have their scores in one array.
    """
    shape = repaired.exchanged.shape
    for key, points in (
        (view.key, lambda array: _points(array, view, shape)),
        (view.scores, lambda array: _score_table(array, view.axes)[view.person]),
    ):
        if key is not None and (key, view.person) not in swapped:
            swapped.add((key, view.person))
            arrays[key] = arrays[key].copy(order="K")
            points(arrays[key])[...] = repaired.exchange(points(arrays[key]))


def _points(array, view, shape):
    """All columns of a track's points, [T, J, C], as a view of its array; shape: T, J, …"""
    sizes = {"T": shape[0], "J": shape[1], "D": -1}
    shaped = array.reshape([sizes[letter] for letter in view.axes]) if array.ndim == 2 else squeezed(array)
    return axes_.canonical(shaped, view.axes)[view.person]
