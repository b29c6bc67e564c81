"""`owed audit`: who did what, as an operator looks it up."""

from collections.abc import Callable
from subprocess import CompletedProcess
from typing import Any

import pytest

from tests.cli.programs import json_of, owed_here
from tests.contract.client import Client
from tests.contract.samples import CUSTOMERS
from tests.contract.service import Merchant, Service

HOSTILE = "[red]john\u202e"

Run = Callable[..., CompletedProcess[str]]


@pytest.fixture(scope="module")
def merchant(service: Service) -> Merchant:
    return service.merchant("Looked into")


@pytest.fixture(scope="module")
def client(service: Service, merchant: Merchant) -> Client:
    """A caller whose merchant has a customer that two people have corrected."""
    client = service.client(merchant.keys["sk_test"])
    assert client.post(CUSTOMERS, {"external_reference": "JOHN", "currency": "ZAR", "balance": 5}).status == 201
    for actor, balance in (("thandi", 7), (HOSTILE, 9)):
        sent = actor.encode().decode("latin-1")  # as a header has UTF-8
        assert client.patch(f"{CUSTOMERS}/JOHN", {"balance": balance}, Owed_Actor=sent).status == 200
    return client


@pytest.fixture(scope="module")
def audit(service: Service, merchant: Merchant, client: Client) -> Run:
    """Run the command on the merchant's test data, or in another mode."""
    assert client.key

    def run(*arguments: str, mode: str = "test") -> CompletedProcess[str]:
        return owed_here(service.data_dir, "audit", *arguments, "--merchant", merchant.id, "--mode", mode)

    return run


def records(audit: Run, *arguments: str, **more: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json_of(audit(*arguments, "--json", **more))
    return found


def test_the_newest_comes_first_as_the_api_tells_it(audit: Run, client: Client) -> None:
    told = records(audit)

    assert told == client.get("/billing/audit?limit=100").json()["data"]
    assert [each["command"] for each in told] == [
        "customer.update", "customer.update", "key.create", "key.create", "merchant.create",
    ]  # fmt: skip


def test_each_mode_tells_of_what_concerns_it(audit: Run) -> None:
    assert [each["command"] for each in records(audit, mode="live")] == ["key.create", "key.create", "merchant.create"]


def test_the_filters_are_those_of_the_api(audit: Run) -> None:
    last, first, *_ = records(audit)

    assert records(audit, "--actor", "thandi") == [first]
    assert records(audit, "--object", last["object_id"], "--recorded-after", first["recorded_at"]) == [last]
    assert len(records(audit, "--key", "cli", "--command", "key.create")) == 2
    assert records(audit, "--key", last["key_id"], "--recorded-before", last["recorded_at"]) == [first]


def test_people_get_a_table_in_which_words_are_only_words(audit: Run) -> None:
    table = audit().stdout

    assert "[red]john\\u202e" in table
    assert "customer.update" in table


def test_a_limit_says_that_there_is_more(audit: Run) -> None:
    done = audit("--limit", "1")

    assert (done.returncode, "There are more than these 1" in done.stderr) == (0, True)


@pytest.mark.parametrize(
    ("option", "value"), [("--command", "everything"), ("--recorded-after", "yesterday"), ("--key", "a b")]
)
def test_an_option_that_is_wrong_is_named(audit: Run, option: str, value: str) -> None:
    done = audit(option, value)

    assert (done.returncode, done.stderr.count("\n"), option in done.stderr) == (2, 1, True)


def test_nothing_found_is_told(audit: Run) -> None:
    assert audit("--actor", "nobody").stdout == "Nothing found in test mode.\n"
