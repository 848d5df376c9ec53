"""An input that is looked at by several readers but read and parsed once."""

import json
import re
from functools import cached_property
from pathlib import Path

from ..dataset import storage
from ..errors import UserError


class Opened:
    """A pose file, or a folder of per-frame JSON files.

    path: as given; is_folder; suffix: lower case. The contents come on first use: `content` (bytes), `tree`
    (parsed JSON; of a folder {file name: parsed JSON} in the order of the numbers in the names), `arrays`
    (of an .npz). Raises UserError for what is missing, empty or not readable as that.
    """

    def __init__(self, path):
        self.path = Path(path)
        if not self.path.exists():
            raise UserError(f"{path}: not found")
        if not self.path.is_file() and not self.path.is_dir():
            raise UserError(f"{path}: is a pipe or a device. Write the poses to a file first")
        if self.path.is_file() and not self.path.stat().st_size:
            raise UserError(f"{path}: the file is empty. Write or copy it again")
        self.is_folder = self.path.is_dir()
        self.suffix = self.path.suffix.lower()

    @cached_property
    def head(self):
        """The first bytes of a file; empty for a folder."""
        if self.is_folder:
            return b""
        with open(self.path, "rb") as file:
            return file.read(64)

    def files(self, suffix):
        """The folder's files with an ending, in the order of the numbers in their names, without hidden ones."""
        found = (file for file in self.path.glob(f"*{suffix}") if not file.name.startswith(".") and file.is_file())
        return sorted(found, key=lambda file: natural(file.name))

    @cached_property
    def json_files(self):
        return self.files(".json")

    @cached_property
    def content(self):
        if self.is_folder:
            if not self.json_files:
                raise UserError(
                    f"{self.path}: no .json file in this folder. Expected one per frame, as "
                    "OpenPose writes them with --write_json"
                )
            return {file.name: _read(file) for file in self.json_files}
        return _read(self.path)

    @cached_property
    def tree(self):
        return parse(self.content, self.path)

    @cached_property
    def sample(self):
        """The parsed file, or the first file of a folder: enough to tell the kind."""
        if self.is_folder:
            name, content = next(iter(self.content.items()))
            return parse(content, self.path / name)
        return self.tree

    @cached_property
    def is_json(self):
        if self.is_folder:
            return bool(self.json_files)
        begin = self.head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
        return self.suffix in (".json", ".jsonl") or begin in (b"[", b"{")

    @cached_property
    def is_zip(self):
        """An .npz, as far as its first bytes tell (PyTorch's .pt files begin alike)."""
        return self.head[:4] == b"PK\x03\x04" and self.suffix not in (".pt", ".pth")

    @cached_property
    def is_npy(self):
        return self.head[:6] == b"\x93NUMPY"

    @cached_property
    def holds_objects(self):
        """Whether this is an .npy of Python objects, as numpy.save writes a dict, and not of numbers."""
        return self.is_npy and b"'descr': '|O'" in self.head

    @cached_property
    def arrays(self):
        return storage.read_arrays(self.path)

    @cached_property
    def lines(self):
        """The file's text as lines with their ends."""
        try:
            return self.content.decode("utf-8").splitlines(keepends=True)
        except UnicodeDecodeError as error:
            raise UserError(f"{self.path}: not a text file (byte {error.start}). Export it again as UTF-8") from None


def _read(path):
    content = path.read_bytes()
    if not content.strip():
        raise UserError(f"{path}: the file is empty. Write or copy it again")
    return content


class Lines(list):
    """What JSON lines hold, one value per line."""


def dump(tree):
    """JSON text of a parsed file: lines where it had lines."""
    if isinstance(tree, Lines):
        return "\n".join(map(json.dumps, tree)) + "\n"
    return json.dumps(tree)


def parse(content, path):
    """JSON from bytes (`Lines` of JSON lines), or {name: JSON} from {name: bytes}. Raises UserError that says where it breaks off."""
    if isinstance(content, dict):
        return {name: parse(part, Path(path) / name) for name, part in content.items()}
    try:
        return json.loads(content)
    except json.JSONDecodeError as error:
        lines = [line for line in content.splitlines() if line.strip()]
        if error.msg == "Extra data" and error.lineno == 2 and len(lines) > 1:
            return Lines(parse(line, f"{path}, line {number}") for number, line in enumerate(lines, 1))
        if error.msg == "Extra data" and (values := _one_after_another(content)):
            return values
        raise UserError(
            f"{path}: not complete JSON (line {error.lineno}, column {error.colno}: "
            f"{error.msg}). Write or copy the file again"
        ) from None
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}: not JSON text (byte {error.start} is no character). Write or copy the file again"
        ) from None
    except RecursionError:
        raise UserError(f"{path}: lists nested too deeply to be a pose file") from None


def _one_after_another(content):
    """`Lines` of JSON values of several lines each, one after another; empty where what follows is none."""
    text, place, values, decoder = content.decode("utf-8-sig"), 0, Lines(), json.JSONDecoder()
    while text[place:].strip():
        place = len(text) - len(text[place:].lstrip())
        try:
            value, place = decoder.raw_decode(text, place)
        except json.JSONDecodeError:
            return Lines()
        values.append(value)
    return values


def natural(name):
    """A sorting key under which frame 10 comes after frame 9."""
    parts = (part for part in re.split(r"([0-9]+)", name) if part)
    return [(0, int(part), "") if part[0] in "0123456789" else (1, 0, part) for part in parts]
