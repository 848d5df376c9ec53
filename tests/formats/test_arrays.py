"""Plain arrays: which axis and which column is what, SMPL rotations, sentinels, times."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from lib.errors import UserError
from lib.formats import registry
from tests.formats.walker import FRAMES, walk


def saved(tmp_path, array, name="poses.npy", **arrays):
    path = tmp_path / name
    if arrays:
        np.savez(path, **arrays)
    else:
        np.save(path, array)
    return registry.read(path)


def two_people(dims, height=300.0):
    return np.stack([walk(dims, height, place=100.0), walk(dims, height, place=700.0, seed=1)])  # [P, T, J, D]


@pytest.mark.parametrize("order", ["PTJD", "TPJD", "DTJP"])
def test_axes_are_told(tmp_path, order):
    people = two_people(3 if order == "DTJP" else 2)
    array = people.transpose(["PTJD".index(letter) for letter in order])
    pose_file = saved(tmp_path, array)
    assert pose_file.frame_count == FRAMES and len(pose_file.tracks) == 2
    for track, poses in zip(pose_file.tracks, people):
        np.testing.assert_array_equal(track.poses, poses)
    assert any("read as" in note for note in pose_file.notes) == (order != "PTJD")
    moved = [track.poses + 1 for track in pose_file.tracks]
    registry.write(pose_file, moved, tmp_path / "out.npy")
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), array + 1)


def test_axes_can_be_named(tmp_path):
    people = two_people(2)
    np.save(tmp_path / "poses.npy", people.transpose(1, 0, 2, 3))
    assert len(registry.read(tmp_path / "poses.npy", axes="TMVC").tracks) == 2
    with pytest.raises(UserError, match="--axes TJ: expected each of"):
        registry.read(tmp_path / "poses.npy", axes="TJ")


def test_axes_of_length_one_are_left_out(tmp_path):
    array = np.concatenate([walk(2, 0.8, place=0.1), np.full((FRAMES, 17, 1), 0.7)], axis=2)[:, None, None]
    pose_file = saved(tmp_path, array)
    assert [track.poses.shape for track in pose_file.tracks] == [(FRAMES, 17, 2)]
    registry.write(pose_file, [track.poses + 0.01 for track in pose_file.tracks], tmp_path / "out.npy")
    assert np.load(tmp_path / "out.npy").shape == array.shape


def test_scores_are_no_coordinates(tmp_path):
    score = np.random.default_rng(3).uniform(0.3, 1, (FRAMES, 17, 1))
    pose_file = saved(tmp_path, np.concatenate([walk(2, 0.8, place=0.1), score], axis=2))
    (track,) = pose_file.tracks
    assert (track.kind, track.units) == ("2D", "normalised")
    np.testing.assert_allclose(track.confidence, score[..., 0])


def test_metres_in_the_unit_cube_are_coordinates(tmp_path):
    poses = walk(3, 0.9, place=0.05)
    poses[..., 2] += 0.4
    assert 0 < poses[..., 2].min() and poses[..., 2].max() < 1
    assert saved(tmp_path, poses).tracks[0].kind == "3D"


@pytest.mark.parametrize("third", [0.0, 1.0, np.nan])
def test_a_third_column_that_says_nothing(tmp_path, third):
    pose_file = saved(tmp_path, np.concatenate([walk(2, 400.0), np.full((FRAMES, 17, 1), third)], axis=2))
    (track,) = pose_file.tracks
    assert track.kind == "2D" and track.confidence is None and np.isfinite(track.poses).all()


def test_a_name_says_no_units(tmp_path):
    poses = np.zeros((FRAMES, 33, 3))
    poses[:, :17] = walk(3, 1.6)
    poses[:, 17:] = walk(3, 1.6, seed=2)[:, :16]
    assert saved(tmp_path, poses, "mediapipe_world.npy").tracks[0].units is None


def test_zeroed_points_with_a_score_are_missing(tmp_path):
    array = np.concatenate([walk(2, 400.0, place=100.0), np.full((FRAMES, 17, 1), 0.9)], axis=2)
    array[8:12, 9] = [0, 0, 0.4]
    array[0, 0, 2] = 0.8
    (track,) = saved(tmp_path, array).tracks
    assert np.isnan(track.poses[8:12, 9]).all() and np.isnan(track.poses).sum() == 8
    assert (track.confidence[8:12, 9] == 0).all()


# ------------------------------------------------------------------------------------------------ rotations


def rotations(joints, seed=0):
    rng = np.random.default_rng(seed)
    base = rng.normal(0, 0.4, (1, joints, 3))
    return base + 0.3 * np.sin(0.4 * np.arange(FRAMES)[:, None, None] + np.arange(joints)[None, :, None])


def as_matrices(vectors):
    return Rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix().reshape(*vectors.shape[:2], 3, 3)


@pytest.mark.parametrize("joints", [24, 22, 23, 21])
def test_rotation_matrices(tmp_path, joints):
    vectors = rotations(joints)
    pose_file = saved(tmp_path, as_matrices(vectors))
    (track,) = pose_file.tracks
    assert (
        track.kind == "smpl"
        and track.joint_names[-1] == {24: "right_hand", 22: "right_wrist", 23: "right_hand", 21: "right_wrist"}[joints]
    )
    np.testing.assert_allclose(track.poses, vectors, atol=1e-9)
    registry.write(pose_file, [0.9 * track.poses], tmp_path / "out.npy")
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), as_matrices(0.9 * vectors), atol=1e-9)


@pytest.mark.parametrize("joints", [24, 23, 21])
def test_rotation_vectors_are_no_positions(tmp_path, joints):
    assert saved(tmp_path, rotations(joints)).tracks[0].kind == "smpl"
    assert (
        saved(tmp_path, None, "smpl.npz", poses=rotations(joints).reshape(FRAMES, -1), betas=np.zeros(10))
        .tracks[0]
        .kind
        == "smpl"
    )


def test_joint_positions_in_smpls_order_are_positions(tmp_path):
    poses = np.concatenate([walk(3, 1.7), walk(3, 1.7, seed=1)[:, :7]], axis=1)
    assert saved(tmp_path, poses).tracks[0].kind == "3D"


@pytest.mark.parametrize("body", ["vectors", "matrices", "flat"])
def test_root_and_body_apart(tmp_path, body):
    vectors = rotations(24)
    part = {
        "vectors": vectors[:, 1:],
        "matrices": as_matrices(vectors[:, 1:]),
        "flat": vectors[:, 1:].reshape(FRAMES, 69),
    }[body]
    trans = np.cumsum(np.full((FRAMES, 3), 0.01), axis=0)
    pose_file = saved(
        tmp_path, None, "smpl.npz", global_orient=vectors[:, 0], body_pose=part, transl=trans, betas=np.zeros((1, 10))
    )
    (track,) = pose_file.tracks
    assert track.layout == "smpl24" and track.betas.shape == (FRAMES, 10)
    np.testing.assert_allclose(track.poses, vectors, atol=1e-9)
    registry.write(pose_file, [0.9 * vectors], tmp_path / "out.npz", translations=[trans + 1])
    out = np.load(tmp_path / "out.npz")
    assert out["body_pose"].shape == part.shape
    np.testing.assert_allclose(out["global_orient"], 0.9 * vectors[:, 0], atol=1e-9)
    np.testing.assert_allclose(out["transl"], trans + 1)
    np.testing.assert_allclose(registry.read(tmp_path / "out.npz").tracks[0].poses, 0.9 * vectors, atol=1e-9)


def test_amass_stageii(tmp_path):
    poses = np.zeros((FRAMES, 165))
    poses[:, :66] = rotations(22).reshape(FRAMES, 66)
    pose_file = saved(
        tmp_path,
        None,
        "walk_stageii.npz",
        poses=poses,
        root_orient=poses[:, :3],
        pose_body=poses[:, 3:66],
        mocap_frame_rate=120.0,
    )
    (track,) = pose_file.tracks
    assert pose_file.fps == 120 and track.poses.shape == (FRAMES, 22, 3)
    registry.write(pose_file, [0.9 * track.poses], tmp_path / "out.npz")
    out = np.load(tmp_path / "out.npz")
    np.testing.assert_allclose(out["root_orient"], 0.9 * poses[:, :3])
    np.testing.assert_allclose(out["pose_body"], out["poses"][:, 3:66])


def test_a_twin_that_differs_is_named(tmp_path):
    poses = rotations(24).reshape(FRAMES, 72)
    pose_file = saved(tmp_path, None, "smpl.npz", poses=poses, root_orient=poses[:, :3] + 0.1)
    assert any(note.startswith("root_orient is not what poses holds") for note in pose_file.notes)


# ------------------------------------------------------------------------------------------------ times


@pytest.mark.parametrize(
    "key, factor, said",
    [
        ("timestamps", 1, ""),
        ("timestamps", 1e3, "ms"),
        ("timestamps", 1e6, "µs"),
        ("timestamp_ms", 1e3, ""),
        ("timestamp_ms", 1, "taken as s"),
    ],
)
def test_units_of_time_are_told(tmp_path, key, factor, said):
    clock = np.round(np.arange(FRAMES) * factor / 30, 6)
    pose_file = saved(tmp_path, None, "poses.npz", keypoints=walk(2, 400.0), **{key: clock})
    np.testing.assert_allclose(pose_file.timestamps, np.arange(FRAMES) / 30, atol=1e-5)
    assert bool(pose_file.notes) == bool(said) and said in "".join(pose_file.notes)


def test_times_of_no_clip_are_refused(tmp_path):
    np.savez(tmp_path / "poses.npz", keypoints=walk(2, 400.0), timestamps=np.arange(FRAMES) * 33.0 * 3600 * 1e9)
    with pytest.raises(UserError, match="timestamps rises by .* per frame, .* --fps"):
        registry.read(tmp_path / "poses.npz")
    assert registry.read(tmp_path / "poses.npz", fps=30).timestamps is None


def test_shares_of_an_image_become_pixels_and_go_back(tmp_path):
    share = walk(2, 0.5, place=0.2)
    np.save(tmp_path / "poses.npy", share)
    pose_file = registry.read(tmp_path / "poses.npy", image_size=(1920, 1080))
    assert pose_file.tracks[0].units == "px"
    np.testing.assert_allclose(pose_file.tracks[0].poses, share * [1920, 1080])
    registry.write(pose_file, [pose_file.tracks[0].poses + 10.8], tmp_path / "out.npy")
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), share + [10.8 / 1920, 0.01])


def test_aist_pickle(tmp_path):
    """AIST++'s motions: smpl_poses [T, 72], smpl_trans [T, 3], smpl_scaling [1], loss."""
    import pickle

    content = {
        "smpl_loss": 0.1,
        "smpl_poses": rotations(24).reshape(FRAMES, 72),
        "smpl_scaling": np.ones(1),
        "smpl_trans": np.ones((FRAMES, 3)),
    }
    (tmp_path / "dance.pkl").write_bytes(pickle.dumps(content))
    pose_file = registry.read(tmp_path / "dance.pkl")
    (track,) = pose_file.tracks
    assert pose_file.format == "pkl" and track.layout == "smpl24" and track.translation.shape == (FRAMES, 3)
    registry.write(pose_file, [0.9 * track.poses], tmp_path / "out.pkl", translations=[track.translation + 1])
    out = pickle.loads((tmp_path / "out.pkl").read_bytes())
    assert list(out) == list(content) and out["smpl_loss"] == 0.1
    np.testing.assert_allclose(out["smpl_poses"], 0.9 * content["smpl_poses"])
    np.testing.assert_allclose(out["smpl_trans"], 2)


def test_the_documents_name_every_kind():
    from pathlib import Path

    text = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
    assert [name for name in registry.FORMATS if f"`{name}`" not in text] == []


@pytest.mark.parametrize("shape", [(24, 17, 3), (5, 24, 17, 2), (24, 3, 17, 2), (24, 51)])
@pytest.mark.parametrize("value", [0.0, np.nan, 1e300])
def test_an_array_without_a_number_is_refused_in_a_line(tmp_path, shape, value):
    """Without numpy's remarks on empty slices and overflows (`nothing_is_warned_of`)."""
    np.save(tmp_path / "poses.npy", np.full(shape, value))
    with pytest.raises(UserError, match="poses.npy") as caught:
        registry.read(tmp_path / "poses.npy")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("axes", ["", "TJD", "JTD"])
def test_rows_of_a_table_are_frames(tmp_path, axes):
    """Twelve frames that move less from joint to joint than in time were read as 12 joints, and could not be written."""
    rng = np.random.default_rng(0)
    joints = np.sort(rng.normal(size=(12, 17, 3)), axis=1)
    np.save(tmp_path / "flat.npy", joints.reshape(12, 51))
    found = registry.read(tmp_path / "flat.npy", axes=axes)
    frames = found.tracks[0].poses.shape[:2]
    assert frames == ((17, 12) if axes == "JTD" else (12, 17))
    registry.write(found, [found.tracks[0].poses + 1], tmp_path / "out.npy")
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), joints.reshape(12, 51) + 1)


def test_one_broken_number_does_not_change_what_the_others_are(tmp_path):
    """One x of 2 made places in an image, with a depth, into points in space; one of 1e6 made shares into pixels."""
    landmarks = np.random.default_rng(0).uniform(0.3, 0.6, (1, 33, 3)) + np.linspace(0, 0.1, 12)[:, None, None]
    for value in (0.5, 2.0, 1e6):
        landmarks[2, 26, 0] = value
        found = saved(tmp_path, landmarks)
        assert [(track.poses.shape[-1], track.units) for track in found.tracks] == [
            (2, "normalised"),
            (1, "normalised"),
        ]
        header = ",".join(f"J{joint}_{axis}" for joint in range(33) for axis in "xyz")
        rows = [",".join(map(str, frame.ravel())) for frame in landmarks]
        (tmp_path / "table.csv").write_text("\n".join([header, *rows]))
        tracks = registry.read(tmp_path / "table.csv").tracks
        assert [(track.poses.shape[-1], track.units) for track in tracks] == [(2, "normalised"), (1, "normalised")]
