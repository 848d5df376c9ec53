"""PyTorch's tensors within pickles, and pickles within .npy files: read without executing anything, written as they were.

Tensors come as arrays that are written as tensors again, so that readers and writers of arrays need not know of them.
"""

import io
import math

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ..errors import UserError
from ..files import write_bytes
from ..pickle_machine import Callable
from ..pickle_steps import Refused


class TensorArray(np.ndarray):
    """An array that was a tensor in its file. What numpy makes of it is one too."""

    @property
    def tensor(self):
        import torch  # it takes seconds, and most files hold no tensor

        return torch.from_numpy(np.array(self))


def _storage(machine, content):
    """A tensor's numbers [N] out of the file of torch.save that a pickle holds of them."""
    from .. import safe_tensors

    if not isinstance(content, bytes):
        raise Refused("it makes a tensor of no bytes")
    machine.copy(len(content))
    try:
        return safe_tensors.storage(content, "a tensor's numbers")
    except UserError:
        raise Refused("it holds a tensor whose numbers are not plain") from None


def _tensor(machine, storage, offset, shape, stride, *_):
    """The `TensorArray` of some of a storage's numbers. Raises Refused for those that it does not hold."""
    plain = isinstance(storage, np.ndarray) and storage.ndim == 1 and not storage.dtype.hasobject
    if not plain or not isinstance(shape, tuple) or not isinstance(stride, tuple) or len(shape) != len(stride):
        raise Refused("it makes a tensor of what is no storage")
    if not all(type(number) is int and 0 <= number < 2**40 for number in (offset, *shape, *stride)):
        raise Refused("it makes a tensor of no shape")
    last = offset + sum((size - 1) * step for size, step in zip(shape, stride))
    if math.prod(shape) and last >= len(storage):
        raise Refused("it makes a tensor of numbers that it does not hold")
    machine.copy(math.prod(shape) * storage.itemsize)
    if not math.prod(shape):
        return np.zeros(shape, storage.dtype).view(TensorArray)
    steps = [step * storage.itemsize for step in stride]
    return as_strided(storage[offset:], shape, steps, writeable=False).copy().view(TensorArray)


# For the `extra` of `lib.safe_pickle.load`.
NAMES = {
    ("torch.storage", "_load_from_bytes"): Callable(_storage),
    ("torch._utils", "_rebuild_tensor_v2"): Callable(_tensor),
}


def write_npy(path, content, pickler):
    """An .npy file of one Python object, as numpy.save writes a dict, or of an array of them; pickler: the class that pickles it."""
    holder = content
    if not isinstance(content, np.ndarray) or not content.dtype.hasobject:
        holder = np.empty((), dtype=object)
        holder[()] = content
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "|O", "fortran_order": False, "shape": holder.shape})
    pickler(buffer, protocol=4).dump(holder)
    write_bytes(path, buffer.getbuffer())
