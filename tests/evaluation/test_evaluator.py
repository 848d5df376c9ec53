"""What an evaluation writes and prints: metrics.json, tables, files of sequences and joints."""

import csv

import numpy as np
import pytest

from lib.evaluation import methods
from tests.evaluation.conftest import NAMES, REFERENCE, SMOOTHNET, SYNSP, walk, write_set


def test_the_published_names(evaluate):
    (result,), _ = evaluate("--checkpoint", SYNSP, "--tradition", "oneeuro,savgol")
    assert (result["dataset"], result["estimator"], result["body_representation"]) == ("mocap", "noise", "3D")
    assert result["checkpoint"] == str(SYNSP)
    found = result["metrics"]
    for key in ("input", "smoothnet", "filter"):
        assert {f"{key}_{name}" for name in NAMES} <= found.keys()
    for name in NAMES:
        assert found[f"improvement_{name}"] == pytest.approx(found[f"smoothnet_{name}"] - found[f"input_{name}"])
    assert found["smoothnet_inference_time"] > 0 and found["filter_inference_time"] > 0
    assert all(np.isfinite(value) for value in found.values())
    assert result["filters"].keys() == {"oneeuro", "savgol"}
    assert {name: found[name] for name in result["filters"]["oneeuro"]} == result["filters"]["oneeuro"]
    assert result["filters"]["savgol"]["filter_mpjpe"] != found["filter_mpjpe"]


def test_the_csv_says_the_same(evaluate):
    (result,), folder = evaluate("--checkpoint", SYNSP, "--tradition", "all")
    with open(folder / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["method"] for row in rows] == [
        "input",
        "savgol",
        "oneeuro",
        "gaus1d",
        "butterworth",
        "median+gaussian",
        "gcv",
        "whittaker",
        "kalman",
        "self_tuned",
        "SynSP",
    ]
    assert {row["dataset"] for row in rows} == {"mocap_noise_3D"}
    assert float(rows[0]["mpjpe"]) == pytest.approx(result["metrics"]["input_mpjpe"])
    assert float(rows[-1]["accel"]) == pytest.approx(result["metrics"]["smoothnet_accel"])
    assert float(rows[1]["pampjpe"]) == pytest.approx(result["metrics"]["filter_pampjpe"])


def test_json_also_where_it_was_asked_for(evaluate, tmp_path):
    results, folder = evaluate("--tradition", "savgol", "--json", tmp_path / "deep" / "scores.json")
    assert (tmp_path / "deep" / "scores.json").read_bytes() == (folder / "metrics.json").read_bytes()


def test_folder_and_screen(evaluate, capsys):
    _, folder = evaluate("--checkpoint", SYNSP, "--tradition", "savgol", "--exp_name", "look")
    assert folder.name.startswith("look_eval_")
    assert {path.name for path in folder.iterdir()} >= {"metrics.json", "metrics.csv", "config.yaml", "eval_log.txt"}
    screen = capsys.readouterr().out
    lines = screen.splitlines()
    rows = {
        line.split()[0]: line for line in lines if line.split()[:1] and line.split()[0] in ("input", "savgol", "SynSP")
    }
    assert len({len(line) for line in rows.values()}) == 1  # aligned
    assert (
        rows.keys() == {"input", "savgol", "SynSP"} and "MPJPE mm" in screen and str(folder / "metrics.csv") in screen
    )
    assert sum("zeros at its ends" in line for line in lines) == 1
    column = [float(line.split()[1].rstrip("*")) for line in rows.values()]
    marked = [line.split()[1].endswith("*") for line in rows.values()]
    assert [value == min(column) for value in column] == marked


def test_several_sets_in_the_order_given(evaluate, tmp_path):
    poses = tmp_path / "poses"
    write_set(poses, "b_net_3D", [walk(40), walk(7)])
    write_set(poses, "a_net_3D", [walk(25)])
    results, folder = evaluate(
        "DATASET.BASE_DIR",
        poses,
        "--dataset_name",
        "b,a",
        "--estimator",
        "net,net",
        "--body_representation",
        "3D,3D",
        "--checkpoint",
        SMOOTHNET,
    )
    assert [result["dataset"] for result in results] == ["b", "a"]
    assert [(result["sequences"], result["frames"]) for result in results] == [(2, 47), (1, 25)]
    alone, _ = evaluate(
        "DATASET.BASE_DIR", poses, "--dataset_name", "a", "--estimator", "net", "--checkpoint", SMOOTHNET
    )
    for name in NAMES:
        assert alone[0]["metrics"][f"smoothnet_{name}"] == pytest.approx(
            results[1]["metrics"][f"smoothnet_{name}"], rel=1e-5
        )
    with open(folder / "metrics.csv", newline="") as file:
        assert [row["dataset"] for row in csv.DictReader(file)] == ["b_net_3D"] * 2 + ["a_net_3D"] * 2


def test_several_checkpoints_share_a_table(evaluate):
    other = REFERENCE / "synsp_3d_random.pth.tar"
    (result,), _ = evaluate("--checkpoint", f"{SYNSP},{SMOOTHNET}")
    (first,), _ = evaluate("--checkpoint", SYNSP)
    (second,), _ = evaluate("--checkpoint", SMOOTHNET)
    assert [row["method"] for row in result["table"]] == ["input", "format_1", "smoothnet_random"]
    for row, alone in zip(result["table"][1:], (first, second)):
        assert row["mpjpe"] == pytest.approx(alone["metrics"]["smoothnet_mpjpe"], rel=1e-6)
    assert result["metrics"]["smoothnet_mpjpe"] == pytest.approx(first["metrics"]["smoothnet_mpjpe"], rel=1e-6)
    assert result["checkpoint"] == str(SYNSP)
    (published,), _ = evaluate("--checkpoint", other, "MODEL.n_head", 2)
    assert published["metrics"]["smoothnet_mpjpe"] > 0


def test_repeated_evaluation_gives_the_same_numbers(evaluate):
    one, two = (evaluate("--checkpoint", SYNSP, "--tradition", "all")[0][0] for _ in range(2))
    for name, value in one["metrics"].items():
        if not name.endswith("inference_time"):
            assert two["metrics"][name] == value, name
    assert [part["interval_95"] for part in one["methods"]] == [part["interval_95"] for part in two["methods"]]


def test_pooled_over_frames_and_not_over_sequences(evaluate, tmp_path):
    """30 frames with an error of 10 mm and 10 with 50 mm at every joint but the root: 20 mm, not 30."""
    pairs = []
    for frames, error in ((30, 0.010), (10, 0.050)):
        truth = np.zeros((frames, 17, 3))
        noisy = truth.copy()
        noisy[:, 1:, 1] += error
        pairs.append((truth.reshape(frames, 51), noisy.reshape(frames, 51)))
    write_set(tmp_path / "poses", "two_net_3D", pairs)
    (result,), _ = evaluate(
        "DATASET.BASE_DIR", tmp_path / "poses", "--dataset_name", "two", "--estimator", "net", "--tradition", "savgol"
    )
    assert result["metrics"]["input_mpjpe"] == pytest.approx(20 * 16 / 17, rel=1e-5)
    low, high = result["methods"][0]["interval_95"]["mpjpe"]
    assert low == pytest.approx(10 * 16 / 17, rel=1e-4) and high == pytest.approx(50 * 16 / 17, rel=1e-4)


def test_bones_that_stretch(evaluate, tmp_path):
    """Of 16 bones one, thorax to nose, is longer by 20 mm in every other frame: its deviation is 10 mm, the mean 10 / 16.
    Frames without a truth, in which it is longer still, do not count; another sequence at rest halves the mean."""
    truth = np.tile(np.random.default_rng(0).normal(0, 0.3, 51), (12, 1))
    noisy = truth.reshape(12, 17, 3).copy()
    along = noisy[0, 9] - noisy[0, 8]
    noisy[1::2, 9:11] += 0.02 * along / np.linalg.norm(along)  # nose and head: the bone between them keeps its length
    noisy[10:, 9:11] += along
    gone = truth.copy()
    gone[10:] = np.nan
    write_set(tmp_path / "poses", "mocap_net_3D", [(gone, noisy.reshape(12, 51)), (truth, truth)])
    (result,), folder = evaluate(
        "DATASET.BASE_DIR", tmp_path / "poses", "--dataset_name", "mocap", "--estimator", "net", "--tradition", "savgol"
    )
    assert result["metrics"]["input_bone_length_deviation"] == pytest.approx(10 / 16 / 2, rel=1e-3)
    assert result["metrics"]["filter_bone_length_deviation"] > 0
    with open(folder / "metrics.csv", newline="") as file:
        assert float(next(csv.DictReader(file))["bone_length_deviation"]) == pytest.approx(10 / 16 / 2, rel=1e-3)


def test_every_sequence_and_joint_in_files_of_their_own(evaluate, tmp_path):
    """Joint 3 alone is wrong, by 30 mm in a long sequence and by 60 mm in a short one."""
    pairs = []
    for frames, error in ((30, 0.03), (10, 0.06)):
        truth = walk(frames)[0]
        noisy = truth.copy()
        noisy[:, 10] += error
        pairs.append((truth, noisy))
    write_set(tmp_path / "poses", "mocap_net_3D", pairs)
    (result,), folder = evaluate(
        "DATASET.BASE_DIR",
        tmp_path / "poses",
        "--dataset_name",
        "mocap",
        "--estimator",
        "net",
        "--tradition",
        "savgol",
        "DATASET.FPS",
        10,
    )
    with open(folder / "metrics_per_joint.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["method"] == "input"]
    wrong, right = rows[3], rows[5]
    assert (len(rows), wrong["joint"]) == (17, "right_ankle")
    assert [float(wrong[key]) for key in ("mpjpe", "low", "high")] == pytest.approx([37.5, 30, 60], rel=1e-3)
    assert [float(right[key]) for key in ("mpjpe", "low", "high")] == pytest.approx([0, 0, 0], abs=1e-3)
    with open(folder / "metrics_per_sequence.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["method"] == "input"]
    assert [row["sequence"] for row in rows] == ["clip0", "clip1"]
    assert [float(row["mpjpe"]) for row in rows] == pytest.approx([30 / 17, 60 / 17], rel=1e-3)
    with open(folder / "metrics.csv", newline="") as file:
        row = next(csv.DictReader(file))
    assert (float(row["mpjpe_low"]), float(row["mpjpe_high"])) == pytest.approx((30 / 17, 60 / 17), rel=1e-3)
    # Frame by frame at 10 a second: an error of acceleration in mm/frame^2 is a tenth of that in m/s^2.
    assert float(row["accel_per_second2"]) == pytest.approx(float(row["accel_unpadded"]) / 10, abs=1e-6)


@pytest.mark.parametrize("lengths", [(1,), (2,), (3,), (1, 40), (40, 1), (40, 2, 3)])
def test_very_short_sequences(evaluate, tmp_path, lengths):
    write_set(tmp_path / "poses", "short_net_3D", [walk(frames) for frames in lengths])
    (result,), _ = evaluate(
        "DATASET.BASE_DIR",
        tmp_path / "poses",
        "--dataset_name",
        "short",
        "--estimator",
        "net",
        "--checkpoint",
        SMOOTHNET,
        "--tradition",
        "all",
        "DATASET.FPS",
        30,
    )
    assert result["frames"] == sum(lengths)
    assert all(np.isfinite(value) for value in result["metrics"].values())
    assert np.isfinite(result["metrics"]["smoothnet_mpjpe"]) and np.isfinite(result["metrics"]["filter_accel"])


def test_a_sequence_that_rests_beside_one_that_moves(evaluate, tmp_path):
    """Some measures (how much of the motion is kept) say nothing about a body at rest."""
    resting = np.tile(walk(1)[0], (30, 1))
    for order in ((0, 1), (1, 0)):
        pairs = [walk(30), (resting, resting + 0.01 * walk(30)[1])]
        write_set(tmp_path / f"poses{order[0]}", "rest_net_3D", [pairs[k] for k in order])
        (result,), _ = evaluate(
            "DATASET.BASE_DIR",
            tmp_path / f"poses{order[0]}",
            "--dataset_name",
            "rest",
            "--estimator",
            "net",
            "--checkpoint",
            SMOOTHNET,
            "--tradition",
            "savgol",
        )
        assert np.isfinite(list(result["metrics"].values())).all()
        assert result["metrics"]["input_amplitude_kept"] > 0


def test_views_and_the_time_of_each_method(evaluate, tmp_path, monkeypatch):
    """A clock that ticks once a look: every method's time is its own, and each view is told apart."""
    pairs = [walk(20, seed=k) for k in range(4)]
    images = [np.array([f"act{k // 2}.camera{k % 2}/{frame:06d}.jpg" for frame in range(20)]) for k in range(4)]
    write_set(tmp_path / "poses", "many_net_3D", pairs, images=images)
    words = (
        "DATASET.BASE_DIR",
        tmp_path / "poses",
        "--dataset_name",
        "many",
        "--estimator",
        "net",
        "DATASET.MULTI_VIEW",
        True,
        "--checkpoint",
        REFERENCE / "synsp_3d_random.pth.tar",
        "MODEL.n_head",
        2,
    )
    ticks = iter(range(10**9))
    monkeypatch.setattr(methods.time, "perf_counter", lambda: next(ticks))
    (result,), _ = evaluate(*words)
    assert result["sequences"] == 4
    per_view = result["methods"][0]["per_view_mpjpe"]
    each = [values["mpjpe"] for values in result["methods"][0]["per_sequence"]]
    np.testing.assert_allclose(per_view, [(each[0] + each[2]) / 2, (each[1] + each[3]) / 2])
    # Two recordings, a tick each.
    assert result["metrics"]["smoothnet_inference_time"] * result["frames"] / 1e6 == pytest.approx(2)
