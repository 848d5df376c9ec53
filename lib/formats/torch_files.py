"""PyTorch's files (.pt, .pth) as plain containers of arrays and back: read without executing anything (`lib.safe_tensors`)."""

import copy
import io

from ..files import write_bytes
from .pickled_tensors import TensorArray

LEGACY = bytes.fromhex("6cfc9c46f9206aa85019")  # the number that a file of torch before 1.6 begins with


def is_torch(opened):
    """Whether this is a file of torch.save; a .pth may be another program's pickle."""
    return (
        opened.suffix == ".pt"
        or opened.suffix == ".pth"
        and (opened.head[:4] == b"PK\x03\x04" or LEGACY in opened.head)
    )


def loaded(opened):
    """The object of the file as torch loads it, once."""
    from .. import safe_tensors  # it imports torch, which takes seconds

    if not hasattr(opened, "torch_object"):
        opened.torch_object = safe_tensors.load(opened.content, str(opened.path))
    return opened.torch_object


def content_of(opened):
    """The object of the file with a `TensorArray` for each tensor of which numpy has the dtype."""
    import torch

    def array(value):
        plain = isinstance(value, torch.Tensor) and value.layout == torch.strided and not value.is_quantized
        return value.detach().numpy().view(TensorArray) if plain and value.dtype != torch.bfloat16 else value

    return _mapped(loaded(opened), array)


def write(path, content):
    """A file of torch.save, whole or not at all; a `TensorArray` becomes a tensor again."""
    import torch

    buffer = io.BytesIO()  # torch reports a full disk as an error without a cause, a file as what it is
    torch.save(_mapped(content, lambda value: value.tensor if isinstance(value, TensorArray) else value), buffer)
    write_bytes(path, buffer.getbuffer())


def _mapped(value, function):
    """A copy of nested dicts, lists and tuples with `function` of each other value in them."""
    if isinstance(value, dict):
        result = copy.copy(value)
        for key, item in value.items():
            result[key] = _mapped(item, function)
        return result
    if isinstance(value, list | tuple):
        return type(value)([_mapped(item, function) for item in value])
    return function(value)
