"""Traditional filters, the baselines of every table: tracks [T, K, C] in, smoothed tracks of the same shape out.

Vectorised over joints K and coordinates C. Tracks must be finite (the callers fill gaps first); with T < 3 there is
nothing to filter and the input comes back. Their parameters are kept in the config (registry.py).
"""

import math

import numpy as np
from scipy import ndimage, signal


def savgol(tracks, window=31, polyorder=2):
    """Savitzky-Golay: a polynomial of order `polyorder` over `window` frames, fitted at the ends too.

    On short sequences the window shrinks to the largest odd number <= T and the order follows.
    """
    window = min(window, len(tracks))
    window -= 1 - window % 2
    return signal.savgol_filter(tracks, window, min(polyorder, window - 1), axis=0, mode="interp")


def gaus1d(tracks, sigma=3.0, blockwise=False, window=31):
    """Gaussian of `sigma` frames, cut at 4 sigma, reflected at the ends.

    blockwise: as published, blocks of `window` frames are filtered separately and the tail stays raw, which
    makes this baseline weaker than it is.
    """
    if not blockwise:
        return ndimage.gaussian_filter1d(tracks, sigma, axis=0, mode="reflect", truncate=4.0)
    out = np.array(tracks, dtype=np.float64)
    for start in range(0, len(tracks) - window + 1, window):
        block = slice(start, start + window)
        out[block] = ndimage.gaussian_filter1d(tracks[block], sigma, axis=0, mode="reflect", truncate=4.0)
    return out


def oneeuro(tracks, min_cutoff=0.04, beta=0.7, d_cutoff=1.0):
    """One-Euro filter, causal; one frame counts as one second, so cutoffs are per frame: `OneEuro` on every frame."""
    state = OneEuro(min_cutoff, beta, d_cutoff)
    return np.stack([state.step(frame) for frame in np.asarray(tracks, dtype=np.float64)])


class OneEuro:
    """One-Euro filter, frame by frame: Casiez et al., "1 Euro Filter", CHI 2012. Cutoff = min_cutoff + beta * |speed|."""

    def __init__(self, min_cutoff, beta, d_cutoff=1.0):
        self.min_cutoff, self.beta = min_cutoff, beta
        self.smooth_speed = 2 * math.pi * d_cutoff / (2 * math.pi * d_cutoff + 1)
        self.pose, self.speed = None, 0.0

    def step(self, frame):
        """The filtered frame, of the shape of the given one."""
        if self.pose is None:
            self.pose = frame
            return frame
        change = frame - self.pose
        self.speed = self.smooth_speed * change + (1 - self.smooth_speed) * self.speed
        rate = 2 * math.pi * (self.min_cutoff + self.beta * np.abs(self.speed))
        self.pose = self.pose + rate / (rate + 1) * change
        return self.pose


def butterworth(tracks, cutoff=0.4, order=2):
    """Butterworth low-pass run forwards and backwards (no lag); cutoff as a share of the Nyquist rate."""
    sections = signal.butter(order, cutoff, output="sos")
    return signal.sosfiltfilt(sections, tracks, axis=0, padlen=min(3 * (2 * len(sections) + 1), len(tracks) - 1))


def median_gaussian(tracks, window=5, sigma=1.5):
    """A median over `window` frames against outliers, then a Gaussian of `sigma` frames."""
    size = (window,) + (1,) * (tracks.ndim - 1)
    return gaus1d(ndimage.median_filter(tracks, size, mode="nearest"), sigma)


FILTERS = {
    "savgol": savgol,
    "oneeuro": oneeuro,
    "gaus1d": gaus1d,
    "butterworth": butterworth,
    "median+gaussian": median_gaussian,
}
