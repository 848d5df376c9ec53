"""The three kinds of poses, and what differs between them: the one table that code asks instead of comparing names."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """coordinates: of a joint in files; network: of a joint in network units; unit: of distances, where a file does not say.

    rotations: SMPL's joint rotations; in_space: 3D joints; in_image: 2D key points. One of the three is true, but for
    `UNKNOWN`.
    """

    name: str | None
    coordinates: int = 0
    network: int = 0
    unit: str = ""
    rotations: bool = False
    in_space: bool = False
    in_image: bool = False


UNKNOWN = Kind(None)
KINDS = {
    "2D": Kind("2D", 2, 2, "px", in_image=True),
    "3D": Kind("3D", 3, 3, "units", in_space=True),
    "smpl": Kind("smpl", 3, 6, "degrees", rotations=True),
}


def kind_of(name):
    """The `Kind` called 2D, 3D or smpl; `UNKNOWN` for None."""
    return UNKNOWN if name is None else KINDS[name]
