"""What refine says and shows: units, proportions, whose weights, clips."""

import json
import logging
import re

import numpy as np

from lib.command_line import Request
from lib.commands import refine_file
from lib.dataset import storage
from lib.visualize import drawing, figures, palette
from tests.formats.walker import FRAMES, walk


def refined(path, *more, caplog):
    with caplog.at_level(logging.INFO):
        refine_file.main(
            Request("refine", [str(path), "--output", str(path.parent / ("out" + path.suffix)), *map(str, more)])
        )
    return caplog.text


def page_data(folder):
    text = (folder / "report.html").read_text(encoding="utf-8")
    return json.loads(re.search(r'id="page-data"[^>]*>(.*?)</script>', text, re.S)[1])


def test_shares_of_an_image_are_no_pixels(tmp_path, caplog):
    np.save(tmp_path / "poses.npy", walk(2, 0.5, place=0.2))
    refined(tmp_path / "poses.npy", "--report", tmp_path, caplog=caplog)
    data = page_data(tmp_path)
    assert [sequence["unit"] for sequence in data["sequences"]] == ["% of image height"]
    assert {row["poses"] for row in data["metrics"]} == {"2D, % of image height"}
    # x in 16 / 9 of the height, y as it is
    origin, step = np.array(data["sequences"][0]["tracks"][0]["origin"]), data["sequences"][0]["tracks"][0]["step"]
    start = walk(2, 0.5, place=0.2)[0]
    np.testing.assert_allclose(origin.reshape(17, 2) * step, 100 * start * [16 / 9, 1], atol=step)


def test_the_size_of_the_image_makes_pixels(tmp_path, caplog):
    np.save(tmp_path / "poses.npy", walk(2, 0.5, place=0.2))
    refined(tmp_path / "poses.npy", "--report", tmp_path, "--image_size", "1920x1080", caplog=caplog)
    assert page_data(tmp_path)["sequences"][0]["unit"] == "px"


def test_weights_and_their_licence_are_said(tmp_path, caplog):
    sample = storage.read("data/poses/kinect_sample_3D/detected/kinect_sample_3D_test.npz")["joints_3d"][0]
    np.save(tmp_path / "poses.npy", sample.reshape(-1, 17, 3))
    said = refined(tmp_path / "poses.npy", caplog=caplog)
    assert re.search(r"weights: \S*synsp_3D_w8.pth.tar: .*free for any use", said)


def test_clips_are_no_people(tmp_path, caplog):
    clips = np.empty(5, dtype=object)
    for number in range(5):
        clips[number] = walk(3, 1.7, seed=number).reshape(FRAMES, 51)
    np.savez(tmp_path / "data.npz", joints_3d=clips)
    assert "5 clips" in refined(tmp_path / "data.npz", caplog=caplog)


def test_trc_is_shown_with_y_up(tmp_path, caplog):
    poses = walk(3, 1.7)[:, 5:] * [1, -1, 1]
    header = [
        "PathFileType\t4\t(X/Y/Z)\tx.trc",
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits",
        f"30\t30\t{FRAMES}\t12\tm",
    ]
    header += ["Frame#\tTime\t" + "\t".join(f"M{j}\t\t" for j in range(12)), ""]
    rows = [
        "\t".join([str(t + 1), f"{t / 30:.4f}", *(f"{value:.5f}" for value in pose.ravel())])
        for t, pose in enumerate(poses)
    ]
    (tmp_path / "walk.trc").write_text("\n".join(header + rows) + "\n")
    refined(tmp_path / "walk.trc", "--report", tmp_path, caplog=caplog)
    track = page_data(tmp_path)["sequences"][0]["tracks"][0]
    shown = np.array(track["origin"]).reshape(12, 3)[:, 1]
    assert np.corrcoef(shown, poses[0, :, 1])[0, 1] < -0.99  # y down on the page


def test_one_table_of_colours(tmp_path, caplog):
    assert figures.COLOURS is palette.LIGHT
    assert drawing.ROLES["refined"] == palette.rgb(palette.LIGHT["refined"][0]) == (0, 114, 178)
    np.save(tmp_path / "poses.npy", walk(2, 400.0))
    refined(tmp_path / "poses.npy", "--report", tmp_path, caplog=caplog)
    assert page_data(tmp_path)["palette"]["light"]["refined"][0] == palette.LIGHT["refined"][0]


def test_bvh_out_of_rotations_and_of_joints(tmp_path, caplog):
    turn = 0.2 * np.sin(0.3 * np.arange(FRAMES)[:, None] + np.arange(72))
    np.savez(tmp_path / "smpl.npz", poses=turn, trans=np.zeros((FRAMES, 3)), betas=np.zeros(10))
    body = walk(3, 1.7)
    middle = lambda *joints: body[:, joints].mean(axis=1)  # noqa: E731
    hips, chest = middle(11, 12), middle(5, 6)
    joints = [
        hips,
        *body[:, [12, 14, 16, 11, 13, 15]].transpose(1, 0, 2),
        (hips + chest) / 2,
        chest,
        body[:, 0],
        middle(3, 4),
    ]
    joints += list(body[:, [5, 7, 9, 6, 8, 10]].transpose(1, 0, 2))
    assert len(joints) == 17
    np.save(tmp_path / "joints.npy", np.stack(joints, axis=1))
    for name in ("smpl.npz", "joints.npy"):
        with caplog.at_level(logging.INFO):
            refine_file.main(
                Request("refine", [str(tmp_path / name), "--output", str(tmp_path / "out.bvh"), "--fps", "30"])
            )
        text = (tmp_path / "out.bvh").read_text()
        assert text.startswith("HIERARCHY\nROOT pelvis") and f"Frames: {FRAMES}" in text and "nan" not in text
