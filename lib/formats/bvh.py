"""BVH out: SMPL rotations, or 3D joints whose bones are known, as an animation that Blender and others open.

A joint's offset from its parent is its place in the rest pose, in cm; its channels are z, x, y rotations in degrees, the root's
also its place. Axes of a BVH file: x left, y up, z forward; those of our poses (y down) are turned by half a turn about x.
"""

import numpy as np
from scipy.spatial.transform import Rotation

from ..errors import UserError
from ..files import write_text
from ..poses import gaps

CENTIMETRES = 100.0
ORDER = "ZXY"  # intrinsic, as the channels stand


def write(path, layout, offsets, rotations, places, fps):
    """Write one person.

    layout: `lib.poses.skeletons.Layout` with parents; offsets: [J, 3] of each joint from its parent in rest, in m, y up;
    rotations: [T, J] local `Rotation`s as matrices [T, J, 3, 3]; places: [T, 3] of the root, in m, y up; fps: frames per second.
    """
    parents, lines, order = layout.parents, ["HIERARCHY"], []
    _joint(layout, parents, offsets, layout.root[0], 0, lines, order)
    lines += ["MOTION", f"Frames: {len(rotations)}", f"Frame Time: {1 / fps:.7f}"]
    angles = Rotation.from_matrix(rotations[:, order].reshape(-1, 3, 3)).as_euler(ORDER, degrees=True)
    angles = angles.reshape(len(rotations), -1)
    for place, row in zip(places * CENTIMETRES, angles):
        lines.append(" ".join(f"{value:.6g}" for value in (*place, *row)))
    write_text(path, "\n".join(lines) + "\n")


def _joint(layout, parents, offsets, joint, depth, lines, order):
    """One joint and those that hang on it; `order` gets the joints as their channels stand."""
    order.append(joint)
    indent, inner = "  " * depth, "  " * (depth + 1)
    root = depth == 0
    x, y, z = (np.zeros(3) if root else offsets[joint]) * CENTIMETRES
    lines += [
        f"{indent}{'ROOT' if root else 'JOINT'} {layout.joints[joint]}",
        indent + "{",
        f"{inner}OFFSET {x:.6g} {y:.6g} {z:.6g}",
    ]
    channels = "Zrotation Xrotation Yrotation"
    lines.append(f"{inner}CHANNELS {'6 Xposition Yposition Zposition ' if root else '3 '}{channels}")
    children = [child for child, parent in enumerate(parents) if parent == joint]
    for child in children:
        _joint(layout, parents, offsets, child, depth + 1, lines, order)
    if not children:
        x, y, z = offsets[joint] * CENTIMETRES * 0.3
        lines += [inner + "End Site", inner + "{", f"{inner}  OFFSET {x:.6g} {y:.6g} {z:.6g}", inner + "}"]
    lines.append(indent + "}")


def check(layout):
    """Raise UserError for a `Layout` whose bones do not join all joints."""
    if not layout.is_tree:
        raise UserError(
            f"joints {', '.join(layout.joints[:3])}, ...: their names do not say which bones join them to one pelvis, which an "
            "animation needs. Name them as COCO or Human3.6M do"
        )


FLIP = np.diag([1.0, -1.0, -1.0])  # y down, z away to y up, z towards


def of_joints(poses, layout):
    """(offsets [J, 3], rotations [T, J, 3, 3], places [T, 3]) of 3D joints [T, J, 3] in m with y down.

    Rest is the first whole frame with the bones' median lengths. A joint's rotation turns the bones to its children from rest
    to where they are: as a whole where there are several (Kabsch), by the smallest turn where there is one. Frames without
    some joint keep the last whole pose. Raises UserError where no frame is whole or bones are unknown.
    """
    check(layout)
    parents = np.array(layout.parents)
    whole = gaps.seen(poses).all(axis=1)
    if not whole.any():
        raise UserError("no frame has all joints, which an animation needs. Raise --max_gap, or leave joints out")
    last = np.maximum.accumulate(np.where(whole, np.arange(len(poses)), np.flatnonzero(whole)[0]))
    poses = poses[last] @ FLIP
    bones = poses - poses[:, np.maximum(parents, 0)]
    lengths = np.median(np.linalg.norm(bones, axis=-1), axis=0)
    rest = bones[0] / np.maximum(np.linalg.norm(bones[0], axis=-1, keepdims=True), 1e-9) * lengths[:, None]
    rest[layout.root[0]] = 0
    turned = np.tile(np.eye(3), (*poses.shape[:2], 1, 1))  # of each joint, in the world
    local = turned.copy()
    for joint in _downwards(layout, parents):
        parent = parents[joint]
        above = turned[:, parent] if parent >= 0 else np.tile(np.eye(3), (len(poses), 1, 1))
        children = np.flatnonzero(parents == joint)
        turned[:, joint] = _turns(rest[children], bones[:, children], above) if len(children) else above
        local[:, joint] = above.swapaxes(1, 2) @ turned[:, joint]
    return rest, local, poses[:, layout.root[0]]


def _downwards(layout, parents):
    order = [layout.root[0]]
    for joint in order:
        order += np.flatnonzero(parents == joint).tolist()
    return order


def _turns(rest, bones, above):
    """Rotations [T, 3, 3] that take rest bones [K, 3] to bones [T, K, 3]; above: [T, 3, 3] of the parent, for one bone's roll."""
    result = np.empty((len(bones), 3, 3))
    for frame, (now, start) in enumerate(zip(bones, above)):
        if len(rest) > 1:
            result[frame] = Rotation.align_vectors(now, rest)[0].as_matrix()
            continue
        one, other = start @ rest[0], now[0]
        one, other = (vector / max(np.linalg.norm(vector), 1e-9) for vector in (one, other))
        axis, cosine = np.cross(one, other), float(np.clip(one @ other, -1, 1))
        sine = np.linalg.norm(axis)
        turn = Rotation.from_rotvec(axis / sine * np.arctan2(sine, cosine) if sine > 1e-9 else np.zeros(3))
        result[frame] = turn.as_matrix() @ start
    return result
