"""What the scripts say and leave behind when something is wrong: one line on stderr, exit code 2, nothing half-written."""

import logging
import os
import resource
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "tests" / "reference"
SYNSP, SMOOTHNET = REFERENCE / "format_1.pth.tar", REFERENCE / "smoothnet_random.pth.tar"
SAMPLE = ["--dataset_name", "mocap", "--estimator", "noise", "--body_representation", "3D", "DEVICE", "cpu"]


def process(script, *words):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    return subprocess.run(
        [sys.executable, ROOT / f"{script}_smoothnet.py", *map(str, words)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def door(monkeypatch, capfd):
    """A function (script, *words) -> (exit code, stderr): the script as it stands, run within this process."""

    def run(script, *words):
        path = ROOT / f"{script}_smoothnet.py"
        monkeypatch.setattr(sys, "argv", [str(path), *map(str, words)])
        code = 0
        try:
            runpy.run_path(str(path), run_name="__main__")
        except SystemExit as end:
            code = end.code
        return code, capfd.readouterr().err

    loggers = [logging.getLogger(), logging.getLogger("synsp")]
    before = [(logger.handlers[:], logger.level) for logger in loggers]
    yield run
    for logger, (handlers, level) in zip(loggers, before):
        logger.handlers[:], logger.level = handlers, level


def refused(code, stderr):
    """The one line of a refusal, without its "error: "."""
    assert code == 2, stderr
    (line,) = stderr.strip().splitlines()
    assert line.startswith("error: ")
    return line.removeprefix("error: ")


@pytest.mark.parametrize("script", ["train", "eval", "visualize"])
def test_help_needs_little_work(script):
    """Counted in processor time, which another program's load does not lengthen."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    finished = process(script, "--help")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert finished.returncode == 0 and "--cfg" in finished.stdout and finished.stderr == ""
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5


@pytest.mark.parametrize(
    "script, words, hints",
    [
        ("eval", [*SAMPLE, "--checkpoint", "absent.pth.tar"], ["absent.pth.tar", "not found"]),
        ("eval", [*SAMPLE, "--checkpoint", ROOT / "README.md"], ["README.md", "not a readable checkpoint"]),
        ("eval", [*SAMPLE, "--checkpoint", SMOOTHNET, "--slide_window_size", 16], ["window 8", "16", SMOOTHNET]),
        ("eval", [*SAMPLE, "--checkpoint", SYNSP, "--tradition", "magic"], ["magic", "savgol", "gaus1d"]),
        ("eval", [*SAMPLE, "--checkpoint", REFERENCE / "synsp_2d_random.pth.tar", "MODEL.n_head", 2], ["34", "51"]),
        ("train", [*SAMPLE, "--cfg", "absent.yaml"], ["absent.yaml", "not found"]),
        ("train", [*SAMPLE, "DATASET.BASE_DIR", "absent/poses"], ["mocap_gt_3D_train.npz", "not found"]),
        ("train", [*SAMPLE, "TRAIN.EPOCHS", 5], ["TRAIN.EPOCHS", "TRAIN.EPOCH"]),
        ("train", [*SAMPLE, "TRAIN.RESUME", "absent.pth.tar"], ["absent.pth.tar", "not found"]),
        ("refine", ["poses.json", "EVALUATE.WINDOW_WEIGHTS", "mean"], ["EVALUATE.WINDOW_WEIGHTS", "as its file says"]),
        ("refine", ["poses.json", "MODEL.CANONICAL", "False"], ["MODEL.CANONICAL", "as its file says"]),
        (
            "visualize",
            [*SAMPLE, "--checkpoint", "absent.pth.tar", "--visualize_video_id", 0],
            ["absent.pth.tar", "not found"],
        ),
    ],
)
def test_one_line_and_nothing_left(door, tmp_path, monkeypatch, script, words, hints):
    (tmp_path / "data").symlink_to(ROOT / "data")
    monkeypatch.chdir(tmp_path)
    line = refused(*door(script, *words))
    for hint in hints:
        assert str(hint) in line
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_as_a_process_of_its_own():
    finished = process("eval", *SAMPLE, "--checkpoint", "absent.pth.tar")
    assert "absent.pth.tar" in refused(finished.returncode, finished.stderr) and finished.stdout == ""


def test_an_output_folder_that_is_a_file(door, tmp_path):
    (tmp_path / "taken").write_text("mine")
    line = refused(*door("train", *SAMPLE, "OUTPUT_DIR", tmp_path / "taken", "TRAIN.EPOCH", 1))
    assert str(tmp_path / "taken") in line and (tmp_path / "taken").read_text() == "mine"


def test_no_cuda_is_said_and_no_error(door, tmp_path):
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    words = [word if word != "cpu" else "cuda" for word in SAMPLE]
    code, stderr = door("eval", *words, "--tradition", "savgol", "OUTPUT_DIR", tmp_path)
    assert code == 0 and stderr.count("using the CPU") == 1


@pytest.fixture
def full_disk(tmp_path):
    """A function (kilobytes) -> a folder on a disk of its own of that size."""
    disk = tmp_path / "disk"
    disk.mkdir()

    def mount(size):
        try:
            done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", disk], capture_output=True)
        except FileNotFoundError:
            pytest.skip("no mount here")
        if done.returncode:
            pytest.skip("a small disk can be mounted by root only")
        return disk

    yield mount
    subprocess.run(["umount", "-l", disk], capture_output=True)


@pytest.mark.parametrize("size", [4, 16, 64, 400])
def test_a_full_disk(door, full_disk, size):
    """At every place where a run may find the disk full: its config, its log, its first and its second checkpoint."""
    disk = full_disk(size)
    small = [
        "MODEL.d_model",
        32,
        "MODEL.d_word_vec",
        32,
        "MODEL.d_inner",
        32,
        "MODEL.n_layers",
        1,
        "MODEL.n_head",
        2,
        "MODEL.d_k",
        8,
        "MODEL.d_v",
        8,
    ]
    code, stderr = door("train", *SAMPLE, *small, "OUTPUT_DIR", disk / "results", "TRAIN.EPOCH", 2)
    assert code == 2 and "Traceback" not in stderr, stderr
    (line,) = [line for line in stderr.splitlines() if line.startswith("error: ")]
    assert "no space left" in line and str(disk) in line
    assert not list(disk.rglob(".writing*"))
    for path in disk.rglob("checkpoint_*.pth.tar"):  # what there is, is whole
        torch.load(path, weights_only=True)


@pytest.mark.parametrize("size", [4, 16])
def test_a_full_disk_for_the_evaluation(door, full_disk, size):
    disk = full_disk(size)
    code, stderr = door("eval", *SAMPLE, "--checkpoint", SYNSP, "--tradition", "all", "OUTPUT_DIR", disk)
    assert code == 2 and "Traceback" not in stderr, stderr
    assert "no space left" in stderr and not list(disk.rglob(".writing*"))
