"""Where things land in a picture: viewpoints, scales, bones, text."""

import numpy as np
import pytest

from lib.poses.skeletons import LAYOUTS, Layout, chain
from lib.visualize import drawing

H36M = LAYOUTS["h36m17"]
STICK = Layout("stick", ("pelvis", "left_knee", "right_knee"), ((0, 1), (0, 2)))


def paper(width=120, height=100):
    return np.full((height, width, 3), 255, np.uint8)


def close_to(pixel, color, tolerance=40):
    return np.abs(np.asarray(pixel, int) - color).max() <= tolerance


def test_camera_view_keeps_right_right_and_down_down():
    right, down, depth = drawing.look([[0, 0, 0], [0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5]], distance=4.0).T
    assert right == pytest.approx([0, 0.5, 0, 0]) and down == pytest.approx([0, 0, 0.5, 0])
    assert depth == pytest.approx([4, 4, 4, 4.5])


def test_side_view_stands_where_x_is_large():
    right, down, depth = drawing.look([[0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5]], turn=90, distance=4.0).T
    # What was far (z) is now on the right; what was on the right (x) is now near; down stays down.
    assert depth == pytest.approx([3.5, 4, 4], abs=1e-6)
    assert right == pytest.approx([0, 0, 0.5], abs=1e-6) and down == pytest.approx([0, 0.5, 0], abs=1e-6)


def test_raised_onlooker_sees_far_ground_higher_and_heads_nearer():
    _, down, depth = drawing.look([[0, 1, -1], [0, 1, 1], [0, -1, 0], [0, 1, 0]], raised=10).T
    assert down[0] > down[1]
    assert depth[2] < depth[3]


def test_perspective_shrinks_with_distance():
    right = drawing.look([[1, 0, 0], [1, 0, 4]], distance=4.0)[:, 0]
    assert right == pytest.approx([1.0, 0.5])


def test_bounds_leave_out_stray_and_missing_points():
    points = np.random.default_rng(0).uniform(0, 1, (10_000, 2))
    points[0], points[1] = [1e6, 1e6], np.nan
    low, high = drawing.bounds(points)
    assert (low >= 0).all() and (high <= 1).all() and (high > 0.99).all()
    assert np.isfinite(drawing.bounds(np.full((5, 2), np.nan))).all()


def test_fit_centres_the_box_inside_the_margin():
    scale, offset = drawing.fit([[-1, -2], [1, 2]], 200, 100, margin=0.1)
    assert scale == pytest.approx(80 / 4)
    assert drawing.to_pixels([[0, 0], [0, -2], [0, 2]], scale, offset) == pytest.approx(
        np.array([[100, 50], [100, 10], [100, 90]])
    )


def test_bones_have_the_colour_of_their_side():
    pixels = np.array([[[60, 10], [20, 80], [100, 80]]], float)
    image = paper()
    drawing.skeleton_painter(pixels, STICK, width=5)(image, 0)
    assert close_to(image[45, 40], drawing.SIDES["left"], 5)
    assert close_to(image[45, 80], drawing.SIDES["right"], 5)
    assert (image[45, 60] == 255).all()


@pytest.mark.parametrize("near", ["left", "right"])
def test_near_bone_is_drawn_over_far_bone_and_far_is_darker(near):
    crossing = Layout("cross", ("left_a", "left_b", "right_a", "right_b"), ((0, 1), (2, 3)))
    pixels = np.array([[[10, 50], [110, 50], [60, 5], [60, 95]]], float)
    depth = np.array([[1, 1, 2, 2]] if near == "left" else [[2, 2, 1, 1]], float)
    image = paper()
    drawing.skeleton_painter(pixels, crossing, depth, width=7)(image, 0)
    far = "right" if near == "left" else "left"
    assert close_to(image[50, 60], drawing.SIDES[near], 12)
    place = (50, 30) if far == "left" else (25, 60)
    assert image[place].astype(int).sum() < 0.7 * sum(drawing.SIDES[far])


def test_motion_of_a_fraction_of_a_pixel_shows():
    pixels = np.array([[[20, 20], [20, 80], [90, 20]], [[20.25, 20], [20.25, 80], [90.25, 20]]], float)
    first, second = paper(), paper()
    paint = drawing.skeleton_painter(pixels, STICK)
    paint(first, 0)
    paint(second, 1)
    assert (first != second).any()


def test_missing_joints_are_not_drawn_nor_their_bones():
    pixels = np.array([[[60, 10], [20, 80], [np.nan, np.nan]], [[np.nan] * 2] * 3], float)
    image = paper()
    painters = [
        drawing.skeleton_painter(pixels, STICK, np.ones((2, 3)) * [[1], [np.nan]]),
        drawing.bones_painter(pixels, STICK.edges, (0, 0, 0), 1),
        drawing.trail_painter(pixels, [(0, 0, 0)] * 3, 5),
    ]
    for paint in painters:
        paint(image, 0)
    assert (image[:, 70:] == 255).all() and (image[45, 30:50] != 255).any()
    image = paper()
    for paint in painters[:2]:
        paint(image, 1)
    assert (image == 255).all()


def test_layout_without_bones_shows_its_joints():
    image = paper()
    pixels = np.array([[[20, 20], [60, 50], [100, 80]]], float)
    drawing.skeleton_painter(pixels, chain(3), np.ones((1, 3)), width=6)(image, 0)
    drawing.bones_painter(pixels, chain(3).edges, (0, 0, 0), 1)(image, 0)
    assert all((image[y, x] != 255).all() for x, y in ((20, 20), (60, 50), (100, 80)))
    assert (image[35, 40] == 255).all()


def test_joints_far_outside_do_not_crash_or_wrap_around():
    pixels = np.array([[[60, 10], [1e12, 50], [-1e12, 50]]])
    image = paper()
    drawing.skeleton_painter(pixels, STICK)(image, 0)
    assert (image[60:] == 255).all()


def test_trail_breaks_where_a_joint_is_missing():
    x = np.linspace(10, 110, 21)
    x[10] = np.nan
    pixels = np.stack([x, np.where(np.isfinite(x), 50.0, np.nan)], -1)[:, None]
    image = paper()
    drawing.trail_painter(pixels, [(0, 0, 0)], 20)(image, 20)
    assert (image[50, 12:54] < 255).any(-1).all() and (image[50, 67:109] < 255).any(-1).all()
    assert (image[50, 58:63] == 255).all()


def test_hips_bone_between_both_sides_is_neither():
    layout = LAYOUTS["lsp14"]
    pixels = np.random.default_rng(0).uniform(-900, -100, (1, 14, 2))
    pixels[0, 2], pixels[0, 3] = [20, 50], [100, 50]
    image = paper()
    drawing.skeleton_painter(pixels, layout, width=5)(image, 0)
    assert close_to(image[50, 60], drawing.SIDES["middle"], 5)


def test_text_is_shrunk_and_cut_to_its_room():
    for width in (400, 120, 40):
        string, size = drawing.fitting("estimator (videoposet243)", width, 20)
        assert drawing.text_width(string, size) <= width
    assert drawing.fitting("SynSP", 400, 20) == ("SynSP", 20)
    assert drawing.fitting("estimator (videoposet243)", 60, 20)[0].endswith("…")


def test_text_lands_where_it_is_asked_and_is_clipped_at_the_border():
    for anchor, inside in (("left", slice(60, 120)), ("right", slice(0, 60))):
        image = paper()
        drawing.write(image, "frame", (60, 50), 16, anchor=anchor)
        dark = (image < 200).all(-1)
        rows, columns = np.nonzero(dark)
        assert dark[:, inside].sum() == dark.sum() > 20
        assert 34 <= rows.min() and rows.max() <= 50
    for position in ((-10, 50), (110, 50), (60, 2), (60, 108), (500, 500)):
        drawing.write(paper(), "frame 0123", position, 16)


def test_every_sign_we_print_has_a_shape():
    # The box that stands for an unknown sign would be the same for all.
    missing = drawing._text_mask("\U0001f9ff", 20, False)[0]
    for sign in "²°·…–":
        mask = drawing._text_mask(sign, 20, False)[0]
        assert mask.sum() > 0 and (mask.shape != missing.shape or (mask != missing).any())


def test_digits_are_equally_wide():
    assert len({drawing.text_width(digit * 4, 18) for digit in "0123456789\u2007"}) == 1
