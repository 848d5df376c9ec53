"""The truth of the clips that `pairs render` made (the layout: lib/pairs/__init__.py), read without executing anything in it."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..dataset import storage
from ..errors import UserError, reading
from ..poses.skeletons import LAYOUTS

JOINTS = LAYOUTS["h36m17"].size
KEYS = ("joints3D", "joints2D", "K", "size", "fps", "segments", "segment_of_joint", "meta")
FAR = 1e6  # m or px
AGAIN = "Remove it, or render it again with `synsp pairs render`"


@dataclass(frozen=True)
class Truth:
    """One clip: joints3D [T, J, 3] m in the camera's axes (y down); joints2D [T, J, 2] px; K [3, 3]; size: (width, height) px;
    fps; rotations: [T, J, 3, 3], of the segment to which each joint is fixed; meta: what is known of the clip."""

    joints3D: np.ndarray
    joints2D: np.ndarray
    K: np.ndarray
    size: tuple
    fps: float
    rotations: np.ndarray
    meta: dict

    @property
    def frames(self):
        """T."""
        return len(self.joints3D)

    @property
    def clip(self):
        """The clip's name."""
        return self.meta["clip"]


def clips(folder):
    """The names of the clips in a folder, sorted. Raises UserError where there are none."""
    files = Path(folder).glob("*.npz") if Path(folder).is_dir() else ()
    found = sorted(path.stem for path in files if not path.name.startswith("."))  # those are being written
    if not found:
        raise UserError(f"{folder}: holds no clips (<clip>.npz). Make some with `synsp pairs render {folder}`")
    return found


def read(folder, clip):
    """The `Truth` of a clip. Raises UserError for a file that `pairs render` did not write."""
    path = Path(folder) / f"{clip}.npz"
    with reading(path, "a clip's truth"):
        arrays = storage.read_arrays(path)
        lacking = [key for key in KEYS if key not in arrays]
        if lacking:
            raise UserError(f"{path}: no {', '.join(lacking)} in it. {AGAIN}")
        meta = json.loads(str(arrays["meta"]))
        meta["clip"], meta["subject"], meta["body"] = (str(meta[key]) for key in ("clip", "subject", "body"))
        joints, flat, segments = (arrays[key].astype(float) for key in ("joints3D", "joints2D", "segments"))
        size = tuple(int(side) for side in arrays["size"])
        rotations = segments[:, arrays["segment_of_joint"]]
        found = Truth(joints, flat, arrays["K"].astype(float), size, float(arrays["fps"]), rotations, meta)
        _check(found, path)
    return found


def _check(found, path):
    frames = found.frames
    shapes = {
        "joints3D": (frames, JOINTS, 3),
        "joints2D": (frames, JOINTS, 2),
        "rotations": (frames, JOINTS, 3, 3),
        "K": (3, 3),
    }
    for key, shape in shapes.items():
        array = getattr(found, key)
        if array.shape != shape or not frames or not (np.abs(array) < FAR).all():
            raise UserError(
                f"{path}: {key} {list(array.shape)}, expected numbers below {FAR:g}, {list(shape)}. {AGAIN}"
            )
    if not 1 <= found.fps <= 1000 or len(found.size) != 2 or min(found.size) < 1:
        raise UserError(f"{path}: {found.fps:g} frames a second of {found.size} px cannot be. {AGAIN}")
