"""What every command does around its work: signals, the device, the run's folder, and what was typed."""

import glob
import os
import shlex
import signal
import sys
import time
from pathlib import Path

import torch

from .errors import UserError
from .files import make_folder
from .files import write_text as write_text
from .messages import logger

log = logger(__name__)

REQUEUE = getattr(signal, "SIGUSR1", None)  # Windows has none


def command_line():
    """The command that is running, for logs and checkpoints."""
    script = Path(sys.argv[0])
    called = ["synsp"] if script.stem in ("synsp", "__main__") else ["python", os.path.relpath(script)]
    return shlex.join(called + sys.argv[1:])


def choose_device(cfg):
    """The torch device that cfg.DEVICE asks for; the CPU, with a message, if there is no such device."""
    wanted = cfg.DEVICE.lower()
    try:
        device = torch.device(wanted)
    except RuntimeError:
        raise UserError(f"DEVICE {cfg.DEVICE}: not known. Use cuda, cuda:0, mps or cpu") from None
    available = {"cpu": lambda: True, "cuda": torch.cuda.is_available, "mps": torch.backends.mps.is_available}
    if device.type not in available:
        raise UserError(f"DEVICE {cfg.DEVICE}: not supported. Use cuda, cuda:0, mps or cpu")
    if not available[device.type]():
        log.info("no %s device on this machine: using the CPU", device.type)
        return torch.device("cpu")
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = cfg.CUDNN.BENCHMARK
        torch.backends.cudnn.deterministic = cfg.CUDNN.DETERMINISTIC
        torch.backends.cudnn.enabled = cfg.CUDNN.ENABLED
    return device


def new_folder(cfg, name=None):
    """results/<exp>_<dd-mm-YYYY_HH-MM-SS>, made now. Two runs in one second get different folders.

    Raises UserError for an OUTPUT_DIR that is no folder and for a name that would leave it.
    """
    base, name = Path(cfg.OUTPUT_DIR), _inside(name or cfg.EXP_NAME)
    stamp = time.strftime("%d-%m-%Y_%H-%M-%S")
    folder, attempt = base / f"{name}_{stamp}", 1
    make_folder(folder.parent)
    while True:
        try:
            folder.mkdir()
            return folder
        except FileExistsError:
            attempt += 1
            folder = base / f"{name}_{stamp}_{attempt}"


def newest_folder(cfg):
    """The newest run folder of this EXP_NAME that has a last checkpoint, or None."""
    pattern = f"{glob.escape(_inside(cfg.EXP_NAME))}_[0-9][0-9]-[0-9][0-9]-[0-9][0-9][0-9][0-9]_*"
    found = [path.parent for path in Path(cfg.OUTPUT_DIR).glob(f"{pattern}/checkpoint_last.pth.tar")]
    return max(found, key=lambda folder: (folder / "checkpoint_last.pth.tar").stat().st_mtime, default=None)


def _inside(name):
    """The name of a run, which stays within OUTPUT_DIR. Raises UserError for one that does not."""
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise UserError(
            f"EXP_NAME {name}: must stay inside OUTPUT_DIR. Remove the {'..' if '..' in name else 'leading /'}"
        )
    return name


class Deferred:
    """Ctrl-C (and a scheduler's `kill`) noted in `came` while in force, so that a run stops between two batches, where its
    state is whole. The second one stops at once; patient: no, since torchrun sends several.

    requeue: whether it was SIGUSR1, by which Slurm announces that a job is to go, and to be queued again.
    """

    def __init__(self, *signals, patient=False):
        self.signals, self.patient, self.came, self.requeue = signals, patient, False, False

    def __enter__(self):
        try:
            self.before = {number: signal.signal(number, self._note) for number in self.signals}
        except ValueError:  # not in the main thread, where signals do not arrive either
            self.before = {}
        return self

    def __exit__(self, *_):
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def _note(self, number, *_):
        if self.came and not self.patient:
            raise KeyboardInterrupt
        self.came = True
        self.requeue = number == REQUEUE
