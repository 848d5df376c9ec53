"""lib/dataset/catalog.py: every row of SPEC 2's table."""

import logging

import pytest

from lib import config
from lib.dataset import catalog
from lib.dataset.catalog import Source
from lib.errors import UserError


@pytest.fixture
def cfg():
    return config.defaults()


@pytest.mark.parametrize(
    "dataset, estimators, representation, joints, name, size, root",
    [
        ("h36m", "fcn rle ppt mix videoposet27 videoposet81 videoposet243", "3D", 17, "h36m17", 17, (0,)),
        ("h36m", "tcmr vibe", "3D", 14, "lsp14", 14, (2, 3)),
        ("h36m", "cpn", "2D", 17, "h36m17", 17, (0,)),
        ("h36m", "hourglass hrnet rle", "2D", 16, "h36m16", 16, (0,)),
        ("h36m", "spin any", "smpl", 24, "smpl24", 24, (0,)),
        ("mh36m", "fcn mix", "3D", 17, "h36m17", 17, (0,)),
        ("mh36m", "cpn", "2D", 17, "h36m17", 17, (0,)),
        ("nh36m", "noise fcn", "3D", 17, "h36m17", 17, (0,)),
        ("mocap", "noise", "3D", 17, "h36m17", 17, (0,)),
        ("mocap", "noise", "3D", 21, "unknown21", 21, (0,)),
        ("aist", "spin vibe tcmr", "3D", 14, "lsp14", 14, (2, 3)),
        ("aist", "spin vibe tcmr", "smpl", 24, "smpl24", 24, (0,)),
        ("pw3d", "spin eft pare", "3D", 17, "lsp14", 14, (2, 3)),
        ("pw3d", "vibe tcmr", "3D", 14, "lsp14", 14, (2, 3)),
        ("pw3d", "spin eft pare", "smpl", 24, "smpl24", 24, (0,)),
        ("mpiinf3dhp", "spin tcmr vibe", "3D", 17, "mpi17", 17, (14,)),
        ("mupots", "tposenet tposenetrefinenet", "3D", 17, "mpi17", 17, (14,)),
        ("jhmdb", "simplepose", "2D", 15, "jhmdb15", 15, (1,)),
        ("my_own", "net", "3D", 17, "h36m17", 17, (0,)),
        ("my_own", "net", "3D", 14, "unknown14", 14, (0,)),
        ("my_own", "net", "smpl", 24, "smpl24", 24, (0,)),
    ],
)
def test_layouts(dataset, estimators, representation, joints, name, size, root, cfg):
    for estimator in estimators.split():
        layout, order = catalog.layout(Source(dataset, estimator, representation), joints, cfg)
        assert (layout.name, layout.size, layout.root) == (name, size, root)
        assert order == ((6, 5, 4, 1, 2, 3, 16, 15, 14, 11, 12, 13, 8, 10) if joints > size else None)


def test_several_views_synthetic_and_normaliser_are_rows(cfg):
    rows = {
        (source.dataset, source.representation): source.row
        for source in (
            Source("h36m", "cpn", "2D"),
            Source("mh36m", "cpn", "2D"),
            Source("mh36m", "fcn", "3D"),
            Source("jhmdb", "x", "2D"),
            Source("own", "x", "2D"),
        )
    }
    assert [row.normaliser for row in rows.values()] == ["h36m", "h36m", "isotropic", "jhmdb", "isotropic"]
    assert [row.multi_view for row in rows.values()] == [False, True, True, False, False]
    assert Source("nh36m", "fcn", "3D").synthetic and Source("mocap", "any", "3D").synthetic
    assert Source("own", "noise", "smpl").synthetic and not Source("own", "noisy", "3D").synthetic
    assert Source("h36m", "fcn", "3D").known and not Source("own", "fcn", "3D").known


def test_aist14_is_a_choice_and_brings_its_root(cfg):
    cfg.DATASET.JOINT_ORDER = "aist14"
    cfg.DATASET.ROOT_MUPOTS_TPOSENET_3D = [14]  # as the published YAML says for the 17 joints
    layout, order = catalog.layout(Source("mupots", "tposenet", "3D"), 17, cfg)
    assert order == (13, 12, 11, 8, 9, 10, 7, 6, 5, 2, 3, 4, 1, 0)
    assert (layout.name, layout.root) == ("aist14", (2, 3))
    # The layout's names are the reordered names: the left leg first.
    mpi = catalog.LAYOUTS["mpi17"].joints
    assert layout.joints == tuple(mpi[joint] for joint in order)
    # Other sets beside it stay as they are.
    assert catalog.layout(Source("aist", "vibe", "3D"), 14, cfg)[0].name == "lsp14"


def test_pw3d_reorder_names_what_it_takes():
    # The SMPL regressor's order: h36m17 with its legs exchanged.
    h36m = list(catalog.LAYOUTS["h36m17"].joints)
    h36m[1:4], h36m[4:7] = h36m[4:7], h36m[1:4]
    taken = [h36m[joint] for joint in catalog.PW3D_REORDER]
    assert taken[:12] == list(catalog.LAYOUTS["lsp14"].joints[:12])
    assert taken[12:] == ["thorax", "head"]  # scored as neck and head top


@pytest.mark.parametrize(
    "source, joints, message",
    [
        (Source("aist", "vibe", "3D"), 17, "aist_vibe_3D: its files have 17 joints, 14 expected. Rename the folder"),
        (Source("h36m", "fcn", "3D"), 14, "17 expected"),
        (Source("h36m", "hrnet", "2D"), 15, "16 or 17 expected"),
        (Source("pw3d", "spin", "3D"), 24, "14 or 17 expected"),
        (Source("jhmdb", "simplepose", "2D"), 17, "15 expected"),
        (Source("mupots", "tposenet", "3D"), 14, "17 expected"),
        (Source("own", "net", "smpl"), 22, "24 expected"),
    ],
)
@pytest.mark.parametrize("order", ["stored", "aist14"])
def test_impossible_joint_counts(source, joints, message, order, cfg):
    cfg.DATASET.JOINT_ORDER = order
    with pytest.raises(UserError, match=message):
        catalog.layout(source, joints, cfg)


def test_root_keys(cfg, caplog):
    caplog.set_level(logging.INFO)
    source = Source("own2", "net", "3D")
    for _ in range(3):
        assert catalog.layout(source, 5, cfg)[0].root == (0,)
    assert caplog.messages == ["own2_net_3D: root joint 0 (set DATASET.ROOT_OWN2_NET_3D to change it)"]  # said once
    caplog.clear()
    cfg.DATASET.ROOT_OWN2_NET_3D = [1, 4]
    assert catalog.layout(source, 5, cfg)[0].root == (1, 4)
    cfg.DATASET.ROOT_AIST_VIBE_3D = [12]
    assert catalog.layout(Source("aist", "vibe", "3D"), 14, cfg)[0].root == (12,)
    assert catalog.layout(Source("own2", "net", "2D"), 5, cfg)[0].root == (0,)  # the key is of 3D
    assert not caplog.messages
    for root in ([5], [-1], []):
        cfg.DATASET.ROOT_OWN2_NET_3D = root
        with pytest.raises(UserError, match="DATASET.ROOT_OWN2_NET_3D .*: not among the 5 joints"):
            catalog.layout(source, 5, cfg)


def named(cfg, dataset, estimator, representation):
    cfg.DATASET_NAME, cfg.ESTIMATOR, cfg.BODY_REPRESENTATION = dataset, estimator, representation
    return catalog.sources(cfg)


@pytest.mark.parametrize("representation, expected", [("3d", "3D"), ("2D", "2D"), ("SMPL", "smpl")])
def test_representations_in_any_case(representation, expected, cfg):
    assert named(cfg, "aist", "vibe", representation) == [Source("aist", "vibe", expected)]


def test_comma_lists(cfg):
    found = named(cfg, "aist, pw3d", "vibe,spin", "3D,smpl")
    assert list(map(str, found)) == ["aist_vibe_3D", "pw3d_spin_smpl"]


@pytest.mark.parametrize(
    "names, message",
    [
        (("", "vibe", "3D"), "--dataset_name: not given"),
        (("aist", " , ", "3D"), "--estimator: not given"),
        (("aist,pw3d", "vibe,spin", "3D"), "--dataset_name has 2, --estimator has 2, --body_representation has 1"),
        (("aist", "vibe", "4D"), "--body_representation 4D: not known. Known: 3D, 2D, smpl"),
    ],
)
def test_impossible_names(names, message, cfg):
    with pytest.raises(UserError, match=message):
        named(cfg, *names)


@pytest.mark.parametrize(
    "order, dataset, message",
    [
        (
            "aist14",
            "aist",
            "DATASET.JOINT_ORDER aist14: is for the 17 joints of mpiinf3dhp and mupots, not for aist_vibe_3D",
        ),
        ("lsp", "mupots", "DATASET.JOINT_ORDER lsp: not known. Known: stored, aist14"),
    ],
)
def test_impossible_joint_orders(order, dataset, message, cfg):
    cfg.DATASET.JOINT_ORDER = order
    with pytest.raises(UserError, match=message):
        named(cfg, dataset, "vibe", "3D")
    cfg.DATASET.JOINT_ORDER = "aist14"
    assert len(named(cfg, "aist,mpiinf3dhp", "vibe,vibe", "3D,3D")) == 2  # for the second of them
