"""What a recording tells of the body in it: how long each bone is.

Bones do not change their length, but an estimator's errors make them seem to, and last longer than a window of a quarter of a
second, in which a thigh may be too long all the time. The mean over a recording is nearer to the truth. A network with `Recipe.bones` is
told it: of whole recordings once, of streams by the frames so far.

V views, T frames, K bones; poses [..., C] are 3D joints in metres, one after the other.
"""

import numpy as np
import torch

# So that what a network reads lies near 0, with a spread of about 1, whatever the bone.
TYPICAL, SCALE, SMALLEST = 0.25, 3.0, 1e-3


def bones_of(layout, representation):
    """The bones of a layout as pairs of indices (joint, the joint that it hangs on); () for kinds other than 3D joints."""
    if not representation.kind.in_space:
        return ()
    return tuple((joint, parent) for joint, parent in enumerate(layout.parents) if parent >= 0)


def lengths(poses, bones):
    """[..., C] -> the lengths [..., K] of the bones in metres; torch or numpy."""
    ends, starts = (list(side) for side in zip(*bones))
    joints = poses.reshape(*poses.shape[:-1], -1, 3)
    return ((joints[..., ends, :] - joints[..., starts, :]) ** 2).sum(-1) ** 0.5


def mean_lengths(poses, bones, present=None):
    """Poses [..., T, C] -> the mean lengths [..., K] over the frames; present: bool [..., T], frames that count, or None."""
    length = lengths(poses, bones)
    if present is None:
        return length.mean(-2)
    weight = present[..., None].to(length)
    return (length * weight).sum(-2) / weight.sum(-2).clamp_min(1)


def running_lengths(poses, bones, present=None):
    """`mean_lengths` of the frames up to each one, [..., T, K]: as `SoFar`, which takes them one by one."""
    length = lengths(poses.double(), bones)
    weight = torch.ones_like(length[..., :1]) if present is None else present[..., None].to(length)
    return ((length * weight).cumsum(-2) / weight.cumsum(-2).clamp_min(1)).float()


def scaled(mean):
    """Mean lengths [..., K] in metres as numbers that a network reads well."""
    return SCALE * torch.log(mean.clamp_min(SMALLEST) / TYPICAL)


class SoFar:
    """The mean lengths over the frames of a stream so far, of P people."""

    def __init__(self, bones):
        self.bones, self.count = bones, None

    def add(self, poses, fresh=None):
        """One frame [P, C]; fresh: bool [P], people of whom what came before does not count, or None."""
        length = lengths(np.asarray(poses, dtype=float), self.bones)
        if self.count is None:
            self.count, self.sum = np.zeros((len(length), 1)), np.zeros(length.shape)
        if fresh is not None:
            self.count[fresh], self.sum[fresh] = 0, 0
        self.count += 1
        self.sum += length

    @property
    def mean(self):
        """Metres, float32 [P, K]."""
        return (self.sum / self.count).astype(np.float32)
