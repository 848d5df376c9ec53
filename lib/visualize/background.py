"""The images behind 2D key points: which file of `--video` belongs to a sequence, and which image to a frame."""

from pathlib import Path

import cv2
import numpy as np

from ..errors import UserError
from ..messages import logger
from . import video

log = logger(__name__)

VIDEO_ENDINGS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg")


def check(path, splits, kind):
    """Raise UserError where `--video` cannot be drawn over, before work starts."""
    if not Path(path).exists():
        raise UserError(f"--video {path}: not found. Give a video file or a folder of images")
    other = [str(split.source) for split in splits if split.representation.dims != 2]
    if other:
        raise UserError(
            f"--video {path}: only 2D key points can be drawn over a video, and {other[0]} is not 2D. Leave --video out, or choose a 2D dataset"
        )
    if kind == "html":
        raise UserError(f"--video {path}: an interactive page shows no video. Choose --format mp4 or gif")


def images(path, view, frames, alone):
    """Iterator of the RGB images of a sequence's frames.

    path: a video, or a folder of one image per frame, or a folder with one of these for each sequence under the
    sequence's name; view: `sequences.Sequence`; frames: slice of its frames; alone: whether no other sequence
    is drawn, so that the first two will do. Images of a folder are found by the sequence's image names where
    it has them all, else by their order. Images are resized to the image size of the dataset.
    Raises UserError.
    """
    place, size = _place(Path(path), view, alone), _image_size(view)
    files = _named(place, view.images[frames]) if place.is_dir() else []
    if files and len(files) == frames.stop - frames.start:
        found = (next(video.read_background(file)) for file in files)
    else:
        found = video.read_background(place, frames.start)
    return _fitting(found, place, view, frames, size)


def _place(path, view, alone):
    if path.is_dir():
        candidates = [
            path / view.name,
            *(path / f"{view.name}{ending}" for ending in (*VIDEO_ENDINGS, *video.IMAGE_ENDINGS)),
        ]
        own = next((place for place in candidates if place.exists()), None)
        if own is not None:
            return own
        if alone and any(file.suffix.lower() in video.IMAGE_ENDINGS for file in path.iterdir()):
            return path
        raise UserError(
            f"--video {path}: contains neither a folder of images {view.name} nor a video {view.name}"
            f"{VIDEO_ENDINGS[0]}{', nor images' if alone else ''}. Name the video or folder like its sequence"
        )
    if not alone:
        raise UserError(
            f"--video {path}: is one video, but several sequences are to be drawn. Choose one with "
            "--visualize_video_id, or give a folder with one video per sequence, named like it"
        )
    return path


def _named(folder, names):
    """The images of a folder that have these names, with or without their ending; [] where it lacks one."""
    there = {}
    for file in folder.iterdir():
        if file.suffix.lower() in video.IMAGE_ENDINGS:
            there[file.stem] = there[file.name] = file
    wanted = [Path(name) for name in names]
    found = [there.get(name.name, there.get(name.stem)) for name in wanted]
    return found if all(found) else []


def _image_size(view):
    """(width, height) of the images in px as the data set has it, or None."""
    shape = view.extras.get("truth_imgshape", view.extras.get("imgshape"))
    return None if shape is None else tuple(int(side) for side in np.ravel(shape)[1::-1])


def _fitting(found, place, view, frames, size):
    """The images, resized to the dataset's image size; a warning for each misfit."""
    count, wanted = 0, frames.stop - frames.start
    for image in found:
        if count == 0:
            _say_misfits(place, view, frames, image.shape[1::-1], size)
        if size is not None and image.shape[1::-1] != size:
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        count += 1
        yield image
        if count == wanted:
            return
    if count == 0:
        raise UserError(f"{place}: has no image for frame {frames.start}. Choose a smaller VIS.START")
    if count > 1:  # a single image is meant to stay
        log.warning("%s: ends after %d of %d frames; its last image is shown for the others", place, count, wanted)


def _say_misfits(place, view, frames, shown, size):
    if size is not None:
        if abs(shown[0] / shown[1] / (size[0] / size[1]) - 1) > 0.02:
            log.warning(
                "%s: is %d x %d px, but the images of %s are %d x %d px. Is this the video that the poses were detected in?",
                place,
                *shown,
                view.name,
                *size,
            )
        return
    points = np.asarray(view.truth if view.detected is None else view.detected)[frames].reshape(-1, 2)
    if np.mean((points < 0).any(1) | (points > shown).any(1)) > 0.5:
        log.warning(
            "%s: is %d x %d px, and most key points of %s lie outside. Is this the video that the poses were detected in?",
            place,
            *shown,
            view.name,
        )
