"""What can refine a track: networks with what is known of their data, filters in Hz, and a plan of both."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..errors import UserError
from ..filters import registry as filters
from ..models import checkpoints, translate
from ..poses import gaps
from ..windows.recipe import Recipe

RATE = filters.RATE  # of models that do not say theirs
METHODS = ("auto", "synsp", "smoothnet", *filters.FILTERS, "none")
LIVE = ("auto", "synsp", "smoothnet", *filters.LIVE, "none")  # methods that need not see the whole recording


def fallback(live):
    """The filter where there is no network: what fits itself to the jitter (docs/accuracy.md), and its like for a stream."""
    return "kalman" if live else "self_tuned"


def check_live(method, wish):
    """Raise UserError for a method that looks ahead further than a lag allows; wish: what it was asked for."""
    if method not in LIVE:
        raise UserError(f"--method {method}: needs the whole recording. {wish}: {', '.join(LIVE)}")


@dataclass(frozen=True)
class Model:
    """A network with the recipe of its use, as refining poses of known joints needs them."""

    path: str
    network: torch.nn.Module
    recipe: Recipe
    licence: str = ""

    @property
    def name(self):
        """synsp or smoothnet."""
        return self.network.name

    @property
    def window(self):
        return self.recipe.window

    @property
    def fps(self):
        return self.recipe.fps or RATE

    @property
    def label(self):
        return f"{'SynSP' if self.takes_joints else 'SmoothNet'} ({Path(self.path).name})"

    @property
    def takes_joints(self):
        """Whether it reads the joints of a recipe together; a per-channel network takes any."""
        return self.network.channels is not None


def load_model(path, n_head=4, window=8):
    """A `Model` from a checkpoint file; n_head, window: of a published SynSP, which does not say. Raises UserError for one that
    cannot refine poses of known joints."""
    checkpoint = checkpoints.load(path, n_head)
    recipe, network = checkpoint.recipe, checkpoint.network
    if recipe.window is None:
        recipe = recipe.but(window=window)
    if network.channels is not None and recipe.joints is None:
        known = ", ".join(map(str, translate.PUBLISHED))
        raise UserError(
            f"checkpoint {path}: reads {network.channels} channels and does not say of which joints. Known: {known}"
        )
    if network.channels is not None and not recipe.use_6d:
        raise UserError(
            f"checkpoint {path}: reads axis-angles; only 6D rotations (TRAIN.USE_6D_SMPL True) are refined here"
        )
    licence = checkpoint.provenance.get("licence")
    return Model(str(path), network, recipe, licence if isinstance(licence, str) else "")


@dataclass
class Plan:
    """How a track is refined: a network that reads joints together for the joints of a mapping, a per-channel method for the
    others (a `Model` or a filter's name)."""

    network: Model | None
    mapping: object
    channel: object
    sentence: str
    reason: str = ""  # why no network reads the joints together
    blend: bool = False  # `auto`: how much of what is told by the track itself (lib/tracks/auto.py)

    @property
    def rate(self):
        return next((model.fps for model in (self.network, self.channel) if isinstance(model, Model)), RATE)


def pace(times):
    """Frames per second of times [T], by the usual step."""
    return 1 / gaps.usual_step(np.diff(times)) if len(times) > 1 else RATE


def short(label):
    """A method's label without its file."""
    return re.sub(r" \(.*", "", label)
