import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.fft import dct

from benchmarks.plain_synsp import PlainSynSP
from lib.errors import UserError
from lib.models import attention as attention_layers
from lib.models import checkpoints, residual, synsp
from lib.models.attention import Sizes
from lib.models.heads import Heads
from lib.models.residual import ResidualSynSP
from lib.models.synsp import SynSP, quality_cue
from lib.training.loss import refinement_loss
from lib.windows.recipe import Recipe
from lib.windows.steps import run

REFERENCE = Path(__file__).parents[1] / "reference"
HEADS = ("final", "precision", "smoothness")


def windows(*shape, seed=0, scale=1.0):
    return scale * torch.from_numpy(np.random.default_rng(seed).normal(size=shape)).float()


def small(channels=12, seed=0, **options):
    torch.manual_seed(seed)
    sizes = {"d_model": 32, "d_inner": 48, "n_layers": 2, "n_head": 2, "d_k": 16, "d_v": 16, "dropout": 0.2}
    sizes = [options.pop(name, size) for name, size in sizes.items()]
    network = ResidualSynSP(channels, Sizes(*sizes), **options) if options else SynSP(channels, Sizes(*sizes))
    return network.eval()


def with_weights(network, seed=1):
    """Heads that start at 0 get weights, so that there is something to compare."""
    torch.manual_seed(seed)
    for parameter in network.parameters():
        if parameter.dim() > 1:
            torch.nn.init.xavier_uniform_(parameter)
    return network


# ------------------------------------------------------------------------------ the published numbers


@pytest.mark.parametrize("representation", ["3d", "2d", "smpl"])
@pytest.mark.parametrize("case", ["single_w8", "single_w16", "multi_w8", "multi_w16"])
def test_published_numbers(representation, case):
    network = checkpoints.load(REFERENCE / f"synsp_{representation}_random.pth.tar", n_head=2).network
    with np.load(REFERENCE / f"synsp_{representation}_random_io.npz") as stored:
        x = torch.from_numpy(stored[f"{case}_input"])
        with torch.no_grad():
            out = network(x)
        for name in HEADS:
            expected = stored[f"{case}_{name}"].reshape(getattr(out, name).shape)
            np.testing.assert_allclose(getattr(out, name), expected, atol=1e-5 * np.abs(expected).max())


def test_training_gradients_are_those_of_the_plain_form():
    """Against the network written out step by step, without dropout: the loss and every gradient."""
    torch.manual_seed(0)
    plain, ours = PlainSynSP(12, 32, 48, 2, 2, 16, 16, dropout=0.0), small(dropout=0.0).train()
    ours.load_state_dict(
        {name: value for name, value in plain.state_dict().items() if not checkpoints.DEAD.match(name)}
    )
    plain.eval()  # the dropout on the weights off
    synsp_dropout, attention_layers.dropout = attention_layers.dropout, lambda x, share: x
    try:
        x, truth = windows(3, 4, 8, 12), windows(3, 4, 8, 12, seed=1)
        theirs = Heads(*plain(x), quality=None)
        refinement_loss(theirs, truth)[0].backward()
        loss = refinement_loss(ours(x), truth)[0]
        loss.backward()
    finally:
        attention_layers.dropout = synsp_dropout
    gradients = {name: p.grad for name, p in plain.named_parameters()}
    for name, parameter in ours.named_parameters():
        np.testing.assert_allclose(
            parameter.grad, gradients[name], atol=1e-4 * gradients[name].abs().max() + 1e-7, err_msg=name
        )
    dead = {name for name, gradient in gradients.items() if gradient is None}
    assert dead == gradients.keys() - dict(ours.named_parameters()).keys()


# ------------------------------------------------------------------------------------------ the parts


def test_spectrum_is_scipys_dct():
    x = windows(2, 3, 16, 5)
    ours = synsp.dct_matrix(16, x.device) @ x
    np.testing.assert_allclose(ours, dct(x.numpy(), axis=2), atol=1e-4)


def test_positions_by_the_formula():
    table = synsp.positions(20, 6, torch.device("cpu"))
    for f in range(20):
        for m in range(3):
            assert table[f, 2 * m] == pytest.approx(math.sin(f / 10000 ** (2 * m / 6)), abs=1e-6)
            assert table[f, 2 * m + 1] == pytest.approx(math.cos(f / 10000 ** (2 * m / 6)), abs=1e-6)


def test_any_number_of_frames():
    network = small()
    for frames in (2, 5, 31, 130):  # the published table of positions ends at 100
        assert network(windows(2, frames, 12)).final.shape == (2, 1, frames, 12)


@pytest.mark.parametrize("views", [1, 2, 4])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("some_absent", [True, False])
def test_attention_to_shared_tokens_equals_that_to_tokens_written_out_for_each_view(views, training, some_absent):
    own, shared, added = (
        windows(3 * views, 8, 32),
        windows(3, views * 8, 32, seed=1),
        windows(3, views, views * 8, seed=2),
    )
    attention, queries = (
        attention_layers.Attention(attention_layers.Sizes(32, 32, 1, 2, 16, 16, 0.0)).train(training),
        windows(3 * views, 8, 32, seed=3),
    )
    absent = (
        attention_layers.ABSENT * (windows(3 * views, 1, 1, 8 * (1 + views), seed=4) > 0.5) if some_absent else None
    )
    plain = torch.cat((own, (shared[:, None] + added[..., None]).flatten(0, 1)), dim=1)  # [B*V, F + V*F, d]
    results = []
    for memory in (attention_layers.memory_of(own, shared, added), attention_layers.Memory(plain)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(attention_layers, "dropout", lambda weights, share: weights)
            results.append(attention(queries, attention.keys_values(memory), absent).detach())
    np.testing.assert_allclose(*results, atol=1e-5)


def test_similarity_by_the_formula():
    x = windows(2, 3, 4, 6)
    ours = synsp.similarity(x)
    assert ours.shape == (2, 3, 12)
    for i in range(3):
        for j in range(3):
            for f in range(4):
                expected = math.exp(-((x[1, i, f] - x[1, j, f]) ** 2).mean())
                assert ours[1, i, j * 4 + f] == pytest.approx(expected, abs=1e-6)


def test_quality_by_the_formula():
    precision, smoothness = windows(1, 2, 4, 3), windows(1, 2, 4, 3, seed=1)
    ours = synsp.quality_cue(precision, smoothness)
    difference = (precision - smoothness).abs().numpy()[0] / 2
    for v in range(2):
        worst = difference[v].max(0)
        for f in range(4):
            expected = np.exp(-(difference[v, f] + 1e-6) / (worst + 1e-5)).mean()
            assert ours[0, v, f] == pytest.approx(expected, abs=1e-6)
    assert (ours > 0).all() and (ours <= 1).all()


# --------------------------------------------------------------------------------- views and absence


def test_one_view_with_and_without_its_dimension():
    network, x = small(), windows(3, 8, 12)
    with torch.no_grad():
        np.testing.assert_array_equal(network(x).final, network(x[:, None]).final)


def test_views_in_another_order_give_the_same_in_that_order():
    network, x = small(), windows(2, 4, 8, 12)
    with torch.no_grad():
        straight, turned = network(x), network(x[:, [2, 0, 3, 1]])
    for name in HEADS:
        np.testing.assert_allclose(getattr(straight, name)[:, [2, 0, 3, 1]], getattr(turned, name), atol=1e-5)


@pytest.mark.parametrize(
    "options, fuse", [({}, "none"), ({"residual_components": 2}, "none"), ({"residual_components": 2}, "median")]
)
def test_an_absent_view_counts_as_if_it_had_not_been_given(options, fuse):
    network, x = with_weights(small(**options)), windows(3, 4, 8, 12)
    recipe = Recipe(fuse=fuse)
    present = torch.ones(3, 4, 8, dtype=torch.bool)
    present[:, 2] = False
    with torch.no_grad():
        without, masked = run(network, recipe, x[:, [0, 1, 3]])[0], run(network, recipe, x, present)[0]
        x[:, 2] = 1e4  # whatever stands there
        spoilt = run(network, recipe, x, present)[0]
    for name in (*HEADS, "quality"):
        np.testing.assert_allclose(getattr(masked, name)[:, [0, 1, 3]], getattr(without, name), atol=2e-5)
        np.testing.assert_allclose(getattr(spoilt, name)[:, [0, 1, 3]], getattr(without, name), atol=2e-5)
        assert torch.isfinite(getattr(masked, name)).all()


def test_single_absent_frames_are_not_looked_at():
    """Changing the tokens of frames that one view lacks changes nothing for the other, which has them all."""
    network, x = small(), windows(3, 2, 8, 12)
    present = torch.ones(3, 2, 8, dtype=torch.bool)
    present[:, 1, 5:] = False

    def change(module, args, embedded):
        embedded = embedded.clone()
        embedded[:, 1, 5:] += 3
        return embedded

    with torch.no_grad():
        before = network(x, present)
        network.proj_i_a.register_forward_hook(change)
        after, unmasked = network(x, present), network(x)
    for name in HEADS:
        ours, changed = getattr(before, name)[:, 0], getattr(after, name)[:, 0]
        np.testing.assert_allclose(changed, ours, atol=2e-5, err_msg=name)
        assert not torch.allclose(getattr(unmasked, name)[:, 0], ours, atol=1e-3)


def test_all_present_is_no_mask():
    network, x = small(), windows(3, 4, 8, 12)
    with torch.no_grad():
        np.testing.assert_allclose(network(x, torch.ones(3, 4, 8, dtype=torch.bool)).final, network(x).final, atol=1e-6)


def test_a_window_of_absent_views_trains_without_nan():
    network = small().train()
    x, present = windows(3, 2, 8, 12), torch.ones(3, 2, 8, dtype=torch.bool)
    present[0] = False
    loss, _ = refinement_loss(network(x, present), torch.zeros_like(x), present=present)
    loss.backward()
    assert torch.isfinite(loss) and all(torch.isfinite(p.grad).all() for p in network.parameters())


# ------------------------------------------------------------------------------------- residual form


@pytest.mark.parametrize("present", [None, torch.arange(24).reshape(3, 8) != 13])
@pytest.mark.parametrize("training", [False, True])
def test_without_additions_it_is_the_published_network(training, present):
    """SynSP alone and ResidualSynSP with no option: the same weights from the same seed, and the same numbers."""
    torch.manual_seed(0)
    plain = SynSP(12, Sizes(32, 48, 2, 2, 16, 16))
    torch.manual_seed(0)
    ours = ResidualSynSP(12, Sizes(32, 48, 2, 2, 16, 16))
    assert plain.state_dict().keys() == ours.state_dict().keys()
    assert all(torch.equal(value, ours.state_dict()[name]) for name, value in plain.state_dict().items())
    x = windows(2, 3, 8, 12)
    present = None if present is None else present.expand(2, 3, 8)
    results = []
    for network in (plain, ours):
        torch.manual_seed(1)  # of the dropout
        results.append(network.train(training)(x, present))
    for name in (*HEADS, "quality"):
        assert torch.equal(getattr(results[0], name), getattr(results[1], name)), name


@pytest.mark.parametrize("frames", [8, 16])
def test_untrained_residual_network_gives_the_windows_mean_and_slope(frames):
    """The first two DCT components: the mean, and half a period of a cosine fitted by least squares."""
    x = windows(3, frames, 12)
    with torch.no_grad():
        out = small(residual_components=2)(x)
    half_wave = np.cos(np.pi * (np.arange(frames) + 0.5) / frames)
    basis = np.stack((np.ones(frames), half_wave), axis=1)
    for window, result in zip(x.numpy(), out.final[:, 0].numpy()):
        np.testing.assert_allclose(result, basis @ np.linalg.lstsq(basis, window, rcond=None)[0], atol=1e-5)
    assert torch.equal(out.final, out.precision) and torch.equal(out.final, out.smoothness)


def test_residual_with_all_components_starts_as_the_identity():
    x = windows(3, 8, 12)
    with torch.no_grad():
        np.testing.assert_allclose(small(residual_components=8)(x).final[:, 0], x, atol=1e-5)
        np.testing.assert_allclose(small(residual_components=50)(x).final[:, 0], x, atol=1e-5)


def test_aligned_views_start_from_their_median():
    x = windows(3, 3, 8, 12)
    with torch.no_grad():
        out, _ = run(small(residual_components=8), Recipe(align="sequence", fuse="median"), x)
    np.testing.assert_allclose(out.final, x.median(1, keepdim=True).values.expand_as(x), atol=1e-5)


# ------------------------------------------------------------------------------------------ segments


SEGMENTS = Recipe(window=32, segment=8)


def segmented(**options):
    """A network of segments and the one for windows of their length whose weights it holds."""
    plain = with_weights(small(residual_components=2, **options))
    network = small(residual_components=2, segments=True, **options)
    network.load_state_dict({**plain.state_dict(), "segment_bias": network.segment_bias})
    return network, plain


def by_segments(network, x, present=None):
    """Windows of several segments of 8 frames, through the steps: `Heads`."""
    return run(network, SEGMENTS, x[:, None] if x.dim() == 3 else x, present)[0]


def test_segments_that_see_no_others_are_windows(monkeypatch):
    network, plain = segmented()
    x = windows(3, 2, 32, 12)
    with torch.no_grad():
        one, apart, near = by_segments(network, x[:, :, :8]), plain(x.reshape(-1, 8, 12)), by_segments(network, x)
        monkeypatch.setattr(residual, "ELSEWHERE", -1e4)
        alone = by_segments(network, x)
    for head in HEADS:
        expected = getattr(apart, head).reshape(3, 2, 32, 12)
        torch.testing.assert_close(getattr(one, head), expected[:, :, :8])
        torch.testing.assert_close(getattr(alone, head), expected, atol=1e-4, rtol=0)
        assert (getattr(near, head) - expected).abs().max() > 0.001
    torch.testing.assert_close(alone.quality, apart.quality.reshape(3, 2, 32))


def test_the_bias_of_segments_goes_by_their_distance():
    """Every head of every layer listens to its own segment and the one before: what comes later has no say."""
    network, _ = segmented()
    network.segment_bias.data[:] = -1e4
    network.segment_bias.data[..., residual.REACH - 1 : residual.REACH + 1] = 4
    x = windows(1, 32, 12)
    changed = x.clone()
    changed[:, 16:24] += 1
    with torch.no_grad():
        moved = (by_segments(network, changed).final - by_segments(network, x).final).abs()[0, 0]
    moved = moved.amax(-1).unflatten(0, (4, 8)).amax(-1)
    assert moved[0] == moved[1] == 0 and moved[2] > 0.1 and moved[3] > 1e-3


def test_each_view_of_segments_is_by_itself_and_absent_frames_have_no_say():
    network, _ = segmented()
    x = windows(2, 3, 16, 12)
    present = torch.ones(2, 3, 16, dtype=torch.bool)
    present[0, 1, 3:6] = False
    changed = x.clone()
    changed[0, 2] += 1
    with torch.no_grad():
        out, other = by_segments(network, x, present).final, by_segments(network, changed, present).final
        views = [by_segments(network, x[:, view], present[:, view, None]).final for view in range(3)]
        alone, whole = torch.cat(views, dim=1), by_segments(network, x).final
    torch.testing.assert_close(out[:, :2], other[:, :2])
    torch.testing.assert_close(out, alone)
    assert (out[0, 1] - whole[0, 1]).abs().max() > 1e-3
    torch.testing.assert_close(out[1], whole[1])


def test_segments_must_fill_the_window():
    with pytest.raises(UserError, match="20 frames.*segments of 8"):
        by_segments(segmented()[0], windows(1, 20, 12))


def test_the_bias_of_segments_learns():
    network, _ = segmented()
    by_segments(network.train(), windows(2, 32, 12)).final.sum().backward()
    assert (network.segment_bias.grad != 0).all()


# ------------------------------------------------------------------------------- dropout and precision


@pytest.mark.parametrize("share", [0.05, 0.1, 0.2, 0.5, 0.9])
def test_dropout_drops_its_share_and_keeps_the_mean(share):
    torch.manual_seed(0)
    x = torch.ones(400_003)  # not a multiple of 8
    out = attention_layers.dropout(x, share)
    kept = out != 0
    assert abs(float((~kept).double().mean()) - share) < 0.004  # 1/256 of rounding and 4 deviations of chance
    assert float(out.double().mean()) == pytest.approx(1, abs=0.02)
    assert len(out[kept].unique()) == 1
    # No pattern: neighbours are dropped together as often as chance has it.
    assert abs(float((~kept[1:] & ~kept[:-1]).double().mean()) - share**2) < 0.004


def test_dropout_differs_from_call_to_call_and_is_seeded():
    x = torch.ones(1000)
    torch.manual_seed(5)
    first, second = attention_layers.dropout(x, 0.2), attention_layers.dropout(x, 0.2)
    torch.manual_seed(5)
    assert not torch.equal(first, second) and torch.equal(attention_layers.dropout(x, 0.2), first)
    assert torch.equal(attention_layers.dropout(x, 0.0), x)


def test_gradient_of_dropout_is_its_own_mask():
    x = torch.randn(2000).requires_grad_()
    out = attention_layers.dropout(x, 0.3)
    out.sum().backward()
    np.testing.assert_allclose(x.grad, torch.where(out != 0, out / x, 0).detach(), rtol=1e-5)


def test_training_mode_is_random_and_eval_is_not():
    network, x = small(), windows(3, 8, 12)
    with torch.no_grad():
        assert torch.equal(network(x).final, network(x).final)
        network.train()
        first, second = network(x), network(x)
    assert not torch.equal(first.final, second.final)
    assert not torch.equal(first.precision, first.smoothness)  # two passes that differ in their dropout


def test_bfloat16_is_close_to_float32():
    network, x = small(), windows(4, 2, 8, 12, scale=0.3)
    with torch.no_grad():
        exact = network(x)
        with torch.autocast("cpu", torch.bfloat16):
            coarse = network(x)
    for name in HEADS:
        difference = (getattr(coarse, name).float() - getattr(exact, name)).abs().max()
        assert difference < 0.03 * getattr(exact, name).abs().max()


def test_bfloat16_with_absent_views_trains():
    network = small().train()
    x, present = windows(4, 3, 8, 12), torch.ones(4, 3, 8, dtype=torch.bool)
    present[1, 2] = False
    for mode in (True, False):
        network.train(mode)
        with torch.autocast("cpu", torch.bfloat16):
            out = network(x, present)
        loss, _ = refinement_loss(out, torch.zeros_like(x), present=present)
        loss.backward()
        assert all(torch.isfinite(p.grad).all() for p in network.parameters())


def test_the_full_size_has_no_dead_weight():
    network = SynSP(51)
    out = network.train()(windows(2, 8, 51))
    (out.final.sum() + out.precision.sum() + out.smoothness.sum()).backward()
    assert all(p.grad is not None for p in network.parameters())
    dead = 3.92e6 * 0.29
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(3.92e6 - dead, rel=0.01)


def test_a_batch_is_its_windows_one_by_one():
    network, x = small(), windows(5, 2, 8, 12)
    with torch.no_grad():
        together = network(x).final
        for k in range(5):
            np.testing.assert_allclose(network(x[k : k + 1]).final[0], together[k], atol=1e-5)


def test_an_absent_frame_is_not_the_windows_worst():
    """The cue of a frame is against the worst frame that is there."""
    precision, smoothness = windows(2, 3, 8, 12), windows(2, 3, 8, 12, seed=1)
    present = torch.ones(2, 3, 8, dtype=torch.bool)
    present[:, 1, 5] = False
    other = precision.clone()
    other[:, 1, 5] += 100
    first, second = (quality_cue(values, smoothness, present)[present] for values in (precision, other))
    assert torch.equal(first, second)
    assert not torch.equal(first, quality_cue(other, smoothness)[present])
