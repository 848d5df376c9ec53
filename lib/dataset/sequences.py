"""From pose files to recordings: the sequences of one split, paired with their ground truth.

A recording is one person seen by V cameras at the same frames; a single-view sequence is a recording of one view.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import UserError
from ..messages import counted, logger
from ..poses.representation import frame_2d, representation
from ..poses.skeletons import Layout
from . import catalog, storage, views
from .filling import fill_gaps
from .synthetic import add_fixed_noise

log = logger(__name__)


@dataclass
class Sequence:
    """One camera's sequence. detected, truth: raw [T, C] float32, gaps filled; detected may be None.

    frame: normalisation (2D); extras: what else the files hold of this sequence (shape, bbox, ...), keys of
    the ground truth file prefixed with `truth_`; present: bool [T], False at frames that this camera does not
    have (its values there are filled in), or None for all; known: bool [T], False at frames whose ground truth is
    not complete, or None for all; lost: frames cropped because the two files differ in length.
    """

    name: str
    detected: np.ndarray | None
    truth: np.ndarray
    images: list = field(default_factory=list)
    frame: object = None
    extras: dict = field(default_factory=dict)
    present: np.ndarray | None = None
    known: np.ndarray | None = None
    lost: int = 0

    @property
    def length(self):
        """T."""
        return len(self.truth)

    @property
    def image_size(self):
        """(height, width, ...) of its images as the files have it, or None."""
        return self.extras.get("truth_imgshape", self.extras.get("imgshape"))

    @property
    def counted(self):
        """bool [T]: the frames that are trained on and scored, or None for all."""
        if self.present is None or self.known is None:
            return self.known if self.present is None else self.present
        return self.present & self.known


@dataclass
class Recording:
    """The views of one person, all of one length: frame t of every view is the same moment."""

    name: str
    views: list


@dataclass
class Split:
    """The recordings of one split of one source, and how to read them."""

    source: catalog.Source
    split: str
    layout: Layout
    representation: object
    recordings: list

    @property
    def sequences(self):
        return [view for recording in self.recordings for view in recording.views]

    @property
    def channels(self):
        """C, the network's channels."""
        if self.representation.kind.rotations:
            return self.layout.size * (6 if self.representation.use_6d else 3)
        return self.layout.size * self.representation.dims


def paths(source, split, base):
    """Where the ground truth and the detections of a split lie: two paths, whether they exist or not."""
    base, row = Path(base), source.row
    name = f"{source.representation}_{split}.npz"
    own = base / str(source)
    found = [(own / "groundtruth" / f"{source.dataset}_gt_{name}", own / "detected" / f"{source}_{split}.npz")]
    if row.truth_of:
        other = f"{row.truth_of}_{source.estimator}_{source.representation}"
        detected = base / other / "detected" / f"{other}_{split}.npz"
        if source.synthetic:
            # Anybody's ground truth of the same joints will do, and nobody's detections.
            folders = [base / other, *sorted(base.glob(f"{row.truth_of}_*_{source.representation}"))]
            folders = [folder for folder in folders if _layouts_of(folder, row) == row.layouts]
            detected = found[0][1]
        else:
            folders = [base / other]
        found += [(folder / "groundtruth" / f"{row.truth_of}_gt_{name}", detected) for folder in folders]
    return next((pair for pair in found if pair[0].is_file()), found[-1 if row.truth_of else 0])


def _layouts_of(folder, row):
    estimator = folder.name.removeprefix(f"{row.truth_of}_").removesuffix(f"_{row.representation}")
    return catalog.Source(row.truth_of, estimator, row.representation).row.layouts


def has_split(source, split, cfg):
    """Whether the split is there; half of it counts, so that `load` says what is missing."""
    truth, detected = paths(source, split, cfg.DATASET.BASE_DIR)
    return truth.is_file() or detected.is_file()


def load(source, split, cfg, use_6d=True):
    """Read one split of one source.

    Sequences whose detections are synthetic have `detected` None in the train split (noise is drawn at each
    epoch) and noise fixed by the seed and the clip's name elsewhere. Missing numbers of the detections are filled
    from their neighbours and count as the input that they are; frames without complete ground truth are neither
    trained on nor scored. Raises UserError for what cannot be read.
    """
    truth_path, detected_path = paths(source, split, cfg.DATASET.BASE_DIR)
    key, dims = catalog.KEY[source.representation], catalog.WIDTH[source.representation]
    truth = _read(source, truth_path, key, cfg)
    detected = None
    if detected_path.is_file() or not source.synthetic:
        detected = _read(source, detected_path, key, cfg)
    _check_pair(truth_path, truth, detected_path, detected, key)
    layout, order = _common_layout(source, [(truth_path, truth), (detected_path, detected)], key, dims, cfg)
    rep = representation(source.representation, use_6d)
    sequences = [_sequence(truth_path, index, key, dims, truth, detected, order) for index in range(len(truth[key]))]
    gaps = sum(int((~np.isfinite(values)).sum()) for values in detected[key]) if detected else 0
    del truth, detected
    _say_changes(truth_path, detected_path, gaps, sequences)
    if any(sequence.detected is None for sequence in sequences) and split != "train":
        add_fixed_noise(sequences, layout, rep, cfg)
    if rep.kind.in_image:
        for index, sequence in enumerate(sequences):
            sequence.frame = _frame(source, truth_path, index, sequence)
    recordings = [Recording(name, found) for name, found in views.by_recording(sequences, source, cfg)]
    return Split(source, split, layout, rep, recordings)


def _read(source, path, key, cfg):
    if not path.is_file():
        raise UserError(f"{path}: not found. {_what_is_there(source, path, Path(cfg.DATASET.BASE_DIR))}")
    data = storage.read(path)
    if key not in data:
        raise UserError(
            f"{path}: has no {key}, which {source} needs (found: {', '.join(data)}). "
            "Choose another --body_representation, or write the key"
        )
    return data


def _what_is_there(source, path, base):
    """The mend of a file that is not found: what lies in its place."""
    if not base.is_dir():
        return f"DATASET.BASE_DIR {base} is not a folder; set it to the folder that holds the datasets"
    if path.parent.is_dir():
        files = ", ".join(sorted(file.name for file in path.parent.iterdir())) or "nothing"
        return f"In {path.parent}: {files}"
    present = ", ".join(sorted(folder.name for folder in base.iterdir() if folder.is_dir())) or "none"
    return (
        f"Expected layout: {base}/{source}/groundtruth/{source.dataset}_gt_{source.representation}_<split>.npz "
        f"and detected/{source}_<split>.npz. Datasets present in {base}: {present}"
    )


def _check_pair(truth_path, truth, detected_path, detected, key):
    """Both files must speak of the same sequences in the same order."""
    if detected is None:
        return
    if len(detected[key]) != len(truth[key]):
        raise UserError(
            f"{detected_path}: {key} has {len(detected[key])} sequences, but {truth_path.name} has "
            f"{len(truth[key])}. Both need the same sequences in the same order"
        )
    pairs = zip(truth.get("imgname", ()), detected.get("imgname", ()))
    other = [(index, *pair) for index, pair in enumerate(pairs) if all(pair) and _name(pair[0]) != _name(pair[1])]
    if other:
        index, ours, theirs = other[0]
        log.warning(
            "%s: imgname of %d of %d sequences is another one in %s (sequence %d: %s, there %s). Sequences "
            "are paired by their place in the files; make sure that both have the same order",
            truth_path,
            len(other),
            len(truth[key]),
            detected_path.name,
            index,
            ours[0],
            theirs[0],
        )


def _name(images):
    """The sequence's name in its first image name, `<sequence>/<image>`."""
    return images[0].rpartition("/")[0] if images else ""


def _common_layout(source, files, key, dims, cfg):
    """(layout, {width on disk: reorder or None}) of all sequences of the given (path, data)."""
    layouts = {}
    for path, data in files:
        for index, value in enumerate(data[key] if data else ()):
            width = value.shape[1]
            if width in layouts:
                continue
            if width % dims:
                raise UserError(
                    f"{path}: {key}, sequence {index} has {width} columns, which is not a multiple of "
                    f"{dims}. Expected [T, J*{dims}]"
                )
            try:
                layouts[width] = catalog.layout(source, width // dims, cfg)
            except UserError as error:
                raise UserError(f"{path}: {key}, sequence {index}: {error}") from None
            sizes = {found.size for found, _ in layouts.values()}
            if len(sizes) > 1:
                raise UserError(
                    f"{path}: {key}, sequence {index} has {width // dims} joints, others of {source} "
                    f"have {next(iter(layouts)) // dims}. All sequences of both files need the same joints"
                )
    return next(iter(layouts.values()))[0], {width: order for width, (_, order) in layouts.items()}


def _sequence(truth_path, index, key, dims, truth, detected, orders):
    def ordered(values):
        order = orders[values.shape[1]]
        if order is None:
            return values
        return values.reshape(len(values), -1, dims)[:, list(order)].reshape(len(values), -1)

    pair = [None if data is None else ordered(data[key][index]) for data in (truth, detected)]
    lengths = [len(values) for values in pair if values is not None]
    length = min(lengths)
    target, pose = (None if values is None else values[:length] for values in pair)
    known = np.isfinite(target).all(1)
    never = ~np.isfinite(target).any(0)
    images = _images(truth, detected, index)[:length]
    name = _name(images) or f"sequence{index}"
    place = f"{truth_path}: {key}, sequence {index} ({name})"
    if never.any():
        raise UserError(
            f"{place}: joint {np.flatnonzero(never)[0] // dims} has no finite number in any frame. "
            "Remove the sequence, or this joint from both files"
        )
    if not known.any():
        raise UserError(f"{place}: no frame has all joints. Remove the sequence")
    extras = {
        prefix + other: value[index][:length] if other in storage.PER_FRAME else value[index]
        for prefix, data in (("", detected or {}), ("truth_", truth))
        for other, value in data.items()
        if other not in (key, "imgname")
    }
    return Sequence(
        name,
        None if pose is None else fill_gaps(pose, key),
        fill_gaps(target, key),
        images,
        extras=extras,
        known=None if known.all() else known,
        lost=max(lengths) - length,
    )


def _images(truth, detected, index):
    for data in (truth, detected):
        names = (data or {}).get("imgname")
        if names and index < len(names) and len(names[index]):
            return names[index]
    return []


def _say_changes(truth_path, detected_path, gaps, sequences):
    """What was not taken as the files have it, said in one line each."""
    if gaps:
        log.warning("%s: %d numbers are missing and were filled between their neighbours in time", detected_path, gaps)
    cropped = [sequence for sequence in sequences if sequence.lost]
    if cropped:
        log.warning(
            "%s: %d of %d sequences differ in length from their detections; cropped to the shorter "
            "(%s in all, the first is %s)",
            truth_path,
            len(cropped),
            len(sequences),
            counted(sum(sequence.lost for sequence in cropped), "frame"),
            cropped[0].name,
        )
    uncounted = [sequence for sequence in sequences if sequence.known is not None]
    if uncounted:
        log.warning(
            "%s: without ground truth, neither trained on nor scored: %s of %s (the first is %s)",
            truth_path,
            counted(sum(int((~sequence.known).sum()) for sequence in uncounted), "frame"),
            counted(len(uncounted), "sequence"),
            uncounted[0].name,
        )


def _frame(source, truth_path, index, sequence):
    """The normalisation of one 2D sequence."""
    size = sequence.image_size
    if size is not None:
        size = np.ravel(size)
        if size.dtype.kind not in "fiu" or len(size) < 2 or not np.isfinite(size[:2]).all() or min(size[:2]) <= 0:
            raise UserError(
                f"{truth_path}: imgshape, sequence {index} ({sequence.name}) is {size.tolist()[:3]}. "
                "Expected (height, width, ...) in pixels"
            )
    elif source.row.normaliser == "jhmdb":
        raise UserError(
            f"{truth_path}: has no imgshape, by which jhmdb is normalised. Write (height, width) for each sequence"
        )
    points = sequence.truth if sequence.detected is None else sequence.detected
    return frame_2d(source.row.normaliser, points, size)


# Metres: nearer the roots of 3D joints are taken to be where root-relative poses have them.
ROOT_AT_ZERO = 0.5


def root_distance(split):
    """How far the roots of a split's 3D joints lie from 0, in metres (the 99th percentile; detections, else truth); 0 for
    what is not 3D joints."""
    if not split.representation.kind.in_space:
        return 0.0
    roots = [
        np.asarray(view.truth if view.detected is None else view.detected).reshape(len(view.truth), -1, 3)
        for recording in split.recordings
        for view in recording.views
    ]
    roots = [joints[:, list(split.layout.root)].mean(1) for joints in roots]
    return float(np.percentile(np.linalg.norm(np.concatenate(roots), axis=-1), 99))
