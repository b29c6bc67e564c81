"""A service that delivers as impatiently as a test wants, and a merchant for each story."""

from collections.abc import Iterator
from typing import Final

import pytest

from tests.contract.service import Merchant, Service, data_directory
from tests.webhooks.scenarios.merchant import Shop

IMPATIENT: Final = {
    "OWED_DELIVERIES": "true",
    "OWED_WEBHOOK_RETRIES": "0.1,0.1,0.1,0.2",
    "OWED_WEBHOOK_TIMEOUT": "2",
    "OWED_WEBHOOK_ORDER_SECONDS": "60",
}
"""Five attempts within a second, each in order."""


@pytest.fixture(scope="session")
def impatient() -> Iterator[Service]:
    """One `owed serve` with its delivery worker inside, on a PostgreSQL of its own."""
    with data_directory() as place:
        running = Service.start(place, **IMPATIENT)
        yield running
        running.stop()


@pytest.fixture(scope="session")
def listening_merchant(impatient: Service) -> Merchant:
    """A merchant of whose endpoints each story deletes its own."""
    return impatient.merchant("Acme Water")


@pytest.fixture
def shop(impatient: Service, listening_merchant: Merchant) -> Iterator[Shop]:
    """The merchant's program in test mode, for one story."""
    opened = Shop(impatient.client(listening_merchant.keys["sk_test"]))
    yield opened
    opened.close()
