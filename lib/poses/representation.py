"""The three representations of a pose: how raw numbers become network input, and back, and joints to score.

raw: what the files hold (metres, px, axis-angle radians). network: SPEC section 3. Each representation converts
whole sequences; what a conversion needs beyond the numbers (the image size, say) is its `frame`.
"""

from dataclasses import dataclass

import numpy as np
import torch

from . import rotations
from .kinds import KINDS


@dataclass(frozen=True)
class Frame:
    """network = (raw - centre) / scale, per coordinate. centre, scale: [dims] tuples."""

    centre: tuple
    scale: tuple


def frame_2d(kind, detected, image_size=None):
    """The normalisation of one 2D sequence.

    kind: h36m | jhmdb | isotropic; detected [T, J*2] px; image_size (height, width, ...) or None. Isotropic
    without an image size goes by the extent of the detected sequence.
    """
    if kind == "h36m":
        return Frame((500.0, 500.0), (500.0, 500.0))
    if image_size is not None:
        size = np.array([image_size[1], image_size[0]], dtype=float)
        scale = size if kind == "jhmdb" else np.repeat(size.max() / 2, 2)
        return Frame(tuple((size / 2).tolist()), tuple(scale.tolist()))
    points = np.asarray(detected, dtype=float).reshape(-1, 2)
    low, high = np.nanmin(points, axis=0), np.nanmax(points, axis=0)
    half = max(float((high - low).max()) / 2, 1e-6)
    return Frame(tuple(((low + high) / 2).tolist()), (half, half))


class Joints3D:
    """3D joints, [T, J*3] metres as stored; the network sees them unchanged."""

    name, dims, unit, per_unit = "3D", 3, "mm", 1000.0
    kind = KINDS["3D"]
    root_relative = True

    def to_network(self, raw, frame=None):
        return torch.as_tensor(raw, dtype=torch.float32)

    def from_network(self, values, frame=None):
        return values

    def joints(self, raw):
        """[T, J, 3] in mm."""
        return torch.as_tensor(raw, dtype=torch.float32).unflatten(-1, (-1, 3)) * self.per_unit

    def filter_tracks(self, raw, frame, root):
        """[T, K, C] tracks for the traditional filters: metres, root-relative unless root is None."""
        tracks = np.asarray(raw, dtype=np.float64).reshape(len(raw), -1, 3)
        return tracks if root is None else tracks - tracks[:, list(root)].mean(1, keepdims=True)

    def from_tracks(self, tracks, frame):
        return torch.as_tensor(np.asarray(tracks, dtype=np.float32)).flatten(1)


class Keypoints2D:
    """2D key points, [T, J*2] px; the network sees them normalised by the sequence's `Frame`."""

    name, dims, unit, per_unit = "2D", 2, "px", 1.0
    kind = KINDS["2D"]
    root_relative = False

    def to_network(self, raw, frame):
        points = torch.as_tensor(raw, dtype=torch.float32).unflatten(-1, (-1, 2))
        return ((points - torch.tensor(frame.centre)) / torch.tensor(frame.scale)).flatten(-2)

    def from_network(self, values, frame):
        points = values.unflatten(-1, (-1, 2))
        return (points * points.new_tensor(frame.scale) + points.new_tensor(frame.centre)).flatten(-2)

    def joints(self, raw):
        """[T, J, 2] in px."""
        return torch.as_tensor(raw, dtype=torch.float32).unflatten(-1, (-1, 2))

    def filter_tracks(self, raw, frame, root):
        """[T, K, C] tracks for the traditional filters: network units."""
        return self.to_network(raw, frame).unflatten(-1, (-1, 2)).double().numpy()

    def from_tracks(self, tracks, frame):
        return self.from_network(torch.as_tensor(np.asarray(tracks, dtype=np.float32)).flatten(1), frame)


class SmplRotations:
    """SMPL body poses, [T, 72] axis-angle; the network sees 24 rotations of 6 numbers, or the axis-angles.

    Joints to score need a body model, so that the evaluator asks that (lib/models/body.py) and not this class.
    """

    name, dims, unit, per_unit = "smpl", 3, "mm", 1000.0
    kind = KINDS["smpl"]
    root_relative = True

    def __init__(self, use_6d=True):
        self.use_6d = use_6d

    def to_network(self, raw, frame=None):
        raw = torch.as_tensor(raw, dtype=torch.float32)
        return rotations.axis_angle_to_6d(raw.unflatten(-1, (-1, 3))).flatten(-2) if self.use_6d else raw

    def from_network(self, values, frame=None):
        if not self.use_6d:
            return values
        return rotations.axis_angle_from_6d(values.unflatten(-1, (-1, 6))).flatten(-2)

    def filter_tracks(self, raw, frame, root):
        """[T, K, C] tracks for the traditional filters: 6D rotations, whatever the network uses."""
        return rotations.axis_angle_to_6d(torch.as_tensor(raw).double().unflatten(-1, (-1, 3))).numpy()

    def from_tracks(self, tracks, frame):
        # Some filters return views that run backwards, which torch does not take.
        return rotations.axis_angle_from_6d(torch.from_numpy(np.ascontiguousarray(tracks))).flatten(-2).float()


def representation(name, use_6d=True):
    """The representation called `name`: '3D', '2D' or 'smpl'."""
    makers = {"3D": Joints3D, "2D": Keypoints2D, "smpl": lambda: SmplRotations(use_6d)}
    return makers[name]()
