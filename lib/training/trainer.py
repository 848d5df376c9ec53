"""Training: windows in, a checkpoint out, resumable to the bit.

Every random choice of the data side comes from generators seeded by (seed, epoch, batch), so that a run that
continues in the middle of an epoch draws what the uninterrupted run would have drawn; the state of torch's own
generators (dropout) travels in the checkpoint.
"""

import contextlib
import copy
import logging
import math
import signal
import threading
import time

import numpy as np
import torch
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from .. import config, messages, run
from ..errors import UserError
from ..messages import logger
from ..models import checkpoints, dropout
from ..poses import metrics
from ..poses.kinds import kind_of
from ..windows import steps, views
from ..windows.merge import Merge
from . import distributed, saved, settings
from .augment import Augment
from .bank import WindowBank
from .bodies import BodiesOfBank
from .film import Film
from .loss import ACCEL_SHARE, refinement_loss, stream_loss
from .sets import BATCH, BODY, NOISE, ORDER, VALIDATION_NOISE, load_sets, recipe_of

log = logger(__name__)

SHOWN = ("validation/loss", "validation/mpjpe", "validation/accel")  # TensorBoard's columns beside hyperparameters


def train(cfg, clip=None):
    """Train as the config says. Returns the run's folder.

    clip: what draws a validation clip, (split, cfg, recipe) -> object with `write(writer, epoch, network)`; None: no pictures.
    """
    with distributed.joined(cfg) as group:
        return group.together(lambda: Trainer(cfg, group.device(run.choose_device(cfg)), clip, group)).fit()


@contextlib.contextmanager
def _one_line_of_a_full_disk():
    """What the disk refuses TensorBoard's thread is raised again where the trainer writes next: the thread's traceback is left out."""
    shown = threading.excepthook
    threading.excepthook = lambda args: None if issubclass(args.exc_type, OSError) else shown(args)
    try:
        yield
    finally:
        threading.excepthook = shown


class Trainer:
    """One training run: its data, network, optimiser and folder; group: the processes that share it."""

    def __init__(self, cfg, device, clip=None, group=distributed.ALONE):
        self.cfg, self.device, self.group = cfg, device, group
        settings.check(cfg)
        torch.manual_seed(cfg.SEED_VALUE)
        training, validation = load_sets(cfg)
        window, self.lag = cfg.MODEL.SLIDE_WINDOW_SIZE, cfg.TRAIN.LAG if cfg.TRAIN.LAG >= 0 else None
        # What a stream puts out is judged over two accelerations, which take a run of windows; over more where it carries
        # its pose on, so that the first ones, which have nothing to carry, do not count for much.
        self.run = 1 if self.lag is None else self.lag + (12 if cfg.MODEL.CARRY else 4)
        self.bank = WindowBank(training, window + self.run - 1, cfg.TRAIN.WINDOW_STRIDE, device)
        self.validation = self._validation_bank(validation) if validation else None
        shown = clip is not None and group.first and bool(validation) and cfg.TRAIN.PICTURES_EVERY > 0
        shown = shown and not cfg.TRAIN.FILM  # the sets hold no 2D clip
        self.splits = training
        first = training[0]
        self.recipe = recipe_of(cfg, first, self.bank.views)
        self.clip = clip(validation[0], cfg, self.recipe) if shown else None
        self.stream = None if self.lag is None else Merge(self.recipe.streamed(self.lag))
        self.film = Film(first.layout) if cfg.TRAIN.FILM else None
        channels = first.layout.size * kind_of(self.recipe.kind).network if self.film else first.channels
        self.network = checkpoints.build(cfg, channels, self.recipe).to(device)
        self.averaged = copy.deepcopy(self.network).eval() if cfg.TRAIN.EMA else None
        # Views that stand in one frame must be turned together.
        self.augment = Augment(
            cfg.TRAIN.AUGMENT,
            first.layout,
            first.representation,
            device,
            one_yaw=self.recipe.align != "none",
            errors_stay=cfg.MODEL.CANONICAL,
        )
        # bank -> what is known of its recordings, made anew when its detections change
        self.aligners, self.bodies = {}, {}
        per_epoch = len(self.bank.order(cfg.TRAIN.MIX, np.random.default_rng(0)))
        self.batch_size = max(1, cfg.TRAIN.BATCH_SIZE // self.run)
        self.batches = math.ceil(per_epoch / self.batch_size)
        if cfg.DEBUG:
            self.batches = min(8, self.batches)
        self.optimizer = torch.optim.Adam(self.network.parameters(), cfg.TRAIN.LR, amsgrad=True, fused=True)
        self.schedule = self._schedule()
        self.epoch, self.step, self.running, self.running_position = 0, 0, 0.0, 0.0
        self.best, self.scores = math.inf, None
        self.stopped = self.requeued = False  # by a signal
        self.folder = None

    def _validation_bank(self, splits):
        window = self.cfg.MODEL.SLIDE_WINDOW_SIZE
        bank = WindowBank(splits, window + self.run - 1, max(1, window // 2), self.device)
        bank.draw_noise(
            self.cfg.TRAIN.noise_type,
            self.cfg.TRAIN.noise_std,
            np.random.default_rng([self.cfg.SEED_VALUE, VALIDATION_NOISE]),
        )
        return bank

    def _schedule(self):
        cfg = self.cfg.TRAIN
        if cfg.SCHEDULE == "onecycle":
            return torch.optim.lr_scheduler.OneCycleLR(
                self.optimizer, cfg.LR, max(2, self.batches * cfg.EPOCH), cycle_momentum=False
            )
        # The published schedule steps once an epoch; as a function of the batch, so that one rule serves both.
        return torch.optim.lr_scheduler.LambdaLR(self.optimizer, lambda step: cfg.LRDECAY ** (step // self.batches))

    # ------------------------------------------------------------------------------------- the loop

    def fit(self):
        """Run all epochs. Returns the run's folder; Ctrl-C saves first and ends with KeyboardInterrupt, SIGUSR1 with exit code 0."""
        try:
            with _one_line_of_a_full_disk():
                return self._fit()
        except OSError as error:  # TensorBoard's writer does not say where its disk was full
            error.filename = error.filename or str(self.folder or self.cfg.OUTPUT_DIR)
            raise
        finally:
            messages.stop_log()

    def _fit(self):
        cfg = self.cfg
        self._open()
        log.info(
            "training %s on %s: %d sequences, %d windows of %d frames, %d channels, %d views; %d epochs of %d "
            "batches on %s",
            cfg.MODEL.NAME,
            ", ".join(str(split.source) for split in self.splits),
            sum(len(split.sequences) for split in self.splits),
            len(self.bank),
            cfg.MODEL.SLIDE_WINDOW_SIZE,
            self.splits[0].channels,
            self.bank.views,
            cfg.TRAIN.EPOCH,
            self.batches,
            self.device,
        )
        log.info("output: %s", self.folder)
        self._saved_at, self._said_at = time.monotonic(), 0.0
        writer = SummaryWriter(self.folder, purge_step=self.epoch) if self.group.first else None
        if writer is not None:
            self._describe(writer)
        signals = [number for number in (signal.SIGINT, signal.SIGTERM, run.REQUEUE) if number is not None]
        try:
            with logging_redirect_tqdm(), run.Deferred(*signals, patient=self.group.world > 1) as self.signals:
                while self.epoch < cfg.TRAIN.EPOCH:
                    self._one_epoch(writer)
        except KeyboardInterrupt:
            log.info(
                "interrupted in epoch %d; continue with TRAIN.RESUME auto (checkpoint %s)",
                self.epoch + 1,
                self.folder / "checkpoint_last.pth.tar",
            )
            raise
        finally:
            if writer is not None:
                writer.close()
        log.info("checkpoint: %s", self.folder / "checkpoint_best.pth.tar")
        return self.folder

    def _describe(self, writer):
        """The config as TensorBoard's text, and as hyperparameters beside the best validation loss."""
        writer.add_text("config", f"```yaml\n{config.dump(self.cfg)}```")
        chosen = {key: value for key, value in config.flatten(self.cfg) if isinstance(value, (bool, int, float, str))}
        for summary in hparams(chosen, dict.fromkeys(SHOWN if self.validation else ("train/loss",))):
            writer.file_writer.add_summary(summary)

    def _one_epoch(self, writer):
        cfg, seed = self.cfg, self.cfg.SEED_VALUE
        self.bank.draw_noise(
            cfg.TRAIN.noise_type,
            cfg.TRAIN.noise_std,
            np.random.default_rng([seed, NOISE, self.epoch]),
            cfg.TRAIN.AUGMENT.NOISE,
        )
        self.aligners.pop(self.bank, None)
        if self.recipe.bones:
            rng = np.random.default_rng([seed, BODY, self.epoch])
            self.bodies[self.bank] = BodiesOfBank(self.bank, self.recipe.bones, rng)
        order = self.bank.order(cfg.TRAIN.MIX, np.random.default_rng([seed, ORDER, self.epoch]))
        generator = torch.Generator(self.device)
        self.network.train()
        bar = tqdm(
            total=self.batches,
            initial=self.step,
            desc=f"epoch {self.epoch + 1}/{cfg.TRAIN.EPOCH}",
            unit="batch",
            dynamic_ncols=True,
            mininterval=0.5,
            leave=False,
            disable=not self.group.first,
        )
        with bar:
            while self.step < self.batches:
                index = order[self.step * self.batch_size : (self.step + 1) * self.batch_size]
                entropy = np.random.SeedSequence([seed, BATCH, self.epoch, self.step])
                generator.manual_seed(int(entropy.generate_state(1, np.uint64)[0] >> np.uint64(1)))
                loss, position = self._one_batch(index, generator)
                self.running += loss
                self.running_position += position
                self.step += 1
                bar.update()
                if self.step % 10 == 0 or self.step == self.batches:
                    bar.set_postfix(loss=f"{self.running / self.step:.5f}", refresh=False)
                if self.stopped or time.monotonic() - self._saved_at > 60 * cfg.TRAIN.SAVE_EVERY_MINUTES:
                    self.save("last")
                if self.requeued:
                    log.info("SIGUSR1: saved in epoch %d, to be queued again with TRAIN.RESUME auto", self.epoch + 1)
                    raise SystemExit(0)
                if self.stopped:
                    raise KeyboardInterrupt
        self._end_epoch(writer)

    def _one_batch(self, index, generator):
        """One step of the optimiser; returns the loss and its share of the poses, the rest being of the accelerations."""
        cfg = self.cfg
        chosen = self._choose_views(index, generator)
        detected, truth, present = self.bank.batch(index, self.augment.speed(len(index), generator), chosen)
        detected, truth, view_axes = self._aligned(self.bank, index, chosen, detected, truth, present)
        detected, truth, view_axes = self.augment(detected, truth, generator, view_axes)
        body = self._body(self.bank, index, chosen, truth)
        if self.film is not None:
            detected, truth = self.film(detected, truth, generator)
        part = self.group.part(len(index))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=cfg.TRAIN.PRECISION == "bfloat16"):
            _, loss, parts, _ = self._refined(self.network, detected, truth, present, view_axes, body, part)
        position = cfg.LOSS.W_POS * sum(value for name, value in parts.items() if name.endswith("_pos"))
        self.optimizer.zero_grad()
        loss.backward()
        found = torch.stack([loss.detach().float(), position.float()])
        found, self.stopped, self.requeued = self.group.add_up(self.network, found, self.signals)
        value, position = found.tolist()
        if not math.isfinite(value):
            raise UserError(self._why_not_finite(value, index, detected, truth))
        if cfg.TRAIN.CLIP_GRADIENT:
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), cfg.TRAIN.CLIP_GRADIENT)
        self.optimizer.step()
        self.schedule.step()
        if self.averaged is not None:
            self._average()
        return value, position

    def _refined(self, network, detected, truth, present, view_axes, body, part=None):
        """(`Heads`, loss, its parts, the windows (detected, truth, present)) of a batch, or of the `distributed.Part` of it.

        With a TRAIN.LAG the bank's windows are `run` frames longer, and the network's the `run` that they hold.
        """
        weights, size = (self.cfg.LOSS.W_POS, self.cfg.LOSS.W_ACCEL), self.cfg.MODEL.SLIDE_WINDOW_SIZE
        whole = present
        if part is not None:
            detected, truth, present, view_axes, body = part.of(detected, truth, present, view_axes, body)
        windows = detected, truth, present
        if self.lag is not None:
            detected, frames = (x.unfold(2, size, 1).permute(0, 2, 1, 4, 3).flatten(0, 1) for x in (detected, truth))
            there = self._unfolded(present)
            view_axes, body = (
                None if each is None else each.repeat_interleave(self.run, 0) for each in (view_axes, body)
            )
            windows = detected, frames, there
        there = windows[2] if self.bank.views > 1 else None
        with dropout.of_part(part):
            refined, _ = steps.run(network, self.recipe, windows[0], there, view_axes, body)
        shares = (1.0, 1.0) if part is None else part.shares(self._unfolded(whole))
        loss, parts = refinement_loss(refined, windows[1], *weights, windows[2], shares)
        if self.stream is not None:
            known = None if whole is None else whole[:, :, size - 1 : size - 1 + self.run - self.lag]
            shares = (1.0, 1.0) if part is None else part.shares(known)
            streamed, more = stream_loss(
                refined.final.unflatten(0, (-1, self.run)), truth, self.stream, *weights, present, shares
            )
            loss, parts = loss + streamed, parts | more
        return refined, loss, parts, windows

    def _unfolded(self, present):
        """Which frames count, bool [B, V, F], for the network's windows, [B * run, V, W]; None: all."""
        if present is None or self.lag is None:
            return present
        return present.unfold(2, self.cfg.MODEL.SLIDE_WINDOW_SIZE, 1).transpose(1, 2).flatten(0, 1)

    def _aligned(self, bank, index, chosen, detected, truth, present):
        """Windows of several views in one frame, as MODEL.ALIGN_VIEWS asks, and where their cameras look in it."""
        if self.recipe.align == "none" or bank.views == 1:
            return detected, truth, None
        root = self.recipe.root
        if self.recipe.align == "frame":
            aligned = views.Aligned.of(detected, present, root)
        else:
            if bank not in self.aligners:
                self.aligners[bank] = views.SequenceTurns(bank, root)
            aligned = views.Aligned(self.aligners[bank](index, chosen), root, detected)
        return aligned.enter(detected), aligned.enter(truth), aligned.view_axes

    def _body(self, bank, index, chosen, truth):
        """What the network is told of the body in each window, as `MODEL.BODY` asks; truth as it was changed."""
        if not self.recipe.bones:
            return None
        if bank not in self.bodies:
            self.bodies[bank] = BodiesOfBank(bank, self.recipe.bones)
        return self.bodies[bank](index, chosen, truth)

    def _choose_views(self, index, generator):
        """A random number of the views, in random order, for each batch; None for a single view."""
        count = self.bank.views
        if count == 1:
            return None
        # All of them in half of the batches: several views are what it is for.
        keep = int(torch.randint(1, 2 * count, (1,), generator=generator, device=generator.device).clamp_max(count))
        scores = torch.rand(len(index), count, generator=generator, device=generator.device)
        # Views that a recording lacks come last.
        return (scores + (self.bank.first[index] < 0)).argsort(1)[:, :keep]

    @torch.no_grad()
    def _average(self):
        """Exponential moving average of the weights, warmed up over the first batches."""
        done = self.epoch * self.batches + self.step
        decay = min(self.cfg.TRAIN.EMA, (1 + done) / (10 + done))
        torch._foreach_lerp_(list(self.averaged.parameters()), list(self.network.parameters()), 1 - decay)

    def _why_not_finite(self, value, index, detected, truth):
        place = f"epoch {self.epoch + 1}, batch {self.step + 1}: the loss is {value}. "
        for name, values in (("detections", detected), ("ground truth", truth)):
            bad = ~torch.isfinite(values).flatten(1).all(1)
            if bad.any():
                return (
                    place
                    + f"The {name} of window {int(index[bad][0])} are not finite; check the data with `synsp check`"
                )
        last = self.folder / "checkpoint_last.pth.tar"
        return place + (
            f"The data are finite, so the network diverged: lower TRAIN.LR ({self.cfg.TRAIN.LR}), or set "
            f"TRAIN.CLIP_GRADIENT 1. {f'The last good state is {last}' if last.exists() else 'Nothing was saved'}"
        )

    def _end_epoch(self, writer):
        mean, position = self.running / self.batches, self.running_position / self.batches
        done = self.epoch + 1
        terms = {"loss": mean, "loss_position": position, "loss_acceleration": mean - position}
        shown = {f"train/{name}": value for name, value in terms.items()}
        shown["train/lr"] = self.schedule.get_last_lr()[0]
        line = f"epoch {done}/{self.cfg.TRAIN.EPOCH}: train loss {mean:.6f}"
        scores = {"train_loss": mean}
        if self.validation is not None:
            found = self.validate()
            shown |= {f"validation/{name}": value for name, value in found.items()}
            said = (f"{name} {value:.5g}" for name, value in found.items() if not name.startswith("loss_"))
            line += f", validation {', '.join(said)}"
            scores.update(found)
        if writer is not None:
            for name, value in shown.items():
                writer.add_scalar(name, value, done)
        every = self.cfg.TRAIN.PICTURES_EVERY
        if self.clip is not None and (done % every == 0 or done == self.cfg.TRAIN.EPOCH):
            self.clip.write(writer, done, self.averaged or self.network)
        # Epochs of a second would fill the terminal; the file has them all.
        quiet = done < self.cfg.TRAIN.EPOCH and time.monotonic() - self._said_at < 5
        log.log(logging.DEBUG if quiet else logging.INFO, line)
        self._said_at = self._said_at if quiet else time.monotonic()
        self.epoch, self.step, self.running, self.running_position = done, 0, 0.0, 0.0
        monitored = scores.get("loss", mean)
        self.scores = scores
        if monitored < self.best:
            self.best = monitored
            self.save("best")
        self.save("last")

    @torch.no_grad()
    def validate(self):
        """{score: mean} on the validation windows: loss of the final head (of the stream, with a TRAIN.LAG) and its two terms;
        of 3D joints MPJPE, PA-MPJPE (mm) and Accel (mm/frame², unpadded) before and after."""
        network = (self.averaged or self.network).eval()
        totals = {}
        batches = torch.arange(len(self.validation), device=self.device).split(self.cfg.EVALUATE.BATCH_SIZE)
        for index in batches[self.group.rank :: self.group.world]:
            detected, truth, present = self.validation.batch(index)
            detected, truth, view_axes = self._aligned(self.validation, index, None, detected, truth, present)
            body = self._body(self.validation, index, None, truth)
            if self.film is not None:
                generator = torch.Generator(self.device).manual_seed(self.cfg.SEED_VALUE + int(index[0]))
                detected, truth = self.film(detected, truth, generator, sizes=False)
            refined, _, parts, windows = self._refined(network, detected, truth, present, view_axes, body)
            detected, truth, present = windows
            counts = torch.ones(truth.shape[:3], dtype=torch.bool, device=truth.device) if present is None else present
            judged, share = ("final", ACCEL_SHARE["final"]) if self.lag is None else ("stream", 1.0)
            position = float(self.cfg.LOSS.W_POS * parts[f"{judged}_pos"])
            acceleration = float(self.cfg.LOSS.W_ACCEL * share * parts.get(f"{judged}_accel", 0))
            terms = {"loss": position + acceleration, "loss_position": position, "loss_acceleration": acceleration}
            frames = int(counts.sum())
            found = {name: (value * frames, frames) for name, value in terms.items()}
            if kind_of(self.recipe.kind).in_space:
                found |= self._motion("input_", detected, truth, counts)
                found |= self._motion("", refined.final.float(), truth, counts)
            for name, pair in found.items():
                totals[name] = np.add(totals.get(name, 0.0), pair)
        totals = self.group.totals(totals)
        return {name: float(value / count) for name, (value, count) in totals.items() if count}

    def _motion(self, prefix, poses, truth, counts):
        """{score: (sum, count)} of windows [B, V, F, C] of 3D joints; counts: bool [B, V, F], the frames that count."""
        rep, root = self.splits[0].representation, self.splits[0].layout.root
        joints, true = (metrics.root_relative(rep.joints(x).flatten(0, 2), root) for x in (poses, truth))
        inside = counts.flatten()
        pair = joints[inside], true[inside]
        second = metrics.second_difference((joints - true).unflatten(0, counts.shape).movedim(2, 0))
        inner = (counts[:, :, 2:] & counts[:, :, 1:-1] & counts[:, :, :-2]).movedim(2, 0)
        moved = metrics.euclidean(second).mean(-1)[inner]
        values = {"mpjpe": metrics.mpjpe(*pair), "pampjpe": metrics.pa_mpjpe(*pair), "accel": moved}
        return {f"{prefix}{name}": (float(value.sum()), value.numel()) for name, value in values.items()}

    # ---------------------------------------------------------------------------- folder and checkpoints

    def _open(self):
        """Make or find the run's folder and put the state of TRAIN.RESUME or TRAIN.INIT in place."""
        cfg = self.cfg
        resume = cfg.TRAIN.RESUME
        if resume == "auto":
            self.folder = self.group.from_first(lambda: run.newest_folder(cfg))
            resume = str(self.folder / "checkpoint_last.pth.tar") if self.folder else ""
            log.info(
                "TRAIN.RESUME auto: %s",
                f"continuing {self.folder}"
                if self.folder
                else f"no run of EXP_NAME {cfg.EXP_NAME} in {cfg.OUTPUT_DIR} to continue, starting fresh",
            )
        if resume:
            self.group.together(lambda: saved.resume(self, resume))
        elif cfg.TRAIN.INIT:
            self.group.together(lambda: saved.take_weights(self, checkpoints.load(cfg.TRAIN.INIT, cfg.MODEL.n_head)))
            log.info("weights from %s", cfg.TRAIN.INIT)
        self.folder = self.folder or self.group.from_first(lambda: run.new_folder(cfg))
        cfg.LOGDIR = str(self.folder)
        if not self.group.first:
            return
        run.write_text(self.folder / "config.yaml", config.dump(cfg))
        messages.also_log_to(self.folder / "train_log.txt")
        log.info("%s", run.command_line())

    def save(self, name):
        """Write checkpoint_<name>.pth.tar: all that eval, visualise and a continued run need."""
        if self.group.first:
            saved.write(self, self.folder / f"checkpoint_{name}.pth.tar")
            self._saved_at = time.monotonic()
