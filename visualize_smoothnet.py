#!/usr/bin/env python
"""Render test sequences: python visualize_smoothnet.py --cfg C --checkpoint P --visualize_video_id 0"""

from lib import errors
from lib.commands import cli


def main():
    cli.visualize()


if __name__ == "__main__":
    errors.run(main)
