"""Statements over many rows at once: each column is an array, and the number of statements is fixed per batch.

The parts of a batch (an insert into this table, an update of that one) become one statement of data-modifying CTEs, so
that a batch is one round trip and one transaction. Where a row of a guarded part is not written, because its object has
changed or its key is taken, the whole statement fails with `serialization_failure`, and nothing is written.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple


class Part(NamedTuple):
    """One part of a writing statement.

    Attributes:
        name: Of its CTE.
        sql: With `{rows}` where the rows go, as `unnest(...) AS row (...)`.
        columns: Names and types of the columns of a row.
        guarded: Whether every row must be written; then `sql` returns one row for each that is.
    """

    name: str
    sql: str
    columns: tuple[tuple[str, str], ...]
    guarded: bool = False


Rows = Sequence[tuple[Any, ...]]


def insert(table: str, **columns: str) -> Part:
    """Make the part that inserts rows into `table`; keywords are column names and their types."""
    sql = f"INSERT INTO {table} ({', '.join(columns)}) SELECT * FROM {{rows}}"
    return Part(f"insert_{table}", sql, tuple(columns.items()))


@cache
def writing_statement(parts: tuple[Part, ...]) -> str:
    """Join parts into the one statement that does them all."""
    first, ctes = 1, []
    for part in parts:
        numbered = enumerate(part.columns, start=first)
        arrays = ", ".join(f"${number}::{kind}[]" for number, (_, kind) in numbered)
        names = ", ".join(name for name, _ in part.columns)
        ctes.append(f"{part.name} AS (\n{part.sql.format(rows=f'unnest({arrays}) AS row ({names})')}\n)")
        first += len(part.columns)
    written = " + ".join(f"(SELECT count(*) FROM {part.name})" for part in parts if part.guarded) or "0"
    return "WITH " + ",\n".join(ctes) + f"\nSELECT refuse_stale({written}, ${first})"


def arguments(work: Sequence[tuple[Part, Rows]]) -> list[Any]:
    """Give the arguments of the statement: the arrays of all parts, then how many guarded rows there are."""
    arrays = [column for _, rows in work for column in zip(*rows, strict=True)]
    return [*arrays, sum(len(rows) for part, rows in work if part.guarded)]
