"""Files that hold arrays: which part of which array is a track's poses, and back into the same places."""

import io
import zipfile
from dataclasses import dataclass

import numpy as np

from ..errors import UserError
from ..files import write_bytes
from .axes import LONGEST, stretch


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
KNOWN_COUNTS = {14, 15, 16, 17, 18, 19, 20, 21, 24, 25, 26, 32, 33, 68, 133, 136}
CLEARLY = 0.5  # how much more rigid a body must be than as another order of columns has it


def unflattened(array, where, points=False):
    """(view [T, J, D] or [T, D, J], its axes) of an array [T, J*D]: x, y, (z, score) point after point, or all x before all y.

    points: whether it is point after point in any case.
    Raises UserError where the number of columns, and what a body is, do not say how many joints of how many coordinates.
    """
    columns = array.shape[1]
    few = [dims for dims in (2, 3) if columns % dims == 0 and columns > dims]
    known = [dims for dims in few if columns // dims in KNOWN_COUNTS]
    if not known and columns % 4 == 0 and columns // 4 in KNOWN_COUNTS and _are_scores(array[:, 3::4]):
        known = [4]
    chosen = known if known else few if len(few) == 1 else []
    if len(chosen) > 1 and columns != 72:
        bends = {dims: stretch(array.reshape(1, len(array), -1, dims)) for dims in chosen}
        chosen = [dims for dims in chosen if bends[dims] <= min(bends.values())]
        chosen = chosen if min(bends.values()) < CLEARLY * max(bends.values()) else []
    if len(chosen) != 1 or columns == 72:
        also = ", or as 'pose' in an .npz if they are SMPL rotations" if columns == 72 else ""
        raise UserError(
            f"{where}: {columns} columns do not say how many joints of how many coordinates they "
            f"are. Save the array as [T, J, D]{also}"
        )
    shaped, blocks = array.reshape(len(array), -1, chosen[0]), array.reshape(len(array), chosen[0], -1)
    if points:
        return shaped, "TJD"
    turned = blocks.swapaxes(1, 2)
    bends = stretch(shaped[None]), stretch(turned[None])
    gain = _spread(shaped) - _spread(turned)
    if np.isfinite(bends).all() and min(bends) > 0:
        gain += 0.75 * np.log(bends[0] / bends[1])
    return (blocks, "TDJ") if gain > 0.3 else (shaped, "TJD")


def _are_scores(values):
    values = values[np.isfinite(values)]
    return len(values) > 0 and values.min() >= 0 and values.max() <= 1 and values.min() < values.max()


def _spread(points):
    """How far the numbers of each coordinate of [T, J, D] spread, as the sum of logarithms: least where no coordinates are mixed."""
    values = np.where((np.abs(points) < np.finfo(np.float32).max) & (points != 0), points, np.nan)[
        : 5 * LONGEST
    ].reshape(-1, points.shape[2])
    values = values[np.isfinite(values).all(axis=1)]
    return float(np.log(values.std(axis=0) + 1e-9).sum()) if len(values) else 0.0


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
