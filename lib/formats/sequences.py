"""The layout of SmoothNet's and SynSP's data: an .npz of object arrays, one element a sequence."""

import numpy as np

from ..dataset import storage
from ..files import write_npz
from ..poses.skeletons import LAYOUTS
from . import grids
from .tracks import PoseFile, Track, layout_of_count

# What the joints are, by the beginning of the file's name; else by their number.
LAYOUT_OF_DATASET = {"mpiinf3dhp": "mpi17", "mupots": "mpi17", "jhmdb": "jhmdb15"}
LAYOUT_OF_COUNT = {14: "lsp14", 16: "h36m16", 17: "h36m17"}


def sniff(opened):
    if not opened.is_zip:
        return False
    arrays = opened.arrays
    keys = [key for key in arrays if storage.ALIASES.get(key, key) in storage.POSE_KEYS]
    return any(
        arrays[key].dtype.hasobject
        and arrays[key].ndim <= 1
        or "imgname" in arrays
        or arrays[key].ndim == 3
        and arrays[key].shape[2] > 4
        for key in keys
    )


def read(opened, image_size=None, fps=None):
    """One track a sequence and pose key. `lib.dataset.storage` validates the file; its bits are kept."""
    data, arrays = storage.read(opened.path), opened.arrays
    tracks, places = [], []
    fields = sum(storage.ALIASES.get(key, key) in storage.POSE_KEYS for key in arrays)
    for key, array in arrays.items():
        field = storage.ALIASES.get(key, key)
        if field not in storage.POSE_KEYS:
            continue
        for index, sequence in enumerate(_elements(array)):
            track = _track(field, np.asarray(sequence, dtype=np.float64), data, index, opened.path.name)
            track.name = track.name if fields == 1 else f"{track.name} {field}"
            tracks.append(track)
            places.append((key, index))
    sizes = {track.image_size for track in tracks}
    source = {
        "arrays": arrays,
        "places": places,
        "originals": [track.poses.copy() for track in tracks],
        "compressed": grids.is_compressed(opened.path),
    }
    frames = max(len(track.poses) for track in tracks)
    size = image_size or (sizes.pop() if len(sizes) == 1 else None)
    return PoseFile("sequences", tracks, frames, fps, None, size, True, source)


def _elements(array):
    """The sequences of one array, as `lib.dataset.storage` takes them."""
    if array.ndim == 0:
        inner = array.item()
        return inner if isinstance(inner, (list, tuple)) else [inner]
    return list(array)


def _track(field, sequence, data, index, file_name):
    dims = 2 if field == "joints_2d" else 3
    poses = sequence.reshape(len(sequence), -1, dims)
    poses = np.where(np.isfinite(poses), poses, np.nan)
    poses[np.isnan(poses).any(axis=-1)] = np.nan
    names = data["imgname"][index] if index < len(data.get("imgname", [])) else []
    name = names[0].rpartition("/")[0] if names else ""
    name = name or (f"sequence {index}" if len(data[field]) > 1 else "sequence")
    if field == "pose":
        frames = len(poses)
        betas = data["shape"][index] if "shape" in data else None
        trans = data["trans"][index] if "trans" in data else None
        return Track(
            index,
            name,
            poses,
            None,
            "smpl",
            "smpl24",
            betas=betas if betas is not None and len(betas) == frames else None,
            translation=trans if trans is not None and len(trans) == frames else None,
        )
    size = None
    if "imgshape" in data:
        shape = np.asarray(data["imgshape"][index]).ravel()
        size = (int(shape[1]), int(shape[0])) if len(shape) >= 2 else None
    joints = poses.shape[1]
    layout = next((layout for prefix, layout in LAYOUT_OF_DATASET.items() if file_name.startswith(prefix)), None)
    if layout is None or LAYOUTS[layout].size != joints:
        layout = LAYOUT_OF_COUNT.get(joints, layout_of_count(joints, dims))
    return Track(index, name, poses, None, f"{dims}D", layout, units="px" if dims == 2 else "m", image_size=size)


def write(pose_file, refined, output_path, translations=None):
    source = pose_file.source
    changed = {}
    for (key, index), values, original in zip(source["places"], refined, source["originals"]):
        changed.setdefault(key, {})[index] = (values, original)
    if translations is not None:
        for (_, index), values, track in zip(source["places"], translations, pose_file.tracks):
            if values is not None and track.translation is not None:
                changed.setdefault("trans", {})[index] = (values, track.translation)
    arrays = {
        key: _replaced(array, changed[key]) if key in changed else array for key, array in source["arrays"].items()
    }
    write_npz(output_path, arrays, source["compressed"])


def _replaced(array, changed):
    """A copy of one key's array with some sequences replaced, each keeping its type and dtype."""
    if not array.dtype.hasobject:
        for index, (values, original) in changed.items():
            shape = array[index].shape
            array = grids.put(array, index, values.reshape(shape), original.reshape(shape))
        return array
    elements = list(_elements(array))
    for index, (values, original) in changed.items():
        old = np.asarray(elements[index])
        new = grids.put(old, ..., values.reshape(old.shape), original.reshape(old.shape))
        if new is not old:
            elements[index] = new.tolist() if isinstance(elements[index], list) else new
    if array.ndim == 0:
        inner = array.item()
        result = np.empty((), dtype=object)
        result[()] = type(inner)(elements) if isinstance(inner, (list, tuple)) else elements[0]
        return result
    result = np.empty(array.shape, dtype=object)
    for index, element in enumerate(elements):
        result[index] = element
    return result
