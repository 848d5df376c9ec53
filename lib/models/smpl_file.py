"""Files of SMPL models: the official pickle, or an .npz of the same arrays.

The pickle holds chumpy arrays and scipy matrices. It is read with stand-ins for those classes that only keep the
stored state, so that nothing in the file is executed and chumpy need not be installed.
"""

import numpy as np
import scipy.sparse

from .. import safe_pickle
from ..errors import UserError
from ..pickle_machine import StandIn

BETAS = 10


def read(path):
    """{name: array} of a neutral model, dense. Raises UserError, by the name of the array, for what is none."""
    data = _read_npz(path) if path.suffix == ".npz" else _read_pickle(path)
    _check_smpl(data, path)
    return data


class _Stored(StandIn):
    """Replacement for a class of chumpy or scipy that only keeps the state from the pickle."""

    def __setstate__(self, state):
        self.state = state


class _Chumpy(_Stored):
    def array(self):
        return _array(self.state["x"])


class _Selection(_Stored):
    """chumpy's Select: entries of another array by flat index."""

    def array(self):
        chosen = _array(self.state["a"]).ravel()[_array(self.state["idxs"])]
        return chosen.reshape(self.state.get("preferred_shape", chosen.shape))


class _Csc(_Stored):
    matrix = scipy.sparse.csc_matrix

    def array(self):
        parts = tuple(_array(self.state[key]) for key in ("data", "indices", "indptr"))
        shape = self.state["_shape"] if "_shape" in self.state else self.state["shape"]
        matrix = self.matrix(parts, shape=shape)
        matrix.check_format(full_check=True)
        return matrix.toarray()


class _Csr(_Csc):
    matrix = scipy.sparse.csr_matrix


def _reconstructor(cls, base, state):
    """Python's own of this name, which protocols 0 and 1 make objects with, for the stand-ins only."""
    if not isinstance(cls, type) or not issubclass(cls, _Stored):
        raise TypeError(f"{getattr(cls, '__name__', 'a name')} is not made this way")
    return cls()


_STAND_INS = {
    ("chumpy.ch", "Ch"): _Chumpy,
    ("chumpy", "Ch"): _Chumpy,
    ("chumpy.reordering", "Select"): _Selection,
    ("scipy.sparse.csc", "csc_matrix"): _Csc,
    ("scipy.sparse._csc", "csc_matrix"): _Csc,
    ("scipy.sparse.csr", "csr_matrix"): _Csr,
    ("scipy.sparse._csr", "csr_matrix"): _Csr,
    ("copy_reg", "_reconstructor"): _reconstructor,
    ("copyreg", "_reconstructor"): _reconstructor,
    ("__builtin__", "object"): object,
    ("builtins", "object"): object,
}
_ARRAYS = ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table", "f")


def _array(value):
    return value.array() if isinstance(value, _Stored) else np.asarray(value)


def _read_pickle(path):
    """The arrays of the official pickle, dense."""
    stored = safe_pickle.load(path.read_bytes(), path, extra=_STAND_INS)
    if not isinstance(stored, dict):
        raise _not_smpl(path, f"it holds a {type(stored).__name__}, not a table of arrays")
    return {
        key: safe_pickle.guarded(lambda: _array(stored[key]), f"{path} ({key})") for key in _ARRAYS if key in stored
    }


def _read_npz(path):
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {key: stored[key] for key in _ARRAYS if key in stored.files}
    except Exception as error:
        raise _not_smpl(path, f"it does not read as an npz of plain arrays ({error})") from error


def _check_smpl(data, path):
    """Refuse, by the name of the array, what is not a SMPL model; make the integer arrays int64."""
    for key in _ARRAYS:
        if key not in data:
            raise _not_smpl(path, f"{key} is missing")
    count = len(data["v_template"]) if data["v_template"].ndim else 0
    expected = {
        "v_template": (count, 3),
        "shapedirs": (count, 3, None),
        "posedirs": (count, 3, 207),
        "J_regressor": (24, count),
        "weights": (count, 24),
        "kintree_table": (2, 24),
        "f": (None, 3),
    }
    for key, shape in expected.items():
        found = data[key].shape
        if len(found) != len(shape) or any(want not in (None, size) for want, size in zip(shape, found)):
            wanted = ", ".join("any" if size is None else str(size) for size in shape)
            raise _not_smpl(path, f"{key} is {list(found)}, not [{wanted}]")
        if data[key].dtype.kind not in "fiu":
            raise _not_smpl(path, f"{key} holds {data[key].dtype}, not numbers")
    if data["shapedirs"].shape[2] < BETAS:
        raise _not_smpl(path, f"shapedirs has {data['shapedirs'].shape[2]} directions, fewer than {BETAS}")
    for key in ("kintree_table", "f"):
        data[key] = data[key].astype(np.int64)
    # The parent of the root is stored as 2**32 - 1.
    data["kintree_table"][0, 0] = -1
    parents = data["kintree_table"][0]
    if not (0 <= parents[1:]).all() or not (parents < np.arange(24)).all():
        raise _not_smpl(path, "in kintree_table a joint comes before its parent")
    if data["f"].size and not (0 <= data["f"].min() and data["f"].max() < count):
        raise _not_smpl(path, f"f refers to vertices beyond the {count} of v_template")


def _not_smpl(path, reason):
    return UserError(
        f"{path}: not a SMPL model: {reason}. Copy the neutral model of "
        "https://smpl.is.tue.mpg.de there, or remove this file to use the stand-in body"
    )


def extra_regressor(path, count):
    """SPIN's J_regressor_extra [9, count]. Raises UserError for another file."""
    try:
        rows = np.load(path, allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        raise UserError(f"{path}: not a plain array ({error}). Copy the file again") from error
    if not isinstance(rows, np.ndarray) or rows.shape != (9, count) or rows.dtype.kind not in "fiu":
        found = f"shape {list(rows.shape)} of {rows.dtype}" if isinstance(rows, np.ndarray) else "an archive in it"
        raise UserError(f"{path}: has {found}, but this model needs numbers [9, {count}]. Copy the file of SPIN there")
    return rows
