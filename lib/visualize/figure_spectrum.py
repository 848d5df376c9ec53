"""The power spectrum of a joint's motion, before and after, as a figure (see `figures`)."""

from dataclasses import replace

import numpy as np
import torch
from scipy import signal

from ..evaluation.evaluator import joint_names
from .figure_style import TRUTH, figure_of, finished

# What is computed again for this figure, by all methods, is of so many frames at most.
SPECTRUM_FRAMES = {"3D": 4_000, "2D": 4_000, "smpl": 1_500}


def spectrum(scored):
    """The power spectrum of the input's worst joint, before and after: where in frequency the jitter was."""
    split, worst = scored.split, int(np.argmax(scored.input.joints))
    chosen = some(split, SPECTRUM_FRAMES[split.representation.name])
    runs = [_longest_run(view) for recording in chosen for view in recording.views]
    # The longest piece that fits into runs which hold at least half of the frames.
    held = {n: sum(len(run) for run in runs if len(run) >= n) for n in (128, 64, 32, 16)}
    length = next((n for n, frames in held.items() if 2 * frames >= sum(map(len, runs))), 0)
    if not length:
        return "its sequences are too short"
    rate = scored.cfg.DATASET.FPS or 1.0
    tracks = _joint_tracks(scored, replace(split, recordings=chosen), worst)
    figure, (axes,) = figure_of(scored.look, 3.6)
    floor, strong = np.inf, {score.method.label for score in scored.scores if score.method.role == "filter"}
    for label, found in tracks.items():
        frequency, power = _power(found, runs, rate, length)
        colour, dashes = scored.styles.get(label, (TRUTH, (0, (2, 1.5))))
        axes.semilogy(frequency, power, color=colour, ls=dashes, label=scored.look.called(label))
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
    return finished(figure, scored, axes)


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


def some(split, frames):
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
