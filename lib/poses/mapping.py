"""From other tools' joints to a network's: which joint is which, and which ones are the middle of others."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .skeletons import LAYOUTS, Layout

# Joints of Human3.6M that detectors lack, each the mean of joints that they have.
DERIVED = {
    "pelvis": ("left_hip", "right_hip"),
    "thorax": ("left_shoulder", "right_shoulder"),
    "spine": ("left_hip", "right_hip", "left_shoulder", "right_shoulder"),
    "head": ("left_ear", "right_ear"),
}
# A nose for skeletons without a face, such as a Kinect's, as the Kinect's training clips have it: where the chest looks, from the head down
# its axis and ahead, in lengths from the base of the neck to the head.
FACELESS = ("head", "thorax", "left_shoulder", "right_shoulder")
NOSE_DOWN, NOSE_AHEAD = 0.63, 0.38
# Bones by the names of their joints, for drawing a layout of which only names are known.
_BONES = (
    "hip-knee knee-ankle ankle-heel ankle-big_toe big_toe-small_toe ankle-foot_index heel-foot_index ankle-foot "
    "shoulder-elbow elbow-wrist wrist-pinky wrist-index wrist-thumb wrist-hand ear-eye hand-hand_tip"
).split()
_MIDDLE = (
    "nose-left_eye nose-right_eye left_eye-left_ear right_eye-right_ear left_shoulder-right_shoulder left_hip-right_hip "
    "left_shoulder-left_hip right_shoulder-right_hip neck-left_shoulder neck-right_shoulder nose-neck "
    "neck-mid_hip mid_hip-left_hip mid_hip-right_hip neck-hip hip-left_hip hip-right_hip left_mouth-right_mouth "
    "pelvis-left_hip pelvis-right_hip pelvis-spine spine-thorax thorax-neck neck-head head-head_top"
).split()
# Joints of Human3.6M from which bones lead on, and those on their way.
_TIPS = ("_wrist", "_ankle", "_hand", "_foot", "_heel", "_big_toe")
# What joins the head to the body where there is no neck: the first that there is.
_HEADS = (
    "left_ear-left_shoulder right_ear-right_shoulder",
    "nose-left_shoulder nose-right_shoulder",
    "thorax-head thorax-nose",
)


@dataclass(frozen=True)
class Mapping:
    """How the joints of a network's layout come from a file's.

    gather: [K, J], every target joint a weighted mean of source joints; written: pairs (target, source) of the
    joints that both have, the only ones that go back into the file; missing: target joints that nothing stands for
    (rotations only, where they are the identity); nose: the target row that is made of the source joints `face`, those of
    FACELESS in this order, or None.
    """

    gather: np.ndarray
    written: tuple
    missing: tuple = ()
    nose: int | None = None
    face: tuple = ()

    def take(self, poses):
        """Target joints [..., K, D] of poses [..., J, D]; NaN where a joint that is needed is missing."""
        if self._plain:
            return poses[..., self._order, :]
        used = self.needed
        weights, values = self.gather[:, used], poses[..., used, :]
        there = np.isfinite(values).all(axis=-1)
        taken = weights @ np.where(there[..., None], values, 0.0)
        if self.nose is not None:
            taken[..., self.nose, :] = _nose(*(poses[..., joint, :] for joint in self.face))
        if there.all():
            return taken
        lacks = (~there).astype(float) @ (weights != 0).T.astype(float) > 0
        return np.where(lacks[..., None], np.nan, taken)

    @cached_property
    def _plain(self):
        return not self.missing and len(self.written) == len(self.gather)

    @cached_property
    def _order(self):
        return [source for _, source in self.written]

    @cached_property
    def needed(self):
        """Source joints, an array of indices."""
        return np.flatnonzero(self.gather.any(axis=0))


def _nose(head, thorax, left, right):
    """[..., 3] of joints [..., 3] in right-handed axes."""
    axis, across = head - thorax, left - right
    ahead = np.cross(across, axis)
    length, ahead_length = (np.linalg.norm(each, axis=-1, keepdims=True) for each in (axis, ahead))
    return head - NOSE_DOWN * axis + NOSE_AHEAD * length * ahead / np.maximum(ahead_length, 1e-12)


def to_joints(target, names, may_lack=(), derive=True, in_space=False):
    """The `Mapping` from joints called `names` to those of `target` (a tuple of names), or None where one is missing.

    Joints of the same name are the same joint. pelvis, thorax, spine and head are the means of `DERIVED`, unless the
    file has all four under these names, as Human3.6M orders do (a detector's own `head` is another place).
    may_lack: target joints that need no source; derive: False for rotations, whose means are no joints; in_space: True for 3D
    joints, where a nose can be made of a head and shoulders.
    """
    names = tuple(names)
    direct = set(DERIVED) <= set(names) or not set(DERIVED) & set(target) or "left_ear" not in names
    gather, written, missing, nose = np.zeros((len(target), len(names))), [], [], None
    faceless = in_space and "left_ear" not in names and set(FACELESS) <= set(names)
    for row, joint in enumerate(target):
        if joint in names and (direct or joint not in DERIVED):
            gather[row, names.index(joint)] = 1
            written.append((row, names.index(joint)))
        elif derive and joint in DERIVED and all(part in names for part in DERIVED[joint]):
            for part in DERIVED[joint]:
                gather[row, names.index(part)] = 1 / len(DERIVED[joint])
        elif joint == "nose" and faceless:
            nose = row
            for part in FACELESS:
                gather[row, names.index(part)] = 1 / len(FACELESS)
        elif joint in may_lack:
            missing.append(row)
        else:
            return None
    face = () if nose is None else tuple(names.index(part) for part in FACELESS)
    return Mapping(gather, tuple(written), tuple(missing), nose, face)


def root_weights(names):
    """Weights [J] whose mean is the body's root (the pelvis, or the middle of the hips); None where there are none."""
    if names is None:
        return None
    weights = np.zeros(len(names))
    groups = (("pelvis",), ("mid_hip",), ("hip",), ("left_hip", "right_hip"))
    roots = next((group for group in groups if all(name in names for name in group)), None)
    if roots is None:
        return None
    for name in roots:
        weights[names.index(name)] = 1 / len(roots)
    return weights


def top(names):
    """Indices of joints at the upper end of the body, best first; None where there are none."""
    for group in (
        ("head_top",),
        ("head",),
        ("left_ear", "right_ear"),
        ("nose",),
        ("neck",),
        ("thorax",),
        ("left_shoulder", "right_shoulder"),
    ):
        if names is not None and all(name in names for name in group):
            return [names.index(name) for name in group]
    return None


def one_tree(names):
    """(`Layout` whose bones join all its joints to the pelvis, `Mapping` onto it) for joints called `names`, or None.

    Human3.6M's 17 joints, of which detectors' joints give the pelvis, spine, thorax and head, and what their bones lead to from
    there: feet and hands.
    """
    base = LAYOUTS["h36m17"]
    fit = to_joints(base.joints, names)
    if fit is None:
        return None
    joints, edges, rows = list(base.joints), list(base.edges), list(fit.gather)
    bones = [(names[a], names[b]) for edge in drawn_layout("", names).edges for a, b in (edge, edge[::-1])]
    for place, joint in enumerate(joints):  # which grows on the way
        for begin, end in bones:
            if begin == joint and end not in joints and joint.endswith(_TIPS):
                edges.append((place, len(joints)))
                joints.append(end)
                rows.append(np.eye(len(names))[names.index(end)])
    return Layout("h36m17 and more", tuple(joints), tuple(edges), base.root), Mapping(np.array(rows), ())


def drawn_layout(name, names):
    """A `Layout` with bones for joints called `names`, as far as their names say what is joined to what."""
    found = []
    pairs = [tuple(bone.split("-")) for bone in _MIDDLE]
    pairs += [
        (f"{side}_{a}", f"{side}_{b}") for side in ("left", "right") for a, b in (bone.split("-") for bone in _BONES)
    ]
    heads = () if "neck" in names else _HEADS
    joined = (tuple(tuple(bone.split("-")) for bone in head.split()) for head in heads)
    pairs += next((head for head in joined if any(a in names and b in names for a, b in head)), ())
    for a, b in pairs:
        if a in names and b in names:
            found.append((names.index(a), names.index(b)))
    weights = root_weights(names)
    root = (0,) if weights is None else tuple(np.flatnonzero(weights).tolist())
    return Layout(name, tuple(names), tuple(dict.fromkeys(found)), root)
