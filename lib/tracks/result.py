"""What comes of a track once all methods have spoken: the poses in the file's coordinates, and what is to be said of them."""

from dataclasses import dataclass, field

import numpy as np

from ..poses import space
from . import auto, closing, roots
from .plan import Model

# Median correction, as a share of the body, from which poses count as unlike what SynSP knows; on its own
# test data 3 to 4 %.
MOVED = 0.06
# Metres per frame² from which a root's path counts as noisy; people who run keep below it.
SHAKE = 0.01


@dataclass
class RefinedTrack:
    """One refined track.

    poses: as the input's, NaN where still missing; filled: bool [T, J], key points that were missing and are
    filled; methods: {label: key points that it refined}; translation: [T, 3] or None; notes: sentences; plan:
    one sentence; sigma: [T, J] in the poses' unit, an estimate of the standard deviation of a refined coordinate's error (its method's, and what bone
    lengths wander by), NaN where nothing says it;
    repaired: what was put right before (`lib.tracks.repair.Repaired`), or None; said: what was measured before and after, in numbers for
    people (`lib.tracks.closing.Said`); path_kept: whether where the body goes was left as it is, None where it is not known or
    not apart from the pose.
    """

    poses: np.ndarray
    filled: np.ndarray
    methods: dict = field(default_factory=dict)
    translation: np.ndarray | None = None
    notes: list = field(default_factory=list)
    plan: str = ""
    space: object = None
    repaired: object = None
    sigma: np.ndarray | None = None
    said: object = None
    path_kept: bool | None = None


def finished(work):
    """The `RefinedTrack` of a `Work` whose jobs are all taken in."""
    track, strength = work.track, work.refiner.strength
    notes = [*work.notes, *_moved_far(work), *_noisy_root(work), *_cutoffs(work)]
    path = roots.refined(work)
    values = work.space.out(work.out, work.roots if path is None else path)
    made = work.filled | work.repeated[:, None]  # not the file's own
    if work.repaired is not None:
        made |= work.repaired.spikes
    share = np.where(made, 1.0, strength)[..., None]
    base = work.start if path is None else work.start + (path - work.roots)
    done = (work.by > 0)[..., None]
    poses = space.leave(np.where(done, base + share * (values - base), work.start), track.kind)
    if work.kind.rotations:  # a rotation that nobody touched keeps its numbers
        poses = np.where(done | work.filled[..., None], poses, track.poses)
    said = _said(work, space.enter(poses, track.kind))
    poses, lost = _finite(poses, track.poses)
    return RefinedTrack(
        poses,
        work.filled,
        _methods(work),
        roots.refined_translation(work),
        notes + lost,
        work.plan.sentence,
        work.space,
        work.repaired,
        _with_what_lasts(work),
        said,
        roots.kept(work),
    )


def _methods(work):
    """{label: key points that it refined}."""
    counts = {}
    for code, method in ((2, work.plan.network), (1, work.plan.channel)):
        count = int((work.by == code).sum())
        if count:
            counts[method.label if isinstance(method, Model) else method] = count
    return counts


def _finite(poses, before):
    """(poses with key points that came out NaN or infinite as they were before, a note of it)."""
    lost = np.isfinite(before).all(axis=-1) & ~np.isfinite(poses).all(axis=-1)
    if not lost.any():
        return poses, []
    note = f"{lost.sum()} key points came out not finite (too large for a pose?): they are left as they were"
    return np.where(lost[..., None], before, poses), [note]


def _with_what_lasts(work):
    """`sigma` with the errors that neither windows nor filters differ by, as they last: those by which bone lengths wander.

    Two ends of a bone that err by s a coordinate, each for itself, make its length wander by s * sqrt(2).
    """
    wander = auto.wander(work.measured)
    return np.hypot(work.sigma, wander / np.sqrt(2)) if np.isfinite(wander) else work.sigma


def _said(work, after):
    """What is to be said of refined poses [T, J, D], about the root where it is left as it is; nothing of depths alone."""
    if work.track.is_depth:
        return None
    before, after = (np.where(work.filled[..., None], np.nan, values) for values in (work.start, after))
    about_root = work.space.root is not None and not roots.are_refined(work)
    if about_root:
        before, after = (values - work.space.roots(values) for values in (before, after))
    new = ~work.repeated
    jitter = [auto.jitter(values[new], work.times[new]) for values in (before, after)]
    kept, unit = closing.motion_kept(before, after, *jitter), closing.unit_of(work.track)
    return closing.Said(work.measured, *jitter, kept, unit, about_root)


def _cutoffs(work):
    """What a filter that tunes itself amounts to, as notes."""
    if not work.cutoffs:
        return []
    low, middle, high = np.percentile(work.cutoffs, [0, 50, 100])
    nothing = ", which smooths nearly nothing" if middle > 0.9 * work.rate / 2 else ""
    return [f"{work.plan.channel}: acts as a low-pass of {middle:.1f} Hz (joints {low:.1f} to {high:.1f} Hz){nothing}"]


def _moved_far(work):
    """A note where SynSP moves joints further than an estimator errs: it does not know such poses."""
    mine = work.by == 2
    size = space.extent(work.values) if not work.kind.rotations else 0
    if not mine.any() or not size:
        return []
    share = float(np.median(np.linalg.norm(work.out - work.values, axis=-1)[mine])) / size
    if share <= MOVED:
        return []
    return [
        f"warning: SynSP moves the joints by {share:.0%} of the body's size: these poses are unlike its training data "
        "(other joint places, another view?). --method smoothnet keeps their places"
    ]


def _noisy_root(work):
    """A note where most of the jitter is in the root, which is left as it is."""
    if work.space.root is None or roots.are_refined(work) or len(work.roots) < 3:
        return []
    shake = np.linalg.norm(np.diff(work.roots[:, 0] * work.space.scale, n=2, axis=0), axis=-1).mean()
    if shake <= SHAKE:
        return []
    return [
        f"warning: the root jitters by {1000 * shake:.0f} mm per frame², and every joint with it: --refine_translation "
        "(translation=True) smooths it too"
    ]
