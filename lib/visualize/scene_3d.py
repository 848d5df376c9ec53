"""Skeletons in space: one column per track, each from the camera and from the side."""

import cv2
import numpy as np

from . import drawing, stage

# The two viewpoints of 3D: turn about the vertical in degrees, and what it is called.
VIEWPOINTS = ((0.0, "camera view"), (90.0, "side view, 90°"))


class Space:
    """The fixed projection of a group of 3D tracks: one scale for all panels, ground below the feet."""

    def __init__(self, tracks, turns, width, height):
        reference = stage.reference(tracks)
        everything = np.concatenate([track.joints.reshape(-1, 3) for track in reference])
        self.turns = turns
        # Where the truth goes is always in the picture.
        keep = 100 if reference[0].color_role == "truth" else 99.8
        boxes = [stage.aired(drawing.bounds(self.seen(everything, turn)[:, :2], keep)) for turn in turns]
        self.scale = min(drawing.fit(box, width, height, 0.03)[0] for box in boxes)
        self.offsets = [np.array([width, height]) / 2 - self.scale * box.mean(0) for box in boxes]
        feet = everything[..., 1]
        self.ground = float(np.nanpercentile(feet, 99.9)) + 0.03 if np.isfinite(feet).any() else 1.0

    def seen(self, points, turn):
        return drawing.look(points, turn, stage.RAISED)

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


def panel_3d(canvas, box, space, i, track, ghost, layout, width):
    """Ground, shadow, ghost of the truth and skeleton of one panel; returns the painters."""
    space.grid(stage.part(canvas, box), i)
    pixels, depth = space.place(track.joints, i)
    shadow = space.place(space.on_ground(track.joints), i)[0]
    painters = [drawing.bones_painter(shadow, layout.lines, drawing.SHADOW, width + 2)]
    if ghost is not None:
        behind = space.place(ghost.joints, i)[0]
        painters.append(drawing.bones_painter(behind, layout.lines, drawing.GHOST, 1))
    painters.append(drawing.skeleton_painter(pixels, layout, depth, width))
    painters.append(stage.missing_painter(pixels, canvas.shape[0] // 45))
    return [stage.inside(box, paint) for paint in painters]


def pose_scene_3d(tracks, layout, title="", curves=None, fps=30.0, size=None, first_frame=0):
    """Skeletons in space: one column per track, each from the camera and from the side, curves below.

    tracks: list of stage.Drawn with joints [T, J, 3]; the one with role 'truth' also stands thinly behind the
    others. layout: of lib.poses.skeletons. curves: list of `curves.Curve` by track name; None computes them,
    [] leaves them out. size: (width, height) in px, default 480 a column (400 from five on) but at least
    1280, by 720. first_frame: number of the first frame in the sequence it was cut from. Returns an iterator
    of T RGB frames.
    """
    frames, colors, truth = stage.length(tracks), stage.colors_of(tracks), stage.truth_of(tracks)
    curves = stage.default_curves(tracks, "mm") if curves is None else curves
    size = size or (stage.default_width(tracks, 480), 720)
    canvas, painters, unit, bar, bottom = stage.set_up(size, 720, title, frames, curves, colors, fps, first_frame)
    top = bar + int(50 * unit)
    columns = stage.cells(0, canvas.shape[1], len(tracks))
    gap, caption = int(4 * unit), int(24 * unit)
    panels = [stage.cells(left, right, len(VIEWPOINTS)) for left, right in columns]
    space = Space(
        tracks, [turn for turn, _ in VIEWPOINTS], panels[0][0][1] - panels[0][0][0] - 2 * gap, bottom - caption - top
    )
    for track, (left, right), cells in zip(tracks, columns, panels):
        ghost = truth if track is not truth else None
        note = "also as thin lines in the other panels" if track is truth and len(tracks) > 1 else ""
        painters.append(
            stage.header(
                canvas,
                (left, bar, right, top),
                track.name,
                colors,
                curves,
                note,
            )
        )
        for i, ((x0, x1), (_, label)) in enumerate(zip(cells, VIEWPOINTS)):
            box = (x0 + gap, top, x1 - gap, bottom - caption)
            painters += panel_3d(canvas, box, space, i, track, ghost, layout, max(int(round(5 * unit)), 2))
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
    return stage.play(canvas, painters, frames)
