"""6: GET /billing/customers/{customer}/statement: what happened to all that a customer owes, in a period."""

import csv
import io
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any, Final
from urllib.parse import urlencode

import pytest

from tests.contract.client import Answer, Client, Json
from tests.contract.samples import (
    OPEN_RULES,
    REFUND,
    REVERSAL,
    SETTINGS,
    a_bill,
    a_customer,
    a_payment,
    a_reference,
    an_account,
    at,
    entries,
    iso,
    moment,
    refused,
)
from tests.contract.service import Service

STEP: Final = timedelta(microseconds=1)
BOTH: Final = pytest.mark.parametrize("basis", ["effective", "recorded"])
CSV: Final = "text/csv"
PAID: Final = {"effective": "occurred_at", "recorded": "recorded_at"}


def asked(client: Client, customer: Json, accept: str = "", **query: str) -> Answer:
    return client.get(f"{at(customer)}/statement?{urlencode(query)}", Accept=accept)


def statement(client: Client, customer: Json, **query: str) -> list[Json]:
    """Return the sections of a statement, which must add up."""
    answer = asked(client, customer, **query)
    assert (answer.status, answer.media_type(), answer.header("Vary")) == (200, "application/json", "Accept")
    sections: list[Json] = answer.json()["data"]
    for section in sections:
        total = section["opening"]
        for line in section["lines"]:
            total += line["amount"]
            assert (line["total_after"], line["currency"]) == (total, section["currency"])
        assert section["closing"] == total
    return sections


def of(section: Json) -> tuple[str, str]:
    """Return what a section is of, and its currency."""
    (named,) = (section[name] for name in ("account_id", "bill_id", "customer_id", "payment_id") if name in section)
    return named, section["currency"]


def rows(answer: Answer) -> list[dict[str, str]]:
    """Return the rows of an answer in CSV."""
    assert (answer.status, answer.header("Content-Type")) == (200, "text/csv; charset=utf-8; header=present")
    assert "attachment" in answer.header("Content-Disposition")
    return list(csv.DictReader(io.StringIO(answer.body.decode(), newline="")))


@pytest.fixture(scope="module")
def caller(service: Service) -> Client:
    """A caller of a merchant of the module's own, whose settings it may change."""
    return service.client(service.merchant("Stated").keys["sk_test"])


@pytest.fixture(scope="module")
def lived(client: Client) -> Json:
    """A customer to whom a little of everything has happened, some of it told of late."""
    customer = a_customer(client, currency="ZAR", balance=500, payment_rules=OPEN_RULES)
    account = an_account(client, customer=customer["id"], currency="USD", balance=-50, payment_rules=OPEN_RULES)
    bill = a_bill(client, customer=customer["id"], payment_rules=OPEN_RULES)
    other = a_bill(client, account=account["id"], payment_rules=OPEN_RULES)
    voided = a_bill(client, customer=customer["id"], amount_due=70)
    client.patch(at(voided), {"currency": "EUR"})
    random = Random(4)
    for thing in random.choices([customer, bill, other], k=12):
        target = {("customer", "bill")[thing is not customer]: thing["id"]}
        paid_at = datetime.now(UTC) - timedelta(days=random.randint(0, 5))
        payment = a_payment(client, random.randint(1, 300), **target, paid_at=iso(paid_at))
        if random.random() < 0.4:
            random.choice([REFUND, REVERSAL]).make(client, payment, amount=1)
    client.patch(at(customer), {"balance": 333})
    client.send("POST", f"{at(voided)}/void")
    return customer


def things(lived: Json, client: Client) -> list[Json]:
    """Return all that the customer has something owed on."""
    found = [lived]
    for path in ("accounts", "bills"):
        found += client.get(f"/billing/{path}?customer={lived['id']}&limit=100").json()["data"]
    return found


# What it tells


def test_each_obligation_is_told_of_by_itself(client: Client) -> None:
    """6: opening, lines, closing of the customer's balance, its accounts and its bills; nothing over them."""
    customer = a_customer(client, currency="ZAR", balance=5000)
    account = an_account(client, customer=customer["id"], currency="ZAR", balance=100)
    bill = a_bill(client, account=account["id"])
    payment = a_payment(client, 300, bill=bill["id"])
    answer = asked(client, customer).json()

    assert list(answer) == ["customer_id", "basis", "to", "data"]
    assert (answer["customer_id"], answer["basis"]) == (customer["id"], "effective")
    assert [(of(each), each["opening"], each["closing"]) for each in answer["data"]] == [
        ((customer["id"], "ZAR"), 0, 5000),
        ((account["id"], "ZAR"), 0, 100),
        ((bill["id"], "ZAR"), 0, 700),
    ]
    told = answer["data"][-1]
    assert list(told) == ["bill_id", "external_reference", "currency", "opening", "lines", "closing"]
    assert [(line["cause"], line["amount"], line.get("payment_id")) for line in told["lines"]] == [
        ("bill_raised", 1000, None),
        ("payment", -300, payment["id"]),
    ]


def test_its_lines_are_the_entries(client: Client, lived: Json) -> None:
    """As they were recorded, member by member; those of a bill whose currency changed are in two sections."""
    told = statement(client, lived, basis="recorded")
    for thing in things(lived, client):
        lines = [line for section in told if of(section)[0] == thing["id"] for line in section["lines"]]
        assert sorted(lines, key=lambda line: line["recorded_at"] + line["id"]) == entries(client, thing)[::-1]
    assert len({of(section) for section in told}) == len(told) == len(things(lived, client)) + 1


@BOTH
def test_what_closes_a_period_opens_the_next(client: Client, lived: Json, basis: str) -> None:
    whole = statement(client, lived, basis=basis)
    times = {moment(line[PAID[basis]]) for section in whole for line in section["lines"]}
    for cut in Random(5).sample(sorted(times), 8):
        for time in (cut, cut + STEP):
            before = {of(each): each for each in statement(client, lived, basis=basis, to=iso(time))}
            after = {of(each): each for each in statement(client, lived, basis=basis, **{"from": iso(time)})}
            for section in whole:
                first, last = before.get(of(section)), after.get(of(section))
                closing, opening = (each[name] if each else 0 for each, name in ((first, "closing"), (last, "opening")))
                assert closing == opening
                lines = [line for each in (first, last) if each for line in each["lines"]]
                assert lines == section["lines"]


@BOTH
def test_a_period_has_what_is_of_its_first_moment_and_not_of_its_end(client: Client, lived: Json, basis: str) -> None:
    times = [moment(line[PAID[basis]]) for line in statement(client, lived, basis=basis)[0]["lines"]]
    since, until = times[1], times[-1]
    lines = statement(client, lived, basis=basis, **{"from": iso(since)}, to=iso(until))[0]["lines"]
    assert [moment(line[PAID[basis]]) for line in lines] == [each for each in times if since <= each < until]


def test_a_payment_that_was_told_of_late_is_in_the_period_of_either_basis(client: Client) -> None:
    customer = a_customer(client, currency="ZAR", balance=1000)
    friday = datetime.now(UTC) - timedelta(days=3)
    a_payment(client, 400, customer=customer["id"], paid_at=iso(friday))
    cut = iso(friday + timedelta(days=1))

    (then,) = statement(client, customer, to=cut)
    assert [line["amount"] for line in then["lines"]] == [-400]
    assert (then["opening"], then["closing"]) == (0, -400)
    assert statement(client, customer, to=cut, basis="recorded") == []
    (since,) = statement(client, customer, **{"from": cut})
    assert (since["opening"], [line["amount"] for line in since["lines"]], since["closing"]) == (-400, [1000], 600)


def test_what_owes_nothing_and_saw_nothing_is_left_out(client: Client) -> None:
    customer = a_customer(client, currency="ZAR")
    paid, owing = a_bill(client, customer=customer["id"]), a_bill(client, customer=customer["id"])
    a_payment(client, 1000, bill=paid["id"])
    after = iso(datetime.now(UTC) + timedelta(days=1))
    query = {"from": after, "to": after}
    for basis in PAID:
        (left,) = statement(client, customer, basis=basis, **query)
        assert (of(left)[0], left["opening"], left["lines"], left["closing"]) == (owing["id"], 1000, [], 1000)
    assert statement(client, a_customer(client)) == []


@BOTH
def test_money_that_fits_nothing_is_an_obligation_of_its_own(client: Client, basis: str) -> None:
    """6: what a payment left is a credit of the payment's, until it is allocated; then both sides tell of that."""
    customer = a_customer(client, currency="ZAR", balance=900)
    bill = a_bill(client, customer=customer["id"])
    payment = a_payment(client, 1500, bill=bill["id"], received=True)
    left = statement(client, customer, basis=basis)[-1]
    assert of(left) == (payment["id"], "ZAR")
    assert [(line["cause"], line["amount"]) for line in left["lines"]] == [("payment", -500)]

    cut = iso(datetime.now(UTC))
    allocated = {"customer": customer["id"], "amount": 500, "reason": "found"}
    answer = client.post(f"{at(payment)}/allocations", allocated, Idempotency_Key=a_reference())
    assert answer.status == 201, answer.body
    since = {of(each)[0]: each for each in statement(client, customer, basis=basis, **{"from": cut})}
    told = {each: (since[each]["opening"], since[each]["closing"]) for each in (customer["id"], payment["id"])}
    assert told == {customer["id"]: (900, 400), payment["id"]: (-500, 0)}
    lines = [line for each in told for line in since[each]["lines"]]
    assert [(line["cause"], line["amount"], line["allocation_id"]) for line in lines] == [
        ("allocation", -500, answer.json()["id"]), ("allocation", 500, answer.json()["id"]),
    ]  # fmt: skip
    later = iso(datetime.now(UTC) + timedelta(days=1))
    after = [of(each)[0] for each in statement(client, customer, basis=basis, **{"from": later}, to=later)]
    assert after == [customer["id"]]


@BOTH
def test_a_currency_that_a_bill_had_has_a_section_of_its_own(client: Client, basis: str) -> None:
    bill = a_bill(client)
    client.patch(at(bill), {"currency": "USD"})
    customer = {"id": bill["customer_id"]}
    told = [(of(each)[1], [line["amount"] for line in each["lines"]], each["closing"]) for each in
            statement(client, customer, basis=basis)]  # fmt: skip
    assert told == [("USD", [1000], 1000), ("ZAR", [1000, -1000], 0)]


# What is asked for


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_a_day_is_one_of_the_merchants_whole(caller: Client, zone: str) -> None:
    """A date is from its beginning to its end, in the merchant's time zone, on either side of the period."""
    assert caller.patch(SETTINGS, {"time_zone": zone}).status == 200
    customer = a_customer(caller, currency="ZAR", balance=0, payment_rules=OPEN_RULES)
    day = date(2026, 3, 5)
    midnight = {"UTC": "05T00:00", "Pacific/Kiritimati": "04T10:00", "Pacific/Pago_Pago": "05T11:00"}[zone]
    begins = datetime.fromisoformat(f"2026-03-{midnight}Z")
    for time in (begins - STEP, begins, begins + timedelta(days=1) - STEP, begins + timedelta(days=1)):
        a_payment(caller, 1, customer=customer["id"], paid_at=iso(time))

    answer = asked(caller, customer, **{"from": str(day)}, to=str(day)).json()
    assert (moment(answer["from"]), moment(answer["to"])) == (begins, begins + timedelta(days=1))
    (section,) = answer["data"]
    assert (section["opening"], len(section["lines"]), section["closing"]) == (-1, 2, -3)


@pytest.mark.parametrize(
    ("query", "faults"),
    [
        ({"from": "2026-02-30"}, ["from"]),
        ({"from": "2026-01-31T09:30:00"}, ["from"]),
        ({"to": "yesterday"}, ["to"]),
        ({"from": "2026-02-03", "to": "2026-02-01"}, ["from"]),
        ({"from": "2026-02-02T00:00:00Z", "to": "2026-02-01"}, []),
        ({"from": "2026-02-02T00:00:01Z", "to": "2026-02-01"}, ["from"]),
        ({"from": "9998-01-01"}, ["from"]),
        ({"basis": "both"}, ["basis"]),
        ({"since": "2026-01-01", "basis": ""}, ["since", "basis"]),
        ({"from": "0001-01-01", "to": "9999-12-31"}, []),
    ],
)
def test_a_period_that_is_none_is_refused(client: Client, lived: Json, query: Json, faults: list[str]) -> None:
    answer = asked(client, lived, **query)
    if faults:
        refused(answer, 400, *(f"query: {name}" for name in faults))
    assert answer.status == (400 if faults else 200)


def test_only_a_secret_key_of_the_merchant_may_ask(
    client: Client, public: Client, other: Client, live: Client, anonymous: Client, lived: Json
) -> None:
    for name in ("id", "external_reference"):
        assert client.get(f"/billing/customers/{lived[name]}/statement").status == 200
    assert [asked(each, lived).status for each in (public, other, live, anonymous)] == [403, 404, 404, 401]
    refused(client.get("/billing/customers/nobody/statement?x=1"), 404)


# As what it comes


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/html, image/png", "application/json"),
        (CSV, CSV),
        ("TEXT/CSV; header=present", CSV),
        ("text/*", CSV),
        ("application/json, text/csv", "application/json"),
        ("application/json;q=0.5, text/csv;q=0.6", CSV),
        ("application/json;q=0.5, text/csv;q=0.4", "application/json"),
        ("text/csv, */*;q=0.1", CSV),
        ("text/csv;q=0, */*", "application/json"),
        ("application/*;q=0.2, text/csv;q=0.1", "application/json"),
        ("text/csv;q=2", "application/json"),
        (", ,;q=1,text/csv;;", CSV),
        ("x" * 5000, "application/json"),
    ],
)
def test_accept_chooses_between_json_and_csv(client: Client, lived: Json, accept: str, expected: str) -> None:
    answer = asked(client, lived, accept)
    assert (answer.status, answer.media_type(), answer.header("Vary")) == (200, expected, "Accept")


@BOTH
def test_csv_tells_the_same_as_json(client: Client, lived: Json, basis: str) -> None:
    expected: list[tuple[Any, ...]] = []
    for section in statement(client, lived, basis=basis):
        about = *of(section), section["external_reference"]
        expected.append((*about, "opening", "", str(section["opening"]), "", ""))
        expected += [
            (*about, "line", str(line["amount"]), str(line["total_after"]), line["cause"], line["id"])
            for line in section["lines"]
        ]
        expected.append((*about, "closing", "", str(section["closing"]), "", ""))
    names = "obligation_id", "currency", "external_reference", "row", "amount", "total_after", "cause", "id"
    found = rows(asked(client, lived, CSV, basis=basis))

    assert [tuple(row[name] for name in names) for row in found] == expected


def test_csv_ends_its_lines_as_the_standard_says_and_names_its_columns_once(client: Client, lived: Json) -> None:
    body = asked(client, lived, CSV).body
    assert body.count(b"\r\n") == body.count(b"\n")
    assert body.count(b"obligation_id") == 1
    assert asked(client, a_customer(client), CSV).body.count(b"\r\n") == 1


@pytest.mark.parametrize("words", ["=1+1", "+1", "-1", "@SUM(A1)"])
def test_nothing_in_csv_is_taken_for_a_formula(client: Client, words: str) -> None:
    """An apostrophe before it: spreadsheets take what follows as text."""
    reference = f"-{a_reference()}"
    customer = a_customer(client, external_reference=reference, currency="ZAR", balance=1)
    client.patch(at(customer), {"balance": 2}, Owed_Actor=words, Owed_Reason=f'a "b", {words}')
    row = rows(asked(client, customer, CSV))[2]

    assert (row["external_reference"], row["actor"], row["reason"]) == (
        f"'{reference}", f"'{words}", f'a "b", {words}',
    )  # fmt: skip
    assert row["amount"] == "1"


def test_a_head_tells_what_a_get_would(client: Client, lived: Json) -> None:
    answer = client.send("HEAD", f"{at(lived)}/statement", headers={"Accept": CSV})
    assert (answer.status, answer.body, answer.media_type()) == (200, b"", CSV)
    assert asked(client, lived).status == 200  # on the same connection
