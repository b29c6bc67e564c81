from collections.abc import Iterator
from pathlib import Path

import pytest

from owed.database import embedded
from tests.database.places import short_directory


@pytest.fixture
def home() -> Iterator[Path]:
    """A data directory that is not there yet."""
    with short_directory() as directory:
        yield directory / "data"


@pytest.fixture(scope="module")
def running_home() -> Iterator[Path]:
    """A data directory whose PostgreSQL runs, as it does beside `owed serve`."""
    with short_directory() as directory, embedded.running(directory):
        yield directory
