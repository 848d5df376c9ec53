"""Samples of the kinds of file that the tests of the formats write inside a test: libraries' files, body estimators, OpenSim.

`BUILDERS` {name: function(folder) -> path}; the folder is empty.
"""

import csv
import json
import pickle
import sys
import types
from pathlib import Path

import numpy as np

# Some installed packages bring a package `tests` of their own, which would be found before this folder without __init__.py.
ours = types.ModuleType("tests")
ours.__path__ = [str(Path(__file__).parents[1])]
sys.modules.setdefault("tests", ours)

from tests.formats import test_body_outputs as bodies  # noqa: E402
from tests.formats import test_json_files as trees  # noqa: E402
from tests.formats import test_tensors as tensors  # noqa: E402
from tests.formats.test_csv import NAMES  # noqa: E402
from tests.formats.test_ntu import ntu  # noqa: E402
from tests.formats.test_opensim import motion  # noqa: E402
from tests.formats.test_qualisys import qualisys  # noqa: E402
from tests.formats.walker import FRAMES, walk  # noqa: E402

PX = np.round(walk(2, 400.0, place=100.0), 3)


def slp(folder):
    import sleap_io

    skeleton, track = sleap_io.Skeleton(nodes=list(NAMES)), sleap_io.Track("a")
    video = sleap_io.Video(filename="clip.mp4", open_backend=False)
    frames = []
    for number, points in enumerate(PX):
        kind, more = (sleap_io.Instance, {}) if number == 4 else (
            sleap_io.PredictedInstance, {"point_scores": np.full(17, 0.8), "score": 0.9})  # fmt: skip
        one = kind.from_numpy(points, skeleton=skeleton, track=track, **more)
        frames.append(sleap_io.LabeledFrame(video=video, frame_idx=number, instances=[one]))
    labels = sleap_io.Labels(videos=[video], skeletons=[skeleton], tracks=[track], labeled_frames=frames)
    sleap_io.save_slp(labels, str(folder / "clip.slp"))
    return folder / "clip.slp"


def sleap_h5(folder):
    import h5py

    with h5py.File(folder / "analysis.h5", "w") as file:
        file["tracks"] = np.stack([PX, PX + 300]).transpose(0, 3, 2, 1)
        file["node_names"] = np.array(NAMES, dtype="S")
        file["track_names"] = np.array(["a", "b"], dtype="S")
        file["point_scores"] = np.full((2, 17, FRAMES), 0.8)
    return folder / "analysis.h5"


def deeplabcut_h5(folder):
    import pandas

    columns = pandas.MultiIndex.from_product(
        [["DLC"], NAMES, ["x", "y", "likelihood"]], names=["scorer", "bodyparts", "coords"]
    )
    values = np.concatenate([PX, np.full((FRAMES, 17, 1), 0.9)], axis=2).reshape(FRAMES, -1)
    table = pandas.DataFrame(values, columns=columns)
    table.to_hdf(folder / "dlc.h5", key="df_with_missing", format="table", mode="w")
    return folder / "dlc.h5"


def pose(folder):
    from pose_format import Pose
    from pose_format.numpy import NumPyPoseBody
    from pose_format.pose_header import PoseHeader, PoseHeaderComponent, PoseHeaderDimensions

    data = np.concatenate([PX, walk(3, 30.0)[..., 2:]], axis=2)[:, None].astype(np.float32)  # [T, 1, 17, 3]
    components = [PoseHeaderComponent("POSE_LANDMARKS", [name.upper() for name in NAMES], [], [], "XYZC")]
    body = NumPyPoseBody(25, np.ma.masked_array(data, np.zeros(data.shape, bool)), np.full(data.shape[:3], 0.9))
    with open(folder / "sign.pose", "wb") as file:
        Pose(PoseHeader(0.2, PoseHeaderDimensions(640, 480, 100), components), body).write(file)
    return folder / "sign.pose"


def c3d(folder):
    from lib.formats import c3d_file

    c3d_file.write_new(folder / "walk.c3d", NAMES, walk(3, 1.7), "m", 30.0)
    return folder / "walk.c3d"


def mot(folder):
    return motion(folder)[0]


def sto(folder):
    cells = np.array([[",".join(f"{value:.6f}" for value in point) for point in one] for one in walk(3, 1.7)])
    return motion(folder, NAMES, "no", cells, kind="Vec3", name="markers.sto")[0]


def prompthmr(folder):
    content = bodies.prompthmr()
    del content["people"][8]  # one person is enough
    return bodies.pickled(folder / "results.pkl", content)


def tram(folder):
    return tensors.saved(folder, tensors.tram())


def hybrik(folder):
    return bodies.pickled(folder / "res.pk", bodies.hybrik())


def sam3d(folder):
    return bodies.pickled(folder / "sam.pkl", bodies.sam3d()[0])


def sam3d_json(folder):
    (folder / "sam.json").write_text(json.dumps(bodies.sam3d(as_list=True)[0]))
    return folder / "sam.json"


def aist(folder):
    rotations = bodies.rotations(24).reshape(FRAMES, 72)
    content = {"smpl_poses": rotations, "smpl_trans": np.ones((FRAMES, 3)), "smpl_scaling": np.ones(1)}
    (folder / "aist.pkl").write_bytes(pickle.dumps(content))
    return folder / "aist.pkl"


def romp(folder):
    return bodies.romp(folder)[0]


def ultralytics(folder):
    (folder / "yolo.json").write_text(json.dumps(trees.ultralytics(text=False)))
    return folder / "yolo.json"


def ultralytics_csv(folder):
    with open(folder / "yolo.csv", "w", newline="") as file:
        lines = csv.writer(file)
        for people in trees.ultralytics(text=False):
            lines.writerow(people[0])
            lines.writerows(
                [[repr(cell) if isinstance(cell, dict) else cell for cell in one.values()] for one in people]
            )
    return folder / "yolo.csv"


def ultralytics_labels(folder):
    (folder / "labels").mkdir()
    for number, points in enumerate(PX / [1920, 1080], 1):
        cells = [0, 0.5, 0.5, 0.2, 0.4, *np.column_stack([points, trees.SCORE[number - 1]]).ravel(), 0.91, 1]
        (folder / "labels" / f"walk_{number}.txt").write_text(" ".join(f"{value:g}" for value in cells) + "\n")
    return folder / "labels"


def panoptic(folder):
    (folder / "hdPose3d").mkdir()
    for number, points in enumerate(trees.panoptic()):
        joints = np.column_stack([points, np.full(19, 0.9)]).ravel().tolist()
        tree = {"version": 0.7, "univTime": 33.3 * number, "bodies": [{"id": 0, "joints19": joints}]}
        (folder / "hdPose3d" / f"body3DScene_{number:08d}.json").write_text(json.dumps(tree))
    return folder / "hdPose3d"


def easymocap(folder):
    (folder / "clip").mkdir()
    for number, points in enumerate(walk(3, 1.7)):
        scored = np.column_stack([points, np.full(17, 0.9)]).tolist()
        (folder / "clip" / f"{number:06d}.json").write_text(json.dumps([{"id": 4, "keypoints3d": scored}]))
    return folder / "clip"


def recorded(folder):
    lines = [{"t": number / 30, "id": 1, "pose": one.tolist()} for number, one in enumerate(PX)]
    (folder / "stream.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    return folder / "stream.jsonl"


BUILDERS = {
    function.__name__: function
    for function in (
        slp, sleap_h5, deeplabcut_h5, pose, c3d, mot, sto, prompthmr, hybrik, sam3d, sam3d_json, aist, ultralytics,
        romp, ultralytics_csv, ultralytics_labels, panoptic, easymocap, recorded, tram, ntu, qualisys,
    )
}  # fmt: skip


def clips(folder):
    """Rendered clips and estimates of them in one folder, for `synsp pairs collect`."""
    from tests.pairs.conftest import clip

    for subject in ("ann", "bob", "cid"):
        joints, *_ = clip(folder, f"{subject}_c0", subject, frames=24)
        np.save(folder / f"{subject}_c0.npy", 1000 * (joints - joints[:, :1]) * [1, -1, -1])
    return folder
