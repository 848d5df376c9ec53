"""The numbers of an evaluation: by the letter of their definitions, and those that were published."""

import json

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from lib.filters import fixed as filters
from tests.evaluation.conftest import REFERENCE, ROOT, SHARED, SMOOTHNET, sample, walk, write_set

JHMDB = "--dataset_name jhmdb --estimator simplepose --body_representation 2D --tradition savgol".split()


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
    (result,), _ = evaluate("DATASET.BASE_DIR", tmp_path / "poses", *JHMDB)
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
    (result,), _ = evaluate("DATASET.BASE_DIR", tmp_path / "poses", *JHMDB)
    found = result["metrics"]
    assert found["input_mpjpe"] == pytest.approx(10, rel=1e-4)
    assert (found["input_pck_005"], found["input_pck_01"], found["input_pck_02"]) == (0, 100, 100)  # 5.5, 11 and 22 px
    assert found["input_accel_unpadded"] == pytest.approx(0, abs=1e-2) and found["input_jerk"] == pytest.approx(
        0, abs=1e-2
    )


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
