"""`make demo`: train on a real sensor's sample, film a person of the test split, score all test clips, print where the results are.

Runs three scripts of the checkout and prints each command, to be repeated by hand. Trailing KEY VALUE pairs go to the
training.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

from .. import run
from ..command_line import Request
from ..errors import UserError

CFG = "configs/kinect_sample_3D.yaml"
ROOT = Path(__file__).resolve().parents[2]
OFFSET = "offset+gaus1d"
FILTERS = f"savgol,oneeuro,gaus1d,{OFFSET}"


def main(argv=None, prog=None):
    """What `synsp demo` does. Raises UserError outside a checkout, which holds the sample and the scripts."""
    overrides = sys.argv[1:] if argv is None else list(argv)
    argparse.ArgumentParser(prog=prog, description=__doc__.splitlines()[0]).parse_known_args(overrides)  # --help
    if not (ROOT / CFG).is_file():
        raise UserError(
            f"{ROOT / CFG}: not found. The demo needs a checkout of the repository, not the installed package"
        )
    os.chdir(ROOT)
    request = Request("train", ["--cfg", CFG, *overrides])
    cfg = request.config()
    _step("1/3 train", "train_smoothnet.py", "--cfg", CFG, *overrides)
    folder = run.newest_folder(cfg)
    checkpoint = folder / "checkpoint_best.pth.tar"
    videos, scores, page = folder / "video", folder / "metrics.json", folder / "report"
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
    wanted = ["--tradition", FILTERS, "--json", str(scores), "--report", str(page)]
    _step("3/3 score", "eval_smoothnet.py", *with_network, *wanted)
    places = {
        "checkpoint": checkpoint,
        "training log": folder / "train_log.txt",
        "TensorBoard": f"{folder}    (tensorboard --logdir {folder})",
        "video": next(iter(sorted(videos.glob("*.mp4")))),
        "scores": f"{scores}  {scores.with_suffix('.csv')}",
        "page": page / "report.html",
    }
    print("\n" + "\n".join(f"{what + ':':<16}{place}" for what, place in places.items()))
    print("\n" + _gain(json.loads(scores.read_text(encoding="utf-8"))[0]))


def _gain(result):
    """What training was worth, in one sentence; result: one object of metrics.json."""
    before, after = result["metrics"]["input_mpjpe"], result["metrics"]["smoothnet_mpjpe"]
    named = {part["method"]: part["means"]["mpjpe"] for part in result["methods"]}
    offset = named[f"offset + {OFFSET.removeprefix('offset+')}"]
    return (
        f"A real sensor's error on persons that training never saw: {before:.1f} -> {after:.1f} mm ({after / before - 1:+.0%}); "
        f"a constant offset a joint and a filter reach {offset:.1f} mm (the network {after / offset - 1:+.0%})."
    )


def _step(title, script, *arguments):
    print(f"\n== {title}\npython {shlex.join([script, *arguments])}", flush=True)
    code = subprocess.run([sys.executable, script, *arguments]).returncode
    if code:
        sys.exit(code)
