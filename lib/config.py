"""The configuration: all keys with their defaults and limits. How they get their values: `config_values.py`.

This module imports neither torch nor numpy, so that `--help` answers at once.
"""

import functools
from pathlib import Path

import yaml
from yacs.config import CfgNode


def where():
    """This file as a user finds it: `lib/config.py` in the root of a checkout, else its whole path."""
    path = Path(__file__).resolve()
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


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
def numbers():
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
    # 2D, with CANONICAL: scale every window to one size too, so that neither the image nor the camera's distance counts.
    cfg.MODEL.ONE_SIZE = False
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
    # A network for 2D key points, from 3D sets: each window is filmed by a camera drawn at random. Needs MODEL.CANONICAL and
    # MODEL.ONE_SIZE.
    cfg.TRAIN.FILM = False
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
    # differently (3D). Radians: of the rotations by which rest poses differ, about each axis, of all joints but the root (SMPL).
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
    # Weights in the average of the windows that cover a frame: mean | triangular | quality, or learned
    # where the weights have it (`lib.training.merging`). Stored in a checkpoint.
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


def flatten(tree, prefix=""):
    """Yield (dotted key, value) of nested dicts or a CfgNode."""
    for name, value in tree.items():
        key = f"{prefix}{name}"
        if isinstance(value, dict):
            yield from flatten(value, key + ".")
        else:
            yield key, value


def as_dict(cfg):
    """A CfgNode as plain nested dicts, fit for YAML and for a checkpoint."""
    return {key: as_dict(value) if isinstance(value, CfgNode) else value for key, value in cfg.items()}


def dump(cfg):
    """A CfgNode as YAML text."""
    return yaml.safe_dump(as_dict(cfg), sort_keys=False)
