"""lib/safe_pickle.py: what numpy of any age writes is rebuilt, and nothing else is done."""

import collections
import os
import pickle
import resource
import struct
import time

import numpy as np
import pytest

from lib import safe_pickle
from lib.errors import UserError

ARRAYS = {
    "float": np.arange(6, dtype=np.float32).reshape(2, 3),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "big endian": np.arange(3, dtype=">i4"),
    "text": np.array(["a", "bcd"]),
    "bytes": np.array([b"a", b"bcd"]),
    "empty": np.zeros((0, 51), np.float32),
    "bool": np.array([True, False]),
}


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_of_every_protocol(name, protocol):
    array = ARRAYS[name]
    text = pickle.dumps(array, protocol)
    found = safe_pickle.load(text, "x")
    assert type(found) is np.ndarray and found.dtype == pickle.loads(text).dtype
    np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize("protocol", range(6))
def test_objects_within_containers_are_plain_arrays(protocol):
    nested = np.empty(2, dtype=object)
    nested[:] = [np.arange(3.0), np.arange(2)]
    value = {"a": [np.arange(4)], "b": (nested, "text"), "c": collections.OrderedDict(d=np.float32(2)), "e": {1, 2}}
    found = safe_pickle.load(pickle.dumps(value, protocol), "x")
    assert type(found["a"][0]) is type(found["b"][0]) is type(found["b"][0][1]) is np.ndarray
    np.testing.assert_array_equal(found["b"][0][0], np.arange(3.0))
    assert found["c"]["d"] == np.float32(2) and found["e"] == {1, 2} and found["b"][1] == "text"


def test_a_list_that_holds_itself():
    """No pose file does, and whoever walks through it would not come to an end."""
    value = [np.arange(2)]
    value.append(value)
    with pytest.raises(UserError, match="refused, because it holds itself"):
        safe_pickle.load(pickle.dumps(value), "x")


@pytest.mark.parametrize(
    "ours, theirs",
    [(b"numpy._core.multiarray", b"numpy.core.multiarray"), (b"numpy.core.multiarray", b"numpy._core.multiarray")],
)
def test_module_names_of_old_and_new_numpy(ours, theirs):
    array = np.empty(2, dtype=object)
    array[:] = [np.arange(3, dtype=np.float32), np.arange(2, dtype=np.float32)]
    text = pickle.dumps(array, 2).replace(ours, theirs)
    assert theirs in text
    found = safe_pickle.load(text, "x")
    np.testing.assert_array_equal(found[0], np.arange(3, dtype=np.float32))


def test_python_2_bytes_are_arrays_contents():
    # What Python 2 wrote for np.array([1., 2.]): the content as a byte string of protocol 2.
    text = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85q\x03U\x01bq\x04\x87q\x05Rq\x06"
        b"(K\x01K\x02\x85q\x07cnumpy\ndtype\nq\x08U\x02f8q\tK\x00K\x01\x87q\nRq\x0b(K\x03U\x01<q\x0cNNNJ\xff\xff\xff\xff"
        b"J\xff\xff\xff\xffK\x00tq\rb\x89U\x10" + struct.pack("<2d", 1, 2) + b"q\x0etq\x0fb."
    )
    np.testing.assert_array_equal(safe_pickle.load(text, "x"), [1.0, 2.0])


class Call:
    """Pickles to a call of anything."""

    def __init__(self, function, *arguments):
        self.made = function, arguments

    def __reduce__(self):
        return self.made


@pytest.mark.parametrize(
    "value, name",
    [
        (Call(os.system, "touch executed"), "posix.system"),
        (Call(eval, "1"), "builtins.eval"),
        (Call(getattr, 1, "real"), "builtins.getattr"),
        (Call(np.load, "x", None, True), "numpy.load"),
        (Call(open, "executed", "w"), "(_io|io).open"),
        ([np.arange(2), {"deep": (Call(exec, "1"),)}], "builtins.exec"),
    ],
)
def test_calls_are_refused_by_name(value, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=f"^file.npz: refused, because loading it would call {name}. Only arrays"):
        safe_pickle.load(pickle.dumps(value), "file.npz")
    assert not list(tmp_path.iterdir())


def name_of(module, name):
    return b"c" + module.encode() + b"\n" + name.encode() + b"\n"


def text_of(value):
    """The opcodes that push a plain value."""
    return pickle.dumps(value, 2)[2:-1]


OBJECT_WITHOUT_FLAGS = (
    name_of("numpy", "dtype")
    + text_of(("O", False, True))
    + b"R"
    + text_of((3, "|", None, None, None, -1, -1, 0))
    + b"b"
)
RECORD = name_of("numpy", "dtype") + text_of(("V8", False, True)) + b"R"
ADDRESS = struct.pack("<Q", 0x4141414141414141)
FORGED = {
    # A dtype of objects that denies it, so that the file's bytes become pointers.
    "frombuffer": name_of("numpy.core.numeric", "_frombuffer")
    + b"("
    + text_of(bytearray(ADDRESS))
    + OBJECT_WITHOUT_FLAGS
    + text_of((1,))
    + text_of("C")
    + b"tR",
    "setstate": name_of("numpy.core.multiarray", "_reconstruct")
    + b"("
    + name_of("numpy", "ndarray")
    + text_of((0,))
    + text_of(b"b")
    + b"tR("
    + text_of(1)
    + text_of((1,))
    + OBJECT_WITHOUT_FLAGS
    + text_of(False)
    + text_of(ADDRESS)
    + b"tb",
    "scalar": name_of("numpy.core.multiarray", "scalar") + b"(" + OBJECT_WITHOUT_FLAGS + text_of(ADDRESS) + b"tR",
    # ndarray(shape, dtype, buffer) does not look at what it makes pointers of.
    "ndarray": name_of("numpy", "ndarray") + b"(" + text_of((1,)) + text_of("O") + text_of(bytearray(ADDRESS)) + b"tR",
    "short list": name_of("numpy.core.multiarray", "_reconstruct")
    + b"("
    + name_of("numpy", "ndarray")
    + text_of((0,))
    + text_of(b"b")
    + b"tR("
    + text_of(1)
    + text_of((1000,))
    + name_of("numpy", "dtype")
    + text_of(("O", False, True))
    + b"R"
    + text_of(False)
    + text_of([1])
    + b"tb",
    "record": name_of("numpy.core.numeric", "_frombuffer")
    + b"("
    + text_of(bytearray(ADDRESS))
    + RECORD
    + text_of((1,))
    + text_of("C")
    + b"tR",
    "fields": name_of("numpy", "dtype")
    + text_of(("S8", False, True))
    + b"R"
    + text_of((3, "|", None, ("a",), {"a": ("O", 0)}, 8, 1, 0))
    + b"b",
}


@pytest.mark.parametrize("name", FORGED)
def test_forged_pointers_are_refused(name):
    """Before this was guarded, touching what these load ended the process with a segmentation fault."""
    text = b"\x80\x02" + FORGED[name] + b"."
    with pytest.raises(UserError, match="^x: (refused|the pickled data are damaged)"):
        safe_pickle.load(text, "x")


def test_a_callers_ndarray_is_guarded_too():
    text = b"\x80\x02" + FORGED["ndarray"].replace(b"ndarray", b"memmap") + b"."
    with pytest.raises(UserError, match="refused, because it makes objects of raw bytes"):
        safe_pickle.load(text, "x", extra={("numpy", "memmap"): np.ndarray})


def test_codecs_are_refused():
    text = b"\x80\x02" + name_of("_codecs", "encode") + text_of(("a", "idna")) + b"R."
    with pytest.raises(UserError, match="refused, because it calls the codec 'idna'"):
        safe_pickle.load(text, "x")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\x80\x04",
        pickle.dumps(np.arange(9))[:-20],
        b"garbage",
        b"\x80\x02\x85.",
    ],
)
def test_damage_is_one_line(text):
    with pytest.raises(UserError, match="^x: the pickled data are damaged .*Copy or download the file again$"):
        safe_pickle.load(text, "x")


def test_objects_outside_the_file():
    with pytest.raises(UserError, match="outside the file"):
        safe_pickle.load(b"\x80\x02" + text_of("id") + b"Q.", "x")


def nested(levels, opening, closing):
    return b"\x80\x04" + opening * levels + closing * levels + b"."


DOUBLED = b"\x80\x04)" + b"2\x86" * 40  # a tuple of itself twice, 40 times over: 2**40 tuples for who walks through it
REFERENCE = name_of("builtins", "list")
BOMBS = {
    "doubled tuples": DOUBLED + b".",
    "doubled tuples for a key": b"\x80\x04}" + DOUBLED[2:] + b"K\x01s.",
    "doubled lists": b"\x80\x04]" + b"(22e" * 0 + b"2\x86" * 40 + b".",
    "a length alone": b"\x80\x02" + name_of("builtins", "bytearray") + text_of((5 * 10**8,)) + b"R.",
    "a list of bytes": b"\x80\x04" + REFERENCE + b"(" + b"C\x01a" + b"tR.",
    "copies of a copy": b"\x80\x04" + b"(" + b"N" * 10000 + b"l\x94" + (REFERENCE + b"h\x00\x85R0") * 1000 + b".",
    "states of a large list": b"\x80\x04"
    + b"("
    + b"N" * 20000
    + b"l\x94"
    + name_of("numpy.core.multiarray", "_reconstruct")
    + b")R\x94"
    + b"(h\x00h\x00h\x00h\x00h\x00tb" * 2000
    + b".",
    "a far place in the memo": b"\x80\x04Nr\x00\x00\x00\x11h\x07.",
    "deep lists": nested(10**5, b"]", b"a"),
    "deep tuples": b"\x80\x04)" + b"\x85" * 10**5 + b".",
    "an array without its bytes": b"\x80\x02" + name_of("numpy", "ndarray") + text_of(((9,),)) + b"R.",
    "an array of much nothing": b"\x80\x02" + name_of("numpy", "ndarray") + text_of(((2**39, 0),)) + b"R.",
    "wide text": b"\x80\x02"
    + name_of("numpy.core.multiarray", "scalar")
    + b"("
    + name_of("numpy", "dtype")
    + text_of(("U999999999",))
    + b"RtR.",
    "keys that collide": b"\x80\x04}("
    + b"".join(b"\x8a\x0a" + (i * (2**61 - 1)).to_bytes(10, "little") + b"N" for i in range(1, 1000))
    + b"u.",
    "a state for a function": b"\x80\x02"
    + name_of("_codecs", "encode")
    + text_of({"__defaults__": ("rot13",)})
    + b"b.",
    "a name for data": b"\x80\x02" + name_of("builtins", "dict") + b".",
    "a call of data": b"\x80\x02" + text_of(("x", "y")) + text_of(()) + b"R.",
    "an extension": b"\x80\x02\x82\x01.",
    "many empty sets": b"\x80\x04" + b"\x8f" * (12 * 10**5) + b".",
    "a large array many times": b"\x80\x04"
    + b"B"
    + (10**6).to_bytes(4, "little")
    + bytes(10**6)
    + b"\x94]"
    + b"("
    + b"h\x00" * 10**5
    + b"e.",
}


@pytest.mark.parametrize("name", BOMBS)
def test_small_files_of_much_work_are_refused(name):
    """Each of these took minutes, gigabytes or the process: now all of them are refused in a second or two."""
    start, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UserError, match="^x: (refused, because|the pickled data are damaged)"):
        safe_pickle.load(BOMBS[name], "x")
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert time.process_time() - start < 20 and more < 2**19  # kB


def test_a_pickle_changes_nothing_of_the_process():
    text = (
        b"\x80\x02" + name_of("_codecs", "encode") + b"N}" + text_of("__defaults__") + text_of(("rot13",)) + b"s\x86b."
    )
    with pytest.raises(UserError):
        safe_pickle.load(text, "x")
    assert safe_pickle.load(pickle.dumps(b"bytes", 2), "x") == b"bytes"


def test_strings_of_python_2_protocol_0():
    assert safe_pickle.load(b"S'a\\xe9\\n'\n.", "x") == "a\xe9\n"


def test_plain_containers_of_every_protocol():
    value = {
        "a": (1, -1, 2**70, True, None, 1.5, b"b", "\u00e9", [1, [2]], {3}, frozenset({4}), bytearray(b"c")),
        ("k", 1): {},
    }
    for protocol in range(6):
        assert safe_pickle.load(pickle.dumps(value, protocol), "x") == value
    defaults = collections.defaultdict(dict, a={"b": 1})
    found = safe_pickle.load(pickle.dumps(defaults), "x", {("collections", "defaultdict"): collections.defaultdict})
    assert found == defaults and found.default_factory is dict
