"""What the tests of the core share: the shipped sample and the command lines of a tiny training run on it."""

from pathlib import Path

import pytest
import torch

from lib.command_line import Request
from lib.training import trainer

ROOT = Path(__file__).parents[2]

# A network of 16 channels on the shipped sample: an epoch takes a fraction of a second.
TINY = [
    "--dataset_name",
    "mocap",
    "--estimator",
    "noise",
    "--body_representation",
    "3D",
    "--exp_name",
    "tiny",
    "DEVICE",
    "cpu",
    "DATASET.BASE_DIR",
    str(ROOT / "data" / "poses"),
    "MODEL.d_model",
    "16",
    "MODEL.d_word_vec",
    "16",
    "MODEL.d_inner",
    "16",
    "MODEL.n_layers",
    "1",
    "MODEL.n_head",
    "2",
    "MODEL.d_k",
    "8",
    "MODEL.d_v",
    "8",
    "TRAIN.BATCH_SIZE",
    "64",
    "TRAIN.EPOCH",
    "2",
]


@pytest.fixture
def tiny(tmp_path):
    """A function (*overrides) -> the command line of a tiny training run into tmp_path/results."""
    return lambda *overrides: [*TINY, "OUTPUT_DIR", str(tmp_path / "results"), *map(str, overrides)]


@pytest.fixture
def tiny_config(tiny):
    """A function (*overrides) -> the config of that command line."""
    return lambda *overrides: Request("train", tiny(*overrides)).config()


@pytest.fixture
def last():
    """A function (folder, name="last") -> the content of a run's checkpoint."""
    return lambda folder, name="last": torch.load(folder / f"checkpoint_{name}.pth.tar", weights_only=True)


@pytest.fixture
def run(tiny_config):
    """A function (*overrides) that trains and returns the run's folder."""
    return lambda *overrides: trainer.train(tiny_config(*overrides))


@pytest.fixture
def assert_same():
    """A function that holds two checkpoints equal to the bit, all the way down; what tells of time and place set aside."""
    return compare


def compare(one, two, where=""):
    assert type(one) is type(two), where
    if isinstance(one, dict):
        one, two = (
            {
                key: value
                for key, value in part.items()
                if key not in ("LOGDIR", "OUTPUT_DIR", "EXP_NAME", "RESUME", "command")
            }
            for part in (one, two)
        )
        assert one.keys() == two.keys(), where
        for key in one:
            compare(one[key], two[key], f"{where}.{key}")
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(two), where
        for k, pair in enumerate(zip(one, two)):
            compare(*pair, f"{where}[{k}]")
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, two), where
    else:
        assert one == two, where
