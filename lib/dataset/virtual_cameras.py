"""A single-view 3D set filmed by several virtual cameras: a set for several views, or one of 2D key points.

    python -m lib.dataset.virtual_cameras data/poses/mocap_noise_3D data/poses/mmocap_noise_3D
    python -m lib.dataset.virtual_cameras data/poses/mocap_noise_3D data/poses/mocapfilm_noise_2D

The cameras stand around the person, about 360 / V degrees apart (+- 8 degrees, a normal deviate), looking up by 0 to 15
degrees. Ground truth is turned exactly; detections of the test split get simulated errors of their own in each view. Seeded
by clip and camera, so that the same command makes the same set.

For 2D the cameras are 5 m away and see 1000 x 1000 pixels at a focal length of 1145. Joints relative to the pelvis do not say
where a body goes: it goes as if the lower foot stood still, and the cameras travel with the slow part of that. More clips and
sides than a 2D set of one's own has are worth training on beside it: `--dataset_name own,mocapfilm`.
"""

import argparse
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from .. import errors
from ..errors import UserError
from ..poses.skeletons import LAYOUTS
from . import noise, storage

IMAGE, FOCAL, DISTANCE = 1000, 1145.0, 5.0  # pixels, pixels, metres
TRAVEL = 10.0  # frames: what of a path is slow


def cameras(clip, count):
    """The `count` rotations [V, 3, 3] from the clip's own frame into each camera's (x right, y down, z forward)."""
    rng = np.random.default_rng([*clip.encode()])
    yaw = np.arange(count) * 360 / count + rng.normal(0, 8, count)
    pitch = rng.uniform(0, 15, count)
    # Looking up turns the world down in the camera's frame, about x. (The shipped sets were filmed so.)
    return Rotation.from_euler("yx", np.stack((yaw, -pitch), axis=1), degrees=True).as_matrix()


def film(truth, clip, count):
    """Root-relative joints [T, J*3] as `count` cameras see them: a list of [T, J*3] float32."""
    joints = truth.reshape(len(truth), -1, 3)
    return [
        np.einsum("ij,tkj->tki", turn, joints).reshape(truth.shape).astype(np.float32) for turn in cameras(clip, count)
    ]


def path(joints, feet):
    """Where the root [T, 3] goes if at each moment the lower of the `feet` stands still, without the path's slow part.

    joints: root-relative [T, J, 3], y down.
    """
    low = np.array(feet)[joints[:-1, feet, 1].argmax(1)]
    rows = np.arange(len(joints) - 1)
    steps = joints[rows, low] - joints[rows + 1, low]
    root = np.concatenate((np.zeros((1, 3)), steps.cumsum(0)))
    return root - gaussian_filter1d(root, TRAVEL, axis=0, mode="nearest")


def projected(joints, root):
    """Root-relative joints [T, J, 3] of a body at `root` [T, 3] before the camera, as its pixels: [T, J*2] float32."""
    seen = joints + (root + [0, 0, DISTANCE])[:, None]
    pixels = FOCAL * seen[..., :2] / seen[..., 2:] + IMAGE / 2
    return pixels.reshape(len(pixels), -1).astype(np.float32)


def write_set(source, output, count):
    """Write the set in `source` as `count` cameras film it to `output`, of 2D key points if that is its name's last part.

    Returns the files. Raises UserError for other layouts.
    """
    source, output = Path(source), Path(output)
    flat = output.name.endswith("_2D")
    kind, key = ("2D", "joints_2d") if flat else ("3D", "joints_3d")
    found = sorted(source.glob("groundtruth/*_gt_3D_*.npz"))
    if not found:
        raise UserError(f"{source}: has no groundtruth/*_gt_3D_*.npz. Name the folder of a 3D set")
    dataset = output.name.split("_")[0]
    written = []
    for file in found:
        split = file.stem.rsplit("_", 1)[1]
        data = storage.read(file)
        layout = next(
            (LAYOUTS[name] for name in ("h36m17",) if LAYOUTS[name].size * 3 == data["joints_3d"][0].shape[1]), None
        )
        if layout is None:
            raise UserError(f"{file}: {data['joints_3d'][0].shape[1] // 3} joints, 17 in Human3.6M order expected")
        names, truths, detections = [], [], []
        for index, truth in enumerate(data["joints_3d"]):
            images = data["imgname"][index] if index < len(data.get("imgname", [])) else []
            clip = images[0].split("/")[0].rsplit(".camera", 1)[0] if images else f"clip{index:04d}"
            for number, seen in enumerate(film(truth, clip, count), 1):
                if flat:
                    joints = seen.reshape(len(seen), -1, 3).astype(float)
                    seen = projected(
                        joints, path(joints, [layout.joints.index(f"{side}_ankle") for side in ("right", "left")])
                    )
                names.append([f"{clip}.camera{number}/{frame:06d}" for frame in range(len(seen))])
                truths.append(seen)
                rng = np.random.default_rng([*f"{clip}.camera{number}".encode()])
                detections.append(noise.add_noise(seen, [len(seen)], "simulated", 0, layout, rng))
        written.append(output / "groundtruth" / f"{dataset}_gt_{kind}_{split}.npz")
        storage.write(written[-1], {"imgname": names, key: truths})
        if split != "train":
            written.append(output / "detected" / f"{output.name}_{split}.npz")
            storage.write(written[-1], {"imgname": names, key: detections})
    return written


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog=__doc__.split("\n\n")[1].strip())
    parser.add_argument("source", help="folder of a single-view 3D set")
    parser.add_argument("output", help="folder to write, <dataset>_<estimator>_3D or _2D")
    parser.add_argument("--cameras", type=int, default=4, metavar="V")
    args = parser.parse_args()
    if args.cameras < 1:
        raise UserError(f"--cameras {args.cameras}: at least 1")
    print("\n".join(map(str, write_set(args.source, args.output, args.cameras))))


if __name__ == "__main__":
    errors.run(main)
