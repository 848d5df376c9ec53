"""Rasteriser: occlusion, coverage and interpolation against closed forms; lighting against its formula."""

import numpy as np
import pytest

from lib.visualize import drawing, mesh


def draw(points, depth, values, faces, width=64, height=48):
    return mesh.rasterise(
        np.array(points, float), np.array(depth, float), np.array(values, float), np.array(faces), width, height
    )


SQUARE = [[8, 8], [40, 8], [40, 40], [8, 40]]


@pytest.mark.parametrize("near_first", [True, False])
def test_near_triangle_hides_far_one(near_first):
    points, faces = SQUARE + SQUARE, [[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]]
    depth = [1] * 4 + [2] * 4 if near_first else [2] * 4 + [1] * 4
    values = [0.2] * 4 + [0.8] * 4
    value, covered = draw(points, depth, values, faces)
    assert covered.sum() == 32 * 32
    assert set(value[covered]) == {51 if near_first else 204}


def test_two_planes_cut_each_other_where_they_are_equally_deep():
    # One runs from depth 0 to 3.2 over 32 columns, the other stays at 1.6: they meet at column 8 + 16.
    points, faces = SQUARE + SQUARE, [[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]]
    value, _ = draw(points, [0, 3.2, 3.2, 0, 1.6, 1.6, 1.6, 1.6], [1.0] * 4 + [0.0] * 4, faces)
    assert (value[8:40, 8:24] == 255).all() and (value[8:40, 25:40] == 0).all()


def test_values_are_linear_over_the_screen_and_rows_are_half_open():
    # 0 at column 8 and 1 at column 40: column x has (x - 8) / 32; column 40 and row 40 are the neighbour's.
    value, covered = draw(SQUARE, [1] * 4, [0, 1, 1, 0], [[0, 1, 2], [0, 2, 3]])
    expected = np.rint((np.arange(8, 40) - 8) / 32 * 255)
    assert np.abs(value[8:40, 8:40].astype(int) - expected).max() <= 1
    assert not covered[:, 40:].any() and not covered[40:].any() and not covered[:8].any()


def test_irregular_mesh_has_no_gaps_and_reproduces_a_plane():
    # A jittered grid over the whole picture, its values one plane: seams would show as holes or steps.
    generator = np.random.default_rng(0)
    across, down = np.meshgrid(np.linspace(-5, 69, 13), np.linspace(-5, 53, 11))
    points = np.stack([across, down], -1) + generator.uniform(-1.8, 1.8, (*across.shape, 2))
    points = points.reshape(-1, 2)
    corner = (np.arange(10)[:, None] * 13 + np.arange(12)).ravel()
    faces = np.concatenate(
        [np.stack([corner, corner + 1, corner + 14], -1), np.stack([corner, corner + 14, corner + 13], -1)]
    )
    values = (points @ [0.004, 0.005]) + 0.2
    faces = generator.permuted(faces, axis=1)
    value, covered = draw(points, 1.5 + points @ [0.01, -0.003], values, faces)
    assert covered.all()
    y, x = np.mgrid[:48, :64]
    assert np.abs(value - (0.004 * x + 0.005 * y + 0.2) * 255).max() <= 0.51


def test_area_of_a_triangle_in_pixels():
    _, covered = draw([[3.3, 2.1], [60.2, 11.7], [20.9, 45.4]], [1] * 3, [1] * 3, [[0, 1, 2]])
    exact = 0.5 * abs((60.2 - 3.3) * (45.4 - 2.1) - (20.9 - 3.3) * (11.7 - 2.1))
    assert abs(covered.sum() - exact) < 0.01 * exact


def test_missing_vertex_takes_only_its_faces_away():
    points = np.array(SQUARE, float)
    points[3] = np.nan
    _, covered = draw(points, [1] * 4, [1] * 4, [[0, 1, 2], [0, 2, 3]])
    assert 32 * 31 / 2 <= covered.sum() <= 32 * 33 / 2


def test_nothing_inside_the_picture():
    for faces in (np.zeros((0, 3), int), [[0, 1, 2]]):
        value, covered = draw([[100, 8], [140, 8], [140, 40]], [1] * 3, [1] * 3, faces)
        assert value.shape == (48, 64) and not covered.any()


def test_lighting_formula():
    light = mesh.LIGHT
    half = light + [0, 0, -1]
    half /= np.linalg.norm(half)
    facing = mesh.AMBIENT + mesh.DIFFUSE + mesh.SPECULAR * (light @ half) ** mesh.SHININESS
    assert mesh.lighting(light) == pytest.approx(facing, abs=1e-5)
    assert mesh.lighting(-light) == pytest.approx(mesh.AMBIENT, abs=1e-6)
    # Perpendicular to the light and away from the highlight only the ambient part is left.
    across = np.cross(light, [0, 0, 1.0])
    assert mesh.lighting(across / np.linalg.norm(across)) == pytest.approx(mesh.AMBIENT, abs=1e-5)
    # 60 degrees off the light the diffuse part is halved: turned away from the onlooker, without highlight.
    sideways = np.cross(light, across / np.linalg.norm(across))
    normal = 0.5 * light + np.sqrt(0.75) * (sideways if sideways[2] > 0 else -sideways)
    assert mesh.lighting(normal) == pytest.approx(mesh.AMBIENT + mesh.DIFFUSE / 2, abs=1e-3)


def ball(rows=24, columns=48, radius=0.5):
    """A sphere whose faces run counter-clockwise from outside (vertices [N, 3], faces [F, 3])."""
    polar = np.linspace(0, np.pi, rows + 1)[:, None]
    around = np.arange(columns) * 2 * np.pi / columns
    vertices = radius * np.stack(
        [np.sin(polar) * np.cos(around), np.cos(polar) + 0 * around, -np.sin(polar) * np.sin(around)], -1
    )
    a = (np.arange(rows)[:, None] * columns + np.arange(columns)).ravel()
    b = (np.arange(rows)[:, None] * columns + (np.arange(columns) + 1) % columns).ravel()
    faces = np.concatenate([np.stack([a, a + columns, b], -1), np.stack([b, a + columns, b + columns], -1)])
    return vertices.reshape(-1, 3).astype(np.float32), faces


def test_normals_of_a_sphere_point_outward():
    vertices, faces = ball()
    volume = np.einsum("fi,fi->", vertices[faces[:, 0]], np.cross(vertices[faces[:, 1]], vertices[faces[:, 2]])) / 6
    assert volume > 0, "the test's own faces run the wrong way round"
    normals = mesh.vertex_normals(vertices, faces, mesh.corner_order(faces, len(vertices)))
    # Away from the poles, where triangles collapse, the normal is the direction from the middle.
    body = np.abs(vertices[:, 1]) < 0.45
    assert (np.einsum("ni,ni->n", normals[body], vertices[body] / 0.5) > 0.995).all()


def test_vertex_without_a_face_has_no_normal():
    vertices, faces = ball()
    vertices = np.concatenate([vertices, [[9, 9, 9]]]).astype(np.float32)
    normals = mesh.vertex_normals(vertices, faces, mesh.corner_order(faces, len(vertices)))
    assert (normals[-1] == 0).all() and np.isfinite(normals).all()


def test_shaded_ball_is_round_lit_from_the_upper_left_and_smooth_at_its_edge():
    vertices, faces = ball()
    image = np.full((200, 300, 3), 255, np.uint8)
    seen = drawing.look(vertices, distance=50.0)
    mesh.draw_mesh(
        image, seen, faces, mesh.corner_order(faces, len(vertices)), mesh.palette((0, 114, 178)), 160.0, (150, 100)
    )
    darkness = 255 - image.astype(float).mean(-1)
    inside = darkness > 0
    rows, columns = np.nonzero(inside)
    assert abs(rows.mean() - 100) < 0.15 and abs(columns.mean() - 150) < 0.15
    # Coverage in pixels, edges counted by half: pi r^2 with r = 0.5 m * 160 px/m.
    assert inside.sum() == pytest.approx(np.pi * 80**2, rel=0.03)
    assert image[60, 110].sum() > image[140, 190].sum() + 100
    # Along a row through the edge there is at least one mixed pixel, not a step from paper to body.
    edge = image[100, 60:80].astype(int).sum(-1)
    step = np.abs(np.diff(edge))
    assert (step > 0).sum() >= 2


@pytest.mark.parametrize("near_first", [True, False])
def test_near_limb_hides_far_limb_of_the_same_body(near_first):
    # Two balls behind each other in one mesh, the far one larger: the near one is whole in the middle.
    vertices, faces = ball()
    near, far = 0.4 * vertices - [0, 0, 1.0], vertices + np.float32([0, 0, 1.0])
    parts = [near, far] if near_first else [far, near]
    both = np.concatenate(parts).astype(np.float32)
    both_faces = np.concatenate([faces, faces + len(vertices)])
    images = []
    for body, its_faces in ((both, both_faces), (near.astype(np.float32), faces)):
        image = np.full((200, 200, 3), 255, np.uint8)
        mesh.draw_mesh(
            image,
            drawing.look(body),
            its_faces,
            mesh.corner_order(its_faces, len(body)),
            mesh.palette((0, 114, 178)),
            160.0,
            (100, 100),
        )
        images.append(image[80:120, 80:120].astype(int))
    assert np.abs(images[0] - images[1]).max() <= 2


def test_missing_body_is_not_drawn():
    vertices, faces = ball()
    vertices[5] = np.nan
    image = np.full((50, 50, 3), 255, np.uint8)
    mesh.draw_mesh(
        image,
        drawing.look(vertices),
        faces,
        mesh.corner_order(faces, len(vertices)),
        mesh.palette((0, 0, 0)),
        40.0,
        (25, 25),
    )
    assert (image == 255).all()


def test_palette_runs_from_dark_over_the_colour_to_white():
    colors = mesh.palette((0, 114, 178))[:, 0]
    assert tuple(colors[0]) == (0, 0, 0)
    # Brightness 1 is index 255 / 1.25.
    assert tuple(colors[204]) == (0, 114, 178)
    assert (np.diff(colors.astype(int).sum(1)) >= 0).all() and (colors[255] > colors[204]).any()
