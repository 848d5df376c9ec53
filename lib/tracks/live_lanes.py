"""What refines the joints of a live stream: a network over windows, the One-Euro filter, the Kalman filter.

A lane has its joints [K] and a window. `begin(lag)` comes once, `step` for each frame for which `needed`, `put` writes the frame from
`late` steps ago into the output [P, J, D], `close` comes at the end. `stream` is the `lib.tracks.live.Stream` that it is part of.

P people, J joints, D coordinates, W window, L lag.
"""

from collections import deque

import numpy as np
import torch

from ..filters.fixed import OneEuro
from ..filters.kalman import LiveKalman
from ..poses.space import IDENTITY
from ..windows.body import SoFar
from ..windows.merge import StreamMerge
from .auto import RunningShare, typical_of
from .own_places import SlowPart, are_others
from .plan import RATE


class NetworkLane:
    """A network's part of a stream: its windows, merged for the frames that are not out yet."""

    def __init__(self, stream, model, fit, joints=None):
        """fit: a mapping onto the network's joints, or None for a network that takes the given joints [K] one by one."""
        self.recipe, self.window, self.fit = model.recipe, model.window, fit
        self.module = stream.refiner.module(model)
        if fit is not None:
            self.picks, self.joints = (np.array(side) for side in zip(*fit.written))
            self.needs = fit.needed
        else:
            self.joints = self.needs = joints
            self.picks = np.arange(len(joints))
        self.merge, self.roots, self.gain = None, None, model.network.gain
        self.body = SoFar(self.recipe.bones) if self.recipe.bones else None
        keeps = fit is not None and stream.refiner.own_places and are_others(fit, model.recipe)
        self.slow = SlowPart(stream.rate) if keeps else None
        self.names = stream.likeness.joint_names
        self.shares = [] if stream.plan.blend else None  # `RunningShare` a person, of `auto`

    def begin(self, lag):
        self.merge = StreamMerge(self.recipe.streamed(lag), self.gain)

    def needed(self, stream):
        # At lag W-1 the first frames wait for whole windows.
        return stream.lag < self.window - 1 or stream.frame >= self.window - 1

    def _rows(self, values):
        """The network's joints of values [P, N, J, D]: float32 [P, N, K, D]."""
        if self.fit is not None:
            values = self.fit.take(values)
            if self.fit.missing:
                values[..., list(self.fit.missing), :] = IDENTITY
        else:
            values = values[..., self.joints, :]
        return np.ascontiguousarray(values, dtype=np.float32)

    def _refined(self, rows, stream):
        """Network output of windows [P, W, K, D]."""
        # Of joints without a root as in files: far off, a network would draw them towards where it was trained.
        about_middle = self.fit is None and stream.without_root
        middle = rows.mean(axis=(1, 2), keepdims=True) if about_middle else np.zeros(1, dtype=np.float32)
        told = () if self.body is None else (torch.from_numpy(self.body.mean),)
        out = self.module(torch.from_numpy((rows - middle).reshape(*rows.shape[:2], -1)), *told)
        return out.numpy().reshape(rows.shape) + middle

    def _see(self, rows, fresh=None):
        """New frames [P, N, K, D]; fresh: as of `lib.windows.body.SoFar.add`."""
        if self.body is not None:
            for frame in range(rows.shape[1]):
                self.body.add(rows[:, frame].reshape(len(rows), -1), fresh)

    def step(self, stream, values, roots):
        rows = self._rows(values[:, -self.window :])
        self._see(rows[:, -1:] if self.merge.begun else rows[:, -stream.frame - 1 :], stream.back)
        if stream.rewritten and self.merge.begun:
            self._cut_again(stream)
        self.merge.add(self._refined(rows, stream), stream.frame, stream.back, rows)
        self.roots = roots

    def _cut_again(self, stream):
        """The windows of the last L frames anew: a spike is known some frames after it came."""
        rows = self._rows(stream.into(stream.buffer)[0])
        self.merge.restart()
        first = 0 if stream.lag < self.window - 1 else self.window - 1
        for late in range(min(stream.lag, stream.frame - first), 0, -1):
            window = rows[:, : rows.shape[1] - late][:, -self.window :]
            self.merge.add(self._refined(window, stream), stream.frame - late, given=window)

    def _share(self, stream, late):
        """How much of the correction of the frame `late` steps ago is taken over: [P, 1, 1], or 1."""
        if self.shares is None:
            return 1.0
        poses = np.where(stream.there[:, -1 - late, :, None], stream.buffer[:, -1 - late], np.nan)
        self.shares = self.shares or [RunningShare(self.names, stream.rate, typical_of(self.recipe)) for _ in poses]
        scales = [space.one_scale for space in stream.spaces]
        return np.array([one.step(pose, scale) for one, pose, scale in zip(self.shares, poses, scales)])[:, None, None]

    def put(self, stream, out, late):
        share = self._share(stream, late)
        if not self.merge.begun:
            return
        # In `auto` about the root that the filter found.
        roots = self.roots[:, -1 - late] if self.shares is None else stream.into(out[:, None])[1][:, 0]
        values = stream.outof_joints(self.merge.at(late)[:, self.picks], self.joints, roots)
        able = stream.known[:, self.needs]
        if self.fit is None:
            out[:, self.joints] = np.where(able[..., None], values, out[:, self.joints])
            return
        if self.slow is not None:
            values = values - self.slow.step(values - out[:, self.joints], stream.back)
        values = out[:, self.joints] + share * (values - out[:, self.joints])
        # Without all joints of the network, a person is left to what comes after it.
        whole = able.all(axis=1)
        out[np.flatnonzero(whole)[:, None], self.joints] = values[whole]

    def close(self, stream):
        """At the end of a recording shorter than W: one window with copies of the last frame, as offline."""
        count = stream.frame + 1
        if self.merge.begun or not 1 < count < self.window:  # of one frame alone nothing can be said
            return
        frames = stream.buffer[:, -count:]
        poses = np.concatenate([frames, np.repeat(frames[:, -1:], self.window - count, axis=1)], axis=1)
        values, roots = stream.into(poses)
        rows = self._rows(values)
        self._see(rows[:, :count])
        self.merge.add_all(self._refined(rows, stream), count)
        self.roots = roots[:, :count]


class OneEuroLane:
    """The One-Euro filter, which needs no window and adds no lag of its own; parameters as in `registry.at_rate`.

    It falls behind a body that walks: joints go through it about the root, and the root through `LiveKalman`.
    """

    window = 1

    def __init__(self, stream, joints):
        node, factor = stream.refiner.cfg.EVALUATE.TRADITION_ONEEURO, stream.rate / RATE
        self.filter, self.joints = OneEuro(node.MIN_CUTOFF / factor, node.BETA, 1 / factor), joints

    def begin(self, lag):
        self.done, self.path, self.lag = deque(maxlen=lag + 1), None, lag

    def needed(self, stream):
        return True

    def step(self, stream, values, roots):
        self.done.append((self.filter.step(values[:, -1][:, self.joints]), roots[:, -1]))
        roots = roots[:, -1, 0]
        if self.path is None:
            self.path = LiveKalman(*roots.shape, stream.rate, self.lag)
        self.path.restart(stream.jumped | (stream.returned.mean(axis=1) > 0.5))  # who was away, and not a limb
        self.path.step(roots, (stream.unseen == 0).any(axis=1).astype(float))

    def put(self, stream, out, late):
        values, came = self.done[-1 - late]
        roots = self.path.late(late)[0][:, None]
        out[:, self.joints] = stream.outof_joints(values, self.joints, np.where(np.isfinite(roots), roots, came))

    def close(self, stream):
        pass


class KalmanLane:
    """The Kalman filter at the stream's lag, which learns the jitter on the way.

    in_place: joints are read where they are, as a noisy root would add its jitter to each; else about the root, which stays as it is.
    """

    window = 1

    def __init__(self, joints, in_place=False):
        self.joints, self.in_place, self.live, self.roots = joints, in_place, None, None

    def begin(self, lag):
        self.roots = deque(maxlen=lag + 1)

    def needed(self, stream):
        return True

    def step(self, stream, values, roots):
        if self.in_place:
            values, _ = stream.into(stream.buffer[:, -1:], about_root=False)
        now = values[:, -1][:, self.joints]
        if self.live is None:
            self.live = LiveKalman(now.shape[0] * now.shape[1], now.shape[2], stream.rate, stream.lag)
        # Who is suddenly elsewhere begins anew: frames that are not out yet are then as they came.
        self.live.restart((stream.returned | stream.jumped[:, None])[:, self.joints].ravel())
        seen = stream.unseen[:, self.joints].ravel() == 0
        self.live.step(now.reshape(len(seen), -1), seen.astype(float))
        self.roots.append(np.zeros_like(roots[:, -1]) if self.in_place else roots[:, -1])

    def put(self, stream, out, late):
        places, _ = self.live.late(late)
        places = places.reshape(len(out), len(self.joints), -1)
        places = stream.outof_joints(places, self.joints, self.roots[-1 - late])
        out[:, self.joints] = np.where(np.isfinite(places), places, out[:, self.joints])

    def close(self, stream):
        pass
