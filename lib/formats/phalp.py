"""4D-Humans (PHALP) pickles: {frame path: {tid, tracked_time, smpl, …}}, rotations as matrices.

Written back as plain pickles; what depends on the pose is replaced by the caller's or removed if any pose changed.
"""

import copy

import numpy as np
from scipy.spatial.transform import Rotation

from ..errors import UserError
from . import joblib_file
from .numbering import number_frames, timeline
from .smpl_common import DERIVED, all_have, content_of, of_dicts, shape_of, spread
from .tracks import PoseFile


def sniff_phalp(opened):
    return all_have(opened, "tid", "smpl")


def read_phalp(opened, image_size=None, fps=None):
    """Tracks of the detections; entries that PHALP predicted (tracked_time > 0) are left as they are."""
    content = content_of(opened)
    if not of_dicts(content):
        raise UserError(f"{opened.path}: no frame in it. Expected PHALP's {{frame: {{tid, tracked_time, smpl, …}}}}")
    if all(isinstance(frame.get("time"), (int, np.integer)) for frame in content.values()):
        numbers = [int(frame["time"]) for frame in content.values()]
    else:
        numbers = [number for _, number in number_frames([str(name) for name in content], opened.path)]
    index, _ = timeline(numbers)
    entries = {}
    for (name, frame), number in zip(content.items(), numbers):
        where = f"{opened.path}: frame {name}"
        ids, smpl = frame.get("tid"), frame.get("smpl")
        waited = frame.get("tracked_time", [0] * len(ids) if isinstance(ids, list) else None)
        lists = {"tid": ids, "tracked_time": waited, "smpl": smpl}
        if not all(isinstance(value, list) and len(value) == len(ids) for value in lists.values()):
            counts = ", ".join(
                f"{len(value) if isinstance(value, list) else 'no'} {key}" for key, value in lists.items()
            )
            raise UserError(f"{where}: {counts} entries. Expected one of each for every person")
        for person, (identity, since) in enumerate(zip(ids, waited)):
            if not all(isinstance(value, (int, np.integer)) for value in (identity, since)):
                raise UserError(f"{where}, person {person}: tid or tracked_time is no whole number. Correct it")
            if since == 0:
                matrices = _matrices(frame["smpl"][person], f"{where}, person {person} (tid {identity})")
                entries.setdefault(int(identity), []).append((index[number], name, person, matrices))
    if not entries:
        raise UserError(
            f"{opened.path}: no detected person in any of the {len(content)} frames. Nothing can be refined"
        )
    tracks, places = [], []
    for identity, found in entries.items():
        found.sort(key=lambda entry: entry[0])
        frames = np.array([entry[0] for entry in found])
        if (np.diff(frames) <= 0).any():
            raise UserError(f"{opened.path}: tid {identity} stands twice in one frame. Remove one of the two")
        matrices = np.array([entry[3] for entry in found])  # [F, 24, 3, 3]
        rotations = Rotation.from_matrix(matrices.reshape(-1, 3, 3)).as_rotvec().reshape(len(found), -1)
        betas = [content[name]["smpl"][person].get("betas") for _, name, person, _ in found]
        betas = np.array(betas, dtype=np.float64) if all(shape_of(beta) == (10,) for beta in betas) else None
        tracks.append(spread(identity, frames, rotations, betas, None, "body", len(entries) > 1))
        places.append([(name, person, int(frame - frames[0])) for frame, name, person, _ in found])
    source = {"content": content, "places": places, "originals": [track.poses.copy() for track in tracks]}
    return PoseFile("phalp", tracks, max(index.values()) + 1, fps, None, image_size, True, source)


def _matrices(smpl, where):
    """Rotation matrices [24, 3, 3] of one person: the root's and the body's."""
    if not isinstance(smpl, dict) or "global_orient" not in smpl or "body_pose" not in smpl:
        raise UserError(f"{where}: smpl has no global_orient and body_pose. Write the file again with PHALP")
    pieces = []
    for key, joints in (("global_orient", 1), ("body_pose", 23)):
        value = smpl[key]
        if not isinstance(value, np.ndarray) or value.dtype.kind != "f" or value.shape != (joints, 3, 3):
            raise UserError(f"{where}: {key} has shape {list(shape_of(value))}. Expected matrices [{joints}, 3, 3]")
        pieces.append(value.astype(np.float64))
    matrices = np.concatenate(pieces)
    if not np.isfinite(matrices).all() or (np.linalg.det(matrices) <= 0).any():
        raise UserError(f"{where}: a rotation is NaN or no rotation. Remove this person's entry")
    return matrices


def write_phalp(pose_file, refined, output_path, derived=None):
    """As `write_vibe`."""
    source, removed = pose_file.source, {}
    content = copy.copy(source["content"])
    for number, places in enumerate(source["places"]):
        for name, person, frame in places:
            values, original = refined[number][frame], source["originals"][number][frame]
            changed = np.isfinite(values).all(axis=-1) & (values != original).any(axis=-1)
            if not changed.any():
                continue
            if content[name] is source["content"][name]:
                content[name] = copy.copy(content[name])
            entry = content[name]
            if entry["smpl"] is source["content"][name]["smpl"]:
                entry["smpl"] = list(entry["smpl"])
            matrices = Rotation.from_rotvec(values).as_matrix()
            smpl = copy.copy(entry["smpl"][person])
            for key, piece in (("global_orient", slice(0, 1)), ("body_pose", slice(1, 24))):
                smpl[key] = smpl[key].copy()
                smpl[key][changed[piece]] = matrices[piece][changed[piece]]
            entry["smpl"][person] = smpl
            for key in DERIVED:
                new = None if derived is None or derived.get(key) is None else derived[key][number]
                if key not in entry:
                    continue
                if new is None:
                    removed.setdefault(key)
                    continue
                if entry[key] is source["content"][name].get(key):
                    entry[key] = list(entry[key])
                old = entry[key][person]
                entry[key][person] = np.asarray(new[frame], dtype=getattr(old, "dtype", None))
    for name in content if removed else ():
        if any(key in content[name] for key in removed):
            content[name] = {key: value for key, value in content[name].items() if key not in removed}
    joblib_file.dump(output_path, content)
    return list(removed)
