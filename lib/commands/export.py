"""A checkpoint's network for use elsewhere, as ONNX or for torch.export.

synsp export data/checkpoints/synsp_3D_w8.pth.tar synsp.onnx      # needs the extra `export`
"""

import io
from pathlib import Path

import torch

from ..command_line import Parser
from ..errors import UserError
from ..files import write_bytes
from ..models import checkpoints
from ..models.export import about, export, to_onnx


def main(argv=None, prog=None):
    """What `synsp export` does. Raises UserError for a file that is no checkpoint or a window that does not fit."""
    parser = Parser(
        prog=prog, description="Write a checkpoint's network as ONNX or for torch.export (single view, final head)."
    )
    parser.add_argument("checkpoint", help="trained network (.pth.tar)")
    parser.add_argument("output", help="an .onnx file, or a .pt2 file for torch.export")
    parser.add_argument("--window", type=int, help="frames in a window, for published SynSP files, which do not say it")
    parser.add_argument("--n_head", type=int, default=4, help="attention heads of a published SynSP (default: 4)")
    args = parser.parse_args(argv)
    if Path(args.output).suffix not in (".onnx", ".pt2"):
        raise UserError(f"{args.output}: name a file that ends in .onnx, or in .pt2 for torch.export")
    checkpoint = checkpoints.load(args.checkpoint, args.n_head)
    network, recipe = checkpoint.network, checkpoint.recipe
    window = args.window or recipe.window or 8
    if network.window not in (None, window):
        raise UserError(f"--window is {window}; {args.checkpoint} is a SmoothNet of window {network.window}")
    recipe = recipe.but(window=window)
    if Path(args.output).suffix == ".pt2":
        buffer = io.BytesIO()  # where a disk is full, torch's own writer of files ends the process
        torch.export.save(export(network, recipe), buffer)
        write_bytes(args.output, buffer.getvalue())
    else:
        to_onnx(network, recipe, args.output, provenance=checkpoint.provenance)
    said = about(network, recipe, checkpoint.provenance)
    print(
        f"{args.output}: windows [batch, {window}, {network.channels or 'channels'}] in and out. Units: {said['units']}"
    )
    if recipe.views > 1:
        print(f"views: {said['views']}. Several views together are refined in Python only")
