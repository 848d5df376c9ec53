"""The table of all kinds of pose files: what each is called, how it is told, who reads and who writes it."""

from collections import namedtuple
from functools import partial

from . import (
    alphapose,
    arrays,
    c3d_file,
    coco,
    csv_files,
    easymocap,
    frame_arrays,
    gvhmr,
    hdf5_files,
    hybrik,
    json_files,
    json_frames,
    json_rows,
    live_file,
    mediapipe,
    mmpose,
    ntu,
    openpose,
    opensim,
    panoptic,
    phalp,
    pickled_arrays,
    pose_format_file,
    prompthmr,
    qualisys,
    romp,
    sam3d_body,
    sequences,
    sleap_project,
    tram,
    trc,
    ultralytics,
    ultralytics_csv,
    ultralytics_labels,
    vibe,
    videopose3d,
)

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
        "folder of Ultralytics label files", ultralytics_labels.sniff, ultralytics_labels.read, ultralytics_labels.write
    ),
    "ultralytics_csv": Format(
        "Ultralytics results.to_csv()", ultralytics_csv.sniff, ultralytics_csv.read, ultralytics_csv.write
    ),
    "easymocap": _json("easymocap", "EasyMocap folder (keypoints3d, annots or smpl)", easymocap.sniff, easymocap.walk),
    "sam3d_body": Format("SAM 3D Body outputs (MHR-70)", sam3d_body.sniff, sam3d_body.read, sam3d_body.write),
    "live": _json("live", "recorded live stream, JSON lines", live_file.sniff, live_file.walk),
    "openpose": _json("openpose", "OpenPose folder of one JSON a frame", openpose.sniff, openpose.walk),
    "alphapose": _json("alphapose", "AlphaPose results JSON", alphapose.sniff, alphapose.walk),
    "mmpose": _json("mmpose", "MMPose 1.x JSON (inferencer or demo)", mmpose.sniff, mmpose.walk),
    "mmpose0": _json("mmpose0", "MMPose 0.x nested result lists, JSON", mmpose.sniff_nested, mmpose.walk_nested),
    "coco": _json("coco", "COCO key-point results or annotations", coco.sniff, coco.walk),
    "json": _json("json", "JSON frames of key points", json_frames.sniff, json_frames.walk),
    "mediapipe": _json("mediapipe", "MediaPipe landmarks, JSON list of frames", mediapipe.sniff, mediapipe.walk),
    "ntu": Format("NTU RGB+D .skeleton", ntu.sniff, ntu.read, ntu.write),
    "qualisys": Format("Qualisys TSV of markers", qualisys.sniff, qualisys.read, qualisys.write),
    "trc": Format("TRC marker trajectories", trc.sniff, trc.read, trc.write),
    "csv": Format("CSV of one pose or one landmark per line", csv_files.sniff, csv_files.read, csv_files.write),
    "json_rows": Format("JSON list of landmarks", json_rows.sniff, json_rows.read, csv_files.write),
    "c3d": Format("C3D marker trajectories", c3d_file.sniff, c3d_file.read, c3d_file.write),
    "hdf5": Format("DeepLabCut's or SLEAP's analysis .h5", hdf5_files.sniff, hdf5_files.read, hdf5_files.write),
    "slp": Format("SLEAP project .slp", sleap_project.sniff, sleap_project.read, sleap_project.write),
    "pose": Format(".pose of pose-format", pose_format_file.sniff, pose_format_file.read, pose_format_file.write),
    "opensim": Format("OpenSim .mot or .sto", opensim.sniff, opensim.read, opensim.write),
    "npy": Format(
        ".npy array of positions or SMPL rotations",
        arrays.sniff_npy,
        arrays.read_npy,
        arrays.write_npy,
        translation=True,
        axes=True,
    ),
    "videopose3d": Format("VideoPose3D .npz", videopose3d.sniff, videopose3d.read, videopose3d.write),
    "romp": Format("ROMP's video_results.npz", romp.sniff, romp.read, romp.write),
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
    "prompthmr": Format("PromptHMR results.pkl", prompthmr.sniff, prompthmr.read, prompthmr.write, translation=True),
    "hybrik": Format("HybrIK res.pk", hybrik.sniff, hybrik.read, hybrik.write, translation=True),
    "tram": Format("TRAM's hps_track .npy", tram.sniff, tram.read, tram.write, translation=True),
    "pkl": Format(
        "pickle, object .npy or .pt of an array, or of arrays by name (AIST++)",
        pickled_arrays.sniff,
        pickled_arrays.read,
        pickled_arrays.write,
        translation=True,
        axes=True,
    ),
    "frame_arrays": Format(
        "pickle, object .npy or .pt of a list of frames' arrays",
        frame_arrays.sniff,
        frame_arrays.read,
        frame_arrays.write,
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
