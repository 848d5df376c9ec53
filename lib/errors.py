"""The exception for what the user can mend, and how commands end on an error."""

import contextlib
import errno
import io
import os
import sys
import traceback
from pathlib import Path

# Libraries that not every command needs, and the extra of pyproject.toml that installs each.
EXTRAS = {
    "tensorboard": "train",
    "cv2": "video",
    "av": "video",
    "PIL": "video",
    "matplotlib": "video",
    "smplx": "smpl",
    "mannequin": "smpl",
    "c3d": "mocap",
    "h5py": "mocap",
    "pose_format": "mocap",
    "onnx": "export",
    "onnxscript": "export",
    "onnxruntime": "export",
    "anny": "pairs",
    "numba": "pairs",
}


class UserError(Exception):
    """Something the user can mend. The message is one line: what, where, how to mend."""


class NobodyError(UserError):
    """A pose file of a known kind in which no frame has a person."""


class UnrelatedError(UserError):
    """A pose file in which people are not to be found again from frame to frame."""


def run(main):
    """Run a script's `main()` and exit: 0, 2 with one line on stderr for what the user can mend, 130 on Ctrl-C.

    What the system refuses (a full disk, a folder without write permission, too little memory) is the user's to mend; any
    other exception is a defect of ours and keeps its traceback. With --debug everything keeps it.
    """
    # Threads that wait for work sleep instead of spinning: on a machine with other work, training is several times faster
    # for it. Read when torch is imported, which happens in main().
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # None where it is closed, anything at all within another program
            stream.reconfigure(errors="backslashreplace")  # a terminal may know fewer characters than names have
    try:
        main()
        if sys.stdout is not None:
            sys.stdout.flush()  # here, where an error of a full disk can still be reported
    except KeyboardInterrupt:
        _say("interrupted")
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output (`| head`) was closed: nothing can be reported any more.
        sys.stderr.close()
        sys.exit(141)
    except Exception as error:
        message = message_of(error)
        if message is None:
            raise
        if "--debug" in sys.argv[1:]:
            traceback.print_exc()
        _say(f"error: {message}")
        _leave(2)


def message_of(error):
    """What to tell the user of an exception, in one line; None for a defect of ours."""
    if isinstance(error, UserError):
        return error
    if isinstance(error, ModuleNotFoundError):
        module = (error.name or "").partition(".")[0]
        package = "synsp" if __name__.startswith("synsp") else "."  # as it was installed, or a checkout
        how = f'pip install "{package}[{EXTRAS.get(module)}]"'
        return f"this needs the library {module}, which is not installed: {how}" if module in EXTRAS else None
    if (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or any(words in str(error) for words in ("can't allocate memory", "unable to allocate memory"))
    ):
        return f"not enough memory ({error or 'none left'}). Give a shorter input, or smaller batches"
    if not isinstance(error, OSError):
        return None
    where, reason = error.filename or "output", error.strerror or error
    if error.errno == errno.ENOENT:
        return f"{where}: not found. Check the path"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{where}: no space left on the disk. Free some, or choose another place"
    if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
        return f"{where}: not allowed ({reason}). Change its permissions, or choose another place"
    return f"{where}: cannot be used ({reason}). Choose another place"


@contextlib.contextmanager
def reading(path, kind):
    """Around a reader, a pure function from a file's bytes to what they hold: whatever it raises is the file's fault.

    path: how to call the file; kind: what it was to be, as in "a pose file". A UserError and what the system refuses
    (message_of) pass; any other exception becomes a UserError with its reason and its place in the reader.
    """
    try:
        yield
    except UserError:
        raise
    except RecursionError:
        raise UserError(f"{path}: cannot be read as {kind} (nested too deeply)") from None
    except MemoryError as error:
        raise UserError(
            f"{path}: not enough memory to read it as {kind} ({error or 'none left'}). Free some, or cut the file into shorter ones"
        ) from error
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        place = traceback.extract_tb(error.__traceback__)[-1]
        reason = f"{type(error).__name__}: {str(error)[:200]}".removesuffix(": ")
        raise UserError(
            f"{path}: cannot be read as {kind} ({reason}, at {Path(place.filename).name}:{place.lineno}). "
            "Copy or export the file again; --debug prints the traceback"
        ) from error


def printable(text):
    """`text` with every character that steers a terminal, or that cannot be printed, written as an escape."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _say(message):
    if sys.stderr is not None:
        what, mark, mend = str(message).partition("\nwhat to do: ")  # an unknown file's second line
        for line in (what, f"{mark.strip()} {mend}" if mark else ""):
            if line:
                print(printable(" ".join(line.split())), file=sys.stderr)


def _leave(code):
    """Exit without a second complaint where the output that failed is still in a buffer."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)
