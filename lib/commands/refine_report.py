"""report.html of a refined file: input against refined, played and measured."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from .. import run
from ..formats import registry
from ..messages import logger
from ..poses import gaps, mapping, space
from ..poses.kinds import kind_of
from ..poses.skeletons import LAYOUTS, chain
from ..tracks import closing
from ..tracks.plan import RATE, pace
from .comparison import shown_rows
from .refine_said import counts_in_words, grouped
from .refine_scores import IMAGE_UNIT, before_and_after, in_shares, licences, shown

log = logger(__name__)

# The axis that is up in formats that say so, where the bodies' own joints do not tell.
UP = {"trc": "y", "c3d": "z"}


def layout_of(track):
    """The `Layout` to draw a track with."""
    if track.layout in LAYOUTS:
        return LAYOUTS[track.layout]
    if track.joint_names is not None:
        return mapping.drawn_layout(track.layout or "named", track.joint_names)
    return chain(track.poses.shape[1])


def check(pose_file, cfg):
    """Before anything is refined: raise what drawing a report lacks."""
    if any(kind_of(track.kind).rotations and _can_be_drawn(track) for track in pose_file.tracks):
        smpl_body(cfg)


def report(folder, path, pose_file, results, refine, table, rows, cfg):
    """Write report.html in `folder`; returns its path. Input against refined, each track that can be drawn."""
    from ..visualize.page import write_page

    sequences, skipped, body = _sequences(pose_file, results, rate_of(pose_file, refine), cfg)
    if not sequences:
        log.info("nothing in %s can be drawn: the report holds the numbers alone", path)
        sequences = [_nothing_to_draw()]
    metrics = _parted(shown_rows(rows or before_and_after(pose_file, results, refine.method)))
    provenance = _provenance(path, pose_file, results, refine, table)
    if skipped:
        provenance["not drawn"] = ", ".join(skipped)
    if body is not None:
        provenance["drawn on"] = body.name
    return write_page(
        folder / "report.html", sequences, sequences[0].layout, provenance, metrics, f"Refined: {Path(path).name}"
    )


def _parted(rows):
    """Rows of the table with what they have in common first, which the page makes a heading: "3D, mm"."""
    return [
        {"poses": f"{row['poses']}, {row['unit']}"}
        | {title: text for title, text in row.items() if title not in ("poses", "unit")}
        for row in rows
    ]


def _sequences(pose_file, results, rate, cfg):
    """(a `PageSequence` for each track that can be drawn, names of the others, the body that rotations are drawn on)."""
    from ..visualize.page import PageSequence, PageTrack

    sequences, skipped, body = [], [], None
    for track, result in zip(pose_file.tracks, results):
        layout, pair = layout_of(track), [track.poses, result.poses]
        if not _can_be_drawn(track):
            skipped.append(track.name)
            continue
        if kind_of(track.kind).rotations:
            body = body or smpl_body(cfg)
            turn = result.space.turn if result.space is not None and result.space.turn.shape == (3, 3) else np.eye(3)
            pair, layout = [on_body(body, values) @ turn.T for values in pair], LAYOUTS["smpl24"]
        elif kind_of(track.kind).in_space:
            pair = [upright(track, result, pose_file.format, values) for values in pair]
        else:
            pair = [shown(track, values) for values in pair]
        tracks = [
            PageTrack(name, role, values, track.name, sigma)
            for name, role, values, sigma in zip(
                ("input", "refined"), ("input", "refined"), pair, (None, _sigma(track, result))
            )
        ]
        unit = IMAGE_UNIT if in_shares(track) else ""
        sequences.append(PageSequence(track.name, float(rate or RATE), tracks, layout, unit))
    return sequences, skipped, body


def _sigma(track, result):
    """The sigma [T, J] of a result in the unit of what is drawn, or None where it has none (shares of an image have two units)."""
    if result.sigma is None or in_shares(track) or not np.isfinite(result.sigma).any():
        return None
    if kind_of(track.kind).in_space and result.space is not None:
        return result.sigma * result.space.one_scale
    return result.sigma


def _can_be_drawn(track):
    """Whether a track has 2D or 3D coordinates, or SMPL's rotations in order."""
    if kind_of(track.kind).rotations:
        return track.joint_names == LAYOUTS["smpl24"].joints[: len(track.joint_names or ())]
    return track.poses.shape[-1] > 1


def _nothing_to_draw():
    from ..visualize.page import PageSequence, PageTrack

    return PageSequence("nothing to draw", RATE, [PageTrack("input", "input", np.zeros((1, 1, 2)))], chain(1))


def _provenance(path, pose_file, results, refine, table):
    """{label: text} of what made the report."""
    notes = [*pose_file.notes, *(note for note, _ in grouped(("", result.notes) for result in results))]
    return {
        "file": str(path),
        "kind": registry.FORMATS[pose_file.format].description,
        "command": run.command_line(),
        "weights": "\n".join(licences(refine, results)) or "none",
        "method": "\n".join(plan for plan, _ in grouped(("", [result.plan]) for result in results)),
        "notes": "\n".join(dict.fromkeys(notes)) or "none",
        "input": closing.measured_line(results).removeprefix("measured: ") or "not measured",
        "done": closing.closing_line(results) or "nothing",
        "counts": counts_in_words(table),
    }


def upright(track, result, format_name, values):
    """Poses [T, J, 3] in metres with y down, as the page draws them."""
    if result.space is None:
        return values
    made = replace(result.space, root=None, centre=np.zeros(3))
    if format_name in UP and mapping.top(track.joint_names) is None:
        made = replace(made, turn=space.turn_of(UP[format_name]))
    return made.into(values, 0)


def rate_of(pose_file, refine):
    """Frames per second by the user, the file or its times; None where nobody says."""
    rate = refine.fps or pose_file.fps
    if not rate and pose_file.timestamps is not None and len(pose_file.timestamps) > 1:
        rate = pace(np.asarray(pose_file.timestamps))
    return rate


def smpl_body(cfg):
    from ..models.body import load_body

    return load_body(cfg.SMPL_MODEL_DIR)


def on_body(body, poses):
    """SMPL joints [T, 24, 3] of rotations [T, 22 or 24, 3]; NaN where missing."""
    there = gaps.seen(poses).all(axis=1)
    whole = np.zeros((len(poses), 24, 3), dtype=np.float32)
    whole[:, : poses.shape[1]] = np.where(there[:, None, None], poses, 0)
    joints = body.joints(torch.from_numpy(whole).flatten(1)).numpy()[:, :24].astype(np.float64)
    joints[~there] = np.nan
    return joints
