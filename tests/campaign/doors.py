"""A command line run in a fork of this process, where torch is loaded already, with limits of time and memory."""

import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import namedtuple
from pathlib import Path

import lib.commands.live_lines  # noqa: F401  loaded here once, not in every fork
import lib.commands.refine_file  # noqa: F401
import lib.evaluation.evaluator  # noqa: F401
import lib.training.trainer  # noqa: F401
from lib import errors
from lib.commands import cli

ROOT = Path(__file__).parents[2]
COMMANDS = {
    "refine_smoothnet.py": cli.refine,
    "eval_smoothnet.py": cli.evaluate,
    "train_smoothnet.py": cli.train,
    "export": cli.export,
    "pairs": cli.pairs,
}
Ended = namedtuple("Ended", "code out err seconds")  # code: as a shell has it; negative where a signal ended it


def run(words, stdin=os.devnull, seconds=20, memory=2 * 2**30, file_size=None, kill_after=None):
    """Run a script of this project with `words` (its name first); returns `Ended`.

    file_size: bytes that a file may have, which stands for a full disk; kill_after: seconds until SIGKILL.
    """
    with tempfile.TemporaryFile() as out:
        err, said = os.pipe()  # messages are few, and a limit of a file's size is not for them
        child = os.fork()
        if not child:
            code = 1
            try:
                for number, file in enumerate((os.open(stdin, os.O_RDONLY), out.fileno(), said)):
                    os.dup2(file, number)
                sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
                size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
                resource.setrlimit(resource.RLIMIT_AS, (size + memory, size + memory))
                resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
                if file_size is not None:
                    resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))
                sys.argv = [str(word) for word in words]
                errors.run(COMMANDS[words[0]])
                code = 0
            except SystemExit as ended:
                code = ended.code or 0
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        if kill_after is not None:
            time.sleep(kill_after)
            os.kill(child, signal.SIGKILL)
        _, status, usage = os.wait4(child, 0)
        os.close(said)
        out.seek(0)
        with open(err, "rb") as messages:
            texts = [file.read().decode("utf-8", "replace") for file in (out, messages)]
        return Ended(os.waitstatus_to_exitcode(status), *texts, usage.ru_utime)
