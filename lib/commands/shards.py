"""Which part of many files a process takes, so that jobs of a cluster share them without talking to each other."""

import hashlib
import os
import re
from typing import NamedTuple

from ..errors import UserError


class Shard(NamedTuple):
    """Part `index` (from 0) of `count`; source: who said so."""

    index: int = 0
    count: int = 1
    source: str = ""

    def takes(self, name):
        """Whether a file is in this part, by a hash of its relative path: the same in any order and on any machine."""
        digest = hashlib.sha256(os.fsencode(name)).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.index

    def named(self, stem, ending):
        """The name of a file that each part writes for itself."""
        return f"{stem}.{self.index}{ending}" if self.count > 1 else f"{stem}{ending}"


def choose(text, environment=os.environ):
    """The `Shard` of `--shard I/N`, else of a Slurm array, else of torchrun, else all. Raises UserError for an impossible one."""
    if text is not None:
        match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text.strip())
        return _checked(f"--shard {text}", match and int(match[1]), match and int(match[2]))
    if "SLURM_ARRAY_TASK_ID" in environment:
        return _of_slurm(environment)
    if "RANK" in environment and "WORLD_SIZE" in environment:
        said = f"RANK {environment['RANK']} of WORLD_SIZE {environment['WORLD_SIZE']}"
        return _checked(said, _number(environment["RANK"]), _number(environment["WORLD_SIZE"]))
    return Shard()


def _of_slurm(environment):
    """The place of this task in its array, whose numbers need not begin at 0."""
    names = ("ID", "COUNT", "MIN", "MAX", "STEP")
    task, count, first, last, step = (_number(environment.get(f"SLURM_ARRAY_TASK_{name}", "")) for name in names)
    said = f"SLURM_ARRAY_TASK_ID {environment['SLURM_ARRAY_TASK_ID']}"
    if None in (task, count):
        raise UserError(f"{said}: SLURM_ARRAY_TASK_COUNT is not a number. Pass --shard I/N")
    first, step = first or 0, step or 1
    if last is not None and last - first != (count - 1) * step or (task - first) % step:
        raise UserError(f"{said}: the array has holes, so that its parts cannot be told. Pass --shard I/N")
    return _checked(said, (task - first) // step, count)


def _number(text):
    return int(text) if re.fullmatch(r"\d{1,9}", text) else None


def _checked(said, index, count):
    if index is None or count is None or not index < count:
        raise UserError(f"{said}: expected I/N with I from 0 to N - 1, such as 0/10")
    return Shard(index, count, said)
