"""Training, windows a second with data loading, against the plain way, and what its time goes to.

    python -m benchmarks.training               # the rows of the table
    python -m benchmarks.training --profile     # the operations of a training step by their share of its time

SynSP at its default size (d 128), windows of 8 frames, 51 channels, batches of 512, two threads, Adam with amsgrad. Baseline: a
DataLoader without workers over per-window float64 slices, and the network written out with its dead weights
(benchmarks/plain_synsp.py). Ours: the trainer itself.
"""

import argparse
import contextlib
import io
import logging
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.data import DataLoader, Dataset

from benchmarks.measuring import Row, best, show
from benchmarks.plain_synsp import PlainSynSP
from lib.command_line import Request
from lib.dataset import storage
from lib.training.trainer import Trainer

ROOT = Path(__file__).resolve().parents[1]
SEQUENCES, FRAMES, WINDOW, BATCH = 40, 200, 8, 512
BAR, MPJPE_BAR = 1.4, 0.2  # times the baseline; mm of validation MPJPE that bfloat16 may cost
THREADS = 2


def write_set(base):
    """A 3D set of smooth walks and noisy detections of them, 17 joints."""
    rng = np.random.default_rng(0)
    truth = [
        (rng.normal(0, 0.3, 51) + rng.normal(0, 0.01, (FRAMES, 51)).cumsum(0)).astype(np.float32)
        for _ in range(SEQUENCES)
    ]
    noisy = [values + rng.normal(0, 0.03, values.shape).astype(np.float32) for values in truth]
    names = [np.array([f"walk{k}/{frame:06d}.jpg" for frame in range(FRAMES)]) for k in range(SEQUENCES)]
    folder = Path(base) / "walk_net_3D"
    storage.write(folder / "groundtruth" / "walk_gt_3D_train.npz", {"imgname": names, "joints_3d": truth})
    storage.write(folder / "detected" / "walk_net_3D_train.npz", {"imgname": names, "joints_3d": noisy})
    return truth, noisy


class Windows(Dataset):
    """Every window of W frames, cut when it is asked for."""

    def __init__(self, truth, noisy):
        self.truth, self.noisy = ([values.astype(np.float64) for values in part] for part in (truth, noisy))
        self.places = [(k, start) for k, values in enumerate(truth) for start in range(len(values) - WINDOW + 1)]

    def __len__(self):
        return len(self.places)

    def __getitem__(self, number):
        k, start = self.places[number]
        return self.noisy[k][start : start + WINDOW], self.truth[k][start : start + WINDOW]


def plain_training(truth, noisy):
    """A generator that trains on one batch at each step and yields its number of windows."""
    torch.manual_seed(0)
    network = PlainSynSP(51).train()
    optimizer = torch.optim.Adam(network.parameters(), 1e-3, amsgrad=True)
    loader = DataLoader(Windows(truth, noisy), BATCH, shuffle=True, num_workers=0, drop_last=True)

    def loss_of(output, target, share):
        position = (output - target).abs().mean()
        second = [x[:, 2:] - 2 * x[:, 1:-1] + x[:, :-2] for x in (output, target)]
        return position + share * (second[0] - second[1]).abs().mean()

    while True:
        for windows, target in loader:
            windows, target = windows.float(), target.float()
            final, precision, smoothness = (output[:, 0] for output in network(windows))
            loss = loss_of(final, target, 0.5) + loss_of(precision, target, 0) + loss_of(smoothness, target, 1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss.item()
            yield len(windows)


def request(base, *overrides):
    words = [
        "--dataset_name",
        "walk",
        "--estimator",
        "net",
        "--body_representation",
        "3D",
        "DEVICE",
        "cpu",
        "DATASET.BASE_DIR",
        base,
        "TRAIN.VALIDATE",
        False,
        "TRAIN.BATCH_SIZE",
        BATCH,
        *overrides,
    ]
    return Request("train", list(map(str, words))).config()


def our_training(base, precision):
    """The same by the trainer."""
    trainer = Trainer(request(base, "TRAIN.PRECISION", precision), torch.device("cpu"))
    trainer.network.train()
    generator = torch.Generator()
    generator.manual_seed(0)
    while True:
        for index in trainer.bank.order("proportional", np.random.default_rng(0)).split(BATCH)[:-1]:
            trainer._one_batch(index, generator)
            yield len(index)


def has_bfloat16():
    """Whether this CPU multiplies bfloat16 matrices by itself (AMX or AVX-512 BF16)."""
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def rates(rounds=8):
    """{name: windows a second} of the baseline and of ours in each precision, one batch each in turn."""
    with tempfile.TemporaryDirectory() as base:
        truth, noisy = write_set(base)
        runs = {"baseline": plain_training(truth, noisy), "float32": our_training(base, "float32")}
        if has_bfloat16():
            runs["bfloat16"] = our_training(base, "bfloat16")
        seconds = {name: [] for name in runs}
        for number in range(rounds + 1):
            for name, run in runs.items():
                begun = time.perf_counter()
                assert next(run) == BATCH
                if number:
                    seconds[name].append(time.perf_counter() - begun)
    return {name: BATCH / best(times) for name, times in seconds.items()}


def validation_mpjpe(precision, seed):
    """Validation MPJPE in mm after a short training on the shipped sample, three of its clips kept out."""
    with tempfile.TemporaryDirectory() as folder:
        words = [
            "--cfg",
            ROOT / "configs/mocap_noise_3D.yaml",
            "DEVICE",
            "cpu",
            "DATASET.BASE_DIR",
            ROOT / "data/poses",
            "OUTPUT_DIR",
            folder,
            "TRAIN.EPOCH",
            20,
            "TRAIN.VAL_SHARE",
            0.3,
            "TRAIN.PRECISION",
            precision,
            "SEED_VALUE",
            seed,
        ]
        trainer = Trainer(Request("train", list(map(str, words))).config(), torch.device("cpu"))
        with contextlib.redirect_stderr(io.StringIO()):  # its progress bars
            trainer.fit()
        return trainer.scores["mpjpe"]


def rows():
    logging.getLogger("synsp").setLevel(logging.ERROR)
    threads = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    found = rates()
    baseline = found.pop("baseline")
    table = []
    for name, rate in found.items():
        # float32 must not be slower; the bar is for the faster of both.
        bar = BAR if rate == max(found.values()) else 1.0
        table.append(
            Row(
                f"training, {name}",
                f"{baseline:.0f} windows/s",
                f"{rate:.0f} windows/s",
                rate / baseline,
                f">= {bar}x",
                rate >= bar * baseline,
            )
        )
    if "bfloat16" in found:
        exact, coarse = (validation_mpjpe(name, 1) for name in ("float32", "bfloat16"))
        table.append(
            Row(
                "validation MPJPE after a short training",
                f"float32 {exact:.2f} mm",
                f"bfloat16 {coarse:.2f} mm",
                None,
                f"<= {MPJPE_BAR} mm",
                coarse - exact <= MPJPE_BAR,
            )
        )
    torch.set_num_threads(threads)
    return table


def show_profile(precision, batches=5, top=22):
    """Print the operations of a training step by their own time."""
    with tempfile.TemporaryDirectory() as base:
        write_set(base)
        run = our_training(base, precision)
        next(run)
        with profile(activities=[ProfilerActivity.CPU]) as recorded:
            begun = time.perf_counter()
            for _ in range(batches):
                next(run)
            seconds = (time.perf_counter() - begun) / batches
    events = sorted(recorded.key_averages(), key=lambda event: -event.self_cpu_time_total)
    total = sum(event.self_cpu_time_total for event in events)
    print(f"\n{precision}: {1e3 * seconds:.0f} ms a batch of {BATCH} windows under the profiler")
    print(f"{'operation':<48}{'share':>7}{'ms a batch':>12}{'calls':>8}")
    for event in events[:top]:
        print(
            f"{event.key[:46]:<48}{event.self_cpu_time_total / total:>7.1%}{event.self_cpu_time_total / batches / 1e3:>12.1f}"
            f"{event.count // batches:>8}"
        )


def main():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--profile", action="store_true", help="the operations of a step instead of its rate")
    if parser.parse_args().profile:
        torch.set_num_threads(THREADS)
        for precision in ("float32", *(["bfloat16"] if has_bfloat16() else [])):
            show_profile(precision)
    else:
        show(rows())


if __name__ == "__main__":
    main()
