"""lib/training/bodies.py: what training windows are told of the body is what the recording would tell."""

import numpy as np
import torch

from lib.poses.skeletons import LAYOUTS
from lib.training.bank import WindowBank
from lib.training.bodies import BodiesOfBank
from lib.windows import body
from tests.training.test_bank import sequence, split

BONES = tuple((joint, parent) for joint, parent in enumerate(LAYOUTS["h36m17"].parents) if parent >= 0)


def rigid(*shape, seed):
    """A sequence of one body that turns about: bones of one length, detections with errors."""
    found = sequence(*shape, seed=seed)
    still = found.truth[:1]
    found.truth = np.repeat(still, found.length, axis=0)
    found.detected = found.truth + np.random.default_rng(seed).normal(0, 0.05, found.truth.shape).astype(np.float32)
    return found


def test_an_unchanged_body_is_told_as_measured():
    sequences = [rigid(20, seed=0), rigid(12, seed=1)]
    bank = WindowBank([split(*sequences)], 8, 4)
    told = BodiesOfBank(bank, BONES)
    index = torch.arange(len(bank))
    found = told(index, None, bank.batch(index)[1])
    counts = [4, 2]
    expected = [body.mean_lengths(torch.from_numpy(each.detected)[None], BONES) for each in sequences]
    np.testing.assert_allclose(found[:, 0], torch.cat([e.expand(c, -1) for e, c in zip(expected, counts)]), atol=1e-4)


def test_a_larger_body_has_longer_bones():
    bank = WindowBank([split(rigid(20, seed=0))], 8, 4)
    told = BodiesOfBank(bank, BONES)
    index = torch.arange(len(bank))
    truth = bank.batch(index)[1]
    plain, larger = told(index, None, truth), told(index, None, 1.2 * truth)
    np.testing.assert_allclose(larger, 1.2 * plain, rtol=1e-4)


def test_views_are_told_each_of_its_own_and_missing_ones_of_nothing():
    views = [rigid(20, seed=0), rigid(20, seed=1)]
    bank = WindowBank([split(views, rigid(20, seed=2))], 8, 4)
    told = BodiesOfBank(bank, BONES)
    index, swapped = torch.arange(len(bank)), torch.tensor([[1, 0]]).expand(len(bank), 2)
    truth = bank.batch(index)[1]
    found = told(index, None, truth)
    assert torch.isfinite(found).all() and found.shape == (len(bank), 2, len(BONES))
    np.testing.assert_allclose(told(index, swapped, truth.flip(1))[:4], found[:4].flip(1), atol=1e-5)


def test_parts_of_sequences_are_the_same_for_the_same_seed():
    bank = WindowBank([split(*(rigid(60, seed=seed) for seed in range(8)))], 8, 4)
    ratios = [BodiesOfBank(bank, BONES, np.random.default_rng(seed)).ratios for seed in (0, 0, 1)]
    whole = BodiesOfBank(bank, BONES).ratios
    assert (ratios[0] == ratios[1]).all() and (ratios[0] != ratios[2]).any()
    told_by_part = (ratios[0] != whole).flatten(1).any(1).sum()
    assert 0 < told_by_part < 8
