"""Bodies: one column per track of shaded meshes, in parallel."""

import os
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np

from . import drawing, mesh, stage


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

    tracks: list of stage.Drawn with vertices and faces; joints [T, J, 3] (metres) may be None, then there are no
    curves but those given. Default size 1600x900, wider from five tracks on. Bodies are drawn in parallel.
    The rest as in `pose_scene_3d`.
    """
    frames, colors = stage.length(tracks), stage.colors_of(tracks)
    curves = stage.default_curves(tracks, "mm") if curves is None else curves
    size = size or (max(1600, 360 * len(tracks)), 900)
    canvas, painters, unit, bar, bottom = stage.set_up(
        size, 850, title, frames, curves, colors, fps, first_frame, sides=False
    )
    top = bar + int(54 * unit)
    columns = stage.cells(0, canvas.shape[1], len(tracks))

    # The extent from a few dozen frames: vertices may be computed one frame at a time.
    some = [
        np.asarray(track.vertices[t], np.float32)
        for track in stage.reference(tracks)
        for t in np.unique(np.linspace(0, frames - 1, 40).astype(int))
    ]
    sample = np.concatenate([vertices[:: max(len(vertices) // 1000, 1)] for vertices in some])
    box = stage.aired(drawing.bounds(drawing.look(sample, turn, stage.RAISED)[:, :2], 99.9))
    scale, offset = drawing.fit(box, columns[0][1] - columns[0][0], bottom - top, 0.02)
    ground = float(np.nanpercentile(sample[:, 1], 99.9)) if np.isfinite(sample).any() else 1.0

    def on_ground(points):
        points = np.array(points, np.float32)
        points[..., 1] = ground
        return drawing.to_pixels(drawing.look(points, turn, stage.RAISED), scale, offset)

    bodies = []
    for track, (left, right) in zip(tracks, columns):
        cell = (left + 1, top, right, bottom)
        painters.append(
            stage.header(
                canvas,
                (left, bar, right, top),
                track.name,
                colors,
                curves,
                "reference" if curves else "",
            )
        )
        drawing.draw_ground(stage.part(canvas, cell), on_ground)
        if left:
            cv2.line(canvas, (left, bar), (left, bottom), drawing.GRID, 1)
        bodies.append((cell, _body_painter(track, colors[track.name], on_ground, turn, scale, offset)))

    def play():
        with ThreadPoolExecutor(min(len(bodies), os.cpu_count() or 1)) as pool:
            for t in range(frames):
                image = canvas.copy()
                drawn = [pool.submit(paint, stage.part(image, cell), t) for cell, paint in bodies]
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
        mesh.draw_mesh(image, drawing.look(vertices, turn, stage.RAISED), faces, order, colors, scale, offset)

    return paint
