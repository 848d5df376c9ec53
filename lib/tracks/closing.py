"""What was measured of the input and what refining did to it, in numbers that a person understands.

    measured: jitter 14.1 px (joints 9.2 to 22.0), bone lengths wander by 23 mm, 3.0% missing
    jitter 14.1 -> 2.9 px, motion kept 98%, 3 exchanges repaired, 2 spikes removed

T frames, J joints, D coordinates.
"""

import math
from dataclasses import dataclass

import numpy as np

from ..filters.measure import Measured
from ..messages import counted
from ..poses import space
from ..poses.kinds import kind_of
from . import auto

# Rotations by small vectors of size s an axis change each of the 6 numbers (two columns of the matrix) by s * sqrt(2/3).
_DEGREES = math.degrees(math.sqrt(1.5))
SHARES = "% of the image"  # the unit of coordinates that are normalised to the image
MOVES = 0.2  # variance of the motion, as a multiple of the jitter's, from which amplitudes can be told apart


@dataclass
class Said:
    """measured: the input's errors; before, after: [J], jitter of input and result; kept: the share of the motion's amplitude that
    is left; unit: (factor, name) from these numbers' unit to one for people; about_root: whether `before`, `after` and
    `kept` are those about the root, which was left as it is."""

    measured: Measured
    before: np.ndarray
    after: np.ndarray
    kept: float
    unit: tuple
    about_root: bool


def unit_of(track):
    """(factor, name) from the unit of a track's numbers to one for people: px, mm or degrees."""
    kind = kind_of(track.kind)
    if kind.rotations:
        return _DEGREES, "degrees"
    if track.units == "normalised":
        return 100.0, SHARES
    if kind.in_space and track.poses.shape[-1] == 3:
        metres = space.metres(track.poses, track.joint_names, track.units)
        return (1.0, kind.unit) if metres is None else (1000 * metres, "mm")
    return 1.0, track.units or kind.unit


def motion_kept(before, after, jitter_before, jitter_after):
    """The amplitude of the motion after refining as a share of the one before, over poses [T, J, D] in which NaN is missing.

    Amplitude is the root mean square distance from each joint's mean place, less the white jitter [J] that was measured. NaN where
    jitter is not known, or where there is hardly any motion beside it.
    """
    both = np.isfinite(before).all(axis=-1) & np.isfinite(after).all(axis=-1)
    known = (both.sum(axis=0) > 1) & np.isfinite(jitter_before) & np.isfinite(jitter_after)
    motion = []
    for values, jitter in ((before, jitter_before), (after, jitter_after)):
        values = np.where(both[..., None], values, np.nan)[:, known]
        noise = values.shape[-1] * jitter[known] ** 2
        motion.append(float((np.nanvar(values, axis=0).sum(axis=-1) - noise).sum()) if known.any() else 0.0)
        if motion[0] <= MOVES * float(noise.sum()):
            return math.nan
    return math.sqrt(max(motion[1], 0.0) / motion[0])


def measured_line(results):
    """What was measured of the input of `RefinedTrack`s, or "" where nothing was."""
    parts = []
    for name, said in _by_unit(results).items():
        jitter = _joined(one.measured.jitter * one.unit[0] for one in said)
        if len(jitter):
            low, high = np.percentile(jitter, [5, 95])
            parts.append(f"jitter {short(np.median(jitter))}{_unit(name)} (joints {short(low)} to {short(high)})")
        wander = _joined(np.array([auto.spread_of_limbs(one.measured) * one.unit[0]]) for one in said)
        if len(wander):
            parts.append(f"bone lengths wander by {short(math.sqrt((wander**2).mean()))} {name}")
    missing = _joined(result.said.measured.missing for result in results if result.said)
    if len(missing) and missing.any():
        parts.append(f"{missing.mean():.1%} missing")
    return f"measured: {', '.join(parts)}" if parts else ""


def closing_line(results):
    """What was done to `RefinedTrack`s, or "" where nothing can be said."""
    parts = []
    for name, said in _by_unit(results).items():
        before = _joined(one.before * one.unit[0] for one in said)
        after = _joined(one.after * one.unit[0] for one in said)
        if len(before) and len(after):
            where = " about the root" if any(one.about_root for one in said) else ""
            parts.append(f"jitter{where} {_fall(np.median(before), np.median(after))}{_unit(name)}")
        kept = _joined(np.array([one.kept]) for one in said)
        if len(kept):
            parts.append(f"motion kept {kept.mean():.0%}")
    exchanges, spikes = mended(results)
    parts += [
        f"{counted(count, what)} {done}"
        for count, what, done in ((exchanges, "exchange", "repaired"), (spikes, "spike", "removed"))
        if count
    ]
    return ", ".join(parts)


def mended(results):
    """(exchanges repaired, spikes removed) in all of `RefinedTrack`s."""
    counts = [result.repaired.counts for result in results if result.repaired is not None]
    return tuple(np.sum(counts, axis=0).tolist()) if counts else (0, 0)


def _by_unit(results):
    """{unit's name: the `Said` of the tracks that have it}."""
    groups = {}
    for result in results:
        if result.said is not None:
            groups.setdefault(result.said.unit[1], []).append(result.said)
    return groups


def _joined(arrays):
    """The finite numbers of several arrays, in one."""
    numbers = np.concatenate([np.zeros(0), *arrays])
    return numbers[np.isfinite(numbers)]


def _unit(name):
    return name if name.startswith("%") else f" {name}"


def _fall(before, after):
    """From one amount of jitter to another; less than a hundredth of it cannot be told from the motion's own bends."""
    least = before / 100
    return f"{short(before)} -> {short(after) if after >= least else f'less than {short(least)}'}"


def short(number):
    """A number with two or three digits; next to nothing is 0."""
    if number < 1e-4:
        return "0"
    return f"{number:.0f}" if number >= 99.5 else f"{number:.1f}" if number >= 0.95 else f"{number:.2g}"
