"""7: GET /billing/events?order=asc: a reader that keeps its cursor misses nothing and sees nothing twice."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.contract.client import Answer, Client
from tests.contract.samples import OPEN_RULES, a_bill, a_customer, a_payment, an_account, at, on
from tests.contract.service import Database, Merchant, Service, dsn_of

EVENTS: Final = "/billing/events"
APPLIED: Final = "obligation.amount_applied"
IN_ORDER: Final = """
    SELECT id, type, object_id, sequence FROM event WHERE tenant_id = $1 ORDER BY position, sequence, id
"""
LATE: Final = 10
"""Transactions that begin early and commit late."""

LENGTHS: Final = {2: 7, 5: 100}
"""After which of them another reader begins, and the length of its pages."""

INSERT: Final = """
    INSERT INTO event (tenant_id, object_id, sequence, id, type, body, recorded_at)
    VALUES ($1, $2, $3, $4, $5, $6, now())
"""


def page(client: Client, after: str | None = None, **query: Any) -> Answer:
    """Read a page of the feed, which must succeed; it always leads on."""
    further = {} if after is None else {"after": after}
    answer = client.get(f"{EVENTS}?{urlencode({'order': 'asc'} | query | further)}")
    assert answer.status == 200, answer.body
    assert answer.header("Next-Cursor")
    return answer


def ids(answer: Answer) -> list[str]:
    return [event["id"] for event in answer.json()["data"]]


class Reader:
    """One that keeps its cursor, and reads on from it.

    Attributes:
        begun_at: How many events of the feed had been read before it, by whoever gave it its cursor.
    """

    def __init__(self, client: Client, cursor: str | None = None, begun_at: int = 0, **query: Any) -> None:
        self.client = client
        self.cursor = cursor
        self.begun_at = begun_at
        self.query = query
        self.read: list[str] = []
        self.polls = 0

    def poll(self) -> int:
        """Read a page, and give how many events were in it."""
        answer = page(self.client, self.cursor, **self.query)
        self.cursor = answer.header("Next-Cursor")
        found = ids(answer)
        self.read += found
        self.polls += 1
        return len(found)

    def follow(self, is_over: threading.Event) -> None:
        """Read on until all is over, and then until there is nothing more."""
        while not is_over.is_set():
            self.poll()
        while self.poll():
            pass

    def successor(self, **query: Any) -> "Reader":
        """Make a reader that goes on from where this one is now, by pages of another length."""
        return Reader(self.client, self.cursor, self.begun_at + len(self.read), **query)


@pytest.fixture
def busy(two_workers: Service) -> Iterator[tuple[Client, Merchant]]:
    """A merchant of the test's own, behind two workers."""
    merchant = two_workers.merchant("Busy")
    made = two_workers.client(merchant.keys["sk_test"], timeout=60)
    yield made, merchant
    made.close()


def tenant_of(database: Database, merchant: Merchant) -> int:
    found: int = database.value("SELECT id FROM tenant WHERE merchant_id = $1 AND mode = 'test'", merchant.id)
    return found


# A reader that keeps its cursor


def test_every_event_is_read_once_and_in_order_while_payments_are_made_by_two_workers(
    busy: tuple[Client, Merchant], database: Database, service: Service
) -> None:
    """7: 64 connections pay, half of them into one account; some transactions begin early and commit late."""
    client, merchant = busy
    tenant = tenant_of(database, merchant)
    hot = an_account(client, currency="ZAR", payment_rules=OPEN_RULES)
    others = [an_account(client, currency="ZAR", payment_rules=OPEN_RULES) for _ in range(16)]
    readers = [Reader(client), Reader(client, object=hot["id"]), Reader(client, type="bill.paid", limit=100)]
    first, of_hot, of_late = readers
    has_enough, is_over = threading.Event(), threading.Event()

    def pay_on(number: int) -> int:
        """Pay one after another until there is enough, and give how many were made."""
        made = 0
        while not has_enough.is_set():
            a_payment(client, 100, **on(hot if number % 2 else others[number % 16]))
            made += 1
        return made

    with ThreadPoolExecutor(64 + 5) as pool:
        following = [pool.submit(reader.follow, is_over) for reader in readers]
        paying = [pool.submit(pay_on, number) for number in range(64)]
        try:
            for number in range(LATE):
                with written_late(service, tenant, number):
                    wait_for_more(database, tenant, readers)
                if number in LENGTHS:
                    readers.append(first.successor(limit=LENGTHS[number]))
                    following.append(pool.submit(readers[-1].follow, is_over))
        finally:
            has_enough.set()
            made = sum(each.result() for each in paying)
            is_over.set()
            for each in following:
                each.result()

    rows = database.rows(IN_ORDER, tenant)
    everything = [row["id"] for row in rows]
    assert len(everything) == 2 * 17 + made + LATE
    assert first.read == everything
    for reader in readers[3:]:
        assert reader.read == everything[reader.begun_at :]
        assert 0 < reader.begun_at < len(everything)
    assert of_hot.read == [row["id"] for row in sorted(rows, key=sequence) if row["object_id"] == hot["id"]]
    assert of_late.read == [row["id"] for row in rows if row["type"] == "bill.paid"]
    for thing in (hot, *others):
        sequences = [row["sequence"] for row in rows if row["object_id"] == thing["id"]]
        assert sequences == [*range(1, len(sequences) + 1)]


def sequence(row: Any) -> int:
    found: int = row["sequence"]
    return found


@contextmanager
def written_late(service: Service, tenant: int, number: int) -> Iterator[None]:
    """Write an event before the block, with an id below all others, and commit it after the block."""
    early = Database(dsn_of(service))
    try:
        event_id = f"evt_{number:022}"
        body = json.dumps({"id": event_id, "type": "bill.paid", "data": {}}).encode()
        early.execute("BEGIN")
        early.execute(INSERT, tenant, "bill_late", number + 1, event_id, "bill.paid", body)
        yield
        early.execute("COMMIT")
    finally:
        early.close()


def wait_for_more(database: Database, tenant: int, readers: list[Reader]) -> None:
    """Wait until more events are committed than were, and then until every reader has looked for them."""
    written = "SELECT count(*) FROM event WHERE tenant_id = $1"
    before = database.value(written, tenant)
    patience = time.monotonic() + 20
    while database.value(written, tenant) < before + 20:
        assert time.monotonic() < patience, "nobody pays"
    polls = [reader.polls for reader in readers]
    while any(reader.polls < number + 2 for reader, number in zip(readers, polls, strict=True)):
        assert time.monotonic() < patience, "somebody does not read"
        database.value("SELECT pg_sleep(0.002)")


def test_a_reader_at_the_end_keeps_its_cursor_and_sees_what_is_new(client: Client) -> None:
    """7: the cursor is always there; at the end it leads to what is yet to come."""
    bill = a_bill(client)
    answer = page(client, object=bill["id"])
    end = page(client, answer.header("Next-Cursor"), object=bill["id"])
    still = page(client, end.header("Next-Cursor"), object=bill["id"])
    assert [len(ids(each)) for each in (answer, end, still)] == [1, 0, 0]
    a_payment(client, 1000, bill=bill["id"])
    news = page(client, still.header("Next-Cursor"), object=bill["id"])
    assert [event["type"] for event in news.json()["data"]] == [APPLIED, "bill.paid"]
    assert page(client, end.header("Next-Cursor"), object=bill["id"]).body == news.body


def test_what_has_just_been_answered_is_in_the_feed(client: Client) -> None:
    """When all is quiet, nothing waits for a later event to be readable."""
    for _ in range(5):
        customer = a_customer(client)
        (event,) = page(client, object=customer["id"]).json()["data"]
        assert event["data"]["id"] == customer["id"]


def test_a_merchant_with_no_events_has_a_cursor_too(service: Service) -> None:
    merchant = service.merchant("New")
    client = service.client(merchant.keys["sk_test"])
    empty = page(client)
    customer = a_customer(client)
    (event,) = page(client, empty.header("Next-Cursor")).json()["data"]
    assert (ids(empty), event["data"]["id"]) == ([], customer["id"])


# Filters, pages, cursors


def test_the_feed_is_the_list_in_the_order_of_commits_with_the_same_bytes(client: Client, database: Database) -> None:
    bill = a_bill(client)
    a_payment(client, 1000, bill=bill["id"])
    sql = "SELECT body FROM event WHERE object_id = $1 ORDER BY sequence"
    bodies = [row["body"] for row in database.rows(sql, bill["id"])]
    assert page(client, object=bill["id"]).body == b'{"data":[' + b",".join(bodies) + b"]}"


def test_filters_hold_at_once(client: Client) -> None:
    bill = a_bill(client)
    payments = [a_payment(client, 100, bill=bill["id"]) for _ in range(3)]
    client.patch(at(bill), {"metadata": {"a": "b"}})
    found = page(client, object=bill["id"], type=APPLIED).json()["data"]
    assert [event["data"]["payment_id"] for event in found] == [payment["id"] for payment in payments]
    assert ids(page(client, object=bill["id"], type="bill.voided")) == []


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_pages_of_any_length_lead_on_by_their_link(client: Client, limit: int) -> None:
    bill = a_bill(client)
    for _ in range(3):
        a_payment(client, 100, bill=bill["id"])
    everything = ids(page(client, object=bill["id"]))
    found, answer = [], page(client, object=bill["id"], limit=limit)
    while part := ids(answer):
        found += part
        target, _, relation = answer.header("Link").partition("; ")
        assert relation == 'rel="next"'
        asked = {"order": ["asc"], "object": [bill["id"]], "limit": [str(limit)]}
        assert parse_qs(urlsplit(target.strip("<>")).query) == asked | {"after": [answer.header("Next-Cursor")]}
        assert answer.headers.get("Prev-Cursor") is None
        answer = client.get(target.strip("<>"))
    assert (len(found), found) == (4, everything)


def test_a_page_without_a_limit_has_twenty(client: Client) -> None:
    for _ in range(21):
        a_customer(client)
    assert len(ids(page(client))) == 20


@pytest.mark.parametrize(
    "other_list",
    [
        lambda cursor: f"{EVENTS}?order=asc&type=bill.paid&after={cursor}",
        lambda cursor: f"{EVENTS}?order=asc&object=bill_1&after={cursor}",
        lambda cursor: f"{EVENTS}?order=asc&after={cursor}x",
        lambda cursor: f"{EVENTS}?order=asc&after={cursor[:-1]}",
    ],
    ids=["type", "object", "longer", "shorter"],
)
def test_a_cursor_is_good_for_its_own_feed_alone(client: Client, other_list: Callable[[str], str]) -> None:
    cursor = page(client).header("Next-Cursor")
    answer = client.get(other_list(cursor))
    assert (answer.status, answer.pointers) == (400, ["query: after"])


def test_a_cursor_of_the_feed_is_none_of_the_list_nor_of_another_mode(
    client: Client, live: Client, other: Client
) -> None:
    a_customer(client)
    cursor = page(client, limit=1).header("Next-Cursor")
    newest_first = client.get(f"{EVENTS}?limit=1").header("Next-Cursor")
    assert client.get(f"{EVENTS}?cursor={cursor}").pointers == ["query: cursor"]
    assert client.get(f"{EVENTS}?order=asc&after={newest_first}").pointers == ["query: after"]
    for stranger in (live, other):
        assert stranger.get(f"{EVENTS}?order=asc&after={cursor}").pointers == ["query: after"]
