"""VIBE and WHAM pickles: {person id: {pose [F, 72], betas, frame_ids, …}}, WHAM's with pose_world too.

Pickles are written back as plain pickles (`pickle.load` and `joblib.load` read them), values equal. What depends on the pose
(`smpl_common.DERIVED`) is replaced by the caller's or removed if any pose changed. WHAM gives each person twice, in the
camera's and in the world's frame, with one body: two tracks, and where the file has the same body rotations in both, the
camera track's refined ones are written to both.
"""

import copy

import numpy as np

from ..errors import UserError
from . import joblib_file
from .smpl_common import (
    all_have,
    array_of,
    betas_of,
    content_of,
    frames_of,
    merged,
    of_dicts,
    one_body,
    spread,
    with_derived,
)
from .tracks import PoseFile


def sniff_vibe(opened):
    return all_have(opened, "pose") and not all_have(opened, "pose_world")


def sniff_wham(opened):
    return all_have(opened, "pose", "pose_world")


def read_vibe(opened, image_size=None, fps=None, format_name="vibe"):
    """One track a person, of the camera's frame; WHAM's file has one of the world's frame too."""
    content = content_of(opened)
    tracks, places, notes = [], [], []
    if not of_dicts(content):
        raise UserError(f"{opened.path}: no person in it. Expected {{track id: {{pose, betas, frame_ids, …}}}}")
    for identity, person in content.items():
        where = f"{opened.path}: person {identity}"
        if person.get("pose") is None:
            raise UserError(f"{where}: no 'pose' in it. Expected pose [F, 72] axis-angle")
        length = len(array_of(person, "pose", 72, where))
        if not length:
            continue
        frames, note = frames_of(person.get("frame_ids"), length, where)
        notes += note
        for key, trans, part in (("pose", "trans", "body"), ("pose_world", "trans_world", "world")):
            pose = array_of(person, key, 72, where, length)
            if pose is None or np.isnan(pose).all():
                continue
            betas = betas_of(person, length, where)
            translation = array_of(person, trans, 3, where, length)
            track = spread(identity, frames, pose, betas, translation, part, len(content) > 1)
            tracks.append(track)
            places.append((identity, key, trans, frames - frames[0]))
    if not tracks:
        raise UserError(f"{opened.path}: no person with a finite pose. Nothing can be refined")
    source = {"content": content, "places": places, "originals": [track.poses.copy() for track in tracks]}
    count = max(track.start + len(track.poses) for track in tracks)
    notes = list(dict.fromkeys(notes))
    return PoseFile(format_name, tracks, count, fps, None, image_size, True, source, notes)


def read_wham(opened, image_size=None, fps=None):
    return read_vibe(opened, image_size, fps, "wham")


def write_vibe(pose_file, refined, output_path, derived=None, translations=None):
    """derived: {field: one array a track, or None}, rows as the track's frames. Returns the names removed."""
    source, removed = pose_file.source, {}
    refined = one_body(refined, pose_file.tracks, source["originals"])
    content = copy.copy(source["content"])
    for number, (identity, key, trans, inside) in enumerate(source["places"]):
        person, track = content[identity], pose_file.tracks[number]
        values = {key: (refined[number][inside], source["originals"][number][inside])}
        if translations is not None and translations[number] is not None and track.translation is not None:
            values[trans] = (translations[number][inside], track.translation[inside])
        changed = {field: merged(person[field], *pair) for field, pair in values.items()}
        if any(changed[field] is not person[field] for field in changed):
            new = with_derived(person, derived, number, track.part, removed, inside)
            for field, array in changed.items():
                new[field] = array
            content[identity] = new
    joblib_file.dump(output_path, content)
    return list(removed)
