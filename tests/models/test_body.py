import io
import os
import pickle
import struct
import sys
import types

import numpy as np
import pytest
import scipy.sparse
import torch
from scipy.spatial.transform import Rotation

from lib.errors import UserError
from lib.models.body import MODEL_FILES, load_body
from lib.poses.skeletons import LAYOUTS

PARENTS = LAYOUTS["smpl24"].parents
# SPIN's 49 joints (OpenPose's 25, then its 24) as indices of smplx's 45 and the 9 of J_regressor_extra after.
SPIN_49 = [
    24,
    12,
    17,
    19,
    21,
    16,
    18,
    20,
    0,
    2,
    5,
    8,
    1,
    4,
    7,
    25,
    26,
    27,
    28,
    29,
    30,
    31,
    32,
    33,
    34,
    8,
    5,
    45,
    46,
    4,
    7,
    21,
    19,
    17,
    16,
    18,
    20,
    47,
    48,
    49,
    50,
    51,
    52,
    53,
    24,
    26,
    25,
    28,
    27,
]
EVALUATED = [11, 10, 9, 12, 13, 14, 4, 3, 2, 5, 6, 7, 1, 38]


def artificial(count, seed=0):
    """The arrays of an SMPL model of `count` vertices in the official schema, with random numbers."""
    generator = np.random.default_rng(seed)

    def sparse_rows(rows):
        matrix = np.zeros((rows, count))
        for row in matrix:
            row[generator.choice(count, 10, replace=False)] = generator.dirichlet(np.ones(10))
        return matrix

    weights = np.zeros((count, 24))
    for _ in range(4):
        weights[np.arange(count), generator.integers(24, size=count)] += generator.random(count) + 0.01
    parents = np.array(PARENTS, np.int64).astype(np.uint32)  # the root's is 2**32 - 1, as it is officially
    arrays = {
        "v_template": generator.normal(size=(count, 3)),
        "shapedirs": 0.03 * generator.normal(size=(count, 3, 10)),
        "posedirs": (0.01 * generator.standard_normal((count, 3, 207), np.float32)),
        "J_regressor": sparse_rows(24),
        "weights": weights / weights.sum(axis=1, keepdims=True),
        "kintree_table": np.stack((parents, np.arange(24, dtype=np.uint32))),
        "f": generator.integers(count, size=(2 * count, 3)).astype(np.uint32),
    }
    return arrays, sparse_rows(9)


class Python2Pickler(pickle._Pickler):
    """Writes text and bytes alike as byte strings, as Python 2 did, which wrote the official files."""

    dispatch = dict(pickle._Pickler.dispatch)

    def save_string(self, value):
        content = value if isinstance(value, bytes) else value.encode("latin1")
        self.write(b"T" + struct.pack("<i", len(content)) + content)
        self.memoize(value)

    dispatch[bytes] = dispatch[str] = save_string


def write_pickle(path, arrays, protocol=2, selected_from=0, **other):
    """Write what the official pickle holds, as chumpy and an old scipy and numpy would have pickled it."""
    chumpy = {name: types.ModuleType(name) for name in ("chumpy", "chumpy.ch", "chumpy.reordering")}
    classes = {}
    for module, name in (("chumpy.ch", "Ch"), ("chumpy.reordering", "Select")):
        classes[name] = type(name, (), {"__module__": module})
        setattr(chumpy[module], name, classes[name])

    def object_of(name, **state):
        made = classes[name]()
        made.__dict__.update(_dirty_vars=set(), _itr=None, _depends_on_deps=False, **state)
        return made

    # The shape directions are a selection out of more of them: every second one here.
    shapedirs = arrays["shapedirs"]
    doubled = np.repeat(shapedirs, 2, axis=2)
    doubled[..., 1::2] = 99
    flat = selected_from + np.arange(doubled.size).reshape(doubled.shape)[..., ::2].ravel()
    stored = {
        **arrays,
        "v_template": object_of("Ch", x=arrays["v_template"]),
        "weights": object_of("Ch", x=arrays["weights"]),
        "shapedirs": object_of("Select", a=object_of("Ch", x=doubled), idxs=flat, preferred_shape=shapedirs.shape),
        "J_regressor": scipy.sparse.csc_matrix(arrays["J_regressor"]),
        "J": object_of("Ch", x=np.zeros((24, 3))),
        "bs_style": "lbs",
        "bs_type": "lrotmin",
        **other,
    }
    file = io.BytesIO()
    sys.modules.update(chumpy)
    try:
        Python2Pickler(file, protocol).dump(stored)
    finally:
        for name in chumpy:
            del sys.modules[name]
    pickled = file.getvalue()
    for new, old in ((b"cscipy.sparse._csc\n", b"cscipy.sparse.csc\n"), (b"cnumpy._core.", b"cnumpy.core.")):
        assert new in pickled
        pickled = pickled.replace(new, old)
    path.write_bytes(pickled)


def motion(frames, seed=1):
    generator = np.random.default_rng(seed)
    return (
        generator.normal(0, 0.5, (frames, 72)).astype(np.float32),
        generator.normal(0, 1, (frames, 10)).astype(np.float32),
        generator.normal(0, 1, (frames, 3)).astype(np.float32),
    )


@pytest.fixture(scope="module")
def full_size(tmp_path_factory):
    """A folder with an SMPL file of the real size, and what smplx itself says of its poses."""
    import smplx

    folder = tmp_path_factory.mktemp("smpl")
    arrays, extra = artificial(6890)
    write_pickle(folder / "SMPL_NEUTRAL.pkl", arrays)
    np.save(folder / "J_regressor_extra.npy", extra)
    pose, shape, trans = motion(9)
    data = {**arrays, "kintree_table": arrays["kintree_table"].astype(np.int64)}
    model = smplx.SMPL("", data_struct=smplx.utils.Struct(**data), batch_size=9)
    with torch.no_grad():
        output = model(
            global_orient=torch.tensor(pose[:, :3]),
            body_pose=torch.tensor(pose[:, 3:]),
            betas=torch.tensor(shape),
            transl=torch.tensor(trans),
        )
    vertices, joints = output.vertices.numpy(), output.joints.numpy()
    assert joints.shape == (9, 45, 3)
    fifty_four = np.concatenate((joints, extra @ vertices), axis=1)
    expected = {
        "vertices": vertices,
        "joints": joints[:, :24],
        "evaluation_joints": fifty_four[:, SPIN_49][:, EVALUATED],
    }
    return folder, arrays, (pose, shape, trans), expected


@pytest.fixture
def small():
    return artificial(60)


@pytest.fixture(scope="module")
def mannequin(tmp_path_factory):
    return load_body(tmp_path_factory.mktemp("empty"))


# SMPL


@pytest.mark.parametrize("quantity", ["joints", "evaluation_joints", "vertices"])
def test_official_pickle_gives_what_smplx_gives(full_size, quantity):
    folder, arrays, inputs, expected = full_size
    body = load_body(folder)
    assert (body.name, body.note) == ("smpl", "")
    result = getattr(body, quantity)(*inputs)
    assert result.dtype == torch.float32 and not result.requires_grad
    assert np.abs(result.numpy() - expected[quantity]).max() < 1e-5
    assert np.array_equal(body.faces, arrays["f"])


def test_npz_gives_the_same(full_size, tmp_path):
    folder, arrays, inputs, expected = full_size
    np.savez(tmp_path / "SMPL_NEUTRAL.npz", **arrays, gender="neutral")
    (tmp_path / "J_regressor_extra.npy").write_bytes((folder / "J_regressor_extra.npy").read_bytes())
    body = load_body(tmp_path, allow_stand_in=False)
    assert np.abs(body.evaluation_joints(*inputs).numpy() - expected["evaluation_joints"]).max() < 1e-5


def test_no_shape_is_the_mean_shape(full_size):
    body, (pose, shape, _) = load_body(full_size[0]), full_size[2]
    assert torch.equal(body.evaluation_joints(pose), body.evaluation_joints(pose, 0 * shape))
    assert not torch.allclose(body.evaluation_joints(pose), body.evaluation_joints(pose, shape), atol=1e-2)


@pytest.mark.parametrize("protocol", [0, 1, 2])
@pytest.mark.parametrize("name", [name for name in MODEL_FILES if name.endswith(".pkl")])
def test_every_file_name_and_old_protocol_is_read(tmp_path, small, name, protocol):
    write_pickle(tmp_path / name, small[0], protocol)
    np.save(tmp_path / "J_regressor_extra.npy", small[1])
    plain = tmp_path / "plain"
    plain.mkdir()
    np.savez(plain / "SMPL_NEUTRAL.npz", **small[0])
    pose, shape, trans = motion(3)
    expected = load_body(plain).vertices(pose, shape, trans)
    # The same numbers in other places of memory: a matrix product may round their last bit otherwise.
    torch.testing.assert_close(
        load_body(tmp_path, allow_stand_in=False).vertices(pose, shape, trans), expected, atol=1e-6, rtol=0
    )


def test_missing_extra_regressor_is_said_only_when_it_is_needed(tmp_path, small):
    np.savez(tmp_path / "SMPL_NEUTRAL.npz", **small[0])
    body = load_body(tmp_path)
    assert body.joints(np.zeros((2, 72))).shape == (2, 24, 3)
    assert body.vertices(np.zeros((2, 72))).shape == (2, 60, 3)
    with pytest.raises(UserError, match="J_regressor_extra.npy: not found.*SPIN"):
        body.evaluation_joints(np.zeros((2, 72)))


def test_extra_regressor_of_another_body_is_refused(tmp_path, small):
    np.savez(tmp_path / "SMPL_NEUTRAL.npz", **small[0])
    np.save(tmp_path / "J_regressor_extra.npy", np.zeros((9, 6890)))
    with pytest.raises(
        UserError,
        match=r"J_regressor_extra.npy: has shape \[9, 6890\] of float64, but this model needs numbers \[9, 60\]",
    ):
        load_body(tmp_path)


class Malicious:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


def test_malicious_pickle_is_refused_by_name_and_not_executed(tmp_path, small):
    marker = tmp_path / "executed"
    write_pickle(tmp_path / "SMPL_NEUTRAL.pkl", small[0], vert_sym_idxs=Malicious(marker))
    with pytest.raises(UserError, match=rf"SMPL_NEUTRAL.pkl.*{os.system.__module__}.system"):
        load_body(tmp_path)
    assert not marker.exists()
    pickle.loads(pickle.dumps(Malicious(marker)))  # the ordinary reader does execute it
    assert marker.exists()


@pytest.mark.parametrize("made", [b"collections\nOrderedDict", b"numpy\nndarray", b"__builtin__\nobject"])
def test_only_stand_ins_are_reconstructed(tmp_path, made):
    pickled = b"ccopy_reg\n_reconstructor\n(c" + made + b"\nc__builtin__\nobject\nNtR."
    (tmp_path / "SMPL_NEUTRAL.pkl").write_bytes(pickled)
    with pytest.raises(UserError, match="SMPL_NEUTRAL.pkl: .*is not made this way"):
        load_body(tmp_path)


def without(key):
    return lambda arrays: arrays.pop(key)


def replaced(key, value):
    return lambda arrays: arrays.update({key: value})


@pytest.mark.parametrize(
    "damage,message",
    [
        (without("posedirs"), "posedirs is missing"),
        (replaced("weights", np.zeros((60, 55))), r"weights is \[60, 55\], not \[60, 24\]"),
        (replaced("v_template", np.float64(1)), r"v_template is \[\]"),
        (replaced("shapedirs", np.zeros((60, 3, 4))), "4 directions"),
        (replaced("f", np.full((1, 3), 60)), "beyond the 60 of"),
        (replaced("kintree_table", np.full((2, 24), 23)), "comes before its parent"),
        (replaced("v_template", np.full((60, 3), "a")), "not numbers"),
        (replaced("J_regressor", np.array({"a": 1})), "npz of plain arrays"),
    ],
)
def test_what_is_not_a_smpl_model_is_refused_by_its_array(tmp_path, small, damage, message):
    arrays = small[0]
    damage(arrays)
    np.savez(tmp_path / "SMPL_NEUTRAL.npz", **arrays)
    with pytest.raises(UserError, match=f"SMPL_NEUTRAL.npz: not a SMPL model: .*{message}"):
        load_body(tmp_path)


@pytest.mark.parametrize("name", MODEL_FILES)
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"\x80\x02}q\x00", pickle.dumps([1, 2], 2)])
def test_damaged_files_are_refused_with_their_name(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=name):
        load_body(tmp_path)


def test_selection_out_of_range_is_refused(tmp_path, small):
    write_pickle(tmp_path / "SMPL_NEUTRAL.pkl", small[0], selected_from=1000)
    with pytest.raises(UserError, match=r"SMPL_NEUTRAL.pkl \(shapedirs\).*out of bounds"):
        load_body(tmp_path)


def test_missing_model_without_stand_in_says_what_where_and_what_remains(tmp_path):
    with pytest.raises(UserError) as refused:
        load_body(tmp_path / "smpl", allow_stand_in=False)
    message = str(refused.value)
    parts = (*MODEL_FILES, "J_regressor_extra.npy", "smpl.is.tue.mpg.de", "SPIN", "2D and 3D")
    for part in (str(tmp_path / "smpl"), *parts):
        assert part in message
    assert "\n" not in message


# Both bodies


@pytest.mark.parametrize("quantity", ["joints", "evaluation_joints", "vertices"])
@pytest.mark.parametrize("which", ["smpl", "mannequin"])
def test_batches_do_not_change_the_numbers(full_size, which, quantity):
    body = load_body(full_size[0] if which == "smpl" else "nowhere")
    pose, shape, trans = motion(7)
    whole = getattr(body, quantity)(pose, shape, trans)
    body.max_bytes = 1
    assert [frames for frames, _ in body.vertex_batches(pose)] == [slice(t, t + 1) for t in range(7)]
    assert (getattr(body, quantity)(pose, shape, trans) - whole).abs().max() < 1e-5


@pytest.mark.parametrize("which", ["smpl", "mannequin"])
def test_inputs_of_any_kind(full_size, mannequin, which):
    body = load_body(full_size[0]) if which == "smpl" else mannequin
    pose, shape, _ = motion(4)
    expected = body.evaluation_joints(pose, shape)
    tensor = torch.tensor(pose, dtype=torch.float64, requires_grad=True)
    assert torch.equal(body.evaluation_joints(tensor, torch.tensor(shape)), expected)
    assert body.evaluation_joints(pose[:0]).shape == (0, 14, 3)
    assert (body.evaluation_joints(pose, shape[0])[0] - expected[0]).abs().max() < 1e-6
    with pytest.raises(ValueError, match=r"\(4, 69\), not \[N, 72\]"):
        body.joints(pose[:, 3:])


# The stand-in


def test_stand_in_says_so(mannequin):
    assert mannequin.name == "mannequin"
    assert "SMPL_NEUTRAL.pkl" in mannequin.note and "mannequin" in mannequin.note
    assert mannequin.joint_names == LAYOUTS["smpl24"].joints
    assert mannequin.evaluation_joint_names == LAYOUTS["lsp14"].joints


def test_at_rest_the_mannequin_stands_in_a_t_pose(mannequin):
    rest = np.zeros((1, 72))
    vertices = mannequin.vertices(rest)[0].numpy()
    extent = vertices.max(axis=0) - vertices.min(axis=0)
    assert 1.5 < extent[1] < 2 and 1.5 < extent[0] < 2 and extent[2] < 0.5
    assert mannequin.faces.shape[1] == 3 and mannequin.faces.max() == len(vertices) - 1
    joints = dict(zip(mannequin.evaluation_joint_names, mannequin.evaluation_joints(rest)[0].numpy()))
    for name, place in joints.items():
        if name.startswith("right_"):
            assert place[0] < -0.03 < 0.03 < joints[name.replace("right", "left")][0]
    for side in ("left", "right"):
        x, y, _ = np.array([joints[f"{side}_{joint}"] for joint in ("ankle", "knee", "hip", "shoulder")]).T
        assert (np.diff(y) > 0.3).all()
        arm = np.array([joints[f"{side}_{joint}"] for joint in ("shoulder", "elbow", "wrist")])
        assert (np.diff(np.abs(arm[:, 0])) > 0.2).all() and np.ptp(arm[:, 1]) < 0.1
    assert joints["head_top"][1] == vertices[:, 1].max() and abs(joints["head_top"][0]) < 0.02
    assert abs(joints["neck"][0]) < 0.02 and 0.2 < joints["head_top"][1] - joints["neck"][1] < 0.4
    # Toes point to +z, where SMPL looks.
    feet = mannequin.joints(rest)[0].numpy()
    assert (feet[[10, 11], 2] - feet[[7, 8], 2] > 0.05).all()


def test_the_mannequin_is_the_packages_own_figure(mannequin):
    from mannequin import Mannequin

    figure = Mannequin("wooden", flat_hand_mean=True)
    pose = motion(3)[0]
    pose[:, 66:] = 0
    parameters = figure.rest_pose(batch_dims=(3,))
    parameters["body_pose"] = pose[:, 3:66].reshape(3, 21, 3)
    parameters["pelvis_rotation"] = pose[:, :3]
    assert np.abs(mannequin.vertices(pose).numpy() - figure.vertices(parameters)).max() < 1e-5
    joints = figure.joint_transforms(parameters)[:, :24, :3, 3]
    assert np.abs(mannequin.joints(pose).numpy() - joints).max() < 1e-5


@pytest.mark.parametrize("angle", [0.4, np.pi, 3.0])
def test_turning_the_root_turns_everything_about_the_pelvis(mannequin, angle):
    pose = motion(5)[0]
    turned = pose.copy()
    turn = Rotation.from_rotvec(angle * np.array([0.6, 0, 0.8]))
    turned[:, :3] = (turn * Rotation.from_rotvec(pose[:, :3])).as_rotvec()
    pelvis = mannequin.joints(np.zeros((1, 72)))[0, 0].numpy()
    for quantity in (mannequin.joints, mannequin.evaluation_joints, mannequin.vertices):
        expected = (quantity(pose).numpy() - pelvis) @ turn.as_matrix().T + pelvis
        assert np.abs(quantity(turned).numpy() - expected).max() < 1e-5


def test_bones_keep_their_lengths(mannequin):
    children = [joint for joint in range(24) if PARENTS[joint] >= 0]

    def bones(joints):
        return (joints[:, children] - joints[:, [PARENTS[joint] for joint in children]]).norm(dim=-1)

    at_rest = bones(mannequin.joints(np.zeros((1, 72))))
    assert (bones(mannequin.joints(motion(50)[0])) - at_rest).abs().max() < 1e-5


def test_bending_one_joint_moves_only_what_hangs_on_it(mannequin):
    """A quarter turn of the left shoulder about z lifts the arm from +x to +y."""
    rest = mannequin.joints(np.zeros((1, 72)))[0].numpy()
    pose = np.zeros((1, 72))
    shoulder, elbow, wrist = 16, 18, 20
    pose[0, 3 * shoulder + 2] = np.pi / 2
    moved = mannequin.joints(pose)[0].numpy()
    for joint in (elbow, wrist):
        x, y, z = rest[joint] - rest[shoulder]
        assert np.abs(moved[joint] - rest[shoulder] - [-y, x, z]).max() < 1e-6
    others = [joint for joint in range(24) if joint not in (elbow, wrist, 22)]
    assert np.array_equal(moved[others], rest[others])


def test_hands_shape_and_translation(mannequin):
    pose, shape, trans = motion(4)
    curled = pose.copy()
    curled[:, 66:] += 1
    assert torch.equal(mannequin.vertices(curled), mannequin.vertices(pose))
    assert torch.equal(mannequin.vertices(pose, shape), mannequin.vertices(pose))
    shift = mannequin.evaluation_joints(pose, None, trans) - mannequin.evaluation_joints(pose)
    assert (shift - torch.tensor(trans)[:, None]).abs().max() < 1e-6
