"""The command line of train, eval, visualize and refine: its flags, and the configuration that it asks for.

Order of precedence, lowest first: the defaults of `config.py`, the YAML of `--cfg`, what a checkpoint stores about
itself (eval, visualise), explicit flags, trailing `KEY VALUE` pairs. This module imports neither torch nor numpy, so
that `--help` answers at once.
"""

import argparse
import os

from yacs.config import CfgNode

from .config import defaults, where
from .config_values import merge_overrides, merge_tree, read_yaml
from .errors import UserError
from .messages import logger

log = logger(__name__)

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
        f"Trailing KEY VALUE pairs override any key of the config; {where()} lists them.",
    )
    parse.add_argument("--cfg", metavar="YAML", help="config file; default: none")
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
