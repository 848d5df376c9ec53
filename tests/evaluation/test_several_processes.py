"""What several processes score is put together as one would have scored it."""

from types import SimpleNamespace

import torch

from lib.evaluation.scores import Scores


def scored(recordings):
    """`Scores` of recordings [(name, views)], each view with frames of its own number and length."""
    result = Scores(SimpleNamespace(seconds=1.5))
    for name, views in recordings:
        for view in range(views):
            errors = torch.arange(float(3 + len(name) + view))[:, None] + torch.tensor([[0.0, float(len(name))]])
            result.add(f"{name}/{view}", {"mpjpe": errors.mean(1)}, errors)
            result.cues.append(None)
    return result


def test_recordings_come_back_in_their_order_and_means_are_over_all_frames():
    recordings = [("a", 2), ("bb", 1), ("ccc", 3), ("dddd", 1), ("eeeee", 2)]
    whole = scored(recordings)
    for count in (2, 3, 7):
        parts = [scored(recordings[rank::count]) for rank in range(count)]
        merged = scored([])
        merged.merge([(part.rows(), part.method.seconds) for part in parts], [views for _, views in recordings])
        assert merged.names == whole.names and merged.lengths == whole.lengths
        assert merged.means == whole.means and merged.joints.tolist() == whole.joints.tolist()
        assert merged.method.seconds == 1.5 * count
