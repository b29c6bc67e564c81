from collections.abc import Iterator

import pytest

from tests.failure.stand import Stand, standing


@pytest.fixture(scope="module")
def stand() -> Iterator[Stand]:
    """A service with two workers, which one module hurts and the next never sees."""
    with standing() as service:
        yield service
