"""Errors like those that real estimators were measured to make (`TRAIN.noise_type estimated`), put on clean motion.

What `lib.dataset.noise` calls `simulated` errs joint by joint. A real estimator errs bone by bone, mostly by the same amount all
through a clip, with few patterns that move many joints together:

    directions    each bone points elsewhere, by a part constant in a clip and a moving part; the joints beyond go with it
    patterns      the moving part is mostly a mix of eight patterns over all bones, the rest independent
    spectrum      of the moving part, as measured
    lengths       a bone's length is wrong by a factor constant in a clip, and a little by one that moves
    exchanges     both arms or both legs change sides for 1 to 40 frames
    dropouts      an arm or leg stands still while the person moves on, 2 to 15 frames

Sizes, patterns, spectra and how often limbs are exchanged come from estimator_errors.json, which benchmarks/estimator_errors.py measures on training clips;
the dropouts, which those estimators hide, are made up. The constant part is drawn for each clip and has mean 0: where an estimator puts
a joint on average is not in the table. The size of all of it varies from clip to clip from nearly nothing to three times what
was measured, so that a network learns to leave good poses alone.

F frames of S sequences, J joints, K = 3 (J - 1) channels of bone directions.
"""

import functools
import json
from pathlib import Path

import numpy as np
from scipy import fft

from .noise import add_noise, drop_limbs, exchange_limbs

TABLES = Path(__file__).with_name("estimator_errors.json")
FPS = 30.0
LARGEST = 3.0
LARGEST_STRETCH = 0.5  # of a bone's length, as its logarithm
ESTIMATED_SHARE, SMALL_SHARE = 0.04, 0.1  # of the sequences by `draw_varied`
EXCHANGE_FRAMES, DROPOUT_EVERY, DROPOUT_FRAMES = (1, 40), 600, (2, 15)


@functools.cache
def tables():
    """{estimator: what was measured of its errors}."""
    return json.loads(TABLES.read_text(encoding="utf-8"))


def sizes_of(count, rng):
    """[count] sizes of a clip's errors beside the measured ones: from 0 to 3, 0.75 on average."""
    return LARGEST * rng.random(count) ** 3


def draw(truth, lengths, layout, rng, sizes=None, tables=None):
    """Clean 3D motion as an estimator of the table would have seen it.

    truth: float [F, 3J] metres in a camera's frame (z is depth), all sequences one after the other; lengths: the frames of
    each; layout: `lib.poses.skeletons.Layout`; rng: np.random.Generator; sizes: [S] the size of each sequence's errors, None:
    `sizes_of`; tables: the estimators to take, each as likely as any other, None: all of the file. Joints that the table does not
    know err like its average joint. Returns float32 [F, 3J]; the first root joint stays as it is.
    """
    known = list((tables if tables is not None else globals()["tables"]()).values())
    lengths = np.asarray(lengths)
    sizes = sizes_of(len(lengths), rng) if sizes is None else np.asarray(sizes)
    pose = np.asarray(truth, dtype=np.float32).reshape(-1, layout.size, 3)
    which = rng.integers(len(known), size=len(lengths))
    frame_which = np.repeat(which, lengths)
    seen = pose.copy()
    for number, table in enumerate(known):
        mine = which == number
        if mine.any():
            rows = frame_which == number
            seen[rows] = _seen_by(table, pose[rows], lengths[mine], sizes[mine], layout, rng)
    return seen.reshape(len(seen), -1)


def draw_varied(truth, lengths, layout, rng):
    """`draw` for a share of the sequences, for the others `simulated` errors of varied character (`noise.add_noise`).

    One in ten of these has small ones, so that a network learns to leave good poses alone.
    """
    lengths = np.asarray(lengths)
    count = len(lengths)
    estimated = draw(truth, lengths, layout, rng)
    gain = np.where(rng.random(count) < SMALL_SHARE, rng.uniform(0, 0.7, count), np.exp(rng.normal(0, 0.2, count)))
    character = {"constant_bias": rng.uniform(0, 0.2), "parent_correlation": rng.uniform(0, 0.3)}
    simulated = add_noise(truth, lengths, "simulated", 0, layout, rng, gain=gain, **character)
    chosen = np.repeat(rng.random(count) < ESTIMATED_SHARE, lengths)
    return np.where(chosen[:, None], estimated, simulated)


def _seen_by(table, pose, lengths, sizes, layout, rng):
    """`draw` by one estimator; pose [F, J, 3]."""
    parents, order = _parents(layout)
    table = _for_layout(table, layout, order)
    frame_sizes = np.repeat(sizes, lengths).astype(np.float32)[:, None, None]
    bones = pose[:, order] - pose[:, [parents[joint] for joint in order]]
    length = np.linalg.norm(bones, axis=-1, keepdims=True).clip(1e-6)
    error = _directions(table, lengths, rng) * frame_sizes
    direction = bones / length + error
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True).clip(1e-6)
    stretch = _stretch(table, lengths, rng)[..., None] * frame_sizes
    length *= np.exp(stretch.clip(-LARGEST_STRETCH, LARGEST_STRETCH))
    bones = direction * length
    seen = pose.copy()
    for place, joint in enumerate(order):  # from the root outwards
        seen[:, joint] = seen[:, parents[joint]] + bones[:, place]
    tracks = np.ascontiguousarray(seen.transpose(1, 2, 0))
    if table["exchanged"]:
        every = np.mean(EXCHANGE_FRAMES) / table["exchanged"]
        tracks = exchange_limbs(tracks, lengths, layout, every, EXCHANGE_FRAMES, rng)
    tracks = drop_limbs(tracks, lengths, layout, DROPOUT_EVERY, DROPOUT_FRAMES, rng)
    return tracks.transpose(2, 0, 1)


def _parents(layout):
    """(each joint's parent, the joints but the first root's from the root outwards)."""
    root = layout.root[0]
    parents = [root if parent < 0 and joint != root else parent for joint, parent in enumerate(layout.parents)]

    def depth(joint):
        return 0 if joint == root else 1 + depth(parents[joint])

    return parents, [joint for joint in sorted(range(layout.size), key=depth) if joint != root]


def _for_layout(table, layout, order):
    """The table's arrays for a layout's bones in this order; unknown ones have the root mean square of all."""
    place = {name: index for index, name in enumerate(table["joints"])}
    rows = [place.get(layout.joints[joint], len(place)) for joint in order]

    def chosen(name):
        values = np.asarray(table[name], dtype=np.float32)
        unknown = np.sqrt((values**2).mean(0)) if name != "loadings" else np.zeros_like(values[0])
        return np.concatenate((values, unknown[None]))[rows]

    names = ("constant", "loadings", "rest", "constant_length", "moving_length")
    return {**table, **{name: chosen(name) for name in names}}


def _directions(table, lengths, rng):
    """What is added to unit bone directions, float32 [F, J-1, 3]."""
    loadings = table["loadings"]  # [J-1, 3, patterns]
    frames = int(lengths.sum())
    patterns = _coloured(loadings.shape[-1], frames, table["frequencies"], table["power"], rng)
    moving = (loadings.reshape(-1, len(patterns)) @ patterns).reshape(*loadings.shape[:2], frames)
    rest = _coloured(moving.shape[0] * 3, frames, table["frequencies"], table["power_rest"], rng)
    moving += table["rest"][..., None] * rest.reshape(moving.shape)
    constant = rng.standard_normal((*loadings.shape[:2], len(lengths)), dtype=np.float32) * table["constant"][..., None]
    return (moving + np.repeat(constant, lengths, axis=-1)).transpose(2, 0, 1)


def _stretch(table, lengths, rng):
    """The logarithms of the factors of bone lengths, float32 [F, J-1]."""
    count, frames = len(table["moving_length"]), int(lengths.sum())
    moving = _coloured(count, frames, table["frequencies"], table["power_rest"], rng) * table["moving_length"][:, None]
    constant = rng.standard_normal((count, len(lengths)), dtype=np.float32) * table["constant_length"][:, None]
    return (moving + np.repeat(constant, lengths, axis=-1)).T


def _coloured(tracks, frames, frequencies, power, rng):
    """Random numbers of mean 0, variance 1 and a given power spectrum, float32 [tracks, frames].

    White noise, its Fourier coefficients weighed by the square root of the power, which between the given frequencies (Hz) is
    straight in double logarithm. One stream serves all sequences: where one ends and the next begins nobody looks.
    """
    size = fft.next_fast_len(max(frames, 64), real=True)
    spectrum = fft.rfft(rng.standard_normal((tracks, size), dtype=np.float32), axis=-1)
    at = np.fft.rfftfreq(size, 1 / FPS).clip(frequencies[0])
    weight = np.exp(np.interp(np.log(at), np.log(frequencies), np.log(np.maximum(power, 1e-9)))) ** 0.5
    weight[0] = 0  # what is constant is drawn apart
    counts = np.full(len(at), 2.0)
    counts[0] = 1
    if size % 2 == 0:
        counts[-1] = 1
    weight /= np.sqrt((counts * weight**2).sum() / size)
    return fft.irfft(spectrum * weight.astype(np.float32), size, axis=-1)[:, :frames].astype(np.float32)
