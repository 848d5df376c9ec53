"""Many pose files in one command: several processes, parts for the jobs of a cluster, and continuing where a run ended."""

import contextlib
import logging
import os
import sys
from pathlib import Path

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from ..errors import UserError
from ..files import make_folder, write_text
from ..messages import counted, logger
from . import comparison, done, inputs, refine_file, shards, workers
from .totals import Totals

log = logger(__name__)

SHOWN = 20  # failures that are also said on the terminal


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
    for line in sorted(totals.licences):
        log.info("weights: %s", line)
    log.info("%s", totals.sentence())
    if args.compare and totals.done:
        print(comparison.table_text(totals.means()))
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
        "%s: %s, %s of per-frame files",
        counted(len(found.recordings), "recording"),
        counted(len(found.recordings) - found.folders, "file"),
        counted(found.folders, "folder"),
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
    with bar, contextlib.closing(workers.outcomes(waiting, args.jobs or 1, (cfg, args, settings))) as outcomes:
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
