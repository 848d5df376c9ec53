"""Damaged inputs that once failed, each standing for a kind, and what has to become of them.

The small ones lie in corpus/; the large ones are made here. `CASES`: {name: (words of the command line, what must happen)}; in
the words FILE is the input and OUT a place for the result; what must happen: "written", or a pattern that the one line of
refusal matches.
"""

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).parents[2]
CORPUS = Path(__file__).parent / "corpus"
REFINE = ("refine_smoothnet.py", "FILE", "--method", "savgol", "--output", "OUT")
EVALUATE = ("eval_smoothnet.py", "--cfg", "FILE")
LIVE = ("refine_smoothnet.py", "-", "--live", "--method", "oneeuro")
CHECKPOINT = ("refine_smoothnet.py", "h36m.npy", "--checkpoint", "FILE", "--output", "OUT")


def _landmarks(frames, step, **more):
    """MediaPipe's list of frames with times in steps of `step`; more: further keys of the file."""
    rng = np.random.default_rng(0)
    places = rng.uniform(0.3, 0.6, (33, 2))
    return {"frames": [
        {"timestamp": frame * step, "landmarks": [
            {"x": round(x + frame / 500, 4), "y": round(y, 4), "z": 0.0, "visibility": 0.9} for x, y in places.tolist()]}
        for frame in range(frames)], **more}  # fmt: skip


def _json(tree):
    return lambda path: path.write_text(json.dumps(tree))


def _zip_of(kind):
    def make(path):
        with zipfile.ZipFile(path, "w", kind) as archive:
            archive.writestr(
                "joints_3d.npy", b"\x93NUMPY" + bytes(500_000_000 if kind == zipfile.ZIP_DEFLATED else 100)
            )

    return make


def _checkpoint(change):
    def make(path):
        content = torch.load(ROOT / "tests" / "reference" / "format_1.pth.tar", weights_only=True)
        change(content)
        torch.save(content, path)

    return make


def _torch(content):
    return lambda path: torch.save(content, path)


def _not_finite(content):
    next(iter(content["state_dict"].values())).view(-1)[0] = float("nan")


MADE = {
    "csv_long_header.csv": lambda path: path.write_text("a_x,a_y," + "x" * 132_000 + "\n1,2,3\n"),
    "json_long_string.json": lambda path: path.write_text(
        json.dumps([{"image_id": "0.jpg", "keypoints": [1.5] * 9000 + ["x" * 100_000], "score": 1.0, "category_id": 1}])
    ),
    "json_5000_digits.json": lambda path: path.write_text('[{"image_id": 1, "keypoints": [' + "7" * 5000 + ', 1, 1], "score": 1}]'),
    "mediapipe_timestamp_ms.json": _json(_landmarks(300, 33)["frames"]),
    "mediapipe_timestamp_us.json": _json(_landmarks(12, 33_333)["frames"]),
    "mediapipe_timestamp_huge.json": _json(_landmarks(5, 10**400)["frames"]),
    "mediapipe_fps_infinity.json": _json(_landmarks(5, 0.04, fps=float("inf"))),
    "gvhmr_bfloat16.pt": _torch({"smpl_params_incam": {"body_pose": torch.zeros(9, 63, dtype=torch.bfloat16),
                                                        "global_orient": torch.zeros(9, 3, dtype=torch.bfloat16)}}),
    "gvhmr_no_dict.pt": _torch({"smpl_params_incam": 5}),
    "gvhmr_meta.pt": _torch({"smpl_params_incam": {"body_pose": torch.empty(9, 63, device="meta"),
                                                    "global_orient": torch.zeros(9, 3)}}),
    "zip_bomb.npz": _zip_of(zipfile.ZIP_DEFLATED),
    "zip_bzip2.npz": _zip_of(zipfile.ZIP_BZIP2),
    "checkpoint_nan.pth.tar": _checkpoint(_not_finite),
    "checkpoint_n_head_text.pth.tar": _checkpoint(lambda content: content["model"].update(n_head="4")),
    "checkpoint_layout.pth.tar": _checkpoint(lambda content: content["data"].update(layout={"name": 5})),
    "checkpoint_expanded.pth.tar": _checkpoint(
        lambda content: content["state_dict"].update(more=torch.zeros(1).expand(10**10))
    ),
    # Deeper than any Python reads: 3.13 goes further down than 3.11.
    "live_nested.jsonl": lambda path: path.write_text("[" * 100_000 + "]" * 100_000 + "\n"),
    "live_deep.jsonl": lambda path: path.write_text('{"pose": [[1, 2]], "deep": ' + "[" * 987 + "]" * 987 + "}\n"),
}  # fmt: skip
# What they say, where it is not enough that it is one line with the input's name.
SAYS = {
    "vibe_frame_ids_gap.pkl": "frame_ids from 0 to 3000000",
    "pickle_defaults.pkl": "refused, because it changes the inside of",
    "pickle_no_data.pkl": "refused, because it holds an array of 864 elements whose bytes it does not hold",
    "pickle_list_of_bytearray.pkl": "refused, because it makes",
    "pickle_tuple_bomb.pkl": "refused, because it holds far more objects",
    "yaml_alias.yaml": "an alias that holds itself",
    "yaml_bomb.yaml": "more than 10000 values",
    "yaml_list_bomb.yaml": "more than 10000 values",
    "checkpoint_nan.pth.tar": "holds numbers that are not finite",
    "zip_bomb.npz": "would unpack to",
    "live_digits.jsonl": "standard input, line 1: not JSON",
    "live_nested.jsonl": "standard input, line 1: nested too deeply",
    "npz_fps_inf.npz": "inf frames a second cannot be. Pass --fps",
    "mediapipe_timestamp_ms.json": "written",
    "mediapipe_timestamp_us.json": "written",
    "videopose3d_tuple.npz": "written",
    "live_deep.jsonl": "",
}


def _words(name):
    if name.endswith(".yaml"):
        return EVALUATE
    if name.endswith(".jsonl"):
        return LIVE
    if name.startswith("checkpoint"):
        return CHECKPOINT
    return REFINE


def _corpus():
    return sorted(path.name for path in CORPUS.iterdir()) if CORPUS.exists() else []


CASES = {name: (_words(name), SAYS.get(name, Path(name).stem.split(".")[0])) for name in [*_corpus(), *MADE]}


def make(name, folder):
    """The input of a case, in a folder."""
    path = folder / name
    if name in MADE:
        MADE[name](path)
    elif (CORPUS / name).is_dir():
        shutil.copytree(CORPUS / name, path)
    else:
        shutil.copyfile(CORPUS / name, path)
    return path
