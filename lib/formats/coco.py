"""COCO key points: a results list, or an annotation file with images, annotations and categories.

Joint names come from the annotation file's category. `track_id` stands in the annotation (PoseTrack) or its
`attributes` (CVAT). The third number of a key point is a visibility (0 missing, 1 hidden, 2 seen) or a score.
"""

import posixpath
from dataclasses import replace

from ..errors import UserError
from .json_numbers import numbers
from .numbering import first_id, number_frames
from .records import Part, Person, Walk, flat_slots, nested_slots, set_units
from .tracks import joint_names, layout_of_count, layout_of_names

# COCO-WholeBody's further sets of key points.
WHOLE_BODY = {"foot_kpts": "feet", "face_kpts": "face", "lefthand_kpts": "left_hand", "righthand_kpts": "right_hand"}


def sniff(opened):
    if opened.is_folder or not opened.is_json:
        return False
    tree = opened.tree
    if isinstance(tree, dict):
        return isinstance(tree.get("annotations"), list) and isinstance(tree.get("images"), list)
    first = tree[0] if isinstance(tree, list) and tree else None
    return isinstance(first, dict) and "image_id" in first and isinstance(first.get("keypoints"), list)


def walk(tree, path, image_size=None):
    if isinstance(tree, dict):
        return _walk_annotations(tree, path, image_size)
    if not isinstance(tree, list):
        raise UserError(f"{path}: no list of results. Expected COCO's key-point results or annotations")
    for number, item in enumerate(tree):
        if not isinstance(item, dict) or "image_id" not in item or "keypoints" not in item:
            raise UserError(f"{path}: result {number}: no image_id or no keypoints. Expected COCO's key-point results")
    frames = number_frames([item["image_id"] for item in tree], path)
    # COCO does not use the third number of results, and some tools write 0 there.
    rated = any(
        item["keypoints"][2::3] != [0] * len(item["keypoints"][2::3])
        for item in tree
        if isinstance(item["keypoints"], list)
    )
    result = Walk(list(dict.fromkeys(frames)), [])
    for number, (item, frame) in enumerate(zip(tree, frames)):
        where = f"{path}: result {number} (image {item['image_id']})"
        result.people.append(_person(item, frame, "body", None, where, rated))
    return _finish(result, image_size)


def _walk_annotations(tree, path, image_size):
    images = tree.get("images")
    if not isinstance(images, list) or not isinstance(tree.get("annotations"), list):
        raise UserError(f"{path}: no lists 'images' and 'annotations'. Expected a COCO annotation file")
    if any(not isinstance(image, dict) or not isinstance(image.get("id"), (int, str)) for image in images):
        raise UserError(f"{path}: an entry of 'images' has no id. Expected COCO's images with id and file_name")
    frames = dict(zip((image["id"] for image in images), _image_frames(images, path)))
    sizes = [(image.get("width"), image.get("height")) for image in images]
    size = (
        sizes[0]
        if all(
            other == sizes[0] and isinstance(number, (int, float)) and number > 0 for other in sizes for number in other
        )
        and sizes
        else None
    )
    names = {}
    for category in tree["categories"] if isinstance(tree.get("categories"), list) else []:
        if isinstance(category, dict) and isinstance(category.get("keypoints"), list):
            names[first_id(category.get("id"))] = joint_names(category["keypoints"])
    several = (
        len(
            {
                first_id(item.get("category_id"))
                for item in tree["annotations"]
                if isinstance(item, dict) and item.get("keypoints")
            }
        )
        > 1
    )
    result = Walk(list(frames.values()), [], image_size=size)
    for number, item in enumerate(tree["annotations"]):
        if not isinstance(item, dict):
            raise UserError(f"{path}: annotation {number} is no object. Expected COCO's annotations")
        if not item.get("keypoints"):
            continue  # a box or an outline without key points
        if first_id(item.get("image_id")) not in frames:
            raise UserError(
                f"{path}: annotation {number}: image_id {item.get('image_id')!r} is none of the "
                "images. Add the image, or remove the annotation"
            )
        category = first_id(item.get("category_id"))
        part = f"category {category}" if several else "body"
        person = _person(
            item,
            frames[first_id(item["image_id"])],
            part,
            names.get(category),
            f"{path}: annotation {number} (image {item['image_id']})",
        )
        if several and person.id is not None:
            person.id = f"{category}/{person.id}"
        result.people.append(person)
    return _finish(result, image_size)


def _image_frames(images, path):
    """(sequence, number) of each image: from PoseTrack's and CVAT's fields if there, else from the file's
    name.
    """
    for key in ("frame_id", "frame_index", "frame"):
        if all(isinstance(image.get(key), int) for image in images):
            return [(str(image.get("vid_id", image.get("video_id", ""))), image[key]) for image in images]
    names = [image.get("file_name") for image in images]
    if all(isinstance(name, str) for name in names) and len(set(names)) == len(names):
        folders = {posixpath.dirname(name) for name in names}
        if len(folders) == 1:
            names = [posixpath.basename(name) for name in names]
        return number_frames(names, path)
    return number_frames([image["id"] for image in images], path)


def _person(item, frame, part, names, where, rated=True):
    values = item["keypoints"]
    count = len(values) // 3 if isinstance(values, list) else 0
    if names is not None and len(names) == count:
        part = Part(part, layout=layout_of_names(names), joint_names=names)
    else:
        part = Part(part, layout=layout_of_count(count))
    attributes = item.get("attributes") if isinstance(item.get("attributes"), dict) else {}
    if isinstance(values, list) and values and isinstance(values[0], list):  # one list for each key point
        array = numbers(values, f"{where}, keypoints", 2)
        part = replace(part, layout=part.layout if part.joint_names else layout_of_count(len(values)))
        scores = array[:, 2] if array.shape[1] > 2 and rated else None
        found = nested_slots(values, scores, part, f"{where}, keypoints", 2)
    else:
        found = flat_slots(values, 3, part, f"{where}, keypoints", rated)
    for key, name in WHOLE_BODY.items():
        if item.get(key):
            found += flat_slots(item[key], 3, Part(name), f"{where}, {key}", rated)
    return Person(
        frame,
        found,
        where,
        first_id(item.get("track_id", attributes.get("track_id"))),
    )


def _finish(walk, image_size):
    """Units, and visibilities as confidences: a key point that is marked but hidden counts half."""
    set_units(walk, image_size)
    found = [slot for person in walk.people for slot in person.slots if slot.confidence is not None]
    levels = set().union(*(slot.confidence.tolist() for slot in found)) if found else set()
    if levels <= {0, 1, 2} and 2 in levels:
        for slot in found:
            slot.confidence = slot.confidence / 2
    return walk
