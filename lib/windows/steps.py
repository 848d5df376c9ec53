"""What is done to windows before a network reads them, and undone after: the steps of a recipe.

Training, evaluation, refining and export all go through `Entered`. B windows, V views, F = W frames, C channels.
"""

import torch

from ..errors import UserError
from .canonical import CUE, Canonical
from .fusing import fused_views, median_of_views
from .views import Aligned


class Entered:
    """Windows in the coordinates of a recipe's network.

    values [B, V, F, C] in network units; present: bool [B, V, F] or None; view_axes: [B, V, 3], where each view's camera
    view_axes, of windows that were aligned before (`views.Aligned`), or None. In order: views into one frame (align 'frame'),
    one heading or place (`canonical`), what the views say together (`fuse`), segments as views (`segment`).

    values, present: what the network reads; told: what else it is told, {"cue": [B, V, 3], "consensus": [B, 1, F, C],
    "body": mean bone lengths [B, V, K] in metres}, as the recipe has it; view_axes: as given, or after aligning.
    """

    def __init__(self, recipe, values, present=None, view_axes=None, body=None):
        self.shape, self.told, self.aligned = values.shape, {}, None
        if recipe.align == "frame" and view_axes is None and values.shape[1] > 1:
            self.aligned = Aligned.of(values, present, recipe.root)
            values, view_axes = self.aligned.enter(values), self.aligned.view_axes
        self.view_axes, self.common, self.canonical = view_axes, values, None
        if recipe.canonical:
            as_one = recipe.fuse != "none"
            self.canonical = Canonical(
                recipe.kind,
                recipe.pairs,
                values=values,
                present=present,
                as_one=as_one,
                depth=view_axes,
                one_size=recipe.one_size,
            )
            values = self.canonical.enter(values)
            self.told["cue"] = self.canonical.cue
        if recipe.fuse != "none" and values.shape[1] > 1:
            self.told["consensus"] = (
                fused_views(values, self.told["cue"], present)
                if recipe.fuse == "depth"
                else median_of_views(values, present)
            )
        if recipe.bones:
            self.told["body"] = body
        self.segmented = bool(recipe.segment)
        if self.segmented:
            values = _segments(values, recipe.segment)
            present = None if present is None else _segments(present, recipe.segment)
            if recipe.canonical:
                self.told["cue"] = self.told["cue"].reshape(-1, 1, CUE)
            if recipe.bones:
                self.told["body"] = body.flatten(0, 1)[:, None]
        self.values, self.present = values, present

    def leave(self, poses):
        """Poses [B, V, F, C] (or the segments of them) of the network as they came: every step undone, in reverse."""
        poses = poses.float()
        if self.segmented:
            poses = self.whole(poses)
        if self.canonical is not None:
            poses = self.canonical.leave(poses)
        return poses if self.aligned is None else self.aligned.leave(poses)

    def whole(self, parts):
        """[B*V, S, L, ...] of segments as [B, V, F, ...]; what has no segments as it is."""
        return parts.flatten(1, 2).unflatten(0, self.shape[:2]) if self.segmented else parts

    @property
    def consensus(self):
        """What the views say together (fuse 'depth'), as they came, [B, V, F, C]; None without."""
        fused = self.told.get("consensus")
        return None if fused is None else self.leave(fused.expand(self.shape))


def run(network, recipe, values, present=None, view_axes=None, body=None):
    """Windows through a network: (`Heads` as the windows came, `Entered`). Arguments as of `Entered`."""
    with torch.autocast(values.device.type, enabled=False):
        entered = Entered(recipe, values.float(), present, view_axes, body)
    heads = network(entered.values, entered.present, **entered.told)
    return heads.changed(entered.leave, entered.whole), entered


def _segments(values, length):
    """Windows of several segments as windows of as many views: [B, V, S*L, ...] -> [B*V, S, L, ...]."""
    if values.shape[2] % length:
        raise UserError(
            f"a window of {values.shape[2]} frames: this network reads segments of {length} frames, which must divide the "
            "window. Change --slide_window_size"
        )
    return values.flatten(0, 1).unflatten(1, (-1, length))
