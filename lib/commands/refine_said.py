"""What `synsp refine` says of a file: how it was understood, which method was used and why, and what was done."""

import re

import numpy as np

from ..formats import registry
from ..messages import counted, logger
from ..poses import gaps
from ..poses.kinds import kind_of
from ..tracks import closing
from ..tracks.plan import short
from .refine_scores import licences

log = logger(__name__)

CLIPS = (
    "sequences",
    "videopose3d",
)  # formats of which each id is a recording of its own, not a person beside the others
MENDED = ("exchanges repaired", "spikes removed")
MOST = 3  # names, or kinds of key points, that one line lists


def describe(path, pose_file):
    """Say what the file holds."""
    tracks = pose_file.tracks
    people = len({str(track.id) for track in tracks})
    clips = pose_file.format in CLIPS and people > 1
    rate = (
        f"{pose_file.fps:g} per second"
        if pose_file.fps
        else "timestamps"
        if pose_file.timestamps is not None
        else "rate unknown"
    )
    frames = f"of up to {pose_file.frame_count} frames" if clips else counted(pose_file.frame_count, "frame")
    who = f"{people} clips {frames}" if clips else f"{counted(people, 'person', 'people')}, {frames}"
    kinds = list(dict.fromkeys(map(_key_points, tracks)))
    more = f" and {len(kinds) - MOST} more kinds" if len(kinds) > MOST else ""
    log.info(
        "%s: %s: %s (%s): %s%s",
        path,
        registry.FORMATS[pose_file.format].description,
        who,
        rate,
        "; ".join(kinds[:MOST]),
        more,
    )
    somebody = np.zeros(pose_file.frame_count, dtype=bool)
    for track in tracks:
        somebody[track.start : track.start + len(track.poses)] |= gaps.seen(track.poses).any(axis=1)
    if not somebody.all():
        log.info("%s of %d without anybody", counted((~somebody).sum(), "frame"), pose_file.frame_count)
    for note in pose_file.notes:
        log.info("%s", note)


def _key_points(track):
    """A set of key points in words: "17 joints (coco17) in 2D, px"."""
    part = "" if track.part == "body" else f"{track.part.replace('_', ' ')}: "
    count = track.poses.shape[1]
    layout = f" ({track.layout})" if track.layout else "" if track.joint_names else " without names"
    if kind_of(track.kind).rotations:
        return f"{part}{counted(count, 'SMPL rotation')}"
    if track.is_depth:
        return f"{part}{counted(count, 'depth')}"
    unit = "shares of the image" if track.units == "normalised" else track.units
    return f"{part}{counted(count, 'joint')}{layout} in {track.kind}{f', {unit}' if unit else ''}"


def summary(pose_file, results):
    """Counts over all tracks: key points, missing, filled, still missing, gaps, `MENDED`, refined by each method."""
    total = {
        "key points": 0,
        "missing": 0,
        "filled": 0,
        "still missing": 0,
        "never seen": 0,
        "gaps": 0,
        "longest gap": 0,
    } | dict(zip(MENDED, closing.mended(results)))
    for track, result in zip(pose_file.tracks, results):
        there = gaps.seen(track.poses)
        lengths = gaps.gap_lengths(track.poses)
        total["key points"] += there.size
        total["missing"] += int((~there).sum())
        filled = result.filled & track.writable  # what has no record in the file cannot be filled there
        total["filled"] += int(filled.sum())
        total["still missing"] += int((~there & ~filled).sum())
        total["never seen"] += int((~there.any(axis=0)).sum())
        total["gaps"] += len(lengths)
        total["longest gap"] = max([total["longest gap"], *lengths])
        for label, count in result.methods.items():
            key = f"refined by {short(label)}"
            total[key] = total.get(key, 0) + count
    return total


def say(pose_file, results, refine, table):
    """Say what was done to each track, and what was counted; table: of `summary`."""
    names = [track.name for track in pose_file.tracks]
    plans = grouped(zip(names, [[result.plan] for result in results]))
    for plan, whose in plans:
        log.info("%s: %s", "method" if len(plans) == 1 else f"method for {_few(whose)}", plan)
    say_notes(names, [result.notes for result in results])
    for line in licences(refine, results):
        log.info("weights: %s", line)
    paths = {result.path_kept for result in results} - {None}
    if paths:
        log.info(
            "path through the room (root of 3D joints, SMPL translation): %s",
            "left as it is; --refine_translation smooths it" if True in paths else "smoothed too",
        )
    if refine.lag is not None:
        log.info(
            "lag: %s, as in live use (but gaps are filled, and another frame rate is turned into the network's, with "
            "the whole recording in view)",
            counted(refine.lag, "frame"),
        )
    log.info("%s", counts_in_words(table))
    for line in (closing.measured_line(results), closing.closing_line(results)):
        if line:
            log.info("%s", line)


def say_notes(names, notes):
    """Say the notes of each track, those of several once; notes: a list of sentences for each of the names."""
    for note, whose in grouped(zip(names, notes)):
        log.info("%s%s", "" if len(whose) == len(notes) else f"{_few(whose)}: ", note)


def counts_in_words(table):
    """The counts of `summary` in words, without what the closing line says."""
    counts = [
        f"{count} {'gap' if (count, name) == (1, 'gaps') else name}"
        for name, count in table.items()
        if name not in ("longest gap", *MENDED) and (count or name in ("key points", "missing"))
    ]
    if table["longest gap"]:
        counts.append(f"longest gap {counted(table['longest gap'], 'frame')}")
    return ", ".join(counts)


# ------------------------------------------------------------------------------------------ many in one

_NUMBER = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)(?=[ %),:;]|$)")  # measured numbers: not those in the names of files


def grouped(said):
    """[(sentence, names)] of pairs (name, sentences): sentences that differ in measured numbers alone are one.

    Those that name frames stay as they are.
    """
    groups = {}
    for name, sentences in said:
        for sentence in sentences:
            alike = sentence if " frame" in sentence else _NUMBER.sub("#", sentence)
            groups.setdefault(alike, []).append((sentence, name))
    return [(merged([one for one, _ in found]), [name for _, name in found]) for found in groups.values()]


def merged(sentences):
    """Sentences that are equal but for their numbers, as one: of "4 mm (2 to 7)" and "6 mm (3 to 9)" "4 to 6 mm (2 to 9)"."""
    words, *others = (_NUMBER.split(sentence) for sentence in sentences)
    for place in range(1, len(words), 2):
        numbers = [words[place], *(other[place] for other in others)]
        low, high = min(numbers, key=float), max(numbers, key=float)
        starts, ends = words[place + 1] == " to ", words[place - 1] == " to "
        words[place] = low if starts or low == high else high if ends else f"{low} to {high}"
    return "".join(words)


def _few(names):
    names = list(dict.fromkeys(names))
    return ", ".join(names[:MOST]) + (f" and {len(names) - MOST} more" if len(names) > MOST else "")
