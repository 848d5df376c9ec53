"""What every picture of a video is made of: colours, text, a viewpoint, a skeleton.

Images are uint8 arrays [H, W, 3] in RGB, drawn in place. Heavy lifting is done once a sequence (text masks,
projections, drawing orders); what is left for a frame are OpenCV's C calls.

A *painter* is a function `paint(image, t)` that draws frame t of something into an image (or into a view of
a part of one). Scenes are lists of painters over a background that is drawn once.
"""

import functools
import importlib.util
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from . import palette

SIDES = {side: palette.rgb(colour) for side, colour in palette.SIDES.items()}
ROLES = {role: palette.rgb(colours[0]) for role, colours in palette.LIGHT.items()}
PAPER, INK, MUTED, GRID = (255, 255, 255), (25, 25, 25), (105, 105, 105), (226, 226, 226)
GHOST, SHADOW, STRIP = (140, 140, 140), (222, 222, 222), (243, 243, 243)

# Coordinates go to OpenCV in sixteenths of a pixel, so that slow motion does not step.
SHIFT = 4
SHADES = 16


# --- text -----------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=64)
def _font(size, bold):
    # matplotlib's own font has every sign we print; the package is looked up, not imported (it is slow to).
    package = importlib.util.find_spec("matplotlib")
    if package is not None:
        name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
        file = Path(package.origin).parent / "mpl-data" / "fonts" / "ttf" / name
        if file.is_file():
            return ImageFont.truetype(str(file), size)
    return ImageFont.load_default(size)


@functools.lru_cache(maxsize=512)
def _text_mask(string, size, bold):
    """Opacity [h, w, 1] in 0..1 of a line of text whose baseline is `ascent` rows below the mask's top."""
    font = _font(size, bold)
    ascent, descent = font.getmetrics()
    width = max(int(np.ceil(font.getlength(string))), 1)
    canvas = Image.new("L", (width + 2, ascent + descent), 0)
    ImageDraw.Draw(canvas).text((1, ascent), string, fill=255, font=font, anchor="ls")
    return np.asarray(canvas, np.float32)[:, :, None] / 255, ascent


def text_width(string, size, bold=False):
    """Width of a line of text in px."""
    return int(np.ceil(_font(size, bold).getlength(string))) + 2


def fitting(string, width, size, bold=False, smallest=11):
    """(string, size) that fit into `width` px: first the letters shrink, then the end gives way to '…'."""
    while size > smallest and text_width(string, size, bold) > width:
        size -= 1
    if text_width(string, size, bold) > width:
        while string and text_width(string + "…", size, bold) > width:
            string = string[:-1]
        string += "…"
    return string, size


def write(image, string, position, size, color=INK, anchor="left", bold=False, width=None):
    """Write a line of text; `position` is (x, y of the baseline), `anchor` left, center or right.

    With `width` (px) the text is shrunk, then cut, to fit. What lies outside the image is clipped.
    """
    if width is not None:
        string, size = fitting(string, width, size, bold)
    mask, ascent = _text_mask(string, size, bold)
    height, long = mask.shape[:2]
    x = int(round(position[0] - {"left": 1, "center": long / 2, "right": long - 1}[anchor]))
    y = int(round(position[1])) - ascent
    x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + long, image.shape[1]), min(y + height, image.shape[0])
    if x0 >= x1 or y0 >= y1:
        return
    part = image[y0:y1, x0:x1]
    mask = mask[y0 - y : y1 - y, x0 - x : x1 - x]
    # part + (color - part) * mask; the half rounds.
    part[:] = part * (1 - mask) + (mask * np.asarray(color, np.float32) + 0.5)


# --- viewpoint ------------------------------------------------------------------------------------------


def look(points, turn=0.0, raised=0.0, distance=4.5, target=(0, 0, 0)):
    """Points as a camera `distance` metres before `target` sees them.

    points: [..., 3] metres in the camera frame of the estimator (x right, y down, z forward).
    turn: degrees about the vertical; at 90 the onlooker stands where x is large. raised: degrees above the
    horizon. Returns [..., 3]: right and down in metres as measured at the target's depth (perspective), and
    the depth in metres.
    """
    x, y, z = np.moveaxis(np.asarray(points, np.float32) - np.asarray(target, np.float32), -1, 0)
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    x, z = c * x + s * z, c * z - s * x
    c, s = np.cos(np.radians(raised)), np.sin(np.radians(raised))
    y, z = c * y - s * z, c * z + s * y
    depth = np.maximum(distance + z, 0.2 * distance)
    return np.stack([x * distance / depth, y * distance / depth, depth], -1).astype(np.float32)


def bounds(points, keep=99.8):
    """The box [[left, top], [right, bottom]] that holds the middle `keep` percent of points [..., 2].

    A few frames in which an estimator went astray must not shrink everybody for the whole video. Missing
    points (NaN) are left out; without any point the box is one unit wide.
    """
    points = np.asarray(points).reshape(-1, 2)
    points = points[np.isfinite(points).all(1)]
    if not len(points):
        return np.array([[-0.5, -0.5], [0.5, 0.5]])
    cut = (100 - keep) / 2
    return np.percentile(points, [cut, 100 - cut], axis=0)


def fit(box, width, height, margin=0.06):
    """(scale, offset [2]) that put a `bounds` box in the middle of a panel of width x height px."""
    low, high = np.asarray(box, float)
    inner = np.array([width, height]) * (1 - 2 * margin)
    scale = float((inner / np.maximum(high - low, 1e-6)).min())
    return scale, np.array([width, height]) / 2 - scale * (low + high) / 2


def to_pixels(points, scale, offset):
    """[..., 2] plane coordinates -> px; pixel (0, 0) is the middle of the first pixel, as OpenCV has it."""
    return np.asarray(points)[..., :2] * scale + offset


def fixed_point(pixels):
    """px -> int32 in OpenCV's fixed point. Missing and far-off values become a harmless corner of int32."""
    return np.rint(np.clip(np.nan_to_num(pixels, nan=0.0), -1e4, 1e4) * (1 << SHIFT)).astype(np.int32)


# --- skeletons ------------------------------------------------------------------------------------------


def shade(color, amount):
    """Colour times `amount` (0 black .. 1 itself), as a tuple OpenCV takes."""
    return tuple(int(round(channel * amount)) for channel in color)


def tint(color, amount):
    """Colour mixed with white: `amount` 0 is white, 1 the colour."""
    return tuple(int(round(255 + (channel - 255) * amount)) for channel in color)


def bones_painter(pixels, edges, color, width):
    """Painter of all bones in one colour: ghosts and shadows. pixels [T, J, 2]; one C call a frame."""
    edges = np.asarray(edges, int).reshape(-1, 2)
    lines = fixed_point(pixels)[:, edges]
    there = np.isfinite(pixels).all(-1)[:, edges].all(-1)

    def paint(image, t):
        cv2.polylines(image, lines[t][there[t]], False, color, width, cv2.LINE_AA, SHIFT)

    return paint


def skeleton_painter(pixels, layout, depth=None, width=5, outline=PAPER):
    """Painter of a skeleton: left and right in different colours, far bones drawn first and darker.

    pixels [T, J, 2], depth [T, J] metres or None (then all bones are equally near), missing joints NaN. Bones
    of width `width` px have an outline that separates a limb from what it crosses.
    """
    frames, joints = pixels.shape[:2]
    edges = np.asarray(layout.lines, int).reshape(-1, 2)
    sides = list(layout.sides)
    bone_sides = [_bone_side(sides[a], sides[b]) for a, b in edges]
    near = np.ones((frames, joints), np.float32)
    if depth is not None and np.isfinite(depth).any():
        low, high = np.nanpercentile(depth, [1, 99])
        near = np.clip((high - np.nan_to_num(depth, nan=high)) / max(high - low, 1e-6), 0, 1)
    there = np.isfinite(pixels).all(-1)

    # One list of things to draw, bones then joints, so that one sort gives the order from far to near. A
    # joint counts as a little nearer than the ends of its bones.
    closeness = np.concatenate([near[:, edges].mean(-1), near + 0.02], axis=1)
    drawn = np.concatenate([there[:, edges].all(-1), there], axis=1)
    order = np.argsort(closeness, axis=1, kind="stable") if depth is not None else None
    level = np.rint(np.clip(closeness, 0, 1) * (SHADES - 1)).astype(int)
    strength = [0.5 + 0.5 * i / (SHADES - 1) for i in range(SHADES)]
    bone_colors = [[shade(SIDES[side], s) for s in strength] for side in bone_sides]
    joint_colors = [[shade(SIDES[side], 0.75 * s) for s in strength] for side in sides]
    radius = [int(width * (0.5 + 0.25 * s) * (1 << SHIFT)) for s in strength]
    ends = fixed_point(pixels)
    # The outline stops short of the joints: it must not bite into the neighbouring bones.
    middle = fixed_point(pixels[:, edges] + 0.18 * (pixels[:, edges[:, ::-1]] - pixels[:, edges]))
    pairs = edges.tolist()
    everything = list(range(len(pairs) + joints))

    def paint(image, t):
        place, inner = ends[t].tolist(), middle[t].tolist()
        deep, visible = level[t].tolist(), drawn[t].tolist()
        for i in everything if order is None else order[t].tolist():
            if not visible[i]:
                continue
            if i < len(pairs):
                a, b = pairs[i]
                if outline is not None:
                    cv2.line(image, inner[i][0], inner[i][1], outline, width + 4, cv2.LINE_AA, SHIFT)
                cv2.line(image, place[a], place[b], bone_colors[i][deep[i]], width, cv2.LINE_AA, SHIFT)
            else:
                j = i - len(pairs)
                cv2.circle(image, place[j], radius[deep[i]], joint_colors[j][deep[i]], -1, cv2.LINE_AA, SHIFT)

    return paint


def _bone_side(a, b):
    """A bone to the middle belongs to its outer joint's side, one from left to right to neither."""
    if "middle" in (a, b):
        return b if a == "middle" else a
    return a if a == b else "middle"


def trail_painter(pixels, colors, length):
    """Painter of the last `length` frames' paths of K joints: pixels [T, K, 2], one colour each.

    A path breaks where the joint is missing. The older half is drawn thinner.
    """
    there = np.isfinite(pixels).all(-1)
    paths = fixed_point(pixels)

    def paint(image, t):
        for k, color in enumerate(colors):
            half = t - length // 2
            for first, last, width in ((max(t - length, 0), half, 1), (max(half, 0), t, 2)):
                for run in runs(there[first : last + 1, k]):
                    if run.stop - run.start > 1:
                        path = paths[first + run.start : first + run.stop, k]
                        cv2.polylines(image, [path], False, color, width, cv2.LINE_AA, SHIFT)

    return paint


def runs(flags):
    """Slices of the unbroken runs of True."""
    if flags.all():
        return [slice(0, len(flags))] if len(flags) else []
    steps = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return [slice(a, b) for a, b in steps.reshape(-1, 2).tolist()]


def draw_ground(image, see, half=1.5, step=0.5, color=GRID):
    """Draw a square grid of the ground once. `see` maps [..., 3] metres at height 0 of the ground to px."""
    lines = np.arange(-half, half + step / 2, step)
    # Fine steps along each line: perspective keeps lines straight, but clipped depths do not.
    along = np.linspace(-half, half, 13)
    for value in lines:
        for points in (
            np.stack([np.full_like(along, value), 0 * along, along], -1),
            np.stack([along, 0 * along, np.full_like(along, value)], -1),
        ):
            cv2.polylines(image, [fixed_point(see(points))], False, color, 1, cv2.LINE_AA, SHIFT)
