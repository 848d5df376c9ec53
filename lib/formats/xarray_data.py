"""xarray as movement has it (the extra `mocap`): a Dataset or DataArray of dims time, space, keypoints, (individuals)."""

import numpy as np

from ..errors import UserError
from .tracks import PoseFile, Track, joint_names, layout_of_names

DIMS = ("individuals", "time", "keypoints", "space")
SINGULAR = {"individual": "individuals", "keypoint": "keypoints"}


def is_xarray(value):
    """Whether this is xarray's, without importing it."""
    return type(value).__module__.partition(".")[0] == "xarray"


def _dims(array):
    """{our name: the array's} of its dims."""
    return {SINGULAR.get(name, name): name for name in map(str, array.dims)}


def from_xarray(data):
    """A `PoseFile` of a DataArray of positions, or of a Dataset with `position` (and `confidence`).

    The rate is `data.attrs["fps"]`, else that of `time` in seconds. Raises UserError for other dims.
    """
    is_set = hasattr(data, "data_vars")
    if is_set and "position" not in data.data_vars:
        raise UserError(f"Dataset without 'position' (it has {', '.join(map(str, data.data_vars)) or 'nothing'})")
    position = data["position"] if is_set else data
    dims = _dims(position)
    if not {"time", "keypoints", "space"} <= dims.keys() or set(dims) - set(DIMS):
        raise UserError(
            f"dims {', '.join(map(str, position.dims))}. Expected time, space, keypoints and at will individuals"
        )
    values = _ordered(position, dims)
    scores = data["confidence"] if _rated(data) else None
    scores = None if scores is None else _ordered(scores, _dims(scores))
    names = _labels(position, dims["keypoints"])
    people = _labels(position, dims["individuals"]) if "individuals" in dims else None
    tracks = []
    for number, poses in enumerate(values):
        confidence = None if scores is None else np.nan_to_num(scores[number])
        missing = ~np.isfinite(poses).all(axis=-1)
        if confidence is not None and (confidence > 0).any():
            missing |= ~(confidence > 0)
        else:
            confidence = None
        poses = np.where(missing[..., None], np.nan, poses)
        kind, identity = f"{poses.shape[-1]}D", people[number] if people else number
        joints = None if names is None else joint_names(names)
        layout = None if names is None else layout_of_names(names)
        tracks.append(Track(identity, f"individual {identity}", poses, confidence, kind, layout, joints))
    fps = data.attrs.get("fps") or position.attrs.get("fps")
    fps = float(fps) if isinstance(fps, (int, float, np.number)) and fps > 0 else None
    times = position[dims["time"]].values if dims["time"] in position.coords else None
    seconds = times is not None and times.dtype.kind == "f" and len(times) > 1 and (np.diff(times) > 0).all()
    return PoseFile(
        "xarray", tracks, values.shape[1], fps, times if seconds and not fps else None, source={"data": data}
    )


def to_xarray(pose_file, refined):
    """What `from_xarray` took, copied, with refined positions [T, J, D] per individual: dims, coords and attrs as they were."""
    data = pose_file.source["data"].copy(deep=True)
    position = data["position"] if hasattr(data, "data_vars") else data
    if any(pose_file.repaired):
        for array in (position, data["confidence"]) if _rated(data) else (position,):
            _exchange(array, pose_file.repaired)
    dims = _dims(position)
    values = np.stack(refined)
    order = [DIMS.index(SINGULAR.get(str(name), str(name))) for name in position.dims]
    values = (values if "individuals" in dims else values[0][None]).transpose(
        [*order, *(axis for axis in range(4) if axis not in order)]
    )
    new = values.reshape(position.shape).astype(position.dtype)
    position.values = np.where(np.isfinite(new), new, position.values)
    return data


def _rated(data):
    return hasattr(data, "data_vars") and "confidence" in data.data_vars


def _exchange(array, repaired):
    """Exchange the numbers of what `repaired` exchanged, in place."""
    dims = _dims(array)
    values = zip(_ordered(array, dims), repaired)
    values = np.stack([one if done is None else done.exchange(one) for one, done in values]).astype(array.dtype)
    ordered = array.transpose(*(dims[name] for name in DIMS if name in dims))
    array.values = ordered.copy(data=values.reshape(ordered.shape)).transpose(*array.dims).values


def _ordered(array, dims):
    """The numbers as [individuals, time, keypoints, (space)]."""
    present = [dims[name] for name in DIMS if name in dims]
    values = array.transpose(*present).values.astype(np.float64)
    return values if "individuals" in dims else values[None]


def _labels(array, dim):
    return [str(label) for label in array[dim].values] if dim in array.coords else None
