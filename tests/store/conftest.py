import asyncio
import inspect
from collections.abc import Iterator
from itertools import count

import pytest

from owed.database import embedded
from owed.database.migrations import migrate
from tests.database.places import connected, short_directory, value

LONGEST = 60.0
"""Seconds that a test may take: one that waits for ever has failed."""

TEMPLATE = "owed_template"

databases, tenants = count(1), count(1)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine in an event loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    given = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters}

    async def run() -> None:
        async with asyncio.timeout(LONGEST):
            await pyfuncitem.obj(**given)

    asyncio.run(run())
    return True


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """A PostgreSQL with a migrated database to copy."""
    with short_directory() as directory, embedded.running(directory) as dsn:
        value(dsn, f"CREATE DATABASE {TEMPLATE}")
        connected(database(dsn, TEMPLATE), migrate)
        yield dsn


@pytest.fixture(scope="module")
def dsn(server: str) -> str:
    """A database of the module's own, migrated and empty."""
    name = f"owed_{next(databases)}"
    value(server, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    return database(server, name)


@pytest.fixture
def tenant() -> int:
    """A tenant of the test's own. Billing data has no foreign key to it."""
    return next(tenants)


def database(dsn: str, name: str) -> str:
    """Give the address of another database of the same server."""
    return dsn.replace("/postgres?", f"/{name}?")
