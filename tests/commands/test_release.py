"""Weights as they ship: half precision, without the optimiser, without this machine's folders."""

import json

import pytest
import torch

from lib import config
from lib.commands.release import release, table
from lib.errors import UserError
from lib.models import checkpoints
from lib.models.attention import Sizes
from lib.models.merging import Blend, Gain
from lib.models.residual import ResidualSynSP
from lib.models.synsp import SynSP
from lib.windows.recipe import Recipe

RECIPE = Recipe(kind="3D", fps=30.0, joints=("a",) * 17)


def write(folder):
    network = ResidualSynSP(51, Sizes(16, 16, 1, 2, 8, 8), residual_components=2)
    cfg = config.as_dict(config.defaults())
    cfg["DATASET"]["BASE_DIR"], cfg["OUTPUT_DIR"], cfg["LOGDIR"] = "/mnt/secret", "/mnt/secret/out", "/mnt/secret/run"
    cfg["TRAIN"]["INIT"] = "/mnt/secret/start.pth.tar"
    command = (
        "train_smoothnet.py --cfg configs/bn_sim_3D.yaml DATASET.BASE_DIR /mnt/secret DATASET.BASE_DIR /mnt/secret/2 OUTPUT_DIR /mnt/secret/out "
        "TRAIN.INIT /mnt/secret/start.pth.tar TRAIN.EPOCH 3"
    )
    checkpoints.save(
        folder / "run.pth.tar",
        {
            "model": network.described(),
            "state_dict": network.state_dict(),
            "recipe": RECIPE.as_dict(),
            "config": cfg,
            "data": {"layout": {"name": "h36m17", "joints": ["a"] * 17, "edges": [], "root": [0]}},
            "provenance": {"command": command},
            "training": {"optimizer": torch.zeros(10)},
        },
    )
    return network


def test_released_weights_are_small_and_tell_nothing_of_this_machine(tmp_path):
    network = write(tmp_path)
    scores = [
        {
            "dataset": "bn",
            "estimator": "sim",
            "body_representation": "3D",
            "unit": "mm",
            "metrics": {"input_mpjpe": 54.551, "smoothnet_mpjpe": 40.25, "input_accel": 18.98, "smoothnet_accel": 3.1},
        }
    ]
    (tmp_path / "metrics.json").write_text(json.dumps(scores))
    target = tmp_path / "ships" / "synsp_3D_w8.pth.tar"
    release(
        tmp_path / "run.pth.tar",
        target,
        "CC BY-NC 4.0 data: non-commercial",
        [tmp_path / "metrics.json"],
        window_weights="triangular",
    )
    content = checkpoints.read(target)
    assert (
        checkpoints.load(target).recipe == RECIPE.but(weighting="triangular")
        and checkpoints.load(tmp_path / "run.pth.tar").recipe == RECIPE
    )
    assert "training" not in content and "secret" not in repr(
        {key: content[key] for key in content if key != "state_dict"}
    )
    assert (
        content["provenance"]["command"]
        == "train_smoothnet.py --cfg configs/bn_sim_3D.yaml TRAIN.INIT start.pth.tar TRAIN.EPOCH 3"
    )
    assert {tensor.dtype for tensor in content["state_dict"].values()} == {torch.float16}
    windows = 0.3 * torch.randn(4, 1, 8, 51, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        checkpoints.load(target).network(windows).final, network.eval()(windows).final, atol=1e-3, rtol=0
    )
    row = next(line for line in table(tmp_path / "ships").splitlines() if "synsp_3D_w8" in line)
    assert "non-commercial" in row and "54.55 -> 40.25 mm" in row and "18.98 -> 3.10" in row


def test_learned_merges_ship_and_are_left_out_of_a_mixture(tmp_path):
    """They were trained after the very weights of their file."""
    write(tmp_path)
    content = checkpoints.read(tmp_path / "run.pth.tar")
    content["state_dict"] |= {f"gain.{name}": value for name, value in Gain(17).state_dict().items()}
    content["state_dict"] |= {f"blend.{name}": value for name, value in Blend(17, 8).state_dict().items()}
    content["recipe"] |= {"weighting": "learned"}
    content["provenance"]["gain"] = "python -m lib.training.merging a.pth.tar /mnt/secret/b.pth.tar TRAIN.LAG 0"
    checkpoints.save(tmp_path / "merged.pth.tar", {key: content[key] for key in content if key != "format_version"})
    release(tmp_path / "merged.pth.tar", tmp_path / "ships.pth.tar", "Apache-2.0")
    ships = checkpoints.load(tmp_path / "ships.pth.tar")
    assert ships.network.gain is not None and ships.network.blend is not None and ships.recipe.weighting == "learned"
    assert ships.provenance["gain"] == "python -m lib.training.merging a.pth.tar b.pth.tar TRAIN.LAG 0"
    for source, other in (("run", "merged"), ("merged", "run")):
        mixture = tmp_path / "mixture.pth.tar"
        release(tmp_path / f"{source}.pth.tar", mixture, "Apache-2.0", (), (tmp_path / f"{other}.pth.tar", 0.5))
        mixed = checkpoints.load(mixture)
        assert mixed.network.gain is mixed.network.blend is None and mixed.recipe.weighting != "learned"


def test_a_blend_lies_between_two_checkpoints(tmp_path):
    network = write(tmp_path)
    other = ResidualSynSP(51, Sizes(16, 16, 1, 2, 8, 8), residual_components=2)
    command = {"command": "train_smoothnet.py TRAIN.INIT /mnt/secret/a"}
    checkpoints.save(tmp_path / "other.pth.tar", {"state_dict": other.state_dict(), "provenance": command})
    changes = ({"model": other.described() | {"residual_components": 3}}, {"recipe": RECIPE.but(window=16).as_dict()})
    for change in changes:
        content = {
            "model": other.described(),
            "recipe": RECIPE.as_dict(),
            "data": {"sources": []},
            "state_dict": other.state_dict(),
            **change,
        }
        checkpoints.save(tmp_path / "elsewise.pth.tar", content)
        with pytest.raises(UserError, match="different network"):
            release(tmp_path / "run.pth.tar", tmp_path / "out.pth.tar", "", (), (tmp_path / "elsewise.pth.tar", 0.5))
    release(tmp_path / "run.pth.tar", tmp_path / "out.pth.tar", "Apache-2.0", (), (tmp_path / "other.pth.tar", 0.25))
    content = checkpoints.read(tmp_path / "out.pth.tar")
    name = "proj_i_a.0.weight"
    expected = 0.75 * network.state_dict()[name] + 0.25 * other.state_dict()[name]
    torch.testing.assert_close(content["state_dict"][name].float(), expected, atol=1e-3, rtol=0)
    assert content["provenance"]["blended_with"] == {"share": 0.25, "command": "train_smoothnet.py TRAIN.INIT a"}
    with pytest.raises(UserError, match="different network"):
        smaller = SynSP(51, Sizes(8, 8, 1, 2, 8, 8))
        checkpoints.save(tmp_path / "small.pth.tar", {"state_dict": smaller.state_dict()})
        release(tmp_path / "run.pth.tar", tmp_path / "out.pth.tar", "", None, (tmp_path / "small.pth.tar", 0.5))
