"""Windows of 3D joints as cameras drawn at random see them (`TRAIN.FILM`): a network for 2D key points learns from motion in 3D.

Every window of every batch has a camera of its own. It looks down by -20 to 45 degrees from 2 to 8 metres away (from which side is
`TRAIN.AUGMENT.YAW`), and the body stands anywhere before it. Joints about the pelvis do not say where a body goes: it goes as if the
lower foot stood still. A focal length and the size of the image only scale what is seen, which `MODEL.ONE_SIZE` undoes: the unit
here is the metre at the body's distance.

B windows, V views, F frames, J joints.
"""

import math

import torch

from ..models.residual import slow_part
from ..poses.rotations import axis_angle_to_matrix

PITCH, DISTANCE = (-20.0, 45.0), (2.0, 8.0)  # degrees, metres
ASIDE = 0.2  # standard deviation of where the body stands beside the camera's axis, in distances
PAN = 0.01  # the same of how far a camera that turns moves the image in a frame, metres
NEAREST = 0.5  # metres before the camera that no joint comes nearer than
# Errors in an image that root-relative joints lack, RMS in metres for each coordinate: of the root, lasting, in a straight line
# through the window, and quick; of all joints together, quick. (The first two as of the hips by lib.dataset.noise.)
ROOT_LASTING, ROOT_DRIFT, ROOT_QUICK, ALL_QUICK = 0.0144, 0.0046, 0.003, 0.001
# Sizes of the errors beside those drawn: LARGEST * u ^ POWER with u uniform, mean 1.2; of quick ones that times a log-normal number.
LARGEST, POWER, SPREAD = 3.0, 1.5, 0.5


class Film:
    """What films windows of a `lib.poses.skeletons.Layout`."""

    def __init__(self, layout):
        self.root = list(layout.root)
        self.feet = [layout.joints.index(name) for name in ("left_ankle", "right_ankle") if name in layout.joints]

    def __call__(self, detected, truth, generator, *, sizes=True):
        """3D windows (detected, truth) [B, V, F, 3J], metres about the root in a camera's frame (y down) -> 2D ones [B, V, F, 2J].

        Errors stay as the first camera saw them. sizes: they are made of any size, from nothing to three times their own.
        generator: torch.Generator.
        """
        joints = truth.unflatten(-1, (-1, 3))
        error = detected.unflatten(-1, (-1, 3)) - joints
        turn = self._pitch(joints, generator)
        turned = joints @ turn.mT
        distance = _uniform(DISTANCE, (*joints.shape[:2], 1, 1), generator)
        place = self.path(joints)[..., None, :] @ turn.mT
        place = place + self._stand(joints, distance, generator)
        seen, wrong = (_projected(pose, place, distance) for pose in (turned, turned + error))
        wrong = seen + self._errors(wrong - seen, generator, sizes)
        return wrong.flatten(-2), seen.flatten(-2)

    def path(self, joints):
        """Where the root goes, [B, V, F, 3], if at each moment the lower of the feet of joints [B, V, F, J, 3] stands still."""
        if not self.feet:
            return torch.zeros_like(joints[..., 0, :])
        feet = joints[..., self.feet, :]
        low = feet[:, :, :-1, :, 1].argmax(-1, keepdim=True)[..., None].expand(-1, -1, -1, 1, 3)
        steps = (feet[:, :, :-1].gather(-2, low) - feet[:, :, 1:].gather(-2, low)).squeeze(-2)
        return torch.cat((torch.zeros_like(steps[:, :, :1]), steps.cumsum(2)), 2)

    @staticmethod
    def _pitch(joints, generator):
        """Rotations [B, V, 1, 3, 3] of the world for cameras that look down by an angle: about x, what is behind comes up."""
        angle = _uniform(PITCH, (*joints.shape[:2], 1, 1), generator)
        return axis_angle_to_matrix(math.radians(1) * angle * angle.new_tensor([1.0, 0.0, 0.0]))

    @staticmethod
    def _stand(joints, distance, generator):
        """Where the root stands before the camera, with what a turning camera adds, [B, V, F, 1, 3]."""
        aside = ASIDE * distance * _normal((*joints.shape[:2], 1, 2), generator)
        frames = torch.arange(joints.shape[2], device=joints.device, dtype=joints.dtype)[:, None]
        aside = aside + PAN * frames * _normal((*joints.shape[:2], 1, 2), generator)
        return torch.cat((aside, distance.expand(*aside.shape[:-1], 1)), -1)[..., None, :]

    def _errors(self, error, generator, sizes):
        """Errors [B, V, F, J, 2] with those of the root and of all joints together, of every size where `sizes`."""
        batch, frames = error.shape[:2], error.shape[2]
        line = torch.linspace(-1, 1, frames, device=error.device)[:, None]
        root = ROOT_LASTING * _normal((*batch, 1, 2), generator) + ROOT_DRIFT * line * _normal(
            (*batch, 1, 2), generator
        )
        root = root + ROOT_QUICK * _normal((*batch, frames, 2), generator)
        error = error + ALL_QUICK * _normal((*batch, frames, 1, 2), generator)
        error[..., self.root, :] += root[..., None, :]
        if not sizes:
            return error
        flat = error.flatten(-2)
        slow = slow_part(frames, 2, error.device) @ flat
        size = LARGEST * torch.rand((*batch, 1, 1), generator=generator, device=generator.device) ** POWER
        quick = size * (SPREAD * _normal(size.shape, generator)).exp()
        return (size * slow + quick * (flat - slow)).unflatten(-1, (-1, 2))


def _projected(joints, place, distance):
    """Joints [B, V, F, J, 3] about a root at `place` before the camera in the image, in metres at `distance`: [B, V, F, J, 2]."""
    seen = joints + place
    return seen[..., :2] * distance[..., None] / seen[..., 2:].clamp_min(NEAREST)


def _uniform(between, shape, generator):
    low, high = between
    return low + (high - low) * torch.rand(shape, generator=generator, device=generator.device)


def _normal(shape, generator):
    return torch.randn(shape, generator=generator, device=generator.device)
