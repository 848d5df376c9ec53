"""`--compare`: every method on one file without ground truth, as a table, and which one is recommended and why.

Of white jitter of a known size sigma, how far a method leaves key points from the truth can be estimated without it (C. M. Stein,
Estimation of the mean of a multivariate normal distribution, Ann. Statist. 9(6), 1981):

    error² = mean (given - refined)² - sigma² + 2 sigma² * mean d refined / d given

with the derivative by refining once more with a little noise added (S. Ramani et al., Monte-Carlo SURE, IEEE Trans. Image
Process. 17(9), 2008). Of a linear smoother it lies between 0 and 1 along any noise of this size; what goes beyond is a smoothness
that was chosen anew for the noisier poses, and is cut off. Errors that last for several frames it takes for motion; whether there are such, `auto` tells.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from ..errors import UserError
from ..filters import registry as filters
from ..messages import counted, logger
from ..poses import gaps
from ..poses.kinds import kind_of
from ..poses.space import extent
from ..tracks import auto, closing
from .refine_said import grouped
from .refine_scores import licences, scores

log = logger(__name__)

NIL = 1e-4  # of the body's size: jitter of less needs no mending (0.2 mm of a person)
CLEARLY = 0.95  # of `auto`'s estimated error: what another method must reach to be recommended instead
PROBE = 0.1  # noise that is added for the derivative, in the jitter's size


@dataclass
class Compared:
    """One method. refiner: a `Refiner`; results: its `RefinedTrack`s of the file's tracks."""

    refiner: object
    results: list


def compare(pose_file, cfg, args, refine, results, make):
    """{method: `Compared`} of every method that can be had for this file; `none` is the input.

    refine, results: the method that was asked for and its results; make: function (cfg, args, method) that gives a `Refiner`.
    """
    found = {}
    for method in ["none", "auto", "synsp", "smoothnet", *filters.FILTERS]:
        if method == refine.method:
            found[method] = Compared(refine, results)
            continue
        other = cfg.clone()
        other.REFINE.CUTOFF = 0.0  # of the method asked for
        if method not in ("synsp", "smoothnet"):
            other.EVALUATE.PRETRAINED = ""
        try:
            refiner = make(other, args, method)
            found[method] = Compared(refiner, _refined(refiner, pose_file, pose_file.tracks))
        except UserError as error:
            log.info("not compared: %s", error)
    return found


def _refined(refiner, pose_file, tracks):
    return refiner.refine_tracks(tracks, pose_file.fps, pose_file.timestamps, pose_file.image_size)


def rows_of(pose_file, found):
    """Rows {method, kind, …} of the scores of every method."""
    return [
        {"method": "input" if method == "none" else method, "kind": kind, "unit": unit, **row}
        for method, one in found.items()
        for (kind, unit), row in scores(pose_file, one.results).items()
    ]


_NUMBERS = {"accel/frame²": "jitter", "moved": "displacement", "largest": "largest"}


def shown_rows(rows):
    """Rows as people read them, {title: text}, one kind of poses after another; what is not known is a dash."""
    groups, shown = {}, []
    for row in rows:
        groups.setdefault((row["kind"], row["unit"]), []).append(row)
    for group in groups.values():
        digits = {key: _decimals([row[key] for row in group]) for key in _NUMBERS.values()}
        for row in group:
            numbers = {title: _text(row[key], digits[key]) for title, key in _NUMBERS.items()}
            kept = {"amplitude": _text(100 * row["amplitude kept"], 1, "%")}
            shown.append({"method": row["method"], "poses": row["kind"], **numbers, **kept, "unit": row["unit"]})
    return shown


def _decimals(numbers):
    largest = max((number for number in numbers if math.isfinite(number)), default=0.0)
    return 1 if largest >= 100 else 2 if largest >= 1 else 4


def _text(number, decimals, unit=""):
    return f"{number:.{decimals}f}{unit}" if math.isfinite(number) else "-"


def table_text(rows):
    """The comparison as text."""
    shown = shown_rows(rows)
    titles = list(shown[0]) if shown else []
    table = [titles, *([row[title] for title in titles] for row in shown)]
    widths = [max(map(len, column)) for column in zip(*table)]
    left = ("method", "poses", "unit")
    return "\n".join(
        "  ".join(
            cell.ljust(width) if title in left else cell.rjust(width)
            for title, cell, width in zip(titles, line, widths)
        ).rstrip()
        for line in table
    )


def repairs_line(found):
    """What `moved` and `largest` leave out, or "" where nothing; found: as `compare` gives it."""
    most = max((closing.mended(one.results) for one in found.values()), default=(0, 0))
    words = zip(most, ("repaired exchange", "spike"), ("put back", "taken out"))
    done = [f"{counted(count, what)} {how}" for count, what, how in words if count]
    return f"moved, largest: from the input with {' and '.join(done)}" if done else ""


# ----------------------------------------------------------------------------------------- recommendation


def recommendation(pose_file, found):
    """Which method is recommended for a file and why, in one line; found: as `compare` gives it."""
    chosen = found.get("auto") or next(iter(found.values()))
    results = chosen.results
    still = _jitter_is_nil(pose_file, chosen)
    if still and closing.mended(results) == (0, 0) and all(gaps.seen(track.poses).all() for track in pose_file.tracks):
        return f"nothing needs doing: {_before(results)}, no key point is missing and no side is exchanged"
    plans = [plan.split(": ")[0] for plan, _ in grouped(("", [result.plan]) for result in results)]
    plan = "; ".join(plans[:3]) + (f"; and {len(plans) - 3} more" if len(plans) > 3 else "")
    advice = f"recommended: auto, here {plan}"
    done = "".join(f"; {part}" for part in [closing.closing_line(results)] if part)
    if chosen.refiner.choice.blends and licences(chosen.refiner, results):
        return f"{advice}: bone lengths show errors that last, which no filter takes out{done}"
    if any(auto.LASTING in result.methods for result in results):
        return f"{advice}: the errors last for several frames, which weaker filters leave{done}"
    if still:
        return f"{advice}: {_before(results)}, so that only gaps, exchanged sides and spikes need mending{done}"
    errors, doubt = estimated_errors(pose_file, found)
    if "auto" not in errors:
        return f"{advice}: how far each method is from the truth cannot be estimated here{done}"
    best, line = _ranked(errors, doubt, next(result.said.unit for result in results if result.said is not None))
    return f"{advice if best == 'auto' else f'recommended: {best}'}: {line}"


def _ranked(errors, doubt, unit):
    """(the method with the smallest estimated error, or `auto` where none is clearly better; the errors in words)."""
    ranked = sorted(errors, key=errors.get)
    clearly = errors["auto"] ** 2 - errors[ranked[0]] ** 2 > doubt and errors[ranked[0]] < CLEARLY * errors["auto"]
    best = ranked[0] if clearly else "auto"

    def said(method):
        """The error of a method; a square below the doubt cannot be told from 0."""
        low = errors[method] ** 2 < doubt
        return ("less than " if low else "") + closing.short(unit[0] * (math.sqrt(doubt) if low else errors[method]))

    others = [f"{method} {said(method)}" for method in ranked if method not in (best, "none")]
    line = f"estimated error per coordinate {said('none')} -> {said(best)} {unit[1]} (others: {', '.join(others[:3])})"
    return best, line


def _before(results):
    known = [float(np.nanmedian(one.said.before)) * one.said.unit[0] for one in results if one.said is not None]
    unit = next(result.said.unit[1] for result in results if result.said is not None)
    return f"the jitter is {closing.short(max(known))} {unit}"


def _jitter_is_nil(pose_file, chosen):
    """Whether there is next to no jitter, nor anything else that filters and networks mend."""
    if licences(chosen.refiner, chosen.results):
        return False
    for track, result in zip(pose_file.tracks, chosen.results):
        if track.is_depth:
            continue
        if result.said is None or not np.isfinite(result.said.before).any():
            return False
        size = 1.0 if kind_of(track.kind).rotations else extent(track.poses)
        if np.nanmedian(result.said.before) > NIL * size:
            return False
    return True


def estimated_errors(pose_file, found, seed=0):
    """({method: the root mean square error of a coordinate that its white jitter leaves}, in the unit of the tracks' numbers; how far
    squares of two may differ by chance).

    Empty where the jitter is not known, where tracks have several units, and for rotations.
    """
    white = _white_jitter(pose_file, found["auto"].results) if "auto" in found else None
    if white is None:
        return {}, math.inf
    rng, probed, noises = np.random.default_rng(seed), list(pose_file.tracks), {}
    for number, jitter in white.items():
        track = pose_file.tracks[number]
        noises[number] = jitter[:, None] * _of_unit_size(rng.standard_normal(track.poses.shape), gaps.seen(track.poses))
        probed[number] = replace(track, poses=track.poses + PROBE * noises[number])
    errors = {}
    for method, one in found.items():
        again = _refined(one.refiner, pose_file, probed)
        total = count = 0
        for number, jitter in white.items():
            squares = _squares(pose_file.tracks[number], one.results[number], again[number], noises[number], jitter)
            total, count = total + squares.sum(), count + squares.size
        errors[method] = math.sqrt(max(total, 0.0) / count) if count else math.nan
    return errors, 2 * errors["none"] ** 2 * math.sqrt(2 / count) if count else math.inf


def _white_jitter(pose_file, results):
    """{number of a track: its jitter [J]} of all tracks but depths; None where it is not known, or they have several units."""
    found = {number: result for number, result in enumerate(results) if not pose_file.tracks[number].is_depth}
    tracks = [pose_file.tracks[number] for number in found]
    if len({(track.kind, track.units) for track in tracks}) != 1 or kind_of(tracks[0].kind).rotations:
        return None
    if any(result.said is None or not np.isfinite(result.said.measured.jitter).all() for result in found.values()):
        return None
    return {number: result.said.measured.jitter for number, result in found.items()}


def _of_unit_size(noise, seen):
    """Noise [T, J, D] whose mean square is 1 over the frames in which a joint is seen [T, J]."""
    return noise / np.sqrt(_mean_over_frames(noise**2, seen))


def _mean_over_frames(values, there):
    """[J, D] of values [T, J, D] where there [T, J]; 1 where nowhere."""
    count = there.sum(axis=0)[:, None]
    return np.where(count, np.where(there[..., None], values, 0).sum(axis=0), 1) / np.maximum(count, 1)


def _squares(track, result, again, noise, jitter):
    """The estimated squared error of each coordinate that was seen, [N]; again: refined with `PROBE` times the noise added."""
    given = track.poses if result.repaired is None else result.repaired.poses
    moved = noise * (again.poses - result.poses) / PROBE
    there = np.isfinite(moved).all(axis=-1) & np.isfinite(given).all(axis=-1) & gaps.seen(track.poses)
    slope = np.clip(_mean_over_frames(moved, there), 0, jitter[:, None] ** 2)
    squares = (given - result.poses) ** 2 - jitter[:, None] ** 2 + 2 * slope
    return squares[there].ravel()
