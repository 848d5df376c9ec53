"""What a pose file is once it is read: one track for each person and key-point set, whoever wrote it."""

import os
import re
from dataclasses import dataclass, field

import numpy as np

from ..poses.skeletons import LAYOUTS


def _names(text):
    """Joint names from one string, with l_/r_ for left_/right_."""
    full = {"l_": "left_", "r_": "right_"}
    return tuple(full.get(word[:2], word[:2]) + word[2:] for word in text.split())


_COCO17 = _names(
    "nose l_eye r_eye l_ear r_ear l_shoulder r_shoulder l_elbow r_elbow l_wrist r_wrist "
    "l_hip r_hip l_knee r_knee l_ankle r_ankle"
)


def _fingers(side):
    """Four joints of each finger of a hand, from the tip to the palm."""
    fingers = ("thumb", "index", "middle", "ring", "pinky")
    return tuple(f"{side}_{finger}_{place}" for finger in fingers for place in ("tip", "1", "2", "3"))


# Joint names of each layout, in its order; sides are prefixes.
JOINT_NAMES = {
    "coco17": _COCO17,
    "coco18": _names(
        "nose neck r_shoulder r_elbow r_wrist l_shoulder l_elbow l_wrist r_hip r_knee r_ankle "
        "l_hip l_knee l_ankle r_eye l_eye r_ear l_ear"
    ),
    "openpose25": _names(
        "nose neck r_shoulder r_elbow r_wrist l_shoulder l_elbow l_wrist mid_hip r_hip "
        "r_knee r_ankle l_hip l_knee l_ankle r_eye l_eye r_ear l_ear l_big_toe l_small_toe "
        "l_heel r_big_toe r_small_toe r_heel"
    ),
    "halpe26": _COCO17 + _names("head neck hip l_big_toe r_big_toe l_small_toe r_small_toe l_heel r_heel"),
    "mediapipe33": _names(
        "nose l_eye_inner l_eye l_eye_outer r_eye_inner r_eye r_eye_outer l_ear r_ear "
        "l_mouth r_mouth l_shoulder r_shoulder l_elbow r_elbow l_wrist r_wrist l_pinky "
        "r_pinky l_index r_index l_thumb r_thumb l_hip r_hip l_knee r_knee l_ankle "
        "r_ankle l_heel r_heel l_foot_index r_foot_index"
    ),
    # Kinect v2, and NTU RGB+D.
    "kinect25": _names(
        "pelvis spine neck head l_shoulder l_elbow l_wrist l_hand r_shoulder r_elbow r_wrist r_hand l_hip l_knee "
        "l_ankle l_foot r_hip r_knee r_ankle r_foot thorax l_hand_tip l_thumb r_hand_tip r_thumb"
    ),
    "panoptic19": _names(
        "neck nose mid_hip l_shoulder l_elbow l_wrist l_hip l_knee l_ankle r_shoulder r_elbow r_wrist r_hip r_knee "
        "r_ankle l_eye l_ear r_eye r_ear"
    ),
    # SAM 3D Body's 70 key points: COCO's but for the wrists, feet, hands from the thumb's tip on, and places of the arms.
    "mhr70": _COCO17[:9]
    + _COCO17[11:]
    + _names("l_big_toe l_small_toe l_heel r_big_toe r_small_toe r_heel")
    + _fingers("right")
    + ("right_wrist",)
    + _fingers("left")
    + ("left_wrist",)
    + _names("l_olecranon r_olecranon l_cubital_fossa r_cubital_fossa l_acromion r_acromion")
    + ("neck",),
    **{name: layout.joints for name, layout in LAYOUTS.items()},
    # SMPL without its hands, as SMPL-X body poses have it.
    "smpl22": LAYOUTS["smpl24"].joints[:22],
}
# What other tools call the same joints, and the same order of joints.
_ALIASES = {
    "root": "pelvis",
    # Kinect v2's own names.
    "spine_base": "pelvis",
    "spine_mid": "spine",
    "spine_shoulder": "thorax",
    "left_handtip": "left_hand_tip",
    "right_handtip": "right_hand_tip",
}
_OTHER_NAMES = {
    _names(
        "pelvis r_hip r_knee r_foot l_hip l_knee l_foot spine thorax neck_base head "
        "l_shoulder l_elbow l_wrist r_shoulder r_elbow r_wrist"
    ): "h36m17",
}


@dataclass(repr=False)
class Track:
    """One set of key points of one person over time.

    id: the person's id (from the file, or assigned); name: how to call the track, unique in its file; poses:
    float64 [T, J, D], NaN where a key point is missing; frame t of the track is frame `start + t` of the
    file; confidence: [T, J] in [0, 1] (0 where missing), or None; kind: "2D", "3D" or "smpl" (axis-angle,
    radians, [T, 24 or 22, 3]); layout: a key of `JOINT_NAMES`, or None; joint_names: J names, or None; units:
    "px", "normalised" (to the image), "m", "mm" or None; part: which set of the person's key points it is
    ("body", "left_hand", "face", "world", …); present: bool [T], the frames in which the file has a record
    that can be written to; recorded: bool [T, J], the same for key points where it differs between them; image_size: (width, height) in px where it differs between tracks; betas [T, 10],
    translation [T, 3]: of SMPL tracks, where the file has them.
    """

    id: object
    name: str
    poses: np.ndarray
    confidence: np.ndarray | None = None
    kind: str = "2D"
    layout: str | None = None
    joint_names: tuple | None = None
    units: str | None = None
    part: str = "body"
    start: int = 0
    present: np.ndarray | None = None
    image_size: tuple | None = None
    betas: np.ndarray | None = None
    translation: np.ndarray | None = None
    recorded: np.ndarray | None = None

    def __repr__(self):
        joints = self.layout or ("joints without names" if self.joint_names is None else "named joints")
        return f"<Track {self.name!r}: poses {list(self.poses.shape)}, {self.kind}, {joints}, {self.units or 'unit not said'}>"

    @property
    def writable(self):
        """bool [T, J]: the key points that the file has a place for, missing or not."""
        return np.broadcast_to(self.present[:, None], self.poses.shape[:2]) if self.recorded is None else self.recorded

    @property
    def is_depth(self):
        """Whether it holds no places but the depths of another track's points."""
        return self.poses.shape[-1] == 1

    def is_depth_of(self, other):
        """Whether it holds the depths of the points of another track."""
        same = str(self.id) == str(other.id) and self.start == other.start
        same &= self.is_depth and not other.is_depth and self.poses.shape[:2] == other.poses.shape[:2]
        return same and self.part.removesuffix("depth").strip("_ ") in (other.part, "")

    def __post_init__(self):
        if self.joint_names is None and self.layout is not None:
            self.joint_names = JOINT_NAMES[self.layout]
        if self.present is None:
            self.present = np.ones(len(self.poses), dtype=bool)


@dataclass(repr=False)
class PoseFile:
    """A pose file: its tracks, and what its writer needs to write the same file back.

    format: its name in `registry.FORMATS`; frame_count: frames of the file (of its longest sequence), with or
    without people; fps: frames a second, or None; timestamps: float64 [frame_count] in seconds, or None;
    image_size: (width, height) in px, or None; tracked: whether the ids come from the file; source: the
    writer's own; notes: sentences that the user should be told about how the file was understood; repaired: a
    `lib.tracks.repair.Repaired` (or None) per track, whose exchanged key points change places with their scores when written.
    """

    format: str
    tracks: list
    frame_count: int
    fps: float | None = None
    timestamps: np.ndarray | None = None
    image_size: tuple | None = None
    tracked: bool = True
    source: object = None
    notes: list = field(default_factory=list)
    repaired: list = field(default_factory=list)

    def __repr__(self):
        tracks = "".join(f"\n  {track!r}" for track in self.tracks)
        rate = f"{self.fps:g} per second" if self.fps else "rate unknown"
        return f"<PoseFile {self.format}: {self.frame_count} frames, {rate}{tracks}>"


def joint_name(name):
    """A joint's name as `JOINT_NAMES` spells it: "RBigToe", "Right Big Toe", "RIGHT_BIG_TOE" and "big_toe.R" are one joint."""
    name = re.sub(r"[\s.\-]+", "_", str(name).strip())
    name = re.sub(r"^([RL])(?=[A-Z][a-z])", lambda side: {"R": "right_", "L": "left_"}[side[1]], name)
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    name = re.sub(r"^([rl])_", lambda side: {"r": "right_", "l": "left_"}[side[1]], name)
    name = re.sub(
        r"^(.+)_(left|right|l|r)$", lambda found: f"{'left' if found[2][0] == 'l' else 'right'}_{found[1]}", name
    )
    return _ALIASES.get(name, name)


def joint_names(names):
    """Joints' names as `JOINT_NAMES` spells them, without what stands before all of them: a person's ("Anna:LASI"), or a word
    ("PoseLandmark.NOSE") without which most are known."""
    before = re.match(r".*[:.\s_]", os.path.commonprefix(list(map(str, names))))
    plain = tuple(map(joint_name, names))
    if before is None or len(names) < 2:
        return plain
    short = tuple(joint_name(str(name)[before.end() :]) for name in names)
    known = set().union(*JOINT_NAMES.values())
    if before[0].endswith(":") or 2 * len(known.intersection(short)) > len(names) and not known.intersection(plain):
        return short
    return plain


def layout_of_names(names):
    """The layout whose joints these are, in this order, or None."""
    names = joint_names(names)
    known = (layout for layout, joints in JOINT_NAMES.items() if joints == names)
    return next(known, _OTHER_NAMES.get(names))


def layout_of_count(count, dims=2):
    """The layout that `count` key points of a detector are in, or None where that is not settled."""
    if dims == 3 and count == 17:
        return "h36m17"
    if dims == 3 and count == 70:
        return "mhr70"
    return {17: "coco17", 18: "coco18", 25: "openpose25", 26: "halpe26", 33: "mediapipe33"}.get(count)
