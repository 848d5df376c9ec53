"""Who is who from frame to frame, for files whose detections carry no ids."""

import numpy as np
from scipy.optimize import linear_sum_assignment

# Frames over which a person's velocity is averaged, and for how many it is believed without a detection.
MEMORY = 6
HORIZON = 10
# What each frame without a detection adds to the cost, so that the person seen last wins.
STALENESS = 0.01


def assign(frames, max_gap=30, gate=0.5):
    """Give every detection the number of the person it belongs to.

    A detection goes to the person whose predicted pose (last pose moved on at constant velocity) is nearest:
    mean distance over the joints that both have, divided by the person's size (diagonal of the key points'
    extent), all people of a frame at once by `scipy.optimize.linear_sum_assignment`. The velocity carries
    people through each other when they cross.

    frames: T arrays [n, J, D], the n detections of each frame (n may be 0), NaN where a key point is missing;
    max_gap: frames for which a person may be unseen and still be the same one;
    gate: largest distance, in sizes.
    Returns T integer arrays [n], people numbered from 0 in the order of their appearance.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # absurd coordinates are far from everybody
        return _assign(frames, max_gap, gate)


def _assign(frames, max_gap, gate):
    frames = [np.asarray(detections, dtype=np.float64) for detections in frames]
    sizes = _sizes_of(frames)
    people, result = None, []
    for frame, detections in enumerate(frames):
        numbers = np.full(len(detections), -1)
        if len(detections):
            people = _People(detections.shape[1:]) if people is None else people
            people.forget(frame - 1 - max_gap)
            if len(people.seen):
                rows, columns = people.match(detections, sizes[frame], frame, gate)
                numbers[columns] = people.number[rows]
                people.move(rows, detections[columns], sizes[frame][columns], frame)
            new = np.flatnonzero(numbers < 0)
            if len(new):
                numbers[new] = people.add(detections[new], sizes[frame][new], frame)
        result.append(numbers)
    return result


def _sizes_of(frames):
    """The sizes [n] of the detections of each frame, worked out for all of them at once."""
    counts = [len(detections) for detections in frames]
    there = [detections for detections in frames if len(detections)]
    sizes = _sizes(np.concatenate(there)) if there else np.zeros(0)
    return np.split(sizes, np.cumsum(counts)[:-1]) if counts else []


def _sizes(poses):
    """The diagonal of the key points' extent, [n]; 0 where there is no key point."""
    seen = np.isfinite(poses)
    extent = np.where(seen, poses, -np.inf).max(axis=1) - np.where(seen, poses, np.inf).min(axis=1)
    return np.sqrt(np.sum(np.where(np.isfinite(extent), extent, 0) ** 2, axis=-1))


class _People:
    """Those who may come again, P: their number [P], last pose [P, J, D], frame when seen [P], detections counted [P], size [P] and
    velocity [P, D]."""

    def __init__(self, shape):
        self.known = 0  # ever
        self.number, self.seen, self.count = (np.zeros(0, dtype=int) for _ in range(3))
        self.last, self.size, self.velocity = np.zeros((0, *shape)), np.zeros(0), np.zeros((0, shape[-1]))

    def forget(self, before):
        """Those who were last seen before a frame."""
        kept = self.seen >= before
        if not kept.all():
            for name in ("number", "seen", "count", "last", "size", "velocity"):
                setattr(self, name, getattr(self, name)[kept])

    def add(self, poses, sizes, frame):
        """New people; returns their numbers."""
        count = len(poses)
        numbers = np.arange(self.known, self.known + count)
        self.known += count
        for name, values in (
            ("number", numbers),
            ("seen", np.full(count, frame)),
            ("count", np.zeros(count, dtype=int)),
            ("last", poses),
            ("size", sizes),
            ("velocity", np.zeros((count, poses.shape[-1]))),
        ):
            setattr(self, name, np.concatenate([getattr(self, name), values]))
        return numbers

    def match(self, detections, sizes, frame, gate):
        """Rows of people and of detections that belong together: two integer arrays."""
        gap = frame - self.seen
        predicted = self.last + self.velocity[:, None] * np.minimum(gap, HORIZON)[:, None, None]
        apart = predicted[:, None] - detections
        mean = _mean_seen(np.sqrt((apart * apart).sum(axis=-1)))  # [people, n]
        size = np.maximum(self.size[:, None], sizes)
        cost = np.divide(mean, size, out=np.full(mean.shape, np.inf), where=np.isfinite(mean) & (size > 0))
        cost += STALENESS * (gap - 1)[:, None]
        # Capped at the gate: a pair beyond it is no pair, however the sum comes out.
        people, found = linear_sum_assignment(np.minimum(cost, gate))
        near = cost[people, found] < gate
        return people[near], found[near]

    def move(self, rows, poses, sizes, frame):
        """People `rows` [m] were seen as poses [m, J, D] of such sizes [m]."""
        last, gap = self.last[rows], (frame - self.seen[rows])[:, None]
        moved = _mean_seen((poses - last).swapaxes(1, 2))
        both = np.isfinite(moved).all(axis=1)
        self.count[rows] += both
        share = 1 / np.minimum(np.maximum(self.count[rows], 1), MEMORY)[:, None]
        velocity = self.velocity[rows]
        velocity = np.where(both[:, None], velocity + share * (moved / gap - velocity), velocity)
        # Joints unseen now are carried along with the body.
        unseen = ~np.isfinite(poses)
        self.last[rows] = np.where(unseen, last + (velocity * gap)[:, None], poses) if unseen.any() else poses
        self.velocity[rows], self.seen[rows] = velocity, frame
        # A body that is half hidden is not a smaller person.
        self.size[rows] = np.maximum(0.95 * self.size[rows], sizes)


def _mean_seen(values):
    """The mean over the last axis of what is finite; NaN where nothing is."""
    mean = values.sum(axis=-1) / values.shape[-1]
    if np.isfinite(mean).all():
        return mean
    seen = np.isfinite(values)
    return np.where(seen, values, 0).sum(axis=-1) / np.where(seen.any(axis=-1), seen.sum(axis=-1), np.nan)
