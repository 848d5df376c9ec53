"""Outputs of body estimators: PromptHMR, HybrIK, SAM 3D Body, as their scripts write them."""

import json
import pickle

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from lib.errors import UserError
from lib.formats import registry
from lib.formats.tracks import JOINT_NAMES
from tests.formats.walker import FRAMES, walk


def rotations(joints, person=0):
    time = np.arange(FRAMES)[:, None]
    return (0.3 * np.sin(0.3 * time + np.arange(3 * joints) + person)).reshape(FRAMES, joints, 3)


def pickled(path, content):
    path.write_bytes(pickle.dumps(content))
    return path


def prompthmr():
    people = {}
    for person in (3, 8):
        pose = rotations(55, person).reshape(FRAMES, 165).astype(np.float32)
        bodies = {
            key: {
                "pose": pose.copy(),
                "rotmat": Rotation.from_rotvec(pose.reshape(-1, 3))
                .as_matrix()
                .reshape(FRAMES, 55, 3, 3)
                .astype(np.float32),
                "shape": np.zeros((FRAMES, 10), np.float32),
                "trans": np.ones((FRAMES, 3), np.float32),
                "verts": np.zeros((FRAMES, 4, 3), np.float32),
            }
            for key in ("smplx_cam", "smplx_world")
        }
        bodies["smplx_world"]["pose"][:, :3] += 0.1
        people[person] = {"frames": np.arange(FRAMES) + 5, "bboxes": np.zeros((FRAMES, 4)), **bodies}
    return {"people": people, "camera": {"img_focal": 1000.0}}


def test_prompthmr(tmp_path):
    content = prompthmr()
    pose_file = registry.read(pickled(tmp_path / "results.pkl", content))
    assert pose_file.format == "prompthmr" and [track.part for track in pose_file.tracks] == ["body", "world"] * 2
    assert {track.layout for track in pose_file.tracks} == {"smpl22"} and pose_file.tracks[0].translation.shape == (
        FRAMES,
        3,
    )
    new = [0.9 * track.poses for track in pose_file.tracks]
    assert registry.write(
        pose_file, new, tmp_path / "out.pkl", translations=[track.translation + 1 for track in pose_file.tracks]
    ) == ["verts"]
    out = pickle.loads((tmp_path / "out.pkl").read_bytes())
    assert out["camera"] == content["camera"] and list(out["people"]) == [3, 8]
    for person in (3, 8):
        for key in ("smplx_cam", "smplx_world"):
            old, body = content["people"][person][key], out["people"][person][key]
            np.testing.assert_allclose(body["pose"][:, 3:66], 0.9 * old["pose"][:, 3:66], atol=1e-6)
            np.testing.assert_array_equal(body["pose"][:, 66:], old["pose"][:, 66:])
            turned = Rotation.from_matrix(body["rotmat"].reshape(-1, 3, 3)).as_rotvec().reshape(FRAMES, 165)
            np.testing.assert_allclose(turned, body["pose"], atol=1e-5)
            np.testing.assert_allclose(body["trans"], 2)
            assert body["pose"].dtype == np.float32 and "verts" not in body and "verts" in old
    registry.write(pose_file, [track.poses for track in pose_file.tracks], tmp_path / "same.pkl")
    assert "verts" in pickle.loads((tmp_path / "same.pkl").read_bytes())["people"][3]["smplx_cam"]


def hybrik():
    matrices = Rotation.from_rotvec(rotations(24).reshape(-1, 3)).as_matrix().reshape(FRAMES, 24 * 9)
    joints = np.concatenate([walk(3, 1.7), walk(3, 1.7)[:, :12]], axis=1)
    content = {
        "pred_xyz_17": joints[:, :17],
        "pred_uvd": joints,
        "pred_xyz_29": joints,
        "pred_xyz_24_struct": joints[:, :24],
        "pred_scores": np.ones((FRAMES, 29)),
        "pred_betas": np.zeros((FRAMES, 10)),
        "pred_thetas": matrices,
        "transl": np.ones((FRAMES, 3)),
        "height": np.full(FRAMES, 720),
        "width": np.full(FRAMES, 1280),
        "img_path": np.array([f"frames/{t:06d}.jpg" for t in range(FRAMES)]),
    }
    for key in ("pred_thetas", "pred_xyz_17", "pred_xyz_29", "pred_xyz_24_struct"):
        content[key] = content[key].astype(np.float32)
        content[key][7] = 0  # nobody
    return content


def test_hybrik(tmp_path):
    content = hybrik()
    pose_file = registry.read(pickled(tmp_path / "res.pk", content))
    assert pose_file.format == "hybrik" and pose_file.image_size == (1280, 720)
    assert [track.layout for track in pose_file.tracks] == ["smpl24", "smpl24", "h36m17", None]
    body = pose_file.tracks[0]
    assert not body.present[7] and np.isnan(body.poses[7]).all()
    np.testing.assert_allclose(np.delete(body.poses, 7, 0), np.delete(rotations(24), 7, 0), atol=1e-5)
    new = [np.nan_to_num(track.poses) * 0.9 for track in pose_file.tracks]
    for track, values in zip(pose_file.tracks, new):
        values[~track.present] = np.nan
    registry.write(pose_file, new, tmp_path / "out.pk")
    out = pickle.loads((tmp_path / "out.pk").read_bytes())
    assert list(out) == list(content) and (out["pred_thetas"][7] == 0).all()
    turned = Rotation.from_matrix(np.delete(out["pred_thetas"], 7, 0).reshape(-1, 3, 3)).as_rotvec()
    np.testing.assert_allclose(turned, 0.9 * np.delete(rotations(24), 7, 0).reshape(-1, 3), atol=1e-5)
    np.testing.assert_allclose(out["pred_xyz_24_struct"], 0.9 * content["pred_xyz_24_struct"], atol=1e-6)
    np.testing.assert_array_equal(out["pred_uvd"], content["pred_uvd"])


def sam3d(as_list=False):
    space = np.concatenate([walk(3, 1.7, seed=seed) for seed in range(5)], axis=1)[:, :70].astype(np.float32)
    image = 300 * space[..., :2] + 200

    def person(t):
        one = {
            "bbox": np.zeros(4),
            "pred_keypoints_2d": image[t],
            "pred_keypoints_3d": space[t],
            "pred_cam_t": np.ones(3),
            "track_id": 2,
        }
        return {
            key: value.tolist() if as_list and isinstance(value, np.ndarray) else value for key, value in one.items()
        }

    return [[person(t)] if t != 4 else [] for t in range(FRAMES)], space, image


@pytest.mark.parametrize("kind", ["list", "by name", "outputs", "json"])
def test_sam3d_body(tmp_path, kind):
    frames, space, image = sam3d(kind == "json")
    tree = {f"frame_{t:05d}.jpg": people for t, people in enumerate(frames)} if kind == "by name" else frames
    tree = [{"frame": t, "outputs": people} for t, people in enumerate(frames)] if kind == "outputs" else tree
    path = tmp_path / ("out.json" if kind == "json" else "out.pkl")
    path.write_text(json.dumps(tree)) if kind == "json" else pickled(path, tree)
    pose_file = registry.read(path)
    flat, whole = pose_file.tracks
    assert pose_file.format == "sam3d_body" and (flat.kind, whole.kind, whole.units) == ("2D", "3D", "m")
    assert whole.layout == "mhr70" and whole.joint_names[41] == "right_wrist" and whole.joint_names[62] == "left_wrist"
    assert not whole.present[4] and flat.id == 2
    np.testing.assert_allclose(np.delete(whole.poses, 4, 0), np.delete(space, 4, 0), rtol=1e-6)
    registry.write(
        pose_file, [np.nan_to_num(track.poses) + 1 for track in pose_file.tracks], tmp_path / f"new{path.suffix}"
    )
    again = registry.read(tmp_path / f"new{path.suffix}")
    np.testing.assert_allclose(np.delete(again.tracks[0].poses, 4, 0), np.delete(image, 4, 0) + 1, rtol=1e-5)
    np.testing.assert_allclose(np.delete(again.tracks[1].poses, 4, 0), np.delete(space, 4, 0) + 1, rtol=1e-5)


def test_mhr70_has_seventy_names():
    assert len(JOINT_NAMES["mhr70"]) == len(set(JOINT_NAMES["mhr70"])) == 70
    assert [JOINT_NAMES["mhr70"][n] for n in (0, 9, 14, 17, 21, 42, 69)] == [
        "nose", "left_hip", "right_ankle", "left_heel", "right_thumb_tip", "left_thumb_tip", "neck"]  # fmt: skip


@pytest.mark.parametrize(
    "content, kind, says",
    [
        ({"people": {1: {"smplx_cam": {"pose": np.zeros((5, 63))}}}}, "prompthmr", "Expected .F, 165."),
        ({"pred_thetas": np.zeros((5, 24)), "pred_xyz_17": np.zeros((5, 17, 3))}, "hybrik", "Expected .F, 24, 3, 3."),
        ({"pred_thetas": np.zeros((5, 216)), "pred_xyz_17": np.zeros((5, 17, 3))}, "hybrik", "no frame with rotations"),
        ([[{"pred_keypoints_3d": np.zeros((69, 3))}]], "sam3d_body", "Expected .70, 3."),
    ],
)
def test_damaged(tmp_path, content, kind, says):
    path = pickled(tmp_path / "x.pkl", content)
    for forced in (None, kind):
        with pytest.raises(UserError, match=says) as caught:
            registry.read(path, forced)
        assert "x.pkl" in str(caught.value)


@pytest.mark.parametrize("shape", [(5, 55, 3, 3), (FRAMES, 55, 3, 2)])
def test_matrices_of_another_size_are_left(tmp_path, shape):
    """Of PromptHMR: matrices that do not belong to the poses are not written to."""
    content = prompthmr()
    for person in content["people"].values():
        person["smplx_cam"]["rotmat"] = np.zeros(shape, np.float32)
    pose_file = registry.read(pickled(tmp_path / "results.pkl", content))
    registry.write(pose_file, [0.9 * track.poses for track in pose_file.tracks], tmp_path / "out.pkl")
    out = pickle.loads((tmp_path / "out.pkl").read_bytes())
    assert not out["people"][3]["smplx_cam"]["rotmat"].any()


def romp(tmp_path, ids=True):
    """Two people, the second from frame 4 on, the order of the two changing; nobody in frame 2. As simple_romp's utils.py saves them."""
    poses = [rotations(24, person).reshape(FRAMES, 72).astype(np.float32) for person in (0, 1)]
    results, by_person = {}, {}
    for frame in range(FRAMES):
        people = [0] if frame < 4 else [0, 1] if frame % 2 else [1, 0]
        found = {} if frame == 2 else romp_frame([poses[person][frame] for person in people], people)
        if not ids:
            found.pop("track_ids", None)
        results[f"{frame:08d}.jpg"] = found
        for index, person in enumerate(people if found and ids else ()):
            rows = by_person.setdefault(person + 1, {"frame_id": []})
            rows["frame_id"].append(frame)
            for key, values in found.items():
                rows.setdefault(key, []).append(values[index])
    np.savez(tmp_path / "video_results.npz", results=results, sequence_results=by_person)
    return tmp_path / "video_results.npz", poses


def romp_frame(poses, people):
    thetas, count = np.stack(poses), len(poses)
    return {
        "cam": np.ones((count, 3), np.float32), "smpl_betas": np.zeros((count, 10), np.float32), "smpl_thetas": thetas,
        "global_orient": thetas[:, :3], "body_pose": thetas[:, 3:], "track_ids": np.array(people, np.int32) + 1,
        "cam_trans": np.array([[3 * person, 0, 5] for person in people], np.float32),
        "joints": np.repeat(np.linspace(-1, 1, 71)[None, :, None], count, axis=0).repeat(3, axis=2).astype(np.float32),
    }  # fmt: skip


@pytest.mark.parametrize("ids", [True, False])
def test_romp(tmp_path, ids):
    path, poses = romp(tmp_path, ids)
    pose_file = registry.read(path)
    first, second = sorted(pose_file.tracks, key=lambda track: track.start)
    assert pose_file.format == "romp" and pose_file.frame_count == FRAMES
    assert (first.start, second.start, first.kind) == (0, 4, "smpl") and np.isnan(first.poses[2]).all()
    there = np.arange(FRAMES) != 2
    np.testing.assert_allclose(first.poses.reshape(FRAMES, 72)[there], poses[0][there])
    np.testing.assert_allclose(second.poses.reshape(-1, 72), poses[1][4:])
    assert any("no track_ids" in note for note in pose_file.notes) != ids
    removed = registry.write(pose_file, [track.poses + 0.1 for track in pose_file.tracks], tmp_path / "out.npz")
    assert removed == ["joints"] + ([] if ids else ["sequence_results"])
    out = np.load(tmp_path / "out.npz", allow_pickle=True)
    frame = out["results"].item()["00000006.jpg"]  # the second person stands first
    np.testing.assert_allclose(frame["smpl_thetas"], np.stack([poses[1][6], poses[0][6]]) + 0.1, rtol=1e-5)
    np.testing.assert_allclose(frame["body_pose"], frame["smpl_thetas"][:, 3:])
    assert frame["cam_trans"].tolist() == [[3, 0, 5], [0, 0, 5]] and out["results"].item()["00000002.jpg"] == {}
    if ids:
        rows = out["sequence_results"].item()[2]
        assert rows["frame_id"] == list(range(4, FRAMES))
        np.testing.assert_allclose(np.stack(rows["smpl_thetas"]), poses[1][4:] + 0.1, rtol=1e-5)


def test_romp_unchanged_is_the_same(tmp_path):
    path, _ = romp(tmp_path)
    pose_file = registry.read(path)
    assert registry.write(pose_file, [track.poses for track in pose_file.tracks], tmp_path / "out.npz") == []
    given, out = (np.load(file, allow_pickle=True) for file in (path, tmp_path / "out.npz"))
    for name, frame in given["results"].item().items():
        assert frame.keys() == out["results"].item()[name].keys()
        for key, values in frame.items():
            np.testing.assert_array_equal(values, out["results"].item()[name][key])


def test_romp_files_that_cannot_be_refined(tmp_path):
    frame = romp_frame([rotations(24)[0].ravel()] * 2, [0, 1])
    np.savez(tmp_path / "00000000.npz", results=frame)
    with pytest.raises(UserError, match="the people of one frame. Give video_results.npz"):
        registry.read(tmp_path / "00000000.npz")
    bare = {key: frame[key] for key in ("smpl_thetas", "cam_trans")}
    np.savez(tmp_path / "bare.npz", results={"0.jpg": bare, "1.jpg": bare})
    with pytest.raises(UserError, match="several people in a frame, and neither track_ids nor joints"):
        registry.read(tmp_path / "bare.npz")
    np.savez(tmp_path / "short.npz", results={"0.jpg": {"smpl_thetas": np.zeros((1, 66))}})
    with pytest.raises(UserError, match=r"a frame without smpl_thetas \[P, 72\]"):
        registry.read(tmp_path / "short.npz")
