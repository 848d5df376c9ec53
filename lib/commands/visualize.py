"""From a command line to videos and pages: estimator, filter, refined and ground truth of test sequences."""

from pathlib import Path

import numpy as np
import torch

from .. import run
from ..dataset import catalog, sequences
from ..errors import UserError
from ..evaluation.evaluator import shown_columns
from ..evaluation.methods import InputMethod
from ..evaluation.networks import load_networks, warn_of
from ..evaluation.offset import filter_methods
from ..evaluation.scores import judge_of
from ..filters import registry as filters
from ..messages import logger
from ..poses import metrics
from ..poses.skeletons import LAYOUTS
from ..visualize import background, page, video
from ..visualize.drawn import drawn_of, page_sequence, provenance_of, view_names
from ..visualize.scene_2d import pose_scene_2d
from ..visualize.scene_3d import pose_scene_3d
from ..visualize.scene_mesh import mesh_scene
from ..visualize.scene_views import multi_view_scene

log = logger(__name__)

WRITERS = {"mp4": video.write_video, "gif": video.write_gif}


def visualize(request):
    """Draw what a command line asked for. Returns the paths of the files written."""
    device = run.choose_device(request.config())
    cfg, networks = load_networks(request, device)
    names = filters.names(cfg.EVALUATE.TRADITION)
    if not networks and not names:
        raise UserError("--checkpoint: missing. Pass a trained network, or --tradition to show a filter alone")
    if cfg.VIS.FORMAT not in (*WRITERS, "html"):
        raise UserError(f"--format {cfg.VIS.FORMAT}: not known. Known: {', '.join(WRITERS)}, html")
    methods = [InputMethod(), *filter_methods(names, cfg), *networks]
    splits = [sequences.load(source, "test", cfg, cfg.TRAIN.USE_6D_SMPL) for source in catalog.sources(cfg)]
    under = request.args.video
    if under:
        background.check(under, splits, cfg.VIS.FORMAT)
    written = []
    for split in splits:
        for network in networks:
            warn_of(network.checkpoint, split)
        judge = judge_of(split, cfg)
        numbers = chosen(cfg.VIS.INPUT_VIDEO_NUMBER, split, methods, judge)
        if cfg.VIS.FORMAT == "html":
            written.append(_write_page(split, numbers, methods, judge.body, cfg))
        else:
            alone = len(numbers) == len(splits) == 1
            written.extend(
                path for number in numbers for path in _render(split, number, methods, judge.body, cfg, under, alone)
            )
    for path in written:
        print(f"{'page' if cfg.VIS.FORMAT == 'html' else 'video'}: {path}")
    return written


def chosen(text, split, methods, judge):
    """Recording numbers that `--visualize_video_id` names: a comma list of numbers and ranges (2-5), `all`, or
    `worst`, the one that the last method leaves with the largest error. Raises UserError."""
    count = len(split.recordings)
    text = text.strip().lower() or "0"
    if text == "all":
        return list(range(count))
    if text == "worst":
        errors = [
            np.mean([float(judge(view, raw)[0]["mpjpe"].mean()) for view, raw in zip(recording.views, raws)])
            for recording, raws in zip(split.recordings, methods[-1](split))
        ]
        return [int(np.argmax(errors))]
    numbers = []
    for part in text.split(","):
        low, _, high = part.strip().partition("-")
        if not low.isdigit() or (high and not high.isdigit()):
            raise UserError(
                f"--visualize_video_id {text}: expected a number, a list (0,3), a range (2-5), all, or worst"
            )
        numbers.extend(range(int(low), int(high or low) + 1))
    if not numbers or max(numbers) >= count:
        raise UserError(
            f"--visualize_video_id {text}: {split.source} test has {count} sequences; use numbers from 0 to {count - 1}"
        )
    return numbers


def _frames(recording, cfg):
    """The slice of a recording's frames that the config asks for."""
    start, end = cfg.VIS.START, min(cfg.VIS.END, recording.views[0].length)
    if not 0 <= start < end:
        raise UserError(
            f"VIS.START {cfg.VIS.START}, VIS.END {cfg.VIS.END}: select no frames of {recording.name}, which has "
            f"{recording.views[0].length} frames"
        )
    return slice(start, end)


def _render(split, number, methods, body, cfg, under, alone):
    """Write the video of one recording, or of each of its views where these are not poses in space; yields the paths.

    under: `--video`, or None; alone: whether no other recording is drawn.
    """
    recording = split.recordings[number]
    frames = _frames(recording, cfg)
    views = drawn_of(split, recording, methods, body, frames)
    fps = cfg.DATASET.FPS or 30.0
    options = dict(title=f"{split.source}  {recording.name}", fps=fps, first_frame=cfg.VIS.START)
    name, several = f"{split.source}_{number}", len(views) > 1
    if body is None and split.representation.dims == 3:
        cues = next(
            (method.quality[:, frames].numpy() for method in reversed(methods) if method.role == "refined"), None
        )
        pictures = {
            name: multi_view_scene(views, cues, split.layout, **options)
            if several
            else pose_scene_3d(views[0], split.layout, **options)
        }
    else:
        pictures = {}
        for v, (view, tracks) in enumerate(zip(recording.views, views)):
            options["title"] = f"{split.source}  {view.name}" + (f"  [{body.name} body]" if body is not None else "")
            if body is not None:
                scene = mesh_scene(tracks, **options)
            else:
                images = background.images(under, view, frames, alone and not several) if under else None
                scene = pose_scene_2d(tracks, split.layout, images, **options)
            pictures[f"{name}_view{v + 1}" if several else name] = scene
    for name, scene in pictures.items():
        path = _place(cfg) / f"{name}.{cfg.VIS.FORMAT}"
        WRITERS[cfg.VIS.FORMAT](scene, path, fps, frames.stop - frames.start)
        yield path


def _place(cfg):
    place = Path(cfg.VIS.OUTPUT_VIDEO_PATH)
    if place.is_file():
        raise UserError(f"--output_video_path {place}: is a file, not a folder")
    return place


# Sequences in one page: at about 250 bytes per frame, a page with more is slow to open.
PAGE_SEQUENCES = 20


def _write_page(split, numbers, methods, body, cfg):
    """One interactive page with the chosen recordings, each view a sequence of its own."""
    if len(numbers) > PAGE_SEQUENCES:
        log.info("the page shows the first %d of %d sequences", PAGE_SEQUENCES, len(numbers))
    shown, rows = [], []
    layout = LAYOUTS["lsp14"] if body is not None else split.layout
    for number in numbers[:PAGE_SEQUENCES]:
        recording = split.recordings[number]
        views = drawn_of(split, recording, methods, body, _frames(recording, cfg))
        shown.append(page_sequence(recording.name, dict(zip(view_names(recording), views)), cfg))
        for view, tracks in zip(recording.views, views):
            rows.extend(_score_rows(view.name, tracks, split))
    provenance = provenance_of(methods, cfg)
    path = _place(cfg) / f"{split.source}_{_asked(cfg, numbers)}.html"
    return page.write_page(path, shown, layout, provenance, rows, f"{split.source}: before and after")


def _asked(cfg, numbers):
    """What `--visualize_video_id` asked for, as a part of a file's name: 3, 0_3, 2-5, all, worst."""
    text = cfg.VIS.INPUT_VIDEO_NUMBER.strip().lower().replace(" ", "").replace(",", "_") or "0"
    return text if len(text) <= 40 else f"{len(numbers)}_sequences"


def _score_rows(name, tracks, split):
    """One row of the page's table for each method on one sequence, with the columns of evaluation."""
    unit, scale = split.representation.unit, split.representation.per_unit
    truth = torch.as_tensor(tracks[-1].joints) * scale
    for track in tracks[:-1]:
        joints = torch.as_tensor(track.joints) * scale
        there = torch.isfinite(joints).flatten(1).all(1)
        means = {
            "mpjpe": metrics.mpjpe(joints, truth)[there].mean(),
            "pampjpe": metrics.pa_mpjpe(joints[there], truth[there]).mean(),
            "accel": metrics.accel(joints, truth)[there].nanmean(),
        }
        yield {
            "sequence": name,
            "method": track.name,
            **{title: f"{float(means[key]):.2f}" for key, title in shown_columns(unit, means).items()},
        }
