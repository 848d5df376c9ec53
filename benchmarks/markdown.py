"""Tables in Markdown files: what stands between two marks is replaced, all other text stays."""

import re
import textwrap
from pathlib import Path

from lib import run
from lib.errors import UserError


def paragraph(text):
    return textwrap.fill(" ".join(text.split()), 110, break_on_hyphens=False)


def replace_between(text, name, block, path):
    """`text` with what stands between its lines <!-- name:begin --> and <!-- name:end --> replaced by
    `block`."""
    begin, end = (f"<!-- {name}:{side} -->" for side in ("begin", "end"))
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise UserError(
            f"--markdown {path}: needs the lines {begin} and {end}, once each and in this order, "
            "between which the table goes. Add them, or name a new file"
        )
    before, _, rest = text.partition(begin)
    return f"{before}{begin}\n\n{block}\n\n{end}{rest.partition(end)[2]}"


def write_markdown(path, name, texts, tables, known=()):
    """Put the tables ({set: markdown}) below the texts into their place in a file, or into a new file.

    Tables of other sets that stand there stay, so that a set can be measured anew by itself; known: the order of the sets.
    """
    path = Path(path)
    empty = f"<!-- {name}:begin -->\n<!-- {name}:end -->\n"
    text = path.read_text(encoding="utf-8") if path.exists() else empty
    there = text.partition(f"<!-- {name}:begin -->")[2].partition(f"<!-- {name}:end -->")[0]
    sections = {
        found[1]: "### " + section.strip()
        for section in there.split("\n### ")[1:]
        if (found := re.match(r".*`(\w+)` test", section))
    }
    order = dict.fromkeys([*known, *sections])  # of a set that has gone, the table comes last
    sections = {key: table for key in order if (table := tables.get(key, sections.get(key)))}
    run.write_text(path, replace_between(text, name, "\n\n".join([*texts, *sections.values()]), path))
