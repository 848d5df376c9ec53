"""lib/dataset/sequences.py: the published sets, with every quirk that SPEC 2 names."""

import shutil

import numpy as np
import pytest

from lib.command_line import Request
from lib.dataset import sequences
from lib.dataset.catalog import Source
from lib.errors import UserError


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
    assert "without ground truth, neither trained on nor scored: 3 frames of 1 sequence" in caplog.text


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
