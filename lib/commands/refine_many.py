"""Many pose files in one command: several processes, parts for the jobs of a cluster, and continuing where a run ended."""

import contextlib
import errno
import logging
import math
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait as wait_for
from pathlib import Path

import torch
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from .. import errors, messages
from ..errors import UserError
from ..files import make_folder, write_text
from ..messages import logger
from . import done, inputs, refine_file, shards
from .totals import Totals

log = logger(__name__)

SHOWN = 20  # failures that are also said on the terminal
FATAL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)  # what the next recording would meet too
AHEAD = 4  # recordings per process that wait for it
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")  # read as a process starts


def main(request):
    """What `synsp refine` does. Returns the number of failures among many files (0 for a single one, which raises instead).

    Raises UserError for a command line that cannot be followed, and where nothing is found.
    """
    args = request.args
    if not _is_many(args):
        refine_file.main(request)
        return 0
    cfg = refine_file.checked(request)
    _check(args, cfg)
    refine_file.build(cfg, args)  # impossible settings are found before the files are looked for
    shard = shards.choose(args.shard)
    output = cfg.REFINE.OUTPUT
    found = inputs.find(args.inputs, output, args.recursive)
    _say_found(found, args.inputs)
    mine = [recording for recording in found.recordings if shard.takes(recording.name)]
    if shard.count > 1:
        log.info(
            "part %d of %d (%s): %d of %d recordings",
            shard.index,
            shard.count,
            shard.source,
            len(mine),
            len(found.recordings),
        )
    folder = _reports_folder(args.inputs, output)
    settings = done.settings(cfg, args)
    totals = Totals(settings, found.left_out)
    with logging_redirect_tqdm([logging.getLogger()]):
        _refine_all(mine, cfg, args, settings, totals)
    for stem, ending, text in (("failures", ".jsonl", totals.failures_text()), ("summary", ".json", totals.text())):
        write_text(folder / shard.named(stem, ending), text)
    log.info("%s", totals.sentence())
    if args.compare and totals.done:
        print(refine_file.table_text(totals.means()))
    if totals.failed:
        log.warning("%d of %d failed: %s", totals.failed, len(mine), folder / shard.named("failures", ".jsonl"))
    return totals.failed


def _is_many(args):
    """Whether a command line is for many files; a single folder may be a recording or hold recordings."""
    if len(args.inputs) > 1 or args.recursive or args.jobs is not None or args.shard is not None:
        return True
    return not args.live and os.path.isdir(args.input) and not inputs.is_recording(args.input)


def _check(args, cfg):
    """Raise UserError for flags that many files cannot have."""
    for flag, given in (("live", args.live), ("suggest", args.suggest), ("report", cfg.REFINE.REPORT)):
        if given:
            raise UserError(f"--{flag}: is for a single input. Leave it out, or name one recording")
    if "-" in args.inputs:
        raise UserError("-: standard input is no pose file. Use it alone, with --live")
    if args.jobs is not None and args.jobs < 1:
        raise UserError(f"--jobs {args.jobs}: expected the number of processes, at least 1")
    if cfg.REFINE.OUTPUT and os.path.exists(cfg.REFINE.OUTPUT) and not os.path.isdir(cfg.REFINE.OUTPUT):
        raise UserError(f"--output {cfg.REFINE.OUTPUT}: is a file. For many files, name a folder")


def _say_found(found, paths):
    left = ", ".join(f"{count} {why}" for why, count in found.left_out.most_common())
    if not found.recordings:
        raise UserError(
            f"{', '.join(paths[:3])}: no pose file found"
            + (f" (left out: {left})" if left else "")
            + ". Known endings: "
            f"{', '.join(sorted(inputs.ENDINGS))}; --recursive looks into folders"
        )
    log.info(
        "%d recordings: %d files, %d folders of per-frame files",
        len(found.recordings),
        len(found.recordings) - found.folders,
        found.folders,
    )
    if left:
        log.info("left out: %s", left)


def _reports_folder(paths, output):
    """Where failures and summary are written: the folder of the results, else the one that holds all inputs."""
    if output:
        make_folder(output)
        folder = Path(output)
    elif len(paths) == 1:
        folder = (
            Path(paths[0]) if os.path.isdir(paths[0]) and not inputs.is_recording(paths[0]) else Path(paths[0]).parent
        )
    else:
        folder = Path(os.path.commonpath([os.path.dirname(os.path.abspath(path)) for path in paths]))
        folder = Path(".") if folder == folder.parent else folder
    if not os.access(folder, os.W_OK):
        raise UserError(f"{folder}: cannot be written to. Choose another place with --output")
    return folder


def _refine_all(recordings, cfg, args, settings, totals):
    """Refine what is not done yet; `totals` take every outcome."""
    waiting = []
    for recording in recordings:
        record = _finished(recording, settings) if args.resume else None
        if record is None:
            waiting.append(recording)
        else:
            totals.add(record, new=False)
    bar = tqdm(
        total=len(recordings),
        initial=len(recordings) - len(waiting),
        unit=" files",
        mininterval=0.5 if sys.stderr is not None and sys.stderr.isatty() else 30,
    )
    with bar, contextlib.closing(_outcomes(waiting, args.jobs or 1, (cfg, args, settings))) as outcomes:
        for recording, (record, is_new, reason) in outcomes:
            if reason is None:
                totals.add(record, is_new)
            else:
                totals.fail(recording.source, reason)
                if totals.failed <= SHOWN:
                    log.warning("failed: %s", reason if recording.source in reason else f"{recording.source}: {reason}")
            bar.set_postfix_str(f"{totals.rate():.0f} frames/s", refresh=False)
            bar.update()


def _finished(recording, settings):
    try:
        return done.read(recording.place, settings, done.state(recording.source))
    except OSError:
        return None  # said where it is refined


def _outcomes(recordings, jobs, start):
    """Yield (recording, (record, whether it is new, why it failed)) as they are finished."""
    if jobs == 1:
        yield from _here(recordings, start)
        return
    with _one_thread_each():
        pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _start, start)
        try:
            running = {}
            for recording in recordings:
                if len(running) >= AHEAD * jobs:
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        yield running.pop(future), future.result()
                running[pool.submit(_work, recording)] = recording
            while running:
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    yield running.pop(future), future.result()
        except BrokenProcessPool:
            names = ", ".join(sorted(recording.source for recording in running.values())[:3])
            raise UserError(
                f"a process died (too little memory?) near {names}. Say the same again with fewer --jobs: it goes on from here"
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


def _here(recordings, start):
    """The same in this process."""
    threads, package = torch.get_num_threads(), logging.getLogger(messages.ROOT)
    level = package.level
    torch.set_num_threads(1)
    package.setLevel(logging.WARNING)  # what is said of one recording stands in its record
    try:
        worker = Worker(*start)
        for recording in recordings:
            yield recording, worker(recording)
    finally:
        torch.set_num_threads(threads)
        package.setLevel(level)


@contextlib.contextmanager
def _one_thread_each():
    """Processes that start now compute in one thread each."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


# ------------------------------------------------------------------------------------ in each process


class Worker:
    """Refines one recording after the other with the same networks."""

    def __init__(self, cfg, args, settings):
        self.cfg, self.args, self.settings = cfg, args, settings
        self.refiner = refine_file.build(cfg, args)
        self._others = {}  # for --compare

    def __call__(self, recording):
        """(record, whether it is new, None), or (None, False, why it failed). Raises what the next recording would meet too."""
        try:
            state = done.state(recording.source)
            if self.args.resume:  # another run may have been faster
                record = done.read(recording.place, self.settings, state)
                if record is not None:
                    return record, False, None
            return self._refine(recording, state), True, None
        except Exception as error:
            if isinstance(error, OSError) and error.errno in FATAL:
                raise
            return None, False, _reason(error)

    def _refine(self, recording, state):
        pose_file = refine_file.read(recording.source, self.cfg)
        tracks = pose_file.tracks
        results = self.refiner.refine_tracks(tracks, pose_file.fps, pose_file.timestamps, pose_file.image_size)
        rows = (
            refine_file.compare(pose_file, self.cfg, self.args, self.refiner, results, self._other)
            if self.args.compare
            else refine_file.before_and_after(pose_file, results, self.refiner.method)
        )
        done.forget(recording.place)
        removed = refine_file.write(
            pose_file, results, self.refiner, Path(recording.source), Path(recording.place), self.cfg
        )
        record = {
            "settings": self.settings,
            "input": state,
            "frames": pose_file.frame_count,
            "counts": refine_file.summary(pose_file, results),
            "scores": [_finite(row) for row in rows],
            "notes": list(dict.fromkeys([*pose_file.notes, *(note for result in results for note in result.notes)])),
            "removed": list(removed),
        }
        done.write(recording.place, record)
        return record

    def _other(self, cfg, args, method):
        """The Refiner of a method to compare with, made once."""
        if method not in self._others:
            self._others[method] = refine_file.build(cfg, args, method)
        return self._others[method]


def _finite(row):
    """A row of scores as JSON has it."""
    return {key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in row.items()}


def _reason(error):
    """Why a recording failed, in one line; a defect of ours with its place."""
    message = errors.message_of(error)
    if message is None:
        place = traceback.extract_tb(error.__traceback__)[-1]
        message = f"{type(error).__name__}: {error} (a defect, at {Path(place.filename).name}:{place.lineno}; please report it)"
    return " ".join(str(message).split())


_worker = None  # of this process


def _start(cfg, args, settings):
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the first process, which lets the others finish
    threading.Thread(target=_end_with_parent, daemon=True).start()
    messages.start()
    logging.getLogger(messages.ROOT).setLevel(logging.WARNING)
    torch.set_num_threads(1)
    _worker = Worker(cfg, args, settings)


def _work(recording):
    return _worker(recording)


def _end_with_parent():
    """A killed run leaves no process behind that goes on writing."""
    wait_for([multiprocessing.parent_process().sentinel])
    os._exit(1)
