"""SynSP: a transformer that refines a window of poses into a precise and a smooth pose and fuses the two.

Wang et al., "SynSP: Synergy of Smoothness and Precision in Pose Sequences Refinement", CVPR 2024. Parameter
names are those of the published checkpoints, without the weights that never receive a gradient there.

Shapes: B windows, V views (1 for a single camera), F = W frames, C channels, d model width, H heads,
M memory tokens.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import nn
from torch.nn import functional

from ..errors import UserError
from ..windows.canonical import CUE, Canonical
from .attention import ABSENT, DecoderLayer, Dropout, EncoderLayer, Stack, memory_of

# How sure a camera is along its view against across it, and where a joint is off: of real and simulated estimators the depth
# errs about twice as much, and a view that lies 8 cm from the others is more likely thrown off than right.
DEPTH_PRECISION, OUTLIER = 0.3, 0.08
# Segments of a long window: those further apart than REACH share one bias of the attention scores, and an untrained network
# attends to another segment's token e^ELSEWHERE as much as to one of its own.
REACH, ELSEWHERE = 3, -4.0


@dataclass
class Refined:
    """What SynSP returns. final, precision, smoothness: [B, V, F, C]; quality: [B, V, F], in (0, 1]; together: what the
    views say together (`fused_views`), the same for each of them, [B, V, F, C], or None where they were not fused."""

    final: torch.Tensor
    precision: torch.Tensor
    smoothness: torch.Tensor
    quality: torch.Tensor
    together: torch.Tensor | None = None

    def map(self, change, poses_only=False):
        """All parts, or all but quality, changed."""
        return Refined(
            *(change(poses) for poses in (self.final, self.precision, self.smoothness)),
            self.quality if poses_only else change(self.quality),
            None if self.together is None else change(self.together),
        )


@lru_cache(maxsize=32)
def _dct_matrix(frames, device):
    """DCT-II, unnormalised with factor 2, as a matrix [F, F]: u = D x."""
    n = torch.arange(frames, dtype=torch.float64)
    matrix = 2 * torch.cos(math.pi * (2 * n[None] + 1) * n[:, None] / (2 * frames))
    return matrix.to(device, torch.float32)


@lru_cache(maxsize=32)
def _slow_part(frames, components, device):
    """The projection [F, F] of a window onto its first DCT components (1: its mean, 2: and its slope, ...)."""
    n = torch.arange(frames, dtype=torch.float64)
    basis = torch.cos(math.pi * (2 * n[None] + 1) * torch.arange(min(components, frames))[:, None] / (2 * frames))
    basis = basis / basis.norm(dim=1, keepdim=True)
    return (basis.T @ basis).to(device, torch.float32)


@lru_cache(maxsize=32)
def _positions(frames, width, device):
    """Fixed position codes [F, d]. Sine and cosine of one pair share their frequency."""
    frequency = 10000 ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    angle = torch.arange(frames, dtype=torch.float64)[:, None] * frequency
    return torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(1)[:, :width].to(device, torch.float32)


class SynSP(nn.Module):
    """The network of SPEC section 5, on windows of one or several views.

    channels: C. residual_components: 0 predicts poses as published; K > 0 predicts corrections to the first K
    DCT components of the input window, so that the untrained network already is a smoother. align_views: how its
    views are brought into one frame before they come here (lib/windows/views.py); unless 'none', the corrections are
    to the views taken together. canonical: None as published, or what `lib.windows.canonical.spec` returns: every
    window is turned to one heading (2D: moved to one place) for the network and put back. With both, each view enters
    as what the views say together (`fused_views`) plus how it differs from that; one view alone is the network for one.
    carry: the share of its last pose that a stream without delay carries on (`lib.windows.sliding_window.carried`).
    segment: 0 as published, or L: a window of S x L frames is S windows of L, which take the place of the views: a local
    encoder and a base of each, one global encoder over all, so that each is refined as a window of L that knows what came
    before and comes after. Several views are then each by itself. Attention has a bias by the distance of two segments, one a
    layer and head (Shaw et al., "Self-attention with relative position representations", NAACL 2018), and the weights
    of a network for windows of L fit.
    """

    def __init__(
        self,
        channels,
        d_model=128,
        d_inner=128,
        n_layers=4,
        n_head=4,
        d_k=64,
        d_v=64,
        dropout=0.2,
        residual_components=0,
        align_views="none",
        canonical=None,
        carry=0.0,
        segment=0,
    ):
        super().__init__()
        self.channels = channels
        self.residual_components = residual_components
        self.align_views = align_views
        self.canonical = canonical
        self.carry = carry
        self.segment = segment
        sizes = (d_model, d_inner, n_head, d_k, d_v, dropout)
        self.proj_i_a = nn.Sequential(nn.Linear(channels, d_model), nn.Linear(d_model, d_model))
        self.encoder_local = Stack(EncoderLayer, n_layers, *sizes)
        self.encoder_global = Stack(EncoderLayer, n_layers, *sizes)
        self.decoder = Stack(DecoderLayer, n_layers, *sizes)
        self.decoder_2 = Stack(DecoderLayer, n_layers, *sizes)
        self.dropout = Dropout(dropout)
        for name in ("proj_o_p", "proj_o_a", "proj_o_2"):
            setattr(self, name, nn.Sequential(nn.Linear(d_model, 2 * d_model), nn.Linear(2 * d_model, channels)))
        if canonical:
            self.proj_v = nn.Linear(CUE, d_model)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)
        self.fuses = bool(canonical) and align_views != "none"
        if self.fuses:  # begins at zero, as the network of one view, whose weights it can start from
            self.proj_d = nn.Linear(channels, d_model, bias=False)
            nn.init.zeros_(self.proj_d.weight)
        if segment:  # of the global encoder and the two decoders
            self.segment_bias = nn.Parameter(torch.zeros(3, n_layers, n_head, 2 * REACH + 1))
        if residual_components:
            for head in (self.proj_o_p, self.proj_o_a, self.proj_o_2):
                nn.init.zeros_(head[1].weight)
                nn.init.zeros_(head[1].bias)

    def forward(self, x, present=None, depth=None):
        """Refine windows.

        x: [B, V, F, C], or [B, F, C] for one view (then V = 1 in the outputs). present: bool [B, V, F], False
        where a view has no frame; None: all are there. depth: [B, V, 3], where each view's camera looks in the frame
        of x, for a `canonical` network; None: along z. Returns `Refined`.
        """
        x = x[:, None] if x.dim() == 3 else x
        batch, cue = x.shape[:2], None
        with torch.autocast(x.device.type, enabled=False):
            x = x.float()
            if self.canonical:
                together = self.align_views != "none"
                canonical = Canonical(**self.canonical, values=x, present=present, together=together, depth=depth)
                x, cue = canonical.enter(x), canonical.cue
        if self.segment:
            x = _segments(x, self.segment)
            present = None if present is None else _segments(present, self.segment)
            cue = None if cue is None else cue.reshape(-1, 1, CUE)
        refined = self._refined(x, present, cue)
        if self.segment:
            refined = refined.map(lambda part: part.flatten(1, 2).unflatten(0, batch))
        if self.canonical:
            refined = refined.map(lambda poses: canonical.leave(poses.float()), poses_only=True)
        return refined

    def _refined(self, x, present, cue):
        """`forward` on windows [B, V, F, C] that are in their canonical frame, or are the S segments of a longer window."""
        views, frames = x.shape[1:3]
        with torch.autocast(x.device.type, enabled=False):
            dct, together = _dct_matrix(frames, x.device), x
            if self.align_views != "none" and views > 1:
                together = fused_views(x, cue, present) if self.fuses else median_of_views(x, present)
            base = 0.0
            if self.residual_components:
                base = _slow_part(frames, self.residual_components, x.device) @ together
            spectrum = dct @ (together.expand_as(x) if self.fuses else x)
        embedded = self.proj_i_a(spectrum)  # [B, V, F, d]
        if self.canonical:
            embedded = embedded + self.proj_v(cue)[:, :, None]
        if self.fuses and views > 1:
            embedded = embedded + self.proj_d(dct @ (x - together))
        scores = self._added_scores(present, *x.shape[:3])
        similarity = _no_difference if self.segment else _similarity
        placed = embedded + _positions(frames, embedded.shape[-1], x.device).to(embedded.dtype)
        local = self.dropout(placed).flatten(0, 1)
        shared = self.dropout(placed).flatten(1, 2)
        for layer in self.encoder_local.layer_stack:
            local = layer(local, scores.own)
        for layer, added in zip(self.encoder_global.layer_stack, scores.shared):
            shared = layer(shared, added)

        query = embedded.flatten(0, 1)
        *layers, last = self.decoder.layer_stack
        memory = memory_of(local, shared, similarity(x))
        hidden = query
        for layer, added in zip(layers, scores.decoder):
            hidden = layer(hidden, layer.enc_attn.keys_values(memory), added)
        memory = last.enc_attn.keys_values(memory)
        hidden = last(hidden, memory, scores.decoder[-1])
        precise = last(hidden, memory, scores.decoder[-1]) + query
        # The second pass differs from the first in its dropout only.
        smooth = last(hidden, memory, scores.decoder[-1]) + query if self.training else precise
        precision = base + self.proj_o_p(precise).unflatten(0, x.shape[:2])
        smoothness = base + self.proj_o_a(smooth).unflatten(0, x.shape[:2])

        quality = _quality(precision.detach(), smoothness.detach(), present)
        average = (precision + smoothness).detach().float() / 2
        added = similarity(average) + torch.diag_embed(quality.transpose(1, 2)).permute(0, 2, 3, 1).flatten(2)
        memory = memory_of(smooth, shared, added)
        hidden = query
        for layer, added in zip(self.decoder_2.layer_stack, scores.decoder_2):
            hidden = layer(hidden, layer.enc_attn.keys_values(memory), added)
        final = base + self.proj_o_2(hidden + query).unflatten(0, x.shape[:2])
        return Refined(
            final, precision, smoothness, quality, together.expand_as(x) if self.fuses and views > 1 else None
        )

    def _added_scores(self, present, batch, views, frames):
        """What is added to the attention's scores: for absent tokens, and by the distance of two segments."""
        own, shared, memory = _absent_scores(present)
        if not self.segment:
            return _Scores(own, *([part] * len(self.decoder.layer_stack) for part in (shared, memory, memory)))
        number = torch.arange(views, device=self.segment_bias.device)
        away = number - number[:, None]  # [S, S], from the one that asks to the one that is asked
        bias = self.segment_bias[..., away.clamp(-REACH, REACH) + REACH] + ELSEWHERE * (away != 0)
        bias = bias.repeat_interleave(frames, -1)  # [3, L, H, S, S*F]
        asked = functional.pad(bias[1:], (frames, 0)).transpose(2, 3)[..., None, :]  # [2, L, S, H, 1, F+S*F]
        asked = asked.repeat(1, 1, batch, 1, 1, 1)
        among = bias[0].repeat_interleave(frames, -2)[:, None]  # [L, 1, H, S*F, S*F]
        if present is not None:
            among, asked = among + shared, asked + memory
        return _Scores(own, among, *asked)


@dataclass
class _Scores:
    """Scores added in attention: own [B*V,1,1,F] or None, the others L of what broadcasts to [B or B*V, H, queries, tokens]."""

    own: torch.Tensor
    shared: list
    decoder: list
    decoder_2: list


def _segments(values, length):
    """Windows of several segments as windows of as many views: [B, V, S*L, ...] -> [B*V, S, L, ...]."""
    if values.shape[2] % length:
        raise UserError(
            f"a window of {values.shape[2]} frames: this network reads segments of {length}, which must divide it. "
            "Change --slide_window_size"
        )
    return values.flatten(0, 1).unflatten(1, (-1, length))


def _no_difference(x):
    """`_similarity` of what is one view at different times."""
    return x.new_ones(x.shape[0], x.shape[1], x.shape[1] * x.shape[2])


def _absent_scores(present):
    """Scores added for absent tokens: own [B*V,1,1,F], shared [B,1,1,V*F], memory [B*V,1,1,F+V*F]; or None each."""
    if present is None:
        return None, None, None
    batch, views, frames = present.shape
    scores = torch.zeros(present.shape, device=present.device).masked_fill_(~present, ABSENT)
    own = scores.reshape(batch * views, 1, 1, frames)
    shared = scores.reshape(batch, 1, 1, views * frames)
    return own, shared, torch.cat((own, shared.repeat_interleave(views, 0)), dim=-1)


def median_of_views(x, present):
    """The median over the views that are there, the same for each view: [B, V, F, C] -> [B, 1, F, C]."""
    views = x.shape[1]
    if present is None:
        ordered = x.sort(1).values
        return ordered[:, (views - 1) // 2 : views // 2 + 1].mean(1, keepdim=True)
    median = x.masked_fill(~present[..., None], float("nan")).nanquantile(0.5, 1, keepdim=True)
    return torch.where(median.isnan(), x.mean(1, keepdim=True), median)


def fused_views(x, depth, present=None, rounds=2):
    """3D poses seen from several sides, weighted by what each side can see: [B, V, F, C] -> [B, 1, F, C] metres.

    depth: [B, V, 3], unit vectors, where the cameras look. Each camera counts `DEPTH_PRECISION` as much along its view as
    across; a joint that lies `OUTLIER` off what the views say together counts half (iteratively reweighted least squares
    with Cauchy's weights, e.g. Holland and Welsch, "Robust regression using iteratively reweighted least-squares",
    Commun. Stat. 1977).
    """
    joints = x.unflatten(-1, (-1, 3))
    weight = (
        torch.ones_like(joints[..., 0]) if present is None else present[..., None].to(x.dtype).expand(joints.shape[:-1])
    )
    there, looks = weight, depth[:, :, None, None]  # [B, V, 1, 1, 3]
    lost = 1 - DEPTH_PRECISION

    def seen(vectors):
        """A camera's precision times vectors: what lies across its view, and a share of what lies along."""
        return vectors - lost * (vectors * looks).sum(-1, keepdim=True) * looks

    outer = looks[..., :, None] * looks[..., None, :]
    unit = torch.eye(3, dtype=x.dtype, device=x.device)
    for _ in range(1 + rounds):
        total = weight.sum(1)[..., None, None]
        precision = total * unit - lost * (weight[..., None, None] * outer).sum(1)
        fused = _solved(precision, (weight[..., None] * seen(joints)).sum(1))[:, None]
        off = joints - fused
        weight = there / (1 + (off * seen(off)).sum(-1) / OUTLIER**2)
    if present is not None:  # of a frame that no view has there is nothing to say
        fused = torch.where(present.any(1, keepdim=True)[..., None, None], fused, joints.mean(1, keepdim=True))
    return fused.flatten(-2)


def _solved(matrix, vector):
    """Solutions of symmetric 3 x 3 systems by cofactors, [..., 3, 3] and [..., 3]: many small ones at once."""
    (a, b, c), (d, e), f = matrix[..., 0, :].unbind(-1), matrix[..., 1, 1:].unbind(-1), matrix[..., 2, 2]
    x, y, z = vector.unbind(-1)
    first, second, third = d * f - e * e, c * e - b * f, b * e - c * d
    determinant = (a * first + b * second + c * third).clamp_min(1e-12)
    fourth, fifth, sixth = a * f - c * c, b * c - a * e, a * d - b * b
    return (
        torch.stack(
            (
                first * x + second * y + third * z,
                second * x + fourth * y + fifth * z,
                third * x + fifth * y + sixth * z,
            ),
            -1,
        )
        / determinant[..., None]
    )


def _similarity(x):
    """c[b, i, (j, f)] = exp(-mean over C of (x_i - x_j)^2) at frame f. x [B, V, F, C] -> [B, V, V*F]."""
    if x.shape[1] == 1:
        return torch.ones(x.shape[:3], device=x.device)
    return (-(x[:, :, None] - x[:, None]).square().mean(-1)).exp().flatten(2)


def _quality(precision, smoothness, present=None):
    """How well the two heads agree at each frame, against the window's worst that is there: [B, V, F] in (0, 1]."""
    difference = (precision.float() - smoothness.float()).abs() / 2
    if present is not None:
        difference = difference * present[..., None]
    worst = difference.amax(2, keepdim=True)
    return (-(difference + 1e-6) / (worst + 1e-5)).exp().mean(-1)
