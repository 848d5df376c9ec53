"""Training windows as index arithmetic on one resident tensor: no Python per sample, no copy per epoch.

All frames of all sequences lie one after the other in two [R, C] tensors (R rows), on the CPU or the GPU. A window
is the number of its first row in each view; a batch is one gather.
"""

import numpy as np
import torch

from ..dataset.synthetic import synthetic
from ..errors import UserError

# How several sets may share an epoch.
MIXES = ("proportional", "balanced", "shortest")
# Sequences that get simulated errors of one character at a time.
SAME_CHARACTER = 50


class WindowBank:
    """Every window of W frames at every `stride`-th start of every recording.

    splits: `sequences.Split`s of one representation and joint order; window: W; stride: frames between two starts;
    device: where the tensors live. Views of one recording must be of one length (`lib.dataset.views` sees to it).
    Raises UserError, with the reason, for splits that cannot share a network.

    detected, truth: [R, C] network units; first, begin, last: [N, V] rows of each window's start and of its
    sequence's start and end, -1 where a recording has fewer views than V; present: bool [R], frames that count, or
    None for all; source: [N] index into `splits`. Where network units are the files' own (3D on the CPU), the
    sequences' arrays become views of these tensors, so that nothing is held twice.
    """

    def __init__(self, splits, window, stride=1, device="cpu"):
        _check_mix(splits)
        self.window, self.splits = window, splits
        rows = sum(view.length for split in splits for view in split.sequences)
        self.truth = torch.empty(rows, splits[0].channels)
        self.detected = torch.empty(rows, splits[0].channels)
        present = torch.ones(rows, dtype=torch.bool)
        views = max(len(recording.views) for split in splits for recording in split.recordings)
        share = torch.device(device).type == "cpu" and splits[0].representation.kind.in_space
        tables, source = [], []
        self._places = []  # (split, [(rows, sequence)])
        self._replaced = []  # (rows, detections) of sequences that have new errors in place of their own
        row = 0
        for number, split in enumerate(splits):
            places = []
            for recording in split.recordings:
                starts = np.arange(0, max(recording.views[0].length - window, 0) + 1, stride)
                table = np.full((3, len(starts), views), -1)
                for v, view in enumerate(recording.views):
                    place = slice(row, row + view.length)
                    table[:, :, v] = row + starts, np.full(len(starts), row), np.full(len(starts), place.stop - 1)
                    row = place.stop
                    if view.counted is not None:
                        present[place] = torch.from_numpy(view.counted)
                    self.truth[place] = split.representation.to_network(view.truth, view.frame)
                    if view.detected is not None:
                        self.detected[place] = split.representation.to_network(view.detected, view.frame)
                    if share:
                        view.truth = self.truth[place].numpy()
                        view.detected = None if view.detected is None else self.detected[place].numpy()
                    places.append((place, view))
                tables.append(table)
                source.append(np.full(len(starts), number))
            self._places.append((split, places))
        first, begin, last = torch.from_numpy(np.concatenate(tables, axis=1))
        # Most banks have neither short sequences nor missing frames, and then no batch needs a look.
        self._whole = bool(present.all() and (first >= 0).all() and (first + window - 1 <= last).all())
        self.first, self.begin, self.last = first.to(device), begin.to(device), last.to(device)
        self.source = np.concatenate(source)
        self.truth, self.detected = self.truth.to(device), self.detected.to(device)
        self.present = None if bool(present.all()) else present.to(device)

    def __len__(self):
        return len(self.first)

    @property
    def views(self):
        """V, the largest number of views of a recording."""
        return self.first.shape[1]

    def draw_noise(self, kind, std_mm, rng, share=0.0):
        """New detections for the sequences that have only truth, and for a random `share` of those that have both.

        The latter get simulated errors of varied size and character in place of their own, which a network
        would learn by heart; at the next call they get their own back. rng: np.random.Generator.
        """
        for place, own in self._replaced:
            self.detected[place] = own
        self._replaced = []
        for split, places in self._places:
            pending = [pair for pair in places if pair[1].detected is None]
            self._draw(split, pending, kind, std_mm, rng)
            chosen = [pair for pair in places if share and pair[1].detected is not None and rng.random() < share]
            self._replaced += [(place, self.detected[place].clone()) for place, _ in chosen]
            for part in range(0, len(chosen), SAME_CHARACTER):
                pairs = chosen[part : part + SAME_CHARACTER]
                self._draw(
                    split,
                    pairs,
                    "simulated",
                    0,
                    rng,
                    {
                        "gain": np.exp(rng.normal(0, 0.3, len(pairs))),
                        "constant_bias": rng.uniform(0, 0.6),
                        "parent_correlation": rng.uniform(0, 0.6),
                    },
                )

    def _draw(self, split, pairs, kind, std_mm, rng, character=None):
        views = [view for _, view in pairs]
        drawn = synthetic(views, kind, std_mm, split.layout, split.representation, rng, character)
        for (place, view), values in zip(pairs, drawn):
            self._put(split, place, view, values)

    def _put(self, split, place, view, values):
        self.detected[place] = split.representation.to_network(values, view.frame).to(self.detected.device)

    def order(self, mix, rng):
        """The window numbers of one epoch, shuffled.

        mix: how several sets share an epoch: 'proportional' (every window once), 'balanced' (as many windows
        as there are, equally many of each set, small sets repeated), 'shortest' (each set cut to the smallest, as
        published), or shares of an epoch as long as with 'proportional', such as '0.8,0.2'.
        """
        members = [np.flatnonzero(self.source == number) for number in range(len(self.splits))]
        if mix == "proportional" or len(members) == 1:
            chosen = np.arange(len(self))
        elif mix == "shortest":
            size = min(map(len, members))
            chosen = np.concatenate([rng.permutation(part)[:size] for part in members])
        else:
            shares = np.full(len(members), 1 / len(members)) if mix == "balanced" else mix_shares(mix, len(members))
            chosen = np.concatenate(
                [_repeated(part, int(len(self) * share + 1e-9), rng) for part, share in zip(members, shares)]
            )
        return torch.from_numpy(rng.permutation(chosen)).to(self.first.device)

    def batch(self, index, speed=None, view_order=None):
        """The windows `index` [B]: (detected [B, V, W, C], truth [B, V, W, C], present bool [B, V, W] or None).

        A sequence shorter than W repeats its last frame, which `present` leaves out of the loss. speed:
        [B], how fast the truth is played (its error against the detections is kept); view_order: [B, V'],
        which views to take, in which order.
        """
        first, begin, last = self.first[index], self.begin[index], self.last[index]
        if view_order is not None:
            first, begin, last = (table.gather(1, view_order) for table in (first, begin, last))
        first, begin, last = first[..., None], begin[..., None], last[..., None]
        steps = torch.arange(self.window, device=first.device)
        rows, present = first + steps, None
        if not self._whole:
            present = (rows <= last) & (first >= 0)
            rows = torch.minimum(rows, last).clamp_min(0)
            if self.present is not None:
                present &= self.present[rows]
            present = None if bool(present.all()) else present
        detected, truth = _take(self.detected, rows), _take(self.truth, rows)
        if speed is not None:
            # About the window's middle, so that a fast window reaches equally far to both sides.
            middle = (self.window - 1) / 2
            place = first + middle + (steps - middle) * speed[:, None, None].double()
            place = place.maximum(begin.double()).minimum(last.double()).clamp_min(0)
            below = place.long()
            shares = _cubic_shares((place - below).to(truth.dtype))
            played = sum(
                share[..., None] * _take(self.truth, (below + offset).maximum(begin).minimum(last).clamp_min(0))
                for share, offset in zip(shares, (-1, 0, 1, 2))
            )
            detected, truth = detected + played - truth, played
        return detected, truth, present


def mix_shares(mix, count):
    """TRAIN.MIX as `count` shares of an epoch, which add up to 1. Raises UserError for what is no mix of so many sets."""
    try:
        shares = np.array([float(part) for part in mix.split(",")])
    except ValueError:
        raise UserError(f"TRAIN.MIX {mix}: not known. Known: {', '.join(MIXES)}, or shares such as 0.8,0.2") from None
    if len(shares) != count or not (shares > 0).all():
        raise UserError(f"TRAIN.MIX {mix}: gives {len(shares)} shares of {count} sets; one above 0 is needed for each")
    return shares / shares.sum()


def _cubic_shares(t):
    """What the four frames around a moment count, t in [0, 1) of the way from the second to the third: Catmull and Rom's spline
    ("A class of local interpolating splines", 1974). Straight lines would have corners, which are accelerations that nobody
    made."""
    return (
        ((2 - t) * t - 1) * t / 2,
        ((3 * t - 5) * t * t + 2) / 2,
        ((4 - 3 * t) * t + 1) * t / 2,
        (t - 1) * t * t / 2,
    )


def _take(table, rows):
    """table[rows], [R, C] and [B, V, W] -> [B, V, W, C]; several times faster than by indexing."""
    return table.index_select(0, rows.flatten()).view(*rows.shape, -1)


def _repeated(members, size, rng):
    """`size` of the members, each as often as any other but for the remainder."""
    whole, rest = divmod(size, len(members))
    return np.concatenate([np.tile(members, whole), rng.permutation(members)[:rest]])


def _check_mix(splits):
    """Refuse, with the reason, sets that one network cannot be trained on."""
    first = splits[0]
    for split in splits[1:]:
        ours, theirs = first.representation.name, split.representation.name
        if ours != theirs:
            reason = f"{first.source} is {ours}, {split.source} is {theirs}"
        elif first.channels != split.channels:
            reason = (
                f"the network sees {first.channels} channels ({first.layout.size} joints) of {first.source}, "
                f"but {split.channels} ({split.layout.size} joints) of {split.source}"
            )
        elif first.layout.joints != split.layout.joints:
            joint = next(
                index for index, pair in enumerate(zip(first.layout.joints, split.layout.joints)) if pair[0] != pair[1]
            )
            reason = (
                f"{first.source} has its joints in {first.layout.name} order, {split.source} in "
                f"{split.layout.name} order: joint {joint} is {first.layout.joints[joint]} in one and "
                f"{split.layout.joints[joint]} in the other"
            )
        else:
            continue
        raise UserError(f"--dataset_name: these training sets cannot be mixed, {reason}. Train one network for each")
