"""The toolkit against the plain way of doing the same, side by side in one run.

    python -m benchmarks                       # everything, about 4 minutes
    python -m benchmarks sliding training      # some
    python -m benchmarks --json numbers.json

Baseline and ours take turns; the numbers are the best of several rounds. Let nothing else run meanwhile: the load is printed.
"""

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.measuring import Row, header, line

ROOT = Path(__file__).resolve().parents[1]
HELP_BAR = 0.5  # seconds


def sliding():
    from benchmarks import sliding as measured

    return measured.rows()


def training():
    from benchmarks import training as measured

    return measured.rows()


def evaluation():
    from benchmarks import evaluation as measured

    return measured.rows()


def video():
    from benchmarks import video as measured

    return [
        Row(
            f"video {what}, {size[0]} x {size[1]}",
            "" if baseline is None else f"matplotlib {baseline:.2f} fps",
            f"{fps:.0f} fps",
            ratio,
            f">= {bar}",
            bool(met),
        )
        for what, size, baseline, fps, ratio, bar, met in measured.rows()
    ]


def views():
    from benchmarks import views as measured

    return measured.rows()


def help():
    """How long a script takes to say what its flags are."""
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        subprocess.run([sys.executable, ROOT / "train_smoothnet.py", "--help"], check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - begun)
    return [Row("train_smoothnet.py --help", "", f"{min(times):.2f} s", None, f"< {HELP_BAR} s", min(times) < HELP_BAR)]


def memory():
    from benchmarks import memory as measured

    return [
        Row(
            f"training on 1,000,000 frames, {what}",
            "",
            f"{gigabytes:.2f} GB",
            None,
            f"< {measured.BAR_GB:.0f} GB",
            gigabytes < measured.BAR_GB,
        )
        for what, gigabytes in measured.measure(1_000_000).items()
    ]


MEASUREMENTS = {function.__name__: function for function in (sliding, training, views, evaluation, video, help, memory)}


def main():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "names",
        nargs="*",
        choices=[*MEASUREMENTS, []],
        metavar="NAME",
        help=f"what to measure: {', '.join(MEASUREMENTS)}; default: all",
    )
    parser.add_argument("--json", metavar="PATH", help="also write the rows there")
    arguments = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    begun, found = time.perf_counter(), []
    print(header())
    for name in arguments.names or MEASUREMENTS:
        for row in MEASUREMENTS[name]():
            found.append(row)
            print(line(row), flush=True)
    print(f"{time.perf_counter() - begun:.0f} s; load {os.getloadavg()[0]:.1f}")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps([dataclasses.asdict(row) for row in found], indent=1))


if __name__ == "__main__":
    main()
