"""Readers of motion files for pairs: rotations of CMU's bones, AMASS and SMPL, BVH."""

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from ..dataset import storage
from ..errors import UserError
from .motion import CMU_LICENCE, CMU_STEP, Motion, of_bones

UNKNOWN = "not told by the file"


def read(path):
    """The `Motion`s of a file. Raises UserError for kinds that are not read and for what is damaged."""
    path = Path(path)
    if path.suffix.lower() == ".npz":
        arrays = storage.read_arrays(path)
        if {"rotvec", "joints", "root", "rest", "leg"} <= set(arrays):
            return _cmu(path, arrays)
    raise UserError(f"{path}: no motion that is read here. Give BVH, AMASS or SMPL .npz")


def _cmu(path, arrays):
    """Global rotation vectors int16 of named joints: of the shipped file as differences, all clips in one array (`frames`)."""
    joints = [str(name) for name in arrays["joints"]]
    if "frames" in arrays:
        ends = np.cumsum(arrays["frames"])[:-1]
        rotvec = np.cumsum(arrays["rotvec"].transpose(2, 0, 1), axis=0, dtype=np.int16)
        rotvec, step = np.split(rotvec, ends), CMU_STEP
        roots = np.split(arrays["root"].astype(np.float64) / 1000, ends)
    else:
        rotvec, step, roots = arrays["rotvec"], 8192, arrays["root"]
    motions = []
    for name, turns, root, rest, leg in zip(arrays["clip"], rotvec, roots, arrays["rest"], arrays["leg"]):
        matrices = Rotation.from_rotvec(turns.reshape(-1, 3) / step).as_matrix().reshape(*turns.shape, 3)
        rotations, root = of_bones(
            {joint: matrices[:, place] for place, joint in enumerate(joints)}, dict(zip(joints, rest)), root, leg
        )
        subject = "_s".join(str(name).split("_")[:2])
        motions.append(Motion(str(name), subject, path.name, CMU_LICENCE, 30.0, rotations, root))
    return motions
