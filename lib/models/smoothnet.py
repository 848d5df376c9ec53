"""SmoothNet: a temporal refinement network that treats every channel alone.

Zeng et al., "SmoothNet: A Plug-and-Play Network for Refining Human Poses in Videos", ECCV 2022. Parameter names
are those of the published checkpoints.
"""

import torch
from torch import nn
from torch.nn import functional

from .dropout import ExactDropout
from .heads import Heads


class ResidualBlock(nn.Module):
    def __init__(self, hidden, inner, dropout):
        super().__init__()
        self.linear1 = nn.Linear(hidden, inner)
        self.linear2 = nn.Linear(inner, hidden)
        self.dropout = ExactDropout(dropout)

    def forward(self, x):
        out = functional.leaky_relu(self.dropout(self.linear1(x)), 0.2)
        return functional.leaky_relu(self.dropout(self.linear2(out)), 0.2) + x


class SmoothNet(nn.Module):
    """Maps the W frames of each channel to W refined frames; the number of channels is free, W is not."""

    name, channels = "smoothnet", None  # any number of channels

    def __init__(self, window, hidden=512, res_hidden=256, num_block=3, dropout=0.5):
        super().__init__()
        self.window = window
        self.gain = self.blend = None  # no learned merge (lib/models/merging.py)
        self.encoder = nn.Sequential(nn.Linear(window, hidden), nn.LeakyReLU(0.1))
        self.res_blocks = nn.ModuleList(ResidualBlock(hidden, res_hidden, dropout) for _ in range(num_block))
        self.decoder = nn.Linear(hidden, window)

    def sizes(self):
        """{config key: value} of what its tensors' shapes say."""
        return {
            "MODEL.HIDDEN_SIZE": self.encoder[0].out_features,
            "MODEL.RES_HIDDEN_SIZE": self.res_blocks[0].linear1.out_features if len(self.res_blocks) else 0,
            "MODEL.NUM_BLOCK": len(self.res_blocks),
        }

    def described(self):
        """The `model` part of a checkpoint: what its tensors' shapes do not say."""
        return {"name": self.name}

    def forward(self, x, present=None):
        """x: [B, V, W, C] or [B, W, C] (then V = 1 in the output). Views do not see each other, and absent frames
        (`present`) come padded. Returns `Heads` with one head."""
        x = x[:, None] if x.dim() == 3 else x
        out = self.encoder(x.transpose(-1, -2))
        for block in self.res_blocks:
            out = block(out)
        out = self.decoder(out).transpose(-1, -2)
        return Heads(out, None, None, torch.ones(out.shape[:3], device=out.device))
