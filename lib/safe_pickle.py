"""The one reader of strangers' pickles: it rebuilds arrays, scalars, strings and containers, and runs nothing.

A pickle names the callables that rebuild its objects, so plain `pickle.load` executes whatever a file says.
Here every name is looked up in a short table of harmless constructors; any other name ends the load with a
message that says which one it was.
"""

import codecs
import collections
import io
import pickle

import numpy as np

from lib.errors import UserError

try:  # numpy 2
    from numpy._core import multiarray, numeric
except ImportError:  # numpy 1
    from numpy.core import multiarray, numeric

_DTYPES = {name: getattr(np.dtypes, name) for name in dir(np.dtypes) if name.endswith("DType")}


def _admitted():
    table = {
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("_codecs", "encode"): codecs.encode,
        ("collections", "OrderedDict"): collections.OrderedDict,
    }
    for module in ("numpy.core.multiarray", "numpy._core.multiarray"):
        table[module, "_reconstruct"] = multiarray._reconstruct
        table[module, "scalar"] = multiarray.scalar
    for module in ("numpy.core.numeric", "numpy._core.numeric"):
        table[module, "_frombuffer"] = numeric._frombuffer
    for name, dtype in _DTYPES.items():
        table["numpy.dtypes", name] = dtype
    for name in ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32",
                 "uint64", "bool_", "str_", "bytes_"):
        table["numpy", name] = getattr(np, name)
    for module in ("builtins", "__builtin__"):
        for cls in (list, dict, set, frozenset, tuple, slice, bytearray, complex, int, float, bool, str):
            table[module, cls.__name__] = cls
    # What Python 2 calls its text and integers.
    table["__builtin__", "unicode"] = str
    table["__builtin__", "long"] = int
    return table


ADMITTED = _admitted()


class RestrictedUnpickler(pickle.Unpickler):
    """An unpickler that resolves only the names in `ADMITTED` and in `extra`.

    extra: {(module, name): replacement}, stand-ins for classes that the caller understands and that are
    never imported (chumpy's arrays, joblib's array wrapper).
    """

    def __init__(self, file, what, extra=None, encoding="ASCII"):
        super().__init__(file, encoding=encoding)
        self._what = what
        self._table = ADMITTED if extra is None else {**ADMITTED, **extra}

    def find_class(self, module, name):
        if (module, name) in self._table:
            return self._table[module, name]
        raise UserError(f"{self._what}: refused, because loading it would call {module}.{name}. Only arrays, numbers, "
                        "strings and plain containers are read; ask its author for a file that holds just those")

    def persistent_load(self, pid):
        raise UserError(f"{self._what}: refused, because it refers to an object outside the file ({pid!r})")


def load(source, what, extra=None, encoding="latin1"):
    """Rebuild the object in a pickle without executing anything.

    source: a binary file object or bytes; what: how to call it in messages (its path); extra: see
    `RestrictedUnpickler`; encoding: how Python 2's byte strings are read ("latin1" keeps numpy's bytes).
    Raises UserError that names the refused callable, or says that the pickle is damaged.
    """
    file = io.BytesIO(source) if isinstance(source, (bytes, bytearray)) else source
    return guarded(RestrictedUnpickler(file, what, extra, encoding).load, what)


def guarded(read, what):
    """Call `read()`; whatever a damaged stream makes an unpickler raise becomes one UserError."""
    try:
        return read()
    except UserError:
        raise
    except Exception as error:  # a damaged stream raises nearly anything: EOFError, IndexError, MemoryError…
        raise UserError(f"{what}: the pickled data are damaged ({type(error).__name__}: {error}). "
                        "Copy or download the file again") from error
