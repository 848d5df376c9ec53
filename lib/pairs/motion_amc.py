"""ASF and AMC files, as the CMU motion capture database has them: the skeleton in one file, each recording in another.

A bone's angles turn it about its own axes, which the skeleton tells: turned by C M C^-1, where C are its axes and M its angles
(Acclaim's format). The rotation that comes out leads from the skeleton's rest pose to the world, y up. T frames.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from ..errors import UserError

FPS = 120.0  # of CMU's recordings; the file does not tell
BONES = {
    "root": "Hips",
    "lowerback": "LowerBack",
    "upperback": "Spine",
    "thorax": "Spine1",
    "lowerneck": "Neck",
    "upperneck": "Neck1",
    "head": "Head",
    "clavicle": "Shoulder",
    "humerus": "Arm",
    "radius": "ForeArm",
    "hand": "Hand",
    "femur": "UpLeg",
    "tibia": "Leg",
    "foot": "Foot",
    "toes": "ToeBase",
}
SIDES = {"l": "Left", "r": "Right"}
POINTED = ("humerus", "radius", "femur", "tibia")  # whose direction at rest differs from body to body


@dataclass(frozen=True)
class Bone:
    """One bone of a skeleton: direction [3] and length at rest, its axes as a `Rotation`, and the angles that it has (`rx`, ...)."""

    name: str
    parent: str | None
    direction: np.ndarray
    length: float
    axes: Rotation
    freedoms: tuple[str, ...]


def read(path):
    """(turns {bone of the rig: [T, 3, 3]}, directions {bone: [3]}, roots [T, 3], leg, in the file's unit) of an AMC file.

    Raises UserError where its skeleton, an .asf of the same subject, is not beside it, and for damaged files.
    """
    skeleton_path = _skeleton_of(Path(path))
    bones, degrees = _skeleton(skeleton_path)
    frames = _frames(Path(path))
    world, roots = {}, None
    for bone in bones:
        values = _values(frames, bone, path)
        angles = np.stack([values.get(f"r{axis}", np.zeros(len(frames))) for axis in "xyz"], axis=1)
        own = bone.axes * Rotation.from_euler("xyz", angles, degrees=degrees) * bone.axes.inv()
        world[bone.name] = own if bone.parent is None else world[bone.parent] * own
        if bone.parent is None:
            roots = np.stack([values.get(f"t{axis}", np.zeros(len(frames))) for axis in "xyz"], axis=1)
    turns, directions = {}, {}
    for bone in bones:
        side, part = ("", bone.name) if bone.name in BONES else (bone.name[:1], bone.name[1:])
        if part in BONES and (side in SIDES or not side):
            name = SIDES.get(side, "") + BONES[part]
            turns[name] = world[bone.name].as_matrix()
            if part in POINTED:
                directions[name] = bone.direction
    lengths = {bone.name: bone.length for bone in bones}
    lacking = [name for name in ("lfemur", "ltibia", "rfemur", "lhumerus", "rhumerus", "thorax") if name not in lengths]
    if lacking:
        raise UserError(
            f"{skeleton_path}: no {', '.join(lacking)} among its bones. Bones are known by the names of CMU's skeletons"
        )
    return turns, directions, roots, lengths["lfemur"] + lengths["ltibia"]


def _skeleton_of(path):
    """The .asf of an AMC file: `01.asf` for `01_05.amc`, else of its own name, else the only one in the folder."""
    for name in (path.stem.rsplit("_", 1)[0], path.stem):
        for end in (".asf", ".ASF"):
            if (path.parent / f"{name}{end}").is_file():
                return path.parent / f"{name}{end}"
    found = [one for one in path.parent.iterdir() if one.suffix.lower() == ".asf"]
    if len(found) == 1:
        return found[0]
    raise UserError(
        f"{path}: an AMC file has angles alone; its skeleton, {path.stem.rsplit('_', 1)[0]}.asf, is not beside it. Put it there"
    )


def _skeleton(path):
    """(bones, parents first; whether angles are in degrees) of an ASF file."""
    sections = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        words = line.split("#")[0].split()
        if words and words[0].startswith(":"):
            lines = sections.setdefault(words[0][1:].lower(), [])
            words = words[1:]
        elif not sections:
            continue
        if words:
            lines.append(words)
    lacking = [name for name in ("root", "bonedata", "hierarchy") if name not in sections]
    if lacking:
        raise UserError(f"{path}: no :{', :'.join(lacking)}: it is no ASF skeleton, or was cut off")
    units = {words[0].lower(): words[-1].lower() for words in sections.get("units", [])}
    degrees = units.get("angle", "deg").startswith("deg")
    found = {"root": _bone([["name", "root"], *sections["root"]], degrees)}
    block = None
    for words in sections["bonedata"]:
        if words[0] == "begin":
            block = []
        elif words[0] == "end" and block is not None:
            bone = _bone(block, degrees)
            found[bone.name] = bone
        elif block is not None:
            block.append(words)
    return _ordered(found, sections["hierarchy"], path), degrees


def _bone(lines, degrees):
    told = {words[0].lower(): words[1:] for words in lines}
    axis = told.get("axis", ["XYZ"])
    angles, order = (axis[:3], axis[3]) if len(axis) > 3 else (told.get("orientation", [0, 0, 0]), axis[0])
    return Bone(
        name=told["name"][0],
        parent=None,
        direction=np.array(told.get("direction", [0, 0, 0]), dtype=float),
        length=float(told.get("length", [0])[0]),
        axes=Rotation.from_euler(order.lower(), np.array(angles, dtype=float), degrees=degrees),
        freedoms=tuple(word.lower() for word in told.get("dof", told.get("order", []))),
    )


def _ordered(found, hierarchy, path):
    """The bones with their parents, parents first."""
    result, known = [found["root"]], {"root"}
    for words in hierarchy:
        if words[0] in ("begin", "end"):
            continue
        for name in words[1:]:
            if words[0] not in known or name not in found or name in known:
                raise UserError(f"{path}: the hierarchy hangs {name} on {words[0]}, which does not fit its bones")
            known.add(name)
            result.append(replace(found[name], parent=words[0]))
    return result


def _frames(path):
    """[{bone: its numbers}] of an AMC file."""
    frames = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        words = line.split("#")[0].split()
        if not words or words[0].startswith(":"):
            continue
        if len(words) == 1 and words[0].isdigit():
            frames.append({})
        elif frames:
            frames[-1][words[0]] = words[1:]
    if not frames:
        raise UserError(f"{path}: no frame in it: it is no AMC file, or was cut off")
    return frames


def _values(frames, bone, path):
    """{freedom: [T]} of a bone."""
    if not bone.freedoms:
        return {}
    rows = [frame.get(bone.name, ()) for frame in frames]
    for place, row in enumerate(rows):
        if len(row) != len(bone.freedoms):
            raise UserError(
                f"{path}: frame {place + 1} has {len(row)} numbers for {bone.name}, which has {len(bone.freedoms)} in the skeleton. "
                "Give the .asf of the same subject, or the whole file"
            )
    return dict(zip(bone.freedoms, np.array(rows, dtype=float).T))
