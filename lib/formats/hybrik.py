"""HybrIK's res.pk: arrays over the frames of one person: pred_thetas (24 rotation matrices), joints pred_xyz_17, _24_struct, _29.

Frames in which nobody was found are zeros. Joints in the image (pred_uvd) and cameras are left as they are. Written as a plain pickle.
"""

import numpy as np
from scipy.spatial.transform import Rotation

from ..errors import UserError
from ..poses.skeletons import LAYOUTS
from . import joblib_file
from .smpl_common import array_of, content_of, is_pickle, merged, shape_of, spread
from .tracks import PoseFile, Track

# Joints by name: the track's part, and their layout where it is one of ours.
JOINTS = {
    "pred_xyz_24_struct": ("joints_24", "smpl24"),
    "pred_xyz_17": ("joints_17", "h36m17"),
    "pred_xyz_29": ("joints_29", None),
}


def sniff(opened):
    content = content_of(opened) if is_pickle(opened) else None
    return isinstance(content, dict) and "pred_thetas" in content and any(key in content for key in JOINTS)


def read(opened, image_size=None, fps=None):
    content, path = content_of(opened), opened.path
    thetas = content.get("pred_thetas") if isinstance(content, dict) else None
    shape = shape_of(thetas)
    if not shape or not shape[0] or thetas.size != shape[0] * 24 * 9:
        raise UserError(
            f"{path}: pred_thetas has shape {list(shape)}. Expected [F, 24, 3, 3], as HybrIK writes them with --save-pk"
        )
    matrices = thetas.reshape(-1, 24, 3, 3).astype(np.float64)
    known = np.isfinite(matrices).all(axis=(1, 2, 3)) & (np.linalg.det(np.nan_to_num(matrices)) > 0).all(axis=1)
    if not known.any():
        raise UserError(f"{path}: no frame with rotations. Nothing can be refined")
    rotations = np.full((len(matrices), 24, 3), np.nan)
    rotations[known] = Rotation.from_matrix(matrices[known].reshape(-1, 3, 3)).as_rotvec().reshape(-1, 24, 3)
    frames = np.arange(len(matrices))
    betas = (
        array_of(content, "pred_betas", 10, path) if shape_of(content.get("pred_betas")) == (len(frames), 10) else None
    )
    translation = array_of(content, "transl", 3, path, len(frames)) if shape_of(content.get("transl")) else None
    tracks = [spread(0, frames, rotations.reshape(len(frames), -1), betas, translation, "body", False)]
    tracks[0].present = known
    places = ["pred_thetas"]
    for key, (part, layout) in JOINTS.items():
        array = content.get(key)
        if shape_of(array)[:1] != (len(frames),) or shape_of(array)[2:] != (3,):
            continue
        names = LAYOUTS[layout].joints if layout and array.shape[1] == LAYOUTS[layout].size else None
        poses = np.where(known[:, None, None], array.astype(np.float64), np.nan)
        poses[~np.isfinite(poses).all(axis=-1)] = np.nan
        if np.isfinite(poses).any():
            track = Track(0, f"person {part}", poses, None, "3D", layout if names else None, names, None, part)
            track.present = known
            tracks.append(track)
            places.append(key)
    source = {"content": content, "places": places, "originals": [track.poses.copy() for track in tracks]}
    size = [content.get(key) for key in ("width", "height")]
    if image_size is None and all(len(shape_of(value)) == 1 and len(value) for value in size):
        image_size = tuple(int(value[0]) for value in size) if all(value[0] > 0 for value in size) else None
    return PoseFile("hybrik", tracks, len(frames), fps, None, image_size, True, source)


def write(pose_file, refined, output_path, translations=None):
    source = pose_file.source
    content = dict(source["content"])
    for key, values, original in zip(source["places"], refined, source["originals"]):
        if key != "pred_thetas":
            content[key] = merged(content[key], values, original)
            continue
        turned = np.isfinite(values).all(axis=-1) & (values != original).any(axis=-1)
        matrices = content[key].reshape(-1, 24, 3, 3).copy()
        if turned.any():
            matrices[turned] = Rotation.from_rotvec(values[turned]).as_matrix()
            content[key] = matrices.reshape(content[key].shape)
    track = pose_file.tracks[0]
    if translations is not None and translations[0] is not None and track.translation is not None:
        content["transl"] = merged(content["transl"], translations[0], track.translation)
    joblib_file.dump(output_path, content)
    return []
