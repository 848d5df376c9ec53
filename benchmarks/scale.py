"""Many files: two processes against one, one command against one process per file, memory, and runs killed at random moments.

    python -m benchmarks.scale                       # 2,000 files, 20 kills, 10,000 files for memory: over an hour on two idle cores
    python -m benchmarks.scale --files 50 --kills 3 --alone 2 --many 50

Clips of 49 frames of 17 joints are written into a temporary folder and refined there by `synsp refine FOLDER --recursive`.
The ratio of two processes to one counts from the first result on; that to one process per file counts everything, and the
seconds of the latter are those of a few files times the number of files.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.measuring import Row, show

ROOT = Path(__file__).resolve().parents[1]
FRAMES, JOINTS = 49, 17
SLOPE_BAR = 1000  # bytes per file
LONGEST = 3600  # seconds after which a run counts as stuck


def write_clips(folder, count, rng):
    """`count` walks of a body of random proportions, with 1 cm of noise, in folders of 100."""
    for number in range(count):
        place = folder / f"{number // 100:04d}"
        place.mkdir(parents=True, exist_ok=True)
        rest = rng.uniform(-0.9, 0.9, (1, JOINTS, 3))
        swing = 0.1 * np.sin(np.arange(FRAMES)[:, None, None] / 5 + rng.uniform(0, 6, (1, JOINTS, 3)))
        np.save(place / f"{number:06d}.npy", (rest + swing + rng.normal(0, 0.01, swing.shape)).astype(np.float32))


def command(source, output, jobs, method):
    words = ["refine", source, "--recursive", "--output", output, "--fps", "30", "--jobs", jobs, "--method", method]
    return [sys.executable, "-m", "lib", *map(str, words)]


def start(words):
    return subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def finished(output):
    """How many results are there."""
    return sum(
        len([name for name in names if name.endswith(".npy") and name[0] != "."]) for _, _, names in os.walk(output)
    )


def resident(process):
    """Bytes of memory that a process holds; 0 when it has ended."""
    try:
        with open(f"/proc/{process}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def watched(words, output, count):
    """One run to its end: (seconds in all, seconds from the first result to the last, [(results, bytes of memory)])."""
    begun, first, last, samples = time.perf_counter(), None, None, []
    run = start(words)
    while run.poll() is None and time.perf_counter() - begun < LONGEST:
        done, now = finished(output), time.perf_counter()
        first = (now, done) if first is None and done else first
        last = now if last is None and done == count else last
        samples.append((done, resident(run.pid)))
        time.sleep(0.1)
    if run.wait(timeout=1) != 0:
        raise SystemExit(f"{' '.join(words)}: exit code {run.returncode}")
    whole = time.perf_counter() - begun
    if first is None:
        return whole, whole, samples
    # from the first look that found results, per result, so that what was finished by then does not count
    steady = ((last or time.perf_counter()) - first[0]) / max(count - first[1], 1) * count
    return whole, steady, samples


def slope(samples, count):
    """Bytes of memory per file, by least squares, over the last three quarters of a run."""
    points = np.array([(done, size) for done, size in samples if done > count / 4 and size], dtype=float)
    return float(np.polyfit(points[:, 0], points[:, 1], 1)[0]) if len(np.unique(points[:, 0])) > 2 else float("nan")


def alone(source, output, count, method):
    """Seconds per file of one process for each."""
    files = sorted(source.rglob("*.npy"))[:count]
    begun = time.perf_counter()
    for file in files:
        words = ["refine", file, "--output", output / file.name, "--fps", "30", "--method", method]
        subprocess.run([sys.executable, "-m", "lib", *map(str, words)], cwd=ROOT, check=True, stderr=subprocess.DEVNULL)
    return (time.perf_counter() - begun) / len(files)


def killed(source, output, count, kills, method, seed):
    """Kill a run at random moments, say it again each time, and let the last one end; the seed fixes the moments."""
    generator = random.Random(seed)
    for target in sorted(generator.sample(range(1, count), min(kills, count - 1))):
        run = start(command(source, output, 2, method))
        while run.poll() is None and finished(output) < target:
            time.sleep(0.02)
        time.sleep(generator.uniform(0, 0.1))
        run.kill()
        run.wait()
    subprocess.run(command(source, output, 2, method), cwd=ROOT, check=True, stderr=subprocess.DEVNULL)


def content(folder):
    """{relative path: bytes} of a tree, hidden files included; of a summary what does not depend on the time of day."""
    found = {}
    for path in folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            found[path.relative_to(folder)] = data.split(b'"time"')[0] if path.name == "summary.json" else data
    return found


def rows(count, kills, few, method, many):
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        write_clips(base / "in", count, np.random.default_rng(0))
        whole, one, samples = watched(command(base / "in", base / "one", 1, method), base / "one", count)
        if many > count:
            write_clips(base / "many", many, np.random.default_rng(1))
            _, _, samples = watched(command(base / "many", base / "memory", 1, method), base / "memory", many)
        _, two, _ = watched(command(base / "in", base / "two", 2, method), base / "two", count)
        single = alone(base / "in", base / "alone", few, method) * count
        bytes_per_file = slope(samples, max(many, count))
        killed(base / "in", base / "killed", count, kills, method, seed=0)
        trees = [content(base / name) for name in ("one", "two", "killed")]
    what = f"{count} clips of {FRAMES} frames, {method}"
    return [
        Row(f"{what}: 2 processes", f"{one:.1f} s with 1", f"{two:.1f} s", one / two, ">= 1.8x", one / two >= 1.8),
        Row(
            f"{what}: 1 command",
            f"{single:.0f} s singly",
            f"{whole:.0f} s",
            single / whole,
            ">= 50x",
            single / whole >= 50,
        ),
        Row(
            f"memory over {max(many, count)} files",
            "",
            f"{bytes_per_file:.0f} B a file",
            None,
            f"< {SLOPE_BAR} B",
            bytes_per_file < SLOPE_BAR,
        ),
        Row("1 and 2 processes, equal trees", "", "", None, "", trees[0] == trees[1]),
        Row(f"killed {kills} times, equal trees", "", "", None, "", trees[0] == trees[2]),
    ]


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--alone", type=int, default=20, help="files that are refined by a process each")
    parser.add_argument("--many", type=int, default=10_000, help="files over which memory is watched")
    parser.add_argument("--method", default="auto")
    arguments = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    show(rows(arguments.files, arguments.kills, arguments.alone, arguments.method, arguments.many))


if __name__ == "__main__":
    main()
