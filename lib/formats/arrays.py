"""Plain arrays: .npy and .npz with positions in any order of axes, or with SMPL rotations.

Positions are [T, J, D], [T, J*D], [P, T, J, D], [T, P, J, D] (frame loops), or ST-GCN's [C, T, V, M]; axes of length 1
are left out. Which axis and which column is what, the numbers tell (`axes`, `sense`, `rotation_arrays`).
"""

import numpy as np

from .. import files
from ..errors import UserError
from . import axes as axes_
from . import grids, rotation_arrays, sense, times
from .grids import View
from .joint_orders import layout_of_poses
from .tracks import PoseFile, Track

# Names under which an .npz has its poses, its confidences, its times and its rate.
POSES = (
    "keypoints keypoints_2d keypoints2d keypoints_3d keypoints3d joints joints_2d joints2d joints_3d joints3d poses pose "
    "positions landmarks kpts keypoint joint_positions arr_0"
).split()
SCORES = (
    "scores score confidence confidences conf keypoint_scores keypoints_scores keypoint_score keypoints_score "
    "keypoints_conf kpt_scores kpts_scores likelihood likelihoods visibility visible"
).split()
TIMES = ("timestamps", "timestamp", "times", "time", "timestamps_ms", "timestamp_ms", "time_ms")
RATES = "fps frame_rate framerate mocap_framerate mocap_frame_rate mocap_fps rate video_fps".split()


def sniff_npy(opened):
    return opened.head[:6] == b"\x93NUMPY"


def sniff_npz(opened):
    return opened.is_zip and (rotation_arrays.find(opened.arrays) is not None or bool(pose_keys(opened.arrays)))


def read_npy(opened, image_size=None, fps=None, axes=None):
    if not sniff_npy(opened):
        raise UserError(f"{opened.path}: not an .npy file. Save the poses with numpy.save as a float array [T, J, D]")
    try:
        array = np.load(opened.path, allow_pickle=False)
    except Exception as error:  # a damaged header raises nearly anything
        reason = "it holds Python objects" if "allow_pickle" in str(error) else str(error).split("\n")[0]
        raise UserError(
            f"{opened.path}: not a readable array of numbers ({reason}). "
            "Save the poses with numpy.save as a float array [T, J, D]"
        ) from None
    return of_arrays("npy", opened.path, {"": array}, [""], image_size, fps, axes)


def write_npy(pose_file, refined, output_path, translations=None):
    grids.write_npy(output_path, put_back(pose_file, refined, None)[""])


def read_npz(opened, image_size=None, fps=None, axes=None):
    arrays = opened.arrays
    keys = pose_keys(arrays)
    if not keys and rotation_arrays.find(arrays) is None:
        listed = ", ".join(f"{key} {list(array.shape)}" for key, array in arrays.items())
        raise UserError(
            f"{opened.path}: which array holds the poses cannot be told ({listed}). "
            "Call it 'keypoints' and shape it [T, J, D]"
        )
    return of_arrays("npz", opened.path, arrays, keys, image_size, fps, axes)


def write_npz(pose_file, refined, output_path, translations=None):
    files.write_npz(output_path, put_back(pose_file, refined, translations), pose_file.source["compressed"])


def pose_keys(arrays):
    """The arrays that hold positions: by name, or the only one of a fitting shape."""
    numeric = {key: array for key, array in arrays.items() if array.dtype.kind in "iuf" and array.size}
    named = [key for key in POSES if key in numeric and (_fits(numeric[key]) or numeric[key].ndim == 2)]
    fitting = [key for key, array in numeric.items() if _fits(array)]
    return named or (fitting if len(fitting) == 1 else [])


def _fits(array):
    array = squeezed(array)
    return array.ndim in (3, 4) and (
        array.shape[-1] in (2, 3, 4, 5) and array.shape[-2] > 1 or array.shape[0] in (2, 3)
    )


def squeezed(array):
    """The array without axes of length 1, as far as it has more than three axes (a view)."""
    while array.ndim > 3 and 1 in array.shape[:-1]:
        array = array.reshape([size for axis, size in enumerate(array.shape) if axis != array.shape.index(1)])
    return array


def of_arrays(format_name, path, arrays, keys, image_size, fps, axes):
    """The `PoseFile` of a file's arrays {name: array}; keys: those that hold positions where none holds rotations."""
    tracks, views, notes = [], [], []
    found = None if axes else rotation_arrays.find(arrays)
    if found is not None:
        track, _ = rotation_arrays.track_of(found, arrays)
        tracks, views, notes = [track], [found], list(found.notes)
        if np.isnan(track.poses).all():
            raise UserError(f"{path}: every number is NaN or infinite. Nothing can be refined")
    else:
        for key in keys:
            where = f"{path}: {key}" if key else str(path)
            for track, view in _positions(arrays, key, where, axes, notes, len(keys), image_size):
                tracks.append(track)
                views.append(view)
    if not tracks or not max(len(track.poses) for track in tracks):
        raise UserError(f"{path}: no frame in it. Expected poses [T, J, D] with T >= 1")
    kept = [number for number, track in enumerate(tracks) if np.isfinite(track.poses).any()]
    if not kept:
        raise UserError(f"{path}: every number is NaN or infinite. Nothing can be refined")
    tracks, views = [tracks[number] for number in kept], [views[number] for number in kept]
    frame_count = max(len(track.poses) for track in tracks)
    clock = None
    for key in TIMES:
        if key in arrays and arrays[key].shape == (frame_count,) and arrays[key].dtype.kind in "iuf":
            clock, note = times.in_seconds(arrays[key], path, key, times.unit_of(key), fps)
            notes += [note] if note else []
            break
    source = {
        "arrays": arrays,
        "views": views,
        "originals": [track.poses.copy() for track in tracks],
        "compressed": format_name == "npz" and grids.is_compressed(path),
    }
    rate = fps or _rate(arrays)
    return PoseFile(format_name, tracks, frame_count, rate, clock, image_size, True, source, notes)


def _rate(arrays):
    for key in RATES:
        if key in arrays and arrays[key].size == 1 and arrays[key].dtype.kind in "iuf":
            value = float(arrays[key].reshape(()))
            if 0 < value < np.inf:
                return value
    return None


def _positions(arrays, key, where, axes, notes, sets, image_size):
    """[(Track, View)] of the people in one array of positions."""
    array = arrays[key]
    if array.dtype.kind not in "iuf":
        raise UserError(f"{where}: holds {array.dtype}, not numbers. Save the poses as a float array [T, J, D]")
    if array.ndim == 2 and array.size:
        dims = grids.split_columns(array.shape[1], where)
        array = array.reshape(len(array), -1, dims)
    array = squeezed(array)
    if not array.size:
        return []
    order = axes_.told(array, where, axes)
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
    confidence = people[..., rated] if rated is not None else _scores(arrays, order, people.shape[:3])
    confidence = None if confidence is None else grids.joint_confidence(confidence)
    units = sense.units_2d(poses) if dims == 2 else None
    layout = layout_of_poses(poses, dims, notes)
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
            result.append((track, View(key, order, person, first, scale)))
    return result


def _scores(arrays, order, shape):
    """Confidences [P, T, J] that stand in an array of their own, or None."""
    for name in SCORES:
        if name in arrays and arrays[name].dtype.kind in "iuf":
            array = arrays[name]
            if array.shape[-1:] == (1,) and array.ndim == len(order):
                array = array[..., 0]
            array = squeezed(array[..., None])
            if array.ndim == len(order) and order.endswith("D"):
                people = axes_.canonical(array, order)
                if people.shape[:3] == shape:
                    return people[..., 0]
    return None


def _track(person, name, poses, confidence, kind, layout, units, part):
    missing = np.isnan(poses).any(axis=-1)
    if confidence is not None:
        missing |= ~(confidence > 0)
        confidence = np.where(missing, 0, confidence)
    poses = np.where(missing[..., None], np.nan, poses)
    return Track(person, name, poses, confidence, kind, layout, units=units, part=part)


def put_back(pose_file, refined, translations):
    """The file's arrays {name: array} with refined poses in them."""
    source = pose_file.source
    arrays = dict(source["arrays"])
    for number, (view, values, original) in enumerate(zip(source["views"], refined, source["originals"])):
        if isinstance(view, View):
            arrays[view.key] = _put_positions(arrays[view.key], view, values, original)
            continue
        arrays = rotation_arrays.put(view, arrays, values, original)
        if translations is not None and translations[number] is not None:
            for key in rotation_arrays.translation_keys(arrays, len(values))[:1]:
                old = pose_file.tracks[number].translation.reshape(arrays[key].shape)
                new = translations[number].reshape(arrays[key].shape)
                arrays[key] = grids.put(arrays[key], ..., new, old)
    return arrays


def _put_positions(array, view, refined, original):
    changed = np.isfinite(refined) & (refined != original)
    if not changed.any():
        return array
    new = array.astype(np.float64) if array.dtype.kind in "iu" else array.copy(order="K")
    shaped = new.reshape(len(new), -1, refined.shape[-1]) if new.ndim == 2 else squeezed(new)
    target = axes_.canonical(shaped, view.axes)[view.person][..., view.first : view.first + refined.shape[-1]]
    target[changed] = (refined / view.factors)[changed]
    return new
