"""Traditional filters, the baselines of every table: tracks [T, K, C] in, smoothed tracks of the same shape out.

Vectorised over joints K and coordinates C. Tracks must be finite (the callers fill gaps first); with T < 3 there is
nothing to filter and the input comes back. Each filter takes the section of the config that holds its parameters.
"""

import math

import numpy as np
from scipy import ndimage, signal

from ..errors import UserError


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
    """One-Euro filter, causal; one frame counts as one second, so cutoffs are per frame.

    Casiez et al., "1 Euro Filter", CHI 2012. Cutoff = min_cutoff + beta * |speed|.
    """
    out = np.empty(tracks.shape, dtype=np.float64)
    out[0] = previous = tracks[0]
    speed = np.zeros_like(previous, dtype=np.float64)
    smooth_speed = 2 * math.pi * d_cutoff / (2 * math.pi * d_cutoff + 1)
    for frame in range(1, len(tracks)):
        change = tracks[frame] - previous
        speed = smooth_speed * change + (1 - smooth_speed) * speed
        rate = 2 * math.pi * (min_cutoff + beta * np.abs(speed))
        previous = previous + rate / (rate + 1) * change
        out[frame] = previous
    return out


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


def section(name):
    """The key of cfg.EVALUATE that holds the parameters of the filter `name`."""
    return "TRADITION_" + name.upper().replace("+", "_")


def configured(name, cfg):
    """The filter `name` with the parameters of cfg.EVALUATE, as a function [T, K, C] -> [T, K, C].

    Raises UserError for an unknown name and for impossible parameters.
    """
    if name not in FILTERS:
        raise UserError(f"filter {name!r}: not known. Known: {', '.join(FILTERS)}, or all")
    node = cfg.EVALUATE[section(name)]
    names = {"WINDOW_SIZE": "window"}
    parameters = {names.get(key, key.lower()): value for key, value in node.items()}
    _check(name, parameters)

    def apply(tracks):
        tracks = np.asarray(tracks)
        return FILTERS[name](tracks, **parameters) if len(tracks) >= 3 else tracks

    return apply


def _check(name, parameters):
    place = f"EVALUATE.{section(name)}"
    if parameters.get("window", 1) < 1 or parameters.get("order", 1) < 1 or parameters.get("polyorder", 0) < 0:
        raise UserError(f"{place}: {parameters}: windows and orders must be positive")
    if parameters.get("sigma", 1.0) <= 0 or parameters.get("min_cutoff", 1.0) <= 0:
        raise UserError(f"{place}: {parameters}: SIGMA and MIN_CUTOFF must be greater than 0")
    if parameters.get("beta", 0.0) < 0:
        raise UserError(f"{place}.BETA: {parameters['beta']}: must not be negative")
    if name == "savgol" and parameters["polyorder"] >= parameters["window"]:
        raise UserError(f"{place}: POLYORDER must be smaller than WINDOW_SIZE")
    if not 0 < parameters.get("cutoff", 0.5) < 1:
        raise UserError(f"{place}.CUTOFF: {parameters['cutoff']}: must lie between 0 and 1 (the Nyquist rate)")


def names(text):
    """The filter names of a `--tradition` value: a comma list, `all`, or nothing. Raises UserError."""
    chosen = [name.strip() for name in text.split(",") if name.strip()]
    if "all" in chosen:
        return list(FILTERS)
    for name in chosen:
        if name not in FILTERS:
            raise UserError(f"--tradition {name}: no such filter. Known: {', '.join(FILTERS)}, or all")
    return list(dict.fromkeys(chosen))
