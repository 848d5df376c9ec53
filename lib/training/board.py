"""What TensorBoard shows of a training beside its curves: the config, and hyperparameters beside the best scores."""

import contextlib
import threading

from torch.utils.tensorboard.summary import hparams

from .. import config

SHOWN = ("validation/loss", "validation/mpjpe", "validation/accel")  # TensorBoard's columns beside hyperparameters


@contextlib.contextmanager
def one_line_of_a_full_disk():
    """What the disk refuses TensorBoard's thread is raised again where the trainer writes next: the thread's traceback is left out."""
    shown = threading.excepthook
    threading.excepthook = lambda args: None if issubclass(args.exc_type, OSError) else shown(args)
    try:
        yield
    finally:
        threading.excepthook = shown


def describe(writer, cfg, validates):
    """Show the config as TensorBoard's text, and as hyperparameters beside the best validation loss."""
    writer.add_text("config", f"```yaml\n{config.dump(cfg)}```")
    chosen = {key: value for key, value in config.flatten(cfg) if isinstance(value, (bool, int, float, str))}
    for summary in hparams(chosen, dict.fromkeys(SHOWN if validates else ("train/loss",))):
        writer.file_writer.add_summary(summary)
