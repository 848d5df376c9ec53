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
    result = []
    people = 0
    active = None
    for frame, detections in enumerate(frames):
        detections = np.asarray(detections, dtype=np.float64)
        numbers = np.full(len(detections), -1)
        if len(detections) and active is not None:
            active = _keep(active, frame - active["seen"] - 1 <= max_gap)
            if len(active["seen"]):
                for person, detection in _match(active, detections, frame, gate):
                    numbers[detection] = active["number"][person]
                    _update(active, person, detections[detection], frame)
        new = np.flatnonzero(numbers < 0)
        if len(new):
            numbers[new] = np.arange(people, people + len(new))
            people += len(new)
            fresh = {
                "number": numbers[new],
                "last": detections[new],
                "seen": np.full(len(new), frame),
                "count": np.zeros(len(new)),
                "size": _sizes(detections[new]),
                "velocity": np.zeros((len(new), detections.shape[2])),
            }
            active = fresh if active is None else {key: np.concatenate([active[key], fresh[key]]) for key in fresh}
        result.append(numbers)
    return result


def _keep(active, mask):
    return active if mask.all() else {key: value[mask] for key, value in active.items()}


def _sizes(poses):
    """The diagonal of the key points' extent, [n]; 0 where there is no key point."""
    seen = np.isfinite(poses)
    extent = np.where(seen, poses, -np.inf).max(axis=1) - np.where(seen, poses, np.inf).min(axis=1)
    return np.sqrt(np.sum(np.where(np.isfinite(extent), extent, 0) ** 2, axis=-1))


def _match(active, detections, frame, gate):
    """Pairs (person, detection) that belong together."""
    gap = frame - active["seen"]
    predicted = active["last"] + active["velocity"][:, None] * np.minimum(gap, HORIZON)[:, None, None]
    distance = np.sqrt(np.sum((predicted[:, None] - detections[None]) ** 2, axis=-1))  # [people, n, J]
    common = np.isfinite(distance)
    mean = np.where(common, distance, 0).sum(axis=-1) / np.maximum(common.sum(axis=-1), 1)
    size = np.maximum(active["size"][:, None], _sizes(detections)[None])
    cost = np.full(mean.shape, np.inf)
    known = common.any(axis=-1) & (size > 0)
    cost[known] = mean[known] / size[known]
    cost += STALENESS * (gap - 1)[:, None]
    # Capped at the gate: a pair beyond it is no pair, however the sum comes out.
    for person, detection in zip(*linear_sum_assignment(np.minimum(cost, gate))):
        if cost[person, detection] < gate:
            yield person, detection


def _update(active, person, pose, frame):
    last, gap = active["last"][person], frame - active["seen"][person]
    moved = pose - last
    both = np.isfinite(moved).all(axis=-1)
    if both.any():
        active["count"][person] += 1
        share = 1 / min(active["count"][person], MEMORY)
        active["velocity"][person] += share * (moved[both].mean(axis=0) / gap - active["velocity"][person])
    # Joints unseen now are carried along with the body.
    active["last"][person] = np.where(np.isfinite(pose), pose, last + active["velocity"][person] * gap)
    active["seen"][person] = frame
    # A body that is half hidden is not a smaller person.
    active["size"][person] = max(0.95 * active["size"][person], _sizes(pose[None])[0])
