"""Where trained weights are found.

The first of these that is given or exists: the folder REFINE.CHECKPOINT_DIR; the folder in the environment variable
SYNSP_WEIGHTS; the weights inside the installed package; data/checkpoints of the checkout. Which files are installed
with the package is listed in pyproject.toml, under `synsp.checkpoints`.
"""

import os
from pathlib import Path

from .messages import logger

log = logger(__name__)

VARIABLE = "SYNSP_WEIGHTS"
PATTERN = "*.pth.tar"
# Ends of names that `auto` leaves alone: weights that are not free for any use (trained with Bandai-Namco's motion), and
# those for one sensor. They are used where somebody names them.
BY_NAME_ONLY = ("_bn", "_kinect")
# Ends of names of weights that were trained on one estimator's errors: the key points (`JOINT_NAMES`) by which its files are known.
ESTIMATORS = {"_mediapipe": "mediapipe33"}
_PACKAGE = Path(__file__).parent


def candidates(chosen=None):
    """The folders to search, in order. A folder that the user named (`chosen`, or the variable) is the only one."""
    named = chosen or os.environ.get(VARIABLE)
    if named:
        return [Path(named)]
    return [_PACKAGE / "checkpoints", _PACKAGE.parent / "data" / "checkpoints"]


def folder(chosen=None):
    """The first folder that holds weights; where none does, the last one searched.

    chosen: REFINE.CHECKPOINT_DIR, or None.
    """
    searched = candidates(chosen)
    return next((place for place in searched if any(place.glob(PATTERN))), searched[-1])


def named(checkpoint, place):
    """The path of a checkpoint that a user named: a file, or the name of weights in a folder of theirs, such as synsp_3D_w8_kinect."""
    path = Path(checkpoint)
    shipped = place / f"{path.name.removesuffix('.pth.tar')}.pth.tar"
    return shipped if path.name == str(checkpoint) and not path.exists() and shipped.is_file() else path


def for_anybody(place, pattern):
    """The weights in a folder that are for any pose file and any use, in the order of their names; pattern: of the names."""
    return [path for path in sorted(place.glob(pattern)) if not _stem(path).endswith((*BY_NAME_ONLY, *ESTIMATORS))]


def for_estimator(place, pattern, layout):
    """The weights in a folder for the estimator whose key points are `layout` (of `JOINT_NAMES`, or None); as `for_anybody`."""
    return [path for path in sorted(place.glob(pattern)) if layout and estimator_of(path) == layout]


def estimator_of(path):
    """The key points of the one estimator that weights are for; None: of any."""
    return next((layout for end, layout in ESTIMATORS.items() if _stem(path).endswith(end)), None)


def _stem(path):
    return Path(path).name.split(".")[0]


def warn_of_none(chosen=None):
    """Warn, naming the folders searched, if none of them holds weights."""
    searched = candidates(chosen)
    if not any(any(place.glob(PATTERN)) for place in searched):
        log.warning(
            "warning: no trained weights (%s) in %s: filters are used instead of networks. Set REFINE.CHECKPOINT_DIR or "
            "%s to the folder that holds them",
            PATTERN,
            " or ".join(map(str, searched)),
            VARIABLE,
        )
