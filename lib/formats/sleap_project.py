"""SLEAP projects, .slp (the extra `mocap`, package h5py): frames, instances and their points in HDF5 tables.

`points` are labelled by hand, `pred_points` predicted and scored; an instance has a range of either. A predicted instance that a
labelled one was made from is left as it is. Written back as a copy in which coordinates are replaced.
"""

import json

import numpy as np

from ..errors import UserError
from ..files import write_bytes
from .hdf5_files import open_copy
from .json_files import put_back
from .people import build
from .records import Part, Person, Slot, Walk
from .tracks import PoseFile, joint_names, layout_of_names

TABLES = ("frames", "instances", "points", "pred_points")
USER = 0  # the instance type of what was labelled by hand


def sniff(opened):
    return opened.head[:8] == b"\x89HDF\r\n\x1a\n" and opened.suffix == ".slp"


def read(opened, image_size=None, fps=None):
    path = opened.path
    _, file = open_copy(opened.content, path)
    with file:
        tables = _tables(file, path)
        about = _about(file, path)
    walk = _walk(tables, about, path)
    tracks, places, frame_count, tracked, timestamps, notes = build(path, walk, fps)
    source = {"content": opened.content, "places": places, "about": about, "path": path}
    size = image_size or walk.image_size
    return PoseFile("slp", tracks, frame_count, fps, timestamps, size, tracked, source, notes)


def _tables(file, path):
    lacking = [name for name in TABLES if name not in file]
    if lacking:
        raise UserError(f"{path}: no {', '.join(lacking)} in it. Expected a SLEAP project; save it again with SLEAP")
    return {name: file[name][()] for name in TABLES}


def _about(file, path):
    """Names of joints by skeleton, names of tracks, and the videos, from the project's JSON."""
    try:
        metadata = json.loads(_text(file["metadata"].attrs["json"]))
        named = [str(node["name"]) for node in metadata["nodes"]]
        skeletons = [[named[node["id"]] for node in skeleton["nodes"]] for skeleton in metadata["skeletons"]]
        tracks = [str(json.loads(_text(line))[1]) for line in file["tracks_json"][()]] if "tracks_json" in file else []
        videos = [json.loads(_text(line)) for line in file["videos_json"][()]] if "videos_json" in file else []
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise UserError(
            f"{path}: its skeletons or tracks cannot be read ({error!r:.60}). Save it again with SLEAP"
        ) from None
    return {"skeletons": skeletons, "tracks": tracks, "videos": videos}


def _text(value):
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _walk(tables, about, path):
    frames, people = [], []
    instances, videos = tables["instances"], np.unique(tables["frames"]["video"])
    if sum(len(_numbers(frame, instances)) for frame in tables["frames"]) > len(instances):
        raise UserError(f"{path}: several of its frames have the same instances. Save it again with SLEAP")
    by_id = {int(instance["instance_id"]): instance for instance in instances}
    made_from = {int(one["from_predicted"]) for one in instances if one["instance_type"] == USER}
    for frame in tables["frames"]:
        key = (f"video {frame['video']}" if len(videos) > 1 else "", int(frame["frame_idx"]))
        frames.append(key)
        for number in _numbers(frame, instances):
            instance = by_id.get(number, instances[number])
            if instance["instance_type"] != USER and number in made_from:
                continue
            where = f"frame {key[1]}, instance {number}"
            track = int(instance["track"])
            name = about["tracks"][track] if 0 <= track < len(about["tracks"]) else None
            people.append(Person(key, [_slot(instance, tables, about, f"{path}: {where}")], where, name))
    shape = (about["videos"][0].get("backend") or {}).get("shape") if about["videos"] else None
    size = (int(shape[2]), int(shape[1])) if isinstance(shape, list) and len(shape) == 4 and shape[1] else None
    return Walk(frames, people, image_size=size)


def _numbers(frame, instances):
    """The numbers of a frame's instances."""
    return range(max(int(frame["instance_id_start"]), 0), min(int(frame["instance_id_end"]), len(instances)))


def _slot(instance, tables, about, where):
    predicted = instance["instance_type"] != USER
    table = tables["pred_points" if predicted else "points"]
    first, last = int(instance["point_id_start"]), int(instance["point_id_end"])
    skeleton = int(instance["skeleton"])
    names = about["skeletons"][skeleton] if 0 <= skeleton < len(about["skeletons"]) else []
    if first < 0 or last > len(table) or last - first != len(names) or not names:
        raise UserError(
            f"{where}: {last - first} points for {len(names)} nodes of its skeleton. Save it again with SLEAP"
        )
    points = table[first:last]
    poses = np.stack([points["x"], points["y"]], axis=-1).astype(np.float64)
    poses[~points["visible"] | ~np.isfinite(poses).all(axis=-1)] = np.nan
    confidence = np.nan_to_num(points["score"].astype(np.float64)) if predicted else None

    def put(values, changed):
        for axis, name in enumerate("xy"):
            column = table[name]
            column[first:last][changed[:, axis]] = values[changed[:, axis], axis]

    part = Part("body", "2D", layout_of_names(names), joint_names(names), "px")
    return Slot(part, poses, confidence, put)


def write(pose_file, refined, output_path):
    source = pose_file.source
    buffer, file = open_copy(source["content"], source["path"], "r+")
    with file:
        tables = _tables(file, source["path"])
        put_back(_walk(tables, source["about"], source["path"]).people, source["places"], refined, pose_file.repaired)
        for name in ("points", "pred_points"):
            if len(tables[name]):
                file[name][...] = tables[name]
    write_bytes(output_path, buffer.getvalue())
