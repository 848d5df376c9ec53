"""Whether numbers are rotations: matrices that are orthonormal, vectors between which no length is constant."""

import numpy as np

from ..poses.skeletons import LAYOUTS
from .axes import LONGEST

RIGID = 0.15  # how much a bone's length varies at most, as a share of the median bone, where joints are positions


def orthonormal(array):
    """Whether most of the matrices [..., 3, 3] are rotations."""
    matrices = array[:LONGEST].reshape(-1, 3, 3).astype(np.float64)
    matrices = matrices[np.isfinite(matrices).all(axis=(1, 2))]
    return len(matrices) > 0 and bool(
        np.median(np.abs(matrices @ matrices.swapaxes(1, 2) - np.eye(3)).max(axis=(1, 2))) < 0.01
    )


def other_rotations(array):
    """What rotations the last axis (or the columns of [T, N]) holds that are no vectors or matrices, in words; else None."""
    values = array[:LONGEST].astype(np.float64)
    for count, said, lengths in (
        (4, "unit quaternions", lambda numbers: [(numbers * numbers).sum(axis=-1)]),
        (6, "6D rotations (two columns of a matrix)", _of_columns),
    ):
        if array.shape[-1] != count and (array.ndim > 2 or array.shape[-1] % count or array.shape[-1] == count):
            continue
        numbers = values.reshape(-1, count)
        numbers = numbers[(np.abs(numbers) < 1e6).all(axis=-1) & (numbers != 0).any(axis=-1)]
        if len(numbers) > 3 and any((np.abs(found - 1) < 0.02).mean() > 0.95 for found in lengths(numbers)):
            return said
    return None


def _of_columns(numbers):
    """For both orders of two columns in [N, 6]: their squared lengths' product less their product, [N]; 1 where orthonormal."""
    for pairs in (numbers.reshape(-1, 2, 3), numbers.reshape(-1, 3, 2).swapaxes(1, 2)):
        first, second = pairs[:, 0], pairs[:, 1]
        yield (first * first).sum(axis=-1) * (second * second).sum(axis=-1) - np.abs((first * second).sum(axis=-1))


def is_signed(vectors):
    """Whether numbers are of both signs, as rotations are, and places in an image are not."""
    values = vectors[np.isfinite(vectors)]
    return len(values) > 0 and 0.1 < (values < 0).mean() < 0.9


def is_rigid(vectors):
    """Whether [T, J, 3] in SMPL's order are positions: the distances along its bones hardly vary.

    True as well where the numbers are too large for rotations (2 pi), or too few to tell.
    """
    vectors = np.asarray(vectors[:LONGEST], dtype=np.float64)
    vectors = vectors[np.isfinite(vectors).all(axis=(1, 2))]
    longest = 2 * np.pi + 0.1
    if len(vectors) < 3 or np.abs(vectors).max() > longest or np.linalg.norm(vectors, axis=-1).max() > longest:
        return True
    parents = np.array(LAYOUTS["smpl24"].parents)
    if vectors.shape[1] in (21, 23):  # without the root
        parents = parents[1:] - 1
    bones = [(joint, parent) for joint, parent in enumerate(parents[: vectors.shape[1]]) if parent >= 0]
    lengths = np.stack([np.linalg.norm(vectors[:, a] - vectors[:, b], axis=-1) for a, b in bones], axis=-1)
    middle = np.median(lengths)
    return bool(middle == 0 or np.percentile(lengths.std(axis=0), 75) < RIGID * middle)
