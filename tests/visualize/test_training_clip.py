"""The clip in TensorBoard: right numbers, right pictures, and a training that goes on as if nothing had been drawn."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard import SummaryWriter

from lib.command_line import Request
from lib.dataset import catalog, sequences
from lib.dataset.sequences import Recording
from lib.evaluation.evaluator import score_split
from lib.evaluation.methods import InputMethod, stacked
from lib.models import checkpoints
from lib.training.sets import recipe_of
from lib.visualize import training_clip
from lib.windows.pipeline import refine
from lib.windows.recipe import Recipe


def loaded(base, dataset, representation, *words):
    arguments = [
        "--dataset_name",
        dataset,
        "--estimator",
        "net",
        "--body_representation",
        representation,
        "DATASET.BASE_DIR",
        str(base),
        "MODEL.d_model",
        "16",
        "MODEL.d_word_vec",
        "16",
        "MODEL.d_inner",
        "16",
        "MODEL.n_layers",
        "1",
        *words,
    ]
    cfg = Request("train", arguments).config()
    split = sequences.load(*catalog.sources(cfg), "test", cfg)
    return cfg, split, checkpoints.build(cfg, split.channels, recipe_of(cfg, split, 1))


@pytest.mark.parametrize("dataset, representation", [("h36m", "3D"), ("h36m", "2D"), ("pw3d", "smpl")])
def test_both_pictures_and_the_inputs_error(dataset, representation, write_set, tmp_path):
    cfg, split, network = loaded(write_set(dataset, "net", representation, clips=1), dataset, representation)
    network.train()
    state = torch.get_rng_state()
    with SummaryWriter(tmp_path / "log") as writer:
        before, after = training_clip.Clip(split, cfg, recipe_of(cfg, split, 1)).write(writer, 5, network)
    assert network.training and (torch.get_rng_state() == state).all()
    ((result,),) = [score_split(split, [InputMethod()], cfg)[1]]
    assert before == pytest.approx(result.means["mpjpe"], rel=1e-4)
    assert np.isfinite(after) and after != before
    log = EventAccumulator(str(tmp_path / "log")).Reload()
    assert set(log.Tags()["images"]) == {"clip/skeletons", "clip/error"}
    assert [event.step for event in log.Images("clip/error")] == [5]


def test_people_stand_upright_over_their_truth(write_set):
    cfg, split, network = loaded(write_set("h36m", "net", "3D", clips=1), "h36m", "3D")
    # A figure of 1 m whose head is up in the camera frame (y down): the head's pixels come above the ankle's.
    pose = np.zeros((1, 17, 3))
    pose[0, [9, 10], 1], pose[0, [3, 6], 1] = -500, 500
    picture = training_clip._skeletons(pose, pose, pose, split.layout, [np.zeros(1)] * 2, "mm")
    assert picture.dtype == np.uint8 and picture.shape[2] == 3
    coloured = np.argwhere(np.abs(picture.astype(int) - (213, 94, 0)).sum(-1) < 30)
    assert np.ptp(coloured[:, 0]) > 80


def test_simulated_errors_are_the_same_at_every_epoch(write_set, tmp_path):
    cfg, split, network = loaded(write_set("h36m", "net", "3D", clips=1), "h36m", "3D")
    view = split.recordings[0].views[0]
    view.detected = None
    with SummaryWriter(tmp_path) as writer:
        first, second = (
            training_clip.Clip(split, cfg, recipe_of(cfg, split, 1)).write(writer, epoch, network) for epoch in (1, 2)
        )
    assert first == second and first[0] > 10 and view.detected is None


def test_windows_are_averaged_as_in_eval(write_set):
    cfg, split, network = loaded(write_set("h36m", "net", "3D", clips=1), "h36m", "3D")
    torch.manual_seed(0)
    for parameter in network.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    split.recordings[0].views[0].truth = split.recordings[0].views[0].truth[:40]
    shown = {}
    for weighting in ("mean", "triangular"):
        cfg.EVALUATE.WINDOW_WEIGHTS = weighting
        clip = training_clip.Clip(split, cfg, recipe_of(cfg, split, 1))
        shown[weighting] = clip.joints(network)[1]
        recording = stacked(replace(split, recordings=[Recording("x", clip.views)]))
        refined = (
            next(refine(network.eval(), recording, Recipe(weighting=weighting))).final[0].unflatten(-1, (-1, 3)).numpy()
        )
        np.testing.assert_allclose(shown[weighting], 1000 * (refined - refined[:, :1]), atol=0.01)
    assert np.abs(shown["mean"] - shown["triangular"]).max() > 1


def test_a_long_clip_is_cut(write_set, monkeypatch):
    monkeypatch.setattr(training_clip, "FRAMES", 9)
    cfg, split, network = loaded(write_set("pw3d", "net", "smpl", clips=1), "pw3d", "smpl")
    assert {len(joints) for joints in training_clip.Clip(split, cfg, recipe_of(cfg, split, 1)).joints(network)} == {9}
