"""The first step of the path from noisy to refined: left and right put back, single wild key points taken out."""

from dataclasses import dataclass, field

import numpy as np

from ..poses import gaps, mapping, space
from ..poses.kinds import kind_of
from . import exchanges, spikes

# Bodies as large as these parts of one are small: how fast a hand or a face moves is a matter of the body's size.
_PART_OF_BODY = {"left_hand": 8.0, "right_hand": 8.0, "face": 8.0}
UPRIGHT = 0.6  # cosine of the angle between a body and -y from which it stands


@dataclass
class Repaired:
    """A repaired track.

    poses: [T, J, D]; confidence: [T, J] or None; exchanged: bool [T, J], the key points that changed places with
    those of the other side; spikes: bool [T, J], those that were spikes and lie on a line between their neighbours now;
    pairs: [P, 2], the joints of either side; follows: whether it only follows what was found in another track of the same
    points, so that nothing of it is counted or said again.
    """

    poses: np.ndarray
    confidence: np.ndarray | None
    exchanged: np.ndarray
    spikes: np.ndarray
    pairs: np.ndarray = field(default_factory=lambda: np.zeros((0, 2), dtype=int))
    follows: bool = False

    @property
    def counts(self):
        """(stretches of frames with an exchange, key points that were spikes)."""
        return (0, 0) if self.follows else (len(gaps.runs(self.exchanged.any(axis=1))), int(self.spikes.sum()))

    def followed(self, poses, confidence):
        """The `Repaired` of poses [T, J, D] of the same points, such as their depth: exchanged in the same frames."""
        scores = None if confidence is None else self.exchange(confidence)
        none = np.zeros_like(self.spikes)
        return Repaired(self.exchange(poses), scores, self.exchanged, none, self.pairs, follows=True)

    def swaps(self, frame):
        """The pairs (left, right) that were exchanged in a frame."""
        return self.pairs[self.exchanged[frame, self.pairs[:, 0]]].tolist()

    def exchange(self, values):
        """A copy of values [T, J, ...] in which the pairs that were exchanged have changed places."""
        out = values.copy()
        for left, right in self.pairs.tolist():
            frames = self.exchanged[:, left]
            out[frames, left], out[frames, right] = values[frames, right], values[frames, left]
        return out

    def notes(self, start=0):
        """What was done, in sentences; `start`: the file's frame that is the track's first."""
        said, (exchanges, spikes) = [], self.counts
        runs = gaps.runs(self.exchanged.any(axis=1)) if exchanges else []
        if runs:
            frames = [f"{start + run.start}-{start + run.stop - 1}" for run in runs]
            frames = [first if first != last else str(first) for first, last in zip(frames, frames)]
            more = f" and {len(runs) - 5} more stretches" if len(runs) > 5 else ""
            said.append(f"left and right exchanged in frames {', '.join(frames[:5])}{more}, repaired")
        if spikes:
            said.append(f"{spikes} spike{'s' * (spikes > 1)} removed")
        return said


def repair(track, poses, times, rate, parts):
    """A `Repaired` track.

    poses: float [T, J, D] of `track` (a `lib.formats.tracks.Track`), NaN where missing; times: [T] s; rate: frames a
    second; parts: slices of frames between which nothing is compared. Rotations stay as they are.
    """
    same = Repaired(poses.copy(), track.confidence, *np.zeros((2, *poses.shape[:2]), dtype=bool))
    dims = poses.shape[-1]
    if kind_of(track.kind).rotations or dims not in (2, 3):
        return same
    confidence = None if track.confidence is None else track.confidence.copy()
    camera, roots = False, None
    if dims == 3:
        weights = mapping.root_weights(track.joint_names)
        if weights is not None:
            used = np.flatnonzero(weights)
            roots = np.einsum("j,tjd->td", weights[used], poses[:, used])
            camera = _in_camera(poses, track.joint_names)
    body = exchanges.body_of(track.joint_names, camera)
    if body is not None:
        same.pairs = body.pairs
    size = space.extent(poses) * _PART_OF_BODY.get(track.part, 1.0)
    for part in parts:
        values = same.poses[part]
        if body is not None:
            centred = values if roots is None else values - roots[part, None]
            path = exchanges.find(centred, body, rate, camera)
            if path.any():
                values = body.undo(path, values, 0.0 if roots is None else roots[part, 2])
                same.exchanged[part] = body.swapped(path)
                if confidence is not None:
                    confidence[part] = body.undo(path, confidence[part][..., None])[..., 0]
        wild = spikes.find(values, rate, size)
        if wild.any():
            line, _ = gaps.fill(np.where(wild[..., None], np.nan, values), len(values), times[part])
            values = np.where(wild[..., None], line, values)
            same.spikes[part] = wild
        same.poses[part] = values
    same.confidence = confidence
    return same


def _in_camera(poses, names):
    """Whether bodies stand along -y, as in a camera's axes: what is left is known from what is ahead."""
    along = space.heads(poses, names, "3D")
    return len(along) > 0 and bool((along[:, 1] < -UPRIGHT).mean() > 0.5)
