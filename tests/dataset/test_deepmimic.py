import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from lib.dataset import deepmimic, storage
from lib.errors import UserError

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "data/poses/mocap_noise_3D"
FRAMES = {  # floor(seconds * 30) + 1 from the source's durations
    "train": {
        "backflip": 53,
        "cartwheel": 82,
        "crawl": 88,
        "dance_b": 76,
        "getup_faceup": 113,
        "kick": 46,
        "roll": 56,
        "spin": 133,
        "spinkick": 39,
        "walk": 38,
    },
    "test": {"dance_a": 49, "getup_facedown": 91, "jump": 53, "punch": 64, "run": 24},
}

# A source with bones of round lengths, in the quarter that the converter takes: thigh 0.5 m, shin 0.4 m, …
OFFSETS = {"root": ("base", "0 0 0"), "chest": ("root", "0 1 0"), "neck": ("chest", "0 0.8 0")}
for side, z in (("right", "0.4"), ("left", "-0.4")):
    OFFSETS |= {
        f"{side}_hip": ("root", f"0 0 {z}"),
        f"{side}_knee": (f"{side}_hip", "0 -2 0"),
        f"{side}_ankle": (f"{side}_knee", "0 -1.6 0"),
        f"{side}_shoulder": ("chest", f"0 0.9 {z}"),
        f"{side}_elbow": (f"{side}_shoulder", "0 -1.2 0"),
        f"{side}_wrist": (f"{side}_elbow", "0 -1 0"),
    }
URDF = (
    "<robot>"
    + "".join(
        f'<joint name="{name}"><parent link="{parent}"/><child link="{name}"/><origin xyz="{offset}"/></joint>'
        for name, (parent, offset) in OFFSETS.items()
    )
    + "</robot>\r\n\0"
)


def joint(name):
    return deepmimic.LAYOUT.joints.index(name)


def still_rows(durations):
    """Rows of a person who stands at rest; quaternions of length 2, to be normalised."""
    rows = np.zeros((len(durations), 44))
    rows[:, 0] = durations
    for first, end in deepmimic.COLUMNS.values():
        if end - first == 4:
            rows[:, first] = 2
    return rows


def source(folder, clips):
    (folder / "motions").mkdir(parents=True)
    (folder / "humanoid").mkdir()
    for clip, rows in clips.items():
        text = json.dumps({"Loop": "wrap", "Frames": rows.tolist()})
        (folder / "motions" / f"humanoid3d_{clip}.txt").write_text(text)
    (folder / "humanoid" / "humanoid.urdf").write_text(URDF)
    return folder


@pytest.fixture(scope="module")
def shipped():
    """{clip: truth [T, 17, 3]} of both splits."""
    clips = {}
    for split in ("train", "test"):
        data = storage.read(SAMPLE / f"groundtruth/mocap_gt_3D_{split}.npz")
        for names, truth in zip(data["imgname"], data["joints_3d"]):
            clips[names[0].split(".camera1/")[0]] = truth.reshape(-1, 17, 3)
    return clips


@pytest.mark.parametrize("split", ["train", "test"])
def test_split_by_clip_and_frames_at_30_hz(split):
    data = storage.read(SAMPLE / f"groundtruth/mocap_gt_3D_{split}.npz")
    clips = [names[0].split(".")[0] for names in data["imgname"]]
    assert dict(zip(clips, map(len, data["joints_3d"]))) == FRAMES[split]
    for clip, names in zip(clips, data["imgname"]):
        assert list(names) == [f"{clip}.camera1/{frame:06d}" for frame in range(FRAMES[split][clip])]
    assert (SAMPLE / f"detected/mocap_noise_3D_{split}.npz").exists() == (split == "test")


def test_sample_is_small():
    assert sum(file.stat().st_size for file in SAMPLE.rglob("*.npz")) < 2_000_000


def test_bones_keep_the_length_of_the_source_and_the_pelvis_stays_at_0(shipped):
    # A quarter of the offsets in the source's URDF.
    expected = {
        ("right_knee", "right_ankle"): 1.639480 / 4,
        ("left_hip", "left_knee"): 1.686184 / 4,
        ("right_shoulder", "right_elbow"): 1.099152 / 4,
        ("left_elbow", "left_wrist"): 1.035788 / 4,
        ("pelvis", "spine"): 0.944604 / 4,
        ("spine", "thorax"): 0.895576 / 4,
        ("pelvis", "left_hip"): 0.339548 / 4,
    }
    for points in shipped.values():
        assert not points[:, 0].any()
        for a, b in deepmimic.LAYOUT.edges:
            assert np.ptp(np.linalg.norm(points[:, a] - points[:, b], axis=-1)) < 1e-5
        for (a, b), length in expected.items():
            bone = np.linalg.norm(points[:, joint(a)] - points[:, joint(b)], axis=-1)
            np.testing.assert_allclose(bone, length, atol=1e-5)


def test_people_have_a_human_height_and_stand_upright(shipped):
    for clip in ("walk", "run", "dance_a", "dance_b", "kick", "punch", "jump"):
        y = shipped[clip][..., 1]  # down
        assert (y[:, joint("head")] < y[:, joint("thorax")]).all() and (y[:, joint("thorax")] < 0).all(), clip
    standing = np.concatenate([shipped[clip][..., 1] for clip in ("walk", "getup_faceup", "backflip")])
    ankle = np.maximum(standing[:, joint("left_ankle")], standing[:, joint("right_ankle")])
    height = np.percentile(ankle - standing[:, joint("head")], 95) + 0.05  # the ankle is 5 cm above the sole
    assert 1.55 < height < 1.75


def test_people_face_the_camera_their_right_at_image_left(shipped):
    for clip, points in shipped.items():
        right = (points[:, joint("right_hip")] - points[:, joint("left_hip")]).mean(axis=0)
        assert np.abs(np.rad2deg(np.arctan2(right[2], -right[0]))) <= 45.01, clip
    for clip in ("walk", "run", "jump", "punch"):
        points = shipped[clip]
        assert (points[:, joint("nose"), 2] < points[:, joint("thorax"), 2]).all(), clip  # the nose is nearer


def test_knees_bend_backward_and_elbows_forward(shipped):
    for clip, points in shipped.items():
        for side in ("left", "right"):
            hip, knee, ankle = (points[:, joint(f"{side}_{part}")] for part in ("hip", "knee", "ankle"))
            # The knee's axis: shin behind the thigh turns about the person's left.
            bend = np.cross(knee - hip, ankle - knee)
            across = points[:, joint("right_hip")] - points[:, joint("left_hip")]
            if clip in ("walk", "run", "jump", "getup_facedown"):
                sine = (bend * across).sum(axis=-1) / (0.41 * 0.42 * 0.17)
                assert sine.max() < 0.15 and sine.min() < -0.5, (clip, side)
    points = shipped["walk"]
    for side in ("left", "right"):
        shoulder, elbow, wrist = (points[:, joint(f"{side}_{part}")] for part in ("shoulder", "elbow", "wrist"))
        across = points[:, joint("right_shoulder")] - points[:, joint("left_shoulder")]
        assert ((np.cross(elbow - shoulder, wrist - elbow) * across).sum(axis=-1) > -1e-3).all()


def test_no_clip_jumps(shipped):
    # The seams of walk and run and the loose ends of roll would be above these (84, 219 and 126 mm).
    limits = {"walk": 40, "run": 100, "roll": 200, "getup_faceup": 60, "getup_facedown": 70}
    for clip, limit in limits.items():
        accel = 1000 * np.linalg.norm(np.diff(shipped[clip], n=2, axis=0), axis=-1)
        assert accel.max() < limit, clip
        assert np.abs(np.diff(shipped[clip], axis=0)).max(axis=(1, 2)).min() > 1e-4, clip  # no frozen frame


def test_shipped_detections_are_the_fixed_noise_of_their_clip(shipped):
    detected = storage.read(SAMPLE / "detected/mocap_noise_3D_test.npz")
    assert [names[0].split(".")[0] for names in detected["imgname"]] == list(FRAMES["test"])
    for clip, value in zip(FRAMES["test"], detected["joints_3d"]):
        truth = shipped[clip].reshape(-1, 51)
        np.testing.assert_allclose(value, deepmimic.detect(truth, clip), atol=1e-5)
        assert not value[:, :3].any()
        assert 40 < 1000 * np.linalg.norm((value - truth).reshape(-1, 17, 3), axis=-1).mean() < 70


def test_a_hinge_turns_on_time(tmp_path):
    # 16 Hz and 60 Hz by turns; the knee bends by 1 rad/s; the last row's duration is 0.
    durations = np.array([0.0625, 1 / 60] * 15 + [0])
    rows = still_rows(durations)
    seconds = np.concatenate([[0], np.cumsum(durations[:-1])])
    first, end = deepmimic.COLUMNS["right_knee"]
    rows[:, first:end] = -seconds[:, None]
    clips, bones = deepmimic.read_source(source(tmp_path / "source", {"crouch": rows}))
    points = deepmimic.convert(clips["crouch"], bones, "crouch").reshape(-1, 17, 3)
    assert len(points) == int(seconds[-1] * 30) + 1
    angle = np.arange(len(points)) / 30
    np.testing.assert_allclose(points[:, joint("right_ankle"), 1], 0.5 + 0.4 * np.cos(angle), atol=1e-6)
    leg = points[:, joint("right_ankle")] - points[:, joint("right_hip")]
    backward = np.linalg.norm(leg[:, [0, 2]], axis=-1)
    np.testing.assert_allclose(backward, 0.4 * np.sin(angle), atol=1e-6)
    np.testing.assert_allclose(points[:, joint("left_ankle"), 1], 0.9, atol=1e-6)
    np.testing.assert_allclose(points[:, joint("head"), 1], -(0.25 + 0.2 + 0.2775), atol=1e-6)


def test_rotations_pass_down_the_chain(tmp_path):
    # Chest turned by 90 degrees about x (ahead): up becomes right, the shoulders follow, the hips do not.
    rows = still_rows([0.1, 0.1, 0])
    rows[:, 8:12] = np.array([1, 1, 0, 0]) * 3
    clips, bones = deepmimic.read_source(source(tmp_path / "source", {"lean": rows}))
    rotations = deepmimic.joint_rotations(clips["lean"])
    points = deepmimic.forward_kinematics(rotations, bones)[0]
    np.testing.assert_allclose(points[joint("thorax")], [0, 0.25, 0.2], atol=1e-12)
    np.testing.assert_allclose(points[joint("right_shoulder")], [0, 0.25 - 0.1, 0.225], atol=1e-12)
    np.testing.assert_allclose(points[joint("right_wrist")], [0, 0.15, 0.225 - 0.55], atol=1e-12)
    np.testing.assert_allclose(points[joint("right_hip")], [0, 0, 0.1], atol=1e-12)


def test_a_seam_is_spread_and_the_rest_is_kept():
    angle = 0.05 * np.arange(40.0)
    angle[20:] += 0.6
    closed = deepmimic.close_seam(Rotation.from_rotvec(angle[:, None] * [0, 0, 1]), 19).as_rotvec()[:, 2]
    assert np.diff(closed)[19] == pytest.approx(0.05)
    np.testing.assert_allclose(np.delete(closed, range(14, 26)), np.delete(angle, range(14, 26)), atol=1e-12)
    assert np.abs(np.diff(closed, n=2)).max() < 0.1


def test_make_writes_the_published_layout_and_the_same_bytes(tmp_path):
    rows = still_rows([0.05] * 40 + [0])
    rows[:, 20] = -np.linspace(0, 1, 41)
    folder = source(tmp_path / "source", {"walk": rows, "run": rows[:24], "punch": rows})
    wheel = tmp_path / "pybullet-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for file in folder.rglob("*.*"):
            archive.write(file, f"pybullet_data/data/{file.relative_to(folder)}")
    for place, given in (("a", folder), ("b", wheel), ("c", wheel)):
        deepmimic.make(given, tmp_path / place)
    files = sorted(file.relative_to(tmp_path / "a") for file in (tmp_path / "a").rglob("*.npz"))
    assert [file.as_posix() for file in files] == [
        "mocap_noise_3D/detected/mocap_noise_3D_test.npz",
        "mocap_noise_3D/groundtruth/mocap_gt_3D_test.npz",
        "mocap_noise_3D/groundtruth/mocap_gt_3D_train.npz",
    ]
    for file in files:
        assert len({(tmp_path / place / file).read_bytes() for place in "abc"}) == 1
    assert "| test | punch | 61 | 2.0 |" in deepmimic.describe(tmp_path / "a")


def test_a_row_without_duration_is_refused_and_nothing_written(tmp_path):
    rows = still_rows([0.05] * 40 + [0])
    rows[5, 0] = 0
    folder = source(tmp_path / "source", {"spin": rows, "punch": still_rows([0.05] * 40)})
    with pytest.raises(UserError, match="humanoid3d_spin.txt: a row within the clip lasts 0 seconds"):
        deepmimic.make(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "spoil, message",
    [
        (lambda folder: (folder / "humanoid/humanoid.urdf").unlink(), "has no humanoid.urdf"),
        (lambda folder: (folder / "motions/humanoid3d_walk.txt").unlink(), "has no humanoid3d"),
        (lambda folder: (folder / "motions/humanoid3d_walk.txt").write_text("{"), "walk.txt: not a motion clip"),
        (
            lambda folder: (folder / "motions/humanoid3d_walk.txt").write_text('{"Frames": [[1, 2], [3, 4]]}'),
            r"shape \[2, 2\]",
        ),
        (lambda folder: (folder / "humanoid/humanoid.urdf").write_text("<robot/>"), "has no joint chest"),
        (lambda folder: (folder / "humanoid/humanoid.urdf").write_text("no"), "not a robot description"),
        (lambda folder: None, "none of its clips belongs to the test split"),
    ],
)
def test_a_bad_source_is_named(tmp_path, spoil, message):
    folder = source(tmp_path / "source", {"walk": still_rows([0.05] * 40)})
    spoil(folder)
    with pytest.raises(UserError, match=message):
        deepmimic.make(folder, tmp_path / "out")


def test_command_line(tmp_path):
    command = [sys.executable, "-m", "lib.dataset.deepmimic"]
    missing = subprocess.run([*command, str(tmp_path / "no.whl")], cwd=ROOT, capture_output=True, text=True)
    assert missing.returncode == 2 and "no.whl: neither a folder nor a wheel" in missing.stderr
    assert "Traceback" not in missing.stderr
    table = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert table.returncode == 0
    total = next(line for line in table.stdout.splitlines() if line.startswith("| **test**"))
    assert total.startswith("| **test** | 5 clips | 281 | 9.4 |")
    # data/README.md quotes what this command prints.
    readme = (ROOT / "data/README.md").read_text()
    assert all(line in readme for line in table.stdout.splitlines())


def test_the_summary_measures_by_its_definitions():
    truth = np.random.default_rng(0).normal(0, 0.3, size=(50, 17, 3))
    turned = 1.1 * truth @ Rotation.from_rotvec([0.3, 1, -0.2]).as_matrix() + [1, 2, 3]

    # A similarity transform is no error after alignment; a mirror image is one.
    def stored(points):
        return [points.reshape(50, 51).astype(np.float32)]

    assert deepmimic._errors(stored(truth), stored(turned))[1] == pytest.approx(0, abs=1e-3)
    assert deepmimic._errors(stored(truth), stored(truth * [-1, 1, 1]))[1] > 100
    # An error that grows by the square of time, 2 mm/frame^2 along x.
    error = 0.001 * np.arange(50.0)[:, None, None] ** 2 * [1, 0, 0]
    mpjpe, _, accel = deepmimic._errors(stored(truth), stored(truth + error))
    assert mpjpe == pytest.approx((np.arange(50.0) ** 2).mean(), rel=1e-5)
    assert accel == pytest.approx(2, rel=1e-3)
