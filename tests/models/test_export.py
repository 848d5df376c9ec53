import re
from pathlib import Path

import numpy as np
import pytest
import torch

from lib.errors import UserError
from lib.models import checkpoints, export
from lib.models.attention import Sizes
from lib.models.residual import ResidualSynSP
from lib.models.smoothnet import SmoothNet
from lib.models.synsp import SynSP
from lib.windows.recipe import STREAMED, Recipe
from lib.windows.steps import run

SHIPPED = sorted((Path(__file__).parents[2] / "data/checkpoints").glob("*.pth.tar"))


def weighted(residual=0, sizes=(32, 48, 2, 2, 16, 16), **options):
    """A SynSP with weights in every layer."""
    torch.manual_seed(0)
    network = (
        ResidualSynSP(51, Sizes(*sizes), residual_components=residual, **options)
        if residual
        else SynSP(51, Sizes(*sizes))
    )
    for parameter in network.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    return network.eval()


def synsp():
    return weighted(), Recipe()


def canonical():
    return weighted(2, cue=True), Recipe(kind="3D", canonical=True, pairs=((4, 1), (11, 14)))


def segmented():
    return weighted(2, segments=True), Recipe(segment=4)


def with_bones():
    bones = ((1, 0), (2, 1), (3, 2))
    return weighted(2, cue=True, bones=3), Recipe(kind="3D", canonical=True, pairs=((4, 1), (11, 14)), bones=bones)


def told(recipe, batch):
    """What a network of the recipe is told beside its windows."""
    return (torch.rand(batch, len(recipe.bones)) + 0.1,) if recipe.bones else ()


def smoothnet():
    torch.manual_seed(0)
    return SmoothNet(8, 64, 32, 3).eval(), Recipe()


def refined(network, recipe, x, body=None):
    """Windows [B, W, C] of one view through a network and the steps of its recipe: the final head."""
    with torch.no_grad():
        return run(network, recipe, x[:, None], body=None if body is None else body[:, None])[0].final[:, 0]


def close(a, b):
    assert (a - b).abs().max() <= 1e-5 * a.abs().max()


@pytest.mark.parametrize("residual", [0, 3])
@pytest.mark.parametrize("window", [2, 8, 16])
@pytest.mark.parametrize("sizes", [(32, 48, 2, 2, 16, 16), (16, 8, 1, 3, 8, 4)])
def test_the_lean_form_is_the_network(residual, window, sizes):
    network, recipe = weighted(residual, sizes), Recipe(window=window)
    lean = export.windows_of(network, recipe)
    for batch in (1, 5):
        x = torch.randn(batch, window, 51)
        with torch.no_grad():
            close(refined(network, recipe, x), lean(x))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name.split(".")[0])
def test_the_lean_form_of_what_ships_is_the_network(path):
    """Also with MODEL.CANONICAL and MODEL.SEGMENT, which the lean form once passed over."""
    checkpoint = checkpoints.load(path)
    network, recipe = checkpoint.network, checkpoint.recipe
    lean = export.windows_of(network, recipe)
    x = 0.3 * torch.randn(3, recipe.window, network.channels or 20, generator=torch.Generator().manual_seed(0))
    body = told(recipe, 3)
    with torch.no_grad():
        close(refined(network, recipe, x, *body), lean(x, *body))


KINDS = [(synsp, 51), (canonical, 51), (with_bones, 51), (segmented, 51), (smoothnet, 20)]


@pytest.mark.parametrize("make, channels", KINDS)
def test_torch_export_takes_any_batch(make, channels):
    network, recipe = make()
    program = export.export(network, recipe)
    for batch in (1, 2, 7):
        x, body = torch.randn(batch, 8, channels), told(recipe, batch)
        with torch.no_grad():
            close(refined(network, recipe, x, *body), program.module()(x, *body))


@pytest.mark.parametrize("make, channels", KINDS)
def test_onnx_says_what_torch_says(make, channels, tmp_path):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    network, recipe = make()
    export.to_onnx(network, recipe, tmp_path / "network.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["network.onnx"]
    session = onnxruntime.InferenceSession(tmp_path / "network.onnx")
    for batch in (1, 6):
        x, body = torch.randn(batch, 8, channels), told(recipe, batch)
        given = dict(zip(("windows", "body"), (each.numpy() for each in (x, *body))))
        (out,) = session.run(["refined"], given)
        close(refined(network, recipe, x, *body), torch.from_numpy(np.array(out)))


@pytest.mark.parametrize("path", [path for path in SHIPPED if path.name in ("synsp_3D_w8.pth.tar", "synsp_mv_3D_w8.pth.tar")],
                         ids=lambda path: path.name.split(".")[0])  # fmt: skip
def test_the_documents_example_is_the_offline_result(path, tmp_path, monkeypatch):
    """docs/live.md's windows in onnxruntime, against `pipeline.refine` of one view."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    from lib.windows.pipeline import refine

    checkpoint = checkpoints.load(path)
    export.to_onnx(checkpoint.network, checkpoint.recipe, tmp_path / "synsp.onnx", provenance=checkpoint.provenance)
    text = (Path(__file__).parents[2] / "docs" / "live.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(import numpy.*?)```", text, re.DOTALL)[1]
    poses = np.random.default_rng(0).normal(0, 0.4, (20, 17, 3)).cumsum(axis=0) / 3
    np.save(tmp_path / "poses.npy", poses)
    monkeypatch.chdir(tmp_path)
    exec(code, found := {})
    frames = torch.from_numpy(poses - poses[:, :1]).flatten(1).float()
    averaged = checkpoint.recipe.but(weighting=STREAMED[checkpoint.recipe.weighting])  # a learned merge is not exported
    (expected,) = refine(checkpoint.network, [(frames[None], None)], averaged)
    close(expected.final[0], torch.from_numpy(found["result"] - poses[:, :1]).flatten(1).float())
    model = onnx.load(tmp_path / "synsp.onnx")
    axes = [[axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]
            for value in (*model.graph.input, *model.graph.output)]  # fmt: skip
    assert axes == [["batch", 8, 51]] + [["batch", 16]] * bool(checkpoint.recipe.bones) + [["batch", 8, 51]]
    about = {entry.key: entry.value for entry in model.metadata_props}
    assert about["joints"].startswith("pelvis,right_hip,") and about["fps"] == "30" and "metres" in about["units"]
    assert ("no other" in about["views"]) == ("mv" in path.name) and about["licence"] != ""


def test_free_axes_of_smoothnet_have_names(tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    export.to_onnx(*smoothnet(), tmp_path / "x.onnx")
    (value,) = onnx.load(tmp_path / "x.onnx").graph.input
    assert [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim] == ["batch", 8, "channels"]


def test_the_missing_extra_is_named(monkeypatch, tmp_path):
    import builtins

    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "onnx":
            raise ImportError(name=name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match=r"synsp\[export\]"):
        export.to_onnx(*smoothnet(), tmp_path / "x.onnx")
