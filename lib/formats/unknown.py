"""What to say of a file whose kind is not known: what it looks like, and what to do."""

import re

import numpy as np

from ..errors import UserError
from .pickled_arrays import content_of
from .smpl_common import is_pickle
from .torch_files import is_torch

HELP = "docs/formats.md lists what is read; --input_format names a kind"
# (an ending, what it is, what to do)
BY_ENDING = {
    (".mp4", ".avi", ".mov", ".mkv", ".webm"): (
        "a video",
        "run a pose estimator on it first, and give the file that it writes",
    ),
    (".png", ".jpg", ".jpeg", ".bmp"): ("a picture", "run a pose estimator first, and give the file that it writes"),
    (".zip", ".gz", ".tar", ".7z", ".rar"): ("an archive", "unpack it, and give the pose file or the folder in it"),
    (".bvh", ".fbx", ".glb", ".gltf"): (
        "an animation",
        "give the estimator's own file: joint angles of a rig are not read",
    ),
    (".mat",): ("a MATLAB file", "save its poses with numpy.save as an array [T, J, D]"),
    (".parquet", ".feather", ".xlsx"): (
        "a table of another kind",
        "save it as CSV: one line per frame, columns <joint>_x, <joint>_y",
    ),
}


def described(opened):
    """Two lines: what the file looks like, and what to do."""
    looks, mend = _looks(opened)
    return (
        f"{opened.path}: what kind of pose file this is cannot be told from its contents. It looks like {looks}\n"
        f"what to do: {mend}. {HELP}"
    )


def _looks(opened):
    if opened.is_folder:
        names = sorted(file.name for file in opened.path.iterdir() if not file.name.startswith("."))
        few = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        return f"a folder with {few or 'nothing in it'}", "give one pose file, or a folder with one JSON file per frame"
    for endings, said in BY_ENDING.items():
        if opened.suffix in endings:
            return said
    if opened.is_json:
        mend = "expected a list of frames with the people's keypoints in it, as OpenPose, MMPose or MediaPipe scripts write them"
        return f"JSON: {_shape(opened.tree)}", mend
    if opened.is_zip:
        arrays = ", ".join(f"{name} {list(array.shape)}" for name, array in list(opened.arrays.items())[:4])
        return (
            f"an .npz with {arrays}",
            "call the poses 'keypoints' and shape them [T, J, D] (T frames, J joints, D coordinates)",
        )
    if is_torch(opened) or is_pickle(opened):
        mend = "save the poses by name with numpy.savez, 'keypoints' as an array [T, J, D]"
        objects = "an .npy of Python objects" if opened.holds_objects else "a pickle"
        kind = "a PyTorch file" if is_torch(opened) else objects
        return f"{kind}: {_shape(content_of(opened))}", mend
    try:
        first = opened.lines[0].strip() if opened.lines else ""
    except UserError:
        return f"{len(opened.content)} bytes of another program's", "export the poses as CSV, JSON or .npy"
    second = opened.lines[1].strip() if len(opened.lines) > 1 else ""
    if opened.suffix in (".csv", ".tsv") and re.search(r"[\[{]['\"\d]", second):
        mend = "write a column for each number (<joint>_x, <joint>_y), or JSON: of Ultralytics a list of each frame's results.to_json()"
        return f"a table with lists in its cells, its first line {first[:60]!r}", mend
    if opened.suffix in (".csv", ".tsv", ".txt") or first.count(",") > 2:
        mend = "name the columns <joint>_x, <joint>_y (one line per frame), or frame, landmark, x, y (one line per landmark)"
        return f"a table whose first line is {first[:80]!r}", mend
    return f"text whose first line is {first[:60]!r}", "export the poses as CSV, JSON or .npy"


def _shape(tree, depth=3):
    """The nesting of a parsed JSON file, in short."""
    if isinstance(tree, dict):
        keys = [
            f"{key!r}: {_shape(value, depth - 1)}" if depth > 1 else repr(key) for key, value in list(tree.items())[:3]
        ]
        return "{" + ", ".join(key[:60] for key in keys) + (", ...}" if len(tree) > 3 else "}")
    if isinstance(tree, list):
        inside = f", the first {_shape(tree[0], depth - 1)}" if tree and depth > 1 else ""
        return f"a list of {len(tree)}{inside}"
    if isinstance(tree, np.ndarray):
        return f"an array {list(tree.shape)}"
    return "a number" if isinstance(tree, (int, float)) else "text" if isinstance(tree, str) else repr(tree)
