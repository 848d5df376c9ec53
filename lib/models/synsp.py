"""SynSP: a transformer that refines a window of poses into a precise and a smooth pose and fuses the two.

Wang et al., "SynSP: Synergy of Smoothness and Precision in Pose Sequences Refinement", CVPR 2024; SPEC section 5. Parameter
names are those of the published checkpoints, without the weights that never receive a gradient there. What this toolkit
adds to the network stands beside it, in lib/models/residual.py.

Shapes: B windows, V views (1 for a single camera), F = W frames, C channels, d model width, H heads, M memory tokens.
"""

import math
from functools import lru_cache

import torch
from torch import nn

from .attention import PUBLISHED_SIZES, AttentionBias, DecoderLayer, EncoderLayer, Stack, memory_of
from .dropout import Dropout
from .heads import Heads


class SynSP(nn.Module):
    """The published network, on windows of one or several views, of C channels."""

    name, window = "synsp", None  # any window

    def __init__(self, channels, sizes=PUBLISHED_SIZES):
        super().__init__()
        self.channels, d_model = channels, sizes.d_model
        self.gain = self.blend = None  # how windows become poses, where that was learnt (lib/models/merging.py)
        self.proj_i_a = nn.Sequential(nn.Linear(channels, d_model), nn.Linear(d_model, d_model))
        self.encoder_local = Stack(EncoderLayer, sizes)
        self.encoder_global = Stack(EncoderLayer, sizes)
        self.decoder = Stack(DecoderLayer, sizes)
        self.decoder_2 = Stack(DecoderLayer, sizes)
        self.dropout = Dropout(sizes.dropout)
        for name in ("proj_o_p", "proj_o_a", "proj_o_2"):
            setattr(self, name, nn.Sequential(nn.Linear(d_model, 2 * d_model), nn.Linear(2 * d_model, channels)))
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)

    def sizes(self):
        """{config key: value} of what its tensors' shapes say."""
        attention, feed = self.decoder.layer_stack[0].enc_attn, self.decoder.layer_stack[0].pos_ffn
        d_model = self.proj_i_a[0].out_features
        return {
            "MODEL.d_model": d_model,
            "MODEL.d_word_vec": d_model,
            "MODEL.d_inner": feed.w_1.out_features,
            "MODEL.n_layers": len(self.decoder.layer_stack),
            "MODEL.n_head": attention.n_head,
            "MODEL.d_k": attention.d_k,
            "MODEL.d_v": attention.d_v,
        }

    def described(self):
        """The `model` part of a checkpoint: what its tensors' shapes do not say."""
        return {
            "name": self.name,
            "n_head": self.decoder.layer_stack[0].enc_attn.n_head,
            "dropout": self.dropout.share,
        }

    def forward(self, x, present=None):
        """Refine windows.

        x: [B, V, F, C], or [B, F, C] for one view (then V = 1 in the outputs); present: bool [B, V, F], False where a view
        has no frame, None: all are there. Returns `Heads`.
        """
        x = x[:, None] if x.dim() == 3 else x
        with torch.autocast(x.device.type, enabled=False):
            spectrum = dct_matrix(x.shape[2], x.device) @ x.float()
        bias = AttentionBias.of_absent(present, len(self.decoder.layer_stack))
        return self.refined(x.float(), self.proj_i_a(spectrum), bias, present)

    def refined(self, x, embedded, bias, present=None, base=0.0, similar=None):
        """SPEC 5.3 to 5.9: `Heads` of the embedded windows [B, V, F, d].

        x [B, V, F, C]: the windows themselves, float32; bias: `AttentionBias`; base: what the heads' outputs are added to;
        similar: how alike the views are, a function [B, V, F, C] -> [B, V, V*F] (default: `similarity`).
        """
        similar = similar or similarity
        placed = embedded + positions(x.shape[2], embedded.shape[-1], x.device).to(embedded.dtype)
        local = self.dropout(placed).flatten(0, 1)
        shared = self.dropout(placed).flatten(1, 2)
        for layer in self.encoder_local.layer_stack:
            local = layer(local, bias.own)
        for layer, added in zip(self.encoder_global.layer_stack, bias.shared):
            shared = layer(shared, added)

        query = embedded.flatten(0, 1)
        *layers, last = self.decoder.layer_stack
        memory = memory_of(local, shared, similar(x))
        hidden = query
        for layer, added in zip(layers, bias.decoder):
            hidden = layer(hidden, layer.enc_attn.keys_values(memory), added)
        memory = last.enc_attn.keys_values(memory)
        hidden = last(hidden, memory, bias.decoder[-1])
        precise = last(hidden, memory, bias.decoder[-1]) + query
        # The second pass differs from the first in its dropout only.
        smooth = last(hidden, memory, bias.decoder[-1]) + query if self.training else precise
        precision = base + self.proj_o_p(precise).unflatten(0, x.shape[:2])
        smoothness = base + self.proj_o_a(smooth).unflatten(0, x.shape[:2])

        quality = quality_cue(precision.detach(), smoothness.detach(), present)
        average = (precision + smoothness).detach().float() / 2
        added = similar(average) + torch.diag_embed(quality.transpose(1, 2)).permute(0, 2, 3, 1).flatten(2)
        memory = memory_of(smooth, shared, added)
        hidden = query
        for layer, added in zip(self.decoder_2.layer_stack, bias.decoder_2):
            hidden = layer(hidden, layer.enc_attn.keys_values(memory), added)
        final = base + self.proj_o_2(hidden + query).unflatten(0, x.shape[:2])
        return Heads(final, precision, smoothness, quality)


@lru_cache(maxsize=32)
def dct_matrix(frames, device):
    """DCT-II, unnormalised with factor 2, as a matrix [F, F]: u = D x."""
    n = torch.arange(frames, dtype=torch.float64)
    matrix = 2 * torch.cos(math.pi * (2 * n[None] + 1) * n[:, None] / (2 * frames))
    return matrix.to(device, torch.float32)


@lru_cache(maxsize=32)
def positions(frames, width, device):
    """Fixed position codes [F, d]. Sine and cosine of one pair share their frequency."""
    frequency = 10000 ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    angle = torch.arange(frames, dtype=torch.float64)[:, None] * frequency
    return torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(1)[:, :width].to(device, torch.float32)


def similarity(x):
    """c[b, i, (j, f)] = exp(-mean over C of (x_i - x_j)^2) at frame f. x [B, V, F, C] -> [B, V, V*F]."""
    if x.shape[1] == 1:
        return torch.ones(x.shape[:3], device=x.device)
    return (-(x[:, :, None] - x[:, None]).square().mean(-1)).exp().flatten(2)


def quality_cue(precision, smoothness, present=None):
    """How well the two heads agree at each frame, against the window's worst that is there: [B, V, F] in (0, 1]."""
    difference = (precision.float() - smoothness.float()).abs() / 2
    if present is not None:
        difference = difference * present[..., None]
    worst = difference.amax(2, keepdim=True)
    return (-(difference + 1e-6) / (worst + 1e-5)).exp().mean(-1)
