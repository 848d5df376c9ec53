"""A merge trained after a network: it makes unseen clips better, streamed or whole, and the file with it is used."""

import logging

import numpy as np
import pytest
import torch

from lib import Refiner
from lib.command_line import Request
from lib.errors import UserError
from lib.models import checkpoints
from lib.training import merging
from tests.evaluation.conftest import write_set
from tests.tracks import test_refiner as tools
from tests.tracks.test_live import noisy


@pytest.fixture
def clips(tmp_path):
    """Two sets of slowly moving poses with white jitter of 20 mm, `my_vibe_3D` train and validate, and their config."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 6), ("validate", 2)):
        time = np.arange(90) / 30
        truth = [
            rng.normal(0, 0.3, 51)
            + 0.1 * np.sin(2 * np.pi * time[:, None] * rng.uniform(0.05, 0.2, 51) + rng.uniform(0, 6, 51))
            for _ in range(count)
        ]
        said = [poses + rng.normal(0, 0.02, poses.shape) for poses in truth]
        write_set(tmp_path, "my_vibe_3D", list(zip(truth, said)), split=split)
    words = [
        "--dataset_name",
        "my",
        "--estimator",
        "vibe",
        "--body_representation",
        "3D",
        "DATASET.BASE_DIR",
        str(tmp_path),
    ]
    return Request("train", words).config()


def shorter(monkeypatch, steps):
    for name, value in (("DRAWS", 1), ("STEPS", steps), ("BATCH", 8)):
        monkeypatch.setattr(merging, name, value)


@pytest.mark.parametrize("lag", [0, -1])
def test_unseen_clips_become_better(tmp_path, clips, monkeypatch, caplog, lag):
    shorter(monkeypatch, 50)
    source, target = tools.save_synsp(tmp_path, carry=0.4, smooth=1.5), tmp_path / "merged.pth.tar"
    caplog.set_level(logging.INFO)
    clips.TRAIN.LAG = lag
    (plain, its_accel), (merged, accel) = merging.fit(source, target, clips, stretch=16)
    assert merged < 0.9 * plain and accel < 0.6 * its_accel
    assert f"{plain:.2f} / {its_accel:.2f} without the merge, {merged:.2f} / {accel:.2f} with it" in caplog.text
    found = checkpoints.load(target)
    part = "gain" if lag == 0 else "blend"
    recipe = {"carry": 0.0, "trained_lag": 0} if lag == 0 else {"weighting": "learned", "smooth": 0.0}
    assert part in found.provenance and found.recipe == checkpoints.load(source).recipe.but(**recipe)

    poses = noisy(30)
    better, before = (Refiner("synsp", checkpoint=path, fps=30, lag=None if lag else 0) for path in (target, source))
    assert np.abs(better(poses) - before(poses)).max() > 0.01
    if lag == 0:
        stream = better.stream()
        np.testing.assert_allclose([stream.step(pose) for pose in poses], better(poses), atol=1e-4)


@pytest.mark.parametrize("lag", [0, -1])
def test_the_same_training_again_gives_the_same_merge(tmp_path, clips, monkeypatch, lag):
    shorter(monkeypatch, 3)
    source, clips.TRAIN.VALIDATE, clips.TRAIN.LAG = tools.save_synsp(tmp_path), False, lag
    for name in ("one", "two"):
        assert merging.fit(source, tmp_path / name, clips, stretch=16) is None
    one, two = (checkpoints.read(tmp_path / name)["state_dict"] for name in ("one", "two"))
    part = "gain" if lag == 0 else "blend"
    assert one[f"{part}.leave.weight"].abs().max() > 0
    for key, value in one.items():
        torch.testing.assert_close(two[key], value)


def test_windows_of_given_errors_are_computed_once(tmp_path, clips, monkeypatch):
    shorter(monkeypatch, 2)
    calls, said, clips.TRAIN.VALIDATE = [], merging.said, False
    monkeypatch.setattr(merging, "DRAWS", 3)
    monkeypatch.setattr(merging, "said", lambda *args: calls.append(1) or said(*args))
    merging.fit(tools.save_synsp(tmp_path), tmp_path / "merged.pth.tar", clips, stretch=16)
    assert len(calls) == 6  # clips


@pytest.mark.parametrize("options", [{"kind": "2D"}, {"align": "frame"}])
def test_other_networks_are_refused(tmp_path, clips, options):
    source = tools.save_synsp(tmp_path, name="other.pth.tar", **options)
    with pytest.raises(UserError, match="needs 3D joints of one view"):
        merging.fit(source, tmp_path / "never.pth.tar", clips)
    assert not (tmp_path / "never.pth.tar").exists()


def test_other_lags_and_short_clips_are_refused(tmp_path, clips):
    source, clips.TRAIN.LAG = tools.save_synsp(tmp_path), 3
    with pytest.raises(UserError, match=r"TRAIN.LAG is 3; expected 0 \(streams without delay\) or -1"):
        merging.fit(source, tmp_path / "never.pth.tar", clips)
    clips.TRAIN.LAG = 0
    for stretch, reason in ((91, "no clip of one set has so many frames"), (8, "expected more than 8 frames")):
        with pytest.raises(UserError, match=f"--stretch {stretch}: {reason}"):
            merging.fit(source, tmp_path / "never.pth.tar", clips, stretch)


def test_a_gain_needs_windows_to_measure_speed_in(tmp_path, clips):
    source, clips.TRAIN.LAG = tools.save_synsp(tmp_path, window=6), 0
    with pytest.raises(UserError, match="windows of 6 frames are too short for a gain"):
        merging.fit(source, tmp_path / "never.pth.tar", clips)


def test_what_a_stream_says_ends_with_each_frame(tmp_path):
    checkpoint = checkpoints.load(tools.save_synsp(tmp_path, bones=((1, 0), (2, 1)), random=True))
    poses = torch.randn(20, 51, generator=torch.Generator().manual_seed(0))
    windows, cut = merging.said(checkpoint, poses, stream=True)
    assert windows.shape == (20, 8, 51) and cut.shape == (27, 51)
    assert torch.equal(cut[:8], poses[:1].expand(8, -1)) and torch.equal(
        cut[7:], poses
    )  # before it: copies of its first frame
    sooner, _ = merging.said(checkpoint, poses[:12], stream=True)  # what comes later does not count
    torch.testing.assert_close(sooner, windows[:12], atol=1e-5, rtol=1e-4)
    windows, cut = merging.said(checkpoint, poses, stream=False)
    assert windows.shape == (13, 8, 51) and torch.equal(cut, poses)


@pytest.mark.parametrize("mix, first", [("proportional", 300 / 310), ("balanced", 0.5), ("0.8,0.2", 0.8)])
def test_sets_are_mixed_as_the_config_says(mix, first):
    """Of 3 x 100 and 1 x 10 stretches; a clip that is too short is never taken."""
    sets = [[(None, torch.zeros(length + 19)) for length in each] for each in ((100, 100, 100), (10, 0))]
    chances = merging.probabilities(sets, mix, 20)
    np.testing.assert_allclose(chances, [first / 3] * 3 + [1 - first, 0])
