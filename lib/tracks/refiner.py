"""Refining anyone's poses: which method fits, missing key points, units, frame rates, and all of it undone afterwards.

    from synsp import Refiner
    refined = Refiner("auto", fps=60)(poses)          # [T, J, D], numpy or torch, NaN for missing
    live = Refiner("auto", lag=3).stream()            # lib/tracks/live.py
    pose = live.step(frame)

Networks run through the one path of lib/windows/pipeline.py. Shapes: T frames, J joints, D coordinates (6 for rotations).
"""

from pathlib import Path

import numpy as np
import torch

from .. import config, weights
from ..errors import UserError
from ..formats.joint_orders import layout_of_poses
from ..formats.tracks import JOINT_NAMES, Track, layout_of_count
from ..models.export import windows_of
from ..poses import sentinels, space
from ..poses.kinds import kind_of
from . import arrays, jobs
from .choice import Choice
from .plan import METHODS, RATE, check_live
from .result import RefinedTrack, finished
from .work import Work

KINDS = {"2d": "2D", "3d": "3D", "smpl": "smpl"}  # as people write them


class Refiner:
    """Refines pose sequences of any kind.

    method: auto, synsp, smoothnet, a filter's name or none; or a checkpoint's path. checkpoint: a file; default: what
    lies in `folder`. fps: frames per second of the poses (default: the model's). strength: 0 (input) to 1 (refined).
    max_gap: seconds that are filled. lag: None for whole recordings, else frames after which a pose must be out. kind:
    2D, 3D or smpl (default: 2 or 3 coordinates; matrices and 6D are smpl; 3 coordinates are 3D); layout: a key of
    `lib.formats.tracks.JOINT_NAMES`; joint_names: J names; units: m, mm or px; up: the axis that is up in 3D, -y, y,
    z, … (default: told by the poses, else -y); image_size: (width, height) in px;
    cutoff: Hz, of butterworth; translation: also refine where the body goes, not only its pose; own_places: leave out the slow part of SynSP's
    correction where a detector's joints stand in for the network's, so that shoulders stay where that detector sees
    shoulders; repair: put exchanged left and right back and take spikes out before anything is
    smoothed (lib/tracks/repair.py). cfg: the filters' parameters, meant at 30 Hz.
    Raises UserError for what cannot be. After a call `results` holds one `RefinedTrack` a person.
    """

    def __init__(
        self,
        method="auto",
        checkpoint=None,
        fps=None,
        *,
        strength=1.0,
        max_gap=0.25,
        lag=None,
        kind=None,
        layout=None,
        joint_names=None,
        units=None,
        up=None,
        image_size=None,
        translation=False,
        own_places=True,
        cutoff=None,
        repair=True,
        cfg=None,
        folder=None,
        device="cpu",
        progress=False,
    ):
        method = str(method)
        if (
            method not in METHODS
            and checkpoint is None
            and (Path(method).is_file() or method.endswith((".tar", ".pth", ".pt")))
        ):
            method, checkpoint = "auto", method
        _check_asked(method, checkpoint, lag, cutoff)
        _check_ranges(strength=strength, max_gap=max_gap, fps=fps, lag=lag)
        _check_known(kind=kind, layout=layout, up=up)
        self.up = None if up is None else space.AXES[up]
        self.method, self.fps, self.strength, self.max_gap, self.lag = method, fps, strength, max_gap, lag
        self.kind = None if kind is None else KINDS[str(kind).lower()]
        self.joint_names = tuple(joint_names) if joint_names is not None else JOINT_NAMES.get(layout)
        self.layout, self.units, self.image_size, self.translation = layout, units, image_size, translation
        self.own_places, self.repair = own_places, repair
        self.cfg = cfg or config.defaults()
        self.cutoff, self.progress = cutoff, progress
        if cutoff is not None:
            self.cfg = self.cfg.clone()
            self.cfg.EVALUATE.TRADITION_BUTTERWORTH.CUTOFF = cutoff / (RATE / 2)
        if method == "auto" and not checkpoint:
            weights.warn_of_none(folder)
        self.choice = Choice(method, checkpoint, weights.folder(folder), lag, cfg=self.cfg, device=torch.device(device))
        self.results, self._modules = [], {}

    def longest_gap(self, rate):
        """Frames of the longest gap that is filled, at `rate` frames per second."""
        return int(self.max_gap * rate + 1e-6)

    # ------------------------------------------------------------------------------------------ arrays

    def __call__(self, poses, confidence=None, timestamps=None):
        """Refine poses [T, J, D], or [P, T, J, D] of several people; rotations also as matrices [T, J, 3, 3].

        numpy or torch; the result has the input's type, shape and dtype. NaN: missing. confidence: [T, J] (or
        [P, T, J]) in [0, 1]; timestamps: [T] seconds.
        """
        array = poses.detach().cpu().numpy() if isinstance(poses, torch.Tensor) else np.asarray(poses)
        if array.dtype.kind not in "iuf":
            raise UserError(f"poses: {array.dtype}, not numbers. Pass a float array [T, J, D]")
        people, undo, kind = arrays.people_of(array, self.kind)
        scores = [None] * len(people) if confidence is None else arrays.confidences_of(confidence, people, array.shape)
        tracks = [self.track(values, score, index, kind) for index, (values, score) in enumerate(zip(people, scores))]
        results = self.refine_tracks(tracks, self.fps, timestamps, self.image_size)
        self.results = results
        out = undo(np.stack([result.poses for result in results]))
        if isinstance(poses, torch.Tensor):
            dtype = poses.dtype if poses.is_floating_point() else torch.get_default_dtype()
            return torch.from_numpy(out).to(poses.device, dtype)
        return out.astype(array.dtype if array.dtype.kind == "f" else np.float64)

    def track(self, poses, confidence=None, identity=0, kind=None):
        """A `Track` of poses [T, J, D] (axis-angle for smpl), as this Refiner was told to understand them; kind: what their
        form says they are, where the Refiner was not told."""
        dims = poses.shape[-1]
        kind = kind or self.kind or ("2D" if dims < 3 else "3D")
        missing = ~np.isfinite(poses).all(axis=-1)
        if not kind_of(kind).rotations:
            missing |= sentinels.absent(poses)
        if confidence is not None:
            missing |= ~(confidence > 0)
        poses = np.where(missing[..., None], np.nan, poses)
        names, layout = self.joint_names, self.layout
        if names is None and kind_of(kind).rotations:
            layout = f"smpl{poses.shape[1]}" if poses.shape[1] in (22, 24) else None
            names = JOINT_NAMES["smpl24"][1:22] if poses.shape[1] == 21 else JOINT_NAMES.get(layout)
        elif names is None:
            count = poses.shape[1]
            layout = layout_of_poses(poses[None], dims, []) if dims == 2 else layout_of_count(count, dims)
            names = JOINT_NAMES.get(layout)
        if names is not None and len(names) != poses.shape[1]:
            raise UserError(f"{len(names)} joint names for {poses.shape[1]} joints. Pass one for each, or none")
        return Track(identity, f"person {identity}", poses, confidence, kind, layout, names, self.units)

    # ------------------------------------------------------------------------------------------ tracks

    def refine_tracks(self, tracks, fps=None, timestamps=None, image_size=None):
        """Refine tracks (`lib.formats.tracks.Track`), each by itself, their windows in one batch. Returns [RefinedTrack].

        fps: of the tracks, None where unknown; timestamps: [frames of the file] seconds, in which a track's first is
        `track.start`; image_size: (width, height) in px.
        """
        if self.method == "none":
            return [
                RefinedTrack(track.poses.copy(), np.zeros(track.poses.shape[:2], bool), plan="none: the input as it is")
                for track in tracks
            ]
        entered = [space.enter(track.poses, track.kind) for track in tracks]  # rotations as 6D from here on
        ups = self._ways_up(tracks, entered)
        works = [
            Work(self, index, track, poses=poses, up=up, fps=fps, timestamps=timestamps, image_size=image_size)
            for index, (track, poses, up) in enumerate(zip(tracks, entered, ups))
        ]
        self._share_jumps(works)
        for work in sorted(works, key=lambda work: work.track.is_depth):
            places = (other for other in works if work.track.is_depth_of(other.track)) if work.track.is_depth else ()
            work.prepare(next(iter(places), None))
        self.choice.check_asked([work.plan for work in works])
        found = [job for work in works for job in work.jobs]
        jobs.run(found, self)
        for job in found:
            if not job.first:
                works[job.track].take(job)
        for work in works:
            work.filters_done()
        for job in found:
            if job.first:
                works[job.track].take(job)
        return [finished(work) for work in works]

    def _ways_up(self, tracks, entered):
        """The axis that is up for each track: people of one file, in one kind of key points, share a frame."""
        groups = {}
        for track, poses in zip(tracks, entered):
            directions = (
                space.heads(poses, track.joint_names, track.kind)
                if not kind_of(track.kind).in_image
                else np.zeros((0, 3))
            )
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

    def module(self, model):
        """The windows [B, W, C] -> [B, W, C] of a `Model` for live use: one for all streams of this Refiner."""
        if model.path not in self._modules:
            self._modules[model.path] = windows_of(model.network, model.recipe)
        return self._modules[model.path]

    def stream(self):
        """A live stream: `step(frame) -> pose` (lib/tracks/live.py)."""
        from .live import Stream

        return Stream(self)


def _check_asked(method, checkpoint, lag, cutoff):
    """Raise UserError for a method that is not known, or that a checkpoint, lag or cut-off does not go with."""
    if method not in METHODS:
        raise UserError(f"--method {method}: not known. Known: {', '.join(METHODS)}")
    if checkpoint and method not in ("auto", "synsp", "smoothnet"):
        raise UserError(f"--method {method}: takes no checkpoint. Leave one of the two out")
    if lag is not None:
        check_live(method, "With --lag")
    if cutoff is not None and method != "butterworth":
        raise UserError(
            f"--cutoff {cutoff:g}: needs --method butterworth, but --method is {method}. Change one of the two"
        )


def _check_ranges(strength, max_gap, fps, lag):
    """Raise UserError for a number that cannot be."""
    if not 0 <= strength <= 1:
        raise UserError(f"--strength is {strength}; expected 0 (the input) to 1 (refined)")
    if not max_gap >= 0:
        raise UserError(f"--max_gap is {max_gap}; expected at least 0 seconds")
    if fps is not None and not 0 < fps < 1e5:
        raise UserError(f"--fps is {fps}; expected frames per second, greater than 0")
    if lag is not None and lag < 0:
        raise UserError(f"--lag is {lag}; expected at least 0 frames")


def _check_known(kind, layout, up):
    """Raise UserError for a name that is not known; None: not said."""
    for what, value, known in (
        ("kind", None if kind is None else KINDS.get(str(kind).lower(), kind), KINDS.values()),
        ("layout", layout, JOINT_NAMES),
        ("--up", up, space.AXES),
    ):
        if value is not None and value not in known:
            raise UserError(f"{what} {value}: not known. Known: {', '.join(known)}")
