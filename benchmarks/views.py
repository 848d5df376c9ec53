"""SynSP on four views: its memory's tokens projected once a window, against projecting them for every view.

    python -m benchmarks.views

The published network adds to the tokens of all views one scalar a view and token, and then projects the sum
to keys and values for every view, every layer and every pass. Ours projects the tokens once a window and
adds the scalar's part, which is of rank one (lib/models/attention.py). Both forms here are the same network,
with the same weights and everything else in common. One thread, W 8, 51 channels, default sizes, without
gradient, as when refining.
"""

import copy

import torch

from benchmarks.measuring import Row, best, interleaved, show
from lib.models.attention import Memory
from lib.models.synsp import SynSP

BATCH, VIEWS, WINDOW, CHANNELS = 256, 4, 8, 51
BAR = 1.4
CLOSE = 1e-5  # of the largest magnitude


def all_tokens(memory):
    """A memory with every view's tokens in a row, [B*V, M, d], and nothing shared; made once a memory."""
    if memory.shared is None:
        return memory
    if not hasattr(memory, "in_a_row"):
        tokens = memory.shared[:, None] + memory.added[..., None].to(memory.shared.dtype)
        memory.in_a_row = Memory(torch.cat((memory.own, tokens.flatten(0, 1)), dim=1))
    return memory.in_a_row


def projecting_every_run(network):
    """A copy of a SynSP whose decoder layers project the tokens of every view, anew each time a layer runs."""
    network = copy.deepcopy(network)
    for decoder in (network.decoder, network.decoder_2):
        for layer in decoder.layer_stack:
            attention = layer.enc_attn
            # What is kept for a layer's runs is the memory itself, and each run begins with its projection.
            attention.keys_values = all_tokens
            attention.forward = _projecting(attention)
    return network


def _projecting(attention):
    project, attend = type(attention).keys_values, type(attention).forward
    return lambda x, memory, absent=None: attend(attention, x, project(attention, memory), absent)


def network_and_windows():
    """(SynSP with random weights, windows [B, V, F, C] of random walks), seeded."""
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    windows = 0.3 * torch.randn(BATCH, VIEWS, 1, CHANNELS, generator=generator)
    steps = 0.02 * torch.randn(BATCH, VIEWS, WINDOW, CHANNELS, generator=generator)
    return SynSP(CHANNELS).eval(), windows + steps.cumsum(2)


def difference(network, other, windows):
    """The largest difference of any output, as a share of that output's largest magnitude."""
    with torch.no_grad():
        ours, theirs = network(windows), other(windows)
    pairs = [(getattr(ours, name), getattr(theirs, name)) for name in ("final", "precision", "smoothness", "quality")]
    return max(float((one - two).abs().max() / two.abs().max()) for one, two in pairs)


@torch.no_grad()
def rows():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    network, windows = network_and_windows()
    plain = projecting_every_run(network)
    apart = difference(network, plain, windows)
    slow, ours = interleaved([lambda: plain(windows), lambda: network(windows)], rounds=8, warm=1)
    torch.set_num_threads(threads)
    ratio = best(slow) / best(ours)
    what = f"SynSP forward, {VIEWS} views, W {WINDOW}, {BATCH} windows"
    return [
        Row(
            what,
            f"a view {1e3 * best(slow):.0f} ms",
            f"{1e3 * best(ours):.0f} ms",
            ratio,
            f">= {BAR}x",
            ratio >= BAR and apart <= CLOSE,
        )
    ]


if __name__ == "__main__":
    show(rows())
