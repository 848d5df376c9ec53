"""From pose files to recordings: the sequences of one split, paired with their ground truth.

A recording is one person seen by V cameras at the same frames; a single-view sequence is a recording of one view.
"""

import logging
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lib.dataset import catalog, noise, storage
from lib.errors import UserError
from lib.poses.representation import frame_2d, representation
from lib.poses.skeletons import Layout

log = logging.getLogger(__name__)

KEY = {"3D": "joints_3d", "2D": "joints_2d", "smpl": "pose"}


@dataclass
class Sequence:
    """One camera's sequence. detected, truth: raw [T, C] float32, either may be None.

    frame: normalisation (2D); extras: what else the files hold of this sequence (shape, bbox, ...), keys of
    the ground truth file prefixed with `truth_`; present: bool [T], False at frames that this camera does not
    have (its values there are filled in), or None; lost: frames cropped because the two files differ in length.
    """

    name: str
    detected: np.ndarray | None
    truth: np.ndarray | None
    images: list = field(default_factory=list)
    frame: object = None
    extras: dict = field(default_factory=dict)
    present: np.ndarray | None = None
    lost: int = 0

    @property
    def length(self):
        return len(self.truth if self.detected is None else self.detected)


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
        if self.representation.name == "smpl":
            return self.layout.size * (6 if self.representation.use_6d else 3)
        return self.layout.size * self.representation.dims


def paths(source, split, base):
    """Where the ground truth and the detections of a split lie: two paths, whether they exist or not."""
    folder = Path(base) / str(source)
    if source.row.truth_of and not folder.is_dir():
        folder = Path(base) / f"{source.row.truth_of}_{source.estimator}_{source.representation}"
    dataset = source.row.truth_of if source.row.truth_of and folder.name.startswith(source.row.truth_of) \
        else source.dataset
    name = f"{source.representation}_{split}.npz"
    return (folder / "groundtruth" / f"{dataset}_gt_{name}",
            folder / "detected" / f"{dataset}_{source.estimator}_{name}")


def has_split(source, split, cfg):
    """Whether the split's files are there."""
    truth, detected = paths(source, split, cfg.DATASET.BASE_DIR)
    return truth.is_file() and (detected.is_file() or source.row.synthetic)


def load(source, split, cfg, use_6d=True):
    """Read one split of one source.

    Sequences whose detections are synthetic have `detected` None in the train split (noise is drawn at each
    epoch) and noise fixed by the seed and the clip's name elsewhere. Raises UserError for what cannot be read.
    """
    truth_path, detected_path = paths(source, split, cfg.DATASET.BASE_DIR)
    _expect(source, truth_path, cfg)
    truth = storage.read(truth_path)
    detected = None
    if detected_path.is_file():
        detected = storage.read(detected_path)
    elif not source.row.synthetic:
        _expect(source, detected_path, cfg)
    key = KEY[source.representation]
    for path, data in ((truth_path, truth), (detected_path, detected)):
        if data is not None and key not in data:
            raise UserError(f"{path}: has no {key}, which {source} needs (found: {', '.join(data)})")
    if detected is not None and len(detected[key]) != len(truth[key]):
        raise UserError(f"{detected_path}: {len(detected[key])} sequences, but {truth_path.name} has "
                        f"{len(truth[key])}. Both need the same sequences in the same order")

    dims = catalog.WIDTH[source.representation]
    widths = {value.shape[1] for data in (truth, detected) if data is not None for value in data[key]}
    layouts = {}
    for width in widths:
        if width % dims:
            raise UserError(f"{truth_path}: {key} has {width} columns, which is not a multiple of {dims}")
        layouts[width] = catalog.layout(source, width // dims, cfg)
    if len({found.size for found, _ in layouts.values()}) > 1:
        raise UserError(f"{truth_path}: sequences of {sorted(width // dims for width in widths)} joints are mixed; "
                        "each source needs one joint count")
    layout = next(iter(layouts.values()))[0]
    rep = representation(source.representation, use_6d)
    sequences = [_sequence(source, index, key, dims, truth, detected, layouts) for index in range(len(truth[key]))]
    _say_cropped(truth_path, sequences)
    if detected is None and split != "train":
        add_fixed_noise(sequences, layout, rep, cfg)
    if rep.name == "2D":
        for sequence in sequences:
            size = sequence.extras.get("truth_imgshape", sequence.extras.get("imgshape"))
            if source.row.normaliser == "jhmdb" and size is None:
                raise UserError(f"{truth_path}: has no imgshape, which jhmdb's normalisation needs")
            points = sequence.truth if sequence.detected is None else sequence.detected
            sequence.frame = frame_2d(source.row.normaliser, points, None if size is None else np.ravel(size))
    return Split(source, split, layout, rep, group(sequences, source, cfg))


def _expect(source, path, cfg):
    if path.is_file():
        return
    base = Path(cfg.DATASET.BASE_DIR)
    present = sorted(folder.name for folder in base.iterdir() if folder.is_dir()) if base.is_dir() else []
    raise UserError(f"{path}: not found. Expected layout: {base}/{source}/groundtruth/{source.dataset}_gt_"
                    f"{source.representation}_<split>.npz and …/detected/{source}_<split>.npz. "
                    f"Datasets present in {base}: {', '.join(present) or 'none'}")


def _sequence(source, index, key, dims, truth, detected, layouts):
    def ordered(values):
        _, order = layouts[values.shape[1]]
        if order is not None:
            values = values.reshape(len(values), -1, dims)[:, list(order)].reshape(len(values), -1)
        return fill_gaps(values)

    target = ordered(truth[key][index])
    pose = None if detected is None else ordered(detected[key][index])
    extras = {name: value[index] for name, value in (detected or {}).items() if name not in (key, "imgname")}
    extras.update({f"truth_{name}": value[index] for name, value in truth.items() if name not in (key, "imgname")})
    images = _images(truth, detected, index)
    lost = 0
    if pose is not None and len(pose) != len(target):
        length = min(len(pose), len(target))
        lost = max(len(pose), len(target)) - length
        pose, target = pose[:length], target[:length]
    images = images[:len(target)]
    name = images[0].rsplit("/", 1)[0] if images else f"sequence{index}"
    return Sequence(name, pose, target, images, extras=extras, lost=lost)


def _images(truth, detected, index):
    for data in (truth, detected):
        names = (data or {}).get("imgname")
        if names and index < len(names) and len(names[index]):
            return names[index]
    return []


def _say_cropped(path, sequences):
    cropped = [sequence for sequence in sequences if sequence.lost]
    if cropped:
        log.warning("%s: %d of %d sequences differ in length from their detections; cropped to the shorter "
                    "(%d frames in all, the first is %s)", path, len(cropped), len(sequences),
                    sum(sequence.lost for sequence in cropped), cropped[0].name)


def fill_gaps(values):
    """[T, C] with every run of missing numbers replaced by a line between its neighbours, held at the ends.

    A channel without any finite number becomes 0.
    """
    missing = ~np.isfinite(values)
    if not missing.any():
        return values
    values = values.copy()
    frames = np.arange(len(values))
    for channel in np.flatnonzero(missing.any(0)):
        known = ~missing[:, channel]
        values[:, channel] = np.interp(frames, frames[known], values[known, channel]) if known.any() else 0
    return values


def synthetic(views, kind, std_mm, layout, rep, rng, character=None):
    """Raw detections made from the truth of sequences: a list of [T, C] float32, drawn from `rng`.

    character: keyword arguments of the simulated errors (lib/dataset/noise.py).
    """
    truth, lengths = np.concatenate([view.truth for view in views]), [view.length for view in views]
    if rep.name == "smpl":
        detected = noise.add_rotation_noise(truth, lengths, layout, rng, **(character or {}))
    else:
        detected = noise.add_noise(truth, lengths, kind, std_mm, layout, rng, **(character or {}))
    return np.split(detected, np.cumsum(lengths)[:-1])


def add_fixed_noise(sequences, layout, rep, cfg):
    """Give each sequence synthetic detections that its name and the config's seed determine."""
    for view in sequences:
        rng = np.random.default_rng([cfg.SEED_VALUE, *view.name.encode()])
        view.detected = synthetic([view], cfg.TRAIN.noise_type, cfg.TRAIN.noise_std, layout, rep, rng)[0]


def group(sequences, source, cfg):
    """Sequences as recordings: views of one person where the source has several, else one view each.

    Views belong together when the part of their first image name before `camera` is the same. They are put on
    one clock by the image part of `imgname` where it differs, else by index.
    """
    if not (source.row.multi_view or cfg.DATASET.MULTI_VIEW):
        return [Recording(sequence.name, [sequence]) for sequence in sequences]
    groups = {}
    for index, sequence in enumerate(sequences):
        first = sequence.images[0] if sequence.images else ""
        if "camera" not in first:
            raise UserError(f"{source}: sequence {index} ({sequence.name}) has no 'camera' in its imgname "
                            f"({first or 'empty'}), so its recording is not known. Write imgname as "
                            "<recording>.camera<k>/<frame>, or set DATASET.MULTI_VIEW False")
        groups.setdefault(first.split("camera")[0].rstrip("._-/") or "recording", []).append(sequence)
    for views in groups.values():
        _put_on_one_clock(views)
    return [Recording(name, views) for name, views in groups.items()]


def _put_on_one_clock(views):
    """Make frame t of every view the same moment; frames that a view does not have are marked in `present`."""
    numbers = [_frame_numbers(view) for view in views]
    if any(found is None for found in numbers):
        numbers = [np.arange(view.length) for view in views]
    begin = min(found[0] for found in numbers)
    length = max(found[-1] for found in numbers) - begin + 1
    for view, found in zip(views, numbers):
        if len(found) == length:
            continue
        rows = found - begin
        view.present = np.zeros(length, dtype=bool)
        view.present[rows] = True
        for name in ("detected", "truth"):
            if getattr(view, name) is not None:
                setattr(view, name, _spread(getattr(view, name), rows, length))
        view.extras = {name: _spread(value, rows, length) if np.shape(value)[:1] == (len(rows),) else value
                       for name, value in view.extras.items()}
        images = [""] * length
        for row, image in zip(rows, view.images):
            images[row] = image
        view.images = images


def _spread(values, rows, length):
    """[len(rows), ...] put at `rows` of [length, ...]; the rows between are filled by `fill_gaps`."""
    spread = np.full((length, *values.shape[1:]), np.nan, dtype=np.float32)
    spread[rows] = values
    return fill_gaps(spread.reshape(length, -1)).reshape(spread.shape)


def _frame_numbers(view):
    """The frame numbers in the image names, rising, or None where there are none."""
    numbers = []
    for image in view.images:
        stem = image.rsplit("/", 1)[-1].rsplit(".", 1)[0]
        digits = stem[len(stem.rstrip("0123456789")):]
        if not digits:
            return None
        numbers.append(int(digits))
    numbers = np.array(numbers)
    # A clock with more holes than frames is no clock (image names counted in another unit).
    if len(numbers) != view.length or (np.diff(numbers) <= 0).any() or numbers[-1] - numbers[0] > 2 * len(numbers):
        return None
    return numbers
