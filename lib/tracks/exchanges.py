"""Left and right exchanged: found by the shortest path of the limbs through the frames, and put back.

An estimator that takes the left limbs for the right ones does so for some frames; where it begins and ends, the limbs
leap across the body. Each frame is in one of a few states (as is, arms and legs exchanged, arms alone, …), and the best
sequence of states has the shortest steps, few changes of state and few frames that are not as is: the most probable
path of a hidden Markov model whose steps are Cauchy-like (`paths`). Steps are those to the next frame and to the one
after it: on its way across, a limb often lies between both sides for a frame, where a change of state alters no step to
the next frame, but still those over that frame. Where depth is known, nose, knees and toes say which way the
body faces, and so which side is left.

T frames, J joints, D coordinates, P pairs of joints, S states.
"""

from dataclasses import dataclass

import numpy as np

from ..poses import gaps
from .paths import Costs

# Pairs of joints by the group of limbs they belong to. Steps are measured on the first ones; the others go with them.
_PAIRS = (
    (("shoulder", "elbow", "wrist"), ("hand", "thumb", "index", "pinky")),
    (("hip", "knee", "ankle"), ("foot", "heel", "big_toe", "small_toe", "foot_index")),
    (("ear", "eye"), ("eye_inner", "eye_outer", "mouth")),
)
ARMS, LEGS, FACE = range(len(_PAIRS))
# What can have happened to a group: nothing; its sides exchanged; exchanged, while each label kept its depth (side
# views), so that depth is to be mirrored about the root.
SAME, SWAPPED, MIRRORED = range(3)
# For two of these one frame after another: which steps lead from one to the other.
_STAY, _CROSS, _CROSS_MIRRORED, _STAY_MIRRORED = range(4)
_RELATION = np.array(
    [[_STAY, _CROSS, _CROSS_MIRRORED], [_CROSS, _STAY, _STAY_MIRRORED], [_CROSS_MIRRORED, _STAY_MIRRORED, _STAY]]
)
# The states by group; the first is "as is".
_STATES = (
    (SAME, SAME, SAME),
    (SWAPPED, SWAPPED, SAME),
    (SWAPPED, SWAPPED, SWAPPED),
    (MIRRORED, MIRRORED, SAME),
    (MIRRORED, MIRRORED, MIRRORED),
    (SWAPPED, SAME, SAME),
    (SAME, SWAPPED, SAME),
)

# Tuned on the training clips of a real estimator (`python -m benchmarks.repair`), in units of log likelihood.
CHANGE = 5.0  # cost of a change of state
PRIOR = 0.25  # cost of a frame (of 1/30 s) with arms and legs exchanged
PRIOR_PART = 1.0  # the same of arms alone, or legs alone
FACING = 0.3  # what a group that faces the wrong way costs, and chest against hips
SURE = 3.3  # of it in the mean, of the 4 that nose, knees and toes can say together: from here on that is certain
POINTS = 0.1  # torso lengths by which nose, knees or toes lie ahead of the body where they clearly do
LEAST = 0.04  # of the limbs' spread: smaller steps are all alike
HOLD = 0.25  # seconds for which a missing joint is taken to be where it was
# Where so much is exchanged that it could as well be the rest, nothing is changed: share of the frames from AROUND
# seconds before to AROUND seconds after a stretch, where it is one of several, and where it is the only one.
AROUND, CROWDED, ALONE = 1.5, 0.15, 0.3
GAIN = 6.0  # how much less a stretch must cost exchanged than as it is
CLEAR = 1.0  # how much less than with any other frames exchanged in its place


@dataclass(frozen=True)
class Body:
    """The joints of a body that can be exchanged.

    names: of the J joints; pairs: [P, 2], a left and a right joint; group: [P]; measured: bool [P], the pairs whose
    steps are measured; states: [S, 3], what each state does to each group.
    """

    names: tuple
    pairs: np.ndarray
    group: np.ndarray
    measured: np.ndarray
    states: np.ndarray

    def joint(self, name):
        """A joint's index, or None."""
        return self.names.index(name) if name in self.names else None

    def undo(self, path, poses, roots=0.0):
        """Poses [T, J, D] (or scores [T, J, 1]) with left and right as they belong.

        path: the state of each frame, [T]; roots: depth of the root, [T], about which MIRRORED mirrors.
        """
        out = poses.copy()
        for (left, right), group in zip(self.pairs, self.group):
            kind = self.states[path, group]
            swap, deep = kind != SAME, kind == MIRRORED
            out[swap, left], out[swap, right] = poses[swap, right], poses[swap, left]
            if poses.shape[-1] == 3 and deep.any():
                depth = np.broadcast_to(roots, len(poses))[deep]
                out[deep, left, 2], out[deep, right, 2] = (
                    2 * depth - out[deep, left, 2],
                    2 * depth - out[deep, right, 2],
                )
        return out

    def swapped(self, path):
        """bool [T, J]: the joints that change places in each frame of a path [T]."""
        marks = np.zeros((len(path), len(self.names)), dtype=bool)
        for sides, group in zip(self.pairs, self.group):
            marks[:, sides] = (self.states[path, group] != SAME)[:, None]
        return marks


def body_of(names, depth=False):
    """The `Body` of joints called `names`, or None where they have too few sides to tell an exchange.

    depth: whether the third coordinate is depth as a camera sees it, so that it can be mirrored.
    """
    places = {name: index for index, name in enumerate(names or ())}
    found = [
        ((places[f"left_{part}"], places[f"right_{part}"]), group, first)
        for group, kinds in enumerate(_PAIRS)
        for first, parts in zip((True, False), kinds)
        for part in parts
        if f"left_{part}" in places and f"right_{part}" in places
    ]
    counts = [sum(first for _, group, first in found if group == number) for number in range(len(_PAIRS))]
    if counts[ARMS] + counts[LEGS] < 3:
        return None
    pairs, group, measured = (np.array(column) for column in zip(*found))
    return Body(tuple(names), pairs, group, measured, _states_of(counts, depth))


def _states_of(counts, depth):
    """The states [S, groups] that joints with so many pairs in each group can tell apart."""
    states = {}
    for state in _STATES:
        alone = [group for group in (ARMS, LEGS) if state[group] != SAME and state[ARMS] != state[LEGS]]
        if (depth or MIRRORED not in state) and all(counts[group] > 1 for group in alone):
            states[tuple(kind if count else SAME for kind, count in zip(state, counts))] = None
    return np.array(list(states))


def find(poses, body, fps, camera=False):
    """The state of each frame of a track, an int [T]: rows of `body.states`, 0 where it is as is.

    poses: [T, J, D], NaN where missing, 3D ones relative to the root; fps: frames per second; camera: whether they are
    3D in a camera's axes (x right, y down, z ahead), so that the way a body faces tells its sides.
    """
    if len(poses) < 2:
        return np.zeros(len(poses), dtype=int)
    side = facing(poses, body, camera)
    near, far = (transitions(poses, body, fps, lag) for lag in (1, 2))
    costs = Costs(priors(body, fps) + side, near + CHANGE * (1 - np.eye(len(body.states))), far)
    if costs.none_cheaper:
        return np.zeros(len(poses), dtype=int)
    costs.frame[[0, -1], 1:] += CHANGE  # a recording may begin or end in any state, but at a price
    path = costs.cheapest()
    return _certain(path, costs, side, fps) if path.any() else path


def priors(body, fps):
    """What a frame in each state costs, [S]."""
    groups = [number for number in (ARMS, LEGS) if (body.states[:, number] != SAME).any()]
    changed = body.states[:, groups] != SAME
    return np.where(changed.all(axis=1), PRIOR, np.where(changed.any(axis=1), PRIOR_PART, 0.0)) * 30 / fps


def transitions(poses, body, fps, lag):
    """What the limbs' steps over `lag` frames cost more from state to state than without a change, [T - lag, S, S].

    A step d of a pair costs half of log(1 + d² / s²), with s the median step of the track: steps of two lags are added.
    """
    left, right = body.pairs[body.measured].T
    both, crossed = np.concatenate([left, right]), np.concatenate([right, left])
    here, past = poses[lag:, both], _held(poses, int(HOLD * fps))[:-lag]
    kinds = [_squared(here - past[:, sides]) for sides in (both, crossed)]
    if (body.states == MIRRORED).any():
        past = past * np.array([1.0, 1.0, -1.0])
        kinds += [_squared(here - past[:, sides]) for sides in (crossed, both)]
    scale = max(_median(kinds[_STAY]), LEAST**2 * _spread(poses[:, both]), 1e-12)
    steps = np.stack([0.5 * np.log1p(kind / scale) for kind in kinds])  # [kinds, T - lag, 2P]
    steps = np.nan_to_num(steps[..., : len(left)] + steps[..., len(left) :])
    steps -= steps[_STAY]
    cost = np.zeros((len(here), *2 * (len(body.states),)))
    group = body.group[body.measured]
    for number in range(len(_PAIRS)):
        states = body.states[:, number]
        if (states != SAME).any():
            total = steps[:, :, group == number].sum(axis=-1)
            cost += total[_RELATION[states[:, None], states[None]]].transpose(2, 0, 1)
    return cost


def facing(poses, body, camera):
    """What a frame in each state costs more than as it is, for the way it faces, [T, S].

    Shoulders and hips have the same side left; where `camera`, nose, knees and toes also lie ahead of the body whose
    left they name.
    """
    count, states = len(poses), body.states
    arms, legs = ((states[:, group] == SWAPPED) for group in (ARMS, LEGS))
    none = np.zeros((count, len(states)))
    needed = [body.joint(f"{side}_{part}") for part in ("shoulder", "hip") for side in ("left", "right")]
    if None in needed:
        return none
    shoulders, hips = (poses[:, needed[at]] - poses[:, needed[at + 1]] for at in (0, 2))  # from right to left
    up = (poses[:, needed[0]] + poses[:, needed[1]] - poses[:, needed[2]] - poses[:, needed[3]]) / 2
    torso = _median(_norm(up))
    width = max(_median(_norm(shoulders)) * _median(_norm(hips)), (torso / 4) ** 2)
    if not torso > 0:
        return none
    alike = np.clip(np.nan_to_num((shoulders * hips).sum(axis=-1) / width), -1, 1)
    part = (states[:, ARMS] == SAME) != (states[:, LEGS] == SAME)
    cost = 2 * FACING * alike[:, None] * part
    if camera:
        for across, points, group in ((shoulders, _nose, arms), (hips, _knees_and_toes, legs)):
            ahead = np.cross(across, up)
            ahead = ahead / np.maximum(_norm(ahead), 1e-9)[:, None]
            offset = np.nan_to_num((points(poses, body) * ahead).sum(axis=-1)) / (POINTS * torso)
            cost += 2 * FACING * np.clip(offset, -1, 1)[:, None] * group
    return cost


def _nose(poses, body):
    """Where the nose lies before the middle of the head, [T, D]; NaN where that is not known."""
    nose, behind = (
        body.joint("nose"),
        next(
            (group for group in (("left_ear", "right_ear"), ("thorax", "head")) if None not in map(body.joint, group)),
            None,
        ),
    )
    if nose is None or behind is None:
        return np.full((len(poses), poses.shape[-1]), np.nan)
    return poses[:, nose] - poses[:, [body.joint(name) for name in behind]].mean(axis=1)


def _knees_and_toes(poses, body):
    """How far knees are bent and toes lie before the ankles, [T, D], the mean of the legs; NaN where it is not known."""
    total = np.full((2, len(poses), poses.shape[-1]), np.nan)
    for row, side in enumerate(("left", "right")):
        hip, knee, ankle, *toes = (
            body.joint(f"{side}_{part}") for part in ("hip", "knee", "ankle", "big_toe", "foot_index")
        )
        if knee is not None and ankle is not None:
            total[row] = poses[:, knee] - (poses[:, hip] + poses[:, ankle]) / 2
            toe = next((joint for joint in toes if joint is not None), None)
            if toe is not None:
                foot = poses[:, toe] - poses[:, ankle]
                near = _norm(foot) < _norm(poses[:, knee] - poses[:, ankle])  # False for NaN
                total[row] += np.where(near[:, None], foot, 0.0)
    return total.mean(axis=0)


def _squared(vectors):
    return np.einsum("...d,...d->...", vectors, vectors)


def _norm(vectors):
    return np.sqrt(_squared(vectors))


def _spread(limbs):
    """The mean square distance of joints [T, J, D] from their middle, over the frames."""
    there = gaps.seen(limbs)
    count = np.maximum(there.sum(axis=1), 1)[:, None]
    points = np.where(there[..., None], limbs, 0.0)
    middle = points.sum(axis=1) / count
    return float(np.where(there, _squared(points - middle[:, None]), 0.0).sum() / max(there.sum(), 1))


def _median(values):
    values = values[np.isfinite(values)]
    return float(np.median(values)) if len(values) else 0.0


def _held(poses, longest):
    """Poses [T, J, D] with each joint where it was last seen, for at most `longest` frames."""
    frame = np.arange(len(poses))[:, None]
    last = np.maximum.accumulate(np.where(gaps.seen(poses), frame, -1), axis=0)
    held = poses[np.maximum(last, 0), np.arange(poses.shape[1])]
    return np.where(((last >= 0) & (frame - last <= longest))[..., None], held, np.nan)


def _certain(path, costs, side, fps):
    """The path [T] less the stretches that gain little, or of which it is unclear whether they are exchanged or the rest.

    costs: `Costs`; side: what the way the body faces says of each state, [T, S]: where that speaks clearly for a
    stretch, nothing else is asked.
    """
    changed = path > 0
    total = np.concatenate([[0], np.cumsum(changed)])
    least, otherwise = costs.of(path), costs.through(0)
    kept = path.copy()
    for run in gaps.runs(changed):
        faces = side[np.arange(run.start, run.stop), path[run]]
        if faces.sum() < -GAIN and faces.mean() < -SURE * FACING:
            continue
        length = run.stop - run.start
        reach = int(max(AROUND * fps, 2.5 * length))
        first, last = max(0, run.start - reach), min(len(path), run.stop + reach)
        exchanged = total[last] - total[first]
        crowded = exchanged > (ALONE if exchanged == length else CROWDED) * (last - first)
        without = path.copy()
        without[run] = 0
        if crowded or costs.of(without) - least < GAIN or otherwise[run].min() - least < CLEAR:
            kept[run] = 0
    return kept
