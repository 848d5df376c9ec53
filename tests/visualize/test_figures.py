"""The figures of an evaluation: that what they show are the numbers of the tables, and what they leave out and why."""

import logging

import cv2
import matplotlib
import numpy as np
import pytest
import torch

from lib.command_line import Request
from lib.commands import evaluate as evaluate_command
from lib.dataset import catalog, sequences, storage
from lib.errors import UserError
from lib.evaluation import evaluator
from lib.evaluation.methods import FilterMethod, InputMethod
from lib.evaluation.networks import load_networks
from lib.filters import registry as filters
from lib.visualize import figure_plane, figure_spectrum, figure_style, figures, palette

REPRESENTATIONS = {"2D": "h36m", "3D": "h36m", "smpl": "pw3d"}


@pytest.fixture
def scored(tmp_path):
    """A function (base, dataset, estimator, representation, *words) -> figures.Scored of its test split."""

    def run(base, dataset, estimator, representation, *words):
        arguments = [
            "--dataset_name",
            dataset,
            "--estimator",
            estimator,
            "--body_representation",
            representation,
            "DATASET.BASE_DIR",
            base,
            "DEVICE",
            "cpu",
            *words,
        ]
        cfg, networks = load_networks(Request("eval", list(map(str, arguments))), torch.device("cpu"))
        split = sequences.load(*catalog.sources(cfg), "test", cfg)
        methods = [
            InputMethod(),
            *(FilterMethod(name, cfg) for name in cfg.EVALUATE.TRADITION.split(",") if name),
            *networks,
        ]
        return figures.Scored(split, evaluator.score_split(split, methods, cfg)[1], cfg)

    return run


@pytest.fixture
def sample(scored, root):
    """The shipped sample, the reference SynSP and two filters."""
    return scored(
        root / "data" / "poses",
        "mocap",
        "noise",
        "3D",
        "--tradition",
        "gaus1d,savgol",
        "--checkpoint",
        root / "tests" / "reference" / "format_1.pth.tar",
        "DATASET.FPS",
        30,
    )


def line_of(axes, label):
    return next(line for line in axes.get_lines() if line.get_label() == label)


@pytest.mark.parametrize("representation", REPRESENTATIONS)
def test_every_representation(representation, write_set, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    dataset = REPRESENTATIONS[representation]
    base = write_set(dataset, "net", representation)
    evaluate_command.evaluate(
        Request(
            "eval",
            [
                "--dataset_name",
                dataset,
                "--estimator",
                "net",
                "--body_representation",
                representation,
                "--tradition",
                "gaus1d",
                "--figures",
                str(tmp_path / "figures"),
                "DATASET.BASE_DIR",
                str(base),
                "OUTPUT_DIR",
                str(tmp_path),
                "DEVICE",
                "cpu",
            ],
        )
    )
    name = f"{dataset}_net_{representation}"
    drawn = {
        f"{name}_{figure}.{ending}" for figure in figures.FIGURES if figure != "quality" for ending in ("png", "pdf")
    }
    assert {path.name for path in (tmp_path / "figures").iterdir()} == drawn
    assert [record.getMessage() for record in caplog.records if "left out" in record.getMessage()] == [
        f"figure quality of {name}: left out, no network with a quality cue was scored"
    ]
    for path in (tmp_path / "figures").glob("*.png"):
        image = cv2.imread(str(path))
        assert image.shape[1] == 1440 and image.std() > 10
        assert (image[:, [0, -1]] == 255).all() and (image[[0, -1]] == 255).all(), path  # nothing is cut at the border


def test_the_same_numbers_make_the_same_files(sample, tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "FIGURES", {"bad_frames": figures.bad_frames, "plane": figures.plane})
    for folder in "ab":
        figures.write_figures(tmp_path / folder, sample.split, sample.scores, sample.cfg)
    first, second = ({path.name: path.read_bytes() for path in (tmp_path / folder).iterdir()} for folder in "ab")
    assert first == second and len(first) == 4


def test_the_sweep_goes_through_the_tables_numbers(sample):
    """At the configured value a curve has the filter's row of the table; from there less smoothing comes nearer to the input."""
    truths = [sample.judge.joints(view, torch.as_tensor(view.truth), True) for view in sample.split.sequences]
    for score in sample.scores[1:3]:
        points, own = figure_plane.sweep(sample, score.method.label, sample.split, truths)
        assert points[own][0] == {"gaus1d": 3.0, "savgol": 31}[score.method.label]
        assert points[own][1:] == pytest.approx((score.means["accel"], score.means["mpjpe"]), rel=1e-5)
        assert [point[0] for point in points] == sorted(point[0] for point in points)
    weakest = figure_plane.sweep(sample, "gaus1d", sample.split, truths)[0][0]
    means = sample.input.means
    assert abs(weakest[2] - means["mpjpe"]) < 1 < means["accel"] - weakest[1]


def test_the_plane_has_the_networks_and_the_input_as_points(sample):
    (axes,) = figures.plane(sample).axes
    for label, score in (("input", sample.scores[0]), ("SynSP", sample.scores[-1])):
        assert line_of(axes, label).get_xydata()[0] == pytest.approx((score.means["accel"], score.means["mpjpe"]))
    swept = [line.get_label() for line in axes.get_lines() if line.get_label().startswith(tuple(filters.FILTERS))]
    assert [label.partition(",")[0] for label in swept] == ["gaus1d", "savgol"]  # those that were asked for


def test_a_part_of_the_recordings_is_compared_on_that_part(sample, monkeypatch):
    monkeypatch.setattr(figure_plane, "SWEEP_FRAMES", {"3D": 120})
    (axes,) = figures.plane(sample).axes
    chosen = figure_spectrum.some(sample.split, 120)
    assert 1 <= len(chosen) < len(sample.split.recordings) and "frames)" in axes.get_title()
    numbers = [sample.split.recordings.index(recording) for recording in chosen]
    errors = np.concatenate([sample.input.per_sequence[number]["mpjpe"] for number in numbers])
    assert line_of(axes, "input").get_ydata()[0] == pytest.approx(errors.mean())


def test_bad_frames_by_tenths_of_the_input_error(sample):
    left, right = figures.bad_frames(sample).axes
    before, after = (sample.scores[k].pooled("mpjpe") for k in (0, -1))
    worst = np.argsort(before)[-28:]  # 281 frames: nine tenths of 28 after one of 29
    x, y = line_of(left, "SynSP").get_xydata()[-1]
    assert (x, y) == pytest.approx((before[worst].mean(), after[worst].mean()))
    assert line_of(right, "SynSP").get_xydata()[-1] == pytest.approx((10, (after - before)[worst].mean()))


def test_bars_of_the_joints_with_their_intervals(sample):
    (axes,) = figures.joints(sample).axes
    bars = [container for container in axes.containers if hasattr(container, "patches")]
    # input, the better one of two filters, network
    best = min(sample.scores[1:3], key=lambda score: score.means["mpjpe"])
    assert [bar.get_label() for bar in bars] == ["input", f"{best.method.label} (best filter)", "SynSP"]
    heights = [patch.get_height() for patch in bars[0].patches]
    assert np.mean(heights) == pytest.approx(sample.input.means["mpjpe"])
    spans = np.array([segment[:, 1] for segment in bars[0].errorbar.lines[2][0].get_segments()])
    expected = sample.input.joint_intervals(np.random.default_rng([sample.cfg.SEED_VALUE, 5]))
    np.testing.assert_allclose(spans, expected, atol=1e-6)
    assert [text.get_text() for text in axes.get_xticklabels()][3] == "right ankle"


def test_medians_of_the_acceleration(sample):
    (axes,) = figures.acceleration(sample).axes
    dots = [line for line in axes.get_lines() if line.get_marker() == "o" and len(line.get_xdata())]
    assert [line.get_xdata()[0] for line in dots] == pytest.approx(
        [np.median(score.pooled("accel_unpadded")) for score in sample.scores]
    )
    # Rows from top to bottom in the order of the table.
    assert [text.get_text() for text in axes.get_yticklabels()] == ["SynSP", "savgol", "gaus1d", "input"]
    assert dots[0].get_ydata()[0] > dots[-1].get_ydata()[0]


def test_the_spectrum_of_a_known_motion(scored, tmp_path):
    """A wrist that swings by 100 mm at 2.5 Hz under white noise of 10 mm: a peak there, and the floor of the noise."""
    frames, rate = 512, 20.0
    truth = np.tile(np.random.default_rng(0).normal(0, 0.3, (17, 3)), (frames, 1, 1))
    truth[:, 13, 0] += 0.1 * np.sqrt(2) * np.sin(2 * np.pi * 2.5 * np.arange(frames) / rate)
    noisy = truth.copy()
    noisy[:, 13] += np.random.default_rng(1).normal(0, 0.01, (frames, 3))
    folder = tmp_path / "poses" / "mocap_net_3D"
    for kind, name, values in (("groundtruth", "mocap_gt_3D_test", truth), ("detected", "mocap_net_3D_test", noisy)):
        storage.write(
            folder / kind / f"{name}.npz",
            {
                "imgname": [np.array([f"a/{t}" for t in range(frames)])],
                "joints_3d": [np.float32(values.reshape(frames, 51))],
            },
        )
    found = scored(tmp_path / "poses", "mocap", "net", "3D", "--tradition", "gaus1d", "DATASET.FPS", rate)
    (axes,) = figures.spectrum(found).axes
    assert "left wrist" in axes.get_title() and axes.get_xlabel() == "frequency (Hz)"
    assert {line.get_label() for line in axes.get_lines()} == {"input", "gaus1d", "ground truth"}
    frequency, power = line_of(axes, "input").get_data()
    assert frequency[power.argmax()] == pytest.approx(2.5)
    # All power of the swing, 100^2 mm^2, lies about its frequency; three axes of 10^2 mm^2 of noise over 10 Hz.
    assert power[(frequency > 2) & (frequency < 3)].sum() * (frequency[1] - frequency[0]) == pytest.approx(
        1e4, rel=0.05
    )
    assert np.median(power[frequency > 4]) == pytest.approx(3 * 100 / 10, rel=0.2)
    assert frequency[-1] == rate / 2


def test_of_several_views_what_choosing_by_the_cue_gives(scored, root):
    found = scored(
        root / "data" / "poses",
        "mmocap",
        "noise",
        "3D",
        "--checkpoint",
        root / "tests" / "reference" / "format_1.pth.tar",
    )
    left, right = figures.quality(found).axes
    bars = [patch.get_height() for patch in right.patches]
    views = len(found.split.recordings[0].views)
    assert views == 4
    each, chosen, best = [], [], []
    for k in range(len(found.split.recordings)):
        errors = np.stack([found.input.per_sequence[4 * k + v]["mpjpe"] for v in range(4)])
        cues = np.stack(found.scores[-1].cues[4 * k : 4 * k + 4])
        each.append(errors.mean(0))
        chosen.append(errors[cues.argmax(0), np.arange(errors.shape[1])])
        best.append(errors.min(0))
    assert bars == pytest.approx([np.concatenate(part).mean() for part in (each, chosen, best)])
    assert "rank correlation" in left.get_title()


def test_what_is_too_short_is_left_out_and_said(scored, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    folder = tmp_path / "poses" / "mocap_net_3D"
    for kind, name in (("groundtruth", "mocap_gt_3D_test"), ("detected", "mocap_net_3D_test")):
        values = np.random.default_rng(len(kind)).normal(0, 0.3, (5, 51)).astype(np.float32)
        storage.write(
            folder / kind / f"{name}.npz", {"imgname": [np.array([f"a/{t}" for t in range(5)])], "joints_3d": [values]}
        )
    found = scored(tmp_path / "poses", "mocap", "net", "3D", "--tradition", "gaus1d")
    paths = figures.write_figures(tmp_path / "figures", found.split, found.scores, found.cfg)
    assert {path.name for path in paths} == {
        f"mocap_net_3D_{name}.{ending}" for name in ("joints", "plane") for ending in ("png", "pdf")
    }
    assert "spectrum of mocap_net_3D: left out" in caplog.text and "too few frames" in caplog.text


def test_the_reader_s_own_plots_keep_their_style(sample, tmp_path):
    before = dict(matplotlib.rcParams)
    figures.write_figures(tmp_path, sample.split, sample.scores, sample.cfg)
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("font", ["serif", "sans"])
def test_figures_for_a_paper(sample, tmp_path, caplog, font):
    """A column wide, in the font asked for, methods called as asked for, and the data's path in the caption alone."""
    caplog.set_level(logging.INFO)
    sample.cfg.merge_from_list(
        ["FIGURES.STYLE", "paper", "FIGURES.FONT", font, "FIGURES.NAMES", "SynSP=Ours, gaus1d=Gaussian"]
    )
    paths = figures.write_figures(tmp_path, sample.split, sample.scores, sample.cfg)
    assert {cv2.imread(str(path)).shape[1] for path in paths if path.suffix == ".png"} == {
        round(300 * figure_style.COLUMN)
    }
    assert "caption of figure joints: mocap_noise_3D test" in caplog.text
    found = figures.Scored(sample.split, sample.scores, sample.cfg)
    with matplotlib.rc_context(found.look.settings):
        figure = figures.joints(found)
        family = figure.axes[0].yaxis.label.get_fontname()
        assert figure.get_suptitle() == "" and not figure.axes[0].get_title(loc="left")
        assert {"Ours", "input"} <= {text.get_text() for text in figure.legends[0].get_texts()}
    assert (family == "DejaVu Sans") == (font == "sans" and "DejaVu" in family) and family in figure_style.FONTS[font]


def test_a_filter_alone_is_the_only_one_in_the_plane(scored, root):
    found = scored(
        root / "data" / "poses",
        "mocap",
        "noise",
        "3D",
        "--checkpoint",
        root / "tests" / "reference" / "format_1.pth.tar",
    )
    assert "no filter was asked for" in figures.plane(found)


def test_a_method_has_one_colour():
    """Whatever stands beside it; a second one of a kind gets the next."""
    alone = palette.places([("input", "input"), ("savgol", "filter")])
    among = palette.places(
        [("oneeuro", "filter"), ("gaus1d", "filter"), ("savgol", "filter"), ("offset + savgol", "filter")]
    )
    assert alone["savgol"] == among["savgol"] and len(set(among.values())) == 4
    assert palette.places([("a", "refined"), ("b", "refined"), ("a", "refined")]) == {"a": 0, "b": 1}
    for role, colours in palette.LIGHT.items():
        assert len(set(colours)) == len(colours) == len(set(palette.DARK[role]))
    assert len(palette.LIGHT["filter"]) == len(filters.FILTERS)


@pytest.mark.parametrize("key, value", [("STYLE", "poster"), ("FONT", "mono"), ("NAMES", "SynSP")])
def test_a_style_that_is_none(sample, key, value):
    sample.cfg.FIGURES[key] = value
    with pytest.raises(UserError, match=value):
        figure_style.look_of(sample.cfg)
