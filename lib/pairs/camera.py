"""Cameras as people hold them: where they stand, what they see, how the hand shakes.

World: y up. Camera: x right, y down, z away. T frames, J joints.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

FILL = (0.5, 0.95)  # the person's height in the picture's
HELD = (0.7, 1.9)  # the camera's height over the floor, m
WIDE = 0.7  # what the width of a person who lies counts as height
FOCAL = (0.8, 1.7)  # in picture heights: wide angle to the usual of a telephone
SIDEWAYS = 40.0  # degrees: standard deviation of the way that people look off the camera
ANYWHERE = 0.15  # share of cameras that stand anywhere around the person
SHAKE = 0.15  # degrees, of a hand within a second or so


@dataclass(frozen=True)
class Camera:
    """K [3, 3]; rotations [T, 3, 3] and places [T, 3] m: x_camera = R (x_world - place)."""

    K: np.ndarray
    rotations: np.ndarray
    places: np.ndarray

    def see(self, points):
        """Points [T, N, 3] m in the world as [T, N, 3] m in the camera."""
        return np.einsum("tab,tnb->tna", self.rotations, points - self.places[:, None])

    def project(self, points):
        """Points [..., 3] m in the camera as [..., 2] px."""
        return points[..., :2] / points[..., 2:] * self.K[[0, 1], [0, 1]] + self.K[:2, 2]


def around(joints, facing, size, fps, rng, yaw=None):
    """A `Camera` that sees a person's joints [T, J, 3] m: standing before it and looking `facing` (rad), mostly.

    size: (width, height) px; yaw: rad by which it stands off the person's front, None: drawn. Every second camera follows
    the person, the others hold still.
    """
    width, height = size
    focal = height * rng.uniform(*FOCAL)
    K = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])
    if yaw is None:
        yaw = rng.uniform(-np.pi, np.pi) if rng.random() < ANYWHERE else np.radians(rng.normal(0, SIDEWAYS))
    away = np.array([np.sin(facing + yaw), 0, np.cos(facing + yaw)])
    low, high = joints[..., 1].min(), joints[..., 1].max()
    extents = np.median(np.ptp(joints, axis=1), axis=0)
    tall = max(extents[1], WIDE * np.hypot(extents[0], extents[2])) * 1.08
    target = gaussian_filter1d(joints.mean(axis=1), 0.7 * fps, axis=0, mode="nearest")
    if rng.random() < 0.5:
        target = np.tile((joints.reshape(-1, 3).min(0) + joints.reshape(-1, 3).max(0)) / 2, (len(joints), 1))
    aside = rng.normal(0, 0.05, 3) * tall
    fill, held = rng.uniform(*FILL), rng.uniform(*HELD)
    shake = _shake(len(joints), fps, rng)
    distance = focal * tall / (fill * height)
    for _ in range(12):
        place = target.mean(axis=0) + away * distance
        place[1] = min(low + held, (low + high) / 2 + 0.6 * distance)
        camera = Camera(K, _look(place, target + aside, shake), np.tile(place, (len(joints), 1)))
        if _seen(camera, joints, size) > 0.97:
            break
        distance *= 1.1
    return camera


def _seen(camera, joints, size):
    seen = camera.see(joints)
    pixels = camera.project(np.where(seen[..., 2:] > 0.3, seen, np.nan))
    with np.errstate(invalid="ignore"):
        return np.mean((pixels > 0).all(-1) & (pixels < size).all(-1))


def _shake(length, fps, rng):
    """Rotations [T, 3, 3] of an unsteady hand."""
    noise = gaussian_filter1d(rng.normal(size=(length + 200, 3)), 0.3 * fps, axis=0)[100:-100]
    angles = np.radians(SHAKE) * rng.uniform(0, 2) * noise * np.sqrt(2 * np.sqrt(np.pi) * 0.3 * fps)
    return Rotation.from_rotvec(angles).as_matrix()


def _look(place, targets, shake):
    """Rotations [T, 3, 3] of a camera at `place` that looks at targets [T, 3], upright."""
    ahead = targets - place
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    right = np.cross(ahead, [0, 1.0, 0])
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    return shake @ np.stack([right, np.cross(ahead, right), ahead], axis=1)
