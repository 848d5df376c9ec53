"""The command `synsp`. Each subcommand is a function here; the scripts in the root of a checkout run the same ones."""

import sys

from .. import __version__, errors, messages
from ..command_line import Request
from ..errors import UserError

# Modules that need torch are imported inside the functions: `--help` and wrong flags are answered without it.


def refine(argv=None, prog=None):
    """Refine the poses of files, folders of per-frame files, or a live stream."""
    request = Request("refine", argv, prog)
    from . import refine_many

    messages.start()
    if refine_many.main(request):
        sys.exit(3)  # some of many files failed, and the others are done


def train(argv=None, prog=None):
    """Train SynSP or SmoothNet."""
    request = Request("train", argv, prog)
    from . import train

    messages.start()
    train.train(request.config())


def evaluate(argv=None, prog=None):
    """Score networks on a test split, beside traditional filters."""
    request = Request("eval", argv, prog)
    from . import evaluate

    messages.start()
    evaluate.evaluate(request)


def visualize(argv=None, prog=None):
    """Render test sequences as videos or as an interactive page."""
    request = Request("visualize", argv, prog)
    from . import visualize

    messages.start()
    visualize.visualize(request)


def export(argv=None, prog=None):
    """Write a checkpoint's network as ONNX or for torch.export."""
    from . import export

    export.main(argv, prog)


def check(argv=None, prog=None):
    """Say what a dataset folder holds and what would be refused in it."""
    from . import check

    check.main(argv, prog)


def release(argv=None, prog=None):
    """Make weights to hand out from a run's checkpoint."""
    from . import release

    release.main(argv, prog)


def demo(argv=None, prog=None):
    """Train, film and score a network on the sample (in a checkout)."""
    from . import demo

    demo.main(argv, prog)


def pairs(argv=None, prog=None):
    """Make training pairs for your own estimator from rendered people."""
    from . import pairs

    pairs.main(argv, prog)


COMMANDS = {
    function.__name__: function
    for function in (refine, train, evaluate, visualize, export, check, release, pairs, demo)
}


def main(argv=None):
    """Run `synsp COMMAND …`; argv: the words after `synsp`, by default those of this process."""
    words = sys.argv[1:] if argv is None else list(argv)
    if not words or words[0] in ("-h", "--help"):
        print(_help())
    elif words[0] == "--version":
        print(f"synsp {__version__}")
    elif words[0] in COMMANDS:
        COMMANDS[words[0]](words[1:], f"synsp {words[0]}")
    else:
        raise UserError(f"{words[0]}: no such command. Commands: {', '.join(COMMANDS)}")


def entry():
    """What the installed command runs: `main`, then the exit code."""
    errors.run(main)


def _help():
    lines = [f"  {name:<11}{(function.__doc__ or '').splitlines()[0]}" for name, function in COMMANDS.items()]
    return "\n".join(
        (
            "usage: synsp COMMAND ...",
            "",
            "Refine noisy pose sequences: smoother and more precise.",
            "",
            "commands:",
            *lines,
            "",
            "`synsp COMMAND --help` lists the flags of a command. `synsp --version` prints the version.",
        )
    )
