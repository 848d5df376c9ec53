"""Wrote format_1*.pth.tar and format_1.npz, once: python tests/reference/make_format_1.py

Kept to say where they come from. A later version must read what this one wrote, so it must not run again.
"""

import tempfile
from pathlib import Path

import numpy as np
import torch

from lib.command_line import Request
from lib.models import checkpoints
from lib.training import trainer

HERE = Path(__file__).parent
BASE = [
    "--dataset_name",
    "mocap",
    "--estimator",
    "noise",
    "--body_representation",
    "3D",
    "DEVICE",
    "cpu",
    "TRAIN.EPOCH",
    "2",
    "TRAIN.BATCH_SIZE",
    "256",
]
RUNS = {
    "format_1": [
        "MODEL.d_model",
        "8",
        "MODEL.d_word_vec",
        "8",
        "MODEL.d_inner",
        "8",
        "MODEL.n_layers",
        "1",
        "MODEL.n_head",
        "2",
        "MODEL.d_k",
        "4",
        "MODEL.d_v",
        "4",
        "MODEL.RESIDUAL_COMPONENTS",
        "2",
        "TRAIN.EMA",
        "0.5",
    ],
    "format_1_smoothnet": [
        "MODEL.NAME",
        "smoothnet",
        "MODEL.HIDDEN_SIZE",
        "8",
        "MODEL.RES_HIDDEN_SIZE",
        "4",
        "MODEL.NUM_BLOCK",
        "1",
    ],
}


def main():
    assert not (HERE / "format_1.npz").exists(), "the files are there, and stay as they are"
    torch.set_num_threads(1)
    windows = np.random.default_rng(0).normal(0, 0.3, (2, 8, 51)).astype(np.float32)
    outputs = {"input": windows}
    for name, overrides in RUNS.items():
        with tempfile.TemporaryDirectory() as folder:
            cfg = Request("train", [*BASE, *overrides, "OUTPUT_DIR", folder]).config()
            content = (trainer.train(cfg) / "checkpoint_last.pth.tar").read_bytes()
        path = HERE / f"{name}.pth.tar"
        path.write_bytes(content)
        with torch.no_grad():
            outputs[name] = checkpoints.load(path).network(torch.from_numpy(windows)).final.numpy()
    np.savez(HERE / "format_1.npz", **outputs)


if __name__ == "__main__":
    main()
