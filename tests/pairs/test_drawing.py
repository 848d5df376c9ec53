"""The rasteriser, skinning and cameras against closed forms."""

import numpy as np
import pytest

raster = pytest.importorskip("lib.pairs.raster", reason="needs numba")
from lib.pairs import camera  # noqa: E402

UV = np.zeros((1, 2), np.float32)
NO_UV = np.zeros((1, 3), np.int32)
FLAT = np.full((4, 4, 3), 200, np.uint8)


def drawn(points, depths, buffer=None, image=None, normal=(0, 0, -1.0), light=(0, 0, 0.0), ambient=0.5):
    image = np.zeros((16, 16, 3), np.uint8) if image is None else image
    buffer = np.full((16, 16), np.inf, np.float32) if buffer is None else buffer
    raster.draw(
        np.array(points, np.float32),
        np.array(depths, np.float32),
        np.tile(np.array(normal, np.float32), (3, 1)),
        np.array([[0, 1, 2]], np.int32),
        UV,
        NO_UV,
        FLAT,
        np.array(light, np.float32),
        np.float32(ambient),
        image,
        buffer,
    )
    return image, buffer


CORNER = [(0, 0), (0, 16), (16, 0)]  # half the picture, front side to the camera


def test_a_triangle_covers_the_pixels_whose_centres_it_holds():
    image, buffer = drawn(CORNER, (2, 2, 2))
    rows, columns = np.mgrid[:16, :16] + 0.5
    inside = rows + columns < 16
    assert (np.isfinite(buffer)[inside]).all()
    assert not np.isfinite(buffer)[rows + columns > 16].any()
    assert (image[inside] == 100).all()  # 200 in half light


def test_depth_is_interpolated_and_the_nearer_triangle_is_seen():
    image, buffer = drawn(CORNER, (1, 3, 1))
    np.testing.assert_allclose(buffer[8, 0], 1 + 2 * 8.5 / 16, atol=1e-5)
    again, _ = drawn(CORNER, (2, 2, 2), buffer.copy(), image.copy(), ambient=1)
    assert again[0, 0, 0] == 100 and again[12, 0, 0] == 200


def test_back_sides_and_what_is_behind_the_camera_are_not_drawn():
    assert not np.isfinite(drawn(CORNER[::-1], (2, 2, 2))[1]).any()
    assert not np.isfinite(drawn(CORNER, (2, -2, 2))[1]).any()


def test_light_falls_by_the_cosine():
    image, _ = drawn(CORNER, (2, 2, 2), normal=(0, -1, -1.0), light=(0, 0, -0.5), ambient=0.25)
    np.testing.assert_allclose(image[0, 0], 200 * (0.25 + 0.5 * np.sqrt(0.5)), atol=1)


def test_skinning_mixes_the_moves_of_two_bones():
    moves = np.zeros((2, 3, 4), np.float32)
    moves[:, range(3), range(3)] = 1
    moves[1, :, 3] = (2, 0, 4)
    vertices, normals = np.array([[1, 2, 3]], np.float32), np.array([[0, 1, 0]], np.float32)
    out, out_normals = np.empty_like(vertices), np.empty_like(normals)
    weights, indices = np.array([[0.25, 0.75]], np.float32), np.array([[0, 1]], np.int32)
    raster.skin(vertices, normals, weights, indices, moves, out, out_normals)
    np.testing.assert_allclose(out, [[2.5, 2, 6]])
    np.testing.assert_allclose(out_normals, normals)


@pytest.mark.parametrize("seed", range(5))
def test_a_camera_sees_the_whole_person_upright_and_from_the_front(seed):
    rng = np.random.default_rng(seed)
    person = np.array([[0, 0, 0], [0.2, 0.9, 0], [-0.2, 0.9, 0], [0, 1.7, 0.0]])
    joints = person + np.linspace(0, 1, 20)[:, None, None] * [0.5, 0, 0.3]
    eye = camera.around(joints, 0.0, (320, 240), 30, rng, yaw=0.0)
    seen = eye.see(joints)
    pixels = eye.project(seen)
    assert ((pixels > 0) & (pixels < (320, 240))).all(-1).mean() > 0.97
    assert (pixels[:, 3, 1] < pixels[:, 0, 1]).all()  # the head is above the feet
    assert (
        pixels[:, 1, 0] > pixels[:, 2, 0]
    ).all()  # who is looked at from the front has the left on the picture's right
    np.testing.assert_allclose(np.linalg.det(eye.rotations), 1)
    homogeneous = seen @ eye.K.T
    np.testing.assert_allclose(homogeneous[..., :2] / homogeneous[..., 2:], pixels)
