"""Variety for training windows: the same random change to detections and ground truth, the error kept.

Windows are [B, V, W, C] in network units. Everything is drawn from one torch.Generator.
"""

import math

import torch
from torch.nn import functional

from ..errors import UserError
from ..poses.rotations import axis_angle_to_matrix
from ..windows.canonical import Canonical, heading_pairs


class Augment:
    """The changes that cfg.TRAIN.AUGMENT asks for, for one layout and representation.

    one_yaw: views turn together; errors_stay: they do not turn with the pose.
    """

    def __init__(self, options, layout, representation, device="cpu", *, one_yaw=False, errors_stay=False):
        self.options, self.representation, self.one_yaw = options, representation, one_yaw
        self.errors_stay = errors_stay
        self.dims = representation.dims
        self.mirror = torch.tensor(layout.mirror)
        # Joints of which no bone is known hang on the root.
        root = layout.root[0]
        parents = [root if parent < 0 and joint != root else parent for joint, parent in enumerate(layout.parents)]
        self.reach = _reach(parents)
        self.is_root, self.parents = torch.arange(layout.size) == root, torch.tensor(parents).clamp_min(0)
        # A limb's left and right bone share their random factor.
        self.pair = torch.minimum(torch.arange(layout.size), self.mirror)
        # Arms and legs beyond shoulder and hip: sided joints by the first of their side on the way from the root.
        self.limbs = [torch.tensor(limb) for limb in _limbs(layout, parents)]
        self.pairs = heading_pairs(layout)
        self.trunk = torch.ones(layout.size, 1)
        self.trunk[[root, *(joint for limb in self.limbs for joint in limb.tolist())]] = 0
        self.order = sorted(
            (joint for limb in self.limbs for joint in limb.tolist()), key=lambda joint: self.reach[joint].sum()
        )
        for option in ("LIMBS", "TURNS"):
            if getattr(options, option) and representation.kind.in_space and not (self.pairs and self.limbs):
                raise UserError(
                    f"TRAIN.AUGMENT.{option}: layout {layout.name} names no arms and legs that could move. Set it to 0"
                )
        for name in ("mirror", "is_root", "parents", "reach", "pair", "trunk"):
            setattr(self, name, getattr(self, name).to(device))

    def speed(self, count, generator):
        """[B] playing speeds, or None."""
        spread = self.options.SPEED
        return 1 + spread * _symmetric(count, generator) if spread else None

    def __call__(self, detected, truth, generator, depth=None):
        """Changed (detected, truth, depth): [B, V, W, C] twice, and where the cameras look, [B, V, 3] or None."""
        options, kind = self.options, self.representation.kind
        batch = len(truth)
        bones = options.BONES if kind.in_space else 0.0  # in the image they change length by themselves
        if not kind.rotations and (bones or options.SCALE):
            changed = self._reshape_body(truth, bones, batch, generator)
            detected, truth = detected + changed - truth, changed
        turnable = not kind.rotations or self.representation.use_6d
        if options.CONVENTION and turnable and not kind.in_image:
            detected, truth = self._of_another_convention(detected, truth, generator)
        if kind.in_space and (options.LIMBS or options.TURNS):
            changed = self._pose_anew(truth, batch, generator)
            detected, truth = detected + changed - truth, changed
        if options.MIRROR and turnable:
            detected, truth, depth = self._flipped(detected, truth, generator, depth)
        if options.YAW and turnable and not kind.in_image:
            detected, truth = self._turned_about(detected, truth, generator)
        return detected, truth, depth

    def _of_another_convention(self, detected, truth, generator):
        """Joints where another skeleton has them, or rotations from another one's rest pose."""
        batch = len(truth)
        if self.representation.kind.rotations:
            turns = self._rest_turns(batch, generator)
            return tuple(self._turned_joints(x, turns) for x in (detected, truth))
        shift = self._convention(batch, 1 if self.one_yaw else truth.shape[1], generator)
        return detected + shift, truth + shift

    def _flipped(self, detected, truth, generator, depth):
        """Left and right change places in half of the windows."""
        flip = torch.rand(len(truth), generator=generator, device=generator.device) < 0.5
        detected, truth = (torch.where(flip[:, None, None, None], self.mirrored(x), x) for x in (detected, truth))
        if depth is not None:
            depth = torch.where(flip[:, None, None], depth * depth.new_tensor([-1.0, 1.0, 1.0]), depth)
        return detected, truth, depth

    def _turned_about(self, detected, truth, generator):
        """Turned about the vertical, and tipped: views with a frame of their own each by itself."""
        options, batch, in_space = self.options, len(truth), self.representation.kind.in_space
        views = 1 if self.one_yaw else truth.shape[1]
        turn = yaw_matrix(math.radians(options.YAW) * _symmetric(batch * views, generator))
        if in_space and options.TILT:
            turn = self._tilts(len(turn), generator) @ turn
        turn = turn.view(batch, views, 3, 3).expand(batch, truth.shape[1], 3, 3)
        turned = self._turned(truth, turn)
        # Largest in depth, errors stay as the camera sees them, for a network that is told where it stands. Another
        # learns less that way. Rotations have no difference to keep.
        stay = in_space and self.errors_stay
        return detected + turned - truth if stay else self._turned(detected, turn), turned

    def _reshape_body(self, truth, spread, batch, generator):
        """The ground truth on another body: all lengths times one factor, each pair of bones times its own."""
        factor = 1 + spread * _symmetric(batch * len(self.pair), generator).view(batch, -1)
        factor = factor[:, self.pair] * (1 + self.options.SCALE * _symmetric(batch, generator))[:, None]
        factor = torch.where(self.is_root, 1.0, factor)
        return self._of_bones(self._bones(truth) * factor[:, None, None, :, None])

    def _bones(self, poses):
        """Poses [B, V, W, C] as vectors from each joint's parent, [B, V, W, J, D]; the root's is its place."""
        joints = poses.unflatten(-1, (-1, self.dims))
        return torch.where(self.is_root[:, None], joints, joints - joints[..., self.parents, :])

    def _of_bones(self, bones):
        """The inverse of `_bones`."""
        return torch.einsum("jk,bvwkd->bvwjd", self.reach, bones).flatten(-2)

    def _convention(self, batch, views, generator):
        """Where another skeleton has its hips, shoulders, spine and head: metres [B, V, 1, C], the same for all frames."""
        size = (batch, views, 1, len(self.trunk), 3)
        shift = torch.randn(size, generator=generator, device=generator.device)
        return (self.options.CONVENTION * shift * self.trunk).flatten(-2)

    def _rest_turns(self, batch, generator):
        """By what another skeleton's rest pose differs from SMPL's: rotations [B, J, 3, 3], none of the root."""
        vectors = torch.randn(batch, len(self.is_root), 3, generator=generator, device=generator.device)
        return axis_angle_to_matrix(self.options.CONVENTION * vectors * ~self.is_root[:, None])

    @staticmethod
    def _turned_joints(x, turns):
        """Windows of 6D rotations with each joint's rotation turned by its own [B, J, 3, 3]: errors, which stand behind it, stay."""
        columns = x.unflatten(-1, (-1, 3, 2))
        return torch.einsum("bjik,bvwjkl->bvwjil", turns, columns).flatten(-3)

    def _pose_anew(self, truth, batch, generator):
        """The ground truth with arms and legs of other windows of the batch, as they stand to the body's heading, and
        turned at random.

        Poses that nobody took: what a network learns of them is bodies in general, not the training clips' motions.
        """
        turn = Canonical("3D", self.pairs, truth, as_one=self.one_yaw)
        bones = self._bones(turn.enter(truth))
        if self.options.LIMBS:
            self._exchange_limbs(bones, batch, generator)
        if self.options.TURNS:
            bones = self._turn_limbs(bones, batch, generator)
        return turn.leave(self._of_bones(bones))

    def _exchange_limbs(self, bones, batch, generator):
        """Put limbs of other windows into a share of the windows."""
        for limb in self.limbs:
            donor = torch.randperm(batch, generator=generator, device=generator.device)
            chosen = torch.rand(batch, generator=generator, device=generator.device) < self.options.LIMBS
            donor = torch.where(chosen, donor, torch.arange(batch, device=donor.device))
            bones[..., limb, :] = bones[donor][..., limb, :]

    def _turn_limbs(self, bones, batch, generator):
        """Bones with those of arms and legs turned in half of the windows, each with what hangs on it, alike in all frames."""
        axis = torch.randn(batch, len(self.order), 3, generator=generator, device=generator.device)
        angle = math.radians(self.options.TURNS) * torch.rand(
            axis.shape[:2], generator=generator, device=generator.device
        )
        angle = angle * (torch.rand(batch, 1, generator=generator, device=generator.device) < 0.5)
        own = axis_angle_to_matrix(functional.normalize(axis, dim=-1) * angle[..., None])
        turns = torch.eye(3, device=own.device).repeat(batch, bones.shape[-2], 1, 1)
        for place, joint in enumerate(self.order):  # from the body outwards
            turns[:, joint] = turns[:, self.parents[joint]] @ own[:, place]
        return torch.einsum("bjik,bvwjk->bvwji", turns, bones)

    def _tilts(self, count, generator):
        """[count, 3, 3]: half of them turn about a random horizontal axis, mostly a little, at most by TILT."""
        u = _symmetric(count, generator)
        angle = math.radians(self.options.TILT) * u**3 * (_symmetric(count, generator) > 0)
        toward = yaw_matrix(math.pi * _symmetric(count, generator))
        cos, sin, zero, one = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
        about_x = torch.stack((one, zero, zero, zero, cos, -sin, zero, sin, cos), dim=-1).view(-1, 3, 3)
        return toward @ about_x @ toward.mT

    def mirrored(self, x):
        """Windows with left and right exchanged, [..., C] -> [..., C]."""
        if self.representation.kind.rotations:
            # Conjugation by diag(-1, 1, 1): column 1 of the matrix changes sign but in x, column 2 only in x.
            sign = x.new_tensor([1, -1, -1, 1, -1, 1])
            return (x.unflatten(-1, (-1, 6))[..., self.mirror, :] * sign).flatten(-2)
        sign = torch.ones(self.dims)
        sign[0] = -1
        return (x.unflatten(-1, (-1, self.dims))[..., self.mirror, :] * sign.to(x)).flatten(-2)

    def _turned(self, x, turn):
        if self.representation.kind.in_space:
            return torch.einsum("bvij,bvwkj->bvwki", turn, x.unflatten(-1, (-1, 3))).flatten(-2)
        rotations = x.unflatten(-1, (-1, 3, 2))  # of 24 rotations only the root's is in the camera's frame
        root = torch.einsum("bvij,bvwjk->bvwik", turn, rotations[..., 0, :, :])
        return torch.cat((root[..., None, :, :], rotations[..., 1:, :, :]), dim=-3).flatten(-3)


def _limbs(layout, parents):
    """Lists of joints: each limb's without its first, which belongs to the trunk."""
    limbs = {}
    for joint in range(layout.size):
        first = joint
        while parents[first] >= 0 and layout.sides[parents[first]] == layout.sides[joint] != "middle":
            first = parents[first]
        if first != joint:
            limbs.setdefault(first, []).append(joint)
    return list(limbs.values())


def _reach(parents):
    """[J, J]: 1 where bone k (named by its outer joint) lies on joint j's way to the root."""
    reach = torch.eye(len(parents))
    for joint in range(len(parents)):
        ancestor = parents[joint]
        while ancestor >= 0:
            reach[joint, ancestor] = 1
            ancestor = parents[ancestor]
    return reach


def yaw_matrix(angle):
    """Rotations about the vertical (y) axis of the camera frame. angle [n] rad -> [n, 3, 3]."""
    cos, sin, zero, one = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    return torch.stack((cos, zero, sin, zero, one, zero, -sin, zero, cos), dim=-1).view(-1, 3, 3)


def _symmetric(count, generator):
    """[count] uniform in [-1, 1)."""
    return 2 * torch.rand(count, generator=generator, device=generator.device) - 1
