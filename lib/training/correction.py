"""A linear correction after a network, by ridge regression on an estimator's pairs: what it errs by in which pose.

    python -m lib.training.correction WEIGHTS TARGET --cfg configs/pairs_3D.yaml --dataset_name my --estimator vibe

An estimator's error lasts through a clip, so that clips count and not frames, of which a few hundred are soon learnt by heart by a
network. Each window's mean error is therefore fitted linearly in what `lib.models.residual.correction_features` makes of
what the network says. How strongly the weights are drawn to zero is chosen by what they are worth on groups that the fit has not
seen (`DATASET.GROUPS`). WEIGHTS is a checkpoint for 3D joints with MODEL.CANONICAL; TARGET gets the same network with
the correction, and with the Gaussian of EVALUATE.SMOOTH.

N windows, F features, C channels.
"""

import argparse
from dataclasses import dataclass

import numpy as np
import torch

from .. import errors, messages
from ..command_line import Parser, Request
from ..dataset import groups
from ..errors import UserError
from ..messages import logger
from ..models import checkpoints
from ..models.residual import correction_features
from ..models.translate import to_format_2
from ..windows import body
from ..windows.recipe import Recipe
from ..windows.steps import Entered
from .saved import write_fitted
from .sets import load_sets

log = logger(__name__)

STRENGTHS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)  # of the ridge, times the windows' weight, on features of unit variance
FOLDS = 8  # at most, of groups
STRIDE = 2  # frames between two windows


@dataclass
class Windows:
    """features [N, F], error [N, C] in metres (truth - network, each window's mean, common heading); weight [N]: a clip counts as the
    root of its windows; group [N]."""

    features: np.ndarray
    error: np.ndarray
    weight: np.ndarray
    group: np.ndarray


@dataclass
class Ridge:
    """error = (features - mean) / spread @ slopes + offset."""

    mean: np.ndarray
    spread: np.ndarray
    slopes: np.ndarray
    offset: np.ndarray

    @property
    def layer(self):
        """(weight [C, F], bias [C]) of the same as one linear layer."""
        weight = (self.slopes / self.spread[:, None]).T
        return weight, self.offset - weight @ self.mean

    def __call__(self, features):
        weight, bias = self.layer
        return features @ weight.T + bias


def ridge(windows, chosen, strengths):
    """{strength: `Ridge`} of the windows that are chosen (bool [N]).

    Windows of more than the usual error count in inverse proportion to it: where an estimator took another person, or its
    pose is upside down, there is nothing to learn, and squares would make most of it.
    """
    features, error, weight = (values[chosen] for values in (windows.features, windows.error, windows.weight))
    length = _length(error)
    weight = weight / np.fmax(length, np.median(length) + 1e-9)
    mean, offset = (np.average(values, axis=0, weights=weight) for values in (features, error))
    spread = features.std(axis=0) + 1e-6
    scaled = (features - mean) / spread
    values, vectors = np.linalg.eigh((scaled * weight[:, None]).T @ scaled)
    against = vectors.T @ (scaled.T @ ((error - offset) * weight[:, None]))
    return {
        strength: Ridge(mean, spread, vectors @ (against / (values + strength * weight.sum())[:, None]), offset)
        for strength in strengths
    }


def chosen_strength(windows):
    """(strength, mean joint error in mm of unseen groups before, and after). Raises UserError for fewer than two groups."""
    names = sorted(set(windows.group))
    if len(names) < 2:
        raise UserError(
            "DATASET.GROUPS: one group, so that nothing can be tried on people whom the fit has not seen. Add groups"
        )
    folds = np.array([names.index(name) % FOLDS for name in windows.group])
    after, before = dict.fromkeys(STRENGTHS, 0.0), 0.0
    for fold in set(folds):
        held = folds == fold
        before += _length(windows.error[held]) @ windows.weight[held]
        for strength, fitted in ridge(windows, ~held, STRENGTHS).items():
            left = windows.error[held] - fitted(windows.features[held])
            after[strength] += _length(left) @ windows.weight[held]
    best = min(after, key=after.get)
    return best, 1000 * before / windows.weight.sum(), 1000 * after[best] / windows.weight.sum()


def _length(error):
    """[N, C] -> the mean over joints of how far they are off, [N]."""
    return np.linalg.norm(error.reshape(len(error), -1, 3), axis=-1).mean(axis=1)


@torch.no_grad()
def windows_of(checkpoint, splits, cfg):
    """The `Windows` of the recordings of splits, each also mirrored."""
    found, known, recipe = [], groups.Groups(cfg), checkpoint.recipe
    for split in splits:
        mirror = list(split.layout.mirror)
        for recording in split.recordings:
            for view in recording.views:
                both = [split.representation.to_network(each, view.frame) for each in (view.detected, view.truth)]
                if len(both[0]) < recipe.window:
                    continue
                for mirrored in (False, True):
                    said, real = (_mirrored(each, mirror) if mirrored else each for each in both)
                    features, error = _read(checkpoint, said, real)
                    weight = np.full(len(features), len(features) ** -0.5)
                    found.append((features, error, weight, [known.of(recording).group] * len(features)))
    if not found:
        raise UserError(f"{splits[0].source}: no sequence is as long as the window of {recipe.window} frames")
    return Windows(*(np.concatenate(each) for each in zip(*found)))


def _mirrored(poses, mirror):
    """Poses [T, C] with left and right exchanged."""
    return (poses.unflatten(-1, (-1, 3))[:, mirror] * poses.new_tensor([-1, 1, 1])).flatten(1)


def _read(checkpoint, said, real):
    """(features [N, F], error [N, C]) of the windows of one sequence, detections and truth [T, C]."""
    recipe = checkpoint.recipe
    windows, truth = (each.unfold(0, recipe.window, STRIDE).transpose(1, 2)[:, None] for each in (said, real))
    told = body.mean_lengths(said[None], recipe.bones).expand(len(windows), 1, -1) if recipe.bones else None
    entered = Entered(recipe.but(align="none"), windows, body=told)
    final = checkpoint.network(entered.values, entered.present, **entered.told).final
    error = entered.canonical.enter(truth) - final
    features = correction_features(final.mean(2), entered.told["cue"])
    return features[:, 0].double().numpy(), error.mean(2)[:, 0].double().numpy()


def fit(source, target, cfg):
    """Write checkpoint `source` with a correction fitted on the training splits of a config to `target`. Returns what
    `chosen_strength` said. Raises UserError where it does not fit, or helps nobody unseen."""
    checkpoint = checkpoints.load(source, cfg.MODEL.n_head)
    recipe = checkpoint.recipe
    corrected = checkpoint.network.described().get("corrects")
    if not recipe.canonical or not recipe.pairs or recipe.segment or corrected:
        raise UserError(
            f"{source}: needs 3D joints, MODEL.CANONICAL, whole windows and no correction yet. Take other weights"
        )
    cfg.TRAIN.VALIDATE = False
    splits, _ = load_sets(cfg)
    windows = windows_of(checkpoint, splits, cfg)
    strength, before, after = found = chosen_strength(windows)
    log.info("unseen groups: %.1f mm before, %.1f mm after the correction (ridge %g)", before, after, strength)
    if after >= before:
        raise UserError(
            f"{target}: not written, for a correction does not help people whom it has not seen. Render more clips"
        )
    weight, bias = ridge(windows, np.ones(len(windows.weight), bool), (strength,))[strength].layer
    content = checkpoints.unmerged(to_format_2(checkpoints.read(source), str(source)))
    places = recipe.knows_places or bool(cfg.DATASET.ESTIMATORS_PLACES)
    recipe = Recipe.from_dict(content["recipe"], str(source))
    recipe = recipe.but(smooth=float(cfg.EVALUATE.SMOOTH) or recipe.smooth, knows_places=places)
    layer = {"proj_l.weight": torch.from_numpy(weight).float(), "proj_l.bias": torch.from_numpy(bias).float()}
    write_fitted(target, content, recipe, layer, "corrected")
    return found


def main():
    parse = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("source", metavar="WEIGHTS", help="a checkpoint")
    parse.add_argument("target", metavar="TARGET", help="where the corrected one goes")
    args, words = parse.parse_known_args()
    messages.start()
    fit(args.source, args.target, Request("train", words).config())
    log.info("written: %s", args.target)


if __name__ == "__main__":
    errors.run(main)
