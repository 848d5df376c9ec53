"""Missing key points: short gaps are filled and marked, long ones split a track, what was never seen stays missing."""

from collections import deque

import numpy as np

# Frames on each side from which a key point of low confidence is estimated anew, and their falling weight.
REACH = 3
# How far off their line it may lie, as a multiple of the root mean square by which they do: of six points about a line 1.22 is unbiased.
WITHIN = 1.25
# Sizes of a body that it does not move from one frame to the next.
FAR = 0.5


def seen(poses):
    """bool [T, J]: which key points of poses [T, J, D] are there (all coordinates finite)."""
    return np.isfinite(poses).all(axis=-1)


def fill(poses, longest, times=None):
    """Fill gaps of at most `longest` frames between two frames that have the key point, by straight lines.

    poses: float [T, J, D], NaN where missing; times: [T] in seconds, the frames' own, or None for an even clock.
    Returns (filled poses [T, J, D], bool [T, J]: what was filled). Nothing is put before a key point's first frame or
    after its last; a longer gap stays as it is.
    """
    there = seen(poses)
    if there.all() or longest < 1:
        return poses.copy(), np.zeros_like(there)
    count = len(poses)
    frame = np.arange(count)[:, None]
    before = np.maximum.accumulate(np.where(there, frame, -1), axis=0)
    after = np.minimum.accumulate(np.where(there, frame, count)[::-1], axis=0)[::-1]
    mask = ~there & (before >= 0) & (after < count) & (after - before - 1 <= longest)
    frames, joints = np.nonzero(mask)
    first, last = before[frames, joints], after[frames, joints]
    clock = np.arange(count, dtype=float) if times is None else np.asarray(times, dtype=float)
    share = ((clock[frames] - clock[first]) / (clock[last] - clock[first]))[:, None]
    filled = poses.copy()
    filled[frames, joints] = (1 - share) * poses[first, joints] + share * poses[last, joints]
    return filled, mask


def usual_step(steps):
    """The step from frame to frame without gaps in it, of steps [N] in time: the mean of those up to 1.5 times their median.

    Times that were rounded to ms (33, 33, 34) have the right mean, and a median that is off by a percent.
    """
    return float(np.mean(steps[steps <= 1.5 * np.median(steps)]))


def between(jumps, count):
    """The stretches of `count` frames between the frames at which a track jumps, as slices."""
    ends = [0, *jumps, count]
    return [slice(first, last) for first, last in zip(ends, ends[1:])]


def jumps(poses, shortest=0):
    """Frames at which a track [T, J, D] is suddenly elsewhere: another person, as detectors that know one have it.

    From one frame to the next that has key points, a pose is further than half the body's size (`FAR`) from where it
    was, and from where its pace before and after would have it. Excursions of at most `shortest` frames that come
    back are no jump. Returns a sorted list of frames, each the first at the new place.
    """
    frames = np.flatnonzero(seen(poses).any(axis=1))
    if len(frames) < 2:
        return []
    poses = poses[frames]
    with np.errstate(over="ignore", invalid="ignore"):
        least = np.median(_size(poses))  # who is half hidden, or folded up, is no smaller body
        before = _pace(poses, frames)
        after = _pace(poses[::-1], frames[::-1])[::-1]
        far = _far(poses[:-1], poses[1:], least, np.diff(frames), before[:-1], after[1:])
        starts = [0, *(np.flatnonzero(far) + 1).tolist()]
        stops = [*starts[1:], len(frames)]
        lengths = [frames[stop - 1] - frames[start] + 1 for start, stop in zip(starts, stops)]
        # What an excursion lies between counts as neighbours.
        kept = [index for index, length in enumerate(lengths) if length > shortest or index in (0, len(starts) - 1)]
        found = []
        for one, other in zip(kept, kept[1:]):
            last, first = [stops[one] - 1], [starts[other]]
            if _far(poses[last], poses[first], least, frames[first] - frames[last], before[last], after[first])[0]:
                found.append(int(frames[starts[other]]))
    return found


class JumpsSoFar:
    """`jumps` of the people in a stream, as each frame comes: `step(poses)`. An excursion is told from a jump only by what follows, so it
    is two jumps here."""

    def __init__(self):
        self.last, self.paces, self.away = None, deque(maxlen=REACH), None

    def step(self, poses):
        """bool [P]: who is suddenly elsewhere. poses: [P, J, D], NaN where missing."""
        with np.errstate(over="ignore", invalid="ignore"):
            there = seen(poses) & (_size(poses) > 0)[:, None]  # a body without extent, as of zeros, is none
        someone = there.any(axis=1)
        poses = np.where(there[..., None], poses, np.nan)
        if self.last is None:
            self.last, self.away = poses, np.ones(len(poses))
            self.paces.extend([np.zeros((len(poses), poses.shape[-1]))] * REACH)
            return np.zeros(len(poses), dtype=bool)
        with np.errstate(over="ignore", invalid="ignore"):
            pace = np.median(np.stack(self.paces), axis=0)
            far = _far(self.last, poses, 0.0, self.away, pace)
            steps = poses - self.last
            both = seen(steps) & ~far[:, None]
            mean = np.where(both[..., None], steps, 0).sum(axis=1) / np.maximum(both.sum(axis=1), 1)[:, None]
        self.paces.append(np.where(someone[:, None], mean / self.away[:, None], self.paces[-1]))
        self.last[far] = np.nan  # what is not seen of who is there now was another's
        self.last = np.where(there[..., None], poses, self.last)
        self.away = np.where(someone, 1, self.away + 1)
        return far


def _pace(poses, frames):
    """How far a body moves a frame, [T, D], going by the median of the last `REACH` steps up to each frame."""
    steps = np.diff(poses, axis=0)
    there = seen(steps)
    steps = np.where(there[..., None], steps, 0).sum(axis=1) / np.maximum(there.sum(axis=1), 1)[:, None]
    steps = np.concatenate([np.zeros((REACH, poses.shape[-1])), steps / np.diff(frames)[:, None]])
    return np.median(np.stack([steps[offset : offset + len(poses)] for offset in range(REACH)]), axis=0)


def _far(one, other, size, step, *paces):
    """bool [N]: whether poses [N, J, D] `step` [N] frames later are more than `FAR` bodies away, whatever the pace.

    size: what a body measures at least.
    """
    there = seen(one) & seen(other)
    sizes = np.maximum(np.maximum(_size(one), _size(other)), size)
    nearest = np.full(len(one), np.inf)
    for pace in (np.zeros((len(one), one.shape[-1])), *paces):
        apart = np.linalg.norm(other - one - (pace * np.minimum(step, 10)[:, None])[:, None], axis=-1)
        nearest = np.minimum(nearest, np.where(there, apart, 0).sum(axis=1) / np.maximum(there.sum(axis=1), 1))
    return there.any(axis=1) & (sizes > 0) & (nearest > FAR * sizes)


def _size(poses):
    """The diagonal of the box around the key points of each pose, [N]."""
    there = seen(poses)[..., None]
    box = np.where(there, poses, -np.inf).max(axis=1) - np.where(there, poses, np.inf).min(axis=1)
    return np.linalg.norm(np.where(np.isfinite(box), box, 0), axis=-1)


def runs(mask):
    """The stretches of True in a bool [T], as a list of slices."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], np.asarray(mask, dtype=bool), [False])).astype(np.int8)))
    return [slice(int(first), int(last)) for first, last in zip(edges[::2], edges[1::2])]


def gap_lengths(poses):
    """Lengths in frames of all gaps between two frames that have the key point, over all joints: a list."""
    lengths = []
    for column in seen(poses).T:
        frames = np.flatnonzero(column)
        lengths += (np.diff(frames)[np.diff(frames) > 1] - 1).tolist()
    return lengths


def fuse(poses, confidence):
    """Draw key points of low confidence towards what their neighbours in time say of them.

    poses: [T, J, D], NaN where missing; confidence: [T, J] in [0, 1]. A key point is kept as far as its confidence
    reaches the median of those around it (`REACH` frames on each side), and for the rest drawn to the neighbours'
    straight line, fitted with their confidences as weights, but no nearer than `WITHIN` times the root mean square by
    which they miss it themselves: of fast motion a line is no better than a point. Equal confidences change nothing.
    Returns [T, J, D].
    """
    there = seen(poses)
    weight = np.where(there, np.clip(np.nan_to_num(confidence), 0, 1), 0.0)
    values = np.where(there[..., None], poses, 0.0)
    offsets = [offset for offset in range(-REACH, REACH + 1) if offset]
    near, places = (_around(each, offsets) for each in (weight, values))
    around = _middle_of_known(near)
    trust = np.where(around > 0, np.clip(weight / np.where(around > 0, around, 1), 0, 1), 1.0)
    # A line needs neighbours on both sides, or it is drawn past its ends.
    doubtful = there & (trust < 1) & near[:REACH].any(axis=0) & near[REACH:].any(axis=0)
    if not doubtful.any():
        return poses.copy()
    line, missed = _line(near, places, np.array(offsets))
    way = np.nan_to_num(line - values)  # none where so little is known that there is no line
    beyond = np.clip(1 - WITHIN * missed / np.maximum(np.linalg.norm(way, axis=-1), 1e-12), 0, 1)
    share = np.where(doubtful, (1 - trust) * beyond, 0.0)
    return np.where(there[..., None], poses + share[..., None] * way, poses)


def _around(values, offsets):
    """Values [T, J, ...] of the frames at these offsets from each, [offsets, T, J, ...]; 0 beyond the ends."""
    padded = np.pad(values, ((REACH, REACH), *(((0, 0),) * (values.ndim - 1))))
    return np.stack([padded[REACH + offset : REACH + offset + len(values)] for offset in offsets])


def _middle_of_known(near):
    """The median of what is above 0 of near [N, T, J], [T, J]; 0 where nothing is."""
    ordered, lacking = np.sort(near, axis=0), (near <= 0).sum(axis=0)  # zeros first
    at = (lacking + (len(near) - lacking - even) // 2 for even in (0, 1))
    low, high = (np.take_along_axis(ordered, np.minimum(each, len(near) - 1)[None], axis=0)[0] for each in at)
    return (low + high) / 2


def _line(near, places, offsets):
    """(line [T, J, D], missed [T, J]): the straight line through the neighbours' places [N, T, J, D] where it passes a frame, and
    the root mean square by which they miss it; weighted least squares, by their confidences near [N, T, J] and how near they are."""
    weights = near / (1 + abs(offsets))[:, None, None]
    s0, s1, s2 = (np.einsum("ntj,n->tj", weights, offsets**power)[..., None] for power in range(3))
    first, second = (np.einsum("ntj,n,ntjd->tjd", weights, offsets**power, places) for power in range(2))
    determinant = s0 * s2 - s1**2
    safe = np.where(determinant > 1e-12, determinant, 1.0)
    line, slope = (s2 * first - s1 * second) / safe, (s0 * second - s1 * first) / safe
    off = places - line - offsets[:, None, None, None] * slope
    missed = np.einsum("ntj,ntjd,ntjd->tj", weights, off, off) / np.maximum(s0[..., 0], 1e-12)
    return np.where(determinant > 1e-12, line, np.nan), np.sqrt(missed)
