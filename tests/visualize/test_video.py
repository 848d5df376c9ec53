"""Files: what is written is what a player reads back."""

import subprocess
import sys

import cv2
import numpy as np
import pytest
from PIL import Image

from lib.errors import UserError
from lib.visualize import video

av = pytest.importorskip("av")

PLACES = [(30, 20), (100, 60), (170, 96), (64, 110), (12, 9)]


def marked(places=PLACES, width=192, height=128, radius=6):
    """Grey frames with a white disc at (x, y)."""
    for x, y in places:
        frame = np.full((height, width, 3), 60, np.uint8)
        cv2.circle(frame, (x, y), radius, (255, 255, 255), -1)
        yield frame


def centre(frame):
    rows, columns = np.nonzero(frame.mean(-1) > 160)
    return columns.mean(), rows.mean()


def test_h264_file_has_the_promised_form(tmp_path):
    path = tmp_path / "new" / "a.mp4"
    info = video.write_video(marked(), path, fps=29.97, total=5, progress=False)
    assert info == {"path": str(path), "frames": 5, "width": 192, "height": 128, "fps": 29.97, "codec": "h264"}
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height, stream.frames) == (192, 128, 5)
        assert float(stream.average_rate) == pytest.approx(29.97, abs=1e-3)
        assert sum(1 for _ in container.decode(stream)) == 5
    # faststart: the index (moov) stands before the data (mdat).
    content = path.read_bytes()
    assert 0 < content.index(b"moov") < content.index(b"mdat")
    assert [file.name for file in path.parent.iterdir()] == ["a.mp4"]


def test_marker_comes_back_at_its_place_and_colours_as_they_were(tmp_path):
    path = tmp_path / "a.mp4"
    video.write_video(marked(), path, progress=False)
    frames = list(video.read_video(path))
    assert len(frames) == len(PLACES)
    for frame, place in zip(frames, PLACES):
        assert centre(frame) == pytest.approx(place, abs=0.3)
    colors = [(213, 94, 0), (0, 158, 115), (0, 114, 178), (230, 159, 0)]
    plain = [np.full((64, 64, 3), color, np.uint8) for color in colors]
    video.write_video(plain, tmp_path / "b.mp4", quality=15, progress=False)
    for frame, color in zip(video.read_video(tmp_path / "b.mp4"), colors):
        assert np.abs(frame[32, 32].astype(int) - color).max() <= 6


def test_reading_starts_where_it_is_told(tmp_path):
    video.write_video(marked(), tmp_path / "a.mp4", progress=False)
    frames = list(video.read_video(tmp_path / "a.mp4", start=3))
    assert [centre(frame) for frame in frames] == [pytest.approx(place, abs=0.3) for place in PLACES[3:]]


def test_odd_sides_get_one_pixel_more(tmp_path):
    info = video.write_video(marked(width=191, height=127), tmp_path / "a.mp4", progress=False)
    assert (info["width"], info["height"]) == (192, 128)
    assert next(video.read_video(tmp_path / "a.mp4")).shape == (128, 192, 3)


def test_one_frame(tmp_path):
    assert video.write_video(marked(PLACES[:1]), tmp_path / "a.mp4", progress=False)["frames"] == 1
    assert len(list(video.read_video(tmp_path / "a.mp4"))) == 1
    assert video.write_gif(marked(PLACES[:1]), tmp_path / "a.gif", progress=False)["frames"] == 1


@pytest.mark.parametrize("write, name", [(video.write_video, "a.mp4"), (video.write_gif, "a.gif")])
def test_a_failing_drawing_leaves_nothing_behind(tmp_path, write, name):
    def frames():
        yield from marked()
        raise RuntimeError("drawing failed")

    with pytest.raises(RuntimeError, match="drawing failed"):
        write(frames(), tmp_path / name, progress=False)
    assert list(tmp_path.iterdir()) == []


def test_a_failing_encoder_ends_the_drawing(tmp_path):
    def frames():
        yield from marked(PLACES * 2)
        yield np.zeros((50, 50, 3), np.uint8)
        while True:
            yield from marked(PLACES[:1])

    with pytest.raises(ValueError, match="50x50"):
        video.write_video(frames(), tmp_path / "a.mp4", progress=False)
    assert list(tmp_path.iterdir()) == []


def test_refusals_name_the_file(tmp_path):
    for write, name in ((video.write_video, "a.avi"), (video.write_gif, "a.mp4"), (video.write_video, "a")):
        with pytest.raises(UserError, match=f"{name}: .*ends in"):
            write(marked(), tmp_path / name, progress=False)
    with pytest.raises(UserError, match="no frames"):
        video.write_video(iter([]), tmp_path / "a.mp4", progress=False)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file is a file, not a folder"):
        video.write_video(marked(), tmp_path / "file" / "a.mp4", progress=False)
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(UserError, match="is a folder"):
        video.write_video(marked(), tmp_path / "folder.mp4", progress=False)


def test_without_pyav_opencv_writes_and_says_so(tmp_path):
    # In a process of its own, in which the package cannot be imported.
    code = (
        "import sys; sys.modules['av'] = None\n"
        "import numpy as np; from lib.visualize import video\n"
        "frames = [np.full((64, 96, 3), (213, 94, 0), np.uint8)] * 4\n"
        f"print(video.write_video(frames, {str(tmp_path / 'a.mp4')!r}, progress=False)['codec'])\n"
        f"print(len(list(video.read_video({str(tmp_path / 'a.mp4')!r}))))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["mp4v", "4"]
    assert len(done.stderr.strip().splitlines()) == 1 and "pip install av" in done.stderr
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert container.streams.video[0].codec_context.name == "mpeg4"
        pixel = next(container.decode(video=0)).to_ndarray(format="rgb24")[32, 48]
    assert np.abs(pixel.astype(int) - (213, 94, 0)).max() <= 12


def test_gif_has_every_frame_its_time_and_its_picture(tmp_path):
    info = video.write_gif(marked(), tmp_path / "a.gif", fps=30, progress=False)
    assert info["frames"] == 5 and info["fps"] == 30
    with Image.open(tmp_path / "a.gif") as image:
        assert (image.size, image.n_frames, image.info["loop"]) == ((192, 128), 5, 0)
        times = []
        for number, place in enumerate(PLACES):
            image.seek(number)
            times.append(image.info["duration"])
            assert centre(np.asarray(image.convert("RGB"))) == pytest.approx(place, abs=0.3)
    # Five thirtieths of a second in whole hundredths: 16.7, shared out as 3 or 4.
    assert sum(times) == 170 and set(times) == {30, 40}


def test_gif_is_scaled_down_and_not_faster_than_players(tmp_path):
    info = video.write_gif(marked(PLACES * 4), tmp_path / "a.gif", fps=120, width=96, progress=False)
    # Every third of 20 frames at 40 a second.
    assert (info["frames"], info["fps"], info["width"], info["height"]) == (7, 40, 96, 64)
    with Image.open(tmp_path / "a.gif") as image:
        assert image.size == (96, 64) and image.n_frames == 7
        assert centre(np.asarray(image.convert("RGB"))) == pytest.approx(np.array(PLACES[0]) / 2, abs=0.5)


def test_too_long_a_gif_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(video, "GIF_LIMIT", 3)
    with pytest.raises(UserError, match="a.gif: a GIF has at most 3 frames"):
        video.write_gif(marked(), tmp_path / "a.gif", progress=False)
    assert list(tmp_path.iterdir()) == []


def test_image_folder_is_read_by_number(tmp_path):
    for number, frame in zip((1, 2, 10, 9, 100), marked()):
        cv2.imwrite(str(tmp_path / f"img_{number}.png"), frame[..., ::-1])
    (tmp_path / "notes.txt").write_text("not an image")
    frames = list(video.read_background(tmp_path))
    order = [PLACES[i] for i in (0, 1, 3, 2, 4)]
    assert [centre(frame) for frame in frames] == [pytest.approx(place, abs=0.01) for place in order]
    assert len(list(video.read_background(tmp_path, start=2))) == 3


def test_colours_of_images_are_rgb(tmp_path):
    Image.new("RGB", (8, 8), (213, 94, 0)).save(tmp_path / "a.png")
    assert tuple(next(video.read_background(tmp_path))[4, 4]) == (213, 94, 0)
    assert tuple(next(video.read_background(tmp_path / "a.png"))[4, 4]) == (213, 94, 0)


def test_unreadable_backgrounds_are_refused_by_name(tmp_path):
    text = tmp_path / "text.mp4"
    text.write_text("this is no video")
    empty = tmp_path / "empty"
    empty.mkdir()
    for path in (text, empty, tmp_path / "absent.mp4"):
        with pytest.raises(UserError, match=path.name):
            video.read_background(path)
    (empty / "broken.png").write_text("this is no image")
    with pytest.raises(UserError, match="broken.png"):
        next(video.read_background(empty))


def test_a_video_that_breaks_off_ends_there(tmp_path, capsys):
    path = tmp_path / "a.mp4"
    video.write_video(marked(PLACES * 20), path, progress=False)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    frames = list(video.read_video(path))
    assert 0 < len(frames) < 100


def test_a_telephone_video_stands_upright(tmp_path):
    # The turn is written into the track header's matrix (QuickTime file format: x' = -y, y' = x for a quarter
    # clockwise, as a telephone held upright writes it): the stored upper left shows at the upper right.
    path = tmp_path / "a.mp4"
    video.write_video(marked([(20, 20)] * 3), path, progress=False)
    content = bytearray(path.read_bytes())
    matrix = content.index(b"tkhd") + 44
    assert int.from_bytes(content[matrix : matrix + 4], "big") == 0x10000
    turned = [0, 0x10000, 0, 0xFFFF0000, 0, 0, 128 << 16, 0, 0x40000000]
    content[matrix : matrix + 36] = b"".join(value.to_bytes(4, "big") for value in turned)
    path.write_bytes(content)
    frame = next(video.read_video(path))
    assert frame.shape == (192, 128, 3)
    assert centre(frame) == pytest.approx((127 - 20, 20), abs=0.3)
