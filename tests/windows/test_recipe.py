"""How a network is used, in one place: stored whole, read back, refused by name where it cannot be."""

import dataclasses
import json

import pytest
import torch

from lib.errors import UserError
from lib.poses.skeletons import LAYOUTS
from lib.windows.recipe import Recipe, check_lag

RECIPES = {
    "default": Recipe(),
    "a published SynSP": Recipe(window=None, kind="2D", joints=LAYOUTS["h36m17"].joints, normaliser="h36m"),
    "a stream": Recipe(
        window=16, weighting="triangular", lag=0, trained_lag=0, carry=0.4, fps=29.97, any_skeleton=True
    ),
    "several views": Recipe(
        align="sequence",
        fuse="depth",
        views=4,
        kind="3D",
        joints=LAYOUTS["h36m17"].joints,
        root=(1, 4),
        canonical=True,
        pairs=((4, 1), (11, 14)),
        root_relative=False,
    ),
    "segments of rotations": Recipe(window=32, segment=8, step=4, kind="smpl", use_6d=False, image_size=True),
}


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES.keys())
def test_what_is_stored_comes_back(recipe, tmp_path):
    assert Recipe.from_dict(recipe.as_dict(), "here") == recipe
    assert Recipe.from_dict(json.loads(json.dumps(recipe.as_dict())), "here") == recipe  # tuples as lists
    torch.save(recipe.as_dict(), tmp_path / "recipe")
    assert Recipe.from_dict(torch.load(tmp_path / "recipe", weights_only=True), "here") == recipe


def test_all_is_stored_and_what_a_file_leaves_out_is_the_default():
    assert Recipe().as_dict().keys() == {field.name for field in dataclasses.fields(Recipe)}
    assert Recipe.from_dict({"window": 16}, "here") == Recipe(window=16)
    assert Recipe.from_dict({}, "here") == Recipe()


def test_a_recipe_stays_as_it_is():
    recipe = Recipe()
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe.window = 16
    assert recipe.but(window=16) == Recipe(window=16) and recipe == Recipe()


IMPOSSIBLE = [
    ({"step": 0}, "SLIDE_WINDOW_STEP_SIZE is 0"),
    ({"weighting": "max"}, "WINDOW_WEIGHTS is max.*mean, triangular, quality"),
    ({"align": "both"}, "ALIGN_VIEWS is both.*none, frame, sequence"),
    *(({"carry": value}, f"carry is {value}") for value in (1.0, 1, -0.1, float("nan"))),
    ({"window": 0}, "recipe.window is 0"),
    ({"window": 10**6}, "recipe.window is 1000000"),
    ({"segment": -1}, "recipe.segment is -1"),
    ({"views": 0}, "recipe.views is 0"),
    ({"fps": -1.0}, "recipe.fps is -1.0"),
    ({"fps": float("nan")}, "recipe.fps is nan"),
    ({"fps": float("inf")}, "recipe.fps is inf"),
    ({"fuse": "mean"}, "recipe.fuse is mean"),
    ({"kind": "4D"}, "recipe.kind is 4D"),
    ({"canonical": True}, "recipe.kind is None"),
    ({"canonical": True, "kind": "4D"}, "recipe.kind is 4D"),
    ({"lag": 8}, "lag is 8.*0.*7.*8 frames"),
    ({"lag": -1}, "lag is -1"),
    ({"lag": 2, "step": 2}, "lag needs.*STEP_SIZE 1.*not 2"),
    ({"lag": 2, "weighting": "quality"}, "lag needs.*WINDOW_WEIGHTS mean or triangular.*quality"),
]


@pytest.mark.parametrize("changes, message", IMPOSSIBLE)
def test_what_cannot_be_is_refused_by_name(changes, message):
    for refuse in (lambda: Recipe(**changes).checked(), lambda: Recipe().but(**changes)):
        with pytest.raises(UserError, match=message):
            refuse()
    with pytest.raises(UserError, match=f"checkpoint x: .*{message}.*damaged") as caught:
        Recipe.from_dict(changes, "checkpoint x")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES.keys())
def test_what_can_be_is_not_refused(recipe):
    assert recipe.checked() is recipe


WRONG = {
    "window": ("all", 2.5, True, [8]),
    "step": (None, "1", 1.5, False),
    "weighting": (None, 1, ["mean"]),
    "smooth": (None, "1", True),
    "lag": ("0", 0.5, True),
    "trained_lag": ("0", 1.5),
    "carry": (None, "all", True),
    "align": (None, 0, True),
    "fuse": (None, 3),
    "views": (None, 1.0),
    "kind": (3, True),
    "joints": ("nose", 17, {"a": 1}),
    "root": (None, 0),
    "canonical": (None, 1, "yes"),
    "pairs": (None, 4, "hips"),
    "one_size": (None, 1, "True"),
    "bones": (None, 4, "legs"),
    "segment": (None, "all", 2.5),
    "fps": (None, "30", True),
    "normaliser": (None, 2),
    "image_size": (None, 1),
    "use_6d": (None, 0),
    "root_relative": (None, "True"),
    "any_skeleton": (None, 1),
    "knows_places": (None, 1),
}


@pytest.mark.parametrize("name, value", [(name, value) for name, values in WRONG.items() for value in values])
def test_a_stored_value_of_the_wrong_type_is_refused_by_name(name, value):
    with pytest.raises(UserError, match=f"checkpoint x: recipe.{name} is .*damaged"):
        Recipe.from_dict({name: value}, "checkpoint x")


def test_every_stored_value_has_its_type_tested():
    assert WRONG.keys() == Recipe().as_dict().keys()


def test_a_stored_value_that_is_not_known_is_refused_by_name():
    with pytest.raises(UserError, match="checkpoint x: recipe.speed is not known.*newer version"):
        Recipe.from_dict({**Recipe().as_dict(), "speed": 2}, "checkpoint x")


def test_a_stream_has_every_window_and_weights_that_are_known_in_time():
    recipe = Recipe(step=4, weighting="quality", carry=0.4).streamed(3)
    assert recipe == Recipe(lag=3, carry=0.4)
    assert Recipe(weighting="triangular").streamed(0) == Recipe(weighting="triangular", lag=0)
    for lag in (8, -1):
        with pytest.raises(UserError, match=f"lag is {lag}"):
            Recipe().streamed(lag)


def test_the_weight_of_each_place():
    assert Recipe().place_weights() is None and Recipe(weighting="quality").place_weights() is None
    assert Recipe(weighting="triangular").place_weights().tolist() == [1, 2, 3, 4, 4, 3, 2, 1]
    assert Recipe(weighting="triangular", window=5).place_weights().tolist() == [1, 2, 3, 2, 1]


def test_a_lag_of_an_unknown_window_or_none_is_not_refused():
    check_lag(None, 8)
    check_lag(100, None)
    check_lag(0, 8)
    check_lag(7, 8)


@pytest.mark.parametrize(
    "name, value",
    [("root", ["x"]), ("root", []), ("root", [-1]), ("joints", [1, 2]), ("trained_lag", -5), ("window", 10**6)],
)
def test_values_of_a_damaged_file_are_refused_by_name(name, value):
    with pytest.raises(UserError, match=f"recipe.{name} is"):
        Recipe.from_dict(Recipe().as_dict() | {name: value}, "x")
