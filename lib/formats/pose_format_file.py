"""`.pose` files of sign language tools (the extra `mocap`, package pose-format): components of points for people in frames.

A component is a set of key points (MediaPipe's body, face, hands, world landmarks; OpenPose's). Points of confidence 0 are missing
and have no place for a refined one.
"""

import io

import numpy as np

from ..errors import UserError
from ..files import write_bytes
from .sense import units_2d
from .tracks import PoseFile, Track, joint_names, layout_of_names

# Component -> part; others are called as they are.
PARTS = {
    "pose_landmarks": "body",
    "pose_world_landmarks": "world",
    "face_landmarks": "face",
    "left_hand_landmarks": "left_hand",
    "right_hand_landmarks": "right_hand",
    "pose_keypoints_2d": "body",
    "face_keypoints_2d": "face",
    "hand_left_keypoints_2d": "left_hand",
    "hand_right_keypoints_2d": "right_hand",
}


def sniff(opened):
    return not opened.is_folder and opened.suffix == ".pose"


def _load(content):
    from pose_format import Pose  # an extra, which takes a second to import

    return Pose.read(content)


def read(opened, image_size=None, fps=None):
    pose = _load(opened.content)
    data, confidence = np.asarray(pose.body.data.data, np.float64), np.asarray(pose.body.confidence, np.float64)
    if not data.size:
        raise UserError(f"{opened.path}: no frame, or nobody, in it. Nothing can be refined")
    tracks, places, first = [], [], 0
    for component in pose.header.components:
        points = slice(first, first + len(component.points))
        first = points.stop
        for person in range(data.shape[1]):
            scores = np.clip(np.nan_to_num(confidence[:, person, points]), 0, 1)
            if (scores > 0).any():
                for axes, part in _sets(component, data.shape[-1]):
                    tracks.append(_track(person, data.shape[1], component, part, data[:, person, points, axes], scores))
                    places.append((person, points, axes))
    if not tracks:
        raise UserError(f"{opened.path}: every point has confidence 0. Nothing can be refined")
    size = (int(pose.header.dimensions.width), int(pose.header.dimensions.height))
    source = {"content": opened.content, "places": places, "originals": [track.poses.copy() for track in tracks]}
    size = image_size or (size if min(size) > 0 else None)
    return PoseFile("pose", tracks, len(data), fps or float(pose.body.fps) or None, None, size, True, source)


def _sets(component, dims):
    """(axes, part) of what is refined of a component: 3D as it is, image places, and their depth apart."""
    part = PARTS.get(component.name.lower(), component.name.lower())
    if "world" in part or dims > 2 and "3d" in part:
        return [(slice(0, 3), part)]
    depth = "depth" if part == "body" else f"{part} depth"
    return [(slice(0, 2), part)] + ([(slice(2, 3), depth)] if dims > 2 else [])


def _track(person, people, component, part, poses, scores):
    poses = poses.copy()
    poses[(scores <= 0) | ~np.isfinite(poses).all(axis=-1)] = np.nan
    if poses.shape[-1] == 1 and not np.nan_to_num(poses).any():
        poses[:] = np.nan  # a depth of 0 throughout is none
    name = f"person {person}" if people > 1 else "person"
    flat = poses.shape[-1] < 3
    units = (units_2d(poses) if poses.shape[-1] == 2 else None) if flat else "m"
    track = Track(
        person,
        name if part == "body" else f"{name} {part}",
        poses,
        scores,
        "2D" if flat else "3D",
        layout_of_names(component.points),
        joint_names(component.points),
        units,
        part,
    )
    track.recorded = np.isfinite(poses).all(axis=-1)
    return track


def write(pose_file, refined, output_path):
    pose, source = _load(pose_file.source["content"]), pose_file.source
    data = pose.body.data.data
    for (person, points, axes), values, original in zip(source["places"], refined, source["originals"]):
        changed = np.isfinite(values) & (values != original) & np.isfinite(original)
        data[:, person, points, axes][changed] = values[changed]
    buffer = io.BytesIO()
    pose.write(buffer)
    write_bytes(output_path, buffer.getvalue())
