"""The accuracy table: filters chosen by the rule on training clips only, errors split as said, files kept."""

import numpy as np
import pytest
import torch

from benchmarks import accuracy, accuracy_errors, accuracy_methods, accuracy_tuning, markdown
from lib import config
from lib.errors import UserError
from lib.evaluation.evaluator import score_split
from lib.evaluation.methods import FilterMethod, InputMethod

SAMPLE = accuracy_methods.SETS["sample"][1]
SMALL = {"gaus1d": {"SIGMA": (0.5, 1.0, 3.0)}, "median+gaussian": {"WINDOW_SIZE": (3, 5), "SIGMA": (1.0, 2.0)}}


@pytest.fixture
def sample(root, monkeypatch):
    """The command as a function (*arguments): on the shipped sample, few settings, one draw, no weights."""
    monkeypatch.setattr(accuracy_tuning, "GRIDS", SMALL)
    monkeypatch.setattr(accuracy_tuning, "DRAWS", 1)
    monkeypatch.setattr(accuracy_methods, "WEIGHTS", root / "nowhere")
    monkeypatch.setattr(accuracy.messages, "start", lambda: None)
    threads = torch.get_num_threads()

    def run(*arguments):
        chosen = ["--only", str(SAMPLE), "--base_dir", str(root / "data" / "poses")]
        monkeypatch.setattr("sys.argv", ["accuracy", *chosen, *map(str, arguments)])
        accuracy.main()

    yield run
    torch.set_num_threads(threads)


def test_table_of_the_sample(sample, tmp_path, capsys):
    """The input's numbers are those of the README; what is missing is said; the file's own text stays."""
    file = tmp_path / "table.md"
    file.write_text("before\n<!-- accuracy:begin -->\nstale\n<!-- accuracy:end -->\nafter\n")
    sample("--markdown", file)
    out, err = capsys.readouterr()
    rows = {line.split("|")[1].strip(): line for line in out.splitlines() if line.startswith("|")}
    assert "54.18 (" in rows["input"] and "47.72 (" in rows["input"] and "18.45 (" in rows["input"]
    assert "62.89 (" in rows["gaus1d, default (sigma 3)"]
    assert sum(", tuned (" in name for name in rows) == 2
    assert "SynSP left out, no synsp_3D_w8.pth.tar" in err and "--published not given" in err
    text = file.read_text()
    assert text.startswith("before\n") and text.endswith("\nafter\n") and "stale" not in text
    assert rows["input"] in text
    sample("--markdown", file)  # and again, in place
    assert file.read_text().count("| input |") == 1


def test_tables_of_other_sets_stay(tmp_path):
    file = tmp_path / "table.md"
    one, two = "### 3D: `mocap_noise_3D` test\n\n| 1 |", "### 2D: `bn_sim_2D` test\n\n| 2 |"
    markdown.write_markdown(file, "accuracy", ["first text"], {"bn_sim_2D": two}, accuracy.KNOWN)
    markdown.write_markdown(file, "accuracy", ["new text"], {"mocap_noise_3D": one}, accuracy.KNOWN)
    assert file.read_text() == (
        "<!-- accuracy:begin -->\n\nnew text\n\n" + one + "\n\n" + two + "\n\n<!-- accuracy:end -->\n"
    )
    markdown.write_markdown(file, "accuracy", ["new text"], {"bn_sim_2D": two.replace("2 |", "3 |")}, accuracy.KNOWN)
    assert "| 3 |" in file.read_text() and "| 2 |" not in file.read_text() and "| 1 |" in file.read_text()


def test_filters_are_tuned_by_the_rule_on_training_clips(root, monkeypatch):
    """The chosen setting has the least MPJPE + Accel by the evaluator; test clips have no part in it."""
    monkeypatch.setattr(accuracy_tuning, "GRIDS", SMALL)
    monkeypatch.setattr(accuracy_tuning, "DRAWS", 2)
    cfg, test, train, words = accuracy_methods.load(SAMPLE, root / "data" / "poses")
    assert words == "all of its training clips, with 2 draws of simulated errors each"
    assert len(train.recordings) == 20
    assert not {view.name.split()[0] for view in train.sequences} & {view.name for view in test.sequences}
    for name, found in accuracy_tuning.tune(train, cfg).items():
        objective = {}
        for parameters in accuracy_tuning.settings(name):
            method = FilterMethod(name, accuracy_tuning.with_parameters(cfg, name, parameters))
            (_, row) = score_split(train, [InputMethod(), method], cfg)[0]["methods"]
            objective[tuple(parameters.values())] = row["means"]["mpjpe"] + row["means"]["accel"]
        assert tuple(found.parameters.values()) == min(objective, key=objective.get)
        assert found.objective == pytest.approx(min(objective.values()), rel=1e-6)
        assert found.tried == len(objective)


def test_draws_differ_and_are_seeded(root, monkeypatch):
    monkeypatch.setattr(accuracy_tuning, "DRAWS", 2)
    one, two = (accuracy_methods.load(SAMPLE, root / "data" / "poses")[2].sequences for _ in range(2))
    np.testing.assert_array_equal(one[0].detected, two[0].detected)
    same_clip = one[len(one) // 2]
    np.testing.assert_array_equal(one[0].truth, same_clip.truth)
    assert np.abs(one[0].detected - same_clip.detected).max() > 0.01


def test_large_training_sets_are_thinned(root, monkeypatch):
    monkeypatch.setattr(accuracy_tuning, "FRAMES", 300)  # of 722
    _, _, train, words = accuracy_methods.load(SAMPLE, root / "data" / "poses")
    assert words.startswith("one in 3 of its training clips")
    assert len({view.name.split()[0] for view in train.sequences}) == 4


def test_no_polynomial_through_all_its_points():
    tried = list(accuracy_tuning.settings("savgol"))
    assert all(parameters["POLYORDER"] < parameters["WINDOW_SIZE"] for parameters in tried)
    assert {"WINDOW_SIZE": 5, "POLYORDER": 4} in tried and {"WINDOW_SIZE": 3, "POLYORDER": 4} not in tried


def test_interval_of_the_worst_frames_needs_sequences(root):
    """Five sequences with one of the worst frames each: all are drawn from; of four there is none."""

    class Score:
        per_sequence = [{"mpjpe": np.array([1.0, 10.0 * k])} for k in range(1, 6)]

        def intervals(self, rng):
            return {"mpjpe_top1": [values["mpjpe_top1"].tolist() for values in self.per_sequence]}

    cfg = config.defaults()
    drawn_from = accuracy._interval_of(Score(), np.array([9, 1, 3, 7, 5]), cfg)
    assert drawn_from == [[10.0], [20.0], [30.0], [40.0], [50.0]]
    assert accuracy._interval_of(Score(), np.array([1, 3, 5, 7]), cfg) is None


@pytest.mark.parametrize(
    "text",
    [
        "no lines",
        "<!-- accuracy:begin -->",
        "<!-- accuracy:end --><!-- accuracy:begin -->",
        2 * "<!-- accuracy:begin --><!-- accuracy:end -->",
    ],
)
def test_a_file_without_a_place_is_refused_before_work(sample, tmp_path, text):
    file = tmp_path / "notes.md"
    file.write_text(text)
    with pytest.raises(UserError, match="accuracy:begin"):
        sample("--markdown", file)
    assert file.read_text() == text


def test_unknown_part_is_refused(sample):
    with pytest.raises(UserError, match="bn_sim_3D: not in --set sample, which has kinect_sample_3D, mocap_noise_3D"):
        sample("--only", "bn_sim_3D")


def test_frequencies_of_an_error():
    """Waves of one frequency each, amplitudes 1, 2 and 3: root mean square over time, amplitude / sqrt 2."""
    frames, fps = 120, 30.0
    time = np.arange(frames) + 0.5
    error = np.zeros((frames, 1, 3))
    for axis, (hertz, amplitude) in enumerate(((0.5, 1.0), (3.0, 2.0), (10.0, 3.0))):
        error[:, 0, axis] = amplitude * np.cos(2 * np.pi * hertz / fps * time)
    found = accuracy_errors.band_rms([error, error[:60]], fps)
    root = np.sqrt(0.5)
    assert found == pytest.approx(
        {"below 1 Hz": root, "1 to 5 Hz": 2 * root, "above 5 Hz": 3 * root, "all": root * np.sqrt(14)}
    )


def test_bursts_and_joints():
    """Two joints off by 10 and 20, in 5 of 100 frames the second by 61 (more than 3 x 20)."""
    error = np.zeros((100, 3, 3))
    error[:, 1, 0], error[:, 2, 1] = 10, 20
    error[40:45, 2, 1] = 61
    other = error / 2
    names = ("pelvis", "left_wrist", "right_wrist")
    tables = accuracy_errors.analyse([[error], [other]], [None], names, 30.0)
    both = 10 + 20 + 41 * 0.05
    assert tables["by joint, mean"] == {"wrist": pytest.approx([both / 2, both / 4])}
    frames = tables["by frame, MPJPE"]
    assert frames["burst frames (5.0 %)"] == pytest.approx([71 / 3, 71 / 6])
    assert frames["their joints beyond the limit"] == pytest.approx([61, 30.5])
    assert frames["other frames"] == pytest.approx([10, 5])
    error[40:45, 2, 1] = 59
    frames = accuracy_errors.analyse([[error]], [None], names, 30.0)["by frame, MPJPE"]
    assert frames["burst frames (0.0 %)"] == [None]


def test_frames_that_do_not_count_are_left_out():
    error = np.full((10, 2, 3), 1.0)
    error[3] = 1000
    counted = np.arange(10) != 3
    tables = accuracy_errors.analyse([[error]], [counted], ("a", "b"), 30.0)
    assert tables["by joint, mean"]["a"] == pytest.approx([np.sqrt(3)])
    assert tables["by frequency, root mean square"]["all"] == [None]


def test_errors_of_the_sample(sample, capsys):
    """The joints' means average to the table's MPJPE (pelvis at 0): 54.18 over 17 joints."""
    sample("--errors")
    rows = {
        line.split("|")[1].strip(): line.split("|")[2]
        for line in capsys.readouterr().out.splitlines()
        if line.startswith("| ")
    }
    single = ("spine", "thorax", "nose", "head")
    pairs = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
    total = sum(float(rows[name]) for name in single) + 2 * sum(float(rows[name]) for name in pairs)
    assert total / 17 == pytest.approx(54.18, abs=0.01)


def test_every_network_that_ships_has_its_row(root):
    """As it is, as a stream without delay, and with what it may be used for."""
    base = root / "data" / "poses"
    methods = accuracy_methods.network_rows(SAMPLE, base, None)
    cfg, test, _, _ = accuracy_methods.load(SAMPLE, base)
    test.recordings = test.recordings[-1:]
    _, scores = score_split(test, [InputMethod(), *methods], cfg)
    assert all(np.isfinite(score.means["mpjpe"]) for score in scores)
    licences = {score.method.label: accuracy._licence(score.method) for score in scores}
    assert licences["SynSP"] == licences["SynSP, no frame of delay"] == "free" and licences["input"] == ""
    assert licences["SynSP (bn)"] == "non-commercial"
