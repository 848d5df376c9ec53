"""What a table or a video compares: the input itself, networks, and filters, all as raw poses of one split.

A method takes a `sequences.Split` and yields, for each recording, one raw [T, C] tensor a view, in the units of the
files, together with the time it took.
"""

import copy
import dataclasses
import time
from pathlib import Path

import numpy as np
import torch

from ..dataset.sequences import ROOT_AT_ZERO, Recording, root_distance
from ..errors import UserError
from ..filters import fixed
from ..filters import registry as filters
from ..formats.tracks import Track
from ..messages import logger
from ..models import checkpoints
from ..models.smoothnet import SmoothNet
from ..models.synsp import median_of_views
from ..tracks.repair import repair
from ..windows.pipeline import check_settings, refine
from ..windows.views import align

log = logger(__name__)


class InputMethod:
    """The detections as they are."""

    seconds = 0.0

    def __init__(self, key="input", label="input"):
        self.key, self.label = key, label

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

    key = "smoothnet"

    def __init__(self, checkpoint, label, window, align, weighting, cfg, device):
        self.checkpoint, self.label, self.window, self.align, self.cfg = checkpoint, label, window, align, cfg
        self.weighting, evaluate = weighting, cfg.EVALUATE
        check_settings(window, evaluate.SLIDE_WINDOW_STEP_SIZE, evaluate.BATCH_SIZE, weighting, align)
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
        evaluate = self.cfg.EVALUATE
        align = self.align if split.representation.name == "3D" else "none"
        results = refine(
            self.network,
            stacked(split),
            self.window,
            evaluate.SLIDE_WINDOW_STEP_SIZE,
            evaluate.BATCH_SIZE,
            self.weighting,
            align,
            split.layout.root,
        )
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

    key = "filter"

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

    key = "other"

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

    key = "other"

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
            aligned, _, undo = align(values, present, split.layout.root)
            back = undo(median_of_views(aligned, present).expand_as(aligned))
            back = back.permute(2, 1, 0, 3)[0] if self.align == "frame" else back[0]
            tracks = fixed.gaus1d(back.double().numpy().transpose(1, 0, 2), 1.5)
            self.seconds += time.perf_counter() - begun
            yield list(torch.from_numpy(tracks).float().transpose(0, 1))


def several_view_baselines(split, networks):
    """The methods that a table of several views has besides those asked for; none for single views."""
    if split.representation.name != "3D" or all(len(recording.views) == 1 for recording in split.recordings):
        return []
    return [AlignedMedian("frame"), AlignedMedian("sequence"), *map(EachViewAlone, networks)]


def check_fits(checkpoint, split):
    """Raise UserError when a network cannot read a split: other channels, another representation or joint order."""
    source = split.source
    if checkpoint.channels is not None and checkpoint.channels != split.channels:
        dims = 6 if split.representation.name == "smpl" and split.representation.use_6d else split.representation.dims
        raise UserError(
            f"checkpoint {checkpoint.path}: reads {checkpoint.channels} channels"
            f"{_meaning(checkpoint)}, but {source} has {split.channels} ({split.layout.size} joints x {dims}). "
            "Use a checkpoint trained on this layout, or a SmoothNet one, which takes any joints"
        )
    layout = checkpoint.data.get("layout")
    if checkpoint.channels is None or not layout:
        return
    if checkpoint.data["representation"] != split.representation.name or list(layout["joints"]) != list(
        split.layout.joints
    ):
        raise UserError(
            f"checkpoint {checkpoint.path}: was trained on {checkpoint.data['representation']} joints in "
            f"{layout['name']} order, but {source} is {split.representation.name} in {split.layout.name} order. "
            "Use a checkpoint trained on this layout, or a SmoothNet one"
        )


def warn_of(checkpoint, split):
    """Say what a network can read but was probably not meant to: several views at once, poses away from their root."""
    data = checkpoint.data
    if not data or checkpoint.name != "synsp":
        return
    if (
        data.get("views") == 1
        and not checkpoint.network.segment
        and any(len(recording.views) > 1 for recording in split.recordings)
    ):
        log.warning(
            "%s was trained on one view at a time and now reads several together: go by the row of each view alone",
            checkpoint.path,
        )
    away = root_distance(split)
    if away > ROOT_AT_ZERO and data.get("root_relative_input", True):
        log.warning(
            "%s: its poses stand up to %.1f m from their root's place in training, which is 0: expect worse "
            "results. Subtract the root from joints_3d, detections and truth",
            split.source,
            away,
        )


def _meaning(checkpoint):
    if checkpoint.data:
        layout = checkpoint.data["layout"]
        return f" ({len(layout['joints'])} joints of {layout['name']}, {checkpoint.data['representation']})"
    return ""


def window_of(checkpoint, request):
    """W for a checkpoint: its own, or what a flag or the YAML says where it can run at any.

    SmoothNet's is fixed by its weights: another one asked for by flag is a UserError. SynSP runs at any W: another one than
    it was trained with is said in a warning.
    """
    asked = request.config().MODEL.SLIDE_WINDOW_SIZE
    explicit = request.explicit("MODEL.SLIDE_WINDOW_SIZE")
    if isinstance(checkpoint.network, SmoothNet):
        if explicit and asked != checkpoint.window:
            raise UserError(
                f"checkpoint {checkpoint.path}: is a SmoothNet of window {checkpoint.window}, but "
                f"--slide_window_size is {asked}. Pass --slide_window_size {checkpoint.window}, or the "
                f"checkpoint of window {asked}"
            )
        return checkpoint.window
    if asked < 2:
        raise UserError(f"--slide_window_size {asked}: a window needs at least 2 frames")
    if checkpoint.window is None or explicit:
        if checkpoint.window not in (None, asked):
            log.warning(
                "%s was trained with window %d and runs with %d: expect worse results",
                checkpoint.path,
                checkpoint.window,
                asked,
            )
        return asked
    return checkpoint.window


# config key -> how to read the size from a network; a flag or override that says otherwise is an error.
_SIZES = {
    "MODEL.d_model": lambda network: network.proj_i_a[0].out_features,
    "MODEL.d_word_vec": lambda network: network.proj_i_a[0].out_features,
    "MODEL.d_inner": lambda network: network.decoder.layer_stack[0].pos_ffn.w_1.out_features,
    "MODEL.n_layers": lambda network: len(network.decoder.layer_stack),
    "MODEL.n_head": lambda network: network.decoder.layer_stack[0].enc_attn.n_head,
    "MODEL.d_k": lambda network: network.decoder.layer_stack[0].enc_attn.d_k,
    "MODEL.d_v": lambda network: network.decoder.layer_stack[0].enc_attn.d_v,
    "MODEL.RESIDUAL_COMPONENTS": lambda network: network.residual_components,
    "MODEL.SEGMENT": lambda network: network.segment,
    "MODEL.CANONICAL": lambda network: bool(network.canonical),
    "MODEL.HIDDEN_SIZE": lambda network: network.encoder[0].out_features,
    "MODEL.RES_HIDDEN_SIZE": lambda network: network.res_blocks[0].linear1.out_features,
    "MODEL.NUM_BLOCK": lambda network: len(network.res_blocks),
}


def load_networks(request, device):
    """(config, [NetworkMethod]) for the checkpoints of a command line (`--checkpoint`, a comma list).

    What the first checkpoint says of its data fills what neither flags nor YAML said. Raises UserError for conflicts in sizes.
    """
    cfg = request.config()
    paths = [path.strip() for path in cfg.EVALUATE.PRETRAINED.split(",") if path.strip()]
    loaded = []
    for path in paths:
        checkpoint = checkpoints.load(path, cfg.MODEL.n_head)
        for key, size in _SIZES.items():
            if request.explicit(key) and hasattr(checkpoint.network, "encoder") == key.endswith(
                ("HIDDEN_SIZE", "NUM_BLOCK")
            ):
                given, real = cfg.MODEL[key.split(".")[1]], size(checkpoint.network)
                if given != real:
                    raise UserError(
                        f"{key} {given}: but checkpoint {path} has {real}. Leave it out; sizes are read from the file"
                    )
        loaded.append(checkpoint)
    stored = _stored(cfg, [checkpoint for checkpoint in loaded if checkpoint.config])
    cfg = request.config(stored)
    labels = _labels(loaded)
    aligns = [
        cfg.MODEL.ALIGN_VIEWS
        if request.explicit("MODEL.ALIGN_VIEWS") or checkpoint.published
        else getattr(checkpoint.network, "align_views", "none")
        for checkpoint in loaded
    ]
    key = "EVALUATE.WINDOW_WEIGHTS"
    weightings = [
        cfg.EVALUATE.WINDOW_WEIGHTS if request.explicit(key) or checkpoint.published else checkpoint.weighting
        for checkpoint in loaded
    ]
    return cfg, [
        NetworkMethod(checkpoint, label, window_of(checkpoint, request), align, weighting, cfg, device)
        for checkpoint, label, align, weighting in zip(loaded, labels, aligns, weightings)
    ]


def _stored(cfg, loaded):
    """The part of the checkpoints' configs that eval and visualise take over: the first one's, and what the first that was
    trained on the dataset in question says of that; None where none has a config."""
    if not loaded:
        return None
    theirs = loaded[0].config
    stored = {"TRAIN": {key: theirs["TRAIN"][key] for key in ("USE_6D_SMPL", "noise_type", "noise_std")}}
    names = ("DATASET_NAME", "ESTIMATOR", "BODY_REPRESENTATION")
    stored.update({name: theirs[name] for name in names if not cfg[name]})
    asked = {name: cfg[name] or theirs[name] for name in names}
    # Of another dataset frame rate and joint order are not a checkpoint's to say.
    data = next((one.config["DATASET"] for one in loaded if all(one.config[name] == asked[name] for name in names)), {})
    stored["DATASET"] = {key: value for key, value in data.items() if key != "BASE_DIR"}
    return stored


def _labels(loaded):
    """A short name for each checkpoint: its network's, its file's where there are several, with the folder where those
    are the same."""
    names = {"synsp": "SynSP", "smoothnet": "SmoothNet"}
    if len(loaded) == 1:
        return [names[loaded[0].name]]
    paths = [Path(checkpoint.path) for checkpoint in loaded]
    short = [path.name.removesuffix(".pth.tar") for path in paths]
    if len(set(short)) == len(short):
        return short
    return [f"{path.parent.name}/{name}" for path, name in zip(paths, short)]
