"""Readers of motion files for pairs: rotations of CMU's bones, AMASS and SMPL, BVH."""

import re
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from ..dataset import storage
from ..errors import UserError
from . import body, motion_joints
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
        if "joints_3d" in arrays:
            return _joints(path, arrays)
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
        motions.append(Motion(str(name), _subject(str(name)), path.name, CMU_LICENCE, 30.0, rotations, root))
    return motions


FLIP = np.array([1.0, -1.0, -1.0])  # y down, z away to y up, z towards


def _joints(path, arrays):
    """A pose file of this toolkit with 17 joints of h36m17, at 30 frames a second; with `root_3d`, `subject` and `licence` where it has them."""
    motions = []
    for place, values in enumerate(arrays["joints_3d"]):
        joints = np.asarray(values, dtype=np.float64)
        if joints.ndim != 2 or joints.shape[1] != 3 * len(body.JOINTS) or not np.isfinite(joints).all():
            raise UserError(
                f"{path}: sequence {place} is {list(joints.shape)}, not {3 * len(body.JOINTS)} finite numbers a frame. Motion is made "
                f"of the joints {', '.join(body.JOINTS[:4])}, ... of Human3.6M"
            )
        joints = joints.reshape(len(joints), -1, 3) * FLIP
        roots = np.asarray(arrays["root_3d"][place], dtype=np.float64) * FLIP if "root_3d" in arrays else joints[:, 0]
        hip, knee, ankle = (joints[:, body.JOINTS.index(f"left_{name}")] for name in ("hip", "knee", "ankle"))
        leg = np.median(np.linalg.norm(hip - knee, axis=1) + np.linalg.norm(knee - ankle, axis=1))
        rotations, roots = of_bones(motion_joints.turns(joints), {}, roots, leg)
        name = str(arrays["imgname"][place][0]).split("/")[0] if "imgname" in arrays else f"{path.stem}_{place}"
        licence = str(arrays["licence"][place]) if "licence" in arrays else UNKNOWN
        subject = str(arrays["subject"][place]) if "subject" in arrays else name
        motions.append(Motion(name, _subject(subject), path.name, licence, 30.0, rotations, roots))
    return motions


def _subject(name):
    """The person of a name `<set>_<person>` or `<set>_<person>_<clip>`, as letters, digits and _."""
    parts = re.sub(r"[^A-Za-z0-9_]", "_", name).split("_")
    return f"{parts[0]}_s{parts[1].removeprefix('s')}" if len(parts) > 1 else parts[0]
