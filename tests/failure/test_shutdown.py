"""The end of a service, asked for or not: nothing accepted is lost, nothing left running, the next start is quick."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.client import HTTPException

import psutil
import pytest

from tests.contract.client import Answer, Client
from tests.contract.service import Database, Merchant, dsn_of
from tests.failure.callers import HEADERS
from tests.failure.stand import Stand, is_gone, wait_until
from tests.failure.writes import CUSTOMERS, PAYMENTS

CALLERS = 12
WAITING = 10
"""How many requests of each kind wait for the database."""

QUICK = 4
"""Times as long as it takes to import the program, which is longer where others are at work on the machine."""

STARTS = 3
"""How many may be slower, where the machine has something else to do just then."""

HEARD = "Shutting down"
STARTS_LATER = "the database cannot be reached yet"


@pytest.fixture(scope="module")
def standing_merchant(stand: Stand) -> Merchant:
    return stand.service.merchant("Acme Water")


@pytest.fixture
def merchant(stand: Stand, standing_merchant: Merchant) -> Merchant:
    """A merchant of a service that runs, whatever became of it in the last test."""
    if not stand.is_serving():
        stand.start()
    return standing_merchant


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_whatever_was_accepted_is_answered_before_the_end(
    stand: Stand, merchant: Merchant, number: signal.Signals
) -> None:
    everything = stand.everything()
    with creating(stand, merchant, number.name) as answered:
        wait_until(lambda: len(answered) > 200, "the callers are at work")
        begun = time.monotonic()
        end(stand, number)
        assert stand.service.process.wait(30) == 0
        took = time.monotonic() - begun

    assert stand.postmaster() is None
    wait_until(lambda: all(is_gone(process) for process in everything), "every process is gone", seconds=2)
    assert took < 5
    stand.start()
    assert stored_answers(stand, number.name) == {key: answer.body for key, answer in answered.items()}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_that_waits_for_the_database_is_answered_before_the_end(
    stand: Stand, merchant: Merchant, number: signal.Signals
) -> None:
    """Payments among them: each is taken, or refused for want of what is owed."""
    client = stand.service.client(merchant.keys["sk_test"])
    held = {"external_reference": f"held-{number}", "currency": "ZAR", "balance": WAITING}
    customer = client.post(CUSTOMERS, held).json()["id"]
    paid = {"customer": customer, "amount": 2, "currency": "ZAR"}
    database = Database(dsn_of(stand.service))
    with ThreadPoolExecutor(2 * WAITING) as pool:
        with database.locked(customer):
            path = f"{CUSTOMERS}/{customer}"
            waiting = [pool.submit(client.patch, path, {"metadata": {f"n{each}": "1"}}) for each in range(WAITING)]
            paying = [
                pool.submit(client.post, PAYMENTS, paid, Idempotency_Key=f"{number}-{each}") for each in range(WAITING)
            ]
            database.wait_for_a_waiter()
            wait_until(lambda: stand.connections() >= 2 * WAITING, "every request has been accepted")
            heard = stand.log().count(HEARD)
            end(stand, number)
            wait_until(lambda: stand.log().count(HEARD) == heard + stand.workers_wanted, "every worker has heard of it")
        database.close()
        statuses = [each.result().status for each in waiting]
        paid_or_not = sorted(each.result().status for each in paying)

    assert statuses == [200] * WAITING
    assert paid_or_not == [201] * (WAITING // 2) + [422] * (WAITING // 2)
    assert stand.service.process.wait(30) == 0


def test_a_new_connection_is_refused_while_the_last_requests_are_answered(stand: Stand, merchant: Merchant) -> None:
    client = stand.service.client(merchant.keys["sk_test"])
    customer = client.post(CUSTOMERS, {"external_reference": "last"}).json()["id"]
    database = Database(dsn_of(stand.service))
    with ThreadPoolExecutor(1) as pool:
        with database.locked(customer):
            waiting = pool.submit(client.patch, f"{CUSTOMERS}/{customer}", {"name": "Last"})
            database.wait_for_a_waiter()
            end(stand, signal.SIGTERM)
            wait_until(lambda: not is_open(stand.port), "the port is closed", seconds=2)
            assert stand.is_serving()
        database.close()

    assert waiting.result().status == 200
    assert stand.service.process.wait(30) == 0


def test_the_next_start_is_quick_and_finds_the_data(stand: Stand, merchant: Merchant) -> None:
    created = stand.service.client(merchant.keys["sk_test"]).post(CUSTOMERS, {"external_reference": "kept"})
    took: list[float] = []
    while len(took) < STARTS and min(took, default=QUICK) >= QUICK:
        stand.service.stop()
        took.append(seconds(stand.start) / seconds(import_program))
    found = stand.service.client(merchant.keys["sk_test"]).get(f"{CUSTOMERS}/kept")

    assert (found.status, found.body) == (200, created.body)
    assert min(took) < QUICK, took


def test_after_kill_9_of_everything_the_next_start_finds_all_that_was_acknowledged(
    stand: Stand, merchant: Merchant
) -> None:
    with creating(stand, merchant, "killed") as answered:
        wait_until(lambda: len(answered) > 200, "the callers are at work")
        for process in stand.everything():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        stand.service.process.wait()
    stand.start()

    assert {key: answer.body for key, answer in answered.items()}.items() <= stored_answers(stand, "killed").items()


def test_after_kill_9_of_the_parent_alone_its_port_is_free_again_at_once(stand: Stand, merchant: Merchant) -> None:
    with creating(stand, merchant, "orphaned") as answered:
        wait_until(lambda: len(answered) > 200, "the callers are at work")
        stand.kill_parent()
    stand.start()

    assert stand.service.client(merchant.keys["sk_test"]).get(CUSTOMERS).status == 200


def test_a_worker_that_is_still_starting_does_not_keep_the_port(stand: Stand, merchant: Merchant) -> None:
    """Its parent is killed while it waits for a PostgreSQL that only the next start brings back."""
    parent, workers, postmaster = psutil.Process(stand.service.process.pid), stand.workers(), stand.postmaster()
    assert postmaster is not None
    workers[0].kill()
    wait_until(lambda: set(stand.workers()) - set(workers), "the worker is replaced")
    parent.suspend()
    postmaster.kill()
    wait_until(lambda: STARTS_LATER in stand.log(), "the new worker waits for its database")
    stand.kill_parent()
    stand.start()

    assert stand.service.client(merchant.keys["sk_test"]).get(CUSTOMERS).status == 200


@contextmanager
def creating(stand: Stand, merchant: Merchant, name: str) -> Iterator[dict[str, Answer]]:
    """Have callers create customers, each until its connection fails; yield the answers by their keys, as they come.

    Args:
        name: What their keys begin with.
    """
    answered: dict[str, Answer] = {}

    def create(number: int) -> None:
        client, each = Client(stand.port, merchant.keys["sk_test"]), 0
        with suppress(OSError, HTTPException):
            while (answer := post(client, key := f"{name}-{number}-{each}")).status == 201:
                answered[key], each = answer, each + 1
        client.close()

    callers = [threading.Thread(target=create, args=[number]) for number in range(CALLERS)]
    for caller in callers:
        caller.start()
    yield answered
    for caller in callers:
        caller.join()


def post(client: Client, key: str) -> Answer:
    body = json.dumps({"external_reference": key, "currency": "ZAR", "balance": 1}).encode()
    return client.send("POST", CUSTOMERS, body, HEADERS | {"Idempotency-Key": key})


def end(stand: Stand, number: signal.Signals) -> None:
    """Ask a service to end: as an init system does, or as Ctrl-C in a terminal does, which all its processes hear."""
    if number == signal.SIGINT:
        os.killpg(stand.service.process.pid, number)
    else:
        stand.service.process.send_signal(number)


def seconds(action: Callable[[], object]) -> float:
    """Give how long something takes."""
    begun = time.monotonic()
    action()
    return time.monotonic() - begun


def import_program() -> None:
    """Do what every process does before anything else."""
    subprocess.run([sys.executable, "-c", "import owed.cli.serve, owed.cli.api_process"], check=True)


def is_open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def stored_answers(stand: Stand, name: str) -> dict[str, bytes]:
    """Give the answers that are kept with the keys that begin so."""
    database = Database(dsn_of(stand.service))
    try:
        kept = database.rows("SELECT key, body FROM answer WHERE starts_with(key, $1)", f"{name}-")
        return {row["key"]: row["body"] for row in kept}
    finally:
        database.close()
