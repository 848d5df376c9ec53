#!/usr/bin/env python
"""Train SynSP or SmoothNet: python train_smoothnet.py --cfg configs/mocap_noise_3D.yaml"""

from lib import config, errors


def main():
    request = config.Request("train")
    from lib import run  # after --help and bad flags, which need no torch
    from lib.training import trainer  # after --help and bad flags, which need no torch

    run.start_messages()
    trainer.train(request.config())


if __name__ == "__main__":
    errors.run(main)
