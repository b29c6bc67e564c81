"""7: GET /billing/events and /billing/events/{event}: what happened, newest first, and each event as it is signed."""

import json
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest

from tests.contract.client import JSON, Answer, Client, Json
from tests.contract.samples import (
    BILL,
    EVERY_NOUN,
    REFUND,
    Noun,
    a_bill,
    a_customer,
    a_payment,
    an_account,
    at,
    iso,
    owing,
    refused,
)
from tests.contract.service import Database, Merchant, Service

EVENTS: Final = "/billing/events"
TYPES: Final = [
    "account.created", "account.updated", "bill.created", "bill.paid", "bill.updated", "bill.voided",
    "customer.created", "customer.updated", "obligation.amount_applied", "obligation.amount_reversed",
]  # fmt: skip
STEP: Final = timedelta(microseconds=1)


def listed(client: Client, **query: Any) -> Answer:
    return client.get(f"{EVENTS}?{urlencode(query)}")


def told(client: Client, **query: Any) -> list[Json]:
    """Return a page of events, newest first."""
    answer = listed(client, **{"limit": 100} | query)
    assert answer.status == 200, answer.body
    assert set(answer.json()) == {"data"}
    found: list[Json] = answer.json()["data"]
    return found


def types(client: Client, **query: Any) -> list[str]:
    return [event["type"] for event in told(client, **query)]


def ids(answer: Answer) -> list[str]:
    assert answer.status == 200, answer.body
    return [event["id"] for event in answer.json()["data"]]


@pytest.fixture(scope="module")
def quiet(service: Service, fresh_merchant: Merchant) -> Client:
    """A caller whose events are only those of this module."""
    return service.client(fresh_merchant.keys["sk_test"])


@pytest.fixture(scope="module")
def history(quiet: Client) -> Json:
    """A customer with a bill that is paid twice and refunded once: all events that there are in test mode."""
    customer = a_customer(quiet)
    bill = a_bill(quiet, customer=customer["id"])
    a_payment(quiet, 400, bill=bill["id"])
    payment = a_payment(quiet, 600, bill=bill["id"])
    REFUND.make(quiet, payment, amount=100)
    quiet.patch(at(customer), {"name": "New"})
    return {"customer": customer, "bill": bill}


HISTORY: Final = [
    "customer.updated",
    "obligation.amount_reversed",
    "bill.paid",
    "obligation.amount_applied",
    "obligation.amount_applied",
    "bill.created",
    "customer.created",
]
"""The types of them, newest first."""


# Each by itself


def test_an_event_is_told_as_the_very_bytes_that_are_signed(client: Client, database: Database) -> None:
    """7: retrieved, its body is the stored one, byte for byte."""
    bill = a_bill(client, metadata={"note": "Zoë / <b>"})
    (row,) = database.rows("SELECT id, body, recorded_at FROM event WHERE object_id = $1", bill["id"])
    answer = client.get(f"{EVENTS}/{row['id']}")
    assert (answer.status, answer.media_type(), answer.body) == (200, JSON, row["body"])
    assert answer.json() == {"id": row["id"], "type": "bill.created", "data": bill}
    assert parsedate_to_datetime(answer.header("Last-Modified")) == row["recorded_at"].replace(microsecond=0)
    assert answer.headers.get("ETag") is None


def test_a_list_holds_the_same_bytes(quiet: Client, history: Json, database: Database) -> None:
    answer = listed(quiet, object=history["bill"]["id"])
    sql = "SELECT body FROM event WHERE object_id = $1 ORDER BY sequence DESC"
    bodies = [row["body"] for row in database.rows(sql, history["bill"]["id"])]
    assert answer.body == b'{"data":[' + b",".join(bodies) + b"]}"


@pytest.mark.parametrize("name", ["evt_0Nn4c3kXq1J8eY2bT5vR7s", "evt_", "x", "é", "%00", "a" * 1000])
def test_an_event_that_does_not_exist_is_not_found(client: Client, name: str) -> None:
    refused(client.get(f"{EVENTS}/{name if '%' in name else quote(name)}"), 404)


@pytest.mark.usefixtures("history")
def test_an_event_takes_no_parameters(client: Client, quiet: Client) -> None:
    event = told(quiet)[0]["id"]
    refused(quiet.get(f"{EVENTS}/{event}?type=bill.paid"), 400, "query: type")
    refused(client.get(f"{EVENTS}/{event}?type=bill.paid"), 404)


# Who sees them


def test_nobody_sees_the_events_of_another_merchant_or_mode(
    service: Service, quiet: Client, history: Json, fresh_merchant: Merchant, other: Client
) -> None:
    event = told(quiet)[0]["id"]
    for stranger in (other, service.client(fresh_merchant.keys["sk"])):
        refused(stranger.get(f"{EVENTS}/{event}"), 404)
        assert told(stranger, object=history["bill"]["id"]) == []
        assert told(stranger, object=history["bill"]["id"], order="asc") == []
    assert told(service.client(fresh_merchant.keys["sk"])) == []


@pytest.mark.parametrize("path", [EVENTS, f"{EVENTS}?order=asc", f"{EVENTS}/evt_1"])
def test_events_need_a_secret_key(public: Client, anonymous: Client, path: str) -> None:
    assert (public.get(path).status, anonymous.get(path).status) == (403, 401)


@pytest.mark.parametrize("path", [EVENTS, f"{EVENTS}/evt_1"])
def test_events_can_only_be_read(client: Client, path: str) -> None:
    answer = client.send("POST", path, b"{}", {"Content-Type": JSON})
    assert (answer.status, answer.header("Allow")) == (405, "GET, HEAD")


# The list, and its filters


@pytest.mark.usefixtures("history")
def test_events_are_listed_newest_first(quiet: Client) -> None:
    found = told(quiet)
    assert [event["type"] for event in found] == HISTORY
    assert found == told(quiet, order="desc")
    assert [event["id"] for event in found] == sorted((event["id"] for event in found), reverse=True)


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize("kind", TYPES)
def test_events_are_found_by_their_type(quiet: Client, kind: str) -> None:
    assert types(quiet, type=kind) == [each for each in HISTORY if each == kind]


def test_events_are_found_by_what_they_happened_to(quiet: Client, history: Json) -> None:
    customer, bill = history["customer"]["id"], history["bill"]["id"]
    assert types(quiet, object=customer) == ["customer.updated", "customer.created"]
    assert types(quiet, object=bill) == HISTORY[1:-1]
    assert types(quiet, object=bill, type="obligation.amount_applied") == ["obligation.amount_applied"] * 2
    assert types(quiet, object=customer, type="bill.paid") == []


@EVERY_NOUN
def test_an_object_has_its_payments_among_its_events(client: Client, noun: Noun) -> None:
    thing = owing(client, noun)
    a_payment(client, 300, **{noun.name: thing["id"]})
    assert types(client, object=thing["id"]) == ["obligation.amount_applied", f"{noun}.created"]


def test_what_does_not_exist_has_no_events(client: Client) -> None:
    assert told(client, object="bill_0Nn4c3kXq1J8eY2bT5vR7s") == []


@pytest.mark.parametrize("by_object", [False, True])
@pytest.mark.parametrize("kind", [None, "bill.paid"])
def test_times_are_exclusive_bounds(
    quiet: Client, history: Json, database: Database, by_object: bool, kind: str | None
) -> None:
    bill = history["bill"]["id"]
    filters = {"object": bill} if by_object else {}
    filters |= {"type": kind} if kind else {}
    (row,) = database.rows("SELECT id, recorded_at FROM event WHERE object_id = $1 AND type = 'bill.paid'", bill)
    time = row["recorded_at"]

    def found(**bounds: Any) -> list[str]:
        return [event["id"] for event in told(quiet, **filters, **bounds)]

    everything = found()
    here = everything.index(row["id"])
    same = found(created_after=iso(time - STEP), created_before=iso(time + STEP))
    assert row["id"] in same  # a payment and what it settles are told at one time
    after, before = found(created_after=iso(time)), found(created_before=iso(time))
    assert after + same + before == everything
    assert len(after) <= here
    assert found(created_after=iso(time), created_before=iso(time)) == []
    assert found(created_after="1950-01-01T00:00:00Z", created_before="9999-12-31T23:59:59.999999Z") == everything


# Pages


@pytest.mark.parametrize("filters", [{}, {"type": "obligation.amount_applied"}, {"object": "bill"}], ids=str)
def test_pages_lead_on_and_back(quiet: Client, history: Json, filters: Json) -> None:
    """1.6: every event once, newest first; back again the same pages."""
    filters = {name: history[value]["id"] if name == "object" else value for name, value in filters.items()}
    everything = [event["id"] for event in told(quiet, **filters)]
    onward = [listed(quiet, limit=2, **filters)]
    while cursor := onward[-1].headers.get("Next-Cursor"):
        onward.append(listed(quiet, limit=2, cursor=cursor, **filters))
    back = [onward[-1]]
    while cursor := back[-1].headers.get("Prev-Cursor"):
        back.append(listed(quiet, limit=2, cursor=cursor, **filters))
    assert [event for page in onward for event in ids(page)] == everything
    assert [ids(page) for page in back[::-1]] == [ids(page) for page in onward]


def test_links_lead_to_the_pages_on_either_side(quiet: Client, history: Json) -> None:
    first = listed(quiet, limit=2, type="obligation.amount_applied", object=history["bill"]["id"])
    assert first.headers.get("Next-Cursor") is None
    first = listed(quiet, limit=1, type="obligation.amount_applied")
    target, _, relation = first.header("Link").partition("; ")
    assert relation == 'rel="next"'
    assert parse_qs(urlsplit(target.strip("<>")).query) == {
        "limit": ["1"],
        "type": ["obligation.amount_applied"],
        "cursor": [first.header("Next-Cursor")],
    }
    second = quiet.get(target.strip("<>"))
    assert ids(second) == [told(quiet, type="obligation.amount_applied")[1]["id"]]


@pytest.mark.usefixtures("history")
def test_a_list_has_no_etag(quiet: Client) -> None:
    assert [listed(quiet, **query).headers.get("ETag") for query in ({}, {"order": "asc"})] == [None, None]


def test_a_cursor_is_good_for_its_own_list_alone(
    quiet: Client, history: Json, service: Service, fresh_merchant: Merchant
) -> None:
    cursor = listed(quiet, limit=1).header("Next-Cursor")
    bill = history["bill"]["id"]
    for query in ({"type": "bill.paid"}, {"object": bill}, {"created_after": "2020-01-01T00:00:00Z"}):
        refused(listed(quiet, cursor=cursor, **query), 400, "query: cursor")
    refused(quiet.get(f"{at(history['bill'])}/entries?cursor={cursor}"), 400, "query: cursor")
    refused(listed(service.client(fresh_merchant.keys["sk"]), cursor=cursor), 400, "query: cursor")
    assert listed(quiet, cursor=cursor, limit=3).status == 200


def test_pages_stay_right_while_events_are_added(client: Client) -> None:
    account = an_account(client, currency="ZAR", balance=1000)
    for _ in range(3):
        a_payment(client, account=account["id"])
    everything = ids(listed(client, object=account["id"]))
    first = listed(client, object=account["id"], limit=2)
    a_payment(client, account=account["id"])
    second = listed(client, object=account["id"], limit=2, cursor=first.header("Next-Cursor"))
    assert ids(first) + ids(second) == everything


# What is refused


@pytest.mark.parametrize(
    ("query", "pointers"),
    [
        ("type=payment.created", ["query: type"]),
        ("type=", ["query: type"]),
        ("type=*", ["query: type"]),
        ("type=bill.paid&type=bill.paid", ["query: type"]),
        ("object=INV-1", ["query: object"]),
        ("object=pay_0Nn4c3kXq1J8eY2bT5vR7s", ["query: object"]),
        ("object=", ["query: object"]),
        ("object=bill_%00", ["query: object"]),
        ("object=bill_%ff", ["query: object"]),
        ("object=bill_1%0A", ["query: object"]),
        ("created_after=2026-01-31", ["query: created_after"]),
        ("created_before=2026-02-30T00:00:00Z", ["query: created_before"]),
        ("order=up", ["query: order"]),
        ("order=ASC", ["query: order"]),
        ("limit=0&cursor=x", ["query: cursor", "query: limit"]),
        ("limit=101&order=asc&after=x", ["query: after", "query: limit"]),
        ("since=1&types=2", ["query: since", "query: types"]),
        ("after=x", ["query: after"]),
        ("after=x&order=desc", ["query: after"]),
        ("order=asc&cursor=x", ["query: cursor"]),
        (
            "order=asc&created_after=2026-01-31T00:00:00Z&created_before=2026-01-31T00:00:00Z",
            ["query: created_after", "query: created_before"],
        ),
        ("order=asc&after=", ["query: after"]),
        ("order=asc&after=1&after=2", ["query: after", "query: after"]),
        ("order=asc&type=nothing&object=none", ["query: object", "query: type"]),
    ],
)
def test_what_a_list_does_not_have_is_refused_by_name(client: Client, query: str, pointers: list[str]) -> None:
    """1.1: a query parameter that is unknown, given twice or malformed is 400, each fault named."""
    refused(client.get(f"{EVENTS}?{query}"), 400, *pointers)


def test_an_unknown_type_is_answered_with_those_that_there_are(client: Client) -> None:
    (fault,) = listed(client, type="bill.deleted").json()["errors"]
    assert all(kind in fault["detail"] for kind in TYPES)


def test_every_type_that_is_told_can_be_asked_for(client: Client) -> None:
    """The list of types is whole: one of each is made, and found."""
    account = an_account(client, currency="ZAR", balance=100)
    client.patch(at(account), {"name": "New"})
    bill = BILL.make(client)
    client.patch(at(bill), {"metadata": {"a": "b"}})
    client.send("POST", f"{at(bill)}/void")
    paid = BILL.make(client)
    REFUND.make(client, a_payment(client, 1000, bill=paid["id"]))
    client.patch(at(a_customer(client)), {"name": "New"})
    assert {kind: types(client, type=kind, limit=1) for kind in TYPES} == {kind: [kind] for kind in TYPES}


@pytest.mark.usefixtures("history")
def test_an_envelope_has_these_members_in_this_order(quiet: Client) -> None:
    answer = listed(quiet, limit=1)
    (envelope,) = json.loads(answer.body)["data"]
    assert list(envelope) == ["id", "type", "data"]
