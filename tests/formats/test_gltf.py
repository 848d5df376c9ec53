"""glTF out: read back by the specification, and by trimesh where it is installed."""

import json
import struct

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from lib.formats import bvh, gltf
from lib.poses.mapping import drawn_layout
from tests.formats.test_csv import NAMES
from tests.formats.walker import FRAMES, walk

WIDTHS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}
DTYPES = {5126: "<f4", 5123: "<u2", 5121: "u1"}


def opened(path):
    """(the JSON tree, accessor(number) -> array [n, width])."""
    content = path.read_bytes()
    magic, version, size = struct.unpack("<4sII", content[:12])
    assert (magic, version, size) == (b"glTF", 2, len(content)) and size % 4 == 0
    length, kind = struct.unpack("<I4s", content[12:20])
    tree, rest = json.loads(content[20 : 20 + length]), content[20 + length :]
    count, binary = struct.unpack("<I4s", rest[:8])
    assert (kind, binary) == (b"JSON", b"BIN\0") and count == len(rest) - 8 >= tree["buffers"][0]["byteLength"]

    def accessor(number):
        about = tree["accessors"][number]
        view = tree["bufferViews"][about["bufferView"]]
        assert view["byteOffset"] % 4 == 0
        data = np.frombuffer(rest[8:], DTYPES[about["componentType"]], view["byteLength"] // np.dtype(DTYPES[about["componentType"]]).itemsize, view["byteOffset"])  # fmt: skip
        data = data.reshape(about["count"], WIDTHS[about["type"]])
        for key, found in (("min", data.min(axis=0)), ("max", data.max(axis=0))):
            assert key not in about or np.allclose(about[key], found)
        return data

    return tree, accessor


@pytest.fixture
def written(tmp_path):
    poses = walk(3, 1.7)
    layout = drawn_layout("coco17", NAMES)
    made = bvh.of_joints(poses, layout)
    gltf.write(tmp_path / "walk.glb", layout, *made, 25.0)
    return tmp_path / "walk.glb", layout, poses, made


def test_joints_come_back_by_forward_kinematics(written):
    """Bones have the median length: joints are where bvh.py's own rotations put them."""
    path, layout, poses, (offsets, rotations, places) = written
    tree, accessor = opened(path)
    nodes, (animation,) = tree["nodes"], tree["animations"]
    turns, moved = {}, None
    for channel in animation["channels"]:
        sampler = animation["samplers"][channel["sampler"]]
        np.testing.assert_allclose(accessor(sampler["input"])[:, 0], np.arange(FRAMES) / 25, atol=1e-6)
        values = accessor(sampler["output"])
        if channel["target"]["path"] == "translation":
            assert channel["target"]["node"] == 0
            moved = values
        else:
            assert ((values[1:] * values[:-1]).sum(axis=1) > 0).all()  # the short way
            turns[channel["target"]["node"]] = Rotation.from_quat(values)
    found, above = {}, {0: (moved, turns[0])}
    for number, (place, turn) in iter_down(nodes, above, turns):
        found[nodes[number]["name"]] = place
    expected = {layout.joints[layout.root[0]]: places}
    order = bvh._downwards(layout, np.array(layout.parents))
    world = {}
    for joint in order:
        parent = layout.parents[joint]
        world[joint] = rotations[:, joint] if parent < 0 else world[parent] @ rotations[:, joint]
        if parent >= 0:
            expected[layout.joints[joint]] = expected[layout.joints[parent]] + world[parent] @ offsets[joint]
    assert found.keys() == expected.keys()
    for name, place in expected.items():
        np.testing.assert_allclose(found[name], place, atol=1e-5)


def iter_down(nodes, above, turns):
    waiting = [0]
    while waiting:
        number = waiting.pop()
        place, turn = above[number]
        yield number, (place, turn)
        for child in nodes[number].get("children", ()):
            above[child] = place + turn.apply(np.array(nodes[child]["translation"])), turn * turns[child]
            waiting.append(child)


def test_the_skin_rests_where_the_mesh_is(written):
    path, layout, _, _ = written
    tree, accessor = opened(path)
    (skin,), (mesh,) = tree["skins"], tree["meshes"]
    inverse = accessor(skin["inverseBindMatrices"]).reshape(-1, 4, 4)
    assert len(skin["joints"]) == layout.size and np.allclose(inverse[:, :3, :3], np.eye(3))
    (primitive,) = mesh["primitives"]
    corners, joints, weights = (accessor(primitive["attributes"][key]) for key in ("POSITION", "JOINTS_0", "WEIGHTS_0"))
    assert len(corners) == 6 * (layout.size - 1) and (weights.sum(axis=1) == 1).all() and joints.max() < layout.size
    np.testing.assert_allclose(corners[::6], -inverse[joints[::6, 0], 3, :3], atol=1e-6)  # a bone starts at its joint
    assert accessor(primitive["indices"]).max() < len(corners)


def test_another_program_reads_it(written):
    trimesh = pytest.importorskip("trimesh")
    scene = trimesh.load(written[0])
    (mesh,) = scene.geometry.values()
    assert len(mesh.faces) == 8 * 16 and set(NAMES) <= set(scene.graph.nodes)
