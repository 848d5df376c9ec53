"""Files that joblib itself wrote (1.6 and 1.1, which differ in padding), and hostile ones."""

import pickle
import zlib
from pathlib import Path

import numpy as np
import pytest

from lib.errors import UserError
from lib.formats import joblib_file, registry
from lib.formats.smpl_common import EXTRA

FILES = Path(__file__).parent / "files"


@pytest.mark.parametrize("name", ["joblib_1.6", "joblib_1.6_zlib", "joblib_1.1", "joblib_1.1_zlib"])
def test_written_by_joblib(name):
    """{3, 8: a defaultdict's dict of C and Fortran arrays, an object array, a scalar and None}."""
    content = joblib_file.load((FILES / f"{name}.pkl").read_bytes(), name, EXTRA)
    assert list(content) == [3, 8]
    for person, first in ((3, 0), (8, 2)):
        pose = np.arange(4 * 72, dtype=np.float32).reshape(4, 72) / 1024 + person
        fields = content[person]
        assert fields["pose"].dtype == np.float32 and (fields["pose"] == pose).all()
        assert (fields["pose_world"] == pose + 1).all() and fields["pose_world"].flags.f_contiguous
        assert (fields["betas"] == np.zeros((4, 10))).all()
        assert fields["frame_ids"].tolist() == [first, first + 1, first + 2, first + 3]
        assert fields["names"].tolist() == ["a", None] and fields["score"] == np.float32(0.75)
        assert fields["none"] is None and fields["pose"].flags.writeable


def test_read_as_wham_and_written_for_joblib(tmp_path):
    pose_file = registry.read(FILES / "joblib_1.6.pkl")
    assert pose_file.format == "wham" and [track.start for track in pose_file.tracks] == [0, 0, 2, 2]
    registry.write(pose_file, [track.poses for track in pose_file.tracks], tmp_path / "out.pkl")
    joblib = pytest.importorskip("joblib")
    old, new = joblib.load(FILES / "joblib_1.6.pkl"), joblib.load(tmp_path / "out.pkl")
    assert type(old) is type(new) and list(old) == list(new)
    for person in old:
        assert list(old[person]) == list(new[person])
        for key, value in old[person].items():
            np.testing.assert_array_equal(value, new[person][key])
            assert getattr(value, "dtype", None) == getattr(new[person][key], "dtype", None)


@pytest.mark.parametrize("cut", [30, 200, 1500, 6000])
@pytest.mark.parametrize("name", ["joblib_1.6", "joblib_1.1_zlib"])
def test_truncated(name, cut):
    content = (FILES / f"{name}.pkl").read_bytes()
    with pytest.raises(UserError, match="damaged"):
        joblib_file.load(content[: min(cut, len(content) - 20)], "file.pkl", EXTRA)


def test_array_longer_than_the_file_is_not_allocated():
    content = (FILES / "joblib_1.6.pkl").read_bytes().replace(b"KH\x86", b"J\xff\xff\xff\x7f\x86", 1)
    with pytest.raises(UserError, match="damaged"):
        joblib_file.load(content, "file.pkl", EXTRA)


class Hostile:
    def __reduce__(self):
        return print, ("executed",)


@pytest.mark.parametrize("pack", [lambda data: data, zlib.compress])
def test_hostile(pack, capsys):
    with pytest.raises(UserError, match="builtins.print"):
        joblib_file.load(pack(pickle.dumps({1: {"pose": Hostile()}})), "file.pkl")
    assert capsys.readouterr().out == ""


def test_hostile_inside_a_joblib_object_array(capsys):
    """The pickle that joblib puts into the stream for an object array goes through the restricted reader."""
    content = (FILES / "joblib_1.6.pkl").read_bytes()
    inner = content.index(pickle.dumps(np.array(["a", None], dtype=object), protocol=5)[:20])
    hostile = content[:inner] + pickle.dumps(Hostile(), protocol=5) + b" " * 300
    with pytest.raises(UserError, match="builtins.print"):
        joblib_file.load(hostile, "file.pkl", EXTRA)
    assert capsys.readouterr().out == ""


def test_dump_and_load(tmp_path):
    value = {
        "f": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "i": np.int32(7),
        "b": np.True_,
        "e": np.zeros((0, 3)),
        "n": float("nan"),
        "o": np.array([1, "a"], dtype=object),
        "t": (np.float32(0.1), "é"),
    }
    joblib_file.dump(tmp_path / "a.pkl", value)
    for again in (
        joblib_file.load((tmp_path / "a.pkl").read_bytes(), "a"),
        pickle.loads((tmp_path / "a.pkl").read_bytes()),
    ):
        assert list(again) == list(value) and (again["f"] == value["f"]).all() and again["e"].shape == (0, 3)
        assert type(again["i"]) is np.int32 and again["t"] == value["t"] and again["o"].tolist() == [1, "a"]


def test_compressions_that_are_not_read():
    with pytest.raises(UserError, match="lz4"):
        joblib_file.load(b"\x04\x22\x4d\x18" + b"\0" * 20, "file.pkl")
