"""Makes docs/pictures/pairs.jpg: frames of rendered clips with what MediaPipe sees in them, and the truth.

    synsp pairs render OUT --clips 20 --run mediapipe --python MEDIAPIPE_ENVIRONMENT/bin/python
    python benchmarks/pairs_picture.py OUT docs/pictures/pairs.jpg [CLIP …]

Each tile is cut around the person; green is the truth, red MediaPipe's answer.
"""

import json
import sys
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from lib.pairs import INDEX  # noqa: E402
from lib.poses.skeletons import LAYOUTS  # noqa: E402

TILE, COLUMNS, COUNT = 250, 4, 8
TRUTH, ANSWER = (80, 220, 60), (60, 60, 240)
LIMBS = (
    (11, 13),
    (13, 15),
    (12, 14),
    (14, 16),
    (11, 12),
    (11, 23),
    (12, 24),
    (23, 24),
    (23, 25),
    (25, 27),
    (24, 26),
    (26, 28),
)


def tile(folder, clip):
    """[TILE, TILE, 3] of the middle frame of a clip, or None where nobody is found in it."""
    with np.load(folder / f"{clip}.npz") as arrays:
        joints = arrays["joints2D"]
    frames = json.loads((folder / f"{clip}.mediapipe.json").read_text(encoding="utf-8"))["frames"]
    number = len(joints) // 2
    if frames[number] is None:
        return None
    video = cv2.VideoCapture(str(folder / f"{clip}.mp4"))
    video.set(cv2.CAP_PROP_POS_FRAMES, number)
    image = video.read()[1]
    found = np.array(frames[number]["pose_landmarks"])[:, :2] * image.shape[1::-1]
    low, high = joints[number].min(0), joints[number].max(0)
    half = 0.62 * (high - low).max()
    scale, corner = TILE / (2 * half), (low + high) / 2 - half
    move = np.array([[scale, 0, -corner[0] * scale], [0, scale, -corner[1] * scale]])
    image = cv2.warpAffine(image, move, (TILE, TILE), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    for points, bones, colour in ((joints[number], LAYOUTS["h36m17"].edges, TRUTH), (found, LIMBS, ANSWER)):
        places = [tuple(int(16 * value) for value in (point - corner) * scale) for point in points]
        for start, end in bones:
            cv2.line(image, places[start], places[end], colour, 2, cv2.LINE_AA, 4)
    return image


def main():
    folder, target = map(Path, sys.argv[1:3])
    listed = [meta["clip"] for meta in json.loads((folder / INDEX).read_text(encoding="utf-8"))]
    answered = [clip for clip in sys.argv[3:] or listed if (folder / f"{clip}.mediapipe.json").exists()]
    tiles = [made for made in (tile(folder, clip) for clip in answered) if made is not None][:COUNT]
    rows = [np.hstack(tiles[start : start + COLUMNS]) for start in range(0, len(tiles), COLUMNS)]
    cv2.imwrite(str(target), np.vstack(rows), [cv2.IMWRITE_JPEG_QUALITY, 82])


if __name__ == "__main__":
    main()
