"""Dropout whose masks are drawn for a whole batch, also where several processes share it.

Processes that each hold some rows of a global batch draw the same mask and take their rows of it: training then gives the numbers of
one process.
"""

import contextlib

import torch
from torch import nn
from torch.nn import functional

_part = None


@contextlib.contextmanager
def of_part(part):
    """Within: what networks see are the rows `part.rows` [b] (an integer tensor) of a global batch of `part.count`; None: all."""
    global _part
    _part = part
    try:
        yield
    finally:
        _part = None


class _Masked(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, keep):
        ctx.save_for_backward(keep)
        return x * keep

    @staticmethod
    def backward(ctx, gradient):
        (keep,) = ctx.saved_tensors
        return gradient * keep, None


def dropout(x, share):
    """Set a share of the elements of x [B..., ...] to 0 and scale the rest; on the CPU from one random byte an element.

    torch's own dropout spends more time on drawing 53-bit Bernoulli numbers than this network's matrix products
    take in bfloat16. A byte rounds the share to 1/256 (0.2 becomes 0.199).
    """
    if x.device.type != "cpu" or not share:
        return exact_dropout(x, share)
    threshold = round(share * 256)
    shape = _whole(x.shape)
    count = shape.numel()
    words = torch.empty((count + 7) // 8, dtype=torch.int64).random_(-(2**63), None)
    keep = _mine(words.view(torch.uint8)[:count].view(shape)) >= threshold
    return _Masked.apply(x, keep.to(x.dtype).mul_(256 / (256 - threshold)))


def exact_dropout(x, share):
    """torch's own."""
    if _part is None or not share:
        return functional.dropout(x, share)
    return _Masked.apply(
        x, _mine(functional.dropout(torch.ones(_whole(x.shape), dtype=x.dtype, device=x.device), share))
    )


def _whole(shape):
    """The shape [B * K, ...] of the global batch of what is [b * K, ...] here."""
    if _part is None:
        return shape
    return torch.Size((shape[0] // len(_part.rows) * _part.count, *shape[1:]))


def _mine(mask):
    """The rows that are here of a mask [B * K, ...]: [b * K, ...]."""
    if _part is None:
        return mask
    return mask.unflatten(0, (_part.count, -1))[_part.rows.to(mask.device)].flatten(0, 1)


class Dropout(nn.Module):
    """`dropout` while training."""

    def __init__(self, share):
        super().__init__()
        self.share = share

    def forward(self, x):
        return dropout(x, self.share) if self.training else x


class ExactDropout(nn.Dropout):
    """`exact_dropout` while training."""

    def forward(self, x):
        return exact_dropout(x, self.p) if self.training else x
