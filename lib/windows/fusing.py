"""What several views of one person say together, and what the network adds to it.

B windows, V views, F frames, C channels; all views in one frame (lib/windows/views.py).
"""

import torch
from scipy.ndimage import gaussian_filter1d

from .views import root_of

# How sure a camera is along its view against across it, and where a joint is off: of real and simulated estimators the
# depth errs about twice as much, and a view that lies 8 cm from the others is more likely wrong than right.
DEPTH_PRECISION, OUTLIER = 0.3, 0.08
JITTER, LASTS = 1.5, 2.0  # frames, widths of Gaussians
APART = 0.1  # metres a coordinate that a view lies off the others' median, at which the agreement is 1/e


def median_of_views(x, present):
    """The median over the views that are there, the same for each view: [B, V, F, C] -> [B, 1, F, C]."""
    views = x.shape[1]
    if present is None:
        ordered = x.sort(1).values
        return ordered[:, (views - 1) // 2 : views // 2 + 1].mean(1, keepdim=True)
    median = x.masked_fill(~present[..., None], float("nan")).nanquantile(0.5, 1, keepdim=True)
    return torch.where(median.isnan(), x.mean(1, keepdim=True), median)


def fused_views(x, depth, present=None, rounds=2):
    """3D poses seen from several sides, weighted by what each side can see: [B, V, F, C] -> [B, 1, F, C] metres.

    depth: [B, V, 3], unit vectors, where the cameras look. Each camera counts `DEPTH_PRECISION` as much along its view as
    across; a joint that lies `OUTLIER` off what the views say together counts half (iteratively reweighted least squares
    with Cauchy's weights, e.g. Holland and Welsch, "Robust regression using iteratively reweighted least-squares",
    Commun. Stat. 1977).
    """
    joints = x.unflatten(-1, (-1, 3))
    weight = (
        torch.ones_like(joints[..., 0]) if present is None else present[..., None].to(x.dtype).expand(joints.shape[:-1])
    )
    there, view_axes = weight, depth[:, :, None, None]  # [B, V, 1, 1, 3]
    lost = 1 - DEPTH_PRECISION

    def seen(vectors):
        """A camera's precision times vectors: what lies across its view, and a share of what lies along."""
        return vectors - lost * (vectors * view_axes).sum(-1, keepdim=True) * view_axes

    outer = view_axes[..., :, None] * view_axes[..., None, :]
    unit = torch.eye(3, dtype=x.dtype, device=x.device)
    for _ in range(1 + rounds):
        total = weight.sum(1)[..., None, None]
        precision = total * unit - lost * (weight[..., None, None] * outer).sum(1)
        fused = _solved(precision, (weight[..., None] * seen(joints)).sum(1))[:, None]
        off = joints - fused
        weight = there / (1 + (off * seen(off)).sum(-1) / OUTLIER**2)
    if present is not None:  # of a frame that no view has there is nothing to say
        fused = torch.where(present.any(1, keepdim=True)[..., None, None], fused, joints.mean(1, keepdim=True))
    return fused.flatten(-2)


def _solved(matrix, vector):
    """Solutions of symmetric 3 x 3 systems by cofactors, [..., 3, 3] and [..., 3]: many small ones at once."""
    (a, b, c), (d, e), f = matrix[..., 0, :].unbind(-1), matrix[..., 1, 1:].unbind(-1), matrix[..., 2, 2]
    x, y, z = vector.unbind(-1)
    first, second, third = d * f - e * e, c * e - b * f, b * e - c * d
    determinant = (a * first + b * second + c * third).clamp_min(1e-12)
    fourth, fifth, sixth = a * f - c * c, b * c - a * e, a * d - b * b
    return (
        torch.stack(
            (
                first * x + second * y + third * z,
                second * x + fourth * y + fifth * z,
                third * x + fifth * y + sixth * z,
            ),
            -1,
        )
        / determinant[..., None]
    )


def agreement(aligned, present=None):
    """How near each view is to the median of all at each frame, in (0, 1]: exp(-mean over C of (x_v - median)^2 / APART^2).

    aligned [B, V, F, C] metres, in one frame; present bool [B, V, F] or None. Returns [B, V, F]. The form is that of the
    network's similarity between views (SPEC 5.4), at a scale of poses' errors instead of a metre.
    """
    off = aligned - median_of_views(aligned, present)
    return (-off.square().mean(-1) / APART**2).exp()


def steadied(refined, fused, frames, root):
    """A network's poses with what is quick in them as the views show it: [V, T, C] metres.

    refined: what the network says; fused: what the views say together (`fused_views`); frames: what came in,
    for its root joints' places. Estimators' errors are slow but for jitter, which several views average away; so the network is
    heard on what lasts `LASTS` frames or more, and the rest is the views' own, less jitter: a Gaussian of `JITTER` frames.
    """

    def smooth(values, width):
        return torch.from_numpy(gaussian_filter1d(values.numpy(), width, axis=1, mode="nearest"))

    joints = frames.unflatten(-1, (-1, 3))
    place = root_of(joints, root).expand_as(joints).flatten(-2)
    quick = smooth(fused - place, JITTER)
    return quick + smooth(refined - place - quick, LASTS) + place
