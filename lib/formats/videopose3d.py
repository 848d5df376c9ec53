"""VideoPose3D: .npz with nested dicts in object arrays, and the detections its own inference script writes.

`positions_2d` holds {subject: {action: [one (T, K, 2) a camera]}} in pixels, `positions_3d` {subject:
{action: (T, K, 3)}} in metres. A detections file holds `boxes` and `keypoints`, one element a frame, whose
second entry has a (4, K) array of x, y, logit and probability for each person, without ids.
"""

import copy

import numpy as np

from ..errors import UserError
from ..files import write_npz
from . import grids, json_files, people
from .records import Part, Person, Walk, slots
from .tracks import PoseFile, Track, layout_of_count

KEYS = {"positions_2d": 2, "positions_3d": 3}
LAYOUTS = {"coco": "coco17", "h36m": "h36m17"}


def sniff(opened):
    if not opened.is_zip:
        return False
    arrays = opened.arrays
    return any(
        key in arrays and arrays[key].ndim == 0 and arrays[key].dtype.hasobject for key in KEYS
    ) or _is_detections(arrays)


def _is_detections(arrays):
    return "boxes" in arrays and "keypoints" in arrays and arrays["keypoints"].dtype.hasobject


def read(opened, image_size=None, fps=None):
    arrays = opened.arrays
    if _is_detections(arrays):
        walk = _walk_detections(arrays["keypoints"], opened.path)
        metadata = _metadata(arrays)
        size = (metadata["w"], metadata["h"]) if {"w", "h"} <= metadata.keys() else None
        tracks, places, frames, tracked, _, notes = people.build(opened.path, walk, fps)
        source = {
            "arrays": arrays,
            "places": places,
            "path": opened.path,
            "compressed": grids.is_compressed(opened.path),
        }
        return PoseFile("videopose3d", tracks, frames, fps, None, image_size or size, tracked, source, notes)
    metadata = _metadata(arrays)
    tracks, places = [], []
    for key, dims in KEYS.items():
        if key not in arrays:
            continue
        content = _lists(_content(arrays[key], key, opened.path))
        arrays[key] = np.array(None, dtype=object)
        arrays[key][()] = content
        for place, array in _leaves(content, (key,), opened.path):
            track = _track(place, array, dims, metadata, opened.path)
            if np.isfinite(track.poses).any():
                tracks.append(track)
                places.append(place)
    if not tracks:
        raise UserError(f"{opened.path}: no finite pose under positions_2d or positions_3d. Nothing can be refined")
    source = {
        "arrays": arrays,
        "places": places,
        "originals": [track.poses.copy() for track in tracks],
        "compressed": grids.is_compressed(opened.path),
    }
    sizes = {track.image_size for track in tracks if track.kind == "2D"}
    size = image_size or (sizes.pop() if len(sizes) == 1 else None)
    frames = max(len(track.poses) for track in tracks)
    return PoseFile("videopose3d", tracks, frames, fps, None, size, True, source)


def _content(array, key, path):
    content = array.item() if array.ndim == 0 else None
    if not isinstance(content, dict):
        raise UserError(f"{path}: {key}: no {{subject: {{action: …}}}} in it. Expected VideoPose3D's layout")
    return content


def _lists(content):
    """The content with lists for tuples, so that refined poses can be put into it."""
    if isinstance(content, dict):
        return {key: _lists(value) for key, value in content.items()}
    return [_lists(value) for value in content] if isinstance(content, list | tuple) else content


def _leaves(content, place, path):
    """(place, array) of every pose array in nested dicts and lists."""
    if isinstance(content, np.ndarray) and content.dtype.kind in "iuf" and content.ndim == 3:
        yield place, content
    elif isinstance(content, dict):
        for key, value in content.items():
            yield from _leaves(value, (*place, key), path)
    elif isinstance(content, (list, tuple)) or isinstance(content, np.ndarray) and content.dtype.hasobject:
        for index, value in enumerate(content):
            yield from _leaves(value, (*place, index), path)
    else:
        kind = content.dtype if isinstance(content, np.ndarray) else type(content).__name__
        raise UserError(
            f"{path}: {' / '.join(map(str, place))}: {kind} of shape {list(np.shape(content))}, "
            "not poses [T, K, D]. Expected VideoPose3D's layout"
        )


def _metadata(arrays):
    array = arrays.get("metadata")
    content = array.item() if array is not None and array.ndim == 0 and array.dtype.hasobject else None
    return content if isinstance(content, dict) else {}


def _track(place, array, dims, metadata, path):
    if array.shape[2] < dims:
        raise UserError(f"{path}: {' / '.join(map(str, place))}: shape {list(array.shape)}. Expected [T, K, {dims}]")
    poses = array[..., :dims].astype(np.float64)
    poses[~np.isfinite(poses).all(axis=-1)] = np.nan
    names = [str(part) for part in place[1:]]
    layout = LAYOUTS.get(metadata.get("layout_name"), layout_of_count(array.shape[1], dims))
    layout = layout if array.shape[1] == 17 else layout_of_count(array.shape[1], dims)
    size = metadata.get("video_metadata", {}).get(place[1]) if dims == 2 else None
    size = (size["w"], size["h"]) if isinstance(size, dict) and {"w", "h"} <= size.keys() else None
    units = "m" if dims == 3 else "px" if np.nanmax(np.abs(poses), initial=0) > 1.5 else "normalised"
    return Track("/".join(names), " ".join(names), poses, None, f"{dims}D", layout, units=units, image_size=size)


def _walk_detections(keypoints, path):
    result = Walk([("", frame) for frame in range(len(keypoints))], [])
    for frame, entry in enumerate(keypoints):
        people = entry[1] if isinstance(entry, (list, tuple, np.ndarray)) and len(entry) > 1 else []
        for index, person in enumerate(people):
            where = f"{path}: frame {frame}, person {index}"
            if (
                not isinstance(person, np.ndarray)
                or person.ndim != 2
                or person.shape[0] not in (3, 4)
                or person.dtype.kind not in "iuf"
            ):
                raise UserError(
                    f"{where}: no (4, K) array of x, y, logit, probability. Expected the "
                    "detections of VideoPose3D's infer_video script"
                )
            part = Part("body", layout=layout_of_count(person.shape[1]), units="px")

            def put(joint, axis, value, person=person):
                person[axis, joint] = value

            def swap(left, right, person=person):
                person[:, [left, right]] = person[:, [right, left]]

            found = slots(person[:2].T.astype(np.float64), person[-1].astype(np.float64), part, put, swap)
            result.people.append(Person(("", frame), found, where))
    return result


def write(pose_file, refined, output_path):
    source = pose_file.source
    arrays = dict(source["arrays"])
    if "originals" not in source:
        arrays["keypoints"] = copy.deepcopy(arrays["keypoints"])
        walk = _walk_detections(arrays["keypoints"], source["path"])
        json_files.put_back(walk.people, source["places"], refined, pose_file.repaired)
    for key in KEYS if "originals" in source else ():
        if key in arrays:
            arrays[key] = copy.deepcopy(arrays[key])
    for place, values, original in zip(source["places"], refined, source.get("originals", [])):
        holder = arrays[place[0]].item()
        for part in place[1:-1]:
            holder = holder[part]
        new = grids.put(holder[place[-1]], ..., values, original)
        if new is not holder[place[-1]]:
            holder[place[-1]] = new
    write_npz(output_path, arrays, source["compressed"])
