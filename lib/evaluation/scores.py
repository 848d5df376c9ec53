"""From poses to scores: one sequence judged, many pooled.

Definitions of the metrics: SPEC section 6 and lib/poses/metrics.py.
"""

import numpy as np
import torch

from ..messages import logger
from ..poses import metrics
from ..poses.skeletons import LAYOUTS

log = logger(__name__)

PCK_FRACTIONS = {"pck_005": 0.05, "pck_01": 0.1, "pck_02": 0.2}
# The order of the published table: (column, the two joints of jhmdb15 whose mean it is).
PCK_COLUMNS = {
    "head": ("face",),
    "shoulder": ("left_shoulder", "right_shoulder"),
    "elbow": ("left_elbow", "right_elbow"),
    "wrist": ("left_wrist", "right_wrist"),
    "hip": ("left_hip", "right_hip"),
    "knee": ("left_knee", "right_knee"),
    "ankle": ("left_ankle", "right_ankle"),
}
BOOTSTRAP = 1000
TOGETHER = 2000  # frames that are compared at once
# Measures of a whole sequence, one value each.
OF_SEQUENCES = ("amplitude_kept", "bone_length_deviation")


class Scores:
    """The per-frame scores of one method on one split: {metric: [frames]}, sequence by sequence.

    judge: what they were judged by; joint_sums: [J] sum of a sequence's joint errors, sequence by sequence; lengths: their
    frames that count; cues: the network's confidence [T] in each sequence, where the method has one.
    """

    def __init__(self, method, judge=None):
        self.method, self.judge, self.per_sequence, self.names = method, judge, [], []
        self.joint_sums, self.lengths, self.cues = [], [], []

    def add(self, name, values, joint_errors):
        """values: {metric: [frames of this sequence]}; joint_errors [T, J]."""
        self.names.append(name)
        self.per_sequence.append({key: value.double().cpu().numpy() for key, value in values.items()})
        self.joint_sums.append(joint_errors.double().sum(0).cpu().numpy())
        self.lengths.append(len(joint_errors))

    def rows(self):
        """What is known of each sequence, [(name, values, joint sums, length, cue)]."""
        return list(zip(self.names, self.per_sequence, self.joint_sums, self.lengths, self.cues))

    def merge(self, parts, counts):
        """Take the place of what several processes found.

        parts: [(rows, seconds)] of processes, of which process r scored recordings r::len(parts); counts: sequences of each recording.
        """
        streams = [iter(rows) for rows, _ in parts]
        merged = [
            next(streams[number % len(parts)]) for number, sequences in enumerate(counts) for _ in range(sequences)
        ]
        self.names, self.per_sequence, self.joint_sums, self.lengths, self.cues = map(list, zip(*merged))
        self.method.seconds = sum(seconds for _, seconds in parts)

    @property
    def frames(self):
        """How many frames of all sequences count."""
        return sum(self.lengths)

    @property
    def joints(self):
        """Mean error of each joint over the pooled frames, [J]."""
        return np.sum(self.joint_sums, 0) / max(self.frames, 1)

    def pooled(self, metric):
        """[all frames] of one metric; sequences that do not have it (too short, at rest) count for nothing."""
        return np.concatenate([values.get(metric, np.empty(0)) for values in self.per_sequence])

    @property
    def means(self):
        """{metric: mean over the pooled frames}."""
        names = dict.fromkeys(name for values in self.per_sequence for name in values)
        pooled = {name: self.pooled(name) for name in names}
        return {name: float(values.mean()) for name, values in pooled.items() if len(values)}

    def intervals(self, rng):
        """{metric: [low, high]}, the 95 % bootstrap interval of the mean, sequences drawn with replacement."""
        draws, found = self._draws(rng), {}
        for metric in self.means:
            each = [values.get(metric, np.empty(0)) for values in self.per_sequence]
            sums, sizes = np.array([part.sum() for part in each]), np.array([len(part) for part in each])
            total = draws @ sizes
            means = (draws @ sums)[total > 0] / total[total > 0]
            found[metric] = np.percentile(means, [2.5, 97.5]).tolist()
        return found

    def joint_intervals(self, rng):
        """`intervals` of the joints' mean errors: [J, 2]."""
        draws = self._draws(rng)
        total = draws @ np.array(self.lengths, float)
        means = (draws @ np.array(self.joint_sums))[total > 0] / total[total > 0, None]
        return np.percentile(means, [2.5, 97.5], axis=0).T

    def _draws(self, rng):
        """How often each sequence is drawn, [BOOTSTRAP, sequences]."""
        count = len(self.per_sequence)
        return rng.multinomial(count, np.full(count, 1 / count), BOOTSTRAP).astype(np.float64)  # for BLAS


def judge_of(split, cfg):
    """A function (view, raw [T, C]) -> ({metric: [T]}, joint errors [T, J]) for the split's representation."""
    if split.representation.kind.rotations:
        return BodyJudge(split, cfg)
    return JointJudge(split, cfg)


class JointJudge:
    """Scores of 2D and 3D joints."""

    body = None

    def __init__(self, split, cfg):
        self.rep, self.layout = split.representation, split.layout
        self.root = split.layout.root if self.rep.root_relative and cfg.EVALUATE.ROOT_RELATIVE else None
        self.has_boxes = split.source.row.normaliser == "jhmdb"
        # In the image a bone's length changes as it turns.
        self.edges = self.layout.edges if self.rep.dims == 3 else ()

    def joints(self, view, raw, is_truth=False):
        """Joints [T, J, D] as they are compared, mm root-relative or px."""
        joints = self.rep.joints(raw)
        return joints if self.root is None else metrics.root_relative(joints, self.root)

    def __call__(self, view, raw):
        return self.all([view], [raw])[0]

    def all(self, views, raws):
        """The scores of many sequences: a list of ({metric: [T]}, joint errors [T, J])."""
        found = []
        for group in _groups([len(raw) for raw in raws]):
            predicted = self.rep.joints(torch.cat([torch.as_tensor(raw) for raw in raws[group]]))
            truth = self.rep.joints(np.concatenate([view.truth for view in views[group]]))
            lengths, begin = [len(raw) for raw in raws[group]], 0
            bones = metrics.bone_lengths(predicted, self.edges) if self.edges else None
            for view, (values, errors) in zip(
                views[group], compare(predicted, truth, lengths, self.root, self.rep.dims == 3)
            ):
                rows = slice(begin, begin + len(errors))
                if self.has_boxes and "truth_bbox" in view.extras:
                    values |= self._pck(view, predicted[rows], truth[rows])
                if bones is not None:
                    values |= bones_kept(bones[rows], view.counted)
                begin += len(errors)
                found.append(
                    only_counted(values, errors, None if view.counted is None else torch.from_numpy(view.counted))
                )
        return found

    def _pck(self, view, predicted, truth):
        box = torch.as_tensor(np.asarray(view.extras["truth_bbox"][: len(truth)], dtype=np.float32))
        size = torch.maximum(box[:, 2] - box[:, 0], box[:, 3] - box[:, 1])
        values = {}
        for name, fraction in PCK_FRACTIONS.items():
            within = metrics.pck(predicted, truth, size, fraction).double()
            values[name] = within.mean(1) * 100
            for column, joints in PCK_COLUMNS.items():
                places = [self.layout.joints.index(joint) for joint in joints]
                values[f"{name}_{column}"] = within[:, places].mean(1) * 100
        return values


def _groups(lengths):
    """Slices of sequences that have some thousand frames together: few calls, and what they work on stays in the cache."""
    begin, frames = 0, 0
    for end, length in enumerate(lengths, 1):
        frames += length
        if frames >= TOGETHER or end == len(lengths):
            yield slice(begin, end)
            begin, frames = end, 0


def compare(predicted, truth, lengths, root, in_space=True):
    """The scores of sequences in a row, joints [sum of lengths, J, D] (mm or px): a list of ({metric: [frames]}, joint
    errors [T, J]), one a sequence.

    root: joints whose mean is taken off both, or None; in_space: 3D.
    """
    if root is not None:
        predicted, truth = metrics.root_relative(predicted, root), metrics.root_relative(truth, root)
    errors = metrics.joint_errors(predicted, truth)
    every = {"mpjpe": errors.mean(1), "pampjpe": metrics.pa_mpjpe(predicted, truth)}
    if in_space:
        every |= {"pck3d_150": metrics.share_within(errors) * 100, "auc": metrics.area_under_shares(errors) * 100}
    # Differences over time at every row; those that reach into the next sequence are not picked up below.
    acceleration, jerk = metrics.accel_unpadded(predicted, truth), metrics.jerk(predicted)
    speeds = metrics.speeds(torch.stack((predicted, truth)))
    found, begin = [], 0
    for length in lengths:
        rows = slice(begin, begin + length)
        inner = acceleration[begin : begin + max(length - 2, 0)]
        values = {name: value[rows] for name, value in every.items()}
        values |= {
            "accel": metrics.padded(inner, length),
            "accel_unpadded": inner,
            "jerk": jerk[begin : begin + max(length - 3, 0)],
            **_amplitude(speeds[:, begin : begin + max(length - 1, 0)]),
        }
        found.append((values, errors[rows]))
        begin += length
    return found


def _amplitude(speeds):
    """How much of the motion's peak speed is left, in percent; nothing for a body at rest. speeds [2, T-1, J]: of the
    prediction, of the truth."""
    if not speeds.shape[1]:
        return {}
    predicted, truth = metrics.peak(speeds)
    moving = truth > 0
    return {"amplitude_kept": (100 * predicted[moving].sum() / truth[moving].sum()).reshape(1)} if moving.any() else {}


def bones_kept(lengths, counted):
    """How much the bones' lengths [T, bones] vary over the frames that count, mean over bones; nothing for one frame."""
    if counted is not None:
        lengths = lengths[torch.from_numpy(counted)]
    return {"bone_length_deviation": lengths.std(0, correction=0).mean().reshape(1)} if len(lengths) > 1 else {}


def only_counted(values, errors, counted):
    """Scores of the frames that count. counted: bool [T] or None; a second difference needs three of them, jerk four."""
    if counted is None:
        return values, errors
    neighbours = {"accel_unpadded": 3, "jerk": 4}
    kept = {}
    for name, value in values.items():
        if name in OF_SEQUENCES:
            kept[name] = value
            continue
        span = neighbours.get(name, 1)
        mask = counted.unfold(0, span, 1).all(1) if len(counted) >= span else counted[:0]
        kept[name] = value[mask]
    return kept, errors[counted]


class BodyJudge:
    """Scores on the 14 evaluation joints and the vertices of the body model.

    Prediction and input wear the detected shape, the truth its own, as published.
    """

    def __init__(self, split, cfg):
        from ..models.body import load_body  # smplx takes a second to import, and only this needs it

        self.body = load_body(cfg.SMPL_MODEL_DIR)
        if self.body.note:
            log.info("%s", self.body.note)
        self.root = LAYOUTS["lsp14"].root if cfg.EVALUATE.ROOT_RELATIVE else None

    def joints(self, view, raw, is_truth=False):
        """As JointJudge's: mm, of the body in the shape that was detected, or in the truth's."""
        joints = self.body.evaluation_joints(raw, view.extras.get("truth_shape" if is_truth else "shape")) * 1000
        return joints if self.root is None else metrics.root_relative(joints, self.root)

    def __call__(self, view, raw):
        shape, truth_shape = view.extras.get("shape"), view.extras.get("truth_shape")
        predicted = self.body.evaluation_joints(raw, shape) * 1000
        truth = self.body.evaluation_joints(view.truth, truth_shape) * 1000
        present = None if view.counted is None else torch.from_numpy(view.counted)
        ((values, errors),) = compare(predicted, truth, [len(truth)], self.root)
        values["mpvpe"] = self._vertex_errors(view, raw, shape, truth_shape, predicted, truth)
        values |= bones_kept(metrics.bone_lengths(predicted, LAYOUTS["lsp14"].edges), view.counted)
        return only_counted(values, errors, present)

    def all(self, views, raws):
        return [self(view, raw) for view, raw in zip(views, raws)]

    def _vertex_errors(self, view, raw, shape, truth_shape, predicted, truth):
        """[T] mm, mean over vertices, each body put at its own root."""
        errors = []
        pairs = zip(self.body.vertex_batches(raw, shape), self.body.vertex_batches(view.truth, truth_shape))
        for (rows, ours), (_, theirs) in pairs:
            ours, theirs = ours * 1000, theirs * 1000
            if self.root is not None:
                ours = ours - predicted[rows][:, list(self.root)].mean(1, keepdim=True)
                theirs = theirs - truth[rows][:, list(self.root)].mean(1, keepdim=True)
            # The bodies come with the vertices innermost, over which torch's norm takes 20 times as long.
            errors.append(metrics.euclidean(ours - theirs).mean(-1))
        return torch.cat(errors)
