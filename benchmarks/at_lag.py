"""What a filter that needs the whole recording gives a stream: run again at every frame on the last seconds.

T frames, K joints, C coordinates, L lag.
"""

import numpy as np

from lib.filters import tuned

SECONDS = 3.0  # that each run sees


def at_lag(smooth, tracks, rate, lag, frames):
    """Frames of tracks [T, K, C] as `smooth` gives each of them when `lag` more have come, [len(frames), K, C].

    smooth: a function (tracks, times) -> `tuned.Smoothed`. Runs over as many frames go through it together, as more joints.
    """
    count, size = len(tracks), int(SECONDS * rate)
    last = np.minimum(np.asarray(frames) + lag, count - 1)
    first = np.maximum(last - size + 1, 0)
    out = np.array(tracks[frames], dtype=np.float64)
    for length in np.unique(last - first + 1):
        alike = np.flatnonzero(last - first + 1 == length)
        if length < tuned.LEAST:
            continue
        runs = np.concatenate([tracks[start : start + length] for start in first[alike]], axis=1)
        done = smooth(runs, np.arange(length) / rate).values.reshape(length, len(alike), *tracks.shape[1:])
        for place, each in enumerate(alike):
            out[each] = done[frames[each] - first[each], place]
    return out
