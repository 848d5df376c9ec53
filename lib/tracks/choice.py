"""Which method refines a track: a network that knows its joints, among those asked for or shipped, and for single channels a filter or
a SmoothNet. T frames, J joints, D coordinates."""

import numpy as np

from .. import weights
from ..errors import UserError
from ..filters import registry as filters
from ..messages import counted, logger
from ..poses import gaps, mapping, space
from ..poses.kinds import kind_of
from ..poses.skeletons import LAYOUTS
from .plan import Model, Plan, fallback, load_model

log = logger(__name__)

# SMPL rotations that need not be there: identity for the network.
HANDS = ("left_hand", "right_hand")


class Choice:
    """Chooses what refines a track, and keeps the networks it loaded.

    method: one of `plan.METHODS`; checkpoint: the network that was asked for, or None; folder: of shipped weights; lag: frames after which a
    pose must be out, None for whole recordings. Raises UserError for a checkpoint that is not of that method.
    """

    def __init__(self, method, checkpoint, folder, lag, *, cfg, device):
        self.method, self.folder, self.lag, self.cfg, self.device = method, folder, lag, cfg, device
        self._models, self._broken = {}, []
        self.model = self._load(weights.named(checkpoint, folder)) if checkpoint else None
        if self.model is not None and method not in ("auto", self.model.name):
            raise UserError(
                f"checkpoint {checkpoint}: is a {self.model.name} network, but --method is {method}. "
                f"Pass --method {self.model.name}, or leave it out"
            )

    @property
    def blends(self):
        """Whether filter and network are mixed as the track needs it: `auto`, and no network that was asked for."""
        return self.method == "auto" and self.model is None

    @property
    def in_place(self):
        """Whether filters read the joints where they are: about a noisy root every joint would have its jitter too."""
        return self.blends or self.method in filters.IN_PLACE

    @property
    def moves_root(self):
        """Whether the root's jitter, which is in every joint, is taken out: by filters; networks alone leave where the body goes."""
        return self.in_place or self.method in filters.FILTERS

    def models(self):
        """The networks loaded so far."""
        return list(self._models.values())

    def _load(self, path):
        path = str(path)
        if path not in self._models:
            self._models[path] = load_model(path, self.cfg.MODEL.n_head, self.cfg.MODEL.SLIDE_WINDOW_SIZE)
            self._models[path].network.to(self.device).requires_grad_(False)
        return self._models[path]

    def _shipped(self, pattern, layout=None):
        """Models for anybody in the checkpoint folder whose name fits, and those for the estimator whose key points are `layout`;
        broken files are left out, named once."""
        found = []
        for path in weights.for_estimator(self.folder, pattern, layout) + weights.for_anybody(self.folder, pattern):
            try:
                found.append(self._load(path))
            except UserError as error:
                if path not in self._broken:
                    self._broken.append(path)
                    log.warning("%s", error)
        return found

    def _unfit(self, model):
        """Sorts shipped networks: those for this lag, for one view, for the track's estimator, for any skeleton and for short
        windows that have it first."""
        recipe = model.recipe
        other_lag = 0 if recipe.trained_lag == self.lag else 1 if recipe.trained_lag is None else 2
        general = weights.estimator_of(model.path) is None
        return other_lag, recipe.views, general, model.window <= (self.lag or 0), not recipe.any_skeleton, model.window

    def network_for(self, track, poses):
        """(Model, Mapping, "") for a track with poses [T, J, D], or (None, None, why not)."""
        given = self.model if self.model is not None and self.model.takes_joints else None
        if self.model is not None and given is None or self.method not in ("auto", "synsp"):
            return None, None, ""
        candidates = [given] if given else sorted(self._shipped("synsp_*.pth.tar", track.layout), key=self._unfit)
        if poses.shape[-1] != kind_of(track.kind).network:
            return None, None, f"{counted(poses.shape[-1], 'coordinate')} a joint"
        candidates = [model for model in candidates if model.recipe.kind == track.kind]
        if not candidates:
            what = (
                f"it reads {given.recipe.kind}, these are {track.kind}"
                if given
                else f"no SynSP weights for {track.kind} in {self.folder}"
            )
            return None, None, what
        if track.joint_names is None:
            return None, None, "the file does not name its joints"
        why = ""
        for model in candidates:
            fit, reason = _fit(model, track, poses)
            if fit is not None:
                return model, fit, ""
            why = why or reason
        return None, None, why

    def _channel_method(self, live):
        """The method for single channels where no filter was asked for: a SmoothNet `Model`, or a filter's name."""
        if self.blends:
            return fallback(live)
        if self.model is not None and not self.model.takes_joints:
            return self.model
        found = {model.window: model for model in self._shipped("smoothnet_w*.pth.tar") if not model.takes_joints}
        if found:  # the shortest that has the lag: longer ones smooth unknown, fast motion away (docs/accuracy.md)
            return found[min([window for window in found if window > (self.lag or 0)] or found)]
        if self.method == "smoothnet":
            raise UserError(
                f"--method smoothnet: {self.folder} has no SmoothNet weights that are free for any use. Pass one with --checkpoint, "
                "such as smoothnet_w8_bn.pth.tar (non-commercial)"
            )
        return fallback(live)

    def plan(self, track, poses, live=False):
        """The `Plan` for a track with poses [T, J, D]. Raises UserError where the method asked for cannot refine it."""
        if self.method in filters.FILTERS:
            return Plan(None, None, self.method, f"{self.method} (as asked)")
        live = live or self.lag is not None
        kind = kind_of(track.kind)
        if self.blends and not kind.in_space and (live or not kind.in_image):
            model, fit = None, None
            why = "`auto` uses networks for 3D joints, and for 2D key points of whole recordings"
        else:
            model, fit, why = self.network_for(track, poses)
            if self.blends and model is not None and (self.lag or 0) >= model.window:
                model, why = None, f"networks of {model.window} frames see nothing {self.lag} frames ahead"
        channel = self._channel_method(live)
        rest = (
            channel.label
            if isinstance(channel, Model)
            else f"the filter {channel}" + ("" if self.blends else f" (no SmoothNet weights in {self.folder})")
        )
        if model is None:
            reason = why or "as asked"
            return Plan(None, None, channel, f"{rest}: {reason}", reason, self.blends)
        if self.blends and live:
            how = f"{rest} and, as far as bone lengths of the last seconds call for it, the correction of {model.label}"
            return Plan(model, fit, channel, how, blend=True)
        others = poses.shape[1] - len(fit.written)
        how = f"{model.label} for {len(fit.written)} of {poses.shape[1]} joints" + (
            f", {rest} for the other {others}" if others else ""
        )
        return Plan(model, fit, channel, how, blend=self.blends)

    def check_asked(self, plans):
        """Raise UserError where a network that was asked for by name refines no track: it is used or refused."""
        asked = self.method == "synsp" or self.model is not None and self.model.takes_joints
        if not asked or any(plan.network for plan in plans) or not plans:
            return
        what = f"--checkpoint {self.model.path}" if self.model is not None else "--method synsp"
        raise UserError(
            f"{what}: does not fit these poses ({plans[0].reason}). Use --method auto, or a checkpoint that fits"
        )


def _fit(model, track, poses):
    """(Mapping of a track's joints onto a network's, "") or (None, why there is none)."""
    kind = kind_of(model.recipe.kind)
    how = {"may_lack": HANDS, "derive": False} if kind.rotations else {"in_space": kind.in_space}
    joints = model.recipe.joints
    fit = mapping.to_joints(joints, track.joint_names, **how)
    if fit is None:
        lacking = [joint for joint in joints if mapping.to_joints((joint,), track.joint_names, **how) is None]
        return None, f"SynSP reads {len(joints)} joints, and the file has no {' and no '.join(lacking[:3])}"
    if track.joint_names == LAYOUTS["h36m17"].joints and not _looks_like_h36m(poses):
        return None, "17 joints, but not in Human3.6M order (the pelvis is not between the hips)"
    never = [track.joint_names[joint] for joint in fit.needed if not gaps.seen(poses)[:, joint].any()]
    return (None, f"{', '.join(never[:3])} never seen") if never else (fit, "")


def _looks_like_h36m(poses):
    """Whether 17 joints can be in Human3.6M order: the pelvis between the hips, the thorax between the shoulders."""
    size = space.extent(poses)
    for middle, sides, limit in ((0, (1, 4), 0.08), (8, (11, 14), 0.2)):
        off = np.linalg.norm(poses[:, middle] - poses[:, list(sides)].mean(axis=1), axis=-1)
        off = off[np.isfinite(off)]
        if len(off) and size > 0 and np.median(off) > limit * size:
            return False
    return True
