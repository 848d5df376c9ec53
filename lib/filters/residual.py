"""Which cut-off suits a recording: residual analysis after Winter, "Biomechanics and Motor Control of Human Movement", 2009, 3.4.4.3.

What a low-pass takes away is plotted over its cut-off. High up it takes away only noise, which gives a line; continued to 0 Hz the
line tells all the noise there is. The suggestion is where the curve reaches that level: there as much motion is lost as noise is
let through. What gives a line, of white noise exactly, is the squared residual over the share of white noise that the filter lets
through, so that is what is fitted. T frames, K joints, C coordinates, G cut-offs.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import signal

LEAST = 30  # frames
FIRST, STEP = 1.0, 0.25  # Hz
TAIL, LAST = 0.6, 0.95  # the line is fitted between these shares of the Nyquist frequency


@dataclass
class Residuals:
    """cutoffs: [G] Hz; residual: [G, K], root of the mean squared residual a coordinate; line: [G, K], the fitted noise; suggestion and
    noise: [K], in Hz and in the tracks' unit. body_*: the same of all joints together."""

    cutoffs: np.ndarray
    residual: np.ndarray
    line: np.ndarray
    suggestion: np.ndarray
    noise: np.ndarray
    body_residual: np.ndarray
    body_line: np.ndarray
    body_suggestion: float
    body_noise: float


def residual_analysis(tracks, times, order=2):
    """`Residuals` of tracks [T, K, C] at times [T] s under the Butterworth filter of `order` run both ways; None for fewer than
    `LEAST` frames, or at a rate whose Nyquist frequency leaves no room. Missing values are bridged by straight lines."""
    if len(times) < LEAST:
        return None
    step = float(np.median(np.diff(times)))
    nyquist = 0.5 / step
    cutoffs = np.arange(FIRST, LAST * nyquist, STEP)
    tail = cutoffs >= TAIL * nyquist
    if tail.sum() < 3:
        return None
    even = _on_even_clock(np.asarray(tracks, dtype=np.float64), times, step)
    squares, passed = np.empty((len(cutoffs), even.shape[1])), np.empty(len(cutoffs))
    for index, cutoff in enumerate(cutoffs):
        sections = signal.butter(order, cutoff / nyquist, output="sos")
        left = even - signal.sosfiltfilt(sections, even, axis=0, padlen=min(9, len(even) - 1))
        squares[index] = (left**2).mean(axis=(0, 2))
        response = signal.sosfreqz(sections, 512)[1]
        passed[index] = 1 - ((1 - np.abs(response) ** 2) ** 2).mean()
    found = [_suggest(cutoffs, passed, squares[:, joint], tail) for joint in range(squares.shape[1])]
    mean = squares[:, np.isfinite(squares[0])].mean(axis=1) if np.isfinite(squares[0]).any() else squares[:, 0]
    line, suggestion, noise = _suggest(cutoffs, passed, mean, tail)
    return Residuals(
        cutoffs,
        np.sqrt(squares),
        np.stack([one[0] for one in found], axis=1),
        np.array([one[1] for one in found]),
        np.array([one[2] for one in found]),
        np.sqrt(mean),
        line,
        suggestion,
        noise,
    )


def _suggest(cutoffs, passed, squares, tail):
    """(line [G], suggestion in Hz, noise) for squared residuals [G]."""
    if not np.isfinite(squares).all():
        return np.full(len(cutoffs), math.nan), math.nan, math.nan
    slope, intercept = np.polyfit(passed[tail], squares[tail], 1)
    line = np.sqrt(np.maximum(intercept + slope * passed, 0))
    intercept = max(intercept, 0.0)
    below = np.flatnonzero(squares <= intercept)
    if not len(below):
        return line, float(cutoffs[-1]), math.sqrt(intercept)
    first = below[0]
    if first == 0:
        return line, float(cutoffs[0]), math.sqrt(intercept)
    share = (squares[first - 1] - intercept) / (squares[first - 1] - squares[first])
    return line, float(cutoffs[first - 1] + share * (cutoffs[first] - cutoffs[first - 1])), math.sqrt(intercept)


def _on_even_clock(tracks, times, step):
    """tracks at an even clock of that step; NaN bridged, a joint without two samples stays NaN."""
    clock = times[0] + step * np.arange(int(round((times[-1] - times[0]) / step)) + 1)
    out = np.full((len(clock), *tracks.shape[1:]), math.nan)
    for joint in range(tracks.shape[1]):
        seen = np.isfinite(tracks[:, joint]).all(axis=-1)
        if seen.sum() > 1:
            for axis in range(tracks.shape[2]):
                out[:, joint, axis] = np.interp(clock, times[seen], tracks[seen, joint, axis])
    return out
