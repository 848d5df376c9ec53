"""lib/poses/skeletons.py: names, bones, roots and sides as the reference has them."""

import json

import pytest

from lib.poses.skeletons import LAYOUTS, chain


@pytest.fixture(scope="module")
def reference(root):
    return json.loads((root / "tests" / "reference" / "skeletons.json").read_text())["layouts"]


@pytest.mark.parametrize("name", ["h36m17", "h36m16", "lsp14", "mpi17", "jhmdb15"])
def test_layouts_are_the_published_ones(name, reference):
    layout, expected = LAYOUTS[name], reference[name]
    assert list(layout.joints) == expected["joints"] and layout.size == len(expected["joints"])
    assert list(map(list, layout.edges)) == expected["edges"] and list(layout.root) == expected["root"]
    sides = [
        "left" if joint.startswith("left") else "right" if joint.startswith("right") else "middle"
        for joint in expected["joints"]
    ]
    assert list(layout.sides) == sides


def test_smpl_joints_have_the_names_of_smplx():
    names = pytest.importorskip("smplx.joint_names").JOINT_NAMES
    # SMPL-X shares SMPL's first 22 joints; where it has jaw and fingers, SMPL has two hands.
    assert list(LAYOUTS["smpl24"].joints) == [*names[:22], "left_hand", "right_hand"]


def test_smpl_parents_are_its_kinematic_tree():
    # kintree_table of the official model file.
    assert LAYOUTS["smpl24"].parents == (
        -1,
        0,
        0,
        0,
        1,
        2,
        3,
        4,
        5,
        6,
        7,
        8,
        9,
        9,
        9,
        12,
        13,
        14,
        16,
        17,
        18,
        19,
        20,
        21,
    )


@pytest.mark.parametrize("name", LAYOUTS)
def test_mirror_swaps_the_names(name):
    layout = LAYOUTS[name]
    for joint, other in zip(layout.joints, layout.mirror):
        swapped = joint.replace("left", "?").replace("right", "left").replace("?", "right")
        assert layout.joints[other] == swapped
    assert [layout.mirror[joint] for joint in layout.mirror] == list(range(layout.size))


@pytest.mark.parametrize("name", LAYOUTS)
def test_bones_reach_every_joint_from_the_root(name):
    layout = LAYOUTS[name]
    assert [joint for joint, parent in enumerate(layout.parents) if parent < 0] == [layout.root[0]]
    for joint, parent in enumerate(layout.parents):
        if parent >= 0:
            assert (joint, parent) in layout.edges or (parent, joint) in layout.edges


def test_aist14_is_lsp14_with_the_left_leg_first():
    ours, lsp = LAYOUTS["aist14"], LAYOUTS["lsp14"]
    assert ours.joints == tuple(lsp.joints[joint] for joint in lsp.mirror) and ours.root == (2, 3)


def test_chain_knows_nothing():
    layout = chain(3)
    assert layout.joints == ("joint_0", "joint_1", "joint_2") and layout.edges == () and layout.root == (0,)
    assert layout.mirror == (0, 1, 2) and layout.parents == (-1, -1, -1)


def test_lines_have_the_bone_that_the_published_layout_lacks():
    layout = LAYOUTS["lsp14"]
    joined = {frozenset((layout.joints[a], layout.joints[b])) for a, b in layout.lines}
    assert {frozenset((f"{side}_shoulder", "neck")) for side in ("left", "right")} <= joined
    assert len(layout.lines) == len(layout.edges) + 1
    assert LAYOUTS["h36m17"].lines == LAYOUTS["h36m17"].edges and chain(3).lines == ()
