"""Arrays as people stack them: every order of axes, flat columns, other rotations, scores and names beside them, what stands for nothing."""

import itertools
import json
import pickle

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from lib.errors import UserError
from lib.formats import registry
from lib.formats.tracks import JOINT_NAMES
from tests.formats.test_body_outputs import rotations
from tests.formats.walker import FRAMES, walk

PX, M = np.round(walk(2, 400.0, place=100.0), 3), walk(3, 1.7)
SCORE = np.round(np.random.default_rng(0).uniform(0.3, 0.99, (FRAMES, 17)), 3)
TURNS = rotations(24)
SQUARE = Rotation.from_rotvec(TURNS.reshape(-1, 3)).as_matrix().reshape(FRAMES, 24, 3, 3)


def read(tmp_path, array=None, **arrays):
    path = tmp_path / ("poses.npy" if array is not None else "poses.npz")
    np.save(path, array) if array is not None else np.savez(path, **arrays)
    return registry.read(path)


def same_again(tmp_path, pose_file, array):
    """Written as read it is bit for bit the same; moved by 1, it is moved by 1."""
    registry.write(pose_file, [track.poses for track in pose_file.tracks], tmp_path / "out.npy")
    assert (tmp_path / "out.npy").read_bytes() == (tmp_path / "poses.npy").read_bytes()
    registry.write(pose_file, [track.poses + 1 for track in pose_file.tracks], tmp_path / "out.npy")
    out = np.load(tmp_path / "out.npy")
    assert (out.shape, out.dtype) == (array.shape, array.dtype)
    return out


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("order", list(map("".join, itertools.permutations("PTJD"))))
def test_every_order_of_four_axes(tmp_path, order, dims):
    one = PX if dims == 2 else M
    people = np.stack(
        [one, walk(dims, 400.0 if dims == 2 else 1.7, seed=1) + (100 if dims == 2 else 0) + [[[300, 20, 1][:dims]]]]
    )
    array = people.transpose(["PTJD".index(letter) for letter in order])
    pose_file = read(tmp_path, array)
    assert pose_file.frame_count == FRAMES and len(pose_file.tracks) == 2
    for track, poses in zip(pose_file.tracks, people):
        np.testing.assert_allclose(track.poses, poses)
        assert track.kind == f"{dims}D"
    np.testing.assert_allclose(same_again(tmp_path, pose_file, array), array + 1)


def test_a_person_and_its_copy(tmp_path):
    """From one to the other hardly a number changes, which is not what time does."""
    array = np.stack([M, M + [1, 0, 0]]).transpose(3, 1, 2, 0)
    assert [track.poses.shape for track in read(tmp_path, array).tracks] == [(FRAMES, 17, 3)] * 2


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("order", list(map("".join, itertools.permutations("TJD"))))
def test_every_order_of_three_axes(tmp_path, order, dims):
    one = PX if dims == 2 else M
    array = one.transpose(["TJD".index(letter) for letter in order])
    pose_file = read(tmp_path, array)
    np.testing.assert_allclose(pose_file.tracks[0].poses, one)
    np.testing.assert_allclose(same_again(tmp_path, pose_file, array), array + 1)


XYS = np.concatenate([PX, SCORE[..., None]], axis=2)
FLAT = {
    "x, y after each other": (PX.reshape(FRAMES, 34), PX, False),
    "all x before all y": (PX.swapaxes(1, 2).reshape(FRAMES, 34), PX, False),
    "x, y, score": (XYS.reshape(FRAMES, 51), PX, True),
    "all x, all y, all scores": (XYS.swapaxes(1, 2).reshape(FRAMES, 51), PX, True),
    "x, y, z": (M.reshape(FRAMES, 51), M, False),
    "all x, all y, all z": (M.swapaxes(1, 2).reshape(FRAMES, 51), M, False),
    "one axis of 1 at the end": (PX[..., None], PX, False),
}


@pytest.mark.parametrize("name", FLAT)
def test_flat(tmp_path, name):
    array, expected, scored = FLAT[name]
    pose_file = read(tmp_path, array)
    (track,) = pose_file.tracks
    np.testing.assert_allclose(track.poses, expected)
    assert (track.confidence is not None) == scored
    registry.write(pose_file, [track.poses + 1], tmp_path / "out.npy")
    np.testing.assert_allclose(registry.read(tmp_path / "out.npy").tracks[0].poses, expected + 1)
    assert np.load(tmp_path / "out.npy").shape == array.shape


def image_landmarks(columns):
    """33 landmarks of a body as shares of the image, with z and visibility."""
    body = np.concatenate([PX, PX[:, :16] + 3], axis=1) / 1000
    return np.concatenate(
        [body, M[:, :1, 2:].repeat(33, 1), np.linspace(0.6, 0.9, 33)[None, :, None].repeat(FRAMES, 0)], axis=2
    )[..., :columns]


@pytest.mark.parametrize("columns", [2, 3, 4])
def test_33_landmarks_in_a_row(tmp_path, columns):
    """66 columns in [0, 1] are 33 places and no rotations; 132 are x, y, z, visibility."""
    track = read(tmp_path, image_landmarks(columns).reshape(FRAMES, -1)).tracks[0]
    assert (track.kind, track.layout, track.units) == ("2D", "mediapipe33", "normalised")
    np.testing.assert_allclose(track.poses, image_landmarks(2))


SMPL = {
    "[T, 1, 24, 3, 3]": SQUARE[:, None],
    "[1, T, 24, 3, 3]": SQUARE[None],
    "[T, 24, 9]": SQUARE.reshape(FRAMES, 24, 9),
    "[T, 216]": SQUARE.reshape(FRAMES, 216),
    "[T, 24, 3]": TURNS,
    "[1, T, 72]": TURNS.reshape(1, FRAMES, 72),
}


@pytest.mark.parametrize("name", SMPL)
def test_rotations_of_one_person(tmp_path, name):
    arrays = {"poses": SMPL[name], "betas": np.zeros(10)}
    pose_file = read(tmp_path, **arrays)
    (track,) = pose_file.tracks
    assert (track.kind, track.layout) == ("smpl", "smpl24")
    np.testing.assert_allclose(track.poses, TURNS, atol=1e-6)
    registry.write(pose_file, [0.9 * track.poses], tmp_path / "out.npz")
    assert np.load(tmp_path / "out.npz")["poses"].shape == SMPL[name].shape
    np.testing.assert_allclose(registry.read(tmp_path / "out.npz").tracks[0].poses, 0.9 * TURNS, atol=1e-6)


QUATERNIONS = Rotation.from_rotvec(TURNS.reshape(-1, 3)).as_quat().reshape(FRAMES, 24, 4)
OTHERS = {
    "x, y, z, w": (QUATERNIONS, "unit quaternions"),
    "w, x, y, z": (QUATERNIONS[..., [3, 0, 1, 2]], "unit quaternions"),
    "w, x, y, z in a row": (QUATERNIONS.reshape(FRAMES, 96), "unit quaternions"),
    "6D": (SQUARE[..., :2].reshape(FRAMES, 24, 6), "6D rotations"),
    "6D, column after column": (SQUARE[..., :2].swapaxes(2, 3).reshape(FRAMES, 144), "6D rotations"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_rotations_are_no_positions(tmp_path, name):
    array, said = OTHERS[name]
    with pytest.raises(UserError, match=f"looks like {said}.* Save the rotations as axis-angle"):
        read(tmp_path, array)


def test_rotations_of_two_people_are_no_positions(tmp_path):
    two = np.stack([TURNS, TURNS]).reshape(2, FRAMES, 72)
    with pytest.raises(UserError, match=r"smpl_pose: shape \[2, 24, 72\] beside betas: .* one person"):
        read(tmp_path, smpl_pose=two, betas=np.zeros((2, 10)))


BACK = JOINT_NAMES["coco17"][::-1]
BESIDE = {
    "scores of the key": ({"kps": PX, "kps_score": SCORE}, lambda file: file.tracks[0].confidence is not None),
    "times": ({"keypoints": PX, "t": np.arange(FRAMES) * 0.04}, lambda file: abs(file.timestamps[1] - 0.04) < 1e-9),
    "times of frames": ({"keypoints": PX, "frame_times": np.arange(FRAMES) * 0.04}, lambda file: abs(file.timestamps[1] - 0.04) < 1e-9),
    "rate": ({"keypoints": PX, "fs": np.array([25.0])}, lambda file: file.fps == 25),
    "size": ({"keypoints": image_landmarks(2), "width": 1000, "height": 1000}, lambda file: file.tracks[0].units == "px"),
    "names": ({"keypoints": PX[:, ::-1], "keypoint_names": np.array(BACK)}, lambda file: file.tracks[0].joint_names == BACK),
}  # fmt: skip


@pytest.mark.parametrize("name", BESIDE)
@pytest.mark.parametrize("pickled", [False, True])
def test_what_stands_beside_an_array(tmp_path, name, pickled):
    arrays, holds = BESIDE[name]
    if not pickled:
        assert holds(read(tmp_path, **arrays))
        return
    plain = {key: value.tolist() if np.asarray(value).dtype.kind == "U" else value for key, value in arrays.items() if key != "fs"}  # fmt: skip
    plain |= {"fps": 25} if "fs" in arrays else {}
    (tmp_path / "poses.pkl").write_bytes(pickle.dumps(plain))
    pose_file = registry.read(tmp_path / "poses.pkl")
    assert holds(pose_file)
    registry.write(pose_file, [track.poses + 1 for track in pose_file.tracks], tmp_path / "out.pkl")
    out = pickle.loads((tmp_path / "out.pkl").read_bytes())
    for key, value in plain.items():
        assert type(out[key]) is type(value) and (isinstance(value, np.ndarray) or out[key] == value)


@pytest.mark.parametrize("nothing", [-1.0, 9999.0, -999.0, 99999.0])
def test_what_stands_for_a_point_that_was_not_found(tmp_path, nothing):
    poses = PX.copy()
    poses[10:13, 9] = nothing
    (track,) = read(tmp_path, poses).tracks
    assert np.isnan(track.poses[10:13, 9]).all() and np.isfinite(np.delete(track.poses, 9, axis=1)).all()
    shares = PX / 1000
    shares[10:13, 9] = nothing
    assert read(tmp_path, shares).tracks[0].units == "normalised"


def test_a_frame_of_zeros_is_a_frame_of_nobody(tmp_path):
    poses = M - M[:, 11:13].mean(axis=1, keepdims=True)
    poses[5] = 0
    (track,) = read(tmp_path, poses).tracks
    assert np.isnan(track.poses[5]).all() and np.isfinite(np.delete(track.poses, 5, axis=0)).all()


@pytest.mark.parametrize("shape", [(FRAMES, 17, 3), (FRAMES, 51), (2, FRAMES, 17, 3), (FRAMES, 24, 4), (FRAMES, 66)])
def test_absurd_numbers_are_read_in_silence(tmp_path, shape):
    """Warnings are errors here (conftest): nothing of numpy's may reach the user."""
    array = np.random.default_rng(0).normal(size=shape)
    array.reshape(-1)[[0, 40, 77]] = 1e300, -1e200, np.inf
    try:
        assert read(tmp_path, array).tracks
    except UserError as error:
        assert len(str(error).splitlines()) == 1


def test_absurd_numbers_in_json_are_read_in_silence(tmp_path):
    poses = M.tolist()
    poses[3][4][1] = 1e300
    (tmp_path / "poses.json").write_text(json.dumps(poses))
    assert registry.read(tmp_path / "poses.json").tracks
