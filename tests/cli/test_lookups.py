"""Customers, accounts and bills as an operator looks them up."""

import os
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, Final

import pytest

from owed.api import accounts, bills, customers
from owed.api.lists import Listing
from owed.cli.finding import options
from tests.cli.programs import json_of, owed, owed_here
from tests.contract.client import Client, Json
from tests.contract.samples import ACCOUNTS, BILLS, CUSTOMERS
from tests.contract.service import Merchant, Service

HOSTILE: Final = "[red]\x1b[2J\nJohn :smile:"


@pytest.fixture(scope="module")
def merchant(service: Service) -> Merchant:
    """A merchant with a customer of every sort, and bills in every state."""
    merchant = service.merchant("Looked up")
    client = service.client(merchant.keys["sk_test"])
    john = {"external_reference": "JOHN", "name": "John Doe", "email": "john@example.com", "phone": "+27123456789"}
    made(client, CUSTOMERS, **john, currency="ZAR", balance=-150_050)
    made(client, CUSTOMERS, external_reference="THANDI", name=HOSTILE)
    made(client, ACCOUNTS, external_reference="WATER", customer="JOHN", name="Water", currency="KWD", balance=1_234_567)
    bill(client, "LATE", customer="JOHN", due_date="2001-01-31", amount_due=125_000, metadata={"plan": "gold"})
    bill(client, "LATER", customer="THANDI", due_date="2999-12-31", currency="JPY")
    bill(client, "WATER-1", account="WATER", due_date="2001-02-28")
    bill(client, "PAID", customer="THANDI", due_date="2001-01-01")
    bill(client, "VOID", customer="THANDI", due_date="2001-01-01")
    assert client.patch(f"{BILLS}/PAID", {"amount_paid": 1000}).status == 200
    words = {"Owed_Actor": "Naledi", "Owed_Reason": "Billed twice"}
    assert client.post(f"{BILLS}/VOID/void", {}, **words).status == 200
    return merchant


@pytest.fixture(scope="module")
def client(service: Service, merchant: Merchant) -> Client:
    return service.client(merchant.keys["sk_test"])


@pytest.fixture(scope="module")
def look(service: Service, merchant: Merchant) -> Callable[..., CompletedProcess[str]]:
    """Run a command on the merchant's test data."""

    def run(*arguments: str) -> CompletedProcess[str]:
        return owed_here(service.data_dir, *arguments, "--merchant", merchant.id, "--mode", "test")

    return run


@pytest.fixture(scope="module")
def look_json(look: Callable[..., CompletedProcess[str]]) -> Callable[..., Any]:
    """Run a command on the merchant's test data, and give its JSON."""

    def run(*arguments: str) -> Any:
        return json_of(look(*arguments, "--json"))

    return run


def made(client: Client, path: str, **members: Any) -> None:
    answer = client.post(path, members)
    assert answer.status == 201, answer.body


def bill(client: Client, reference: str, **members: Any) -> None:
    made(client, BILLS, **{"external_reference": reference, "currency": "ZAR", "amount_due": 1000} | members)


def references(found: list[Json]) -> list[str]:
    return [each["external_reference"] for each in found]


@pytest.mark.parametrize(("noun", "path"), [("customers", CUSTOMERS), ("accounts", ACCOUNTS), ("bills", BILLS)])
def test_a_list_is_the_one_of_the_api(
    noun: str, path: str, client: Client, look_json: Callable[..., list[Json]]
) -> None:
    assert look_json(noun, "list") == client.get(path).json()["data"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["customers", "list", "--q", "john doe"], ["JOHN"]),
        (["customers", "list", "--email", "john@example.com", "--phone", "+27123456789"], ["JOHN"]),
        (["accounts", "list", "--customer", "JOHN", "--q", "water"], ["WATER"]),
        (["bills", "list", "--status", "paid"], ["PAID"]),
        (["bills", "list", "--customer", "JOHN"], ["WATER-1", "LATE"]),
        (["bills", "list", "--account", "WATER"], ["WATER-1"]),
        (["bills", "list", "--overdue"], ["WATER-1", "LATE"]),
        (["bills", "list", "--due-before", "2001-01-31"], ["VOID", "PAID"]),
        (["bills", "list", "--due-after", "2001-01-31", "--due-before", "2001-03-01"], ["WATER-1"]),
        (["bills", "list", "--metadata", "plan=gold", "--currency", "ZAR"], ["LATE"]),
        (["bills", "list", "--metadata", "plan=gold", "--metadata", "plan=lead"], []),
        (["bills", "list", "--created-before", "2001-01-01T00:00:00Z"], []),
    ],
)
def test_filters_find_what_those_of_the_api_find(
    arguments: list[str], expected: list[str], look_json: Callable[..., list[Json]]
) -> None:
    assert references(look_json(*arguments)) == expected


@pytest.mark.parametrize("listing", [customers.LIST, accounts.LIST, bills.LIST], ids=lambda listing: listing.kind)
def test_every_filter_of_the_api_is_an_option(listing: Listing) -> None:
    filters = {name.removesuffix("[key]") for name in listing.filters.names} - {"limit", "cursor"}

    assert {option.name for option in options(listing.filters)} == filters


def test_a_shorter_list_says_that_there_is_more(look: Callable[..., CompletedProcess[str]]) -> None:
    some, all_of_them = look("bills", "list", "--json", "--limit", "2"), look("bills", "list", "--limit", "5")

    assert some.stdout.count('"id"') == 2
    assert some.stderr == "There are more than these 2: a larger --limit shows them.\n"
    assert all_of_them.stderr == ""


def test_a_long_list_is_longer_than_a_page_of_the_api(service: Service, merchant: Merchant) -> None:
    live = service.client(merchant.keys["sk"])
    names = [f"C{number}" for number in range(103)]
    for name in names:
        made(live, CUSTOMERS, external_reference=name)
    arguments = ["customers", "list", "--limit", "102", "--merchant", merchant.id, "--mode", "live"]

    assert references(json_of(owed_here(service.data_dir, *arguments, "--json"))) == names[:0:-1]


def test_people_get_a_table_of_dates_and_amounts(client: Client, look: Callable[..., CompletedProcess[str]]) -> None:
    table = look("bills", "list").stdout.splitlines()
    late = client.get(f"{BILLS}/LATE").json()
    shown = ["LATE", "unpaid", late["bill_date"], "2001-01-31", "1,250.00", "ZAR", "1,250.00", "ZAR", "JOHN"]
    voided = next(line for line in table if "VOID " in line)

    assert len(table) == 6
    assert table[0].endswith("customer  account ")
    assert table[-1].split() == shown
    assert table[-3].split()[-2:] == ["JOHN", "WATER"]
    assert ("10.00 ZAR" in voided, " 0.00 ZAR" in voided, any("1,000 JPY" in line for line in table)) == (True,) * 3


def test_a_balance_is_shown_in_the_decimals_of_its_currency(look: Callable[..., CompletedProcess[str]]) -> None:
    assert "-1,500.50 ZAR" in look("customers", "list").stdout
    assert "1,234.567 KWD  JOHN" in look("accounts", "list").stdout


@pytest.mark.parametrize("arguments", [["list"], ["show", "THANDI"]])
def test_a_name_from_outside_is_no_markup_and_tells_the_terminal_nothing(
    arguments: list[str], look: Callable[..., CompletedProcess[str]]
) -> None:
    assert r" [red]\x1b[2J\nJohn :smile: " in look("customers", *arguments).stdout


def test_an_empty_list_says_whose_mode_was_looked_in(look: Callable[..., CompletedProcess[str]]) -> None:
    done = look("accounts", "list", "--customer", "THANDI")

    assert (done.returncode, done.stdout) == (0, "No account found in test mode.\n")


@pytest.mark.parametrize(
    ("noun", "path"),
    [("customers", f"{CUSTOMERS}/JOHN"), ("accounts", f"{ACCOUNTS}/WATER"), ("bills", f"{BILLS}/WATER-1")],
)
def test_an_object_is_shown_whole_by_id_and_by_reference(
    noun: str, path: str, client: Client, look_json: Callable[..., Json]
) -> None:
    whole = client.get(path).json()
    shown = look_json(noun, "show", whole["external_reference"])

    assert shown.items() >= whole.items()
    assert shown == look_json(noun, "show", whole["id"])
    assert [event["type"] for event in shown["events"]] == [f"{noun[:-1]}.created"]


def test_a_voided_bill_is_shown_with_what_happened_and_who_did_it(look_json: Callable[..., Json]) -> None:
    shown = look_json("bills", "show", "VOID")

    assert (shown["status"], shown["amount_remaining"], shown["owed"], shown["version"]) == ("voided", 1000, 0, 2)
    assert [event["type"] for event in shown["events"]] == ["bill.voided", "bill.created"]
    assert [event["recorded_at"] for event in shown["events"]] == [shown["updated_at"], shown["created_at"]]
    (who,) = shown["attributions"]
    assert who.pop("key_id").startswith("key_")
    assert who == {
        "recorded_at": shown["updated_at"],
        "command": "bill.void",
        "actor": "Naledi",
        "reason": "Billed twice",
    }


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        (["customers", "show", "JOHN"], ["balance -1,500.50 ZAR", "owed 0.00 ZAR"]),
        (["customers", "show", "THANDI"], ["owed not tracked", "payment_rules.underpayment_allowed yes"]),
        (["accounts", "show", "WATER"], ["owed 1,234.567 KWD", "payment_rules.min_amount 0.001 KWD"]),
        (["bills", "show", "LATE"], ["owed 1,250.00 ZAR", "due_date 2001-01-31", "metadata.plan gold"]),
    ],
)
def test_people_get_a_line_for_each_member(
    arguments: list[str], lines: list[str], look: Callable[..., CompletedProcess[str]]
) -> None:
    shown = [" ".join(line.split()) for line in look(*arguments).stdout.splitlines()]

    assert [line for line in lines if line not in shown] == []


def test_people_see_what_happened_and_who_did_it(look: Callable[..., CompletedProcess[str]]) -> None:
    history = look("bills", "show", "VOID").stdout.partition("\nLatest events:\n")[2]
    events, _, who = history.partition("\nWho did it, where the client said so:\n")

    assert all(line.split()[2] == "UTC" for line in events.splitlines()[1:])
    assert [line.split()[-1] for line in events.splitlines()] == ["type", "bill.voided", "bill.created"]
    assert who.splitlines()[1].endswith("Naledi  Billed twice ")


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["customers", "show", "NOBODY"], 1, "there is no customer 'NOBODY' in test mode"),
        (["bills", "show", "two\nlines"], 1, r"there is no bill 'two\nlines' in test mode"),
        (["bills", "show", os.fsdecode(b"\xff")], 1, r"there is no bill '\udcff' in test mode"),
        (["bills", "list", "--customer", "NOBODY"], 1, "there is no customer 'NOBODY' in test mode"),
        (["bills", "list", "--customer", ""], 2, "--customer: this must be"),
        (["bills", "list", "--status", "open"], 2, "--status: this must be"),
        (["bills", "list", "--due-before", "2026-02-30"], 2, "--due-before: this must be a date that exists"),
        (["bills", "list", "--metadata", "plan"], 2, "--metadata: this must be KEY=VALUE, such as plan=gold"),
        (["accounts", "list", "--q", "--"], 2, "--q: this must hold at least one word"),
        (["customers", "list", "--q", os.fsdecode(b"\xff")], 2, "--q: this must be text in UTF-8"),
    ],
)
def test_what_cannot_be_found_is_one_line(
    arguments: list[str], code: int, complaint: str, look: Callable[..., CompletedProcess[str]]
) -> None:
    done = look(*arguments)

    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1)
    assert done.stderr.startswith(f"owed: {complaint}")


def test_every_option_that_is_wrong_is_named(look: Callable[..., CompletedProcess[str]]) -> None:
    done = look("bills", "list", "--status", "open", "--due-after", "soon", "--created-before", "never")

    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert all(f"{option}: this must be" in done.stderr for option in ("--status", "--due-after", "--created-before"))


@pytest.mark.parametrize("mode", ["test", "live"])
def test_modes_and_merchants_never_meet(
    mode: str, service: Service, merchant: Merchant, other_merchant: Merchant
) -> None:
    whose = other_merchant if mode == "test" else merchant
    done = owed_here(service.data_dir, "customers", "show", "JOHN", "--merchant", whose.id, "--mode", mode)

    assert (done.returncode, done.stderr) == (1, f"owed: there is no customer 'JOHN' in {mode} mode\n")


def test_the_mode_must_be_said(service: Service, merchant: Merchant) -> None:
    done = owed_here(service.data_dir, "customers", "list", "--merchant", merchant.id)

    assert (done.returncode, "--mode" in done.stderr) == (2, True)


@pytest.mark.parametrize(("name", "shown"), [("mer_unknown", "mer_unknown"), (os.fsdecode(b"\xff"), r"'\udcff'")])
def test_a_merchant_that_does_not_exist_is_one_line(name: str, shown: str, service: Service) -> None:
    done = owed_here(service.data_dir, "bills", "list", "--merchant", name, "--mode", "test")

    assert (done.returncode, done.stderr) == (1, f"owed: there is no merchant {shown}\n")


def test_the_merchant_need_not_be_named_where_there_is_only_one(running_home: Path) -> None:
    look = ["customers", "list", "--mode", "live"]
    none = owed_here(running_home, *look)
    owed_here(running_home, "merchants", "create", "First")
    one = owed_here(running_home, *look)
    owed_here(running_home, "merchants", "create", "Second")
    two = owed_here(running_home, *look)

    assert (none.returncode, one.returncode, two.returncode) == (1, 0, 1)
    assert none.stderr == "owed: there is no merchant yet: `owed merchants create NAME` makes one\n"
    assert two.stderr.startswith("owed: there are several merchants: say whose with --merchant")


def test_what_a_process_prints_and_how_it_ends_is_the_same(service: Service, merchant: Merchant) -> None:
    commands = [
        ["bills", "show", "LATE"],
        ["bills", "show", os.fsdecode(b"\xff")],
        ["bills", "list", "--status", "open"],
    ]
    for command in commands:
        whole = [*command, "--merchant", merchant.id, "--mode", "test"]
        there, here = owed(service.data_dir, *whole), owed_here(service.data_dir, *whole)

        assert (there.returncode, there.stdout, there.stderr) == (here.returncode, here.stdout, here.stderr)
