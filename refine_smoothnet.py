#!/usr/bin/env python
"""Refine the poses of any file: python refine_smoothnet.py alphapose-results.json"""

from lib import errors
from lib.commands import cli


def main():
    cli.refine()


if __name__ == "__main__":
    errors.run(main)
