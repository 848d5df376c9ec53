"""What the package is used for in Python: `load` a pose file, `refine` poses.

Shapes: P people, T frames, J joints, D coordinates.
"""

from __future__ import annotations

from dataclasses import replace
from os import PathLike
from typing import Any, overload

import numpy as np
import torch
from numpy.typing import ArrayLike

from .formats import registry, xarray_data
from .formats.tracks import PoseFile
from .tracks.refiner import Refiner


def load(
    path: str | PathLike[str],
    input_format: str | None = None,
    *,
    image_size: tuple[int, int] | None = None,
    fps: float | None = None,
    axes: str | None = None,
) -> PoseFile:
    """Read the pose file of an estimator or of another tool.

    path: a file, or a folder of per-frame files; input_format: its kind, where it cannot be recognised from the
    contents; image_size: (width, height) in px, for coordinates that are normalised to the image; fps: frames per
    second, where the file does not say; axes: of an array file, such as "TPJD" (T frames, P people, J joints, D coordinates).

    Returns a `PoseFile`: its `fps` (None where unknown) and its `tracks`, one for each person and set of key points,
    with `poses` [T, J, D] (NaN for missing), `joint_names` (J names, or None), `confidence` [T, J] in [0, 1] or None,
    and `start`, the frame of the file that is the track's first.
    Raises UserError for a file that cannot be read.
    """
    return registry.read(path, input_format, image_size, fps, axes)


@overload
def refine(poses: str | PathLike[str] | PoseFile, **options: Any) -> PoseFile: ...
@overload
def refine(poses: torch.Tensor, **options: Any) -> torch.Tensor: ...
@overload
def refine(poses: ArrayLike, **options: Any) -> np.ndarray: ...


def refine(poses, *, confidence=None, timestamps=None, **options):
    """Refine poses, as the command `synsp refine` does.

    poses: the path of a pose file; what `load` returned; an xarray DataArray or Dataset with movement's dims (time, space,
    keypoints, individuals); or an array or tensor [T, J, D] (one person) or [P, T, J, D],
    with NaN for missing key points. confidence: [T, J] (or [P, T, J]) in [0, 1], and timestamps: [T] seconds, of an
    array. options: those of `Refiner`, such as fps=30 or method="savgol".

    Returns refined poses in the form that was given: for xarray a copy, for a path or a `PoseFile` a new `PoseFile`, for an array or tensor
    one of the same type, shape and dtype. Nothing is written. Raises UserError for poses that cannot be refined.
    """
    if isinstance(poses, (str, PathLike)):
        poses = load(poses, fps=options.get("fps"))
    refiner = Refiner(**options)
    if xarray_data.is_xarray(poses):
        read = xarray_data.from_xarray(poses)
        results = refiner.refine_tracks(read.tracks, refiner.fps or read.fps, read.timestamps)
        read.repaired = [result.repaired for result in results]
        return xarray_data.to_xarray(read, [result.poses for result in results])
    if not isinstance(poses, PoseFile):
        return refiner(poses, confidence, timestamps)
    results = refiner.refine_tracks(poses.tracks, refiner.fps or poses.fps, poses.timestamps, poses.image_size)
    tracks = [_refined(track, result) for track, result in zip(poses.tracks, results, strict=True)]
    return replace(poses, tracks=tracks)


def _refined(track, result):
    """A track with its refined poses; scores of exchanged sides have changed places with them."""
    scores = track.confidence if result.repaired is None else result.repaired.confidence
    return replace(track, poses=result.poses, confidence=scores)
