"""Live refinement: one frame in, one frame out, a fixed number of frames later.

A stream of lag L gives frame t when frame t + L has come: the mean of the windows that end by then and hold it, which is
what `lib.windows.pipeline.refine(..., lag=L)` computes for a whole recording. L = W - 1 equals the offline
result but for what is known of the body so far, L = 0 is causal. One step is one pass of one window through the network, for all people at once.

P people, J joints, D coordinates, W window, L lag.
"""

from dataclasses import replace

import numpy as np
import torch

from ..errors import UserError
from ..formats.tracks import Track
from ..poses.gaps import JumpsSoFar
from ..poses.kinds import kind_of
from ..poses.space import enter, leave, space_of
from ..windows.recipe import check_lag
from .live_lanes import KalmanLane, NetworkLane, OneEuroLane
from .live_repair import LiveRepair
from .plan import RATE, Model, check_live

LAG = 3  # frames, where none is asked for and a network is at work: most of what waiting brings, at 100 ms


class Stream:
    """`step(frame)` for each frame [J, D], or [P, J, D] of P people, always the same; `flush()` at the end.

    NaN: missing. A key point that goes missing is held where it was for `max_gap` seconds, then it is missing in the
    output too; one that was never seen stays missing. Without a lag in the Refiner it is `LAG`, and 0 for the One-Euro
    filter. Rotations are axis-angles [J, 3] (`Refiner(kind="smpl")`).
    """

    def __init__(self, refiner):
        check_live(refiner.method, "Live")
        self.refiner, self.lag = refiner, refiner.lag
        self.frame, self.lanes, self.plan = -1, None, None
        self.notes = []

    # ------------------------------------------------------------------------------------------- setting up

    def _begin(self, poses):
        """Choose the networks by the first frame's shape: poses [P, J, D] as `enter` gives them."""
        refiner = self.refiner
        people, joints, dims = poses.shape
        self.likeness = refiner.track(
            leave(np.nan_to_num(poses[:1]), self.kind) if kind_of(self.kind).rotations else poses[:1]
        )
        self.plan = self._plan_of(poses) if refiner.method != "none" else None
        self.rate = refiner.fps or (self.plan.rate if self.plan else RATE)
        if self.plan and self.plan.blend and self.plan.network and self._other_rate():
            self.notes.append(
                f"the network was trained at {self.plan.rate:g} frames per second, not {self.rate:g}: left out"
            )
            self.plan = replace(self.plan, network=None, sentence=f"the filter {self.plan.channel}: another frame rate")
        self.lanes = self._lanes_of(joints) if self.plan else []
        windows = self._begin_lanes()
        self.window = max(windows, default=1)
        if self.plan and windows and self._other_rate():
            self.notes.append(
                f"warning: frames come at {self.rate:g} per second, the network was trained at {self.plan.rate:g}: live "
                "frames are not re-timed"
            )
        self.patience = refiner.max_gap * self.rate + 1e-6
        size = (people, self.window + self.lag, joints)  # whole windows about every frame that is not out yet
        self.buffer = np.zeros((*size, dims))  # the last frames, holes filled; the newest at the end
        self.there = np.zeros(size, dtype=bool)  # whether the output has that key point
        self.unseen = np.full((people, joints), np.inf)  # frames since a key point was seen
        self.space, self.spaces = None, [None] * people  # one for all where they are the same
        self.frames_known = np.zeros(people, dtype=int)  # frames since each was first seen
        self.jumps = JumpsSoFar() if dims > 1 and not kind_of(self.kind).rotations else None
        mends = refiner.repair and self.lanes and self.lag
        self.repair = LiveRepair(self.likeness.joint_names, self.kind, self.lag, self.rate) if mends else None

    def _other_rate(self):
        return abs(self.rate / self.plan.rate - 1) > 0.1

    def _plan_of(self, poses):
        """The plan by a first frame [P, J, D]: joints not seen in it may come, and are judged frame by frame."""
        guess = np.where(np.isfinite(poses[:1]), poses[:1], 0.0)
        plan = self.refiner.choice.plan(self.likeness, _plausible(guess, poses[:1]), live=True)
        self.refiner.choice.check_asked([plan])
        return plan

    def _begin_lanes(self):
        """Settle the lag and begin the lanes with it; returns the networks' windows."""
        windows = [lane.window for lane in self.lanes if isinstance(lane, NetworkLane)]
        if self.lag is None:
            waits = any(not isinstance(lane, OneEuroLane) for lane in self.lanes)
            self.lag = min([LAG, *(window - 1 for window in windows)]) if waits else 0
        if windows:
            check_lag(self.lag, min(windows))
        for lane in self.lanes:
            lane.begin(self.lag)
        return windows

    def _lanes_of(self, joints):
        """What refines the J joints: the plan's network for those of its mapping, its per-channel method for the rest."""
        lanes = []
        if self.plan.network is not None:
            lanes.append(NetworkLane(self, self.plan.network, self.plan.mapping))
        rest = np.setdiff1d(np.arange(joints), lanes[0].joints if lanes and not self.plan.blend else [])
        if len(rest):
            channel = self.plan.channel
            if isinstance(channel, Model):
                lanes.append(NetworkLane(self, channel, None, rest))
            else:
                in_place = self.refiner.choice.in_place
                lanes.append(OneEuroLane(self, rest) if channel == "oneeuro" else KalmanLane(rest, in_place))
        return lanes

    def describe(self):
        """Lag and method in one line, once a frame has come."""
        delay = f"lag {self.lag} frames = {1000 * self.lag / self.rate:.0f} ms at {self.rate:g} frames per second"
        return f"{delay}; {self.plan.sentence if self.plan else 'none: the input as it is'}"

    # ---------------------------------------------------------------------------------------------- stepping

    @torch.inference_mode()
    def step(self, frame, confidence=None):
        """The refined frame from `lag` steps ago, as the given one in type and shape; None while there is none yet.

        frame: [J, D] or [P, J, D], NaN: missing; None: nobody is seen. confidence: [J] or [P, J]; key points whose confidence
        is not above 0 are missing.
        """
        if frame is None:
            if self.lanes is None:  # of whom nobody knows yet
                self.frame += 1
                return None
            frame = np.full(self.shape, np.nan)
        tensor = isinstance(frame, torch.Tensor)
        array = frame.detach().cpu().numpy() if tensor else np.asarray(frame)
        if array.ndim not in (2, 3) or array.dtype.kind not in "iuf":
            raise UserError(
                f"live frame: shape {list(array.shape)}. Expected numbers [J, D], or [P, J, D] of several people"
            )
        if confidence is not None:
            score = np.asarray(confidence, dtype=float)
            if score.shape != array.shape[:-1]:
                raise UserError(
                    f"live frame: confidence has shape {list(score.shape)}; expected {list(array.shape[:-1])}, one number per "
                    "key point"
                )
            array = np.where((score > 0)[..., None], array, np.nan)
        self.kind = self.refiner.kind or ("2D" if array.shape[-1] < 3 else "3D")
        if kind_of(self.kind).rotations and array.shape[-1] != 3:
            raise UserError(f"live frame: shape {list(array.shape)}. Rotations are axis-angles [J, 3]")
        poses = enter(array if array.ndim == 3 else array[None], self.kind)
        if self.lanes is None:
            self.shape, self.form = array.shape, (array.dtype if array.dtype.kind == "f" else np.dtype(float))
            self.device = frame.device if tensor else None
            self._begin(poses)
        if array.shape != self.shape:
            raise UserError(
                f"live frame {self.frame + 1}: shape {list(array.shape)}, the first had {list(self.shape)}. Open a new "
                "stream for other people or joints"
            )
        self.frame += 1
        self._push(poses)
        self.frames_known += self.there.any(axis=(1, 2)) | (self.frames_known > 0)
        new = (self.frames_known <= self.window) & ((self.frames_known > 0) | (self.spaces[0] is None))
        if new.any():  # for a window from when somebody is first seen; from then on units and place are fixed
            self._look(new)
        self._run_lanes()
        return self._out(self.lag) if self.frame >= self.lag else None

    def flush(self):
        """The frames that are still to come, in order: a list of at most `lag`."""
        if self.lanes is None:
            return []
        with torch.inference_mode():
            for lane in self.lanes:
                lane.close(self)
            return [self._out(late) for late in range(min(self.lag, self.frame + 1) - 1, -1, -1)]

    def _push(self, poses):
        seen = np.isfinite(poses).all(axis=-1)
        back = seen & (self.unseen > self.patience)
        self.unseen = np.where(seen, 0, self.unseen + 1)
        self.buffer[:, :-1] = self.buffer[:, 1:]
        self.there[:, :-1] = self.there[:, 1:]
        self.buffer[:, -1] = np.where(
            seen[..., None], poses, self.buffer[:, -2] if self.buffer.shape[1] > 1 else self.buffer[:, -1]
        )
        self.there[:, -1] = self.unseen <= self.patience
        self.back, self.returned = back.any(axis=1), back  # [P], [P, J]
        self.jumped = self.jumps.step(poses) if self.jumps else np.zeros(len(poses), dtype=bool)
        if back.any():  # of what went before it nothing is known: it begins anew
            people, joints = np.nonzero(back)
            self.buffer[people, :, joints] = poses[people, joints][:, None]
        self.known = np.isfinite(self.unseen)
        self.rewritten = False  # whether frames changed that were in windows already
        for person, frames in self.repair.push(poses) if self.repair else ():
            recent = self.buffer[person, -len(frames) :]  # the frames that are not out yet
            mended = np.where(np.isfinite(frames), frames, recent)
            self.rewritten |= not np.array_equal(mended[:-1], recent[:-1])
            recent[:] = mended

    def _look(self, new):
        """Units, the way up and the place in the image of those people [P], by the frames so far."""
        count = min(self.frame + 1, self.buffer.shape[1])
        recent = np.where(self.there[:, -count:, :, None], self.buffer[:, -count:], np.nan)
        model = self.plan.network if self.plan else None
        first_look = self.spaces[0] is None
        for index in np.flatnonzero(new):
            person = recent[index]
            track = Track(
                0, "live", person, None, self.kind, self.likeness.layout, self.likeness.joint_names, self.refiner.units
            )
            made, notes = space_of(track, person, model and model.recipe, self.refiner.image_size, self.refiner.up)
            self.spaces[index] = made
            if first_look:
                self.notes += [note for note in notes if note not in self.notes]
        spaces, first = self.spaces, self.spaces[0]
        same = len(spaces) == 1 or all(
            np.array_equal(first.turn, other.turn)
            and np.array_equal(first.centre, other.centre)
            and np.array_equal(first.scale, other.scale)
            and type(first) is type(other)
            for other in spaces
        )
        self.space = first if same else None

    @property
    def without_root(self):
        """Whether these are places of joints of which no root is known."""
        return not kind_of(self.kind).rotations and any(
            space is not None and space.root is None for space in self.spaces
        )

    def into(self, poses, about_root=True):
        """(network's coordinates of [P, N, J, D], roots); about_root: whether those are taken off."""
        if self.space is not None:
            roots = self.space.roots(poses)
            return self.space.into(poses, roots if about_root else 0.0), roots
        roots = np.stack([space.roots(part) for space, part in zip(self.spaces, poses)])
        if not about_root:
            return np.stack([space.into(part, 0.0) for space, part in zip(self.spaces, poses)]), roots
        return np.stack([space.into(*pair) for space, *pair in zip(self.spaces, poses, roots)]), roots

    def outof(self, values, roots):
        """The inverse of `into`."""
        if self.space is not None:
            return self.space.out(values, roots)
        return np.stack([space.out(*pair) for space, *pair in zip(self.spaces, values, roots)])

    def outof_joints(self, values, joints, roots):
        """`outof` of one frame of some joints: values [P, K, D] and roots of that frame."""
        full = np.zeros((len(values), 1, self.shape[-2], values.shape[-1]))
        full[:, 0, joints] = values
        return self.outof(full, roots[:, None])[:, 0, joints]

    def _run_lanes(self):
        if not self.lanes:
            return
        count = min(self.frame + 1, self.buffer.shape[1])
        if count < self.buffer.shape[1]:  # before the first frame: copies of it
            self.buffer[:, :-count] = self.buffer[:, -count, None]
        needed = [lane for lane in self.lanes if lane.needed(self)]
        if not needed:
            return
        values, roots = self.into(self.buffer[:, -self.window :])
        for lane in needed:
            lane.step(self, values, roots)

    def _out(self, late):
        """The frame from `late` steps ago, refined."""
        base = self.buffer[:, -1 - late]
        out = base.copy()
        for lane in reversed(self.lanes):  # SynSP, the first, has the last word
            lane.put(self, out, late)
        strength = self.refiner.strength
        if strength < 1:
            out = base + strength * (out - base)
        out[~self.there[:, -1 - late]] = np.nan
        out = leave(out, self.kind).astype(self.form)
        out = out.reshape(self.shape)
        return out if self.device is None else torch.from_numpy(out).to(self.device)


def _plausible(guess, poses):
    """A frame with holes does not say that joints are out of order: no check of the order is made of it."""
    return guess if np.isfinite(poses).all() else np.zeros_like(guess)
