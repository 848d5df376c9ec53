"""What `auto` makes of a track: a filter where its errors are white jitter, and as much of a network as they are not.

White jitter is what a filter removes best, and a network trained on an estimator's errors has nothing to add. Errors that
last (an estimator's, correlated in time) pass every low-pass, and there a network helps. Which of the two a track has is
told by the track: high differences tell its jitter, and the bones of the limbs, which are rigid, tell by how far their
lengths wander slowly what errors there are beside it. With s the spread of these lengths beyond what jitter explains,

    share = s² / (s² + TYPICAL²)         (the weight of Wiener's filter for a signal of size s in errors of TYPICAL)
    out   = filter + share * lowpass(network - filter)

(without the low-pass for weights that know the file's estimator, and its quick errors too); and the filter itself goes by twice
that share from `gcv`, the best for white errors, to `kalman`, which takes correlated errors for errors. 2D key points and rotations
have no bones of constant length: white errors are told there by the noise that filters find, which is then no more than the jitter, or
by jitter that is larger than the errors of estimators that last (`LASTS`). Rotations take the filter alone; of 2D key points of whole
recordings s is told by the network's correction itself (`share_in_image`).
A stream does not know its whole: there the filter is `kalman`, which learns on the way, and the share follows what the last seconds
say (`RunningShare`). Constants were set on training clips (docs/harm.md). K joints, B bones, T frames.
"""

from collections import deque
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.ndimage import gaussian_filter1d

from ..filters import measure, tuned
from ..poses import space
from . import spikes

WHITE, LASTING = "gcv", "kalman"  # the filters for the two kinds of errors
# Metres of slow spread of the limbs' lengths at which half of a network's correction is taken; 0 to 1 mm on clean
# motion, 2 to 10 mm on white jitter of 20 to 40 mm, 7 to 45 mm on the errors of estimators.
TYPICAL = 0.008
# The same of weights that know the very estimator of a file. On clips of persons whom MediaPipe's weights had not seen all of their
# correction is best at any spread (100.9 mm with 0.004 here, 102.7 with 0.008, 99.9 with all of it), but it moves single joints by 15 cm,
# which is much to do unasked: with 0.009 no joint of the files that were tried goes further than 8 % of the body. Who names the
# weights gets all of it.
KNOWN = 0.009
# Of the jitter: what bone lengths that are measured over a few seconds may still wander by it.
UNSURE = 0.4
# A limb that wanders more than so many times as much as the others is lost. On training clips of MediaPipe 2, 3 and 4 leave 91.7, 91.2 and
# 91.1 mm, no bound 91.0 and the median alone 92.2, which tells too little; a lost wrist or arm is told by each of them,
# and 4 leaves more harm to the sample's train clips with a wrist that stays behind.
LOST = 3.0
# How many times as far the filter goes to the one for errors that last as a share of the correction is taken. On training clips of MediaPipe 3
# lowers Accel from 3.55 (2) to 3.42; white jitter costs the same.
SOONER = 3.0
# Of 2D key points, in sizes of the body: the mean correction of which half is taken (1e-3 on clean motion, 1.5e-3 on white jitter of 3e-3,
# 3 to 10e-3 on the errors of estimators); what of the jitter is left in it; and the jitter (1.8 to 6e-3 of estimators) below which poses
# are taken at their word, since the network moves such as it does not know too.
IN_IMAGE, IN_IMAGE_UNSURE, QUIET = 0.004, 0.35, 0.0016
LEAST = 0.05  # smaller shares are none: on white jitter and clean motion no network runs
SMOOTH = 0.15  # s, the width of the low-pass of a correction: what is quick comes from the filter
# Noise that `gcv` and likelihood find, as a multiple of the jitter: up to the first number errors are white, from the second they
# last. Each says half: the one overlooks errors that last long, the other takes abrupt motion for errors.
NOISE = (1.0, 1.1), (1.05, 1.15)
# Where `gcv` finds less noise than the jitter, differences took motion for jitter, which is abrupt beside the frame rate, and so would
# likelihood: from the second number down nothing is taken to last at the first.
ABRUPT = 0.9, 0.98
# Hz at which errors that last, decaying as a first-order process, are as strong as the jitter at that frequency, where they are of one
# size; it rises with their size beside the jitter's, and up to FASTEST, as they are smooth themselves. On training clips of six sets
# 0.7 to 1.4 and 4 to 6 are alike.
PACE, FASTEST = 1.0, 5.0
NIL = 1e-5  # of the body's size: less jitter is rounding, which tells nothing of other errors
# Where no bones tell how large errors are that last: the spread that estimators have, as a share of the body's size (20 mm of a grown
# person), and for the 6 numbers of a rotation (3.5 degrees).
LASTS, LASTS_6D = 0.0125, 0.06
# How far errors are taken to last there where filters find them white: such poses are mostly an estimator's. On training clips 0.1
# costs 0 to 1.5 % on white jitter, and of eight clips with simulated errors drawn at random hardly ever any filter is better.
PRIOR = 0.1
# Where they are white, plain cross-validation smooths too little in one joint of many. 0.3 to 0.7 lose less by it than they lose of
# abrupt motion: on training clips of five sets MPJPE falls by 0 to 4 %, Accel by 2 to 15 %.
ROBUST = 0.6
# Of a stream, in seconds: what is looked back on, how often, from when on, and the time constant of the share's way to what was found.
SPAN, EVERY, FIRST, EASE = 8.0, 0.25, 0.7, 0.25
_LIMBS = (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))


@dataclass(frozen=True)
class Filter:
    """A filter of a plan. share: how far the result goes from what is there to this filter's; options: of the filter."""

    name: object
    share: float = 1.0
    options: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Judged:
    """lasting: 0 to 1, how far the filter goes from `gcv` to `kalman`; share: 0 to 1, of a network's correction; wander: metres by
    which bone lengths wander beyond what jitter explains, NaN where they are not known; white: the `tuned.Smoothed` by `gcv`, where it
    was needed to tell; pace: of `kalman`; robust: of `gcv`."""

    lasting: float
    share: float
    wander: float = np.nan
    white: object = None
    pace: float | None = None
    robust: float = ROBUST

    @property
    def filters(self):
        """[Filter], one after another."""
        found = [Filter(WHITE, 1.0, {"robust": self.robust})] if self.lasting <= 1 - LEAST else []
        share = self.lasting if found else 1.0
        return found + ([Filter(LASTING, share, {"pace": self.pace})] if share >= LEAST else [])

    @property
    def white_by_bones(self):
        """Whether bones say that errors are white."""
        return bool(np.isfinite(self.wander)) and self.lasting < LEAST

    @property
    def channel(self):
        """The filter that most is taken of."""
        return LASTING if self.lasting > 0.5 else WHITE


def limbs(names):
    """Pairs of joints (indices) whose distance is constant in every body, of joints called `names` (None: no pairs)."""
    names = tuple(names or ())
    pairs = [(f"{side}_{one}", f"{side}_{other}") for side in ("left", "right") for one, other in _LIMBS]
    return [(names.index(one), names.index(other)) for one, other in pairs if one in names and other in names]


def wander(measured, scale=1.0):
    """The slow spread of the limbs' lengths beyond what jitter explains, in metres; NaN where they were not measured.

    measured: a `measure.Measured` of limbs; scale: metres in the tracks' unit.
    """
    spread = spread_of_limbs(measured)
    jitter = np.nan_to_num(_middle(measured.jitter))
    return float(scale * np.sqrt(np.maximum(spread**2 - (UNSURE * jitter) ** 2, 0.0)))


def spread_of_limbs(measured):
    """The root of the limbs' mean squared wander, in the tracks' unit; NaN where they were not measured.

    A limb counts for at most `LOST` times the median, or times what jitter may make of it: one arm that an estimator has lost for a
    while says little of the other joints.
    """
    known = measured.wander[np.isfinite(measured.wander)]
    if not len(known):
        return np.nan
    usual = max(np.median(known), UNSURE * np.nan_to_num(_middle(measured.jitter)))
    return float(np.sqrt((np.minimum(known, LOST * usual) ** 2).mean()))


def typical_of(recipe):
    """The spread in metres at which half of the correction of a network with this `Recipe` is taken (None: no network)."""
    return KNOWN if recipe is not None and recipe.knows_places else TYPICAL


def wiener(spread, typical=TYPICAL):
    """The share of a network's correction for limbs whose lengths wander by `spread` metres."""
    return spread**2 / (spread**2 + typical**2)


def share_in_image(correction, jitter, size):
    """The share of a network's slow correction [T, K, 2] of 2D key points: by how large it is beyond what jitter makes of it.

    jitter: [K], as measured, NaN where not known; size: of the body, both in the correction's unit. 0 where nothing is known.
    """
    if not size > 0 or not np.isfinite(jitter).any():
        return 0.0
    jitter = float(np.nanmedian(jitter)) / size
    way = float(np.linalg.norm(correction, axis=-1).mean()) / size
    spread = np.sqrt(max(way**2 - (IN_IMAGE_UNSURE * jitter) ** 2, 0.0))
    return _unless_least(wiener(spread, IN_IMAGE) * wiener(jitter**2, QUIET**2))


def judge(measured, values, times, scale=1.0, typical=TYPICAL):
    """What to make of a track, `Judged`, by a `measure.Measured` of its values [T, K, C] at times [T] s.

    scale: metres in the values' unit; typical: of the network that there is (`typical_of`).
    """
    spread = wander(measured, scale)
    if np.isfinite(spread):
        pace = _pace(spread, scale * _middle(measured.jitter))
        return Judged(min(1.0, SOONER * wiener(spread)), _unless_least(wiener(spread, typical)), spread, pace=pace)
    extent = 1.0 if values.shape[-1] == 6 else space.extent(values)
    known = np.isfinite(measured.jitter) & (measured.jitter > NIL * extent)
    white = tuned.gcv(values, times, robust=ROBUST)
    likely = tuned.whittaker(values[:, known], times, by="ml")
    says, smooth = [], 1.0
    for noise, (low, high) in zip((white.noise[known], likely.noise), NOISE):
        ratio = noise / measured.jitter[known]
        ratio = ratio[np.isfinite(ratio)]
        if len(ratio):
            says.append(np.clip((np.median(ratio) - low) / (high - low), 0, 1))
            smooth = min(smooth, np.clip((np.median(ratio) - ABRUPT[0]) / (ABRUPT[1] - ABRUPT[0]), 0, 1))
    if not says:
        return Judged(0.0, 0.0, white=white)
    lasts, size = LASTS_6D if values.shape[-1] == 6 else LASTS * extent, _middle(measured.jitter[known])
    lasting = float(smooth) * (PRIOR + (1 - PRIOR) * float(np.mean(says))) * wiener(lasts, size)
    robust = 1 - (1 - ROBUST) * float(smooth)
    return Judged(lasting, 0.0, white=white if robust == ROBUST else None, pace=_pace(lasts, size), robust=robust)


def _pace(spread, jitter):
    """Of `kalman`, for errors of this `spread` that last beside this much jitter; None where it is not known."""
    return min(FASTEST, PACE * spread / max(jitter, 1e-300)) if jitter >= 0 and spread > 0 else None


def _middle(jitter):
    known = jitter[np.isfinite(jitter)]
    return float(np.median(known)) if len(known) else np.nan


def _unless_least(share):
    return share if share >= LEAST else 0.0


class RunningShare:
    """A network's share of a person in a stream, frame by frame: 0 until `FIRST`, then as `judge` says of the last `SPAN` seconds.

    0 also while the body is of an unusual size in them (`space.usual_size`): its units are not what they seem to be.
    """

    def __init__(self, names, rate, typical=TYPICAL):
        self.bones, self.rate, self.past = limbs(names), rate, deque(maxlen=int(SPAN * rate))
        self.typical = typical
        self.every, self.ease = max(1, round(EVERY * rate)), 1 - np.exp(-1 / (EASE * rate))
        self.count, self.found, self.share = 0, 0.0, 0.0

    def step(self, pose, scale):
        """The share at one more frame [J, 3], NaN where missing; scale: metres in its unit."""
        self.past.append(pose)
        self.count += 1
        if self.bones and self.count >= FIRST * self.rate and self.count % self.every == 0:
            self.found = self._of(np.stack(self.past), scale)
        self.share += self.ease * (self.found - self.share)
        return self.share

    def _of(self, poses, scale):
        """The share that poses [T, J, 3] call for."""
        if not space.usual_size(poses, scale):
            return 0.0
        # At small lags none are repaired; of the newest frames it is not known yet.
        poses = np.where(spikes.find(poses, self.rate)[..., None], np.nan, poses)[: -spikes.LONGEST - 1]
        spread = wander(measure.measure(poses, np.arange(len(poses)) / self.rate, self.bones), scale)
        return _unless_least(wiener(spread, self.typical)) if np.isfinite(spread) else 0.0


def running_shares(poses, names, rate, scale, typical=TYPICAL):
    """`RunningShare` over poses [T, J, 3] of a whole recording: [T]."""
    running = RunningShare(names, rate, typical)
    return np.array([running.step(pose, scale) for pose in poses])


def low_passed(correction, rate):
    """What is slow of a correction [T, ...] at `rate` frames per second."""
    return gaussian_filter1d(correction, SMOOTH * rate, axis=0, mode="nearest")


def measured(poses, times, names, parts=None, new=slice(None)):
    """`measure.Measured` of poses [T, J, D], with the limbs of joints called `names` as bones (3D); parts: slices of frames, each of one
    person (None: all frames); new: bool [T], the frames that jitter is told by."""
    found = measure.measure(poses, times, limbs(names) if poses.shape[-1] == 3 else (), parts)
    return replace(found, jitter=jitter(poses[new], times[new]))


def jitter(poses, times):
    """`measure.jitter`, [J]; of the 6 numbers of a rotation the root mean square: their errors are not of one size."""
    if poses.shape[-1] != 6:
        return measure.jitter(poses, times)
    each = measure.jitter(poses.reshape(len(poses), -1, 1), times)
    return np.sqrt((each.reshape(-1, 6) ** 2).mean(axis=1))
