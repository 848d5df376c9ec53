"""Readers of motion files for pairs: rotations of CMU's bones, AMASS and SMPL, BVH."""

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from ..dataset import storage
from ..errors import UserError
from .motion import Motion, of_bones

SHIPPED = Path(__file__).parent / "cmu_motion.npz"
CMU_STEP = 256  # of the shipped file: rotation vectors are whole multiples of 1/256 rad
CMU_LICENCE = (
    "CMU Graphics Lab Motion Capture Database, mocap.cs.cmu.edu: free for all uses; not to be resold as motion data"
)
UNKNOWN = "not told by the file"
# Two persons of CMU's, for the test split alone.
TEST_SUBJECTS = ("cmu_s09", "cmu_s16")


def shipped(split):
    """The `Motion`s of the file that ships with this package, those of a split (`train` or `test`)."""
    return [one for one in read(SHIPPED) if (one.subject in TEST_SUBJECTS) == (split == "test")]


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
