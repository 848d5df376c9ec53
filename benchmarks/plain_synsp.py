"""The baseline of the training benchmark: SynSP as one writes it down from its description, step by step.

Layer by layer as in Wang et al., "SynSP", CVPR 2024: separate products for queries, keys and values, the softmax written
out, keys and values projected anew in every pass and for every view, torch's own dropout. It carries the published
network's dead weights (they receive no gradient), so that a published checkpoint loads as it is. Tests hold its numbers to
the reference; it serves no other purpose.
"""

import math

import torch
from torch import nn


def dct(x):
    """DCT-II over the frames of [B, V, F, C], unnormalised with factor 2."""
    frames = x.shape[2]
    n = torch.arange(frames, dtype=torch.float32, device=x.device)
    return torch.matmul(2 * torch.cos(math.pi * (2 * n[None] + 1) * n[:, None] / (2 * frames)), x)


def position_table(positions, width):
    angle = torch.arange(positions)[:, None] / 10000 ** (2 * (torch.arange(width) // 2) / width)
    table = torch.zeros(1, positions, width)
    table[0, :, 0::2], table[0, :, 1::2] = angle[:, 0::2].sin(), angle[:, 1::2].cos()
    return table


class PositionEncoding(nn.Module):
    def __init__(self, width, positions=100):
        super().__init__()
        self.register_buffer("pos_table", position_table(positions, width))
        self.register_buffer("pos_table2", position_table(positions, width))

    def forward(self, x, views=1):
        """x [B, V*F, d]."""
        return x + self.pos_table[:, : x.shape[1] // views].repeat(1, views, 1)


class Attention(nn.Module):
    def __init__(self, width, heads, d_k, d_v, dropout):
        super().__init__()
        self.heads, self.d_k, self.d_v = heads, d_k, d_v
        self.w_qs = nn.Linear(width, heads * d_k, bias=False)
        self.w_ks = nn.Linear(width, heads * d_k, bias=False)
        self.w_vs = nn.Linear(width, heads * d_v, bias=False)
        self.fc = nn.Linear(heads * d_v, width, bias=False)
        self.attention_dropout = nn.Dropout(0.1)
        self.dropout = nn.Dropout(dropout)
        self.layer_norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, x, memory):
        batch, queries, tokens = len(x), x.shape[1], memory.shape[1]
        q = self.w_qs(x).view(batch, queries, self.heads, self.d_k).transpose(1, 2)
        k = self.w_ks(memory).view(batch, tokens, self.heads, self.d_k).transpose(1, 2)
        v = self.w_vs(memory).view(batch, tokens, self.heads, self.d_v).transpose(1, 2)
        scores = torch.matmul(q / self.d_k**0.5, k.transpose(2, 3))
        weights = self.attention_dropout(torch.softmax(scores, dim=-1))
        out = torch.matmul(weights, v).transpose(1, 2).contiguous().view(batch, queries, -1)
        return self.layer_norm(self.dropout(self.fc(out)) + x)


class FeedForward(nn.Module):
    def __init__(self, width, inner, dropout):
        super().__init__()
        self.w_1, self.w_2 = nn.Linear(width, inner), nn.Linear(inner, width)
        self.layer_norm = nn.LayerNorm(width, eps=1e-6)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        return self.layer_norm(self.dropout(self.w_2(torch.relu(self.w_1(x)))) + x)


class EncoderLayer(nn.Module):
    def __init__(self, width, inner, heads, d_k, d_v, dropout):
        super().__init__()
        self.slf_attn = Attention(width, heads, d_k, d_v, dropout)
        self.pos_ffn = FeedForward(width, inner, dropout)

    def forward(self, x):
        return self.pos_ffn(self.slf_attn(x, x))


class DecoderLayer(nn.Module):
    def __init__(self, width, inner, heads, d_k, d_v, dropout):
        super().__init__()
        self.slf_attn = Attention(width, heads, d_k, d_v, dropout)  # dead
        self.enc_attn = Attention(width, heads, d_k, d_v, dropout)
        self.pos_ffn = FeedForward(width, inner, dropout)

    def forward(self, x, memory):
        return self.pos_ffn(self.enc_attn(x, memory))


class Encoder(nn.Module):
    def __init__(self, layers, width, *sizes, dropout):
        super().__init__()
        self.position_embeddings = nn.Embedding(100, width)  # dead
        self.position_enc = PositionEncoding(width)
        self.dropout = nn.Dropout(dropout)
        self.layer_stack = nn.ModuleList(EncoderLayer(width, *sizes, dropout) for _ in range(layers))
        self.layer_norm = nn.LayerNorm(width, eps=1e-6)  # dead

    def forward(self, x, views=1):
        x = self.dropout(self.position_enc(x, views))
        for layer in self.layer_stack:
            x = layer(x)
        return x


class Decoder(nn.Module):
    def __init__(self, layers, width, *sizes, dropout):
        super().__init__()
        self.position_enc = PositionEncoding(width)  # dead
        self.layer_stack = nn.ModuleList(DecoderLayer(width, *sizes, dropout) for _ in range(layers))
        self.layer_norm = nn.LayerNorm(width, eps=1e-6)  # dead


class PlainSynSP(nn.Module):
    """[B, V, F, C] or [B, F, C] -> (final, precision, smoothness), [B, V, F, C] each."""

    def __init__(self, channels, width=128, inner=128, layers=4, heads=4, d_k=64, d_v=64, dropout=0.2):
        super().__init__()
        for name in ("proj_i_p", "proj_i_a", "proj_i_2"):  # p and 2 are dead
            setattr(self, name, nn.Sequential(nn.Linear(channels, width), nn.Linear(width, width)))
        for name in ("proj_o_p", "proj_o_a", "proj_o_2"):
            setattr(self, name, nn.Sequential(nn.Linear(width, 2 * width), nn.Linear(2 * width, channels)))
        sizes = (layers, width, inner, heads, d_k, d_v)
        self.encoder_local, self.encoder_global = Encoder(*sizes, dropout=dropout), Encoder(*sizes, dropout=dropout)
        self.decoder, self.decoder_2 = Decoder(*sizes, dropout=dropout), Decoder(*sizes, dropout=dropout)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)

    def forward(self, x):
        x = x[:, None] if x.dim() == 3 else x
        batch, views, frames, channels = x.shape
        with torch.autocast(x.device.type, enabled=False):
            spectrum = dct(x.float())
        embedded = self.proj_i_a(spectrum)
        local = self.encoder_local(embedded.reshape(batch * views, frames, -1))
        everywhere = self.encoder_global(embedded.reshape(batch, views * frames, -1), views)
        query = embedded.reshape(batch * views, frames, -1)

        memory = self._memory(local, everywhere, self._similarity(x))
        hidden = query
        for layer in self.decoder.layer_stack:
            hidden = layer(hidden, memory)
        last = self.decoder.layer_stack[-1]
        precise, smooth = last(hidden, memory) + query, last(hidden, memory) + query
        precision = self.proj_o_p(precise).view(x.shape)
        smoothness = self.proj_o_a(smooth).view(x.shape)

        with torch.no_grad():
            difference, average = (precision - smoothness).float() / 2, (precision + smoothness).float() / 2
            worst = difference.abs().max(2, keepdim=True).values
            quality = torch.exp(-(difference.abs() + 1e-6) / (worst + 1e-5)).mean(-1)  # [B, V, F]
            added = self._similarity(average)
            for view in range(views):
                added[:, view, view] += quality[:, view]
        memory = self._memory(smooth, everywhere, added)
        hidden = query
        for layer in self.decoder_2.layer_stack:
            hidden = layer(hidden, memory)
        return self.proj_o_2(hidden + query).view(x.shape), precision, smoothness

    @staticmethod
    def _similarity(x):
        """c[b, i, j, f] [B, V, V, F]."""
        return torch.exp(-((x[:, :, None] - x[:, None]) ** 2).mean(-1))

    @staticmethod
    def _memory(own, everywhere, added):
        """[B*V, F + V*F, d]: each view's own tokens and all views' tokens plus one scalar each."""
        batch, views, _, frames = added.shape
        common = everywhere[:, None] + added.reshape(batch, views, views * frames, 1).to(everywhere.dtype)
        return torch.cat((own, common.flatten(0, 1)), dim=1)
