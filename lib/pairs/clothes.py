"""What a person wears and looks like: a painted texture, and how far cloth and hair stand off the skin.

Places on the body are those of the average body at rest (body.template): x left, y up, z ahead, m. N: texels along a side.
"""

import functools

import numpy as np
from scipy.ndimage import distance_transform_edt

from . import body, raster

N = 512
SKINS = np.array(
    [[245, 214, 192], [232, 190, 160], [214, 165, 130], [190, 138, 104], [158, 107, 76], [120, 78, 54], [88, 57, 42]],
    float,
)
HAIRS = np.array(
    [[28, 22, 20], [60, 42, 30], [96, 64, 40], [150, 110, 66], [200, 168, 110], [150, 150, 150], [120, 50, 25]], float
)
# Heights on the average body, m.
ANKLE, KNEE, CROTCH, WAIST, NECK, CHIN = -0.74, -0.36, -0.07, 0.14, 0.535, 0.585
SHOULDER, ELBOW, WRIST = 0.16, 0.32, 0.43  # sideways
EYE = np.array([0.031, 0.699, 0.118])


@functools.cache
def _places():
    """[N, N, 3] m of each texel; those between the pieces of the map have their neighbour's."""
    mesh = body.template()
    out, filled = np.zeros((N, N, 3)), np.zeros((N, N), bool)
    raster.bake(mesh.uv * N, mesh.faces, mesh.face_uv, mesh.vertices, out, filled)
    rows, columns = distance_transform_edt(~filled, return_distances=False, return_indices=True)
    return out[rows, columns]


@functools.cache
def _parts():
    """(head, hand) [V] bool of the mesh's vertices, by the bone that moves each most."""
    mesh = body.template()
    bones = np.array(mesh.bones)[mesh.indices[np.arange(len(mesh.indices)), mesh.weights.argmax(axis=1)]]
    return bones == "Head", np.char.find(bones, "Hand") + np.char.find(bones, "Finger") + np.char.find(
        bones, "Thumb"
    ) > -3


def noise(rng, size, scale):
    """[size, size] smooth noise of about -1 to 1 whose spots are `scale` px wide."""
    import cv2

    coarse = rng.normal(size=(int(np.ceil(size / scale)) + 3,) * 2).astype(np.float32)
    fine = cv2.resize(coarse, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    return np.clip(fine[:size, :size], -1.5, 1.5)


def colour(rng, low=15, high=240):
    """A random colour [3] of cloth, 0 to 255: seldom bright ones."""
    grey = rng.uniform(low, high)
    return np.clip(grey + rng.normal(0, 1, 3) * rng.choice([4, 25, 60], p=[0.3, 0.4, 0.3]), 5, 250)


def cloth(rng, places):
    """[N, N, 3] colours of a cloth that covers the whole map: plain, stripes, checks, spots or a print, with folds."""
    base, other = colour(rng), colour(rng)
    along, across = places[..., 1], np.where(np.abs(places[..., 0]) > SHOULDER, places[..., 1] * 0.7, places[..., 0])
    width = rng.uniform(0.012, 0.08)
    kind = rng.choice(
        ["plain", "stripes", "pinstripes", "checks", "print", "gradient"], p=[0.5, 0.12, 0.08, 0.08, 0.12, 0.1]
    )
    share = np.zeros(places.shape[:2])
    if kind == "stripes":
        share = (np.sin(along * 2 * np.pi / width) > rng.uniform(-0.7, 0.7)).astype(float)
    elif kind == "pinstripes":
        share = (np.sin(across * 2 * np.pi / width) > rng.uniform(0.3, 0.9)).astype(float)
    elif kind == "checks":
        share = 0.5 * (np.sin(along * 2 * np.pi / width) > 0) + 0.5 * (np.sin(across * 2 * np.pi / width) > 0)
    elif kind == "print":
        share = (noise(rng, N, rng.integers(6, 40)) > rng.uniform(-0.2, 0.6)).astype(float)
    elif kind == "gradient":
        share = np.clip((along - along.min()) / np.ptp(along), 0, 1)
    painted = base + share[..., None] * (other - base)
    folds = 1 + rng.uniform(0.03, 0.14) * noise(rng, N, 18) + 0.03 * rng.normal(size=(N, N))
    return painted * folds[..., None]


def dressed(rng):
    """What one person wears, drawn by a numpy Generator: (texture [N, N, 3] uint8, off [V] m that cloth and hair stand off).

    The texture is for template().uv, `off` is along the normals of the resting body.
    """
    places = _places()
    skin = SKINS[rng.integers(len(SKINS))] + rng.normal(0, 8, 3)
    painted = skin * (1 + 0.05 * noise(rng, N, 30) + 0.015 * rng.normal(size=(N, N)))[..., None]
    edge = 0.003 * noise(rng, N, 14)
    vertices = body.template().vertices
    head, hand = _parts()
    off = np.zeros(len(vertices))
    for low, high, sleeve, loose in _garments(rng):
        worn = _covers(places, low + edge, high + edge, sleeve + edge)
        painted[worn] = cloth(rng, places)[worn]
        rim = worn & ~_covers(places, low + edge + 0.015, high + edge - 0.012, sleeve + edge - 0.015)
        painted[rim] *= 0.75
        covered = _covers(vertices, low, high, sleeve) & ~head & ~hand
        off = np.maximum(off, covered * loose * rng.uniform(0.6, 1.3, len(off)))
    _face(rng, places, painted, skin)
    off += _hair(rng, places, painted, vertices, head)
    return np.clip(painted, 0, 255).astype(np.uint8), _even(off)


def _garments(rng):
    """[(lowest and highest place on trunk and legs, end of the sleeve, m off the skin)] of trousers, shoes and a top."""
    loose = rng.choice([0.003, 0.012, 0.025], p=[0.4, 0.4, 0.2])
    waist = WAIST + rng.uniform(-0.08, 0.03)
    leg = rng.choice([ANKLE, KNEE - 0.1, KNEE + 0.05, CROTCH - 0.08], p=[0.6, 0.1, 0.2, 0.1]) + rng.uniform(-0.02, 0.04)
    sleeve = rng.choice([WRIST, ELBOW + 0.04, ELBOW - 0.06, SHOULDER], p=[0.4, 0.1, 0.4, 0.1]) + rng.uniform(
        -0.02, 0.02
    )
    hem = waist - rng.uniform(0.0, 0.12) if rng.random() < 0.85 else rng.uniform(KNEE, CROTCH)
    worn = [(leg, waist + 0.03, 0.0, loose * rng.uniform(0.5, 1.2))]
    if rng.random() < 0.85:
        worn.insert(0, (-9.0, ANKLE + rng.uniform(-0.02, 0.06), 0.0, 0.008))
    if rng.random() < 0.97:
        worn.append((hem, NECK + rng.uniform(-0.05, 0.03), sleeve, loose))
    return worn


def _covers(places, low, high, sleeve):
    """Which places a garment covers: between two heights on trunk and legs, and of the arms up to `sleeve`."""
    x, y = np.abs(places[..., 0]), places[..., 1]
    arm = (x > SHOULDER + 0.03) & (y > 0.05)
    trunk = (y > low) & ((y < high) | (sleeve > 0.05) & (x > 0.08) & (y < CHIN - 0.02))
    return np.where(arm, (x < sleeve) & (sleeve > 0.05), trunk)


def _face(rng, places, painted, skin):
    """Eyes, brows and lips; at times a beard or dark glasses."""
    x, y, z = np.abs(places[..., 0]), places[..., 1], places[..., 2]
    front = z > 0.07
    from_eye = np.hypot(x - EYE[0], (y - EYE[1]) * 1.4)
    hair = HAIRS[rng.integers(len(HAIRS))]
    painted[front & (from_eye < 0.024)] *= 0.8
    painted[front & (from_eye < 0.013)] = (225, 222, 218)
    painted[front & (np.hypot(x - EYE[0], y - EYE[1]) < 0.0065)] = rng.choice(
        [(40, 25, 18), (70, 90, 110), (60, 70, 40)]
    )
    painted[front & (np.abs(x - 0.034) < 0.022) & (np.abs(y - EYE[1] - 0.021) < 0.0035)] = hair * 0.7
    lips = front & (x < 0.025) & (np.abs(y - 0.624) < 0.009)
    painted[lips] = skin * (0.85, 0.55, 0.55)
    painted[lips & (np.abs(y - 0.624) < 0.0018)] *= 0.5
    painted[front & (x < 0.011) & (np.abs(y - 0.652) < 0.005)] *= 0.65  # nostrils
    painted[front & (np.hypot(x - 0.05, y - 0.65) < 0.02)] *= (1.03, 0.94, 0.92)
    if rng.random() < 0.12:
        painted[front & (y < 0.648) & (y > 0.55) & ~lips] = hair * 0.8
    if rng.random() < 0.06:
        painted[front & (from_eye < 0.026)] = 20


def _hair(rng, places, painted, vertices, head):
    """Paint hair or a cap; returns [V] m by which it stands off the head."""
    line = EYE[1] + 0.055 + rng.uniform(-0.01, 0.015)
    back = rng.choice([0.02, -0.03, -0.06], p=[0.5, 0.3, 0.2])
    low = rng.choice([0.66, 0.6, 0.56], p=[0.4, 0.3, 0.3])

    def grown(at, edge):
        y, z = at[..., 1], at[..., 2]
        return (y > line + edge - 0.35 * np.clip(0.06 - z, 0, 0.1)) & (z < 0.14) & (y > 0.62) | (z < back + edge) & (
            y > low
        )

    worn = grown(places, 0.01 * noise(rng, N, 5)) & (places[..., 1] > CHIN - 0.03)
    worn &= np.abs(places[..., 0]) < 0.11
    if rng.random() < 0.07:
        return np.zeros(len(vertices))  # bald
    tone = colour(rng) if rng.random() < 0.12 else HAIRS[rng.integers(len(HAIRS))] * rng.uniform(0.8, 1.2)
    painted[worn] = (tone * (1 + 0.1 * noise(rng, N, 5))[..., None])[worn]
    return np.where(head & grown(vertices, 0.0), rng.choice([0.004, 0.015, 0.03, 0.045]), 0.0)


def _even(off):
    """Distances [V] averaged with the neighbours', twice, so that cloth has no teeth."""
    faces = body.template().faces
    for _ in range(2):
        total, count = np.zeros(len(off)), np.zeros(len(off))
        mean = off[faces].mean(axis=1)
        for corner in range(3):
            np.add.at(total, faces[:, corner], mean)
            np.add.at(count, faces[:, corner], 1)
        off = total / np.maximum(count, 1)
    return off
