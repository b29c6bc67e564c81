"""6: GET /billing/exports/{entries|payments}: all of them as CSV."""

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlencode

import pytest

from tests.contract.client import Answer, Client, Json
from tests.contract.samples import (
    OPEN_RULES,
    REFUND,
    REVERSAL,
    a_bill,
    a_customer,
    a_payment,
    a_reference,
    an_account,
    as_it_stands,
    at,
    entries,
    iso,
    moment,
    refused,
)
from tests.contract.service import Merchant, Service

ENTRIES: Final = "/billing/exports/entries"
PAYMENTS: Final = "/billing/exports/payments"
BOTH: Final = pytest.mark.parametrize("path", [ENTRIES, PAYMENTS])


@pytest.fixture(scope="module")
def owner(service: Service) -> Merchant:
    """A merchant whose books are only those of this module."""
    return service.merchant("Exported")


@pytest.fixture(scope="module")
def caller(service: Service, owner: Merchant) -> Client:
    return service.client(owner.keys["sk_test"])


@pytest.fixture(scope="module", autouse=True)
def lived(caller: Client) -> list[Json]:
    """All that something is owed on, after a little of everything."""
    customer = a_customer(caller, currency="ZAR", balance=500, payment_rules=OPEN_RULES)
    account = an_account(caller, customer=customer["id"], currency="ZAR", balance=-50, payment_rules=OPEN_RULES)
    bill = a_bill(caller, account=account["id"])
    first = a_payment(caller, 300, bill=bill["id"], channel="eft", method="x", external_reference=a_reference())
    a_payment(caller, 20, customer=customer["id"], paid_at="2026-01-02T03:04:05Z", provider_reference="8812")
    a_payment(caller, 2000, bill=bill["id"], received=True)
    REFUND.make(caller, first, amount=10)
    REVERSAL.make(caller, first, amount=5)
    caller.patch(at(account), {"balance": 7}, Owed_Actor="@jane", Owed_Reason='=SUM("a", b)')
    return [customer, account, bill]


def exported(client: Client, path: str, **query: str) -> list[dict[str, str]]:
    """Return the rows of an export."""
    answer = client.get(f"{path}?{urlencode(query)}")
    assert (answer.status, answer.header("Content-Type")) == (200, "text/csv; charset=utf-8; header=present")
    return rows(answer)


def rows(answer: Answer) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.body.decode(), newline="")))


def time(text: str) -> str:
    """Write a time as an export does, always with six digits after the point."""
    return iso(moment(text))


def test_every_entry_is_exported_as_the_api_shows_it(caller: Client, lived: list[Json]) -> None:
    found = {row["id"]: row for row in exported(caller, ENTRIES)}
    told = [(thing["id"], entry) for thing in lived for entry in entries(caller, thing)]
    (left,) = [row for row in found.values() if row["obligation_id"].startswith("pay_")]
    assert (left["amount"], left["credit"], left["payment_id"]) == ("-1300", "unallocated", left["obligation_id"])
    assert len(found) == len(told) + 1
    for obligation, entry in told:
        row, times = found[entry["id"]], ("occurred_at", "recorded_at")
        words = {name: f"'{entry[name]}" for name in ("actor", "reason") if name in entry}
        expected = {name: str(value) for name, value in entry.items()} | {each: time(entry[each]) for each in times}
        shown = {name: value for name, value in row.items() if value and name not in OWN}
        assert shown == expected | words
        assert row["obligation_id"] == obligation


OWN: Final = {"obligation_id", "number", "debit", "credit", "key_id"}


def test_an_export_of_entries_has_all_that_the_trial_balance_adds_up(caller: Client) -> None:
    totals: dict[str, int] = {}
    for row in exported(caller, ENTRIES):
        amount = abs(int(row["amount"]))
        totals[row["debit"]] = totals.get(row["debit"], 0) + amount
        totals[row["credit"]] = totals.get(row["credit"], 0) - amount
    balance = caller.get("/billing/ledger/trial-balance").json()["data"]
    assert totals == {line["account"]: line["total"] for line in balance}


def test_every_payment_is_exported_as_the_api_shows_it(caller: Client) -> None:
    found = exported(caller, PAYMENTS)
    assert len(found) == len(caller.get("/billing/payments").json()["data"])
    for row in found:
        payment = as_it_stands(caller, row)
        times = {name: time(payment[name]) for name in ("paid_at", "created_at")}
        assert {name: value for name, value in row.items() if value} == {
            name: str(payment[name]) for name in row if name in payment
        } | times


@BOTH
def test_a_period_is_exported_from_its_beginning_to_just_before_its_end(caller: Client, path: str) -> None:
    column = "recorded_at" if path == ENTRIES else "created_at"
    every = exported(caller, path)
    times = sorted(moment(row[column]) for row in every)
    since, until = times[1], times[-1]
    within = exported(caller, path, **{"from": iso(since)}, to=iso(until))
    assert sorted(row["id"] for row in within) == sorted(
        row["id"] for row in every if since <= moment(row[column]) < until
    )
    day = datetime.now(UTC).date()
    assert len(exported(caller, path, **{"from": str(day - timedelta(days=1))}, to=str(day))) == len(every)
    assert exported(caller, path, **{"from": str(day + timedelta(days=1))}, to=str(day + timedelta(days=1))) == []


@pytest.mark.parametrize("words", ['=1+"1"', "+1,2", "-1\r\n2", "@a", "\t1", "\r1", "\n=1", '"', "a\nb", "é,\u2028"])
def test_no_text_in_an_export_is_a_formula_or_a_line_of_its_own(caller: Client, words: str) -> None:
    reference = f"-{a_reference()}"
    bill = a_bill(caller)["id"]
    a_payment(caller, 1, bill=bill, external_reference=reference, provider_reference=words, channel="guarded")
    (row,) = [row for row in exported(caller, PAYMENTS) if row["external_reference"] == f"'{reference}"]
    assert row["provider_reference"] == (f"'{words}" if words[0] in "=+-@\t\r\n" else words)
    assert row["channel"] == "guarded"


@BOTH
def test_an_export_is_of_one_mode_and_needs_its_secret_key(
    service: Service, owner: Merchant, caller: Client, other: Client, path: str
) -> None:
    assert exported(service.client(owner.keys["sk"]), path) == []
    ours = {row["id"] for row in exported(caller, path)}
    assert ours.isdisjoint(row["id"] for row in exported(other, path))
    assert service.client(owner.keys["pk_test"]).get(path).status == 403
    assert service.client().get(path).status == 401
    refused(caller.get(f"{path}?from=x&format=json"), 400, "query: from", "query: format")
    assert caller.get(path, Accept="application/json").media_type() == "text/csv"
