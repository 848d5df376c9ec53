"""A Kalman filter and smoother for joints whose jerk is white noise: offline over a whole recording, live at a fixed lag.

The state of a coordinate is its place, speed and acceleration (Wiener-process acceleration: Bar-Shalom, Li & Kirubarajan,
"Estimation with Applications to Tracking and Navigation", 2001, section 6.2.3). Time counts in frames and covariances in the
measurement's variance, so that one number, the ratio of jerk to measurement noise, says how smooth: 1 / lam of a Whittaker
smoother of order 3, which it equals but for rounding of the clock. The coordinates of a joint share their covariance.
T frames, K joints, C coordinates, M candidate ratios.
"""

import math

import numpy as np

from .penalised import Whittaker
from .tuned import LEAST, SHARES, Criteria, Smoothed, cutoffs, sample_weights, time_last

ORDER = 3
# Before the first sample little is known: variances of place, speed and acceleration in the measurement's.
PRIOR = np.diag([1e6, 1e6, 1e6])
# Of whole recordings: samples u standard deviations off the curve count 1 / (1 + (u / DOUBT)²); the noise level is not learnt from
# those that count less than LEARNT.
DOUBT, ROUNDS, LEARNT, IGNORED = 2.385, 3, 0.25, 1e-3
# Of streams: innovations further out than this many standard deviations count less, by the squared ratio, for so many frames in a
# row: more of them are abrupt motion, and count fully.
OUTLIER, IN_A_ROW = 4.0, 2
# A live stream weighs candidate smoothnesses by the likelihood of the last seconds.
MEMORY = 2.0  # s
CANDIDATES = 10
ENOUGH = 8  # samples that a noise level is first learnt from
LIVE_SHARES = (1 / 100, 0.45)  # their lowest and highest cut-off as shares of the rate
# The smoothness of a joint may change from frame to frame with this probability, so that a leap after rest is followed at once. The
# likelihood of a frame counts by a power below 1, as coordinates and frames err less independently than the model has it. Innovations
# count for the noise up to so many standard deviations: those of a leap are motion. Chosen on training clips of seven sets.
SWITCH, POWER, NEAR = 0.01, 0.3, 1.4


class WhiteJerk:
    """The recursion. ratio: [..., K]; mean: [..., K, 3, C] and covariance: [..., K, 3, 3] of the state."""

    def __init__(self, ratio, coordinates):
        self.ratio = np.asarray(ratio, dtype=np.float64)
        self.mean = np.zeros((*self.ratio.shape, ORDER, coordinates))
        self.covariance = np.broadcast_to(PRIOR, (*self.ratio.shape, ORDER, ORDER)).copy()
        self.begun = np.zeros(self.ratio.shape[-1], dtype=bool)
        self.outliers = np.zeros(self.ratio.shape, dtype=int)  # in a row, up to the last sample

    def predict(self, step):
        """Move on by `step` frames. Returns the transition matrix [3, 3]."""
        move = transition(step)
        self.mean = move @ self.mean
        self.covariance = move @ self.covariance @ move.T + self.ratio[..., None, None] * jerk_noise(step)
        return move

    def update(self, values, weight, noise=None):
        """Take in values [K, C] (finite) with weight [K], 0 where missing; noise: [..., K], the measurement's standard
        deviation, by which outliers are told, or None. Returns (innovations [..., K, C], their variance [..., K])."""
        fresh = ~self.begun & (weight > 0)
        self.mean[..., fresh, 0, :] = values[fresh]
        self.begun |= fresh
        innovation = values - self.mean[..., 0, :]
        own, seen = self.covariance[..., 0, 0], weight > 0
        weight = np.broadcast_to(weight, own.shape)
        if noise is not None:
            deviation = np.sqrt(own + 1 / np.where(seen, weight, 1)) * noise
            size = np.sqrt((innovation**2).mean(axis=-1)) / np.maximum(deviation, 1e-300)
            doubted = (size > OUTLIER) & (self.outliers < IN_A_ROW)
            weight = weight * np.where(doubted, np.maximum(OUTLIER / np.maximum(size, OUTLIER), IGNORED) ** 2, 1.0)
            self.outliers = np.where(seen, np.where(size > OUTLIER, self.outliers + 1, 0), self.outliers)
        variance = own + 1 / np.where(seen, weight, 1)
        gain = np.where(seen, 1 / variance, 0)[..., None] * self.covariance[..., 0]
        self.mean = self.mean + gain[..., None] * innovation[..., None, :]
        self.covariance = self.covariance - gain[..., None] * self.covariance[..., None, 0, :]
        return innovation, variance


def transition(step):
    """How a state moves on by `step` frames, [3, 3]."""
    return np.array([[1, step, step**2 / 2], [0, 1, step], [0, 0, 1]])


def jerk_noise(step):
    """The covariance [3, 3] that white jerk of power 1 adds to a state in `step` frames."""
    return np.array([[step**5 / 20, step**4 / 8, step**3 / 6], [step**4 / 8, step**3 / 3, step**2 / 2],
                     [step**3 / 6, step**2 / 2, step]])  # fmt: skip


def smooth_back(mean, covariance, move, predicted, predicted_covariance, later, later_covariance):
    """One step of the Rauch-Tung-Striebel smoother: a filtered state, given the smoothed one of the frame after."""
    gain = np.linalg.solve(predicted_covariance, move @ covariance).swapaxes(-1, -2)
    return (mean + gain @ (later - predicted),
            covariance + gain @ (later_covariance - predicted_covariance) @ gain.swapaxes(-1, -2))  # fmt: skip


def kalman(tracks, times, groups=None, weights=None, robust=True, pace=None):
    """Kalman filter and Rauch-Tung-Striebel smoother of tracks [T, K, C] at times [T] s, noise levels by restricted
    maximum likelihood. Returns a `Smoothed` with sigma; missing values are NaN and stay missing.

    robust: samples far off the curve count less (`_trust`). weights: [T, K], as in `tuned.whittaker`. pace: Hz, for errors that are
    known to last (`_below`); None where they are white.
    """
    tracks, times = np.asarray(tracks, dtype=np.float64), np.asarray(times, dtype=np.float64)
    weights = sample_weights(tracks, weights)
    able = (weights > 0).sum(axis=0) >= LEAST
    nyquist = 0.5 / np.median(np.diff(times)) if len(times) > 1 else math.nan
    result = Smoothed(tracks.copy(), np.full(len(able), nyquist), np.full(len(able), math.nan),
                      np.full(weights.shape, math.nan))  # fmt: skip
    if not able.any():
        return result
    known = np.where(weights[..., None] > 0, tracks, 0.0)
    frames = (times - times[0]) / np.median(np.diff(times))
    ratio, result.noise = noise_levels(tracks, times, weights, able, groups)
    ratio = _below(ratio, times, pace)
    able &= np.isfinite(ratio)
    counted = weights[:, able]
    if robust and able.any():
        trust = _trust(known[:, able], times, counted, ratio[able], result.noise[able])
        outliers = trust < LEARNT
        if outliers.any():
            learnt = weights.copy()
            learnt[:, able] = np.where(outliers, 0.0, counted)
            again, noise = noise_levels(tracks, times, learnt, able, groups)
            ratio = np.where(np.isfinite(again), _below(again, times, pace), ratio)
            result.noise = np.where(np.isfinite(again), noise, result.noise)
            trust = _trust(known[:, able], times, counted, ratio[able], result.noise[able])
        counted = counted * trust
    means, variances = places(known[:, able], frames, counted, ratio[able])
    seen = counted > 0
    result.values[:, able] = np.where(seen[..., None], means, tracks[:, able])
    result.sigma[:, able] = np.where(seen, np.sqrt(np.maximum(variances, 0)) * result.noise[able], math.nan)
    clock = Whittaker(times, ORDER)
    result.cutoff[able] = [clock.cutoff_of(1 / one) for one in ratio[able]]
    return result


def _below(ratio, times, pace):
    """The ratio [K] of jerk to noise for errors that last, given what likelihood finds, which takes their slow part for motion.

    Beside white noise of one strength at every frequency f, motion of white jerk has (c / f)^6 of it, c the cut-off that was found, and
    errors that decay as a first-order process (pace / f)². Both are equally strong at c * sqrt(c / pace), which is to be the cut-off
    where it is lower than c: the slower a motion, the more of what looks like it is error. Not below what banded solves hold (`SHARES`).
    """
    if pace is None:
        return ratio
    clock = Whittaker(times, ORDER)
    cutoff = np.array([clock.cutoff_of(1 / one) if np.isfinite(one) else math.nan for one in ratio])
    least = 1 / clock.lam_at(SHARES[0] / clock.step)
    return np.minimum(ratio, np.maximum(ratio * np.minimum(1.0, cutoff / pace) ** ORDER, least))


def _trust(values, times, weights, ratio, noise):
    """What each sample counts for, 0 to 1, [T, K], by how far values [T, K, C] lie from the curve: Cauchy's weights, which lose 5 %
    of the precision where errors are normal. Holland & Welsch, Commun. Statist. A 6, 1977; weights and curve in turn, `ROUNDS` times.

    Off by how many standard deviations of the likelihood's noise: robust ones would take one of two places between which a detector
    goes to and fro for the only right one. weights: [T, K]; ratio, noise: [K].
    """
    trust = np.ones(weights.shape)
    for _ in range(ROUNDS):
        for joint, series in enumerate(values.transpose(1, 2, 0)):
            seen = weights[:, joint] > 0
            curve = Whittaker(times, ORDER, weights[:, joint] * trust[:, joint]).fit(series, 1 / ratio[joint])
            off = (series - curve)[:, seen] * np.sqrt(weights[seen, joint])
            trust[seen, joint] = 1 / (1 + (off**2).mean(axis=0) / max(DOUBT * noise[joint], 1e-300) ** 2)
    return np.maximum(trust, IGNORED**2)


def noise_levels(tracks, times, weights, able, groups=None):
    """(ratio [K], noise [K]): jerk to measurement noise and the latter's standard deviation, by restricted maximum likelihood
    of the Whittaker smoother of the same order, whose determinants are cheap. NaN where nothing can be said."""
    tried = cutoffs(times)
    table = Criteria.of(time_last(tracks, weights), times, weights, able, tried, ORDER)
    clock = Whittaker(times, ORDER)
    ratio, noise = np.full(len(able), math.nan), np.full(len(able), math.nan)
    for group in groups or [[joint] for joint in range(len(able))]:
        group = [joint for joint in group if able[joint]]
        if group:
            cutoff = table.choose(group, tried, "ml")
            ratio[group] = 1 / clock.lam_at(cutoff)
            noise[group] = table.ml_noise(group, cutoff, tried)
    return np.where(noise > 0, ratio, math.nan), noise


def places(values, frames, weights, ratio):
    """(means [T, K, C], variances [T, K] in the measurement's) of the places, given all frames.

    values: [T, K, C], finite; frames: times in steps; weights: [T, K]; ratio: [K].
    """
    state = WhiteJerk(ratio, values.shape[-1])
    before, after, moves = [], [], []
    for frame, (value, weight) in enumerate(zip(values, weights)):
        moves.append(state.predict(frames[frame] - frames[frame - 1]) if frame else None)
        before.append((state.mean, state.covariance))
        state.update(value, weight)
        after.append((state.mean, state.covariance))
    means, variances = np.empty(values.shape), np.empty(weights.shape)
    mean, covariance = after[-1] if after else (None, None)
    for frame in range(len(after) - 1, -1, -1):
        if frame < len(after) - 1:
            mean, covariance = smooth_back(*after[frame], moves[frame + 1], *before[frame + 1], mean, covariance)
        means[frame], variances[frame] = mean[:, 0], covariance[:, 0, 0]
    return means, variances


class LiveKalman:
    """The same filter for a stream: `step` takes a frame and gives the one from `lag` frames ago, given all frames up to now.

    Noise levels are learnt on the way: `CANDIDATES` ratios run side by side and are weighed, for each joint, as the states of a
    hidden Markov chain (Hamilton, Econometrica 57, 1989). With probability `SWITCH` the ratio of a frame is not that of the frame
    before: half of the time it is any, else one that the last `MEMORY` seconds make likely. ratio: one fixed ratio instead.
    rate: frames a second. For each of the last frames the covariance of its place with the newest state is carried along, so that a
    new frame mends them all at once (fixed-lag smoothing: Anderson & Moore, "Optimal Filtering", 1979, section 7.3).
    """

    def __init__(self, joints, coordinates, rate, lag=0, ratio=None):
        ratios = live_ratios(rate) if ratio is None else np.array([ratio])
        shape = (len(ratios), joints)
        self.state = WhiteJerk(np.repeat(ratios[:, None], joints, axis=1), coordinates)
        self.places = np.zeros((lag + 1, *shape, coordinates))  # of the last frames, the newest first
        self.variance = np.zeros((lag + 1, *shape))
        self.cross = np.zeros((lag + 1, *shape, ORDER))
        self.age = np.zeros(joints, dtype=int)  # frames since a joint was first seen
        self.samples = np.zeros(joints, dtype=int)  # of it since then
        self.forget = math.exp(-1 / (MEMORY * rate))
        self.counted, self.squares, self.spread = np.zeros(joints), np.zeros(shape), np.zeros(shape)
        self.near = np.zeros(shape)  # `squares` of innovations cut off at `NEAR`
        self.shares = np.full(shape, 1 / len(ratios))  # what each candidate counts for
        self.likely = self.shares.copy()  # the same by the last seconds alone
        self.lag, self.frame = lag, -1

    def restart(self, joints):
        """Forget where the joints in a mask [K] were, but not how noisy they are."""
        self.state.begun &= ~joints
        self.age[joints] = self.samples[joints] = 0

    def step(self, values, weight=None):
        """values [K, C], NaN where missing; weight: [K]. Returns `late(lag)`, or None in the first `lag` frames."""
        weight = np.isfinite(values).all(axis=-1).astype(float) if weight is None else weight
        known, state = np.where(weight[:, None] > 0, values, 0.0), self.state
        if self.frame >= 0:
            self.cross = self.cross @ state.predict(1.0).T
        state.covariance[:, ~state.begun] = PRIOR
        going, before = state.begun.copy(), state.covariance[..., 0, :]
        innovation, variance = state.update(known, weight, self._noise())
        gain = np.where(weight > 0, self.cross[..., 0] / variance, 0)
        self.places += gain[..., None] * innovation
        self.variance -= gain * self.cross[..., 0]
        self.cross -= gain[..., None] * before
        for kept, newest in ((self.places, state.mean[..., 0, :]), (self.variance, state.covariance[..., 0, 0]),
                             (self.cross, state.covariance[..., 0, :])):  # fmt: skip
            kept[1:] = kept[:-1].copy()
            kept[0] = newest
        # Before three samples a state is open, and its innovations tell nothing.
        self._weigh(innovation, variance, going & (weight > 0) & (self.samples >= ORDER))
        self.samples += weight > 0
        self.age += state.begun
        self.frame += 1
        return self.late(self.lag) if self.frame >= self.lag else None

    def late(self, lag):
        """(places [K, C], sigma [K]) of the frame `lag` ago (at most the stream's own lag), given all up to now. A joint that
        was not seen by then is NaN."""
        share, noise = self.shares, self._noise()
        places = (share[..., None] * self.places[lag]).sum(axis=0)
        apart = ((self.places[lag] - places) ** 2).mean(axis=-1)
        variance = (share * (self.variance[lag] * noise**2 + apart)).sum(axis=0)
        places[self.age <= lag] = math.nan
        return places, np.sqrt(np.where(self.age > lag, variance, math.nan))

    def _noise(self):
        """[M, K]: the measurement's standard deviation as each candidate sees it; infinite before much is known."""
        return np.sqrt(np.where(self.counted > ENOUGH, self.squares / np.maximum(self.counted, 1), np.inf))

    def _weigh(self, innovation, variance, seen):
        """Learn noise levels and shares from the innovations [M, K, C] of one frame, of the joints in a mask [K]."""
        size, coordinates = (innovation**2).sum(axis=-1) / variance, innovation.shape[-1]
        level = self.near / np.maximum(self.counted, 1)
        known = (self.counted > ENOUGH) & (self.near > 0).all(axis=0)
        near = np.minimum(size, np.where(known, coordinates * NEAR**2 * level, np.inf))
        self.counted = self.forget * self.counted + coordinates * seen
        self.squares = self.forget * self.squares + seen * size
        self.near = self.forget * self.near + seen * near
        self.spread = self.forget * self.spread + seen * coordinates * np.log(variance)
        noise = np.where(known, (self.likely * level).sum(axis=0), 1.0)  # the variance of a joint's measurements
        fit = -0.5 * POWER * (coordinates * np.log(variance) + size / noise)
        now = (1 - SWITCH) * self.shares + SWITCH * (self.likely + 1 / len(self.likely)) / 2
        now *= np.exp(fit - fit.max(axis=0))
        # One outlier does not say yet that motion is abrupt.
        single = (self.shares * (self.state.outliers == 1)).sum(axis=0) > 0.5
        self.likely = self._likely()
        self.shares = np.where(known & seen & ~single, now / now.sum(axis=0), np.where(known, self.shares, self.likely))

    def _likely(self):
        """[M, K]: what each candidate counts for by the last seconds, by its likelihood with the noise level that fits it best."""
        mean = np.maximum(self.squares / np.maximum(self.counted, 1), 1e-300)
        score = self.counted * np.log(mean) + self.spread
        share = np.exp(-0.5 * (score - score.min(axis=0)))
        return share / share.sum(axis=0)


def live_ratios(rate):
    """The `CANDIDATES` ratios that a stream of `rate` frames a second weighs."""
    clock = Whittaker(np.arange(ORDER + 1) / rate, ORDER)
    return 1 / clock.lam_at(np.geomspace(LIVE_SHARES[0] * rate, LIVE_SHARES[1] * rate, CANDIDATES))


def at_lag(tracks, rate, lag):
    """`LiveKalman` run over a whole recording [T, K, C]: what a stream of `lag` gives, as a `Smoothed` without cut-offs."""
    frames, joints, coordinates = tracks.shape
    lag = min(lag, frames)  # a longer one would be carried along for frames that there are not
    live = LiveKalman(joints, coordinates, rate, lag)
    out = [live.step(values) for values in tracks]
    out = out[lag:] + [live.late(late) for late in range(lag - 1, -1, -1)]
    missing, unknown = ~np.isfinite(tracks).all(axis=-1), np.full(joints, math.nan)
    places = np.where(missing[..., None], tracks, np.array([place for place, _ in out]))
    return Smoothed(places, unknown, unknown.copy(), np.array([sigma for _, sigma in out]))
