"""HDF5 tables (the extra `mocap`, package h5py): DeepLabCut's .h5 and SLEAP's analysis .h5.

DeepLabCut's is a pandas table: `df_with_missing/table` with an index and one block of values, its columns (scorer,
(individual,) bodypart, coordinate) pickled in an attribute, which is read by names of plain data alone. SLEAP's has
`tracks` [individuals, 2, nodes, frames], `node_names` and `point_scores` [individuals, nodes, frames]. Written back as copies in
which the coordinates are replaced.
"""

import io

import numpy as np

from .. import safe_pickle
from ..errors import UserError
from ..files import check_size, write_bytes
from . import csv_columns
from .grids import joint_confidence
from .tracks import PoseFile, Track, joint_names, layout_of_names

GROUPS = ("df_with_missing", "keypoints", "df")


def sniff(opened):
    return opened.head[:8] == b"\x89HDF\r\n\x1a\n" and opened.suffix in (".h5", ".hdf5", ".hdf")


def open_copy(content, path, mode="r"):
    """(buffer, h5py.File) of a file's bytes. Raises UserError for what is no HDF5, would need far more memory than its size, or
    keeps data in other files, which would be read, and written to, without anybody's knowing."""
    import h5py  # an extra

    buffer = io.BytesIO(content)
    try:
        file = h5py.File(buffer, mode)
    except OSError as error:
        raise UserError(f"{path}: not a readable HDF5 file ({str(error)[:80]}). Copy it again") from None
    try:
        total = _check(file, len(content), path)
        if mode != "r":
            # HDF5 crashes where memory ends while it writes. Four times: the data, and the buffer as it grows.
            np.empty(4 * total, np.uint8)
    except BaseException:
        file.close()
        raise
    return buffer, file


def _check(file, size, path):
    """Bytes of all datasets, stored or not."""
    import h5py

    outside, total = [], 0

    def look(name, item):
        nonlocal total
        if isinstance(item, h5py.Dataset):
            total += item.nbytes
            if item.external or item.is_virtual:
                outside.append(name)
        elif isinstance(item, h5py.Group):
            links = ((key, item.get(key, getlink=True)) for key in item)
            outside.extend(f"{name}/{key}" for key, link in links if isinstance(link, h5py.ExternalLink))

    look("", file)
    file.visititems(look)
    if outside:
        raise UserError(f"{path}: {outside[0]} lies in another file. Export everything into one file")
    check_size(total, size, path)
    return total


def read(opened, image_size=None, fps=None):
    _, file = open_copy(opened.content, opened.path)
    with file:
        if "tracks" in file and "node_names" in file:
            tracks, places = _sleap(file, opened.path)
        else:
            tracks, places = _deeplabcut(file, opened.path)
    kept = [number for number, track in enumerate(tracks) if np.isfinite(track.poses).any()]
    if not kept:
        raise UserError(f"{opened.path}: every coordinate is missing. Nothing can be refined")
    tracks, places = [tracks[number] for number in kept], [places[number] for number in kept]
    source = {
        "content": opened.content,
        "places": places,
        "originals": [track.poses.copy() for track in tracks],
        "rated": any(track.confidence is not None for track in tracks),
    }
    return PoseFile("hdf5", tracks, len(tracks[0].poses), fps, None, image_size, True, source)


def _track(identity, several, poses, scores, names):
    poses = np.where(np.isfinite(poses).all(axis=-1, keepdims=True), poses, np.nan)
    confidence = None
    if scores is not None and (np.nan_to_num(scores) > 0).any():
        confidence = joint_confidence(scores)
        poses[confidence <= 0] = np.nan
        confidence = np.where(np.isnan(poses).any(axis=-1), 0, confidence)
    name = f"individual {identity}" if several else "individual"
    joints = joint_names(names)
    return Track(identity, name, poses, confidence, "2D", layout_of_names(names), joints, units="px")


def _deeplabcut(file, path):
    group = next((name for name in GROUPS if name in file and "table" in file[name]), None)
    if group is None or "values_block_0" not in (file[group]["table"].dtype.names or ()):
        raise UserError(
            f"{path}: no table df_with_missing and no tracks in it ({', '.join(list(file)[:4])}). Expected DeepLabCut's or SLEAP's "
            "analysis .h5; export a CSV otherwise"
        )
    values = file[group]["table"]["values_block_0"].astype(np.float64)
    pickled = file[group].attrs.get("non_index_axes")
    axes = (
        safe_pickle.load(io.BytesIO(bytes(pickled)), f"{path}: its column names", {}) if pickled is not None else None
    )
    columns = axes[0][1] if isinstance(axes, list) and axes and isinstance(axes[0], tuple) else []
    if len(columns) != values.shape[1] or not all(
        isinstance(column, tuple) and len(column) in (3, 4) for column in columns
    ):
        raise UserError(f"{path}: {len(columns)} column names for {values.shape[1]} columns. Export the table again")
    cells = {}
    for number, column in enumerate(columns):
        axis = "c" if column[-1] in csv_columns.SCORES else column[-1]
        cells.setdefault(column[1] if len(column) == 4 else "", {}).setdefault(column[-2], {})[axis] = number
    tracks, places = [], []
    for person, joints in cells.items():
        joints = {name: axes for name, axes in joints.items() if {"x", "y"} <= axes.keys()}
        if not joints:
            continue
        place = np.array([[axes["x"], axes["y"]] for axes in joints.values()])
        scores = [axes.get("c") for axes in joints.values()]
        rated = None not in scores
        tracks.append(
            _track(person or 0, len(cells) > 1, values[:, place], values[:, scores] if rated else None, tuple(joints))
        )
        places.append((group, np.column_stack([place, scores]) if rated else place))
    return tracks, places


def _sleap(file, path):
    array = file["tracks"][()]
    names = [name.decode() if isinstance(name, bytes) else str(name) for name in file["node_names"][()]]
    people = (
        [name.decode() if isinstance(name, bytes) else str(name) for name in file["track_names"][()]]
        if "track_names" in file
        else []
    )
    if array.ndim != 4 or array.shape[1] != 2 or array.shape[2] != len(names):
        raise UserError(
            f"{path}: tracks {list(array.shape)} for {len(names)} nodes. Expected [individuals, 2, nodes, frames]"
        )
    scores = file["point_scores"][()] if "point_scores" in file else None
    tracks = []
    for number, one in enumerate(array):
        score = scores[number].T if scores is not None and scores.shape == (len(array), *array.shape[2:]) else None
        identity = people[number] if number < len(people) else number
        tracks.append(_track(identity, len(array) > 1, one.transpose(2, 1, 0).astype(np.float64), score, names))
    return tracks, [("tracks", number) for number in range(len(array))]


def write(pose_file, refined, output_path):
    buffer, file = open_copy(pose_file.source["content"], output_path, "r+")
    with file:
        source = pose_file.source
        repaired = pose_file.repaired or [None] * len(refined)
        for (name, place), values, original, done in zip(source["places"], refined, source["originals"], repaired):
            exchange = (lambda points: points) if done is None else done.exchange
            changed = np.isfinite(values) & (values != exchange(original))
            if name == "tracks":
                array = exchange(file["tracks"][place].transpose(2, 1, 0))
                array[changed] = values[changed]
                file["tracks"][place] = array.transpose(2, 1, 0)
                if pose_file.source["rated"]:
                    file["point_scores"][place] = exchange(file["point_scores"][place].T).T
                continue
            table = file[name]["table"][()]
            block = table["values_block_0"]
            block[:, place] = exchange(block[:, place])
            for frame, joint, axis in zip(*np.nonzero(changed)):
                block[frame, place[joint, axis]] = values[frame, joint, axis]
            file[name]["table"][...] = table
    write_bytes(output_path, buffer.getvalue())
