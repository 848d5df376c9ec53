"""The errors of the wider benchmark are what their names say."""

import numpy as np
import pytest

from benchmarks import harm_wider


@pytest.mark.parametrize("kind, joints, dims", [("3D", 17, 3), ("2D", 17, 2), ("smpl", 24, 3)])
def test_every_case_gives_poses_beside_their_truth(kind, joints, dims):
    clip = np.random.default_rng(0).normal(0, 0.1, (60, joints, dims)).cumsum(axis=0)
    for name, (rate, make) in harm_wider.cases(kind, harm_wider.MILD[kind]).items():
        truth, poses = make(clip, np.random.default_rng(0))
        assert truth.shape == poses.shape and rate > 0, name
        assert not np.array_equal(truth, poses), name


def test_errors_that_last_have_the_size_and_the_time_that_are_asked_for():
    errors = harm_wider.lasting((40000, 2, 1), 0.5, 0, np.random.default_rng(0))
    np.testing.assert_allclose(errors.std(axis=0), 1, rtol=0.1)
    later = (errors[15:] * errors[:-15]).mean() / (errors**2).mean()  # half a second
    assert abs(later - np.exp(-1)) < 0.08


def test_held_answers_and_other_rates():
    truth = np.arange(7.0)[:, None, None] * np.ones((1, 17, 3))
    assert harm_wider.held(truth, 3)[:, 0, 0].tolist() == [0, 0, 0, 3, 3, 3, 6]
    np.testing.assert_allclose(harm_wider.at_rate(truth, 60)[:, 0, 0], np.arange(13) / 2, atol=1e-9)
