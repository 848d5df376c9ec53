"""The processes that refine many recordings: each loads the networks once and computes in one thread."""

import contextlib
import errno
import logging
import math
import multiprocessing
import os
import signal
import threading
import traceback
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait as wait_for
from pathlib import Path

import torch

from .. import errors, messages
from ..errors import UserError
from . import done, refine_file
from .comparison import compare, rows_of
from .refine_said import summary
from .refine_scores import before_and_after, licences

FATAL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)  # what the next recording would meet too
AHEAD = 4  # recordings per process that wait for it
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")  # read as a process starts


def outcomes(recordings, jobs, start):
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
        self.refiner.progress = False  # there is one bar, of recordings
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
            rows_of(pose_file, compare(pose_file, self.cfg, self.args, self.refiner, results, self._other))
            if self.args.compare
            else before_and_after(pose_file, results, self.refiner.method)
        )
        done.forget(recording.place)
        removed = refine_file.write(
            pose_file, results, self.refiner, Path(recording.source), Path(recording.place), self.cfg
        )
        record = {
            "settings": self.settings,
            "input": state,
            "frames": pose_file.frame_count,
            "counts": summary(pose_file, results),
            "scores": [_finite(row) for row in rows],
            "notes": list(dict.fromkeys([*pose_file.notes, *(note for result in results for note in result.notes)])),
            "weights used": licences(self.refiner, results),
            "removed": list(removed),
        }
        done.write(recording.place, record)
        return record

    def _other(self, cfg, args, method):
        """The Refiner of a method to compare with, made once."""
        if method not in self._others:
            self._others[method] = refine_file.build(cfg, args, method)
            self._others[method].progress = False
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
