"""Long recordings of many people: seconds of CPU and peak memory of `refine_smoothnet.py FILE`, beside another version's.

    python -m benchmarks.recordings                       # this version, about a minute
    python -m benchmarks.recordings --against FOLDER      # in turn with a checkout of another version, and the ratios

Files are MMPose's JSON without ids, people in another order in each frame: whole bodies (133 points), one body of COCO's 17
points over 20,000 frames, and five of them over 10,000. Weights are those that each version brings.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.measuring import Row, show

ROOT = Path(__file__).resolve().parents[1]
FILES = {  # people, frames, points
    "12 people x 1,500 frames x 133 points": (12, 1500, 133),
    "1 person x 20,000 frames x 17 points": (1, 20000, 17),
    "5 people x 10,000 frames x 17 points": (5, 10000, 17),
}
BAR = 4  # times less CPU than the version to compare with
# COCO's 17 points of somebody who stands, x and y in px about the hips' middle: nose, eyes, ears, shoulders, elbows, wrists,
# hips, knees, ankles.
BODY = np.array([(0, -160), (8, -168), (-8, -168), (18, -162), (-18, -162), (42, -120), (-42, -120), (52, -60), (-52, -60),
                 (56, -5), (-56, -5), (25, 0), (-25, 0), (27, 95), (-27, 95), (28, 185), (-28, 185)], float)  # fmt: skip


def write(path, people, frames, points, rng):
    """People who walk to and fro in an image of 1920 x 1080, with 3 px of noise."""
    seconds = np.arange(frames)[:, None] / 30
    tracks = []
    for _ in range(people):
        rest = np.concatenate([BODY, BODY[rng.integers(0, 17, points - 17)] + rng.normal(0, 12, (points - 17, 2))])
        speed, phase = rng.uniform(0.03, 0.1), rng.uniform(0, 6)
        middle = np.stack(
            [960 + 800 * np.sin(speed * seconds + phase), 540 + 60 * np.sin(seconds / 7 + phase)], axis=-1
        )
        swing = rng.uniform(2, 20, (1, points, 2)) * np.sin(5 * seconds + rng.uniform(0, 6, points))[..., None]
        tracks.append(np.round(middle + rest + swing + rng.normal(0, 3, (frames, points, 2)), 2))
    scores = np.round(rng.uniform(0.4, 1, (people, frames, points)), 3)
    tree = []
    for frame in range(frames):
        instances = [
            {"keypoints": tracks[person][frame].tolist(), "keypoint_scores": scores[person, frame].tolist()}
            for person in rng.permutation(people)
        ]
        tree.append({"frame_id": frame, "instances": instances})
    path.write_text(json.dumps(tree))


def measured(checkout, source, output):
    """(seconds of CPU, MB at the peak) of a checkout's refine command in one thread."""
    command = [sys.executable, "refine_smoothnet.py", str(source), "--output", str(output), "--fps", "30"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command, cwd=checkout, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    said = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} in {checkout}: exit code {process.returncode}\n{said.decode()[-2000:]}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def rows(against):
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for number, (what, size) in enumerate(FILES.items()):
            source, output = Path(folder, f"{number}.json"), Path(folder, f"{number}_refined.json")
            write(source, *size, np.random.default_rng(number))
            seconds, megabytes = measured(ROOT, source, output)
            if against is None:
                found.append(Row(what, "", f"{seconds:.1f} s, {megabytes:.0f} MB"))
                continue
            other, other_megabytes = measured(against, source, output)
            ratio = other / seconds
            baseline, ours = f"{other:.1f} s, {other_megabytes:.0f} MB", f"{seconds:.1f} s, {megabytes:.0f} MB"
            found.append(Row(what, baseline, ours, ratio, f">= {BAR}x", ratio >= BAR))
    return found


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recordings", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--against", metavar="FOLDER", help="a checkout of the version to compare with")
    arguments = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    show(rows(arguments.against))


if __name__ == "__main__":
    main()
