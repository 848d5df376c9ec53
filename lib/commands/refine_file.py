"""A pose file in, the same kind of file with refined poses out, and what was done said and drawn."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from .. import config
from ..errors import UserError
from ..files import atomic_folder, atomic_write
from ..filters import registry as filters
from ..formats import registry
from ..messages import logger
from ..poses import gaps, mapping, rotations
from ..poses.kinds import kind_of
from ..poses.skeletons import LAYOUTS, chain
from ..tracks.plan import RATE, pace, short
from ..tracks.refiner import RefinedTrack, Refiner

log = logger(__name__)


# What networks know of themselves; no command line can change it here.
_FIXED = [f"MODEL.{key}" for key in config.defaults().MODEL if key not in ("n_head", "SLIDE_WINDOW_SIZE")] + [
    "EVALUATE.WINDOW_WEIGHTS",
    "EVALUATE.SLIDE_WINDOW_STEP_SIZE",
]


def main(request):
    """What refine_smoothnet.py does. Raises UserError for input that cannot be refined."""
    cfg, args = request.config(), request.args
    for key in _FIXED:
        if request.explicit(key):
            raise UserError(f"override {key}: a network refines as its file says. Leave it out")
    if args.live or args.input == "-":
        from . import live_lines

        if args.input != "-" or not args.live:
            raise UserError("--live: reads standard input. Say `refine_smoothnet.py - --live`")
        return live_lines.serve(build(cfg, args), forget=cfg.REFINE.FORGET)
    return refine_file(args.input, cfg, args)


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
    )


def refine_file(path, cfg, args):
    """Refine one file or folder as the config and flags say; returns the output's path (with --suggest: what was found)."""
    refine = build(cfg, args)  # impossible settings are found before the file is read
    source = Path(path)
    output = Path(cfg.REFINE.OUTPUT) if cfg.REFINE.OUTPUT else beside(source)
    if cfg.REFINE.OUTPUT and source.is_dir() and output.is_file() or source.is_file() and output.is_dir():
        raise UserError(
            f"--output {output}: is a {'file' if output.is_file() else 'folder'}, but {source} is not. Name another"
        )
    pose_file = registry.read(
        path,
        cfg.REFINE.INPUT_FORMAT or None,
        image_size(cfg.REFINE.IMAGE_SIZE),
        cfg.REFINE.FPS or None,
        cfg.REFINE.AXES,
    )
    _describe(path, pose_file)
    if args.suggest:
        from .suggest import suggest

        return suggest(pose_file, cfg)
    results = refine.refine_tracks(pose_file.tracks, pose_file.fps, pose_file.timestamps, pose_file.image_size)
    table = summary(pose_file, results)
    _say(pose_file, results, refine, table)
    rows = compare(pose_file, cfg, args, refine, results) if args.compare else []
    if rows:
        print(table_text(rows))
    removed = _write(pose_file, results, refine, source, output, cfg)
    for name in removed:
        log.info(
            "%s: follows from the poses that changed and was removed (it cannot be made anew from %s)",
            name,
            cfg.SMPL_MODEL_DIR,
        )
    log.info("written: %s", output)
    if cfg.REFINE.REPORT:
        log.info("report: %s", report(Path(cfg.REFINE.REPORT), path, pose_file, results, refine, table, rows, cfg))
    return output


def image_size(text):
    """(width, height) in px of `1920x1080`, None of an empty text. Raises UserError for anything else."""
    if not text:
        return None
    match = re.fullmatch(r"(\d{1,5})\s*[x, ]\s*(\d{1,5})", text.strip())
    if not match or "0" in (match[1], match[2]):
        raise UserError(f"--image_size {text}: expected WIDTHxHEIGHT in px, such as 1920x1080")
    return int(match[1]), int(match[2])


def beside(path):
    """<name>_refined<ending> in the input's own folder."""
    path = Path(path)
    if path.is_dir():
        path = path.resolve()
        return path.with_name(f"{path.name}_refined")
    return path.with_name(f"{path.stem}_refined{path.suffix}")


def _describe(path, pose_file):
    tracks = pose_file.tracks
    people = len({str(track.id) for track in tracks})
    rate = (
        f"{pose_file.fps:g} a second"
        if pose_file.fps
        else "timestamps"
        if pose_file.timestamps is not None
        else "rate unknown"
    )
    log.info(
        "%s: %s, %d frames (%s), %d %s, %d key-point %s",
        path,
        registry.FORMATS[pose_file.format].description,
        pose_file.frame_count,
        rate,
        people,
        "person" if people == 1 else "people",
        len(tracks),
        "set" if len(tracks) == 1 else "sets",
    )
    somebody = np.zeros(pose_file.frame_count, dtype=bool)
    for track in tracks:
        somebody[track.start : track.start + len(track.poses)] |= gaps.seen(track.poses).any(axis=1)
    if not somebody.all():
        log.info("%d of %d frames without anybody", (~somebody).sum(), pose_file.frame_count)
    for note in pose_file.notes:
        log.info("%s", note)


def summary(pose_file, results):
    """Counts over all tracks: key points, missing, filled, still missing, gaps, refined by each method."""
    total = {
        "key points": 0,
        "missing": 0,
        "filled": 0,
        "still missing": 0,
        "never seen": 0,
        "gaps": 0,
        "longest gap": 0,
    }
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


def _say(pose_file, results, refine, table):
    plans = {}
    for track, result in zip(pose_file.tracks, results):
        plans.setdefault(result.plan, []).append(track.name)
    for plan, names in plans.items():
        who = "method" if len(plans) == 1 else f"method for {_few(names)}"
        log.info("%s: %s", who, plan)
    said = {}
    for track, result in zip(pose_file.tracks, results):
        for note in result.notes:
            said.setdefault(note, []).append(track.name)
    for note, names in said.items():
        log.info("%s%s", "" if len(names) == len(results) else f"{_few(names)}: ", note)
    if any(not kind_of(track.kind).in_image for track in pose_file.tracks) and refine.method != "none":
        log.info(
            "translation: %s",
            "refined too"
            if refine.translation
            else "where the body goes (root of 3D joints, SMPL trans) is left as it is; --refine_translation smooths it",
        )
    if refine.lag is not None:
        log.info(
            "lag: %d frames, as in live use (but gaps are filled, and another frame rate is turned into the network's, with "
            "the whole recording in view)",
            refine.lag,
        )
    counts = [
        f"{count} {'gap' if (count, name) == (1, 'gaps') else name}"
        for name, count in table.items()
        if name != "longest gap" and (count or name in ("key points", "missing"))
    ]
    if table["longest gap"]:
        counts.append(f"longest gap {table['longest gap']} frame{'s' * (table['longest gap'] > 1)}")
    log.info("%s", ", ".join(counts))


def _few(names):
    names = list(dict.fromkeys(names))
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _write(pose_file, results, refine, source, output, cfg):
    if refine.method == "none":
        _copy(source, output)
        return []
    refined = []
    for track, result in zip(pose_file.tracks, results):
        values = result.poses.copy()
        values[~track.writable] = np.nan  # no record to write to
        refined.append(values)
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


# ----------------------------------------------------------------------------------------- comparison


def scores(pose_file, results):
    """What can be said without ground truth, over the tracks of a file: {kind: row}.

    jitter: mean norm of the second difference in time; amplitude: the joints' range (5 to 95 %) as a share of the
    input's; displacement: mean distance from the input; largest: its largest. In the file's unit; rotations in degrees.
    """
    rows = {}
    for track, result in zip(pose_file.tracks, results):
        unit = {"2D": track.units or "px", "3D": track.units or "units", "smpl": "degrees"}[track.kind]
        part = rows.setdefault((track.kind, unit), {"jitter": [], "range": [], "was": [], "moved": []})
        start, values = track.poses, result.poses
        both = gaps.seen(start) & gaps.seen(values)
        if kind_of(track.kind).rotations:
            start, values = (torch.from_numpy(rotations_of).double() for rotations_of in (start, values))
            start, values = (rotations.axis_angle_to_matrix(matrix) for matrix in (start, values))
            moved = _angle(start, values)
            steps = _angle(values[1:], values[:-1])
            axis = rotations.matrix_to_axis_angle(values[1:] @ values[:-1].transpose(-1, -2)).numpy()
            part["jitter"].append(np.degrees(np.linalg.norm(np.diff(axis, axis=0), axis=-1)).ravel())
            for numbers, key in ((steps, "range"), (_angle(start[1:], start[:-1]), "was")):
                numbers = np.where(both[1:] & both[:-1], numbers, 0)
                part[key].append(numbers.ravel())
        else:
            moved = np.linalg.norm(values - start, axis=-1)
            there = np.where(both[..., None], values, np.nan)
            part["jitter"].append(np.linalg.norm(np.diff(there, n=2, axis=0), axis=-1).ravel())
            if both.any() and len(start) > 2:
                for numbers, key in ((there, "range"), (np.where(both[..., None], start, np.nan), "was")):
                    usable = numbers[:, both.any(axis=0)]
                    part[key].append(
                        (np.nanpercentile(usable, 95, axis=0) - np.nanpercentile(usable, 5, axis=0)).ravel()
                    )
        part["moved"].append(moved[both].ravel())
    return {key: _row(part) for key, part in rows.items()}


def _angle(a, b):
    """Degrees between rotation matrices [..., 3, 3]."""
    return np.degrees(rotations.matrix_to_axis_angle(a @ b.transpose(-1, -2)).norm(dim=-1).numpy())


def _row(part):
    joined = {key: np.concatenate(values) if values else np.zeros(0) for key, values in part.items()}
    was = float(joined["was"].sum())
    jitter = joined["jitter"][np.isfinite(joined["jitter"])]
    return {
        "jitter": float(jitter.mean()) if len(jitter) else float("nan"),
        "amplitude kept": float(joined["range"].sum()) / was if was > 0 else float("nan"),
        "displacement": float(joined["moved"].mean()) if len(joined["moved"]) else float("nan"),
        "largest": float(joined["moved"].max(initial=0)),
    }


def compare(pose_file, cfg, args, refine, results):
    """Rows {method, kind, …} of every method that can be had for this file."""
    done = []
    methods = ["none", "synsp", "smoothnet", *filters.FILTERS]
    for method in methods:
        if method == refine.method:
            done.append((method, results))
            continue
        args_cfg = cfg.clone()
        args_cfg.REFINE.CUTOFF = 0.0  # of the method asked for
        if method not in ("synsp", "smoothnet"):
            args_cfg.EVALUATE.PRETRAINED = ""
        try:
            other = build(args_cfg, args, method)
            found = other.refine_tracks(pose_file.tracks, pose_file.fps, pose_file.timestamps, pose_file.image_size)
        except UserError as error:
            log.info("not compared: %s", error)
            continue
        done.append((method, found))
    if refine.method == "auto":
        done.insert(1, ("auto", results))
    rows = []
    for method, found in done:
        for (kind, unit), row in scores(pose_file, found).items():
            rows.append({"method": "input" if method == "none" else method, "kind": kind, "unit": unit, **row})
    return rows


def table_text(rows):
    """The comparison as text."""
    lines = [
        f"{'method':<17}{'kind':<6}{'jitter':>10}{'amplitude':>11}{'moved':>10}{'largest':>10}  unit (jitter: a frame²)"
    ]
    for row in rows:
        lines.append(
            f"{row['method']:<17}{row['kind']:<6}{row['jitter']:>10.4g}{row['amplitude kept']:>10.1%} "
            f"{row['displacement']:>9.4g} {row['largest']:>9.4g}  {row['unit']}"
        )
    return "\n".join(lines)


# --------------------------------------------------------------------------------------------- report


def layout_of(track):
    """The `Layout` to draw a track with."""
    if track.layout in LAYOUTS:
        return LAYOUTS[track.layout]
    if track.joint_names is not None:
        return mapping.drawn_layout(track.layout or "named", track.joint_names)
    return chain(track.poses.shape[1])


def report(folder, path, pose_file, results, refine, table, rows, cfg):
    """Write report.html in `folder`; returns its path. Raw against refined, each track that can be drawn."""
    from ..visualize.page import PageSequence, PageTrack, write_page

    rate = refine.fps or pose_file.fps
    if not rate and pose_file.timestamps is not None and len(pose_file.timestamps) > 1:
        rate = pace(np.asarray(pose_file.timestamps))
    sequences, skipped, body = [], [], None
    for track, result in zip(pose_file.tracks, results):
        layout = layout_of(track)
        pair = [track.poses, result.poses]
        if kind_of(track.kind).rotations:
            if track.joint_names != LAYOUTS["smpl24"].joints[: len(track.joint_names or ())]:
                skipped.append(track.name)
                continue
            body = body or _body(cfg)
            turn = result.space.turn if result.space is not None and result.space.turn.shape == (3, 3) else np.eye(3)
            pair, layout = [_on_body(body, values) @ turn.T for values in pair], LAYOUTS["smpl24"]
        elif track.poses.shape[-1] == 1:
            skipped.append(track.name)
            continue
        elif kind_of(track.kind).in_space:
            upright = replace(result.space, root=None, centre=np.zeros(3)) if result.space is not None else None
            pair = [upright.into(values, 0) if upright else values for values in pair]
        tracks = [
            PageTrack(name, role, values, track.name)
            for name, role, values in zip(("raw", "refined"), ("input", "refined"), pair)
        ]
        sequences.append(PageSequence(track.name, float(rate or RATE), tracks, layout))
    if not sequences:
        log.info("nothing in %s can be drawn: the report holds the numbers alone", path)
        layout = chain(1)
        sequences = [PageSequence("nothing to draw", RATE, [PageTrack("raw", "input", np.zeros((1, 1, 2)))], layout)]
    counts = {name: value for name, value in table.items()}
    metrics = rows or [
        {"method": name, "kind": kind, "unit": unit, **row}
        for name, found in (("input", None), (refine.method, results))
        for (kind, unit), row in scores(pose_file, found or _untouched(pose_file)).items()
    ]
    provenance = {
        "file": str(path),
        "kind": registry.FORMATS[pose_file.format].description,
        "command": config.command_line(),
        "method": "\n".join(dict.fromkeys(result.plan for result in results)),
        "notes": "\n".join(dict.fromkeys([*pose_file.notes, *(note for result in results for note in result.notes)]))
        or "none",
        **counts,
    }
    if skipped:
        provenance["not drawn"] = ", ".join(skipped)
    if body is not None:
        provenance["drawn on"] = body.name
    return write_page(
        folder / "report.html", sequences, sequences[0].layout, provenance, metrics, f"RefinedTrack: {Path(path).name}"
    )


def _untouched(pose_file):
    return [RefinedTrack(track.poses, np.zeros(track.poses.shape[:2], bool)) for track in pose_file.tracks]


def _body(cfg):
    from ..models.body import load_body

    return load_body(cfg.SMPL_MODEL_DIR)


def _on_body(body, poses):
    """SMPL joints [T, 24, 3] of rotations [T, 22 or 24, 3]; NaN where missing."""
    there = gaps.seen(poses).all(axis=1)
    whole = np.zeros((len(poses), 24, 3), dtype=np.float32)
    whole[:, : poses.shape[1]] = np.where(there[:, None, None], poses, 0)
    joints = body.joints(torch.from_numpy(whole).flatten(1)).numpy()[:, :24].astype(np.float64)
    joints[~there] = np.nan
    return joints
