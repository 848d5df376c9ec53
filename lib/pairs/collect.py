"""A dataset of rendered clips and an estimator's answers, in the published layout that training reads.

Shapes: T frames of a clip, F of what is written of it, J = 17 joints of h36m17.
"""

import json
import math
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import yaml

from .. import files
from ..dataset import catalog, sequences, storage
from ..dataset.filling import fill_gaps
from ..errors import UserError
from ..messages import counted
from ..poses import gaps, mapping, metrics, space
from ..poses.kinds import kind_of
from ..tracks import clock
from . import estimates, offsets, splits, truth
from .estimates import LAYOUT, Estimate

BRIDGED = 0.25  # seconds without the person that are filled, as `synsp refine` does
LEAST = 16  # frames: shorter stretches are left out
# mm of error, and share of it left by the best rotation and scale, at which poses stand in axes that are not the camera's.
OTHER_AXES = (300.0, 0.5)


@dataclass(frozen=True)
class Options:
    """What is written. base: folder of the datasets; representations: () for all that the estimates hold; truth: 'estimator' (the
    points of the body that its joints follow on average) or 'body'; test: see `splits.divide`; fps: of the dataset; input_format:
    of the estimates, None: told by the contents."""

    dataset: str
    estimator: str
    base: Path
    representations: tuple = ()
    truth: str = "estimator"
    test: str = ""
    fps: float = 30.0
    input_format: str | None = None

    @property
    def name(self):
        return f"{self.dataset}_{self.estimator}"

    def list_of(self, split):
        """Where the list of a split's clips goes: the JSON of DATASET.GROUPS."""
        return self.base / f"{self.name}_{split}.json"


@dataclass(frozen=True)
class Pair:
    """A clip's truth and estimate; name: of its recording and camera; joints: the truth's points [T, J, 3] once settled."""

    name: str
    truth: truth.Truth
    estimate: Estimate
    joints: np.ndarray | None = None

    def of_kind(self, kind):
        """(truth [T, J, D], detections [T, J, D]) in what the dataset holds of a kind: px, or m about the root."""
        if kind.in_image:
            return offsets.project(self.joints, self.truth.K), self.estimate.key_points
        return self.joints - self.joints[:, :1], self.estimate.poses


@dataclass(frozen=True)
class Collected:
    """What was made. sets: {"3D": {"train": clips, …}}; found: share of frames in which the person was found; dropped: clips
    without a stretch of LEAST frames; left_out: clips whose body tests; offsets: [J, 3] m; errors: {"3D": {"test": (mean error,
    after the best rotation and scale or None)}}; warnings: sentences."""

    sets: dict
    found: float
    dropped: list
    left_out: int
    offsets: np.ndarray
    errors: dict
    warnings: list


def collect(out, paths, options, progress=iter):
    """Write the dataset of the clips in folder `out` and their estimates `paths` {clip: file or folder}. Returns `Collected`.

    What was read is kept beside the dataset until all is written, so that a run that was killed goes on after the last whole
    clip. progress: wraps what is iterated, such as tqdm. Raises UserError for what cannot be used.
    """
    _check_place(options)
    kept = options.base / f".{options.name}.collecting"
    names = _names([truth.read(out, clip).meta for clip in paths])
    read = {clip: _read(out, clip, path, options, kept) for clip, path in progress(paths.items())}
    pairs = [Pair(names[clip], *both) for clip, both in read.items()]
    pairs, found = _with_people(pairs)
    pairs = _in_camera_axes(pairs)
    trains, tests, left = splits.divide([pair.truth.meta for pair in pairs], options.test)
    where = _offsets([pair for pair in pairs if pair.truth.clip in trains], options)
    pairs = [_settled(pair, where, options) for pair in pairs]
    stretches = {pair.truth.clip: _stretch(pair, options.fps) for pair in pairs}
    dropped = sorted(clip for clip, numbers in stretches.items() if len(numbers) < LEAST)
    sets, errors = {}, {}
    for split, side in (("train", trains), ("test", tests)):
        chosen = [pair for pair in pairs if pair.truth.clip in side.difference(dropped)]
        if not chosen:
            continue
        for representation in _representations(pairs, options):
            rows = [_row(pair, kind_of(representation), stretches[pair.truth.clip], options.fps) for pair in chosen]
            _write(chosen, rows, representation, split, options)
            sets.setdefault(representation, {})[split] = len(rows)
            errors.setdefault(representation, {})[split] = _error(rows, kind_of(representation))
        _write_list(chosen, rows, split, options)
    if not sets:
        raise UserError(
            f"{out}: no clip has {LEAST} frames in a row in which the person was found. Render longer clips"
        )
    for representation in sets:
        _write_yaml(representation, pairs, options)
    shutil.rmtree(kept, ignore_errors=True)
    return Collected(sets, found, dropped, len(left), where, errors, _warnings(errors))


def _check_place(options):
    """Raise UserError for a name that cannot be, or is another dataset's."""
    for flag, name in (("--dataset", options.dataset), ("--estimator", options.estimator)):
        if not name.isidentifier() and not name.isalnum() or "_" in name:
            raise UserError(f"{flag} {name}: expected letters and digits")
    for representation in catalog.REPRESENTATIONS:
        source = catalog.Source(options.dataset, options.estimator, representation)
        if source.known:
            raise UserError(
                f"--dataset {options.dataset}: is a published dataset with joints of its own. Choose another name"
            )
        if (options.base / str(source)).exists() and not options.list_of("train").is_file():
            raise UserError(
                f"{options.base / str(source)}: is there and was not made by `pairs collect`. Choose another --dataset or --estimator"
            )


def _names(metas):
    """{clip: <recording>.camera<k>}: cameras of one motion are of one recording."""
    cameras = {}
    for meta in sorted(metas, key=lambda meta: meta["clip"]):
        cameras.setdefault(meta.get("views") or meta["clip"], []).append(meta["clip"])
    return {clip: f"{name}.camera{k}" for name, group in cameras.items() for k, clip in enumerate(group, 1)}


def _read(out, clip, path, options, kept):
    """(Truth, Estimate) of a clip, from what an earlier run kept where the file is the same."""
    true = truth.read(out, clip)
    state = Path(path).stat()
    source = f"{path} {state.st_mtime_ns} {state.st_size} {options.input_format} {true.frames}"
    place = kept / f"{clip}.npz"
    if place.is_file():
        with np.load(place, allow_pickle=False) as data:
            if str(data["source"]) == source:
                parts = {key: data[key] for key in ("key_points", "poses", "own") if key in data}
                return true, Estimate(**parts, units=str(data["units"]) or None)
    estimate = estimates.read(path, true, options.input_format)
    arrays = {"key_points": estimate.key_points, "poses": estimate.poses, "own": estimate.own}
    arrays = {key: value for key, value in arrays.items() if value is not None}
    files.write_npz(place, {**arrays, "units": np.array(estimate.units or ""), "source": np.array(source)})
    return true, estimate


def _with_people(pairs):
    """(the pairs in which the person was found, share of all frames in which it was)."""
    frames = sum(pair.truth.frames for pair in pairs)
    found = sum(int(pair.estimate.found.sum()) for pair in pairs)
    if not found:
        raise UserError(
            f"the estimates of {counted(len(pairs), 'clip')}: the person was found in none of {counted(frames, 'frame')}. Are they of these clips?"
        )
    return [pair for pair in pairs if pair.estimate.found.any()], found / frames


def _in_camera_axes(pairs):
    """The pairs with poses in metres about the root, y down. Which axis is up is told by all clips together."""
    solid = [pair.estimate.poses for pair in pairs if pair.estimate.poses is not None]
    if not solid:
        return pairs
    up = space.way_up(np.concatenate([space.heads(poses, LAYOUT.joints, "3D") for poses in solid]))

    def turned(estimate):
        if estimate.poses is None:
            return estimate
        own, _ = space.space_3d(estimate.poses, LAYOUT.joints, estimate.units, up=up)
        return replace(estimate, poses=own.into(estimate.poses, own.roots(estimate.poses)), units="m")

    return [replace(pair, estimate=turned(pair.estimate)) for pair in pairs]


def _mixture(own):
    """[J, J]: how the 17 joints come from those of them that the estimator has itself (bool [J])."""
    mixture = np.eye(LAYOUT.size)
    for name, parts in mapping.DERIVED.items():
        joint = LAYOUT.joints.index(name)
        if not own[joint] and set(parts) <= set(LAYOUT.joints):
            mixture[joint] = np.isin(LAYOUT.joints, parts) / len(parts)
    return mixture


def _offsets(pairs, options):
    """Where the estimator's joints lie, [J, 3] m, by the clips that train; 0 where the truth is the body's joints."""
    if options.truth == "body":
        return np.zeros((LAYOUT.size, 3))
    in_image = all(pair.estimate.key_points is not None for pair in pairs)
    seen = [
        offsets.Seen(
            pair.truth.joints3D,
            pair.truth.rotations,
            pair.truth.K,
            pair.estimate.key_points if in_image else None,
            None if in_image else pair.estimate.poses,
        )
        for pair in pairs
        if in_image or pair.estimate.poses is not None
    ]
    return offsets.fit(seen, _mixture(pairs[0].estimate.own))


def _settled(pair, where, options):
    """The pair with the truth's points."""
    joints = pair.truth.joints3D
    if options.truth == "estimator":
        joints = offsets.mixed(offsets.moved(joints, pair.truth.rotations, where), _mixture(pair.estimate.own))
    return replace(pair, joints=joints)


def _representations(pairs, options):
    """Those that are asked for, or all that every estimate holds. Raises UserError for one that an estimate lacks."""
    holds = {
        "3D": [pair.estimate.poses is not None for pair in pairs],
        "2D": [pair.estimate.key_points is not None for pair in pairs],
    }
    for name in options.representations:
        if not all(holds[name]):
            lacking = pairs[holds[name].index(False)].truth.clip
            raise UserError(
                f"--representation {name}: the estimate of {lacking} holds none. Known to all: {_in_all(holds)}"
            )
    return options.representations or _in_all(holds)


def _in_all(holds):
    return tuple(name for name, each in holds.items() if all(each))


def _stretch(pair, rate):
    """Numbers [F] of the frames at `rate` a second of the longest stretch in which the person is never lost for more than
    BRIDGED seconds."""
    fps, there = pair.truth.fps, pair.estimate.found
    for hole in gaps.runs(~there):
        if hole.stop - hole.start <= BRIDGED * fps + 1e-6 and 0 < hole.start and hole.stop < len(there):
            there[hole] = True
    run = max(gaps.runs(there), key=lambda run: run.stop - run.start)
    return np.arange(math.ceil(run.start / fps * rate - 1e-6), math.floor((run.stop - 1) / fps * rate + 1e-6) + 1)


def _row(pair, kind, numbers, rate):
    """(frame numbers [F], truth [F, J*D], detections [F, J*D]) of a clip at `rate` frames a second."""
    real, said = (values.reshape(pair.truth.frames, -1) for values in pair.of_kind(kind))
    said = fill_gaps(said, catalog.KEY[kind.name])
    times = np.arange(pair.truth.frames) / pair.truth.fps
    return numbers, *(clock.onto(times, values, numbers / rate).astype(np.float32) for values in (real, said))


def _write(pairs, rows, representation, split, options):
    """The two files of a split."""
    source = catalog.Source(options.dataset, options.estimator, representation)
    names = [[f"{pair.name}/{number:06d}" for number in numbers] for pair, (numbers, _, _) in zip(pairs, rows)]
    extras = {}
    if kind_of(representation).in_image:
        extras["imgshape"] = [np.array([*pair.truth.size[::-1], 3]) for pair in pairs]
    key = catalog.KEY[representation]
    truth_path, detected_path = sequences.paths(source, split, options.base)
    storage.write(truth_path, {"imgname": names, key: [real for _, real, _ in rows], **extras})
    storage.write(detected_path, {"imgname": names, key: [said for _, _, said in rows]})


def _write_list(pairs, rows, split, options):
    """The list of a split's clips."""
    listed = [
        {
            "clip": pair.name.partition(".camera")[0],
            **{key: pair.truth.meta.get(key) for key in ("subject", "body", "licence", "mode", "motion", "posture")},
            "fps": options.fps,
            "frames": len(numbers),
        }
        for pair, (numbers, _, _) in zip(pairs, rows)
    ]
    files.write_text(options.list_of(split), json.dumps(listed, indent=0) + "\n")


def _write_yaml(representation, pairs, options):
    """What eval, visualize and train must know of the dataset."""
    several = len({pair.name.partition(".camera")[0] for pair in pairs}) < len(pairs)
    content = {
        "DATASET_NAME": options.dataset,
        "ESTIMATOR": options.estimator,
        "BODY_REPRESENTATION": representation,
        "DATASET": {
            "BASE_DIR": str(options.base),
            "FPS": options.fps,
            "GROUPS": options.list_of("train").name,
            "MULTI_VIEW": several,
            f"ROOT_{options.name}_3D".upper(): list(LAYOUT.root),
        },
    }
    text = f"# Made by synsp pairs collect. Joints: {', '.join(LAYOUT.joints)}.\n{yaml.safe_dump(content, sort_keys=False)}"
    files.write_text(options.base / f"{options.name}_{representation}.yaml", text)


def _error(rows, kind):
    """(mean distance of detections and truth in mm or px, in space also after the best rotation and scale, else None)."""
    real, said = (
        torch.from_numpy(np.concatenate([row[side] for row in rows])).unflatten(-1, (LAYOUT.size, -1))
        for side in (1, 2)
    )
    if kind.in_image:
        return float(metrics.joint_errors(said, real).mean()), None
    real, said = real * 1000, said * 1000
    return float(metrics.joint_errors(said, real).mean()), float(metrics.pa_mpjpe(said, real).mean())


def _warnings(errors):
    """What is odd about the errors."""
    said = []
    for mean, aligned in errors.get("3D", {}).values():
        if aligned is not None and mean > OTHER_AXES[0] and aligned < OTHER_AXES[1] * mean:
            said.append(
                f"3D poses are {mean:.0f} mm from the truth, {aligned:.0f} once turned onto it: do they stand in the camera's axes (y "
                "down, z away)? World coordinates cannot be compared"
            )
    return list(dict.fromkeys(said))
