"""The one table of colours of videos, GIFs, the page and figures: a method looks alike in all of them.

From Okabe and Ito, "Color Universal Design" (2008), told apart under every common form of colour blindness. Each role has a
colour and further ones for more tracks of it; `DARK` is for dark backgrounds.
"""

LIGHT = {
    "input": ("#d55e00", "#e69f00"),
    "filter": ("#009e73", "#cc79a7", "#e69f00", "#785ef0", "#8c5a2b", "#66a61e", "#e7298a", "#b8a100", "#1f6f8b"),
    "refined": ("#0072b2", "#56b4e9", "#1b1f23"),
    "truth": ("#1b1f23", "#6e7781"),
    "other": ("#6e7781", "#a0a7ae", "#40464c"),
}
DARK = {
    "input": ("#e8762b", "#e69f00"),
    "filter": ("#1fbf92", "#cc79a7", "#e69f00", "#9a86ff", "#c08a4e"),
    "refined": ("#56b4e9", "#4a90c2"),
    "truth": ("#f0f0f0", "#9aa4ad"),
}


def rgb(colour):
    """(red, green, blue), 0 to 255, of "#rrggbb"."""
    return tuple(int(colour[place : place + 2], 16) for place in (1, 3, 5))
