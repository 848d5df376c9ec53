import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from lib.command_line import Request
from lib.commands import evaluate as evaluate_command
from lib.dataset import storage
from lib.errors import UserError
from lib.evaluation import methods
from lib.filters import fixed as filters
from lib.models import checkpoints

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "tests" / "reference"
SYNSP, SMOOTHNET = REFERENCE / "format_1.pth.tar", REFERENCE / "smoothnet_random.pth.tar"
SHARED = ROOT.parent / "shared"
SAMPLE = [
    "--dataset_name",
    "mocap",
    "--estimator",
    "noise",
    "--body_representation",
    "3D",
    "DEVICE",
    "cpu",
    "DATASET.BASE_DIR",
    str(ROOT / "data" / "poses"),
]
NAMES = ("mpjpe", "pampjpe", "accel", "mpjpe_top1", "accel_top1")


@pytest.fixture
def evaluate(tmp_path):
    """A function (*words of a command line) -> (what metrics.json holds, the run's folder)."""

    def run(*words):
        before = set(tmp_path.glob("results/*"))
        arguments = [*SAMPLE, "OUTPUT_DIR", tmp_path / "results", *words]
        results = evaluate_command.evaluate(Request("eval", list(map(str, arguments))))
        (folder,) = set(tmp_path.glob("results/*")) - before
        assert json.loads((folder / "metrics.json").read_text()) == json.loads(json.dumps(results))
        return results, folder

    return run


def sample(kind):
    """The test sequences of the sample, [T, 17, 3] metres each."""
    base = ROOT / "data" / "poses" / "mocap_noise_3D"
    path = {
        "truth": base / "groundtruth" / "mocap_gt_3D_test.npz",
        "input": base / "detected" / "mocap_noise_3D_test.npz",
    }[kind]
    return [np.asarray(values, np.float64).reshape(len(values), 17, 3) for values in storage.read(path)["joints_3d"]]


def scores_by_the_letter(predicted, truth):
    """MPJPE, PA-MPJPE and padded Accel in mm, frame by frame; the poses root-relative. {metric: [frames]}."""
    found = {"mpjpe": [], "pampjpe": [], "accel": []}
    for p, t in zip(predicted, truth):
        p, t = 1000 * (p - p[:, :1]), 1000 * (t - t[:, :1])
        for frame in range(len(p)):
            found["mpjpe"].append(np.linalg.norm(p[frame] - t[frame], axis=1).mean())
            a, b = p[frame] - p[frame].mean(0), t[frame] - t[frame].mean(0)
            turned = Rotation.align_vectors(b, a)[0].apply(a)
            found["pampjpe"].append(np.linalg.norm((turned * b).sum() / (a**2).sum() * turned - b, axis=1).mean())
            inner = 0 < frame < len(p) - 1
            e = p - t
            found["accel"].append(
                np.linalg.norm(e[frame + 1] - 2 * e[frame] + e[frame - 1], axis=1).mean() if inner else 0
            )
    return {name: np.array(values) for name, values in found.items()}


def write_set(base, name, pairs, key="joints_3d", split="test", images=None, **more):
    """A data set of (truth, detected) pairs."""
    dataset, estimator, rep = name.split("_")
    images = images or [
        np.array([f"clip{k}/{frame:06d}.jpg" for frame in range(len(t))]) for k, (t, _) in enumerate(pairs)
    ]
    storage.write(
        base / name / "groundtruth" / f"{dataset}_gt_{rep}_{split}.npz",
        {"imgname": images, key: [np.asarray(t, np.float32) for t, _ in pairs], **more},
    )
    storage.write(
        base / name / "detected" / f"{name}_{split}.npz",
        {"imgname": images, key: [np.asarray(d, np.float32) for _, d in pairs]},
    )


def walk(frames, channels=51, seed=0):
    """A truth that moves smoothly, and a noisy detection of it, metres."""
    rng = np.random.default_rng([seed, frames])
    truth = rng.normal(0, 0.3, channels) + 0.1 * np.sin(np.arange(frames)[:, None] / 7 + rng.uniform(0, 6, channels))
    return truth, truth + rng.normal(0, 0.03, truth.shape)


# --------------------------------------------------------------------------------------- the numbers


@pytest.fixture(scope="module")
def by_the_letter():
    truth, noisy = sample("truth"), sample("input")
    smooth = [filters.savgol(values - values[:, :1]) for values in noisy]
    return {name: scores_by_the_letter(values, truth) for name, values in (("input", noisy), ("filter", smooth))}


def test_input_and_filter_on_the_sample(evaluate, by_the_letter):
    (result,), _ = evaluate("--tradition", "savgol")
    worst = np.argsort(by_the_letter["input"]["mpjpe"])[-2:]  # 1 % of 281 frames
    for key, expected in by_the_letter.items():
        for name in ("mpjpe", "pampjpe", "accel"):
            assert result["metrics"][f"{key}_{name}"] == pytest.approx(expected[name].mean(), abs=2e-3), (key, name)
        for name in ("mpjpe", "accel"):
            assert result["metrics"][f"{key}_{name}_top1"] == pytest.approx(expected[name][worst].mean(), abs=2e-3)
    unpadded = by_the_letter["input"]["accel"].sum() / (281 - 2 * 5)
    assert result["metrics"]["input_accel_unpadded"] == pytest.approx(unpadded, abs=2e-3)


def test_the_samples_readme_says_the_same(evaluate):
    """data/README.md: MPJPE, PA-MPJPE and unpadded Accel of every test clip and of all."""
    (result,), _ = evaluate("--tradition", "gaus1d")
    lines = [
        [cell.strip(" *") for cell in line.split("|")[1:-1]]
        for line in (ROOT / "data/README.md").read_text().splitlines()
        if line.startswith(("| test |", "| **test**"))
    ]
    *clips, total = [[float(cell) for cell in line[-3:]] for line in lines]
    assert len(clips) == 5
    found = result["methods"][0]["per_sequence"]
    for expected, ours in zip(clips, found):
        np.testing.assert_allclose([ours[key] for key in ("mpjpe", "pampjpe", "accel_unpadded")], expected, atol=0.006)
    ours = [result["metrics"][f"input_{key}"] for key in ("mpjpe", "pampjpe", "accel_unpadded")]
    np.testing.assert_allclose(ours, total, atol=0.006)


@pytest.mark.parametrize("step", [1, 5, 20])
def test_a_network_on_the_sample(evaluate, step):
    """SmoothNet, written out, at every stride, against the table's row."""
    weights = {
        name: value.double().numpy() for name, value in torch.load(SMOOTHNET, weights_only=True)["state_dict"].items()
    }

    def linear(x, name):
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def leaky(x, slope):
        return np.where(x > 0, x, slope * x)

    def network(window):  # [8, C]
        h = leaky(linear(window.T, "encoder.0"), 0.1)
        for k in range(3):
            h = h + leaky(linear(leaky(linear(h, f"res_blocks.{k}.linear1"), 0.2), f"res_blocks.{k}.linear2"), 0.2)
        return linear(h, "decoder").T

    refined = []
    for values in sample("input"):
        flat = values.reshape(len(values), 51)
        firsts = sorted({*range(0, len(flat) - 7, step), len(flat) - 8})
        sums, counts = np.zeros_like(flat), np.zeros(len(flat))
        for first in firsts:
            sums[first : first + 8] += network(flat[first : first + 8])
            counts[first : first + 8] += 1
        merged = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], flat)
        refined.append(merged.reshape(values.shape))
    expected = scores_by_the_letter(refined, sample("truth"))
    (result,), _ = evaluate("--checkpoint", SMOOTHNET, "EVALUATE.SLIDE_WINDOW_STEP_SIZE", step)
    for name in ("mpjpe", "pampjpe", "accel"):
        assert result["metrics"][f"smoothnet_{name}"] == pytest.approx(expected[name].mean(), rel=1e-4)


def test_root_relative_or_not(evaluate, tmp_path):
    """A detection that is right but for its place: 0 root-relative, its distance otherwise, 0 after alignment."""
    truth, _ = walk(30)
    shifted = (truth.reshape(30, 17, 3) + [0.3, 0, 0.4]).reshape(30, 51)
    write_set(tmp_path / "poses", "moved_net_3D", [(truth, shifted)])
    words = (
        "DATASET.BASE_DIR",
        tmp_path / "poses",
        "--dataset_name",
        "moved",
        "--estimator",
        "net",
        "--tradition",
        "savgol",
    )
    (relative,), _ = evaluate(*words)
    (absolute,), _ = evaluate(*words, "EVALUATE.ROOT_RELATIVE", False)
    assert relative["metrics"]["input_mpjpe"] == pytest.approx(0, abs=1e-3)
    assert absolute["metrics"]["input_mpjpe"] == pytest.approx(500, rel=1e-5)
    assert absolute["metrics"]["input_pampjpe"] == pytest.approx(0, abs=1e-2)


def test_pck_of_jhmdb(evaluate, tmp_path):
    """The published PCK of each joint: means over joints, and the columns of the published table."""
    with np.load(REFERENCE / "official_numerics.npz") as stored:
        height, width = stored["pck_imgshape"].tolist()
        truth, noisy = (
            ((stored[key].reshape(30, 15, 2) + 0.5) * [width, height]).reshape(30, 30) for key in ("pck_gt", "pck_pred")
        )
        boxes, expected = stored["pck_bbox"], {name: stored[name] for name in ("pck_0.05", "pck_0.1", "pck_0.2")}
    write_set(
        tmp_path / "poses",
        "jhmdb_simplepose_2D",
        [(truth, noisy)],
        key="joints_2d",
        bbox=[boxes.astype(np.float32)],
        imgshape=[np.array([height, width, 3])],
    )
    (result,), _ = evaluate(
        "DATASET.BASE_DIR",
        tmp_path / "poses",
        "--dataset_name",
        "jhmdb",
        "--estimator",
        "simplepose",
        "--body_representation",
        "2D",
        "--tradition",
        "savgol",
    )
    for name, key in (("pck_005", "pck_0.05"), ("pck_01", "pck_0.1"), ("pck_02", "pck_0.2")):
        assert result["metrics"][f"input_{name}"] == pytest.approx(100 * expected[key].mean(), abs=0.4)
    assert result["unit"] == "px"
    distance = np.linalg.norm((truth - noisy).reshape(-1, 2), axis=1).mean()
    assert result["metrics"]["input_mpjpe"] == pytest.approx(distance, rel=1e-4)
    assert result["metrics"]["filter_pck_02"] >= 0


def test_frames_without_a_truth_do_not_count(evaluate, tmp_path):
    """NaN in the ground truth of jhmdb: errors of 10 px at the frames that have one, whatever stands at the others."""
    truth = np.tile(np.arange(30.0) * 5 + 50, (20, 1)) + np.arange(20)[:, None]
    noisy = truth.copy()
    noisy[:, 0::2] += 10
    noisy[5:9] += 500
    truth[5:9] = np.nan
    write_set(
        tmp_path / "poses",
        "jhmdb_simplepose_2D",
        [(truth, noisy)],
        key="joints_2d",
        bbox=[np.tile(np.float32([0, 0, 90, 110]), (20, 1))],
        imgshape=[np.array([240, 320, 3])],
    )
    (result,), _ = evaluate(
        "DATASET.BASE_DIR",
        tmp_path / "poses",
        "--dataset_name",
        "jhmdb",
        "--estimator",
        "simplepose",
        "--body_representation",
        "2D",
        "--tradition",
        "savgol",
    )
    found = result["metrics"]
    assert found["input_mpjpe"] == pytest.approx(10, rel=1e-4)
    assert (found["input_pck_005"], found["input_pck_01"], found["input_pck_02"]) == (0, 100, 100)  # 5.5, 11 and 22 px
    assert found["input_accel_unpadded"] == pytest.approx(0, abs=1e-2) and found["input_jerk"] == pytest.approx(
        0, abs=1e-2
    )


# ------------------------------------------------------------------------------------ what is written


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


# ----------------------------------------------------------------------------------- what goes wrong


def test_a_checkpoint_says_how_its_windows_are_averaged(tmp_path):
    content = checkpoints.read(ROOT / "data/checkpoints/synsp_3D_w8_general_bn.pth.tar")
    content["config"]["EVALUATE"]["WINDOW_WEIGHTS"] = "triangular"  # where format 1 says it
    path = tmp_path / "triangular.pth.tar"
    torch.save(content, path)
    asked = [(), ("EVALUATE.WINDOW_WEIGHTS", "mean")]
    found = [
        methods.load_networks(Request("eval", [*SAMPLE, "--checkpoint", str(path), *words]), "cpu")[1][
            0
        ].recipe.weighting
        for words in asked
    ]
    assert found == ["triangular", "mean"]


@pytest.mark.parametrize(
    "words, hint",
    [
        ((), "--checkpoint"),
        (("--checkpoint", "absent.pth.tar"), "absent.pth.tar"),
        (("--tradition", "loess"), "loess"),
        (("--checkpoint", SYNSP, "--tradition", "savgol,loess"), "loess"),
        (("--checkpoint", SMOOTHNET, "--slide_window_size", "16"), "window 8"),
        (("--checkpoint", REFERENCE / "synsp_2d_random.pth.tar", "MODEL.n_head", "2"), "34 channels"),
        (("--checkpoint", REFERENCE / "synsp_3d_random.pth.tar", "MODEL.n_head", "3"), "n_head"),
        (("--checkpoint", SYNSP, "MODEL.d_model", "64"), "MODEL.d_model 64"),
        (("--checkpoint", SYNSP, "--dataset_name", "absent"), "absent_noise_3D"),
        (("--checkpoint", SYNSP, "EVALUATE.SLIDE_WINDOW_STEP_SIZE", "0"), "SLIDE_WINDOW_STEP_SIZE"),
        (("--checkpoint", SYNSP, "EVALUATE.WINDOW_WEIGHTS", "best"), "WINDOW_WEIGHTS"),
        (("--checkpoint", SYNSP, "EVALUATE.BATCH_SIZE", "0"), "BATCH_SIZE"),
        (("--tradition", "savgol", "EVALUATE.TRADITION_SAVGOL.WINDOW_SIZE", "0"), "TRADITION_SAVGOL"),
        (("--checkpoint", SYNSP, "--slide_window_size", "1"), "--slide_window_size 1"),
    ],
)
def test_refusals_leave_nothing(tmp_path, words, hint):
    request_words = [*SAMPLE, "OUTPUT_DIR", str(tmp_path / "results"), *map(str, words)]
    with pytest.raises(UserError, match=hint):
        evaluate_command.evaluate(Request("eval", request_words))
    assert not (tmp_path / "results").exists()


def test_synsp_at_another_window_warns_once(evaluate, caplog):
    evaluate("--checkpoint", SYNSP, "--slide_window_size", "16")
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warned) == 1 and "window 8" in warned[0] and "16" in warned[0]


def test_poses_away_from_their_root_are_warned_of(evaluate, tmp_path, caplog):
    """Of 17 joints that stand where the camera saw them a network knows nothing."""
    pairs = [tuple(sample(kind)[0].reshape(-1, 51) for kind in ("truth", "input"))]
    for name, away in (("near", 0), ("far", 3)):
        write_set(tmp_path / name, "mocap_noise_3D", [(truth + away, detected + away) for truth, detected in pairs])
        caplog.clear()
        evaluate("--checkpoint", SYNSP, "DATASET.BASE_DIR", tmp_path / name)
        warned = [record.getMessage() for record in caplog.records if "Subtract the root" in record.getMessage()]
        assert len(warned) == (name == "far")


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_what_a_set_is_does_not_hang_on_the_order_of_the_checkpoints(order):
    """The one that was trained on it says so, wherever it stands in the list."""
    names = [ROOT / "data" / "checkpoints" / f"{name}.pth.tar" for name in ("synsp_mv_3D_w8_bn", "synsp_3D_w8_bn")]
    words = ["--dataset_name", "mbn", "--checkpoint", ",".join(str(names[number]) for number in order)]
    cfg, _ = methods.load_networks(Request("eval", words), "cpu")
    trained = checkpoints.load(names[0]).config["DATASET"]
    assert (cfg.DATASET.MULTI_VIEW, cfg.DATASET.FPS) == (trained["MULTI_VIEW"], trained["FPS"])


def test_a_checkpoint_brings_its_window_and_dataset(tmp_path):
    """Nothing said but the checkpoint: its own data set, window and representation."""
    words = [
        "DEVICE",
        "cpu",
        "DATASET.BASE_DIR",
        str(ROOT / "data" / "poses"),
        "OUTPUT_DIR",
        str(tmp_path / "results"),
        "--checkpoint",
        str(SYNSP),
    ]
    (result,) = evaluate_command.evaluate(Request("eval", words))
    assert result["dataset"] == "mocap" and result["metrics"]["smoothnet_mpjpe"] > 0


# ------------------------------------------------------------------- the published evaluation, in full


@pytest.mark.slow
@pytest.mark.skipif(not (SHARED / "reference" / "published_eval.json").exists(), reason="the published set is not here")
def test_published_evaluation(evaluate):
    published = json.loads((SHARED / "reference" / "published_eval.json").read_text())["bn_sim_3D_test"]
    (result,), _ = evaluate(
        "DATASET.BASE_DIR",
        SHARED / "data" / "poses",
        "--dataset_name",
        "bn",
        "--estimator",
        "sim",
        "--checkpoint",
        SHARED / "reference" / "synsp_w8_bn_sim_3D_trained.pth.tar",
        "--tradition",
        "oneeuro",
    )
    for name, value in published.items():
        assert result["metrics"][name] == pytest.approx(value, abs=0.01), name
