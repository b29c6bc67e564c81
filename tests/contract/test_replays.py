"""7: POST /billing/webhook_endpoints/{endpoint}/replay: the events of a time are sent again, or only counted."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.contract.client import JSON, Answer, Client, Json
from tests.contract.debugging import (
    EVERYTHING,
    an_endpoint,
    an_event,
    at,
    attempted,
    delete,
    disable,
    latest_event,
    replays,
)
from tests.contract.samples import a_bill, a_customer, a_key, iso, moment, refused
from tests.contract.service import Database, Merchant, Service

LONG_AGO = "2020-01-01T00:00:00Z"
STEP = timedelta(microseconds=1)


@pytest.fixture(scope="module")
def quiet(service: Service, fresh_merchant: Merchant) -> Client:
    """A merchant whose events are only those of this module."""
    return service.client(fresh_merchant.keys["sk_test"])


@pytest.fixture
def endpoint(quiet: Client) -> Iterator[Json]:
    """An endpoint that gets everything, for the length of a test."""
    made = an_endpoint(quiet, **EVERYTHING)
    yield made
    delete(quiet, made)


def ask(client: Client, endpoint: Json, *, key: str = "", **members: Any) -> Answer:
    return client.post(at(endpoint, "replay"), members, Idempotency_Key=key)


def counted(client: Client, endpoint: Json, **members: Any) -> Json:
    """Ask what a replay would send, and return the answer."""
    answer = ask(client, endpoint, dry_run=True, **members)
    assert (answer.status, answer.media_type()) == (200, JSON), answer.body
    found: Json = answer.json()
    return found


def count(client: Client, endpoint: Json, **members: Any) -> int:
    number: int = counted(client, endpoint, **members)["count"]
    return number


def recorded_at(database: Database, event: Json) -> datetime:
    moment: datetime = database.value("SELECT recorded_at FROM event WHERE id = $1", event["id"])
    return moment


def between(database: Database, first: Json, last: Json) -> Json:
    """Return the bounds of all that was recorded from one event to another."""
    return {"since": iso(recorded_at(database, first)), "until": iso(recorded_at(database, last))}


def test_a_replay_is_left_for_a_worker(quiet: Client, database: Database, endpoint: Json) -> None:
    first, _, last = (an_event(quiet) for _ in range(3))
    bounds = between(database, first, last)
    answer = ask(quiet, endpoint, types=["customer.created", "bill.paid"], only_failed=False, **bounds)
    assert (answer.status, answer.media_type()) == (202, JSON), answer.body
    assert {"ETag", "Location", "Last-Modified"}.isdisjoint(answer.headers)
    asked = answer.json()
    assert asked == {
        "id": asked["id"],
        "endpoint_id": endpoint["id"],
        "since": bounds["since"],
        "until": bounds["until"],
        "types": ["customer.created", "bill.paid"],
        "only_failed": False,
        "count": 3,
    }
    (row,) = replays(database, endpoint)
    assert (row["id"], row["types"], row["only_failed"]) == (asked["id"], "customer.created bill.paid", False)
    assert [row["since"], row["until"]] == [recorded_at(database, first), recorded_at(database, last)]
    assert (row["event_id"], row["taken_up_to"], row["finished_at"]) == (None, "", None)


def test_without_more_it_is_of_the_endpoints_types_until_now(quiet: Client, database: Database) -> None:
    endpoint = an_endpoint(quiet, events=["bill.created", "bill.paid"])
    asked = ask(quiet, endpoint, since=LONG_AGO).json()
    assert (asked["types"], asked["only_failed"]) == (["bill.created", "bill.paid"], False)
    assert timedelta(0) <= datetime.now(UTC) - moment(asked["until"]) < timedelta(seconds=10)
    (row,) = replays(database, endpoint)
    assert (row["types"], row["until"]) == ("bill.created bill.paid", moment(asked["until"]))
    delete(quiet, endpoint)


def test_a_dry_run_says_the_same_and_does_nothing(quiet: Client, database: Database, endpoint: Json) -> None:
    event = an_event(quiet)
    bounds = between(database, event, event)
    told = counted(quiet, endpoint, **bounds)
    asked = ask(quiet, endpoint, **bounds).json()
    assert told == {name: value for name, value in asked.items() if name != "id"}
    assert told["count"] == 1
    assert len(replays(database, endpoint)) == 1


# What it counts


def test_its_time_is_exact_and_holds_both_ends(quiet: Client, database: Database, endpoint: Json) -> None:
    event = an_event(quiet)
    at_it = recorded_at(database, event)
    for since, until, number in (
        (at_it, at_it, 1),
        (at_it + STEP, at_it + STEP, 0),
        (at_it - STEP, at_it - STEP, 0),
        (at_it - STEP, at_it + STEP, 1),
    ):
        assert count(quiet, endpoint, since=iso(since), until=iso(until)) == number


def test_it_counts_the_types_that_are_asked_for(quiet: Client, database: Database, endpoint: Json) -> None:
    first = an_event(quiet)
    a_bill(quiet)
    bounds = between(database, first, latest_event(quiet, a_bill(quiet)))
    for types, number in (
        (["*"], 5),
        (["customer.created"], 3),
        (["bill.created"], 2),
        (["bill.created", "customer.created"], 5),
        (["bill.paid"], 0),
    ):
        assert count(quiet, endpoint, types=types, **bounds) == number
    assert count(quiet, endpoint, **bounds) == 5


def test_it_may_reach_behind_the_endpoint_and_beyond_its_types(quiet: Client, database: Database) -> None:
    event = an_event(quiet)
    endpoint = an_endpoint(quiet)
    bounds = between(database, event, event)
    assert count(quiet, endpoint, **bounds) == 0
    assert count(quiet, endpoint, types=["customer.created"], **bounds) == 1
    delete(quiet, endpoint)


def test_only_failed_is_what_was_attempted_here_and_never_taken(
    quiet: Client, database: Database, endpoint: Json
) -> None:
    other = an_endpoint(quiet, **EVERYTHING)
    never, failed, taken, elsewhere, mixed = made = [an_event(quiet) for _ in range(5)]
    for number in (1, 2):
        attempted(database, failed, endpoint, number)
    attempted(database, taken, endpoint)
    attempted(database, taken, endpoint, 2, succeeded=True, status=200)
    attempted(database, elsewhere, other)
    attempted(database, mixed, other, succeeded=True, status=200)
    attempted(database, mixed, endpoint)
    bounds = between(database, never, mixed)
    assert [count(quiet, each, only_failed=True, **bounds) for each in (endpoint, other)] == [2, 1]
    assert count(quiet, endpoint, only_failed=True, types=["bill.paid"], **bounds) == 0
    assert count(quiet, endpoint, only_failed=False, **bounds) == len(made)
    answer = ask(quiet, endpoint, only_failed=True, **bounds)
    assert (answer.json()["only_failed"], answer.json()["count"]) == (True, 2)
    assert replays(database, endpoint)[0]["only_failed"] is True
    delete(quiet, other)


def test_it_counts_the_events_of_its_own_mode_alone(
    service: Service, quiet: Client, fresh_merchant: Merchant, client: Client
) -> None:
    before = datetime.now(UTC)
    live = service.client(fresh_merchant.keys["sk"])
    for caller in (live, client):
        a_customer(caller)
    endpoint = an_endpoint(quiet, **EVERYTHING)
    assert count(quiet, endpoint, since=iso(before)) == 0
    delete(quiet, endpoint)


# Keys


def test_a_retry_with_its_key_asks_for_nothing_more(quiet: Client, database: Database, endpoint: Json) -> None:
    """1.4: the first request's status and body are kept and replayed, though time has passed."""
    key = a_key()
    first = ask(quiet, endpoint, key=key, since=LONG_AGO)
    an_event(quiet)
    second = ask(quiet, endpoint, key=key, since=LONG_AGO)
    assert (second.status, second.body, second.header("Idempotent-Replayed")) == (202, first.body, "true")
    assert len(replays(database, endpoint)) == 1


def test_a_dry_run_leaves_its_key_free(quiet: Client, endpoint: Json) -> None:
    key = a_key()
    assert ask(quiet, endpoint, key=key, since=LONG_AGO, dry_run=True).status == 200
    assert ask(quiet, endpoint, key=key, since=LONG_AGO).status == 202


def test_who_asked_is_recorded(quiet: Client, database: Database, endpoint: Json) -> None:
    """1.8"""
    answer = quiet.post(at(endpoint, "replay"), {"since": LONG_AGO}, Owed_Actor="mary@acme", Owed_Reason="moved")
    assert answer.status == 202
    recorded = "SELECT actor, reason FROM attribution WHERE object_id = $1 AND command = 'webhook_endpoint.replay'"
    assert [tuple(row) for row in database.rows(recorded, endpoint["id"])] == [("mary@acme", "moved")]


# Refusals

EITHER = pytest.mark.parametrize("dry_run", [False, True], ids=["replay", "dry run"])


@EITHER
@pytest.mark.parametrize(
    ("members", "pointers"),
    [
        ({}, ["/since"]),
        ({"since": None}, ["/since"]),
        ({"since": "yesterday"}, ["/since"]),
        ({"since": 0}, ["/since"]),
        ({"since": "2020-01-01T00:00:00"}, ["/since"]),
        ({"since": "1969-12-31T23:59:59Z"}, ["/since"]),
        ({"since": "9999-01-01T00:00:00Z"}, ["/since"]),
        ({"since": LONG_AGO, "until": "9999-01-01T00:00:00Z"}, ["/until"]),
        ({"since": LONG_AGO, "until": "2019-12-31T23:59:59.999999Z"}, ["/until"]),
        ({"since": LONG_AGO, "until": "now"}, ["/until"]),
        ({"since": LONG_AGO, "types": []}, ["/types"]),
        ({"since": LONG_AGO, "types": "*"}, ["/types"]),
        ({"since": LONG_AGO, "types": ["bill.lost", "*", "x"]}, ["/types/0", "/types/1", "/types/2"]),
        ({"since": LONG_AGO, "types": ["bill.paid", "bill.paid"]}, ["/types/1"]),
        ({"since": LONG_AGO, "only_failed": "yes"}, ["/only_failed"]),
        ({"since": LONG_AGO, "only_failing": True}, ["/only_failing"]),
    ],
)
def test_each_fault_is_named(
    quiet: Client, database: Database, endpoint: Json, members: Json, pointers: list[str], dry_run: bool
) -> None:
    refused(ask(quiet, endpoint, dry_run=dry_run, **members), 400, *pointers)
    assert replays(database, endpoint) == []


def test_the_rest_of_a_request_is_checked_too(quiet: Client, endpoint: Json) -> None:
    path = at(endpoint, "replay")
    refused(quiet.post(path, {"since": LONG_AGO, "dry_run": 1}), 400, "/dry_run")
    refused(quiet.post(f"{path}?limit=1", {"since": LONG_AGO}), 400, "query: limit")
    refused(quiet.post(f"{path}?limit=1", {"since": LONG_AGO, "dry_run": True}), 400, "query: limit")
    refused(
        quiet.post(path, {"since": LONG_AGO, "dry_run": True}, Idempotency_Key="a b"), 400, "header: Idempotency-Key"
    )
    refused(quiet.post(path, b"{"), 400, "")
    refused(quiet.post(path, []), 400, "")


@EITHER
def test_an_endpoint_that_there_is_not_is_404(quiet: Client, client: Client, dry_run: bool) -> None:
    gone, foreign = an_endpoint(quiet), an_endpoint(client)
    delete(quiet, gone)
    for endpoint in (gone, foreign, {"id": "we_0000000000000000000000"}, {"id": "%00"}, {"id": "we"}):
        refused(ask(quiet, endpoint, since=1, dry_run=dry_run), 404)
    delete(client, foreign)


@EITHER
def test_a_disabled_endpoint_is_409(quiet: Client, database: Database, endpoint: Json, dry_run: bool) -> None:
    disable(quiet, endpoint)
    answer = ask(quiet, endpoint, since=LONG_AGO, dry_run=dry_run)
    refused(answer, 409)
    assert "requested" in answer.json()["detail"]
    refused(ask(quiet, endpoint, since=1, dry_run=dry_run), 400, "/since")
    assert replays(database, endpoint) == []


def test_another_method_is_405_and_a_public_key_403(quiet: Client, public: Client, endpoint: Json) -> None:
    path = at(endpoint, "replay")
    assert (quiet.get(path).status, quiet.get(path).header("Allow")) == (405, "POST")
    assert public.post(path, {"since": LONG_AGO}).status == 403
