"""Checkpoints: ours, which describe themselves, and those of the published SynSP and SmoothNet.

Ours is one dict saved by torch (read with weights_only=True, so that nothing in it is executed), format 2:

    format_version   2
    model            {"name": "synsp" | "smoothnet", and what the tensors' shapes do not say}
    state_dict       the weights, under the published names
    recipe           how the network is used, whole (`lib.windows.recipe.Recipe`)
    data             {"sources", "layout": {name, joints, edges, root}}
    config           the whole config as nested dicts
    provenance       {"command", "licence", "version of torch", ...}
    performance      validation scores
    training         optimiser, schedule, generators (absent from a shipped checkpoint)

A published checkpoint has only epoch, state_dict, performance, optimizer and sigma; its sizes are read from its tensors.
Published files and those of format 1 are translated as they are loaded (lib/models/translate.py).
"""

import io
import re
from dataclasses import dataclass, field
from pathlib import Path

import torch

from .. import safe_tensors
from ..errors import UserError, reading
from ..files import write_bytes
from ..poses.kinds import kind_of
from ..windows.recipe import STREAMED, Recipe
from .attention import Sizes
from .merging import Blend, Gain
from .residual import ResidualSynSP
from .smoothnet import SmoothNet
from .synsp import SynSP
from .translate import to_format_2

FORMAT_VERSION = 2

# Weights of the published SynSP that its forward pass never reads.
DEAD = re.compile(
    r"proj_i_p\.|proj_i_2\.|(encoder_local|encoder_global|decoder|decoder_2)\.layer_norm\."
    r"|decoder(_2)?\.layer_stack\.\d+\.slf_attn\.|.*\.position_embeddings\.|.*\.position_enc\.pos_table2?$"
)


@dataclass
class Checkpoint:
    """A network and what its file says of itself. `data`, `config`, `provenance` are empty for published files.

    recipe: how it is used; its window is None for a published SynSP, whose file does not say.
    """

    path: str
    network: torch.nn.Module
    recipe: Recipe
    data: dict = field(default_factory=dict)
    config: dict = field(default_factory=dict)
    provenance: dict = field(default_factory=dict)
    performance: object = None
    training: dict | None = None
    epoch: int | None = None

    @property
    def name(self):
        """synsp or smoothnet."""
        return self.network.name

    @property
    def published(self):
        return not self.data


def build(cfg, channels, recipe):
    """A new network as cfg.MODEL says, for windows of a `Recipe`. Raises UserError for a name or sizes that cannot be."""
    model, window = cfg.MODEL, recipe.window
    if model.DROPOUT >= 1:
        raise UserError(f"MODEL.DROPOUT is {model.DROPOUT}; expected less than 1 (-1: the network's own)")
    if window < 2:
        raise UserError(f"MODEL.SLIDE_WINDOW_SIZE is {window}; expected at least 2 frames")
    if model.NAME == "smoothnet":
        if min(model.HIDDEN_SIZE, model.RES_HIDDEN_SIZE) < 1 or model.NUM_BLOCK < 0:
            raise UserError("MODEL.HIDDEN_SIZE and MODEL.RES_HIDDEN_SIZE must be positive, MODEL.NUM_BLOCK at least 0")
        dropout = model.DROPOUT if model.DROPOUT >= 0 else 0.5
        return SmoothNet(window, model.HIDDEN_SIZE, model.RES_HIDDEN_SIZE, model.NUM_BLOCK, dropout)
    _check_synsp(model, window)
    dropout = model.DROPOUT if model.DROPOUT >= 0 else 0.2
    sizes = Sizes(model.d_model, model.d_inner, model.n_layers, model.n_head, model.d_k, model.d_v, dropout)
    return _synsp_of(channels, sizes, model.RESIDUAL_COMPONENTS, recipe)


def _synsp_of(channels, sizes, components, recipe, corrects=False):
    """The published network where a recipe asks for nothing more."""
    options = {"cue": recipe.canonical, "bones": len(recipe.bones), "corrects": corrects}
    options |= {"fuses": recipe.fuse == "depth", "segments": bool(recipe.segment)}
    if not components and recipe.fuse == "none" and not any(options.values()):
        return SynSP(channels, sizes)
    return ResidualSynSP(channels, sizes, residual_components=components, **options)


def _check_synsp(model, window):
    if model.NAME != "synsp":
        raise UserError(f"MODEL.NAME is {model.NAME}; expected synsp or smoothnet")
    if model.d_word_vec != model.d_model:
        raise UserError(
            f"MODEL.d_word_vec is {model.d_word_vec}; expected the value of MODEL.d_model ({model.d_model})"
        )
    if model.d_model % 2 or min(model.d_model, model.d_inner, model.n_layers, model.n_head, model.d_k, model.d_v) < 1:
        raise UserError("MODEL: sizes must be positive, and d_model even")
    if model.RESIDUAL_COMPONENTS < 0:
        raise UserError(f"MODEL.RESIDUAL_COMPONENTS is {model.RESIDUAL_COMPONENTS}; expected at least 0")
    if model.SEGMENT < 0 or model.SEGMENT == 1 or model.SEGMENT and window % model.SEGMENT:
        raise UserError(
            f"MODEL.SEGMENT is {model.SEGMENT}; expected a divisor of the window of {window} frames, or 0 (read whole)"
        )
    if model.SEGMENT and model.ALIGN_VIEWS != "none":
        raise UserError(
            f"MODEL.SEGMENT is {model.SEGMENT} and MODEL.ALIGN_VIEWS {model.ALIGN_VIEWS}: segments are for one view. Set "
            "MODEL.SEGMENT 0, or MODEL.ALIGN_VIEWS none"
        )


def save(path, content):
    """Write a checkpoint dict atomically, with the format version."""
    buffer = io.BytesIO()  # torch reports a full disk as a RuntimeError without a cause, a file as what it is
    torch.save({"format_version": FORMAT_VERSION, **content}, buffer)
    write_bytes(path, buffer.getbuffer())


def read(path):
    """The dict in a checkpoint file. Raises UserError when there is none, or when it is another kind of file."""
    try:
        content = safe_tensors.load(Path(path).read_bytes(), f"checkpoint {path}")
    except FileNotFoundError:
        raise UserError(
            f"checkpoint {path}: not found. Pass --checkpoint with a file from data/checkpoints/ or "
            "from a run's folder in results/"
        ) from None
    except IsADirectoryError:
        raise UserError(f"checkpoint {path}: is a folder. Pass the .pth.tar file in it") from None
    except UserError as error:
        if ": refused, because" in str(error):
            raise
        raise UserError(f"checkpoint {path}: not a readable checkpoint ({_kind_of_file(path)})") from error
    if not isinstance(content, dict) or "state_dict" not in content:
        found = (
            f"keys {', '.join(map(str, list(content)[:6]))}" if isinstance(content, dict) else type(content).__name__
        )
        raise UserError(
            f"checkpoint {path}: holds no state_dict (found {found}), so it is not a checkpoint of SynSP or SmoothNet. Pass one that is"
        )
    version = content.get("format_version", FORMAT_VERSION)
    if not isinstance(version, int):
        raise UserError(f"checkpoint {path}: its format version is {version!r}, not a number. The file is damaged")
    if version > FORMAT_VERSION:
        raise UserError(
            f"checkpoint {path}: format {version}, this version reads up to {FORMAT_VERSION}. Update the toolkit"
        )
    return content


def unmerged(content):
    """A checkpoint dict of format 2 without learned merges, which are of the very weights that they were trained after."""
    weights = {
        name: tensor for name, tensor in content["state_dict"].items() if not name.startswith(("gain.", "blend."))
    }
    recipe = dict(content["recipe"])
    if recipe.get("weighting") == "learned":
        recipe["weighting"] = STREAMED["learned"]
    return {**content, "state_dict": weights, "recipe": recipe}


def _kind_of_file(path):
    """What a file that torch cannot load looks like, from its first bytes."""
    with open(path, "rb") as file:
        head = file.read(8)
    kinds = (
        (b"PK", "a zip archive: a truncated checkpoint, or an .npz"),
        (b"\x1f\x8b", "a gzip archive"),
        (b"\x80", "a pickle"),
        (b"<", "a web page"),
        (b"version ", "a Git LFS pointer"),
        (b"\x93NUMPY", "an .npy array"),
    )
    if not head:
        return "the file is empty"
    return next((f"it looks like {kind}" for start, kind in kinds if head.startswith(start)), "unknown kind of file")


def load(path, n_head=4):
    """Read a checkpoint, ours or a published one, into a network on the CPU in eval mode.

    n_head: heads of a published SynSP, whose tensors do not say; our files do. Raises UserError that names
    the missing, unexpected or impossible key.
    """
    content = read(path)
    with reading(f"checkpoint {path}", "a checkpoint"):
        return _checkpoint(path, content, n_head)


# What a file says of itself, by its kind; what a door relies on is looked at there.
_KINDS = {
    "model": {
        "n_head": int,
        "residual_components": int,
        "dropout": float | int,
        "align_views": str,
    },
    "data": {
        "representation": str,
        "window": int,
        "channels": int,
        "fps": float | int,
        "views": int,
        "lag": int | None,
        "layout": dict,
    },
    "config": {},
    "provenance": {},
}
_LAYOUT = {"name": str, "joints": list, "edges": list, "root": list}


def _check_kinds(path, content):
    """Refuse what is not of the kind that the doors rely on. Raises UserError naming the entry."""
    for part, kinds in _KINDS.items():
        of_part = content.get(part, {})
        for name, value, kind in [
            (part, of_part, dict),
            *((f"{part}.{key}", of_part[key], kind) for key, kind in kinds.items() if key in of_part),
        ]:
            if not isinstance(value, kind):
                raise UserError(f"checkpoint {path}: its {name} is a {type(value).__name__}. The file is damaged")
    data = content.get("data", {})
    layout = data.get("layout", {})
    count = len(layout.get("joints", ()))
    if layout and not all(isinstance(layout.get(key), kind) for key, kind in _LAYOUT.items()):
        raise UserError(f"checkpoint {path}: its layout lacks names, joints, edges or root. The file is damaged")
    places = [joint for edge in layout.get("edges", ()) for joint in edge] + list(layout.get("root", ()))
    if not all(isinstance(joint, int) and 0 <= joint < count for joint in places):
        raise UserError(f"checkpoint {path}: its layout names joints that it does not have. The file is damaged")


def _checkpoint(path, content, n_head):
    _check_kinds(path, content)
    weights = content["state_dict"]
    if not isinstance(weights, dict) or not all(
        isinstance(name, str) and isinstance(tensor, torch.Tensor) for name, tensor in weights.items()
    ):
        raise UserError(f"checkpoint {path}: its state_dict is not a table of named tensors")
    if n_head < 1:
        raise UserError(f"checkpoint {path}: MODEL.n_head is {n_head}; expected at least 1")
    weights = {name.removeprefix("module."): tensor.float() for name, tensor in weights.items()}
    for first in ("encoder.0.weight", "proj_i_a.0.weight"):
        if first in weights and weights[first].dim() != 2:
            raise UserError(f"checkpoint {path}: {first} is {list(weights[first].shape)}; expected a matrix")
    content = to_format_2({**content, "state_dict": weights}, f"checkpoint {path}")
    recipe = Recipe.from_dict(content["recipe"], f"checkpoint {path}")
    if "encoder.0.weight" in weights:
        network = _smoothnet(weights)
    elif "proj_i_a.0.weight" in weights:
        weights = {name: tensor for name, tensor in weights.items() if not DEAD.match(name)}
        network = _synsp(path, weights, {"n_head": n_head, **content["model"]}, recipe)
    else:
        raise UserError(
            f"checkpoint {path}: neither SynSP (no weights proj_i_a.0.weight) nor SmoothNet (no encoder.0.weight); its "
            f"first weights are {', '.join(list(weights)[:4])}. Pass a checkpoint of one of the two"
        )
    _fill(path, network, weights)
    parts = {name: content.get(name) or {} for name in ("data", "config", "provenance")}
    more = {name: content.get(name) for name in ("performance", "training", "epoch")}
    return Checkpoint(str(path), network.eval(), recipe, **parts, **more)


def _smoothnet(weights):
    hidden, window = weights["encoder.0.weight"].shape
    blocks = sum(name.endswith("linear1.weight") for name in weights)
    first = next((tensor for name, tensor in weights.items() if name.endswith("linear1.weight")), None)
    inner = 1 if first is None else first.shape[0]
    return SmoothNet(window, hidden, inner, blocks)


def _synsp(path, weights, model, recipe):
    d_model, channels = weights["proj_i_a.0.weight"].shape
    layers = sum(re.fullmatch(r"decoder\.layer_stack\.\d+\.pos_ffn\.w_1\.weight", name) is not None for name in weights)
    first = "decoder.layer_stack.0"
    try:
        d_inner = weights[f"{first}.pos_ffn.w_1.weight"].shape[0]
        keys = weights[f"{first}.enc_attn.w_ks.weight"].shape[0]
        values = weights[f"{first}.enc_attn.w_vs.weight"].shape[0]
    except KeyError as error:
        raise UserError(f"checkpoint {path}: lacks the weight {error.args[0]}") from None
    components, n_head, dropout = model.get("residual_components", 0), model["n_head"], model.get("dropout", 0.2)
    _check_model(path, {"residual_components": components, "n_head": n_head}, dropout)
    for name in ("pairs", "bones"):
        value = getattr(recipe, name)
        if not all(_is_pair(pair, channels // 3) for pair in value):
            raise UserError(
                f"checkpoint {path}: recipe.{name} is {value!r}, which does not fit {channels} channels. The file is damaged"
            )
    if keys % n_head or values % n_head:
        raise UserError(
            f"checkpoint {path}: its attention is {keys} wide, which MODEL.n_head {n_head} does not divide. "
            "Set MODEL.n_head to the number of heads it was trained with"
        )
    sizes = Sizes(d_model, d_inner, layers, n_head, keys // n_head, values // n_head, dropout)
    corrects = "proj_l.weight" in weights
    if corrects and not recipe.canonical:
        raise UserError(f"checkpoint {path}: corrects poses in no common heading. The file is damaged")
    network = _synsp_of(channels, sizes, components, recipe, corrects)
    for name, hidden in (("gain", "cell.weight_hh"), ("blend", "cell.weight_hh_l0")):
        if f"{name}.of_joint" in weights:
            joints, width = weights[f"{name}.of_joint"].shape
            memory = weights[f"{name}.{hidden}"].shape[1] if f"{name}.{hidden}" in weights else 1
            _check_merging(path, name, joints, channels, recipe)
            made = Gain(joints, width, memory) if name == "gain" else Blend(joints, recipe.window, width, memory)
            setattr(network, name, made)
    if recipe.weighting == "learned" and network.blend is None:
        raise UserError(f"checkpoint {path}: recipe.weighting is learned, but it has no blend. The file is damaged")
    return network


def _check_merging(path, name, joints, channels, recipe):
    """Raise UserError where a learned merge of J joints cannot be this network's (lib/models/merging.py)."""
    of_one_view = kind_of(recipe.kind).in_space and recipe.align == "none"
    twice = name == "gain" and recipe.carry
    if not of_one_view or twice or 3 * joints != channels:
        raise UserError(
            f"checkpoint {path}: has a {name} of {joints} joints, which is for 3D joints of one view without model.carry; its network "
            f"has {channels} channels. The file is damaged"
        )


def _is_pair(pair, joints):
    """Whether a file's value is two indices of J joints."""
    whole = isinstance(pair, tuple) and all(type(joint) is int for joint in pair)
    return whole and len(pair) == 2 and all(0 <= joint < joints for joint in pair)


def _check_model(path, numbers, dropout):
    """Raise UserError where a file's `model` holds no numbers of a network."""
    for name, value in numbers.items():
        least = 1 if name == "n_head" else 0
        if type(value) is not int or not least <= value <= 4096:
            raise UserError(
                f"checkpoint {path}: model.{name} is {value!r}; expected a whole number from {least}. The file is damaged"
            )
    if not isinstance(dropout, int | float) or not 0 <= dropout < 1:
        raise UserError(
            f"checkpoint {path}: model.dropout is {dropout!r}; expected 0 <= dropout < 1. The file is damaged"
        )


def _fill(path, network, weights):
    own = network.state_dict()
    missing, unexpected = sorted(own.keys() - weights.keys()), sorted(weights.keys() - own.keys())
    for names, what in ((missing, "lacks"), (unexpected, "has unexpected")):
        if names:
            raise UserError(f"checkpoint {path}: {what} {len(names)} weights, the first is {names[0]}")
    for name, tensor in weights.items():
        if own[name].shape != tensor.shape:
            raise UserError(f"checkpoint {path}: {name} is {list(tensor.shape)}, {list(own[name].shape)} expected")
        if not torch.isfinite(tensor).all():
            raise UserError(
                f"checkpoint {path}: {name} holds numbers that are not finite. Its training diverged, or the file is "
                "damaged: take another"
            )
    network.load_state_dict(weights)
