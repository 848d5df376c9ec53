"""What a JSON file says of its recording beside the poses: the frame rate, the size of the image."""


def image_size_of(tree, frames):
    """(width, height) in px that the file, something in it, or every frame names; else None."""
    for width, height in (("image_width", "image_height"), ("width", "height"), ("frame_width", "frame_height")):
        above = [one for one in _above(tree) if width in one]
        holders = above[:1] or [frame for frame in frames if frame]
        sizes = {(one.get(width), one.get(height)) if isinstance(one, dict) else None for one in holders}
        size = sizes.pop() if len(sizes) == 1 else None
        if size and all(isinstance(number, (int, float)) and number > 1 for number in size):
            return tuple(map(int, size))
    return None


def _above(tree):
    """A file's object and those right in it, such as `video` or `metadata`."""
    return [tree, *(value for value in tree.values() if isinstance(value, dict))] if isinstance(tree, dict) else []


def rate_of(tree):
    """Frames a second that a file's object, or one in it, says; else None."""
    found = (one[key] for one in _above(tree) for key in ("fps", "frame_rate", "framerate", "frameRate") if key in one)
    return next((float(rate) for rate in found if isinstance(rate, (int, float)) and rate > 0), None)
