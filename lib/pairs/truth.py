"""The truth of the clips that `pairs render` made (the layout: lib/pairs/__init__.py), read without executing anything in it."""

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import UserError
from ..poses.skeletons import LAYOUTS

JOINTS = LAYOUTS["h36m17"].size


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
    try:
        with np.load(path, allow_pickle=False) as data:
            arrays = {key: data[key] for key in data.files}
        meta = json.loads(str(arrays["meta"]))
        meta["clip"], meta["subject"], meta["body"] = (str(meta[key]) for key in ("clip", "subject", "body"))
        joints, flat, segments = (arrays[key].astype(float) for key in ("joints3D", "joints2D", "segments"))
        rotations = segments[:, arrays["segment_of_joint"]]
        if joints.shape[1:] != (JOINTS, 3) or flat.shape != (*joints.shape[:2], 2) or len(rotations) != len(joints):
            raise ValueError(f"joints3D {list(joints.shape)}")
        size = tuple(int(side) for side in arrays["size"])
        return Truth(joints, flat, arrays["K"].astype(float), size, float(arrays["fps"]), rotations, meta)
    except (KeyError, IndexError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path}: is not a clip's truth as `pairs render` writes it ({error}). Remove it, or render it again"
        ) from None
