"""Motion files as a training set of SMPL rotations: truth alone, to which training adds errors (the estimator `noise`).

    python -m lib.pairs.smpl_set MOTION... data/poses/cmu_noise_smpl

MOTION is what `synsp pairs render` takes: rotations of CMU's bones, AMC, BVH, AMASS, 17 joints. The rest pose of each skeleton is turned
into SMPL's (arms held out, legs down). Each recording gets a camera that looks down by 0 to 15 degrees from a random side, seeded by
its name; beside the set lies a list of clips, persons and licences for `DATASET.GROUPS`.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from .. import errors
from ..dataset import storage
from ..errors import UserError
from ..files import write_text
from ..poses.skeletons import LAYOUTS
from . import motion_files
from .motion import from_rig

FPS = 30.0
LAYOUT = LAYOUTS["smpl24"]
TOES = {LAYOUT.joints.index(f"{side}_foot"): (f"{side.capitalize()}ToeBase", None) for side in ("left", "right")}
SHAPE = 10  # numbers that tell a body's shape
# What collars take of the rotation of an arm, where a skeleton has none: a person's do, and a network must know that they turn.
COLLAR = 0.2


def pose(motion, camera):
    """SMPL's axis-angles [T, 72] float32 of a `Motion` as a camera [3, 3] sees it (from x left, y up, z ahead to x right, y down,
    z away). Joints that it tells nothing of follow their parent."""
    bones = motion_files.smpl_bones(LAYOUT.joints) | TOES
    world = np.empty((len(motion.rotations), LAYOUT.size, 3, 3))
    for joint, parent in enumerate(LAYOUT.parents):
        if joint in bones:
            world[:, joint] = camera @ from_rig(motion.rotations, *bones[joint])
        else:
            world[:, joint] = world[:, parent]
    for side in ("left", "right"):
        collar, arm = (LAYOUT.joints.index(f"{side}_{part}") for part in ("collar", "shoulder"))
        chest = world[:, LAYOUT.parents[collar]]
        if np.allclose(chest, world[:, collar], atol=1e-4):
            turn = Rotation.from_matrix(chest.swapaxes(1, 2) @ world[:, arm]).as_rotvec()
            world[:, collar] = chest @ Rotation.from_rotvec(COLLAR * turn).as_matrix()
    parents = list(LAYOUT.parents[1:])
    local = np.concatenate((world[:, :1], world[:, parents].swapaxes(2, 3) @ world[:, 1:]), axis=1)
    return Rotation.from_matrix(local.reshape(-1, 3, 3)).as_rotvec().reshape(len(world), -1).astype(np.float32)


def camera_of(name):
    """The camera [3, 3] of a recording: from any side, looking down by 0 to 15 degrees."""
    rng = np.random.default_rng([*name.encode()])
    turn = Rotation.from_euler("yx", [rng.uniform(0, 360), rng.uniform(0, 15)], degrees=True)
    return np.diag(motion_files.FLIP) @ turn.as_matrix()


def at_fps(motion):
    """The frames of a `Motion` nearest to `FPS` a second, as indices. Raises UserError for slower recordings."""
    if motion.fps < FPS - 0.5:
        raise UserError(f"{motion.file}: {motion.name} has {motion.fps:g} frames a second; at least {FPS:g} are needed")
    last = len(motion.rotations) - 1
    return np.round(np.arange(0, last + 0.5, motion.fps / FPS)).astype(int).clip(max=last)


def write_set(paths, output):
    """Write the training split of motion files as a set of SMPL rotations. Returns the files.

    output: the folder, <dataset>_noise_smpl. Raises UserError for another name and for what `motion_files.read` does not read.
    """
    output = Path(output)
    dataset, _, rest = output.name.partition("_")
    if not dataset or rest != "noise_smpl":
        raise UserError(f"{output}: the folder's name must be <dataset>_noise_smpl, such as cmu_noise_smpl")
    names, poses, clips = [], [], []
    for path in paths:
        for motion in motion_files.read(path):
            values = pose(motion, camera_of(motion.name))[at_fps(motion)]
            names.append([f"{motion.name}.camera1/{frame:06d}" for frame in range(len(values))])
            poses.append(values)
            clips.append(
                {"clip": motion.name, "subject": motion.subject, "frames": len(values), "licence": motion.licence}
            )
    truth = output / "groundtruth" / f"{dataset}_gt_smpl_train.npz"
    shapes = [np.zeros((len(values), SHAPE), dtype=np.float32) for values in poses]
    storage.write(truth, {"imgname": names, "pose": poses, "shape": shapes})
    listed = output.parent / f"{output.name}_train.json"
    write_text(listed, json.dumps(clips, indent=1))
    return [truth, listed]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog=__doc__.split("\n\n")[2].strip())
    parser.add_argument("motion", nargs="+", help="motion files")
    parser.add_argument("output", help="folder to write, <dataset>_noise_smpl")
    args = parser.parse_args()
    print("\n".join(map(str, write_set(args.motion, args.output))))


if __name__ == "__main__":
    errors.run(main)
