"""The one path from a noisy sequence to a refined one: windows, network, sliding-window average.

Evaluation, visualisation, file refinement and streaming all come through here. Values are in network units; the
representation (lib/poses/representation.py) converts to and from them.
"""

from dataclasses import dataclass

import torch

from ..errors import UserError
from . import sliding_window, views


@dataclass
class RefinedRecording:
    """final [V, T, C] in network units; quality [V, T] in (0, 1], the confidence in each view: the network's own cue, of
    aligned views times how far they agree (`views.agreement`)."""

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
def refine(network, recordings, window, step=1, batch=2048, weighting="mean", align="none", root=(0,), lag=None):
    """Refine recordings.

    network: SynSP or SmoothNet, in eval mode; recordings: iterable of (views [V, T, C] float32, present bool
    [V, T] or None); window: W; step: frames between two windows; batch: windows through the network at once;
    weighting: how the windows that cover a frame are averaged, 'mean', 'triangular' or 'quality' (by the
    network's confidence); align: how several views of 3D joints are brought into one frame for the network, 'none',
    'frame' (each window by itself) or 'sequence' (one rotation a view); root: the root joints, about which they turn;
    lag: None, or frames after which a pose must be out: frame t is then the mean of the windows that end by t + lag,
    by their weights, as a live stream of that lag has them (W - 1 is as good as None), at a lag of 0 with what the network
    carries on. Several aligned views of a network that fuses them are `views.steadied`, but for a lag.
    Yields a `RefinedRecording` each, in order, on the CPU. A sequence shorter than W is padded by its last frame for
    the network; windows of several recordings go through the network together.
    """
    check_settings(window, step, batch, weighting, align, lag)
    options = (window, step, batch, weighting, align, root, None if lag == window - 1 else lag)
    pending, waiting = [], 0
    for poses, present in recordings:
        poses = torch.as_tensor(poses, dtype=torch.float32)
        count = len(sliding_window.starts(poses.shape[1], window, step))
        # Only recordings of as many views share a batch.
        if pending and (waiting + count > batch or len(pending[0][0]) != len(poses)):
            yield from _together(network, pending, *options)
            pending, waiting = [], 0
        pending.append((poses, present))
        waiting += count
    if pending:
        yield from _together(network, pending, *options)


def check_settings(window, step=1, batch=2048, weighting="mean", align="none", lag=None):
    """Raise UserError for settings of `refine` that cannot be, before any work is done."""
    if step < 1:
        raise UserError(f"EVALUATE.SLIDE_WINDOW_STEP_SIZE {step}: must be at least 1")
    if batch < 1:
        raise UserError(f"EVALUATE.BATCH_SIZE {batch}: must be at least 1")
    window_weights("mean" if weighting == "quality" else weighting, window)
    if align not in views.MODES:
        raise UserError(f"MODEL.ALIGN_VIEWS {align}: not known. Known: {', '.join(views.MODES)}")
    check_lag(lag, window)
    if lag is not None and (step != 1 or weighting == "quality"):
        raise UserError(
            "a lag needs windows at every frame and weights that are known beforehand (EVALUATE."
            "SLIDE_WINDOW_STEP_SIZE 1, WINDOW_WEIGHTS mean or triangular)"
        )


def check_lag(lag, window):
    """Raise UserError for a lag that a window of W frames cannot have."""
    if lag is not None and not 0 <= lag < window:
        raise UserError(
            f"--lag {lag}: must lie between 0 (only the past) and {window - 1} (the whole window of {window})"
        )


def lag_weights(length, window, lag):
    """Weights [T, W] of the windows' entries for a live stream of T frames: window e ends at frame e.

    Frame t is place W-1-(e-t) of window e and counts where e <= t + lag. Until the first whole window there are only
    windows that begin with copies of the first frame; frames that leave before it make do with those, later ones go
    by whole windows alone.
    """
    end, place = torch.arange(length)[:, None], torch.arange(window)[None]
    frame = end - (window - 1 - place)
    whole = (end >= window - 1) | (frame + lag < window - 1) | (length < window)
    return ((place >= window - 1 - lag) & whole & (frame >= 0)).float()


def _together(network, recordings, window, step, batch, weighting, align, root, lag):
    """`refine` for recordings of one number of views, their windows in one row."""
    device, carry = next(network.parameters()).device, getattr(network, "carry", 0.0)
    undo_sequence, depths = [None] * len(recordings), None
    if align == "sequence" and len(recordings[0][0]) > 1:
        aligned = [
            views.align(poses[None], None if present is None else torch.as_tensor(present)[None], root)
            for poses, present in recordings
        ]
        undo_sequence = [undo for _, _, undo in aligned]
        depths = [views.depth(rotations) for _, rotations, _ in aligned]
        recordings = [(values[0], present) for (values, _, _), (_, present) in zip(aligned, recordings)]
    if lag is not None:  # every frame ends a window, the first ones with copies of the first frame before them
        recordings = [
            (_led(frames, window), None if present is None else _led(torch.as_tensor(present), window))
            for frames, present in recordings
        ]
    resident = torch.cat([padded(frames, window) for frames, _ in recordings], dim=1).to(device)  # [V, rows, C]
    firsts, row = [], 0
    for frames, _ in recordings:
        firsts.append(torch.tensor(sliding_window.starts(frames.shape[1], window, step)) + row)
        row += max(frames.shape[1], window)
    mask = None
    if any(present is not None for _, present in recordings):
        mask = torch.cat(
            [
                padded(
                    torch.ones(frames.shape[:2], dtype=torch.bool) if present is None else torch.as_tensor(present),
                    window,
                )
                for frames, present in recordings
            ],
            dim=1,
        ).to(device)
    rows = (torch.cat(firsts)[:, None] + torch.arange(window)).to(device)
    if depths is not None:  # of each window, [N, V, 3]
        depths = torch.cat([depth.expand(len(first), -1, -1) for depth, first in zip(depths, firsts)]).to(device)
    finals, qualities, together = [], [], []
    for part, index in zip(torch.arange(len(rows)).split(batch), rows.split(batch)):
        values = resident[:, index].transpose(0, 1)
        there = None if mask is None else mask[:, index].transpose(0, 1)
        undo, looks = None, depths if depths is None else depths[part]
        if align == "frame" and len(resident) > 1:
            values, rotations, undo = views.align(values, there, root)
            looks = views.depth(rotations)
        out = network(values, there, looks)
        final = out.final.float()
        finals.append(final if undo is None else undo(final))
        if looks is not None and lag is None and out.together is not None:
            together.append(out.together if undo is None else undo(out.together))
        # The network's cue compares a frame with its window's worst, so that a view bad all through a window keeps it.
        qualities.append(out.quality if looks is None else out.quality * views.agreement(values, there))
    final, quality = torch.cat(finals).transpose(0, 1), torch.cat(qualities).transpose(0, 1)  # [V, N, W, ...]
    together = torch.cat(together).transpose(0, 1) if together else None
    done = 0
    for (frames, _), first, undo in zip(recordings, firsts, undo_sequence):
        part = slice(done, done + len(first))
        done += len(first)
        length = max(frames.shape[1], window)
        merged, confidence = _averaged(
            final[:, part], quality[:, part], padded(frames, window).to(device), length, step, weighting, lag
        )
        real = slice(0 if lag is None else window - 1, frames.shape[1])
        merged = merged[:, real].cpu()
        if together is not None:
            fused = sliding_window.average(together[:, part], step, length, padded(frames, window).to(device))
            merged = views.steadied(merged, fused[:, real].cpu(), frames[:, real], root)
        if lag == 0 and carry:
            merged = sliding_window.carried(merged, carry)
        yield RefinedRecording(merged if undo is None else undo(merged[None])[0], confidence[:, real].cpu())


def _led(frames, window):
    """[V, T, ...] with its first frame W-1 times before it."""
    return torch.cat((frames[:, :1].expand(-1, window - 1, *frames.shape[2:]), frames), dim=1)


def _averaged(final, quality, frames, length, step, weighting, lag=None):
    """The windows' frames [V, N, W, C] and quality [V, N, W] as [V, T, C] and [V, T]."""
    weights = quality if weighting == "quality" else window_weights(weighting, final.shape[2])
    if lag is not None:
        known = lag_weights(length - final.shape[2] + 1, final.shape[2], lag)
        weights = known if weights is None else known * weights
    if weights is not None:
        weights = weights.to(final.device).expand(quality.shape)
    merged = sliding_window.average(final, step, length, frames, weights)
    confidence = sliding_window.average(
        quality[..., None], step, length, torch.ones_like(frames[..., :1]), weights if lag is not None else None
    )
    return merged, confidence[..., 0]


def padded(frames, window):
    """[V, T, ...] with its last frame repeated up to W frames where T < W."""
    lacking = window - frames.shape[1]
    if lacking <= 0:
        return frames
    return torch.cat((frames, frames[:, -1:].expand(-1, lacking, *frames.shape[2:])), dim=1)
