"""Scores of the input, networks and filters on a split: tables on screen, JSON and CSV.

Definitions of the metrics: SPEC section 6 and lib/poses/metrics.py.
"""

import csv
import dataclasses
import io
import sys

import numpy as np
import torch
from tqdm import tqdm

from ..messages import counted
from ..poses import metrics
from ..poses.skeletons import LAYOUTS
from ..tracks.plan import RATE
from ..training.distributed import ALONE
from .methods import repaired
from .scores import Scores, judge_of

TIME = "µs/frame"  # the title of the tables' last column

# -------------------------------------------------------------------------------------------- scoring


def score_split(split, methods, cfg, group=ALONE):
    """Run all methods over one split. Returns (one object of metrics.json, [Scores]).

    group: the processes that share the work, `lib.training.distributed`: each takes recordings r::world, and all get the scores of
    every frame, so that means are over the pooled frames as ever.
    """
    judge = judge_of(split, cfg)
    scores = [Scores(method, judge) for method in methods]
    part = dataclasses.replace(split, recordings=split.recordings[group.rank :: group.world])
    mended = repaired(part, cfg.DATASET.FPS or RATE) if cfg.EVALUATE.REPAIR else part
    for method in methods:
        method.seconds = 0.0
    total = len(part.sequences) * len(methods)
    quiet = not group.first or not sys.stderr.isatty()
    with tqdm(total=total, desc=f"evaluating {split.source}", unit="seq", dynamic_ncols=True, disable=quiet) as bar:
        for score in scores:
            views, raws = [], []
            for recording, found in zip(
                part.recordings, score.method(part if score.method.role == "input" else mended)
            ):
                views += recording.views
                raws += found
                cues = getattr(score.method, "quality", None)
                score.cues += [None] * len(found) if cues is None else list(cues.numpy())
                bar.update(len(recording.views))
            for view, scored in zip(views, judge.all(views, raws)):
                score.add(view.name, *scored)
    if group.world > 1:
        counts = [len(recording.views) for recording in split.recordings]
        for score, parts in zip(scores, [group.gathered((score.rows(), score.method.seconds)) for score in scores]):
            score.merge(parts, counts)
    return _result(split, scores, judge.body, cfg), scores


def _result(split, scores, body, cfg):
    """One object of metrics.json."""
    frames = sum(len(values["mpjpe"]) for values in scores[0].per_sequence)
    detail = [_detail(split, score, scores[0], frames, cfg) for score in scores]
    filters_found = {
        part["method"]: _prefixed("filter", part)
        for score, part in zip(scores, detail)
        if score.method.role == "filter"
    }
    checkpoint = next((score.method.checkpoint.path for score in scores if score.method.role == "refined"), None)
    source = split.source
    return {
        "dataset": source.dataset,
        "estimator": source.estimator,
        "body_representation": source.representation,
        "checkpoint": checkpoint,
        "metrics": _published(scores, detail),
        "filters": filters_found,
        "methods": detail,
        "table": [
            {"method": part["method"], **part["means"], "microseconds_a_frame": part["microseconds_a_frame"]}
            for part in detail
        ],
        "frames": frames,
        "sequences": len(split.sequences),
        "unit": split.representation.unit,
        "body": body.name if body else None,
    }


def _detail(split, score, reference, frames, cfg):
    """All that is said of one method; reference: the input's `Scores`, whose worst frames are the top 1 %."""
    seed = [cfg.SEED_VALUE, len(split.sequences)]
    means, intervals = score.means, score.intervals(np.random.default_rng(seed))
    worst = metrics.worst_frames(torch.from_numpy(reference.pooled("mpjpe"))).numpy()
    for name in ("mpjpe", "accel"):
        means[f"{name}_top1"] = float(np.mean(score.pooled(name)[worst]))
    if cfg.DATASET.FPS and "accel_unpadded" in means:
        scale = cfg.DATASET.FPS**2 / split.representation.per_unit
        means["accel_per_second2"] = means["accel_unpadded"] * scale
        intervals["accel_per_second2"] = [value * scale for value in intervals["accel_unpadded"]]
    names = joint_names(split)
    return {
        "method": score.method.label,
        "means": means,
        "microseconds_a_frame": score.method.seconds / frames * 1e6,
        "interval_95": intervals,
        "per_joint_mpjpe": dict(zip(names, score.joints.tolist())),
        "per_joint_interval_95": dict(zip(names, score.joint_intervals(np.random.default_rng(seed)).tolist())),
        "per_view_mpjpe": _per_view(split, score),
        "per_sequence": [
            {"sequence": name, **{key: float(value.mean()) for key, value in values.items() if len(value)}}
            for name, values in zip(score.names, score.per_sequence)
        ],
    }


def _prefixed(prefix, part):
    """The means of a method under the published names, with its time."""
    named = {f"{prefix}_{name}": value for name, value in part["means"].items()}
    return named | {f"{prefix}_inference_time": part["microseconds_a_frame"]}


def _published(scores, detail):
    """The published names' values: of the input, of the first filter and of the first network."""
    first = {score.method.role: part for score, part in reversed(list(zip(scores, detail)))}
    named = {f"input_{name}": value for name, value in first["input"]["means"].items()} if "input" in first else {}
    if "filter" in first:
        named |= _prefixed("filter", first["filter"])
    if "refined" in first:  # whichever network refined, its published name is SmoothNet's
        named |= _prefixed("smoothnet", first["refined"])
        named |= {
            f"improvement_{name}": value - named[f"input_{name}"]
            for name, value in first["refined"]["means"].items()
            if f"input_{name}" in named
        }
    return named


def _per_view(split, score):
    """Mean MPJPE of the first view of each recording, of the second, ...; one number for single views."""
    places = [place for recording in split.recordings for place in range(len(recording.views))]
    pooled = {}
    for place, values in zip(places, score.per_sequence):
        pooled.setdefault(place, []).append(values["mpjpe"])
    return [float(np.concatenate(pooled[place]).mean()) for place in sorted(pooled)]


def joint_names(split):
    """The names of the joints that are scored."""
    return LAYOUTS["lsp14"].joints if split.representation.kind.rotations else split.layout.joints


# ------------------------------------------------------------------------------------------- tables


def table(split, scores, body=None):
    """The table on screen: one row a method, the best value of each column marked. body: the body model's name."""
    columns = shown_columns(split.representation.unit, scores[0].means)
    higher = {name for name in columns if name.startswith("pck")}
    means = [score.means for score in scores]
    frames = max(scores[0].frames, 1)
    best = {name: (max if name in higher else min)(mean[name] for mean in means) for name in columns}
    lines = [["method", *columns.values(), TIME]]
    for score, mean in zip(scores, means):
        cells = [f"{mean[name]:.2f}{'*' if mean[name] == best[name] else ' '}" for name in columns]
        lines.append([score.method.label, *cells, f"{score.method.seconds / frames * 1e6:.1f}"])
    title = f"{split.source} test: {counted(len(split.sequences), 'sequence')}, {counted(frames, 'frame')} (* best)"
    if body == "mannequin":
        title += " [mannequin body: not comparable with SMPL numbers]"
    return f"\n{title}\n{aligned(lines)}"


def shown_columns(unit, means):
    """{metric: title} of the metrics that a table shows to people, of those that there are."""
    columns = {
        "mpjpe": f"MPJPE {unit}",
        "pampjpe": f"PA-MPJPE {unit}",
        "accel": f"ACCEL {unit}/frame²",
        "mpvpe": "MPVPE mm",
        "pck_005": "PCK@0.05",
        "pck_01": "PCK@0.1",
        "pck_02": "PCK@0.2",
    }
    return {name: title for name, title in columns.items() if name in means}


def tables(results):
    """All numbers of metrics.json as rows, {ending of the file's name: [row]}: of methods, sequences and joints."""
    methods, per_sequence, per_joint = [], [], []
    for result in results:
        where = {"dataset": f"{result['dataset']}_{result['estimator']}_{result['body_representation']}"}
        for row, part in zip(result["table"], result["methods"]):
            where["method"] = part["method"]
            ends = {
                f"{name}_{end}": value
                for name, pair in part["interval_95"].items()
                for end, value in zip(("low", "high"), pair)
            }
            methods.append({**where, **row, **ends})
            per_sequence.extend({**where, **found} for found in part["per_sequence"])
            per_joint.extend(
                {
                    **where,
                    "joint": joint,
                    "mpjpe": value,
                    **dict(zip(("low", "high"), part["per_joint_interval_95"][joint])),
                }
                for joint, value in part["per_joint_mpjpe"].items()
            )
    return {"": methods, "_per_sequence": per_sequence, "_per_joint": per_joint}


def aligned(lines):
    """Rows of cells as text: first column left, the others right, a rule under the first row."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    rows = [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths))
        )
        for line in lines
    ]
    return "\n".join([rows[0], "-" * len(rows[0]), *rows[1:]])


def as_csv(rows):
    """Rows of dicts as CSV text; columns in order of first appearance."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
