"""A small software rasteriser for body meshes: depth buffer, smooth shading, anti-aliased edges. numpy only.

All triangles are turned into their pixel rows at once, all rows into their pixels at once, and the nearest
pixel wins by one `np.minimum.at` on integers that carry the depth in their high and the brightness in their
low half, so that what survives is already the picture.
"""

import cv2
import numpy as np

# Where the light comes from, as seen by the onlooker (right, down, forward): from the upper left, behind him.
LIGHT = np.array([-0.45, -0.65, -0.62], np.float32) / np.float32(np.linalg.norm([-0.45, -0.65, -0.62]))
AMBIENT, DIFFUSE, SPECULAR, SHININESS = 0.42, 0.58, 0.22, 24
# The integer of a pixel: depth in the high half, brightness in 255ths with a fraction of 24 bits in the low.
EMPTY, VALUE_BITS, DEPTH_LEVELS = np.uint64(2**64 - 1), 24, 2.0**30


def corner_order(faces, vertices):
    """What `vertex_normals` needs to know of a mesh, computed once: faces [F, 3], number of vertices N."""
    corners = np.asarray(faces).ravel()
    order = np.argsort(corners, kind="stable")
    used, first = np.unique(corners[order], return_index=True)
    return order // 3, used, first, vertices


def vertex_normals(vertices, faces, order):
    """Unit normals [N, 3]: the area-weighted mean of the normals of the faces around each vertex.

    Faces are counter-clockwise as seen from outside in a frame with y up (SMPL's order), which in the camera
    frame (y down, z forward) gives normals that point outward. A vertex without a face gets zeros.
    """
    a, b, c = vertices[faces[:, 0]], vertices[faces[:, 1]], vertices[faces[:, 2]]
    across = cross(b - a, c - a)
    face_of_corner, used, first, count = order
    normals = np.zeros((count, 3), np.float32)
    normals[used] = np.add.reduceat(across[face_of_corner], first, axis=0)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)


def cross(a, b):
    """Cross product of [..., 3] arrays; numpy's own is several times slower on many small vectors."""
    x, y, z = a.T
    u, v, w = b.T
    return np.stack([y * w - z * v, z * u - x * w, x * v - y * u], axis=-1)


def lighting(normals, light=LIGHT):
    """Brightness of a white surface [...] from unit normals [..., 3] seen along +z: Blinn-Phong.

    AMBIENT + DIFFUSE * max(n.l, 0) + SPECULAR * max(n.h, 0)^SHININESS, with h half way between the light and
    the onlooker (Blinn 1977). Values above 1 are for the highlight, see `palette`.
    """
    half = light + np.array([0, 0, -1], np.float32)
    half /= np.linalg.norm(half)
    lambert = np.maximum(normals @ light, 0)
    return AMBIENT + DIFFUSE * lambert + SPECULAR * np.maximum(normals @ half, 0) ** SHININESS


def palette(color):
    """[256, 1, 3] uint8: a surface's colour at brightness index * 1.25 / 255: dark, itself, then white."""
    brightness = np.linspace(0, 1.25, 256)[:, None, None]
    base = np.asarray(color, float)
    glare = np.clip(brightness - 1, 0, 1) * 2
    return np.rint(base * np.minimum(brightness, 1) * (1 - glare) + 255 * glare).astype(np.uint8)


def rasterise(points, depth, values, faces, width, height):
    """Draw triangles with linearly varying values into a depth buffer.

    points: [N, 2] px (pixel centres are whole numbers), depth [N] >= 0, smaller is nearer, linear on the
    screen (for a perspective that is an affine function of 1/z, not z), values [N] in 0..1, faces [F, 3].
    Returns (values [height, width] uint8 of 255ths, covered [height, width] bool). A pixel belongs to a
    triangle by the half-open rule, so neighbours neither overlap nor leave a gap. Faces with a vertex that is
    not finite are left out.
    """
    finite = np.isfinite(points).all(1) & np.isfinite(depth) & np.isfinite(values)
    faces = faces if finite.all() else faces[finite[faces].all(1)]
    buffer = np.full(height * width, EMPTY)
    # A limit far outside the picture keeps the integers below from overflowing.
    points = np.clip(np.nan_to_num(points), -1e5, 1e5).astype(np.float64)
    span = float(np.max(depth[faces], initial=0)) or 1.0
    # The margins keep rounding from spilling over from one half of the integer into the other.
    depth = (depth / span + 0.01) * DEPTH_LEVELS
    values = np.clip(values * 255 + 0.5, 0.1, 255.9)
    _fill(points, depth, values, faces, width, height, buffer)
    shape = (height, width)
    return (buffer >> np.uint64(VALUE_BITS)).astype(np.uint8).reshape(shape), (buffer != EMPTY).reshape(shape)


def _fill(points, depth, values, faces, width, height, buffer):
    # Corners a, b, c from top to bottom. Every edge runs down, so two triangles compute a shared one alike.
    faces = np.take_along_axis(faces, np.argsort(points[:, 1][faces], axis=1), axis=1).T
    (ax, bx, cx), (ay, by, cy) = points[:, 0][faces], points[:, 1][faces]
    area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
    # Of slivers, whose planes would be all rounding, one corner stands for all.
    scale = np.where(np.abs(area) > 1e-3, 1 / np.where(area == 0, 1, area), 0)

    def plane(at):
        a, b, c = at[faces]
        per_x = ((b - a) * (cy - ay) - (c - a) * (by - ay)) * scale
        per_y = ((c - a) * (bx - ax) - (b - a) * (cx - ax)) * scale
        return a - per_x * ax - per_y * ay, per_x, per_y

    # Depth and value at pixel (x, y) are corner + x * per_x + y * per_y, as two halves of one integer. The
    # sums overflow on the way for steep planes, but integers that wrap around come back exactly.
    corner, per_x, per_y = (
        (np.rint(d).astype(np.int64) << 32) + np.rint(v * 2.0**VALUE_BITS).astype(np.int64)
        for d, v in zip(plane(depth), plane(values))
    )

    # Each triangle is an upper and a lower part, between the long edge ac and the short one ab or bc.
    def edge(x0, y0, x1, y1):
        slope = (x1 - x0) / np.maximum(y1 - y0, 1e-9)
        return np.stack([x0 - y0 * slope, slope])

    long = np.tile(edge(ax, ay, cx, cy), 2)
    short = np.concatenate([edge(ax, ay, bx, by), edge(bx, by, cx, cy)], 1)
    long_first = np.tile(area > 0, 2)
    left, right = np.where(long_first, long, short), np.where(long_first, short, long)
    borders = np.clip(np.ceil([ay, by, cy]), 0, height).astype(np.int64)
    first, rows = borders[:2].ravel(), (borders[1:] - borders[:2]).ravel()

    # One entry a row of each part.
    part = np.repeat(np.arange(len(rows)), rows)
    y = _ranges(first, rows)
    start = np.clip(np.ceil(left[0][part] + y * left[1][part]), 0, width).astype(np.int64)
    length = np.clip(np.ceil(right[0][part] + y * right[1][part]), 0, width).astype(np.int64) - start
    kept = np.flatnonzero(length > 0)
    triangle, y, start, length = part[kept] % len(area), y[kept], start[kept], length[kept]

    # One entry a pixel of each row: the pixels are numbered through, and each row's line of keys starts where
    # it would have been at number 0.
    number = np.arange(length.sum())
    before = np.cumsum(length) - length
    slope = per_x[triangle]
    key = np.repeat(slope, length)
    key *= number
    key += np.repeat(corner[triangle] + y * per_y[triangle] + (start - before) * slope, length)
    number += np.repeat(y * width + start - before, length)
    np.minimum.at(buffer, number, key.view(np.uint64))


def _ranges(starts, lengths):
    """Concatenation of arange(start, start + length) over all entries."""
    before = np.cumsum(lengths) - lengths
    return np.arange(lengths.sum()) + np.repeat(starts - before, lengths)


def draw_mesh(image, seen, faces, order, colors, scale, offset, supersample=2):
    """Shade one body into `image` (a view of the canvas), anti-aliased.

    seen: [N, 3] as `drawing.look` gives it (right, down, depth in metres); faces [F, 3]; order: of
    `corner_order`; colors: `palette`; scale, offset: of `drawing.fit`. Only faces that look at us are drawn.
    """
    height, width = image.shape[:2]
    if not np.isfinite(seen).all():
        return
    pixels = seen[:, :2] * np.float32(scale) + np.asarray(offset, np.float32)
    x0, y0 = np.maximum(np.floor(pixels.min(0)).astype(int) - 1, 0)
    x1, y1 = np.minimum(np.ceil(pixels.max(0)).astype(int) + 2, [width, height])
    if x0 >= x1 or y0 >= y1:
        return
    # Normals from what is seen: the perspective is weak, and this spares turning them into the view.
    normals = vertex_normals(seen, faces, order)
    a, b, c = (pixels[faces[:, i]] for i in range(3))
    facing = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (c[:, 0] - a[:, 0]) * (b[:, 1] - a[:, 1]) < 0
    # A sample at whole number s of the fine grid lies at (s + 0.5) / supersample - 0.5 of the coarse one.
    fine = (pixels - [x0, y0] + 0.5) * supersample - 0.5
    nearness = 1 / seen[:, 2]
    value, covered = rasterise(
        fine,
        nearness.max() - nearness,
        np.clip(lighting(normals) / 1.25, 0, 1),
        faces[facing],
        (x1 - x0) * supersample,
        (y1 - y0) * supersample,
    )
    value[~covered] = 0
    size = (int(x1 - x0), int(y1 - y0))
    alpha = cv2.resize(covered.astype(np.uint8) * 255, size, interpolation=cv2.INTER_AREA)
    value = cv2.resize(value, size, interpolation=cv2.INTER_AREA)
    part = image[y0:y1, x0:x1]
    # Values were averaged with the empty samples as zeros; divided by the coverage they are the body's own.
    value = cv2.divide(value, alpha, scale=255)
    shaded = cv2.applyColorMap(value, colors)
    opacity = alpha.astype(np.float32) / 255
    part[:] = cv2.blendLinear(shaded, part, opacity, 1 - opacity)
