"""The networks of a command line: which recipe and settings each checkpoint brings, and what to warn of."""

from pathlib import Path

from ..dataset.sequences import ROOT_AT_ZERO, root_distance
from ..errors import UserError
from ..messages import logger
from ..models import checkpoints
from .methods import NetworkMethod

log = logger(__name__)


def warn_of(checkpoint, split):
    """Say what a network can read but was probably not meant to: several views at once, poses away from their root."""
    recipe = checkpoint.recipe
    if checkpoint.published or checkpoint.network.channels is None:
        return
    several = any(len(recording.views) > 1 for recording in split.recordings)
    if several and recipe.views == 1 and not recipe.segment:
        log.warning(
            "%s was trained on one view at a time and now reads several together: go by the row of each view alone",
            checkpoint.path,
        )
    away = root_distance(split)
    if away > ROOT_AT_ZERO and recipe.root_relative:
        log.warning(
            "%s: root joints lie up to %.1f m from the origin; checkpoint %s expects root-centred poses. Subtract the root "
            "from joints_3d, detections and ground truth",
            split.source,
            away,
            checkpoint.path,
        )


def recipe_for(checkpoint, request, cfg):
    """The recipe of a checkpoint as a command line uses it: what a flag or override says goes before what the file says,
    but for what its weights fix.

    SmoothNet's window is its weights': another one asked for by flag is a UserError. SynSP runs at any window: another one
    than it was trained with is said in a warning.
    """
    recipe, changes = checkpoint.recipe, {"step": cfg.EVALUATE.SLIDE_WINDOW_STEP_SIZE, "lag": None}
    keys = {"MODEL.ALIGN_VIEWS": "align", "EVALUATE.WINDOW_WEIGHTS": "weighting", "EVALUATE.SMOOTH": "smooth"}
    for key, name in keys.items():
        if request.explicit(key) or checkpoint.published:
            section, field = key.split(".")
            changes[name] = cfg[section][field]
    return recipe.but(window=_window(checkpoint, request), **changes)


def _window(checkpoint, request):
    asked, own = request.config().MODEL.SLIDE_WINDOW_SIZE, checkpoint.recipe.window
    explicit = request.explicit("MODEL.SLIDE_WINDOW_SIZE")
    if checkpoint.network.window is not None:
        if explicit and asked != own:
            raise UserError(
                f"checkpoint {checkpoint.path}: is a SmoothNet of window {own}, but --slide_window_size is {asked}. Pass "
                f"--slide_window_size {own}, or the checkpoint of window {asked}"
            )
        return own
    if asked < 2:
        raise UserError(f"--slide_window_size is {asked}; expected at least 2 frames")
    if own is None or explicit:
        if own not in (None, asked):
            log.warning(
                "%s was trained with window %d and runs with %d: expect worse results", checkpoint.path, own, asked
            )
        return asked
    return own


def _check_sizes(checkpoint, request, cfg):
    """Raise UserError for a size asked for by flag or override that the checkpoint's weights do not have."""
    recipe = checkpoint.recipe
    sizes = checkpoint.network.sizes()
    if checkpoint.name == "synsp":
        sizes = {"MODEL.RESIDUAL_COMPONENTS": 0, **sizes}
        sizes |= {
            "MODEL.SEGMENT": recipe.segment,
            "MODEL.CANONICAL": recipe.canonical,
            "MODEL.ONE_SIZE": recipe.one_size,
            "MODEL.BODY": bool(recipe.bones),
        }
    for key, real in sizes.items():
        given = cfg.MODEL[key.split(".")[1]]
        if request.explicit(key) and given != real:
            raise UserError(
                f"{key} {given}: but checkpoint {checkpoint.path} has {real}. Leave it out; sizes are read from the file"
            )


def load_networks(request, device):
    """(config, [NetworkMethod]) for the checkpoints of a command line (`--checkpoint`, a comma list).

    What the first checkpoint says of its data fills what neither flags nor YAML said. Raises UserError for conflicts in sizes.
    """
    cfg = request.config()
    paths = [path.strip() for path in cfg.EVALUATE.PRETRAINED.split(",") if path.strip()]
    loaded = []
    for path in paths:
        checkpoint = checkpoints.load(path, cfg.MODEL.n_head)
        _check_sizes(checkpoint, request, cfg)
        loaded.append(checkpoint)
    stored = _stored(cfg, [checkpoint for checkpoint in loaded if checkpoint.config])
    cfg = request.config(stored)
    labels = _labels(loaded)
    return cfg, [
        NetworkMethod(checkpoint, label, recipe_for(checkpoint, request, cfg), cfg, device)
        for checkpoint, label in zip(loaded, labels)
    ]


def _stored(cfg, loaded):
    """The part of the checkpoints' configs that eval and visualise take over: the first one's, and what the first that was
    trained on the dataset in question says of that; None where none has a config."""
    if not loaded:
        return None
    theirs = loaded[0].config
    stored = {"TRAIN": {key: theirs["TRAIN"][key] for key in ("USE_6D_SMPL", "noise_type", "noise_std")}}
    names = ("DATASET_NAME", "ESTIMATOR", "BODY_REPRESENTATION")
    stored.update({name: theirs[name] for name in names if not cfg[name]})
    asked = {name: cfg[name] or theirs[name] for name in names}
    # Of another dataset frame rate and joint order are not a checkpoint's to say.
    data = next((one.config["DATASET"] for one in loaded if all(one.config[name] == asked[name] for name in names)), {})
    stored["DATASET"] = {key: value for key, value in data.items() if key != "BASE_DIR"}
    return stored


def _labels(loaded):
    """A short name for each checkpoint: its network's, its file's where there are several, with the folder where those
    are the same."""
    names = {"synsp": "SynSP", "smoothnet": "SmoothNet"}
    if len(loaded) == 1:
        return [names[loaded[0].name]]
    paths = [Path(checkpoint.path) for checkpoint in loaded]
    short = [path.name.removesuffix(".pth.tar") for path in paths]
    if len(set(short)) == len(short):
        return short
    return [f"{path.parent.name}/{name}" for path, name in zip(paths, short)]
