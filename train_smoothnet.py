#!/usr/bin/env python
"""Train SynSP or SmoothNet: python train_smoothnet.py --cfg configs/mocap_noise_3D.yaml"""

from lib import errors
from lib.commands import cli


def main():
    cli.train()


if __name__ == "__main__":
    errors.run(main)
