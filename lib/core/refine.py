"""The one path from a noisy sequence to a refined one: windows, network, sliding-window average.

Evaluation, visualisation, file refinement and streaming all come through here. Values are in network units; the
representation (lib/poses/representation.py) converts to and from them.
"""

from dataclasses import dataclass

import torch

from lib.core import sliding_window
from lib.errors import UserError


@dataclass
class RefinedRecording:
    """final [V, T, C] in network units; quality [V, T] in (0, 1], the network's confidence in each view."""

    final: torch.Tensor
    quality: torch.Tensor


def window_weights(kind, window):
    """The weight [W] of each place in a window in the sliding-window average: 'mean' or 'triangular'."""
    if kind == "mean":
        return None
    if kind == "triangular":
        place = torch.arange(window, dtype=torch.float32)
        return torch.minimum(place + 1, window - place)
    raise UserError(f"EVALUATE.WINDOW_WEIGHTS {kind}: not known. Known: mean, triangular, quality")


@torch.no_grad()
def refine(network, recordings, window, step=1, batch=2048, weighting="mean"):
    """Refine recordings.

    network: SynSP or SmoothNet, in eval mode; recordings: iterable of (views [V, T, C] float32, present bool
    [V, T] or None); window: W; step: frames between two windows; batch: windows through the network at once;
    weighting: how the windows that cover a frame are averaged, 'mean', 'triangular' or 'quality' (by the
    network's confidence). Yields a `RefinedRecording` each, in order, on the CPU. A sequence shorter than W is padded by its
    last frame for the network; windows of several recordings go through the network together.
    """
    if step < 1:
        raise UserError(f"EVALUATE.SLIDE_WINDOW_STEP_SIZE {step}: must be at least 1")
    window_weights("mean" if weighting == "quality" else weighting, window)
    pending, waiting = [], 0
    for views, present in recordings:
        views = torch.as_tensor(views, dtype=torch.float32)
        count = len(sliding_window.starts(views.shape[1], window, step))
        # Only recordings of as many views share a batch.
        if pending and (waiting + count > batch or len(pending[0][0]) != len(views)):
            yield from _together(network, pending, window, step, batch, weighting)
            pending, waiting = [], 0
        pending.append((views, present))
        waiting += count
    if pending:
        yield from _together(network, pending, window, step, batch, weighting)


def _together(network, recordings, window, step, batch, weighting):
    """`refine` for recordings of one number of views, their windows in one row."""
    device = next(network.parameters()).device
    views = torch.cat([padded(frames, window) for frames, _ in recordings], dim=1).to(device)  # [V, rows, C]
    firsts, row = [], 0
    for frames, _ in recordings:
        firsts.append(torch.tensor(sliding_window.starts(frames.shape[1], window, step)) + row)
        row += max(frames.shape[1], window)
    mask = None
    if any(present is not None for _, present in recordings):
        mask = torch.cat([padded(torch.ones(frames.shape[:2], dtype=torch.bool) if present is None else
                                 torch.as_tensor(present), window) for frames, present in recordings], dim=1).to(device)
    rows = (torch.cat(firsts)[:, None] + torch.arange(window)).to(device)
    finals, qualities = [], []
    for index in rows.split(batch):
        out = network(views[:, index].transpose(0, 1), None if mask is None else mask[:, index].transpose(0, 1))
        finals.append(out.final.float())
        qualities.append(out.quality)
    final, quality = torch.cat(finals).transpose(0, 1), torch.cat(qualities).transpose(0, 1)  # [V, N, W, ...]
    done = 0
    for (frames, _), first in zip(recordings, firsts):
        part = slice(done, done + len(first))
        done += len(first)
        length = max(frames.shape[1], window)
        yield _averaged(final[:, part], quality[:, part], padded(frames, window).to(device), length, step, weighting,
                        frames.shape[1])


def _averaged(final, quality, frames, length, step, weighting, real):
    weights = window_weights("mean" if weighting == "quality" else weighting, final.shape[2])
    if weights is not None:
        weights = weights.to(final.device).expand(quality.shape)
    elif weighting == "quality":
        weights = quality
    merged = sliding_window.average(final, step, length, frames, weights)
    confidence = sliding_window.average(quality[..., None], step, length, torch.ones_like(frames[..., :1]))
    return RefinedRecording(merged[:, :real].cpu(), confidence[:, :real, 0].cpu())


def padded(frames, window):
    """[V, T, ...] with its last frame repeated up to W frames where T < W."""
    lacking = window - frames.shape[1]
    if lacking <= 0:
        return frames
    return torch.cat((frames, frames[:, -1:].expand(-1, lacking, *frames.shape[2:])), dim=1)
