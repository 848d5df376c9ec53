"""Does refining ever make poses worse? Every filter, the networks and `auto` on truth with white jitter and on estimators' errors.

    python -m benchmarks.harm                                      # on the motion that ships
    python -m benchmarks.harm --data ../shared/data/poses --clips 3 --json harm.json --markdown docs/harm.md
    python -m benchmarks.harm --data DIR --clean walk.trc          # also: how far clean recordings are moved
    python -m benchmarks.harm --data DIR --split train             # what constants may be chosen on

Rows are sets of clips, cut to 300 frames: truth with jitter of a size an axis (mm, px, degrees), simulated errors, and the
detections of real estimators. MPJPE in mm about the root (2D: px; rotations: of the joints of a body) and Accel are means over the
clips; amplitude is the range of the joints (5 to 95 %) beside the truth's. Every method goes through `Refiner`, so after the same
repair. Live, filters that tune themselves are run again at every fourth frame on the last seconds up to `LAG` frames later. The
bars that follow the table are those `auto` is held to. FILE of --markdown keeps its text but what stands between <!-- harm:begin -->
and <!-- harm:end -->.
"""

import argparse
import json
import time
from functools import cache
from pathlib import Path

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from benchmarks.at_lag import at_lag
from benchmarks.harm_bars import LAG, Row, bars, table
from benchmarks.markdown import replace_between
from lib import weights
from lib.config import defaults
from lib.dataset import noise, storage
from lib.errors import UserError
from lib.files import write_text
from lib.filters import registry
from lib.formats.registry import read as read_poses
from lib.models.body import load_body
from lib.poses.skeletons import LAYOUTS
from lib.poses.space import enter, leave
from lib.tracks.refiner import Refiner

FPS, FRAMES = 30, 300
CLIPS_LIVE = 1
EVERY = 4  # frames of a stream that are looked at
MOVED, MOST = 12, 40  # mm that clean recordings may be moved by, in the mean and at most
SHIPPED = Path(__file__).resolve().parents[1] / "data" / "poses"
SIZES = {"3D": (1, 2, 5, 10, 20, 40), "2D": (0.5, 1, 2, 5, 10, 20), "smpl": (0.5, 1, 2, 5, 10)}
UNITS = {"3D": "mm", "2D": "px", "smpl": "degrees"}
TRUTH = {"3D": ("mocap_noise_3D", "many_noise_3D", "bn_sim_3D"), "2D": ("bn_sim_2D",), "smpl": ("bn_sim_smpl",)}
SIMULATED = (*TRUTH["3D"], "bn_sim_2D", "bn_sim_smpl")
REAL = ("kinect_real_3D", "anny_mediapipe_3D", "anny_mediapipe_2D")
LAYOUT = LAYOUTS["h36m17"]


def kind_of(name):
    return name.rsplit("_", 1)[1]


def read(base, name, folder, split, count):
    """`count` clips of one file of a set, [T, J, D] each, spread evenly; [] where it is not there."""
    place = SHIPPED if name == "mocap_noise_3D" else base
    path = None if place is None else next((place / name / folder).glob(f"*_{split}.npz"), None)
    if path is None:
        return []
    data = storage.read(path)
    key = next(key for key in ("joints_3d", "joints_2d", "pose") if key in data)
    chosen = np.unique(np.linspace(0, len(data[key]) - 1, count).round().astype(int))
    joints = 24 if key == "pose" else LAYOUT.size
    return [
        np.asarray(data[key][each], dtype=float).reshape(-1, joints, 2 + (key != "joints_2d"))[:FRAMES]
        for each in chosen
    ]


def jittered(truth, kind, size, rng):
    """Truth with white jitter: size in mm, px, or degrees about each axis."""
    if kind == "smpl":
        turns = Rotation.from_rotvec(rng.normal(0, np.radians(size), (truth.shape[0] * truth.shape[1], 3)))
        return (turns * Rotation.from_rotvec(truth.reshape(-1, 3))).as_rotvec().reshape(truth.shape)
    return truth + rng.normal(0, size / 1000 if kind == "3D" else size, truth.shape)


def simulated(truth, seed):
    """Truth [T, 17, 3] with the simulated errors of an estimator, where a set has no detections of its own."""
    rng = np.random.default_rng(seed)
    return noise.add_noise(truth.reshape(len(truth), -1), [len(truth)], "simulated", None, LAYOUT, rng).reshape(
        truth.shape
    )


@cache
def body():
    return load_body(defaults().SMPL_MODEL_DIR)


def joints(poses, kind):
    """What errors are measured of: joints about their root in mm, key points in px."""
    if kind == "smpl":
        poses = body().joints(torch.as_tensor(poses.reshape(len(poses), -1), dtype=torch.float32)).numpy()[:, :24]
    return poses if kind == "2D" else 1000 * (poses - poses[:, :1])


def scores(poses, truth, kind):
    """(MPJPE, Accel, amplitude as a share of the truth's)."""
    poses, truth = joints(poses, kind), joints(truth, kind)
    off = poses - truth
    ranges = [np.ptp(np.percentile(values, (5, 95), axis=0), axis=0).sum() for values in (poses, truth)]
    return (
        np.linalg.norm(off, axis=-1).mean(),
        np.linalg.norm(np.diff(off, n=2, axis=0), axis=-1).mean(),
        ranges[0] / ranges[1],
    )


def refiner(method, kind, **more):
    layout = {} if kind == "smpl" else {"layout": LAYOUT.name}
    return Refiner(method, fps=FPS, kind=kind.lower(), **layout, **more)


def methods(kind, networks):
    """{name: Refiner} of all that is compared; networks: each that ships for these poses beside the one that `auto` would take,
    "all", or "free" for anybody, or none of them."""
    found = {name: refiner(name, kind) for name in ("auto", *registry.FILTERS)}
    folder, pattern = found["auto"].choice.folder, f"synsp_{kind}_*.pth.tar"
    if weights.for_anybody(folder, pattern):
        found["synsp"] = refiner("synsp", kind)
    if networks:
        for path in sorted(folder.glob(pattern)) if networks == "all" else weights.for_anybody(folder, pattern):
            found[path.name.split(".")[0]] = refiner("synsp", kind, checkpoint=path)
    if networks and weights.for_anybody(folder, "smoothnet_*.pth.tar"):
        found["smoothnet"] = refiner("smoothnet", kind)
    return found


def live(pairs, kind):
    """{method: MPJPE of pairs (noisy, truth) at `LAG`}: `auto`, the network, and what tunes itself, in every `EVERY`-th frame."""
    names = ["auto", "kalman", *(["synsp"] if kind == "3D" else [])]
    found = {}
    for noisy, truth in pairs:
        frames = np.arange(0, len(truth), EVERY)
        done = {name: refiner(name, kind, lag=LAG)(noisy)[frames] for name in names}
        for name in registry.TUNED:
            if name != "kalman":  # which runs live itself
                done[name] = leave(at_lag(registry.TUNED[name], enter(noisy, kind), FPS, LAG, frames), kind)
        for name, poses in done.items():
            off = joints(poses, kind) - joints(truth[frames], kind)
            found.setdefault(name, []).append(np.linalg.norm(off, axis=-1).mean())
    return {name: float(np.mean(each)) for name, each in found.items()}


def measured(row, pairs, networks):
    """The `Row` with the scores of pairs (noisy, truth)."""
    begun, done = time.process_time(), {"input": [scores(noisy, truth, row.kind) for noisy, truth in pairs]}
    for name, refine in methods(row.kind, networks if row.what != "jitter" else None).items():
        try:
            done[name] = [scores(refine(noisy), truth, row.kind) for noisy, truth in pairs]
        except UserError as error:
            print(f"{row.name}: {name}: {error}")
    row.scores = {name: np.mean(each, axis=0).tolist() for name, each in done.items()}
    row.worst = float(max(mine[0] / before[0] for mine, before in zip(done["auto"], done["input"])))
    row.live = live(pairs[:CLIPS_LIVE], row.kind)
    row.seconds = time.process_time() - begun
    return row


def rows(base, split, count, wanted=("",), networks="free"):
    """Yield every `Row` that the data are there for and whose name holds one of the texts `wanted`."""

    def asked(name):
        return any(text in name for text in wanted)

    for kind, names in TRUTH.items():
        for name in names:
            clips = read(base, name, "groundtruth", split, count)
            for size in SIZES[kind] if clips else ():
                if not asked(f"{name} + {size:g} {UNITS[kind]}"):
                    continue
                rng = np.random.default_rng(int(10 * size))
                pairs = [(jittered(truth, kind, size, rng), truth) for truth in clips]
                yield measured(Row(f"{name} + {size:g} {UNITS[kind]}", kind, "jitter", size), pairs, networks)
    for name in (*SIMULATED, *REAL):
        what = "real" if name in REAL else "simulated"
        if not asked(f"{name}, {what} errors"):
            continue
        # What lasts differs from clip to clip more than jitter does.
        truth, kind = read(base, name, "groundtruth", split, 4 * count), kind_of(name)
        detected = read(base, name, "detected", split, 4 * count)
        if truth and not detected and kind == "3D":
            detected = [simulated(clip, seed) for seed, clip in enumerate(truth)]
        if truth:
            yield measured(Row(f"{name}, {what} errors", kind, what), list(zip(detected, truth)), networks)


def moved(path):
    """(mean, largest) way in mm by which `auto` moves the joints of a recording in 3D."""
    recording = read_poses(path)
    found = []
    for track, done in zip(recording.tracks, Refiner("auto").refine_tracks(recording.tracks, recording.fps)):
        found.append(
            1000 * float(np.mean(done.space.scale)) * np.linalg.norm(done.poses - track.poses, axis=-1).ravel()
        )
    way = np.concatenate(found)
    return float(np.nanmean(way)), float(np.nanmax(way))


def main():
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--data", type=Path, metavar="DIR", help="folder of more sets, in the published layout")
    parse.add_argument("--split", default="test", choices=("train", "test"))
    parse.add_argument("--clips", type=int, default=3, help="clips a row; four times as many of estimators' errors")
    parse.add_argument(
        "--clean", type=Path, nargs="*", default=[], metavar="FILE", help="recordings without errors, in 3D"
    )
    parse.add_argument("--markdown", type=Path, metavar="FILE", help="also write table and bars there")
    parse.add_argument("--json", type=Path, metavar="PATH", help="also write all numbers there")
    parse.add_argument(
        "--parts", type=Path, nargs="+", metavar="JSON", help="the table of what earlier runs wrote there"
    )
    parse.add_argument("--rows", default="", metavar="TEXT,…", help="only rows whose names hold one of these texts")
    parse.add_argument(
        "--networks", default="free", choices=("free", "all"), help="all: those that are taken by name only, too"
    )
    args = parse.parse_args()
    torch.set_num_threads(1)
    found = []
    if args.markdown:  # refused before minutes of work
        replace_between(args.markdown.read_text(encoding="utf-8"), "harm", "", args.markdown)
    if args.parts:
        listed = [row for path in args.parts for row in json.loads(path.read_text(encoding="utf-8"))]
        named = {row["name"]: row for row in listed}  # of a row that is in several, the last counts
        found = [Row(**{key: value for key, value in row.items() if key != "bars"}) for row in named.values()]
    else:
        for row in rows(args.data, args.split, args.clips, args.rows.split(","), args.networks):
            found.append(row)
            print(
                f"{row.name}: {row.scores['input'][0]:.2f} -> {row.scores['auto'][0]:.2f} ({row.seconds:.0f} s)",
                flush=True,
            )
    asked = [(row.name, *bar) for row in found for bar in bars(row)]
    for path in args.clean:
        for what, way, limit in zip(("in the mean", "at most"), moved(path), (MOVED, MOST)):
            asked.append((f"{path.parent.name}/{path.name}, clean", f"moved by mm {what}", way, limit, way <= limit))
    missed = [
        f"- {name}: {what}: {reached:.3f}, limit {limit:.3f}" for name, what, reached, limit, fine in asked if not fine
    ]
    clean = [
        f"- {name}: {what}: {reached:.1f}, limit {limit:g}"
        for name, what, reached, limit, _ in asked
        if "clean" in name
    ]
    seconds = sum(row.seconds for row in found)
    said = (
        f"{len(found)} rows, {seconds:.0f} s of one core. {len(asked) - len(missed)} of {len(asked)} bars are met. Missed:\n\n"
        + ("\n".join(missed) or "- none")
    )
    block = "\n\n".join([table(found), *(["\n".join(clean)] if clean else []), said])
    print(f"\nMPJPE / Accel\n\n{block}")
    if args.markdown:
        text = args.markdown.read_text(encoding="utf-8")
        write_text(args.markdown, replace_between(text, "harm", block, args.markdown))
    if args.json:
        listed = [
            {
                **vars(row),
                "bars": [(what, float(got), float(limit), bool(fine)) for what, got, limit, fine in bars(row)],
            }
            for row in found
        ]
        args.json.write_text(json.dumps(listed, indent=1))


if __name__ == "__main__":
    main()
