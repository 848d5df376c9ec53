"""Messages to the user: every logger of the package is a child of `logging.getLogger("synsp")`.

The package is imported as `synsp` where it is installed and as `lib` in a checkout; its loggers have the same names in
both, so that a program that uses it can set `logging.getLogger("synsp").setLevel(...)`.
"""

import logging
import sys

from .errors import printable

ROOT = "synsp"


def logger(module):
    """The logger of a module of this package; module: its `__name__`."""
    _, _, inner = module.partition(".")
    return logging.getLogger(f"{ROOT}.{inner}" if inner else ROOT)


def start():
    """Show the package's messages on the terminal, one line each; those of other libraries only from warnings on."""
    logging.basicConfig(level=logging.WARNING, force=True)
    logging.getLogger().handlers[0].setFormatter(_Printable("%(message)s"))
    logging.getLogger().handlers[0].setLevel(logging.INFO)
    logging.getLogger(ROOT).setLevel(logging.DEBUG)


def counted(number, one, many=None):
    """ "1 file", "2 files"; many: the plural where it is not the singular with an s."""
    return f"{number} {one if number == 1 else many or one + 's'}"


class _Printable(logging.Formatter):
    """Messages hold names out of files: what would steer the terminal is written as an escape."""

    def format(self, record):
        return "\n".join(map(printable, super().format(record).split("\n")))


class _LogFile(logging.FileHandler):
    """A log file that ends the run with an OSError when the disk is full, instead of a traceback for every message."""

    def handleError(self, record):
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            logging.getLogger(ROOT).removeHandler(self)
            raise OSError(error.errno, error.strerror, self.baseFilename) from error
        super().handleError(record)


def also_log_to(path):
    """From now on write every message to this file as well, including those too many for the terminal (DEBUG), and to no
    file of a run before."""
    stop_log()
    handler = _LogFile(path, encoding="utf-8")
    handler.setFormatter(_Printable("%(asctime)s %(message)s"))
    logging.getLogger(ROOT).addHandler(handler)


def stop_log():
    """End what `also_log_to` began."""
    logger = logging.getLogger(ROOT)
    for handler in [one for one in logger.handlers if isinstance(one, _LogFile)]:
        logger.removeHandler(handler)
        handler.close()
