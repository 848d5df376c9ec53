"""Training processes that are killed, from outside."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from lib.models import checkpoints

ROOT = Path(__file__).parents[2]


def start(arguments):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    return subprocess.Popen(
        [sys.executable, "train_smoothnet.py", *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_kill_9_then_resume_equals_an_uninterrupted_run(run, last, assert_same, tiny, tmp_path):
    """Killed in the middle of an epoch, some batches after the last save."""
    options = ("TRAIN.EPOCH", 8, "TRAIN.SAVE_EVERY_MINUTES", 0.0005)
    process = start(tiny(*options, "EXP_NAME", "killed"))
    end = time.monotonic() + 60
    while not list((tmp_path / "results").glob("killed_*/checkpoint_last.pth.tar")) and time.monotonic() < end:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    (folder,) = (tmp_path / "results").glob("killed_*")
    state = last(folder)["training"]
    assert process.returncode == -signal.SIGKILL and state["epoch"] < 8
    process = start(tiny(*options, "EXP_NAME", "killed", "TRAIN.RESUME", "auto"))
    errors = process.communicate()[1]
    assert process.returncode == 0, errors
    assert f"continuing {folder}" in errors
    whole = run(*options, "EXP_NAME", "whole")
    assert_same(last(whole)["training"], last(folder)["training"])
    assert_same(last(whole, "best")["state_dict"], last(folder, "best")["state_dict"])


def test_terminate_saves(tiny, tmp_path):
    """What a scheduler sends before it kills."""
    process = start(tiny("TRAIN.EPOCH", 500, "TRAIN.SAVE_EVERY_MINUTES", 100, "TRAIN.VALIDATE", False))
    end = time.monotonic() + 60
    while not list((tmp_path / "results").glob("tiny_*/checkpoint_last.pth.tar")) and time.monotonic() < end:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == 130 and "Traceback" not in errors and "TRAIN.RESUME auto" in errors
    (path,) = (tmp_path / "results").glob("tiny_*/checkpoint_last.pth.tar")
    assert checkpoints.load(path).training["epoch"] >= 1
