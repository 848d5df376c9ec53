"""lib/dataset/sequences.py: the published sets, with every quirk that SPEC 2 names."""

import logging
import shutil

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from lib.command_line import Request
from lib.dataset import sequences
from lib.dataset.catalog import Source
from lib.errors import UserError
from lib.poses.skeletons import LAYOUTS


@pytest.fixture
def load():
    """A function (base, dataset, estimator, representation, split="test", *overrides) -> Split."""

    def loaded(base, dataset, estimator, representation, split="test", *overrides):
        cfg = Request("train", ["DATASET.BASE_DIR", str(base), *overrides]).config()
        return sequences.load(Source(dataset, estimator, representation), split, cfg)

    return loaded


def joint(split, name, index=0):
    """The track of a named joint in the truth of a sequence, [T, dims]."""
    dims = split.representation.dims
    return split.sequences[index].truth.reshape(split.sequences[index].length, -1, dims)[
        :, split.layout.joints.index(name)
    ]


@pytest.mark.parametrize(
    "dataset, estimator, representation, order, size",
    [
        ("h36m", "fcn", "3D", "h36m17", 17),
        ("h36m", "vibe", "3D", "lsp14", 14),
        ("h36m", "hourglass", "2D", "h36m16", 16),
        ("h36m", "cpn", "2D", "h36m17", 17),
        ("aist", "vibe", "3D", "lsp14", 14),
        ("pw3d", "spin", "3D", "regressor17", 14),
        ("pw3d", "vibe", "3D", "lsp14", 14),
        ("mpiinf3dhp", "tcmr", "3D", "mpi17", 17),
        ("mupots", "tposenet", "3D", "mpi17", 17),
        ("jhmdb", "simplepose", "2D", "jhmdb15", 15),
        ("own", "net", "3D", "h36m17", 17),
    ],
)
def test_published_joint_sets(dataset, estimator, representation, order, size, write_set, load, motion):
    split = load(write_set(dataset, estimator, representation, order), dataset, estimator, representation)
    assert split.layout.size == size and split.channels == size * split.representation.dims
    assert [view.length for view in split.sequences] == [len(clip) for clip in motion[-3:]]
    # A named joint is that joint of the motion, whatever the file's order.
    names = {"right_ankle": 3, "left_wrist": 13, "right_shoulder": 14, "left_knee": 5}
    for name, place in names.items():
        clip = motion[-3]
        expected = (
            clip[:, place] if representation == "3D" else clip[:, place, :2] / (clip[:, place, 2:] + 5) * 1145 + 512
        )
        np.testing.assert_allclose(joint(split, name), expected, rtol=1e-5)
    error = split.sequences[0].detected - split.sequences[0].truth
    assert 0.9 < error.std() / (0.03 if representation == "3D" else 5) < 1.1


@pytest.mark.parametrize("dataset, estimator", [("pw3d", "spin"), ("h36m", "spin"), ("aist", "spin"), ("own", "net")])
def test_published_smpl_sets(dataset, estimator, write_set, load):
    split = load(write_set(dataset, estimator, "smpl"), dataset, estimator, "smpl")
    view = split.sequences[0]
    assert (
        split.channels == 144
        and view.truth.shape == (view.length, 72)
        and view.extras["shape"].shape == (view.length, 10)
    )
    expected = {"truth_trans", "truth_scaling"} if dataset == "aist" else {"truth_shape"}
    assert {name for name in view.extras if name.startswith("truth_")} == expected


def test_detected_in_another_order_on_disk_than_the_truth(write_set, load, motion):
    """pw3d spin: 17 joints in one file, 14 in the other, scored on the same 14."""

    def change(split, kind, data):
        if kind == "groundtruth":
            order = [6, 5, 4, 1, 2, 3, 16, 15, 14, 11, 12, 13, 8, 10]
            data["joints_3d"] = [
                pose.reshape(len(pose), 17, 3)[:, order].reshape(len(pose), 42) for pose in data["joints_3d"]
            ]

    split = load(write_set("pw3d", "spin", "3D", "regressor17", change=change), "pw3d", "spin", "3D")
    view = split.sequences[0]
    assert np.abs(view.detected - view.truth).max() < 0.3
    np.testing.assert_allclose(joint(split, "right_ankle"), motion[-3][:, 3], rtol=1e-5)


def test_aist14(write_set, load, motion):
    base = write_set("mupots", "tposenet", "3D", "mpi17")
    split = load(
        base,
        "mupots",
        "tposenet",
        "3D",
        "test",
        "DATASET.JOINT_ORDER",
        "aist14",
        "DATASET.ROOT_MUPOTS_TPOSENET_3D",
        "14",
    )
    assert split.layout.name == "aist14" and split.layout.root == (2, 3)
    np.testing.assert_allclose(
        split.sequences[0].truth[:, :3], motion[-3][:, 6], rtol=1e-5
    )  # the left ankle comes first
    np.testing.assert_allclose(joint(split, "right_wrist"), motion[-3][:, 16], rtol=1e-5)


def test_jhmdb_is_normalised_by_its_images_and_keeps_its_boxes(write_set, load):
    view = load(write_set("jhmdb", "simplepose", "2D", "jhmdb15"), "jhmdb", "simplepose", "2D").sequences[0]
    assert view.frame.centre == (512, 500) and view.frame.scale == (1024, 1000)
    np.testing.assert_array_equal(view.extras["truth_bbox"][0], [300, 200, 700, 800])


@pytest.mark.parametrize(
    "shape, message",
    [
        (None, "has no imgshape, by which jhmdb is normalised"),
        ([0, 640], r"imgshape, sequence 0 .* is \[0, 640\]"),
        ([480], r"imgshape, sequence 0 .* is \[480\]"),
        (["a", "b"], "imgshape, sequence 0"),
        ([np.nan, 5], "imgshape, sequence 0"),
    ],
)
def test_jhmdb_without_usable_image_sizes(shape, message, write_set, load):
    def change(split, kind, data):
        if kind == "groundtruth":
            del data["imgshape"]
            if shape is not None:
                data["imgshape"] = [np.array(shape)] * 3

    with pytest.raises(UserError, match=message):
        load(write_set("jhmdb", "simplepose", "2D", "jhmdb15", change=change), "jhmdb", "simplepose", "2D")


def test_validate_split(write_set, load, tmp_path):
    base = write_set("aist", "vibe", "3D", "lsp14", splits=("train", "validate"))
    cfg = Request("train", ["DATASET.BASE_DIR", str(base)]).config()
    found = [sequences.has_split(Source("aist", "vibe", "3D"), split, cfg) for split in ("train", "validate", "test")]
    assert found == [True, True, False]
    assert len(load(base, "aist", "vibe", "3D", "validate").sequences) == 3


# ---------------------------------------------------------------------------------- synthetic detections


@pytest.mark.parametrize("dataset", ["mocap", "own"])
def test_clean_sequences_alone_are_enough(dataset, write_set, load):
    base = write_set(dataset, "noise", "3D")
    shutil.rmtree(base / f"{dataset}_noise_3D" / "detected")
    train, test = load(base, dataset, "noise", "3D", "train"), load(base, dataset, "noise", "3D")
    assert all(view.detected is None for view in train.sequences)
    again = load(base, dataset, "noise", "3D")
    for view, same in zip(test.sequences, again.sequences):
        assert 0.02 < np.abs(view.detected - view.truth).mean() < 0.08  # simulated errors
        np.testing.assert_array_equal(view.detected, same.detected)  # the same every time
    other = load(base, dataset, "noise", "3D", "test", "SEED_VALUE", "1")
    assert not np.array_equal(other.sequences[0].detected, test.sequences[0].detected)


@pytest.mark.parametrize("kind, std, expected", [("uniform", 100, 0.1 / 12**0.5), ("gaussian", 30, 0.03)])
def test_published_noise_has_its_size(kind, std, expected, write_set, load):
    base = write_set("mocap", "noise", "3D", clips=5)
    shutil.rmtree(base / "mocap_noise_3D" / "detected")
    split = load(base, "mocap", "noise", "3D", "test", "TRAIN.noise_type", kind, "TRAIN.noise_std", str(std))
    errors = [view.detected - view.truth for view in split.sequences]
    assert np.abs(errors[0][0] - errors[1][0]).max() > 0.01  # each clip has errors of its own
    error = np.concatenate(errors)
    assert abs(error.std() / expected - 1) < 0.03 and abs(error.mean()) < 0.001
    assert np.abs(error[:, :3]).mean() > expected / 2  # the root included, as published


@pytest.mark.parametrize("representation, order", [("2D", "h36m17"), ("smpl", "")])
def test_synthetic_2d_and_smpl(representation, order, write_set, load):
    base = write_set("own", "noise", representation, order or "h36m17")
    shutil.rmtree(base / f"own_noise_{representation}" / "detected")
    view = load(base, "own", "noise", representation).sequences[0]
    assert view.detected.shape == view.truth.shape and 0.001 < np.abs(view.detected - view.truth).mean() < 20


def test_detections_on_disk_come_first(write_set, load):
    base = write_set("mocap", "noise", "3D")
    assert load(base, "mocap", "noise", "3D", "train").sequences[0].detected is not None


@pytest.mark.parametrize("estimator", ["noise", "videoposet27"])
def test_nh36m_reads_the_truth_of_h36m_and_nobodys_detections(estimator, write_set, load):
    write_set("h36m", "tcmr", "3D", "lsp14")  # 14 joints: not the truth it needs
    base = write_set("h36m", "videoposet27", "3D")
    split = load(base, "nh36m", estimator, "3D", "train")
    assert split.channels == 51 and all(view.detected is None for view in split.sequences)
    theirs, ours = load(base, "h36m", "videoposet27", "3D"), load(base, "nh36m", estimator, "3D")
    np.testing.assert_array_equal(theirs.sequences[0].truth, ours.sequences[0].truth)
    assert not np.array_equal(theirs.sequences[0].detected, ours.sequences[0].detected)


def test_mocap_with_joints_of_its_own(write_set, load):
    split = load(write_set("mocap", "noise", "3D", "lsp14"), "mocap", "noise", "3D")
    assert split.layout.size == 14 and split.layout.root == (0,)


# ------------------------------------------------------------------------------------------------ quirks


def test_lengths_that_differ_are_cropped_and_said(write_set, load, caplog):
    def change(split, kind, data):
        if kind == "groundtruth":
            data["pose"][1], data["shape"][1] = data["pose"][1][:-3], data["shape"][1][:-3]

    split = load(write_set("pw3d", "spin", "smpl", change=change), "pw3d", "spin", "smpl")
    view = split.sequences[1]
    assert view.lost == 3
    for values in (view.truth, view.detected, view.extras["shape"], view.extras["truth_shape"], view.images):
        assert len(values) == view.length
    assert "1 of 3 sequences differ in length from their detections; cropped to the shorter (3 frames" in caplog.text


@pytest.mark.parametrize(
    "names, expected",
    [
        (lambda names: [np.array([])] * 3, ["sequence0", "sequence1", "sequence2"]),
        (lambda names: np.array([]), ["sequence0", "sequence1", "sequence2"]),
        (
            lambda names: [np.array([name.split("/")[1] for name in part]) for part in names],
            ["sequence0", "sequence1", "sequence2"],
        ),
        (lambda names: names, ["test0.camera1", "test1.camera1", "test2.camera1"]),
        (
            lambda names: [np.array(["a/b/" + name for name in part]) for part in names],
            ["a/b/test0.camera1", "a/b/test1.camera1", "a/b/test2.camera1"],
        ),
    ],
)
def test_names(names, expected, write_set, load):
    def change(split, kind, data):
        data["imgname"] = names(data["imgname"])

    split = load(write_set("aist", "vibe", "3D", "lsp14", change=change), "aist", "vibe", "3D")
    assert [view.name for view in split.sequences] == expected


def test_no_imgname_key_at_all(write_set, load):
    split = load(
        write_set("aist", "vibe", "3D", "lsp14", change=lambda split, kind, data: data.pop("imgname")),
        "aist",
        "vibe",
        "3D",
    )
    assert split.sequences[2].name == "sequence2"


def test_names_that_differ_between_the_files_are_said(write_set, load, caplog):
    def change(split, kind, data):
        if kind == "detected":
            data["imgname"] = data["imgname"][::-1]

    load(write_set("aist", "vibe", "3D", "lsp14", change=change), "aist", "vibe", "3D")
    assert "imgname of 2 of 3 sequences is another one in aist_vibe_3D_test.npz (sequence 0: test0" in caplog.text


def test_readme_keys(write_set, load):
    def change(split, kind, data):
        data["keypoints_3d"] = data.pop("joints_3d")

    assert load(write_set("aist", "vibe", "3D", "lsp14", change=change), "aist", "vibe", "3D").channels == 42


def test_missing_detections_are_filled_and_missing_truth_is_not_counted(write_set, load, caplog):
    def change(split, kind, data):
        pose = data["joints_3d"][0]
        if kind == "detected":
            pose[3:5, 6:9] = np.nan
        else:
            pose[10, 0] = np.nan
            pose[20:22] = np.inf

    view = load(write_set("h36m", "fcn", "3D", change=change), "h36m", "fcn", "3D").sequences[0]
    assert np.isfinite(view.detected).all() and np.isfinite(view.truth).all() and view.present is None
    np.testing.assert_allclose(
        view.detected[3, 6:9], view.detected[2, 6:9] * 2 / 3 + view.detected[5, 6:9] / 3, atol=1e-6
    )
    assert np.flatnonzero(~view.counted).tolist() == [10, 20, 21]
    assert "6 numbers are missing and were filled" in caplog.text
    assert "3 frames of 1 sequences lack ground truth; they are neither trained on nor scored" in caplog.text


@pytest.mark.parametrize(
    "where, message",
    [
        (np.s_[:, 4], r"joints_3d, sequence 1 \(test1.camera1\): joint 1 has no finite number in any frame"),
        (np.s_[::2, 4], None),
        (np.s_[:], "joints_3d, sequence 1 holds no finite number"),
    ],
)
def test_truth_that_is_not_there(where, message, write_set, load):
    def change(split, kind, data):
        if kind == "groundtruth":
            data["joints_3d"][1][where] = np.nan

    base = write_set("h36m", "fcn", "3D", change=change)
    if message is None:
        assert load(base, "h36m", "fcn", "3D").sequences[1].known.sum() > 0
        return
    with pytest.raises(UserError, match=message):
        load(base, "h36m", "fcn", "3D")


def test_truth_without_one_whole_frame(write_set, load):
    def change(split, kind, data):
        if kind == "groundtruth":
            data["joints_3d"][1][::2, 4] = np.nan
            data["joints_3d"][1][1::2, 9] = np.nan

    with pytest.raises(UserError, match="no frame has all joints. Remove the sequence"):
        load(write_set("h36m", "fcn", "3D", change=change), "h36m", "fcn", "3D")


@pytest.mark.parametrize("key, dims", [("joints_3d", 3), ("joints_2d", 2)])
def test_fill_gaps(key, dims):
    values = np.arange(5.0)[:, None] * np.ones((1, 3 * dims))
    broken = values.copy()
    broken[1:3, 0], broken[0, 1], broken[4, 1] = np.nan, np.inf, np.nan
    broken[:, dims : 2 * dims] = np.nan
    expected = values.copy()
    expected[0, 1], expected[4, 1] = 1, 3  # held at the ends
    # A joint that is never there stands between the others.
    expected[:, dims : 2 * dims] = (expected[:, :dims] + expected[:, 2 * dims :]) / 2
    np.testing.assert_allclose(sequences.fill_gaps(broken, key), expected)
    assert sequences.fill_gaps(values, key) is values


def test_gaps_of_rotations_are_bridged_as_rotations():
    """Just short of and just beyond half a turn about x: as numbers they are far apart, as rotations near."""
    pose = np.zeros((3, 72), np.float32)
    pose[0, 0], pose[2, 0] = np.pi - 0.1, -np.pi + 0.1
    pose[1, :3] = np.nan
    pose[:, 3:6] = np.nan
    filled = sequences.fill_gaps(pose, "pose")
    middle = Rotation.from_rotvec(filled[1, :3])
    assert (middle * Rotation.from_rotvec([np.pi, 0, 0]).inv()).magnitude() < 1e-3
    np.testing.assert_array_equal(filled[:, 3:6], 0)
    np.testing.assert_array_equal(filled[[0, 2], :3], pose[[0, 2], :3])


def drop_file(kind, split="test"):
    def change(base):
        next((base / "aist_vibe_3D" / kind).glob(f"*_{split}.npz")).unlink()

    return change


@pytest.mark.parametrize(
    "damage, message",
    [
        (drop_file("detected"), r"aist_vibe_3D_test.npz: not found. In .*detected: aist_vibe_3D_train.npz"),
        (drop_file("groundtruth"), r"aist_gt_3D_test.npz: not found. In .*groundtruth: aist_gt_3D_train.npz"),
        (
            lambda base: shutil.rmtree(base / "aist_vibe_3D"),
            "aist_gt_3D_test.npz: not found. Expected layout: .*/aist_vibe_3D/groundtruth/aist_gt_3D_<split>.npz and "
            "detected/aist_vibe_3D_<split>.npz. Datasets present in .*poses: none",
        ),
        (shutil.rmtree, "not found. DATASET.BASE_DIR .* is not a folder"),
    ],
)
def test_files_that_are_not_there(damage, message, write_set, load):
    base = write_set("aist", "vibe", "3D", "lsp14")
    damage(base)
    with pytest.raises(UserError, match=message):
        load(base, "aist", "vibe", "3D")


def replace(kind, key, make, index=None):
    def change(split, which, data):
        if which == kind:
            if index is None:
                data[key] = make(data[key])
            else:
                data[key][index] = make(data[key][index])

    return change


@pytest.mark.parametrize(
    "change, message",
    [
        (replace("detected", "joints_3d", lambda values: values[:2]), "imgname has 3 sequences but joints_3d has 2"),
        (
            lambda split, kind, data: (
                kind == "detected" and data.update({key: value[:2] for key, value in data.items()})
            ),
            "aist_vibe_3D_test.npz: joints_3d has 2 sequences, but aist_gt_3D_test.npz has 3",
        ),
        (
            replace("detected", "joints_3d", lambda value: value[:, :41], 1),
            r"aist_vibe_3D_test.npz: joints_3d, sequence 1 has 41 columns, which is not a multiple of 3. Expected \[T, J\*3\]",
        ),
        (
            replace("groundtruth", "joints_3d", lambda value: np.pad(value, ((0, 0), (0, 9))), 2),
            "aist_gt_3D_test.npz: joints_3d, sequence 2: aist_vibe_3D: its files have 17 joints, 14 expected",
        ),
        (
            lambda split, kind, data: data.update(joints_2d=data.pop("joints_3d")),
            r"aist_gt_3D_test.npz: has no joints_3d, which aist_vibe_3D needs .found: .*joints_2d.*Choose another",
        ),
    ],
)
def test_files_that_do_not_fit(change, message, write_set, load):
    with pytest.raises(UserError, match=message):
        load(write_set("aist", "vibe", "3D", "lsp14", change=change), "aist", "vibe", "3D")


def test_unknown_sets_need_one_joint_count(write_set, load):
    change = replace("detected", "joints_3d", lambda value: value[:, :42], 1)
    with pytest.raises(
        UserError, match="own_net_3D_test.npz: joints_3d, sequence 1 has 14 joints, others of own_net_3D have 17"
    ):
        load(write_set("own", "net", "3D", change=change), "own", "net", "3D")


# ------------------------------------------------------------------------------------------ several views


def views(counts, names=None, drop=()):
    """A `change` that makes recordings of `counts` views of one motion: view v is the truth plus v in x.

    names: (recording, camera, frame) -> imgname; drop: {(recording, camera): frames left out}.
    """
    names = names or (lambda recording, camera, frame: f"act{recording}.camera{camera}/{frame:06d}")
    drop = dict(drop)

    def change(split, kind, data):
        clips = {key: data[key] for key in ("joints_3d", "imgname")}
        data["joints_3d"], data["imgname"] = [], []
        for recording, count in enumerate(counts):
            for camera in range(count):
                pose = clips["joints_3d"][recording].copy()
                pose.reshape(len(pose), -1, 3)[..., 0] += camera
                keep = np.setdiff1d(np.arange(len(pose)), drop.get((recording, camera), []))
                data["joints_3d"].append(pose[keep])
                data["imgname"].append(np.array([names(recording, camera, frame) for frame in keep]))

    return change


def test_mh36m_groups_the_files_of_h36m(write_set, load, motion):
    base = write_set("h36m", "fcn", "3D", change=views([4, 2, 1]))
    single, multi = load(base, "h36m", "fcn", "3D"), load(base, "mh36m", "fcn", "3D")
    assert len(single.recordings) == 7 and [len(recording.views) for recording in multi.recordings] == [4, 2, 1]
    assert [recording.name for recording in multi.recordings] == ["act0", "act1", "act2"]
    for camera, view in enumerate(multi.recordings[0].views):
        assert view.name == f"act0.camera{camera}" and view.present is None
        np.testing.assert_allclose(view.truth[:, 0], motion[-3][:, 0, 0] + camera, atol=1e-6)


@pytest.mark.parametrize("count", [1, 3, 8])
def test_unknown_sets_group_on_request(count, write_set, load):
    base = write_set("own", "net", "3D", change=views([count, 2]), clips=2)
    split = load(base, "own", "net", "3D", "test", "DATASET.MULTI_VIEW", "True")
    assert [len(recording.views) for recording in split.recordings] == [count, 2]
    assert len(load(base, "own", "net", "3D").recordings) == count + 2


@pytest.mark.parametrize(
    "names",
    [
        None,
        lambda recording, camera, frame: f"act{recording}.camera{camera}/img_{frame + 1:05d}.jpg",
        lambda recording, camera, frame: (
            f"act{recording}.camera{camera}/act.{camera}.5413_{5 * frame + 2:06d}"
        ),  # every 5th frame
    ],
)
def test_views_that_end_early_or_miss_frames_are_masked(names, write_set, load, motion, caplog):
    caplog.set_level(logging.INFO)
    length = len(motion[-3])
    drop = {(0, 1): range(length - 9, length), (0, 2): [0, 1, 7, 8], (0, 3): [length - 1]}
    split = load(write_set("h36m", "fcn", "3D", change=views([4, 2, 1], names, drop)), "mh36m", "fcn", "3D")
    recording = split.recordings[0]
    assert {len(values) for view in recording.views for values in (view.truth, view.detected, view.images)} == {length}
    assert recording.views[0].present is None
    for (_, camera), frames in drop.items():
        view = recording.views[camera]
        assert np.flatnonzero(~view.present).tolist() == list(frames)
        there = view.truth[view.present]
        np.testing.assert_allclose(there[:, 0], motion[-3][view.present, 0, 0] + camera, atol=1e-6)  # at its own moment
        assert np.isfinite(view.truth).all() and np.isfinite(view.detected).all()
    np.testing.assert_allclose(
        recording.views[2].truth[7], recording.views[2].truth[[6, 9]].T @ [2 / 3, 1 / 3], atol=1e-6
    )
    assert "mh36m_fcn_3D: 3 recordings of 1 to 4 views; 14 frames that 3 views do not have are masked" in caplog.text


def test_missing_truth_and_absent_frames_both_do_not_count(write_set, load):
    make = views([2, 1, 1], None, {(0, 1): [4]})

    def change(split, kind, data):
        make(split, kind, data)
        if kind == "groundtruth":
            data["joints_3d"][1][5] = np.nan  # frame 6 of the recording

    view = load(write_set("h36m", "fcn", "3D", change=change), "mh36m", "fcn", "3D").recordings[0].views[1]
    assert np.flatnonzero(~view.present).tolist() == [4]
    assert np.flatnonzero(~view.counted).tolist() == [4, 6]


@pytest.mark.parametrize(
    "names",
    [
        lambda recording, camera, frame: f"act{recording}.camera{camera}/frame",  # no numbers
        lambda recording, camera, frame: f"act{recording}.camera{camera}/{-frame + 900:04d}",  # falling
        lambda recording, camera, frame: (
            f"act{recording}.camera{camera}/{3 * frame + (frame > 5):09d}"
        ),  # more holes than frames
        lambda recording, camera, frame: f"act{recording}.camera{camera}/{frame**3:09d}",
        lambda recording, camera, frame: (
            f"act{recording}.camera{camera}/{frame + 5000 * camera:09d}"
        ),  # each its own clock
    ],
)
def test_without_a_common_clock_views_match_by_index(names, write_set, load, motion):
    length = len(motion[-3])
    drop = {(0, 1): range(length - 5, length)}
    split = load(write_set("h36m", "fcn", "3D", change=views([4, 1, 1], names, drop)), "mh36m", "fcn", "3D")
    view = split.recordings[0].views[1]
    assert view.length == length and np.flatnonzero(~view.present).tolist() == list(range(length - 5, length))


def test_smpl_views_keep_their_shapes(write_set, load):
    def change(split, kind, data):
        for key in data:
            data[key] = [data[key][0], np.delete(data[key][0], [3, 4], axis=0)]
        data["imgname"] = [
            np.array([f"act.camera{camera}/{frame}" for frame in frames])
            for camera, frames in enumerate(
                (np.arange(len(data["pose"][0])), np.delete(np.arange(len(data["pose"][0])), [3, 4]))
            )
        ]

    split = load(
        write_set("own", "net", "smpl", change=change), "own", "net", "smpl", "test", "DATASET.MULTI_VIEW", "True"
    )
    first, second = split.recordings[0].views
    assert second.extras["shape"].shape == (second.length, 10) and np.isfinite(second.extras["truth_shape"]).all()
    np.testing.assert_allclose(second.truth[3:5], first.truth[3:5], atol=0.02)  # interpolated rotations


@pytest.mark.parametrize(
    "names, message",
    [
        (
            lambda recording, camera, frame: f"act{recording}.{camera}/{frame}",
            "sequence 0 .act0.0. has no 'camera' in its imgname",
        ),
        (
            lambda recording, camera, frame: f"act{recording}.camera/{frame}",
            "sequences 0 and 1 are both act0.camera, so which views",
        ),
    ],
)
def test_names_that_do_not_tell_recordings(names, message, write_set, load):
    with pytest.raises(UserError, match=message):
        load(write_set("h36m", "fcn", "3D", change=views([2, 1, 1], names)), "mh36m", "fcn", "3D")


def test_many_sequences_draw_their_noise_in_parts(monkeypatch):
    """The errors of a part depend on nothing but the generator and the sequences in it."""
    truths = [np.zeros((length, 51), np.float32) for length in (30, 40, 50)]
    views = [sequences.Sequence("s", None, truth) for truth in truths]
    rep, layout = sequences.representation("3D"), LAYOUTS["h36m17"]
    monkeypatch.setattr(sequences, "NOISE_FRAMES", 60)
    drawn = list(sequences.synthetic(views, "gaussian", 10, layout, rep, np.random.default_rng(0)))
    assert [len(values) for values in drawn] == [30, 40, 50]
    parts = list(sequences._parts(views, 60))
    assert [len(part) for part in parts] == [2, 1]
    rng = np.random.default_rng(0)
    np.testing.assert_allclose(
        np.concatenate(drawn[:2]), rng.standard_normal((70, 51), dtype=np.float32) / 100, atol=1e-8
    )


def test_gains_go_to_their_sequences(monkeypatch):
    monkeypatch.setattr(sequences, "NOISE_FRAMES", 60)
    views = [sequences.Sequence("s", None, np.zeros((length, 51), np.float32)) for length in (30, 40, 50)]
    drawn = list(
        sequences.synthetic(
            views,
            "simulated",
            0,
            LAYOUTS["h36m17"],
            sequences.representation("3D"),
            np.random.default_rng(0),
            {"gain": np.array([1.0, 2.0, 0.0])},
        )
    )
    assert np.abs(drawn[0]).max() > 0.01 and np.abs(drawn[1]).max() > 0.01 and np.abs(drawn[2]).max() == 0
