"""The sequences of one recording as pictures show them: each method's poses and the truth, in one unit."""

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import torch

from .. import config, run
from ..poses import metrics
from ..poses.skeletons import LAYOUTS
from . import page, stage


def drawn_of(split, recording, methods, body, frames):
    """One list of `stage.Drawn`s a view of one recording, of the slice `frames`: the methods, then the truth."""
    only = dataclasses.replace(split, recordings=[recording])
    raws = {method.label: next(iter(method(only))) for method in methods}
    roles = {method.label: method.role for method in methods}
    raws["ground truth"] = [torch.as_tensor(view.truth) for view in recording.views]
    roles["ground truth"] = "truth"
    return [
        [_drawn(label, roles[label], split, view, raws[label][v], frames, body) for label in raws]
        for v, view in enumerate(recording.views)
    ]


def page_sequence(name, views, cfg, layout=None):
    """What the page plays together, of {view's name: its `stage.Drawn`s}: several views stand side by side."""
    several = len(views) > 1
    tracks = [
        page.PageTrack(track.name, track.color_role, track.joints, view if several else "")
        for view, drawn in views.items()
        for track in drawn
    ]
    return page.PageSequence(name, cfg.DATASET.FPS or 30.0, tracks, layout, views=several)


def view_names(recording):
    """The names of a recording's views, without what they share with the recording's own."""
    names = [view.name.removeprefix(recording.name).strip(" ._-/") for view in recording.views]
    return names if len(set(names)) == len(names) and all(names) else [str(v + 1) for v in range(len(names))]


def provenance_of(methods, cfg):
    """What made a page: {label: text}."""
    found = {"command": run.command_line(), "checkpoint": cfg.EVALUATE.PRETRAINED or "none"}
    for method in methods:
        if method.role == "refined":
            content = Path(method.checkpoint.path).read_bytes()
            found[f"SHA-256 of {method.label}"] = hashlib.sha256(content).hexdigest()
    return found | {"config": config.dump(cfg)}


def _drawn(label, role, split, view, raw, frames, body):
    """A `stage.Drawn` of one method on one view: root-relative metres, or px."""
    title = f"estimator ({split.source.estimator})" if role == "input" else label
    if body is not None:
        shape = view.extras.get("truth_shape" if role == "truth" else "shape")
        return _drawn_body(title, role, body, torch.as_tensor(raw)[frames], None if shape is None else shape[frames])
    joints = split.representation.joints(raw)[frames]
    if split.representation.root_relative:
        joints = metrics.root_relative(joints, split.layout.root) / 1000
    joints = joints.numpy().copy()
    if view.present is not None:
        joints[~view.present[frames]] = np.nan
    return stage.Drawn(title, joints, role)


def _drawn_body(title, role, body, pose, shape):
    joints = body.evaluation_joints(pose, shape)
    root = joints[:, list(LAYOUTS["lsp14"].root)].mean(1, keepdim=True)
    return stage.Drawn(title, (joints - root).numpy(), role, _Vertices(body, pose, shape, root), body.faces)


class _Vertices:
    """[N, 3] vertices of frame t, computed when asked: all of them would not fit in memory."""

    def __init__(self, body, pose, shape, root):
        self.body, self.pose, self.shape, self.root = body, pose, shape, root

    def __len__(self):
        return len(self.pose)

    def __getitem__(self, t):
        shape = None if self.shape is None else self.shape[t : t + 1]
        return (self.body.vertices(self.pose[t : t + 1], shape)[0] - self.root[t]).numpy()
