"""Which sequences are views of one recording, and frames of all views on one clock."""

import re

import numpy as np

from ..errors import UserError
from ..messages import counted, logger
from . import catalog, storage
from .filling import fill_gaps

log = logger(__name__)

# The number at the end of an image's name, before its ending.
FRAME_NUMBER = re.compile(r"(\d{1,18})(?:\.[A-Za-z]\w*)?$")


def by_recording(sequences, source, cfg):
    """[(name, views)]: the sequences of one person where the source has several views, else each by itself.

    Views belong together when the part of their first image name before `camera` is the same. They are put on
    one clock by the image part of `imgname` where it differs, else by index. Raises UserError where names do not say
    which recording and camera a sequence is of.
    """
    if not (source.row.multi_view or cfg.DATASET.MULTI_VIEW):
        return [(sequence.name, [sequence]) for sequence in sequences]
    groups, cameras = {}, {}
    for index, sequence in enumerate(sequences):
        first = sequence.images[0] if sequence.images else ""
        if "camera" not in first:
            raise UserError(
                f"{source}: sequence {index} ({sequence.name}) has no 'camera' in its imgname "
                f"({first or 'empty'}), so its recording is not known. Write imgname as "
                "<recording>.camera<k>/<frame>, or set DATASET.MULTI_VIEW False"
            )
        if cameras.setdefault(sequence.name, index) != index:
            raise UserError(
                f"{source}: sequences {cameras[sequence.name]} and {index} are both {sequence.name}, so "
                "which views belong to one person is not known. Give each person and take a recording "
                "name of its own in imgname"
            )
        groups.setdefault(first.split("camera")[0].rstrip("._-/") or "recording", []).append(sequence)
    for views in groups.values():
        _put_on_one_clock(views, catalog.KEY[source.representation])
    _say_views(source, groups)
    return list(groups.items())


def _say_views(source, groups):
    counts = sorted({len(views) for views in groups.values()})
    absent = [int((~view.present).sum()) for views in groups.values() for view in views if view.present is not None]
    several = f"{counts[0]} to {counts[-1]} views" if len(counts) > 1 else counted(counts[0], "view")
    masked = (
        f"; masked, as views lack them: {counted(sum(absent), 'frame')} of {counted(len(absent), 'view')}"
        if absent
        else ""
    )
    log.info("%s: %s of %s%s", source, counted(len(groups), "recording"), several, masked)


def _put_on_one_clock(views, key):
    """Make frame t of every view the same moment; frames that a view does not have are marked in `present`."""
    places = _places(views)
    length = max(place[-1] for place in places) + 1
    for view, rows in zip(views, places):
        if len(rows) == length:
            continue
        view.present = np.zeros(length, dtype=bool)
        view.present[rows] = True
        if view.known is not None:
            known = np.zeros(length, dtype=bool)
            known[rows] = view.known
            view.known = known
        view.truth = _spread(view.truth, rows, length, key)
        view.detected = None if view.detected is None else _spread(view.detected, rows, length, key)
        for name, value in view.extras.items():
            if name.removeprefix("truth_") in storage.PER_FRAME:
                view.extras[name] = _spread(value, rows, length, name)
        images = [""] * length
        for row, image in zip(rows, view.images):
            images[row] = image
        view.images = images


def _places(views):
    """For each view the frames [T] of the recording that its frames are, counted from 0: by the numbers in the image
    names where they are a clock, else by index."""
    by_index = [np.arange(view.length) for view in views]
    numbers = [_frame_numbers(view) for view in views]
    if any(found is None for found in numbers):
        return by_index
    begin = min(found[0] for found in numbers)
    # Names may count the frames of a faster video.
    step = np.gcd.reduce(np.concatenate([found - begin for found in numbers])) or 1
    places = [(found - begin) // step for found in numbers]
    # With more holes than frames, or no two views that meet, they are no common clock.
    holes = any(place[-1] - place[0] > 2 * len(place) for place in places)
    if holes or max(place[-1] for place in places) >= sum(map(len, places)):
        log.warning(
            "%s: the image names of its views do not count one clock; frames are matched by index", views[0].name
        )
        return by_index
    return places


def _spread(values, rows, length, key):
    """[len(rows), C] put at `rows` of [length, C]; the rows between are filled by `fill_gaps`."""
    spread = np.full((length, values.shape[1]), np.nan, dtype=np.float32)
    spread[rows] = values
    return fill_gaps(spread, key)


def _frame_numbers(view):
    """The frame numbers in the image names, rising, or None where there are none."""
    found = [FRAME_NUMBER.search(image) for image in view.images]
    if len(found) != view.length or not all(found):
        return None
    numbers = np.array([int(match[1]) for match in found])
    return numbers if (np.diff(numbers) > 0).all() else None
