"""Validation: the loss and the errors of a network on windows that training does not see."""

import numpy as np
import torch

from ..poses import metrics
from ..poses.kinds import kind_of
from .bank import WindowBank
from .loss import ACCEL_SHARE
from .sets import VALIDATION_NOISE


class Validation:
    """Validation splits as windows, half a window apart, with errors that stay; batches: the training's `Batches`."""

    def __init__(self, splits, batches, device):
        cfg, self.batches = batches.cfg, batches
        self.split, self.device, window = splits[0], device, cfg.MODEL.SLIDE_WINDOW_SIZE
        self.bank = WindowBank(splits, window + batches.run - 1, max(1, window // 2), device)
        rng = np.random.default_rng([cfg.SEED_VALUE, VALIDATION_NOISE])
        self.bank.draw_noise(cfg.TRAIN.noise_type, cfg.TRAIN.noise_std, rng)

    @torch.no_grad()
    def scores(self, network, group):
        """{score: mean} of all windows: loss of the final head (of the stream, with a TRAIN.LAG) and its two terms; of 3D joints MPJPE,
        PA-MPJPE (mm) and Accel (mm/frame², unpadded) before and after. group: the processes that share the work."""
        totals = {}
        indices = torch.arange(len(self.bank), device=self.device).split(self.batches.cfg.EVALUATE.BATCH_SIZE)
        for index in indices[group.rank :: group.world]:
            for name, pair in self._sums(network, index).items():
                totals[name] = np.add(totals.get(name, 0.0), pair)
        totals = group.totals(totals)
        return {name: float(value / count) for name, (value, count) in totals.items() if count}

    def _sums(self, network, index):
        """{score: (sum, count)} of windows `index` [B]."""
        weights = self.batches.cfg.LOSS
        refined, _, parts, windows = self.batches.refined(network, self.batches.plain(self.bank, index))
        detected, truth, present = windows
        counts = torch.ones(truth.shape[:3], dtype=torch.bool, device=truth.device) if present is None else present
        judged, share = ("final", ACCEL_SHARE["final"]) if self.batches.lag is None else ("stream", 1.0)
        position = float(weights.W_POS * parts[f"{judged}_pos"])
        acceleration = float(weights.W_ACCEL * share * parts.get(f"{judged}_accel", 0))
        terms = {"loss": position + acceleration, "loss_position": position, "loss_acceleration": acceleration}
        frames = int(counts.sum())
        found = {name: (value * frames, frames) for name, value in terms.items()}
        if kind_of(self.batches.recipe.kind).in_space:
            found |= self._motion("input_", detected, truth, counts)
            found |= self._motion("", refined.final.float(), truth, counts)
        return found

    def _motion(self, prefix, poses, truth, counts):
        """{score: (sum, count)} of windows [B, V, F, C] of 3D joints; counts: bool [B, V, F], the frames that count."""
        rep, root = self.split.representation, self.split.layout.root
        joints, true = (metrics.root_relative(rep.joints(x).flatten(0, 2), root) for x in (poses, truth))
        inside = counts.flatten()
        pair = joints[inside], true[inside]
        second = metrics.second_difference((joints - true).unflatten(0, counts.shape).movedim(2, 0))
        inner = (counts[:, :, 2:] & counts[:, :, 1:-1] & counts[:, :, :-2]).movedim(2, 0)
        moved = metrics.euclidean(second).mean(-1)[inner]
        values = {"mpjpe": metrics.mpjpe(*pair), "pampjpe": metrics.pa_mpjpe(*pair), "accel": moved}
        return {f"{prefix}{name}": (float(value.sum()), value.numel()) for name, value in values.items()}
