"""What an estimator said of one clip: its file read, the rendered person found in it, its joints as the 17 of h36m17.

Shapes: T frames of the clip, J = 17 joints, P people that the estimator found.
"""

from dataclasses import dataclass

import numpy as np

from ..errors import NobodyError, UnrelatedError, UserError
from ..formats import registry
from ..poses import gaps, mapping, space
from ..poses.kinds import kind_of
from ..poses.skeletons import LAYOUTS

LAYOUT = LAYOUTS["h36m17"]
# Share of a clip's frames that an estimate may lack at its end: trackers write no records of frames without anybody.
SHORT = 0.2
# Share of the person's own size (the diagonal of the box around it) beyond which key points are another person's.
ELSEWHERE = 0.3
# Key points beyond this (px, or a file's own unit, of which mm is the smallest) are missing: no camera films a kilometre, and
# squares of such numbers are too large for the single precision of datasets.
FAR = 1e6


@dataclass(frozen=True)
class Estimate:
    """An estimator's answer to one clip, of the rendered person alone.

    key_points: [T, J, 2] px, or None; poses: [T, J, 3] in the file's units and axes, or None; both NaN where the estimator
    said nothing. units: of poses, or None; names: which of the J joints the file has itself, the others are means (bool [J]).
    """

    key_points: np.ndarray | None = None
    poses: np.ndarray | None = None
    units: str | None = None
    own: np.ndarray | None = None

    @property
    def found(self):
        """bool [T]: the frames in which the person was found; empty where there is nobody at all."""
        said = self.poses if self.key_points is None else self.key_points
        return np.zeros(0, bool) if said is None else gaps.seen(said).any(axis=1)


def read(path, truth, input_format=None):
    """The `Estimate` of the clip of a `Truth` in a pose file, empty where nobody was found, or nobody twice at one place (the
    estimator jumped from one thing in the picture to another). Raises UserError for a file that is not of
    this clip's frames, or has not the joints."""
    width, height = truth.size
    try:
        pose_file = registry.read(path, input_format, (width, height), truth.fps)
    except (NobodyError, UnrelatedError):
        return Estimate()
    if not pose_file.tracks:
        return Estimate()
    _check_frames(path, pose_file.frame_count, truth)
    flat, solid, units, own = {}, {}, None, None
    for track in pose_file.tracks:
        kind, dims = kind_of(track.kind), track.poses.shape[-1]
        fit = None if track.joint_names is None else mapping.to_joints(LAYOUT.joints, track.joint_names)
        if fit is None or kind.rotations or dims != kind.network:
            continue
        poses = np.full((truth.frames, LAYOUT.size, dims), np.nan)
        count = max(0, min(len(track.poses), truth.frames - track.start))
        poses[track.start : track.start + count] = fit.take(track.poses[:count])
        if kind.in_image and track.units == "normalised":
            poses *= truth.size
        poses[~(np.abs(poses) < FAR).all(axis=-1)] = np.nan
        (flat if kind.in_image else solid).setdefault(str(track.id), poses)
        units = units if kind.in_image else track.units
        own = np.isin(np.arange(LAYOUT.size), [target for target, _ in fit.written])
    if own is None:
        raise UserError(f"{path}: {_lacking(pose_file.tracks)}")
    return _of_person(flat, solid, units, own, truth)


def _check_frames(path, count, truth):
    """An estimate may be shorter than the clip by what a tracker leaves out at its end."""
    if count > truth.frames or count < (1 - SHORT) * truth.frames:
        raise UserError(
            f"{path}: {count} frames, but clip {truth.clip} has {truth.frames} ({truth.fps:g} a second). Run the estimator on every "
            "frame of the clip that `pairs render` made"
        )


def _lacking(tracks):
    """Why none of the tracks gives the 17 joints."""
    if all(kind_of(track.kind).rotations for track in tracks):
        return (
            "holds SMPL rotations. Give the joints that the estimator makes of them (VIBE: joints3d), as .npy [T, J, 3]"
        )
    return "its joints do not give the 17 of Human3.6M. Needed: hips, knees, ankles, shoulders, elbows, wrists, nose and ears, or all 17"


def _of_person(flat, solid, units, own, truth):
    """The `Estimate` with, frame by frame, what was said of the person who is nearest to the truth's."""
    if flat:
        errors = {person: np.linalg.norm(poses - truth.joints2D, axis=-1) for person, poses in flat.items()}
    else:
        errors = {person: _pose_errors(poses, units, truth) for person, poses in solid.items()}
    people = list(errors)
    error = np.array([_mean(errors[person]) for person in people])  # [P, T]
    nearest = error.argmin(axis=0)
    there = np.isfinite(error.min(axis=0))
    if flat:
        size = np.linalg.norm(np.ptp(truth.joints2D, axis=1), axis=-1)
        there &= error.min(axis=0) < ELSEWHERE * size

    def chosen(said):
        """[T, J, D] of {person: [T, J, D]}."""
        if not said:
            return None
        nothing = np.full_like(next(iter(said.values())), np.nan)
        stacked = np.stack([said.get(person, nothing) for person in people])
        picked = stacked[nearest, np.arange(truth.frames)]
        picked[~there] = np.nan
        return picked

    return Estimate(chosen(flat), chosen(solid), units, own)


def _mean(errors):
    """The mean over the joints that are there, [T] of [T, J]; infinite where there are none."""
    there = np.isfinite(errors)
    return np.where(there.any(axis=1), np.nansum(errors, axis=1) / np.maximum(there.sum(axis=1), 1), np.inf)


def _pose_errors(poses, units, truth):
    """[T, J] m about the root."""
    own, _ = space.space_3d(poses, LAYOUT.joints, units)
    about_root = own.into(poses, own.roots(poses))
    return np.linalg.norm(about_root - (truth.joints3D - truth.joints3D[:, :1]), axis=-1)
