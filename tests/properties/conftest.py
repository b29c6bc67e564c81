from collections.abc import Iterator

import pytest

from owed.database import embedded
from owed.database.migrations import migrate
from tests.database.places import connected, short_directory


@pytest.fixture(scope="session")
def dsn() -> Iterator[str]:
    """A migrated database on a PostgreSQL of its own."""
    with short_directory() as directory, embedded.running(directory) as dsn:
        connected(dsn, migrate)
        yield dsn
