"""A learned merge after a network (`lib.models.merging`): how its windows become poses, trained on what it says of training clips.

    python -m lib.training.merging WEIGHTS TARGET --cfg configs/many_noise_3D.yaml                 # of whole recordings: a blend
    python -m lib.training.merging WEIGHTS TARGET --cfg configs/many_noise_3D.yaml TRAIN.LAG 0     # of streams without delay: a gain

WEIGHTS is a checkpoint for 3D joints of one view; TARGET gets the same network with the merge. The network stays as it is, so that
this takes minutes: its windows over all training clips are computed once for each of DRAWS draws of errors (once in all where an
estimator's errors are given), and the merge is trained on stretches of them for what poses are judged by, position and acceleration (LOSS.W_POS, LOSS.W_ACCEL).

T frames, N windows, W window, C channels, J joints.
"""

import argparse

import numpy as np
import torch
from tqdm import tqdm

from .. import errors, messages
from ..command_line import Parser, Request
from ..dataset.synthetic import synthetic
from ..errors import UserError
from ..messages import logger
from ..models import checkpoints
from ..models.merging import MM, Blend, Gain
from ..models.translate import to_format_2
from ..poses.kinds import kind_of
from ..windows import body
from ..windows.pipeline import led, padded
from ..windows.steps import run as run_windows
from .bank import MIXES, mix_shares
from .loss import position_and_acceleration
from .saved import write_fitted
from .sets import NOISE, ORDER, VALIDATION_NOISE, load_sets

log = logger(__name__)

DRAWS = 3  # of errors
STEPS = 400  # of the optimiser for each
STRETCH, BATCH = 40, 48  # frames (--stretch), stretches
SETTLING = 6  # first frames of a stretch, which have little to go by: not judged
RATE = 4e-3


def said(checkpoint, detected, stream):
    """What is known of a sequence [T, C]: (the network's windows [N, W, C], what they were cut from [T', C]).

    stream: whether as a stream without delay knows it: a window ends at each frame (N = T), and copies of the first one lead.
    """
    recipe, frames = checkpoint.recipe, detected[None]
    lead = recipe.window - 1 if stream else 0
    cut = padded(led(frames, lead), recipe.window)
    given = cut.unfold(1, recipe.window, 1).transpose(2, 3)[0]
    told, parts = None, []
    if recipe.bones and stream:
        told = body.running_lengths(frames, recipe.bones)[0][:, None]
    elif recipe.bones:
        told = body.mean_lengths(frames, recipe.bones).expand(len(given), 1, -1)
    for index in torch.arange(len(given)).split(2048):
        of_body = None if told is None else told[index]
        heads, _ = run_windows(checkpoint.network, recipe, given[index, None], body=of_body)
        parts.append(heads.final[:, 0])
    return torch.cat(parts), cut[0]


def evidence(checkpoint, merge, windows, frames):
    """What a `Blend` or a `Gain` looks at in the windows [N, W, C] of a sequence: each [T, J, ...]."""
    recipe = checkpoint.recipe
    if isinstance(merge, Blend):
        found = merge.evidence(windows[None], frames[None], recipe.place_weights())
    else:
        given = frames.unfold(0, recipe.window, 1).transpose(1, 2)
        before = torch.cat((windows[:1], windows[:-1]))
        found = merge.evidence(windows[None], given[None], before[None])
    return type(found)(*(values[0] for values in vars(found).values()))


@torch.no_grad()
def clips_of(checkpoint, merge, splits, cfg, rng, what):
    """[[(evidence of a clip, its truth in mm)] of each split], [T, J, ...]; clips without detections get errors drawn from rng."""
    found = []
    for split in splits:
        found.append([])
        views = [view for recording in split.recordings for view in recording.views]
        views = [view for view in views if view.length >= checkpoint.recipe.window]
        to = split.representation.to_network
        drawn = [view for view in views if view.detected is None]
        noise = synthetic(drawn, cfg.TRAIN.noise_type, cfg.TRAIN.noise_std, split.layout, split.representation, rng)
        for view in tqdm(views, desc=f"windows of {what}", unit="clip", leave=False, dynamic_ncols=True):
            detected = to(next(noise) if view.detected is None else view.detected, view.frame)
            looked_at = evidence(checkpoint, merge, *said(checkpoint, detected, isinstance(merge, Gain)))
            found[-1].append((looked_at, MM * to(view.truth, view.frame).unflatten(-1, (-1, 3))))
    return found


def probabilities(sets, mix, stretch):
    """How often each clip of `sets` is taken: as it is long, and each set as TRAIN.MIX says. Raises UserError where no clip of one is long enough."""
    starts = [np.array([max(0, len(truth) - stretch + 1) for _, truth in clips], dtype=float) for clips in sets]
    if not all(each.any() for each in starts):
        raise UserError(
            f"--stretch {stretch}: no clip of one set has so many frames. Pass a smaller one (more than {SETTLING + 2}), or add longer clips"
        )
    if mix == "proportional":
        shares = [each.sum() for each in starts]
    else:
        shares = np.ones(len(sets)) if mix in MIXES else mix_shares(mix, len(sets))
    chances = np.concatenate([share * each / each.sum() for share, each in zip(shares, starts)])
    return chances / chances.sum()


def _stretches(clips, chances, stretch, rng):
    """A batch of stretches of clips: (evidence, truth), [B, T, J, ...]."""
    parts = []
    for number in rng.choice(len(clips), BATCH, p=chances):
        looked_at, truth = clips[number]
        first = rng.integers(0, len(truth) - stretch + 1)
        parts.append([values[first : first + stretch] for values in (*vars(looked_at).values(), truth)])
    *values, truth = (torch.stack(part) for part in zip(*parts))
    return type(looked_at)(*values), truth


class Learning:
    """A merge that is being trained on stretches of `stretch` frames, over DRAWS * STEPS steps of the optimiser."""

    def __init__(self, merge, cfg, stretch):
        self.merge, self.cfg, self.stretch = merge, cfg, stretch
        self.optimizer = torch.optim.Adam(merge.parameters(), RATE)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(self.optimizer, RATE, DRAWS * STEPS, cycle_momentum=False)

    def on(self, sets, rng, bar):
        """STEPS steps on clips of `sets`."""
        clips = [clip for clips in sets for clip in clips]
        chances = probabilities(sets, self.cfg.TRAIN.MIX, self.stretch)
        for _ in range(STEPS):
            loss = self._loss(*_stretches(clips, chances, self.stretch, rng))
            self.optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.merge.parameters(), self.cfg.TRAIN.CLIP_GRADIENT or 1.0)
            self.optimizer.step()
            self.schedule.step()
            bar.update()
            bar.set_postfix(loss=f"{loss.item():.2f} mm", refresh=False)

    def _loss(self, looked_at, truth):
        poses, real = (each[:, None, SETTLING:].flatten(-2) for each in (self.merge.along(looked_at), truth))
        position, acceleration = position_and_acceleration(poses, real)
        return self.cfg.LOSS.W_POS * position + self.cfg.LOSS.W_ACCEL * acceleration


@torch.no_grad()
def scores(merge, sets):
    """[[MPJPE, Accel] without the merge, the same with it] in mm about the first joint: means over the frames of the clips of sets."""
    sums, frames = np.zeros((2, 2)), np.zeros(2)
    for looked_at, truth in (clip for clips in sets for clip in clips):
        whole = type(looked_at)(*(values[None] for values in vars(looked_at).values()))
        for row, poses in enumerate((merge.plain(looked_at), merge.along(whole)[0])):
            error = (poses - poses[:, :1]) - (truth - truth[:, :1])
            sums[row] += [float(each.norm(dim=-1).mean(-1).sum()) for each in (error, error.diff(n=2, dim=0))]
        frames += len(truth), max(0, len(truth) - 2)
    return sums / frames


def _new(cfg, recipe, source):
    """An untrained merge for a recipe's windows, seeded. Raises UserError where there is none."""
    torch.manual_seed(cfg.SEED_VALUE)
    joints = len(recipe.joints)
    merge = Gain(joints) if cfg.TRAIN.LAG == 0 else Blend(joints, recipe.window)
    if not merge.fits(recipe.window):
        raise UserError(
            f"{source}: its windows of {recipe.window} frames are too short for a gain. Take weights of longer ones"
        )
    return merge


def fit(source, target, cfg, stretch=STRETCH):
    """Write checkpoint `source` with a merge learnt on the training splits of a config to `target`: a `Gain` with TRAIN.LAG 0, else a
    `Blend`; stretch: frames of what it is trained on at a time. Returns the `scores` of the validation splits, or None without. Raises UserError where it does not fit."""
    checkpoint = checkpoints.load(source, cfg.MODEL.n_head)
    recipe = checkpoint.recipe
    if not kind_of(recipe.kind).in_space or not recipe.joints or recipe.align != "none":
        raise UserError(f"{source}: needs 3D joints of one view. Take other weights")
    if stretch <= SETTLING + 2:
        raise UserError(f"--stretch {stretch}: expected more than {SETTLING + 2} frames")
    if cfg.TRAIN.LAG not in (-1, 0):
        raise UserError(f"TRAIN.LAG is {cfg.TRAIN.LAG}; expected 0 (streams without delay) or -1 (whole recordings)")
    stream = cfg.TRAIN.LAG == 0
    merge = _new(cfg, recipe, source)
    checkpoint.recipe = recipe.but(weighting="triangular")  # the mean that a blend is about
    training, validation = load_sets(cfg)
    learning, sets = Learning(merge, cfg, stretch), None
    drawn = any(view.detected is None for split in training for one in split.recordings for view in one.views)
    with tqdm(total=DRAWS * STEPS, desc="merge", unit="step", dynamic_ncols=True) as bar:
        for draw in range(DRAWS):
            if drawn or sets is None:  # errors of an estimator are the same in each draw
                rng = np.random.default_rng([cfg.SEED_VALUE, NOISE, draw])
                sets = clips_of(checkpoint, merge, training, cfg, rng, f"draw {draw + 1} of {DRAWS}")
            learning.on(sets, np.random.default_rng([cfg.SEED_VALUE, ORDER, draw]), bar)
    found = None
    if validation:
        rng = np.random.default_rng([cfg.SEED_VALUE, VALIDATION_NOISE])
        found = scores(merge, clips_of(checkpoint, merge, validation, cfg, rng, "validation"))
        log.info("validation, MPJPE / Accel in mm: %.2f / %.2f without the merge, %.2f / %.2f with it", *found.flat)
    content = to_format_2(checkpoints.read(source), str(source))
    changed = {"trained_lag": 0, "carry": 0.0} if stream else {"weighting": "learned", "smooth": 0.0}
    name = "gain" if stream else "blend"
    weights = {f"{name}.{key}": value for key, value in merge.state_dict().items()}
    write_fitted(target, content, recipe.but(**changed), weights, name)
    return found


def main():
    parse = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("source", metavar="WEIGHTS", help="a checkpoint")
    parse.add_argument("target", metavar="TARGET", help="where the one with the merge goes")
    help = f"frames of the stretches that it is trained on, default {STRETCH}; fewer where clips are short"
    parse.add_argument("--stretch", type=int, default=STRETCH, metavar="FRAMES", help=help)
    args, words = parse.parse_known_args()
    messages.start()
    fit(args.source, args.target, Request("train", words).config(), args.stretch)
    log.info("written: %s", args.target)


if __name__ == "__main__":
    errors.run(main)
