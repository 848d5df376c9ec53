"""The one table of colours of videos, GIFs, the page and figures: a method looks alike in all of them.

From Okabe and Ito, "Color Universal Design" (2008), told apart under every common form of colour blindness. Each role has a
colour and further ones for more tracks of it, the filters one each in the order of their registry; `DARK` is for dark
backgrounds. `SIDES` are the sides of a body in videos.
"""

from ..filters import registry as filters

LIGHT = {
    "input": ("#d55e00", "#e69f00", "#8c2d04"),
    "filter": ("#009e73", "#cc79a7", "#e69f00", "#785ef0", "#8c5a2b", "#66a61e", "#e7298a", "#b8a100", "#7b1e3a"),
    "refined": ("#0072b2", "#56b4e9", "#1a3a5c", "#7570b3"),
    "truth": ("#1b1f23", "#6e7781"),
    "other": ("#6e7781", "#a0a7ae", "#40464c"),
}
DARK = {
    "input": ("#e8762b", "#f2b84b", "#c4693b"),
    "filter": ("#1fbf92", "#dd94bb", "#e6b400", "#9a86ff", "#c08a4e", "#8fce46", "#ff6cb4", "#d8c22e", "#c8506a"),
    "refined": ("#56b4e9", "#2f86c9", "#a9d4f5", "#b3b0e6"),
    "truth": ("#f0f0f0", "#9aa4ad"),
    "other": ("#9aa4ad", "#c3c9cf", "#6e7781"),
}
SIDES = {"left": "#0072b2", "right": "#e69f00", "middle": "#5c5c5c"}


def places(methods):
    """{name: place in the colours of its role} of [(name, role)]; two of a role share none while there are any left."""
    found, taken = {}, set()
    for name, role in dict.fromkeys(methods):
        count, own = len(LIGHT[role]), name.split()[-1]  # "offset + savgol" is a savgol
        first = filters.FILTERS.index(own) if role == "filter" and own in filters.FILTERS else 0
        place = next((k % count for k in range(first, first + count) if (role, k % count) not in taken), first % count)
        taken.add((role, place))
        found[name] = place
    return found


def rgb(colour):
    """(red, green, blue), 0 to 255, of "#rrggbb"."""
    return tuple(int(colour[place : place + 2], 16) for place in (1, 3, 5))
