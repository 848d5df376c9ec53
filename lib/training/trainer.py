"""Training: windows in, a checkpoint out, resumable to the bit.

Every random choice of the data side comes from generators seeded by (seed, epoch, batch), so that a run that
continues in the middle of an epoch draws what the uninterrupted run would have drawn; the state of torch's own
generators (dropout) travels in the checkpoint.
"""

import copy
import logging
import math
import signal
import time

import numpy as np
import torch
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from .. import config, messages, run
from ..errors import UserError
from ..messages import counted, logger
from ..models import checkpoints
from . import board, distributed, saved, settings
from .bank import WindowBank
from .batches import Batches, run_of
from .sets import BATCH, ORDER, load_sets, recipe_of
from .validation import Validation

log = logger(__name__)


def train(cfg, clip=None):
    """Train as the config says. Returns the run's folder.

    clip: what draws a validation clip, (split, cfg, recipe) -> object with `write(writer, epoch, network)`; None: no pictures.
    """
    with distributed.joined(cfg) as group:
        return group.together(lambda: Trainer(cfg, group.device(run.choose_device(cfg)), clip, group)).fit()


class Trainer:
    """One training run: its data, network, optimiser and folder; group: the processes that share it."""

    def __init__(self, cfg, device, clip=None, group=distributed.ALONE):
        self.cfg, self.device, self.group = cfg, device, group
        settings.check(cfg)
        torch.manual_seed(cfg.SEED_VALUE)
        training, validation = load_sets(cfg)
        window = cfg.MODEL.SLIDE_WINDOW_SIZE
        self.bank = WindowBank(training, window + run_of(cfg) - 1, cfg.TRAIN.WINDOW_STRIDE, device)
        shown = clip is not None and group.first and bool(validation) and cfg.TRAIN.PICTURES_EVERY > 0
        shown = shown and not cfg.TRAIN.FILM  # the sets hold no 2D clip
        self.splits = training
        self.recipe = recipe_of(cfg, training[0], self.bank.views)
        self.batches = Batches(cfg, self.recipe, training[0], self.bank.views, device)
        self.validation = Validation(validation, self.batches, device) if validation else None
        self.clip = clip(validation[0], cfg, self.recipe) if shown else None
        self.network = checkpoints.build(cfg, self.batches.channels, self.recipe).to(device)
        self.averaged = copy.deepcopy(self.network).eval() if cfg.TRAIN.EMA else None
        windows = len(self.bank.order(cfg.TRAIN.MIX, np.random.default_rng(0)))
        self.batch_size = max(1, cfg.TRAIN.BATCH_SIZE // self.batches.run)
        self.per_epoch = math.ceil(windows / self.batch_size)
        if cfg.DEBUG:
            self.per_epoch = min(8, self.per_epoch)
        self.optimizer = torch.optim.Adam(self.network.parameters(), cfg.TRAIN.LR, amsgrad=True, fused=True)
        self.schedule = self._schedule()
        self.epoch, self.step, self.running, self.running_position = 0, 0, 0.0, 0.0
        self.best, self.scores = math.inf, None
        self.stopped = self.requeued = False  # by a signal
        self.folder = None

    def _schedule(self):
        cfg = self.cfg.TRAIN
        if cfg.SCHEDULE == "onecycle":
            return torch.optim.lr_scheduler.OneCycleLR(
                self.optimizer, cfg.LR, max(2, self.per_epoch * cfg.EPOCH), cycle_momentum=False
            )
        # The published schedule steps once an epoch; as a function of the batch, so that one rule serves both.
        return torch.optim.lr_scheduler.LambdaLR(self.optimizer, lambda step: cfg.LRDECAY ** (step // self.per_epoch))

    # ------------------------------------------------------------------------------------- the loop

    def fit(self):
        """Run all epochs. Returns the run's folder; Ctrl-C saves first and ends with KeyboardInterrupt, SIGUSR1 with exit code 0."""
        try:
            with board.one_line_of_a_full_disk():
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
            "training %s on %s: %s, %s of %d frames, %s, %s; %s of %s on %s",
            cfg.MODEL.NAME,
            ", ".join(str(split.source) for split in self.splits),
            counted(sum(len(split.sequences) for split in self.splits), "sequence"),
            counted(len(self.bank), "window"),
            cfg.MODEL.SLIDE_WINDOW_SIZE,
            counted(self.splits[0].channels, "channel"),
            counted(self.bank.views, "view"),
            counted(cfg.TRAIN.EPOCH, "epoch"),
            counted(self.per_epoch, "batch", "batches"),
            self.device,
        )
        log.info("output: %s", self.folder)
        self._saved_at, self._said_at = time.monotonic(), 0.0
        writer = SummaryWriter(self.folder, purge_step=self.epoch) if self.group.first else None
        if writer is not None:
            board.describe(writer, cfg, self.validation is not None)
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

    def _one_epoch(self, writer):
        cfg, seed = self.cfg, self.cfg.SEED_VALUE
        self.batches.draw_errors(self.bank, self.epoch)
        order = self.bank.order(cfg.TRAIN.MIX, np.random.default_rng([seed, ORDER, self.epoch]))
        generator = torch.Generator(self.device)
        self.network.train()
        bar = tqdm(
            total=self.per_epoch,
            initial=self.step,
            desc=f"epoch {self.epoch + 1}/{cfg.TRAIN.EPOCH}",
            unit="batch",
            dynamic_ncols=True,
            mininterval=0.5,
            leave=False,
            disable=not self.group.first,
        )
        with bar:
            while self.step < self.per_epoch:
                index = order[self.step * self.batch_size : (self.step + 1) * self.batch_size]
                entropy = np.random.SeedSequence([seed, BATCH, self.epoch, self.step])
                generator.manual_seed(int(entropy.generate_state(1, np.uint64)[0] >> np.uint64(1)))
                loss, position = self._one_batch(index, generator)
                self.running += loss
                self.running_position += position
                self.step += 1
                bar.update()
                if self.step % 10 == 0 or self.step == self.per_epoch:
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
        batch, part = self.batches.drawn(self.bank, index, generator), self.group.part(len(index))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=cfg.TRAIN.PRECISION == "bfloat16"):
            _, loss, parts, _ = self.batches.refined(self.network, batch, part)
        position = cfg.LOSS.W_POS * sum(value for name, value in parts.items() if name.endswith("_pos"))
        self.optimizer.zero_grad()
        loss.backward()
        found = torch.stack([loss.detach().float(), position.float()])
        found, self.stopped, self.requeued = self.group.add_up(self.network, found, self.signals)
        value, position = found.tolist()
        if not math.isfinite(value):
            raise UserError(self._why_not_finite(value, index, batch))
        if cfg.TRAIN.CLIP_GRADIENT:
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), cfg.TRAIN.CLIP_GRADIENT)
        self.optimizer.step()
        self.schedule.step()
        if self.averaged is not None:
            self._average()
        return value, position

    @torch.no_grad()
    def _average(self):
        """Exponential moving average of the weights, warmed up over the first batches."""
        done = self.epoch * self.per_epoch + self.step
        decay = min(self.cfg.TRAIN.EMA, (1 + done) / (10 + done))
        torch._foreach_lerp_(list(self.averaged.parameters()), list(self.network.parameters()), 1 - decay)

    def _why_not_finite(self, value, index, batch):
        place = f"epoch {self.epoch + 1}, batch {self.step + 1}: the loss is {value}. "
        for name, values in (("detections", batch.detected), ("ground truth", batch.truth)):
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
        mean, position = self.running / self.per_epoch, self.running_position / self.per_epoch
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

    def validate(self):
        """The `Validation.scores` of the network, or of its averaged weights."""
        return self.validation.scores((self.averaged or self.network).eval(), self.group)

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
