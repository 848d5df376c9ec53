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
EMPTY, VALUE_BITS, DEPTH_LEVELS = np.uint64(2**64 - 1), np.uint64(24), 2.0**30


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
    """[256, 1, 3] uint8: the colour of a surface at brightness index * 1.25 / 255: dark, itself, then to white."""
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
    # A limit far outside the picture keeps the arithmetic of rows inside int32.
    points = np.clip(np.nan_to_num(points), -1e5, 1e5).astype(np.float32)
    span = float(np.max(depth[faces], initial=0)) or 1.0
    # Two corner values a vertex, in the units of the two halves of the integer. The margins keep what is
    # rounded from spilling over into the other half.
    attributes = np.stack([depth * (DEPTH_LEVELS / span), np.clip(values * 255 + 0.5, 0.01, 255.99)], -1)
    _fill(points, attributes.astype(np.float32), faces, width, height, buffer)
    return (buffer >> VALUE_BITS).astype(np.uint8).reshape(height, width), (buffer != EMPTY).reshape(height, width)


def _fill(points, attributes, faces, width, height, buffer):
    # Corners from top to bottom: an edge that two triangles share is then computed alike for both.
    y = points[:, 1]
    faces = np.take_along_axis(faces, np.argsort(y[faces], axis=1), axis=1)
    (ax, ay), (bx, by), (cx, cy) = (points[faces[:, i]].T for i in range(3))
    first = np.clip(np.ceil(ay), 0, height).astype(np.int32)
    rows = np.clip(np.ceil(cy), 0, height).astype(np.int32) - first

    # Edges as x per row, depth and value as planes over the screen.
    long, upper, lower = ((x1 - x0) / np.maximum(y1 - y0, 1e-6) for x0, y0, x1, y1 in (
        (ax, ay, cx, cy), (ax, ay, bx, by), (bx, by, cx, cy)))
    twice_area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
    scale = 1 / np.where(np.abs(twice_area) < 1e-6, np.inf, twice_area)
    corner = attributes[faces].transpose(2, 1, 0)
    one, two = corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]
    per_x = (one * (cy - ay) - two * (by - ay)) * scale
    per_y = (two * (bx - ax) - one * (cx - ax)) * scale
    low, high = corner.min(1), corner.max(1)

    # One entry a row of each triangle.
    triangle = np.repeat(np.arange(len(faces), dtype=np.int32), rows)
    row = _ranges(first, rows)
    left, below = ax[triangle], row - by[triangle]
    down = row - ay[triangle]
    x0 = left + down * long[triangle]
    x1 = np.where(below < 0, left + down * upper[triangle], bx[triangle] + below * lower[triangle])
    start = np.clip(np.ceil(np.minimum(x0, x1)), 0, width).astype(np.int32)
    length = np.clip(np.ceil(np.maximum(x0, x1)), 0, width).astype(np.int32) - start
    kept = np.flatnonzero(length > 0)
    triangle, row, start, length = triangle[kept], row[kept], start[kept], length[kept]
    down, right = down[kept], start - left[kept]

    begins, slopes = [], []
    for k in range(2):
        # On slivers the planes are steep: what they say is kept within what the corners say.
        bottom, top = low[k][triangle], high[k][triangle]
        slope = per_x[k][triangle]
        begin = corner[k, 0][triangle] + per_y[k][triangle] * down + slope * right
        last = np.minimum(np.maximum(begin + slope * (length - 1), bottom), top)
        begin = np.minimum(np.maximum(begin, bottom), top)
        begins.append(begin)
        slopes.append((last - begin) / np.maximum(length - 1, 1))

    def packed(pair):
        return ((pair[0].astype(np.int64) << 32)
                + np.rint(pair[1] * (1 << int(VALUE_BITS))).astype(np.int64)).astype(np.uint64)

    # One entry a pixel of each row. Key and place are straight lines along a row, so numbering all pixels
    # through gives them by one product and one sum, with the start of each row moved back to number 0. That
    # overflows on the way, but integers that wrap around come back exactly.
    number = np.arange(length.sum(dtype=np.int64), dtype=np.uint64)
    before = np.cumsum(length) - length
    slope = packed(slopes)
    key = np.repeat(slope, length)
    key *= number
    key += np.repeat(packed(begins) - before.astype(np.uint64) * slope, length)
    place = np.repeat(row.astype(np.int64) * width + start - before, length)
    place += number.view(np.int64)
    np.minimum.at(buffer, place, key)


def _ranges(starts, lengths):
    """Concatenation of arange(start, start + length) over all entries, int32."""
    before = np.cumsum(lengths, dtype=np.int32) - lengths
    return np.arange(lengths.sum(dtype=np.int64), dtype=np.int32) + np.repeat(starts - before, lengths)


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
    value, covered = rasterise(fine, nearness.max() - nearness, np.clip(lighting(normals) / 1.25, 0, 1),
                               faces[facing], (x1 - x0) * supersample, (y1 - y0) * supersample)
    value[~covered] = 0
    size = (int(x1 - x0), int(y1 - y0))
    alpha = cv2.resize(covered.astype(np.uint8) * 255, size, interpolation=cv2.INTER_AREA)
    value = cv2.resize(value, size, interpolation=cv2.INTER_AREA)
    part = image[y0:y1, x0:x1]
    # Values were averaged with the empty samples as zeros; divided by the coverage they are the body's own.
    value = cv2.divide(value, alpha, scale=255)
    shaded = cv2.applyColorMap(value, colors)
    part[:] = cv2.blendLinear(shaded, part, alpha.astype(np.float32) / 255, 1 - alpha.astype(np.float32) / 255)
