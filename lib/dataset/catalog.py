"""What is known about each dataset, as a table: joint layout, reordering, normalisation, kind of detections.

A dataset that the table does not have works all the same: joints are counted from its files.
"""

import logging
from dataclasses import dataclass, replace

from lib.errors import UserError
from lib.poses.skeletons import LAYOUTS, chain

log = logging.getLogger(__name__)

REPRESENTATIONS = ("3D", "2D", "smpl")
WIDTH = {"3D": 3, "2D": 2, "smpl": 3}

# From the SMPL regressor's Human3.6M order (1-3 the left leg) to LSP-14, by which pw3d is scored.
PW3D_REORDER = (6, 5, 4, 1, 2, 3, 16, 15, 14, 11, 12, 13, 8, 10)
# From 17 MPI joints to the 14 that published models were trained on, left leg first.
AIST14_REORDER = (13, 12, 11, 8, 9, 10, 7, 6, 5, 2, 3, 4, 1, 0)


@dataclass(frozen=True)
class Row:
    """One line of the table. estimators: () for any; layouts: candidates, told apart by their joint count;
    reorder: {joints on disk: order}; normaliser of 2D; synthetic: detections may be truth plus noise;
    truth_of: another dataset's ground truth; multi_view: sequences are grouped into recordings."""

    dataset: str
    estimators: tuple
    representation: str
    layouts: tuple
    reorder: tuple = ()
    normaliser: str = "isotropic"
    synthetic: bool = False
    truth_of: str = ""
    multi_view: bool = False


TABLE = (
    Row("h36m", ("tcmr", "vibe"), "3D", ("lsp14",)),
    Row("h36m", (), "3D", ("h36m17",)),
    Row("h36m", (), "2D", ("h36m17", "h36m16"), normaliser="h36m"),
    Row("h36m", (), "smpl", ("smpl24",)),
    Row("mh36m", (), "3D", ("h36m17",), truth_of="h36m", multi_view=True),
    Row("mh36m", (), "2D", ("h36m17", "h36m16"), normaliser="h36m", truth_of="h36m", multi_view=True),
    Row("nh36m", (), "3D", ("h36m17",), synthetic=True, truth_of="h36m"),
    Row("mocap", (), "3D", ("h36m17",), synthetic=True),
    Row("aist", (), "3D", ("lsp14",)),
    Row("aist", (), "smpl", ("smpl24",)),
    Row("pw3d", (), "3D", ("lsp14",), reorder=PW3D_REORDER),
    Row("pw3d", (), "smpl", ("smpl24",)),
    Row("mpiinf3dhp", (), "3D", ("mpi17",)),
    Row("mupots", (), "3D", ("mpi17",)),
    Row("jhmdb", (), "2D", ("jhmdb15",), normaliser="jhmdb"),
)


@dataclass(frozen=True)
class Source:
    """One dataset, estimator and representation, as the command line named them."""

    dataset: str
    estimator: str
    representation: str

    def __str__(self):
        return f"{self.dataset}_{self.estimator}_{self.representation}"

    @property
    def row(self):
        """This source's line of the table, or one for an unknown dataset."""
        for row in TABLE:
            if ((row.dataset, row.representation) == (self.dataset, self.representation)
                    and (not row.estimators or self.estimator in row.estimators)):
                return row
        return Row(self.dataset, (), self.representation, {"smpl": ("smpl24",)}.get(self.representation, ()),
                   synthetic=self.estimator == "noise")


def sources(cfg):
    """The sources that a config names: comma lists of equal length. Raises UserError that says which is missing."""
    lists = {}
    for key, flag in (("DATASET_NAME", "--dataset_name"), ("ESTIMATOR", "--estimator"),
                      ("BODY_REPRESENTATION", "--body_representation")):
        lists[flag] = [part.strip() for part in cfg[key].split(",") if part.strip()]
        if not lists[flag]:
            raise UserError(f"{flag}: not given. Pass it, or set {key} in the config")
    if len({len(values) for values in lists.values()}) > 1:
        counts = ", ".join(f"{flag} has {len(values)}" for flag, values in lists.items())
        raise UserError(f"{counts}. Comma lists must be equally long, one entry a dataset")
    return [Source(dataset, estimator, _representation(name))
            for dataset, estimator, name in zip(*lists.values())]


def _representation(name):
    for known in REPRESENTATIONS:
        if name.lower() == known.lower():
            return known
    raise UserError(f"--body_representation {name}: not known. Known: {', '.join(REPRESENTATIONS)}")


def layout(source, joints, cfg):
    """The joint layout of a source whose files hold `joints` joints, and how to reorder them.

    Returns (Layout with the root in force, reorder tuple or None). Raises UserError when a known dataset's
    file has a joint count that it cannot have.
    """
    row, reorder = source.row, None
    if row.reorder and joints == len(row.reorder) + 3:  # 17 on disk, 14 scored
        reorder = row.reorder
        joints = len(reorder)
    if cfg.DATASET.JOINT_ORDER == "aist14":
        if row.layouts != ("mpi17",):
            raise UserError(f"DATASET.JOINT_ORDER aist14: is for mpiinf3dhp and mupots, not for {source}")
        reorder, found = AIST14_REORDER, LAYOUTS["aist14"]
    elif cfg.DATASET.JOINT_ORDER != "stored":
        raise UserError(f"DATASET.JOINT_ORDER {cfg.DATASET.JOINT_ORDER}: not known. Known: stored, aist14")
    elif row.layouts:
        fitting = [LAYOUTS[name] for name in row.layouts if LAYOUTS[name].size == joints]
        if not fitting:
            expected = " or ".join(str(LAYOUTS[name].size) for name in row.layouts)
            raise UserError(f"{source}: its files have {joints} joints, {expected} expected. "
                            "Rename the folder to a dataset of your own to use it as it is")
        found = fitting[0]
    else:
        found = LAYOUTS["h36m17"] if joints == LAYOUTS["h36m17"].size else chain(joints)
    return _with_root(source, found, cfg), reorder


def _with_root(source, found, cfg):
    key = f"ROOT_{source.dataset}_{source.estimator}_3D".upper()
    if key in cfg.DATASET:
        root = tuple(cfg.DATASET[key])
        if not root or max(root) >= found.size or min(root) < 0:
            raise UserError(f"DATASET.{key}: {list(root)} is not among the {found.size} joints of {source}")
        return replace(found, root=root)
    if source.row not in TABLE and source.representation == "3D":
        log.info("%s: root joint %s (set DATASET.%s to change it)", source, list(found.root), key)
    return found
