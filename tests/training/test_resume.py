"""A run that was cut short goes on with the numbers of one that was not."""

import logging
import os
import signal
from pathlib import Path

import pytest
import torch

from lib.errors import UserError
from lib.models import checkpoints
from lib.training import trainer
from lib.training.batches import Batches

REFERENCE = Path(__file__).parents[1] / "reference"


@pytest.fixture
def stop_after(monkeypatch):
    """A function (batches, where) that makes the next training end by Ctrl-C: between two batches or within one."""

    def arm(batches, where):
        seen = {"batches": 0}

        def interrupt(original):
            def wrapped(*args, **kwargs):
                seen["batches"] += 1
                result = original(*args, **kwargs)
                if seen["batches"] == batches:
                    os.kill(os.getpid(), signal.SIGINT)
                return result

            return wrapped

        target = {
            "between": (trainer.Trainer, "_one_batch"),
            "forward": (Batches, "refined"),
            "step": (torch.optim.Adam, "step"),
        }[where]
        monkeypatch.setattr(*target, interrupt(getattr(*target)))
        return monkeypatch.undo

    return arm


@pytest.mark.parametrize(
    "batches, where", [(3, "between"), (3, "forward"), (10, "step"), (14, "forward"), (14, "step")]
)
def test_ctrl_c_then_resume_equals_an_uninterrupted_run(run, last, assert_same, stop_after, batches, where):
    """Batch 3 lies in the first epoch (of about 10 batches), batch 14 in the second."""
    uninterrupted = run("EXP_NAME", "whole", "TRAIN.EMA", 0.9)
    undo = stop_after(batches, where)
    with pytest.raises(KeyboardInterrupt):
        run("TRAIN.EMA", 0.9)
    undo()
    state = last(next(uninterrupted.parent.glob("tiny_*")))["training"]
    assert (state["epoch"], state["step"]) != (2, 0)
    folder = run("TRAIN.EMA", 0.9, "TRAIN.RESUME", "auto")
    assert len(list(folder.parent.glob("tiny_*"))) == 1
    for name in ("last", "best"):
        assert_same(last(uninterrupted, name), last(folder, name), name)


@pytest.mark.parametrize(
    "options",
    [
        ("TRAIN.SCHEDULE", "onecycle", "TRAIN.CLIP_GRADIENT", 1.0),
        ("TRAIN.PRECISION", "bfloat16"),
        (
            "TRAIN.AUGMENT.YAW",
            180,
            "TRAIN.AUGMENT.MIRROR",
            True,
            "TRAIN.AUGMENT.SPEED",
            0.2,
            "TRAIN.AUGMENT.BONES",
            0.1,
        ),
        ("MODEL.NAME", "smoothnet", "MODEL.HIDDEN_SIZE", 16),
    ],
)
def test_resuming_with_every_kind_of_training(run, last, assert_same, stop_after, options):
    uninterrupted = run(*options)
    undo = stop_after(13, "between")
    with pytest.raises(KeyboardInterrupt):
        run("EXP_NAME", "cut", *options)
    undo()
    folder = run("EXP_NAME", "cut", *options, "TRAIN.RESUME", "auto")
    assert_same(last(uninterrupted)["training"], last(folder)["training"])


def test_resume_of_a_complete_run_changes_nothing(run, last, assert_same):
    folder = run("TRAIN.EPOCH", 1)
    before = last(folder)
    assert run("TRAIN.EPOCH", 1, "TRAIN.RESUME", "auto") == folder
    assert_same(before, last(folder))


def test_more_epochs_continue_a_complete_run(run, last, assert_same):
    whole = run("EXP_NAME", "whole", "TRAIN.EPOCH", 3)
    run("TRAIN.EPOCH", 1)
    folder = run("TRAIN.EPOCH", 3, "TRAIN.RESUME", "auto")
    assert_same(last(whole)["training"], last(folder)["training"])


def test_resume_by_path_continues_in_place(run, last):
    folder = run("TRAIN.EPOCH", 1)
    again = run("TRAIN.EPOCH", 2, "TRAIN.RESUME", folder / "checkpoint_last.pth.tar")
    assert again == folder.resolve() and last(folder)["epoch"] == 2


def test_auto_takes_the_newest_run_of_its_own_name(run):
    run("TRAIN.EPOCH", 1, "EXP_NAME", "tiny_other")
    older = run("TRAIN.EPOCH", 1)
    newer = run("TRAIN.EPOCH", 1)
    os.utime(older / "checkpoint_last.pth.tar", (1, 1))
    run("TRAIN.EPOCH", 1, "EXP_NAME", "tiny_other")
    assert run("TRAIN.EPOCH", 2, "TRAIN.RESUME", "auto") == newer


def test_auto_without_a_run_starts_fresh_and_says_so(run, last, caplog):
    caplog.set_level(logging.INFO)
    folder = run("TRAIN.EPOCH", 1, "TRAIN.RESUME", "auto")
    assert last(folder)["epoch"] == 1 and "starting fresh" in caplog.text


@pytest.mark.parametrize("none", ["None", ""])
def test_resume_none_is_no_resume(run, last, none):
    assert last(run("TRAIN.EPOCH", 1, "TRAIN.RESUME", none))["epoch"] == 1


@pytest.mark.parametrize(
    "key, value",
    [
        ("TRAIN.BATCH_SIZE", 32),
        ("TRAIN.LR", 1e-4),
        ("SEED_VALUE", 1),
        ("LOSS.W_ACCEL", 0.1),
        ("TRAIN.AUGMENT.MIRROR", True),
        ("MODEL.SLIDE_WINDOW_SIZE", 16),
        ("MODEL.n_layers", 2),
    ],
)
def test_other_settings_are_refused_by_key(run, key, value):
    folder = run("TRAIN.EPOCH", 1)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(UserError, match=key):
        run("TRAIN.EPOCH", 2, "TRAIN.RESUME", "auto", key, value)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_other_lengths_of_onecycle_are_refused(run):
    run("TRAIN.EPOCH", 1, "TRAIN.SCHEDULE", "onecycle")
    with pytest.raises(UserError, match="EPOCH"):
        run("TRAIN.EPOCH", 2, "TRAIN.SCHEDULE", "onecycle", "TRAIN.RESUME", "auto")


def test_a_run_of_format_1_continues(run, last, tmp_path):
    """Whatever keys the config gains, a run that was begun without them goes on with their defaults."""
    folder = tmp_path / "results" / "old"
    folder.mkdir(parents=True)
    (folder / "checkpoint_last.pth.tar").write_bytes((REFERENCE / "format_1.pth.tar").read_bytes())
    model = checkpoints.read(REFERENCE / "format_1.pth.tar")["config"]["MODEL"]
    overrides = [word for key, value in model.items() for word in (f"MODEL.{key}", value)]
    run(
        *overrides,
        "TRAIN.BATCH_SIZE",
        256,
        "TRAIN.EMA",
        0.5,
        "TRAIN.EPOCH",
        3,
        "TRAIN.RESUME",
        folder / "checkpoint_last.pth.tar",
    )
    assert last(folder)["epoch"] == 3


def test_a_key_that_the_old_config_lacks_counts_as_its_default(run, last):
    folder = run("TRAIN.EPOCH", 1)
    content = last(folder)
    del content["config"]["TRAIN"]["CLIP_GRADIENT"], content["config"]["MODEL"]["ALIGN_VIEWS"]
    checkpoints.save(folder / "checkpoint_last.pth.tar", content)
    with pytest.raises(UserError, match="CLIP_GRADIENT"):
        run("TRAIN.EPOCH", 2, "TRAIN.RESUME", "auto", "TRAIN.CLIP_GRADIENT", 1.0)
    run("TRAIN.EPOCH", 2, "TRAIN.RESUME", "auto")
    assert last(folder)["epoch"] == 2
