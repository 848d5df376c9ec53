"""lib/poses/representation.py: SPEC 3's network units, and back."""

from pathlib import Path

import numpy as np
import pytest
import torch

from lib.poses.representation import Frame, frame_2d, representation

REFERENCE = Path(__file__).parents[1] / "reference"


@pytest.fixture
def pixels():
    return np.random.default_rng(0).uniform(100, 900, (7, 30)).astype(np.float32)


def test_h36m_2d(pixels):
    rep, frame = representation("2D"), frame_2d("h36m", pixels)
    np.testing.assert_allclose(rep.to_network(pixels, frame), (pixels - 500) / 500, atol=1e-6)


def test_jhmdb_2d(pixels):
    rep, frame = representation("2D"), frame_2d("jhmdb", pixels, np.array([240, 320, 3]))
    expected = pixels.reshape(7, 15, 2) / [320, 240] - 0.5
    np.testing.assert_allclose(rep.to_network(pixels, frame), expected.reshape(7, 30), atol=1e-6)


def test_isotropic_2d_by_the_image(pixels):
    rep, frame = representation("2D"), frame_2d("isotropic", pixels, (480, 640))
    expected = (pixels.reshape(7, 15, 2) - [320, 240]) / 320
    np.testing.assert_allclose(rep.to_network(pixels, frame), expected.reshape(7, 30), atol=1e-6)


def test_isotropic_2d_by_the_extent():
    # x from 100 to 300, y from 50 to 150: midpoint (200, 100), half the larger side 100.
    points = np.array([[100, 150], [300, 50], [150, 100]], dtype=np.float32).reshape(1, 6)
    frame = frame_2d("isotropic", points)
    assert frame == Frame((200.0, 100.0), (100.0, 100.0))
    np.testing.assert_allclose(representation("2D").to_network(points, frame), [[-1, 0.5, 1, -0.5, -0.5, 0]], atol=1e-6)


def test_a_single_point_has_no_extent_to_divide_by():
    points = np.full((4, 2), 7, np.float32)
    assert torch.isfinite(representation("2D").to_network(points, frame_2d("isotropic", points))).all()


def test_missing_points_do_not_count_for_the_extent():
    points = np.array([[0, 0], [np.nan, np.nan], [10, 4]], dtype=np.float32).reshape(1, 6)
    assert frame_2d("isotropic", points) == Frame((5.0, 2.0), (5.0, 5.0))


@pytest.mark.parametrize(
    "kind, size", [("h36m", None), ("jhmdb", (1000, 1024, 3)), ("isotropic", (480, 640)), ("isotropic", None)]
)
def test_2d_is_undone(kind, size, pixels):
    rep, frame = representation("2D"), frame_2d(kind, pixels, size)
    np.testing.assert_allclose(rep.from_network(rep.to_network(pixels, frame), frame), pixels, atol=1e-3)
    np.testing.assert_allclose(rep.from_tracks(rep.filter_tracks(pixels, frame, None), frame), pixels, atol=1e-3)
    assert rep.joints(pixels).shape == (7, 15, 2)


def test_3d_is_metres_and_scored_in_millimetres():
    rep, raw = representation("3D"), np.random.default_rng(0).normal(size=(5, 51)).astype(np.float32)
    np.testing.assert_array_equal(rep.to_network(raw), raw)
    np.testing.assert_array_equal(rep.from_network(torch.from_numpy(raw)), raw)
    np.testing.assert_allclose(rep.joints(raw), raw.reshape(5, 17, 3) * 1000, rtol=1e-6)


def test_3d_filters_see_root_relative_tracks():
    rep, raw = representation("3D"), np.random.default_rng(0).normal(size=(5, 42)).astype(np.float32)
    joints = raw.reshape(5, 14, 3).astype(float)
    tracks = rep.filter_tracks(raw, None, (2, 3))
    np.testing.assert_allclose(tracks, joints - (joints[:, 2:3] + joints[:, 3:4]) / 2, atol=1e-12)
    np.testing.assert_array_equal(rep.filter_tracks(raw, None, None), joints)
    np.testing.assert_allclose(rep.from_tracks(tracks, None), tracks.reshape(5, 42), atol=1e-6)


def test_smpl_6d_is_the_published_one():
    with np.load(REFERENCE / "rotations.npz") as stored:
        axis_angle, six = (stored[name][:192].astype(np.float32) for name in ("axis_angle", "rot6d"))
    np.testing.assert_allclose(
        representation("smpl").to_network(axis_angle.reshape(8, 72)), six.reshape(8, 144), atol=1e-5
    )


def test_smpl_rotations_by_hand():
    rep = representation("smpl")
    raw = np.zeros((1, 72), np.float32)
    raw[0, 2] = np.pi / 2  # a quarter turn about z: columns (0, 1, 0) and (-1, 0, 0), read row by row
    network = rep.to_network(raw)
    np.testing.assert_allclose(network[0, :6], [0, -1, 1, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(network[0, 6:12], [1, 0, 0, 1, 0, 0], atol=1e-6)
    np.testing.assert_allclose(rep.from_network(network), raw, atol=1e-5)
    np.testing.assert_allclose(rep.from_tracks(rep.filter_tracks(raw, None, None), None), raw, atol=1e-5)


def test_smpl_without_6d_is_axis_angle():
    raw = np.random.default_rng(0).normal(size=(3, 72)).astype(np.float32)
    rep = representation("smpl", use_6d=False)
    np.testing.assert_array_equal(rep.to_network(raw), raw)
    np.testing.assert_array_equal(rep.from_network(torch.from_numpy(raw)), raw)
    assert rep.filter_tracks(raw, None, None).shape == (3, 24, 6)  # filters see 6D whatever the network sees


@pytest.mark.parametrize("name, channels", [("3D", 51), ("2D", 34), ("smpl", 72)])
def test_tracks_may_run_backwards_in_memory(name, channels):
    """As those of a filter that goes forwards and backwards do."""
    rep, frame = representation(name), Frame((500.0, 500.0), (500.0, 500.0))
    raw = np.random.default_rng(0).uniform(-0.3, 0.3, (6, channels)).astype(np.float32)
    backwards = np.ascontiguousarray(rep.filter_tracks(raw, frame, None)[::-1])[::-1]
    np.testing.assert_allclose(rep.from_tracks(backwards, frame), raw, atol=1e-4)
