"""Motion for rendered people: rotations of the rig's bones and the path of the hips, whatever file they come from.

A `Motion` is told in the axes of body.py (x left, y up, z ahead at rest) with the hips' path in lengths of the leg, so that people
of all sizes can do it. T frames, B bones of the rig.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from ..errors import UserError
from . import body


@dataclass(frozen=True)
class Motion:
    """One recording: rotations [T, B, 3, 3] of the bones from rest to the world, roots [T, 3] in lengths of the leg."""

    name: str
    subject: str
    file: str
    licence: str
    fps: float
    rotations: np.ndarray
    roots: np.ndarray

    @property
    def seconds(self):
        return len(self.rotations) / self.fps


def of_bones(turns, directions, roots, leg):
    """(rotations [T, B, 3, 3], roots [T, 3]) for the rig from any skeleton's.

    turns: {bone of the rig: [T, 3, 3] from that skeleton's rest pose to the world}; directions: {bone: [3], where it points in
    that rest pose}, for the bones that do not point there in the rig's rest pose; leg: that skeleton's leg in the unit of roots.
    Bones that `turns` lacks are rigid to their parent.
    """
    mesh = body.template()
    result = np.empty((len(roots), len(mesh.bones), 3, 3))
    for place, (bone, parent) in enumerate(zip(mesh.bones, mesh.parents)):
        if bone not in turns:
            result[:, place] = result[:, parent]
            continue
        result[:, place] = turns[bone]
        direction = directions.get(bone)
        if direction is not None and np.linalg.norm(direction) > 1e-6:
            result[:, place] = result[:, place] @ swing(_own(mesh, place), direction)
    return result, np.asarray(roots, dtype=np.float64) / leg


def from_rig(rotations, bone, direction=None):
    """The rotations [T, 3, 3] of a bone of another skeleton, from its rest pose to the world: the inverse of `of_bones`.

    rotations: [T, B, 3, 3] of the rig; bone: its name there; direction: [3], where it points in that rest pose, None: as in the rig's.
    """
    mesh = body.template()
    place = mesh.bones.index(bone)
    if direction is None:
        return rotations[:, place]
    return rotations[:, place] @ swing(direction, _own(mesh, place))


def _own(mesh, place):
    """Where a bone points in the rig's rest pose, [3]."""
    return mesh.heads[_next(mesh, place)] - mesh.heads[place]


def _next(mesh, bone):
    """The bone in which a limb's bone ends: its first child."""
    return int(np.flatnonzero(mesh.parents == bone)[0])


def swing(start, end):
    """The smallest rotation [3, 3] that takes one direction to another."""
    start, end = start / np.linalg.norm(start), end / np.linalg.norm(end)
    axis = np.cross(start, end)
    sine = np.linalg.norm(axis)
    if sine < 1e-9:
        return np.eye(3)
    return Rotation.from_rotvec(axis / sine * np.arctan2(sine, start @ end)).as_matrix()


def cut(motion, rng, frames, fps, mirrored=False):
    """(rotations [frames + 1, B, 3, 3], roots [frames + 1, 3]) at `fps` from a random moment of a motion, for a numpy Generator.

    The frame after the last serves the blur. Raises UserError where the motion is shorter.
    """
    seconds = frames / fps
    if motion.seconds - 1 / motion.fps < seconds:
        raise UserError(f"{motion.file}: {motion.name} has {motion.seconds:.2f} s; a clip takes {seconds:.2f} s")
    start = rng.uniform(0, motion.seconds - 1 / motion.fps - seconds)
    wanted = (start + np.arange(frames + 1) / fps) * motion.fps
    first, last = int(wanted[0]), min(int(np.ceil(wanted[-1])), len(motion.rotations) - 1)
    wanted = np.clip(wanted - first, 0, last - first)
    known = np.arange(last - first + 1)
    piece = motion.rotations[first : last + 1]
    turned = np.stack(
        [Slerp(known, Rotation.from_matrix(piece[:, bone]))(wanted).as_matrix() for bone in range(piece.shape[1])],
        axis=1,
    )
    roots = np.stack([np.interp(wanted, known, motion.roots[first : last + 1, axis]) for axis in range(3)], axis=1)
    return _mirror(turned, roots) if mirrored else (turned, roots)


def _mirror(rotations, roots):
    """The same motion in a mirror: left and right change places."""
    bones = body.template().bones
    other = {"Left": "Right", "Right": "Left", "L": "R", "R": "L"}
    order = []
    for bone in bones:
        side = next((s for s in other if bone.startswith(s) and other[s] + bone[len(s) :] in bones), None)
        order.append(bones.index(bone if side is None else other[side] + bone[len(side) :]))
    flip = np.diag([-1.0, 1, 1])
    return flip @ rotations[:, order] @ flip, roots @ flip


def facing(rotations):
    """The way the hips look on average, as the angle about the vertical from z towards x, in rad."""
    ahead = rotations[:, 0, :, 2].mean(axis=0)
    return float(np.arctan2(ahead[0], ahead[2]))
