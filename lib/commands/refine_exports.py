"""Refined 3D joints or SMPL rotations for other programs: `--output walk.bvh`, `.glb` or `.c3d`."""

import importlib
from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from ..errors import UserError
from ..formats import bvh, c3d_file, gltf
from ..poses import mapping
from ..poses.kinds import kind_of
from ..poses.skeletons import LAYOUTS
from ..tracks.plan import RATE
from .refine_report import layout_of, on_body, rate_of, smpl_body, upright

ANIMATIONS = {".bvh": bvh.write, ".glb": gltf.write}


def write(pose_file, results, output, refine, cfg):
    """Write one file per person: `output` itself, or <name>_<person> with its ending where there are several. Returns the paths.

    Raises UserError for animations of joints whose bones are not known, or of rotations without the root.
    """
    ending = output.suffix.lower()
    chosen = [(track, result) for track, result in zip(pose_file.tracks, results) if _is_body(track)]
    rate, paths = float(rate_of(pose_file, refine) or RATE), []
    for track, result in chosen:
        path = (
            output
            if len(chosen) == 1
            else output.with_name(f"{output.stem}_{'_'.join(track.name.split())}{output.suffix}")
        )
        rotations = kind_of(track.kind).rotations
        if ending in ANIMATIONS:
            made = _of_rotations(track, result, cfg) if rotations else _of_joints(track, result, pose_file)
            ANIMATIONS[ending](path, *made, rate)
        else:
            c3d_file.write_new(path, *_markers(track, result, cfg), rate)
        paths.append(path)
    return paths


def check(pose_file, output, cfg):
    """Before anything is refined: raise what writing `output` would, of the kinds of poses and of libraries that are not there."""
    bodies = [track for track in pose_file.tracks if _is_body(track)]
    if not bodies:
        raise UserError(
            f"--output {output}: {output.suffix[1:].upper()} needs 3D joints or SMPL rotations; the file has 2D key points"
        )
    if output.suffix.lower() == ".c3d":
        importlib.import_module("c3d")
    for track in bodies:
        if kind_of(track.kind).rotations:
            smpl_body(cfg)
        elif output.suffix.lower() in ANIMATIONS:
            bvh.check(_tree(track)[0])


def _is_body(track):
    return not kind_of(track.kind).in_image and track.part in ("body", "world", "body_3d")


def _markers(track, result, cfg):
    """(names, places [T, J, 3], unit) of a track as markers, in the file's own axes; of rotations the body's joints."""
    if not kind_of(track.kind).rotations:
        names = track.joint_names or tuple(f"joint{number}" for number in range(track.poses.shape[1]))
        return names, result.poses, track.units or ""
    moved = result.translation if result.translation is not None else track.translation
    places = on_body(smpl_body(cfg), result.poses) + (0 if moved is None else np.nan_to_num(moved)[:, None])
    return LAYOUTS["smpl24"].joints, places, "m"


def _of_joints(track, result, pose_file):
    poses = upright(track, result, pose_file.format, result.poses)
    layout, fit = _tree(track)
    return layout, *bvh.of_joints(poses if fit is None else fit.take(poses), layout)


def _tree(track):
    """(`Layout` of a track's joints, with bones that join all where there are such, and the `Mapping` onto it or None)."""
    layout = layout_of(track)
    found = mapping.one_tree(track.joint_names) if track.joint_names and not layout.is_tree else None
    return found or (layout, None)


def _of_rotations(track, result, cfg):
    count = track.poses.shape[1]
    if track.joint_names != LAYOUTS["smpl24"].joints[:count] or count < 22:
        raise UserError(
            f"{track.name}: an animation needs SMPL's root and body rotations; this has {count} without the root"
        )
    whole = LAYOUTS["smpl24"]
    edges = tuple(edge for edge in whole.edges if max(edge) < count)
    layout = replace(whole, name=f"smpl{count}", joints=whole.joints[:count], edges=edges)
    rest = smpl_body(cfg).joints(np.zeros((1, 72), dtype=np.float32)).numpy()[0, :count].astype(np.float64)
    offsets = rest - rest[np.maximum(np.array(layout.parents), 0)]
    there = np.isfinite(result.poses).all(axis=(1, 2))
    if not there.any():
        raise UserError(f"{track.name}: no frame has all rotations, which an animation needs")
    last = np.maximum.accumulate(np.where(there, np.arange(len(there)), np.flatnonzero(there)[0]))
    matrices = Rotation.from_rotvec(result.poses[last].reshape(-1, 3)).as_matrix().reshape(len(last), count, 3, 3)
    turn = result.space.turn if result.space is not None and result.space.turn.shape == (3, 3) else np.eye(3)
    matrices[:, 0] = bvh.FLIP @ turn @ matrices[:, 0]
    moved = result.translation if result.translation is not None else track.translation
    places = np.zeros((len(last), 3)) if moved is None else np.nan_to_num(moved) @ (bvh.FLIP @ turn).T
    return layout, offsets, matrices, places
