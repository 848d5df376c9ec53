"""Figures of errors: against the input's, by joint, and of the acceleration. Each gets a `figures.Scored` and returns a
matplotlib Figure, or the reason why there is none."""

import numpy as np
from scipy import ndimage

from ..evaluation.evaluator import joint_names
from .figure_style import TRUTH, figure_of, finished, opacity, small

DOTS = 4000  # frames of a scatter plot


def bad_frames(scored):
    """Left: every method's error over the input's, in bins of equally many frames; right: the change."""
    before = scored.input.pooled("mpjpe")
    others = scored.scores[1:]
    if len(before) < 20:
        return "too few frames"
    count = min(10, len(before) // 10)
    order = np.argsort(before, kind="stable")
    parts = np.array_split(order, count)
    figure, (left, right) = figure_of(scored.look, 3.6, 2)
    lead = (scored.networks or others)[-1:]
    everything = np.concatenate([before, *(score.pooled("mpjpe") for score in lead)])
    begin, end = np.percentile(everything, [0.1, 99.7]) * [0.95, 1.05]
    right_end = 1.05 * np.percentile(before, 99.7)
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
        fontsize=small(),
        color="#57606a",
        bbox=dict(fc="white", ec="none", alpha=0.7, pad=1.5),
    )
    shown = order[np.linspace(0, len(order) - 1, min(DOTS, len(order))).astype(int)]
    for score in lead:
        colour = scored.styles[score.method.label][0]
        left.scatter(
            before[shown], score.pooled("mpjpe")[shown], s=4, lw=0, color=colour, alpha=opacity(shown), rasterized=True
        )
    x = [before[part].mean() for part in parts]
    for score in others:
        after, (colour, dashes) = score.pooled("mpjpe"), scored.styles[score.method.label]
        line = dict(color=colour, ls=dashes, marker="o", ms=3.5, label=scored.called(score))
        left.plot(x, lines[score.method.label], **line)
        right.plot(np.arange(count) + 1, [(after[part] - before[part]).mean() for part in parts], **line)
    left.set(
        xlim=(begin, right_end),
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
    return finished(figure, scored, left)


def joints(scored):
    """The mean error of every joint with its 95 % interval: input, the best filter, networks."""
    shown = [scored.input, *scored.best_filter, *scored.networks]
    names = [name.replace("_", " ") for name in joint_names(scored.split)]
    figure, (axes,) = figure_of(scored.look, 3.4)
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
            label=scored.called(score) + best,
            color=scored.styles[score.method.label][0],
            yerr=np.maximum([means - low, high - means], 0),
            error_kw=dict(lw=0.8, ecolor=TRUTH),
        )
    axes.set_xticks(
        range(len(names)), names, rotation=60 if scored.look.narrow else 40, ha="right", rotation_mode="anchor"
    )
    axes.grid(axis="x", visible=False)
    axes.set(
        xlim=(-0.6, len(names) - 0.4),
        ylabel=f"MPJPE ({scored.unit})",
        title=f"error of each joint; lines: 95 % intervals over {len(scored.input.lengths)} sequences",
    )
    return finished(figure, scored, axes)


def acceleration(scored):
    """The distribution of the frames' Accel, one row per method, on a logarithmic axis."""
    values = [np.maximum(score.pooled("accel_unpadded"), 1e-6) for score in scored.scores]
    if len(values[0]) < 20:
        return "too few frames"
    low = np.log10(min(np.percentile(value, 0.3) for value in values))
    high = np.log10(max(np.percentile(value, 99.7) for value in values))
    edges = np.linspace(low - 0.1, high + 0.1, 161)
    figure, (axes,) = figure_of(scored.look, 0.95 + 0.42 * len(values))
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
    axes.set_yticks(range(len(values)), [scored.called(score) for score in reversed(scored.scores)])
    axes.grid(axis="y", visible=False)
    axes.set(
        xlim=10 ** edges[[0, -1]],
        ylim=(-0.3, len(values)),
        title="Accel of the frames",
        xlabel=f"error of the acceleration ({scored.unit}/frame²), logarithmic",
    )
    axes.xaxis.set_major_formatter("{x:g}")
    return finished(figure, scored, axes)
