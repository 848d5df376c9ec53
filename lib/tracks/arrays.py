"""Arrays of poses in the shapes that programs have them in: one array a person on the way in, the array's own shape on the way out.

P people, T frames, J joints, D coordinates.
"""

import numpy as np
import torch

from ..errors import UserError
from ..poses import rotations
from ..poses.kinds import kind_of


def people_of(array, kind=None):
    """([poses [T, J, D] a person], function back to the array's shape, kind or None) of poses [T, J, D], [P, T, J, D], or rotations
    [T, J, 6], [T, J, 3, 3] and so on, which become axis-angles.

    kind: what the array holds, None where that is not said: its form may tell. Raises UserError for other shapes.
    """
    if array.size == 0:
        raise UserError(f"poses: shape {list(array.shape)} holds nothing. Pass [T, J, D]")
    if _holds_matrices(array, kind):
        flat = torch.as_tensor(array, dtype=torch.float64)
        vectors = rotations.matrix_to_axis_angle(flat).numpy()

        def undo(values):
            return rotations.axis_angle_to_matrix(torch.from_numpy(values)).numpy().reshape(array.shape)

        return list(vectors[None] if array.ndim == 4 else vectors), undo, "smpl"
    if array.ndim not in (3, 4):
        raise UserError(f"poses: shape {list(array.shape)}. Pass [T, J, D] (T frames, J joints, 2 or 3 coordinates)")
    six = kind_of(kind).rotations and array.shape[-1] == 6
    values = array.astype(np.float64)
    if six:
        values = rotations.axis_angle_from_6d(torch.from_numpy(values)).numpy()
    elif kind_of(kind).rotations and array.shape[-1] != 3:
        raise UserError(f"poses: shape {list(array.shape)}. Rotations are [T, J, 3], [T, J, 6] or [T, J, 3, 3]")

    def undo(values):
        if six:
            values = rotations.axis_angle_to_6d(torch.from_numpy(values)).numpy()
        return values.reshape(array.shape)

    return list(values[None] if array.ndim == 3 else values), undo, kind


def _holds_matrices(array, kind):
    """Whether an array holds rotation matrices: [..., 3, 3] that is said to, or can be nothing else."""
    if array.ndim not in (4, 5) or array.shape[-2:] != (3, 3):
        return False
    return kind_of(kind).rotations or array.ndim == 5 or kind is None and array.shape[1] in (21, 22, 24)


def confidences_of(confidence, people, shape):
    """Confidences [P, T, J] for people's poses [T, J, D], which came as an array of this shape. Raises UserError that names both shapes."""
    scores = np.asarray(confidence, dtype=np.float64)
    wanted = people[0].shape[:2]
    if scores.shape not in ((len(people), *wanted), wanted) or scores.ndim == 2 and len(people) > 1:
        expected = list(wanted if len(people) == 1 else (len(people), *wanted))
        raise UserError(
            f"confidence: shape {list(scores.shape)} for poses {list(shape)}. Expected {expected}: one number per key point"
        )
    return scores.reshape(len(people), *wanted)
