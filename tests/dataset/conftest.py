"""What tests of the dataset share."""

import pytest

from lib.command_line import Request
from lib.dataset import sequences
from lib.dataset.catalog import Source


@pytest.fixture
def load():
    """A function (base, dataset, estimator, representation, split="test", *overrides) -> Split."""

    def loaded(base, dataset, estimator, representation, split="test", *overrides):
        cfg = Request("train", ["DATASET.BASE_DIR", str(base), *overrides]).config()
        return sequences.load(Source(dataset, estimator, representation), split, cfg)

    return loaded
