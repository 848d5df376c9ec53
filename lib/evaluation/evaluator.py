"""Scores of the input, networks and filters on a split: tables on screen, JSON and CSV.

Definitions of the metrics: SPEC section 6 and lib/poses/metrics.py.
"""

import csv
import io
import json
import sys
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from .. import config, messages, run
from ..dataset import catalog, sequences
from ..errors import UserError
from ..files import is_stream
from ..filters import registry as filters
from ..poses import metrics
from ..poses.skeletons import LAYOUTS
from ..tracks.plan import RATE
from .methods import InputMethod, check_fits, load_networks, repaired, several_view_baselines, warn_of
from .offset import filter_methods
from .scores import Scores, judge_of

ACCEL_NOTE = (
    "ACCEL averages over all T frames of a sequence, with two zeros at its ends, as the papers' code does; "
    "accel_unpadded averages over the T-2 frames that have one."
)


def evaluate(request):
    """Score what a command line asked for. Returns the list that `metrics.json` holds."""
    device = run.choose_device(request.config())
    report, figures = (_folder(request.args, flag) for flag in ("report", "figures"))
    if str(request.args.json).lower().endswith(".csv"):
        raise UserError(
            f"--json {request.args.json}: the CSV beside it would take its place. Give a name that ends in .json"
        )
    cfg, networks = load_networks(request, device)
    if not networks and not cfg.EVALUATE.TRADITION:
        raise UserError("--checkpoint: not given. Pass a trained network, or --tradition to score filters alone")
    chosen = catalog.sources(cfg)
    names = filters.names(cfg.EVALUATE.TRADITION)
    mended = [InputMethod("other", "input, repaired")] if cfg.EVALUATE.REPAIR else []
    others = [InputMethod(), *mended, *filter_methods(names, cfg)]
    splits = [sequences.load(source, "test", cfg, cfg.TRAIN.USE_6D_SMPL) for source in chosen]
    for split in splits:
        for network in networks:
            check_fits(network.checkpoint, split)
            warn_of(network.checkpoint, split)
    folder = run.new_folder(cfg, f"{cfg.EXP_NAME}_eval")
    messages.also_log_to(folder / "eval_log.txt")
    results, scored = [], []
    for split in splits:
        result, scores = score_split(split, [*others, *several_view_baselines(split, networks), *networks], cfg)
        results.append(result)
        scored.append(scores)
        print(table(split, scores, result["body"]))
    print(ACCEL_NOTE)
    text = json.dumps(results, indent=1, allow_nan=False)
    places = [folder / "metrics.json"] + ([Path(request.args.json)] if request.args.json else [])
    for place in places:
        run.write_text(place, text)
        for ending, rows in () if is_stream(place) else tables(results).items():
            run.write_text(place.with_name(f"{place.stem}{ending}.csv"), as_csv(rows))
    run.write_text(folder / "config.yaml", config.dump(cfg))
    beside = [] if is_stream(places[-1]) else [("CSV", places[-1].with_suffix(".csv"))]
    written = [("JSON", places[-1]), *beside, ("log", folder / "eval_log.txt")]
    if report:
        from ..visualize.report import write_report  # pictures are a floor above, and not everybody's

        written.append(("report", write_report(report, splits, scored, results, cfg)))
    if figures:
        from ..visualize.figures import write_figures

        for split, scores in zip(splits, scored):
            write_figures(figures, split, scores, cfg)
        written.append(("figures", figures))
    print("\n".join(f"{what}: {place}" for what, place in written))
    return results


def _folder(args, flag):
    """The folder that a flag names, or None. Raises UserError before work starts where it is a file."""
    place = getattr(args, flag)
    if place and Path(place).is_file():
        raise UserError(f"--{flag} {place}: is a file. Give a folder")
    return Path(place) if place else None


# -------------------------------------------------------------------------------------------- scoring


def score_split(split, methods, cfg):
    """Run all methods over one split. Returns (one object of metrics.json, [Scores])."""
    judge = judge_of(split, cfg)
    scores = [Scores(method, judge) for method in methods]
    mended = repaired(split, cfg.DATASET.FPS or RATE) if cfg.EVALUATE.REPAIR else split
    for method in methods:
        method.seconds = 0.0
    total = len(split.sequences) * len(methods)
    with tqdm(
        total=total, desc=f"evaluating {split.source}", unit="seq", dynamic_ncols=True, disable=not sys.stderr.isatty()
    ) as bar:
        for score in scores:
            views, raws = [], []
            for recording, found in zip(
                split.recordings, score.method(split if score.method.key == "input" else mended)
            ):
                views += recording.views
                raws += found
                cues = getattr(score.method, "quality", None)
                score.cues += [None] * len(found) if cues is None else list(cues.numpy())
                bar.update(len(recording.views))
            for view, scored in zip(views, judge.all(views, raws)):
                score.add(view.name, *scored)
    return _result(split, scores, judge.body, cfg), scores


def _result(split, scores, body, cfg):
    """One object of metrics.json."""
    rng_seed = [cfg.SEED_VALUE, len(split.sequences)]
    reference = scores[0]
    worst = metrics.worst_frames(torch.from_numpy(reference.pooled("mpjpe"))).numpy()
    published, filters_found, detail = {}, {}, []
    frames = sum(len(values["mpjpe"]) for values in reference.per_sequence)
    for score in scores:
        means, intervals = score.means, score.intervals(np.random.default_rng(rng_seed))
        for name in ("mpjpe", "accel"):
            means[f"{name}_top1"] = float(np.mean(score.pooled(name)[worst]))
        if cfg.DATASET.FPS and "accel_unpadded" in means:
            scale = cfg.DATASET.FPS**2 / split.representation.per_unit
            means["accel_per_second2"] = means["accel_unpadded"] * scale
            intervals["accel_per_second2"] = [value * scale for value in intervals["accel_unpadded"]]
        micro = score.method.seconds / frames * 1e6
        if score.method.key == "filter":
            own = {f"filter_{name}": value for name, value in means.items()} | {"filter_inference_time": micro}
            filters_found[score.method.label] = own
            if len(filters_found) == 1:
                published |= own
        elif score.method.key == "input" or score.method.key == "smoothnet" and "smoothnet_mpjpe" not in published:
            published |= {f"{score.method.key}_{name}": value for name, value in means.items()}
            if score.method.key == "smoothnet":
                published |= {
                    f"improvement_{name}": value - published[f"input_{name}"]
                    for name, value in means.items()
                    if f"input_{name}" in published
                }
                published["smoothnet_inference_time"] = micro
        names = joint_names(split)
        detail.append(
            {
                "method": score.method.label,
                "means": means,
                "microseconds_a_frame": micro,
                "interval_95": intervals,
                "per_joint_mpjpe": dict(zip(names, score.joints.tolist())),
                "per_joint_interval_95": dict(
                    zip(names, score.joint_intervals(np.random.default_rng(rng_seed)).tolist())
                ),
                "per_view_mpjpe": _per_view(split, score),
                "per_sequence": [
                    {"sequence": name, **{key: float(value.mean()) for key, value in values.items() if len(value)}}
                    for name, values in zip(score.names, score.per_sequence)
                ],
            }
        )
    checkpoint = next((score.method.checkpoint.path for score in scores if score.method.key == "smoothnet"), None)
    source = split.source
    return {
        "dataset": source.dataset,
        "estimator": source.estimator,
        "body_representation": source.representation,
        "checkpoint": checkpoint,
        "metrics": published,
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


def _per_view(split, score):
    """Mean MPJPE of the first view of each recording, of the second, ...; one number for single views."""
    places = [place for recording in split.recordings for place in range(len(recording.views))]
    pooled = {}
    for place, values in zip(places, score.per_sequence):
        pooled.setdefault(place, []).append(values["mpjpe"])
    return [float(np.concatenate(pooled[place]).mean()) for place in sorted(pooled)]


def joint_names(split):
    """The names of the joints that are scored."""
    return LAYOUTS["lsp14"].joints if split.representation.name == "smpl" else split.layout.joints


# ------------------------------------------------------------------------------------------- tables


def table(split, scores, body=None):
    """The table on screen: one row a method, the best value of each column marked. body: the body model's name."""
    columns = shown_columns(split.representation.unit, scores[0].means)
    higher = {name for name in columns if name.startswith("pck")}
    means = [score.means for score in scores]
    frames = max(scores[0].frames, 1)
    best = {name: (max if name in higher else min)(mean[name] for mean in means) for name in columns}
    lines = [["method", *columns.values(), "µs/frame"]]
    for score, mean in zip(scores, means):
        cells = [f"{mean[name]:.2f}{'*' if mean[name] == best[name] else ' '}" for name in columns]
        lines.append([score.method.label, *cells, f"{score.method.seconds / frames * 1e6:.1f}"])
    title = f"{split.source} test: {len(split.sequences)} sequences, {frames} frames (* best)"
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
