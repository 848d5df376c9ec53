"""What training minimises."""

# head -> k, the share of the acceleration term (SPEC 5): the precise head has none, the smooth head all of it.
ACCEL_SHARE = {"precision": 0.0, "smoothness": 1.0, "final": 0.5}


def refinement_loss(refined, truth, w_pos=1.0, w_accel=1.0, present=None, shares=(1.0, 1.0)):
    """The loss of SynSP's three heads, in network units.

    refined: `Heads` of [B, V, F, C]; truth [B, V, F, C]; present: bool [B, V, F], frames that count, None: all.
    Sum over heads of w_pos * L1(pose) + k * w_accel * L1(second difference over frames), L1 the mean over all
    elements that count; shares: what these means count in those of a larger batch (`distributed.Part`). A network whose heads are one (SmoothNet) has one term, with k = 1.
    Returns (loss, {name: part}).
    """
    heads = {"final": 1.0} if refined.precision is None else ACCEL_SHARE
    total, parts = 0.0, {}
    for name, share in heads.items():
        position, acceleration = position_and_acceleration(getattr(refined, name), truth, present, bool(share), shares)
        total = total + w_pos * position
        parts[f"{name}_pos"] = position.detach()
        if acceleration is not None:
            total = total + share * w_accel * acceleration
            parts[f"{name}_accel"] = acceleration.detach()
    return total, parts


def stream_loss(final, truth, merge, w_pos=1.0, w_accel=1.0, present=None, shares=(1.0, 1.0)):
    """The loss of what a live stream of a lag of L frames puts out, in network units: (loss, {name: part}).

    final: [B, R, V, W, C], the network's windows at R consecutive frames, R > L; truth [B, V, W-1+R, C] and present
    (bool [B, V, W-1+R] or None): the frames that they cover; merge: `lib.windows.merge.Merge` of the stream's recipe, which
    makes the stream's poses of them; shares: as of `refinement_loss`.
    """
    poses = merge.streamed(final.transpose(1, 2))
    frames = slice(final.shape[3] - 1, final.shape[3] - 1 + poses.shape[2])
    position, acceleration = position_and_acceleration(
        poses, truth[:, :, frames], None if present is None else present[:, :, frames], shares=shares
    )
    total, parts = w_pos * position, {"stream_pos": position.detach()}
    if acceleration is not None:
        total = total + w_accel * acceleration
        parts["stream_accel"] = acceleration.detach()
    return total, parts


def position_and_acceleration(poses, truth, present=None, wanted=True, shares=(1.0, 1.0)):
    """L1 of the poses [B, V, F, C] and of their second difference over frames, None if not wanted or F < 3."""
    error = (poses - truth).float()
    if not wanted or error.shape[2] < 3:
        return shares[0] * _mean_absolute(error, present), None
    second = error[:, :, 2:] - 2 * error[:, :, 1:-1] + error[:, :, :-2]
    counts = None if present is None else present[:, :, 2:] & present[:, :, 1:-1] & present[:, :, :-2]
    return shares[0] * _mean_absolute(error, present), shares[1] * _mean_absolute(second, counts)


def _mean_absolute(error, present):
    if present is None:
        return error.abs().mean()
    weight = present[..., None].to(error.dtype)
    return (error.abs() * weight).sum() / (weight.sum() * error.shape[-1]).clamp_min(1)
