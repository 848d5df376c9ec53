"""The layers of SynSP: multi-head attention, also to tokens that several views share, and feed-forward.

Shapes: B windows, V views (1 for a single camera), F = W frames, d model width, H heads, M memory tokens.
"""

import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from .dropout import Dropout, dropout

# Added to the attention scores of tokens that are not there. Finite, so that a window in which a view is
# absent altogether yields numbers (which nobody reads) and not NaN.
ABSENT = -1e9


class LayerNorm(nn.LayerNorm):
    """LayerNorm that on the CPU leaves a bfloat16 stream bfloat16, where autocast makes it float32 and every layer after it
    casts back. Its statistics are float32 anyway."""

    def forward(self, x):
        if x.device.type != "cpu":  # CUDA's kernel wants weights and input of one type
            return super().forward(x)
        with torch.autocast("cpu", enabled=False):
            return super().forward(x)


@dataclass(frozen=True)
class Sizes:
    """The sizes of SynSP (SPEC section 5): widths d, n_layers layers in each stack, n_head heads, share of dropout."""

    d_model: int = 128
    d_inner: int = 128
    n_layers: int = 4
    n_head: int = 4
    d_k: int = 64
    d_v: int = 64
    dropout: float = 0.2


PUBLISHED_SIZES = Sizes()


class Attention(nn.Module):
    """Multi-head attention with residual and LayerNorm. Keys and values may be computed once and reused."""

    def __init__(self, sizes):
        super().__init__()
        d_model, n_head, d_k, d_v = sizes.d_model, sizes.n_head, sizes.d_k, sizes.d_v
        self.n_head, self.d_k, self.d_v = n_head, d_k, d_v
        self.w_qs = nn.Linear(d_model, n_head * d_k, bias=False)
        self.w_ks = nn.Linear(d_model, n_head * d_k, bias=False)
        self.w_vs = nn.Linear(d_model, n_head * d_v, bias=False)
        self.fc = nn.Linear(n_head * d_v, d_model, bias=False)
        self.layer_norm = LayerNorm(d_model, eps=1e-6)
        self.dropout = Dropout(sizes.dropout)

    def _heads(self, x, size):
        return x.unflatten(-1, (self.n_head, size)).transpose(-2, -3)

    def keys_values(self, memory):
        """What `forward` wants of a `Memory`: (keys, values) of its own tokens, of the shared ones, and what is added."""
        return _Projected(
            self._both(memory.own), None if memory.shared is None else self._both(memory.shared), memory.added
        )

    def _both(self, tokens):
        return self._heads(self.w_ks(tokens), self.d_k), self._heads(self.w_vs(tokens), self.d_v)

    def forward(self, x, memory, bias=None):
        """x [B*V, F, d] attends to what `keys_values` made; bias, of what broadcasts to [B*V, H, F, M], is added to the scores."""
        if memory.shared is not None:
            out = self._over_views(x, memory, bias)
        else:
            queries, (keys, values) = self._heads(self.w_qs(x), self.d_k), memory.own
            if self.training:
                out = self._weights(queries @ keys.transpose(-1, -2), bias) @ values
            else:
                bias = None if bias is None else bias.to(queries.dtype)
                out = functional.scaled_dot_product_attention(queries, keys, values, bias)
            out = out.transpose(-2, -3)
            if (
                torch.compiler.is_exporting()
            ):  # ONNX's form of the attention leaves its result in another order than this CPU's
                out = out.clone(memory_format=torch.contiguous_format)
            out = self.fc(out.flatten(-2))
        return self.layer_norm(self.dropout(out) + x)

    def _weights(self, scores, bias):
        scores = scores / math.sqrt(self.d_k)
        weights = (scores if bias is None else scores + bias.to(scores.dtype)).softmax(-1, dtype=scores.dtype)
        return dropout(weights, 0.1) if self.training else weights

    def _over_views(self, x, memory, bias):
        """The attention of x to each view's own tokens and to those that the views of a window share, as [B*V, F, d].

        A scalar added to all channels of a token adds itself times the row sums of the weights to the token's key and
        value. That is of rank one: it goes into the scores and the result, and the tokens are projected and read once
        a window, not once a view.
        """
        batch, views = memory.added.shape[:2]

        def by_view(part):  # [B*V, H, F, n] -> [B, H, V, F, n]
            return part.unflatten(0, (batch, views)).transpose(1, 2).contiguous()

        queries = by_view(self._heads(self.w_qs(x), self.d_k))
        (own_keys, own_values), (keys, values) = map(by_view, memory.own), memory.shared
        added = memory.added[:, None, :, None].to(queries.dtype)  # [B, 1, V, 1, N]
        along_keys = torch.einsum(
            "hkd,hk->hd",
            self.w_qs.weight.unflatten(0, (self.n_head, -1)),
            self.w_ks.weight.sum(1).unflatten(0, (self.n_head, -1)),
        )
        along_values = torch.einsum(
            "dhk,hk->dh",
            self.fc.weight.unflatten(1, (self.n_head, -1)),
            self.w_vs.weight.sum(1).unflatten(0, (self.n_head, -1)),
        )

        slope = functional.linear(x, along_keys).transpose(1, 2).unsqueeze(-1)  # [B*V, H, F, 1]
        shared = (queries.flatten(2, 3) @ keys.transpose(-1, -2)).unflatten(2, (views, -1))
        scores = torch.cat((queries @ own_keys.transpose(-1, -2), shared + by_view(slope) * added), dim=-1)
        bias = None if bias is None else by_view(bias)
        own, shared = self._weights(scores, bias).split((own_keys.shape[-2], keys.shape[-2]), dim=-1)
        out = own @ own_values + (shared.flatten(2, 3) @ values).unflatten(2, (views, -1))
        lift = (shared * added).sum(-1).permute(0, 2, 3, 1).flatten(0, 1)  # [B*V, F, H]
        return self.fc(out.permute(0, 2, 3, 1, 4).flatten(0, 1).flatten(-2)) + functional.linear(lift, along_values)


@dataclass
class Memory:
    """What a view's frames attend to: its own tokens, and the tokens of all views.

    own [B*V, F, d]. shared [B, N, d] or None: tokens common to the V views of a window, to which `added`
    [B, V, N] puts one scalar a view and token, on all d channels.
    """

    own: torch.Tensor
    shared: torch.Tensor = None
    added: torch.Tensor = None


def memory_of(own, shared, added):
    """A `Memory`; with one view there is nothing to share, so that it is plainly all tokens in a row."""
    if added.shape[1] > 1:
        return Memory(own, shared, added)
    return Memory(torch.cat((own, shared + added[:, 0, :, None].to(shared.dtype)), dim=1))


@dataclass
class _Projected:
    """A `Memory` as (keys, values), each [B*V or B, H, M, d_k or d_v]."""

    own: tuple
    shared: tuple = None
    added: torch.Tensor = None


class FeedForward(nn.Module):
    """Position-wise feed-forward with residual and LayerNorm."""

    def __init__(self, sizes):
        super().__init__()
        self.w_1 = nn.Linear(sizes.d_model, sizes.d_inner)
        self.w_2 = nn.Linear(sizes.d_inner, sizes.d_model)
        self.layer_norm = LayerNorm(sizes.d_model, eps=1e-6)
        self.dropout = Dropout(sizes.dropout)

    def forward(self, x):
        return self.layer_norm(self.dropout(self.w_2(functional.relu(self.w_1(x)))) + x)


class EncoderLayer(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.slf_attn = Attention(sizes)
        self.pos_ffn = FeedForward(sizes)

    def forward(self, x, bias=None):
        return self.pos_ffn(self.slf_attn(x, self.slf_attn.keys_values(Memory(x)), bias))


class DecoderLayer(nn.Module):
    """Cross-attention and feed-forward, to what `enc_attn.keys_values` made of a `Memory`."""

    def __init__(self, sizes):
        super().__init__()
        self.enc_attn = Attention(sizes)
        self.pos_ffn = FeedForward(sizes)

    def forward(self, x, memory, bias=None):
        return self.pos_ffn(self.enc_attn(x, memory, bias))


class Stack(nn.Module):
    """L layers under the published name."""

    def __init__(self, layer, sizes):
        super().__init__()
        self.layer_stack = nn.ModuleList(layer(sizes) for _ in range(sizes.n_layers))


@dataclass
class AttentionBias:
    """What is added to the scores of SynSP's attention, or None: own [B*V, 1, 1, F] of the local encoder; of each layer of the
    global encoder and of the two decoders what broadcasts to [B or B*V, H, queries, tokens]."""

    own: torch.Tensor | None
    shared: list
    decoder: list
    decoder_2: list

    @classmethod
    def of_absent(cls, present, layers):
        """Tokens that are not there (present: bool [B, V, F], None: all are) get no attention."""
        if present is None:
            return cls(None, [None] * layers, [None] * layers, [None] * layers)
        batch, views, frames = present.shape
        scores = torch.zeros(present.shape, device=present.device).masked_fill_(~present, ABSENT)
        own = scores.reshape(batch * views, 1, 1, frames)
        shared = scores.reshape(batch, 1, 1, views * frames)
        memory = torch.cat((own, shared.repeat_interleave(views, 0)), dim=-1)
        return cls(own, [shared] * layers, [memory] * layers, [memory] * layers)

    def plus(self, shared, decoder, decoder_2):
        """A copy with more added to each layer's scores ([L, ...] each)."""

        def sums(mine, more):
            return [extra if absent is None else absent + extra for absent, extra in zip(mine, more)]

        return AttentionBias(
            self.own, sums(self.shared, shared), sums(self.decoder, decoder), sums(self.decoder_2, decoder_2)
        )
