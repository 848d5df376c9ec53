"""Give thousands of mutated files to every reader and door, in workers with limits, and print one table.

python tests/campaign/run.py --inputs 10000 --seeds 1 2 3 --command_line 60        (`make campaign`)
python tests/campaign/run.py --inputs 300 --doors newer pairs                      some doors alone
python tests/campaign/run.py --only 2:1234 --keep folder                           one input again, kept in a folder
"""

import argparse
import collections
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parent)]

SECONDS, MEMORY = 20, 2 * 2**30
GOOD = ("done", "refused", "caught")
COMMAND_LINE = ("refine", "newer", "live")  # the doors whose inputs `refine_smoothnet.py` takes
EXECUTION = ("os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "os.fork", "socket.connect", "ctypes.dlopen")


def work(known, jobs, folder, pipe):
    """In a forked child: each job in turn, its outcome on the pipe."""
    import inputs

    executed = []
    sys.addaudithook(lambda event, args: executed.append(event) if event in EXECUTION else None)
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, size + MEMORY))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    for seed, number in jobs:
        with tempfile.TemporaryDirectory(dir=folder) as place:
            os.write(pipe, f"start\t{seed}\t{number}\n".encode())
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            name = said = door = ""
            try:
                door, path, name, said, dice = inputs.make(known, Path(place), seed, number)
                kind, detail = inputs.outcome(door, path, dice)
            except Exception as error:
                where = traceback.extract_tb(error.__traceback__)[-1]
                kind, detail = (
                    "traceback",
                    f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})",
                )
            signal.setitimer(signal.ITIMER_PROF, 0)
            if executed or (Path(place) / "executed").exists():
                kind, detail = "executed", str(executed)
            line = "\t".join(["end", kind, door, name, said, " ".join(detail.split())[:300]])
            os.write(pipe, line.encode("utf-8", "replace") + b"\n")
    os._exit(0)


def results(known, jobs, folder):
    """Yield (seed, number, kind, door, sample, change, detail); a worker that ends early loses one input only."""
    jobs = list(jobs)
    while jobs:
        ours, theirs = os.pipe()
        child = os.fork()
        if not child:
            os.close(ours)
            try:
                work(known, jobs, folder, theirs)
            finally:
                os._exit(1)
        os.close(theirs)
        done = 0
        with open(ours, encoding="utf-8", errors="replace") as lines:
            begun = None
            for line in lines:
                kind, *rest = line.rstrip("\n").split("\t")
                if kind == "start":
                    begun = tuple(map(int, rest))
                else:
                    yield (*begun, *rest)
                    begun, done = None, done + 1
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if begun:
            what = {-signal.SIGPROF: "endless", -signal.SIGKILL: "memory"}.get(status, "crash")
            yield (*begun, what, "", "", "", f"the worker ended with {status}")
            done += 1
        jobs = jobs[done:]


def campaign(count, seeds, folder, report=None):
    """Counter of (door, kind) and the failures, over `count` inputs of these seeds."""
    import inputs

    (folder / "samples").mkdir()
    known = inputs.samples(folder / "samples")
    jobs = [(seeds[number % len(seeds)], number // len(seeds)) for number in range(count)]
    table, failures = collections.Counter(), []
    for result in results(known, jobs, folder):
        seed, number, kind, door, *_ = result
        table[door, kind] += 1
        if kind not in GOOD:
            failures.append(result)
            if report:
                report("FAILED | " + " | ".join(map(str, result)))
        if report and sum(table.values()) % 500 == 0:
            report(f"{sum(table.values())} of {count}, {len(failures)} failures")
    return table, failures


def command_line(count, seed, folder):
    """The same inputs as users give them to `refine_smoothnet.py`: Counter of exit codes, and the failures."""
    import inputs

    (folder / "samples").mkdir()
    known = {name: entry for name, entry in inputs.samples(folder / "samples").items() if entry[0] in COMMAND_LINE}
    inputs.SHARES = {door: inputs.SHARES[door] for door in COMMAND_LINE}
    table, failures, number = collections.Counter(), [], 0
    root = Path(__file__).parents[2]
    while sum(table.values()) < count:
        number += 1
        with tempfile.TemporaryDirectory(dir=folder) as place:
            try:
                door, path, *_ = inputs.make(known, Path(place), seed, number)
            except Exception:
                continue  # a mutation that cannot be made
            out = path.with_name(f"out{path.suffix}")
            live = door == "live"
            flags = ["-", "--live", "--method", "oneeuro"] if live else [path, "--method", "savgol", "--output", out]
            words = [sys.executable, "refine_smoothnet.py", *map(str, flags)]
            with open(path if live else os.devnull, "rb") as stdin:
                try:
                    ended = subprocess.run(
                        words, cwd=root, stdin=stdin, capture_output=True, timeout=10 * SECONDS, preexec_fn=_limits
                    )
                except subprocess.TimeoutExpired:
                    ended = subprocess.CompletedProcess(words, "endless", b"", b"")
            error = ended.stderr.decode("utf-8", "replace")
            left = [entry.name for entry in path.parent.iterdir() if entry.name.startswith(".writing")]
            table[str(ended.returncode)] += 1
            lines = [line for line in error.splitlines() if line.startswith("error: ")]
            done = ended.returncode == 0 and not lines and (live or out.exists())
            right = done or ended.returncode == 2 and len(lines) == 1 and not out.exists()
            if not right or "Traceback" in error or left:
                failures.append((seed, number, str(ended.returncode), "command line", path.name, "", error[-300:]))
    return table, failures


def _limits():
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (8 * 2**30, 8 * 2**30))


def text_of(table):
    kinds = ["done", "refused", "caught", "wrong", "traceback", "executed", "endless", "memory", "crash"]
    doors = sorted({door for door, _ in table})
    lines = ["| door | inputs | " + " | ".join(kinds) + " |", "|---" * (len(kinds) + 2) + "|"]
    for door in [*doors, None]:
        numbers = [
            sum(count for (of, what), count in table.items() if what == kind and door in (of, None)) for kind in kinds
        ]
        lines.append(f"| {door or 'all'} | {sum(numbers)} | " + " | ".join(map(str, numbers)) + " |")
    return "\n".join(lines)


def main():
    parse = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parse.add_argument("--inputs", type=int, default=10_000)
    parse.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parse.add_argument("--command_line", type=int, default=0, help="so many of them as users start the program")
    parse.add_argument("--only", help="SEED:NUMBER, one input again")
    parse.add_argument("--doors", nargs="+", help="these alone; with --only as the run that found it")
    parse.add_argument("--keep", help="folder for it")
    args = parse.parse_args()
    import inputs
    import torch

    torch.set_num_threads(1)
    if args.doors:
        inputs.SHARES = {door: inputs.SHARES[door] for door in args.doors}
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        if args.only:
            return again(folder, args)
        start = time.time()
        table, failures = campaign(
            args.inputs, args.seeds, folder / _made(folder, "a"), lambda text: print(text, file=sys.stderr)
        )
        codes, more = (
            command_line(args.command_line, args.seeds[0], folder / _made(folder, "b"))
            if args.command_line
            else ({}, [])
        )
    print(text_of(table))
    if args.command_line:
        print(
            f"\nthrough the command line: {sum(codes.values())} inputs, exit codes {dict(codes)}, {len(more)} failures"
        )
    print(f"\nseeds {args.seeds}, {time.time() - start:.0f} s, limits {SECONDS} s and {MEMORY // 2**30} GB an input")
    for failure in failures + more:
        print("FAILED", *failure, sep=" | ")
    sys.exit(bool(failures or more))


def _made(folder, name):
    (folder / name).mkdir()
    return name


def again(folder, args):
    import inputs

    seed, number = map(int, args.only.split(":"))
    place = Path(args.keep or folder / "again")
    place.mkdir(exist_ok=True, parents=True)
    (folder / "samples").mkdir()
    door, path, name, said, dice = inputs.make(inputs.samples(folder / "samples"), place, seed, number)
    print(door, path, name, said)
    print(*inputs.outcome(door, path, dice))


if __name__ == "__main__":
    main()
