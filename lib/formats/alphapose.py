"""AlphaPose: `alphapose-results.json`, a flat list of detections, or with --format cmu/open a dict of images.

Scores may exceed 1 and are scaled to [0, 1]; `idx` is the track id, possibly in nested lists (the first
counts), and 0 throughout where nothing was tracked; images without people are absent. `pred_xyz_jts` of the
3D variants becomes a track of its own. 133 and 136 key points are split into body, feet, face and hands.
"""

from ..errors import UserError
from .numbering import first_id, number_frames
from .openpose import read_people
from .records import Part, Person, Walk, flat_slots, nested_slots, set_units
from .tracks import layout_of_count


def sniff(opened):
    if opened.is_folder or not opened.is_json:
        return False
    tree = opened.tree
    if isinstance(tree, dict):
        first = next(iter(tree.values()), None)
        return isinstance(first, dict) and isinstance(first.get("people", first.get("bodies")), list)
    first = tree[0] if isinstance(tree, list) and tree else None
    return (
        isinstance(first, dict)
        and "image_id" in first
        and "keypoints" in first
        and (isinstance(first["image_id"], str) or "box" in first or "idx" in first)
    )


def walk(tree, path, image_size=None):
    result = _walk_images(tree, path) if isinstance(tree, dict) else _walk_list(tree, path)
    set_units(result, image_size)
    return result


def _walk_images(tree, path):
    frames = number_frames(list(tree), path)
    result = Walk(frames, [])
    for (name, image), frame in zip(tree.items(), frames):
        people = image.get("people", image.get("bodies")) if isinstance(image, dict) else None
        if not isinstance(people, list):
            raise UserError(f"{path}: {name}: no list 'people' or 'bodies'. Expected AlphaPose's --format open or cmu")
        result.people += read_people(people, frame, f"{path}: {name}")
    return result


def _walk_list(tree, path):
    if not isinstance(tree, list):
        raise UserError(f"{path}: no list of detections. Expected AlphaPose's alphapose-results.json")
    for number, item in enumerate(tree):
        if not isinstance(item, dict) or "image_id" not in item or "keypoints" not in item:
            raise UserError(
                f"{path}: detection {number}: no image_id or no keypoints. Expected AlphaPose's list of detections"
            )
    frames = number_frames([item["image_id"] for item in tree], path)
    result = Walk(list(dict.fromkeys(frames)), [])
    for number, (item, frame) in enumerate(zip(tree, frames)):
        where = f"{path}: detection {number} ({item['image_id']})"
        values = item["keypoints"]
        layout = layout_of_count(len(values) // 3) if isinstance(values, list) else None
        slots = flat_slots(values, 3, Part("body", layout=layout), f"{where}, keypoints")
        if item.get("pred_xyz_jts"):
            slots += nested_slots(item["pred_xyz_jts"], None, Part("body_3d", "3D"), f"{where}, pred_xyz_jts")
        result.people.append(Person(frame, slots, where, first_id(item.get("idx"))))
    if all(person.id == 0 for person in result.people):
        for person in result.people:
            person.id = None  # what AlphaPose writes for everybody when it does not track
    return result
