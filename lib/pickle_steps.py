"""The opcodes of pickles, protocols 0 to 5, as steps of pickle_machine.Machine. Python's pickletools documents each."""

import codecs
import pickle

import numpy as np


class Refused(Exception):
    """What the file wants is not plain data; the message ends 'refused, because …'."""


def key(value):
    """A key of a dict or member of a set: plain, so that finding its place is quick. Raises Refused."""
    parts = value if type(value) is tuple else (value,)
    for part in parts:
        if not isinstance(part, str | bytes | int | float | complex | np.generic | None):
            raise Refused(f"it has a {type(part).__name__} for a key")
        if (
            isinstance(part, int | np.integer) and abs(int(part)) >= 2**60
        ):  # numbers that size can be chosen to stand in each other's way
            raise Refused("it has a key of more than 60 bits")
    return value


def _text(content):
    return str(content, "utf-8", "surrogatepass")


def _string(machine):
    """A string of protocol 0, as Python 2 wrote it: its bytes as characters, which keeps numpy's contents."""
    line = machine.line().strip()
    if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"'):
        raise ValueError("a string without quotes")
    machine.push(codecs.escape_decode(line[1:-1])[0].decode("latin1"))


def _integer(machine):
    line = machine.line()
    machine.push({b"00": False, b"01": True}.get(line) if line in (b"00", b"01") else int(line))


def _long(count):
    return lambda machine: machine.push(int.from_bytes(machine.read(machine.number(count)), "little", signed=True))


def _sized(form, decode):
    return lambda machine: machine.push(decode(machine.read(machine.number(form))))


def _latin1(content):
    return content.decode("latin1")


def _packed(form):
    return lambda machine: machine.push(machine.number(form))


def _empty(kind):
    return lambda machine: machine.push(kind())


def _pop(machine):
    if machine.marks and machine.marks[-1] == len(machine.stack):
        machine.marks.pop()
    else:
        machine.stack.pop()


def _tuple(count):
    def step(machine):
        values = tuple(machine.stack[-count:])
        if len(values) < count:
            raise IndexError("the stack is empty")
        machine.stack[-count:] = [values]

    return step


def _dict(machine):
    holder = {}
    machine.add(holder, machine.since_mark(), dict)
    machine.push(holder)


def _frozenset(machine):
    machine.push(frozenset(map(key, machine.since_mark())))


def _add(kind, count=None):
    def step(machine):
        values = machine.since_mark() if count is None else [machine.stack.pop() for _ in range(count)][::-1]
        machine.add(machine.stack[-1], values, kind)

    return step


def _get(index):
    return lambda machine: machine.push(machine.memo[index(machine)])


def _put(index):
    def step(machine):
        machine.memo[index(machine)] = machine.stack[-1]

    return step


def _line_number(machine):
    return int(machine.line())


def _number(form):
    return lambda machine: machine.number(form)


def _name(machine, module, name):
    if not isinstance(module, str) or not isinstance(name, str):
        raise Refused("it names what is no name")
    machine.push(machine.names(module, name))


def _global(machine):
    _name(machine, _text(machine.line()), _text(machine.line()))


def _stack_global(machine):
    name, module = machine.stack.pop(), machine.stack.pop()
    _name(machine, module, name)


def _inst(machine):
    _global(machine)
    machine.push(machine.call(machine.stack.pop(), tuple(machine.since_mark())))


def _obj(machine):
    function, *args = machine.since_mark()
    machine.push(machine.call(function, tuple(args)))


def _reduce(machine):
    args = machine.stack.pop()
    machine.push(machine.call(machine.stack.pop(), args))


def _newobj_ex(machine):
    if machine.stack.pop():
        raise Refused("it calls with named arguments")
    _reduce(machine)


def _persistent(machine):
    machine.push(machine.outside(machine.stack.pop()))


def _buffer(machine):
    raise Refused("it refers to data outside the file")


STEPS = {
    pickle.PROTO: lambda machine: machine.read(1),
    pickle.FRAME: lambda machine: machine.read(8),
    pickle.MARK: lambda machine: machine.marks.append(len(machine.stack)),
    pickle.POP: _pop,
    pickle.POP_MARK: lambda machine: machine.since_mark(),
    pickle.DUP: lambda machine: machine.push(machine.stack[-1]),
    pickle.NONE: lambda machine: machine.push(None),
    pickle.NEWTRUE: lambda machine: machine.push(True),
    pickle.NEWFALSE: lambda machine: machine.push(False),
    pickle.INT: _integer,
    pickle.LONG: lambda machine: machine.push(int(machine.line().removesuffix(b"L"))),
    pickle.FLOAT: lambda machine: machine.push(float(machine.line())),
    pickle.BININT: _packed("<i"),
    pickle.BININT1: _packed("<B"),
    pickle.BININT2: _packed("<H"),
    pickle.BINFLOAT: _packed(">d"),
    pickle.LONG1: _long("<B"),
    pickle.LONG4: _long("<I"),
    pickle.STRING: _string,
    pickle.BINSTRING: _sized("<I", _latin1),
    pickle.SHORT_BINSTRING: _sized("<B", _latin1),
    pickle.UNICODE: lambda machine: machine.push(str(machine.line(), "raw-unicode-escape")),
    pickle.BINUNICODE: _sized("<I", _text),
    pickle.SHORT_BINUNICODE: _sized("<B", _text),
    pickle.BINUNICODE8: _sized("<Q", _text),
    pickle.BINBYTES: _sized("<I", bytes),
    pickle.SHORT_BINBYTES: _sized("<B", bytes),
    pickle.BINBYTES8: _sized("<Q", bytes),
    pickle.BYTEARRAY8: _sized("<Q", bytearray),
    pickle.EMPTY_LIST: _empty(list),
    pickle.EMPTY_DICT: _empty(dict),
    pickle.EMPTY_TUPLE: _empty(tuple),
    pickle.EMPTY_SET: _empty(set),
    pickle.LIST: lambda machine: machine.push(machine.since_mark()),
    pickle.DICT: _dict,
    pickle.TUPLE: lambda machine: machine.push(tuple(machine.since_mark())),
    pickle.TUPLE1: _tuple(1),
    pickle.TUPLE2: _tuple(2),
    pickle.TUPLE3: _tuple(3),
    pickle.FROZENSET: _frozenset,
    pickle.APPEND: _add(list, 1),
    pickle.APPENDS: _add(list),
    pickle.SETITEM: _add(dict, 2),
    pickle.SETITEMS: _add(dict),
    pickle.ADDITEMS: _add(set),
    pickle.GET: _get(_line_number),
    pickle.BINGET: _get(_number("<B")),
    pickle.LONG_BINGET: _get(_number("<I")),
    pickle.PUT: _put(_line_number),
    pickle.BINPUT: _put(_number("<B")),
    pickle.LONG_BINPUT: _put(_number("<I")),
    pickle.MEMOIZE: _put(lambda machine: len(machine.memo)),
    pickle.GLOBAL: _global,
    pickle.STACK_GLOBAL: _stack_global,
    pickle.INST: _inst,
    pickle.OBJ: _obj,
    pickle.REDUCE: _reduce,
    pickle.NEWOBJ: _reduce,
    pickle.NEWOBJ_EX: _newobj_ex,
    pickle.BUILD: lambda machine: machine.build(),
    pickle.PERSID: lambda machine: machine.push(machine.outside(machine.line())),
    pickle.BINPERSID: _persistent,
    pickle.NEXT_BUFFER: _buffer,
    pickle.READONLY_BUFFER: _buffer,
}
