"""SAM 3D Body's outputs over a video: for each frame a list of people {pred_keypoints_2d [70, 2], pred_keypoints_3d [70, 3], …}.

As its estimator returns them for an image, collected by scripts in a pickle or JSON: a list of such lists, or one by frame name.
Key points are MHR-70's; those in space are in metres about the person (pred_cam_t places them). The parameters of the mesh and its
vertices are left as they are.
"""

import numpy as np

from ..errors import UserError
from . import joblib_file, json_files
from .json_numbers import numbers, short
from .numbering import first_id, number_frames
from .people import build
from .records import Part, Person, Slot, Walk
from .smpl_common import content_of, is_pickle
from .tracks import JOINT_NAMES, PoseFile

SETS = (("pred_keypoints_2d", 2, Part("body", "2D", "mhr70", JOINT_NAMES["mhr70"], "px")),
        ("pred_keypoints_3d", 3, Part("body_3d", "3D", "mhr70", JOINT_NAMES["mhr70"], "m")))  # fmt: skip
IDS = ("track_id", "id", "person_id", "obj_id")


def sniff(opened):
    if opened.is_folder:
        return False
    return _looks(content_of(opened)) if is_pickle(opened) else opened.is_json and _looks(opened.tree)


def _frames(tree):
    """[(label, its people)]"""
    return list(tree.items()) if isinstance(tree, dict) else list(enumerate(tree)) if isinstance(tree, list) else []


def _people(frame):
    """The people of a frame: a list, or under `outputs` or `people`, or one alone."""
    if isinstance(frame, dict):
        if any(key in frame for key, *_ in SETS):
            return [frame]
        frame = next((frame[key] for key in ("outputs", "people", "persons") if isinstance(frame.get(key), list)), [])
    return frame if isinstance(frame, list) else []


def _looks(tree):
    people = [person for _, frame in _frames(tree) for person in _people(frame)]
    return bool(people) and all(isinstance(one, dict) and any(key in one for key, *_ in SETS) for one in people)


def _walk(tree, path, image_size=None):
    entries = _frames(tree)
    frames = number_frames([label for label, _ in entries], path)
    people = []
    for frame, (label, found) in zip(frames, entries):
        for number, person in enumerate(_people(found)):
            where = f"frame {label}, person {number}"
            if not isinstance(person, dict):
                raise UserError(f"{path}: {where}: {type(person).__name__}. Expected an object with pred_keypoints_3d")
            slots = [
                _slot(person, key, dims, part, f"{path}: {where}, {key}") for key, dims, part in SETS if key in person
            ]
            identity = next((first_id(person[key]) for key in IDS if key in person), None)
            people.append(Person(frame, slots, where, identity))
    return Walk(frames, people)


def _slot(person, key, dims, part, where):
    points = person[key]
    array = points if isinstance(points, np.ndarray) else numbers(points, where, 2)
    if array.ndim != 2 or array.shape[0] != 70 or array.shape[1] < dims or array.dtype.kind not in "iuf":
        raise UserError(f"{where}: shape {list(array.shape)}. Expected [70, {dims}], the key points of MHR-70")
    poses = array[:, :dims].astype(np.float64)
    poses[~np.isfinite(poses).all(axis=1)] = np.nan

    def put(values, changed):
        if isinstance(points, np.ndarray):
            new = points.copy()  # what was read stays
            new[:, :dims][changed] = values[changed]
            person[key] = new
            return
        for joint, axis in zip(*np.nonzero(changed)):
            points[joint][axis] = short(float(values[joint, axis]))

    return Slot(part, poses, None, put)


def read(opened, image_size=None, fps=None):
    if not is_pickle(opened):
        return json_files.read("sam3d_body", _walk, opened, image_size, fps)
    content = content_of(opened)
    tracks, places, count, tracked, _, notes = build(opened.path, _walk(content, opened.path), fps)
    source = {"unpickled": content, "path": opened.path, "places": places}
    return PoseFile("sam3d_body", tracks, count, fps, None, image_size, tracked, source, notes)


def write(pose_file, refined, output_path):
    source = pose_file.source
    if "unpickled" not in source:
        return json_files.write(_walk, pose_file, refined, output_path)
    content = _copied(source["unpickled"])
    json_files.put_back(_walk(content, source["path"]).people, source["places"], refined, pose_file.repaired)
    joblib_file.dump(output_path, content)
    return []


def _copied(tree):
    """Containers anew, arrays as they are."""
    if isinstance(tree, dict):
        return {key: _copied(value) for key, value in tree.items()}
    return [_copied(value) for value in tree] if isinstance(tree, list) else tree
