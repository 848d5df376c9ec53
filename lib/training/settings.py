"""Settings of a training that cannot work together: found before the data are read."""

from ..dataset import catalog, noise
from ..errors import UserError
from ..windows.recipe import ALIGNMENTS
from .bank import MIXES, mix_shares

_CHOICES = {
    "SCHEDULE": ("exponential", "onecycle"),
    "PRECISION": ("float32", "bfloat16"),
    "noise_type": noise.KINDS,
    "VAL_BY": ("group", "recording"),
}


def check(cfg):
    """Raise UserError where a choice is unknown or two settings exclude each other."""
    training = cfg.TRAIN
    for name, known in _CHOICES.items():
        if training[name] not in known:
            raise UserError(f"TRAIN.{name} is {training[name]}; expected one of {', '.join(known)}")
    if cfg.MODEL.ALIGN_VIEWS not in ALIGNMENTS:
        raise UserError(f"MODEL.ALIGN_VIEWS is {cfg.MODEL.ALIGN_VIEWS}; expected one of {', '.join(ALIGNMENTS)}")
    if training.noise_type in noise.OF_GIVEN_SIZE and not training.noise_std and _has_noise(cfg):
        raise UserError(
            f"TRAIN.noise_std is 0: no noise at all with TRAIN.noise_type {training.noise_type}. Give its size in mm"
        )
    if training.MIX not in MIXES:
        mix_shares(training.MIX, len(catalog.sources(cfg)))
    _check_stream(cfg)


def _has_noise(cfg):
    return any(source.estimator == "noise" for source in catalog.sources(cfg))


def _check_stream(cfg):
    lag, carry, window = cfg.TRAIN.LAG, cfg.MODEL.CARRY, cfg.MODEL.SLIDE_WINDOW_SIZE
    if lag >= window:
        raise UserError(
            f"TRAIN.LAG is {lag}; expected less than the window of {window} frames (-1: windows by themselves)"
        )
    if carry and (lag or cfg.MODEL.NAME != "synsp"):
        raise UserError(
            f"MODEL.CARRY is {carry}, which is for SynSP's streams without delay. Train with MODEL.NAME synsp and TRAIN.LAG 0"
        )
