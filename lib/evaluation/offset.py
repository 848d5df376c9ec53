"""`offset + filter`: the baseline of an estimator whose joints lie elsewhere than the truth's.

Much of what a trained network takes off a sensor's error is its convention: it means another point by `hip` or `head`. One constant
offset a joint, fitted on the training split in the body's heading, takes that away without any network. What a network is worth
is what it gains beyond.
"""

import numpy as np
import torch

from ..dataset import sequences
from ..errors import UserError
from ..filters.registry import OFFSET, RATE
from ..windows.canonical import Canonical, heading_pairs
from .methods import FilterMethod, repaired


def filter_methods(names, cfg):
    """The methods of these filter names (`lib.filters.registry.names`)."""
    return [
        OffsetMethod(FilterMethod(name.removeprefix(OFFSET), cfg), cfg)
        if name.startswith(OFFSET)
        else FilterMethod(name, cfg)
        for name in names
    ]


class OffsetMethod:
    """A filter's poses, each joint moved by a constant offset in the body's heading (3D, heading by hips and shoulders).

    smoother: the filter as a method of its own, such as `FilterMethod`; cfg: of eval, by which the training split is read. The offset
    [J, 3] (metres) is the mean of truth - filtered over all training frames that count, fitted anew for each source. Raises UserError
    for splits that are not 3D, name no hips and shoulders, or have no detections to train on.
    """

    role = "filter"

    def __init__(self, smoother, cfg):
        self.smoother, self.cfg = smoother, cfg
        self.label = f"offset + {smoother.label}"
        self.offsets = {}

    @property
    def seconds(self):
        return self.smoother.seconds

    @seconds.setter
    def seconds(self, value):
        self.smoother.seconds = value

    def __call__(self, split):
        if split.source not in self.offsets:
            spent = self.seconds
            self.offsets[split.source] = self.fit(self._training_split(split))
            self.seconds = spent
        offset = self.offsets[split.source]
        for views in self.smoother(split):
            yield [_moved(torch.as_tensor(poses).float(), offset, heading_pairs(split.layout)) for poses in views]

    def _training_split(self, split):
        """What the offsets of a split are fitted on: the training split of its source, repaired where the split is."""
        train = sequences.load(split.source, "train", self.cfg, self.cfg.TRAIN.USE_6D_SMPL)
        if any(view.detected is None for view in train.sequences):
            raise UserError(f"{split.source}: {self.label} is fitted on detections, which the train split has none of")
        return repaired(train, self.cfg.DATASET.FPS or RATE) if self.cfg.EVALUATE.REPAIR else train

    def fit(self, train):
        """The mean of truth - filtered over a training split, in the body's heading, [J*3]."""
        pairs = heading_pairs(train.layout)
        if not train.representation.kind.in_space or not pairs:
            raise UserError(
                f"{train.source}: {self.label} needs 3D joints with hips and shoulders, by which a body has a heading"
            )
        total, frames = torch.zeros(train.channels, dtype=torch.float64), 0
        root = list(train.layout.root)
        for recording, views in zip(train.recordings, self.smoother(train)):
            for view, poses in zip(recording.views, views):
                poses = torch.as_tensor(poses).float()
                error = _about(torch.as_tensor(view.truth), root) - _about(poses, root)
                turned = _heading(poses, pairs).enter(error[:, None, None])[:, 0, 0]
                if view.counted is not None:
                    turned = turned[torch.from_numpy(np.asarray(view.counted))]
                total += turned.double().sum(0)
                frames += len(turned)
        return (total / frames).float()


def _about(poses, root):
    """Poses [T, J*3] from their root joints."""
    joints = poses.unflatten(-1, (-1, 3))
    return (joints - joints[:, root].mean(1, keepdim=True)).flatten(1)


def _heading(poses, pairs):
    """The turn of each frame of poses [T, J*3], as windows of one frame."""
    return Canonical("3D", pairs, poses[:, None, None])


def _moved(poses, offset, pairs):
    turn = _heading(poses, pairs)
    return turn.leave(turn.enter(poses[:, None, None]) + offset)[:, 0, 0]
