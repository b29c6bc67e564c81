"""What PostgreSQL's errors mean to the engine, by their SQLSTATE (docs/architecture.md, "The hard cases")."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from owed.engine.store import Blocked, Conflict, Rejected, Unavailable

LOST = (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)
"""The connection is gone, or never was."""

CONFLICTS = {"40001", "40P01", "23505"}  # stale, deadlock, a key that is taken
LOCKED = "55P03"
CLOSED = "55000"  # the database takes no connections
OUT_OF_REACH = {"08", "28", "3D", "53", "57"}  # connection, log-in, no such database, resources, operator
BAD_VALUES = {"22", "23", "54"}  # data, constraint, too long for an index

errors_seen: Counter[str] = Counter()
"""How often each SQLSTATE was seen by this process; `lost` where there was no connection to tell one."""


def meaning(error: asyncpg.PostgresError) -> Exception:
    """Give the engine's exception for an error of PostgreSQL; the error itself, where it is a bug of ours."""
    state = error.sqlstate or ""
    if state in CONFLICTS:
        return Conflict(str(error))
    if state == LOCKED:
        return Blocked(str(error))
    if state == CLOSED or state[:2] in OUT_OF_REACH:
        return Unavailable(str(error))
    return Rejected(str(error)) if state[:2] in BAD_VALUES else error


@contextmanager
def translated() -> Iterator[None]:
    """Raise what an error of the database means to the engine."""
    try:
        yield
    except asyncpg.PostgresError as error:
        errors_seen[error.sqlstate or "unknown"] += 1
        raise meaning(error) from error
    except LOST as error:
        errors_seen["lost"] += 1
        raise Unavailable(str(error)) from error
