"""What a dataset folder contains, and how the toolkit will read it.

    synsp check data/poses/aist_vibe_3D       one set
    synsp check data/poses                    all of them
    synsp check FOLDER KEY VALUE ...          with config keys, such as DATASET.MULTI_VIEW True

Prints a table for each set: sequences, frames, joints, extent, missing values; then notes on what looks wrong or
will be changed, and what will be refused and why. Exit code 0 if everything is usable, 2 if something will be refused.
"""

import logging
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .. import config
from ..command_line import Parser
from ..config_values import merge_overrides
from ..dataset import catalog, sequences, storage
from ..errors import UserError
from ..messages import counted
from ..poses.kinds import kind_of
from ..poses.space import extent

SPLITS = ("train", "validate", "test")
TITLES = ("split", "file", "sequences", "frames", "lengths", "joints", "extent", "missing")
# A person's joints fill a box whose diagonal is 1 to 3 m in the median frame.
BODY_METRES = (0.5, 5.0)


@dataclass
class Report:
    """What was found in one dataset folder: table rows, notes, and refusals (one line each)."""

    title: str
    rows: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    refused: list = field(default_factory=list)


def main(argv=None, prog=None):
    parse = Parser(prog=prog, description="What a dataset folder contains, and what will be refused in it.")
    parse.add_argument("folder", help="one dataset folder (with groundtruth/ and detected/), or a folder of them")
    parse.add_argument(
        "overrides", nargs="*", default=[], metavar="KEY VALUE", help="config keys, such as DATASET.MULTI_VIEW True"
    )
    args = parse.parse_args(argv)
    cfg = config.defaults()
    merge_overrides(cfg, args.overrides)
    reports = check(args.folder, cfg)
    for report in reports:
        print(text(report))
    refused = sum(bool(report.refused) for report in reports)
    sets = "1 set" if len(reports) == 1 else f"{len(reports)} sets"
    print(f"{sets}, {refused or 'none'} with something that will be refused")
    if refused:
        sys.exit(2)


def check(folder, cfg):
    """A `Report` for `folder`, or for each dataset folder in it. Raises UserError when there is none."""
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder}: not a folder. Give a dataset folder, or the folder that holds them")
    found = [folder] if _is_set(folder) else sorted(child for child in folder.iterdir() if _is_set(child))
    if not found:
        raise UserError(
            f"{folder}: neither a dataset folder nor a folder of dataset folders. Expected <dataset>_<estimator>_<rep>/ "
            "with groundtruth/ and detected/ in it"
        )
    return [check_set(child, cfg) for child in found]


def _is_set(folder):
    return (folder / "groundtruth").is_dir() or (folder / "detected").is_dir()


def check_set(folder, cfg):
    """The `Report` of one dataset folder."""
    folder = folder.resolve()  # `.` has no name
    cfg = cfg.clone()
    cfg.DATASET.BASE_DIR = str(folder.parent)
    report = Report(str(folder))
    source = source_of(folder)
    if source is None:
        report.refused.append(
            f"{folder}: its name is not <dataset>_<estimator>_<representation> with representation 3D, "
            "2D or smpl. Rename the folder"
        )
        return report
    report.title += (
        f": --dataset_name {source.dataset} --estimator {source.estimator} "
        f"--body_representation {source.representation}"
    )
    expected = {split: sequences.paths(source, split, folder.parent) for split in SPLITS}
    present = sorted(folder.glob("groundtruth/*")) + sorted(folder.glob("detected/*"))
    for path in present:
        if not any(path in pair for pair in expected.values()):
            names = " or ".join(f"{pair[path.parent.name == 'detected'].name}" for pair in expected.values())
            report.notes.append(f"{path}: ignored because of its name. Expected {names}")
    splits = [split for split in SPLITS if any(path.is_file() for path in expected[split])]
    if not splits:
        report.refused.append(f"{folder}: contains no split. Expected files such as {expected['test'][0].name}")
    for split in splits:
        _check_split(report, source, split, *expected[split], cfg)
    return report


def source_of(folder):
    """The `catalog.Source` that a folder's name and files tell of, or None. Names may hold underscores where the
    ground truth's file name says which part is the dataset."""
    name, _, last = folder.name.rpartition("_")
    representation = next((known for known in catalog.REPRESENTATIONS if known == last), None)
    if representation is None:
        return None
    for path in sorted(folder.glob(f"groundtruth/*_gt_{representation}_*.npz")):
        dataset = path.name.split(f"_gt_{representation}_")[0]
        if name.startswith(f"{dataset}_"):
            return catalog.Source(dataset, name.removeprefix(f"{dataset}_"), representation)
    dataset, _, estimator = name.partition("_")
    return catalog.Source(dataset, estimator, representation) if estimator else None


# ------------------------------------------------------------------------------------------ one split


def _check_split(report, source, split, truth_path, detected_path, cfg):
    sizes = []
    for path, what in ((truth_path, "ground truth"), (detected_path, "detected")):
        if path.is_file():
            sizes.append(_describe(report, source, split, path, what))
        elif what == "detected" and source.synthetic:
            report.rows.append((split, what, "ground truth plus simulated errors"))
        else:
            report.rows.append((split, what, "no file"))
    if len(sizes) == 2 and all(sizes) and not 0.6 < sizes[0] / sizes[1] < 1.6:
        report.notes.append(
            f"{detected_path}: bodies are {sizes[1]:.3g} in size, but {sizes[0]:.3g} in the ground truth. "
            "Are both files in the same unit?"
        )
    with _Messages() as messages:
        try:
            loaded = sequences.load(source, split, cfg)
        except UserError as error:
            report.refused.append(f"{split}: {error}")
            return
        finally:
            report.notes += [message for message in messages.lines if message not in report.notes]
    window = cfg.MODEL.SLIDE_WINDOW_SIZE
    short = sum(sequence.length < window for sequence in loaded.sequences)
    if short:
        report.notes.append(
            f"{split}: shorter than a window of {window} frames: {counted(short, 'sequence')}, whose last "
            "frame is repeated for the network"
        )
    if not kind_of(source.representation).rotations and all(
        sequence.detected is not None for sequence in loaded.sequences
    ):
        _compare(report, split, loaded)


def _describe(report, source, split, path, what):
    """One row of the table, and notes on its units. Returns the size of a body in the file's unit (smpl: None)."""
    key = catalog.KEY[source.representation]
    try:
        poses = storage.read(path).get(key)
    except UserError:
        poses = None  # reported by `sequences.load`
    if not poses:
        report.rows.append((split, what, "not readable"))
        return None
    dims = catalog.WIDTH[source.representation]
    lengths = [len(pose) for pose in poses]
    widths = sorted({pose.shape[1] // dims for pose in poses})
    missing = sum(int((~np.isfinite(pose)).sum()) for pose in poses)
    total = sum(pose.size for pose in poses)
    size, shown = _extent(report, source, path, poses, dims)
    report.rows.append(
        (
            split,
            what,
            f"{len(poses)}",
            f"{sum(lengths)}",
            f"{min(lengths)}-{max(lengths)}",
            "/".join(map(str, widths)),
            shown,
            f"{missing} ({missing / total:.2%})" if missing else "0",
        )
    )
    return size


def _extent(report, source, path, poses, dims):
    """(size of a body or None, extent as text); notes on suspicious units."""
    if kind_of(source.representation).rotations:
        largest = max(float(np.nanmax(np.abs(pose[np.isfinite(pose).all(1)]), initial=0)) for pose in poses)
        if largest > 4 * np.pi:
            report.notes.append(
                f"{path}: rotations of up to {largest:.0f}: are these degrees? Axis-angles in radians are expected"
            )
        return None, f"{largest:.2f} rad"
    sizes = [extent(pose.reshape(len(pose), -1, dims)) for pose in poses if pose.shape[1] % dims == 0]
    size = float(np.median(sizes)) if sizes else 0.0
    if kind_of(source.representation).in_space:
        low, high = BODY_METRES
        if not low <= size <= high:
            unit = next(
                (
                    unit
                    for unit, metre in (("millimetres", 1000), ("centimetres", 100))
                    if low * metre <= size <= high * metre
                ),
                None,
            )
            report.notes.append(
                f"{path}: bodies are {size:.3g} in size"
                + (f", which looks like {unit}" if unit else "")
                + ". Metres are expected: otherwise scores are not in mm, and published networks fail"
            )
        return size, f"{size:.3g} m"
    points = np.concatenate([pose[:, : pose.shape[1] // 2 * 2].reshape(-1, 2) for pose in poses])
    points = points[np.isfinite(points).all(1)]
    if not len(points):
        return size, "-"
    if np.abs(points).max() <= 2:
        report.notes.append(
            f"{path}: no coordinate is larger than {np.abs(points).max():.2g}. Are they normalised? Pixels are expected"
        )
    low, high = points.min(0), points.max(0)
    return size, f"x {low[0]:.0f} to {high[0]:.0f}, y {low[1]:.0f} to {high[1]:.0f} px"


def _compare(report, split, loaded):
    """A note where detections lie so far from the truth that order, unit or pairing must be wrong."""
    rep, root = loaded.representation, list(loaded.layout.root)
    for sequence in loaded.sequences:
        truth, detected = (rep.joints(values).numpy() for values in (sequence.truth, sequence.detected))
        size = extent(truth)
        if rep.root_relative:
            truth, detected = (joints - joints[:, root].mean(1, keepdims=True) for joints in (truth, detected))
        error = float(np.linalg.norm(detected - truth, axis=-1).mean())
        if size and error > 0.3 * size:
            report.notes.append(
                f"{split}: mean error of the detections of {sequence.name} is {error:.0f} {rep.unit}, with "
                f"a body size of {size:.0f} {rep.unit}. Do both files have the same joint order and the same order "
                "of sequences?"
            )
            return


class _Messages(logging.Handler):
    """Collects the loader's warnings."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.lines = []

    def emit(self, record):
        self.lines.append(record.getMessage())

    def __enter__(self):
        logger = logging.getLogger("synsp.dataset")
        self._propagate, logger.propagate = logger.propagate, False
        logger.addHandler(self)
        return self

    def __exit__(self, *_):
        logger = logging.getLogger("synsp.dataset")
        logger.removeHandler(self)
        logger.propagate = self._propagate


# ------------------------------------------------------------------------------------------ on screen


def text(report):
    """A report as lines of text. Rows without numbers say why in a third cell that may be wider than its column."""
    rows = [TITLES, *report.rows] if report.rows else []
    widths = (
        [
            max(len(row[column]) for row in rows if len(row) > column and (column < 2 or len(row) == len(TITLES)))
            for column in range(len(TITLES))
        ]
        if rows
        else []
    )
    lines = [report.title]
    for row in rows:
        cells = [
            cell.ljust(width) if column < 2 or len(row) < len(TITLES) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths))
        ]
        lines.append("  " + "  ".join(cells).rstrip())
    lines += [f"  note: {line}" for line in report.notes] + [f"  refused: {line}" for line in report.refused]
    return "\n".join(lines) + "\n"
