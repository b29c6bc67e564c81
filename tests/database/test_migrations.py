import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from owed.database import migrations
from owed.database.migrations import SchemaError
from tests.database.places import connected, value

NEWEST = migrations.known()[-1].version
FROM_THE_FUTURE = f"INSERT INTO schema_migration (version, name) VALUES ({NEWEST + 1}, 'unheard of')"

Work = Callable[..., Awaitable[Any]]


def test_an_empty_database_gets_every_migration_and_a_second_run_does_nothing(empty_database: str) -> None:
    runs = [connected(empty_database, migrations.migrate) for _ in range(2)]

    assert runs == [[f"{each.version:04}_{each.name}" for each in migrations.known()], []]


def test_the_numbers_of_the_migrations_have_no_gap() -> None:
    assert [each.version for each in migrations.known()] == list(range(1, NEWEST + 1))


def test_programs_that_migrate_at_once_take_turns(empty_database: str) -> None:
    async def race() -> list[list[str]]:
        connections = [await asyncpg.connect(empty_database) for _ in range(4)]
        try:
            return await asyncio.gather(*map(migrations.migrate, connections))
        finally:
            for connection in connections:
                await connection.close()

    applied = asyncio.run(race())

    assert sorted(name for names in applied for name in names) == [
        f"{each.version:04}_{each.name}" for each in migrations.known()
    ]


@pytest.mark.parametrize("check", [migrations.migrate, migrations.require_current])
def test_the_schema_of_a_newer_program_is_refused(empty_database: str, check: Work) -> None:
    connected(empty_database, migrations.migrate)
    value(empty_database, FROM_THE_FUTURE)

    with pytest.raises(SchemaError, match=f"has schema {NEWEST + 1}, made by a newer Owed"):
        connected(empty_database, check)


def test_an_older_schema_is_refused_with_the_command_that_helps(empty_database: str) -> None:
    with pytest.raises(SchemaError, match="run `owed migrate`"):
        connected(empty_database, migrations.require_current)


def test_a_current_schema_is_accepted(empty_database: str) -> None:
    connected(empty_database, migrations.migrate)

    connected(empty_database, migrations.require_current)


def test_a_worker_is_ready_once_the_schema_has_what_it_needs_or_more(empty_database: str) -> None:
    answers = [connected(empty_database, migrations.is_current)]
    connected(empty_database, migrations.migrate)
    answers.append(connected(empty_database, migrations.is_current))
    value(empty_database, FROM_THE_FUTURE)
    answers.append(connected(empty_database, migrations.is_current))

    assert answers == [False, True, True]


def test_all_workers_find_one_secret_for_their_cursors(empty_database: str) -> None:
    connected(empty_database, migrations.migrate)
    first = value(empty_database, "SELECT value FROM secret WHERE name = 'cursor'")
    connected(empty_database, migrations.migrate)

    assert (len(first), value(empty_database, "SELECT value FROM secret WHERE name = 'cursor'")) == (32, first)
