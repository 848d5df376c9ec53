"""Both forms of the several-view benchmark are the same network."""

import torch

from benchmarks import views


def test_projecting_every_view_gives_the_same_numbers():
    network, windows = views.network_and_windows()
    assert views.difference(network, views.projecting_every_run(network), windows[:3]) <= views.CLOSE


def test_every_run_projects_all_tokens():
    """Nine runs of a decoder layer (3, twice the last, then 4): each projects all 8 + 4 * 8 tokens a view."""
    network, windows = views.network_and_windows()
    plain, seen = views.projecting_every_run(network), []
    for decoder in (plain.decoder, plain.decoder_2):
        for layer in decoder.layer_stack:
            attention = layer.enc_attn
            attention.forward = _noting(attention.forward, seen)
    with torch.no_grad():
        plain(windows[:3])
    assert seen == [(12, 40, 128)] * 9


def _noting(run, seen):
    def noted(x, memory, absent=None):
        seen.append(tuple(memory.own.shape))
        return run(x, memory, absent)

    return noted
