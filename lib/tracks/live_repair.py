"""Repair of a live stream: exchanges of left and right, and spikes, by the last two seconds of it.

P people, J joints, D coordinates, L lag.
"""

from collections import deque

import numpy as np

from ..formats.tracks import Track
from ..poses.kinds import kind_of
from .repair import repair

SPAN = 2.0  # seconds that are looked back on
LEAP = 0.1  # of the body's size, between two frames: from here on an exchange or a spike is looked for


class LiveRepair:
    """What the last L + 1 frames of a stream look like repaired: `push(poses)` for each frame.

    names: J joint names or None; kind: 2D or 3D; rate: frames per second. Nothing is found at lag 0: of an exchange
    that lasts, the frame that comes next tells; and a frame is compared with the two that follow before it is taken
    for a spike. An exchange that lasts for more than 0.3 of what is looked back on is no longer told from what is right.
    """

    def __init__(self, names, kind, lag, rate):
        self.names, self.kind, self.lag, self.rate = names, kind, lag, rate
        self.size = max(int(SPAN * rate), lag + 8)
        self.past = deque(maxlen=self.size)

    def push(self, poses):
        """poses: [P, J, D] of the newest frame, NaN where missing. Yields (person, its last frames repaired [n, J, D])."""
        if not self.lag or kind_of(self.kind).rotations or poses.shape[-1] not in (2, 3):
            return
        if not self.past:
            self.odd = np.full(len(poses), self.size)  # frames since something was odd
            self.known = np.zeros(len(poses), dtype=int)  # frames since each was first seen
        self.past.append(poses)
        self.known += (self.known > 0) | np.isfinite(poses).all(axis=-1).any(axis=1)
        self.odd = np.where(self._odd(), 0, self.odd + 1)
        for person in np.flatnonzero(self.odd < self.size):
            frames = np.stack([frame[person] for frame in self.past][-self.known[person] :])
            track = Track(0, "live", frames, None, self.kind, None, self.names)
            done = repair(track, frames, np.arange(len(frames)) / self.rate, self.rate, [slice(0, len(frames))])
            # What was exchanged when the look back begins has no beginning that could be judged.
            if not done.exchanged[0].any() and (done.exchanged.any() or done.spikes.any()):
                yield person, done.poses[-1 - self.lag :]

    def _odd(self):
        """bool [P]: whose newest frame may begin or end an exchange, or be a spike."""
        here, before = self.past[-1], self.past[max(-2, -len(self.past))]
        low, high = np.fmin.reduce(here, axis=1), np.fmax.reduce(here, axis=1)
        far = np.linalg.norm(here - before, axis=-1) > LEAP * np.linalg.norm(high - low, axis=-1)[:, None]
        return far.any(axis=1)  # NaN is not far


def as_live(poses, names, kind, lag, rate):
    """Poses [T, J, D] as a stream of that lag repairs them: each frame as it stands `lag` frames later."""
    out, stream = poses.copy(), LiveRepair(names, kind, lag, rate)
    for frame, pose in enumerate(poses):
        for _, frames in stream.push(pose[None]):
            recent = out[max(0, frame + 1 - len(frames)) : frame + 1]
            recent[:] = frames[-len(recent) :]
    return out
