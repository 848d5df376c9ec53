"""The one reader of strangers' pickles: it rebuilds arrays, scalars, strings and containers, and runs nothing.

A pickle names the callables that rebuild its objects, so plain `pickle.load` executes whatever a file says.
Here every name is looked up in a short table of harmless constructors; any other name ends the load with a
message that says which one it was.

numpy's own constructors are not harmless: from a pickle, a dtype takes flags that hide that its elements are
objects, and `ndarray` takes a buffer for an object array, and then the file's bytes are used as pointers. So
dtypes and arrays are built by stand-ins that accept plain numbers and text, and objects only from a list.
"""

import collections
import io
import math
import pickle

import numpy as np

from .errors import UserError

try:  # numpy 2
    from numpy._core import multiarray, numeric
except ImportError:  # numpy 1
    from numpy.core import multiarray, numeric


class _Refused(Exception):
    """What the file wants is not plain data; the message ends 'refused, because …'."""


class _Dtype:
    """What a pickle says of a dtype: a plain kind and a byte order. `numpy.dtype` accepts it where it is one."""

    def __init__(self, kind, align=False, copy=False):
        self.dtype = np.dtype(kind if isinstance(kind, (str, type)) else None)
        if self.dtype.kind not in "biufcSUO" or not isinstance(kind, (str, type)):
            raise _Refused(f"it holds arrays of {kind!r}, not of numbers or text")

    def __setstate__(self, state):
        _, order, subarray, names, fields, *_ = state
        if not (subarray is names is fields is None):
            raise _Refused("it holds arrays of records, not of numbers or text")
        if order in "<>":
            self.dtype = self.dtype.newbyteorder(order)


class _Array(np.ndarray):
    """An array while it is being loaded; `_plain` turns it into an ordinary one at the end."""

    def __new__(cls, shape=(0,), dtype=float, buffer=None, *_):
        dtype = _plain_dtype(dtype)
        if dtype.hasobject and buffer is not None:
            raise _Refused("it makes objects of raw bytes")
        return super().__new__(cls, shape, dtype, buffer)

    def __setstate__(self, state):
        *version, shape, dtype, fortran, data = state
        dtype = _plain_dtype(dtype)
        if dtype.hasobject and not (isinstance(data, list) and len(data) == math.prod(shape)):
            raise _Refused("it makes objects of raw bytes")
        super().__setstate__((*version, shape, dtype, fortran, data))


def _plain_dtype(dtype):
    return dtype.dtype if isinstance(dtype, _Dtype) else _Dtype(dtype).dtype


def _reconstruct(*_):
    return _Array()


def _scalar(dtype, *data):
    dtype = _plain_dtype(dtype)
    if dtype.hasobject:
        raise _Refused("it makes objects of raw bytes")
    return multiarray.scalar(dtype, *data)


def _frombuffer(buffer, dtype, *shape_and_order):
    return numeric._frombuffer(buffer, _plain_dtype(dtype), *shape_and_order)


def _latin1(text, encoding="latin1"):
    """How pickles of protocol 2 write bytes: as text, encoded back."""
    if encoding != "latin1":
        raise _Refused(f"it calls the codec {encoding!r}")
    return text.encode("latin1")


def _admitted():
    table = {
        ("numpy", "ndarray"): _Array,
        ("numpy", "dtype"): _Dtype,
        ("_codecs", "encode"): _latin1,
        ("collections", "OrderedDict"): collections.OrderedDict,
    }
    for package in ("numpy.core", "numpy._core"):
        table[f"{package}.multiarray", "_reconstruct"] = _reconstruct
        table[f"{package}.multiarray", "scalar"] = _scalar
        table[f"{package}.numeric", "_frombuffer"] = _frombuffer
    for name in (
        "float16",
        "float32",
        "float64",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "bool_",
        "str_",
        "bytes_",
    ):
        table["numpy", name] = getattr(np, name)
    for module in ("builtins", "__builtin__"):
        for cls in (list, dict, set, frozenset, tuple, slice, bytes, bytearray, complex, int, float, bool, str):
            table[module, cls.__name__] = cls
    # What Python 2 calls its text and integers.
    table["__builtin__", "unicode"] = str
    table["__builtin__", "long"] = int
    return table


ADMITTED = _admitted()


class RestrictedUnpickler(pickle.Unpickler):
    """An unpickler that resolves only the names in `ADMITTED` and in `extra`.

    extra: {(module, name): replacement}, stand-ins for classes that the caller understands and that are
    never imported (chumpy's arrays, joblib's array wrapper). `np.ndarray` and `np.dtype` among the replacements
    become the stand-ins of this module.
    """

    def __init__(self, file, what, extra=None, encoding="ASCII"):
        super().__init__(file, encoding=encoding)
        self._what = what
        self._table = ADMITTED if extra is None else {**ADMITTED, **extra}

    def find_class(self, module, name):
        found = self._table.get((module, name))
        if found is None:
            raise UserError(
                f"{self._what}: refused, because loading it would call {module}.{name}. Only arrays, "
                "numbers, strings and plain containers are read; ask its author for a file that holds "
                "just those"
            )
        return {np.ndarray: _Array, np.dtype: _Dtype}.get(found, found)

    def persistent_load(self, pid):
        raise UserError(f"{self._what}: refused, because it refers to an object outside the file ({pid!r})")


def load(source, what, extra=None, encoding="latin1"):
    """Rebuild the object in a pickle without executing anything.

    source: a binary file object or bytes; what: how to call it in messages (its path); extra: see
    `RestrictedUnpickler`; encoding: how Python 2's byte strings are read ("latin1" keeps numpy's bytes).
    Raises UserError that names the refused callable, or says that the pickle is damaged.
    """
    file = io.BytesIO(source) if isinstance(source, (bytes, bytearray)) else source
    return guarded(lambda: _plain(RestrictedUnpickler(file, what, extra, encoding).load()), what)


def guarded(read, what):
    """Call `read()`; whatever a damaged stream makes an unpickler raise becomes one UserError."""
    try:
        return read()
    except UserError:
        raise
    except _Refused as error:
        raise UserError(f"{what}: refused, because {error}. Ask its author for a file of plain arrays") from None
    except Exception as error:  # a damaged stream raises nearly anything: EOFError, IndexError, MemoryError…
        raise UserError(
            f"{what}: the pickled data are damaged ({type(error).__name__}: {error}). Copy or download the file again"
        ) from error


def _plain(value, done=None):
    """`value` with every `_Array` in it as an ordinary array; containers are changed in place."""
    done = {} if done is None else done
    if id(value) in done:
        return done[id(value)]
    if isinstance(value, _Array):
        done[id(value)] = plain = value.view(np.ndarray)
        if plain.dtype.hasobject:
            flat = plain.ravel(order="K")  # a view: loaded arrays are contiguous
            for index, item in enumerate(flat):
                flat[index] = _plain(item, done)
        return plain
    if isinstance(value, (dict, list)):
        done[id(value)] = value
        for key, item in list(value.items() if isinstance(value, dict) else enumerate(value)):
            if isinstance(item, (_Array, dict, list, tuple)):
                value[key] = _plain(item, done)
    elif type(value) is tuple:
        return tuple(_plain(item, done) for item in value)
    return value
