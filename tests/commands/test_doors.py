"""The three scripts on a small set of every representation, and how they end on what they cannot use."""

import json
import logging
import math
import os
import shutil
import signal
import sys

import av
import numpy as np
import pytest
import torch

import eval_smoothnet
import train_smoothnet
import visualize_smoothnet
from lib import errors
from lib.filters.registry import FILTERS

TINY = (
    "DEVICE cpu TRAIN.EPOCH 1 TRAIN.BATCH_SIZE 64 MODEL.d_model 16 MODEL.d_word_vec 16 MODEL.d_inner 16 MODEL.n_layers 1 "
    "MODEL.n_head 2 MODEL.d_k 8 MODEL.d_v 8"
).split()


@pytest.fixture
def run(monkeypatch, capsys):
    """A function (door, *words) -> (exit code, what it wrote to both streams), the command run in this process."""
    loggers = [logging.getLogger(), logging.getLogger("synsp")]
    before = [(logger.handlers[:], logger.level) for logger in loggers]
    term = signal.getsignal(signal.SIGTERM)

    def door(script, *words):
        monkeypatch.setattr(sys, "argv", [f"{script.__name__}.py", *map(str, words)])
        capsys.readouterr()
        try:
            errors.run(script.main)
            code = 0
        except SystemExit as ended:
            code = ended.code
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    yield door
    gradients = torch.is_grad_enabled()
    torch.set_grad_enabled(True)
    assert gradients  # a script leaves torch as it found it
    signal.signal(signal.SIGTERM, term)
    for logger, (handlers, level) in zip(loggers, before):
        logger.handlers[:] = handlers
        logger.setLevel(level)


def source(dataset, estimator, representation):
    return [
        "--dataset_name",
        dataset,
        "--estimator",
        estimator,
        "--body_representation",
        representation,
        "--slide_window_size",
        "8",
    ]


def expected_input(representation, order):
    """MPJPE of the sets' white noise: the mean of a chi of 2 or 3 numbers times 5 px, or times 30 mm and, root-relative, the
    noise of r root joints' mean: sqrt(1 + 1/r) at the other joints, sqrt(1 - 1/r) at these."""
    if representation == "2D":
        return 5 * math.sqrt(math.pi / 2)
    joints, roots = (17, 1) if order == "mpi17" else (14, 2)
    share = roots / joints
    return 30 * math.sqrt(8 / math.pi) * ((1 - share) * math.sqrt(1 + 1 / roots) + share * math.sqrt(1 - 1 / roots))


@pytest.mark.parametrize(
    "dataset, estimator, representation, order, columns",
    [
        ("aist", "vibe", "3D", "lsp14", {"mpjpe", "pampjpe", "accel"}),
        ("h36m", "hourglass", "2D", "h36m16", {"mpjpe", "accel"}),
        ("jhmdb", "simplepose", "2D", "jhmdb15", {"mpjpe", "accel", "pck_005", "pck_01", "pck_02"}),
        ("pw3d", "spin", "smpl", "", {"mpjpe", "pampjpe", "accel", "mpvpe"}),
        pytest.param("aist", "spin", "smpl", "", {"mpjpe", "mpvpe"}, marks=pytest.mark.slow),
        pytest.param("pw3d", "spin", "3D", "regressor17", {"mpjpe", "pampjpe"}, marks=pytest.mark.slow),
        pytest.param("mupots", "tposenet", "3D", "mpi17", {"mpjpe", "pampjpe"}, marks=pytest.mark.slow),
    ],
)
def test_train_evaluate_visualize(dataset, estimator, representation, order, columns, run, write_set, tmp_path):
    base = write_set(dataset, estimator, representation, order or "h36m17")
    names = source(dataset, estimator, representation)
    places = ["DATASET.BASE_DIR", base, "OUTPUT_DIR", tmp_path / "results", "DEVICE", "cpu"]
    code, said = run(train_smoothnet, *names, "--exp_name", "tiny", *TINY, *places)
    assert code == 0, said
    (checkpoint,) = (tmp_path / "results").glob("tiny_*/checkpoint_best.pth.tar")

    code, said = run(
        eval_smoothnet, *names, "--checkpoint", checkpoint, "--tradition", "all", "--json", tmp_path / "m.json", *places
    )
    assert code == 0, said
    (result,) = json.loads((tmp_path / "m.json").read_text())
    assert (result["dataset"], result["estimator"], result["body_representation"]) == (
        dataset,
        estimator,
        representation,
    )
    metrics = result["metrics"]
    for column in columns:
        assert all(np.isfinite(metrics[f"{who}_{column}"]) for who in ("input", "filter", "smoothnet", "improvement"))
    if representation != "smpl":
        assert abs(metrics["input_mpjpe"] / expected_input(representation, order) - 1) < 0.03
    assert len(result["filters"]) == len(FILTERS)

    code, said = run(
        visualize_smoothnet,
        *names,
        "--checkpoint",
        checkpoint,
        "--visualize_video_id",
        "0",
        "--output_video_path",
        tmp_path / "video",
        *places,
        "VIS.END",
        "5",
    )
    assert code == 0, said
    (video,) = (tmp_path / "video").iterdir()
    with av.open(str(video)) as opened:
        assert sum(1 for _ in opened.decode(video=0)) == 5


def test_two_sets_at_once(run, write_set, tmp_path):
    write_set("aist", "vibe", "3D", "lsp14")
    base = write_set("pw3d", "spin", "3D", "regressor17")
    names = source("aist,pw3d", "vibe,spin", "3D,3D")
    places = ["DATASET.BASE_DIR", base, "OUTPUT_DIR", tmp_path / "results", "TRAIN.MIX", "shortest"]
    code, said = run(train_smoothnet, *names, "--exp_name", "tiny", *TINY, *places)
    assert code == 0, said
    (checkpoint,) = (tmp_path / "results").glob("tiny_*/checkpoint_best.pth.tar")
    code, said = run(
        eval_smoothnet, *names, "--checkpoint", checkpoint, "--json", tmp_path / "m.json", *places, "DEVICE", "cpu"
    )
    assert code == 0, said
    assert [part["dataset"] for part in json.loads((tmp_path / "m.json").read_text())] == ["aist", "pw3d"]


def truncated(path):
    path.write_bytes(path.read_bytes()[:1000])


def hostile(path):
    class Hostile:
        def __reduce__(self):
            return os.system, ("touch executed",)

    poses = np.empty(3, dtype=object)
    poses[:] = [Hostile()] * 3
    np.savez(path, joints_3d=poses)


@pytest.mark.parametrize(
    "damage, message",
    [
        (truncated, "not a readable .npz archive"),
        (lambda path: path.write_bytes(b""), "not a readable .npz archive"),
        (hostile, "joints_3d: refused, because loading it would call posix.system"),
        (lambda path: np.savez(path, joints=np.ones((3, 9, 42))), "none of the keys joints_3d"),
        (
            lambda path: np.savez(path, joints_3d=np.full((3, 9, 42), np.nan)),
            "joints_3d, sequence 0 holds no finite number",
        ),
        (lambda path: np.savez(path, joints_3d=np.ones((2, 9, 42))), "joints_3d has 2 sequences"),
        (lambda path: np.savez(path, joints_3d=np.ones((3, 9, 51))), "17 joints, 14 expected"),
        (lambda path: path.unlink(), "not found. In "),
        (lambda path: shutil.rmtree(path.parents[1]), "not found. Expected layout"),
        (lambda path: shutil.rmtree(path.parents[2]), "is not a folder"),
    ],
)
@pytest.mark.parametrize("door, split", [(train_smoothnet, "train"), (eval_smoothnet, "test")])
def test_files_that_cannot_be_used(damage, message, door, split, run, write_set, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    base = write_set("aist", "vibe", "3D", "lsp14")
    damage(base / "aist_vibe_3D" / "detected" / f"aist_vibe_3D_{split}.npz")
    options = ["EVALUATE.TRADITION", "savgol"] if door is eval_smoothnet else TINY
    code, said = run(
        door,
        *source("aist", "vibe", "3D"),
        "DATASET.BASE_DIR",
        base,
        "OUTPUT_DIR",
        tmp_path / "results",
        *options,
        "DEVICE",
        "cpu",
    )
    last = said.strip().splitlines()[-1]
    assert code == 2 and last.startswith(f"error: {base}") and message in last and "Traceback" not in said
    assert "aist_vibe_3D_" in last or "aist_gt_3D_" in last
    assert sorted(path.name for path in tmp_path.iterdir()) in (["poses"], [])  # nothing half-written, nothing executed


@pytest.mark.parametrize(
    "datasets, order, message",
    [
        ("aist,h36m", "stored", "the network sees 42 channels"),
        (
            "aist,mupots",
            "aist14",
            "aist_net_3D has its joints in lsp14 order, mupots_net_3D in aist14 order: joint 0 is right_ankle",
        ),
        ("h36m,mupots", "stored", "h36m_net_3D has its joints in h36m17 order, mupots_net_3D in mpi17 order"),
    ],
)
def test_sets_that_cannot_be_mixed(datasets, order, message, run, write_set, tmp_path):
    for dataset, joints in (("aist", "lsp14"), ("h36m", "h36m17"), ("mupots", "mpi17")):
        base = write_set(dataset, "net", "3D", joints, splits=("train",))
    code, said = run(
        train_smoothnet,
        *source(datasets, "net,net", "3D,3D"),
        "DATASET.BASE_DIR",
        base,
        "OUTPUT_DIR",
        tmp_path / "results",
        "DATASET.JOINT_ORDER",
        order,
        *TINY,
    )
    assert code == 2 and message in said and "Train one network for each" in said
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    "words, message",
    [
        ([], "--dataset_name: not given"),
        (["TRAIN.EPOCHS", "5"], "override TRAIN.EPOCHS: no such key"),
        (["--cfg", "nowhere.yaml"], "--cfg nowhere.yaml: not found"),
        (["--frames", "5"], "--frames: no such flag"),
        (source("mocap", "noise", "4D"), "--body_representation 4D: not known"),
    ],
)
@pytest.mark.parametrize("door", [train_smoothnet, eval_smoothnet, visualize_smoothnet])
def test_command_lines_that_cannot_be(words, message, door, run):
    code, said = run(
        door, *words, *(["EVALUATE.TRADITION", "savgol"] if "EPOCHS" not in str(words) else []), "DEVICE", "cpu"
    )
    assert code == 2 and said.startswith(f"error: {message}") and said.count("\n") == 1
