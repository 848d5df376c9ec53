import json

import numpy as np
import pytest

from lib import config
from lib.config_values import merge_overrides
from lib.dataset import groups
from lib.dataset.catalog import Source
from lib.dataset.sequences import Recording, Sequence, Split
from lib.errors import UserError
from lib.poses.representation import representation
from lib.poses.skeletons import LAYOUTS

CLIPS = ("01_01", "01_02", "02_01", "02_02", "03_01", "03_02", "03_03", "04_01")


def settings(*pairs):
    cfg = config.defaults()
    merge_overrides(cfg, pairs)
    return cfg


def split(names=CLIPS):
    recordings = [Recording(f"{name}.camera2", [Sequence(name, None, np.zeros((9, 51), np.float32))]) for name in names]
    return Split(Source("own", "noise", "3D"), "train", LAYOUTS["h36m17"], representation("3D"), recordings)


def persons(part):
    return {recording.name[:2] for recording in part.recordings}


@pytest.fixture
def listed(tmp_path):
    """A file of who is seen, beside the datasets."""
    rows = [
        {"clip": name, "subject": f"s{name[:2]}", "licence": "CC BY-SA" if name < "02" else "CC0"} for name in CLIPS
    ]
    (tmp_path / "own.json").write_text(json.dumps(rows))
    (tmp_path / "poses").mkdir()
    return ("DATASET.BASE_DIR", str(tmp_path / "poses"), "DATASET.GROUPS", "own.json")


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("told", ["file", "pattern"])
def test_nobody_is_in_training_and_in_validation(told, seed, listed):
    cfg = settings(*(listed if told == "file" else ("DATASET.GROUPS", r"^(\d\d)_")), "TRAIN.VAL_SHARE", "0.3")
    training, validation = groups.hold_out(split(), cfg, np.random.default_rng(seed))
    assert persons(training) and persons(validation) and not persons(training) & persons(validation)
    assert len(training.recordings) + len(validation.recordings) == len(CLIPS)


def test_groups_can_be_named_and_recordings_divided(listed):
    training, validation = groups.hold_out(
        split(), settings(*listed, "TRAIN.VAL_GROUPS", "s03,s04"), np.random.default_rng(0)
    )
    assert persons(validation) == {"03", "04"} and persons(training) == {"01", "02"}
    training, validation = groups.hold_out(
        split(), settings(*listed, "TRAIN.VAL_BY", "recording", "TRAIN.VAL_SHARE", "0.5"), np.random.default_rng(0)
    )
    assert persons(training) & persons(validation) and len(validation.recordings) == 4


def test_without_groups_recordings_are_divided():
    training, validation = groups.hold_out(split(), settings("TRAIN.VAL_SHARE", "0.25"), np.random.default_rng(0))
    assert (len(training.recordings), len(validation.recordings)) == (6, 2)


def test_groups_and_licences_are_left_out(listed):
    assert persons(groups.exclude(split(), settings(*listed, "DATASET.EXCLUDE", "s03,CC BY-SA*"))) == {"02", "04"}
    assert groups.exclude(split(), settings()).recordings
    with pytest.raises(UserError, match="DATASET.EXCLUDE .*: leaves no train recording"):
        groups.exclude(split(), settings(*listed, "DATASET.EXCLUDE", "*"))


@pytest.mark.parametrize(
    "told, message",
    [
        ("gone.json", "DATASET.GROUPS gone.json: not found"),
        ("(", "neither a .json file nor a regular expression"),
        ("s\\d", "has no bracket"),
        ("bad.json", "expected a list such as"),
    ],
)
def test_mistakes_are_told(told, message, tmp_path):
    (tmp_path / "bad.json").write_text('{"clip": 3}')
    with pytest.raises(UserError, match=message):
        groups.Groups(settings("DATASET.GROUPS", told, "DATASET.BASE_DIR", str(tmp_path)))


def test_held_out_names_that_nobody_has(listed):
    with pytest.raises(UserError, match="holds out none of the groups"):
        groups.hold_out(split(), settings(*listed, "TRAIN.VAL_GROUPS", "s99"), np.random.default_rng(0))


def test_set_stands_for_each_dataset_of_the_config(listed):
    base = listed[1]
    (groups._found("own.json", base)).rename(f"{base}/own_noise_train.json")
    cfg = settings(*listed[:3], "{set}_train.json", "DATASET_NAME", "own", "ESTIMATOR", "noise")
    assert groups.Groups(cfg).of(split().recordings[0]).group == "s01"
