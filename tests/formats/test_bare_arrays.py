"""One array, or a list of frames' arrays, with nothing around it: in a pickle, an object .npy, a file of torch.save."""

import pickle

import numpy as np
import pytest
import torch

from lib.errors import UserError
from lib.formats import registry
from tests.formats.walker import FRAMES, walk

PX, M = np.round(walk(2, 400.0, place=100.0), 3), walk(3, 1.7).astype(np.float32)
OTHER = np.round(walk(2, 400.0, place=100.0, seed=1) + [300, 20], 3)
PAIR = np.stack([M, walk(3, 1.7, seed=1).astype(np.float32) + np.float32([1, 0, 0])])


def save(path, content):
    """As the ending says: torch.save, numpy.save or pickle.dump."""
    if path.suffix in (".pt", ".pth"):
        torch.save(content, path, _use_new_zipfile_serialization=path.suffix == ".pt")
    elif path.suffix == ".npy":
        holder = np.empty(len(content), dtype=object)
        holder[:] = content
        np.save(path, holder)
    else:
        path.write_bytes(pickle.dumps(content))


def loaded(path):
    if path.suffix in (".pt", ".pth"):
        return torch.load(path, weights_only=True)
    return np.load(path, allow_pickle=True)


BARE = {
    "array.pkl": (M, M),
    "people.pkl": (PAIR, PAIR),
    "flat.pkl": (M.reshape(FRAMES, 51), M),
    "tensor.pkl": (torch.from_numpy(M), M),
    "tensor.pt": (torch.from_numpy(M), M),
    "before_1_6.pth": (torch.from_numpy(M), M),
    "people.pt": (torch.from_numpy(PAIR), PAIR),
    "flat.pt": (torch.from_numpy(M.reshape(FRAMES, 51)), M),
    "by_name.pt": ({"keypoints": torch.from_numpy(M), "fps": 50, "note": "a"}, M),
    "half.pt": ({"preds": torch.from_numpy(M).half(), "note": "a"}, M),
    "parameter.pt": (torch.nn.Parameter(torch.from_numpy(M)), M),
}


@pytest.mark.parametrize("name", BARE)
def test_one_array(tmp_path, name):
    content, expected = BARE[name]
    save(tmp_path / name, content)
    pose_file = registry.read(tmp_path / name)
    atol = 2e-3 if name == "half.pt" else 1e-6
    found = np.array([track.poses for track in pose_file.tracks])
    np.testing.assert_allclose(found, expected.reshape(-1, FRAMES, 17, 3), atol=atol)
    assert pose_file.fps == (50 if name == "by_name.pt" else None)
    registry.write(pose_file, [track.poses + 1 for track in pose_file.tracks], tmp_path / f"out_{name}")
    out = loaded(tmp_path / f"out_{name}")
    if isinstance(content, dict):
        assert (list(out), out["note"]) == (list(content), "a")
        (content, out) = next(iter(content.values())), next(iter(out.values()))
    assert isinstance(out, torch.Tensor if isinstance(content, torch.Tensor) else np.ndarray)
    assert (out.shape, out.dtype) == (content.shape, content.dtype)
    np.testing.assert_allclose(np.asarray(out).reshape(expected.shape), expected + 1, atol=atol)


def test_a_torch_file_of_something_else_is_described(tmp_path):
    torch.save({"epoch": 3, "model": {"weight": torch.ones(3, 3)}}, tmp_path / "checkpoint.pt")
    with pytest.raises(UserError, match=r"looks like a PyTorch file: \{'epoch': a number"):
        registry.read(tmp_path / "checkpoint.pt")


LISTS = {
    "one.pkl": list(PX),
    "one.pt": [torch.from_numpy(frame) for frame in PX],
    "two.pkl": [np.stack([one, other])[: 1 + (t > 5)] for t, (one, other) in enumerate(zip(PX, OTHER))],
    "two.npy": [np.stack([one, other])[: 1 + (t > 5)] for t, (one, other) in enumerate(zip(PX, OTHER))],
    "lists.pkl": [[one, other][: 1 + (t > 5)] for t, (one, other) in enumerate(zip(PX, OTHER))],
}


@pytest.mark.parametrize("name", LISTS)
def test_frames(tmp_path, name):
    frames = LISTS[name]
    save(tmp_path / name, frames)
    pose_file = registry.read(tmp_path / name)
    expected = [PX] if name.startswith("one") else [PX, OTHER[6:]]
    assert (pose_file.format, pose_file.frame_count, len(pose_file.tracks)) == ("frame_arrays", FRAMES, len(expected))
    for track, poses in zip(pose_file.tracks, expected):
        np.testing.assert_allclose(track.poses, poses)
        assert (track.layout, track.units) == ("coco17", "px")
    registry.write(pose_file, [track.poses + 1 for track in pose_file.tracks], tmp_path / f"out_{name}")
    for old, new in zip(frames, loaded(tmp_path / f"out_{name}"), strict=True):
        assert type(new) is type(old)
        np.testing.assert_allclose(np.asarray(new), np.asarray(old) + 1)


def test_frames_of_nobody_of_scores_and_of_whole_numbers(tmp_path):
    """In a dict, beside a rate; only the frame that changed becomes a float array."""
    frames = [np.round(np.c_[pose, np.full(17, t % 2)]).astype(int) for t, pose in enumerate(PX)]
    frames[3], frames[8] = None, np.zeros((0, 17, 3))
    save(tmp_path / "poses.pkl", {"keypoints": frames, "fps": 25})
    pose_file = registry.read(tmp_path / "poses.pkl")
    (track,) = pose_file.tracks
    assert pose_file.fps == 25 and track.confidence is not None
    track.poses[5] += 0.5
    registry.write(pose_file, [track.poses], tmp_path / "out.pkl")
    out = loaded(tmp_path / "out.pkl")["keypoints"]
    assert out[3] is None and [number for number, frame in enumerate(out) if number != 3 and frame.dtype.kind == "f"] == [5, 8]  # fmt: skip
    np.testing.assert_array_equal(out[5][:, :2], frames[5][:, :2] + 0.5)


def test_clips_are_no_frames(tmp_path):
    save(tmp_path / "clips.pkl", [PX, PX + 10, OTHER])
    with pytest.raises(UserError, match=r"a list of 3 clips \[T, J, D\], not of frames"):
        registry.read(tmp_path / "clips.pkl")
