"""Every kind of file: read, written back unchanged, written back with shifted poses."""

import json
import pickle

import numpy as np
import pytest

from lib.errors import UserError
from lib.formats import registry
from lib.formats.tracks import JOINT_NAMES


def leaves(path):
    """Everything in a file as [(place, value)], in order; array elements one by one, with their dtype."""
    if path.is_dir():
        return [(file.name, *leaf) for file in sorted(path.iterdir()) for leaf in leaves(file)]
    if path.suffix == ".json":
        return list(walk(json.loads(path.read_text()), ()))
    if path.suffix == ".npy":
        return list(walk(np.load(path), ()))
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=True) as archive:
            return [leaf for key in archive.files for leaf in walk(archive[key], (key,))]
    if path.suffix == ".pkl":
        with open(path, "rb") as file:
            return list(walk(pickle.load(file), ()))
    if path.suffix == ".pt":
        import torch

        return list(walk(torch.load(path, weights_only=True), ()))
    separator = "\t" if path.suffix == ".trc" else "," if b";" not in path.read_bytes() else ";"
    return [
        ((number, column), cell)
        for number, line in enumerate(path.read_bytes().decode().split("\n"))
        for column, cell in enumerate(line.split(separator))
    ]


def walk(value, place):
    if type(value).__name__ == "Tensor":
        value = value.numpy()
    if isinstance(value, dict):
        yield (*place, "keys"), (type(value).__name__, list(value))
        for key, item in value.items():
            yield from walk(item, (*place, key))
    elif isinstance(value, (list, tuple)):
        yield (*place, "length"), (type(value).__name__, len(value))
        for index, item in enumerate(value):
            yield from walk(item, (*place, index))
    elif isinstance(value, np.ndarray):
        transposed = value.flags.f_contiguous and not value.flags.c_contiguous
        yield (*place, "array"), (value.shape, str(value.dtype), transposed)
        for index, item in enumerate(value.ravel().tolist()):
            yield from walk(item, (*place, index))
    else:
        yield place, repr(value)


def matched(pose_file, tracks):
    """Pairs (track, expected poses); every expected track has exactly one."""
    left = list(pose_file.tracks)
    for identity, start, poses in tracks:
        found = [
            track
            for track in left
            if track.start == start
            and track.poses.shape == poses.shape
            and np.allclose(track.poses, poses, rtol=0, atol=1e-6, equal_nan=True)
        ]
        assert len(found) == 1, f"{identity}: {len(found)} tracks"
        assert identity is None or not pose_file.tracked or found[0].id == identity
        left.remove(found[0])
        yield found[0], poses
    assert not left


def test_read(sample):
    pose_file = registry.read(sample.path)
    assert pose_file.format == sample.format
    for track, poses in matched(pose_file, sample.tracks):
        assert track.poses.dtype == np.float64
        assert (np.isnan(track.poses) == np.isnan(poses)).all()
        assert track.joint_names is None or len(track.joint_names) == track.poses.shape[1]
        if track.confidence is not None:
            assert track.confidence.min() >= 0 and track.confidence.max() <= 1
            assert ((track.confidence == 0) == np.isnan(poses).any(axis=-1)).all()
    assert pose_file.frame_count >= max(track.start + len(track.poses) for track in pose_file.tracks)
    assert len({track.name for track in pose_file.tracks}) == len(pose_file.tracks)


def test_unchanged(sample, tmp_path):
    pose_file = registry.read(sample.path)
    output = tmp_path / "out" / sample.path.name
    assert registry.write(pose_file, [track.poses for track in pose_file.tracks], output) == []
    assert leaves(output) == leaves(sample.path)


DERIVED = {"vibe": ["verts"], "wham": ["verts"], "phalp": ["3d_joints"]}


def test_shifted(sample, tmp_path):
    pose_file = registry.read(sample.path)
    shift = 0.0625
    refined = [track.poses + shift for track in pose_file.tracks]
    output = tmp_path / "out" / sample.path.name
    assert registry.write(pose_file, refined, output) == DERIVED.get(sample.format, [])
    again = registry.read(output)
    assert [track.id for track in again.tracks] == [track.id for track in pose_file.tracks]
    for before, after in zip(pose_file.tracks, again.tracks):
        assert after.start == before.start
        np.testing.assert_allclose(after.poses, before.poses + shift, rtol=0, atol=2e-5)
    old, new = leaves(sample.path), leaves(output)
    if sample.format not in DERIVED:
        assert [leaf[:-1] for leaf in old] == [leaf[:-1] for leaf in new]
        changed = sum(a != b for a, b in zip(old, new))
        assert changed == sum(np.isfinite(track.poses).sum() for track in pose_file.tracks)
    else:
        changing = {"pose", "pose_world", "verts", "global_orient", "body_pose", "3d_joints", "keys"}
        old, new = ([leaf for leaf in found if not changing & set(map(str, leaf[0]))] for found in (old, new))
        assert old == new


def test_filled_and_missing(build, tmp_path):
    """A filled gap is written, with the confidence left as it was; what stays missing stays as it was."""
    sample = build("openpose")
    pose_file = registry.read(sample.path)
    track = next(track for track in pose_file.tracks if len(track.poses) == 12 and track.part == "body")
    refined = [other.poses.copy() for other in pose_file.tracks]
    refined[pose_file.tracks.index(track)][3, 1] = [7.25, 8.5]
    registry.write(pose_file, refined, tmp_path / "out")
    name = "walk_000000000008_keypoints.json"
    people = json.loads((tmp_path / "out" / name).read_text())["people"]
    assert [7.25, 8.5, 0] in [person["pose_keypoints_2d"][3:6] for person in people]
    changed = [(a, b) for a, b in zip(leaves(sample.path), leaves(tmp_path / "out")) if a != b]
    assert len(changed) == 2


def test_metadata(build):
    assert registry.read(build("trc").path).fps == 60
    assert registry.read(build("npz").path).fps == 25
    assert registry.read(build("npz").path, fps=30).fps == 30
    assert registry.read(build("amass").path).fps == 120
    assert registry.read(build("coco_annotations").path).image_size == (1920, 1080)
    assert registry.read(build("videopose3d_detections").path).image_size == (640, 480)
    times = registry.read(build("mediapipe_people").path).timestamps
    np.testing.assert_allclose(times, np.arange(12) * 0.04 + 0.007)
    np.testing.assert_allclose(registry.read(build("csv_table").path).timestamps, np.arange(12) * 0.04)


@pytest.mark.parametrize(
    "kind, layout, units",
    [
        ("openpose", "openpose25", "px"),
        ("openpose_coco", "coco18", "px"),
        ("alphapose", "coco17", "px"),
        ("mmpose", "coco17", "px"),
        ("mmpose_demo_3d", "h36m17", None),
        ("mediapipe", "mediapipe33", "normalised"),
        ("coco_annotations", "coco17", "px"),
        ("npy_flat", None, None),  # 17 joints, of which the first is not between the hips
        ("freemocap", "mediapipe33", None),  # units are told by the size of the body
        ("sequences", "h36m17", "m"),
        ("videopose3d", "h36m17", "px"),
        ("csv_table", "mediapipe33", "normalised"),
        ("trc", None, "m"),
        ("vibe", "smpl24", None),
        ("gvhmr", "smpl22", None),
    ],
)
def test_layout(build, kind, layout, units):
    track = next(track for track in registry.read(build(kind).path).tracks if track.part == "body")
    assert (track.layout, track.units) == (layout, units)


def test_layouts_have_the_published_counts():
    counts = {
        "coco17": 17,
        "coco18": 18,
        "openpose25": 25,
        "halpe26": 26,
        "mediapipe33": 33,
        "h36m17": 17,
        "smpl24": 24,
        "smpl22": 22,
    }
    assert {name: len(JOINT_NAMES[name]) for name in counts} == counts
    assert JOINT_NAMES["openpose25"][8] == "mid_hip" and JOINT_NAMES["mediapipe33"][23] == "left_hip"
    assert JOINT_NAMES["halpe26"][19] == "hip" and JOINT_NAMES["coco18"][8] == "right_hip"


def test_normalised_becomes_pixels(build, tmp_path):
    sample = build("mediapipe")
    pose_file = registry.read(sample.path, image_size=(640, 480))
    body = next(track for track in pose_file.tracks if track.part == "body")
    assert body.units == "px"
    np.testing.assert_allclose(body.poses, sample.tracks[0][2] * [640, 480])
    registry.write(pose_file, [track.poses for track in pose_file.tracks], tmp_path / "same.json")
    assert leaves(tmp_path / "same.json") == leaves(sample.path)
    registry.write(pose_file, [track.poses + 64 for track in pose_file.tracks], tmp_path / "moved.json")
    point = json.loads((tmp_path / "moved.json").read_text())[0][0]
    before = json.loads(sample.path.read_text())[0][0]
    assert point["x"] - before["x"] == pytest.approx(0.1)
    assert point["y"] - before["y"] == pytest.approx(64 / 480)
    assert point["z"] - before["z"] == pytest.approx(0.1)


def test_derived_are_replaced(build, tmp_path):
    sample = build("vibe")
    pose_file = registry.read(sample.path)
    refined = [track.poses.copy() for track in pose_file.tracks]
    refined[0] += 0.5  # the second person keeps everything
    verts = [np.full((len(track.poses), 6, 3), 2.0) for track in pose_file.tracks]
    assert registry.write(pose_file, refined, tmp_path / "out.pkl", derived={"verts": verts}) == []
    with open(tmp_path / "out.pkl", "rb") as file:
        people = pickle.load(file)
    assert people[1]["verts"].dtype == np.float32 and (people[1]["verts"] == 2).all()
    assert (people[4]["verts"] == 1).all() and people[4]["joints2d"] is None


def test_derived_of_a_person_with_two_tracks(build, tmp_path):
    """WHAM's verts hang on the camera's track alone."""
    pose_file = registry.read(build("wham").path)
    refined = [track.poses + 0.5 for track in pose_file.tracks]
    assert (
        registry.write(pose_file, refined, tmp_path / "out.pkl", derived={"verts": [np.full((12, 5, 3), 2.0), None]})
        == []
    )
    with open(tmp_path / "out.pkl", "rb") as file:
        assert (pickle.load(file)[0]["verts"] == 2).all()
    refined = [pose_file.tracks[0].poses, pose_file.tracks[1].poses]
    refined[1][:, 0] += 0.5
    assert registry.write(pose_file, refined, tmp_path / "out.pkl") == []


def test_translation_only_where_given(build, tmp_path):
    sample = build("wham")
    pose_file = registry.read(sample.path)
    assert (pose_file.tracks[0].translation == 1).all() and (pose_file.tracks[1].translation == 0).all()
    registry.write(
        pose_file,
        [track.poses for track in pose_file.tracks],
        tmp_path / "out.pkl",
        translations=[np.full((12, 3), 3.0), None],
    )
    with open(tmp_path / "out.pkl", "rb") as file:
        person = pickle.load(file)[0]
    assert (person["trans"] == 3).all() and (person["trans_world"] == 0).all()


def test_one_body_in_both_frames(build, tmp_path):
    """WHAM's world pose keeps the body of the camera pose, whatever the two tracks were refined to."""
    pose_file = registry.read(build("wham").path)
    refined = [pose_file.tracks[0].poses + 0.5, pose_file.tracks[1].poses + 0.25]
    registry.write(pose_file, refined, tmp_path / "out.pkl")
    with open(tmp_path / "out.pkl", "rb") as file:
        person = pickle.load(file)[0]
    assert (person["pose"][:, 3:] == person["pose_world"][:, 3:]).all()
    np.testing.assert_allclose(person["pose_world"][:, :3], pose_file.tracks[1].poses[:, 0] + 0.25, atol=1e-6)


def test_pickles_open_under_numpy_1(build, tmp_path):
    """numpy 2's own module names do not exist in the environments of these tools."""
    for kind in ("vibe", "wham", "phalp"):
        pose_file = registry.read(build(kind).path)
        registry.write(pose_file, [track.poses for track in pose_file.tracks], tmp_path / "out.pkl")
        assert b"numpy._core" not in (tmp_path / "out.pkl").read_bytes()


def test_predicted_entries_are_left(build, tmp_path):
    """PHALP's guesses for people out of sight (tracked_time > 0) are not refined."""
    pose_file = registry.read(build("phalp").path)
    registry.write(pose_file, [track.poses + 0.1 for track in pose_file.tracks], tmp_path / "out.pkl")
    with open(tmp_path / "out.pkl", "rb") as file:
        new = pickle.load(file)
    with open(build("phalp").path, "rb") as file:
        old = pickle.load(file)
    frame = "_DEMO/walk/img/000011.jpg"
    assert old[frame]["tracked_time"] == [2, 0]
    same = [
        np.array_equal(old[frame]["smpl"][person]["body_pose"], new[frame]["smpl"][person]["body_pose"])
        for person in (0, 1)
    ]
    assert same == [True, False]


def test_integers_become_floats(tmp_path):
    np.save(tmp_path / "whole.npy", np.arange(60).reshape(10, 3, 2))
    pose_file = registry.read(tmp_path / "whole.npy")
    poses = pose_file.tracks[0].poses
    registry.write(pose_file, [poses], tmp_path / "same.npy")
    registry.write(pose_file, [poses + 0.5], tmp_path / "moved.npy")
    assert np.load(tmp_path / "same.npy").dtype == np.int64
    np.testing.assert_array_equal(np.load(tmp_path / "moved.npy"), poses + 0.5)


def test_strided_and_absent_frames(tmp_path):
    """Every second frame was detected, nobody in frame 6: one track of five frames, the fourth absent."""
    items = [
        {
            "image_id": f"{frame}.jpg",
            "category_id": 1,
            "score": 1.0,
            "idx": 1,
            "keypoints": [float(frame), 5.0, 0.5, 9.0, 2.0, 0.5],
        }
        for frame in (0, 2, 4, 8)
    ]
    (tmp_path / "a.json").write_text(json.dumps(items))
    pose_file = registry.read(tmp_path / "a.json")
    (track,) = pose_file.tracks
    assert "steps of 2" in pose_file.notes[0]
    assert pose_file.tracked and track.present.tolist() == [True, True, True, False, True]
    np.testing.assert_array_equal(track.poses[:, 0, 0], [0, 2, 4, np.nan, 8])


def test_alphapose_without_tracking(build, tmp_path):
    """It writes idx 0 for everybody then, which is no id."""
    sample = build("alphapose")
    items = json.loads(sample.path.read_text())
    for item in items:
        item["idx"] = [[0.0], [0.0]]
    sample.path.write_text(json.dumps(items))
    pose_file = registry.read(sample.path)
    assert not pose_file.tracked and [len(track.poses) for track in pose_file.tracks] == [12, 7]


def test_pose2sim_file_names(tmp_path):
    """`cam01.0031.json`: the last digits are the frame, not a file ending."""
    for frame in (9, 10, 11):
        (tmp_path / f"cam01.{frame:04d}.json").write_text(
            json.dumps({"people": [{"pose_keypoints_2d": [frame, 2.0, 0.5, 30.0, 40.0, 0.5]}]})
        )
    (track,) = registry.read(tmp_path).tracks
    np.testing.assert_array_equal(track.poses[:, 0, 0], [9, 10, 11])


def test_mmpose_image_demo_folder(tmp_path):
    """results_<image>.json of the demo script: the instances stand under instance_info without a frame."""
    for frame in range(3):
        instance = {"keypoints": [[frame, 1.0], [2.0, 30.0]], "keypoint_scores": [1, 1]}
        (tmp_path / f"results_{frame}.json").write_text(json.dumps({"meta_info": {}, "instance_info": [instance]}))
    pose_file = registry.read(tmp_path)
    np.testing.assert_array_equal(pose_file.tracks[0].poses[:, 0, 0], [0, 1, 2])


def test_mediapipe_frames_of_every_second_picture(tmp_path):
    landmarks = [{"x": 0.5 + 0.01 * joint, "y": 0.5, "z": 0.0, "visibility": 0.9} for joint in range(33)]
    frames = [{"frame_index": 0, "pose_landmarks": [], "pose_world_landmarks": []}] + [
        {"frame_index": number, "pose_landmarks": [landmarks], "left_hand_landmarks": landmarks[:21]}
        for number in (2, 4, 8)
    ]
    (tmp_path / "a.json").write_text(json.dumps({"fps": 15, "info": ["x"], "sequence": frames}))
    pose_file = registry.read(tmp_path / "a.json")
    assert pose_file.fps == 15 and pose_file.frame_count == 5
    assert {track.part: (track.start, len(track.poses)) for track in pose_file.tracks} == {
        "body": (1, 4),
        "depth": (1, 4),
        "left_hand": (1, 4),
        "left_hand_depth": (1, 4),
    }


def test_mediapipe_zeros_for_nobody(tmp_path):
    """33 zeros of visibility 0 are nobody; where visibility is 0 throughout, it says nothing."""

    def point(value, visibility):
        return {"x": value, "y": value, "z": value, "visibility": visibility}

    frames = [[point(0.1 + 0.01 * joint, 0.5) for joint in range(33)] for _ in range(4)]
    frames[2] = [point(0.0, 0.0)] * 33
    (tmp_path / "a.json").write_text(json.dumps(frames))
    body = next(track for track in registry.read(tmp_path / "a.json").tracks if track.part == "body")
    assert np.isnan(body.poses).all(axis=(1, 2)).tolist() == [False, False, True, False]
    unrated = [[point(0.1 + 0.01 * joint, 0) for joint in range(33)] for _ in range(4)]
    (tmp_path / "a.json").write_text(json.dumps(unrated))
    body = next(track for track in registry.read(tmp_path / "a.json").tracks if track.part == "body")
    assert np.isfinite(body.poses).all() and body.confidence is None


def test_coco_results_whose_third_number_is_zero(tmp_path):
    items = [
        {"image_id": frame, "category_id": 1, "keypoints": [5.0, 6.0, 0, 0, 0, 0, 50.0, 70.0 + frame, 0], "score": 0.5}
        for frame in range(3)
    ]
    (tmp_path / "a.json").write_text(json.dumps(items))
    (track,) = registry.read(tmp_path / "a.json").tracks
    np.testing.assert_array_equal(track.poses[2], [[5, 6], [np.nan, np.nan], [50, 72]])


def test_whole_body_is_split(tmp_path):
    points = np.column_stack([np.arange(136), np.arange(136), np.full(136, 0.5)]).ravel().tolist()
    items = [{"image_id": f"{frame}.jpg", "category_id": 1, "keypoints": points, "score": 1.0} for frame in range(3)]
    (tmp_path / "a.json").write_text(json.dumps(items))
    tracks = {track.part: track for track in registry.read(tmp_path / "a.json").tracks}
    assert {part: track.poses.shape[1] for part, track in tracks.items()} == {
        "body": 26,
        "face": 68,
        "left_hand": 21,
        "right_hand": 21,
    }
    assert tracks["body"].layout == "halpe26" and tracks["right_hand"].poses[0, 0, 0] == 115


def test_forced_format(build):
    sample = build("coco_results")
    assert registry.read(sample.path, "alphapose").format == "alphapose"
    with pytest.raises(UserError, match="Known: panoptic"):
        registry.read(sample.path, "poses")


def test_wrong_refined_is_refused(build, tmp_path):
    pose_file = registry.read(build("npy").path)
    with pytest.raises(ValueError, match="original"):
        registry.write(pose_file, [pose_file.tracks[0].poses[1:]], tmp_path / "out.npy")


def read_back(sample, tmp_path, shift):
    pose_file = registry.read(sample.path)
    output = tmp_path / "out" / sample.path.name
    registry.write(pose_file, [track.poses + shift for track in pose_file.tracks], output)
    return output


def test_pycocotools_reads_it(build, tmp_path):
    coco = pytest.importorskip("pycocotools.coco").COCO
    sample = build("coco_annotations")
    annotations = coco(str(read_back(sample, tmp_path, 0.5)))
    assert len(annotations.getImgIds()) == 12
    first = annotations.loadAnns(annotations.getAnnIds(imgIds=[1]))[0]
    np.testing.assert_allclose(np.reshape(first["keypoints"], (17, 3))[:, :2], sample.tracks[0][2][0] + 0.5)
    results = [{"image_id": 1, "category_id": 1, "keypoints": first["keypoints"], "score": 0.5}]
    (tmp_path / "r.json").write_text(json.dumps(results))
    moved = read_back(type(sample)(tmp_path / "r.json", "coco", []), tmp_path, 0.25)
    assert len(annotations.loadRes(str(moved)).anns) == 1


def test_pandas_reads_it(build, tmp_path):
    pandas = pytest.importorskip("pandas")
    sample = build("csv_table")
    table = pandas.read_csv(read_back(sample, tmp_path, 0.25))
    np.testing.assert_allclose(table["NOSE_x"], sample.tracks[0][2][:, 0, 0] + 0.25)
    assert (table["note"] == "a, b").all()


def test_trc_data_reader_reads_it(build, tmp_path):
    trc = pytest.importorskip("trc")
    sample = build("trc")
    data = trc.TRCData()
    data.load(str(read_back(sample, tmp_path, 0.25)))
    hip = [data[frame][1][0] for frame in range(1, 13)]
    np.testing.assert_allclose(hip, sample.tracks[0][2][:, 0] + 0.25)


def test_a_trc_file_that_lacks_frames_is_said(build):
    sample = build("trc")
    assert not registry.read(sample.path).notes
    sample.path.write_text("".join(sample.path.read_text().splitlines(keepends=True)[:-3]))
    notes = registry.read(sample.path).notes
    assert len(notes) == 1 and "says 12 frames, the file has 9" in notes[0]
