"""What is known of a finished result: one small JSON file per recording, in the folder `.synsp` beside the result.

It is removed before a result is written and written after it, so that a result with a record is whole and is what the
record says, whenever a process was killed. It holds no time of day: the same run leaves the same bytes.
"""

import hashlib
import json
import os
from pathlib import Path

from .. import __version__, config, weights
from ..files import write_text

FOLDER = ".synsp"
# Keys that no refined number depends on, and those that `settings` has in another form.
_NOT_OPTIONS = {"OUTPUT", "METHOD", "REPORT", "FORGET", "CHECKPOINT_DIR"}


def settings(cfg, args):
    """Everything that results depend on beside the input: {synsp, method, weights (SHA-256), options (not at default)}."""
    chosen = dict(config.flatten(cfg))
    options = {
        key: chosen[key]
        for key, default in config.flatten(config.defaults())
        if chosen.get(key) != default and _is_option(key)
    }
    options |= {flag: True for flag in ("refine_translation", "no_repair") if getattr(args, flag)}
    return {
        "synsp": __version__,
        "method": cfg.REFINE.METHOD,
        "weights": _digest(cfg),
        "options": options | ({"compare": True} if args.compare else {}),
    }


def _is_option(key):
    group, _, name = key.partition(".")
    if group == "REFINE":
        return name not in _NOT_OPTIONS
    return name.startswith("TRADITION_") or key in ("SMPL_MODEL_DIR", "MODEL.n_head", "MODEL.SLIDE_WINDOW_SIZE")


def _digest(cfg):
    """SHA-256 of the weights that may be used: names and contents; "" where no method has any."""
    if cfg.REFINE.METHOD not in ("auto", "synsp", "smoothnet"):
        return ""
    folder = weights.folder(cfg.REFINE.CHECKPOINT_DIR)
    if cfg.EVALUATE.PRETRAINED:
        # What the other joints are refined by lies in the folder all the same.
        files = [weights.named(cfg.EVALUATE.PRETRAINED, folder), *sorted(folder.glob("smoothnet_w*.pth.tar"))]
    else:
        files = sorted(folder.glob(weights.PATTERN))
    digest = hashlib.sha256()
    for file in files:
        content = file.read_bytes()
        digest.update(f"{file.name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest() if files else ""


def state(source):
    """[files, bytes, newest change in ns] of a file or of a folder of per-frame files: other numbers, other contents."""
    entries = list(os.scandir(source)) if os.path.isdir(source) else [Path(source)]
    found = [entry.stat() for entry in entries]
    return [len(found), sum(one.st_size for one in found), max((one.st_mtime_ns for one in found), default=0)]


def record_of(place):
    """The path of the record of a result."""
    folder, name = os.path.split(place)
    return Path(folder, FOLDER, f"{name}.json")


def read(place, settings, state):
    """The record of a result that is there and was made with these settings from an input in this state, or None."""
    try:
        record = json.loads(record_of(place).read_bytes())
    except (OSError, ValueError):
        return None
    same = isinstance(record, dict) and record.get("settings") == settings and record.get("input") == state
    return record if same and os.path.exists(place) else None


def forget(place):
    """Before a result is written: what is recorded of an older one no longer holds."""
    record_of(place).unlink(missing_ok=True)


def write(place, record):
    """After a result was written."""
    write_text(record_of(place), json.dumps(record, allow_nan=False) + "\n")
