"""One small file of every kind, built from one synthetic motion by the published schema of the tool."""

import json
import pickle
import warnings
from collections import defaultdict, namedtuple

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

# path; format; tracks: [(id, or None where the file has none, start, poses [T, J, D] with NaN)] in any order.
Sample = namedtuple("Sample", "path format tracks")
FRAMES = 12


def motion(joints, dims, person=0, frames=FRAMES, unit=100.0):
    """Key points [T, J, D] of somebody who walks: a body of `unit` height that moves and swings its limbs."""
    generator = np.random.default_rng(person)
    time = np.arange(frames)[:, None, None]
    rest = np.random.default_rng(joints).uniform(0.1, 1, size=(1, joints, dims))  # bodies are alike
    phase = np.sin(0.5 * time + np.arange(joints)[None, :, None])
    swing = generator.uniform(0.01, 0.05, size=(1, joints, dims)) * phase
    walk = 0.02 * time * (1 if person % 2 else -1) + 3.0 * person + 1
    return np.round(unit * (rest + swing + walk), 3)


def scores(joints, person=0, frames=FRAMES):
    return np.round(np.random.default_rng(100 + person).uniform(0.2, 0.99, size=(frames, joints)), 4)


def flat(poses, confidence):
    """x, y, c, x, y, c, … of one frame; a NaN key point is 0, 0, 0."""
    rows = np.column_stack([poses, confidence])
    rows[np.isnan(poses).any(axis=1)] = 0
    return rows.ravel().tolist()


def write_json(path, tree):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(tree))
    return path


def two_people(joints, dims=2, unit=100.0):
    """Two tracks [(id, start, poses)], the second from frame 2 to 8; key points missing here and there."""
    first, second = motion(joints, dims, 0, unit=unit), motion(joints, dims, 1, unit=unit)[2:9]
    first[3, 1], first[4:6, 0], second[2, joints - 1] = np.nan, np.nan, np.nan
    return [(0, 0, first), (1, 2, second)]


def present(tracks, frame):
    """[(number of the track, poses [J, D] of the frame)] of the people in it."""
    return [
        (number, poses[frame - start])
        for number, (_, start, poses) in enumerate(tracks)
        if 0 <= frame - start < len(poses)
    ]


def openpose(folder, joints=25, key="pose_keypoints_2d"):
    tracks = two_people(joints)
    hand = motion(21, 2, 0) + 7
    for frame in range(FRAMES):
        people = []
        for number, pose in present(tracks, frame):
            people.append(
                {
                    "person_id": [-1],
                    key: flat(pose, scores(joints, number)[frame]),
                    "face_keypoints_2d": [],
                    "hand_left_keypoints_2d": flat(hand[frame], scores(21)[frame]) if number == 0 else [],
                    "hand_right_keypoints_2d": [],
                    "pose_keypoints_3d": [],
                }
            )
        if frame % 2:  # the order of people is not stable
            people.reverse()
        write_json(folder / "clip" / f"walk_{frame + 5:012d}_keypoints.json", {"version": 1.3, "people": people})
    write_json(folder / "clip" / f"walk_{FRAMES + 5:012d}_keypoints.json", {"version": 1.3, "people": []})
    return Sample(folder / "clip", "openpose", tracks + [(0, 0, hand)])


def openpose_coco(folder):
    return openpose(folder, 18, "pose_keypoints")


def alphapose(folder, joints=17):
    tracks = [(identity + 1, start, poses) for identity, start, poses in two_people(joints)]
    for _, _, poses in tracks:  # AlphaPose never writes a missing joint
        poses[np.isnan(poses)] = 321.5
    items = []
    for frame in range(FRAMES):
        for number, pose in present(tracks, frame):
            items.append(
                {
                    "image_id": f"{frame}.jpg",
                    "category_id": 1,
                    "keypoints": flat(pose, 4 * scores(joints, number)[frame]),
                    "score": 2.9,
                    "box": [1.5, 2.5, 30.0, 40.0],
                    "idx": [[number + 1]] if frame % 3 == 0 else number + 1,
                }
            )
    return Sample(write_json(folder / "alphapose-results.json", items), "alphapose", tracks)


def alphapose_open(folder, form="open"):
    tracks = two_people(18)
    images = {}
    for frame in range(FRAMES):
        people = [
            {"joints" if form == "cmu" else "pose_keypoints_2d": flat(pose, scores(18, number)[frame])}
            for number, pose in present(tracks, frame)
        ]
        images[f"{frame:04d}.jpg"] = {"version": "AlphaPose v0.3", "bodies" if form == "cmu" else "people": people}
    return Sample(write_json(folder / "alphapose-results.json", images), "alphapose", tracks)


def alphapose_cmu(folder):
    return alphapose_open(folder, "cmu")


def mmpose(folder, dims=2, names=None, wrap=False):
    tracks = [(None, start, np.where(np.isnan(poses), 55.0, poses)) for _, start, poses in two_people(17, dims)]
    frames = []
    for frame in range(FRAMES):
        instances = []
        for number, pose in present(tracks, frame):
            points, conf = pose.tolist(), scores(17, number)[frame].tolist()
            instances.append(
                {
                    "keypoints": [points] if wrap else points,
                    "keypoint_scores": [conf] if wrap else conf,
                    "bbox": [[1.0, 2.0, 3.0, 4.0]],
                    "bbox_score": 0.9,
                }
            )
        frames.append({"frame_id": frame + (names is not None), "instances": instances})
    frames.append({"frame_id": FRAMES + (names is not None), "instances": []})
    tree = frames
    if names is not None:
        meta = {"keypoint_id2name": {str(i): name for i, name in enumerate(names)}, "num_keypoints": 17}
        tree = {"meta_info": meta, "instance_info": frames}
    return Sample(write_json(folder / "results.json", tree), "mmpose", tracks)


H36M_OF_MMPOSE = (
    "root right_hip right_knee right_foot left_hip left_knee left_foot spine thorax neck_base "
    "head left_shoulder left_elbow left_wrist right_shoulder right_elbow right_wrist"
).split()


def mmpose_demo_3d(folder):
    return mmpose(folder, 3, H36M_OF_MMPOSE, wrap=True)


def mmpose_images(folder):
    """Image input: one list of instances a file."""
    tracks = [(None, 0, motion(17, 2))]
    for frame in range(FRAMES):
        write_json(
            folder / "predictions" / f"{frame:06d}.json",
            [{"keypoints": tracks[0][2][frame].tolist(), "keypoint_scores": scores(17)[frame].tolist()}],
        )
    return Sample(folder / "predictions", "mmpose", tracks)


def nested_results(as_array=False):
    tracks = two_people(17)
    results = []
    for frame in range(FRAMES):
        people = []
        for number, pose in present(tracks, frame):
            points = np.array(flat(pose, scores(17, number)[frame])).reshape(-1, 3)
            people.append(
                {
                    "bbox": [1.0, 2.0, 3.0, 4.0, 0.9],
                    "keypoints": points if as_array else points.tolist(),
                    "track_id": number,
                    "area": 12.5,
                }
            )
        results.append(people)
    return results + [[]], tracks


def mmpose0(folder):
    results, tracks = nested_results()
    return Sample(write_json(folder / "results.json", results), "mmpose0", tracks)


def landmarks(poses, confidence):
    return [
        {"x": x, "y": y, "z": z, "visibility": c, "presence": 0.75}
        for (x, y, z), c in zip(poses.tolist(), confidence.tolist())
    ]


def mediapipe(folder):
    poses = motion(33, 3, unit=0.3)
    frames = [landmarks(pose, conf) for pose, conf in zip(poses, scores(33))]
    frames[4] = None
    frames[5] = []
    poses[4:6] = np.nan
    return Sample(
        write_json(folder / "landmarks.json", frames), "mediapipe", [(0, 0, poses[..., :2]), (0, 0, poses[..., 2:])]
    )


def world(frames=FRAMES, person=0):
    poses = motion(33, 3, person, frames, unit=1.0)
    return poses - poses[:, 23:25].mean(axis=1, keepdims=True)


def mediapipe_people(folder):
    """Image and world landmarks, two people, in the nesting of PoseLandmarkerResult."""
    image, metres = [motion(33, 3, 0, unit=0.1), motion(33, 3, 1, unit=0.1)], [world(), world(person=1)]
    frames = [
        {
            "timestamp_ms": 40 * frame + 7,
            "pose_landmarks": [landmarks(poses[frame], scores(33)[frame]) for poses in image],
            "pose_world_landmarks": [landmarks(poses[frame], scores(33)[frame]) for poses in metres],
        }
        for frame in range(FRAMES)
    ]
    tracks = [
        (number, 0, piece)
        for number in (0, 1)
        for piece in (image[number][..., :2], image[number][..., 2:], metres[number])
    ]
    return Sample(write_json(folder / "people.json", frames), "mediapipe", tracks)


def coco_results(folder):
    tracks = [(None, start, np.where(np.isnan(poses), 5.0, poses)) for _, start, poses in two_people(17)]
    items = [
        {"image_id": 40 + frame, "category_id": 1, "keypoints": flat(pose, scores(17, number)[frame]), "score": 0.7}
        for frame in range(FRAMES)
        for number, pose in present(tracks, frame)
    ]
    return Sample(write_json(folder / "results.json", items), "coco", tracks)


COCO = (
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow "
    "left_wrist right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle"
).split()


def coco_annotations(folder):
    tracks = [(identity + 4, start, np.round(poses)) for identity, start, poses in two_people(17)]
    images, annotations = [], []
    for frame in range(FRAMES):
        images.append({"id": frame + 1, "width": 1920, "height": 1080, "file_name": f"clip/frame_{frame:06d}.png"})
        for number, pose in present(tracks, frame):
            numbers = [int(value) for value in flat(pose, np.full(17, 2))]
            numbers[-1] = min(numbers[-1], 1)  # one that is hidden
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": frame + 1,
                    "category_id": 1,
                    "iscrowd": 0,
                    "bbox": [1, 2, 3, 4],
                    "num_keypoints": 17,
                    "keypoints": numbers,
                    "attributes": {"occluded": False, "track_id": number + 4},
                }
            )
    annotations.append({"id": 999, "image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1]})  # a box alone
    tree = {
        "licenses": [{"name": "", "id": 0}],
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "person", "keypoints": COCO, "skeleton": [[1, 2]]}],
    }
    return Sample(write_json(folder / "annotations.json", tree), "coco", tracks)


def npy(folder):
    poses = motion(5, 3, unit=1.0).astype(np.float32)
    poses[2, 1] = np.nan
    np.save(folder / "poses.npy", poses)
    return Sample(folder / "poses.npy", "npy", [(0, 0, poses.astype(float))])


def npy_people(folder):
    poses = np.stack([motion(17, 2, person) for person in (0, 1)])
    np.save(folder / "people.npy", poses)
    return Sample(folder / "people.npy", "npy", [(0, 0, poses[0]), (1, 0, poses[1])])


def npy_flat(folder):
    poses = motion(17, 3, unit=1.0)
    np.save(folder / "flat.npy", np.asfortranarray(poses.reshape(FRAMES, 51)))
    return Sample(folder / "flat.npy", "npy", [(0, 0, poses)])


def npy_scored(folder):
    """x, y in pixels and a confidence."""
    poses, confidence = motion(17, 2), scores(17)
    confidence[3, 4] = 0
    array = np.dstack([poses, confidence])
    poses[3, 4] = np.nan
    np.save(folder / "scored.npy", array)
    return Sample(folder / "scored.npy", "npy", [(0, 0, poses)])


def freemocap(folder):
    poses = motion(33, 3, unit=900.0)
    poses[5:7, 11] = np.nan
    np.save(folder / "mediapipe_body_3d_xyz.npy", poses)
    return Sample(folder / "mediapipe_body_3d_xyz.npy", "npy", [(0, 0, poses)])


def npz(folder):
    poses = motion(17, 2).astype(np.float32)
    np.savez_compressed(
        folder / "poses.npz",
        meta=np.array(["camera", "é"]),
        keypoints=poses,
        fps=np.array(25.0),
        scores=scores(17).astype(np.float16),
        timestamps=np.arange(FRAMES) / 25,
    )
    return Sample(folder / "poses.npz", "npz", [(0, 0, poses.astype(float))])


def amass(folder):
    rotations = 0.1 * motion(22, 3, unit=1.0)
    poses = np.zeros((FRAMES, 156))
    poses[:, :66] = rotations.reshape(FRAMES, 66)
    np.savez(
        folder / "stageii.npz",
        trans=np.ones((FRAMES, 3)),
        poses=poses,
        betas=np.zeros(16),
        mocap_framerate=np.array(120.0),
    )
    return Sample(folder / "stageii.npz", "npz", [(0, 0, rotations)])


def objects(items):
    array = np.empty(len(items), dtype=object)
    for index, item in enumerate(items):
        array[index] = item
    return array


def sequences(folder):
    first, second = motion(17, 3, 0, 12, 1.0).astype(np.float32), motion(17, 3, 1, 9, 1.0).astype(np.float32)
    names = [
        np.array([f"clip{number}/{frame:05d}.jpg" for frame in range(len(poses))])
        for number, poses in enumerate((first, second))
    ]
    np.savez(
        folder / "h36m_fcn_3D_test.npz",
        imgname=objects(names),
        joints_3d=objects([first.reshape(12, 51), second.reshape(9, 51)]),
    )
    return Sample(
        folder / "h36m_fcn_3D_test.npz", "sequences", [(0, 0, first.astype(float)), (1, 0, second.astype(float))]
    )


def sequences_smpl(folder):
    poses = [0.1 * motion(24, 3, person, frames, 1.0) for person, frames in ((0, 12), (1, 12))]
    np.savez(
        folder / "aist_spin_smpl_test.npz",
        pose=objects([pose.reshape(12, 72) for pose in poses]),
        shape=objects([np.full((12, 10), 0.5)] * 2),
        trans=objects([np.full((12, 3), 1.5)] * 2),
    )
    return Sample(folder / "aist_spin_smpl_test.npz", "sequences", [(0, 0, poses[0]), (1, 0, poses[1])])


def videopose3d(folder):
    cameras = [motion(17, 2, person).astype(np.float32) for person in (0, 1)]
    content = {"S1": {"Walking 1": cameras, "Sitting": [motion(17, 2, 2, 7).astype(np.float32)]}}
    metadata = {"layout_name": "h36m", "num_joints": 17, "keypoints_symmetry": [[4, 5, 6], [1, 2, 3]]}
    np.savez_compressed(folder / "data_2d_h36m.npz", positions_2d=content, metadata=metadata)
    tracks = [
        ("S1/Walking 1/0", 0, cameras[0].astype(float)),
        ("S1/Walking 1/1", 0, cameras[1].astype(float)),
        ("S1/Sitting/0", 0, content["S1"]["Sitting"][0].astype(float)),
    ]
    return Sample(folder / "data_2d_h36m.npz", "videopose3d", tracks)


def videopose3d_3d(folder):
    poses = motion(32, 3, unit=1.0).astype(np.float32)
    np.savez_compressed(folder / "data_3d_h36m.npz", positions_3d={"S9": {"Posing": poses}})
    return Sample(folder / "data_3d_h36m.npz", "videopose3d", [("S9/Posing", 0, poses.astype(float))])


def videopose3d_detections(folder):
    tracks = [(None, start, np.where(np.isnan(poses), 9.0, poses)) for _, start, poses in two_people(17)]
    boxes, keypoints = [], []
    for frame in range(FRAMES):
        people = [
            np.vstack([pose.T, np.zeros((1, 17)), scores(17, number)[frame]]) for number, pose in present(tracks, frame)
        ]
        boxes.append([[], np.ones((len(people), 5))])
        keypoints.append([[], np.array(people)])
    np.savez(
        folder / "demo.mp4.npz",
        boxes=objects(boxes),
        segments=objects([None] * FRAMES),
        keypoints=objects(keypoints),
        metadata={"w": 640, "h": 480},
    )
    return Sample(folder / "demo.mp4.npz", "videopose3d", tracks)


def trc(folder, end="\n"):
    names = ["Hip", "RHip", "RKnee", "Neck"]
    poses = motion(4, 3, unit=1.0)
    poses[2, 1], poses[7:9, 3] = np.nan, np.nan
    lines = [
        "PathFileType\t4\t(X/Y/Z)\twalk.trc",
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames",
        f"60\t60\t{FRAMES}\t4\tm\t60\t0\t{FRAMES}",
        "Frame#\tTime\t" + "\t\t\t".join(names) + "\t\t",
        "\t\t" + "\t".join(f"{axis}{number}" for number in range(1, 5) for axis in "XYZ"),
    ]
    for frame, pose in enumerate(poses):
        cells = ["" if np.isnan(value) else f"{value:.6f}" for value in pose.ravel()]
        lines.append("\t".join([str(frame + 1), f"{frame / 60:.5f}", *cells]))
    (folder / "walk.trc").write_bytes((end.join(lines) + end).encode())
    return Sample(folder / "walk.trc", "trc", [(0, 0, poses)])


def csv_table(folder):
    from lib.formats.tracks import JOINT_NAMES

    names = [name.upper() for name in JOINT_NAMES["mediapipe33"]]
    poses, confidence = motion(33, 3, unit=0.3), scores(33)
    lines = ["frame,time," + ",".join(f"{name}_{axis}" for name in names for axis in "xyzv") + ",note"]
    for frame in range(FRAMES):
        cells = [f"{value}" for row in np.column_stack([poses[frame], confidence[frame]]) for value in row]
        if frame == 6:
            cells = [""] * len(cells)
        lines.append(",".join([str(frame), f"{frame * 0.04:.2f}", *cells, '"a, b"']))
    poses[6] = np.nan
    (folder / "landmarks.csv").write_text("\n".join(lines) + "\n")
    return Sample(folder / "landmarks.csv", "csv", [(0, 0, poses[..., :2]), (0, 0, poses[..., 2:])])


def json_rows(folder):
    poses, confidence = motion(17, 2, unit=200) + 500, scores(17)
    rows = [
        {"frame": frame, "id": joint, "x": numbers[0], "y": numbers[1], "score": confidence[frame, joint], "note": None}
        for frame in range(FRAMES)
        for joint, numbers in enumerate(np.where(np.isnan(poses[frame]), None, poses[frame]).tolist())
    ]
    return Sample(write_json(folder / "rows.json", rows), "json_rows", [(0, 0, poses)])


def csv_people(folder):
    tracks = two_people(4)
    lines = ["track_id;frame;a_x;a_y;b_x;b_y;c_x;c_y;d_x;d_y"]
    for frame in range(FRAMES):
        for number, pose in present(tracks, frame):
            cells = ["" if np.isnan(value) else str(value) for value in pose.ravel()]
            lines.append(";".join([f"p{number}", str(frame + 3), *cells]))
    (folder / "people.csv").write_bytes(("\ufeff" + "\r\n".join(lines)).encode())
    return Sample(folder / "people.csv", "csv", [(f"p{number}", start, poses) for number, start, poses in tracks])


def rotations(person=0, joints=24, frames=FRAMES):
    return (0.1 * motion(joints, 3, person, frames, 1.0)).astype(np.float32)


def vibe(folder):
    people, tracks = {}, []
    for person, frames in ((1, np.arange(12)), (4, np.array([3, 4, 7, 8]))):
        pose = rotations(person, frames=len(frames))
        people[person] = {
            "pred_cam": np.ones((len(frames), 3), np.float32),
            "orig_cam": np.ones((len(frames), 4)),
            "pose": pose.reshape(-1, 72),
            "verts": np.ones((len(frames), 6, 3), np.float32),
            "betas": np.full((len(frames), 10), 0.25, np.float32),
            "joints2d": None,
            "bboxes": np.ones((len(frames), 4)),
            "frame_ids": frames,
        }
        poses = np.full((frames[-1] - frames[0] + 1, 24, 3), np.nan)
        poses[frames - frames[0]] = pose
        tracks.append((person, int(frames[0]), poses))
    with open(folder / "vibe_output.pkl", "wb") as file:
        pickle.dump(people, file)
    return Sample(folder / "vibe_output.pkl", "vibe", tracks)


def wham(folder):
    pose, root = rotations().reshape(-1, 72), rotations(1).reshape(-1, 72)
    people = defaultdict(dict)
    people[0] = {
        "pose": pose,
        "trans": np.ones((12, 3), np.float32),
        "pose_world": np.concatenate([root[:, :3], pose[:, 3:]], axis=1),
        "trans_world": np.zeros((12, 3), np.float32),
        "betas": np.zeros((12, 10), np.float32),
        "verts": np.ones((12, 5, 3), np.float32),
        "frame_ids": np.arange(12),
    }
    with open(folder / "wham_output.pkl", "wb") as file:
        pickle.dump(people, file)
    return Sample(
        folder / "wham_output.pkl",
        "wham",
        [(0, 0, people[0][key].reshape(12, 24, 3).astype(float)) for key in ("pose", "pose_world")],
    )


def phalp(folder):
    poses = [rotations(person).astype(float) for person in (0, 1)]
    poses[1] = poses[1][:9]
    frames = {}
    for frame in range(FRAMES):
        entry = {
            "time": frame,
            "shot": 0,
            "tid": [],
            "bbox": [],
            "tracked_ids": [],
            "tracked_time": [],
            "conf": [],
            "smpl": [],
            "camera": [],
            "3d_joints": [],
        }
        for person in (1, 0):
            lost = frame - 8 if person == 1 and frame > 8 else 0
            matrices = Rotation.from_rotvec(poses[person][min(frame, len(poses[person]) - 1)]).as_matrix()
            entry["tid"].append(person + 5)
            entry["bbox"].append(np.array([1.0, 2.0, 3.0, 4.0]))
            entry["tracked_time"].append(lost)
            entry["conf"].append(0.9)
            entry["smpl"].append(
                {
                    "global_orient": matrices[:1].astype(np.float32),
                    "body_pose": matrices[1:].astype(np.float32),
                    "betas": np.zeros(10, np.float32),
                }
            )
            entry["camera"].append(np.ones(3))
            entry["3d_joints"].append(np.ones((45, 3), np.float32))
        frames[f"_DEMO/walk/img/{frame + 1:06d}.jpg"] = entry
    with open(folder / "demo_walk.pkl", "wb") as file:
        pickle.dump(frames, file)
    return Sample(folder / "demo_walk.pkl", "phalp", [(5, 0, poses[0]), (6, 0, poses[1])])


def gvhmr(folder):
    import torch

    pose, root = torch.from_numpy(rotations(0, 22)), torch.from_numpy(rotations(1, 1))
    body = pose[:, 1:].reshape(12, 63)
    content = {
        "smpl_params_global": {
            "body_pose": body.clone(),
            "betas": torch.zeros(12, 10),
            "global_orient": root.reshape(12, 3),
            "transl": torch.ones(12, 3),
        },
        "smpl_params_incam": {
            "body_pose": body.clone(),
            "betas": torch.zeros(12, 10),
            "global_orient": pose[:, 0].contiguous(),
            "transl": torch.ones(12, 3),
        },
        "K_fullimg": torch.eye(3).repeat(12, 1, 1),
        "net_outputs": {"static": torch.zeros(12, 6)},
    }
    torch.save(content, folder / "hmr4d_results.pt")
    return Sample(
        folder / "hmr4d_results.pt",
        "gvhmr",
        [(0, 0, pose.numpy().astype(float)), (0, 0, torch.cat([root, pose[:, 1:]], dim=1).numpy().astype(float))],
    )


BUILDERS = {
    function.__name__: function
    for function in (
        openpose,
        openpose_coco,
        alphapose,
        alphapose_open,
        alphapose_cmu,
        mmpose,
        mmpose_demo_3d,
        mmpose_images,
        mmpose0,
        mediapipe,
        mediapipe_people,
        coco_results,
        coco_annotations,
        npy,
        npy_people,
        npy_flat,
        npy_scored,
        freemocap,
        npz,
        amass,
        sequences,
        sequences_smpl,
        videopose3d,
        videopose3d_3d,
        videopose3d_detections,
        trc,
        csv_table,
        csv_people,
        json_rows,
        vibe,
        wham,
        phalp,
        gvhmr,
    )
}


@pytest.fixture(autouse=True)
def nothing_is_warned_of():
    """Remarks of numpy and of readers mean nothing to the user."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        warnings.simplefilter("error", UserWarning)
        yield


@pytest.fixture(params=BUILDERS)
def sample(request, tmp_path):
    """Each kind of file in turn."""
    (tmp_path / "in").mkdir()
    return BUILDERS[request.param](tmp_path / "in")


@pytest.fixture
def build(tmp_path):
    """build(kind): one file of that kind."""

    def make(kind):
        (tmp_path / "in").mkdir(exist_ok=True)
        return BUILDERS[kind](tmp_path / "in")

    return make


@pytest.fixture
def nested():
    """`nested_results`, MMPose 0.x results in memory."""
    return nested_results
