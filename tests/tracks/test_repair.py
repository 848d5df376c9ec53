"""What repair leaves in a file: coordinates and scores change places, everything else stays with its joint."""

import json

import numpy as np

from lib.formats import registry
from lib.formats.tracks import JOINT_NAMES
from lib.tracks.refiner import Refiner

from .test_refiner import by_names

NAMES = JOINT_NAMES["openpose25"]
MIRROR = [NAMES.index(name.replace("left", "?").replace("right", "left").replace("?", "right")) for name in NAMES]


def test_scores_are_exchanged_in_the_file(motion, tmp_path):
    clip = 200 * max(motion, key=len)[:60, :, :2].astype(float) + 500
    poses = by_names(clip, NAMES)
    scores = np.tile(np.linspace(0.5, 0.9, 25), (60, 1))
    wrong = slice(30, 36)
    detected, rated = poses.copy(), scores.copy()
    detected[wrong], rated[wrong] = poses[wrong][:, MIRROR], scores[wrong][:, MIRROR]
    folder = tmp_path / "json"
    folder.mkdir()
    for frame, (points, row) in enumerate(zip(detected, rated)):
        values = np.column_stack([points, row]).ravel().tolist()
        person = {"person_id": [-1], "pose_keypoints_2d": values, "face_keypoints_2d": []}
        (folder / f"clip_{frame:012d}_keypoints.json").write_text(json.dumps({"version": 1.3, "people": [person]}))
    pose_file = registry.read(folder, fps=30)
    refiner = Refiner("kalman", fps=30, folder=tmp_path)
    results = refiner.refine_tracks(pose_file.tracks, 30)
    assert any("frames 30-35, repaired" in note for note in results[0].notes)
    pose_file.repaired = [result.repaired for result in results]
    registry.write(pose_file, [result.poses for result in results], tmp_path / "out")
    limbs = [
        index
        for index, name in enumerate(NAMES)
        if name.endswith(("shoulder", "elbow", "wrist", "hip", "knee", "ankle"))
    ]
    for frame in (10, 32):
        text = (tmp_path / "out" / f"clip_{frame:012d}_keypoints.json").read_text()
        values = np.array(json.loads(text)["people"][0]["pose_keypoints_2d"]).reshape(25, 3)
        np.testing.assert_allclose(values[limbs, 2], scores[frame, limbs], atol=1e-9)
        assert np.linalg.norm(values[limbs, :2] - poses[frame, limbs], axis=-1).max() < 5
