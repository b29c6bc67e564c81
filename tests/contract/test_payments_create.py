"""6: POST /billing/payments: what it takes, what it answers, and what becomes of what was paid."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from tests.contract.client import JSON, Answer, Client, Json
from tests.contract.samples import (
    ACCOUNT,
    BILL,
    CUSTOMER,
    EVERY_NOUN,
    KINDS,
    LARGEST,
    OPEN_RULES,
    PAYMENTS,
    RULES,
    Noun,
    a_bill,
    a_customer,
    a_key,
    a_payment,
    a_reference,
    an_account,
    at,
    events,
    on,
    owing,
    pay,
    payment_refused,
    refused,
    transfers,
)
from tests.contract.service import Database

MOST: Final = 99_999_999
MOST_PAID: Final = 999_999_999_999
FULL: Final[Json] = {
    "channel": "bank_1",
    "method": "eft",
    "provider_reference": "Ref 7/8, “Zoë”",
    "metadata": {"batch": "2026-01", "line": "17"},
    "paid_at": "2026-01-31T09:30:00Z",
}
EVERYTHING = """SELECT (SELECT count(*) FROM payment), (SELECT count(*) FROM transfer), (SELECT count(*) FROM event),
                       (SELECT count(*) FROM attribution), (SELECT count(*) FROM search_term)"""
RECORDED = """SELECT actor, attribution.reason FROM transfer
                JOIN attribution ON attribution.id = transfer.attribution_id WHERE payment_id = $1"""


def money(client: Client, bill: Json) -> tuple[int, int, str]:
    """Return what is paid of a bill, what remains, and its status."""
    now = client.get(at(bill)).json()
    return now["amount_paid"], now["amount_remaining"], now["status"]


def balance(client: Client, thing: Json) -> int | None:
    found: int | None = client.get(at(thing)).json().get("balance")
    return found


def moment(text: str) -> datetime:
    """Read a timestamp of an answer, which ends in Z."""
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", text)
    return datetime.fromisoformat(text)


# The answer


@EVERY_NOUN
def test_a_payment_answers_201_with_itself_and_its_location(client: Client, noun: Noun) -> None:
    """6: `POST /billing/payments` 201; the whole amount goes to one obligation."""
    answer = pay(client, **{noun.name: owing(client, noun)["id"]})
    assert (answer.status, answer.media_type()) == (201, JSON)
    assert answer.header("Location").endswith(at(answer.json()))
    got = client.get(at(answer.json()))
    assert (got.body, got.etag, got.header("Last-Modified")) == (
        answer.body,
        answer.etag,
        answer.header("Last-Modified"),
    )


@EVERY_NOUN
def test_a_payment_of_the_least_members_shows_exactly_what_is_set(client: Client, noun: Noun) -> None:
    """6, 1.1: what is not set is absent; where there is one application, its target is also at the top."""
    thing = owing(client, noun)
    before = datetime.now(UTC)
    payment = a_payment(client, 250, **on(thing))
    paid_at, created_at = moment(payment.pop("paid_at")), moment(payment.pop("created_at"))
    assert before - timedelta(seconds=1) < paid_at <= created_at < datetime.now(UTC) + timedelta(seconds=1)
    target = {f"{noun.name}_id": thing["id"]}
    assert payment == {
        "id": payment["id"],
        "status": "succeeded",
        "amount": 250,
        "amount_refunded": 0,
        "amount_reversed": 0,
        "amount_unallocated": 0,
        "currency": "ZAR",
        "applications": [{"id": payment["applications"][0]["id"], "amount": 250} | target],
    } | target  # fmt: skip


def test_a_payment_of_all_members_shows_them_in_their_order(client: Client) -> None:
    """6: the members of the response, and the optional ones as they came."""
    reference, bill = a_reference(), a_bill(client)
    payment = a_payment(client, 250, bill=bill["id"], external_reference=reference, **FULL)
    assert payment | FULL | {"external_reference": reference} == payment
    assert list(payment) == [
        "id", "status", "amount", "amount_refunded", "amount_reversed", "amount_unallocated", "currency", "bill_id",
        "applications", "external_reference", "channel", "method", "provider_reference", "metadata", "paid_at",
        "created_at",
    ]  # fmt: skip
    assert list(payment["applications"][0]) == ["id", "amount", "bill_id"]


def test_ids_are_a_prefix_and_22_characters_and_sort_by_time(client: Client) -> None:
    """1.3: payment `pay_…`, application `ob_…`, a UUIDv7 in base 62."""
    customer = a_customer(client, currency="ZAR")
    payments = [a_payment(client, customer=customer["id"]) for _ in range(3)]
    for payment in payments:
        assert re.fullmatch("pay_[a-zA-Z0-9]{22}", payment["id"], re.ASCII)
        assert re.fullmatch("ob_[a-zA-Z0-9]{22}", payment["applications"][0]["id"], re.ASCII)
    ids = [payment["id"] for payment in payments]
    assert ids == sorted(set(ids))


@EVERY_NOUN
def test_an_obligation_is_named_by_id_or_reference(client: Client, noun: Noun) -> None:
    """1.3: so does every member that names an object."""
    thing = owing(client, noun)
    for name in ("id", "external_reference"):
        payment = a_payment(client, **{noun.name: thing[name]})
        alone = a_payment(client, applications=[{noun.name: thing[name], "amount": 100}])
        assert payment[f"{noun.name}_id"] == alone[f"{noun.name}_id"] == thing["id"]


def test_the_id_is_tried_first(client: Client) -> None:
    """1.3: where a reference is another bill's id, that id names the bill that has it as its id."""
    bill = a_bill(client)
    namesake = a_bill(client, external_reference=bill["id"])
    assert a_payment(client, **on(bill))["bill_id"] == bill["id"]
    both = [{**on(each), "amount": 50} for each in (namesake, bill)]
    paid = [application["bill_id"] for application in a_payment(client, applications=both)["applications"]]
    assert paid == [namesake["id"], bill["id"]]


def test_in_json_a_null_counts_as_not_given(client: Client) -> None:
    """1.1: a client that sends every member that it does not set as `null` gets what one gets that leaves it out."""
    customer = a_customer(client, currency="ZAR")["id"]
    unset: Json = dict.fromkeys(["bill", "account", "applications", "external_reference", *FULL])
    plain, spelt = a_payment(client, customer=customer), a_payment(client, 101, customer=customer, **unset)
    assert list(plain) == list(spelt)
    inner = [{"amount": 100, "customer": customer, "bill": None, "account": None}]
    assert a_payment(client, customer=None, applications=inner)["customer_id"] == customer


# Bills


@pytest.mark.parametrize(
    ("amounts", "expected"),
    [
        ([1], (1, 999, "unpaid")),
        ([999], (999, 1, "unpaid")),
        ([1000], (1000, 0, "paid")),
        ([1, 998], (999, 1, "unpaid")),
        ([1, 998, 1], (1000, 0, "paid")),
    ],
)
def test_a_bills_paid_remaining_and_status_follow_at_once(
    client: Client, amounts: list[int], expected: tuple[int, int, str]
) -> None:
    """6: a bill's `amount_paid`, remaining and status follow at once; 4: a part payment leaves the status `unpaid`."""
    bill = a_bill(client)
    for amount in amounts:
        a_payment(client, amount, bill=bill["id"])
    assert money(client, bill) == expected
    paid, remaining, status = expected
    changed = {"amount_paid": paid, "amount_remaining": remaining, "status": status}
    assert client.get(at(bill)).json() == bill | changed


def test_a_bill_is_overpaid_where_its_rules_allow_it(client: Client, database: Database) -> None:
    """4, 5: nothing remains then, and nothing less than nothing; in the ledger it is a credit."""
    bill = a_bill(client, payment_rules=OPEN_RULES)
    a_payment(client, 1500, bill=bill["id"])
    assert money(client, bill) == (1500, 0, "paid")
    a_payment(client, MOST - 1500, bill=bill["id"])
    assert money(client, bill) == (MOST, 0, "paid")
    assert [row[4] for row in transfers(database, bill)] == [1000, -500, 1000 - MOST]
    assert [kind for kind, _ in events(database, bill)].count("bill.paid") == 1


def test_a_payment_adds_to_what_was_paid_elsewhere(client: Client, database: Database) -> None:
    """4: `amount_paid` is payments through Owed plus money taken elsewhere."""
    bill = a_bill(client)
    client.patch(at(bill), {"amount_paid": 400})
    payment_refused(pay(client, 601, bill=bill["id"]), ["overpayment_allowed"], "/amount")
    a_payment(client, 600, bill=bill["id"])
    assert money(client, bill) == (1000, 0, "paid")
    assert transfers(database, bill)[1:] == [
        ("correction", "external_receipts", "receivable", -400, 600, "ZAR"),
        ("payment", "clearing", "receivable", -600, 0, "ZAR"),
    ]


def test_what_payments_hold_cannot_be_corrected_away(client: Client) -> None:
    """4: PATCH of `amount_paid` below what payments through Owed hold: 409; above it is money taken elsewhere."""
    bill = a_bill(client)
    a_payment(client, 400, bill=bill["id"])
    for amount_paid in (0, 399):
        answer = client.patch(at(bill), {"amount_paid": amount_paid})
        assert (answer.status, answer.code) == (409, "conflict")
    for amount_paid in (1000, 400):
        assert client.patch(at(bill), {"amount_paid": amount_paid}).json()["amount_paid"] == amount_paid
    assert money(client, bill) == (400, 600, "unpaid")


def test_a_bill_with_a_payment_is_neither_voided_nor_moved_to_another_currency(client: Client) -> None:
    """4: a bill with money on it must be refunded or corrected first; its currency changes while nothing is paid."""
    bill = a_bill(client)
    a_payment(client, 1, bill=bill["id"])
    void, moved = client.send("POST", f"{at(bill)}/void"), client.patch(at(bill), {"currency": "USD"})
    assert [(answer.status, answer.code) for answer in (void, moved)] == [(409, "conflict")] * 2
    assert money(client, bill) == (1, 999, "unpaid")


# Balances


@pytest.mark.parametrize("noun", [ACCOUNT, CUSTOMER], ids=str)
@pytest.mark.parametrize(
    ("before", "amount", "after"), [(1000, 1, 999), (1000, 1000, 0), (1000, 1001, -1), (0, 5, -5), (-70, 30, -100)]
)
def test_a_tracked_balance_falls_by_the_amount(
    client: Client, database: Database, noun: Noun, before: int, amount: int, after: int
) -> None:
    """6: so does a tracked balance; an overpayment, where allowed, becomes credit."""
    thing = owing(client, noun, before, payment_rules=OPEN_RULES)
    a_payment(client, amount, **on(thing))
    assert client.get(at(thing)).json() == thing | {"balance": after}
    assert transfers(database, thing)[1:] == [("payment", "clearing", "receivable", -amount, after, "ZAR")]


@pytest.mark.parametrize("noun", [ACCOUNT, CUSTOMER], ids=str)
def test_a_running_total_runs_where_no_balance_is_tracked(client: Client, database: Database, noun: Noun) -> None:
    """6: the total still runs where a currency is set; tracking later starts from it, and shows nothing before."""
    thing = noun.make(client, currency="ZAR")
    for amount in (MOST, 5):
        a_payment(client, amount, **on(thing))
    assert client.get(at(thing)).json() == thing
    assert client.patch(at(thing), {"balance": 100}).json() == thing | {"balance": 100}
    a_payment(client, 30, **on(thing))
    assert balance(client, thing) == 70
    assert [row[0] for row in transfers(database, thing)] == ["payment", "payment", "opening", "payment"]
    assert [row[3:5] for row in transfers(database, thing)] == [
        (-MOST, -MOST),
        (-5, -MOST - 5),
        (MOST + 105, 100),
        (-30, 70),
    ]


@pytest.mark.parametrize("noun", [ACCOUNT, CUSTOMER], ids=str)
def test_a_currency_that_a_payment_has_used_cannot_change(client: Client, noun: Noun) -> None:
    """2: a currency that money already uses (a balance has been tracked, or a payment made) cannot change (409)."""
    thing = noun.make(client, currency="ZAR")
    a_payment(client, **on(thing))
    refused(client.patch(at(thing), {"currency": "USD"}), 409, "/currency")
    assert client.patch(at(thing), {"currency": "ZAR"}).json() == thing


def test_bills_and_balances_are_separate_obligations(client: Client, database: Database) -> None:
    """4: a payment of a bill moves no balance; a payment to a balance pays no bill, nor another balance."""
    customer = owing(client, CUSTOMER)
    account = owing(client, ACCOUNT, customer=customer["id"])
    bills = [a_bill(client, customer=customer["id"]), a_bill(client, account=account["id"])]
    everything = [customer, account, *bills]
    for paid in everything:
        before = [(answer.body, answer.etag) for answer in map(client.get, map(at, everything))]
        a_payment(client, 1000, **on(paid))
        after = [(answer.body, answer.etag) for answer in map(client.get, map(at, everything))]
        assert [old == new for old, new in zip(before, after, strict=True)] == [each is not paid for each in everything]
    assert [len(transfers(database, thing)) for thing in everything] == [2, 2, 2, 2]


# What is recorded


@EVERY_NOUN
def test_a_payment_is_one_transfer_from_clearing_dated_when_it_was_paid(
    client: Client, database: Database, noun: Noun
) -> None:
    """6: one transfer in a double-entry ledger; `paid_at` in the past is when it occurred."""
    thing = owing(client, noun)
    name = on(thing)
    plain, mobile = (
        a_payment(client, 300, **name),
        a_payment(client, 200, **name, channel="mobile", paid_at="2024-02-29T23:59:59.5Z"),
    )
    assert transfers(database, thing)[1:] == [
        ("payment", "clearing", "receivable", -300, 700, "ZAR"),
        ("payment", "clearing:mobile", "receivable", -200, 500, "ZAR"),
    ]
    rows = database.rows(
        "SELECT payment_id, occurred_at FROM transfer WHERE obligation_id = $1 ORDER BY version", thing["id"]
    )
    assert [tuple(row) for row in rows[1:]] == [(each["id"], moment(each["paid_at"])) for each in (plain, mobile)]
    assert moment(mobile["paid_at"]) == datetime(2024, 2, 29, 23, 59, 59, 500_000, UTC)


@EVERY_NOUN
def test_a_part_payment_raises_one_event(client: Client, database: Database, noun: Noun) -> None:
    """7: `obligation.amount_applied`, its data as documented, with the payment's metadata; and no `*.updated`."""
    thing = owing(client, noun)
    payment = a_payment(client, **on(thing), metadata={"a": "1"}, paid_at="2026-01-31T09:30:00Z")
    plain = a_payment(client, **on(thing))
    assert events(database, thing)[1:] == [
        ("obligation.amount_applied", applied(payment)),
        ("obligation.amount_applied", applied(plain)),
    ]


def applied(payment: Json, number: int = 0) -> Json:
    """Return the data of the event of one application."""
    times = {"created_at": payment["created_at"], "updated_at": payment["created_at"]}
    more = {"currency": payment["currency"], "payment_id": payment["id"], "metadata": payment.get("metadata", {})}
    application: Json = payment["applications"][number]
    return application | more | times


def test_a_payment_that_settles_a_bill_raises_bill_paid_after_it(client: Client, database: Database) -> None:
    """7: and `bill.paid` where it settles a bill; its data shows the bill."""
    bill = a_bill(client)
    payments = [a_payment(client, amount, bill=bill["id"]) for amount in (400, 600)]
    assert events(database, bill) == [
        ("bill.created", bill),
        ("obligation.amount_applied", applied(payments[0])),
        ("obligation.amount_applied", applied(payments[1])),
        ("bill.paid", client.get(at(bill)).json()),
    ]


@EVERY_NOUN
def test_a_payment_gives_its_obligation_another_version(client: Client, noun: Noun) -> None:
    """1.1: the object's version: an `If-Match` from before it is stale."""
    thing = owing(client, noun)
    before = client.get(at(thing))
    a_payment(client, **on(thing))
    after = client.get(at(thing), If_None_Match=before.etag)
    assert (after.status, after.etag == before.etag) == (200, False)
    assert client.patch(at(thing), {"metadata": {"a": "1"}}, If_Match=before.etag).status == 412


def test_who_took_a_payment_and_why_is_recorded_with_every_transfer(client: Client, database: Database) -> None:
    """1.8: `Owed-Actor` and `Owed-Reason`, recorded with every transfer."""
    parts = [{"bill": a_bill(client)["id"], "amount": 5}, {"customer": owing(client, CUSTOMER)["id"], "amount": 6}]
    body = {"amount": 11, "currency": "ZAR", "applications": parts}
    by = {"Owed_Actor": "till 4, mary", "Owed_Reason": "Counter"}
    payment = client.post(PAYMENTS, body, Idempotency_Key=a_key(), **by).json()
    assert [tuple(row) for row in database.rows(RECORDED, payment["id"])] == [("till 4, mary", "Counter")] * 2
    silent = a_payment(client, bill=a_bill(client)["id"])
    assert {row["actor"] for row in database.rows(RECORDED, silent["id"])} <= {None}
    assert "mary" not in client.get(at(payment)).body.decode()


# Many obligations


def test_one_payment_pays_many_obligations(client: Client, database: Database) -> None:
    """6: `applications`: each of its own kind and amount; one payment, one `ob_` each, in the order given."""
    customer = owing(client, CUSTOMER)
    account = owing(client, ACCOUNT, customer=customer["id"])
    bills = [a_bill(client, account=account["id"]) for _ in range(12)]
    parts = [{"bill": bill["id"], "amount": 1000 - n % 2} for n, bill in enumerate(bills)]
    parts += [{"account": account["external_reference"], "amount": 300}, {"customer": customer["id"], "amount": 7}]
    payment = a_payment(client, 12_301, applications=parts, metadata={"a": "1"}, channel="eft")
    ids = [application["id"] for application in payment["applications"]]
    assert ids == sorted(set(ids))
    targets = [{"bill_id": bill["id"]} for bill in bills]
    targets += [{"account_id": account["id"]}, {"customer_id": customer["id"]}]
    assert payment["applications"] == [
        {"id": ob, "amount": part["amount"]} | target for ob, part, target in zip(ids, parts, targets, strict=True)
    ]
    assert {"bill_id", "account_id", "customer_id"}.isdisjoint(payment)
    assert client.get(at(payment)).json() == payment
    assert [money(client, bill)[1:] for bill in bills] == [(0, "paid"), (1, "unpaid")] * 6
    assert (balance(client, account), balance(client, customer)) == (700, 993)
    for number, thing in enumerate([*bills, account, customer]):
        amount = parts[number]["amount"]
        assert transfers(database, thing)[1:] == [
            ("payment", "clearing:eft", "receivable", -amount, 1000 - amount, "ZAR")
        ]
        assert events(database, thing)[1] == ("obligation.amount_applied", applied(payment, number))


def test_of_many_obligations_all_are_paid_or_none(client: Client, database: Database) -> None:
    """6: all pass or none: nothing is kept, and the refusal says of each what would do."""
    bills = [a_bill(client, payment_rules=RULES | {"min_amount": least}) for least in (100, 200, 300, 400)]
    client.send("POST", f"{at(bills[3])}/void")
    before, shown = database.rows(EVERYTHING), [client.get(at(bill)).etag for bill in bills]
    parts = [{"bill": bill["id"], "amount": amount} for bill, amount in zip(bills, (400, 1001, 1000, 500), strict=True)]
    answer = pay(client, 2901, applications=parts)
    assert (answer.status, answer.code) == (422, "payment_refused")
    problem = answer.json()
    assert (problem["rule"], problem["rules"]) == ("overpayment_allowed", ["voided", "overpayment_allowed"])
    assert problem["would_pass"] == {"min": 200, "max": 1000}
    assert answer.pointers == ["/applications/1/amount", "/applications/3/bill"]
    would = [{"would_pass": {"min": least, "max": 1000}} for least in (100, 200, 300)]
    assert problem["applications"] == [
        {"bill_id": bills[0]["id"], "amount": 400, "allowed": True, "rules": []} | would[0],
        {"bill_id": bills[1]["id"], "amount": 1001, "allowed": False, "rules": ["overpayment_allowed"]} | would[1],
        {"bill_id": bills[2]["id"], "amount": 1000, "allowed": True, "rules": []} | would[2],
        {"bill_id": bills[3]["id"], "amount": 500, "allowed": False, "rules": ["voided"]},
    ]
    assert (database.rows(EVERYTHING), [client.get(at(bill)).etag for bill in bills]) == (before, shown)


def test_one_payment_has_up_to_100_applications(client: Client) -> None:
    """6: 1 to 100 of them."""
    customer = a_customer(client)["id"]
    bills = [a_bill(client, customer=customer, amount_due=5)["id"] for _ in range(101)]
    parts = [{"bill": bill, "amount": 5} for bill in bills]
    refused(pay(client, 505, applications=parts), 400, "/applications")
    payment = a_payment(client, 500, applications=parts[:100])
    assert [application["bill_id"] for application in payment["applications"]] == bills[:100]
    paid = client.get(f"/billing/bills?customer={customer}&status=paid&limit=100").json()["data"]
    assert len(paid) == 100


def test_a_lone_application_is_a_payment_of_one_obligation(client: Client) -> None:
    """6: where there is one application, its target is also at the top."""
    bill = a_bill(client)
    payment = a_payment(client, applications=[{"bill": bill["id"], "amount": 100}])
    assert (payment["bill_id"], list(payment["applications"][0])) == (bill["id"], ["id", "amount", "bill_id"])


def test_applications_must_add_up(client: Client, database: Database) -> None:
    """6: that add up to `amount`."""
    parts = [{"bill": a_bill(client)["id"], "amount": 60}, {"bill": a_bill(client)["id"], "amount": 40}]
    before = database.rows(EVERYTHING)
    for amount in (1, 99, 101, MOST_PAID):
        refused(pay(client, amount, applications=parts), 400, "/amount")
    assert database.rows(EVERYTHING) == before
    assert pay(client, 100, applications=parts).status == 201


@EVERY_NOUN
@pytest.mark.parametrize("second", ["id", "external_reference"])
def test_applications_are_distinct(client: Client, database: Database, noun: Noun, second: str) -> None:
    """6: all distinct, also where one is named once by its id and once by its reference."""
    thing = owing(client, noun)
    names = [thing["id"], thing[second]]
    before = database.rows(EVERYTHING)
    answer = pay(client, 100, applications=[{noun.name: name, "amount": 50} for name in names])
    refused(answer, 400, f"/applications/1/{noun.name}")
    assert database.rows(EVERYTHING) == before


def test_a_customer_and_an_account_of_the_same_reference_are_two(client: Client) -> None:
    """1.3: a reference is unique per kind of object."""
    reference = a_reference()
    things = [owing(client, noun, external_reference=reference) for noun in (BILL, ACCOUNT, CUSTOMER)]
    parts = [{KINDS[thing["id"][:4]]: reference, "amount": n} for n, thing in enumerate(things, 1)]
    payment = a_payment(client, 6, applications=parts)
    named = [
        application[f"{KINDS[thing['id'][:4]]}_id"]
        for application, thing in zip(payment["applications"], things, strict=True)
    ]
    assert named == [thing["id"] for thing in things]


# Faults of the form


def faulty(client: Client, members: Json, *pointers: str) -> None:
    """Expect that a payment of a bill with `members` is refused for them, and changes nothing."""
    bill = a_bill(client)
    refused(pay(client, **{"bill": bill["id"]} | members), 400, *pointers)
    assert client.get(at(bill)).json() == bill


def send(client: Client, text: str) -> Answer:
    """POST a payment, byte for byte."""
    return client.post(PAYMENTS, text.encode(), Idempotency_Key=a_key())


@pytest.mark.parametrize("amount", [1, 2, MOST_PAID - 1, MOST_PAID])
def test_an_amount_may_be(client: Client, amount: int) -> None:
    """6: 1 to 999,999,999,999; the largest fits a balance."""
    customer = a_customer(client, currency="ZAR", balance=MOST_PAID, payment_rules=OPEN_RULES)
    assert a_payment(client, amount, customer=customer["id"])["amount"] == amount
    assert balance(client, customer) == MOST_PAID - amount


@pytest.mark.parametrize(
    "text",
    [
        "0", "-0", "-1", "1000000000000", "9223372036854775808", "1" + "0" * 40, "9" * 400, "100.0", "100.5", "0.1",
        "1e2", "1E2", '"100"', '""', "true", "false", "[]", "{}", "[100]",
    ],
)  # fmt: skip
def test_an_amount_may_not_be(client: Client, text: str) -> None:
    """6, 1.1: never a float, a string or a boolean, here or in an application."""
    bill = a_bill(client)["id"]
    refused(send(client, f'{{"amount": {text}, "currency": "ZAR", "bill": "{bill}"}}'), 400, "/amount")
    parts = f'[{{"bill": "{bill}", "amount": {text}}}]'
    inner = send(client, f'{{"amount": 100, "currency": "ZAR", "applications": {parts}}}')
    refused(inner, 400, "/applications/0/amount")


@pytest.mark.parametrize(
    "currency",
    ["", "zar", "ZA", "ZARR", "ZAR\n", " ZAR", "ZZZ", "DEM", "710", "\uff3a\uff21\uff32", 710, 1.5, True, [], {}],
)
def test_a_currency_may_not_be(client: Client, currency: object) -> None:
    """1.1: upper case, active ISO 4217: one that no obligation here has either."""
    faulty(client, {"currency": currency}, "/currency")


@pytest.mark.parametrize("reference", ["a", "A_b-9", "_", "-", "x" * 255, "pay-1", "Check", "check-1"])
def test_a_reference_may_be(client: Client, reference: str) -> None:
    """1.3: 1 to 255 characters of `[a-zA-Z0-9_-]`."""
    customer = a_customer(client, currency="ZAR")["id"]
    made = a_payment(client, customer=customer, external_reference=reference, channel=f"c{a_key()[:8]}")
    assert made["external_reference"] == reference


@pytest.mark.parametrize(
    "reference", ["", " ", "a b", "a.b", "a/b", "a\n", "é", "x" * 256, "check", 5, 1.5, True, [], {}]
)
def test_a_reference_may_not_be(client: Client, reference: object) -> None:
    """1.3, 6: and not `check`, which is a route."""
    faulty(client, {"external_reference": reference}, "/external_reference")


@pytest.mark.parametrize("member", ["channel", "method"])
@pytest.mark.parametrize("value", ["a", "_", "0", "bank_transfer_2", "x" * 40])
def test_a_channel_and_a_method_may_be(client: Client, member: str, value: str) -> None:
    """6: `[a-z0-9_]`, up to 40."""
    members: Json = {member: value}
    assert a_payment(client, bill=a_bill(client)["id"], **members)[member] == value


@pytest.mark.parametrize("member", ["channel", "method"])
@pytest.mark.parametrize("value", ["", "A", "Bank", "a-b", "a b", "a.b", "é", "a\n", "x" * 41, 5, True, [], {}])
def test_a_channel_and_a_method_may_not_be(client: Client, member: str, value: object) -> None:
    """6: `[a-z0-9_]`, up to 40."""
    faulty(client, {member: value}, f"/{member}")


def test_a_provider_reference_has_up_to_255_characters(client: Client) -> None:
    """6: `provider_reference` (up to 255), whatever the provider writes."""
    text = "é/ #" * 63 + "xyz"
    assert a_payment(client, bill=a_bill(client)["id"], provider_reference=text)["provider_reference"] == text
    for value in (text + "!", 5, True, [text], {"text": text}):
        faulty(client, {"provider_reference": value}, "/provider_reference")


@pytest.mark.parametrize(
    "paid_at",
    ["1970-01-01T00:00:00Z", "2024-02-29T23:59:59Z", "2026-01-31T09:30:00.1Z", "2026-01-31T09:30:00.123456Z"],
)
def test_a_payment_may_have_been_paid(client: Client, paid_at: str) -> None:
    """6, 1.1: a timestamp in UTC with a Z, from 1970 until now."""
    payment = a_payment(client, bill=a_bill(client)["id"], paid_at=paid_at)
    assert moment(payment["paid_at"]) == datetime.fromisoformat(paid_at)
    assert client.get(at(payment)).json() == payment


@pytest.mark.parametrize(
    "paid_at",
    [
        "", "2026-01-31", "2026-01-31T09:30:00", "2026-01-31T09:30:00+00:00", "2026-01-31T09:30:00+02:00",
        "2026-01-31T09:30Z", "2026-01-31 09:30:00Z", "2026-02-30T09:30:00Z", "2026-01-31T24:00:00Z",
        "2026-01-31T09:60:00Z", "2026-01-31T09:30:60Z", "2026-01-31T09:30:00.Z", "2026-01-31T09:30:00z",
        "2026-01-31t09:30:00Z", "20260131T093000Z", "26-01-31T09:30:00Z", "2026-01-31T09:30:00Z\n",
        " 2026-01-31T09:30:00Z", "1969-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "2999-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z", "now", "infinity", 1769851800, 1.5, True, [], {},
    ],
)  # fmt: skip
def test_a_payment_may_not_have_been_paid(client: Client, paid_at: object) -> None:
    """6: not in the future, not before 1970, and nothing but a timestamp with a Z."""
    faulty(client, {"paid_at": paid_at}, "/paid_at")


def test_a_payment_is_not_paid_in_the_near_future_either(client: Client) -> None:
    """6: `paid_at` (not in the future)."""
    soon = (datetime.now(UTC) + timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    faulty(client, {"paid_at": soon}, "/paid_at")


def test_metadata_has_its_bounds(client: Client) -> None:
    """1.7: at most 20 keys of 1 to 40 characters, values strings of at most 500."""
    most = {f"{n:_<40}": "é" * 500 for n in range(19)} | {"empty": ""}
    assert a_payment(client, bill=a_bill(client)["id"], metadata=most)["metadata"] == most
    faulty(client, {"metadata": {str(n): "x" for n in range(21)}}, "/metadata")
    wrong = {"k" * 41: "x", "": "x", "long": "x" * 501, "number": 5, "list": []}
    faulty(client, {"metadata": wrong}, *(f"/metadata/{name}" for name in wrong))
    for value in (["x"], "x", 5, True):
        faulty(client, {"metadata": value}, "/metadata")
    assert "metadata" not in a_payment(client, bill=a_bill(client)["id"], metadata={})


@pytest.mark.parametrize(
    "member",
    [
        "id",
        "status",
        "amount_refunded",
        "amount_reversed",
        "amount_unallocated",
        "bill_id",
        "created_at",
        "reference",
        "description",
    ],
)
def test_an_unknown_member_is_refused_by_name(client: Client, member: str) -> None:
    """1.1: a request member that we do not know, or that is ours to give, is refused by name."""
    faulty(client, {member: "x"}, f"/{member}")
    parts = [{"bill": a_bill(client)["id"], "amount": 100, member: "x"}]
    refused(pay(client, applications=parts), 400, f"/applications/0/{member}")


@pytest.mark.parametrize("member", ["amount", "currency"])
def test_amount_and_currency_are_always_required(client: Client, member: str) -> None:
    """6: `amount`, `currency`."""
    bill = a_bill(client)["id"]
    for targets in ({"bill": bill}, {"applications": [{"bill": bill, "amount": 100}]}):
        body = {"amount": 100, "currency": "ZAR"} | targets
        for without in (body | {member: None}, {name: value for name, value in body.items() if name != member}):
            refused(client.post(PAYMENTS, without, Idempotency_Key=a_key()), 400, f"/{member}")


def test_a_payment_is_of_something(client: Client) -> None:
    """6: either one of `bill`, `account`, `customer`, or `applications`; so is each of these."""
    refused(pay(client), 400, "")
    nothing: Json = {"bill": None, "account": None, "applications": None}
    refused(pay(client, **nothing), 400, "")
    refused(pay(client, applications=[{"amount": 100, "bill": None}]), 400, "/applications/0")
    refused(pay(client, applications=[{}]), 400, "/applications/0", "/applications/0/amount")


def test_a_payment_is_not_of_two_things(client: Client) -> None:
    """6: either one of `bill`, `account`, `customer`, or `applications`; each but the first is named."""
    bill, account = a_bill(client), an_account(client, currency="ZAR")
    customer: Json = {"customer": account["customer_id"]}
    parts: Json = {"applications": [on(a_bill(client)) | {"amount": 100}]}
    refused(pay(client, **on(bill) | on(account)), 400, "/account")
    refused(pay(client, **on(account) | customer), 400, "/customer")
    refused(pay(client, **on(bill) | parts), 400, "/applications")
    refused(pay(client, **on(bill) | on(account) | customer | parts), 400, "/account", "/customer", "/applications")
    for targets in (on(bill) | on(account), on(account) | customer, on(bill) | on(account) | customer):
        refused(pay(client, applications=[targets | {"amount": 100}]), 400, "/applications/0")
    refused(pay(client, applications=[on(bill) | on(account)]), 400, "/applications/0", "/applications/0/amount")
    assert client.get(at(bill)).json() == bill


@EVERY_NOUN
@pytest.mark.parametrize("value", ["", "a b", "a.b", "a\n", "é", "x" * 256, 5, True, [], {}])
def test_a_malformed_name_is_400(client: Client, noun: Noun, value: Any) -> None:
    """1.3: what names an object is an id or a reference, and nothing else is: a payment creates no bill."""
    refused(pay(client, **{noun.name: value}), 400, f"/{noun.name}")
    refused(pay(client, applications=[{noun.name: value, "amount": 100}]), 400, f"/applications/0/{noun.name}")


@pytest.mark.parametrize("value", [[], {}, "x", 5, True, {"bill": "x", "amount": 100}])
def test_applications_are_a_list_of_1_to_100(client: Client, value: object) -> None:
    """6: 1 to 100 of them."""
    refused(pay(client, applications=value), 400, "/applications")


def test_each_fault_of_each_application_is_named(client: Client) -> None:
    """1.5: every fault found, not only the first, where it is."""
    bill = a_bill(client)["id"]
    parts: list[Any] = [
        {"bill": bill, "amount": 100},
        5,
        None,
        [],
        {"bill": bill},
        {"bill": "a b", "amount": 0, "x/y": 1},
    ]
    refused(
        pay(client, 0, applications=parts, channel="A"),
        400,
        *("/amount", "/channel", "/applications/1", "/applications/2", "/applications/3", "/applications/4/amount"),
        *("/applications/5/bill", "/applications/5/amount", "/applications/5/x~1y"),
    )


def test_every_fault_is_named_at_once(client: Client) -> None:
    """1.5: every fault found, not only the first."""
    wrong: Json = {
        "currency": "zar", "bill": "a b", "external_reference": "a b", "channel": "A", "method": "B",
        "provider_reference": 5, "paid_at": "x", "wrong": 1,
    }  # fmt: skip
    answer = pay(client, 0, **wrong, metadata={"a": 1})
    refused(answer, 400, *(f"/{name}" for name in wrong), "/amount", "/metadata/a")


@pytest.mark.parametrize("body", [b"{", b"", b"[]", b"null", b'"pay"', b'{"amount":1,"amount":1}', b"\xff"])
def test_another_body_is_400(client: Client, body: bytes) -> None:
    """1.5: malformed JSON, or no object, or the same member twice."""
    answer = client.post(PAYMENTS, body, Idempotency_Key=a_key())
    assert (answer.status, answer.code) == (400, "invalid_request")


def test_a_create_has_no_parameters(client: Client) -> None:
    """1.1: a query parameter that is unknown is 400."""
    body = {"amount": 100, "currency": "ZAR", "bill": a_bill(client)["id"]}
    answer = client.post(f"{PAYMENTS}?expand=bill", body, Idempotency_Key=a_key())
    refused(answer, 400, "query: expand")


# What is not there


@EVERY_NOUN
def test_what_does_not_exist_is_404(client: Client, noun: Noun) -> None:
    """1.3: an object named in a body that does not exist is 404, and named."""
    for name in ("nobody", "x" * 255, f"{noun.prefix}x", f"{noun.prefix}{'0' * 22}"):
        nothing: Json = {noun.name: name}
        refused(pay(client, **nothing), 404, f"/{noun.name}")
        parts = [{"bill": a_bill(client)["id"], "amount": 40}, nothing | {"amount": 60}]
        refused(pay(client, applications=parts), 404, f"/applications/1/{noun.name}")


def test_each_obligation_that_does_not_exist_is_named(client: Client) -> None:
    """1.5: 404 carries `errors` too where a pointer helps."""
    bill = a_bill(client)
    parts = [{"bill": "nobody", "amount": 1}, {"bill": bill["id"], "amount": 2}, {"customer": "nobody", "amount": 3}]
    parts += [{"account": bill["id"], "amount": 4}]
    missing = ("/applications/0/bill", "/applications/2/customer", "/applications/3/account")
    refused(pay(client, 10, applications=parts), 404, *missing)
    assert client.get(at(bill)).json() == bill


@EVERY_NOUN
@pytest.mark.parametrize("name", ["id", "external_reference"])
def test_what_is_of_another_merchant_or_mode_is_404(
    client: Client, live: Client, other: Client, noun: Noun, name: str
) -> None:
    """1.2, 1.5: no such bill, account or customer in this merchant and mode."""
    thing = owing(client, noun)
    for stranger in (live, other):
        refused(pay(stranger, **{noun.name: thing[name]}), 404, f"/{noun.name}")
    assert client.get(at(thing)).json() == thing


# What is taken


def taken(answer: Answer, payment: Json) -> None:
    """Expect a refusal that tells which payment has the reference."""
    refused(answer, 409, "/external_reference")
    assert answer.json()["payment_id"] == payment["id"]


@pytest.mark.parametrize("channel", [None, "bank"])
def test_a_reference_is_unique_in_its_channel(client: Client, channel: str | None) -> None:
    """6: unique per merchant, mode and `channel`, none counting as one; a duplicate is 409, with its `payment_id`."""
    customer, reference = a_customer(client, currency="ZAR")["id"], a_reference()
    first = a_payment(client, customer=customer, external_reference=reference, channel=channel)
    for members in ({}, {"amount": 5}, {"customer": owing(client, CUSTOMER)["id"]}, {"method": "cash"}):
        again = {"customer": customer, "external_reference": reference, "channel": channel} | members
        taken(pay(client, **again), first)
    elsewhere = [c for c in (None, "bank", "shop") if c != channel]
    for another in elsewhere:
        second = a_payment(client, customer=customer, external_reference=reference, channel=another)
        taken(pay(client, customer=customer, external_reference=reference, channel=another), second)
    taken(pay(client, customer=customer, external_reference=reference, channel=channel), first)


def test_the_same_reference_may_be_of_each_merchant_and_mode(client: Client, live: Client, other: Client) -> None:
    """6, 1.2: test and live data never meet."""
    reference = a_reference()
    payments = [
        a_payment(caller, bill=a_bill(caller)["id"], external_reference=reference) for caller in (client, live, other)
    ]
    assert len({payment["id"] for payment in payments}) == 3
    for caller, payment in zip((client, live, other), payments, strict=True):
        taken(pay(caller, bill=a_bill(caller)["id"], external_reference=reference), payment)


def test_a_reference_of_another_kind_is_free(client: Client) -> None:
    """1.3: unique per kind of object."""
    bill = a_bill(client)
    payment = a_payment(client, bill=bill["id"], external_reference=bill["external_reference"])
    assert payment["external_reference"] == bill["external_reference"]
    assert pay(client, bill=bill["id"], external_reference=payment["id"]).status == 201


def test_what_was_refused_leaves_its_reference_free(client: Client) -> None:
    """6: told before the rules; what the rules refuse holds nothing."""
    bill, reference = a_bill(client), a_reference()
    assert pay(client, 1001, bill=bill["id"], external_reference=reference).status == 422
    first = a_payment(client, 1000, bill=bill["id"], external_reference=reference)
    taken(pay(client, 1000, bill=bill["id"], external_reference=reference), first)


def test_refusals_come_in_their_order(client: Client, database: Database) -> None:
    """1.1: validation, then 404 of an object that the body names, then 409, then 422."""
    bill, reference = a_bill(client), a_reference()
    first = a_payment(client, 1000, bill=bill["id"], external_reference=reference)
    before = database.rows(EVERYTHING)
    duplicate: Json = {"external_reference": reference}
    refused(pay(client, 0, bill="nobody", **duplicate), 400, "/amount")
    refused(pay(client, 5, applications=[{"bill": "nobody", "amount": 6}], **duplicate), 400, "/amount")
    refused(pay(client, bill="nobody", **duplicate), 404, "/bill")
    mixed = [{"bill": bill["id"], "amount": 60}, {"bill": "nobody", "amount": 40}]
    refused(pay(client, applications=mixed), 404, "/applications/1/bill")
    taken(pay(client, bill=bill["id"], **duplicate), first)
    payment_refused(pay(client, bill=bill["id"]), ["overpayment_allowed"], "/amount")
    assert database.rows(EVERYTHING) == before


# What the rules refuse (core has every combination of them)

SMALL: Final = RULES | {"overpayment_allowed": True}
WHOLE: Final = RULES | {"underpayment_allowed": False}


@pytest.mark.parametrize(
    ("owed", "payment_rules", "amount", "rules", "would"),
    [
        (1000, RULES, 99, ["min_amount"], {"would_pass": {"min": 100, "max": 1000}}),
        (1000, RULES, 1001, ["overpayment_allowed"], {"would_pass": {"min": 100, "max": 1000}}),
        (1000, RULES, 1_000_001, ["max_amount", "overpayment_allowed"], {"would_pass": {"min": 100, "max": 1000}}),
        (1000, RULES | {"max_amount": 500}, 501, ["max_amount"], {"would_pass": {"min": 100, "max": 500}}),
        (50, RULES, 49, ["min_amount"], {"settles": 50}),
        (50, RULES, 51, ["min_amount", "overpayment_allowed"], {"settles": 50}),
        (50, SMALL, 51, ["min_amount"], {"would_pass": {"min": 100, "max": 1_000_000}, "settles": 50}),
        (1000, WHOLE, 999, ["underpayment_allowed"], {"would_pass": {"min": 1000, "max": 1000}}),
        (1000, WHOLE, 5, ["min_amount", "underpayment_allowed"], {"would_pass": {"min": 1000, "max": 1000}}),
        (1000, WHOLE | {"max_amount": 500}, 500, ["underpayment_allowed"], {}),
        (1000, WHOLE | {"max_amount": 500}, 1000, ["max_amount"], {}),
    ],
)
@EVERY_NOUN
def test_the_rules_refuse_and_say_what_would_do(
    client: Client, noun: Noun, owed: int, payment_rules: Json, amount: int, rules: list[str], would: Json
) -> None:
    """5, 1.5: 422 `payment_refused`: `rule` names the first, `would_pass` and `settles` say what would do."""
    thing = owing(client, noun, owed, payment_rules=payment_rules)
    problem = payment_refused(pay(client, amount, **on(thing)), rules, *["/amount"] * len(rules))
    assert {name: problem[name] for name in ("would_pass", "settles") if name in problem} == would
    assert client.get(at(thing)).json() == thing
    for right in {*would.get("would_pass", {}).values(), would.get("settles", 0)} - {0}:
        fresh = owing(client, noun, owed, payment_rules=payment_rules)
        assert pay(client, right, **on(fresh)).status == 201


@pytest.mark.parametrize("noun", [ACCOUNT, CUSTOMER], ids=str)
@pytest.mark.parametrize("owed", [0, -5])
def test_of_a_balance_that_owes_nothing_nothing_can_be_paid(client: Client, noun: Noun, owed: int) -> None:
    """5: owed is a balance where it is positive, else 0."""
    thing = owing(client, noun, owed)
    problem = payment_refused(pay(client, 1, **on(thing)), ["overpayment_allowed"], "/amount")
    assert {"would_pass", "settles"}.isdisjoint(problem)


def test_a_paid_bill_takes_no_more(client: Client) -> None:
    bill = a_bill(client)
    a_payment(client, 1000, bill=bill["id"])
    problem = payment_refused(pay(client, 1, bill=bill["id"]), ["overpayment_allowed"], "/amount")
    assert {"would_pass", "settles"}.isdisjoint(problem)


@pytest.mark.parametrize("noun", [ACCOUNT, CUSTOMER], ids=str)
def test_where_no_balance_is_tracked_the_last_two_rules_do_not_apply(client: Client, noun: Noun) -> None:
    """5: where no balance is tracked the last two do not apply."""
    thing = noun.make(client, currency="ZAR", payment_rules=WHOLE)
    name = on(thing)
    for amount, rule in ((99, "min_amount"), (1_000_001, "max_amount")):
        problem = payment_refused(pay(client, amount, **name), [rule], "/amount")
        assert (problem["would_pass"], "settles" in problem) == ({"min": 100, "max": 1_000_000}, False)
    for amount in (100, 1_000_000):
        assert pay(client, amount, **name).status == 201


def no_range(answer: Answer, rule: str, *pointers: str) -> None:
    """Expect that no amount at all would pass."""
    assert {"would_pass", "settles"}.isdisjoint(payment_refused(answer, [rule], *pointers))


@EVERY_NOUN
def test_what_has_no_rules_cannot_be_paid(client: Client, noun: Noun) -> None:
    """5: without rules an object cannot be paid."""
    thing = owing(client, noun)
    bare = client.merge(at(thing), {"payment_rules": None}).json()
    no_range(pay(client, **on(thing)), "not_payable", f"/{noun.name}")
    no_range(
        pay(client, applications=[{**on(thing), "amount": 100}]),
        "not_payable",
        f"/applications/0/{noun.name}",
    )
    assert client.get(at(thing)).json() == bare


def test_a_voided_bill_cannot_be_paid(client: Client) -> None:
    """4, 5: a voided bill can be neither paid nor changed."""
    bill = a_bill(client)
    client.send("POST", f"{at(bill)}/void")
    no_range(pay(client, bill=bill["id"]), "voided", "/bill")
    assert client.get(at(bill)).json() == bill | {"status": "voided"}


@EVERY_NOUN
def test_another_currency_is_refused(client: Client, noun: Noun) -> None:
    """5: it is the obligation's."""
    thing = owing(client, noun)
    no_range(pay(client, currency="USD", **on(thing)), "currency", "/currency")
    assert client.get(at(thing)).json() == thing


@pytest.mark.parametrize("noun", [ACCOUNT, CUSTOMER], ids=str)
def test_an_object_without_a_currency_is_refused_as_currency(client: Client, noun: Noun) -> None:
    """5: an object without a currency is refused as `currency`."""
    thing = noun.make(client)
    no_range(pay(client, **on(thing)), "currency", "/currency")
    refused(pay(client, currency="ZZZ", **on(thing)), 400, "/currency")


def test_one_payment_is_of_one_currency(client: Client) -> None:
    """5, 6: all pass or none."""
    bills = [a_bill(client), a_bill(client, currency="USD")]
    answer = pay(client, 2000, applications=[{"bill": bill["id"], "amount": 1000} for bill in bills])
    assert (answer.status, answer.code, answer.json()["rule"]) == (422, "payment_refused", "currency")
    assert [each["allowed"] for each in answer.json()["applications"]] == [True, False]
    assert [client.get(at(bill)).json() for bill in bills] == bills


def test_a_payment_never_takes_a_bill_past_its_largest_amount(client: Client) -> None:
    """5: what would take `amount_paid` past 99,999,999 is refused as `max_amount`."""
    bill = a_bill(client, payment_rules=OPEN_RULES)
    name = {"bill": bill["id"]}
    problem = payment_refused(pay(client, MOST + 1, **name), ["max_amount"], "/amount")
    assert problem["would_pass"] == {"min": 1, "max": MOST}
    a_payment(client, MOST, **name)
    no_range(pay(client, 1, **name), "max_amount", "/amount")
    assert money(client, bill) == (MOST, 0, "paid")


@pytest.mark.parametrize("noun", [ACCOUNT, CUSTOMER], ids=str)
def test_a_payment_never_takes_a_balance_past_its_largest_credit(client: Client, noun: Noun) -> None:
    """5: what would take a balance past -(2^53 - 1) is refused as `max_amount`."""
    thing = owing(client, noun, 10 - LARGEST, payment_rules=OPEN_RULES)
    name = on(thing)
    problem = payment_refused(pay(client, 11, **name), ["max_amount"], "/amount")
    assert problem["would_pass"] == {"min": 1, "max": 10}
    a_payment(client, 10, **name)
    no_range(pay(client, 1, **name), "max_amount", "/amount")
    assert balance(client, thing) == -LARGEST


def test_the_rules_that_stand_decide(client: Client) -> None:
    """5: the rules of the object as they are at the moment of the payment."""
    bill = a_bill(client)
    assert pay(client, 1500, bill=bill["id"]).status == 422
    client.patch(at(bill), {"payment_rules": OPEN_RULES})
    assert pay(client, 1500, bill=bill["id"]).status == 201


# Idempotency


def assert_replayed(first: Answer, again: Answer) -> None:
    assert (first.headers.get("Idempotent-Replayed"), again.header("Idempotent-Replayed")) == (None, "true")
    assert (again.status, again.body) == (first.status, first.body)
    for name in ("Location", "ETag", "Content-Type", "Last-Modified"):
        assert again.headers.get(name) == first.headers.get(name), name


def test_a_payment_needs_an_idempotency_key(client: Client) -> None:
    """1.4: we require it where money moves, else 400 naming the header; a malformed one too."""
    bill = a_bill(client)
    for body in ({"amount": 100, "currency": "ZAR", "bill": bill["id"]}, {}):
        for key in ("", "a b", "x" * 256):
            refused(client.post(PAYMENTS, body, Idempotency_Key=key), 400, "header: Idempotency-Key")
    assert client.get(at(bill)).json() == bill


def test_a_payment_is_replayed_byte_for_byte(client: Client, database: Database) -> None:
    """1.4: the first status and body are kept, with `Location` and `ETag`, whatever has happened since."""
    bill, key = a_bill(client), a_key()
    members: Json = {"bill": bill["id"], "external_reference": a_reference(), **FULL}
    first = pay(client, 400, key=key, **members)
    a_payment(client, 600, bill=bill["id"])
    assert_replayed(first, pay(client, 400, key=key, **members))
    assert money(client, bill) == (1000, 0, "paid")
    assert (len(transfers(database, bill)), len(events(database, bill))) == (3, 4)


def test_who_sends_it_again_does_not_count(client: Client, database: Database) -> None:
    """1.4, 1.8: `Owed-Actor` is no part of the fingerprint, and a replay records nothing more."""
    body, key = {"amount": 100, "currency": "ZAR", "bill": a_bill(client)["id"]}, a_key()
    answers = [client.post(PAYMENTS, body, Idempotency_Key=key, Owed_Actor=actor) for actor in ("mary", "john")]
    assert_replayed(*answers)
    assert [row["actor"] for row in database.rows(RECORDED, answers[0].json()["id"])] == ["mary"]


def test_a_refusal_that_was_decided_is_kept(client: Client) -> None:
    """1.4: kept: 404, 409 and 422, also once a new decision would differ."""
    bill, reference = a_bill(client), a_reference()
    a_payment(client, 1, bill=bill["id"], external_reference=reference)
    keys = [a_key() for _ in range(3)]

    def attempts() -> list[Answer]:
        return [
            pay(client, 1000, key=keys[0], bill=bill["id"]),
            pay(client, 1, key=keys[1], bill=bill["id"], external_reference=reference),
            pay(client, 1, key=keys[2], bill=reference),
        ]

    first = attempts()
    assert [answer.status for answer in first] == [422, 409, 404]
    client.patch(at(bill), {"payment_rules": OPEN_RULES})
    a_bill(client, external_reference=reference)
    for answer, again in zip(first, attempts(), strict=True):
        assert_replayed(answer, again)
    assert pay(client, 1000, bill=bill["id"]).status == 201


def test_a_400_leaves_the_key_free(client: Client) -> None:
    """1.4: not kept, and the key stays free: every 400, also one that only the state shows."""
    bill, key = a_bill(client), a_key()
    names = [bill["id"], bill["external_reference"]]
    wrong = [
        pay(client, 0, key=key, bill=bill["id"]),
        pay(client, 2, key=key, applications=[{"bill": name, "amount": 1} for name in names]),
        pay(client, 1, key=key, bill=bill["id"], currency="ZZZ"),
    ]
    assert [answer.status for answer in wrong] == [400, 400, 400]
    right = pay(client, 1, key=key, bill=bill["id"])
    assert (right.status, right.headers.get("Idempotent-Replayed")) == (201, None)


def test_a_key_stands_for_one_request(client: Client) -> None:
    """1.4: the same key with another fingerprint gets 422 `idempotency_key_reused`, and nothing happens."""
    bill, key = a_bill(client), a_key()
    assert pay(client, 100, key=key, bill=bill["id"]).status == 201
    for answer in (pay(client, 101, key=key, bill=bill["id"]), pay(client, key=key, bill=bill["external_reference"])):
        assert (answer.status, answer.code) == (422, "idempotency_key_reused")
    assert money(client, bill) == (100, 900, "unpaid")


# Who may pay, and how


def test_a_payment_needs_a_secret_key(client: Client, public: Client, anonymous: Client) -> None:
    """1.2: every operation in this file needs a secret key unless it says otherwise."""
    bill = a_bill(client)
    assert [pay(caller, bill=bill["id"]).status for caller in (public, anonymous)] == [403, 401]
    assert client.get(at(bill)).json() == bill


@pytest.mark.parametrize("media_type", ["", "text/plain", "application/merge-patch+json"])
def test_a_body_is_json(client: Client, media_type: str) -> None:
    """1.1: a body with no media type, or another one, 415; before the key is asked for."""
    body = json.dumps({"amount": 100, "currency": "ZAR", "bill": a_bill(client)["id"]}).encode()
    answer = client.post(PAYMENTS, body, Content_Type=media_type)
    assert (answer.status, answer.code) == (415, "unsupported_media_type")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_another_method_is_405(client: Client, method: str) -> None:
    """1.5: 405 with `Allow`."""
    payment = a_payment(client, bill=a_bill(client)["id"])
    for path, allowed in ((PAYMENTS, {"GET", "HEAD", "POST"}), (at(payment), {"GET", "HEAD"})):
        answer = client.send(method, path, b"{}", {"Content-Type": JSON})
        assert (answer.status, answer.code) == (405, "method_not_allowed")
        assert set(re.split(r"\s*,\s*", answer.header("Allow"))) == allowed
