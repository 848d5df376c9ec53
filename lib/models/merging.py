"""Learned ways from a network's windows to one pose per frame: `Blend` of whole recordings, `Gain` of streams without delay.

Both are small recurrent networks that read distances alone and set shares of differences between poses, so that neither
heading nor place matters. `lib.training.merging` trains them after the network, which stays as it is.

Blend. The mean of the windows over a frame is late where a joint is fast and still jitters where it rests. Here shares are set, for each joint and
frame, of what each window, the frames around it and the input say apart from that mean; a bidirectional network sets them.

Gain. The newest pose of a window is its worst: one frame later more windows would know it. Blended with the previous output it
jitters less but comes late. Here the blend is set anew for each joint and frame, as in KalmanNet (Revach et al., "KalmanNet: Neural network aided
Kalman filtering for partially known dynamics", IEEE Transactions on Signal Processing 2022), where a network learns the gain of a
Kalman filter: a joint at rest may stay where it is, a fast one is followed at once.

P people, T frames, N windows, W window, J joints, C = 3 J channels, F features. Poses are in metres, everything within in mm.
"""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

MM = 1000.0  # network units are metres
WIDTH, MEMORY = 48, 32  # of the recurrent networks
AROUND = (-4, -2, -1, 1, 2, 4)  # frames from each one whose means it looks at
BLOCK, MARGIN = 4096, 128  # frames; the memory of a blend does not reach further
SPEEDS = (1, 2, 4, 7)  # frames over which a gain measures speed
FEATURES = len(SPEEDS) + 6  # of a gain's evidence
PARTS = 4  # numbers that a gain sets for each joint and frame


@dataclass
class Apart:
    """What a blend looks at: features [..., T, J, F]; differences [..., T, J, D, 3] from the mean [..., T, J, 3], in mm."""

    features: torch.Tensor
    differences: torch.Tensor
    mean: torch.Tensor


class Blend(nn.Module):
    """The poses of a whole recording from all windows over each frame."""

    def __init__(self, joints, window, width=WIDTH, memory=MEMORY):
        super().__init__()
        self.window, count = window, window + len(AROUND) + 1
        self.of_joint = nn.Parameter(torch.zeros(joints, width))
        self.enter = nn.Linear(count + 1, width)
        self.cell = nn.GRU(width, memory, batch_first=True, bidirectional=True)
        self.leave = nn.Linear(width + 2 * memory, count)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    @property
    def joints(self):
        return len(self.of_joint)

    def fits(self, window):
        """Whether it can be used for windows of so many frames."""
        return window == self.window

    def forward(self, windows, frames, weights):
        """windows [..., N, W, C] at consecutive starts; frames [..., T, C], what they were cut from; weights [W] of the mean.

        Both in metres. Returns [..., T, C].
        """
        shape, window = frames.shape, windows.shape[-2]
        windows, frames = windows.reshape(-1, *windows.shape[-3:]).float(), frames.reshape(-1, *shape[-2:]).float()
        parts = []
        for first in range(0, shape[-2], BLOCK):  # long recordings part by part, each with what lies about it
            begin, end = max(0, first - MARGIN), min(shape[-2], first + BLOCK + MARGIN)
            evidence = self.evidence(windows[:, begin : end - window + 1], frames[:, begin:end], weights)
            parts.append(self.along(evidence)[:, first - begin :][:, :BLOCK])
        return (torch.cat(parts, dim=1) / MM).reshape(shape)

    def evidence(self, windows, frames, weights):
        """The `Apart` of windows [P, N, W, C] over frames [P, T, C], T = N + W - 1."""
        said, given = (MM * each.unflatten(-1, (-1, 3)) for each in (windows, frames))
        count, window = said.shape[1:3]
        place = torch.arange(window, device=said.device)
        start = torch.arange(count + window - 1, device=said.device)[:, None] - place  # [T, W]
        there = (start >= 0) & (start < count)
        each = said[:, start.clamp(0, count - 1), place].movedim(2, 3)  # [P, T, J, W, 3]
        share = weights.to(said) * there
        share = (share / share.sum(1, keepdim=True))[:, None, :, None]
        mean = (each * share).sum(-2)
        frame = torch.arange(len(start), device=said.device)
        around = [mean[:, (frame + away).clamp(0, len(start) - 1)] - mean for away in AROUND]
        differences = torch.cat(
            (
                torch.where(there[:, None, :, None], each - mean[..., None, :], 0.0),
                torch.stack((*around, given - mean), dim=-2),
            ),
            dim=-2,
        )
        sizes = differences.norm(dim=-1)
        speed = sizes[..., window + len(AROUND) // 2].mean(-1, keepdim=True)  # of the whole body, to the next frame
        features = torch.cat((sizes, speed[..., None].expand(*sizes.shape[:-1], 1)), dim=-1)
        return Apart(_scaled(features), differences, mean)

    def along(self, evidence):
        """The poses [P, T, J, 3] in mm. Differentiable."""
        entered = functional.gelu(self.enter(evidence.features) + self.of_joint)
        people, _, joints = entered.shape[:3]
        memory, _ = self.cell(entered.transpose(1, 2).flatten(0, 1))
        memory = memory.unflatten(0, (people, joints)).transpose(1, 2)
        shares = torch.tanh(self.leave(torch.cat((entered, memory), dim=-1)))
        return evidence.mean + (shares[..., None] * evidence.differences).sum(-2)

    @staticmethod
    def plain(evidence):
        """What would be without it: the weighted mean of the windows."""
        return evidence.mean


@dataclass
class Evidence:
    """What frames say before the last output is known: features [..., J, F]; newest: the window's pose; velocity: by the window, a frame;
    revised: what the window before said of the frame before, less what this one says; each [..., J, 3] in mm."""

    features: torch.Tensor
    newest: torch.Tensor
    velocity: torch.Tensor
    revised: torch.Tensor

    def at(self, frame):
        """Of one frame of [P, T, J, ...]."""
        return Evidence(*(values[:, frame] for values in vars(self).values()))


@dataclass
class State:
    """After a frame: the last two outputs [P, J, 3] in mm, the memory [P, J, H], and the last window [P, W, C]."""

    last: torch.Tensor
    second: torch.Tensor
    memory: torch.Tensor
    window: torch.Tensor | None = None


class Gain(nn.Module):
    """The pose of each frame from the windows that end there: `step` by step in streams, `forward` for whole recordings."""

    def __init__(self, joints, width=WIDTH, memory=MEMORY):
        super().__init__()
        self.of_joint = nn.Parameter(torch.zeros(joints, width))
        self.enter = nn.Linear(FEATURES + 2, width)
        self.cell = nn.GRUCell(width, memory)
        self.leave = nn.Linear(width + memory, PARTS)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    @property
    def joints(self):
        return len(self.of_joint)

    def fits(self, window):
        """Whether it can be used for windows of so many frames."""
        return window > max(SPEEDS)

    def forward(self, windows, detected):
        """windows [..., T, W, C]: what the network says of the window that ends at each frame; detected: what it was given.

        Both in metres. Returns [..., T, C].
        """
        shape = windows.shape[:-2]
        windows, detected = (each.reshape(-1, *each.shape[-3:]).float() for each in (windows, detected))
        before = torch.cat((windows[:, :1], windows[:, :-1]), dim=1)
        poses = self.along(self.evidence(windows, detected, before))
        return poses.flatten(-2).reshape(*shape, -1) / MM

    @staticmethod
    def plain(evidence):
        """What would be without it: the newest window's pose."""
        return evidence.newest

    def along(self, evidence):
        """The outputs [P, T, J, 3] in mm of sequences of evidence, each begun anew. Differentiable."""
        state, poses = None, []
        for frame in range(evidence.newest.shape[1]):
            state = self.next(evidence.at(frame), state)
            poses.append(state.last)
        return torch.stack(poses, dim=1)

    def step(self, window, detected, state=None, fresh=None):
        """One frame of a stream: (pose [P, C] in metres, the new state).

        window, detected: [P, W, C]; state: of the frame before, None at the start; fresh: bool [P], people of whom nothing is known
        from before, or None.
        """
        window, detected = window.float(), detected.float()
        before = window if state is None else state.window
        if fresh is not None:
            before = torch.where(fresh[:, None, None], window, before)
        state = self.next(self.evidence(window, detected, before), state, fresh)
        state.window = window
        return state.last.flatten(1) / MM, state

    def evidence(self, windows, detected, before):
        """The `Evidence` of windows [..., W, C] in metres; before: the window before each."""
        said, given, earlier = (MM * each.unflatten(-1, (-1, 3)) for each in (windows, detected, before))
        newest, residual = said[..., -1, :, :], given - said
        speeds = [(newest - said[..., -1 - span, :, :]).norm(dim=-1) / span for span in SPEEDS]
        body = speeds[2].mean(-1, keepdim=True).expand_as(newest[..., 0])
        changed = (said[..., :-1, :, :] - earlier[..., 1:, :, :]).norm(dim=-1)
        steady = residual.mean(-3, keepdim=True)
        sizes = (
            *speeds,
            body,
            residual[..., -1, :, :].norm(dim=-1),
            residual.norm(dim=-1).mean(-2),
            (residual - steady).norm(dim=-1).mean(-2),
            changed.mean(-2),
            changed[..., -1, :],
        )
        velocity = (newest - said[..., -4, :, :]) / 3
        revised = earlier[..., -1, :, :] - said[..., -2, :, :]
        return Evidence(_scaled(torch.stack(sizes, dim=-1)), newest, velocity, revised)

    def next(self, now, state=None, fresh=None):
        """The `State` after one frame's evidence of P people.

        With n the newest window's pose, v its velocity, r what was revised, and a to d what the network says of a joint:
        y_t = n_t + sigmoid(a) (f_t - n_t) + tanh(d) r_t, foretold f_t = y_(t-1) + tanh(b) v_t + tanh(c) (y_(t-1) - y_(t-2)).
        """
        begun = State(now.newest, now.newest, now.newest.new_zeros(*now.newest.shape[:2], self.cell.hidden_size))
        if state is None:
            state = begun
        elif fresh is not None:
            pairs = ((begun.last, state.last), (begun.second, state.second), (begun.memory, state.memory))
            state = State(*(torch.where(fresh[:, None, None], new, kept) for new, kept in pairs))
        moved = state.last - state.second
        apart = ((now.newest - state.last).norm(dim=-1), (moved - now.velocity).norm(dim=-1))
        features = torch.cat((now.features, _scaled(torch.stack(apart, dim=-1))), dim=-1)
        entered = functional.gelu(self.enter(features) + self.of_joint)
        memory = self.cell(entered.flatten(0, 1), state.memory.flatten(0, 1)).unflatten(0, entered.shape[:2])
        blend, along, on, back = self.leave(torch.cat((entered, memory), dim=-1)).unbind(-1)
        foretold = state.last + torch.tanh(along)[..., None] * now.velocity + torch.tanh(on)[..., None] * moved
        pose = torch.lerp(now.newest, foretold, torch.sigmoid(blend)[..., None])
        return State(pose + torch.tanh(back)[..., None] * now.revised, state.last, memory)


def _scaled(sizes):
    """Sizes in mm as numbers near 0."""
    return torch.log1p(sizes) - 2
