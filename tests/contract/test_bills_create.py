"""4: POST /billing/bills, and every row of the table of members."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import pytest

from tests.contract.client import Client, Json
from tests.contract.samples import (
    BILLS,
    RULES,
    a_bill,
    a_customer,
    a_reference,
    a_request,
    an_account,
    at,
    create_bill,
    events,
    refused,
    transfers,
)
from tests.contract.service import Database, Merchant, Service

MOST: Final = 99_999_999
EVERYTHING = """SELECT (SELECT count(*) FROM customer), (SELECT count(*) FROM account), (SELECT count(*) FROM bill),
                       (SELECT count(*) FROM event), (SELECT count(*) FROM transfer),
                       (SELECT count(*) FROM attribution), (SELECT count(*) FROM search_term)"""


def default_rules(amount_due: int) -> Json:
    return {"min_amount": 1, "max_amount": amount_due, "underpayment_allowed": True, "overpayment_allowed": False}


def today(zone: str = "UTC") -> str:
    return datetime.now(ZoneInfo(zone)).date().isoformat()


def test_a_create_answers_201_with_the_bill_and_its_location(client: Client) -> None:
    """4: `POST /billing/bills` 201; `Location` header."""
    answer = create_bill(client)
    assert answer.status == 201
    assert answer.header("Location").endswith(at(answer.json()))
    got = client.get(at(answer.json()))
    assert (got.json(), got.etag) == (answer.json(), answer.etag)
    assert got.header("Last-Modified") == answer.header("Last-Modified")


def test_a_bill_of_the_least_members_shows_exactly_what_is_set(client: Client) -> None:
    """1.1, 4: exactly the members of the table; what is not set is absent."""
    customer, request = a_customer(client), a_request(currency="ZAR", amount_due=1000)
    days = [today()]
    bill = client.post(BILLS, request | {"customer": customer["id"]}).json()
    days.append(today())
    assert bill.pop("bill_date") in days
    assert bill.pop("id")
    assert bill == request | {
        "customer_id": customer["id"],
        "status": "unpaid",
        "amount_paid": 0,
        "amount_remaining": 1000,
        "payment_rules": default_rules(1000),
    }


def test_a_bill_of_all_members_shows_them(client: Client) -> None:
    """4: each row of the table, on an account."""
    account = an_account(client)
    request = a_request(
        currency="KES",
        amount_due=123_456,
        bill_date="2026-01-02",
        due_date="2026-02-28",
        payment_rules=RULES,
        metadata={"period": "2026-01", "meter": "17"},
    )
    bill = client.post(BILLS, request | {"account": account["id"]}).json()
    assert bill == request | {
        "id": bill["id"],
        "customer_id": account["customer_id"],
        "account_id": account["id"],
        "status": "unpaid",
        "amount_paid": 0,
        "amount_remaining": 123_456,
    }


def test_a_create_raises_one_event_that_shows_the_bill(client: Client, database: Database) -> None:
    """7: `bill.created`, whose `data` is the object as the API shows it."""
    bill = a_bill(client, due_date="2026-02-28")
    assert events(database, bill) == [("bill.created", bill)]


@pytest.mark.parametrize("amount_due", [1, 1000, MOST])
def test_a_bill_raised_is_one_transfer(client: Client, database: Database, amount_due: int) -> None:
    """6: every change to what is owed is one transfer: the receivable against what was billed."""
    bill = a_bill(client, amount_due=amount_due, currency="USD")
    raised = ("bill_raised", "receivable", "billed", amount_due, amount_due, "USD")
    assert transfers(database, bill) == [raised]


def test_a_bill_moves_no_balance(client: Client, database: Database) -> None:
    """4: bills and balances are separate obligations: raised, corrected or voided, a bill moves no balance."""
    customer = a_customer(client, currency="ZAR", balance=500)
    account = an_account(client, customer=customer["id"], currency="ZAR", balance=-70)
    before = [client.get(at(thing)) for thing in (customer, account)]
    for on in ({"customer": customer["id"]}, {"account": account["id"]}):
        bill = a_bill(client, **on)
        client.patch(at(bill), {"amount_paid": 1000})
        client.patch(at(bill), {"amount_paid": 0, "currency": "ZAR"})
        assert client.send("POST", f"{at(bill)}/void").status == 200
    after = [client.get(at(thing)) for thing in (customer, account)]
    assert [(answer.json(), answer.etag) for answer in after] == [(answer.json(), answer.etag) for answer in before]
    assert [len(transfers(database, thing)) for thing in (customer, account)] == [1, 1]
    assert [len(events(database, thing)) for thing in (customer, account)] == [1, 1]


def test_a_bills_currency_is_independent(client: Client) -> None:
    """4, row `currency`: independent of the account's or customer's currency."""
    account = an_account(client, currency="USD", balance=5)
    assert a_bill(client, account=account["id"], currency="ZAR")["currency"] == "ZAR"
    assert a_bill(client, customer=a_customer(client, currency="EUR", balance=5)["id"])["currency"] == "ZAR"
    assert client.get(at(account)).json() == account


# What leaves nothing behind


def test_a_refused_create_leaves_nothing(client: Client, database: Database) -> None:
    """1.5, 3: whatever the reason, nothing is kept of a bill that was refused, nor of what it held."""
    bill, customer = a_bill(client), a_customer(client)
    before = database.rows(EVERYTHING)
    taken = {"external_reference": bill["external_reference"]}
    new = {"account": a_request(customer=a_request())}
    assert create_bill(client, customer=customer["id"], amount_due=0).status == 400
    assert create_bill(client, customer=a_reference()).status == 404
    assert create_bill(client, account=a_reference()).status == 404
    assert create_bill(client, customer=customer["id"], **taken).status == 409
    assert create_bill(client, **new, **taken).status == 409
    assert create_bill(client, **new, bill_date="2025-02-30").status == 400
    assert database.rows(EVERYTHING) == before


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("id", "bill_H4jp6KnU5cPw263v1jyz4"),
        ("customer_id", "bcus_H4jp6KnU5cPw263v1jyz4"),
        ("account_id", "bacc_H4jp6KnU5cPw263v1jyz4"),
        ("status", "unpaid"),
        ("status", "paid"),
        ("amount_paid", 0),
        ("amount_paid", 500),
        ("amount_remaining", 1000),
    ],
)
def test_what_is_ours_to_give_cannot_be_chosen(client: Client, member: str, value: object) -> None:
    """4: no members of a create."""
    refused(create_bill(client, **{member: value}), 400, f"/{member}")


def test_in_json_a_null_counts_as_not_given(client: Client) -> None:
    """1.1: a client that sends every member that it does not set as `null` gets what one gets that leaves it out."""
    unset = [
        "id", "account", "customer_id", "account_id", "status", "amount_paid", "amount_remaining", "bill_date",
        "due_date", "payment_rules", "metadata",
    ]  # fmt: skip
    plain = a_bill(client)
    spelt = a_bill(client, **dict.fromkeys(unset), customer=plain["customer_id"])
    assert spelt | {"id": 0, "external_reference": 0} == plain | {"id": 0, "external_reference": 0}


@pytest.mark.parametrize("member", ["amount", "dueDate", "customerId", "description", "name", "balance", "created_at"])
def test_an_unknown_member_is_refused_by_name(client: Client, member: str) -> None:
    """1.1: a request member that we do not know is refused by name."""
    refused(create_bill(client, **{member: None}), 400, f"/{member}")
    refused(create_bill(client, **{member: "x"}), 400, f"/{member}")


@pytest.mark.parametrize("member", ["external_reference", "currency", "amount_due"])
def test_a_member_is_required(client: Client, member: str) -> None:
    """4: `external_reference`, `currency` and `amount_due` are required."""
    request = a_request(customer=a_customer(client)["id"], currency="ZAR", amount_due=1000)
    refused(client.post(BILLS, request | {member: None}), 400, f"/{member}")
    del request[member]
    refused(client.post(BILLS, request), 400, f"/{member}")


def test_every_fault_is_named_at_once(client: Client) -> None:
    """1.5: every fault found, not only the first."""
    refused(client.post(BILLS, {}), 400, "/external_reference", "/customer", "/currency", "/amount_due")
    answer = create_bill(
        client, currency="ZZZ", amount_due=0, bill_date="2025-02-30", due_date="x", status="paid", wrong=1,
        customer="a b", payment_rules=RULES | {"min_amount": 0}, metadata={"a": 1}, external_reference="bcus_x",
    )  # fmt: skip
    named = ["currency", "amount_due", "bill_date", "due_date", "status", "wrong", "customer", "external_reference"]
    inner = ["/metadata/a", "/payment_rules/min_amount"]
    refused(answer, 400, *(f"/{name}" for name in named), *inner)


@pytest.mark.parametrize("body", [b"{", b"", b"[]", b"null", b'"bill"', b'{"currency": "ZAR"'])
def test_of_a_body_that_is_no_object_nothing_else_is_said(client: Client, body: bytes) -> None:
    """1.5: every fault found: what a body lacks that cannot be read, nobody has found."""
    refused(client.post(BILLS, body), 400, "")


# amount_due


@pytest.mark.parametrize("amount_due", [1, 2, 1000, 99_999_998, MOST])
def test_an_amount_due_may_be(client: Client, amount_due: int) -> None:
    """4, row `amount_due`: an integer 1 to 99,999,999; all of it remains."""
    bill = a_bill(client, amount_due=amount_due)
    assert (bill["amount_due"], bill["amount_paid"], bill["amount_remaining"]) == (amount_due, 0, amount_due)
    assert client.get(at(bill)).json() == bill


@pytest.mark.parametrize(
    "text",
    [
        "0", "-0", "-1", "100000000", "-99999999", "9223372036854775808", "1" + "0" * 40, "9" * 400, "1000.0", "1000.5",
        "0.1", "1e3", "1E3", '"1000"', '""', "true", "false", "[]", "{}", "[1000]",
    ],
)  # fmt: skip
def test_an_amount_due_may_not_be(client: Client, text: str) -> None:
    """4, 1.1: 1 to 99,999,999, an integer, never a float, a string or a boolean."""
    request = a_request(customer=a_customer(client)["id"], currency="ZAR")
    refused(client.post(BILLS, f'{json.dumps(request)[:-1]}, "amount_due": {text}}}'.encode()), 400, "/amount_due")


# currency


@pytest.mark.parametrize("currency", ["ZAR", "USD", "JPY", "KWD"])
def test_a_currency_may_be(client: Client, currency: str) -> None:
    assert a_bill(client, currency=currency)["currency"] == currency


@pytest.mark.parametrize(
    "currency",
    ["", "zar", "ZA", "ZARR", "ZAR\n", " ZAR", "ZZZ", "DEM", "710", "\uff3a\uff21\uff32", 710, 1.5, True, [], {}],
)
def test_a_currency_may_not_be(client: Client, currency: object) -> None:
    """1.1: upper case; checked against the active list when a value is first given."""
    refused(create_bill(client, currency=currency), 400, "/currency")


# Dates


@pytest.mark.parametrize("member", ["bill_date", "due_date"])
@pytest.mark.parametrize(
    "date", ["2025-01-31", "2024-02-29", "2000-02-29", "1999-12-31", "0001-01-01", "9999-12-31", "2025-10-05"]
)
def test_a_date_may_be(client: Client, member: str, date: str) -> None:
    """1.1: dates are `YYYY-MM-DD`: any day that there is."""
    bill = a_bill(client, **{member: date})
    assert bill[member] == date
    assert client.get(at(bill)).json() == bill


@pytest.mark.parametrize("member", ["bill_date", "due_date"])
@pytest.mark.parametrize(
    "date",
    [
        "", "2025-02-30", "2023-02-29", "1900-02-29", "2025-04-31", "2025-00-10", "2025-13-01", "2025-01-00",
        "2025-01-32", "25-01-01", "2025-1-1", "2025-1-01", "20250101", "2025-W01-1", "2025-001", "2025/01/01",
        "01-01-2025", "2025-01-01T00:00:00Z", "2025-01-01T00:00:00", "2025-01-01Z", "2025-01-01 ", " 2025-01-01",
        "2025-01-01\n", "0000-01-01", "10000-01-01", "-2025-01-01", "+2025-01-01", "2025-01", "today", "infinity",
        "-infinity", "epoch", "\uff12\uff10\uff12\uff15-01-01", "2025-01-0\u0661", "2025\u201101\u201101", 20250101,
        1.5, True, [], {}, ["2025-01-01"],
    ],
)  # fmt: skip
def test_a_date_may_not_be(client: Client, member: str, date: object) -> None:
    """1.1: no day that there is not, no other spelling, no timestamp."""
    refused(create_bill(client, **{member: date}), 400, f"/{member}")


def test_a_bill_may_be_due_before_its_own_date(client: Client) -> None:
    """4: the two dates are independent: a bill may be entered late."""
    assert a_bill(client, bill_date="2026-05-01", due_date="2026-04-01")["due_date"] == "2026-04-01"


ZONES: Final = {"sk_test": "Pacific/Kiritimati", "sk": "Pacific/Niue"}
"""Two zones that never have the same date."""


@pytest.mark.parametrize(("kind", "zone"), ZONES.items())
def test_the_bill_date_is_today_where_the_merchant_is(
    service: Service, fresh_merchant: Merchant, kind: str, zone: str
) -> None:
    """4, row `bill_date`: defaults to today, in the merchant's time zone."""
    caller = service.client(fresh_merchant.keys[kind])
    assert caller.patch("/billing/settings", {"time_zone": zone}).status == 200
    days = [today(zone)]
    bills = [a_bill(caller), a_bill(caller, bill_date=None), a_bill(caller, account=a_request(customer=a_request()))]
    days.append(today(zone))
    assert {bill["bill_date"] for bill in bills} <= set(days)
    assert a_bill(caller, bill_date="2020-01-01")["bill_date"] == "2020-01-01"


# On whom it is


@pytest.mark.parametrize("name", ["id", "external_reference"])
def test_a_bill_is_on_a_customer_by_either_name(client: Client, name: str) -> None:
    """4, 1.3: `customer` takes an id or an external reference."""
    customer = a_customer(client)
    bill = a_bill(client, customer=customer[name])
    assert (bill["customer_id"], "account_id" in bill, "customer" in bill) == (customer["id"], False, False)


@pytest.mark.parametrize("name", ["id", "external_reference"])
def test_a_bill_is_on_an_account_by_either_name(client: Client, name: str) -> None:
    """4: `customer_id` is always present: that of the account."""
    account = an_account(client)
    bill = a_bill(client, account=account[name])
    assert (bill["customer_id"], bill["account_id"]) == (account["customer_id"], account["id"])
    assert "account" not in bill


def test_a_customer_and_an_account_of_the_same_reference_are_two(client: Client) -> None:
    """1.3: a reference is unique per kind of object."""
    reference = a_reference()
    customer = a_customer(client, external_reference=reference)
    account = an_account(client, external_reference=reference)
    assert a_bill(client, external_reference=reference, customer=reference)["customer_id"] == customer["id"]
    assert a_bill(client, account=reference)["account_id"] == account["id"]


@pytest.mark.parametrize("nothing", [{}, {"customer": None}, {"customer": None, "account": None}])
def test_a_bill_is_on_something(client: Client, nothing: Json) -> None:
    """4: one of `customer` and `account`."""
    refused(client.post(BILLS, a_request(currency="ZAR", amount_due=1000, **nothing)), 400, "/customer")


def test_a_bill_is_not_on_two_things(client: Client) -> None:
    """4: both at the top level only as `customer` plus a new `account` that names no customer."""
    account = an_account(client)
    for customer in (account["customer_id"], a_customer(client)["id"], a_request()):
        refused(create_bill(client, customer=customer, account=account["id"]), 400, "/customer")
    both = create_bill(client, customer=account["customer_id"], account=a_request(customer=account["customer_id"]))
    refused(both, 400, "/account/customer")


@pytest.mark.parametrize("member", ["customer", "account"])
@pytest.mark.parametrize("value", ["", " ", "a b", "a.b", "a\n", "é", "a/b", "x" * 256, 5, 1.5, True, [], ["a"]])
def test_a_malformed_name_is_400(client: Client, member: str, value: object) -> None:
    """1.3: what names an object is an id or a reference, and nothing else is."""
    refused(create_bill(client, **{member: value}), 400, f"/{member}")


@pytest.mark.parametrize("member", ["customer", "account"])
@pytest.mark.parametrize(
    "value", ["nobody", "x" * 255, "bcus_x", "bacc_x", "bcus_0000000000000000000000", "bacc_0000000000000000000000"]
)
def test_what_does_not_exist_is_404(client: Client, member: str, value: str) -> None:
    """1.3: an object named in a body that does not exist is 404."""
    refused(create_bill(client, **{member: value}), 404, f"/{member}")


def test_a_name_of_another_kind_is_404(client: Client) -> None:
    account, bill = an_account(client), a_bill(client)
    for member, value in (
        ("customer", account["id"]),
        ("customer", bill["external_reference"]),
        ("account", account["customer_id"]),
        ("account", bill["id"]),
    ):
        refused(create_bill(client, **{member: value}), 404, f"/{member}")


@pytest.mark.parametrize("name", ["id", "external_reference"])
def test_what_is_of_another_merchant_or_mode_is_404(client: Client, live: Client, other: Client, name: str) -> None:
    """1.2, 1.5: no such customer or account in this merchant and mode."""
    account = an_account(client)
    customer = client.get(f"/billing/customers/{account['customer_id']}").json()
    for stranger in (live, other):
        refused(create_bill(stranger, customer=customer[name]), 404, "/customer")
        refused(create_bill(stranger, account=account[name]), 404, "/account")
        refused(create_bill(stranger, account=a_request(customer=customer[name])), 404, "/account/customer")


def test_refusals_come_in_their_order(client: Client) -> None:
    """1.1: validation, then 404 of an object that the body names, then 409."""
    taken = a_bill(client)["external_reference"]
    faulty = create_bill(client, customer="nobody", external_reference=taken, amount_due=0)
    refused(faulty, 400, "/amount_due")
    for on, pointer in (
        ({"customer": "nobody"}, "/customer"),
        ({"account": "nobody"}, "/account"),
        ({"account": a_request(customer="nobody")}, "/account/customer"),
    ):
        refused(create_bill(client, **on, external_reference=taken), 404, pointer)
    refused(create_bill(client, external_reference=taken), 409, "/external_reference")


# Whole objects in it (test_composites.py has every form of them)


def test_a_new_customer_comes_with_its_bill(client: Client, database: Database) -> None:
    """4: `customer` may be an object; it obeys what it obeys alone."""
    inline = a_request(name="John Doe", currency="ZAR", balance=5)
    bill = a_bill(client, customer=inline)
    customer = client.get(f"/billing/customers/{inline['external_reference']}").json()
    assert customer | inline == customer
    assert (bill["customer_id"], "account_id" in bill) == (customer["id"], False)
    assert events(database, customer) == [("customer.created", customer)]
    assert [row[:1] for row in transfers(database, customer)] == [("opening",)]


@pytest.mark.parametrize("name", ["id", "external_reference"])
def test_a_new_account_of_a_customer_comes_with_its_bill(client: Client, name: str) -> None:
    """4: inside the account, or at the top level beside it."""
    customer = a_customer(client)
    inside = a_bill(client, account=a_request(customer=customer[name]))
    beside = a_bill(client, customer=customer[name], account=a_request())
    for bill in (inside, beside):
        account = client.get(f"/billing/accounts/{bill['account_id']}").json()
        assert bill["customer_id"] == account["customer_id"] == customer["id"]


# external_reference


def test_the_id_is_tried_first(client: Client) -> None:
    """1.3: where a reference is another bill's id, that id names the bill that has it as its id."""
    bill = a_bill(client)
    namesake = a_bill(client, external_reference=bill["id"])
    path = f"{BILLS}/{bill['id']}"
    assert client.get(path).json() == bill
    assert client.patch(path, {"due_date": "2027-01-01"}).json() == bill | {"due_date": "2027-01-01"}
    assert client.send("POST", f"{path}/void").json()["id"] == bill["id"]
    assert client.get(at(namesake)).json() == namesake
    found = client.get(f"{BILLS}?external_reference={bill['id']}").json()["data"]
    assert found == [namesake]


def test_another_bills_id_is_no_reference_that_is_taken(client: Client) -> None:
    """1.3: also while that bill changes, and while its own reference is wanted again, all in one batch."""
    bills = [a_bill(client) for _ in range(20)]
    customer = bills[0]["customer_id"]

    def created(reference: str) -> int:
        return create_bill(client, customer=customer, external_reference=reference).status

    def changed(bill: Json) -> int:
        return client.patch(at(bill), {"amount_paid": 5}).status

    with ThreadPoolExecutor(12) as pool:
        tasks = [
            (
                pool.submit(changed, bill),
                pool.submit(created, bill["id"]),
                pool.submit(created, bill["external_reference"]),
            )
            for bill in bills
        ]
        statuses = [tuple(task.result() for task in each) for each in tasks]
    assert statuses == [(200, 201, 409)] * 20


def test_many_bills_at_once_on_one_account_are_all_there(client: Client, database: Database) -> None:
    account = an_account(client)
    with ThreadPoolExecutor(10) as pool:
        bills = list(pool.map(lambda n: a_bill(client, account=account["id"], amount_due=n), range(1, 61)))
    assert len({bill["id"] for bill in bills}) == 60
    assert [transfers(database, bill)[0][4] for bill in bills] == [*range(1, 61)]


# payment_rules and metadata


@pytest.mark.parametrize("amount_due", [1, 1000, MOST])
def test_a_bill_gets_the_default_rules(client: Client, live: Client, amount_due: int) -> None:
    """5: for bills `max_amount` starts unset, which means the bill's `amount_due`."""
    for caller in (client, live):
        assert a_bill(caller, amount_due=amount_due)["payment_rules"] == default_rules(amount_due)


def test_a_bill_may_have_rules_of_its_own(client: Client) -> None:
    """4, row `payment_rules`: optional; they need not suit the amount."""
    assert a_bill(client, amount_due=5, payment_rules=RULES)["payment_rules"] == RULES
    refused(create_bill(client, payment_rules=RULES | {"min_amount": 0}), 400, "/payment_rules/min_amount")
    refused(create_bill(client, payment_rules={}), 400, *(f"/payment_rules/{member}" for member in RULES))


@pytest.mark.parametrize(
    ("rules", "amount_due", "least", "most"),
    [
        ({"min_amount": 100, "max_amount": 5000}, 1000, 100, 5000),
        ({"min_amount": 100, "max_amount": 5000}, 50, 50, 5000),
        ({"min_amount": 100}, 1000, 100, 1000),
        ({"min_amount": 100}, 50, 50, 50),
        ({"min_amount": 100}, 100, 100, 100),
        ({"min_amount": 2000, "max_amount": 3000}, 50, 50, 3000),
    ],
)
def test_a_bill_gets_the_rules_of_the_settings(
    service: Service, fresh_merchant: Merchant, rules: Json, amount_due: int, least: int, most: int
) -> None:
    """5: a new object gets them; a `min_amount` above `amount_due` becomes it; existing objects keep what they have."""
    caller = service.client(fresh_merchant.keys["sk_test"])
    old = a_bill(caller)
    switches = {"underpayment_allowed": False, "overpayment_allowed": True}
    assert caller.patch("/billing/settings", {"payment_rules": {"bill": rules | switches}}).status == 200
    new = a_bill(caller, amount_due=amount_due)
    assert new["payment_rules"] == {"min_amount": least, "max_amount": most} | switches
    assert caller.get(at(old)).json() == old
