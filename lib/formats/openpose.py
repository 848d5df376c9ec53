"""OpenPose: a folder with one JSON file a frame (or a single such file).

`people` in each file stand in no stable order, so that they are followed by pose distance; a joint that was
not found is 0, 0, 0. Hands, face and the 3D sets become tracks of their own. AlphaPose's `sep-json` folders
(`bodies` / `joints`) and Pose2Sim's files are of this kind too.
"""

from ..errors import UserError
from .records import Part, Person, Walk, first_id, flat_slots, number_frames, set_units
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


def sniff(opened):
    return opened.is_json and _people(opened.sample) is not None


def _people(frame):
    """The list of people in one frame's object; None if it is none."""
    people = frame.get("people", frame.get("bodies")) if isinstance(frame, dict) else None
    return people if isinstance(people, list) else None


def walk(tree, path, image_size=None):
    # A single file is a clip of one frame.
    frames = tree if isinstance(tree, dict) and _people(tree) is None and tree else {path.name: tree}
    names = number_frames([name.removesuffix(".json").removesuffix("_keypoints") for name in frames], path)
    result = Walk(names, [])
    for (name, frame), number in zip(frames.items(), names):
        people = _people(frame)
        if people is None:
            raise UserError(
                f"{path if name == path.name else path / name}: no list 'people' in it, so it is "
                "no OpenPose frame. Keep only the frames' files in the folder"
            )
        result.people += read_people(people, number, f"{path}: {name}")
    set_units(result, image_size)
    return result


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
