"""Files that hold arrays: which part of which array is a track's poses, and back into the same places."""

import io
import zipfile
from dataclasses import dataclass

import numpy as np

from ..errors import UserError
from ..files import write_bytes


@dataclass
class View:
    """Where a track's poses stand: columns from `first` on of person `person` in `arrays[key]`, whose axes are the letters
    of `axes` (`lib.formats.axes`); their scores are columns of it, or stand in `arrays[scores]`."""

    key: str
    axes: str
    person: int
    first: int = 0
    factors: object = 1.0  # what the columns were multiplied by
    scores: str | None = None


# Joint counts that pose files have; they settle what [T, J*D] cannot.
KNOWN_COUNTS = {14, 15, 16, 17, 18, 19, 21, 24, 25, 26, 33, 68, 133, 136}


def split_columns(columns, where):
    """D of an array [T, J*D]: 2 or 3. Raises UserError where both are possible."""
    candidates = [dims for dims in (2, 3) if columns % dims == 0 and columns > dims]
    known = [dims for dims in candidates if columns // dims in KNOWN_COUNTS]
    if columns == 72 or len(candidates) > 1 and len(known) != 1 or not candidates:
        also = ", or as 'pose' in an .npz if they are SMPL rotations" if columns == 72 else ""
        raise UserError(
            f"{where}: {columns} columns do not say how many joints of how many coordinates they "
            f"are. Save the array as [T, J, D]{also}"
        )
    return (known or candidates)[0]


def put(array, index, refined, original):
    """A copy of `array` in which `array[index]` holds `refined` [T, J, D] wherever that differs from
    `original`.

    NaN in `refined` keeps the value; an integer array becomes float64 if anything changed.
    """
    changed = np.isfinite(refined) & (refined != original)
    if not changed.any():
        return array
    array = array.astype(np.float64) if array.dtype.kind in "iu" else array.copy(order="K")
    target = array[index]
    if target.ndim == 2:
        changed, refined = changed.reshape(len(changed), -1), refined.reshape(len(refined), -1)
        target = target[:, : refined.shape[1]]
    else:
        target = target[..., : refined.shape[-1]]
    target[changed] = refined[changed]
    return array


def joint_confidence(confidence):
    """Confidences as [0, 1]; scores of another scale are divided by their largest."""
    confidence = np.where(np.isfinite(confidence), confidence, 0).astype(np.float64)
    largest = confidence.max(initial=0)
    return np.clip(confidence / (largest if largest > 1.5 else 1), 0, 1)


def write_npy(path, array):
    """An .npy file, whole or not at all."""
    buffer = io.BytesIO()  # into a file numpy writes on its own, and says nothing of a full disk
    np.lib.format.write_array(buffer, array, allow_pickle=False)
    write_bytes(path, buffer.getbuffer())


def is_compressed(path):
    """Whether the arrays of an .npz are compressed."""
    with zipfile.ZipFile(path) as archive:
        return any(info.compress_type != zipfile.ZIP_STORED for info in archive.infolist())
