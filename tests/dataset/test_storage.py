"""lib/dataset/storage.py: the published files of every age are read; what is not one ends in one line."""

import io
import os
import pickle
import zipfile

import numpy as np
import pytest

from lib.dataset import storage
from lib.errors import UserError


def objects(*values):
    array = np.empty(len(values), dtype=object)
    for index, value in enumerate(values):
        array[index] = value
    return array


@pytest.fixture
def poses():
    rng = np.random.default_rng(0)
    return [rng.normal(size=(length, 51)).astype(np.float32) for length in (5, 9, 3)]


@pytest.fixture
def saved(tmp_path):
    """A function (**arrays) -> the path of an .npz by numpy.savez."""

    def save(**arrays):
        np.savez(tmp_path / "set.npz", **arrays)
        return tmp_path / "set.npz"

    return save


def same(found, expected):
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected):
        assert ours.dtype == np.float32
        np.testing.assert_array_equal(ours, np.asarray(theirs, np.float32).reshape(len(theirs), -1))


@pytest.mark.parametrize("key", ["joints_3d", "keypoints_3d"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_published_3d(key, dtype, poses, saved):
    values = [pose.astype(dtype) for pose in poses]
    data = storage.read(saved(**{key: objects(*values)}))
    assert list(data) == ["joints_3d"]
    same(data["joints_3d"], values)


def test_published_2d_alias(saved):
    points = np.ones((4, 34), np.float32)
    assert list(storage.read(saved(keypoints_2d=objects(points)))) == ["joints_2d"]


def test_joints_with_an_axis_of_their_own(poses, saved):
    data = storage.read(saved(joints_3d=objects(*(pose.reshape(len(pose), 17, 3) for pose in poses))))
    same(data["joints_3d"], poses)


@pytest.mark.parametrize(
    "make",
    [
        lambda stack: stack,  # np.savez(joints_3d=[a, b]) of one length
        lambda stack: stack.astype(object),  # np.array([a, b], dtype=object) of one length
        lambda stack: stack.reshape(2, 6, 17, 3),
        lambda stack: objects(*stack.tolist()),  # lists of lists
    ],
)
def test_sequences_of_one_length(make, saved):
    stack = np.random.default_rng(0).normal(size=(2, 6, 51)).astype(np.float32)
    same(storage.read(saved(joints_3d=make(stack)))["joints_3d"], stack)


def repickled(path, protocol, package):
    """The file as another numpy would have pickled it: its module names, another protocol."""
    with np.load(path, allow_pickle=True) as stored:
        arrays = {key: stored[key] for key in stored.files}
    with zipfile.ZipFile(path, "w") as archive:
        for key, array in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array_header_1_0(content, {"descr": "|O", "fortran_order": False, "shape": array.shape})
            text = pickle.dumps(array, protocol)
            for own in (b"numpy._core", b"numpy.core"):
                text = text.replace(b"c" + own, b"c" + package)
            assert package in text
            content.write(text)
            archive.writestr(f"{key}.npy", content.getvalue())
    return path


@pytest.mark.parametrize("protocol", [0, 1, 2, 3])
@pytest.mark.parametrize("package", [b"numpy.core", b"numpy._core"])
def test_object_arrays_of_old_and_new_numpy(protocol, package, poses, saved):
    names = objects(*(np.array([f"a/{index}" for index in range(len(pose))]) for pose in poses))
    path = repickled(saved(joints_3d=objects(*poses), imgname=names), protocol, package)
    data = storage.read(path)
    same(data["joints_3d"], poses)
    assert data["imgname"][2] == ["a/0", "a/1", "a/2"]


@pytest.mark.parametrize(
    "value, expected",
    [
        (np.array(["s/1", "s/2"]), ["s/1", "s/2"]),
        (np.array([b"s/1", b"s/2"]), ["s/1", "s/2"]),
        (["s/1", "s/2"], ["s/1", "s/2"]),
        (np.array(["s/1", "s/2"], dtype=object), ["s/1", "s/2"]),
        (np.array([]), []),
        ([], []),
        (None, []),
        ("", [""]),
    ],
)
def test_image_names(value, expected, saved):
    data = storage.read(saved(joints_3d=objects(np.ones((2, 51))), imgname=objects(value)))
    assert data["imgname"] == [expected]


def test_no_image_names_at_all(poses, saved):
    data = storage.read(saved(joints_3d=objects(*poses), imgname=np.array([])))
    assert len(data["joints_3d"]) == 3 and not any(data["imgname"])


def test_smpl_and_jhmdb_keys(saved):
    data = storage.read(
        saved(
            pose=objects(np.ones((2, 72))),
            trans=objects(np.ones((2, 3))),
            scaling=objects([90.0]),
            shape=objects(np.arange(10.0)),
        )
    )
    assert data["trans"][0].shape == (2, 3)
    np.testing.assert_array_equal(data["scaling"][0], [[90], [90]])  # one row stands for all frames
    np.testing.assert_array_equal(data["shape"][0], [np.arange(10)] * 2)
    data = storage.read(
        saved(joints_2d=objects(np.ones((2, 30))), bbox=objects(np.ones((2, 4))), imgshape=np.array([[240, 320, 3]]))
    )
    assert data["bbox"][0].shape == (2, 4) and data["imgshape"][0].tolist() == [240, 320, 3]


def test_infinite_numbers_are_missing_and_not_an_error(saved):
    pose = np.ones((2, 51))
    pose[0, 0], pose[1, 1], pose[1, 2] = np.nan, np.inf, 1e300
    data = storage.read(saved(joints_3d=objects(pose)))
    assert int((~np.isfinite(data["joints_3d"][0])).sum()) == 3


# ------------------------------------------------------------------------------------------- mistakes

GOOD = np.ones((4, 51), np.float32)
NAN = np.full((4, 51), np.nan)


@pytest.mark.parametrize(
    "arrays, message",
    [
        ({"joints": objects(GOOD)}, "none of the keys joints_3d, joints_2d, pose is in it .found: joints."),
        ({"joints_3d": objects(GOOD[0])}, r"joints_3d, sequence 0: shape \[51\]. Expected \[T, C\]"),
        ({"joints_3d": GOOD}, r"joints_3d, sequence 0: shape \[51\]"),
        ({"joints_3d": np.array(3.0)}, r"joints_3d, sequence 0: shape \[\]"),
        (
            {"joints_3d": objects(GOOD, GOOD[:0])},
            r"joints_3d, sequence 1: shape \[0, 51\]. Expected \[T, C\] with T >= 1",
        ),
        ({"joints_3d": objects(GOOD, "text")}, "joints_3d, sequence 1: not an array of numbers"),
        ({"joints_3d": objects(GOOD, None)}, r"joints_3d, sequence 1: shape \[\]"),
        ({"joints_3d": objects([[1.0], [1.0, 2.0]])}, "joints_3d, sequence 0: not an array of numbers"),
        ({"joints_3d": np.array([{"a": 1}], dtype=object)}, "joints_3d, sequence 0: not an array of numbers"),
        ({"joints_3d": np.empty(0, dtype=object)}, "joints_3d holds no sequence"),
        ({"joints_3d": objects(GOOD, NAN)}, "joints_3d, sequence 1 holds no finite number. Remove the sequence"),
        ({"joints_3d": objects(GOOD, GOOD), "imgname": objects(["a"])}, "imgname has 1 sequences but joints_3d has 2"),
        ({"pose": objects(np.ones((4, 71)))}, r"pose, sequence 0: shape \[4, 71\]. Expected \[T, 72\]"),
        (
            {"pose": objects(np.ones((4, 72))), "shape": objects(np.ones((3, 10)))},
            "shape, sequence 0 has 3 frames but pose has 4",
        ),
        (
            {"joints_2d": objects(np.ones((4, 30))), "bbox": objects(np.ones((4, 3)))},
            r"bbox, sequence 0: shape \[4, 3\]. Expected ",
        ),
    ],
)
def test_wrong_contents(arrays, message, saved):
    path = saved(**arrays)
    with pytest.raises(UserError, match=message) as caught:
        storage.read(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


class Hostile:
    def __reduce__(self):
        return os.system, ("touch executed",)


def test_code_is_refused_by_name_and_not_run(saved, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = saved(imgname=objects(["a"] * 4), joints_3d=objects(GOOD, Hostile()))
    with pytest.raises(UserError, match="set.npz: joints_3d: refused, because loading it would call posix.system"):
        storage.read(path)
    assert [file.name for file in tmp_path.iterdir()] == ["set.npz"]


def member(content, name="joints_3d.npy"):
    def write(path):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, content)

    return write


def header(shape, descr="<f4"):
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(content, {"descr": descr, "fortran_order": False, "shape": shape})
    return content.getvalue()


def cut(path):
    path.write_bytes(path.read_bytes()[:-200])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage, message",
    [
        (cut, "set.npz: not a readable .npz archive"),
        (flip, "set.npz: joints_3d is damaged .Bad CRC-32"),
        (
            lambda path: path.write_bytes(b""),
            "set.npz: not a readable .npz archive .truncated, empty or another format",
        ),
        (lambda path: path.write_text("<html>"), "set.npz: not a readable .npz archive"),
        (lambda path: (path.unlink(), path.mkdir()), "set.npz: is a folder"),
        (lambda path: path.unlink(), "set.npz: not found"),
        (lambda path: zipfile.ZipFile(path, "w").close(), "set.npz: holds no arrays"),
        (member(b"x", "readme.txt"), "set.npz: holds 'readme.txt', which is not an array"),
        (member(b""), "set.npz: joints_3d is not a readable array"),
        (member(b"\x93NUMPY\x01\x00"), "set.npz: joints_3d is not a readable array"),
        (
            member(header((10**9, 10**9))),
            r"joints_3d is not a readable array .its header announces \[1000000000, 1000000000\]",
        ),
        (member(header((4, 51)) + b"\0" * 40), r"its header announces \[4, 51\], more than the file holds"),
        (
            member(header((2,), "|O") + pickle.dumps(np.arange(3), 2)),
            "does not hold the array that its header announces",
        ),
        (member(header((2,), "|O") + pickle.dumps("text", 2)), "does not hold the array that its header announces"),
        (member(header((2,), "|O")), "joints_3d: the pickled data are damaged"),
    ],
)
def test_damaged_files(damage, message, poses, saved):
    path = saved(joints_3d=objects(*poses))
    damage(path)
    with pytest.raises(UserError, match=message) as caught:
        storage.read(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("end", range(0, 3000, 97))
def test_a_file_cut_anywhere_is_one_line(end, poses, saved):
    path = saved(joints_3d=objects(*poses))
    path.write_bytes(path.read_bytes()[:end])
    with pytest.raises(UserError, match="set.npz: "):
        storage.read(path)


# -------------------------------------------------------------------------------------------- writing


def test_written_files_are_the_published_layout(poses, tmp_path):
    names = [[f"s{index}/{frame}" for frame in range(len(pose))] for index, pose in enumerate(poses)]
    storage.write(tmp_path / "a.npz", {"imgname": names, "joints_3d": poses})
    with np.load(tmp_path / "a.npz", allow_pickle=True) as stored:
        assert stored["joints_3d"].dtype == object and stored["joints_3d"].shape == (3,)
        np.testing.assert_array_equal(stored["joints_3d"][1], poses[1])
        assert stored["imgname"][2].tolist() == names[2]
    same(storage.read(tmp_path / "a.npz")["joints_3d"], poses)


def test_the_same_data_give_the_same_bytes(poses, tmp_path):
    for name in "ab":
        storage.write(tmp_path / f"{name}.npz", {"joints_3d": poses})
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_a_failed_writing_leaves_nothing(poses, tmp_path):
    class Unwritable:
        def __array__(self, *_, **__):
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError):
        storage.write(tmp_path / "a.npz", {"joints_3d": [poses[0], Unwritable()]})
    assert not list(tmp_path.iterdir())
