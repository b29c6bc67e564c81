"""7: POST /billing/events/{event}/redeliver: an event is sent again, to one endpoint or to all that take its type."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.client import JSON, Answer, Client, Json
from tests.contract.debugging import (
    ENDPOINTS,
    EVENTS,
    EVERYTHING,
    an_endpoint,
    an_event,
    delete,
    disable,
    replays,
)
from tests.contract.samples import a_key, refused
from tests.contract.service import Database, Merchant, Service


@pytest.fixture(scope="module")
def quiet(service: Service, fresh_merchant: Merchant) -> Client:
    """A merchant that has no endpoints but those of this module."""
    return service.client(fresh_merchant.keys["sk_test"])


@pytest.fixture(autouse=True)
def clean(quiet: Client) -> Iterator[None]:
    """Leave no endpoint behind."""
    yield
    for endpoint in quiet.get(f"{ENDPOINTS}?limit=100").json()["data"]:
        delete(quiet, endpoint)


def ask(client: Client, event: Json, *, key: str = "", **members: Any) -> Answer:
    """POST a redelivery, with no body where it has no member."""
    path = f"{EVENTS}/{event['id']}/redeliver"
    if members:
        return client.post(path, members, Idempotency_Key=key)
    return client.send("POST", path, headers={"Idempotency-Key": key} if key else {})


def redelivered(client: Client, event: Json, **members: Any) -> list[Json]:
    """Ask for a redelivery, which must be accepted, and return what came of it."""
    answer = ask(client, event, **members)
    assert (answer.status, answer.media_type()) == (202, JSON), answer.body
    assert {"ETag", "Location", "Last-Modified"}.isdisjoint(answer.headers)
    assert set(answer.json()) == {"data"}
    data: list[Json] = answer.json()["data"]
    return data


def test_every_enabled_endpoint_that_takes_its_type_gets_it(quiet: Client, database: Database) -> None:
    event = an_event(quiet)
    takers = [an_endpoint(quiet, **EVERYTHING), an_endpoint(quiet, events=["customer.created", "bill.paid"])]
    others = [an_endpoint(quiet), an_endpoint(quiet, **EVERYTHING), an_endpoint(quiet, **EVERYTHING)]
    disable(quiet, others[1])
    delete(quiet, others[2])
    data = redelivered(quiet, event)
    assert [set(each) for each in data] == [{"id", "endpoint_id", "event_id"}] * 2
    assert [(each["endpoint_id"], each["event_id"]) for each in data] == [(each["id"], event["id"]) for each in takers]
    assert [each["id"] for each in data] == [replays(database, endpoint)[0]["id"] for endpoint in takers]
    assert [replays(database, endpoint) for endpoint in others] == [[], [], []]


def test_what_is_left_for_a_worker_is_one_replay_of_one_event(quiet: Client, database: Database) -> None:
    event, endpoint = an_event(quiet), an_endpoint(quiet)
    (asked,) = redelivered(quiet, event, endpoint=endpoint["id"])
    (row,) = replays(database, endpoint)
    assert len(asked["id"]) == len("rep_") + 22
    assert (row["id"], row["event_id"], row["only_failed"]) == (asked["id"], event["id"], False)
    assert {row[name] for name in ("since", "until", "types", "finished_at")} == {None}


def test_a_named_endpoint_gets_it_whatever_its_types_and_alone(quiet: Client, database: Database) -> None:
    event, named, other = an_event(quiet), an_endpoint(quiet), an_endpoint(quiet, **EVERYTHING)
    assert [each["endpoint_id"] for each in redelivered(quiet, event, endpoint=named["id"])] == [named["id"]]
    assert replays(database, other) == []


@pytest.mark.parametrize("body", [b"", b"{}", b'{"endpoint": null}'])
def test_no_endpoint_is_named_in_several_ways(quiet: Client, body: bytes) -> None:
    event, endpoint = an_event(quiet), an_endpoint(quiet, **EVERYTHING)
    headers = {"Content-Type": JSON, "Content-Length": str(len(body))}
    answer = quiet.send("POST", f"{EVENTS}/{event['id']}/redeliver", body, headers)
    assert answer.status == 202, answer.body
    assert [each["endpoint_id"] for each in answer.json()["data"]] == [endpoint["id"]]


def test_it_may_be_asked_for_again_and_again(quiet: Client, database: Database) -> None:
    event, endpoint = an_event(quiet), an_endpoint(quiet, **EVERYTHING)
    for _ in range(2):
        redelivered(quiet, event)
    assert [row["event_id"] for row in replays(database, endpoint)] == [event["id"]] * 2


def test_a_retry_with_its_key_asks_for_nothing_more(quiet: Client, database: Database) -> None:
    """1.4: the first request's status and body are kept and replayed."""
    event, endpoint, key = an_event(quiet), an_endpoint(quiet, **EVERYTHING), a_key()
    first, second = (ask(quiet, event, key=key) for _ in range(2))
    assert (second.status, second.body, second.header("Idempotent-Replayed")) == (202, first.body, "true")
    assert len(replays(database, endpoint)) == 1
    reused = ask(quiet, event, key=key, endpoint=endpoint["id"])
    assert (reused.status, reused.code) == (422, "idempotency_key_reused")


def test_a_retry_with_its_key_is_answered_where_the_endpoint_is_gone(quiet: Client) -> None:
    event, endpoint, key = an_event(quiet), an_endpoint(quiet, **EVERYTHING), a_key()
    first = ask(quiet, event, key=key, endpoint=endpoint["id"])
    delete(quiet, endpoint)
    assert ask(quiet, event, key=key, endpoint=endpoint["id"]).body == first.body


def test_who_asked_is_recorded(quiet: Client, database: Database) -> None:
    """1.8"""
    event = an_event(quiet)
    an_endpoint(quiet, **EVERYTHING)
    headers = {"Owed-Actor": "mary@acme", "Owed-Reason": "their disk was full"}
    answer = quiet.send("POST", f"{EVENTS}/{event['id']}/redeliver", headers=headers)
    assert answer.status == 202
    recorded = "SELECT command, actor, reason FROM attribution WHERE object_id = $1"
    assert [tuple(row) for row in database.rows(recorded, event["id"])] == [
        ("event.redeliver", "mary@acme", "their disk was full")
    ]


# Refusals


def test_an_event_that_there_is_not_is_404(quiet: Client, client: Client, live: Client) -> None:
    endpoint = an_endpoint(quiet, **EVERYTHING)
    nobody = {"id": "evt_0000000000000000000000"}
    for event in (nobody, {"id": "evt"}, {"id": "%00"}, an_event(client), an_event(live)):
        refused(ask(quiet, event), 404)
        refused(ask(quiet, event, endpoint=endpoint["id"]), 404)
        refused(ask(quiet, event, endpoint=1), 404)


def test_an_endpoint_that_there_is_not_is_404(quiet: Client, client: Client, database: Database) -> None:
    event, gone, foreign = an_event(quiet), an_endpoint(quiet, **EVERYTHING), an_endpoint(client, **EVERYTHING)
    delete(quiet, gone)
    for endpoint in ("we_0000000000000000000000", "UCR1", gone["id"], foreign["id"]):
        refused(ask(quiet, event, endpoint=endpoint), 404, "/endpoint")
    assert (replays(database, gone), replays(database, foreign)) == ([], [])
    delete(client, foreign)


def test_a_disabled_endpoint_is_409(quiet: Client, database: Database) -> None:
    event, endpoint = an_event(quiet), an_endpoint(quiet, **EVERYTHING)
    disable(quiet, endpoint)
    refused(ask(quiet, event, endpoint=endpoint["id"]), 409, "/endpoint")
    refused(ask(quiet, event), 409)
    assert replays(database, endpoint) == []


def test_an_event_that_nobody_takes_is_409(quiet: Client) -> None:
    event = an_event(quiet)
    refused(ask(quiet, event), 409)
    an_endpoint(quiet)
    answer = ask(quiet, event)
    refused(answer, 409)
    assert "customer.created" in answer.json()["detail"]


@pytest.mark.parametrize("endpoint", [1, "", "a b", ["we_1"], {}, "x" * 256, True])
def test_an_endpoint_in_a_form_that_is_wrong_is_400(quiet: Client, endpoint: Any) -> None:
    refused(ask(quiet, an_event(quiet), endpoint=endpoint), 400, "/endpoint")


def test_each_fault_is_named(quiet: Client) -> None:
    event = an_event(quiet)
    path = f"{EVENTS}/{event['id']}/redeliver"
    refused(quiet.post(f"{path}?x=1", {"endpoint": 1, "endpoints": []}), 400, "/endpoint", "/endpoints", "query: x")
    refused(quiet.post(path, []), 400, "")
    refused(quiet.post(path, b"{"), 400, "")


def test_another_method_is_405_and_a_public_key_403(quiet: Client, public: Client) -> None:
    path = f"{EVENTS}/{an_event(quiet)['id']}/redeliver"
    assert (quiet.get(path).status, quiet.get(path).header("Allow")) == (405, "POST")
    assert public.send("POST", path).status == 403
