from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from owed.database import embedded
from tests.database.places import short_directory, value

numbers = count()


@pytest.fixture
def home() -> Iterator[Path]:
    """Where a server may keep its data; it is not there yet."""
    with short_directory() as directory:
        yield directory / "data"


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """A PostgreSQL for all tests that only need some database."""
    with short_directory() as directory, embedded.running(directory) as dsn:
        yield dsn


@pytest.fixture
def empty_database(server: str) -> str:
    """A database of the test's own, with nothing in it."""
    name = f"test_{next(numbers)}"
    value(server, f"CREATE DATABASE {name}")
    return server.replace("/postgres?", f"/{name}?")
