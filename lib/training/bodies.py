"""What the network is told of the body of each training window, whatever augmentation made of that body."""

import numpy as np
import torch

from ..windows.body import lengths, mean_lengths

# In this share of an epoch's sequences it is told by a part of the frames, as a short recording or a stream that has just begun would know it.
PART_SHARE = 0.3
LARGEST, SMALLEST = 3.0, 1e-3  # of a measured length relative to the true one; of a true one in metres


class BodiesOfBank:
    """Of the sequences of a `WindowBank`: the measured mean lengths of the bones, relative to the true ones.

    Augmentation changes bodies and keeps the errors, so that these ratios times the lengths of the changed truth are what would
    have been measured. bones: of the recipe; rng: np.random.Generator, for parts of sequences; None: whole ones.
    """

    def __init__(self, bank, bones, rng=None):
        self.bones = bones
        first, self.sequence = torch.unique(bank.begin, return_inverse=True)  # [S]; [N, V]
        last = torch.zeros_like(first)
        last[self.sequence] = bank.last
        self.ratios = torch.ones(len(first), len(bones), device=bank.truth.device)
        for number, (begin, end) in enumerate(zip(first.tolist(), (last + 1).tolist())):
            if begin < 0:  # the views that a recording lacks
                continue
            true = mean_lengths(bank.truth[begin:end], bones)
            begin, end = (begin, end) if rng is None or rng.random() > PART_SHARE else _part(begin, end, rng)
            present = None if bank.present is None else bank.present[begin:end]
            measured = mean_lengths(bank.detected[begin:end], bones, present)
            self.ratios[number] = (measured / true.clamp_min(SMALLEST)).clamp_max(LARGEST)

    def __call__(self, index, chosen, truth):
        """Metres, [B, V, K], for the windows `index`; chosen: [B, V'] views or None; truth [B, V, W, C] as augmentation left it."""
        sequence = self.sequence[index]
        if chosen is not None:
            sequence = sequence.gather(1, chosen)
        return self.ratios[sequence] * lengths(truth.float(), self.bones).mean(2)


def _part(begin, end, rng):
    """Frames begin to end, cut to a random part, short ones as likely as long ones by the logarithm."""
    length = int(np.exp(rng.uniform(0, np.log(end - begin))))
    begin = int(rng.integers(begin, end - length + 1))
    return begin, begin + length
