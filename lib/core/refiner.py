"""Refining anyone's poses: which method fits, missing key points, units, frame rates, and all of it undone afterwards.

    from lib.core.refine import Refiner
    refined = Refiner("auto", fps=60)(poses)          # [T, J, D], numpy or torch, NaN for missing
    live = Refiner("auto", lag=3).stream()            # lib/core/live.py
    pose = live.step(frame)

Networks run through the one path of lib/core/refine.py. Shapes: T frames, J joints, D coordinates (6 for rotations).
"""

import logging
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d

from lib import config
from lib.core import clock
from lib.core.refine import refine
from lib.errors import UserError
from lib.formats.tracks import JOINT_NAMES, Track, layout_of_count
from lib.models import checkpoints, filters
from lib.models.smoothnet import SmoothNet
from lib.poses import gaps, mapping, rotations, space
from lib.poses.skeletons import LAYOUTS

log = logging.getLogger(__name__)

RATE = 30.0  # of models that do not say theirs, and what the filters' parameters are meant for
METHODS = ("auto", "synsp", "smoothnet", *filters.FILTERS, "none")
# Without any network: against outliers and jitter, at little cost in amplitude.
FALLBACK = "median+gaussian"
# SmoothNet windows in order of preference, for whole recordings and for live use.
WINDOWS, LIVE_WINDOWS = (32, 16, 64, 8), (8, 16, 32, 64)
KINDS = {"2d": "2D", "3d": "3D", "smpl": "smpl"}
# Median correction, as a share of the body, from which poses count as unlike what SynSP knows; on its own test data 3 to 4 %.
MOVED = 0.06
# Metres a frame² from which a root's path counts as noisy; people who run keep below it.
SHAKE = 0.01
# Seconds (a Gaussian's width) over which a correction by SynSP counts as a matter of where its joints lie on a body.
SLOW = 0.5
# SMPL rotations that need not be there: identity for the network.
HANDS = ("left_hand", "right_hand")


@dataclass
class Model:
    """A network and what is known of its data. joints: names in its order, or None for SmoothNet, which takes any."""

    path: str
    name: str
    network: torch.nn.Module
    window: int
    fps: float
    kind: str | None = None
    joints: tuple | None = None
    normaliser: str = "isotropic"
    image_size: bool = False  # whether the normaliser went by the image's size

    @property
    def label(self):
        return f"{'SynSP' if self.name == 'synsp' else 'SmoothNet'} (window {self.window}, {self.path})"


def load_model(path, n_head=4):
    """A `Model` from a checkpoint file. Raises UserError for one that cannot refine poses of known joints."""
    checkpoint = checkpoints.load(path, n_head)
    data, network = checkpoint.data, checkpoint.network
    common = {"window": checkpoint.window or 8, "fps": data.get("fps") or RATE}
    if isinstance(network, SmoothNet):
        return Model(str(path), "smoothnet", network, **common)
    kind, layout = data.get("representation"), data.get("layout")
    if not layout:  # published: the channels say what they are
        known = {51: ("3D", "h36m17"), 34: ("2D", "h36m17"), 32: ("2D", "h36m16"), 42: ("3D", "lsp14"), 144: ("smpl", "smpl24")}
        if checkpoint.channels not in known:
            raise UserError(f"checkpoint {path}: reads {checkpoint.channels} channels and does not say of which joints. Known: "
                            f"{', '.join(map(str, known))}")
        kind, name = known[checkpoint.channels]
        layout = {"joints": LAYOUTS[name].joints}
    if kind == "smpl" and not data.get("use_6d", True):
        raise UserError(f"checkpoint {path}: reads axis-angles; only 6D rotations (TRAIN.USE_6D_SMPL True) are refined here")
    return Model(str(path), "synsp", network, kind=kind, joints=tuple(layout["joints"]),
                 normaliser=data.get("normaliser", "h36m" if kind == "2D" else "isotropic"),
                 image_size=bool(data.get("image_size")), **common)


@dataclass
class Refined:
    """One refined track.

    poses: as the input's, NaN where still missing; filled: bool [T, J], key points that were missing and are filled;
    methods: {label: key points that it refined}; translation: [T, 3] or None; notes: sentences; plan: one sentence.
    """

    poses: np.ndarray
    filled: np.ndarray
    methods: dict = field(default_factory=dict)
    translation: np.ndarray | None = None
    notes: list = field(default_factory=list)
    plan: str = ""
    space: object = None


@dataclass
class Plan:
    """How a track is refined: SynSP for the joints of a mapping, a per-channel method (a `Model` or a filter's name) for
    the others."""

    synsp: Model | None
    mapping: object
    channel: object
    sentence: str

    @property
    def rate(self):
        return next((model.fps for model in (self.synsp, self.channel) if isinstance(model, Model)), RATE)


@dataclass
class _Job:
    """A stretch of one track for one method: values [t, K, D] in its coordinates; column picks[i] is joint joints[i]."""

    track: int
    method: object
    frames: slice
    values: np.ndarray
    joints: np.ndarray
    picks: np.ndarray
    times: np.ndarray
    first: bool  # SynSP's word comes before the per-channel method's
    result: np.ndarray = None


class Refiner:
    """Refines pose sequences of any kind.

    method: auto, synsp, smoothnet, a filter's name or none; or a checkpoint's path. checkpoint: a file; default: what
    lies in `folder`. fps: frames a second of the poses (default: the model's). strength: 0 (input) to 1 (refined).
    max_gap: seconds that are filled. lag: None for whole recordings, else frames after which a pose must be out. kind:
    2D, 3D or smpl (default: 2 or 3 coordinates; matrices and 6D are smpl; 3 coordinates are 3D); layout: a key of
    `lib.formats.tracks.JOINT_NAMES`; joint_names: J names; units: m, mm or px; up: the axis that is up in 3D, -y, y,
    z, … (default: told by the poses, else -y); image_size: (width, height) in px;
    translation: also refine where the body goes, not only its pose; own_places: leave out the slow part of SynSP's
    correction where a detector's joints stand in for the network's, so that shoulders stay where that detector sees
    shoulders (whole recordings only). cfg: the filters' parameters, meant at 30 Hz.
    Raises UserError for what cannot be. After a call `results` holds one `Refined` a person.
    """

    def __init__(self, method="auto", checkpoint=None, fps=None, *, strength=1.0, max_gap=0.25, lag=None, kind=None,
                 layout=None, joint_names=None, units=None, up=None, image_size=None, translation=False, own_places=False,
                 cfg=None, folder="data/checkpoints", device="cpu"):
        method = str(method)
        if method not in METHODS and checkpoint is None and (Path(method).is_file() or method.endswith((".tar", ".pth", ".pt"))):
            method, checkpoint = "auto", method
        if method not in METHODS:
            raise UserError(f"--method {method}: not known. Known: {', '.join(METHODS)}")
        if checkpoint and method not in ("auto", "synsp", "smoothnet"):
            raise UserError(f"--method {method}: takes no checkpoint. Leave one of the two out")
        if not 0 <= strength <= 1:
            raise UserError(f"--strength {strength}: must lie between 0 (the input) and 1 (refined)")
        if not max_gap >= 0:
            raise UserError(f"--max_gap {max_gap}: must be 0 seconds or more")
        if fps is not None and not 0 < fps < 1e5:
            raise UserError(f"--fps {fps}: must be frames a second, greater than 0")
        if kind is not None and str(kind).lower() not in KINDS:
            raise UserError(f"kind {kind}: not known. Known: 2D, 3D, smpl")
        if layout is not None and layout not in JOINT_NAMES:
            raise UserError(f"layout {layout}: not known. Known: {', '.join(JOINT_NAMES)}")
        if lag is not None and lag < 0:
            raise UserError(f"--lag {lag}: must be 0 frames or more")
        if up is not None and up not in space.AXES:
            raise UserError(f"up {up}: not known. Known: {', '.join(space.AXES)}")
        self.up = None if up is None else space.AXES[up]
        self.method, self.fps, self.strength, self.max_gap, self.lag = method, fps, strength, max_gap, lag
        self.kind = None if kind is None else KINDS[str(kind).lower()]
        self.joint_names = tuple(joint_names) if joint_names is not None else JOINT_NAMES.get(layout)
        self.layout, self.units, self.image_size, self.translation = layout, units, image_size, translation
        self.own_places = own_places and lag is None
        self.cfg, self.folder, self.device = cfg or config.defaults(), Path(folder), torch.device(device)
        self.results, self._models, self._broken = [], {}, []
        self.model = self._load(checkpoint) if checkpoint else None
        if self.model is not None and method not in ("auto", self.model.name):
            raise UserError(f"checkpoint {checkpoint}: is a {self.model.name} network, but --method is {method}. "
                            f"Pass --method {self.model.name}, or leave it out")

    # ------------------------------------------------------------------------------------------ arrays

    def __call__(self, poses, confidence=None, timestamps=None):
        """Refine poses [T, J, D], or [P, T, J, D] of several people; rotations also as matrices [T, J, 3, 3].

        numpy or torch; the result has the input's type, shape and dtype. NaN: missing. confidence: [T, J] (or
        [P, T, J]) in [0, 1]; timestamps: [T] seconds.
        """
        array = poses.detach().cpu().numpy() if isinstance(poses, torch.Tensor) else np.asarray(poses)
        if array.dtype.kind not in "iuf":
            raise UserError(f"poses: {array.dtype}, not numbers. Pass a float array [T, J, D]")
        kind = self.kind
        try:
            working, undo = self._to_tracks(array)  # matrices are rotations, this time
            scores = [None] * len(working) if confidence is None else np.asarray(confidence, dtype=np.float64)
            if confidence is not None:
                scores = scores.reshape(len(working), *working[0].shape[:2])
            tracks = [self.track(values, score, index) for index, (values, score) in enumerate(zip(working, scores))]
        except ValueError:
            raise UserError(f"confidence: shape {list(np.shape(confidence))} for poses {list(array.shape)}. Pass one number a "
                            "key point, [T, J]") from None
        finally:
            self.kind = kind
        self.results = self.refine_tracks(tracks, self.fps, timestamps, self.image_size)
        out = undo(np.stack([result.poses for result in self.results]))
        if isinstance(poses, torch.Tensor):
            kind = poses.dtype if poses.is_floating_point() else torch.get_default_dtype()
            return torch.from_numpy(out).to(poses.device, kind)
        return out.astype(array.dtype if array.dtype.kind == "f" else np.float64)

    def track(self, poses, confidence=None, identity=0):
        """A `Track` of poses [T, J, D] (axis-angle for smpl), as this Refiner was told to understand them."""
        dims = poses.shape[-1]
        kind = self.kind or ("2D" if dims < 3 else "3D")
        names, layout = self.joint_names, self.layout
        if names is None and kind == "smpl":
            layout = f"smpl{poses.shape[1]}" if poses.shape[1] in (22, 24) else None
            names = JOINT_NAMES["smpl24"][1:22] if poses.shape[1] == 21 else JOINT_NAMES.get(layout)
        elif names is None:
            layout = layout_of_count(poses.shape[1], dims)
            names = JOINT_NAMES.get(layout)
        if names is not None and len(names) != poses.shape[1]:
            raise UserError(f"{len(names)} joint names for {poses.shape[1]} joints. Pass one for each, or none")
        poses = np.where(np.isfinite(poses).all(axis=-1, keepdims=True), poses, np.nan)
        return Track(identity, f"person {identity}", poses, confidence, kind, layout, names, self.units)

    def _to_tracks(self, array):
        """([poses [T, J, D] a person], function back to the array's shape)."""
        if array.size == 0:
            raise UserError(f"poses: shape {list(array.shape)} holds nothing. Pass [T, J, D]")
        if array.ndim in (4, 5) and array.shape[-2:] == (3, 3) and (self.kind == "smpl" or array.ndim == 5 or self.kind is None
                                                                    and array.shape[1] in (21, 22, 24)):
            self.kind = "smpl"
            flat = torch.as_tensor(array, dtype=torch.float64)
            vectors = rotations.matrix_to_axis_angle(flat).numpy()
            people = vectors[None] if array.ndim == 4 else vectors

            def undo(values):
                return rotations.axis_angle_to_matrix(torch.from_numpy(values)).numpy().reshape(array.shape)
        elif array.ndim in (3, 4):
            six = self.kind == "smpl" and array.shape[-1] == 6
            values = array.astype(np.float64)
            if six:
                values = rotations.axis_angle_from_6d(torch.from_numpy(values)).numpy()
            elif self.kind == "smpl" and array.shape[-1] != 3:
                raise UserError(f"poses: shape {list(array.shape)}. Rotations are [T, J, 3], [T, J, 6] or [T, J, 3, 3]")
            people = values[None] if array.ndim == 3 else values

            def undo(values):
                if six:
                    values = rotations.axis_angle_to_6d(torch.from_numpy(values)).numpy()
                return values.reshape(array.shape)
        else:
            raise UserError(f"poses: shape {list(array.shape)}. Pass [T, J, D] (T frames, J joints, 2 or 3 coordinates)")
        return list(people), undo

    # ------------------------------------------------------------------------------------------ models

    def _load(self, path):
        path = str(path)
        if path not in self._models:
            self._models[path] = load_model(path, self.cfg.MODEL.n_head)
            self._models[path].network.to(self.device).requires_grad_(False)
        return self._models[path]

    def _shipped(self, pattern):
        """Models in the checkpoint folder whose name fits; broken files are left out, named once."""
        found = []
        for path in sorted(self.folder.glob(pattern)):
            try:
                found.append(self._load(path))
            except UserError as error:
                if path not in self._broken:
                    self._broken.append(path)
                    log.warning("%s", error)
        return found

    def synsp_for(self, track, poses):
        """(Model, Mapping, "") for a track with poses [T, J, D], or (None, None, why not)."""
        given = self.model if self.model is not None and self.model.name == "synsp" else None
        if self.model is not None and given is None or self.method not in ("auto", "synsp"):
            return None, None, ""
        candidates = [given] if given else self._shipped("synsp_*.pth.tar")
        if poses.shape[-1] != {"2D": 2, "3D": 3, "smpl": 6}[track.kind]:
            return None, None, f"{poses.shape[-1]} coordinate{'' if poses.shape[-1] == 1 else 's'} a joint"
        candidates = [model for model in candidates if model.kind == track.kind]
        if not candidates:
            what = f"{given.path} reads {given.kind}" if given else f"no SynSP weights for {track.kind} in {self.folder}"
            return None, None, what
        if track.joint_names is None:
            return None, None, "the file does not name its joints"
        why = ""
        for model in candidates:
            how = {"may_lack": HANDS, "derive": False} if model.kind == "smpl" else {}
            fit = mapping.to_joints(model.joints, track.joint_names, **how)
            if fit is None:
                lacking = [joint for joint in model.joints if mapping.to_joints((joint,), track.joint_names, **how) is None]
                why = why or f"its joints do not give SynSP's {len(model.joints)} (no {', '.join(lacking[:3])})"
                continue
            if track.joint_names == LAYOUTS["h36m17"].joints and not _looks_like_h36m(poses):
                return None, None, "17 joints, but not in Human3.6M order (the pelvis is not between the hips)"
            never = [track.joint_names[joint] for joint in fit.needed if not gaps.seen(poses)[:, joint].any()]
            if never:
                return None, None, f"{', '.join(never[:3])} never seen"
            return model, fit, ""
        return None, None, why

    def channel_method(self, frames, live=False):
        """The method for single channels: a SmoothNet `Model`, or a filter's name. frames: T at its rate."""
        if self.method in filters.FILTERS:
            return self.method
        if self.model is not None and self.model.name == "smoothnet":
            return self.model
        found = {model.window: model for model in self._shipped("smoothnet_w*.pth.tar") if model.name == "smoothnet"}
        order = [window for window in (LIVE_WINDOWS if live else WINDOWS) if window in found]
        order += sorted(set(found) - set(order))
        if self.lag is not None:
            order = [window for window in order if window > self.lag] or order
        if order:
            return found[next((window for window in order if window <= max(frames, 1)), min(order))]
        if self.method == "smoothnet":
            raise UserError(f"--method smoothnet: no smoothnet_w*.pth.tar in {self.folder}. Pass --checkpoint")
        return "oneeuro" if live or self.lag is not None else FALLBACK

    def plan(self, track, poses, live=False):
        """The `Plan` for a track. Raises UserError where the method asked for cannot refine it."""
        model, fit, why = self.synsp_for(track, poses)
        if self.method in filters.FILTERS:
            return Plan(None, None, self.method, f"{self.method} (as asked)")
        channel = self.channel_method(len(poses), live)
        rest = channel.label if isinstance(channel, Model) else f"the filter {channel} (no SmoothNet weights in {self.folder})"
        if model is None:
            reason = why or "as asked"
            return Plan(None, None, channel, f"{rest}: {reason}")
        others = poses.shape[1] - len(fit.written)
        how = f"{model.label} for {len(fit.written)} of {poses.shape[1]} joints" + \
            (f", {rest} for the other {others}" if others else "")
        return Plan(model, fit, channel, how)

    # ------------------------------------------------------------------------------------------ tracks

    def refine_tracks(self, tracks, fps=None, timestamps=None, image_size=None):
        """Refine tracks (`lib.formats.tracks.Track`), each by itself, their windows in one batch. Returns [Refined].

        fps: of the tracks, None where unknown; timestamps: [frames of the file] seconds, in which a track's first is
        `track.start`; image_size: (width, height) in px.
        """
        if self.method == "none":
            return [Refined(track.poses.copy(), np.zeros(track.poses.shape[:2], bool), plan="none: the input as it is")
                    for track in tracks]
        entered = [space.enter(track.poses, track.kind) for track in tracks]  # rotations as 6D from here on
        ups = self._ways_up(tracks, entered)
        works = [_Work(self, index, track, poses, up, fps, timestamps, image_size)
                 for index, (track, poses, up) in enumerate(zip(tracks, entered, ups))]
        self._share_jumps(works)
        for work in works:
            work.prepare()
        if self.method == "synsp" and not any(work.plan.synsp for work in works):
            raise UserError(f"--method synsp: {works[0].plan.sentence.rpartition(': ')[2]}. Use --method auto, or a checkpoint "
                            "that fits")
        jobs = [job for work in works for job in work.jobs]
        self._run(jobs)
        for job in jobs:
            if not job.first:
                works[job.track].take(job)
        for job in jobs:
            if job.first:
                works[job.track].take(job)
        return [work.finish() for work in works]

    def _ways_up(self, tracks, entered):
        """The axis that is up for each track: people of one file, in one kind of key points, share a frame."""
        groups = {}
        for track, poses in zip(tracks, entered):
            directions = space.heads(poses, track.joint_names, track.kind) if track.kind != "2D" else np.zeros((0, 3))
            groups.setdefault((track.kind, track.part), []).append(directions)
        found = {key: self.up or space.way_up(np.concatenate(directions)) for key, directions in groups.items()}
        return [found[track.kind, track.part] for track in tracks]

    @staticmethod
    def _share_jumps(works):
        """What belongs to one person (its depth, its hands) jumps with it."""
        found = {}
        for work in works:
            found.setdefault((str(work.track.id), work.track.start), set()).update(work.jumps)
        for work in works:
            shared = found[str(work.track.id), work.track.start]
            work.jumps = sorted(frame for frame in shared if frame < len(work.poses))

    def _run(self, jobs):
        """Fill in the results. Jobs of one network and width go through it together."""
        groups = {}
        for job in jobs:
            rate = job.method.fps if isinstance(job.method, Model) else _pace(job.times)
            clocks = clock.grids(job.times, rate)
            flat = job.values.reshape(len(job.values), -1)
            parts = [clock.onto(job.times, flat, grid) for grid in clocks] if clocks else [flat]
            if isinstance(job.method, Model):
                groups.setdefault((id(job.method), flat.shape[1]), []).append((job, clocks, parts))
                continue
            apply = filter_at(job.method, self.cfg, rate)
            done = [apply(part.reshape(len(part), *job.values.shape[1:])).reshape(part.shape) for part in parts]
            job.result = self._back(job, clocks, done)
        for group in groups.values():
            model = group[0][0].method
            recordings = ((torch.from_numpy(part[None]).float(), None) for _, _, parts in group for part in parts)
            refined = refine(model.network, recordings, model.window, batch=self.cfg.EVALUATE.BATCH_SIZE, lag=self.lag)
            for job, clocks, parts in group:
                done = [next(refined).final[0].double().numpy() for _ in parts]
                job.result = self._back(job, clocks, done)

    @staticmethod
    def _back(job, clocks, done):
        values = clock.back(clocks, done, job.times) if clocks else done[0]
        return values.reshape(len(job.times), *job.values.shape[1:])

    def stream(self):
        """A live stream: `step(frame) -> pose` (lib/core/live.py)."""
        from lib.core.live import Stream

        return Stream(self)


class _Work:
    """One track on its way through the methods."""

    def __init__(self, refiner, index, track, poses, up, fps, timestamps, image_size):
        self.refiner, self.track, self.poses, self.notes = refiner, track, poses, []
        self.plan = refiner.plan(track, self.poses)
        count = len(self.poses)
        rate = refiner.fps or fps
        self.times = None
        if timestamps is not None:
            self.times = np.asarray(timestamps, dtype=np.float64)[track.start:track.start + count]
            if len(self.times) != count or not np.isfinite(self.times).all() or (np.diff(self.times) <= 0).any():
                self.notes.append("timestamps do not rise frame by frame: not used")
                self.times = None
        if self.times is not None and rate and count > 1 and refiner.fps:
            self.times = None  # the user's word goes before the file's
        if self.times is None:
            if not rate:
                self.notes.append(f"frame rate unknown: taken as {self.plan.rate:g} a second (--fps says otherwise)")
            self.times = np.arange(count) / (rate or self.plan.rate)
        self.rate = _pace(self.times) if count > 1 else rate or self.plan.rate
        longest = int(refiner.max_gap * self.rate + 1e-6)
        self.jumps = gaps.jumps(self.poses, longest) if track.kind != "smpl" and self.poses.shape[-1] > 1 else []
        self.up, self.longest, self.index = up, longest, index
        self.image_size = track.image_size or image_size

    def prepare(self):
        """Fill gaps, go into the network's coordinates and cut the work into jobs, now that `jumps` is settled."""
        refiner, track = self.refiner, self.track
        if self.jumps:
            frames = [track.start + frame for frame in self.jumps]
            listed = ", ".join(map(str, frames[:5])) + (f" and {len(frames) - 5} more" if len(frames) > 5 else "")
            self.notes.append(f"jumps to another place at frame {listed} (another person?): nothing is filled or "
                              "smoothed across")
        filled, self.filled = self.poses.copy(), np.zeros(self.poses.shape[:2], dtype=bool)
        score = None
        if track.confidence is not None and track.confidence.shape == filled.shape[:2]:
            score = np.nan_to_num(track.confidence)
        self.start = filled.copy()
        for part in self._parts():
            self.start[part], self.filled[part] = gaps.fill(self.poses[part], self.longest, self.times[part])
            filled[part] = self.start[part]
            if score is not None:
                # What was filled lies on its neighbours' line already.
                filled[part] = gaps.fuse(filled[part], np.where(self.filled[part], score.max(axis=0), score[part]))
        self.space, notes = space.space_of(track, self.poses, self.plan.synsp, self.image_size, self.up)
        self.notes += notes
        self.roots = self.space.roots(filled)
        self.values = self.space.into(filled, self.roots)
        self.out = self.values.copy()
        self.by = np.zeros(self.values.shape[:2], dtype=np.int8)  # 0 nobody, 1 per channel, 2 SynSP
        self.jobs = list(self._jobs())

    def _parts(self):
        """The stretches of frames between jumps, as slices."""
        ends = [0, *self.jumps, len(self.poses)]
        return [slice(first, last) for first, last in zip(ends, ends[1:])]

    def _stretches(self, mask, method):
        """Runs of frames [T] without a hole in time longer than `max_gap` in them."""
        # One frame alone says nothing of time; a stream that has only the past cannot know that it is alone.
        lag = self.refiner.lag
        least = 0 if isinstance(method, Model) and lag is not None and lag < method.window - 1 else 1
        steps = np.diff(self.times)
        limit = self.refiner.max_gap + 1.5 * (np.median(steps) if len(steps) else 0)
        breaks = np.union1d(np.flatnonzero(steps > limit) + 1, self.jumps).astype(int)
        for run in gaps.runs(mask):
            ends = [run.start, *breaks[(breaks > run.start) & (breaks < run.stop)].tolist(), run.stop]
            yield from (slice(first, last) for first, last in zip(ends, ends[1:]) if last - first > least)

    def _jobs(self):
        there = gaps.seen(self.values)
        covered = np.zeros_like(there)
        if self.plan.synsp is not None:
            fit = self.plan.mapping
            values = fit.take(self.values)
            if fit.missing:
                values[:, list(fit.missing)] = space.IDENTITY
            picks, joints = (np.array(side) for side in zip(*fit.written))
            for frames in self._stretches(gaps.seen(values).all(axis=1), self.plan.synsp):
                covered[frames, joints] = True
                yield _Job(self.index, self.plan.synsp, frames, values[frames], joints, picks, self.times[frames], True)
        # Joints that come and go together are one job.
        columns = {}
        for joint in range(there.shape[1]):
            if there[:, joint].any() and not covered[there[:, joint], joint].all():
                columns.setdefault(there[:, joint].tobytes(), []).append(joint)
        for joints in columns.values():
            joints = np.array(joints)
            for frames in self._stretches(there[:, joints[0]], self.plan.channel):
                if not covered[frames][:, joints].all():
                    yield _Job(self.index, self.plan.channel, frames, self.values[frames][:, joints], joints,
                               np.arange(len(joints)), self.times[frames], False)

    def take(self, job):
        result = job.result
        mapped = self.plan.mapping is not None and len(self.plan.mapping.written) < len(self.plan.mapping.gather)
        if job.first and mapped and self.refiner.own_places and self.track.kind != "smpl":
            width = SLOW * _pace(job.times)
            result = result - gaussian_filter1d(result - job.values, width, axis=0, mode="nearest")
        self.out[job.frames, job.joints] = result[:, job.picks]
        self.by[job.frames, job.joints] = 2 if job.first else 1

    def _check_moved(self):
        """Say so where SynSP moves joints further than errors of an estimator reach: these poses are not what it knows."""
        mine = self.by == 2
        size = space.extent(self.values) if self.track.kind != "smpl" else 0
        if not mine.any() or not size:
            return
        share = float(np.median(np.linalg.norm(self.out - self.values, axis=-1)[mine])) / size
        if share > MOVED:
            self.notes.append(f"warning: SynSP moves the joints by {share:.0%} of the body's size: these poses are unlike its "
                              "training data (other joint places, another view?). --method smoothnet keeps their places")

    def _check_root(self):
        """Say so where most of the jitter is in the root, which is left as it is."""
        if self.space.root is None or self.refiner.translation or len(self.roots) < 3:
            return
        shake = np.linalg.norm(np.diff(self.roots[:, 0] * self.space.scale, n=2, axis=0), axis=-1).mean()
        if shake > SHAKE:
            self.notes.append(f"warning: the root jitters by {1000 * shake:.0f} mm a frame², and every joint with it: "
                              "--refine_translation (translation=True) smooths it too")

    def finish(self):
        refiner, track = self.refiner, self.track
        self._check_moved()
        self._check_root()
        roots, translation = self.roots, track.translation
        if refiner.translation:
            apply = self._root_filter()
            if self.space.root is not None and len(roots) > 2:
                moved = np.concatenate([apply(roots[part]) if part.stop - part.start > 2 else roots[part]
                                        for part in self._parts()])
                roots = roots + refiner.strength * (moved - roots)
            if translation is not None and np.isfinite(translation).all(axis=1).sum() > 2:
                translation = _filtered_where_seen(translation, apply, refiner.strength)
        done = self.by > 0
        refined = self.space.out(self.out, roots)
        share = np.where(self.filled, 1.0, refiner.strength)[..., None]
        base = self.start if roots is self.roots else self.start + (roots - self.roots)
        values = np.where(done[..., None], base + share * (refined - base), self.start)
        poses = space.leave(values, track.kind)
        if track.kind == "smpl":  # a rotation that nobody touched keeps its numbers
            poses = np.where(done[..., None] | self.filled[..., None], poses, track.poses)
        methods = {}
        for code, method in ((2, self.plan.synsp), (1, self.plan.channel)):
            count = int((self.by == code).sum())
            if count:
                methods[method.label if isinstance(method, Model) else method] = count
        return Refined(poses, self.filled, methods, translation, self.notes, self.plan.sentence, self.space)

    def _root_filter(self):
        name = self.plan.channel if isinstance(self.plan.channel, str) else FALLBACK
        return filter_at(name, self.refiner.cfg, self.rate)


def _filtered_where_seen(values, apply, strength):
    """values [T, C] with each run of finite rows filtered."""
    out = values.copy()
    for run in gaps.runs(np.isfinite(values).all(axis=1)):
        part = values[run]
        out[run] = part + strength * (apply(part[:, None])[:, 0] - part)
    return out


def filter_at(name, cfg, rate):
    """The filter `name` as a function [T, K, C] -> [T, K, C] at `rate` frames a second.

    Its parameters in the config are meant at 30 frames a second: windows and widths are lengths in time, cutoffs are in
    Hz, so that 60 frames a second are smoothed as much as 30 of the same motion.
    """
    factor = rate / RATE
    section = "TRADITION_" + name.upper().replace("+", "_")
    node = cfg.EVALUATE[section].clone()
    extra = {}
    for key in node:
        if key == "WINDOW_SIZE":
            node[key] = max(int(round((node[key] - 1) / 2 * factor)) * 2 + 1, 3) if node[key] > 1 else node[key]
        elif key == "SIGMA":
            node[key] = node[key] * factor
        elif key == "CUTOFF":
            node[key] = min(node[key] / factor, 0.99)
        elif key == "MIN_CUTOFF":
            node[key] = node[key] / factor
            extra["d_cutoff"] = 1.0 / factor
    if name == "savgol":
        node.WINDOW_SIZE = max(node.WINDOW_SIZE, (node.POLYORDER + 1) | 1)
    scaled = config.defaults()
    scaled.EVALUATE[section] = node
    apply = filters.configured(name, scaled)
    if not extra:
        return apply
    return lambda tracks: filters.oneeuro(tracks, node.MIN_CUTOFF, node.BETA, **extra) if len(tracks) >= 3 else tracks


def _pace(times):
    """Frames a second of times [T], by the median step."""
    return float(1 / np.median(np.diff(times))) if len(times) > 1 else RATE


def _looks_like_h36m(poses):
    """Whether 17 joints can be in Human3.6M order: the pelvis between the hips, the thorax between the shoulders."""
    size = space.extent(poses)
    for middle, sides, limit in ((0, (1, 4), 0.08), (8, (11, 14), 0.2)):
        off = np.linalg.norm(poses[:, middle] - poses[:, list(sides)].mean(axis=1), axis=-1)
        off = off[np.isfinite(off)]
        if len(off) and size > 0 and np.median(off) > limit * size:
            return False
    return True


def short(label):
    """A method's label without its path."""
    return re.sub(r" \(.*", "", label)
