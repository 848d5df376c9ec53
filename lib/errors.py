"""The one exception that stands for a user's mistake, and how the scripts end on it."""

import errno
import os
import sys


class UserError(Exception):
    """Something the user can mend. The message is one line: what, where, how to mend."""


def run(main):
    """Run a script's `main()` and exit: 0, 2 with one line on stderr for a user's mistake, 130 on Ctrl-C.

    A full disk, a folder without write permission and a file where a folder should be count as the user's to mend;
    what is none of these is a defect of ours and keeps its traceback.
    """
    # Threads that wait for work sleep instead of spinning: on a machine with other work, training is several times faster
    # for it. Read when torch is imported, which happens in main().
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        main()
    except UserError as error:
        _refuse(" ".join(str(error).split()))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output (`| head`) went away: there is nobody left to tell.
        sys.stderr.close()
        sys.exit(141)
    except OSError as error:
        where = error.filename or "output"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            _refuse(f"{where}: no space left on the disk. Free some, or choose another OUTPUT_DIR")
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
            _refuse(f"{where}: not allowed ({error.strerror}). Change its permissions, or choose another place")
        if error.errno in (errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.EIO):
            _refuse(f"{where}: cannot be used ({error.strerror}). Choose another place")
        raise


def _refuse(message):
    print(f"error: {message}", file=sys.stderr)
    sys.exit(2)
