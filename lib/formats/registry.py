"""Every kind of pose file, told by its contents, read into tracks and written back as the same kind."""

from collections import namedtuple
from functools import partial
from pathlib import Path

import numpy as np

from ..errors import UserError, reading
from ..poses import sentinels
from . import (
    alphapose,
    arrays,
    c3d_file,
    coco,
    csv_files,
    easymocap,
    gvhmr,
    hdf5_files,
    json_files,
    live_file,
    mediapipe,
    mmpose,
    openpose,
    panoptic,
    phalp,
    pickled_arrays,
    sequences,
    trc,
    ultralytics,
    unknown,
    vibe,
    videopose3d,
)
from .opened import Opened

# sniff(opened) -> bool; read(opened, image_size, fps) -> PoseFile; write(pose_file, refined, path, …).
# `derived`, `translation`: whether its writer takes these; `axes`: whether its reader takes the order of axes.
Format = namedtuple("Format", "description sniff read write derived translation axes", defaults=(False, False, False))


def _json(name, description, sniff, walk):
    return Format(description, sniff, partial(json_files.read, name, walk), partial(json_files.write, walk))


# In the order in which they are tried: a kind that is told by more stands before one that is told by less.
FORMATS = {
    "panoptic": _json("panoptic", "CMU Panoptic body3DScene JSON", panoptic.sniff, panoptic.walk),
    "ultralytics": Format(
        "Ultralytics results.to_json()",
        ultralytics.sniff,
        partial(json_files.read, "ultralytics", ultralytics.walk),
        ultralytics.write,
    ),
    "ultralytics_labels": Format(
        "folder of Ultralytics label files", ultralytics.sniff_labels, ultralytics.read_labels, ultralytics.write_labels
    ),
    "easymocap": _json("easymocap", "EasyMocap folder (keypoints3d, annots or smpl)", easymocap.sniff, easymocap.walk),
    "live": _json("live", "recorded live stream, JSON lines", live_file.sniff, live_file.walk),
    "openpose": _json("openpose", "OpenPose folder of one JSON a frame", openpose.sniff, openpose.walk),
    "alphapose": _json("alphapose", "AlphaPose results JSON", alphapose.sniff, alphapose.walk),
    "mmpose": _json("mmpose", "MMPose 1.x JSON (inferencer or demo)", mmpose.sniff, mmpose.walk),
    "mmpose0": _json("mmpose0", "MMPose 0.x nested result lists, JSON", mmpose.sniff_nested, mmpose.walk_nested),
    "coco": _json("coco", "COCO key-point results or annotations", coco.sniff, coco.walk),
    "mediapipe": _json("mediapipe", "MediaPipe landmarks, JSON list of frames", mediapipe.sniff, mediapipe.walk),
    "trc": Format("TRC marker trajectories", trc.sniff, trc.read, trc.write),
    "csv": Format("CSV of one pose or one landmark per line", csv_files.sniff, csv_files.read, csv_files.write),
    "c3d": Format("C3D marker trajectories", c3d_file.sniff, c3d_file.read, c3d_file.write),
    "hdf5": Format("DeepLabCut's or SLEAP's analysis .h5", hdf5_files.sniff, hdf5_files.read, hdf5_files.write),
    "npy": Format(
        ".npy array of positions or SMPL rotations",
        arrays.sniff_npy,
        arrays.read_npy,
        arrays.write_npy,
        translation=True,
        axes=True,
    ),
    "videopose3d": Format("VideoPose3D .npz", videopose3d.sniff, videopose3d.read, videopose3d.write),
    "sequences": Format(
        "SmoothNet/SynSP .npz of sequences", sequences.sniff, sequences.read, sequences.write, translation=True
    ),
    "gvhmr": Format(
        "GVHMR .pt",
        gvhmr.sniff_gvhmr,
        gvhmr.read_gvhmr,
        gvhmr.write_gvhmr,
        derived=True,
        translation=True,
    ),
    "npz": Format(
        ".npz of positions or SMPL rotations",
        arrays.sniff_npz,
        arrays.read_npz,
        arrays.write_npz,
        translation=True,
        axes=True,
    ),
    "pkl": Format(
        "pickle of arrays by name (AIST++)",
        pickled_arrays.sniff,
        pickled_arrays.read,
        pickled_arrays.write,
        translation=True,
        axes=True,
    ),
    "vibe": Format(
        "VIBE .pkl",
        vibe.sniff_vibe,
        vibe.read_vibe,
        vibe.write_vibe,
        derived=True,
        translation=True,
    ),
    "wham": Format(
        "WHAM .pkl",
        vibe.sniff_wham,
        vibe.read_wham,
        vibe.write_vibe,
        derived=True,
        translation=True,
    ),
    "phalp": Format(
        "4D-Humans/PHALP .pkl",
        phalp.sniff_phalp,
        phalp.read_phalp,
        phalp.write_phalp,
        derived=True,
    ),
}


def known():
    """The names of the known kinds in one line."""
    return ", ".join(FORMATS)


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
        if opened.is_json and isinstance(opened.tree, (list, dict)) and not any(opened.tree):
            frames = f"any of its {len(opened.tree)} frames" if opened.tree else "it"
            raise UserError(f"{path}: nobody in {frames}. Nothing can be refined")
        raise UserError(unknown.described(opened))
    kind = FORMATS[input_format]
    if axes and not kind.axes:
        raise UserError(f"--axes {axes}: {path} is {kind.description}, whose axes are known. Leave it out")
    pose_file = kind.read(opened, image_size, fps, *([axes] if axes else []))
    for track in pose_file.tracks:
        _take_out(track, (np.abs(track.poses) > np.finfo(np.float32).max).any(axis=-1))  # no place: as good as infinite
    _take_out_sentinels(pose_file.tracks)
    return pose_file


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
            same = (
                other
                for other in tracks
                if other.poses.shape[-1] == 1
                and str(other.id) == str(track.id)
                and other.start == track.start
                and other.poses.shape[:2] == track.poses.shape[:2]
                and other.part.removesuffix("depth").strip("_ ") in (track.part, "")
            )
            for one in (track, *same):
                _take_out(one, absent)


# Numbers that the stretches without a record may take: so many in any file, and for each number that is there.
FREE_NUMBERS, STRETCH = 2**24, 100


def _check(pose_file, path):
    """Refuse what no refinement could work on. Raises UserError."""
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
