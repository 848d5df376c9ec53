"""Pickles, .npy files of one object and PyTorch's files that hold one array, or arrays by name such as AIST++'s {smpl_poses, smpl_trans, smpl_scaling}: read as an .npz of the same names."""

import numpy as np

from ..errors import UserError
from . import arrays, joblib_file, rotation_arrays, smpl_common, torch_files


def content_of(opened):
    """The object in a pickle, an .npy file of one object, or a file of torch.save; None of another file."""
    if torch_files.is_torch(opened):
        return torch_files.content_of(opened)
    return smpl_common.content_of(opened) if smpl_common.is_pickle(opened) else None


def dump(pose_file, output_path, content):
    """Write a file's object as it was written: `source["torch"]` tells which way."""
    write_object = torch_files.write if pose_file.source["torch"] else joblib_file.dump
    write_object(output_path, content)


def _arrays(content):
    """The numeric arrays of a pickled dict, or None where there is none; a bare array has no name."""
    content = _by_name(content)
    found = {
        str(key): value for key, value in content.items() if isinstance(value, np.ndarray) and value.dtype.kind in "iuf"
    }
    return found or None


def _by_name(content):
    bare = isinstance(content, np.ndarray) and 2 <= content.ndim <= 5
    return {"": content} if bare else content if isinstance(content, dict) else {}


def plain(content):
    """Single numbers, and lists of names, as arrays: a rate, the size of the image, the joints."""
    return {
        str(key): np.array(value)
        for key, value in _by_name(content).items()
        if type(value) in (int, float)
        or isinstance(value, list | tuple)
        and value
        and all(isinstance(one, str) for one in value)
    }


def sniff(opened):
    found = _arrays(content_of(opened))
    return bool(found) and ("" in found or rotation_arrays.find(found) is not None or bool(arrays.pose_keys(found)))


def read(opened, image_size=None, fps=None, axes=None):
    content = content_of(opened)
    found = _arrays(content)
    keys = [""] if found and "" in found else arrays.pose_keys(found) if found else []
    if not keys and (found is None or rotation_arrays.find(found) is None):
        raise UserError(
            f"{opened.path}: no arrays of poses by name in it. Expected such as smpl_poses [T, 72] and smpl_trans [T, 3]"
        )
    pose_file = arrays.of_arrays("pkl", opened.path, plain(content) | found, keys, image_size, fps, axes)
    pose_file.source |= {"content": content, "torch": torch_files.is_torch(opened)}
    return pose_file


def write(pose_file, refined, output_path, translations=None):
    new = arrays.put_back(pose_file, refined, translations)
    content = pose_file.source["content"]
    kept = plain(content)
    if isinstance(content, dict):
        new = {key: value if str(key) in kept else new.get(str(key), value) for key, value in content.items()}
    dump(pose_file, output_path, new if isinstance(content, dict) else new[""])
