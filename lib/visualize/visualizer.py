"""From a command line to videos: estimator, filter, refined and ground truth of test sequences."""

import dataclasses
import logging
from pathlib import Path

import numpy as np
import torch

from lib.core import metrics, run
from lib.core.methods import FilterMethod, InputMethod, load_networks
from lib.core.scores import judge_of
from lib.dataset import catalog, sequences
from lib.errors import UserError
from lib.models import filters
from lib.poses.skeletons import LAYOUTS
from lib.visualize import scenes, video

log = logging.getLogger(__name__)

WRITERS = {"mp4": video.write_video, "gif": video.write_gif}


def visualize(request):
    """Render what a command line asked for. Returns the paths of the files written."""
    device = run.choose_device(request.config())
    cfg, networks = load_networks(request, device)
    names = filters.names(cfg.EVALUATE.TRADITION)
    if not networks and not names:
        raise UserError("--checkpoint: not given. Pass a trained network, or --tradition to show a filter alone")
    if cfg.VIS.FORMAT not in WRITERS:
        raise UserError(f"--format {cfg.VIS.FORMAT}: not known. Known: {', '.join(WRITERS)}")
    methods = [InputMethod(), *(FilterMethod(name, cfg) for name in names), *networks]
    written = []
    for source in catalog.sources(cfg):
        split = sequences.load(source, "test", cfg, cfg.TRAIN.USE_6D_SMPL)
        for number in chosen(cfg.VIS.INPUT_VIDEO_NUMBER, split, methods, cfg):
            written.append(_render(split, number, methods, cfg))
    for path in written:
        print(f"video: {path}")
    return written


def chosen(text, split, methods, cfg):
    """Recording numbers that `--visualize_video_id` names: a comma list of numbers and ranges (2-5), `all`, or
    `worst`, the one that the last method leaves with the largest error. Raises UserError."""
    count = len(split.recordings)
    text = text.strip().lower() or "0"
    if text == "all":
        return list(range(count))
    if text == "worst":
        judge = judge_of(split, cfg)
        errors = [np.mean([float(judge(view, raw)[0]["mpjpe"].mean()) for view, raw in zip(recording.views, raws)])
                  for recording, raws in zip(split.recordings, methods[-1](split))]
        return [int(np.argmax(errors))]
    numbers = []
    for part in text.split(","):
        low, _, high = part.strip().partition("-")
        if not low.isdigit() or (high and not high.isdigit()):
            raise UserError(f"--visualize_video_id {text}: expected a number, a list (0,3), a range (2-5), all, or worst")
        numbers.extend(range(int(low), int(high or low) + 1))
    if not numbers or max(numbers) >= count:
        raise UserError(f"--visualize_video_id {text}: {split.source} test has {count} sequences, numbered 0 to {count - 1}")
    return numbers


def _render(split, number, methods, cfg):
    recording = split.recordings[number]
    start, end = cfg.VIS.START, min(cfg.VIS.END, recording.views[0].length)
    if not 0 <= start < end:
        raise UserError(f"VIS.START {cfg.VIS.START}, VIS.END {cfg.VIS.END}: no frames of {recording.name}, which has "
                        f"{recording.views[0].length}, lie between them")
    only = dataclasses.replace(split, recordings=[recording])
    raws = {method.label: next(iter(method(only))) for method in methods}
    roles = {method.label: {"smoothnet": "refined"}.get(method.key, method.key) for method in methods}
    raws["ground truth"] = [torch.as_tensor(view.truth) for view in recording.views]
    roles["ground truth"] = "truth"
    frames = slice(start, end)
    body = judge_of(split, cfg).body
    views = [[_track(label, roles[label], split, view, raws[label][v], frames, body) for label in raws]
             for v, view in enumerate(recording.views)]
    fps = cfg.DATASET.FPS or 30.0
    title = f"{split.source}  {recording.name}"
    options = dict(title=title, fps=fps, first_frame=start)
    if body is not None:
        options["title"] += f"  [{body.name} body]"
        drawn = scenes.mesh_scene(views[0], **options)
    elif len(views) > 1:
        drawn = scenes.multi_view_scene(views, _cues(only, methods, frames), split.layout, **options)
    elif split.representation.dims == 2:
        drawn = scenes.pose_scene_2d(views[0], split.layout, **options)
    else:
        drawn = scenes.pose_scene_3d(views[0], split.layout, **options)
    place = Path(cfg.VIS.OUTPUT_VIDEO_PATH)
    if place.is_file():
        raise UserError(f"--output_video_path {place}: is a file. Give a folder")
    path = place / f"{split.source}_{number}.{cfg.VIS.FORMAT}"
    WRITERS[cfg.VIS.FORMAT](drawn, path, fps, end - start)
    return path


def _track(label, role, split, view, raw, frames, body):
    """A `scenes.Track` of one method on one view: root-relative metres, or px."""
    title = f"estimator ({split.source.estimator})" if role == "input" else label
    if body is not None:
        shape = view.extras.get("truth_shape" if role == "truth" else "shape")
        return _body_track(title, role, body, torch.as_tensor(raw)[frames], None if shape is None else shape[frames])
    joints = split.representation.joints(raw)[frames]
    if split.representation.root_relative:
        joints = metrics.root_relative(joints, split.layout.root) / 1000
    joints = joints.numpy().copy()
    if view.present is not None:
        joints[~view.present[frames]] = np.nan
    return scenes.Track(title, joints, role)


def _body_track(title, role, body, pose, shape):
    joints = body.evaluation_joints(pose, shape)
    root = joints[:, list(LAYOUTS["lsp14"].root)].mean(1, keepdim=True)
    return scenes.Track(title, (joints - root).numpy(), role, _Vertices(body, pose, shape, root), body.faces)


class _Vertices:
    """[N, 3] vertices of frame t, computed when asked: all of them would not fit in memory."""

    def __init__(self, body, pose, shape, root):
        self.body, self.pose, self.shape, self.root = body, pose, shape, root

    def __len__(self):
        return len(self.pose)

    def __getitem__(self, t):
        shape = None if self.shape is None else self.shape[t:t + 1]
        return (self.body.vertices(self.pose[t:t + 1], shape)[0] - self.root[t]).numpy()


def _cues(split, methods, frames):
    """[V, T] quality cue of the last network, or None."""
    networks = [method for method in methods if method.key == "smoothnet"]
    if not networks:
        return None
    return next(iter(networks[-1].refined(split))).quality[:, frames].numpy()
