"""Rendered clips without pictures: a body of 17 joints in five segments that turns and walks before a camera."""

import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from lib import files

REST = np.array(  # x right, y down of a person who faces the camera, so that its right is at the picture's left
    [
        [0, 0, 0], [-0.12, 0, 0], [-0.12, 0.42, 0], [-0.12, 0.84, 0], [0.12, 0, 0], [0.12, 0.42, 0], [0.12, 0.84, 0],
        [0, -0.25, 0], [0, -0.5, 0], [0, -0.6, -0.1], [0, -0.72, 0],
        [0.18, -0.5, 0], [0.2, -0.24, 0], [0.2, 0, -0.05], [-0.18, -0.5, 0], [-0.2, -0.24, 0], [-0.2, 0, -0.05],
    ]
)  # fmt: skip
K = np.array([[600.0, 0, 256], [0, 600, 256], [0, 0, 1]], np.float32)
# Torso, legs and arms; the torso carries what is not named.
SEGMENTS = {1: (2, 3), 2: (5, 6), 3: (12, 13), 4: (15, 16)}


def clip(folder, name, subject, body=None, *, frames=60, fps=30.0, views=None, split="train", seed=0):
    """Write the truth of a clip and return (joints3D, joints2D, rotations of the joints' segments)."""
    rng = np.random.default_rng([seed, *name.encode()])
    time = np.arange(frames) / fps
    heading = rng.uniform(-3, 3) + 0.8 * time
    turns = np.stack([Rotation.from_euler("y", heading[:, None]).as_matrix()] * 5, 1)
    for segment in SEGMENTS:
        swing = 0.6 * np.sin(2 * np.pi * time + rng.uniform(0, 6))
        turns[:, segment] = turns[:, 0] @ Rotation.from_euler("x", swing[:, None]).as_matrix()
    of_joint = np.zeros(17, int)
    for segment, joints in SEGMENTS.items():
        of_joint[list(joints)] = segment
    turned = turns[:, of_joint]
    joints = np.einsum("tab,jb->tja", turns[:, 0], REST)
    for segment, first in ((1, 1), (2, 4), (3, 11), (4, 14)):
        for joint in SEGMENTS[segment]:
            joints[:, joint] = joints[:, first] + np.einsum("tab,b->ta", turns[:, segment], REST[joint] - REST[first])
    joints = joints + [0, 0, 3.5]
    flat = joints[..., :2] / joints[..., 2:] * 600 + 256
    meta = {
        "clip": name, "subject": subject, "body": body or f"b_{subject}", "motion": {"file": "walk.bvh", "source": "made"},
        "licence": "CC0", "mode": "video", "seed": seed, "size": [512, 512], "fps": fps, "frames": frames, "phenotype": {},
        "views": views, "split": split,
    }  # fmt: skip
    arrays = {
        "joints3D": joints.astype(np.float32),
        "joints2D": flat.astype(np.float32),
        "K": K,
        "size": np.array([512, 512], np.int32),
        "fps": np.float32(fps),
        "segments": turns.astype(np.float32),
        "segment_of_joint": of_joint.astype(np.int32),
        "meta": np.array(json.dumps(meta)),
    }
    files.write_npz(folder / f"{name}.npz", arrays)
    (folder / f"{name}.mp4").write_bytes(b"")
    return joints, flat, turned


@pytest.fixture
def rendered(tmp_path):
    """(folder of clips, empty folder for estimates, {clip: (joints3D, joints2D, rotations)}) of three subjects."""
    out, said = tmp_path / "clips", tmp_path / "said"
    out.mkdir(), said.mkdir()
    made = {}
    for subject in ("ann", "bob", "cid"):
        for number in range(2):
            made[f"{subject}_c{number}"] = clip(out, f"{subject}_c{number}", subject)
    return out, said, made
