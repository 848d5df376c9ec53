"""glTF out (binary, .glb): SMPL rotations, or 3D joints whose bones are known, as a skinned animation for Blender and browsers.

A node per joint whose translation is its offset from its parent (m, y up), a channel of rotations for each, one of places for the
root, and a bone-shaped mesh moved by them, so that there is something to see. Khronos Group, glTF 2.0 specification.
"""

import json
import struct

import numpy as np
from scipy.spatial.transform import Rotation

from ..files import write_bytes

FLOAT, SHORT, BYTE = 5126, 5123, 5121  # component types
TYPES = {1: "SCALAR", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
THICK, WAIST = 0.08, 0.2  # of a bone: half its width, and where it is widest, as shares of its length


class _Buffer:
    """The binary chunk, and the accessors into it."""

    def __init__(self):
        self.bytes, self.views, self.accessors = bytearray(), [], []

    def add(self, array, component, bounds=False):
        """Append an array [n, width]; returns the accessor's number."""
        data = np.ascontiguousarray(array).tobytes()
        self.bytes += b"\0" * (-len(self.bytes) % 4)
        self.views.append({"buffer": 0, "byteOffset": len(self.bytes), "byteLength": len(data)})
        self.bytes += data
        accessor = {
            "bufferView": len(self.views) - 1,
            "componentType": component,
            "count": len(array),
            "type": TYPES[array.shape[1]],
        }
        if bounds:
            accessor |= {"min": array.min(axis=0).tolist(), "max": array.max(axis=0).tolist()}
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def write(path, layout, offsets, rotations, places, fps):
    """Write one person; arguments as of `bvh.write`."""
    parents, buffer = layout.parents, _Buffer()
    order = [layout.root[0]]
    for joint in order:
        order += [child for child, parent in enumerate(parents) if parent == joint]
    node = {joint: number for number, joint in enumerate(order)}
    offsets = np.where(np.arange(len(offsets))[:, None] == layout.root[0], 0.0, offsets)
    nodes, rest = [], np.zeros((len(offsets), 3))
    for joint in order:
        if parents[joint] >= 0:
            rest[joint] = rest[parents[joint]] + offsets[joint]
        children = [node[child] for child, parent in enumerate(parents) if parent == joint]
        one = {"name": layout.joints[joint], "translation": offsets[joint].tolist()}
        nodes.append(one | ({"children": children} if children else {}))
    nodes.append({"name": "bones", "mesh": 0, "skin": 0})
    inverse = np.tile(np.eye(4, dtype=np.float32), (len(order), 1, 1))
    inverse[:, 3, :3] = -rest[order]  # columns first: the translation is the last row
    skin = {
        "joints": list(range(len(order))),
        "skeleton": 0,
        "inverseBindMatrices": buffer.add(inverse.reshape(-1, 16), FLOAT),
    }
    tree = {
        "asset": {"version": "2.0", "generator": "synsp"},
        "scene": 0,
        "scenes": [{"nodes": [0, len(nodes) - 1]}],
        "nodes": nodes,
        "skins": [skin],
        "meshes": [{"primitives": [_bones(buffer, parents, rest, order, node)]}],
        "animations": [_animation(buffer, rotations[:, order], places, fps)],
    }
    tree |= {"bufferViews": buffer.views, "accessors": buffer.accessors, "buffers": [{"byteLength": len(buffer.bytes)}]}
    write_bytes(path, _packed(tree, bytes(buffer.bytes)))


def _bones(buffer, parents, rest, order, node):
    """A mesh primitive with a pointed double pyramid from each joint to each of its children, moved by the joint."""
    corners, triangles, joints = [], [], []
    for joint in order[1:]:
        start, end = rest[parents[joint]], rest[joint]
        along = end - start
        length = np.linalg.norm(along)
        across = np.cross(along, np.eye(3)[np.abs(along).argmin()])
        across *= THICK * length / max(np.linalg.norm(across), 1e-9)
        other = np.cross(along, across) / max(length, 1e-9)
        ring = start + WAIST * along + np.array([across, other, -across, -other])
        first = len(corners)
        corners += [start, *ring, end]
        for k in range(4):
            one, two = first + 1 + k, first + 1 + (k + 1) % 4
            triangles += [(first, two, one), (first + 5, one, two)]
        joints += [node[parents[joint]]] * 6
    if not corners:  # one joint alone
        corners, triangles, joints = [rest[order[0]]] * 3, [(0, 1, 2)], [0] * 3
    weights = np.zeros((len(corners), 4), dtype=np.float32)
    weights[:, 0] = 1
    moved = np.zeros((len(corners), 4), dtype=np.uint8)
    moved[:, 0] = joints
    attributes = {
        "POSITION": buffer.add(np.array(corners, dtype=np.float32), FLOAT, bounds=True),
        "JOINTS_0": buffer.add(moved, BYTE),
        "WEIGHTS_0": buffer.add(weights, FLOAT),
    }
    indices = buffer.add(np.array(triangles, dtype=np.uint16).reshape(-1, 1), SHORT)
    return {"attributes": attributes, "indices": indices}


def _animation(buffer, rotations, places, fps):
    """Rotations [T, J, 3, 3] of the nodes in their order and places [T, 3] of the first as linear channels."""
    times = buffer.add((np.arange(len(rotations)) / fps).astype(np.float32)[:, None], FLOAT, bounds=True)
    samplers, channels = [], []

    def channel(number, path, values):
        samplers.append({"input": times, "output": buffer.add(values.astype(np.float32), FLOAT)})
        channels.append({"sampler": len(samplers) - 1, "target": {"node": number, "path": path}})

    channel(0, "translation", places)
    for number in range(rotations.shape[1]):
        turns = Rotation.from_matrix(rotations[:, number]).as_quat()
        # q and -q are one rotation; players go from one to the next the short way.
        flips = np.cumprod(np.where((turns[1:] * turns[:-1]).sum(axis=1) < 0, -1, 1))
        turns[1:] *= flips[:, None]
        channel(number, "rotation", turns)
    return {"samplers": samplers, "channels": channels}


def _packed(tree, binary):
    """The two chunks of a .glb file."""
    text = json.dumps(tree).encode()
    text += b" " * (-len(text) % 4)
    binary += b"\0" * (-len(binary) % 4)
    size = 12 + 8 + len(text) + 8 + len(binary)
    return b"".join(
        (
            struct.pack("<4sII", b"glTF", 2, size),
            struct.pack("<I4s", len(text), b"JSON"),
            text,
            struct.pack("<I4s", len(binary), b"BIN\0"),
            binary,
        )
    )
