"""People who sit, kneel and lie: knees bend the right way, feet stand on the floor, backs lie flat, and what carries them is drawn."""

import numpy as np
import pytest

from lib.commands import pairs as command
from lib.errors import UserError
from lib.pairs import postures

raster = pytest.importorskip("lib.pairs.raster", reason="needs numba")
from lib.pairs import body, clips, furniture, motion, motion_files, resting  # noqa: E402

HOWS = (
    "feet apart, feet forward, knees crossed, ankle on knee, dangling, cross-legged, legs stretched, knees up, legs aside, "
    "on the heels, upright, one knee, on the back, on the side, on the front, on one elbow, on both elbows"
).split(", ")
FPS = 30


def drawn(how):
    """The first random posture of a kind, and the generator that drew it."""
    for seed in range(1000):
        rng = np.random.default_rng(seed)
        posture = postures.draw(rng)
        if posture.how == how:
            return posture, rng
    raise AssertionError(f"{how} is never drawn")


def test_every_posture_is_drawn_within_what_joints_allow():
    found = [postures.draw(np.random.default_rng(seed)) for seed in range(400)]
    assert {one.how for one in found} == set(HOWS)
    for leg in (leg for one in found for leg in one.legs):
        assert -10 <= leg.flexion <= 155 and 0 <= leg.knee <= 165 and abs(leg.twist) <= 100
    for kind, share in postures.KINDS.items():
        assert np.mean([one.kind == kind for one in found]) == pytest.approx(share, abs=0.08)


def test_drift_has_the_movement_that_is_asked_for():
    made = resting.drift(np.random.default_rng(1), (20000, 2), FPS)
    np.testing.assert_allclose(made.std(axis=0), 1, atol=0.1)
    assert np.abs(np.diff(made, axis=0)).max() < 0.2


def test_boxes_are_drawn_from_outside_and_stand_where_they_are_put():
    piece = furniture._piece(np.stack([furniture._box((-1, 0, -1), (1, 2, 1))]), np.eye(3), np.random.default_rng(1))
    middle = piece.vertices[piece.faces].mean(axis=1)
    across = np.cross(*np.diff(piece.vertices[piece.faces], axis=1).swapaxes(0, 1))
    assert ((middle - [0, 1, 0]) * across).sum(axis=1).min() > 0
    assert ((middle - [0, 1, 0]) * piece.normals[piece.faces[:, 0]]).sum(axis=1).min() > 0.9
    leaning = furniture._box((-1, 0.5, -0.1), (1, 1.5, 0.1), 0.3)
    assert leaning[:, 2].mean() < -0.1 and leaning[:, 1].max() < 1.55


def test_a_share_that_is_none_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"--resting: '1\.2' is no share from 0 to 1"):
        command.main(["render", str(tmp_path / "out"), "--resting", "1.2"])


@pytest.fixture(scope="module")
def recorded():
    pytest.importorskip("anny")
    return motion.cut(motion_files.shipped("train")[0], np.random.default_rng(2), 12, FPS)[0]


@pytest.fixture(scope="module", params=HOWS)
def posed(request, recorded):
    """(posture, rest, heads, {joint: [T, 3]}, skin of the first frame [V, 3] with the name of each vertex's bone)."""
    posture, rng = drawn(request.param)
    person, mesh = body.average(), body.template()
    rest = resting.pose(posture, person, recorded, FPS, rng)
    heads, joints = body.pose(person, rest.rotations, rest.roots)
    moved = body.moves(person, rest.rotations, heads)[0]
    whole = np.concatenate([person.vertices, np.ones((len(person.vertices), 1))], axis=1)
    skin = np.einsum("vk,vkab,vb->va", mesh.weights, moved[mesh.indices], whole)
    owner = np.array(mesh.bones)[mesh.indices[np.arange(len(skin)), mesh.weights.argmax(axis=1)]]
    return posture, rest, heads, dict(zip(body.JOINTS, joints.swapaxes(0, 1))), skin, owner


@pytest.mark.slow
def test_knees_bend_backwards_by_what_the_posture_says(posed):
    posture, rest, heads, _, _, _ = posed
    bones = body.template().bones
    for leg, side in zip(posture.legs, ("Left", "Right")):
        hip, knee, ankle = (bones.index(side + part) for part in ("UpLeg", "Leg", "Foot"))
        thigh, shank = heads[:, knee] - heads[:, hip], heads[:, ankle] - heads[:, knee]
        lengths = np.linalg.norm(thigh, axis=1) * np.linalg.norm(shank, axis=1)
        bent = np.degrees(np.arccos((thigh * shank).sum(axis=1) / lengths))
        np.testing.assert_allclose(bent, leg.knee, atol=5 * resting.FIDGET)
        if leg.knee > 25:
            assert ((shank * rest.rotations[:, hip, :, 2]).sum(axis=1) < 0).all()


@pytest.mark.slow
def test_bodies_are_carried_by_floor_seat_or_bed(posed):
    posture, rest, _, joints, skin, owner = posed
    arm = np.char.find(owner.astype(str), "Arm") >= 0
    hand = np.isin(owner, ["LeftHand", "RightHand", "LThumb", "RThumb"]) | (
        np.char.find(owner.astype(str), "Finger") >= 0
    )
    lowest = skin[~arm & ~hand, 1].min()
    if posture.lies:
        trunk = np.isin(owner, resting.LAIN_ON)
        assert rest.seat == posture.bed
        assert -0.05 < skin[trunk, 1].min() - posture.bed < 0.01
        assert lowest - posture.bed > -0.12  # a head or a heel in a mattress
    else:
        assert lowest == pytest.approx(posture.dangling, abs=0.03)
    if posture.kind == "seat":
        assert rest.seat > 0.15
        assert 0.02 < (joints["pelvis"][:, 1] - rest.seat).mean() < 0.12
        assert skin[np.isin(owner, resting.SEATED_ON), 1].min() == pytest.approx(rest.seat, abs=0.02)
    if posture.kind == "seat" and posture.how in ("feet apart", "feet forward"):
        assert max(joints[f"{side}_ankle"][:, 1].max() for side in ("left", "right")) < 0.25
    if posture.kind == "floor":
        assert joints["pelvis"][:, 1].max() < 0.2
    if posture.kind == "knees":
        assert min(joints[f"{side}_knee"][:, 1].min() for side in ("left", "right")) < 0.15


@pytest.mark.slow
def test_who_lies_is_flat_and_who_is_propped_stands_on_the_elbow(posed):
    posture, rest, _, joints, _, _ = posed
    rise = (joints["thorax"] - joints["pelvis"])[:, 1] / np.linalg.norm(joints["thorax"] - joints["pelvis"], axis=1)
    if not posture.lies:
        assert np.median(rise) > 0.5
    elif not posture.elbows:
        assert np.abs(rise).max() < np.sin(np.radians(20))
    for side in posture.elbows:
        name = "left" if side > 0 else "right"
        elbow, shoulder = (joints[f"{name}_{part}"][:, 1] - posture.bed for part in ("elbow", "shoulder"))
        assert (elbow > -0.05).all() and (elbow < 0.15).all() and (shoulder > 0.2).all()


@pytest.mark.slow
def test_arms_are_above_what_carries_the_body(posed):
    posture, _, heads, _, _, _ = posed
    bones = body.template().bones
    for side, name in ((1, "Left"), (-1, "Right")):
        if side not in posture.elbows:
            assert heads[:, bones.index(f"{name}ForeArm"), 1].min() > posture.bed - 0.05


@pytest.mark.slow
def test_bones_keep_their_lengths_and_turns_are_turns(posed):
    _, rest, heads, _, _, _ = posed
    np.testing.assert_allclose(np.linalg.det(rest.rotations), 1, atol=1e-6)
    parents = body.template().parents
    lengths = np.linalg.norm(heads[:, 1:] - heads[:, parents[1:]], axis=-1)
    np.testing.assert_allclose(lengths, np.tile(lengths[0], (len(lengths), 1)), atol=1e-9)


@pytest.mark.slow
def test_the_same_generator_poses_the_same(recorded):
    one, other = (
        resting.pose(posture, body.average(), recorded, FPS, rng)
        for posture, rng in (drawn("knees up"), drawn("knees up"))
    )
    np.testing.assert_array_equal(one.rotations, other.rotations)


@pytest.mark.slow
def test_the_share_chooses_who_rests_and_leaves_the_others_as_they_are(tmp_path):
    small = ["--clips", "3", "--frames", "2", "--size", "64", "--seed", "3"]
    for share in ("0", "0.4", "1"):
        command.main(["render", str(tmp_path / share), *small, "--resting", share])
    none, some, everybody = (clips.done(tmp_path / share) for share in ("0", "0.4", "1"))
    assert all(meta["posture"] is None for meta in none) and all(meta["posture"] for meta in everybody)
    for meta, plain, resting_one in zip(some, none, everybody):
        same = plain if meta["posture"] is None else resting_one
        folder = tmp_path / ("0" if meta["posture"] is None else "1")
        assert meta == same
        with (
            np.load(folder / f"{meta['clip']}.npz") as first,
            np.load(tmp_path / "0.4" / f"{meta['clip']}.npz") as second,
        ):
            np.testing.assert_array_equal(first["joints3D"], second["joints3D"])
