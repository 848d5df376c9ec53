"""BVH files as 17 joints: the hierarchy and its rotations give places, and joints are known by the usual names.

What a rest pose looks like differs from program to program, so only the places are used. T frames, J = 17 joints of h36m17.
"""

import re

import numpy as np
from scipy.spatial.transform import Rotation

from ..errors import UserError
from . import body

# Names of limbs' joints without side, in the order in which they are tried; first the ones that mean nothing else.
LIMBS = {
    "hip": ("upleg", "thigh", "upperleg", "upperlegs", "hip"),
    "knee": ("knee", "leg", "shin", "calf", "lowerleg"),
    "ankle": ("ankle", "foot"),
    "shoulder": ("uparm", "upperarm", "arm", "shldr", "shoulder"),
    "elbow": ("elbow", "forearm", "lowarm", "lowerarm"),
    "wrist": ("wrist", "hand"),
}
MIDDLE = {"neck": ("neck", "neck1", "thorax"), "head": ("head",)}


def joints(text, path):
    """(joints [T, J, 3] in the file's unit with y up, frames per second) of a BVH file's text. Raises UserError."""
    names, parents, offsets, channels, rest = _hierarchy(text.split(), path)
    numbers = _motion(rest, sum(map(len, channels)), path)
    places = _places(parents, offsets, channels, numbers[1])
    found = _named(names, path)
    at = {name: places[:, place] for name, place in found.items()}
    end = {parents[place]: place for place, name in enumerate(names) if name == "end site"}
    at["head_end"] = places[:, end[found["head"]]] if found["head"] in end else at["head"]
    return _upright(_whole(at)), 1 / numbers[0]


def _hierarchy(words, path):
    """(names, parents, offsets [N, 3], channels of each, the words of MOTION)."""
    names, parents, offsets, channels, open_ = [], [], [], [], []
    place, last = 1, -1
    while words[place] != "MOTION":
        word = words[place]
        if word in ("ROOT", "JOINT", "End"):
            name = words[place + 1].lower() if word != "End" else "end site"
            names.append(name)
            parents.append(open_[-1] if open_ else -1)
            offsets.append(np.zeros(3))
            channels.append([])
            last, place = len(names) - 1, place + 2
        elif word == "OFFSET":
            offsets[last] = np.array(words[place + 1 : place + 4], dtype=float)
            place += 4
        elif word == "CHANNELS":
            count = int(words[place + 1])
            channels[last] = [one.lower() for one in words[place + 2 : place + 2 + count]]
            place += 2 + count
        elif word in "{}":
            open_.append(last) if word == "{" else open_.pop()
            place += 1
        else:
            raise UserError(f"{path}: {word[:40]!r} in the hierarchy of a BVH file. Export it again")
    return names, parents, np.array(offsets), channels, words[place + 1 :]


def _motion(words, width, path):
    """(seconds of a frame, numbers [T, width])."""
    count, step = int(words[words.index("Frames:") + 1]), float(words[words.index("Time:") + 1])
    values = np.array(words[words.index("Time:") + 2 :], dtype=float)
    if values.size != count * width or not count or not step > 0:
        raise UserError(
            f"{path}: {values.size} numbers of motion; {count} frames of {width} channels were announced. Export it again"
        )
    return step, values.reshape(count, width)


def _places(parents, offsets, channels, numbers):
    """Places [T, N, 3] of all joints."""
    places = np.zeros((len(numbers), len(parents), 3))
    turned = np.tile(np.eye(3), (len(numbers), len(parents), 1, 1))
    column = 0
    for joint, parent in enumerate(parents):
        mine = channels[joint]
        values = dict(zip(mine, numbers[:, column : column + len(mine)].T))
        column += len(mine)
        shift = offsets[joint] + np.zeros((len(numbers), 3))
        if "xposition" in values:
            shift = np.stack([values[f"{axis}position"] for axis in "xyz"], axis=1)
        axes = [name[0].upper() for name in mine if name.endswith("rotation")]
        local = np.eye(3)
        if axes:
            angles = np.stack([values[f"{axis.lower()}rotation"] for axis in axes], axis=1)
            local = Rotation.from_euler("".join(axes), angles, degrees=True).as_matrix()
        above = turned[:, parent] if parent >= 0 else np.eye(3)
        start = places[:, parent] if parent >= 0 else 0
        places[:, joint] = start + (above @ shift[..., None])[..., 0]
        turned[:, joint] = above @ local
    return places


def _named(names, path):
    """{joint of ours: place in the file} by names such as mixamorig:LeftUpLeg, lThigh, left_hip, thigh_l."""
    plain = {}
    for place, name in enumerate(names):
        plain.setdefault(_plain(name), place)
    found = {}
    for ours, known in MIDDLE.items():
        found[ours] = next((plain["", one] for one in known if ("", one) in plain), None)
    for side in ("left", "right"):
        for ours, known in LIMBS.items():
            found[f"{side}_{ours}"] = next((plain[side, one] for one in known if (side, one) in plain), None)
    lacking = [name for name, place in found.items() if place is None]
    if lacking:
        raise UserError(
            f"{path}: no {', '.join(lacking)} among its joints {', '.join(names[:6])}, ... Names such as LeftUpLeg, lThigh or "
            "left_hip are known: rename them in your animation program"
        )
    return found


def _plain(name):
    """(side, name without side, prefix and signs)."""
    name = re.sub(r"[^a-z0-9]+", "_", name.split(":")[-1].lower()).strip("_")
    for side, mark in (("left", "left"), ("right", "right"), ("left", "l"), ("right", "r")):
        for pattern in (rf"^{mark}_?(.+)$", rf"^(.+)_{mark}$"):
            match = re.match(pattern, name)
            if match and (
                len(mark) > 1 or "_" in name or match[1] in {one for known in LIMBS.values() for one in known}
            ):
                return side, match[1].replace("_", "")
    return "", name.replace("_", "")


def _whole(at):
    """Joints [T, J, 3] of those that were found."""
    pelvis = (at["left_hip"] + at["right_hip"]) / 2
    thorax = (at["left_shoulder"] + at["right_shoulder"]) / 2
    up, left = _unit(thorax - pelvis), at["left_shoulder"] - at["right_shoulder"]
    size = np.median(np.linalg.norm(thorax - pelvis, axis=1))
    # Of the head its own direction is taken where it has an end, and that it looks ahead with the shoulders.
    crown = at["head"] + size * 0.4 * _unit(at["head_end"] - at["neck"])
    nose = at["head"] + size * 0.25 * _unit(np.cross(left, up))
    at = {**at, "pelvis": pelvis, "spine": (pelvis + thorax) / 2, "thorax": thorax, "nose": nose, "head": crown}
    return np.stack([at[name] for name in body.JOINTS], axis=1)


def _unit(vectors):
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def _upright(joints):
    """The same joints with y up, where the file has z up."""
    up = (joints[:, 8] - joints[:, 0]).mean(axis=0)  # pelvis to thorax
    return joints @ np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]) if abs(up[2]) > abs(up[1]) else joints
