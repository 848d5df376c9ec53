"""Rotations as axis-angle vectors, matrices, quaternions and the 6D numbers the networks see.

Everything takes torch tensors of float32 or float64 with any leading dimensions, keeps dtype and device, and
can be differentiated. An axis-angle vector [..., 3] is the axis times the angle in radians; matrices
[..., 3, 3] act on column vectors; the 6D form [..., 6] (Zhou et al., "On the Continuity of Rotation
Representations in Neural Networks", CVPR 2019) is the first two columns of the matrix, read row by row as a
3x2 array: (r11, r12, r21, r22, r31, r32).
"""

import torch
import torch.nn.functional as F


def _roma():
    """roma, which brings torch's compiler along: more than a second that only those who turn something wait for."""
    import roma

    return roma


def axis_angle_to_matrix(axis_angle):
    """Rodrigues' formula: axis-angle [..., 3], any angle, to matrices [..., 3, 3]."""
    return _roma().rotvec_to_rotmat(axis_angle)


def matrix_to_axis_angle(matrix):
    """Rotation matrices [..., 3, 3] to axis-angle [..., 3] with angles in [0, pi].

    Goes through Markley's quaternion (J. Guidance, Control, and Dynamics 31(2), 2008), which keeps its digits
    near 0 and near pi. At pi itself both signs of the axis are the same rotation and either may come out:
    compare rotations, not numbers.
    """
    return _roma().rotmat_to_rotvec(matrix)


def matrix_from_quaternion(quaternion):
    """Quaternions [..., 4] as (w, x, y, z), of any length but 0, to matrices [..., 3, 3]."""
    roma = _roma()
    return roma.unitquat_to_rotmat(roma.quat_wxyz_to_xyzw(F.normalize(quaternion, dim=-1)))


def matrix_to_6d(matrix):
    """Matrices [..., 3, 3] to 6D [..., 6]."""
    return matrix[..., :2].flatten(-2)


def matrix_from_6d(numbers):
    """Any finite 6D numbers [..., 6] to rotation matrices [..., 3, 3] with determinant +1 (Gram-Schmidt).

    The first column keeps its direction, the second is made orthogonal to it. Where that leaves nothing (a
    column of zeros, or both along one line) a coordinate axis takes the column's place, without gradient, so
    that the result is a rotation always; six zeros give the identity. NaNs stay NaNs.
    """
    axis_x, axis_y, axis_z = torch.eye(3, dtype=numbers.dtype, device=numbers.device)
    limits = torch.finfo(numbers.dtype)
    first, second = numbers.unflatten(-1, (3, 2)).unbind(-1)
    first = _direction(first, axis_x, limits.tiny**0.5)
    second = _direction(second, axis_y, limits.tiny**0.5)
    # What is left of a parallel column is rounding error; of an axis far from the first column it is not.
    substitute = torch.where(first[..., 1:2].abs() < 0.9, axis_y, axis_z)
    second = _direction(_reject(second, first), substitute, 16 * limits.eps)
    # After one rejection a nearly parallel column is orthogonal to a few digits, after two to all.
    second = F.normalize(_reject(second, first), dim=-1)
    return torch.stack((first, second, torch.linalg.cross(first, second)), dim=-1)


def axis_angle_to_6d(axis_angle):
    """Axis-angle [..., 3] to 6D [..., 6]."""
    return matrix_to_6d(axis_angle_to_matrix(axis_angle))


def axis_angle_from_6d(numbers):
    """6D [..., 6] to axis-angle [..., 3] with angles in [0, pi]."""
    return matrix_to_axis_angle(matrix_from_6d(numbers))


def _direction(vector, substitute, shortest):
    """`vector` [..., 3] at unit length, or `substitute` where it is not longer than `shortest`."""
    length = torch.linalg.vector_norm(vector, dim=-1, keepdim=True)
    # A length that overflows says as little about the direction as one of zero.
    degenerate = (length <= shortest) | torch.isinf(length)
    # The inner choice keeps 0/0 out of the gradient.
    return torch.where(degenerate, substitute, vector / torch.where(degenerate, 1, length))


def _reject(vector, unit):
    """The part of `vector` [..., 3] that is orthogonal to `unit` [..., 3]."""
    return vector - (vector * unit).sum(-1, keepdim=True) * unit
