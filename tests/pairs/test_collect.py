"""`synsp pairs collect`: from rendered clips and an estimator's files to a dataset that training and eval read."""

import json

import numpy as np
import pytest

from lib.command_line import Request
from lib.commands import cli, pairs_render
from lib.dataset import catalog, groups, sequences
from lib.errors import UserError
from lib.formats import registry
from lib.pairs import collect as making
from lib.poses.skeletons import LAYOUTS

from .conftest import clip

NAMES = LAYOUTS["h36m17"].joints


def run(out, said, base, *more):
    cli.main(
        [
            "pairs",
            "collect",
            str(out),
            str(said),
            "--dataset",
            "my",
            "--estimator",
            "vibe",
            "--base_dir",
            str(base),
            *more,
        ]
    )


def load(base, split, representation="3D", several=False):
    words = ["--dataset_name", "my", "--estimator", "vibe", "--body_representation", representation]
    words += ["DATASET.BASE_DIR", str(base), "DATASET.MULTI_VIEW", str(several), "DATASET.GROUPS", "{set}_train.json"]
    cfg = Request("eval", words).config()
    (source,) = catalog.sources(cfg)
    return sequences.load(source, split, cfg), cfg


def answers(said, made, offset=0.0, root=0.0):
    """The truth as the estimator's answer, [T, 17, 3] in mm with y up, each joint `offset` [17, 3] m aside in its segment."""
    for name, (joints, _, turns) in made.items():
        points = joints + np.einsum("tjab,jb->tja", turns, np.broadcast_to(offset, (17, 3)))
        np.save(said / f"{name}.npy", 1000 * (points - joints[:, :1] + root) * [1, -1, -1])


def spoilt(out, **changes):
    """The truth of one clip with some arrays changed, or left out where they are None."""
    with np.load(out / "ann_c0.npz") as data:
        arrays = {key: array for key, array in ({**data} | changes).items() if array is not None}
    np.savez(out / "ann_c0.npz", **arrays)


def test_a_dataset_comes_out_whose_persons_do_not_mix(rendered, tmp_path):
    out, said, made = rendered
    answers(said, made)
    run(out, said, tmp_path / "poses", "--truth", "body", "--test", "bob")
    train, cfg = load(tmp_path / "poses", "train")
    test, _ = load(tmp_path / "poses", "test")
    assert len(train.sequences) == 4 and len(test.sequences) == 2
    for view in (*train.sequences, *test.sequences):
        real = made[view.name.split(".")[0]][0]
        np.testing.assert_allclose(view.truth.reshape(-1, 17, 3), real - real[:, :1], atol=1e-6)
        np.testing.assert_allclose(view.detected, view.truth, atol=1e-5)  # mm and y up became m and y down
    assert {groups.Groups(cfg).of(recording).group for recording in train.recordings} == {"ann", "cid"}
    assert {view.name.split("_")[0] for view in test.sequences} == {"bob"}
    (tmp_path / "poses" / "my_vibe_3D.yaml").read_text().index("my_vibe_train.json")


def test_an_estimators_own_joint_places_become_the_truth(rendered, tmp_path):
    out, said, made = rendered
    offset = np.random.default_rng(0).normal(0, 0.03, (17, 3))
    offset[0] = 0
    answers(said, made, offset)
    errors = {}
    for truth in ("body", "estimator"):
        run(out, said, tmp_path / truth, "--truth", truth, "--test", "cid")
        split, _ = load(tmp_path / truth, "test")
        apart = [(view.truth - view.detected).reshape(-1, 17, 3) for view in split.sequences]
        errors[truth] = np.linalg.norm(np.concatenate(apart), axis=-1).mean()
    assert errors["body"] > 0.04 and errors["estimator"] < 0.012


def landmarks(joints, flat):
    """MediaPipe's file of a clip: 33 landmarks, of which those that the 17 joints are made of are right."""
    order = {"left_hip": 23, "right_hip": 24, "left_shoulder": 11, "right_shoulder": 12, "nose": 0}
    order |= {
        "left_knee": 25,
        "right_knee": 26,
        "left_ankle": 27,
        "right_ankle": 28,
        "left_elbow": 13,
        "right_elbow": 14,
    }
    order |= {"left_wrist": 15, "right_wrist": 16}
    world, image = np.zeros((len(joints), 33, 4)), np.zeros((len(joints), 33, 4))
    for name, place in order.items():
        world[:, place, :3] = joints[:, NAMES.index(name)] - joints[:, 0]
        image[:, place, :2] = flat[:, NAMES.index(name)] / 512
    for ear in (7, 8):
        world[:, ear, :3], image[:, ear, :2] = joints[:, 10] - joints[:, 0], flat[:, 10] / 512
    world[..., 3] = image[..., 3] = 0.9
    frames = [{"pose_landmarks": i.tolist(), "pose_world_landmarks": w.tolist()} for i, w in zip(image, world)]
    return {"fps": 30, "width": 512, "height": 512, "frames": frames}


def test_mediapipes_landmarks_give_both_kinds(rendered, tmp_path, capsys):
    out, said, made = rendered
    for name, (joints, flat, _) in made.items():
        told = landmarks(joints, flat)
        told["frames"][20:24] = [None] * 4  # a short gap is filled
        told["frames"][45:] = [None] * 15  # a long one ends the clip
        (said / f"{name}.mediapipe.json").write_text(json.dumps(told))
    run(out, said, tmp_path / "poses", "--test", "0.3")
    for representation, most in (("3D", 0.004), ("2D", 2.0)):
        split, _ = load(tmp_path / "poses", "train", representation)
        assert [view.length for view in split.sequences] == [45] * 4
        outside = np.r_[:20, 24:45]
        assert max(np.abs(view.truth - view.detected)[outside].max() for view in split.sequences) < most
    assert "found in 68.3 %" in capsys.readouterr().err


def test_clips_of_other_rates_become_thirty_a_second(tmp_path):
    out, said = tmp_path / "clips", tmp_path / "said"
    out.mkdir(), said.mkdir()
    made = {name: clip(out, name, name, frames=121, fps=60.0) for name in ("ann", "bob")}
    answers(said, made)
    run(out, said, tmp_path / "poses", "--truth", "body")
    split, _ = load(tmp_path / "poses", "train")
    (view,) = split.sequences
    real = made[view.name.split(".")[0]][0][::2]
    np.testing.assert_allclose(view.truth.reshape(-1, 17, 3), real - real[:, :1], atol=1e-6)


def test_cameras_of_one_motion_are_views_of_one_recording(tmp_path):
    out, said = tmp_path / "clips", tmp_path / "said"
    out.mkdir(), said.mkdir()
    made = {f"{who}_c{k}": clip(out, f"{who}_c{k}", who, views=f"g_{who}") for who in ("ann", "bob") for k in range(2)}
    answers(said, made)
    run(out, said, tmp_path / "poses", "--truth", "body", "--test", "ann")
    split, _ = load(tmp_path / "poses", "train", several=True)
    ((recording),) = split.recordings
    assert [view.name for view in recording.views] == ["g_bob.camera1", "g_bob.camera2"]


def test_a_run_that_was_killed_reads_no_file_twice(rendered, tmp_path, monkeypatch):
    out, said, made = rendered
    answers(said, made)
    read, count = making.estimates.read, []

    def counted(path, *more):
        count.append(path)
        if len(count) == 4:
            raise KeyboardInterrupt
        return read(path, *more)

    monkeypatch.setattr(making.estimates, "read", counted)
    with pytest.raises(KeyboardInterrupt):
        run(out, said, tmp_path / "poses")
    assert not list((tmp_path / "poses").glob("my_*"))
    run(out, said, tmp_path / "poses")
    assert len(count) == 4 + 3  # three were kept
    assert not list((tmp_path / "poses").glob(".my_*"))


def test_of_several_people_the_rendered_one_is_taken(rendered, tmp_path):
    out, said, made = rendered
    for name, (joints, flat, _) in made.items():
        told = landmarks(joints, flat)
        other = landmarks(joints + [1.5, 0, 0], flat + 200)
        for frame, second in zip(told["frames"], other["frames"]):
            for key in frame:
                frame[key] = [second[key], frame[key]]
        (said / f"{name}.json").write_text(json.dumps(told))
    run(out, said, tmp_path / "poses", "--test", "0.3", "--representation", "2D")
    split, _ = load(tmp_path / "poses", "train", "2D")
    assert np.abs(np.concatenate([view.truth - view.detected for view in split.sequences])).max() < 2


@pytest.mark.parametrize(
    "spoil, message",
    (
        (
            lambda said, out: np.save(said / "ann_c0.npy", np.zeros((90, 17, 3)) + np.arange(17)[:, None]),
            "90 frames, but clip ann_c0 has 60",
        ),
        (lambda said, out: np.save(said / "eve.npy", np.zeros((60, 17, 3))), "eve.npy is of no clip"),
        (lambda said, out: (said / "ann_c0.json").write_text("[]"), "are all of clip ann_c0"),
        (lambda said, out: (out / "ann_c0.npz").write_bytes(b"PK"), "not a readable .npz"),
        (lambda said, out: spoilt(out, fps=np.float32(np.nan)), "nan frames a second"),
        (lambda said, out: spoilt(out, K=np.full((3, 3), np.inf)), "K .* expected numbers below"),
        (lambda said, out: spoilt(out, segments=None), "no segments in it"),
        (lambda said, out: [path.unlink() for path in said.iterdir()], "no estimates"),
        (lambda said, out: [path.unlink() for path in out.iterdir()], "holds no clips"),
    ),
)
def test_a_mismatch_is_refused_in_one_line(rendered, tmp_path, spoil, message):
    out, said, made = rendered
    answers(said, made)
    spoil(said, out)
    with pytest.raises(UserError, match=message) as refused:
        run(out, said, tmp_path / "poses")
    assert "\n" not in str(refused.value)
    assert not list((tmp_path / "poses").glob("my_*"))


def test_points_at_absurd_places_are_missing(rendered, tmp_path):
    """They ended in a traceback, because their squares are infinite in the dataset's precision."""
    out, said, made = rendered
    answers(said, made)
    for path in said.iterdir():
        poses = np.load(path)
        poses[5, 3] = 1e37
        np.save(path, poses)
    run(out, said, tmp_path / "poses", "--truth", "body", "--test", "bob")
    split, _ = load(tmp_path / "poses", "train")
    assert max(np.abs(view.detected).max() for view in split.sequences) < 3


def test_a_dataset_that_is_not_ours_stays(rendered, tmp_path):
    out, said, made = rendered
    answers(said, made)
    (tmp_path / "my_vibe_3D").mkdir()
    with pytest.raises(UserError, match="was not made by"):
        run(out, said, tmp_path)


def test_a_clip_in_which_nobody_was_found_is_counted_and_left_out(rendered, tmp_path, capsys):
    out, said, made = rendered
    answers(said, made)
    (said / "ann_c0.npy").unlink()
    (said / "ann_c0.json").write_text(json.dumps({"fps": 30, "frames": [None] * 60}))
    run(out, said, tmp_path / "poses", "--truth", "body", "--test", "bob")
    split, _ = load(tmp_path / "poses", "train")
    assert len(split.sequences) == 3
    assert "found in 83.3 %" in capsys.readouterr().err


def test_a_clip_in_which_the_estimator_jumped_about_does_not_end_the_run(rendered, tmp_path, capsys):
    """MediaPipe took another thing in the picture for the person in each frame: `registry.read` calls that unrelated images."""
    out, said, made = rendered
    answers(said, made)
    (said / "ann_c0.npy").unlink()
    joints, flat, _ = made["ann_c0"]
    told = landmarks(joints, flat)
    rng = np.random.default_rng(0)
    for frame in told["frames"]:
        frame["pose_landmarks"] = rng.uniform(0, 1, (33, 4)).tolist()
        frame["pose_world_landmarks"] = rng.uniform(-1, 1, (33, 4)).tolist()
    (said / "ann_c0.json").write_text(json.dumps(told))
    with pytest.raises(UserError, match="unrelated images"):
        registry.read(said / "ann_c0.json")
    run(out, said, tmp_path / "poses", "--truth", "body", "--test", "bob")
    split, _ = load(tmp_path / "poses", "train")
    assert len(split.sequences) == 3
    assert "found in 83.3 %" in capsys.readouterr().err


def test_render_says_what_comes_next():
    assert pairs_render.next_step("OUT", 1) == (
        "OUT: 1 clip. next, when your estimator has answered them with a file <clip>.* each in a folder ESTIMATES: "
        "synsp pairs collect OUT ESTIMATES --dataset my --estimator NAME"
    )
    answered = pairs_render.next_step("OUT", 2, "mediapipe")
    assert answered == "OUT: 2 clips. next: synsp pairs collect OUT OUT --dataset my --estimator mediapipe"
