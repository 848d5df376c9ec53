"""TRAM's hps_track_N.npy: one person's tensors in an object .npy, pred_rotmat [F, 24, 3, 3], pred_pose [F, 144], pred_trans [F, 1, 3], frame [F].

`pred_pose` holds the first two columns of each rotation as the network gave them (6D); it follows where these make pred_rotmat.
Places and rotations are the camera's; camera.npy, which takes them into the world, is left as it is.
"""

import numpy as np
from scipy.spatial.transform import Rotation

from ..errors import UserError
from . import joblib_file
from .smpl_common import array_of, content_of, frames_of, is_pickle, merged, shape_of, spread
from .tracks import PoseFile

JOINTS = 24


def sniff(opened):
    content = content_of(opened) if is_pickle(opened) else None
    return isinstance(content, dict) and {"pred_rotmat", "pred_trans"} <= content.keys()


def read(opened, image_size=None, fps=None):
    content, path = content_of(opened), opened.path
    matrices = content.get("pred_rotmat") if isinstance(content, dict) else None
    shape = shape_of(matrices)
    if not shape or not shape[0] or matrices.size != shape[0] * JOINTS * 9:
        raise UserError(
            f"{path}: pred_rotmat has shape {list(shape)}. Expected [F, {JOINTS}, 3, 3], as TRAM's estimate_humans.py writes it"
        )
    matrices = np.asarray(matrices, dtype=np.float64).reshape(-1, 3, 3)
    known = np.isfinite(matrices).all(axis=(1, 2))
    known[known] = np.linalg.det(matrices[known]) > 0
    if not known.any():
        raise UserError(f"{path}: no rotation in pred_rotmat. Nothing can be refined")
    vectors = np.full((len(matrices), 3), np.nan)
    vectors[known] = Rotation.from_matrix(matrices[known]).as_rotvec()
    frames, notes = frames_of(content.get("frame"), shape[0], path)
    betas = array_of(content, "pred_shape", 10, path) if shape_of(content.get("pred_shape")) == (shape[0], 10) else None
    translation = array_of(content, "pred_trans", 3, path, shape[0])
    track = spread(0, frames, vectors.reshape(shape[0], -1), betas, translation, "body", False)
    source = {"content": content, "inside": frames - frames[0], "original": track.poses.copy()}
    return PoseFile("tram", [track], track.start + len(track.poses), fps, None, image_size, True, source, notes)


def write(pose_file, refined, output_path, translations=None):
    """Returns the names of what was removed."""
    source, removed = pose_file.source, []
    content, inside, track = dict(source["content"]), source["inside"], pose_file.tracks[0]
    values, original = refined[0][inside], source["original"][inside]
    turned = np.isfinite(values).all(axis=-1) & (values != original).any(axis=-1)
    if turned.any():
        old = content["pred_rotmat"].reshape(-1, JOINTS, 3, 3)
        new = old.copy()
        new[turned] = Rotation.from_rotvec(values[turned]).as_matrix()
        content["pred_rotmat"] = new.reshape(content["pred_rotmat"].shape)
        if shape_of(content.get("pred_pose")) == (len(old), JOINTS * 6):
            columns = content["pred_pose"].reshape(-1, JOINTS, 2, 3).copy()
            if np.abs(_matrices(columns) - old).max() < 1e-3:
                columns[turned] = new[turned].swapaxes(-1, -2)[:, :2]
                content["pred_pose"] = columns.reshape(len(old), -1)
            else:
                del content["pred_pose"]
                removed.append("pred_pose")
    if translations is not None and translations[0] is not None:
        content["pred_trans"] = merged(content["pred_trans"], translations[0][inside], track.translation[inside])
    joblib_file.dump(output_path, content)
    return removed


def _matrices(columns):
    """The rotations [..., 3, 3] of two columns each, [..., 2, 3]."""
    import torch

    from ..poses.rotations import matrix_from_6d

    rows = np.array(columns, dtype=np.float64).swapaxes(-1, -2)
    return matrix_from_6d(torch.from_numpy(np.ascontiguousarray(rows)).flatten(-2)).numpy()
