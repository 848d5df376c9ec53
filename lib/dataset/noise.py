"""Synthetic errors of a per-frame pose estimator, put on clean motion.

`estimated` (lib/dataset/estimator_noise.py) has what real estimators were measured to do, `varied` takes turns between it and `simulated`. `uniform` and `gaussian` are the published white noises; `simulated` is closer to a real estimator's error:

    jitter        white, RMS length 5 mm (hips, torso) to 12 mm (wrists, ankles)
    slow bias     per joint an AR(1) with a time constant of 15-60 frames, smoothed by a Gaussian of 2 frames,
                  twice as large in depth; RMS length 37 mm (hips, torso) to 87 mm (wrists, ankles)
    bursts        one in 120 frames: one arm or leg thrown off for 5-40 frames by 60-250 mm at its end
    mix-ups       one in 450 frames: both arms or both legs change sides for 1-4 frames
    scale         N(1, 0.03), one a sequence (3D only)
    orientation   3 degrees RMS, slow like the bias (3D only)

The sizes make the error of human motion at 30 frames a second about 54.5 mm MPJPE and 19.2 mm/frame^2 Accel,
which is what is published for the FCN estimator on Human3.6M.

A set is handled in one piece: all frames of all sequences stand one after the other ([F, C], `lengths` frames
each), and inside as [J, dims, F], so that every step runs along contiguous memory.
"""

import numpy as np
from scipy.linalg import lapack
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from ..errors import UserError

KINDS = ("uniform", "gaussian", "simulated", "estimated", "varied")
OF_GIVEN_SIZE = KINDS[:2]  # by TRAIN.noise_std

JITTER_MM = (5.0, 12.0)  # RMS length, for `_LEVEL` 0 and 1
BIAS_MM = (37.0, 87.0)
# Tuned so that the error has the size named above; in 2D, 7.0 px and 3.0 px/frame^2 at 229 px/m.
GAINS = {3: {"jitter": 1.01, "bias": 0.953}, 2: {"jitter": 0.845, "bias": 0.942}}
BURST_EVERY, BURST_FRAMES, BURST_RAMP, BURST_MM = 120, (5, 40), (1, 3), (60.0, 250.0)
BURST_WEIGHTS = (0.2, 0.6, 1.0)  # along shoulder, elbow, wrist or hip, knee, ankle
MIXUP_EVERY, MIXUP_FRAMES = 450, (1, 4)
SCALE_STD, ORIENTATION_DEGREES = 0.03, 3.0
TIME_CONSTANT, SMOOTHING = (15.0, 60.0), 2.0  # frames

ROTATION_JITTER_DEGREES, ROTATION_BIAS_DEGREES, ROTATION_BURST_DEGREES = 3.0, 6.0, (15.0, 50.0)
ROTATION_BURST_WEIGHTS = (0.6, 1.0, 0.5)

_LIMBS = {"arm": ("shoulder", "elbow", "wrist"), "leg": ("hip", "knee", "ankle")}
# How far out a joint is, 0 for hips and torso: the place of its error between the two sizes above.
_LEVEL = {
    "shoulder": 0.15,
    "nose": 0.25,
    "face": 0.25,
    "head": 0.4,
    "head_top": 0.4,
    "elbow": 0.55,
    "knee": 0.55,
    "wrist": 1.0,
    "ankle": 1.0,
    "hand": 1.0,
    "foot": 1.0,
}
_LEVEL_UNKNOWN = 0.4
_REACH = int(4 * SMOOTHING)  # frames that the Gaussian looks to either side


def add_noise(
    truth,
    lengths,
    kind,
    std_mm,
    layout,
    rng,
    *,
    pixels_per_metre=229.0,
    gain=1.0,
    joint_gain=None,
    parent_correlation=0.0,
    constant_bias=0.0,
):
    """Clean motion as an estimator would have seen it.

    truth: float [F, C], C = J*dims, all sequences one after the other; metres (dims 3, the camera frame: the
        last axis is depth) or pixels (dims 2).
    lengths: the frames of the S sequences, sum F.
    kind: one of `KINDS`.
    std_mm: size of `uniform`, std * (u - 0.5), and `gaussian`, std * n(0, 1), a coordinate, in mm;
        `simulated` does not use it.
    layout: `lib.poses.skeletons.Layout` of J joints. Without names that tell of arms and legs there are
        neither bursts nor mix-ups, and all joints err alike.
    rng: np.random.Generator; the same state gives the same errors.
    pixels_per_metre: how large a metre is in 2D.

    For `simulated` only, to make training errors more various or more like a given estimator's:

    gain: multiplies all sizes; a number, or one a sequence [S]. Mix-ups stay.
    joint_gain: multiplies jitter and bias of each joint, [J].
    parent_correlation: correlation (0 to 1) of a joint's bias with its parent's in `layout.parents`.
    constant_bias: share (0 to 1) of the energy of bias and orientation error that is constant in a sequence.
        Neither this nor parent_correlation changes their size.

    Returns float32 [F, C]. A single root joint of a 3D layout is left as it is, as in root-relative
    detections. Raises UserError for an unknown kind.
    """
    truth = np.asarray(truth, dtype=np.float32)
    frames, channels = truth.shape
    lengths = np.asarray(lengths, dtype=np.int64)
    dims = channels // layout.size
    if lengths.sum() != frames or dims * layout.size != channels or dims not in (2, 3):
        raise ValueError(f"truth {truth.shape} does not hold {lengths.sum()} frames of layout {layout.name}")
    millimetre = np.float32(0.001 if dims == 3 else 0.001 * pixels_per_metre)
    white_size = np.float32(std_mm or 0) * millimetre
    if kind == "uniform":
        return truth + (rng.random(truth.shape, dtype=np.float32) - np.float32(0.5)) * white_size
    if kind == "gaussian":
        return truth + rng.standard_normal(truth.shape, dtype=np.float32) * white_size
    if kind != "simulated":
        raise UserError(f"TRAIN.noise_type: {kind!r} is not known. Choose one of {', '.join(KINDS)}")

    frame_gain = np.repeat(np.broadcast_to(np.asarray(gain, dtype=np.float32), lengths.shape), lengths)
    limbs = _limbs(layout)
    pose = np.ascontiguousarray(truth.T).reshape(layout.size, dims, frames)
    jitter_size, bias_size = _sizes(layout, dims, joint_gain)

    error = _slow(
        lengths, layout.size, dims, rng, constant_bias, _correlated_parents(layout, bias_size), parent_correlation
    )
    # An estimator knows depth least: twice the error there. In 2D that share of the length is not seen.
    axes = np.array([1, 1, 2][:dims], dtype=np.float32) / np.sqrt(np.float32(6))
    error *= bias_size[:, None, None] * axes[:, None]
    jitter = rng.standard_normal(error.shape, dtype=np.float32)
    jitter *= jitter_size[:, None, None] / np.sqrt(np.float32(3))
    if limbs:
        _throw_limbs(error, jitter, lengths, list(limbs.values()), BURST_WEIGHTS, BURST_MM, rng)
    error += jitter
    error *= frame_gain * millimetre

    seen = exchange_limbs(pose, lengths, layout, MIXUP_EVERY, MIXUP_FRAMES, rng) if limbs else pose
    error += seen
    if dims == 3:
        error += _turn_and_scale(seen, lengths, layout, frame_gain, constant_bias, rng)
    return np.ascontiguousarray(error.reshape(channels, frames).T)


def add_rotation_noise(pose, lengths, layout, rng, *, gain=1.0, parent_correlation=0.0, constant_bias=0.0):
    """SMPL rotations as an estimator would have seen them.

    pose: axis-angle [F, J*3], all sequences one after the other; lengths, rng, gain, parent_correlation and
    constant_bias as in `add_noise`; layout: `smpl24`. Each rotation is multiplied by jitter of 3 degrees RMS,
    a slow bias of 6 degrees RMS and, one in 120 frames, a burst of 15-50 degrees along one arm or leg. A
    joint that never turns in `pose` stays as it is (the hands of most sets). Returns float32 [F, J*3]
    axis-angle with angles in [0, pi].
    """
    pose = np.asarray(pose, dtype=np.float32)
    frames = len(pose)
    lengths = np.asarray(lengths, dtype=np.int64)
    if lengths.sum() != frames or pose.shape[1] != 3 * layout.size:
        raise ValueError(f"pose {pose.shape} does not hold {lengths.sum()} frames of layout {layout.name}")
    frame_gain = np.repeat(np.broadcast_to(np.asarray(gain, dtype=np.float32), lengths.shape), lengths)
    error = _slow(lengths, layout.size, 3, rng, constant_bias, layout.parents, parent_correlation)
    error *= np.float32(ROTATION_BIAS_DEGREES / np.sqrt(3))
    jitter = rng.standard_normal(error.shape, dtype=np.float32)
    jitter *= np.float32(ROTATION_JITTER_DEGREES / np.sqrt(3))
    limbs = list(_limbs(layout).values())
    if limbs:
        _throw_limbs(error, None, lengths, limbs, ROTATION_BURST_WEIGHTS, ROTATION_BURST_DEGREES, rng)
    error += jitter
    error *= frame_gain

    detected = pose.reshape(frames, layout.size, 3).copy()
    moving = detected.any(axis=(0, 2))
    turns = np.deg2rad(error[moving].transpose(2, 0, 1), dtype=np.float32).reshape(-1, 3)
    rotations = Rotation.from_rotvec(detected[:, moving].reshape(-1, 3)) * Rotation.from_rotvec(turns)
    detected[:, moving] = rotations.as_rotvec().reshape(frames, -1, 3)
    return detected.reshape(frames, -1)


def _limbs(layout):
    """{(side, 'arm' or 'leg'): its three joint indices, body to end} for the limbs that the names tell of."""
    place = {name: index for index, name in enumerate(layout.joints)}
    chains = {
        (side, limb): [place.get(f"{side}_{part}") for part in parts]
        for limb, parts in _LIMBS.items()
        for side in ("left", "right")
    }
    return {limb: chain for limb, chain in chains.items() if None not in chain}


def _sizes(layout, dims, joint_gain):
    """RMS length of jitter and of bias in mm, float32 [J] each."""
    names = [name.removeprefix("left_").removeprefix("right_") for name in layout.joints]
    known = bool(_limbs(layout))
    level = np.array([_LEVEL.get(name, 0.0) if known else _LEVEL_UNKNOWN for name in names], dtype=np.float32)
    if joint_gain is None:
        joint_gain = np.ones(layout.size)
    joint_gain = np.asarray(joint_gain, dtype=np.float32).copy()
    if dims == 3 and len(layout.root) == 1:
        joint_gain[layout.root[0]] = 0
    return tuple(
        joint_gain * np.float32(GAINS[dims][part]) * (low + (high - low) * level)
        for part, (low, high) in (("jitter", JITTER_MM), ("bias", BIAS_MM))
    )


def _correlated_parents(layout, bias_size):
    """The parent that each joint's bias is tied to; none where the parent has no bias of its own."""
    return tuple(parent if parent >= 0 and bias_size[parent] > 0 else -1 for parent in layout.parents)


def _slow(lengths, tracks, dims, rng, constant=0.0, parents=None, correlation=0.0):
    """Slowly varying random numbers, mean 0 and variance 1, float32 [tracks, dims, F].

    Each track and sequence is an AR(1), x_t = a x_{t-1} + sqrt(1 - a^2) n_t, with its own time constant,
    stationary from the first frame, then smoothed. A share `constant` of the variance is one number a
    sequence; track k has `correlation` with track parents[k].
    """
    # Frames around every sequence keep the smoothing from reaching into the neighbours.
    padded = lengths + 2 * _REACH
    starts = np.cumsum(padded) - padded
    decay = np.exp(-1 / rng.uniform(*TIME_CONSTANT, size=(tracks, len(lengths)))).astype(np.float32)
    values = rng.standard_normal((tracks, dims, padded.sum()), dtype=np.float32)
    band = np.ones((2, padded.sum()), dtype=np.float32, order="F")
    for track in range(tracks):
        a = np.repeat(decay[track], padded)
        drive = np.sqrt(1 - a * a)
        drive[starts] = 1
        a[starts] = 0
        values[track] *= drive
        # The recursion is a linear system with two diagonals, 1 and -a, which LAPACK runs through in one
        # pass.
        band[1, :-1] = -a[1:]
        solution, _ = lapack.stbtrs(band, values[track].T, uplo="L", diag="U")
        values[track] = solution.T
    gaussian_filter1d(values, SMOOTHING, axis=-1, output=values, truncate=_REACH / SMOOTHING)
    kept = np.repeat(starts + _REACH - (np.cumsum(lengths) - lengths), lengths) + np.arange(lengths.sum())
    values = np.take(values, kept, axis=-1)

    size = np.sqrt((1 - constant) / _smoothed_variance(decay)).astype(np.float32)
    for track in range(tracks):
        values[track] *= np.repeat(size[track], lengths)
    if constant:
        fixed = rng.standard_normal((tracks, dims, len(lengths)), dtype=np.float32)
        values += np.repeat(fixed * np.float32(np.sqrt(constant)), lengths, axis=-1)
    if correlation and parents is not None:
        for track in _parents_first(parents):
            if parents[track] >= 0:
                values[track] *= np.float32(np.sqrt(1 - correlation**2))
                values[track] += np.float32(correlation) * values[parents[track]]
    return values


def _smoothed_variance(decay):
    """Variance of a unit AR(1) of the given decay after the smoothing: sum over lags of the kernel's own
    autocorrelation times a^|lag|."""
    impulse = np.zeros(2 * _REACH + 1)
    impulse[_REACH] = 1
    kernel = gaussian_filter1d(impulse, SMOOTHING, truncate=_REACH / SMOOTHING, mode="constant")
    overlap = np.correlate(kernel, kernel, "full")[len(kernel) - 1 :]
    powers = decay[..., None].astype(np.float64) ** np.arange(len(overlap))
    return 2 * powers @ overlap - overlap[0]


def _parents_first(parents):
    """The joints in an order in which each comes after its parent."""

    def depth(joint):
        return 0 if parents[joint] < 0 else 1 + depth(parents[joint])

    return sorted(range(len(parents)), key=depth)


def _events(lengths, every, duration_range, rng):
    """Random events, one in `every` frames on average, cut at the end of their sequence.

    Returns (event, frame, age, duration): for each of the K frames hit the number of its event, its index in
    0..F-1 and how many frames after the event's start it is, [K] each; and the E events' uncut durations.
    """
    ends = np.cumsum(lengths)
    count = rng.poisson(ends[-1] / every)
    start = rng.integers(ends[-1], size=count)
    duration = rng.integers(duration_range[0], duration_range[1] + 1, size=count)
    inside = np.minimum(duration, ends[np.searchsorted(ends, start, side="right")] - start)
    event = np.repeat(np.arange(count), inside)
    age = np.arange(len(event)) - np.repeat(np.cumsum(inside) - inside, inside)
    return event, start[event] + age, age, duration


def _throw_limbs(error, jitter, lengths, limbs, weights, size_range, rng):
    """Add bursts to `error` [J, dims, F] and double `jitter` during them, both in place."""
    event, frame, age, duration = _events(lengths, BURST_EVERY, BURST_FRAMES, rng)
    count = len(duration)
    limb = np.array(limbs)[rng.integers(len(limbs), size=count)]
    direction = rng.standard_normal((count, error.shape[1]))
    direction *= (rng.uniform(*size_range, size=count) / np.linalg.norm(direction, axis=1))[:, None]
    ramp_in, ramp_out = rng.integers(BURST_RAMP[0], BURST_RAMP[1] + 1, size=(2, count))[:, event]
    share = np.minimum(1, np.minimum((age + 1) / (ramp_in + 1), (duration[event] - age) / (ramp_out + 1)))
    offset = (direction[event] * share[:, None]).astype(np.float32)
    axes = np.arange(error.shape[1])
    for position, weight in enumerate(weights):
        joint = limb[event, position]
        np.add.at(error, (joint[:, None], axes, frame[:, None]), np.float32(weight) * offset)
        if jitter is not None:
            jitter[joint, :, frame] *= 2


def exchange_limbs(pose, lengths, layout, every, duration, rng):
    """`pose` [J, dims, F] with both arms or both legs exchanged, one in `every` frames, for `duration` (from, to) frames; a copy."""
    limbs, seen = _limbs(layout), pose.copy()
    pairs = [
        (limbs["left", limb], limbs["right", limb])
        for limb in _LIMBS
        if ("left", limb) in limbs and ("right", limb) in limbs
    ]
    if not pairs:
        return seen
    event, frame, _, durations = _events(lengths, every, duration, rng)
    pair = np.array(pairs)[rng.integers(len(pairs), size=len(durations))][event]  # [K, 2 sides, 3 joints]
    for left, right in ((pair[:, 0], pair[:, 1]), (pair[:, 1], pair[:, 0])):
        seen[left, :, frame[:, None]] = pose[right, :, frame[:, None]]
    return seen


def drop_limbs(pose, lengths, layout, every, duration, rng):
    """`pose` [J, dims, F] with an arm or a leg that stands still now and then, as of an estimator that lost it; a copy."""
    limbs, seen = list(_limbs(layout).values()), pose.copy()
    if not limbs:
        return seen
    event, frame, age, durations = _events(lengths, every, duration, rng)
    limb = np.array(limbs)[rng.integers(len(limbs), size=len(durations))][event]
    seen[limb, :, frame[:, None]] = pose[limb, :, (frame - age)[:, None]]
    return seen


def _turn_and_scale(pose, lengths, layout, frame_gain, constant, rng):
    """What a wrong scale and a wrong orientation about the root add to `pose` [J, 3, F]."""
    degrees = _slow(lengths, 1, 3, rng, constant)[0].T * np.float32(ORIENTATION_DEGREES / np.sqrt(3))
    scale = np.repeat(rng.normal(0, SCALE_STD, size=len(lengths)).astype(np.float32), lengths)
    turn = Rotation.from_rotvec(np.deg2rad(degrees * frame_gain[:, None])).as_matrix().astype(np.float32)
    change = (1 + frame_gain * scale)[:, None, None] * turn - np.eye(3, dtype=np.float32)
    change = np.ascontiguousarray(change.transpose(1, 2, 0))  # [3, 3, F]
    root = list(layout.root)
    relative = pose - pose[root].mean(axis=0)
    return np.stack([sum(row[column] * relative[:, column] for column in range(3)) for row in change], axis=1)
