"""6: `?as_of=` on a retrieve: money and status as they were recorded then, all else as it is now."""

from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from tests.contract.client import Answer, Client, Json
from tests.contract.samples import (
    ACCOUNT,
    CUSTOMER,
    EVERY_NOUN,
    REFUND,
    REVERSAL,
    RULES,
    Noun,
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
from tests.contract.service import Database

OVER: Final = RULES | {"overpayment_allowed": True}
STEP: Final = timedelta(microseconds=1)
NO_TIMES: Final = [
    "", "x", "now", "2026-01-31", "2026-01-31T09:30:00", "2026-01-31T09:30Z", "2026-01-31T09:30:00%2B00:00",
    "2026-02-30T00:00:00Z", "2026-01-31%2009:30:00Z", "2026-01-31T25:00:00Z", "2026-01-31T09:30:00.1234567Z",
    "2026-01-31T09:30:00Z%0A", "1769851800", "%EF%BC%92026-01-31T09:30:00Z", "%00", "%FF", "infinity", "null",
]  # fmt: skip


def asked(client: Client, thing: Json, time: datetime) -> Answer:
    return client.get(f"{at(thing)}?as_of={iso(time)}")


def as_of(client: Client, thing: Json, time: datetime) -> Json:
    """Return an object as of a time, at which it must have existed."""
    answer = asked(client, thing, time)
    assert answer.status == 200, answer.body
    shown: Json = answer.json()
    return shown


def created_at(database: Database, noun: Noun, thing: Json) -> datetime:
    time: datetime = database.value(f"SELECT created_at FROM {noun.name} WHERE id = $1", thing["id"])
    return time


class History:
    """What an object was after each of its changes, and when the last of what it owes had been recorded by then."""

    def __init__(self, client: Client, thing: Json) -> None:
        self.client = client
        self.thing = thing
        self.states: list[tuple[datetime, Json]] = []
        self.note()

    def note(self) -> None:
        """Keep how the object stands now."""
        newest = moment(entries(self.client, self.thing, limit=1)[0]["recorded_at"])
        self.states.append((newest, as_it_stands(self.client, self.thing)))

    def patch(self, **members: object) -> None:
        answer = self.client.patch(at(self.thing), members)
        assert answer.status == 200, answer.body
        self.note()

    def holds(self, **as_now: object) -> None:
        """Expect that each state is found at its time, and up to the next; `as_now` are members that follow no time."""
        ends = [time - STEP for time, _ in self.states[1:]] + [datetime.now(UTC)]
        for (time, state), end in zip(self.states, ends, strict=True):
            for asked_for in (time, end):
                assert as_of(self.client, self.thing, asked_for) == state | as_now


# Each noun through its life


def test_a_bill_is_shown_as_it_was(client: Client) -> None:
    """6: `amount_paid`, `amount_remaining` and `status` as they were recorded then, through every cause."""
    bill = a_bill(client, payment_rules=OVER)
    history = History(client, bill)
    first = a_payment(client, 400, bill=bill["id"])
    history.note()
    history.patch(amount_paid=700)
    REFUND.make(client, first, amount=100)
    history.note()
    second = a_payment(client, 400, bill=bill["id"])
    history.note()
    third = a_payment(client, 250, bill=bill["id"])
    history.note()
    for payment in (second, third, first):
        REVERSAL.make(client, payment)
        history.note()
    history.patch(amount_paid=1000)
    assert [(state["amount_paid"], state["status"]) for _, state in history.states] == [
        (0, "unpaid"), (400, "unpaid"), (700, "unpaid"), (600, "unpaid"), (1000, "paid"), (1250, "paid"),
        (850, "unpaid"), (600, "unpaid"), (300, "unpaid"), (1000, "paid"),
    ]  # fmt: skip
    history.holds()


@pytest.mark.parametrize("noun", [CUSTOMER, ACCOUNT], ids=str)
def test_a_balance_is_shown_as_it_was(client: Client, noun: Noun) -> None:
    """6: `balance` as it was recorded then: owed, nothing, or a credit."""
    thing = noun.make(client, currency="ZAR", balance=500, payment_rules=OVER)
    history = History(client, thing)
    payment = a_payment(client, 700, **{noun.name: thing["id"]})
    history.note()
    history.patch(balance=0)
    REFUND.make(client, payment, amount=300)
    history.note()
    REVERSAL.make(client, payment)
    history.note()
    history.patch(balance=-5)
    assert [state["balance"] for _, state in history.states] == [500, -200, 0, 300, 700, -5]
    history.holds()


@EVERY_NOUN
def test_the_other_members_are_as_they_are_now(client: Client, noun: Noun) -> None:
    """6: what is not money follows no time: neither names nor rules nor metadata."""
    money = {} if noun.name == "bill" else {"currency": "ZAR", "balance": 1000}
    thing = noun.make(client, **money, metadata={"a": "1"})
    history = History(client, thing)
    a_payment(client, 1000, **{noun.name: thing["id"]})
    history.note()
    later = {"due_date": "2026-01-31"} if noun.name == "bill" else {"name": "New"}
    now = later | {"payment_rules": OVER, "metadata": {"a": "2", "b": "3"}}
    assert client.patch(at(thing), now).status == 200
    history.holds(**now)


def test_an_object_is_asked_for_by_either_name(client: Client) -> None:
    bill = a_bill(client)
    history = History(client, bill)
    history.patch(amount_paid=10)
    time = iso(history.states[0][0])
    for name in ("id", "external_reference"):
        assert client.get(f"/billing/bills/{bill[name]}?as_of={time}").json() == bill


def test_what_was_recorded_counts_not_when_it_happened(client: Client) -> None:
    """6: as they were recorded then: a payment of last month was not known last month."""
    bill = a_bill(client)
    history = History(client, bill)
    a_payment(client, 1000, bill=bill["id"], paid_at="2026-01-31T09:30:00Z")
    history.note()
    history.holds()
    assert asked(client, bill, datetime.fromisoformat("2026-01-31T09:30:00Z")).status == 404


def test_a_void_is_in_force_from_its_time_on(client: Client) -> None:
    """4, 6: the status follows from the money; what remained stays."""
    bill = a_bill(client)
    history = History(client, bill)
    payment = a_payment(client, 1000, bill=bill["id"])
    history.note()
    REFUND.make(client, payment)
    history.note()
    assert client.post(f"{at(bill)}/void", {"metadata": {"why": "typo"}}).status == 200
    history.note()
    assert [state["status"] for _, state in history.states] == ["unpaid", "paid", "unpaid", "voided"]
    assert history.states[-1][1]["amount_remaining"] == 1000
    history.holds(metadata={"why": "typo"})


def test_a_bill_was_owed_in_the_currency_of_its_time(client: Client) -> None:
    """6: an amount of money is an amount of a currency: 1000 ZAR never were 1000 USD."""
    bill = a_bill(client)
    history = History(client, bill)
    for currency in ("USD", "JPY", "ZAR"):
        history.patch(currency=currency)
    a_payment(client, 1000, bill=bill["id"])
    history.note()
    assert [state["currency"] for _, state in history.states] == ["ZAR", "USD", "JPY", "ZAR", "ZAR"]
    history.holds()


def test_a_change_that_took_several_transfers_is_never_seen_half_done(client: Client) -> None:
    """6: a currency changes by two transfers: at no instant was the bill paid, or nothing of it owed."""
    bill = a_bill(client)
    before = as_it_stands(client, bill)
    changed = client.patch(at(bill), {"currency": "USD", "amount_paid": 300}).json()
    fresh = before | {"currency": "USD"}
    times = [moment(entry["recorded_at"]) for entry in entries(client, bill)][:3]
    shown = [as_of(client, bill, time) for time in times]
    assert shown[0] == changed
    assert all(each in (before, fresh, changed) for each in shown)


# Tracked, or not


@pytest.mark.parametrize("noun", [CUSTOMER, ACCOUNT], ids=str)
def test_a_balance_is_absent_before_it_was_tracked(client: Client, database: Database, noun: Noun) -> None:
    """2, 6: absent: not tracked; also where the total ran already."""
    thing = noun.make(client, currency="ZAR")
    created = created_at(database, noun, thing)
    payment = a_payment(client, 300, **{noun.name: thing["id"]})
    untracked = moment(entries(client, thing)[0]["recorded_at"])
    history_of_paid = as_of(client, thing, untracked)
    client.patch(at(thing), {"balance": 500})
    tracked = moment(entries(client, thing)[0]["recorded_at"])
    REFUND.make(client, payment)
    for time in (created, untracked, tracked - STEP):
        assert as_of(client, thing, time) == thing == history_of_paid
    assert as_of(client, thing, tracked) == thing | {"balance": 500}
    assert as_of(client, thing, datetime.now(UTC)) == thing | {"balance": 800}


def test_a_balance_of_nothing_is_tracked(client: Client) -> None:
    """2: an opening of 0 is a balance of 0."""
    account = an_account(client, currency="ZAR", balance=0)
    opened = moment(entries(client, account)[0]["recorded_at"])
    client.patch(at(account), {"balance": 5})
    assert as_of(client, account, opened) == account


def test_a_balance_that_was_never_tracked_stays_absent(client: Client) -> None:
    for thing in (a_customer(client), an_account(client), a_customer(client, currency="ZAR", name="Jane")):
        assert as_of(client, thing, datetime.now(UTC)) == thing


def test_a_balance_that_came_with_its_currency_was_not_there_before(client: Client, database: Database) -> None:
    customer = a_customer(client)
    client.patch(at(customer), {"currency": "ZAR", "balance": 5})
    assert "balance" not in as_of(client, customer, created_at(database, CUSTOMER, customer))


# When


@EVERY_NOUN
def test_it_is_not_found_before_it_existed(client: Client, database: Database, noun: Noun) -> None:
    """6: 404 before it existed, to the microsecond."""
    thing = noun.make(client, **({} if noun.name == "bill" else {"currency": "ZAR", "balance": 5}))
    created = created_at(database, noun, thing)
    assert as_of(client, thing, created) == thing
    for time in (created - STEP, created - timedelta(days=1), datetime.fromisoformat("1970-01-01T00:00:00Z")):
        answer = asked(client, thing, time)
        assert (answer.status, answer.code) == (404, "not_found")


@EVERY_NOUN
def test_the_future_is_400(client: Client, noun: Noun) -> None:
    """6: 400 in the future."""
    thing = noun.make(client)
    soon = datetime.now(UTC) + timedelta(seconds=60)
    for time in (iso(soon), "2999-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"):
        refused(client.get(f"{at(thing)}?as_of={time}"), 400, "query: as_of")


@EVERY_NOUN
def test_what_is_no_time_is_400(client: Client, noun: Noun) -> None:
    """1.1: malformed, unknown or given twice; timestamps in a query end in `Z`."""
    path = at(noun.make(client))
    for value in NO_TIMES:
        refused(client.get(f"{path}?as_of={value}"), 400, "query: as_of")
    now = iso(datetime.now(UTC))
    refused(client.get(f"{path}?as_of={now}&as_of={now}"), 400, "query: as_of")
    refused(client.get(f"{path}?as_of=x&expand=y"), 400, "query: as_of", "query: expand")
    refused(client.get(f"{path}?As_of={now}"), 400, "query: As_of")


@pytest.mark.parametrize("fraction", ["", ".1", ".12", ".123", ".123456"])
def test_a_time_may_have_a_fraction_of_a_second(client: Client, fraction: str) -> None:
    """1.1: ISO 8601 in UTC with a `Z`."""
    assert client.get(f"{at(a_bill(client))}?as_of=2026-01-31T09:30:00{fraction}Z").status == 404


@EVERY_NOUN
def test_an_unknown_object_is_not_found_whenever(
    client: Client, live: Client, other: Client, public: Client, anonymous: Client, noun: Noun
) -> None:
    """1.1, 1.2: the path's object comes before validation; only its merchant, in its mode, with a secret key."""
    now = iso(datetime.now(UTC))
    for query in (f"as_of={now}", "as_of=x", "as_of=2999-01-01T00:00:00Z"):
        assert client.get(f"{noun.path}/{a_reference()}?{query}").code == "not_found"
    path = f"{at(noun.make(client))}?as_of={iso(datetime.now(UTC))}"
    statuses = [caller.get(path).status for caller in (client, live, other, public, anonymous)]
    assert statuses == [200, 404, 404, 403, 401]


# Headers, and other routes


@EVERY_NOUN
def test_it_has_no_etag(client: Client, noun: Noun) -> None:
    """1.1: lists and `as_of` have no ETag; so there is nothing that a condition could compare."""
    thing = noun.make(client)
    current = client.get(at(thing)).etag
    path = f"{at(thing)}?as_of={iso(datetime.now(UTC))}"
    for condition in (current, "*", '"other"'):
        answer = client.get(path, If_None_Match=condition)
        assert (answer.status, answer.json()) == (200, thing)
        assert [answer.headers.get(name) for name in ("ETag", "Last-Modified")] == [None, None]
    head = client.send("HEAD", path)
    assert (head.status, head.body, "ETag" in head.headers) == (200, b"", False)


@EVERY_NOUN
def test_only_a_retrieve_has_it(client: Client, noun: Noun) -> None:
    """1.1: a query parameter that is unknown is 400."""
    thing, now = noun.make(client), iso(datetime.now(UTC))
    for answer in (
        client.get(f"{noun.path}?as_of={now}"),
        client.patch(f"{at(thing)}?as_of={now}", {"metadata": {"a": "1"}}),
        client.get(f"{at(thing)}/entries?as_of={now}"),
    ):
        refused(answer, 400, "query: as_of")
    assert as_it_stands(client, thing) == thing
