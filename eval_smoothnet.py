#!/usr/bin/env python
"""Score a network beside filters: python eval_smoothnet.py --cfg C --checkpoint P --tradition all"""

from lib import config, errors


def main():
    request = config.Request("eval")
    from lib import run  # after --help and bad flags, which need no torch
    from lib.evaluation import evaluator  # after --help and bad flags, which need no torch

    run.start_messages()
    evaluator.evaluate(request)


if __name__ == "__main__":
    errors.run(main)
