"""What a refinement network returns."""

from dataclasses import dataclass, replace

import torch


@dataclass
class Heads:
    """final, precision, smoothness: poses [B, V, F, C] in network units, the last two None where a network has one head;
    quality [B, V, F] in (0, 1]: how far the network trusts each frame of each view."""

    final: torch.Tensor
    precision: torch.Tensor | None
    smoothness: torch.Tensor | None
    quality: torch.Tensor

    def changed(self, poses, quality=lambda cue: cue):
        """A copy with a function applied to each head's poses, and one to the quality."""
        one_head = self.precision is None
        return replace(
            self,
            final=poses(self.final),
            precision=None if one_head else poses(self.precision),
            smoothness=None if one_head else poses(self.smoothness),
            quality=quality(self.quality),
        )
