"""`load` and `refine`, in Python."""

import json

import numpy as np
import pytest
import torch

from lib.api import load, refine
from lib.commands import cli
from lib.errors import UserError
from lib.formats.tracks import JOINT_NAMES, PoseFile, Track


@pytest.fixture
def alphapose(tmp_path):
    """A file of one person with COCO key points, 20 frames; its poses [T, J, 2] and confidence [T, J]."""
    rng = np.random.default_rng(1)
    poses, confidence = rng.normal(300, 80, (1, 17, 2)) + rng.normal(0, 2, (20, 17, 2)), rng.uniform(0.5, 1, (20, 17))
    rows = [
        {
            "image_id": f"{frame}.jpg",
            "category_id": 1,
            "keypoints": np.concatenate((poses[frame], confidence[frame, :, None]), axis=1).ravel().tolist(),
            "score": 1.0,
            "idx": 1,
        }
        for frame in range(20)
    ]
    path = tmp_path / "alphapose-results.json"
    path.write_text(json.dumps(rows))
    return path, poses, confidence


def test_a_loaded_file_has_poses_names_and_confidence(alphapose):
    path, poses, confidence = alphapose
    loaded = load(path, fps=25)
    (person,) = loaded.tracks
    assert loaded.fps == 25 and person.joint_names == JOINT_NAMES["coco17"]
    assert np.allclose(person.poses, poses) and np.allclose(person.confidence, confidence)


def test_path_loaded_array_and_command_agree(alphapose):
    path, poses, confidence = alphapose
    loaded = load(path)
    cli.main(["refine", str(path), "--method", "gaus1d", "--fps", "25"])
    expected = load(path.with_name("alphapose-results_refined.json")).tracks[0].poses
    for refined in (
        refine(path, method="gaus1d", fps=25).tracks[0].poses,
        refine(loaded, method="gaus1d", fps=25).tracks[0].poses,
        refine(poses, method="gaus1d", fps=25, confidence=confidence),
        refine(torch.from_numpy(poses), method="gaus1d", fps=25, confidence=confidence).numpy(),
    ):
        assert np.allclose(refined, expected, atol=1e-2) and not np.allclose(refined, poses, atol=0.5)
    assert np.allclose(loaded.tracks[0].poses, poses)  # what was loaded stays as it was


def test_what_cannot_be_read_is_one_line(tmp_path):
    with pytest.raises(UserError, match="absent.json"):
        load(tmp_path / "absent.json")
    with pytest.raises(UserError, match="--method magic"):
        refine(np.zeros((9, 17, 2)), method="magic")


def test_what_a_file_holds_is_printed_in_a_few_words():
    poses = np.zeros((500, 17, 2))
    track = Track(0, "person", poses, kind="2D", layout="coco17", units="px")
    assert repr(PoseFile("csv", [track], 500)) == (
        "<PoseFile csv: 500 frames, rate unknown\n  <Track 'person': poses [500, 17, 2], 2D, coco17, px>>"
    )
