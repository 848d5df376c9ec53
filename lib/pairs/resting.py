"""A body that sits, kneels or lies as a posture says, while its upper body moves as in a recording.

Axes as in body.py: x the person's left, y up, z ahead; the floor is y = 0. T frames, B bones, V vertices.
"""

import functools
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from . import body, motion, raster

SEATED_ON = ("Hips", "LHipJoint", "RHipJoint")  # the bones whose skin touches the seat
BACK = {"LowerBack": 1 / 3, "Spine": 2 / 3}  # the share of the back's bend that each carries; all above carry the whole
NECK = {"Neck": 1 / 3, "Neck1": 2 / 3}  # the same of the head's
LAIN_ON = (*SEATED_ON, *BACK, "Spine1", "LeftShoulder", "RightShoulder", "LeftUpLeg", "RightUpLeg")  # lying
SUNK = 3.0  # percent of a lying trunk's skin that is below what it lies on: both give way
SWAY = {False: 1.5, True: 0.5}  # degrees of the pelvis about its place, by whether the person lies
FIDGET = 2.0  # degrees of the legs
FLESH = 0.05  # m that elbows and wrists keep from what they lie on
THIGH = 0.07  # m from the hip to the top of the thigh
DOWN = np.array([0, -1.0, 0])
PROPS = np.arange(0, 75, 3.0)  # degrees by which a back may bend until the elbow stands on the floor


@dataclass(frozen=True)
class Rest:
    """A posed body: rotations [T, B, 3, 3] from rest to the world; roots [T, 3] m of the first bone's head; turn: [3, 3] about the
    vertical, to the way that the person sits or lies; seat: height in m of what carries the pelvis, 0: the floor."""

    rotations: np.ndarray
    roots: np.ndarray
    turn: np.ndarray
    seat: float


def pose(posture, person, rotations, fps, rng):
    """The `Rest` of a `body.Body` in a posture, for rotations [T, B, 3, 3] of a recording at `fps` and a numpy Generator."""
    turn = Rotation.from_euler("y", motion.facing(rotations)).as_matrix()
    sway = Rotation.from_rotvec(np.radians(SWAY[posture.lies]) * drift(rng, (len(rotations), 3), fps)).as_matrix()
    pelvis = sway @ turn @ _about("x", -posture.tilt) @ _about("y", posture.roll)
    made = _upper_body(posture, rotations, pelvis)
    _set_legs(posture, made, turn, fps, rng)
    for side in posture.elbows:
        made = _propped(posture, person, made, side)
    ground, seat = _heights(posture, person, made)
    _raise_arms(posture, person, made, turn, ground, seat)
    ground -= posture.bed + posture.dangling
    roots = np.tile([0, -ground, 0.0], (len(made), 1))
    return Rest(made, roots, turn, seat - ground if posture.kind == "seat" else posture.bed)


def drift(rng, shape, fps, seconds=0.7):
    """Slow random movement of standard deviation 1, [T, …], for a numpy Generator."""
    sigma, pad = seconds * fps, int(4 * seconds * fps) + 1
    noise = gaussian_filter1d(rng.normal(size=(shape[0] + 2 * pad, *shape[1:])), sigma, axis=0)[pad:-pad]
    return noise * np.sqrt(2 * np.sqrt(np.pi) * sigma)


def _about(axis, degrees):
    """Rotations about an axis by degrees (a number or [T])."""
    return Rotation.from_rotvec(np.multiply.outer(np.radians(degrees), np.eye(3)["xyz".index(axis)])).as_matrix()


@functools.cache
def _hanging_on(name):
    """The indices of a bone and of all that hang on it."""
    mesh = body.template()
    found = [mesh.bones.index(name)]
    for bone, parent in enumerate(mesh.parents):  # parents stand before their children
        if parent in found:
            found.append(bone)
    return found


def _upper_body(posture, rotations, pelvis):
    """Rotations [T, B, 3, 3] of a posture's pelvis [T, 3, 3], back and head, with a recording's movement above the pelvis."""
    mesh = body.template()
    made = np.empty_like(rotations)
    made[:, 0] = pelvis
    for bone, parent in enumerate(mesh.parents[1:], 1):
        local = rotations[:, parent].swapaxes(1, 2) @ rotations[:, bone]
        if posture.lies:
            straight = mesh.bones[bone] in (*BACK, "Spine1", *NECK, "Head")
            local = _calmed(local, posture.lively, straight)
        made[:, bone] = made[:, parent] @ local
    _bend(made, "Hips", BACK, (posture.bend[0], 0, posture.bend[1]))
    _bend(made, "Spine1", NECK, posture.head)
    return made


def _calmed(local, share, straight):
    """Rotations [T, 3, 3] of a bone against its parent, with a share of their movement; straight: about no rotation, else about their
    mean."""
    mean = np.eye(3) if straight else Rotation.from_matrix(local).mean().as_matrix()
    return mean @ Rotation.from_rotvec(share * Rotation.from_matrix(mean.T @ local).as_rotvec()).as_matrix()


def _bend(made, base, shares, degrees):
    """Turn the bones of `shares`, and all that hangs on them, against the bone `base` by degrees about its x, y, z. Changes `made`."""
    mesh = body.template()
    frame = made[:, mesh.bones.index(base)].copy()
    for bone in _hanging_on(next(iter(shares))):
        share = shares.get(mesh.bones[bone], 1.0)
        turned = Rotation.from_rotvec(share * np.radians(degrees)).as_matrix()
        made[:, bone] = frame @ turned @ frame.swapaxes(1, 2) @ made[:, bone]


def _set_legs(posture, made, turn, fps, rng):
    """Pose the legs in `made`: a lying person's against the pelvis, others' against the floor."""
    mesh = body.template()
    frame = made[:, 0] if posture.lies else turn
    for leg, name, side in zip(posture.legs, ("Left", "Right"), (1, -1)):
        drawn = np.array([leg.flexion, leg.knee, side * leg.spread])
        flexion, knee, spread = (drawn + FIDGET * drift(rng, (len(made), 3), fps)).T
        outwards = _about("z", side * leg.aside) @ _about("y", spread)
        thigh = frame @ outwards @ _about("x", -flexion) @ _about("y", side * leg.twist)
        shank = thigh @ _about("x", np.maximum(knee, 0))
        foot = turn @ _about("y", spread + side * leg.twist) if leg.foot is None else shank @ _about("x", leg.foot)
        upper, lower, sole, toes = (mesh.bones.index(name + part) for part in ("UpLeg", "Leg", "Foot", "ToeBase"))
        made[:, upper] = thigh @ motion.swing(mesh.heads[lower] - mesh.heads[upper], DOWN)
        made[:, lower] = shank @ motion.swing(mesh.heads[sole] - mesh.heads[lower], DOWN)
        made[:, [sole, toes]] = foot[:, None]


def _heights(posture, person, made):
    """Heights in m, where the pelvis is at 0: (of the floor or bed that bears the body, of a seat)."""
    mesh = body.template()
    owner = np.array(mesh.bones)[mesh.indices[np.arange(len(mesh.weights)), mesh.weights.argmax(axis=1)]]
    arms = [mesh.bones[bone] for side in ("Left", "Right") for bone in _hanging_on(f"{side}Arm")]
    bearing = np.isin(owner, LAIN_ON) if posture.lies else ~np.isin(owner, arms)
    seated = np.isin(owner, SEATED_ON)
    chosen = made[[0, len(made) // 2, -1]]
    heads, _ = body.pose(person, chosen, np.zeros((len(chosen), 3)))
    skin, found = person.vertices.astype(np.float32), []
    for moves in body.moves(person, chosen, heads):
        places, normals = np.empty_like(skin), np.empty_like(skin)
        raster.skin(skin, skin, mesh.weights, mesh.indices, moves, places, normals)
        ground = np.percentile(places[bearing, 1], SUNK if posture.lies else 0.0)
        found.append((ground, places[seated, 1].min()))
    return np.mean(found, axis=0)


def _propped(posture, person, made, side):
    """`made` with the back bent so far that the shoulder of a side stands on its elbow, and with the arm so."""
    name = "Left" if side > 0 else "Right"
    arm, fore = (body.template().bones.index(name + part) for part in ("Arm", "ForeArm"))
    upper = np.linalg.norm(person.heads[fore] - person.heads[arm])
    both = len(posture.elbows) > 1
    for angle in PROPS if side == posture.elbows[0] else (0,):  # the second elbow finds the back bent
        bent = made.copy()
        _bend(bent, "Hips", BACK, (-angle, 0, 0) if both else (0, 0, side * angle))
        heads, _ = body.pose(person, bent, np.zeros((len(bent), 3)))
        if heads[:, arm, 1].mean() - _heights(posture, person, bent)[0] > upper + FLESH:
            break
    up, ahead = bent[:, 0, :, 1], bent[:, 0, :, 2]
    forwards = (up if both else ahead) * (1, 0, 1)
    _point(person, bent, name + "Arm", name + "ForeArm", DOWN + 0.15 * forwards)
    _point(person, bent, name + "ForeArm", name + "Hand", forwards)
    return bent


def _raise_arms(posture, person, made, turn, ground, seat):
    """Lift elbows and wrists that are within the floor, the bed, the thighs or the table. Changes `made`."""
    bones = body.template().bones
    ahead = made[:, 0, :, 2] if posture.lies else turn[:, 2]
    wrist = ground + FLESH
    if posture.on_thighs:
        heads, _ = body.pose(person, made, np.zeros((len(made), 3)))
        wrist = heads[:, bones.index("LeftUpLeg"), 1] + THIGH
    if posture.table:
        wrist = seat + posture.table * person.leg + FLESH
    for name, side in (("Left", 1), ("Right", -1)):
        if side not in posture.elbows:
            _lift(person, made, name + "Arm", name + "ForeArm", ground + FLESH, ahead)
            _lift(person, made, name + "ForeArm", name + "Hand", wrist, ahead)


def _lift(person, made, bone, end, lowest, ahead):
    """Turn a bone so that its end is no lower than `lowest` (m or [T]), a little towards `ahead` the more it is turned."""
    place, last = (body.template().bones.index(name) for name in (bone, end))
    heads, _ = body.pose(person, made, np.zeros((len(made), 3)))
    along = heads[:, last] - heads[:, place]
    length = np.linalg.norm(along, axis=1)
    needed = np.minimum(lowest - heads[:, place, 1], 0.95 * length) / length
    direction = along / length[:, None]
    lacking = np.maximum(needed - direction[:, 1], 0)[:, None]
    flat = (direction + lacking * ahead) * (1, 0, 1)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True) + 1e-9
    high = np.maximum(needed, direction[:, 1])[:, None]
    raised = flat * np.sqrt(np.maximum(1 - high**2, 0)) + high * [0, 1.0, 0]
    _point(person, made, bone, end, np.where(lacking > 0, raised, direction))


def _point(person, made, bone, end, direction):
    """Turn a bone, and all that hangs on it, the shortest way so that its end lies in a direction [T, 3]. Changes `made`."""
    place, last = (body.template().bones.index(name) for name in (bone, end))
    along = made[:, place] @ (person.heads[last] - person.heads[place])
    along, direction = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (along, direction))
    axis = np.cross(along, direction)
    sine = np.linalg.norm(axis, axis=1, keepdims=True)
    angle = np.arctan2(sine, (along * direction).sum(axis=1, keepdims=True))
    turned = Rotation.from_rotvec(axis / np.maximum(sine, 1e-12) * angle).as_matrix()
    for carried in _hanging_on(bone):
        made[:, carried] = turned @ made[:, carried]
