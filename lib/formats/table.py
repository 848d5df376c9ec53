"""A text table with its delimiter, line ends and byte order mark: every cell that is not changed keeps its text."""

import csv
import io
import math

from ..errors import UserError
from ..files import write_text
from .json_numbers import short


def cell_number(text, where):
    """A cell as float, NaN if it is empty or not finite."""
    text = text.strip()
    if not text or text.lower() in ("na", "none", "null"):
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
    """rows: lists of cells, the header's among them. Raises UserError for text that is no table."""

    def __init__(self, opened):
        text = "".join(opened.lines)
        self.path, self.mark = opened.path, text[:1] == "\ufeff"
        text = text.lstrip("\ufeff")
        first = text.partition("\n")[0]
        self.delimiter = max(",;\t", key=first.count)
        self.end = "\r\n" if "\r\n" in text else "\n"
        self.final = text.endswith("\n")
        try:
            self.rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=self.delimiter))
        except csv.Error as error:
            raise UserError(f"{self.path}: not a readable table ({error}). Export it again as CSV") from None

    def body(self, header, first):
        """The numbers of the rows below the header that are not empty. Raises UserError where their length differs."""
        found = [number for number in range(first, len(self.rows)) if self.rows[number]]
        if not found:
            raise UserError(f"{self.path}: no line below the header. Expected one line per frame")
        for number in found:
            if len(self.rows[number]) != len(header):
                raise UserError(
                    f"{self.path}: line {number + 1}: {len(self.rows[number])} columns, the first line has "
                    f"{len(header)}. Export the table again"
                )
        return found

    def number(self, row, column, name):
        return cell_number(self.rows[row][column], f"{self.path}: line {row + 1}, {name}")

    def write(self, rows, output_path):
        text = io.StringIO()
        csv.writer(text, delimiter=self.delimiter, lineterminator=self.end).writerows(rows)
        text = text.getvalue() if self.final else text.getvalue().removesuffix(self.end)
        write_text(output_path, ("\ufeff" if self.mark else "") + text)
