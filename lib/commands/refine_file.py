"""A pose file in, the same kind of file with refined poses out, and what was done said and drawn."""

import re
import shutil
import sys
from pathlib import Path

import numpy as np
import torch

from .. import config, weights
from ..errors import UserError
from ..files import atomic_folder, atomic_write
from ..formats import registry
from ..messages import logger
from ..models import checkpoints
from ..tracks.refiner import Refiner
from . import comparison
from . import refine_said as said

log = logger(__name__)

# Endings of the files that lib/formats reads; those of one row have the same kind of content.
CONTAINERS = tuple(row.split() for row in (
    ".json .jsonl", ".npy", ".npz", ".csv .tsv", ".trc", ".c3d", ".mot .sto", ".slp", ".pose", ".h5 .hdf5 .hdf",
    ".pkl .pk .pickle .joblib", ".pt .pth", ".skeleton",
))  # fmt: skip
EXPORTS = (".bvh", ".glb", ".c3d")  # endings of an output of another kind (refine_exports)

# What networks know of themselves; no command line can change it here.
_FIXED = [f"MODEL.{key}" for key in config.defaults().MODEL if key not in ("n_head", "SLIDE_WINDOW_SIZE")] + [
    "EVALUATE.WINDOW_WEIGHTS",
    "EVALUATE.SMOOTH",
    "EVALUATE.SLIDE_WINDOW_STEP_SIZE",
]


def main(request):
    """What refine_smoothnet.py does. Raises UserError for input that cannot be refined."""
    cfg, args = checked(request), request.args
    if args.live or args.input == "-":
        from . import live_lines

        if args.input != "-" or not args.live:
            raise UserError("--live and -: a live stream is read from standard input. Say `synsp refine - --live`")
        return live_lines.serve(build(cfg, args), forget=cfg.REFINE.FORGET)
    return refine_file(args.input, cfg, args)


def checked(request):
    """The config of a command line. Raises UserError for a key that is the network's to say."""
    for key in _FIXED:
        if request.explicit(key):
            raise UserError(f"override {key}: a network refines as its file says. Leave it out")
    cfg = request.config()
    if request.explicit("MODEL.SLIDE_WINDOW_SIZE"):
        _check_window(cfg)
    if request.explicit("REFINE.FPS") and not cfg.REFINE.FPS:
        log.warning("--fps 0: taken as unknown; the file's own frame rate is used, if it has one")
    return cfg


def _check_window(cfg):
    """Raise UserError for a window that no network can take from a command line: all but published SynSP weights say theirs."""
    asked, checkpoint = cfg.MODEL.SLIDE_WINDOW_SIZE, cfg.EVALUATE.PRETRAINED
    what = "override MODEL.SLIDE_WINDOW_SIZE"
    if not checkpoint:
        raise UserError(f"{what}: shipped weights say their window. Leave it out, or pass --checkpoint")
    path = weights.named(checkpoint, weights.folder(cfg.REFINE.CHECKPOINT_DIR))
    own = checkpoints.load(path, cfg.MODEL.n_head).recipe.window
    if own not in (None, asked):
        raise UserError(f"{what} {asked}: {path} has windows of {own} frames. Leave it out")


def build(cfg, args, method=None):
    """The Refiner that a command line asks for."""
    node = cfg.REFINE
    # A GPU where there is one; a live window is sooner done on the CPU than copied to it.
    device = cfg.DEVICE if cfg.DEVICE.startswith("cuda") and torch.cuda.is_available() and not args.live else "cpu"
    return Refiner(
        method or node.METHOD,
        cfg.EVALUATE.PRETRAINED or None,
        node.FPS or None,
        strength=node.STRENGTH,
        max_gap=node.MAX_GAP,
        cutoff=node.CUTOFF or None,
        up=node.UP or None,
        lag=None if node.LAG < 0 else node.LAG,
        translation=args.refine_translation,
        own_places=True,
        repair=node.REPAIR and not args.no_repair,
        cfg=cfg,
        folder=node.CHECKPOINT_DIR,
        device=device,
        progress=sys.stderr is not None and sys.stderr.isatty(),
    )


def refine_file(path, cfg, args):
    """Refine one file or folder as the config and flags say; returns the output's path (with --suggest: what was found)."""
    refine = build(cfg, args)  # impossible settings are found before the file is read
    source = Path(path)
    output = Path(cfg.REFINE.OUTPUT) if cfg.REFINE.OUTPUT else beside(source)
    if cfg.REFINE.OUTPUT and source.is_dir() and output.is_file() or source.is_file() and output.is_dir():
        there, wanted = ("file", "folder") if output.is_file() else ("folder", "file")
        raise UserError(f"--output {output}: is a {there}, but {source} is a {wanted}. Name a {wanted}")
    _check_ending(source, output)
    pose_file = read(path, cfg)
    said.describe(path, pose_file)
    if args.suggest:
        from .suggest import suggest

        return suggest(pose_file, refine, cfg.REFINE.REPORT)
    exports = output.suffix.lower() in EXPORTS and output.suffix.lower() != source.suffix.lower()
    _check_needs(pose_file, output if exports else None, cfg)
    results = refine.refine_tracks(pose_file.tracks, pose_file.fps, pose_file.timestamps, pose_file.image_size)
    table = said.summary(pose_file, results)
    said.say(pose_file, results, refine, table)
    rows = []
    if args.compare:
        found = comparison.compare(pose_file, cfg, args, refine, results, build)
        rows = comparison.rows_of(pose_file, found)
        print("\n".join(filter(None, [comparison.table_text(rows), comparison.repairs_line(found)])))
        log.info("%s", comparison.recommendation(pose_file, found))
    removed = []
    if exports:
        from . import refine_exports

        output = ", ".join(map(str, refine_exports.write(pose_file, results, output, refine, cfg)))
    else:
        removed = write(pose_file, results, refine, source, output, cfg)
    for name in removed:
        log.info(
            "%s: follows from the poses that changed and was removed (it cannot be made anew from %s)",
            name,
            cfg.SMPL_MODEL_DIR,
        )
    log.info("written: %s", output)
    if cfg.REFINE.REPORT:
        from .refine_report import report

        log.info("report: %s", report(Path(cfg.REFINE.REPORT), path, pose_file, results, refine, table, rows, cfg))
    return output


def beside(path):
    """<name>_refined<ending> in the input's own folder."""
    path = Path(path)
    if path.is_dir():
        path = path.resolve()
        return path.with_name(f"{path.name}_refined")
    return path.with_name(f"{path.stem}_refined{path.suffix}")


def _check_ending(source, output):
    """Refuse an output whose ending says another kind of content than its bytes would have, those of the input's kind."""
    old, new = source.suffix.lower(), output.suffix.lower()
    rows = [row for row in CONTAINERS if new in row]
    if source.is_file() and old != new and new not in EXPORTS and rows and old not in rows[0]:
        raise UserError(
            f"--output {output}: the result is of the input's kind ({old or 'no ending'}), or {', '.join(EXPORTS)} of poses in 3D. Name it so"
        )


def _check_needs(pose_file, export, cfg):
    """Before minutes of work: raise what a report, or an output of another kind at `export`, lacks."""
    if export is not None:
        from . import refine_exports

        refine_exports.check(pose_file, export, cfg)
    if cfg.REFINE.REPORT:
        from . import refine_report

        refine_report.check(pose_file, cfg)


def read(path, cfg):
    """The `PoseFile` at `path`, as the config says to understand it."""
    node = cfg.REFINE
    return registry.read(path, node.INPUT_FORMAT or None, image_size(node.IMAGE_SIZE), node.FPS or None, node.AXES)


def image_size(text):
    """(width, height) in px of `1920x1080`, None of an empty text. Raises UserError for anything else."""
    if not text:
        return None
    match = re.fullmatch(r"(\d{1,5})\s*[x, ]\s*(\d{1,5})", text.strip())
    if not match or "0" in (match[1], match[2]):
        raise UserError(f"--image_size {text}: expected WIDTHxHEIGHT in px, such as 1920x1080")
    return int(match[1]), int(match[2])


def write(pose_file, results, refine, source, output, cfg):
    """Write the refined poses; returns the names of fields that had to be removed."""
    if refine.method == "none":
        _copy(source, output)
        return []
    refined = []
    for track, result in zip(pose_file.tracks, results):
        values = result.poses.copy()
        places = track.writable if result.repaired is None else result.repaired.exchange(track.writable)
        values[~places] = np.nan  # no record to write to
        refined.append(values)
    pose_file.repaired = [result.repaired for result in results]
    translations = [result.translation for result in results] if refine.translation else None
    return registry.write(
        pose_file, refined, output, derived=_derived(pose_file, results, translations, cfg), translations=translations
    )


def _derived(pose_file, results, translations, cfg):
    """{"verts": one array [T, V, 3] (or None) a track} on the user's SMPL model, or None where there is none.

    Whether a tool's vertices have the translation in them is told by trying: those that neither way gives to 2 mm are not
    made anew (and so removed).
    """
    if pose_file.format not in ("vibe", "wham"):
        return None
    from ..models.body import load_body

    try:
        body = load_body(cfg.SMPL_MODEL_DIR, allow_stand_in=False)
    except UserError as error:
        log.debug("%s", error)
        return None
    source, found = pose_file.source, {}
    for number, (identity, key, _, inside) in enumerate(source["places"]):
        track, old = pose_file.tracks[number], source["content"][identity].get("verts")
        if key != "pose" or not isinstance(old, np.ndarray) or old.ndim != 3 or track.betas is None:
            continue
        pose, refined = (
            np.nan_to_num(values[inside]).reshape(len(inside), -1) for values in (track.poses, results[number].poses)
        )
        betas, moved = np.nan_to_num(track.betas[inside]), (translations or {number: None})[number]
        for was, now in ((None, None), (track.translation, track.translation if moved is None else moved)):
            was, now = (None if values is None else np.nan_to_num(values[inside]) for values in (was, now))
            made = body.vertices(pose[:8], betas[:8], None if was is None else was[:8]).numpy()
            if made.shape == old[:8].shape and np.median(np.abs(made - old[:8])) < 0.002:
                whole = np.zeros((len(track.poses), *old.shape[1:]))
                whole[inside] = body.vertices(refined, betas, now).numpy()
                found[identity] = whole
                break
    return {"verts": [found.get(identity) for identity, *_ in source["places"]]}


def _copy(source, output):
    """The file or folder, byte for byte."""
    if source.resolve() == output.resolve():
        return
    if source.is_dir():
        with atomic_folder(output) as temporary:
            shutil.copytree(source, temporary, dirs_exist_ok=True)
        return
    with atomic_write(output) as temporary:
        shutil.copyfile(source, temporary)
