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
from tqdm import tqdm

from .. import config, weights
from ..errors import UserError
from ..filters import registry as filters
from ..formats.tracks import JOINT_NAMES, Track, layout_of_count
from ..messages import logger
from ..models.export import windows_of
from ..poses import gaps, mapping, rotations, sentinels, space
from ..poses.kinds import kind_of
from ..poses.skeletons import LAYOUTS
from ..windows.pipeline import refine
from . import clock
from .plan import FALLBACK, LIVE_FALLBACK, RATE, Model, Plan, check_live, load_model, pace
from .work import RefinedTrack, Work

log = logger(__name__)

METHODS = ("auto", "synsp", "smoothnet", *filters.FILTERS, "none")
KINDS = {"2d": "2D", "3d": "3D", "smpl": "smpl"}  # as people write them
# SMPL rotations that need not be there: identity for the network.
HANDS = ("left_hand", "right_hand")
# Frames between two windows where only the slow part of a network's correction is taken (lib/tracks/auto.py). On training clips of a
# Kinect and of MediaPipe, 1 -> 4 moves MPJPE by 0.002 and -0.05 mm and Accel by less than 0.005 mm a frame², and halves the time.
# All of a correction would lose more: Accel 1.3 -> 3.1.
BLEND_STEP = 4


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
        self.cfg, self.folder, self.device = cfg or config.defaults(), weights.folder(folder), torch.device(device)
        self.cutoff, self.progress = cutoff, progress
        if cutoff is not None:
            self.cfg = self.cfg.clone()
            self.cfg.EVALUATE.TRADITION_BUTTERWORTH.CUTOFF = cutoff / (RATE / 2)
        self.results, self._models, self._modules, self._broken = [], {}, {}, []
        if method == "auto" and not checkpoint:
            weights.warn_of_none(folder)
        self.model = self._load(weights.named(checkpoint, self.folder)) if checkpoint else None
        if self.model is not None and method not in ("auto", self.model.name):
            raise UserError(
                f"checkpoint {checkpoint}: is a {self.model.name} network, but --method is {method}. "
                f"Pass --method {self.model.name}, or leave it out"
            )

    # ------------------------------------------------------------------------------------------ arrays

    def __call__(self, poses, confidence=None, timestamps=None):
        """Refine poses [T, J, D], or [P, T, J, D] of several people; rotations also as matrices [T, J, 3, 3].

        numpy or torch; the result has the input's type, shape and dtype. NaN: missing. confidence: [T, J] (or
        [P, T, J]) in [0, 1]; timestamps: [T] seconds.
        """
        array = poses.detach().cpu().numpy() if isinstance(poses, torch.Tensor) else np.asarray(poses)
        if array.dtype.kind not in "iuf":
            raise UserError(f"poses: {array.dtype}, not numbers. Pass a float array [T, J, D]")
        working, undo, kind = self._to_tracks(array)
        scores = [None] * len(working) if confidence is None else _confidences(confidence, working, array.shape)
        tracks = [self.track(values, score, index, kind) for index, (values, score) in enumerate(zip(working, scores))]
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
        names, layout = self.joint_names, self.layout
        if names is None and kind_of(kind).rotations:
            layout = f"smpl{poses.shape[1]}" if poses.shape[1] in (22, 24) else None
            names = JOINT_NAMES["smpl24"][1:22] if poses.shape[1] == 21 else JOINT_NAMES.get(layout)
        elif names is None:
            layout = layout_of_count(poses.shape[1], dims)
            names = JOINT_NAMES.get(layout)
        if names is not None and len(names) != poses.shape[1]:
            raise UserError(f"{len(names)} joint names for {poses.shape[1]} joints. Pass one for each, or none")
        missing = ~np.isfinite(poses).all(axis=-1)
        if not kind_of(kind).rotations:
            missing |= sentinels.absent(poses)
        if confidence is not None:
            missing |= ~(confidence > 0)
        poses = np.where(missing[..., None], np.nan, poses)
        return Track(identity, f"person {identity}", poses, confidence, kind, layout, names, self.units)

    def _to_tracks(self, array):
        """([poses [T, J, D] a person], function back to the array's shape, kind or None)."""
        kind = self.kind
        if array.size == 0:
            raise UserError(f"poses: shape {list(array.shape)} holds nothing. Pass [T, J, D]")
        if (
            array.ndim in (4, 5)
            and array.shape[-2:] == (3, 3)
            and (
                kind_of(self.kind).rotations or array.ndim == 5 or self.kind is None and array.shape[1] in (21, 22, 24)
            )
        ):
            kind = "smpl"
            flat = torch.as_tensor(array, dtype=torch.float64)
            vectors = rotations.matrix_to_axis_angle(flat).numpy()
            people = vectors[None] if array.ndim == 4 else vectors

            def undo(values):
                return rotations.axis_angle_to_matrix(torch.from_numpy(values)).numpy().reshape(array.shape)
        elif array.ndim in (3, 4):
            six = kind_of(self.kind).rotations and array.shape[-1] == 6
            values = array.astype(np.float64)
            if six:
                values = rotations.axis_angle_from_6d(torch.from_numpy(values)).numpy()
            elif kind_of(self.kind).rotations and array.shape[-1] != 3:
                raise UserError(f"poses: shape {list(array.shape)}. Rotations are [T, J, 3], [T, J, 6] or [T, J, 3, 3]")
            people = values[None] if array.ndim == 3 else values

            def undo(values):
                if six:
                    values = rotations.axis_angle_to_6d(torch.from_numpy(values)).numpy()
                return values.reshape(array.shape)
        else:
            raise UserError(
                f"poses: shape {list(array.shape)}. Pass [T, J, D] (T frames, J joints, 2 or 3 coordinates)"
            )
        return list(people), undo, kind

    # ------------------------------------------------------------------------------------------ models

    @property
    def blends(self):
        """Whether filter and network are mixed as the track needs it: `auto`, and no network that was asked for."""
        return self.method == "auto" and self.model is None

    def _load(self, path):
        path = str(path)
        if path not in self._models:
            self._models[path] = load_model(path, self.cfg.MODEL.n_head, self.cfg.MODEL.SLIDE_WINDOW_SIZE)
            self._models[path].network.to(self.device).requires_grad_(False)
        return self._models[path]

    def _shipped(self, pattern, layout=None):
        """Models for anybody in the checkpoint folder whose name fits, and those for the estimator whose key points are `layout`;
        broken files are left out, named once."""
        found = []
        for path in weights.for_estimator(self.folder, pattern, layout) + weights.for_anybody(self.folder, pattern):
            try:
                found.append(self._load(path))
            except UserError as error:
                if path not in self._broken:
                    self._broken.append(path)
                    log.warning("%s", error)
        return found

    def _unfit(self, model):
        """Sorts shipped networks: those for this lag, for one view, for the track's estimator, for any skeleton and for short
        windows that have it first."""
        recipe = model.recipe
        other_lag = 0 if recipe.trained_lag == self.lag else 1 if recipe.trained_lag is None else 2
        general = weights.estimator_of(model.path) is None
        return other_lag, recipe.views, general, model.window <= (self.lag or 0), not recipe.any_skeleton, model.window

    def network_for(self, track, poses):
        """(Model, Mapping, "") for a track with poses [T, J, D], or (None, None, why not)."""
        given = self.model if self.model is not None and self.model.takes_joints else None
        if self.model is not None and given is None or self.method not in ("auto", "synsp"):
            return None, None, ""
        candidates = [given] if given else sorted(self._shipped("synsp_*.pth.tar", track.layout), key=self._unfit)
        if poses.shape[-1] != kind_of(track.kind).network:
            return None, None, f"{poses.shape[-1]} coordinate{'' if poses.shape[-1] == 1 else 's'} a joint"
        candidates = [model for model in candidates if model.recipe.kind == track.kind]
        if not candidates:
            what = (
                f"it reads {given.recipe.kind}, these are {track.kind}"
                if given
                else f"no SynSP weights for {track.kind} in {self.folder}"
            )
            return None, None, what
        if track.joint_names is None:
            return None, None, "the file does not name its joints"
        why = ""
        for model in candidates:
            fit, reason = _fit(model, track, poses)
            if fit is not None:
                return model, fit, ""
            why = why or reason
        return None, None, why

    def channel_method(self, live=False):
        """The method for single channels: a SmoothNet `Model`, or a filter's name."""
        if self.method in filters.FILTERS:
            return self.method
        if self.blends:
            return LIVE_FALLBACK if live or self.lag is not None else FALLBACK
        if self.model is not None and not self.model.takes_joints:
            return self.model
        found = {model.window: model for model in self._shipped("smoothnet_w*.pth.tar") if not model.takes_joints}
        if found:  # the shortest that has the lag: longer ones smooth unknown, fast motion away (docs/accuracy.md)
            return found[min([window for window in found if window > (self.lag or 0)] or found)]
        if self.method == "smoothnet":
            raise UserError(
                f"--method smoothnet: {self.folder} has no SmoothNet weights that are free for any use. Pass one with --checkpoint, "
                "such as smoothnet_w8_bn.pth.tar (non-commercial)"
            )
        return LIVE_FALLBACK if live or self.lag is not None else FALLBACK

    def plan(self, track, poses, live=False):
        """The `Plan` for a track. Raises UserError where the method asked for cannot refine it."""
        live = live or self.lag is not None
        kind = kind_of(track.kind)
        if self.blends and not kind.in_space and (live or not kind.in_image):
            model, fit = None, None
            why = "`auto` uses networks for 3D joints, and for 2D key points of whole recordings"
        else:
            model, fit, why = self.network_for(track, poses)
            if self.blends and model is not None and (self.lag or 0) >= model.window:
                model, why = None, f"networks of {model.window} frames see nothing {self.lag} frames ahead"
        if self.method in filters.FILTERS:
            return Plan(None, None, self.method, f"{self.method} (as asked)")
        channel = self.channel_method(live)
        rest = (
            channel.label
            if isinstance(channel, Model)
            else f"the filter {channel}" + ("" if self.blends else f" (no SmoothNet weights in {self.folder})")
        )
        if model is None:
            reason = why or "as asked"
            return Plan(None, None, channel, f"{rest}: {reason}", reason, self.blends)
        if self.blends and live:
            how = f"{rest} and, as far as bone lengths of the last seconds call for it, the correction of {model.label}"
            return Plan(model, fit, channel, how, blend=True)
        others = poses.shape[1] - len(fit.written)
        how = f"{model.label} for {len(fit.written)} of {poses.shape[1]} joints" + (
            f", {rest} for the other {others}" if others else ""
        )
        return Plan(model, fit, channel, how, blend=self.blends)

    def check_asked(self, plans):
        """Raise UserError where a network that was asked for by name refines no track: it is used or refused."""
        asked = self.method == "synsp" or self.model is not None and self.model.takes_joints
        if not asked or any(plan.network for plan in plans) or not plans:
            return
        what = f"--checkpoint {self.model.path}" if self.model is not None else "--method synsp"
        raise UserError(
            f"{what}: does not fit these poses ({plans[0].reason}). Use --method auto, or a checkpoint that fits"
        )

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
        self.check_asked([work.plan for work in works])
        jobs = [job for work in works for job in work.jobs]
        self._run(jobs)
        for job in jobs:
            if not job.first:
                works[job.track].take(job)
        for work in works:
            work.filters_done()
        for job in jobs:
            if job.first:
                works[job.track].take(job)
        results = [work.finish() for work in works]
        for track, result in zip(tracks, results):
            _keep_finite(track.poses, result)
        return results

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

    def _run(self, jobs):
        """Fill in the results. Jobs of one network and width go through it together."""
        groups = {}
        for job in jobs:
            if job.result is not None:
                continue
            if (
                isinstance(job.method, str) and job.method in filters.TUNED and self.lag is None
            ):  # they need no even clock
                self._filter(job, [(job.values, job.times)], None)
                continue
            rate = job.method.fps if isinstance(job.method, Model) else pace(job.times)
            clocks = clock.grids(job.times, rate)
            flat = job.values.reshape(len(job.values), -1)
            parts = [clock.onto(job.times, flat, grid) for grid in clocks] if clocks else [flat]
            if isinstance(job.method, Model):
                groups.setdefault((id(job.method), flat.shape[1]), []).append((job, clocks, parts))
                continue
            shape = job.values.shape[1:]
            self._filter(job, [(part.reshape(len(part), *shape), None) for part in parts], clocks)
        self._run_networks(groups.values())

    def _run_networks(self, groups):
        """Fill in the results of lists of (job, its clocks, its values on each), each list of one network and width."""
        frames = sum(len(part) for group in groups for _, _, parts in group for part in parts)
        bar = tqdm(total=frames, unit="frame", desc="refining", delay=2, leave=False, disable=not self.progress)
        for group in groups:
            model = group[0][0].method
            recordings = ((torch.from_numpy(part[None]).float(), None) for _, _, parts in group for part in parts)
            step = min(BLEND_STEP, max(1, model.window // 2)) if self.blends else model.recipe.step
            recipe = model.recipe.but(align="none", step=step) if self.lag is None else model.recipe.streamed(self.lag)
            refined = refine(model.network, recordings, recipe, self.cfg.EVALUATE.BATCH_SIZE, spread=True)
            for job, clocks, parts in group:
                done = [next(refined) for _ in parts]
                bar.update(sum(map(len, parts)))
                job.result = self._back(job, clocks, [one.final[0].double().numpy() for one in done])
                job.sigma = self._sigma(job, clocks, [one.spread[0].double().numpy() for one in done])
        bar.close()

    def _filter(self, job, parts, clocks):
        """Fill in what the job's filter makes of parts [(values [t, K, D], times or None)], each on one of the clocks."""
        apply = filters.at_rate(job.method, self.cfg, pace(job.times), self.lag, **job.options)
        done = [apply(values, times) for values, times in parts]
        job.result = self._back(job, clocks, [one.values.reshape(len(one.values), -1) for one in done])
        job.cutoff = np.mean([one.cutoff for one in done], axis=0)
        if not clocks:
            job.sigma = done[0].sigma

    @staticmethod
    def _back(job, clocks, done):
        values = clock.back(clocks, done, job.times) if clocks else done[0]
        return values.reshape(len(job.times), *job.values.shape[1:])

    @staticmethod
    def _sigma(job, clocks, spreads):
        """[t, K]: spreads [N, C] of the clocks' sequences at the job's times, one number a joint."""
        if clocks:
            spreads = [clock.onto(grid, spread, job.times) for grid, spread in zip(clocks, spreads)]
        squares = np.mean(np.square(spreads), axis=0).reshape(job.values.shape)
        return np.sqrt(squares.mean(axis=-1))

    def models(self):
        """The networks loaded so far."""
        return list(self._models.values())

    def module(self, model):
        """The windows [B, W, C] -> [B, W, C] of a `Model` for live use: one for all streams of this Refiner."""
        if model.path not in self._modules:
            self._modules[model.path] = windows_of(model.network, model.recipe)
        return self._modules[model.path]

    def stream(self):
        """A live stream: `step(frame) -> pose` (lib/tracks/live.py)."""
        from .live import Stream

        return Stream(self)


def _confidences(confidence, people, shape):
    """Confidences [P, T, J] for people's poses [T, J, D]. Raises UserError that names both shapes."""
    scores = np.asarray(confidence, dtype=np.float64)
    wanted = people[0].shape[:2]
    if scores.shape not in ((len(people), *wanted), wanted) or scores.ndim == 2 and len(people) > 1:
        expected = list(wanted if len(people) == 1 else (len(people), *wanted))
        raise UserError(
            f"confidence: shape {list(scores.shape)} for poses {list(shape)}. Expected {expected}: one number per key point"
        )
    return scores.reshape(len(people), *wanted)


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


def _fit(model, track, poses):
    """(Mapping of a track's joints onto a network's, "") or (None, why there is none)."""
    kind = kind_of(model.recipe.kind)
    how = {"may_lack": HANDS, "derive": False} if kind.rotations else {"in_space": kind.in_space}
    joints = model.recipe.joints
    fit = mapping.to_joints(joints, track.joint_names, **how)
    if fit is None:
        lacking = [joint for joint in joints if mapping.to_joints((joint,), track.joint_names, **how) is None]
        return None, f"SynSP reads {len(joints)} joints, and the file has no {' and no '.join(lacking[:3])}"
    if track.joint_names == LAYOUTS["h36m17"].joints and not _looks_like_h36m(poses):
        return None, "17 joints, but not in Human3.6M order (the pelvis is not between the hips)"
    never = [track.joint_names[joint] for joint in fit.needed if not gaps.seen(poses)[:, joint].any()]
    return (None, f"{', '.join(never[:3])} never seen") if never else (fit, "")


def _keep_finite(poses, result):
    """Key points that came out NaN or infinite are left as they were; poses [T, J, D] as they came in."""
    lost = np.isfinite(poses).all(axis=-1) & ~np.isfinite(result.poses).all(axis=-1)
    if lost.any():
        result.poses[lost] = poses[lost]
        result.notes.append(
            f"{lost.sum()} key points came out not finite (too large for a pose?): they are left as they were"
        )


def _looks_like_h36m(poses):
    """Whether 17 joints can be in Human3.6M order: the pelvis between the hips, the thorax between the shoulders."""
    size = space.extent(poses)
    for middle, sides, limit in ((0, (1, 4), 0.08), (8, (11, 14), 0.2)):
        off = np.linalg.norm(poses[:, middle] - poses[:, list(sides)].mean(axis=1), axis=-1)
        off = off[np.isfinite(off)]
        if len(off) and size > 0 and np.median(off) > limit * size:
            return False
    return True
