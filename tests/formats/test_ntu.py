"""NTU RGB+D's .skeleton files: two bodies, one of which comes and goes."""

import numpy as np
import pytest

from lib.errors import UserError
from lib.formats import registry
from tests.formats.walker import FRAMES, walk

IDS = ("72057594037931101", "72057594037931177")


def bodies():
    """{id: (first frame, x, y, z [T, 25, 3], depth and colour px [T, 25, 4], states [T, 25])}"""
    found = {}
    for number, (identity, first, length) in enumerate(zip(IDS, (0, 5), (FRAMES, 12))):
        body = walk(3, 1.7, seed=number) * [1, -1, 1] + [number, 1, 3]
        places = np.concatenate([body, body[:, :8] + 0.01], axis=1)[:length]  # 25 points of a body
        image = places[..., :2] / places[..., 2:] * [360, -360] + [256, 212]
        states = np.full((length, 25), 2)
        states[3, 7], states[4, 7] = 1, 0
        found[identity] = first, places, np.concatenate([image, 3 * image], axis=-1), states
    return found


def ntu(folder, end="\n"):
    lines, people = [str(FRAMES)], bodies()
    for frame in range(FRAMES):
        here = [(key, *rest) for key, (first, *rest) in people.items() if 0 <= frame - first < len(rest[0])]
        lines.append(str(len(here)))
        for identity, places, image, states in here:
            t = frame - people[identity][0]
            lines += [f"{identity} 0 1 1 1 1 0 0.0276 0.0574 2", "25"]
            for joint in range(25):
                numbers = [*places[t, joint], *image[t, joint], -0.2059419, 0.05349901, 0.9692109, -0.1239193]
                lines.append(" ".join(f"{value:.7g}" for value in numbers) + f" {states[t, joint]}")
    (folder / "S001C001P001R001A050.skeleton").write_text(end.join(lines) + end, newline="")
    return folder / "S001C001P001R001A050.skeleton"


def parsed(path):
    """The file as its tables are read everywhere: one line after another; {id: [(frame, [25, 12])]}."""
    words = iter(path.read_text().split("\n"))
    found = {}
    for frame in range(int(next(words))):
        for _ in range(int(next(words))):
            identity = next(words).split()[0]
            joints = [[float(word) for word in next(words).split()] for _ in range(int(next(words)))]
            found.setdefault(identity, []).append((frame, np.array(joints)))
    return found


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_ntu(tmp_path, end):
    path = ntu(tmp_path, end)
    pose_file = registry.read(path)
    assert (pose_file.format, pose_file.fps, pose_file.frame_count) == ("ntu", 30, FRAMES)
    assert [(track.id, track.part) for track in pose_file.tracks] == [
        (identity, part) for identity in IDS for part in ("body", "depth_image", "colour_image")
    ]
    for track in pose_file.tracks:
        first, places, image, _ = bodies()[track.id]
        expected = {"body": places, "depth_image": image[..., :2], "colour_image": image[..., 2:]}[track.part].copy()
        expected[4, 7] = np.nan  # not tracked
        np.testing.assert_allclose(track.poses, expected, rtol=1e-6, atol=1e-4)
        assert track.start == first and track.layout == "kinect25" and track.confidence[3, 7] == 0.5
    changed = [track.poses + 0.25 for track in pose_file.tracks]
    registry.write(pose_file, changed, tmp_path / "out.skeleton")
    before, after = parsed(path), parsed(tmp_path / "out.skeleton")
    assert list(before) == list(after)
    for identity, entries in before.items():
        for (frame, old), (other, new) in zip(entries, after[identity], strict=True):
            step = np.zeros((25, 12))
            step[:, :7] = 0.25
            step[(old[:, -1] == 0), :7] = 0
            np.testing.assert_allclose(new, old + step, atol=1e-4)
            assert frame == other
    registry.write(pose_file, [track.poses for track in pose_file.tracks], tmp_path / "same.skeleton")
    assert (tmp_path / "same.skeleton").read_bytes() == path.read_bytes()


def test_frames_of_nobody_and_nobody_at_all(tmp_path):
    (tmp_path / "a.skeleton").write_text("3\n0\n0\n0\n")
    with pytest.raises(UserError, match="no tracked body in any of its 3 frames"):
        registry.read(tmp_path / "a.skeleton", "ntu")


@pytest.mark.parametrize("cut", [40, 41, 200])
def test_a_cut_file_is_refused(tmp_path, cut):
    path = ntu(tmp_path)
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:-cut]) + "\n")
    with pytest.raises(UserError, match="it ends where .* should be"):
        registry.read(path)
    lines[10] = "1 2 3"
    path.write_text("\n".join(lines))
    with pytest.raises(UserError, match=r"line 11: 3 numbers. Expected a joint's line \(12\)"):
        registry.read(path)
