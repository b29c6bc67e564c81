"""Delivery workers as an operator meets them: `owed worker`, and the one that `owed serve` runs."""

import logging
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import psutil
import pytest

from owed.cli.delivery_metrics import DeliveryMetrics
from owed.database import embedded
from owed.database.embedded import Server
from owed.model.delivery import Attempt, Claimed
from owed.settings import Settings
from tests.cli.deliveries import Merchant, Receiver, merchant, receiver, rows, working
from tests.cli.programs import Serving, is_stopped, owed, postmaster, serving, wait_until
from tests.database.places import short_directory, value

ATTEMPTS = "SELECT succeeded, error FROM delivery_attempt WHERE endpoint_id = $1 ORDER BY id"

PATIENT = {"OWED_WEBHOOK_TIMEOUT": "40"}
"""What a worker needs whose receiver is told to wait."""


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with short_directory() as directory:
        yield directory / "data"


@pytest.fixture(scope="module")
def api(home: Path) -> Iterator[Serving]:
    """A service that delivers nothing, and keeps its PostgreSQL running while others come and go."""
    with serving(home, "--no-deliveries") as service:
        yield service
        service.stop()


@pytest.fixture(scope="module")
def own_home() -> Iterator[Path]:
    """A data directory whose PostgreSQL runs for as long as a test has it run."""
    with short_directory() as directory:
        yield directory / "data"


@pytest.fixture
def acme(home: Path, api: Serving) -> Merchant:
    return merchant(home, api)


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as receiving:
        yield receiving


def deliverers(service: Serving) -> list[psutil.Process]:
    """Return the processes of a service that deliver."""
    found = []
    for child in psutil.Process(service.process.pid).children():
        with suppress(psutil.Error):
            found += [child] if child.cmdline()[-1:] == ["owed.cli.delivering"] else []
    return found


def deliverer(service: Serving) -> psutil.Process:
    wait_until(lambda: deliverers(service))
    return deliverers(service)[0]


def is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_owed_serve_delivers_and_its_metrics_tell_of_it(home: Path, acme: Merchant, hook: Receiver) -> None:
    acme.endpoint(hook.url)
    with serving(home, "--deliveries") as service:
        customer = acme.customer("told")
        told = hook.next()
        wait_until(lambda: delivered(service) == 1)

        assert told.data["id"] == customer
        assert {"owed_delivery_workers 1.0", "owed_workers 1.0", "owed_event_feed_lag_seconds 0.0"} <= metrics(service)
        assert {"owed_webhook_delivery_seconds_count 1.0", "owed_webhook_pending 0.0"} <= metrics(service)


def metrics(service: Serving) -> set[str]:
    return set(service.get("/metrics")[1].decode().splitlines())


def delivered(service: Serving) -> float:
    found = [line for line in metrics(service) if line.startswith('owed_webhook_attempts_total{outcome="succeeded"}')]
    return float(found[0].split()[-1]) if found else 0


def test_a_service_that_is_told_not_to_delivers_nothing(api: Serving) -> None:
    api.get("/ready")

    assert deliverers(api) == []
    assert b"owed_delivery_workers" not in api.get("/metrics")[1]


def test_a_delivery_worker_that_is_killed_is_replaced_and_what_it_counted_still_counts(
    home: Path, acme: Merchant, hook: Receiver
) -> None:
    acme.endpoint(hook.url)
    with serving(home, "--deliveries", "--workers", "2") as service:
        customers = [acme.customer("first")]
        told = [hook.next().data["id"]]
        wait_until(lambda: delivered(service) == 1)
        killed = deliverer(service)
        killed.kill()
        wait_until(lambda: deliverers(service) not in ([], [killed]))
        customers += [acme.customer("second")]
        told += [hook.next().data["id"]]
        wait_until(lambda: delivered(service) == 2)

        assert told == customers
        assert {"owed_delivery_workers 1.0", "owed_workers 2.0"} <= metrics(service)


def test_a_delivery_worker_leaves_when_its_service_is_killed(home: Path, acme: Merchant, hook: Receiver) -> None:
    endpoint = acme.endpoint(hook.url)
    hook.may_answer.clear()
    with serving(home, "--deliveries", **PATIENT) as service:
        acme.customer("told")
        hook.next()
        orphan = deliverer(service)
        service.process.kill()
    hook.may_answer.set()
    wait_until(lambda: is_gone(orphan))

    assert [row["succeeded"] for row in rows(home, ATTEMPTS, endpoint["id"])] == [True]


@pytest.mark.parametrize(("workers", "number"), [("2", signal.SIGTERM), ("1", signal.SIGINT)])
def test_a_service_that_stops_finishes_its_attempts(
    home: Path, acme: Merchant, hook: Receiver, workers: str, number: signal.Signals
) -> None:
    endpoint = acme.endpoint(hook.url)
    hook.may_answer.clear()
    with serving(home, "--deliveries", "--workers", workers, **PATIENT) as service:
        service.get("/ready")
        acme.customer("told")
        hook.next()
        if number == signal.SIGINT:
            os.killpg(service.process.pid, number)  # Ctrl-C: every process hears it
        else:
            service.process.send_signal(number)
        wait_until(lambda: not is_open(service))
        acme.customer("untold")
        still_runs = not is_gone(deliverer(service))
        hook.may_answer.set()

        assert (still_runs, service.process.wait(30)) == (True, 0)
        assert [row["succeeded"] for row in rows(home, ATTEMPTS, endpoint["id"])] == [True]


def is_open(service: Serving) -> bool:
    try:
        service.get("/health")
    except OSError:
        return False
    return True


def test_the_last_one_out_stops_postgresql_after_its_attempts(own_home: Path, hook: Receiver) -> None:
    hook.may_answer.clear()
    with serving(own_home, "--deliveries", **PATIENT) as service:
        acme = merchant(own_home, service)
        endpoint = acme.endpoint(hook.url)
        acme.customer("told")
        hook.next()
        service.process.terminate()
        wait_until(lambda: not is_open(service))
        was_stopped = is_stopped(own_home)
        hook.may_answer.set()

        assert (was_stopped, service.process.wait(30), is_stopped(own_home)) == (False, 0, True)
    with embedded.running(own_home):
        assert [row["succeeded"] for row in rows(own_home, ATTEMPTS, endpoint["id"])] == [True]


def test_a_worker_that_is_told_to_stop_finishes_its_attempts_and_begins_no_other(
    home: Path, acme: Merchant, hook: Receiver, tmp_path: Path
) -> None:
    endpoint = acme.endpoint(hook.url)
    hook.may_answer.clear()
    with working(home, log=tmp_path / "log", **PATIENT) as worker:
        first = acme.customer("told")
        told = hook.next().data["id"]
        worker.terminate()
        acme.customer("untold")
        with pytest.raises(subprocess.TimeoutExpired):
            worker.wait(0.5)
        hook.may_answer.set()

        assert (told, worker.wait(10)) == (first, 0)
        assert [row["succeeded"] for row in rows(home, ATTEMPTS, endpoint["id"])] == [True]
        assert hook.arrivals.empty()


def test_a_worker_that_is_told_twice_leaves_at_once(home: Path, acme: Merchant, hook: Receiver, tmp_path: Path) -> None:
    acme.endpoint(hook.url)
    hook.may_answer.clear()
    with working(home, log=tmp_path / "log", **PATIENT) as worker:
        acme.customer("told")
        hook.next()
        begun = time.monotonic()
        worker.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            worker.wait(0.3)
        worker.send_signal(signal.SIGINT)

        assert (worker.wait(10), time.monotonic() - begun < 5) == (0, True)


def test_a_worker_waits_for_its_database_and_survives_its_end(own_home: Path, hook: Receiver, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with serving(own_home) as service:
        acme = merchant(own_home, service)
        endpoint = acme.endpoint(hook.url)
        acme.customer("first")
        service.stop()
    settings = {"OWED_DATABASE_URL": Server(own_home).dsn}
    with working(own_home, log=log, **settings) as worker:
        wait_until(lambda: "the database cannot be reached yet" in log.read_text())
        with serving(own_home) as service:
            told = [hook.next().data["external_reference"]]
            wait_until(lambda: rows(own_home, ATTEMPTS, endpoint["id"]))
            postmaster(own_home).kill()
            wait_until(lambda: is_created(msgspec.structs.replace(acme, url=service.url), "second"))
            told += [hook.next().data["external_reference"]]
            worker.terminate()

            assert (told, worker.wait(10)) == (["first", "second"], 0)


def is_created(acme: Merchant, reference: str) -> bool:
    """Create a customer, if the database is there to do it."""
    try:
        return bool(acme.customer(reference))
    except OSError:
        return False


def test_a_worker_by_itself_reaches_no_loopback_that_is_not_allowed(
    home: Path, acme: Merchant, hook: Receiver, tmp_path: Path
) -> None:
    endpoint = acme.endpoint(hook.url)
    with working(home, log=tmp_path / "log", OWED_WEBHOOK_ALLOW=""):
        acme.customer("untold")
        wait_until(lambda: rows(home, ATTEMPTS, endpoint["id"]))

    assert "is not a public address (loopback)" in rows(home, ATTEMPTS, endpoint["id"])[0]["error"]
    assert hook.arrivals.empty()


def test_certificates_that_cannot_be_read_are_one_line(home: Path, api: Serving) -> None:
    api.get("/health")
    done = owed(home, "worker", OWED_WEBHOOK_CA_BUNDLE="/nowhere", OWED_LOG="off")

    assert (done.returncode, done.stderr) == (
        2,
        "owed: OWED_WEBHOOK_CA_BUNDLE is '/nowhere': no such file or directory\n",
    )


def test_a_database_that_is_not_migrated_is_one_line(home: Path, api: Serving) -> None:
    api.get("/health")
    dsn = Server(home).dsn
    value(dsn, "CREATE DATABASE empty")
    done = owed(home, "worker", "--database-url", dsn.replace("/postgres?", "/empty?"))

    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "run `owed migrate`" in done.stderr


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104
        ("::", False),
        ("192.168.1.4", False),
        ("billing.example", False),
    ],
)
def test_a_service_is_heard_by_its_machine_alone_where_it_listens_on_loopback(host: str, expected: bool) -> None:
    assert Settings(host=host).is_heard_here_alone == expected


def test_a_worker_of_no_service_tells_the_log_what_it_has_done(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    metrics = DeliveryMetrics()
    now = datetime.now(UTC)
    claimed = Claimed(1, "we_1", "evt_1", 1, "bcus_1", 1, 1, 0, 0, None, None, False, b"{}", now)
    for status in (204, 500, 200):
        metrics.note(claimed, Attempt(now, 3, status=status))
    metrics._tell()
    metrics.note(claimed, Attempt(now, 3, status=204))
    metrics._tell()

    told = [{name: vars(record)[name] for name in ("succeeded", "failed", "pending")} for record in caplog.records]
    assert told == [{"succeeded": 2, "failed": 1, "pending": 0}, {"succeeded": 1, "failed": 0, "pending": 0}]
