"""`refine FILE --suggest`: which cut-off suits a recording, by residual analysis. Poses are read, none are written."""

import io
from pathlib import Path

import numpy as np

from ..files import write_bytes
from ..filters.measure import jitter
from ..filters.residual import LEAST, residual_analysis
from ..messages import logger
from ..poses import gaps
from ..poses.space import enter
from ..tracks import clock
from ..tracks.closing import short, unit_of
from ..tracks.plan import RATE, pace
from ..tracks.repair import repair
from .refine_said import say_notes

log = logger(__name__)

ADVICE = (
    "usual cut-offs: 3-5 Hz slow exercise and rehabilitation, 6 walking, 8-10 running, 10-14 kicks, throws and landings; "
    "a detector's own smoothing and errors that last for several frames are in no residual"
)


def suggest(pose_file, refine, report):
    """Print the table of a pose file, as the Refiner `refine` would read it, and plot it into the folder `report` ("": none).

    Returns {track's name: Residuals or None}.
    """
    found, units, lines, notes = {}, {}, [], []
    for track in pose_file.tracks:
        times, of_times = clock.of_frames(track, pose_file.timestamps, pose_file.fps, told=refine.fps, assumed=RATE)
        poses, repairs = _repaired(track, times, refine)
        notes.append([*of_times, *repairs])
        poses = enter(poses, track.kind)
        result = found[track.name] = residual_analysis(poses, times)
        lines.append(track.name)
        if result is None:
            lines.append(f"  nothing to suggest: fewer than {LEAST} frames, or a frame rate too low")
            continue
        factor, unit = units[track.name] = unit_of(track)
        names = track.joint_names or [f"joint {number}" for number in range(poses.shape[1])]
        white = jitter(poses, times)
        wide = max(12, len(f"jitter {unit}"))
        lines.append(f"  {'':<20} {'cut-off Hz':>10} {f'noise {unit}':>{wide}} {f'jitter {unit}':>{wide}}")
        rows = [("all joints", result.body_suggestion, result.body_noise, _mean(white))]
        rows += zip(names, result.suggestion, result.noise, white)
        lines += [
            f"  {name:<20} {f'{cutoff:.1f}' if noise else '-':>10} {short(factor * noise):>{wide}} {short(factor * level):>{wide}}"
            for name, cutoff, noise, level in rows
        ]
        lines.append(f"  try: --method butterworth --cutoff {result.body_suggestion:.1f}, or --method self_tuned")
    say_notes([track.name for track in pose_file.tracks], notes)
    print("\n".join([*lines, ADVICE]))
    if report and any(result is not None for result in found.values()):
        path = Path(report) / "residual_analysis.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, _plot(found, units))
        log.info("plot: %s", path)
    return found


def _repaired(track, times, refine):
    """(poses [T, J, ...] of a track as filters would get them, notes): an exchange or a spike is no noise."""
    if not refine.repair or len(times) < 2:
        return track.poses, []
    rate = pace(times)
    jumps = gaps.jumps(track.poses, refine.longest_gap(rate))
    done = repair(track, track.poses, times, rate, gaps.between(jumps, len(times)))
    return done.poses, done.notes(track.start)


def _mean(levels):
    levels = levels[np.isfinite(levels)]
    return float(np.sqrt((levels**2).mean())) if len(levels) else float("nan")


def _plot(found, units):
    """A PNG: residual over cut-off, a panel a track; units: {track's name: (factor, name)}."""
    from matplotlib.figure import Figure

    drawn = {name: result for name, result in found.items() if result is not None}
    figure = Figure((7.2, 2.8 * len(drawn)), layout="constrained")
    for axes, (name, result) in zip(figure.subplots(len(drawn), squeeze=False)[:, 0], drawn.items()):
        factor, unit = units[name]
        each = axes.plot(result.cutoffs, factor * result.residual, color="#a0a7ae", lw=0.7)
        each[0].set_label("each joint")
        body, noise = factor * result.body_residual, factor * result.body_noise
        axes.plot(result.cutoffs, body, color="#0072b2", lw=1.8, label="all joints")
        axes.plot(
            result.cutoffs,
            factor * result.body_line,
            color="#d55e00",
            lw=1.2,
            ls="--",
            label="noise, from the upper part",
        )
        axes.axhline(noise, color="#d55e00", lw=0.8, ls=":")
        axes.axvline(
            result.body_suggestion, color="#1b1f23", lw=0.8, label=f"suggested: {result.body_suggestion:.1f} Hz"
        )
        axes.set(
            title=name,
            xlabel="cut-off (Hz)",
            ylabel=f"residual ({unit})",
            ylim=(0, 3 * max(float(body[-1]), noise, 1e-9)),
        )
        axes.legend(loc="upper right", frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    return buffer.getbuffer()
