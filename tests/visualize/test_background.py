"""`--video`: which image lies under which frame, and what is refused."""

import logging

import cv2
import numpy as np
import pytest

from lib.command_line import Request
from lib.commands import visualize
from lib.dataset.sequences import Sequence
from lib.errors import UserError
from lib.visualize import background, video


def sequence(names, frames=4, **extras):
    points = np.full((frames, 34), 20, np.float32)
    return Sequence("clip0", points, points, [f"clip0/{name}" for name in names], extras=extras)


def paint(folder, names, size=(64, 48)):
    """Images whose red is 10 times their place in `names`."""
    folder.mkdir(parents=True, exist_ok=True)
    for k, name in enumerate(names):
        cv2.imwrite(str(folder / name), np.full((size[1], size[0], 3), (0, 0, 10 * k), np.uint8))
    return folder


def reds(found):
    return [int(image[5, 5, 0]) for image in found]


def test_images_are_found_by_the_names_of_the_data_set(tmp_path):
    names = ["a9.png", "b1.png", "b2.png", "b3.png", "b10.png"]
    view = sequence(["b10.png", "b3", "b2.jpg", "b1.png"])  # with their ending, without it, with another one
    folder = paint(tmp_path / "images", names)
    assert reds(background.images(folder, view, slice(0, 4), True)) == [40, 30, 20, 10]
    assert reds(background.images(folder, view, slice(1, 3), True)) == [30, 20]


def test_images_with_other_names_are_taken_in_their_order(tmp_path):
    folder = paint(tmp_path / "images", ["f1.png", "f2.png", "f3.png", "f4.png", "f10.png"])
    assert reds(background.images(folder, sequence(["x1", "x2", "x3", "x4"]), slice(1, 4), True)) == [10, 20, 30]


def test_a_video_belongs_to_the_only_sequence_or_to_the_one_of_its_name(tmp_path):
    frames = [np.full((48, 64, 3), 50 * k, np.uint8) for k in range(4)]
    video.write_video(frames, tmp_path / "clip0.mp4", progress=False)
    video.write_video(frames[::-1], tmp_path / "clip1.mp4", progress=False)
    for path, alone in ((tmp_path / "clip0.mp4", True), (tmp_path, True), (tmp_path, False)):
        assert reds(background.images(path, sequence([]), slice(1, 4), alone)) == pytest.approx([50, 100, 150], abs=3)
    with pytest.raises(UserError, match="several sequences are to be drawn"):
        background.images(tmp_path / "clip0.mp4", sequence([]), slice(0, 4), False)
    other = Sequence("clip7", None, np.zeros((4, 34)))
    with pytest.raises(UserError, match="clip7"):
        background.images(tmp_path, other, slice(0, 4), True)


def test_images_come_in_the_size_of_the_data_set(tmp_path, caplog):
    folder = paint(tmp_path / "images", ["0.png", "1.png"])
    found = list(background.images(folder, sequence(["0", "1"], 2, imgshape=np.array([96, 128, 3])), slice(0, 2), True))
    assert {image.shape for image in found} == {(96, 128, 3)} and not caplog.records
    list(background.images(folder, sequence(["0", "1"], 2, imgshape=np.array([96, 96, 3])), slice(0, 2), True))
    assert "the video that the poses were detected in" in caplog.text


def test_what_does_not_fit_is_said(tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    folder = paint(tmp_path / "images", ["0.png", "1.png"])
    view = sequence(["a", "b", "c", "d"])
    assert len(list(background.images(folder, view, slice(0, 4), True))) == 2
    assert "ends after 2 of 4 frames" in caplog.text and "lie outside" not in caplog.text
    view.detected = view.detected + 100
    list(background.images(folder, view, slice(0, 2), True))
    assert "lie outside" in caplog.text
    with pytest.raises(UserError, match="no image for frame 3"):
        list(background.images(folder, view, slice(3, 4), True))


@pytest.fixture
def draw(write_set, tmp_path):
    """A function (*words) that draws 2 of 3 clips of a small 2D set, 8 frames of each."""
    base = write_set("h36m", "net", "2D")

    def run(*words, kind="2D"):
        arguments = [
            "--dataset_name",
            "h36m",
            "--estimator",
            "net",
            "--body_representation",
            kind,
            "--tradition",
            "gaus1d",
            "--output_video_path",
            tmp_path / "out",
            "DATASET.BASE_DIR",
            base,
            "DEVICE",
            "cpu",
            "VIS.END",
            8,
            *words,
        ]
        return visualize.visualize(Request("visualize", list(map(str, arguments))))

    return run


def test_the_door_draws_over_images(draw, tmp_path):
    """Every clip over its own colour: green and blue images of 1024 x 1024 px."""
    for k, color in enumerate(((0, 200, 0), (200, 0, 0))):  # as OpenCV has them: blue, green, red
        folder = tmp_path / "images" / f"test{k}.camera1"
        folder.mkdir(parents=True)
        for frame in range(8):
            cv2.imwrite(str(folder / f"{frame:06d}.jpg"), np.full((1024, 1024, 3), color, np.uint8))
    paths = draw("--video", tmp_path / "images", "--visualize_video_id", "0,1")
    for path, channel in zip(paths, (1, 2), strict=True):
        frames = list(video.read_video(path))
        assert len(frames) == 8
        dominant = frames[7][200:450, :, channel].astype(int) - frames[7][200:450, :, 0]
        assert (dominant > 120).mean() > 0.5


def test_views_of_2d_are_videos_of_their_own(tmp_path, write_set):
    def rename(split, kind, data):
        data["imgname"] = [
            np.array([f"act.camera{k}/{frame:06d}" for frame in range(len(names))])
            for k, names in enumerate(data["imgname"])
        ]

    base = write_set("h36m", "net", "2D", change=rename)
    paths = visualize.visualize(
        Request(
            "visualize",
            [
                "--dataset_name",
                "h36m",
                "--estimator",
                "net",
                "--body_representation",
                "2D",
                "--tradition",
                "gaus1d",
                "--output_video_path",
                str(tmp_path / "out"),
                "DATASET.BASE_DIR",
                str(base),
                "DEVICE",
                "cpu",
                "VIS.END",
                "3",
                "DATASET.MULTI_VIEW",
                "True",
            ],
        )
    )
    assert [path.name for path in paths] == [f"h36m_net_2D_0_view{v}.mp4" for v in (1, 2, 3)]
    assert all(len(list(video.read_video(path))) == 3 for path in paths)


@pytest.mark.parametrize(
    "words, hint",
    [
        (("--video", "absent.mp4"), "absent.mp4: not found"),
        (("--video", ".", "--format", "html"), "an interactive page shows no video"),
        (("--video", "."), "Name the video or folder like its sequence"),
    ],
)
def test_refusals(draw, tmp_path, monkeypatch, words, hint):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=hint):
        draw(*words)
    assert not (tmp_path / "out").exists()


def test_only_2d_lies_over_a_video(tmp_path, write_set):
    base = write_set("h36m", "net", "3D")
    with pytest.raises(UserError, match="is not 2D"):
        visualize.visualize(
            Request(
                "visualize",
                [
                    "--dataset_name",
                    "h36m",
                    "--estimator",
                    "net",
                    "--body_representation",
                    "3D",
                    "--tradition",
                    "gaus1d",
                    "--video",
                    str(tmp_path),
                    "DATASET.BASE_DIR",
                    str(base),
                    "DEVICE",
                    "cpu",
                ],
            )
        )
