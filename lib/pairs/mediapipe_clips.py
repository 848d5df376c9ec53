"""MediaPipe's answer to the clips of a folder. A script of its own, because MediaPipe's environment is seldom this toolkit's.

    python mediapipe_clips.py OUT [--again] [--complexity 1] [--mode told|video|static]

Needs mediapipe (its classic solutions: 0.10.14 and others before 0.10.30, with numpy < 2), opencv and numpy, and nothing of this
toolkit. Writes OUT/<clip>.mediapipe.json beside each OUT/<clip>.mp4, which `synsp refine` and `synsp pairs collect` read: for each
frame the 33 landmarks [x, y, z, visibility] in shares of the picture (`pose_landmarks`) and in m (`pose_world_landmarks`), or
null. Clips that have their answer are left out. Mode `told` is what the clip's truth asks for.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path


def main():
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("out", type=Path, help="the folder of clips")
    parse.add_argument("--again", action="store_true", help="also clips that have an answer")
    parse.add_argument(
        "--complexity", type=int, default=1, choices=(0, 1, 2), help="0 lite, 1 full, 2 heavy (default 1)"
    )
    parse.add_argument("--mode", choices=("told", "video", "static"), default="told")
    args = parse.parse_args()
    clips = sorted(
        path for path in args.out.glob("*.mp4") if not path.name.startswith(".")
    )  # . is one that is being written
    wanted = [path for path in clips if args.again or not is_answered(path)]
    start, frames = time.time(), 0
    for count, path in enumerate(wanted, 1):
        frames += answer(path, args.complexity, mode_of(path) if args.mode == "told" else args.mode)
        left = (time.time() - start) / count * (len(wanted) - count)
        print(
            f"\r{count}/{len(wanted)} clips, {frames} frames, {left:.0f} s left ", end="", file=sys.stderr, flush=True
        )
    if wanted:
        print(file=sys.stderr)


def answer_of(path):
    return path.with_suffix(".mediapipe.json")


def is_answered(path):
    """Whether a clip's answer is there, and is not that to a clip that stood there before."""
    return answer_of(path).exists() and answer_of(path).stat().st_mtime >= path.stat().st_mtime


def mode_of(path):
    """The mode that a clip's truth asks for."""
    import numpy as np

    truth = path.with_suffix(".npz")
    if not truth.exists():
        return "video"
    with np.load(truth, allow_pickle=False) as arrays:
        return json.loads(str(arrays["meta"]))["mode"]


def answer(path, complexity, mode):
    """Write the answer to one clip; returns its frames."""
    import cv2
    import mediapipe

    video = cv2.VideoCapture(str(path))
    rate, frames, size = video.get(cv2.CAP_PROP_FPS), [], (0, 0)
    with mediapipe.solutions.pose.Pose(static_image_mode=mode == "static", model_complexity=complexity) as pose:
        while True:
            read, image = video.read()
            if not read:
                break
            size = image.shape[1::-1]
            found = pose.process(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
            frames.append(
                {key: _rows(getattr(found, key)) for key in ("pose_landmarks", "pose_world_landmarks")}
                if found.pose_landmarks
                else None
            )
    told = {"estimator": f"mediapipe {mediapipe.__version__}", "complexity": complexity, "mode": mode}
    temporary = path.with_suffix(f".{os.getpid()}.writing")
    temporary.write_text(json.dumps(content(told, rate, size, frames)), encoding="utf-8")
    os.replace(temporary, answer_of(path))
    return len(frames)


def content(told, rate, size, frames):
    """What a file holds. told: about the estimator; rate: frames per second; size: (width, height) px; frames: landmarks or None."""
    return {**told, "fps": rate, "width": size[0], "height": size[1], "frames": frames}


def _rows(found):
    return [[round(value, 5) for value in (one.x, one.y, one.z, one.visibility)] for one in found.landmark]


if __name__ == "__main__":
    main()
