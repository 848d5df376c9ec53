"""What checkpoints and command lines say of an evaluation: settings they bring, warnings, refusals."""

import pytest
import torch

from lib.command_line import Request
from lib.commands import evaluate as evaluate_command
from lib.errors import UserError
from lib.evaluation.networks import load_networks
from lib.models import checkpoints
from tests.evaluation.conftest import REFERENCE, ROOT, SAMPLE, SMOOTHNET, SYNSP, sample, write_set


def test_a_checkpoint_says_how_its_windows_are_averaged(tmp_path):
    content = checkpoints.read(ROOT / "data/checkpoints/synsp_3D_w8_general_bn.pth.tar")
    content["config"]["EVALUATE"]["WINDOW_WEIGHTS"] = "triangular"  # where format 1 says it
    path = tmp_path / "triangular.pth.tar"
    torch.save(content, path)
    asked = [(), ("EVALUATE.WINDOW_WEIGHTS", "mean")]
    found = [
        load_networks(Request("eval", [*SAMPLE, "--checkpoint", str(path), *words]), "cpu")[1][0].recipe.weighting
        for words in asked
    ]
    assert found == ["triangular", "mean"]


@pytest.mark.parametrize(
    "words, hint",
    [
        ((), "--checkpoint"),
        (("--checkpoint", "absent.pth.tar"), "absent.pth.tar"),
        (("--tradition", "loess"), "loess"),
        (("--checkpoint", SYNSP, "--tradition", "savgol,loess"), "loess"),
        (("--checkpoint", SMOOTHNET, "--slide_window_size", "16"), "window 8"),
        (("--checkpoint", REFERENCE / "synsp_2d_random.pth.tar", "MODEL.n_head", "2"), "34 channels"),
        (("--checkpoint", REFERENCE / "synsp_3d_random.pth.tar", "MODEL.n_head", "3"), "n_head"),
        (("--checkpoint", SYNSP, "MODEL.d_model", "64"), "MODEL.d_model 64"),
        (("--checkpoint", SYNSP, "--dataset_name", "absent"), "absent_noise_3D"),
        (("--checkpoint", SYNSP, "EVALUATE.SLIDE_WINDOW_STEP_SIZE", "0"), "SLIDE_WINDOW_STEP_SIZE"),
        (("--checkpoint", SYNSP, "EVALUATE.WINDOW_WEIGHTS", "best"), "WINDOW_WEIGHTS"),
        (("--checkpoint", SYNSP, "EVALUATE.BATCH_SIZE", "0"), "BATCH_SIZE"),
        (("--tradition", "savgol", "EVALUATE.TRADITION_SAVGOL.WINDOW_SIZE", "0"), "TRADITION_SAVGOL"),
        (("--checkpoint", SYNSP, "--slide_window_size", "1"), "--slide_window_size 1"),
    ],
)
def test_refusals_leave_nothing(tmp_path, words, hint):
    request_words = [*SAMPLE, "OUTPUT_DIR", str(tmp_path / "results"), *map(str, words)]
    with pytest.raises(UserError, match=hint):
        evaluate_command.evaluate(Request("eval", request_words))
    assert not (tmp_path / "results").exists()


def test_synsp_at_another_window_warns_once(evaluate, caplog):
    evaluate("--checkpoint", SYNSP, "--slide_window_size", "16")
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warned) == 1 and "window 8" in warned[0] and "16" in warned[0]


def test_poses_away_from_their_root_are_warned_of(evaluate, tmp_path, caplog):
    """Of 17 joints that stand where the camera saw them a network knows nothing."""
    pairs = [tuple(sample(kind)[0].reshape(-1, 51) for kind in ("truth", "input"))]
    for name, away in (("near", 0), ("far", 3)):
        write_set(tmp_path / name, "mocap_noise_3D", [(truth + away, detected + away) for truth, detected in pairs])
        caplog.clear()
        evaluate("--checkpoint", SYNSP, "DATASET.BASE_DIR", tmp_path / name)
        warned = [record.getMessage() for record in caplog.records if "Subtract the root" in record.getMessage()]
        assert len(warned) == (name == "far")


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_what_a_set_is_does_not_hang_on_the_order_of_the_checkpoints(order):
    """The one that was trained on it says so, wherever it stands in the list."""
    names = [ROOT / "data" / "checkpoints" / f"{name}.pth.tar" for name in ("synsp_mv_3D_w8_bn", "synsp_3D_w8_bn")]
    words = ["--dataset_name", "mbn", "--checkpoint", ",".join(str(names[number]) for number in order)]
    cfg, _ = load_networks(Request("eval", words), "cpu")
    trained = checkpoints.load(names[0]).config["DATASET"]
    assert (cfg.DATASET.MULTI_VIEW, cfg.DATASET.FPS) == (trained["MULTI_VIEW"], trained["FPS"])


def test_a_checkpoint_brings_its_window_and_dataset(tmp_path):
    """Nothing said but the checkpoint: its own data set, window and representation."""
    words = [
        "DEVICE",
        "cpu",
        "DATASET.BASE_DIR",
        str(ROOT / "data" / "poses"),
        "OUTPUT_DIR",
        str(tmp_path / "results"),
        "--checkpoint",
        str(SYNSP),
    ]
    (result,) = evaluate_command.evaluate(Request("eval", words))
    assert result["dataset"] == "mocap" and result["metrics"]["smoothnet_mpjpe"] > 0
