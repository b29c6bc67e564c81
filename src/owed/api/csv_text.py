"""CSV: RFC 4180 in UTF-8, with a header, and nothing that a spreadsheet takes for a formula."""

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from owed.api.messages import CSV

CSV_HEADER = f"{CSV}; charset=utf-8; header=present"

FORMULAS = frozenset("=+-@\t\r\n")
"""What a cell begins with that spreadsheets take for a formula."""


def headers(name: str) -> dict[str, str]:
    """Give the headers of a file of CSV."""
    return {"content-type": CSV_HEADER, "content-disposition": f'attachment; filename="{name}.csv"'}


def header(columns: Iterable[str]) -> bytes:
    """Write the names of the columns."""
    return written([columns])


def rows(columns: Iterable[str], found: Iterable[Mapping[str, Any]]) -> bytes:
    """Write a row for each of some objects, in the order of the columns; what is not there is an empty cell."""
    names = list(columns)
    return written(map(cell, map(each.get, names)) for each in found)


def written(lines: Iterable[Iterable[Any]]) -> bytes:
    """Write lines of cells."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows(lines)
    return text.getvalue().encode()


def cell(value: Any) -> Any:
    """Give a value as it stands in a cell. A text that would be taken for a formula gets an apostrophe before it."""
    kind = type(value)
    if kind is str:
        return f"'{value}" if value[:1] in FORMULAS else value
    return time(value) if kind is datetime else value


def time(moment: datetime) -> str:
    """Write a time as the API does, and always with six digits after the point, so that times sort as text."""
    text = msgspec.json.encode(moment)[1:-1].decode()
    return text if "." in text else f"{text[:-1]}.000000Z"
