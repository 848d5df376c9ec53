"""The rows of benchmarks.harm, the bars that `auto` is held to, and the table."""

import math
from dataclasses import dataclass, field

from lib.filters import registry

LAG = 3  # frames, live
# Up to jitter of 5 mm an axis motion must be kept to 5 %: of joints that is this MPJPE of the input about the root (the mean length of a
# difference of two vectors of such jitter), of key points 2 px an axis.
LIKE_5_MM, FEW_PX = 5 * 4 / math.sqrt(math.pi), 2.0


@dataclass
class Row:
    """One line of the table. what: jitter, simulated or real; size: of the jitter; scores: {method: (MPJPE, Accel, amplitude)};
    worst: the largest ratio of `auto` to its input on one clip; live: {method: MPJPE at `LAG`}."""

    name: str
    kind: str
    what: str
    size: float = 0.0
    scores: dict = field(default_factory=dict)
    worst: float = 0.0
    live: dict = field(default_factory=dict)
    seconds: float = 0.0


def best(row, names):
    """(name, scores) of the lowest MPJPE among methods."""
    name = min((name for name in names if name in row.scores), key=lambda name: row.scores[name][0])
    return name, row.scores[name]


def bars(row):
    """[(what is asked, what was reached, the limit, whether it is met)] of a row."""
    mine, before = row.scores["auto"], row.scores["input"]
    asked = [("not above its input", mine[0], before[0], mine[0] <= before[0])]

    def at_most(what, reached, limit):
        asked.append((what, reached, limit, reached <= limit))

    name, top = best(row, registry.FILTERS)
    if row.what == "jitter":
        name, tuned = best(row, registry.TUNED)
        at_most(f"as the best filter that tunes itself ({name})", mine[0], (1.25 if row.size <= 1 else 1.08) * tuned[0])
        at_most("no clip worse than its input", row.worst, 1.02)
        if row.size <= FEW_PX if row.kind == "2D" else before[0] <= LIKE_5_MM:
            # Jitter that is left counts as motion too: what the best filter leaves may be left.
            low, high = min(0.95, tuned[2]), max(1.05, tuned[2])
            broken = high if mine[2] > high else low  # the limit on the side where it lies
            asked.append(("motion kept", mine[2], broken, low - 1e-9 <= mine[2] <= high + 1e-9))
        else:
            asked.append(("motion kept", mine[2], min(tuned[2], 1.05) - 0.03, mine[2] >= min(tuned[2], 1.05) - 0.03))
    elif row.what == "simulated":
        at_most(f"as the best filter ({name})", mine[0], top[0])
        free = [each for each in row.scores if each == "smoothnet" or each.startswith("synsp")]
        free = [each for each in free if not each.endswith(("_bn", "_kinect", "_causal"))]
        name, network = best(row, free) if row.kind == "3D" else (None, None)
        if name:
            at_most(f"as the best network ({name})", mine[0], 1.05 * network[0])
    else:
        at_most(f"as the best filter ({name})", mine[0], 1.01 * top[0])
        at_most(f"Accel as that of {name}", mine[1], 1.15 * top[1])
    name = min(registry.TUNED, key=row.live.get)
    at_most(f"live, lag {LAG}: as the best filter that tunes itself ({name})", row.live["auto"], 1.2 * row.live[name])
    return asked


def table(found):
    """The table in Markdown: what each row's input, best filter, network and `auto` come to."""
    lines = [
        f"| errors | input | best fixed filter | best self-tuned | synsp | `auto` | amplitude | worst clip | live, lag {LAG}: best tuned, synsp, `auto` |",
        "| --- | ---: | --- | --- | ---: | ---: | ---: | ---: | --- |",
    ]
    fixed = [name for name in registry.FILTERS if name not in registry.TUNED]
    for row in found:
        cells = [f"{row.scores['input'][0]:.2f} / {row.scores['input'][1]:.2f}"]
        for names in (fixed, registry.TUNED):
            name, top = best(row, names)
            cells.append(f"{top[0]:.2f} / {top[1]:.2f} {name}")
        for name in ("synsp", "auto"):
            cells.append(f"{row.scores[name][0]:.2f} / {row.scores[name][1]:.2f}" if name in row.scores else "")
        name = min(registry.TUNED, key=row.live.get)
        late = [
            f"{row.live[name]:.2f} {name}",
            *(f"{row.live[each]:.2f}" for each in ("synsp", "auto") if each in row.live),
        ]
        cells += [f"{row.scores['auto'][2]:.1%}", f"{row.worst:.2f}", ", ".join(late)]
        lines.append(f"| {row.name} | {' | '.join(cells)} |")
    return "\n".join(lines)
