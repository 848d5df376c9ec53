"""Between a file's coordinates and a network's: units, the way that is up, the root, the place in the image."""

from dataclasses import dataclass

import numpy as np
import torch

from lib.poses import gaps, mapping, rotations
from lib.poses.representation import frame_2d

METRES = {"m": 1.0, "cm": 0.01, "mm": 0.001}
# Diagonal of the box around a body in metres: what poses without a known size are scaled to, what the training data
# have (their 5 to 95 % are 1.49 to 1.79), and how far from it is no cause for a warning.
BODY, USUAL, ODD = 1.6, (1.45, 1.8), (1.0, 2.6)
# Rotations of a body whose head points along this axis (axis, sign) into x right, y down, z forward.
_TURNS = {
    (1, -1): np.eye(3),
    (1, 1): np.diag([1.0, -1.0, -1.0]),
    (2, 1): np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]),
    (2, -1): np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]),
    (0, 1): np.array([[0, 1.0, 0], [-1, 0, 0], [0, 0, 1]]),
    (0, -1): np.array([[0, -1.0, 0], [1, 0, 0], [0, 0, 1]]),
}


@dataclass(frozen=True)
class Space:
    """network = turn @ ((raw - root - centre) * scale), for every joint.

    turn: [D, D]; centre: [D]; scale: a number or [D]; root: weights [J] of the joints whose mean is subtracted frame by
    frame, or None.
    """

    turn: np.ndarray
    centre: np.ndarray
    scale: object = 1.0
    root: np.ndarray = None

    def roots(self, poses):
        """What is subtracted in each frame, [..., T, 1, D] (0 without a root); gaps of the root are bridged."""
        if self.root is None:
            return np.zeros((*poses.shape[:-2], 1, poses.shape[-1]))
        used = np.flatnonzero(self.root)
        roots = np.einsum("j,...jd->...d", self.root[used], poses[..., used, :])
        if np.isfinite(roots).all():
            return roots[..., None, :]
        flat = roots.reshape(-1, *roots.shape[-2:])
        for track in flat:
            there = np.flatnonzero(np.isfinite(track).all(axis=-1))
            if not len(there):
                track[:] = 0
                continue
            for axis in range(track.shape[-1]):
                track[:, axis] = np.interp(np.arange(len(track)), there, track[there, axis])
        return flat.reshape(roots.shape)[..., None, :]

    def into(self, poses, roots):
        """Raw [..., T, J, D] in the network's coordinates."""
        return ((poses - roots - self.centre) * self.scale) @ self.turn.T

    def out(self, values, roots):
        """The inverse of `into`."""
        return (values @ self.turn) / self.scale + self.centre + roots


def extent(poses):
    """Median over frames of the diagonal of the box around the key points that are there; 0 if there are none."""
    there = gaps.seen(poses)
    rows = there.sum(axis=1) >= max(2, there.sum(axis=1).max(initial=0) // 2)
    if not rows.any():
        return 0.0
    poses, there = poses[rows], there[rows][..., None]
    box = np.where(there, poses, -np.inf).max(axis=1) - np.where(there, poses, np.inf).min(axis=1)
    return float(np.median(np.linalg.norm(box, axis=-1)))


def plain(dims):
    """The space of poses that need no change."""
    return Space(np.eye(dims), np.zeros(dims))


def space_2d(poses, normaliser="isotropic", image_size=None):
    """The space of 2D key points (or other flat tracks) [T, J, D] and what to say of it.

    normaliser: h36m | jhmdb | isotropic, a checkpoint's; image_size: (width, height) in px where it is to be used.
    """
    dims = poses.shape[-1]
    if dims == 2 and (normaliser == "h36m" or image_size is not None):
        frame = frame_2d(normaliser, poses, None if image_size is None else (image_size[1], image_size[0]))
        return Space(np.eye(2), np.array(frame.centre), 1 / np.array(frame.scale))
    points = poses.reshape(-1, dims)
    points = points[np.isfinite(points).all(axis=-1)]
    if not len(points):
        return plain(dims)
    low, high = points.min(axis=0), points.max(axis=0)
    return Space(np.eye(dims), (low + high) / 2, 1 / max(float((high - low).max()) / 2, 1e-9))


def space_3d(poses, names=None, units=None, keep_root=False):
    """The space of 3D joints [T, J, 3], and sentences for the user.

    names: J joint names or None; units: m, cm, mm or None (told by the body's size); keep_root: subtract no root.
    A body is turned so that y points down as in the training data, and its root is subtracted in each frame. Joints of
    which nothing is known are centred and scaled to a body's size.
    """
    notes = []
    size = extent(poses)
    root = None if keep_root else mapping.root_weights(names)
    up = mapping.top(names)
    body = root is not None and up is not None
    if not body:
        points = poses.reshape(-1, 3)
        points = points[np.isfinite(points).all(axis=-1)]
        centre = np.median(points, axis=0) if len(points) else np.zeros(3)
        return Space(np.eye(3), centre, BODY / size if size > 0 else 1.0), notes
    factor = METRES.get(units)
    if factor is None and size > 0:
        factor = next((METRES[unit] for unit, low, high in (("m", 0.5, 5), ("cm", 50, 450), ("mm", 450, 5000))
                       if low <= size < high), None)
        if factor is None:
            notes.append(f"3D joints are in unknown units (a body {size:.3g} across): scaled to {BODY} m for the network")
            factor = BODY / size
        elif factor != 1:
            notes.append(f"3D joints taken as {'mm' if factor == 0.001 else 'cm'} (a body {size:.4g} across)")
    factor = factor or 1.0
    if size > 0 and not ODD[0] <= size * factor <= ODD[1]:
        notes.append(f"warning: the body is {size * factor:.2f} m across, the training data have {USUAL[0]} to {USUAL[1]}: "
                     "check the units; SynSP may do worse")
    turn = np.eye(3)
    roots = np.einsum("j,tjd->td", root[root > 0], poses[:, root > 0])
    spine = poses[:, up].mean(axis=1) - roots
    spine = spine[np.isfinite(spine).all(axis=-1)]
    if len(spine):
        direction = np.median(spine, axis=0)
        axis = int(np.abs(direction).argmax())
        if np.abs(direction[axis]) > 0.6 * np.linalg.norm(direction):
            turn = _TURNS[axis, int(np.sign(direction[axis]))]
            if (axis, np.sign(direction[axis])) != (1, -1):
                notes.append(f"3D joints have {'-' if direction[axis] < 0 else ''}{'xyz'[axis]} up: turned for the network, "
                             "and back")
    return Space(turn, np.zeros(3), factor, root), notes


IDENTITY = np.array([1.0, 0, 0, 1, 0, 0])  # no rotation, in 6D


def enter(poses, kind):
    """Track poses as the numbers that are refined: rotations [T, J, 3] become 6D, other kinds stay. float64."""
    poses = np.array(poses, dtype=np.float64)
    return rotations.axis_angle_to_6d(torch.from_numpy(poses)).numpy() if kind == "smpl" else poses


def leave(values, kind):
    """The inverse of `enter`."""
    return rotations.axis_angle_from_6d(torch.from_numpy(values)).numpy() if kind == "smpl" else values


def space_of(track, poses, synsp, image_size):
    """(Space, notes) of a track with poses [T, J, D] as `enter` gives them; synsp: the `Model` that will read them."""
    if track.kind == "smpl":
        return _rotation_space(poses, track.joint_names)
    if track.kind == "3D" and poses.shape[-1] == 3:
        return space_3d(poses, track.joint_names, track.units)
    normaliser = synsp.normaliser if synsp is not None else "isotropic"
    by_image = normaliser == "jhmdb" or synsp is not None and synsp.image_size
    return space_2d(poses, normaliser, image_size if by_image else None), []


def _rotation_space(poses, names):
    """6D rotations; a body whose root stands in a frame with y up is turned, as the training data have y down."""
    as_it_is = plain(6)
    if not names or names[0] != "pelvis":
        return as_it_is, []
    up = poses[:, 0, 3]  # second row, second column: how far the body's own y axis points along the frame's y
    up = up[np.isfinite(up)]
    if not len(up) or np.median(up) < 0.3:
        return as_it_is, []
    return _RootTurned(as_it_is.turn, as_it_is.centre), ["rotations stand in a frame with y up: turned for the network, and back"]


class _RootTurned(Space):
    """Half a turn about x on the root rotation alone: rows two and three of its matrix change sign."""

    TURN = np.array([1.0, 1, -1, -1, -1, -1])

    def into(self, poses, roots):
        return np.concatenate([poses[..., :1, :] * self.TURN, poses[..., 1:, :]], axis=-2)

    out = into
