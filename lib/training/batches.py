"""Batches: the way of windows from a bank through views, augmentation and cameras to the network and its loss.

Training and validation take the same way, validation without what is drawn at random. B batch, V views, F frames, W the network's
window, C channels.
"""

from typing import NamedTuple

import numpy as np
import torch

from ..models import dropout
from ..poses.kinds import kind_of
from ..windows import steps, views
from ..windows.merge import Merge
from .augment import Augment
from .bodies import BodiesOfBank
from .film import Film
from .loss import refinement_loss, stream_loss
from .sets import BODY, NOISE


class Batch(NamedTuple):
    """detected, truth: [B, V, F, C]; present: bool [B, V, F], frames that count, or None: all; view_axes: where the views' cameras look,
    [B, V, 3], or None; body: what the network is told of bodies, or None."""

    detected: torch.Tensor
    truth: torch.Tensor
    present: torch.Tensor | None
    view_axes: torch.Tensor | None
    body: torch.Tensor | None


class Batches:
    """What a training makes of windows, on one device: split: one of its training splits; views: the most of a recording."""

    def __init__(self, cfg, recipe, split, views, device):
        self.cfg, self.recipe, self.views, self.lag = cfg, recipe, views, lag_of(cfg)
        self.run = run_of(cfg)
        self.stream = None if self.lag is None else Merge(recipe.streamed(self.lag))
        self.film = Film(split.layout) if cfg.TRAIN.FILM else None
        self.channels = split.layout.size * kind_of(recipe.kind).network if self.film else split.channels
        # Views that stand in one frame must be turned together.
        self.augment = Augment(
            cfg.TRAIN.AUGMENT,
            split.layout,
            split.representation,
            device,
            one_yaw=recipe.align != "none",
            errors_stay=cfg.MODEL.CANONICAL,
        )
        # bank -> what is known of its recordings, made anew when its detections change
        self._aligners, self._bodies = {}, {}

    def draw_errors(self, bank, epoch):
        """Draw the errors of a bank's detections, and of the bodies that the network is told of, for an epoch."""
        training, seed = self.cfg.TRAIN, self.cfg.SEED_VALUE
        rng = np.random.default_rng([seed, NOISE, epoch])
        bank.draw_noise(training.noise_type, training.noise_std, rng, training.AUGMENT.NOISE)
        self._aligners.pop(bank, None)
        if self.recipe.bones:
            rng = np.random.default_rng([seed, BODY, epoch])
            self._bodies[bank] = BodiesOfBank(bank, self.recipe.bones, rng)

    def drawn(self, bank, index, generator):
        """The `Batch` of windows `index` [B] of a bank for training; what is random is drawn from a torch.Generator."""
        chosen = self._choose_views(bank, index, generator)
        detected, truth, present = bank.batch(index, self.augment.speed(len(index), generator), chosen)
        detected, truth, view_axes = self._aligned(bank, index, chosen, detected, truth, present)
        detected, truth, view_axes = self.augment(detected, truth, generator, view_axes)
        body = self._body(bank, index, chosen, truth)
        if self.film is not None:
            detected, truth = self.film(detected, truth, generator)
        return Batch(detected, truth, present, view_axes, body)

    def plain(self, bank, index):
        """The same for validation: all views, unchanged; cameras are the same at each call."""
        detected, truth, present = bank.batch(index)
        detected, truth, view_axes = self._aligned(bank, index, None, detected, truth, present)
        body = self._body(bank, index, None, truth)
        if self.film is not None:
            generator = torch.Generator(index.device).manual_seed(self.cfg.SEED_VALUE + int(index[0]))
            detected, truth = self.film(detected, truth, generator, sizes=False)
        return Batch(detected, truth, present, view_axes, body)

    def refined(self, network, batch, part=None):
        """(`Heads`, loss, its parts, the windows (detected, truth, present)) of a `Batch`, or of the `distributed.Part` of it.

        With a TRAIN.LAG the bank's windows are `run` frames longer, and the network's the `run` that they hold.
        """
        weights, size = (self.cfg.LOSS.W_POS, self.cfg.LOSS.W_ACCEL), self.cfg.MODEL.SLIDE_WINDOW_SIZE
        whole = batch.present
        detected, truth, present, view_axes, body = batch if part is None else part.of(*batch)
        windows = detected, truth, present
        if self.lag is not None:
            detected, frames = (x.unfold(2, size, 1).permute(0, 2, 1, 4, 3).flatten(0, 1) for x in (detected, truth))
            there = self._unfolded(present)
            view_axes, body = (
                None if each is None else each.repeat_interleave(self.run, 0) for each in (view_axes, body)
            )
            windows = detected, frames, there
        there = windows[2] if self.views > 1 else None
        with dropout.of_part(part):
            refined, _ = steps.run(network, self.recipe, windows[0], there, view_axes, body)
        shares = (1.0, 1.0) if part is None else part.shares(self._unfolded(whole))
        loss, parts = refinement_loss(refined, windows[1], *weights, windows[2], shares)
        if self.stream is not None:
            known = None if whole is None else whole[:, :, size - 1 : size - 1 + self.run - self.lag]
            shares = (1.0, 1.0) if part is None else part.shares(known)
            streamed, more = stream_loss(
                refined.final.unflatten(0, (-1, self.run)), truth, self.stream, *weights, present, shares
            )
            loss, parts = loss + streamed, parts | more
        return refined, loss, parts, windows

    def _unfolded(self, present):
        """Which frames count, bool [B, V, F], for the network's windows, [B * run, V, W]; None: all."""
        if present is None or self.lag is None:
            return present
        return present.unfold(2, self.cfg.MODEL.SLIDE_WINDOW_SIZE, 1).transpose(1, 2).flatten(0, 1)

    def _aligned(self, bank, index, chosen, detected, truth, present):
        """Windows of several views in one frame, as MODEL.ALIGN_VIEWS asks, and where their cameras look in it."""
        if self.recipe.align == "none" or bank.views == 1:
            return detected, truth, None
        root = self.recipe.root
        if self.recipe.align == "frame":
            aligned = views.Aligned.of(detected, present, root)
        else:
            if bank not in self._aligners:
                self._aligners[bank] = views.SequenceTurns(bank, root)
            aligned = views.Aligned(self._aligners[bank](index, chosen), root, detected)
        return aligned.enter(detected), aligned.enter(truth), aligned.view_axes

    def _body(self, bank, index, chosen, truth):
        """What the network is told of the body in each window, as `MODEL.BODY` asks; truth as it was changed."""
        if not self.recipe.bones:
            return None
        if bank not in self._bodies:
            self._bodies[bank] = BodiesOfBank(bank, self.recipe.bones)
        return self._bodies[bank](index, chosen, truth)

    def _choose_views(self, bank, index, generator):
        """A random number of the views, in random order, for each batch; None for a single view."""
        count = bank.views
        if count == 1:
            return None
        # All of them in half of the batches: several views are what it is for.
        keep = int(torch.randint(1, 2 * count, (1,), generator=generator, device=generator.device).clamp_max(count))
        scores = torch.rand(len(index), count, generator=generator, device=generator.device)
        # Views that a recording lacks come last.
        return (scores + (bank.first[index] < 0)).argsort(1)[:, :keep]


def lag_of(cfg):
    """The frames after which a stream is to put a pose out, or None: windows by themselves."""
    return cfg.TRAIN.LAG if cfg.TRAIN.LAG >= 0 else None


def run_of(cfg):
    """How many windows in a row a training window holds: 1 but for a stream.

    What it puts out is judged over two accelerations, which take a run of windows; over more where it carries its pose on, so that the
    first ones, which have nothing to carry, do not count for much.
    """
    lag = lag_of(cfg)
    return 1 if lag is None else lag + (12 if cfg.MODEL.CARRY else 4)
