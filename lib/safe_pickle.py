"""The one reader of strangers' pickles: it rebuilds arrays, scalars, strings and containers, and runs nothing.

A pickle names the callables that rebuild its objects, so plain `pickle.load` executes whatever a file says. Here the
program runs on a machine of ours (pickle_machine.py), and every name is looked up in a short table of harmless makers; any
other name ends the load with a message that says which one it was.

numpy's own constructors are not harmless: from a pickle, a dtype takes flags that hide that its elements are objects,
`ndarray` takes a buffer for an object array, and then the file's bytes are used as pointers; without a buffer an array
shows what lay in memory. So dtypes and arrays are built by stand-ins that accept plain numbers and text whose bytes are in
the file, and objects only from a list.
"""

import collections
import io
import math
import re

import numpy as np

from .errors import UserError
from .pickle_machine import Callable, Machine, StandIn
from .pickle_steps import Refused, key

_KIND = re.compile(r"[<>=|]?([biufc]\d{1,2}|[SU]\d{1,9}|O\d?)")


class _Dtype(StandIn):
    """What a pickle says of a dtype: a plain kind and a byte order."""

    def __init__(self, kind, align=False, copy=False):
        if isinstance(kind, type) and issubclass(kind, np.generic):
            kind = np.dtype(kind).str
        if not isinstance(kind, str) or not _KIND.fullmatch(kind):
            raise Refused(
                f"it holds arrays of {str(kind)[:40] if isinstance(kind, str) else type(kind).__name__!r}, not of numbers or text"
            )
        self.dtype = np.dtype(kind)

    def __setstate__(self, state):
        _, order, subarray, names, fields, *_ = state
        if not (subarray is names is fields is None):
            raise Refused("it holds arrays of records, not of numbers or text")
        if order in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(order)

    def plain(self):
        return self.dtype


class _Array(StandIn):
    """An array while it is being loaded: empty until its state comes."""

    def __init__(self, machine):
        self.machine, self.array = machine, np.zeros(0)

    def __setstate__(self, state):
        *_, shape, dtype, fortran, data = state
        order = "F" if fortran else "C"
        if not dtype.hasobject:
            data = data.encode("latin1") if isinstance(data, str) else data  # what Python 2 called bytes
            self.machine.copy(len(data))
            self.array = _numbers(data, dtype, shape, order).astype(dtype.newbyteorder("="), order)  # as numpy does
            return
        if not isinstance(data, list) or len(data) != _count(shape):
            raise Refused("it makes objects of raw bytes")
        flat = np.empty(len(data), dtype=object)
        for index, value in enumerate(data):
            flat[index] = value
        self.array = flat.reshape(shape, order=order)

    def plain(self):
        return self.array


def _count(shape):
    if not isinstance(shape, tuple) or not all(type(size) is int and 0 <= size < 2**40 for size in shape):
        raise Refused("it holds an array of no shape")
    return math.prod(shape)


def _numbers(data, dtype, shape, order):
    """The array in these bytes, which are all of it. Raises Refused."""
    dtype = dtype.plain() if isinstance(dtype, _Dtype) else dtype
    if not isinstance(dtype, np.dtype) or dtype.hasobject:
        raise Refused("it makes objects of raw bytes")
    if not isinstance(data, bytes | bytearray) or _count(shape) * dtype.itemsize != len(data):
        raise Refused(f"it holds an array of {_count(shape)} elements whose bytes it does not hold")
    if not len(data):
        if _count(shape) or max(shape, default=0) > 2**20:
            raise Refused("it holds an array of elements without bytes")
        return np.zeros(shape, dtype)
    return np.frombuffer(data, dtype).reshape(shape, order=order)


def _ndarray(machine, shape=(0,), dtype=None, buffer=None, *more):
    """numpy.ndarray(shape, dtype, buffer), as our own writer uses it."""
    if more:
        raise Refused("it calls numpy.ndarray with offsets")
    if buffer is None and isinstance(dtype, _Dtype) and dtype.dtype.hasobject:
        return _Array(machine)  # its objects come in a list
    return _numbers(b"" if buffer is None else buffer, dtype or np.dtype(float), shape, "C")


def _scalar(machine, dtype, data=None):
    if isinstance(data, str):
        data = data.encode("latin1")
    machine.copy(len(data) if isinstance(data, bytes) else 0)
    return _numbers(data, dtype, (1,), "C")[0] if data else _Dtype.plain(dtype).type()


def _frombuffer(machine, buffer, dtype, shape, order, axes=None):
    if order == "K" and axes is not None:
        return _numbers(buffer, dtype, shape, "C").transpose(axes)
    if order not in ("C", "F"):
        raise Refused("it holds an array of no order")
    return _numbers(buffer, dtype, shape, order)


def _latin1(machine, text, encoding="latin1"):
    """How pickles of protocol 2 write bytes: as text, encoded back."""
    if not isinstance(text, str) or encoding != "latin1":
        raise Refused(f"it calls the codec {encoding[:20] if isinstance(encoding, str) else 'of no name'!r}")
    machine.copy(len(text))
    return text.encode("latin1")


def _collection(kind):
    """list, tuple, set or frozenset of another of them."""

    def make(machine, values=()):
        if type(values) not in (list, tuple, set, frozenset):
            raise Refused(f"it makes a {kind.__name__} of a {type(values).__name__}")
        machine.spend(len(values))
        return kind(map(key, values) if kind in (set, frozenset) else values)

    return make


def _mapping(kind):
    """dict or OrderedDict of a dict or of pairs."""

    def make(machine, pairs=()):
        pairs = list(pairs.items()) if isinstance(pairs, dict) else pairs
        if not isinstance(pairs, list | tuple) or not all(isinstance(pair, list | tuple) for pair in pairs):
            raise Refused(f"it makes a {kind.__name__} of what are no pairs")
        machine.spend(len(pairs))
        return kind((key(name), value) for name, value in pairs)

    return make


def _defaultdict(machine, factory=None):
    if factory not in (None, dict, list, int, float, str):
        raise Refused("it holds a dict with defaults that are no plain values")
    return collections.defaultdict(factory)


def _raw(kind):
    """bytes or bytearray of bytes, or of Python 2's text; never of a length alone."""

    def make(machine, data=b"", encoding="latin-1"):
        if isinstance(data, str) and encoding in ("latin-1", "latin1"):
            data = data.encode("latin1")
        if not isinstance(data, bytes | bytearray):
            raise Refused(f"it makes {kind.__name__} of a {type(data).__name__}")
        machine.copy(len(data))
        return kind(data)

    return make


def _scalar_of(kind):
    """A number or text of another."""

    def make(machine, *values):
        if len(values) > 2 or not all(isinstance(value, str | bytes | int | float | np.generic) for value in values):
            raise Refused(f"it makes a {kind.__name__} of what is no number")
        machine.copy(sum(4 * len(value) for value in values if isinstance(value, str | bytes)))
        return kind(*values)

    return make


_NUMPY = "float16 float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool_ str_ bytes_".split()
# What a program may call, and what is called in its place.
MAKERS = {
    **{kind: _collection(kind) for kind in (list, tuple, set, frozenset)},
    **{kind: _mapping(kind) for kind in (dict, collections.OrderedDict)},
    **{kind: _raw(kind) for kind in (bytes, bytearray)},
    **{kind: _scalar_of(kind) for kind in (complex, int, float, bool, str, *(getattr(np, name) for name in _NUMPY))},
    slice: lambda machine, *ends: slice(*(None if end is None else int(end) for end in ends)),
    collections.defaultdict: _defaultdict,
}
MAKERS = {kind: Callable(make) for kind, make in MAKERS.items()}


def _admitted():
    table = {
        ("numpy", "ndarray"): Callable(_ndarray),
        ("numpy", "dtype"): _Dtype,
        ("_codecs", "encode"): Callable(_latin1),
        ("collections", "OrderedDict"): collections.OrderedDict,
        # What Python 2 calls its text and integers.
        ("__builtin__", "unicode"): str,
        ("__builtin__", "long"): int,
        **{("numpy", name): getattr(np, name) for name in _NUMPY},
    }
    for package in ("numpy.core", "numpy._core"):
        table[f"{package}.multiarray", "_reconstruct"] = Callable(lambda machine, *_: _Array(machine))
        table[f"{package}.multiarray", "scalar"] = Callable(_scalar)
        table[f"{package}.numeric", "_frombuffer"] = Callable(_frombuffer)
    for module in ("builtins", "__builtin__"):
        for kind in (list, dict, set, frozenset, tuple, slice, bytes, bytearray, complex, int, float, bool, str):
            table[module, kind.__name__] = kind
    return table


ADMITTED = _admitted()
# What a caller's table may say, and what stands for it here.
_OURS = {np.ndarray: ADMITTED["numpy", "ndarray"], np.dtype: _Dtype}


def load(source, what, extra=None):
    """Rebuild the object in a pickle without executing anything.

    source: bytes, or a BytesIO that stands at the pickle; what: how to call it in messages (its path); extra: {(module,
    name): replacement} besides `ADMITTED`, for classes that the caller understands and that are never imported (chumpy's
    arrays, joblib's array wrapper): subclasses of `StandIn`, or a function of the arguments. Strings of Python 2 are
    read as latin1, which keeps numpy's bytes.
    Raises UserError that names the refused callable, or says that the pickle is damaged.
    """
    table = dict(ADMITTED)
    for name, value in (extra or {}).items():
        value = _OURS.get(value, value)
        table[name] = value if isinstance(value, type | Callable) else Callable(lambda _, *args, of=value: of(*args))

    def names(module, name):
        if (module, name) not in table:
            raise UserError(
                f"{what}: refused, because loading it would call {module[:80]}.{name[:80]}. Only arrays, "
                "numbers, strings and plain containers are read; ask its author for a file that holds just those"
            )
        return table[module, name]

    file = source if isinstance(source, io.BytesIO) else io.BytesIO(source)
    return guarded(lambda: Machine(file, names, MAKERS).run(), what)


def guarded(read, what):
    """Call `read()`; whatever a damaged stream makes an unpickler raise becomes one UserError."""
    try:
        return read()
    except UserError:
        raise
    except Refused as error:
        raise UserError(f"{what}: refused, because {error}. Ask its author for a file of plain arrays") from None
    except Exception as error:  # a damaged stream raises nearly anything: EOFError, IndexError, MemoryError…
        raise UserError(
            f"{what}: the pickled data are damaged ({type(error).__name__}: {str(error)[:200]}). "
            "Copy or download the file again"
        ) from error
