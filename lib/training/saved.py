"""The state of a training in its checkpoints: written, continued to the bit, or the weights alone taken on."""

from pathlib import Path

import torch

from .. import config, run
from ..errors import UserError
from ..messages import counted, logger
from ..models import checkpoints

log = logger(__name__)


def write(trainer, path):
    """Write checkpoint_<name>.pth.tar: all that eval, visualise and a continued run need."""
    first = trainer.splits[0]
    checkpoints.save(
        path,
        {
            "model": trainer.network.described(),
            "state_dict": {
                key: value.cpu() for key, value in (trainer.averaged or trainer.network).state_dict().items()
            },
            "recipe": trainer.recipe.as_dict(),
            "epoch": trainer.epoch,
            "performance": trainer.scores,
            "data": {
                "sources": [str(split.source) for split in trainer.splits],
                "layout": {
                    "name": first.layout.name,
                    "joints": list(first.layout.joints),
                    "edges": [list(edge) for edge in first.layout.edges],
                    "root": list(first.layout.root),
                },
            },
            "config": config.as_dict(trainer.cfg),
            "provenance": {"command": run.command_line(), "torch": str(torch.__version__)},
            "training": {
                "network": trainer.network.state_dict(),
                "optimizer": trainer.optimizer.state_dict(),
                "schedule": trainer.schedule.state_dict(),
                "epoch": trainer.epoch,
                "step": trainer.step,
                "running": trainer.running,
                "running_position": trainer.running_position,
                "best": trainer.best,
                "rng": torch.get_rng_state(),
                "cuda_rng": torch.cuda.get_rng_state(trainer.device) if trainer.device.type == "cuda" else None,
            },
        },
    )


def write_fitted(path, content, recipe, weights, name):
    """Write checkpoint `content` (format 2) with what was fitted after its network: `weights` beside its own, a changed `Recipe`.

    name: what it is, under which the command is kept. Scores and the optimiser's state were of the network without it.
    """
    kept = {key: value for key, value in content.items() if key not in ("format_version", "training", "scores")}
    provenance = {**content.get("provenance", {}), name: run.command_line()}
    fitted = {
        "recipe": recipe.as_dict(),
        "state_dict": {**content["state_dict"], **weights},
        "provenance": provenance,
    }
    checkpoints.save(path, {**kept, **fitted})


def resume(trainer, path):
    """Put a checkpoint's whole state in place; of weights without one (a published file) the weights alone.

    Raises UserError where the training would go on under other settings.
    """
    checkpoint = checkpoints.load(path, trainer.cfg.MODEL.n_head)
    if checkpoint.training is None:
        take_weights(trainer, checkpoint)
        log.info(
            "TRAIN.RESUME %s: has weights only (no optimiser state of this toolkit), training starts at epoch 1 "
            "from them",
            path,
        )
        return
    _check_continues(trainer.cfg, path, checkpoint)
    trainer.network.load_state_dict(checkpoint.training["network"])
    if trainer.averaged is not None:
        trainer.averaged.load_state_dict(checkpoint.network.state_dict())
    state = checkpoint.training
    trainer.optimizer.load_state_dict(state["optimizer"])
    # The first checkpoints of format 1 left out the lambdas, which are None in any case.
    lambdas = {"lr_lambdas": [None]} if trainer.cfg.TRAIN.SCHEDULE == "exponential" else {}
    trainer.schedule.load_state_dict({**lambdas, **state["schedule"]})
    trainer.epoch, trainer.step, trainer.running, trainer.best = (
        state[name] for name in ("epoch", "step", "running", "best")
    )
    trainer.running_position = state.get("running_position", 0.0)
    torch.set_rng_state(state["rng"])
    if trainer.device.type == "cuda" and state["cuda_rng"] is not None:
        torch.cuda.set_rng_state(state["cuda_rng"], trainer.device)
    trainer.folder = trainer.folder or Path(path).resolve().parent
    if trainer.epoch >= trainer.cfg.TRAIN.EPOCH:
        log.info(
            "%s is complete: %d of %s. Raise TRAIN.EPOCH to train on",
            trainer.folder,
            trainer.epoch,
            counted(trainer.cfg.TRAIN.EPOCH, "epoch"),
        )


def _check_continues(cfg, path, checkpoint):
    """A run continues with the same numbers only under the same settings."""
    free = {
        "LOGDIR",
        "OUTPUT_DIR",
        "EXP_NAME",
        "DEVICE",
        "DEBUG",
        "EVALUATE",
        "VIS",
        "FIGURES",
        "LOG",
        "SMPL_MODEL_DIR",
        "CUDNN",
        "REFINE",
        "DATASET.BASE_DIR",
        "TRAIN.RESUME",
        "TRAIN.INIT",
        "TRAIN.WORKERS_NUM",
        "TRAIN.SAVE_EVERY_MINUTES",
        "TRAIN.PICTURES_EVERY",
    }
    if cfg.TRAIN.SCHEDULE == "exponential":
        free.add("TRAIN.EPOCH")
    # A key that an older version did not have counts as its default.
    stored = {**dict(config.flatten(config.defaults())), **dict(config.flatten(checkpoint.config))}
    for key, mine in config.flatten(cfg):
        other = stored.get(key)
        if mine != other and not free & {key, key.split(".")[0]}:
            raise UserError(
                f"TRAIN.RESUME {path}: was trained with {key} {other}, not {mine}. Continue with the same "
                "settings, or start from its weights with TRAIN.INIT"
            )


def take_weights(trainer, checkpoint):
    """Start from the weights of another training. Raises UserError where they do not fit or would mean something else."""
    mine, theirs = trainer.network.described(), checkpoint.network.described()
    if mine["name"] == theirs["name"] == "synsp":
        mine, theirs = (
            {**part, "one_size": recipe.one_size}
            for part, recipe in ((mine, trainer.recipe), (theirs, checkpoint.recipe))
        )
        _check_meaning(checkpoint.path, mine, theirs)
    checkpoint.network.gain = checkpoint.network.blend = None  # of the network as it was, which changes
    own, given = trainer.network.state_dict(), checkpoint.network.state_dict()
    for name in own.keys() - given.keys():
        if not own[name].any():  # what begins at zero has no say yet
            given[name] = own[name]
            log.info("%s has no %s, which begins at zero", checkpoint.path, name)
    for name in own.keys() | given.keys():
        if name not in own or name not in given or own[name].shape != given[name].shape:
            raise UserError(
                f"{checkpoint.path}: does not fit this training's {trainer.cfg.MODEL.NAME} ({name} is "
                f"{list(given[name].shape) if name in given else 'absent'} there and "
                f"{list(own[name].shape) if name in own else 'absent'} here). Match MODEL.*, the window "
                "and the dataset's joints"
            )
    trainer.network.load_state_dict(given)
    if trainer.averaged is not None:
        trainer.averaged.load_state_dict(given)


def _check_meaning(path, mine, theirs):
    """Raise UserError where a SynSP's weights of the same shapes would mean something else in this training; mine, theirs:
    what the networks say of themselves (`described`), and their `Recipe.one_size`."""

    def refuse(name, there, here):
        raise UserError(
            f"{path}: was trained with {name} {there}, this training has {here}: its weights would mean something else. "
            f"Set {name} {there}, or start without it"
        )

    if mine["n_head"] != theirs["n_head"]:  # cuts the same matrices elsewhere
        refuse("MODEL.n_head", theirs["n_head"], mine["n_head"])
    if mine["one_size"] != theirs["one_size"]:  # another unit
        refuse("MODEL.ONE_SIZE", theirs["one_size"], mine["one_size"])
    here, there = (part.get("residual_components", 0) for part in (mine, theirs))
    if bool(here) != bool(there):  # a correction is no pose
        refuse("MODEL.RESIDUAL_COMPONENTS", there, here)
    if here != there:
        log.warning(
            "%s: was trained with MODEL.RESIDUAL_COMPONENTS %d, this training has %d and starts a little worse",
            path,
            there,
            here,
        )
