"""Somebody who walks, as rigid bones: for readers that tell by the contents."""

import numpy as np

FRAMES = 24
# A person who walks, joints of COCO-17 at rest in body heights (x right, y down), z towards the camera.
REST = np.array(
    [[0, 0.1, 0.1], [0.03, 0.07, 0.08], [-0.03, 0.07, 0.08], [0.06, 0.08, 0], [-0.06, 0.08, 0], [0.12, 0.2, 0], [-0.12, 0.2, 0],
     [0.15, 0.36, 0], [-0.15, 0.36, 0], [0.16, 0.5, 0], [-0.16, 0.5, 0], [0.08, 0.52, 0], [-0.08, 0.52, 0], [0.09, 0.75, 0],
     [-0.09, 0.75, 0], [0.09, 0.98, 0], [-0.09, 0.98, 0]]
)  # fmt: skip


def walk(dims, height, frames=FRAMES, place=0.0, seed=0):
    """[T, 17, dims]: the limbs swing as rigid bones about hips and shoulders."""
    rng, poses = np.random.default_rng(seed), np.repeat(REST[None], frames, axis=0)
    turn = 0.5 * np.sin(2 * np.pi * 0.9 * np.arange(frames) / 30)
    for side, (hub, *limb) in enumerate(((5, 7, 9), (6, 8, 10), (11, 13, 15), (12, 14, 16))):
        angle = turn * (-1) ** (side + side // 2)
        offset = REST[limb] - REST[hub]
        poses[:, limb, 1] = REST[hub, 1] + offset[:, 1] * np.cos(angle)[:, None]
        poses[:, limb, 2] = REST[hub, 2] + offset[:, 1] * np.sin(angle)[:, None]
        poses[:, limb, 0] += 0.05 * np.sin(angle)[:, None]
    poses = poses + rng.normal(0, 0.003, poses.shape)
    poses[..., 0] += np.linspace(0, 0.5, frames)[:, None]
    return (poses * height + place)[..., :dims]
