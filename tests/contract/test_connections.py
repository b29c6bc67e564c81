"""What a connection makes of bytes: requests one after another, offers of other protocols, bodies in pieces."""

import json
import re
import socket

import pytest

from tests.contract.client import Client, raw
from tests.contract.samples import CUSTOMERS, a_request


def request(client: Client, *headers: str, body: bytes | None = None) -> bytes:
    """Write a create, with further header lines."""
    body = json.dumps(a_request()).encode() if body is None else body
    lines = [
        f"POST {CUSTOMERS} HTTP/1.1",
        "Host: localhost",
        f"Authorization: Bearer {client.key}",
        "Content-Type: application/json",
        *headers,
    ]
    if not any(line.startswith("Transfer-Encoding") for line in headers):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def statuses(client: Client, sent: bytes, *, half_close: bool = True) -> list[int]:
    """Send bytes on one connection, and give the statuses of all answers until it is closed."""
    with raw(client.port) as connection:
        connection.sendall(sent)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", received)]


@pytest.mark.parametrize("offer", ["h2c", "websocket"])
def test_an_offer_of_another_protocol_is_ignored(client: Client, offer: str) -> None:
    sent = request(client, "Connection: Upgrade, close", f"Upgrade: {offer}")
    assert statuses(client, sent, half_close=False) == [201]


@pytest.mark.parametrize("count", [1, 2, 15, 50])
def test_everything_that_was_sent_before_a_half_close_is_answered(client: Client, count: int) -> None:
    assert statuses(client, b"".join(request(client) for _ in range(count))) == [201] * count


def test_what_was_sent_after_the_last_request_is_not_answered(client: Client) -> None:
    sent = request(client) + request(client, "Connection: close") + request(client)
    assert statuses(client, sent, half_close=False) == [201, 201]


def test_what_is_no_http_is_refused_after_what_came_before_it(client: Client) -> None:
    sent = request(client) + request(client) + b"nonsense\r\n\r\n"
    assert statuses(client, sent, half_close=False) == [201, 201, 400]


def test_a_chunked_body_may_be_large_and_have_a_trailer(client: Client) -> None:
    """1.1: a body may have up to 1 MiB, however it is sent. A trailer is no header (RFC 9110, 6.5.1)."""
    body = json.dumps(a_request()).encode() + b" " * 100_000
    pieces = [body[start : start + 5_000] for start in range(0, len(body), 5_000)]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    sent = request(client, "Transfer-Encoding: chunked", "Connection: close", body=chunks + b"0\r\nX-T: 1\r\n\r\n")
    assert statuses(client, sent, half_close=False) == [201]


def test_a_get_with_a_body_that_is_too_large_is_413(client: Client) -> None:
    """1.1: a body over 1 MiB gets 413."""
    sent = request(client, body=b" " * (2**20 + 1)).replace(b"POST", b"GET", 1)
    assert statuses(client, sent, half_close=False) == [413]


def test_an_encoded_body_is_415(client: Client) -> None:
    assert statuses(client, request(client, "Content-Encoding: gzip", "Connection: close"), half_close=False) == [415]


def test_a_broken_percent_encoding_is_400(client: Client) -> None:
    """1.1: a query parameter that is malformed is 400, each fault named."""
    answer = client.get(f"{CUSTOMERS}?q=%zz&limit=0")
    assert answer.status == 400
    assert {fault["pointer"] for fault in answer.json()["errors"]} == {"query: q", "query: limit"}
