"""lib/dataset/synthetic.py: detections made from the truth."""

import shutil

import numpy as np
import pytest

from lib.dataset import sequences, synthetic
from lib.poses.skeletons import LAYOUTS


@pytest.mark.parametrize("dataset", ["mocap", "own"])
def test_clean_sequences_alone_are_enough(dataset, write_set, load):
    base = write_set(dataset, "noise", "3D")
    shutil.rmtree(base / f"{dataset}_noise_3D" / "detected")
    train, test = load(base, dataset, "noise", "3D", "train"), load(base, dataset, "noise", "3D")
    assert all(view.detected is None for view in train.sequences)
    again = load(base, dataset, "noise", "3D")
    for view, same in zip(test.sequences, again.sequences):
        assert 0.02 < np.abs(view.detected - view.truth).mean() < 0.08  # simulated errors
        np.testing.assert_array_equal(view.detected, same.detected)  # the same every time
    other = load(base, dataset, "noise", "3D", "test", "SEED_VALUE", "1")
    assert not np.array_equal(other.sequences[0].detected, test.sequences[0].detected)


@pytest.mark.parametrize("kind, std, expected", [("uniform", 100, 0.1 / 12**0.5), ("gaussian", 30, 0.03)])
def test_published_noise_has_its_size(kind, std, expected, write_set, load):
    base = write_set("mocap", "noise", "3D", clips=5)
    shutil.rmtree(base / "mocap_noise_3D" / "detected")
    split = load(base, "mocap", "noise", "3D", "test", "TRAIN.noise_type", kind, "TRAIN.noise_std", str(std))
    errors = [view.detected - view.truth for view in split.sequences]
    assert np.abs(errors[0][0] - errors[1][0]).max() > 0.01  # each clip has errors of its own
    error = np.concatenate(errors)
    assert abs(error.std() / expected - 1) < 0.03 and abs(error.mean()) < 0.001
    assert np.abs(error[:, :3]).mean() > expected / 2  # the root included, as published


@pytest.mark.parametrize("representation, order", [("2D", "h36m17"), ("smpl", "")])
def test_synthetic_2d_and_smpl(representation, order, write_set, load):
    base = write_set("own", "noise", representation, order or "h36m17")
    shutil.rmtree(base / f"own_noise_{representation}" / "detected")
    view = load(base, "own", "noise", representation).sequences[0]
    assert view.detected.shape == view.truth.shape and 0.001 < np.abs(view.detected - view.truth).mean() < 20


def test_detections_on_disk_come_first(write_set, load):
    base = write_set("mocap", "noise", "3D")
    assert load(base, "mocap", "noise", "3D", "train").sequences[0].detected is not None


@pytest.mark.parametrize("estimator", ["noise", "videoposet27"])
def test_nh36m_reads_the_truth_of_h36m_and_nobodys_detections(estimator, write_set, load):
    write_set("h36m", "tcmr", "3D", "lsp14")  # 14 joints: not the truth it needs
    base = write_set("h36m", "videoposet27", "3D")
    split = load(base, "nh36m", estimator, "3D", "train")
    assert split.channels == 51 and all(view.detected is None for view in split.sequences)
    theirs, ours = load(base, "h36m", "videoposet27", "3D"), load(base, "nh36m", estimator, "3D")
    np.testing.assert_array_equal(theirs.sequences[0].truth, ours.sequences[0].truth)
    assert not np.array_equal(theirs.sequences[0].detected, ours.sequences[0].detected)


def test_mocap_with_joints_of_its_own(write_set, load):
    split = load(write_set("mocap", "noise", "3D", "lsp14"), "mocap", "noise", "3D")
    assert split.layout.size == 14 and split.layout.root == (0,)


def test_many_sequences_draw_their_noise_in_parts(monkeypatch):
    """The errors of a part depend on nothing but the generator and the sequences in it."""
    truths = [np.zeros((length, 51), np.float32) for length in (30, 40, 50)]
    views = [sequences.Sequence("s", None, truth) for truth in truths]
    rep, layout = sequences.representation("3D"), LAYOUTS["h36m17"]
    monkeypatch.setattr(synthetic, "NOISE_FRAMES", 60)
    drawn = list(synthetic.synthetic(views, "gaussian", 10, layout, rep, np.random.default_rng(0)))
    assert [len(values) for values in drawn] == [30, 40, 50]
    parts = list(synthetic._parts(views, 60))
    assert [len(part) for part in parts] == [2, 1]
    rng = np.random.default_rng(0)
    np.testing.assert_allclose(
        np.concatenate(drawn[:2]), rng.standard_normal((70, 51), dtype=np.float32) / 100, atol=1e-8
    )


def test_gains_go_to_their_sequences(monkeypatch):
    monkeypatch.setattr(synthetic, "NOISE_FRAMES", 60)
    views = [sequences.Sequence("s", None, np.zeros((length, 51), np.float32)) for length in (30, 40, 50)]
    drawn = list(
        synthetic.synthetic(
            views,
            "simulated",
            0,
            LAYOUTS["h36m17"],
            sequences.representation("3D"),
            np.random.default_rng(0),
            {"gain": np.array([1.0, 2.0, 0.0])},
        )
    )
    assert np.abs(drawn[0]).max() > 0.01 and np.abs(drawn[1]).max() > 0.01 and np.abs(drawn[2]).max() == 0
