"""Training by several processes gives the numbers of one."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from lib.models import dropout
from lib.run import REQUEUE, Deferred
from lib.training.distributed import ALONE, Part

ROOT = Path(__file__).parents[2]
# In float64 throughout, where rounding cannot hide a difference; networks are written for float32.
IN_FLOAT64 = """
import sys, torch
torch.set_default_dtype(torch.float64)
torch.float32, torch.Tensor.float = torch.float64, torch.Tensor.double
from lib.commands import cli
cli.train(sys.argv[1:])
"""


def start(arguments, script="train_smoothnet.py", port=29650):
    """torchrun with two processes."""
    command = ["-m", "torch.distributed.run", "--nproc_per_node=2", f"--master_port={port}", script, *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, *command], cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)


def finished(process):
    said = process.communicate(timeout=300)[1]
    assert process.returncode == 0, said
    return said


def of(tmp_path, name, last):
    (folder,) = (tmp_path / "results").glob(f"{name}_*")
    return last(folder)["training"]["network"]


def assert_near(one, two, atol):
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, atol=atol, rtol=0)


@pytest.mark.parametrize("count", (7, 2, 1))
def test_every_row_belongs_to_one_process_and_counts_as_in_the_whole(count):
    parts = [Part(rank, 3, count) for rank in range(3)]
    rows = torch.cat([part.rows for part in parts if not part.empty])
    assert sorted(rows.tolist()) == list(range(count))
    values = torch.arange(count * 8.0).view(count, 1, 8) ** 2
    present = torch.rand(count, 1, 8, generator=torch.Generator().manual_seed(0)) < 0.8
    for mask in (None, present):
        whole = values.mean() if mask is None else values[mask].mean()
        means = [part.of(values, mask) for part in parts]
        means = [x.mean() if there is None else x[there].sum() / there.sum().clamp_min(1) for x, there in means]
        total = sum(part.shares(mask)[0] * mean for part, mean in zip(parts, means))
        torch.testing.assert_close(total, whole)


@pytest.mark.parametrize("drop", (dropout.dropout, dropout.exact_dropout))
def test_masks_are_those_of_the_whole_batch(drop):
    x = torch.ones(5 * 3, 4, 8)  # three views a window
    torch.manual_seed(1)
    whole, after = drop(x, 0.3), torch.rand(1)
    assert 0.1 < float((whole == 0).double().mean()) < 0.5
    for rank in range(2):
        part = Part(rank, 2, 5)
        torch.manual_seed(1)
        with dropout.of_part(part):
            mine = drop(x.unflatten(0, (5, 3))[part.rows].flatten(0, 1), 0.3)
        assert torch.equal(mine, whole.unflatten(0, (5, 3))[part.rows].flatten(0, 1))
        assert torch.equal(torch.rand(1), after)  # as many random numbers were taken


def test_a_process_alone_takes_everything():
    assert ALONE.part(10) is None and ALONE.from_first(lambda: 3) == 3 and ALONE.totals({"a": 1}) == {"a": 1}


@pytest.mark.skipif(REQUEUE is None, reason="a signal of Unix")
def test_a_patient_run_takes_many_signals_and_knows_the_last():
    with Deferred(signal.SIGTERM, REQUEUE, patient=True) as deferred:
        for number in (signal.SIGTERM, signal.SIGTERM):
            os.kill(os.getpid(), number)
        assert deferred.came and not deferred.requeue
        os.kill(os.getpid(), REQUEUE)
        assert deferred.requeue


@pytest.mark.slow
def test_two_processes_then_one_equal_one(run, last, tiny, tmp_path):
    """Dropout, an uneven last batch, and another number of processes after the first epoch."""
    said = finished(start(tiny("EXP_NAME", "two", "TRAIN.EPOCH", 1, "MODEL.DROPOUT", 0.2)))
    assert said.count("output: ") == 1
    run("EXP_NAME", "two", "TRAIN.EPOCH", 2, "MODEL.DROPOUT", 0.2, "TRAIN.RESUME", "auto")
    run("EXP_NAME", "one", "TRAIN.EPOCH", 2, "MODEL.DROPOUT", 0.2)
    assert_near(of(tmp_path, "one", last), of(tmp_path, "two", last), 1e-3)


@pytest.mark.slow
def test_in_float64_they_are_equal(last, tiny, tmp_path):
    script = tmp_path / "train.py"
    script.write_text(IN_FLOAT64)
    options = ("TRAIN.EPOCH", 2, "MODEL.DROPOUT", 0)
    finished(start(tiny("EXP_NAME", "two", *options), script, port=29651))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(script), *tiny("EXP_NAME", "one", *options)]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, stderr=subprocess.DEVNULL)
    one = of(tmp_path, "one", last)
    assert all(value.dtype == torch.float64 for value in one.values())
    assert_near(one, of(tmp_path, "two", last), 1e-6)


@pytest.mark.slow
@pytest.mark.skipif(REQUEUE is None, reason="a signal of Unix")
@pytest.mark.parametrize(
    "number, whom, line",
    [
        (REQUEUE, slice(None), "SIGUSR1: saved in epoch"),
        (signal.SIGKILL, slice(1, 2), "error: another process of this training has ended"),
    ],
)
def test_signals_end_all_with_one_line(number, whom, line, tiny, tmp_path):
    process = start(tiny("TRAIN.EPOCH", 500, "TRAIN.SAVE_EVERY_MINUTES", 100, "TRAIN.VALIDATE", False), port=29652)
    end = time.monotonic() + 120
    while not list((tmp_path / "results").glob("tiny_*/checkpoint_last.pth.tar")) and time.monotonic() < end:
        time.sleep(0.05)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for child in children[whom]:
        os.kill(int(child), number)
    said = process.communicate(timeout=120)[1]
    assert said.count(line) == 1
    assert (process.returncode == 0) == (number == REQUEUE)
