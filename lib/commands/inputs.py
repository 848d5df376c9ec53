"""What a command line of many inputs names: which files and folders are recordings, and where each result goes."""

import os
import re
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from ..errors import UserError, reading
from ..formats import registry
from ..formats.opened import Opened, natural
from .refine_file import CONTAINERS, beside

# A file of another ending is refined only where it is named itself.
ENDINGS = set(sum(CONTAINERS, []))
OWN = re.compile(r"(failures|summary)(\.\d+)?\.jsonl?")  # what an earlier run wrote (lib/commands/refine_many.py)


class Recording(NamedTuple):
    """A file, or a folder of per-frame files, and where its result goes.

    folder: what the name is relative to; output: the folder of the results, "" for beside the recording.
    """

    folder: str
    name: str
    output: str

    @property
    def source(self):
        return os.path.join(self.folder, self.name)

    @property
    def place(self):
        """The path of the result."""
        return os.path.join(self.output, self.name) if self.output else str(beside(self.source))


@dataclass
class Found:
    """recordings: in a fixed order; folders: how many of them are folders of per-frame files; left_out: {why: how many}."""

    recordings: list = field(default_factory=list)
    folders: int = 0
    left_out: Counter = field(default_factory=Counter)


def find(paths, output="", recursive=False):
    """The recordings that paths name, as `Found`; output: the folder of the results, "" for beside each.

    A folder of per-frame files is one recording; of any other folder the files in it are, and with `recursive` those in the
    folders within. What has been refined is left out. Raises UserError for a path that is not there, for two results of
    one name, and for a result in the place of an input.
    """
    found = Found()
    for path in paths:
        if not os.path.exists(path):
            raise UserError(f"{path}: not found. Inputs are paths; KEY VALUE pairs follow them")
        if os.path.isdir(path) and not is_recording(path):
            _walk(found, path, output, recursive)
        else:
            whole = path if os.path.basename(path) not in ("", ".", "..") else os.path.abspath(path)
            folder, name = os.path.split(whole)
            _add(found, Recording(folder, name, output))
    if len(paths) > 1 or output and _is_within(paths[0], output):
        found.recordings = _check_places(found.recordings)
    return found


def _is_within(path, folder):
    path, folder = os.path.realpath(path), os.path.realpath(folder)
    return os.path.commonpath([path, folder]) == folder


def _add(found, recording, is_folder=None):
    if os.path.splitext(recording.name)[0].endswith("_refined"):
        found.left_out["refined already (*_refined.*)"] += 1
        return
    found.folders += os.path.isdir(recording.source) if is_folder is None else is_folder
    found.recordings.append(recording)


def _walk(found, top, output, recursive):
    waiting = [""]
    while waiting:
        inner = waiting.pop()
        for entry in sorted(os.scandir(os.path.join(top, inner)), key=lambda entry: entry.name):
            recording = Recording(top, os.path.join(inner, entry.name), output)
            if entry.name.startswith(".") or not inner and not output and OWN.fullmatch(entry.name):
                continue
            if entry.is_file():
                ending = os.path.splitext(entry.name)[1].lower()
                if ending in ENDINGS:
                    _add(found, recording, False)
                else:
                    found.left_out[ending or "no ending"] += 1
            elif not entry.is_dir(follow_symlinks=False):
                found.left_out["links to folders, devices and the like"] += 1
            elif output and os.path.realpath(entry.path) == os.path.realpath(output):
                continue
            elif is_recording(entry.path):
                _add(found, recording, True)
            elif recursive:
                waiting.append(recording.name)
            else:
                found.left_out["folders (--recursive takes what is in them)"] += 1
    found.recordings.sort(key=lambda recording: recording[:2])


def _check_places(recordings):
    """The recordings, each once. Raises UserError for results of one name, and for a result in the place of an input."""
    sources, kept = {}, []
    for recording in recordings:
        place, source = os.path.realpath(recording.place), os.path.realpath(recording.source)
        if sources.setdefault(place, source) != source:
            raise UserError(
                f"{recording.place}: would be the result of {source} and of {sources[place]}. Refine them one after the "
                "other, each with an --output of its own"
            )
        kept += [recording] if len(sources) > len(kept) else []
    taken = sources.keys() & set(sources.values())
    if taken:
        raise UserError(f"--output: the results would replace inputs, such as {min(taken)}. Choose another folder")
    return kept


# --------------------------------------------------------------- a folder of frames, or of recordings


class _Frame(Opened):
    """A folder as if it held one of its files only, which is enough to tell the kind."""

    def __init__(self, folder, file):
        super().__init__(folder)
        self._file = file

    @cached_property
    def content(self):
        return {self._file.name: self._file.read_bytes()}

    @cached_property
    def is_json(self):
        return True


def is_recording(folder):
    """Whether a folder is one recording of per-frame files: a kind has such folders, and no file of it has several frames."""
    try:
        names = (entry.name for entry in os.scandir(folder) if entry.name.endswith(".json") and entry.is_file())
        files = [Path(folder, name) for name in sorted(names, key=natural) if not name.startswith(".")]
    except OSError:
        return True  # a folder that cannot be looked into is refused as a recording
    if not files:
        return _is_kind(Opened(folder))  # of text files
    sampled = {files[0], files[len(files) // 2], files[-1]}  # a frame may be broken, or hold nobody
    return any(_is_kind(_Frame(folder, file)) for file in sampled) and not any(map(_has_frames, sampled))


def _is_kind(opened):
    try:
        with reading(opened.path, "a folder of per-frame files"):
            return any(kind.sniff(opened) for kind in registry.FORMATS.values())
    except (UserError, OSError):
        return False


def _has_frames(file):
    """Whether a file is a recording of several frames by itself."""
    try:
        return registry.read(file).frame_count > 1
    except (UserError, OSError):
        return False
