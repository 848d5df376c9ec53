"""lib/evaluation/offset.py: a sensor of another convention, which a constant offset in the body's heading undoes."""

import numpy as np
import pytest
import torch

from lib import config
from lib.dataset import catalog, sequences
from lib.errors import UserError
from lib.evaluation.methods import InputMethod
from lib.evaluation.offset import OffsetMethod, filter_methods
from lib.filters import registry

NOSE = 9


def forward(poses):
    """The unit vectors [T, 3] in which bodies [T, 17, 3] look, level: their left (hips and shoulders) turned by a right angle."""
    left = poses[:, 4] - poses[:, 1] + poses[:, 11] - poses[:, 14]
    ahead = np.stack((left[:, 2], np.zeros(len(left)), -left[:, 0]), 1)
    return ahead / np.linalg.norm(ahead, axis=1, keepdims=True)


def with_offsets(split, kind, data):
    """Detections that are the truth but for the nose, which lies 8 cm further ahead and 3 cm lower."""
    if kind == "detected":
        for index, values in enumerate(with_offsets.truth):
            poses = values.reshape(-1, 17, 3).copy()
            poses[:, NOSE] += 0.08 * forward(poses) + [0, 0.03, 0]
            data["joints_3d"][index] = poses.reshape(len(poses), -1).astype(np.float32)
    else:
        with_offsets.truth = data["joints_3d"]


def loaded(base, name="own_sensor_3D"):
    cfg = config.defaults()
    cfg.DATASET_NAME, cfg.ESTIMATOR, cfg.BODY_REPRESENTATION = name.split("_")
    cfg.DATASET.BASE_DIR = str(base)
    return cfg, sequences.load(catalog.sources(cfg)[0], "test", cfg)


def test_a_constant_offset_in_the_heading_is_undone(write_set):
    cfg, split = loaded(write_set("own", "sensor", "3D", change=with_offsets))
    method = OffsetMethod(InputMethod(), cfg)
    for recording, (poses,) in zip(split.recordings, method(split)):
        view = recording.views[0]
        assert np.abs(view.detected - view.truth).max() > 0.05
        assert poses == pytest.approx(torch.as_tensor(view.truth), abs=1e-4)
    assert method.label == "offset + input"


def test_what_it_cannot_be_fitted_on_is_told(write_set):
    cfg, split = loaded(write_set("own", "sensor", "2D"), "own_sensor_2D")
    with pytest.raises(UserError, match="needs 3D joints with hips and shoulders"):
        list(OffsetMethod(InputMethod(), cfg)(split))
    base = write_set("own", "noise", "3D")
    (base / "own_noise_3D" / "detected" / "own_noise_3D_train.npz").unlink()
    cfg, split = loaded(base, "own_noise_3D")
    with pytest.raises(UserError, match="is fitted on detections"):
        list(OffsetMethod(InputMethod(), cfg)(split))


def test_a_filter_of_a_table_may_have_the_offset_before_it():
    names = registry.names("gaus1d,offset+median+gaussian")
    assert [method.label for method in filter_methods(names, config.defaults())] == [
        "gaus1d",
        "offset + median+gaussian",
    ]
    with pytest.raises(UserError, match=r"--tradition offset\+mean: no such filter"):
        registry.names("offset+mean")
