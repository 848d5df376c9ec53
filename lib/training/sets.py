"""What a training is made of, as its config says: the data, and what the network is told of them (`Recipe`)."""

import numpy as np

from ..dataset import catalog, groups, sequences
from ..errors import UserError
from ..poses.representation import Keypoints2D
from ..windows.body import bones_of
from ..windows.canonical import pairs_of
from ..windows.recipe import Recipe

# Streams of random numbers of one seed, told apart by their first number.
NOISE, ORDER, BATCH, SHARE, VALIDATION_NOISE, BODY = range(6)


def load_sets(cfg):
    """(training splits, validation splits): the `validate` split where there is one, else a seeded share of whole
    groups or recordings kept out of training (`groups.hold_out`)."""
    training, validation = [], []
    for source in catalog.sources(cfg):
        split = groups.exclude(sequences.load(source, "train", cfg, cfg.TRAIN.USE_6D_SMPL), cfg)
        if cfg.TRAIN.VALIDATE and sequences.has_split(source, "validate", cfg):
            held_out = sequences.load(source, "validate", cfg, cfg.TRAIN.USE_6D_SMPL)
        elif cfg.TRAIN.VALIDATE:
            split, held_out = _share(split, cfg)
        if cfg.TRAIN.VALIDATE:
            validation.append(held_out)
        training.append(split)
    return training, validation


def _share(split, cfg):
    if not 0 < cfg.TRAIN.VAL_SHARE < 1:
        raise UserError(
            f"TRAIN.VAL_SHARE {cfg.TRAIN.VAL_SHARE}: must lie between 0 and 1; TRAIN.VALIDATE False "
            "trains without validation"
        )
    return groups.hold_out(split, cfg, np.random.default_rng([cfg.SEED_VALUE, SHARE]))


def recipe_of(cfg, split, views):
    """The `Recipe` of a network that is trained on a split as the config says; views: the most of a recording."""
    layout, training = split.layout, cfg.TRAIN
    representation = Keypoints2D() if training.FILM else split.representation
    synsp = cfg.MODEL.NAME == "synsp"
    align = cfg.MODEL.ALIGN_VIEWS if representation.kind.in_space else "none"
    canonical = bool(cfg.MODEL.CANONICAL and synsp)
    fuse = "none" if align == "none" or not synsp else "depth" if canonical else "median"
    lag = training.LAG if 0 <= training.LAG < cfg.MODEL.SLIDE_WINDOW_SIZE - 1 else None  # the whole window's is no lag
    return Recipe(
        window=cfg.MODEL.SLIDE_WINDOW_SIZE,
        weighting=cfg.EVALUATE.WINDOW_WEIGHTS,
        smooth=float(cfg.EVALUATE.SMOOTH),
        trained_lag=lag,
        carry=float(cfg.MODEL.CARRY),
        align=align,
        fuse=fuse,
        views=views,
        kind=representation.name,
        joints=tuple(layout.joints),
        root=tuple(layout.root),
        canonical=canonical,
        pairs=pairs_of(layout, representation) if canonical else (),
        one_size=bool(canonical and cfg.MODEL.ONE_SIZE and representation.kind.in_image),
        bones=bones_of(layout, representation) if cfg.MODEL.BODY and synsp else (),
        segment=cfg.MODEL.SEGMENT if synsp else 0,
        fps=float(cfg.DATASET.FPS),
        normaliser=split.source.row.normaliser,
        image_size=not training.FILM and split.sequences[0].image_size is not None,
        use_6d=bool(training.USE_6D_SMPL),
        root_relative=sequences.root_distance(split) < sequences.ROOT_AT_ZERO,
        any_skeleton=training.AUGMENT.CONVENTION > 0,
        knows_places=bool(cfg.DATASET.ESTIMATORS_PLACES),
    )
