"""Figures of an evaluation, as a paper shows them: PNG to look at, PDF (vectors, editable text) to print.

`write_figures` draws the figures that apply and logs one line for each that does not. Each figure is a function that gets
`Scored` and returns a matplotlib Figure, or the reason why there is none.
"""

import io
from dataclasses import dataclass
from functools import cached_property

import matplotlib

from ..files import write_bytes
from ..messages import counted, logger
from . import palette
from .figure_errors import acceleration, bad_frames, joints
from .figure_plane import plane
from .figure_quality import quality
from .figure_spectrum import spectrum
from .figure_style import COLOURS, DASHES, look_of

log = logger(__name__)

FIGURES = {
    "bad_frames": bad_frames,
    "joints": joints,
    "accel": acceleration,
    "spectrum": spectrum,
    "plane": plane,
    "quality": quality,
}


@dataclass
class Scored:
    """What figures are made of: a `sequences.Split`, its [Scores] (the input's first) and the config."""

    split: object
    scores: list
    cfg: object

    @property
    def unit(self):
        return self.split.representation.unit

    @property
    def input(self):
        return self.scores[0]

    @property
    def networks(self):
        return [score for score in self.scores if score.method.role == "refined"]

    @property
    def best_filter(self):
        """[the filter's Scores with the smallest MPJPE], or []."""
        found = [score for score in self.scores if score.method.role == "filter"]
        return sorted(found, key=lambda score: score.means["mpjpe"])[:1]

    @property
    def judge(self):
        return self.input.judge

    @cached_property
    def look(self):
        return look_of(self.cfg)

    def called(self, score):
        """What a method is called in the figures."""
        return self.look.called(score.method.label)

    @cached_property
    def styles(self):
        """{method's label: (colour, dashes)}."""
        roles = [(score.method.label, score.method.role) for score in self.scores]
        places = palette.places(roles)
        return {label: (COLOURS[role][places[label]], DASHES[role]) for label, role in roles}

    @property
    def heading(self):
        body = f", {self.judge.body.name} body" if self.judge.body is not None else ""
        return f"{self.split.source} test, {counted(self.input.frames, 'frame')}{body}"


def write_figures(folder, split, scores, cfg):
    """Write every figure that applies as folder/<dataset>_<figure>.png and .pdf; returns the paths.

    split, scores: a `sequences.Split` and its [Scores], the input's first (lib/evaluation/evaluator.py).
    """
    scored, written = Scored(split, scores, cfg), []
    labels = [score.method.label for score in scores]
    for label in scored.look.names:
        if label not in labels:
            log.warning("FIGURES.NAMES %s: no such method. Here: %s", label, ", ".join(labels))
    with matplotlib.rc_context(scored.look.settings):
        for name, draw in FIGURES.items():
            figure = draw(scored)
            if isinstance(figure, str):
                log.info("figure %s of %s: left out, %s", name, split.source, figure)
                continue
            if scored.look.paper:
                log.info("caption of figure %s: %s", name, figure.caption)
            for ending in ("png", "pdf"):
                path = folder / f"{split.source}_{name}.{ending}"
                # Without a date the same numbers make the same file.
                said = {"CreationDate": None, "Title": figure.caption} if ending == "pdf" else None
                drawn = io.BytesIO()  # a PDF that meets a full disk would fail twice, the second time without a cause
                figure.savefig(drawn, format=ending, metadata=said)
                write_bytes(path, drawn.getbuffer())
                written.append(path)
    return written
