"""What commands print: tables for people, JSON for programs."""

import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table

WIDTH_OF_A_FILE = 250


def print_json(data: object) -> None:
    """Print `data` as JSON, times in UTC."""
    typer.echo(msgspec.json.format(msgspec.json.encode(data), indent=2).decode())


def print_table(rows: Sequence[msgspec.Struct], empty: str) -> None:
    """Print a row for each object and a column for each of their members, or `empty` where there is none."""
    if not rows:
        typer.echo(empty)
        return
    table = Table(box=None)
    for field in msgspec.structs.fields(rows[0]):
        table.add_column(field.name.replace("_", " "), no_wrap=True)
    for row in rows:
        table.add_row(*(_cell(value) for value in msgspec.structs.astuple(row)))
    Console(width=None if sys.stdout.isatty() else WIDTH_OF_A_FILE).print(table)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else str(value)
