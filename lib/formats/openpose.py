"""OpenPose: a folder with one JSON file per frame, a single such file, or a list of frames (ComfyUI, DWPose), each at will beside
its number (`{"frame": 7, "data": …}`).

`people` in each file stand in no stable order, so that they are followed by pose distance; a joint that was
not found is 0, 0, 0. Hands, face and the 3D sets become tracks of their own. AlphaPose's `sep-json` folders
(`bodies` / `joints`) and Pose2Sim's files are of this kind too.
"""

from ..errors import UserError
from .json_files import frame_numbers, frames_in
from .numbering import first_id, number_frames
from .records import Part, Person, Walk, flat_slots, set_units
from .tracks import layout_of_count

# {key: (part, numbers a key point)}; old versions and AlphaPose name the body otherwise.
KEYS = {
    "pose_keypoints_2d": ("body", 3),
    "pose_keypoints": ("body", 3),
    "joints": ("body", 3),
    "face_keypoints_2d": ("face", 3),
    "face_keypoints": ("face", 3),
    "hand_left_keypoints_2d": ("left_hand", 3),
    "hand_left_keypoints": ("left_hand", 3),
    "hand_right_keypoints_2d": ("right_hand", 3),
    "hand_right_keypoints": ("right_hand", 3),
    "pose_keypoints_3d": ("body_3d", 4),
    "body_keypoints_3d": ("body_3d", 4),
    "face_keypoints_3d": ("face_3d", 4),
    "hand_left_keypoints_3d": ("left_hand_3d", 4),
    "hand_right_keypoints_3d": ("right_hand_3d", 4),
}

PANOPTIC = {"joints19", "joints15", "joints26"}  # another kind's (lib/formats/panoptic.py)


def sniff(opened):
    if not opened.is_json:
        return False
    sample = opened.sample if opened.is_folder else frames_in(opened.sample)
    if isinstance(sample, list) and not opened.is_folder:
        sample = next((frame for frame in sample if frame), None)
    sample = _unwrapped(sample)
    people = _people(sample)
    return people is not None and not _of_panoptic(sample) and (not people or any(map(_is_person, people)))


def _is_person(person):
    """Whether somebody has flat key points, or none."""
    found = [person[key] for key in KEYS if person.get(key)] if isinstance(person, dict) else []
    others = isinstance(person, dict) and any(
        isinstance(value, (list, dict)) and len(value) > 2 for value in person.values()
    )
    return any(isinstance(values, list) and not isinstance(values[0], (list, dict)) for values in found) or not others


def _of_panoptic(frame):
    bodies = frame.get("bodies")
    return isinstance(bodies, list) and any(isinstance(body, dict) and bool(body.keys() & PANOPTIC) for body in bodies)


def _unwrapped(frame):
    """A frame that stands under `data`, as OpenPose's object or as the list of its people; any other as it is."""
    data = frame.get("data") if isinstance(frame, dict) and _people(frame) is None else None
    if isinstance(data, list) and data and all(isinstance(person, dict) for person in data):
        return {"people": data}
    return frame if _people(data) is None else data


def _people(frame):
    """The list of people in one frame's object; None if it is none."""
    people = frame.get("people", frame.get("bodies")) if isinstance(frame, dict) else None
    return people if isinstance(people, list) else None


def walk(tree, path, image_size=None):
    if isinstance(tree, dict) and _people(tree) is None and isinstance(tree.get("frames"), list):
        tree = tree["frames"]
    if isinstance(tree, list):  # ComfyUI's: the frames in one file
        frames = {f"frame {number}": frame or {"people": []} for number, frame in enumerate(tree)}
        names = frame_numbers(tree)
    else:  # a single file is a clip of one frame
        frames = tree if isinstance(tree, dict) and _people(tree) is None and tree else {path.name: tree}
        names = number_frames([name.removesuffix(".json").removesuffix("_keypoints") for name in frames], path)
    result = Walk(names, [], image_size=_canvas(frames.values()))
    for (name, frame), number in zip(frames.items(), names):
        people = _people(_unwrapped(frame))
        if people is None:
            raise UserError(
                f"{path if name == path.name else path / name}: no list 'people' in it, so it is "
                "no OpenPose frame. Keep only the frames' files in the folder"
            )
        result.people += read_people(people, number, f"{path}: {name}")
    set_units(result, image_size or result.image_size)
    return result


def _canvas(frames):
    """(width, height) that all frames name, or None."""
    found = [frame for frame in map(_unwrapped, frames) if isinstance(frame, dict)]
    sizes = {(frame.get("canvas_width"), frame.get("canvas_height")) for frame in found}
    size = sizes.pop() if len(sizes) == 1 else (None, None)
    return size if all(isinstance(number, int) and number > 0 for number in size) else None


def read_people(people, frame, where):
    """The people of one frame: a list of `Person`."""
    result = []
    for index, person in enumerate(people):
        place = f"{where}, person {index}"
        if not isinstance(person, dict):
            raise UserError(f"{place}: {str(person)[:40]!r} is no person. Expected an object with pose_keypoints_2d")
        slots = []
        for key, (part, stride) in KEYS.items():
            if person.get(key) and part not in (slot.part.name for slot in slots):
                count = len(person[key]) // stride if isinstance(person[key], list) else 0
                layout = layout_of_count(count, stride - 1) if part == "body" else None
                kind = Part(part, "2D" if stride == 3 else "3D", layout)
                slots += flat_slots(person[key], stride, kind, f"{place}, {key}")
        identity = first_id(person.get("person_id"))
        # -1 is what OpenPose writes where it does not track.
        result.append(Person(frame, slots, place, None if identity == -1 else identity))
    return result
