"""What people sit and lie on, and tables before them: boxes that are drawn in space, so that they hide legs and are hidden by them.

Axes as in body.py, about the person's pelvis: x its left, y up from the floor, z ahead; m. P boxes.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from . import body
from .clothes import colour, noise

LEG = 0.85  # m, an adult's: furniture of children is smaller
TEXTURE = 64  # px
CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
# Each side of a box as a ring of corners, against the clock as seen from outside.
SIDES = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
UV = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)


@dataclass(frozen=True)
class Piece:
    """Boxes of one colour: vertices [24 P, 3] m and normals [24 P, 3] in the world; faces [12 P, 3] into them; face_uv [12 P, 3] into
    `UV`; texture [N, N, 3] uint8."""

    vertices: np.ndarray
    normals: np.ndarray
    faces: np.ndarray
    face_uv: np.ndarray
    texture: np.ndarray


def around(posture, rest, person, rng):
    """The `Piece`s that carry a posed body (`resting.Rest` of a `body.Body`), and the table before it, for a numpy Generator."""
    scale, groups = person.leg / LEG, []
    if posture.kind == "seat":
        groups += _seat(rest.seat, _leaning(rest, person), scale, rng)
    if posture.table:
        groups.append(_table(rest.seat + posture.table * person.leg, scale, rng))
    if posture.bed:
        half = rng.uniform(0.45, 0.9)
        groups.append([_box((-half, 0, -1.1 * scale), (half, rest.seat, 1.15 * scale))])
    return [_piece(np.stack(boxes), rest.turn, rng) for boxes in groups]


def _box(low, high, pitch=0.0):
    """Corners [8, 3] between two corners, leaning backwards by rad about the middle of its foot."""
    low, high = np.array(low, float), np.array(high, float)
    corners = (low + high) / 2 + CORNERS * (high - low) / 2
    foot = (low + high) / 2 * (1, 0, 1) + low * (0, 1, 0)
    return (corners - foot) @ Rotation.from_euler("x", -pitch).as_matrix().T + foot


def _leaning(rest, person):
    """How far back the trunk leans, rad, at most over the frames."""
    _, joints = body.pose(person, rest.rotations, rest.roots)
    pelvis, thorax = (joints[:, body.JOINTS.index(name)] for name in ("pelvis", "thorax"))
    up = (thorax - pelvis) @ rest.turn
    return float(np.clip(np.arctan2(-up[:, 2], up[:, 1]).max(), 0, 0.6))


def _seat(top, leaning, scale, rng):
    """Boxes by colour of a stool, a chair, a block or a sofa whose top is at a height."""
    kind = rng.choice(["stool", "chair", "block", "sofa"], p=[0.2, 0.4, 0.15, 0.25])
    behind, ahead = -0.2 * scale, 0.24 * scale
    if kind in ("block", "sofa"):
        half = rng.uniform(0.25, 1.0) * scale
        groups = [[_box((-half, 0, behind), (half, top, ahead))]]
    else:
        half, thick = rng.uniform(0.18, 0.25) * scale, rng.uniform(0.02, 0.07)
        groups = [[_box((-half, top - thick, behind), (half, top, ahead))], _feet(half, behind, ahead, top - thick)]
    if kind in ("chair", "sofa"):
        high, thick = rng.uniform(0.3, 0.55) * scale, 0.03 if kind == "chair" else 0.18
        groups[0].append(_box((-half, top - 0.08, behind - thick), (half, top + high, behind), leaning))
    if kind == "sofa" and rng.random() < 0.6:
        wide, high = 0.15 * scale, top + rng.uniform(0.12, 0.22) * scale
        half = max(half, 0.35 * scale)
        groups[0] += [_box((x - wide, 0, behind), (x + wide, high, ahead)) for x in (-half - wide, half + wide)]
    return groups


def _feet(half, behind, ahead, top, thick=0.02):
    """Boxes of four legs below a rectangle."""
    corners = [(x, z) for x in (-half + thick, half - thick) for z in (behind + thick, ahead - thick)]
    return [_box((x - thick, 0, z - thick), (x + thick, top, z + thick)) for x, z in corners]


def _table(top, scale, rng):
    """Boxes of a table before a seated person, open or with a front."""
    near, half = rng.uniform(0.24, 0.36) * scale, rng.uniform(0.35, 0.8) * scale
    far = near + rng.uniform(0.35, 0.7) * scale
    boxes = [_box((-half, top - 0.03, near), (half, top, far)), *_feet(half, near, far, top - 0.03)]
    if rng.random() < 0.3:
        boxes.append(_box((-half, 0.05, far - 0.04), (half, top - 0.03, far - 0.02)))
    return boxes


def _piece(boxes, turn, rng):
    """The `Piece` of boxes [P, 8, 3], turned into the world."""
    vertices = boxes[:, np.array(SIDES)].reshape(-1, 4, 3) @ turn.T  # [6 P, 4, 3]
    normals = np.cross(vertices[:, 1] - vertices[:, 0], vertices[:, 3] - vertices[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    corners = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    count = len(vertices)
    faces = 4 * np.arange(count, dtype=np.int32)[:, None, None] + corners
    grain = 1 + rng.uniform(0.02, 0.12) * noise(rng, TEXTURE, int(rng.integers(4, 20)))
    painted = np.clip(colour(rng) * grain[..., None], 0, 255).astype(np.uint8)
    return Piece(
        vertices.reshape(-1, 3).astype(np.float32),
        np.repeat(normals, 4, axis=0).astype(np.float32),
        faces.reshape(-1, 3),
        np.tile(corners, (count, 1)),
        painted,
    )
