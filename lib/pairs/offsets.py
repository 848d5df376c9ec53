"""Where on the body an estimator's joints lie: one fixed offset a joint in its body segment, by least squares over many clips.

What an estimator calls a shoulder or a knee is its own convention and no error. The points fixed to the body that its joints
follow on average are therefore offered as the truth's joints. In the image they are those whose projections come nearest to
the key points (Gauss-Newton), else those nearest in space from the root; both with weights by which exchanged or lost limbs count
little (iteratively reweighted, as of an L1 norm).

Shapes: T frames, S segments, J joints. Metres; camera axes x right, y down, z away.
"""

from dataclasses import dataclass

import numpy as np

ROUNDS = 6  # of reweighting: offsets change by less than a millimetre after four
FRAMES = 40  # of a clip are enough, for the body turns slowly
PRIOR = 1e-3  # of the mean weight of an offset: an axis that no clip shows keeps an offset of 0


@dataclass(frozen=True)
class Seen:
    """One clip as the fit reads it.

    joints: truth [T, J, 3], camera coordinates; rotations: [T, J, 3, 3], of each joint's segment; K: [3, 3]; key_points:
    [T, J, 2] px, or poses: [T, J, 3] m from their root joint 0, what the estimator said; NaN where it said nothing.
    """

    joints: np.ndarray
    rotations: np.ndarray
    K: np.ndarray
    key_points: np.ndarray | None = None
    poses: np.ndarray | None = None

    def thinned(self):
        """The same with at most about FRAMES frames."""
        step = slice(None, None, max(1, len(self.joints) // FRAMES))
        return Seen(
            self.joints[step],
            self.rotations[step],
            self.K,
            *(None if values is None else values[step] for values in (self.key_points, self.poses)),
        )


def moved(joints, rotations, offsets):
    """Points [T, J, 3] at offsets [J, 3] from joints [T, J, 3], fixed in segments turned by rotations [T, J, 3, 3]."""
    return joints + np.einsum("tjab,jb->tja", rotations, offsets)


def mixed(points, mixture):
    """Points [T, J, 3] with those that are means of others as such. mixture: [J, J], a row of weights for each joint."""
    return np.einsum("jk,tkd->tjd", mixture, points)


def project(points, K):
    """Pixels [..., 2] of points [..., 3] in camera coordinates."""
    image = points @ K.T
    return image[..., :2] / image[..., 2:]


def fit(clips, mixture):
    """Offsets [J, 3] in metres of the joints that an estimator means.

    clips: [`Seen`], all with key points or all with poses; mixture: [J, J], see `mixed`; joints that are means of others have no
    offset of their own (0).
    """
    clips = [clip.thinned() for clip in clips]
    in_image = all(clip.key_points is not None for clip in clips)
    free = (mixture == np.eye(len(mixture))).all(axis=1)
    offsets, usual = np.zeros((len(mixture), 3)), None
    for _ in range(ROUNDS):
        normal, right, sizes = 0.0, 0.0, []
        for clip in clips:
            rows, residuals = (_in_image if in_image else _in_space)(clip, offsets, mixture)
            sizes.append(np.linalg.norm(residuals, axis=-1))
            weight = np.isfinite(sizes[-1]) / (1.0 if usual is None else np.fmax(sizes[-1], usual))
            weighted = (rows * weight[..., None, None]).reshape(-1, offsets.size)
            normal = normal + weighted.T @ rows.reshape(-1, offsets.size)
            right = right + weighted.T @ np.nan_to_num(residuals).ravel()
        usual = np.fmax(np.nanmedian(np.concatenate(sizes), axis=0), 1e-9)
        prior = PRIOR * np.trace(normal) / offsets.size
        step = np.linalg.solve(normal + prior * np.eye(offsets.size), right - prior * offsets.ravel())
        offsets = offsets + step.reshape(-1, 3) * free[:, None]
    return offsets


def _in_image(clip, offsets, mixture):
    """(derivatives [T, J, 2, J*3] of the points' pixels by the offsets, key points - pixels [T, J, 2])."""
    points = mixed(moved(clip.joints, clip.rotations, offsets), mixture)
    x, y, z = np.moveaxis(points, -1, 0)
    zero = np.zeros_like(x)
    slope = np.stack([np.stack([1 / z, zero, -x / z**2], -1), np.stack([zero, 1 / z, -y / z**2], -1)], -2)
    slope = clip.K[:2, :2] @ slope
    turned = np.einsum("jk,tjda,tkab->tjdkb", mixture, slope, clip.rotations)
    return turned.reshape(*turned.shape[:3], -1), clip.key_points - project(points, clip.K)


def _in_space(clip, offsets, mixture):
    """The same of places [T, J, 3] from the root."""
    points = mixed(moved(clip.joints, clip.rotations, offsets), mixture)
    turned = np.einsum("jk,tkab->tjakb", mixture - mixture[:1], clip.rotations)
    return turned.reshape(*turned.shape[:3], -1), clip.poses - (points - points[:, :1])
