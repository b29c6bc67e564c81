"""Answers that are longer than memory should be: as fast as they are read, and over as soon as nobody reads them."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import psutil
import pytest

from tests.contract.client import Client, Json, raw
from tests.contract.samples import a_customer, an_account, at
from tests.contract.service import Database, Merchant, Service, data_directory, dsn_of

LINES = 50_000
MUCH = 8 * 2**20
"""Bytes that such a statement has at least, and that no buffers between here and there hold."""

MANY_LINES = """
    INSERT INTO transfer (tenant_id, obligation_id, version, id, amount, currency, total_after, debit, credit, cause,
                          key_id, occurred_at, recorded_at, hash)
    SELECT tenant_id, id, number + 1, 'tra_' || lpad(number::text, 22, '0'), 1, 'ZAR', number, 'receivable',
           'balance_replacement', 'balance_set', 'key_1', created_at + number * interval '1 us',
           created_at + number * interval '1 us', ''
      FROM customer, generate_series(1, $2) AS number
     WHERE id = $1
"""

READERS = """
    FROM pg_stat_activity
   WHERE state <> 'idle' AND query LIKE '%WITH obligation AS%' AND pid <> pg_backend_pid()
"""


@pytest.fixture(scope="module")
def alone() -> Iterator[Service]:
    """A service with a long story, which is none that verifies."""
    with data_directory() as place:
        running = Service.start(place)
        yield running
        running.stop()


@pytest.fixture(scope="module")
def books(alone: Service) -> Iterator[Database]:
    connected = Database(dsn_of(alone))
    yield connected
    connected.close()


@pytest.fixture(scope="module")
def owner(alone: Service) -> Merchant:
    return alone.merchant("Long")


@pytest.fixture(scope="module")
def caller(alone: Service, owner: Merchant) -> Client:
    return alone.client(owner.keys["sk_test"])


@pytest.fixture(scope="module")
def long(caller: Client, books: Database) -> Json:
    """A customer with a long story."""
    customer = a_customer(caller, currency="ZAR", balance=0)
    books.execute(MANY_LINES, customer["id"], LINES)
    return customer


def path_of(customer: Json) -> str:
    return f"{at(customer)}/statement?to=2099-01-01"


@contextmanager
def reading(caller: Client, path: str, version: str = "1.1") -> Iterator[socket.socket]:
    """Ask for what is long on a connection that holds little, and read the status of the answer."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(15)
    with connection:
        connection.connect(("127.0.0.1", caller.port))
        head = f"GET {path} HTTP/{version}\r\nHost: a\r\nAuthorization: Bearer {caller.key}\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(12) == b"HTTP/1.1 200"
        yield connection


def rest(connection: socket.socket) -> bytes:
    """Read all that comes until the connection ends, however it does."""
    received = bytearray()
    with suppress(ConnectionResetError):
        while piece := connection.recv(2**20):
            received += piece
    return bytes(received)


def wait_for_readers(books: Database, number: int) -> None:
    """Return as soon as just so many look at the database for statements."""
    deadline = time.monotonic() + 5
    while (found := books.value(f"SELECT count(*) {READERS}")) != number:
        assert time.monotonic() < deadline, f"{found} are reading, not {number}"


def test_a_long_answer_is_whole(caller: Client, long: Json) -> None:
    answer = caller.get(path_of(long))
    (section,) = answer.json()["data"]
    assert (answer.status, answer.header("Transfer-Encoding")) == (200, "chunked")
    assert (len(section["lines"]), section["closing"]) == (LINES + 1, LINES)
    assert len(answer.body) > MUCH
    assert caller.get(at(long)).status == 200  # on the same connection


def test_a_client_of_http_1_0_reads_to_the_end_of_the_connection(caller: Client, long: Json) -> None:
    with reading(caller, path_of(long), "1.0") as connection:
        head, _, body = rest(connection).partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head.lower()
    assert body.startswith(b'{"customer_id"')
    assert body.endswith(b'"closing":%d}]}' % LINES)


def test_it_is_made_no_faster_than_it_is_read(alone: Service, caller: Client, books: Database, long: Json) -> None:
    worker = psutil.Process(alone.process.pid)
    caller.get(path_of(long))
    before = worker.memory_info().rss
    with ExitStack() as open_:
        connections = [open_.enter_context(reading(caller, path_of(long))) for _ in range(3)]
        wait_for_readers(books, 3)
        assert worker.memory_info().rss - before < MUCH
        assert all(connection.recv(1) for connection in connections)
    wait_for_readers(books, 0)


def test_whoever_hangs_up_frees_everything_at_once(caller: Client, books: Database, long: Json) -> None:
    for _ in range(4):  # more in all than one may have at once
        with reading(caller, path_of(long)):
            wait_for_readers(books, 1)
        wait_for_readers(books, 0)


def test_readers_that_are_slow_hold_up_nobody_else(alone: Service, caller: Client, books: Database, long: Json) -> None:
    """A merchant has three statements at once in a worker; others have their own, and requests their connections."""
    neighbour = alone.client(alone.merchant("Neighbour").keys["sk_test"])
    theirs = a_customer(neighbour, currency="ZAR", balance=1)
    with ExitStack() as open_:
        for _ in range(3):
            open_.enter_context(reading(caller, path_of(long)))
        wait_for_readers(books, 3)
        refusal = caller.get(path_of(long))
        assert (refusal.status, refusal.code, refusal.header("Retry-After")) == (429, "rate_limited", "1")
        assert neighbour.get(path_of(theirs)).status == 200
        for _ in range(12):
            an_account(caller, customer=long["id"])
    wait_for_readers(books, 0)
    assert caller.get(path_of(theirs)).status == 404
    assert caller.get(path_of(long)).status == 200


def test_exports_have_room_of_their_own(caller: Client, books: Database, long: Json) -> None:
    """Two at once of a merchant in a worker; each is all of one time, whatever is written meanwhile."""
    whose = "SELECT tenant_id FROM customer WHERE id = $1"
    before = books.value(f"SELECT count(*) FROM transfer WHERE tenant_id = ({whose})", long["id"])
    with ExitStack() as open_:
        connections = [open_.enter_context(reading(caller, EXPORT)) for _ in range(2)]
        assert (caller.get(EXPORT).status, caller.get(path_of(long)).status) == (429, 200)
        a_customer(caller, currency="ZAR", balance=1)
        received = rest(connections[0])
    assert received.endswith(b"0\r\n\r\n")
    assert received.count(b",tra_") == before
    wait_until_free(caller)


EXPORT = "/billing/exports/entries"


def wait_until_free(caller: Client) -> None:
    """Return as soon as there is room for an export again."""
    deadline = time.monotonic() + 5
    while caller.get(EXPORT).status == 429:
        assert time.monotonic() < deadline, "those who hung up still have their room"


def test_what_breaks_off_lacks_its_end(alone: Service, caller: Client, books: Database, long: Json) -> None:
    with reading(caller, path_of(long)) as connection:
        wait_for_readers(books, 1)
        books.execute(f"SELECT pg_terminate_backend(pid) {READERS}")
        received = rest(connection)
    assert not received.endswith(b"0\r\n\r\n")
    assert "an answer broke off" in alone.log.read_text()
    assert caller.get(path_of(long)).status == 200


def test_several_on_one_connection_come_one_after_another(caller: Client) -> None:
    """Streams are answered in their turn, like everything else on a connection."""
    customer = a_customer(caller, currency="ZAR", balance=7)
    one = f"GET {path_of(customer)} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {caller.key}\r\n"
    with raw(caller.port) as connection:
        connection.sendall(f"{one}\r\n{one}\r\n{one}Connection: close\r\n\r\n".encode())
        received = rest(connection)
    assert received.count(b"HTTP/1.1 200 OK") == received.count(b'"closing":7}') == 3
    assert received.endswith(b"0\r\n\r\n")
