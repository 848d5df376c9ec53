"""C3D marker trajectories (the extra `mocap`, package c3d): points [T, J, 3] in the file's unit, -1 residual where missing.

Written back as a copy of the file with new coordinates, so that analog data, events and parameters stay as they are.
"""

import contextlib
import io
import struct
import warnings

import numpy as np

from ..errors import UserError
from ..files import write_bytes
from .tracks import PoseFile, Track, joint_names, layout_of_names

UNITS = {"m": "m", "mm": "mm", "cm": "cm"}


def sniff(opened):
    return (
        not opened.is_folder and opened.suffix == ".c3d" or opened.head[1:2] == b"\x50" and opened.head[:1] == b"\x02"
    )


def read(opened, image_size=None, fps=None):
    content = opened.content
    try:
        with _quiet():
            reader = _reader(content)
            names = [label.strip() or f"marker {number}" for number, label in enumerate(reader.point_labels)]
            names = names[: reader.point_used]
            frames = [points[:, :5] for _, points, _ in reader.read_frames(copy=True)]
            said = reader.last_frame - reader.first_frame + 1
    except (ImportError, MemoryError):
        raise
    except Exception as error:  # of a damaged file the library raises nearly anything
        reason = str(error).strip() if isinstance(error, AssertionError) else "its header or parameters are damaged"
        raise UserError(f"{opened.path}: not a readable C3D file ({reason[:100]}). Copy or export it again") from error
    if not frames or not names:
        raise UserError(f"{opened.path}: no frame, or no marker, in it. Export it again")
    array = np.array(frames, dtype=np.float64)[:, : len(names)]
    poses = array[..., :3].copy()
    poses[(array[..., 3] < 0) | ~np.isfinite(poses).all(axis=-1)] = np.nan
    poses[(poses == 0).all(axis=-1)] = np.nan
    if np.isnan(poses).all():
        raise UserError(f"{opened.path}: every marker of every frame is missing. Nothing can be refined")
    units = _text(reader, "POINT:UNITS").lower()
    joints = joint_names(names)
    track = Track(0, "person", poses, None, "3D", layout_of_names(names), joints, units=UNITS.get(units))
    track.recorded = array[..., 3] >= 0
    rate = float(reader.point_rate) or None
    source = {"content": content, "original": poses.copy()}
    cut = said > len(frames)
    notes = [f"warning: the header says {said} frames, the file has {len(frames)}: was it cut short?"] if cut else []
    return PoseFile("c3d", [track], len(poses), fps or rate, None, image_size, True, source, notes)


def _reader(content):
    import c3d  # an extra

    return c3d.Reader(io.BytesIO(content))


@contextlib.contextmanager
def _quiet():
    """Without the library's remarks, such as: no analog data, or a residual that is not finite. Nothing here needs them."""
    with warnings.catch_warnings():
        for kind in (UserWarning, RuntimeWarning):
            warnings.simplefilter("ignore", kind)
        yield


def _text(reader, name):
    parameter = reader.get(name)
    if parameter is None:
        return ""
    value = parameter.bytes
    return value.decode("utf-8", "replace").strip() if isinstance(value, bytes) else ""


def write(pose_file, refined, output_path):
    source = pose_file.source
    content = bytearray(source["content"])
    (repaired,) = pose_file.repaired or [None]
    original = source["original"] if repaired is None else repaired.exchange(source["original"])
    changed = np.isfinite(refined[0]) & (refined[0] != original)
    with _quiet():
        reader = _reader(bytes(content))
    order = "<" if content[512 * (content[0] - 1) + 3] == 84 else None
    if order is None:
        raise UserError(
            f"{output_path}: written on another kind of processor (DEC or MIPS); only Intel C3D files are written back"
        )
    start = 512 * (reader.header.data_block - 1)
    scale = reader.point_scale
    whole = scale > 0  # integers times the scale
    size = 2 if whole else 4
    point = 4 * size
    frame = reader.point_used * point + reader.header.analog_count * size
    for number in range(len(changed)) if repaired is not None else ():
        for pair in repaired.swaps(number):
            left, right = (
                slice(place, place + point) for place in (start + number * frame + joint * point for joint in pair)
            )
            content[left], content[right] = content[right], content[left]
    for number, joint, axis in zip(*np.nonzero(changed)):
        place = start + number * frame + joint * point + axis * size
        value = refined[0][number, joint, axis]
        if whole:
            level = round(value / scale)
            if not -32768 <= level <= 32767:
                raise UserError(
                    f"{output_path}: {value:g} does not fit into this file's 16-bit numbers. Save it with real numbers"
                )
            struct.pack_into("<h", content, place, level)
        else:
            struct.pack_into("<f", content, place, value)
    write_bytes(output_path, bytes(content))


def write_new(path, names, poses, units, fps):
    """Write a C3D file of markers: names [J]; poses [T, J, 3], NaN where missing; units: "m", "mm", "cm" or "" (unknown)."""
    import c3d

    seen = np.isfinite(poses).all(axis=-1)
    points = np.zeros((*poses.shape[:2], 5), dtype=np.float32)  # x, y, z, residual, cameras
    points[..., :3] = np.where(seen[..., None], poses, 0)
    points[..., 3] = np.where(seen, 0, -1)
    writer = c3d.Writer(point_rate=fps, point_units=units)
    writer.set_point_labels(list(names))
    writer.add_frames([(frame, np.zeros((0, 0))) for frame in points])
    buffer = io.BytesIO()
    with _quiet():
        writer.write(buffer)
    write_bytes(path, buffer.getvalue())
