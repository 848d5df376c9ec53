"""The page of an evaluation: its table, and the sequences with the largest and smallest error, to be played."""

import numpy as np

from ..evaluation.evaluator import TIME, shown_columns
from ..messages import counted, logger
from ..poses.skeletons import LAYOUTS
from . import page
from .drawn import drawn_of, page_sequence, provenance_of, view_names

log = logger(__name__)

WORST, BEST = 3, 2  # sequences of each dataset in a page, besides one of middling error
# A page takes about one byte per number: this many joints x frames x tracks make a few megabytes.
MOST_JOINTS = 10_000 * 17 * 4
MOST_FRAMES = 1500  # of one sequence


def write_report(folder, splits, scored, results, cfg):
    """Write folder/report.html and return its path.

    splits: the `sequences.Split`s of an evaluation; scored: for each its [Scores] (lib/evaluation/scores.py);
    results: what metrics.json holds. Shown are the recordings that the last network (the first filter without
    one) leaves with the largest and with the smallest error and one between, each cut to MOST_FRAMES, until
    MOST_JOINTS are used up.
    """
    shown, rows, chosen, room = [], [], {}, MOST_JOINTS
    for split, scores, result in zip(splits, scored, results):
        name = f"{split.source} " if len(splits) > 1 else ""
        body = scores[0].judge.body
        layout = LAYOUTS["lsp14"] if body is not None else split.layout
        kept = [score for score in scores if score.method.role in ("input", "filter", "refined")]
        lead = _lead(kept)
        rows += _rows(f"{name}all {len(split.sequences)} test sequences", kept, split)
        said = []
        for number, why in _choice(split, lead):
            recording = split.recordings[number]
            frames = _stretch(_errors(split, lead, number), recording.views[0].length, why)
            cost = (frames.stop - frames.start) * layout.size * (len(kept) + 1) * len(recording.views)
            if shown and cost > room:
                continue
            room -= cost
            length = recording.views[0].length
            whole = frames.stop - frames.start == length
            cut = "" if whole else f", frames {frames.start} to {frames.stop - 1} of {length}"
            drawn = drawn_of(split, recording, [score.method for score in kept], body, frames)
            views = dict(zip(view_names(recording), drawn))
            shown.append(page_sequence(f"{why}: {name}{recording.name}{cut}", views, cfg, layout))
            for index, view in zip(_places(split, number), recording.views):
                rows += _rows(f"{name}{view.name}", kept, split, index)
            said.append(f"{why}: {recording.name}{cut}")
        chosen[f"shown of {split.source}"] = "\n".join(
            [f"by the MPJPE of {lead.method.label}, of {counted(len(split.recordings), 'recording')}:", *said]
        )
        if result["body"]:
            chosen[f"body of {split.source}"] = result["body"]
        log.info("report: %s by the MPJPE of %s: %s", split.source, lead.method.label, ", ".join(said))
    methods = [score.method for score in scored[0]]
    path = folder / "report.html"
    return page.write_page(
        path,
        shown,
        shown[0].layout,
        chosen | provenance_of(methods, cfg),
        rows,
        f"Evaluation of {', '.join(str(split.source) for split in splits)}",
    )


def _lead(scores):
    """The scores by which sequences are chosen."""
    by_key = {score.method.role: score for score in reversed(scores)}
    networks = [score for score in scores if score.method.role == "refined"]
    return networks[-1] if networks else by_key.get("filter", by_key["input"])


def _errors(split, score, number):
    """MPJPE of one recording: [T], or [1], the mean of its frames, where some do not count."""
    values = [score.per_sequence[index]["mpjpe"] for index in _places(split, number)]
    if all(len(value) == split.recordings[number].views[0].length for value in values):
        return np.mean(values, 0)
    return np.array([np.concatenate(values).mean()]) if any(map(len, values)) else np.array([np.nan])


def _places(split, number):
    """The places of a recording's views among all sequences of the split."""
    first = sum(len(recording.views) for recording in split.recordings[:number])
    return range(first, first + len(split.recordings[number].views))


def _choice(split, lead):
    """[(recording's number, 'worst' | 'best' | 'middling')], the most telling first."""
    means = np.array([_errors(split, lead, number).mean() for number in range(len(split.recordings))])
    order = [int(number) for number in np.argsort(-means) if np.isfinite(means[number])] or [0]
    groups = [
        ("worst", order[:1]),
        ("best", order[-1:]),
        ("middling", [order[len(order) // 2]]),
        ("worst", order[1:WORST]),
        ("best", order[::-1][1:BEST]),
    ]
    found = {}
    for why, numbers in groups:
        for number in numbers:
            found.setdefault(number, why)
    return list(found.items())


def _stretch(errors, length, why):
    """The MOST_FRAMES frames in a row with the largest error (of a 'best' recording, the smallest)."""
    if length <= MOST_FRAMES or len(errors) < length:
        return slice(0, min(length, MOST_FRAMES))
    sums = np.concatenate([[0], np.cumsum(errors)])
    totals = sums[MOST_FRAMES:] - sums[:-MOST_FRAMES]
    start = int(totals.argmin() if why == "best" else totals.argmax())
    return slice(start, start + MOST_FRAMES)


def _rows(name, scores, split, index=None):
    """Rows of the page's table, with the terminal's columns: one per method, means over the split or over the sequence at `index`."""
    for score in scores:
        means = score.means
        if index is not None:
            means = {key: float(value.mean()) for key, value in score.per_sequence[index].items() if len(value)}
        titles = shown_columns(split.representation.unit, means)
        yield {
            "sequence": name,
            "method": score.method.label,
            **{title: f"{means[key]:.2f}" for key, title in titles.items()},
            **({TIME: f"{score.method.seconds / max(score.frames, 1) * 1e6:.1f}"} if index is None else {}),
        }
