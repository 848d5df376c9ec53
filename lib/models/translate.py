"""Checkpoints of other formats as those of format 2: the published ones, and ours of format 1.

Format 1 said how a network is used in four places: `model`, `data`, the config's EVALUATE, and the training augmentation.
"""

from ..errors import UserError
from ..poses.kinds import kind_of
from ..poses.skeletons import LAYOUTS

# Channels of a published SynSP -> (kind, layout of its joints).
PUBLISHED = {
    51: ("3D", "h36m17"),
    34: ("2D", "h36m17"),
    32: ("2D", "h36m16"),
    42: ("3D", "lsp14"),
    144: ("smpl", "smpl24"),
}


def to_format_2(content, place):
    """The content of a checkpoint file with `model` and `recipe` as format 2 has them; its state_dict holds float tensors
    under our names. Raises UserError, naming `place`, where format 1's values cannot be."""
    if "recipe" in content:
        if not all(isinstance(content.get(part), dict) for part in ("model", "recipe")):
            raise UserError(f"{place}: model and recipe must be tables of values. The file is damaged")
        return content
    if content.get("data"):
        return _from_format_1(content, place)
    return {**content, "model": {}, "recipe": _of_published(content["state_dict"])}


def _of_published(weights):
    if "encoder.0.weight" in weights:
        return {"window": int(weights["encoder.0.weight"].shape[1])}
    if "proj_i_a.0.weight" not in weights:
        return {}
    # The paper's files say nothing of their use; the channels say which joints they are for.
    kind, layout = PUBLISHED.get(int(weights["proj_i_a.0.weight"].shape[1]), (None, None))
    joints = LAYOUTS[layout].joints if layout else None
    return {
        "window": None,
        "kind": kind,
        "joints": joints,
        "normaliser": "h36m" if kind_of(kind).in_image else "isotropic",
    }


def _from_format_1(content, place):
    try:
        model, recipe = _parts_of_format_1(content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{place}: is of format 1, and a value is missing or of a wrong type ({error}). The file is damaged"
        ) from None
    return {**content, "model": model, "recipe": recipe}


def _parts_of_format_1(content):
    model, data, config = dict(content.get("model", {})), content["data"], content.get("config", {})
    weights, layout = content["state_dict"], data["layout"]
    if "encoder.0.weight" in weights:  # SmoothNet's window is its weights'
        data = {**data, "window": int(weights["encoder.0.weight"].shape[1])}
    align, canonical = model.pop("align_views", "none"), model.pop("canonical", None)
    segment, carry = model.pop("segment", 0), model.pop("carry", 0.0)
    if "proj_i_a.0.weight" in weights:
        fuse = "none" if align == "none" else "depth" if canonical else "median"
    else:  # SmoothNet takes each view by itself
        fuse = "none"
    recipe = {
        "window": data.get("window"),
        "weighting": config.get("EVALUATE", {}).get("WINDOW_WEIGHTS", "mean"),
        "trained_lag": data.get("lag"),
        "carry": carry,
        "align": align,
        "fuse": fuse,
        "views": data.get("views") or 1,
        "kind": data["representation"],
        "joints": layout["joints"],
        "root": layout.get("root", (0,)),
        "canonical": bool(canonical),
        "pairs": canonical["pairs"] if canonical else (),
        "segment": segment,
        "fps": float(data.get("fps") or 0),
        "normaliser": data.get("normaliser", "h36m" if kind_of(data["representation"]).in_image else "isotropic"),
        "image_size": bool(data.get("image_size")),
        "use_6d": bool(data.get("use_6d", True)),
        "root_relative": bool(data.get("root_relative_input", True)),
        "any_skeleton": config.get("TRAIN", {}).get("AUGMENT", {}).get("CONVENTION", 0) > 0,
    }
    return model, recipe
