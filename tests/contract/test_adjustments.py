"""Charges and credits on balances and on bills, over HTTP (docs/api.md, "Charges and credits")."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest

from tests.contract.client import Answer, Client, Json
from tests.contract.samples import (
    a_bill,
    a_customer,
    a_key,
    a_payment,
    a_reference,
    an_account,
    as_it_stands,
    at,
    entries,
    events,
    iso,
    moment,
    on,
    refused,
    transfers,
)
from tests.contract.service import Database, Merchant, Service

LEDGER_ACCOUNTS = {"credit_note": "credit_notes", "discount": "discounts", "write_off": "bad_debt"}
NAMES_ONE = {"customer": "customer_id", "account": "account_id", "bill": "bill_id"}


class Way(NamedTuple):
    """Charges, or credits, on one kind of object."""

    kind: str
    object_kind: str
    needs: Json

    def __str__(self) -> str:
        return f"{self.object_kind} {self.kind}"

    def at(self, thing: Json) -> str:
        return f"{at(thing)}/{self.kind}s"

    def owing(self, client: Client) -> Json:
        """Create what may be charged or credited: a balance of 1000 in credit, or a bill of 1000."""
        money: Json = {"currency": "ZAR", "balance": -1000}
        makes = {"customer": lambda: a_customer(client, **money), "account": lambda: an_account(client, **money)}
        return makes.get(self.object_kind, lambda: a_bill(client))()

    def create(
        self, client: Client, thing: Json, amount: Any = 100, *, key: str | None = None, **members: Any
    ) -> Answer:
        body = self.needs | {"amount": amount} | members
        return client.post(self.at(thing), body, Idempotency_Key=key or a_key())

    def make(self, client: Client, thing: Json, amount: int = 100, **members: Any) -> Json:
        answer = self.create(client, thing, amount, **members)
        assert answer.status == 201, answer.body
        made: Json = answer.json()
        return made

    def reverse(self, client: Client, thing: Json, name: str, **headers: str) -> Answer:
        return client.send("POST", f"{self.at(thing)}/{name}/reverse", headers=headers)


WAYS = [
    Way("charge", "customer", {}),
    Way("credit", "customer", {}),
    Way("charge", "account", {}),
    Way("credit", "account", {}),
    Way("credit", "bill", {"type": "discount"}),
]
CHARGE, CREDIT, BILL_CREDIT = WAYS[0], WAYS[1], WAYS[4]
EVERY_WAY = pytest.mark.parametrize("way", WAYS, ids=str)


def total(client: Client, thing: Json) -> int:
    """Return what is owed, by the newest entry."""
    return int(entries(client, thing, limit=1)[0]["total_after"])


# What one is


@EVERY_WAY
def test_it_is_shown_as_it_was_made_wherever_it_is_looked_up(client: Client, way: Way) -> None:
    thing, reference = way.owing(client), a_reference()
    given: dict[str, Any] = {
        "reason": "0.8 kWh",
        "external_reference": reference,
        "occurred_at": "2026-01-30T18:00:00Z",
        "metadata": {"token": "8812"},
        "currency": "ZAR",
    }
    before = total(client, thing)
    answer = way.create(client, thing, 300, **given)
    made = answer.json()

    after = before + (300 if way.kind == "charge" else -300)
    of_balance = {} if way.object_kind == "bill" else {"balance_after": after}
    assert answer.status == 201
    assert answer.header("Location") == f"{way.at(thing)}/{made['id']}"
    assert made == {
        "id": made["id"],
        NAMES_ONE[way.object_kind]: thing["id"],
        **way.needs,
        "amount": 300,
        **(of_balance or {"total_after": after}),
        **given,
        "created_at": made["created_at"],
    }
    assert made["id"].startswith({"charge": "chg_", "credit": "crd_"}[way.kind])
    for name in (made["id"], reference):
        found = client.get(f"{way.at(thing)}/{name}")
        assert (found.status, found.json(), found.etag) == (200, made, '"1"')
        again = client.get(f"{way.at(thing)}/{name}", If_None_Match='"1"')
        assert again.status == 304


@EVERY_WAY
def test_what_is_not_given_is_absent(client: Client, way: Way) -> None:
    made = way.make(client, way.owing(client))

    optional = {"reason", "external_reference", "metadata", "floor", "reversed_at"}
    assert optional.isdisjoint(made)
    assert made["occurred_at"] == made["created_at"]


@EVERY_WAY
def test_the_entries_name_it_and_the_event_tells_the_object(client: Client, way: Way, database: Database) -> None:
    thing = way.owing(client)
    made = way.make(client, thing, 300, occurred_at="2026-01-30T18:00:00Z")

    (entry, *_) = entries(client, thing)
    cause = way.needs.get("type", way.kind)
    assert (entry["cause"], entry[f"{way.kind}_id"]) == (cause, made["id"])
    assert entry["amount"] == (300 if way.kind == "charge" else -300)
    assert moment(entry["occurred_at"]) == datetime(2026, 1, 30, 18, tzinfo=UTC)
    assert events(database, thing)[-1] == (f"{way.object_kind}.updated", as_it_stands(client, thing))


@pytest.mark.parametrize("way", WAYS[:4], ids=str)
def test_a_balance_changes_by_the_amount(client: Client, way: Way, database: Database) -> None:
    thing = way.owing(client)
    way.make(client, thing, 300)

    sides = ("receivable", "billed") if way.kind == "charge" else ("billed", "receivable")
    effect = 300 if way.kind == "charge" else -300
    assert as_it_stands(client, thing)["balance"] == -1000 + effect
    assert transfers(database, thing)[-1] == (way.kind, *sides, effect, -1000 + effect, "ZAR")


@pytest.mark.parametrize(("credit_type", "account"), LEDGER_ACCOUNTS.items())
def test_a_credit_on_a_bill_counts_as_paid(client: Client, credit_type: str, account: str, database: Database) -> None:
    bill = a_bill(client)
    BILL_CREDIT.make(client, bill, 400, type=credit_type)

    stands = as_it_stands(client, bill)
    assert (stands["status"], stands["amount_paid"], stands["amount_remaining"]) == ("unpaid", 400, 600)
    assert transfers(database, bill)[-1] == (credit_type, account, "receivable", -400, 600, "ZAR")


def test_a_bill_that_a_credit_settles_is_paid_and_says_so(client: Client, database: Database) -> None:
    bill = a_bill(client)
    a_payment(client, 900, bill=bill["id"])
    BILL_CREDIT.make(client, bill, 100)

    assert as_it_stands(client, bill)["status"] == "paid"
    assert [name for name, _ in events(database, bill)][-2:] == ["bill.updated", "bill.paid"]


def test_a_credit_note_may_overpay_a_bill_and_a_discount_may_not(client: Client) -> None:
    bill = a_bill(client)
    a_payment(client, 1000, bill=bill["id"])
    refused(BILL_CREDIT.create(client, bill, 1), 409, "/amount")
    refused(BILL_CREDIT.create(client, bill, 1, type="write_off"), 409, "/amount")
    made = BILL_CREDIT.make(client, bill, 250, type="credit_note")
    refused(BILL_CREDIT.create(client, bill, 751, type="credit_note"), 409, "/amount")

    stands = as_it_stands(client, bill)
    assert (made["total_after"], stands["amount_paid"], stands["amount_remaining"]) == (-250, 1250, 0)


def test_a_bill_keeps_its_credits_from_corrections_and_voids(client: Client) -> None:
    bill = a_bill(client)
    made = BILL_CREDIT.make(client, bill, 300)
    refused(client.patch(at(bill), {"amount_paid": 299}), 409, "/amount_paid")
    refused(client.post(f"{at(bill)}/void", {}), 409)
    assert BILL_CREDIT.reverse(client, bill, made["id"]).status == 200
    assert client.post(f"{at(bill)}/void", {}).status == 200
    refused(BILL_CREDIT.create(client, bill), 409)


def test_a_bill_shows_as_of_a_time_what_was_credited_by_then(client: Client) -> None:
    bill = a_bill(client)
    made = BILL_CREDIT.make(client, bill, 1000)
    (entry, *_) = entries(client, bill)
    BILL_CREDIT.reverse(client, bill, made["id"])

    then = client.get(f"{at(bill)}?as_of={entry['recorded_at']}").json()
    before = client.get(f"{at(bill)}?as_of={iso(moment(entry['recorded_at']) - timedelta(microseconds=1))}").json()
    assert (then["status"], then["amount_paid"]) == ("paid", 1000)
    assert (before["status"], before["amount_paid"]) == ("unpaid", 0)
    assert as_it_stands(client, bill)["status"] == "unpaid"


# The floor


def test_a_charge_that_the_credit_does_not_cover_says_what_is_available(client: Client, database: Database) -> None:
    customer = CHARGE.owing(client)
    answer = CHARGE.create(client, customer, 901, floor=100)

    problem = answer.json()
    assert (answer.status, answer.code, answer.pointers) == (422, "insufficient_credit", ["/amount"])
    assert (problem["balance"], problem["floor"], problem["available"]) == (-1000, 100, 900)
    assert CHARGE.make(client, customer, problem["available"], floor=100)["balance_after"] == -100
    assert len(transfers(database, customer)) == 2


def test_twenty_charges_at_once_use_up_exactly_the_credit(two_workers: Service, merchant: Merchant) -> None:
    client = two_workers.client(merchant.keys["sk_test"])
    customer = CHARGE.owing(client)
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda _: CHARGE.create(client, customer, 90, floor=0), range(20)))

    assert sorted(answer.status for answer in answers) == [201] * 11 + [422] * 9
    assert {answer.code for answer in answers if answer.status == 422} == {"insufficient_credit"}
    assert as_it_stands(client, customer)["balance"] == -10
    assert sorted(each.json()["balance_after"] for each in answers if each.status == 201) == [*range(-910, 0, 90)]


@pytest.mark.parametrize("floor", ["0", 0.0, True, 2**53, -(2**53)])
def test_a_floor_is_an_integer_within_bounds(client: Client, floor: object) -> None:
    refused(CHARGE.create(client, CHARGE.owing(client), floor=floor), 400, "/floor")


@pytest.mark.parametrize("way", [CREDIT, BILL_CREDIT], ids=str)
def test_only_a_charge_has_a_floor(client: Client, way: Way) -> None:
    refused(way.create(client, way.owing(client), floor=0), 400, "/floor")


# Currencies


@pytest.mark.parametrize("way", WAYS[:4], ids=str)
def test_a_balance_that_nobody_tracks_runs_once_it_has_a_currency(client: Client, way: Way) -> None:
    thing = a_customer(client) if way.object_kind == "customer" else an_account(client)
    refused(way.create(client, thing), 409, "/currency")
    refused(way.create(client, thing, currency="XXZ"), 400, "/currency")
    made = way.make(client, thing, currency="KES")

    stands = as_it_stands(client, thing)
    assert (stands["currency"], stands.get("balance"), abs(made["balance_after"])) == ("KES", None, 100)
    assert way.make(client, thing)["currency"] == "KES"
    path = f"/billing/{way.object_kind}s"
    assert client.get(f"{path}?external_reference={thing['external_reference']}&currency=KES").json()["data"] == [
        stands
    ]


@EVERY_WAY
def test_another_currency_than_the_objects_is_a_conflict(client: Client, way: Way) -> None:
    refused(way.create(client, way.owing(client), currency="USD"), 409, "/currency")


# Reversals


@EVERY_WAY
def test_a_reversal_undoes_all_of_it(client: Client, way: Way, database: Database) -> None:
    thing = way.owing(client)
    before = as_it_stands(client, thing)
    made = way.make(client, thing, 300, external_reference=a_reference())
    answer = way.reverse(client, thing, made["external_reference"])

    undone = answer.json()
    first, second = reversed(entries(client, thing)[:2])
    assert (answer.status, answer.etag) == (200, '"2"')
    assert undone == made | {"reversed_at": undone["reversed_at"]}
    assert client.get(f"{way.at(thing)}/{made['id']}").json() == undone
    assert as_it_stands(client, thing) == before
    assert (second["amount"], second["cause"]) == (-first["amount"], first["cause"])
    assert second[f"{way.kind}_id"] == made["id"]
    assert second["occurred_at"] == undone["reversed_at"]
    assert events(database, thing)[-1] == (f"{way.object_kind}.updated", before)


@EVERY_WAY
def test_a_second_reversal_is_a_conflict(client: Client, way: Way) -> None:
    thing = way.owing(client)
    made = way.make(client, thing)
    assert way.reverse(client, thing, made["id"]).status == 200

    refused(way.reverse(client, thing, made["id"]), 409)


def test_a_reversal_takes_an_empty_object_and_nothing_else(client: Client) -> None:
    customer = CHARGE.owing(client)
    path = f"{CHARGE.at(customer)}/{CHARGE.make(client, customer)['id']}/reverse"
    refused(client.post(path, {"reason": "wrong meter"}), 400, "/reason")
    refused(client.post(path, []), 400, "")

    assert client.post(path, {}).status == 200


def test_a_reversal_is_meant_for_the_version_that_it_names(client: Client) -> None:
    customer = CHARGE.owing(client)
    made = CHARGE.make(client, customer)

    assert CHARGE.reverse(client, customer, made["id"], **{"If-Match": '"2"'}).status == 412
    assert CHARGE.reverse(client, customer, made["id"], **{"If-Match": '"1"'}).status == 200


# Keys, references, versions


@EVERY_WAY
def test_a_retry_gets_the_first_answer_and_nothing_happens_twice(client: Client, way: Way) -> None:
    thing, key = way.owing(client), a_key()
    answers = [way.create(client, thing, 300, key=key) for _ in range(2)]
    undone = [
        way.reverse(client, thing, answers[0].json()["id"], **{"Idempotency-Key": f"{key}-back"}) for _ in range(2)
    ]

    assert answers[0].body == answers[1].body
    assert [each.status for each in (*answers, *undone)] == [201, 201, 200, 200]
    assert [each.headers.get("Idempotent-Replayed") for each in (*answers, *undone)] == [None, "true"] * 2
    assert len(entries(client, thing)) == 3


def test_a_refusal_is_kept_under_its_key_too(client: Client) -> None:
    customer, key = CHARGE.owing(client), a_key()
    first = CHARGE.create(client, customer, 2000, key=key, floor=0)
    CREDIT.make(client, customer, 5000)
    again = CHARGE.create(client, customer, 2000, key=key, floor=0)

    assert (again.status, again.json() | {"request_id": ""}) == (422, first.json() | {"request_id": ""})
    assert again.header("Idempotent-Replayed") == "true"


@EVERY_WAY
def test_it_needs_an_idempotency_key(client: Client, way: Way) -> None:
    thing = way.owing(client)

    refused(client.post(way.at(thing), way.needs | {"amount": 1}), 400, "header: Idempotency-Key")


@EVERY_WAY
def test_a_reference_that_is_taken_names_what_has_it(client: Client, way: Way) -> None:
    thing, reference = way.owing(client), a_reference()
    made = way.make(client, thing, external_reference=reference)
    answer = way.create(client, way.owing(client), external_reference=reference)

    refused(answer, 409, "/external_reference")
    problem = answer.json()
    assert (problem[f"{way.kind}_id"], problem[NAMES_ONE[way.object_kind]]) == (made["id"], thing["id"])


def test_it_is_meant_for_the_version_of_the_object_that_it_names(client: Client) -> None:
    customer = CHARGE.owing(client)
    headers = {"Idempotency_Key": a_key()}

    assert client.post(CHARGE.at(customer), {"amount": 1}, If_Match='"2"', **headers).status == 412
    headers = {"Idempotency_Key": a_key()}
    assert client.post(CHARGE.at(customer), {"amount": 1}, If_Match='"1"', **headers).status == 201


# Refusals


@EVERY_WAY
@pytest.mark.parametrize("amount", [0, -1, 10**12, 1.0, "1", True, None, [], {}])
def test_an_amount_is_an_integer_within_bounds(client: Client, way: Way, amount: object) -> None:
    refused(way.create(client, way.owing(client), amount), 400, "/amount")


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"occurred_at": "2999-01-01T00:00:00Z"}, "/occurred_at"),
        ({"occurred_at": "yesterday"}, "/occurred_at"),
        ({"reason": "x" * 256}, "/reason"),
        ({"external_reference": "a b"}, "/external_reference"),
        ({"metadata": {"k": 1}}, "/metadata/k"),
        ({"customer_id": "bcus_1"}, "/customer_id"),
        ({"reversed_at": "2026-01-01T00:00:00Z"}, "/reversed_at"),
        ({"type": "discount"}, "/type"),
        ({"balance": 1}, "/balance"),
    ],
)
def test_what_is_wrong_is_named(client: Client, members: Json, pointer: str) -> None:
    refused(CHARGE.create(client, CHARGE.owing(client), **members), 400, pointer)


@pytest.mark.parametrize("credit_type", ["credit", "refund", "", None, 5])
def test_a_credit_on_a_bill_has_one_of_three_types(client: Client, credit_type: object) -> None:
    refused(BILL_CREDIT.create(client, a_bill(client), type=credit_type), 400, "/type")


@EVERY_WAY
def test_nobody_else_sees_or_touches_it(
    way: Way, client: Client, other: Client, live: Client, public: Client, anonymous: Client
) -> None:
    thing = way.owing(client)
    made = way.make(client, thing)
    paths = [(way.at(thing), "GET"), (f"{way.at(thing)}/{made['id']}", "GET")]
    paths.append((f"{way.at(thing)}/{made['id']}/reverse", "POST"))
    for stranger, status in ((other, 404), (live, 404), (public, 403), (anonymous, 401)):
        assert [stranger.send(method, path).status for path, method in paths] == [status] * 3
        assert way.create(stranger, thing).status == status


@EVERY_WAY
def test_it_is_found_only_under_what_it_is_on(client: Client, way: Way) -> None:
    thing, another = way.owing(client), way.owing(client)
    made = way.make(client, thing)

    refused(client.get(f"{way.at(another)}/{made['id']}"), 404)
    refused(way.reverse(client, another, made["id"]), 404)
    refused(client.get(f"{way.at(thing)}/{made['id'][:-1]}"), 404)
    refused(client.get(f"/billing/{way.object_kind}s/nobody/{way.kind}s"), 404)
    refused(way.create(client, {"id": thing["id"][:-1]}), 404)


def test_bills_have_no_charges(client: Client) -> None:
    assert client.get(f"{at(a_bill(client))}/charges").status == 404


# Lists


@EVERY_WAY
def test_they_are_listed_newest_first_those_that_were_reversed_too(client: Client, way: Way) -> None:
    thing = way.owing(client)
    made = [way.make(client, thing, number, metadata={"n": str(number % 2)}) for number in range(1, 5)]
    made[1] = way.reverse(client, thing, made[1]["id"]).json()
    way.make(client, way.owing(client))

    first = client.get(f"{way.at(thing)}?limit=3")
    rest = client.get(f"{way.at(thing)}?limit=3&cursor={first.header('Next-Cursor')}")
    assert first.json()["data"] + rest.json()["data"] == made[::-1]
    assert client.get(f"{way.at(thing)}?metadata[n]=1").json()["data"] == [made[2], made[0]]
    refused(client.get(f"{way.at(thing)}?floor=1"), 400, "query: floor")


def test_a_reference_finds_one(client: Client) -> None:
    customer, reference = CHARGE.owing(client), a_reference()
    made = CHARGE.make(client, customer, external_reference=reference)
    CHARGE.make(client, customer)

    assert client.get(f"{CHARGE.at(customer)}?external_reference={reference}").json()["data"] == [made]
    another = CHARGE.owing(client)
    assert client.get(f"{CHARGE.at(another)}?external_reference={reference}").json()["data"] == []


def test_payments_and_charges_keep_out_of_each_others_lists(client: Client) -> None:
    customer = CHARGE.owing(client)
    CHARGE.make(client, customer, 5000)
    payment = a_payment(client, 10, **on(customer))

    assert [each["id"] for each in client.get(f"/billing/payments?customer={customer['id']}").json()["data"]] == [
        payment["id"]
    ]
    assert len(client.get(CHARGE.at(customer)).json()["data"]) == 1


# Who did it


def test_who_credits_a_bill_is_kept_even_where_nobody_says(client: Client, database: Database) -> None:
    made = BILL_CREDIT.make(client, a_bill(client))
    charged = CHARGE.make(client, CHARGE.owing(client))

    kept = "SELECT command, actor FROM attribution WHERE object_id = $1"
    assert [tuple(row) for row in database.rows(kept, made["id"])] == [("credit.create", None)]
    assert database.rows(kept, charged["id"]) == []


def test_the_words_of_whoever_charges_are_in_the_entry(client: Client) -> None:
    customer = CHARGE.owing(client)
    headers = {"Idempotency_Key": a_key(), "Owed_Actor": "meter 7", "Owed_Reason": "monthly reading"}
    assert client.post(CHARGE.at(customer), {"amount": 1}, **headers).status == 201

    (entry, *_) = entries(client, customer)
    assert (entry["actor"], entry["reason"]) == ("meter 7", "monthly reading")
