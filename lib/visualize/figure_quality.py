"""A network's quality cue over the true error, as a figure (see `figures`)."""

import numpy as np
from scipy import stats

from .figure_errors import DOTS
from .figure_style import COLOURS, TRUTH, figure_of, finished, opacity, small


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
    figure, (left, *rest) = figure_of(scored.look, 3.4, 2 if several else 1, (3, 2))
    colour = scored.styles[network.method.label][0]
    order = np.argsort(pooled, kind="stable")
    shown = order[np.linspace(0, len(order) - 1, min(DOTS, len(order))).astype(int)]
    left.scatter(
        pooled[shown],
        error[shown],
        s=4,
        lw=0,
        color=colour,
        alpha=opacity(shown),
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
    return finished(figure, scored, left)


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
    axes.bar_label(bars, [f"{value:.1f}" for value in means], fontsize=small())
    axes.grid(axis="x", visible=False)
    axes.set(title="input error of the view taken", ylabel=f"MPJPE ({scored.unit})")
