"""The one path from a noisy sequence to a refined one: windows, steps, network, merge, and what follows the merge.

Evaluation, visualisation and file refinement come through `refine`; training, live streams and export use its pieces
(lib/windows/steps.py, merge.py). Values are in network units; the representation (lib/poses/representation.py)
converts to and from them. V views, T frames, N windows, W window, C channels.
"""

from dataclasses import dataclass

import torch
from scipy.ndimage import gaussian_filter1d

from ..errors import UserError
from . import body, sliding_window
from .fusing import agreement, steadied
from .merge import Merge
from .steps import run
from .views import Aligned


@dataclass
class RefinedRecording:
    """final [V, T, C] in network units; quality [V, T] in (0, 1], the confidence in each view: the network's own cue, of
    aligned views times how far they agree (`fusing.agreement`); spread [V, T, C] in network units, how far the windows over a
    frame differ (`Merge.spread`), where it was asked for."""

    final: torch.Tensor
    quality: torch.Tensor
    spread: torch.Tensor | None = None


@torch.no_grad()
def refine(network, recordings, recipe, batch=2048, spread=False):
    """Refine recordings as a recipe says.

    network: in eval mode; recordings: iterable of (views [V, T, C] float32, present bool [V, T] or None); recipe:
    `Recipe`, whose window is known; batch: windows through the network at once; spread: whether it is asked for. Yields a
    `RefinedRecording` each, in order, on the CPU. A sequence shorter than W is padded by its last frame for the network; windows of several recordings go
    through the network together. Raises UserError for a recipe that cannot be.
    """
    recipe.checked()
    if batch < 1:
        raise UserError(f"EVALUATE.BATCH_SIZE is {batch}; expected at least 1 window")
    pending, waiting = [], 0
    for poses, present in recordings:
        source = _Source(recipe, Merge(recipe, network.gain, network.blend), poses, present)
        # Only recordings of as many views share a batch.
        if pending and (waiting + len(source.starts) > batch or pending[0].views != source.views):
            yield from _together(network, pending, recipe, batch, spread)
            pending, waiting = [], 0
        pending.append(source)
        waiting += len(source.starts)
    if pending:
        yield from _together(network, pending, recipe, batch, spread)


class _Source:
    """One recording, ready to be cut into windows, and the steps that belong to it as a whole."""

    def __init__(self, recipe, merge, poses, present):
        self.recipe, self.merge, self.aligned = recipe, merge, None
        poses = torch.as_tensor(poses, dtype=torch.float32)
        present = None if present is None else torch.as_tensor(present)
        self.views, self.length = poses.shape[:2]
        if recipe.align == "sequence" and self.views > 1:
            self.aligned = Aligned.of(poses[None], None if present is None else present[None], recipe.root)
            poses = self.aligned.enter(poses[None])[0]
        self.poses = poses  # [V, T, C]
        self.frames = padded(led(poses, self.merge.lead), recipe.window)
        self.present = None if present is None else padded(led(present, self.merge.lead), recipe.window)
        self.starts = torch.tensor(sliding_window.starts(self.frames.shape[1], recipe.window, recipe.step))

    def body(self):
        """What each window's network is told of the body, [V, N, K]: by the whole recording, or, with a lag, by the frames up
        to the window's end, as a stream would know it."""
        bones, present = (
            self.recipe.bones,
            None if self.present is None else self.present[:, self.merge.lead :][:, : self.length],
        )
        if self.recipe.lag is None:
            return body.mean_lengths(self.poses, bones, present)[:, None].expand(-1, len(self.starts), -1)
        ends = (self.starts + self.recipe.window - 1 - self.merge.lead).clamp_max(self.length - 1)
        return body.running_lengths(self.poses, bones, present)[:, ends]

    def finished(self, final, quality, consensus, spread):
        """The windows' poses [V, N, W, C], cue [V, N, W] and what the views say together, or None: as a `RefinedRecording`."""
        frames = self.frames.to(final.device)
        merged = self.merge(final, frames, quality)
        apart = self.merge.spread(final, merged)[:, : self.length].cpu() if spread else None
        merged = merged[:, : self.length].cpu()
        confidence = self.merge.confidence(quality, frames.shape[1])[:, : self.length].cpu()
        for step in (self._steadied, self._smoothed, self._carried, self._left):
            merged = step(merged, frames, consensus)
        return RefinedRecording(merged, confidence, apart)

    # What follows the merge, in this order.

    def _steadied(self, merged, frames, consensus):
        """What is quick comes from the views themselves, where there are several and no lag."""
        if consensus is None or self.merge.lag is not None:
            return merged
        fused = sliding_window.average(consensus, self.recipe.step, frames.shape[1], frames)
        return steadied(merged, fused[:, : self.length].cpu(), self.poses, self.recipe.root)

    def _smoothed(self, merged, frames, consensus):
        """Of whole recordings: a stream knows too little of what comes."""
        if not self.recipe.smooth or self.recipe.lag is not None:
            return merged
        return torch.from_numpy(gaussian_filter1d(merged.numpy(), self.recipe.smooth, axis=1, mode="nearest"))

    def _carried(self, merged, frames, consensus):
        return self.merge.carried(merged)

    def _left(self, merged, frames, consensus):
        return merged if self.aligned is None else self.aligned.leave(merged[None])[0]


def _together(network, sources, recipe, batch, spread):
    """`refine` for recordings of one number of views, their windows in one row."""
    device = next(network.parameters()).device
    resident = torch.cat([source.frames for source in sources], dim=1).to(device)  # [V, rows, C]
    lengths = [source.frames.shape[1] for source in sources]
    counts = [len(source.starts) for source in sources]
    firsts = torch.tensor([0, *lengths[:-1]]).cumsum(0)
    starts = torch.cat([source.starts + first for source, first in zip(sources, firsts)])
    rows = (starts[:, None] + torch.arange(recipe.window)).to(device)
    mask, view_axes, bodies = _beside(sources, counts, device)
    finals, cues, fused = [], [], []
    for part, index in zip(torch.arange(len(rows)).split(batch), rows.split(batch)):
        there = None if mask is None else mask[:, index].transpose(0, 1)
        values = resident[:, index].transpose(0, 1)
        axes, told = (None if each is None else each[part] for each in (view_axes, bodies))
        heads, entered = run(network, recipe, values, there, axes, told)
        finals.append(heads.final)
        if entered.view_axes is None:
            cues.append(heads.quality)
            continue
        # The network's cue compares a frame with its window's worst, so that a view bad all through a window keeps it.
        cues.append(heads.quality * agreement(entered.common, there))
        if recipe.fuse == "depth":
            fused.append(entered.consensus)
    final, cue = torch.cat(finals).transpose(0, 1), torch.cat(cues).transpose(0, 1)  # [V, N, W, ...]
    consensus = torch.cat(fused).transpose(0, 1) if fused else None
    for source, *parts in zip(sources, final.split(counts, 1), cue.split(counts, 1)):
        mine = None if consensus is None else consensus[:, : len(source.starts)]
        consensus = None if consensus is None else consensus[:, len(source.starts) :]
        yield source.finished(*parts, mine, spread)


def _beside(sources, counts, device):
    """What belongs to the windows beside their poses, each or None: the frames that count, bool [V, rows]; where the cameras
    look, [N, V, 3]; what is told of the body, [N, V, K]."""
    mask, view_axes, bodies = None, None, None
    if any(source.present is not None for source in sources):
        mask = torch.cat([_mask(source) for source in sources], dim=1).to(device)
    if sources[0].aligned is not None:
        view_axes = [source.aligned.view_axes.expand(count, -1, -1) for source, count in zip(sources, counts)]
        view_axes = torch.cat(view_axes).to(device)
    if sources[0].recipe.bones:
        bodies = torch.cat([source.body() for source in sources], dim=1).transpose(0, 1).to(device)
    return mask, view_axes, bodies


def _mask(source):
    return torch.ones(source.frames.shape[:2], dtype=torch.bool) if source.present is None else source.present


def led(frames, count):
    """[V, T, ...] with its first frame `count` times before it."""
    return torch.cat((frames[:, :1].expand(-1, count, *frames.shape[2:]), frames), dim=1) if count else frames


def padded(frames, window):
    """[V, T, ...] with its last frame repeated up to W frames where T < W."""
    lacking = window - frames.shape[1]
    if lacking <= 0:
        return frames
    return torch.cat((frames, frames[:, -1:].expand(-1, lacking, *frames.shape[2:])), dim=1)
