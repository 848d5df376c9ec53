"""How noisy poses are, told from the poses alone: white jitter, and how far bone lengths wander.

T frames, K joints, C coordinates, B bones. Missing values are NaN; results are in the tracks' unit, NaN where nothing can be said.
"""

import math
from dataclasses import dataclass

import numpy as np

from .penalised import Whittaker, differences

# Motion is smooth, jitter is not: in differences of this order next to nothing of the motion is left (at 30 Hz).
ORDER = 5
LEAST = 10  # differences, or frames of a bone, from which something is said
NORMAL = 1.4826  # standard deviations of a normal distribution in its median absolute deviation
SLOW = 1.0  # Hz; bone lengths are looked at below it, where jitter has hardly any part


@dataclass
class Measured:
    """jitter: [K], the standard deviation of white errors a coordinate; wander: [B], that of the slow errors of bone lengths, jitter's
    part taken off; missing: [K], the share of frames without the joint."""

    jitter: np.ndarray
    wander: np.ndarray
    missing: np.ndarray


def measure(tracks, times, bones=(), parts=None):
    """What tracks [T, K, C] at times [T] s say of their errors; bones: pairs of joints whose distance is constant (3D) in each of
    `parts`, slices of frames, as another person's may follow (None: in all frames)."""
    found = jitter(tracks, times)
    missing = 1 - np.isfinite(tracks).all(axis=-1).mean(axis=0) if len(tracks) else np.ones(tracks.shape[1])
    return Measured(found, _wander_in(parts, tracks, times, bones, found), missing)


def jitter(tracks, times):
    """The standard deviation of white errors of each joint, a coordinate: [K].

    The median absolute deviation of fifth differences (divided ones where times are uneven), which fast motion and outliers hardly
    move. Errors that an estimator has smoothed itself show little of this jitter.
    """
    tracks = np.asarray(tracks, dtype=np.float64)
    found = np.full(tracks.shape[1], math.nan)
    if len(tracks) < ORDER + LEAST:
        return found
    frames = (times - times[0]) / np.median(np.diff(times))
    rows = differences(frames, ORDER)
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    windows = np.lib.stride_tricks.sliding_window_view(tracks, ORDER + 1, axis=0)
    left = np.einsum("tkcw,tw->tkc", windows, rows)
    whole = frames[ORDER:] - frames[:-ORDER] < 2 * ORDER  # not across a gap
    for joint in range(tracks.shape[1]):
        values = left[whole, joint]
        values = values[np.isfinite(values).all(axis=-1)]
        if len(values) >= LEAST:
            found[joint] = NORMAL * np.median(np.abs(values))
    return found


def _wander_in(parts, tracks, times, bones, jitter):
    """`bone_wander` of each of `parts` (None: of all frames as one), their mean square by the bone's frames in them: [B]."""
    squares, frames = np.zeros(len(bones)), np.zeros(len(bones))
    for part in [slice(None)] if parts is None else parts:
        found = bone_wander(tracks[part], times[part], bones, jitter)
        seen = np.isfinite(tracks[part]).all(axis=-1)
        count = np.array([(seen[:, one] & seen[:, other]).sum() for one, other in bones], dtype=float)
        count[np.isnan(found)] = 0
        squares += count * np.nan_to_num(found) ** 2
        frames += count
    return np.sqrt(np.where(frames > 0, squares / np.maximum(frames, 1), math.nan))


def bone_wander(tracks, times, bones, jitter):
    """The standard deviation of the slow part of each bone's length, less what white jitter [K] makes of it: [B].

    0 for bodies whose bones are constant, whatever their jitter: what is left are errors that no low-pass takes out.
    """
    tracks, found = np.asarray(tracks, dtype=np.float64), np.full(len(bones), math.nan)
    for index, (one, other) in enumerate(bones):
        lengths = np.linalg.norm(tracks[:, one] - tracks[:, other], axis=-1)
        seen = np.isfinite(lengths)
        if seen.sum() < LEAST:
            continue
        smoother = Whittaker(times, weights=seen.astype(float))
        lam = float(smoother.lam_at(SLOW))
        slow = smoother.fit(np.where(seen, lengths, 0.0)[None], lam)[0, seen]
        passed = (smoother.gain(np.linspace(0, math.pi, 513), lam) ** 2).mean()
        white = passed * (jitter[one] ** 2 + jitter[other] ** 2)
        found[index] = math.sqrt(max(slow.var() - (0 if math.isnan(white) else white), 0))
    return found
