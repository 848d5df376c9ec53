"""BVH out: read back by forward kinematics of its text."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from lib.errors import UserError
from lib.formats import bvh
from lib.poses.skeletons import LAYOUTS, chain


def read_back(path):
    """({joint: places [T, 3]}, frame time) of a BVH file, by its hierarchy and channels."""
    words = iter(path.read_text().split())
    stack, joints, last = [], [], None
    for word in words:
        if word in ("ROOT", "JOINT"):
            joints.append({"name": next(words), "parent": stack[-1] if stack else None})
            last = len(joints) - 1
        elif word == "End":
            next(words)
            last = None
        elif word == "{":
            stack.append(last)
        elif word == "}":
            stack.pop()
        elif word == "OFFSET":
            offset = [float(next(words)) for _ in range(3)]
            if stack[-1] is not None and "offset" not in joints[stack[-1]]:
                joints[stack[-1]]["offset"] = np.array(offset)
        elif word == "CHANNELS":
            joints[stack[-1]]["channels"] = [next(words) for _ in range(int(next(words)))]
        elif word == "MOTION":
            break
    assert next(words) == "Frames:"
    frames = int(next(words))
    assert [next(words), next(words)] == ["Frame", "Time:"]
    step = float(next(words))
    values = np.array([float(word) for word in words]).reshape(frames, -1)
    places, turns, column = {}, {}, 0
    for number, joint in enumerate(joints):
        own = values[:, column : column + len(joint["channels"])]
        column += len(joint["channels"])
        rotation = Rotation.from_euler("ZXY", own[:, -3:], degrees=True).as_matrix()
        if joint["parent"] is None:
            places[number], turns[number] = own[:, :3], rotation
            continue
        places[number] = places[joint["parent"]] + turns[joint["parent"]] @ joint["offset"]
        turns[number] = turns[joint["parent"]] @ rotation
    return {joint["name"]: places[number] / 100 for number, joint in enumerate(joints)}, step


def test_joints_come_back(tmp_path):
    layout = LAYOUTS["h36m17"]
    rng = np.random.default_rng(0)
    rest, parents = rng.normal(0, 0.3, (17, 3)), layout.parents
    poses = np.zeros((20, 17, 3))
    for joint in bvh._downwards(layout, np.array(parents)):
        if parents[joint] < 0:
            poses[:, joint] = np.cumsum(rng.normal(0, 0.02, (20, 3)), axis=0)
            continue
        siblings = [child for child in range(17) if parents[child] == parents[joint]]
        turn = Rotation.from_rotvec(
            0.5 * np.sin(0.2 * np.arange(20))[:, None] * [[0.3, 1, 0.2]] * (1 + siblings[0] / 17)
        ).as_matrix()
        poses[:, joint] = poses[:, parents[joint]] + turn @ rest[joint]
    bvh.write(tmp_path / "walk.bvh", layout, *bvh.of_joints(poses, layout), fps=25)
    back, step = read_back(tmp_path / "walk.bvh")
    assert step == pytest.approx(0.04) and list(back) and set(back) == set(layout.joints)
    for joint, name in enumerate(layout.joints):
        np.testing.assert_allclose(back[name], poses[:, joint] * [1, -1, -1], atol=1e-4)


def test_joints_without_bones_are_refused():
    with pytest.raises(UserError, match="their names do not say which bones"):
        bvh.of_joints(np.zeros((3, 4, 3)), chain(4))
