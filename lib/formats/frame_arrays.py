"""Frames as a list of arrays, in a pickle, an object .npy or a file of torch.save, at will in a dict of such lists by name.

Each frame is [J, C], [P, J, C], a list of [J, C], or None; people may vary in number. C: two or three coordinates and a score at will.
"""

import copy

import numpy as np

from ..errors import UserError
from . import arrays, axes, sense, torch_files
from .grids import joint_confidence
from .joint_orders import layout_of_poses
from .json_files import put_back
from .people import build
from .pickled_arrays import content_of, dump, plain
from .records import Part, Person, Walk, set_units, slots
from .tracks import PoseFile


def _frames(content):
    """The list, or array of objects, of frames in a file's object; None where there is none."""
    keys = (*arrays.POSES, "kp", "frames")
    for frames in [content[key] for key in keys if key in content] if isinstance(content, dict) else [content]:
        objects = isinstance(frames, np.ndarray) and frames.ndim == 1 and frames.dtype.hasobject
        if (objects or isinstance(frames, list)) and len(frames) > 1:
            people = [_people(frames, number) for number in range(len(frames))]
            if None not in people and any(people):
                return frames
    return None


def _people(frames, number):
    """[(holder, key in it, person in that array or None)] of a frame; None where it is no frame."""
    frame = frames[number]
    if frame is None or isinstance(frame, np.ndarray) and not frame.size:
        return []
    if isinstance(frame, list):
        return [(frame, key, None) for key in range(len(frame))] if all(_is_pose(one, 2) for one in frame) else None
    if _is_pose(frame, 2):
        return [(frames, number, None)]
    return [(frames, number, person) for person in range(len(frame))] if _is_pose(frame, 3) else None


def _is_pose(value, ndim):
    number = isinstance(value, np.ndarray) and value.dtype.kind in "iuf"
    return number and value.ndim == ndim and value.shape[-2] > 2 and 2 <= value.shape[-1] <= 4


def sniff(opened):
    return _frames(content_of(opened)) is not None


def walk(content, path, image_size=None):
    """The `Walk` of a file's object."""
    frames = _frames(content)
    if frames is None:
        raise UserError(
            f"{path}: no list of frames, each an array of key points [J, 2 or 3] or [P, J, 2 or 3] (P people)"
        )
    crowds = [frame for frame in frames if isinstance(frame, np.ndarray) and frame.ndim == 3 and len(frame) > 4]
    if crowds and np.median([axes.roughness(crowd.astype(np.float64), 0) for crowd in crowds]) < axes.CLEARLY:
        raise UserError(
            f"{path}: a list of {len(frames)} clips [T, J, D], not of frames. Save each clip as a file of its own"
        )
    found = [(number, *place) for number in range(len(frames)) for place in _people(frames, number)]
    poses = [_points(holder, key, person).astype(np.float64) for _, holder, key, person in found]
    if len({pose.shape for pose in poses}) > 1:
        shapes = " and ".join(sorted({str(list(pose.shape)) for pose in poses})[:2])
        raise UserError(
            f"{path}: key points of different shapes ({shapes}). One file needs one key-point set; split it"
        )
    stacked = np.array(poses)
    meaning = sense.columns(stacked[None])
    if meaning is None:
        raise UserError(
            f"{path}: what the {stacked.shape[-1]} numbers of a key point are cannot be told. Save x, y, score or x, y, z"
        )
    dims, rated, _ = meaning
    result = Walk([("", number) for number in range(len(frames))], [])
    part = Part("body", f"{dims}D", layout_of_poses(stacked[None, ..., :dims], dims, result.notes))
    scores = [None] * len(poses) if rated is None else joint_confidence(stacked[..., rated])
    alone = all(len(_people(frames, number)) < 2 for number in range(len(frames)))
    for place, pose, score in zip(found, poses, scores):
        found_slots = slots(pose[:, :dims], score, part, *_writers(*place[1:]))
        where = f"{path}: frame {place[0]}"
        result.people.append(Person(("", place[0]), found_slots, where, 0 if alone else None))
    set_units(result, image_size)
    return result


def _points(holder, key, person):
    return holder[key] if person is None else holder[key][person]


def _writers(holder, key, person):
    """`put` and `swap` of `lib.formats.records.slots`."""

    def put(joint, axis, value):
        if holder[key].dtype.kind != "f":
            holder[key] = holder[key].astype(np.float64)  # refined coordinates are no whole numbers
        _points(holder, key, person)[joint, axis] = value

    def swap(left, right):
        points = _points(holder, key, person)
        points[[left, right]] = points[[right, left]]

    return put, swap


def read(opened, image_size=None, fps=None):
    content = content_of(opened)
    beside = plain(content)
    image_size = image_size or arrays.image_size_of(beside)
    found = walk(content, opened.path, image_size)
    tracks, places, frame_count, tracked, timestamps, notes = build(opened.path, found, fps)
    source = {
        "content": content,
        "places": places,
        "path": opened.path,
        "image_size": image_size,
        "torch": torch_files.is_torch(opened),
    }
    rate = fps or arrays.rate_of(beside)
    return PoseFile("frame_arrays", tracks, frame_count, rate, timestamps, image_size, tracked, source, notes)


def write(pose_file, refined, output_path):
    source = pose_file.source
    content = copy.deepcopy(source["content"])
    people = walk(content, source["path"], source["image_size"]).people
    put_back(people, source["places"], refined, pose_file.repaired)
    dump(pose_file, output_path, content)
