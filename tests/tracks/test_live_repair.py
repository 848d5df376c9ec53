"""Repair in a stream: within its lag, none at lag 0, and given up where an exchange lasts too long to be told."""

import numpy as np
import pytest

from lib.poses.skeletons import LAYOUTS
from lib.tracks.live_repair import LiveRepair, as_live
from lib.tracks.refiner import Refiner

LAYOUT = LAYOUTS["h36m17"]


@pytest.fixture(scope="module")
def clip(motion):
    return max(motion, key=len)[:80].astype(float)


@pytest.fixture(scope="module")
def wrong(clip):
    out = clip.copy()
    out[40:46] = out[40:46][:, list(LAYOUT.mirror)]
    return out


@pytest.mark.parametrize("lag", [1, 3, 7])
def test_an_exchange_is_put_back_within_the_lag(clip, wrong, lag):
    np.testing.assert_array_equal(as_live(wrong, LAYOUT.joints, "3D", lag, 30.0), clip)


def test_none_at_lag_0(wrong):
    np.testing.assert_array_equal(as_live(wrong, LAYOUT.joints, "3D", 0, 30.0), wrong)


@pytest.mark.parametrize("lag, found", [(1, False), (3, True)])
def test_a_spike_is_known_by_the_two_frames_after_it(clip, lag, found):
    wild = clip.copy()
    wild[50, 13] += 1.0
    mended = as_live(wild, LAYOUT.joints, "3D", lag, 30.0)
    assert (np.abs(mended - clip).max() < 0.1) == found


def test_clean_motion_is_left_alone(motion):
    for each in motion:
        poses = each.astype(float)
        np.testing.assert_array_equal(as_live(poses, LAYOUT.joints, "3D", 3, 30.0), poses)


def test_missing_frames_and_people(clip, wrong):
    gone = wrong.copy()
    gone[42:44] = np.nan
    people = np.stack([clip, gone, np.full_like(clip, np.nan)], axis=1)
    stream, out = LiveRepair(LAYOUT.joints, "3D", 3, 30.0), people.copy()
    for frame, poses in enumerate(people):
        for person, frames in stream.push(poses):
            out[frame + 1 - len(frames) : frame + 1, person] = frames
    assert np.array_equal(out[:, 0], clip) and np.isnan(out[:, 2]).all()
    there = np.isfinite(gone)
    np.testing.assert_array_equal(out[:, 1][there], clip[there])


def test_a_stream_repairs_what_a_filter_cannot(clip, wrong, tmp_path):
    def live(poses, **options):
        stream = Refiner("kalman", fps=30, lag=3, folder=tmp_path, **options).stream()
        return np.array([pose for pose in map(stream.step, poses) if pose is not None] + stream.flush())

    right = live(clip)
    assert np.abs(live(wrong) - right).max() < 0.2 * np.abs(live(wrong, repair=False) - right).max()


@pytest.mark.parametrize("lag", [1, 3, 7])
def test_a_network_reads_the_frames_of_an_exchange_repaired_in_streams_as_in_files(clip, wrong, lag):
    """An exchange is known from its first frame on, so that every window is cut from repaired frames."""
    stream = Refiner("synsp", fps=30, lag=lag).stream()
    live = [stream.step(frame) for frame in wrong] + stream.flush()
    live = np.array([frame for frame in live if frame is not None])
    np.testing.assert_allclose(live, Refiner("synsp", fps=30, lag=lag)(wrong), atol=1e-5)
    assert np.abs(live - Refiner("synsp", fps=30, lag=lag)(clip)).max() < 0.1 * np.abs(wrong - clip).max()


@pytest.mark.parametrize("lag", [3, 5, 7])
def test_no_window_holds_a_spike_once_it_is_known(clip, lag):
    """Two frames later it is known; windows that were cut before are cut again, as those of a file. What is out by then is out."""
    wild = clip.copy()
    wild[50, 13] += 1.0
    stream = Refiner("synsp", fps=30, lag=lag).stream()
    live = [stream.step(frame) for frame in wild] + stream.flush()
    live = np.array([frame for frame in live if frame is not None])
    file = Refiner("synsp", fps=30, lag=lag)(wild)
    off = np.abs(live - file).max(axis=(1, 2))
    assert off[52 - lag :].max() < 0.01 and off[: 50 - lag].max() < 1e-5  # of 1 m; bones are not measured again
