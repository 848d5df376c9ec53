"""Files of the field's own libraries: written by them, read, refined, and read back by them."""

import json

import numpy as np
import pytest

from lib.errors import UserError
from lib.formats import registry
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
