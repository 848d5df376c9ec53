"""SynSP as this toolkit trains it: corrections to a smooth base, a cue of the camera, fused views, long windows by segments.

The published network (lib/models/synsp.py) does the work; this class only prepares what it reads. The windows come in
their common frame, with what `lib.windows.steps` tells of it.
"""

import math
from functools import lru_cache

import torch
from torch import nn
from torch.nn import functional

from ..windows.body import scaled
from ..windows.canonical import CUE
from .attention import PUBLISHED_SIZES, AttentionBias
from .synsp import SynSP, dct_matrix

# Segments of a long window: those further apart than REACH share one bias of the attention scores, and an untrained network
# attends to another segment's token e^ELSEWHERE as much as to one of its own.
REACH, ELSEWHERE = 3, -4.0
# What a correction is linear in: TURNS numbers of the camera's direction, the pose, and the pose times each of these.
TURNS = 4
FOR_EACH = 1 + TURNS


class ResidualSynSP(SynSP):
    """SynSP with any of these additions, `options`:

    residual_components K > 0: each head predicts a correction to the first K DCT components of the input window (1: its
    mean, 2: and its slope, ...), so that the untrained network already is a smoother.
    cue: it is told where the camera stands (`lib.windows.canonical.Canonical.cue`).
    bones: it is told the lengths of so many bones in the recording (`lib.windows.body`). Begins at
    zero, so that the weights of a network that is not told it fit.
    fuses: each view enters as what the views say together plus how it differs from that. Both begin at zero, so that the
    weights of a network for one view fit.
    segments: the views are the segments of one long window; attention has a bias by the distance of two segments, one a
    layer and head (Shaw et al., "Self-attention with relative position representations", NAACL 2018).
    corrects: each window is at last moved by a linear function of its own mean pose and of where the camera stands
    (`correction_features`; `lib.training.correction` fits it). Needs the cue. Begins at zero.
    """

    def __init__(
        self,
        channels,
        sizes=PUBLISHED_SIZES,
        *,
        residual_components=0,
        cue=False,
        bones=0,
        fuses=False,
        segments=False,
        corrects=False,
    ):
        super().__init__(channels, sizes)
        d_model = sizes.d_model
        self.residual_components, self.cue, self.bones = residual_components, cue, bones
        self.fuses, self.segments, self.corrects = fuses, segments, corrects
        if cue:
            self.proj_v = nn.Linear(CUE, d_model)
            nn.init.xavier_uniform_(self.proj_v.weight)
        if bones:
            self.proj_b = nn.Linear(bones, d_model, bias=False)
            nn.init.zeros_(self.proj_b.weight)
        if fuses:
            self.proj_d = nn.Linear(channels, d_model, bias=False)
            nn.init.zeros_(self.proj_d.weight)
        if segments:  # of the global encoder and the two decoders
            self.segment_bias = nn.Parameter(torch.zeros(3, sizes.n_layers, sizes.n_head, 2 * REACH + 1))
        if corrects:
            self.proj_l = nn.Linear(FOR_EACH * channels + TURNS, channels)
            nn.init.zeros_(self.proj_l.weight)
            nn.init.zeros_(self.proj_l.bias)
        if residual_components:
            for head in (self.proj_o_p, self.proj_o_a, self.proj_o_2):
                nn.init.zeros_(head[1].weight)
                nn.init.zeros_(head[1].bias)

    def described(self):
        return {
            **super().described(),
            "residual_components": self.residual_components,
            "cue": self.cue,
            "bones": self.bones,
            "fuses": self.fuses,
            "segments": self.segments,
            "corrects": self.corrects,
        }

    def sizes(self):
        return {**super().sizes(), "MODEL.RESIDUAL_COMPONENTS": self.residual_components}

    def forward(self, x, present=None, cue=None, consensus=None, body=None):
        """x, present: as of `SynSP`; cue [B, V, 3]: of a network that is told it; consensus [B, 1, F, C]: what the views say
        together, or None where each speaks for itself; body [B, V, K]: of a network that is told of K bones. Returns `Heads`."""
        x = x[:, None] if x.dim() == 3 else x
        frames = x.shape[2]
        with torch.autocast(x.device.type, enabled=False):
            x, dct = x.float(), dct_matrix(frames, x.device)
            fused = x if consensus is None else consensus.expand_as(x)
            base = 0.0
            if self.residual_components:
                base = slow_part(frames, self.residual_components, x.device) @ fused
            spectrum = dct @ (fused if self.fuses else x)
        embedded = self.proj_i_a(spectrum)
        if self.cue:
            embedded = embedded + self.proj_v(cue)[:, :, None]
        if self.bones:
            embedded = embedded + self.proj_b(scaled(body))[:, :, None]
        if self.fuses and consensus is not None:
            embedded = embedded + self.proj_d(dct @ (x - consensus))
        bias = AttentionBias.of_absent(present, len(self.decoder.layer_stack))
        if self.segments:
            heads = self.refined(x, embedded, self._by_distance(bias, *x.shape[:3]), present, base, _no_difference)
        else:
            heads = self.refined(x, embedded, bias, present, base)
        if not self.corrects:
            return heads
        with torch.autocast(x.device.type, enabled=False):
            correction = self.proj_l(correction_features(heads.final.float().mean(2), cue))[:, :, None]
        return heads.changed(lambda poses: poses + correction)

    def _by_distance(self, absent, batch, segments, frames):
        """The `AttentionBias` of absent tokens with that of two segments' distance."""
        number = torch.arange(segments, device=self.segment_bias.device)
        away = number - number[:, None]  # [S, S], from the one that asks to the one that is asked
        bias = self.segment_bias[..., away.clamp(-REACH, REACH) + REACH] + ELSEWHERE * (away != 0)
        bias = bias.repeat_interleave(frames, -1)  # [3, L, H, S, S*F]
        asked = functional.pad(bias[1:], (frames, 0)).transpose(2, 3)[..., None, :]  # [2, L, S, H, 1, F+S*F]
        asked = asked.repeat(1, 1, batch, 1, 1, 1)
        among = bias[0].repeat_interleave(frames, -2)[:, None]  # [L, 1, H, S*F, S*F]
        return absent.plus(among, *asked)


def correction_features(poses, cue):
    """What the correction of a window is linear in, [..., 5 C + 4]: its mean pose [..., C] in the common heading, the camera's
    direction (sine and cosine of its angle and of twice that) by its cue [..., 3], and their products.

    An estimator sees depth worst, so that its errors in the body's own axes turn with the camera.
    """
    sine, cosine = cue[..., 0], cue[..., 2]
    turns = torch.stack((sine, cosine, sine * cosine, cosine**2 - 0.5), -1)
    return torch.cat((poses, turns, (poses[..., None] * turns[..., None, :]).flatten(-2)), -1)


def _no_difference(x):
    """`similarity` of what is one view at different times."""
    return x.new_ones(x.shape[0], x.shape[1], x.shape[1] * x.shape[2])


@lru_cache(maxsize=32)
def slow_part(frames, components, device):
    """The projection [F, F] of a window onto its first DCT components (1: its mean, 2: and its slope, ...)."""
    n = torch.arange(frames, dtype=torch.float64)
    basis = torch.cos(math.pi * (2 * n[None] + 1) * torch.arange(min(components, frames))[:, None] / (2 * frames))
    basis = basis / basis.norm(dim=1, keepdim=True)
    return (basis.T @ basis).to(device, torch.float32)
