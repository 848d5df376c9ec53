"""Where the error is: by joint, by how fast it changes, and on burst frames.

Run by `python -m benchmarks.accuracy --errors`. Errors are the evaluator's: mm, root-relative (2D: px).
"""

import numpy as np
import scipy.fft

from benchmarks import accuracy_methods, accuracy_tuning
from lib.evaluation.evaluator import joint_names
from lib.evaluation.methods import AlignedMedian, InputMethod
from lib.evaluation.scores import judge_of

BANDS = {"below 1 Hz": (0.0, 1.0), "1 to 5 Hz": (1.0, 5.0), "above 5 Hz": (5.0, np.inf)}
FPS = 30.0  # of all sets
# A frame is in a burst where some joint's input error is more than this many times that joint's own median.
BURST = 3.0
READING = f"""Columns are methods; of the filters the default Gaussian and the tuned one that did best on the
training clips. **By joint**: mean error, left and right together. **By frequency**: the error of each
coordinate over a sequence is split by a cosine transform; the numbers are root mean squares of the joints'
error vectors, whose squares add up to that of the whole error. **By frame**: a frame is in a burst where
some joint's input error is more than {BURST:g} times that joint's own median over the set; MPJPE over these
frames, over the joints beyond the limit in them, and over the other frames."""


def measure(part, base, published):
    """One set's errors: {"set", "title", "unit", "methods": [label], "tables": as `analyse` has them}."""
    cfg, test, train, _ = accuracy_methods.load(part, base)
    tuned = accuracy_tuning.tune(train, cfg, accuracy_methods.say)
    best = min(tuned.values(), key=lambda found: found.objective)
    wanted = (f"{best.name}, tuned", "gaus1d, default")
    filters = [method for method in accuracy_methods.filter_rows(cfg, tuned) if method.label.startswith(wanted)]
    networks = [
        method
        for method in accuracy_methods.network_rows(part, base, published)
        if "SynSP" in method.label or "W 32" in method.label
    ]
    methods = [InputMethod(), *filters, *([AlignedMedian("sequence")] if part.several else []), *networks]
    judge, errors = judge_of(test, cfg), []
    truths = [judge.joints(view, view.truth, True).double() for view in test.sequences]
    for method in methods:
        accuracy_methods.say(f"{part} test: {method.label}")
        raws = [raw for views in method(test) for raw in views]
        errors.append(
            [
                (judge.joints(view, raw).double() - truth).numpy()
                for view, raw, truth in zip(test.sequences, raws, truths)
            ]
        )
    return {
        "set": str(part),
        "title": part.title,
        "unit": test.representation.unit,
        "methods": [method.label for method in methods],
        "tables": analyse(errors, [view.counted for view in test.sequences], joint_names(test), FPS),
    }


def analyse(errors, counted, names, fps):
    """Tables of errors: {title: {row: [a number a method]}}.

    errors: for each method, the input first, one [T, J, D] a sequence; counted: bool [T] a sequence, the
    frames that count, or None for all; names: of the joints; fps: frames a second. Sequences with frames
    that do not count are left out of the frequencies.
    """
    masks = [np.ones(len(each), bool) if mask is None else mask for each, mask in zip(errors[0], counted)]
    lengths = [
        np.concatenate([np.linalg.norm(each, axis=-1)[mask] for each, mask in zip(method, masks)]) for method in errors
    ]
    joints = {}
    for place, name in enumerate(names):
        joints.setdefault(name.removeprefix("left_").removeprefix("right_"), []).append(place)
    burst = lengths[0] > BURST * np.median(lengths[0], axis=0)
    some = burst.any(1)
    spectra = [band_rms([each for each, mask in zip(method, masks) if mask.all()], fps) for method in errors]
    return {
        "by joint, mean": {
            name: [float(length[:, places].mean()) for length in lengths]
            for name, places in joints.items()
            if lengths[0][:, places].any()
        },
        "by frequency, root mean square": {name: [spectrum[name] for spectrum in spectra] for name in spectra[0]},
        "by frame, MPJPE": {
            f"burst frames ({100 * some.mean():.1f} %)": [_mean(length[some]) for length in lengths],
            "their joints beyond the limit": [_mean(length[burst]) for length in lengths],
            "other frames": [_mean(length[~some]) for length in lengths],
        },
    }


def _mean(values):
    return float(values.mean()) if values.size else None


def band_rms(errors, fps):
    """Root mean square of the joints' error vectors in each band: {band: in the unit of the errors}.

    errors: [T, J, D] a sequence. By an orthonormal DCT-II, which sees a sequence mirrored at its ends: a
    Fourier transform would take the step between the last frame and the first for a fast error.
    """
    energy, count = dict.fromkeys((*BANDS, "all"), 0.0), 0
    for each in errors:
        power = scipy.fft.dct(each, type=2, norm="ortho", axis=0) ** 2
        frequency = np.arange(len(each)) * fps / (2 * len(each))
        for name, (low, high) in BANDS.items():
            energy[name] += power[(frequency >= low) & (frequency < high)].sum()
        energy["all"] += power.sum()
        count += each.shape[0] * each.shape[1]
    return {name: float(np.sqrt(value / count)) if count else None for name, value in energy.items()}


def markdown(part):
    """The tables of one set, as `measure` returns it."""
    lines = [
        f"### {part['title']}: `{part['set']}` test, {part['unit']}",
        "",
        f"| | {' | '.join(part['methods'])} |",
        "| --- |" + " ---: |" * len(part["methods"]),
    ]
    for title, rows in part["tables"].items():
        lines.append(f"| *{title}* |" + " |" * len(part["methods"]))
        for name, values in rows.items():
            cells = ["" if value is None else f"{value:.2f}" for value in values]
            lines.append(f"| {name.replace('_', ' ')} | {' | '.join(cells)} |")
    return "\n".join(lines)
