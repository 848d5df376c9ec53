"""The people of one frame of JSON, in whatever lists and keys they stand: a person, a list or dict of people, or their points in one list."""

from .json_numbers import SCORES
from .json_points import is_number, points_of
from .numbering import first_id

PEOPLE = (
    "people persons instances predictions detections poses skeleton skeletons bodies body_list objects results".split()
)
POINTS = (
    "keypoints keypoints2d keypoints_2d keypoint_2d kpts pose pose_keypoints landmarks joints joint_positions points skeleton "
    "positions pred_keypoints xy"
).split()
SPACE = ("keypoints3D", "keypoints3d", "keypoints_3d", "joints3d", "joints_3d", "pose_3d", "keypoint")
IDS = "track_id id person_id id_ body_id obj_id idx player_id".split()
LISTS_OF_IDS = ("track_ids", "ids", "person_ids", "id", "track_id")


def of_person(value):
    """({part: Points}, id) of one person; ({}, None) where it is none."""
    points = points_of(value)
    if points is not None:
        return {"body": points}, None
    if not isinstance(value, dict):
        return {}, None
    found = {}
    for part, keys in (("body", POINTS), ("body_3d", SPACE)):
        points = next((made for key in keys if key in value and (made := points_of(value[key])) is not None), None)
        if points is not None:
            if points.scores is None:
                points.scores = _scores_beside(value, len(points.cells))
            found[part] = points
    return found, next((first_id(value[key]) for key in IDS if key in value), None)


def _scores_beside(person, count):
    for key in (*SCORES, "score"):
        values = person.get(key)
        if isinstance(values, list) and len(values) == count and all(map(is_number, values)):
            return [(values, joint) for joint in range(count)]
    return None


def of_frame(frame, together=True):
    """[({part: Points}, id)] of a frame; together: people's points may stand in one list."""
    found, identity = of_person(frame)
    if found:
        return [(found, identity)]
    if isinstance(frame, dict):
        if together and (found := _together(frame)):
            return found
        inside = next((frame[key] for key in PEOPLE if isinstance(frame.get(key), (list, dict))), None)
        if inside is None and frame and all(str(key).isdigit() for key in frame):
            inside = frame
        frame = inside
    while isinstance(frame, list) and len(frame) == 1 and isinstance(frame[0], list) and not of_person(frame[0])[0]:
        frame = frame[0]  # lists that some tools leave around
    if isinstance(frame, dict):
        people = [(of_person(person)[0], first_id(name)) for name, person in frame.items()]
    else:
        people = [of_person(person) for person in frame] if isinstance(frame, list) else []
    return people if people and all(parts for parts, _ in people) else []


def _together(frame):
    """People whose points stand in one list, their scores and ids in others (rtmlib, Ultralytics' xy and conf, Detectron2)."""
    for key in POINTS:
        values = frame.get(key)
        if isinstance(values, dict) and key != "skeleton" and (found := _together(values)):
            return found
        if not isinstance(values, list) or not values or not all(isinstance(one, list) for one in values):
            continue
        found = [points_of(one) for one in values]
        if None in found:
            continue
        scores = next((lists for name in SCORES if _fit(lists := frame.get(name), found)), None)
        ids = next((lists for name in LISTS_OF_IDS if isinstance(lists := frame.get(name), list) and len(lists) == len(found)), None)  # fmt: skip
        for number, points in enumerate(found):
            if points.scores is None and scores is not None:
                points.scores = [(scores[number], joint) for joint in range(len(points.cells))]
        return [
            ({"body": points}, None if ids is None else first_id(ids[number])) for number, points in enumerate(found)
        ]
    return []


def _fit(lists, found):
    """Whether these are a list of scores for each of the people's points."""
    return (
        isinstance(lists, list)
        and len(lists) == len(found)
        and all(
            isinstance(one, list) and len(one) == len(points.cells) and all(map(is_number, one))
            for one, points in zip(lists, found)
        )
    )
