"""What the benchmarks share: rows of the table, and fair timing."""

import time
from dataclasses import dataclass

WIDTHS = (54, 22, 22, 8, 10)  # of the table's columns, in letters


@dataclass
class Row:
    """One line of the table. baseline, ours: what was measured, with its unit; ratio: how many times better, or None; met:
    whether the bar was, or None where there is none."""

    what: str
    baseline: str
    ours: str
    ratio: float | None = None
    bar: str = ""
    met: bool | None = None


def interleaved(functions, rounds, warm=1):
    """Seconds of each function in every round: a list of `rounds` numbers a function.

    The functions take turns, so that what else the machine does falls on all of them; the first `warm` rounds do not count.
    """
    times = [[] for _ in functions]
    for number in range(warm + rounds):
        for function, own in zip(functions, times):
            begun = time.perf_counter()
            function()
            if number >= warm:
                own.append(time.perf_counter() - begun)
    return times


def best(times):
    """The least disturbed of several runs."""
    return min(times)


def header():
    """The first line of the table."""
    cells = ("what", "baseline", "ours", "ratio", "bar")
    return "".join(cell.ljust(width) for cell, width in zip(cells, WIDTHS)) + "met"


def line(row):
    """A `Row` as a line of the table."""
    ratio = "" if row.ratio is None else f"{row.ratio:.1f}x" if row.ratio < 10 else f"{row.ratio:.0f}x"
    met = {True: "yes", False: "NO", None: ""}[row.met]
    return (
        "".join(cell.ljust(width) for cell, width in zip((row.what, row.baseline, row.ours, ratio, row.bar), WIDTHS))
        + met
    )


def show(rows):
    """Print `Row`s as a table."""
    print("\n".join([header(), *map(line, rows)]), flush=True)
