"""Scores of a refined sequence against the ground truth, per frame and vectorised over frames and joints.

Poses are [T, J, D] tensors in one unit (the caller chooses mm or px); errors come back in that unit, one value a
frame, so that means over pooled frames, over sequences and over the worst frames are all the caller's to take.
Definitions: SPEC section 6.
"""

import torch


def root_relative(poses, root):
    """poses [T, J, D] minus the mean of the joints in `root` (indices)."""
    return poses - poses[:, list(root)].mean(1, keepdim=True)


def euclidean(vectors):
    """Lengths over the last axis, [..., D] -> [...]: written out, for D = 2 or 3 twice as fast as torch's norm."""
    return sum(vectors[..., axis].square() for axis in range(vectors.shape[-1])).sqrt()


def joint_errors(predicted, truth):
    """Euclidean error of every joint: [T, J]."""
    return euclidean(predicted - truth)


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
    covariance = (t.transpose(1, 2) @ p).double()
    rotation, trace = _rotation_3d(covariance) if p.shape[-1] == 3 else rotation_by_svd(covariance)
    scale = trace / p.square().sum((1, 2)).double().clamp_min(1e-12)
    turned = (scale[:, None, None] * rotation).to(p.dtype) @ p.transpose(1, 2)
    return turned.transpose(1, 2) + centre_t


def _rotation_3d(covariance):
    """`rotation_by_svd` of [T, 3, 3].

    In closed form but for a few Newton steps, several times as fast as a singular value decomposition: Markley, "Attitude
    determination using vector observations: a fast optimal matrix algorithm", J. Astronaut. Sci. 1993. Frames for which
    it is ill-conditioned (points in a line, some mirrored poses) go through the decomposition.
    """
    norm = covariance.flatten(1).norm(dim=1)
    b = covariance / norm[:, None, None]
    cofactors = torch.linalg.cross(b[:, [1, 2, 0]], b[:, [2, 0, 1]])
    determinant = (b[:, 0] * cofactors[:, 0]).sum(1)
    squares = cofactors.square().sum((1, 2))
    # The largest root of (x^2 - 1)^2 - 8 x det - 4 squares: the sum of the singular values, the smallest with det's sign.
    root = (1 + 2 * squares.sqrt()).sqrt()
    for _ in range(7):
        excess = root.square() - 1
        root = root - (excess.square() - 8 * determinant * root - 4 * squares) / (4 * root * excess - 8 * determinant)
    excess = root.square() - 1
    zeta = root * excess / 2 - determinant
    rotation = (excess / 2 + 1)[:, None, None] * b + root[:, None, None] * cofactors - b @ b.transpose(1, 2) @ b
    rotation, trace = rotation / zeta[:, None, None], root * norm
    residual = (excess.square() - 8 * determinant * root - 4 * squares).abs()
    hard = ~((zeta > 1e-5) & (residual < 1e-12))
    if hard.any():
        rotation[hard], trace[hard] = rotation_by_svd(covariance[hard])
    return rotation, trace


def rotation_by_svd(covariance):
    """The proper rotation R that makes trace(R^T covariance) largest, and that trace: [..., D, D] -> ([..., D, D], [...]).

    Kabsch, "A solution for the best rotation to relate two sets of vectors", Acta Cryst. 1976.
    """
    u, s, vh = torch.linalg.svd(covariance)
    sign = torch.ones_like(s)
    sign[..., -1] = (torch.linalg.det(u) * torch.linalg.det(vh)).sign()
    return (u * sign[..., None, :]) @ vh, (s * sign).sum(-1)


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
    return padded(accel_unpadded(predicted, truth), len(predicted))


def padded(inner, length):
    """[T-2] with one zero before and one after: [T]."""
    return torch.cat((inner.new_zeros(min(length, 1)), inner, inner.new_zeros(int(length > 1))))


def accel_unpadded(predicted, truth):
    """Error of the second difference, mean over joints: [T-2]."""
    return euclidean(second_difference(predicted - truth)).mean(-1)


def jerk(poses):
    """Norm of the third difference, mean over joints, unit per frame^3: [T-3]."""
    acceleration = second_difference(poses)
    return euclidean(acceleration[1:] - acceleration[:-1]).mean(-1)


def pck(predicted, truth, size, fraction):
    """Whether each joint's error is at most `fraction` of the person's size.

    predicted, truth [T, J, 2] px; size [T] px, the longer side of the person's box. Bool [T, J].
    """
    return joint_errors(predicted, truth) <= fraction * size[:, None]


def pck3d(predicted, truth, threshold=150.0):
    """Share of joints within `threshold` mm, of every frame: [T]."""
    return share_within(joint_errors(predicted, truth), threshold)


def share_within(errors, threshold=150.0):
    """`pck3d` of joint errors [T, J]."""
    return (errors <= threshold).double().mean(-1)


def auc(predicted, truth, limit=150.0, steps=31):
    """Area under the PCK curve from 0 to `limit` mm at `steps` thresholds, of every frame: [T]."""
    return area_under_shares(joint_errors(predicted, truth), limit, steps)


def area_under_shares(errors, limit=150.0, steps=31):
    """`auc` of joint errors [T, J]."""
    # Of evenly spaced thresholds those from the first one that is not below the error count.
    first = (errors * ((steps - 1) / limit)).ceil()
    return (steps - first).clamp_min(0).mean(-1) / steps


def bone_lengths(poses, edges):
    """Length of each bone in every frame, in the poses' unit: [T, bones]."""
    a, b = torch.tensor(edges, device=poses.device).T
    return euclidean(poses[:, a] - poses[:, b])


def bone_length_deviation(poses, edges):
    """Standard deviation over frames of each bone's length, in the poses' unit: [bones]."""
    return bone_lengths(poses, edges).std(0, correction=0)


def speeds(poses):
    """How far each joint goes from frame to frame: [..., T, J, D] -> [..., T-1, J]."""
    return euclidean(poses[..., 1:, :, :] - poses[..., :-1, :, :])


def peak_speed(poses, quantile=0.98):
    """Each joint's near-peak speed, unit per frame: [J]. A quantile, so that one outlier is not the peak."""
    return peak(speeds(poses), quantile)


def peak(values, quantile=0.98):
    """The quantile over frames of [..., T, J], as torch.quantile has it, which sorts everything: [..., J]."""
    place = quantile * (values.shape[-2] - 1)
    largest = values.transpose(-1, -2).topk(values.shape[-2] - int(place), dim=-1).values
    return torch.lerp(largest[..., -1], largest[..., max(-2, -largest.shape[-1])], place - int(place))


def worst_frames(errors, share=0.01):
    """Indices of the `share` of frames with the largest error, at least one: [n]. errors [T]."""
    return torch.topk(errors, max(int(len(errors) * share), 1)).indices
