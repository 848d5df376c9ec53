"""Frame numbers and ids as other tools write them."""

import re

import numpy as np

from ..errors import UserError

# Longest stretch without any record, in frames, that is kept in a file whose frame numbers are very sparse.
LONGEST_BREAK = 100


def first_id(value):
    """A track id out of a file, an int or a text; the first one of nested lists; None for anything else."""
    while isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, (np.number, float)) and abs(value) < 2**53 and int(value) == value:
        value = int(value)
    return value if isinstance(value, (int, str)) and not isinstance(value, bool) else None


def number_frames(labels, path):
    """(sequence, number) of each frame label: an int, or a name such as `clip_000123_keypoints` or `12.jpg`.

    The last digits of a name are the frame's number, what stands before them the sequence. Names without
    digits, and names of which nearly each would be a sequence of its own, are one sequence in the order of
    appearance.
    Raises UserError for labels that are neither.
    """
    result, unnumbered = [], {}
    for label in labels:
        if isinstance(label, bool) or not isinstance(label, (int, float, str, np.integer)):
            raise UserError(f"{path}: {str(label)[:40]!r} stands where a frame's name or number was expected")
        if isinstance(label, (int, np.integer)):
            result.append(("", int(label)))
            continue
        match = re.search(r"(\d+)\D*$", re.sub(r"\.[A-Za-z]\w{0,4}$", "", str(label)))
        if match:
            result.append((str(label)[: match.start()], int(match[1])))
        else:
            result.append(None)
    distinct = {label: entry for label, entry in zip(labels, result)}
    sequences = {entry[0] for entry in distinct.values() if entry is not None}
    if None in distinct.values() or len(sequences) > max(1, len(distinct) // 2):
        for label in labels:
            unnumbered.setdefault(label, len(unnumbered))
        return [("", unnumbered[label]) for label in labels]
    return result


def timeline(values):
    """({frame number: index from 0}, step). Numbers in steps (0, 2, 4) count as consecutive; breaks stay.

    Where the numbers are very sparse (image ids), breaks are shortened to `LONGEST_BREAK` frames.
    """
    ordered = np.unique(np.array(list(values), dtype=object)).tolist()
    steps = [later - earlier for earlier, later in zip(ordered, ordered[1:])]
    unit = int(np.gcd.reduce(np.array(steps, dtype=object))) if steps else 1
    steps = [step // unit for step in steps]
    if sum(steps) > 20 * len(ordered) + 1000:
        steps = [min(step, LONGEST_BREAK) for step in steps]
    index, result = 0, {}
    for number, step in zip(ordered, [0, *steps]):
        index += step
        result[number] = index
    return result, unit
