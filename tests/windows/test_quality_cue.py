"""What the shipped four-view network makes of a view that is corrupted, on the shipped four-camera sample.

In each recording one view's joints are exchanged at random over eight frames, a whole window. (Two of the five,
long ones, are left out for speed.)
"""

import math

import pytest
import torch

from lib.command_line import Request
from lib.dataset import catalog, sequences
from lib.evaluation.methods import stacked
from lib.evaluation.networks import load_networks
from lib.windows.fusing import agreement
from lib.windows.pipeline import refine

FRAMES = 8


@pytest.fixture(scope="module")
def seen(root):
    """For each recording (corrupted view, frames, clean and corrupted), the last two each (windows [N, V, W, C],
    Heads, cue [V, T])."""
    checkpoint = root / "data" / "checkpoints" / "synsp_mv_3D_w8.pth.tar"
    request = Request(
        "eval",
        [
            "--checkpoint",
            str(checkpoint),
            "--dataset_name",
            "mmocap",
            "--estimator",
            "noise",
            "--body_representation",
            "3D",
            "DEVICE",
            "cpu",
            "DATASET.BASE_DIR",
            str(root / "data" / "poses"),
        ],
    )
    cfg, (method,) = load_networks(request, torch.device("cpu"))
    split = sequences.load(*catalog.sources(cfg), "test", cfg)
    generator, found = torch.Generator().manual_seed(0), []
    for number, (poses, _) in enumerate(list(stacked(split))[::2]):
        view, middle = number % len(poses), (poses.shape[1] - FRAMES) // 2
        frames = slice(middle, middle + FRAMES)
        joints = poses.clone().unflatten(-1, (-1, 3))
        order = torch.cat((torch.tensor([0]), 1 + torch.randperm(joints.shape[2] - 1, generator=generator)))
        joints[view, frames] = joints[view, frames][:, order]
        found.append((view, frames, [_through(method, split, each) for each in (poses, joints.flatten(-2))]))
    return found


def _through(method, split, poses):
    noted = []
    hook = method.network.register_forward_hook(lambda _, inputs, output: noted.append((inputs[0], output)))
    try:
        (result,) = refine(method.network, [(poses, None)], method.recipe.but(root=tuple(split.layout.root)))
    finally:
        hook.remove()
    ((windows, output),) = noted
    return windows, output, result.quality


def rise(before, after, view):
    """How much a number of each view [V] rose: (of one view, most of any other)."""
    change = after - before
    return change[view], torch.cat((change[:view], change[view + 1 :])).max()


def test_heads_disagree_more_about_the_corrupted_view(seen):
    """The cue's raw material: the two heads' distance, over the window that is corrupted from end to end."""
    for view, frames, both in seen:
        apart = [(output.precision - output.smoothness)[frames.start].abs().mean((1, 2)) for _, output, _ in both]
        own, others = rise(*apart, view)
        assert own > 0.2 * apart[0][view] and own > others


def test_the_other_views_tokens_weigh_the_corrupted_view_less(seen):
    """What the network adds to a view's tokens for another view (SPEC 5.4): least to the corrupted one's."""
    for view, frames, both in seen:
        clean, corrupted = (_agreement(windows[frames.start]) for windows, _, _ in both)
        own, others = rise(-clean, -corrupted, view)
        assert own > 2 * max(others, 0)
        assert corrupted.argmin() == view


def _agreement(window):
    """Mean similarity of each view to the others, [V], of one window [V, W, C]."""
    similarity = (-(window[:, None] - window[None]).square().mean(-1)).exp().mean(-1)
    return (similarity.sum(1) - 1) / (len(window) - 1)


def test_the_cue_falls(seen):
    """What the strips under a video show: of the corrupted view, by at least a tenth, of no other as much."""
    for view, frames, ((_, _, before), (_, _, after)) in seen:
        own, others = rise(-before[:, frames].mean(1), -after[:, frames].mean(1), view)
        assert own > max(others, 0.1 * before[view, frames].mean())


def test_agreement_by_the_formula():
    values = torch.zeros(1, 3, 2, 51)
    values[0, 2] = 0.1  # one view lies 10 cm off in every coordinate, the median is that of the others
    expected = torch.tensor([1.0, 1.0, math.exp(-1)])
    torch.testing.assert_close(agreement(values)[0], expected[:, None].expand(3, 2))
    absent = torch.tensor([[[True] * 2, [False] * 2, [True] * 2]])  # of two views neither is the right one
    torch.testing.assert_close(agreement(values, absent)[0, ::2], torch.full((2, 2), math.exp(-0.25)))
