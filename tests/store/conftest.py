import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import asyncpg
import pytest

from owed.database import embedded
from owed.database.migrations import migrate
from owed.database.pool import SESSION
from owed.engine.store import Store
from owed.store.failures import errors_seen
from owed.store.memory import MemoryStore
from owed.store.postgres import PostgresStore
from tests.database.places import connected, short_directory, value
from tests.store.saving import Open
from tests.store.workers import pooled

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


@pytest.fixture
def patient_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for locks so long that PostgreSQL finds a deadlock first, after a second."""
    monkeypatch.setitem(SESSION, "lock_timeout", "20s")
    errors_seen.clear()


@pytest.fixture
def merchants_tenant(dsn: str, tenant: int) -> int:
    """A tenant of the test's own that is one of a merchant's: settings stand in its row."""

    async def insert(psql: "asyncpg.Connection[Any]") -> None:
        await psql.execute("INSERT INTO merchant (id, name) VALUES ($1, 'Acme')", f"mer_{tenant}")
        await psql.execute(
            "INSERT INTO tenant (id, merchant_id, mode) OVERRIDING SYSTEM VALUE VALUES ($1, $2, 'test')",
            tenant,
            f"mer_{tenant}",
        )

    connected(dsn, insert)
    return tenant


@pytest.fixture(params=["memory", "postgresql"])
def opened(request: pytest.FixtureRequest, dsn: str) -> Open:
    """Open a store of either kind."""

    @asynccontextmanager
    async def open_store() -> AsyncIterator[Store]:
        if request.param == "memory":
            yield MemoryStore()
            return
        async with pooled(dsn) as pool:
            yield PostgresStore(pool, dsn)

    return open_store


def database(dsn: str, name: str) -> str:
    """Give the address of another database of the same server."""
    return dsn.replace("/postgres?", f"/{name}?")
