"""Who is seen in a recording, so that persons stay together: no one is in training and in validation.

A group is what must not be divided, mostly a person. `DATASET.GROUPS` tells it: a regular expression over the recording's name, whose first
bracket is the group, or JSON files (lists of {"clip", "subject", "licence"}), of which the recordings are those of the clip's name; {set} in
a file's name stands for each dataset and its estimator, such as my_vibe.
"""

import fnmatch
import json
import re
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from .sequences import Split

CAMERA = re.compile(r"[._-]?camera\d*$")


@dataclass(frozen=True)
class Membership:
    """What is known of one recording: its group (its own name where none is told) and its licence ("" unknown)."""

    group: str
    licence: str = ""


class Groups:
    """The groups that a config tells of; without `DATASET.GROUPS` each recording is its own."""

    def __init__(self, cfg):
        told = cfg.DATASET.GROUPS.strip()
        self.known = bool(told)
        self.pattern, self.clips = None, {}
        if told.endswith(".json"):
            for name in dict.fromkeys(each for part in told.split(",") for each in _of_sets(part.strip(), cfg)):
                self._read(_found(name, cfg.DATASET.BASE_DIR))
        elif told:
            self.pattern = _pattern(told)

    def _read(self, path):
        try:
            rows = json.loads(path.read_text(encoding="utf-8"))
            self.clips.update(
                {_stem(row["clip"]): Membership(str(row["subject"]), str(row.get("licence", ""))) for row in rows}
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UserError(
                f'DATASET.GROUPS {path}: expected a list such as [{{"clip": "01_01", "subject": "01", "licence": "CC0"}}]'
            ) from None

    def of(self, recording):
        """The `Membership` of a recording."""
        if self.pattern is not None:
            match = self.pattern.search(recording.name)
            return Membership(match[1] if match and match[1] else recording.name)
        return self.clips.get(_stem(recording.name), Membership(recording.name))


def _stem(name):
    """A recording's name without its folder of frames and its camera."""
    return CAMERA.sub("", name.split("/")[0])


def _of_sets(name, cfg):
    """A file's name for each dataset of a config, which stands for {set} in it."""
    pairs = zip(cfg.DATASET_NAME.split(","), cfg.ESTIMATOR.split(","))
    return [name.replace("{set}", f"{dataset.strip()}_{estimator.strip()}") for dataset, estimator in pairs]


def _found(name, base):
    """A file named from here, from the folder of the datasets, or from the one above it."""
    places = [Path(name), Path(base, name), Path(base).parent / name]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise UserError(f"DATASET.GROUPS {name}: not found, nor in {base} or the folder above it")
    return found


def _pattern(text):
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise UserError(f"DATASET.GROUPS {text}: neither a .json file nor a regular expression ({error})") from None
    if pattern.groups < 1:
        raise UserError(f"DATASET.GROUPS {text}: has no bracket, which would be the group. Example: ^(s\\d+)_")
    return pattern


def exclude(split, cfg):
    """The split without the recordings whose group or licence `DATASET.EXCLUDE` names (patterns such as hdm05_*).

    Raises UserError where nothing is left.
    """
    patterns = [part.strip() for part in cfg.DATASET.EXCLUDE.split(",") if part.strip()]
    if not patterns:
        return split
    groups = Groups(cfg)

    def stays(recording):
        member = groups.of(recording)
        return not any(
            fnmatch.fnmatchcase(value, pattern) for pattern in patterns for value in (member.group, member.licence)
        )

    kept = [recording for recording in split.recordings if stays(recording)]
    if not kept:
        raise UserError(f"DATASET.EXCLUDE {cfg.DATASET.EXCLUDE}: leaves no {split.split} recording of {split.source}")
    return _with(split, kept)


def hold_out(split, cfg, rng):
    """(training split, validation split): a share TRAIN.VAL_SHARE of a training split kept for validation.

    By TRAIN.VAL_BY `group` whole groups, as many as come nearest to the share, or those that TRAIN.VAL_GROUPS names; by
    `recording`, or where no group is known, whole recordings. rng: np.random.Generator. Raises UserError where one
    of the two would be empty.
    """
    groups = Groups(cfg)
    by_group = cfg.TRAIN.VAL_BY == "group" and groups.known
    labels = [groups.of(recording).group if by_group else index for index, recording in enumerate(split.recordings)]
    if by_group and cfg.TRAIN.VAL_GROUPS:
        patterns = [part.strip() for part in cfg.TRAIN.VAL_GROUPS.split(",")]
        held = {label for label in labels if any(fnmatch.fnmatchcase(label, pattern) for pattern in patterns)}
    else:
        held = _drawn(labels, cfg.TRAIN.VAL_SHARE, split, rng)
    if not held or len(held) == len(set(labels)):
        raise UserError(
            f"TRAIN.VAL_GROUPS {cfg.TRAIN.VAL_GROUPS}: holds out {'all' if held else 'none'} of the groups of {split.source} "
            f"({', '.join(sorted(set(map(str, labels)))[:12])})"
        )
    inside = [label in held for label in labels]
    return tuple(
        _with(split, [recording for recording, held in zip(split.recordings, inside) if held == side])
        for side in (False, True)
    )


def _drawn(labels, share, split, rng):
    """The labels that are held out: at random, until their recordings come nearest to the share."""
    different = list(dict.fromkeys(labels))
    if len(different) < 2:
        raise UserError(
            f"{split.source}: has one training {'recording' if len(labels) == 1 else 'group'}, so none can be kept for "
            "validation. Add a validate split, or set TRAIN.VALIDATE False"
        )
    wanted, held, count = max(1, round(len(labels) * share)), set(), 0
    for place in rng.permutation(len(different))[: len(different) - 1]:
        size = labels.count(different[place])
        if held and count + size - wanted > wanted - count:
            break
        held.add(different[place])
        count += size
    return held


def _with(split, recordings):
    return Split(split.source, split.split, split.layout, split.representation, recordings)
