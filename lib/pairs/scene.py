"""What surrounds a rendered person: backgrounds, light, things in front, and what lenses, sensors and files do to a picture."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import UserError
from .clothes import colour, noise

# scikit-image's pictures that show no person; its other ones are not in the wheel.
PHOTOS = "brick chelsea coffee coins grass gravel hubble_deep_field motorcycle_left motorcycle_right rocket".split()
ENDINGS = (".jpg", ".jpeg", ".png")
LARGER = 1.5  # than the picture: what a shaking, following camera sees


@dataclass(frozen=True)
class Look:
    """How a clip is lit and filmed.

    light: [3] towards the light in camera axes, its length is its strength; ambient: light from everywhere; shutter: share of a
    frame's time that it is open; grain: standard deviation of the sensor's noise, 0 to 255; blur: px; quality: crf of the video.
    """

    light: np.ndarray
    ambient: float
    shutter: float
    grain: float
    blur: float
    quality: int


def look(rng):
    """A random `Look`, for a numpy Generator."""
    towards = np.array([rng.normal(0, 0.8), -abs(rng.normal(0.8, 0.5)), -abs(rng.normal(0.7, 0.5))])
    ambient = rng.uniform(0.35, 0.75)
    strength = rng.uniform(0.25, 1.25 - ambient)
    return Look(
        (towards / np.linalg.norm(towards) * strength).astype(np.float32),
        np.float32(ambient),
        rng.uniform(0.1, 0.8),
        rng.uniform(1, 9),
        rng.choice([0.0, rng.uniform(0.4, 1.1)]),
        int(rng.integers(18, 33)),
    )


def photos(folder=None):
    """Paths of the background pictures: of a folder, else scikit-image's. Raises UserError for a folder without any."""
    if folder is not None:
        found = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in ENDINGS)
        if not found:
            raise UserError(
                f"{folder}: no {', '.join(ENDINGS)} in it. Give --backgrounds a folder of pictures without people"
            )
        return found
    from importlib.util import find_spec

    spec = find_spec("skimage")
    if spec is None or spec.origin is None:
        return []
    return [path for path in sorted((Path(spec.origin).parent / "data").glob("*.*")) if path.stem in PHOTOS]


def background(rng, size, pictures):
    """[H, W, 3] uint8, `LARGER` than size (width, height) px: a photo, a room or noise."""
    width, height = (int(LARGER * side) for side in size)
    kind = rng.random()
    if pictures and kind < 0.4:
        made = _photo(rng, width, height, pictures[rng.integers(len(pictures))])
    elif kind < 0.93:
        made = _room(rng, width, height)
    else:
        side = max(width, height)
        scale = int(rng.integers(8, 80))
        made = np.stack([128 + 70 * noise(rng, side, scale)[:height, :width] for _ in range(3)], axis=-1)
        made = 0.5 * made + 0.5 * colour(rng)
    return np.clip(made, 0, 255).astype(np.uint8)


def _photo(rng, width, height, path):
    import cv2

    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise UserError(f"{path}: not a picture that OpenCV reads. Take it out of the folder of backgrounds")
    picture = picture[..., ::-1]
    tall, wide = picture.shape[:2]
    share = rng.uniform(0.7, 1.0) * min(wide / width, tall / height)
    across, down = int(width * share), int(height * share)
    left, top = rng.integers(wide - across + 1), rng.integers(tall - down + 1)
    piece = picture[top : top + down, left : left + across][:, :: rng.choice([-1, 1])]
    piece = cv2.resize(np.ascontiguousarray(piece), (width, height), interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.5:
        piece = cv2.GaussianBlur(piece, (0, 0), rng.uniform(0.5, 6))
    return piece * rng.uniform(0.5, 1.15) * rng.uniform(0.85, 1.15, 3)


def _room(rng, width, height):
    """A floor, a wall and simple things that stand in front of it."""
    import cv2

    horizon = int(height * rng.uniform(0.45, 0.75))
    made = np.empty((height, width, 3))
    made[:horizon] = colour(rng, 60) * (1 + 0.08 * noise(rng, max(width, height), 60)[:horizon, :width, None])
    floor, joint = colour(rng), colour(rng)
    row = np.arange(horizon, height)[:, None] - horizon + 8.0
    depth = height / row
    across = (np.arange(width)[None] - width / 2) / row
    tile = rng.uniform(0.3, 2)
    marked = ((np.floor(depth / tile * 3) + np.floor(across / tile * 3)) % 2 == 0) & (rng.random() < 0.6)
    made[horizon:] = np.where(marked[..., None], floor, 0.6 * floor + 0.4 * joint)
    for _ in range(rng.integers(0, 9)):
        wide, tall = width * rng.uniform(0.04, 0.3), height * rng.uniform(0.05, 0.5)
        left = rng.uniform(-0.1, 1) * width
        low = horizon + rng.uniform(0, 0.08) * height if rng.random() < 0.6 else rng.uniform(0.1, 0.9) * horizon
        box = np.array([[left, low - tall], [left + wide, low - tall], [left + wide, low], [left, low]])
        tone = colour(rng)
        cv2.fillPoly(made, [box.astype(np.int32)], tone.tolist())
        if rng.random() < 0.5:
            cv2.polylines(made, [box.astype(np.int32)], True, (tone * 0.5).tolist(), int(rng.integers(1, 4)))
        if rng.random() < 0.5:  # the side of a box
            side = box[[1, 2, 2, 1]] + [[0, 0], [0, 0], [wide * 0.3, -tall * 0.05], [wide * 0.3, tall * 0.05]]
            cv2.fillPoly(made, [side.astype(np.int32)], (tone * 0.7).tolist())
    made = cv2.GaussianBlur(made, (0, 0), rng.uniform(0.5, 4))
    return made + 6 * noise(rng, max(width, height), 3)[:height, :width, None]


def occluders(rng, size):
    """[(corners [4, 2] px, colour [3])] of things that stand before the person; mostly none."""
    width, height = size
    things = []
    for _ in range(rng.choice([0, 1, 2], p=[0.8, 0.15, 0.05])):
        wide, tall = width * rng.uniform(0.08, 0.3), height * rng.uniform(0.1, 0.4)
        left = rng.uniform(0, 1) * width - wide / 2
        low = height * rng.choice([1.0, rng.uniform(0.6, 1.1)])
        box = np.array([[left, low - tall], [left + wide, low - tall], [left + wide, low], [left, low]])
        things.append((box + rng.normal(0, 0.02 * width, (4, 2)), colour(rng)))
    return things
