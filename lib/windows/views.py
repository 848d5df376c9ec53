"""Several uncalibrated cameras: turning every view's poses into one frame, from the poses alone.

Each camera sees the same person at the same moment, so that up to each estimator's error the root-relative poses of two
views differ by one rotation. It comes from the poses in closed form (Kabsch, "A solution for the best rotation to relate
two sets of vectors", Acta Cryst. 1976), per window, or over a sequence where the cameras stand still.
"""

import torch

from ..poses import metrics


def common_rotations(poses, present=None, rounds=2):
    """Rotations that bring the views of each window into one frame, that of its fullest view.

    poses: root-relative [B, V, F, J, 3]; present: bool [B, V, F] or None; rounds: how often the views are turned
    onto their mean after they were turned onto one view. Returns [B, V, 3, 3], which act on column vectors; the
    identity for a view that shares no frame with the others.
    """
    batch, count = poses.shape[:2]
    weight = poses.new_ones(poses.shape[:3]) if present is None else present.to(poses.dtype)
    weighted = poses * weight[..., None, None]
    fullest = weight.sum(2).argmax(1)
    rows = torch.arange(batch, device=poses.device)
    target, target_weight = poses[rows, fullest], weight[rows, fullest]
    turned = torch.eye(3, dtype=poses.dtype, device=poses.device).expand(batch, count, 3, 3)
    for _ in range(1 + rounds):
        turned = _kabsch(torch.einsum("bvfji,bfjk,bf->bvik", weighted, target, target_weight))
        sums = torch.einsum("bvik,bvfjk->bfji", turned, weighted)
        target_weight = weight.sum(1)
        target = sums / target_weight.clamp_min(1)[..., None, None]
    return turned


def _kabsch(covariance):
    """The proper rotations R [..., 3, 3] that maximise sum R x . y, from sum x y^T [..., 3, 3]."""
    rotation, _ = metrics.rotation_by_svd(covariance.transpose(-1, -2).double())
    known = covariance.abs().amax((-1, -2), keepdim=True) > 0
    return torch.where(known, rotation, torch.eye(3, dtype=rotation.dtype, device=rotation.device)).to(covariance.dtype)


def turn(values, rotations):
    """values [B, V, F, J*3] turned by rotations [B, V, 3, 3]."""
    return torch.einsum("bvik,bvfjk->bvfji", rotations, values.unflatten(-1, (-1, 3))).flatten(-2)


def root_of(joints, root):
    """The mean of the root joints, [..., 1, 3], of joints [..., J, 3]."""
    return joints[..., list(root), :].mean(-2, keepdim=True)


def centred(values, root):
    """values [..., J*3] relative to the mean of the root joints."""
    joints = values.unflatten(-1, (-1, 3))
    return (joints - root_of(joints, root)).flatten(-2)


class Aligned:
    """Views in one frame: `enter` into it, `leave` it again.

    rotations [B, V, 3, 3]: into the common frame; root: indices of the root joints; values [B, V, F, J*3] metres, whose
    root is where `leave` puts the poses back. view_axes [B, V, 3]: where each view's camera looks in the common frame.
    """

    def __init__(self, rotations, root, values):
        self.rotations, self.root = rotations, root
        self.centre = root_of(values.unflatten(-1, (-1, 3)), root)
        self.view_axes = rotations[..., 2]  # a camera's z axis, turned

    @classmethod
    def of(cls, values, present, root):
        """By the poses themselves: windows or sequences [B, V, F, J*3]; present bool [B, V, F] or None."""
        return cls(common_rotations(centred(values, root).unflatten(-1, (-1, 3)), present), root, values)

    def enter(self, values):
        """Values [B, V, F, J*3], root-relative and in the common frame."""
        return turn(centred(values, self.root), self.rotations)

    def leave(self, values):
        """The inverse of `enter`, with the root where it was."""
        back = turn(values.to(self.rotations.dtype), self.rotations.transpose(-1, -2))
        return (back.unflatten(-1, (-1, 3)) + self.centre).flatten(-2)


class SequenceTurns:
    """The rotations that bring the views of each recording of a `WindowBank` into one frame, over whole sequences."""

    def __init__(self, bank, root):
        _, self.recording, counts = torch.unique_consecutive(bank.begin[:, 0], return_inverse=True, return_counts=True)
        turns = []
        for window in (counts.cumsum(0) - counts).tolist():  # the first of each recording
            begin, last = bank.begin[window], bank.last[window]
            length = int((last - begin).max()) + 1
            rows = begin.clamp_min(0)[:, None] + torch.arange(length, device=begin.device)
            present = (begin >= 0)[:, None].expand(rows.shape)
            rows = torch.where(present, rows, 0)
            if bank.present is not None:
                present = present & bank.present[rows]
            joints = centred(bank.detected[rows], root).unflatten(-1, (-1, 3))
            turns.append(common_rotations(joints[None], present[None])[0])
        self.turns = torch.stack(turns)

    def __call__(self, index, chosen=None):
        """[B, V, 3, 3] of the windows `index`, in the order of the chosen views [B, V'] or of all."""
        turns = self.turns[self.recording[index]]
        return turns if chosen is None else turns.gather(1, chosen[..., None, None].expand(*chosen.shape, 3, 3))
