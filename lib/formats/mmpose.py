"""MMPose: JSON of the 1.x inferencer and demos, and the nested result lists of 0.x in a file or in memory.

1.x: a list of {frame_id, instances}, the same under `instance_info` beside `meta_info`, or one list of
instances an image (a folder of them is a clip). 0.x: a list of frames, each a list of {keypoints [K, C],
track_id, bbox, …}.
"""

import copy

import numpy as np

from ..errors import UserError
from .json_files import put_back
from .json_numbers import numbers, scores_beside, short, swap_points, unwrapped
from .numbering import first_id, number_frames
from .people import build
from .records import Part, Person, Walk, nested_slots, set_units, slots
from .tracks import PoseFile, joint_name, layout_of_count, layout_of_names


def sniff(opened):
    """1.x."""
    if not opened.is_json:
        return False
    tree = opened.sample
    if isinstance(tree, dict):
        return "instance_info" in tree
    if not isinstance(tree, list) or not tree or not isinstance(tree[0], dict):
        return False
    return "instances" in tree[0] or ("keypoints" in tree[0] and "keypoint_scores" in tree[0])


def walk(tree, path, image_size=None):
    """1.x."""
    if isinstance(tree, dict) and "instance_info" not in tree:  # a folder
        frames, names = [], None
        for name, part in tree.items():
            found, names = _frames(part)
            if not isinstance(found, list) or len(found) > 1 or found and not isinstance(found[0], dict):
                raise UserError(f"{path / name}: not the instances of one image. Give MMPose's video results as a file")
            frames.append({"frame_id": name, "instances": found[0].get("instances") if found else []})
    else:
        frames, names = _frames(tree)
    if not isinstance(frames, list):
        raise UserError(f"{path}: no list of frames. Expected MMPose's [{{frame_id, instances}}, …]")
    for number, frame in enumerate(frames):
        if not isinstance(frame, dict) or not isinstance(frame.get("instances"), (list, type(None))):
            raise UserError(f"{path}: frame {number}: no list 'instances'. Expected MMPose's {{frame_id, instances}}")
    labels = number_frames([frame.get("frame_id", number) for number, frame in enumerate(frames)], path)
    result = Walk(labels, [])
    for label, frame in zip(labels, frames):
        for index, instance in enumerate(frame.get("instances") or []):
            where = f"{path}: frame {frame.get('frame_id', label[1])}, instance {index}"
            if not isinstance(instance, dict) or "keypoints" not in instance:
                raise UserError(f"{where}: no keypoints. Expected MMPose's {{keypoints, keypoint_scores}}")
            points = unwrapped(instance["keypoints"], 2)
            scores = scores_beside(instance, len(points), where) if isinstance(points, list) else None
            result.people.append(
                Person(
                    label,
                    nested_slots(points, scores, _part(points, names), f"{where}, keypoints", record=instance),
                    where,
                    first_id(instance.get("track_id")),
                )
            )
    set_units(result, image_size)
    return result


def _frames(tree):
    """([{frame_id, instances}, …], joint names or None) of one file."""
    names = None
    if isinstance(tree, dict):
        tree, names = tree.get("instance_info"), _joint_names(tree.get("meta_info"))
    if isinstance(tree, list) and tree and isinstance(tree[0], dict) and "keypoints" in tree[0]:
        tree = [{"frame_id": 0, "instances": tree}]  # an image: the instances themselves
    return tree, names


def _part(points, names):
    if not isinstance(points, list):
        return Part("body")  # refused where the numbers are read
    dims = len(points[0]) if points and isinstance(points[0], list) else 2
    kind = "3D" if dims == 3 else "2D"
    if names is not None and len(names) == len(points):
        return Part("body", kind, layout_of_names(names), names)
    return Part("body", kind, layout_of_count(len(points), dims))


def _joint_names(meta):
    names = meta.get("keypoint_id2name") if isinstance(meta, dict) else None
    if not isinstance(names, dict):
        return None
    try:
        return tuple(joint_name(name) for _, name in sorted(names.items(), key=lambda item: int(item[0])))
    except ValueError:
        return None


def sniff_nested(opened):
    """0.x."""
    if opened.is_folder or not opened.is_json or not isinstance(opened.tree, list):
        return False
    first = next((frame for frame in opened.tree if frame), None)
    return (
        isinstance(first, list)
        and isinstance(first[0], dict)
        and any(_of_numbers(first[0].get(key)) for key in ("keypoints", "keypoints_3d"))
    )


def _of_numbers(points):
    """Whether these are key points as lists of numbers, and not {x, y, …} as TensorFlow.js writes them."""
    return points is not None and not (isinstance(points, list) and points and isinstance(points[0], dict))


def walk_nested(tree, path, image_size=None, dims=None):
    """0.x. dims: how many columns of `keypoints` are coordinates; by default 2 of up to 3, 3 of 4."""
    if not isinstance(tree, list) or any(not isinstance(frame, list) for frame in tree):
        raise UserError(f"{path}: not a list of frames, each a list of people. Expected MMPose 0.x results")
    result = Walk([("", number) for number in range(len(tree))], [])
    for number, frame in enumerate(tree):
        for index, person in enumerate(frame):
            where = f"{path}: frame {number}, person {index}"
            if not isinstance(person, dict) or not ("keypoints" in person or "keypoints_3d" in person):
                raise UserError(f"{where}: no keypoints. Expected MMPose 0.x results {{keypoints: [K, 3], …}}")
            found = []
            for key, name, count in (("keypoints", "body", dims), ("keypoints_3d", "body_3d", 3)):
                if key in person:
                    found += _nested_person(person, key, name, count, f"{where}, {key}")
            result.people.append(Person(("", number), found, where, first_id(person.get("track_id"))))
    set_units(result, image_size)
    return result


def _nested_person(person, key, name, dims, where):
    values = person[key]
    if isinstance(values, np.ndarray):
        if values.ndim != 2 or values.dtype.kind not in "iuf":
            raise UserError(f"{where}: shape {values.shape} of {values.dtype}. Expected numbers [K, C]")
        array = values.astype(np.float64)
    else:
        array = numbers(values, where, 2)
    if not len(array):
        return []
    columns = array.shape[1]
    beside = scores_beside(person, len(array), where) if name == "body" else None
    dims = dims or (3 if columns == 4 or columns == 3 and beside is not None else 2)
    if columns not in (dims, dims + 1):
        raise UserError(f"{where}: {columns} columns for {dims} coordinates and a score. Expected [K, {dims + 1}]")
    kind = "3D" if dims == 3 else "2D"
    part = Part(name, kind, layout_of_count(len(array), dims))

    def put(joint, axis, value):
        if isinstance(person[key], np.ndarray) and person[key].dtype.kind != "f":
            person[key] = person[key].astype(np.float64)  # refined coordinates are no integers
        person[key][joint][axis] = value if isinstance(person[key], np.ndarray) else short(value)

    def swap(left, right):
        swap_points(person[key], left, right, person if beside is not None else None)

    return slots(array[:, :dims], array[:, dims] if columns > dims else beside, part, put, swap)


def from_nested(results, dims=None, fps=None, image_size=None):
    """A PoseFile of MMPose 0.x results in memory: frames of people of {'keypoints': [K, C], 'track_id', …}.

    Arrays or lists; dims: coordinates among the C columns (default: 2 of up to 3, 3 of 4), the next is the
    score.
    """
    walk = walk_nested(copy.deepcopy(results), "results", image_size, dims)
    tracks, places, frame_count, tracked, timestamps, notes = build("results", walk, fps)
    source = {"results": copy.deepcopy(results), "dims": dims, "image_size": image_size, "places": places}
    return PoseFile("mmpose0", tracks, frame_count, fps, timestamps, image_size, tracked, source, notes)


def to_nested(pose_file, refined):
    """The results that `from_nested` took, copied, with refined coordinates: the same nesting and columns.

    refined: arrays aligned with the tracks' poses. Integer arrays become float64.
    """
    source = pose_file.source
    results = copy.deepcopy(source["results"])
    walk = walk_nested(results, "results", source["image_size"], source["dims"])
    put_back(walk.people, source["places"], refined, pose_file.repaired)
    return results
