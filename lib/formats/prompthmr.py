"""PromptHMR's results.pkl: {"people": {id: {frames, smplx_cam, smplx_world, …}}}, each with pose [F, 66 or more], shape, trans.

Poses are SMPL-X's (55 joints, root and 21 of the body first); jaw, eyes and hands are left as they are. `rotmat` [F, J, 3, 3] holds
the same rotations and follows; `verts` and `joints`, which would no longer fit, are removed. Written as a plain pickle.
"""

import copy

import numpy as np
from scipy.spatial.transform import Rotation

from ..errors import UserError
from . import joblib_file
from .smpl_common import array_of, content_of, frames_of, is_pickle, merged, of_dicts, one_body, shape_of, spread
from .tracks import PoseFile

FRAMES_OF = (("smplx_cam", "body"), ("smplx_world", "world"))
BODY = 22  # joints of SMPL-X that are refined
FOLLOWS = ("verts", "joints")


def sniff(opened):
    return is_pickle(opened) and _people(content_of(opened)) is not None


def _people(content):
    """{id: person} of a PromptHMR file, or None."""
    people = content.get("people") if isinstance(content, dict) else None
    if not of_dicts(people) or not all(any(key in person for key, _ in FRAMES_OF) for person in people.values()):
        return None
    return people


def read(opened, image_size=None, fps=None):
    content = content_of(opened)
    people = _people(content)
    if people is None:
        raise UserError(
            f"{opened.path}: no people with smplx_cam or smplx_world in it. Expected PromptHMR's results.pkl"
        )
    tracks, places, notes = [], [], []
    for identity, person in people.items():
        for key, part in FRAMES_OF:
            where = f"{opened.path}: person {identity}, {key}"
            body = person.get(key)
            if not isinstance(body, dict):
                continue
            shape = shape_of(body.get("pose"))
            if len(shape) != 2 or shape[1] < 3 * BODY or shape[1] % 3 or not shape[0]:
                raise UserError(f"{where}: pose has shape {list(shape)}. Expected [F, 165] axis-angle of SMPL-X")
            pose = body["pose"][:, : 3 * BODY].astype(np.float64)
            pose = np.where(np.isfinite(pose), pose, np.nan)
            if np.isnan(pose).all():
                continue
            frames, note = frames_of(person.get("frames"), len(pose), where)
            notes += note
            betas = array_of(body, "shape", 10, where) if shape_of(body.get("shape")) == (len(pose), 10) else None
            translation = array_of(body, "trans", 3, where, len(pose))
            tracks.append(spread(identity, frames, pose, betas, translation, part, len(people) > 1))
            places.append((identity, key, frames - frames[0]))
    if not tracks:
        raise UserError(f"{opened.path}: no person with a finite pose. Nothing can be refined")
    source = {"content": content, "places": places, "originals": [track.poses.copy() for track in tracks]}
    count = max(track.start + len(track.poses) for track in tracks)
    return PoseFile("prompthmr", tracks, count, fps, None, image_size, True, source, list(dict.fromkeys(notes)))


def write(pose_file, refined, output_path, translations=None):
    """Returns the names of what was removed."""
    source, removed = pose_file.source, {}
    refined = one_body(refined, pose_file.tracks, source["originals"])
    content = copy.copy(source["content"])
    people = content["people"] = dict(content["people"])
    for number, (identity, key, inside) in enumerate(source["places"]):
        old, track = people[identity][key], pose_file.tracks[number]
        values, original = refined[number][inside], source["originals"][number][inside]
        new = dict(old)
        pose = merged(np.ascontiguousarray(old["pose"][:, : 3 * BODY]), values, original)
        new["pose"] = np.concatenate([pose, old["pose"][:, 3 * BODY :]], axis=1)
        if translations is not None and translations[number] is not None and track.translation is not None:
            new["trans"] = merged(old["trans"], translations[number][inside], track.translation[inside])
        if np.array_equal(new["pose"], old["pose"], equal_nan=True) and new.get("trans") is old.get("trans"):
            continue
        turned = np.isfinite(values).all(axis=-1) & (values != original).any(axis=-1)
        rotations = shape_of(old.get("rotmat"))
        if len(rotations) == 4 and rotations[0] == len(pose) and rotations[1] >= BODY and rotations[2:] == (3, 3):
            new["rotmat"] = old["rotmat"].copy()
            new["rotmat"][:, :BODY][turned] = Rotation.from_rotvec(values[turned]).as_matrix()
        for name in FOLLOWS:
            if new.pop(name, None) is not None:
                removed.setdefault(name)
        people[identity] = people[identity] | {key: new}
    joblib_file.dump(output_path, content)
    return list(removed)
