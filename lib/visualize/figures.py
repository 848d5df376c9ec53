"""Figures of an evaluation, as a paper shows them: PNG to look at, PDF (vectors, editable text) to print.

`write_figures` draws the figures that apply and logs one line for each that does not. Each figure is a function that gets
`Scored` and returns a matplotlib Figure, or the reason why there is none.
"""

import io
from dataclasses import dataclass, replace
from functools import cached_property

import matplotlib
import numpy as np
import torch
from matplotlib.figure import Figure
from scipy import ndimage, signal, stats

from ..errors import UserError
from ..evaluation.evaluator import joint_names
from ..evaluation.methods import FilterMethod
from ..files import write_bytes
from ..filters import registry as filters
from ..messages import logger
from ..poses import metrics
from . import palette

log = logger(__name__)

COLOURS = palette.LIGHT
# Lines differ in dashes too.
DASHES = {"input": "-", "filter": (0, (5, 2)), "refined": "-", "other": (0, (1, 1.5))}
TRUTH = COLOURS["truth"][0]
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.labelsize": 9,
    "legend.fontsize": 8.5,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e1e4e8",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "pdf.fonttype": 42,
    "figure.constrained_layout.use": True,
    "savefig.dpi": 200,
}
WIDTH = 7.2  # inches: both columns of a paper

DOTS = 4000  # frames of a scatter plot
# What is computed again for a figure is of so many frames at most: a filter's sweep, and all methods for the
# spectrum.
SWEEP_FRAMES = {"3D": 20_000, "2D": 20_000, "smpl": 1_500}
SPECTRUM_FRAMES = {"3D": 4_000, "2D": 4_000, "smpl": 1_500}
SWEEPS = {  # filter -> (its parameter, the values)
    "savgol": ("WINDOW_SIZE", (5, 7, 9, 11, 15, 21, 31, 41, 61)),
    "oneeuro": ("MIN_CUTOFF", (0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28)),
    "gaus1d": ("SIGMA", (0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)),
    "butterworth": ("CUTOFF", (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8)),
    "median+gaussian": ("SIGMA", (0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)),
}


@dataclass
class Scored:
    """What figures are made of: a `sequences.Split`, its [Scores] (the input's first) and the config."""

    split: object
    scores: list
    cfg: object

    @property
    def unit(self):
        return self.split.representation.unit

    @property
    def input(self):
        return self.scores[0]

    @property
    def networks(self):
        return [score for score in self.scores if score.method.role == "refined"]

    @property
    def best_filter(self):
        """[the filter's Scores with the smallest MPJPE], or []."""
        found = [score for score in self.scores if score.method.role == "filter"]
        return sorted(found, key=lambda score: score.means["mpjpe"])[:1]

    @property
    def judge(self):
        return self.input.judge

    @cached_property
    def styles(self):
        """{method's label: (colour, dashes)}."""
        found, used = {}, {}
        for score in self.scores:
            key = score.method.role
            colours = COLOURS[key]
            if key == "filter":  # a filter has its colour in every figure of every run
                place = list(filters.FILTERS).index(score.method.label)
            else:
                place = used[key] = used.get(key, -1) + 1
            found[score.method.label] = (colours[place % len(colours)], DASHES[key])
        return found

    @property
    def heading(self):
        body = f", {self.judge.body.name} body" if self.judge.body is not None else ""
        return f"{self.split.source} test, {self.input.frames} frames{body}"


def write_figures(folder, split, scores, cfg):
    """Write every figure that applies as folder/<dataset>_<figure>.png and .pdf; returns the paths.

    split, scores: a `sequences.Split` and its [Scores], the input's first (lib/evaluation/evaluator.py).
    """
    scored, written = Scored(split, scores, cfg), []
    with matplotlib.rc_context(STYLE):
        for name, draw in FIGURES.items():
            figure = draw(scored)
            if isinstance(figure, str):
                log.info("figure %s of %s: left out, %s", name, split.source, figure)
                continue
            for ending in ("png", "pdf"):
                path = folder / f"{split.source}_{name}.{ending}"
                # Without a date the same numbers make the same file.
                undated = {"CreationDate": None} if ending == "pdf" else None
                drawn = io.BytesIO()  # a PDF that meets a full disk would fail twice, the second time without a cause
                figure.savefig(drawn, format=ending, metadata=undated)
                write_bytes(path, drawn.getbuffer())
                written.append(path)
    return written


# ------------------------------------------------------------------------------ error against input error


def bad_frames(scored):
    """Left: every method's error over the input's, in bins of equally many frames; right: the change."""
    before = scored.input.pooled("mpjpe")
    others = scored.scores[1:]
    if len(before) < 20:
        return "too few frames"
    count = min(10, len(before) // 10)
    order = np.argsort(before, kind="stable")
    parts = np.array_split(order, count)
    figure = Figure((WIDTH, 3.6))
    left, right = figure.subplots(1, 2)
    lead = (scored.networks or others)[-1:]
    everything = np.concatenate([before, *(score.pooled("mpjpe") for score in lead)])
    begin, end = np.percentile(everything, [0.1, 99.7]) * [0.95, 1.05]
    lines = {score.method.label: [score.pooled("mpjpe")[part].mean() for part in parts] for score in others}
    end = max(end, 1.05 * max(map(max, lines.values()), default=0))
    left.fill_between([begin, end], [begin, end], [begin, begin], color="#eef4f8", zorder=0, lw=0)
    left.plot([begin, end], [begin, end], color=TRUTH, lw=0.8)
    left.annotate(
        "better than the input",
        (0.97, 0.03),
        xycoords="axes fraction",
        ha="right",
        va="bottom",
        fontsize=8.5,
        color="#57606a",
        bbox=dict(fc="white", ec="none", alpha=0.7, pad=1.5),
    )
    shown = order[np.linspace(0, len(order) - 1, min(DOTS, len(order))).astype(int)]
    for score in lead:
        colour = scored.styles[score.method.label][0]
        left.scatter(
            before[shown], score.pooled("mpjpe")[shown], s=4, lw=0, color=colour, alpha=_opacity(shown), rasterized=True
        )
    x = [before[part].mean() for part in parts]
    for score in others:
        after, (colour, dashes) = score.pooled("mpjpe"), scored.styles[score.method.label]
        line = dict(color=colour, ls=dashes, marker="o", ms=3.5, label=score.method.label)
        left.plot(x, lines[score.method.label], **line)
        right.plot(np.arange(count) + 1, [(after[part] - before[part]).mean() for part in parts], **line)
    left.set(
        xlim=(begin, end),
        ylim=(begin, end),
        xlabel=f"input MPJPE of a frame ({scored.unit})",
        ylabel=f"MPJPE of the same frame ({scored.unit})",
        title="error against input error",
    )
    right.axhline(0, color=TRUTH, lw=0.8)
    bins = "tenths" if count == 10 else f"{count} parts"
    right.set(
        xlabel=f"frames by input error, best to worst ({bins})",
        ylabel=f"mean change of MPJPE ({scored.unit})",
        title="below 0: the frames got better",
        xticks=np.arange(count) + 1,
    )
    return _finished(figure, scored, left)


# --------------------------------------------------------------------------------------------- joints


def joints(scored):
    """The mean error of every joint with its 95 % interval: input, the best filter, networks."""
    shown = [scored.input, *scored.best_filter, *scored.networks]
    names = [name.replace("_", " ") for name in joint_names(scored.split)]
    figure = Figure((WIDTH, 3.4))
    axes = figure.subplots()
    width = 0.8 / len(shown)
    for k, score in enumerate(shown):
        means = score.joints
        rng = np.random.default_rng([scored.cfg.SEED_VALUE, len(score.lengths)])  # as in metrics.json
        low, high = score.joint_intervals(rng).T
        best = " (best filter)" if score.method.role == "filter" else ""
        axes.bar(
            np.arange(len(names)) + (k - (len(shown) - 1) / 2) * width,
            means,
            0.92 * width,
            label=score.method.label + best,
            color=scored.styles[score.method.label][0],
            yerr=np.maximum([means - low, high - means], 0),
            error_kw=dict(lw=0.8, ecolor=TRUTH),
        )
    axes.set_xticks(range(len(names)), names, rotation=40, ha="right", rotation_mode="anchor")
    axes.grid(axis="x", visible=False)
    axes.set(
        xlim=(-0.6, len(names) - 0.4),
        ylabel=f"MPJPE ({scored.unit})",
        title=f"error of each joint; lines: 95 % intervals over {len(scored.input.lengths)} sequences",
    )
    return _finished(figure, scored, axes)


# --------------------------------------------------------------------------------------- acceleration


def acceleration(scored):
    """The distribution of the frames' Accel, one row per method, on a logarithmic axis."""
    values = [np.maximum(score.pooled("accel_unpadded"), 1e-6) for score in scored.scores]
    if len(values[0]) < 20:
        return "too few frames"
    low = np.log10(min(np.percentile(value, 0.3) for value in values))
    high = np.log10(max(np.percentile(value, 99.7) for value in values))
    edges = np.linspace(low - 0.1, high + 0.1, 161)
    figure = Figure((WIDTH, 0.95 + 0.42 * len(values)))
    axes = figure.subplots()
    for row, (score, value) in enumerate(zip(scored.scores, values)):
        height = ndimage.gaussian_filter1d(np.histogram(np.log10(value), edges)[0].astype(float), 3)
        colour, place = scored.styles[score.method.label][0], len(values) - 1 - row
        middle = 10 ** ((edges[1:] + edges[:-1]) / 2)
        axes.fill_between(
            middle, place, place + 0.82 * height / max(height.max(), 1e-9), color=colour, alpha=0.55, lw=0
        )
        quarter, median, third = np.percentile(value, [25, 50, 75])
        axes.plot([quarter, third], [place - 0.06] * 2, color=colour, lw=2.5, solid_capstyle="butt")
        axes.plot(median, place - 0.06, "o", color=TRUTH, ms=4)
        axes.plot(value.mean(), place - 0.06, "D", mfc="white", mec=TRUTH, ms=4)
    axes.plot([], [], "o", color=TRUTH, ms=4, label="median")
    axes.plot([], [], "D", mfc="white", mec=TRUTH, ms=4, label="mean")
    axes.plot([], [], color="#6e7781", lw=2.5, label="middle half of the frames")
    axes.set_xscale("log")
    axes.set_yticks(range(len(values)), [score.method.label for score in reversed(scored.scores)])
    axes.grid(axis="y", visible=False)
    axes.set(
        xlim=10 ** edges[[0, -1]],
        ylim=(-0.3, len(values)),
        title="Accel of the frames",
        xlabel=f"error of the acceleration ({scored.unit}/frame²), logarithmic",
    )
    axes.xaxis.set_major_formatter("{x:g}")
    return _finished(figure, scored, axes)


# ------------------------------------------------------------------------------------------- spectrum


def spectrum(scored):
    """The power spectrum of the input's worst joint, before and after: where in frequency the jitter was."""
    split, worst = scored.split, int(np.argmax(scored.input.joints))
    chosen = _some(split, SPECTRUM_FRAMES[split.representation.name])
    runs = [_longest_run(view) for recording in chosen for view in recording.views]
    # The longest piece that fits into runs which hold at least half of the frames.
    held = {n: sum(len(run) for run in runs if len(run) >= n) for n in (128, 64, 32, 16)}
    length = next((n for n, frames in held.items() if 2 * frames >= sum(map(len, runs))), 0)
    if not length:
        return "its sequences are too short"
    rate = scored.cfg.DATASET.FPS or 1.0
    tracks = _joint_tracks(scored, replace(split, recordings=chosen), worst)
    figure = Figure((WIDTH, 3.6))
    axes = figure.subplots()
    floor, strong = np.inf, {score.method.label for score in scored.scores if score.method.role == "filter"}
    for label, found in tracks.items():
        frequency, power = _power(found, runs, rate, length)
        colour, dashes = scored.styles.get(label, (TRUTH, (0, (2, 1.5))))
        axes.semilogy(frequency, power, color=colour, ls=dashes, label=label)
        if label not in strong:
            floor = min(floor, power.min())
    if 0 < floor < np.inf:  # filters go far below the motion itself, which would press all else flat
        axes.set_ylim(bottom=0.1 * floor)
    name = joint_names(split)[worst].replace("_", " ")
    unit, per = ("Hz", "/Hz") if scored.cfg.DATASET.FPS else ("cycles per frame", " frame")
    frames = held[length]
    axes.set(
        xlabel=f"frequency ({unit})",
        ylabel=f"power ({scored.unit}²{per})",
        xlim=(0, rate / 2),
        title=f"motion of the {name}, the input's worst joint ({frames} frames)",
    )
    return _finished(figure, scored, axes)


def _joint_tracks(scored, part, joint):
    """{method: [T, D] of one joint in each sequence of a split}, the ground truth last."""
    tracks = {}
    for score in scored.scores:
        if score.method.role != "other":
            raws = [raw for found in score.method(part) for raw in found]
            tracks[score.method.label] = [
                scored.judge.joints(view, raw)[:, joint] for view, raw in zip(part.sequences, raws)
            ]
    tracks["ground truth"] = [
        scored.judge.joints(view, torch.as_tensor(view.truth), True)[:, joint] for view in part.sequences
    ]
    return tracks


def _power(tracks, runs, rate, length):
    """(frequencies, power) of tracks [T, D], the mean over runs of at least `length` frames by their length."""
    power, weight = 0.0, 0
    for track, run in zip(tracks, runs):
        if len(run) >= length:
            frequency, density = signal.welch(track.double().numpy()[run], rate, nperseg=length, axis=0)
            power, weight = power + density.sum(1) * len(run), weight + len(run)
    # The mean is taken off each piece: there is no power at frequency 0.
    return frequency[1:], power[1:] / weight


def _some(split, frames):
    """At least one recording, spread over the split, with about `frames` frames at most, views together."""
    sizes = [sum(view.length for view in recording.views) for recording in split.recordings]
    share = min(1.0, frames / sum(sizes))
    count = max(1, int(len(sizes) * share))
    return [split.recordings[place] for place in np.unique(np.linspace(0, len(sizes) - 1, count).astype(int))]


def _longest_run(view):
    """The longest run of frames that count, as frame numbers."""
    if view.counted is None:
        return np.arange(view.length)
    numbers = np.flatnonzero(view.counted)
    pieces = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)
    return max(pieces, key=len)


# ---------------------------------------------------------------------------- accuracy against smoothness


def plane(scored):
    """Accuracy against smoothness: the sweep of every filter with a parameter as a curve, the others, the input and networks as
    points.

    A network is worth it where it lies to the left of and below all curves.
    """
    split = scored.split
    chosen = _some(split, SWEEP_FRAMES[split.representation.name])
    part, places = replace(split, recordings=chosen), _places(split, chosen)
    truths = [scored.judge.joints(view, torch.as_tensor(view.truth), True) for view in part.sequences]
    figure = Figure((WIDTH, 4.2))
    axes = figure.subplots()
    for k, name in enumerate(filters.FILTERS):
        if name in filters.TUNED:
            point = _measured(FilterMethod(name, scored.cfg), scored, part, truths)
            axes.plot(
                *point,
                "D",
                color=COLOURS["filter"][k],
                mec="white",
                mew=0.6,
                ms=6,
                zorder=4,
                label=f"{name}, tunes itself",
            )
            continue
        points, own = sweep(scored, name, part, truths)
        if not len(points):
            continue
        colour = COLOURS["filter"][k]
        low, high = points[0][0], points[-1][0]
        word = SWEEPS[name][0].lower().replace("_size", "").replace("_", " ")
        xy = np.array([point[1:] for point in points])
        axes.plot(*xy.T, color=colour, marker=".", ms=4, lw=1.3, label=f"{name}, {word} {low:g} to {high:g}")
        axes.plot(*xy[own], "o", mfc="white", mec=colour, mew=1.5, ms=6.5)
    axes.plot([], [], "o", mfc="white", mec="#6e7781", mew=1.5, ms=6.5, label="as in the tables")
    labels, marks = [], {"input": ("X", 8), "refined": ("*", 13), "other": ("s", 5)}
    for score in scored.scores:
        if score.method.role == "filter":
            continue
        marker, size = marks[score.method.role]
        mean = [
            np.concatenate([score.per_sequence[place].get(name, np.empty(0)) for place in places]).mean()
            for name in ("accel", "mpjpe")
        ]
        axes.plot(
            *mean,
            marker,
            color=scored.styles[score.method.label][0],
            ms=size,
            mec="white",
            mew=0.6,
            zorder=5,
            label=score.method.label,
        )
        if score.method.role != "other":
            labels.append((score.method.label, mean))
    axes.set_xscale("log")
    middle = np.exp(np.mean(np.log(axes.get_xlim())))
    for label, mean in labels:
        right = mean[0] < middle
        axes.annotate(
            label,
            mean,
            xytext=(8 if right else -8, -3),
            textcoords="offset points",
            fontsize=9,
            weight="bold",
            ha="left" if right else "right",
            zorder=6,
        )
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(_minor_labels(*axes.get_xlim()))
    axes.tick_params(axis="x", which="minor", pad=5)  # on the line of the longer ticks' numbers
    axes.margins(x=0.08, y=0.08)
    frames = sum(view.length for view in part.sequences)
    some = "" if len(chosen) == len(split.recordings) else f" (on {frames} frames)"
    axes.set(
        xlabel=f"ACCEL ({scored.unit}/frame²), logarithmic: smoother to the left",
        ylabel=f"MPJPE ({scored.unit}): more accurate below",
        title=f"accuracy and smoothness{some}",
    )
    return _finished(figure, scored, axes)


def _minor_labels(low, high):
    """A formatter of minor ticks of a logarithmic axis: more of them the fewer decades it spans."""
    labelled = (2, 3, 5) if high > 8 * low else (2, 3, 4, 5, 6, 8)
    return lambda value, _: f"{value:g}" if round(value / 10 ** np.floor(np.log10(value))) in labelled else ""


def _places(split, chosen):
    """Places of the chosen recordings' views among all sequences of the split."""
    kept, places, first = {id(recording) for recording in chosen}, [], 0
    for recording in split.recordings:
        if id(recording) in kept:
            places.extend(range(first, first + len(recording.views)))
        first += len(recording.views)
    return places


def sweep(scored, name, split, truths):
    """One filter at many values of its parameter: ([(value, ACCEL, MPJPE)], place of the configured value).

    truths: joints [T, J, D] of every sequence of `split`, as the judge compares them.
    """
    key, values = SWEEPS[name]
    section = filters.section(name)
    configured = scored.cfg.EVALUATE[section][key]
    found = []
    for value in sorted({*values, configured}):
        cfg = scored.cfg.clone()
        cfg.EVALUATE[section][key] = value
        try:
            method = FilterMethod(name, cfg)
        except UserError:  # a window shorter than the configured order
            continue
        found.append((value, *_measured(method, scored, split, truths)))
    return found, next((place for place, point in enumerate(found) if point[0] == configured), 0)


def _measured(method, scored, split, truths):
    """(ACCEL, MPJPE) of a method on a split."""
    pooled = {"accel": [], "mpjpe": []}
    raws = (raw for views in method(split) for raw in views)
    for view, raw, truth in zip(split.sequences, raws, truths):
        joints = scored.judge.joints(view, raw)
        inner = metrics.accel_unpadded(joints, truth)
        counted = slice(None) if view.counted is None else torch.from_numpy(view.counted)
        pooled["mpjpe"].append(metrics.mpjpe(joints, truth)[counted])
        pooled["accel"].append(metrics.padded(inner, len(joints))[counted])
    return tuple(float(torch.cat(pooled[metric]).mean()) for metric in ("accel", "mpjpe"))


# ---------------------------------------------------------------------------------------- quality cue


def quality(scored):
    """Left: the network's quality cue over the true error of the detection; right: of several views, what
    choosing by the cue gives."""
    having = [score for score in scored.networks if any(cue is not None for cue in score.cues)]
    network = having[-1] if having else None
    if network is None:
        return "no network with a quality cue was scored"
    views, errors = scored.split.sequences, [values["mpjpe"] for values in scored.input.per_sequence]
    cues = [cue if view.counted is None else cue[view.counted] for cue, view in zip(network.cues, views)]
    pooled, error = np.concatenate(cues), np.concatenate(errors)
    if len(pooled) < 20 or np.ptp(np.percentile(pooled, [1, 99])) < 1e-3:
        return f"the cue of {network.method.label} needs several views"
    several = any(len(recording.views) > 1 for recording in scored.split.recordings)
    figure = Figure((WIDTH, 3.4))
    left, *rest = figure.subplots(1, 2, width_ratios=(3, 2)) if several else [figure.subplots()]
    colour = scored.styles[network.method.label][0]
    order = np.argsort(pooled, kind="stable")
    shown = order[np.linspace(0, len(order) - 1, min(DOTS, len(order))).astype(int)]
    left.scatter(
        pooled[shown],
        error[shown],
        s=4,
        lw=0,
        color=colour,
        alpha=_opacity(shown),
        rasterized=True,
        label="a frame of a view",
    )
    parts = np.array_split(order, min(20, len(order) // 10))
    x = [pooled[part].mean() for part in parts]
    low, middle, high = np.array([np.percentile(error[part], [25, 50, 75]) for part in parts]).T
    left.fill_between(x, low, high, color=colour, alpha=0.25, lw=0)
    left.plot(x, middle, color=TRUTH, marker="o", ms=3, label="median and middle half")
    rank = stats.spearmanr(pooled, error).statistic
    left.set(
        xlim=np.percentile(pooled, [0.3, 99.7]),
        ylim=(0, np.percentile(error, 99.5)),
        xlabel="quality cue",
        ylabel=f"input MPJPE ({scored.unit})",
        title=f"cue and true error: rank correlation {rank:.2f}".replace("-", "−"),
    )
    if rest:
        _choosing(rest[0], scored, network)
    return _finished(figure, scored, left)


def _choosing(axes, scored, network):
    """Bars: the mean input error of the view taken at each moment: any, the highest cue's, the truly best."""
    sums, frames, first = np.zeros(3), 0, 0
    for recording in scored.split.recordings:
        places = range(first, first + len(recording.views))
        first += len(recording.views)
        if len(places) < 2:
            continue
        errors, cues = (np.full((len(places), recording.views[0].length), np.nan) for _ in range(2))
        for row, place in enumerate(places):
            there = slice(None) if recording.views[row].counted is None else recording.views[row].counted
            errors[row, there] = scored.input.per_sequence[place]["mpjpe"]
            cues[row, there] = network.cues[place][there]
        errors, cues = (values[:, np.isfinite(errors).sum(0) > 1] for values in (errors, cues))
        if not errors.shape[1]:
            continue
        chosen = errors[np.where(np.isfinite(cues), cues, -np.inf).argmax(0), np.arange(errors.shape[1])]
        sums += [np.nanmean(errors, 0).sum(), chosen.sum(), np.nanmin(errors, 0).sum()]
        frames += errors.shape[1]
    means = sums / max(frames, 1)
    bars = axes.bar(
        ("mean of\nviews", "highest\ncue", "truly\nbest"),
        means,
        0.6,
        color=(COLOURS["input"][0], scored.styles[network.method.label][0], "#a0a7ae"),
    )
    axes.bar_label(bars, [f"{value:.1f}" for value in means], fontsize=8.5)
    axes.grid(axis="x", visible=False)
    axes.set(title="input error of the view taken", ylabel=f"MPJPE ({scored.unit})")


# --------------------------------------------------------------------------------------------- common


def _opacity(dots):
    """Of scattered dots: a few are seen, and many still show where they are dense."""
    return float(np.clip(10 / np.sqrt(len(dots)), 0.15, 0.6))


def _finished(figure, scored, axes):
    """The figure with its heading and, below it, a legend of the labels in `axes`."""
    figure.suptitle(scored.heading, fontsize=10, x=0.01, ha="left", weight="bold")
    handles, labels = axes.get_legend_handles_labels()
    columns = _columns(labels)
    legend = figure.legend(handles, labels, loc="outside lower center", ncols=columns)
    for handle in legend.legend_handles:  # dots of a scatter plot are faint and small
        handle.set_alpha(1)
        if hasattr(handle, "set_sizes"):
            handle.set_sizes([20])
    rows = -(-len(labels) // columns)
    width, height = figure.get_size_inches()
    # Or the legend's rows would press the axes flat.
    figure.set_size_inches(width, height + 0.19 * (rows - 1))
    return figure


def _columns(labels, room=104):
    """The most columns of a legend whose labels fit into `room` letters; it is filled column by column."""
    for count in range(len(labels), 1, -1):
        columns = np.array_split(np.array([len(label) for label in labels]), count)
        if sum(column.max() + 9 for column in columns) <= room:
            return count
    return 1


FIGURES = {
    "bad_frames": bad_frames,
    "joints": joints,
    "accel": acceleration,
    "spectrum": spectrum,
    "plane": plane,
    "quality": quality,
}
