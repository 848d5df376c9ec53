"""A validation clip as TensorBoard shows it during training: skeletons, and its error frame by frame."""

from dataclasses import replace

import matplotlib
import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..dataset.sequences import Recording
from ..dataset.synthetic import add_fixed_noise
from ..evaluation.methods import stacked
from ..evaluation.scores import judge_of
from ..poses.skeletons import LAYOUTS
from ..windows.pipeline import refine
from . import drawing
from .figure_style import COLOURS, STYLE, TRUTH

FRAMES = 300  # of the clip
POSES = 6  # skeletons side by side


class Clip:
    """One validation clip, drawn by `write` now and then.

    split: the validation `sequences.Split`, whose first recording is the clip; where its errors are simulated,
    they are drawn once, the same for every training; recipe: of the network that is trained.
    """

    def __init__(self, split, cfg, recipe):
        self.split, self.cfg, self.recipe, self.views = split, cfg, recipe, _clip(split, cfg)
        self.judge = judge_of(split, cfg)

    def write(self, writer, epoch, network):
        """Add two pictures to TensorBoard: `clip/skeletons` and `clip/error`.

        writer: SummaryWriter; epoch: the step they are filed under; network: SynSP or SmoothNet, put into eval
        mode for this and back. Leaves torch's random generators as they were. Returns the mean MPJPE before and
        after, in mm or px.
        """
        before, after, truth = self.joints(network)
        rep = self.split.representation
        layout = LAYOUTS["lsp14"] if rep.kind.rotations else self.split.layout
        errors = [np.linalg.norm(joints - truth, axis=-1).mean(-1) for joints in (before, after)]
        with matplotlib.rc_context(STYLE):
            writer.add_image(
                "clip/skeletons", _skeletons(before, after, truth, layout, errors, rep.unit), epoch, dataformats="HWC"
            )
            writer.add_image("clip/error", _curves(errors, rep.unit, self.views[0].name), epoch, dataformats="HWC")
        return tuple(float(error.mean()) for error in errors)

    def joints(self, network):
        """[input, refined, truth], each [T, J, D] in mm or px, of the first view."""
        rep, view = self.split.representation, self.views[0]
        recording = stacked(replace(self.split, recordings=[Recording(view.name, self.views)]))
        training = network.training
        network.eval()
        lag = self.recipe.trained_lag  # what the training is for is what is shown
        refined = next(refine(network, recording, self.recipe if lag is None else self.recipe.streamed(lag)))
        network.train(training)
        raws = (
            torch.as_tensor(view.detected),
            rep.from_network(refined.final[0], view.frame),
            torch.as_tensor(view.truth),
        )
        return [self.judge.joints(view, raw, raw is raws[2]).numpy() for raw in raws]


def _clip(split, cfg):
    """The views of the first recording, cut to FRAMES, with detections; the split's own stay as they are."""
    views = []
    for view in split.recordings[0].views:
        per_frame = {key: view.extras[key][:FRAMES] for key in ("shape", "truth_shape") if key in view.extras}
        views.append(
            replace(
                view,
                truth=view.truth[:FRAMES],
                extras=per_frame,
                known=None,
                detected=None if view.detected is None else view.detected[:FRAMES],
                present=None if view.present is None else view.present[:FRAMES],
            )
        )
    add_fixed_noise([view for view in views if view.detected is None], split.layout, split.representation, cfg)
    return views


def _skeletons(before, after, truth, layout, errors, unit):
    """Poses of the clip, the input above and the refined below, each over the truth: [H, W, 3] uint8."""
    chosen = np.unique(np.linspace(0, len(truth) - 1, POSES).astype(int))
    seen = [
        joints if joints.shape[-1] == 2 else drawing.look(joints / 1000, 30, 10)[..., :2] * 1000
        for joints in (before, after, truth)
    ]
    # Each pose about its own middle, all in one scale.
    middle = seen[2].mean(1, keepdims=True)
    seen = [(joints - middle)[chosen] for joints in seen]
    half = 1.08 * np.abs(seen[2]).max()
    figure = Figure((1.7 * len(chosen), 4.6))
    axes = np.reshape(figure.subplots(2, len(chosen)), (2, -1))
    for row, (name, error) in enumerate(zip(("input", "refined"), errors)):
        colour = COLOURS[("input", "refined")[row]][0]
        for column, frame in enumerate(chosen):
            cell = axes[row, column]
            for joints, paint, width in ((seen[2][column], "#b6bcc2", 3), (seen[row][column], colour, 1.6)):
                for a, b in layout.lines or ((k, k) for k in range(layout.size)):
                    cell.plot(*joints[[a, b]].T, color=paint, lw=width, marker="o", ms=width, solid_capstyle="round")
            # Both kinds of poses have y down.
            cell.set(xlim=(-half, half), ylim=(half, -half), aspect="equal", xticks=[], yticks=[])
            cell.spines[:].set_visible(False)
            cell.set_title(
                f"{error[frame]:.1f} {unit}" if row else f"frame {frame}\n{error[frame]:.1f} {unit}", loc="center"
            )
        axes[row, 0].set_ylabel(name, color=colour, weight="bold")
    figure.suptitle("over the ground truth in grey; numbers: MPJPE of the frame", fontsize=9, x=0.01, ha="left")
    return _pixels(figure)


def _curves(errors, unit, name):
    """The clip's MPJPE over its frames: [H, W, 3] uint8."""
    figure = Figure((8, 2.8))
    axes = figure.subplots()
    for label, error, key in zip(("input", "refined"), errors, ("input", "refined")):
        axes.plot(error, color=COLOURS[key][0], lw=1.4)
        axes.annotate(
            f"{label} {error.mean():.1f}",
            (1.01, 0.75 if label == "input" else 0.6),
            xycoords="axes fraction",
            color=COLOURS[key][0],
            weight="bold",
        )
    axes.axhline(0, color=TRUTH, lw=0.8)
    axes.set(xlabel="frame", ylabel=f"MPJPE ({unit})", title=name, xlim=(0, max(len(errors[0]) - 1, 1)))
    return _pixels(figure)


def _pixels(figure):
    canvas = FigureCanvasAgg(figure)
    figure.set_dpi(100)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
