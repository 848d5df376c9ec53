"""Make shipped weights of a run's checkpoint: half precision, no optimiser, with licence and scores.

    synsp release results/<run>/checkpoint_best.pth.tar data/checkpoints/synsp_3D_w8.pth.tar \\
        --licence "trained on CC BY-NC 4.0 data: non-commercial use only" --scores metrics.json
    synsp release --table data/checkpoints        # rewrites data/checkpoints/README.md

`--scores` takes the metrics.json files that eval wrote for this checkpoint. `--blend OTHER SHARE` takes that share of the weights of
OTHER, from which the run started (TRAIN.INIT) or which started from the same: between a network for the training clips' motions
and one for all motions lies one that does nearly as well on both (Wortsman et al., "Robust fine-tuning of zero-shot models",
CVPR 2022).
"""

import argparse
import json
import shlex
from pathlib import Path

import torch

from .. import config, run
from ..command_line import Parser
from ..errors import UserError
from ..models import checkpoints
from ..models.translate import to_format_2
from ..windows.recipe import Recipe


def release(source, target, licence, scores=(), blend=None, window_weights=None, smooth=None):
    """Write the shipped form of checkpoint `source` to `target`.

    scores: paths of metrics.json files; blend: (path of another checkpoint, its share from 0 to 1), or None;
    window_weights, smooth: of its recipe, None: as it was trained.
    """
    content = checkpoints.read(source)
    if not content.get("data"):
        raise UserError(
            f"{source}: is a published checkpoint without a description of its network. Release a checkpoint of this toolkit"
        )
    content = to_format_2(content, source)
    if blend:
        content = checkpoints.unmerged(content)
        _blend(source, content, *blend)
    content.pop("training", None)
    content["state_dict"] = {
        name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in content["state_dict"].items()
    }
    commands = {
        name: _anywhere(content["provenance"][name])
        for name in ("command", "corrected", "gain", "blend")
        if name in content["provenance"]
    }
    content["provenance"] = {**content["provenance"], **commands, "licence": licence}
    fresh = config.defaults()  # paths of this machine are not published
    content["config"]["DATASET"]["BASE_DIR"] = fresh.DATASET.BASE_DIR
    content["config"].update(OUTPUT_DIR=fresh.OUTPUT_DIR, LOGDIR="")
    content["config"]["TRAIN"]["INIT"] = Path(content["config"]["TRAIN"].get("INIT", "")).name
    changes = {"weighting": window_weights, "smooth": smooth}
    changes = {name: value for name, value in changes.items() if value is not None}
    content["recipe"] = Recipe.from_dict(content["recipe"], source).but(**changes).as_dict()
    if scores:
        content["scores"] = [
            _short(part) for path in scores for part in json.loads(Path(path).read_text(encoding="utf-8"))
        ]
    checkpoints.save(target, content)


def _blend(source, content, other, share):
    """Put a share of the weights of checkpoint `other` into `content`."""
    theirs = checkpoints.unmerged(to_format_2(checkpoints.read(other), other))
    weights, given = content["state_dict"], theirs["state_dict"]
    if not 0 <= share <= 1:
        raise UserError(f"--blend {share:g}: must be between 0 and 1")
    shapes = [{name: tensor.shape for name, tensor in part.items()} for part in (weights, given)]
    # A file that does not describe itself is taken to be of the same kind.
    if shapes[0] != shapes[1] or "data" in theirs and _kind(source) != _kind(other):
        raise UserError(f"--blend {other}: is a different network from {source}")
    content["state_dict"] = {
        name: torch.lerp(tensor.float(), given[name].float(), share) for name, tensor in weights.items()
    }
    command = theirs.get("provenance", {}).get("command", "")
    content["provenance"] = {**content["provenance"], "blended_with": {"share": share, "command": _anywhere(command)}}


def _kind(path):
    """What the weights of a file mean: everything but what holds in training or live only."""
    checkpoint = checkpoints.load(path)
    recipe = checkpoint.recipe
    model = {**checkpoint.network.described(), "dropout": None}
    used = recipe.window, recipe.align, recipe.fuse, recipe.canonical, recipe.one_size, recipe.pairs, recipe.segment
    return model, *used


def _anywhere(command):
    """A training command without folders."""
    words = shlex.split(command)
    for key in ("DATASET.BASE_DIR", "OUTPUT_DIR"):
        while key in words:
            del words[words.index(key) : words.index(key) + 2]
    if "TRAIN.INIT" in words:
        place = words.index("TRAIN.INIT") + 1
        words[place] = Path(words[place]).name
    return shlex.join(Path(word).name if Path(word).is_absolute() else word for word in words)


def _short(part):
    keep = ("mpjpe", "pampjpe", "accel", "mpvpe")
    numbers = {
        name: round(value, 4)
        for name, value in part["metrics"].items()
        if name.split("_")[0] in ("input", "smoothnet") and name.split("_", 1)[1] in keep
    }
    return {
        "set": f"{part['dataset']}_{part['estimator']}_{part['body_representation']} test",
        "unit": part["unit"],
        "body": part.get("body") or "",
        **numbers,
    }


def table(folder):
    """The README of a folder of shipped weights, made from the descriptions in the files."""
    rows = []
    for path in sorted(Path(folder).glob("*.pth.tar")):
        content, checkpoint = checkpoints.read(path), checkpoints.load(path)
        recipe, layout = checkpoint.recipe, checkpoint.data.get("layout", {}).get("name", "any joints")
        for score in content.get("scores", []):
            body = f" ({score['body']})" if score["body"] else ""
            rows.append(
                f"| `{path.name}` | {recipe.kind}, {layout} | {recipe.window} | "
                f"{recipe.fps:g} | {score['set']}{body} | {score['input_mpjpe']:.2f} -> {score['smoothnet_mpjpe']:.2f} {score['unit']} | "
                f"{score['input_accel']:.2f} -> {score['smoothnet_accel']:.2f} | {content['provenance']['licence']} |"
            )
    return "\n".join(
        (
            "# Shipped weights",
            "",
            "Made by `synsp release --table data/checkpoints` from the descriptions in the files. Each contains its",
            "training command (`provenance`), configuration and joint layout; use one with `--checkpoint`, or start training",
            "from it with `TRAIN.INIT`. MPJPE and ACCEL from the input to the refined sequence, on clips that were not trained on.",
            "",
            "| file | poses | window | frames/s | scored on | MPJPE | ACCEL | licence |",
            "| --- | --- | ---: | ---: | --- | --- | --- | --- |",
            *rows,
            "",
        )
    )


def main(argv=None, prog=None):
    parser = Parser(
        prog=prog,
        description=__doc__.splitlines()[0],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=__doc__.split("\n", 2)[2],
    )
    parser.add_argument("source", nargs="?", help="a run's checkpoint")
    parser.add_argument("target", nargs="?", help="the file to write")
    parser.add_argument("--licence", default="Apache-2.0")
    parser.add_argument("--scores", nargs="+", default=(), help="metrics.json files of this checkpoint")
    parser.add_argument("--window_weights", help="how eval and refine average its windows: mean or triangular")
    parser.add_argument("--smooth", type=float, help="frames of a Gaussian over what it makes of whole recordings")
    parser.add_argument(
        "--blend", nargs=2, metavar=("OTHER", "SHARE"), help="take a share of another checkpoint's weights"
    )
    parser.add_argument("--table", metavar="FOLDER", help="rewrite the README of a folder of weights")
    args = parser.parse_args(argv)
    if args.source and args.target:
        blend = (args.blend[0], float(args.blend[1])) if args.blend else None
        release(args.source, args.target, args.licence, args.scores, blend, args.window_weights, args.smooth)
    elif not args.table:
        raise UserError("give a source and a target checkpoint, or --table FOLDER")
    if args.table:
        run.write_text(Path(args.table) / "README.md", table(args.table))
