"""7: POST /billing/webhook_endpoints/{endpoint}/test: a sample is sent at once, signed, and its attempt is told."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from standardwebhooks import Webhook

from owed.model.webhook_endpoint import EVENT_TYPES
from tests.contract.client import JSON, Answer, Client, Json
from tests.contract.debugging import ENDPOINTS, NOWHERE, an_endpoint, at, delete, disable
from tests.contract.samples import a_bill, a_payment, events, moment, refused
from tests.contract.service import Database

STORED = """SELECT (SELECT count(*) FROM event), (SELECT count(*) FROM delivery), (SELECT count(*) FROM replay),
                   (SELECT count(*) FROM delivery_attempt), (SELECT count(*) FROM attribution),
                   (SELECT count(*) FROM answer)"""


class Receiver(ThreadingHTTPServer):
    """A merchant's receiver: it keeps what it gets, and answers as it is told, when it is let."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answer: tuple[int, bytes] = (204, b"")
        self.arrived = threading.Semaphore(0)
        self.let = threading.Event()
        self.let.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((dict(self.headers), body))
        self.server.arrived.release()
        self.server.let.wait(30)
        status, answer = self.server.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  (of the standard library)
        """Say nothing."""


@contextmanager
def listening() -> Iterator[Receiver]:
    with Receiver() as receiver:
        thread = threading.Thread(target=receiver.serve_forever, args=[0.01])
        thread.start()
        try:
            yield receiver
        finally:
            receiver.let.set()
            receiver.shutdown()
            thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening() as found:
        yield found


@pytest.fixture
def endpoint(client: Client, receiver: Receiver) -> Iterator[Json]:
    made = an_endpoint(client, url=receiver.url)
    yield made
    delete(client, made)


def ask(client: Client, endpoint: Json, **members: Any) -> Answer:
    """POST a test, with no body where it has no member."""
    path = at(endpoint, "test")
    return client.post(path, members) if members else client.send("POST", path)


def attempt_of(client: Client, endpoint: Json, **members: Any) -> Json:
    answer = ask(client, endpoint, **members)
    assert (answer.status, answer.media_type()) == (200, JSON), answer.body
    attempt: Json = answer.json()
    return attempt


def test_a_sample_is_sent_and_what_came_of_it_is_told(client: Client, receiver: Receiver, endpoint: Json) -> None:
    receiver.answer = (200, b"thank you")
    attempt = attempt_of(client, endpoint)
    ((_, body),) = receiver.got
    assert attempt == {
        "endpoint_id": endpoint["id"],
        "event_id": json.loads(body)["id"],
        "attempted_at": attempt["attempted_at"],
        "duration_ms": attempt["duration_ms"],
        "address": "127.0.0.1",
        "status": 200,
        "answer": "thank you",
        "succeeded": True,
    }
    assert timedelta(0) <= datetime.now(UTC) - moment(attempt["attempted_at"]) < timedelta(seconds=20)


def test_a_sample_is_signed_as_any_event_is(client: Client, receiver: Receiver, endpoint: Json) -> None:
    attempt_of(client, endpoint)
    ((headers, body),) = receiver.got
    event = Webhook(endpoint["secret"]).verify(body, headers)
    assert (event["id"], event["type"]) == (headers["webhook-id"], "obligation.amount_applied")
    assert headers["Content-Type"] == JSON


def test_every_secret_that_is_valid_signs(client: Client, receiver: Receiver, endpoint: Json) -> None:
    rotated = client.post(at(endpoint, "rotate-secret"), {}).json()
    attempt_of(client, endpoint)
    ((headers, body),) = receiver.got
    for secret in (endpoint["secret"], rotated["secret"]):
        assert Webhook(secret).verify(body, headers)


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_there_is_a_sample_of_every_type(client: Client, receiver: Receiver, endpoint: Json, event_type: str) -> None:
    assert attempt_of(client, endpoint, type=event_type)["succeeded"] is True
    sample = json.loads(receiver.got[0][1])
    assert list(sample) == ["id", "type", "data"]
    assert sample["type"] == event_type
    kind = event_type.partition(".")[0]
    assert sample["data"]["id"].startswith({"customer": "bcus_", "account": "bacc_"}.get(kind, kind[:2]))


def test_a_sample_has_the_members_of_a_real_event(
    client: Client, database: Database, receiver: Receiver, endpoint: Json
) -> None:
    bill = a_bill(client)
    a_payment(client, 1000, bill=bill["id"])
    real = dict(events(database, bill))
    for event_type in ("obligation.amount_applied", "bill.paid"):
        attempt_of(client, endpoint, type=event_type)
        sample = json.loads(receiver.got.pop()[1])["data"]
        optional = {"account_id", "due_date", "metadata"}
        assert set(sample) - optional == set(real[event_type]) - optional


def test_each_sample_is_an_event_of_its_own(client: Client, receiver: Receiver, endpoint: Json) -> None:
    first, second = (attempt_of(client, endpoint)["event_id"] for _ in range(2))
    assert first < second
    assert len(receiver.got) == 2


def test_nothing_is_stored(client: Client, database: Database, endpoint: Json) -> None:
    before = tuple(database.rows(STORED)[0])
    event_id = attempt_of(client, endpoint)["event_id"]
    assert client.post(at(endpoint, "test"), {}, Idempotency_Key="a-key").status == 200
    assert tuple(database.rows(STORED)[0]) == before
    assert client.get(f"/billing/events/{event_id}").status == 404
    status = client.get(at(endpoint, "status")).json()
    assert {"last_success_at", "last_failure_at"}.isdisjoint(status)


def test_a_disabled_endpoint_can_be_tested(client: Client, receiver: Receiver, endpoint: Json) -> None:
    disable(client, endpoint)
    assert attempt_of(client, endpoint)["succeeded"] is True
    assert len(receiver.got) == 1


# What fails


@pytest.mark.parametrize("status", [301, 400, 410, 500, 503])
def test_an_answer_that_is_no_success_is_told_and_changes_nothing(
    client: Client, receiver: Receiver, endpoint: Json, status: int
) -> None:
    receiver.answer = (status, b"\xff no")
    attempt = attempt_of(client, endpoint)
    assert (attempt["status"], attempt["answer"], attempt["succeeded"]) == (status, "\ufffd no", False)
    assert client.get(at(endpoint)).json()["enabled"] is True


def test_a_receiver_that_is_not_there_is_told(client: Client) -> None:
    endpoint = an_endpoint(client, url=NOWHERE)
    attempt = attempt_of(client, endpoint)
    assert (attempt["succeeded"], "refused" in attempt["error"]) == (False, True)
    assert attempt.keys().isdisjoint({"status", "answer"})
    delete(client, endpoint)


def test_so_many_at_once_and_no_more(client: Client, receiver: Receiver, endpoint: Json) -> None:
    """1.5: 429 with `Retry-After` and `RateLimit-*`: a receiver that takes its time must not take all of ours."""
    receiver.let.clear()
    with ThreadPoolExecutor(3) as pool:
        running = [pool.submit(ask, client, endpoint) for _ in range(3)]
        for _ in running:
            assert receiver.arrived.acquire(timeout=10)
        answer = ask(client, endpoint)
        receiver.let.set()
        assert [each.result().status for each in running] == [200] * 3
    assert (answer.status, answer.code, answer.header("Retry-After")) == (429, "rate_limited", "1")
    rate = [answer.header(f"RateLimit-{name}") for name in ("Limit", "Remaining", "Reset")]
    assert rate == ["3", "0", "15"]
    assert ask(client, endpoint).status == 200


def test_an_endpoint_that_there_is_not_is_404(client: Client, other: Client, live: Client, endpoint: Json) -> None:
    gone = an_endpoint(client)
    delete(client, gone)
    for each in (gone, {"id": "we_0000000000000000000000"}, {"id": "%00"}):
        refused(ask(client, each, type="x"), 404)
    for caller in (other, live):
        refused(ask(caller, endpoint), 404)


def test_each_fault_is_named(client: Client, receiver: Receiver, endpoint: Json) -> None:
    path = at(endpoint, "test")
    refused(client.post(f"{path}?x=1", {"type": "bill.lost", "types": []}), 400, "/type", "/types", "query: x")
    refused(client.post(path, {"type": ["bill.paid"]}), 400, "/type")
    refused(client.post(path, {"type": "*"}), 400, "/type")
    refused(client.post(path, [], Idempotency_Key="a b"), 400, "", "header: Idempotency-Key")
    refused(client.post(path, b"{"), 400, "")
    assert receiver.got == []


def test_another_method_is_405_and_a_public_key_403(client: Client, public: Client, endpoint: Json) -> None:
    path = at(endpoint, "test")
    assert (client.get(path).status, client.get(path).header("Allow")) == (405, "POST")
    assert public.send("POST", path).status == 403
    assert client.get(f"{ENDPOINTS}/verify-signature").status == 405
