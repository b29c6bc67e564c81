"""Events as an operator looks them up, and has them sent again."""

from collections.abc import Callable
from subprocess import CompletedProcess
from typing import Any

import pytest

from tests.cli.programs import json_of, owed_here
from tests.contract.client import Client
from tests.contract.samples import BILLS, CUSTOMERS
from tests.contract.service import Merchant, Service

EVENTS = "/billing/events"
ENDPOINTS = "/billing/webhook_endpoints"

pytestmark = pytest.mark.usefixtures("bill")

Run = Callable[..., CompletedProcess[str]]


@pytest.fixture(scope="module")
def merchant(service: Service) -> Merchant:
    return service.merchant("Told")


@pytest.fixture(scope="module")
def client(service: Service, merchant: Merchant) -> Client:
    return service.client(merchant.keys["sk_test"])


@pytest.fixture(scope="module")
def bill(client: Client) -> str:
    """A bill of a customer, each changed once."""
    assert client.post(CUSTOMERS, {"external_reference": "JOHN"}).status == 201
    assert client.patch(f"{CUSTOMERS}/JOHN", {"name": "John"}).status == 200
    body = {"external_reference": "ONE", "customer": "JOHN", "currency": "ZAR", "amount_due": 1000}
    made: str = client.post(BILLS, body).json()["id"]
    assert client.patch(f"{BILLS}/ONE", {"due_date": "2030-01-31"}).status == 200
    return made


@pytest.fixture(scope="module")
def endpoint(client: Client) -> str:
    """An endpoint that takes what is told of bills, and to which nobody delivers."""
    made: str = client.post(
        ENDPOINTS, {"url": "http://127.0.0.1:9/", "events": ["bill.created", "bill.updated"]}
    ).json()["id"]
    return made


@pytest.fixture(scope="module")
def events(service: Service, merchant: Merchant) -> Run:
    """Run a command on the merchant's test data."""

    def run(*arguments: str) -> CompletedProcess[str]:
        return owed_here(service.data_dir, "events", *arguments, "--merchant", merchant.id, "--mode", "test")

    return run


def test_a_list_is_the_one_of_the_api(client: Client, events: Run) -> None:
    assert json_of(events("list", "--json")) == client.get(EVENTS).json()["data"]


def test_filters_find_what_those_of_the_api_find(client: Client, events: Run, bill: str) -> None:
    of_bill = client.get(f"{EVENTS}?object={bill}").json()["data"]
    created = client.get(f"{EVENTS}?type=customer.created").json()["data"]

    assert json_of(events("list", "--object", bill, "--json")) == of_bill
    assert json_of(events("list", "--type", "customer.created", "--json")) == created
    assert [len(of_bill), len(created)] == [2, 1]
    assert json_of(events("list", "--created-before", "2001-01-01T00:00:00Z", "--json")) == []


def test_a_table_says_when_there_is_more(events: Run, bill: str) -> None:
    done = events("list", "--limit", "1")

    assert done.stdout.split()[-1] == bill
    assert "bill.updated" in done.stdout
    assert done.stderr == "There are more than these 1: a larger --limit shows them.\n"


def test_an_event_is_shown_with_what_became_of_it(client: Client, events: Run, endpoint: str) -> None:
    told = client.get(f"{EVENTS}?type=bill.updated").json()["data"][0]
    asked = events("resend", told["id"], "--endpoint", endpoint)
    shown, sheet = json_of(events("show", told["id"], "--json")), events("show", told["id"]).stdout

    assert (asked.returncode, asked.stdout) == (0, f"{told['id']} is to be sent to {endpoint} again.\n")
    assert told.items() <= shown.items()
    assert (shown["sequence"], shown["attempts"]) == (2, [])
    assert told["id"] in sheet
    assert "Attempts to deliver it:\n none\n" in sheet


def test_an_event_is_sent_again_to_all_who_take_its_type(client: Client, events: Run, endpoint: str) -> None:
    bills = client.get(f"{EVENTS}?type=bill.created").json()["data"][0]["id"]
    customers = client.get(f"{EVENTS}?type=customer.created").json()["data"][0]["id"]
    taken, untaken = json_of(events("resend", bills, "--json")), events("resend", customers)

    assert [(each["endpoint_id"], each["event_id"]) for each in taken["data"]] == [(endpoint, bills)]
    assert (untaken.returncode, untaken.stderr) == (
        1,
        "owed: no endpoint that is enabled takes customer.created; enable one, or name the one that is to get it\n",
    )


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["show", "evt_none"], "owed: there is no event 'evt_none' in test mode\n"),
        (["resend", "evt_none"], "owed: there is no event 'evt_none' in test mode\n"),
        (["list", "--type", "bill.eaten"], "owed: --type: this must be obligation.amount_applied, "),
        (["list", "--object", "cus 1"], "owed: --object: this must be the id of a customer, an account or a bill"),
        (["list", "--created-after", "noon"], "owed: --created-after: this must be "),
    ],
)
def test_what_cannot_be_found_is_one_line(events: Run, arguments: list[str], complaint: str) -> None:
    done = events(*arguments)

    assert (done.returncode in {1, 2}, done.stderr.count("\n")) == (True, 1)
    assert done.stderr.startswith(complaint)


def test_an_endpoint_that_is_not_there_is_one_line(client: Client, events: Run) -> None:
    told: Any = client.get(EVENTS).json()["data"][0]["id"]

    assert events("resend", told, "--endpoint", "we_none").stderr == (
        "owed: there is no webhook endpoint 'we_none' in test mode\n"
    )
