"""Plain arrays: .npy and .npz with [T, J, D], [T, J*D] or [P, T, J, D] (people, or cameras, first), and
freemocap's.

An array [T, J, 3] whose third column is a confidence (x, y in pixels, the third in [0, 1]) is read as 2D, one
[T, J, 4] with a fourth in [0, 1] as 3D. freemocap's files are told by their names: 3D in mm, raw 2D in
pixels.
"""

import numpy as np

from .. import files
from ..errors import UserError
from . import grids
from .grids import View
from .tracks import PoseFile, Track, layout_of_count

# Names under which an .npz has its poses, its confidences, its times and its rate.
POSES = (
    "keypoints",
    "keypoints_2d",
    "keypoints2d",
    "keypoints_3d",
    "keypoints3d",
    "joints",
    "joints_2d",
    "joints2d",
    "joints_3d",
    "joints3d",
    "poses",
    "pose",
    "positions",
    "landmarks",
    "kpts",
    "keypoint",
    "joint_positions",
    "arr_0",
)
SCORES = ("scores", "score", "confidence", "confidences", "conf", "keypoint_scores", "visibility")
TIMES = ("timestamps", "timestamp", "times", "time")
# Columns of axis-angle rotations (SMPL, SMPL without hands, SMPL-H as AMASS has it, SMPL-X), and how many of
# the rotations are the body's.
ROTATIONS = {72: 24, 66: 22, 156: 22, 165: 22}
RATES = ("fps", "frame_rate", "framerate", "mocap_framerate", "rate")


def sniff_npy(opened):
    return opened.head[:6] == b"\x93NUMPY"


def sniff_npz(opened):
    return opened.is_zip and bool(_pose_keys(opened.arrays))


def read_npy(opened, image_size=None, fps=None):
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
    return _finish("npy", opened.path, {"": array}, [""], image_size, fps)


def write_npy(pose_file, refined, output_path):
    grids.write_npy(output_path, _put(pose_file, refined)[""])


def read_npz(opened, image_size=None, fps=None):
    arrays = opened.arrays
    keys = _pose_keys(arrays)
    if not keys:
        listed = ", ".join(f"{key} {list(array.shape)}" for key, array in arrays.items())
        raise UserError(
            f"{opened.path}: which array holds the poses cannot be told ({listed}). "
            "Call it 'keypoints' and shape it [T, J, D]"
        )
    return _finish("npz", opened.path, arrays, keys, image_size, fps)


def write_npz(pose_file, refined, output_path):
    files.write_npz(output_path, _put(pose_file, refined), pose_file.source["compressed"])


def _pose_keys(arrays):
    """The arrays that hold poses: by name, or the only one of a fitting shape."""
    numeric = {key: array for key, array in arrays.items() if array.dtype.kind in "iuf"}
    named = [key for key in POSES if key in numeric and (_fits(numeric[key]) or numeric[key].ndim == 2)]
    return named or (lambda fitting: fitting if len(fitting) == 1 else [])(
        [key for key, array in numeric.items() if _fits(array)]
    )


def _fits(array):
    return array.ndim in (3, 4) and array.shape[-1] in (2, 3, 4) and array.shape[-2] > 1


def _finish(format_name, path, arrays, keys, image_size, fps):
    tracks, views = [], []
    for key in keys:
        array, name = arrays[key], f"{path}: {key}" if key else str(path)
        if array.ndim == 4:
            if array.dtype.kind not in "iuf":
                raise UserError(f"{name}: holds {array.dtype}, not numbers. Save the poses as a float array")
            pieces = [((person,), array[person]) for person in range(len(array))]
        else:
            pieces = [((), array)]
        for index, piece in pieces:
            track = _track(piece, key, path, arrays, index, len(pieces), len(keys), name)
            tracks.append(track)
            views.append(View(key, index))
    if not tracks or not max(len(track.poses) for track in tracks):
        raise UserError(f"{path}: no frame in it. Expected poses [T, J, D] with T >= 1")
    kept = [number for number, track in enumerate(tracks) if np.isfinite(track.poses).any()]
    if not kept:
        raise UserError(f"{path}: every number is NaN or infinite. Nothing can be refined")
    tracks, views = [tracks[number] for number in kept], [views[number] for number in kept]
    frame_count = max(len(track.poses) for track in tracks)
    rate = next(
        (
            float(arrays[key])
            for key in RATES
            if key in arrays and arrays[key].size == 1 and arrays[key].dtype.kind in "iuf" and float(arrays[key]) > 0
        ),
        None,
    )
    times = next(
        (
            arrays[key].astype(np.float64)
            for key in TIMES
            if key in arrays and arrays[key].shape == (frame_count,) and arrays[key].dtype.kind in "iuf"
        ),
        None,
    )
    source = {
        "arrays": arrays,
        "views": views,
        "originals": [track.poses.copy() for track in tracks],
        "compressed": bool(arrays.keys() - {""}) and grids.is_compressed(path),
    }
    return PoseFile(format_name, tracks, frame_count, fps or rate, times, image_size, True, source)


def _track(array, key, path, arrays, index, people, sets, where):
    confidence = None
    if key in ("pose", "poses") and array.ndim == 2 and array.shape[1] in ROTATIONS:
        joints = ROTATIONS[array.shape[1]]
        poses = grids.poses_of(array[:, : 3 * joints], where, 3)
        kind, layout, units = "smpl", f"smpl{joints}", None
    else:
        dims = _dims(array, path, where)
        poses = grids.poses_of(array, where, dims)
        dims = poses.shape[-1]
        if array.ndim == 3 and array.shape[2] == dims + 1 and "pixelXY" not in path.name:
            confidence = grids.joint_confidence(array[..., dims])
        kind, layout = f"{dims}D", layout_of_count(poses.shape[1], dims)
        units = _units(poses, kind, path.name)
    fitting = (*arrays[key].shape[: arrays[key].ndim - array.ndim], *poses.shape[:2])
    scores = next(
        (
            arrays[name][index]
            for name in SCORES
            if name in arrays and arrays[name].dtype.kind in "iuf" and arrays[name].shape == fitting
        ),
        None,
    )
    if confidence is None and scores is not None:
        confidence = grids.joint_confidence(scores)
    missing = np.isnan(poses).any(axis=-1)
    if confidence is not None:
        missing |= ~(confidence > 0)
        confidence = np.where(missing, 0, confidence)
    poses[missing] = np.nan
    identity = index[0] if index else 0
    name = f"person {identity}" if people > 1 else "person"
    name, part = (name, "body") if sets == 1 else (f"{name} {key}", key)
    return Track(identity, name, poses, confidence, kind, layout, units=units, part=part)


def _dims(array, path, where):
    """How many leading columns of [T, J, C] are coordinates; None where the columns are flat."""
    if array.ndim != 3 or array.dtype.kind not in "iuf":
        return None
    columns = array.shape[2]
    if columns == 3 and "pixelXY" in path.name:
        return 2
    if columns not in (2, 3, 4):
        raise UserError(f"{where}: shape {list(array.shape)}. Expected [T, J, D] with 2 or 3 coordinates")
    if columns == 2:
        return 2
    last, rest = array[..., -1], array[..., :-1]
    last, rest = last[np.isfinite(last)], rest[np.isfinite(rest)]
    rated = bool(last.size) and last.min() >= 0 and last.max() <= 1
    if columns == 4:
        if not rated:
            raise UserError(
                f"{where}: 4 numbers a joint, and the fourth is no confidence in [0, 1]. "
                "Expected x, y, (z) and a confidence"
            )
        return 3
    return 2 if rated and rest.size and np.abs(rest).max() > 10 else 3


def _units(poses, kind, file_name):
    name = file_name.lower()
    if "mediapipe" in name and kind == "3D":
        return "mm"  # freemocap
    if kind == "2D":
        return "px" if np.nanmax(np.abs(poses), initial=0) > 1.5 else "normalised"
    return None


def _put(pose_file, refined):
    source = pose_file.source
    arrays = dict(source["arrays"])
    for view, values, original in zip(source["views"], refined, source["originals"]):
        arrays[view.key] = grids.put(arrays[view.key], view.index, values, original)
    return arrays
