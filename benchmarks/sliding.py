"""The sliding-window average against stacking and averaging frame by frame, and against copying its input once.

    python -m benchmarks.sliding

10,000 frames of 51 channels, stride 1, one thread.
"""

import torch

from benchmarks.measuring import Row, best, interleaved, show
from lib.windows.sliding_window import average

FRAMES, CHANNELS = 10_000, 51
BARS = {8: 50, 32: 40, 64: 40}  # times the loop, by window
COPIES = 2.5  # times the duration of cloning the windows


def loop(windows):
    """[N, W, C] at stride 1 -> [N + W - 1, C]: for each frame, stack the entries that cover it and take their mean."""
    count, window, _ = windows.shape
    frames = []
    for frame in range(count + window - 1):
        first, last = max(0, frame - window + 1), min(count - 1, frame)
        frames.append(torch.stack([windows[n, frame - n] for n in range(first, last + 1)]).mean(0))
    return torch.stack(frames)


def rows():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    table = []
    for window, bar in BARS.items():
        windows = torch.randn(FRAMES - window + 1, window, CHANNELS, generator=torch.Generator().manual_seed(0))
        assert torch.allclose(loop(windows[:50]), average(windows[:50], 1), atol=1e-5)
        (slow,) = interleaved([lambda: loop(windows)], rounds=2, warm=0)
        ours, copy = interleaved([lambda: average(windows, 1), windows.clone], rounds=20, warm=3)
        ratio, copies = best(slow) / best(ours), best(ours) / best(copy)
        table.append(
            Row(
                f"sliding-window average, W {window}",
                f"loop {1e3 * best(slow):.0f} ms",
                f"{1e3 * best(ours):.1f} ms",
                ratio,
                f">= {bar}x",
                ratio >= bar,
            )
        )
        table.append(
            Row(
                f"sliding-window average, W {window}",
                f"clone {1e3 * best(copy):.1f} ms",
                f"{1e3 * best(ours):.1f} ms",
                copies,
                f"<= {COPIES}x",
                copies <= COPIES,
            )
        )
    torch.set_num_threads(threads)
    return table


if __name__ == "__main__":
    show(rows())
