"""`make demo`: train on the shipped sample, film a test clip, score all test clips, and print where the results are.

Runs three scripts of the checkout and prints each command, to be repeated by hand. Trailing KEY VALUE pairs go to the
training.
"""

import argparse
import os
import shlex
import subprocess
import sys
from pathlib import Path

from .. import config, run
from ..errors import UserError

CFG = "configs/mocap_noise_3D.yaml"
ROOT = Path(__file__).resolve().parents[2]
FILTERS = "savgol,oneeuro,gaus1d"


def main(argv=None, prog=None):
    """What `synsp demo` does. Raises UserError outside a checkout, which holds the sample and the scripts."""
    overrides = sys.argv[1:] if argv is None else list(argv)
    argparse.ArgumentParser(prog=prog, description=__doc__.splitlines()[0]).parse_known_args(overrides)  # --help
    if not (ROOT / CFG).is_file():
        raise UserError(
            f"{ROOT / CFG}: not found. The demo needs a checkout of the repository, not the installed package"
        )
    os.chdir(ROOT)
    request = config.Request("train", ["--cfg", CFG, *overrides])
    cfg = request.config()
    _step("1/3 train", "train_smoothnet.py", "--cfg", CFG, *overrides)
    folder = run.newest_folder(cfg)
    checkpoint = folder / "checkpoint_best.pth.tar"
    videos, scores = folder / "video", folder / "metrics.json"
    with_network = ["--cfg", CFG, "--checkpoint", str(checkpoint)]
    _step(
        "2/3 film",
        "visualize_smoothnet.py",
        *with_network,
        "--visualize_video_id",
        "0",
        "--output_video_path",
        str(videos),
    )
    _step("3/3 score", "eval_smoothnet.py", *with_network, "--tradition", FILTERS, "--json", str(scores))
    places = {
        "checkpoint": checkpoint,
        "training log": folder / "train_log.txt",
        "TensorBoard": f"{folder}    (tensorboard --logdir {folder})",
        "video": next(iter(sorted(videos.glob("*.mp4")))),
        "scores": f"{scores}  {scores.with_suffix('.csv')}",
    }
    print("\n" + "\n".join(f"{what + ':':<16}{place}" for what, place in places.items()))


def _step(title, script, *arguments):
    print(f"\n== {title}\npython {shlex.join([script, *arguments])}", flush=True)
    code = subprocess.run([sys.executable, script, *arguments]).returncode
    if code:
        sys.exit(code)
