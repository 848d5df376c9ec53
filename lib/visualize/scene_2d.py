"""Skeletons in the image: one panel a track, over the frames of the video or plain."""

import itertools

import cv2
import numpy as np

from . import drawing, stage


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

    tracks: list of stage.Drawn with joints [T, J, 2] in px. background: None, or an iterable of RGB images of which
    the first belongs to the first frame; if it ends early its last image stays. The panels show the part of
    the image in which the tracks move, or all of it with `whole_image`. trail: frames of path behind wrists
    and ankles, 0 for none. The rest as in `pose_scene_3d`.
    """
    frames, colors, truth = stage.length(tracks), stage.colors_of(tracks), stage.truth_of(tracks)
    curves = stage.default_curves(tracks, "px") if curves is None else curves
    size = size or (stage.default_width(tracks, 400), 720)
    canvas, painters, unit, bar, bottom = stage.set_up(size, 720, title, frames, curves, colors, fps, first_frame)
    height, gap = canvas.shape[0], int(6 * unit)
    top, bottom = bar + int(50 * unit), bottom - gap
    columns = stage.cells(0, canvas.shape[1], len(tracks))
    panel = (columns[0][1] - columns[0][0] - 2 * gap, bottom - top)
    box = drawing.bounds(np.concatenate([track.joints.reshape(-1, 2) for track in stage.reference(tracks)]), 99.8)
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
            stage.header(
                canvas,
                (left, bar, left + panel[0] + 2 * gap, top),
                track.name,
                colors,
                curves,
                note,
            )
        )
        if picture is None:
            stage.part(canvas, cell)[:] = drawing.STRIP
        else:
            painters.append(stage.inside(cell, lambda image, t: np.copyto(image, picture(t))))
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
        inner.append(stage.missing_painter(pixels, height // 45))
        painters += [stage.inside(cell, paint) for paint in inner]
    return stage.play(canvas, painters, frames)
