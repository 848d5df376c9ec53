"""Settings of a training that cannot work together: found before the data are read."""

from ..dataset import catalog, noise
from ..errors import UserError
from ..poses.kinds import kind_of
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
    _check_film(cfg)
    if cfg.EVALUATE.WINDOW_WEIGHTS == "learned":
        raise UserError(
            "EVALUATE.WINDOW_WEIGHTS is learned, which lib.training.merging sets after a training. Train with mean or triangular"
        )


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


def _check_film(cfg):
    model = cfg.MODEL
    if not cfg.TRAIN.FILM:
        return
    if not (model.CANONICAL and model.ONE_SIZE and model.NAME == "synsp"):
        raise UserError(
            "TRAIN.FILM True: cameras stand anywhere, so that windows must be brought to one place and size. Set MODEL.NAME "
            "synsp, MODEL.CANONICAL True and MODEL.ONE_SIZE True"
        )
    for source in catalog.sources(cfg):
        if not kind_of(source.representation).in_space:
            raise UserError(
                f"TRAIN.FILM True: {source} holds no 3D joints that could be filmed. Set --body_representation 3D, or "
                "TRAIN.FILM False"
            )
