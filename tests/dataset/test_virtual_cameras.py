"""lib/dataset/virtual_cameras.py: sets filmed anew."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from lib.dataset import storage, virtual_cameras
from lib.errors import UserError
from lib.poses.skeletons import LAYOUTS

JOINTS = LAYOUTS["h36m17"].joints


def test_the_shipped_set_comes_out_again(root, tmp_path):
    """To 1 micrometre: the last bits of a matrix product differ between processors."""
    written = virtual_cameras.write_set(root / "data/poses/mocap_noise_3D", tmp_path / "mmocap_noise_3D", 4)
    assert len(written) == 3
    for file in written:
        made, shipped = storage.read(file), storage.read(root / "data/poses" / file.relative_to(tmp_path))
        assert made.keys() == shipped.keys()
        for key in made:
            assert len(made[key]) == len(shipped[key])
            for one, other in zip(made[key], shipped[key]):
                if key == "imgname":
                    assert list(one) == list(other)
                else:
                    assert np.asarray(one).dtype == np.asarray(other).dtype
                    np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)


def test_views_of_one_clip_are_turned_and_nothing_else():
    truth = np.random.default_rng(0).normal(size=(5, 51))
    views = virtual_cameras.film(truth, "clip", 3)
    grams = [np.einsum("tji,tki->tjk", *2 * [seen.reshape(5, 17, 3)]) for seen in (truth, *views)]
    for gram in grams[1:]:
        np.testing.assert_allclose(gram, grams[0], atol=1e-5)
    assert np.abs(views[0] - views[1]).max() > 0.5


def test_pixels_by_hand():
    """A metre to the right and half a metre down is 1145 / 5 pixels and half of that, 6 m away 5/6 of them."""
    joints = np.array([[[0.0, 0, 0], [1, 0.5, 0], [1, 0.5, 1]]])
    pixels = virtual_cameras.projected(joints, np.zeros((1, 3))).reshape(3, 2)
    np.testing.assert_allclose(pixels, [[500, 500], [729, 614.5], [500 + 1145 / 6, 500 + 572.5 / 6]], atol=1e-3)


def test_the_lower_foot_stands_still():
    """Somebody who slides left past a foot on the ground, the other one in the air: the path is the slide's quick part."""
    frames, feet = 40, [JOINTS.index("right_ankle"), JOINTS.index("left_ankle")]
    wanted = 0.3 * np.sin(np.arange(frames) / 3)[:, None] * [1, 0, 0.2]  # of the root
    joints = np.zeros((frames, 17, 3))
    joints[:, feet[0]] = [0, 0.9, 0] - wanted
    joints[:, feet[1]] = [0.1, 0.5, 0]
    slow = gaussian_filter1d(wanted, virtual_cameras.TRAVEL, axis=0, mode="nearest")
    np.testing.assert_allclose(virtual_cameras.path(joints, feet), wanted - slow, atol=1e-9)
    assert virtual_cameras.path(joints[:1], feet).shape == (1, 3)


def test_a_set_of_key_points(root, tmp_path):
    written = virtual_cameras.write_set(root / "data/poses/mocap_noise_3D", tmp_path / "film_noise_2D", 2)
    truth, source = (
        storage.read(path)[key]
        for path, key in (
            (tmp_path / "film_noise_2D/groundtruth/film_gt_2D_test.npz", "joints_2d"),
            (root / "data/poses/mocap_noise_3D/groundtruth/mocap_gt_3D_test.npz", "joints_3d"),
        )
    )
    detected = storage.read(tmp_path / "film_noise_2D/detected/film_noise_2D_test.npz")["joints_2d"]
    assert len(written) == 3 and len(truth) == 2 * len(source)
    off = np.concatenate(
        [np.linalg.norm((a - b).reshape(-1, 17, 2), axis=-1).mean(-1) for a, b in zip(truth, detected)]
    )
    assert 4 < off.mean() < 11  # 7 px on ordinary motion (lib/dataset/noise.py)
    heights = [np.ptp(pose.reshape(-1, 17, 2)[..., 1], axis=1).mean() for pose in truth]
    assert 150 < min(heights) and max(heights) < 450


def test_another_layout_is_refused(tmp_path):
    storage.write(
        tmp_path / "a_b_3D/groundtruth/a_gt_3D_test.npz", {"imgname": [["c/0"]], "joints_3d": [np.zeros((1, 42))]}
    )
    with pytest.raises(UserError, match="14 joints, 17 in Human3.6M order"):
        virtual_cameras.write_set(tmp_path / "a_b_3D", tmp_path / "c_b_3D", 4)
    with pytest.raises(UserError, match="has no groundtruth"):
        virtual_cameras.write_set(tmp_path, tmp_path / "c_b_3D", 4)
