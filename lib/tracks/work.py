"""One track on its way through the methods: gaps and jumps, the network's coordinates, and back again."""

import numpy as np

from ..errors import UserError
from ..poses import gaps, space
from ..poses.kinds import kind_of
from . import auto, clock, own_places, repeats, roots
from .jobs import Job
from .live_repair import as_live
from .plan import Model, pace
from .repair import repair
from .settling import Settled


class Work:
    """One track on its way through the methods."""

    def __init__(self, refiner, index, track, *, poses, up, fps, timestamps, image_size):
        self.refiner, self.track, self.poses, self.index, self.up = refiner, track, poses, index, up
        self.kind, self.image_size = kind_of(track.kind), track.image_size or image_size
        self.settled = Settled(refiner.choice.plan(track, poses), len(poses))
        assumed = self.plan.rate
        self.times, self.notes = clock.of_frames(track, timestamps, fps, told=refiner.fps, assumed=assumed)
        self.rate = pace(self.times) if len(poses) > 1 else refiner.fps or fps or assumed
        if refiner.cutoff is not None and refiner.cutoff > 0.999 * self.rate / 2:
            raise UserError(
                f"--cutoff {refiner.cutoff:g}: {track.name} has {self.rate:g} frames per second, which hold nothing above "
                f"{self.rate / 2:g} Hz. Pass a lower cut-off"
            )
        self.longest = refiner.longest_gap(self.rate)
        placed = not self.kind.rotations and poses.shape[-1] > 1
        self.jumps = gaps.jumps(poses, self.longest) if placed else []

    @property
    def plan(self):
        return self.settled.plan

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
        self.repaired, score, self.repeated = None, track.confidence, np.zeros(len(self.poses), dtype=bool)
        if refiner.repair and refiner.lag is None:
            self.repeated = repeats.find(self.poses, self.parts(), self.longest)
            if partner is not None:
                self.repaired = partner.repaired.followed(self.poses, score)
            else:
                self.repaired = repair(track, self.poses, self.times, self.rate, self.parts())
            self.poses, score = self.repaired.poses, self.repaired.confidence
            self.notes += self.repaired.notes(track.start)
            self._bridge_repeats()
        elif refiner.repair and refiner.lag:
            self.poses = as_live(self.poses, track.joint_names, track.kind, refiner.lag, self.rate)
        filled, self.filled = self.poses.copy(), np.zeros(self.poses.shape[:2], dtype=bool)
        if score is not None:
            score = np.nan_to_num(score) if score.shape == filled.shape[:2] else None
        self.start = filled.copy()
        spikes = np.zeros_like(self.filled) if self.repaired is None else self.repaired.spikes
        for part in self.parts():
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
        self.measured = auto.measured(self.poses, self.times, track.joint_names, self.parts(), ~self.repeated)
        # What filters read.
        self.filtered = self.space.into(filled, 0.0) if refiner.choice.in_place else self.values
        if self.plan.blend and refiner.lag is None:
            read = self._judged_by()
            seen = np.where(self.filled[..., None], np.nan, filled)[read]  # lines in gaps are calmer than the jitter
            self.settled.by_whole(self.poses, seen, self.times[read], self.measured, self.space.one_scale)
        elif self.plan.blend:
            self.settled.by_past(self.poses, track.joint_names, self.rate, self.space.one_scale)
        self.out = self.filtered.copy()
        self.by = np.zeros(self.values.shape[:2], dtype=np.int8)  # 0 nobody, 1 per channel, 2 SynSP
        self.sigma, self.cutoffs = np.full(self.by.shape, np.nan), []
        self.jobs = list(self._jobs())

    def _bridge_repeats(self):
        """Frames that hold no new pose go between those that do, which hold no spike any more."""
        if self.repeated.any():
            self.poses = repeats.bridged(self.poses, self.repeated, self.parts(), self.times)
            self.notes.append(
                f"{self.repeated.sum()} of {len(self.poses)} frames repeat the pose before them (a detector that runs in some frames "
                "only?): taken from their neighbours"
            )

    def new_in(self, frames):
        """bool [t]: which of a slice of frames filters read, all but those that repeat others, and both ends; None: all."""
        new = ~self.repeated[frames]
        new[[0, -1]] = True
        return None if new.all() else new

    def _judged_by(self):
        """The frames [T] whose filtered values tell how a track errs: new ones without a jump between them."""
        longest = max(self.parts(), key=lambda part: part.stop - part.start)
        read = np.zeros(len(self.poses), dtype=bool)
        read[longest] = ~self.repeated[longest]
        return read

    def parts(self):
        """The stretches of frames between jumps, as slices."""
        return gaps.between(self.jumps, len(self.poses))

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
        for job in self._network_jobs():
            covered[job.frames, job.joints] = not self.plan.blend
            yield job
        # Joints that come and go together are one job.
        columns = {}
        for joint in range(there.shape[1]):
            if there[:, joint].any() and not covered[there[:, joint], joint].all():
                columns.setdefault(there[:, joint].tobytes(), []).append(joint)
        for joints in columns.values():
            for frames in self._stretches(there[:, joints[0]], self.plan.channel):
                if not covered[frames][:, joints].all():
                    yield from self._channel_jobs(frames, np.array(joints))

    def _network_jobs(self):
        """Jobs of the network that reads joints together."""
        network, fit = self.plan.network, self.plan.mapping
        if network is None:
            return
        values = fit.take(self.values)
        if fit.missing:
            values[:, list(fit.missing)] = space.IDENTITY
        picks, joints = (np.array(side) for side in zip(*fit.written))
        for frames in self._stretches(gaps.seen(values).all(axis=1), network):
            share, times = self.settled.share[frames][:, None, None], self.times[frames]
            yield Job(self.index, network, frames, values[frames], joints, picks, times, True, share=share)

    def _channel_jobs(self, frames, joints):
        """Jobs of what takes the channels of joints [K] by themselves, over one stretch of frames."""
        values, times, along = self.filtered[frames][:, joints], self.times[frames], 0.0
        if isinstance(self.plan.channel, Model) and not self.kind.rotations and self.space.root is None:
            # Networks know bodies about their root; far off it they draw them towards it.
            along = space.path(values, times)
        picks = np.arange(len(joints))
        for one in self.settled.filters:
            options = self.settled.options(one, self._jitter(joints))
            new, way = self.new_in(frames), values - along
            job = Job(self.index, one.name, frames, way, joints, picks, times, False, along, one.share, options, new)
            self._done_before(job)
            yield job

    def _done_before(self, job):
        """Fill in the result of a job whose filter ran already, to judge the track."""
        known = self.settled.known(job.method)
        judged = known is not None and len(job.times) == len(known.values) == len(self.poses)
        if judged and not self.filled.any():  # one without a gap
            job.result = self.space.into(known.values, 0.0)[:, job.joints]
            job.cutoff = known.cutoff[job.joints]
            job.sigma = known.sigma[:, job.joints] * self.space.one_scale

    def _jitter(self, joints=slice(None)):
        """What was measured of joints, [K], in the network's unit."""
        return self.measured.jitter[joints] * self.space.one_scale

    def take(self, job):
        """Take in a finished job; those of the filters come first."""
        result, before = (job.result + job.path)[:, job.picks], self.out[job.frames, job.joints]
        if job.first:
            result = self._as_wanted(job, result, before)
            if self.settled.in_image:
                size = space.extent(self.values)
                job.share = self.settled.by_correction(result - before, self._jitter(), size)
                if not job.share:
                    return
            elif self.plan.blend and self.refiner.lag is None and roots.go(self):
                # A network knows the shape of a body about its root; where that stands in a room is told by all of its joints.
                result = result - np.median(result - before, axis=1, keepdims=True)
        self.out[job.frames, job.joints] = before + job.share * (result - before)
        self.by[job.frames, job.joints] = 2 if job.first else 1
        if not self.kind.rotations:
            self._take_sigma(job)
        if job.cutoff is not None and job.method == self.plan.channel:
            self.cutoffs.extend(job.cutoff[np.isfinite(job.cutoff)])

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
        recipe, rate = self.plan.network.recipe, pace(job.times)
        start = before if self.plan.blend else job.values[:, job.picks]
        if self.refiner.own_places and own_places.are_others(self.plan.mapping, recipe):
            slow = own_places.slow_part if self.refiner.lag is None else own_places.slow_part_so_far
            result = result - slow(result - start, rate)
        # What is quick comes from the filter, unless the weights know the estimator, and its quick errors too.
        whole = not self.plan.blend or self.refiner.lag is not None or recipe.knows_places
        return result if whole else start + auto.low_passed(result - start, rate)

    def filters_done(self):
        """What filters read in place: where its root goes by them, and the rest about it, as networks know bodies."""
        if self.refiner.choice.in_place:
            self.filtered_roots = self.space.roots(self.space.out(self.out, 0.0))
            self.out = self.out - self.space.roots(self.out)
