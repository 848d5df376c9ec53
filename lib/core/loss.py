"""What training minimises."""

# head -> k, the share of the acceleration term (SPEC 5): the precise head has none, the smooth head all of it.
ACCEL_SHARE = {"precision": 0.0, "smoothness": 1.0, "final": 0.5}


def refinement_loss(refined, truth, w_pos=1.0, w_accel=1.0, present=None):
    """The loss of SynSP's three heads, in network units.

    refined: `Refined` of [B, V, F, C]; truth [B, V, F, C]; present: bool [B, V, F], frames that count, None: all.
    Sum over heads of w_pos * L1(pose) + k * w_accel * L1(second difference over frames), L1 the mean over all
    elements that count. A network whose heads are one (SmoothNet) has one term, with k = 1.
    Returns (loss, {name: part}).
    """
    single = refined.final is refined.precision
    heads = {"final": 1.0} if single else ACCEL_SHARE
    total, parts = 0.0, {}
    for name, share in heads.items():
        error = (getattr(refined, name) - truth).float()
        position = _mean_absolute(error, present)
        total = total + w_pos * position
        parts[f"{name}_pos"] = position.detach()
        if share and error.shape[2] > 2:
            second = error[:, :, 2:] - 2 * error[:, :, 1:-1] + error[:, :, :-2]
            counts = None if present is None else present[:, :, 2:] & present[:, :, 1:-1] & present[:, :, :-2]
            acceleration = _mean_absolute(second, counts)
            total = total + share * w_accel * acceleration
            parts[f"{name}_accel"] = acceleration.detach()
    return total, parts


def _mean_absolute(error, present):
    if present is None:
        return error.abs().mean()
    weight = present[..., None].to(error.dtype)
    return (error.abs() * weight).sum() / (weight.sum() * error.shape[-1]).clamp_min(1)
