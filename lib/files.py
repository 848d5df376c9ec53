"""Files that are either whole or absent: every output goes through `atomic_write` or `atomic_folder`."""

import contextlib
import errno
import functools
import math
import os
import platform
import re
import shutil
import stat
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np

from .errors import UserError

PREFIX = ".writing-"
LEFT_BEHIND = 24 * 3600  # seconds after which a temporary file of anybody counts as left behind


@contextlib.contextmanager
def atomic_write(path):
    """Yield a temporary path beside `path`; on success it replaces `path`, on any error it is removed.

    The temporary file keeps the ending of `path`, so that writers that go by the ending work. A link is followed.
    Devices, FIFOs and this process's own output are not replaced: they get the bytes once these are whole.
    Raises UserError for folders, block devices and links into nowhere, OSError that names `path`.
    """
    path = Path(path)
    through, target = is_stream(path), Path(os.path.realpath(path))
    folder = Path(tempfile.gettempdir()) if through else target.parent
    with _naming(path):
        if not through:
            # By its own name: a link into nowhere, such as a disk that is not there, is refused.
            make_folder(path.parent)
            _remove_leftovers(folder)
        endings = "".join(ending for ending in target.suffixes[-2:] if len(ending) <= 16)
        try:
            handle, name = tempfile.mkstemp(dir=folder, prefix=_prefix(), suffix=endings)
        except FileNotFoundError as error:  # a folder in which nothing can be made
            raise OSError(errno.EACCES, "no file can be made in this folder", str(path)) from error
    os.close(handle)
    temporary = Path(name)
    try:
        with _naming(path, temporary):
            yield temporary
            if through:
                _pour(temporary, path)
            else:
                _settle(temporary)
                os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path):
    """Yield a temporary folder; on success it becomes `path`, on any error it is removed.

    Where `path` is there already, each new file takes its place in it and all others stay. Raises as `atomic_write`.
    """
    path, target = Path(path), Path(os.path.realpath(path))
    if path.exists() and not path.is_dir():
        raise UserError(f"{path}: is a file. Give a folder")
    if path.is_symlink() and not path.exists():
        make_folder(path)  # says which link leads into nowhere
    # Within a folder that is there, because what stands above it may be another disk, or not ours to write to.
    holder = target if target.is_dir() else target.parent
    with _naming(path):
        make_folder(path.parent)
        _remove_leftovers(holder)
        if holder == target:  # a run that was killed before the folder was there left its own beside it
            with contextlib.suppress(OSError):
                _remove_leftovers(target.parent)
        temporary = Path(tempfile.mkdtemp(dir=holder, prefix=_prefix()))
    try:
        with _naming(path, temporary):
            yield temporary
            files = [file for file in temporary.rglob("*") if file.is_file()]
            for file in files:
                _settle(file)
            if holder != target:
                os.chmod(temporary, 0o777 & ~_umask())
                os.rename(temporary, target)
            for file in files if holder == target else ():
                place = target / file.relative_to(temporary)
                place.parent.mkdir(parents=True, exist_ok=True)
                os.replace(file, place)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def make_folder(path):
    """Make a folder and those above it where they are missing. Raises UserError where that cannot be."""
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError, FileNotFoundError):
        for part in (*reversed(path.parents), path):
            if part.is_symlink() and not part.exists():
                raise UserError(
                    f"{path}: {part} is a link to {os.readlink(part)}, which is not there. Make it, or choose another place"
                ) from None
            if part.exists() and not part.is_dir():
                raise UserError(f"{path}: {part} is a file, not a folder. Choose another place") from None
        raise


def write_bytes(path, content):
    """A file of these bytes, whole or not at all."""
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


def write_text(path, text):
    """A file of this text (UTF-8), whole or not at all."""
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def is_stream(path):
    """Whether `path` is to be written through. Raises UserError for what is no place for a file."""
    try:
        mode = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        target = Path(os.path.realpath(path))
        if path.is_symlink() and not target.parent.is_dir():
            raise UserError(
                f"{path}: is a link to {target}, whose folder is not there. Make it, or choose another place"
            ) from None
        return False
    if stat.S_ISDIR(mode.st_mode):
        raise UserError(f"{path}: is a folder. Give the name of a file in it")
    if stat.S_ISBLK(mode.st_mode):
        raise UserError(f"{path}: is a disk, not a file. Choose another place")
    if not stat.S_ISREG(mode.st_mode):
        return True
    # A file that the shell opened for us (`> out.txt`) is named by /dev/stdout; replaced, it would be lost to the shell.
    return _own_output(mode) is not None or os.path.abspath(path).startswith(("/dev/fd/", "/proc/"))


def _own_output(mode):
    """The number of the output of this process (1 or 2) that a file is, or None."""
    for number in (1, 2):
        with contextlib.suppress(OSError):
            if os.path.samestat(mode, os.fstat(number)):
                return number
    return None


def _pour(temporary, path):
    own = _own_output(os.stat(path))
    for stream in (sys.stdout, sys.stderr) if own is not None else ():
        stream.flush()
    handle = os.open(path, os.O_WRONLY) if own is None else os.dup(own)
    with open(temporary, "rb") as source, open(handle, "wb") as sink:
        shutil.copyfileobj(source, sink)


def _settle(path):
    """Put a finished file on the disk, as readable as any other file of this user (temporary ones are private)."""
    os.chmod(path, 0o666 & ~_umask())
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def _umask():
    umask = os.umask(0)
    os.umask(umask)
    return umask


@contextlib.contextmanager
def _naming(path, temporary=None):
    """An OSError within names `path`, not the temporary file or nothing; without a number it is an error of writing."""
    try:
        yield
    except OSError as error:
        if error.errno is None:  # numpy's, of a file that it could not write to its end
            raise OSError(errno.EIO, f"not written to its end: {error}", str(path)) from error
        # Of a copy both files are named, and what fails is mostly the writing; a temporary file's name says nothing to anybody.
        names = f"{error.filename} {error.filename2}"
        if error.filename is None or temporary is not None and str(temporary) in names or PREFIX in names:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


@functools.cache
def _host():
    """This machine, and within it this container: process numbers of two containers have nothing to do with each other."""
    node = re.sub(r"[^A-Za-z0-9.]", "_", platform.node())[:40] or "host"
    try:
        return f"{node}-{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:  # not Linux
        return f"{node}-0"


def _prefix():
    return f"{PREFIX}{_host()}-{os.getpid()}-"


@functools.cache
def _remove_leftovers(folder):
    """Remove what dead processes of this machine, or anybody a day ago, left in a folder; looked for once a process."""
    for entry in os.scandir(folder):
        if entry.name.startswith(PREFIX) and _is_left(entry):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):  # another process was faster, or it is not ours to remove
                    os.unlink(entry.path)


def _is_left(entry):
    ours = re.match(rf"{re.escape(PREFIX + _host())}-(\d+)-", entry.name)
    if ours and os.name == "posix":
        try:
            os.kill(int(ours[1]), 0)
        except (ProcessLookupError, OverflowError):
            return True
        except PermissionError:
            pass  # somebody else's, alive
    try:
        return time.time() - entry.stat(follow_symlinks=False).st_mtime > LEFT_BEHIND
    except FileNotFoundError:
        return False


def check_unpacked(archive, size, what):
    """Refuse a zip archive of `size` bytes that would unpack to far more than poses do. Raises UserError."""
    check_size(sum(entry.file_size for entry in archive.infolist()), size, what)


def check_size(total, size, what):
    """Refuse a file of `size` bytes that would unpack to `total`, far more than poses do. Raises UserError."""
    if total > 2**28 + 30 * size:
        raise UserError(
            f"{what}: refused, because its {size} bytes would unpack to {total}. Write it again uncompressed"
        )


def write_npz(path, arrays, compressed=True):
    """Write an .npz of {key: array}, object arrays included, whole or not at all; the same arrays give the same bytes."""
    compression = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    with atomic_write(path) as temporary, zipfile.ZipFile(temporary, "w", compression) as archive:
        for key, array in arrays.items():
            array = np.asanyarray(array)
            info = zipfile.ZipInfo(
                f"{key}.npy", (1980, 1, 1, 0, 0, 0)
            )  # today's would make other bytes at every writing
            info.compress_type = compression
            with archive.open(info, "w", force_zip64=_may_be_large(array)) as file:
                np.lib.format.write_array(file, array, allow_pickle=True)


def _may_be_large(array):
    """Whether an array may take more than the 2 GiB of a plain zip entry, which must be said before it is written."""
    inner = array.ravel() if array.dtype.hasobject else [array]
    return sum(getattr(part, "nbytes", math.inf) for part in inner) > 2**30
