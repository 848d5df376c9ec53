"""Runs that are killed, that meet a full disk, or that write to one place at once: whole results, nothing left over."""

import hashlib
import json
import random
import shutil
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # this folder is no package

import doors  # noqa: E402
import inputs  # noqa: E402
import samples  # noqa: E402


def contents(folder):
    """{name: digest} of every file below a folder, temporary ones included."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def clip(folder, frames=300):
    """An OpenPose folder of one JSON per frame."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    rest = rng.uniform(100, 900, (25, 2))
    for frame in range(frames):
        points = (rest + 0.5 * frame + rng.normal(0, 2, rest.shape)).round(2)
        people = [{"pose_keypoints_2d": np.column_stack([points, np.full(25, 0.9)]).ravel().tolist()}]
        (folder / f"clip_{frame:012d}_keypoints.json").write_text(json.dumps({"version": 1.3, "people": people}))
    return folder


def words(source, out):
    return ("refine_smoothnet.py", source, "--method", "savgol", "--output", out)


@pytest.mark.slow
def test_a_folder_killed_at_any_moment(tmp_path):
    source, dice = clip(tmp_path / "in"), random.Random(0)
    (tmp_path / "whole").mkdir()
    whole = doors.run(words(source, tmp_path / "whole" / "out"))
    assert whole.code == 0, whole.err
    expected, half = contents(tmp_path / "whole"), 0
    (tmp_path / "killed").mkdir()
    for _ in range(15):
        out = tmp_path / "killed" / "out"
        ended = doors.run(words(source, out), kill_after=dice.uniform(0.05, 1.2) * max(whole.seconds, 0.3))
        half += ended.code < 0
        found = {name: digest for name, digest in contents(tmp_path / "killed").items() if ".writing-" not in name}
        assert found in ({}, expected)
        if dice.random() < 0.5 and out.exists():
            shutil.rmtree(out)
    assert half >= 5
    assert doors.run(words(source, tmp_path / "killed" / "out")).code == 0
    assert contents(tmp_path / "killed") == expected


@pytest.mark.slow
def test_two_at_once_and_one_is_killed(tmp_path):
    source, dice = clip(tmp_path / "in"), random.Random(1)
    (tmp_path / "whole").mkdir()
    doors.run(words(source, tmp_path / "whole" / "out"))
    (tmp_path / "both").mkdir()
    for _ in range(15):
        ended = []
        kill = dice.uniform(0.05, 1.0)
        runs = [
            threading.Thread(
                target=lambda after: ended.append(
                    doors.run(words(source, tmp_path / "both" / "out"), kill_after=after)
                ),
                args=(after,),
            )
            for after in (None, kill)
        ]
        for run in runs:
            run.start()
        for run in runs:
            run.join()
        assert any(one.code == 0 for one in ended), ended
        assert "Traceback" not in "".join(one.err for one in ended)
    assert doors.run(words(source, tmp_path / "both" / "out")).code == 0
    assert contents(tmp_path / "both") == contents(tmp_path / "whole")


@pytest.mark.parametrize("name", inputs.NAMES)
def test_a_full_disk(name, tmp_path):
    """No file under a final name that is not whole, nothing left over, one line."""
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    source = inputs.BUILDERS[name](tmp_path / "in").path
    for method in ("savgol", "none"):
        out = tmp_path / "out" / f"out{source.suffix}"
        ended = doors.run((*words(source, out)[:3], method, "--output", out), file_size=300)
        errors = [line for line in ended.err.splitlines() if line.startswith("error: ")]
        assert ended.code == 2 and len(errors) == 1 and str(out) in errors[0], ended.err
        assert "Traceback" not in ended.err and not list((tmp_path / "out").iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("ending", [".pt2", ".onnx"])
def test_an_export_to_a_full_disk(ending, tmp_path):
    """torch's own writer of files ended the process there."""
    pytest.importorskip("onnxscript" if ending == ".onnx" else "torch")
    out = tmp_path / f"network{ending}"
    checkpoint = doors.ROOT / "tests" / "reference" / "format_1_smoothnet.pth.tar"
    ended = doors.run(("export", checkpoint, out), file_size=1000)
    (line,) = [line for line in ended.err.splitlines() if line.startswith("error: ")]
    assert ended.code == 2 and str(out) in line and not list(tmp_path.iterdir()), ended.err


@pytest.mark.slow
def test_a_training_killed_twenty_times(tmp_path):
    """With TRAIN.RESUME auto, at moments drawn by chance: the weights of an uninterrupted run, and nothing left over."""
    from tests.training.conftest import TINY, compare

    def train(name, **limits):
        words = [
            "train_smoothnet.py",
            *TINY,
            "TRAIN.EPOCH",
            12,
            "TRAIN.SAVE_EVERY_MINUTES",
            0.0005,
            "TRAIN.RESUME",
            "auto",
        ]
        return doors.run([*words, "OUTPUT_DIR", tmp_path / "results", "EXP_NAME", name], seconds=120, **limits)

    def weights(name):
        (folder,) = (tmp_path / "results").glob(f"{name}_*")
        return inputs.torch.load(folder / "checkpoint_last.pth.tar", weights_only=True)["training"]

    whole, dice, killed = train("whole"), random.Random(2), 0
    assert whole.code == 0, whole.err
    for _ in range(20):
        killed += train("killed", kill_after=dice.uniform(0.2, 0.6) * whole.seconds).code == -9
    assert killed >= 5  # the others had come to the end
    ended = train("killed")
    assert ended.code == 0, ended.err
    compare(weights("whole"), weights("killed"))
    assert not list((tmp_path / "results").rglob(".writing-*"))


@pytest.mark.slow
def test_collected_pairs_killed_fifteen_times(tmp_path):
    (tmp_path / "clips").mkdir()
    folder, dice = samples.clips(tmp_path / "clips"), random.Random(3)

    def collect(**limits):
        return doors.run(
            [
                "pairs",
                "collect",
                folder,
                folder,
                "--dataset",
                "my",
                "--estimator",
                "est",
                "--base_dir",
                tmp_path / "poses",
            ],
            **limits,
        )

    whole, killed = collect(), 0
    assert whole.code == 0, whole.err
    expected = contents((tmp_path / "poses").rename(tmp_path / "whole"))
    for _ in range(15):
        killed += collect(kill_after=dice.uniform(0.05, 1.0) * whole.seconds).code == -9
        found = {name: digest for name, digest in contents(tmp_path / "poses").items() if ".writing-" not in name}
        assert found.items() <= expected.items()
        if dice.random() < 0.5:
            shutil.rmtree(tmp_path / "poses", ignore_errors=True)
    assert killed >= 5
    assert collect().code == 0
    assert contents(tmp_path / "poses") == expected


@pytest.mark.slow
def test_rendered_clips_killed_fifteen_times(tmp_path):
    pytest.importorskip("anny")
    pytest.importorskip("numba")

    def render(out, **limits):
        words = ["pairs", "render", out, "--clips", 4, "--frames", 3, "--size", 64, "--seed", 5]
        return doors.run(words, seconds=200, memory=8 * 2**30, **limits)

    whole, dice, killed = render(tmp_path / "whole"), random.Random(4), 0
    assert whole.code == 0, whole.err
    for _ in range(15):
        killed += render(tmp_path / "killed", kill_after=dice.uniform(0.1, 0.9) * whole.seconds).code == -9
    assert killed >= 5
    ended = render(tmp_path / "killed")
    assert ended.code == 0, ended.err
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")
