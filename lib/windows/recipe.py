"""The recipe of a checkpoint: how poses become windows for its network, and how its windows become a sequence again.

One frozen dataclass holds every such choice. Training makes it from the config, a checkpoint stores it whole, and
evaluation, file refinement, live streams and export read it from there and nowhere else.
"""

from dataclasses import asdict, dataclass, fields, replace

import torch

from ..errors import UserError
from ..poses.kinds import KINDS

WEIGHTINGS = ("mean", "triangular", "quality", "learned")
ALIGNMENTS = ("none", "frame", "sequence")
STREAMED = {
    "mean": "mean",
    "triangular": "triangular",
    "quality": "mean",
    "learned": "triangular",
}  # each one's with a lag
FUSIONS = ("none", "median", "depth")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is used.

    The sequence: window W, frames (None: not known, a published SynSP); step: frames between two windows;
    weighting: how the windows over a frame are averaged, 'mean', 'triangular', 'quality' (the network's own cue) or 'learned' (the
    network's `blend` of whole recordings at step 1 and its own window; elsewhere triangular);
    smooth: the standard deviation in frames of a Gaussian over whole recordings after that, 0: none;
    lag L: None for whole recordings, else frame t is the average of the windows that end by t + L; trained_lag: of the
    stream that training was for, or None; carry: at lag 0, the share of the last pose that the next one is drawn to.

    The views of a recording: align: brought into one frame 'frame' by frame, once a 'sequence', or not ('none'); fuse:
    what the network's corrections are added to: each view itself ('none'), the 'median' of the views, or the views
    weighted by what each camera can see ('depth', `lib.windows.fusing`); views: the most that training saw.

    The poses: kind ('3D', '2D' or 'smpl'; None: any); joints: their names in order, or None; root: indices of the root
    joints; canonical: every window is turned to one heading (2D: moved to one place), told by pairs of joints (left,
    right); one_size: canonical windows of 2D are scaled to one size too; bones: pairs (joint, parent), of whose lengths in the recording the network is told
    (`lib.windows.body`); segment: frames of a segment of a long window, 0: read whole; fps: frames per second (0: not known); normaliser,
    image_size: how 2D pixels were scaled, and whether by the image's size; use_6d: rotations as 6 numbers;
    root_relative: whether training's 3D poses had their root at 0; any_skeleton: whether joints were moved about in
    training, so that skeletons of other conventions are known too; knows_places: whether training knew where one
    estimator puts its joints (pairs of it alone), so that corrections of that estimator's joints that last are errors taken off.
    """

    window: int | None = 8
    step: int = 1
    weighting: str = "mean"
    smooth: float = 0.0
    lag: int | None = None
    trained_lag: int | None = None
    carry: float = 0.0
    align: str = "none"
    fuse: str = "none"
    views: int = 1
    kind: str | None = None
    joints: tuple | None = None
    root: tuple = (0,)
    canonical: bool = False
    pairs: tuple = ()
    one_size: bool = False
    bones: tuple = ()
    segment: int = 0
    fps: float = 0.0
    normaliser: str = "isotropic"
    image_size: bool = False
    use_6d: bool = True
    root_relative: bool = True
    any_skeleton: bool = False
    knows_places: bool = False

    def checked(self):
        """Itself. Raises UserError, naming the config key, for what cannot be."""
        if self.step < 1:
            raise UserError(f"EVALUATE.SLIDE_WINDOW_STEP_SIZE is {self.step}; expected at least 1")
        if self.weighting not in WEIGHTINGS:
            raise UserError(f"EVALUATE.WINDOW_WEIGHTS is {self.weighting}; expected one of {', '.join(WEIGHTINGS)}")
        if self.align not in ALIGNMENTS:
            raise UserError(f"MODEL.ALIGN_VIEWS is {self.align}; expected one of {', '.join(ALIGNMENTS)}")
        if not 0 <= self.smooth <= 100:
            raise UserError(f"EVALUATE.SMOOTH is {self.smooth}; expected 0 to 100 frames")
        if not 0 <= self.carry < 1:
            raise UserError(f"model.carry is {self.carry}; expected 0 <= carry < 1")
        self._check_fields()
        check_lag(self.lag, self.window)
        if self.lag is not None and (self.step != 1 or self.weighting != STREAMED[self.weighting]):
            raise UserError(
                "a lag needs EVALUATE.SLIDE_WINDOW_STEP_SIZE 1 and EVALUATE.WINDOW_WEIGHTS mean or triangular, "
                f"not {self.step} and {self.weighting}"
            )
        return self

    def _check_fields(self):
        for name, least in (("window", 1), ("segment", 0), ("views", 1), ("fps", 0), ("trained_lag", 0)):
            value = getattr(self, name)
            if value is not None and not least <= value < 1e6:
                raise UserError(f"recipe.{name} is {value}; expected at least {least} and less than 1000000")
        if not self.root or not all(type(joint) is int and joint >= 0 for joint in self.root):
            raise UserError(f"recipe.root is {self.root}; expected indices of joints")
        if self.joints is not None and not all(isinstance(joint, str) for joint in self.joints):
            raise UserError(f"recipe.joints is {self.joints}; expected names of joints")
        for name, known in (("kind", KINDS if self.canonical else (None, *KINDS)), ("fuse", FUSIONS)):
            if getattr(self, name) not in known:
                raise UserError(f"recipe.{name} is {getattr(self, name)}; expected one of {', '.join(map(str, known))}")

    def but(self, **changes):
        """A copy with some choices changed, checked."""
        return replace(self, **changes).checked()

    def streamed(self, lag):
        """A copy for a live stream of a lag of L frames: weights that a network says of its windows are not known in time."""
        return self.but(lag=lag, step=1, weighting=STREAMED[self.weighting])

    def place_weights(self):
        """The weight [W] of each place in a window, float32, or None where all are 1 (or the network says)."""
        if STREAMED[self.weighting] != "triangular":
            return None
        place = torch.arange(self.window, dtype=torch.float32)
        return torch.minimum(place + 1, self.window - place)

    def as_dict(self):
        """Plain values, for a checkpoint file."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored, place):
        """The inverse of `as_dict`. Raises UserError, naming `place`, where the values are not a recipe's."""
        known = {field.name: field for field in fields(cls)}
        defaults = cls()
        values = {}
        for name, value in stored.items():
            if name not in known:
                raise UserError(f"{place}: recipe.{name} is not known. The file is of a newer version, or damaged")
            values[name] = _tuples(value)
            if not _fits(values[name], known[name].type, getattr(defaults, name)):
                raise UserError(
                    f"{place}: recipe.{name} is {value!r}; expected {known[name].type}. The file is damaged"
                )
        try:
            return cls(**values).checked()
        except UserError as error:
            raise UserError(f"{place}: {error}. The file is damaged") from None


def check_lag(lag, window):
    """Raise UserError for a lag that a window of W frames cannot have."""
    if lag is not None and window is not None and not 0 <= lag < window:
        raise UserError(
            f"--lag is {lag}; expected 0 (past frames only) to {window - 1} (the window has {window} frames)"
        )


def _tuples(value):
    """Lists, which files may hold, as tuples, all the way down."""
    return tuple(_tuples(part) for part in value) if isinstance(value, list | tuple) else value


def _fits(value, kind, default):
    """Whether a stored value has the type of its field; `kind` is the annotation."""
    if value is None:
        return kind is not type(default) and default is None or "None" in str(kind)
    if "bool" in str(kind):
        return isinstance(value, bool)
    if "tuple" in str(kind):
        return isinstance(value, tuple)
    if "str" in str(kind):
        return isinstance(value, str)
    number = int | float if "float" in str(kind) else int
    return isinstance(value, number) and not isinstance(value, bool)
