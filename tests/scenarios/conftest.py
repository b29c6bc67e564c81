"""A merchant for each scenario, once with each habit."""

from collections.abc import Iterator
from itertools import count

import pytest

from tests.contract.client import Client
from tests.contract.service import Service
from tests.scenarios.biller import Biller, Habit


@pytest.fixture(scope="session")
def unused_keys(service: Service) -> Iterator[str]:
    """Secret keys of merchants who have nothing yet: each has two, since test and live never meet."""
    return (key for number in count(1) for key in secrets(service.merchant(f"Scenario {number}").keys))


@pytest.fixture(params=Habit, ids=str)
def biller(service: Service, unused_keys: Iterator[str], request: pytest.FixtureRequest) -> Biller:
    """A merchant who has nothing yet, so that the documentation's own references are free."""
    return Biller(service.client(next(unused_keys)), request.param)


@pytest.fixture
def newcomer(service: Service, unused_keys: Iterator[str]) -> Client:
    """A caller whose merchant has nothing yet."""
    return service.client(next(unused_keys))


def secrets(keys: dict[str, str]) -> tuple[str, str]:
    """Return a merchant's secret keys, test and live."""
    return keys["sk_test"], keys["sk"]
