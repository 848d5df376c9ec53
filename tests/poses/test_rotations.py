import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from lib.poses import rotations

REFERENCE = Path(__file__).parents[1] / "reference" / "rotations.npz"
DTYPES = (torch.float32, torch.float64)


def tolerance(dtype):
    return 2e-6 if dtype == torch.float32 else 1e-12


def vectors(dtype, count=2000, seed=0):
    """Axis-angle with angles from 0 to a little below pi, dense at both ends."""
    generator = np.random.default_rng(seed)
    axes = generator.normal(size=(count, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    angles = np.concatenate(
        (
            np.pi * generator.random(count // 2),
            10 ** generator.uniform(-9, -1, count // 4),
            np.pi - 10 ** generator.uniform(-4, -1, count // 4),
        )
    )
    return torch.tensor(axes * angles[:, None], dtype=dtype)


def proper(matrix):
    skew = (matrix.mT @ matrix - torch.eye(3, dtype=matrix.dtype)).abs().max()
    volume = torch.linalg.det(matrix).sub(1).abs().max()
    return max(skew, volume) < tolerance(matrix.dtype)


def test_matches_the_published_numbers():
    with np.load(REFERENCE) as reference:
        axis_angle, numbers, back = (torch.tensor(reference[key]) for key in ("axis_angle", "rot6d", "axis_angle_back"))
    assert (rotations.axis_angle_to_6d(axis_angle) - numbers).abs().max() < 1e-5
    assert (rotations.axis_angle_from_6d(numbers) - back).abs().max() < 1e-5


@pytest.mark.parametrize("dtype", DTYPES)
def test_axis_angle_and_matrix_match_scipy(dtype):
    axis_angle = vectors(dtype)
    expected = torch.tensor(Rotation.from_rotvec(axis_angle.double().numpy()).as_matrix())
    matrix = rotations.axis_angle_to_matrix(axis_angle)
    assert matrix.dtype == dtype
    assert (matrix - expected).abs().max() < tolerance(dtype)
    back = rotations.matrix_to_axis_angle(expected.to(dtype))
    assert back.dtype == dtype
    # Three digits are lost in an angle that is read 1e-4 from pi; the axis does not flip there.
    assert (back - axis_angle).abs().max() < 3 * tolerance(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_small_angles_keep_their_digits(dtype):
    axis_angle = torch.tensor([[0, 0, 0], [1e-7, -2e-7, 3e-8], [1e-4, 2e-5, -3e-4]], dtype=dtype)
    back = rotations.matrix_to_axis_angle(rotations.axis_angle_to_matrix(axis_angle))
    assert torch.allclose(back, axis_angle, rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
def test_half_turns_give_pi_about_the_axis(dtype):
    axes = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.6, -0.8, 0], [2 / 3, -1 / 3, 2 / 3]]
    axes = torch.tensor(axes, dtype=dtype)
    matrix = 2 * axes[:, :, None] * axes[:, None] - torch.eye(3, dtype=dtype)
    back = rotations.matrix_to_axis_angle(matrix)
    assert (back.norm(dim=-1) - torch.pi).abs().max() < 1e-6
    assert ((back / torch.pi * axes).sum(-1).abs() - 1).abs().max() < 1e-6


def test_angles_beyond_pi_come_back_within():
    axis_angle = torch.tensor([[4.0, 0, 0], [0, -5.0, 0], [0, 0, 2 * np.pi + 0.5]], dtype=torch.float64)
    expected = torch.tensor([[4 - 2 * np.pi, 0, 0], [0, 2 * np.pi - 5, 0], [0, 0, 0.5]], dtype=torch.float64)
    back = rotations.matrix_to_axis_angle(rotations.axis_angle_to_matrix(axis_angle))
    assert (back - expected).abs().max() < 1e-12


def test_6d_is_the_first_two_columns_row_by_row():
    matrix = torch.arange(9.0).reshape(3, 3)
    assert rotations.matrix_to_6d(matrix).tolist() == [0, 1, 3, 4, 6, 7]


@pytest.mark.parametrize("dtype", DTYPES)
def test_6d_round_trip(dtype):
    matrix = rotations.axis_angle_to_matrix(vectors(dtype))
    assert (rotations.matrix_from_6d(rotations.matrix_to_6d(matrix)) - matrix).abs().max() < tolerance(dtype)


def test_6d_off_the_rotations_is_gram_schmidt():
    # Columns (3, 0, 4) and (1, 5, 2): first/5; second - 2.2 first = (-0.32, 5, 0.24), of length sqrt(25.16).
    matrix = rotations.matrix_from_6d(torch.tensor([3.0, 1, 0, 5, 4, 2], dtype=torch.float64))
    first = np.array([0.6, 0, 0.8])
    second = np.array([-0.32, 5, 0.24]) / np.sqrt(25.16)
    expected = np.stack((first, second, np.cross(first, second)), axis=1)
    assert np.abs(matrix.numpy() - expected).max() < 1e-14


DEGENERATE = {
    "zeros": [0, 0, 0, 0, 0, 0],
    "first zero": [0, 1, 0, 2, 0, 3],
    "first zero, second x": [0, 1, 0, 0, 0, 0],
    "second zero": [1, 0, 2, 0, 3, 0],
    "equal": [1, 1, 2, 2, 3, 3],
    "opposite": [0.3, -0.6, 0.7, -1.4, 0.1, -0.2],
    "both x": [1, 2, 0, 0, 0, 0],
    "both y": [0, 0, 1, 2, 0, 0],
    "both z": [0, 0, 0, 0, 5, -1],
    "one rounding error apart": [1, 1 + 2e-7, 1, 1, 1, 1],
    "nearly parallel": [1, 1 + 1e-4, 1, 1, 1, 1],
    "subnormal": [1e-40, 0, 0, 1e-40, 0, 0],
    "huge": [1e30, 1, 1e30, 1e30, 0, 0],
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", DEGENERATE)
def test_degenerate_6d_is_a_rotation_with_a_finite_gradient(case, dtype):
    numbers = torch.tensor(DEGENERATE[case], dtype=dtype, requires_grad=True)
    matrix = rotations.matrix_from_6d(numbers)
    assert proper(matrix.detach())
    (matrix * torch.arange(1, 10, dtype=dtype).reshape(3, 3)).sum().backward()
    assert numbers.grad.isfinite().all()
    angle = rotations.axis_angle_from_6d(numbers.detach()).norm()
    assert angle <= torch.pi + 1e-6


def test_zero_6d_is_the_identity():
    assert torch.equal(rotations.matrix_from_6d(torch.zeros(6)), torch.eye(3))


def test_missing_numbers_stay_missing():
    numbers = torch.tensor([1.0, 0, 0, 1, 0, 0]).repeat(2, 1)
    numbers[1, 0] = torch.nan
    back = rotations.axis_angle_from_6d(numbers)
    assert back[0].isfinite().all() and back[1].isnan().all()


@pytest.mark.parametrize(
    "function,channels",
    [
        (rotations.axis_angle_to_matrix, 3),
        (rotations.axis_angle_to_6d, 3),
        (rotations.matrix_from_6d, 6),
        (rotations.axis_angle_from_6d, 6),
        (rotations.matrix_from_quaternion, 4),
    ],
)
def test_gradients(function, channels):
    numbers = torch.randn(5, channels, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert torch.autograd.gradcheck(function, numbers.requires_grad_())


def test_gradient_at_rest():
    """At the identity the matrix moves by the cross product with the axis, and not by NaN."""
    zero = torch.zeros(3, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(rotations.axis_angle_to_matrix, zero)
    levi_civita = torch.zeros(3, 3, 3, dtype=torch.float64)
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        levi_civita[i, j, k], levi_civita[j, i, k] = -1, 1
    assert torch.equal(jacobian, levi_civita)


def test_quaternions_match_scipy_at_any_length():
    quaternions = torch.randn(100, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    expected = Rotation.from_quat(quaternions.numpy(), scalar_first=True).as_matrix()
    assert np.abs(rotations.matrix_from_quaternion(3 * quaternions).numpy() - expected).max() < 1e-14


@pytest.mark.parametrize("leading", [(), (0,), (7,), (2, 3, 24)])
def test_leading_dimensions(leading):
    axis_angle = torch.full((*leading, 3), 0.3)
    assert rotations.axis_angle_to_matrix(axis_angle).shape == (*leading, 3, 3)
    assert rotations.axis_angle_to_6d(axis_angle).shape == (*leading, 6)
    assert rotations.axis_angle_from_6d(rotations.axis_angle_to_6d(axis_angle)).shape == (*leading, 3)
    assert rotations.matrix_from_quaternion(torch.ones(*leading, 4)).shape == (*leading, 3, 3)


def test_who_turns_nothing_does_not_wait_for_the_library_of_rotations():
    """It brings torch's compiler along, 1.6 s of a start."""
    code = "import sys, lib.poses.rotations; print(sorted({'roma', 'torch._dynamo'} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
