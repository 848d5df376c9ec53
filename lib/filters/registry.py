"""All filters by name: those with fixed parameters, which the config holds, and those that tune themselves."""

import numpy as np

from .. import config
from ..errors import UserError
from . import fixed, kalman, tuned

RATE = 30.0  # frames a second that the parameters in the config are meant for
TUNED = {"gcv": tuned.gcv, "whittaker": tuned.whittaker, "kalman": kalman.kalman, "self_tuned": tuned.self_tuned}
FILTERS = (*fixed.FILTERS, *TUNED)
OFFSET = "offset+"  # before a filter's name in eval: first each joint's constant offset (lib/evaluation/offset.py)
LIVE = ("oneeuro", "kalman")  # those that need not see the whole recording
# Those that 3D joints in a room may go through where they are: a straight path comes out as it is. One-Euro falls behind it, and
# the Gaussians bend its ends.
IN_PLACE = ("savgol", "butterworth", *TUNED)


def section(name):
    """The key of cfg.EVALUATE that holds the parameters of the fixed filter `name`."""
    return "TRADITION_" + name.upper().replace("+", "_")


def configured(name, cfg):
    """The filter `name` as the tables have it, as a function [T, K, C] -> [T, K, C]: parameters of cfg.EVALUATE count frames.

    Raises UserError for an unknown name and for impossible parameters.
    """
    if name not in FILTERS:
        raise UserError(f"filter {name!r}: not known. Known: {', '.join(FILTERS)}, or all")
    if name in TUNED:
        apply = at_rate(name, cfg, cfg.DATASET.FPS or RATE)
        return lambda tracks: apply(tracks).values
    node = cfg.EVALUATE[section(name)]
    names = {"WINDOW_SIZE": "window"}
    parameters = {names.get(key, key.lower()): value for key, value in node.items()}
    _check(name, parameters)
    return _fixed(name, parameters)


def at_rate(name, cfg, rate, lag=None, **options):
    """The filter `name` for poses of `rate` frames a second: a function (tracks [T, K, C], times [T] or None) -> `Smoothed`.

    Parameters in the config are meant at 30 frames a second: windows and widths are lengths in time, cut-offs are in Hz, so
    that 60 frames a second are smoothed as much as 30 of the same motion. Those that tune themselves go by `times` where
    they are given; lag: frames that the `kalman` filter may look ahead, None for the whole recording; options: of one that tunes
    itself, which sees the whole.
    """
    if name == "kalman" and lag is not None:
        return lambda tracks, times=None: kalman.at_lag(tracks, rate, lag)
    if name in TUNED:
        return lambda tracks, times=None: TUNED[name](
            tracks, np.arange(len(tracks)) / rate if times is None else times, **options
        )
    apply = _scaled(name, cfg, rate / RATE)

    def fixed_filter(tracks, times=None):
        unknown = np.full(tracks.shape[1], np.nan)
        return tuned.Smoothed(apply(tracks), unknown, unknown.copy())

    return fixed_filter


def _fixed(name, parameters):
    def apply(tracks):
        tracks = np.asarray(tracks)
        return fixed.FILTERS[name](tracks, **parameters) if len(tracks) >= 3 else tracks

    return apply


def _scaled(name, cfg, factor):
    """A fixed filter with the parameters of the config for `factor` times as many frames a second."""
    node = cfg.EVALUATE[section(name)].clone()
    for key in node:
        if key == "WINDOW_SIZE":
            half = int(round((node[key] - 1) / 2 * factor))
            node[key] = max(2 * half + 1, 3) if node[key] > 1 else node[key]
        elif key == "SIGMA":
            node[key] = node[key] * factor
        elif key == "CUTOFF":
            node[key] = min(node[key] / factor, 0.99)
        elif key == "MIN_CUTOFF":
            node[key] = node[key] / factor
    if name == "savgol":
        node.WINDOW_SIZE = max(node.WINDOW_SIZE, (node.POLYORDER + 1) | 1)
    scaled = config.defaults()
    scaled.EVALUATE[section(name)] = node
    if name == "oneeuro":  # the cut-off of its speed is no key of the config
        _check(name, {"min_cutoff": node.MIN_CUTOFF, "beta": node.BETA})
        return _fixed(name, {"min_cutoff": node.MIN_CUTOFF, "beta": node.BETA, "d_cutoff": 1.0 / factor})
    return configured(name, scaled)


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
    """The filter names of a `--tradition` value: a comma list, `all`, or nothing; OFFSET may stand before a name.

    Raises UserError for other names.
    """
    chosen = [name.strip() for name in text.split(",") if name.strip()]
    if "all" in chosen:
        return list(FILTERS)
    for name in chosen:
        if name.removeprefix(OFFSET) not in FILTERS:
            raise UserError(
                f"--tradition {name}: no such filter. Known: {', '.join(FILTERS)}, each also after {OFFSET}, or all"
            )
    return list(dict.fromkeys(chosen))
