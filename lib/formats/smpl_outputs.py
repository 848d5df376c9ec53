"""What SMPL estimators write: VIBE, WHAM and 4D-Humans (PHALP) pickles, and GVHMR's .pt.

Pickles are written back as plain pickles (`pickle.load` and `joblib.load` read them), values equal. What
depends on the pose (`DERIVED`) is replaced by the caller's or removed if any pose changed.

WHAM and GVHMR give each person twice, in the camera's and in the world's frame, with one body: there are two
tracks, and where the file has the same body rotations in both, the camera track's refined ones are written to
both.
"""

import collections
import copy
import io

import numpy as np
from scipy.spatial.transform import Rotation

from ..errors import UserError
from ..files import write_bytes
from . import joblib_file
from .numbering import number_frames, timeline
from .tracks import PoseFile, Track

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


def _content(opened):
    """The unpickled file, once."""
    if not hasattr(opened, "unpickled"):
        opened.unpickled = joblib_file.load(opened.content, str(opened.path), EXTRA)
    return opened.unpickled


def _is_pickle(opened):
    return not opened.is_folder and (
        opened.suffix in (".pkl", ".pickle", ".joblib") or joblib_file.is_pickle(opened.head)
    )


def _of_dicts(content):
    return isinstance(content, dict) and bool(content) and all(isinstance(value, dict) for value in content.values())


def _all_have(opened, *keys):
    """Whether this is a pickled dict of dicts that all have these keys."""
    return (
        _is_pickle(opened)
        and _of_dicts(_content(opened))
        and all(key in value for value in _content(opened).values() for key in keys)
    )


def sniff_vibe(opened):
    return _all_have(opened, "pose") and not _all_have(opened, "pose_world")


def sniff_wham(opened):
    return _all_have(opened, "pose", "pose_world")


def sniff_phalp(opened):
    return _all_have(opened, "tid", "smpl")


def _shape(value):
    """The shape of an array of numbers; () for anything else."""
    return value.shape if isinstance(value, np.ndarray) and value.dtype.kind in "iuf" else ()


def _array(person, key, columns, where, length=None):
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


def _betas(person, length, where):
    """betas as float64 [F, 10]; None if they are absent or of another size."""
    return _array(person, "betas", 10, where) if _shape(person.get("betas")) == (length, 10) else None


def read_vibe(opened, image_size=None, fps=None, format_name="vibe"):
    """One track a person, of the camera's frame; WHAM's file has one of the world's frame too."""
    content = _content(opened)
    tracks, places, notes = [], [], []
    if not _of_dicts(content):
        raise UserError(f"{opened.path}: no person in it. Expected {{track id: {{pose, betas, frame_ids, …}}}}")
    for identity, person in content.items():
        where = f"{opened.path}: person {identity}"
        if person.get("pose") is None:
            raise UserError(f"{where}: no 'pose' in it. Expected pose [F, 72] axis-angle")
        length = len(_array(person, "pose", 72, where))
        if not length:
            continue
        frames, note = _frames(person.get("frame_ids"), length, where)
        notes += note
        for key, trans, part in (("pose", "trans", "body"), ("pose_world", "trans_world", "world")):
            pose = _array(person, key, 72, where, length)
            if pose is None or np.isnan(pose).all():
                continue
            betas = _betas(person, length, where)
            translation = _array(person, trans, 3, where, length)
            track = _spread(identity, frames, pose, betas, translation, part, len(content) > 1)
            tracks.append(track)
            places.append((identity, key, trans, frames - frames[0]))
    if not tracks:
        raise UserError(f"{opened.path}: no person with a finite pose. Nothing can be refined")
    source = {"content": content, "places": places, "originals": [track.poses.copy() for track in tracks]}
    count = max(track.start + len(track.poses) for track in tracks)
    notes = list(dict.fromkeys(notes))
    return PoseFile(format_name, tracks, count, fps, None, image_size, True, source, notes)


def read_wham(opened, image_size=None, fps=None):
    return read_vibe(opened, image_size, fps, "wham")


def _frames(frame_ids, length, where):
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


def _spread(identity, frames, pose, betas, translation, part, several):
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


def _merged(old, values, original):
    """`old` with `values` wherever they differ from `original`, all of one size; shape and dtype are kept."""
    values, original = values.reshape(old.shape), original.reshape(old.shape)
    changed = np.isfinite(values) & (values != original)
    if not changed.any():
        return old
    new = old.copy()
    new[changed] = values[changed]
    return new


def _one_body(refined, tracks, originals):
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


def _derived(person, derived, track, part, removed, inside):
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


def write_vibe(pose_file, refined, output_path, derived=None, translations=None):
    """derived: {field: one array a track, or None}, rows as the track's frames. Returns the names removed."""
    source, removed = pose_file.source, {}
    refined = _one_body(refined, pose_file.tracks, source["originals"])
    content = copy.copy(source["content"])
    for number, (identity, key, trans, inside) in enumerate(source["places"]):
        person, track = content[identity], pose_file.tracks[number]
        values = {key: (refined[number][inside], source["originals"][number][inside])}
        if translations is not None and translations[number] is not None and track.translation is not None:
            values[trans] = (translations[number][inside], track.translation[inside])
        merged = {field: _merged(person[field], *pair) for field, pair in values.items()}
        if any(merged[field] is not person[field] for field in merged):
            new = _derived(person, derived, number, track.part, removed, inside)
            for field, array in merged.items():
                new[field] = array
            content[identity] = new
    joblib_file.dump(output_path, content)
    return list(removed)


def read_phalp(opened, image_size=None, fps=None):
    """Tracks of the detections; entries that PHALP predicted (tracked_time > 0) are left as they are."""
    content = _content(opened)
    if not _of_dicts(content):
        raise UserError(f"{opened.path}: no frame in it. Expected PHALP's {{frame: {{tid, tracked_time, smpl, …}}}}")
    if all(isinstance(frame.get("time"), (int, np.integer)) for frame in content.values()):
        numbers = [int(frame["time"]) for frame in content.values()]
    else:
        numbers = [number for _, number in number_frames([str(name) for name in content], opened.path)]
    index, _ = timeline(numbers)
    entries = {}
    for (name, frame), number in zip(content.items(), numbers):
        where = f"{opened.path}: frame {name}"
        ids, smpl = frame.get("tid"), frame.get("smpl")
        waited = frame.get("tracked_time", [0] * len(ids) if isinstance(ids, list) else None)
        lists = {"tid": ids, "tracked_time": waited, "smpl": smpl}
        if not all(isinstance(value, list) and len(value) == len(ids) for value in lists.values()):
            counts = ", ".join(
                f"{len(value) if isinstance(value, list) else 'no'} {key}" for key, value in lists.items()
            )
            raise UserError(f"{where}: {counts} entries. Expected one of each for every person")
        for person, (identity, since) in enumerate(zip(ids, waited)):
            if not all(isinstance(value, (int, np.integer)) for value in (identity, since)):
                raise UserError(f"{where}, person {person}: tid or tracked_time is no whole number. Correct it")
            if since == 0:
                matrices = _matrices(frame["smpl"][person], f"{where}, person {person} (tid {identity})")
                entries.setdefault(int(identity), []).append((index[number], name, person, matrices))
    if not entries:
        raise UserError(
            f"{opened.path}: no detected person in any of the {len(content)} frames. Nothing can be refined"
        )
    tracks, places = [], []
    for identity, found in entries.items():
        found.sort(key=lambda entry: entry[0])
        frames = np.array([entry[0] for entry in found])
        if (np.diff(frames) <= 0).any():
            raise UserError(f"{opened.path}: tid {identity} stands twice in one frame. Remove one of the two")
        matrices = np.array([entry[3] for entry in found])  # [F, 24, 3, 3]
        rotations = Rotation.from_matrix(matrices.reshape(-1, 3, 3)).as_rotvec().reshape(len(found), -1)
        betas = [content[name]["smpl"][person].get("betas") for _, name, person, _ in found]
        betas = np.array(betas, dtype=np.float64) if all(_shape(beta) == (10,) for beta in betas) else None
        tracks.append(_spread(identity, frames, rotations, betas, None, "body", len(entries) > 1))
        places.append([(name, person, int(frame - frames[0])) for frame, name, person, _ in found])
    source = {"content": content, "places": places, "originals": [track.poses.copy() for track in tracks]}
    return PoseFile("phalp", tracks, max(index.values()) + 1, fps, None, image_size, True, source)


def _matrices(smpl, where):
    """Rotation matrices [24, 3, 3] of one person: the root's and the body's."""
    if not isinstance(smpl, dict) or "global_orient" not in smpl or "body_pose" not in smpl:
        raise UserError(f"{where}: smpl has no global_orient and body_pose. Write the file again with PHALP")
    pieces = []
    for key, joints in (("global_orient", 1), ("body_pose", 23)):
        value = smpl[key]
        if not isinstance(value, np.ndarray) or value.dtype.kind != "f" or value.shape != (joints, 3, 3):
            raise UserError(f"{where}: {key} has shape {list(_shape(value))}. Expected matrices [{joints}, 3, 3]")
        pieces.append(value.astype(np.float64))
    matrices = np.concatenate(pieces)
    if not np.isfinite(matrices).all() or (np.linalg.det(matrices) <= 0).any():
        raise UserError(f"{where}: a rotation is NaN or no rotation. Remove this person's entry")
    return matrices


def write_phalp(pose_file, refined, output_path, derived=None):
    """As `write_vibe`."""
    source, removed = pose_file.source, {}
    content = copy.copy(source["content"])
    for number, places in enumerate(source["places"]):
        for name, person, frame in places:
            values, original = refined[number][frame], source["originals"][number][frame]
            changed = np.isfinite(values).all(axis=-1) & (values != original).any(axis=-1)
            if not changed.any():
                continue
            if content[name] is source["content"][name]:
                content[name] = copy.copy(content[name])
            entry = content[name]
            if entry["smpl"] is source["content"][name]["smpl"]:
                entry["smpl"] = list(entry["smpl"])
            matrices = Rotation.from_rotvec(values).as_matrix()
            smpl = copy.copy(entry["smpl"][person])
            for key, piece in (("global_orient", slice(0, 1)), ("body_pose", slice(1, 24))):
                smpl[key] = smpl[key].copy()
                smpl[key][changed[piece]] = matrices[piece][changed[piece]]
            entry["smpl"][person] = smpl
            for key in DERIVED:
                new = None if derived is None or derived.get(key) is None else derived[key][number]
                if key not in entry:
                    continue
                if new is None:
                    removed.setdefault(key)
                    continue
                if entry[key] is source["content"][name].get(key):
                    entry[key] = list(entry[key])
                old = entry[key][person]
                entry[key][person] = np.asarray(new[frame], dtype=getattr(old, "dtype", None))
    for name in content if removed else ():
        if any(key in content[name] for key in removed):
            content[name] = {key: value for key, value in content[name].items() if key not in removed}
    joblib_file.dump(output_path, content)
    return list(removed)


def sniff_gvhmr(opened):
    return opened.suffix == ".pt" or opened.suffix == ".pth" and opened.head[:4] == b"PK\x03\x04"


def read_gvhmr(opened, image_size=None, fps=None):
    """One person, 22 rotations (the root and SMPL-X's 21), in the camera's and in the world's frame."""
    import torch  # only this kind of file needs it, and it takes seconds

    from .. import safe_tensors

    path = opened.path
    content = safe_tensors.load(opened.content, str(path))
    if not isinstance(content, dict) or not content.keys() & {"smpl_params_incam", "smpl_params_global"}:
        raise UserError(f"{path}: no smpl_params_incam or smpl_params_global in it. Expected GVHMR's hmr4d_results.pt")
    tracks, places = [], []
    for key, part in (("smpl_params_incam", "body"), ("smpl_params_global", "world")):
        if key not in content:
            continue
        where = f"{path}: {key}"
        numbers = {
            name: value.detach().numpy()
            for name, value in content[key].items()
            if isinstance(value, torch.Tensor) and value.dtype.is_floating_point
        }
        body = _array(numbers, "body_pose", 63, where)
        if body is None or "global_orient" not in numbers or not len(body):
            raise UserError(f"{where}: no global_orient [L, 3] and body_pose [L, 63]. Expected GVHMR's results")
        root = _array(numbers, "global_orient", 3, where, len(body))
        pose = np.concatenate([root, body], axis=1)
        if np.isnan(pose).all():
            raise UserError(f"{where}: every rotation is NaN. Nothing can be refined")
        tracks.append(
            _spread(
                0,
                np.arange(len(body)),
                pose,
                _betas(numbers, len(body), where),
                _array(numbers, "transl", 3, where, len(body)),
                part,
                False,
            )
        )
        places.append(key)
    source = {"content": content, "places": places, "originals": [track.poses.copy() for track in tracks]}
    notes = [] if fps else ["GVHMR files carry no frame rate: 30 a second, to which it re-times its input"]
    frames = max(len(track.poses) for track in tracks)
    return PoseFile("gvhmr", tracks, frames, fps or 30.0, None, image_size, True, source, notes)


def write_gvhmr(pose_file, refined, output_path, derived=None, translations=None):
    import torch

    source = pose_file.source
    refined = _one_body(refined, pose_file.tracks, source["originals"])
    content = copy.copy(source["content"])
    for number, key in enumerate(source["places"]):
        params, track = copy.copy(content[key]), pose_file.tracks[number]
        values = {
            "global_orient": (refined[number][:, :1], source["originals"][number][:, :1]),
            "body_pose": (refined[number][:, 1:], source["originals"][number][:, 1:]),
        }
        if translations is not None and translations[number] is not None and track.translation is not None:
            values["transl"] = (translations[number], track.translation)
        for name, pair in values.items():
            old = params[name].detach().numpy()
            new = _merged(old, *pair)
            params[name] = params[name] if new is old else torch.from_numpy(new)
        content[key] = params
    buffer = io.BytesIO()  # torch reports a full disk as an error without a cause, a file as what it is
    torch.save(content, buffer)
    write_bytes(output_path, buffer.getbuffer())
    return []
