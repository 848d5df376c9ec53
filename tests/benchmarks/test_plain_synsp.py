"""The baseline of the training benchmark is the published network, dead weights and all."""

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.plain_synsp import PlainSynSP

REFERENCE = Path(__file__).parents[1] / "reference"


@pytest.mark.parametrize("representation, channels", [("3d", 51), ("2d", 34), ("smpl", 144)])
def test_published_numbers(representation, channels):
    network = PlainSynSP(channels, 32, 48, 2, 2, 16, 16).eval()
    content = torch.load(REFERENCE / f"synsp_{representation}_random.pth.tar", weights_only=True)
    network.load_state_dict(content["state_dict"])  # strict: every dead weight is there
    with np.load(REFERENCE / f"synsp_{representation}_random_io.npz") as stored:
        for case in ("single_w8", "single_w16", "multi_w8", "multi_w16"):
            x = torch.from_numpy(stored[f"{case}_input"])
            with torch.no_grad():
                outputs = network(x)
            for name, output in zip(("final", "precision", "smoothness"), outputs):
                expected = stored[f"{case}_{name}"].reshape(output.shape)
                np.testing.assert_allclose(output, expected, atol=1e-5 * np.abs(expected).max())


def test_size_and_dead_share():
    """The full network has the published 3.92 M parameters, 29 % of which receive no gradient."""
    network = PlainSynSP(51)
    sum(output.sum() for output in network(torch.randn(2, 8, 51))).backward()
    sizes = {name: p.numel() for name, p in network.named_parameters()}
    dead = sum(p.numel() for p in network.parameters() if p.grad is None)
    assert round(sum(sizes.values()) / 1e6, 2) == 3.92
    assert round(dead / sum(sizes.values()), 2) == 0.29
