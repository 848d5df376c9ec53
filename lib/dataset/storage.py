"""Pose files: the published `.npz` of object arrays, one element a sequence, read without executing anything."""

import io
import math
import os
import zipfile
import zlib

import numpy as np

from .. import safe_pickle
from ..errors import UserError, reading
from ..files import check_unpacked, write_npz

# What the published readme calls the keys, and what the published code reads.
ALIASES = {"keypoints_3d": "joints_3d", "keypoints_2d": "joints_2d"}
# Keys with one number array [T, C] a sequence, and the width C where the format fixes it.
PER_FRAME = {"joints_3d": None, "joints_2d": None, "pose": 72, "shape": None, "bbox": 4, "trans": 3, "scaling": None}
POSE_KEYS = ("joints_3d", "joints_2d", "pose")
# Of these one row may stand for all frames.
CONSTANT = ("shape", "scaling")


def read_arrays(path):
    """Every array of an .npz as {key: array}; object arrays through the restricted reader.

    Raises UserError for a file that is missing, empty, truncated, not an .npz, or that would run code.
    """
    with reading(path, "an .npz file"):
        return _read_arrays(path)


def _read_arrays(path):
    try:
        archive = zipfile.ZipFile(path)
    except FileNotFoundError:
        raise UserError(f"{path}: not found") from None
    except IsADirectoryError:
        raise UserError(f"{path}: is a folder, not an .npz file") from None
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        raise UserError(
            f"{path}: not a readable .npz archive (truncated, empty or another format). Copy or download it again"
        ) from None
    with archive:
        check_unpacked(archive, os.path.getsize(path), path)
        arrays = {}
        for member in archive.namelist():
            if not member.endswith(".npy"):
                raise UserError(f"{path}: holds {member!r}, which is not an array. Expected an .npz by numpy.savez")
            key = member.removesuffix(".npy")
            try:
                content = archive.read(member)
            except (
                zipfile.BadZipFile,
                zlib.error,
                EOFError,
                OSError,
                NotImplementedError,
                RuntimeError,
                MemoryError,
            ) as error:
                raise UserError(
                    f"{path}: {key} is damaged ({_brief(error)}). Copy or download the file again"
                ) from None
            arrays[key] = read_array(content, f"{path}: {key}")
    if not arrays:
        raise UserError(f"{path}: holds no arrays")
    return arrays


def read_array(content, what, extra=None):
    """The array in the bytes of an .npy file; objects by `safe_pickle.load`, with its `extra`. Raises UserError."""
    file = io.BytesIO(content)
    try:
        major, _ = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
        shape, _, dtype = read_header(file)
        if not dtype.hasobject:
            if math.prod(shape) * dtype.itemsize > len(content):
                raise ValueError(f"its header announces {list(shape)}, more than the file holds")
            file.seek(0)
            return np.lib.format.read_array(file, allow_pickle=False)
    except Exception as error:  # the header is a line of Python, and a damaged one raises nearly anything
        raise UserError(f"{what} is not a readable array ({_brief(error)}). Copy or download the file again") from None
    array = safe_pickle.load(file, what, extra)
    if not isinstance(array, np.ndarray) or array.shape != shape:
        raise UserError(f"{what} does not hold the array that its header announces. Write the file again")
    return array


def _brief(error):
    return " ".join(str(error).split())[:200] or type(error).__name__


def read(path):
    """A pose file as {key: list of one element a sequence}.

    Number arrays come as float32 [T, C], in which NaN and infinity are missing numbers; `imgname` as a list of
    names a sequence; other keys as stored. Published second names of keys are translated. Raises UserError that
    names file, key and mend for wrong keys, shapes, sequence and frame counts, and for sequences that hold no
    finite number.
    """
    with reading(path, "a pose file"):
        return _read(path)


def _read(path):
    arrays = {ALIASES.get(key, key): value for key, value in read_arrays(path).items()}
    poses = [key for key in POSE_KEYS if key in arrays]
    if not poses:
        raise UserError(
            f"{path}: none of the keys {', '.join(POSE_KEYS)} is in it (found: {', '.join(arrays)}). "
            "Expected one object array of [T, C] arrays, one element a sequence"
        )
    data = {}
    for key in list(arrays):
        sequences = _per_sequence(arrays.pop(key))  # popped: a large file is not held twice
        if key in PER_FRAME:
            data[key] = [
                _numbers(value, f"{path}: {key}, sequence {index}", PER_FRAME[key], key in CONSTANT)
                for index, value in enumerate(sequences)
            ]
        elif key == "imgname":
            data[key] = [_names(value) for value in sequences]
        else:
            data[key] = [np.asarray(value) for value in sequences]
    _check_counts(path, data, poses[0])
    for key in poses:
        for index, value in enumerate(data[key]):
            if not np.isfinite(value).any():
                raise UserError(f"{path}: {key}, sequence {index} holds no finite number. Remove the sequence")
    return data


def _check_counts(path, data, first):
    """Every key needs as many sequences as the key `first`, and as many frames in each."""
    count = len(data[first])
    if not count:
        raise UserError(f"{path}: {first} holds no sequence")
    for key, sequences in data.items():
        if key == "imgname" and not any(sequences):
            continue
        if len(sequences) != count:
            raise UserError(
                f"{path}: {key} has {len(sequences)} sequences but {first} has {count}. "
                "Each key needs one element a sequence, in the same order"
            )
        if key not in PER_FRAME:
            continue
        for index, (value, pose) in enumerate(zip(sequences, data[first])):
            if key in CONSTANT and len(value) == 1:
                sequences[index] = np.repeat(value, len(pose), axis=0)
            elif len(value) != len(pose):
                raise UserError(
                    f"{path}: {key}, sequence {index} has {len(value)} frames but {first} has {len(pose)}. "
                    "Each key needs one row a frame"
                )


def _per_sequence(array):
    """The elements of one key. An [S, T, C] array (numpy makes it of sequences of one length) is S of them."""
    if array.ndim == 0:
        inner = array.item()
        return inner if isinstance(inner, (list, tuple)) else [inner]
    return list(array)


def _numbers(value, what, width, may_be_constant):
    try:
        if np.asarray(value).dtype.kind in "USc":  # numpy would read text as numbers, and drop imaginary parts
            raise TypeError
        with np.errstate(over="ignore"):  # beyond float32 is infinite, that is missing
            array = np.asarray(value, dtype=np.float32)
    except (TypeError, ValueError):
        raise UserError(f"{what}: not an array of numbers. Expected float [T, {width or 'C'}]") from None
    if array.ndim == 3:  # [T, J, dims]
        array = array.reshape(len(array), -1)
    if array.ndim == 1 and may_be_constant:
        array = array[None]
    if array.ndim != 2 or not array.size or (width and array.shape[1] != width):
        raise UserError(f"{what}: shape {list(np.shape(value))}. Expected [T, {width or 'C'}] with T >= 1")
    return array


def _names(value):
    """The image names of one sequence; Python 2 wrote bytes."""
    if value is None:
        return []
    return [
        name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)
        for name in np.asarray(value).ravel().tolist()
    ]


def write(path, data):
    """Write {key: list of one element a sequence} in the published layout, atomically and reproducibly.

    The same data give the same bytes. Raises OSError (a full disk, no permission), leaving no partial file.
    """
    arrays = {}
    for key, sequences in data.items():
        arrays[key] = np.empty(len(sequences), dtype=object)
        for index, value in enumerate(sequences):
            arrays[key][index] = np.asarray(value)
    write_npz(path, arrays)
