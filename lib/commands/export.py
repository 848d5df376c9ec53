"""A checkpoint's network for use elsewhere, as ONNX or for torch.export.

synsp export data/checkpoints/synsp_3D_w8.pth.tar synsp.onnx      # needs the extra `export`
"""

import argparse
from pathlib import Path

import torch

from ..errors import UserError
from ..files import atomic_write
from ..models import checkpoints
from ..models.export import export, to_onnx
from ..models.smoothnet import SmoothNet


def main(argv=None, prog=None):
    """What `synsp export` does. Raises UserError for a file that is no checkpoint or a window that does not fit."""
    parser = argparse.ArgumentParser(
        prog=prog, description="Write a checkpoint's network as ONNX or for torch.export (single view, final head)."
    )
    parser.add_argument("checkpoint", help="trained network (.pth.tar)")
    parser.add_argument("output", help="an .onnx file, or a .pt2 file for torch.export")
    parser.add_argument("--window", type=int, help="frames in a window, for published SynSP files, which do not say it")
    parser.add_argument("--n_head", type=int, default=4, help="attention heads of a published SynSP (default: 4)")
    args = parser.parse_args(argv)
    checkpoint = checkpoints.load(args.checkpoint, args.n_head)
    window = args.window or checkpoint.window or 8
    if isinstance(checkpoint.network, SmoothNet) and window != checkpoint.window:
        raise UserError(f"--window {window}: {args.checkpoint} is a SmoothNet of window {checkpoint.window}")
    if Path(args.output).suffix == ".pt2":
        with atomic_write(args.output) as temporary:
            torch.export.save(export(checkpoint.network, window), temporary)
    else:
        to_onnx(checkpoint.network, window, args.output)
    print(
        f"{args.output}: windows [batch, {window}, {checkpoint.channels or 'channels'}] in and out, in network units "
        f"({checkpoint.data.get('representation', 'see the checkpoint')})"
    )
