"""lib/dataset/estimator_noise.py against the table that it draws from."""

import numpy as np
import pytest

from lib.dataset import estimator_noise, sequences
from lib.dataset.synthetic import synthetic
from lib.errors import UserError
from lib.poses.representation import representation
from lib.poses.skeletons import LAYOUTS, chain

H36M = LAYOUTS["h36m17"]
PARENTS = np.array(H36M.parents)


@pytest.fixture(scope="module")
def clips():
    """Truth [F, 51] of 200 clips of 60 frames, still poses with bones of random directions, and the clips' lengths."""
    rng = np.random.default_rng(1)
    pose = np.zeros((200, 17, 3), np.float32)
    for joint in range(1, 17):
        bone = rng.standard_normal((200, 3))
        pose[:, joint] = pose[:, PARENTS[joint]] + 0.25 * bone / np.linalg.norm(bone, axis=-1, keepdims=True)
    return np.repeat(pose, 60, axis=0).reshape(-1, 51), [60] * 200


def only(name, **changes):
    """One estimator's table, without exchanges."""
    return {name: {**estimator_noise.tables()[name], "exchanged": 0, **changes}}


def bones(poses):
    poses = poses.reshape(len(poses), 17, 3)
    return poses[:, 1:] - poses[:, PARENTS[1:]]


def test_the_same_generator_draws_the_same_and_the_root_stays(clips):
    truth, lengths = clips
    first, again = (estimator_noise.draw(truth, lengths, H36M, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(first, again) and first.dtype == np.float32
    assert np.array_equal(first[:, :3], truth[:, :3]) and np.isfinite(first).all()


def test_size_nothing_leaves_clean_motion_alone(clips, monkeypatch):
    monkeypatch.setattr(estimator_noise, "DROPOUT_EVERY", 10**9)
    truth, lengths = clips
    drawn = estimator_noise.draw(
        truth, lengths, H36M, np.random.default_rng(0), sizes=np.zeros(200), tables=only("mediapipe")
    )
    assert drawn == pytest.approx(truth, abs=1e-5)


@pytest.mark.parametrize("name", ["kinect", "mediapipe"])
def test_no_joint_has_an_offset_of_its_own(name, clips):
    """The convention of a sensor is not in the errors: over many clips they have mean 0."""
    truth, lengths = clips
    drawn = estimator_noise.draw(
        truth, lengths, H36M, np.random.default_rng(0), sizes=np.full(200, 0.3), tables=only(name)
    )
    error = (drawn - truth).reshape(200, 60, 17, 3).mean(1)
    spread = error[:, 1:].std(0) / np.sqrt(200)
    assert (np.abs(error[:, 1:].mean(0)) < 5 * spread + 0.002).all()


@pytest.mark.parametrize("name", ["kinect", "mediapipe"])
def test_bones_err_as_far_as_measured(name, clips, monkeypatch):
    """At a small size, where directions add up plainly: their spread within clips and between them."""
    monkeypatch.setattr(estimator_noise, "DROPOUT_EVERY", 10**9)
    truth, lengths = clips
    table, size = only(name, constant_length=[0] * 16, moving_length=[0] * 16), 0.05
    drawn = estimator_noise.draw(truth, lengths, H36M, np.random.default_rng(0), sizes=np.full(200, size), tables=table)
    seen, real = bones(drawn), bones(truth)
    assert np.linalg.norm(seen, axis=-1) == pytest.approx(np.linalg.norm(real, axis=-1), abs=1e-5)
    error = ((seen - real) / 0.25 / size).reshape(200, 60, 16, 3)
    entry = table[name]
    # An error along the bone is no error of its direction: two thirds of the variance are seen.
    whole, moving = error**2 * 1.5, (error - error.mean(1, keepdims=True)) ** 2 * 1.5
    measured = (np.array(entry["loadings"]) ** 2).sum(-1) + np.array(entry["rest"]) ** 2
    told = np.sqrt((measured + np.array(entry["constant"]) ** 2).mean(1))
    assert np.sqrt(whole.mean((0, 1, 3))) == pytest.approx(told, rel=0.2)
    # A clip of two seconds does not hold all of the slow motion.
    assert 0.6 < np.sqrt(moving.mean() / measured.mean()) < 1.05


def test_coloured_numbers_have_the_asked_spectrum():
    frequencies, power = (0.25, 1.0, 11.0), (0.8, 0.2, 0.002)
    drawn = estimator_noise._coloured(50, 4000, frequencies, power, np.random.default_rng(0))
    assert drawn.shape == (50, 4000) and drawn.dtype == np.float32
    assert drawn.std() == pytest.approx(1, rel=0.03)
    density = (np.abs(np.fft.rfft(drawn, axis=-1)) ** 2).mean(0)
    at = np.fft.rfftfreq(4000, 1 / 30)
    near = [density[np.abs(at - frequency) < 0.1 * frequency].mean() for frequency in (0.5, 1.0, 11.0)]
    assert near[0] / near[1] == pytest.approx(2, rel=0.3)  # halfway in double logarithm
    assert near[1] / near[2] == pytest.approx(100, rel=0.3)


def test_sizes_run_from_nearly_nothing_to_three_times():
    sizes = estimator_noise.sizes_of(10_000, np.random.default_rng(0))
    assert sizes.min() < 0.001 and 2.9 < sizes.max() <= 3 and sizes.mean() == pytest.approx(0.75, rel=0.05)


def test_a_layout_without_known_joints_errs_all_the_same(clips):
    truth, lengths = clips
    drawn = estimator_noise.draw(truth[:120], lengths[:2], chain(17), np.random.default_rng(0))
    assert np.isfinite(drawn).all() and np.abs(drawn - truth[:120]).max() > 0.01


def test_varied_errors_are_of_both_kinds(clips):
    truth, lengths = clips
    estimated, varied = (
        draw(truth, lengths, H36M, np.random.default_rng(0))
        for draw in (estimator_noise.draw, estimator_noise.draw_varied)
    )
    same = (estimated == varied).reshape(len(lengths), -1).all(1)
    assert same.mean() == pytest.approx(estimator_noise.ESTIMATED_SHARE, abs=0.08)


@pytest.mark.parametrize("kind, width", [("2D", 2), ("smpl", 3)])
def test_other_representations_are_refused(kind, width):
    view = sequences.Sequence("s", None, np.zeros((9, 24 * width), np.float32))
    with pytest.raises(UserError, match="TRAIN.noise_type estimated: is for 3D joints"):
        next(synthetic([view], "estimated", 0, chain(24), representation(kind), np.random.default_rng(0)))
