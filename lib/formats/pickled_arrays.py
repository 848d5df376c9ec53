"""Pickles, and .npy files of one object, of arrays by name, such as AIST++'s {smpl_poses, smpl_trans, smpl_scaling}: read as an .npz of the same names."""

import numpy as np

from ..errors import UserError
from . import arrays, joblib_file, rotation_arrays
from .smpl_common import content_of, is_pickle


def _arrays(content):
    """The numeric arrays of a pickled dict, or None where it is none."""
    if not isinstance(content, dict):
        return None
    found = {
        str(key): value for key, value in content.items() if isinstance(value, np.ndarray) and value.dtype.kind in "iuf"
    }
    return found or None


def _plain(content):
    """Single numbers, and lists of names, as arrays: a rate, the size of the image, the joints."""
    return {
        str(key): np.array(value)
        for key, value in content.items()
        if type(value) in (int, float)
        or isinstance(value, list | tuple)
        and value
        and all(isinstance(one, str) for one in value)
    }


def sniff(opened):
    if not is_pickle(opened):
        return False
    found = _arrays(content_of(opened))
    return bool(found) and (rotation_arrays.find(found) is not None or bool(arrays.pose_keys(found)))


def read(opened, image_size=None, fps=None, axes=None):
    content = content_of(opened)
    found = _arrays(content)
    keys = arrays.pose_keys(found) if found else []
    if not keys and (found is None or rotation_arrays.find(found) is None):
        raise UserError(
            f"{opened.path}: no arrays of poses by name in it. Expected such as smpl_poses [T, 72] and smpl_trans [T, 3]"
        )
    pose_file = arrays.of_arrays("pkl", opened.path, _plain(content) | found, keys, image_size, fps, axes)
    pose_file.source["content"] = content
    return pose_file


def write(pose_file, refined, output_path, translations=None):
    new = arrays.put_back(pose_file, refined, translations)
    content = pose_file.source["content"]
    kept = _plain(content)
    joblib_file.dump(
        output_path, {key: value if str(key) in kept else new.get(str(key), value) for key, value in content.items()}
    )
