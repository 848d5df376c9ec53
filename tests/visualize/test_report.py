"""The page of an evaluation: which sequences it shows, with what beside them."""

import json
import re
import sys

import numpy as np
import pytest

import eval_smoothnet
from lib.command_line import Request
from lib.commands import evaluate as evaluate_command
from lib.dataset import storage
from lib.errors import UserError
from lib.visualize import report


@pytest.fixture
def evaluated(tmp_path, root):
    """A function (errors in m, frames, *words) -> the data of report.html of a set with a clip of each of these errors."""

    def run(errors, frames, *words):
        places = {"groundtruth": "mocap_gt_3D_test", "detected": "mocap_net_3D_test"}
        truth = [np.tile(np.random.default_rng(k).normal(0, 0.3, (17, 3)), (frames, 1, 1)) for k in range(len(errors))]
        for kind, name in places.items():
            values = [np.float32(clip) for clip in truth]
            if kind == "detected":
                for clip, error in zip(values, errors):
                    # The bound of a page is tested by a stretch that is worse than the rest.
                    clip[:, 1:, 1] += error
                    clip[frames // 2 : frames // 2 + 10, 1:, 1] += error
            images = [np.array([f"clip{k}/{frame:06d}.jpg" for frame in range(frames)]) for k in range(len(errors))]
            storage.write(
                tmp_path / "poses" / "mocap_net_3D" / kind / f"{name}.npz",
                {"imgname": images, "joints_3d": [clip.reshape(frames, 51) for clip in values]},
            )
        arguments = [
            "--dataset_name",
            "mocap",
            "--estimator",
            "net",
            "--body_representation",
            "3D",
            "--report",
            tmp_path / "page",
            "DATASET.BASE_DIR",
            tmp_path / "poses",
            "OUTPUT_DIR",
            tmp_path / "results",
            "DEVICE",
            "cpu",
            *words,
        ]
        evaluate_command.evaluate(Request("eval", list(map(str, arguments))))
        text = (tmp_path / "page" / "report.html").read_text(encoding="utf-8")
        return json.loads(re.search(r'id="page-data">(.*?)</script>', text, re.DOTALL).group(1))

    return run


def test_worst_best_and_middle_are_shown_with_all_methods(evaluated, root):
    weights = root / "tests" / "reference" / "smoothnet_random.pth.tar"
    page = evaluated([0.01 * k for k in range(1, 10)], 12, "--tradition", "gaus1d,savgol")
    names = [sequence["name"] for sequence in page["sequences"]]
    assert names == ["worst: clip8", "best: clip0", "middling: clip4", "worst: clip7", "worst: clip6", "best: clip1"]
    for sequence in page["sequences"]:
        assert [track["role"] for track in sequence["tracks"]] == ["input", "filter", "filter", "truth"]
        assert sequence["frames"] == 12
    rows = [row for row in page["metrics"] if row["sequence"] == "clip8"]
    assert [row["method"] for row in rows] == ["input", "gaus1d", "savgol"]
    # 90 mm at 16 of 17 joints, twice that in 6 of 12 frames.
    assert float(rows[0]["MPJPE mm"]) == pytest.approx(90 * 1.5 * 16 / 17, abs=0.01)
    total = next(row for row in page["metrics"] if row["sequence"] == "all 9 test sequences")
    assert float(total["MPJPE mm"]) == pytest.approx(50 * 1.5 * 16 / 17, abs=0.01)
    page = evaluated([0.01, 0.02], 12, "--checkpoint", weights)
    assert [track["role"] for track in page["sequences"][0]["tracks"]] == ["input", "refined", "truth"]
    assert len(page["sequences"]) == 2 and len(page["provenance"]["SHA-256 of SmoothNet"]) == 64
    assert "clip1" in page["provenance"]["shown of mocap_net_3D"]


def test_a_page_stays_small(evaluated, monkeypatch):
    monkeypatch.setattr(report, "MOST_FRAMES", 20)
    monkeypatch.setattr(report, "MOST_JOINTS", 2 * 20 * 17 * 3)
    page = evaluated([0.01, 0.02, 0.03], 60, "--tradition", "savgol")
    assert [sequence["frames"] for sequence in page["sequences"]] == [20, 20]
    start = int(re.fullmatch(r"worst: clip2, frames (\d+) to \d+ of 60", page["sequences"][0]["name"]).group(1))
    assert 20 <= start <= 30  # the stretch of 20 that holds the ten worse frames, 30 to 39


def test_a_file_in_the_way_is_refused_before_work_starts(evaluated, tmp_path):
    (tmp_path / "page").write_text("a file")
    with pytest.raises(UserError, match="--report"):
        evaluated([0.01], 5, "--tradition", "savgol")
    assert not (tmp_path / "results").exists()


def test_the_flags_are_in_the_help(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["eval_smoothnet.py", "--help"])
    with pytest.raises(SystemExit):
        eval_smoothnet.main()
    text = capsys.readouterr().out
    assert "--report DIR" in text and "--figures DIR" in text and "--json" in text


def test_unknown_flags_and_missing_values_are_refused():
    for words in (["--raport", "x"], ["--report"]):
        with pytest.raises(UserError, match="--ra?e?port"):
            Request("eval", words)
