"""A text table with its delimiter, line ends and byte order mark: every cell that is not changed keeps its text."""

import csv
import io
import itertools
import math
import re

from ..errors import UserError
from ..files import write_text
from .json_numbers import short

# What pandas, spreadsheets and people write in the place of a number that is not there.
NOTHING = {"", "na", "n/a", "#n/a", "#na", "<na>", "none", "null", "nil", "missing", "-", "--", ".", "#value!", "1.#ind", "-1.#ind", "1.#qnan"}  # fmt: skip
COMMA = re.compile(r"-?\d+,\d+(e[+-]?\d+)?", re.I)


def cell_number(text, where):
    """A cell as float, NaN if it is empty or not finite."""
    text = text.strip()
    if text.lower() in NOTHING:
        return math.nan
    try:
        value = float(text)
    except ValueError:
        raise UserError(f"{where}: {text[:40]!r} is not a number. Correct the cell, or leave it empty") from None
    return value if math.isfinite(value) else math.nan


def is_number(text):
    """Whether a cell holds a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def shortest(value):
    """A float as text with the nine digits that a float32 needs (`json_numbers.short`)."""
    return repr(short(value))


class Table:
    """rows: lists of cells, the header's among them, below lines of remarks (`#`); numbers with a decimal comma have a point in them.

    Raises UserError for text that is no table.
    """

    def __init__(self, opened):
        text = "".join(opened.lines)
        self.path, self.mark = opened.path, text[:1] == "\ufeff"
        text = text.lstrip("\ufeff")
        lines = text.splitlines(keepends=True)
        self.above = list(itertools.takewhile(lambda line: line.startswith("#"), lines))
        text = "".join(lines[len(self.above) :])
        few = [line for line in lines[len(self.above) :][:12] if re.search("[,;\t]", line)]
        self.delimiter = max(",;\t", key=few[0].count) if few else ","
        self.end = "\r\n" if "\r\n" in text else "\n"
        self.final = text.endswith("\n")
        try:
            self.rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=self.delimiter))
        except csv.Error as error:
            raise UserError(f"{self.path}: not a readable table ({error}). Export it again as CSV") from None
        few = [cell for row in self.rows[1:20] for cell in row]
        self.comma = self.delimiter != "," and any(map(COMMA.fullmatch, few)) and not any("." in cell and is_number(cell) for cell in few)  # fmt: skip
        if self.comma:
            self.rows = [
                [cell.replace(",", ".") if COMMA.fullmatch(cell) else cell for cell in row] for row in self.rows
            ]

    def place(self, row):
        """Where a row stands in the file, in words; lines as editors count."""
        return f"line {row + 1 + len(self.above)}"

    def body(self, header, first, last=None):
        """The numbers of the rows from `first` on (up to `last`) that are not empty. Raises UserError where their length differs."""
        found = [number for number in range(first, last or len(self.rows)) if self.rows[number]]
        if not found:
            raise UserError(f"{self.path}: no line below the header. Expected one line per frame")
        for number in found:
            if len(self.rows[number]) != len(header):
                raise UserError(
                    f"{self.path}: {self.place(number)}: {len(self.rows[number])} columns, the first line has "
                    f"{len(header)}. Export the table again"
                )
        return found

    def number(self, row, column, name):
        return cell_number(self.rows[row][column], f"{self.path}: {self.place(row)}, {name}")

    def write(self, rows, output_path):
        if self.comma:
            rows = [
                [cell.replace(".", ",") if "." in cell and is_number(cell) else cell for cell in row] for row in rows
            ]
        text = io.StringIO()
        csv.writer(text, delimiter=self.delimiter, lineterminator=self.end).writerows(rows)
        text = text.getvalue() if self.final else text.getvalue().removesuffix(self.end)
        write_text(output_path, ("\ufeff" if self.mark else "") + "".join(self.above) + text)
