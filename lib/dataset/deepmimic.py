"""Make the shipped sample (dataset `mocap`, estimator `noise`, 3D) from the DeepMimic motion clips.

    python -m lib.dataset.deepmimic WHEEL_OR_FOLDER [--output data/poses]     # make it anew
    python -m lib.dataset.deepmimic                 [--output data/poses]     # print its table

WHEEL_OR_FOLDER is the PyPI wheel `pybullet` (`pip download --no-deps pybullet`), which need not be installed,
or a folder into which it was unpacked. From it come `humanoid3d_*.txt` (JSON: rows of a duration, the root's
place, and rotations of the root and twelve joints) and the bones in `humanoid.urdf`.

A source joint's frame has x ahead, y up, z to the person's right, at rest parallel for all joints. Bones are
a quarter of the URDF's, which gives 1.62 m from sole to head top. The 17 joints:

    pelvis                  root (the middle of both hips)
    hip, knee, ankle        the joints of these names
    spine, thorax           the joints `chest` (halfway up the trunk) and `neck` (at shoulder height)
    nose, head              fixed to the neck's frame, within its 10 cm sphere: `NOSE`, `HEAD_TOP`
    shoulder, elbow, wrist  the joints of these names

Each clip is filmed by a level camera that looks at the front of the person, turned by a yaw within 45 degrees
that depends on the clip's name only. Truth has the pelvis at 0. The test split's detections carry the
`simulated` noise of `lib.dataset.noise`, fixed for each clip; the train split has truth only, its noise being
new at every epoch.
"""

import argparse
import json
import re
import zipfile
import zlib
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from scipy.spatial.transform import Rotation, RotationSpline

from .. import errors
from ..errors import UserError
from ..poses.skeletons import LAYOUTS
from . import noise, storage

FPS = 30
BONE_SCALE = 0.25
# One clip of each kind, with a relative in train (dance_b, getup_faceup, backflip, kick, walk): what is
# tested is motion of a known kind by an unknown clip. `run` is shorter than a window of 32 frames.
TEST_CLIPS = ("dance_a", "getup_facedown", "jump", "punch", "run")

# Rows to drop at the start and the end. roll: a pose held, then shaking; and a jump back to the first pose at
# the end. getup: the last row repeats the one before.
CUT = {"roll": (8, 1), "getup_facedown": (0, 1), "getup_faceup": (0, 1)}
# walk and run are half a cycle and its mirror image, spliced after this row with a jump of 7 and 19 cm.
SEAMS = {"walk": 18, "run": 11}
SEAM_REACH = 6  # rows to either side over which the jump is spread

COLUMNS = {
    "root": (4, 8),
    "chest": (8, 12),
    "neck": (12, 16),
    "right_hip": (16, 20),
    "right_knee": (20, 21),
    "right_ankle": (21, 25),
    "right_shoulder": (25, 29),
    "right_elbow": (29, 30),
    "left_hip": (30, 34),
    "left_knee": (34, 35),
    "left_ankle": (35, 39),
    "left_shoulder": (39, 43),
    "left_elbow": (43, 44),
}
ROW = 44
NOSE = (0.10, 0.155, 0.0)  # metres in the neck's frame
HEAD_TOP = (0.0, 0.2775, 0.0)  # where the URDF's head, a sphere, ends
LAYOUT = LAYOUTS["h36m17"]
SOURCE_JOINT = {
    "pelvis": ("root", None),
    "spine": ("chest", None),
    "thorax": ("neck", None),
    "nose": ("neck", NOSE),
    "head": ("neck", HEAD_TOP),
}
# Source (ahead, up, right) to a camera (right, down, forward) that the person faces, his right at image left.
FACE_CAMERA = np.array([[0.0, 0, -1], [0, -1, 0], [-1, 0, 0]])
YAW_DEGREES = 45.0


def read_source(path):
    """The motion clips and bones in a pybullet wheel or a folder with its files.

    Returns ({clip: rows [T, 44]}, {joint: (parent, offset [3] in metres)}). Raises UserError where they are
    not there or not what they should be.
    """
    path = Path(path)
    if path.is_dir():
        found = sorted(path.rglob("humanoid*.*"))
        files = {file.relative_to(path).as_posix(): file.read_bytes for file in found}
    elif zipfile.is_zipfile(path):
        archive = zipfile.ZipFile(path)
        files = {name: lambda name=name: archive.read(name) for name in sorted(archive.namelist())}
    else:
        raise UserError(f"{path}: neither a folder nor a wheel. Try `pip download --no-deps pybullet`")
    clips, bones = {}, None
    for name, content in files.items():
        if match := re.fullmatch(r"(?:.*/)?humanoid3d_(\w+)\.txt", name):
            clips[match[1]] = _rows(content(), f"{path}: {name}")
        elif re.fullmatch(r"(?:.*/)?humanoid\.urdf", name):
            bones = _bones(content(), f"{path}: {name}")
    if not clips or bones is None:
        missing = "humanoid3d_*.txt" if not clips else "humanoid.urdf"
        raise UserError(f"{path}: has no {missing}. Expected the wheel `pybullet` or its unpacked files")
    return clips, bones


def _rows(text, what):
    try:
        rows = np.array(json.loads(text)["Frames"], dtype=np.float64)
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{what}: not a motion clip. Expected JSON with `Frames` of {ROW} numbers") from None
    if rows.ndim != 2 or rows.shape[1] != ROW or len(rows) < 2 or not np.isfinite(rows).all():
        raise UserError(
            f"{what}: Frames of shape {list(rows.shape)}. Expected at least two rows of {ROW} finite numbers"
        )
    return rows


def _bones(text, what):
    """{joint: (parent, offset in metres)} from a URDF whose joints bear the names of their child links."""
    try:
        joints = ElementTree.fromstring(text.rstrip(b"\0")).findall("joint")  # the wheel's file ends in a NUL
        bones = {}
        for joint in joints:
            offset = np.array(joint.find("origin").get("xyz").split(), dtype=np.float64)
            bones[joint.get("name")] = (joint.find("parent").get("link"), BONE_SCALE * offset)
    except (ElementTree.ParseError, AttributeError, ValueError):
        raise UserError(f"{what}: not a robot description with joints, parents and origins") from None
    needed = {SOURCE_JOINT.get(name, (name, None))[0] for name in LAYOUT.joints}
    if missing := sorted(needed - bones.keys()):
        raise UserError(f"{what}: has no joint {missing[0]}. Expected the humanoid of the wheel `pybullet`")
    return bones


def joint_rotations(rows):
    """Rows [T, 44] to {joint: Rotation [T]}, relative to the parent; knees and elbows turn about z."""
    rotations = {}
    for joint, (first, end) in COLUMNS.items():
        values = rows[:, first:end]
        if end - first == 1:
            rotations[joint] = Rotation.from_rotvec(values * [0, 0, 1])
        else:
            rotations[joint] = Rotation.from_quat(values, scalar_first=True)  # normalises
    return rotations


def close_seam(rotation, row):
    """One joint's Rotation [T] with the jump between `row` and the next spread over the rows around it."""
    step = (rotation[:-1].inv() * rotation[1:]).as_rotvec()
    expected = rotation[row] * Rotation.from_rotvec((step[row - 1] + step[row + 1]) / 2)
    jump = (rotation[row + 1].inv() * expected).as_rotvec()
    distance = np.arange(len(rotation)) - (row + 0.5)
    fading = np.clip(1 - (np.abs(distance) - 0.5) / SEAM_REACH, 0, 1)
    weight = np.sign(distance) * (1 - np.cos(np.pi * fading)) / 4
    return rotation * Rotation.from_rotvec(weight[:, None] * jump)


def resample(seconds, rotation, fps=FPS):
    """Rotation [T] at `seconds` [T] to one at 0, 1/fps, 2/fps, … as far as the last row.

    A spline through the rows: slow clips (16 and 24 Hz) get no kinks at their rows, bones keep their length.
    """
    count = int(np.floor((seconds[-1] - seconds[0]) * fps + 1e-9)) + 1
    return RotationSpline(seconds, rotation)(seconds[0] + np.arange(count) / fps)


def forward_kinematics(rotations, bones):
    """The joints [T, 17, 3] in metres about the root, in the source's axes. bones: as `read_source` gives."""
    frames = len(rotations["root"])
    turned, placed = {"root": rotations["root"]}, {"root": np.zeros((frames, 3))}

    def place(joint):
        if joint not in placed:
            parent, offset = bones[joint]
            place(parent)
            placed[joint] = placed[parent] + turned[parent].apply(offset)
            turned[joint] = turned[parent] * rotations[joint] if joint in rotations else turned[parent]
        return placed[joint]

    points = []
    for name in LAYOUT.joints:
        joint, offset = SOURCE_JOINT.get(name, (name, None))
        point = place(joint)
        points.append(point if offset is None else point + turned[joint].apply(offset))
    return np.stack(points, axis=1)


def film(points, clip):
    """Points [T, 17, 3] in the source's axes to a camera in front: x right, y down, z forward."""
    left_hip, right_hip = LAYOUT.joints.index("left_hip"), LAYOUT.joints.index("right_hip")
    right = (points[:, right_hip] - points[:, left_hip]).mean(axis=0)
    heading = np.arctan2(right[0], right[2])  # about the vertical, 0 where the right is at +z
    yaw = np.deg2rad(YAW_DEGREES) * _generator(clip, "yaw").uniform(-1, 1)
    return points @ (FACE_CAMERA @ Rotation.from_rotvec([0, yaw - heading, 0]).as_matrix()).T


def convert(rows, bones, clip):
    """A clip's rows [T, 44] to its truth, float32 [T', 51] at 30 Hz in metres, pelvis at 0, camera frame."""
    # A row lasts until the next one; the last row's duration means nothing.
    seconds = np.concatenate([[0], np.cumsum(rows[:-1, 0])])
    start, end = CUT.get(clip, (0, 0))
    kept = slice(start, len(rows) - end)
    seconds, rotations = seconds[kept], joint_rotations(rows[kept])
    if (np.diff(seconds) <= 0).any():
        raise UserError(f"humanoid3d_{clip}.txt: a row within the clip lasts 0 seconds. Remove it")
    if clip in SEAMS:
        row = SEAMS[clip] - start
        rotations = {joint: close_seam(rotation, row) for joint, rotation in rotations.items()}
    rotations = {joint: resample(seconds, rotation) for joint, rotation in rotations.items()}
    points = film(forward_kinematics(rotations, bones), clip)
    return points.reshape(len(points), -1).astype(np.float32)


def detect(truth, clip):
    """The fixed detections of a test clip: truth [T, 51] with the `simulated` noise."""
    return noise.add_noise(truth, [len(truth)], "simulated", None, LAYOUT, _generator(clip, "detected"))


def _generator(clip, purpose):
    """The same random numbers for the same clip, whatever other clips there are."""
    return np.random.default_rng(zlib.crc32(f"{clip} {purpose}".encode()))


def make(source, output):
    """Write the sample's three files under `output` (the folder that DATASET.BASE_DIR names)."""
    clips, bones = read_source(source)
    truth = {clip: convert(rows, bones, clip) for clip, rows in sorted(clips.items())}
    splits = {
        "train": [clip for clip in truth if clip not in TEST_CLIPS],
        "test": [clip for clip in truth if clip in TEST_CLIPS],
    }
    for split, names in splits.items():
        if not names:
            raise UserError(
                f"{source}: none of its clips belongs to the {split} split. "
                f"Test has {', '.join(TEST_CLIPS)}; train has all others"
            )
        # Strings of fixed width are plain arrays, which every reader takes.
        imgname = [np.array([f"{clip}.camera1/{frame:06d}" for frame in range(len(truth[clip]))]) for clip in names]
        storage.write(
            _path(output, "groundtruth", split), {"imgname": imgname, "joints_3d": [truth[clip] for clip in names]}
        )
        if split == "test":
            storage.write(
                _path(output, "detected", split),
                {"imgname": imgname, "joints_3d": [detect(truth[clip], clip) for clip in names]},
            )


def _path(output, part, split):
    who = "gt" if part == "groundtruth" else "noise"
    return Path(output) / "mocap_noise_3D" / part / f"mocap_{who}_3D_{split}.npz"


def describe(output):
    """The table of the sample under `output`: frames and seconds a clip, and the errors of the detections."""
    lines = [
        "| split | clip | frames | seconds | MPJPE | PA-MPJPE | Accel |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for split in ("train", "test"):
        data = storage.read(_path(output, "groundtruth", split))
        truth = data["joints_3d"]
        detected = storage.read(_path(output, "detected", split))["joints_3d"] if split == "test" else None
        for index, names in enumerate(data["imgname"]):
            lines.append(
                _row(
                    split,
                    names[0].split(".camera")[0],
                    truth[index : index + 1],
                    detected and detected[index : index + 1],
                )
            )
        lines.append(_row(f"**{split}**", f"{len(truth)} clips", truth, detected))
    return "\n".join(lines)


def _row(split, clip, truth, detected):
    frames = sum(len(sequence) for sequence in truth)
    errors_mm = ["-"] * 3
    if detected:
        errors_mm = [f"{value:.2f}" for value in _errors(truth, detected)]
    return f"| {split} | {clip} | {frames} | {frames / FPS:.1f} | {' | '.join(errors_mm)} |"


def _errors(truth, detected):
    """MPJPE, PA-MPJPE (mm) and Accel (mm/frame^2, inner frames), pooled over lists of [T, 51] in metres."""

    def points(sequences):
        return [1000 * sequence.reshape(len(sequence), -1, 3).astype(np.float64) for sequence in sequences]

    truth, detected = points(truth), points(detected)
    accel = [np.diff(b - a, n=2, axis=0) for a, b in zip(truth, detected)]
    truth, detected = np.concatenate(truth), np.concatenate(detected)
    # The best similarity transform: Umeyama 1991.
    a, b = (x - x.mean(axis=1, keepdims=True) for x in (truth, detected))
    u, s, v = np.linalg.svd(np.swapaxes(b, 1, 2) @ a)
    s[:, 2] *= np.sign(np.linalg.det(u @ v))
    u[:, :, 2] *= np.sign(np.linalg.det(u @ v))[:, None]
    aligned = (s.sum(axis=1) / (b**2).sum(axis=(1, 2)))[:, None, None] * (b @ (u @ v))
    accel = np.concatenate(accel)
    return [np.linalg.norm(error, axis=-1).mean() for error in (detected - truth, aligned - a, accel)]


def main():
    parser = argparse.ArgumentParser(
        prog="python -m lib.dataset.deepmimic", description="Make the sample from DeepMimic's clips and describe it."
    )
    parser.add_argument(
        "source",
        nargs="?",
        metavar="WHEEL_OR_FOLDER",
        help="the wheel `pybullet` or a folder with its files; none: only print the table",
    )
    parser.add_argument("--output", default="data/poses", help="where mocap_noise_3D/ stands (default: %(default)s)")
    arguments = parser.parse_args()
    if arguments.source:
        make(arguments.source, arguments.output)
    print(describe(arguments.output))


if __name__ == "__main__":
    errors.run(main)
