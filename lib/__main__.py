"""`python -m synsp`, and `python -m lib` in a checkout: the command `synsp`."""

from .commands.cli import entry

entry()
