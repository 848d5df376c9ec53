"""The cheapest path through states, one for each frame, whose costs reach over two frames.

It is the most probable path of a hidden Markov model of second order, found by dynamic programming (A. J. Viterbi, Error
bounds for convolutional codes, IEEE Trans. Inf. Theory 13(2), 1967) over the states of two frames at a time.

T frames, S states.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Costs:
    """What a path costs. T is at least 2.

    frame: of each state in each frame, [T, S]; near: of the states of a frame and of the next, [T - 1, S, S]; far: of the
    states of a frame and of the one after the next, [T - 2, S, S].
    """

    frame: np.ndarray
    near: np.ndarray
    far: np.ndarray

    @property
    def none_cheaper(self):
        """Whether surely no path costs less than state 0 throughout, where staying in a state costs nothing: each change
        is in one cost `near` and in at most two `far`."""
        change = self.near[:, ~np.eye(self.near.shape[-1], dtype=bool)].min(initial=np.inf)
        return self.frame.min() >= 0 and change + 2 * self.far.min(initial=0) >= 0

    def of(self, path):
        """What a path [T] costs."""
        frames = np.arange(len(path))
        near = self.near[frames[:-1], path[:-1], path[1:]]
        far = self.far[frames[:-2], path[:-2], path[2:]]
        return self.frame[frames, path].sum() + near.sum() + far.sum()

    def cheapest(self):
        """The cheapest path, [T]."""
        best, came = self._forward()
        path = np.empty(len(best), dtype=np.intp)
        path[-2:] = np.unravel_index(best[-1].argmin(), best[-1].shape)
        for t in range(len(best) - 1, 1, -1):
            path[t - 2] = came[t, path[t - 1], path[t]]
        return path

    def through(self, state):
        """What the cheapest of all paths costs that are in this state in each frame, [T] (min-marginals)."""
        onward, _ = self._forward()
        back = Costs(self.frame[::-1], *(cost[::-1].transpose(0, 2, 1) for cost in (self.near, self.far)))
        backward = back._forward()[0][::-1]  # by the states of the frame after and of this one
        before, after = onward[1:-1, :, state, None], backward[1:-1, None, :, state]
        inside = (before + self.far + after).min(axis=(1, 2)) - self.frame[1:-1, state]
        return np.concatenate([[backward[0, :, state].min()], inside, [onward[-1, :, state].min()]])

    def _forward(self):
        """(best [T, S, S]: of the paths up to each frame, by the states of the frame before and of this one; came [T, S, S]: the
        states of the frame before these two). The first frame's are of no meaning."""
        count, size = self.frame.shape
        best, came = np.zeros((count, size, size)), np.zeros((count, size, size), dtype=np.int8)
        best[1] = self.frame[0][:, None] + self.near[0] + self.frame[1]
        for t in range(2, count):
            total = best[t - 1][:, :, None] + self.far[t - 2][:, None]
            came[t] = total.argmin(axis=0)
            best[t] = total.min(axis=0) + self.near[t - 1] + self.frame[t]
        return best, came
