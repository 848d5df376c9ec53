"""ROMP's and BEV's video_results.npz: one object `results`, {frame's name: arrays over the P people of the frame}.

smpl_thetas [P, 72] holds SMPL's rotations, which global_orient and body_pose repeat; track_ids [P] only where ROMP followed people.
`sequence_results` holds the same by person. What follows from the rotations (verts, joints, pj2d_org) is removed where any changed.
"""

import copy

import numpy as np

from ..errors import UserError
from ..files import write_npz
from . import grids, json_files
from .assign import assign
from .numbering import first_id, number_frames
from .people import build
from .records import Part, Person, Slot, Walk
from .smpl_common import shape_of
from .tracks import PoseFile

THETAS = "smpl_thetas"
TWINS = {"global_orient": slice(0, 3), "body_pose": slice(3, 72)}  # of the columns of THETAS
FOLLOWING = ("verts", "joints", "pj2d", "pj2d_org", "verts_camed", "verts_camed_org")
EXPECTED = "Expected ROMP's video_results.npz, {frame: {smpl_thetas [P, 72], …}}"


def sniff(opened):
    results = _object(opened.arrays, "results") if opened.is_zip else None
    if not isinstance(results, dict):
        return False
    return THETAS in results or any(isinstance(frame, dict) and THETAS in frame for frame in results.values())


def _object(arrays, key):
    """The Python object under a key, None where there is none."""
    array = arrays.get(key)
    return array.item() if array is not None and array.dtype.hasobject and array.ndim == 0 else None


def read(opened, image_size=None, fps=None):
    arrays, path = opened.arrays, opened.path
    results = _object(arrays, "results")
    if isinstance(results, dict) and THETAS in results:
        raise UserError(
            f"{path}: the people of one frame. Give video_results.npz, which ROMP writes beside the frames of a video"
        )
    walk = _walk(results, path)
    tracks, places, count, _, _, notes = build(path, walk, fps)
    tracked = not walk.notes
    source = {"arrays": arrays, "places": places, "path": path, "compressed": grids.is_compressed(path)}
    return PoseFile("romp", tracks, count, fps, None, image_size, tracked, source, notes)


def _walk(results, path):
    if not isinstance(results, dict) or not results:
        raise UserError(f"{path}: no frame under results. {EXPECTED}")
    names = number_frames([str(name) for name in results], path)
    ids = _ids(results, path)
    result = Walk(names, [])
    if any("track_ids" not in frame for frame in results.values() if _count(frame, path)):
        result.notes.append(
            "the file has no track_ids: people were followed by their places (romp --temporal_optimize writes them)"
        )
    for (name, frame), number, people in zip(results.items(), names, ids):
        for index, identity in enumerate(people):
            where = f"{path}: frame {name}, person {index}"
            values = frame[THETAS][index].astype(np.float64).reshape(24, 3)
            values[~np.isfinite(values).all(axis=1)] = np.nan
            slot = Slot(Part("body", "smpl", "smpl24"), values, None, _putter(frame[THETAS], index))
            result.people.append(Person(number, [slot], where, identity))
    return result


def _count(frame, path):
    """How many people a frame holds. Raises UserError for a frame that is none."""
    shape = shape_of(frame.get(THETAS)) if isinstance(frame, dict) else None
    if not isinstance(frame, dict) or THETAS in frame and (len(shape) != 2 or shape[1] != 72):
        raise UserError(f"{path}: a frame without {THETAS} [P, 72]. {EXPECTED}")
    return shape[0] if shape else 0


def _ids(results, path):
    """[[id of each person]] of each frame: track_ids, else who is where the same one was."""
    frames = list(results.values())
    counts = [_count(frame, path) for frame in frames]
    there = [frame for frame, count in zip(frames, counts) if count]
    if all(shape_of(frame.get("track_ids")) == shape_of(frame[THETAS])[:1] for frame in there):
        return [
            [first_id(identity) for identity in frame["track_ids"].tolist()] if count else []
            for frame, count in zip(frames, counts)
        ]
    if max(counts) <= 1:
        return [[0] * count for count in counts]
    for frame, count in zip(frames, counts):
        shapes = [shape_of(frame.get(key)) for key in ("joints", "cam_trans")]
        if count and (len(shapes[0]) != 3 or shapes[0][0] != count or shapes[0][2] != 3 or shapes[1] != (count, 3)):
            raise UserError(
                f"{path}: several people in a frame, and neither track_ids nor joints and cam_trans tell who is who. Run romp with "
                "--temporal_optimize"
            )
    joints = {frame["joints"].shape[1] for frame in there}
    if len(joints) > 1:
        raise UserError(f"{path}: frames of {sorted(joints)} joints. Write the file again with one version of ROMP")
    empty = np.zeros((0, joints.pop(), 3))
    found = assign(
        [frame["joints"] + frame["cam_trans"][:, None] if count else empty for frame, count in zip(frames, counts)]
    )
    return [people.tolist() for people in found]


def _putter(thetas, index):
    def put(values, changed):
        thetas[index][changed.ravel()] = values[changed]

    return put


def write(pose_file, refined, output_path):
    """Returns the names of what was removed."""
    source, removed = pose_file.source, {}
    arrays = dict(source["arrays"])
    results = copy.deepcopy(_object(arrays, "results"))
    before = {name: frame[THETAS].copy() for name, frame in results.items() if THETAS in frame}
    json_files.put_back(_walk(results, source["path"]).people, source["places"], refined, pose_file.repaired)
    if any(not np.array_equal(results[name][THETAS], old, equal_nan=True) for name, old in before.items()):
        for name, old in before.items():
            _follow(results[name], old, removed)
        arrays["results"] = _wrapped(results)
        if "sequence_results" in arrays:
            by_person = _by_person(results, _object(arrays, "sequence_results"))
            if by_person is None:
                del arrays["sequence_results"]
                removed["sequence_results"] = None
            else:
                arrays["sequence_results"] = _wrapped(by_person)
    write_npz(output_path, arrays, source["compressed"])
    return list(removed)


def _wrapped(content):
    array = np.array(None, dtype=object)
    array[()] = content
    return array


def _follow(frame, old, removed):
    """Make what repeats the rotations repeat the new ones; what follows from them is removed, and noted in `removed`."""
    for key, columns in TWINS.items():
        if shape_of(frame.get(key)) == old[:, columns].shape and np.array_equal(frame[key], old[:, columns]):
            frame[key] = frame[THETAS][:, columns].astype(frame[key].dtype)
    for key in FOLLOWING:
        if frame.pop(key, None) is not None:
            removed.setdefault(key)


def _by_person(results, old):
    """`sequence_results` made anew: {track id: {frame_id, and a list of each array's rows}}; None where there are none to make."""
    if not isinstance(old, dict) or any(
        len(shape_of(frame.get("track_ids"))) != 1 for frame in results.values() if frame
    ):
        return None
    people = {}
    for number, frame in enumerate(results.values()):
        for index, identity in enumerate(frame["track_ids"].tolist() if frame else ()):
            rows = people.setdefault(identity, {"frame_id": []})
            rows["frame_id"].append(number)
            for key, values in frame.items():
                if shape_of(values)[:1] != shape_of(frame["track_ids"]):
                    return None
                rows.setdefault(key, []).append(values[index])
    return people
