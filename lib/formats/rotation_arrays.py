"""SMPL rotations in arrays of an .npz or .npy: whole poses, root and body apart, axis-angle or matrices."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from ..poses.skeletons import LAYOUTS
from .axes import CLEARLY, roughness
from .rotation_sense import is_rigid, is_signed, orthonormal
from .tracks import Track

WHOLE = (
    "poses", "pose", "full_pose", "fullpose", "smpl_pose", "smpl_poses", "smpl_thetas", "thetas", "theta", "pred_pose", "pred_poses",
)  # fmt: skip
MATRICES = ("pred_rotmat", "rotmat", "rotmats", "rotations", "rot_mats", "pred_rotmats")
ROOT = ("global_orient", "root_orient", "root_pose", "smpl_global_orient")
BODY = ("body_pose", "pose_body", "smpl_body_pose")
TRANSLATION = ("trans", "transl", "translation", "root_trans", "smpl_trans", "pred_trans")
# Other arrays beside which numbers named as above are SMPL's.
BESIDE = ("betas", "smpl_betas", "pred_betas", "smpl_shape", "gender", "surface_model_type", "shape", *TRANSLATION)
# How many rotations an array may hold, and how many of them are a body's: SMPL, SMPL-X's body, SMPL-H, SMPL-X; without root.
COUNTS = {24: 24, 22: 22, 52: 22, 55: 22, 23: 23, 21: 21}


def frames_of(array):
    """T of an array of one person's rotations: the first axis, or the second where that is 1 and more follow."""
    flat = array.shape[-1] not in (3, 9) or array.ndim < 3
    square = array.shape[-2:] == (3, 3) and array.ndim > 2
    outer = array.shape[: -2 if square else -1]  # [T, J], [1, T, J], ...
    return outer[1] if outer[0] == 1 and len(outer) > (1 if flat else 2) else outer[0]


@dataclass(frozen=True)
class Piece:
    """`count` rotations of `arrays[key]` from the `first` on, as axis-angle (vectors) or matrices."""

    key: str
    first: int
    count: int
    matrices: bool = False

    def of(self, array):
        """The view [T, count, 3] or [T, count, 3, 3] of an array."""
        shape = (3, 3) if self.matrices else (3,)
        return array.reshape(frames_of(array), -1, *shape)[:, self.first : self.first + self.count]

    def vectors(self, array):
        """Axis-angle float64 [T, count, 3], NaN for what is no rotation."""
        values = self.of(array).astype(np.float64)
        if not self.matrices:
            return np.where(np.isfinite(values).all(axis=-1, keepdims=True), values, np.nan)
        flat = values.reshape(-1, 3, 3)
        usable = np.isfinite(flat).all(axis=(1, 2))
        usable[usable] = np.linalg.det(flat[usable]) > 0
        result = np.full((len(flat), 3), np.nan)
        if usable.any():
            result[usable] = Rotation.from_matrix(flat[usable]).as_rotvec()
        return result.reshape(*values.shape[:2], 3)

    def put(self, array, refined, original):
        """A copy of `array` with the rotations [T, count, 3] in which refined differs from original."""
        changed = np.isfinite(refined).all(axis=-1) & (refined != original).any(axis=-1)
        if not changed.any():
            return array
        new = array.copy()
        values = refined[changed]
        self.of(new)[changed] = Rotation.from_rotvec(values).as_matrix() if self.matrices else values
        return new


@dataclass
class Found:
    """The rotations of one file: `pieces` in order make one pose; `twins` hold some of them a second time."""

    pieces: list
    twins: list  # (Piece, first rotation of the pose)
    names: tuple
    layout: str | None
    notes: list


def are_beside(arrays):
    """The names of a file's arrays that only SMPL's have."""
    return [key for key in arrays if key in BESIDE[:6] or key in (*ROOT, *BODY)]


def find(arrays):
    """The `Found` of a file's arrays {name: array}, or None where they hold no SMPL rotations."""
    told = any(key in arrays for key in BESIDE) or any(key in arrays for key in (*ROOT, *BODY))
    clear = bool(are_beside(arrays))
    whole = next((piece for key, array in arrays.items() if (piece := _whole(key, array, told, clear))), None)
    root = next((piece for key in ROOT if (piece := _part(key, arrays.get(key), (1,)))), None)
    body = next((piece for key in BODY if (piece := _part(key, arrays.get(key), (21, 23)))), None)
    notes = []
    if whole is None and body is None:
        return None
    if whole is None:
        pieces, twins = [piece for piece in (root, body) if piece], []
        if root and frames_of(arrays[root.key]) != frames_of(arrays[body.key]):
            pieces = [body]
    else:
        pieces, twins = [whole], []
        joined = whole.count in (21, 23) and root and frames_of(arrays[root.key]) == frames_of(arrays[whole.key])
        if joined:
            pieces = [root, whole]
        for twin, first in ((root, 0), (body, 1)):
            if twin is None or twin in pieces or frames_of(arrays[twin.key]) != frames_of(arrays[whole.key]):
                continue
            if first + twin.count > whole.count:
                twin = Piece(twin.key, twin.first, whole.count - first, twin.matrices)
            held = whole.vectors(arrays[whole.key])[:, first : first + twin.count]
            if np.allclose(twin.vectors(arrays[twin.key]), held, atol=1e-5, equal_nan=True):
                twins.append((twin, first))
            else:
                notes.append(f"{twin.key} is not what {whole.key} holds, and is left as it is")
    total = sum(piece.count for piece in pieces)
    joints = LAYOUTS["smpl24"].joints
    names = joints[:total] if total in (22, 24) else joints[1 : 1 + total]
    return Found(pieces, twins, names, f"smpl{total}" if total in (22, 24) else None, notes)


def _whole(key, array, told, clear):
    """The `Piece` of an array of whole poses, or None; told, clear: whether what stands beside it may be, or must be, SMPL's."""
    if not isinstance(array, np.ndarray) or array.dtype.kind != "f" or array.ndim < 2 or not array.size:
        return None
    named, frames, last = key in (*WHOLE, *MATRICES), frames_of(array), array.shape[-1]
    width = array.size // frames
    columns, square = last == width and (named or not key), array.shape[-2:] == (3, 3) and array.ndim > 3
    nines = width // 9 in COUNTS and width % 9 == 0 and (square or columns or last == 9)
    if nines and orthonormal(array.reshape(-1, 3, 3)):
        return Piece(key, 0, COUNTS[width // 9], True)
    count = width // 3
    if count not in COUNTS or width % 3 or square or not (columns or last == 3):
        return None
    piece = Piece(key, 0, COUNTS[count])
    sure = named and columns and (told or count in (24, 22, 52, 55))
    vectors = piece.of(array)
    told = sure or (named or not key) and is_signed(vectors) and (named and clear or not is_rigid(vectors))
    if not sure and not clear and roughness(vectors, 1) < CLEARLY * roughness(vectors, 0):
        return None  # frames come second: positions [J, T, 3]
    return piece if told else None


def _part(key, array, counts):
    """The `Piece` of the root's or the body's rotations, or None."""
    if not isinstance(array, np.ndarray) or array.dtype.kind != "f" or array.ndim < 2 or not array.size:
        return None
    width = array.size // frames_of(array)
    for count in counts:
        if width == 9 * count and array.ndim > 2 and orthonormal(array.reshape(-1, 3, 3)):
            return Piece(key, 0, count, True)
        if width == 3 * count and array.shape[-2:] != (3, 3):
            return Piece(key, 0, count)
    return None


def track_of(found, arrays):
    """(Track, original [T, J, 3]) of what `find` found."""
    poses = np.concatenate([piece.vectors(arrays[piece.key]) for piece in found.pieces], axis=1)
    poses[np.isnan(poses).any(axis=-1)] = np.nan
    length = len(poses)
    translation = next(
        (arrays[key].astype(np.float64).reshape(length, 3) for key in translation_keys(arrays, length)), None
    )
    betas = arrays.get("betas")
    if betas is not None and betas.dtype.kind == "f" and betas.shape[-1:] and betas.shape[-1] >= 10:
        betas = np.broadcast_to(betas[..., :10], (length, 10)) if betas.ndim == 1 or len(betas) in (1, length) else None
    else:
        betas = None
    track = Track(0, "person", poses, None, "smpl", found.layout, found.names, betas=betas, translation=translation)
    return track, poses.copy()


def translation_keys(arrays, length):
    """The keys under which the body's place is, [T, 3]."""
    return [
        key for key in TRANSLATION if key in arrays and arrays[key].dtype.kind == "f" and arrays[key].size == 3 * length
    ]


def put(found, arrays, refined, original):
    """The arrays {name: array} with refined rotations [T, J, 3] in the pieces and their twins."""
    arrays, first = dict(arrays), 0
    places = []
    for piece in found.pieces:
        places.append((piece, first))
        first += piece.count
    for piece, first in [*places, *found.twins]:
        part = slice(first, first + piece.count)
        arrays[piece.key] = piece.put(arrays[piece.key], refined[:, part], original[:, part])
    return arrays
