"""What tests of checkpoints share: a published file to be spoilt, and how a file is refused."""

from pathlib import Path

import pytest
import torch

from lib.errors import UserError
from lib.models import checkpoints

SYNSP = Path(__file__).parents[1] / "reference" / "synsp_3d_random.pth.tar"


@pytest.fixture
def content():
    """A published checkpoint as a dict, to be spoilt."""
    return torch.load(SYNSP, weights_only=True)


def refusal(path, **options):
    with pytest.raises(UserError) as caught:
        checkpoints.load(path, **options)
    message = str(caught.value)
    assert str(path) in message and "\n" not in message
    return message
