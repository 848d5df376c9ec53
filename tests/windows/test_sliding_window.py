from pathlib import Path

import numpy as np
import pytest
import torch

from lib.windows.sliding_window import average, starts

REFERENCE = Path(__file__).parents[1] / "reference" / "official_numerics.npz"


def naive(windows, firsts, length, fallback=None, weights=None):
    """Frame by frame: the weighted mean of the entries of all windows that cover it. numpy [N, W, C] -> [T, C]."""
    out = np.full((length, windows.shape[2]), np.nan)
    for frame in range(length):
        entries = [(n, frame - first) for n, first in enumerate(firsts) if 0 <= frame - first < windows.shape[1]]
        if entries:
            share = np.array([1.0 if weights is None else weights[n, place] for n, place in entries])
            values = np.array([windows[n, place] for n, place in entries])
            out[frame] = (share[:, None] * values).sum(0) / share.sum()
        elif fallback is not None:
            out[frame] = fallback[frame]
    return out


def random(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


@pytest.mark.parametrize(
    "length, window, expected",
    [
        (
            10,
            4,
            {1: [0, 1, 2, 3, 4, 5, 6], 2: [0, 2, 4, 6], 4: [0, 4, 6], 5: [0, 5, 6], 6: [0, 6], 7: [0, 6], 50: [0, 6]},
        ),
        (4, 4, {1: [0], 3: [0], 9: [0]}),
        (3, 4, {1: [0], 5: [0]}),
    ],
)
def test_starts(length, window, expected):
    for step, firsts in expected.items():
        assert starts(length, window, step) == firsts


@pytest.mark.parametrize("window", [2, 3, 8])
@pytest.mark.parametrize("length", [8, 9, 17, 40])
def test_whole_sequence_equals_the_mean_frame_by_frame(window, length):
    fallback = random(length, 5, seed=1)
    for step in range(1, window + 4):
        firsts = starts(length, window, step)
        windows = random(len(firsts), window, 5, seed=step)
        ours = average(windows, step, length, fallback)
        assert ours.shape == (length, 5)
        np.testing.assert_allclose(ours, naive(windows.numpy(), firsts, length, fallback.numpy()), atol=1e-12)


@pytest.mark.parametrize("count, window", [(1, 8), (2, 8), (7, 3), (1100, 3)])  # 1100: more than one block of windows
def test_without_length_the_windows_span_the_sequence(count, window):
    for step in range(1, window + 1):
        windows = random(count, window, 2, seed=step)
        ours = average(windows, step)
        assert ours.shape == ((count - 1) * step + window, 2)
        firsts = [n * step for n in range(count)]
        np.testing.assert_allclose(ours[-50:], naive(windows.numpy(), firsts, len(ours))[-50:], atol=1e-12)
        np.testing.assert_allclose(ours[:50], naive(windows[:60].numpy(), firsts[:60], len(ours))[:50], atol=1e-12)


def test_published_average():
    with np.load(REFERENCE) as stored:
        windows, sequence = stored["windows_w8_step1"], stored["sequence_w8_step1"]
    ours = average(torch.from_numpy(windows), 1)
    assert ours.dtype == torch.float32
    np.testing.assert_allclose(ours[: len(sequence)], sequence, atol=1e-5)


def test_windows_cut_from_a_sequence_give_it_back():
    sequence = random(50, 6)
    for step in (1, 3, 8, 11):
        firsts = starts(50, 8, step)
        windows = torch.stack([sequence[first : first + 8] for first in firsts])
        np.testing.assert_allclose(average(windows, step, 50, sequence), sequence, atol=1e-12)


def test_weights():
    length, window, step = 21, 6, 4
    firsts = starts(length, window, step)
    windows = random(len(firsts), window, 3)
    weights = random(len(firsts), window, seed=3).exp()
    np.testing.assert_allclose(
        average(windows, step, length, weights=weights),
        naive(windows.numpy(), firsts, length, weights=weights.numpy()),
        atol=1e-12,
    )
    np.testing.assert_allclose(
        average(windows, step, length, weights=torch.full_like(weights, 0.3)),
        average(windows, step, length),
        atol=1e-12,
    )


@pytest.mark.parametrize("step, length", [(1, 12), (3, 13), (7, 21)])
def test_leading_dimensions_are_independent(step, length):
    count = len(starts(length, 5, step))
    windows, weights = random(2, 3, count, 5, 4), random(2, 3, count, 5, seed=1).exp()
    fallback = random(2, 3, length, 4, seed=2)
    together = average(windows, step, length, fallback, weights)
    assert together.shape == (2, 3, length, 4)
    for i in range(2):
        for j in range(3):
            alone = average(windows[i, j], step, length, fallback[i, j], weights[i, j])
            np.testing.assert_allclose(together[i, j], alone, atol=1e-13)


def test_integers_come_back_as_floats():
    windows = torch.tensor([[[0], [1]], [[2], [3]]])
    result = average(windows, 1)
    assert result.dtype == torch.get_default_dtype()
    assert result.flatten().tolist() == [0, 1.5, 3]


def test_input_is_left_alone():
    windows, weights = random(5, 4, 2), random(5, 4).exp()
    before = windows.clone(), weights.clone()
    average(windows, 2, weights=weights)
    assert torch.equal(windows, before[0]) and torch.equal(weights, before[1])


@pytest.mark.parametrize("step, length", [(1, 9), (3, 10), (6, 17)])
def test_gradients(step, length):
    count = len(starts(length, 4, step))
    windows = random(2, count, 4, 2).requires_grad_()
    fallback = random(2, length, 2, seed=1).requires_grad_()
    weights = random(2, count, 4, seed=2).exp().requires_grad_()
    assert torch.autograd.gradcheck(lambda w, f: average(w, step, length, f), (windows, fallback))
    assert torch.autograd.gradcheck(lambda w, f, g: average(w, step, length, f, g), (windows, fallback, weights))


def test_frames_without_a_window_come_from_the_fallback():
    fallback = random(20, 2, seed=5)
    windows = random(3, 4, 2)  # at 0, 10 and 16
    result = average(windows, 10, 20, fallback)
    assert torch.equal(result[4:10], fallback[4:10]) and torch.equal(result[14:16], fallback[14:16])
    np.testing.assert_allclose(result[:4], windows[0])
    np.testing.assert_allclose(result[16:], windows[2])


def test_one_window_needs_no_fallback_at_any_step():
    windows = random(1, 8, 3)
    for step in (1, 8, 9, 100):
        np.testing.assert_allclose(average(windows, step), windows[0])
        np.testing.assert_allclose(average(windows, step, 8), windows[0])


def test_steps_longer_than_the_window_need_a_fallback_only_for_gaps():
    windows = random(2, 8, 3)  # at 0 and 4: no gap, though the step is 10
    firsts = starts(12, 8, 10)
    np.testing.assert_allclose(average(windows, 10, 12), naive(windows.numpy(), firsts, 12), atol=1e-12)
    with pytest.raises(ValueError, match="fallback"):
        average(windows, 10)
    with pytest.raises(ValueError, match="fallback"):
        average(random(3, 8, 3), 10, 22)


@pytest.mark.parametrize("step", [0, -1])
def test_impossible_step(step):
    with pytest.raises(ValueError, match="step"):
        average(random(3, 4, 2), step)


@pytest.mark.parametrize(
    "count, step, length", [(5, 2, 100), (5, 2, 101), (5, 2, 17), (2, 10, 28), (4, 10, 28), (3, 1, 7)]
)
def test_a_number_of_windows_that_does_not_belong_to_the_length(count, step, length):
    assert count != len(starts(length, 8, step)) or length < 8
    with pytest.raises(ValueError, match=str(length)):
        average(random(count, 8, 2), step, length, random(length, 2))
