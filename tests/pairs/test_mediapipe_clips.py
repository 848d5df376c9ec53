"""What the script in MediaPipe's own environment writes is what this toolkit reads."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from lib.formats import registry
from lib.pairs import mediapipe_clips


def test_answers_are_read_in_pixels_and_metres(tmp_path):
    rng = np.random.default_rng(1)
    image, world = rng.uniform(0.2, 0.8, (33, 4)), rng.uniform(0.1, 0.9, (33, 4))
    frame = {
        key: mediapipe_clips._rows(
            SimpleNamespace(landmark=[SimpleNamespace(**dict(zip(("x", "y", "z", "visibility"), row))) for row in rows])
        )
        for key, rows in (("pose_landmarks", image), ("pose_world_landmarks", world))
    }
    path = tmp_path / "walk.mediapipe.json"
    path.write_text(json.dumps(mediapipe_clips.content({"mode": "video"}, 50.0, (480, 320), [frame, None, frame])))
    read = registry.read(path)
    assert read.fps == 50 and tuple(read.image_size) == (480, 320)
    tracks = {track.part: track for track in read.tracks}
    np.testing.assert_allclose(tracks["body"].poses[0] / (480, 320), image[:, :2], atol=1e-5)
    np.testing.assert_allclose(tracks["world"].poses[2], world[:, :3], atol=1e-5)
    assert np.isnan(tracks["world"].poses[1]).all()
    np.testing.assert_allclose(tracks["world"].confidence[0], world[:, 3], atol=1e-5)


def test_the_script_runs_without_this_toolkit(tmp_path):
    """As a plain file, in a folder without clips; the estimator is loaded for clips alone."""
    script = Path(mediapipe_clips.__file__)
    asked = subprocess.run([sys.executable, "-I", script, tmp_path], capture_output=True, text=True, timeout=60)
    assert asked.returncode == 0, asked.stderr
    source = script.read_text(encoding="utf-8")
    assert "from ." not in source and "import lib" not in source and "synsp import" not in source


def test_an_answer_to_a_clip_that_was_rendered_again_does_not_count(tmp_path):
    clip = tmp_path / "walk.mp4"
    clip.write_bytes(b"")
    assert not mediapipe_clips.is_answered(clip)
    answer = mediapipe_clips.answer_of(clip)
    answer.write_text("{}")
    os.utime(clip, (100, 100))
    os.utime(answer, (200, 200))
    assert mediapipe_clips.is_answered(clip)
    os.utime(clip, (300, 300))
    assert not mediapipe_clips.is_answered(clip)
