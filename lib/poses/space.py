"""Between a file's coordinates and a network's: units, the way that is up, the root, the place in the image."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.signal import savgol_filter

from . import gaps, mapping, rotations
from .kinds import kind_of
from .representation import frame_2d

METRES = {"m": 1.0, "cm": 0.01, "mm": 0.001}
# Diagonal of the box around a body in metres: what poses without a known size are scaled to, what the training data
# have (their 5 to 95 % are 1.49 to 1.79), and how far from it is no cause for a warning.
BODY, USUAL, ODD = 1.6, (1.45, 1.8), (1.0, 2.6)
# Axes by name, as (axis, sign); the training data have -y up.
AXES = {"-y": (1, -1), "y": (1, 1), "z": (2, 1), "-z": (2, -1), "x": (0, 1), "-x": (0, -1)}
# Ways up that are told by the bodies themselves: (axis, cosine from which a body stands along it, share of the frames
# that must). A frame with z up is a room's, level; one with y up may be a tilted camera's. Along other axes people
# lie rather than stand.
_TOLD = (("y", 0.6, 2 / 3), ("z", 0.85, 0.75))
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

    @property
    def one_scale(self):
        """The scale as one number, the mean over the axes."""
        return float(np.mean(self.scale))

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


def heads(poses, names, kind):
    """Unit vectors [N, 3] along the body, upwards, of the frames in which it is known.

    From the root to the head of joints [T, J, 3] called `names`, or the root's own y axis of rotations [T, J, 6].
    """
    if kind_of(kind).rotations:
        along = poses[:, 0, 1::2] if names and names[0] == "pelvis" else np.zeros((0, 3))
    else:
        root, up = mapping.root_weights(names), mapping.top(names)
        if root is None or up is None or poses.shape[-1] != 3:
            return np.zeros((0, 3))
        along = poses[:, up].mean(axis=1) - np.einsum("j,tjd->td", root[root > 0], poses[:, root > 0])
    length = np.linalg.norm(along, axis=-1)
    known = length > 1e-9  # False for NaN
    return along[known] / length[known, None]


def way_up(heads):
    """The axis (axis, sign) that is up for people whose bodies point along `heads` [N, 3] (see there).

    The training data's unless most frames, of all people together, clearly have another: a person who lies down for
    a while, or through a whole recording, does not turn the world.
    """
    for name, cosine, share in _TOLD:
        axis, sign = AXES[name]
        if len(heads) and (sign * heads[:, axis] > cosine).mean() >= share:
            return axis, sign
    return AXES["-y"]


def turn_of(name):
    """The rotation [3, 3] of coordinates in which the axis called `name` (a key of `AXES`) is up into those with y down."""
    return _TURNS[AXES[name]]


def _said(up):
    return next(name for name, axis in AXES.items() if axis == up)


def space_3d(poses, names=None, units=None, keep_root=False, up=None):
    """The space of 3D joints [T, J, 3], and sentences for the user.

    names: J joint names or None; units: m, cm, mm or None (told by the body's size); keep_root: subtract no root;
    up: the axis that is up, a value of `AXES`, or None (`way_up` of these poses). A body
    is turned so that y points down as in the training data, and its root is subtracted in each frame. Joints of which
    nothing is known are centred and scaled to a body's size.
    """
    notes = []
    size = extent(poses)
    root = None if keep_root else mapping.root_weights(names)
    if root is None or mapping.top(names) is None:
        points = poses.reshape(-1, 3)
        points = points[np.isfinite(points).all(axis=-1)]
        centre = np.median(points, axis=0) if len(points) else np.zeros(3)
        return Space(np.eye(3), centre, BODY / size if size > 0 else 1.0), notes
    factor = metres(poses, names, units)
    if units not in METRES and size > 0:
        if factor is None:
            notes.append(
                f"3D joints are in unknown units (a body {size:.3g} across): scaled to {BODY} m for the network"
            )
            factor = BODY / size
        elif factor != 1:
            notes.append(f"3D joints taken as {'mm' if factor == 0.001 else 'cm'} (a body {size:.4g} across)")
    factor = factor or 1.0
    if not usual_size(poses, factor):
        notes.append(
            f"warning: the body is {size * factor:.2f} m across, the training data have {USUAL[0]} to {USUAL[1]}: "
            "check the units; SynSP may do worse"
        )
    up = up or way_up(heads(poses, names, "3D"))
    if up != AXES["-y"]:
        notes.append(f"3D joints have {_said(up)} up: turned for the network, and back")
    return Space(_TURNS[up], np.zeros(3), factor, root), notes


def metres(poses, names=None, units=None):
    """Metres in the unit of 3D joints [T, J, 3]: by the unit's name, else by the size of the body; None where neither tells.

    Joints without a known root (names: J joint names or None) may be an animal's: what could be its mm is not taken for cm.
    """
    if units in METRES:
        return METRES[units]
    size = extent(poses)
    sizes = [("m", 0.5, 5), ("cm", 50, 450), ("mm", 450, 5000)]
    if mapping.root_weights(names) is None:
        sizes.remove(("cm", 50, 450))
    return next((METRES[unit] for unit, low, high in sizes if low <= size < high), None)


def usual_size(poses, scale):
    """Whether poses [T, J, 3] in units of `scale` metres may be a person's, by how far joints lie apart; True where nothing is known."""
    size = extent(poses)
    return not size > 0 or ODD[0] <= size * scale <= ODD[1]


# Seconds of the straight line or bow along which a body's own path is told from its motion.
PATH = 1.0


def path(values, times):
    """Where the middle of joints [T, J, D] goes, smoothly, [T, 1, D]: parabolas over `PATH` seconds.

    values: without gaps; times: [T] seconds.
    """
    middle = values.mean(axis=1)
    step = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    window = min(len(middle), int(PATH / step) if step > 0 else len(middle)) // 2 * 2 - 1
    smooth = savgol_filter(middle, window, 2, axis=0) if window >= 5 else middle.mean(axis=0) + 0 * middle
    return smooth[:, None]


IDENTITY = np.array([1.0, 0, 0, 1, 0, 0])  # no rotation, in 6D


def enter(poses, kind):
    """Track poses as the numbers that are refined: rotations [T, J, 3] become 6D, other kinds stay. float64."""
    poses = np.array(poses, dtype=np.float64)
    return rotations.axis_angle_to_6d(torch.from_numpy(poses)).numpy() if kind_of(kind).rotations else poses


def leave(values, kind):
    """The inverse of `enter`."""
    return rotations.axis_angle_from_6d(torch.from_numpy(values)).numpy() if kind_of(kind).rotations else values


def space_of(track, poses, recipe, image_size, up=None):
    """(Space, notes) of a track with poses [T, J, D] as `enter` gives them.

    recipe: of the network that will read them, or None; up: the axis that is up (a value of `AXES`), None: told by these poses.
    """
    if kind_of(track.kind).rotations:
        return _rotation_space(poses, track.joint_names, up)
    if kind_of(track.kind).in_space and poses.shape[-1] == 3:
        return space_3d(poses, track.joint_names, track.units, up=up)
    normaliser = recipe.normaliser if recipe is not None else "isotropic"
    by_image = normaliser == "jhmdb" or recipe is not None and recipe.image_size
    return space_2d(poses, normaliser, image_size if by_image else None), []


def _rotation_space(poses, names, up):
    """6D rotations; where another axis than -y is up, the root's rotation is turned as the training data have it."""
    as_it_is = plain(6)
    if not names or names[0] != "pelvis":
        return as_it_is, []
    up = up or way_up(heads(poses, names, "smpl"))
    if up == AXES["-y"]:
        return as_it_is, []
    turned = _RootTurned(_TURNS[up], as_it_is.centre)
    return turned, [f"rotations stand in a frame with {_said(up)} up: turned for the network, and back"]


class _RootTurned(Space):
    """Rotations [..., J, 6] of which the root's alone is turned by `turn` [3, 3]: the others are relative to it."""

    def into(self, poses, roots):
        return self._turned(poses, self.turn)

    def out(self, values, roots):
        return self._turned(values, self.turn.T)

    @staticmethod
    def _turned(poses, turn):
        # A 6D rotation is two columns of its matrix, row by row.
        root = turn @ poses[..., 0, :].reshape(*poses.shape[:-2], 3, 2)
        return np.concatenate([root.reshape(*poses.shape[:-2], 1, 6), poses[..., 1:, :]], axis=-2)
