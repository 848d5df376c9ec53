"""The one reader of strangers' PyTorch files: torch's own with weights_only, within the bounds of the file's size.

torch runs no code of such a file, but it hashes whatever stands for a key, unpacks whatever is compressed, and takes
tensors that claim to be larger than their storage. So the file's program is run on our machine first, which knows only
that tensors are something.
"""

import io
import re
import warnings
import zipfile

import torch

from .errors import UserError
from .files import check_unpacked
from .pickle_machine import Callable, Machine, StandIn
from .pickle_steps import Refused
from .safe_pickle import ADMITTED, MAKERS

_LEGACY = 5  # pickles in a row that a file of torch before 1.6 begins with


class _Something(StandIn):
    """A tensor, a storage, or what makes one."""

    def __init__(self, *_):
        pass

    def __setstate__(self, state):
        pass


class _Scan(Machine):
    def outside(self, name):
        return _Something()

    def build(self):
        self.finish(self.stack.pop())  # for its budgets: a state dict carries its version so

    def finish(self, value, names=True):
        return super().finish(value, names)


def load(content, what):
    """The object in the bytes of a file of torch.save, on the CPU: tensors, numbers, strings and plain containers.

    what: how to call the file in messages. Raises UserError that names the refused callable or says what is wrong.
    """
    try:
        _scan(content, what)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of protocols; what cannot be read raises
            loaded = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (UserError, MemoryError):
        raise
    except Refused as error:
        raise UserError(f"{what}: refused, because {error}. Ask its author to save it anew") from None
    except Exception as error:  # torch raises nearly anything on what it did not write
        refused = re.search(r"GLOBAL (\S+) (was not an allowed|whose module)", str(error))
        if refused:
            raise UserError(
                f"{what}: refused, because loading it would call {refused[1]}. Only tensors, numbers, strings and plain "
                "containers are read; ask its author to save it anew"
            ) from None
        raise UserError(f"{what}: not a readable .pt file ({str(error)[:100]}). Copy or download it again") from error
    total = sum(_bytes_of(tensor, what) for tensor in _tensors(loaded))
    if total > 4 * len(content) + 2**24:
        raise UserError(f"{what}: refused, because its tensors claim {total} bytes, more than the file holds")
    return loaded


def storage(content, what):
    """The numbers [N] of a tensor's storage in the bytes of torch.save, as a numpy array. Raises UserError as `load`."""
    found = load(content, what)
    if not isinstance(found, torch.storage.TypedStorage):
        raise UserError(f"{what}: refused, because it holds a {type(found).__name__}, not the numbers of a tensor")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that storages will have no type some day
        numbers = torch.empty(0, dtype=found.dtype).set_(found.untyped())
    return (numbers.float() if numbers.dtype == torch.bfloat16 else numbers).numpy()  # numpy has no bfloat16


def _scan(content, what):
    """Run the program of a file for its budgets. Raises Refused, or whatever a damaged stream makes the machine raise."""
    if content[:2] != b"PK":
        file = io.BytesIO(content)
        for _ in range(_LEGACY):
            if file.tell() < len(content):
                _Scan(file, _names, MAKERS).run()
        return
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        check_unpacked(archive, len(content), what)
        for name in archive.namelist():
            if name.endswith(".pkl"):
                _Scan(io.BytesIO(archive.read(name)), _names, MAKERS).run()


def _names(module, name):
    if module == "collections" or module in ("builtins", "__builtin__") and (module, name) in ADMITTED:
        return ADMITTED.get((module, name), _Something)
    return Callable(lambda machine, *_: _Something())


def _tensors(value):
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict | list | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _tensors(item)


def _bytes_of(tensor, what):
    if tensor.layout != torch.strided or tensor.device.type != "cpu":
        raise UserError(
            f"{what}: refused, because it holds a tensor that is {tensor.layout} on {tensor.device}, not plain"
        )
    return tensor.numel() * tensor.element_size()
