"""The inputs of the campaign, one for each (seed, number), and the doors that they go through.

`make(folder, seed, number)` writes an input and returns (door, path, what was changed); `DOORS[door](path, dice)` gives it to
the toolkit and returns "refused" or "done". Whatever a door raises but UserError is a failure.
"""

import contextlib
import hashlib
import importlib.util
import json
import random
import shutil
from pathlib import Path

import numpy as np
import samples as more_samples
import torch
from mutators import mutate

from lib import config, safe_pickle
from lib.command_line import Request
from lib.commands import live_lines, pairs_collect, refine_exports
from lib.config_values import merge_tree
from lib.dataset import storage
from lib.errors import UserError, printable
from lib.formats import registry
from lib.models import checkpoints
from lib.pairs import collect as pairs
from lib.pairs import truth
from lib.tracks.refiner import Refiner

ROOT = Path(__file__).parents[2]


def _builders():
    """One builder for each kind of file, from the tests of the formats."""
    spec = importlib.util.spec_from_file_location("format_samples", ROOT / "tests" / "formats" / "conftest.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.BUILDERS


BUILDERS = _builders()
NAMES = sorted(BUILDERS)


def samples(folder):
    """Write one unchanged sample of everything; {name: (door, path)}."""
    found = {}
    for name in NAMES:
        (folder / name).mkdir(parents=True)
        found[name] = "refine", BUILDERS[name](folder / name).path
    for name, build in more_samples.BUILDERS.items():
        (folder / f"more {name}").mkdir()
        found[name] = "newer", build(folder / f"more {name}")
    (folder / "clips").mkdir()
    found["clips"] = "pairs", more_samples.clips(folder / "clips")
    for name in ("mmpose_demo_3d", "trc", "vibe"):
        found[f"export {name}"] = "export", found[name][1]
    for name in ("sam3d", "hybrik", "sto"):
        found[f"export {name}"] = "export", found[name][1]
    for name in ("sequences", "sequences_smpl"):
        found[f"set {name}"] = "dataset", found[name][1]
    for path in sorted((ROOT / "configs").glob("*.yaml"))[:4]:
        found[path.name] = "config", path
    for name in ("format_1.pth.tar", "format_1_smoothnet.pth.tar"):
        found[name] = "checkpoint", ROOT / "tests" / "reference" / name
    lines = [json.dumps({"t": frame / 30, "id": who, "pose": [[float(frame + joint), float(who), 0.9] for joint in range(17)]})
             for frame in range(6) for who in (1, 2)]  # fmt: skip
    (folder / "live").mkdir()
    (folder / "live" / "lines.jsonl").write_text("\n".join(lines))
    found["live"] = "live", folder / "live" / "lines.jsonl"
    found["pickle"] = "pickle", found["vibe"][1]
    return found


# How often each door is chosen, of 100.
SHARES = {
    "refine": 40,
    "newer": 24,
    "export": 4,
    "pairs": 4,
    "dataset": 5,
    "config": 5,
    "checkpoint": 5,
    "live": 7,
    "pickle": 6,
}


def make(known, folder, seed, number):
    """The input of this number: (door, path, name of its sample, what was changed, dice for what follows)."""
    dice = random.Random(int.from_bytes(hashlib.sha256(f"{seed} {number}".encode()).digest()[:8], "little"))
    door = dice.choices(list(SHARES), list(SHARES.values()))[0]
    name = dice.choice(sorted(name for name, (of, _) in known.items() if of == door))
    source = known[name][1]
    path = folder / source.name
    shutil.copytree(source, path) if source.is_dir() else shutil.copyfile(source, path)
    return door, path, name, mutate(path, dice), dice


# ------------------------------------------------------------------------------------------------ doors


def refine(path, dice):
    """Read, refine by a method, write and read again; what comes out must fit what went in."""
    pose_file = registry.read(path)
    before = [track.poses.copy() for track in pose_file.tracks]
    method = dice.choice(["savgol", "oneeuro", "gaus1d", "butterworth", "none", "median+gaussian", "auto", "savgol"])
    refiner = Refiner(method, cfg=config.defaults(), folder=str(ROOT / "data" / "checkpoints"), own_places=True)
    results = refiner.refine_tracks(pose_file.tracks, pose_file.fps, pose_file.timestamps, pose_file.image_size)
    for track, was, result in zip(pose_file.tracks, before, results, strict=True):
        fail_unless(result.poses.shape == was.shape, "shape of a result")
        fail_unless(np.isfinite(result.poses[np.isfinite(was)]).all(), "a result that is not finite")
        fail_unless(track.name.strip() != "", "a track without a name")
    refined = [
        np.where(track.writable[..., None], result.poses, np.nan) for track, result in zip(pose_file.tracks, results)
    ]
    out = path.with_name(f"out{path.suffix}")
    registry.write(pose_file, refined if method != "none" else before, out)
    again = registry.read(out, pose_file.format)
    if not pose_file.tracked:  # whom a detection is given to may change with the poses
        records = [sum(int(track.present.sum()) for track in of.tracks) for of in (pose_file, again)]
        fail_unless(records[0] == records[1], "another number of records when read again")
        return "done"
    if any(
        "read as" in note for note in again.notes
    ):  # an array of noise, whose axes its numbers do not tell twice alike
        return "done"
    fail_unless(len(again.tracks) == len(before), "another number of tracks when read again")
    for track, other, was in zip(pose_file.tracks, again.tracks, before):
        fail_unless(other.name == track.name and other.poses.shape == was.shape, "another track when read again")
        if method == "none":
            fail_unless(np.allclose(other.poses, was, rtol=1e-6, atol=1e-6, equal_nan=True), "none changed a number")
    return "done"


def export(path, dice):
    """Refined and written for other programs; what comes out must hold finite numbers."""
    pose_file = registry.read(path)
    refiner = Refiner("savgol", cfg=config.defaults())
    results = refiner.refine_tracks(pose_file.tracks, pose_file.fps, pose_file.timestamps, pose_file.image_size)
    out = path.with_name(f"out{dice.choice(['.bvh', '.glb', '.c3d'])}")
    for made in refine_exports.write(pose_file, results, out, refiner, config.defaults()):
        content = made.read_bytes()
        if made.suffix == ".glb":
            size = int.from_bytes(content[12:16], "little")
            text = content[20 : 20 + size].decode()
            binary = np.frombuffer(content[28 + size :], "<f4", len(content[28 + size :]) // 4)
            fail_unless(np.isfinite(binary).all(), "a .glb whose numbers are not finite")
        else:
            text = "" if made.suffix == ".c3d" else content.decode()
        fail_unless("nan" not in text.lower() and "infinity" not in text.lower(), f"a {made.suffix} with NaN in it")
        if made.suffix == ".c3d":
            (track,) = registry.read(made).tracks
            fail_unless(np.isfinite(track.poses).any(), "a .c3d without a marker")
    return "done"


def collect(path, dice):
    """A dataset of rendered clips; it must be readable, and finite."""
    base = path.parent / "poses"
    options = pairs.Options("my", "est", base)
    known = truth.clips(path)
    pairs.collect(path, pairs_collect.find(path, path, known, "est"), options)
    for made in base.glob("*/*.npz"):
        for key, sequences in storage.read(made).items():
            if key in storage.POSE_KEYS:
                fail_unless(all(np.isfinite(one).all() for one in sequences), f"{made.name}: {key} is not finite")
    return "done"


def dataset(path, dice):
    data = storage.read(path)
    for key in storage.POSE_KEYS:
        for value in data.get(key, []):
            fail_unless(value.dtype == np.float32 and value.ndim == 2, f"{key} of another kind")
    return "done"


def config_file(path, dice):
    request = Request("train", ["--cfg", str(path)])
    config.dump(request.config())
    return "done"


def checkpoint(path, dice):
    found = checkpoints.load(path)
    with torch.inference_mode():
        window, channels = found.recipe.window or 8, getattr(found.network, "channels", None) or 51
        out = found.network(
            torch.zeros(1, window, channels) if found.name == "smoothnet" else torch.zeros(1, 1, window, channels)
        )
    del out
    cfg = config.defaults()
    merge_tree(cfg, found.config)
    return "done"


def live(path, dice):
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    out = []
    live_lines.serve(Refiner(dice.choice(["oneeuro", "none"]), fps=30), lines, out.append, lambda text: None)
    for line in out:
        json.loads(line)
    fail_unless(len(out) <= len(lines), "more lines out than in")
    return "done"


def hostile(path, dice):
    safe_pickle.load(path.read_bytes(), str(path))
    return "done"


DOORS = {
    "refine": refine,
    "newer": refine,
    "export": export,
    "pairs": collect,
    "dataset": dataset,
    "config": config_file,
    "checkpoint": checkpoint,
    "live": live,
    "pickle": hostile,
}


class Wrong(Exception):
    """A result that does not fit its input."""


def fail_unless(right, what):
    if not right:
        raise Wrong(what)


def outcome(door, path, dice):
    """(kind, detail) of one input: done, refused, caught (at the boundary), or what went wrong."""
    try:
        with contextlib.redirect_stdout(None):
            return DOORS[door](path, dice), ""
    except UserError as error:
        text = " ".join(str(error).split())
        if "MemoryError" in text or "not enough memory" in text:
            return "memory", text
        return ("caught" if "cannot be read as" in text else "refused"), printable(text)
    except MemoryError as error:
        return "memory", str(error)
    except Wrong as error:
        return "wrong", str(error)
