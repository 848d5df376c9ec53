"""`--compare`: errors are estimated without truth as far as jitter is white, and the recommendation says why."""

from dataclasses import dataclass

import numpy as np
import pytest

from lib.commands import comparison
from lib.commands.comparison import Compared, estimated_errors, recommendation, repairs_line, rows_of
from lib.formats.tracks import JOINT_NAMES, PoseFile, Track
from lib.tracks.refiner import Refiner


def file_of(poses, kind="2D", units="px"):
    return PoseFile("npy", [Track(0, "person", poses, None, kind, None, None, units)], len(poses), 30.0)


def compared(pose_file, **methods):
    """{name: Compared}: the `Refiner` method that each stands for."""
    found = {}
    for name, method in methods.items():
        refiner = Refiner(method, fps=30, folder="nowhere")
        found[name] = Compared(refiner, refiner.refine_tracks(pose_file.tracks, 30))
    return found


@pytest.fixture(scope="module")
def wave():
    """Truth [T, J, D] in px."""
    time = np.arange(240)[:, None, None] / 30
    return 500 + 100 * np.sin(2 * np.pi * (0.4 * time + 0.1 * np.arange(9)[:, None] + 0.25 * np.arange(2)))


def test_errors_are_estimated_without_truth(wave):
    given = wave + np.random.default_rng(0).normal(0, 4, wave.shape)
    pose_file = file_of(given)
    found = compared(pose_file, none="none", auto="gcv", gaus1d="gaus1d", savgol="savgol", butterworth="butterworth")
    errors, doubt = estimated_errors(pose_file, found)
    for method, one in found.items():
        true = float(np.sqrt(((one.results[0].poses - wave) ** 2).mean()))
        assert abs(errors[method] ** 2 - true**2) < 2 * doubt + 0.05 * true**2, method
    assert errors["auto"] == min(errors.values())
    line = recommendation(pose_file, found)
    assert line.startswith("recommended: auto, here gcv (as asked): estimated error per coordinate "), line
    assert "px (others: " in line and "gaus1d" in line


def test_a_smoothness_that_is_chosen_anew_for_the_noisier_poses_is_no_derivative():
    """A joint's filter that turns weaker or stronger for the probe's noise moved its estimate below zero: `0 px` was recommended."""
    rng = np.random.default_rng(0)
    poses = rng.normal(0, 4, (240, 3, 2))
    track, jitter = file_of(poses).tracks[0], np.full(3, 4.0)
    seen = np.ones((240, 3), bool)
    noise = 4 * comparison._of_unit_size(rng.standard_normal(poses.shape), seen)
    np.testing.assert_allclose((noise**2).mean(axis=0), 16)
    flat = Refined(np.zeros_like(poses))
    jumped = Refined(np.where(np.arange(3)[:, None] == 1, -3 * noise, 0))  # one joint, against the noise
    for again in (flat, jumped):  # what is removed is the noise and no more: no error is left
        squares = comparison._squares(track, flat, again, noise, jitter)
        assert squares.mean() == pytest.approx(float((poses**2).mean()) - 16)
    same = comparison._squares(track, Refined(poses), Refined(poses + comparison.PROBE * noise), noise, jitter)
    assert same.mean() == pytest.approx(16)  # nothing is removed: the jitter is left


@dataclass
class Refined:
    poses: np.ndarray
    repaired: object = None


def test_what_chance_hides_is_said_as_less_than():
    best, line = comparison._ranked({"none": 2.3, "auto": 0.4, "gcv": 0.2}, 0.25, (1.0, "px"))
    assert best == "auto"
    assert line == "estimated error per coordinate 2.3 -> less than 0.5 px (others: gcv less than 0.5)"


def test_another_method_is_recommended_where_it_is_clearly_nearer(wave):
    given = wave + np.random.default_rng(0).normal(0, 4, wave.shape)
    pose_file = file_of(given)
    found = compared(pose_file, none="none", auto="gaus1d", gcv="gcv")
    assert recommendation(pose_file, found).startswith("recommended: gcv: estimated error per coordinate")


def test_clean_poses_need_nothing(wave):
    pose_file = file_of(wave)
    line = recommendation(pose_file, compared(pose_file, none="none", auto="auto"))
    assert line.startswith("nothing needs doing: the jitter is ") and line.endswith("no side is exchanged")
    holes = wave.copy()
    holes[40:44, 3] = np.nan
    pose_file = file_of(holes)
    line = recommendation(pose_file, compared(pose_file, none="none", auto="auto"))
    assert line.startswith("recommended: auto") and "only gaps, exchanged sides and spikes need mending" in line


def test_where_nothing_can_be_estimated_it_says_so(wave):
    short = file_of(wave[:9] + np.random.default_rng(0).normal(0, 4, wave[:9].shape))
    line = recommendation(short, compared(short, none="none", auto="gcv"))
    assert "cannot be estimated here" in line


def test_what_was_repaired_is_no_distance(motion):
    names, poses = JOINT_NAMES["h36m17"], motion[0][:60] + [0, 0, 4.0]
    wrong = poses.copy()
    other = [
        names.index(name.replace("left", "RIGHT").replace("right", "left").replace("RIGHT", "right")) for name in names
    ]
    wrong[20:24] = poses[20:24, other]
    wild = wrong.copy()
    wild[40, 16] += 3
    rows, lines = [], []
    for given in (poses, wrong, wild):
        pose_file = PoseFile("npy", [Track(0, "person", given, None, "3D", "h36m17", names, "m")], len(given), 30.0)
        found = compared(pose_file, none="none", gcv="gcv")
        rows.append(rows_of(pose_file, found)[1])
        lines.append(repairs_line(found))
    mended = "moved, largest: from the input with 1 repaired exchange put back"
    assert lines == ["", mended, mended + " and 1 spike taken out"]
    assert [row["largest"] for row in rows[1:]] == pytest.approx([rows[0]["largest"]] * 2, abs=5)
    assert np.linalg.norm(wrong - poses, axis=-1).max() > 0.1
