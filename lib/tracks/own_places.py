"""Where a detector's joints lie on a body is its own convention: what lasts of a network's correction is not taken over.

A network knows the joints of its training data; a detector's shoulders may lie elsewhere. Where its joints stand in for the
network's, the slow part of the correction is left out, so that shoulders stay where that detector sees them.
"""

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import lfilter

from ..poses.kinds import kind_of

# Seconds (a Gaussian's width, or the time constant of an exponential average) over which a correction counts as convention.
SLOW = 0.5


def are_others(fit, recipe):
    """Whether the joints that a mapping onto a network's puts in their place may lie elsewhere: training did not know where."""
    stands_in = len(fit.written) < len(fit.gather)
    return stands_in and not recipe.knows_places and not kind_of(recipe.kind).rotations


def slow_part(correction, rate):
    """The slow part of a correction [T, ...] at `rate` frames per second, with the whole recording in view."""
    return gaussian_filter1d(correction, SLOW * rate, axis=0, mode="nearest")


def slow_part_so_far(correction, rate):
    """The same from the past alone: `SlowPart` frame by frame."""
    share = _share(rate)
    slow, _ = lfilter([share], [1, share - 1], correction, axis=0, zi=(1 - share) * correction[:1])
    return slow


class SlowPart:
    """The slow part of the corrections of a live stream of P people."""

    def __init__(self, rate):
        self.share, self.slow = _share(rate), None

    def step(self, correction, fresh):
        """The slow part [P, ...] after one more correction [P, ...]; fresh: bool [P], people who begin anew."""
        fresh = np.reshape(fresh, (-1, *[1] * (correction.ndim - 1)))
        slow = correction if self.slow is None else self.slow
        self.slow = np.where(fresh, correction, slow + self.share * (correction - slow))
        return self.slow


def _share(rate):
    """What one frame adds to an exponential average of time constant `SLOW`."""
    return 1 - np.exp(-1 / (SLOW * rate))
