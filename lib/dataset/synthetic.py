"""Detections that are simulated from the truth of sequences."""

import numpy as np

from ..errors import UserError
from . import estimator_noise, noise

# Frames of which synthetic detections are drawn together: enough to be fast, few enough to bound the memory.
NOISE_FRAMES = 20_000


def synthetic(views, kind, std_mm, layout, rep, rng, character=None):
    """Yield raw detections made from the truth of each sequence, [T, C] float32, drawn from `rng`.

    character: keyword arguments of the simulated errors (lib/dataset/noise.py); its `gain` is one number a sequence.
    Raises UserError for a kind that the representation does not have.
    """
    if kind in ("estimated", "varied") and not rep.kind.in_space:
        raise UserError(f"TRAIN.noise_type {kind}: is for 3D joints, not for {rep.name}. Set it to simulated")
    done = 0
    for part in _parts(views, NOISE_FRAMES):
        truth, lengths = np.concatenate([view.truth for view in part]), [view.length for view in part]
        options = dict(character or {})
        if "gain" in options:
            options["gain"] = options["gain"][done : done + len(part)]
        if rep.kind.rotations:
            detected = noise.add_rotation_noise(truth, lengths, layout, rng, **options)
        elif kind == "estimated":
            detected = estimator_noise.draw(truth, lengths, layout, rng)
        elif kind == "varied":
            detected = estimator_noise.draw_varied(truth, lengths, layout, rng)
        else:
            detected = noise.add_noise(truth, lengths, kind, std_mm, layout, rng, **options)
        yield from np.split(detected, np.cumsum(lengths)[:-1])
        done += len(part)


def _parts(views, frames):
    """Runs of sequences of at least `frames` frames together (the last one of fewer)."""
    part, size = [], 0
    for view in views:
        part.append(view)
        size += view.length
        if size >= frames:
            yield part
            part, size = [], 0
    if part:
        yield part


def add_fixed_noise(sequences, layout, rep, cfg):
    """Give each sequence synthetic detections that its name and the config's seed determine."""
    for view in sequences:
        rng = np.random.default_rng([cfg.SEED_VALUE, *view.name.encode()])
        (view.detected,) = synthetic([view], cfg.TRAIN.noise_type, cfg.TRAIN.noise_std, layout, rep, rng)
