from pathlib import Path

import numpy as np
import pytest
import torch

from lib.errors import UserError
from lib.models import checkpoints, export
from lib.models.smoothnet import SmoothNet
from lib.models.synsp import SynSP

SHIPPED = sorted((Path(__file__).parents[2] / "data/checkpoints").glob("*.pth.tar"))


def synsp(residual=0, channels=51, sizes=(32, 48, 2, 2, 16, 16), **options):
    torch.manual_seed(0)
    network = SynSP(channels, *sizes, residual_components=residual, **options).eval()
    for parameter in network.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    return network


def canonical():
    return synsp(2, canonical={"kind": "3D", "pairs": [[4, 1], [11, 14]]})


def segmented():
    return synsp(2, segment=4)


def smoothnet():
    torch.manual_seed(0)
    return SmoothNet(8, 64, 32, 3).eval()


def close(a, b):
    assert (a - b).abs().max() <= 1e-5 * a.abs().max()


@pytest.mark.parametrize("residual", [0, 3])
@pytest.mark.parametrize("window", [2, 8, 16])
@pytest.mark.parametrize("sizes", [(32, 48, 2, 2, 16, 16), (16, 8, 1, 3, 8, 4)])
def test_the_lean_form_is_the_network(residual, window, sizes):
    network = synsp(residual, sizes=sizes)
    lean = export.windows_of(network, window)
    for batch in (1, 5):
        x = torch.randn(batch, window, 51)
        with torch.no_grad():
            close(network(x).final[:, 0], lean(x))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name.split(".")[0])
def test_the_lean_form_of_what_ships_is_the_network(path):
    """Also with MODEL.CANONICAL and MODEL.SEGMENT, which the lean form once passed over."""
    checkpoint = checkpoints.load(path)
    lean = export.windows_of(checkpoint.network, checkpoint.window)
    x = 0.3 * torch.randn(3, checkpoint.window, checkpoint.channels or 20, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        close(checkpoint.network(x).final[:, 0], lean(x))


@pytest.mark.parametrize("make, channels", [(synsp, 51), (canonical, 51), (segmented, 51), (smoothnet, 20)])
def test_torch_export_takes_any_batch(make, channels):
    network = make()
    program = export.export(network, 8)
    for batch in (1, 2, 7):
        x = torch.randn(batch, 8, channels)
        with torch.no_grad():
            close(network(x).final[:, 0], program.module()(x))


@pytest.mark.parametrize("make, channels", [(synsp, 51), (canonical, 51), (segmented, 51), (smoothnet, 20)])
def test_onnx_says_what_torch_says(make, channels, tmp_path):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    network = make()
    export.to_onnx(network, 8, tmp_path / "network.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["network.onnx"]
    session = onnxruntime.InferenceSession(tmp_path / "network.onnx")
    for batch in (1, 6):
        x = torch.randn(batch, 8, channels)
        (out,) = session.run(["refined"], {"windows": x.numpy()})
        with torch.no_grad():
            close(network(x).final[:, 0], torch.from_numpy(np.array(out)))


def test_the_missing_extra_is_named(monkeypatch, tmp_path):
    import builtins

    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "onnx":
            raise ImportError(name=name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match=r"synsp\[export\]"):
        export.to_onnx(smoothnet(), 8, tmp_path / "x.onnx")
