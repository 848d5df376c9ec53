#!/usr/bin/env python
"""Render test sequences: python visualize_smoothnet.py --cfg C --checkpoint P --visualize_video_id 0"""

from lib import config, errors


def main():
    request = config.Request("visualize")
    from lib import run  # after --help and bad flags, which need no torch
    from lib.commands import visualizer

    run.start_messages()
    visualizer.visualize(request)


if __name__ == "__main__":
    errors.run(main)
