"""A real estimator on rendered people, at 30 frames a second: the input, repair, every filter, constant offsets, and weights.

    python -m benchmarks.pairs --data ../shared/data                                     # MediaPipe on Anny's bodies
    python -m benchmarks.pairs --data ../shared/data --weights mine.pth.tar,synsp_3D_w8  # files, or names in data/checkpoints
    python -m benchmarks.pairs --data data --set my_vibe                                 # pairs of `synsp pairs collect`

--data is the folder that holds poses/<set>_3D and <set>_{train,test}.json, the lists that say each clip's frame rate and
licence. Truth and detections are resampled to 30 frames a second before repair and filtering: the weights know no other rate, and
Accel counts frames. Clips of each licence are scored apart. Filters run after repair with their default parameters;
`offset + filter` moves each joint by the mean error of the training clips, resampled and repaired likewise.
"""

import argparse
import dataclasses
import json
from pathlib import Path

import numpy as np
import torch

from benchmarks.accuracy_methods import WEIGHTS
from benchmarks.markdown import paragraph, write_markdown
from lib import errors, messages, run
from lib.command_line import Request
from lib.dataset import catalog, sequences
from lib.dataset.groups import CAMERA
from lib.dataset.sequences import Recording
from lib.errors import UserError
from lib.evaluation.evaluator import score_split
from lib.evaluation.methods import FilterMethod, InputMethod, repaired
from lib.evaluation.networks import load_networks
from lib.evaluation.offset import OffsetMethod
from lib.filters import registry as filters
from lib.tracks import clock
from lib.weights import named

RATE = filters.RATE
COLUMNS = {"mpjpe": "MPJPE", "pampjpe": "PA-MPJPE", "accel": "Accel"}
READING = """MPJPE and PA-MPJPE in mm (2D: px), Accel in mm/frame² (px/frame²), means over the frames of the test clips at 30 frames
a second. In brackets: times what repair and the best filter leave, where best is the lowest MPJPE + Accel."""


def clips_of(data, name, split):
    """{clip: row} of the list of a set's clips."""
    places = [Path(data, folder, f"{name}_{split}.json") for folder in ("", "poses")]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise UserError(f"{places[0]}: not found. It says each clip's fps and licence; `synsp pairs collect` writes it")
    return {row["clip"]: row for row in json.loads(path.read_text(encoding="utf-8"))}


def row_of(name, clips, split):
    """The row of a sequence of a split. Raises UserError where `clips` lacks it."""
    clip = CAMERA.sub("", name.split("/")[0])
    if clip not in clips:
        raise UserError(f"{split.source} {split.split}: {clip} is not in the list of clips")
    return clips[clip]


def at_rate(split, clips, rate=RATE):
    """The split with truth and detections of every clip resampled to `rate` frames a second, along straight lines.

    clips: {clip: row with "fps"}. Raises UserError for a sequence that `clips` lacks.
    """

    def resampled(view):
        times = np.arange(view.length) / row_of(view.name, clips, split)["fps"]
        grid = np.arange(int(times[-1] * rate + 1e-6) + 1) / rate
        if len(grid) < 2:
            raise UserError(f"{split.source} {split.split}: {view.name} has {view.length} frames, too few to resample")
        values = (clock.onto(times, each.astype(np.float64), grid) for each in (view.detected, view.truth))
        detected, truth = (each.astype(np.float32) for each in values)
        return dataclasses.replace(view, detected=detected, truth=truth, images=[], known=None, present=None)

    recordings = [Recording(each.name, [resampled(view) for view in each.views]) for each in split.recordings]
    return dataclasses.replace(split, recordings=recordings)


def command_line(name, representation, base):
    dataset, _, estimator = name.rpartition("_")
    words = ("--dataset_name", dataset, "--estimator", estimator, "--body_representation", representation)
    return [
        *words,
        "DEVICE",
        "cpu",
        "DATASET.BASE_DIR",
        str(base),
        "DATASET.FPS",
        f"{RATE:g}",
        "EVALUATE.REPAIR",
        "True",
    ]


def load(name, representation, data):
    """(config, test split, training split), both at `RATE`."""
    cfg = Request("eval", command_line(name, representation, Path(data, "poses"))).config()
    (source,) = catalog.sources(cfg)
    found = [at_rate(sequences.load(source, split, cfg), clips_of(data, name, split)) for split in ("test", "train")]
    return cfg, *found


def parts_of(split, clips):
    """{licence: the split with its clips alone}."""
    by_licence = {}
    for recording in split.recordings:
        licence = row_of(recording.name, clips, split).get("licence", "licence unknown")
        by_licence.setdefault(licence, []).append(recording)
    return {licence: dataclasses.replace(split, recordings=each) for licence, each in sorted(by_licence.items())}


def filter_methods(split, train, cfg):
    """What repair leaves, every filter, and in space every filter after the offsets of the training split."""
    methods = [InputMethod("other", "after repair"), *(FilterMethod(name, cfg) for name in filters.FILTERS)]
    if not split.representation.kind.in_space:
        return methods
    mended = repaired(train, RATE)
    for name in filters.FILTERS:
        method = OffsetMethod(FilterMethod(name, cfg), cfg)
        method.offsets[split.source] = method.fit(mended)
        methods.append(method)
    return methods


def network_methods(paths, line):
    """The methods of weights: checkpoints, or names in data/checkpoints."""
    methods = []
    for path in paths:
        file = named(path, WEIGHTS)
        request = Request("eval", ["--checkpoint", str(file), *line])
        _, (method,) = load_networks(request, torch.device("cpu"))
        method.label = Path(path).name.removesuffix(".pth.tar")
        methods.append(method)
    return methods


def measure(name, representation, data, weights=()):
    """The scores of every method on the test clips of each licence: {licence: {"clips", "frames", "rows": {method: means}}}."""
    cfg, test, train = load(name, representation, data)
    methods = [InputMethod(), *filter_methods(test, train, cfg)]
    methods += network_methods(weights, command_line(name, representation, Path(data, "poses")))
    found = {}
    for licence, part in parts_of(test, clips_of(data, name, "test")).items():
        result, scores = score_split(part, methods, cfg)
        rows = {score.method.label: {key: score.means[key] for key in COLUMNS} for score in scores}
        found[licence] = {"clips": len(part.sequences), "frames": result["frames"], "rows": rows}
    return found


def best_filter(rows):
    """The name of the filter of `rows` that leaves the least MPJPE + Accel after repair."""
    return min(filters.FILTERS, key=lambda name: rows[name]["mpjpe"] + rows[name]["accel"])


def markdown(name, found):
    """The table of one set, as `measure` returns it."""
    lines = [f"### A real estimator: `{name}` test", ""]
    for licence, part in found.items():
        rows, best = part["rows"], part["rows"][best_filter(part["rows"])]
        lines += [
            f"{licence}: {part['clips']} clips, {part['frames']} frames at 30 a second; best filter: "
            f"{best_filter(rows)}.",
            "",
            "| method | " + " | ".join(COLUMNS.values()) + " |",
            "| --- |" + " ---: |" * len(COLUMNS),
        ]
        for label, means in rows.items():
            cells = (f"{means[key]:.2f} ({means[key] / best[key]:.2f}x)" for key in COLUMNS)
            lines.append(f"| {label} | " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines).strip()


def main():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.pairs", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", default="data", metavar="DIR", help="holds poses/ and the lists of clips; default: data"
    )
    parser.add_argument("--set", default="anny_mediapipe", metavar="NAME", help="<dataset>_<estimator>")
    parser.add_argument("--representation", default="3D", choices=catalog.REPRESENTATIONS[:2])
    parser.add_argument(
        "--weights", default="synsp_3D_w8", metavar="FILE,...", help="checkpoints, or names in data/checkpoints"
    )
    parser.add_argument("--markdown", metavar="FILE", help="also write the table there")
    parser.add_argument("--json", metavar="FILE", help="also write the numbers there")
    args = parser.parse_args()
    torch.set_num_threads(1)
    messages.start()
    weights = [path for path in args.weights.split(",") if path]
    name = f"{args.set}_{args.representation}"
    found = measure(args.set, args.representation, args.data, weights)
    table = markdown(name, found)
    print(f"{paragraph(READING)}\n\n{table}", flush=True)
    if args.markdown:
        write_markdown(args.markdown, "pairs", [paragraph(READING)], {name: table})
    if args.json:
        run.write_text(args.json, json.dumps(found, indent=1, allow_nan=False))


if __name__ == "__main__":
    errors.run(main)
