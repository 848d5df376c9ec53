"""What readers of SMPL estimators' outputs share: pickles of people, tracks over their frames, fields that follow from poses."""

import collections
import copy

import numpy as np

from ..dataset import storage
from ..errors import UserError
from . import joblib_file, pickled_tensors
from .tracks import Track

# Fields that follow from pose and shape, by the names that these tools give them.
DERIVED = (
    "verts",
    "verts_world",
    "vertices",
    "joints3d",
    "joints3d_world",
    "joints2d",
    "joints2d_img_coord",
    "3d_joints",
    "2d_joints",
)
# A defaultdict(dict), as WHAM writes it.
EXTRA = {("collections", "defaultdict"): collections.defaultdict}


def content_of(opened):
    """The unpickled file, once; of an .npy file of one Python object that object."""
    if not hasattr(opened, "unpickled"):
        if opened.is_npy:
            array = storage.read_array(opened.content, str(opened.path), pickled_tensors.NAMES | EXTRA)
            opened.unpickled = array.item() if array.ndim == 0 else array
        else:
            opened.unpickled = joblib_file.load(opened.content, str(opened.path), EXTRA)
    return opened.unpickled


def is_pickle(opened):
    """Whether this is a pickle, or an .npy of Python objects, which holds one."""
    return not opened.is_folder and (
        opened.suffix in (".pkl", ".pickle", ".joblib") or opened.holds_objects or joblib_file.is_pickle(opened.head)
    )


def of_dicts(content):
    return isinstance(content, dict) and bool(content) and all(isinstance(value, dict) for value in content.values())


def all_have(opened, *keys):
    """Whether this is a pickled dict of dicts that all have these keys."""
    return (
        is_pickle(opened)
        and of_dicts(content_of(opened))
        and all(key in value for value in content_of(opened).values() for key in keys)
    )


def shape_of(value):
    """The shape of an array of numbers; () for anything else."""
    return value.shape if isinstance(value, np.ndarray) and value.dtype.kind in "iuf" else ()


def array_of(person, key, columns, where, length=None):
    """One field as float64 [F, columns]; None if it is absent."""
    value = person.get(key)
    if value is None:
        return None
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "iuf":
        raise UserError(
            f"{where}, {key}: {type(value).__name__}, not an array of numbers [F, {columns}]. Write the file again"
        )
    if value.ndim < 2 or value.size != len(value) * columns or length not in (None, len(value)):
        raise UserError(f"{where}, {key}: shape {list(value.shape)}. Expected [{length or 'F'}, {columns}]")
    value = value.reshape(len(value), columns).astype(np.float64)
    return np.where(np.isfinite(value), value, np.nan)


def betas_of(person, length, where):
    """betas as float64 [F, 10]; None if they are absent or of another size."""
    return array_of(person, "betas", 10, where) if shape_of(person.get("betas")) == (length, 10) else None


def frames_of(frame_ids, length, where):
    """Frame index of each row, and what to say of it."""
    if frame_ids is None:
        return np.arange(length), []
    try:
        frames = np.asarray(frame_ids).ravel()
        frames = frames if frames.dtype.kind in "iuf" and np.isfinite(frames).all() else frames[:0]
    except ValueError:
        frames = np.zeros(0)
    if len(frames) != length:
        raise UserError(f"{where}: frame_ids has {len(frames)} numbers for {length} poses. Expected one for each")
    frames = frames.astype(np.int64)
    if (np.diff(frames) <= 0).any() or frames[0] < 0:
        return np.arange(length), ["frame_ids do not rise: the poses are taken as consecutive"]
    if frames[-1] - frames[0] > 100 * length + 10_000:
        raise UserError(f"{where}: frame_ids from {frames[0]} to {frames[-1]} for {length} poses. Correct them")
    return frames, []


def spread(identity, frames, pose, betas, translation, part, several):
    """A track over the person's first to last frame, NaN in the frames between that have no pose."""
    length = int(frames[-1] - frames[0]) + 1
    inside = frames - frames[0]

    def spread(values, shape):
        if values is None:
            return None
        result = np.full((length, *shape), np.nan)
        result[inside] = values.reshape(len(values), *shape)
        return result

    poses = spread(pose, (pose.shape[1] // 3, 3))
    poses[np.isnan(poses).any(axis=-1)] = np.nan
    present = np.zeros(length, dtype=bool)
    present[inside] = True
    name = f"person {identity}" if several else "person"
    return Track(
        identity,
        name if part == "body" else f"{name} {part}",
        poses,
        None,
        "smpl",
        f"smpl{poses.shape[1]}",
        None,
        None,
        part,
        int(frames[0]),
        present,
        None,
        spread(betas, (10,)),
        spread(translation, (3,)),
    )


def merged(old, values, original):
    """`old` with `values` wherever they differ from `original`, all of one size; shape and dtype are kept."""
    values, original = values.reshape(old.shape), original.reshape(old.shape)
    changed = np.isfinite(values) & (values != original)
    if not changed.any():
        return old
    new = old.copy()
    new[changed] = values[changed]
    return new


def one_body(refined, tracks, originals):
    """Refined poses in which a world track has its camera track's body rotations, if the file had it so."""
    refined = list(refined)
    bodies = {track.id: number for number, track in enumerate(tracks) if track.part == "body"}
    for number, track in enumerate(tracks):
        body = bodies.get(track.id)
        if (
            track.part == "world"
            and body is not None
            and np.array_equal(originals[number][:, 1:], originals[body][:, 1:], equal_nan=True)
        ):
            refined[number] = np.concatenate([refined[number][:, :1], refined[body][:, 1:]], axis=1)
    return refined


def with_derived(person, derived, track, part, removed, inside):
    """A person's dict with the fields derived from this track replaced, or removed and named in `removed`."""
    result = copy.copy(person)
    for key in DERIVED:
        if result.get(key) is None or key.endswith("_world") != (part == "world"):
            continue
        if derived is not None and derived.get(key) is not None and derived[key][track] is not None:
            new = np.asarray(derived[key][track])[inside]
            result[key] = new.astype(result[key].dtype) if isinstance(result[key], np.ndarray) else new
        else:
            del result[key]
            removed.setdefault(key)
    return result
