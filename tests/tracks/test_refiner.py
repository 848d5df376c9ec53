"""The user-level Refiner, with networks whose answer is known: SynSP with zero heads gives the first DCT components of each
window, two of them (a smoother) or all (the window itself, so that everything comes back as it was)."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from lib.config import defaults
from lib.dataset import storage
from lib.errors import UserError
from lib.filters import registry
from lib.formats.tracks import JOINT_NAMES, Track
from lib.models import checkpoints
from lib.models.attention import Sizes
from lib.models.residual import ResidualSynSP
from lib.models.smoothnet import SmoothNet
from lib.poses import space
from lib.poses.skeletons import LAYOUTS
from lib.tracks.refiner import Refiner
from lib.windows.recipe import Recipe

ROOT = Path(__file__).parents[2]
H36M = LAYOUTS["h36m17"]
REST = np.array(
    [
        [0, 0, 0],
        [-0.12, 0, 0],
        [-0.12, 0.42, 0.03],
        [-0.12, 0.85, 0],
        [0.12, 0, 0],
        [0.12, 0.42, 0.03],
        [0.12, 0.85, 0],
        [0, -0.25, 0],
        [0, -0.5, 0],
        [0, -0.58, -0.1],
        [0, -0.7, 0],
        [0.17, -0.5, 0],
        [0.2, -0.2, 0],
        [0.22, 0.05, 0],
        [-0.17, -0.5, 0],
        [-0.2, -0.2, 0],
        [-0.22, 0.05, 0],
    ]
)


def save_synsp(folder, kind="3D", name=None, random=False, components=2, **recipe):
    """A small SynSP checkpoint that gives the first DCT components of each window, or of random weights; recipe: what differs
    from a plain `Recipe`."""
    layout = LAYOUTS["smpl24" if kind == "smpl" else "h36m17"]
    channels = layout.size * {"2D": 2, "3D": 3, "smpl": 6}[kind]
    torch.manual_seed(0)
    bones = len(recipe.get("bones", ()))
    network = ResidualSynSP(channels, Sizes(32, 48, 2, 2, 16, 16), residual_components=components, bones=bones)
    if random:
        for parameter in network.parameters():
            parameter.data += 0.02 * torch.randn_like(parameter)
    path = folder / (name or f"synsp_{kind}_w8.pth.tar")
    checkpoints.save(
        path,
        {
            "model": network.described(),
            "state_dict": network.state_dict(),
            "recipe": Recipe(**{"kind": kind, "joints": layout.joints, "fps": 30.0, **recipe}).as_dict(),
            "data": {
                "sources": ["test"],
                "layout": {"name": layout.name, "joints": list(layout.joints), "edges": [], "root": [0]},
            },
        },
    )
    return path


def save_smoothnet(folder, window=8, components=2):
    """A SmoothNet that gives each window's straight line (2) or the window itself (W): leaky(x) - leaky(-x) = 1.1 x."""
    network = SmoothNet(window, 2 * window, 1, 0)
    t = np.arange(window) - (window - 1) / 2
    line = np.full((window, window), 1 / window) + np.outer(t, t) / (t**2).sum()
    eye = np.eye(window)
    line = line if components == 2 else eye
    network.encoder[0].weight.data = torch.tensor(np.vstack([eye, -eye]), dtype=torch.float32)
    network.encoder[0].bias.data.zero_()
    network.decoder.weight.data = torch.tensor(np.hstack([line, -line]) / 1.1, dtype=torch.float32)
    network.decoder.bias.data.zero_()
    path = folder / f"smoothnet_w{window}.pth.tar"
    checkpoints.save(
        path,
        {
            "model": network.described(),
            "state_dict": network.state_dict(),
            "recipe": Recipe(window=window, kind="3D", fps=30.0).as_dict(),
            "data": {"sources": ["test"]},
        },
    )
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A checkpoint folder as it ships: SynSP for three kinds and a SmoothNet."""
    path = tmp_path_factory.mktemp("checkpoints")
    for kind in ("3D", "2D", "smpl"):
        save_synsp(path, kind)
    save_smoothnet(path)
    return path


@pytest.fixture(scope="module")
def exact(tmp_path_factory):
    """The same with networks that give back what they get."""
    path = tmp_path_factory.mktemp("exact")
    for kind in ("3D", "2D", "smpl"):
        save_synsp(path, kind, components=8)
    save_smoothnet(path, components=8)
    return path


def straight(frames=40, rate=30.0, speed=0.4):
    """A body [T, 17, 3] in metres whose joints each move at a speed of their own."""
    velocity = np.random.default_rng(1).uniform(-speed, speed, (17, 3))
    for middle, sides in ((0, (1, 4)), (8, (11, 14))):
        velocity[middle] = velocity[list(sides)].mean(axis=0)
    return REST + np.arange(frames)[:, None, None] / rate * velocity + [0.5, 0.2, 4.0]


def by_names(poses, names):
    """Key points of a detector [T, J, D] from H36M ones; joints that it has beside them lie on the head."""
    out = np.repeat(poses[:, 10:11], len(names), axis=1).copy()
    for index, name in enumerate(names):
        if name in H36M.joints and name not in ("pelvis", "thorax", "spine", "head"):
            out[:, index] = poses[:, H36M.joints.index(name)]
        elif name.startswith(("left_ear", "right_ear")):
            out[:, index] += 0.05 if name.startswith("left") else -0.05
    return out


UP = {"down": np.eye(3), "up": np.diag([1.0, -1, -1]), "z": np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])}


@pytest.mark.parametrize("up", UP)
@pytest.mark.parametrize("factor", [1, 1000])
@pytest.mark.parametrize("rate", [30, 60, 25])
def test_straight_motion_comes_back_in_any_unit_direction_and_rate(exact, factor, up, rate):
    poses = straight(rate=rate) @ UP[up].T * factor
    refine = Refiner("synsp", fps=rate, folder=exact)
    refined = refine(poses)
    assert "SynSP" in refine.results[0].plan
    np.testing.assert_allclose(refined[:-8] / factor, poses[:-8] / factor, atol=1e-5)
    # Resampling holds the last value, up to a frame of 25 a second long.
    np.testing.assert_allclose(refined / factor, poses / factor, atol=1e-5 if rate == 30 else 0.02)


@pytest.mark.parametrize("kind, joints, dims", [("3D", 17, 3), ("2D", 17, 2), ("3D", 21, 3), ("2D", 4, 1)])
def test_what_networks_leave_alone_comes_back_whatever_it_is(exact, kind, joints, dims):
    poses = np.random.default_rng(0).normal(0, 100, (50, joints, dims)) + 1000
    np.testing.assert_allclose(Refiner("smoothnet", fps=30, folder=exact, kind=kind)(poses), poses, atol=1e-3)


@pytest.mark.parametrize("layout", ["mediapipe33", "coco17", "openpose25", "halpe26"])
@pytest.mark.parametrize("dims", [2, 3])
def test_detectors_go_through_synsp_and_their_other_joints_through_smoothnet(folder, layout, dims):
    names = JOINT_NAMES[layout]
    poses = by_names(straight(), names)[..., :dims] * (1 if dims == 3 else 200)
    noisy = poses + np.random.default_rng(0).normal(0, 0.01 * (1 if dims == 3 else 200), poses.shape)
    refine = Refiner("synsp", fps=30, folder=folder, layout=layout)
    refined = refine(noisy)
    counts = refine.results[0].methods
    synsp, smoothnet = (
        sum(count for label, count in counts.items() if label.startswith(name)) for name in ("SynSP", "SmoothNet")
    )
    assert (synsp, smoothnet) == (40 * 13, 40 * (len(names) - 13))
    # A line through 8 frames leaves the more of the noise the nearer to its ends; the average over windows less.
    error = (refined - poses) - (
        (refined - poses)[:, names.index("left_hip")] / 2 + (refined - poses)[:, names.index("right_hip")] / 2
    )[:, None] * (dims == 3)
    before = (noisy - poses) - (
        (noisy - poses)[:, names.index("left_hip")] / 2 + (noisy - poses)[:, names.index("right_hip")] / 2
    )[:, None] * (dims == 3)
    assert np.square(error).mean() < 0.35 * np.square(before).mean()


# Rotations of a standing body's y down, by which it lies with its head to the left, to the right, towards the camera …
LYING = {
    "left": Rotation.from_rotvec([0, 0, -np.pi / 2]),
    "right": Rotation.from_rotvec([0, 0, np.pi / 2]),
    "towards": Rotation.from_rotvec([np.pi / 2, 0, 0]),
    # … and away from one that looks down on it by 40 degrees.
    "away": Rotation.from_rotvec([-np.pi / 3.6, 0, 0]),
}


@pytest.mark.parametrize("how", LYING)
def test_who_lies_through_a_whole_recording_stays_in_the_frame_of_the_file(folder, how):
    poses = straight(speed=0.1) @ LYING[how].as_matrix().T
    refine = Refiner("synsp", fps=30, folder=folder)
    refine(poses)
    assert not refine.results[0].notes
    np.testing.assert_array_equal(refine.results[0].space.turn, np.eye(3))


def test_who_lies_down_for_a_while_does_not_turn_a_room_with_z_up(folder):
    standing = straight(60) @ UP["z"].T
    lying = standing.copy()
    lying[:20] = standing[:20] @ Rotation.from_rotvec([0, np.pi / 2, 0]).as_matrix().T
    refine = Refiner("synsp", fps=30, folder=folder)
    for poses in (np.stack([standing, lying]), standing):  # of two people, 1 in 6 frames
        refine(poses)
        for result in refine.results:
            assert any("z up" in note for note in result.notes)
            head = result.space.turn @ (standing[0, 10] - standing[0, 0])
            assert head[1] < -0.9 * np.linalg.norm(head)


def test_sample_of_a_person_who_gets_up_is_not_turned():
    """The clip begins face down with the head towards the camera: its median direction is -z, 62 mm too far."""
    sample = storage.read(ROOT / "data/poses/mocap_noise_3D/detected/mocap_noise_3D_test.npz")
    number = [names[0].split(".")[0] for names in sample["imgname"]].index("getup_facedown")
    poses = sample["joints_3d"][number].reshape(-1, 17, 3).astype(float)
    directions = space.heads(poses, H36M.joints, "3D")
    assert np.abs(np.median(directions, axis=0)).argmax() == 2
    assert space.way_up(directions) == space.AXES["-y"]


def test_a_told_direction_goes_before_the_poses(folder):
    refine = Refiner("synsp", fps=30, folder=folder, up="x")
    refine(straight())
    assert any("x up" in note for note in refine.results[0].notes)


def test_root_is_left_where_it_is_unless_asked(folder):
    rng = np.random.default_rng(0)
    poses = straight() + rng.normal(0, 0.02, (40, 17, 3))
    poses[:, 0] = poses[:, [1, 4]].mean(axis=1)
    refine = Refiner("synsp", fps=30, folder=folder)
    refined = refine(poses)
    np.testing.assert_allclose(refined[:, 0], poses[:, 0], atol=1e-6)
    assert any("the root jitters" in note for note in refine.results[0].notes)
    moved = Refiner("synsp", fps=30, folder=folder, translation=True)(poses)
    jitter = [np.abs(np.diff(values[:, 0], n=2, axis=0)).mean() for values in (poses, moved)]
    assert jitter[1] < 0.3 * jitter[0]
    # The pose itself is the same in both.
    np.testing.assert_allclose(moved - moved[:, :1], refined - refined[:, :1], atol=1e-6)


def test_gaps_are_filled_marked_and_counted(exact):
    poses = straight()
    poses[10:14, 3], poses[20:35, 16], poses[:5, 13] = np.nan, np.nan, np.nan
    refine = Refiner("synsp", fps=30, folder=exact, max_gap=0.2)  # 6 frames
    refined = refine(poses)
    result = refine.results[0]
    assert result.filled.sum() == 4 and result.filled[10:14, 3].all()
    missing = np.isnan(refined).any(axis=-1)
    assert missing.sum() == 15 + 5 and missing[20:35, 16].all() and missing[:5, 13].all()
    np.testing.assert_allclose(refined[10:14, 3], straight()[10:14, 3], atol=1e-5)
    # SynSP where all its joints are there, the per-channel network for the rest, nobody for what is missing.
    whole = 40 - 15 - 5
    assert sorted(result.methods.values()) == sorted([whole * 17, 15 * 16 + 5 * 16])


def test_never_seen_joints_send_the_track_to_the_filter(folder):
    poses = straight()
    poses[:, 6] = np.nan
    refine = Refiner("auto", fps=30, folder=folder)
    refined = refine(poses)
    assert np.isnan(refined[:, 6]).all() and np.isfinite(np.delete(refined, 6, axis=1)).all()
    assert "left_ankle never seen" in refine.results[0].plan
    assert set(refine.results[0].methods) <= {"gcv", "kalman"}


def test_frames_without_anybody_split_the_track(exact):
    poses = straight(frames=60)
    poses[18:42] = np.nan  # 0.8 s, longer than max_gap
    refined = Refiner("synsp", fps=30, folder=exact)(poses)
    np.testing.assert_allclose(refined[:18], poses[:18], atol=1e-5)
    np.testing.assert_allclose(refined[42:], poses[42:], atol=1e-5)
    assert np.isnan(refined[18:42]).all()


@pytest.mark.parametrize("frames", [1, 2, 3, 7, 8])
@pytest.mark.parametrize("method", ["auto", *registry.FILTERS, "none"])
def test_short_sequences(folder, frames, method):
    poses = straight(frames)
    refined = Refiner(method, fps=30, folder=folder)(poses)
    assert refined.shape == poses.shape and np.isfinite(refined).all()
    if frames == 1:
        np.testing.assert_allclose(refined, poses, atol=1e-12)


@pytest.mark.parametrize(
    "make", [lambda x: x.astype(np.float32), lambda x: x, torch.from_numpy, lambda x: torch.from_numpy(x).half()]
)
def test_the_result_is_of_the_input_s_type(folder, make):
    poses = make(straight(12))
    refined = Refiner("synsp", fps=30, folder=folder)(poses)
    assert type(refined) is type(poses) and refined.dtype == poses.dtype and refined.shape == poses.shape


@pytest.mark.parametrize("method", ["savgol", "gaus1d", "butterworth", "median+gaussian"])
def test_a_filter_that_needs_the_whole_recording_takes_no_lag(method):
    with pytest.raises(UserError, match="whole recording"):
        Refiner(method, lag=3)
    assert Refiner("oneeuro", lag=3).lag == 3


def test_people_are_refined_each_alone(folder):
    people = np.stack([straight(speed=0.2), straight(speed=1.0) + 3]) + np.random.default_rng(0).normal(
        0, 0.01, (2, 40, 17, 3)
    )
    together = Refiner("synsp", fps=30, folder=folder)(people)
    for person, refined in zip(people, together):
        np.testing.assert_allclose(refined, Refiner("synsp", fps=30, folder=folder)(person), atol=1e-6)


def test_a_detector_that_jumps_between_people_is_not_smoothed_across(folder):
    """As MediaPipe does, which knows one person: the gap at the jump stays, and both sides are as each alone."""
    one, other = straight()[..., :2] * 200, straight()[..., :2] * 200 + 900
    noise = np.random.default_rng(0).normal(0, 3, (81, 17, 2))
    poses = np.concatenate([one, np.full((1, 17, 2), np.nan), other]) + noise
    refine = Refiner("synsp", fps=30, folder=folder, layout="coco17")
    refined = refine(poses)
    assert any("jumps to another place at frame 41 " in note for note in refine.results[0].notes)
    assert np.isnan(refined[40]).all()
    np.testing.assert_allclose(refined[:40], refine(poses[:40]), atol=1e-3)
    np.testing.assert_allclose(refined[41:], refine(poses[41:]), atol=1e-3)


def test_what_belongs_to_a_person_jumps_with_it(folder):
    body, depth = straight()[..., :2] * 200, straight()[..., 2:]
    body[20:] += 900
    depth[20:] += 0.1
    tracks = [
        Track("a", "a", body, layout="h36m17"),
        Track("a", "a depth", depth, part="depth"),
        Track("b", "b depth", depth, part="depth"),
    ]
    refine = Refiner("gaus1d", folder=folder)
    _, shared, own = refine.refine_tracks(tracks, 30)
    alone = refine.refine_tracks([Track("b", "b", depth[:20])], 30)[0].poses
    np.testing.assert_allclose(shared.poses[:20], alone, atol=1e-9)
    assert np.abs(own.poses[:20] - alone).max() > 0.01


def test_own_places_keep_a_detector_s_joints_where_it_sees_them(tmp_path):
    """A network that puts joints elsewhere moves a detector's joints by that, and with own_places by nothing."""
    path = save_synsp(tmp_path, "2D")
    checkpoint = torch.load(path, weights_only=True)
    heads = [name for name in checkpoint["state_dict"] if name.endswith("bias")]
    for name in heads:
        checkpoint["state_dict"][name] += 0.03
    torch.save(checkpoint, path)
    poses = by_names(straight(90), JOINT_NAMES["coco17"])[..., :2] * 200
    noisy = poses + np.random.default_rng(0).normal(0, 2, poses.shape)
    options = {"fps": 30, "folder": tmp_path, "layout": "coco17"}
    moved, kept = (Refiner("synsp", own_places=own, **options)(noisy) for own in (False, True))
    joints = [JOINT_NAMES["coco17"].index(name) for name in ("left_shoulder", "right_hip", "left_wrist")]
    offset = [np.linalg.norm((refined - noisy)[:, joints].mean(axis=0), axis=-1).max() for refined in (moved, kept)]
    assert offset[0] > 2 and offset[1] < 0.3
    jitter = [np.abs(np.diff(values[:, joints], n=2, axis=0)).mean() for values in (noisy, moved, kept)]
    assert jitter[1] < 0.3 * jitter[0] and jitter[2] < 1.05 * jitter[1]


def test_strength_blends(folder):
    poses = straight() + np.random.default_rng(0).normal(0, 0.02, (40, 17, 3))
    full, half, none = (Refiner("synsp", fps=30, folder=folder, strength=strength)(poses) for strength in (1, 0.5, 0))
    np.testing.assert_allclose(half, (poses + full) / 2, atol=1e-9)
    np.testing.assert_allclose(none, poses, atol=1e-12)


def test_low_confidence_outliers_count_little(folder):
    poses = straight()
    noisy, confidence = poses.copy(), np.full((40, 17), 0.9)
    noisy[20, 13] += 0.5
    confidence[20, 13] = 0.05
    with_it = Refiner("synsp", fps=30, folder=folder, repair=False)(noisy, confidence=confidence)
    without = Refiner("synsp", fps=30, folder=folder, repair=False)(noisy)
    assert np.linalg.norm(with_it[20, 13] - poses[20, 13]) < 0.1 * np.linalg.norm(without[20, 13] - poses[20, 13])


def test_jittering_timestamps_are_put_on_an_even_clock(folder):
    rng = np.random.default_rng(0)
    times = (np.arange(60) + rng.uniform(-0.4, 0.4, 60)) / 30
    poses = straight(60)
    uneven = np.stack([np.interp(times, np.arange(60) / 30, channel) for channel in poses.reshape(60, -1).T], axis=1)
    uneven = uneven.reshape(60, 17, 3)
    refined = Refiner("synsp", folder=folder)(uneven, timestamps=times)
    np.testing.assert_allclose(refined[4:-6], uneven[4:-6], atol=1e-3)


# ------------------------------------------------------------------------------------------------- rotations


def turning(frames=30, joints=24, noise=0.0):
    """Rotations [T, J, 3] whose roots stand near half a turn, where axis-angles change sign."""
    rng = np.random.default_rng(0)
    base = Rotation.from_rotvec(rng.normal(0, 0.4, (joints, 3)))
    out = np.zeros((frames, joints, 3))
    for frame in range(frames):
        small = Rotation.from_rotvec(rng.normal(0, noise, (joints, 3)))
        body = base * small
        vectors = body.as_rotvec()
        vectors[0] = (
            Rotation.from_rotvec([np.pi, 0, 0]) * Rotation.from_rotvec([0.02 * np.sin(frame), 0.01, 0.02])
        ).as_rotvec()
        out[frame] = vectors
    return out


def angle(a, b):
    return (Rotation.from_rotvec(a.reshape(-1, 3)).inv() * Rotation.from_rotvec(b.reshape(-1, 3))).magnitude()


@pytest.mark.parametrize("joints, synsp", [(24, True), (22, True), (21, False)])
def test_rotations_of_smpl(folder, joints, synsp):
    poses = turning(joints=24, noise=0.1)[:, 24 - joints if joints == 21 else 0 :][:, :joints]
    still = turning(joints=24)[:, 24 - joints if joints == 21 else 0 :][:, :joints]
    refine = Refiner("synsp" if synsp else "smoothnet", fps=30, folder=folder, kind="smpl")
    refined = refine(poses)
    assert refine.results[0].plan.startswith("SynSP" if synsp else "SmoothNet")
    assert angle(refined[:, 1:], still[:, 1:]).mean() < 0.55 * angle(poses[:, 1:], still[:, 1:]).mean()


def test_rotation_forms_agree(folder):
    poses = turning(noise=0.05)
    vectors = Refiner("synsp", fps=30, folder=folder, kind="smpl")(poses)
    matrices = Rotation.from_rotvec(poses.reshape(-1, 3)).as_matrix().reshape(30, 24, 3, 3)
    refined = Refiner("synsp", fps=30, folder=folder)(matrices)
    assert refined.shape == matrices.shape
    assert np.degrees(angle(Rotation.from_matrix(refined.reshape(-1, 3, 3)).as_rotvec(), vectors)).max() < 0.01
    six = matrices[..., :2].reshape(30, 24, 6)
    np.testing.assert_allclose(
        Refiner("synsp", fps=30, folder=folder, kind="smpl")(six), refined[..., :2].reshape(30, 24, 6), atol=1e-4
    )


@pytest.mark.parametrize("up, flip", [("y", [np.pi, 0, 0]), ("z", [-np.pi / 2, 0, 0])])  # AMASS has z up
def test_a_world_with_another_axis_up_is_turned_for_the_network(folder, up, flip):
    poses = turning(noise=0.05)
    flip = Rotation.from_rotvec(flip)
    world = poses.copy()
    world[:, 0] = (flip * Rotation.from_rotvec(poses[:, 0])).as_rotvec()
    refine = Refiner("synsp", fps=30, folder=folder, kind="smpl")
    back = refine(world)
    assert any(f" {up} up" in note for note in refine.results[0].notes)
    expected = Refiner("synsp", fps=30, folder=folder, kind="smpl")(poses)
    np.testing.assert_allclose(angle(back[:, 1:], expected[:, 1:]).max(), 0, atol=1e-5)
    turned = (flip * Rotation.from_rotvec(expected[:, 0])).as_rotvec()
    np.testing.assert_allclose(angle(back[:, 0], turned).max(), 0, atol=1e-5)


# --------------------------------------------------------------------------------------------------- choices


def test_auto_says_what_it_falls_back_to(folder, tmp_path):
    refine = Refiner("auto", fps=30, folder=tmp_path)
    refine(straight())
    assert refine.results[0].plan.startswith("the filter")
    refine = Refiner("auto", fps=30, folder=folder)
    refine(np.random.default_rng(0).normal(size=(30, 21, 3)))  # a hand
    assert refine.results[0].plan.startswith("the filter") and "does not name" in refine.results[0].plan
    refine(straight()[:, ::-1])  # 17 joints in another order
    assert "not in Human3.6M order" in refine.results[0].plan


def test_a_damaged_checkpoint_is_passed_over(folder, tmp_path, caplog):
    (tmp_path / "synsp_3D_w8.pth.tar").write_bytes(b"version https://git-lfs")
    save_smoothnet(tmp_path)
    refine = Refiner("auto", fps=30, folder=tmp_path)
    refine(straight())
    assert refine.results[0].plan.startswith("the filter")
    assert "Git LFS pointer" in caplog.text


@pytest.mark.parametrize(
    "arguments, said",
    [
        (dict(method="magic"), "Known: auto"),
        (dict(method="savgol", checkpoint="x.pth.tar"), "takes no checkpoint"),
        (dict(checkpoint="absent.pth.tar"), "not found"),
        (dict(strength=1.5), "--strength is 1.5; expected 0"),
        (dict(fps=0), "--fps is 0"),
        (dict(max_gap=-1), "--max_gap"),
        (dict(kind="4D"), "Known: 2D"),
        (dict(layout="cow"), "Known: coco17"),
        (dict(up="north"), "Known: -y"),
    ],
)
def test_impossible_settings_are_one_line(arguments, said):
    with pytest.raises(UserError, match=said):
        Refiner(**arguments)


@pytest.mark.parametrize("poses", [np.zeros((0, 17, 3)), np.zeros(5), np.array(["a"]), np.zeros((3, 17))])
def test_impossible_arrays_are_one_line(poses):
    with pytest.raises(UserError, match="poses"):
        Refiner("savgol")(poses)


def test_confidence_of_another_shape_is_one_line(folder):
    with pytest.raises(UserError, match="confidence: shape"):
        Refiner("savgol")(straight(), confidence=np.ones(7))


def test_matrices_do_not_change_what_comes_after(folder):
    refine = Refiner("savgol", fps=30)
    refine(np.tile(np.eye(3), (10, 24, 1, 1)))
    poses = np.cumsum(np.ones((10, 24, 3)), axis=0) * 10  # no rotations: those would wrap
    np.testing.assert_allclose(refine(poses), poses, atol=1e-9)


def test_poses_unlike_the_training_data_are_said(folder, tmp_path):
    save_synsp(tmp_path, random=True)
    refine = Refiner("synsp", fps=30, folder=tmp_path)
    refine(straight())
    assert any("SynSP moves the joints by" in note for note in refine.results[0].notes)
    refine = Refiner("synsp", fps=30, folder=folder)
    refine(straight())
    assert not refine.results[0].notes


def test_synsp_that_does_not_fit_is_refused_by_name(folder):
    with pytest.raises(UserError, match="not give|does not name"):
        Refiner("synsp", fps=30, folder=folder)(np.random.default_rng(0).normal(size=(30, 21, 3)))


# ------------------------------------------------------------------------------------------------- lag, rates


def test_whole_lag_is_offline(folder):
    poses = straight() + np.random.default_rng(0).normal(0, 0.02, (40, 17, 3))
    offline = Refiner("synsp", fps=30, folder=folder)(poses)
    np.testing.assert_allclose(Refiner("synsp", fps=30, folder=folder, lag=7)(poses), offline, atol=1e-6)
    causal = Refiner("synsp", fps=30, folder=folder, lag=0)(poses)
    changed = poses.copy()
    changed[25:] += 0.3 * (np.arange(17) == 3)[:, None]
    np.testing.assert_allclose(Refiner("synsp", fps=30, folder=folder, lag=0)(changed)[:25], causal[:25], atol=1e-6)
    with pytest.raises(UserError, match="--lag is 8"):
        Refiner("synsp", fps=30, folder=folder, lag=8)(poses)


@pytest.mark.parametrize("name", ["gaus1d", "butterworth", "savgol", "oneeuro"])
def test_filters_go_by_hertz(name):
    """A 1 Hz wave loses as much at 60 frames a second as at 30."""
    kept = {}
    for rate in (30, 60, 120):
        wave = np.sin(2 * np.pi * np.arange(6 * rate) / rate)[:, None, None]
        filtered = registry.at_rate(name, defaults(), rate)(wave).values
        kept[rate] = np.abs(filtered[2 * rate : -2 * rate]).max()
    assert kept[60] == pytest.approx(kept[30], abs=0.06) and kept[120] == pytest.approx(kept[30], abs=0.09)


def test_the_network_for_one_view_and_this_lag_is_taken(tmp_path):
    """As they ship: window 32 and several views sort before window 8 by name, the causal one is for lag 0 alone."""
    for name, window, data in (
        ("synsp_3D_w32", 32, {}),
        ("synsp_3D_w8", 8, {"views": 1}),
        ("synsp_3D_w8_causal", 8, {"trained_lag": 0}),
        ("synsp_mv_3D_w8", 8, {"views": 4}),
    ):
        save_synsp(tmp_path, name=f"{name}.pth.tar", window=window, **data)
    poses = np.broadcast_to(REST, (20, 17, 3)) * 1.0

    def taken(lag):
        refiner = Refiner("synsp", fps=30, folder=tmp_path, lag=lag)
        model, _, _ = refiner.choice.network_for(refiner.track(poses), poses)
        return Path(model.path).name.removesuffix(".pth.tar")

    assert [taken(lag) for lag in (None, 0, 3)] == ["synsp_3D_w8", "synsp_3D_w8_causal", "synsp_3D_w8"]
    save_synsp(tmp_path, name="synsp_3D_w8_general.pth.tar", any_skeleton=True)
    assert [taken(lag) for lag in (None, 0, 3)] == ["synsp_3D_w8_general", "synsp_3D_w8_causal", "synsp_3D_w8_general"]
    assert taken(9) == "synsp_3D_w32"  # a window of 8 has no lag of 9


def test_weights_of_one_sensor_or_not_for_any_use_are_taken_by_name_only(tmp_path):
    for name in ("synsp_3D_w8_bn", "synsp_3D_w8_kinect"):
        save_synsp(tmp_path, name=f"{name}.pth.tar", views=1)
    poses = np.broadcast_to(REST, (20, 17, 3)) * 1.0
    refiner = Refiner("auto", fps=30, folder=tmp_path)
    assert refiner.choice.network_for(refiner.track(poses), poses)[0] is None
    for checkpoint in (tmp_path / "synsp_3D_w8_kinect.pth.tar", "synsp_3D_w8_kinect", "synsp_3D_w8_kinect.pth.tar"):
        named = Refiner("synsp", fps=30, checkpoint=checkpoint, folder=tmp_path)
        assert named.choice.network_for(named.track(poses), poses)[0] is not None
    with pytest.raises(UserError, match="checkpoint elsewhere/synsp_3D_w8_kinect: not found"):
        Refiner("synsp", fps=30, checkpoint="elsewhere/synsp_3D_w8_kinect", folder=tmp_path)


def test_files_of_an_estimator_take_its_weights_and_no_others_do(tmp_path):
    for name in ("synsp_3D_w8", "synsp_3D_w8_mediapipe"):
        save_synsp(tmp_path, name=f"{name}.pth.tar", any_skeleton=True)

    def taken(names, **options):
        refiner = Refiner("auto", fps=30, folder=tmp_path, layout=names, **options)
        poses = by_names(straight(20), JOINT_NAMES[names])
        return Path(refiner.choice.network_for(refiner.track(poses), poses)[0].path).name.removesuffix(".pth.tar")

    assert taken("mediapipe33") == "synsp_3D_w8_mediapipe"
    assert taken("coco17") == "synsp_3D_w8"


def test_weights_of_an_estimator_say_where_its_joints_should_be(tmp_path):
    """They learnt where on the body it puts them, which others leave to the detector (own_places)."""
    options = {"fps": 30, "layout": "mediapipe33"}
    poses = by_names(straight(90), JOINT_NAMES["mediapipe33"])
    noisy = poses + np.random.default_rng(0).normal(0, 0.01, poses.shape)
    results = {}
    for name in ("synsp_3D_w8", "synsp_3D_w8_mediapipe"):
        path = save_synsp(tmp_path, name=f"{name}.pth.tar", random=True, knows_places="mediapipe" in name)
        results[name] = Refiner("synsp", checkpoint=path, **options)(noisy)
    joint = JOINT_NAMES["mediapipe33"].index("left_wrist")
    general, specific = (np.linalg.norm((each - noisy)[:, joint].mean(axis=0)) for each in results.values())
    assert specific > 3 * general


@pytest.mark.parametrize("method", ("gcv", "whittaker", "kalman", "self_tuned"))
def test_filters_that_tune_themselves_say_their_cutoff(method):
    rng = np.random.default_rng(0)
    wave = np.sin(2 * np.pi * 0.8 * np.arange(240) / 60)[:, None, None] + rng.uniform(-1, 1, (1, 5, 3))
    refine = Refiner(method, fps=60, units="m")
    refined = refine(wave + 0.02 * rng.standard_normal(wave.shape))
    assert np.sqrt(((refined - wave) ** 2).mean()) < 0.01
    assert any(note.startswith(f"{method}: acts as a low-pass of") for note in refine.results[0].notes)
    sigma = refine.results[0].sigma
    assert 0.6 < np.sqrt(((refined - wave) ** 2).mean()) / np.sqrt(np.mean(sigma**2)) < 1.5


# ------------------------------------------------------------------------------------------------- repair


def test_exchanges_and_spikes_are_repaired_before_anything_is_smoothed(motion, folder):
    clip = motion[2].astype(float)
    wrong, mirror = clip.copy(), list(H36M.mirror)
    wrong[20:30] = wrong[20:30][:, mirror]
    wrong[40, 13] += 0.8
    scores = np.full(clip.shape[:2], 0.9)
    refiner = Refiner("butterworth", fps=30, folder=folder)
    refined = refiner(wrong, confidence=scores)
    (result,) = refiner.results
    assert "left and right exchanged in frames 20-29, repaired" in result.notes and "1 spike removed" in result.notes
    assert not result.filled.any() and np.argwhere(result.repaired.spikes).tolist() == [[40, 13]]
    np.testing.assert_allclose(refined, refiner(clip), atol=0.01)
    left = Refiner("butterworth", fps=30, folder=folder, repair=False)
    assert np.abs(left(wrong) - refined).max() > 0.2 and left.results[0].repaired is None


def test_scores_change_places_with_their_key_points(motion, folder):
    clip = motion[2].astype(float)
    wrong, scores = clip.copy(), np.tile(np.linspace(0.5, 0.9, 17), (len(clip), 1))
    wrong[20:30] = wrong[20:30][:, list(H36M.mirror)]
    refiner = Refiner("butterworth", fps=30, folder=folder)
    refiner(wrong, confidence=scores)
    repaired = refiner.results[0].repaired
    assert np.array_equal(repaired.confidence[25], scores[25, list(H36M.mirror)])
    assert np.array_equal(repaired.confidence[10], scores[10])


def test_a_checkpoint_asked_for_by_name_is_used_or_refused(folder):
    """It silently became a filter, with exit code 0."""
    hand = np.random.default_rng(0).normal(size=(30, 21, 3))
    path = str(folder / "synsp_3D_w8.pth.tar")
    with pytest.raises(UserError, match="synsp_3D_w8.pth.tar: does not fit"):
        Refiner(path, fps=30, folder=folder)(hand)
    with pytest.raises(UserError, match="does not fit"):
        Refiner(path, fps=30, folder=folder).stream().step(hand[0])
    refiner = Refiner(path, fps=30, folder=folder)
    refiner(straight())
    assert list(refiner.results[0].methods) == [refiner.choice.model.label]


def test_one_refiner_for_several_threads(folder):
    """Matrices are rotations for one call only: the kind was kept on the Refiner, and threads read each other's."""
    refiner = Refiner("gaus1d", fps=30, folder=folder)
    matrices, joints = np.tile(np.eye(3), (20, 24, 1, 1)), straight()
    expected = [Refiner("gaus1d", fps=30, folder=folder)(poses) for poses in (matrices, joints)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(refiner, [matrices, joints] * 10))
    for index, poses in enumerate(found):
        np.testing.assert_allclose(poses, expected[index % 2], atol=1e-9)
