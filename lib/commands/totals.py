"""Counts and means over many recordings. They do not depend on the order in which recordings are finished."""

import json
import math
import time
from collections import Counter
from fractions import Fraction

from ..messages import counted

KEYS = ("method", "kind", "unit")  # what tells rows of scores apart
MEANS = ("jitter", "amplitude kept", "displacement")


class Totals:
    """What a run says at its end. Its size does not grow with the number of recordings, but with that of failures."""

    def __init__(self, settings, left_out):
        self.settings, self.left_out = settings, left_out
        self.done = self.skipped = self.frames = self.new_frames = 0
        self.counts, self.failures, self.licences, self._rows = Counter(), [], set(), {}
        self._begun = time.monotonic()

    @property
    def failed(self):
        return len(self.failures)

    def add(self, record, new):
        """A finished recording by its record (lib/commands/done.py); new: whether this run refined it."""
        self.done += 1
        self.skipped += not new
        self.frames += record["frames"]
        self.new_frames += record["frames"] if new else 0
        for name, count in record["counts"].items():
            self.counts[name] = max(self.counts[name], count) if name == "longest gap" else self.counts[name] + count
        self.licences.update(record["weights used"])
        for row in record["scores"]:
            total = self._rows.setdefault(tuple(row[key] for key in KEYS), {"largest": 0.0})
            total["largest"] = max(total["largest"], row["largest"] or 0.0)
            for name in MEANS:
                if row[name] is not None:
                    number, total_so_far = total.get(name, (0, Fraction(0)))
                    total[name] = number + 1, total_so_far + Fraction(row[name])  # exact, hence in any order

    def fail(self, source, reason):
        self.failures.append({"file": source, "reason": reason})

    def rate(self):
        """Frames per second of this run so far."""
        return self.new_frames / max(time.monotonic() - self._begun, 1e-9)

    def means(self):
        """Rows as `comparison.rows_of` has them: each recording counts once, and `largest` is that of all."""
        rows = []
        for key, total in sorted(self._rows.items(), key=lambda item: (item[0][1:], item[0][0] != "input", item[0])):
            means = {name: float(total[name][1] / total[name][0]) if name in total else math.nan for name in MEANS}
            rows.append({**dict(zip(KEYS, key)), **means, "largest": total["largest"]})
        return rows

    def text(self):
        """The run as JSON. What differs when a run is repeated stands under "time"."""
        seconds = time.monotonic() - self._begun
        methods = {
            name.removeprefix("refined by "): count
            for name, count in sorted(self.counts.items())
            if name.startswith("refined by ")
        }
        tree = {
            "recordings": self.done + self.failed,
            "done": self.done,
            "failed": self.failed,
            "left out": dict(sorted(self.left_out.items())),
            "frames": self.frames,
            "counts": {name: count for name, count in self.counts.items() if not name.startswith("refined by ")},
            "methods": methods,
            "mean scores": [
                {key: None if value != value else value for key, value in row.items()} for row in self.means()
            ],
            "weights used": sorted(self.licences),
            "settings": self.settings,
            "time": {
                "refined": self.done - self.skipped,
                "done before": self.skipped,
                "seconds": round(seconds, 3),
                "frames per second": round(self.rate(), 1),
            },
        }
        return json.dumps(tree, indent=1, allow_nan=False) + "\n"

    def failures_text(self):
        """One JSON object per failure and line, sorted by file."""
        return "".join(json.dumps(failure) + "\n" for failure in sorted(self.failures, key=lambda one: one["file"]))

    def sentence(self):
        """The run in one line."""
        return (
            f"{counted(self.done + self.failed, 'recording')}: {self.done - self.skipped} refined, {self.skipped} done before, "
            f"{self.failed} failed; {counted(self.new_frames, 'frame')} in {time.monotonic() - self._begun:.1f} s, "
            f"{self.rate():.0f} frames per second"
        )
