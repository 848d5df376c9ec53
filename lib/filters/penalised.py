"""Penalised least squares: the curve f that minimises sum of w (y - f)² + lam * (roughness of f), by banded solves.

Two kinds: `Whittaker`, whose roughness is the sum of squared differences of some order (Eilers, "A perfect smoother",
Anal. Chem. 75, 2003), and `CubicSpline`, whose roughness is the integral of f''² (Reinsch, Numer. Math. 10, 1967).
T frames, C channels. Times are in seconds; `lam` counts time in frames (the median step), so that it does not depend on
the rate. A step of the curve's frequency response H = 1 / (1 + lam * g(frequency)) gives the cut-off in Hz.
"""

import math

import numpy as np
from scipy.linalg import cho_solve_banded, cholesky_banded

# A step in log(lam) for the derivative of the log determinant.
STEP = 0.01
HALF_POWER = math.sqrt(2) - 1  # lam * g where |H|² is 1/2


class Penalised:
    """What both kinds share. `times` [T] rise; `order`: polynomials below it are not smoothed at all."""

    def __init__(self, times, order):
        self.step = float(np.median(np.diff(times)))
        self.frames = (np.asarray(times) - times[0]) / self.step
        self.order = order
        self.known = len(times)  # how many samples count

    def lam_at(self, cutoff):
        """`lam` for a half-power frequency in Hz. Above the Nyquist frequency it goes on falling, towards no smoothing."""
        return HALF_POWER / (2 * math.pi * np.asarray(cutoff) * self.step) ** (2 * self.order)

    def cutoff_of(self, lam):
        """The half-power frequency in Hz of the equivalent kernel, at most the Nyquist frequency."""
        angle = np.linspace(0, math.pi, 2049)
        return float(np.interp(HALF_POWER / lam, self._roughness(angle), angle)) / (2 * math.pi * self.step)

    def gain(self, angle, lam):
        """The frequency response at an angle a frame (0 to pi), far from the ends."""
        return 1 / (1 + lam * self._roughness(angle))

    def freedom(self, lam):
        """The trace of the matrix that smooths: how many free parameters the curve has.

        log det(W + lam P) grows with log(lam) by tr(lam P (W + lam P)^-1), which is the number of rows less that trace.
        """
        up, down = (self._log_determinant(self._factor(lam * math.exp(sign * STEP))) for sign in (1, -1))
        return len(self.frames) - (up - down) / (2 * STEP)

    def evidence(self, lam):
        """What REML's likelihood says of `lam` alone, per sample: log det(W + lam P) - rank(P) log(lam)."""
        rank = len(self.frames) - self.order
        return self._log_determinant(self._factor(lam)) - rank * math.log(lam)

    @staticmethod
    def _log_determinant(factor):
        return 2 * float(np.log(factor[0]).sum())


class Whittaker(Penalised):
    """Roughness: squared differences of `order`, for uneven times divided differences.

    weights: [T], at least 0; 0 for a missing sample, whose value is then estimated. At least `order` must be positive.
    """

    def __init__(self, times, order=3, weights=None):
        super().__init__(times, order)
        self.weights = np.ones(len(times)) if weights is None else np.asarray(weights, dtype=np.float64)
        self.known = int((self.weights > 0).sum())
        self.bands = _squared(differences(self.frames, order), len(times))

    def fit(self, values, lam):
        """The smooth curves [C, T] of values [C, T]; values of weight 0 must be finite."""
        return cho_solve_banded((self._factor(lam), True), (self.weights * values).T, check_finite=False).T

    def _factor(self, lam):
        bands = lam * self.bands
        bands[0] += self.weights
        return cholesky_banded(bands, lower=True, check_finite=False)

    def _roughness(self, angle):
        return (2 * np.sin(angle / 2)) ** (2 * self.order)


class CubicSpline(Penalised):
    """Roughness: the integral of the squared second derivative; f is a natural cubic spline with a knot a sample."""

    def __init__(self, times):
        super().__init__(times, 2)
        gaps = np.diff(self.frames)
        first, last = 1 / gaps[:-1], 1 / gaps[1:]
        middle, count = -first - last, len(times) - 2
        self.rows = first, middle, last  # Q': second differences
        self.gram = np.zeros((3, count))  # Q'Q
        self.gram[0] = first**2 + middle**2 + last**2
        self.gram[1, :-1] = middle[:-1] * first[1:] + last[:-1] * middle[1:]
        self.gram[2, :-2] = last[:-2] * first[2:]
        self.inner = np.zeros((3, count))  # R: of f'' that is straight between knots
        self.inner[0] = (gaps[:-1] + gaps[1:]) / 3
        self.inner[1, :-1] = gaps[1:-1] / 6

    def fit(self, values, lam):
        """The smooth curves [C, T] of values [C, T]."""
        first, middle, last = self.rows
        bent = first * values[:, :-2] + middle * values[:, 1:-1] + last * values[:, 2:]
        bent = lam * cho_solve_banded((self._factor(lam), True), bent.T, check_finite=False).T
        out = np.array(values, dtype=np.float64)
        out[:, :-2] -= first * bent
        out[:, 1:-1] -= middle * bent
        out[:, 2:] -= last * bent
        return out

    def _factor(self, lam):
        return cholesky_banded(self.inner + lam * self.gram, lower=True, check_finite=False)

    def _roughness(self, angle):
        return (2 * np.sin(angle / 2)) ** 4 * 3 / (2 + np.cos(angle))


def differences(frames, order):
    """Rows [T - order, order + 1] of the difference operator: sqrt(spacing) times the derivative of that order."""
    windows = np.lib.stride_tricks.sliding_window_view(frames, order + 1)
    apart = windows[:, :, None] - windows[:, None, :]
    apart[:, range(order + 1), range(order + 1)] = 1.0
    spacing = (windows[:, -1:] - windows[:, :1]) / order
    return math.factorial(order) * np.sqrt(spacing) / apart.prod(axis=2)


def _squared(rows, count):
    """The lower bands [order + 1, count] of D'D for the rows of D."""
    width, last = rows.shape[1], len(rows)
    bands = np.zeros((width, count))
    for offset in range(width):
        for place in range(width - offset):
            bands[offset, place : place + last] += rows[:, place] * rows[:, place + offset]
    return bands
