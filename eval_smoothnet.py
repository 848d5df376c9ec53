#!/usr/bin/env python
"""Score a network beside filters: python eval_smoothnet.py --cfg C --checkpoint P --tradition all"""

from lib import errors
from lib.commands import cli


def main():
    cli.evaluate()


if __name__ == "__main__":
    errors.run(main)
