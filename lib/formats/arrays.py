"""Plain arrays: .npy and .npz with positions in any order of axes, or with SMPL rotations.

Positions are [T, J, D], [T, J*D], [P, T, J, D], [T, P, J, D] (frame loops), or ST-GCN's [C, T, V, M]; axes of length 1
are left out. Which axis and which column is what, the numbers tell (`axes`, `sense`, `rotation_arrays`).
"""

import re

import numpy as np

from .. import files
from ..errors import UserError
from . import grids, rotation_arrays, times
from .grids import View
from .position_arrays import exchange, positions, put_positions, squeezed
from .tracks import PoseFile

# Names under which an .npz has its poses, its confidences, its times and its rate.
POSES = (
    "keypoints keypoints_2d keypoints2d keypoints_3d keypoints3d joints joints_2d joints2d joints_3d joints3d poses pose "
    "positions landmarks kpts keypoint joint_positions arr_0"
).split()
TIMES = re.compile(r"(\w+_)?(times?|timestamps?)(_?(s|sec|seconds|ms|us|ns))?|t|ts", re.I)
RATES = (
    "fps frame_rate framerate mocap_framerate mocap_frame_rate mocap_fps rate video_fps video_frame_rate frames_per_second fs "
    "sampling_rate sample_rate sampling_frequency frequency"
).split()
SIZES = (
    ("width", "height"),
    ("image_width", "image_height"),
    ("img_width", "img_height"),
    ("frame_width", "frame_height"),
)


def sniff_npy(opened):
    return opened.is_npy and not opened.holds_objects


def sniff_npz(opened):
    return opened.is_zip and (rotation_arrays.find(opened.arrays) is not None or bool(pose_keys(opened.arrays)))


def read_npy(opened, image_size=None, fps=None, axes=None):
    if not opened.is_npy:
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
    named = [key for key in POSES if key in numeric and squeezed(numeric[key]).ndim in (2, 3, 4)]
    fitting = [key for key, array in numeric.items() if _fits(array)]
    return named or (fitting if len(fitting) == 1 else [])


def _fits(array):
    array = squeezed(array)
    return array.ndim in (3, 4) and (
        array.shape[-1] in (2, 3, 4, 5) and array.shape[-2] > 1 or array.shape[0] in (2, 3)
    )


def of_arrays(format_name, path, arrays, keys, image_size, fps, axes):
    """The `PoseFile` of a file's arrays {name: array}; keys: those that hold positions where none holds rotations."""
    tracks, views, notes = [], [], []
    image_size = image_size or image_size_of(arrays)
    found = None if axes else rotation_arrays.find(arrays)
    if found is not None:
        track, _ = rotation_arrays.track_of(found, arrays)
        tracks, views, notes = [track], [found], list(found.notes)
        if np.isnan(track.poses).all():
            raise UserError(f"{path}: every number is NaN or infinite. Nothing can be refined")
    else:
        for key in keys:
            where = f"{path}: {key}" if key else str(path)
            if key in rotation_arrays.WHOLE and not axes and rotation_arrays.are_beside(arrays):
                raise UserError(
                    f"{where}: shape {list(arrays[key].shape)} beside {', '.join(rotation_arrays.are_beside(arrays))}: SMPL's, but not the "
                    "rotations of one person. Save those as [T, 72] or [T, 24, 3], a file for each person"
                )
            for track, view in positions(arrays, key, where, axes, notes, len(keys), image_size):
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
    for key in filter(TIMES.fullmatch, arrays):
        if arrays[key].shape == (frame_count,) and arrays[key].dtype.kind in "iuf":
            clock, note = times.in_seconds(arrays[key], path, key, times.unit_of(key), fps)
            notes += [note] if note else []
            break
    source = {
        "arrays": arrays,
        "views": views,
        "originals": [track.poses.copy() for track in tracks],
        "compressed": format_name == "npz" and grids.is_compressed(path),
    }
    rate = fps or rate_of(arrays)
    return PoseFile(format_name, tracks, frame_count, rate, clock, image_size, True, source, notes)


def rate_of(arrays):
    for key in RATES:
        if key in arrays and arrays[key].size == 1 and arrays[key].dtype.kind in "iuf":
            value = float(arrays[key].reshape(()))
            if value:  # 0 is written where it is not known; what cannot be a rate is refused by the registry
                return value
    return None


def image_size_of(arrays):
    """(width, height) in px under keys that say so, or None."""
    for names in SIZES:
        found = [arrays[name] for name in names if name in arrays and arrays[name].dtype.kind in "iuf"]
        if len(found) == 2 and all(array.size == 1 and array.reshape(())[()] > 1 for array in found):
            return tuple(int(array.reshape(())[()]) for array in found)
    return None


def put_back(pose_file, refined, translations):
    """The file's arrays {name: array} with refined poses in them."""
    source = pose_file.source
    arrays, swapped = dict(source["arrays"]), set()
    repaired = pose_file.repaired or [None] * len(refined)
    for number, (view, values, original) in enumerate(zip(source["views"], refined, source["originals"])):
        if isinstance(view, View):
            if repaired[number] is not None and repaired[number].exchanged.any():
                exchange(arrays, view, repaired[number], swapped)
                original = repaired[number].exchange(original)
            arrays[view.key] = put_positions(arrays[view.key], view, values, original)
            continue
        arrays = rotation_arrays.put(view, arrays, values, original)
        if translations is not None and translations[number] is not None:
            for key in rotation_arrays.translation_keys(arrays, len(values))[:1]:
                old = pose_file.tracks[number].translation.reshape(arrays[key].shape)
                new = translations[number].reshape(arrays[key].shape)
                arrays[key] = grids.put(arrays[key], ..., new, old)
    return arrays
