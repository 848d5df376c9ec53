"""From the people that a format's walk found to tracks: who is who, when, and in which scale."""

import warnings
from collections import Counter
from itertools import groupby

import numpy as np

from ..errors import UnrelatedError, UserError
from . import times
from .assign import assign
from .numbering import timeline
from .tracks import Track


def build(path, walk, fps=None):
    """Tracks of what a walk found.

    Returns (tracks, places, frame_count, tracked, timestamps, notes); places: for each person, in the walk's
    order, {part name: (track, frame of the track)}. Raises UserError where key-point counts change and where
    nobody, or no key point, is in the file.
    """
    notes = list(walk.notes)
    if not walk.people:
        raise UserError(f"{path}: no person in any of the {len(walk.frames)} frames. Nothing can be refined")
    index = {}
    for sequence, entries in groupby(sorted(set(walk.frames)), key=lambda frame: frame[0]):
        places, step = timeline(number for _, number in entries)
        index.update({(sequence, number): place for number, place in places.items()})
        if step > 1 and len(places) > 2:
            notes.append(
                f"frame numbers rise in steps of {step}: the frames are taken as consecutive, and the "
                "frame rate as theirs"
            )
    notes = list(dict.fromkeys(notes))
    if len({sequence for sequence, _ in index}) > 1:
        notes.append("the file holds several recordings (told by the frames' names): each is refined by itself")
    frame_count = max(index.values()) + 1

    parts = {}
    for person in walk.people:
        for slot in person.slots:
            known = parts.setdefault(slot.part.name, (slot.part, slot.poses.shape, person.where))
            if known[1] != slot.poses.shape:
                raise UserError(
                    f"{path}: {person.where}: {slot.part.name} has {slot.poses.shape[0]} key "
                    f"points of {slot.poses.shape[1]} coordinates, but {known[1][0]} of "
                    f"{known[1][1]} at {known[2]}. One file needs one key-point set; split it"
                )
    if not parts:
        raise UserError(f"{path}: {len(walk.people)} people, but no key points. Nothing can be refined")
    owners, tracked = _owners(walk.people, index, parts, round(fps or walk.fps or 30))
    if not tracked:
        notes.append("the file has no person ids: people were followed by pose distance")

    members = {}
    for number, (person, owner) in enumerate(zip(walk.people, owners)):
        for slot in person.slots:
            members.setdefault((owner, slot.part.name), []).append((index[person.frame], number, slot))
    tracks, places = [], [{} for _ in walk.people]
    names, scale = _person_names(owners), _confidence_scale(walk.people)
    for (owner, name), entries in members.items():
        if all(np.isnan(slot.poses).all() for _, _, slot in entries):
            continue
        entries.sort(key=lambda entry: entry[0])
        for time, number, _ in entries:
            places[number][name] = (len(tracks), time - entries[0][0])
        track_name = names[owner] if name == "body" else f"{names[owner]} {name}"
        tracks.append(_track(owner[1], track_name, parts[name][0], entries, scale[name]))
    if not tracks:
        raise UserError(
            f"{path}: every key point of every person is missing (zero confidence or NaN). Nothing can be refined"
        )
    if not tracked:
        _check_clip(path, tracks, frame_count)
    timestamps = None
    if walk.timestamps is not None and len({frame[0] for frame in walk.frames}) == 1:
        values = np.full(frame_count, np.nan)
        for frame, value in zip(walk.frames, walk.timestamps):
            values[index[frame]] = np.nan if value is None else value
        timestamps, note = times.in_seconds(values, path, walk.clock, times.unit_of(walk.clock), fps)
        notes += [note] if note else []
    return tracks, places, frame_count, tracked, timestamps, notes


# Below which share of people who are followed to the next frame, or above which change of pace per frame (in body sizes),
# frames are unrelated images.
FOLLOWED, RESTLESS = 0.5, 0.3


def _check_clip(path, tracks, frame_count):
    """Raise UnrelatedError where people who were followed by place alone hardly follow: unrelated images, not a clip."""
    bodies = [track for track in tracks if track.part == tracks[0].part and track.kind != "smpl"]
    there, followed, changes = np.zeros(frame_count, dtype=int), 0, []
    for track in bodies:
        there[track.start : track.start + len(track.poses)] += track.present
        followed += int((track.present[1:] & track.present[:-1]).sum())
        changes += _changes(track.poses)
    possible = int(np.minimum(there[1:], there[:-1]).sum())
    lonely = len(bodies) > 6 and all(len(track.poses) == 1 for track in bodies)  # nobody is ever seen again
    apart = lonely or possible > 6 and followed < FOLLOWED * possible
    if apart or len(changes) > 6 and np.median(changes) > RESTLESS:
        raise UnrelatedError(
            f"{path}: people of one frame are not to be found in the next: {frame_count} unrelated images, not a clip. Refining "
            "needs the frames of a video in order; give each clip by itself, or person ids"
        )


def _changes(poses):
    """How much the pace of poses [T, J, D] changes from frame to frame, in body sizes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # frames without anybody
        size = np.nanmedian(np.linalg.norm(np.nanmax(poses, axis=1) - np.nanmin(poses, axis=1), axis=-1))
        changes = np.nanmedian(np.linalg.norm(np.diff(poses, n=2, axis=0), axis=-1), axis=1) if len(poses) > 2 else []
    return [change / size for change in changes if np.isfinite(change) and size > 0]


def _owners(people, index, parts, max_gap):
    """Whose each detection is, one (sequence, id, occurrence) a person; and whether the file has ids."""
    owners, seen = [None] * len(people), Counter()
    untracked = {}
    for number, person in enumerate(people):
        if person.id is None:
            untracked.setdefault(person.frame[0], []).append(number)
            continue
        # An id that stands twice in one frame is two people, however the tool came to it.
        occurrence = seen[person.frame, person.id]
        seen[person.frame, person.id] += 1
        owners[number] = (person.frame[0], person.id, occurrence)
    main = "body" if "body" in parts else next(iter(parts))
    joints, dims = parts[main][1]
    for sequence, group in untracked.items():
        frames = [[] for _ in range(max(index[people[number].frame] for number in group) + 1)]
        for number in group:
            frames[index[people[number].frame]].append(number)
        poses = np.array([_pose(people[number], main, (joints, dims)) for frame in frames for number in frame])
        poses[(poses == 0).all(axis=-1)] = np.nan  # nobody is followed by points at 0, 0
        ends = np.cumsum([len(frame) for frame in frames])
        for frame, assigned in zip(frames, assign(np.split(poses, ends[:-1]), max_gap)):
            for number, person in zip(frame, assigned.tolist()):
                owners[number] = (sequence, person, "assigned")
    return owners, not untracked


def _pose(person, part, shape):
    return next((slot.poses for slot in person.slots if slot.part.name == part), np.full(shape, np.nan))


def _confidence_scale(people):
    """{part: what its confidences are divided by}: some tools' scores exceed 1 by far, some by rounding."""
    highest = {slot.part.name: 0 for person in people for slot in person.slots}
    for person in people:
        for slot in person.slots:
            if slot.confidence is not None and slot.confidence.size:
                highest[slot.part.name] = max(highest[slot.part.name], slot.confidence.max())
    return {name: largest if largest > 1.5 else 1 for name, largest in highest.items()}


def _person_names(owners):
    """{owner: a name for the person}, each different."""
    distinct, names = list(dict.fromkeys(owners)), {}
    for owner in distinct:
        sequence, identity, _ = owner
        name = "person" if len(distinct) == 1 else f"person {identity}"
        name = f"{sequence.rstrip('_-./ ')} {name}".strip() if len(distinct) > 1 else name
        copies = sum(taken == name or taken.startswith(f"{name} (") for taken in names.values())
        names[owner] = f"{name} ({copies + 1})" if copies else name
    return names


def _track(identity, name, part, entries, confidence_scale):
    start, length = entries[0][0], entries[-1][0] - entries[0][0] + 1
    shape = entries[0][2].poses.shape
    poses, present = np.full((length, *shape), np.nan), np.zeros(length, dtype=bool)
    rated = any(slot.confidence is not None for _, _, slot in entries)
    confidence = np.zeros((length, shape[0])) if rated else None
    for time, _, slot in entries:
        poses[time - start], present[time - start] = slot.poses, True
        if rated:
            score = 1 if slot.confidence is None else np.clip(slot.confidence / confidence_scale, 0, 1)
            confidence[time - start] = np.where(np.isnan(slot.poses).any(axis=1), 0, score)
    return Track(
        identity,
        name,
        poses,
        confidence,
        part.kind,
        part.layout,
        part.joint_names,
        part.units,
        part.name,
        start,
        present,
    )
