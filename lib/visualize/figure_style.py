"""How figures look: on a screen or in a paper; what all of them share."""

from dataclasses import dataclass, field

import matplotlib
import numpy as np
from matplotlib import font_manager
from matplotlib.figure import Figure

from ..errors import UserError
from . import palette

COLOURS = palette.LIGHT
# Lines differ in dashes too.
DASHES = {"input": "-", "filter": (0, (5, 2)), "refined": "-", "other": (0, (1, 1.5))}
TRUTH = COLOURS["truth"][0]
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.labelsize": 9,
    "legend.fontsize": 8.5,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e1e4e8",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "pdf.fonttype": 42,
    "figure.constrained_layout.use": True,
    "savefig.dpi": 200,
}
PAPER = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "legend.fontsize": 7,
    "legend.handlelength": 1.4,
    "legend.columnspacing": 1.2,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.2,
    "savefig.dpi": 300,
}
# The first that is installed; the last ones come with matplotlib.
FONTS = {
    "serif": ("Times New Roman", "Nimbus Roman", "TeX Gyre Termes", "Liberation Serif", "STIXGeneral"),
    "sans": ("Helvetica", "Arial", "Nimbus Sans", "TeX Gyre Heros", "Liberation Sans", "DejaVu Sans"),
}
BOTH_COLUMNS, COLUMN = 7.2, 3.35  # widths in inches
NARROW = 5.0  # inches, under which panels stand below each other


@dataclass(frozen=True)
class Look:
    """FIGURES.* of the config: paper: no headings in the picture; width in inches; font: "serif", "sans" or "";
    names: {method's label: what it is called}."""

    paper: bool = False
    width: float = BOTH_COLUMNS
    font: str = ""
    names: dict = field(default_factory=dict)

    @property
    def narrow(self):
        return self.width < NARROW

    @property
    def settings(self):
        """matplotlib's rcParams."""
        found = STYLE | (PAPER if self.paper else {})
        if self.font:
            there = set(font_manager.get_font_names())
            found["font.family"] = next(name for name in FONTS[self.font] if name in there)
        return found

    def called(self, label):
        return self.names.get(label, label)


def look_of(cfg):
    """The `Look` of a config. Raises UserError for a style, font or list of names that is none."""
    node = cfg.FIGURES
    if node.STYLE not in ("screen", "paper"):
        raise UserError(f"--style {node.STYLE}: not known. Known: screen, paper")
    if node.FONT not in ("", *FONTS):
        raise UserError(f"FIGURES.FONT {node.FONT}: not known. Known: {', '.join(FONTS)}")
    paper = node.STYLE == "paper"
    pairs = [part.partition("=") for part in node.NAMES.split(",") if part.strip()]
    if not all(mark and name.strip() for label, mark, name in pairs):
        raise UserError(f"FIGURES.NAMES {node.NAMES}: expected such as SynSP=Ours,gaus1d=Gaussian")
    names = {label.strip(): name.strip() for label, _, name in pairs}
    return Look(
        paper, node.WIDTH or (COLUMN if paper else BOTH_COLUMNS), node.FONT or ("serif" if paper else ""), names
    )


def figure_of(look, height, panels=1, ratios=None):
    """(figure, its axes from left to right, below each other where it is narrow); height in inches at full width."""
    height *= 0.72 if look.narrow else 1
    if look.narrow or panels == 1:
        figure = Figure((look.width, height * panels))
        return figure, list(np.atleast_1d(figure.subplots(panels, 1)))
    figure = Figure((look.width, height))
    return figure, list(figure.subplots(1, panels, width_ratios=ratios))


def finished(figure, scored, axes):
    """The figure with its heading and, below it, a legend of the labels in `axes`; in a paper the caption has the titles."""
    look, titled = scored.look, [axis for axis in figure.axes if axis.get_title(loc="left")]
    figure.caption = ". ".join([scored.heading, *(axis.get_title(loc="left") for axis in titled)])
    if look.paper:
        for axis, letter in zip(titled, "abcdef"):
            axis.set_title(f"({letter})" if len(titled) > 1 else "")
    else:
        figure.suptitle(scored.heading, fontsize=10, x=0.01, ha="left", weight="bold")
    handles, labels = axes.get_legend_handles_labels()
    columns = _columns(
        labels, 104 * look.width / BOTH_COLUMNS * STYLE["legend.fontsize"] / small(), 7 if look.paper else 9
    )
    legend = figure.legend(handles, labels, loc="outside lower center", ncols=columns)
    for handle in legend.legend_handles:  # dots of a scatter plot are faint and small
        handle.set_alpha(1)
        if hasattr(handle, "set_sizes"):
            handle.set_sizes([20])
    rows = -(-len(labels) // columns)
    width, height = figure.get_size_inches()
    # Or the legend's rows would press the axes flat.
    figure.set_size_inches(width, height + 0.19 * (rows - 1))
    return figure


def small():
    """The size of small letters, in points."""
    return font_manager.FontProperties(
        size=matplotlib.rcParams["legend.fontsize"]
    ).get_size_in_points()  # it may be a word


def opacity(dots):
    """Of scattered dots: a few are seen, and many still show where they are dense."""
    return float(np.clip(10 / np.sqrt(len(dots)), 0.15, 0.6))


def _columns(labels, room, mark):
    """The most columns of a legend whose labels, and marks `mark` letters wide, fit into `room` letters; it is filled column by
    column."""
    for count in range(len(labels), 1, -1):
        columns = np.array_split(np.array([len(label) for label in labels]), count)
        if sum(column.max() + mark for column in columns) <= room:
            return count
    return 1
