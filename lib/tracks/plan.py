"""What can refine a track: networks with what is known of their data, filters in Hz, and a plan of both."""

import re
from dataclasses import dataclass

import numpy as np
import torch

from ..errors import UserError
from ..filters import registry as filters
from ..models import checkpoints
from ..models.smoothnet import SmoothNet
from ..poses.skeletons import LAYOUTS

RATE = filters.RATE  # of models that do not say theirs
# Without any network: what fits itself to the jitter (docs/accuracy.md), and its like for a stream.
FALLBACK, LIVE_FALLBACK = "self_tuned", "kalman"
LIVE = ("auto", "synsp", "smoothnet", *filters.LIVE, "none")  # methods that need not see the whole recording


def check_live(method, wish):
    """Raise UserError for a method that looks ahead further than a lag allows; wish: what it was asked for."""
    if method not in LIVE:
        raise UserError(f"--method {method}: needs the whole recording. {wish}: {', '.join(LIVE)}")


@dataclass
class Model:
    """A network and what is known of its data.

    joints: names in its order, or None for SmoothNet, which takes any.
    """

    path: str
    name: str
    network: torch.nn.Module
    window: int
    fps: float
    kind: str | None = None
    joints: tuple | None = None
    normaliser: str = "isotropic"
    image_size: bool = False  # whether the normaliser went by the image's size
    views: int = 1  # the most that it was trained on
    lag: int | None = None  # of the stream that it was trained for
    general: bool = False  # trained for any skeleton's joints
    weighting: str = "mean"  # of the windows over a frame

    @property
    def label(self):
        return f"{'SynSP' if self.name == 'synsp' else 'SmoothNet'} (window {self.window}, {self.path})"


def load_model(path, n_head=4, window=8):
    """A `Model` from a checkpoint file; n_head, window: of a published SynSP, which does not say. Raises UserError for one that
    cannot refine poses of known joints."""
    checkpoint = checkpoints.load(path, n_head)
    data, network = checkpoint.data, checkpoint.network
    common = {"window": checkpoint.window or window, "fps": data.get("fps") or RATE, "weighting": checkpoint.weighting}
    if isinstance(network, SmoothNet):
        return Model(str(path), "smoothnet", network, **common)
    kind, layout = data.get("representation"), data.get("layout")
    if not layout:  # published: the channels say what they are
        known = {
            51: ("3D", "h36m17"),
            34: ("2D", "h36m17"),
            32: ("2D", "h36m16"),
            42: ("3D", "lsp14"),
            144: ("smpl", "smpl24"),
        }
        if checkpoint.channels not in known:
            raise UserError(
                f"checkpoint {path}: reads {checkpoint.channels} channels and does not say of "
                f"which joints. Known: {', '.join(map(str, known))}"
            )
        kind, name = known[checkpoint.channels]
        layout = {"joints": LAYOUTS[name].joints}
    if kind == "smpl" and not data.get("use_6d", True):
        raise UserError(
            f"checkpoint {path}: reads axis-angles; only 6D rotations (TRAIN.USE_6D_SMPL True) are refined here"
        )
    return Model(
        str(path),
        "synsp",
        network,
        kind=kind,
        joints=tuple(layout["joints"]),
        normaliser=data.get("normaliser", "h36m" if kind == "2D" else "isotropic"),
        image_size=bool(data.get("image_size")),
        views=data.get("views") or 1,
        lag=data.get("lag"),
        general=_for_any_skeleton(checkpoint.config),
        **common,
    )


def _for_any_skeleton(stored):
    """Whether a checkpoint's config says that joints were moved about in training."""
    return stored.get("TRAIN", {}).get("AUGMENT", {}).get("CONVENTION", 0) > 0


@dataclass
class Plan:
    """How a track is refined: SynSP for the joints of a mapping, a per-channel method for the others (a
    `Model` or a filter's name)."""

    synsp: Model | None
    mapping: object
    channel: object
    sentence: str

    @property
    def rate(self):
        return next((model.fps for model in (self.synsp, self.channel) if isinstance(model, Model)), RATE)


def pace(times):
    """Frames a second of times [T], by the median step."""
    return float(1 / np.median(np.diff(times))) if len(times) > 1 else RATE


def short(label):
    """A method's label without its path."""
    return re.sub(r" \(.*", "", label)
