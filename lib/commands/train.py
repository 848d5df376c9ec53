"""What train_smoothnet.py does: train as the config says, with pictures of a validation clip in TensorBoard."""

from ..training import trainer


def train(cfg):
    """Train as the config says. Returns the run's folder."""
    return trainer.train(cfg, _clip)


def _clip(split, cfg, recipe):
    from ..visualize.training_clip import Clip  # matplotlib takes a second to import, and not every run has pictures

    return Clip(split, cfg, recipe)
