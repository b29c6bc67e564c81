"""7: GET /billing/events/{event}/deliveries: what became of an event, and what is still to come."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from tests.contract.client import JSON, Client, Json
from tests.contract.debugging import (
    EVENTS,
    EVERYTHING,
    an_endpoint,
    an_event,
    attempted,
    delete,
    disable,
    took_up,
    waiting,
)
from tests.contract.samples import iso, refused
from tests.contract.service import Database, Merchant, Service

SECOND = timedelta(seconds=1)


@pytest.fixture(scope="module")
def quiet(service: Service, fresh_merchant: Merchant) -> Client:
    """A merchant that has no endpoints but those of this module."""
    return service.client(fresh_merchant.keys["sk_test"])


@pytest.fixture
def endpoint(quiet: Client) -> Any:
    """An endpoint that gets everything, for the length of a test."""
    made = an_endpoint(quiet, **EVERYTHING)
    yield made
    delete(quiet, made)


def told(client: Client, event: Json, query: str = "") -> Json:
    answer = client.get(f"{EVENTS}/{event['id']}/deliveries{query}")
    assert (answer.status, answer.media_type()) == (200, JSON), answer.body
    deliveries: Json = answer.json()
    assert set(deliveries) == {"data", "pending"}
    return deliveries


# Attempts


def test_each_attempt_tells_all_that_is_known_of_it(quiet: Client, database: Database, endpoint: Json) -> None:
    event = an_event(quiet)
    row = attempted(database, event, endpoint, answer=b"not now", duration_ms=140)
    (attempt,) = told(quiet, event)["data"]
    assert attempt == {
        "id": row["id"],
        "endpoint_id": endpoint["id"],
        "number": 1,
        "attempted_at": iso(row["attempted_at"]),
        "duration_ms": 140,
        "address": "203.0.113.7",
        "status": 500,
        "answer": "not now",
        "succeeded": False,
        "out_of_order": False,
        "next_attempt_at": iso(row["next_attempt_at"]),
    }


def test_what_an_attempt_did_not_come_to_is_absent(quiet: Client, database: Database, endpoint: Json) -> None:
    event = an_event(quiet)
    nothing: Json = dict.fromkeys(("address", "status", "answer", "next_attempt_at"))
    attempted(database, event, endpoint, **nothing, error="name does not resolve")
    (attempt,) = told(quiet, event)["data"]
    assert attempt["error"] == "name does not resolve"
    assert attempt.keys().isdisjoint(nothing)


def test_an_answer_that_is_no_text_is_shown_as_well_as_it_can_be(
    quiet: Client, database: Database, endpoint: Json
) -> None:
    event = an_event(quiet)
    attempted(database, event, endpoint, answer=b"caf\xe9 \x00\xf0\x9f\x98")
    assert told(quiet, event)["data"][0]["answer"] == "caf\ufffd \x00\ufffd"


@pytest.mark.parametrize("limit", [1, 2, 4, 100])
def test_attempts_are_listed_newest_first_and_page_by_page(
    quiet: Client, database: Database, endpoint: Json, limit: int
) -> None:
    event = an_event(quiet)
    attempted(database, an_event(quiet), endpoint)
    made = [attempted(database, event, endpoint, number)["id"] for number in range(1, 6)][::-1]
    path = f"{EVENTS}/{event['id']}/deliveries"
    pages = [quiet.get(f"{path}?limit={limit}")]
    while cursor := pages[-1].headers.get("Next-Cursor"):
        pages.append(quiet.get(f"{path}?limit={limit}&cursor={cursor}"))
    back = [pages[-1]]
    while cursor := back[-1].headers.get("Prev-Cursor"):
        back.append(quiet.get(f"{path}?limit={limit}&cursor={cursor}"))
    assert [each["id"] for page in pages for each in page.json()["data"]] == made
    assert [page.json() for page in back] == [page.json() for page in reversed(pages)]
    assert "ETag" not in pages[0].headers


# What is still to be delivered


def pending(client: Client, event: Json) -> Json:
    """Return what is pending, of one endpoint, less its id."""
    (found,) = told(client, event)["pending"]
    assert found.pop("endpoint_id")
    return dict(found)


NEW = {"attempts": 0, "out_of_order": False, "failed": False}


@pytest.mark.usefixtures("endpoint")
def test_an_event_that_was_just_recorded_is_pending(quiet: Client) -> None:
    assert pending(quiet, an_event(quiet)) == NEW


def test_an_event_that_was_delivered_is_not(quiet: Client, database: Database, endpoint: Json) -> None:
    event = an_event(quiet)
    took_up(database, event, endpoint)
    assert told(quiet, event) == {"data": [], "pending": []}


def test_an_event_that_waits_behind_another_has_no_next_attempt(
    quiet: Client, database: Database, endpoint: Json
) -> None:
    event = an_event(quiet)
    waiting(database, event, endpoint, due_at=None)
    assert pending(quiet, event) == NEW


def test_an_event_that_is_to_be_attempted_again_says_when(quiet: Client, database: Database, endpoint: Json) -> None:
    event, retry_at = an_event(quiet), datetime.now(UTC) + 60 * SECOND
    waiting(database, event, endpoint, attempts=3, due_at=retry_at, retry_at=retry_at)
    assert pending(quiet, event) == NEW | {"attempts": 3, "next_attempt_at": iso(retry_at)}


def test_to_be_set_aside_is_no_attempt(quiet: Client, database: Database, endpoint: Json) -> None:
    event, retry_at = an_event(quiet), datetime.now(UTC) + 60 * SECOND
    waiting(database, event, endpoint, attempts=3, due_at=retry_at - SECOND, retry_at=retry_at)
    assert pending(quiet, event)["next_attempt_at"] == iso(retry_at)


def test_an_event_that_was_set_aside_is_out_of_order(quiet: Client, database: Database, endpoint: Json) -> None:
    event = an_event(quiet)
    waiting(database, event, endpoint, attempts=6, lane=event["id"])
    assert pending(quiet, event).items() >= {"attempts": 6, "out_of_order": True}.items()


def test_an_event_whose_retries_are_used_up_has_failed(quiet: Client, database: Database, endpoint: Json) -> None:
    event = an_event(quiet)
    waiting(database, event, endpoint, attempts=10, due_at=None, failed_at=datetime.now(UTC))
    assert pending(quiet, event) == NEW | {"attempts": 10, "failed": True}


def test_while_it_is_attempted_nobody_knows_of_the_next(quiet: Client, database: Database, endpoint: Json) -> None:
    event = an_event(quiet)
    waiting(database, event, endpoint, claim=1)
    assert pending(quiet, event) == NEW


def test_what_rests_is_not_attempted_before_its_end(quiet: Client, database: Database, endpoint: Json) -> None:
    event, end = an_event(quiet), datetime.now(UTC) + 60 * SECOND
    waiting(database, event, endpoint)
    database.execute("UPDATE webhook_endpoint SET rests_until = $1 WHERE id = $2", end, endpoint["id"])
    assert pending(quiet, event)["next_attempt_at"] == iso(end)


def test_a_disabled_endpoint_keeps_what_is_pending_and_attempts_nothing(
    quiet: Client, database: Database, endpoint: Json
) -> None:
    event, later = an_event(quiet), an_event(quiet)
    waiting(database, event, endpoint)
    disable(quiet, endpoint)
    assert [pending(quiet, each) for each in (event, later)] == [NEW, NEW]


def test_what_an_endpoint_does_not_ask_for_is_not_pending(quiet: Client) -> None:
    bills = an_endpoint(quiet, events=["bill.created", "bill.paid"])
    assert told(quiet, an_event(quiet))["pending"] == []
    delete(quiet, bills)


def test_what_is_older_than_an_endpoint_is_not_pending(quiet: Client) -> None:
    event = an_event(quiet)
    made = an_endpoint(quiet, **EVERYTHING)
    assert told(quiet, event)["pending"] == []
    delete(quiet, made)


def test_what_was_skipped_is_not_pending(quiet: Client, endpoint: Json) -> None:
    event = an_event(quiet)
    disable(quiet, endpoint)
    enabled = {"enabled": True, "backlog": "skip"}
    assert quiet.patch(f"/billing/webhook_endpoints/{endpoint['id']}", enabled).status == 200
    assert told(quiet, event)["pending"] == []


def test_a_deleted_endpoint_has_nothing_pending(quiet: Client, database: Database) -> None:
    made = an_endpoint(quiet, **EVERYTHING)
    event = an_event(quiet)
    waiting(database, event, made)
    delete(quiet, made)
    assert told(quiet, event)["pending"] == []


def test_every_endpoint_has_its_own(quiet: Client, database: Database) -> None:
    made = [an_endpoint(quiet, **EVERYTHING) for _ in range(3)]
    event = an_event(quiet)
    took_up(database, event, made[1])
    for number, each in enumerate(made):
        attempted(database, event, each, number + 1)
    deliveries = told(quiet, event)
    assert [each["endpoint_id"] for each in deliveries["data"]] == [each["id"] for each in reversed(made)]
    assert [each["endpoint_id"] for each in deliveries["pending"]] == [made[0]["id"], made[2]["id"]]
    for each in made:
        delete(quiet, each)


# Refusals


@pytest.mark.parametrize("name", ["evt_0000000000000000000000", "evt", "bill_1", "%00", "evt_\u00e9", "x" * 300])
def test_an_event_that_there_is_not_is_404(quiet: Client, name: str) -> None:
    refused(quiet.get(f"{EVENTS}/{quote(name, safe='%')}/deliveries?limit=0"), 404)


def test_another_merchants_event_is_404(quiet: Client, client: Client, live: Client) -> None:
    for owner in (client, live):
        event = an_event(owner)
        refused(quiet.get(f"{EVENTS}/{event['id']}/deliveries"), 404)
        assert told(owner, event)["data"] == []


def test_attempts_of_another_merchant_are_not_shown(quiet: Client, database: Database, client: Client) -> None:
    event, other = an_event(quiet), an_endpoint(client)
    attempted(database, event, other)
    assert told(quiet, event)["data"] == []
    delete(client, other)


def test_each_fault_of_the_query_is_named(quiet: Client) -> None:
    path = f"{EVENTS}/{an_event(quiet)['id']}/deliveries"
    refused(quiet.get(f"{path}?limit=0&cursor=x&status=500"), 400, "query: limit", "query: cursor", "query: status")


def test_a_cursor_belongs_to_its_event(quiet: Client, database: Database, endpoint: Json) -> None:
    one, another = an_event(quiet), an_event(quiet)
    for number in (1, 2):
        attempted(database, one, endpoint, number)
    cursor = quiet.get(f"{EVENTS}/{one['id']}/deliveries?limit=1").header("Next-Cursor")
    refused(quiet.get(f"{EVENTS}/{another['id']}/deliveries?cursor={cursor}"), 400, "query: cursor")


def test_it_needs_a_secret_key(quiet: Client, public: Client, anonymous: Client) -> None:
    path = f"{EVENTS}/{an_event(quiet)['id']}/deliveries"
    assert [caller.get(path).status for caller in (public, anonymous)] == [403, 401]
