"""JSON files of people: read by a format's walk, written by the same walk through the kept text."""

import numpy as np

from ..files import atomic_folder, write_text
from .json_meta import rate_of
from .json_numbers import swap_points
from .opened import dump, parse
from .people import build
from .tracks import PoseFile


def read(format_name, walk_tree, opened, image_size=None, fps=None):
    """A PoseFile from a format's walk."""
    walk = walk_tree(opened.tree, opened.path, image_size)
    tracks, places, frame_count, tracked, timestamps, notes = build(opened.path, walk, fps)
    source = {"path": opened.path, "content": opened.content, "places": places, "image_size": image_size}
    return PoseFile(
        format_name,
        tracks,
        frame_count,
        fps or walk.fps or rate_of(opened.tree),
        timestamps,
        image_size or walk.image_size,
        tracked,
        source,
        notes,
    )


def write(walk_tree, pose_file, refined, output_path, finish=None):
    """Write the same JSON with the refined numbers in it: a file, or a folder of files for a folder.

    finish: function of the tree, called before it is written.
    """
    source = pose_file.source
    tree = parse(source["content"], source["path"])
    put_back(
        walk_tree(tree, source["path"], source["image_size"]).people, source["places"], refined, pose_file.repaired
    )
    if finish is not None:
        finish(tree)
    if not isinstance(source["content"], dict):
        write_text(output_path, dump(tree))
        return
    with atomic_folder(output_path) as temporary:
        for name, part in tree.items():
            (temporary / name).write_text(dump(part), encoding="utf-8")


def put_back(people, places, refined, repaired=()):
    """Write refined poses into the slots of the people they came from; what did not change is not touched.

    repaired: `PoseFile.repaired`.
    """
    for person, place in zip(people, places):
        for slot in person.slots:
            if slot.part.name in place:
                track, frame = place[slot.part.name]
                done = repaired[track] if repaired else None
                for left, right in done.swaps(frame) if done is not None else ():
                    swap_points(slot.poses, left, right)
                    if slot.swap is not None:
                        slot.swap(left, right)
                values = refined[track][frame]
                changed = np.isfinite(values) & (values != slot.poses)
                if changed.any():
                    slot.put(values, changed)


FRAME_NUMBERS = ("frame", "frame_id", "frame_index", "frame_idx", "frame_number")


def frame_number(record):
    """The number of its frame that a record says, an int, or None."""
    found = [record[key] for key in FRAME_NUMBERS if key in record] if isinstance(record, dict) else []
    return found[0] if found and isinstance(found[0], int) and not isinstance(found[0], bool) else None


def frame_numbers(records):
    """[("", number)] of records: what each says of its frame, where all do and differ; else their order."""
    said = [frame_number(record) for record in records]
    known = None not in said and len(set(said)) == len(said)
    return [("", number) for number in (said if known else range(len(records)))]


def frames_in(tree):
    """The frames of a parsed file: what stands under `frames`, or the values of an object whose keys are numbers, else the file itself."""
    for key in ("frames", "results", "data") if isinstance(tree, dict) else ():
        if isinstance(tree.get(key), list):
            return tree[key]
    if isinstance(tree, dict) and len(tree) > 1 and all(str(key).isdigit() for key in tree):
        return [tree[key] for key in sorted(tree, key=int)]
    return tree
