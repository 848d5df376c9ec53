#!/usr/bin/env python
"""Refine the poses of any file: python refine_smoothnet.py alphapose-results.json"""

from lib import config, errors


def main():
    request = config.Request("refine")
    from lib import run  # after --help and bad flags, which need no torch
    from lib.commands import refine_file  # after --help and bad flags, which need no torch

    run.start_messages()
    refine_file.main(request)


if __name__ == "__main__":
    errors.run(main)
