"""Statements over many rows at once: each column is an array, and the number of statements is fixed per batch.

The parts of a batch (an insert into this table, an update of that one) become one statement of data-modifying CTEs, so
that a batch is one round trip and one transaction. Where a row of a guarded part is not written, because its object has
changed or its key is taken, the whole statement fails with `serialization_failure`, and nothing is written.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple


class Part(NamedTuple):
    """One part of a writing statement.

    Attributes:
        name: Of its CTE.
        sql: With `{rows}` where the rows go, as a table called `row`.
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


@lru_cache(maxsize=1000)
def writing_statement(parts: tuple[Part, ...], *, is_single: bool) -> str:
    """Join parts into the one statement that does them all.

    Args:
        is_single: Each part has one row, given as plain values. A request alone is the rule on a quiet day, and an
            array for each of fifty columns costs it a tenth of a millisecond.
    """
    first, ctes = 1, []
    for part in parts:
        values = [f"${first + place}::{kind}" for place, (_, kind) in enumerate(part.columns)]
        source = f"(VALUES ({', '.join(values)}))" if is_single else f"unnest({', '.join(v + '[]' for v in values)})"
        rows = f"{source} AS row ({', '.join(name for name, _ in part.columns)})"
        ctes.append(f"{part.name} AS (\n{part.sql.format(rows=rows)}\n)")
        first += len(values)
    written = " + ".join(f"(SELECT count(*) FROM {part.name})" for part in parts if part.guarded) or "0"
    return "WITH " + ",\n".join(ctes) + f"\nSELECT refuse_stale({written}, ${first})"


def prepared(work: Sequence[tuple[Part, Rows]]) -> tuple[str, list[Any]]:
    """Give the statement of some work, and its arguments: values or arrays, then how many guarded rows there are."""
    is_single = all(len(rows) == 1 for _, rows in work)
    columns = chain.from_iterable(rows[0] if is_single else zip(*rows, strict=True) for _, rows in work)
    guarded = sum(len(rows) for part, rows in work if part.guarded)
    return writing_statement(tuple(part for part, _ in work), is_single=is_single), [*columns, guarded]
