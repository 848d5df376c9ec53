import logging
import math
import signal
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from lib import messages
from lib.command_line import Request
from lib.dataset import catalog, sequences, storage
from lib.errors import UserError
from lib.models import checkpoints
from lib.poses.skeletons import LAYOUTS
from lib.training import board, sets, trainer
from lib.windows.recipe import Recipe

REFERENCE = Path(__file__).parents[1] / "reference"


# ----------------------------------------------------------------------------------------- one run


def test_a_run_leaves_what_was_promised(run, caplog):
    caplog.set_level(logging.INFO)
    folder = run()
    assert folder.name.startswith("tiny_") and len(folder.name) == len("tiny_dd-mm-YYYY_HH-MM-SS")
    names = {path.name for path in folder.iterdir()}
    assert {"config.yaml", "train_log.txt", "checkpoint_last.pth.tar", "checkpoint_best.pth.tar"} <= names
    assert any(name.startswith("events.out.tfevents") for name in names)
    assert not [name for name in names if name.startswith(".writing")]
    text = (folder / "train_log.txt").read_text()
    assert "epoch 1/2" in text and "epoch 2/2" in text and "validation" in text
    written = Request("train", ["--cfg", str(folder / "config.yaml")]).config()
    assert written.MODEL.d_model == 16 and written.TRAIN.EPOCH == 2


def test_one_is_no_plural(run, caplog):
    caplog.set_level(logging.INFO)
    run("TRAIN.EPOCH", 1, "TRAIN.BATCH_SIZE", 1000)
    assert "51 channels, 1 view; 1 epoch of 1 batch on cpu" in caplog.text


def test_a_checkpoint_describes_itself(run):
    folder = run("MODEL.SLIDE_WINDOW_SIZE", 6, "DATASET.FPS", 30)
    loaded = checkpoints.load(folder / "checkpoint_best.pth.tar")
    recipe = loaded.recipe
    assert (loaded.network.channels, recipe.window, recipe.fps) == (51, 6, 30)
    assert recipe.image_size is False and recipe.trained_lag is None
    assert recipe == Recipe(window=6, kind="3D", joints=LAYOUTS["h36m17"].joints, fps=30.0)
    assert loaded.data["sources"] == ["mocap_noise_3D"] and loaded.data["layout"]["name"] == "h36m17"
    assert loaded.config["MODEL"]["d_model"] == 16
    assert {"loss", "mpjpe", "input_mpjpe", "train_loss"} <= loaded.performance.keys()
    assert loaded.network.decoder.layer_stack[0].enc_attn.n_head == 2


def test_a_lag_trains_the_stream(run, last):
    """Three epochs over runs of windows: the stream's loss falls, and the checkpoint says its window and lag."""
    options = ("TRAIN.LAG", 2, "TRAIN.WINDOW_STRIDE", 6)
    one, three = (run("TRAIN.EPOCH", epochs, *options) for epochs in (1, 3))
    assert last(three)["performance"]["loss"] < 0.8 * last(one)["performance"]["loss"]
    loaded = checkpoints.load(three / "checkpoint_best.pth.tar")
    assert (loaded.recipe.window, loaded.recipe.trained_lag) == (8, 2)


@pytest.mark.parametrize("views", ["one view", "four views"])
def test_a_canonical_network_trains_and_loads(run, views):
    several = ["DATASET_NAME", "mmocap", "MODEL.ALIGN_VIEWS", "sequence"] if views == "four views" else []
    folder = run(
        "MODEL.CANONICAL",
        True,
        "MODEL.RESIDUAL_COMPONENTS",
        2,
        "TRAIN.AUGMENT.MIRROR",
        True,
        "TRAIN.EPOCH",
        1,
        "TRAIN.WINDOW_STRIDE",
        8,
        *several,
    )
    recipe = checkpoints.load(folder / "checkpoint_best.pth.tar").recipe
    assert (recipe.canonical, recipe.kind, recipe.pairs) == (True, "3D", ((4, 1), (11, 14)))
    expected = ("sequence", "depth", 4) if views == "four views" else ("none", "none", 1)
    assert (recipe.align, recipe.fuse, recipe.views) == expected


def test_several_views_start_from_the_weights_of_one(run, last, caplog):
    options = ("MODEL.CANONICAL", True, "MODEL.RESIDUAL_COMPONENTS", 2, "TRAIN.EPOCH", 1, "TRAIN.WINDOW_STRIDE", 8)
    one = run(*options)
    caplog.set_level("INFO")
    several = run(
        *options,
        "DATASET_NAME",
        "mmocap",
        "MODEL.ALIGN_VIEWS",
        "sequence",
        "TRAIN.INIT",
        one / "checkpoint_last.pth.tar",
        "TRAIN.LR",
        1e-9,
    )
    assert "proj_d.weight, which begins at zero" in caplog.text
    name = "proj_i_a.0.weight"
    torch.testing.assert_close(last(several)["state_dict"][name], last(one)["state_dict"][name], atol=1e-6, rtol=0)


def test_weights_that_would_mean_something_else_are_refused(run, caplog):
    """A correction is no pose, and heads of another number cut the same matrices elsewhere."""
    small = ("TRAIN.EPOCH", 1, "TRAIN.WINDOW_STRIDE", 8)
    given = run(*small, "MODEL.RESIDUAL_COMPONENTS", 2) / "checkpoint_last.pth.tar"
    for key, value in (("MODEL.RESIDUAL_COMPONENTS", 0), ("MODEL.n_head", 1)):
        sizes = ("MODEL.d_k", 16, "MODEL.d_v", 16) if key == "MODEL.n_head" else ()
        options = ("MODEL.RESIDUAL_COMPONENTS", 2, *sizes, key, value)
        with pytest.raises(UserError, match=f"was trained with {key}"):
            run(*small, *options, "TRAIN.INIT", given)
    run(*small, "MODEL.RESIDUAL_COMPONENTS", 3, "TRAIN.INIT", given)
    assert "was trained with MODEL.RESIDUAL_COMPONENTS 2, this training has 3" in caplog.text


def test_weights_of_the_other_network_are_refused(run):
    given = run("TRAIN.EPOCH", 1, "TRAIN.WINDOW_STRIDE", 8, "MODEL.NAME", "smoothnet") / "checkpoint_last.pth.tar"
    with pytest.raises(UserError, match="does not fit this training's synsp"):
        run("TRAIN.EPOCH", 1, "TRAIN.INIT", given)


def test_pictures_of_a_validation_clip(tiny_config):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    from lib.visualize.training_clip import Clip

    folder = trainer.train(tiny_config("TRAIN.EPOCH", 3, "TRAIN.PICTURES_EVERY", 2), Clip)
    events = EventAccumulator(str(folder), {"images": 0}).Reload()
    assert {event.step for tag in events.Tags()["images"] for event in events.Images(tag)} == {2, 3}
    for every, clip in ((0, Clip), (1, None)):
        folder = trainer.train(tiny_config("TRAIN.EPOCH", 1, "TRAIN.PICTURES_EVERY", every), clip)
        assert not EventAccumulator(str(folder)).Reload().Tags()["images"]


def test_what_tensorboard_shows(tiny_config):
    """Both terms of the loss, the table's errors, config and hyperparameters; no curve twice."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = trainer.train(tiny_config("TRAIN.EPOCH", 2, "MODEL.d_k", 8, "MODEL.d_v", 8))
    events = EventAccumulator(str(folder)).Reload()
    curves = {tag: [event.value for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
    scores = {f"{before}{name}" for before in ("", "input_") for name in ("mpjpe", "pampjpe", "accel")}
    losses = {"loss", "loss_position", "loss_acceleration"}
    assert set(curves) == {f"validation/{name}" for name in losses | scores} | {
        f"train/{name}" for name in losses | {"lr"}
    }
    assert all(len(values) == 2 for values in curves.values())
    for part in ("train", "validation"):
        whole, *terms = (np.array(curves[f"{part}/{name}"]) for name in ("loss", "loss_position", "loss_acceleration"))
        np.testing.assert_allclose(whole, sum(terms), rtol=1e-5)
        assert (np.array(terms) > 0).all()
    assert len({tuple(values) for values in curves.values()}) == len(curves)
    plugins = {tag for tag in events.summary_metadata if "hparams" in tag} | set(events.Tags()["tensors"])
    assert {"_hparams_/experiment", "_hparams_/session_start_info", "config/text_summary"} <= plugins


def test_the_same_command_gives_the_same_numbers(run, last, assert_same):
    one, two = run(), run()
    assert one != two
    assert_same(last(one), last(two))
    assert_same(last(one, "best"), last(two, "best"))


def test_another_seed_gives_others(run, last):
    one, two = last(run("TRAIN.EPOCH", 1)), last(run("TRAIN.EPOCH", 1, "SEED_VALUE", 1))
    assert not torch.equal(one["state_dict"]["proj_i_a.0.weight"], two["state_dict"]["proj_i_a.0.weight"])


def test_training_learns(run, last):
    """Eight epochs from nothing: the validation loss falls to less than half of the first epoch's."""
    one, eight = (last(run("TRAIN.EPOCH", epochs))["performance"] for epochs in (1, 8))
    assert eight["loss"] < one["loss"] / 2 and eight["mpjpe"] < one["mpjpe"] / 2
    assert eight["input_mpjpe"] == one["input_mpjpe"]


def test_two_trainings_in_one_process_log_apart(run):
    messages.start()  # without it nothing is logged, and the test could not fail
    one = run("TRAIN.EPOCH", 1)
    before = (one / "train_log.txt").read_text()
    run("TRAIN.EPOCH", 1)
    assert (one / "train_log.txt").read_text() == before


def test_handlers_of_signals_are_given_back(run):
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    run("TRAIN.EPOCH", 1)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


@pytest.mark.parametrize("size", [64, 4096])
def test_debug_is_short_and_ends_well(run, last, size):
    assert last(run("DEBUG", True, "TRAIN.BATCH_SIZE", size))["epoch"] == 2


# ------------------------------------------------------------------------------------ first weights


REFERENCE_SIZES = (
    "MODEL.d_model",
    32,
    "MODEL.d_word_vec",
    32,
    "MODEL.d_inner",
    48,
    "MODEL.n_layers",
    2,
    "MODEL.n_head",
    2,
    "MODEL.d_k",
    16,
    "MODEL.d_v",
    16,
    "TRAIN.BATCH_SIZE",
    512,
)


@pytest.mark.parametrize("key", ["TRAIN.RESUME", "TRAIN.INIT"])
def test_a_published_checkpoint_gives_its_weights_only(run, last, caplog, key):
    caplog.set_level(logging.INFO)
    path = REFERENCE / "synsp_3d_random.pth.tar"
    content = last(run(*REFERENCE_SIZES, "TRAIN.EPOCH", 1, "TRAIN.LR", 1e-12, key, path))
    assert content["training"]["epoch"] == 1
    published = checkpoints.load(path, 2).network.state_dict()
    for name, value in content["state_dict"].items():
        np.testing.assert_allclose(value, published[name], atol=1e-6)
    said = [
        record.getMessage()
        for record in caplog.records
        if str(path) in record.getMessage() and "python" not in record.getMessage()
    ]
    assert len(said) == 1 and "weights" in said[0]


def test_init_takes_our_weights_and_starts_at_epoch_1(run, last):
    first = run("EXP_NAME", "first")
    second = run("TRAIN.EPOCH", 1, "TRAIN.LR", 1e-12, "TRAIN.INIT", first / "checkpoint_last.pth.tar")
    assert second.name.startswith("tiny_") and last(second)["epoch"] == 1
    for name, value in last(first)["state_dict"].items():
        np.testing.assert_allclose(last(second)["state_dict"][name], value, atol=1e-6)


@pytest.mark.parametrize("key", ["TRAIN.RESUME", "TRAIN.INIT"])
def test_weights_that_do_not_fit_are_named(run, key, tmp_path):
    with pytest.raises(UserError, match=r"synsp_2d_random.*weight is \[32, 34\] there|MODEL"):
        run("MODEL.n_head", 2, key, REFERENCE / "synsp_2d_random.pth.tar")
    assert not (tmp_path / "results").exists()


# ------------------------------------------------------------------------------- choices of training


def test_ema_saves_the_average_of_the_weights(run, last, tiny_config, monkeypatch):
    seen = []
    original = trainer.Trainer._average

    def record(self):
        original(self)
        seen.append(self.network.proj_i_a[0].weight.detach().clone())

    monkeypatch.setattr(trainer.Trainer, "_average", record)
    content = last(run("TRAIN.EPOCH", 1, "TRAIN.EMA", 0.8))
    torch.manual_seed(4321)  # the first weights: those of a trainer not yet started
    average = (
        trainer.Trainer(tiny_config("TRAIN.EPOCH", 1, "TRAIN.EMA", 0.8), torch.device("cpu")).network.proj_i_a[0].weight
    )
    average = average.detach().clone()
    for done, weights in enumerate(seen):
        decay = min(0.8, (1 + done) / (10 + done))
        average = decay * average + (1 - decay) * weights
    np.testing.assert_allclose(content["state_dict"]["proj_i_a.0.weight"], average, atol=1e-6)
    assert torch.equal(content["training"]["network"]["proj_i_a.0.weight"], seen[-1])


@pytest.fixture
def rates(monkeypatch):
    """The learning rates of every batch of the run that follows."""
    seen = []
    original = torch.optim.Adam.step

    def record(self, *args, **kwargs):
        seen.append(self.param_groups[0]["lr"])
        return original(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.Adam, "step", record)
    return seen


def test_the_published_schedule_falls_once_an_epoch(run, rates):
    run("TRAIN.EPOCH", 3, "TRAIN.LRDECAY", 0.8)
    np.testing.assert_allclose(rates, np.repeat([1e-3, 8e-4, 6.4e-4], len(rates) // 3))


def test_onecycle_rises_to_lr_and_falls_to_nothing(run, rates):
    run("TRAIN.EPOCH", 3, "TRAIN.SCHEDULE", "onecycle", "TRAIN.LR", 2e-3)
    seen = np.array(rates)
    peak = seen.argmax()
    assert seen.max() == pytest.approx(2e-3, rel=0.02) and 0.2 < peak / len(seen) < 0.4
    assert (np.diff(seen[: peak + 1]) > 0).all() and (np.diff(seen[peak:]) < 0).all() and seen[-1] < 1e-5


def test_bfloat16_is_near_float32(run, last):
    exact, coarse = (last(run("TRAIN.PRECISION", kind))["performance"] for kind in ("float32", "bfloat16"))
    assert coarse["train_loss"] == pytest.approx(exact["train_loss"], rel=0.05)
    assert coarse["loss"] != exact["loss"]


def test_clipping_bounds_the_gradient(run, monkeypatch):
    norms = []
    original = torch.optim.Adam.step

    def record(self, *args, **kwargs):
        gradients = [p.grad for group in self.param_groups for p in group["params"]]
        norms.append(float(torch.linalg.vector_norm(torch.cat([g.flatten() for g in gradients]))))
        return original(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.Adam, "step", record)
    run("TRAIN.EPOCH", 1, "TRAIN.CLIP_GRADIENT", 0.01)
    assert max(norms) < 0.0101


def test_best_is_the_epoch_of_the_lowest_validation_loss(run, last, monkeypatch):
    losses = iter([0.5, 0.3, 0.4, 0.3])
    monkeypatch.setattr(trainer.Trainer, "validate", lambda self: {"loss": next(losses)})
    folder = run("TRAIN.EPOCH", 4)
    assert last(folder, "best")["epoch"] == 2 and last(folder, "best")["performance"]["loss"] == 0.3
    assert last(folder)["epoch"] == 4 and last(folder)["training"]["best"] == 0.3


def test_validation_is_the_loss_of_the_final_head(tiny_config):
    """Against the loss taken from the saved network on the validation windows, one by one."""
    cfg = tiny_config("TRAIN.EPOCH", 1, "LOSS.W_ACCEL", 0.3, "LOSS.W_POS", 2.0)
    job = trainer.Trainer(cfg, torch.device("cpu"))
    scores = job.validate()
    position, acceleration, mpjpe = [], [], []
    for k in range(len(job.validation.bank)):
        detected, truth, _ = job.validation.bank.batch(torch.tensor([k]))
        with torch.no_grad():
            error = (job.network.eval()(detected).final - truth)[0, 0].numpy()
        position.append(np.abs(error).mean())
        acceleration.append(np.abs(np.diff(error, 2, axis=0)).mean())
        joints = error.reshape(8, 17, 3)
        mpjpe.append(np.linalg.norm(joints - joints[:, :1], axis=-1).mean() * 1000)
    assert scores["loss"] == pytest.approx(2 * np.mean(position) + 0.15 * np.mean(acceleration), rel=1e-4)
    assert scores["mpjpe"] == pytest.approx(np.mean(mpjpe), rel=1e-4)


def test_without_validation_the_training_loss_decides(run, last):
    content = last(run("TRAIN.VALIDATE", False), "best")
    assert content["performance"].keys() == {"train_loss"}
    assert content["training"]["best"] == content["performance"]["train_loss"]


# ------------------------------------------------------------------------------------ data of a run


def names(splits):
    return [recording.name for split in splits for recording in split.recordings]


def test_validation_keeps_whole_recordings_out_of_training(tiny_config):
    everything = set(
        names([sequences.load(source, "train", tiny_config()) for source in catalog.sources(tiny_config())])
    )
    for share, count in ((0.05, 1), (0.3, 3), (0.01, 1)):
        training, validation = sets.load_sets(tiny_config("TRAIN.VAL_SHARE", share))
        assert len(names(validation)) == count
        assert set(names(training)) | set(names(validation)) == everything
        assert not set(names(training)) & set(names(validation))
    again = sets.load_sets(tiny_config("TRAIN.VAL_SHARE", 0.3))[1]
    other = sets.load_sets(tiny_config("TRAIN.VAL_SHARE", 0.3, "SEED_VALUE", 7))[1]
    assert names(again) == names(sets.load_sets(tiny_config("TRAIN.VAL_SHARE", 0.3))[1]) != names(other)


@pytest.mark.parametrize("share", [0.96, 0.999])
def test_a_large_share_leaves_something_to_train_on(tiny_config, share):
    training, validation = sets.load_sets(tiny_config("TRAIN.VAL_SHARE", share))
    assert len(names(training)) == 1 and len(names(validation)) == 9


@pytest.mark.parametrize("share", [0, 1, -0.5, 2])
def test_an_impossible_share(tiny_config, share):
    with pytest.raises(UserError, match="VAL_SHARE"):
        sets.load_sets(tiny_config("TRAIN.VAL_SHARE", share))


def write_set(base, name, splits, joints=5):
    """A data set with {split: [lengths]} and a walk of its own in every sequence."""
    rng = np.random.default_rng(0)
    dataset, estimator, rep = name.split("_")
    for split, lengths in splits.items():
        truth = [rng.normal(0, 0.02, (frames, joints * 3)).cumsum(0).astype(np.float32) for frames in lengths]
        images = [
            np.array([f"{split}{k}/{frame:06d}.jpg" for frame in range(frames)]) for k, frames in enumerate(lengths)
        ]
        folder = base / name
        storage.write(
            folder / "groundtruth" / f"{dataset}_gt_{rep}_{split}.npz", {"imgname": images, "joints_3d": truth}
        )
        noisy = [values + rng.normal(0, 0.05, values.shape).astype(np.float32) for values in truth]
        storage.write(folder / "detected" / f"{name}_{split}.npz", {"imgname": images, "joints_3d": noisy})


def test_a_validate_split_is_used_where_there_is_one(last, tiny_config, tmp_path):
    write_set(tmp_path, "own_net_3D", {"train": [30, 40, 5], "validate": [20, 9], "test": [10]})
    cfg = tiny_config("DATASET.BASE_DIR", tmp_path, "DATASET_NAME", "own", "ESTIMATOR", "net", "TRAIN.EPOCH", 1)
    training, validation = sets.load_sets(cfg)
    assert names(training) == ["train0", "train1", "train2"] and names(validation) == ["validate0", "validate1"]
    content = last(trainer.train(cfg))
    assert content["state_dict"]["proj_i_a.0.weight"].shape == (16, 15) and len(content["recipe"]["joints"]) == 5


def test_several_sets_train_together(run, last, tmp_path):
    write_set(tmp_path, "own_net_3D", {"train": [30, 40]})
    write_set(tmp_path, "other_net_3D", {"train": [60, 20, 9]})
    arguments = (
        "DATASET.BASE_DIR",
        tmp_path,
        "DATASET_NAME",
        "own,other",
        "ESTIMATOR",
        "net,net",
        "BODY_REPRESENTATION",
        "3D,3D",
        "TRAIN.EPOCH",
        1,
    )
    for mix in ("proportional", "balanced", "shortest"):
        assert last(run(*arguments, "TRAIN.MIX", mix))["data"]["sources"] == ["own_net_3D", "other_net_3D"]


def test_sets_of_different_joints_are_refused(run, tmp_path):
    write_set(tmp_path, "own_net_3D", {"train": [30, 40]})
    write_set(tmp_path, "other_net_3D", {"train": [30, 40]}, joints=7)
    with pytest.raises(UserError, match="15 channels.*own_net_3D.*21.*other_net_3D"):
        run(
            "DATASET.BASE_DIR",
            tmp_path,
            "DATASET_NAME",
            "own,other",
            "ESTIMATOR",
            "net,net",
            "BODY_REPRESENTATION",
            "3D,3D",
        )


# ------------------------------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize("table, what", [("detected", "detections"), ("truth", "ground truth")])
def test_numbers_that_are_not_finite_stop_with_batch_and_window(run, monkeypatch, table, what):
    original = trainer.WindowBank.draw_noise

    def spoil(self, *args):
        original(self, *args)
        getattr(self, table)[40] = math.nan

    monkeypatch.setattr(trainer.WindowBank, "draw_noise", spoil)
    with pytest.raises(UserError, match=rf"epoch 1, batch \d+: the loss is nan.*{what} of window \d+"):
        run()


def test_divergence_stops_with_the_cause(run):
    with pytest.raises(UserError, match=r"epoch \d, batch \d+: the loss is (nan|inf).*TRAIN.LR"):
        run("TRAIN.LR", 1e30)


def test_a_checkpoint_is_not_promised_where_there_is_none(run, tmp_path):
    """Diverged in the first epoch: nothing was saved yet."""
    with pytest.raises(UserError) as caught:
        run("TRAIN.LR", 1e30)
    if not list((tmp_path / "results").glob("*/checkpoint_last.pth.tar")):
        assert "checkpoint_last" not in str(caught.value)


@pytest.mark.parametrize(
    "key, value",
    [
        ("TRAIN.BATCH_SIZE", 0),
        ("TRAIN.EPOCH", 0),
        ("TRAIN.WINDOW_STRIDE", 0),
        ("TRAIN.LR", 0),
        ("TRAIN.LR", -1),
        ("TRAIN.SCHEDULE", "cosine"),
        ("TRAIN.PRECISION", "float16"),
        ("TRAIN.MIX", "all"),
        ("TRAIN.noise_type", "pink"),
        ("TRAIN.EMA", 1.5),
        ("TRAIN.EMA", -0.1),
        ("MODEL.ALIGN_VIEWS", "both"),
        ("TRAIN.CLIP_GRADIENT", -1),
        ("TRAIN.LRDECAY", 0),
        ("TRAIN.LAG", 8),
        ("TRAIN.noise_std", -1),
        ("SEED_VALUE", -1),
        ("TRAIN.AUGMENT.NOISE", 2),
    ],
)
def test_settings_that_cannot_work_are_refused_by_key(run, tmp_path, key, value):
    with pytest.raises(UserError, match=key):
        run(key, value)
    assert not (tmp_path / "results").exists()


def test_a_full_disk_in_tensorboards_thread_prints_no_traceback(monkeypatch):
    """The trainer meets the error itself at its next write; what else goes wrong in a thread is shown."""
    shown = []
    monkeypatch.setattr(threading, "excepthook", lambda args: shown.append(args.exc_type))

    def thread(error):
        def fail():
            raise error

        started = threading.Thread(target=fail)
        started.start()
        started.join()

    with board.one_line_of_a_full_disk():
        thread(OSError(27, "File too large"))
        thread(ValueError("ours"))
    thread(OSError(27, "File too large"))
    assert shown == [ValueError, OSError]
