"""What can be said of refined poses without ground truth: jitter, amplitude, how far they moved."""

import numpy as np
import torch

from ..poses import gaps, rotations
from ..poses.kinds import kind_of
from ..tracks import closing
from ..tracks.result import RefinedTrack

IMAGE_UNIT = "% of image height"  # of coordinates that are shares of an image whose size is not known
PROPORTIONS = 16 / 9  # which such an image is taken to have


def licences(refine, results):
    """A line for each network that refined anything: its file, whose weights they are, and under which licence."""
    used = {label for result in results for label in result.methods}
    return [
        f"{model.path}: {model.licence or 'licence not said in the file (published weights: as their authors say)'}"
        for model in refine.choice.models()
        if model.label in used
    ]


def in_shares(track):
    """Whether a track's coordinates are shares of the image."""
    return kind_of(track.kind).in_image and track.units == "normalised"


def shown(track, values):
    """Poses [T, J, D] in the image's proportions: shares of the image as percentages of its height."""
    if not in_shares(track) or values.shape[-1] != 2:
        return values
    return 100 * values * np.array([PROPORTIONS, 1.0])


def scores(pose_file, results):
    """What can be said without ground truth, over the tracks of a file: {kind: row}.

    jitter: mean norm of the second difference in time; amplitude: that of the motion, without white jitter, as a share of the
    input's (`closing.motion_kept`); displacement: mean distance from the repaired input; largest: its largest. In px, mm or
    degrees, or in the file's unit where that is not known (`IMAGE_UNIT` of shares of an image). Depths, which have no unit, are left out.
    """
    rows = {}
    for track, result in zip(pose_file.tracks, results):
        if track.is_depth:
            continue
        factor, unit = _unit_of(track)
        part = rows.setdefault((track.kind, unit), {"jitter": [], "kept": [], "moved": []})
        part["kept"].append(np.array([1.0 if result.said is None else result.said.kept]))
        start, values = shown(track, _repaired(track, result)), shown(track, result.poses)
        start, values = factor * start, factor * values
        both = gaps.seen(start) & gaps.seen(values)
        if kind_of(track.kind).rotations:
            start, values = (torch.from_numpy(rotations_of).double() for rotations_of in (start, values))
            start, values = (rotations.axis_angle_to_matrix(matrix) for matrix in (start, values))
            moved = _angle(start, values)
            axis = rotations.matrix_to_axis_angle(values[1:] @ values[:-1].transpose(-1, -2)).numpy()
            part["jitter"].append(np.degrees(np.linalg.norm(np.diff(axis, axis=0), axis=-1)).ravel())
        else:
            moved = np.linalg.norm(values - start, axis=-1)
            there = np.where(both[..., None], values, np.nan)
            part["jitter"].append(np.linalg.norm(np.diff(there, n=2, axis=0), axis=-1).ravel())
        part["moved"].append(moved[both].ravel())
    return {key: _row(part) for key, part in rows.items()}


def _repaired(track, result):
    """The input [T, J, D] as repaired: neither that a knee is the other knee nor that a spike went is a distance a method moved it by."""
    repaired = result.repaired
    if repaired is None or kind_of(track.kind).rotations:  # which are not repaired
        return track.poses
    mended = repaired.exchanged | repaired.spikes
    return np.where(mended[..., None], repaired.poses, track.poses)


def _unit_of(track):
    """(factor, name) from a track's numbers to the unit of its scores."""
    if in_shares(track):
        return 1.0, IMAGE_UNIT  # `shown`
    return (1.0, "degrees") if kind_of(track.kind).rotations else closing.unit_of(track)


def before_and_after(pose_file, results, method):
    """Rows {method, kind, …} of the input and of what was made of it."""
    untouched = [RefinedTrack(track.poses, np.zeros(track.poses.shape[:2], bool)) for track in pose_file.tracks]
    return [
        {"method": name, "kind": kind, "unit": unit, **row}
        for name, found in (("input", untouched), (method, results))
        for (kind, unit), row in scores(pose_file, found).items()
    ]


def _angle(a, b):
    """Degrees between rotation matrices [..., 3, 3]."""
    return np.degrees(rotations.matrix_to_axis_angle(a @ b.transpose(-1, -2)).norm(dim=-1).numpy())


def _row(part):
    joined = {key: np.concatenate(values) if values else np.zeros(0) for key, values in part.items()}
    kept = joined["kept"][np.isfinite(joined["kept"])]
    jitter = joined["jitter"][np.isfinite(joined["jitter"])]
    return {
        "jitter": float(jitter.mean()) if len(jitter) else float("nan"),
        "amplitude kept": float(kept.mean()) if len(kept) else float("nan"),
        "displacement": float(joined["moved"].mean()) if len(joined["moved"]) else float("nan"),
        "largest": float(joined["moved"].max(initial=0)),
    }
