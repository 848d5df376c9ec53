"""Rendered clips: the truth lies on the drawn person, the same seed gives the same clip, a killed run goes on."""

import json

import numpy as np
import pytest

from lib.commands import pairs as command
from lib.commands import pairs_render
from lib.errors import UserError
from lib.pairs import INDEX

anny = pytest.importorskip("anny")
pytest.importorskip("numba")
from lib.pairs import body, camera, clips, motion, motion_files, render, scene  # noqa: E402

SMALL = ["--frames", "3", "--size", "64", "--seed", "5"]


@pytest.fixture(scope="module")
def motions():
    return motion_files.shipped("train")


@pytest.fixture(scope="module")
def filmed(motions):
    """(shot, frames, actor, eye) of a person before black, without grain."""
    rng = np.random.default_rng(3)
    rotations, roots = motion.cut(motions[0], rng, 3, 30)
    person = render.actor(body.phenotype(rng), rotations, roots, rng)
    eye = camera.around(person.joints, motion.facing(rotations), (96, 96), 30, rng, yaw=0.2)
    look = scene.Look(np.array([0, 0, -0.5], np.float32), np.float32(0.5), 0.2, 0.0, 0.0, 20)
    shot = render.film([person], eye, (96, 96), 30, look, np.zeros((144, 144, 3), np.uint8), [], rng)
    return shot, list(shot.frames), person, eye


@pytest.mark.slow
def test_joints_lie_on_the_person_that_is_drawn(filmed):
    shot, frames, _, _ = filmed
    assert len(frames) == 3 == len(shot.truth["joints3D"])
    for image, joints in zip(frames, shot.truth["joints2D"]):
        columns, rows = joints.astype(int).T
        assert (image[rows, columns].max(-1) > 0).all()
        assert 0.02 < (image.max(-1) > 0).mean() < 0.5


@pytest.mark.slow
def test_pixels_are_what_the_camera_makes_of_metres(filmed):
    truth = filmed[0].truth
    seen = truth["joints3D"] @ truth["K"].T
    np.testing.assert_allclose(seen[..., :2] / seen[..., 2:], truth["joints2D"], atol=1e-2)


@pytest.mark.slow
def test_joints_of_a_segment_turn_with_it(filmed):
    truth = filmed[0].truth
    hips, left, right = (body.JOINTS.index(name) for name in ("pelvis", "left_hip", "right_hip"))
    segment = truth["segment_of_joint"]
    assert segment[hips] == segment[left] == segment[right]
    between = truth["joints3D"][:, left] - truth["joints3D"][:, right]
    still = np.einsum("tba,tb->ta", truth["segments"][:, segment[hips]], between)
    np.testing.assert_allclose(still, np.tile(still[0], (3, 1)), atol=1e-5)
    assert still[0, 0] > 0.1  # x is the person's left
    np.testing.assert_allclose(np.linalg.det(truth["segments"]), 1, atol=1e-5)


@pytest.mark.slow
def test_bones_keep_their_length_and_people_are_as_large_as_people(filmed):
    joints = filmed[0].truth["joints3D"]
    knee, ankle = (joints[:, body.JOINTS.index(name)] for name in ("left_knee", "left_ankle"))
    shank = np.linalg.norm(knee - ankle, axis=-1)
    np.testing.assert_allclose(shank, shank[0], rtol=1e-2)
    assert 0.2 < shank[0] < 0.6


@pytest.mark.slow
def test_a_killed_run_goes_on_and_makes_the_same_clips(tmp_path, monkeypatch):
    whole, broken = str(tmp_path / "whole"), tmp_path / "broken"
    command.main(["render", whole, "--clips", "2", *SMALL])
    made = clips.make

    def killed(plan, number, *rest):
        if number == 1:
            raise KeyboardInterrupt
        return made(plan, number, *rest)

    monkeypatch.setattr(clips, "make", killed)
    with pytest.raises(KeyboardInterrupt):
        command.main(["render", str(broken), "--clips", "2", *SMALL])
    assert [meta["number"] for meta in clips.done(broken)] == [0]
    monkeypatch.setattr(clips, "make", made)
    command.main(["render", str(broken), "--clips", "2", *SMALL])
    names = [meta["clip"] for meta in clips.done(whole)]
    assert names == [meta["clip"] for meta in clips.done(broken)]
    for name in names:
        with np.load(f"{whole}/{name}.npz") as one, np.load(broken / f"{name}.npz") as other:
            np.testing.assert_array_equal(one["joints3D"], other["joints3D"])
            assert json.loads(str(one["meta"])) == json.loads(str(other["meta"]))


@pytest.mark.slow
def test_views_film_the_same_motion_from_other_places(tmp_path):
    command.main(["render", str(tmp_path), "--clips", "2", "--views", "2", *SMALL])
    one, other = clips.done(tmp_path)
    assert one["views"] == other["views"] and one["body"] == other["body"]
    first, second = (np.load(tmp_path / f"{meta['clip']}.npz")["joints3D"] for meta in (one, other))
    lengths = [np.linalg.norm(np.diff(joints, axis=1), axis=-1) for joints in (first, second)]
    np.testing.assert_allclose(*lengths, atol=1e-4)
    assert np.abs(first - second).max() > 0.1


@pytest.mark.slow
def test_no_subject_is_in_both_splits(motions):
    other = motion_files.shipped("test")
    assert not {one.subject for one in motions} & {one.subject for one in other}
    assert len({one.subject for one in other}) == 2


@pytest.mark.slow
def test_clips_longer_than_any_motion_are_refused(tmp_path):
    plan = clips.Plan(str(tmp_path), 1, 3000, 64, (5,), 1, 1, "train", None, None, 0.0)
    with pytest.raises(UserError, match="--frames 3000 at 5 fps take 600.0 s"):
        clips.load_motions(plan)


def test_a_missing_package_is_said_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(pairs_render, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"anny.*not installed. pip install 'synsp\[pairs\]'"):
        command.main(["render", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


def test_a_damaged_list_of_clips_is_refused(tmp_path):
    (tmp_path / INDEX).write_text('[{"clip": ')
    with pytest.raises(UserError, match="Remove it"):
        clips.done(tmp_path)


def test_a_folder_without_pictures_is_refused(tmp_path):
    with pytest.raises(UserError, match="--backgrounds"):
        scene.photos(tmp_path)


@pytest.mark.slow
def test_other_seeds_and_the_other_split_add_clips_to_a_folder(tmp_path):
    for flags in (["--seed", "5"], ["--seed", "6"], ["--seed", "5", "--split", "test"]):
        command.main(["render", str(tmp_path), "--clips", "1", "--frames", "2", "--size", "64", *flags])
    metas = clips.done(tmp_path)
    assert len({meta["clip"] for meta in metas}) == len({meta["body"] for meta in metas}) == 3
    assert len({str(meta["phenotype"]) for meta in metas}) == 3
    assert len(list(tmp_path.glob("*.mp4"))) == 3


@pytest.mark.slow
def test_two_processes_make_the_same_clips_as_one(tmp_path):
    for jobs in ("1", "2"):
        command.main(["render", str(tmp_path / jobs), "--clips", "2", "--jobs", jobs, *SMALL])
    one, other = (clips.done(tmp_path / jobs) for jobs in ("1", "2"))
    assert one == other and len(one) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags, said",
    [
        (["--motion", "nowhere.npz"], "nowhere.npz: not found"),
        (["--run", "mediapipe", "--python", "/nowhere/python"], "cannot be run"),
        (["--run", "mediapipe", "--python", "false"], "has no mediapipe"),
        (["--backgrounds", "."], "no .jpg"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_rendered(tmp_path, monkeypatch, flags, said):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=said):
        command.main(["render", str(tmp_path / "out"), "--clips", "1", *SMALL, *flags])
    assert not list(tmp_path.rglob("*.mp4"))
