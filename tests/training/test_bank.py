"""lib/training/bank.py against plain slicing of the sequences."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lib.dataset.catalog import Source
from lib.dataset.sequences import Recording, Sequence, Split
from lib.errors import UserError
from lib.poses.representation import Frame, representation
from lib.poses.skeletons import LAYOUTS, chain
from lib.training.bank import WindowBank, mix_shares


def sequence(length, channels=51, seed=0, detected=True, **more):
    rng = np.random.default_rng([length, seed])
    truth = rng.normal(size=(length, channels)).astype(np.float32)
    return Sequence(f"s{length}", truth + 0.1 if detected else None, truth, **more)


def split(*recordings, dataset="own", kind="3D", layout="h36m17"):
    """A split of recordings, each a list of views or one sequence."""
    found = [Recording("r", views if isinstance(views, list) else [views]) for views in recordings]
    layout = LAYOUTS[layout] if isinstance(layout, str) else layout
    return Split(Source(dataset, "net", kind), "train", layout, representation(kind), found)


def naive(splits, window, stride):
    """[(detected [V, W, C], truth, present [V, W])] of every window, by slicing; missing views are zeros, absent."""
    found = []
    count = max(len(recording.views) for part in splits for recording in part.recordings)
    for part in splits:
        for recording in part.recordings:
            length = recording.views[0].length
            start = 0
            while start == 0 or start + window <= length:
                shape = (count, window, recording.views[0].truth.shape[1])
                detected, truth, present = np.zeros(shape), np.zeros(shape), np.zeros((count, window), bool)
                for v, view in enumerate(recording.views):
                    for w in range(window):
                        frame = min(start + w, length - 1)
                        detected[v, w], truth[v, w] = view.detected[frame], view.truth[frame]
                        counted = view.counted is None or view.counted[frame]
                        present[v, w] = start + w < length and counted
                found.append((detected, truth, present))
                start += stride
    return found


def copies(splits):
    """The splits' sequences as they are before a bank takes them over."""
    return [
        split(
            *(
                [
                    Sequence(view.name, view.detected.copy(), view.truth.copy(), present=view.present, known=view.known)
                    for view in recording.views
                ]
                for recording in part.recordings
            )
        )
        for part in splits
    ]


CASES = {
    "one sequence": [split(sequence(20))],
    "several": [split(sequence(20), sequence(8), sequence(9))],
    "shorter than the window": [split(sequence(3), sequence(12), sequence(1))],
    "two sets": [split(sequence(20)), split(sequence(11), dataset="other")],
    "views": [split([sequence(14, seed=1), sequence(14, seed=2), sequence(14, seed=3)], [sequence(10)])],
    "views that miss frames": [split([sequence(14, seed=1), sequence(14, seed=2, present=np.arange(14) < 9)])],
    "truth that misses frames": [split(sequence(14, known=np.arange(14) % 5 > 0))],
    "eight views": [split([sequence(9, seed=seed) for seed in range(8)])],
}


@pytest.mark.parametrize("window, stride", [(8, 1), (8, 3), (2, 1), (16, 5)])
@pytest.mark.parametrize("name", CASES)
def test_against_slicing(name, window, stride):
    expected = naive(CASES[name], window, stride)
    bank = WindowBank(copies(CASES[name]), window, stride)
    assert len(bank) == len(expected)
    detected, truth, present = bank.batch(torch.arange(len(bank)))
    whole = np.stack([there for *_, there in expected])
    if whole.all():
        assert present is None
    else:
        np.testing.assert_array_equal(present, whole)
    recorded = np.stack([np.abs(theirs).sum((1, 2)) > 0 for _, theirs, _ in expected])  # [N, V]
    np.testing.assert_allclose(truth.numpy()[recorded], np.stack([theirs for _, theirs, _ in expected])[recorded])
    np.testing.assert_allclose(detected.numpy()[recorded], np.stack([ours for ours, *_ in expected])[recorded])


@pytest.mark.parametrize("name", CASES)
def test_any_order_of_windows(name):
    bank = WindowBank(copies(CASES[name]), 8)
    everything = bank.batch(torch.arange(len(bank)))
    index = torch.randperm(len(bank), generator=torch.Generator().manual_seed(0))[:5]
    for part, whole in zip(bank.batch(index), everything):
        if part is not None:
            torch.testing.assert_close(part, whole[index])
        elif whole is not None:
            assert whole[index].all()


def test_nothing_is_held_twice_and_sequences_keep_their_values():
    part = split(sequence(20), sequence(9))
    before = [(view.truth.copy(), view.detected.copy()) for view in part.sequences]
    bank = WindowBank([part], 8)
    for view, (truth, detected) in zip(part.sequences, before):
        assert np.shares_memory(view.truth, bank.truth.numpy()) and np.shares_memory(
            view.detected, bank.detected.numpy()
        )
        np.testing.assert_array_equal(view.truth, truth)
        np.testing.assert_array_equal(view.detected, detected)


def test_network_units_of_each_sequence():
    frames = [Frame((500.0, 500.0), (500.0, 500.0)), Frame((10.0, 20.0), (2.0, 4.0))]
    part = split(*(sequence(9, 34, seed, frame=frame) for seed, frame in enumerate(frames)), kind="2D")
    first, second = (view.truth.copy() for view in part.sequences)
    _, truth, _ = WindowBank([part], 8).batch(torch.tensor([0, 2]))
    np.testing.assert_allclose(truth[0, 0], (first[:8] - 500) / 500, atol=1e-6)
    np.testing.assert_allclose(
        truth[1, 0].unflatten(-1, (17, 2)), (second[:8].reshape(8, 17, 2) - [10, 20]) / [2, 4], atol=1e-5
    )
    assert WindowBank([split(sequence(9, 72), kind="smpl", layout="smpl24")], 8).truth.shape == (9, 144)


@pytest.mark.parametrize("speed", [0.5, 1.0, 1.3, 1.9])
def test_speed_plays_the_truth_faster_and_keeps_the_error(speed):
    frames = np.arange(40, dtype=np.float32)
    part = split(
        Sequence(
            "ramp", frames[:, None] * np.ones((1, 51), np.float32) + 0.5, frames[:, None] * np.ones((1, 51), np.float32)
        )
    )
    bank = WindowBank([part], 8)
    index = torch.tensor([16, 0, 32])
    detected, truth, _ = bank.batch(index, speed=torch.full((3,), speed))
    torch.testing.assert_close(detected - truth, torch.full_like(truth, 0.5))
    # On a ramp frame f has the value f: the window's middle stays, its frames are `speed` apart, cut at the ends.
    steps = (np.arange(8) - 3.5) * speed
    for row, start in enumerate(index.tolist()):
        # Before the first frame there is none to go by: within a tenth of a frame of the ends the ramp is not straight.
        np.testing.assert_allclose(
            truth[row, 0, :, 0], np.clip(start + 3.5 + steps, 0, 39), atol=1e-4 if start == 16 else 0.1
        )


def test_speed_keeps_accelerations():
    """Of a parabola: times the square of the speed, and no corners."""
    curve = (np.arange(40, dtype=np.float32)[:, None] / 10) ** 2 * np.ones((1, 51), np.float32)
    bank = WindowBank([split(Sequence("parabola", curve, curve))], 8)
    _, truth, _ = bank.batch(torch.tensor([16, 10]), speed=torch.tensor([0.7, 1.2]))
    second = truth.diff(n=2, dim=2)
    expected = 0.02 * torch.tensor([0.7, 1.2]).square()[:, None, None, None]
    torch.testing.assert_close(second, expected.expand_as(second), atol=1e-4, rtol=0)


def test_speed_on_short_sequences_stays_inside():
    bank = WindowBank([split(sequence(3), sequence(5))], 8)
    plain = bank.batch(torch.arange(2))
    played = bank.batch(torch.arange(2), speed=torch.tensor([1.0, 1.0]))
    for ours, theirs in zip(played, plain):
        torch.testing.assert_close(ours, theirs)


def test_view_order_picks_views():
    bank = WindowBank([split([sequence(9, seed=seed) for seed in range(3)], [sequence(9, seed=7)])], 8)
    everything = bank.batch(torch.tensor([0, 2]))
    order = torch.tensor([[2, 0], [0, 1]])
    detected, truth, present = bank.batch(torch.tensor([0, 2]), view_order=order)
    torch.testing.assert_close(truth[0], everything[1][0, [2, 0]])
    torch.testing.assert_close(detected[1, 0], everything[0][1, 0])
    assert present[0].all() and present[1, 0].all() and not present[1, 1].any()


# -------------------------------------------------------------------------------------------- an epoch


@pytest.fixture
def uneven():
    """Two sets of 20 and 5 windows."""
    return WindowBank([split(sequence(27)), split(sequence(12), dataset="other")], 8)


def test_proportional_takes_every_window_once(uneven):
    order = uneven.order("proportional", np.random.default_rng(0))
    assert sorted(order.tolist()) == list(range(25)) and order.tolist() != list(range(25))


def test_balanced_takes_equally_many_of_each(uneven):
    order = uneven.order("balanced", np.random.default_rng(0)).numpy()
    first, second = order[order < 20], order[order >= 20]
    assert len(first) == len(second) == 12
    assert len(set(first)) == 12
    assert set(np.bincount(second - 20)) == {2, 3}  # 12 of 5 windows: each two or three times
    others = [uneven.order("balanced", np.random.default_rng(seed)).numpy() for seed in range(5)]
    assert len({tuple(np.bincount(order[order >= 20] - 20)) for order in others}) > 1  # not always the same ones


def test_shortest_cuts_to_the_smallest(uneven):
    orders = [uneven.order("shortest", np.random.default_rng(seed)).numpy() for seed in range(2)]
    for order in orders:
        assert len(order) == 10 and len(set(order)) == 10 and sorted(order[order >= 20]) == list(range(20, 25))
    assert set(orders[0]) != set(orders[1])  # others each epoch


@pytest.mark.parametrize("mix", ["proportional", "balanced", "shortest"])
def test_orders_are_seeded(mix, uneven):
    first, second, other = (uneven.order(mix, np.random.default_rng(seed)).tolist() for seed in (0, 0, 1))
    assert first == second != other


def test_unknown_mix(uneven):
    with pytest.raises(UserError, match="TRAIN.MIX none: not known. Known: proportional, balanced, shortest"):
        uneven.order("none", np.random.default_rng(0))


def test_an_epoch_is_index_arithmetic(monkeypatch):
    """After the bank is built no sequence is touched."""
    part = split(*(sequence(30, seed=seed) for seed in range(20)))
    bank = WindowBank([part], 8)
    monkeypatch.setattr(bank, "splits", [SimpleNamespace()])
    monkeypatch.setattr(bank, "_places", None)
    total = sum(len(bank.batch(index)[0]) for index in bank.order("proportional", np.random.default_rng(0)).split(64))
    assert total == 20 * 23


# ------------------------------------------------------------------------------- sets that do not mix


@pytest.mark.parametrize(
    "first, second, message",
    [
        (
            split(sequence(9, 42), layout="lsp14", dataset="aist"),
            split(sequence(9, 51)),
            r"mixed, the network sees 42 channels \(14 joints\) of aist_net_3D, but 51 \(17 joints\) of own_net_3D. Train one",
        ),
        (
            split(sequence(9, 42), layout="lsp14", dataset="aist"),
            split(sequence(9, 42), layout="aist14", dataset="mupots"),
            "aist_net_3D has its joints in lsp14 order, mupots_net_3D in aist14 order: joint 0 is right_ankle in one and left_ankle",
        ),
        (
            split(sequence(9, 51), dataset="h36m"),
            split(sequence(9, 51), layout="mpi17", dataset="mupots"),
            "joint 0 is pelvis in one and head_top in the other",
        ),
        (
            split(sequence(9, 42), layout="lsp14"),
            split(sequence(9, 42), layout=chain(14)),
            "lsp14 order, own_net_3D in unknown14",
        ),
        (
            split(sequence(9, 72), kind="smpl", layout="smpl24"),
            split(sequence(9, 51)),
            "own_net_smpl is smpl, own_net_3D is 3D",
        ),
    ],
)
def test_sets_that_cannot_be_mixed(first, second, message):
    with pytest.raises(UserError, match=message):
        WindowBank([first, second], 8)


def test_sets_of_one_order_mix():
    assert len(WindowBank([split(sequence(9, 42), layout="lsp14"), split(sequence(9, 42), layout="lsp14")], 8)) == 4


# -------------------------------------------------------------------------------------- drawn detections


def test_drawn_noise_is_seeded_and_new_each_time():
    part = split(sequence(30, detected=False), sequence(20), sequence(25, detected=False))
    own = part.sequences[1].detected.copy()
    bank = WindowBank([part], 8)
    drawn = []
    for seed in (0, 0, 1):
        bank.draw_noise("gaussian", 20, np.random.default_rng(seed))
        drawn.append(bank.detected.clone())
        np.testing.assert_array_equal(bank.detected[30:50], own)  # those that have detections keep them
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])
    error = torch.cat([(drawn[0] - bank.truth)[:30], (drawn[0] - bank.truth)[50:]])
    assert abs(error.std() / 0.02 - 1) < 0.05


def test_a_share_of_stored_detections_is_replaced_and_restored():
    part = split(*(sequence(40, seed=seed) for seed in range(60)))
    bank = WindowBank([part], 8)
    own = bank.detected.clone()
    bank.draw_noise("simulated", 0, np.random.default_rng(0), share=0.5)
    changed = (bank.detected != own).view(60, 40, 51).any(2).any(1)
    assert 18 <= int(changed.sum()) <= 42  # 30 within three standard deviations
    first = changed.clone()
    bank.draw_noise("simulated", 0, np.random.default_rng(1), share=0.5)
    changed = (bank.detected != own).view(60, 40, 51).any(2).any(1)
    assert not torch.equal(first, changed)
    bank.draw_noise("simulated", 0, np.random.default_rng(0))
    assert torch.equal(bank.detected, own)


def test_synthetic_views_and_smpl():
    bank = WindowBank([split([sequence(12, seed=1, detected=False), sequence(12, seed=2, detected=False)])], 8)
    bank.draw_noise("simulated", 0, np.random.default_rng(0))
    assert torch.isfinite(bank.detected).all() and not torch.equal(bank.detected, bank.truth)
    bank = WindowBank([split(sequence(12, 72, detected=False), kind="smpl", layout="smpl24")], 8)
    bank.draw_noise("simulated", 0, np.random.default_rng(0))
    assert bank.detected.shape == (12, 144) and torch.isfinite(bank.detected).all()


def test_shares_mix_an_epoch(uneven):
    order = uneven.order("3,1,1"[: 2 * len(uneven.splits) - 1], np.random.default_rng(0)).numpy()
    counts = np.bincount(uneven.source[order])
    assert counts[0] / counts.sum() == pytest.approx(3 / (len(uneven.splits) + 2), abs=0.02)


@pytest.mark.parametrize("mix", ["0.5", "1,0", "1,2,3,4", "a,b"])
def test_shares_that_cannot_be(mix):
    with pytest.raises(UserError, match="TRAIN.MIX"):
        mix_shares(mix, 2)
