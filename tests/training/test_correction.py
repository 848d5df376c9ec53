"""The linear correction after a network: what was put in is found, unseen groups decide, and every form of the network has it."""

import json

import numpy as np
import pytest
import torch

from lib import config
from lib.command_line import Request
from lib.errors import UserError
from lib.models import checkpoints
from lib.models.attention import Sizes
from lib.models.export import windows_of
from lib.models.residual import ResidualSynSP
from lib.poses.skeletons import LAYOUTS
from lib.training import correction
from lib.windows import steps
from lib.windows.canonical import heading_pairs
from lib.windows.recipe import Recipe
from tests.evaluation.conftest import write_set

LAYOUT = LAYOUTS["h36m17"]
SMALL = Sizes(16, 16, 1, 2, 8, 8, 0.0)
RECIPE = Recipe(kind="3D", joints=LAYOUT.joints, canonical=True, pairs=heading_pairs(LAYOUT), fps=30.0)


def network(**options):
    torch.manual_seed(0)
    return ResidualSynSP(51, SMALL, residual_components=2, cue=True, **options).eval()


def made(rng, people=4, share=1.0):
    """Windows whose error is linear in the features, of which a share is the same for all people."""
    features = rng.normal(size=(40 * people, 6))
    common, own = rng.normal(size=(6, 9)), rng.normal(size=(people, 6, 9))
    group = np.repeat(np.arange(people), 40)
    error = share * features @ common + (1 - share) * np.einsum("nf,nfc->nc", features, own[group]) + 0.5
    return correction.Windows(features, error, np.ones(len(group)), group.astype(str)), common


def test_a_linear_error_is_found():
    windows, common = made(np.random.default_rng(0))
    weight, bias = correction.ridge(windows, np.ones(160, bool), (1e-9,))[1e-9].layer
    np.testing.assert_allclose(weight.T, common, atol=1e-6)
    np.testing.assert_allclose(bias, 0.5, atol=1e-6)


def test_what_unseen_people_gain_decides_the_strength():
    shared, before, after = correction.chosen_strength(made(np.random.default_rng(0))[0])
    own, *_ = correction.chosen_strength(made(np.random.default_rng(0), share=0.2)[0])
    assert shared == correction.STRENGTHS[0] and after < 0.6 * before
    assert own > shared


def test_one_group_is_refused():
    with pytest.raises(UserError, match="one group"):
        correction.chosen_strength(made(np.random.default_rng(0), people=1)[0])


def test_the_lean_form_corrects_as_the_network_does():
    corrected = network(corrects=True)
    torch.nn.init.normal_(corrected.proj_l.weight, std=0.01)
    windows = torch.randn(5, 8, 51, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        heads, _ = steps.run(corrected, RECIPE, windows[:, None])
        plain, _ = steps.run(network(), RECIPE, windows[:, None])
        lean = windows_of(corrected, RECIPE)(windows)
    torch.testing.assert_close(lean, heads.final[:, 0], atol=1e-5, rtol=1e-4)
    assert (heads.final - plain.final).norm(dim=-1).min() > 0.01


def test_weights_are_corrected_and_read_back(tmp_path):
    rng = np.random.default_rng(0)
    clips = {f"c{number}": f"s{number // 2}" for number in range(8)}
    truth = [rng.normal(0, 0.3, (1, 51)) + rng.normal(0, 0.01, (40, 51)) for _ in clips]
    said = [poses + np.tile([0, 0.05, 0], 17) for poses in truth]  # every joint too low
    images = [[f"{clip}/{t}" for t in range(40)] for clip in clips]
    write_set(tmp_path, "my_vibe_3D", list(zip(truth, said)), split="train", images=images)
    rows = [{"clip": clip, "subject": subject} for clip, subject in clips.items()]
    (tmp_path / "my_vibe_train.json").write_text(json.dumps(rows))
    whole = network()
    content = {
        "state_dict": whole.state_dict(), "model": whole.described(), "recipe": RECIPE.as_dict(),
        "data": {"layout": {"name": "h36m17", "joints": list(LAYOUT.joints), "edges": [], "root": [0]}, "representation": "3D"},
        "config": config.as_dict(config.defaults()), "provenance": {"command": "synsp train"},
        "scores": [{"mpjpe": 40.0}],
    }  # fmt: skip
    checkpoints.save(tmp_path / "plain.pth.tar", content)
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
    words += ["DATASET.GROUPS", "{set}_train.json", "EVALUATE.SMOOTH", "1.5", "DATASET.ESTIMATORS_PLACES", "True"]
    cfg = Request("train", words).config()
    _, before, after = correction.fit(tmp_path / "plain.pth.tar", tmp_path / "better.pth.tar", cfg)
    assert after < before
    found = checkpoints.load(tmp_path / "better.pth.tar")
    assert "scores" not in checkpoints.read(tmp_path / "better.pth.tar")  # they were the other network's
    assert found.network.corrects and found.recipe.smooth == 1.5 and found.recipe.knows_places
    with pytest.raises(UserError, match="no correction yet"):
        correction.fit(tmp_path / "better.pth.tar", tmp_path / "again.pth.tar", cfg)
