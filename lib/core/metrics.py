"""Scores of a refined sequence against the ground truth, per frame and vectorised over frames and joints.

Poses are [T, J, D] tensors in one unit (the caller chooses mm or px); errors come back in that unit, one value a
frame, so that means over pooled frames, over sequences and over the worst frames are all the caller's to take.
Definitions: SPEC section 6.
"""

import torch


def root_relative(poses, root):
    """poses [T, J, D] minus the mean of the joints in `root` (indices)."""
    return poses - poses[:, list(root)].mean(1, keepdim=True)


def joint_errors(predicted, truth):
    """Euclidean error of every joint: [T, J]."""
    return (predicted - truth).norm(dim=-1)


def mpjpe(predicted, truth):
    """Mean per-joint position error of every frame: [T]."""
    return joint_errors(predicted, truth).mean(-1)


def align(predicted, truth):
    """`predicted` after the similarity transform that brings it closest to `truth`, frame by frame.

    Scale, proper rotation (det +1) and translation in closed form: Umeyama, "Least-squares estimation of
    transformation parameters between two point patterns", PAMI 1991. D = 2 or 3. [T, J, D] -> [T, J, D].
    """
    centre_p, centre_t = predicted.mean(1, keepdim=True), truth.mean(1, keepdim=True)
    p, t = predicted - centre_p, truth - centre_t
    # In float64: a mirrored pose makes two singular values nearly cancel.
    u, s, vh = torch.linalg.svd((p.transpose(1, 2) @ t).double())
    sign = _determinant(u) * _determinant(vh)
    s = torch.cat((s[:, :-1], s[:, -1:] * sign[:, None].sign()), dim=1)
    u = torch.cat((u[:, :, :-1], u[:, :, -1:] * sign[:, None, None].sign()), dim=2)
    scale = s.sum(1) / p.double().square().sum((1, 2)).clamp_min(1e-12)
    turned = p.double() @ (u @ vh) * scale[:, None, None]
    return turned.to(predicted.dtype) + centre_t


def _determinant(matrix):
    """Of [T, 2, 2] or [T, 3, 3], written out: LAPACK takes longer to be called than this to compute."""
    if matrix.shape[-1] == 2:
        return matrix[:, 0, 0] * matrix[:, 1, 1] - matrix[:, 0, 1] * matrix[:, 1, 0]
    return (torch.linalg.cross(matrix[:, 0], matrix[:, 1]) * matrix[:, 2]).sum(-1)


def pa_mpjpe(predicted, truth):
    """MPJPE of every frame after the best similarity transform: [T]."""
    return mpjpe(align(predicted, truth), truth)


def second_difference(poses):
    """x_{t+1} - 2 x_t + x_{t-1}, per frame^2: [T, J, D] -> [T-2, J, D] (no frames for T < 3)."""
    return poses[2:] - 2 * poses[1:-1] + poses[:-2] if len(poses) > 2 else poses[:0]


def accel(predicted, truth):
    """Error of the second difference, mean over joints: [T], with one zero before and one after, as published.

    `accel_unpadded` has the T-2 values alone.
    """
    inner = accel_unpadded(predicted, truth)
    return torch.cat((inner.new_zeros(min(len(predicted), 1)), inner, inner.new_zeros(int(len(predicted) > 1))))


def accel_unpadded(predicted, truth):
    """Error of the second difference, mean over joints: [T-2]."""
    return second_difference(predicted - truth).norm(dim=-1).mean(-1)


def jerk(poses):
    """Norm of the third difference, mean over joints, unit per frame^3: [T-3]."""
    acceleration = second_difference(poses)
    return (acceleration[1:] - acceleration[:-1]).norm(dim=-1).mean(-1)


def pck(predicted, truth, size, fraction):
    """Whether each joint's error is at most `fraction` of the person's size.

    predicted, truth [T, J, 2] px; size [T] px, the longer side of the person's box. Bool [T, J].
    """
    return joint_errors(predicted, truth) <= fraction * size[:, None]


def pck3d(predicted, truth, threshold=150.0):
    """Share of joints within `threshold` mm, of every frame: [T]."""
    return (joint_errors(predicted, truth) <= threshold).double().mean(-1)


def auc(predicted, truth, limit=150.0, steps=31):
    """Area under the PCK curve from 0 to `limit` mm at `steps` thresholds, of every frame: [T]."""
    # Of evenly spaced thresholds those from the first one that is not below the error count.
    first = (joint_errors(predicted, truth) * ((steps - 1) / limit)).ceil()
    return (steps - first).clamp_min(0).mean(-1) / steps


def bone_length_deviation(poses, edges):
    """Standard deviation over frames of each bone's length, in the poses' unit: [bones]."""
    a, b = torch.tensor(edges, device=poses.device).T
    return (poses[:, a] - poses[:, b]).norm(dim=-1).std(0, correction=0)


def peak_speed(poses, quantile=0.98):
    """Each joint's near-peak speed, unit per frame: [J]. A quantile, so that one outlier is not the peak."""
    speed = (poses[1:] - poses[:-1]).norm(dim=-1)
    ordered = speed.sort(0).values  # torch.quantile takes ten times as long
    place = quantile * (len(ordered) - 1)
    return torch.lerp(ordered[int(place)], ordered[min(int(place) + 1, len(ordered) - 1)], place - int(place))


def worst_frames(errors, share=0.01):
    """Indices of the `share` of frames with the largest error, at least one: [n]. errors [T]."""
    return torch.topk(errors, max(int(len(errors) * share), 1)).indices
