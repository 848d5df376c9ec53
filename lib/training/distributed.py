"""Training (and evaluating) by several processes, as torchrun starts them: each takes rows of every batch, and gradients are
added up.

    torchrun --nproc_per_node=4 train_smoothnet.py --cfg configs/mocap_noise_3D.yaml

Every process draws the noise, the augmentation and the dropout masks of the whole batch and keeps its rows r::world of them, so
that the numbers are those of one process, but for rounding. Process 0 alone writes files and speaks.
"""

import contextlib
import logging
import os
import sys

import torch
import torch.distributed as torch_distributed

from .. import messages
from ..errors import UserError, message_of


class Part:
    """The rows r::world of a batch of `count`. A last batch may be too small for all: the part is then empty, and one row goes
    through the network for the sake of its random numbers."""

    def __init__(self, rank, world, count):
        rows = torch.arange(count)[rank::world]
        self.empty, self.count = not len(rows), count
        self.rows = torch.arange(1) if self.empty else rows

    def of(self, *tensors):
        """The rows of tensors [B, ...] of the whole batch; None stays."""
        return [None if whole is None else whole[self.rows.to(whole.device)] for whole in tensors]

    def shares(self, present):
        """What the means over these rows count in those over the whole batch: (of poses, of accelerations).

        present: bool [B * K, V, F] of the whole batch, the frames that count, or None.
        """
        if self.empty:
            return 0.0, 0.0
        if present is None:
            return (len(self.rows) / self.count,) * 2
        second = present[:, :, 2:] & present[:, :, 1:-1] & present[:, :, :-2]
        counts = [there.reshape(self.count, -1).sum(1) for there in (present, second)]
        return tuple(float(self.of(count)[0].sum()) / max(int(count.sum()), 1) for count in counts)


class Alone:
    """The only process of a training. What `Group` does for several is nothing here."""

    rank, world, first = 0, 1, True

    def device(self, device):
        """The device of this process, of the kind that was chosen."""
        return device

    def from_first(self, make):
        """What make() returns on process 0, on every process."""
        return make()

    def together(self, work):
        """work() on every process; where it fails on one, it fails on all."""
        return work()

    def part(self, count):
        """The `Part` of a batch of `count` that this process takes; None: all."""
        return None

    def add_up(self, network, loss, signals):
        """Add up the gradients of all processes in place. Returns (loss parts [n] of all, whether one is to stop, whether to be
        queued again)."""
        return loss, signals.came, signals.requeue

    def gathered(self, value):
        """The values of all processes, in order."""
        return [value]

    def totals(self, totals):
        """{name: sums} of all processes, added up."""
        return totals


ALONE = Alone()


class Group(Alone):
    """One of several processes."""

    def __init__(self):
        self.rank, self.world = torch_distributed.get_rank(), torch_distributed.get_world_size()
        self.first = self.rank == 0

    def device(self, device):
        if device.type != "cuda":
            return device
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))
        return torch.device("cuda", torch.cuda.current_device())

    def from_first(self, make):
        made = [self.together(lambda: make() if self.first else None)]
        with _connected():
            torch_distributed.broadcast_object_list(made)
        return made[0]

    def together(self, work):
        result, error = None, None
        try:
            result = work()
        except Exception as caught:
            error = caught
            if message_of(error) is None:
                raise  # a defect of ours, with its traceback
        said = self.gathered(None if error is None else str(message_of(error)))
        failed = [rank for rank, message in enumerate(said) if message is not None]
        if failed and self.first:
            where = "" if failed[0] == 0 else f"process {failed[0]}: "
            raise UserError(f"{where}{said[failed[0]]}")
        if failed:
            raise SystemExit(2)
        return result

    def gathered(self, value):
        values = [None] * self.world
        with _connected():
            torch_distributed.all_gather_object(values, value)
        return values

    def part(self, count):
        return Part(self.rank, self.world, count)

    def add_up(self, network, loss, signals):
        gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
        more = loss.new_tensor([signals.came, signals.requeue])
        flat = torch.cat(
            [*(gradient.flatten() for gradient in gradients), loss.to(gradients[0]), more.to(gradients[0])]
        )
        with _connected():
            torch_distributed.all_reduce(flat)
        *summed, loss, more = flat.split([*(gradient.numel() for gradient in gradients), len(loss), len(more)])
        for gradient, values in zip(gradients, summed):
            gradient.copy_(values.view_as(gradient))
        return loss, *(more > 0).tolist()

    def totals(self, totals):
        found = self.gathered(totals)
        names = dict.fromkeys(name for part in found for name in part)
        return {name: sum(part[name] for part in found if name in part) for name in names}


@contextlib.contextmanager
def _connected():
    """Around what all processes do at once: where one has ended, the others end too, with one line."""
    try:
        yield
    except RuntimeError as error:
        if message_of(error) is not None:
            raise
        raise UserError(
            "another process of this training has ended, so all do: what it said stands above, if anything. Continue with "
            "TRAIN.RESUME auto"
        ) from error


@contextlib.contextmanager
def joined(cfg):
    """The `Group` of the processes that torchrun started, or `Alone`. On the way out process 0 speaks for all."""
    if int(os.environ.get("WORLD_SIZE", 1)) == 1 or "RANK" not in os.environ:
        yield ALONE
        return
    on_gpus = cfg.DEVICE.lower().startswith("cuda") and torch.cuda.is_available()
    torch_distributed.init_process_group("nccl" if on_gpus else "gloo")
    group = Group()
    if not group.first:
        logging.getLogger(messages.ROOT).setLevel(logging.WARNING)
    try:
        yield group
    except (UserError, KeyboardInterrupt) as error:
        if group.first:
            raise
        sys.exit(2 if isinstance(error, UserError) else 130)
    finally:
        torch_distributed.destroy_process_group()
