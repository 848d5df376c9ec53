"""CMU Panoptic: a folder of body3DScene_*.json, `bodies` with an id and joints19 (x, y, z in cm, y down, and a score).

A score of -1 marks a joint that was not reconstructed.
"""

import numpy as np

from ..errors import UserError
from .numbering import first_id, number_frames
from .openpose import PANOPTIC
from .records import Part, Person, Walk, flat_slots
from .tracks import JOINT_NAMES

# Joints that lie in the middle of others in joints19, and how far off at most (in cm): the neck, the body's centre.
MIDDLES = ((0, (3, 9), 15), (2, (6, 12), 8))


def sniff(opened):
    if not opened.is_json or not isinstance(opened.sample, dict):
        return False
    frames = opened.tree.values() if opened.is_folder else [opened.tree]
    return any(_key(frame) for frame in frames)


def _key(frame):
    bodies = frame.get("bodies") if isinstance(frame, dict) else None
    people = [body for body in bodies if isinstance(body, dict)] if isinstance(bodies, list) else []
    return next((key for body in people for key in PANOPTIC if key in body), None)


def walk(tree, path, image_size=None):
    frames = {path.name: tree} if _key(tree) else tree
    if not isinstance(frames, dict):
        raise UserError(f"{path}: no list 'bodies'. Expected Panoptic's body3DScene files")
    names = number_frames([name.removesuffix(".json") for name in frames], path)
    result = Walk(names, [])
    for (name, frame), number in zip(frames.items(), names):
        if not isinstance(frame, dict) or not isinstance(frame.get("bodies"), list):
            raise UserError(f"{path / name}: no list 'bodies'. Keep only the frames' body3DScene files in the folder")
        for index, body in enumerate(frame["bodies"]):
            where = f"{path}: {name}, body {index}"
            key = next((key for key in PANOPTIC if isinstance(body, dict) and key in body), None)
            if key is None:
                raise UserError(f"{where}: no joints19. Expected Panoptic's {{id, joints19}}")
            part = Part("body", "3D", "panoptic19" if key == "joints19" else None, units="cm")
            slots = flat_slots(body[key], 4, part, f"{where}, {key}")
            result.people.append(Person(number, slots, where, first_id(body.get("id"))))
    _check_order(result)
    return result


def _check_order(walk):
    """Names only for joints that can be in Panoptic's order."""
    slots = [slot for person in walk.people for slot in person.slots if slot.part.layout]
    if any(len(slot.poses) != len(JOINT_NAMES["panoptic19"]) for slot in slots):
        raise UserError("joints19 that are not 19: expected x, y, z, score of each")
    poses = np.array([slot.poses for slot in slots]).reshape(-1, 19, 3)
    for middle, sides, limit in MIDDLES:
        off = np.linalg.norm(poses[:, middle] - poses[:, list(sides)].mean(axis=1), axis=-1)
        off = off[np.isfinite(off)]
        if len(off) and np.median(off) > limit:
            part = Part("body", "3D", None, units="cm")
            for slot in slots:
                slot.part = part
            walk.notes.append(
                "joints19 are not in Panoptic's order (neck, nose, body centre, ...): which is which is not known"
            )
            return
