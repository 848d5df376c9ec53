"""What is known about each dataset, as a table: joint layout, reordering, normalisation, kind of detections.

A dataset that the table does not have works all the same: joints are counted from its files.
"""

import functools
from dataclasses import dataclass, replace

from ..errors import UserError
from ..messages import logger
from ..poses.kinds import kind_of
from ..poses.skeletons import LAYOUTS, chain

log = logger(__name__)

REPRESENTATIONS = ("3D", "2D", "smpl")
KEY = {"3D": "joints_3d", "2D": "joints_2d", "smpl": "pose"}  # of the poses in a file
WIDTH = {"3D": 3, "2D": 2, "smpl": 3}

# From the SMPL regressor's Human3.6M order (1-3 the left leg) to LSP-14, by which pw3d is scored.
PW3D_REORDER = (6, 5, 4, 1, 2, 3, 16, 15, 14, 11, 12, 13, 8, 10)
# From 17 MPI joints to the 14 that published models were trained on, left leg first.
AIST14_REORDER = (13, 12, 11, 8, 9, 10, 7, 6, 5, 2, 3, 4, 1, 0)


@dataclass(frozen=True)
class Row:
    """One line of the table.

    estimators: () for any; layouts: candidates, told apart by their joint count, () for any count; reorder: joints of
    files that hold more than the layout, in the layout's order; normaliser: of 2D; synthetic: detections may be truth
    plus noise; truth_of: the dataset whose files are read; multi_view: sequences are grouped into recordings.
    """

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
    Row("mh36m", ("tcmr", "vibe"), "3D", ("lsp14",), truth_of="h36m", multi_view=True),
    Row("mh36m", (), "3D", ("h36m17",), truth_of="h36m", multi_view=True),
    Row("mh36m", (), "2D", ("h36m17", "h36m16"), normaliser="h36m", truth_of="h36m", multi_view=True),
    Row("nh36m", (), "3D", ("h36m17",), synthetic=True, truth_of="h36m"),
    Row("mocap", (), "3D", (), synthetic=True),
    Row("mmocap", (), "3D", ("h36m17",), synthetic=True, multi_view=True),
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
            if (row.dataset, row.representation) == (self.dataset, self.representation) and (
                not row.estimators or self.estimator in row.estimators
            ):
                return row
        return Row(self.dataset, (), self.representation, {"smpl": ("smpl24",)}.get(self.representation, ()))

    @property
    def synthetic(self):
        """Whether detections that are not on disk are the ground truth plus noise."""
        return self.row.synthetic or self.estimator == "noise"

    @property
    def known(self):
        """Whether the table has this source."""
        return self.row in TABLE


def sources(cfg):
    """The sources that a config names: comma lists of equal length. Raises UserError that says which is missing."""
    lists = {}
    for key, flag in (
        ("DATASET_NAME", "--dataset_name"),
        ("ESTIMATOR", "--estimator"),
        ("BODY_REPRESENTATION", "--body_representation"),
    ):
        lists[flag] = [part.strip() for part in cfg[key].split(",") if part.strip()]
        if not lists[flag]:
            raise UserError(f"{flag}: not given. Pass it, or set {key} in the config")
    if len({len(values) for values in lists.values()}) > 1:
        counts = ", ".join(f"{flag} has {len(values)}" for flag, values in lists.items())
        raise UserError(f"{counts}. Comma lists must be equally long, one entry a dataset")
    found = [Source(dataset, estimator, _representation(name)) for dataset, estimator, name in zip(*lists.values())]
    order = cfg.DATASET.JOINT_ORDER
    if order not in ("stored", "aist14"):
        raise UserError(f"DATASET.JOINT_ORDER {order}: not known. Known: stored, aist14")
    if order == "aist14" and not any(_has_mpi_joints(source) for source in found):
        raise UserError(
            f"DATASET.JOINT_ORDER aist14: is for the 17 joints of mpiinf3dhp and mupots, not for "
            f"{', '.join(map(str, found))}"
        )
    return found


def _has_mpi_joints(source):
    return source.row.layouts == ("mpi17",)


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
    row = source.row
    if row.reorder and joints == len(LAYOUTS["h36m17"].joints):  # 17 on disk, 14 scored
        return _with_root(source, LAYOUTS[row.layouts[0]], cfg), row.reorder
    fitting = [LAYOUTS[name] for name in row.layouts if LAYOUTS[name].size == joints]
    if row.layouts and not fitting:
        sizes = sorted({LAYOUTS[name].size for name in row.layouts} | ({17} if row.reorder else set()))
        raise UserError(
            f"{source}: its files have {joints} joints, {' or '.join(map(str, sizes))} expected. "
            "Rename the folder to a dataset of your own to use it as it is"
        )
    if _has_mpi_joints(source) and cfg.DATASET.JOINT_ORDER == "aist14":
        # The root that a YAML names is one of the 17.
        return LAYOUTS["aist14"], AIST14_REORDER
    unknown = LAYOUTS["h36m17"] if joints == LAYOUTS["h36m17"].size else chain(joints)
    return _with_root(source, fitting[0] if fitting else unknown, cfg), None


def _with_root(source, found, cfg):
    if not kind_of(source.representation).in_space:
        return found
    key = f"ROOT_{source.dataset}_{source.estimator}_3D".upper()
    if key in cfg.DATASET:
        root = tuple(cfg.DATASET[key])
        if not root or max(root) >= found.size or min(root) < 0:
            raise UserError(
                f"DATASET.{key} {list(root)}: not among the {found.size} joints of {source}, which are "
                f"numbered 0 to {found.size - 1}"
            )
        return replace(found, root=root)
    if not source.known:
        _say_root(source, found.root, key)
    return found


@functools.cache
def _say_root(source, root, key):
    """Once a run, however many splits are read."""
    log.info("%s: root joint %s (set DATASET.%s to change it)", source, ", ".join(map(str, root)), key)
