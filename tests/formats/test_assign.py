"""People without ids are followed through noise, gaps, meetings and changes of order."""

import time

import numpy as np
import pytest

from lib.formats.assign import assign

JOINTS = 17


def body(seed):
    """A pose [J, 2] 170 px tall."""
    return np.random.default_rng(seed).uniform([-30, -85], [30, 85], size=(JOINTS, 2))


def walkers(paths, seed=0, noise=2.0, same_body=False):
    """Detections of people on paths [T, 2] (NaN: absent), shuffled in every frame, and whose each is."""
    generator = np.random.default_rng(seed)
    shapes = [body(0 if same_body else 10 + number) for number in range(len(paths))]
    frames, truth = [], []
    for frame in range(len(paths[0])):
        here = [number for number in generator.permutation(len(paths)) if np.isfinite(paths[number][frame]).all()]
        poses = [paths[number][frame] + shapes[number] + generator.normal(0, noise, (JOINTS, 2)) for number in here]
        frames.append(np.array(poses).reshape(-1, JOINTS, 2))
        truth.append(here)
    return frames, truth


def check(frames, truth, **options):
    """Every person has one number throughout, and no two people share one."""
    numbers = {}
    for mine, theirs in zip(assign(frames, **options), truth):
        assert len(mine) == len(theirs)
        for number, person in zip(mine.tolist(), theirs):
            numbers.setdefault(person, set()).add(number)
    assert all(len(found) == 1 for found in numbers.values()), numbers
    assert len(set.union(*numbers.values())) == len(numbers)


def line(start, velocity, frames=90):
    return np.array(start, dtype=float) + np.arange(frames)[:, None] * np.array(velocity, dtype=float)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("same_body", [False, True])
def test_people_who_cross(seed, same_body):
    """They walk through each other; even with one and the same pose, their motion tells them apart.

    (Never at exactly one place: there, two detections of one pose cannot be told apart by anybody.)
    """
    check(*walkers([line([0, 0], [6, 0]), line([546, 0], [-6, 0])], seed, same_body=same_body))


def test_crossing_while_one_is_hidden():
    hidden = line([540, 0], [-6, 0])
    hidden[40:50] = np.nan
    check(*walkers([line([0, 0], [6, 0]), hidden]))


def test_people_who_come_and_go():
    late, early, brief = line([600, 0], [0, 1]), line([300, 0], [1, 0]), line([900, 200], [0, 0])
    late[:30], early[60:], brief[:40], brief[45:] = np.nan, np.nan, np.nan, np.nan
    check(*walkers([line([0, 0], [2, 0]), late, early, brief]))


def test_gap_and_max_gap():
    path = line([0, 0], [1, 0])
    path[30:50] = np.nan
    frames, truth = walkers([path])
    check(frames, truth, max_gap=20)
    numbers = np.concatenate(assign(frames, max_gap=19))
    assert numbers.tolist() == [0] * 30 + [1] * 40


def test_a_jump_to_another_person_is_not_followed():
    """A single-person detector that jumps from one person to the next and back gives two people."""
    frames, _ = walkers([line([0, 0], [1, 0])])
    other, _ = walkers([line([400, 0], [1, 0])], seed=1)
    frames[30:50] = other[30:50]
    numbers = np.concatenate(assign(frames))
    assert numbers.tolist() == [0] * 30 + [1] * 20 + [0] * 40


def test_missing_joints():
    frames, truth = walkers([line([0, 0], [3, 0]), line([300, 0], [3, 0])])
    generator = np.random.default_rng(5)
    for frame in frames:
        frame[generator.random(frame.shape[:2]) < 0.4] = np.nan
    check(frames, truth)


def test_empty_frames_and_blind_detections():
    nothing = np.zeros((0, JOINTS, 2))
    assert [found.tolist() for found in assign([nothing, nothing])] == [[], []]
    blind = np.full((1, JOINTS, 2), np.nan)
    numbers = assign([nothing, body(0)[None], blind, body(0)[None]])
    assert [found.tolist() for found in numbers] == [[], [0], [1], [0]]


def test_five_people_over_two_thousand_frames():
    generator = np.random.default_rng(0)
    paths = [np.cumsum(generator.normal(0, 2, (2000, 2)), axis=0) + [400 * number, 0] for number in range(5)]
    frames, _ = walkers(paths)
    began = time.perf_counter()
    numbers = assign(frames)
    assert time.perf_counter() - began < 6  # about 0.4 s on an idle core
    assert all(len(set(found.tolist())) == 5 for found in numbers)
