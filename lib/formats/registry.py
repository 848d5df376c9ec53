"""Every kind of pose file, told by its contents, read into tracks and written back as the same kind."""

import contextlib
import gc
from pathlib import Path

import numpy as np

from ..errors import NobodyError, UserError, reading
from ..poses import sentinels
from . import unknown
from .kinds import FORMATS, known
from .opened import Opened


@contextlib.contextmanager
def _uncollected():
    """Without the search for circles of objects, of which a parsed file is millions and has none: a third of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@_uncollected()
def read(path, input_format=None, image_size=None, fps=None, axes=None):
    """Read a pose file of any kind.

    path: a file, or a folder of per-frame files;
    input_format: a key of `FORMATS` (default: told by the contents);
    image_size: (width, height) in px, by which coordinates normalised to the image become pixels;
    fps: frames a second, instead of what the file says;
    axes: which axis of an array is which (`lib.formats.axes`), such as TPJD (default: told by the numbers).
    Returns a `PoseFile`. Raises UserError naming file, place and mend for what is not readable or holds no
    pose, and listing the known kinds where the kind cannot be told.
    """
    if input_format is not None and input_format not in FORMATS:
        raise UserError(f"input format {input_format!r} is not known. Known: {known()}")
    with reading(path, "a pose file"):
        pose_file = _read(Opened(path), path, input_format, image_size, fps, axes)
        _check(pose_file, path)
    return pose_file


def _read(opened, path, input_format, image_size, fps, axes):
    if input_format is None:
        input_format = next((name for name, kind in FORMATS.items() if kind.sniff(opened)), None)
    if input_format is None:
        empty = _frames_of_nobody(opened)
        if empty is not None:
            frames = f"any of its {empty} frames" if empty else "it"
            raise NobodyError(f"{path}: nobody in {frames}. Nothing can be refined")
        raise UserError(unknown.described(opened))
    kind = FORMATS[input_format]
    if axes and not kind.axes:
        raise UserError(f"--axes {axes}: {path} is {kind.description}, whose axes are known. Leave it out")
    pose_file = kind.read(opened, image_size, fps, *([axes] if axes else []))
    for track in pose_file.tracks:
        _take_out(track, (np.abs(track.poses) > np.finfo(np.float32).max).any(axis=-1))  # no place: as good as infinite
    _take_out_sentinels(pose_file.tracks)
    return pose_file


def _frames_of_nobody(opened):
    """How many frames a JSON file has of which each is empty or null, whoever wrote it; None where it is something else."""
    if not opened.is_json or not isinstance(opened.tree, (list, dict)):
        return None
    if not any(opened.tree):
        return len(opened.tree)
    lists = (
        [value for value in opened.tree.values() if isinstance(value, list)] if isinstance(opened.tree, dict) else []
    )
    return len(lists[0]) if len(lists) == 1 and not any(lists[0]) else None


def _take_out(track, absent):
    """Make the key points `absent` [T, J] of a track missing."""
    track.poses[absent] = np.nan
    if track.confidence is not None and absent.any():
        track.confidence = np.where(absent, 0, track.confidence)


def _take_out_sentinels(tracks):
    """Points that stand for "not found" become missing; what belongs to the same points (their depth) with them."""
    flat = [track for track in tracks if track.kind != "smpl" and track.poses.shape[-1] > 1]
    for track in flat:
        absent = sentinels.absent(track.poses)
        if absent.any():
            for one in (track, *(other for other in tracks if other.is_depth_of(track))):
                _take_out(one, absent)


# Numbers that the stretches without a record may take: so many in any file, and for each number that is there.
FREE_NUMBERS, STRETCH = 2**24, 100


def _check(pose_file, path):
    """Refuse what no refinement could work on. Raises UserError."""
    if not any(np.isfinite(track.poses).any() for track in pose_file.tracks):
        raise UserError(f"{path}: every key point of every frame is missing. Nothing can be refined")
    if pose_file.fps is not None and not 0.01 <= pose_file.fps <= 100_000:
        raise UserError(
            f"{path}: {pose_file.fps:g} frames a second cannot be. Pass --fps with the rate of the recording"
        )
    times = pose_file.timestamps
    if times is not None and not (np.isfinite(times).all() and (np.diff(times) > 0).all()):
        raise UserError(f"{path}: its timestamps do not rise. Pass --fps with the rate of the recording")
    there = sum(track.present.sum() * track.poses[0].size for track in pose_file.tracks if len(track.poses))
    if sum(track.poses.size for track in pose_file.tracks) > FREE_NUMBERS + STRETCH * there:
        raise UserError(
            f"{path}: {pose_file.frame_count} frames, nearly all without a record: a frame number lies far from the others. "
            "Correct it, or split the file"
        )


@_uncollected()
def write(pose_file, refined, output_path, derived=None, translations=None):
    """Write a pose file again, of the same kind, with refined poses in it.

    refined: one array [T, J, D] a track, aligned with the tracks' poses; NaN, and whatever equals the
    original, keeps the file's own value, so that everything that was not refined is equal value for value.
    Frames in which a track has no record (`Track.present`) cannot be written to.
    output_path: a file, or a folder where the input was one.
    derived: {field: one array (or None) a track} for fields that follow from the pose
    (`smpl_common.DERIVED`), rows as the track's frames.
    translations: one array [T, 3] (or None) a track, where translations were refined too.
    Returns the names of the derived fields that were removed, because poses changed and nothing was given.
    """
    refined = [np.asarray(values, dtype=np.float64) for values in refined]
    if len(refined) != len(pose_file.tracks):
        raise ValueError(f"{len(refined)} refined arrays for {len(pose_file.tracks)} tracks")
    for track, values in zip(pose_file.tracks, refined):
        if values.shape != track.poses.shape:
            raise ValueError(f"{track.name}: refined {values.shape}, original {track.poses.shape}")
    kind = FORMATS[pose_file.format]
    options = {"derived": derived} if kind.derived else {}
    if kind.translation:
        options["translations"] = translations
    return kind.write(pose_file, refined, Path(output_path), **options) or []
