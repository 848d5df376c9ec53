"""A z-buffer rasteriser for textured triangles, and linear blend skinning, compiled by numba.

V vertices, F triangles, B bones, H x W px. Colours are RGB.
"""

import numba
import numpy as np

_jit = numba.njit(cache=True, fastmath=True, nogil=True)


@_jit
def skin(vertices, normals, weights, indices, moves, out, out_normals):
    """Linear blend skinning of rest vertices and normals [V, 3] by bones' moves [B, 3, 4] into `out`, `out_normals` [V, 3]."""
    blend = np.empty((3, 4), np.float32)
    for vertex in range(vertices.shape[0]):
        blend[:] = 0
        for slot in range(weights.shape[1]):
            weight = weights[vertex, slot]
            if weight > 0:
                move = moves[indices[vertex, slot]]
                for row in range(3):
                    for column in range(4):
                        blend[row, column] += weight * move[row, column]
        x, y, z = vertices[vertex]
        a, b, c = normals[vertex]
        for row in range(3):
            out[vertex, row] = blend[row, 0] * x + blend[row, 1] * y + blend[row, 2] * z + blend[row, 3]
            out_normals[vertex, row] = blend[row, 0] * a + blend[row, 1] * b + blend[row, 2] * c


@_jit
def draw(points, depths, normals, faces, uv, face_uv, texture, light, ambient, image, buffer):
    """Draw triangles that face the camera into `image` [H, W, 3] uint8 where they are nearer than `buffer` [H, W], m.

    points: [V, 2] px (the centre of pixel 0 is at 0.5); depths: [V] m; normals: [V, 3] in camera axes; faces: [F, 3]; uv: [U, 2]
    from 0 to 1; face_uv: [F, 3]; texture: [N, N, 3] uint8; light: [3] towards the light, its length is its strength; ambient:
    light from everywhere. Triangles with a vertex nearer than 0.1 m are left out.
    """
    height, width = buffer.shape
    size = texture.shape[0] - 1.001
    for face in range(faces.shape[0]):
        i, j, k = faces[face]
        if depths[i] < 0.1 or depths[j] < 0.1 or depths[k] < 0.1:
            continue
        ax, ay = points[i]
        bx, by = points[j]
        cx, cy = points[k]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area >= -1e-6:  # y points down: a front side runs clockwise
            continue
        low_x, high_x = max(0, int(min(ax, bx, cx) - 0.5)), min(width - 1, int(max(ax, bx, cx) + 0.5))
        low_y, high_y = max(0, int(min(ay, by, cy) - 0.5)), min(height - 1, int(max(ay, by, cy) + 0.5))
        if low_x > high_x or low_y > high_y:
            continue
        p, q, r = face_uv[face]
        inverse = 1 / area
        for row in range(low_y, high_y + 1):
            y = row + 0.5
            for column in range(low_x, high_x + 1):
                x = column + 0.5
                one = ((bx - x) * (cy - y) - (by - y) * (cx - x)) * inverse
                two = ((cx - x) * (ay - y) - (cy - y) * (ax - x)) * inverse
                three = 1 - one - two
                if one < 0 or two < 0 or three < 0:
                    continue
                depth = one * depths[i] + two * depths[j] + three * depths[k]
                if depth >= buffer[row, column]:
                    continue
                buffer[row, column] = depth
                lit = np.float32(0)
                length = np.float32(1e-9)
                for axis in range(3):
                    normal = one * normals[i, axis] + two * normals[j, axis] + three * normals[k, axis]
                    lit += normal * light[axis]
                    length += normal * normal
                shade = ambient + max(np.float32(0), lit / np.sqrt(length))
                u = (one * uv[p, 0] + two * uv[q, 0] + three * uv[r, 0]) * size
                v = (one * uv[p, 1] + two * uv[q, 1] + three * uv[r, 1]) * size
                u, v = min(max(u, 0.0), size), min(max(v, 0.0), size)
                left, top = int(u), int(v)
                right, down = u - left, v - top
                for channel in range(3):
                    colour = (1 - down) * (
                        (1 - right) * texture[top, left, channel] + right * texture[top, left + 1, channel]
                    )
                    colour += down * (
                        (1 - right) * texture[top + 1, left, channel] + right * texture[top + 1, left + 1, channel]
                    )
                    image[row, column, channel] = np.uint8(min(255.0, colour * shade))


@_jit
def bake(points, faces, face_points, values, out, filled):
    """Spread values [V, C] of triangles' corners over the texels that the triangles cover: `out` [N, N, C], `filled` [N, N].

    points: [U, 2] px; faces: [F, 3] into values; face_points: [F, 3] into points.
    """
    size = filled.shape[0]
    for face in range(faces.shape[0]):
        i, j, k = face_points[face]
        ax, ay = points[i]
        bx, by = points[j]
        cx, cy = points[k]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if abs(area) < 1e-9:
            continue
        for row in range(max(0, int(min(ay, by, cy))), min(size - 1, int(max(ay, by, cy))) + 1):
            for column in range(max(0, int(min(ax, bx, cx))), min(size - 1, int(max(ax, bx, cx))) + 1):
                x, y = column + 0.5, row + 0.5
                one = ((bx - x) * (cy - y) - (by - y) * (cx - x)) / area
                two = ((cx - x) * (ay - y) - (cy - y) * (ax - x)) / area
                three = 1 - one - two
                if one < -1e-6 or two < -1e-6 or three < -1e-6:
                    continue
                filled[row, column] = True
                for channel in range(values.shape[1]):
                    out[row, column, channel] = (
                        one * values[faces[face, 0], channel]
                        + two * values[faces[face, 1], channel]
                        + three * values[faces[face, 2], channel]
                    )


@_jit
def vertex_normals(vertices, faces):
    """[V, 3] float32, each the sum of the normals of its triangles, of length 1."""
    out = np.zeros(vertices.shape, np.float32)
    for face in range(faces.shape[0]):
        i, j, k = faces[face]
        one, two = vertices[j] - vertices[i], vertices[k] - vertices[i]
        normal = (
            one[1] * two[2] - one[2] * two[1],
            one[2] * two[0] - one[0] * two[2],
            one[0] * two[1] - one[1] * two[0],
        )
        for corner in (i, j, k):
            for axis in range(3):
                out[corner, axis] += normal[axis]
    for vertex in range(len(out)):
        length = np.sqrt((out[vertex] ** 2).sum()) + 1e-12
        out[vertex] /= length
    return out
