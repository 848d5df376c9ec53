"""A track's plan, settled: which filters `auto` takes, and how much of a network's correction, by what was measured of the track.

lib/tracks/auto.py has the rules. T frames, K joints, D coordinates.
"""

from dataclasses import replace

import numpy as np

from ..poses import space
from ..poses.kinds import kind_of
from . import auto

UNUSUAL = "a body of an unusual size has unknown units, which no network reads"


class Settled:
    """A `Plan` and how much of what it calls for.

    filters: [`auto.Filter`], one after another; share: [T], how much is taken of a network's correction. A plan that does not
    blend is settled from the start: its method, and all of it.
    """

    def __init__(self, plan, frames):
        self.plan, self.filters, self.share = plan, [auto.Filter(plan.channel)], np.ones(frames)
        self._judged = None  # `auto.Judged`, of whole recordings

    @property
    def network(self):
        return self.plan.network

    @property
    def in_image(self):
        """Whether a network's share is told by its own correction: of 2D key points."""
        return self.plan.blend and self.network is not None and kind_of(self.network.recipe.kind).in_image

    def by_whole(self, poses, filled, times, measured, scale):
        """Decide by a whole recording: poses [T, J, D], with gaps filled those [t, J, D] at times [t] s that tell how it errs, what was
        `auto.measured`, metres in their unit."""
        self._judged = judged = auto.judge(measured, filled, times, scale, self._typical())
        self.filters = judged.filters
        if self.in_image:
            self.plan = replace(self.plan, channel=judged.channel, sentence=self._filters_in_words())
            return
        network, reason = self.network if judged.share else None, self.plan.reason
        if network is not None and not space.usual_size(poses, scale):
            network, reason = None, UNUSUAL
        self.share = np.full(len(poses), judged.share if network is not None else 0.0)
        what = self._filters_in_words()
        if network is not None:
            how = (
                f"{what} and {judged.share:.0%} of the correction of {network.label}: bone lengths wander by "
                f"{1000 * judged.wander:.0f} mm beyond what jitter explains"
            )
        else:
            how = f"{what}: " + (reason or "jitter explains how far bone lengths wander")
        self.plan = replace(self.plan, network=network, channel=judged.channel, sentence=how)

    def by_past(self, poses, names, rate, scale):
        """The same with a lag: what was measured by then decides, frame by frame; names: of the joints, or None."""
        if self.network is None:
            return
        self.share = auto.running_shares(poses, names, rate, scale, self._typical())
        if not self.share.any():
            usual = space.usual_size(poses, scale)
            why = "at no time bone lengths wander beyond what jitter explains" if usual else UNUSUAL
            self.plan = replace(self.plan, network=None, sentence=f"the filter {self.plan.channel}: {why}")

    def by_correction(self, correction, jitter, size):
        """The share of a network's correction [t, K, 2] where it tells it (`in_image`); jitter: [K], and the body's size, in its unit."""
        share = auto.share_in_image(correction, jitter, size)
        what, label = self._filters_in_words(), self.network.label
        how = f"{what}: the correction of {label} is as small as of clean poses"
        if share:
            way = np.linalg.norm(correction, axis=-1).mean() / size
            how = (
                f"{what} and {share:.0%} of the correction of {label}: the whole of it is {way:.1%} of the body's size"
            )
        self.plan = replace(self.plan, sentence=how)
        return share

    def options(self, one, jitter):
        """Of a `Filter` for joints with jitter [K]: where bones say that errors are white, the filter for those is told how large they are.
        Beside errors that last, what its curve leaves is no motion."""
        if one.name != auto.WHITE or self._judged is None or not self._judged.white_by_bones:
            return one.options
        return one.options | {"jitter": jitter}

    def known(self, method):
        """What a method made of the whole track (`tuned.Smoothed`), where that was needed to judge it; else None."""
        return self._judged.white if self._judged is not None and method == auto.WHITE else None

    def _typical(self):
        return auto.typical_of(self.network and self.network.recipe)

    def _filters_in_words(self):
        if len(self.filters) == 1:
            return f"the filter {self.filters[0].name}"
        first, second = self.filters
        return f"the filters {first.name} ({1 - second.share:.0%}) and {second.name} ({second.share:.0%})"
