"""What docs/webhooks.md shows runs as it is written there, but for the port."""

import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
from standardwebhooks import Webhook

from owed.model.delivery import Attempt
from owed.model.webhook_endpoint import EVENT_TYPES
from owed.settings import Settings
from owed.webhooks.addresses import Policy
from owed.webhooks.sender import Message, Sender
from owed.webhooks.signing import signed_headers
from tests.contract.client import Client
from tests.contract.samples import a_customer
from tests.contract.service import Merchant, Service
from tests.failure.stand import free_port, wait_until
from tests.webhooks.secrets import a_secret

DOCUMENT: Final = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text()
SUFFIXES: Final = {"python": ".py", "javascript": ".mjs"}
RUNTIMES: Final = {"python": sys.executable, "javascript": shutil.which("node")}
THAT_RUN_HERE: Final = [language for language, runtime in RUNTIMES.items() if runtime]
"""Where there is no Node.js, the receiver in JavaScript is only known to be there."""

SECONDS: Final = {"s": 1, "min": 60, "h": 3600}

EVENT: Final = "evt_0352qAdByWhwa89Nu6xp9C"
BODY: Final = (
    f'{{"id":"{EVENT}","type":"bill.paid","data":{{"id":"bill_0352qAY8BbqsNwejtXdoxi","name":"Zoë"}}}}'.encode()
)


def blocks(language: str) -> list[str]:
    """Give what the document has in a language: the first of each is the receiver."""
    return re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE)


@contextmanager
def running(program: str, language: str, place: Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Run a program in a directory of its own."""
    runtime, file = RUNTIMES[language], place / f"program{SUFFIXES[language]}"
    assert runtime is not None
    file.write_text(program)
    env = {**os.environ, **environment}
    with subprocess.Popen([runtime, file.name], cwd=place, env=env, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def receiving(language: str, place: Path, secret: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the receiver of the document, and give its URL."""
    program, port = blocks(language)[0], free_port()
    assert program.count("3000") == 1
    with running(program.replace("3000", str(port)), language, place, WEBHOOK_SECRET=secret) as process:
        wait_until(lambda: is_open(port), "the receiver listens")
        yield process, f"http://127.0.0.1:{port}/"


def is_open(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


async def sent(url: str, *secrets: str, event_id: str = EVENT, body: bytes = BODY) -> Attempt:
    """Attempt a delivery as a worker does."""
    sender = Sender(Policy((), loopback=True), timeout=10, ca_bundle=None)
    try:
        return await sender.send(Message(url, event_id, body, secrets, "test"))
    finally:
        await sender.close()


def status_of(url: str, headers: dict[str, str], body: bytes = BODY) -> int:
    """Post what no worker would send."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def output_of(process: subprocess.Popen[str]) -> str:
    """End a program, and give what it has printed."""
    process.terminate()
    return process.communicate()[0]


def test_there_is_a_receiver_in_python_and_one_in_javascript() -> None:
    assert "do_POST" in blocks("python")[0]
    assert "createServer" in blocks("javascript")[0]


@pytest.mark.parametrize("language", THAT_RUN_HERE)
async def test_a_receiver_takes_what_was_signed_and_does_it_once(language: str, tmp_path: Path) -> None:
    old, new = a_secret(), a_secret()
    with receiving(language, tmp_path, old) as (process, url):
        assert (await sent(url, old)).status == 200
        assert (await sent(url, new, old)).status == 200
        assert (await sent(url, old, event_id="evt_2", body=BODY.replace(EVENT.encode(), b"evt_2"))).status == 200
        assert output_of(process).count("bill.paid") == 2


@pytest.mark.parametrize("language", THAT_RUN_HERE)
async def test_a_receiver_refuses_what_is_forged_and_lives_on(language: str, tmp_path: Path) -> None:
    secret, now = a_secret(), datetime.now(UTC)
    genuine = signed_headers(EVENT, now, BODY, (secret,))
    with receiving(language, tmp_path, secret) as (process, url):
        assert (await sent(url, a_secret())).status == 400
        assert status_of(url, genuine, BODY.replace(b"paid", b"void")) == 400
        assert status_of(url, genuine | {"webhook-id": "evt_2"}) == 400
        assert status_of(url, signed_headers(EVENT, now - timedelta(minutes=6), BODY, (secret,))) == 400
        assert status_of(url, signed_headers(EVENT, now + timedelta(minutes=6), BODY, (secret,))) == 400
        assert status_of(url, genuine | {"webhook-timestamp": "now", "webhook-signature": "v1,\xe9"}) == 400
        assert status_of(url, {}) == 400
        assert status_of(url, genuine) == 200
        assert output_of(process).count("bill.paid") == 1


def test_the_request_that_is_shown_verifies_with_the_secret_that_is_shown() -> None:
    head, body = blocks("http")[0].strip().split("\n\n")
    headers = {name.lower(): text for name, text in (line.split(": ") for line in head.splitlines()[1:])}
    (secret,) = re.findall(r'^  "secret": "(whsec_\S+)"$', DOCUMENT, re.MULTILINE)
    at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)

    assert Webhook(secret).sign(headers["webhook-id"], at, body) == headers["webhook-signature"]
    assert int(headers["content-length"]) == len(body)


def test_every_type_of_event_is_told_of() -> None:
    assert [name for name in EVENT_TYPES if f"`{name}`" not in DOCUMENT] == []


def test_the_retries_that_are_told_are_those_that_are_made() -> None:
    told = re.findall(r"^\| \d+ \| (\d+) (s|min|h) \|", DOCUMENT, re.MULTILINE)
    assert tuple(int(number) * SECONDS[unit] for number, unit in told) == Settings().webhook_retries


def test_the_reader_goes_on_from_its_place_and_reads_every_event_once(
    service: Service, fresh_merchant: Merchant, tmp_path: Path
) -> None:
    client, program = service.client(fresh_merchant.keys["sk_test"]), blocks("python")[1]
    assert program.count("127.0.0.1:8000") == 1
    program = program.replace("8000", str(service.port))
    read = [each for _ in range(2) for each in lines_up_to_a_new_customer(program, client, tmp_path)]
    assert len(read) == len(set(read)) == 2


def lines_up_to_a_new_customer(program: str, client: Client, place: Path) -> Iterator[str]:
    """Run the reader until it has told of a new customer, and has kept its place."""
    kept = place / "place.txt"
    kept.touch()
    before = kept.read_text()
    customer = a_customer(client)
    with running(program, "python", place, KEY=client.key or "") as process:
        assert process.stdout is not None
        for line in process.stdout:
            yield line
            if customer["id"] in line:
                break
        wait_until(lambda: kept.read_text() not in ("", before), "it keeps its place")
