"""The table: the input, every filter, the published networks and ours, on one set of clips.

    python -m benchmarks.accuracy                        # the sample that ships, needs nothing else
    python -m benchmarks.accuracy --set bn --base_dir DIR --markdown docs/accuracy.md
    python -m benchmarks.accuracy --set bn --base_dir DIR --errors   # where the error is, instead

Weights come from data/checkpoints; those that are not there are left out, said in one line. Scores are the
evaluator's (SPEC section 6), filters are tuned by benchmarks/accuracy_tuning.py. FILE of --markdown keeps its
text: only what stands between the lines <!-- accuracy:begin --> and <!-- accuracy:end --> (of --errors:
errors:begin, errors:end) is replaced.
"""

import argparse
import dataclasses
import json
import os
import re
import sys
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks import accuracy_tuning as tuning
from lib import errors, messages, run
from lib.command_line import Request
from lib.dataset import catalog, sequences
from lib.errors import UserError
from lib.evaluation.evaluator import score_split
from lib.evaluation.methods import AlignedMedian, EachViewAlone, FilterMethod, InputMethod, stacked
from lib.evaluation.networks import load_networks
from lib.evaluation.offset import OffsetMethod
from lib.filters import registry as filters
from lib.poses import metrics
from lib.windows.pipeline import refine

WEIGHTS = Path(__file__).resolve().parents[1] / "data" / "checkpoints"
PUBLISHED = "SynSP, published recipe, W 8"
BN = " (bn)"  # trained with Bandai-Namco's motion: not for commercial use
SMOOTHNET = tuple((f"SmoothNet, W {window}{BN}", f"smoothnet_w{window}_bn", "as it is") for window in (8, 16, 32, 64))
# Representation, or "views" -> (row, file in data/checkpoints, how it runs). The published recipe's file is
# --published.
NETWORKS = {
    "3D": (
        *SMOOTHNET,
        (PUBLISHED, None, "as it is"),
        ("SynSP, no frame of delay", "synsp_3D_w8_causal", "live"),
        ("SynSP", "synsp_3D_w8", "as it is"),
        ("SynSP for a Kinect", "synsp_3D_w8_kinect", "as it is"),
        (f"SynSP{BN}", "synsp_3D_w8_bn", "as it is"),
        (f"SynSP, W 32{BN}", "synsp_3D_w32_bn", "as it is"),
    ),
    "2D": (*SMOOTHNET, (f"SynSP{BN}", "synsp_2D_w8_bn", "as it is")),
    "smpl": (*SMOOTHNET, (f"SynSP{BN}", "synsp_smpl_w8_bn", "as it is")),
    "views": (
        *SMOOTHNET,
        (f"{PUBLISHED}, each view alone", None, "alone"),
        ("SynSP, each view alone", "synsp_3D_w8", "alone"),
        ("SynSP views", "synsp_mv_3D_w8", "as it is"),
        (f"SynSP views{BN}", "synsp_mv_3D_w8_bn", "as it is"),
    ),
}


@dataclass(frozen=True)
class Part:
    """One set of clips: what it is to a reader, where it lies, whether several cameras see each clip, and whether its
    detections are a real estimator's, whose joints lie elsewhere than the truth's."""

    title: str
    dataset: str
    estimator: str
    representation: str
    several: bool = False
    real: bool = False

    def __str__(self):
        return f"{self.dataset}_{self.estimator}_{self.representation}"

    @property
    def networks(self):
        return NETWORKS["views" if self.several else self.representation]


SETS = {
    "sample": (
        Part("A real sensor, 3D", "kinect", "sample", "3D", real=True),
        Part("3D", "mocap", "noise", "3D"),
        Part("Several views (four cameras), 3D", "mmocap", "noise", "3D", True),
    ),
    "people": (
        Part("A real sensor, 3D", "kinect", "real", "3D", real=True),
        Part("Many persons, 3D", "many", "noise", "3D"),
    ),
    "bn": (
        Part("3D", "bn", "sim", "3D"),
        Part("2D", "bn", "sim", "2D"),
        Part("SMPL", "bn", "sim", "smpl"),
        Part("Several views (four cameras), 3D", "mbn", "sim", "3D", True),
    ),
}
ABOUT = {
    "sample": """The clips are the samples' (data/README.md). Those of `kinect_sample_3D` are a real sensor's: persons s07
and s08, whom nothing was trained or tuned on. Those of `mocap_noise_3D` and `mmocap_noise_3D` are real motion with simulated
detections, 281 test frames of five clips, so that the intervals are wide; the free weights were trained on the other clips of
that body too, the bn ones never saw it. Filters were tuned on the training clips of
the same set.""",
    "people": """The clips are those of `kinect_real_3D`, a Kinect 2 beside optical motion capture, and of `many_noise_3D`, the
motion of nine persons with simulated detections. No person of these test clips is in any training set. Filters
were tuned on the training clips of the same set.""",
    "bn": """The clips are those of `bn_sim` and `mbn_sim`: real motion, simulated detections, one body. The
networks marked bn were trained and the filters tuned on the training clips; these are the test clips, which
neither saw. They show the same body, and mostly other takes of gestures that are also trained on. The other networks never
saw that body or those actors.""",
}
READING = """Positions in mm (2D: px), Accel in mm/frame² (px/frame²) as the papers' code counts it, with two
zeros a sequence. Top 1 %: MPJPE over the frames with the worst input. Amplitude: how much of the truth's
peak speed is left, in percent; beyond 100 it is jitter. In brackets the 95 % bootstrap interval of the mean,
sequences drawn with replacement (none where the frames are of fewer than five sequences). Time on the CPU,
{threads} (load {load:.1f} on {cores} cores when this began), without reading and scoring. The lowest of each
column is bold."""
RULE = """Tuned: of {tried} settings the one with the lowest MPJPE + Accel on {what}: the two errors that the
networks are trained on, at the same weights, 1 : 1."""
COLUMNS = {
    "mpjpe": "MPJPE",
    "pampjpe": "PA-MPJPE",
    "accel": "Accel",
    "mpjpe_top1": "top 1 %",
    "amplitude_kept": "amplitude %",
}
BATCH = 512  # windows through a network at once: SmoothNet on four views then takes 1 GB
FEW = 5  # sequences: of fewer there is no interval


class LiveMethod:
    """A network as a live stream without delay has it: every frame from the windows that end with it."""

    role = "other"

    def __init__(self, network_method):
        self.method, self.label, self.seconds = network_method, network_method.label, 0.0

    def __call__(self, split):
        recipe = self.method.recipe.streamed(0)
        align = recipe.align if split.representation.name == "3D" else "none"
        results = refine(self.method.network, stacked(split), recipe.but(align=align, root=tuple(split.layout.root)))
        for recording in split.recordings:
            begun = time.perf_counter()
            refined = next(results)
            self.seconds += time.perf_counter() - begun
            yield [
                split.representation.from_network(values, view.frame)
                for values, view in zip(refined.final, recording.views)
            ]


# -------------------------------------------------------------------------------------------- methods


def say(line):
    print(line, file=sys.stderr, flush=True)


def command_line(part, base):
    """The words by which the evaluator is asked for a set."""
    return [
        "--dataset_name",
        part.dataset,
        "--estimator",
        part.estimator,
        "--body_representation",
        part.representation,
        "DEVICE",
        "cpu",
        "DATASET.BASE_DIR",
        str(base),
        "DATASET.MULTI_VIEW",
        str(part.several),
        "DATASET.FPS",
        "30",
        "EVALUATE.BATCH_SIZE",
        str(BATCH),
    ]


def network_rows(part, base, published):
    """The networks of a set as methods. published: path of a checkpoint, or None."""
    found = []
    for label, name, how in part.networks:
        path = published if name is None else WEIGHTS / f"{name}.pth.tar"
        if path is None:
            say(f"{part}: {label} left out, --published not given")
        elif name is not None and not path.is_file():
            say(f"{part}: {label} left out, no {path.name} in data/checkpoints")
        else:
            request = Request("eval", ["--checkpoint", str(path), *command_line(part, base)])
            _, (method,) = load_networks(request, torch.device("cpu"))
            method = {"as it is": lambda one: one, "alone": EachViewAlone, "live": LiveMethod}[how](method)
            method.label = label
            found.append(method)
    return found


def filter_rows(cfg, tuned):
    """Every filter at its default, then every filter as it was tuned, then those that tune themselves."""
    rows = [
        _filter(name, cfg, {key: tuning.section(cfg, name)[key] for key in grid}, "default")
        for name, grid in tuning.GRIDS.items()
    ]
    rows += [_filter(name, cfg, found.parameters, "tuned") for name, found in tuned.items()]
    return rows + [FilterMethod(name, cfg) for name in filters.TUNED]


def _filter(name, cfg, parameters, kind):
    method = FilterMethod(name, tuning.with_parameters(cfg, name, parameters))
    method.label = f"{name}, {kind} ({tuning.described(parameters)})"
    return method


def load(part, base):
    """(config, test split, part of the training split that filters are tuned on, what that is in words)."""
    cfg = Request("eval", command_line(part, base)).config()
    (source,) = catalog.sources(cfg)
    test, train = (sequences.load(source, name, cfg) for name in ("test", "train"))
    train, words = tuning.training_part(train, cfg)
    return cfg, test, train, words


# ---------------------------------------------------------------------------------------------- table


def measure(part, base, published):
    """One set scored: {"set", "title", "unit", "rows": [...], "tuning": {...}, ...}, which JSON takes as it
    is."""
    cfg, test, train, words = load(part, base)
    tuned = tuning.tune(train, cfg, say)
    methods = [InputMethod(), *filter_rows(cfg, tuned)]
    if part.real:
        methods += [OffsetMethod(_filter("gaus1d", cfg, tuned["gaus1d"].parameters, "tuned"), cfg)]
    if part.several:
        methods += [AlignedMedian("frame"), AlignedMedian("sequence")]
    methods += network_rows(part, base, published)
    say(f"{part} test: scoring {len(methods)} methods")
    result, scores = score_split(test, methods, cfg)
    worst = metrics.worst_frames(torch.from_numpy(scores[0].pooled("mpjpe"))).numpy()
    rows = []
    for score, found in zip(scores, result["methods"]):
        intervals = found["interval_95"] | {"mpjpe_top1": _interval_of(score, worst, cfg)}
        rows.append(
            {
                "method": found["method"],
                "licence": _licence(score.method),
                "means": found["means"],
                "interval_95": intervals,
                "microseconds_a_frame": found["microseconds_a_frame"],
            }
        )
    return {
        "set": str(part),
        "title": part.title,
        "unit": result["unit"],
        "frames": result["frames"],
        "sequences": result["sequences"],
        "body": result["body"],
        "tuned_on": words,
        "rows": rows,
        "tuning": {name: dataclasses.asdict(found) for name, found in tuned.items()},
    }


def _licence(method):
    """What a method's weights may be used for, in a word or two; "" for what has none."""
    checkpoint = getattr(getattr(method, "method", method), "checkpoint", None)
    told = "" if checkpoint is None else checkpoint.provenance.get("licence", "")
    return "non-commercial" if "non-commercial" in told else "free" if told else ""


def _interval_of(score, worst, cfg):
    """The interval of the MPJPE over the frames `worst` (indices into the pooled ones), drawn as the
    evaluator's others; None where too few sequences have such frames to draw from."""
    lengths = [len(values["mpjpe"]) for values in score.per_sequence]
    chosen = np.zeros(sum(lengths), bool)
    chosen[worst] = True
    for values, mask in zip(score.per_sequence, np.split(chosen, np.cumsum(lengths)[:-1])):
        values["mpjpe_top1"] = values["mpjpe"][mask]
    if sum(len(values["mpjpe_top1"]) > 0 for values in score.per_sequence) < FEW:
        return None
    return score.intervals(np.random.default_rng([cfg.SEED_VALUE, len(lengths)]))["mpjpe_top1"]


def markdown(part):
    """The table of one set, as `measure` returns it."""
    stand_in = part["body"] == "mannequin"
    body = ", on the stand-in mannequin: not to be compared with SMPL numbers" if stand_in else ""
    size = f"{part['sequences']} sequences, {part['frames']} frames{body}. "
    tried = " / ".join(str(found["tried"]) for found in part["tuning"].values())
    lines = [
        f"### {part['title']}: `{part['set']}` test",
        "",
        paragraph(size + RULE.format(tried=tried, what=part["tuned_on"])),
        "",
        "| method | " + " | ".join(COLUMNS.values()) + " | µs/frame | weights |",
        "| --- |" + " ---: |" * (len(COLUMNS) + 1) + " --- |",
    ]
    best = {name: min(row["means"][name] for row in part["rows"]) for name in COLUMNS if name != "amplitude_kept"}
    for row in part["rows"]:
        cells = [
            _cell(row["means"][name], row["interval_95"][name], best.get(name), name == "amplitude_kept")
            for name in COLUMNS
        ]
        micro = row["microseconds_a_frame"]
        lines.append(
            f"| {row['method']} | {' | '.join(cells)} | {micro:.{0 if micro >= 10 else 1}f} | {row['licence']} |"
        )
    return "\n".join(lines)


def paragraph(text):
    return textwrap.fill(" ".join(text.split()), 110, break_on_hyphens=False)


def _cell(value, interval, best, coarse):
    """A mean and its interval in four digits or so, the column's best one bold."""
    shown = f"{value:.{1 if coarse else 2}f}"
    shown = f"**{shown}**" if value == best else shown
    if interval is None:
        return shown
    digits = 0 if coarse or interval[1] >= 100 else 1 if interval[1] >= 10 else 2
    return f"{shown} ({interval[0]:.{digits}f}–{interval[1]:.{digits}f})"


def replace_between(text, name, block, path):
    """`text` with what stands between its lines <!-- name:begin --> and <!-- name:end --> replaced by
    `block`."""
    begin, end = (f"<!-- {name}:{side} -->" for side in ("begin", "end"))
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise UserError(
            f"--markdown {path}: needs the lines {begin} and {end}, once each and in this order, "
            "between which the table goes. Add them, or name a new file"
        )
    before, _, rest = text.partition(begin)
    return f"{before}{begin}\n\n{block}\n\n{end}{rest.partition(end)[2]}"


def write_markdown(path, name, texts, tables):
    """Put the tables ({set: markdown}) below the texts into their place in a file, or into a new file.

    Tables of other sets that stand there stay, so that a set can be measured anew by itself.
    """
    path = Path(path)
    empty = f"<!-- {name}:begin -->\n<!-- {name}:end -->\n"
    text = path.read_text(encoding="utf-8") if path.exists() else empty
    there = text.partition(f"<!-- {name}:begin -->")[2].partition(f"<!-- {name}:end -->")[0]
    sections = {
        found[1]: "### " + section.strip()
        for section in there.split("\n### ")[1:]
        if (found := re.match(r".*`(\w+)` test", section))
    }
    known = [str(part) for parts in SETS.values() for part in parts]
    order = dict.fromkeys([*known, *sections])  # of a set that has gone, the table comes last
    sections = {key: table for key in order if (table := tables.get(key, sections.get(key)))}
    run.write_text(path, replace_between(text, name, "\n\n".join([*texts, *sections.values()]), path))


def main():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.accuracy", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--set", choices=SETS, default="sample", help="which clips; default: the sample that ships")
    parser.add_argument("--only", metavar="NAME,...", help="of the set, these alone: bn_sim_3D,mbn_sim_3D")
    parser.add_argument(
        "--base_dir",
        default="data/poses",
        metavar="DIR",
        help="where bn_sim_3D and the others lie; default: data/poses",
    )
    parser.add_argument("--published", metavar="PATH", help="a checkpoint of the published recipe, for its row")
    parser.add_argument("--markdown", metavar="FILE", help="also write the tables there")
    parser.add_argument("--json", metavar="FILE", help="also write all numbers there")
    parser.add_argument(
        "--errors", action="store_true", help="where the error is: by joint, frequency and burst, instead of the table"
    )
    parser.add_argument("--threads", type=int, default=1, help="of the CPU; default: 1")
    args = parser.parse_args()
    if args.threads < 1:
        raise UserError(f"--threads {args.threads}: at least 1")
    torch.set_num_threads(args.threads)
    messages.start()
    name, begun = "errors" if args.errors else "accuracy", time.perf_counter()
    if args.markdown and Path(args.markdown).exists():  # refused before minutes of work
        replace_between(Path(args.markdown).read_text(encoding="utf-8"), name, "", args.markdown)
    if args.errors:
        from benchmarks import accuracy_errors

        measured, shown, texts = accuracy_errors.measure, accuracy_errors.markdown, [accuracy_errors.READING]
    else:
        threads = "one thread" if args.threads == 1 else f"{args.threads} threads"
        reading = READING.format(threads=threads, load=os.getloadavg()[0], cores=os.cpu_count())
        measured, shown, texts = measure, markdown, [ABOUT[args.set], reading]
    texts = [paragraph(text) for text in texts]
    print("\n\n".join(texts))
    results, tables = [], {}
    for part in chosen_parts(args):
        results.append(measured(part, args.base_dir, args.published))
        tables[str(part)] = shown(results[-1])
        print(f"\n{tables[str(part)]}", flush=True)
        if args.markdown:  # after each set, lest an hour's work hang on the last one
            write_markdown(args.markdown, name, texts, tables)
    if args.json:
        run.write_text(args.json, json.dumps(results, indent=1, allow_nan=False))
    say(f"{time.perf_counter() - begun:.0f} s")


def chosen_parts(args):
    parts = SETS[args.set]
    if not args.only:
        return parts
    asked, known = args.only.split(","), [str(part) for part in parts]
    for name in asked:
        if name not in known:
            raise UserError(f"--only {name}: not in --set {args.set}, which has {', '.join(known)}")
    return [part for part in parts if str(part) in asked]


if __name__ == "__main__":
    errors.run(main)
