"""Refine noisy pose sequences: smoother and more precise.

    from synsp import Refiner, load, refine
    refined = refine(poses, fps=30)                   # [T, J, D] (T frames, J joints, D coordinates), NaN for missing

Imported as `synsp` where it is installed and as `lib` from the root of a checkout; never as both in one process.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .api import load as load
    from .api import refine as refine
    from .tracks.refiner import Refiner as Refiner

__version__ = "0.2.0"
__all__ = ["Refiner", "__version__", "load", "refine"]

# Imported when first asked for: torch takes seconds, and `--help` needs none of it.
_HOMES = {"Refiner": ".tracks.refiner", "load": ".api", "refine": ".api"}


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)
