"""`synsp pairs render`: the flags, and what is said while clips are rendered."""

from ..errors import UserError


def add_render(steps):
    """Add the subcommand `render` to the subparsers `steps`; its `run` takes the parsed arguments."""
    parse = steps.add_parser("render", help="film parametric people whose every joint is known")
    parse.add_argument("out", help="the folder for the clips")
    parse.set_defaults(run=render)


def render(args):
    raise UserError("pairs render: not in this version yet")
