"""One self-contained HTML page that plays pose sequences: input, refined, filter and ground truth.

The page opens from disk without any network. Its looks and behaviour are in `page_template.html`, `.css` and
`.js` beside this file; here the tracks are packed small and everything is put into one file.

How a track is packed (`_pack`): every coordinate is rounded to a multiple of `step`, at most 0.1 mm or
1/32 px, so that the file is half of that away from the data at worst. `origin` holds where each coordinate
starts. The differences from one seen frame to the next are folded to unsigned 16 bit (0, -1, 1, -2, 2 become
0, 1, 2, 3, 4); 0xFFFF is a missing joint. The low bytes of all codes, coordinate by coordinate, and then the
high bytes are deflated. Where a joint jumps too far for 16 bit, as only broken data do, the step grows;
the page says how precise its coordinates are.
"""

import base64
import dataclasses
import hashlib
import json
import math
import zlib
from pathlib import Path

import numpy as np

from ..files import write_text
from . import palette

ROLES = ("input", "refined", "filter", "truth")
STEP = {2: 1 / 32, 3: 1e-4}  # px, m
MISSING = 0xFFFF
LARGEST_DELTA = 32767


@dataclasses.dataclass(frozen=True)
class PageTrack:
    """One person's joints as one method gives them.

    joints: [T, J, 2] px or [T, J, 3] m in the camera frame (x right, y down, z forward); a joint with a
        coordinate that is not finite is missing in that frame.
    role: 'input', 'refined', 'filter' or 'truth'. It decides the colour and what is compared with what.
    person: label of the person (of a sequence of several views: of the view); errors are taken against the truth track of
        the same person.
    sigma: [T, J], the standard deviation of a joint's coordinates in their unit, NaN where unknown, or None; a band about the curves
        of coordinates.
    """

    name: str
    role: str
    joints: np.ndarray
    person: str = ""
    sigma: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class PageSequence:
    """What is played together: tracks of equal shape. `layout` replaces the page's own in this sequence.

    unit: of its distances as shown, "px" or the like; default: px of 2D, mm of 3D. views: whether its "persons" are one
    person in several cameras, each drawn in a panel of its own.
    """

    name: str
    fps: float
    tracks: list
    layout: object = None
    unit: str = ""
    views: bool = False


def write_page(path, sequences, layout, provenance, metrics=None, title="Pose sequences"):
    """Write the page to `path`, whole or not at all, and return the path.

    sequences: list of PageSequence. layout: lib.poses.skeletons.Layout; without edges joints are dots.
    provenance: {label: text or number} on how the page was made (command, checkpoint hash, config);
        text of several lines is folded away until asked for.
    metrics: list of {column: text or number}, the rows of the metrics table.

    Any text may hold anything: it reaches the page as JSON and is only ever shown as text.
    Raises ValueError when shapes, roles or frame rates do not fit together.
    """
    if not sequences:
        raise ValueError("a page needs at least one sequence")
    layouts = []
    places = palette.places(
        [(track.name, track.role) for sequence in sequences for track in sequence.tracks if track.role in ROLES]
    )
    data = {
        "title": title,
        "palette": {"light": palette.LIGHT, "dark": palette.DARK},
        "sequences": [_sequence(sequence, sequence.layout or layout, layouts, places) for sequence in sequences],
        "layouts": [_layout(known) for known in layouts],
        "metrics": [{str(column): _plain(value) for column, value in row.items()} for row in metrics or []],
        "provenance": {str(label): _plain(value) for label, value in provenance.items()},
    }
    page = _assemble(data)
    write_text(path, page)
    return Path(path)


def _sequence(sequence, layout, layouts, places):
    """The sequence as the page reads it; a layout that is not yet in `layouts` is added there; places: of colours, by name."""
    where = f"sequence {sequence.name!r}"
    if not sequence.tracks:
        raise ValueError(f"{where}: no tracks")
    if not (math.isfinite(sequence.fps) and sequence.fps > 0):
        raise ValueError(f"{where}: frame rate {sequence.fps} is not a positive number")
    shape = np.shape(sequence.tracks[0].joints)
    if len(shape) != 3 or shape[0] < 1 or shape[1] != len(layout.joints) or shape[2] not in STEP:
        raise ValueError(f"{where}: joints are {shape}, expected [T, {len(layout.joints)}, 2 or 3], T > 0")
    for track in sequence.tracks:
        if track.role not in ROLES:
            raise ValueError(f"{where}: role {track.role!r} of track {track.name!r} is none of {ROLES}")
        if np.shape(track.joints) != shape:
            raise ValueError(f"{where}: track {track.name!r} is {np.shape(track.joints)}, expected {shape}")
        if track.sigma is not None and np.shape(track.sigma) != shape[:2]:
            raise ValueError(f"{where}: sigma of {track.name!r} is {np.shape(track.sigma)}, expected {shape[:2]}")
    if layout not in layouts:
        layouts.append(layout)
    return {
        "name": sequence.name,
        "fps": float(sequence.fps),
        "frames": shape[0],
        "dims": shape[2],
        "unit": sequence.unit or {2: "px", 3: "mm"}[shape[2]],
        "layout": layouts.index(layout),
        "views": sequence.views,
        "tracks": [
            {
                "name": track.name,
                "role": track.role,
                "place": places[track.name],
                "person": str(track.person),
                **_pack(track.joints),
                **({} if track.sigma is None else {"sigma": _pack(track.sigma[..., None], STEP[shape[2]])}),
            }
            for track in sequence.tracks
        ],
    }


def _layout(layout):
    return {
        "joints": list(layout.joints),
        "edges": [list(edge) for edge in layout.lines],
        "root": list(layout.root),
        "sides": list(layout.sides),
    }


def _pack(joints, step=None):
    """[T, J, D] as {"step", "origin" [J*D] in steps, "data"}: see the top of this file; step: at most, default that of D."""
    joints = np.asarray(joints, dtype=np.float64)
    frames, count, dims = joints.shape
    seen = np.isfinite(joints).all(axis=2)
    extent = np.ptp(joints[seen], axis=0).max() if seen.any() else 0.0
    # Coordinates in unknown small units, such as shares of the image, keep their detail as well.
    most = step or STEP[dims]
    step = min(most, extent / 16384) or most

    known = np.repeat(seen, dims, axis=1).T
    channels = np.where(seen[..., None], joints, 0.0).reshape(frames, -1).T
    # Frames that miss a joint repeat the last that has it, or the first where none came before.
    source = np.maximum.accumulate(np.where(known, np.arange(frames), -1), axis=1)
    source = np.where(source < 0, known.argmax(axis=1)[:, None], source)
    channels = np.take_along_axis(channels, source, axis=1)
    levels = np.rint(channels / step)
    largest = np.abs(np.diff(levels, axis=1)).max(initial=0)
    if largest > LARGEST_DELTA:
        step *= largest / (LARGEST_DELTA - 1)  # rounding anew moves a difference by at most one
        levels = np.rint(channels / step)

    deltas = np.diff(levels, axis=1, prepend=levels[:, :1]).astype(np.int32)
    codes = np.where(known, (deltas << 1) ^ (deltas >> 31), MISSING).astype("<u2")
    planes = codes.reshape(-1).view(np.uint8).reshape(-1, 2).T
    return {
        "step": float(step),
        "origin": levels[:, 0].astype(np.int64).tolist(),
        "data": base64.b64encode(zlib.compress(planes.tobytes(), 9)).decode("ascii"),
    }


def _plain(value):
    """The value as JSON has it: text or a number; None for a number that is not finite."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    return str(value)


def _assemble(data):
    """Template, style, script and data in one string.

    No text of the user's is put into HTML. In the JSON block `<` is written \\u003c, so nothing in it can end
    the block, and the page's security policy names the two hashes: no other script or style runs, and
    nothing is fetched.
    """
    html, style, script = (
        Path(__file__).with_name(f"page_template.{ending}").read_text(encoding="utf-8")
        for ending in ("html", "css", "js")
    )
    text = json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    for mark, content in (
        ("{{style_hash}}", _policy_hash(style)),
        ("{{script_hash}}", _policy_hash(script)),
        ("{{style}}", style),
        ("{{script}}", script),
        ("{{data}}", text),  # last: its text may hold any of the marks
    ):
        before, after = html.split(mark)
        html = before + content + after
    return html


def _policy_hash(text):
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
