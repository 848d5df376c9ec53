"""joblib's files and plain pickles, read without executing anything; and pickles for old environments.

joblib writes a pickle in which each array is replaced by a small wrapper object, and puts the array's bytes
into the stream right behind it. The restricted unpickler meets the wrapper's name, gets a stand-in for it,
and the stand-in reads the bytes when its state arrives, which is the moment at which the stream stands before
them.
"""

import bz2
import gzip
import io
import lzma
import pickle
import zlib

import numpy as np

from .. import safe_pickle
from ..errors import UserError
from ..files import atomic_write
from ..pickle_machine import StandIn
from . import pickled_tensors

WRAPPERS = [
    (module, "NumpyArrayWrapper") for module in ("joblib.numpy_pickle", "sklearn.externals.joblib.numpy_pickle")
]
# Compressed files are told by their first bytes; these compressors are joblib's.
COMPRESSORS = [
    (b"\x1f\x8b", gzip.decompress),
    (b"BZh", bz2.decompress),
    (b"\xfd7zXZ", lzma.decompress),
    (b"\x5d\x00\x00", lzma.decompress),
    *((b"\x78" + level, zlib.decompress) for level in (b"\x01", b"\x5e", b"\x9c", b"\xda")),
]
UNREAD = {b"ZF0x": "joblib's format before 0.10", b"\x04\x22\x4d\x18": "lz4"}
ALL_ERRORS = (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError)


def is_pickle(content):
    """Whether these bytes begin as a pickle (protocol 2 or later) or as something that joblib compressed."""
    return content.startswith((b"\x80", *UNREAD, *(magic for magic, _ in COMPRESSORS)))


def load(content, what, extra=None):
    """Rebuild the object in a joblib file or a pickle.

    content: the file's bytes; what: how to call it in messages; extra: as in `lib.safe_pickle.load`.
    Raises UserError for what would run code, for damaged data, and for compressions that are not read.
    """
    for magic, kind in UNREAD.items():
        if content.startswith(magic):
            raise UserError(
                f"{what}: compressed with {kind}, which is not read. Write it again with joblib.dump without compress"
            )
    for magic, decompress in COMPRESSORS:
        if content.startswith(magic):
            try:
                content = decompress(content)
            except ALL_ERRORS as error:
                raise UserError(f"{what}: the compressed data are damaged ({error}). Copy the file again") from None
            break
    file = io.BytesIO(content)
    names = pickled_tensors.NAMES | (extra or {})
    for module in ("numpy", "numpy.core.memmap"):
        names[module, "memmap"] = np.ndarray
    wrapper = _wrapper(file, what, names)
    names |= {name: wrapper for name in WRAPPERS}
    return safe_pickle.load(file, what, names)


def _wrapper(file, what, names):
    class ArrayBehind(StandIn):
        """Stands for joblib's wrapper: its state says what array follows in the stream."""

        array = None

        def plain(self):
            return self.array

        def __setstate__(self, state):
            dtype, shape = np.dtype(state["dtype"]), tuple(int(size) for size in state["shape"])
            if dtype.hasobject:
                # A pickle of its own within the stream.
                self.array = safe_pickle.load(file, what, names)
                return
            if "numpy_array_alignment_bytes" in state:
                file.read(file.read(1)[0])
            count = int(np.prod(shape, dtype=object))
            if min(shape, default=0) < 0 or count * dtype.itemsize > len(file.getbuffer()) - file.tell():
                raise ValueError(f"array of shape {shape} is longer than the file")
            array = np.frombuffer(file.read(count * dtype.itemsize), dtype=dtype, count=count).copy()
            self.array = array.reshape(shape[::-1]).T if state["order"] == "F" else array.reshape(shape)

    return ArrayBehind


class _Pickler(pickle.Pickler):
    """Writes arrays and numpy scalars by names that exist in numpy 1 and 2 alike.

    numpy 2 would name a module that numpy before 1.26 does not have, and the tools whose files these are live
    in such environments.
    """

    def reducer_override(self, value):
        if isinstance(value, pickled_tensors.TensorArray):
            return value.tensor.__reduce_ex__(4)
        if type(value) is np.ndarray and value.dtype.hasobject:
            return np.ndarray, (value.shape, value.dtype), (1, value.shape, value.dtype, False, value.ravel().tolist())
        if type(value) is np.ndarray:
            return np.ndarray, (value.shape, value.dtype, bytearray(value.tobytes()))
        if isinstance(value, np.number) and isinstance(value.item(), (int, float)):
            return type(value), (value.item(),)
        return NotImplemented


def dump(path, value):
    """A plain pickle (protocol 4), which `pickle.load` and `joblib.load` both read; whole or not at all.

    Where the name ends in .npy, as numpy.save writes one object.
    """
    if path.suffix == ".npy":
        pickled_tensors.write_npy(path, value, _Pickler)
        return
    with atomic_write(path) as temporary, open(temporary, "wb") as file:
        _Pickler(file, protocol=4).dump(value)
