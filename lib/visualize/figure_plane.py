"""Accuracy against smoothness as a figure (see `figures`): the sweeps of filters, the input and networks."""

from dataclasses import replace

import numpy as np
import torch

from ..errors import UserError
from ..evaluation.methods import FilterMethod
from ..filters import registry as filters
from ..poses import metrics
from .figure_spectrum import some
from .figure_style import figure_of, finished

# A filter's sweep is computed on so many frames at most.
SWEEP_FRAMES = {"3D": 20_000, "2D": 20_000, "smpl": 1_500}
SWEEPS = {  # filter -> (its parameter, the values)
    "savgol": ("WINDOW_SIZE", (5, 7, 9, 11, 15, 21, 31, 41, 61)),
    "oneeuro": ("MIN_CUTOFF", (0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28)),
    "gaus1d": ("SIGMA", (0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)),
    "butterworth": ("CUTOFF", (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8)),
    "median+gaussian": ("SIGMA", (0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)),
}
MARKS = {"input": ("X", 8), "refined": ("*", 13), "other": ("s", 5), "filter": ("D", 6)}


def plane(scored):
    """Accuracy against smoothness: the sweep of every filter that was asked for and has a parameter as a curve; the others, the
    input and networks as points.

    A network is worth it where it lies to the left of and below all curves.
    """
    split = scored.split
    if not any(score.method.role == "filter" for score in scored.scores):
        return "no filter was asked for (--tradition all)"
    chosen = some(split, SWEEP_FRAMES[split.representation.name])
    part, places = replace(split, recordings=chosen), _places(split, chosen)
    truths = [scored.judge.joints(view, torch.as_tensor(view.truth), True) for view in part.sequences]
    figure, (axes,) = figure_of(scored.look, 4.2)
    swept = [score for score in scored.scores if score.method.label in SWEEPS]
    for score in swept:
        _curve(axes, scored, score, part, truths)
    if swept:
        axes.plot([], [], "o", mfc="white", mec="#6e7781", mew=1.5, ms=6.5, label="as in the tables")
    labels = []
    for score in scored.scores:
        if score in swept:
            continue
        role, (marker, size) = score.method.role, MARKS[score.method.role]
        mean = [
            np.concatenate([score.per_sequence[place].get(name, np.empty(0)) for place in places]).mean()
            for name in ("accel", "mpjpe")
        ]
        colour, name = scored.styles[score.method.label][0], scored.called(score)
        label = f"{name}, tunes itself" if score.method.label in filters.TUNED else name
        axes.plot(*mean, marker, color=colour, ms=size, mec="white", mew=0.6, zorder=5, label=label)
        if role in ("input", "refined"):
            labels.append((name, mean))
    axes.set_xscale("log")
    _name_points(axes, labels)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(_minor_labels(*axes.get_xlim()))
    axes.tick_params(axis="x", which="minor", pad=5)  # on the line of the longer ticks' numbers
    axes.margins(x=0.08, y=0.08)
    frames = sum(view.length for view in part.sequences)
    on = "" if len(chosen) == len(split.recordings) else f" (on {frames} frames)"
    axes.set(
        xlabel=f"ACCEL ({scored.unit}/frame²), logarithmic" + ("" if scored.look.narrow else ": smoother to the left"),
        ylabel=f"MPJPE ({scored.unit})" + ("" if scored.look.narrow else ": more accurate below"),
        title=f"accuracy and smoothness{on}",
    )
    return finished(figure, scored, axes)


def _name_points(axes, labels):
    """Names [(name, place)] beside their points, towards the middle of the axes."""
    middle = np.exp(np.mean(np.log(axes.get_xlim())))
    for name, place in labels:
        right = place[0] < middle
        beside = dict(xytext=(8 if right else -8, -3), textcoords="offset points", ha="left" if right else "right")
        axes.annotate(name, place, weight="bold", zorder=6, **beside)


def _curve(axes, scored, score, part, truths):
    name = score.method.label
    points, own = sweep(scored, name, part, truths)
    if not points:
        return
    colour, low, high = scored.styles[name][0], points[0][0], points[-1][0]
    word = SWEEPS[name][0].lower().replace("_size", "").replace("_", " ")
    xy = np.array([point[1:] for point in points])
    axes.plot(
        *xy.T, color=colour, marker=".", ms=4, lw=1.3, label=f"{scored.called(score)}, {word} {low:g} to {high:g}"
    )
    axes.plot(*xy[own], "o", mfc="white", mec=colour, mew=1.5, ms=6.5)


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
