import numpy as np
import pytest
import torch
from scipy.signal import lfilter

from lib.models.attention import Sizes
from lib.models.heads import Heads
from lib.models.residual import ResidualSynSP
from lib.models.smoothnet import SmoothNet
from lib.training.loss import refinement_loss, stream_loss
from lib.windows.merge import Merge
from lib.windows.pipeline import refine
from lib.windows.recipe import Recipe


def refined(final, precision, smoothness):
    return Heads(final, precision, smoothness, torch.ones(final.shape[:3]))


def random(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape)).float()


def column(*values):
    """One window of one view and one channel: [1, 1, F, 1]."""
    return torch.tensor(values, dtype=torch.float32).view(1, 1, -1, 1)


def test_by_hand():
    """Precision is off by 1 everywhere, smoothness by (0, 1, 0): mean 1/3, second difference -2; final is right."""
    truth = column(5, 6, 7)
    out = refined(truth, truth + 1, truth + column(0, 1, 0))
    total, parts = refinement_loss(out, truth, w_pos=3, w_accel=10)
    assert parts["precision_pos"] == 1 and parts["final_pos"] == 0
    assert parts["smoothness_pos"] == pytest.approx(1 / 3) and parts["smoothness_accel"] == 2
    assert float(total) == pytest.approx(3 * (1 + 1 / 3) + 10 * 2)


def test_shares_of_the_acceleration_term():
    """A bump of 1 in one head alone: position 1/3 for each, acceleration 0, 2 and 1."""
    truth, bump = column(0, 0, 0), column(0, 1, 0)
    for head, share in (("precision", 0), ("smoothness", 1), ("final", 0.5)):
        heads = {name: truth.clone() for name in ("final", "precision", "smoothness")}
        heads[head] = bump
        total, _ = refinement_loss(refined(**heads), truth)
        assert float(total) == pytest.approx(1 / 3 + 2 * share), head


def test_against_a_plain_form():
    truth = random(4, 3, 8, 6)
    heads = {name: random(4, 3, 8, 6, seed=k) for k, name in enumerate(("final", "precision", "smoothness"), 1)}
    expected = 0.0
    for name, share in (("final", 0.5), ("precision", 0.0), ("smoothness", 1.0)):
        error = heads[name].numpy() - truth.numpy()
        expected += 0.7 * np.abs(error).mean() + share * 0.3 * np.abs(np.diff(error, 2, axis=2)).mean()
    total, _ = refinement_loss(refined(**heads), truth, 0.7, 0.3)
    assert float(total) == pytest.approx(expected, rel=1e-5)


def test_the_second_difference_runs_over_frames_and_not_views():
    """An error that differs from view to view but not in time has no acceleration."""
    truth = torch.zeros(2, 4, 8, 3)
    constant = random(2, 4, 1, 3).expand(2, 4, 8, 3)
    _, parts = refinement_loss(refined(constant, constant + 1, constant - 1), truth)
    assert parts["final_accel"] < 1e-6 and parts["smoothness_accel"] < 1e-6
    moving = truth + torch.arange(8.0)[:, None] ** 2
    _, parts = refinement_loss(refined(moving, moving + 1, moving - 1), truth)
    assert float(parts["final_accel"]) == pytest.approx(2, rel=1e-5)


def test_frames_that_do_not_count():
    """What stands at absent frames does not matter, and the mean is over what is left."""
    truth, present = random(3, 2, 8, 4), torch.ones(3, 2, 8, dtype=torch.bool)
    present[0, 1] = False
    present[1, 0, 5:] = False
    heads = {name: random(3, 2, 8, 4, seed=k) for k, name in enumerate(("final", "precision", "smoothness"), 1)}
    total, parts = refinement_loss(refined(**heads), truth, present=present)
    spoilt = {name: torch.where(present[..., None], value, 1e3) for name, value in heads.items()}
    again, _ = refinement_loss(refined(**spoilt), truth, present=present)
    assert float(again) == pytest.approx(float(total), rel=1e-5)

    error = (heads["smoothness"] - truth).abs()
    assert float(parts["smoothness_pos"]) == pytest.approx(float(error[present].mean()), rel=1e-5)
    second = np.abs(np.diff((heads["smoothness"] - truth).numpy(), 2, axis=2))
    kept = (present[:, :, 2:] & present[:, :, 1:-1] & present[:, :, :-2]).numpy()
    assert float(parts["smoothness_accel"]) == pytest.approx(second[kept].mean(), rel=1e-5)


def test_a_full_mask_is_no_mask():
    truth, out = random(3, 2, 8, 4), refined(*(random(3, 2, 8, 4, seed=k) for k in (1, 2, 3)))
    everything = torch.ones(3, 2, 8, dtype=torch.bool)
    assert float(refinement_loss(out, truth, present=everything)[0]) == pytest.approx(
        float(refinement_loss(out, truth)[0])
    )


def test_windows_without_any_frame_give_zero_and_not_nan():
    truth = random(1, 1, 8, 4).requires_grad_()
    total, _ = refinement_loss(
        refined(truth, truth + 1, truth - 1), torch.zeros(1, 1, 8, 4), present=torch.zeros(1, 1, 8, dtype=torch.bool)
    )
    total.backward()
    assert float(total) == 0 and torch.isfinite(truth.grad).all()


@pytest.mark.parametrize("frames", [1, 2])
def test_windows_too_short_for_an_acceleration(frames):
    truth = random(2, 1, frames, 4)
    total, parts = refinement_loss(refined(truth + 1, truth, truth), truth)
    assert float(total) == pytest.approx(1) and "smoothness_accel" not in parts


def test_smoothnet_counts_once():
    """It has one head: position + acceleration, k = 1."""
    out = SmoothNet(8, 16, 8, 1).eval()(random(4, 8, 6))
    truth = random(4, 1, 8, 6, seed=1)
    total, parts = refinement_loss(out, truth, 2.0, 3.0)
    error = (out.final - truth).detach().numpy()
    assert float(total.detach()) == pytest.approx(
        2 * np.abs(error).mean() + 3 * np.abs(np.diff(error, 2, axis=2)).mean(), rel=1e-5
    )
    assert set(parts) == {"final_pos", "final_accel"}


def test_half_precision_outputs_are_summed_in_float32():
    truth = random(64, 1, 8, 51)
    out = [truth + 0.01 * random(64, 1, 8, 51, seed=k) for k in (1, 2, 3)]
    total, _ = refinement_loss(refined(*(head.bfloat16() for head in out)), truth)
    assert total.dtype == torch.float32


@pytest.mark.parametrize("weighting", ["mean", "triangular"])
@pytest.mark.parametrize("lag", [0, 3, 7])
def test_stream_loss_judges_what_a_stream_puts_out(lag, weighting):
    """It is 0 against what `refine` with that lag says of the same frames, and the mean error against that plus 1."""
    network = ResidualSynSP(6, Sizes(16, 16, 1, 2, 8, 8), residual_components=2).eval()
    run = lag + 4
    poses = random(1, 8 + run - 1, 6)
    recipe = Recipe(weighting=weighting).streamed(lag)
    streamed = next(refine(network, [(poses, None)], recipe)).final[None]
    merge = Merge(recipe)
    with torch.no_grad():
        windows = network(poses.unfold(1, 8, 1)[0].transpose(1, 2)).final.float()[None]
    loss, parts = stream_loss(windows, streamed, merge)
    assert loss == pytest.approx(0, abs=1e-6) and set(parts) == {"stream_pos", "stream_accel"}
    loss, parts = stream_loss(windows, streamed + 1, merge, w_pos=3)
    assert loss == pytest.approx(3, abs=1e-5)
    bent = streamed.clone()
    bent[:, :, 8:9] += 1  # the second of the four frames: second differences -2 and 1
    _, parts = stream_loss(windows, bent, merge)
    assert parts["stream_pos"] == pytest.approx(1 / 4, abs=1e-6) and parts["stream_accel"] == pytest.approx(
        1.5, abs=1e-5
    )


def test_stream_loss_judges_what_is_carried_on():
    """What the newest windows say of their last frames, through a recursive filter of the first order."""
    windows, truth = random(2, 12, 1, 8, 6), torch.zeros(2, 1, 19, 6)
    newest = windows[:, :, 0, 7].numpy()
    poses, _ = lfilter([0.4], [1, -0.6], newest, axis=1, zi=0.6 * newest[:, :1])
    poses = torch.from_numpy(poses)
    _, parts = stream_loss(windows, truth, Merge(Recipe(carry=0.6).streamed(0)))
    assert parts["stream_pos"] == pytest.approx(float(poses.abs().mean()), rel=1e-5)
    assert parts["stream_accel"] == pytest.approx(float(poses.diff(n=2, dim=1).abs().mean()), rel=1e-5)


def test_stream_loss_leaves_out_absent_frames():
    windows, truth = random(2, 4, 1, 8, 6), random(2, 1, 11, 6, seed=1)
    present = torch.ones(2, 1, 11, dtype=torch.bool)
    present[1] = False
    merge = Merge(Recipe().streamed(0))
    whole, _ = stream_loss(windows[:1], truth[:1], merge)
    masked, _ = stream_loss(windows, truth, merge, present=present)
    assert masked == pytest.approx(float(whole))
