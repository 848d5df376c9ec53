import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from lib.commands import live_lines
from lib.errors import UserError
from lib.filters import kalman
from lib.formats.tracks import JOINT_NAMES
from lib.models.smoothnet import SmoothNet
from lib.tracks.plan import load_model
from lib.tracks.refiner import Refiner
from lib.windows.pipeline import refine
from lib.windows.recipe import Recipe

spec = importlib.util.spec_from_file_location("refiner_tools", Path(__file__).with_name("test_refiner.py"))
tools = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tools)

SHIPPED = Path(__file__).parents[2] / "data/checkpoints"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Networks of random weights, so that every frame of the window has its say."""
    path = tmp_path_factory.mktemp("checkpoints")
    for kind in ("3D", "2D", "smpl"):
        tools.save_synsp(path, kind, random=True)
    tools.save_smoothnet(path)
    return path


def noisy(frames=40, seed=0):
    return tools.straight(frames) + np.random.default_rng(seed).normal(0, 0.02, (frames, 17, 3))


def all_of(stream, frames):
    """Every pose a stream gives for these frames, and how many came before flush."""
    out = [pose for pose in map(stream.step, frames) if pose is not None]
    return np.array(out + stream.flush()), len(out)


@pytest.mark.parametrize("frames", [1, 2, 5, 7, 8, 9, 40])
@pytest.mark.parametrize("lag", [0, 1, 3, 6, 7])
def test_a_stream_says_what_the_whole_recording_says(folder, frames, lag):
    poses = noisy(frames)
    refined, early = all_of(Refiner("synsp", fps=30, folder=folder, lag=lag).stream(), poses)
    assert early == max(frames - lag, 0) and len(refined) == frames
    offline = Refiner("synsp", fps=30, folder=folder, lag=lag)(poses)
    np.testing.assert_allclose(refined, offline, atol=1e-5 * np.abs(offline).max())
    if lag == 7:
        whole = Refiner("synsp", fps=30, folder=folder)(poses)
        np.testing.assert_allclose(refined, whole, atol=1e-5 * np.abs(whole).max())


@pytest.mark.parametrize(
    "name, lag",
    [
        *(
            (name, lag)
            for name in ("synsp_3D_w8", "synsp_3D_w8_causal", "synsp_3D_w8_bn", "synsp_3D_w32_bn", "smoothnet_w8_bn")
            for lag in (0, 3, 7)
        ),
        ("synsp_2D_w8_bn", 7),
    ],
)
def test_shipped_weights_say_in_a_stream_what_they_say_of_a_recording(name, lag):
    """Of somebody who faces sideways, which a network that turns its windows must not mind."""
    poses = noisy()[..., [2, 1, 0]]
    if "2D" in name:  # whose place and size a stream takes from its first window
        poses = poses[:8, :, :2] * 300 + 500
    options = dict(checkpoint=SHIPPED / f"{name}.pth.tar", fps=30, lag=lag, layout="h36m17")
    method = name.split("_")[0]
    refined, _ = all_of(Refiner(method, **options).stream(), poses)
    whole = Refiner(method, **options)(poses)
    assert np.abs(whole - poses).max() > 0.01 * np.ptp(poses)
    np.testing.assert_allclose(refined, whole, atol=1e-5 * np.abs(whole).max())


@pytest.mark.parametrize("frames", [1, 7, 8, 9, 40])
@pytest.mark.parametrize("lag", [0, 2, 7])
def test_windows_count_in_a_stream_as_in_the_whole_recording(tmp_path, frames, lag):
    path = tools.save_synsp(tmp_path, random=True, weighting="triangular")
    poses = noisy(frames)
    refined, _ = all_of(Refiner("synsp", fps=30, folder=tmp_path, lag=lag).stream(), poses)
    offline = Refiner("synsp", fps=30, folder=tmp_path, lag=lag)(poses)
    np.testing.assert_allclose(refined, offline, atol=1e-5)
    if lag == 7 and frames > 1:  # of one frame nothing is said
        whole = Refiner("synsp", fps=30, folder=tmp_path)(poses)
        np.testing.assert_allclose(refined, whole, atol=1e-5)
        expected = (
            next(
                refine(
                    load_model(path).network,
                    [(torch.tensor(poses - poses[:, :1]).float().flatten(1)[None], None)],
                    Recipe(window=8, weighting="triangular"),
                )
            )
            .final[0]
            .numpy()
            .reshape(frames, 17, 3)
        )
        # The root that the network sees is the pelvis.
        np.testing.assert_allclose(whole - whole[:, :1], expected - expected[:, :1], atol=1e-4)


@pytest.mark.parametrize("frames", [1, 3, 8, 9, 40])
@pytest.mark.parametrize("lag", [0, 3, 7])
def test_a_stream_tells_its_network_of_the_bones_so_far(tmp_path, frames, lag):
    tools.save_synsp(tmp_path, random=True, bones=((1, 0), (2, 1), (3, 2)))
    poses = noisy(frames)
    options = {"fps": 30, "folder": tmp_path, "lag": lag}
    refined, _ = all_of(Refiner("synsp", **options).stream(), poses)
    np.testing.assert_allclose(refined, Refiner("synsp", **options)(poses), atol=1e-5)


@pytest.mark.parametrize("frames", [1, 3, 8, 40])
def test_a_stream_without_delay_carries_its_pose_on(tmp_path, frames):
    tools.save_synsp(tmp_path, random=True, carry=0.6)
    poses = noisy(frames)
    refined, early = all_of(Refiner("synsp", fps=30, folder=tmp_path, lag=0).stream(), poses)
    offline = Refiner("synsp", fps=30, folder=tmp_path, lag=0)(poses)
    assert early == frames
    np.testing.assert_allclose(refined, offline, atol=1e-5 * np.abs(offline).max())
    for lag, same in ((None, True), (3, True), (0, frames == 1)):
        plain = Refiner(
            "synsp", checkpoint=tools.save_synsp(tmp_path, name="plain.pth.tar", random=True), fps=30, lag=lag
        )(poses)
        carrying = Refiner("synsp", fps=30, folder=tmp_path, lag=lag)(poses)
        assert np.allclose(plain, carrying, atol=1e-6) == same


def test_nothing_is_carried_over_an_absence(tmp_path):
    """Somebody comes back 5 m away after half a second: the pose is there at once."""
    tools.save_synsp(tmp_path, carry=0.9)
    stream = Refiner("synsp", fps=30, folder=tmp_path, lag=0).stream()
    for pose in noisy(20):
        stream.step(pose)
    for _ in range(15):
        stream.step(np.full((17, 3), np.nan))
    turned = noisy(1)[0] * [1, -1, 1]
    np.testing.assert_allclose(stream.step(turned), turned, atol=0.01)


@pytest.mark.parametrize("lag", [0, 3])
def test_a_detector_s_joints_keep_their_places_live_too(tmp_path, lag):
    """SynSP's slow correction stays out by an average over the past, as in a file of that lag."""
    tools.save_synsp(tmp_path, random=True)
    poses = tools.by_names(tools.straight(90), JOINT_NAMES["coco17"])
    noisy = poses + np.random.default_rng(0).normal(0, 0.01, poses.shape)
    options = {"fps": 30, "folder": tmp_path, "layout": "coco17", "lag": lag}
    kept, moved = (all_of(Refiner("synsp", own_places=own, **options).stream(), noisy)[0] for own in (True, False))
    joints = [JOINT_NAMES["coco17"].index(name) for name in ("left_shoulder", "right_hip", "left_wrist")]
    offset = [np.linalg.norm((refined - noisy)[30:, joints].mean(axis=0), axis=-1).max() for refined in (moved, kept)]
    assert offset[1] < 0.3 * offset[0]
    np.testing.assert_allclose(kept, Refiner("synsp", own_places=True, **options)(noisy), atol=1e-5)


def test_a_told_direction_holds_for_a_stream_too(tmp_path):
    """Somebody who lies: nothing in the poses says which way is up."""
    tools.save_synsp(tmp_path, random=True)
    lying = noisy()[..., [1, 0, 2]]
    results = {}
    for up in (None, "-x", "z"):
        options = dict(fps=30, folder=tmp_path, lag=0, up=up)
        results[up], _ = all_of(Refiner("synsp", **options).stream(), lying)
        np.testing.assert_allclose(results[up], Refiner("synsp", **options)(lying), atol=1e-5)
    assert np.abs(results["-x"] - results["z"]).max() > 1e-3 and np.abs(results[None] - results["z"]).max() > 1e-3


def test_two_dimensions_freeze_their_normaliser_after_the_first_window(folder):
    poses = noisy(8)[..., :2] * 300
    options = dict(fps=30, folder=folder, layout="h36m17")
    refined, _ = all_of(Refiner("synsp", lag=7, **options).stream(), poses)
    np.testing.assert_allclose(refined, Refiner("synsp", **options)(poses), atol=1e-5 * 1500)
    stream = Refiner("synsp", lag=7, **options).stream()
    for frame in poses:
        stream.step(frame)
    before = stream.space
    stream.step(poses[-1] + 1000)
    assert stream.space is before


@pytest.mark.parametrize("layout, dims, lag", [("h36m17", 2, 3), ("coco17", 2, 0), (None, 2, 3), (None, 3, 0)])
def test_people_in_one_stream_are_as_by_themselves(folder, layout, dims, lag):
    """Each keeps the place and size of the first window, one who comes later those of his own first one."""
    joints = JOINT_NAMES["coco17"] if layout == "coco17" else None
    poses = noisy(60) if joints is None else tools.by_names(noisy(60), joints)
    walk = np.linspace(0, 400, 60)[:, None, None] * np.eye(dims)[0]
    people = np.stack([poses[..., :dims] * 300, poses[::-1, :, :dims] * 200 + walk])
    people[1, :20] = np.nan
    if layout is None:
        people = people[:, :, :14]  # fourteen points of no known kind
    refiner = Refiner("synsp" if layout else "smoothnet", fps=30, lag=lag, folder=folder, layout=layout)
    together, _ = all_of(refiner.stream(), people.swapaxes(0, 1))
    for number, person in enumerate(people):
        alone, _ = all_of(refiner.stream(), person)
        np.testing.assert_allclose(together[:, number], alone, atol=1e-4 * np.nanmax(np.abs(people)) / 100)
    assert np.isfinite(together[-1]).all()


@pytest.mark.parametrize("layout", ["mediapipe33", "coco17"])
def test_detectors_live(folder, layout):
    names = JOINT_NAMES[layout]
    poses = tools.by_names(noisy(), names)
    # Where a detector's joints lie is told by the past alone in a stream, by all frames in a recording.
    options = dict(fps=30, folder=folder, layout=layout, own_places=False)
    refined, _ = all_of(Refiner("synsp", lag=7, **options).stream(), poses)
    offline = Refiner("synsp", **options)(poses)
    np.testing.assert_allclose(refined, offline, atol=1e-5 * np.abs(offline).max())


def test_people_in_one_step(folder):
    people = np.stack([noisy(20, 0), noisy(20, 1) * 1.02], axis=1)
    refined, _ = all_of(Refiner("synsp", fps=30, folder=folder, lag=3).stream(), people)
    assert refined.shape == people.shape
    for person in range(2):
        alone, _ = all_of(Refiner("synsp", fps=30, folder=folder, lag=3).stream(), people[:, person])
        np.testing.assert_allclose(refined[:, person], alone, atol=1e-5)


def test_rotations_live(folder):
    poses = tools.turning(noise=0.05)
    refined, _ = all_of(Refiner("synsp", fps=30, folder=folder, kind="smpl", lag=7).stream(), poses)
    offline = Refiner("synsp", fps=30, folder=folder, kind="smpl")(poses)
    difference = Rotation.from_rotvec(refined.reshape(-1, 3)).inv() * Rotation.from_rotvec(offline.reshape(-1, 3))
    assert difference.magnitude().max() < 1e-4


def test_missing_joints_are_held_for_max_gap_and_then_missing(folder):
    poses = noisy(40)
    poses[10:12, 3], poses[20:32, 16], poses[:, 10] = np.nan, np.nan, np.nan
    refined, _ = all_of(Refiner("smoothnet", fps=30, folder=folder, lag=0, max_gap=0.2).stream(), poses)
    missing = np.isnan(refined).any(axis=-1)
    assert not missing[:, 3].any()
    np.testing.assert_array_equal(np.flatnonzero(missing[:, 16]), np.arange(26, 32))  # 6 frames are held
    assert missing[:, 10].all() and missing.sum() == 6 + 40
    # What comes back after a long while begins anew.
    assert np.linalg.norm(refined[32, 16] - poses[32, 16]) < 0.05


@pytest.mark.parametrize("lag, lasting", [(0, 0.05), (3, 0.05), (3, 0.0), (9, 0.05)])
def test_auto_live_takes_of_the_network_what_the_last_seconds_call_for(folder, lag, lasting):
    """Jitter alone: the filter in place, no frame of a network; lasting errors: both. As `--lag` gives it for a file."""
    times, rng = np.arange(90)[:, None, None] / 30, np.random.default_rng(0)
    poses = tools.straight(90)[:1] + np.sin(times) + rng.normal(0, 0.005, (90, 17, 3))  # a body that moves as one
    poses += lasting * np.sin(3 * times + np.arange(51).reshape(17, 3))
    refine = Refiner("auto", fps=30, folder=folder, lag=lag)
    live, _ = all_of(refine.stream(), poses)
    np.testing.assert_allclose(live, refine(poses), atol=1e-5)
    takes_network = any(label.startswith("SynSP") for label in refine.results[0].methods)
    assert takes_network == (lasting > 0 and lag < 8)
    filtered = kalman.at_lag(poses, 30, lag).values
    apart = np.abs(live - filtered).max(axis=(1, 2))
    assert apart[:15].max() < 1e-6  # at first nothing is known
    assert apart[45:].min() > 1e-3 if takes_network else apart.max() < 1e-6


def test_auto_live_leaves_a_network_out_whose_frame_rate_is_another(folder):
    stream = Refiner("auto", fps=60, folder=folder, lag=3).stream()
    live, _ = all_of(stream, noisy(30))
    assert "another frame rate" in stream.describe() and any("left out" in note for note in stream.notes)
    np.testing.assert_allclose(live, kalman.at_lag(noisy(30), 60, 3).values, atol=1e-6)


def test_synsp_waits_for_all_its_joints(folder):
    poses = noisy(20)
    poses[:6, 16] = np.nan
    stream = Refiner("synsp", fps=30, folder=folder, lag=0).stream()
    refined, _ = all_of(stream, poses)
    np.testing.assert_allclose(refined[:6, :16], poses[:6, :16], atol=1e-9)  # as they came
    assert np.isnan(refined[:6, 16]).all()
    assert np.abs(refined[6:] - poses[6:]).max(axis=(1, 2)).min() > 1e-3


def test_oneeuro_live_is_the_filter(folder, tmp_path):
    poses = noisy(30)
    for lag in (0, 2):
        refined, early = all_of(Refiner("oneeuro", fps=60, lag=lag).stream(), poses)
        assert early == 30 - lag
        np.testing.assert_allclose(refined, Refiner("oneeuro", fps=60, lag=lag)(poses), atol=1e-6)
    stream = Refiner("auto", fps=30, folder=tmp_path).stream()
    all_of(stream, poses)
    assert "kalman" in stream.describe() and "lag 3" in stream.describe()


@pytest.mark.parametrize("lag", (0, 3))
def test_oneeuro_live_takes_the_jitter_of_the_root_out_too(lag):
    """Somebody who walks 1 m/s with 20 mm of jitter in every joint, the root's in all of them once they are taken about it."""
    walk = np.arange(120)[:, None, None] / 30 * np.eye(3)[0]
    truth = tools.straight(120)[:1] + walk
    poses = truth + np.random.default_rng(0).normal(0, 0.02, truth.shape)
    refiner = Refiner("oneeuro", fps=30, lag=lag, layout="h36m17")
    live, _ = all_of(refiner.stream(), poses)
    np.testing.assert_allclose(live, refiner(poses), atol=1e-6)
    off, before = (np.linalg.norm(each[30:, 0] - truth[30:, 0], axis=-1).mean() for each in (live, poses))
    assert off < 0.8 * before


def test_types_shapes_and_refusals(folder):
    poses = torch.from_numpy(noisy(5)).float()
    refined = Refiner("synsp", fps=30, folder=folder, lag=0).stream().step(poses[0])
    assert isinstance(refined, torch.Tensor) and refined.dtype == torch.float32 and refined.shape == (17, 3)
    stream = Refiner("synsp", fps=30, folder=folder, lag=0).stream()
    stream.step(poses[0])
    with pytest.raises(UserError, match="shape"):
        stream.step(poses[0][:5])
    with pytest.raises(UserError, match="--lag is 8"):
        Refiner("synsp", fps=30, folder=folder, lag=8).stream().step(poses[0])
    with pytest.raises(UserError, match="whole recording"):
        Refiner("savgol").stream()
    assert Refiner("synsp", folder=folder).stream().flush() == []


def serve(refiner, lines):
    out, said = [], []
    live_lines.serve(refiner, lines, out.append, said.append)
    return [json.loads(line) for line in out], said


def test_lines_in_lines_out(folder):
    poses = {"a": noisy(12, 0), "b": noisy(12, 1)}
    lines = [
        json.dumps({"t": frame / 30, "id": who, "pose": poses[who][frame].tolist(), "extra": frame})
        for frame in range(12)
        for who in poses
    ]
    lines.insert(10, "\n")
    out, said = serve(Refiner("synsp", fps=30, folder=folder, lag=3), lines)
    assert "lag 3 frames = 100 ms" in said[0]
    for who in poses:
        mine = [record for record in out if record["id"] == who]
        assert [record["extra"] for record in mine] == list(range(12))
        expected, _ = all_of(Refiner("synsp", fps=30, folder=folder, lag=3).stream(), poses[who])
        np.testing.assert_allclose([record["pose"] for record in mine], expected, rtol=1e-8, atol=1e-9)


def test_a_rate_that_contradicts_the_times_is_said():
    lines = [json.dumps({"t": frame / 60, "pose": [[1.0, 2.0]]}) for frame in range(20)]
    _, said = serve(Refiner("oneeuro", fps=30), lines)
    assert any("--fps 60" in text for text in said)
    assert len(serve(Refiner("oneeuro", fps=60), lines)[1]) == len(said) - 1


def test_confidence_is_kept_and_zero_is_missing(folder):
    pose = [[100.0, 200.0, 0.9], [150.0, 220.0, 0.5], [120.0, 300.0, 0.0]]
    out, _ = serve(Refiner("oneeuro", fps=30), [json.dumps({"pose": pose})] * 3)
    assert [point[2] for point in out[0]["pose"]] == [0.9, 0.5, 0.0]
    assert out[2]["pose"][2][:2] == [None, None]
    np.testing.assert_allclose(np.array(out[2]["pose"][0][:2], float), pose[0][:2], atol=1e-6)


@pytest.mark.parametrize("lag", (0, 3))
def test_kalman_live_is_the_filter_at_that_lag(folder, lag):
    poses = noisy(40)
    refined, early = all_of(Refiner("kalman", fps=60, lag=lag).stream(), poses)
    assert early == 40 - lag
    np.testing.assert_allclose(refined, Refiner("kalman", fps=60, lag=lag)(poses), atol=1e-6)
    poses[10:12, 4] = np.nan
    poses[20:39, 5] = np.nan  # longer than max_gap
    holed, _ = all_of(Refiner("kalman", fps=60, lag=lag).stream(), poses)
    assert np.isfinite(holed[:, :5]).all() and np.isnan(holed[36:39, 5]).all()
    np.testing.assert_allclose(holed[39, 5], poses[39, 5], atol=1e-6)


def test_frames_without_anybody_are_steps_too(folder):
    """`step(None)`: as many frames come out as go in from the first pose on, and nobody is NaN."""
    poses = noisy(30)
    told = [None if 10 <= frame < 25 else pose for frame, pose in enumerate(poses)]
    gone = poses.copy()
    gone[10:25] = np.nan
    streams = [Refiner("synsp", fps=30, folder=folder, lag=2).stream() for _ in range(2)]
    found = [[stream.step(frame) for frame in frames] + stream.flush() for stream, frames in zip(streams, (told, gone))]
    for one, other in zip(*found, strict=True):
        assert (one is None) == (other is None)
        np.testing.assert_array_equal(one, other) if one is not None else None
    assert np.isnan(found[0][2 + 24]).all()
    late = Refiner("synsp", fps=30, folder=folder, lag=0).stream()
    assert [late.step(None) for _ in range(3)] == [None] * 3
    assert np.isfinite(late.step(poses[0])).all()


def test_a_key_point_without_confidence_is_missing(folder):
    poses = noisy(12)
    confidence = np.ones((12, 17))
    confidence[4:, 16] = 0
    gone = poses.copy()
    gone[4:, 16] = np.nan
    streams = [Refiner("synsp", fps=30, folder=folder, lag=1).stream() for _ in range(2)]
    for frame in range(12):
        one, other = streams[0].step(poses[frame], confidence[frame]), streams[1].step(gone[frame])
        assert one is None and other is None or np.array_equal(one, other, equal_nan=True)
    with pytest.raises(UserError, match=r"confidence has shape \[3\]"):
        streams[0].step(poses[0], np.ones(3))


def test_streams_share_one_network(folder):
    refiner = Refiner("synsp", fps=30, folder=folder, lag=0)
    streams = [refiner.stream() for _ in range(3)]
    for stream in streams:
        stream.step(noisy(1)[0])
    assert len({id(stream.lanes[0].module) for stream in streams}) == 1


def test_smoothnet_live_does_not_draw_unknown_joints_to_where_they_began(tmp_path):
    """Five markers walk 60 m; at the end a stream that saw all of it says what one says that saw the end alone."""
    torch.manual_seed(0)
    path = tmp_path / "smoothnet.pth.tar"
    torch.save({"state_dict": SmoothNet(8, 32, 16, 1).state_dict()}, path)
    still = np.random.default_rng(0).normal(0, 0.3, (5, 3))
    poses = still + np.linspace(0, 60, 240)[:, None, None] * [1, 0, 0]
    ends = []
    for first in (0, 200):
        live = Refiner(str(path), fps=30, lag=2).stream()
        ends.append([live.step(frame) for frame in poses[first:]][-1])
    np.testing.assert_allclose(ends[0], ends[1], atol=1e-3)


@pytest.mark.parametrize("dims", (2, 3))
@pytest.mark.parametrize("lag", (0, 3))
def test_a_detector_that_jumps_to_somebody_else_makes_no_stream_worse(tmp_path, dims, lag):
    """Two bodies further for a second, then every five frames to and fro: nothing is smoothed across."""
    times = np.arange(150)
    truth = tools.straight(150)[..., :dims] + 0.2 * np.sin(2 * np.pi * times / 30)[:, None, None]
    truth[(30 <= times) & (times < 60) | (times >= 90) & (times // 5 % 2 == 0)] += 3
    poses = truth + np.random.default_rng(0).normal(0, 0.01, truth.shape)
    live, _ = all_of(Refiner("kalman", fps=30, lag=lag, layout="h36m17", folder=tmp_path).stream(), poses)
    errors = [np.linalg.norm(each - truth, axis=-1) for each in (live, poses)]
    for part in (slice(0, 90), slice(90, 150)):
        assert errors[0][part].mean() < errors[1][part].mean()


@pytest.mark.parametrize("lag", (0, 1))
def test_spikes_that_no_lag_lets_repair_call_no_network(folder, lag):
    """A wrist that is 1 m off in every 35th frame does not say that bones wander; `auto` is its filter."""
    times = np.arange(150)[:, None, None] / 30
    poses = tools.straight(150)[:1] + np.sin(times) + np.random.default_rng(0).normal(0, 0.005, (150, 17, 3))
    poses[30::35, 13] += 1.0
    refine = Refiner("auto", fps=30, folder=folder, lag=lag, repair=False)
    live, _ = all_of(refine.stream(), poses)
    filtered = kalman.at_lag(poses, 30, lag).values
    assert np.abs(live - filtered)[80:].max() < 0.02  # 0.5 while spikes counted as errors that last
