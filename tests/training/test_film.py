"""Filming windows of 3D joints: projections by hand, the path of the root, errors, and a training on them."""

import numpy as np
import pytest
import torch

from lib.dataset import storage
from lib.errors import UserError
from lib.models import checkpoints
from lib.poses.skeletons import LAYOUTS, chain
from lib.tracks.refiner import Refiner
from lib.training import film
from lib.training.film import Film

LAYOUT = LAYOUTS["h36m17"]
FILMED = ("MODEL.CANONICAL", True, "MODEL.ONE_SIZE", True, "TRAIN.FILM", True)
SHORT = ("TRAIN.EPOCH", 1, "TRAIN.WINDOW_STRIDE", 32, "TRAIN.PICTURES_EVERY", 0)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def windows(batch=3, frames=8):
    """Bodies that hold still, root at 0: [B, 1, F, 51]."""
    joints = 0.3 * torch.randn(batch, 1, 1, 17, 3, generator=generator()).expand(-1, -1, frames, -1, -1).clone()
    joints[..., 0, :] = 0
    return joints.flatten(-2)


@pytest.fixture
def still(monkeypatch):
    """A camera that looks level from 4 m at the root, without errors of its own."""
    monkeypatch.setattr(film, "PITCH", (0.0, 0.0))
    monkeypatch.setattr(film, "DISTANCE", (4.0, 4.0))
    for name in ("ASIDE", "PAN", "ROOT_LASTING", "ROOT_DRIFT", "ROOT_QUICK", "ALL_QUICK"):
        monkeypatch.setattr(film, name, 0.0)


def test_a_point_lies_where_a_pinhole_puts_it(still):
    truth = windows()
    detected = truth + 0.02
    wrong, seen = Film(LAYOUT)(detected, truth, generator(), sizes=False)
    for given, found in ((truth, seen), (detected, wrong)):
        x, y, z = given.unflatten(-1, (-1, 3)).unbind(-1)
        expected = torch.stack((4 * x / (4 + z), 4 * y / (4 + z)), -1)
        torch.testing.assert_close(found.unflatten(-1, (-1, 2)), expected, atol=1e-6, rtol=0)


def test_who_looks_straight_down_sees_what_is_behind_above(still, monkeypatch):
    monkeypatch.setattr(film, "PITCH", (90.0, 90.0))
    truth = torch.zeros(1, 1, 8, 51)
    truth[..., 5] = 0.5  # joint 1 is half a metre further away than the root
    _, seen = Film(LAYOUT)(truth, truth, generator(), sizes=False)
    torch.testing.assert_close(seen[0, 0, 0, 2:4], torch.tensor([0.0, -0.5]), atol=1e-5, rtol=0)


def test_the_lower_foot_stands_still():
    low, high = (LAYOUT.joints.index(f"{side}_ankle") for side in ("left", "right"))
    joints = torch.zeros(2, 1, 8, 17, 3)
    joints[..., low, 1], joints[..., high, 1] = 0.9, 0.6
    joints[..., low, 0] = -0.05 * torch.arange(8.0)  # goes back under the body
    joints[..., high, 0] = 0.2 * torch.arange(8.0)
    path = Film(LAYOUT).path(joints)
    torch.testing.assert_close(path[..., 0], 0.05 * torch.arange(8.0).expand(2, 1, 8))
    assert not path[..., 1:].any()
    assert not Film(chain(17)).path(joints).any()


def test_cameras_and_errors_are_those_of_the_generator():
    truth = windows(batch=40)
    one, again, other = (Film(LAYOUT)(truth, truth, generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(one[0], again[0]) and not torch.equal(one[0], other[0])


def test_errors_of_every_size():
    truth = windows(batch=4000)
    detected = truth + 0.03 * torch.randn(truth.shape, generator=generator(3))
    plain, varied = (
        (wrong - seen).unflatten(-1, (-1, 2))[..., 1:, :].square().mean((1, 2, 3, 4)).sqrt()
        for wrong, seen in (Film(LAYOUT)(detected, truth, generator(1), sizes=each) for each in (False, True))
    )
    assert float(plain.median()) == pytest.approx(0.03, rel=0.15)  # at the distance of the body
    ratio = varied / plain
    assert float(ratio.quantile(0.05)) < 0.3 and 2 < float(ratio.quantile(0.95)) < 4


def test_the_root_errs_as_said():
    truth = windows(batch=4000)
    wrong, seen = Film(LAYOUT)(truth, truth, generator(1), sizes=False)
    error = (wrong - seen).unflatten(-1, (-1, 2))[:, 0, :, 0]
    drift = film.ROOT_DRIFT**2 * torch.linspace(-1, 1, 8).square().mean()
    expected = np.sqrt(film.ROOT_LASTING**2 + float(drift) + film.ROOT_QUICK**2 + film.ALL_QUICK**2)
    assert float(error.square().mean().sqrt()) == pytest.approx(expected, rel=0.05)


def test_a_filmed_training_makes_a_network_for_2d(run, last):
    folder = run(*SHORT, *FILMED, "MODEL.RESIDUAL_COMPONENTS", 2, "DATASET.FPS", 30, "TRAIN.AUGMENT.YAW", 180)
    loaded = checkpoints.load(folder / "checkpoint_best.pth.tar")
    recipe = loaded.recipe
    assert (recipe.kind, recipe.one_size, recipe.pairs, recipe.bones) == ("2D", True, (), ())
    assert loaded.network.channels == 34 and recipe.joints == LAYOUT.joints
    assert 0 < last(folder)["performance"]["loss"] < 1
    # Pixels of a body that is twice as near, in another place of the image, are refined alike.
    rng = np.random.default_rng(0)
    walk = 100 * rng.normal(size=(1, 17, 2)) + 3 * rng.normal(size=(20, 17, 2)) + 500
    walk[:, 0] = (walk[:, 1] + walk[:, 4]) / 2
    refine = Refiner("synsp", fps=30, kind="2d", layout="h36m17", checkpoint=folder / "checkpoint_best.pth.tar")
    np.testing.assert_allclose(refine(2 * walk - 300), 2 * refine(walk) - 300, atol=0.01)


def test_weights_of_another_size_of_windows_are_refused(run, tmp_path):
    given = run(*SHORT, *FILMED) / "checkpoint_last.pth.tar"
    walk = [np.random.default_rng(seed).normal(size=(40, 34)).astype(np.float32) for seed in range(3)]
    names = [[f"clip{index}/{frame:06d}" for frame in range(40)] for index in range(3)]
    storage.write(tmp_path / "own_noise_2D/groundtruth/own_gt_2D_train.npz", {"imgname": names, "joints_2d": walk})
    own = ("DATASET_NAME", "own", "BODY_REPRESENTATION", "2D", "DATASET.BASE_DIR", tmp_path)
    with pytest.raises(UserError, match="was trained with MODEL.ONE_SIZE True, this training has False"):
        run(*SHORT, *own, "MODEL.CANONICAL", True, "TRAIN.INIT", given)


@pytest.mark.parametrize(
    "options, said",
    [
        (("MODEL.CANONICAL", True), "MODEL.ONE_SIZE True"),
        (("MODEL.ONE_SIZE", True), "MODEL.CANONICAL True"),
        ((*FILMED[:4], "MODEL.NAME", "smoothnet"), "MODEL.NAME synsp"),
        ((*FILMED[:4], "BODY_REPRESENTATION", "2D"), "mocap_noise_2D holds no 3D joints"),
    ],
)
def test_what_cannot_be_filmed_is_refused(run, options, said):
    with pytest.raises(UserError, match=said):
        run("TRAIN.FILM", True, *options)
