"""All views of one recording in one picture: one column per view, one row per track."""

import cv2
import numpy as np

from . import curves as plots
from . import drawing, stage
from .scene_3d import Space, panel_3d


def multi_view_scene(views, cues, layout, title="", curves=None, fps=30.0, size=None, first_frame=0, names=None):
    """All views of one recording in one picture: one column per view, one row per track, its quality cue below.

    views: for each of V views its list of stage.Drawn (joints [T, J, 3], the same names in the same order; what a
    view misses is NaN), estimator first; a track of role 'truth' gets no row and stands thinly behind the
    others. cues: [V, T], the network's confidence in each view at each frame, or None; strips share one
    scale, and the view with the highest cue of a frame is marked. curves: as elsewhere, by track name; None
    gives the mean over the views. names: of the views, default 'view 1' and so on. Default size 1600x900 for
    four views.
    """
    frames = {stage.length(tracks) for tracks in views}
    if len(frames) != 1:
        raise ValueError(f"views need one common number of frames (missing ones NaN), got {sorted(frames)}")
    frames, colors = frames.pop(), stage.colors_of(views[0])
    rows = [i for i, track in enumerate(views[0]) if track.color_role != "truth"]
    per_view = [stage.default_curves(tracks, "mm") for tracks in views]
    curves = _mean_curves(per_view) if curves is None else curves
    names = names or [f"view {v + 1}" for v in range(len(views))]

    size = size or (max(1280, min(400 * len(views), 1600), 300 * len(views)), 900)
    canvas, painters, unit, bar, bottom = stage.set_up(size, 900, title, frames, curves, colors, fps, first_frame)
    strip = bottom - int(86 * unit) if cues is not None else bottom
    columns = stage.cells(0, canvas.shape[1], len(views))
    lines = stage.cells(bar + int(30 * unit), strip, len(rows))
    label = int(24 * unit)
    panel = (columns[0][1] - columns[0][0], lines[0][1] - lines[0][0] - label)
    for v, (tracks, (left, right)) in enumerate(zip(views, columns)):
        space = Space(tracks, [0.0], *panel)
        drawing.write(
            canvas,
            names[v],
            ((left + right) / 2, bar + int(22 * unit)),
            int(18 * unit),
            bold=True,
            anchor="center",
            width=right - left - 16,
        )
        for i, (y0, y1) in zip(rows, lines):
            track = tracks[i]
            painters += panel_3d(
                canvas,
                (left + 1, y0 + label, right, y1),
                space,
                0,
                track,
                stage.truth_of(tracks),
                layout,
                max(int(round(4 * unit)), 2),
            )
            painters.append(
                _row_label(
                    canvas,
                    (left, y0, right, y0 + label),
                    track.name,
                    colors[track.name],
                    stage.numbers_of(per_view[v], track.name),
                )
            )
            cv2.line(canvas, (left, y0), (right, y0), drawing.GRID, 1)
        if left:
            cv2.line(canvas, (left, bar), (left, bottom), drawing.GRID, 1)
    if cues is not None:
        painters += _cue_strips(canvas, np.asarray(cues, float), columns, strip, bottom, unit)
    return stage.play(canvas, painters, frames)


def _mean_curves(per_view):
    """The views' curves averaged frame by frame over the views that have a value."""
    means = []
    for same in zip(*per_view):
        lines = {}
        for name in same[0].lines:
            lines[name] = plots.mean_of_present(np.stack([curve.lines[name] for curve in same], -1))
        means.append(plots.Curve(f"{same[0].name}, mean of views", same[0].unit, lines))
    return means


def _row_label(canvas, box, name, color, lines):
    """One line over a panel: colour, name, and the first curve's mean so far."""
    x0, y0, x1, y1 = box
    height = y1 - y0
    size = int(0.6 * height)
    baseline = y0 + int(0.76 * height)
    cv2.rectangle(canvas, (x0 + 8, y0 + int(0.25 * height)), (x0 + 8 + height // 4, y0 + int(0.82 * height)), color, -1)
    left = x0 + 14 + height // 4
    room = x1 - left - 8
    if not lines:
        drawing.write(canvas, name, (left, baseline), size, bold=True, width=room)
        return lambda image, t: None
    curve, line = lines[0]
    mean = curve.so_far(line)
    drawing.write(canvas, name, (left, baseline), size, bold=True, width=room // 2)

    def paint(image, t):
        value = f"{mean[t]:.1f}" if np.isfinite(mean[t]) else "–"
        drawing.write(
            image,
            f"{curve.name} {value} {curve.unit} so far",
            (x1 - 8, baseline),
            size,
            drawing.MUTED,
            "right",
            width=room // 2,
        )

    return paint


def _cue_strips(canvas, cues, columns, top, bottom, unit):
    """A strip a view, all on one scale; the highest cue of a frame is marked. Returns the painters."""
    there = cues[np.isfinite(cues)]
    low, high = np.percentile(there, [0.5, 99.5]) if len(there) else (0.0, 1.0)
    air = 0.1 * (high - low) + 1e-6
    best = np.where(np.isfinite(cues), cues, -np.inf).argmax(0)
    size, label = int(14 * unit), int(24 * unit)
    painters = []
    color = drawing.ROLES["refined"]
    for v, (left, right) in enumerate(columns):
        cell = (left + 10, top + label, right - 10, bottom - int(8 * unit))
        strip = plots.plot_strip(stage.part(canvas, cell), cues[v], low - air, high + air, color)
        painters.append(stage.inside(cell, strip))
        drawing.write(canvas, "quality cue", (left + 10, top + int(17 * unit)), size, drawing.MUTED)

        def paint(image, t, v=v, cell=cell):
            value = cues[v, t]
            first = best[t] == v and np.isfinite(value)
            text = f"{value:.2f}" if np.isfinite(value) else "–"
            drawing.write(
                image,
                ("highest  " if first else "") + text,
                (cell[2], cell[1] - int(7 * unit)),
                size,
                drawing.INK if first else drawing.MUTED,
                "right",
                bold=bool(first),
            )
            if first:
                cv2.rectangle(image, (cell[0] - 3, cell[1] - 3), (cell[2] + 2, cell[3] + 2), color, 2)

        painters.append(paint)
    return painters
