"""A process that is killed in the middle of an erasure: whoever comes after it redacts what is left."""

import threading
from collections.abc import Callable
from contextlib import closing, suppress
from http.client import HTTPException

import psutil
import pytest

from tests.contract.client import Client
from tests.contract.samples import CUSTOMERS, a_customer, a_key
from tests.contract.service import Database, dsn_of
from tests.failure.stand import Stand, wait_until

PERSON = {"name": "Thandi Nkosi", "email": "thandi@example.com", "currency": "ZAR", "balance": 500}
MANY = 20_000
"""Events, which take a worker a second or so."""

ADD_EVENTS = """
    -- What long use leaves behind: many events of one customer, each of which names her.
    INSERT INTO event (tenant_id, object_id, sequence, id, type, body, recorded_at)
    SELECT tenant_id, object_id, number, 'evt_' || number, type, body, recorded_at
      FROM event
     CROSS JOIN generate_series(2, $2::bigint) AS number
     WHERE object_id = $1 AND sequence = 1
"""

HAS_EVENTS = "UPDATE customer SET event_sequence = $2 WHERE id = $1"
TELLING = "SELECT count(*) FROM event WHERE object_id = $1 AND position('Thandi'::bytea IN body) > 0"
IS_BEGUN = "SELECT redacted_to > 0 FROM erasure WHERE id = $1"
IS_FINISHED = "SELECT finished_version = version FROM erasure WHERE id = $1"
IS_KEPT = "SELECT count(*) FROM answer WHERE position('Thandi'::bytea IN body) > 0"


def kill_workers(stand: Stand) -> None:
    """Kill every worker; `owed serve` starts others."""
    workers = stand.workers()
    for worker in workers:
        worker.kill()
    psutil.wait_procs(workers)


def kill_all(stand: Stand) -> None:
    """Kill the whole service, and start it again."""
    for process in stand.everything():
        with suppress(psutil.NoSuchProcess):
            process.kill()
    stand.service.process.wait()
    stand.start()


@pytest.mark.parametrize("kill", [kill_workers, kill_all])
def test_what_a_killed_process_left_is_redacted_by_the_next(stand: Stand, kill: Callable[[Stand], None]) -> None:
    key = stand.service.merchant(kill.__name__).keys["sk_test"]
    with closing(Client(stand.port, key)) as client:
        made = client.post(CUSTOMERS, {"external_reference": "THANDI", **PERSON}, Idempotency_Key=a_key())
        customer = made.json()["id"]
        retry = a_key()
        with closing(Database(dsn_of(stand.service))) as database:
            database.execute(ADD_EVENTS, customer, MANY)
            database.execute(HAS_EVENTS, customer, MANY)
            asking = threading.Thread(target=ask, args=(stand.port, key, retry))
            asking.start()
            wait_until(lambda: database.value(IS_BEGUN, customer), "the redaction begins")
            kill(stand)
            client.close()  # its connection may be to one that was killed
            asking.join()
        with closing(Database(dsn_of(stand.service))) as database:
            assert database.value(TELLING, customer) > 0, "it was over before it could be killed"
            wait_until(lambda: database.value(IS_FINISHED, customer), "another finishes it")
            assert (database.value(TELLING, customer), database.value(IS_KEPT)) == (0, 0)
        answer = client.send("POST", f"{CUSTOMERS}/THANDI/erase", headers={"Idempotency-Key": retry})
        assert (answer.status, answer.json()["id"]) == (200, customer)
        assert a_customer(client, external_reference="THANDI")["id"] != customer
    assert stand.service.owed("verify")


def ask(port: int, key: str, idempotency_key: str) -> None:
    """Erase a customer; whoever answers may die meanwhile."""
    with closing(Client(port, key, timeout=60)) as client, suppress(OSError, HTTPException):
        client.send("POST", f"{CUSTOMERS}/THANDI/erase", headers={"Idempotency-Key": idempotency_key})
