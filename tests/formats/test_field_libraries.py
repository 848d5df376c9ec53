"""Files of the field's own libraries: written by them, read, refined, and read back by them."""

import json

import numpy as np
import pytest

from lib.errors import UserError
from lib.formats import registry
from tests.campaign import samples
from tests.formats.test_csv import NAMES
from tests.formats.walker import FRAMES, walk

PX = np.round(walk(2, 400.0, place=100.0), 3)


@pytest.mark.parametrize("unit, scale", [("m", 1.7), ("mm", 1700.0)])
def test_c3d(tmp_path, unit, scale):
    ezc3d = pytest.importorskip("ezc3d")
    pytest.importorskip("c3d")
    poses = walk(3, scale)
    made = ezc3d.c3d()
    made["parameters"]["POINT"]["RATE"]["value"] = [50.0]
    made["parameters"]["POINT"]["UNITS"]["value"] = [unit]
    made["parameters"]["POINT"]["LABELS"]["value"] = NAMES
    points = np.ones((4, 17, FRAMES))
    points[:3] = poses.transpose(2, 1, 0)
    points[:3, 4, 6:9] = np.nan
    made["data"]["points"] = points
    made.write(str(tmp_path / "walk.c3d"))
    pose_file = registry.read(tmp_path / "walk.c3d")
    (track,) = pose_file.tracks
    assert (pose_file.fps, track.units, track.layout) == (50, unit, "coco17")
    assert np.isnan(track.poses[6:9, 4]).all() and not track.writable[7, 4]
    expected = poses.copy()
    expected[6:9, 4] = np.nan
    np.testing.assert_allclose(track.poses, expected, rtol=1e-5, atol=1e-5)
    registry.write(pose_file, [track.poses + scale], tmp_path / "out.c3d")
    back = ezc3d.c3d(str(tmp_path / "out.c3d"))["data"]["points"][:3].transpose(2, 1, 0)
    np.testing.assert_allclose(back, expected + scale, rtol=1e-5)


@pytest.mark.parametrize("animals", [0, 2])
def test_deeplabcut_h5(tmp_path, animals):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("tables")
    pytest.importorskip("h5py")
    people = [f"mouse{n}" for n in range(animals)]
    levels = (
        [["DLC"], people, NAMES, ["x", "y", "likelihood"]] if animals else [["DLC"], NAMES, ["x", "y", "likelihood"]]
    )
    names = ["scorer", *(["individuals"] if animals else []), "bodyparts", "coords"]
    columns = pandas.MultiIndex.from_product(levels, names=names)
    scored = np.concatenate([PX, np.full((FRAMES, 17, 1), 0.9)], axis=2)
    values = np.concatenate([(scored + [300 * n, 0, 0]).reshape(FRAMES, -1) for n in range(animals or 1)], axis=1)
    pandas.DataFrame(values, columns=columns).to_hdf(
        tmp_path / "dlc.h5", key="df_with_missing", format="table", mode="w"
    )
    pose_file = registry.read(tmp_path / "dlc.h5")
    assert [track.id for track in pose_file.tracks] == (people or [0]) and pose_file.tracks[0].layout == "coco17"
    np.testing.assert_allclose(pose_file.tracks[-1].poses, PX + [300 * max(animals - 1, 0), 0])
    registry.write(pose_file, [track.poses + 1 for track in pose_file.tracks], tmp_path / "out.h5")
    back = pandas.read_hdf(tmp_path / "out.h5")
    assert list(back.columns) == list(columns)
    np.testing.assert_allclose(back.values.reshape(FRAMES, -1, 17, 3)[:, 0, :, :2], PX + 1)


def test_sleap_analysis_h5(tmp_path):
    h5py = pytest.importorskip("h5py")
    people = np.stack([PX, PX + 300])  # [P, T, J, 2]
    with h5py.File(tmp_path / "analysis.h5", "w") as file:
        file["tracks"] = people.transpose(0, 3, 2, 1)
        file["node_names"] = np.array(NAMES, dtype="S")
        file["track_names"] = np.array(["a", "b"], dtype="S")
        file["point_scores"] = np.full((2, 17, FRAMES), 0.8)
    pose_file = registry.read(tmp_path / "analysis.h5")
    assert [track.id for track in pose_file.tracks] == ["a", "b"]
    registry.write(pose_file, [track.poses + 1 for track in pose_file.tracks], tmp_path / "out.h5")
    with h5py.File(tmp_path / "out.h5") as file:
        np.testing.assert_allclose(file["tracks"][()].transpose(0, 3, 2, 1), people + 1)


def test_an_h5_of_something_else_is_refused(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["weights"] = np.zeros(3)
    with pytest.raises(UserError, match="no table df_with_missing"):
        registry.read(tmp_path / "x.h5")


@pytest.mark.parametrize("kind", ["Dataset", "DataArray", "no individuals"])
def test_xarray(kind):
    xarray = pytest.importorskip("xarray")
    from lib.api import refine

    people = np.stack([PX, PX + 300], axis=-1)  # [T, J, 2, P]
    coords = {"time": np.arange(FRAMES) / 30, "space": ["x", "y"], "keypoints": NAMES, "individuals": ["a", "b"]}
    position = xarray.DataArray(
        people.transpose(0, 2, 1, 3), coords, ("time", "space", "keypoints", "individuals"), attrs={"fps": 30}
    )
    data = position.to_dataset(name="position") if kind == "Dataset" else position
    if kind == "no individuals":
        data = position.sel(individuals="a", drop=True)
    if kind == "Dataset":
        data["confidence"] = position.isel(space=0, drop=True) * 0 + 0.9
    out = refine(data, method="gaus1d", fps=30)
    new = out["position"] if kind == "Dataset" else out
    old = data["position"] if kind == "Dataset" else data
    assert new.dims == old.dims and new.attrs == old.attrs and (new.coords["keypoints"] == NAMES).all()
    moved = np.abs(new - old)
    assert 0 < float(moved.max()) < 40
    rough = [float((part.diff("time", 2) ** 2).mean()) for part in (old, new)]
    assert rough[1] < rough[0]
    with pytest.raises(UserError, match="Expected time, space"):
        refine(old.rename(keypoints="markers"))


@pytest.mark.parametrize("kind", ["keypoints3d", "annots", "smpl"])
def test_easymocap(tmp_path, kind):
    poses = walk(3, 1.7)
    (tmp_path / "clip").mkdir()
    rotations = 0.3 * np.sin(0.3 * np.arange(FRAMES)[:, None, None] + np.arange(72).reshape(24, 3))
    for t in range(FRAMES):
        scored = np.concatenate([poses[t], np.full((17, 1), 0.9)], axis=1).tolist()
        flat = np.concatenate([PX[t], np.full((17, 1), 0.9)], axis=1).tolist()
        tree = {
            "keypoints3d": [{"id": 4, "keypoints3d": scored}],
            "annots": {"filename": "images/0.jpg", "height": 1080, "width": 1920, "annots": [{"personID": 4, "bbox": [0, 0, 1, 1, 1], "keypoints": flat}]},
            "smpl": [{"id": 4, "Rh": rotations[t, :1].tolist(), "Th": [[0.1, 0.2, 0.3]], "poses": [[0.0] * 3 + rotations[t, 1:].ravel().tolist()], "shapes": [[0.0] * 10]}],
        }[kind]  # fmt: skip
        (tmp_path / "clip" / f"{t:06d}.json").write_text(json.dumps(tree))
    pose_file = registry.read(tmp_path / "clip")
    (track,) = pose_file.tracks
    expected = {"keypoints3d": poses, "annots": PX, "smpl": rotations}[kind]
    assert pose_file.format == "easymocap" and track.id == 4
    assert track.kind == {"keypoints3d": "3D", "annots": "2D", "smpl": "smpl"}[kind]
    np.testing.assert_allclose(track.poses, expected)
    registry.write(pose_file, [0.9 * track.poses], tmp_path / "out")
    np.testing.assert_allclose(registry.read(tmp_path / "out").tracks[0].poses, 0.9 * expected, rtol=1e-7, atol=1e-9)


def test_sleap_project(tmp_path):
    """Written by sleap-io; a labelled instance takes the place of the predicted one that it was made from."""
    sleap_io = pytest.importorskip("sleap_io")
    pytest.importorskip("h5py")
    skeleton = sleap_io.Skeleton(nodes=list(NAMES))
    video = sleap_io.Video(filename="clip.mp4", open_backend=False)
    video.backend_metadata["shape"] = [FRAMES, 1080, 1920, 3]
    tracks = [sleap_io.Track("a"), sleap_io.Track("b")]
    people = np.stack([PX, PX + 300])
    people[1, 5, 3] = np.nan
    frames = []
    for t in range(FRAMES):
        found = [
            sleap_io.PredictedInstance.from_numpy(people[n, t], skeleton=skeleton, point_scores=np.full(17, 0.8), score=0.9, track=tracks[n])
            for n in range(2)
        ]  # fmt: skip
        if t == 4:
            found.append(
                sleap_io.Instance.from_numpy(
                    people[0, t] + 2, skeleton=skeleton, track=tracks[0], from_predicted=found[0]
                )
            )
        frames.append(sleap_io.LabeledFrame(video=video, frame_idx=t, instances=found))
    labels = sleap_io.Labels(videos=[video], skeletons=[skeleton], tracks=tracks, labeled_frames=frames)
    sleap_io.save_slp(labels, str(tmp_path / "clip.slp"))
    pose_file = registry.read(tmp_path / "clip.slp")
    assert [track.id for track in pose_file.tracks] == ["a", "b"] and pose_file.image_size == (1920, 1080)
    assert pose_file.tracks[0].layout == "coco17" and pose_file.format == "slp"
    expected = people.copy()
    expected[0, 4] += 2
    np.testing.assert_allclose([track.poses for track in pose_file.tracks], expected)
    registry.write(pose_file, [track.poses + 1 for track in pose_file.tracks], tmp_path / "out.slp")
    back = sleap_io.load_slp(str(tmp_path / "out.slp"), open_videos=False)
    for t, frame in enumerate(back):
        predicted = {
            instance.track.name: instance.numpy()
            for instance in frame
            if type(instance).__name__ == "PredictedInstance"
        }
        for n, name in enumerate("ab"):
            moved = people[n, t] + (0 if (n, t) == (0, 4) else 1)  # what was mended by hand is left
            np.testing.assert_allclose(predicted[name], moved)
        mine = [instance.numpy() for instance in frame if type(instance).__name__ == "Instance"]
        assert len(mine) == (t == 4) and all(np.allclose(one, people[0, 4] + 3) for one in mine)


def test_pose_format(tmp_path):
    pytest.importorskip("pose_format")
    from pose_format import Pose
    from pose_format.numpy import NumPyPoseBody
    from pose_format.pose_header import PoseHeader, PoseHeaderComponent, PoseHeaderDimensions

    hand = np.round(walk(3, 80.0, place=50.0)[:, :5], 3)
    depth = np.round(walk(3, 30.0)[..., 2:], 3)
    data = np.concatenate([np.concatenate([PX, depth], axis=2), hand], axis=1)[:, None]  # [T, 1, 22, 3]
    confidence = np.full(data.shape[:3], 0.9, dtype=np.float32)
    confidence[3:6, 0, 4] = 0
    parts = [("POSE_LANDMARKS", [name.upper() for name in NAMES]), ("LEFT_HAND_LANDMARKS", [f"P{n}" for n in range(5)])]
    components = [PoseHeaderComponent(name, points, [], [], "XYZC") for name, points in parts]
    mask = np.repeat(confidence[..., None] == 0, 3, axis=-1)
    body = NumPyPoseBody(25, np.ma.masked_array(data.astype(np.float32), mask), confidence)
    with open(tmp_path / "sign.pose", "wb") as file:
        Pose(PoseHeader(0.2, PoseHeaderDimensions(640, 480, 100), components), body).write(file)
    pose_file = registry.read(tmp_path / "sign.pose")
    assert (pose_file.fps, pose_file.image_size) == (25, (640, 480))
    assert [track.part for track in pose_file.tracks] == ["body", "depth", "left_hand", "left_hand depth"]
    first = pose_file.tracks[0]
    assert first.layout == "coco17" and np.isnan(first.poses[3:6, 4]).all() and not first.writable[3, 4]
    seen = np.isfinite(first.poses)
    np.testing.assert_allclose(first.poses[seen], PX[seen], rtol=1e-6)
    registry.write(pose_file, [np.nan_to_num(track.poses) + 1 for track in pose_file.tracks], tmp_path / "out.pose")
    back = Pose.read((tmp_path / "out.pose").read_bytes())
    np.testing.assert_allclose(back.body.data.filled(0), np.where(mask, 0, data + 1), rtol=1e-5)
    np.testing.assert_array_equal(back.body.confidence, confidence)
    assert back.header.components[1].points == ["P0", "P1", "P2", "P3", "P4"]


def test_new_c3d(tmp_path):
    """Read back by another library."""
    ezc3d = pytest.importorskip("ezc3d")
    pytest.importorskip("c3d")
    from lib.formats import c3d_file

    poses = walk(3, 1.7)
    poses[3:5, 2] = np.nan
    c3d_file.write_new(tmp_path / "walk.c3d", NAMES, poses, "m", 29.97)
    back = ezc3d.c3d(str(tmp_path / "walk.c3d"))
    assert back["parameters"]["POINT"]["LABELS"]["value"] == list(NAMES)
    assert back["parameters"]["POINT"]["UNITS"]["value"][0].strip() == "m"
    assert back["parameters"]["POINT"]["RATE"]["value"][0] == pytest.approx(29.97)
    np.testing.assert_allclose(back["data"]["points"][:3].transpose(2, 1, 0), poses, rtol=1e-6)
    (track,) = registry.read(tmp_path / "walk.c3d").tracks
    np.testing.assert_allclose(track.poses, poses, rtol=1e-6)


def sleap_tables(h5py, path):
    with h5py.File(path, "w") as file:
        file["tracks"] = np.stack([PX]).transpose(0, 3, 2, 1)
        file["node_names"] = np.array(NAMES, dtype="S")


@pytest.mark.parametrize("kind", ["link", "raw", "virtual"])
def test_an_h5_that_keeps_its_data_elsewhere_is_refused(tmp_path, kind):
    """Such data would be read from, and refined into, another file of the user."""
    h5py = pytest.importorskip("h5py")
    sleap_tables(h5py, tmp_path / "mine.h5")
    sleap_tables(h5py, tmp_path / "theirs.h5")
    before = (tmp_path / "mine.h5").read_bytes()
    with h5py.File(tmp_path / "theirs.h5", "r+") as file:
        shape = file["tracks"].shape
        del file["tracks"]
        if kind == "link":
            file["tracks"] = h5py.ExternalLink(str(tmp_path / "mine.h5"), "tracks")
        elif kind == "raw":
            place = [(str(tmp_path / "mine.h5"), 0, h5py.h5f.UNLIMITED)]
            file.create_dataset("tracks", shape, "u1", external=place)
        else:
            layout = h5py.VirtualLayout(shape, "f8")
            layout[...] = h5py.VirtualSource(str(tmp_path / "mine.h5"), "tracks", shape)
            file.create_virtual_dataset("tracks", layout)
    with pytest.raises(UserError, match="tracks lies in another file"):
        registry.read(tmp_path / "theirs.h5")
    assert (tmp_path / "mine.h5").read_bytes() == before


def test_an_h5_of_far_more_numbers_than_bytes_is_refused(tmp_path):
    h5py = pytest.importorskip("h5py")
    sleap_tables(h5py, tmp_path / "large.h5")
    with h5py.File(tmp_path / "large.h5", "r+") as file:
        del file["tracks"]
        file.create_dataset("tracks", (1, 2, 17, 10**9), "f8", chunks=(1, 2, 17, 1000))
    with pytest.raises(UserError, match="would unpack to"):
        registry.read(tmp_path / "large.h5")


def test_sleap_frames_that_share_instances_are_refused(tmp_path):
    """A thousand frames of the same thousand instances would be a million people."""
    h5py = pytest.importorskip("h5py")
    pytest.importorskip("sleap_io")
    path = samples.slp(tmp_path)
    with h5py.File(path, "r+") as file:
        frames = file["frames"][()]
        frames["instance_id_start"] = 0
        file["frames"][...] = frames
    with pytest.raises(UserError, match="several of its frames have the same instances"):
        registry.read(path)


@pytest.mark.parametrize("seed", range(24))
def test_damaged_c3d(tmp_path, seed, capfd):
    """Cut, or with other bytes in it: read, or refused in one line; nothing of the library's own reaches the user."""
    pytest.importorskip("c3d")
    from lib.formats import c3d_file

    c3d_file.write_new(tmp_path / "walk.c3d", NAMES, walk(3, 1.7), "m", 30.0)
    content, dice = bytearray((tmp_path / "walk.c3d").read_bytes()), np.random.default_rng(seed)
    places = dice.integers(1024 if seed % 3 else len(content), size=3)
    content[places[0]], content[places[1]] = dice.integers(256, size=2)
    if seed % 4 == 0:
        content = content[: int(dice.integers(1600, len(content)))]
    (tmp_path / "walk.c3d").write_bytes(content)
    try:
        pose_file = registry.read(tmp_path / "walk.c3d")
        cut = pose_file.frame_count < FRAMES
        assert not cut or f"says {FRAMES} frames, the file has {pose_file.frame_count}" in pose_file.notes[0]
    except UserError as error:
        assert len(str(error).splitlines()) == 1 and "Error:" not in str(error)
    said = capfd.readouterr()
    assert not said.err and not said.out
