"""Training pairs for your own estimator: people rendered with exact truth, and a dataset of what it says of them.

synsp pairs render OUT --clips 300                      videos and their truth
(your estimator answers OUT/*.mp4)
synsp pairs collect OUT ESTIMATES --dataset my --estimator NAME
"""

import argparse

from ..command_line import Parser
from . import pairs_collect, pairs_render


def main(argv=None, prog=None):
    """Run `synsp pairs render …` or `synsp pairs collect …`. Raises UserError as they do."""
    parse = Parser(prog=prog, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    steps = parse.add_subparsers(title="steps", metavar="STEP", required=True)
    for add in (pairs_render.add_render, pairs_collect.add_collect):
        add(steps)
    args = parse.parse_args(argv)
    args.run(args)
