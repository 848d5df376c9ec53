from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from lib.dataset import noise, storage
from lib.errors import UserError
from lib.poses.skeletons import LAYOUTS, chain

H36M = LAYOUTS["h36m17"]
SAMPLE = Path(__file__).parents[2] / "data/poses/mocap_noise_3D/groundtruth/mocap_gt_3D_train.npz"


def joint(name):
    return H36M.joints.index(name)


def generator(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def motion():
    """The shipped clean motion, [F, 51] in metres, and its clips' lengths."""
    clips = storage.read(SAMPLE)["joints_3d"]
    return np.concatenate(clips), [len(clip) for clip in clips]


def error_size(error, lengths, dims):
    """MPJPE and Accel over pooled frames of error [F, J*dims]."""
    points = error.reshape(len(error), -1, dims)
    accel = [np.diff(part, n=2, axis=0) for part in np.split(points, np.cumsum(lengths)[:-1])]
    return np.linalg.norm(points, axis=-1).mean(), np.linalg.norm(np.concatenate(accel), axis=-1).mean()


def simulated(truth, lengths, layout=H36M, seed=0, **knobs):
    return noise.add_noise(truth, lengths, "simulated", None, layout, generator(seed), **knobs)


@pytest.mark.parametrize("dims, unit", [(3, 0.001), (2, 0.1)])
def test_white_noise_has_the_published_form(dims, unit):
    truth = np.ones((20000, 17 * dims), dtype=np.float32)
    for kind, deviation in (("uniform", 50 / np.sqrt(12)), ("gaussian", 50)):
        error = noise.add_noise(truth, [20000], kind, 50, H36M, generator(), pixels_per_metre=100) - 1
        assert error.std() == pytest.approx(deviation * unit, rel=0.01)
        assert error.mean() == pytest.approx(0, abs=deviation * unit / 100)
        assert error[:, :dims].std() == pytest.approx(deviation * unit, rel=0.02)  # the root too
        if kind == "uniform":
            assert np.abs(error).max() == pytest.approx(25 * unit, rel=0.001)


def test_simulated_error_of_human_motion_has_the_published_size(motion):
    truth, lengths = motion
    sizes = np.mean(
        [error_size(1000 * (simulated(truth, lengths, seed=seed) - truth), lengths, 3) for seed in range(20)], axis=0
    )
    assert sizes[0] == pytest.approx(54.5, abs=2)
    assert sizes[1] == pytest.approx(19.2, abs=1.2)


def test_simulated_error_in_the_image(motion):
    truth, lengths = motion
    truth = 229 * truth.reshape(-1, 17, 3)[..., :2].reshape(len(truth), -1)
    sizes = np.mean(
        [error_size(simulated(truth, lengths, seed=seed) - truth, lengths, 2) for seed in range(20)], axis=0
    )
    assert sizes[0] == pytest.approx(7.0, abs=0.3)
    assert sizes[1] == pytest.approx(3.0, abs=0.2)
    half = simulated(truth / 2, lengths, pixels_per_metre=229 / 2)
    np.testing.assert_allclose(half, simulated(truth, lengths) / 2, atol=1e-3)


def test_jitter_grows_from_5_to_12_mm_toward_the_ends():
    error = 1000 * simulated(np.zeros((30000, 51)), [30000])
    # White jitter of RMS length s has second differences of variance 6 s^2 / 3 a coordinate; the median
    # leaves the bursts aside.
    second = np.diff(error.reshape(-1, 17, 3), n=2, axis=0)
    size = np.median(np.abs(second[..., :2]), axis=(0, 2)) / 0.6745 / np.sqrt(2)
    for name, expected in (("left_hip", 5), ("spine", 5), ("right_wrist", 12), ("left_ankle", 12)):
        assert size[joint(name)] == pytest.approx(expected, rel=0.08)
    assert size[joint("left_shoulder")] < size[joint("left_elbow")] < size[joint("left_wrist")]


def test_bias_is_larger_at_the_ends_and_in_depth():
    error = 1000 * simulated(np.zeros((40000, 51)), [100] * 400).reshape(-1, 17, 3)
    length = np.sqrt((error**2).sum(axis=-1).mean(axis=0))
    assert length[joint("thorax")] == pytest.approx(np.hypot(5, 37 * 0.953), rel=0.03)
    assert 87 * 0.9 < length[joint("left_wrist")] < 110
    axes = np.sqrt((error[:, joint("thorax")] ** 2).mean(axis=0))
    assert axes[2] == pytest.approx(2 * axes[0], rel=0.1)


def test_the_root_is_untouched_in_3d_only(motion):
    truth, lengths = motion
    np.testing.assert_array_equal(simulated(truth, lengths)[:, :3], truth[:, :3])
    image = truth[:, :34]
    assert np.abs(simulated(image, lengths)[:, :2] - image[:, :2]).min() > 0
    lsp = LAYOUTS["lsp14"]  # two root joints: both err
    assert np.abs(simulated(truth[:, :42], lengths, lsp) - truth[:, :42])[:, 6:12].mean() > 0.01


def test_the_seed_decides(motion):
    truth, lengths = motion
    first = simulated(truth, lengths, seed=5)
    np.testing.assert_array_equal(first, simulated(truth, lengths, seed=5))
    assert np.abs(first - simulated(truth, lengths, seed=6)).mean() > 0.02
    assert first.dtype == np.float32 and first.flags.c_contiguous


def test_slow_numbers_have_variance_1_within_and_no_memory_across_sequences():
    lengths = np.full(30000, 2)
    values = noise._slow(lengths, 2, 3, generator()).reshape(2, 3, -1, 2)
    assert values.var() == pytest.approx(1, rel=0.01)
    within = (values[..., 0] * values[..., 1]).mean()
    across = (values[..., 1][..., :-1] * values[..., 0][..., 1:]).mean()
    assert 0.95 < within < 1 and abs(across) < 0.01
    long = noise._slow(np.array([200000]), 40, 1, generator())
    assert long.var() == pytest.approx(1, rel=0.03)


def test_slow_numbers_follow_an_ar1_of_15_to_60_frames():
    values = noise._slow(np.full(4000, 91), 1, 3, generator()).reshape(3, 4000, 91)
    # The smoothing leaves the ratio of autocorrelations beyond its reach as it is: a^k averaged over time
    # constants.
    tau = np.linspace(15, 60, 1000)
    near, far = ((values[..., :-lag] * values[..., lag:]).mean() for lag in (20, 60))
    assert far / near == pytest.approx(np.exp(-60 / tau).mean() / np.exp(-20 / tau).mean(), rel=0.07)


def test_knobs_change_what_they_name_and_keep_the_size():
    lengths = np.full(2000, 60)
    parents = (-1, 0, 1)
    tied = noise._slow(lengths, 3, 3, generator(), 0.0, parents, 0.7).reshape(3, -1)
    expected = [[1, 0.7, 0.49], [0.7, 1, 0.7], [0.49, 0.7, 1]]
    np.testing.assert_allclose(tied @ tied.T / tied.shape[1], expected, atol=0.05)

    constant = noise._slow(np.full(3000, 400), 1, 3, generator(), 2 / 3).reshape(3, 3000, 400)
    assert constant.var() == pytest.approx(1, rel=0.03)
    # A sequence's mean holds the constant part, and 2 tau / T of the rest.
    tau = np.linspace(15, 60, 1000)
    expected = 2 / 3 + (2 * tau / 400 * (1 - tau / 400)).mean() / 3
    assert constant.mean(axis=-1).var() == pytest.approx(expected, rel=0.05)

    still = np.zeros((3000, 51))
    base = simulated(still, [1500, 1500])
    np.testing.assert_allclose(simulated(still, [1500, 1500], gain=2), 2 * base, atol=1e-6)
    second = (np.arange(3000) >= 1500)[:, None]
    np.testing.assert_allclose(simulated(still, [1500, 1500], gain=[0, 1]), base * second, atol=1e-6)
    gains = np.arange(17)
    torso = joint("thorax")
    np.testing.assert_allclose(
        simulated(still, [1500, 1500], joint_gain=gains)[:, 3 * torso : 3 * torso + 3],
        torso * base[:, 3 * torso : 3 * torso + 3],
        rtol=1e-4,
        atol=1e-6,
    )


def test_bursts_throw_one_limb_along_its_chain():
    error = 1000 * simulated(np.zeros((200000, 51)), [200] * 1000, joint_gain=np.zeros(17)).reshape(-1, 17, 3)
    size = np.linalg.norm(error, axis=-1)
    ends = [joint(name) for name in ("left_wrist", "right_wrist", "left_ankle", "right_ankle")]
    # Each limb: a quarter of an event in 120 frames, of 5 to 40 frames, cut at the clip's end at 200; two can
    # overlap.
    duration = np.arange(5, 41)
    frames_an_event = (duration - duration * (duration - 1) / 400).mean()
    assert (size[:, ends] > 0).mean() == pytest.approx(1 - np.exp(-frames_an_event / 120 / 4), rel=0.06)
    assert 240 < np.percentile(size[:, ends][size[:, ends] > 0], 99.5) < 400  # two bursts can meet
    hit = size[:, joint("left_wrist")] > 0
    wrist = error[hit, joint("left_wrist")]
    np.testing.assert_allclose(error[hit, joint("left_elbow")], 0.6 * wrist, atol=1e-3)
    np.testing.assert_allclose(error[hit, joint("left_shoulder")], 0.2 * wrist, atol=1e-3)
    for name in ("pelvis", "spine", "thorax", "nose", "head"):
        assert not size[:, joint(name)].any()


def test_mixups_swap_both_arms_or_both_legs(motion):
    truth, lengths = motion
    truth, lengths = np.tile(truth, (50, 1)), lengths * 50
    seen = simulated(truth, lengths, gain=0).reshape(-1, 17, 3)
    truth = truth.reshape(-1, 17, 3)
    swapped = truth[:, list(H36M.mirror)]
    arms = [joint(side + part) for part in ("shoulder", "elbow", "wrist") for side in ("left_", "right_")]
    legs = [joint(side + part) for part in ("hip", "knee", "ankle") for side in ("left_", "right_")]
    hit = {}
    for name, limb in (("arms", arms), ("legs", legs)):
        hit[name] = np.abs(seen[:, limb] - truth[:, limb]).max(axis=(1, 2)) > 1e-5
        np.testing.assert_allclose(seen[hit[name]][:, limb], swapped[hit[name]][:, limb], atol=1e-5)
    share = (hit["arms"] | hit["legs"]).mean()
    assert share == pytest.approx(2.5 / 450, rel=0.2)
    assert hit["arms"].any() and hit["legs"].any()
    middle = [joint(name) for name in ("pelvis", "spine", "thorax", "nose", "head")]
    np.testing.assert_allclose(seen[:, middle], truth[:, middle], atol=1e-6)


def test_scale_and_orientation_about_the_root():
    unknown = chain(4)  # no limbs: neither bursts nor mix-ups
    pose = np.array([[1.0, 2, 3], [1, 3, 3], [2, 2, 3], [1, 2, 4]])
    lengths = [20] * 2000
    seen = simulated(np.tile(pose.reshape(1, -1), (40000, 1)), lengths, unknown, joint_gain=np.zeros(4))
    relative = seen.reshape(2000, 20, 4, 3) - pose[0]
    np.testing.assert_allclose(relative[:, :, 0], 0, atol=1e-6)
    scale = np.linalg.norm(relative[:, :, 1:], axis=-1)
    assert np.ptp(scale, axis=(1, 2)).max() < 1e-5
    assert scale[:, 0, 0].mean() == pytest.approx(1, abs=0.003)
    assert scale[:, 0, 0].std() == pytest.approx(0.03, rel=0.06)
    matrix = np.swapaxes(relative[:, :, [2, 1, 3]] / scale[..., :1, None], -1, -2).reshape(-1, 3, 3)
    angle = Rotation.from_matrix(matrix).magnitude()
    assert np.rad2deg(np.sqrt((angle**2).mean())) == pytest.approx(3, rel=0.06)


@pytest.mark.parametrize("layout", [*LAYOUTS.values(), chain(9)], ids=lambda layout: layout.name)
@pytest.mark.parametrize("dims", [2, 3])
def test_every_layout_can_err(layout, dims):
    truth = generator().normal(size=(500, layout.size * dims))
    seen = simulated(truth, [1, 99, 400], layout)
    assert seen.shape == truth.shape and np.isfinite(seen).all()
    moved = np.abs(seen - truth).reshape(500, layout.size, dims).mean(axis=(0, 2)) > 0.001
    assert moved.sum() == layout.size - (dims == 3 and len(layout.root) == 1)


def test_rotations_err_by_the_stated_degrees():
    smpl = LAYOUTS["smpl24"]
    pose = generator().normal(0, 0.5, size=(20000, 24, 3))
    pose[:, [9, 22, 23]] = 0
    pose = pose.reshape(20000, -1).astype(np.float32)
    detected = noise.add_rotation_noise(pose, [200] * 100, smpl, generator())
    before, after = (Rotation.from_rotvec(value.reshape(-1, 3)) for value in (pose, detected))
    difference = before.inv() * after
    turned = np.rad2deg(difference.as_rotvec()).reshape(20000, 24, 3)
    angle = np.linalg.norm(turned, axis=-1)
    assert not angle[:, [9, 22, 23]].any()
    spine = smpl.joints.index("spine2")
    assert np.sqrt((angle[:, spine] ** 2).mean()) == pytest.approx(np.hypot(3, 6), rel=0.03)
    jitter = np.diff(turned[:, spine].reshape(100, 200, 3), n=2, axis=1)
    assert np.sqrt((jitter**2).sum(axis=-1).mean() / 6) == pytest.approx(3, rel=0.03)
    # Bursts of 15 to 50 degrees, largest at elbows and knees.
    limb = [smpl.joints.index(name) for name in ("left_elbow", "right_elbow", "left_knee", "right_knee")]
    assert (angle[:, limb] > 20).mean() == pytest.approx(22.5 / 120 / 4 * 30 / 35, rel=0.3)
    np.testing.assert_array_equal(detected, noise.add_rotation_noise(pose, [200] * 100, smpl, generator()))


def test_mistakes_are_named(motion):
    truth, lengths = motion
    with pytest.raises(UserError, match="noise_type: 'pink'.*uniform, gaussian, simulated"):
        noise.add_noise(truth, lengths, "pink", 50, H36M, generator())
    with pytest.raises(ValueError, match="h36m17"):
        noise.add_noise(truth, [3], "uniform", 50, H36M, generator())
