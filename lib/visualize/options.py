"""Flags of the doors that say where pictures lie. No keys of the config: no number depends on them."""

import argparse
import sys

from lib import config

FLAGS = {
    "eval": {
        "report": ("DIR", "folder for report.html, an interactive page of the worst and the best sequences"),
        "figures": ("DIR", "folder for figures of the scores, as PNG and PDF"),
    },
    "visualize": {
        "video": ("FILE_OR_FOLDER",
                  "source video, or folder of its images, under 2D key points; for several sequences a "
                                    "folder with one of these for each, of the sequence's name"),
    },
}


def request(command, argv=None):
    """A `config.Request` of 'eval' or 'visualize' whose `args` have these flags as well."""
    argv = sys.argv[1:] if argv is None else list(argv)
    own, whole = argparse.ArgumentParser(add_help=False, allow_abbrev=False), config.parser(command)
    for parse in (own, whole):
        for flag, (meaning, text) in FLAGS[command].items():
            parse.add_argument(f"--{flag}", metavar=meaning, help=text)
    own.error = whole.error
    if {"-h", "--help"} & set(argv):
        whole.parse_args(["--help"])
    found, rest = own.parse_known_args(argv)
    asked = config.Request(command, rest)
    vars(asked.args).update(vars(found))
    return asked
