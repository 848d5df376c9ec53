"""Jobs: a stretch of one track for one method each, and running them, those of one network together.

t frames of a stretch, K joints, D coordinates, N frames of an even clock.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from tqdm import tqdm

from ..filters import registry as filters
from ..windows.pipeline import refine
from . import clock
from .plan import Model, pace

# Frames between two windows where only the slow part of a network's correction is taken (lib/tracks/auto.py). On training clips of a
# Kinect and of MediaPipe, 1 -> 4 moves MPJPE by 0.002 and -0.05 mm and Accel by less than 0.005 mm a frame², and halves the time.
# All of a correction would lose more: Accel 1.3 -> 3.1.
BLEND_STEP = 4


@dataclass
class Job:
    """A stretch of one track for one method: values [t, K, D] in its coordinates.

    Column picks[i] of the result is joint joints[i] of the track.
    """

    track: int
    method: object
    frames: slice
    values: np.ndarray
    joints: np.ndarray
    picks: np.ndarray
    times: np.ndarray
    first: bool  # SynSP's word comes before the per-channel method's
    path: object = 0.0  # [t, 1, D] that was subtracted from values
    share: object = 1.0  # a number, or [t, 1, 1]: how far the track goes from what it is to the result
    options: dict = field(default_factory=dict)  # of the filter
    new: object = None  # bool [t], the frames that filters which tune themselves read; None: all
    result: np.ndarray = None
    cutoff: np.ndarray = None  # [K] Hz, and
    sigma: np.ndarray = None  # [t, K], of filters that say them


def run(jobs, refiner):
    """Fill in the results of jobs, as a `Refiner` is set up. Jobs of one network and width go through it together."""
    groups = {}
    for job in jobs:
        if job.result is not None:
            continue
        network = isinstance(job.method, Model)
        if not network and job.method in filters.TUNED and refiner.lag is None:  # they need no even clock
            read = slice(None) if job.new is None else job.new
            clocks = [] if job.new is None else [job.times[read]]
            _run_filter(job, [(job.values[read], job.times[read])], clocks, refiner)
            continue
        clocks = clock.grids(job.times, job.method.fps if network else pace(job.times))
        flat = job.values.reshape(len(job.values), -1)
        parts = [clock.onto(job.times, flat, grid) for grid in clocks] if clocks else [flat]
        if network:
            groups.setdefault((id(job.method), flat.shape[1]), []).append((job, clocks, parts))
        else:
            shape = job.values.shape[1:]
            _run_filter(job, [(part.reshape(len(part), *shape), None) for part in parts], clocks, refiner)
    _run_networks(groups.values(), refiner)


def _run_networks(groups, refiner):
    """Fill in the results of lists of (job, its clocks, its values on each), each list of one network and width."""
    frames = sum(len(part) for group in groups for _, _, parts in group for part in parts)
    bar = tqdm(total=frames, unit="frame", desc="refining", delay=2, leave=False, disable=not refiner.progress)
    for group in groups:
        model = group[0][0].method
        recordings = ((torch.from_numpy(part[None]).float(), None) for _, _, parts in group for part in parts)
        step = min(BLEND_STEP, max(1, model.window // 2)) if refiner.choice.blends else model.recipe.step
        whole = refiner.lag is None
        recipe = model.recipe.but(align="none", step=step) if whole else model.recipe.streamed(refiner.lag)
        refined = refine(model.network, recordings, recipe, refiner.cfg.EVALUATE.BATCH_SIZE, spread=True)
        for job, clocks, parts in group:
            done = [next(refined) for _ in parts]
            bar.update(sum(map(len, parts)))
            job.result = _back(job, clocks, [one.final[0].double().numpy() for one in done])
            job.sigma = _sigma(job, clocks, [one.spread[0].double().numpy() for one in done])
    bar.close()


def _run_filter(job, parts, clocks, refiner):
    """Fill in what the job's filter makes of parts [(values [t, K, D], times or None)], each on one of the clocks."""
    apply = filters.at_rate(job.method, refiner.cfg, pace(job.times), refiner.lag, **job.options)
    done = [apply(values, times) for values, times in parts]
    job.result = _back(job, clocks, [one.values.reshape(len(one.values), -1) for one in done])
    job.cutoff = np.mean([one.cutoff for one in done], axis=0)
    if not clocks:
        job.sigma = done[0].sigma


def _back(job, clocks, done):
    """[t, K, D]: what became of a job's values on each clock [N, K * D], at the job's times."""
    values = clock.back(clocks, done, job.times) if clocks else done[0]
    return values.reshape(job.values.shape)


def _sigma(job, clocks, spreads):
    """[t, K]: spreads [N, K * D] of the clocks' sequences at the job's times, one number a joint."""
    if clocks:
        spreads = [clock.onto(grid, spread, job.times) for grid, spread in zip(clocks, spreads)]
    squares = np.mean(np.square(spreads), axis=0).reshape(job.values.shape)
    return np.sqrt(squares.mean(axis=-1))
