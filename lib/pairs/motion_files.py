"""Readers of motion files for pairs: rotations of CMU's bones, AMASS and SMPL, BVH, AMC."""

import re
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from ..dataset import storage
from ..errors import UserError, reading
from ..formats import rotation_arrays
from ..poses.skeletons import LAYOUTS
from . import body, motion_amc, motion_bvh, motion_joints
from .motion import Motion, of_bones

SHIPPED = Path(__file__).parent / "cmu_motion.npz"
CMU_STEP = 256  # of the shipped file: rotation vectors are whole multiples of 1/256 rad
CMU_LICENCE = (
    "CMU Graphics Lab Motion Capture Database, mocap.cs.cmu.edu: free for all uses; not to be resold as motion data"
)
UNKNOWN = "not told by the file"
FLIP = np.array([1.0, -1.0, -1.0])  # y down, z away to y up, z towards
# Two persons of CMU's, for the test split alone.
TEST_SUBJECTS = ("cmu_s09", "cmu_s16")


def shipped(split):
    """The `Motion`s of the file that ships with this package, those of a split (`train` or `test`)."""
    return [one for one in read(SHIPPED) if (one.subject in TEST_SUBJECTS) == (split == "test")]


def read(path):
    """The `Motion`s of a file: .bvh; .amc with its .asf; .npz of AMASS or SMPL, of 17 joints, or as the shipped one is.

    Raises UserError for kinds that are not read and for what is damaged.
    """
    path = Path(path)
    with reading(path, "a motion file"):
        if path.suffix.lower() == ".bvh":
            joints, fps = motion_bvh.joints(path.read_text(encoding="utf-8", errors="replace"), path)
            return [_of_joints(path, path.stem, path.stem, joints, joints[:, 0], fps, UNKNOWN)]
        if path.suffix.lower() == ".amc":
            rotations, roots = of_bones(*motion_amc.read(path))
            return [
                Motion(
                    path.stem, _clean(path.stem.rsplit("_", 1)[0]), path.name, UNKNOWN, motion_amc.FPS, rotations, roots
                )
            ]
        if path.suffix.lower() == ".npz":
            arrays = storage.read_arrays(path)
            if {"rotvec", "joints", "root", "rest", "leg"} <= set(arrays):
                return _cmu(path, arrays)
            if "joints_3d" in arrays:
                return _joints(path, arrays)
            if rotation_arrays.find(arrays):
                return [_smpl(path, arrays)]
    raise UserError(
        f"{path}: no motion that is read here. Give BVH, AMC, AMASS or SMPL .npz, or joints_3d of Human3.6M's 17 joints"
    )


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
        name = str(arrays["imgname"][place][0]).split("/")[0] if "imgname" in arrays else f"{path.stem}_{place}"
        licence = str(arrays["licence"][place]) if "licence" in arrays else UNKNOWN
        subject = str(arrays["subject"][place]) if "subject" in arrays else name
        motions.append(_of_joints(path, name, _subject(subject), joints, roots, 30.0, licence))
    return motions


def _of_joints(path, name, subject, joints, roots, fps, licence):
    """The `Motion` of joints [T, J, 3] with y up, of a body of any size."""
    hip, knee, ankle = (joints[:, body.JOINTS.index(f"left_{one}")] for one in ("hip", "knee", "ankle"))
    leg = np.median(np.linalg.norm(hip - knee, axis=1) + np.linalg.norm(knee - ankle, axis=1))
    rotations, roots = of_bones(motion_joints.turns(joints), {}, roots, leg)
    return Motion(name, _clean(subject), path.name, licence, fps, rotations, roots)


SMPL_LEG = 0.78  # m, of SMPL's average body
SMPL_BONES = {
    "pelvis": "Hips",
    "spine1": "LowerBack",
    "spine2": "Spine",
    "spine3": "Spine1",
    "neck": "Neck",
    "head": "Head",
    "collar": "Shoulder",
    "shoulder": "Arm",
    "elbow": "ForeArm",
    "wrist": "Hand",
    "hip": "UpLeg",
    "knee": "Leg",
    "ankle": "Foot",
}
# To y up, from y up, y down (a camera's axes) and z up (AMASS).
UPWARDS = np.array([np.eye(3), np.diag(FLIP), [[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]])


def _smpl(path, arrays):
    """SMPL's axis-angle or matrices; of the three ways up that files have, the one in which the hips are upright."""
    track, poses = rotation_arrays.track_of(rotation_arrays.find(arrays), arrays)
    layout = LAYOUTS["smpl24"]
    if poses.shape[1] < 22 or not np.isfinite(poses).all():
        raise UserError(
            f"{path}: {poses.shape[1]} rotations a frame, some of them missing. Motion takes whole poses with their root"
        )
    local = Rotation.from_rotvec(poses.reshape(-1, 3)).as_matrix().reshape(*poses.shape, 3)
    world = local.copy()
    for joint, parent in enumerate(layout.parents[: poses.shape[1]]):
        if parent >= 0:
            world[:, joint] = world[:, parent] @ local[:, joint]
    upright = (UPWARDS @ world[:, 0, :, 1].mean(axis=0))[:, 1].argmax()
    world = UPWARDS[upright] @ world
    roots = np.zeros((len(poses), 3)) if track.translation is None else track.translation @ UPWARDS[upright].T
    bones = smpl_bones(layout.joints[: poses.shape[1]])
    turns = {bone: world[:, place] for place, (bone, _) in bones.items()}
    directions = dict(bones.values())
    fps = next((float(arrays[key]) for key in ("mocap_framerate", "mocap_frame_rate", "fps") if key in arrays), 30.0)
    rotations, roots = of_bones(turns, directions, roots, SMPL_LEG)
    return Motion(path.stem, _clean(path.parent.name or path.stem), path.name, UNKNOWN, fps, rotations, roots)


def smpl_bones(names):
    """{place: (the rig's bone, where it points in SMPL's rest pose [3] or None: as in the rig's)} of SMPL's joints called `names`."""
    bones = {}
    for place, name in enumerate(names):
        side, _, part = name.rpartition("_")
        if part not in SMPL_BONES:
            continue
        sign, direction = {"left": 1.0, "right": -1.0}.get(side, 0.0), None
        if part in ("shoulder", "elbow", "wrist"):
            direction = np.array([sign, 0, 0])  # arms are held out at rest
        elif part in ("hip", "knee"):
            direction = np.array([0.05 * sign, -1.0, 0])
        bones[place] = side.capitalize() + SMPL_BONES[part], direction
    return bones


def _clean(name):
    """A name as letters, digits and _."""
    return re.sub(r"[^A-Za-z0-9_]+", "_", name) or "person"


def _subject(name):
    """The person of a name `<set>_<person>` or `<set>_<person>_<clip>`, as letters, digits and _."""
    parts = _clean(name).split("_")
    return f"{parts[0]}_s{parts[1].removeprefix('s')}" if len(parts) > 1 else parts[0]
