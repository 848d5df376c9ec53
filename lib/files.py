"""Files that are either whole or absent."""

import contextlib
import math
import os
import tempfile
import zipfile
from pathlib import Path

import numpy as np


@contextlib.contextmanager
def atomic_write(path):
    """Yield a temporary path beside `path`; on success it replaces `path`, on any error it is removed.

    The temporary file keeps the ending of `path`, so that writers that go by the ending work.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".writing-", suffix="".join(path.suffixes[-2:]))
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes private files; a result is as readable as any other file of this user.
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except OSError as error:
        # A write that fails does not say which file it was.
        error.filename = error.filename or str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


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
