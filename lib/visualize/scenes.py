"""What a video shows: tracks of poses side by side, their curves below. Plain arrays in, RGB frames out.

Every scene is a function that lays everything out at once (projections, sizes, the drawn-once background)
and returns an iterator of uint8 frames [H, W, 3] in RGB. Nothing is scaled by what a single frame holds, so
nothing jumps. Missing joints are NaN and are not drawn.
"""

import itertools
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np

from . import curves as plots
from . import drawing, mesh, palette


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


# The two viewpoints of 3D: turn about the vertical in degrees, and what it is called.
VIEWPOINTS = ((0.0, "camera view"), (90.0, "side view, 90°"))
RAISED = 9.0


# --- layout ---------------------------------------------------------------------------------------------


def _length(tracks):
    lengths = {len(track.joints if track.joints is not None else track.vertices) for track in tracks}
    if len(lengths) != 1 or 0 in lengths:
        raise ValueError(f"tracks need one common, positive number of frames, got {sorted(lengths)}")
    if len({track.name for track in tracks}) != len(tracks):
        raise ValueError("tracks need different names")
    return lengths.pop()


def _default_width(tracks, column):
    """Wide enough for the columns; of many each gets less, so that letters stay readable on a screen."""
    return max(1280, (column if len(tracks) <= 4 else 400) * len(tracks))


def _colors(tracks):
    """name -> RGB."""
    places = palette.places([(track.name, track.color_role) for track in tracks])
    return {track.name: palette.rgb(palette.LIGHT[track.color_role][places[track.name]]) for track in tracks}


def _truth(tracks):
    return next((track for track in tracks if track.color_role == "truth"), None)


def _reference(tracks):
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


def _aired(box):
    """A `bounds` box with air on all sides."""
    low, high = np.asarray(box, float)
    return np.array([low - AIR / 2 * (high - low), high + AIR / 2 * (high - low)])


def default_curves(tracks, unit):
    """The curves a scene shows when none are given: the joints' errors, against the truth if it is there."""
    truth = _truth(tracks)
    named = {track.name: track.joints for track in tracks if track is not truth and track.joints is not None}
    if not named or (truth is not None and truth.joints is None):
        return []
    return plots.error_curves(named, None if truth is None else truth.joints, unit)


def _cells(x0, x1, count):
    """Whole-numbered borders of `count` equal columns: list of (left, right)."""
    edges = np.linspace(x0, x1, count + 1).round().astype(int).tolist()
    return list(zip(edges[:-1], edges[1:]))


def _inside(box, paint):
    """A painter that draws in the part (x0, y0, x1, y1) of the image, and is clipped there."""
    x0, y0, x1, y1 = box
    return lambda image, t: paint(image[y0:y1, x0:x1], t)


def _part(image, box):
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


def _header(canvas, box, name, color, lines, note=""):
    """A column's head: colour, name, and below it the numbers so far. Returns the painter of the numbers.

    lines: [(curve, name in it)]. `note` stands where a track has no numbers.
    """
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


def _stage(size, scale_at, title, frames, curves, colors, fps, first_frame, sides=True):
    """What all scenes share: title bar on top, plots side by side at the bottom, and the room between.

    scale_at: the height in px at which letters and lines have the sizes given in the code. Returns (canvas,
    painters, unit, top, bottom): `unit` scales those sizes, `top` and `bottom` border the free rows.
    """
    width, height = (int(side) + int(side) % 2 for side in size)
    unit = height / scale_at
    canvas = np.full((height, width, 3), drawing.PAPER, np.uint8)
    top, bottom = int(48 * unit), height - (int(200 * unit) if curves else 0)
    painters = [_title_bar(canvas, title, frames, fps, first_frame, top, sides)]
    for curve, (left, right) in zip(curves, _cells(int(12 * unit), width - int(8 * unit), len(curves) or 1)):
        cell = (left, bottom, right, height)
        painters.append(_inside(cell, plots.plot_curve(_part(canvas, cell), curve, colors, fps, first_frame)))
    return canvas, painters, unit, top, bottom


def _missing_painter(pixels, size):
    """Painter of the word 'missing' at the top left of a panel at the frames that have no joint to show."""
    there, size = np.isfinite(pixels).all(-1).any(-1), max(size, 10)

    def paint(image, t):
        if not there[t]:
            drawing.write(image, "missing", (size // 2, int(1.4 * size)), size, drawing.MUTED)

    return paint


def _play(canvas, painters, frames):
    for t in range(frames):
        image = canvas.copy()
        for paint in painters:
            paint(image, t)
        yield image


def _numbers_of(curves, name):
    return [(curve, name) for curve in curves if name in curve.lines]


# --- skeletons in space ---------------------------------------------------------------------------------


class _Space:
    """The fixed projection of a group of 3D tracks: one scale for all panels, ground below the feet."""

    def __init__(self, tracks, turns, width, height):
        reference = _reference(tracks)
        everything = np.concatenate([track.joints.reshape(-1, 3) for track in reference])
        self.turns = turns
        # Where the truth goes is always in the picture.
        keep = 100 if reference[0].color_role == "truth" else 99.8
        boxes = [_aired(drawing.bounds(self.seen(everything, turn)[:, :2], keep)) for turn in turns]
        self.scale = min(drawing.fit(box, width, height, 0.03)[0] for box in boxes)
        self.offsets = [np.array([width, height]) / 2 - self.scale * box.mean(0) for box in boxes]
        feet = everything[..., 1]
        self.ground = float(np.nanpercentile(feet, 99.9)) + 0.03 if np.isfinite(feet).any() else 1.0

    def seen(self, points, turn):
        return drawing.look(points, turn, RAISED)

    def place(self, joints, i):
        """[..., 3] metres -> px [..., 2] in the panel of viewpoint i, and depth in metres."""
        seen = self.seen(joints, self.turns[i])
        return drawing.to_pixels(seen, self.scale, self.offsets[i]), seen[..., 2]

    def on_ground(self, joints):
        points = np.array(joints, np.float32)
        points[..., 1] = np.where(np.isfinite(points[..., 1]), self.ground, np.nan)
        return points

    def grid(self, panel, i):
        origin = np.array([0, self.ground, 0], np.float32)
        drawing.draw_ground(panel, lambda points: self.place(points.astype(np.float32) + origin, i)[0])


def _panel_3d(canvas, box, space, i, track, ghost, layout, width):
    """Ground, shadow, ghost of the truth and skeleton of one panel; returns the painters."""
    space.grid(_part(canvas, box), i)
    pixels, depth = space.place(track.joints, i)
    shadow = space.place(space.on_ground(track.joints), i)[0]
    painters = [drawing.bones_painter(shadow, layout.lines, drawing.SHADOW, width + 2)]
    if ghost is not None:
        behind = space.place(ghost.joints, i)[0]
        painters.append(drawing.bones_painter(behind, layout.lines, drawing.GHOST, 1))
    painters.append(drawing.skeleton_painter(pixels, layout, depth, width))
    painters.append(_missing_painter(pixels, canvas.shape[0] // 45))
    return [_inside(box, paint) for paint in painters]


def pose_scene_3d(tracks, layout, title="", curves=None, fps=30.0, size=None, first_frame=0):
    """Skeletons in space: one column per track, each from the camera and from the side, curves below.

    tracks: list of Track with joints [T, J, 3]; the one with role 'truth' also stands thinly behind the
    others. layout: of lib.poses.skeletons. curves: list of `curves.Curve` by track name; None computes them,
    [] leaves them out. size: (width, height) in px, default 480 a column (400 from five on) but at least
    1280, by 720. first_frame: number of the first frame in the sequence it was cut from. Returns an iterator
    of T RGB frames.
    """
    frames, colors, truth = _length(tracks), _colors(tracks), _truth(tracks)
    curves = default_curves(tracks, "mm") if curves is None else curves
    size = size or (_default_width(tracks, 480), 720)
    canvas, painters, unit, bar, bottom = _stage(size, 720, title, frames, curves, colors, fps, first_frame)
    top = bar + int(50 * unit)
    columns = _cells(0, canvas.shape[1], len(tracks))
    gap, caption = int(4 * unit), int(24 * unit)
    panels = [_cells(left, right, len(VIEWPOINTS)) for left, right in columns]
    space = _Space(
        tracks, [turn for turn, _ in VIEWPOINTS], panels[0][0][1] - panels[0][0][0] - 2 * gap, bottom - caption - top
    )
    for track, (left, right), cells in zip(tracks, columns, panels):
        ghost = truth if track is not truth else None
        note = "also as thin lines in the other panels" if track is truth and len(tracks) > 1 else ""
        painters.append(
            _header(
                canvas, (left, bar, right, top), track.name, colors[track.name], _numbers_of(curves, track.name), note
            )
        )
        for i, ((x0, x1), (_, label)) in enumerate(zip(cells, VIEWPOINTS)):
            box = (x0 + gap, top, x1 - gap, bottom - caption)
            painters += _panel_3d(canvas, box, space, i, track, ghost, layout, max(int(round(5 * unit)), 2))
            drawing.write(
                canvas,
                label,
                ((x0 + x1) / 2, bottom - int(8 * unit)),
                int(13 * unit),
                drawing.MUTED,
                "center",
                width=x1 - x0 - 8,
            )
        if left:
            cv2.line(canvas, (left, bar), (left, bottom), drawing.GRID, 1)
    return _play(canvas, painters, frames)


# --- skeletons in the image -----------------------------------------------------------------------------


def _trail_joints(layout):
    """Wrists and ankles, where the layout has them."""
    return [j for j, name in enumerate(layout.joints) if name.endswith(("wrist", "ankle"))]


def _figure_height(tracks):
    """Median height of the figures in px, 0 without any."""
    joints = np.concatenate([track.joints[..., 1] for track in tracks])
    joints = joints[np.isfinite(joints).any(1)]
    return float(np.median(np.nanmax(joints, 1) - np.nanmin(joints, 1))) if len(joints) else 0.0


def _region(box, panel, image_size=None):
    """The part [x0, y0, x1, y1] of the image that a panel (width, height) shows: the box with air around it,
    in the panel's shape, and inside the image where there is one."""
    low, high = np.asarray(box, float)
    middle, extent = (low + high) / 2, np.maximum(high - low, 1.0) * 1.2
    aspect = panel[0] / panel[1]
    extent = np.array([max(extent[0], extent[1] * aspect), max(extent[1], extent[0] / aspect)])
    if image_size is not None:
        limit = np.asarray(image_size, float)
        extent = np.minimum(extent, limit)
        middle = np.clip(middle, extent / 2, limit - extent / 2)
    return np.concatenate([middle - extent / 2, middle + extent / 2])


def _pictures(first, rest, region, size):
    """`picture(t)`: successive images, cut to `region`, brought to `size`. The last stays when they end."""
    x0, y0, x1, y1 = (int(round(value)) for value in region)
    shape = first.shape
    images = itertools.chain([first], rest)
    state = {"t": -1, "image": None}

    def picture(t):
        while state["t"] < t:
            image = next(images, None)
            state["t"] += 1
            if image is not None:
                if image.shape[:2] != shape[:2]:
                    image = cv2.resize(image, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
                part = np.ascontiguousarray(image[y0:y1, x0:x1])
                way = cv2.INTER_AREA if part.shape[1] > size[0] else cv2.INTER_LINEAR
                state["image"] = cv2.resize(part, size, interpolation=way)
        return state["image"]

    return picture


def pose_scene_2d(
    tracks,
    layout,
    background=None,
    title="",
    curves=None,
    fps=30.0,
    size=None,
    first_frame=0,
    trail=20,
    whole_image=False,
):
    """Skeletons in the image: one panel a track, over the video's frames or plain, curves below.

    tracks: list of Track with joints [T, J, 2] in px. background: None, or an iterable of RGB images of which
    the first belongs to the first frame; if it ends early its last image stays. The panels show the part of
    the image in which the tracks move, or all of it with `whole_image`. trail: frames of path behind wrists
    and ankles, 0 for none. The rest as in `pose_scene_3d`.
    """
    frames, colors, truth = _length(tracks), _colors(tracks), _truth(tracks)
    curves = default_curves(tracks, "px") if curves is None else curves
    size = size or (_default_width(tracks, 400), 720)
    canvas, painters, unit, bar, bottom = _stage(size, 720, title, frames, curves, colors, fps, first_frame)
    height, gap = canvas.shape[0], int(6 * unit)
    top, bottom = bar + int(50 * unit), bottom - gap
    columns = _cells(0, canvas.shape[1], len(tracks))
    panel = (columns[0][1] - columns[0][0] - 2 * gap, bottom - top)
    box = drawing.bounds(np.concatenate([track.joints.reshape(-1, 2) for track in _reference(tracks)]), 99.8)
    picture, image_size = None, None
    if background is not None:
        images = iter(background)
        first = next(images, None)
        if first is not None:
            image_size = first.shape[1::-1]
            if whole_image:
                box = np.array([[0, 0], image_size], float)
    region = _region(box, panel, image_size)
    scale = min(panel[0] / (region[2] - region[0]), panel[1] / (region[3] - region[1]))
    shown = tuple(int(round(side * scale)) for side in (region[2] - region[0], region[3] - region[1]))
    if image_size is not None:
        region = np.round(region)
        picture = _pictures(first, images, region, shown)
    # cv2.resize maps pixel borders, not pixel middles.
    offset = -scale * (region[:2] - 0.5) - 0.5

    # Thin bones on small figures, or they hide themselves.
    bone = int(np.clip(round(0.014 * scale * _figure_height(tracks)), 2, max(4 * unit, 2)))
    followed = _trail_joints(layout) if trail else []
    for track, (left, _) in zip(tracks, columns):
        x0, y0 = left + gap + (panel[0] - shown[0]) // 2, top + (panel[1] - shown[1]) // 2
        cell = (x0, y0, x0 + shown[0], y0 + shown[1])
        note = "also as thin lines in the other panels" if track is truth and len(tracks) > 1 else ""
        painters.append(
            _header(
                canvas,
                (left, bar, left + panel[0] + 2 * gap, top),
                track.name,
                colors[track.name],
                _numbers_of(curves, track.name),
                note,
            )
        )
        if picture is None:
            _part(canvas, cell)[:] = drawing.STRIP
        else:
            painters.append(_inside(cell, lambda image, t: np.copyto(image, picture(t))))
        pixels = drawing.to_pixels(track.joints, scale, offset)
        inner = []
        if truth is not None and track is not truth:
            inner.append(
                drawing.bones_painter(
                    drawing.to_pixels(truth.joints, scale, offset),
                    layout.lines,
                    drawing.GHOST if picture is None else drawing.PAPER,
                    1,
                )
            )
        if followed:
            inner.append(
                drawing.trail_painter(pixels[:, followed], [drawing.SIDES[layout.sides[j]] for j in followed], trail)
            )
        # Over an image the whole figure gets a light edge, whatever is behind it.
        inner.append(drawing.bones_painter(pixels, layout.lines, drawing.PAPER, bone + 3))
        inner.append(drawing.skeleton_painter(pixels, layout, None, bone, outline=None))
        inner.append(_missing_painter(pixels, height // 45))
        painters += [_inside(cell, paint) for paint in inner]
    return _play(canvas, painters, frames)


# --- bodies ---------------------------------------------------------------------------------------------


def _shadow(image, pixels, strength=70):
    """Soften the ground under a body: vertices seen on the ground, splatted coarsely, blurred, subtracted."""
    coarse = 4
    height, width = image.shape[:2]
    mask = np.zeros((height // coarse + 1, width // coarse + 1), np.uint8)
    at = (pixels / coarse).astype(int)
    at = at[((at >= 0) & (at < mask.shape[::-1])).all(1)]
    if not len(at):
        return
    mask[at[:, 1], at[:, 0]] = strength
    mask = cv2.GaussianBlur(cv2.dilate(mask, np.ones((3, 3), np.uint8)), (0, 0), 3)
    rows = np.flatnonzero(mask.any(1))
    y0, y1 = rows[0] * coarse, min((rows[-1] + 1) * coarse, height)
    band = cv2.resize(
        mask[rows[0] : rows[-1] + 1],
        (mask.shape[1] * coarse, (rows[-1] + 1 - rows[0]) * coarse),
        interpolation=cv2.INTER_LINEAR,
    )[: y1 - y0, :width]
    image[y0:y1] = cv2.subtract(image[y0:y1], cv2.cvtColor(band, cv2.COLOR_GRAY2RGB))


def mesh_scene(tracks, title="", curves=None, fps=30.0, size=None, first_frame=0, turn=0.0):
    """Shaded bodies: one column per track, seen from the camera, `turn` degrees from its side; curves below.

    tracks: list of Track with vertices and faces; joints [T, J, 3] (metres) may be None, then there are no
    curves but those given. Default size 1600x900, wider from five tracks on. Bodies are drawn in parallel.
    The rest as in `pose_scene_3d`.
    """
    frames, colors = _length(tracks), _colors(tracks)
    curves = default_curves(tracks, "mm") if curves is None else curves
    size = size or (max(1600, 360 * len(tracks)), 900)
    canvas, painters, unit, bar, bottom = _stage(
        size, 850, title, frames, curves, colors, fps, first_frame, sides=False
    )
    top = bar + int(54 * unit)
    columns = _cells(0, canvas.shape[1], len(tracks))

    # The extent from a few dozen frames: vertices may be computed one frame at a time.
    some = [
        np.asarray(track.vertices[t], np.float32)
        for track in _reference(tracks)
        for t in np.unique(np.linspace(0, frames - 1, 40).astype(int))
    ]
    sample = np.concatenate([vertices[:: max(len(vertices) // 1000, 1)] for vertices in some])
    box = _aired(drawing.bounds(drawing.look(sample, turn, RAISED)[:, :2], 99.9))
    scale, offset = drawing.fit(box, columns[0][1] - columns[0][0], bottom - top, 0.02)
    ground = float(np.nanpercentile(sample[:, 1], 99.9)) if np.isfinite(sample).any() else 1.0

    def on_ground(points):
        points = np.array(points, np.float32)
        points[..., 1] = ground
        return drawing.to_pixels(drawing.look(points, turn, RAISED), scale, offset)

    bodies = []
    for track, (left, right) in zip(tracks, columns):
        cell = (left + 1, top, right, bottom)
        painters.append(
            _header(
                canvas,
                (left, bar, right, top),
                track.name,
                colors[track.name],
                _numbers_of(curves, track.name),
                "reference" if curves else "",
            )
        )
        drawing.draw_ground(_part(canvas, cell), on_ground)
        if left:
            cv2.line(canvas, (left, bar), (left, bottom), drawing.GRID, 1)
        bodies.append((cell, _body_painter(track, colors[track.name], on_ground, turn, scale, offset)))

    def play():
        with ThreadPoolExecutor(min(len(bodies), os.cpu_count() or 1)) as pool:
            for t in range(frames):
                image = canvas.copy()
                drawn = [pool.submit(paint, _part(image, cell), t) for cell, paint in bodies]
                for paint in painters:
                    paint(image, t)
                for job in drawn:
                    job.result()
                yield image

    return play()


def _body_painter(track, color, on_ground, turn, scale, offset):
    faces = np.ascontiguousarray(track.faces, dtype=np.int32)
    # A dark body would hide its own shading.
    colors = mesh.palette(drawing.tint(color, 0.45 if track.color_role == "truth" else 0.8))
    order = None

    def paint(image, t):
        nonlocal order
        vertices = np.asarray(track.vertices[t], np.float32)
        if not np.isfinite(vertices).all():
            drawing.write(image, "missing", (9, 25), 18, drawing.MUTED)
            return
        if order is None:
            order = mesh.corner_order(faces, len(vertices))
        _shadow(image, on_ground(vertices[::2]))
        mesh.draw_mesh(image, drawing.look(vertices, turn, RAISED), faces, order, colors, scale, offset)

    return paint


# --- several views --------------------------------------------------------------------------------------


def multi_view_scene(views, cues, layout, title="", curves=None, fps=30.0, size=None, first_frame=0, names=None):
    """All views of one recording in one picture: one column per view, one row per track, its quality cue below.

    views: for each of V views its list of Track (joints [T, J, 3], the same names in the same order; what a
    view misses is NaN), estimator first; a track of role 'truth' gets no row and stands thinly behind the
    others. cues: [V, T], the network's confidence in each view at each frame, or None; strips share one
    scale, and the view with the highest cue of a frame is marked. curves: as elsewhere, by track name; None
    gives the mean over the views. names: of the views, default 'view 1' and so on. Default size 1600x900 for
    four views.
    """
    frames = {_length(tracks) for tracks in views}
    if len(frames) != 1:
        raise ValueError(f"views need one common number of frames (missing ones NaN), got {sorted(frames)}")
    frames, colors = frames.pop(), _colors(views[0])
    rows = [i for i, track in enumerate(views[0]) if track.color_role != "truth"]
    per_view = [default_curves(tracks, "mm") for tracks in views]
    curves = _mean_curves(per_view) if curves is None else curves
    names = names or [f"view {v + 1}" for v in range(len(views))]

    size = size or (max(1280, min(400 * len(views), 1600), 300 * len(views)), 900)
    canvas, painters, unit, bar, bottom = _stage(size, 900, title, frames, curves, colors, fps, first_frame)
    strip = bottom - int(86 * unit) if cues is not None else bottom
    columns = _cells(0, canvas.shape[1], len(views))
    lines = _cells(bar + int(30 * unit), strip, len(rows))
    label = int(24 * unit)
    panel = (columns[0][1] - columns[0][0], lines[0][1] - lines[0][0] - label)
    for v, (tracks, (left, right)) in enumerate(zip(views, columns)):
        space = _Space(tracks, [0.0], *panel)
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
            painters += _panel_3d(
                canvas,
                (left + 1, y0 + label, right, y1),
                space,
                0,
                track,
                _truth(tracks),
                layout,
                max(int(round(4 * unit)), 2),
            )
            painters.append(
                _row_label(
                    canvas,
                    (left, y0, right, y0 + label),
                    track.name,
                    colors[track.name],
                    _numbers_of(per_view[v], track.name),
                )
            )
            cv2.line(canvas, (left, y0), (right, y0), drawing.GRID, 1)
        if left:
            cv2.line(canvas, (left, bar), (left, bottom), drawing.GRID, 1)
    if cues is not None:
        painters += _cue_strips(canvas, np.asarray(cues, float), columns, strip, bottom, unit)
    return _play(canvas, painters, frames)


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
        strip = plots.plot_strip(_part(canvas, cell), cues[v], low - air, high + air, color)
        painters.append(_inside(cell, strip))
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
