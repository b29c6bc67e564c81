"""Payments as an operator looks them up."""

from collections.abc import Callable
from subprocess import CompletedProcess
from typing import Any

import pytest

from owed.api import payments
from owed.cli.finding import options
from tests.cli.programs import json_of, owed_here
from tests.contract.client import Client, Json
from tests.contract.samples import BILLS, CUSTOMERS, PAYMENTS, REFUND, REVERSAL, a_key, a_payment
from tests.contract.service import Merchant, Service


@pytest.fixture(scope="module")
def merchant(service: Service) -> Merchant:
    """A merchant with a payment of two bills that was taken back in part, and one by the same reference elsewhere."""
    merchant = service.merchant("Paid")
    client = service.client(merchant.keys["sk_test"])
    client.post(CUSTOMERS, {"external_reference": "JOHN", "currency": "ZAR", "balance": 5000})
    for reference in ("ONE", "TWO"):
        money = {"currency": "ZAR", "amount_due": 1000}
        assert client.post(BILLS, {"external_reference": reference, "customer": "JOHN", **money}).status == 201
    two = [{"bill": "ONE", "amount": 1000}, {"bill": "TWO", "amount": 250}]
    both = a_payment(client, 1250, applications=two, external_reference="EFT-1", channel="bank", method="eft")
    a_payment(client, 10, customer="JOHN", external_reference="EFT-1", channel="till", paid_at="2001-02-03T04:05:06Z")
    REFUND.make(client, both, amount=50, reason="too much", external_reference="REF-1")
    words = {"Owed_Actor": "Naledi", "Owed_Reason": "The bank says so", "Idempotency_Key": a_key()}
    body = {"reason": "chargeback", "amount": 300}
    assert client.post(REVERSAL.at(both), body, **words).status == 201
    return merchant


@pytest.fixture(scope="module")
def client(service: Service, merchant: Merchant) -> Client:
    return service.client(merchant.keys["sk_test"])


@pytest.fixture(scope="module")
def look(service: Service, merchant: Merchant) -> Callable[..., CompletedProcess[str]]:
    """Run a command on the merchant's test data."""

    def run(*arguments: str) -> CompletedProcess[str]:
        return owed_here(service.data_dir, "payments", *arguments, "--merchant", merchant.id, "--mode", "test")

    return run


@pytest.fixture(scope="module")
def look_json(look: Callable[..., CompletedProcess[str]]) -> Callable[..., Any]:
    """Run a command on the merchant's test data, and give its JSON."""

    def run(*arguments: str) -> Any:
        return json_of(look(*arguments, "--json"))

    return run


def test_a_list_is_the_one_of_the_api(client: Client, look_json: Callable[..., list[Json]]) -> None:
    assert look_json("list") == client.get(PAYMENTS).json()["data"]


@pytest.mark.parametrize(
    ("arguments", "channels"),
    [
        ([], ["till", "bank"]),
        (["--customer", "JOHN"], ["till", "bank"]),
        (["--bill", "TWO"], ["bank"]),
        (["--channel", "till"], ["till"]),
        (["--method", "eft", "--status", "partially_reversed"], ["bank"]),
        (["--status", "succeeded"], ["till"]),
        (["--paid-before", "2001-02-03T04:05:07Z"], ["till"]),
        (["--paid-after", "2001-02-03T04:05:06Z", "--external-reference", "EFT-1"], ["bank"]),
    ],
)
def test_filters_find_what_those_of_the_api_find(
    arguments: list[str], channels: list[str], look_json: Callable[..., list[Json]]
) -> None:
    assert [each["channel"] for each in look_json("list", *arguments)] == channels


def test_every_filter_of_the_api_is_an_option() -> None:
    filters = {name.removesuffix("[key]") for name in payments.LIST.filters.names} - {"limit", "cursor"}

    assert {option.name for option in options(payments.LIST.filters)} == filters


def test_people_get_a_table_of_what_was_paid(look: Callable[..., CompletedProcess[str]]) -> None:
    head, till, bank = (" ".join(line.split()) for line in look("list").stdout.splitlines())

    assert head == "payment channel status amount held paid at paid"
    assert till == "EFT-1 till succeeded 0.10 ZAR 0.10 ZAR 2001-02-03 04:05:06 UTC customer JOHN"
    assert bank.startswith("EFT-1 bank partially_reversed 12.50 ZAR 9.00 ZAR")
    assert bank.endswith("bill ONE and 1 more")


def test_a_shorter_list_says_that_there_is_more(look: Callable[..., CompletedProcess[str]]) -> None:
    assert look("list", "--limit", "1").stderr == "There are more than these 1: a larger --limit shows them.\n"


def test_a_payment_is_shown_with_all_that_was_taken_back_of_it_and_by_whom(
    client: Client, look_json: Callable[..., Json]
) -> None:
    whole = client.get(f"{PAYMENTS}/EFT-1?channel=bank").json()
    shown = look_json("show", "EFT-1", "--channel", "bank")
    (refund,), (reversal,) = shown["refunds"], shown["reversals"]
    (who,) = (each for each in shown["attributions"] if each["actor"])

    assert shown.items() >= whole.items()
    assert shown == look_json("show", whole["id"]) == look_json("show", whole["id"], "--channel", "till")
    assert (refund["external_reference"], reversal["reason"]) == ("REF-1", "chargeback")
    assert (who["command"], who["actor"], who["reason"]) == ("reversal.create", "Naledi", "The bank says so")


def test_the_newest_of_several_channels_is_shown_unless_one_is_named(look_json: Callable[..., Json]) -> None:
    assert [look_json("show", "EFT-1", *which)["channel"] for which in ([], ["--channel", "bank"])] == ["till", "bank"]


def test_people_see_what_a_payment_holds_and_where(look: Callable[..., CompletedProcess[str]]) -> None:
    shown = [" ".join(line.split()) for line in look("show", "EFT-1", "--channel", "bank").stdout.splitlines()]

    assert {"amount 12.50 ZAR", "amount_refunded 0.50 ZAR", "amount_reversed 3.00 ZAR", "What it paid:"} <= {*shown}
    assert [line.split(" ", 1)[1] for line in shown if line.startswith("ob_")] == [
        "bill ONE 10.00 ZAR 9.00 ZAR",
        "bill TWO 2.50 ZAR 0.00 ZAR",
    ]
    assert [line.split()[0] for line in shown if line.startswith(("refund ", "reversal "))] == ["refund", "reversal"]
    assert shown[-1].endswith("Naledi The bank says so")


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["show", "NOTHING"], 1, "there is no payment 'NOTHING' in test mode"),
        (["show", "EFT-1", "--channel", "web"], 1, "there is no payment 'EFT-1' in the channel 'web' in test mode"),
        (["list", "--bill", "NONE"], 1, "there is no bill 'NONE' in test mode"),
        (["list", "--status", "open"], 2, "--status: this must be"),
        (["list", "--paid-after", "soon"], 2, "--paid-after: this must be a time in UTC"),
    ],
)
def test_what_cannot_be_found_is_one_line(
    arguments: list[str], code: int, complaint: str, look: Callable[..., CompletedProcess[str]]
) -> None:
    done = look(*arguments)

    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1)
    assert done.stderr.startswith(f"owed: {complaint}")
