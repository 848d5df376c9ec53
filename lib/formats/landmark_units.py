"""What sets of landmarks are: places in an image with a depth apart, or metres around the hips."""

import numpy as np

from .records import Part, Slot, scaled
from .sense import PIXELS, STRAY, finite, looks_like_world


def split(walk, image_size):
    """Tell for each part what its numbers are: world or image landmarks, pixels or normalised, z apart."""
    found = {}
    for person in walk.people:
        for slot in person.slots:
            found.setdefault(slot.part.name, []).append(slot)
    kinds = {}
    for name, members in found.items():
        # Some versions write visibility 0 throughout, which is no statement on any landmark.
        rated = any(slot.confidence is not None and (slot.confidence > 0).any() for slot in members)
        for slot in members:
            slot.confidence = slot.confidence if rated else None
            if rated and slot.confidence is not None:
                slot.poses[slot.confidence <= 0] = np.nan
        alike = [slot.poses for slot in members[:500] if slot.poses.shape == members[0].poses.shape]
        world = name.endswith("world") or looks_like_world(np.array(alike))
        places = finite(np.concatenate([slot.poses[:, :2].ravel() for slot in members]))
        large = len(places) > 0 and (np.abs(places) > PIXELS).mean() > STRAY
        kinds[name] = "m" if world else "px" if large else "normalised"
    for person in walk.people:
        person.slots = [piece for slot in person.slots for piece in _pieces(slot, kinds[slot.part.name], image_size)]
    if all(slot.part.kind == "3D" for person in walk.people for slot in person.slots):
        # Hip-centred poses say nothing of where a person is: by place alone they cannot be followed.
        frames = [person.frame for person in walk.people]
        if len(set(frames)) == len(frames):
            for person in walk.people:
                person.id = 0


def _pieces(slot, units, image_size):
    name, layout, dims, names = slot.part.name, slot.part.layout, slot.poses.shape[1], slot.part.joint_names
    if units == "m":
        return [Slot(Part(name, f"{dims}D", layout, names, "m"), slot.poses, slot.confidence, slot.put, slot.swap)]
    flat = Slot(Part(name, "2D", layout, names, units), slot.poses[:, :2], slot.confidence, slot.put, slot.swap)
    found = [flat]
    if dims == 3:

        def put_depth(values, changed):
            nothing = np.zeros((len(values), 2))
            slot.put(np.hstack([nothing, values]), np.hstack([nothing.astype(bool), changed]))

        depth = Part("depth" if name == "body" else f"{name}_depth", "2D", units=units)
        found.append(Slot(depth, slot.poses[:, 2:], slot.confidence, put_depth))
    if image_size is not None and units == "normalised":
        # z is in about the scale of x, by MediaPipe's own account.
        factors = np.array(image_size, dtype=np.float64)
        found = [scaled(piece, factors if piece is flat else factors[:1], "px") for piece in found]
    return found
