"""From a network's overlapping windows to one pose per frame: `Merge` for whole sequences, `StreamMerge` frame by frame.

Both follow the recipe (weighting, lag, carry) and what the network learnt (gain, blend), and a test holds them equal at every lag.
"""

import numpy as np
import torch

from ..errors import UserError
from . import sliding_window


class Merge:
    """Windows [..., N, W, C] of a recipe's network as a sequence [..., T, C]; gain, blend: what the network learnt of it, for streams
    without delay and for whole recordings (`lib.models.merging`), or None."""

    def __init__(self, recipe, gain=None, blend=None):
        self.recipe = recipe
        # A lag of the whole window is no lag.
        self.lag = None if recipe.lag is None or recipe.lag == recipe.window - 1 else recipe.lag
        if recipe.weighting == "learned" and blend is None:
            raise UserError(
                "EVALUATE.WINDOW_WEIGHTS is learned: these weights have learnt no merge. Set it to mean or triangular"
            )
        self.gain = _that_fits(gain, recipe.window) if self.lag == 0 else None
        learned = recipe.lag is None and recipe.weighting == "learned" and recipe.step == 1
        self.blend = _that_fits(blend, recipe.window) if learned else None

    @property
    def lead(self):
        """Frames that must come before a sequence: copies of its first one, so that each frame ends a window."""
        return 0 if self.lag is None else self.recipe.window - 1

    def __call__(self, windows, frames, quality=None):
        """The average over the windows: [..., T, C].

        windows [..., N, W, C] at the starts of `sliding_window.starts`; frames [..., T, C]: what the windows were cut from
        (with `lead` frames before it), which fills frames that no window covers; quality [..., N, W]: the network's cue,
        for the weighting by it.
        """
        length = frames.shape[-2]
        if self.gain is not None:
            given = frames.unfold(-2, self.recipe.window, 1).transpose(-1, -2)
            return self.gain(windows, given)[..., : length - self.lead, :]
        if self.blend is not None:
            return self.blend(windows, frames, self.recipe.place_weights())
        if self.lag is not None:
            return self._late(windows, started=False)[..., self.lag :, :][..., : length - self.lead, :]
        weights = quality if self.recipe.weighting == "quality" else self.recipe.place_weights()
        if weights is not None:
            weights = weights.to(windows.device).expand(windows.shape[:-1])
        return sliding_window.average(windows, self.recipe.step, length, frames, weights)

    def confidence(self, quality, length):
        """The mean of the cue [..., N, W] over the windows that count, [..., T]; T = length without the lead."""
        if self.lag is not None:
            late = self._late(quality[..., None], started=False)[..., self.lag :, 0]
            return late[..., : length - self.lead]
        ones = quality.new_ones(*quality.shape[:-2], length, 1)
        return sliding_window.average(quality[..., None], self.recipe.step, length, ones)[..., 0]

    def spread(self, windows, merged):
        """How far the windows [..., N, W, C] over a frame lie from their average `merged` [..., T, C]: [..., T, C], a standard deviation.

        NaN where a frame is in one window alone, and with a lag.
        """
        if self.lag is not None:
            return torch.full_like(merged, torch.nan)
        step, length = self.recipe.step, merged.shape[-2]
        count = sliding_window.covering(windows, step, length)
        starts = torch.tensor(sliding_window.starts(length, self.recipe.window, step), device=windows.device)
        rows = starts[:, None] + torch.arange(self.recipe.window, device=windows.device)
        squares = sliding_window.average((windows - merged[..., rows, :]) ** 2, step, length, merged)
        return torch.where(count > 1, (squares * count / (count - 1)).sqrt(), torch.nan)

    def streamed(self, windows):
        """What a stream puts out in the midst of a recording: R windows [..., R, W, C] at consecutive frames, R > L, as the
        R - L frames that all L + 1 windows know: from the last of the first window on. Differentiable."""
        lag = self.recipe.window - 1 if self.lag is None else self.lag
        poses = self._late(windows, started=True, lag=lag)[..., lag : windows.shape[-3], :]
        return self.carried(poses)

    def _late(self, windows, started, lag=None):
        """The average over the last L + 1 places of windows at consecutive frames: [..., N + L, C], from L frames before the
        end of the first window on.

        started: whether whole windows came before these. At the start of a recording the first windows begin with copies of
        the first frame; frames that must be out before the first whole window make do with them, later ones do not.
        """
        lag, window = self.lag if lag is None else lag, self.recipe.window
        count = windows.shape[-3]
        weights = self.recipe.place_weights()
        weights = windows.new_ones(window) if weights is None else weights.to(windows.device)
        weights = weights[window - 1 - lag :].expand(count, lag + 1)
        if not started:
            end = torch.arange(count, device=windows.device)[:, None]
            frame = end - torch.arange(lag, -1, -1, device=windows.device)
            whole = (end >= window - 1) | (frame + lag < window - 1) | (count < window)
            weights = weights * (whole & (frame >= 0))
        weights = weights.expand(*windows.shape[:-2], lag + 1)
        return sliding_window.average(windows[..., window - 1 - lag :, :], 1, weights=weights)

    def carried(self, poses):
        """The poses of a stream without delay, each drawn to the last one: y_t = n_t + carry * (y_(t-1) - n_t).

        poses [..., T, C]: what the window that ends at frame t says of it. As it is for other lags. Differentiable.
        """
        if self.lag != 0 or not self.recipe.carry:
            return poses
        first, *rest = poses.float().unbind(-2)
        drawn = [first]
        for frame in rest:
            drawn.append(torch.lerp(frame, drawn[-1], self.recipe.carry))
        return torch.stack(drawn, dim=-2)


class StreamMerge:
    """`Merge` of a stream: windows come one by one, the frames that are not out yet are kept as sums.

    recipe, gain: of the network, with the stream's lag L. Values are numpy arrays [P, W, ...] of P people.
    """

    def __init__(self, recipe, gain=None):
        weights = recipe.place_weights()
        weights = np.ones(recipe.window) if weights is None else weights.numpy().astype(float)
        self.window, self.lag = recipe.window, recipe.lag
        self.carry = recipe.carry if recipe.lag == 0 else 0.0
        self.gain = _that_fits(gain, recipe.window) if recipe.lag == 0 else None
        self.weights = weights[recipe.window - 1 - recipe.lag :]
        self.restart()

    @property
    def begun(self):
        """Whether a window came."""
        return self.sums is not None

    def restart(self):
        """Forget all windows."""
        self.sums, self.counts, self.state = None, np.zeros(self.lag + 1), None

    def add(self, windows, frame, fresh=None, given=None):
        """Windows [P, W, ...] that end at `frame` (0 is the first of the stream).

        fresh: bool [P], people of whom nothing is known from before: no pose is carried on for them; given: what the network was
        given, as windows, for a gain.
        """
        newest = windows[:, self.window - 1 - self.lag :]
        if self.gain is not None:
            newest = self._gained(windows, given, fresh)
        if self.carry and self.begun:
            last = self.sums[:, -1] / self.counts[-1]
            share = np.full(len(newest), self.carry) if fresh is None else np.where(fresh, 0.0, self.carry)
            share = share.reshape(-1, *[1] * (newest.ndim - 2))
            newest = newest + (share * (last - newest[:, -1]))[:, None]
        if not self.begun or frame == self.window - 1:  # from here on by whole windows alone
            self.sums, self.counts = np.zeros_like(newest, dtype=float), np.zeros(self.lag + 1)
        else:
            self.sums[:, :-1], self.counts[:-1] = self.sums[:, 1:], self.counts[1:]
            self.sums[:, -1], self.counts[-1] = 0, 0
        self.sums += newest * self.weights.reshape(-1, *[1] * (newest.ndim - 2))
        self.counts += self.weights

    @torch.no_grad()
    def _gained(self, windows, given, fresh):
        """The newest poses [P, 1, ...] as the gain sets them."""
        said, given = (torch.from_numpy(np.ascontiguousarray(each)).flatten(2) for each in (windows, given))
        fresh = None if fresh is None else torch.from_numpy(np.asarray(fresh))
        pose, self.state = self.gain.step(said, given, self.state, fresh)
        return pose.numpy().reshape(len(windows), 1, *windows.shape[2:])

    def add_all(self, window, count):
        """The one window [P, W, ...] of a recording of `count` < W frames, at its end."""
        self.sums, self.counts = window[:, :count].astype(float), np.ones(count)

    def at(self, late):
        """The average [P, ...] for the frame `late` steps ago."""
        return self.sums[:, -1 - late] / self.counts[-1 - late]


def _that_fits(learned, window):
    """A learned merge that can be used for windows of so many frames, else None."""
    return learned if learned is not None and learned.fits(window) else None
