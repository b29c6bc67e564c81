"""One attempt: what the receiver gets, and what is told of each way in which it can go wrong."""

import asyncio
import gzip
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Final

import pytest
from standardwebhooks import Webhook

from owed.model.access import Mode
from owed.webhooks.addresses import Address, Policy
from owed.webhooks.sender import Message, Sender
from owed.webhooks.urls import refusal
from tests.webhooks.names import Names
from tests.webhooks.receiver import (
    Receiver,
    Script,
    answer,
    close,
    cut_short,
    drip,
    flood,
    framing,
    gzip_bomb,
    hang,
    interim,
    raw,
    redirect,
    reset,
)
from tests.webhooks.secrets import a_secret

CERTIFICATES: Final = Path(__file__).parent / "scenarios" / "certificates"
AUTHORITY: Final = CERTIFICATES / "authority.pem"
EVENT: Final = "evt_0000000000000000000001"
BODY: Final = '{"id":"evt_0000000000000000000001","data":{"name":"Zoë"}}'.encode()
HUGE: Final = "Wed, 21 Oct 99999999999 07:28:00 +99999999"
SECRET: Final = a_secret()
AT_HOME: Final = Policy((), loopback=True)
STRICT: Final = Policy((), loopback=False)
OPENED: Final = Policy((ip_network("127.0.0.0/8"),), loopback=False)


def message(url: str, mode: Mode = "test", body: bytes = BODY) -> Message:
    return Message(url, EVENT, body, (SECRET,), mode)


@asynccontextmanager
async def sending(
    policy: Policy = AT_HOME, seconds: float = 5.0, ca_bundle: Path | None = AUTHORITY, names: Names | None = None
) -> AsyncIterator[Sender]:
    sender = Sender(policy, seconds, ca_bundle, (names or Names()).look_up)
    try:
        yield sender
    finally:
        await sender.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


async def test_a_receiver_gets_the_exact_bytes_signed_and_little_else(receiver: Receiver) -> None:
    async with sending() as sender:
        attempt = await sender.send(message(receiver.url + "?shop=1&x=%20"))

    (request,) = receiver.requests
    assert attempt.succeeded
    assert (request.method, request.path, request.body) == ("POST", "/hook?shop=1&x=%20", BODY)
    assert Webhook(SECRET).verify(request.body, request.headers)["id"] == EVENT
    assert request.headers.pop("user-agent").startswith("Owed-Webhooks/")
    assert request.headers == {
        "host": f"127.0.0.1:{receiver.port}",
        "content-type": "application/json",
        "content-length": str(len(BODY)),
        "accept": "*/*",
        "accept-encoding": "identity",
        "webhook-id": EVENT,
        "webhook-timestamp": str(int(attempt.attempted_at.timestamp())),
        "webhook-signature": request.headers["webhook-signature"],
    }


async def test_an_attempt_tells_when_and_where_and_what_was_answered(receiver: Receiver) -> None:
    receiver.plan(answer(201, b"thank you"), answer(500, b"oh dear"))
    before = datetime.now(UTC)
    async with sending() as sender:
        taken, refused = [await sender.send(message(receiver.url)) for _ in range(2)]

    assert before <= taken.attempted_at <= datetime.now(UTC)
    assert 0 <= taken.duration_ms < 5_000
    assert (taken.succeeded, taken.status, taken.answer, taken.error) == (True, 201, b"thank you", None)
    assert (refused.succeeded, refused.status, refused.answer, refused.error) == (False, 500, b"oh dear", None)
    assert (taken.address, refused.address) == ("127.0.0.1", "127.0.0.1")


async def test_a_connection_is_used_again_and_the_address_is_told_all_the_same(receiver: Receiver) -> None:
    async with sending() as sender:
        attempts = [await sender.send(message(receiver.url)) for _ in range(5)]

    assert [attempt.address for attempt in attempts] == ["127.0.0.1"] * 5
    assert receiver.connections == 1


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_any_status_of_the_two_hundreds_is_success(receiver: Receiver, status: int) -> None:
    receiver.plan(answer(status))
    async with sending() as sender:
        attempt = await sender.send(message(receiver.url))

    assert (attempt.succeeded, attempt.status, attempt.error) == (True, status, None)


@pytest.mark.parametrize("status", [400, 401, 404, 410, 429, 500, 503, 599, 999])
async def test_any_other_is_a_failure(receiver: Receiver, status: int) -> None:
    receiver.plan(answer(status))
    async with sending() as sender:
        attempt = await sender.send(message(receiver.url))

    assert (attempt.succeeded, attempt.status, attempt.error) == (False, status, None)
    assert attempt.is_gone == (status == 410)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(receiver: Receiver, status: int) -> None:
    receiver.plan(redirect(receiver.url + "/elsewhere", status))
    async with sending() as sender:
        attempt = await sender.send(message(receiver.url))

    assert (attempt.succeeded, attempt.status, attempt.error) == (False, status, "redirects are not followed")
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    ("script", "status", "answered", "error"),
    [
        (raw(b"HTTP/1.1 100 Continue\r\n\r\n" * 3), None, None, "connection closed without an answer"),
        (reset, None, None, "connection reset"),
        (close(), None, None, "connection closed without an answer"),
        (raw(b"HTTP/1.1 20"), None, None, "connection closed without an answer"),
        (cut_short(), 200, b"half of it", "connection closed in the middle of the answer"),
        (raw(b"\x00\xff nonsense\r\n\r\n"), None, None, "answer is not HTTP"),
        (raw(b"SSH-2.0-OpenSSH_9.6\r\n"), None, None, "answer is not HTTP"),
        (raw(b"HTTP/1.1 999999 No\r\n\r\n"), None, None, "answer is not HTTP"),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"), None, None, "answer is not HTTP"),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"), None, None, "answer is not HTTP"),
        (raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), None, None, "answer is not HTTP"),
        (raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000), None, None, "answer is not HTTP"),
        (raw(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000), None, None, "answer is not HTTP"),
    ],
)
async def test_what_goes_wrong_is_told_in_a_few_words(
    receiver: Receiver, script: Script, status: int | None, answered: bytes | None, error: str
) -> None:
    receiver.plan(script)
    async with sending() as sender:
        attempt = await sender.send(message(receiver.url))
        after = await sender.send(message(receiver.url))

    assert (attempt.succeeded, attempt.status, attempt.error) == (False, status, error)
    assert (attempt.answer, attempt.address) == (answered, "127.0.0.1")
    assert after.succeeded


async def test_a_receiver_that_never_answers_is_given_up(receiver: Receiver) -> None:
    receiver.plan(hang)
    async with sending(seconds=0.2) as sender:
        attempt = await sender.send(message(receiver.url))

    assert (attempt.succeeded, attempt.status, attempt.error) == (False, None, "timed out after 0.2 s")
    assert attempt.duration_ms >= 200


async def test_so_is_one_that_answers_byte_by_byte(receiver: Receiver) -> None:
    receiver.plan(drip)
    async with sending(seconds=0.5) as sender:
        attempt = await sender.send(message(receiver.url))

    assert (attempt.succeeded, attempt.status, attempt.error) == (False, 200, "timed out after 0.5 s")
    assert set(attempt.answer or b"") == set(b".")


@pytest.mark.parametrize("script", [flood, answer(200, b"more and more..." * 4096)])
async def test_of_a_huge_answer_only_the_beginning_is_read(receiver: Receiver, script: Script) -> None:
    receiver.plan(script)
    async with sending() as sender:
        attempt = await sender.send(message(receiver.url))

    assert (attempt.succeeded, attempt.status, attempt.error) == (True, 200, None)
    assert attempt.answer == b"more and more..." * 128


async def test_a_connection_is_kept_after_an_answer_of_16_kib_and_not_after_a_longer_one(receiver: Receiver) -> None:
    receiver.plan(answer(200, b"." * 16_384), answer(200, b"." * 1_000_000))
    async with sending() as sender:
        for _ in range(2):
            await sender.send(message(receiver.url))
        assert receiver.connections == 1
        await sender.send(message(receiver.url))

    assert receiver.connections == 2


@pytest.mark.parametrize("script", [interim, framing], ids=["interim answers", "the framing of a chunk"])
async def test_what_never_ends_and_is_no_body_is_given_up_early(receiver: Receiver, script: Script) -> None:
    receiver.plan(script)
    async with sending() as sender:
        attempt = await sender.send(message(receiver.url))

    assert not attempt.succeeded
    assert attempt.error == "answer goes on without end"


async def test_nothing_is_unpacked(receiver: Receiver) -> None:
    receiver.plan(gzip_bomb())
    async with sending() as sender:
        attempt = await sender.send(message(receiver.url))

    assert attempt.succeeded
    assert attempt.answer == gzip.compress(bytes(16 << 20), mtime=0)[:2048]


async def test_no_cookie_is_kept(receiver: Receiver) -> None:
    receiver.plan(answer(200, headers={"Set-Cookie": "session=1; Path=/"}))
    async with sending() as sender:
        for _ in range(2):
            await sender.send(message(receiver.url))

    assert "cookie" not in receiver.requests[1].headers


async def test_no_proxy_is_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with sending() as sender:
        attempt = await sender.send(message(receiver.url))

    assert attempt.succeeded


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("text", "lowest", "highest"),
    [
        ("0", 0, 0),
        ("120", 120, 120),
        ("9" * 400, 86_400, float("inf")),
        (format_datetime(datetime.now(UTC) + timedelta(hours=9), usegmt=True), 8 * 3_600, 9 * 3_600),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0),
    ],
    ids=["now", "in seconds", "for ever", "at a time", "in the past"],
)
async def test_an_overloaded_receiver_may_ask_us_to_wait(
    receiver: Receiver, status: int, text: str, lowest: float, highest: float
) -> None:
    receiver.plan(answer(status, headers={"Retry-After": text}))
    async with sending() as sender:
        attempt = await sender.send(message(receiver.url))

    assert attempt.retry_after is not None
    assert lowest <= attempt.retry_after <= highest


@pytest.mark.parametrize("text", ["", "-1", "1.5", "soon", "١٢", "Wed, 99 Oct 2015 07:28:00 GMT", "1e3", HUGE])
async def test_what_says_no_time_is_passed_over(receiver: Receiver, text: str) -> None:
    receiver.plan(answer(503, headers={"Retry-After": text}))
    async with sending() as sender:
        attempt = await sender.send(message(receiver.url))

    assert (attempt.status, attempt.retry_after) == (503, None)


async def test_only_an_overloaded_one_may_ask_us_to_wait(receiver: Receiver) -> None:
    receiver.plan(answer(500, headers={"Retry-After": "60"}), answer(200, headers={"Retry-After": "60"}))
    async with sending() as sender:
        attempts = [await sender.send(message(receiver.url)) for _ in range(2)]

    assert [attempt.retry_after for attempt in attempts] == [None, None]


async def test_a_name_that_does_not_resolve_is_told() -> None:
    async with sending() as sender:
        attempt = await sender.send(message("https://gone.example.com/"))

    assert (attempt.address, attempt.status, attempt.error) == (None, None, "name does not resolve")


async def test_a_refused_connection_is_told() -> None:
    with Receiver() as receiver:
        url = receiver.url
    async with sending() as sender:
        attempt = await sender.send(message(url))

    assert (attempt.address, attempt.status, attempt.error) == ("127.0.0.1", None, "connection refused")


async def test_the_time_out_holds_for_the_name_server_too() -> None:
    class Silent(Names):
        async def look_up(self, name: str) -> list[Address]:
            await asyncio.Event().wait()
            return []

    async with sending(seconds=0.05, names=Silent()) as sender:
        attempt = await sender.send(message("https://slow.example.com/"))

    assert attempt.error == "timed out after 0.05 s"
    assert attempt.duration_ms >= 50


async def test_a_receiver_that_takes_nothing_in_does_not_hold_us_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        async with sending(seconds=0.2) as sender:
            url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
            attempt = await sender.send(message(url, body=b" " * 1_000_000))

    assert attempt.error == "timed out after 0.2 s"
    assert attempt.duration_ms < 5_000


async def test_each_attempt_is_on_its_own_and_a_slow_one_holds_up_nobody(receiver: Receiver) -> None:
    receiver.plan(hang)
    async with sending() as sender:
        slow = asyncio.create_task(sender.send(message(receiver.url)))
        await asyncio.to_thread(receiver.wait_for, 1)
        others = await asyncio.gather(*(sender.send(message(receiver.url)) for _ in range(50)))
        assert not slow.done()
        slow.cancel()
        await asyncio.wait({slow})

    assert slow.cancelled()
    assert all(attempt.succeeded for attempt in others)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/",
        "https://127.0.0.1:{port}/",
        "https://localhost:{port}/",
        "https://[::1]:{port}/",
        "https://[::ffff:127.0.0.1]:{port}/",
        "https://0.0.0.0:{port}/",
        "https://2130706433:{port}/",
        "https://0x7f.1:{port}/",
        "https://0177.0.0.1:{port}/",
        "https://127.1:{port}/",
        "https://127.0.0.1.:{port}/",
        "https://%31%32%37.0.0.1:{port}/",
        "https://user@127.0.0.1:{port}/",
        "https://loop.example.com:{port}/",
        "https://mapped.example.com:{port}/",
        "https://metadata.example.com/",
        "https://nothing.example.com:{port}/",
        "https://10.0.0.5/",
        "nonsense",
    ],
)
@pytest.mark.parametrize("mode", ["live", "test"])
async def test_no_connection_is_made_to_what_may_not_be_reached(receiver: Receiver, url: str, mode: Mode) -> None:
    """Even where such a URL had passed registration, by other rules or in another network."""
    names = Names(
        localhost="127.0.0.1 ::1",
        loop_example_com="127.0.0.1",
        mapped_example_com="::ffff:127.0.0.1",
        metadata_example_com="169.254.169.254",
        nothing_example_com="",
    )
    async with sending(STRICT, names=names) as sender:
        attempt = await sender.send(message(url.format(port=receiver.port), mode))

    assert (attempt.succeeded, attempt.address, attempt.status) == (False, None, None)
    assert str(attempt.error).startswith(("address refused: ", "URL refused: "))
    assert receiver.connections == 0


async def test_a_name_that_is_rebound_after_registration_is_refused_at_the_attempt(receiver: Receiver) -> None:
    url = f"https://rebound.example.com:{receiver.port}/"
    names = Names(rebound_example_com="93.184.215.14")
    assert await refusal(url, "live", AT_HOME, names.look_up) is None

    names.known["rebound.example.com"] = "127.0.0.1"
    async with sending(names=names) as sender:
        attempts = [await sender.send(message(url, "live")) for _ in range(3)]

    (error,) = {attempt.error for attempt in attempts}
    assert str(error).startswith("address refused: 127.0.0.1 is not a public address (loopback); to let webhooks reach")
    assert names.asked == ["rebound.example.com"] * 4
    assert receiver.connections == 0


async def test_of_several_addresses_only_those_are_tried_that_may_be_reached(receiver: Receiver) -> None:
    names = Names(mixed_example_com="::1 10.0.0.5 169.254.169.254 127.0.0.1")
    async with sending(OPENED, names=names) as sender:
        attempt = await sender.send(message(receiver.url_of("mixed.example.com")))

    assert attempt.succeeded
    assert attempt.address == "127.0.0.1"
    assert receiver.requests[0].headers["host"] == f"mixed.example.com:{receiver.port}"


async def test_the_next_address_is_tried_where_one_refuses(receiver: Receiver) -> None:
    names = Names(two_example_com="127.0.0.2 127.0.0.1")
    async with sending(OPENED, names=names) as sender:
        attempt = await sender.send(message(receiver.url_of("two.example.com")))

    assert (attempt.succeeded, attempt.address) == (True, "127.0.0.1")


async def test_a_connection_of_test_mode_is_not_used_in_live_mode() -> None:
    with Receiver(tls=served_with("receiver.pem")) as receiver:
        async with sending(AT_HOME) as sender:
            first = await sender.send(message(receiver.url, "test"))
            second = await sender.send(message(receiver.url, "live"))

    assert first.succeeded
    assert str(second.error).startswith("address refused: 127.0.0.1")
    assert len(receiver.requests) == 1


def served_with(certificate: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / certificate)
    return context


async def test_a_certificate_is_trusted_that_the_bundle_vouches_for() -> None:
    with Receiver(tls=served_with("receiver.pem")) as receiver:
        async with sending(OPENED) as sender:
            attempts = [await sender.send(message(receiver.url, "live")) for _ in range(2)]

    assert all(attempt.succeeded for attempt in attempts)
    assert receiver.connections == 1


@pytest.mark.parametrize(
    ("certificate", "bundle", "host", "why"),
    [
        ("stranger.pem", "authority.pem", "127.0.0.1", "signed certificate"),
        ("receiver.pem", None, "127.0.0.1", "unable to get local issuer certificate"),
        ("receiver.pem", "authority.pem", "other.example.com", "certificate is not valid for 'other.example.com'"),
    ],
)
async def test_any_other_certificate_is_not_and_nothing_is_sent(
    certificate: str, bundle: str | None, host: str, why: str
) -> None:
    names = Names(other_example_com="127.0.0.1")
    with Receiver(tls=served_with(certificate)) as receiver:
        async with sending(OPENED, ca_bundle=CERTIFICATES / bundle if bundle else None, names=names) as sender:
            attempt = await sender.send(message(receiver.url_of(host), "live"))

    assert str(attempt.error).startswith("TLS certificate not trusted: ")
    assert why in str(attempt.error)
    assert (attempt.address, receiver.requests) == ("127.0.0.1", [])


async def test_a_receiver_that_speaks_no_tls_is_told() -> None:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server, sending(OPENED) as sender:
        port = server.sockets[0].getsockname()[1]
        attempt = await sender.send(message(f"https://127.0.0.1:{port}/", "live"))

    assert attempt.error == "TLS failed: wrong version number"
