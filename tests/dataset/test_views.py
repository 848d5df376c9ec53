"""lib/dataset/views.py: views of one recording, on one clock."""

import logging

import numpy as np
import pytest

from lib.errors import UserError


def views(counts, names=None, drop=()):
    """A `change` that makes recordings of `counts` views of one motion: view v is the truth plus v in x.

    names: (recording, camera, frame) -> imgname; drop: {(recording, camera): frames left out}.
    """
    names = names or (lambda recording, camera, frame: f"act{recording}.camera{camera}/{frame:06d}")
    drop = dict(drop)

    def change(split, kind, data):
        clips = {key: data[key] for key in ("joints_3d", "imgname")}
        data["joints_3d"], data["imgname"] = [], []
        for recording, count in enumerate(counts):
            for camera in range(count):
                pose = clips["joints_3d"][recording].copy()
                pose.reshape(len(pose), -1, 3)[..., 0] += camera
                keep = np.setdiff1d(np.arange(len(pose)), drop.get((recording, camera), []))
                data["joints_3d"].append(pose[keep])
                data["imgname"].append(np.array([names(recording, camera, frame) for frame in keep]))

    return change


def test_mh36m_groups_the_files_of_h36m(write_set, load, motion):
    base = write_set("h36m", "fcn", "3D", change=views([4, 2, 1]))
    single, multi = load(base, "h36m", "fcn", "3D"), load(base, "mh36m", "fcn", "3D")
    assert len(single.recordings) == 7 and [len(recording.views) for recording in multi.recordings] == [4, 2, 1]
    assert [recording.name for recording in multi.recordings] == ["act0", "act1", "act2"]
    for camera, view in enumerate(multi.recordings[0].views):
        assert view.name == f"act0.camera{camera}" and view.present is None
        np.testing.assert_allclose(view.truth[:, 0], motion[-3][:, 0, 0] + camera, atol=1e-6)


@pytest.mark.parametrize("count", [1, 3, 8])
def test_unknown_sets_group_on_request(count, write_set, load):
    base = write_set("own", "net", "3D", change=views([count, 2]), clips=2)
    split = load(base, "own", "net", "3D", "test", "DATASET.MULTI_VIEW", "True")
    assert [len(recording.views) for recording in split.recordings] == [count, 2]
    assert len(load(base, "own", "net", "3D").recordings) == count + 2


@pytest.mark.parametrize(
    "names",
    [
        None,
        lambda recording, camera, frame: f"act{recording}.camera{camera}/img_{frame + 1:05d}.jpg",
        lambda recording, camera, frame: (
            f"act{recording}.camera{camera}/act.{camera}.5413_{5 * frame + 2:06d}"
        ),  # every 5th frame
    ],
)
def test_views_that_end_early_or_miss_frames_are_masked(names, write_set, load, motion, caplog):
    caplog.set_level(logging.INFO)
    length = len(motion[-3])
    drop = {(0, 1): range(length - 9, length), (0, 2): [0, 1, 7, 8], (0, 3): [length - 1]}
    split = load(write_set("h36m", "fcn", "3D", change=views([4, 2, 1], names, drop)), "mh36m", "fcn", "3D")
    recording = split.recordings[0]
    assert {len(values) for view in recording.views for values in (view.truth, view.detected, view.images)} == {length}
    assert recording.views[0].present is None
    for (_, camera), frames in drop.items():
        view = recording.views[camera]
        assert np.flatnonzero(~view.present).tolist() == list(frames)
        there = view.truth[view.present]
        np.testing.assert_allclose(there[:, 0], motion[-3][view.present, 0, 0] + camera, atol=1e-6)  # at its own moment
        assert np.isfinite(view.truth).all() and np.isfinite(view.detected).all()
    np.testing.assert_allclose(
        recording.views[2].truth[7], recording.views[2].truth[[6, 9]].T @ [2 / 3, 1 / 3], atol=1e-6
    )
    assert "mh36m_fcn_3D: 3 recordings of 1 to 4 views; masked, as views lack them: 14 frames of 3 views" in caplog.text


def test_missing_truth_and_absent_frames_both_do_not_count(write_set, load):
    make = views([2, 1, 1], None, {(0, 1): [4]})

    def change(split, kind, data):
        make(split, kind, data)
        if kind == "groundtruth":
            data["joints_3d"][1][5] = np.nan  # frame 6 of the recording

    view = load(write_set("h36m", "fcn", "3D", change=change), "mh36m", "fcn", "3D").recordings[0].views[1]
    assert np.flatnonzero(~view.present).tolist() == [4]
    assert np.flatnonzero(~view.counted).tolist() == [4, 6]


@pytest.mark.parametrize(
    "names",
    [
        lambda recording, camera, frame: f"act{recording}.camera{camera}/frame",  # no numbers
        lambda recording, camera, frame: f"act{recording}.camera{camera}/{-frame + 900:04d}",  # falling
        lambda recording, camera, frame: (
            f"act{recording}.camera{camera}/{3 * frame + (frame > 5):09d}"
        ),  # more holes than frames
        lambda recording, camera, frame: f"act{recording}.camera{camera}/{frame**3:09d}",
        lambda recording, camera, frame: (
            f"act{recording}.camera{camera}/{frame + 5000 * camera:09d}"
        ),  # each its own clock
    ],
)
def test_without_a_common_clock_views_match_by_index(names, write_set, load, motion):
    length = len(motion[-3])
    drop = {(0, 1): range(length - 5, length)}
    split = load(write_set("h36m", "fcn", "3D", change=views([4, 1, 1], names, drop)), "mh36m", "fcn", "3D")
    view = split.recordings[0].views[1]
    assert view.length == length and np.flatnonzero(~view.present).tolist() == list(range(length - 5, length))


def test_smpl_views_keep_their_shapes(write_set, load):
    def change(split, kind, data):
        for key in data:
            data[key] = [data[key][0], np.delete(data[key][0], [3, 4], axis=0)]
        data["imgname"] = [
            np.array([f"act.camera{camera}/{frame}" for frame in frames])
            for camera, frames in enumerate(
                (np.arange(len(data["pose"][0])), np.delete(np.arange(len(data["pose"][0])), [3, 4]))
            )
        ]

    split = load(
        write_set("own", "net", "smpl", change=change), "own", "net", "smpl", "test", "DATASET.MULTI_VIEW", "True"
    )
    first, second = split.recordings[0].views
    assert second.extras["shape"].shape == (second.length, 10) and np.isfinite(second.extras["truth_shape"]).all()
    np.testing.assert_allclose(second.truth[3:5], first.truth[3:5], atol=0.02)  # interpolated rotations


@pytest.mark.parametrize(
    "names, message",
    [
        (
            lambda recording, camera, frame: f"act{recording}.{camera}/{frame}",
            "sequence 0 .act0.0. has no 'camera' in its imgname",
        ),
        (
            lambda recording, camera, frame: f"act{recording}.camera/{frame}",
            "sequences 0 and 1 are both act0.camera, so which views",
        ),
    ],
)
def test_names_that_do_not_tell_recordings(names, message, write_set, load):
    with pytest.raises(UserError, match=message):
        load(write_set("h36m", "fcn", "3D", change=views([2, 1, 1], names)), "mh36m", "fcn", "3D")
