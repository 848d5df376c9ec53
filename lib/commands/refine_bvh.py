"""Refined 3D joints or SMPL rotations as BVH: `--output walk.bvh`."""

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from ..errors import UserError
from ..formats import bvh
from ..poses.kinds import kind_of
from ..poses.skeletons import LAYOUTS
from ..tracks.plan import RATE
from .refine_report import layout_of, rate_of, smpl_body, upright


def write(pose_file, results, output, refine, cfg):
    """Write one BVH per person: `output` itself, or <name>_<person>.bvh where there are several. Returns the paths.

    Raises UserError where the file has neither 3D joints with known bones nor whole SMPL rotations.
    """
    chosen = [
        (track, result)
        for track, result in zip(pose_file.tracks, results)
        if not kind_of(track.kind).in_image and track.part in ("body", "world", "body_3d")
    ]
    if not chosen:
        raise UserError(f"--output {output}: BVH needs 3D joints or SMPL rotations; the file has 2D key points")
    rate, paths = float(rate_of(pose_file, refine) or RATE), []
    for track, result in chosen:
        path = output if len(chosen) == 1 else output.with_name(f"{output.stem}_{'_'.join(track.name.split())}.bvh")
        made = (
            _of_rotations(track, result, cfg) if kind_of(track.kind).rotations else _of_joints(track, result, pose_file)
        )
        bvh.write(path, *made, rate)
        paths.append(path)
    return paths


def _of_joints(track, result, pose_file):
    layout = layout_of(track)
    return layout, *bvh.of_joints(upright(track, result, pose_file.format, result.poses), layout)


def _of_rotations(track, result, cfg):
    count = track.poses.shape[1]
    if track.joint_names != LAYOUTS["smpl24"].joints[:count] or count < 22:
        raise UserError(f"{track.name}: BVH needs SMPL's root and body rotations; this has {count} without the root")
    whole = LAYOUTS["smpl24"]
    edges = tuple(edge for edge in whole.edges if max(edge) < count)
    layout = replace(whole, name=f"smpl{count}", joints=whole.joints[:count], edges=edges)
    rest = smpl_body(cfg).joints(np.zeros((1, 72), dtype=np.float32)).numpy()[0, :count].astype(np.float64)
    offsets = rest - rest[np.maximum(np.array(layout.parents), 0)]
    there = np.isfinite(result.poses).all(axis=(1, 2))
    if not there.any():
        raise UserError(f"{track.name}: no frame has all rotations, which BVH needs")
    last = np.maximum.accumulate(np.where(there, np.arange(len(there)), np.flatnonzero(there)[0]))
    matrices = Rotation.from_rotvec(result.poses[last].reshape(-1, 3)).as_matrix().reshape(len(last), count, 3, 3)
    turn = result.space.turn if result.space is not None and result.space.turn.shape == (3, 3) else np.eye(3)
    matrices[:, 0] = bvh.FLIP @ turn @ matrices[:, 0]
    moved = result.translation if result.translation is not None else track.translation
    places = np.zeros((len(last), 3)) if moved is None else np.nan_to_num(moved) @ (bvh.FLIP @ turn).T
    return layout, offsets, matrices, places
