"""Exchanges of left and right: made ones are found and put back exactly, clean motion is left alone."""

import numpy as np
import pytest

from lib.formats.tracks import JOINT_NAMES
from lib.poses.skeletons import LAYOUTS
from lib.tracks import exchanges

NAMES = LAYOUTS["h36m17"].joints
MIRROR = np.array(LAYOUTS["h36m17"].mirror)
LEGS, ARMS = [1, 2, 3, 4, 5, 6], [11, 12, 13, 14, 15, 16]


@pytest.fixture(scope="module")
def clips(motion):
    """Motion capture of several clips, [T, 17, 3] in metres, with jitter of 5 mm an axis."""
    rng = np.random.default_rng(0)
    return [clip + 0.005 * rng.standard_normal(clip.shape) for clip in motion]


def exchanged(poses, joints, frames):
    out = poses.copy()
    out[frames, joints] = poses[frames, MIRROR[joints]]
    return out


def put_back(poses, camera=True, fps=30, names=NAMES):
    body = exchanges.body_of(names, depth=camera)
    path = exchanges.find(poses, body, fps, camera)
    return body.undo(path, poses), path


def test_clean_motion_has_no_exchanges(clips):
    frames = 0
    for clip in clips:
        for camera in (True, False):
            assert not put_back(clip, camera)[1].any()
        assert not put_back(230 * clip[..., :2], camera=False)[1].any()
        frames += len(clip)
    assert frames > 1000


@pytest.mark.parametrize("joints", [LEGS + ARMS, ARMS, LEGS], ids=["whole", "arms", "legs"])
@pytest.mark.parametrize("length", [2, 8, 15, 30])
def test_a_made_exchange_is_put_back(clips, joints, length):
    rng = np.random.default_rng(length)
    hits = made = false = 0
    for clip in clips:
        if len(clip) < 4 * length:
            continue
        first = int(rng.integers(1, len(clip) - length))
        frames = np.arange(first, first + length)
        back, _ = put_back(exchanged(clip, np.array(joints), frames[:, None]))
        right = (back == clip).all(axis=(1, 2))
        apart = np.linalg.norm(clip[:, joints] - clip[:, MIRROR[joints]], axis=-1).min(axis=1) > 0.03
        inside = np.isin(np.arange(len(clip)), frames)
        hits, made = hits + (right & inside & apart).sum(), made + (inside & apart).sum()
        false += (~right & ~inside).sum()
    assert made > 5 and hits >= 0.97 * made and false == 0


def test_a_whole_clip_is_told_by_the_way_it_faces(clips):
    right = []
    for clip in clips:
        turned = exchanged(clip, np.array(LEGS + ARMS), np.arange(len(clip))[:, None])
        back, path = put_back(turned)
        assert (path == path[0]).all()  # all of it, or nothing where the knees are straight
        right.append(np.array_equal(back, clip))
        # Where the axes are not known to be a camera's, a mirror image would look the same: nothing is changed.
        assert not put_back(turned, camera=False)[1].any()
    assert np.mean(right) > 0.6


def test_depth_that_follows_the_label_is_mirrored(clips):
    clip = clips[0] - clips[0][:, :1]
    clip[:, LEGS + ARMS, 2] += np.where(np.isin(LEGS + ARMS, [4, 5, 6, 11, 12, 13]), 0.15, -0.15)  # from the side
    turned = exchanged(clip, np.array(LEGS + ARMS), np.arange(20, 30)[:, None])
    turned[20:30, LEGS + ARMS, 2] *= -1
    back, path = put_back(turned)
    assert np.flatnonzero(path).tolist() == list(range(20, 30))
    np.testing.assert_allclose(back, clip)


def test_limbs_that_lie_between_the_sides_for_a_frame_hide_no_exchange(clips):
    flat = 230 * max(clips, key=len)[:48, :, :2]
    turned = exchanged(flat, np.array(LEGS + ARMS), np.array([[41]]))
    turned[40] = (flat[40] + flat[40, MIRROR]) / 2  # on the way across, where a change of state alters no step
    path = put_back(turned, camera=False)[1]
    assert np.flatnonzero(path).tolist() in ([41], [40, 41])  # and not all that follows, to the end of the recording


@pytest.mark.parametrize("length", [3, 6])
def test_an_exchange_at_the_end_is_found_as_at_the_beginning(clips, length):
    flat = 230 * max(clips, key=len)[:60, :, :2]
    turned = exchanged(flat, np.array(LEGS + ARMS), np.arange(60 - length, 60)[:, None])
    for poses in (turned, turned[::-1]):
        back, path = put_back(poses, camera=False)
        assert (path > 0).sum() == length and np.array_equal(back, flat if poses is turned else flat[::-1])


def test_what_is_exchanged_for_half_of_a_clip_is_unclear(clips):
    flat = 230 * max(clips, key=len)[:80, :, :2]
    turned = exchanged(flat, np.array(LEGS + ARMS), np.arange(20, 60)[:, None])
    assert not put_back(turned, camera=False)[1].any()


def test_missing_key_points(clips):
    clip = clips[0].copy()
    clip[25:28] = np.nan
    clip[:, 3] = np.nan
    clip[::7, 13] = np.nan
    turned = exchanged(clip, np.array(LEGS + ARMS), np.arange(22, 30)[:, None])
    np.testing.assert_array_equal(put_back(turned)[0], clip)
    for empty in (np.full((9, 17, 3), np.nan), np.zeros((9, 17, 3)), clip[:1], clip[:0]):
        assert not put_back(empty)[1].any()


def test_hands_and_feet_go_with_their_limb_and_the_face_by_itself():
    names = JOINT_NAMES["mediapipe33"]
    body = exchanges.body_of(names)
    state = next(row for row, kinds in enumerate(body.states) if kinds.tolist() == [1, 0, 0])
    moved = {names[joint] for joint in np.flatnonzero(body.swapped(np.array([state]))[0])}
    assert moved == {
        f"{side}_{part}" for side in ("left", "right") for part in exchanges._PAIRS[0][0] + ("thumb", "index", "pinky")
    }
    scores = np.arange(33.0).reshape(1, 33, 1)
    back = body.undo(np.array([state]), scores)[0, :, 0]
    assert back[names.index("left_thumb")] == names.index("right_thumb") and back[
        names.index("left_knee")
    ] == names.index("left_knee")


@pytest.mark.parametrize("names", [None, (), ("a", "b"), ("left_wrist", "right_wrist"), JOINT_NAMES["coco17"][:5]])
def test_too_few_sides_tell_nothing(names):
    assert exchanges.body_of(names) is None


@pytest.mark.parametrize("fps", [15, 60])
def test_other_frame_rates(clips, fps):
    clip = clips[2][::2] if fps == 15 else np.repeat(clips[2], 2, axis=0)
    turned = exchanged(clip, np.array(ARMS), np.arange(10, 14)[:, None])
    assert np.array_equal(put_back(turned, fps=fps)[0], clip)
