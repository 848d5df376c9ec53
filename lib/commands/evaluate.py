"""What eval_smoothnet.py does: the input, networks and filters on test splits, as tables, JSON, CSV, report and figures."""

import json
from pathlib import Path

from .. import config, messages, run
from ..dataset import catalog, sequences
from ..errors import UserError
from ..evaluation.evaluator import as_csv, score_split, table, tables
from ..evaluation.methods import InputMethod, check_fits, several_view_baselines
from ..evaluation.networks import load_networks, warn_of
from ..evaluation.offset import filter_methods
from ..files import is_stream
from ..filters import registry as filters
from ..training import distributed

ACCEL_NOTE = (
    "ACCEL averages over all T frames of a sequence, with two zeros at its ends, as the papers' code does; "
    "accel_unpadded averages over the T-2 frames that have one."
)


def evaluate(request):
    """Score what a command line asked for, as one of several processes where torchrun started it. Returns the list that
    `metrics.json` holds."""
    with distributed.joined(request.config()) as group:
        return _evaluate(request, group)


def _evaluate(request, group):
    device = group.device(run.choose_device(request.config()))
    report, figures = (_folder(request.args, flag) for flag in ("report", "figures"))
    if str(request.args.json).lower().endswith(".csv"):
        raise UserError(
            f"--json {request.args.json}: the CSV beside it would take its place. Give a name that ends in .json"
        )
    cfg, networks = load_networks(request, device)
    if not figures and request.explicit("FIGURES.STYLE"):
        raise UserError(f"--style {cfg.FIGURES.STYLE}: is for figures, which are not asked for. Add --figures FOLDER")
    if figures:
        from ..visualize.figure_style import look_of

        look_of(cfg)  # a style that is none is found before the work
    if not networks and not cfg.EVALUATE.TRADITION:
        raise UserError("--checkpoint: not given. Pass a trained network, or --tradition to score filters alone")
    chosen = catalog.sources(cfg)
    names = filters.names(cfg.EVALUATE.TRADITION)
    mended = [InputMethod("other", "input, repaired")] if cfg.EVALUATE.REPAIR else []
    others = [InputMethod(), *mended, *filter_methods(names, cfg)]
    splits = [sequences.load(source, "test", cfg, cfg.TRAIN.USE_6D_SMPL) for source in chosen]
    for split in splits:
        for network in networks:
            check_fits(network.checkpoint, split)
            warn_of(network.checkpoint, split)
    folder = None
    if group.first:
        folder = run.new_folder(cfg, f"{cfg.EXP_NAME}_eval")
        messages.also_log_to(folder / "eval_log.txt")
    results, scored = [], []
    for split in splits:
        result, scores = score_split(split, [*others, *several_view_baselines(split, networks), *networks], cfg, group)
        results.append(result)
        scored.append(scores)
        if group.first:
            print(table(split, scores, result["body"]))
    if group.first:
        _write(request, folder, splits, scored, results, cfg, report, figures)
    return results


def _write(request, folder, splits, scored, results, cfg, report, figures):
    """The numbers as files, with a report and figures where they were asked for."""
    print(ACCEL_NOTE)
    text = json.dumps(results, indent=1, allow_nan=False)
    places = [folder / "metrics.json"] + ([Path(request.args.json)] if request.args.json else [])
    for place in places:
        run.write_text(place, text)
        for ending, rows in () if is_stream(place) else tables(results).items():
            run.write_text(place.with_name(f"{place.stem}{ending}.csv"), as_csv(rows))
    run.write_text(folder / "config.yaml", config.dump(cfg))
    beside = [] if is_stream(places[-1]) else [("CSV", places[-1].with_suffix(".csv"))]
    written = [("JSON", places[-1]), *beside, ("log", folder / "eval_log.txt")]
    if report:
        from ..visualize.report import (
            write_report,  # matplotlib takes a second to import, and not everybody wants pictures
        )

        written.append(("report", write_report(report, splits, scored, results, cfg)))
    if figures:
        from ..visualize.figures import write_figures

        for split, scores in zip(splits, scored):
            write_figures(figures, split, scores, cfg)
        written.append(("figures", figures))
    print("\n".join(f"{what}: {place}" for what, place in written))


def _folder(args, flag):
    """The folder that a flag names, or None. Raises UserError before work starts where it is a file."""
    place = getattr(args, flag)
    if place and Path(place).is_file():
        raise UserError(f"--{flag} {place}: is a file. Give a folder")
    return Path(place) if place else None
