"""`synsp pairs collect`: the flags, and what is said of the pairs that were found."""

from ..errors import UserError


def add_collect(steps):
    """Add the subcommand `collect` to the subparsers `steps`; its `run` takes the parsed arguments."""
    parse = steps.add_parser("collect", help="make a dataset of the truth and of what an estimator says")
    parse.add_argument("out", help="the folder that `render` made")
    parse.set_defaults(run=collect)


def collect(args):
    raise UserError("pairs collect: not in this version yet")
