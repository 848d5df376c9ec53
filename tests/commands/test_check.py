"""lib/commands/check.py: what a folder holds, what is odd in it and what will be refused."""

import re
import shutil

import numpy as np
import pytest

from lib.command_line import Request
from lib.commands import check
from lib.errors import UserError


@pytest.fixture
def report():
    """A function (base, folder, *overrides) -> the `Report` of base/folder."""

    def made(base, folder, *overrides):
        (found,) = check.check(base / folder, Request("train", list(overrides)).config())
        return found

    return made


def changed(kind, key, make, split=None):
    """A `change` of the first sequence of one file."""

    def change(which_split, which, data):
        if which == kind and split in (None, which_split):
            data[key][0] = make(data[key][0])

    return change


def test_a_good_set(write_set, report):
    found = report(write_set("aist", "vibe", "3D", "lsp14"), "aist_vibe_3D")
    assert not found.notes and not found.refused
    assert found.title.endswith("aist_vibe_3D: --dataset_name aist --estimator vibe --body_representation 3D")
    rows = [row[:6] for row in found.rows]
    # The sample's first and last three clips (data/README.md).
    assert rows == [
        ("train", "ground truth", "3", "223", "53-88", "14"),
        ("train", "detected", "3", "223", "53-88", "14"),
        ("test", "ground truth", "3", "141", "24-64", "14"),
        ("test", "detected", "3", "141", "24-64", "14"),
    ]
    assert [row[7] for row in found.rows] == ["0"] * 4
    for row in found.rows:
        assert 1.4 < float(row[6].removesuffix(" m")) < 1.9


@pytest.mark.parametrize(
    "dataset, estimator, representation, order, extent",
    [
        ("h36m", "hourglass", "2D", "h36m16", "px"),
        ("jhmdb", "simplepose", "2D", "jhmdb15", "px"),
        ("pw3d", "spin", "smpl", "", "rad"),
        ("aist", "spin", "smpl", "", "rad"),
        ("pw3d", "spin", "3D", "regressor17", "m"),
        ("mupots", "tposenet", "3D", "mpi17", "m"),
        ("own_name", "net", "3D", "h36m17", "m"),
        ("own", "net_v2", "3D", "h36m17", "m"),
    ],
)
def test_every_kind_of_set(dataset, estimator, representation, order, extent, write_set, report):
    base = write_set(dataset, estimator, representation, order or "h36m17")
    found = report(base, f"{dataset}_{estimator}_{representation}")
    assert not found.refused and not found.notes and len(found.rows) == 4
    assert f"--dataset_name {dataset} --estimator {estimator} " in found.title
    assert all(row[6].endswith(extent) for row in found.rows)


def test_clean_sequences_alone(write_set, report):
    base = write_set("own", "noise", "3D")
    shutil.rmtree(base / "own_noise_3D" / "detected")
    found = report(base, "own_noise_3D")
    assert not found.refused and found.rows[1] == ("train", "detected", "ground truth plus simulated errors")


@pytest.mark.parametrize(
    "change, note",
    [
        (
            lambda split, kind, data: data.update(joints_3d=[pose * 1000 for pose in data["joints_3d"]]),
            "which looks like millimetres. Metres are expected",
        ),
        (
            lambda split, kind, data: data.update(joints_3d=[pose * 100 for pose in data["joints_3d"]]),
            "which looks like centimetres",
        ),
        (
            lambda split, kind, data: data.update(joints_3d=[pose / 100 for pose in data["joints_3d"]]),
            "in size. Metres are expected",
        ),
        (
            lambda split, kind, data: (
                kind == "detected" and data.update(joints_3d=[pose * 1000 for pose in data["joints_3d"]])
            ),
            "in the ground truth. Are both files in the same unit",
        ),
        (
            lambda split, kind, data: (
                kind == "detected" and data.update(joints_3d=[pose[:, ::-1] for pose in data["joints_3d"]])
            ),
            "mean error of the detections of .* Do both files have the same joint order",
        ),
        (
            lambda split, kind, data: kind == "detected" and data.update(imgname=data["imgname"][::-1]),
            "imgname of 2 of 3 sequences",
        ),
        (changed("groundtruth", "joints_3d", lambda pose: pose[:-2]), "1 of 3 sequences differ in length"),
        (
            changed("detected", "joints_3d", lambda pose: np.where(np.arange(51) == 7, np.nan, pose)),
            "numbers are missing and were",
        ),
        (changed("detected", "joints_3d", lambda pose: pose[:5]), "shorter than a window of 8 frames"),
    ],
)
def test_what_looks_odd_is_noted_and_not_refused(change, note, write_set, report):
    found = report(write_set("h36m", "fcn", "3D", change=change), "h36m_fcn_3D")
    assert not found.refused
    assert any(re.search(note, line) for line in found.notes)


def test_normalised_key_points_and_degrees(write_set, report):
    base = write_set(
        "own",
        "net",
        "2D",
        change=lambda split, kind, data: data.update(joints_2d=[pose / 1000 for pose in data["joints_2d"]]),
    )
    assert "Are they normalised? Pixels are expected" in "\n".join(report(base, "own_net_2D").notes)
    base = write_set(
        "own",
        "net",
        "smpl",
        change=lambda split, kind, data: data.update(pose=[np.degrees(pose) for pose in data["pose"]]),
    )
    assert "are these degrees? Axis-angles in radians are expected" in "\n".join(report(base, "own_net_smpl").notes)


def test_missing_values_are_counted(write_set, report):
    def change(split, kind, data):
        if (split, kind) == ("test", "detected"):
            data["joints_3d"][0][:10, :5] = np.nan

    found = report(write_set("h36m", "fcn", "3D", change=change), "h36m_fcn_3D")
    assert found.rows[3][7] == f"50 ({50 / 141 / 51:.2%})" and found.rows[2][7] == "0"


@pytest.mark.parametrize(
    "damage, refused",
    [
        (
            lambda folder: (folder / "detected" / "h36m_fcn_3D_test.npz").unlink(),
            "test: .*h36m_fcn_3D_test.npz: not found",
        ),
        (
            lambda folder: (folder / "groundtruth" / "h36m_gt_3D_test.npz").write_bytes(b"PK"),
            "test: .*not a readable .npz archive",
        ),
        (
            lambda folder: np.savez(folder / "detected" / "h36m_fcn_3D_test.npz", joints_3d=np.ones((2, 4, 51))),
            "test: .*h36m_fcn_3D_test.npz: joints_3d has 2 sequences, but",
        ),
        (
            lambda folder: np.savez(folder / "detected" / "h36m_fcn_3D_test.npz", joints_3d=np.ones((3, 4, 42))),
            "test: .*joints_3d, sequence 0: h36m_fcn_3D: its files have 14 joints, 17 expected",
        ),
    ],
)
def test_what_will_be_refused(damage, refused, write_set, report, capsys):
    base = write_set("h36m", "fcn", "3D")
    damage(base / "h36m_fcn_3D")
    found = report(base, "h36m_fcn_3D")
    assert len(found.refused) == 1
    assert re.match(refused, found.refused[0])
    with pytest.raises(SystemExit) as ended:
        check.main([str(base / "h36m_fcn_3D")])
    assert ended.value.code == 2
    shown = capsys.readouterr().out
    assert f"  refused: {found.refused[0]}\n" in shown and shown.endswith(
        "1 set, 1 with something that will be refused\n"
    )


def test_files_that_are_not_read(write_set, report):
    base = write_set("h36m", "fcn", "3D", splits=("test",))
    folder = base / "h36m_fcn_3D"
    (folder / "detected" / "h36m_fcn_3d_train.npz").write_bytes(b"")
    found = report(base, "h36m_fcn_3D")
    assert found.notes == [
        f"{folder / 'detected' / 'h36m_fcn_3d_train.npz'}: ignored because of its name. Expected "
        "h36m_fcn_3D_train.npz or h36m_fcn_3D_validate.npz or h36m_fcn_3D_test.npz"
    ]
    (folder / "detected" / "h36m_fcn_3D_test.npz").unlink()
    (folder / "groundtruth" / "h36m_gt_3D_test.npz").unlink()
    assert (
        report(base, "h36m_fcn_3D").refused[0].endswith("contains no split. Expected files such as h36m_gt_3D_test.npz")
    )


def test_overrides_reach_the_loader(write_set, report):
    base = write_set("own", "net", "3D", change=lambda split, kind, data: data.pop("imgname"))
    assert not report(base, "own_net_3D").refused
    assert "no 'camera' in its imgname" in report(base, "own_net_3D", "DATASET.MULTI_VIEW", "True").refused[0]


def test_a_folder_of_sets(write_set, capsys, monkeypatch):
    write_set("h36m", "fcn", "3D")
    base = write_set("jhmdb", "simplepose", "2D", "jhmdb15")
    (base / "notes").mkdir()
    (base / "odd" / "detected").mkdir(parents=True)
    with pytest.raises(SystemExit):
        check.main([str(base)])
    shown = capsys.readouterr().out
    assert shown.count("--dataset_name") == 2 and "odd: its name is not <dataset>_<estimator>_<representation>" in shown
    assert shown.endswith("3 sets, 1 with something that will be refused\n")
    monkeypatch.chdir(base / "h36m_fcn_3D")
    check.main(["."])  # a usable set ends without SystemExit
    assert capsys.readouterr().out.endswith("1 set, none with something that will be refused\n")


@pytest.mark.parametrize(
    "make, message", [(lambda path: None, "not a folder"), (lambda path: path.mkdir(), "neither a dataset")]
)
def test_no_set_at_all(make, message, tmp_path):
    make(tmp_path / "x")
    with pytest.raises(UserError, match=message):
        check.main([str(tmp_path / "x")])


def test_the_shipped_sample_is_good(root, capsys):
    check.main([str(root / "data" / "poses")])
    assert "note:" not in capsys.readouterr().out
