"""Several uncalibrated cameras: turning every view's poses into one frame, from the poses alone.

Each camera sees the same person at the same moment, so that up to each estimator's error the root-relative poses of two
views differ by one rotation. It comes from the poses in closed form (Kabsch, "A solution for the best rotation to relate
two sets of vectors", Acta Cryst. 1976), per window, or over a sequence where the cameras stand still.
"""

import torch
from scipy.ndimage import gaussian_filter1d

from ..models.synsp import median_of_views
from ..poses import metrics

MODES = ("none", "frame", "sequence")
JITTER, LASTS = 1.5, 2.0  # frames, widths of Gaussians
APART = 0.1  # metres a coordinate that a view lies off the others' median, at which the agreement is 1/e


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


def _root(joints, root):
    return joints[..., list(root), :].mean(-2, keepdim=True)


def centred(values, root):
    """values [..., J*3] relative to the mean of the root joints."""
    joints = values.unflatten(-1, (-1, 3))
    return (joints - _root(joints, root)).flatten(-2)


def align(values, present, root):
    """Windows or sequences of several views in one frame.

    values [B, V, F, J*3] metres; present bool [B, V, F] or None; root: indices of the root joints. Returns (aligned,
    rotations, undo): root-relative values in the common frame, the rotations [B, V, 3, 3] into it, and a function that
    takes values in it back.
    """
    joints = values.unflatten(-1, (-1, 3))
    centre = _root(joints, root)
    rotations = common_rotations(joints - centre, present)

    def undo(aligned):
        back = turn(aligned.to(rotations.dtype), rotations.transpose(-1, -2))
        return (back.unflatten(-1, (-1, 3)) + centre).flatten(-2)

    return turn((joints - centre).flatten(-2), rotations), rotations, undo


def steadied(refined, fused, frames, root):
    """A network's poses with what is quick in them as the views show it: [V, T, C] metres.

    refined: what the network says; fused: what the views say together (`lib.models.synsp.fused_views`); frames: what came in,
    for its root joints' places. Estimators' errors are slow but for jitter, which several views average away; so the network is
    heard on what lasts `LASTS` frames or more, and the rest is the views' own, less jitter: a Gaussian of `JITTER` frames.
    """

    def smooth(values, width):
        return torch.from_numpy(gaussian_filter1d(values.numpy(), width, axis=1, mode="nearest"))

    joints = frames.unflatten(-1, (-1, 3))
    place = _root(joints, root).expand_as(joints).flatten(-2)
    quick = smooth(fused - place, JITTER)
    return quick + smooth(refined - place - quick, LASTS) + place


def agreement(aligned, present=None):
    """How near each view is to the median of all at each frame, in (0, 1]: exp(-mean over C of (x_v - median)^2 / APART^2).

    aligned [B, V, F, C] metres, in one frame; present bool [B, V, F] or None. Returns [B, V, F]. The form is that of the
    network's similarity between views (SPEC 5.4), at a scale of poses' errors instead of a metre.
    """
    off = aligned - median_of_views(aligned, present)
    return (-off.square().mean(-1) / APART**2).exp()


def depth(rotations):
    """Where each view's camera looks in the common frame: its z axis, turned. [..., 3, 3] -> [..., 3]."""
    return rotations[..., 2]


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
