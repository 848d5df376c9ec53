"""Learned merges, of streams without delay and of whole recordings: what they do untrained, and what they may not depend on."""

import numpy as np
import pytest
import torch

from lib.errors import UserError
from lib.models import checkpoints, merging
from lib.models.merging import PARTS, Blend, Gain
from lib.windows.merge import Merge, StreamMerge
from lib.windows.pipeline import led
from lib.windows.recipe import Recipe
from tests.tracks import test_refiner as tools

W, JOINTS = 8, 4
NOW = Recipe(window=W, kind="3D").streamed(0)


def gain(trained=True, seed=0):
    """One with random weights, or as training begins."""
    torch.manual_seed(seed)
    made = Gain(JOINTS, width=8, memory=6)
    if trained:
        for parameter in made.parameters():
            parameter.data += 0.3 * torch.randn_like(parameter)
    return made


def recording(frames, seed=0):
    """(what a network might say of the windows that end at each frame, what it was given), [T, W, C] in metres."""
    rng = np.random.default_rng(seed)
    poses = torch.from_numpy(np.cumsum(rng.normal(0, 0.01, (frames, 3 * JOINTS)), axis=0)).float()
    given = led(poses[None], W - 1)[0].unfold(0, W, 1).transpose(1, 2)
    return given + torch.from_numpy(rng.normal(0, 0.01, given.shape)).float(), given


def offline(merge, windows, given):
    """A recording merged as a whole, [T, C]."""
    frames = torch.cat((given[0], given[1:, -1]))
    with torch.no_grad():
        return merge(windows, frames)


def live(windows, given, made, fresh_at=()):
    merge, out = StreamMerge(NOW, made), []
    for frame in range(len(windows)):
        fresh = np.array([frame in fresh_at])
        merge.add(windows[None, frame].numpy(), frame, fresh, given[None, frame].numpy())
        out.append(merge.at(0)[0])
    return np.array(out)


def test_untrained_it_draws_each_pose_halfway_to_the_last():
    windows, given = recording(30)
    halfway = Merge(NOW.but(carry=0.5))
    expected = halfway.carried(offline(halfway, windows, given))
    torch.testing.assert_close(offline(Merge(NOW, gain(trained=False)), windows, given), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("frames", [1, 2, 7, 8, 40])
def test_a_stream_is_the_whole_recording(frames):
    windows, given = recording(frames)
    whole = offline(Merge(NOW, gain()), windows, given)
    assert whole.shape == (frames, 3 * JOINTS)
    np.testing.assert_allclose(live(windows, given, gain()), whole, atol=1e-5)


def test_views_and_people_go_each_by_itself():
    both = [torch.stack(pair) for pair in zip(recording(20), recording(20, seed=1))]
    made = gain()
    with torch.no_grad():
        whole = made(*both)
        for number in range(2):
            torch.testing.assert_close(whole[number], made(both[0][number], both[1][number]), atol=1e-6, rtol=0)


def test_it_is_the_same_wherever_people_look_and_stand():
    windows, given = recording(25)
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0)))[0]
    place = torch.tensor([0.3, -0.2, 0.5])

    def moved(poses):
        return (poses.unflatten(-1, (-1, 3)) @ turn + place).flatten(-2)

    made = gain()
    with torch.no_grad():
        torch.testing.assert_close(made(moved(windows), moved(given)), moved(made(windows, given)), atol=1e-5, rtol=0)


def test_who_comes_back_begins_anew():
    windows, given = recording(30)
    again = live(windows, given, gain(), fresh_at=(12,))
    np.testing.assert_allclose(again[:12], live(windows, given, gain())[:12], atol=1e-6)
    np.testing.assert_allclose(again[12:], live(windows[12:], given[12:], gain()), atol=1e-6)


def test_other_lags_do_without():
    windows, given = recording(30)
    for lag in (1, 3, W - 1):
        recipe = NOW.but(lag=lag)
        assert Merge(recipe, gain()).gain is None and StreamMerge(recipe, gain()).gain is None
        frames = torch.cat((given[0], given[1:, -1])) if lag < W - 1 else given[:, -1]
        said = windows if lag < W - 1 else windows[W - 1 :]
        assert torch.equal(Merge(recipe, gain())(said, frames), Merge(recipe)(said, frames))


def blend(trained=True):
    torch.manual_seed(0)
    made = Blend(JOINTS, W, width=8, memory=6)
    if trained:
        for parameter in made.parameters():
            parameter.data += 0.3 * torch.randn_like(parameter)
    return made


def whole(frames, seed=0):
    """(windows [N, W, C] at consecutive starts, the recording [T, C]) in metres."""
    rng = np.random.default_rng(seed)
    poses = torch.from_numpy(np.cumsum(rng.normal(0, 0.01, (max(frames, W), 3 * JOINTS)), axis=0)).float()
    windows = poses.unfold(0, W, 1).transpose(1, 2)
    return windows + torch.from_numpy(rng.normal(0, 0.01, windows.shape)).float(), poses


LEARNED = Recipe(window=W, kind="3D", weighting="learned")


@pytest.mark.parametrize("frames", [3, W, W + 1, 30])
def test_an_untrained_blend_is_the_mean_by_a_triangle(frames):
    windows, poses = whole(frames)
    expected = Merge(LEARNED.but(weighting="triangular"))(windows, poses)
    with torch.no_grad():
        torch.testing.assert_close(
            Merge(LEARNED, None, blend(trained=False))(windows, poses), expected, atol=1e-5, rtol=0
        )
        assert (Merge(LEARNED, None, blend())(windows, poses) - expected).abs().max() > 0.001


def test_a_blend_is_the_same_wherever_people_look_and_stand():
    windows, poses = whole(25)
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0)))[0]

    def moved(values):
        return (values.unflatten(-1, (-1, 3)) @ turn + 0.4).flatten(-2)

    merge = Merge(LEARNED, None, blend())
    with torch.no_grad():
        torch.testing.assert_close(merge(moved(windows), moved(poses)), moved(merge(windows, poses)), atol=1e-5, rtol=0)


def test_a_long_recording_is_blended_part_by_part(monkeypatch):
    """What lies further away than the margin is forgotten."""
    windows, poses = whole(400)
    made = blend()
    with torch.no_grad():
        at_once = made(windows, poses, LEARNED.place_weights())
        monkeypatch.setattr(merging, "BLOCK", 90)
        by_parts = made(windows, poses, LEARNED.place_weights())
    torch.testing.assert_close(by_parts, at_once, atol=1e-4, rtol=0)


def test_streams_and_wider_steps_are_averaged_by_a_triangle():
    windows, poses = whole(33)
    assert LEARNED.streamed(3) == LEARNED.but(weighting="triangular").streamed(3)
    by_fives = LEARNED.but(step=5)
    assert Merge(by_fives, None, blend()).blend is None
    some = windows[::5]
    expected = Merge(by_fives.but(weighting="triangular"))(some, poses)
    assert torch.equal(Merge(by_fives, None, blend())(some, poses), expected)


def test_windows_of_other_lengths_go_without():
    """A user may ask for them, and published files leave them open."""
    for window, has_gain in ((4, False), (7, False), (12, True)):
        recipe = LEARNED.but(window=window)
        assert Merge(recipe, gain(), blend()).blend is None and Merge(LEARNED, gain(), blend()).blend is not None
        for merge in (Merge(recipe.streamed(0), gain(), blend()), StreamMerge(recipe.streamed(0), gain())):
            assert (merge.gain is not None) == has_gain


def test_weights_without_a_blend_cannot_be_asked_for_one():
    with pytest.raises(UserError, match="WINDOW_WEIGHTS is learned: these weights have learnt no merge. Set it to"):
        Merge(LEARNED)


def with_merge(folder, name="merged.pth.tar", joints=17, **recipe):
    """A small SynSP's checkpoint with a random gain and blend."""
    path = tools.save_synsp(folder, name=name, random=True, **recipe)
    content = checkpoints.read(path)
    torch.manual_seed(1)
    for part, made in (("gain", Gain(joints, width=8, memory=6)), ("blend", Blend(joints, W, width=8, memory=6))):
        state = {f"{part}.{key}": value + 0.3 * torch.randn_like(value) for key, value in made.state_dict().items()}
        content["state_dict"] |= state
    checkpoints.save(path, content)
    return path


def test_a_checkpoint_keeps_them(tmp_path):
    network = checkpoints.load(with_merge(tmp_path, weighting="learned")).network
    assert network.gain.joints == network.blend.joints == 17
    assert network.gain.leave.weight.shape == (PARTS, 14) and network.blend.cell.hidden_size == 6
    plain = checkpoints.load(tools.save_synsp(tmp_path)).network
    assert plain.gain is plain.blend is None


@pytest.mark.parametrize("wrong", [{"joints": 16}, {"carry": 0.4}, {"align": "frame"}])
def test_a_merge_that_is_not_its_networks_is_refused(tmp_path, wrong):
    with pytest.raises(UserError, match="has a gain of .* The file is damaged"):
        checkpoints.load(with_merge(tmp_path, **wrong))


def test_a_checkpoint_that_lacks_its_blend_is_refused(tmp_path):
    with pytest.raises(UserError, match="recipe.weighting is learned, but it has no blend. The file is damaged"):
        checkpoints.load(tools.save_synsp(tmp_path, weighting="learned"))
