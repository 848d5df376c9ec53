"""How the keys of the configuration get their values: from a YAML file, from nested dicts, from `KEY VALUE` pairs."""

import difflib
import math
import re
from pathlib import Path

import yaml
from yacs.config import CfgNode

from .config import defaults, flatten, numbers, where
from .errors import UserError


def _cast(value, default, key):
    """`value` (from YAML or the command line) as the type of `default`. Raises UserError when it cannot be."""
    if isinstance(default, CfgNode):
        raise UserError(f"{key}: is a group of keys, not a value. Give {key}.<name>")
    if value is None or (isinstance(value, str) and value in ("None", "null")):
        if isinstance(default, str):
            return ""
        raise UserError(f"{key}: {value} given, but {_kind(default)} is needed (default {default})")
    if isinstance(default, bool):
        words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        if str(value).lower() in words:
            return words[str(value).lower()]
    elif isinstance(default, str):
        text = ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
        if all(ord(char) >= 32 for char in text):
            return text
        raise UserError(f"{key}: {text[:60]!r} holds control characters. Leave them out")
    elif isinstance(default, (int, float)) and not isinstance(value, bool):
        try:
            if isinstance(default, int) and re.fullmatch(r"[+-]?\d+", str(value)):
                return int(value)  # by way of a float a large one would change
            number = float(value)  # YAML reads 1e-3 as a string
            if isinstance(default, float) and math.isfinite(number):
                return number
            if number == int(number):
                return int(number)
        except (TypeError, ValueError, OverflowError):
            pass  # refused below, with the key
    else:
        return value
    raise UserError(f"{key}: {repr(value)[:60]} given, but {_kind(default)} is needed (default {default})")


def _kind(default):
    return {bool: "True or False", int: "a whole number", float: "a number"}[type(default)]


def _is_root_key(key):
    return key.startswith("DATASET.ROOT_")


def _root_joints(value, key):
    joints = value if isinstance(value, (list, tuple)) else str(value).strip("[]() ").split(",")
    try:
        return [int(joint) for joint in joints]
    except (TypeError, ValueError):
        raise UserError(f"{key}: {value!r} given, but a list of joint numbers is needed, such as [2,3]") from None


def _set(cfg, key, value):
    """Set one dotted key. Returns False when the schema has no such key."""
    *groups, name = key.split(".")
    node = cfg
    for group in groups:
        node = node.get(group) if isinstance(node, CfgNode) else None
    if not isinstance(node, CfgNode):
        return False
    if _is_root_key(key):
        node[name.upper()] = _root_joints(value, key)
        return True
    if name not in node:
        return False
    if value is None and isinstance(node[name], CfgNode):
        return True  # a YAML section that is left empty
    node[name] = _checked(_cast(value, node[name], key), key)
    return True


def _checked(value, key):
    """A number that its key can have. Raises UserError with those that it can."""
    default, lowest, highest, off = numbers().get(key, (value, value, value, value))
    if not lowest <= value <= highest and value != off:
        also = "" if off is None else f", or {off:g}"
        raise UserError(f"{key} {value}: must be from {lowest:.15g} to {highest:.15g}{also} (default {default:g})")
    return value


def merge_tree(cfg, tree):
    """Merge nested dicts into `cfg` in place. Returns the keys that the schema lacks, which are left out."""
    return [key for key, value in flatten(tree) if not _set(cfg, key, value)]


LARGEST_YAML = 10_000  # values, each counted wherever it stands; and 100 times as many bytes


def read_yaml(path):
    """A YAML file as nested dicts. Raises UserError naming the file and what is wrong in it."""
    path = Path(path)
    if not path.exists():
        raise UserError(f"--cfg {path}: not found. The shipped files are in configs/")
    if not path.is_file() or path.stat().st_size > 100 * LARGEST_YAML:
        raise UserError(
            f"--cfg {path}: not readable as YAML (no file, or far too large). Expected one such as those in configs/"
        )
    try:
        loader = yaml.SafeLoader(path.read_text(encoding="utf-8"))
        node = loader.get_single_node()
        _weigh(node, {}, f"--cfg {path}")
        tree = loader.construct_document(node) if node else None
    except (UserError, OSError):
        raise
    except Exception as error:  # a tag that does not fit its text raises nearly anything
        raise UserError(f"--cfg {path}: not readable as YAML ({error or type(error).__name__})") from error
    if not isinstance(tree, dict):
        raise UserError(f"--cfg {path}: contains no configuration keys. Expected YAML such as the files in configs/")
    return tree


def _weigh(node, known, where):
    """Values below a YAML node, counted wherever an alias puts them. Raises UserError for too many, or for a circle."""
    if id(node) not in known:
        known[id(node)] = None  # while it is open
        pairs = node.value if isinstance(node, yaml.CollectionNode) else ()
        children = [child for pair in pairs for child in (pair if isinstance(pair, tuple) else (pair,))]
        known[id(node)] = 1 + sum(_weigh(child, known, where) for child in children)
    if known[id(node)] is None or known[id(node)] > LARGEST_YAML:
        what = "an alias that holds itself" if known[id(node)] is None else f"more than {LARGEST_YAML} values"
        raise UserError(f"{where}: not readable as a config: it has {what}")
    return known[id(node)]


def merge_overrides(cfg, pairs):
    """Merge trailing `KEY VALUE` pairs in place; an unknown key or a missing value is a UserError."""
    pairs = list(pairs)
    if len(pairs) % 2:
        raise UserError(f"override {pairs[-1]}: has no value. Overrides come as KEY VALUE pairs at the end of the line")
    for key, value in zip(pairs[::2], pairs[1::2]):
        if not _set(cfg, key, value):
            raise UserError(f"override {key}: no such key. {_nearest(key)}")


def _nearest(key):
    known = [name for name, _ in flatten(defaults())]
    close = difflib.get_close_matches(key.upper(), [name.upper() for name in known], n=1)
    if close:
        return f"Did you mean {next(name for name in known if name.upper() == close[0])}?"
    return f"{where()} lists them all"
