"""Videos against one matplotlib figure a frame, at the same size and in the same run.

    python -m benchmarks.video

Prints, for each scene: frames a second of the baseline, ours without and with the encoder, the ratio and the
bar. The baseline has no encoder in either case (that is, it is flattered by what H.264 would cost it).
"""

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402  (the backend is chosen first)
import numpy as np  # noqa: E402

from lib.poses.skeletons import LAYOUTS  # noqa: E402
from lib.visualize import stage, video  # noqa: E402
from lib.visualize.scene_2d import pose_scene_2d  # noqa: E402
from lib.visualize.scene_3d import pose_scene_3d  # noqa: E402
from lib.visualize.scene_mesh import mesh_scene  # noqa: E402

COLORS = {"left": "tab:blue", "right": "tab:orange", "middle": "dimgray"}


def walker(frames, dims, generator, noise=0.03):
    """A figure that strides on the spot, its noisy detection and something between: h36m17, [T, 17, dims]."""
    t = np.arange(frames)[:, None] / 30 * 2 * np.pi
    rest = np.array(
        [
            [0, 0],
            [-0.12, 0],
            [-0.12, 0.42],
            [-0.12, 0.85],
            [0.12, 0],
            [0.12, 0.42],
            [0.12, 0.85],
            [0, -0.25],
            [0, -0.5],
            [0, -0.58],
            [0, -0.7],
            [0.17, -0.47],
            [0.2, -0.2],
            [0.22, 0.05],
            [-0.17, -0.47],
            [-0.2, -0.2],
            [-0.22, 0.05],
        ]
    )
    truth = np.zeros((frames, 17, 3))
    truth[:, :, :2] = rest
    swing = np.array([0, 0.02, 0.15, 0.35, -0.02, -0.15, -0.35, 0, 0, 0.08, 0, 0.03, 0.12, 0.28, -0.03, -0.12, -0.28])
    truth[:, :, 2] = swing * np.sin(t)
    truth[:, :, 0] += 0.02 * np.sin(t)
    if dims == 2:
        truth = truth[..., :2] * 250 + [500, 520]
        truth[..., 0] += 150 * np.sin(t / 5)
        noise = 6.0
    jitter = generator.normal(0, noise, truth.shape)
    return [truth + jitter, truth + 0.4 * jitter, truth]


def tracks_of(poses):
    names = (("estimator", "input"), ("SynSP", "refined"), ("ground truth", "truth"))
    return [stage.Drawn(name, joints, role) for (name, role), joints in zip(names, poses)]


def matplotlib_frames(tracks, layout, curves, size):
    """The baseline: a new figure for every frame, with the panels and plots of our scene. Yields RGB."""
    dims = tracks[0].joints.shape[-1]
    views = ((5, -90), (5, 0)) if dims == 3 else ((),)
    for t in range(len(tracks[0].joints)):
        figure = plt.figure(figsize=(size[0] / 100, size[1] / 100), dpi=100)
        grid = figure.add_gridspec(2, 6 * len(tracks) * len(views), height_ratios=(2.6, 1))
        for i, track in enumerate(tracks):
            for j, view in enumerate(views):
                k = 6 * (i * len(views) + j)
                axes = figure.add_subplot(grid[0, k : k + 6], projection="3d" if dims == 3 else None)
                _matplotlib_skeleton(axes, track.joints[t], layout, view)
                axes.set_title(track.name)
        half = 3 * len(tracks) * len(views)
        for i, curve in enumerate(curves):
            axes = figure.add_subplot(grid[1, i * half : (i + 1) * half - 1])
            for name, values in curve.lines.items():
                axes.plot(values, label=name)
            axes.axvline(t, color="black")
            axes.set_title(f"{curve.name} ({curve.unit})")
            axes.legend()
        figure.suptitle(f"frame {t}")
        figure.canvas.draw()
        image = np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()
        plt.close(figure)
        yield image


def _matplotlib_skeleton(axes, joints, layout, view):
    for a, b in layout.edges:
        color = COLORS[layout.sides[b]]
        if joints.shape[-1] == 3:
            axes.plot(*(joints[[a, b]] * [1, 1, -1])[:, [0, 2, 1]].T, color=color)
        else:
            axes.plot(*joints[[a, b]].T, color=color)
    if view:
        axes.view_init(*view)
        axes.set_xlim(-1, 1)
        axes.set_ylim(-1, 1)
        axes.set_zlim(1, -1)
    else:
        axes.set_xlim(0, 1000)
        axes.set_ylim(1000, 0)
        axes.set_aspect("equal")


def bodies(frames):
    """Three moving bodies of 6,890 vertices and 13,776 faces (a swept surface 1.75 m tall) as Tracks."""
    rows, columns = 82, 84
    polar, around = np.linspace(0, np.pi, rows + 2)[1:-1], np.arange(columns) * 2 * np.pi / columns
    radius = 0.05 + 0.2 * np.sqrt(np.sin(polar)) * (1 + 0.3 * np.sin(6 * polar))
    ring = np.stack([np.cos(around) * 1.2, np.zeros(columns), np.sin(around)], -1)
    vertices = radius[:, None, None] * ring + np.array([0, 1, 0]) * -0.875 * np.cos(polar)[:, None, None]
    vertices = np.concatenate([vertices.reshape(-1, 3), [[0, -0.9, 0], [0, 0.9, 0]]])
    corner, side = np.arange(rows - 1)[:, None] * columns, np.arange(columns)
    beside = (side + 1) % columns
    a, b, c, d = (corner + side, corner + beside, corner + columns + side, corner + columns + beside)
    last = (rows - 1) * columns
    faces = np.concatenate(
        [
            np.stack([a, b, c], -1).reshape(-1, 3),
            np.stack([b, d, c], -1).reshape(-1, 3),
            np.stack([np.full(columns, rows * columns), beside, side], -1),
            np.stack([np.full(columns, rows * columns + 1), last + side, last + beside], -1),
        ]
    )
    # The sweep runs the other way round than our outside: turn the corners.
    faces = faces[:, ::-1]
    angle = np.arange(frames)[:, None] / 10
    swaying = np.repeat(vertices[None], frames, 0).astype(np.float32)
    swaying[:, :, 0] += 0.15 * np.sin(angle + vertices[:, 1])
    joints, generator = swaying[:, ::410], np.random.default_rng(0)
    return [
        stage.Drawn(name, joints + generator.normal(0, noise, joints.shape), role, swaying, faces)
        for name, role, noise in (
            ("estimator", "input", 0.03),
            ("SynSP", "refined", 0.01),
            ("ground truth", "truth", 0.0),
        )
    ]


def rate(frames):
    """(frames a second of an iterable without keeping them, their number, the last one)."""
    start, count, image = time.perf_counter(), 0, None
    for image in frames:
        count += 1
    return count / (time.perf_counter() - start), count, image


def encoded_rate(frames, folder):
    start = time.perf_counter()
    info = video.write_video(frames, Path(folder) / "benchmark.mp4", progress=False)
    return info["frames"] / (time.perf_counter() - start)


def rows(frames=300, baseline_frames=12):
    """One row a measurement: (what, size, baseline fps or None, ours fps, ratio or None, bar, reached)."""
    layout, generator, table = LAYOUTS["h36m17"], np.random.default_rng(0), []
    with tempfile.TemporaryDirectory() as folder:
        for dims, scene in ((3, pose_scene_3d), (2, pose_scene_2d)):
            tracks = tracks_of(walker(frames, dims, generator))
            ours, _, image = rate(scene(tracks, layout, title="benchmark"))
            size = image.shape[1::-1]
            curves = stage.default_curves(tracks, "mm" if dims == 3 else "px")
            few = [replace(track, joints=track.joints[:baseline_frames]) for track in tracks]
            baseline = rate(matplotlib_frames(few, layout, curves, size))[0]
            coded = encoded_rate(scene(tracks, layout, title="benchmark"), folder)
            for what, fps, bar in (("drawing", ours, 25), ("encoded", coded, 15)):
                ratio = fps / baseline
                table.append((f"{dims}D, {what}", size, baseline, fps, ratio, f"{bar}x", ratio >= bar))
        tracks = bodies(min(frames, 100))
        ours, _, image = rate(mesh_scene(tracks, title="benchmark"))
        size = image.shape[1::-1]
        coded = encoded_rate(mesh_scene(tracks, title="benchmark"), folder)
        table.append(("mesh, 3 x 6,890 vertices, drawing", size, None, ours, None, "15 fps", ours >= 15))
        table.append(("mesh, 3 x 6,890 vertices, encoded", size, None, coded, None, "15 fps", coded >= 15))
    return table


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=300, help="frames a scene of ours")
    parser.add_argument("--baseline_frames", type=int, default=12, help="frames of matplotlib")
    arguments = parser.parse_args()
    print(f"{'what':<36}{'size':>11}{'matplotlib':>12}{'ours':>9}{'ratio':>8}{'bar':>8}")
    for what, size, baseline, ours, ratio, bar, reached in rows(arguments.frames, arguments.baseline_frames):
        cells = ("" if baseline is None else f"{baseline:.2f} fps", "" if ratio is None else f"{ratio:.0f}x")
        print(
            f"{what:<36}{f'{size[0]}x{size[1]}':>11}{cells[0]:>12}{ours:>5.0f} fps{cells[1]:>8}{bar:>8}  "
            + ("ok" if reached else "MISSED")
        )


if __name__ == "__main__":
    main()
