"""Where a body goes: the path of its root, or SMPL's translation, smoothed by the filter of its joints or left as it is.

T frames, D coordinates. `work` is a `lib.tracks.work.Work` whose jobs are all taken in.
"""

import numpy as np

from ..filters import registry as filters
from ..poses import gaps, space
from . import auto, clock
from .plan import fallback

STILL = 1e-6  # of the body's size: a root that stays in such a place is put there by the file, and rounded


def are_refined(work):
    """Whether the root's path is smoothed, where there is one."""
    return work.refiner.translation or work.refiner.choice.moves_root


def refined(work):
    """The roots [T, 1, D] smoothed, as far as `strength` says; None where they are left as they are."""
    if not (are_refined(work) and go(work)):
        return None
    return work.roots + work.refiner.strength * (_smoothed_path(work) - work.roots)


def refined_translation(work):
    """SMPL's translation [T, 3], each run of frames that have one smoothed where that is asked for; None without one."""
    translation = work.track.translation
    if translation is None or not work.refiner.translation:
        return translation
    out = translation.copy()
    for run in gaps.runs(np.isfinite(out).all(axis=1)):
        part = out[run]
        out[run] += work.refiner.strength * (_smoothed(work, part[:, None], work.times[run])[:, 0] - part)
    return out


def kept(work):
    """Whether where the body goes was left as it is; None where it is not known or not apart from the pose."""
    if go(work):
        return not are_refined(work)
    return None if work.track.translation is None else not work.refiner.translation


def go(work):
    """Whether the root has a path of its own."""
    return work.space.root is not None and np.ptp(work.roots, axis=0).max() > STILL * space.extent(work.poses)


def _smoothed_path(work):
    """The roots [T, 1, D] by the filter of the joints; by `auto`, where it sees the whole, by the filter that is never worse on them."""
    if work.refiner.choice.in_place and not (work.plan.blend and work.refiner.lag is None):
        return work.filtered_roots
    return np.concatenate(
        [_smoothed(work, work.roots[part], work.times[part], work.new_in(part)) for part in work.parts()]
    )


def _smoothed(work, path, times, new=None):
    """A path [T, 1, D] smoothed, by the filter of the joints where that leaves a straight one as it is; new: of `Job`."""
    if len(path) < 3:
        return path
    lag, name, options = work.refiner.lag, work.plan.channel, {}
    read = slice(None) if new is None else new
    if name not in filters.IN_PLACE:  # or a network
        name = fallback(lag is not None)
    if work.plan.blend and lag is None:
        name, options = auto.WHITE, {"robust": auto.ROBUST, "jitter": auto.jitter(path[read], times[read])}
    apply = filters.at_rate(name, work.refiner.cfg, work.rate, lag, **options)
    if new is None or name not in filters.TUNED:
        return apply(path, times).values
    return clock.back([times[read]], [apply(path[read], times[read]).values[:, 0]], times)[:, None]
