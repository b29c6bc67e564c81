"""CSV: RFC 4180 in UTF-8, with a header, and nothing that a spreadsheet takes for a formula."""

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from owed.api.messages import CSV

CSV_HEADER = f"{CSV}; charset=utf-8; header=present"

FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n")
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
    return written([cell(each.get(name)) for name in names] for each in found)


def written(lines: Iterable[Iterable[Any]]) -> bytes:
    """Write lines of cells."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows(lines)
    return text.getvalue().encode()


def cell(value: Any) -> Any:
    """Give a value as it stands in a cell. A text that would be taken for a formula gets an apostrophe before it."""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(FORMULAS) else value
    return f"{value:%Y-%m-%dT%H:%M:%S.%fZ}" if isinstance(value, datetime) else value
