"""Error curves: what they hold, and a plot that is drawn once and then only gets its cursor moved."""

from dataclasses import dataclass

import cv2
import numpy as np

from . import drawing


@dataclass
class Curve:
    """One plot: `lines` maps a track's name to one value per frame [T]; NaN where there is none."""

    name: str
    unit: str
    lines: dict

    def so_far(self, name):
        """Mean of the line's values up to each frame, [T]; NaN before the first value."""
        return running_mean(self.lines[name])


def running_mean(values):
    """Mean of the values up to and including each frame, without the missing (NaN) ones. [T] -> [T]."""
    values = np.asarray(values, float)
    there = np.isfinite(values)
    count = np.cumsum(there)
    return np.where(count > 0, np.cumsum(np.where(there, values, 0)) / np.maximum(count, 1), np.nan)


def joint_errors(joints, truth):
    """Mean distance over the joints that both have, one value per frame: [T, J, D] x 2 -> [T], same unit.

    The MPJPE of each frame (of poses that share their root or their image). NaN where no joint is in both.
    """
    return mean_of_present(np.linalg.norm(joints - truth, axis=-1))


def accelerations(joints, truth=None):
    """Accel, one value per frame: [T, J, D] -> [T], unit of the input per frame squared.

    The norm of the second difference of `joints` (minus that of `truth`, where given), mean over joints. The
    value of frame t uses t-1, t and t+1; the first and the last frame have none (NaN).
    """
    values = np.full(len(joints), np.nan)
    if len(joints) > 2:
        motion = joints if truth is None else joints - truth
        second = motion[2:] - 2 * motion[1:-1] + motion[:-2]
        values[1:-1] = mean_of_present(np.linalg.norm(second, axis=-1))
    return values


def mean_of_present(values):
    """Mean over the last axis without the missing (NaN) ones; NaN where all are."""
    there = np.isfinite(values)
    count = there.sum(-1)
    return np.where(count > 0, np.where(there, values, 0).sum(-1) / np.maximum(count, 1), np.nan)


def error_curves(named_joints, truth=None, unit="mm"):
    """The two plots under a video, from poses alone.

    named_joints: name -> [T, J, D], the first one is the estimator; truth [T, J, D] or None. unit: 'mm' for
    poses in metres, 'px' for pixels. With the truth these are MPJPE and Accel. Without it the distance of
    the others from the first, and each track's own acceleration.
    """
    scale = 1000.0 if unit == "mm" else 1.0
    if truth is not None:
        return [
            Curve("MPJPE", unit, {name: scale * joint_errors(joints, truth) for name, joints in named_joints.items()}),
            Curve(
                "Accel",
                f"{unit}/frame²",
                {name: scale * accelerations(joints, truth) for name, joints in named_joints.items()},
            ),
        ]
    first, *others = named_joints
    curves = [
        Curve(
            "acceleration",
            f"{unit}/frame²",
            {name: scale * accelerations(joints) for name, joints in named_joints.items()},
        )
    ]
    if others:
        curves.insert(
            0,
            Curve(
                f"distance from {first}",
                unit,
                {name: scale * joint_errors(named_joints[name], named_joints[first]) for name in others},
            ),
        )
    return curves


def nice_ticks(high, count=4):
    """About `count` round numbers (1, 2, 2.5 or 5 times a power of ten apart) from 0 to at most `high`."""
    if not np.isfinite(high) or high <= 0:
        return [0.0]
    rough = high / count
    power = 10.0 ** np.floor(np.log10(rough))
    step = power * next(m for m in (1, 2, 2.5, 5, 10) if m * power >= rough * 0.999)
    return [float(f"{i * step:.10g}") for i in range(int(high / step + 1e-9) + 1)]


def time_ticks(start, end, count):
    """Round numbers from `start` to `end`, as far apart as those of `nice_ticks` for their distance."""
    ticks = nice_ticks(end - start, count)
    step = ticks[1] if len(ticks) > 1 else max(end - start, 1.0)
    first = int(np.ceil(start / step - 1e-9))
    return [float(f"{i * step:.10g}") for i in range(first, int(np.floor(end / step + 1e-9)) + 1)]


def plot_curve(image, curve, colors, fps, first_frame=0):
    """Draw `curve` into all of `image` (a view of the canvas), and return the painter of its cursor.

    colors: name -> RGB of each line. The horizontal axis is time in seconds. The vertical one goes up to what
    99 % of the frames stay under: a line may leave at the top, where it is cut.
    """
    height, width = image.shape[:2]
    size = int(np.clip(height / 13, 12, 20))
    frames = max(len(values) for values in curve.lines.values())
    top, bottom, right = int(2.1 * size), height - int(1.7 * size), width - size
    high = max(
        (np.nanpercentile(values, 99) for values in curve.lines.values() if np.isfinite(values).any()), default=1.0
    )
    # Below a tenth of a unit there is only rounding to see.
    high = 1.12 * max(high, 0.1)
    ticks = nice_ticks(high)
    labels = [f"{tick:g}" for tick in ticks]
    left = max(drawing.text_width(label, size) for label in labels) + size
    end = max(frames - 1, 1)

    def across(t):
        return left + np.asarray(t, float) / end * (right - left)

    def up(values):
        return bottom - np.asarray(values, float) / high * (bottom - top)

    title = f"{curve.name} ({curve.unit})"
    drawing.write(image, title, (left, int(1.35 * size)), size, bold=True)
    _legend(image, curve, colors, left + drawing.text_width(title, size, True) + size, right, size)
    for tick, label in zip(ticks, labels):
        y = int(round(float(up(tick))))
        cv2.line(image, (left, y), (right, y), drawing.GRID, 1)
        drawing.write(image, label, (left - size // 2, y + int(0.36 * size)), size, drawing.MUTED, "right")
    seconds = time_ticks(first_frame / fps, (first_frame + frames - 1) / fps, max(2, min(8, width // 90)))
    for i, second in enumerate(seconds):
        x = float(across(second * fps - first_frame))
        label = f"{second:g}" + (" s" if i == len(seconds) - 1 else "")
        anchor = "center" if x + drawing.text_width(label, size) / 2 < width else "right"
        drawing.write(
            image,
            label,
            (x if anchor == "center" else width - 1, bottom + int(1.35 * size)),
            size,
            drawing.MUTED,
            anchor,
        )
    cv2.line(image, (left, bottom), (right, bottom), drawing.MUTED, 1)

    # Lines go into the box only: its array view clips what rises above it.
    box = image[top : bottom + 1, left : right + 1]
    places = {
        name: np.stack([across(np.arange(len(values))) - left, up(values) - top], -1)
        for name, values in curve.lines.items()
    }
    thin = 1 if frames > 1.5 * (right - left) else 2
    for name, points in places.items():
        there = np.isfinite(points).all(-1)
        for run in drawing.runs(there):
            cv2.polylines(
                box, [drawing.fixed_point(points[run])], False, colors[name], thin, cv2.LINE_AA, drawing.SHIFT
            )
    # The dots may reach over the box's border; one whose line has left at the top waits there.
    dots = {name: drawing.fixed_point(np.maximum(points, 0) + [left, top]).tolist() for name, points in places.items()}
    there = {name: np.isfinite(points).all(-1) for name, points in places.items()}
    radius = int(0.3 * size * (1 << drawing.SHIFT))
    halo = radius + (3 << (drawing.SHIFT - 1))

    def paint(image, t):
        x = int(round(float(across(t))))
        cv2.line(image, (x, top), (x, bottom), drawing.INK, 1)
        for name, points in dots.items():
            if t < len(points) and there[name][t]:
                cv2.circle(image, points[t], halo, drawing.PAPER, -1, cv2.LINE_AA, drawing.SHIFT)
                cv2.circle(image, points[t], radius, colors[name], -1, cv2.LINE_AA, drawing.SHIFT)

    return paint


def _legend(image, curve, colors, left, right, size):
    """Names with a piece of their line each, in one row that ends at `right`; letters shrink to fit."""
    names = list(curve.lines)
    key = int(1.6 * size)
    room = right - left - len(names) * (key + size)
    wide = sum(drawing.text_width(name, size) for name in names)
    entries = [
        (name, size) if wide <= room else drawing.fitting(name, room // len(names), size, smallest=9) for name in names
    ]
    x = right - sum(drawing.text_width(*entry) + key + size for entry in entries) + size
    for name, (label, letters) in zip(names, entries):
        y = int(0.98 * size)
        cv2.line(image, (x, y), (x + key - size // 2, y), colors[name], 3)
        drawing.write(image, label, (x + key, int(1.35 * size)), letters)
        x += key + drawing.text_width(label, letters) + size


def plot_strip(image, values, low, high, color):
    """Draw values [T] as a filled area over time into all of `image`, and return the painter of its cursor.

    `low` and `high` are the strip's bottom and top, the same for all strips that shall be compared.
    """
    height, width = image.shape[:2]
    values = np.asarray(values, float)
    x = np.arange(len(values)) / max(len(values) - 1, 1) * (width - 1)
    y = height - 1 - np.clip((values - low) / max(high - low, 1e-9), 0, 1) * (height - 2)
    image[:] = drawing.STRIP
    for run in drawing.runs(np.isfinite(values)):
        top = np.stack([x[run], y[run]], -1)
        area = np.concatenate([[[x[run][0], height - 1]], top, [[x[run][-1], height - 1]]])
        cv2.fillPoly(image, [drawing.fixed_point(area)], drawing.tint(color, 0.55), cv2.LINE_AA, drawing.SHIFT)
        cv2.polylines(image, [drawing.fixed_point(top)], False, color, 1, cv2.LINE_AA, drawing.SHIFT)

    def paint(image, t):
        at = int(round(float(x[t])))
        cv2.line(image, (at, 0), (at, height - 1), drawing.INK, 1)

    return paint
