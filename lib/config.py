"""The configuration: all keys with their defaults, and how YAML files and the command line set them.

Order of precedence, lowest first: the defaults below, the YAML of `--cfg`, what a checkpoint stores about
itself (eval, visualise), explicit flags, trailing `KEY VALUE` pairs. This module imports neither torch nor
numpy, so that `--help` answers at once.
"""

import argparse
import functools
import math
import os
import re
from pathlib import Path

import yaml
from yacs.config import CfgNode

from .errors import UserError
from .messages import logger

log = logger(__name__)


def number(default, lowest, highest, off=None):
    """A number of the schema: its default, the lowest and highest value allowed, and a value that switches it off."""
    return default, lowest, highest, off  # yacs takes no class of our own


def defaults():
    """The whole schema as a CfgNode, every key at its default."""
    return _plain(_schema())


def _plain(node):
    """The schema with each number as its default."""
    for name, value in node.items():
        node[name] = _plain(value) if isinstance(value, CfgNode) else value[0] if isinstance(value, tuple) else value
    return node


@functools.cache
def _numbers():
    """{dotted key: `number`} of the schema."""
    return {key: value for key, value in flatten(_schema()) if isinstance(value, tuple)}


def _schema():
    cfg = CfgNode()
    cfg.DEVICE = "cuda"  # cuda | cuda:0 | mps | cpu; the CPU is used, with a message, if there is no such device
    cfg.SEED_VALUE = number(4321, 0, 2**63 - 1)
    cfg.LOGDIR = ""  # a run's folder, written by the trainer
    cfg.EXP_NAME = "default"
    cfg.DEBUG = False  # train on 8 batches per epoch, to see quickly that everything runs
    cfg.OUTPUT_DIR = "results"
    cfg.DATASET_NAME = ""
    cfg.ESTIMATOR = ""
    cfg.BODY_REPRESENTATION = ""
    cfg.SMPL_MODEL_DIR = "data/smpl/"

    cfg.CUDNN = CfgNode()
    cfg.CUDNN.BENCHMARK = True
    cfg.CUDNN.DETERMINISTIC = False
    cfg.CUDNN.ENABLED = True

    cfg.DATASET = CfgNode(new_allowed=True)  # ROOT_<DATASET>_<ESTIMATOR>_3D: list of root joints
    cfg.DATASET.BASE_DIR = "data/poses"
    cfg.DATASET.JOINT_ORDER = "stored"  # stored | aist14 (mupots and mpiinf3dhp for published models)
    cfg.DATASET.MULTI_VIEW = False  # group an unknown dataset's sequences into recordings of several cameras
    # Persons: JSON files (lists of clip, subject, licence), or a regular expression on the recording names.
    cfg.DATASET.GROUPS = ""
    cfg.DATASET.EXCLUDE = ""  # groups or licences left out of training; patterns such as hdm05_*
    # Pairs of one estimator (a sensor, synsp pairs collect): corrections of its joints that last are errors taken off.
    cfg.DATASET.ESTIMATORS_PLACES = False
    cfg.DATASET.FPS = number(0.0, 0.1, 10_000, off=0.0)  # frames per second; 0: unknown

    cfg.MODEL = CfgNode()
    cfg.MODEL.NAME = "synsp"  # synsp | smoothnet
    cfg.MODEL.SLIDE_WINDOW_SIZE = number(8, 2, 10_000)
    cfg.MODEL.d_word_vec = number(128, 2, 65_536)
    cfg.MODEL.d_model = number(128, 2, 65_536)
    cfg.MODEL.d_inner = number(128, 1, 65_536)
    cfg.MODEL.n_layers = number(4, 1, 1000)
    cfg.MODEL.n_head = number(4, 1, 1000)
    cfg.MODEL.d_k = number(64, 1, 65_536)
    cfg.MODEL.d_v = number(64, 1, 65_536)
    cfg.MODEL.persons = number(1, 1, 1000)  # accepted for published YAMLs, not used: a sequence is one person
    cfg.MODEL.HIDDEN_SIZE = number(512, 1, 65_536)  # SmoothNet
    cfg.MODEL.RES_HIDDEN_SIZE = number(256, 1, 65_536)
    cfg.MODEL.NUM_BLOCK = number(3, 0, 1000)
    cfg.MODEL.DROPOUT = number(-1.0, 0, 0.99, off=-1.0)  # -1: 0.2 for SynSP, 0.5 for SmoothNet
    # 0: as published, each head predicts the pose. K > 0: each head predicts a correction that is added to the window's
    # K lowest DCT components (2: mean and slope).
    cfg.MODEL.RESIDUAL_COMPONENTS = number(0, 0, 10_000)
    # Rotate every window to a common heading (2D: translate it to a common place) before the network, and back after it.
    cfg.MODEL.CANONICAL = False
    # SynSP, 3D: the network is told how long each bone is in the whole recording (live: so far).
    cfg.MODEL.BODY = False
    cfg.MODEL.ALIGN_VIEWS = "none"  # none | frame (cameras move) | sequence (cameras stand still)
    # 0: off. L: split the window into segments of L frames, each with its own local encoder; attention spans all segments
    # (one view only).
    cfg.MODEL.SEGMENT = number(0, 0, 10_000)
    # For streams of lag 0: output = (1 - CARRY) * newest window + CARRY * previous output. Training applies the same.
    cfg.MODEL.CARRY = number(0.0, 0, 0.99)

    cfg.TRAIN = CfgNode()
    cfg.TRAIN.BATCH_SIZE = number(1024, 1, 2**24)
    cfg.TRAIN.WORKERS_NUM = number(0, 0, 1000)  # accepted for published YAMLs, not used: the data are held in memory
    cfg.TRAIN.EPOCH = number(70, 1, 10**6)
    cfg.TRAIN.LR = number(0.001, 1e-12, 1e30)
    cfg.TRAIN.LRDECAY = number(0.95, 1e-6, 10)
    cfg.TRAIN.RESUME = ""  # checkpoint to continue from, or `auto`: the newest run of this EXP_NAME
    cfg.TRAIN.INIT = ""  # checkpoint whose weights training starts with
    cfg.TRAIN.VALIDATE = True
    cfg.TRAIN.VAL_SHARE = number(0.05, 0.0001, 0.9999)  # share of the training sequences, if there is no validate split
    # group (no person is in both training and validation; needs DATASET.GROUPS) | recording
    cfg.TRAIN.VAL_BY = "group"
    cfg.TRAIN.VAL_GROUPS = ""  # groups held out for validation, instead of VAL_SHARE
    cfg.TRAIN.USE_6D_SMPL = True
    cfg.TRAIN.noise_std = number(0.0, 0, 10_000)  # mm; for the estimator `noise`
    # simulated | estimated (from the measured errors of two estimators) | varied (both) | uniform | gaussian
    cfg.TRAIN.noise_type = "simulated"
    # Windows per dataset: proportional to their number | balanced | shortest | shares per dataset, such as 0.8,0.2
    cfg.TRAIN.MIX = "proportional"
    cfg.TRAIN.SCHEDULE = "exponential"  # exponential (LR times LRDECAY after each epoch) | onecycle (LR is the peak)
    cfg.TRAIN.PICTURES_EVERY = number(
        5, 0, 10**6
    )  # epochs between pictures of a validation clip in TensorBoard; 0: none
    # -1: the loss is on single windows. L >= 0: also on the output of a live stream of lag L, over several windows.
    cfg.TRAIN.LAG = number(-1, 0, 10_000, off=-1)
    cfg.TRAIN.CLIP_GRADIENT = number(0.0, 0, 1e9)  # maximal gradient norm; 0: no clipping
    cfg.TRAIN.WINDOW_STRIDE = number(1, 1, 10**6)  # frames between the starts of two training windows
    cfg.TRAIN.PRECISION = "float32"  # float32 | bfloat16 (autocast)
    cfg.TRAIN.EMA = number(
        0.0, 0, 0.999999
    )  # decay of the moving average of the weights, which is validated and saved; 0: off
    cfg.TRAIN.SAVE_EVERY_MINUTES = number(10.0, 0, 10**6)  # checkpoints within an epoch

    cfg.TRAIN.AUGMENT = CfgNode()
    # Share of the training sequences whose detections are replaced by newly simulated errors in each epoch (a network can
    # memorise fixed ones).
    cfg.TRAIN.AUGMENT.NOISE = number(0.0, 0, 1)
    cfg.TRAIN.AUGMENT.YAW = number(0.0, 0, 360)  # degrees: rotation about the vertical axis, uniform in +-YAW (3D)
    cfg.TRAIN.AUGMENT.MIRROR = False  # mirror half of the windows
    cfg.TRAIN.AUGMENT.SCALE = number(0.0, 0, 0.99)  # body size factor, uniform in 1 +- SCALE (3D, 2D)
    cfg.TRAIN.AUGMENT.SPEED = number(0.0, 0, 0.99)  # motion speed factor, uniform in 1 +- SPEED
    # Degrees: rotation of half of the windows about a horizontal axis, mostly by small angles: people who lie, cameras that
    # look down (3D, needs YAW).
    cfg.TRAIN.AUGMENT.TILT = number(0.0, 0, 180)
    # Metres: standard deviation per coordinate of the offsets of hips, shoulders, spine and head, which skeletons define
    # differently (3D).
    cfg.TRAIN.AUGMENT.CONVENTION = number(0.0, 0, 1)
    cfg.TRAIN.AUGMENT.LIMBS = number(
        0.0, 0, 1
    )  # share of arms and legs exchanged with another window of the batch (3D)
    # Degrees: largest random rotation of each arm and leg bone, in half of the windows (3D).
    cfg.TRAIN.AUGMENT.TURNS = number(0.0, 0, 360)
    cfg.TRAIN.AUGMENT.BONES = number(0.0, 0, 0.99)  # length factor of each limb, uniform in 1 +- BONES (3D)

    cfg.EVALUATE = CfgNode()
    cfg.EVALUATE.PRETRAINED = ""
    cfg.EVALUATE.ROOT_RELATIVE = True
    cfg.EVALUATE.SLIDE_WINDOW_STEP_SIZE = number(1, 1, 10_000)
    # Weights in the average of the windows that cover a frame: mean | triangular | quality. Stored in a checkpoint.
    cfg.EVALUATE.WINDOW_WEIGHTS = "mean"
    # Standard deviation in frames of a Gaussian over what a network made of a whole recording, 0: none. Stored in a checkpoint.
    cfg.EVALUATE.SMOOTH = number(0.0, 0, 100)
    cfg.EVALUATE.TRADITION = ""
    cfg.EVALUATE.REPAIR = False  # repair the detections (as REFINE.REPAIR) before every row but "input"
    cfg.EVALUATE.BATCH_SIZE = number(2048, 1, 2**24)  # windows per network call
    cfg.EVALUATE.TRADITION_SAVGOL = CfgNode(dict(WINDOW_SIZE=number(31, 1, 10_001), POLYORDER=number(2, 0, 20)))
    cfg.EVALUATE.TRADITION_GAUS1D = CfgNode(
        dict(WINDOW_SIZE=number(31, 1, 10_001), SIGMA=number(3.0, 0.01, 1000), BLOCKWISE=False)
    )
    cfg.EVALUATE.TRADITION_ONEEURO = CfgNode(dict(MIN_CUTOFF=number(0.04, 0, 1000), BETA=number(0.7, 0, 10**6)))
    # CUTOFF: as a share of the Nyquist frequency.
    cfg.EVALUATE.TRADITION_BUTTERWORTH = CfgNode(dict(CUTOFF=number(0.4, 1e-4, 0.9999), ORDER=number(2, 1, 20)))
    cfg.EVALUATE.TRADITION_MEDIAN_GAUSSIAN = CfgNode(
        dict(WINDOW_SIZE=number(5, 1, 10_001), SIGMA=number(1.5, 0.01, 1000))
    )

    # Refinement of files and live streams (synsp refine). The filters' parameters above are for 30 frames per second.
    cfg.REFINE = CfgNode()
    cfg.REFINE.OUTPUT = ""  # default: <name>_refined beside the input
    cfg.REFINE.METHOD = "auto"  # auto | synsp | smoothnet | a filter | none
    cfg.REFINE.INPUT_FORMAT = ""  # default: recognised from the contents
    # Axes of an array file: T frames, P people, J joints, D coordinates, such as TPJD; default: recognised from the values
    cfg.REFINE.AXES = ""
    cfg.REFINE.IMAGE_SIZE = ""  # WIDTHxHEIGHT in px, for coordinates that are normalised to the image
    cfg.REFINE.FPS = number(0.0, 0.1, 10_000, off=0.0)  # frames per second; 0: from the file, else the network's
    # Hz, for METHOD butterworth; 0: EVALUATE.TRADITION_BUTTERWORTH.CUTOFF
    cfg.REFINE.CUTOFF = number(0.0, 0.01, 10_000, off=0.0)
    cfg.REFINE.STRENGTH = number(1.0, 0, 1)  # 0: the input, 1: refined
    cfg.REFINE.MAX_GAP = number(0.25, 0, 3600)  # seconds: longest gap of missing key points that is filled
    cfg.REFINE.REPAIR = True  # undo exchanges of left and right, and remove spikes, before anything is smoothed
    cfg.REFINE.UP = ""  # axis that points up in 3D: -y, y, -z, z, -x or x; default: estimated from the poses
    cfg.REFINE.LAG = number(-1, 0, 10_000, off=-1)  # frames of delay of a live stream; -1: the whole recording is known
    cfg.REFINE.FORGET = number(
        60.0, 0, 10**6
    )  # seconds of a live stream after which an unseen person is let go; 0: never
    cfg.REFINE.REPORT = ""  # folder for report.html
    cfg.REFINE.CHECKPOINT_DIR = ""  # folder of weights; default: see lib/weights.py

    cfg.LOSS = CfgNode(dict(W_ACCEL=number(1.0, 0, 10**6), W_POS=number(1.0, 0, 10**6)))
    cfg.LOG = CfgNode(dict(NAME=""))
    cfg.VIS = CfgNode(
        dict(
            START=number(0, 0, 10**9),
            END=number(1000, 0, 10**9),
            INPUT_VIDEO_NUMBER="",
            OUTPUT_VIDEO_PATH="results/videos",
            FORMAT="mp4",
        )
    )
    cfg.FIGURES = CfgNode(
        dict(
            STYLE="screen",  # or paper: the width of a column, no headings
            FONT="",  # serif or sans; "": serif in a paper
            WIDTH=number(0.0, 0, 20),  # inches; 0: the style's own
            NAMES="",  # what methods are called: SynSP=Ours,gaus1d=Gaussian
        )
    )
    return cfg


# ------------------------------------------------------------------------------------------ merging


def _cast(value, default, key):
    """`value` (from YAML or the command line) as the type of `default`. Raises UserError when it cannot be."""
    if isinstance(default, CfgNode):
        raise UserError(f"{key}: is a group of keys, not a value. Give {key}.<name>")
    if value is None or (isinstance(value, str) and value in ("None", "null")):
        if isinstance(default, str):
            return ""
        raise UserError(f"{key}: {value} given, but {_kind(default)} is needed (default {default})")
    if isinstance(default, bool):
        words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        if str(value).lower() in words:
            return words[str(value).lower()]
    elif isinstance(default, str):
        text = ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
        if all(ord(char) >= 32 for char in text):
            return text
        raise UserError(f"{key}: {text[:60]!r} holds control characters. Leave them out")
    elif isinstance(default, (int, float)) and not isinstance(value, bool):
        try:
            if isinstance(default, int) and re.fullmatch(r"[+-]?\d+", str(value)):
                return int(value)  # by way of a float a large one would change
            number = float(value)  # YAML reads 1e-3 as a string
            if isinstance(default, float) and math.isfinite(number):
                return number
            if number == int(number):
                return int(number)
        except (TypeError, ValueError, OverflowError):
            pass  # refused below, with the key
    else:
        return value
    raise UserError(f"{key}: {repr(value)[:60]} given, but {_kind(default)} is needed (default {default})")


def _kind(default):
    return {bool: "True or False", int: "a whole number", float: "a number"}[type(default)]


def _is_root_key(key):
    return key.startswith("DATASET.ROOT_")


def _root_joints(value, key):
    joints = value if isinstance(value, (list, tuple)) else str(value).strip("[]() ").split(",")
    try:
        return [int(joint) for joint in joints]
    except (TypeError, ValueError):
        raise UserError(f"{key}: {value!r} given, but a list of joint numbers is needed, such as [2,3]") from None


def _set(cfg, key, value):
    """Set one dotted key. Returns False when the schema has no such key."""
    *groups, name = key.split(".")
    node = cfg
    for group in groups:
        node = node.get(group) if isinstance(node, CfgNode) else None
    if not isinstance(node, CfgNode):
        return False
    if _is_root_key(key):
        node[name.upper()] = _root_joints(value, key)
        return True
    if name not in node:
        return False
    if value is None and isinstance(node[name], CfgNode):
        return True  # a YAML section that is left empty
    node[name] = _checked(_cast(value, node[name], key), key)
    return True


def _checked(value, key):
    """A number that its key can have. Raises UserError with those that it can."""
    default, lowest, highest, off = _numbers().get(key, (value, value, value, value))
    if not lowest <= value <= highest and value != off:
        also = "" if off is None else f", or {off:g}"
        raise UserError(f"{key} {value}: must be from {lowest:.15g} to {highest:.15g}{also} (default {default:g})")
    return value


def flatten(tree, prefix=""):
    """Yield (dotted key, value) of nested dicts or a CfgNode."""
    for name, value in tree.items():
        key = f"{prefix}{name}"
        if isinstance(value, dict):
            yield from flatten(value, key + ".")
        else:
            yield key, value


def merge_tree(cfg, tree):
    """Merge nested dicts into `cfg` in place. Returns the keys that the schema lacks, which are left out."""
    return [key for key, value in flatten(tree) if not _set(cfg, key, value)]


LARGEST_YAML = 10_000  # values, each counted wherever it stands; and 100 times as many bytes


def read_yaml(path):
    """A YAML file as nested dicts. Raises UserError naming the file and what is wrong in it."""
    path = Path(path)
    if not path.exists():
        raise UserError(f"--cfg {path}: not found. The shipped files are in configs/")
    if not path.is_file() or path.stat().st_size > 100 * LARGEST_YAML:
        raise UserError(
            f"--cfg {path}: not readable as YAML (no file, or far too large). Expected one such as those in configs/"
        )
    try:
        loader = yaml.SafeLoader(path.read_text(encoding="utf-8"))
        node = loader.get_single_node()
        _weigh(node, {}, f"--cfg {path}")
        tree = loader.construct_document(node) if node else None
    except (UserError, OSError):
        raise
    except Exception as error:  # a tag that does not fit its text raises nearly anything
        raise UserError(f"--cfg {path}: not readable as YAML ({error or type(error).__name__})") from error
    if not isinstance(tree, dict):
        raise UserError(f"--cfg {path}: contains no configuration keys. Expected YAML such as the files in configs/")
    return tree


def _weigh(node, known, where):
    """Values below a YAML node, counted wherever an alias puts them. Raises UserError for too many, or for a circle."""
    if id(node) not in known:
        known[id(node)] = None  # while it is open
        pairs = node.value if isinstance(node, yaml.CollectionNode) else ()
        children = [child for pair in pairs for child in (pair if isinstance(pair, tuple) else (pair,))]
        known[id(node)] = 1 + sum(_weigh(child, known, where) for child in children)
    if known[id(node)] is None or known[id(node)] > LARGEST_YAML:
        what = "an alias that holds itself" if known[id(node)] is None else f"more than {LARGEST_YAML} values"
        raise UserError(f"{where}: not readable as a config: it has {what}")
    return known[id(node)]


def merge_overrides(cfg, pairs):
    """Merge trailing `KEY VALUE` pairs in place; an unknown key or a missing value is a UserError."""
    pairs = list(pairs)
    if len(pairs) % 2:
        raise UserError(f"override {pairs[-1]}: has no value. Overrides come as KEY VALUE pairs at the end of the line")
    for key, value in zip(pairs[::2], pairs[1::2]):
        if not _set(cfg, key, value):
            raise UserError(f"override {key}: no such key. {_nearest(key)}")


def _nearest(key):
    import difflib

    known = [name for name, _ in flatten(defaults())]
    close = difflib.get_close_matches(key.upper(), [name.upper() for name in known], n=1)
    if close:
        return f"Did you mean {next(name for name in known if name.upper() == close[0])}?"
    return "lib/config.py lists them all"


def as_dict(cfg):
    """A CfgNode as plain nested dicts, fit for YAML and for a checkpoint."""
    return {key: as_dict(value) if isinstance(value, CfgNode) else value for key, value in cfg.items()}


def dump(cfg):
    """A CfgNode as YAML text."""
    return yaml.safe_dump(as_dict(cfg), sort_keys=False)


# ------------------------------------------------------------------------------------- command line

# flag -> config key. Every flag except --cfg and those of PLACES sets a key of the config.
SHARED_FLAGS = {
    "dataset_name": ("DATASET_NAME", "dataset, or a comma list: aist,pw3d"),
    "estimator": ("ESTIMATOR", "pose estimator, or a comma list of the same length: vibe,spin"),
    "body_representation": ("BODY_REPRESENTATION", "3D, 2D or smpl, or a comma list of the same length: 3D,3D"),
    "slide_window_size": ("MODEL.SLIDE_WINDOW_SIZE", "frames per window"),
}
FLAGS = {
    "train": {**SHARED_FLAGS, "exp_name": ("EXP_NAME", "name of the run's folder")},
    "eval": {
        **SHARED_FLAGS,
        "exp_name": ("EXP_NAME", "name of the run's folder"),
        "checkpoint": ("EVALUATE.PRETRAINED", "trained network (.pth.tar), or a comma list to compare"),
        "tradition": (
            "EVALUATE.TRADITION",
            "filters to compare with: savgol, oneeuro, gaus1d, butterworth, median+gaussian, gcv, whittaker, kalman, self_tuned, "
            "a comma list, or `all`",
        ),
        "style": ("FIGURES.STYLE", "of --figures: screen, or paper (column width, no headings; FIGURES.* has more)"),
    },
    "visualize": {
        **SHARED_FLAGS,
        "exp_name": ("EXP_NAME", "name of the run's folder"),
        "checkpoint": ("EVALUATE.PRETRAINED", "trained network (.pth.tar)"),
        "tradition": ("EVALUATE.TRADITION", "a filter to show beside the network"),
        "visualize_video_id": (
            "VIS.INPUT_VIDEO_NUMBER",
            "which test sequences, counted from 0: 3, a list (0,3), a range (2-5), all, or worst",
        ),
        "output_video_path": ("VIS.OUTPUT_VIDEO_PATH", "folder for the videos"),
        "format": ("VIS.FORMAT", "mp4, gif, or html for an interactive page"),
    },
    "refine": {
        "output": ("REFINE.OUTPUT", "file or folder to write; default: <name>_refined beside INPUT"),
        "method": (
            "REFINE.METHOD",
            "auto, synsp, smoothnet, savgol, oneeuro, gaus1d, butterworth, median+gaussian, gcv, whittaker, kalman, self_tuned "
            "or none",
        ),
        "checkpoint": ("EVALUATE.PRETRAINED", "trained network (.pth.tar); default: the shipped weights that fit"),
        "fps": ("REFINE.FPS", "frames per second of INPUT, if the file does not contain it"),
        "cutoff": (
            "REFINE.CUTOFF",
            "Hz, of --method butterworth: 3-5 for slow exercise, 6 walking (the default), 8-10 running, 10-14 kicks and throws",
        ),
        "strength": ("REFINE.STRENGTH", "blend of input (0) and refined poses (1)"),
        "max_gap": ("REFINE.MAX_GAP", "longest gap of missing key points, in seconds, that is filled"),
        "up": (
            "REFINE.UP",
            "axis of 3D INPUT that points up: y, z, -y, ...; default: estimated from the poses. Write --up=-y",
        ),
        "lag": ("REFINE.LAG", "frames of delay: refine as a live stream with this delay would"),
        "axes": ("REFINE.AXES", "axes of an array: T frames, P people, J joints, D coordinates, such as TPJD"),
        "image_size": ("REFINE.IMAGE_SIZE", "WIDTHxHEIGHT in px, for coordinates normalised to the image"),
        "forget": ("REFINE.FORGET", "live: seconds without a line after which a person's stream is closed; 0: never"),
        "input_format": ("REFINE.INPUT_FORMAT", "format of INPUT, if it is not recognised"),
        "report": ("REFINE.REPORT", "folder for report.html, which shows input and refined poses"),
    },
}
PURPOSE = {
    "train": "Train SynSP or SmoothNet to refine noisy pose sequences.",
    "eval": "Score a trained network on a test split, beside traditional filters.",
    "visualize": "Render a test sequence: estimator, refined and ground truth, as a video.",
    "refine": "Refine the poses of a file, a folder of per-frame files or a live stream (-): no ground truth needed.",
}


# Paths of results and pictures. No number depends on them, so they are not part of the config.
PLACES = {
    "eval": {
        "json": ("PATH", "also write the metrics there, as JSON, and as CSV beside it"),
        "report": ("DIR", "folder for report.html, an interactive page of the worst and the best sequences"),
        "figures": ("DIR", "folder for figures of the scores, as PNG and PDF"),
    },
    "visualize": {
        "video": (
            "FILE_OR_FOLDER",
            "source video, or folder of its images, under 2D key points; for several sequences a "
            "folder with one of these for each, of the sequence's name",
        ),
    },
}


class Parser(argparse.ArgumentParser):
    """One whose complaints are a UserError, in one line."""

    def error(self, message):
        hint = " A value that begins with - is written --flag=value." if "expected one argument" in message else ""
        message = message.removeprefix("argument ").removesuffix(", KEY VALUE")
        raise UserError(f"{message}.{hint} --help lists the flags")


def parser(command, prog=None):
    """The argparse parser of 'train', 'eval', 'visualize' or 'refine'; prog: how the user called it, for its help."""
    example = {
        "train": "--cfg configs/mocap_noise_3D.yaml TRAIN.EPOCH 5",
        "eval": "--cfg configs/mocap_noise_3D.yaml --checkpoint P --tradition all",
        "visualize": "--cfg configs/mocap_noise_3D.yaml --checkpoint P --visualize_video_id 0",
        "refine": "alphapose-results.json --fps 25 --report report",
    }[command]
    parse = Parser(
        prog=prog,
        description=PURPOSE[command],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"example:\n  {prog or f'python {command}_smoothnet.py'} {example}\n\n"
        "Trailing KEY VALUE pairs override any key of the config; lib/config.py lists them.",
    )
    parse.add_argument("--cfg", metavar="YAML", help="config file; without it the defaults of lib/config.py")
    for flag, (key, text) in FLAGS[command].items():
        parse.add_argument(f"--{flag}", metavar=key.rsplit(".", 1)[-1], help=f"{text} [{key}]")
    if command == "refine":
        parse.add_argument(
            "input",
            metavar="INPUT",
            nargs="+",
            help="pose files, folders of per-frame files, folders of recordings, or - for standard input",
        )
        _add_many(parse)
        parse.add_argument(
            "--refine_translation",
            action="store_true",
            help="also refine the root's path through space, not only the pose",
        )
        parse.add_argument(
            "--no_repair", action="store_true", help="leave exchanged left and right, and spikes, as they are"
        )
        parse.add_argument(
            "--compare", action="store_true", help="table of every method on INPUT, without ground truth"
        )
        parse.add_argument(
            "--suggest", action="store_true", help="which --cutoff suits INPUT, by residual analysis; writes no poses"
        )
        parse.add_argument(
            "--live",
            action="store_true",
            help="read one JSON object per line from standard input (INPUT is -) and refine it as it arrives",
        )
    for flag, (place, text) in PLACES.get(command, {}).items():
        parse.add_argument(f"--{flag}", metavar=place, help=text)
    parse.add_argument("--debug", action="store_true", help="print the traceback of an error too")
    if command != "refine":  # there they are told from the inputs, of which there may be several
        parse.add_argument("overrides", nargs="*", default=[], metavar="KEY VALUE", help=argparse.SUPPRESS)
    return parse


def _add_many(parse):
    """The flags for many files. No number depends on them, so they are not part of the config."""
    parse.add_argument("--recursive", action="store_true", help="also take the recordings in folders within INPUT")
    parse.add_argument("--jobs", type=int, metavar="N", help="processes for many files, one thread each; default: 1")
    parse.add_argument(
        "--shard",
        metavar="I/N",
        help="of many files only part I (from 0) of N; default: by SLURM_ARRAY_TASK_ID, else by RANK and WORLD_SIZE",
    )
    parse.add_argument(
        "--resume",
        action="store_true",
        default=True,
        help="of many files leave out those that are done with the same method, weights and options (the default)",
    )
    parse.add_argument("--no_resume", dest="resume", action="store_false", help="refine all of many files anew")


def _inputs(words):
    """(inputs, overrides): from the first word on that is a key, or is in a group of keys, words are KEY VALUE pairs."""
    schema = defaults()
    keys = {name for name, value in schema.items() if not isinstance(value, CfgNode)}
    groups = schema.keys() - keys
    for number, word in enumerate(words):
        group, dot, _ = word.partition(".")
        is_key = word in keys or bool(dot) and group in groups
        if number and is_key and not (dot and os.path.exists(word)):
            return words[:number], words[number:]
    return words, []


class Request:
    """A parsed command line.

    args: the parsed flags. `config(stored)` combines defaults, YAML, a checkpoint's config, flags and overrides.
    """

    def __init__(self, command, argv=None, prog=None):
        known, rest = parser(command, prog).parse_known_args(argv)
        unknown = [word for word in rest if word.startswith("--")]
        if unknown:
            raise UserError(f"{unknown[0]}: no such flag. --help lists the flags")
        if command == "refine":
            known.inputs, overrides = _inputs(known.input + rest)
            known.input = known.inputs[0]
        else:
            overrides = list(known.overrides) + rest
        self.command, self.args = command, known
        flags = {
            key: getattr(known, flag) for flag, (key, _) in FLAGS[command].items() if getattr(known, flag) is not None
        }
        self._pairs = [word for pair in flags.items() for word in pair] + overrides
        self._yaml = read_yaml(known.cfg) if known.cfg else {}
        _say_ignored(known.cfg, merge_tree(defaults(), self._yaml))
        try:
            self.config()  # every mistake is found before work starts
        except UserError as error:
            raise UserError(self._by_flags(str(error))) from None

    def config(self, stored=None):
        """defaults < YAML < `stored` (nested dicts from a checkpoint) < flags and trailing overrides."""
        cfg = defaults()
        merge_tree(cfg, self._yaml)
        if stored:
            _say_ignored("checkpoint", merge_tree(cfg, stored))
        merge_overrides(cfg, self._pairs)
        return cfg

    def _by_flags(self, message):
        """A complaint of a key that was set by its flag: of the flag."""
        for flag, (key, _) in FLAGS[self.command].items():
            if message.startswith((f"{key}:", f"{key} ")) and getattr(self.args, flag) is not None:
                return f"--{flag}{message.removeprefix(key)}"
        return message

    def explicit(self, key):
        """Whether a flag or a trailing override set this key."""
        return key in self._pairs[::2]


def _say_ignored(source, keys):
    if keys:
        more = f" and {len(keys) - 20} more" if len(keys) > 20 else ""
        log.warning("%s: keys that this version does not know, ignored: %s%s", source, ", ".join(keys[:20]), more)


def command_line():
    """The command that is running, for logs and checkpoints."""
    import shlex
    import sys

    script = Path(sys.argv[0])
    called = ["synsp"] if script.stem in ("synsp", "__main__") else ["python", os.path.relpath(script)]
    return shlex.join(called + sys.argv[1:])
