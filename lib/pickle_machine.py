"""A pickle machine that builds data and can do nothing else.

A pickle is a program for a stack machine. Python's own machine calls what a program names, and sets attributes of what it
finds on the stack; this one calls only what the caller admits (`names`), changes only lists, dicts, sets and stand-ins
that it made itself, and spends from a budget that the size of the file sets. The opcodes are those of protocols 0 to 5
(pickle_steps.py).
"""

import pickle
import struct

import numpy as np

from .pickle_steps import STEPS, Refused, key

DEPTH = 100  # of containers within containers
FREE = 1_000_000  # objects that any file may hold; beyond, one for every 8 bytes of it


LEAVES = frozenset((int, float, bool, type(None)))


class StandIn:
    """Stands for an object of a class that is never imported: the base of what `names` may give besides functions.

    `__setstate__(state)` gets the state that the pickle gives it, plain; `plain()` is what it is in the result.
    """

    def __setstate__(self, state):
        raise Refused(f"it gives a state to {type(self).__name__}")

    def plain(self):
        return self


class Machine:
    """One pickle's run.

    file: a BytesIO at the pickle's first byte; names: function (module, name) -> what the program gets for it: a stand-in
    class, a function to be called, or a class of `makers`; makers: {class: function that is called in its place}.
    """

    def __init__(self, file, names, makers):
        self.file, self.names, self.makers = file, names, makers
        self.size = len(file.getbuffer())
        self.left = FREE + self.size // 8  # steps
        self.visits = 4 * self.left  # of objects, to make them plain
        self.copies = 4 * self.size + 2**16  # bytes that may be copied
        self.stack, self.marks, self.memo = [], [], {}

    def run(self):
        read, steps = self.file.read, STEPS
        while (code := read(1)) != pickle.STOP:
            step = steps.get(code)
            if step is None:
                raise ValueError(f"byte {code!r} at {self.file.tell() - len(code)} is no step of a pickle")
            self.left -= 1
            if self.left < 0:
                self.spend(0)
            step(self)
        return self.finish(self.stack.pop())

    # ------------------------------------------------------------------------------------------- budgets

    def spend(self, count):
        self.left -= count
        if self.left < 0:
            raise Refused("it holds far more objects than a file of its size needs")

    def copy(self, size):
        """`size` more bytes are about to be made out of the file's."""
        self.copies -= size
        if self.copies < 0:
            raise Refused("it holds far more data than a file of its size can")

    def read(self, count):
        content = self.file.read(count)
        if len(content) < count:
            raise EOFError(f"it breaks off after {self.size} bytes")
        return content

    def number(self, form):
        return struct.unpack(form, self.read(struct.calcsize(form)))[0]

    def line(self):
        line = self.file.readline()
        if not line.endswith(b"\n"):
            raise EOFError(f"it breaks off after {self.size} bytes")
        return line[:-1]

    # --------------------------------------------------------------------------------------------- stack

    def push(self, value):
        self.stack.append(value)

    def since_mark(self):
        start = self.marks.pop()
        values = self.stack[start:]
        del self.stack[start:]
        return values

    def call(self, function, args):
        if not isinstance(args, tuple):
            raise Refused("it calls with what are no arguments")
        if isinstance(function, type) and issubclass(function, StandIn):
            return function(*args)
        make = self.makers.get(function) if isinstance(function, type) else function
        if not isinstance(make, Callable):
            raise Refused("it calls what cannot be called")
        return make.function(self, *args)

    def outside(self, name):
        """What an object that the file only names is."""
        raise Refused("it refers to an object outside the file")

    def build(self):
        state = self.stack.pop()
        if not isinstance(self.stack[-1], StandIn):
            raise Refused(f"it changes the inside of a {type(self.stack[-1]).__name__}")
        self.stack[-1].__setstate__(self.finish(state, names=True))

    def add(self, holder, values, kind):
        if not isinstance(holder, kind):
            raise Refused(f"it adds to a {type(holder).__name__} as to a {kind.__name__}")
        if kind is list:
            holder.extend(values)
        elif kind is set:
            holder.update(map(key, values))
        else:
            for name, value in zip(values[::2], values[1::2], strict=True):
                holder[key(name)] = value

    # -------------------------------------------------------------------------------------------- result

    def finish(self, value, names=False):
        """`value` with every stand-in as what it stands for. Containers are changed in place, tuples made anew.

        names: whether names of classes and functions may be in it.
        """
        done, open_ = {}, set()

        def plain(value, depth):
            """(plain value, levels of containers in it, objects in it counted wherever they stand)."""
            if type(value) in LEAVES:
                return value, 0, 1
            if id(value) in done:
                return done[id(value)][1:]
            if isinstance(value, type | Callable) and not names:
                raise Refused(f"it holds the name {getattr(value, '__name__', value)!r}, which is no data")
            children = _children(value)
            if children is None and not isinstance(value, StandIn):
                return value, 0, 1 + _bytes_of(value) // 8
            if depth > DEPTH:
                raise Refused(f"it is nested deeper than {DEPTH} levels")
            if id(value) in open_:
                raise Refused("it holds itself")
            open_.add(id(value))
            if isinstance(value, StandIn):
                result = value.plain()
                found = [(result, 0, 1)] if result is value else [plain(result, depth + 1)]
                result = found[0][0]
            else:
                found = [plain(child, depth + 1) for child in children]
                result = _with_children(value, [part[0] for part in found])
            open_.remove(id(value))
            self.visits -= len(found)
            levels = 1 + max((part[1] for part in found), default=0)
            count = 1 + sum(part[2] for part in found)
            if levels > DEPTH:
                raise Refused(f"it is nested deeper than {DEPTH} levels")
            if count > 4 * FREE + self.size // 2 or self.visits < 0:
                raise Refused("it holds far more objects than a file of its size needs")
            done[id(value)] = value, result, levels, count  # `value` is kept, so that its id stays its own
            return result, levels, count

        return plain(value, 0)[0]


class Callable:
    """A function that a program may call: function(machine, *arguments)."""

    def __init__(self, function):
        self.function, self.__name__ = function, function.__name__


def _bytes_of(value):
    return value.nbytes if isinstance(value, np.ndarray) else len(value) if isinstance(value, str | bytes) else 0


def _children(value):
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, list | tuple):
        return value
    if isinstance(value, np.ndarray) and value.dtype.hasobject:
        return value.ravel(order="K").tolist()
    return None


def _with_children(value, children):
    if isinstance(value, tuple):
        return tuple(children)
    if isinstance(value, dict):
        for name, child in zip(list(value), children):
            value[name] = child
    elif isinstance(value, list):
        value[:] = children
    else:
        flat = value.ravel(order="K")  # a view: arrays are made contiguous
        for index, child in enumerate(children):
            flat[index] = child
    return value
