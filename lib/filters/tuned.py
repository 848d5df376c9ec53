"""Filters that find their own smoothness: tracks [T, K, C] at times [T] in seconds in, `Smoothed` out.

Smoothness is chosen for each joint (its coordinates share it), or for each group of joints that is passed in. Missing values
are NaN (a joint with a NaN coordinate is missing in that frame) and stay missing. A joint with fewer than `LEAST` samples
passes through. T frames, K joints, C coordinates.
"""

import math
from dataclasses import dataclass

import numpy as np

from .penalised import CubicSpline, Whittaker

LEAST = 5  # samples below which there is nothing to tune
LOWEST = 0.3  # Hz, the lowest cut-off tried
# The lowest and highest cut-off as shares of the rate: below, banded solves lose digits; above, nothing is smoothed.
SHARES = (1 / 200, 0.6)
TRIED = 18  # cut-offs
# Frames that smoothness is chosen by. Of longer recordings these are taken in blocks, evenly spread.
FRAMES, BLOCK = 2000, 250
# Cross-validation takes errors that are correlated in time for motion; likelihood takes abrupt motion for errors. On training clips
# (docs/accuracy.md) the lower cut-off of both, likelihood's raised by this, was within 5 % of the better one.
ABOVE_ML = 1.3
# Errors that a curve by `gcv` leaves, as a multiple of the jitter that is known: beyond it there is motion among them.
MOTION = 1.7


@dataclass
class Smoothed:
    """values: [T, K, C]; cutoff: [K], the half-power frequency in Hz that the smoothing amounts to (Nyquist: none); noise: [K],
    the standard deviation of the errors, a coordinate, in the tracks' unit (NaN where unknown); sigma: [T, K], that of the smoothed
    values if errors are white as the filter takes them, NaN where missing or unknown, or None."""

    values: np.ndarray
    cutoff: np.ndarray
    noise: np.ndarray
    sigma: np.ndarray | None = None


def gcv(tracks, times, groups=None, robust=1.0, jitter=None):
    """Cubic smoothing splines, smoothness by generalised cross-validation.

    Craven & Wahba, Numer. Math. 31, 1979. It takes all errors for white: correlated ones are left in. robust: below 1, for choices that
    err less often on the rough side (Lukas, Inverse Problems 22, 2006, gamma). jitter: [K], the standard deviation of the errors, where
    they are known to be white: where a curve leaves `MOTION` times as much, as of a leap in a short recording, Mallows' Cp is heard too.
    """
    return smoothed(tracks, times, "gcv", groups, order=None, robust=robust, jitter=jitter)


def whittaker(tracks, times, groups=None, weights=None, order=3, by="gcv", noise=None):
    """Whittaker smoothing of `order` 2 or 3. weights: [T, K], 0 or NaN where missing, 1 for a full sample.

    by: gcv, ml (restricted maximum likelihood) or both (the lower cut-off); noise: [K], the known errors' standard
    deviation a coordinate, by which then Mallows' Cp chooses instead.
    """
    return smoothed(tracks, times, by, groups, order, weights, noise)


def self_tuned(tracks, times, groups=None, weights=None):
    """The choice among these that holds for white and for correlated errors: Whittaker, by cross-validation and likelihood."""
    return smoothed(tracks, times, "both", groups, 3, weights)


def smoothed(tracks, times, by, groups=None, order=3, weights=None, noise=None, robust=1.0, jitter=None):
    """`whittaker` with order 2 or 3, or with order None the cubic spline, which takes no weights but missing ones; robust, jitter: of
    `gcv`."""
    tracks, times = np.asarray(tracks, dtype=np.float64), np.asarray(times, dtype=np.float64)
    frames, joints, coordinates = tracks.shape
    weights = sample_weights(tracks, weights)
    nyquist = 0.5 / np.median(np.diff(times)) if frames > 1 else math.nan
    unknown = np.full(joints, math.nan)
    result = Smoothed(tracks.copy(), np.full(joints, nyquist), unknown, np.full(weights.shape, math.nan))
    able = (weights > 0).sum(axis=0) >= LEAST
    if not able.any():
        return result
    tried = cutoffs(times)
    series = time_last(tracks, weights)
    table = Criteria.of(series, times, weights, able, tried, order)
    chosen = np.full(joints, math.nan)
    for group in groups or [[joint] for joint in range(joints)]:
        group = [joint for joint in group if able[joint]]
        if group:
            chosen[group] = table.choose(group, tried, by, noise, robust)
            if jitter is not None:
                chosen[group] = table.with_motion(group, tried, chosen[group[0]], jitter)
    able &= np.isfinite(chosen)
    for alike in _alike(weights, np.flatnonzero(able)):
        smoother, rows = _smoother(times, weights[:, alike[0]], order)
        weight = weights[rows, alike[0]]
        for joint in alike:
            lam = float(smoother.lam_at(chosen[joint]))
            values = series[joint][:, rows]
            fitted = smoother.fit(values, lam)
            left = (weight * (values - fitted) ** 2).sum() / (coordinates * smoother.known)
            freedom = table.share_of_freedom(joint, chosen[joint], tried)
            series[joint][:, rows] = fitted
            result.noise[joint] = math.sqrt(left / (1 - freedom))
            # On the average over the curve (Wahba, J. R. Statist. Soc. B 45, 1983).
            result.sigma[weights[:, joint] > 0, joint] = result.noise[joint] * math.sqrt(freedom)
            result.cutoff[joint] = smoother.cutoff_of(lam)
    result.values = np.where((able & (weights > 0))[..., None], series.transpose(2, 0, 1), tracks)
    return result


def sample_weights(tracks, weights=None):
    """[T, K]: the weight of each sample, 0 where it is missing."""
    seen = np.isfinite(tracks).all(axis=-1)
    return seen.astype(np.float64) if weights is None else np.where(seen, np.clip(np.nan_to_num(weights), 0, None), 0.0)


def time_last(tracks, weights):
    """tracks [T, K, C] as series [K, C, T], which solvers read fastest, 0 where missing."""
    return np.ascontiguousarray(np.where(weights[..., None] > 0, tracks, 0.0).transpose(1, 2, 0))


def cutoffs(times):
    """The cut-offs in Hz that are tried at the pace of `times`, from low to high."""
    rate = 1 / float(np.median(np.diff(times)))
    return np.geomspace(max(LOWEST, SHARES[0] * rate), SHARES[1] * rate, TRIED)


@dataclass
class Criteria:
    """What each joint's fits at G cut-offs say: rss and cross (y'W(y - f)) [G, K], freedom and evidence [G, K], known [K]."""

    rss: np.ndarray
    cross: np.ndarray
    freedom: np.ndarray
    evidence: np.ndarray
    known: np.ndarray
    order: int
    coordinates: int

    @classmethod
    def of(cls, series, times, weights, able, tried, order):
        """For series [K, C, T]; over blocks of a long recording the sums of all."""
        joints, coordinates, frames = series.shape
        found = cls(*(np.zeros((len(tried), joints)) for _ in range(4)), np.zeros(joints), order or 2, coordinates)
        for block in _blocks(frames):
            for alike in _alike(weights[block], np.flatnonzero(able)):
                weight = weights[block, alike[0]]
                if (weight > 0).sum() >= LEAST:
                    found._add(series[alike][:, :, block], times[block], weight, alike, tried, order)
        return found

    def _add(self, series, times, weight, alike, tried, order):
        smoother, rows = _smoother(times, weight, order)
        values, weight = series[:, :, rows], weight[rows]
        values = values - values.mean(axis=2, keepdims=True)  # cross loses fewer digits
        flat = values.reshape(-1, len(weight))
        self.known[alike] += smoother.known
        for index, cutoff in enumerate(tried):
            lam = float(smoother.lam_at(cutoff))
            left = (flat - smoother.fit(flat, lam)).reshape(values.shape)
            self.rss[index, alike] += np.einsum("kct,kct,t->k", left, left, weight)
            self.cross[index, alike] += np.einsum("kct,kct,t->k", left, values, weight)
            self.freedom[index, alike] += smoother.freedom(lam)
            self.evidence[index, alike] += smoother.evidence(lam)

    def share_of_freedom(self, joint, cutoff, tried):
        """The share of its samples that a joint's curve has as free parameters at a cut-off."""
        return min(float(np.interp(cutoff, tried, self.freedom[:, joint])) / self.known[joint], 1 - 1e-9)

    def gcv(self, group, robust=1.0):
        """log of the pooled generalised cross-validation score, [G]; robust: of `gcv`, 1 for the plain score."""
        known, coordinates = self.known[group].sum(), self.coordinates
        share = self.freedom[:, group].sum(axis=1) / known
        score = np.log(self.rss[:, group].sum(axis=1) / (known * coordinates)) - 2 * np.log(np.maximum(1 - share, 1e-9))
        # The trace of the squared smoother by that of the smoother, whose gain is 1 / (1 + w^(2 order)) over frequencies w.
        squared = share * (1 - 1 / (2 * self.order))
        return score + np.log(robust + (1 - robust) * squared)

    def ml(self, group):
        """-2 log of the restricted likelihood a sample, but for a constant, [G]. Wahba, Ann. Statist. 13, 1985."""
        free = (self.known[group] - self.order).sum()
        return np.log(self.cross[:, group].sum(axis=1)) + self.evidence[:, group].sum(axis=1) / free

    def with_motion(self, group, tried, cutoff, jitter):
        """A cut-off by `gcv`, or a higher one where its curve leaves motion beside white errors of a known size, jitter [K]."""
        known, least = self.known[group].sum(), jitter[group].min()
        left, free = (np.interp(cutoff, tried, each[:, group].sum(axis=1)) for each in (self.rss, self.freedom))
        left = math.sqrt(left / (known * self.coordinates * max(1 - free / known, 1e-9)))
        if not 0 < MOTION * least < left:  # False for NaN
            return cutoff
        return max(cutoff, _lowest(self.mallows(group, jitter), tried))

    def mallows(self, group, noise):
        """Mallows' Cp for known errors: residuals plus what the curve follows of the noise, [G]."""
        variance = np.asarray(noise)[group] ** 2
        risk = self.rss[:, group] + 2 * self.coordinates * variance * self.freedom[:, group]
        return np.log((risk / np.maximum(variance, 1e-300)).sum(axis=1))

    def ml_noise(self, group, cutoff, tried):
        """The errors' standard deviation that goes with `ml` at a cut-off."""
        left = np.interp(cutoff, tried, self.cross[:, group].sum(axis=1))
        return math.sqrt(max(left, 0) / ((self.known[group] - self.order).sum() * self.coordinates))

    def choose(self, group, tried, by, noise=None, robust=1.0):
        """The cut-off for a group of joints, in Hz; by, noise: as in `whittaker`; robust: of `gcv`."""
        with np.errstate(divide="ignore", invalid="ignore"):
            if noise is not None:
                return _lowest(self.mallows(group, noise), tried)
            if by != "both":
                return _lowest(self.ml(group) if by == "ml" else self.gcv(group, robust), tried)
            return min(_lowest(self.gcv(group), tried), ABOVE_ML * _lowest(self.ml(group), tried))


def _lowest(scores, tried):
    """Where scores [G] are lowest, by a parabola through the best and its neighbours; the highest cut-off where they say nothing."""
    if not np.isfinite(scores).all():
        return float(tried[-1])
    best = int(np.argmin(scores))
    if not 0 < best < len(tried) - 1:
        return float(tried[best])
    before, here, after = scores[best - 1 : best + 2]
    bend = before - 2 * here + after
    shift = 0.5 * (before - after) / bend if bend > 0 else 0.0
    return float(tried[best] * (tried[1] / tried[0]) ** shift)


def _blocks(count):
    if count <= FRAMES:
        return [slice(0, count)]
    return [slice(start, start + BLOCK) for start in np.linspace(0, count - BLOCK, FRAMES // BLOCK).astype(int)]


def _alike(weights, joints):
    """Joints whose weights [T] are the same, as lists: they share their matrices."""
    lists = {}
    for joint in joints:
        lists.setdefault(weights[:, joint].tobytes(), []).append(joint)
    return list(lists.values())


def _smoother(times, weights, order):
    """(smoother, bool [T]: the frames it sees). A spline sees samples only; Whittaker's penalty bridges gaps frame by frame."""
    if order is None:
        rows = weights > 0
        return CubicSpline(times[rows]), rows
    return Whittaker(times, order, weights), np.ones(len(times), dtype=bool)
