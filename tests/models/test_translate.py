"""Files of format 1 and published ones become recipes: what each said of its use, in whichever place, and nothing else."""

import re
from pathlib import Path

import pytest
import torch

from lib.errors import UserError
from lib.models import checkpoints
from lib.models.attention import Sizes
from lib.models.residual import ResidualSynSP
from lib.models.smoothnet import SmoothNet
from lib.models.synsp import SynSP
from lib.models.translate import PUBLISHED, to_format_2
from lib.poses.skeletons import LAYOUTS
from lib.windows.recipe import Recipe

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "tests" / "reference"
H36M = {"kind": "3D", "joints": LAYOUTS["h36m17"].joints}
BONES = {"bones": tuple((joint, parent) for joint, parent in enumerate(LAYOUTS["h36m17"].parents) if parent >= 0)}
CANONICAL = {**H36M, "canonical": True, "pairs": ((4, 1), (11, 14)), "fps": 30.0}

# As their training configs say, read by hand.
SHIPPED = {
    "smoothnet_w8_bn": Recipe(window=8, fps=30.0, **H36M),
    "smoothnet_w16_bn": Recipe(window=16, fps=30.0, **H36M),
    "smoothnet_w32_bn": Recipe(window=32, fps=30.0, **H36M),
    "smoothnet_w64_bn": Recipe(window=64, fps=30.0, **H36M),
    "synsp_2D_w8": Recipe(
        kind="2D",
        joints=LAYOUTS["h36m17"].joints,
        canonical=True,
        one_size=True,
        any_skeleton=True,
        weighting="triangular",
        fps=30.0,
    ),
    "synsp_2D_w8_bn": Recipe(kind="2D", joints=LAYOUTS["h36m17"].joints, canonical=True, fps=30.0),
    "synsp_3D_w32_bn": Recipe(window=32, segment=8, **CANONICAL),
    "synsp_3D_w8_bn": Recipe(weighting="triangular", **CANONICAL),
    "synsp_3D_w8": Recipe(weighting="learned", any_skeleton=True, **CANONICAL, **BONES),
    "synsp_3D_w8_kinect": Recipe(weighting="triangular", smooth=1.3, knows_places=True, **CANONICAL),
    "synsp_3D_w8_mediapipe": Recipe(weighting="triangular", smooth=1.75, knows_places=True, **CANONICAL, **BONES),
    "synsp_mv_3D_w8": Recipe(align="sequence", fuse="depth", views=4, any_skeleton=True, **CANONICAL),
    "synsp_3D_w8_causal": Recipe(weighting="learned", trained_lag=0, any_skeleton=True, **CANONICAL, **BONES),
    "synsp_3D_w8_general_bn": Recipe(any_skeleton=True, **CANONICAL),
    "synsp_mv_3D_w8_bn": Recipe(align="sequence", fuse="depth", views=4, any_skeleton=True, **CANONICAL),
    "synsp_smpl_w8": Recipe(
        kind="smpl",
        joints=LAYOUTS["smpl24"].joints,
        any_skeleton=True,
        weighting="triangular",
        smooth=1.5,
        fps=30.0,
    ),
    "synsp_smpl_w8_bn": Recipe(kind="smpl", joints=LAYOUTS["smpl24"].joints, fps=30.0),
}
FORMAT_1 = {"format_1": Recipe(**H36M), "format_1_smoothnet": Recipe(**H36M)}
RANDOM = {
    "smoothnet_random": Recipe(window=8),
    "synsp_3d_random": Recipe(window=None, **H36M),
    "synsp_2d_random": Recipe(window=None, kind="2D", joints=LAYOUTS["h36m17"].joints, normaliser="h36m"),
    "synsp_smpl_random": Recipe(window=None, kind="smpl", joints=LAYOUTS["smpl24"].joints),
}


@pytest.mark.parametrize("name", SHIPPED)
def test_what_ships_is_used_as_it_was_trained(name):
    assert checkpoints.load(ROOT / "data" / "checkpoints" / f"{name}.pth.tar").recipe == SHIPPED[name]


def test_all_that_ships_is_here():
    found = {path.name.removesuffix(".pth.tar") for path in (ROOT / "data" / "checkpoints").glob("*.pth.tar")}
    assert found == SHIPPED.keys()


@pytest.mark.parametrize("name", [*FORMAT_1, *RANDOM])
def test_files_of_format_1_and_published_ones(name):
    loaded = checkpoints.load(REFERENCE / f"{name}.pth.tar", n_head=2)
    assert loaded.recipe == {**FORMAT_1, **RANDOM}[name] and loaded.published == (name in RANDOM)


def test_the_channels_of_a_published_synsp_say_its_joints():
    for channels, (kind, layout) in PUBLISHED.items():
        assert channels == LAYOUTS[layout].size * {"3D": 3, "2D": 2, "smpl": 6}[kind]
        content = {"state_dict": SynSP(channels, Sizes(8, 8, 1, 1, 4, 4)).state_dict()}
        recipe = Recipe.from_dict(to_format_2(content, "x")["recipe"], "x")
        normaliser = "h36m" if kind == "2D" else "isotropic"
        assert recipe == Recipe(window=None, kind=kind, joints=LAYOUTS[layout].joints, normaliser=normaliser)
    unknown = to_format_2({"state_dict": SynSP(9, Sizes(8, 8, 1, 1, 4, 4)).state_dict()}, "x")["recipe"]
    assert Recipe.from_dict(unknown, "x") == Recipe(window=None)


# ---------------------------------------------------------------- each place in which format 1 said something


@pytest.fixture
def old():
    """A checkpoint of format 1 as a dict, to be changed."""
    layout = {"name": "own", "joints": ["a", "b", "c", "d"], "edges": [], "root": [0]}
    model = {"name": "synsp", "n_head": 1, "residual_components": 2, "align_views": "none", "dropout": 0.2}
    return {
        "format_version": 1,
        "model": {**model, "canonical": None, "carry": 0.0, "segment": 0},
        "state_dict": ResidualSynSP(12, Sizes(8, 8, 1, 1, 4, 4), residual_components=2).state_dict(),
        "data": {"representation": "3D", "window": 8, "fps": 0.0, "views": 1, "layout": layout, "lag": None},
        "config": {"EVALUATE": {"WINDOW_WEIGHTS": "mean"}, "TRAIN": {"AUGMENT": {"CONVENTION": 0.0}}},
    }


PLAIN = {"kind": "3D", "joints": ("a", "b", "c", "d")}
HEADING = {"kind": "3D", "pairs": [[0, 1], [2, 3]]}


@pytest.mark.parametrize(
    "part, key, value, expected",
    [
        ("data", "window", 16, {"window": 16}),
        ("data", "lag", 0, {"trained_lag": 0}),
        ("data", "lag", 3, {"trained_lag": 3}),
        ("data", "fps", 30, {"fps": 30.0}),
        ("data", "fps", None, {}),
        ("data", "views", 4, {"views": 4}),
        ("data", "views", None, {}),
        ("data", "normaliser", "box", {"normaliser": "box"}),
        ("data", "representation", "2D", {"kind": "2D", "normaliser": "h36m"}),  # of the first files of format 1
        ("data", "image_size", True, {"image_size": True}),
        ("data", "use_6d", False, {"use_6d": False}),
        ("data", "root_relative_input", False, {"root_relative": False}),
        ("model", "carry", 0.4, {"carry": 0.4}),
        ("model", "segment", 8, {"segment": 8}),
        ("model", "align_views", "frame", {"align": "frame", "fuse": "median"}),
        ("model", "canonical", HEADING, {"canonical": True, "pairs": ((0, 1), (2, 3))}),
        ("config", "EVALUATE", {"WINDOW_WEIGHTS": "triangular"}, {"weighting": "triangular"}),
        ("config", "EVALUATE", {}, {}),
        ("config", "TRAIN", {"AUGMENT": {"CONVENTION": 0.01}}, {"any_skeleton": True}),
        ("config", "TRAIN", {}, {}),
    ],
)
def test_each_word_of_format_1(old, part, key, value, expected):
    old[part][key] = value
    assert Recipe.from_dict(to_format_2(old, "x")["recipe"], "x") == Recipe(**{**PLAIN, **expected})


def test_views_in_one_frame_and_one_heading_are_fused_by_what_each_camera_sees(old):
    old["model"] |= {"align_views": "sequence", "canonical": HEADING}
    recipe = Recipe.from_dict(to_format_2(old, "x")["recipe"], "x")
    assert (recipe.align, recipe.fuse, recipe.canonical) == ("sequence", "depth", True)


def test_smoothnet_takes_each_view_alone_and_its_window_is_its_weights(old):
    old["state_dict"] = SmoothNet(16, 8, 4, 1).state_dict()
    old["model"] = {"name": "smoothnet"}
    assert Recipe.from_dict(to_format_2(old, "x")["recipe"], "x") == Recipe(window=16, **PLAIN)
    old["model"]["align_views"] = "frame"
    assert Recipe.from_dict(to_format_2(old, "x")["recipe"], "x").fuse == "none"


def test_what_the_recipe_says_now_the_model_says_no_longer(old):
    before = {**old, "model": dict(old["model"])}
    content = to_format_2(old, "x")
    assert content["model"] == {"name": "synsp", "n_head": 1, "residual_components": 2, "dropout": 0.2}
    assert old == before  # the file's own content stays as it is
    assert content["data"] is old["data"] and content["config"] is old["config"]


def test_files_of_format_2_are_left_alone():
    content = {"model": {"name": "synsp"}, "state_dict": {}, "recipe": Recipe().as_dict(), "data": {"sources": []}}
    assert to_format_2(content, "x") is content


@pytest.mark.parametrize("part", ["model", "recipe"])
@pytest.mark.parametrize("value", [None, 5, "text", ["a"]])
def test_parts_of_format_2_that_are_no_tables_are_refused(part, value):
    content = {"model": {}, "state_dict": {}, "recipe": {}, part: value}
    with pytest.raises(UserError, match="file x: .*damaged"):
        to_format_2(content, "file x")


@pytest.mark.parametrize(
    "part, key, value",
    [
        ("data", "layout", None),
        ("data", "layout", {}),
        ("data", "layout", {"joints": 5}),
        ("data", "representation", 5),
        ("data", "window", "eight"),
        ("data", "lag", "none"),
        ("data", "views", "all"),
        ("data", "fps", "fast"),
        ("data", "fps", [30]),
        ("data", "normaliser", 5),
        ("model", "carry", "all"),
        ("model", "carry", 1.0),
        ("model", "segment", 2.5),
        ("model", "align_views", "both"),
        ("model", "align_views", 5),
        ("model", "canonical", 5),
        ("model", "canonical", {"kind": "3D"}),
        ("model", "canonical", {"kind": "3D", "pairs": "hips"}),
        ("model", "n_head", "all"),
        ("config", "EVALUATE", None),
        ("config", "EVALUATE", {"WINDOW_WEIGHTS": "max"}),
        ("config", "TRAIN", {"AUGMENT": 5}),
        ("config", "TRAIN", {"AUGMENT": {"CONVENTION": "much"}}),
        (None, "data", 5),
        (None, "data", "text"),
        (None, "model", 5),
        (None, "model", "text"),
        (None, "model", ["name"]),
        (None, "config", None),
        (None, "config", "text"),
    ],
)
def test_values_of_format_1_that_cannot_be_are_refused_by_file(old, part, key, value, tmp_path):
    (old if part is None else old[part])[key] = value
    path = tmp_path / "x.pth.tar"
    torch.save(old, path)
    with pytest.raises(UserError, match=re.escape(f"checkpoint {path}: ")) as caught:
        checkpoints.load(path)
    assert "\n" not in str(caught.value)
