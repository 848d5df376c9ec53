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
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks import accuracy_errors
from benchmarks import accuracy_tuning as tuning
from benchmarks.accuracy_methods import SETS, filter_row, filter_rows, load, network_rows, say
from benchmarks.markdown import paragraph, replace_between, write_markdown
from lib import errors, messages, run
from lib.errors import UserError
from lib.evaluation.evaluator import score_split
from lib.evaluation.methods import AlignedMedian, InputMethod
from lib.evaluation.offset import OffsetMethod
from lib.poses import metrics

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
KNOWN = [str(part) for parts in SETS.values() for part in parts]
FEW = 5  # sequences: of fewer there is no interval


def measure(part, base, published):
    """One set scored: {"set", "title", "unit", "rows": [...], "tuning": {...}, ...}, which JSON takes as it
    is."""
    cfg, test, train, words = load(part, base)
    tuned = tuning.tune(train, cfg, say)
    methods = [InputMethod(), *filter_rows(cfg, tuned)]
    if part.real:
        methods += [OffsetMethod(filter_row("gaus1d", cfg, tuned["gaus1d"].parameters, "tuned"), cfg)]
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


def _cell(value, interval, best, coarse):
    """A mean and its interval in four digits or so, the column's best one bold."""
    shown = f"{value:.{1 if coarse else 2}f}"
    shown = f"**{shown}**" if value == best else shown
    if interval is None:
        return shown
    digits = 0 if coarse or interval[1] >= 100 else 1 if interval[1] >= 10 else 2
    return f"{shown} ({interval[0]:.{digits}f}–{interval[1]:.{digits}f})"


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
            write_markdown(args.markdown, name, texts, tables, KNOWN)
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
