"""What commands print: tables for people, JSON for programs."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from owed.cli.amounts import Amount

WIDTH = 250
"""Columns of a line: an id is never cut. A terminal that is narrower wraps."""

WIDEST = 40
"""Columns of a value in a table; a longer one is cut."""


def print_json(data: object) -> None:
    """Print `data` as JSON, times in UTC."""
    typer.echo(msgspec.json.format(msgspec.json.encode(data), indent=2).decode())


def print_table(rows: Sequence[msgspec.Struct], empty: str) -> None:
    """Print a row for each object and a column for each of their members, or `empty` where there is none."""
    print_rows([msgspec.structs.asdict(row) for row in rows], empty)


def print_rows(rows: Sequence[Mapping[str, Any]], empty: str) -> None:
    """Print rows that have the same names, under these, or `empty` where there is none."""
    if not rows:
        typer.echo(empty)
        return
    table = Table(box=None)
    for name in rows[0]:
        is_money = any(isinstance(row[name], Amount) for row in rows)
        table.add_column(
            name.replace("_", " "), no_wrap=True, max_width=WIDEST, justify="right" if is_money else "left"
        )
    for row in rows:
        table.add_row(*map(_cell, row.values()))
    Console(width=WIDTH).print(table)


def print_sheet(members: Mapping[str, Any]) -> None:
    """Print a line for each member; what is nested has lines of its own."""
    table = Table(box=None, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _flat(members):
        table.add_row(Text(_printable(name)), _cell(value))
    Console(width=WIDTH).print(table)


def _flat(members: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in members.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _cell(value: Any) -> Text:
    """Write a value, as what it is: a name from outside is no markup, and tells the terminal nothing."""
    if value is None:
        return Text()
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    return Text(f"{value:%Y-%m-%d %H:%M:%S} UTC" if isinstance(value, datetime) else _printable(str(value)))


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
