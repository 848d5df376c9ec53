"""GVHMR's hmr4d_results.pt: one person, root and 21 body rotations, in the camera's and in the world's frame."""

import copy

import numpy as np

from ..errors import UserError
from . import torch_files
from .smpl_common import array_of, betas_of, merged, one_body, spread
from .tracks import PoseFile

KEYS = {"smpl_params_incam", "smpl_params_global"}


def sniff_gvhmr(opened):
    return torch_files.is_torch(opened) and _is_gvhmr(torch_files.loaded(opened))


def _is_gvhmr(content):
    return isinstance(content, dict) and not KEYS.isdisjoint(content)


def read_gvhmr(opened, image_size=None, fps=None):
    """One person, 22 rotations (the root and SMPL-X's 21), in the camera's and in the world's frame."""
    import torch  # only this kind of file needs it, and it takes seconds

    path = opened.path
    content = torch_files.loaded(opened)
    if not _is_gvhmr(content):
        raise UserError(f"{path}: no smpl_params_incam or smpl_params_global in it. Expected GVHMR's hmr4d_results.pt")
    tracks, places = [], []
    for key, part in (("smpl_params_incam", "body"), ("smpl_params_global", "world")):
        if key not in content:
            continue
        where = f"{path}: {key}"
        numbers = {
            name: value.detach().numpy()
            for name, value in content[key].items()
            if isinstance(value, torch.Tensor) and value.dtype.is_floating_point
        }
        body = array_of(numbers, "body_pose", 63, where)
        if body is None or "global_orient" not in numbers or not len(body):
            raise UserError(f"{where}: no global_orient [L, 3] and body_pose [L, 63]. Expected GVHMR's results")
        root = array_of(numbers, "global_orient", 3, where, len(body))
        pose = np.concatenate([root, body], axis=1)
        if np.isnan(pose).all():
            raise UserError(f"{where}: every rotation is NaN. Nothing can be refined")
        tracks.append(
            spread(
                0,
                np.arange(len(body)),
                pose,
                betas_of(numbers, len(body), where),
                array_of(numbers, "transl", 3, where, len(body)),
                part,
                False,
            )
        )
        places.append(key)
    source = {"content": content, "places": places, "originals": [track.poses.copy() for track in tracks]}
    notes = [] if fps else ["GVHMR files carry no frame rate: 30 a second, to which it re-times its input"]
    frames = max(len(track.poses) for track in tracks)
    return PoseFile("gvhmr", tracks, frames, fps or 30.0, None, image_size, True, source, notes)


def write_gvhmr(pose_file, refined, output_path, derived=None, translations=None):
    import torch

    source = pose_file.source
    refined = one_body(refined, pose_file.tracks, source["originals"])
    content = copy.copy(source["content"])
    for number, key in enumerate(source["places"]):
        params, track = copy.copy(content[key]), pose_file.tracks[number]
        values = {
            "global_orient": (refined[number][:, :1], source["originals"][number][:, :1]),
            "body_pose": (refined[number][:, 1:], source["originals"][number][:, 1:]),
        }
        if translations is not None and translations[number] is not None and track.translation is not None:
            values["transl"] = (translations[number], track.translation)
        for name, pair in values.items():
            old = params[name].detach().numpy()
            new = merged(old, *pair)
            params[name] = params[name] if new is old else torch.from_numpy(new)
        content[key] = params
    torch_files.write(output_path, content)
    return []
