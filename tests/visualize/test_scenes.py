"""Scenes and curves: how many frames, of what size, and what stands where in them."""

import numpy as np
import pytest

from lib.poses.skeletons import LAYOUTS, chain
from lib.visualize import curves, drawing, scene_2d, scene_3d, stage
from lib.visualize.scene_2d import pose_scene_2d
from lib.visualize.scene_3d import pose_scene_3d
from lib.visualize.scene_mesh import mesh_scene
from lib.visualize.scene_views import multi_view_scene

H36M = LAYOUTS["h36m17"]
# Standing, arms down, facing the camera (his left is on our right): x right, y down, z forward, metres.
STANDING = np.array(
    [
        [0, 0, 0],
        [-0.12, 0, 0],
        [-0.12, 0.42, 0],
        [-0.12, 0.85, 0],
        [0.12, 0, 0],
        [0.12, 0.42, 0],
        [0.12, 0.85, 0],
        [0, -0.25, 0],
        [0, -0.5, 0],
        [0, -0.58, -0.08],
        [0, -0.7, 0],
        [0.17, -0.47, 0],
        [0.2, -0.2, 0],
        [0.22, 0.05, 0],
        [-0.17, -0.47, 0],
        [-0.2, -0.2, 0],
        [-0.22, 0.05, 0],
    ]
)


def tracks(frames=6, dims=3, roles=("input", "refined", "truth")):
    generator = np.random.default_rng(0)
    truth = np.repeat(STANDING[None], frames, 0)
    truth[:, 13, 0] += 0.2 * np.sin(np.arange(frames))
    if dims == 2:
        truth = truth[..., :2] * 200 + [320, 240]
    noise = generator.normal(0, 0.02 if dims == 3 else 4.0, truth.shape)
    size = {"input": 1.0, "refined": 0.4, "filter": 0.6, "truth": 0.0}
    return [stage.Drawn(f"{role} {i}", truth + size[role] * noise, role) for i, role in enumerate(roles)]


def box_of(image, color, tolerance=30):
    """(x0, y0, x1, y1) of the pixels of about this colour."""
    rows, columns = np.nonzero((np.abs(image.astype(int) - color) <= tolerance).all(-1))
    return columns.min(), rows.min(), columns.max(), rows.max()


def count_of(image, color, tolerance=30):
    return int((np.abs(image.astype(int) - color) <= tolerance).all(-1).sum())


# --- frames ---------------------------------------------------------------------------------------------


def cube():
    corners = np.array([[x, y, z] for x in (-0.3, 0.3) for y in (-0.8, 0.8) for z in (-0.2, 0.2)], np.float32)
    faces = np.array(
        [
            [0, 1, 3],
            [0, 3, 2],
            [4, 6, 7],
            [4, 7, 5],
            [0, 4, 5],
            [0, 5, 1],
            [2, 3, 7],
            [2, 7, 6],
            [0, 2, 6],
            [0, 6, 4],
            [1, 5, 7],
            [1, 7, 3],
        ]
    )
    return corners, faces


def body_tracks(frames=4):
    corners, faces = cube()
    bodies = np.repeat(corners[None], frames, 0)
    return [stage.Drawn(track.name, track.joints, track.color_role, bodies, faces) for track in tracks(frames)]


def made(kind, frames=4, **options):
    if kind == "3d":
        return pose_scene_3d(tracks(frames), H36M, **options)
    if kind == "2d":
        return pose_scene_2d(tracks(frames, 2), H36M, **options)
    if kind == "mesh":
        return mesh_scene(body_tracks(frames), **options)
    return multi_view_scene([tracks(frames)] * 3, np.full((3, frames), 0.5), H36M, **options)


KINDS = {"3d": (1440, 720), "2d": (1280, 720), "mesh": (1600, 900), "views": (1280, 900)}


@pytest.mark.parametrize("kind", KINDS)
def test_frames_have_the_default_size_and_are_separate(kind):
    frames = list(made(kind))
    assert len(frames) == 4
    assert {(frame.shape, frame.dtype.name) for frame in frames} == {((*KINDS[kind][::-1], 3), "uint8")}
    # The cursor alone makes each frame another; none is a view of the same memory.
    assert (frames[0] != frames[1]).any() and (frames[1] != frames[3]).any()


@pytest.mark.parametrize("kind", KINDS)
def test_a_chosen_size_becomes_even(kind):
    assert next(made(kind, size=(801, 603))).shape == (604, 802, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_one_frame(kind):
    assert len(list(made(kind, frames=1))) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_missing_poses_are_said_and_do_not_crash(kind):
    def without(track, rows):
        joints = np.array(track.joints)
        joints[rows] = np.nan
        vertices = track.vertices
        if vertices is not None:
            vertices = np.array(vertices)
            vertices[rows] = np.nan
        return stage.Drawn(track.name, joints, track.color_role, vertices, track.faces)

    for rows in (slice(1, 3), slice(None)):
        if kind == "mesh":
            frames = list(mesh_scene([without(track, rows) for track in body_tracks()]))
        elif kind == "views":
            views = [tracks(4), [without(track, rows) for track in tracks(4)]]
            frames = list(multi_view_scene(views, np.array([[0.5] * 4, [np.nan] * 4]), H36M))
        else:
            dims = int(kind[0])
            scene = pose_scene_3d if dims == 3 else pose_scene_2d
            frames = list(scene([without(track, rows) for track in tracks(4, dims)], H36M))
        assert len(frames) == 4


def test_missing_figure_leaves_its_panel_empty():
    pair = tracks(3, roles=("input",))
    pair[0].joints[1] = np.nan
    frames = list(pose_scene_3d(pair, H36M, curves=[]))
    sides = [count_of(frame[100:], drawing.SIDES["right"], 60) for frame in frames]
    assert sides[1] == 0 and min(sides[0], sides[2]) > 100


def test_layout_of_unknown_joints_and_no_truth():
    pair = [stage.Drawn("a", np.random.default_rng(0).normal(0, 0.3, (3, 5, 3)))]
    assert len(list(pose_scene_3d(pair, chain(5)))) == 3
    pair = [stage.Drawn("a", np.random.default_rng(0).normal(0, 30, (3, 5, 2)))]
    assert len(list(pose_scene_2d(pair, chain(5)))) == 3


def test_unequal_lengths_and_names_are_refused():
    with pytest.raises(ValueError, match="number of frames"):
        pose_scene_3d(tracks(4)[:1] + tracks(5)[1:], H36M)
    with pytest.raises(ValueError, match="different names"):
        pose_scene_3d([tracks()[0], tracks()[0]], H36M)
    with pytest.raises(ValueError, match="number of frames"):
        multi_view_scene([tracks(4), tracks(5)], None, H36M)


# --- what stands where ----------------------------------------------------------------------------------


def test_person_stands_upright_with_his_left_on_our_right():
    image = next(pose_scene_3d(tracks(roles=("truth",)), H36M, curves=[]))
    panel = image[100:680, :640]
    left, right = box_of(panel, drawing.SIDES["left"], 50), box_of(panel, drawing.SIDES["right"], 50)
    middle = box_of(panel, drawing.SIDES["middle"], 20)
    assert left[0] > right[2] - 5
    # The spine ends above where the legs end, and the head is the highest point of all.
    assert middle[1] < min(left[1], right[1]) and middle[3] < min(left[3], right[3])


def test_side_view_shows_the_nose_toward_the_first_camera():
    # He looks at the camera (toward -z); seen from his left, that is toward our left.
    space = scene_3d.Space(tracks(roles=("truth",)), [0.0, 90.0], 240, 400)
    pixels, _ = space.place(STANDING, 1)
    assert pixels[9, 0] < pixels[8, 0] - 5
    pixels, depth = space.place(STANDING, 0)
    assert pixels[10, 1] < pixels[0, 1] < pixels[3, 1] and depth[9] < depth[8]


def test_projection_stays_the_same_over_the_sequence():
    # The same pose in a calm and in a wild frame has the same place: a pelvis at rest does not move.
    wild = np.repeat(STANDING[None], 50, 0)
    wild[25:, 13] += [0.6, -0.9, 0.3]
    space = scene_3d.Space([stage.Drawn("a", wild, "truth")], [0.0], 240, 400)
    pixels, _ = space.place(wild, 0)
    assert (pixels[:, 0] == pixels[0, 0]).all()
    assert (pixels >= 0).all() and (pixels <= [240, 400]).all()


@pytest.mark.parametrize("kind", ["3d", "2d", "mesh"])
@pytest.mark.parametrize("roles", [("input", "refined", "truth"), ("input", "refined")])
def test_one_track_that_runs_away_does_not_shrink_the_others(kind, roles):
    """The first panel, the estimator's, is the same whether the network's poses are near or three times as large."""
    panels = []
    for factor in (1, 3):
        made = tracks(4, 2 if kind == "2d" else 3, roles)
        away = made[1]
        away.joints = away.joints * factor
        if kind == "mesh":
            corners, faces = cube()
            for track in made:
                track.vertices = np.repeat(corners[None] * (factor if track is away else 1), 4, 0)
                track.faces = faces
            frame = next(mesh_scene(made, curves=[]))
        else:
            scene = pose_scene_2d if kind == "2d" else pose_scene_3d
            frame = next(scene(made, H36M, curves=[]))
        panels.append(frame[110:, : frame.shape[1] // len(roles) - 8])
    assert (panels[0] == panels[1]).all() and (panels[0] != 255).any()


def test_many_filters_have_colours_of_their_own():
    roles = ("input", *["filter"] * 5, "refined", "truth")
    assert len(set(stage.colors_of(tracks(2, roles=roles)).values())) == 8


def test_key_points_lie_on_the_pixels_of_the_background():
    # A picture that is black but for white discs under the ankles: the drawn ankles must cover them.
    joints = tracks(2, 2, roles=("truth",))[0].joints
    picture = np.zeros((480, 640, 3), np.uint8)
    for x, y in joints[0, [3, 6]]:
        picture[int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3] = 255
    track = stage.Drawn("a", joints, "truth")
    empty = stage.Drawn("a", np.where(np.arange(2)[:, None, None] == 0, np.nan, joints), "truth")
    image = next(pose_scene_2d([track], H36M, iter([picture]), curves=[], trail=0, whole_image=True))
    before = next(pose_scene_2d([empty], H36M, iter([picture]), curves=[], trail=0, whole_image=True))
    # The picture's own part of the frame: what is black or a disc, without the word 'missing' at its top.
    panel = (slice(200, 690), slice(270, 1010))
    discs = np.argwhere((before[panel] > 200).all(-1))
    assert len(discs) > 20
    on_left = discs[:, 1] < discs[:, 1].mean()
    for side, color in ((on_left, "right"), (~on_left, "left")):
        y, x = discs[side].mean(0).round().astype(int)
        ankle = image[panel][y - 1 : y + 2, x - 1 : x + 2]
        assert np.abs(ankle.mean((0, 1)) - 0.75 * np.array(drawing.SIDES[color])).max() < 25


def test_background_goes_along_and_its_last_image_stays():
    joints = tracks(5, 2, roles=("input",))
    colors = [(200, 0, 0), (0, 200, 0), (0, 0, 200)]
    pictures = (np.full((480, 640, 3), color, np.uint8) for color in colors)
    frames = list(pose_scene_2d(joints, H36M, pictures, curves=[]))
    for frame, color in zip(frames, colors + colors[-1:] * 2):
        assert count_of(frame, color, 2) > 100_000


def test_panels_show_the_part_of_the_image_in_which_the_person_is():
    region = scene_2d._region([[300, 100], [400, 300]], (400, 400), (1920, 1080))
    assert region[2] - region[0] == pytest.approx(region[3] - region[1]) == pytest.approx(240)
    assert (region[0] + region[2]) / 2 == pytest.approx(350)
    # At the border it stays inside, and never gets larger than the image.
    region = scene_2d._region([[0, 0], [50, 100]], (400, 400), (1920, 1080))
    assert region[:2] == pytest.approx([0, 0])
    region = scene_2d._region([[0, 0], [1920, 1080]], (400, 400), (1920, 1080))
    assert region == pytest.approx([0, 0, 1920, 1080])


def test_truth_stands_behind_the_others():
    pair = tracks(2, roles=("input", "truth"))
    pair[0].joints[:] += [0.3, 0, 0]
    ghost = next(pose_scene_3d(pair, H36M, curves=[]))[100:, :640]
    alone = [stage.Drawn(track.name, track.joints, role) for track, role in zip(pair, ("input", "refined"))]
    without = next(pose_scene_3d(alone, H36M, curves=[]))[100:, :640]
    grey = [count_of(image, (170, 170, 170), 40) for image in (ghost, without)]
    assert grey[0] > grey[1] + 500


def test_body_is_drawn_in_its_colour_and_upright():
    image = next(mesh_scene(body_tracks(2), curves=[]))
    third = image[120:, :533]
    x0, y0, x1, y1 = box_of(third, np.array(drawing.tint(drawing.ROLES["input"], 0.8)) * 0.8, 60)
    # The cube is 0.6 m wide and 1.6 m tall.
    assert 2.0 < (y1 - y0) / (x1 - x0) < 3.4


def test_vertices_may_be_computed_when_asked():
    class Lazy:
        asked = []

        def __len__(self):
            return 3

        def __getitem__(self, t):
            self.asked.append(int(t))
            return cube()[0]

    lazy = [stage.Drawn("body", None, "input", Lazy(), cube()[1])]
    assert len(list(mesh_scene(lazy))) == 3
    assert set(Lazy.asked) == {0, 1, 2}


def test_view_with_the_highest_cue_is_marked():
    cues = np.array([[0.9, 0.2], [0.1, 0.8]])
    frames = list(multi_view_scene([tracks(2), tracks(2)], cues, H36M, curves=[]))
    color = drawing.ROLES["refined"]
    # Its strip gets a frame: a full row of the colour at the bottom of one half of the picture.
    for frame, best in zip(frames, (0, 1)):
        halves = [
            (np.abs(half[-40:].astype(int) - color) < 10).all(-1).mean(1).max()
            for half in (frame[:, :640], frame[:, 640:])
        ]
        assert halves[best] > 0.9 and halves[1 - best] < 0.5


# --- curves ---------------------------------------------------------------------------------------------


def test_joint_errors_and_accelerations_in_closed_form():
    truth = np.zeros((5, 2, 3))
    joints = truth.copy()
    joints[:, 0] = [0.003, 0.004, 0]
    joints[2, 1] = [0, 0, 0.01]
    # Joint 0 is 5 mm off everywhere, joint 1 10 mm in frame 2; a spike of h has second differences h, -2h, h.
    assert 1000 * curves.joint_errors(joints, truth) == pytest.approx([2.5, 2.5, 7.5, 2.5, 2.5])
    accel = 1000 * curves.accelerations(joints, truth)
    assert np.isnan(accel[[0, 4]]).all() and accel[1:4] == pytest.approx([5, 10, 5])
    assert np.isnan(curves.accelerations(joints[:2])).all()


def test_missing_joints_are_left_out_of_the_errors():
    truth = np.zeros((3, 2, 3))
    joints = truth + [0, 0, 0.002]
    joints[1, 0], joints[2] = np.nan, np.nan
    errors = 1000 * curves.joint_errors(joints, truth)
    assert errors[:2] == pytest.approx([2, 2]) and np.isnan(errors[2])


def test_means_so_far():
    values = [np.nan, 2, np.nan, 4, 9]
    assert curves.running_mean(values)[1:] == pytest.approx([2, 2, 3, 5])
    assert np.isnan(curves.running_mean(values)[0])


def test_curves_with_and_without_truth():
    poses = {track.name: track.joints for track in tracks(8, roles=("input", "refined"))}
    truth = tracks(8, roles=("truth",))[0].joints
    with_truth = curves.error_curves(poses, truth)
    assert [(curve.name, curve.unit) for curve in with_truth] == [("MPJPE", "mm"), ("Accel", "mm/frame²")]
    assert with_truth[0].lines["refined 1"] == pytest.approx(0.4 * with_truth[0].lines["input 0"])
    without = curves.error_curves(poses, None, "px")
    assert [(curve.name, curve.unit, list(curve.lines)) for curve in without] == [
        ("distance from input 0", "px", ["refined 1"]),
        ("acceleration", "px/frame²", ["input 0", "refined 1"]),
    ]
    assert [curve.name for curve in curves.error_curves({"input 0": truth})] == ["acceleration"]


@pytest.mark.parametrize(
    "high, ticks",
    [(100, [0, 25, 50, 75, 100]), (53, [0, 20, 40]), (7, [0, 2, 4, 6]), (0.011, [0, 0.005, 0.01]), (0, [0])],
)
def test_ticks_are_round_numbers(high, ticks):
    assert curves.nice_ticks(high) == pytest.approx(ticks)


@pytest.mark.parametrize(
    "start, end, ticks",
    [(0, 10, [0, 2.5, 5, 7.5, 10]), (3.33, 10, [4, 6, 8, 10]), (5, 5, [5]), (2.9, 3.4, [3, 3.2, 3.4])],
)
def test_ticks_of_a_part_of_a_sequence_are_round_too(start, end, ticks):
    assert curves.time_ticks(start, end, 4) == pytest.approx(ticks)


def test_line_of_a_plot_is_where_its_values_are():
    # A constant line at 50 of an axis that ends at 1.12 * 50.
    image = np.full((200, 600, 3), 255, np.uint8)
    color = (213, 94, 0)
    paint = curves.plot_curve(image, curves.Curve("MPJPE", "mm", {"a": np.full(100, 50.0)}), {"a": color}, 30)
    size = 15
    top, bottom = int(2.1 * size), 200 - int(1.7 * size)
    rows = np.nonzero((np.abs(image[top:, 200:400].astype(int) - color) < 60).all(-1))[0] + top
    assert rows.mean() == pytest.approx(bottom - 50 / 56 * (bottom - top), abs=1.0)
    # The cursor of frame 0 is at the left end, of the last frame at the right end, in the middle between.
    positions = []
    for t in (0, 99):
        frame = image.copy()
        paint(frame, t)
        positions.append(np.nonzero((frame[bottom - 30] < 60).all(-1))[0].mean())
    frame = image.copy()
    paint(frame, 49)
    middle = np.nonzero((frame[bottom - 30] < 60).all(-1))[0].mean()
    assert middle == pytest.approx(positions[0] + 49 / 99 * (positions[1] - positions[0]), abs=1)
    assert positions[1] == 600 - 1 - size + 1


def test_plot_survives_missing_values_and_bursts():
    values = np.full(50, 10.0)
    values[20:30], values[40] = np.nan, 1e9
    image = np.full((200, 600, 3), 255, np.uint8)
    plot = curves.Curve("MPJPE", "mm", {"a": values, "b": np.full(50, np.nan)})
    paint = curves.plot_curve(image, plot, {"a": (213, 94, 0), "b": (0, 0, 0)}, 30)
    for t in range(50):
        paint(image, t)
