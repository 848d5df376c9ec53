"""What the scenes of a video share: what is drawn, the title, columns with their heads, the curves below, the frames.

A scene is a function that lays everything out at once (projections, sizes, the drawn-once background) and returns an
iterator of uint8 frames [H, W, 3] in RGB. Nothing is scaled by what a single frame holds, so nothing jumps. Missing
joints are NaN and are not drawn. A painter is a function of (image, t) that draws frame t.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from . import curves as plots
from . import drawing, palette


@dataclass
class Drawn:
    """One sequence of poses as somebody sees it: the estimator, a filter, the network, the truth.

    joints: [T, J, D], D = 3 root-relative metres (x right, y down, z forward) or D = 2 pixels, NaN = missing.
    color_role: 'input', 'refined', 'filter' or 'truth'. vertices: [T, N, 3] metres like the joints, or
    anything that gives [N, 3] for `vertices[t]`; faces: [F, 3], counter-clockwise from outside.
    """

    name: str
    joints: np.ndarray
    color_role: str = "input"
    vertices: object = None
    faces: np.ndarray = None


# Degrees above the horizontal from which all scenes in space are seen.
RAISED = 9.0


def length(tracks):
    """The common number of frames. Raises ValueError for lengths that differ, no frames, and two tracks of one name."""
    lengths = {len(track.joints if track.joints is not None else track.vertices) for track in tracks}
    if len(lengths) != 1 or 0 in lengths:
        raise ValueError(f"tracks need one common, positive number of frames, got {sorted(lengths)}")
    if len({track.name for track in tracks}) != len(tracks):
        raise ValueError("tracks need different names")
    return lengths.pop()


def default_width(tracks, column):
    """Wide enough for the columns; of many each gets less, so that letters stay readable on a screen."""
    return max(1280, (column if len(tracks) <= 4 else 400) * len(tracks))


def colors_of(tracks):
    """name -> RGB."""
    places = palette.places([(track.name, track.color_role) for track in tracks])
    return {track.name: palette.rgb(palette.LIGHT[track.color_role][places[track.name]]) for track in tracks}


def truth_of(tracks):
    """The track of role 'truth', or None."""
    return next((track for track in tracks if track.color_role == "truth"), None)


def reference(tracks):
    """The tracks that a scene's extent is taken from: the truth, without one the estimator's, else all.

    A network or a filter that runs away must not make everybody small; it leaves its own panel.
    """
    for role in ("truth", "input"):
        found = [track for track in tracks if track.color_role == role and _shows_something(track)]
        if found:
            return found
    return tracks


def _shows_something(track):
    if track.joints is not None:
        return np.isfinite(track.joints).any()
    return any(np.isfinite(track.vertices[t]).all() for t in range(len(track.vertices)))


# Air about the extent of the reference, as a share of it: noise about it stays in the panel.
AIR = 0.12


def aired(box):
    """A `bounds` box with air on all sides."""
    low, high = np.asarray(box, float)
    return np.array([low - AIR / 2 * (high - low), high + AIR / 2 * (high - low)])


def default_curves(tracks, unit):
    """The curves a scene shows when none are given: the joints' errors, against the truth if it is there."""
    truth = truth_of(tracks)
    named = {track.name: track.joints for track in tracks if track is not truth and track.joints is not None}
    if not named or (truth is not None and truth.joints is None):
        return []
    return plots.error_curves(named, None if truth is None else truth.joints, unit)


def cells(x0, x1, count):
    """Whole-numbered borders of `count` equal columns: list of (left, right)."""
    edges = np.linspace(x0, x1, count + 1).round().astype(int).tolist()
    return list(zip(edges[:-1], edges[1:]))


def inside(box, paint):
    """A painter that draws in the part (x0, y0, x1, y1) of the image, and is clipped there."""
    x0, y0, x1, y1 = box
    return lambda image, t: paint(image[y0:y1, x0:x1], t)


def part(image, box):
    """The view of the part (x0, y0, x1, y1) of an image."""
    x0, y0, x1, y1 = box
    return image[y0:y1, x0:x1]


def _title_bar(canvas, title, frames, fps, first_frame, height, sides=True):
    """Title and side colours, drawn now; returns the painter of frame number and time."""
    width, size = canvas.shape[1], int(0.42 * height)
    small = int(0.34 * height)
    baseline = int(0.66 * height)
    last = first_frame + frames - 1

    def clock(t):
        now = first_frame + t
        digits = len(str(last))
        # Figure spaces are as wide as digits: the text keeps its place.
        number = str(now).rjust(digits, "\u2007")
        seconds = f"{now / fps:.2f}".rjust(len(f"{last / fps:.2f}"), "\u2007")
        return f"frame {number} / {last}   {seconds} s"

    x = width - height // 3 - drawing.text_width(clock(frames - 1), small) - height // 2
    if sides:
        for side in ("right", "left"):
            x -= drawing.text_width(side, small)
            drawing.write(canvas, side, (x, baseline), small, drawing.MUTED)
            x -= int(0.5 * height)
            cv2.rectangle(
                canvas,
                (x, baseline - int(0.2 * height)),
                (x + int(0.36 * height), baseline - int(0.05 * height)),
                drawing.SIDES[side],
                -1,
            )
            x -= int(0.3 * height)
    drawing.write(canvas, title, (height // 3, baseline), size, bold=True, width=x - height // 2)
    cv2.line(canvas, (0, height - 1), (width, height - 1), drawing.GRID, 1)

    def paint(image, t):
        drawing.write(image, clock(t), (width - height // 3, baseline), small, drawing.INK, "right")

    return paint


def header(canvas, box, name, colors, curves, note=""):
    """A column's head: a track's colour and name, and below it its numbers so far. Returns the painter of the numbers.

    `note` stands where no curve holds the track.
    """
    color, lines = colors[name], numbers_of(curves, name)
    x0, y0, x1, y1 = box
    height = y1 - y0
    pad = height // 5
    cv2.rectangle(
        canvas, (x0 + pad, y0 + int(0.16 * height)), (x0 + pad + int(0.12 * height), y0 + int(0.88 * height)), color, -1
    )
    x, room = x0 + pad + int(0.28 * height), x1 - x0 - 2 * pad - int(0.28 * height)
    drawing.write(canvas, name, (x, y0 + int(0.44 * height)), int(0.36 * height), bold=True, width=room)
    place, size = (x, y0 + int(0.86 * height)), int(0.27 * height)
    if not lines:
        drawing.write(canvas, note, place, size, drawing.MUTED, width=room)
        return lambda image, t: None
    means = [(curve, curve.so_far(line)) for curve, line in lines]

    def numbers(values):
        texts = (f"{value:.1f}" if np.isfinite(value) else "–" for value in values)
        return "   ".join(f"{curve.name} {text} {curve.unit}" for (curve, _), text in zip(means, texts)) + "  so far"

    # One letter size for the whole video, from the longest text that can come.
    highest = [np.nanmax(mean) if np.isfinite(mean).any() else np.nan for _, mean in means]
    size = drawing.fitting(numbers(highest), room, size, smallest=9)[1]

    def paint(image, t):
        drawing.write(image, numbers([mean[t] for _, mean in means]), place, size, drawing.MUTED, width=room)

    return paint


def set_up(size, scale_at, title, frames, curves, colors, fps, first_frame, sides=True):
    """What all scenes share: title bar on top, plots side by side at the bottom, and the room between.

    scale_at: the height in px at which letters and lines have the sizes given in the code. Returns (canvas,
    painters, unit, top, bottom): `unit` scales those sizes, `top` and `bottom` border the free rows.
    """
    width, height = (int(side) + int(side) % 2 for side in size)
    unit = height / scale_at
    canvas = np.full((height, width, 3), drawing.PAPER, np.uint8)
    top, bottom = int(48 * unit), height - (int(200 * unit) if curves else 0)
    painters = [_title_bar(canvas, title, frames, fps, first_frame, top, sides)]
    for curve, (left, right) in zip(curves, cells(int(12 * unit), width - int(8 * unit), len(curves) or 1)):
        cell = (left, bottom, right, height)
        painters.append(inside(cell, plots.plot_curve(part(canvas, cell), curve, colors, fps, first_frame)))
    return canvas, painters, unit, top, bottom


def missing_painter(pixels, size):
    """Painter of the word 'missing' at the top left of a panel at the frames that have no joint to show."""
    there, size = np.isfinite(pixels).all(-1).any(-1), max(size, 10)

    def paint(image, t):
        if not there[t]:
            drawing.write(image, "missing", (size // 2, int(1.4 * size)), size, drawing.MUTED)

    return paint


def play(canvas, painters, frames):
    """Yield the frames: each a copy of the canvas, painted over."""
    for t in range(frames):
        image = canvas.copy()
        for paint in painters:
            paint(image, t)
        yield image


def numbers_of(curves, name):
    """[(curve, name)] of the curves that hold a track."""
    return [(curve, name) for curve in curves if name in curve.lines]
