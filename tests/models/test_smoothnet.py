from pathlib import Path

import numpy as np
import pytest
import torch

from lib.models import checkpoints
from lib.models.smoothnet import SmoothNet

REFERENCE = Path(__file__).parents[1] / "reference"


@pytest.fixture(scope="module")
def published():
    return checkpoints.load(REFERENCE / "smoothnet_random.pth.tar").network


def test_published_numbers(published):
    with np.load(REFERENCE / "smoothnet_random_io.npz") as stored:
        windows, expected = torch.from_numpy(stored["input"]), stored["output"]
    with torch.no_grad():
        out = published(windows)
    assert out.final.shape == (5, 1, 8, 51)
    np.testing.assert_allclose(out.final[:, 0], expected, atol=1e-5 * np.abs(expected).max())
    assert out.precision is None and out.smoothness is None  # it has one head
    assert published.window == 8


@pytest.mark.parametrize("channels", [1, 30, 51, 144])
def test_each_channel_is_refined_alone(published, channels):
    windows = torch.from_numpy(np.random.default_rng(0).normal(size=(3, 2, 8, channels))).float()
    with torch.no_grad():
        together = published(windows).final
        alone = published(windows[1:2, :, :, -1:]).final
    assert together.shape == windows.shape
    np.testing.assert_allclose(together[1:2, :, :, -1:], alone, atol=1e-5)


def test_views_and_absent_frames(published):
    windows = torch.from_numpy(np.random.default_rng(0).normal(size=(3, 2, 8, 5))).float()
    present = torch.rand(3, 2, 8) > 0.5
    with torch.no_grad():
        out, one = published(windows, present), published(windows[:, 1])
    np.testing.assert_allclose(out.final[:, 1:], one.final, atol=1e-6)
    assert out.quality.shape == (3, 2, 8)


def test_the_layers_by_the_letter():
    torch.manual_seed(0)
    network = SmoothNet(6, 10, 4, 2).eval()
    x = torch.randn(2, 6, 3)
    weights = {name: value.detach().double().numpy() for name, value in network.state_dict().items()}

    def linear(value, name):
        return value @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def leaky(value, slope):
        return np.where(value > 0, value, slope * value)

    h = leaky(linear(x.double().numpy().swapaxes(1, 2), "encoder.0"), 0.1)
    for k in range(2):
        h = leaky(linear(leaky(linear(h, f"res_blocks.{k}.linear1"), 0.2), f"res_blocks.{k}.linear2"), 0.2) + h
    expected = linear(h, "decoder").swapaxes(1, 2)
    np.testing.assert_allclose(network(x).final[:, 0].detach(), expected, atol=1e-5)


def test_dropout_only_while_training():
    torch.manual_seed(0)
    network = SmoothNet(8, 32, 16, 2, dropout=0.5)
    x = torch.randn(4, 8, 6)
    assert not torch.equal(network(x).final, network(x).final)
    network.eval()
    assert torch.equal(network(x).final, network(x).final)
