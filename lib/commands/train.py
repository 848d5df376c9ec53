"""What train_smoothnet.py does: train as the config says, with pictures of a validation clip in TensorBoard."""

from ..training import trainer
from ..visualize.training_clip import Clip


def train(cfg):
    """Train as the config says. Returns the run's folder."""
    return trainer.train(cfg, Clip)
