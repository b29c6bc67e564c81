"""Slow and broken clients: they slow nobody else, they are seen off in time, and they hold up no end."""

import socket
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress

import psutil
import pytest

from owed.api.protocol import PATIENCE
from owed.cli.api_process import DRAIN_SECONDS
from tests.contract.client import Client
from tests.contract.service import Service
from tests.failure.stand import Stand, standing, wait_until
from tests.failure.writes import CUSTOMERS

EACH = 50
SAMPLE = 150
MARGIN = 10.0
SLOWER = 4.0

Opening = Callable[[socket.socket, str], None]


def say_nothing(_connection: socket.socket, _key: str) -> None:
    """Connect, and leave it at that."""


def begin_a_head(connection: socket.socket, _key: str) -> None:
    connection.sendall(b"GET /billing/customers HTTP/1.1\r\nHost: a\r\nAuthoriz")


def begin_a_body(connection: socket.socket, key: str) -> None:
    head = f"POST {CUSTOMERS} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\n"
    connection.sendall(f"{head}Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{{".encode())


def read_nothing(connection: socket.socket, key: str) -> None:
    """Ask for pages as long as the server takes the questions, and never read an answer."""
    question = f"GET {CUSTOMERS}?limit=100 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
    connection.settimeout(0.2)
    with suppress(OSError):
        for _ in range(200):
            connection.sendall(question)


KINDS: tuple[Opening, ...] = (say_nothing, begin_a_head, begin_a_body, read_nothing)


@pytest.fixture(scope="module")
def stand() -> Iterator[Stand]:
    """A service with one worker: there is no other to hide behind."""
    with standing(workers=1, OWED_DELIVERIES="false") as service:
        yield service


@pytest.fixture(scope="module")
def key(stand: Stand) -> str:
    """A key of a merchant whose page of customers is too large for the buffers between here and there."""
    merchant = stand.service.merchant("Acme Water")
    client = stand.service.client(merchant.keys["sk_test"])
    for number in range(100):
        fields = {"external_reference": f"large-{number}", "metadata": {f"k{each}": "x" * 500 for each in range(20)}}
        assert client.post(CUSTOMERS, fields).status == 201
    return merchant.keys["sk_test"]


@pytest.fixture(scope="module")
def ending(stand: Stand, key: str) -> Iterator[Future[int]]:
    """The exit code of another service, which was told to end when all its clients read nothing: that takes long."""
    another = Service.start(stand.data_dir)
    with ThreadPoolExecutor(1) as pool, slow_clients(another.port, key, (read_nothing,) * 3):
        another.process.terminate()
        yield pool.submit(another.process.wait, DRAIN_SECONDS + 5)
        another.process.kill()


@pytest.mark.usefixtures("ending")  # which so takes no time of its own
def test_200_slow_clients_slow_nobody_else_and_are_seen_off(stand: Stand, key: str) -> None:
    client = stand.service.client(key)
    alone = median_seconds(client)
    with slow_clients(stand.port, key, KINDS * EACH) as ways:
        overdue = time.monotonic() + PATIENCE + MARGIN
        beside = median_seconds(client)
        while (left := held(stand, ways)) and time.monotonic() < overdue:
            time.sleep(0.1)

    assert left == Counter()
    assert beside < SLOWER * alone + 0.005, (alone, beside)


def test_clients_that_ask_slowly_do_not_hold_up_the_end(stand: Stand, key: str) -> None:
    with slow_clients(stand.port, key, (say_nothing, begin_a_head, begin_a_body)):
        stand.service.process.terminate()
        code = stand.ended_within(5)
    stand.start()

    assert code == 0


def test_clients_that_read_nothing_do_not_hold_up_the_end_for_ever(ending: Future[int]) -> None:
    assert ending.result() == 0


def test_clients_that_hang_up_on_their_answers_are_no_errors(stand: Stand, key: str) -> None:
    noticed = len(stand.errors())
    with slow_clients(stand.port, key, (read_nothing,) * 10) as ways:
        pass
    wait_until(lambda: not held(stand, ways), "the server lets go of them")

    assert stand.errors()[noticed:] == []


def median_seconds(client: Client) -> float:
    """Measure how long a look-up takes."""
    took = []
    for _ in range(SAMPLE):
        begun = time.perf_counter()
        assert client.get(f"{CUSTOMERS}/large-1").status == 200
        took.append(time.perf_counter() - begun)
    return statistics.median(took)


@contextmanager
def slow_clients(port: int, key: str, kinds: tuple[Opening, ...]) -> Iterator[dict[int, str]]:
    """Have slow clients connected, each in its way; yield their ports, and the way of each."""
    with ExitStack() as opened:
        ways = {}
        for kind in kinds:
            connection = opened.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.settimeout(10)
            connection.connect(("127.0.0.1", port))
            kind(connection, key)
            ways[connection.getsockname()[1]] = kind.__name__
        yield ways


def held(stand: Stand, ways: dict[int, str]) -> Counter[str]:
    """Count the slow clients that the server still holds, by their way."""
    theirs = psutil.Process(stand.service.process.pid).net_connections("tcp")
    ports = [getattr(each.raddr, "port", 0) for each in theirs]  # what listens has nobody at the other end
    return Counter(ways[port] for port in ports if port in ways)
