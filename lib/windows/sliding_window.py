"""From overlapping windows back to one pose a frame."""

import torch

# Windows added at a time: few enough that their memory pages stay mapped over the W passes (25 % faster at W 64).
BLOCK = 1024


def starts(length, window, step):
    """First frames of the windows that cover `length` frames at stride `step`, the last one flush with the end.

    A sequence shorter than the window has one window, at 0. Returns a list of N ints.
    """
    last = max(length - window, 0)
    regular = list(range(0, last + 1, step))
    return regular if regular[-1] == last else regular + [last]


def average(windows, step, length=None, fallback=None, weights=None):
    """Mean, at every frame, of all the window entries that cover it.

    windows: [..., N, W, C], any real dtype and device (integers come back as floats); step: frames between the
    starts of two windows; result [..., (N-1)*step + W, C]. With `length` T the result is [..., T, C] and
    `windows` includes the extra last window at T-W that `starts` adds where the regular ones end before T.
    fallback: [..., T, C], the frames that no window covers (step > W). weights: [..., N, W], the weight of each
    entry instead of 1, positive. Differentiable in `windows`, `fallback` and `weights`.

    The windows are read once, in place: a strided sum at step 1, else one addition of a slice for each of the W offsets.
    """
    if step < 1:
        raise ValueError(f"step must be at least 1, not {step}")
    if not windows.is_floating_point():
        windows = windows.to(torch.get_default_dtype())
    window = windows.shape[-2]
    regular, span = _regular(windows.shape[-3], window, step, length)
    if weights is None:
        total, weight = _sums(windows, step, regular, span), _counts(windows, step, regular, span)
    else:
        total = _sums(windows * weights[..., None], step, regular, span)
        weight = _sums(weights[..., None], step, regular, span)
    if step <= window or bool((weight > 0).all()):
        return total / weight
    if fallback is None:
        raise ValueError("windows with gaps between them (step > W) need a fallback for the uncovered frames")
    return torch.where(weight > 0, total / weight.clamp_min(torch.finfo(total.dtype).tiny), fallback)


def covering(windows, step, length=None):
    """How many of windows [..., N, W, C] cover each frame, [T, 1]; step, length: as in `average`."""
    return _counts(windows, step, *_regular(windows.shape[-3], windows.shape[-2], step, length))


def _regular(count, window, step, length):
    """(windows at regular starts, frames that all of them cover); the others end flush with `length`."""
    span = (count - 1) * step + window
    if length is None or length <= window:
        if length is not None and length != span:
            raise ValueError(f"{count} windows of {window} at step {step} cover {span} frames, not {length}")
        return count, span
    expected = len(starts(length, window, step))
    if count != expected:
        raise ValueError(f"{length} frames have {expected} windows of {window} at step {step}, not {count}")
    return (count - 1, length) if (length - window) % step else (count, span)


def _sums(entries, step, regular, span):
    """The sum over the windows [..., N, W, C] at every frame, [..., span, C]."""
    count, window, channels = entries.shape[-3:]
    dense = step == 1 and regular == count >= window
    if dense and entries.is_contiguous() and not entries.requires_grad:
        return _dense_sum(entries)
    total = entries.new_zeros(*entries.shape[:-3], span, channels)
    for first in range(0, regular, BLOCK):
        block = slice(first, min(first + BLOCK, regular))
        for offset in range(window):
            frames = slice(block.start * step + offset, (block.stop - 1) * step + offset + 1, step)
            total[..., frames, :] += entries[..., block, offset, :]
    if regular < count:
        total[..., span - window :, :] += entries[..., -1, :, :]
    return total


def _counts(windows, step, regular, span):
    """How many windows cover each frame, [span, 1]: one up where a window starts, one down after its end, summed."""
    count, window = windows.shape[-3:-1]
    change = windows.new_zeros(span + 1)
    first = torch.arange(regular, device=windows.device) * step
    if regular < count:
        first = torch.cat((first, first.new_tensor([span - window])))
    one = windows.new_ones(1).expand(len(first))
    change.index_add_(0, first, one)
    change.index_add_(0, first + window, -one)
    return change[:-1].cumsum(0)[:, None]


def _dense_sum(windows):
    """The sums of `average` at step 1, contiguous [..., N, W, C] with N >= W -> [..., N+W-1, C].

    Entries of one frame lie W-1 rows apart, so that the frames covered by W windows are one strided sum, two to four times
    faster than additions of slices; the W-1 frames at either end, with fewer windows, are added up.
    """
    count, window, channels = windows.shape[-3:]
    flat = windows.reshape(-1, count, window, channels)
    total = flat.new_zeros(len(flat), count + window - 1, channels)
    diagonals = flat.as_strided(
        (len(flat), count - window + 1, window, channels),
        (count * window * channels, window * channels, (window - 1) * channels, 1),
        flat.storage_offset() + (window - 1) * channels,
    )
    torch.sum(diagonals, 2, out=total[:, window - 1 : count])
    for offset in range(window):
        total[:, offset : window - 1] += flat[:, : window - 1 - offset, offset]
        total[:, count : count + offset] += flat[:, count - offset :, offset]
    return total.reshape(*windows.shape[:-3], count + window - 1, channels)
