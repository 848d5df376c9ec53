"""Many clips: what is drawn for each, the files of each, and going on where a run ended.

Clip i of a seed and split is always the same: its random numbers come from these, whatever was rendered before. Bodies of the test
split are no bodies of the training split.
"""

import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from .. import files
from ..errors import UserError
from . import INDEX, body, camera, motion, motion_files, postures, render, scene

OTHERS = 0.12  # share of clips with a second person


@dataclass(frozen=True)
class Plan:
    """What a user asks for. size: picture's side in px; fps: the rates that clips are drawn from; views: cameras of one motion;
    motions: paths, None: the file that ships; backgrounds: a folder of pictures, None: those of scikit-image; resting: share of the
    clips whose people sit, kneel or lie."""

    out: str
    clips: int
    frames: int
    size: int
    fps: tuple
    seed: int
    views: int
    split: str
    motions: tuple | None
    backgrounds: str | None
    resting: float


def load_motions(plan):
    """The `Motion`s of a plan, long enough for its clips. Raises UserError where none is left."""
    if plan.motions is None:
        found = motion_files.shipped(plan.split)
    else:
        found = [one for path in plan.motions for one in motion_files.read(path)]
        # CMU's subjects that the test split keeps to itself, in whatever file they come.
        found = [one for one in found if plan.split == "test" or one.subject not in motion_files.TEST_SUBJECTS]
        if plan.split == "test" and any(one.subject in motion_files.TEST_SUBJECTS for one in found):
            found = [one for one in found if one.subject in motion_files.TEST_SUBJECTS]
    longest = max((one.seconds for one in found), default=0)
    needed = plan.frames / min(plan.fps)
    if longest < needed + 0.1:
        raise UserError(
            f"--frames {plan.frames} at {min(plan.fps)} fps take {needed:.1f} s, and the longest motion of the {plan.split} split has "
            f"{longest:.1f} s. Give fewer --frames, or longer --motion"
        )
    return found


def done(out):
    """[meta] of the clips that a folder lists and has the truth of. Raises UserError for a list that is damaged."""
    path = Path(out) / INDEX
    if not path.is_file():
        return []
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
        return [meta for meta in listed if (Path(out) / f"{meta['clip']}.npz").is_file()]
    except (ValueError, TypeError, KeyError):
        raise UserError(
            f"{path}: is not the list that `pairs render` wrote. Remove it, and its clips are rendered again"
        ) from None


def save_index(out, metas):
    """Write the list of finished clips, whole."""
    ordered = sorted(metas, key=lambda meta: (meta["seed"], meta["number"]))
    files.write_text(Path(out) / INDEX, json.dumps(ordered, indent=0))


def make(plan, number, motions, pictures):
    """Render clip `number` of a plan into its folder and return its meta."""
    test, group = int(plan.split == "test"), number // plan.views
    shared = np.random.default_rng([plan.seed, test, group, 0])  # what all views of a motion have in common
    fps = int(shared.choice(plan.fps))
    chosen = _choose(motions, plan.frames / fps, shared)
    rotations, roots = motion.cut(chosen, shared, plan.frames, fps, mirrored=shared.random() < 0.5)
    phenotype = body.phenotype(shared)
    posed = np.random.default_rng([plan.seed, test, group, 0, 1])  # of its own: other clips do not depend on the share
    posture = postures.draw(posed) if posed.random() < plan.resting else None
    if posture is None:
        actors = [render.actor(phenotype, rotations, roots, shared)]
    else:
        actors = [render.resting_actor(phenotype, rotations, posture, fps, shared, posed)]
    look, company = scene.look(shared), shared.random() < OTHERS
    if company:
        other = _choose(motions, plan.frames / fps, shared)
        actors.append(render.actor(body.phenotype(shared), *motion.cut(other, shared, plan.frames, fps), shared))

    rng = np.random.default_rng([plan.seed, test, group, 1 + number % plan.views])
    size = (plan.size, plan.size)
    around = None if plan.views == 1 else 2 * np.pi * (number % plan.views + rng.uniform(-0.2, 0.2)) / plan.views
    if around is None and posture is not None and posture.lies:
        around = rng.uniform(-np.pi, np.pi)  # nobody who lies looks at the camera
    eye = camera.around(actors[0].joints, motion.facing(rotations), size, fps, rng, around)
    if company:
        actors[1] = render.behind(actors[1], actors[0], eye, rng)
    shot = render.film(
        actors, eye, size, fps, look, scene.background(rng, size, pictures), scene.occluders(rng, size), rng
    )
    meta = {
        "clip": f"{chosen.subject}_c{plan.seed}_{number:05d}",
        "number": number,
        "subject": chosen.subject,
        "body": f"{plan.split}{plan.seed}_{group:05d}",
        "motion": {"file": chosen.file, "source": chosen.name},
        "licence": chosen.licence,
        "mode": ("video", "static")[int(rng.integers(2))],
        "seed": plan.seed,
        "size": list(size),
        "fps": fps,
        "frames": plan.frames,
        "phenotype": phenotype,
        "posture": None if posture is None else f"{posture.kind}: {posture.how}",
        "views": f"{plan.split}{plan.seed}_{group:05d}" if plan.views > 1 else None,
        "split": plan.split,
    }
    write(plan.out, meta, shot)
    return meta


def _choose(motions, seconds, rng):
    """A motion of at least so many seconds: of a subject drawn evenly, longer ones more often."""
    long = [one for one in motions if one.seconds > seconds + 1.5 / one.fps]
    subjects = sorted({one.subject for one in long})
    theirs = [one for one in long if one.subject == subjects[rng.integers(len(subjects))]]
    weight = np.sqrt([one.seconds for one in theirs])
    return theirs[rng.choice(len(theirs), p=weight / weight.sum())]


def write(out, meta, shot):
    """The truth, then the video, each whole or not at all."""
    place = Path(out) / meta["clip"]
    files.write_npz(place.with_suffix(".npz"), {**shot.truth, "meta": np.array(json.dumps(meta))})
    with files.atomic_write(place.with_suffix(".mp4")) as temporary:
        _encode(temporary, shot, meta["fps"], meta["size"])


def _encode(path, shot, fps, size):
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps))
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.thread_count = 1
        stream.options = {"crf": str(shot.quality), "preset": "superfast"}
        for image in shot.frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
