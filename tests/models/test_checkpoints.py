"""Checkpoints: published files, ours as they were saved, and networks built anew (those refused: test_checkpoints_refused.py)."""

import collections
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from lib import config
from lib.config_values import merge_overrides
from lib.errors import UserError
from lib.models import checkpoints
from lib.models.attention import Sizes
from lib.models.residual import ResidualSynSP
from lib.models.smoothnet import SmoothNet
from lib.models.synsp import SynSP
from lib.poses.skeletons import LAYOUTS
from lib.windows.recipe import Recipe
from lib.windows.steps import run
from tests.models.conftest import refusal

REFERENCE = Path(__file__).parents[1] / "reference"
SYNSP = REFERENCE / "synsp_3d_random.pth.tar"
SMOOTHNET = REFERENCE / "smoothnet_random.pth.tar"


# ------------------------------------------------------------------------------------ published files


@pytest.mark.parametrize("representation, channels", [("3d", 51), ("2d", 34), ("smpl", 144)])
def test_sizes_are_read_from_the_tensors(representation, channels):
    loaded = checkpoints.load(REFERENCE / f"synsp_{representation}_random.pth.tar", n_head=2)
    network = loaded.network
    assert (loaded.name, network.channels, loaded.recipe.window, loaded.epoch, loaded.published) == (
        "synsp",
        channels,
        None,
        3,
        True,
    )
    first = network.decoder.layer_stack[0]
    assert (network.proj_i_a[0].out_features, first.pos_ffn.w_1.out_features, len(network.decoder.layer_stack)) == (
        32,
        48,
        2,
    )
    assert (first.enc_attn.n_head, first.enc_attn.d_k, first.enc_attn.d_v) == (2, 16, 16)
    assert type(network) is SynSP and not network.training
    assert loaded.data == {} and loaded.config == {} and loaded.training is None


def test_published_smoothnet():
    loaded = checkpoints.load(SMOOTHNET)
    assert (loaded.name, loaded.network.channels, loaded.recipe.window) == ("smoothnet", None, 8)
    assert len(loaded.network.res_blocks) == 3 and loaded.network.encoder[0].out_features == 64


def test_dead_weights_are_dropped(content):
    names = content["state_dict"].keys()
    kept = checkpoints.load(SYNSP, 2).network.state_dict()
    dropped = names - kept.keys()
    assert kept.keys() < names
    for name, value in kept.items():
        assert torch.equal(value, content["state_dict"][name])
    kinds = (
        "proj_i_p.",
        "proj_i_2.",
        ".position_embeddings.",
        ".pos_table",
        "decoder.layer_stack.0.slf_attn.",
        "decoder_2.layer_stack.1.slf_attn.",
        "encoder_local.layer_norm.",
        "encoder_global.layer_norm.",
        "decoder.layer_norm.",
        "decoder_2.layer_norm.",
    )
    for kind in kinds:
        assert any(kind in name for name in dropped), kind
    for name in dropped:
        assert any(kind in name for kind in kinds) or ".slf_attn." in name, name
    assert any("encoder_local.layer_stack.0.slf_attn" in name for name in kept)


def test_dead_weights_may_be_missing(content, tmp_path):
    for name in [name for name in content["state_dict"] if checkpoints.DEAD.match(name)]:
        del content["state_dict"][name]
    torch.save(content, tmp_path / "lean.pth.tar")
    checkpoints.load(tmp_path / "lean.pth.tar", 2)


@pytest.mark.parametrize(
    "name",
    [
        "decoder.layer_stack.1.enc_attn.fc.weight",
        "proj_o_2.1.bias",
        "proj_i_a.1.weight",
        "decoder.layer_stack.0.enc_attn.w_ks.weight",
        "decoder.layer_stack.0.pos_ffn.w_1.weight",
        "encoder_local.layer_stack.0.slf_attn.layer_norm.weight",
    ],
)
def test_a_missing_weight_is_named(content, tmp_path, name):
    del content["state_dict"][name]
    torch.save(content, tmp_path / "x.pth.tar")
    assert name in refusal(tmp_path / "x.pth.tar", n_head=2)


@pytest.mark.parametrize(
    "name",
    [
        "decoder.layer_stack.1.enc_attn.fc.bias",
        "extra.weight",
        "encoder_local.layer_stack.2.slf_attn.fc.weight",
        "decoder.position_embeddings.bias.x",
    ],
)
def test_an_unexpected_weight_is_named(content, tmp_path, name):
    content["state_dict"][name] = torch.zeros(3)
    torch.save(content, tmp_path / "x.pth.tar")
    if checkpoints.DEAD.match(name):
        checkpoints.load(tmp_path / "x.pth.tar", 2)
    else:
        assert name in refusal(tmp_path / "x.pth.tar", n_head=2)


@pytest.mark.parametrize(
    "name, shape",
    [("proj_o_a.1.weight", (50, 64)), ("decoder.layer_stack.1.pos_ffn.w_2.bias", (31,)), ("proj_i_a.1.bias", (32, 1))],
)
def test_a_weight_of_the_wrong_shape_is_named_with_both_shapes(content, tmp_path, name, shape):
    expected = list(content["state_dict"][name].shape)
    content["state_dict"][name] = torch.zeros(shape)
    torch.save(content, tmp_path / "x.pth.tar")
    message = refusal(tmp_path / "x.pth.tar", n_head=2)
    assert name in message and str(list(shape)) in message and str(expected) in message


def test_smoothnet_with_a_missing_block(tmp_path):
    content = torch.load(SMOOTHNET, weights_only=True)
    for part in ("weight", "bias"):
        del content["state_dict"][f"res_blocks.0.linear1.{part}"]
    torch.save(content, tmp_path / "x.pth.tar")
    assert "res_blocks" in refusal(tmp_path / "x.pth.tar")


@pytest.mark.parametrize("heads", [3, 5])
def test_a_number_of_heads_that_cannot_be(heads):
    assert "MODEL.n_head" in refusal(SYNSP, n_head=heads)


@pytest.mark.parametrize("heads", [0, -1])
def test_no_heads(heads):
    with pytest.raises(UserError, match="MODEL.n_head"):
        checkpoints.load(SYNSP, heads)


def test_weights_saved_from_several_gpus(content, tmp_path):
    content["state_dict"] = collections.OrderedDict(
        (f"module.{name}", value) for name, value in content["state_dict"].items()
    )
    torch.save(content, tmp_path / "x.pth.tar")
    assert checkpoints.load(tmp_path / "x.pth.tar", 2).network.channels == 51


def test_half_precision_weights_become_float32(content, tmp_path):
    content["state_dict"] = {name: value.half() for name, value in content["state_dict"].items()}
    torch.save(content, tmp_path / "x.pth.tar")
    assert {p.dtype for p in checkpoints.load(tmp_path / "x.pth.tar", 2).network.parameters()} == {torch.float32}


def test_the_old_pickle_format_of_torch(content, tmp_path):
    torch.save(content, tmp_path / "x.pth.tar", _use_new_zipfile_serialization=False)
    assert checkpoints.load(tmp_path / "x.pth.tar", 2).network.channels == 51


# ---------------------------------------------------------------------------------------------- ours


HEADING = {"kind": "3D", "canonical": True, "pairs": ((1, 2),)}


@pytest.mark.parametrize(
    "network, recipe",
    [
        (
            ResidualSynSP(12, Sizes(16, 24, 2, 4, 8, 6, 0.3), residual_components=3),
            {"align": "frame", "fuse": "median"},
        ),
        (ResidualSynSP(12, Sizes(16, 24, 2, 4, 8, 6), residual_components=2), {"trained_lag": 0, "carry": 0.4}),
        (ResidualSynSP(12, Sizes(16, 24, 2, 4, 8, 6), cue=True), HEADING),
        (
            ResidualSynSP(12, Sizes(16, 24, 2, 4, 8, 6), cue=True, fuses=True),
            HEADING | {"align": "frame", "fuse": "depth"},
        ),
        (SynSP(6, Sizes(8, 8, 1, 1, 4, 4)), {"weighting": "triangular"}),
        (ResidualSynSP(12, Sizes(16, 24, 2, 4, 8, 6), segments=True), {"segment": 5}),
        (SmoothNet(5, 12, 6, 2), {"fps": 60.0}),
    ],
)
def test_what_is_saved_comes_back(tmp_path, network, recipe):
    network.eval()
    recipe = Recipe(window=5, **recipe)
    checkpoints.save(
        tmp_path / "x.pth.tar",
        {
            "model": network.described(),
            "state_dict": network.state_dict(),
            "recipe": recipe.as_dict(),
            "epoch": 7,
            "performance": {"loss": 0.5},
            "data": {"sources": ["own_net_3D"]},
            "config": {"TRAIN": {"LR": 0.1}},
            "provenance": {"command": "c"},
            "training": {"epoch": 7},
        },
    )
    loaded = checkpoints.load(tmp_path / "x.pth.tar", n_head=3)  # heads come from the file
    x = torch.randn(3, 2, 5, 12 if network.channels is None else network.channels)
    with torch.no_grad():
        assert torch.equal(run(loaded.network, loaded.recipe, x)[0].final, run(network, recipe, x)[0].final)
    assert loaded.network.described() == network.described() and loaded.recipe == recipe
    assert (loaded.epoch, loaded.performance, loaded.data, loaded.published) == (
        7,
        {"loss": 0.5},
        {"sources": ["own_net_3D"]},
        False,
    )
    assert (loaded.config, loaded.provenance, loaded.training) == (
        {"TRAIN": {"LR": 0.1}},
        {"command": "c"},
        {"epoch": 7},
    )
    assert os.listdir(tmp_path) == ["x.pth.tar"]


CARRY = [("carry", value, "carry is") for value in ("all", 1.0, -0.1, float("nan"))]
SEGMENT = [("segment", value, "recipe.segment is") for value in ("all", 2.5, -1)]
PAIRS = [[[1, 2, 3]], [[1]], [[0, 17]], [[-1, 1]], [1, 2], [["left_hip", "right_hip"]], [[0.5, 1]], [[None, 1]], "hips"]


@pytest.mark.parametrize(
    "name, value, message",
    [
        *CARRY,
        *SEGMENT,
        *(("pairs", value, "recipe.pairs is") for value in PAIRS),
        ("window", "all", "recipe.window is 'all'"),
        ("speed", 2, "recipe.speed is not known"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(tmp_path, name, value, message):
    network = SynSP(6, Sizes(8, 8, 1, 1, 4, 4))
    recipe = Recipe().as_dict() | {name: value}
    checkpoints.save(
        tmp_path / "x.pth.tar", {"model": network.described(), "state_dict": network.state_dict(), "recipe": recipe}
    )
    found = refusal(tmp_path / "x.pth.tar")
    assert message in found and "damaged" in found


@pytest.mark.parametrize(
    "name, value",
    [
        *(("n_head", value) for value in ("all", 2.5, -1, None, True)),
        *(("residual_components", value) for value in ("all", 2.5, -1, None)),
        *(("dropout", value) for value in ("all", -0.1, 1.0, None, float("nan"))),
    ],
)
def test_a_part_of_the_network_that_cannot_be_is_refused(tmp_path, name, value):
    network = SynSP(6, Sizes(8, 8, 1, 1, 4, 4))
    content = {"state_dict": network.state_dict(), "recipe": Recipe().as_dict()}
    checkpoints.save(tmp_path / "x.pth.tar", {**content, "model": network.described() | {name: value}})
    found = refusal(tmp_path / "x.pth.tar")
    assert f"model.{name} is " in found and "damaged" in found


@pytest.mark.parametrize("heads", [0])
def test_a_file_of_no_heads_is_refused(tmp_path, heads):
    network = SynSP(6, Sizes(8, 8, 1, 1, 4, 4))
    content = {"state_dict": network.state_dict(), "recipe": Recipe().as_dict()}
    checkpoints.save(tmp_path / "x.pth.tar", {**content, "model": network.described() | {"n_head": heads}})
    assert "n_head" in refusal(tmp_path / "x.pth.tar")


def test_a_failed_save_leaves_the_old_file(tmp_path):
    path = tmp_path / "x.pth.tar"
    checkpoints.save(path, {"state_dict": {}})
    before = path.read_bytes()
    with pytest.raises(Exception, match="pickle|local object"):  # the words of 3.11 and of 3.13
        checkpoints.save(path, {"state_dict": {"a": lambda: 0}})
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["x.pth.tar"]


# Written when the format was version 1 (tests/reference/README.md): whatever comes later, these load and give these numbers.
@pytest.mark.parametrize("name", ["format_1", "format_1_smoothnet"])
def test_files_of_format_1_load_for_ever(name):
    loaded = checkpoints.load(REFERENCE / f"{name}.pth.tar")
    with np.load(REFERENCE / "format_1.npz") as stored:
        x, expected = torch.from_numpy(stored["input"]), stored[name]
    with torch.no_grad():
        for final in (loaded.network(x).final, run(loaded.network, loaded.recipe, x[:, None])[0].final):
            np.testing.assert_allclose(final, expected, atol=1e-5 * np.abs(expected).max())
    assert loaded.recipe.window == 8 and loaded.epoch == 2 and not loaded.published
    assert loaded.recipe.kind == "3D" and loaded.data["layout"]["name"] == "h36m17"
    assert loaded.recipe.joints == LAYOUTS["h36m17"].joints and loaded.recipe.root == (0,)
    assert len(loaded.data["layout"]["joints"]) == 17 and loaded.data["layout"]["root"] == [0]
    assert loaded.config["TRAIN"]["BATCH_SIZE"] == 256 and loaded.training["epoch"] == 2


# --------------------------------------------------------------------------------------------- build


def built(*overrides, **recipe):
    cfg = config.defaults()
    merge_overrides(cfg, list(map(str, overrides)))
    return checkpoints.build(cfg, 51, Recipe(**recipe))


def test_build_has_the_sizes_of_the_config():
    network = built()
    assert network.proj_i_a[0].weight.shape == (128, 51) and len(network.encoder_global.layer_stack) == 4
    first = network.decoder_2.layer_stack[0].enc_attn
    assert (first.n_head, first.d_k, first.d_v, network.dropout.share) == (4, 64, 64, 0.2)
    network = built("MODEL.NAME", "smoothnet", window=16)
    assert network.encoder[0].weight.shape == (512, 16) and network.res_blocks[0].linear1.weight.shape == (256, 512)
    assert len(network.res_blocks) == 3 and network.res_blocks[0].dropout.p == 0.5


@pytest.mark.parametrize(
    "components, recipe, added",
    [
        (0, {}, None),
        (0, {"weighting": "triangular", "carry": 0.4, "views": 4, "align": "frame"}, None),
        (2, {}, set()),
        (0, {"align": "frame", "fuse": "median"}, set()),
        (2, {"kind": "2D", "canonical": True}, {"proj_v.weight", "proj_v.bias"}),
        (2, {"align": "frame", "fuse": "depth"}, {"proj_d.weight"}),
        (2, {"segment": 4}, {"segment_bias"}),
    ],
)
def test_build_adds_what_a_recipe_asks_for_and_nothing_more(components, recipe, added):
    """None: the published network itself."""
    network = built("MODEL.RESIDUAL_COMPONENTS", components, **recipe)
    assert type(network) is (SynSP if added is None else ResidualSynSP)
    assert network.state_dict().keys() - built().state_dict().keys() == (added or set())
    assert getattr(network, "residual_components", 0) == components


@pytest.mark.parametrize(
    "overrides, name",
    [
        (("MODEL.NAME", "lstm"), "MODEL.NAME"),
        (("MODEL.d_word_vec", 64), "d_word_vec"),
        (("MODEL.n_layers", 0), "MODEL"),
        (("MODEL.d_model", 7, "MODEL.d_word_vec", 7), "even"),
        (("MODEL.n_head", -1), "MODEL"),
        (("MODEL.DROPOUT", 1), "MODEL.DROPOUT"),
        (("MODEL.DROPOUT", 1.5), "MODEL.DROPOUT"),
        (("MODEL.NAME", "smoothnet", "MODEL.DROPOUT", 2), "MODEL.DROPOUT"),
        (("MODEL.RESIDUAL_COMPONENTS", -1), "RESIDUAL_COMPONENTS"),
        *((("MODEL.SEGMENT", value), "MODEL.SEGMENT") for value in (-1, 1)),
        *((("MODEL.SEGMENT", value), "SEGMENT is .*a divisor of the window of 8") for value in (3, 16)),
        (("MODEL.SEGMENT", 4, "MODEL.ALIGN_VIEWS", "frame"), "segments are for one view"),
        (("MODEL.NAME", "smoothnet", "MODEL.HIDDEN_SIZE", 0), "HIDDEN_SIZE"),
        (("MODEL.NAME", "smoothnet", "MODEL.RES_HIDDEN_SIZE", 0), "HIDDEN_SIZE"),
        (("MODEL.NAME", "smoothnet", "MODEL.NUM_BLOCK", -1), "NUM_BLOCK"),
    ],
)
def test_sizes_that_cannot_be(overrides, name):
    with pytest.raises(UserError, match=name):
        built(*overrides)


@pytest.mark.parametrize("window", [1, 0])
def test_a_window_needs_two_frames(window):
    with pytest.raises(UserError, match="SLIDE_WINDOW_SIZE"):
        built(window=window)
