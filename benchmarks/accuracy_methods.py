"""What the table of accuracy compares: the sets of clips, every filter at its default and tuned, the networks."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks import accuracy_tuning as tuning
from lib.command_line import Request
from lib.dataset import catalog, sequences
from lib.evaluation.methods import EachViewAlone, FilterMethod, stacked
from lib.evaluation.networks import load_networks
from lib.filters import registry as filters
from lib.windows.pipeline import refine

WEIGHTS = Path(__file__).resolve().parents[1] / "data" / "checkpoints"
PUBLISHED = "SynSP, published recipe, W 8"
BN = " (bn)"  # trained with Bandai-Namco's motion: not for commercial use
SMOOTHNET = tuple((f"SmoothNet, W {window}{BN}", f"smoothnet_w{window}_bn", "as it is") for window in (8, 16, 32, 64))
# Representation, or "views" -> (row, file in data/checkpoints, how it runs). The published recipe's file is
# --published.
NETWORKS = {
    "3D": (
        *SMOOTHNET,
        (PUBLISHED, None, "as it is"),
        ("SynSP, no frame of delay", "synsp_3D_w8_causal", "live"),
        ("SynSP", "synsp_3D_w8", "as it is"),
        ("SynSP for a Kinect", "synsp_3D_w8_kinect", "as it is"),
        (f"SynSP{BN}", "synsp_3D_w8_bn", "as it is"),
        (f"SynSP, W 32{BN}", "synsp_3D_w32_bn", "as it is"),
    ),
    "2D": (*SMOOTHNET, ("SynSP", "synsp_2D_w8", "as it is"), (f"SynSP{BN}", "synsp_2D_w8_bn", "as it is")),
    "smpl": (*SMOOTHNET, ("SynSP", "synsp_smpl_w8", "as it is"), (f"SynSP{BN}", "synsp_smpl_w8_bn", "as it is")),
    "views": (
        *SMOOTHNET,
        (f"{PUBLISHED}, each view alone", None, "alone"),
        ("SynSP, each view alone", "synsp_3D_w8", "alone"),
        ("SynSP views", "synsp_mv_3D_w8", "as it is"),
        (f"SynSP views{BN}", "synsp_mv_3D_w8_bn", "as it is"),
    ),
}


@dataclass(frozen=True)
class Part:
    """One set of clips: what it is to a reader, where it lies, whether several cameras see each clip, and whether its
    detections are a real estimator's, whose joints lie elsewhere than the truth's."""

    title: str
    dataset: str
    estimator: str
    representation: str
    several: bool = False
    real: bool = False

    def __str__(self):
        return f"{self.dataset}_{self.estimator}_{self.representation}"

    @property
    def networks(self):
        return NETWORKS["views" if self.several else self.representation]


SETS = {
    "sample": (
        Part("A real sensor, 3D", "kinect", "sample", "3D", real=True),
        Part("3D", "mocap", "noise", "3D"),
        Part("Several views (four cameras), 3D", "mmocap", "noise", "3D", True),
    ),
    "people": (
        Part("A real sensor, 3D", "kinect", "real", "3D", real=True),
        Part("Many persons, 3D", "many", "noise", "3D"),
    ),
    "bn": (
        Part("3D", "bn", "sim", "3D"),
        Part("2D", "bn", "sim", "2D"),
        Part("SMPL", "bn", "sim", "smpl"),
        Part("Several views (four cameras), 3D", "mbn", "sim", "3D", True),
    ),
}
BATCH = 512  # windows through a network at once: SmoothNet on four views then takes 1 GB


class LiveMethod:
    """A network as a live stream without delay has it: every frame from the windows that end with it."""

    role = "other"

    def __init__(self, network_method):
        self.method, self.label, self.seconds = network_method, network_method.label, 0.0

    def __call__(self, split):
        recipe = self.method.recipe.streamed(0)
        align = recipe.align if split.representation.name == "3D" else "none"
        results = refine(self.method.network, stacked(split), recipe.but(align=align, root=tuple(split.layout.root)))
        for recording in split.recordings:
            begun = time.perf_counter()
            refined = next(results)
            self.seconds += time.perf_counter() - begun
            yield [
                split.representation.from_network(values, view.frame)
                for values, view in zip(refined.final, recording.views)
            ]


def say(line):
    print(line, file=sys.stderr, flush=True)


def command_line(part, base):
    """The words by which the evaluator is asked for a set."""
    return [
        "--dataset_name",
        part.dataset,
        "--estimator",
        part.estimator,
        "--body_representation",
        part.representation,
        "DEVICE",
        "cpu",
        "DATASET.BASE_DIR",
        str(base),
        "DATASET.MULTI_VIEW",
        str(part.several),
        "DATASET.FPS",
        "30",
        "EVALUATE.BATCH_SIZE",
        str(BATCH),
    ]


def network_rows(part, base, published):
    """The networks of a set as methods. published: path of a checkpoint, or None."""
    found = []
    for label, name, how in part.networks:
        path = published if name is None else WEIGHTS / f"{name}.pth.tar"
        if path is None:
            say(f"{part}: {label} left out, --published not given")
        elif name is not None and not path.is_file():
            say(f"{part}: {label} left out, no {path.name} in data/checkpoints")
        else:
            request = Request("eval", ["--checkpoint", str(path), *command_line(part, base)])
            _, (method,) = load_networks(request, torch.device("cpu"))
            method = {"as it is": lambda one: one, "alone": EachViewAlone, "live": LiveMethod}[how](method)
            method.label = label
            found.append(method)
    return found


def filter_rows(cfg, tuned):
    """Every filter at its default, then every filter as it was tuned, then those that tune themselves."""
    rows = [
        filter_row(name, cfg, {key: tuning.section(cfg, name)[key] for key in grid}, "default")
        for name, grid in tuning.GRIDS.items()
    ]
    rows += [filter_row(name, cfg, found.parameters, "tuned") for name, found in tuned.items()]
    return rows + [FilterMethod(name, cfg) for name in filters.TUNED]


def filter_row(name, cfg, parameters, kind):
    method = FilterMethod(name, tuning.with_parameters(cfg, name, parameters))
    method.label = f"{name}, {kind} ({tuning.described(parameters)})"
    return method


def load(part, base):
    """(config, test split, part of the training split that filters are tuned on, what that is in words)."""
    cfg = Request("eval", command_line(part, base)).config()
    (source,) = catalog.sources(cfg)
    test, train = (sequences.load(source, name, cfg) for name in ("test", "train"))
    train, words = tuning.training_part(train, cfg)
    return cfg, test, train, words
