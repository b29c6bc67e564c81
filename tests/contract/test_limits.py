"""Limits: the rate of a key, the size of a head, and clients that are slow or broken."""

import json
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress

import pytest

from tests.contract.client import JSON, Answer, Client, exchange, raw
from tests.contract.samples import CUSTOMERS, a_customer, a_key, a_reference, a_request, at
from tests.contract.service import Merchant, Service


def head_of(client: Client, method: str, path: str, *lines: str) -> bytes:
    return "\r\n".join(
        [f"{method} {path} HTTP/1.1", "Host: x", f"Authorization: Bearer {client.key}", *lines, "", ""]
    ).encode()


# Rate


@pytest.fixture(scope="module")
def limited(serve: Callable[..., Service]) -> Service:
    """A service that allows a key five requests a second."""
    return serve(OWED_RATE_LIMIT="5")


@pytest.fixture
def caller(limited: Service, merchant: Merchant) -> Client:
    """A key that has made no request yet."""
    return limited.client(limited.key(merchant)["key"])


def exhausted(ask: Callable[[], Answer]) -> Answer:
    """Return the first refusal."""
    for _ in range(100):
        answer = ask()
        if answer.status == 429:
            return answer
    raise AssertionError("100 requests at once were not too many")


def test_there_is_no_limit_by_default(client: Client) -> None:
    assert {client.get(f"{CUSTOMERS}?limit=1").status for _ in range(200)} == {200}


def test_too_many_requests_are_429(caller: Client) -> None:
    """1.5: 429 `rate_limited` with `Retry-After` and `RateLimit-*` headers."""
    answer = exhausted(lambda: caller.get(f"{CUSTOMERS}?limit=1"))
    assert answer.code == "rate_limited"
    assert int(answer.header("Retry-After")) >= 1
    assert [name for name in answer.headers if name.lower().startswith("ratelimit-")]


def test_the_limit_allows_what_it_says(caller: Client) -> None:
    assert [caller.get(f"{CUSTOMERS}?limit=1").status for _ in range(5)] == [200] * 5


def test_after_the_time_it_names_a_request_passes(caller: Client) -> None:
    answer = exhausted(lambda: caller.get(f"{CUSTOMERS}?limit=1"))
    time.sleep(int(answer.header("Retry-After")))  # what is promised is this very time
    assert caller.get(f"{CUSTOMERS}?limit=1").status == 200


def test_one_keys_requests_do_not_count_for_another(limited: Service, merchant: Merchant, caller: Client) -> None:
    """A limit per key."""
    exhausted(lambda: caller.get(f"{CUSTOMERS}?limit=1"))
    assert limited.client(limited.key(merchant)["key"]).get(CUSTOMERS).status == 200


def test_a_429_does_nothing_and_leaves_the_key_free(caller: Client, client: Client) -> None:
    """1.4: not kept, and the key stays free: 429."""
    key, request = a_key(), a_request()
    customer = a_customer(client)
    exhausted(lambda: caller.patch(at(customer), {}))
    assert caller.post(CUSTOMERS, request, Idempotency_Key=key).status == 429
    answer = client.post(CUSTOMERS, request, Idempotency_Key=key)
    assert (answer.status, answer.headers.get("Idempotent-Replayed")) == (201, None)


def test_the_route_comes_before_the_rate_and_the_rate_before_size_and_media_type(
    caller: Client, limited: Service
) -> None:
    """1.1: the order of refusals: authentication, route, rate, size and media type."""
    exhausted(lambda: caller.get(f"{CUSTOMERS}?limit=1"))
    statuses = [
        limited.client().get(CUSTOMERS).status,
        caller.get("/billing/nope").status,
        caller.send("DELETE", CUSTOMERS).status,
        caller.post(CUSTOMERS, b" " * (2**20 + 1)).status,
        caller.post(CUSTOMERS, {}, Content_Type="text/plain").status,
    ]
    assert statuses == [401, 404, 405, 429, 429]


def test_the_pages_about_the_service_are_not_limited(limited: Service) -> None:
    assert {limited.client().get("/health").status for _ in range(30)} == {200}


# Heads


@pytest.mark.parametrize(
    "request_line",
    [
        f"GET {CUSTOMERS}?q=" + "x" * 200_000,
        f"GET {CUSTOMERS}/" + "x" * 200_000,
        f"GET {CUSTOMERS}?" + "&".join(f"a{n}=1" for n in range(20_000)),
        "X" * 100_000 + f" {CUSTOMERS}",
    ],
)
def test_a_url_without_end_is_refused(service: Service, client: Client, request_line: str) -> None:
    """Header and URL limits: refused with a status of the client's, and the service lives on."""
    method, _, path = request_line.partition(" ")
    answer = exchange(service.port, head_of(client, method, path))
    assert answer is None or answer.status in (400, 414, 431)
    assert client.get(CUSTOMERS).status == 200


@pytest.mark.parametrize(
    "lines", [["X: " + "x" * 200_000], [f"X-{n}: {n}" for n in range(20_000)], ["x" * 200_000 + ": 1"]]
)
def test_headers_without_end_are_refused(service: Service, client: Client, lines: list[str]) -> None:
    answer = exchange(service.port, head_of(client, "GET", CUSTOMERS, *lines))
    assert answer is None or answer.status in (400, 431)
    assert client.get(CUSTOMERS).status == 200


def test_a_head_that_never_ends_is_cut_off(service: Service, client: Client) -> None:
    """A client that sends headers for ever is refused long before the memory ends."""
    with raw(service.port) as connection:
        connection.sendall(head_of(client, "GET", CUSTOMERS)[:-2])
        sent = 0
        with suppress(BrokenPipeError, ConnectionResetError):
            while sent < 50 * 2**20:
                connection.sendall(b"X-More: " + b"x" * 8000 + b"\r\n")
                sent += 8010
    assert sent < 50 * 2**20
    assert client.get(CUSTOMERS).status == 200


def test_a_path_of_a_thousand_characters_is_read(client: Client) -> None:
    """The limits stay clear of what a decent client sends: every filter at its longest."""
    assert (
        client.get(f"{CUSTOMERS}?metadata[{'k' * 40}]={'v' * 500}&external_reference={'r' * 255}&q={'w' * 255}").status
        == 200
    )


# Slow and broken clients


def test_slow_clients_do_not_hold_the_worker(service: Service, client: Client) -> None:
    """A hundred clients that have sent half a head or half a body delay nobody."""
    half_head = head_of(client, "GET", CUSTOMERS)[:-10]
    half_body = head_of(client, "POST", CUSTOMERS, f"Content-Type: {JSON}", "Content-Length: 1000") + b'{"external'
    with ExitStack() as open_connections:
        for number in range(100):
            connection = open_connections.enter_context(raw(service.port))
            connection.sendall((half_head, half_body, b"")[number % 3])
        started = time.monotonic()
        for _ in range(20):
            assert client.post(CUSTOMERS, a_request()).status == 201
            assert client.get(f"{CUSTOMERS}?limit=1").status == 200
        assert time.monotonic() - started < 3


def test_a_client_that_reads_nothing_does_not_hold_the_worker(service: Service, client: Client) -> None:
    """Answers that nobody reads pile up to a bound, and no further."""
    with raw(service.port) as connection:
        connection.setblocking(False)
        request = head_of(client, "GET", f"{CUSTOMERS}?limit=100") * 50
        for _ in range(200):
            try:
                connection.send(request)
            except BlockingIOError:
                break
        started = time.monotonic()
        assert client.get(f"{CUSTOMERS}?limit=1").status == 200
        assert time.monotonic() - started < 3


def test_clients_that_hang_up_hurt_nobody(service: Service, client: Client) -> None:
    """An abrupt close, at any point of a request, is that client's loss alone."""
    body = json.dumps(a_request()).encode()
    whole = head_of(client, "POST", CUSTOMERS, f"Content-Type: {JSON}", f"Content-Length: {len(body)}") + body
    for cut in (0, 1, 10, 40, len(whole) - len(body), len(whole) - 1):
        with raw(service.port) as connection:
            connection.sendall(whole[:cut])
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        assert client.get(f"{CUSTOMERS}?limit=1").status == 200


def test_a_client_that_hangs_up_never_cancels_what_it_asked(service: Service, client: Client) -> None:
    """A request that came whole is carried out, though nobody waits for the answer."""
    reference = a_reference()
    body = json.dumps({"external_reference": reference}).encode()
    whole = head_of(client, "POST", CUSTOMERS, f"Content-Type: {JSON}", f"Content-Length: {len(body)}") + body
    with raw(service.port) as connection:
        connection.sendall(whole)
        connection.shutdown(socket.SHUT_WR)
    deadline = time.monotonic() + 5
    while client.get(f"{CUSTOMERS}/{reference}").status != 200:
        assert time.monotonic() < deadline


def test_a_body_that_comes_byte_by_byte_is_a_body(service: Service, client: Client) -> None:
    body = json.dumps(a_request()).encode()
    whole = (
        head_of(client, "POST", CUSTOMERS, f"Content-Type: {JSON}", f"Content-Length: {len(body)}", "Connection: close")
        + body
    )
    with raw(service.port) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in whole:
            connection.sendall(bytes([byte]))
        assert connection.recv(4096).startswith(b"HTTP/1.1 201")
