"""Pose files: the published `.npz` of object arrays, one element a sequence, read without executing anything."""

import io
import zipfile
import zlib

import numpy as np

from lib import safe_pickle
from lib.errors import UserError
from lib.files import atomic_write

# What the published readme calls the keys, and what the published code reads.
ALIASES = {"keypoints_3d": "joints_3d", "keypoints_2d": "joints_2d"}
# Keys with one number array [T, C] a sequence, and the width C where the format fixes it.
PER_FRAME = {"joints_3d": None, "joints_2d": None, "pose": 72, "shape": None, "bbox": 4, "trans": 3, "scaling": None}
POSE_KEYS = ("joints_3d", "joints_2d", "pose")


def read_arrays(path):
    """Every array of an .npz as {key: array}; object arrays through the restricted reader.

    Raises UserError for a file that is missing, empty, truncated, not an .npz, or that would run code.
    """
    try:
        archive = zipfile.ZipFile(path)
    except FileNotFoundError:
        raise UserError(f"{path}: not found") from None
    except IsADirectoryError:
        raise UserError(f"{path}: is a folder, not an .npz file") from None
    except zipfile.BadZipFile:
        raise UserError(f"{path}: not a readable .npz archive (truncated, empty or another format). "
                        "Copy or download it again") from None
    with archive:
        arrays = {}
        for member in archive.namelist():
            if not member.endswith(".npy"):
                raise UserError(f"{path}: holds {member!r}, which is not an array. Expected an .npz by numpy.savez")
            key = member.removesuffix(".npy")
            try:
                content = archive.read(member)
            except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
                raise UserError(f"{path}: {key} is damaged ({error}). Copy or download the file again") from None
            arrays[key] = _read_array(content, f"{path}: {key}")
    if not arrays:
        raise UserError(f"{path}: holds no arrays")
    return arrays


def _read_array(content, what):
    file = io.BytesIO(content)
    try:
        major, _ = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
        shape, _, dtype = read_header(file)
        if not dtype.hasobject:
            file.seek(0)
            return np.lib.format.read_array(file, allow_pickle=False)
    except (ValueError, EOFError, TypeError) as error:
        raise UserError(f"{what} is not a readable array ({error}). Copy or download the file again") from None
    array = safe_pickle.load(file, what)
    if not isinstance(array, np.ndarray) or array.shape != shape:
        raise UserError(f"{what} does not hold the array that its header announces. Write the file again")
    return array


def read(path):
    """A pose file as {key: list of one element a sequence}.

    Pose arrays come as float32 [T, C]; `imgname` as a list of T strings a sequence; other keys as stored.
    Published second names of keys are translated. Raises UserError that names file, key and mend for wrong
    keys, shapes, sequence counts, and for sequences that hold no finite number.
    """
    arrays = {ALIASES.get(key, key): value for key, value in read_arrays(path).items()}
    poses = [key for key in POSE_KEYS if key in arrays]
    if not poses:
        raise UserError(f"{path}: none of the keys {', '.join(POSE_KEYS)} is in it (found: {', '.join(arrays)}). "
                        "Expected one object array of [T, C] arrays, one element a sequence")
    data = {}
    for key, array in arrays.items():
        sequences = _per_sequence(array)
        if key in PER_FRAME:
            data[key] = [_numbers(value, f"{path}: {key}, sequence {index}", PER_FRAME[key])
                         for index, value in enumerate(sequences)]
        elif key == "imgname":
            data[key] = [[str(name) for name in np.asarray(value).ravel()] for value in sequences]
        else:
            data[key] = [np.asarray(value) for value in sequences]
    count = len(data[poses[0]])
    if not count:
        raise UserError(f"{path}: {poses[0]} holds no sequence")
    for key, sequences in data.items():
        if len(sequences) != count and not (key == "imgname" and not any(sequences)):
            raise UserError(f"{path}: {key} has {len(sequences)} sequences but {poses[0]} has {count}. "
                            "Each key needs one element a sequence, in the same order")
    for key in poses:
        for index, value in enumerate(data[key]):
            if not np.isfinite(value).any():
                raise UserError(f"{path}: {key}, sequence {index} holds no finite number. Remove the sequence")
    return data


def _per_sequence(array):
    """The elements of one key. An [S, T, C] array (numpy makes it of sequences of one length) is S of them."""
    if array.ndim == 0:
        inner = array.item()
        return inner if isinstance(inner, (list, tuple)) else [inner]
    return list(array)


def _numbers(value, what, width):
    try:
        array = np.asarray(value, dtype=np.float32)
    except (TypeError, ValueError):
        raise UserError(f"{what}: not an array of numbers. Expected float [T, {width or 'C'}]") from None
    if array.ndim == 3:  # [T, J, dims]
        array = array.reshape(len(array), -1)
    if array.ndim != 2 or not array.size or (width and array.shape[1] != width):
        raise UserError(f"{what}: shape {list(np.shape(value))}. Expected [T, {width or 'C'}] with T >= 1")
    return array


def write(path, data):
    """Write {key: list of one element a sequence} in the published layout, atomically and reproducibly.

    The same data give the same bytes. Raises OSError (a full disk, no permission), leaving no partial file.
    """
    with atomic_write(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, sequences in data.items():
            array = np.empty(len(sequences), dtype=object)
            for index, value in enumerate(sequences):
                array[index] = np.asarray(value)
            content = io.BytesIO()
            np.lib.format.write_array(content, array, allow_pickle=True)
            # A fixed date: the archive would otherwise differ at every writing.
            archive.writestr(zipfile.ZipInfo(f"{key}.npy", (1980, 1, 1, 0, 0, 0)), content.getvalue(),
                             zipfile.ZIP_DEFLATED)
