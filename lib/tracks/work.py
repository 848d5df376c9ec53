"""One track on its way through the methods: gaps and jumps, the network's coordinates, and back again."""

from dataclasses import dataclass, field, replace

import numpy as np

from ..errors import UserError
from ..filters import registry as filters
from ..poses import gaps, space
from ..poses.kinds import kind_of
from . import auto, closing, own_places
from .live_repair import as_live
from .plan import FALLBACK, LIVE_FALLBACK, Model, pace
from .repair import repair

# Median correction, as a share of the body, from which poses count as unlike what SynSP knows; on its own
# test data 3 to 4 %.
MOVED = 0.06
# Metres per frame² from which a root's path counts as noisy; people who run keep below it.
SHAKE = 0.01
UNUSUAL = "a body of an unusual size has unknown units, which no network reads"
STILL = 1e-6  # of the body's size: a root that stays in such a place is put there by the file, and rounded


@dataclass
class RefinedTrack:
    """One refined track.

    poses: as the input's, NaN where still missing; filled: bool [T, J], key points that were missing and are
    filled; methods: {label: key points that it refined}; translation: [T, 3] or None; notes: sentences; plan:
    one sentence; sigma: [T, J] in the poses' unit, an estimate of the standard deviation of a refined coordinate's error (its method's, and what bone
    lengths wander by), NaN where nothing says it;
    repaired: what was put right before (`lib.tracks.repair.Repaired`), or None; said: what was measured before and after, in numbers for
    people (`lib.tracks.closing.Said`); path_kept: whether where the body goes was left as it is, None where it is not known or
    not apart from the pose.
    """

    poses: np.ndarray
    filled: np.ndarray
    methods: dict = field(default_factory=dict)
    translation: np.ndarray | None = None
    notes: list = field(default_factory=list)
    plan: str = ""
    space: object = None
    repaired: object = None
    sigma: np.ndarray | None = None
    said: object = None
    path_kept: bool | None = None


@dataclass
class Job:
    """A stretch of one track for one method: values [t, K, D] in its coordinates.

    Column picks[i] of the result is joint joints[i] of the track.
    """

    track: int
    method: object
    frames: slice
    values: np.ndarray
    joints: np.ndarray
    picks: np.ndarray
    times: np.ndarray
    first: bool  # SynSP's word comes before the per-channel method's
    path: object = 0.0  # [t, 1, D] that was subtracted from values
    share: object = 1.0  # a number, or [t, 1, 1]: how far the track goes from what it is to the result
    options: dict = field(default_factory=dict)  # of the filter
    result: np.ndarray = None
    cutoff: np.ndarray = None  # [K] Hz, and
    sigma: np.ndarray = None  # [t, K], of filters that say them


class Work:
    """One track on its way through the methods."""

    def __init__(self, refiner, index, track, *, poses, up, fps, timestamps, image_size):
        self.refiner, self.track, self.poses, self.notes, self.judged = refiner, track, poses, [], None
        self.plan = refiner.plan(track, self.poses)
        count = len(self.poses)
        rate = refiner.fps or fps
        self.times = None
        if timestamps is not None:
            self.times = np.asarray(timestamps, dtype=np.float64)[track.start : track.start + count]
            whole = len(self.times) == count and np.isfinite(self.times).all()
            if not whole or (np.diff(self.times) <= 0).any():
                self.notes.append("timestamps do not rise frame by frame: not used")
                self.times = None
        if self.times is not None and rate and count > 1 and refiner.fps:
            self.times = None  # the user's word goes before the file's
        if self.times is None:
            if not rate:
                self.notes.append(
                    f"frame rate unknown: {self.plan.rate:g} frames per second are assumed (--fps sets it)"
                )
            self.times = np.arange(count) / (rate or self.plan.rate)
        self.rate = pace(self.times) if count > 1 else rate or self.plan.rate
        if refiner.cutoff is not None and refiner.cutoff > 0.999 * self.rate / 2:
            raise UserError(
                f"--cutoff {refiner.cutoff:g}: {track.name} has {self.rate:g} frames per second, which hold nothing above "
                f"{self.rate / 2:g} Hz. Pass a lower cut-off"
            )
        longest = int(refiner.max_gap * self.rate + 1e-6)
        placed = not kind_of(track.kind).rotations and self.poses.shape[-1] > 1
        self.jumps = gaps.jumps(self.poses, longest) if placed else []
        self.up, self.longest, self.index = up, longest, index
        self.image_size = track.image_size or image_size

    def prepare(self, partner=None):
        """Fill gaps, go into the network's coordinates, cut the work into jobs; `jumps` is settled by now.

        partner: the prepared work of the same points' places, where these are their depths.
        """
        refiner, track = self.refiner, self.track
        if self.jumps:
            frames = [track.start + frame for frame in self.jumps]
            more = f" and {len(frames) - 5} more" if len(frames) > 5 else ""
            self.notes.append(
                f"jumps to another place at frame {', '.join(map(str, frames[:5]))}{more} "
                "(another person?): nothing is filled or smoothed across"
            )
        self.repaired, score = None, track.confidence
        if refiner.repair and refiner.lag is None:
            if partner is not None:
                self.repaired = partner.repaired.followed(self.poses, score)
            else:
                self.repaired = repair(track, self.poses, self.times, self.rate, self._parts())
            self.poses, score = self.repaired.poses, self.repaired.confidence
            self.notes += self.repaired.notes(track.start)
        elif refiner.repair and refiner.lag:
            self.poses = as_live(self.poses, track.joint_names, track.kind, refiner.lag, self.rate)
        filled, self.filled = self.poses.copy(), np.zeros(self.poses.shape[:2], dtype=bool)
        if score is not None:
            score = np.nan_to_num(score) if score.shape == filled.shape[:2] else None
        self.start = filled.copy()
        spikes = np.zeros_like(self.filled) if self.repaired is None else self.repaired.spikes
        for part in self._parts():
            self.start[part], self.filled[part] = gaps.fill(self.poses[part], self.longest, self.times[part])
            filled[part] = self.start[part]
            if score is not None:
                # What was filled lies on its neighbours' line already.
                trust = np.where(self.filled[part] | spikes[part], score.max(axis=0), score[part])
                filled[part] = gaps.fuse(filled[part], trust)
        self.space, notes = space.space_of(
            track, self.poses, self.plan.network and self.plan.network.recipe, self.image_size, self.up
        )
        self.notes += notes
        self.roots = self.space.roots(filled)
        self.values = self.space.into(filled, self.roots)
        self.measured = auto.measured(self.poses, self.times, track.joint_names)
        self.filters, self.filtered, self.share = (
            [auto.Filter(self.plan.channel)],
            self.values,
            np.ones(len(self.poses)),
        )
        # About a noisy root every joint would have its jitter too: filters read the joints where they are.
        self.in_place = self.plan.blend or refiner.method in filters.IN_PLACE
        if self.in_place:
            self.filtered = self.space.into(filled, 0.0)
        if self.plan.blend:
            if refiner.lag is None:
                self._settle(filled)
            else:
                self._settle_live()
        self.root_refined = self._refines_root()
        self.out = self.filtered.copy()
        self.by = np.zeros(self.values.shape[:2], dtype=np.int8)  # 0 nobody, 1 per channel, 2 SynSP
        self.sigma, self.cutoffs = np.full(self.by.shape, np.nan), []
        self.jobs = list(self._jobs())

    def _refines_root(self):
        """Jitter of the root is in every joint: filters take it out too, but for One-Euro in a stream, which would fall behind; networks
        alone leave where the body goes as it is, unless they are asked."""
        whole_filter = self.refiner.method in filters.FILTERS and self.refiner.lag is None
        return self.refiner.translation or self.in_place or whole_filter

    def _settle(self, filled):
        """Where the plan is to blend: decide by what was measured how much of what."""
        scale = self.space.one_scale
        self.judged = auto.judge(self.measured, filled, self.times, scale, self._typical())
        if self.plan.network is not None and self._in_image():
            self.filters = self.judged.filters
            self.plan = replace(self.plan, channel=self.judged.channel, sentence=self._filters_in_words())
            return
        network, reason = self.plan.network if self.judged.share else None, self.plan.reason
        if network is not None and not space.usual_size(self.poses, scale):
            network, reason = None, UNUSUAL
        self.filters = self.judged.filters
        self.share = np.full(len(filled), self.judged.share if network is not None else 0.0)
        what = self._filters_in_words()
        if network is not None:
            how = (
                f"{what} and {self.judged.share:.0%} of the correction of {network.label}: bone lengths wander by "
                f"{1000 * self.judged.wander:.0f} mm beyond what jitter explains"
            )
        else:
            how = f"{what}: " + (reason or "jitter explains how far bone lengths wander")
        self.plan = replace(self.plan, network=network, channel=self.judged.channel, sentence=how)

    def _in_image(self):
        return kind_of(self.track.kind).in_image

    def _typical(self):
        return auto.typical_of(self.plan.network and self.plan.network.recipe)

    def _filters_in_words(self):
        if len(self.filters) == 1:
            return f"the filter {self.filters[0].name}"
        first, second = self.filters
        return f"the filters {first.name} ({1 - second.share:.0%}) and {second.name} ({second.share:.0%})"

    def _settle_live(self):
        """The same with a lag: what was measured by then decides, frame by frame."""
        if self.plan.network is not None:
            names, scale = self.track.joint_names, self.space.one_scale
            self.share = auto.running_shares(self.poses, names, self.rate, scale, self._typical())
            if not self.share.any():
                usual = space.usual_size(self.poses, scale)
                why = "at no time bone lengths wander beyond what jitter explains" if usual else UNUSUAL
                self.plan = replace(self.plan, network=None, sentence=f"the filter {self.plan.channel}: {why}")

    def _parts(self):
        """The stretches of frames between jumps, as slices."""
        ends = [0, *self.jumps, len(self.poses)]
        return [slice(first, last) for first, last in zip(ends, ends[1:])]

    def _stretches(self, mask, method):
        """Runs of frames [T] without a hole in time longer than `max_gap` in them."""
        # One frame alone says nothing of time; a stream that has only the past cannot know that it is alone.
        lag = self.refiner.lag
        least = 0 if isinstance(method, Model) and lag is not None and lag < method.window - 1 else 1
        steps = np.diff(self.times)
        limit = self.refiner.max_gap + 1.5 * (np.median(steps) if len(steps) else 0)
        breaks = np.union1d(np.flatnonzero(steps > limit) + 1, self.jumps).astype(int)
        for run in gaps.runs(mask):
            ends = [run.start, *breaks[(breaks > run.start) & (breaks < run.stop)].tolist(), run.stop]
            yield from (slice(first, last) for first, last in zip(ends, ends[1:]) if last - first > least)

    def _jobs(self):
        there = gaps.seen(self.values)
        covered = np.zeros_like(there)
        if self.plan.network is not None:
            fit = self.plan.mapping
            values = fit.take(self.values)
            if fit.missing:
                values[:, list(fit.missing)] = space.IDENTITY
            picks, joints = (np.array(side) for side in zip(*fit.written))
            for frames in self._stretches(gaps.seen(values).all(axis=1), self.plan.network):
                covered[frames, joints] = not self.plan.blend
                share, times = self.share[frames][:, None, None], self.times[frames]
                yield Job(
                    self.index, self.plan.network, frames, values[frames], joints, picks, times, True, share=share
                )
        # Joints that come and go together are one job.
        columns = {}
        for joint in range(there.shape[1]):
            if there[:, joint].any() and not covered[there[:, joint], joint].all():
                columns.setdefault(there[:, joint].tobytes(), []).append(joint)
        for joints in columns.values():
            joints = np.array(joints)
            for frames in self._stretches(there[:, joints[0]], self.plan.channel):
                if not covered[frames][:, joints].all():
                    values, times, along = self.filtered[frames][:, joints], self.times[frames], 0.0
                    if (
                        isinstance(self.plan.channel, Model)
                        and not kind_of(self.track.kind).rotations
                        and self.space.root is None
                    ):
                        # Networks know bodies about their root; far off it they draw them towards it.
                        along = space.path(values, times)
                    picks = np.arange(len(joints))
                    for one in self.filters:
                        job = Job(
                            self.index,
                            one.name,
                            frames,
                            values - along,
                            joints,
                            picks,
                            times,
                            False,
                            along,
                            one.share,
                            self._options(one, joints),
                        )
                        self._done_before(job)
                        yield job

    def _options(self, one, joints):
        """Of a `Filter` for these joints: where bones say that errors are white, the filter for those is told how large they are. Beside
        errors that last, what its curve leaves is no motion."""
        if one.name != auto.WHITE or self.judged is None or not self.judged.white_by_bones:
            return one.options
        return one.options | {"jitter": self.measured.jitter[joints] * self.space.one_scale}

    def _done_before(self, job):
        """Fill in the result of a job whose filter ran already, to judge the track."""
        white = self.judged.white if self.judged is not None and job.method == auto.WHITE else None
        if white is not None and len(job.times) == len(self.poses):  # one without a gap, as it was judged
            job.result = self.space.into(white.values, 0.0)[:, job.joints]
            job.cutoff = white.cutoff[job.joints]
            job.sigma = white.sigma[:, job.joints] * self.space.one_scale

    def take(self, job):
        """Take in a finished job; those of the filters come first."""
        result, before = (job.result + job.path)[:, job.picks], self.out[job.frames, job.joints]
        if job.first:
            result = self._as_wanted(job, result, before)
            if self.plan.blend and self._in_image():
                job.share = self._share_in_image(result - before)
                if not job.share:
                    return
        self.out[job.frames, job.joints] = before + job.share * (result - before)
        self.by[job.frames, job.joints] = 2 if job.first else 1
        if not kind_of(self.track.kind).rotations:
            self._take_sigma(job)
        if job.cutoff is not None and job.method == self.plan.channel:
            self.cutoffs.extend(job.cutoff[np.isfinite(job.cutoff)])

    def _share_in_image(self, correction):
        """The share of a correction [t, K, D] of 2D key points, told by itself; the plan's sentence says it."""
        jitter, size = self.measured.jitter * self.space.one_scale, space.extent(self.values)
        share = auto.share_in_image(correction, jitter, size)
        what, label = self._filters_in_words(), self.plan.network.label
        how = f"{what}: the correction of {label} is as small as of clean poses"
        if share:
            way = np.linalg.norm(correction, axis=-1).mean() / size
            how = (
                f"{what} and {share:.0%} of the correction of {label}: the whole of it is {way:.1%} of the body's size"
            )
        self.plan = replace(self.plan, sentence=how)
        return share

    def _take_sigma(self, job):
        """Of what is mixed of two results the errors count as wholly correlated: both come from the same poses."""
        place = job.frames, job.joints
        before, share = self.sigma[place], np.broadcast_to(np.reshape(job.share, (-1, 1)), self.sigma[place].shape)
        after = np.full_like(before, np.nan) if job.sigma is None else job.sigma[:, job.picks]
        after = after / self.space.one_scale
        mixed = np.where(share < 1, (1 - share) * before + share * after, after)
        self.sigma[place] = np.where(share > 0, mixed, before)

    def _as_wanted(self, job, result, before):
        """What is taken over of a network's result for a job's joints [t, K, D], beside what filters made of them before."""
        fit, rate = self.plan.mapping, pace(job.times)
        mapped = len(fit.written) < len(fit.gather)
        start = before if self.plan.blend else job.values[:, job.picks]
        keeps = self.refiner.own_places and not self.plan.network.recipe.knows_places
        if mapped and keeps and not kind_of(self.track.kind).rotations:
            slow = own_places.slow_part if self.refiner.lag is None else own_places.slow_part_so_far
            result = result - slow(result - start, rate)
        # What is quick comes from the filter, unless the weights know the estimator, and its quick errors too.
        whole = not self.plan.blend or self.refiner.lag is not None or self.plan.network.recipe.knows_places
        return result if whole else start + auto.low_passed(result - start, rate)

    def _with_what_lasts(self):
        """`sigma` with the errors that neither windows nor filters differ by, as they last: those by which bone lengths wander.

        Two ends of a bone that err by s a coordinate, each for itself, make its length wander by s * sqrt(2).
        """
        wander = auto.wander(self.measured)
        return np.hypot(self.sigma, wander / np.sqrt(2)) if np.isfinite(wander) else self.sigma

    def filters_done(self):
        """What filters read in place: where its root goes by them, and the rest about it, as networks know bodies."""
        if self.in_place:
            self.filtered_roots = self.space.roots(self.space.out(self.out, 0.0))
            self.out = self.out - self.space.roots(self.out)

    def _say_cutoffs(self):
        """What a filter that tunes itself amounts to."""
        if self.cutoffs:
            low, middle, high = np.percentile(self.cutoffs, [0, 50, 100])
            self.notes.append(
                f"{self.plan.channel}: acts as a low-pass of {middle:.1f} Hz (joints {low:.1f} to {high:.1f} Hz)"
                + (", which smooths nearly nothing" if middle > 0.9 * self.rate / 2 else "")
            )

    def _check_moved(self):
        """Say so where SynSP moves joints further than an estimator errs: it does not know such poses."""
        mine = self.by == 2
        size = space.extent(self.values) if not kind_of(self.track.kind).rotations else 0
        if not mine.any() or not size:
            return
        share = float(np.median(np.linalg.norm(self.out - self.values, axis=-1)[mine])) / size
        if share > MOVED:
            self.notes.append(
                f"warning: SynSP moves the joints by {share:.0%} of the body's size: these "
                "poses are unlike its training data (other joint places, another view?). "
                "--method smoothnet keeps their places"
            )

    def _check_root(self):
        """Say so where most of the jitter is in the root, which is left as it is."""
        if self.space.root is None or self.root_refined or len(self.roots) < 3:
            return
        shake = np.linalg.norm(np.diff(self.roots[:, 0] * self.space.scale, n=2, axis=0), axis=-1).mean()
        if shake > SHAKE:
            self.notes.append(
                f"warning: the root jitters by {1000 * shake:.0f} mm per frame², and every joint "
                "with it: --refine_translation (translation=True) smooths it too"
            )

    def finish(self):
        refiner, track = self.refiner, self.track
        self._check_moved()
        self._check_root()
        self._say_cutoffs()
        roots, translation = self.roots, track.translation
        goes = self.space.root is not None and np.ptp(roots, axis=0).max() > STILL * space.extent(self.poses)
        if self.root_refined and goes:
            roots = roots + refiner.strength * (self._moved_roots() - roots)
        if refiner.translation and translation is not None:
            translation = self._translation_smoothed()
        done = self.by > 0
        refined = self.space.out(self.out, roots)
        made = self.filled if self.repaired is None else self.filled | self.repaired.spikes  # not the file's own
        share = np.where(made, 1.0, refiner.strength)[..., None]
        base = self.start if roots is self.roots else self.start + (roots - self.roots)
        values = np.where(done[..., None], base + share * (refined - base), self.start)
        poses = space.leave(values, track.kind)
        if kind_of(track.kind).rotations:  # a rotation that nobody touched keeps its numbers
            poses = np.where(done[..., None] | self.filled[..., None], poses, track.poses)
        methods = {}
        for code, method in ((2, self.plan.network), (1, self.plan.channel)):
            count = int((self.by == code).sum())
            if count:
                methods[method.label if isinstance(method, Model) else method] = count
        plan = self.plan.sentence
        said = self._said(space.enter(poses, track.kind))
        kept = None
        if goes:
            kept = not self.root_refined
        elif track.translation is not None:
            kept = not refiner.translation
        return RefinedTrack(
            poses,
            self.filled,
            methods,
            translation,
            self.notes,
            plan,
            self.space,
            self.repaired,
            self._with_what_lasts(),
            said,
            kept,
        )

    def _said(self, after):
        """What is to be said of refined poses [T, J, D], about the root where it is left as it is; nothing of depths alone."""
        if self.track.is_depth:
            return None
        before, after = (np.where(self.filled[..., None], np.nan, values) for values in (self.start, after))
        about_root = self.space.root is not None and not self.root_refined
        if about_root:
            before, after = (values - self.space.roots(values) for values in (before, after))
        jitter = [auto.jitter(values, self.times) for values in (before, after)]
        return closing.Said(
            self.measured,
            *jitter,
            closing.motion_kept(before, after, *jitter),
            closing.unit_of(self.track),
            about_root,
        )

    def _moved_roots(self):
        """The roots [T, 1, D] by the filter of the joints; by `auto`, where it sees the whole, by the filter that is never worse on them."""
        if self.in_place and not (self.plan.blend and self.refiner.lag is None):
            return self.filtered_roots
        parts = [self._root_smoothed(self.roots[part], self.times[part]) for part in self._parts()]
        return np.concatenate(parts)

    def _root_smoothed(self, path, times):
        """A path [T, 1, C] smoothed, by the filter of the joints where that leaves a straight one as it is."""
        if len(path) < 3:
            return path
        name, options = self.plan.channel, {}
        if name not in filters.IN_PLACE:  # or a network
            name = FALLBACK if self.refiner.lag is None else LIVE_FALLBACK
        if self.plan.blend and self.refiner.lag is None:
            name, options = auto.WHITE, auto.OPTIONS[auto.WHITE] | {"jitter": auto.jitter(path, times)}
        apply = filters.at_rate(name, self.refiner.cfg, self.rate, self.refiner.lag, **options)
        return apply(path, times).values

    def _translation_smoothed(self):
        """SMPL's translation [T, 3] with each run of frames that have one smoothed."""
        out = self.track.translation.copy()
        for run in gaps.runs(np.isfinite(out).all(axis=1)):
            part = out[run]
            out[run] += self.refiner.strength * (self._root_smoothed(part[:, None], self.times[run])[:, 0] - part)
        return out
