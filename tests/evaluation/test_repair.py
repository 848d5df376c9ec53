"""EVALUATE.REPAIR: methods see repaired detections, the input row stays as it was."""

import numpy as np
import pytest

from lib import config
from lib.config_values import merge_overrides
from lib.dataset import catalog, sequences
from lib.evaluation.evaluator import score_split
from lib.evaluation.methods import InputMethod


@pytest.mark.parametrize("on", [False, True])
def test_the_input_row_stays(root, on):
    cfg = config.defaults()
    merge_overrides(
        cfg,
        [
            "DATASET_NAME",
            "mocap",
            "ESTIMATOR",
            "noise",
            "BODY_REPRESENTATION",
            "3D",
            "DATASET.BASE_DIR",
            str(root / "data" / "poses"),
        ],
    )
    cfg.EVALUATE.REPAIR = on
    split = sequences.load(catalog.sources(cfg)[0], "test", cfg)
    view = split.sequences[0]
    whole = view.detected.copy()
    poses = view.detected.reshape(view.length, -1, 3)
    poses[20:30] = poses[20:30][:, list(split.layout.mirror)]
    wrong = view.detected.copy()
    _, (raw, row) = score_split(split, [InputMethod(), InputMethod("other", "input, repaired")], cfg)
    assert np.array_equal(view.detected, wrong) and not np.array_equal(wrong, whole)
    if on:
        assert row.means["mpjpe"] < 0.9 * raw.means["mpjpe"]
    else:
        assert row.means == raw.means
