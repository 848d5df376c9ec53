"""lib/files.py and lib/errors.py: files that are whole or absent, and mistakes that end in one line and exit code 2."""

import errno
import logging
import os
import resource
import stat
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import torch

from lib import errors, files, messages
from lib.errors import UserError, printable, reading
from lib.files import atomic_folder, atomic_write, write_bytes, write_npz, write_text
from lib.formats import grids, joblib_file
from lib.models import checkpoints
from lib.visualize import video


def test_new_file_in_a_new_folder(tmp_path):
    path = tmp_path / "a" / "b" / "best.pth.tar"
    with atomic_write(path) as temporary:
        assert temporary.parent == path.parent and temporary.name.endswith(".pth.tar")
        temporary.write_text("whole")
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "x.json"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic_write(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_names_the_file(tmp_path):
    with pytest.raises(OSError) as caught, atomic_write(tmp_path / "x.json"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.filename == str(tmp_path / "x.json")


def test_others_may_read_it_as_the_umask_says(tmp_path):
    before = os.umask(0o027)
    try:
        with atomic_write(tmp_path / "x") as temporary:
            temporary.write_text("")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o640


def test_a_link_is_followed(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "link.json").symlink_to(tmp_path / "there" / "x.json")
    write_text(tmp_path / "link.json", "whole")
    assert (tmp_path / "there" / "x.json").read_text() == "whole" and (tmp_path / "link.json").is_symlink()


@pytest.mark.parametrize(
    "target, message", [("nowhere/x.json", "is a link to .*nowhere/x.json, whose"), (".", "is a folder")]
)
def test_places_that_are_none(tmp_path, target, message):
    (tmp_path / "link").symlink_to(tmp_path / target)
    with pytest.raises(UserError, match=message):
        write_text(tmp_path / "link", "x")
    assert [entry.name for entry in tmp_path.iterdir()] == ["link"]


def test_links_in_a_circle(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    for place in ("a", "a/x.json"):
        with pytest.raises((OSError, UserError)):
            write_text(tmp_path / place, "x")


def test_a_block_device_is_refused(monkeypatch, tmp_path):
    (tmp_path / "disk").touch()
    real = os.stat
    disk = os.stat_result((stat.S_IFBLK | 0o600, *real(tmp_path / "disk")[1:]))
    monkeypatch.setattr(os, "stat", lambda path, **more: disk if str(path).endswith("disk") else real(path, **more))
    with pytest.raises(UserError, match="disk: is a disk"):
        write_text(tmp_path / "disk", "x")


def test_devices_and_pipes_are_written_through(tmp_path):
    write_text("/dev/null", "x")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    write_bytes(pipe, b"whole")
    reader.join(5)
    assert got == [b"whole"] and stat.S_ISFIFO(pipe.stat().st_mode)


def test_what_the_shell_opened_keeps_its_order(tmp_path, root):
    code = "from lib.files import write_text; print('a'); write_text('/dev/stdout', 'b\\n'); print('c')"
    with open(tmp_path / "out", "wb") as out:
        subprocess.run([sys.executable, "-c", code], stdout=out, cwd=root, check=True)
    assert (tmp_path / "out").read_text() == "a\nb\nc\n"


def test_what_dead_processes_left_is_removed(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    host = files._prefix().rsplit("-", 2)[0]
    names = {
        "dead": f"{host}-{dead.pid}-x.json",
        "alive": f"{host}-{os.getpid()}-x.json",
        "another machine's": ".writing-other-1-77-x.json",
        "another machine's, old": ".writing-other-1-78-x.json",
        "not ours": "writing.json",
    }
    for name in names.values():
        (tmp_path / name).touch()
    (tmp_path / f"{host}-{dead.pid}-folder").mkdir()
    (tmp_path / f"{host}-{dead.pid}-folder" / "x").touch()
    old = time.time() - 2 * files.LEFT_BEHIND
    os.utime(tmp_path / names["another machine's, old"], (old, old))
    write_text(tmp_path / "new", "")
    kept = {names["alive"], names["another machine's"], names["not ours"], "new"}
    assert {entry.name for entry in tmp_path.iterdir()} == kept


def test_what_was_left_beside_a_folder_is_removed_once_the_folder_is_there(tmp_path):
    """A run that is killed before its folder exists leaves its temporary one beside it; later runs write into the folder."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = tmp_path / f"{files._prefix().rsplit('-', 2)[0]}-{dead.pid}-folder"
    left.mkdir()
    (tmp_path / "out").mkdir()
    with atomic_folder(tmp_path / "out") as temporary:
        (temporary / "1.json").write_text("new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]


def test_a_folder_comes_whole(tmp_path):
    with pytest.raises(RuntimeError), atomic_folder(tmp_path / "out") as temporary:
        (temporary / "1.json").write_text("half")
        raise RuntimeError
    assert not list(tmp_path.iterdir())
    for text in ("first", "second"):
        with atomic_folder(tmp_path / "out") as temporary:
            (temporary / "deep").mkdir()
            (temporary / "deep" / "1.json").write_text(text)
        assert (tmp_path / "out" / "deep" / "1.json").read_text() == text
        (tmp_path / "out" / "other.txt").write_text("kept")
    assert {entry.name for entry in (tmp_path / "out").iterdir()} == {"deep", "other.txt"}


WRITERS = {
    "text": lambda path: write_text(path, "x" * 5000),
    "npz": lambda path: write_npz(path, {"a": np.random.default_rng(0).normal(size=5000)}),
    "npz of objects": lambda path: write_npz(path, {"a": np.array([np.arange(5000.0), None], dtype=object)}, False),
    "torch": lambda path: checkpoints.save(path, {"state_dict": {"a": torch.zeros(5000)}}),
    "npy": lambda path: grids.write_npy(path, np.zeros(5000)),
    "npy that fits a buffer": lambda path: grids.write_npy(path, np.zeros(700)),
    "pickle": lambda path: joblib_file.dump(path, {"a": np.zeros(5000)}),
    "video": lambda path: video.write_video(
        np.random.default_rng(0).integers(0, 255, (9, 64, 64, 3), np.uint8), path.with_suffix(".mp4"), progress=False
    ),
    "gif": lambda path: video.write_gif(
        np.random.default_rng(0).integers(0, 255, (9, 64, 64, 3), np.uint8), path.with_suffix(".gif"), progress=False
    ),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_leaves_nothing_under_a_final_name(name, tmp_path, monkeypatch):
    """A limit on the size of files stands for a full disk: the same calls fail in the same way."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises((OSError, UserError)) as caught:
            WRITERS[name](tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())
    assert str(tmp_path / "out") in str(errors.message_of(caught.value))


@pytest.mark.parametrize(
    "error, code, message",
    [
        (UserError("a thing:\n  what. mend"), 2, "error: a thing: what. mend\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (OSError(errno.ENOSPC, "No space left on device", "out/x"), 2, "error: out/x: no space left on the disk"),
        (OSError(errno.EACCES, "Permission denied", "out/x"), 2, "error: out/x: not allowed (Permission denied)"),
        (OSError(errno.ENOTDIR, "Not a directory", "file/x"), 2, "error: file/x: cannot be used (Not a directory)"),
        (OSError(errno.EEXIST, "File exists", "file"), 2, "error: file: cannot be used (File exists)"),
        (OSError(errno.EFBIG, "File too large", "out/x"), 2, "error: out/x: cannot be used (File too large)"),
        (MemoryError("Unable to allocate 9 TiB"), 2, "error: not enough memory (Unable to allocate 9 TiB)"),
        (UserError("a\x1b[31m\u202eb\udc80"), 2, "error: a\\x1b[31m\\u202eb\\udc80\n"),
    ],
)
def test_how_a_script_ends(error, code, message, capsys):
    def main():
        raise error

    with pytest.raises(SystemExit) as ended:
        errors.run(main)
    assert ended.value.code == code
    said = capsys.readouterr().err
    assert said.startswith(message) and said.count("\n") == 1


def test_a_defect_keeps_its_traceback():
    def main():
        raise ValueError("of ours")

    with pytest.raises(ValueError):
        errors.run(main)


def test_what_a_reader_raises_is_the_files_fault():
    with pytest.raises(UserError, match=r"^x.csv: cannot be read as a table \(IndexError: .* at test_files.py:\d+\)"):
        with reading("x.csv", "a table"):
            [][0]
    for error in (UserError("x"), OSError(errno.EACCES, "no", "x.csv")):  # these say it themselves
        with pytest.raises(type(error)) as caught, reading("x.csv", "a table"):
            raise error
        assert caught.value is error


def test_debug_shows_where_it_was(capsys, monkeypatch):
    def main():
        with reading("x.csv", "a table"):
            [][0]

    monkeypatch.setattr(sys, "argv", ["refine", "x.csv", "--debug"])
    with pytest.raises(SystemExit):
        errors.run(main)
    said = capsys.readouterr().err
    assert "IndexError: list index out of range" in said and said.splitlines()[-1].startswith("error: x.csv: cannot be")


def test_names_of_any_language_are_printable():
    assert printable("Zoë 走る 1.json") == "Zoë 走る 1.json"


def test_messages_do_not_steer_the_terminal(capsys):
    messages.start()
    logging.getLogger("synsp.x").warning("person %s", "\x1b]0;title\x07 a\nb")
    assert capsys.readouterr().err == "person \\x1b]0;title\\x07 a\nb\n"


@pytest.mark.parametrize("name", ["link/x.npy", "link/new/x.npy", "link"])
def test_nothing_is_made_where_a_link_leads_into_nowhere(tmp_path, name):
    """Such as into a disk that is not mounted: the folder was made on another one."""
    (tmp_path / "link").symlink_to("disk/data")
    for writer in (files.atomic_write, files.atomic_folder):
        with pytest.raises(UserError, match="is a link to"), writer(tmp_path / name):
            raise AssertionError("begun")
    assert [path.name for path in tmp_path.iterdir()] == ["link"]


def test_what_the_system_refuses_names_the_file(tmp_path, monkeypatch):
    def refused(**given):
        raise PermissionError(13, "Permission denied", f"{given['dir']}/{given['prefix']}abc")

    monkeypatch.setattr(files.tempfile, "mkstemp", refused)
    with pytest.raises(PermissionError) as caught, files.atomic_write(tmp_path / "x.npy"):
        pass
    assert caught.value.filename == str(tmp_path / "x.npy")
