"""What a table or a video compares: the input itself, networks, and filters, all as raw poses of one split.

A method takes a `sequences.Split` and yields, for each recording, one raw [T, C] tensor a view, in the units of the
files, together with the time it took.
"""

import copy
import dataclasses
import time

import numpy as np
import torch

from ..dataset.sequences import Recording
from ..errors import UserError
from ..filters import fixed
from ..filters import registry as filters
from ..formats.tracks import Track
from ..messages import logger
from ..tracks.repair import repair
from ..windows.fusing import median_of_views
from ..windows.pipeline import refine
from ..windows.views import Aligned

log = logger(__name__)


class InputMethod:
    """The detections as they are."""

    seconds = 0.0

    def __init__(self, role="input", label="input"):
        self.role, self.label = role, label

    def __call__(self, split):
        for recording in split.recordings:
            yield [torch.as_tensor(view.detected) for view in recording.views]


def repaired(split, fps):
    """The split with left and right put back and spikes taken out of its detections (lib/tracks/repair.py).

    fps: frames a second.
    """
    dims = split.representation.dims

    def mend(view):
        poses = np.asarray(view.detected, dtype=np.float64).reshape(view.length, -1, dims)
        track = Track(view.name, view.name, poses, None, split.representation.name, None, split.layout.joints)
        mended = repair(track, poses, np.arange(view.length) / fps, fps, [slice(0, view.length)]).poses
        return dataclasses.replace(view, detected=mended.reshape(view.detected.shape).astype(np.float32))

    recordings = [Recording(each.name, [mend(view) for view in each.views]) for each in split.recordings]
    return dataclasses.replace(split, recordings=recordings)


class NetworkMethod:
    """A checkpoint's network, through the one path of lib/windows/pipeline.py.

    quality: [V, T], its confidence in each view of the recording that it gave out last.
    """

    role = "refined"

    def __init__(self, checkpoint, label, recipe, cfg, device):
        self.checkpoint, self.label, self.recipe, self.cfg = checkpoint, label, recipe, cfg
        self.network = checkpoint.network.to(device)
        self.seconds, self.quality = 0.0, None

    def __call__(self, split):
        for recording, refined in zip(split.recordings, self.refined(split)):
            self.quality = refined.quality
            yield [
                split.representation.from_network(values, view.frame)
                for values, view in zip(refined.final, recording.views)
            ]

    def refined(self, split):
        """A `RefinedRecording` in network units for each recording."""
        check_fits(self.checkpoint, split)
        align = self.recipe.align if split.representation.kind.in_space else "none"
        recipe = self.recipe.but(align=align, root=tuple(split.layout.root))
        results = refine(self.network, stacked(split), recipe, self.cfg.EVALUATE.BATCH_SIZE)
        while True:
            begun = time.perf_counter()
            result = next(results, None)
            self.seconds += time.perf_counter() - begun
            if result is None:
                return
            yield result


def stacked(split):
    """Yield (detections [V, T, C] in network units, present bool [V, T] or None) of each recording."""
    for recording in split.recordings:
        views = torch.stack([split.representation.to_network(view.detected, view.frame) for view in recording.views])
        masks = [view.present for view in recording.views]
        if all(mask is None for mask in masks):
            yield views, None
        else:
            yield (
                views,
                torch.stack(
                    [
                        torch.ones(views.shape[1], dtype=torch.bool) if mask is None else torch.from_numpy(mask)
                        for mask in masks
                    ]
                ),
            )


class FilterMethod:
    """A traditional filter with the parameters of the config."""

    role = "filter"

    def __init__(self, name, cfg):
        self.label, self.root_relative = name, cfg.EVALUATE.ROOT_RELATIVE
        self.filter = filters.configured(name, cfg)
        self.seconds = 0.0

    def __call__(self, split):
        rep, root = split.representation, split.layout.root if self.root_relative else None
        for recording in split.recordings:
            views = []
            for view in recording.views:
                tracks = rep.filter_tracks(view.detected, view.frame, root)
                begun = time.perf_counter()
                filtered = self.filter(tracks)
                self.seconds += time.perf_counter() - begun
                views.append(rep.from_tracks(filtered, view.frame))
            yield views


class EachViewAlone:
    """A network on every view of a recording by itself: what the other views are worth is the difference."""

    role = "other"

    def __init__(self, network_method):
        self.method, self.label = copy.copy(network_method), f"{network_method.label}, each view alone"

    @property
    def seconds(self):
        return self.method.seconds

    @seconds.setter
    def seconds(self, value):
        self.method.seconds = value

    def __call__(self, split):
        alone = [Recording(view.name, [view]) for recording in split.recordings for view in recording.views]
        results = self.method(dataclasses.replace(split, recordings=alone))
        for recording in split.recordings:
            yield [next(results)[0] for _ in recording.views]


class AlignedMedian:
    """The honest baseline for several views: turn all onto one, take the median, smooth by a Gaussian of 1.5 frames."""

    role = "other"

    def __init__(self, align):
        self.align = align
        self.label = f"median of views aligned by {align}, gaussian"
        self.seconds = 0.0

    def __call__(self, split):
        for _recording, (values, present) in zip(split.recordings, stacked(split)):
            begun = time.perf_counter()
            values, present = values[None], None if present is None else present[None]
            if self.align == "frame":  # every frame is a window of its own
                values = values.permute(2, 1, 0, 3)
                present = None if present is None else present.permute(2, 1, 0)
            aligned = Aligned.of(values, present, split.layout.root)
            together = aligned.enter(values)
            back = aligned.leave(median_of_views(together, present).expand_as(together))
            back = back.permute(2, 1, 0, 3)[0] if self.align == "frame" else back[0]
            tracks = fixed.gaus1d(back.double().numpy().transpose(1, 0, 2), 1.5)
            self.seconds += time.perf_counter() - begun
            yield list(torch.from_numpy(tracks).float().transpose(0, 1))


def several_view_baselines(split, networks):
    """The methods that a table of several views has besides those asked for; none for single views."""
    if not split.representation.kind.in_space or all(len(recording.views) == 1 for recording in split.recordings):
        return []
    return [AlignedMedian("frame"), AlignedMedian("sequence"), *map(EachViewAlone, networks)]


def check_fits(checkpoint, split):
    """Raise UserError when a network cannot read a split: other channels, another representation or joint order."""
    source = split.source
    channels, recipe = checkpoint.network.channels, checkpoint.recipe
    if channels is not None and channels != split.channels:
        dims = split.channels // split.layout.size
        raise UserError(
            f"checkpoint {checkpoint.path}: reads {channels} channels"
            f"{_meaning(checkpoint)}, but {source} has {split.channels} ({split.layout.size} joints x {dims}). "
            "Use a checkpoint trained on this layout, or a SmoothNet one, which takes any joints"
        )
    if channels is None or checkpoint.published:
        return
    if recipe.kind != split.representation.name or recipe.joints != tuple(split.layout.joints):
        raise UserError(
            f"checkpoint {checkpoint.path}: was trained on {recipe.kind} joints in {checkpoint.data['layout']['name']} order, but "
            f"{source} is {split.representation.name} in {split.layout.name} order. "
            "Use a checkpoint trained on this layout, or a SmoothNet one"
        )


def _meaning(checkpoint):
    if checkpoint.data:
        layout = checkpoint.data["layout"]
        return f" ({len(layout['joints'])} joints of {layout['name']}, {checkpoint.recipe.kind})"
    return ""
