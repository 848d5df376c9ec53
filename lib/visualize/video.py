"""Frames to video files and back. H.264 that every browser plays, by PyAV; pillow for GIF.

Frames are uint8 arrays [H, W, 3] in RGB. While one frame is drawn, the one before is being encoded in
another thread (both sides do their work in C and let go of the interpreter).
"""

import contextlib
import errno
import itertools
import queue
import re
import sys
import threading
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from tqdm import tqdm

from ..errors import UserError
from ..files import atomic_write

try:
    import av
except ImportError:
    av = None

IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
# Frames that may wait for the encoder: enough to even out both sides, little memory.
WAITING = 4
GIF_LIMIT = 1000


# --- writing --------------------------------------------------------------------------------------------


def write_video(frames, path, fps=30.0, total=None, quality=23, preset="veryfast", progress=True):
    """Encode an iterable of RGB frames into `path` (.mp4), which appears when it is whole.

    fps: frames per second. total: number of frames, for the progress bar. quality: x264's CRF (18 fine .. 28 coarse). A
    frame with an odd side gets one more row or column, its last one repeated: yuv420p needs even ones.
    Returns {"path", "frames", "width", "height", "fps", "codec"}. Without PyAV, OpenCV writes MPEG-4 part 2
    ("mp4v"), which most browsers do not play, with a message. Raises UserError for a place that
    cannot be written to, and for no frames at all.
    """
    path = Path(path)
    first, frames = _first(frames, path, (".mp4",))
    height, width = (side + side % 2 for side in first.shape[:2])
    if av is None:
        print(
            f"{path.name}: PyAV is not installed, so OpenCV writes it as mp4v, which many browsers do not "
            "play. Mend: pip install av",
            file=sys.stderr,
        )
    encoder = _opencv_encoder if av is None else _h264_encoder
    with atomic_write(path) as temporary:
        with encoder(temporary, width, height, fps, quality, preset) as encode:
            bar = tqdm(frames, total=total, desc=path.name, unit="frame", disable=None if progress else True)
            count = _in_step(bar, encode)
    return {
        "path": str(path),
        "frames": count,
        "width": width,
        "height": height,
        "fps": float(fps),
        "codec": "mp4v" if av is None else "h264",
    }


def write_gif(frames, path, fps=30.0, total=None, width=1200, progress=True):
    """Write an iterable of RGB frames as an endless GIF, scaled down to `width` px where it is wider.

    GIF counts time in hundredths of a second: every frame's share is rounded so that the sum stays right, and
    rates above 50 frames per second, which players slow down, lose frames. All frames have the colours of the
    first. Returns as `write_video` does. GIF is for short clips (pillow keeps all of it in memory): more than
    GIF_LIMIT frames are refused.
    """
    path = Path(path)
    first, frames = _first(frames, path, (".gif",))
    height = max(int(round(first.shape[0] * min(width / first.shape[1], 1))), 1)
    width = min(width, first.shape[1])
    every = max(int(np.ceil(fps / 50 - 1e-9)), 1)
    written = 0

    def pictures():
        nonlocal written
        palette = None
        bar = tqdm(frames, total=total, desc=path.name, unit="frame", disable=None if progress else True)
        for frame in itertools.islice(bar, 0, None, every):
            if written == GIF_LIMIT:
                raise UserError(f"{path}: a GIF has at most {GIF_LIMIT} frames. Write .mp4, or choose a shorter range")
            if frame.shape[1] != width:
                frame = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
            image = Image.fromarray(frame)
            # One palette for all is quick, and what stands still does not flicker.
            palette = palette or image.quantize(255, dither=Image.Dither.NONE)
            image = image.quantize(palette=palette, dither=Image.Dither.NONE)
            start, end = (round(100 * i * every / fps) for i in (written, written + 1))
            image.info["duration"] = 10 * (end - start)
            written += 1
            yield image

    with atomic_write(path) as temporary:
        images = pictures()
        next(images).save(temporary, format="GIF", save_all=True, append_images=images, loop=0, optimize=False)
    return {"path": str(path), "frames": written, "width": width, "height": height, "fps": fps / every, "codec": "gif"}


def _first(frames, path, endings):
    """The first frame, and an iterator of all of them with it; refuses a wrong ending and no frames."""
    if path.suffix.lower() not in endings:
        raise UserError(f"{path}: no known kind of video. Use a file name that ends in {' or '.join(endings)}")
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        raise UserError(f"{path}: no frames to write. Check VIS.START and VIS.END")
    return first, itertools.chain([first], frames)


def _in_step(frames, encode):
    """Hand frames to `encode` in another thread while the next ones are drawn here; returns their number."""
    waiting, failures = queue.Queue(WAITING), []

    def work():
        while (frame := waiting.get()) is not None:
            # After a failure the queue is still emptied, so that no thread waits for a place in it.
            if not failures:
                try:
                    encode(frame)
                except BaseException as error:
                    failures.append(error)

    thread = threading.Thread(target=work, name="encoder", daemon=True)
    thread.start()
    count = 0
    try:
        for frame in frames:
            if failures:
                break
            waiting.put(frame)
            count += 1
    finally:
        waiting.put(None)
        thread.join()
    if failures:
        raise failures[0]
    return count


def _check_frame(frame, width, height):
    """The frame with even sides; all frames must have the size of the first."""
    down, right = height - frame.shape[0], width - frame.shape[1]
    if down or right:
        if down not in (0, 1) or right not in (0, 1):
            raise ValueError(f"a frame of {frame.shape[1]}x{frame.shape[0]} in a video of {width}x{height}")
        frame = cv2.copyMakeBorder(frame, 0, down, 0, right, cv2.BORDER_REPLICATE)
    return frame


@contextlib.contextmanager
def _h264_encoder(path, width, height, fps, quality, preset):
    # The index goes to the front of the file, so that a browser starts playing before it has all of it.
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(100_000))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        # On drawn pictures fine motion search and weighted prediction cost a quarter of the time and save
        # 6 % of the bytes at the same quality (measured on these scenes, preset veryfast).
        stream.options = {"preset": preset, "crf": str(quality), "subq": "1", "weightp": "0"}
        stream.thread_type = "AUTO"
        # OpenCV's conversion is BT.601 in the narrow range: players must not guess another from the size.
        # (AVCOL_RANGE_MPEG and AVCOL_SPC_BT470BG of FFmpeg's pixfmt.h.)
        stream.codec_context.color_range, stream.codec_context.colorspace = 1, 5

        def encode(frame):
            planes = cv2.cvtColor(_check_frame(frame, width, height), cv2.COLOR_RGB2YUV_I420)
            for packet in stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")):
                container.mux(packet)

        yield encode
        for packet in stream.encode():
            container.mux(packet)


@contextlib.contextmanager
def _opencv_encoder(path, width, height, fps, quality, preset):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), float(fps), (width, height))
    if not writer.isOpened():
        raise UserError(f'{path}: OpenCV cannot write mp4 files on this machine. pip install "synsp[video]"')
    count = itertools.count()

    def encode(frame):
        writer.write(cv2.cvtColor(_check_frame(frame, width, height), cv2.COLOR_RGB2BGR))
        next(count)

    try:
        yield encode
    finally:
        writer.release()
    if cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FRAME_COUNT) < next(count):  # OpenCV does not report a full disk
        raise OSError(errno.ENOSPC, "frames are missing from the video", str(path))


# --- reading --------------------------------------------------------------------------------------------


def read_background(path, start=0):
    """RGB images of a video file, of an image folder or of one image, from number `start` on."""
    path = Path(path)
    if not path.exists():
        raise UserError(f"{path}: not found. Give a video file or a folder of images")
    if path.is_dir():
        return read_image_folder(path, start)
    if path.suffix.lower() in IMAGE_ENDINGS:
        return iter([_read_image(path)])
    return read_video(path, start)


def read_image_folder(path, start=0):
    """Iterator of the RGB images of a folder in the order of the numbers in their names, from `start` on.

    Raises UserError at once where there is no image, and on reaching a file that is none.
    """
    path = Path(path)
    files = [file for file in path.iterdir() if file.suffix.lower() in IMAGE_ENDINGS] if path.is_dir() else []
    if not files:
        raise UserError(f"{path}: contains no images. Expected one image per frame: " + ", ".join(IMAGE_ENDINGS))
    # 'frame_10' comes after 'frame_9'.
    files.sort(key=lambda file: [int(part) if i % 2 else part for i, part in enumerate(re.split(r"(\d+)", file.name))])
    return (_read_image(file) for file in files[start:])


def _read_image(path):
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise UserError(f"{path}: not a readable image. Replace it, or remove it from the folder")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def read_video(path, start=0):
    """Iterator of a video's frames as RGB images, upright as its player shows them, from number `start` on.

    Raises UserError at once for a file that is no video. A file that breaks off ends there, with a warning.
    """
    path = Path(path)
    frames = (_read_by_opencv if av is None else _read_by_av)(path)
    first = next(frames, None)
    if first is None:
        raise UserError(f"{path}: not a readable video. Check the file, or give a folder of images")
    return itertools.islice(itertools.chain([first], frames), start, None)


def _read_by_av(path):
    try:
        container = av.open(str(path))
    except (av.FFmpegError, OSError):
        return
    with container:
        if not container.streams.video:
            return
        container.streams.video[0].thread_type = "AUTO"
        frames, count = container.decode(video=0), 0
        while True:
            try:
                frame = next(frames)
            except (StopIteration, EOFError):
                return
            except av.FFmpegError as error:
                if count:
                    print(f"{path}: unreadable after frame {count} ({error.strerror})", file=sys.stderr)
                return
            count += 1
            image = frame.to_ndarray(format="rgb24")
            # Telephones store the picture lying, with a note of how to turn it (degrees counter-clockwise).
            turns = round(frame.rotation / 90) % 4
            yield np.ascontiguousarray(np.rot90(image, turns)) if turns else image


def _read_by_opencv(path):
    capture = cv2.VideoCapture(str(path))
    try:
        while True:
            there, image = capture.read()
            if not there:
                return
            yield cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    finally:
        capture.release()
