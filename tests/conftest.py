"""One real service for the whole session, callers with every kind of key, and its database."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import hypothesis
import pytest

from tests.contract.client import Client
from tests.contract.service import Database, Merchant, Service, data_directory, dsn_of

# What a property promises does not depend on how busy the machine is.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")


@pytest.fixture(scope="session")
def service() -> Iterator[Service]:
    """One `owed serve`, with one worker, on a PostgreSQL of its own."""
    with data_directory() as place:
        running = Service.start(place)
        yield running
        running.stop()


@pytest.fixture(scope="session")
def serve(service: Service) -> Iterator[Callable[..., Service]]:
    """Start a further service on the same data with other settings: `serve(OWED_WORKERS="2")`."""
    with ExitStack() as running:

        def start(**settings: str) -> Service:
            another = Service.start(service.data_dir, **settings)
            running.callback(another.stop)
            return another

        yield start


@pytest.fixture
def serve_alone() -> Iterator[Callable[..., Service]]:
    """Start a service on fresh data, with a PostgreSQL that a test may break; it ends with the test."""
    with ExitStack() as running:

        def start(**settings: str) -> Service:
            place: Path = running.enter_context(data_directory())
            alone = Service.start(place, **settings)
            running.callback(alone.stop)
            return alone

        yield start


@pytest.fixture(scope="session")
def two_workers(serve: Callable[..., Service]) -> Service:
    """The same data behind two workers."""
    return serve(OWED_WORKERS="2")


@pytest.fixture(scope="session")
def merchant(service: Service) -> Merchant:
    return service.merchant("Acme Water")


@pytest.fixture(scope="session")
def other_merchant(service: Service) -> Merchant:
    return service.merchant("Other Gas & Light")


@pytest.fixture(scope="module")
def fresh_merchant(service: Service) -> Merchant:
    """A merchant whose customers are only those of one test module."""
    return service.merchant("Fresh")


@pytest.fixture(scope="session")
def client(service: Service, merchant: Merchant) -> Client:
    """A caller with the merchant's test secret key: what most tests want."""
    return service.client(merchant.keys["sk_test"])


@pytest.fixture(scope="session")
def live(service: Service, merchant: Merchant) -> Client:
    """The same merchant in live mode."""
    return service.client(merchant.keys["sk"])


@pytest.fixture(scope="session")
def public(service: Service, merchant: Merchant) -> Client:
    """A caller with the merchant's test public key."""
    return service.client(merchant.keys["pk_test"])


@pytest.fixture(scope="session")
def public_live(service: Service, merchant: Merchant) -> Client:
    """A caller with the merchant's live public key."""
    return service.client(merchant.keys["pk"])


@pytest.fixture(scope="session")
def other(service: Service, other_merchant: Merchant) -> Client:
    """Another merchant, in test mode."""
    return service.client(other_merchant.keys["sk_test"])


@pytest.fixture(scope="session")
def anonymous(service: Service) -> Client:
    """A caller without a key."""
    return service.client()


@pytest.fixture(scope="session")
def database(service: Service) -> Iterator[Database]:
    """The service's database, for what cannot be seen over HTTP."""
    connected = Database(dsn_of(service))
    yield connected
    connected.close()


def pytest_make_parametrize_id(val: object) -> str | None:
    """Keep a test's name short where a value of its table is long."""
    return f"{val[:20]}... ({len(val)})" if isinstance(val, str) and len(val) > 80 else None
