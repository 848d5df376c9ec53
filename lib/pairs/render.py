"""One clip: a person in motion before a camera, drawn frame by frame, with the truth of every frame."""

from dataclasses import dataclass, replace

import numpy as np

from . import body, clothes, furniture, raster, resting

# Pictures drawn for a frame and averaged: motion blur, and smooth outlines. More where something moves by more px than GHOST from
# one to the next and would be seen twice.
SUBFRAMES = (2, 3)
GHOST = 6.0


@dataclass(frozen=True)
class Actor:
    """A dressed body that moves. moves: [T + 1, B, 3, 4]; joints: [T + 1, J, 3] m in the world; pieces: the `furniture.Piece`s that it
    rests on and at."""

    vertices: np.ndarray
    normals: np.ndarray
    texture: np.ndarray
    moves: np.ndarray
    joints: np.ndarray
    rotations: np.ndarray
    pieces: tuple = ()


def actor(values, rotations, roots, rng):
    """An `Actor` of a phenotype that does rotations [T, B, 3, 3] and roots [T, 3] (in lengths of its leg), on the floor y = 0."""
    person = body.body(values)
    heads, joints = body.pose(person, rotations, roots * person.leg)
    floor = np.array([0, joints[..., 1].min() - 0.08, 0])
    return _dressed(person, rotations, heads - floor, joints - floor, (), rng)


def resting_actor(values, rotations, posture, fps, rng, posed):
    """An `Actor` of a phenotype in a `postures.Posture`, whose upper body moves as rotations [T, B, 3, 3] do.

    fps: frames per second; rng: draws the clothes, posed: what the posture leaves open (numpy Generators).
    """
    person = body.body(values)
    rest = resting.pose(posture, person, rotations, fps, posed)
    heads, joints = body.pose(person, rest.rotations, rest.roots)
    pieces = furniture.around(posture, rest, person, posed)
    return _dressed(person, rest.rotations, heads, joints, tuple(pieces), rng)


def _dressed(person, rotations, heads, joints, pieces, rng):
    texture, off = clothes.dressed(rng)
    faces = body.template().faces
    normals = raster.vertex_normals(person.vertices, faces)
    vertices = (person.vertices + off[:, None] * normals).astype(np.float32)
    moves = body.moves(person, rotations, heads)
    return Actor(vertices, raster.vertex_normals(vertices, faces), texture, moves, joints, rotations, pieces)


def behind(other, main, eye, rng):
    """`other`, moved to one side of `main` and further from the camera `eye` than it."""
    right, ahead = eye.rotations[0][0], eye.rotations[0][2] * (1, 0, 1)
    aside = rng.choice([-1, 1]) * rng.uniform(0.6, 1.6) * right + rng.uniform(0.5, 2.5) * ahead
    shift = main.joints[0, 0] - other.joints[0, 0] + aside
    shift[1] = 0
    moves = other.moves.copy()
    moves[..., 3] += shift.astype(np.float32)
    return replace(other, moves=moves, joints=other.joints + shift)


@dataclass(frozen=True)
class Shot:
    """A filmed clip: frames, an iterator of [H, W, 3] uint8 RGB, and the arrays of its truth."""

    frames: object
    truth: dict
    quality: int


def film(actors, eye, size, fps, look, backdrop, things, rng):
    """The `Shot` of actors (the first is the one whose truth is told; nearer ones hide others) seen by camera `eye`.

    size: (width, height) px; backdrop: the background; things: `scene.occluders`.
    """
    first = actors[0]
    length = len(eye.places) - 1
    joints = eye.see(first.joints)[:length]
    segments, of_joint = _segments(first, eye, length)
    truth = {
        "joints3D": joints.astype(np.float32),
        "joints2D": eye.project(joints).astype(np.float32),
        "K": eye.K.astype(np.float32),
        "size": np.array(size, np.int32),
        "fps": np.float32(fps),
        "segments": segments,
        "segment_of_joint": of_joint,
    }
    return Shot(_frames(actors, eye, size, look, backdrop, things, rng), truth, look.quality)


def _segments(first, eye, length):
    """(rotations [T, S, 3, 3] float32 of the segments with a joint, segment of each joint [J])."""
    mesh = body.template()
    of_joint = [mesh.bones.index(body.segment(name)) for name in body.JOINTS]
    used, of_joint = np.unique(of_joint, return_inverse=True)
    turned = np.einsum("tab,tsbc->tsac", eye.rotations[:length], first.rotations[:length][:, used])
    return turned.astype(np.float32), of_joint.astype(np.int32)


def _frames(actors, eye, size, look, backdrop, things, rng):
    import cv2

    width, height = size
    blank = np.full((height, width), np.inf, np.float32)
    grain = (rng.normal(0, look.grain, (height + 64, width + 64, 3))).astype(np.int16)
    pixels = eye.project(eye.see(actors[0].joints))
    leaps = np.linalg.norm(np.diff(pixels, axis=0), axis=-1).max(axis=1) * look.shutter
    seen = [_seen(one, eye, 0) for one in actors]
    for frame in range(len(eye.places) - 1):
        after = [_seen(one, eye, frame + 1) for one in actors]
        place, depth = _shifted(backdrop, eye, frame, size), blank.copy()
        for piece in (piece for one in actors for piece in one.pieces):
            _draw_piece(piece, eye, frame, look, place, depth)
        total = np.zeros((height, width, 3), np.uint16)
        parts = SUBFRAMES[int(leaps[frame] > GHOST)]
        for part in range(parts):
            share = look.shutter * (part / (parts - 1) - 0.5)  # the truth is in the middle of the exposure
            image, buffer = place.copy(), depth.copy()
            for one, now, then in zip(actors, seen, after):
                _draw(one, eye, now, then, share, look, image, buffer)
            cv2.add(total, image, total, dtype=cv2.CV_16U)
        image = cv2.convertScaleAbs(total, alpha=1 / parts)
        for corners, tone in things:
            cv2.fillPoly(image, [corners.astype(np.int32)], tone.tolist(), cv2.LINE_AA)
        if look.blur:
            image = cv2.GaussianBlur(image, (0, 0), look.blur)
        down, right = rng.integers(64, size=2)
        yield cv2.add(image, grain[down : down + height, right : right + width], dtype=cv2.CV_8U)  # saturates
        seen = after


def _seen(one, eye, frame):
    """(vertices, normals) [V, 3] float32 of an actor in the camera's axes."""
    mesh = body.template()
    places, normals = np.empty_like(one.vertices), np.empty_like(one.vertices)
    raster.skin(one.vertices, one.normals, mesh.weights, mesh.indices, one.moves[frame], places, normals)
    turn = eye.rotations[frame].T.astype(np.float32)
    return (places - eye.places[frame].astype(np.float32)) @ turn, normals @ turn


def _draw(one, eye, now, then, share, look, image, buffer):
    mesh = body.template()
    places = now[0] + np.float32(share) * (then[0] - now[0])
    points = eye.project(places).astype(np.float32)
    depths = np.ascontiguousarray(places[:, 2])
    raster.draw(
        points, depths, now[1], mesh.faces, mesh.uv, mesh.face_uv, one.texture, look.light, look.ambient, image, buffer
    )


def _draw_piece(piece, eye, frame, look, image, buffer):
    turn = eye.rotations[frame].T.astype(np.float32)
    places = (piece.vertices - eye.places[frame].astype(np.float32)) @ turn
    points, depths = eye.project(places).astype(np.float32), np.ascontiguousarray(places[:, 2])
    normals = piece.normals @ turn
    raster.draw(
        points,
        depths,
        normals,
        piece.faces,
        furniture.UV,
        piece.face_uv,
        piece.texture,
        look.light,
        look.ambient,
        image,
        buffer,
    )


def _shifted(backdrop, eye, frame, size):
    """The part of the background that the camera looks at: it turns, and what is far away moves with its angle."""
    import cv2

    ahead = eye.rotations[frame] @ eye.rotations[0].T @ np.array([0, 0, 1.0])
    focal = eye.K[0, 0]
    spare = (np.array(backdrop.shape[1::-1]) - size) / 2
    shift = np.clip(focal * ahead[:2] / ahead[2], -spare, spare)
    left, top = spare - shift
    return cv2.warpAffine(
        backdrop,
        np.array([[1, 0, -left], [0, 1, -top]], float),
        tuple(int(side) for side in size),
        flags=cv2.INTER_LINEAR,
    )
