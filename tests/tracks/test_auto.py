"""`auto`: filters for white jitter, a network as far as errors last, and what is said of it in the end."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from scipy.signal import lfilter
from scipy.spatial.transform import Rotation

from lib.dataset import noise, storage
from lib.filters import registry
from lib.filters.measure import Measured
from lib.formats.tracks import Track
from lib.poses.skeletons import LAYOUTS
from lib.tracks import auto, closing
from lib.tracks.refiner import Refiner
from lib.tracks.repair import Repaired
from lib.windows.recipe import Recipe
from tests.tracks.test_refiner import save_synsp, straight

LAYOUT = LAYOUTS["h36m17"]
SHIPPED = Path(__file__).parents[2] / "data" / "poses" / "mocap_noise_3D" / "groundtruth" / "mocap_gt_3D_train.npz"
OPTIONS = dict(fps=30, layout="h36m17", kind="3d")


@pytest.fixture(scope="module")
def clips():
    """Motion that ships, [T, 17, 3] in metres."""
    return [np.asarray(each, dtype=float).reshape(-1, 17, 3)[:150] for each in storage.read(SHIPPED)["joints_3d"][:3]]


def error(poses, truth):
    """MPJPE about the root in mm."""
    return 1000 * np.linalg.norm(poses - poses[:, :1] - truth + truth[:, :1], axis=-1).mean()


def test_clean_motion_is_left_alone(clips):
    """What `auto` changes of clean motion is less than its second decimal: 1 mm, where a person moves by metres."""
    for truth in clips:
        assert error(Refiner("auto", **OPTIONS)(truth), truth) < 0.5


@pytest.mark.parametrize("sigma", [0.001, 0.005, 0.02])
def test_white_jitter_is_mended_as_by_the_best_filter(clips, sigma):
    rng, found = np.random.default_rng(0), []
    for truth in clips:
        noisy = truth + sigma * rng.standard_normal(truth.shape)
        refine = Refiner("auto", **OPTIONS)
        after = error(refine(noisy), truth)
        assert after <= 1.02 * error(noisy, truth)
        assert set(refine.results[0].methods) == {"gcv"}
        filters = [error(Refiner(name, **OPTIONS)(noisy), truth) for name in ("gcv", "self_tuned", "kalman")]
        found.append([after, min(filters)])
    mine, best = np.mean(found, axis=0)
    assert mine <= (1.25 if sigma == 0.001 else 1.08) * best


def test_a_leap_in_a_short_recording_is_no_jitter():
    """Cross-validation takes the abrupt part of 46 frames for errors: poses were worse than before."""
    times = np.arange(46)[:, None] / 30
    truth = np.zeros((46, 17, 3)) + np.array(LAYOUT.size * [[0.0, 0.0, 3.0]])
    truth[:, :, 1] = (
        0.1 * np.arange(17) + np.where(abs(times - 0.75) < 0.12, np.sin(np.pi * (times - 0.75) / 0.12), 0) * 0.3
    )
    noisy = truth + np.random.default_rng(0).normal(0, 0.001, truth.shape)
    refine = Refiner("auto", **OPTIONS)
    assert np.linalg.norm(refine(noisy) - truth, axis=-1).mean() <= 1.02 * np.linalg.norm(noisy - truth, axis=-1).mean()


def test_an_estimator_s_errors_are_mended_better_than_by_any_filter(clips):
    found = []
    for number, truth in enumerate(clips):
        flat = truth.reshape(len(truth), -1)
        rng = np.random.default_rng(number)
        noisy = noise.add_noise(flat, [len(flat)], "simulated", None, LAYOUT, rng).reshape(truth.shape)
        refine = Refiner("auto", **OPTIONS)
        mine = error(refine(noisy), truth)
        assert any(label.startswith("SynSP") for label in refine.results[0].methods)
        filters = [error(Refiner(name, **OPTIONS)(noisy), truth) for name in ("gcv", "kalman", "butterworth")]
        found.append([mine, min(filters), error(noisy, truth)])
    mine, best, before = np.mean(found, axis=0)
    assert mine < best < before


def test_a_body_in_a_room_is_refined_as_the_same_body_in_a_camera(clips):
    truth = clips[0]
    noisy = truth + 0.01 * np.random.default_rng(0).standard_normal(truth.shape)
    turned = np.diag([1.0, -1.0, -1.0])
    one = Refiner("auto", **OPTIONS)(noisy)
    other = Refiner("auto", **OPTIONS)((noisy @ turned.T + [3, 1, -2]) * 1000)
    np.testing.assert_allclose((other / 1000 - [3, 1, -2]) @ turned, one, atol=2e-4)


def test_a_checkpoint_that_is_asked_for_is_taken_pure(clips):
    assert not Refiner("synsp", **OPTIONS).choice.blends and Refiner("auto", **OPTIONS).choice.blends
    refine = Refiner("synsp", **OPTIONS)
    refine(clips[0][:40])
    assert list(refine.results[0].methods) == [
        label for label in refine.results[0].methods if label.startswith("SynSP")
    ]


def test_share_is_that_of_wiener():
    def share(wander, jitter):
        bones = np.full(8, wander)
        return auto.judge(Measured(np.full(17, jitter), bones, np.zeros(17)), None, None).share

    assert share(auto.TYPICAL, 0.0) == pytest.approx(0.5)
    assert (
        share(0.0, 0.02) == share(0.0005, 0.0) == share(0.01, 0.04) == 0
    )  # nothing, next to nothing, what jitter explains
    assert share(0.03, 0.005) == pytest.approx(1 / (1 + auto.TYPICAL**2 / (0.03**2 - (auto.UNSURE * 0.005) ** 2)))


def test_share_in_image_is_that_of_wiener_for_the_correction_itself():
    directions = np.random.default_rng(0).standard_normal((50, 17, 2))
    directions *= 300 * auto.IN_IMAGE / np.linalg.norm(directions, axis=-1, keepdims=True)

    def share(times, jitter):
        return auto.share_in_image(times * directions, np.full(17, 300 * jitter), 300)

    quiet = 3 * auto.QUIET  # of whose poses nearly all is taken: 81 of 82 parts
    makes = (auto.IN_IMAGE_UNSURE * quiet / auto.IN_IMAGE) ** 2
    assert share(np.sqrt(1 + makes), quiet) == pytest.approx(0.5 * 81 / 82)
    assert share(np.sqrt(makes), quiet) == 0  # no more than such jitter makes
    assert share(100, auto.QUIET) == pytest.approx(0.5, abs=0.001)
    assert share(100, auto.QUIET / 3) == 0  # an eightieth: smaller shares are none
    assert auto.share_in_image(directions, np.full(17, np.nan), 300) == 0
    assert auto.share_in_image(directions, np.ones(17), 0.0) == 0


def filmed(truth):
    """Pixels [T, 17, 2] of joints before a camera 4 m away, focal length 1000."""
    return 1000 * truth[..., :2] / (truth[..., 2:] + 4) + 500


def test_key_points_in_the_image_follow_a_network_as_far_as_their_errors_last(clips):
    options = dict(fps=30, layout="h36m17", kind="2d")
    found = []
    for seed, truth in enumerate(map(filmed, clips)):
        rng = np.random.default_rng(seed)
        flat = truth.reshape(len(truth), -1)
        seen = noise.add_noise(flat, [len(truth)], "simulated", 0, LAYOUT, rng, pixels_per_metre=250).reshape(
            truth.shape
        )
        for poses, errs in ((truth, False), (truth + rng.standard_normal(truth.shape), False), (seen, True)):
            refine = Refiner("auto", **options)
            off = [
                np.linalg.norm(done - truth, axis=-1).mean()
                for done in (refine(poses), Refiner("kalman", **options)(poses))
            ]
            said = refine.results[0].plan
            if errs:
                found.append(off)
                assert "of the correction of SynSP" in said
            else:
                assert off[0] < 1.25 * off[1] + 0.3, said
        live = Refiner("auto", lag=3, **options)
        live(seen)
        assert "2D key points of whole recordings" in live.results[0].plan
    mine, filtered = np.mean(found, axis=0)
    assert mine < 0.99 * filtered


def test_weights_that_know_the_estimator_have_a_spread_of_their_own():
    recipe = Recipe(window=8, knows_places=True)
    assert auto.typical_of(None) == auto.typical_of(Recipe(window=8)) == auto.TYPICAL
    assert auto.typical_of(recipe) == auto.KNOWN
    bones = Measured(np.zeros(17), np.full(8, auto.KNOWN), np.zeros(17))
    general, known = (auto.judge(bones, None, None, typical=each) for each in (auto.TYPICAL, auto.KNOWN))
    assert known.share == pytest.approx(0.5)
    assert general.share == pytest.approx(auto.KNOWN**2 / (auto.KNOWN**2 + auto.TYPICAL**2))
    assert general.lasting == known.lasting  # the filter is told by the errors alone


def test_without_bones_the_noise_that_filters_find_tells_white_errors():
    """Beside errors of a first-order autoregression (0.8 a frame), which last, and which the jitter tells little of."""
    rng, times = np.random.default_rng(0), np.arange(300) / 30
    motion = 200 * np.sin(2 * np.pi * 0.5 * times)[:, None, None] + rng.uniform(0, 400, (1, 9, 2))
    errors = rng.normal(0, 3, motion.shape)
    white, lasting = (
        auto.judge(auto.measured(motion + each, times, None), motion + each, times)
        for each in (errors, lfilter([1], [1, -0.8], errors, axis=0))
    )
    assert white.lasting <= auto.PRIOR and white.filters[0].name == "gcv"
    assert lasting.lasting >= 0.5
    assert lasting.filters[-1] == auto.Filter("kalman", lasting.lasting, {"pace": lasting.pace})
    assert white.share == lasting.share == 0


@pytest.mark.parametrize("scale", (1.0, 0.001))
def test_the_pace_of_what_lasts_rises_with_its_size_beside_the_jitter(scale):
    """In any unit; errors of 20 mm that last lie as deep in jitter of 40 mm at half the frequency as in such of 20."""

    def pace(wander, jitter):
        measured = Measured(np.full(17, jitter), np.full(8, wander), np.zeros(17))
        return auto.judge(measured, None, None, scale).pace

    assert pace(0.02 / scale, 0.04 / scale) == pytest.approx(np.sqrt(0.5**2 - auto.UNSURE**2) * auto.PACE)
    assert pace(0.04 / scale, 0.01 / scale) == pytest.approx(4 * auto.PACE, rel=0.01)
    assert pace(0.04 / scale, 0.001 / scale) == auto.FASTEST
    assert pace(0.04 / scale, 0.0) == auto.FASTEST and pace(0.0, 0.01) is pace(0.04, np.nan) is None


@pytest.mark.parametrize("dims, kind", [(2, "2d"), (3, "smpl")])
def test_where_gcv_judges_it_is_not_run_again(monkeypatch, dims, kind):
    times, rng = np.arange(200)[:, None, None] / 30, np.random.default_rng(0)
    poses = 0.2 * np.sin(times + np.arange(24 * dims).reshape(24, dims)) + rng.normal(0, 0.01, (200, 24, dims))
    monkeypatch.setattr(auto, "ROBUST", 1.0)
    monkeypatch.setattr(auto, "PRIOR", 0.0)
    expected = Refiner("gcv", fps=30, kind=kind)
    wanted = expected(poses)
    monkeypatch.delitem(registry.TUNED, "gcv")
    refine = Refiner("auto", fps=30, kind=kind)
    np.testing.assert_allclose(refine(poses), wanted, atol=1e-9)
    assert set(refine.results[0].methods) == {"gcv"}
    np.testing.assert_allclose(refine.results[0].sigma, expected.results[0].sigma)


def said(before, after, kept, exchanged=(), spikes=0):
    """A RefinedTrack with what lines are made of."""
    swapped = np.zeros((100, 17), dtype=bool)
    for run in exchanged:
        swapped[run, 1:7] = True
    wild = np.zeros((100, 17), dtype=bool)
    wild.flat[:spikes] = True
    measured = Measured(np.full(17, before), np.zeros(0), np.full(17, 0.1))
    numbers = closing.Said(measured, np.full(17, before), np.full(17, after), kept, (1.0, "px"), False)
    return SimpleNamespace(said=numbers, repaired=Repaired(None, None, swapped, wild))


def test_the_lines_say_what_was_found_and_done():
    result = said(14.1, 2.9, 0.98, [slice(3, 6), slice(20, 22), slice(40, 41)], 2)
    line = "jitter 14.1 -> 2.9 px, motion kept 98%, 3 exchanges repaired, 2 spikes removed"
    assert closing.closing_line([result]) == line
    assert closing.measured_line([result]) == "measured: jitter 14.1 px (joints 14.1 to 14.1), 10.0% missing"
    assert closing.closing_line([said(1, 0.5, 1.0, [slice(0, 2)], 1)]).endswith("1 exchange repaired, 1 spike removed")


def test_the_numbers_of_the_lines_are_right():
    """White jitter of a known size, in px, mm and degrees."""
    rng, times = np.random.default_rng(0), np.arange(400) / 30
    wave = np.sin(2 * np.pi * 0.5 * times)[:, None, None]
    points = 300 * wave * np.ones((1, 9, 2)) + rng.normal(0, 5, (400, 9, 2))
    refine = Refiner("auto", fps=30)
    refine(points)
    found = refine.results[0].said
    assert np.median(found.before) == pytest.approx(5, rel=0.1) and np.median(found.after) < 0.5
    assert found.kept == pytest.approx(1, abs=0.02) and found.unit == (1.0, "px")
    vectors = np.concatenate([wave * 0.5, 0 * wave, 0 * wave], axis=2) + np.zeros((400, 24, 3))
    turned = Rotation.from_rotvec(rng.normal(0, np.radians(2), (400 * 24, 3))) * Rotation.from_rotvec(
        vectors.reshape(-1, 3)
    )
    refine = Refiner("auto", fps=30, kind="smpl")
    refine(turned.as_rotvec().reshape(400, 24, 3))
    found = refine.results[0].said
    assert np.median(found.before) * found.unit[0] == pytest.approx(2, rel=0.15) and found.unit[1] == "degrees"


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_motion_kept_is_the_amplitude_s_share_whatever_the_jitter(share):
    rng = np.random.default_rng(0)
    motion = np.sin(np.arange(2000) / 9)[:, None, None] * np.ones((1, 5, 3))
    before = motion + rng.normal(0, 0.3, motion.shape)
    kept = closing.motion_kept(before, share * motion, np.full(5, 0.3), np.zeros(5))
    assert kept == pytest.approx(share, abs=0.01)


def test_motion_that_a_low_pass_takes_out_is_not_kept():
    """Of two waves of one size the quicker one is gone: 1 / sqrt(2) of the amplitude is left."""
    time = np.arange(2000)[:, None, None]
    slow, quick = np.sin(time / 40) * np.ones((1, 5, 2)), np.sin(time / 4) * np.ones((1, 5, 2))
    assert closing.motion_kept(slow + quick, slow, np.zeros(5), np.zeros(5)) == pytest.approx(0.5**0.5, abs=0.01)
    noise = np.random.default_rng(0).normal(0, 1, slow.shape)
    assert np.isnan(closing.motion_kept(noise, 0 * noise, np.ones(5), np.zeros(5)))  # of nobody who moves


def test_small_numbers_keep_their_digits():
    shares = said(0.00213, 0.00004, np.nan)
    assert closing.closing_line([shares]) == "jitter 0.0021 -> 0 px"
    track = Track(0, "", np.zeros((4, 3, 2)), None, "2D", None, None, "normalised")
    assert closing.unit_of(track) == (100.0, "% of the image")


def test_unit_of_people():
    for kind, units, dims, expected in (
        ("2D", "px", 2, (1, "px")),
        ("3D", "mm", 3, (1, "mm")),
        ("3D", "m", 3, (1000, "mm")),
        ("3D", None, 3, (1, "units")),
    ):
        track = Track(0, "", np.zeros((4, 3, dims)), None, kind, None, None, units)
        assert closing.unit_of(track) == expected


ROOTED = [("auto", None), ("auto", 3), ("kalman", 3), ("kalman", None), ("savgol", None), ("oneeuro", 3)]
ROOTED += [
    (method, None) for method in ("oneeuro", "gaus1d", "median+gaussian")
]  # which alone would bend a straight path


@pytest.mark.parametrize("method, lag", ROOTED)
def test_the_jitter_of_the_root_is_taken_out_of_every_joint(clips, method, lag):
    """In room coordinates: somebody who goes 4 m, with white jitter of 5 mm in every joint; a stream says the same."""
    truth = clips[0] + np.linspace([0, 0, 3], [4, 0, 3], len(clips[0]))[:, None]
    rough = truth + np.random.default_rng(0).normal(0, 0.005, truth.shape)
    refine = Refiner(method, lag=lag, **OPTIONS)
    out = refine(rough)
    errors = [np.linalg.norm(poses - truth, axis=-1).mean(axis=0) for poses in (rough, out)]
    assert errors[1][0] < 0.9 * errors[0][0]
    # Fixed filters take motion for jitter, too.
    assert errors[1].mean() < 0.9 * errors[0].mean() or method in ("savgol", "oneeuro", "gaus1d", "median+gaussian")
    (result,) = refine.results
    assert result.path_kept is False and not result.said.about_root
    still = Refiner(method, lag=lag, **OPTIONS)
    still(rough - rough[:, :1])
    assert still.results[0].path_kept is None  # the root stays at 0
    if lag is not None:
        stream = refine.stream()
        live = [stream.step(pose) for pose in rough]
        np.testing.assert_allclose(live[lag:], out[: len(out) - lag], atol=1e-6)


@pytest.mark.parametrize("lag", (None, 3))
def test_networks_leave_the_root(clips, lag):
    truth = clips[0] + np.linspace([0, 0, 3], [4, 0, 3], len(clips[0]))[:, None]
    refine = Refiner("synsp", lag=lag, **OPTIONS)
    np.testing.assert_allclose(refine(truth)[:, 0], truth[:, 0], atol=1e-6)
    assert refine.results[0].path_kept and refine.results[0].said.about_root


@pytest.mark.parametrize("method", ["auto", "synsp", "kalman"])
@pytest.mark.parametrize("what", ["5 mm", "20 mm", "an estimator's"])
def test_sigma_holds_the_truth_as_often_as_a_standard_deviation_does(clips, method, what):
    """68 % of errors of a normal distribution; of what lasts in each joint of a recording, which nothing tells, sigma knows nothing."""
    held = []
    for number, truth in enumerate(clips):
        rng = np.random.default_rng(number)
        if what.endswith("mm"):
            noisy = truth + float(what[:-3]) / 1000 * rng.standard_normal(truth.shape)
        else:
            flat = truth.reshape(len(truth), -1)
            noisy = noise.add_noise(flat, [len(flat)], "simulated", None, LAYOUT, rng).reshape(truth.shape)
        refine = Refiner(method, **OPTIONS)
        off = refine(noisy) - truth
        off -= off[:, :1]
        off -= off.mean(axis=0)
        sigma = refine.results[0].sigma
        assert np.isfinite(sigma[4:-4, 1:]).all()  # nothing is known of a root that stays at 0
        held.append((np.abs(off[4:-4, 1:]) <= sigma[4:-4, 1:, None]).mean())
    assert 0.5 < np.mean(held) < 0.9


def test_sigma_is_in_the_unit_of_the_poses_and_of_no_rotation(clips):
    noisy = clips[0] + 0.01 * np.random.default_rng(0).standard_normal(clips[0].shape)
    found = []
    for scale in (1, 1000):
        refine = Refiner("auto", **OPTIONS)
        refine(scale * noisy)
        found.append(refine.results[0].sigma)
    np.testing.assert_allclose(found[1], 1000 * found[0], rtol=1e-4)
    refine = Refiner("kalman", fps=30, kind="smpl")
    refine(np.random.default_rng(0).normal(0, 0.05, (60, 24, 3)))
    assert np.isnan(refine.results[0].sigma).all()


@pytest.fixture
def wandering(tmp_path):
    """Poses whose bones wander slowly, and a folder with a network for them."""
    rng = np.random.default_rng(0)
    save_synsp(tmp_path, any_skeleton=True)
    return straight(1) + gaussian_filter1d(rng.normal(0, 0.15, (120, 17, 3)), 10, axis=0), tmp_path


@pytest.mark.parametrize("scale, reads", [(1.0, True), (0.25, False)])
@pytest.mark.parametrize("lag", [None, 3])
def test_a_body_of_an_unusual_size_takes_no_network(wandering, scale, reads, lag):
    """Image landmarks with a depth, in pixels taken as mm, once got 7 % of the body's size as a network's correction."""
    poses, folder = wandering
    refine = Refiner("auto", fps=30, folder=folder, layout="h36m17", units="m", lag=lag)
    refine(poses * scale)
    plan = refine.results[0].plan
    assert ("correction of SynSP" in plan) == reads and ("unusual size" in plan) == (not reads)


@pytest.mark.parametrize("scale, reads", [(1.0, True), (0.25, False)])
def test_a_stream_of_a_body_of_an_unusual_size_takes_no_network(wandering, scale, reads):
    poses, folder = wandering
    (folder / "none").mkdir()
    streams = [
        Refiner("auto", fps=30, folder=place, layout="h36m17", units="m", lag=3).stream()
        for place in (folder, folder / "none")
    ]
    out = [np.array([stream.step(pose) for pose in poses * scale][3:]) for stream in streams]
    assert (np.abs(out[0] - out[1]).max() > 1e-6) == reads


@pytest.mark.parametrize(
    "wander, jitter, spread",
    [
        ([1] * 8, 0, 1),
        ([1] * 6 + [2] * 2, 0, np.sqrt((6 + 8) / 8)),  # an estimator errs in some limbs more than in others
        ([1] * 7 + [100], 0, np.sqrt((7 + auto.LOST**2) / 8)),  # a lost one
        ([0] * 7 + [100], 5, np.sqrt((auto.LOST * auto.UNSURE * 5) ** 2 / 8)),
        ([np.nan] * 8, 1, np.nan),
    ],
)
def test_a_limb_counts_for_a_few_times_the_others_at_most(wander, jitter, spread):
    measured = Measured(np.full(17, float(jitter)), np.array(wander, dtype=float), np.zeros(17))
    assert auto.spread_of_limbs(measured) == pytest.approx(spread, nan_ok=True)


def test_one_limb_that_is_lost_says_nothing_of_the_others(clips):
    """A wrist that stays behind for a second drew a network's correction into every joint: 2.4 times the error."""
    truth = np.concatenate([clips[0], clips[0][::-1]])
    poses = truth + 0.002 * np.random.default_rng(0).standard_normal(truth.shape)
    poses[90:150, 16] = poses[90, 16]
    others = [joint for joint in range(17) if joint not in (15, 16)]
    after = Refiner("auto", **OPTIONS)(poses)
    assert error(after[:, others], truth[:, others]) < error(poses[:, others], truth[:, others])


def test_a_network_does_not_move_who_stands_in_a_room_by_the_errors_of_its_root(clips):
    """It sees bodies about their root, whose own errors come back as a shift of all other joints."""
    rng = np.random.default_rng(0)
    for truth in clips:
        room = truth + np.array([0.01, 0, 0.02]) * np.arange(len(truth))[:, None, None]
        lasting = gaussian_filter1d(rng.standard_normal(truth.shape), 8, axis=0)
        noisy = room + 0.04 * lasting / lasting.std() + 0.004 * rng.standard_normal(truth.shape)
        refined = Refiner("auto", **OPTIONS)(noisy)
        before, after = (np.linalg.norm(poses - room, axis=-1).mean() for poses in (noisy, refined))
        assert after < 0.9 * before


def test_lines_in_gaps_do_not_speak_of_the_jitter():
    """They are calmer than it, as the curves through fast motion are, whose differences are taken for jitter."""
    rng, times = np.random.default_rng(0), np.arange(300) / 30
    poses = np.sin(2 * times[:, None, None] + np.arange(24).reshape(8, 3)) + 0.01 * rng.standard_normal((300, 8, 3))
    poses[rng.random((300, 8)) < 0.3] = np.nan
    refine = Refiner("auto", fps=30, kind="3d")
    refine(poses)
    assert "and kalman" in refine.results[0].plan


@pytest.mark.parametrize("rate", [15, 30])
def test_motion_that_is_fast_beside_the_frame_rate_is_no_error(rate):
    """Kicks, as rotations: likelihood took them for errors that last, and `auto` made 0.1 degrees into ten times as much."""
    rng, times = np.random.default_rng(0), np.arange(0, 12, 1 / rate)
    swing = np.abs(np.sin(2 * np.pi * 1.1 * times)) ** 3  # kicks, with rests between them
    truth = swing[:, None, None] * rng.uniform(-1.2, 1.2, (22, 3))
    noisy = truth + np.radians(0.3) * rng.standard_normal(truth.shape)
    after = Refiner("auto", fps=rate, kind="smpl")(noisy)
    assert np.abs(after - truth).mean() < 1.02 * np.abs(noisy - truth).mean()


def test_joints_in_human36m_s_order_are_not_taken_for_coco_s_in_the_image(clips):
    """17 key points without names: a network that read them in the wrong order made 1 px of jitter into 1.3."""
    truth = 1000 * clips[0][..., :2] / (clips[0][..., 2:] + 5) + 500
    noisy = truth + np.random.default_rng(0).standard_normal(truth.shape)
    refine = Refiner("auto", fps=30)
    assert np.abs(refine(noisy) - truth).mean() < 0.9 * np.abs(noisy - truth).mean()
    assert refine.track(noisy).layout == "h36m17"
