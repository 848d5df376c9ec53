"""One heading, or one place, for every window of poses, so that a network need not learn each pose anew for every side
that it can be seen from.

A 3D window is turned about the vertical so that the person's left lies along +x on average, SMPL's root rotation
likewise; a 2D window is moved so that its mean lies at 0, and may be scaled to one size, so that neither the image nor the
camera's distance counts. What the network returns is put back. Since errors are not the same in all directions (depth is
seen worst), it is told where the camera stands after the turn.

B windows, V views, F frames, C channels.
"""

import torch
from torch.nn import functional

from ..errors import UserError
from ..poses.kinds import kind_of

CUE = 3  # numbers that tell the network what was done
SMALLEST = 1e-6  # size of a window whose joints all lie in one place
PAIRS = (("left_hip", "right_hip"), ("left_shoulder", "right_shoulder"))


def pairs_of(layout, representation):
    """The joints (left, right) by which `Canonical` tells the heading of 3D joints, as a tuple of two indices each; () for
    other kinds.

    Raises UserError where no heading can be told: 3D joints without hips and shoulders, SMPL as axis-angles.
    """
    pairs = heading_pairs(layout)
    if representation.kind.in_space and not pairs:
        raise UserError(
            f"MODEL.CANONICAL: layout {layout.name} names neither hips nor shoulders, by which a heading "
            "is told. Set MODEL.CANONICAL False"
        )
    if representation.kind.rotations and not representation.use_6d:
        raise UserError(
            "MODEL.CANONICAL: axis-angles cannot be turned channel by channel. Set TRAIN.USE_6D_SMPL True, "
            "or MODEL.CANONICAL False"
        )
    return pairs if representation.kind.in_space else ()


def heading_pairs(layout):
    """The joints (left, right) by which a heading is told, as a tuple of two indices each; () where the layout names none."""
    return tuple(tuple(layout.joints.index(name) for name in pair) for pair in PAIRS if set(pair) <= set(layout.joints))


class Canonical:
    """The common frame of each window: `enter` into it, `leave` it, and the `cue` [B, V, 3] that tells of it.

    kind: 3D, 2D or smpl; pairs: of `pairs_of`; values [B, V, F, C] network units, float32; present: bool [B, V, F] or None; as_one: the
    views stand in one frame and turn as one; depth: [B, V, 3], where each view's camera looks in the values' frame, None:
    along z; one_size: 2D windows are scaled so that their joints lie 1 from their mean, as root mean square. cue: the direction
    after the turn; in 2D where the window was, (x, y, 0), with one_size nothing, (0, 0, 0).
    """

    def __init__(self, kind, pairs, values, present=None, *, as_one=False, depth=None, one_size=False):
        self.kind = kind = kind_of(kind)
        over = (1, 2) if as_one else (2,)
        if kind.in_image:
            told = values.unflatten(-1, (-1, 2)).mean(-2)
        elif kind.rotations:  # the first column of the root's rotation points to the person's left
            told = values[..., 0:5:4]
        else:
            joints = values.unflatten(-1, (-1, 3))[..., 0::2]
            told = sum(joints[..., left, :] - joints[..., right, :] for left, right in pairs)
        if present is None:
            told = told.mean(over, keepdim=True)
        else:
            weight = present.to(values.dtype)[..., None]
            told = (told * weight).sum(over, keepdim=True) / weight.sum(over, keepdim=True).clamp_min(1)
        told = told.expand(*values.shape[:2], 1, 2)
        if kind.in_image:
            self.shift = told.unbind(-1)  # [B, V, 1]
            self.cue, self.size = functional.pad(told, (0, 1))[:, :, 0], None
            if one_size:
                self.size, self.cue = self._size(values, present), torch.zeros_like(self.cue)
            return
        self.size = None
        length = told.norm(dim=-1, keepdim=True)
        # Whose left points straight up or down has no heading, and stays.
        known = length > 1e-6
        known, (cos, sin) = known[..., 0], (told / length.clamp_min(1e-6)).unbind(-1)
        self.shift = torch.where(known, cos, 1.0), torch.where(known, sin, 0.0)
        if depth is None:  # (0, 0, 1), turned
            self.cue = torch.cat((self.shift[1], torch.zeros_like(self.shift[1]), self.shift[0]), -1)
        else:
            self.cue = torch.stack(self._turned(*depth[:, :, None].unbind(-1), 1), -1)[:, :, 0]

    def _size(self, values, present):
        """How far the joints lie from the mean of their window, as root mean square, [B, V, 1, 1]."""
        squared = self._moved(values, 1).square().mean(-1)  # [B, V, F]
        weight = torch.ones_like(squared) if present is None else present.to(values.dtype)
        mean = (squared * weight).sum(-1) / weight.sum(-1).clamp_min(1)
        return (2 * mean).sqrt().clamp_min(SMALLEST)[..., None, None]

    def enter(self, values):
        """Values [B, V, F, C] in the common frame."""
        moved = self._moved(values, 1)
        return moved if self.size is None else moved / self.size

    def leave(self, values):
        """The inverse of `enter`."""
        return self._moved(values if self.size is None else values * self.size, -1)

    def _moved(self, values, way):
        if self.kind.in_image:
            x, y = values.unflatten(-1, (-1, 2)).unbind(-1)
            first, second = (way * part[..., None] for part in self.shift)
            return torch.stack((x - first, y - second), -1).flatten(-2)
        if self.kind.rotations:  # only the root's rotation is in the camera's frame: rows x, y, z of two columns
            rows = values[..., :6].unflatten(-1, (3, 2)).unbind(-2)
            return torch.cat((torch.stack(self._turned(*rows, way), -2).flatten(-2), values[..., 6:]), dim=-1)
        return torch.stack(self._turned(*values.unflatten(-1, (-1, 3)).unbind(-1), way), -1).flatten(-2)

    def _turned(self, x, y, z, way):
        cos, sin = (part.reshape(part.shape + (1,) * (x.dim() - part.dim())) for part in self.shift)
        return torch.addcmul(cos * x, sin, z, value=way), y, torch.addcmul(cos * z, sin, x, value=-way)
