"""Filters tuned on training clips, for the table of `python -m benchmarks.accuracy`.

The rule: of the settings in GRIDS the one with the lowest MPJPE + Accel (mm + mm/frame², or px) on the
training clips. These are the two errors that the networks are trained on, at the same weights (LOSS.W_POS
and W_ACCEL, 1 and 1), on clips of the same split, so that neither side is tuned for something else than the
other. MPJPE alone would leave the jitter in, and "as calm as the network" would let the network choose the
filter's place.
"""

import dataclasses
import itertools
import math
from dataclasses import dataclass

from lib.dataset.synthetic import add_fixed_noise
from lib.evaluation.scores import Scores, compare, judge_of
from lib.filters import registry as filters

# The keys of each filter's section in the config and the values tried: every combination that it takes.
GRIDS = {
    "savgol": {"WINDOW_SIZE": (3, 5, 7, 9, 11, 15, 21, 31, 41), "POLYORDER": (1, 2, 4, 6)},
    "oneeuro": {
        "MIN_CUTOFF": (0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32),
        "BETA": (0.0, 0.35, 0.7, 1.4, 2.8, 5.6, 11.2, 22.4),
    },
    "gaus1d": {"SIGMA": (0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0)},
    "butterworth": {"CUTOFF": (0.05, 0.075, 0.1, 0.125, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7), "ORDER": (1, 2, 3)},
    "median+gaussian": {"WINDOW_SIZE": (3, 5, 7, 9, 11, 15), "SIGMA": (0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5)},
}
# Ends beyond which there is nothing: no speed term, a line, one pole, three frames.
NATURAL_ENDS = (("BETA", 0.0), ("POLYORDER", 1), ("ORDER", 1), ("WINDOW_SIZE", 3))
FRAMES = 8_000  # about as many training frames are tuned on: two numbers a filter need no more
DRAWS = 8  # at most, of simulated errors on every training clip, where a set leaves them to be drawn


@dataclass
class Tuned:
    """A filter's best setting: the config's keys; MPJPE and Accel with it on the training clips; how many
    settings were tried; the keys whose best value is the first or last one tried."""

    name: str
    parameters: dict
    mpjpe: float
    accel: float
    tried: int
    at_edge: list

    @property
    def objective(self):
        return self.mpjpe + self.accel


def section(cfg, name):
    """The part of a config that holds a filter's parameters."""
    return cfg.EVALUATE[filters.section(name)]


def with_parameters(cfg, name, parameters):
    """A copy of a config with other parameters of one filter."""
    changed = cfg.clone()
    section(changed, name).update(parameters)
    return changed


def training_part(split, cfg):
    """(the split with some of its training recordings, what these are in words).

    Every k-th recording, where there are more than FRAMES frames. Simulated errors that the set leaves to be
    drawn are drawn, seeded by the clip's name, up to DRAWS times a clip.
    """
    total = sum(view.length for view in split.sequences)
    every = max(1, math.ceil(total / FRAMES))
    recordings = split.recordings[::every]
    words = f"{'all' if every == 1 else f'one in {every}'} of its training clips"
    if any(view.detected is None for recording in recordings for view in recording.views):
        draws = min(DRAWS, max(1, FRAMES // total))
        recordings = [_copied(recording, number) for number in range(draws) for recording in recordings]
        views = [view for recording in recordings for view in recording.views]
        add_fixed_noise(views, split.layout, split.representation, cfg)
        words += f", with {draws} draws of simulated errors each"
    return dataclasses.replace(split, recordings=recordings), words


def _copied(recording, number):
    views = [dataclasses.replace(view, name=f"{view.name} draw {number}") for view in recording.views]
    return dataclasses.replace(recording, views=views)


def settings(name):
    """Yield every combination in the filter's grid as {key: value}."""
    grid = GRIDS[name]
    for values in itertools.product(*grid.values()):
        parameters = dict(zip(grid, values))
        if name != "savgol" or parameters["POLYORDER"] < parameters["WINDOW_SIZE"]:
            yield parameters


def tune(split, cfg, say=lambda line: None):
    """The best setting of every filter on a training split (see `training_part`): {filter: Tuned}."""
    rep, root = split.representation, split.layout.root if cfg.EVALUATE.ROOT_RELATIVE else None
    judge, views = judge_of(split, cfg), split.sequences
    tracks = [rep.filter_tracks(view.detected, view.frame, root) for view in views]
    found = {}
    for name, grid in GRIDS.items():
        scored = []
        for parameters in settings(name):
            apply = filters.configured(name, with_parameters(cfg, name, parameters))
            mpjpe, accel = _errors(
                judge, views, [rep.from_tracks(apply(each), view.frame) for each, view in zip(tracks, views)]
            )
            scored.append((mpjpe + accel, mpjpe, accel, parameters))
        _, mpjpe, accel, best = min(scored, key=lambda entry: entry[0])
        edge = [
            key
            for key, values in grid.items()
            if best[key] in (values[0], values[-1]) and (key, best[key]) not in NATURAL_ENDS
        ]
        found[name] = Tuned(name, best, mpjpe, accel, len(scored), edge)
        say(
            f"{split.source} train: {name} {described(best)}: {mpjpe:.2f} + {accel:.2f}"
            + (f" (at the end of what was tried: {', '.join(edge)})" if edge else "")
        )
    return found


def _errors(judge, views, raws):
    """(MPJPE, Accel) over the pooled frames: the evaluator's, less the vertices, which take 500 times as
    long."""
    scores = Scores(None)
    if judge.body is None:
        scored = judge.all(views, raws)
    else:
        scored = []
        for view, raw in zip(views, raws):
            scored += compare(judge.joints(view, raw), judge.joints(view, view.truth, True), [len(raw)], None)
    for view, each in zip(views, scored):
        scores.add(view.name, *each)
    means = scores.means
    return means["mpjpe"], means["accel"]


def described(parameters):
    """A filter's parameters in words: `window 5, sigma 1.5`."""
    names = {"WINDOW_SIZE": "window", "POLYORDER": "order"}
    return ", ".join(f"{names.get(key, key.lower())} {value:g}" for key, value in parameters.items())
