"""lib/files.py and lib/errors.py: files that are whole or absent, and mistakes that end in one line and exit code 2."""

import errno
import os
import stat

import pytest

from lib import errors
from lib.errors import UserError
from lib.files import atomic_write


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


@pytest.mark.parametrize(
    "error, code, message",
    [
        (UserError("a thing:\n  what. mend"), 2, "error: a thing: what. mend\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (OSError(errno.ENOSPC, "No space left on device", "out/x"), 2, "error: out/x: no space left on the disk"),
        (OSError(errno.EACCES, "Permission denied", "out/x"), 2, "error: out/x: not allowed (Permission denied)"),
        (OSError(errno.ENOTDIR, "Not a directory", "file/x"), 2, "error: file/x: cannot be used (Not a directory)"),
        (OSError(errno.EEXIST, "File exists", "file"), 2, "error: file: cannot be used (File exists)"),
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
        raise OSError(errno.EBADF, "Bad file descriptor")

    with pytest.raises(OSError):
        errors.run(main)
